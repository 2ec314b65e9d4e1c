/* Correcting the billing email, and stopping a correction before it holds. */

#include "mpk_policy_int.h"


static mpk_outcome_t mpk_policy_email_again(const mpk_request_t *request,
    mpk_decision_t *decision, size_t number);
static mpk_outcome_t mpk_policy_email_stop(mpk_decision_t *decision,
    size_t number);
static void mpk_policy_email_links(mpk_order_t *order);


/* Naming the address in force again stops a pending correction. */

mpk_outcome_t
mpk_policy_email_change(const mpk_request_t *request,
    mpk_decision_t *decision)
{
    size_t             holds, pending;
    mpk_str_t          hash;
    mpk_order_t       *order;
    mpk_correction_t  *correction;

    order = &decision->order;
    hash = (mpk_str_t) { MPK_MAC_LEN, request->email_hash };
    holds = mpk_order_correction(order, request->now);
    pending = mpk_order_correction_pending(order, request->now);

    if (mpk_secret_eq(mpk_order_email(order, request->now), hash)) {
        return pending ? mpk_policy_email_stop(decision, pending)
                       : mpk_policy_email_again(request, decision, holds);
    }

    if (pending
        && mpk_secret_eq(order->corrections[pending - 1].hash, hash))
    {
        return mpk_policy_email_again(request, decision, pending);
    }

    if (order->corrections_count
        >= (request->email_hold ? MPK_CORRECTIONS_HELD : MPK_CORRECTIONS_MAX))
    {
        return MPK_EXHAUSTED;
    }

    if (pending) {
        order->corrections[pending - 1].stopped = true;
    }

    correction = &order->corrections[order->corrections_count++];

    correction->at = request->now;
    correction->from = request->now + request->email_hold;
    correction->stopped = false;
    correction->show_viewed = request->show_viewed;
    correction->hash = hash;
    correction->email = request->email;

    mpk_policy_email_links(order);

    decision->correction = order->corrections_count;

    return MPK_DONE;
}


/* R10, but the shop can put a pending correction into force and set show_viewed. */

static mpk_outcome_t
mpk_policy_email_again(const mpk_request_t *request, mpk_decision_t *decision,
    size_t number)
{
    bool               more;
    mpk_order_t       *order;
    mpk_correction_t  *correction;

    order = &decision->order;
    decision->correction = number;

    if (number == 0) {
        return MPK_SAME;
    }

    correction = &order->corrections[number - 1];
    more = false;

    if (request->show_viewed && !correction->show_viewed) {
        correction->show_viewed = true;
        more = true;
    }

    if (correction->from > request->now && request->email_hold == 0) {
        correction->from = request->now;
        mpk_policy_email_links(order);
        more = true;
    }

    return more ? MPK_DONE : MPK_SAME;
}


mpk_outcome_t
mpk_policy_email_keep(const mpk_request_t *request, mpk_decision_t *decision)
{
    size_t  pending;

    if (request->email_hash == NULL
        || !mpk_secret_eq(mpk_order_email(&decision->order, request->now),
                          (mpk_str_t) { MPK_MAC_LEN, request->email_hash }))
    {
        return MPK_NOT_BUYER;
    }

    pending = mpk_order_correction_pending(&decision->order, request->now);

    return pending ? mpk_policy_email_stop(decision, pending) : MPK_SAME;
}


static mpk_outcome_t
mpk_policy_email_stop(mpk_decision_t *decision, size_t number)
{
    decision->order.corrections[number - 1].stopped = true;

    decision->event = MPK_EVENT_EMAIL_KEPT;
    decision->correction = number;

    return MPK_DONE;
}


/* Revokes links that were handed out for the previous address: see mpk_policy_outdated(). */

static void
mpk_policy_email_links(mpk_order_t *order)
{
    size_t  i;

    for (i = 0; i < order->links_count; i++) {
        if (order->links[i].delivered) {
            order->links[i].revoked = true;
        }
    }
}
