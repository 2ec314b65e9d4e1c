/* The rules behind the table of mpk_policy.c, by subject. */

#ifndef MPK_POLICY_INT_H
#define MPK_POLICY_INT_H

#include "mpk_policy.h"

#define MPK_DAY  86400      /* seconds */


/* Each changes decision->order, a copy with room for one more link or claim, or refuses. */

mpk_outcome_t mpk_policy_mint(const mpk_request_t *request,
    mpk_decision_t *decision);
mpk_outcome_t mpk_policy_revoke(const mpk_request_t *request,
    mpk_decision_t *decision);
mpk_outcome_t mpk_policy_open(const mpk_request_t *request,
    mpk_decision_t *decision);
mpk_outcome_t mpk_policy_view(const mpk_request_t *request,
    mpk_decision_t *decision);
mpk_outcome_t mpk_policy_cut_off(const mpk_request_t *request,
    mpk_decision_t *decision);
mpk_outcome_t mpk_policy_claim(const mpk_request_t *request,
    mpk_decision_t *decision);
mpk_outcome_t mpk_policy_claim_decide(const mpk_request_t *request,
    mpk_decision_t *decision);


#endif /* MPK_POLICY_INT_H */
