/* The encoding of an order in Redis. */

#include "mpk_order_int.h"

#define MPK_ORDER_VERSION       2
#define MPK_ORDER_REVISION_MAX  1000000000000000

/* The fields whose hashes begin the head; that of w is in its tag. */
#define MPK_ORDER_HASHES  MPK_ORDER_WITHDRAWALS


static mpk_status_t mpk_order_verify(mpk_crypto_t *crypto, mpk_str_t value,
    mpk_unpack_t *in, mpk_order_t *order);
static mpk_status_t mpk_order_verify_field(mpk_crypto_t *crypto,
    mpk_str_t value, const uint8_t hash[MPK_MAC_LEN]);
static mpk_status_t mpk_order_mac(mpk_crypto_t *crypto, const mpk_key_t *key,
    const mpk_order_t *order, mpk_str_t rest, uint8_t mac[MPK_MAC_LEN]);
static mpk_status_t mpk_order_read_head(mpk_mem_t *mem, mpk_unpack_t *in,
    mpk_order_t *order);
static mpk_status_t mpk_order_read_state(mpk_unpack_t *in, mpk_order_t *order);
static void mpk_order_skip(mpk_unpack_t *in, mpk_order_t *order);
static mpk_status_t mpk_order_read_links(mpk_mem_t *mem,
    mpk_unpack_t *in, mpk_order_t *order);
static mpk_status_t mpk_order_read_filed(mpk_str_t value, mpk_order_t *order);
static mpk_status_t mpk_order_read_items(mpk_mem_t *mem, mpk_str_t value,
    bool keys, mpk_order_t *order);
static mpk_status_t mpk_order_read_fits(mpk_mem_t *mem, mpk_unpack_t *in,
    mpk_order_t *order);
static void mpk_order_write_head(const mpk_order_t *order, mpk_buf_t *out);
static void mpk_order_write_field(const mpk_order_t *order, size_t field,
    mpk_buf_t *out);
static uint64_t mpk_order_revision(mpk_unpack_t *in);


static const uint8_t  mpk_order_nothing[MPK_MAC_LEN];


mpk_str_t
mpk_order_field(size_t field)
{
    static const mpk_str_t  names[] = {
        [MPK_ORDER_HEAD] = mpk_literal("h"),
        [MPK_ORDER_FILED] = mpk_literal("f"),
        [MPK_ORDER_ITEMS] = mpk_literal("i"),
        [MPK_ORDER_CLAIMS] = mpk_literal("c"),
        [MPK_ORDER_KEYS] = mpk_literal("k"),
        [MPK_ORDER_WITHDRAWALS] = mpk_literal("w"),
    };

    mpk_assert_rows(names, MPK_ORDER_FIELDS);

    return names[field];
}


mpk_status_t
mpk_order_read(mpk_crypto_t *crypto, mpk_mem_t *mem, mpk_str_t id,
    const mpk_str_t fields[MPK_ORDER_FIELDS], unsigned read,
    mpk_order_t *order)
{
    size_t        i;
    mpk_status_t  status;
    mpk_unpack_t  in;

    memset(order, 0, sizeof(mpk_order_t));

    order->id = id;

    if (fields[MPK_ORDER_HEAD].data == NULL) {
        return MPK_OK;
    }

    status = mpk_order_verify(crypto, fields[MPK_ORDER_HEAD], &in, order);

    for (i = MPK_ORDER_HEAD + 1; status == MPK_OK && i < MPK_ORDER_HASHES; i++)
    {
        if (read & (1u << i)) {
            status = mpk_order_verify_field(crypto, fields[i],
                                            order->hashes[i]);
        }
    }

    if (status == MPK_OK) {
        status = mpk_order_read_head(mem, &in, order);
    }

    i = MPK_ORDER_WITHDRAWALS;

    if (status == MPK_OK && (read & (1u << i))) {
        status = mpk_order_verify_field(crypto, fields[i], order->hashes[i]);
    }

    if (status == MPK_OK && order->state != MPK_ORDER_ERASED) {
        status = mpk_order_read_filed(fields[MPK_ORDER_FILED], order);

        if (status == MPK_OK && order->accepted != (order->checkout.len != 0)) {
            status = MPK_MALFORMED;
        }

        if (status == MPK_OK) {
            status = mpk_order_read_items(mem, fields[MPK_ORDER_ITEMS], false,
                                          order);
        }

        if (status == MPK_OK && (read & (1u << MPK_ORDER_KEYS))) {
            status = mpk_order_read_items(mem, fields[MPK_ORDER_KEYS], true,
                                          order);
        }

        if (status == MPK_OK) {
            status = mpk_claims_read(mem, fields[MPK_ORDER_CLAIMS],
                                     order->items_count, order->claims_rare,
                                     &order->claims,
                                     &order->claims_count);
        }

        if (status == MPK_OK && (read & (1u << MPK_ORDER_WITHDRAWALS))) {
            status = mpk_withdrawals_read(mem, fields[MPK_ORDER_WITHDRAWALS],
                                          order->items_count,
                                          &order->withdrawals,
                                          &order->withdrawals_count);
        }
    }

    /* the MAC holds, so this release wrote it: a bug, or two releases with one version */

    return status == MPK_MALFORMED ? MPK_FORGED : status;
}


/* Verifies the head, and reads it up to the hashes of the other fields. */

static mpk_status_t
mpk_order_verify(mpk_crypto_t *crypto, mpk_str_t value, mpk_unpack_t *in,
    mpk_order_t *order)
{
    size_t            i;
    uint8_t           mac[MPK_MAC_LEN];
    uint64_t          version, present;
    mpk_str_t         stored, hash, rest;
    mpk_status_t      status;
    const mpk_key_t  *key;

    mpk_unpack_init(in, value);

    order->revision = mpk_order_revision(in);
    order->kid = mpk_unpack_str(in);
    stored = mpk_unpack_bytes(in, MPK_MAC_LEN);

    order->guard = (mpk_str_t) { (size_t) (in->p - value.data), value.data };
    rest = (mpk_str_t) { (size_t) (in->end - in->p), in->p };

    version = mpk_unpack_int(in);

    if (in->failed || order->revision == 0 || !mpk_kid_valid(order->kid)) {
        order->kid.len = 0;
        return MPK_FORGED;
    }

    if (version > MPK_ORDER_VERSION) {
        return MPK_NEWER;
    }

    key = mpk_keyring_find(mpk_crypto_keyring(crypto), MPK_USE_JOURNAL,
                           order->kid);
    if (key == NULL) {
        return MPK_UNKNOWN;
    }

    status = mpk_order_mac(crypto, key, order, rest, mac);
    if (status != MPK_OK) {
        return status;
    }

    if (!mpk_secret_eq(stored, (mpk_str_t) { MPK_MAC_LEN, mac })
        || version != MPK_ORDER_VERSION)
    {
        return MPK_FORGED;
    }

    present = mpk_unpack_upto(in, (1 << MPK_ORDER_HASHES) - 1);

    for (i = 0; i < MPK_ORDER_HASHES; i++) {
        if (present & (1u << i)) {
            hash = mpk_unpack_bytes(in, MPK_MAC_LEN);

            if (hash.len) {
                memcpy(order->hashes[i], hash.data, MPK_MAC_LEN);
            }
        }
    }

    return in->failed ? MPK_MALFORMED : MPK_OK;
}


static mpk_status_t
mpk_order_verify_field(mpk_crypto_t *crypto, mpk_str_t value,
    const uint8_t stored[MPK_MAC_LEN])
{
    uint8_t       hash[MPK_MAC_LEN];
    mpk_status_t  status;

    memset(hash, 0, MPK_MAC_LEN);

    if (value.data) {
        status = mpk_crypto_hash(crypto, value, hash);
        if (status != MPK_OK) {
            return status;
        }
    }

    return memcmp(hash, stored, MPK_MAC_LEN) == 0 ? MPK_OK : MPK_FORGED;
}


static mpk_status_t
mpk_order_mac(mpk_crypto_t *crypto, const mpk_key_t *key,
    const mpk_order_t *order, mpk_str_t rest, uint8_t mac[MPK_MAC_LEN])
{
    uint8_t    bytes[128];
    mpk_buf_t  head;
    mpk_str_t  parts[2];

    if (!mpk_order_id_valid(order->id)) {
        return MPK_MALFORMED;
    }

    /* it fits: an id has 64 bytes at most */

    mpk_buf_over(&head, NULL, bytes, sizeof(bytes));

    mpk_buf_lit(&head, "mpk order 2");
    mpk_pack_str(&head, order->id);
    mpk_pack_int(&head, order->revision);

    parts[0] = mpk_buf_done(&head);
    parts[1] = rest;

    return mpk_crypto_mac(crypto, key, parts, 2, mac);
}


static mpk_status_t
mpk_order_read_head(mpk_mem_t *mem, mpk_unpack_t *in, mpk_order_t *order)
{
    size_t        i;
    mpk_item_t   *item;
    mpk_status_t  status;

    status = mpk_order_read_state(in, order);
    if (status != MPK_OK) {
        return status;
    }

    order->items = mpk_calloc(mem, order->items_count * sizeof(mpk_item_t) + 1);
    if (order->items == NULL) {
        return MPK_NOMEM;
    }

    for (i = 0; i < order->items_count; i++) {
        item = &order->items[i];

        item->state = mpk_unpack_upto(in, MPK_ITEM_REFUNDED);
        item->generation = mpk_unpack_int(in);
        item->since = mpk_unpack_int(in);
        item->viewed_at = mpk_order_time(in);
    }

    status = mpk_order_read_links(mem, in, order);
    if (status != MPK_OK) {
        return status;
    }

    return mpk_order_read_rare(mem, in, order);
}


static mpk_status_t
mpk_order_read_state(mpk_unpack_t *in, mpk_order_t *order)
{
    mpk_str_t  mac, gone;

    order->state = mpk_unpack_upto(in, MPK_ORDER_ERASED);
    order->filed_at = mpk_order_time(in);
    order->released_at = mpk_order_time(in);
    order->cancelled_at = mpk_order_time(in);
    order->cancel_reason = mpk_unpack_str(in);
    order->delivered_at = mpk_order_time(in);
    order->delivered_by = mpk_unpack_upto(in, MPK_CHANNEL_MAX - 1);
    order->first_viewed_at = mpk_order_time(in);
    order->views = mpk_unpack_int(in);
    order->at = mpk_order_time(in);
    order->day = mpk_unpack_int(in);
    order->day_views = mpk_unpack_int(in);
    order->day_opened = mpk_unpack_int(in);
    order->floor = mpk_order_time(in);
    mac = mpk_unpack_bytes(in, MPK_MAC_LEN);
    gone = mac;

    if (order->state == MPK_ORDER_ERASED) {
        order->erased_at = mpk_order_time(in);
        order->gone = mpk_unpack_int(in);
        gone = mpk_unpack_bytes(in, MPK_MAC_LEN);
    }

    order->items_count = mpk_unpack_upto(in, MPK_ITEMS_MAX);

    if (in->failed || order->state == MPK_ORDER_ABSENT) {
        return MPK_MALFORMED;
    }

    memcpy(order->mac, mac.data, MPK_MAC_LEN);
    memcpy(order->gone_mac, gone.data, MPK_MAC_LEN);

    return MPK_OK;
}


/*
 * Skips items and links without allocating their arrays: looking up the owner of a big order
 * must not take longer than looking up an unknown one.
 */

static void
mpk_order_skip(mpk_unpack_t *in, mpk_order_t *order)
{
    size_t  n;

    mpk_unpack_skip(in, 4 * order->items_count);

    for (n = mpk_unpack_upto(in, MPK_LINKS_MAX); n; n--) {
        (void) mpk_unpack_bytes(in, MPK_ID_LEN);
        mpk_unpack_skip(in, 3);

        if (mpk_order_time(in)) {
            mpk_unpack_skip(in, 2);
            (void) mpk_unpack_bytes(in, MPK_ID_LEN);
        }

        mpk_unpack_skip(in, mpk_unpack_upto(in, order->items_count));
    }
}


static mpk_status_t
mpk_order_read_links(mpk_mem_t *mem, mpk_unpack_t *in,
    mpk_order_t *order)
{
    size_t       i, n;
    uint16_t    *items;
    uint64_t     flags;
    mpk_str_t    id, nonce;
    mpk_link_t  *link;

    order->links_count = mpk_unpack_upto(in, MPK_LINKS_MAX);

    order->links = mpk_calloc(mem, order->links_count * sizeof(mpk_link_t) + 1);
    if (order->links == NULL) {
        return MPK_NOMEM;
    }

    for (i = 0; i < order->links_count; i++) {
        link = &order->links[i];

        id = mpk_unpack_bytes(in, MPK_ID_LEN);
        link->iat = mpk_order_time(in);
        link->exp = mpk_order_time(in);
        flags = mpk_unpack_upto(in, 3);
        link->delivered = (flags & 1) != 0;
        link->revoked = (flags & 2) != 0;
        link->used_at = mpk_order_time(in);

        if (link->used_at) {
            link->used_revision = mpk_unpack_int(in);
            link->repeats = mpk_unpack_int(in);
            nonce = mpk_unpack_bytes(in, MPK_ID_LEN);

        } else {
            nonce = (mpk_str_t) { 0, NULL };
        }

        link->items_count = mpk_unpack_upto(in, order->items_count);

        if (in->failed) {
            return MPK_MALFORMED;
        }

        memcpy(link->id, id.data, MPK_ID_LEN);

        if (nonce.len) {
            memcpy(link->nonce, nonce.data, MPK_ID_LEN);
        }

        if (link->items_count == 0) {
            continue;
        }

        items = mpk_alloc(mem, link->items_count * sizeof(uint16_t));
        if (items == NULL) {
            return MPK_NOMEM;
        }

        for (n = 0; n < link->items_count; n++) {
            items[n] = (uint16_t) mpk_unpack_upto(in, order->items_count);
        }

        link->items = items;
    }

    return MPK_OK;
}


mpk_status_t
mpk_order_read_owner(mpk_crypto_t *crypto, mpk_mem_t *mem, mpk_str_t id,
    mpk_str_t head, mpk_str_t filed, mpk_order_t *order)
{
    mpk_status_t  status;
    mpk_unpack_t  in;

    memset(order, 0, sizeof(mpk_order_t));

    order->id = id;

    if (head.data == NULL) {
        return MPK_MISSING;
    }

    status = mpk_order_verify(crypto, head, &in, order);

    if (status == MPK_OK) {
        status = mpk_order_verify_field(crypto, filed,
                                        order->hashes[MPK_ORDER_FILED]);
    }

    if (status == MPK_OK) {
        status = filed.data ? mpk_order_read_filed(filed, order) : MPK_MISSING;
    }

    if (status == MPK_OK) {
        status = mpk_order_read_state(&in, order);
    }

    if (status == MPK_OK) {
        mpk_order_skip(&in, order);
        status = mpk_order_read_rare(mem, &in, order);
    }

    return status == MPK_MALFORMED ? MPK_FORGED : status;
}


static mpk_status_t
mpk_order_read_filed(mpk_str_t value, mpk_order_t *order)
{
    mpk_unpack_t  in;

    mpk_unpack_init(&in, value);

    if (mpk_unpack_int(&in) != MPK_ORDER_VERSION) {
        return MPK_MALFORMED;
    }

    order->purchased_at = mpk_order_time(&in);
    order->locale = mpk_unpack_str(&in);
    order->email_hash = mpk_unpack_str(&in);
    order->account_hash = mpk_unpack_str(&in);
    order->digest = mpk_unpack_str(&in);
    order->data_key = mpk_unpack_str(&in);
    order->person = mpk_unpack_str(&in);

    if (!mpk_unpack_done(&in)) {
        order->checkout = mpk_unpack_str(&in);

        if (order->checkout.len == 0) {
            return MPK_MALFORMED;
        }
    }

    if (order->email_hash.len != MPK_MAC_LEN
        || order->digest.len != MPK_MAC_LEN)
    {
        return MPK_MALFORMED;
    }

    return mpk_unpack_done(&in) ? MPK_OK : MPK_MALFORMED;
}


/* Reads the items' names, or their sealed keys. */

static mpk_status_t
mpk_order_read_items(mpk_mem_t *mem, mpk_str_t value, bool keys,
    mpk_order_t *order)
{
    size_t        i;
    mpk_item_t   *item;
    mpk_unpack_t  in;

    mpk_unpack_init(&in, value);

    if (mpk_unpack_int(&in) != MPK_ORDER_VERSION
        || mpk_unpack_int(&in) != order->items_count)
    {
        return MPK_MALFORMED;
    }

    for (i = 0; i < order->items_count; i++) {
        item = &order->items[i];

        if (keys) {
            item->key = mpk_unpack_str(&in);

        } else {
            item->sku = mpk_unpack_str(&in);
            item->product = mpk_unpack_str(&in);
        }
    }

    if (!keys) {
        return mpk_order_read_fits(mem, &in, order);
    }

    return mpk_unpack_done(&in) ? MPK_OK : MPK_MALFORMED;
}


/* What items fit, of those few of which the shop said it: ascending, to the end. */

static mpk_status_t
mpk_order_read_fits(mpk_mem_t *mem, mpk_unpack_t *in, mpk_order_t *order)
{
    uint64_t     n, tag, at, last;
    mpk_str_t    text;
    mpk_item_t  *item;

    last = 0;

    while (!mpk_unpack_done(in)) {
        n = mpk_unpack_upto(in, order->items_count);
        tag = mpk_unpack_upto(in, UINT32_MAX);
        text = mpk_unpack_str(in);

        at = n << 32 | tag;

        if (in->failed || n == 0 || tag == 0 || text.len == 0 || at <= last) {
            return MPK_MALFORMED;
        }

        if (tag > MPK_FIT_MAX) {
            return MPK_NEWER;
        }

        item = &order->items[n - 1];

        if (item->fit == NULL) {
            item->fit = mpk_calloc(mem, MPK_FIT_MAX * sizeof(mpk_str_t));
            if (item->fit == NULL) {
                return MPK_NOMEM;
            }
        }

        item->fit[tag - 1] = text;
        last = at;
    }

    return order->fits == (last != 0) ? MPK_OK : MPK_MALFORMED;
}


mpk_status_t
mpk_order_write(mpk_crypto_t *crypto, mpk_mem_t *mem, mpk_order_t *order,
    unsigned changed, mpk_str_t fields[MPK_ORDER_FIELDS])
{
    size_t            i;
    uint8_t          *p, mac[MPK_MAC_LEN];
    mpk_buf_t         rest, head, value;
    mpk_status_t      status;
    const mpk_key_t  *key;

    key = mpk_keyring_current(mpk_crypto_keyring(crypto), MPK_USE_JOURNAL);
    if (key == NULL) {
        return MPK_UNKNOWN;
    }

    for (i = MPK_ORDER_HEAD + 1; i < MPK_ORDER_FIELDS; i++) {
        fields[i] = (mpk_str_t) { 0, NULL };

        if ((changed & (1u << i)) == 0) {
            continue;
        }

        mpk_buf_init(&value, mem, 512);
        mpk_order_write_field(order, i, &value);

        if (value.failed) {
            return MPK_NOMEM;
        }

        fields[i] = mpk_buf_done(&value);

        status = mpk_crypto_hash(crypto, fields[i], order->hashes[i]);
        if (status != MPK_OK) {
            return status;
        }
    }

    mpk_buf_init(&rest, mem, 384);
    mpk_order_write_head(order, &rest);

    if (rest.failed) {
        return MPK_NOMEM;
    }

    status = mpk_order_mac(crypto, key, order, mpk_buf_done(&rest), mac);
    if (status != MPK_OK) {
        return status;
    }

    mpk_buf_init(&head, mem, 24 + MPK_KID_MAX + MPK_MAC_LEN + rest.len);

    mpk_buf_int(&head, (int64_t) order->revision);
    mpk_buf_byte(&head, ' ');
    mpk_pack_str(&head, key->kid);

    p = mpk_buf_room(&head, MPK_MAC_LEN);
    if (p) {
        memcpy(p, mac, MPK_MAC_LEN);
    }

    mpk_buf_str(&head, mpk_buf_done(&rest));

    fields[MPK_ORDER_HEAD] = mpk_buf_done(&head);

    return head.failed ? MPK_NOMEM : MPK_OK;
}


static void
mpk_order_write_head(const mpk_order_t *order, mpk_buf_t *out)
{
    size_t             i, n;
    uint64_t           present;
    const mpk_link_t  *link;
    const mpk_item_t  *item;

    for (i = 0, present = 0; i < MPK_ORDER_HASHES; i++) {
        if (memcmp(order->hashes[i], mpk_order_nothing, MPK_MAC_LEN) != 0) {
            present |= 1u << i;
        }
    }

    mpk_pack_int(out, MPK_ORDER_VERSION);
    mpk_pack_int(out, present);

    for (i = 0; i < MPK_ORDER_HASHES; i++) {
        if (present & (1u << i)) {
            mpk_buf_put(out, order->hashes[i], MPK_MAC_LEN);
        }
    }

    mpk_pack_int(out, order->state == MPK_ORDER_WITHDRAWN ? MPK_ORDER_READY
                                                          : order->state);
    mpk_pack_int(out, (uint64_t) order->filed_at);
    mpk_pack_int(out, (uint64_t) order->released_at);
    mpk_pack_int(out, (uint64_t) order->cancelled_at);
    mpk_pack_str(out, order->cancel_reason);
    mpk_pack_int(out, (uint64_t) order->delivered_at);
    mpk_pack_int(out, order->delivered_by);
    mpk_pack_int(out, (uint64_t) order->first_viewed_at);
    mpk_pack_int(out, order->views);
    mpk_pack_int(out, (uint64_t) order->at);
    mpk_pack_int(out, order->day);
    mpk_pack_int(out, order->day_views);
    mpk_pack_int(out, order->day_opened);
    mpk_pack_int(out, (uint64_t) order->floor);
    mpk_buf_put(out, order->mac, MPK_MAC_LEN);

    if (order->state == MPK_ORDER_ERASED) {
        mpk_pack_int(out, (uint64_t) order->erased_at);
        mpk_pack_int(out, order->gone);
        mpk_buf_put(out, order->gone_mac, MPK_MAC_LEN);
    }

    mpk_pack_int(out, order->items_count);

    for (i = 0; i < order->items_count; i++) {
        item = &order->items[i];

        mpk_pack_int(out, mpk_order_item_state(item));
        mpk_pack_int(out, item->generation);
        mpk_pack_int(out, item->since);
        mpk_pack_int(out, (uint64_t) item->viewed_at);
    }

    mpk_pack_int(out, order->links_count);

    for (i = 0; i < order->links_count; i++) {
        link = &order->links[i];

        mpk_buf_put(out, link->id, MPK_ID_LEN);
        mpk_pack_int(out, (uint64_t) link->iat);
        mpk_pack_int(out, (uint64_t) link->exp);
        mpk_pack_int(out, (uint64_t) link->delivered
                          | (uint64_t) link->revoked << 1);
        mpk_pack_int(out, (uint64_t) link->used_at);

        if (link->used_at) {
            mpk_pack_int(out, link->used_revision);
            mpk_pack_int(out, link->repeats);
            mpk_buf_put(out, link->nonce, MPK_ID_LEN);
        }

        mpk_pack_int(out, link->items_count);

        for (n = 0; n < link->items_count; n++) {
            mpk_pack_int(out, link->items[n]);
        }
    }

    mpk_order_write_rare(order, out);
}


static void
mpk_order_write_field(const mpk_order_t *order, size_t field, mpk_buf_t *out)
{
    size_t  i;

    if (field == MPK_ORDER_CLAIMS) {
        mpk_claims_write(order->claims, order->claims_count, out);
        return;
    }

    if (field == MPK_ORDER_WITHDRAWALS) {
        mpk_withdrawals_write(order->withdrawals, order->withdrawals_count,
                              out);
        return;
    }

    mpk_pack_int(out, MPK_ORDER_VERSION);

    switch (field) {

    case MPK_ORDER_FILED:
        mpk_pack_int(out, (uint64_t) order->purchased_at);
        mpk_pack_str(out, order->locale);
        mpk_pack_str(out, order->email_hash);
        mpk_pack_str(out, order->account_hash);
        mpk_pack_str(out, order->digest);
        mpk_pack_str(out, order->data_key);
        mpk_pack_str(out, order->person);

        if (order->checkout.len) {
            mpk_pack_str(out, order->checkout);
        }

        break;

    case MPK_ORDER_ITEMS:
        mpk_pack_int(out, order->items_count);

        for (i = 0; i < order->items_count; i++) {
            mpk_pack_str(out, order->items[i].sku);
            mpk_pack_str(out, order->items[i].product);
        }

        for (i = 0; i < order->items_count; i++) {
            mpk_fit_write(order->items[i].fit, i + 1, out);
        }

        break;

    case MPK_ORDER_KEYS:
        mpk_pack_int(out, order->items_count);

        for (i = 0; i < order->items_count; i++) {
            mpk_pack_str(out, order->items[i].key);
        }
    }
}


void
mpk_person_write(const mpk_person_t *person, mpk_buf_t *out)
{
    mpk_pack_str(out, person->email);
    mpk_pack_str(out, person->account);
    mpk_pack_str(out, person->name);
    mpk_pack_str(out, person->purchase_ip);
    mpk_pack_str(out, person->device_id);
}


mpk_status_t
mpk_person_read(mpk_str_t value, mpk_person_t *person)
{
    mpk_unpack_t  in;

    mpk_unpack_init(&in, value);

    person->email = mpk_unpack_str(&in);
    person->account = mpk_unpack_str(&in);
    person->name = mpk_unpack_str(&in);
    person->purchase_ip = mpk_unpack_str(&in);
    person->device_id = mpk_unpack_str(&in);

    return mpk_unpack_done(&in) ? MPK_OK : MPK_MALFORMED;
}


mpk_status_t
mpk_person_open(mpk_crypto_t *crypto, mpk_mem_t *mem,
    const mpk_data_key_t *key, const mpk_order_t *order, size_t number,
    mpk_person_t *person)
{
    mpk_str_t     plain;
    mpk_place_t   place;
    mpk_status_t  status;

    place = (mpk_place_t) { order->id, mpk_string("person"), 0, 0 };

    status = mpk_envelope_open(crypto, mem, key, &place, order->person,
                               &plain);
    if (status == MPK_OK) {
        status = mpk_person_read(plain, person);
    }

    if (status == MPK_OK && number) {
        status = mpk_correction_open(crypto, mem, key, order->id, number,
                                     order->corrections[number - 1].email,
                                     &person->email);
    }

    return status;
}


/* Reads a decimal number followed by a blank; 0: malformed. */

static uint64_t
mpk_order_revision(mpk_unpack_t *in)
{
    uint64_t  n;
    uint8_t   byte;

    n = 0;

    while (in->p != in->end && n < MPK_ORDER_REVISION_MAX) {
        byte = *in->p++;

        if (byte == ' ') {
            return n;
        }

        if (byte < '0' || byte > '9' || (byte == '0' && n == 0)) {
            return 0;
        }

        n = n * 10 + (uint64_t) (byte - '0');
    }

    return 0;
}
