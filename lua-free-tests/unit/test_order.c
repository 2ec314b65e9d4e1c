/* The encoding of orders and of the values in them: written and read back. */

#include "mpk_bucket.h"
#include "mpk_order.h"
#include "mpk_pack.h"
#include "mpk_time.h"
#include "test.h"


static mpk_str_t
str(const char *s)
{
    return (mpk_str_t) { strlen(s), (const uint8_t *) s };
}


static void
test_pack(void)
{
    size_t        i;
    mpk_buf_t     buf;
    mpk_str_t     s;
    mpk_unpack_t  in;

    static const uint64_t  numbers[] = {
        0, 1, 127, 128, 16383, 16384, UINT32_MAX, INT64_MAX, UINT64_MAX
    };

    static const struct {
        const char  *bytes;
        size_t       len;
        const char  *name;
    } bad[] = {
        { "", 0, "an empty input is refused" },
        { "\x80", 1, "a truncated integer is refused" },
        { "\x80\x00", 2, "a longer form of an integer is refused" },
        { "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10, "an integer over 64 bits is refused" },
        { "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11, "an integer of 11 bytes is refused" },
    };

    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        mpk_buf_init(&buf, &test_mem, 0);
        mpk_pack_int(&buf, numbers[i]);
        mpk_unpack_init(&in, mpk_buf_done(&buf));
        ok(mpk_unpack_int(&in) == numbers[i] && mpk_unpack_done(&in), "an integer is read as it was written");
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        mpk_unpack_init(&in, (mpk_str_t) { bad[i].len, (const uint8_t *) bad[i].bytes });
        (void) mpk_unpack_int(&in);
        ok(in.failed, bad[i].name);
    }

    mpk_unpack_init(&in, str("\x05" "abc"));
    s = mpk_unpack_str(&in);
    ok(in.failed && s.len == 0, "a truncated string is refused");
    ok(mpk_unpack_int(&in) == 0 && in.failed, "and so is what follows");
}


static mpk_order_t
make(size_t items, size_t links)
{
    size_t        i;
    uint16_t     *numbers;
    mpk_order_t   order;

    memset(&order, 0, sizeof(mpk_order_t));

    order.id = str("A-1");
    order.revision = 7;
    order.entries = str("1795453178995-0 1795453178997-12 ");
    order.state = MPK_ORDER_READY;
    order.filed_at = 1000;
    order.released_at = 1001;
    order.cancel_reason = str("other");
    order.delivered_at = 1002;
    order.delivered_by = MPK_CHANNEL_TRACK;
    order.first_viewed_at = 1003;
    order.views = 3;
    memset(order.mac, 5, MPK_MAC_LEN);

    order.purchased_at = 900;
    order.locale = str("de-DE");
    order.email_hash = str("01234567890123456789012345678901");
    order.account_hash = str("");
    order.digest = str("98765432109876543210987654321098");
    order.data_key = str("wrapped");
    order.person = str("sealed");

    order.items_count = items;
    order.items = mpk_calloc(&test_mem, items * sizeof(mpk_item_t) + 1);

    for (i = 0; i < items; i++) {
        order.items[i].state = i % 2;
        order.items[i].generation = 1 + i;
        order.items[i].since = i;
        order.items[i].viewed_at = (int64_t) i * 1000;
        order.items[i].sku = str("SKU");
        order.items[i].product = str("Product");
        order.items[i].key = str("key");
    }

    order.links_count = links;
    order.links = mpk_calloc(&test_mem, links * sizeof(mpk_link_t) + 1);

    for (i = 0; i < links; i++) {
        memset(order.links[i].id, (int) i, MPK_ID_LEN);
        order.links[i].iat = (int64_t) i;
        order.links[i].exp = 5000;
        order.links[i].opened = i;
        order.links[i].delivered = i % 3 == 0;

        if (i % 2) {
            order.links[i].used_at = 77;
            order.links[i].used_revision = 6;
            memset(order.links[i].nonce, 9, MPK_ID_LEN);
        }

        if (i % 5 == 0 && items) {
            numbers = mpk_alloc(&test_mem, sizeof(uint16_t));
            numbers[0] = (uint16_t) items;
            order.links[i].items = numbers;
            order.links[i].items_count = 1;
        }
    }

    order.claims_count = items ? items % 7 : 0;
    order.claims = mpk_calloc(&test_mem, order.claims_count * sizeof(mpk_claim_t) + 1);

    for (i = 0; i < order.claims_count; i++) {
        order.claims[i].item = (uint16_t) (i % items + 1);
        order.claims[i].generation = 1 + i;
        order.claims[i].state = i % MPK_CLAIM_STATE_MAX;
        order.claims[i].category = i % MPK_CATEGORY_MAX;
        order.claims[i].reason = i % MPK_REASON_MAX;
        order.claims[i].opened_at = 1004;
        order.claims[i].decided_at = (int64_t) i * 300;
        order.claims[i].digest = str("digest");
        order.claims[i].old_key = str(i % 2 ? "old" : "");
        order.claims[i].detail = str("sealed");
        memset(order.claims[i].token_id, (int) i, MPK_CLAIM_ID_LEN);
    }

    return order;
}


static void
fields(const mpk_order_t *order, mpk_str_t f[MPK_ORDER_FIELDS])
{
    mpk_buf_t  head, filed, items, claims;

    mpk_buf_init(&head, &test_mem, 0);
    mpk_buf_init(&filed, &test_mem, 0);
    mpk_buf_init(&items, &test_mem, 0);
    mpk_buf_init(&claims, &test_mem, 0);

    mpk_order_write_head(order, &head);
    mpk_order_write_filed(order, &filed);
    mpk_order_write_items(order, &items);
    mpk_claims_write(order->claims, order->claims_count, &claims);

    f[0] = mpk_buf_done(&head);
    f[1] = mpk_buf_done(&filed);
    f[2] = mpk_buf_done(&items);
    f[3] = mpk_buf_done(&claims);
}


static bool
same(const mpk_str_t a[MPK_ORDER_FIELDS], const mpk_str_t b[MPK_ORDER_FIELDS])
{
    return mpk_str_eq(a[0], b[0]) && mpk_str_eq(a[1], b[1]) && mpk_str_eq(a[2], b[2])
           && mpk_str_eq(a[3], b[3]);
}


static void
test_order(size_t items, size_t links, const char *name)
{
    mpk_str_t    f[MPK_ORDER_FIELDS], g[MPK_ORDER_FIELDS], owner;
    mpk_order_t  order, again;

    order = make(items, links);
    fields(&order, f);

    if (mpk_order_read(&test_mem, order.id, f, &again) != MPK_OK) {
        ok(0, name);
        return;
    }

    fields(&again, g);

    ok(mpk_order_read_owner(f[1], &owner) == MPK_OK && mpk_str_eq(owner, order.email_hash)
       && mpk_order_read_owner((mpk_str_t) { f[1].len - 1, f[1].data }, &owner) == MPK_MALFORMED
       && mpk_order_read_owner((mpk_str_t) { 0, NULL }, &owner) == MPK_MALFORMED,
       "the owner can be read without the rest");

    ok(same(f, g) && again.revision == 7 && mpk_str_eq(again.entries, order.entries) && again.views == 3 && again.delivered_by == MPK_CHANNEL_TRACK
       && again.links_count == links && again.items_count == items, name);
}


/* Any bytes in Redis are read or refused; what is read is written back as the same bytes. */

static void
test_damage(void)
{
    bool          fine;
    size_t        n, i, whole;
    uint8_t      *p;
    mpk_str_t     f[MPK_ORDER_FIELDS], g[MPK_ORDER_FIELDS], h[MPK_ORDER_FIELDS];
    mpk_order_t   order, again;
    mpk_status_t  status;

    static const char  *revisions[] = { "", "0", "07", "x", "-7", "7x", "99999999999999999999" };

    order = make(3, 5);
    fields(&order, f);
    fine = true;

    for (n = 0; n < MPK_ORDER_FIELDS; n++) {

        whole = f[n].len - (n == 0 ? order.entries.len : 0);

        for (i = 0; i < whole; i++) {
            memcpy(g, f, sizeof(g));

            p = mpk_alloc(&test_mem, i + 1);
            memcpy(p, f[n].data, i);
            g[n] = (mpk_str_t) { i, p };

            fine &= mpk_order_read(&test_mem, order.id, g, &again) == MPK_MALFORMED;
        }

        ok(fine, "a field truncated anywhere is refused");

        for (i = 0; i < f[n].len * 4; i++) {
            memcpy(g, f, sizeof(g));

            p = mpk_alloc(&test_mem, f[n].len);
            memcpy(p, f[n].data, f[n].len);
            p[i / 4] ^= (uint8_t) (1 << (i % 4) * 2);
            g[n] = (mpk_str_t) { f[n].len, p };

            status = mpk_order_read(&test_mem, order.id, g, &again);

            if (status == MPK_OK) {
                fields(&again, h);
                fine &= same(g, h);
            }
        }

        ok(fine, "a field with a flipped bit is refused, or written back as read");
    }

    memcpy(g, f, sizeof(g));
    g[1] = (mpk_str_t) { 0, NULL };
    ok(mpk_order_read(&test_mem, order.id, g, &again) == MPK_MALFORMED, "an order without a field is refused");
    memcpy(g, f, sizeof(g));

    for (i = 0; i < sizeof(revisions) / sizeof(revisions[0]); i++) {
        p = mpk_alloc(&test_mem, strlen(revisions[i]) + f[0].len - 1);
        memcpy(p, revisions[i], strlen(revisions[i]));
        memcpy(p + strlen(revisions[i]), f[0].data + 1, f[0].len - 1);
        g[0] = (mpk_str_t) { strlen(revisions[i]) + f[0].len - 1, p };
        ok(mpk_order_read(&test_mem, order.id, g, &again) == MPK_MALFORMED, "a revision that is not a number is refused");
    }

    g[0] = (mpk_str_t) { 0, NULL };
    ok(mpk_order_read(&test_mem, order.id, g, &again) == MPK_OK && again.state == MPK_ORDER_ABSENT,
       "an order without a head is absent");
}


static void
test_erased(void)
{
    mpk_buf_t    head;
    mpk_str_t    f[MPK_ORDER_FIELDS];
    mpk_order_t  order, again;

    memset(f, 0, sizeof(f));

    order = make(0, 0);
    order.state = MPK_ORDER_ERASED;
    order.erased_at = 1005;
    order.gone = 6;
    memset(order.gone_mac, 8, MPK_MAC_LEN);

    mpk_buf_init(&head, &test_mem, 0);
    mpk_order_write_head(&order, &head);

    f[0] = mpk_buf_done(&head);

    ok(mpk_order_read(&test_mem, order.id, f, &again) == MPK_OK && again.state == MPK_ORDER_ERASED
       && again.erased_at == 1005 && again.gone == 6 && again.gone_mac[31] == 8 && again.first_viewed_at == 1003,
       "an erased order is read without the fields that have gone");
}


static void
test_buckets(void)
{
    bool       good;
    size_t     i;
    unsigned   b, masters, counts[64];
    mpk_str_t  tag;

    static const unsigned  sizes[] = { 3, 6, 16, 64 };

    ok(mpk_crc16((const uint8_t *) "123456789", 9) == 0x31c3, "CRC16 as Redis Cluster has it");

    for (b = 0, good = true; b < MPK_BUCKETS; b++) {
        tag = mpk_bucket_tag(b);
        good &= mpk_crc16(tag.data, tag.len) % 16384 / 256 == b;
    }

    ok(good, "each tag lies in its own range of 256 slots");

    for (i = 0; i < 4; i++) {
        masters = sizes[i];
        memset(counts, 0, sizeof(counts));

        for (b = 0; b < MPK_BUCKETS; b++) {
            tag = mpk_bucket_tag(b);
            counts[(unsigned) (mpk_crc16(tag.data, tag.len) % 16384) * masters / 16384]++;
        }

        for (b = 0, good = true; b < masters; b++) {
            good &= counts[b] >= 64 / masters && counts[b] <= 64 / masters + 1;
        }

        ok(good, "the buckets spread evenly over the masters of a cluster");
    }
}


static void
test_time(void)
{
    size_t   i;
    int64_t  t;
    uint8_t  text[MPK_TIME_LEN];

    static const struct {
        const char  *text;
        int64_t      seconds;
    } times[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "2000-02-29T23:59:59Z", 951868799 },
        { "2026-11-23T08:15:30Z", 1795421730 },
        { "2100-03-01T00:00:00Z", 4107542400 },
        { "9999-12-31T23:59:59Z", MPK_TIME_MAX },
    };

    static const char  *bad[] = {
        "", "2026", "2026-11-23", "2026-11-23T08:15:30", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z", "2026-11-31T00:00:00Z", "2026-00-10T00:00:00Z", "2026-11-00T00:00:00Z",
        "2026-11-23T24:00:00Z", "2026-11-23T08:60:00Z", "2026-11-23T08:15:61Z", "2026-11-23T08:15:30.Z",
        "2026-11-23T08:15:30+2:00", "2026-11-23T08:15:30+02:60", "2026-11-23T08:15:30ZZ", "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01", "+026-11-23T08:15:30Z", " 2026-11-23T08:15:30Z"
    };

    for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        mpk_time_format(times[i].seconds, text);
        ok(memcmp(text, times[i].text, MPK_TIME_LEN) == 0
           && mpk_time_read(str(times[i].text), &t) == MPK_OK && t == times[i].seconds, times[i].text);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(mpk_time_read(str(bad[i]), &t) == MPK_MALFORMED, "what is not a time is refused");
    }

    ok(mpk_time_read(str("2026-11-23t10:15:30.123456+02:00"), &t) == MPK_OK && t == 1795421730, "an offset and a fraction are read");
    ok(mpk_time_read(str("2026-11-23 03:15:30-05:00"), &t) == MPK_OK && t == 1795421730, "so is one to the west");
    ok(mpk_time_read(str("2016-12-31T23:59:60Z"), &t) == MPK_OK && t == 1483228799, "a leap second counts as the one before");
}


int
main(void)
{
    test_pack();
    test_order(1, 0, "an order with one item");
    test_order(3, 12, "an order with links");
    test_order(500, 256, "an order with 500 items and 256 links");
    test_damage();
    test_erased();
    test_buckets();
    test_time();

    return done_testing();
}
