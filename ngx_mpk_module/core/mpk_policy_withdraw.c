/* Withdrawing from the contract: what is granted at once, and what support judges (R12). */

#include "mpk_policy_int.h"


static mpk_withdrawal_t *mpk_policy_statement(const mpk_order_t *order,
    const uint8_t id[MPK_WITHDRAWAL_ID_LEN], size_t *number);
static mpk_outcome_t mpk_policy_withdrawable(mpk_decision_t *decision);
static bool mpk_policy_marked(const mpk_request_t *request,
    const mpk_order_t *order, const mpk_withdrawal_t *w);
static mpk_outcome_t mpk_policy_withdraw_items(const mpk_request_t *request,
    mpk_decision_t *decision);
static void mpk_policy_withdraw_end(const mpk_request_t *request,
    mpk_order_t *order);


mpk_outcome_t
mpk_policy_withdraw(const mpk_request_t *request, mpk_decision_t *decision)
{
    size_t             i, granted, left;
    uint16_t           item;
    mpk_why_t          why;
    mpk_order_t       *order;
    mpk_outcome_t      outcome;
    mpk_withdrawal_t  *w;

    order = &decision->order;

    if (request->challenge_email
        && (request->email_hash == NULL
            || !mpk_secret_eq(mpk_order_email(order, request->now),
                              (mpk_str_t) { MPK_MAC_LEN,
                                            request->email_hash })))
    {
        return MPK_NOT_BUYER;
    }

    /* the same statement, sent again */

    if (mpk_policy_statement(order, request->token_id, &decision->withdrawal))
    {
        return MPK_SAME;
    }

    if (!mpk_policy_items(request, decision)) {
        return MPK_NO_ITEM;
    }

    outcome = mpk_policy_withdrawable(decision);
    if (outcome != MPK_DONE) {
        return outcome;
    }

    if (order->withdrawals_count == MPK_WITHDRAWALS_MAX) {
        return MPK_CROWDED;
    }

    w = &order->withdrawals[order->withdrawals_count++];
    decision->withdrawal = order->withdrawals_count;

    memset(w, 0, sizeof(mpk_withdrawal_t));
    memcpy(w->id, request->token_id, MPK_WITHDRAWAL_ID_LEN);

    w->medium = request->medium;
    w->detail = request->withdrawal_detail;
    w->stated_at = request->stated_at < request->now ? request->stated_at
                                                     : request->now;

    /* partitions in place: granted items first */

    granted = 0;
    left = 0;

    for (i = 0; i < decision->items_count; i++) {
        item = decision->items[i];

        why = mpk_policy_withdraw_why(order, &order->items[item - 1],
                                      request->withdrawal_days, w->stated_at);

        if (why == MPK_WHY_NONE) {
            order->items[item - 1].state = MPK_ITEM_WITHDRAWN;
            decision->items[granted++] = item;
            continue;
        }

        if (w->why == MPK_WHY_NONE || why < w->why) {
            w->why = why;
        }

        decision->left[left++] = item;
    }

    w->granted_count = granted;
    w->granted = decision->items;
    w->items_count = left;
    w->items = decision->left;

    decision->items_count = granted;
    decision->left_count = left;

    if (granted) {
        w->state = left ? MPK_WITHDRAWAL_OPEN : MPK_WITHDRAWAL_GRANTED;
        decision->event = MPK_EVENT_WITHDRAWN;

        mpk_policy_withdraw_end(request, order);

        return MPK_DONE;
    }

    /* nothing was granted: the event is about all stated items */

    decision->items = decision->left;
    decision->items_count = left;
    decision->left_count = 0;

    if (request->withdrawal_refuse && mpk_policy_marked(request, order, w)) {
        w->state = MPK_WITHDRAWAL_REJECTED;
        w->decided_at = order->at;
        decision->event = MPK_EVENT_WITHDRAWAL_REJECTED;
    }

    return MPK_DONE;
}


static mpk_withdrawal_t *
mpk_policy_statement(const mpk_order_t *order,
    const uint8_t id[MPK_WITHDRAWAL_ID_LEN], size_t *number)
{
    size_t  i;

    for (i = 0; i < order->withdrawals_count; i++) {
        if (memcmp(order->withdrawals[i].id, id, MPK_WITHDRAWAL_ID_LEN) == 0) {
            *number = i + 1;
            return &order->withdrawals[i];
        }
    }

    return NULL;
}


/* Drops items that are withdrawn or refunded already. */

static mpk_outcome_t
mpk_policy_withdrawable(mpk_decision_t *decision)
{
    size_t            i, n;
    mpk_outcome_t     outcome;
    mpk_item_state_t  state;

    outcome = MPK_REFUNDED;

    for (i = 0, n = 0; i < decision->items_count; i++) {
        state = decision->order.items[decision->items[i] - 1].state;

        if (state == MPK_ITEM_WITHDRAWN) {
            outcome = MPK_WITHDRAWN;

        } else if (state != MPK_ITEM_REFUNDED) {
            decision->items[n++] = decision->items[i];
        }
    }

    decision->items_count = n;

    return n ? MPK_DONE : outcome;
}


mpk_why_t
mpk_policy_withdraw_why(const mpk_order_t *order, const mpk_item_t *item,
    int64_t days, int64_t stated_at)
{
    if (order->state == MPK_ORDER_CANCELLED) {
        return MPK_WHY_CANCELLED;
    }

    if (order->business) {
        return MPK_WHY_BUSINESS;
    }

    if (stated_at >= mpk_withdrawal_until(order->purchased_at, days)) {
        return MPK_WHY_LATE;
    }

    /* allow for a shop's clock that is up to a day ahead */

    if (stated_at < order->purchased_at - MPK_DAY) {
        return MPK_WHY_EARLY;
    }

    if (item->state != MPK_ITEM_NEW) {
        return MPK_WHY_VIEWED;
    }

    /* whoever reported the first key has it, and a used key stays used (R8) */

    if (item->generation > 1) {
        return MPK_WHY_REPLACED;
    }

    return item->suspended ? MPK_WHY_SUSPENDED : MPK_WHY_NONE;
}


/*
 * Whether the right was lost before each of these items was viewed: both consents were
 * given, and confirmed on a durable medium (Directive 2011/83/EU, article 16(m)).
 */

static bool
mpk_policy_marked(const mpk_request_t *request, const mpk_order_t *order,
    const mpk_withdrawal_t *w)
{
    size_t             i;
    const mpk_item_t  *item;

    if (request->consented_at == 0 || request->confirmed_at == 0) {
        return false;
    }

    for (i = 0; i < w->items_count; i++) {
        item = &order->items[w->items[i] - 1];

        /* the order does not store when a replaced item's first key was viewed */

        if (item->state != MPK_ITEM_VIEWED || item->generation > 1
            || request->consented_at > item->viewed_at
            || request->confirmed_at > item->viewed_at)
        {
            return false;
        }
    }

    return true;
}


/* Support decides once (R7, R10). */

mpk_outcome_t
mpk_policy_withdraw_decide(const mpk_request_t *request,
    mpk_decision_t *decision)
{
    mpk_order_t             *order;
    mpk_outcome_t            outcome;
    mpk_withdrawal_t        *w;
    mpk_withdrawal_state_t   state;

    order = &decision->order;

    if (request->withdrawal == 0
        || request->withdrawal > order->withdrawals_count)
    {
        return MPK_NO_WITHDRAWAL;
    }

    w = &order->withdrawals[request->withdrawal - 1];
    decision->withdrawal = request->withdrawal;

    state = request->event == MPK_EVENT_WITHDRAWN ? MPK_WITHDRAWAL_ACCEPTED
                                                  : MPK_WITHDRAWAL_REJECTED;

    decision->items_count = w->items_count;

    if (w->items_count) {
        memcpy(decision->items, w->items, w->items_count * sizeof(uint16_t));
    }

    if (w->state == state
        && mpk_secret_eq(w->digest, request->withdrawal_digest))
    {
        return MPK_SAME;
    }

    if (w->state != MPK_WITHDRAWAL_OPEN) {
        return MPK_DECIDED;
    }

    if (state == MPK_WITHDRAWAL_ACCEPTED) {

        outcome = mpk_policy_withdraw_items(request, decision);
        if (outcome != MPK_DONE) {
            return outcome;
        }
    }

    w->state = state;
    w->decided_at = order->at;
    w->digest = request->withdrawal_digest;
    w->detail = request->withdrawal_detail;

    return MPK_DONE;
}


/* Drops items that were refunded or withdrawn meanwhile: they must not be repaid twice. */

static mpk_outcome_t
mpk_policy_withdraw_items(const mpk_request_t *request,
    mpk_decision_t *decision)
{
    size_t         i;
    mpk_item_t    *item;
    mpk_order_t   *order;
    mpk_outcome_t  outcome;

    order = &decision->order;

    if (order->state == MPK_ORDER_CANCELLED) {
        return MPK_CANCELLED;
    }

    outcome = mpk_policy_withdrawable(decision);
    if (outcome != MPK_DONE) {
        return outcome;
    }

    for (i = 0; i < decision->items_count; i++) {
        item = &order->items[decision->items[i] - 1];

        item->state = MPK_ITEM_WITHDRAWN;
        item->suspended = false;
    }

    mpk_policy_withdraw_end(request, order);

    return MPK_DONE;
}


/*
 * With its last item, refunded ones apart, the order is withdrawn; with its last suspended
 * one, the others' time limits run again (R11).
 */

static void
mpk_policy_withdraw_end(const mpk_request_t *request, mpk_order_t *order)
{
    bool    left, suspended;
    size_t  i;

    left = false;
    suspended = false;

    for (i = 0; i < order->items_count; i++) {
        left |= order->items[i].state < MPK_ITEM_REFUNDED;
        suspended |= order->items[i].suspended;
    }

    if (left) {
        if (order->suspended_at && !suspended) {
            mpk_policy_suspension_over(request, order);
        }

        return;
    }

    mpk_policy_suspension_end(order);

    order->state = MPK_ORDER_WITHDRAWN;
    order->withdrawn_at = order->at;
}
