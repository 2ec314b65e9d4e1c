/* Filing an order: what is refused, and how the rest is sealed. */

#include "mpk_errors.h"
#include "mpk_filing.h"
#include "mpk_json.h"
#include "mpk_lookup.h"
#include "test.h"


static const char  ring[] =
    "{\"keys\":["
    "{\"kty\":\"oct\",\"use\":\"token\",\"alg\":\"HS256\",\"kid\":\"t1\",\"k\":\"dG9rZW4tdG9rZW4tdG9rZW4tdG9rZW4tdG9rZW4tdG8\"},"
    "{\"kty\":\"oct\",\"use\":\"wrap\",\"alg\":\"A256GCM\",\"kid\":\"w1\",\"k\":\"d3JhcC13cmFwLXdyYXAtd3JhcC13cmFwLXdyYXAtd3I\"},"
    "{\"kty\":\"oct\",\"use\":\"lookup\",\"alg\":\"HS256\",\"kid\":\"l1\",\"k\":\"bG9va3VwLWxvb2t1cC1sb29rdXAtbG9va3VwLWxvb2s\"},"
    "{\"kty\":\"oct\",\"use\":\"journal\",\"alg\":\"HS256\",\"kid\":\"j1\",\"k\":\"am91cm5hbC1qb3VybmFsLWpvdXJuYWwtam91cm5hbC0\"},"
    "{\"kty\":\"OKP\",\"use\":\"evidence\",\"alg\":\"EdDSA\",\"crv\":\"Ed25519\",\"kid\":\"e1\","
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\",\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"}]}";

#define ITEM   "{\"sku\":\"S\",\"product\":\"P\",\"key\":\"K\"}"
#define ITEMS  "\"items\":[" ITEM "]"
#define NOW    1795421730
#define FITTING(fit)  "{" GOOD ",\"items\":[{\"sku\":\"S\",\"product\":\"P\",\"key\":\"K\"," fit "}]}"
#define GOOD   "\"email\":\"ann@example.com\",\"purchased_at\":\"2026-11-23T08:15:30Z\""

#define TERMS(at)                                                            \
    "{\"version\":\"1\",\"url\":\"http://s.example/\",\"accepted_at\":\"" at "\",\"ip\":\"::1\"}"
#define CONSENTS(waiver, hash)                                               \
    "{\"supply\":true,\"waiver\":" waiver ",\"at\":\"2026-11-23T08:15:29Z\",\"ip\":\"::1\"," \
    "\"text_sha256\":\"" hash "123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}"

static mpk_filing_t   filing;
static mpk_value_t   *errors;

static const mpk_filing_times_t  times = { 0, 1795500000, NOW + MPK_FILING_AHEAD };


static mpk_str_t
str(const char *s)
{
    return (mpk_str_t) { strlen(s), (const uint8_t *) s };
}


static mpk_value_t *
parse(const char *json)
{
    mpk_value_t  *value;

    static const mpk_json_limits_t  limits = { 1 << 24, 8, 1 << 20 };

    if (mpk_json_read(&test_mem, (const uint8_t *) json, strlen(json), &limits, &value, NULL) != MPK_OK) {
        printf("# not JSON: %s\n", json);
        exit(1);
    }

    return value;
}


static int
reads(const char *id, const char *json)
{
    return mpk_filing_read(&test_mem, parse(json), str(id), &times, &filing, &errors) == MPK_OK && errors == NULL;
}


/* True if there is exactly this one error. */

static int
wrong(const char *id, const char *json, const char *pointer, const char *detail)
{
    const mpk_value_t  *error;

    if (mpk_filing_read(&test_mem, parse(json), str(id), &times, &filing, &errors) != MPK_OK
        || errors == NULL || errors->u.list.count != 1)
    {
        return 0;
    }

    error = errors->u.list.first;

    return mpk_str_eq(mpk_value_get_string(error, mpk_string("pointer")), str(pointer))
           && mpk_str_eq(mpk_value_get_string(error, mpk_string("detail")), str(detail));
}


static const char *
repeat(const char *before, const char *piece, size_t n, const char *after)
{
    char  *s;

    s = test_alloc(NULL, strlen(before) + n * strlen(piece) + strlen(after) + 1);
    strcpy(s, before);

    while (n--) {
        strcat(s, piece);
    }

    return strcat(s, after);
}


static void
test_read(void)
{
    size_t              i;
    const char         *json, *list;
    mpk_filing_times_t  expired = times;

    static const struct {
        const char  *json;
        const char  *pointer;
        const char  *detail;
    } bad[] = {
        { "{\"purchased_at\":\"2026-11-23T08:15:30Z\"," ITEMS "}", "/email", "is missing" },
        { "{\"email\":\"\",\"purchased_at\":\"2026-11-23T08:15:30Z\"," ITEMS "}", "/email", "is empty" },
        { "{\"email\":7,\"purchased_at\":\"2026-11-23T08:15:30Z\"," ITEMS "}", "/email", "must be a string" },
        { "{\"email\":null,\"purchased_at\":\"2026-11-23T08:15:30Z\"," ITEMS "}", "/email", "must be a string" },
        { "{\"email\":\"ann\",\"purchased_at\":\"2026-11-23T08:15:30Z\"," ITEMS "}", "/email",
          "must be one email address and nothing else, e.g. ann@example.com" },
        { "{\"email\":\"ann@example.com\\n\",\"purchased_at\":\"2026-11-23T08:15:30Z\"," ITEMS "}", "/email",
          "must be one email address and nothing else, e.g. ann@example.com" },
        { "{\"email\":\"ann@example.com\",\"purchased_at\":\"yesterday\"," ITEMS "}", "/purchased_at",
          "must be an RFC 3339 time after 1970-01-01T00:00:00Z, e.g. 2026-11-23T08:15:30Z" },
        { "{\"email\":\"ann@example.com\",\"purchased_at\":\"1970-01-01T00:00:00Z\"," ITEMS "}", "/purchased_at",
          "must be an RFC 3339 time after 1970-01-01T00:00:00Z, e.g. 2026-11-23T08:15:30Z" },
        { "{\"email\":\"ann@example.com\",\"purchased_at\":\"2026-11-24T08:15:31Z\"," ITEMS "}", "/purchased_at", "is in the future" },
        { "{\"email\":\"ann@example.com\",\"purchased_at\":\"2099-01-01T00:00:00Z\"," ITEMS "}", "/purchased_at", "is in the future" },
        { "{" GOOD ",\"state\":\"gone\"," ITEMS "}", "/state", "must be \"held\" or \"ready\"" },
        { "{" GOOD ",\"state\":\"cancelled!\"," ITEMS "}", "/state", "is too long" },
        { "{" GOOD ",\"purchase_ip\":\"1234567890123456789012345678901234567890123456\"," ITEMS "}", "/purchase_ip",
          "is too long" },
        { "{" GOOD ",\"purchase_ip\":\"203.0.113.7, 10.0.0.1\"," ITEMS "}", "/purchase_ip", "must be one IPv4 or IPv6 address" },
        { "{" GOOD ",\"a/b~c\":1," ITEMS "}", "/a~1b~0c", "there is no such member" },
        { "{" GOOD ",\"nme\":1," ITEMS "}", "/nme", "there is no such member" },
        { "{" GOOD ",\"order\":\"A-1\"," ITEMS "}", "/order", "there is no such member" },
        { "{" GOOD "}", "/items", "must be an array of 1 to 500 items" },
        { "{" GOOD ",\"items\":[]}", "/items", "must be an array of 1 to 500 items" },
        { "{" GOOD ",\"items\":{}}", "/items", "must be an array of 1 to 500 items" },
        { "{" GOOD ",\"items\":[" ITEM ",1]}", "/items/1", "must be an object" },
        { "{" GOOD ",\"items\":[" ITEM ",{\"sku\":\"S\",\"product\":\"P\"}]}", "/items/1/key", "is missing" },
        { "{" GOOD ",\"items\":[{\"sku\":\"S\",\"product\":\"P\",\"key\":\"K\",\"items\":1}]}", "/items/0/items",
          "there is no such member" },
        { "[]", "", "must be an object" },
        { "{" GOOD ",\"platform\":\"windows\"," ITEMS "}", "/platform", "there is no such member" },
        { FITTING("\"platform\":7"), "/items/0/platform", "must be a string" },
        { "{" GOOD ",\"buyer\":\"robot\"," ITEMS "}", "/buyer", "must be \"consumer\" or \"business\"" },
        { "{" GOOD ",\"buyer\":\"Business\"," ITEMS "}", "/buyer", "must be \"consumer\" or \"business\"" },
        { "{" GOOD ",\"buyer\":\"\"," ITEMS "}", "/buyer", "is empty" },
        { "{" GOOD ",\"buyer\":\"businesses\"," ITEMS "}", "/buyer", "is too long" },
        { "{" GOOD ",\"terms\":[]," ITEMS "}", "/terms", "must be an object" },
        { "{" GOOD ",\"consents\":true," ITEMS "}", "/consents", "must be an object" },
        { "{" GOOD ",\"terms\":" TERMS("2026-11-24T08:15:31Z") "," ITEMS "}", "/terms/accepted_at", "is in the future" },
        { "{" GOOD ",\"version\":\"1\"," ITEMS "}", "/version", "there is no such member" },
        { FITTING("\"activation_url\":\"javascript:alert(1)\""), "/items/0/activation_url",
          "must be a URL that begins with https:// or http://" },
        { FITTING("\"support_url\":\"maker.example\""), "/items/0/support_url",
          "must be a URL that begins with https:// or http://" },
    };

    static const char  *ids[] = { "A 2", ".", "..", "A/2" };

    ok(reads("A-1", "{" GOOD "," ITEMS "}"), "an order with the required members is read");
    ok(mpk_str_eq(filing.id, str("A-1")) && mpk_str_eq(filing.person.email, str("ann@example.com"))
       && filing.purchased_at == 1795421730 && filing.state == MPK_ORDER_HELD && filing.items_count == 1
       && mpk_str_eq(filing.items[0].sku, str("S")) && mpk_str_eq(filing.items[0].product, str("P"))
       && mpk_str_eq(filing.items[0].key, str("K")), "as it was written; it is held");
    ok(filing.person.account.len == 0 && filing.locale.len == 0, "members left out are empty");

    ok(reads("A-1", "{" GOOD ",\"account\":\"ann\",\"customer_name\":\"Ann\",\"purchase_ip\":\"::1\",\"device_id\":\"d\","
                    "\"locale\":\"de-AT\",\"state\":\"ready\"," ITEMS "}"), "an order with all members is read");
    ok(mpk_str_eq(filing.person.account, str("ann")) && mpk_str_eq(filing.person.name, str("Ann"))
       && mpk_str_eq(filing.person.purchase_ip, str("::1")) && mpk_str_eq(filing.person.device_id, str("d"))
       && mpk_str_eq(filing.locale, str("de-AT")) && filing.state == MPK_ORDER_READY, "as they were written");
    ok(reads("A-1", "{" GOOD ",\"account\":null,\"locale\":\"\"," ITEMS "}"), "null and \"\" leave a member out");

    ok(reads("A-1", "{" GOOD ",\"terms\":" TERMS("2026-11-24T08:15:30Z") "," ITEMS "}") && filing.checkout.terms.accepted_at == 1795508130,
       "what was accepted is read, by the same clocks as the purchase");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(wrong("A-1", bad[i].json, bad[i].pointer, bad[i].detail), bad[i].json);
    }

    ok(reads("", "{\"order\":\"A-2\"," GOOD "," ITEMS "}") && mpk_str_eq(filing.id, str("A-2")),
       "an order may name itself");
    ok(wrong("", "{" GOOD "," ITEMS "}", "/order", "is missing"), "where it has to");

    for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        ok(wrong("", repeat("{\"order\":\"", ids[i], 1, "\"," GOOD "," ITEMS "}"), "/order",
                 "must be 1 to 64 of the characters A-Z, a-z, 0-9, \".\", \"_\" and \"-\", and not \".\" or \"..\""), "by an order id");
    }

    ok(reads("", "{\"order\":\"...\"," GOOD "," ITEMS "}"), "three full stops are one");
    ok(reads("A-1", "{\"email\":\"ann@example.com\",\"purchased_at\":\"2026-11-24T08:15:30Z\"," ITEMS "}"),
       "a shop's clock may be a day ahead");

    expired.expired = 1795421730;
    ok(mpk_filing_read(&test_mem, parse("{" GOOD "," ITEMS "}"), str("A-1"), &expired, &filing, &errors) == MPK_OK
       && errors && mpk_str_eq(mpk_value_get_string(errors->u.list.first, mpk_string("pointer")),
                               str("/purchased_at")), "an order that has expired is refused");
    expired.expired = 1795421729;
    ok(mpk_filing_read(&test_mem, parse("{" GOOD "," ITEMS "}"), str("A-1"), &expired, &filing, &errors) == MPK_OK
       && errors == NULL, "one that has a second left is not");

    json = repeat("{" GOOD ",\"items\":[" ITEM, "," ITEM, 499, "]}");
    ok(reads("A-1", json) && filing.items_count == 500, "500 items are read");
    json = repeat("{" GOOD ",\"items\":[" ITEM, "," ITEM, 500, "]}");
    ok(wrong("A-1", json, "/items", "must be an array of 1 to 500 items"), "501 are not");

    json = repeat("\"edition\":\"", "e", 255, "\"");
    ok(reads("A-1", repeat("{" GOOD ",\"items\":[{\"sku\":\"S\",\"product\":\"P\",\"key\":\"K\",", json, 1, "}]}")), "an edition of 255 bytes is read");
    json = repeat("\"edition\":\"", "e", 256, "\"");
    ok(wrong("A-1", repeat("{" GOOD ",\"items\":[{\"sku\":\"S\",\"product\":\"P\",\"key\":\"K\",", json, 1, "}]}"), "/items/0/edition",
             "is too long"), "one of 256 is not");
    json = repeat("\"support_url\":\"https://x/", "u", MPK_URL_MAX - 10, "\"");
    json = repeat("{\"sku\":\"S\",\"product\":\"P\",\"key\":\"K\",", json, 1, "}");
    ok(reads("A-1", repeat("{" GOOD ",\"items\":[", json, 1, "]}")), "a URL of 1024 bytes is read");
    list = repeat(json, repeat(",", json, 1, ""), 255, "");
    ok(reads("A-1", repeat("{" GOOD ",\"items\":[", list, 1, "]}")), "256 KB of what items fit are read");
    ok(wrong("A-1", repeat("{" GOOD ",\"items\":[", list, 1, ",{\"sku\":\"S\",\"product\":\"P\",\"key\":\"K\",\"edition\":\"e\"}]}"), "/items",
             "what the items fit is over 256 KB in all"), "a byte more is not");

    json = repeat("{\"sku\":\"S\",\"product\":\"P\",\"key\":\"", "k", MPK_KEY_MAX, "\"}");
    ok(reads("A-1", repeat("{" GOOD ",\"items\":[", json, 1, "]}")), "a key of 4096 bytes is read");
    json = repeat(json, ",", 1, json);
    json = repeat(repeat(json, ",", 1, ""), json, 1, "");
    json = repeat(repeat(json, ",", 1, ""), json, 1, "");
    json = repeat(repeat(json, ",", 1, ""), json, 1, "");
    json = repeat(repeat(json, ",", 1, ""), json, 1, "");
    json = repeat(repeat(json, ",", 1, ""), json, 1, "");
    ok(reads("A-1", repeat("{" GOOD ",\"items\":[", json, 1, "]}")) && filing.items_count == 64,
       "keys of 256 KB in all are read");
    ok(wrong("A-1", repeat("{" GOOD ",\"items\":[", json, 1, "," ITEM "]}"), "/items",
             "the product keys are over 256 KB in all"), "a byte more is not");
    json = repeat("{\"sku\":\"S\",\"product\":\"P\",\"key\":\"", "k", MPK_KEY_MAX + 1, "\"}");
    ok(wrong("A-1", repeat("{" GOOD ",\"items\":[", json, 1, "]}"), "/items/0/key", "is too long"),
       "a key of 4097 bytes is not");

    json = repeat("{" GOOD ",\"items\":[1", ",1", 30, "]}");
    (void) mpk_filing_read(&test_mem, parse(json), str("A-1"), &times, &filing, &errors);
    ok(errors && errors->u.list.count == MPK_ERRORS_MAX, "at most 20 errors are listed");
}


/* Fails one allocation, after so many that succeed. */

static void *
scarce_alloc(void *ctx, size_t size)
{
    size_t  *left = ctx;

    return (*left)-- ? test_alloc(NULL, size) : NULL;
}


static void
test_nomem(void)
{
    size_t        n, left, accepted, refused;
    mpk_mem_t     scarce;
    mpk_value_t  *body;
    mpk_status_t  status;

    scarce = (mpk_mem_t) { scarce_alloc, &left, false };
    body = parse("{" GOOD ",\"state\":\"gone\"," ITEMS "}");
    accepted = 0;
    refused = 0;

    for (n = 0; n < 8; n++) {
        left = n;
        status = mpk_filing_read(&scarce, body, str("A-1"), &times, &filing, &errors);

        accepted += (status == MPK_OK && errors == NULL);
        refused += (status == MPK_NOMEM);
    }

    ok(refused && accepted == 0, "a bad order does not pass for want of memory to say so");
}


/* Reads an order of the shop's past: true, or what is wrong with it. */

static int
past(const char *rest, const char *pointer, const char *detail)
{
    const char  *json;

    json = repeat("{" GOOD "," ITEMS, rest, 1, "}");

    return pointer ? wrong("A-1", json, pointer, detail) : reads("A-1", json);
}


static void
test_seal(void)
{
    size_t           i;
    uint8_t          index[MPK_MAC_LEN], other[MPK_MAC_LEN], hash[MPK_MAC_LEN];
    mpk_str_t        plain;
    mpk_order_t      order, again;
    mpk_place_t      place;
    mpk_crypto_t    *crypto;
    mpk_person_t     person;
    mpk_keyring_t    keyring;
    mpk_checkout_t   checkout;
    mpk_data_key_t   key, opened;

    static const char  *fitting[] = {
        FITTING("\"platform\":\"windows\""), FITTING("\"platform\":\"macos\""), FITTING("\"edition\":\"macos\""),
        FITTING("\"requires\":\"macos\""), FITTING("\"activation_url\":\"http://m.example/\""), FITTING("\"support_url\":\"http://m.example/\""),
    };

    static const struct {
        const char  *json;
        bool         business;
        bool         sealed;
        unsigned     consents;
    } accepted[] = {
        { "{" GOOD ",\"buyer\":\"business\"," ITEMS "}", true, false, 0 },
        { "{" GOOD ",\"terms\":" TERMS("2026-11-23T08:15:29Z") "," ITEMS "}", false, true, 0 },
        { "{" GOOD ",\"buyer\":\"business\",\"terms\":" TERMS("2026-11-23T08:15:29Z") "," ITEMS "}", true, true, 0 },
        { "{" GOOD ",\"terms\":" TERMS("2026-11-23T08:15:28Z") "," ITEMS "}", false, true, 0 },
        { "{" GOOD ",\"consents\":" CONSENTS("true", "0") "," ITEMS "}", false, true, MPK_CONSENT_SUPPLY },
        { "{" GOOD ",\"consents\":" CONSENTS("false", "0") "," ITEMS "}", false, true, 0 },
        { "{" GOOD ",\"consents\":" CONSENTS("false", "1") "," ITEMS "}", false, true, 0 },
    };

    static const char  *same = "{" GOOD ",\"account\":\"ann\",\"locale\":\"de\"," ITEMS "}";

    static const char  *others[] = {
        "{\"email\":\"bob@example.com\",\"purchased_at\":\"2026-11-23T08:15:30Z\",\"account\":\"ann\",\"locale\":\"de\"," ITEMS "}",
        "{\"email\":\"ann@example.com\",\"purchased_at\":\"2026-11-23T08:15:31Z\",\"account\":\"ann\",\"locale\":\"de\"," ITEMS "}",
        "{" GOOD ",\"locale\":\"de\"," ITEMS "}",
        "{" GOOD ",\"account\":\"ann\",\"locale\":\"fr\"," ITEMS "}",
        "{" GOOD ",\"account\":\"ann\",\"locale\":\"de\",\"state\":\"ready\"," ITEMS "}",
        "{" GOOD ",\"account\":\"ann\",\"locale\":\"de\",\"items\":[" ITEM "," ITEM "]}",
        "{" GOOD ",\"account\":\"ann\",\"locale\":\"de\",\"items\":[{\"sku\":\"S\",\"product\":\"P\",\"key\":\"L\"}]}",
        "{" GOOD ",\"account\":\"ann\",\"locale\":\"de\",\"items\":[{\"sku\":\"T\",\"product\":\"P\",\"key\":\"K\"}]}",
        "{" GOOD ",\"account\":\"ann\",\"locale\":\"de\",\"items\":[{\"sku\":\"S\",\"product\":\"Q\",\"key\":\"K\"}]}",
    };

    if (mpk_keyring_read(&test_mem, (const uint8_t *) ring, sizeof(ring) - 1, &keyring, NULL) != MPK_OK) {
        exit(1);
    }

    crypto = mpk_crypto_create(&keyring);

    (void) reads("A-1", same);
    ok(mpk_filing_seal(crypto, &test_mem, &test_mem, &filing, &order, &key, index) == MPK_OK, "an order is sealed");

    ok(mpk_str_eq(order.id, str("A-1")) && order.state == MPK_ORDER_HELD && order.purchased_at == 1795421730
       && mpk_str_eq(order.locale, str("de")) && order.items_count == 1
       && mpk_str_eq(order.items[0].sku, str("S")) && mpk_str_eq(order.items[0].product, str("P")),
       "what is not secret is not sealed");

    ok(mpk_lookup_email(crypto, str("A-1"), str("ANN@example.com"), hash) == MPK_OK
       && mpk_str_eq(order.email_hash, (mpk_str_t) { MPK_MAC_LEN, hash }), "it is found by its email");
    ok(mpk_lookup_account(crypto, str("A-1"), str("ann"), hash) == MPK_OK
       && mpk_str_eq(order.account_hash, (mpk_str_t) { MPK_MAC_LEN, hash }), "and by its account");
    ok(mpk_lookup_index(crypto, str("ann"), hash) == MPK_OK && memcmp(index, hash, MPK_MAC_LEN) == 0, "whose index lists it");

    ok(mpk_envelope_unwrap(crypto, &test_mem, str("A-1"), order.data_key, &opened) == MPK_OK
       && memcmp(opened.bytes, key.bytes, MPK_DATA_KEY_LEN) == 0, "its data key is wrapped");

    place = (mpk_place_t) { str("A-1"), mpk_string("key"), 1, 1 };
    ok(mpk_envelope_open(crypto, &test_mem, &key, &place, order.items[0].key, &plain) == MPK_OK
       && mpk_str_eq(plain, str("K")), "the product key opens in its place");

    place = (mpk_place_t) { str("A-1"), mpk_string("person"), 0, 0 };
    ok(mpk_envelope_open(crypto, &test_mem, &key, &place, order.person, &plain) == MPK_OK
       && mpk_person_read(plain, &person) == MPK_OK && mpk_str_eq(person.email, str("ann@example.com")),
       "so does the personal part");

    (void) reads("A-1", same);
    ok(mpk_filing_seal(crypto, &test_mem, &test_mem, &filing, &again, &key, other) == MPK_OK
       && mpk_str_eq(order.digest, again.digest) && !mpk_str_eq(order.person, again.person),
       "the same content has the same digest, whatever its seal");

    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        (void) mpk_filing_read(&test_mem, parse(others[i]), str("A-1"), &times, &filing, &errors);
        ok(mpk_filing_seal(crypto, &test_mem, &test_mem, &filing, &again, &key, other) == MPK_OK
           && !mpk_str_eq(order.digest, again.digest), "other content has another one");
    }

    (void) reads("A-1", "{" GOOD "," ITEMS "}");
    (void) mpk_filing_seal(crypto, &test_mem, &test_mem, &filing, &order, &key, other);
    ok(order.items[0].fit == NULL, "an item that does not say what it fits fits nothing");
    (void) reads("A-1", FITTING("\"platform\":null,\"edition\":\"\""));
    (void) mpk_filing_seal(crypto, &test_mem, &test_mem, &filing, &again, &key, other);
    ok(again.items[0].fit == NULL && mpk_str_eq(order.digest, again.digest), "null and \"\" say nothing");

    for (i = 0; i < sizeof(fitting) / sizeof(fitting[0]); i++) {
        (void) reads("A-1", fitting[i]);
        (void) mpk_filing_seal(crypto, &test_mem, &test_mem, &filing, &again, &key, other);
        ok(again.items[0].fit && !mpk_str_eq(order.digest, again.digest), "R10: what it fits is content");
        order.digest = again.digest;
    }

    ok(mpk_str_eq(mpk_item_fit(&again.items[0], MPK_FIT_SUPPORT_URL), str("http://m.example/")), "it is stored as filed");

    (void) reads("A-1", "{" GOOD "," ITEMS "}");
    (void) mpk_filing_seal(crypto, &test_mem, &test_mem, &filing, &order, &key, other);
    (void) reads("A-1", "{" GOOD ",\"buyer\":\"consumer\",\"terms\":null," ITEMS "}");
    (void) mpk_filing_seal(crypto, &test_mem, &test_mem, &filing, &again, &key, other);
    ok(!order.business && order.consents == 0 && order.checkout.len == 0 && mpk_str_eq(order.digest, again.digest)
       && again.checkout.len == 0, "a consumer is what nothing else is said of");

    for (i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
        (void) reads("A-1", accepted[i].json);
        (void) mpk_filing_seal(crypto, &test_mem, &test_mem, &filing, &again, &key, other);
        ok(!mpk_str_eq(order.digest, again.digest) && again.business == accepted[i].business && again.consents == accepted[i].consents
           && (again.checkout.len != 0) == accepted[i].sealed, "R10: what was accepted at the checkout is content");
        order.digest = again.digest;
    }

    place = (mpk_place_t) { str("A-1"), mpk_string("checkout"), 0, 0 };
    ok(mpk_envelope_open(crypto, &test_mem, &key, &place, again.checkout, &plain) == MPK_OK
       && mpk_checkout_read(plain, &checkout) == MPK_OK && checkout.consents.at == 1795421729, "it opens in its place");
    place.field = mpk_string("person");
    ok(mpk_envelope_open(crypto, &test_mem, &key, &place, again.checkout, &plain) == MPK_FORGED, "and in no other");

    (void) reads("A-1", "{" GOOD ",\"consents\":" CONSENTS("true", "A") "," ITEMS "}");
    (void) mpk_filing_seal(crypto, &test_mem, &test_mem, &filing, &order, &key, other);
    (void) reads("A-1", "{" GOOD ",\"consents\":" CONSENTS("true", "a") "," ITEMS "}");
    (void) mpk_filing_seal(crypto, &test_mem, &test_mem, &filing, &again, &key, other);
    ok(mpk_str_eq(order.digest, again.digest), "R10: both spellings of a hash are the same content");

    (void) past(",\"imported\":true,\"state\":\"ready\",\"delivered_at\":\"2026-11-23T09:00:00Z\"", NULL, NULL);
    (void) mpk_filing_seal(crypto, &test_mem, &test_mem, &filing, &order, &key, other);
    (void) past(",\"imported\":true,\"state\":\"ready\",\"delivered_at\":\"2026-11-23T09:00:01Z\"", NULL, NULL);
    (void) mpk_filing_seal(crypto, &test_mem, &test_mem, &filing, &again, &key, other);
    ok(!mpk_str_eq(order.digest, again.digest) && again.imported && again.delivered_at == order.delivered_at + 1,
       "R10: another past is other content");

    (void) reads("A-1", "{\"email\":\"ann@xn--mller-kva.example\",\"purchased_at\":\"2026-11-23T08:15:30Z\",\"account\":\"ann@\xc3\xbc.de\"," ITEMS "}");
    (void) mpk_filing_seal(crypto, &test_mem, &test_mem, &filing, &order, &key, index);
    (void) reads("A-1", "{\"email\":\"Ann@m\xc3\xbcller.example\",\"purchased_at\":\"2026-11-23T08:15:30Z\",\"account\":\"ann@xn--tda.de\"," ITEMS "}");
    ok(mpk_filing_seal(crypto, &test_mem, &test_mem, &filing, &again, &key, other) == MPK_OK
       && mpk_str_eq(order.digest, again.digest) && mpk_str_eq(order.email_hash, again.email_hash)
       && mpk_str_eq(order.account_hash, again.account_hash) && memcmp(index, other, MPK_MAC_LEN) == 0,
       "R10: both spellings of an address are the same content");

    (void) reads("A-1", others[2]);
    (void) mpk_filing_seal(crypto, &test_mem, &test_mem, &filing, &again, &key, other);
    (void) mpk_lookup_index(crypto, str("ann@example.com"), hash);
    ok(again.account_hash.len == 0 && memcmp(other, hash, MPK_MAC_LEN) == 0,
       "without an account it is listed under its email");

    mpk_crypto_free(crypto);
}


static void
test_past(void)
{
    size_t                i;
    mpk_value_t          *body;
    size_t                n, left, accepted;
    mpk_mem_t             scarce;

    static const char  *between = "must be between \"purchased_at\" and now";
    static const char  *time = "must be an RFC 3339 time, e.g. 2026-11-23T08:15:30Z";

    const struct {
        const char  *rest;
        const char  *pointer;
        const char  *detail;
    } bad[] = {
        { ",\"imported\":1", "/imported", "must be true or false" },
        { ",\"imported\":\"true\"", "/imported", "must be true or false" },
        { ",\"delivered_at\":\"2026-11-23T09:00:00Z\"", "/delivered_at", "is only for an order with \"imported\": true" },
        { ",\"imported\":false,\"first_viewed_at\":\"2026-11-23T09:00:00Z\"", "/first_viewed_at",
          "is only for an order with \"imported\": true" },
        { ",\"imported\":true,\"state\":\"ready\",\"delivered_at\":\"yesterday\"", "/delivered_at", time },
        { ",\"imported\":true,\"state\":\"ready\",\"delivered_at\":7", "/delivered_at", "must be a string" },
        { ",\"imported\":true,\"state\":\"ready\",\"delivered_at\":\"\"", "/delivered_at", "is empty" },
        { ",\"imported\":true,\"first_viewed_at\":\"\"", "/first_viewed_at", "is empty" },
        { ",\"state\":\"\"", "/state", "is empty" },
        { ",\"imported\":true,\"state\":\"ready\",\"delivered_at\":\"2026-11-23T08:15:29Z\"", "/delivered_at", between },
        { ",\"imported\":true,\"state\":\"ready\",\"delivered_at\":\"2026-11-24T06:00:00Z\"", "/delivered_at", between },
        { ",\"imported\":true,\"state\":\"ready\",\"first_viewed_at\":\"2026-11-23T09:00:00Z\"", "/first_viewed_at",
          "needs \"delivered_at\", at that time or before it" },
        { ",\"imported\":true,\"state\":\"ready\",\"delivered_at\":\"2026-11-23T09:00:01Z\",\"first_viewed_at\":\"2026-11-23T09:00:00Z\"",
          "/first_viewed_at", "needs \"delivered_at\", at that time or before it" },
        { ",\"imported\":true,\"delivered_at\":\"2026-11-23T09:00:00Z\"", "/state",
          "must be \"ready\", since the order was delivered" },
    };

    ok(past("", NULL, NULL) && !filing.imported && past(",\"imported\":false,\"delivered_at\":null", NULL, NULL) && !filing.imported,
       "an order that says nothing of a past has none");
    ok(past(",\"imported\":true", NULL, NULL) && filing.imported && filing.delivered_at == 0 && filing.first_viewed_at == 0,
       "an imported order need not have been delivered");
    ok(past(",\"imported\":true,\"state\":\"ready\",\"delivered_at\":\"2026-11-23T08:15:30Z\",\"first_viewed_at\":\"2026-11-24T05:59:59Z\"",
            NULL, NULL) && filing.delivered_at == 1795421730 && filing.first_viewed_at == 1795499999,
       "its times are between the purchase and now");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(past(bad[i].rest, bad[i].pointer, bad[i].detail), bad[i].rest);
    }

    ok(!reads("A-1", "{" GOOD ",\"items\":[],\"imported\":true,\"state\":\"ready\",\"delivered_at\":\"yesterday\"}")
       && errors->u.list.count == 2, "what is wrong with it is told together with the rest");

    scarce = (mpk_mem_t) { scarce_alloc, &left, false };
    body = parse("{" GOOD "," ITEMS ",\"imported\":true,\"delivered_at\":\"yesterday\"}");
    accepted = 0;

    for (n = 0; n < 4; n++) {
        left = n;
        accepted += (mpk_filing_read(&scarce, body, str("A-1"), &times, &filing, &errors) == MPK_OK && errors == NULL);
    }

    ok(accepted == 0, "a bad past does not pass for want of memory to say so");
}


int
main(void)
{
    test_read();
    test_past();
    test_nomem();
    test_seal();

    return done_testing();
}
