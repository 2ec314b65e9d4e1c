/* What is derived from an order's fields, and the names of its states. */

#include "mpk_order.h"


static int64_t mpk_order_extend(mpk_pause_t pause, int64_t from,
    int64_t until);


mpk_link_t *
mpk_order_link(const mpk_order_t *order, const uint8_t id[MPK_ID_LEN])
{
    size_t  i;

    for (i = 0; i < order->links_count; i++) {
        if (memcmp(order->links[i].id, id, MPK_ID_LEN) == 0) {
            return &order->links[i];
        }
    }

    return NULL;
}


mpk_str_t
mpk_order_email(const mpk_order_t *order, int64_t now)
{
    size_t  number;

    number = mpk_order_correction(order, now);

    return number ? order->corrections[number - 1].hash : order->email_hash;
}


bool
mpk_order_withheld(const mpk_order_t *order, const mpk_item_t *item,
    int64_t now)
{
    size_t  number;

    number = mpk_order_correction(order, now);

    return item->state == MPK_ITEM_VIEWED && item->viewed_under < number
           && !order->corrections[number - 1].show_viewed;
}


int64_t
mpk_order_corrected_at(const mpk_order_t *order, int64_t now)
{
    size_t   number;
    int64_t  at;

    if (order->corrections_count == 0) {
        return 0;
    }

    at = order->corrections[order->corrections_count - 1].at;
    number = mpk_order_correction(order, now);

    return number && order->corrections[number - 1].from > at
           ? order->corrections[number - 1].from : at;
}


int64_t
mpk_order_until(const mpk_order_t *order, int64_t from, int64_t until,
    int64_t now)
{
    size_t       i;
    mpk_pause_t  current;

    for (i = 0; i < order->pauses_count; i++) {
        until = mpk_order_extend(order->pauses[i], from, until);
    }

    if (order->suspended_at) {
        current = (mpk_pause_t) { order->suspended_at, now };
        until = mpk_order_extend(current, from, until);
    }

    return until;
}


/* Extends a time limit by the part of the pause that lies within it. */

static int64_t
mpk_order_extend(mpk_pause_t pause, int64_t from, int64_t until)
{
    if (pause.from < from) {
        pause.from = from;
    }

    return pause.from < until && pause.from < pause.to
           ? until + (pause.to - pause.from) : until;
}


mpk_str_t
mpk_order_state_name(mpk_order_state_t state)
{
    static const mpk_str_t  names[] = {
        [MPK_ORDER_ABSENT] = mpk_literal("absent"),
        [MPK_ORDER_HELD] = mpk_literal("held"),
        [MPK_ORDER_READY] = mpk_literal("ready"),
        [MPK_ORDER_CANCELLED] = mpk_literal("cancelled"),
        [MPK_ORDER_ERASED] = mpk_literal("erased"),
        [MPK_ORDER_WITHDRAWN] = mpk_literal("withdrawn"),
    };

    mpk_assert_rows(names, MPK_ORDER_STATE_MAX);

    return names[state];
}


mpk_str_t
mpk_item_state_name(mpk_item_state_t state)
{
    static const mpk_str_t  names[] = {
        [MPK_ITEM_NEW] = mpk_literal("new"),
        [MPK_ITEM_VIEWED] = mpk_literal("viewed"),
        [MPK_ITEM_REFUNDED] = mpk_literal("refunded"),
        [MPK_ITEM_WITHDRAWN] = mpk_literal("withdrawn"),
    };

    mpk_assert_rows(names, MPK_ITEM_STATE_MAX);

    return names[state];
}


mpk_str_t
mpk_suspension_name(mpk_suspension_t suspension)
{
    static const mpk_str_t  names[] = {
        [MPK_SUSPENSION_NONE] = { 0, NULL },
        [MPK_SUSPENSION_DISPUTE] = mpk_literal("dispute"),
        [MPK_SUSPENSION_FRAUD] = mpk_literal("fraud"),
        [MPK_SUSPENSION_OTHER] = mpk_literal("other"),
    };

    mpk_assert_rows(names, MPK_SUSPENSION_MAX);

    return names[suspension];
}


bool
mpk_suspension_find(mpk_str_t name, mpk_suspension_t *suspension)
{
    mpk_suspension_t  s;

    for (s = MPK_SUSPENSION_NONE + 1; s < MPK_SUSPENSION_MAX; s++) {
        if (mpk_str_eq(name, mpk_suspension_name(s))) {
            *suspension = s;
            return true;
        }
    }

    return false;
}
