/* The encoding of an order, in two files. */

#ifndef MPK_ORDER_INT_H
#define MPK_ORDER_INT_H

#include "mpk_order.h"


/*
 * Members that few orders have: tags, ascending, to the end of the head.  Items are NULL if
 * they were passed over.  MPK_NEWER: a tag that this release does not know.
 */
mpk_status_t mpk_order_read_rare(mpk_mem_t *mem, mpk_unpack_t *in,
    mpk_order_t *order);
void mpk_order_write_rare(const mpk_order_t *order, mpk_buf_t *out);

/* An item's state as the head has it: releases that do not know WITHDRAWN read this one. */
mpk_item_state_t mpk_order_item_state(const mpk_item_t *item);

static inline int64_t
mpk_order_time(mpk_unpack_t *in)
{
    return (int64_t) mpk_unpack_upto(in, INT64_MAX);
}


#endif /* MPK_ORDER_INT_H */
