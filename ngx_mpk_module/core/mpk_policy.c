/* The table of the shop's rules, and the decision by it. */

#include "mpk_policy_int.h"


/* For events that the table allows: changes decision->order, or refuses. */
typedef mpk_outcome_t (*mpk_policy_pt)(const mpk_request_t *request,
    mpk_decision_t *decision);

/* Arrays of an order that an event may change: decisions have copies of them. */
#define MPK_POLICY_ITEMS   1
#define MPK_POLICY_LINKS   2
#define MPK_POLICY_CLAIMS  4
#define MPK_POLICY_EMAILS  8
#define MPK_POLICY_WITHDRAWALS  16

typedef struct {
    mpk_outcome_t    in[MPK_ORDER_STATE_MAX];
    mpk_policy_pt    apply;
    unsigned         changes;
} mpk_policy_t;


static mpk_outcome_t mpk_policy_file(const mpk_request_t *request,
    mpk_decision_t *decision);
static mpk_outcome_t mpk_policy_release(const mpk_request_t *request,
    mpk_decision_t *decision);
static mpk_outcome_t mpk_policy_cancel(const mpk_request_t *request,
    mpk_decision_t *decision);
static mpk_outcome_t mpk_policy_erase(const mpk_request_t *request,
    mpk_decision_t *decision);
static mpk_status_t mpk_policy_copy(mpk_mem_t *mem, const mpk_policy_t *policy,
    const mpk_request_t *request, mpk_decision_t *decision);
static void mpk_policy_apply(const mpk_policy_t *policy,
    const mpk_order_t *order, const mpk_request_t *request,
    mpk_decision_t *decision);
static void mpk_policy_time(const mpk_request_t *request, mpk_order_t *order);
static mpk_outcome_t mpk_policy_entries(const mpk_order_t *order,
    const mpk_decision_t *decision);


/* event: absent, held, ready, cancelled, erased, withdrawn */

static const mpk_policy_t  mpk_policies[] = {

    /* no event: the order is only read */

    [MPK_EVENT_NONE] =
        { { MPK_ABSENT, MPK_SAME, MPK_SAME, MPK_SAME, MPK_SAME, MPK_SAME }, NULL, 0 },

    [MPK_EVENT_FILED] =
        { { MPK_DONE, MPK_DONE, MPK_DONE, MPK_DONE, MPK_ERASED, MPK_DONE },
          mpk_policy_file, MPK_POLICY_ITEMS },

    [MPK_EVENT_RELEASED] =
        { { MPK_ABSENT, MPK_DONE, MPK_SAME, MPK_CANCELLED,
            MPK_ERASED, MPK_WITHDRAWN },
          mpk_policy_release, 0 },

    [MPK_EVENT_CANCELLED] =
        { { MPK_ABSENT, MPK_DONE, MPK_DONE, MPK_DONE,
            MPK_ERASED, MPK_WITHDRAWN },
          mpk_policy_cancel, MPK_POLICY_ITEMS },

    [MPK_EVENT_LINK_MINTED] =
        { { MPK_ABSENT, MPK_HELD, MPK_DONE, MPK_CANCELLED,
            MPK_ERASED, MPK_WITHDRAWN },
          mpk_policy_mint, MPK_POLICY_LINKS },

    [MPK_EVENT_LINK_REVOKED] =
        { { MPK_ABSENT, MPK_NO_LINK, MPK_DONE, MPK_DONE, MPK_ERASED, MPK_DONE },
          mpk_policy_revoke, MPK_POLICY_LINKS },

    [MPK_EVENT_OPENED] =
        { { MPK_ABSENT, MPK_HELD, MPK_DONE, MPK_CANCELLED,
            MPK_ERASED, MPK_WITHDRAWN },
          mpk_policy_open, 0 },

    [MPK_EVENT_VIEWED] =
        { { MPK_ABSENT, MPK_HELD, MPK_DONE, MPK_CANCELLED,
            MPK_ERASED, MPK_WITHDRAWN },
          mpk_policy_view, MPK_POLICY_ITEMS|MPK_POLICY_LINKS },

    [MPK_EVENT_CUT_OFF] =
        { { MPK_ABSENT, MPK_DONE, MPK_DONE, MPK_DONE, MPK_ERASED, MPK_DONE },
          mpk_policy_cut_off, 0 },

    [MPK_EVENT_CLAIM_OPENED] =
        { { MPK_ABSENT, MPK_UNDELIVERED, MPK_DONE, MPK_CANCELLED,
            MPK_ERASED, MPK_WITHDRAWN },
          mpk_policy_claim, MPK_POLICY_CLAIMS },

    /* only orders that were ready have claims; those of a withdrawn order can still be closed */

    [MPK_EVENT_CLAIM_NEEDS_INFO] =
        { { MPK_ABSENT, MPK_NO_CLAIM, MPK_DONE, MPK_NO_CLAIM,
            MPK_ERASED, MPK_WITHDRAWN },
          mpk_policy_claim_decide, MPK_POLICY_ITEMS|MPK_POLICY_CLAIMS },

    [MPK_EVENT_CLAIM_REPLACED] =
        { { MPK_ABSENT, MPK_NO_CLAIM, MPK_DONE, MPK_NO_CLAIM,
            MPK_ERASED, MPK_WITHDRAWN },
          mpk_policy_claim_decide, MPK_POLICY_ITEMS|MPK_POLICY_CLAIMS },

    [MPK_EVENT_CLAIM_REFUNDED] =
        { { MPK_ABSENT, MPK_NO_CLAIM, MPK_DONE, MPK_NO_CLAIM,
            MPK_ERASED, MPK_WITHDRAWN },
          mpk_policy_claim_decide, MPK_POLICY_ITEMS|MPK_POLICY_CLAIMS },

    [MPK_EVENT_CLAIM_REJECTED] =
        { { MPK_ABSENT, MPK_NO_CLAIM, MPK_DONE, MPK_NO_CLAIM,
            MPK_ERASED, MPK_DONE },
          mpk_policy_claim_decide, MPK_POLICY_ITEMS|MPK_POLICY_CLAIMS },

    [MPK_EVENT_ERASED] =
        { { MPK_ABSENT, MPK_DONE, MPK_DONE, MPK_DONE, MPK_SAME, MPK_DONE },
          mpk_policy_erase, 0 },

    /* filed, from the shop's past */

    [MPK_EVENT_IMPORTED] =
        { { MPK_DONE, MPK_DONE, MPK_DONE, MPK_DONE, MPK_ERASED, MPK_DONE },
          mpk_policy_file, MPK_POLICY_ITEMS },

    [MPK_EVENT_SUSPENDED] =
        { { MPK_ABSENT, MPK_HELD, MPK_DONE, MPK_CANCELLED,
            MPK_ERASED, MPK_WITHDRAWN },
          mpk_policy_suspend, MPK_POLICY_ITEMS },

    [MPK_EVENT_RESUMED] =
        { { MPK_ABSENT, MPK_NOT_SUSPENDED, MPK_DONE, MPK_CANCELLED,
            MPK_ERASED, MPK_WITHDRAWN },
          mpk_policy_resume, MPK_POLICY_ITEMS },

    /* a cancelled order shows nothing, and nothing is sent for it any more */

    [MPK_EVENT_EMAIL_CHANGED] =
        { { MPK_ABSENT, MPK_DONE, MPK_DONE, MPK_CANCELLED,
            MPK_ERASED, MPK_WITHDRAWN },
          mpk_policy_email_change, MPK_POLICY_LINKS|MPK_POLICY_EMAILS },

    [MPK_EVENT_EMAIL_KEPT] =
        { { MPK_ABSENT, MPK_DONE, MPK_DONE, MPK_DONE, MPK_ERASED, MPK_DONE },
          mpk_policy_email_keep, MPK_POLICY_EMAILS },

    [MPK_EVENT_CLAIM_ANSWERED] =
        { { MPK_ABSENT, MPK_NO_CLAIM, MPK_DONE, MPK_NO_CLAIM,
            MPK_ERASED, MPK_WITHDRAWN },
          mpk_policy_claim_answer, MPK_POLICY_CLAIMS },

    [MPK_EVENT_CLAIM_FILES] =
        { { MPK_ABSENT, MPK_NO_CLAIM, MPK_DONE, MPK_NO_CLAIM,
            MPK_ERASED, MPK_WITHDRAWN },
          mpk_policy_claim_answer, MPK_POLICY_CLAIMS },

    [MPK_EVENT_CLAIM_NOTE] =
        { { MPK_ABSENT, MPK_NO_CLAIM, MPK_DONE, MPK_NO_CLAIM,
            MPK_ERASED, MPK_DONE },
          mpk_policy_claim_note, MPK_POLICY_CLAIMS },

    /* what is not granted at once goes to support, also for a cancelled order */

    [MPK_EVENT_WITHDRAWAL_STATED] =
        { { MPK_ABSENT, MPK_DONE, MPK_DONE, MPK_DONE, MPK_ERASED, MPK_DONE },
          mpk_policy_withdraw, MPK_POLICY_ITEMS|MPK_POLICY_WITHDRAWALS },

    [MPK_EVENT_WITHDRAWN] =
        { { MPK_ABSENT, MPK_DONE, MPK_DONE, MPK_DONE, MPK_ERASED, MPK_DONE },
          mpk_policy_withdraw_decide, MPK_POLICY_ITEMS|MPK_POLICY_WITHDRAWALS },

    [MPK_EVENT_WITHDRAWAL_REJECTED] =
        { { MPK_ABSENT, MPK_DONE, MPK_DONE, MPK_DONE, MPK_ERASED, MPK_DONE },
          mpk_policy_withdraw_decide, MPK_POLICY_WITHDRAWALS },
};

mpk_assert_rows(mpk_policies, MPK_EVENT_MAX);

_Static_assert(MPK_ORDER_STATE_MAX == 6, "mpk_policies needs another column");


mpk_status_t
mpk_policy_decide(mpk_mem_t *mem, const mpk_order_t *order,
    const mpk_request_t *request, mpk_decision_t *decision)
{
    mpk_status_t         status;
    const mpk_policy_t  *policy;

    policy = &mpk_policies[request->event];

    memset(decision, 0, sizeof(mpk_decision_t));

    decision->event = request->event;
    decision->order = *order;
    decision->outcome = policy->in[order->state];

    if (decision->outcome != MPK_DONE) {
        return MPK_OK;
    }

    status = mpk_policy_copy(mem, policy, request, decision);
    if (status != MPK_OK) {
        return status;
    }

    mpk_policy_apply(policy, order, request, decision);

    return MPK_OK;
}


/* Copies the arrays that the event may change, with room for one more of each but items. */

static mpk_status_t
mpk_policy_copy(mpk_mem_t *mem, const mpk_policy_t *policy,
    const mpk_request_t *request, mpk_decision_t *decision)
{
    size_t             n;
    mpk_item_t        *items;
    mpk_link_t        *links;
    mpk_claim_t       *claims;
    mpk_order_t       *order;
    mpk_correction_t  *corrections;
    mpk_withdrawal_t  *withdrawals;

    order = &decision->order;
    n = order->items_count;

    if (request->filing && request->filing->items_count > n) {
        n = request->filing->items_count;
    }

    decision->items = mpk_alloc(mem, n * sizeof(uint16_t) + 1);
    if (decision->items == NULL) {
        return MPK_NOMEM;
    }

    if (policy->changes & MPK_POLICY_ITEMS) {
        items = mpk_alloc(mem, n * sizeof(mpk_item_t) + 1);
        if (items == NULL) {
            return MPK_NOMEM;
        }

        if (order->items_count) {
            memcpy(items, order->items, order->items_count * sizeof(mpk_item_t));
        }

        order->items = items;
    }

    if (policy->changes & MPK_POLICY_LINKS) {
        links = mpk_alloc(mem, (order->links_count + 1) * sizeof(mpk_link_t));
        if (links == NULL) {
            return MPK_NOMEM;
        }

        if (order->links_count) {
            memcpy(links, order->links, order->links_count * sizeof(mpk_link_t));
        }

        order->links = links;
    }

    if (policy->changes & MPK_POLICY_CLAIMS) {
        claims = mpk_alloc(mem, (order->claims_count + 1) * sizeof(mpk_claim_t));
        if (claims == NULL) {
            return MPK_NOMEM;
        }

        if (order->claims_count) {
            memcpy(claims, order->claims,
                   order->claims_count * sizeof(mpk_claim_t));
        }

        order->claims = claims;
    }

    if (policy->changes & MPK_POLICY_EMAILS) {
        corrections = mpk_alloc(mem, (order->corrections_count + 1)
                                     * sizeof(mpk_correction_t));
        if (corrections == NULL) {
            return MPK_NOMEM;
        }

        if (order->corrections_count) {
            memcpy(corrections, order->corrections,
                   order->corrections_count * sizeof(mpk_correction_t));
        }

        order->corrections = corrections;
    }

    if (policy->changes & MPK_POLICY_WITHDRAWALS) {
        withdrawals = mpk_alloc(mem, (order->withdrawals_count + 1)
                                     * sizeof(mpk_withdrawal_t));
        decision->left = mpk_alloc(mem, n * sizeof(uint16_t) + 1);

        if (withdrawals == NULL || decision->left == NULL) {
            return MPK_NOMEM;
        }

        if (order->withdrawals_count) {
            memcpy(withdrawals, order->withdrawals,
                   order->withdrawals_count * sizeof(mpk_withdrawal_t));
        }

        order->withdrawals = withdrawals;
    }

    return MPK_OK;
}


static void
mpk_policy_apply(const mpk_policy_t *policy, const mpk_order_t *order,
    const mpk_request_t *request, mpk_decision_t *decision)
{
    mpk_policy_time(request, &decision->order);

    decision->outcome = policy->apply(request, decision);

    if (decision->outcome == MPK_DONE) {
        decision->outcome = mpk_policy_entries(order, decision);
    }

    if (decision->outcome == MPK_DONE) {
        decision->order.revision = order->revision + 1;
    }
}


/* Advances the order's time; another day has counters of its own. */

static void
mpk_policy_time(const mpk_request_t *request, mpk_order_t *order)
{
    uint64_t  day;

    if (request->now > order->at) {
        order->at = request->now;
    }

    /* by the clock as it is: an order's time can be ahead for long */

    day = (uint64_t) (request->now / MPK_DAY);

    if (day != order->day) {
        order->day = day;
        order->day_views = 0;
        order->day_opened = 0;
    }
}


/* Bounds the journal; entries that no customer waits for are the first to be left out. */

static mpk_outcome_t
mpk_policy_entries(const mpk_order_t *order, const mpk_decision_t *decision)
{
    bool  customer;

    customer = true;

    switch (decision->event) {

    case MPK_EVENT_ERASED:
        return MPK_DONE;

    case MPK_EVENT_OPENED:
    case MPK_EVENT_CUT_OFF:
    case MPK_EVENT_CLAIM_FILES:
        return order->revision < MPK_ENTRIES_CUSTOMER_MAX ? MPK_DONE
                                                          : MPK_SAME;

    case MPK_EVENT_VIEWED:
    case MPK_EVENT_REPEATED:
    case MPK_EVENT_CLAIM_ANSWERED:
        break;

    case MPK_EVENT_CLAIM_OPENED:
        customer = decision->order.claims[decision->claim - 1].received_at == 0;
        break;

    default:
        customer = false;
    }

    return order->revision < (customer ? MPK_ENTRIES_CUSTOMER_MAX
                                       : MPK_ENTRIES_MAX)
           ? MPK_DONE : MPK_EXHAUSTED;
}


/* R10 */

static mpk_outcome_t
mpk_policy_file(const mpk_request_t *request, mpk_decision_t *decision)
{
    uint16_t            i;
    int64_t             at;
    uint64_t            revision;
    mpk_item_t         *items;
    mpk_link_t         *links;
    mpk_order_t        *order;
    const mpk_order_t  *filing;

    order = &decision->order;
    filing = request->filing;

    if (order->state != MPK_ORDER_ABSENT) {
        return mpk_secret_eq(order->digest, filing->digest) ? MPK_SAME
                                                            : MPK_DIFFERS;
    }

    items = order->items;
    links = order->links;
    revision = order->revision;
    at = order->at;

    *order = *filing;

    order->items = items;
    order->links = links;
    order->links_count = 0;
    order->revision = revision;
    order->at = at;
    order->filed_at = at;

    /* what was delivered before it was filed was ready by then */

    if (order->state == MPK_ORDER_READY) {
        order->released_at = order->delivered_at ? order->delivered_at : at;
    }

    for (i = 0; i < order->items_count; i++) {
        items[i] = filing->items[i];
        items[i].state = order->first_viewed_at ? MPK_ITEM_VIEWED
                                                : MPK_ITEM_NEW;
        items[i].generation = 1;
        items[i].since = revision + 1;
        items[i].viewed_at = order->first_viewed_at;

        decision->items[i] = (uint16_t) (i + 1);
    }

    decision->items_count = order->items_count;

    return MPK_DONE;
}


static mpk_outcome_t
mpk_policy_release(const mpk_request_t *request, mpk_decision_t *decision)
{
    (void) request;

    decision->order.state = MPK_ORDER_READY;
    decision->order.released_at = decision->order.at;

    return MPK_DONE;
}


/* R5 */

static mpk_outcome_t
mpk_policy_cancel(const mpk_request_t *request, mpk_decision_t *decision)
{
    mpk_order_t  *order;

    order = &decision->order;

    if (order->state == MPK_ORDER_CANCELLED) {
        return mpk_str_eq(order->cancel_reason, request->reason)
               ? MPK_SAME : MPK_DIFFERS;
    }

    if (order->delivered_at) {
        return MPK_DELIVERED;
    }

    if (request->may_be_unregistered && !request->not_sent) {
        return MPK_UNSENT;
    }

    mpk_policy_suspension_end(order);

    order->state = MPK_ORDER_CANCELLED;
    order->cancelled_at = order->at;
    order->cancel_reason = request->reason;

    return MPK_DONE;
}


/* The tombstone keeps the state and the times of events. */

static mpk_outcome_t
mpk_policy_erase(const mpk_request_t *request, mpk_decision_t *decision)
{
    mpk_order_t   *order, tombstone;

    (void) request;

    order = &decision->order;

    memset(&tombstone, 0, sizeof(mpk_order_t));

    tombstone.id = order->id;
    tombstone.state = MPK_ORDER_ERASED;
    tombstone.imported = order->imported;
    tombstone.filed_at = order->filed_at;
    tombstone.released_at = order->released_at;
    tombstone.cancelled_at = order->cancelled_at;
    tombstone.withdrawn_at = order->withdrawn_at;
    tombstone.cancel_reason = order->cancel_reason;
    tombstone.delivered_at = order->delivered_at;
    tombstone.delivered_by = order->delivered_by;
    tombstone.first_viewed_at = order->first_viewed_at;
    tombstone.views = order->views;
    tombstone.at = order->at;
    tombstone.erased_at = order->at;
    tombstone.gone = order->revision;
    memcpy(tombstone.gone_mac, order->mac, MPK_MAC_LEN);

    /* field f is deleted, but this commit still sets the expiry by it */

    tombstone.purchased_at = order->purchased_at;

    *order = tombstone;

    return MPK_DONE;
}


mpk_status_t
mpk_policy_ask(mpk_mem_t *mem, const mpk_order_t *order,
    const mpk_request_t *request, mpk_outcome_t *outcome)
{
    size_t               i, n;
    mpk_order_t          scratch;
    mpk_status_t         status;
    mpk_request_t        ask;
    mpk_decision_t       decision;
    const mpk_policy_t  *policy;

    policy = &mpk_policies[request->event];

    memset(&decision, 0, sizeof(mpk_decision_t));

    decision.event = request->event;
    decision.order = *order;

    *outcome = policy->in[order->state];

    if (*outcome != MPK_DONE) {
        return MPK_OK;
    }

    /* one copy is enough: what is refused changes nothing in the arrays */

    status = mpk_policy_copy(mem, policy, request, &decision);
    if (status != MPK_OK) {
        return status;
    }

    scratch = decision.order;

    ask = *request;
    ask.not_sent = true;
    ask.reason = order->cancel_reason;
    ask.email_hash = mpk_order_email(order, request->now).data;
    ask.claim_finding = MPK_FINDING_DEFECTIVE;

    n = request->event == MPK_EVENT_CANCELLED ? 1
        : request->event == MPK_EVENT_CLAIM_OPENED ? order->items_count
        : order->claims_count;

    for (i = 0; i == 0 || i < n; i++) {
        ask.claim_item = i < order->items_count ? (uint16_t) (i + 1) : 0;
        ask.claim = i + 1;

        decision.order = scratch;

        mpk_policy_apply(policy, order, &ask, &decision);

        if (i == 0 || decision.outcome == MPK_DONE) {
            *outcome = decision.outcome;
        }

        if (decision.outcome == MPK_DONE) {
            break;
        }
    }

    return MPK_OK;
}
