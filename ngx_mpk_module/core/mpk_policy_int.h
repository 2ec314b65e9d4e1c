/* The rules behind the table of mpk_policy.c, by subject. */

#ifndef MPK_POLICY_INT_H
#define MPK_POLICY_INT_H

#include "mpk_policy.h"

#define MPK_DAY  86400      /* seconds */


/* Each changes decision->order, a copy with room for one more of each list, or refuses. */

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
mpk_outcome_t mpk_policy_claim_answer(const mpk_request_t *request,
    mpk_decision_t *decision);
mpk_outcome_t mpk_policy_claim_note(const mpk_request_t *request,
    mpk_decision_t *decision);

mpk_outcome_t mpk_policy_withdraw(const mpk_request_t *request,
    mpk_decision_t *decision);
mpk_outcome_t mpk_policy_withdraw_decide(const mpk_request_t *request,
    mpk_decision_t *decision);

mpk_outcome_t mpk_policy_suspend(const mpk_request_t *request,
    mpk_decision_t *decision);
mpk_outcome_t mpk_policy_resume(const mpk_request_t *request,
    mpk_decision_t *decision);

mpk_outcome_t mpk_policy_email_change(const mpk_request_t *request,
    mpk_decision_t *decision);
mpk_outcome_t mpk_policy_email_keep(const mpk_request_t *request,
    mpk_decision_t *decision);

/* Ends a suspension, if there is one; changes order->items. */
void mpk_policy_suspension_end(mpk_order_t *order);

/* Ends the suspension of an order that goes on: its time limits stood still meanwhile. */
void mpk_policy_suspension_over(const mpk_request_t *request,
    mpk_order_t *order);

/* The token's items, and whether they need consent; false: the order has no such item. */
bool mpk_policy_items(const mpk_request_t *request, mpk_decision_t *decision);


#endif /* MPK_POLICY_INT_H */
