/* The encoding of orders and of the values in them: written and read back. */

#include <stdlib.h>

#include "mpk_bucket.h"
#include "mpk_lookup.h"
#include "mpk_order.h"
#include "mpk_pack.h"
#include "mpk_time.h"
#include "test.h"


static const char  ring[] =
    "{\"keys\":["
    "{\"kty\":\"oct\",\"use\":\"token\",\"alg\":\"HS256\",\"kid\":\"t1\",\"k\":\"dG9rZW4tdG9rZW4tdG9rZW4tdG9rZW4tdG9rZW4tdG8\"},"
    "{\"kty\":\"oct\",\"use\":\"wrap\",\"alg\":\"A256GCM\",\"kid\":\"w1\",\"k\":\"d3JhcC13cmFwLXdyYXAtd3JhcC13cmFwLXdyYXAtd3I\"},"
    "{\"kty\":\"oct\",\"use\":\"lookup\",\"alg\":\"HS256\",\"kid\":\"l1\",\"k\":\"bG9va3VwLWxvb2t1cC1sb29rdXAtbG9va3VwLWxvb2s\"},"
    "{\"kty\":\"oct\",\"use\":\"journal\",\"alg\":\"HS256\",\"kid\":\"%s\",\"k\":\"%s\"},"
    "%s"
    "{\"kty\":\"OKP\",\"use\":\"evidence\",\"alg\":\"EdDSA\",\"crv\":\"Ed25519\",\"kid\":\"e1\","
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\",\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"}]}";

static const char  j1[] = "am91cm5hbC1qb3VybmFsLWpvdXJuYWwtam91cm5hbC0";
static const char  j2[] = "c2Vjb25kLWpvdXJuYWwta2V5LXNlY29uZC1qb3VybmE";
static const char  older[] = "{\"kty\":\"oct\",\"use\":\"journal\",\"alg\":\"HS256\",\"kid\":\"j1\",\"k\":\"am91cm5hbC1qb3VybmFsLWpvdXJuYWwtam91cm5hbC0\"},";

static mpk_crypto_t  *crypto;


static mpk_crypto_t *
open_ring(mpk_keyring_t *keyring, const char *kid, const char *k, const char *more)
{
    int           n;
    char         *text;
    mpk_error_t   error;

    text = mpk_alloc(&test_mem, sizeof(ring) + 512);
    n = snprintf(text, sizeof(ring) + 512, ring, kid, k, more);

    if (mpk_keyring_read(&test_mem, (uint8_t *) text, (size_t) n, keyring, &error) != MPK_OK) {
        printf("# %s\n", error.text);
        exit(1);
    }

    return mpk_crypto_create(keyring);
}


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


static mpk_correction_t  corrections[3] = {
    { 1100, 1200, true, true, mpk_literal("AAAAAAAAAABBBBBBBBBBCCCCCCCCCC01"), mpk_literal("sealed 1") },
    { 1150, 1150, false, true, mpk_literal("AAAAAAAAAABBBBBBBBBBCCCCCCCCCC02"), mpk_literal("sealed 2") },
    { 1795910400, 1795990000, false, false, mpk_literal("AAAAAAAAAABBBBBBBBBBCCCCCCCCCC03"), mpk_literal("sealed 3") }
};


static mpk_order_t
make(size_t items, size_t links)
{
    size_t        i;
    uint16_t     *numbers;
    mpk_order_t   order;

    memset(&order, 0, sizeof(mpk_order_t));

    order.id = str("A-1");
    order.revision = 7;
    order.state = MPK_ORDER_READY;
    order.filed_at = 1000;
    order.released_at = 1001;
    order.cancel_reason = str("other");
    order.delivered_at = 1002;
    order.delivered_by = MPK_CHANNEL_TRACK;
    order.first_viewed_at = 1003;
    order.views = 3;
    order.at = 1795910400;
    order.day = 20786;
    order.day_views = 5;
    order.day_opened = 300;
    order.floor = 4999;
    order.imported = true;
    order.suspended_at = 1795910300;
    order.suspension = MPK_SUSPENSION_FRAUD;
    memset(order.suspend_digest, 6, MPK_MAC_LEN);
    memset(order.resume_digest, 7, MPK_MAC_LEN);
    order.pauses_count = 2;
    order.pauses[0] = (mpk_pause_t) { 1010, 1020 };
    order.pauses[1] = (mpk_pause_t) { 1030, 1795910200 };
    memset(order.mac, 5, MPK_MAC_LEN);
    order.corrections = corrections;
    order.corrections_count = 3;

    order.purchased_at = 900;
    order.locale = str("de-DE");
    order.email_hash = str("01234567890123456789012345678901");
    order.account_hash = str("");
    order.digest = str("98765432109876543210987654321098");
    order.data_key = str("wrapped");
    order.person = str("sealed");
    order.business = links % 2;
    order.checkout = str(items > 1 ? "sealed, too" : "");
    order.consents = items > 2 ? MPK_CONSENT_SUPPLY : 0;

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
        order.items[i].suspended = i + 1 == items;
        order.items[i].viewed_under = i % 4;

        if (i % 3 == 1) {
            order.items[i].fit = mpk_calloc(&test_mem, MPK_FIT_MAX * sizeof(mpk_str_t));
            order.items[i].fit[MPK_FIT_PLATFORM] = str("windows");
            order.items[i].fit[MPK_FIT_SUPPORT_URL] = str("https://maker.example/");
        }
    }

    order.links_count = links;
    order.links = mpk_calloc(&test_mem, links * sizeof(mpk_link_t) + 1);

    for (i = 0; i < links; i++) {
        memset(order.links[i].id, (int) i, MPK_ID_LEN);
        order.links[i].iat = (int64_t) i;
        order.links[i].exp = 5000;
        order.links[i].delivered = i % 3 == 0;
        order.links[i].revoked = i % 4 == 0;

        if (i % 2) {
            order.links[i].used_at = 77;
            order.links[i].used_revision = 6;
            order.links[i].repeats = i;
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
        order.claims[i].finding = i == 3 ? MPK_FINDING_GOODWILL : MPK_FINDING_NONE;
        order.claims[i].uploads = i == 4;
    }

    order.withdrawals_count = items % 7 / 2;
    order.withdrawals = mpk_calloc(&test_mem, order.withdrawals_count * sizeof(mpk_withdrawal_t) + 1);

    for (i = 0; i < order.withdrawals_count; i++) {
        numbers = mpk_alloc(&test_mem, 2 * sizeof(uint16_t));
        numbers[0] = 1;
        numbers[1] = (uint16_t) items;
        memset(order.withdrawals[i].id, (int) i, MPK_WITHDRAWAL_ID_LEN);
        order.withdrawals[i].state = (i + 1) % MPK_WITHDRAWAL_STATE_MAX;
        order.withdrawals[i].medium = i % MPK_MEDIUM_MAX;
        order.withdrawals[i].why = i % MPK_WHY_MAX;
        order.withdrawals[i].stated_at = 1006;
        order.withdrawals[i].decided_at = (int64_t) i * 300;
        order.withdrawals[i].granted = numbers;
        order.withdrawals[i].granted_count = i % 3;
        order.withdrawals[i].items = numbers;
        order.withdrawals[i].items_count = 2 - i % 3;
        order.withdrawals[i].digest = str("digest");
        order.withdrawals[i].detail = str("sealed");
        order.items[0].state = MPK_ITEM_WITHDRAWN;
    }

    return order;
}


/* all of an order's fields, without claims or withdrawals if it has none */
static void
fields(mpk_order_t *order, mpk_str_t f[MPK_ORDER_FIELDS])
{
    unsigned  changed;

    changed = 1 << MPK_ORDER_FILED | 1 << MPK_ORDER_ITEMS | 1 << MPK_ORDER_KEYS;

    if (order->claims_count) {
        changed |= 1 << MPK_ORDER_CLAIMS;
    }

    if (order->withdrawals_count) {
        changed |= 1 << MPK_ORDER_WITHDRAWALS;
    }

    if (mpk_order_write(crypto, &test_mem, order, changed, f) != MPK_OK) {
        exit(1);
    }
}


static bool
same(const mpk_str_t *a, const mpk_str_t *b)
{
    size_t  i;

    for (i = 0; i < MPK_ORDER_FIELDS; i++) {
        if (!mpk_str_eq(a[i], b[i])) {
            return false;
        }
    }

    return true;
}


static mpk_status_t
reread(const mpk_str_t *f, mpk_order_t *order)
{
    return mpk_order_read(crypto, &test_mem, str("A-1"), f, MPK_ORDER_ALL, order);
}


static void
test_order(size_t items, size_t links, const char *name)
{
    mpk_str_t    f[MPK_ORDER_FIELDS], g[MPK_ORDER_FIELDS];
    mpk_order_t  order, again, few;

    order = make(items, links);
    fields(&order, f);

    if (reread(f, &again) != MPK_OK) {
        ok(0, name);
        return;
    }

    fields(&again, g);

    ok(mpk_order_read_owner(crypto, &test_mem, order.id, f[0], f[1], &few) == MPK_OK && mpk_str_eq(few.email_hash, order.email_hash)
       && mpk_str_eq(mpk_order_email(&few, 1149), order.email_hash) && mpk_str_eq(mpk_order_email(&few, 1150), corrections[1].hash)
       && mpk_str_eq(mpk_order_email(&few, 1795990000), corrections[2].hash), "the owner can be read without the rest");

    ok(again.corrections_count == 3 && again.corrections[0].at == 1100 && again.corrections[0].stopped && again.corrections[0].show_viewed
       && !again.corrections[1].stopped && again.corrections[2].from == 1795990000 && !again.corrections[2].show_viewed
       && mpk_str_eq(again.corrections[2].email, str("sealed 3")) && again.items[0].viewed_under == 0
       && (items < 4 || again.items[3].viewed_under == 3), "corrections of its email are what they were");

    ok(mpk_order_read(crypto, &test_mem, order.id, f, MPK_ORDER_USUAL, &few) == MPK_OK && few.items[0].key.len == 0
       && mpk_str_eq(few.items[0].sku, str("SKU")), "an order can be read without its keys");

    ok(same(f, g) && again.revision == 7 && again.views == 3 && again.day_opened == 300 && again.at == order.at && again.day == 20786 && again.floor == 4999 && again.imported && again.delivered_by == MPK_CHANNEL_TRACK
       && again.items[0].state == order.items[0].state && again.withdrawals_count == order.withdrawals_count
       && again.suspended_at == order.suspended_at && again.suspension == MPK_SUSPENSION_FRAUD && again.items[items - 1].suspended
       && again.suspend_digest[31] == 6 && again.resume_digest[31] == 7 && again.pauses_count == 2 && again.pauses[1].to == 1795910200
       && (items < 2 || (again.items[0].fit == NULL && mpk_str_eq(again.items[1].fit[MPK_FIT_SUPPORT_URL], str("https://maker.example/"))))
       && (order.claims_count < 4 || (again.claims[3].finding == MPK_FINDING_GOODWILL && again.claims[2].finding == MPK_FINDING_NONE))
       && again.business == (links % 2) && again.consents == order.consents && mpk_str_eq(again.checkout, order.checkout)
       && again.links_count == links && again.items_count == items && mpk_str_eq(again.items[items - 1].key, str("key")), name);

    ok(again.guard.len && memcmp(f[0].data, again.guard.data, again.guard.len) == 0
       && memcmp(again.guard.data + again.guard.len - MPK_MAC_LEN - 3, "\2j1", 3) == 0, "its guard ends with the MAC");
}


/* Reads an order whose items end with these bytes: what they fit; told: the head says that there are some. */
static mpk_status_t
told_fits(const char *bytes, size_t len, bool told, mpk_order_t *again)
{
    mpk_str_t    f[MPK_ORDER_FIELDS], head[MPK_ORDER_FIELDS], some[MPK_FIT_MAX];
    mpk_order_t  order;

    /* the last product is written last, and its length of one byte before it: that becomes 0 */

    order = make(2, 0);
    order.items[0].fit = NULL;
    order.items[1].fit = NULL;
    order.items[1].product = (mpk_str_t) { len, (const uint8_t *) bytes };

    fields(&order, f);

    ((uint8_t *) f[MPK_ORDER_ITEMS].data)[f[MPK_ORDER_ITEMS].len - len - 1] = 0;
    (void) mpk_crypto_hash(crypto, f[MPK_ORDER_ITEMS], order.hashes[MPK_ORDER_ITEMS]);

    order.items[0].fit = told ? some : NULL;
    (void) mpk_order_write(crypto, &test_mem, &order, 0, head);
    f[MPK_ORDER_HEAD] = head[MPK_ORDER_HEAD];

    return reread(f, again);
}


static mpk_status_t
fits(const char *bytes, size_t len, mpk_order_t *again)
{
    return told_fits(bytes, len, len != 0, again);
}


static void
test_fits(void)
{
    size_t       i;
    mpk_order_t  again;

    static const struct {
        const char    *bytes;
        size_t         len;
        mpk_status_t   status;
    } bad[] = {
        { "\0\1\1w", 4, MPK_FORGED },               /* no item */
        { "\3\1\1w", 4, MPK_FORGED },               /* the order has two */
        { "\1\0\1w", 4, MPK_FORGED },               /* no tag */
        { "\1\1\0", 3, MPK_FORGED },                /* no text */
        { "\1\1\2w", 4, MPK_FORGED },               /* cut off */
        { "\1\1", 2, MPK_FORGED },
        { "\1", 1, MPK_FORGED },
        { "\1\1\1w\1\1\1w", 8, MPK_FORGED },        /* twice */
        { "\1\2\1w\1\1\1w", 8, MPK_FORGED },        /* not ascending */
        { "\2\1\1w\1\2\1w", 8, MPK_FORGED },
        { "\1\6\1w", 4, MPK_NEWER },
    };

    ok(fits("", 0, &again) == MPK_OK && again.items[0].fit == NULL && mpk_item_fit(&again.items[0], MPK_FIT_PLATFORM).len == 0,
       "an order from before says nothing of what its items fit");

    ok(fits("\1\2\1e\2\1\1w\2\5\1u", 12, &again) == MPK_OK && mpk_str_eq(mpk_item_fit(&again.items[0], MPK_FIT_EDITION), str("e"))
       && mpk_str_eq(mpk_item_fit(&again.items[1], MPK_FIT_PLATFORM), str("w")) && mpk_item_fit(&again.items[1], MPK_FIT_REQUIRES).len == 0
       && mpk_str_eq(mpk_item_fit(&again.items[1], MPK_FIT_SUPPORT_URL), str("u")), "what items fit is read");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(fits(bad[i].bytes, bad[i].len, &again) == bad[i].status, "what is not written so is not read");
    }

    ok(told_fits("\1\1\1w", 4, false, &again) == MPK_FORGED && told_fits("", 0, true, &again) == MPK_FORGED,
       "the head says whether there is any, so that a release that can't read it knows");
}


/* Reads an order whose head and field f say these things of the checkout, each under a MAC that holds. */
static mpk_status_t
told_checkout(bool business, const char *checkout, unsigned consents, const char *filed, size_t len, mpk_order_t *again)
{
    mpk_buf_t    buf;
    mpk_str_t    f[MPK_ORDER_FIELDS], head[MPK_ORDER_FIELDS];
    mpk_order_t  order;

    order = make(2, 0);
    order.checkout = str("");
    fields(&order, f);

    mpk_buf_init(&buf, &test_mem, 0);
    mpk_buf_str(&buf, f[MPK_ORDER_FILED]);
    mpk_buf_put(&buf, filed, len);
    f[MPK_ORDER_FILED] = mpk_buf_done(&buf);
    (void) mpk_crypto_hash(crypto, f[MPK_ORDER_FILED], order.hashes[MPK_ORDER_FILED]);

    order.business = business;
    order.checkout = str(checkout);
    order.consents = consents;
    (void) mpk_order_write(crypto, &test_mem, &order, 0, head);
    f[MPK_ORDER_HEAD] = head[MPK_ORDER_HEAD];

    return reread(f, again);
}


static void
test_checkout(void)
{
    mpk_str_t    f[MPK_ORDER_FIELDS], g[MPK_ORDER_FIELDS];
    mpk_order_t  order, again;

    ok(told_checkout(false, "", 0, "", 0, &again) == MPK_OK && !again.business && again.consents == 0 && again.checkout.len == 0,
       "an order from before says nothing of the checkout");
    ok(told_checkout(true, "", 0, "", 0, &again) == MPK_OK && again.business && again.checkout.len == 0, "a business need not have accepted anything");
    ok(told_checkout(false, "x", 0, "\1x", 2, &again) == MPK_OK && !again.business && again.consents == 0 && mpk_str_eq(again.checkout, str("x")),
       "what was accepted is read");
    ok(told_checkout(true, "x", MPK_CONSENT_SUPPLY, "\1x", 2, &again) == MPK_OK && again.business && again.consents == MPK_CONSENT_SUPPLY,
       "with the consents, that need not be opened");

    ok(told_checkout(false, "", 0, "\1x", 2, &again) == MPK_FORGED && told_checkout(true, "", 0, "\1x", 2, &again) == MPK_FORGED
       && told_checkout(false, "x", 0, "", 0, &again) == MPK_FORGED,
       "the head says whether there is any, so that a release that can't read it knows");
    ok(told_checkout(false, "", MPK_CONSENT_SUPPLY, "", 0, &again) == MPK_FORGED, "there are no consents without it");
    ok(told_checkout(false, "x", 0, "\0", 1, &again) == MPK_FORGED && told_checkout(false, "x", 0, "\2x", 2, &again) == MPK_FORGED
       && told_checkout(false, "x", 0, "\1xx", 3, &again) == MPK_FORGED, "what is not written so is not read");

    order = make(2, 0);
    order.checkout = str("");
    fields(&order, f);
    order.checkout = str("x");
    fields(&order, g);
    ok(g[MPK_ORDER_HEAD].len == f[MPK_ORDER_HEAD].len + 2 && g[MPK_ORDER_FILED].len == f[MPK_ORDER_FILED].len + 2,
       "an order without it is not a byte longer");
}


/* Reads an order of two claims, its field c ending with these bytes; told: the head says that there are some. */
static mpk_status_t
told_claims(const char *bytes, size_t len, bool told, mpk_order_t *again)
{
    mpk_buf_t    buf;
    mpk_str_t    f[MPK_ORDER_FIELDS], head[MPK_ORDER_FIELDS];
    mpk_order_t  order;

    order = make(2, 0);
    fields(&order, f);

    mpk_buf_init(&buf, &test_mem, 0);
    mpk_buf_str(&buf, f[MPK_ORDER_CLAIMS]);
    mpk_buf_put(&buf, bytes, len);
    f[MPK_ORDER_CLAIMS] = mpk_buf_done(&buf);
    (void) mpk_crypto_hash(crypto, f[MPK_ORDER_CLAIMS], order.hashes[MPK_ORDER_CLAIMS]);

    order.claims[0].uploads = told;
    (void) mpk_order_write(crypto, &test_mem, &order, 0, head);
    f[MPK_ORDER_HEAD] = head[MPK_ORDER_HEAD];

    return reread(f, again);
}


static void
test_claims(void)
{
    size_t       i;
    mpk_str_t    f[MPK_ORDER_FIELDS], g[MPK_ORDER_FIELDS];
    mpk_order_t  order, again;

    static const struct {
        const char    *bytes;
        size_t         len;
        mpk_status_t   status;
    } bad[] = {
        { "\0\1\1", 3, MPK_FORGED },               /* no claim */
        { "\3\1\1", 3, MPK_FORGED },               /* there are two */
        { "\1\0\1", 3, MPK_FORGED },               /* no tag */
        { "\1\1\0", 3, MPK_FORGED },               /* no value */
        { "\1\2\0", 3, MPK_FORGED },
        { "\1\3\0", 3, MPK_FORGED },
        { "\1\4\0", 3, MPK_FORGED },
        { "\1\5\0", 3, MPK_FORGED },
        { "\1\1\4", 3, MPK_FORGED },               /* no finding */
        { "\1\5\2w", 4, MPK_FORGED },              /* cut off */
        { "\1\1", 2, MPK_FORGED },
        { "\1", 1, MPK_FORGED },
        { "\1\1\1\1\1\1", 6, MPK_FORGED },         /* twice */
        { "\1\2\1\1\1\1", 6, MPK_FORGED },         /* not ascending */
        { "\2\1\1\1\2\1", 6, MPK_FORGED },
        { "\1\6\1", 3, MPK_NEWER },
    };

    ok(told_claims("", 0, false, &again) == MPK_OK && again.claims[1].finding == MPK_FINDING_NONE && again.claims[1].noted.len == 0,
       "claims from before have no finding");
    ok(told_claims("\1\1\1\1\2\7\1\5\2ab\2\3\11\2\4\2", 17, true, &again) == MPK_OK
       && again.claims[0].finding == MPK_FINDING_DEFECTIVE && again.claims[0].received_at == 7 && mpk_str_eq(again.claims[0].noted, str("ab"))
       && again.claims[1].answered_at == 9 && again.claims[1].uploads == 2, "what few claims have is read");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(told_claims(bad[i].bytes, bad[i].len, true, &again) == bad[i].status, "what is not written so is not read");
    }

    ok(told_claims("\1\1\1", 3, false, &again) == MPK_FORGED && told_claims("", 0, true, &again) == MPK_FORGED,
       "the head says whether there is any, so that a release that can't read it knows");

    order = make(2, 0);
    fields(&order, f);
    order.claims[1].answered_at = 9;
    fields(&order, g);
    ok(g[MPK_ORDER_HEAD].len == f[MPK_ORDER_HEAD].len + 1 && g[MPK_ORDER_CLAIMS].len == f[MPK_ORDER_CLAIMS].len + 3,
       "an order without it is not a byte longer");
}


static void
test_detail(void)
{
    mpk_buf_t     buf;
    mpk_str_t     plain;
    mpk_detail_t  detail, again;

    memset(&detail, 0, sizeof(mpk_detail_t));
    detail.name = str("Ann");
    detail.note = str("note");

    mpk_buf_init(&buf, &test_mem, 0);
    mpk_detail_write(&detail, &buf);
    plain = mpk_buf_done(&buf);
    ok(plain.len == 10
       && mpk_detail_read(plain, &again) == MPK_OK && mpk_str_eq(again.note, str("note")) && again.answer.len == 0,
       "what people wrote is as long as before");

    detail.exception = str("why");
    mpk_buf_init(&buf, &test_mem, 0);
    mpk_detail_write(&detail, &buf);
    plain = mpk_buf_done(&buf);
    ok(plain.len == 15 && mpk_detail_read(plain, &again) == MPK_OK && mpk_str_eq(again.exception, str("why"))
       && again.finding.len == 0 && again.answer.len == 0, "what there is more of follows");

    plain.len--;
    ok(mpk_detail_read(plain, &again) == MPK_MALFORMED, "cut, it is not read");
    ok(mpk_detail_read((mpk_str_t) { 4, (const uint8_t *) "\0\0\0\0" }, &again) == MPK_MALFORMED
       && mpk_detail_read((mpk_str_t) { 3, (const uint8_t *) "\0\0\0" }, &again) == MPK_OK
       && mpk_detail_read((mpk_str_t) { 2, (const uint8_t *) "\0\0" }, &again) == MPK_MALFORMED
       && mpk_detail_read((mpk_str_t) { 14, (const uint8_t *) "\0\0\0\1a\1b\1c\1d\0\0\0" }, &again) == MPK_MALFORMED,
       "nor what is not written so");
}


/* replaces field n by other bytes, and reads the order again */
static mpk_status_t
changed(const mpk_str_t *f, size_t n, const void *bytes, size_t len)
{
    mpk_str_t    g[MPK_ORDER_FIELDS];
    mpk_order_t  order;

    memcpy(g, f, sizeof(g));
    g[n] = (mpk_str_t) { len, bytes };

    return reread(g, &order);
}


static void
test_tampering(mpk_crypto_t *rotated, mpk_crypto_t *foreign)
{
    bool           fine;
    size_t         n, i;
    uint8_t       *p;
    mpk_str_t      f[MPK_ORDER_FIELDS], g[MPK_ORDER_FIELDS], later[MPK_ORDER_FIELDS];
    mpk_order_t    order, again;
    mpk_crypto_t  *mine;

    static const char  *revisions[] = { "", "0", "07", "x", "-7", "7x", "8", "99999999999999999999" };

    order = make(3, 5);
    fields(&order, f);

    for (n = 0; n < MPK_ORDER_FIELDS; n++) {
        for (i = 0, fine = true; i < f[n].len; i++) {
            fine &= changed(f, n, f[n].data, i) == MPK_FORGED;
        }

        ok(fine, "a field that is cut anywhere is not authentic");

        for (i = 0, fine = true; i < f[n].len * 8; i++) {
            p = mpk_alloc(&test_mem, f[n].len);
            memcpy(p, f[n].data, f[n].len);
            p[i / 8] ^= (uint8_t) (1 << i % 8);

            /* another key's id, and a later version, are what they say */

            switch (changed(f, n, p, f[n].len)) {

            case MPK_FORGED:
                break;

            case MPK_UNKNOWN:
                fine &= n == 0 && i / 8 >= 3 && i / 8 < 5;
                break;

            case MPK_NEWER:
                fine &= n == 0;
                break;

            default:
                fine = false;
            }
        }

        ok(fine, "with any bit flipped it is never read");

        p = mpk_alloc(&test_mem, f[n].len + 1);
        memcpy(p, f[n].data, f[n].len);
        p[f[n].len] = 0;
        ok(changed(f, n, p, f[n].len + 1) == MPK_FORGED, "with a byte more it is not authentic");

        if (n) {
            ok(changed(f, n, NULL, 0) == MPK_FORGED, "without a field it is not authentic");
            ok(changed(f, n, "", 0) == MPK_FORGED, "nor with an empty one");
        }
    }

    for (i = 0; i < sizeof(revisions) / sizeof(revisions[0]); i++) {
        p = mpk_alloc(&test_mem, strlen(revisions[i]) + f[0].len - 1);
        memcpy(p, revisions[i], strlen(revisions[i]));
        memcpy(p + strlen(revisions[i]), f[0].data + 1, f[0].len - 1);
        ok(changed(f, 0, p, strlen(revisions[i]) + f[0].len - 1) == MPK_FORGED, "another revision is not authentic");
    }

    ok(mpk_order_read(crypto, &test_mem, str("A-2"), f, MPK_ORDER_ALL, &again) == MPK_FORGED, "nor is another order's");

    /* a field of an earlier or a later revision */

    order.revision++;
    order.purchased_at++;
    order.items[0].sku = str("other");
    order.items[0].key = str("other");
    order.claims[0].state = MPK_CLAIM_REJECTED;
    order.withdrawals[0].state = MPK_WITHDRAWAL_REJECTED;
    fields(&order, later);

    for (n = 0; n < MPK_ORDER_FIELDS; n++) {
        ok(changed(f, n, later[n].data, later[n].len) == MPK_FORGED, "a field of another revision does not go with the others");
    }

    ok(reread(later, &again) == MPK_OK, "all of them together do: a rollback is not found here");

    ok(mpk_order_read_owner(crypto, &test_mem, order.id, f[0], later[1], &again) == MPK_FORGED, "an owner of another revision is not authentic");
    ok(mpk_order_read_owner(crypto, &test_mem, str("A-2"), f[0], f[1], &again) == MPK_FORGED, "nor is another order's");
    ok(mpk_order_read_owner(crypto, &test_mem, order.id, (mpk_str_t) { 0, NULL }, f[1], &again) == MPK_MISSING, "an order without a head has none");

    /* an unchanged field keeps its hash */

    order = make(3, 5);
    fields(&order, f);
    (void) reread(f, &again);
    again.revision++;
    ok(mpk_order_write(crypto, &test_mem, &again, 0, g) == MPK_OK && g[1].data == NULL && g[4].data == NULL
       && changed(f, 0, g[0].data, g[0].len) == MPK_OK, "a head is written without the fields that stay");

    /* keys */

    mine = crypto;
    crypto = rotated;
    ok(reread(f, &again) == MPK_OK, "an older key still verifies");
    crypto = foreign;
    ok(reread(f, &again) == MPK_UNKNOWN && mpk_str_eq(again.kid, str("j1")), "of a key that is not there, the id is told");
    crypto = mine;

    f[0] = (mpk_str_t) { 0, NULL };
    ok(reread(f, &again) == MPK_OK && again.state == MPK_ORDER_ABSENT && again.guard.len == 0,
       "an order without a head is absent");
}


/* Reads an order whose head ends as given, under a MAC that holds. */

static mpk_status_t
ending(const mpk_order_t *order, const mpk_str_t *f, size_t at, const char *end, size_t len)
{
    uint8_t    *p, mac[MPK_MAC_LEN];
    mpk_buf_t   covered;
    mpk_str_t   parts[2];

    p = mpk_alloc(&test_mem, f[0].len - 1 + len);
    memcpy(p, f[0].data, f[0].len - 1);
    memcpy(p + f[0].len - 1, end, len);

    mpk_buf_init(&covered, &test_mem, 64);
    mpk_buf_lit(&covered, "mpk order 2");
    mpk_pack_str(&covered, order->id);
    mpk_pack_int(&covered, order->revision);

    parts[0] = mpk_buf_done(&covered);
    parts[1] = (mpk_str_t) { f[0].len - 1 + len - at, p + at };

    if (mpk_crypto_mac(crypto, mpk_keyring_current(mpk_crypto_keyring(crypto), MPK_USE_JOURNAL), parts, 2, mac) != MPK_OK) {
        exit(1);
    }

    memcpy(p + at - MPK_MAC_LEN, mac, MPK_MAC_LEN);

    return changed(f, 0, p, f[0].len - 1 + len);
}


static void
test_newer(void)
{
    size_t       at;
    uint8_t     *p;
    mpk_str_t    f[MPK_ORDER_FIELDS];
    mpk_order_t  order;

    order = make(1, 0);
    order.suspended_at = 0;
    order.pauses_count = 0;
    order.corrections_count = 0;
    fields(&order, f);
    ok(f[MPK_ORDER_WITHDRAWALS].data == NULL, "an order without withdrawals has no field for them");

    at = 2 + 3 + MPK_MAC_LEN;

    p = mpk_alloc(&test_mem, f[0].len);
    memcpy(p, f[0].data, f[0].len);
    p[at] = 3;
    ok(changed(f, 0, p, f[0].len) == MPK_NEWER, "what a newer release wrote is said to be so");
    p[at] = 1;
    ok(changed(f, 0, p, f[0].len) == MPK_FORGED, "an older version is not authentic");

    ok(ending(&order, f, at, "\1", 1) == MPK_OK && ending(&order, f, at, "", 0) == MPK_OK, "a head may end with a rare member, or without");
    ok(ending(&order, f, at, "\77", 1) == MPK_NEWER && ending(&order, f, at, "\1\77", 2) == MPK_NEWER, "with one that is not known it is of a newer release");
    ok(ending(&order, f, at, "\1\5\0\0", 4) == MPK_FORGED && ending(&order, f, at, "\1\5\13", 3) == MPK_FORGED, "corrections of its email are some, and not too many");
    ok(ending(&order, f, at, "\1\1", 2) == MPK_FORGED && ending(&order, f, at, "\0", 1) == MPK_FORGED, "each is there once, and has a tag");
}


static void
test_erased(void)
{
    mpk_str_t    f[MPK_ORDER_FIELDS];
    mpk_order_t  order, again;

    order = make(0, 0);
    order.state = MPK_ORDER_ERASED;
    order.erased_at = 1005;
    order.gone = 6;
    memset(order.gone_mac, 8, MPK_MAC_LEN);

    ok(mpk_order_write(crypto, &test_mem, &order, 0, f) == MPK_OK && f[1].data == NULL && f[2].data == NULL
       && reread(f, &again) == MPK_OK && again.state == MPK_ORDER_ERASED
       && again.erased_at == 1005 && again.gone == 6 && again.gone_mac[31] == 8 && again.imported && again.first_viewed_at == 1003,
       "an erased order is read without the fields that have gone");
    ok(mpk_order_read_owner(crypto, &test_mem, order.id, f[0], f[1], &again) == MPK_MISSING, "it has no owner");
    ok(changed(f, 1, "x", 1) == MPK_FORGED, "a field that came back is not authentic");
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
    mpk_crypto_t  *rotated, *foreign;

    static mpk_keyring_t  k1, k2, k3;

    crypto = open_ring(&k1, "j1", j1, "");
    rotated = open_ring(&k2, "j2", j2, older);
    foreign = open_ring(&k3, "j2", j2, "");

    test_pack();
    test_order(1, 0, "an order with one item");
    test_order(3, 12, "an order with links");
    test_order(500, 256, "an order with 500 items and 256 links");
    test_fits();
    test_checkout();
    test_tampering(rotated, foreign);
    test_claims();
    test_detail();
    test_newer();
    test_erased();
    test_buckets();
    test_time();

    mpk_crypto_free(crypto);
    mpk_crypto_free(rotated);
    mpk_crypto_free(foreign);

    return done_testing();
}
