/* Optional members at the end of an order's head. */

#include "mpk_order_int.h"

/* Tags at the end of the head; they never change. */
enum {
    MPK_ORDER_TAG_IMPORTED = 1,
    MPK_ORDER_TAG_SUSPENDED,
    MPK_ORDER_TAG_PAUSES,
    MPK_ORDER_TAG_FITS,              /* releases that do not know it can't read the items */
    MPK_ORDER_TAG_CHECKOUT,          /* nor, of this one, what was filed */
    MPK_ORDER_TAG_CORRECTIONS,
    MPK_ORDER_TAG_CLAIMS,            /* nor the claims */
    MPK_ORDER_TAG_WITHDRAWN          /* states that they do not know, and field w */
};

/* Bits of MPK_ORDER_TAG_CHECKOUT. */
#define MPK_ORDER_BUSINESS  1u
#define MPK_ORDER_ACCEPTED  2u       /* field f has what was accepted at the checkout */
#define MPK_ORDER_CONSENTS  4u       /* both consents among it */


static void mpk_order_read_suspended(mpk_unpack_t *in, mpk_order_t *order);
static void mpk_order_read_pauses(mpk_unpack_t *in, mpk_order_t *order);
static void mpk_order_read_checkout(mpk_unpack_t *in, mpk_order_t *order);
static mpk_status_t mpk_order_read_corrections(mpk_mem_t *mem,
    mpk_unpack_t *in, mpk_order_t *order);
static void mpk_order_read_withdrawn(mpk_unpack_t *in, mpk_order_t *order);
static void mpk_order_write_corrections(const mpk_order_t *order,
    mpk_buf_t *out);
static void mpk_order_write_withdrawn(const mpk_order_t *order,
    mpk_buf_t *out);


static const uint8_t  mpk_order_nothing[MPK_MAC_LEN];


mpk_status_t
mpk_order_read_rare(mpk_mem_t *mem, mpk_unpack_t *in, mpk_order_t *order)
{
    uint64_t      tag, last;
    mpk_status_t  status;

    last = 0;

    while (!mpk_unpack_done(in)) {
        tag = mpk_unpack_int(in);

        if (in->failed || tag <= last) {
            return MPK_MALFORMED;
        }

        switch (tag) {

        case MPK_ORDER_TAG_IMPORTED:
            order->imported = true;
            break;

        case MPK_ORDER_TAG_SUSPENDED:
            mpk_order_read_suspended(in, order);
            break;

        case MPK_ORDER_TAG_PAUSES:
            mpk_order_read_pauses(in, order);
            break;

        case MPK_ORDER_TAG_FITS:
            order->fits = true;
            break;

        case MPK_ORDER_TAG_CHECKOUT:
            mpk_order_read_checkout(in, order);
            break;

        case MPK_ORDER_TAG_CORRECTIONS:
            status = mpk_order_read_corrections(mem, in, order);
            if (status != MPK_OK) {
                return status;
            }

            break;

        case MPK_ORDER_TAG_CLAIMS:
            order->claims_rare = true;
            break;

        case MPK_ORDER_TAG_WITHDRAWN:
            mpk_order_read_withdrawn(in, order);
            break;

        default:
            return MPK_NEWER;
        }

        last = tag;
    }

    return in->failed ? MPK_MALFORMED : MPK_OK;
}


static void
mpk_order_read_suspended(mpk_unpack_t *in, mpk_order_t *order)
{
    size_t     i, n, item;
    mpk_str_t  digest;

    order->suspended_at = mpk_order_time(in);
    order->suspension = mpk_unpack_upto(in, MPK_SUSPENSION_MAX - 1);
    digest = mpk_unpack_bytes(in, MPK_MAC_LEN);
    n = mpk_unpack_upto(in, order->items_count);

    for (i = 0; i < n && !in->failed; i++) {
        item = mpk_unpack_upto(in, order->items_count);

        if (item && order->items) {
            order->items[item - 1].suspended = true;
        }
    }

    if (digest.len) {
        memcpy(order->suspend_digest, digest.data, MPK_MAC_LEN);
    }
}


static void
mpk_order_read_pauses(mpk_unpack_t *in, mpk_order_t *order)
{
    size_t     i;
    mpk_str_t  digest;

    digest = mpk_unpack_bytes(in, MPK_MAC_LEN);
    order->pauses_count = mpk_unpack_upto(in, MPK_PAUSES_MAX);

    for (i = 0; i < order->pauses_count; i++) {
        order->pauses[i].from = mpk_order_time(in);
        order->pauses[i].to = mpk_order_time(in);
    }

    if (digest.len) {
        memcpy(order->resume_digest, digest.data, MPK_MAC_LEN);
    }
}


static void
mpk_order_read_checkout(mpk_unpack_t *in, mpk_order_t *order)
{
    uint64_t  bits;

    bits = mpk_unpack_upto(in, MPK_ORDER_BUSINESS | MPK_ORDER_ACCEPTED
                               | MPK_ORDER_CONSENTS);

    order->business = (bits & MPK_ORDER_BUSINESS) != 0;
    order->accepted = (bits & MPK_ORDER_ACCEPTED) != 0;
    order->consents = bits & MPK_ORDER_CONSENTS ? MPK_CONSENT_SUPPLY : 0;

    if (bits == 0 || (order->consents && !order->accepted)) {
        in->failed = true;
    }
}


/* Also, per item, the correction that was in force at its first view. */

static mpk_status_t
mpk_order_read_corrections(mpk_mem_t *mem, mpk_unpack_t *in,
    mpk_order_t *order)
{
    size_t        i, n, item, number, last;
    mpk_status_t  status;

    status = mpk_corrections_read(mem, in, &order->corrections,
                                  &order->corrections_count);
    if (status != MPK_OK) {
        return status;
    }

    n = mpk_unpack_upto(in, order->items_count);

    for (i = 0, last = 0; i < n; i++) {
        item = mpk_unpack_upto(in, order->items_count);
        number = mpk_unpack_upto(in, order->corrections_count);

        if (item <= last || number == 0) {
            return MPK_MALFORMED;
        }

        if (order->items) {
            order->items[item - 1].viewed_under = number;
        }

        last = item;
    }

    return in->failed ? MPK_MALFORMED : MPK_OK;
}


/* The head keeps the previous states; a release that does not know this tag answers "newer". */

static void
mpk_order_read_withdrawn(mpk_unpack_t *in, mpk_order_t *order)
{
    size_t             i, n, number, last;
    mpk_str_t          hash;
    mpk_item_t        *item;
    mpk_item_state_t   was;

    order->withdrawn_at = mpk_order_time(in);
    n = mpk_unpack_upto(in, order->items_count);
    last = 0;

    for (i = 0; i < n; i++) {
        number = mpk_unpack_upto(in, order->items_count);

        if (number <= last) {
            in->failed = true;
            return;
        }

        last = number;

        if (order->items == NULL) {
            continue;
        }

        item = &order->items[number - 1];
        was = item->state;
        item->state = MPK_ITEM_WITHDRAWN;

        in->failed |= mpk_order_item_state(item) != was;
    }

    hash = mpk_unpack_bytes(in, MPK_MAC_LEN);

    if (hash.len) {
        memcpy(order->hashes[MPK_ORDER_WITHDRAWALS], hash.data, MPK_MAC_LEN);
    }

    if (order->state == MPK_ORDER_ERASED) {
        return;
    }

    /* an order without withdrawals does not have the tag */

    in->failed |= memcmp(order->hashes[MPK_ORDER_WITHDRAWALS],
                         mpk_order_nothing, MPK_MAC_LEN)
                  == 0;

    if (order->withdrawn_at) {
        in->failed |= order->state != MPK_ORDER_READY;
        order->state = MPK_ORDER_WITHDRAWN;
    }
}


void
mpk_order_write_rare(const mpk_order_t *order, mpk_buf_t *out)
{
    size_t    i, n;
    unsigned  bits;

    if (order->imported) {
        mpk_pack_int(out, MPK_ORDER_TAG_IMPORTED);
    }

    if (order->suspended_at) {
        mpk_pack_int(out, MPK_ORDER_TAG_SUSPENDED);
        mpk_pack_int(out, (uint64_t) order->suspended_at);
        mpk_pack_int(out, order->suspension);
        mpk_buf_put(out, order->suspend_digest, MPK_MAC_LEN);

        for (i = 0, n = 0; i < order->items_count; i++) {
            n += order->items[i].suspended;
        }

        mpk_pack_int(out, n);

        for (i = 0; i < order->items_count; i++) {
            if (order->items[i].suspended) {
                mpk_pack_int(out, i + 1);
            }
        }
    }

    if (order->pauses_count) {
        mpk_pack_int(out, MPK_ORDER_TAG_PAUSES);
        mpk_buf_put(out, order->resume_digest, MPK_MAC_LEN);
        mpk_pack_int(out, order->pauses_count);

        for (i = 0; i < order->pauses_count; i++) {
            mpk_pack_int(out, (uint64_t) order->pauses[i].from);
            mpk_pack_int(out, (uint64_t) order->pauses[i].to);
        }
    }

    for (i = 0; i < order->items_count; i++) {
        if (order->items[i].fit) {
            mpk_pack_int(out, MPK_ORDER_TAG_FITS);
            break;
        }
    }

    bits = (order->business ? MPK_ORDER_BUSINESS : 0)
           | (order->checkout.len ? MPK_ORDER_ACCEPTED : 0)
           | (order->consents ? MPK_ORDER_CONSENTS : 0);

    if (bits) {
        mpk_pack_int(out, MPK_ORDER_TAG_CHECKOUT);
        mpk_pack_int(out, bits);
    }

    if (order->corrections_count) {
        mpk_order_write_corrections(order, out);
    }

    if (mpk_claims_rare(order->claims, order->claims_count)) {
        mpk_pack_int(out, MPK_ORDER_TAG_CLAIMS);
    }

    if (order->withdrawn_at
        || memcmp(order->hashes[MPK_ORDER_WITHDRAWALS], mpk_order_nothing,
                  MPK_MAC_LEN)
           != 0)
    {
        mpk_order_write_withdrawn(order, out);
    }
}


static void
mpk_order_write_corrections(const mpk_order_t *order, mpk_buf_t *out)
{
    size_t  i, n;

    mpk_pack_int(out, MPK_ORDER_TAG_CORRECTIONS);
    mpk_corrections_write(order->corrections, order->corrections_count, out);

    for (i = 0, n = 0; i < order->items_count; i++) {
        n += order->items[i].viewed_under != 0;
    }

    mpk_pack_int(out, n);

    for (i = 0; i < order->items_count; i++) {
        if (order->items[i].viewed_under) {
            mpk_pack_int(out, i + 1);
            mpk_pack_int(out, order->items[i].viewed_under);
        }
    }
}


static void
mpk_order_write_withdrawn(const mpk_order_t *order, mpk_buf_t *out)
{
    size_t  i, n;

    for (i = 0, n = 0; i < order->items_count; i++) {
        n += (order->items[i].state == MPK_ITEM_WITHDRAWN);
    }

    mpk_pack_int(out, MPK_ORDER_TAG_WITHDRAWN);
    mpk_pack_int(out, (uint64_t) order->withdrawn_at);
    mpk_pack_int(out, n);

    for (i = 0; i < order->items_count; i++) {
        if (order->items[i].state == MPK_ITEM_WITHDRAWN) {
            mpk_pack_int(out, i + 1);
        }
    }

    mpk_buf_put(out, order->hashes[MPK_ORDER_WITHDRAWALS], MPK_MAC_LEN);
}


mpk_item_state_t
mpk_order_item_state(const mpk_item_t *item)
{
    if (item->state != MPK_ITEM_WITHDRAWN) {
        return item->state;
    }

    return item->viewed_at ? MPK_ITEM_VIEWED : MPK_ITEM_NEW;
}
