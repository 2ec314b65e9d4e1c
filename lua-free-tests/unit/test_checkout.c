/* What was accepted at the checkout: validation, and the encoding that is sealed. */

#include "mpk_checkout.h"
#include "mpk_json.h"
#include "mpk_pack.h"
#include "test.h"

#define NOW    1795500000     /* 2026-11-24T06:00:00Z */
#define HEX    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define TERMS(more)                                                          \
    "{\"terms\":{\"version\":\"2026-11\",\"url\":\"https://shop.example/terms\",\"accepted_at\":\"2026-11-23T08:15:29Z\"," \
    "\"ip\":\"203.0.113.7\"" more "}}"
#define CONSENTS(more)                                                       \
    "{\"consents\":{\"supply\":true,\"waiver\":true,\"at\":\"2026-11-23T08:15:28Z\",\"ip\":\"2001:db8::7\"," \
    "\"text_sha256\":\"" HEX "\"" more "}}"


static mpk_checkout_t  checkout;
static mpk_value_t    *errors;


static mpk_str_t
str(const char *s)
{
    return (mpk_str_t) { strlen(s), (const uint8_t *) s };
}


static bool
reads(const char *json)
{
    mpk_value_t  *body;

    static const mpk_json_limits_t  limits = { 1 << 16, 4, 100 };

    if (mpk_json_read(&test_mem, (const uint8_t *) json, strlen(json), &limits, &body, NULL) != MPK_OK) {
        printf("# not JSON: %s\n", json);
        exit(1);
    }

    errors = NULL;

    return mpk_checkout_file(&test_mem, body, NOW, &checkout, &errors);
}


/* True if there is exactly this one error. */

static bool
wrong(const char *json, const char *pointer, const char *detail)
{
    const mpk_value_t  *error;

    if (reads(json) || errors == NULL || errors->u.list.count != 1) {
        return false;
    }

    error = errors->u.list.first;

    return mpk_str_eq(mpk_value_get_string(error, mpk_string("pointer")), str(pointer))
           && mpk_str_eq(mpk_value_get_string(error, mpk_string("detail")), str(detail));
}


/* What is shown, as JSON. */

static mpk_str_t
shown(void)
{
    mpk_buf_t     out;
    mpk_value_t  *facts;

    facts = mpk_value_new(&test_mem, MPK_VALUE_OBJECT);
    mpk_checkout_show(&test_mem, &checkout, facts);
    mpk_buf_init(&out, &test_mem, 0);
    mpk_json_write(&out, facts);

    return mpk_buf_done(&out);
}


static const char *
repeat(const char *before, char c, size_t n, const char *after)
{
    char  *s;

    s = test_alloc(NULL, strlen(before) + n + strlen(after) + 1);
    memset(s, c, strlen(before) + n);
    memcpy(s, before, strlen(before));
    strcpy(s + strlen(before) + n, after);

    return s;
}


static void
test_file(void)
{
    size_t       i;
    const char  *rest = ",\"accepted_at\":\"2026-11-23T08:15:29Z\",\"ip\":\"::1\"}}";

    static const char  *time = "must be an RFC 3339 time after 1970-01-01T00:00:00Z, e.g. 2026-11-23T08:15:30Z";

    const struct {
        const char  *json;
        const char  *pointer;
        const char  *detail;
    } bad[] = {
        { "{\"terms\":{\"url\":\"http://s.example/\",\"accepted_at\":\"2026-11-23T08:15:29Z\",\"ip\":\"::1\"}}", "/terms/version", "is missing" },
        { "{\"terms\":{\"version\":\"\",\"url\":\"http://s.example/\",\"accepted_at\":\"2026-11-23T08:15:29Z\",\"ip\":\"::1\"}}", "/terms/version", "is empty" },
        { "{\"terms\":{\"version\":\"1\",\"accepted_at\":\"2026-11-23T08:15:29Z\",\"ip\":\"::1\"}}", "/terms/url", "is missing" },
        { "{\"terms\":{\"version\":\"1\",\"url\":\"/terms\",\"accepted_at\":\"2026-11-23T08:15:29Z\",\"ip\":\"::1\"}}", "/terms/url",
          "must be a URL that begins with https:// or http://" },
        { "{\"terms\":{\"version\":\"1\",\"url\":\"javascript:alert(1)\",\"accepted_at\":\"2026-11-23T08:15:29Z\",\"ip\":\"::1\"}}", "/terms/url",
          "must be a URL that begins with https:// or http://" },
        { "{\"terms\":{\"version\":\"1\",\"url\":\"http://s.example/\",\"ip\":\"::1\"}}", "/terms/accepted_at", "is missing" },
        { "{\"terms\":{\"version\":\"1\",\"url\":\"http://s.example/\",\"accepted_at\":\"today\",\"ip\":\"::1\"}}", "/terms/accepted_at", time },
        { "{\"terms\":{\"version\":\"1\",\"url\":\"http://s.example/\",\"accepted_at\":\"1970-01-01T00:00:00Z\",\"ip\":\"::1\"}}", "/terms/accepted_at", time },
        { "{\"terms\":{\"version\":\"1\",\"url\":\"http://s.example/\",\"accepted_at\":\"2026-11-24T06:00:01Z\",\"ip\":\"::1\"}}", "/terms/accepted_at", "is in the future" },
        { "{\"terms\":{\"version\":\"1\",\"url\":\"http://s.example/\",\"accepted_at\":\"2026-11-23T08:15:29Z\"}}", "/terms/ip", "is missing" },
        { "{\"terms\":{\"version\":\"1\",\"url\":\"http://s.example/\",\"accepted_at\":\"2026-11-23T08:15:29Z\",\"ip\":\"1.2.3\"}}", "/terms/ip", "must be one IPv4 or IPv6 address" },
        { "{\"terms\":{\"version\":1,\"url\":\"http://s.example/\",\"accepted_at\":\"2026-11-23T08:15:29Z\",\"ip\":\"::1\"}}", "/terms/version", "must be a string" },
        { TERMS(",\"sha256\":\"" HEX "0\""), "/terms/sha256", "is too long" },
        { TERMS(",\"sha256\":\"abc\""), "/terms/sha256", "must be 64 hexadecimal digits" },
        { TERMS(",\"sha256\":\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdeg\""), "/terms/sha256", "must be 64 hexadecimal digits" },
        { TERMS(",\"sha256\":\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdeG\""), "/terms/sha256", "must be 64 hexadecimal digits" },
        { TERMS(",\"sha256\":\"0123456789abcdef0123456789abcdef/123456789abcdef0123456789abcde:\""), "/terms/sha256", "must be 64 hexadecimal digits" },
        { TERMS(",\"sha256\":\"\""), "/terms/sha256", "is empty" },
        { TERMS(",\"accepted\":true"), "/terms/accepted", "there is no such member" },
        { "{\"consents\":{\"waiver\":true,\"at\":\"2026-11-23T08:15:28Z\",\"ip\":\"::1\",\"text_sha256\":\"" HEX "\"}}", "/consents/supply", "is missing" },
        { "{\"consents\":{\"supply\":\"true\",\"waiver\":true,\"at\":\"2026-11-23T08:15:28Z\",\"ip\":\"::1\",\"text_sha256\":\"" HEX "\"}}", "/consents/supply",
          "must be true or false" },
        { "{\"consents\":{\"supply\":true,\"waiver\":1,\"at\":\"2026-11-23T08:15:28Z\",\"ip\":\"::1\",\"text_sha256\":\"" HEX "\"}}", "/consents/waiver",
          "must be true or false" },
        { "{\"consents\":{\"supply\":true,\"waiver\":null,\"at\":\"2026-11-23T08:15:28Z\",\"ip\":\"::1\",\"text_sha256\":\"" HEX "\"}}", "/consents/waiver",
          "must be true or false" },
        { "{\"consents\":{\"supply\":true,\"waiver\":true,\"ip\":\"::1\",\"text_sha256\":\"" HEX "\"}}", "/consents/at", "is missing" },
        { "{\"consents\":{\"supply\":true,\"waiver\":true,\"at\":\"2026-11-24T06:00:01Z\",\"ip\":\"::1\",\"text_sha256\":\"" HEX "\"}}", "/consents/at", "is in the future" },
        { "{\"consents\":{\"supply\":true,\"waiver\":true,\"at\":\"2026-11-23T08:15:28Z\",\"ip\":\"localhost\",\"text_sha256\":\"" HEX "\"}}", "/consents/ip",
          "must be one IPv4 or IPv6 address" },
        { "{\"consents\":{\"supply\":true,\"waiver\":true,\"at\":\"2026-11-23T08:15:28Z\",\"ip\":\"::1\"}}", "/consents/text_sha256", "is missing" },
        { "{\"consents\":{\"supply\":true,\"waiver\":true,\"at\":\"2026-11-23T08:15:28Z\",\"ip\":\"::1\",\"text_sha256\":\"x\"}}", "/consents/text_sha256",
          "must be 64 hexadecimal digits" },
        { CONSENTS(",\"confirmed_at\":\"2026-11-23T08:15:27Z\""), "/consents/confirmed_at", "must not be before \"at\"" },
        { CONSENTS(",\"confirmed_at\":\"2026-11-24T06:00:01Z\""), "/consents/confirmed_at", "is in the future" },
        { CONSENTS(",\"confirmed_at\":\"\""), "/consents/confirmed_at", "is empty" },
        { CONSENTS(",\"product\":true"), "/consents/product", "there is no such member" },
    };

    ok(reads("{}") && checkout.terms.version.len == 0 && checkout.consents.at == 0 && !mpk_checkout_consented(&checkout),
       "a filing need not say anything of the checkout");
    ok(reads("{\"terms\":null,\"consents\":null}") && checkout.terms.version.len == 0 && checkout.consents.at == 0, "null says nothing");

    ok(reads(TERMS("")) && mpk_str_eq(checkout.terms.version, str("2026-11")) && mpk_str_eq(checkout.terms.url, str("https://shop.example/terms"))
       && checkout.terms.accepted_at == 1795421729 && mpk_str_eq(checkout.terms.ip, str("203.0.113.7")) && checkout.terms.sha256.len == 0,
       "the terms are read");
    ok(reads(TERMS(",\"sha256\":\"0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdeF\"")) && mpk_str_eq(checkout.terms.sha256, str(HEX)),
       "with the hash of the document, in either case");
    ok(reads(TERMS(",\"sha256\":null")) && checkout.terms.sha256.len == 0, "or without it");

    ok(reads(CONSENTS("")) && checkout.consents.supply && checkout.consents.waiver && checkout.consents.at == 1795421728
       && mpk_str_eq(checkout.consents.ip, str("2001:db8::7")) && mpk_str_eq(checkout.consents.text_sha256, str(HEX))
       && checkout.consents.confirmed_at == 0 && mpk_checkout_consented(&checkout), "the consents are read");
    ok(reads(CONSENTS(",\"confirmed_at\":\"2026-11-23T08:15:28Z\"")) && checkout.consents.confirmed_at == 1795421728,
       "with their confirmation, at once or later");
    ok(reads("{\"consents\":{\"supply\":true,\"waiver\":false,\"at\":\"2026-11-24T06:00:00Z\",\"ip\":\"::1\",\"text_sha256\":\"" HEX "\"}}")
       && !mpk_checkout_consented(&checkout), "one consent without the other is none");
    ok(reads("{\"consents\":{\"supply\":false,\"waiver\":true,\"at\":\"2026-11-24T06:00:00Z\",\"ip\":\"::1\",\"text_sha256\":\"" HEX "\"}}")
       && !mpk_checkout_consented(&checkout), "whichever it is");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(wrong(bad[i].json, bad[i].pointer, bad[i].detail), bad[i].json);
    }

    ok(!reads("{\"terms\":{},\"consents\":{}}") && errors->u.list.count == 9, "all that is missing is told together");

    ok(reads(repeat("{\"terms\":{\"url\":\"http://s\",\"version\":\"", 'v', 255, repeat("\"", ' ', 0, rest))), "a version of 255 bytes is read");
    ok(wrong(repeat("{\"terms\":{\"url\":\"http://s\",\"version\":\"", 'v', 256, repeat("\"", ' ', 0, rest)), "/terms/version", "is too long"),
       "one of 256 is not");
    ok(reads(repeat("{\"terms\":{\"version\":\"v\",\"url\":\"http://s/", 'u', 1015, repeat("\"", ' ', 0, rest))), "a URL of 1024 bytes is read");
    ok(wrong(repeat("{\"terms\":{\"version\":\"v\",\"url\":\"http://s/", 'u', 1016, repeat("\"", ' ', 0, rest)), "/terms/url", "is too long"),
       "one of 1025 is not");
}


static void
test_encoding(void)
{
    size_t        i;
    mpk_buf_t     out;
    mpk_str_t     before, part;

    static const char  *filed[] = {
        "{}", TERMS(""), TERMS(",\"sha256\":\"" HEX "\""), CONSENTS(""), CONSENTS(",\"confirmed_at\":\"2026-11-23T08:15:28Z\""),
        "{\"terms\":{\"version\":\"1\",\"url\":\"http://s.example/\",\"accepted_at\":\"2026-11-23T08:15:29Z\",\"ip\":\"::1\"},"
        "\"consents\":{\"supply\":false,\"waiver\":true,\"at\":\"2026-11-24T06:00:00Z\",\"ip\":\"::1\",\"text_sha256\":\"" HEX "\"}}",
    };

    static const struct {
        const char  *bytes;
        size_t       len;
    } bad[] = {
        { "\0", 1 }, { "\3", 1 }, { "\1\1v\1u\1\1i", 8 }, { "\2\4\1\1i\0\0", 7 }, { "\2\3\1\1i\0\0\1\1v\1u\1\1i\0", 16 },
        { "\1\1v\1u\1\1i\0\1\1v\1u\1\1i\0", 18 }, { "\1\1v\1u\1\1i\0x", 10 },
        { "\1\0\1u\1\1i\0", 8 }, { "\2\3\0\1i\0\0", 7 },
    };

    for (i = 0; i < sizeof(filed) / sizeof(filed[0]); i++) {
        (void) reads(filed[i]);
        before = shown();

        mpk_buf_init(&out, &test_mem, 0);
        mpk_checkout_write(&checkout, &out);
        memset(&checkout, 0xff, sizeof(checkout));
        checkout.business = false;

        ok(mpk_checkout_read(mpk_buf_done(&out), &checkout) == MPK_OK && mpk_str_eq(shown(), before), "what was filed is read as it was written");
        ok(i ? out.len != 0 : out.len == 0, "of nothing nothing is written");

        for (part = mpk_buf_done(&out); part.len > 1; part.len--) {
            if (part.len < out.len && mpk_checkout_read(part, &checkout) == MPK_OK && i < 5) {
                ok(0, "what was cut off is not read");
            }
        }
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(mpk_checkout_read((mpk_str_t) { bad[i].len, (const uint8_t *) bad[i].bytes }, &checkout) == MPK_MALFORMED, "what is not written so is not read");
    }

    (void) reads(TERMS(",\"sha256\":\"" HEX "\""));
    ok(mpk_str_eq(shown(), str(TERMS(",\"sha256\":\"" HEX "\""))), "terms are shown as they were filed");
    (void) reads(CONSENTS(",\"confirmed_at\":\"2026-11-23T09:00:00Z\""));
    ok(mpk_str_eq(shown(), str(CONSENTS(",\"confirmed_at\":\"2026-11-23T09:00:00Z\""))), "and consents");
    memset(&checkout, 0, sizeof(checkout));
    ok(mpk_str_eq(shown(), str("{}")), "what was not filed is not shown");
    checkout.business = true;
    ok(mpk_str_eq(shown(), str("{\"buyer\":\"business\"}")), "a business is");
}


int
main(void)
{
    test_file();
    test_encoding();

    return done_testing();
}
