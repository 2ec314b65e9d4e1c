/* Tokens: only what was signed verifies; the known attacks on JWTs, one by one. */

#include "test.h"
#include "mpk_base64url.h"
#include "mpk_token.h"

#define NOW   1795421730
#define IAT   "1795421700"
#define EXP   "1798013700"
#define JTI   "AAECAwQFBgcICQoLDA0ODw"

#define HEAD  "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"t1\"}"
#define HEADL "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"k1\"}"

#define CLAIMS(iss, aud, sub, jti, iat, exp, rest)                            \
    "{\"iss\":" iss ",\"aud\":" aud ",\"sub\":" sub ",\"jti\":" jti           \
    ",\"iat\":" iat ",\"exp\":" exp rest "}"

#define REVEAL(rest)                                                          \
    CLAIMS("\"mpk\"", "\"reveal\"", "\"A-1\"", "\"" JTI "\"", IAT, EXP, rest)
#define CLAIM(rest)                                                           \
    CLAIMS("\"mpk\"", "\"claim\"", "\"A-1\"", "\"" JTI "\"", IAT, EXP, rest)
#define TIMES(iat, exp)                                                       \
    CLAIMS("\"mpk\"", "\"reveal\"", "\"A-1\"", "\"" JTI "\"", iat, exp, EMAIL)
#define SUB(sub)                                                              \
    CLAIMS("\"mpk\"", "\"reveal\"", sub, "\"" JTI "\"", IAT, EXP, EMAIL)
#define ID(jti)                                                               \
    CLAIMS("\"mpk\"", "\"reveal\"", "\"A-1\"", jti, IAT, EXP, EMAIL)
#define EMAIL           ",\"ch\":\"email\""
#define ITEMS(items)    REVEAL(EMAIL ",\"items\":" items)


static const char  keys[] =
    "{\"keys\":["
    "{\"kty\":\"oct\",\"use\":\"token\",\"alg\":\"HS256\",\"kid\":\"t1\","
    "\"k\":\"token-secret-token-secret-token-secret-tokA\"},"
    "{\"kty\":\"oct\",\"use\":\"token\",\"alg\":\"HS256\",\"kid\":\"t0\","
    "\"k\":\"older-secret-older-secret-older-secret-oldA\"},"
    "{\"kty\":\"oct\",\"use\":\"link\",\"alg\":\"HS256\",\"kid\":\"k1\","
    "\"k\":\"link-secret-link-secret-link-secret-link-sA\"},"
    "{\"kty\":\"oct\",\"use\":\"wrap\",\"alg\":\"A256GCM\",\"kid\":\"w1\","
    "\"k\":\"wrap-secret-wrap-secret-wrap-secret-wrap-sA\"},"
    "{\"kty\":\"oct\",\"use\":\"lookup\",\"alg\":\"HS256\",\"kid\":\"l1\","
    "\"k\":\"lookup-secret-lookup-secret-lookup-secret-A\"},"
    "{\"kty\":\"oct\",\"use\":\"journal\",\"alg\":\"HS256\",\"kid\":\"j1\","
    "\"k\":\"journal-secret-journal-secret-journal-secrA\"},"
    "{\"kty\":\"OKP\",\"use\":\"evidence\",\"alg\":\"EdDSA\",\"crv\":\"Ed25519\","
    "\"kid\":\"e1\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\","
    "\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"}"
    "]}";


/* Authentic tokens, signed with the key that the kid names, or with t1. */
typedef struct {
    const char    *name;
    const char    *header;
    const char    *payload;
    mpk_aud_t      aud;
    mpk_status_t   status;
} test_case_t;

static const test_case_t  cases[] = {
    { "a reveal token", HEAD, REVEAL(EMAIL), MPK_AUD_REVEAL, MPK_OK },
    { "a claim token", HEAD, CLAIM(""), MPK_AUD_CLAIM, MPK_OK },
    { "another order and white space in the header",
      " { \"kid\" : \"t1\", \"typ\":\"JWT\",\n\"alg\":\"HS256\"} ", REVEAL(EMAIL),
      MPK_AUD_REVEAL, MPK_OK },
    { "escapes in the header", "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"\\u00741\"}",
      REVEAL(EMAIL), MPK_AUD_REVEAL, MPK_OK },
    { "another order and white space in the claims", HEAD,
      "{\n\"items\" : [ 1, 500 ] ,\"ch\":\"track\",\"exp\":" EXP ",\"iat\":" IAT
      ",\"jti\":\"" JTI "\",\"sub\":\"A-1\",\"aud\":\"reveal\",\"iss\":\"mpk\" }\n",
      MPK_AUD_REVEAL, MPK_OK },
    { "an older key's token", "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"t0\"}",
      REVEAL(EMAIL), MPK_AUD_REVEAL, MPK_OK },

    /* header */

    { "alg none", "{\"alg\":\"none\",\"typ\":\"JWT\",\"kid\":\"t1\"}", REVEAL(EMAIL),
      MPK_AUD_REVEAL, MPK_FORGED },
    { "alg None", "{\"alg\":\"None\",\"typ\":\"JWT\",\"kid\":\"t1\"}", REVEAL(EMAIL),
      MPK_AUD_REVEAL, MPK_FORGED },
    { "alg hs256", "{\"alg\":\"hs256\",\"typ\":\"JWT\",\"kid\":\"t1\"}", REVEAL(EMAIL),
      MPK_AUD_REVEAL, MPK_FORGED },
    { "alg HS512", "{\"alg\":\"HS512\",\"typ\":\"JWT\",\"kid\":\"t1\"}", REVEAL(EMAIL),
      MPK_AUD_REVEAL, MPK_FORGED },
    { "alg RS256", "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"t1\"}", REVEAL(EMAIL),
      MPK_AUD_REVEAL, MPK_FORGED },
    { "alg EdDSA with the evidence key's kid",
      "{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"e1\"}", REVEAL(EMAIL),
      MPK_AUD_REVEAL, MPK_FORGED },
    { "alg null", "{\"alg\":null,\"typ\":\"JWT\",\"kid\":\"t1\"}", REVEAL(EMAIL),
      MPK_AUD_REVEAL, MPK_MALFORMED },
    { "alg in a list", "{\"alg\":[\"HS256\"],\"typ\":\"JWT\",\"kid\":\"t1\"}",
      REVEAL(EMAIL), MPK_AUD_REVEAL, MPK_LIMIT },
    { "no alg", "{\"typ\":\"JWT\",\"kid\":\"t1\"}", REVEAL(EMAIL), MPK_AUD_REVEAL,
      MPK_MISSING },
    { "no typ", "{\"alg\":\"HS256\",\"kid\":\"t1\"}", REVEAL(EMAIL), MPK_AUD_REVEAL,
      MPK_MISSING },
    { "another typ", "{\"alg\":\"HS256\",\"typ\":\"jwt\",\"kid\":\"t1\"}", REVEAL(EMAIL),
      MPK_AUD_REVEAL, MPK_MALFORMED },
    { "no kid", "{\"alg\":\"HS256\",\"typ\":\"JWT\"}", REVEAL(EMAIL), MPK_AUD_REVEAL,
      MPK_MISSING },
    { "an empty kid", "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"\"}", REVEAL(EMAIL),
      MPK_AUD_REVEAL, MPK_UNKNOWN },
    { "an unknown kid", "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"t2\"}",
      REVEAL(EMAIL), MPK_AUD_REVEAL, MPK_UNKNOWN },
    { "a kid as a path",
      "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"../../dev/null\"}",
      REVEAL(EMAIL), MPK_AUD_REVEAL, MPK_UNKNOWN },
    { "a kid with a NUL", "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"t1\\u0000\"}",
      REVEAL(EMAIL), MPK_AUD_REVEAL, MPK_MALFORMED },
    { "a kid that is a number", "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":1}",
      REVEAL(EMAIL), MPK_AUD_REVEAL, MPK_MALFORMED },
    { "the kid of the lookup key", "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"l1\"}",
      REVEAL(EMAIL), MPK_AUD_REVEAL, MPK_UNKNOWN },
    { "the kid of the journal key", "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"j1\"}",
      REVEAL(EMAIL), MPK_AUD_REVEAL, MPK_UNKNOWN },
    { "the kid of the wrap key", "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"w1\"}",
      REVEAL(EMAIL), MPK_AUD_REVEAL, MPK_UNKNOWN },
    { "crit",
      "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"t1\",\"crit\":\"b64\"}",
      REVEAL(EMAIL), MPK_AUD_REVEAL, MPK_UNKNOWN },
    { "jku", "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"t1\",\"jku\":\"https://a\"}",
      REVEAL(EMAIL), MPK_AUD_REVEAL, MPK_UNKNOWN },
    { "a header member twice",
      "{\"alg\":\"none\",\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"t1\"}",
      REVEAL(EMAIL), MPK_AUD_REVEAL, MPK_DUPLICATE },
    { "a header that is no object", "[]", REVEAL(EMAIL), MPK_AUD_REVEAL, MPK_MALFORMED },
    { "a header that is no JSON", HEAD "x", REVEAL(EMAIL), MPK_AUD_REVEAL,
      MPK_MALFORMED },
    { "an empty header", "", REVEAL(EMAIL), MPK_AUD_REVEAL, MPK_MALFORMED },

    /* claims */

    { "no claims", HEAD, "{}", MPK_AUD_REVEAL, MPK_MISSING },
    { "claims that are no object", HEAD, "\"mpk\"", MPK_AUD_REVEAL, MPK_MALFORMED },
    { "claims that are no JSON", HEAD, "{", MPK_AUD_REVEAL, MPK_MALFORMED },
    { "no payload", HEAD, "", MPK_AUD_REVEAL, MPK_MALFORMED },
    { "bytes after the claims", HEAD, REVEAL(EMAIL) "{}", MPK_AUD_REVEAL,
      MPK_MALFORMED },
    { "an unknown claim", HEAD, REVEAL(EMAIL ",\"nbf\":1"), MPK_AUD_REVEAL,
      MPK_UNKNOWN },
    { "a claim twice", HEAD, REVEAL(EMAIL ",\"sub\":\"A-2\""), MPK_AUD_REVEAL,
      MPK_DUPLICATE },
    { "a claim twice, once spelled with an escape", HEAD,
      REVEAL(EMAIL ",\"s\\u0075b\":\"A-2\""), MPK_AUD_REVEAL, MPK_DUPLICATE },
    { "another iss", HEAD,
      CLAIMS("\"mpq\"", "\"reveal\"", "\"A-1\"", "\"" JTI "\"", IAT, EXP, EMAIL),
      MPK_AUD_REVEAL, MPK_PURPOSE },
    { "a claim token shown for a reveal", HEAD, CLAIM(""), MPK_AUD_REVEAL, MPK_PURPOSE },
    { "a reveal token shown for a claim", HEAD, REVEAL(EMAIL), MPK_AUD_CLAIM,
      MPK_PURPOSE },
    { "another aud", HEAD,
      CLAIMS("\"mpk\"", "\"other\"", "\"A-1\"", "\"" JTI "\"", IAT, EXP, EMAIL),
      MPK_AUD_REVEAL, MPK_PURPOSE },
    { "aud in a list", HEAD,
      CLAIMS("\"mpk\"", "[\"reveal\"]", "\"A-1\"", "\"" JTI "\"", IAT, EXP, EMAIL),
      MPK_AUD_REVEAL, MPK_MALFORMED },
    { "an empty sub", HEAD, SUB("\"\""), MPK_AUD_REVEAL, MPK_MALFORMED },
    { "a sub with a slash", HEAD, SUB("\"a/b\""), MPK_AUD_REVEAL, MPK_MALFORMED },
    { "a sub with a brace", HEAD, SUB("\"{b00}\""), MPK_AUD_REVEAL, MPK_MALFORMED },
    { "a sub spelled with an escape", HEAD, SUB("\"A\\u002d1\""), MPK_AUD_REVEAL, MPK_OK },
    { "a sub that is a number", HEAD, SUB("1"), MPK_AUD_REVEAL, MPK_MALFORMED },
    { "a sub of 64 characters", HEAD,
      SUB("\"0123456789012345678901234567890123456789012345678901234567890123\""),
      MPK_AUD_REVEAL, MPK_OK },
    { "a sub of 65 characters", HEAD,
      SUB("\"01234567890123456789012345678901234567890123456789012345678901234\""),
      MPK_AUD_REVEAL, MPK_MALFORMED },
    { "a short jti", HEAD, ID("\"AAECAwQFBgcICQoLDA0O\""), MPK_AUD_REVEAL,
      MPK_MALFORMED },
    { "a long jti", HEAD, ID("\"AAECAwQFBgcICQoLDA0ODwAA\""), MPK_AUD_REVEAL,
      MPK_MALFORMED },
    { "a jti with unused bits set", HEAD, ID("\"AAECAwQFBgcICQoLDA0ODx\""),
      MPK_AUD_REVEAL, MPK_MALFORMED },
    { "a jti that is no base64url", HEAD, ID("\"AAECAwQFBgcICQoLDA0+Dw\""),
      MPK_AUD_REVEAL, MPK_MALFORMED },
    { "iat ahead by as much as clocks differ", HEAD, TIMES("1795421790", EXP),
      MPK_AUD_REVEAL, MPK_OK },
    { "iat ahead by more", HEAD, TIMES("1795421791", EXP), MPK_AUD_REVEAL, MPK_LIMIT },
    { "exp equal to iat", HEAD, TIMES(IAT, IAT), MPK_AUD_REVEAL, MPK_MALFORMED },
    { "exp before iat", HEAD, TIMES(IAT, "1795421699"), MPK_AUD_REVEAL,
      MPK_MALFORMED },
    { "a zero before iat", HEAD, TIMES("0" IAT, EXP), MPK_AUD_REVEAL, MPK_MALFORMED },
    { "a negative iat", HEAD, TIMES("-1", EXP), MPK_AUD_REVEAL, MPK_MALFORMED },
    { "exp now", HEAD, TIMES(IAT, "1795421730"), MPK_AUD_REVEAL, MPK_OK },
    { "exp 59 seconds ago", HEAD, TIMES("1795421000", "1795421671"), MPK_AUD_REVEAL, MPK_OK },
    { "exp a minute ago", HEAD, TIMES("1795421000", "1795421670"), MPK_AUD_REVEAL,
      MPK_EXPIRED },
    { "exp at the end of 9999", HEAD, TIMES(IAT, "253402300799"), MPK_AUD_REVEAL,
      MPK_OK },
    { "exp past it", HEAD, TIMES(IAT, "253402300800"), MPK_AUD_REVEAL, MPK_LIMIT },
    { "exp as large as a number can be", HEAD, TIMES(IAT, "9223372036854775807"),
      MPK_AUD_REVEAL, MPK_LIMIT },
    { "exp larger than that", HEAD, TIMES(IAT, "9223372036854775808"),
      MPK_AUD_REVEAL, MPK_MALFORMED },
    { "exp with a fraction", HEAD, TIMES(IAT, "1798013700.5"), MPK_AUD_REVEAL,
      MPK_MALFORMED },
    { "exp as a string", HEAD, TIMES(IAT, "\"" EXP "\""), MPK_AUD_REVEAL,
      MPK_MALFORMED },
    { "a reveal token without ch", HEAD, REVEAL(""), MPK_AUD_REVEAL, MPK_MISSING },
    { "an empty ch", HEAD, REVEAL(",\"ch\":\"\""), MPK_AUD_REVEAL, MPK_MALFORMED },
    { "an unknown ch", HEAD, REVEAL(",\"ch\":\"fax\""), MPK_AUD_REVEAL, MPK_MALFORMED },
    { "a claim token with ch", HEAD, CLAIM(EMAIL), MPK_AUD_CLAIM, MPK_MALFORMED },
    { "an empty list of items (which is not \"all\")", HEAD, ITEMS("[]"),
      MPK_AUD_REVEAL, MPK_MALFORMED },
    { "items null", HEAD, ITEMS("null"), MPK_AUD_REVEAL, MPK_MALFORMED },
    { "items 1 and 500", HEAD, ITEMS("[1,500]"), MPK_AUD_REVEAL, MPK_OK },
    { "item 0", HEAD, ITEMS("[0]"), MPK_AUD_REVEAL, MPK_MALFORMED },
    { "item 501", HEAD, ITEMS("[501]"), MPK_AUD_REVEAL, MPK_MALFORMED },
    { "item 65537", HEAD, ITEMS("[65537]"), MPK_AUD_REVEAL, MPK_MALFORMED },
    { "items not ascending", HEAD, ITEMS("[2,1]"), MPK_AUD_REVEAL, MPK_MALFORMED },
    { "an item twice", HEAD, ITEMS("[1,1]"), MPK_AUD_REVEAL, MPK_MALFORMED },
    { "an item that is a string", HEAD, ITEMS("[\"1\"]"), MPK_AUD_REVEAL,
      MPK_MALFORMED },
    { "a list in the items", HEAD, ITEMS("[[1]]"), MPK_AUD_REVEAL, MPK_LIMIT },

    /* the shop's own links */

    { "a link that the shop signed", HEADL, REVEAL(EMAIL), MPK_AUD_REVEAL, MPK_OK },
    { "a link that says onscreen", HEADL, REVEAL(",\"ch\":\"onscreen\""), MPK_AUD_REVEAL,
      MPK_PURPOSE },
    { "a link that says account", HEADL, REVEAL(",\"ch\":\"account\""), MPK_AUD_REVEAL,
      MPK_PURPOSE },
    { "a link that is a claim token", HEADL, CLAIM(""), MPK_AUD_CLAIM, MPK_PURPOSE },
    { "a link in another library's spelling",
      "{\"typ\":\"JWT\",\"alg\":\"HS256\",\"kid\":\"k1\"}", REVEAL(EMAIL),
      MPK_AUD_REVEAL, MPK_OK },
};


static mpk_keyring_t  keyring;
static mpk_crypto_t  *crypto;


static const mpk_key_t *
test_key(const char *kid)
{
    size_t  i;

    for (i = 0; i < keyring.count; i++) {
        if (keyring.keys[i].kid.len == strlen(kid)
            && memcmp(keyring.keys[i].kid.data, kid, strlen(kid)) == 0)
        {
            return &keyring.keys[i];
        }
    }

    return NULL;
}


static void
test_segment(mpk_buf_t *buf, mpk_str_t data)
{
    uint8_t  *p;

    if (data.len == 0) {
        return;
    }

    p = mpk_buf_room(buf, mpk_base64url_encoded_len(data.len));
    if (p) {
        mpk_base64url_encode(p, data.data, data.len);
    }
}


/* Signs anything with a key, as its holder could. */
static mpk_str_t
test_forge(const mpk_key_t *key, const char *header, const char *payload)
{
    uint8_t    mac[MPK_MAC_LEN];
    mpk_buf_t  buf;
    mpk_str_t  input, token;

    mpk_buf_init(&buf, &test_mem, 0);
    test_segment(&buf, (mpk_str_t) { strlen(header), (const uint8_t *) header });
    mpk_buf_byte(&buf, '.');
    test_segment(&buf, (mpk_str_t) { strlen(payload), (const uint8_t *) payload });

    input = mpk_buf_done(&buf);

    if (mpk_crypto_mac(crypto, key, &input, 1, mac) != MPK_OK) {
        abort();
    }

    mpk_buf_byte(&buf, '.');
    test_segment(&buf, (mpk_str_t) { MPK_MAC_LEN, mac });

    if (mpk_dup(&test_mem, mpk_buf_done(&buf), &token) != MPK_OK) {
        abort();
    }

    return token;
}


static mpk_status_t
test_verify(mpk_str_t text, mpk_aud_t aud, mpk_token_t *token)
{
    return mpk_token_verify(crypto, &test_mem, text.data, text.len, aud, NOW, token);
}


static mpk_status_t
test_sign(const mpk_token_t *token, mpk_str_t *text)
{
    mpk_buf_t     buf;
    mpk_status_t  status;

    mpk_buf_init(&buf, &test_mem, 0);

    status = mpk_token_sign(crypto, &test_mem, token, &buf);
    *text = mpk_buf_done(&buf);

    return status;
}


static bool
test_same(const mpk_token_t *a, const mpk_token_t *b)
{
    return a->aud == b->aud && a->channel == b->channel
           && mpk_str_eq(a->order, b->order) && mpk_str_eq(a->jti, b->jti)
           && a->iat == b->iat && a->exp == b->exp
           && a->items_count == b->items_count
           && (a->items_count == 0
               || memcmp(a->items, b->items, a->items_count * sizeof(uint16_t)) == 0);
}


static void
test_cases(void)
{
    size_t            i;
    mpk_str_t         text, again;
    mpk_token_t       token, other, untouched;
    mpk_status_t      status;
    const mpk_key_t  *key;

    memset(&untouched, 0x5a, sizeof(untouched));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        key = test_key("t1");

        if (strstr(cases[i].header, "\"k1\"")) {
            key = test_key("k1");
        } else if (strstr(cases[i].header, "\"t0\"")) {
            key = test_key("t0");
        } else if (strstr(cases[i].header, "\"l1\"")) {
            key = test_key("l1");
        } else if (strstr(cases[i].header, "\"j1\"")) {
            key = test_key("j1");
        }

        text = test_forge(key, cases[i].header, cases[i].payload);
        token = untouched;
        status = test_verify(text, cases[i].aud, &token);

        ok(status == cases[i].status, cases[i].name);

        if (status != cases[i].status) {
            printf("# %s\n", mpk_status_text(status));
        }

        if (status != MPK_OK && status != MPK_EXPIRED) {
            ok(memcmp(&token, &untouched, sizeof(token)) == 0,
               "*token is unchanged when it is refused");
            continue;
        }

        ok(test_sign(&token, &again) == MPK_OK
           && test_verify(again, cases[i].aud, &other) == status
           && test_same(&token, &other), "what is accepted is signed again to the same");
    }
}


static void
test_fields(void)
{
    mpk_str_t       text, again;
    mpk_token_t     token, read;
    const uint16_t  items[] = { 1, 7, 500 };

    token = (mpk_token_t) { MPK_AUD_REVEAL, MPK_CHANNEL_TRACK, mpk_string("a.B_c-9"),
                            mpk_string(JTI), 1795421700, 1798013700, 3, items };

    ok(test_sign(&token, &text) == MPK_OK
       && test_verify(text, MPK_AUD_REVEAL, &read) == MPK_OK
       && test_same(&token, &read), "a signed token reads as it was");

    ok(test_sign(&token, &again) == MPK_OK && mpk_str_eq(text, again),
       "the same token has the same bytes");

    ok(mpk_str_eq(text,
                  test_forge(test_key("t1"), HEAD,
                             "{\"iss\":\"mpk\",\"aud\":\"reveal\",\"sub\":\"a.B_c-9\","
                             "\"jti\":\"" JTI "\",\"iat\":1795421700,\"exp\":1798013700,"
                             "\"ch\":\"track\",\"items\":[1,7,500]}")),
       "and they are these, signed by the current key");

    token = (mpk_token_t) { MPK_AUD_CLAIM, MPK_CHANNEL_NONE, mpk_string("1"),
                            mpk_string(JTI), 0, 1, 0, NULL };

    ok(test_sign(&token, &text) == MPK_OK
       && test_verify(text, MPK_AUD_CLAIM, &read) == MPK_EXPIRED
       && test_same(&token, &read), "an expired token is returned as expired");

    token.exp = NOW - MPK_TOKEN_SKEW;
    ok(test_sign(&token, &text) == MPK_OK && test_verify(text, MPK_AUD_CLAIM, &read) == MPK_EXPIRED,
       "a minute after its end");
    token.exp++;
    ok(test_sign(&token, &text) == MPK_OK && test_verify(text, MPK_AUD_CLAIM, &read) == MPK_OK,
       "but not before: clocks differ");
}


typedef struct {
    const char   *name;
    mpk_token_t   token;
} test_unsignable_t;

#define TOKEN(aud, ch, order, jti, iat, exp, n, items)                        \
    { aud, ch, { sizeof(order) - 1, (const uint8_t *) order },                \
      { sizeof(jti) - 1, (const uint8_t *) jti }, iat, exp, n, items }
#define LINK(order, jti, iat, exp, n, items)                                  \
    TOKEN(MPK_AUD_REVEAL, MPK_CHANNEL_EMAIL, order, jti, iat, exp, n, items)

static const uint16_t  item_0[] = { 0 };
static const uint16_t  item_501[] = { 501 };
static const uint16_t  item_twice[] = { 3, 3 };

static const test_unsignable_t  unsignables[] = {
    { "no order", LINK("", JTI, 10, 20, 0, NULL) },
    { "an order with a quote", LINK("A\"1", JTI, 10, 20, 0, NULL) },
    { "no jti", LINK("A-1", "", 10, 20, 0, NULL) },
    { "a jti with a quote", LINK("A-1", "AAECAwQFBgcICQoLDA0O\"w", 10, 20, 0, NULL) },
    { "a negative iat", LINK("A-1", JTI, -1, 20, 0, NULL) },
    { "exp not after iat", LINK("A-1", JTI, 10, 10, 0, NULL) },
    { "item 0", LINK("A-1", JTI, 10, 20, 1, item_0) },
    { "item 501", LINK("A-1", JTI, 10, 20, 1, item_501) },
    { "an item twice", LINK("A-1", JTI, 10, 20, 2, item_twice) },
    { "no channel",
      TOKEN(MPK_AUD_REVEAL, MPK_CHANNEL_NONE, "A-1", JTI, 10, 20, 0, NULL) },
    { "no such channel",
      TOKEN(MPK_AUD_REVEAL, MPK_CHANNEL_MAX, "A-1", JTI, 10, 20, 0, NULL) },
    { "a channel in a claim token",
      TOKEN(MPK_AUD_CLAIM, MPK_CHANNEL_EMAIL, "A-1", JTI, 10, 20, 0, NULL) },
};


static void
test_unsignable(void)
{
    size_t        i;
    uint16_t      items[MPK_TOKEN_ITEMS_MAX];
    mpk_buf_t     buf;
    mpk_str_t     text;
    mpk_token_t   token;

    for (i = 0; i < sizeof(unsignables) / sizeof(unsignables[0]); i++) {
        ok(test_sign(&unsignables[i].token, &text) == MPK_MALFORMED && text.len == 0,
           unsignables[i].name);
    }

    for (i = 0; i < MPK_TOKEN_ITEMS_MAX; i++) {
        items[i] = (uint16_t) (i + 1);
    }

    token = (mpk_token_t) LINK("A-1", JTI, 10, 20, MPK_TOKEN_ITEMS_MAX, items);
    ok(test_sign(&token, &text) == MPK_LIMIT && text.len == 0,
       "more items than a token has room for");

    token = (mpk_token_t) LINK("A-1", JTI, 10, 253402300800, 0, NULL);
    ok(test_sign(&token, &text) == MPK_LIMIT, "exp past 9999");

    token.exp = 20;
    mpk_buf_init(&buf, &test_mem, 0);
    buf.max = 40;
    ok(mpk_token_sign(crypto, &test_mem, &token, &buf) == MPK_NOMEM,
       "a buffer that is too small");
}


/* Changes to one valid token; none of them may verify. */
static void
test_mutations(void)
{
    bool              bits, cuts, bytes;
    size_t            i, n;
    uint8_t          *copy;
    mpk_str_t         text, other;
    mpk_buf_t         buf;
    mpk_token_t       token;
    mpk_status_t      status;
    const uint8_t    *dot;

    text = test_forge(test_key("t1"), HEAD, ITEMS("[1,2,3]"));
    ok(test_verify(text, MPK_AUD_REVEAL, &token) == MPK_OK, "a good token to start from");

    copy = mpk_alloc(&test_mem, text.len);
    if (copy == NULL) {
        abort();
    }

    bits = cuts = bytes = true;

    for (i = 0; i < text.len * 8; i++) {
        memcpy(copy, text.data, text.len);
        copy[i / 8] ^= (uint8_t) (1 << i % 8);

        status = test_verify((mpk_str_t) { text.len, copy }, MPK_AUD_REVEAL, &token);
        bits &= status != MPK_OK && status != MPK_EXPIRED;
    }

    ok(bits, "no single flipped bit is accepted");

    for (n = 0; n < text.len; n++) {
        status = test_verify((mpk_str_t) { n, text.data }, MPK_AUD_REVEAL, &token);
        cuts &= status != MPK_OK && status != MPK_EXPIRED;

        /* without its n-th byte */

        memcpy(copy, text.data, n);
        memcpy(copy + n, text.data + n + 1, text.len - n - 1);
        status = test_verify((mpk_str_t) { text.len - 1, copy }, MPK_AUD_REVEAL, &token);
        bytes &= status != MPK_OK && status != MPK_EXPIRED;
    }

    ok(cuts, "no beginning of a token is accepted");
    ok(bytes, "no token with a byte missing is accepted");

    mpk_buf_init(&buf, &test_mem, 0);
    mpk_buf_str(&buf, text);
    mpk_buf_byte(&buf, '=');
    ok(test_verify(mpk_buf_done(&buf), MPK_AUD_REVEAL, &token) == MPK_MALFORMED,
       "padding is refused");

    mpk_buf_init(&buf, &test_mem, 0);
    mpk_buf_str(&buf, text);
    mpk_buf_lit(&buf, ".AAAA");
    ok(test_verify(mpk_buf_done(&buf), MPK_AUD_REVEAL, &token) == MPK_MALFORMED,
       "a fourth part is refused");

    /* the signature's last character has two unused bits */

    memcpy(copy, text.data, text.len);
    for (i = 1, n = 0; i < 4; i++) {
        copy[text.len - 1] = (uint8_t) (text.data[text.len - 1] + i);
        n += test_verify((mpk_str_t) { text.len, copy }, MPK_AUD_REVEAL, &token)
             == MPK_OK;
    }
    ok(n == 0, "another spelling of the same signature is refused");

    /* one token's signature on another's claims */

    other = test_forge(test_key("t1"), HEAD, ITEMS("[1,2,4]"));
    memcpy(copy, other.data, other.len);
    memcpy(copy + text.len - 43, text.data + text.len - 43, 43);
    ok(other.len == text.len
       && test_verify((mpk_str_t) { text.len, copy }, MPK_AUD_REVEAL, &token) == MPK_FORGED,
       "a signature is valid for its own claims only");

    other = test_forge(test_key("t0"), HEAD, REVEAL(EMAIL));
    ok(test_verify(other, MPK_AUD_REVEAL, &token) == MPK_FORGED,
       "a key signs under its own kid only");

    other = test_forge(test_key("k1"), HEAD, REVEAL(EMAIL));
    ok(test_verify(other, MPK_AUD_REVEAL, &token) == MPK_FORGED,
       "the shop's link key does not sign as the module's");

    other = test_forge(test_key("l1"), HEAD, REVEAL(EMAIL));
    ok(test_verify(other, MPK_AUD_REVEAL, &token) == MPK_FORGED,
       "the lookup key does not sign tokens");

    /* unsigned */

    dot = memchr(text.data, '.', text.len);
    dot = memchr(dot + 1, '.', (size_t) (text.data + text.len - dot - 1));
    n = (size_t) (dot - text.data);
    ok(test_verify((mpk_str_t) { n + 1, text.data }, MPK_AUD_REVEAL, &token)
       == MPK_MALFORMED, "an empty signature is refused");

    ok(test_verify(mpk_string("..AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
                   MPK_AUD_REVEAL, &token) == MPK_MALFORMED
       && test_verify(mpk_string(".."), MPK_AUD_REVEAL, &token) == MPK_MALFORMED
       && test_verify(mpk_string("."), MPK_AUD_REVEAL, &token) == MPK_MALFORMED
       && test_verify((mpk_str_t) { 0, NULL }, MPK_AUD_REVEAL, &token) == MPK_MALFORMED,
       "a token without content is refused");
}


/* Claims are parsed only after the MAC was verified. */
static void
test_order(void)
{
    uint8_t      *copy;
    mpk_str_t     text;
    mpk_token_t   token;

    text = test_forge(test_key("t1"), HEAD, "{not JSON");
    copy = mpk_alloc(&test_mem, text.len);
    if (copy == NULL) {
        abort();
    }

    memcpy(copy, text.data, text.len);
    copy[text.len - 2] = copy[text.len - 2] == 'A' ? 'B' : 'A';

    ok(test_verify(text, MPK_AUD_REVEAL, &token) == MPK_MALFORMED
       && test_verify((mpk_str_t) { text.len, copy }, MPK_AUD_REVEAL, &token) == MPK_FORGED,
       "what is not authentic is not parsed");
}


static void
test_limits(void)
{
    char          payload[2048];
    size_t        n;
    mpk_str_t     text;
    mpk_token_t   token;
    mpk_status_t  status;

    /* white space after the claims brings the token to exactly the limit, and over it */

    strcpy(payload, REVEAL(EMAIL));
    n = strlen(payload);

    do {
        payload[n++] = ' ';
        payload[n] = '\0';
        text = test_forge(test_key("t1"), HEAD, payload);
        status = test_verify(text, MPK_AUD_REVEAL, &token);
    } while (status == MPK_OK && n < 2000);

    ok(status == MPK_LIMIT && text.len > MPK_TOKEN_MAX && text.len <= MPK_TOKEN_MAX + 2,
       "a token of up to 1024 bytes is read, a longer one is not");
}


typedef struct {
    size_t  left;
} test_scarce_t;


static void *
test_scarce_alloc(void *ctx, size_t size)
{
    test_scarce_t  *scarce;

    scarce = ctx;

    if (scarce->left == 0) {
        return NULL;
    }

    scarce->left--;

    return test_alloc(NULL, size);
}


static void
test_memory(void)
{
    bool           good;
    size_t         i, n;
    mpk_mem_t      mem;
    mpk_buf_t      buf;
    mpk_str_t      text;
    mpk_token_t    token;
    mpk_status_t   status;
    test_scarce_t  scarce;
    const char    *headers[] = { HEAD, " " HEAD };

    mem = (mpk_mem_t) { test_scarce_alloc, &scarce, false };
    good = true;

    for (i = 0; i < 2; i++) {
        text = test_forge(test_key("t1"), headers[i], ITEMS("[1,2]"));

        for (n = 0; n < 1000; n++) {
            scarce.left = n;
            status = mpk_token_verify(crypto, &mem, text.data, text.len, MPK_AUD_REVEAL,
                                      NOW, &token);
            if (status == MPK_OK) {
                break;
            }

            good &= status == MPK_NOMEM;
        }

        good &= n > 2 && n < 1000;
    }

    ok(good, "verifying: running out of memory anywhere is MPK_NOMEM");

    for (n = 0; n < 1000; n++) {
        scarce.left = n;
        mpk_buf_init(&buf, &test_mem, 0);
        status = mpk_token_sign(crypto, &mem, &token, &buf);
        if (status == MPK_OK) {
            break;
        }

        good &= status == MPK_NOMEM && buf.len == 0;
    }

    ok(good && n > 0 && n < 1000, "signing: running out of memory is MPK_NOMEM");
}


static void
test_ids(void)
{
    uint8_t  id[MPK_TOKEN_ID_LEN], other[MPK_TOKEN_ID_LEN];

    /* SHA-256("abc") begins ba7816bf 8f01cfea 414140de 5dae2223 */

    ok(mpk_token_id(crypto, mpk_string("abc"), id) == MPK_OK
       && memcmp(id, "ungWv48Bz-pBQUDeXa4iIw", MPK_TOKEN_ID_LEN) == 0,
       "a token's id is half of its jti's hash");

    ok(mpk_token_id(crypto, mpk_string(JTI), id) == MPK_OK
       && mpk_token_id(crypto, mpk_string("AAECAwQFBgcICQoLDA0OEA"), other) == MPK_OK
       && memcmp(id, other, MPK_TOKEN_ID_LEN) != 0, "another jti has another id");
}


static void
test_words(void)
{
    ok(mpk_str_eq(mpk_channel_name(MPK_CHANNEL_EMAIL), mpk_string("email"))
       && mpk_str_eq(mpk_channel_name(MPK_CHANNEL_ONSCREEN), mpk_string("onscreen"))
       && mpk_str_eq(mpk_channel_name(MPK_CHANNEL_TRACK), mpk_string("track"))
       && mpk_str_eq(mpk_channel_name(MPK_CHANNEL_ACCOUNT), mpk_string("account"))
       && mpk_channel_name(MPK_CHANNEL_NONE).len == 0
       && mpk_channel_name(MPK_CHANNEL_MAX).len == 0, "each channel has its word");

    ok(mpk_order_id_valid(mpk_string("ORD-2026.11_23")) && mpk_order_id_valid(mpk_string("0"))
       && !mpk_order_id_valid(mpk_string("")) && !mpk_order_id_valid(mpk_string("a b"))
       && !mpk_order_id_valid(mpk_string("a\0b")) && !mpk_order_id_valid(mpk_string("\xc3\xa9"))
       && !mpk_order_id_valid(mpk_string(".")) && !mpk_order_id_valid(mpk_string(".."))
       && mpk_order_id_valid(mpk_string("...")) && mpk_order_id_valid(mpk_string(".a"))
       && !mpk_order_id_valid(mpk_string("a:b")) && !mpk_order_id_valid(mpk_string("a%2e")),
       "order ids are letters, digits, dot, dash and underscore");
}


int
main(void)
{
    mpk_error_t  error;

    if (mpk_keyring_read(&test_mem, (const uint8_t *) keys, sizeof(keys) - 1, &keyring,
                         &error) != MPK_OK)
    {
        printf("Bail out! %s\n", error.text);
        return 1;
    }

    crypto = mpk_crypto_create(&keyring);
    if (crypto == NULL) {
        printf("Bail out! no crypto\n");
        return 1;
    }

    test_cases();
    test_fields();
    test_unsignable();
    test_mutations();
    test_order();
    test_limits();
    test_memory();
    test_ids();
    test_words();

    mpk_crypto_free(crypto);

    return done_testing();
}
