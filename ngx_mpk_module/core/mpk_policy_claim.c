/* Claims: what a customer may report (R6), and support's one decision (R7). */

#include "mpk_policy_int.h"


static mpk_outcome_t mpk_policy_claim_check(const mpk_order_t *order,
    size_t item, int64_t window, int64_t now, int64_t at);
static size_t mpk_policy_claim_open(const mpk_order_t *order, size_t item);
static mpk_claim_t *mpk_policy_claim_find(const mpk_request_t *request,
    mpk_decision_t *decision);
static void mpk_policy_claim_set(mpk_decision_t *decision, size_t number);


/* R6 */

mpk_outcome_t
mpk_policy_claim(const mpk_request_t *request, mpk_decision_t *decision)
{
    size_t          i;
    int64_t         at;
    mpk_claim_t    *claim;
    mpk_order_t    *order;
    mpk_outcome_t   outcome;

    order = &decision->order;

    if (request->claim_received) {

        if (request->claim_item == 0
            || request->claim_item > order->items_count)
        {
            return MPK_NO_ITEM;
        }

    } else {

        if (request->challenge_closed) {
            return MPK_CLOSED;
        }

        if (request->email_hash == NULL
            || !mpk_secret_eq(mpk_order_email(order, request->now),
                              (mpk_str_t) { MPK_MAC_LEN, request->email_hash }))
        {
            return MPK_NOT_BUYER;
        }
    }

    /* the same form, or support's call, sent again */

    for (i = 0; i < order->claims_count; i++) {
        claim = &order->claims[i];

        if (claim->item == request->claim_item
            && (mpk_claim_undecided(claim) || request->claim_received)
            && memcmp(claim->token_id, request->token_id, MPK_CLAIM_ID_LEN)
               == 0)
        {
            mpk_policy_claim_set(decision, i + 1);
            return MPK_SAME;
        }
    }

    /* a report that support received is judged by the time of receipt */

    at = request->claim_exception ? 0
         : request->claim_received ? request->claim_received : request->now;

    if (request->claim_received && request->claim_received < order->delivered_at)
    {
        return MPK_UNDELIVERED;
    }

    outcome = mpk_policy_claim_check(order, request->claim_item,
                                     request->claim_window, request->now, at);
    if (outcome == MPK_CLAIMED) {
        mpk_policy_claim_set(decision,
                             mpk_policy_claim_open(order, request->claim_item));
    }

    if (outcome != MPK_DONE) {
        return outcome;
    }

    claim = &order->claims[order->claims_count++];

    memset(claim, 0, sizeof(mpk_claim_t));
    memcpy(claim->token_id, request->token_id, MPK_CLAIM_ID_LEN);

    claim->item = request->claim_item;
    claim->generation = order->items[claim->item - 1].generation;
    claim->state = MPK_CLAIM_OPEN;
    claim->category = request->claim_category;
    claim->opened_at = order->at;
    claim->received_at = request->claim_received;
    claim->detail = request->claim_detail;

    mpk_policy_claim_set(decision, order->claims_count);

    return MPK_DONE;
}


mpk_outcome_t
mpk_policy_claimable(const mpk_order_t *order, size_t item, int64_t window,
    int64_t now)
{
    return mpk_policy_claim_check(order, item, window, now, now);
}


/* at: when the report was received; 0: skip the check of the window. */

static mpk_outcome_t
mpk_policy_claim_check(const mpk_order_t *order, size_t item, int64_t window,
    int64_t now, int64_t at)
{
    if (order->delivered_at == 0) {
        return MPK_UNDELIVERED;
    }

    if (item && order->items[item - 1].suspended) {
        return MPK_SUSPENDED;
    }

    if (at > mpk_policy_claim_until(order, item, window, now)) {
        return MPK_LATE;
    }

    if (item == 0) {
        return MPK_WRONG_KEY;
    }

    if (order->items[item - 1].state == MPK_ITEM_REFUNDED) {
        return MPK_REFUNDED;
    }

    if (order->items[item - 1].state == MPK_ITEM_WITHDRAWN) {
        return MPK_WITHDRAWN;
    }

    if (mpk_policy_claim_open(order, item)) {
        return MPK_CLAIMED;
    }

    return order->claims_count < MPK_CLAIMS_MAX ? MPK_DONE : MPK_CROWDED;
}


/* The number of the item's claim that is not decided yet; 0: there is none. */

static size_t
mpk_policy_claim_open(const mpk_order_t *order, size_t item)
{
    size_t  i;

    for (i = 0; i < order->claims_count; i++) {
        if (order->claims[i].item == item
            && mpk_claim_undecided(&order->claims[i]))
        {
            return i + 1;
        }
    }

    return 0;
}


/* R7, R10 */

mpk_outcome_t
mpk_policy_claim_decide(const mpk_request_t *request,
    mpk_decision_t *decision)
{
    mpk_item_t         *item;
    mpk_claim_t        *claim;
    mpk_order_t        *order;
    mpk_claim_state_t   state;

    static const mpk_claim_state_t  states[MPK_EVENT_MAX] = {
        [MPK_EVENT_CLAIM_NEEDS_INFO] = MPK_CLAIM_NEEDS_INFO,
        [MPK_EVENT_CLAIM_REPLACED] = MPK_CLAIM_REPLACED,
        [MPK_EVENT_CLAIM_REFUNDED] = MPK_CLAIM_REFUNDED,
        [MPK_EVENT_CLAIM_REJECTED] = MPK_CLAIM_REJECTED,
    };

    order = &decision->order;

    claim = mpk_policy_claim_find(request, decision);
    if (claim == NULL) {
        return MPK_NO_CLAIM;
    }

    item = &order->items[claim->item - 1];
    state = states[request->event];

    if (claim->state == state
        && mpk_secret_eq(claim->digest, request->claim_digest))
    {
        return MPK_SAME;
    }

    if (!mpk_claim_undecided(claim)) {
        return MPK_DECIDED;
    }

    /* a withdrawn item is repaid already: its claim can only be rejected (R12) */

    if (item->state == MPK_ITEM_WITHDRAWN && state != MPK_CLAIM_REJECTED) {
        return MPK_WITHDRAWN;
    }

    if (request->claim_finding == MPK_FINDING_NONE
        && (state == MPK_CLAIM_REPLACED || state == MPK_CLAIM_REFUNDED))
    {
        return MPK_FINDING;
    }

    claim->state = state;
    claim->reason = request->claim_reason;
    claim->finding = request->claim_finding;
    claim->decided_at = order->at;
    claim->digest = request->claim_digest;
    claim->detail = request->claim_detail;

    switch (state) {

    case MPK_CLAIM_REPLACED:

        /* the claim keeps the old key, which stays viewed (R8) */

        claim->old_key = item->key;

        item->key = request->claim_key;
        item->generation++;
        item->since = order->revision + 1;
        item->state = MPK_ITEM_NEW;
        item->viewed_at = 0;
        item->viewed_under = 0;
        break;

    case MPK_CLAIM_REFUNDED:
        item->state = MPK_ITEM_REFUNDED;
        break;

    default: /* NEEDS_INFO, REJECTED */
        break;
    }

    return MPK_DONE;
}


/*
 * The customer's answer to support's question, in words or as files; either makes the claim
 * open again.  Files may come without a question, and before the words of the same answer; an
 * answer that is sent twice is one.
 */

mpk_outcome_t
mpk_policy_claim_answer(const mpk_request_t *request,
    mpk_decision_t *decision)
{
    mpk_claim_t  *claim;

    claim = mpk_policy_claim_find(request, decision);
    if (claim == NULL) {
        return MPK_NO_CLAIM;
    }

    if (!mpk_claim_undecided(claim)) {
        return MPK_DECIDED;
    }

    if (request->event == MPK_EVENT_CLAIM_FILES) {

        if (claim->state == MPK_CLAIM_OPEN
            && claim->uploads >= MPK_CLAIM_UPLOADS_MAX)
        {
            return MPK_SAME;
        }

        claim->uploads++;

    } else if (mpk_claim_asked(claim)) {
        claim->answered_at = decision->order.at;
        claim->digest = request->claim_digest;
        claim->detail = request->claim_detail;

    } else {
        return mpk_secret_eq(claim->digest, request->claim_digest)
               ? MPK_SAME : MPK_CLAIMED;
    }

    claim->state = MPK_CLAIM_OPEN;

    return MPK_DONE;
}


/* Journals what support did; a note equal to the latest one is a retry (R10). */

mpk_outcome_t
mpk_policy_claim_note(const mpk_request_t *request, mpk_decision_t *decision)
{
    mpk_claim_t  *claim;

    claim = mpk_policy_claim_find(request, decision);
    if (claim == NULL) {
        return MPK_NO_CLAIM;
    }

    if (mpk_secret_eq(claim->noted, request->claim_digest)) {
        return MPK_SAME;
    }

    claim->noted = request->claim_digest;

    return MPK_DONE;
}


int64_t
mpk_policy_claim_until(const mpk_order_t *order, size_t item, int64_t window,
    int64_t now)
{
    size_t              i;
    int64_t             from;
    const mpk_claim_t  *claim;

    from = order->purchased_at;

    if (order->released_at > from) {
        from = order->released_at;
    }

    if (order->pauses_count
        && order->pauses[order->pauses_count - 1].to > from)
    {
        from = order->pauses[order->pauses_count - 1].to;
    }

    for (i = 0; i < order->claims_count; i++) {
        claim = &order->claims[i];

        if (claim->state == MPK_CLAIM_REPLACED && claim->decided_at > from
            && (item ? claim->item == item
                     : order->items[claim->item - 1].state
                       < MPK_ITEM_REFUNDED))
        {
            from = claim->decided_at;
        }
    }

    return mpk_order_until(order, from, from + window, now);
}


static mpk_claim_t *
mpk_policy_claim_find(const mpk_request_t *request, mpk_decision_t *decision)
{
    if (request->claim == 0 || request->claim > decision->order.claims_count) {
        return NULL;
    }

    mpk_policy_claim_set(decision, request->claim);

    return &decision->order.claims[request->claim - 1];
}


static void
mpk_policy_claim_set(mpk_decision_t *decision, size_t number)
{
    decision->claim = number;
    decision->items[0] = decision->order.claims[number - 1].item;
    decision->items_count = 1;
}
