/* Shared by mpk_order.c and mpk_order_rare.c. */

#ifndef MPK_ORDER_INT_H
#define MPK_ORDER_INT_H

#include "mpk_order.h"


/*
 * Reads and writes the head's optional members: tags in ascending order, to its end.
 * order->items is NULL if the items were skipped.  MPK_NEWER: an unknown tag.
 */
mpk_status_t mpk_order_read_rare(mpk_mem_t *mem, mpk_unpack_t *in,
    mpk_order_t *order);
void mpk_order_write_rare(const mpk_order_t *order, mpk_buf_t *out);

/* The item's state as stored in the head, where releases without WITHDRAWN can read it. */
mpk_item_state_t mpk_order_item_state(const mpk_item_t *item);

static inline int64_t
mpk_order_time(mpk_unpack_t *in)
{
    return (int64_t) mpk_unpack_upto(in, INT64_MAX);
}


#endif /* MPK_ORDER_INT_H */
