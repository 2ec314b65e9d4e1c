/*
 * The shop's rules (R1 to R10), in one table: which event is allowed in which state of an
 * order, what it writes, and which rule refuses it.  Deciding is pure: nothing
 * is read but the arguments, nothing is changed but the result.
 */

#ifndef MPK_POLICY_H
#define MPK_POLICY_H

#include "mpk_order.h"

#define MPK_OPENED_MAX      10      /* journaled GETs of one token */
#define MPK_CHALLENGES_MAX  10      /* wrong challenges on one token until it closes for a while */
#define MPK_CHALLENGES_TIME 900     /* seconds that it is closed */


typedef enum {
    MPK_EVENT_NONE = 0,
    MPK_EVENT_FILED,
    MPK_EVENT_RELEASED,
    MPK_EVENT_CANCELLED,
    MPK_EVENT_LINK_MINTED,
    MPK_EVENT_OPENED,
    MPK_EVENT_VIEWED,
    MPK_EVENT_REPEATED,
    MPK_EVENT_CUT_OFF,
    MPK_EVENT_CLAIM_OPENED,
    MPK_EVENT_CLAIM_NEEDS_INFO,
    MPK_EVENT_CLAIM_REPLACED,
    MPK_EVENT_CLAIM_REFUNDED,
    MPK_EVENT_CLAIM_REJECTED,
    MPK_EVENT_ERASED,
    MPK_EVENT_MAX
} mpk_event_t;

/* As the journal spells it. */
mpk_str_t mpk_event_name(mpk_event_t event);


typedef enum {
    MPK_DONE = 0,        /* allowed: commit the decision */
    MPK_SAME,            /* already so: nothing to write, answer as the first time */
    MPK_ABSENT,          /* no such order */
    MPK_HELD,            /* R1: payment and fraud checks are under way */
    MPK_CANCELLED,       /* R1: stopped before delivery */
    MPK_USED,            /* R3: this token has given its view */
    MPK_TOKEN_EXPIRED,   /* the token has expired */
    MPK_CLOSED,          /* R4: too many wrong challenges, for a while */
    MPK_STALE,           /* R4: the confirmation's nonce is missing, forged or too old */
    MPK_CHALLENGE,       /* R4: the challenge is missing or wrong */
    MPK_CONSENT,         /* consent is missing */
    MPK_DELIVERED,       /* R5: can't be cancelled after delivery */
    MPK_UNSENT,          /* R5: links may be out that were not registered */
    MPK_DIFFERS,         /* R10: sent before with other content */
    MPK_NO_ITEM,         /* names an item that the order does not have */
    MPK_CROWDED,         /* the order remembers MPK_LINKS_MAX live links already */
    MPK_ERASED,          /* its data has been erased */
    MPK_REFUNDED,        /* R7: a key whose price was paid back */
    MPK_UNDELIVERED,     /* R6: nothing to report before delivery */
    MPK_LATE,            /* R6: after the claim window */
    MPK_NOT_BUYER,       /* R6: not the order's email address */
    MPK_WRONG_KEY,       /* R6: not one of the order's product keys */
    MPK_CLAIMED,         /* R6: a claim is open for this item */
    MPK_NO_CLAIM,        /* R7: the order has no such claim */
    MPK_DECIDED,         /* R7: the claim has been decided, otherwise */
    MPK_OUTCOME_MAX
} mpk_outcome_t;

typedef struct {
    mpk_str_t    name;           /* for $mpk_outcome */
    mpk_str_t    rule;           /* "R1"; empty where no rule of the policy refuses */
    mpk_str_t    detail;         /* in words, for the API */
} mpk_outcome_info_t;

const mpk_outcome_info_t *mpk_outcome_info(mpk_outcome_t outcome);


/* What somebody wants to happen. */
typedef struct {
    mpk_event_t          event;
    int64_t              now;
    int64_t              grace;              /* R3, seconds */

    /* FILED: the order as it would be, keys sealed */
    const mpk_order_t   *filing;

    /* CANCELLED */
    mpk_str_t            reason;
    bool                 not_sent;           /* no unregistered link was sent */
    bool                 may_be_unregistered; /* the shop can sign links itself */

    /* LINK_MINTED, OPENED, VIEWED: the token */
    uint8_t              token_id[MPK_ID_LEN];
    int64_t              iat;
    int64_t              exp;
    mpk_channel_t        channel;
    size_t               items_count;        /* 0: all */
    const uint16_t      *items;

    /* VIEWED: the confirmation */
    bool                 renews;             /* on screen: good for a new view after the grace */
    uint8_t              nonce[MPK_ID_LEN];
    bool                 nonce_fresh;
    bool                 challenge_closed;   /* MPK_CHALLENGES_MAX reached */
    bool                 challenge_email;    /* asked for */
    const uint8_t       *email_hash;         /* MPK_MAC_LEN bytes; NULL: none given */
    bool                 consent_asked;
    bool                 consent_given;

    /* CLAIM_OPENED, with token, challenge_closed and email_hash from above */
    int64_t              claim_window;       /* R6, seconds from purchase */
    uint16_t             claim_item;         /* whose key was given; 0: none's */
    mpk_category_t       claim_category;

    /* the other CLAIM_* */
    size_t               claim;              /* its number, from 1 */
    mpk_reason_t         claim_reason;       /* REJECTED */
    mpk_str_t            claim_digest;       /* of the decision's content (R10) */
    mpk_str_t            claim_key;          /* REPLACED: the new key, sealed */

    mpk_str_t            claim_detail;       /* all of them: sealed */
} mpk_request_t;


typedef struct {
    mpk_outcome_t        outcome;
    mpk_event_t          event;              /* DONE: what is journaled */
    mpk_order_t          order;              /* DONE: as it will be; else as it is */
    mpk_link_t          *link;               /* the token's, in order; may be NULL */
    bool                 consent;            /* consent is (or was) needed for this view */
    size_t               items_count;
    uint16_t            *items;              /* that the event is about */
    size_t               claim;              /* number of the claim it is about; 0: none */
} mpk_decision_t;


/*
 * Decides.  The result lives in mem and refers to order and request.  MPK_NOMEM is
 * the only error; a refusal is an outcome.
 */
mpk_status_t mpk_policy_decide(const mpk_mem_t *mem, const mpk_order_t *order,
    const mpk_request_t *request, mpk_decision_t *decision);

/*
 * What the rules would say now to the most favourable request for the event: for a
 * CANCELLED that no unregistered link stands against, a claim for any of the items, a
 * decision of any claim.  request says the event, the time and the claim window.
 */
mpk_status_t mpk_policy_ask(const mpk_mem_t *mem, const mpk_order_t *order,
    const mpk_request_t *request, mpk_outcome_t *outcome);


#endif /* MPK_POLICY_H */
