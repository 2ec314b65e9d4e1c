/*
 * The shop's rules (R1 to R12): which event is allowed in which state of an order, what
 * it changes, and which rule refuses it.  Decisions are pure functions of their
 * arguments.
 */

#ifndef MPK_POLICY_H
#define MPK_POLICY_H

#include "mpk_order.h"
#include "mpk_platform.h"

#define MPK_OPENED_MAX      30      /* journaled GETs of an order in a day */
#define MPK_REPEATS_MAX     20      /* repeats of one view: reloads, and a page sent twice */
#define MPK_DAY_VIEWS_MAX   1000    /* of an order: each of 500 items, and each again */

/* Entries of an order's journal, which is read as a whole; erasing always works. */
#define MPK_ENTRIES_MAX     4000
#define MPK_ENTRIES_CUSTOMER_MAX  3500    /* the rest is left to the shop and its support */

#define MPK_CHALLENGES_MAX  10      /* wrong challenges that close a token for a while */
#define MPK_CHALLENGES_TIME 900     /* seconds for which it is closed */


/* Stored in journal entries: add at the end, and never change a value. */
typedef enum {
    MPK_EVENT_NONE = 0,
    MPK_EVENT_FILED,
    MPK_EVENT_RELEASED,
    MPK_EVENT_CANCELLED,
    MPK_EVENT_LINK_MINTED,
    MPK_EVENT_LINK_REVOKED,
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
    MPK_EVENT_IMPORTED,
    MPK_EVENT_SUSPENDED,
    MPK_EVENT_RESUMED,
    MPK_EVENT_EMAIL_CHANGED,
    MPK_EVENT_EMAIL_KEPT,        /* a change was stopped before it held */
    MPK_EVENT_CLAIM_ANSWERED,
    MPK_EVENT_CLAIM_FILES,
    MPK_EVENT_CLAIM_NOTE,
    MPK_EVENT_WITHDRAWAL_STATED,     /* and nothing was granted at once */
    MPK_EVENT_WITHDRAWN,             /* granted at once, or accepted by support */
    MPK_EVENT_WITHDRAWAL_REJECTED,
    MPK_EVENT_MAX
} mpk_event_t;

/* Its name in the journal. */
mpk_str_t mpk_event_name(mpk_event_t event);


typedef enum {
    MPK_DONE = 0,        /* allowed: commit the decision */
    MPK_SAME,            /* R10: done before with the same content: answer as then */
    MPK_ABSENT,          /* no such order */
    MPK_HELD,            /* R1: payment and fraud checks are under way */
    MPK_CANCELLED,       /* R1: stopped before delivery */
    MPK_USED,            /* R3: the token's one view has taken place */
    MPK_TOKEN_EXPIRED,   /* R3 */
    MPK_REVOKED,         /* the shop has revoked the link */
    MPK_NO_LINK,         /* the order has no such link */
    MPK_CLOSED,          /* R4: too many wrong challenges; closed for a while */
    MPK_STALE,           /* R4: the confirmation's nonce is missing, forged or too old */
    MPK_CHALLENGE,       /* R4: the challenge is missing or wrong */
    MPK_CONSENT,         /* consent is missing */
    MPK_DELIVERED,       /* R5: can't be cancelled after delivery */
    MPK_UNSENT,          /* R5: unregistered links may have been sent */
    MPK_DIFFERS,         /* R10: done before with other content */
    MPK_NO_ITEM,         /* the order has no such item */
    MPK_CROWDED,         /* MPK_CLAIMS_MAX is reached */
    MPK_EXHAUSTED,       /* as often as a view, a day or an order permits */
    MPK_ERASED,          /* the order's data was erased */
    MPK_REFUNDED,        /* R7: the key was refunded */
    MPK_UNDELIVERED,     /* R6: no claims before delivery */
    MPK_LATE,            /* R6: after the claim window */
    MPK_NOT_BUYER,       /* R6: not the order's email address */
    MPK_WRONG_KEY,       /* R6: not one of the order's product keys */
    MPK_CLAIMED,         /* R6: a claim is open for this item */
    MPK_NO_CLAIM,        /* R7: the order has no such claim */
    MPK_DECIDED,         /* R7: the claim was decided with another result */
    MPK_SUSPENDED,       /* R11: the order, or one of the items, is on hold */
    MPK_NOT_SUSPENDED,   /* R11: there is nothing to resume */
    MPK_WITHHELD,        /* viewed under an address that holds no more */
    MPK_FINDING,         /* R7: no replacement and no refund without a finding */
    MPK_WITHDRAWN,       /* R12: the order, or all of these items, are withdrawn */
    MPK_NO_WITHDRAWAL,   /* R12: the order has no such withdrawal */
    MPK_OUTCOME_MAX
} mpk_outcome_t;

typedef struct {
    mpk_str_t    name;           /* in $mpk_outcome, counters, problem types */
    mpk_str_t    rule;           /* "R1"; empty: it is not a rule that refuses */
    mpk_str_t    detail;         /* text for the API */
} mpk_outcome_info_t;

const mpk_outcome_info_t *mpk_outcome_info(mpk_outcome_t outcome);

/* Whether it is a wrong challenge, of which MPK_CHALLENGES_MAX are answered (R4). */
bool mpk_outcome_wrong(mpk_outcome_t outcome);


/*
 * Which of the consents that are asked for, as bits, a view of this item of the order needs:
 * none that was given at the checkout.
 */
unsigned mpk_policy_consent(const mpk_order_t *order, const mpk_item_t *item,
    unsigned asked);

/* Whether one of these items was not viewed yet and is for another desktop platform. */
bool mpk_policy_warns(const mpk_order_t *order, const uint16_t *items, size_t count,
    mpk_platform_t desktop);


/* The event that is requested. */
typedef struct {
    mpk_event_t          event;
    int64_t              now;
    int64_t              earliest;           /* links that expired before this are forgotten */
    int64_t              grace;              /* R3, seconds */

    /* FILED, IMPORTED: the new order, with sealed keys; else NULL */
    const mpk_order_t   *filing;

    /* CANCELLED */
    mpk_str_t            reason;
    bool                 not_sent;           /* the shop sent no unregistered link */
    bool                 may_be_unregistered; /* the keyring has link keys */

    /* LINK_MINTED, LINK_REVOKED (its id), OPENED, VIEWED: the token */
    uint8_t              token_id[MPK_ID_LEN];
    int64_t              iat;
    int64_t              exp;
    mpk_channel_t        channel;
    size_t               items_count;        /* 0: all */
    const uint16_t      *items;

    /* VIEWED: the confirmation */
    bool                 renews;             /* on screen: a new view after the grace */
    uint8_t              nonce[MPK_ID_LEN];
    bool                 nonce_fresh;
    bool                 challenge_closed;   /* MPK_CHALLENGES_MAX reached */
    bool                 challenge_email;    /* the email address is required */
    const uint8_t       *email_hash;         /* MPK_MAC_LEN bytes; NULL: none given */
    unsigned             consent_asked;      /* MPK_CONSENT_... */
    unsigned             consent_given;
    mpk_platform_t       desktop;            /* the browser's, if its page says that it warned */

    /* SUSPENDED, RESUMED; also items of SUSPENDED */
    mpk_suspension_t     suspension;
    const uint8_t       *suspend_digest;     /* MPK_MAC_LEN bytes: of the call's content (R10) */

    /* EMAIL_CHANGED, with email_hash; EMAIL_KEPT: email_hash alone, of the buyer */
    mpk_str_t            email;              /* sealed: see mpk_correction_seal() */
    int64_t              email_hold;         /* seconds until it holds; 0: at once */
    bool                 show_viewed;

    /* CLAIM_OPENED; also token_id, challenge_closed and email_hash */
    int64_t              claim_window;       /* R6, seconds: see mpk_policy_claim_until() */
    uint16_t             claim_item;         /* the item whose key was given; 0: no item's */
    mpk_category_t       claim_category;
    int64_t              claim_received;     /* by support, who had the report then; 0: by the customer */
    bool                 claim_exception;    /* by support: there is a reason to take a late one */

    /* the other CLAIM_* */
    size_t               claim;              /* its number, from 1 */
    mpk_reason_t         claim_reason;       /* REJECTED */
    mpk_finding_t        claim_finding;      /* REPLACED, REFUNDED, REJECTED */
    mpk_str_t            claim_digest;       /* of the content of a decision, answer or note (R10) */
    mpk_str_t            claim_key;          /* REPLACED: the new key, sealed */

    mpk_str_t            claim_detail;       /* CLAIM_*: sealed */

    /* WITHDRAWAL_STATED; also items, token_id (its id), challenge_email and email_hash */
    int64_t              withdrawal_days;    /* R12, after the day of purchase */
    int64_t              stated_at;          /* when an edge, or the shop, first received it */
    mpk_medium_t         medium;
    bool                 withdrawal_refuse;  /* mpk_withdraw_refuse */
    int64_t              consented_at;       /* to both, as filed; 0: not */
    int64_t              confirmed_at;       /* of these, on a durable medium; 0: not */

    /* WITHDRAWN, WITHDRAWAL_REJECTED */
    size_t               withdrawal;         /* its number, from 1 */
    mpk_str_t            withdrawal_digest;  /* of the decision's content (R10) */

    mpk_str_t            withdrawal_detail;  /* sealed */
} mpk_request_t;


typedef struct {
    mpk_outcome_t        outcome;
    mpk_event_t          event;              /* DONE: to be journaled */
    mpk_order_t          order;              /* DONE: as changed; else as given */
    mpk_link_t          *link;               /* the token's, in order.links; may be NULL */
    unsigned             consent;            /* MPK_CONSENT_... that this view needs (or needed) */
    size_t               items_count;
    uint16_t            *items;              /* the event is about these */
    size_t               left_count;
    uint16_t            *left;               /* WITHDRAWN: these were stated, too, and are open */
    size_t               claim;              /* number of the claim; 0: none */
    size_t               correction;         /* EMAIL_CHANGED, EMAIL_KEPT: its number; 0: none */
    size_t               withdrawal;         /* number of the withdrawal; 0: none */
    int64_t              retry_at;           /* EXHAUSTED: until then; 0: for good */
} mpk_decision_t;


/*
 * Decides a request.  The decision is in mem and refers to order and request.  The only
 * error is MPK_NOMEM; a refusal is an outcome.
 *
 * Tokens and the claim window are judged by request->now.  An event's own time, in
 * decision->order.at, is never before that of the order's last event: clocks that several
 * servers had can differ.
 */
mpk_status_t mpk_policy_decide(mpk_mem_t *mem, const mpk_order_t *order,
    const mpk_request_t *request, mpk_decision_t *decision);

/*
 * Decides the most favourable request for an event, to tell whether the event is possible
 * now: CANCELLED with not_sent set, CLAIM_OPENED for any item, a decision for any claim.
 * Only event, now and claim_window of request are used.
 */
mpk_status_t mpk_policy_ask(mpk_mem_t *mem, const mpk_order_t *order,
    const mpk_request_t *request, mpk_outcome_t *outcome);

/*
 * Until when the key of an item can be reported (R6): "window" seconds from the latest of
 * purchase, release, the end of a suspension and this item's replacement.  Item 0: until
 * when that of any item can.  All times are seconds.
 */
int64_t mpk_policy_claim_until(const mpk_order_t *order, size_t item,
    int64_t window, int64_t now);

/*
 * Whether the key of an item of a ready order can be reported now by its buyer (R6): DONE,
 * UNDELIVERED, SUSPENDED, LATE, REFUNDED, WITHDRAWN, CLAIMED or CROWDED; WRONG_KEY for item 0.
 */
mpk_outcome_t mpk_policy_claimable(const mpk_order_t *order, size_t item,
    int64_t window, int64_t now);

/*
 * Why an item would not be granted back now (R12), to one who withdraws at this time; NONE: it
 * would be.  Of an item that is withdrawn or refunded: VIEWED.
 */
mpk_why_t mpk_policy_withdraw_why(const mpk_order_t *order, const mpk_item_t *item,
    int64_t days, int64_t stated_at);


#endif /* MPK_POLICY_H */
