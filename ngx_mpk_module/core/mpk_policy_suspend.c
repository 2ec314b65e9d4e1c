/* Suspending what may be disputed or fraud, and resuming it (R11). */

#include "mpk_policy_int.h"


static bool mpk_policy_same_call(const uint8_t digest[MPK_MAC_LEN],
    const mpk_request_t *request);


/* More items can be suspended meanwhile; the suspension lasts since the first of them. */

mpk_outcome_t
mpk_policy_suspend(const mpk_request_t *request, mpk_decision_t *decision)
{
    bool          more;
    size_t        i;
    mpk_item_t   *item;
    mpk_order_t  *order;

    order = &decision->order;

    if (!mpk_policy_items(request, decision)) {
        return MPK_NO_ITEM;
    }

    if (order->suspended_at
        && mpk_policy_same_call(order->suspend_digest, request))
    {
        return MPK_SAME;
    }

    for (i = 0, more = false; i < decision->items_count; i++) {
        item = &order->items[decision->items[i] - 1];

        more |= !item->suspended;
        item->suspended = true;
    }

    if (!more) {
        return MPK_DIFFERS;
    }

    if (order->suspended_at == 0) {
        order->suspended_at = request->now;
    }

    order->suspension = request->suspension;
    memcpy(order->suspend_digest, request->suspend_digest, MPK_MAC_LEN);

    return MPK_DONE;
}


mpk_outcome_t
mpk_policy_resume(const mpk_request_t *request, mpk_decision_t *decision)
{
    size_t        i, n;
    mpk_order_t  *order;

    order = &decision->order;

    if (order->suspended_at == 0) {

        if (order->pauses_count == 0) {
            return MPK_NOT_SUSPENDED;
        }

        return mpk_policy_same_call(order->resume_digest, request)
               ? MPK_SAME : MPK_DIFFERS;
    }

    for (i = 0, n = 0; i < order->items_count; i++) {
        if (order->items[i].suspended) {
            decision->items[n++] = (uint16_t) (i + 1);
        }
    }

    decision->items_count = n;

    mpk_policy_suspension_over(request, order);

    memcpy(order->resume_digest, request->suspend_digest, MPK_MAC_LEN);

    return MPK_DONE;
}


static bool
mpk_policy_same_call(const uint8_t digest[MPK_MAC_LEN],
    const mpk_request_t *request)
{
    return mpk_secret_eq((mpk_str_t) { MPK_MAC_LEN, digest },
                         (mpk_str_t) { MPK_MAC_LEN, request->suspend_digest });
}


/*
 * Of too many pauses the oldest is forgotten: what began before it ends earlier then, and
 * nothing is valid again.  The times are those that limits are compared with, not
 * order->at, which keeps that of a clock that was ahead.
 */

void
mpk_policy_suspension_over(const mpk_request_t *request, mpk_order_t *order)
{
    mpk_pause_t  *pause;

    if (order->pauses_count == MPK_PAUSES_MAX) {
        order->pauses_count--;
        memmove(order->pauses, order->pauses + 1,
                order->pauses_count * sizeof(mpk_pause_t));
    }

    pause = &order->pauses[order->pauses_count++];

    pause->from = order->suspended_at;
    pause->to = request->earliest > pause->from ? request->earliest
                                                : pause->from;

    mpk_policy_suspension_end(order);
}


void
mpk_policy_suspension_end(mpk_order_t *order)
{
    size_t  i;

    if (order->suspended_at == 0) {
        return;
    }

    for (i = 0; i < order->items_count; i++) {
        order->items[i].suspended = false;
    }

    order->suspended_at = 0;
    order->suspension = MPK_SUSPENSION_NONE;
}
