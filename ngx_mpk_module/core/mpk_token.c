/*
 * Reveal and claim tokens: the signed form, and the claims in the payload.  Nothing of a
 * token but its header is parsed before its MAC is verified.
 */

#include "mpk_base64url.h"
#include "mpk_json.h"
#include "mpk_time.h"
#include "mpk_token.h"


#define MPK_TOKEN_ISS            "mpk"
#define MPK_TOKEN_JTI_BYTES      16      /* of a token id, before base64url */
#define MPK_TOKEN_MAC_CHARS      43      /* of MPK_MAC_LEN bytes in base64url */
#define MPK_TOKEN_HEADER_MAX     256     /* bytes of JSON; ours have up to 71 */


/* The claims (RFC 7519, 4.1) in the order in which they are written. */
typedef enum {
    MPK_JWT_ISS = 0,
    MPK_JWT_AUD,
    MPK_JWT_SUB,
    MPK_JWT_JTI,
    MPK_JWT_IAT,
    MPK_JWT_EXP,
    MPK_JWT_CH,
    MPK_JWT_ITEMS,
    MPK_JWT_MAX
} mpk_jwt_claim_t;


typedef struct {
    mpk_str_t          name;
    mpk_value_type_t   type;
    bool               required;
} mpk_jwt_rule_t;


static const mpk_key_t *mpk_token_key(mpk_crypto_t *crypto,
    mpk_mem_t *mem, mpk_str_t header, mpk_status_t *status);
static mpk_status_t mpk_token_header(mpk_mem_t *mem, mpk_str_t header,
    mpk_str_t *kid);
static mpk_status_t mpk_token_decode(mpk_mem_t *mem, mpk_str_t in,
    mpk_str_t *out);
static mpk_status_t mpk_token_payload_read(mpk_mem_t *mem,
    mpk_str_t json, mpk_token_t *token);
static bool mpk_token_read_own(mpk_str_t json, mpk_token_t *token);
static bool mpk_token_skip(mpk_str_t *rest, mpk_str_t literal);
static bool mpk_token_text(mpk_str_t *rest, mpk_str_t *text);
static bool mpk_token_seconds(mpk_str_t *rest, int64_t *seconds);
static mpk_status_t mpk_token_claims(mpk_mem_t *mem, mpk_str_t json,
    const mpk_value_t **claims);
static mpk_status_t mpk_token_read(mpk_mem_t *mem,
    const mpk_value_t **claims, mpk_token_t *token);
static mpk_status_t mpk_token_read_items(mpk_mem_t *mem,
    const mpk_value_t *items, mpk_token_t *token);
static mpk_status_t mpk_token_check(const mpk_token_t *token);
static void mpk_token_payload_write(const mpk_token_t *token, mpk_buf_t *buf);


static const mpk_jwt_rule_t  mpk_jwt_rules[] = {
    [MPK_JWT_ISS] = { mpk_literal("iss"), MPK_VALUE_STRING, true },
    [MPK_JWT_AUD] = { mpk_literal("aud"), MPK_VALUE_STRING, true },
    [MPK_JWT_SUB] = { mpk_literal("sub"), MPK_VALUE_STRING, true },
    [MPK_JWT_JTI] = { mpk_literal("jti"), MPK_VALUE_STRING, true },
    [MPK_JWT_IAT] = { mpk_literal("iat"), MPK_VALUE_INT, true },
    [MPK_JWT_EXP] = { mpk_literal("exp"), MPK_VALUE_INT, true },
    [MPK_JWT_CH] = { mpk_literal("ch"), MPK_VALUE_STRING, false },
    [MPK_JWT_ITEMS] = { mpk_literal("items"), MPK_VALUE_ARRAY, false },
};

mpk_assert_rows(mpk_jwt_rules, MPK_JWT_MAX);

static const mpk_str_t  mpk_aud_names[] = {
    [MPK_AUD_REVEAL] = mpk_literal("reveal"),
    [MPK_AUD_CLAIM] = mpk_literal("claim"),
};

mpk_assert_rows(mpk_aud_names, MPK_AUD_MAX);

static const mpk_str_t  mpk_channel_names[] = {
    [MPK_CHANNEL_NONE] = mpk_literal(""),
    [MPK_CHANNEL_EMAIL] = mpk_literal("email"),
    [MPK_CHANNEL_ONSCREEN] = mpk_literal("onscreen"),
    [MPK_CHANNEL_TRACK] = mpk_literal("track"),
    [MPK_CHANNEL_ACCOUNT] = mpk_literal("account"),
};

mpk_assert_rows(mpk_channel_names, MPK_CHANNEL_MAX);


mpk_str_t
mpk_channel_name(mpk_channel_t channel)
{
    return mpk_channel_names[(unsigned) channel < MPK_CHANNEL_MAX
                             ? channel : MPK_CHANNEL_NONE];
}


bool
mpk_order_id_valid(mpk_str_t id)
{
    size_t  i;

    if (id.len == 0 || id.len > 64) {
        return false;
    }

    for (i = 0; i < id.len; i++) {
        if (!mpk_order_id_char(id.data[i])) {
            return false;
        }
    }

    return !mpk_str_eq(id, mpk_string(".")) && !mpk_str_eq(id, mpk_string(".."));
}


bool
mpk_order_id_char(uint8_t ch)
{
    return (ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z')
           || (ch >= '0' && ch <= '9') || ch == '.' || ch == '_' || ch == '-';
}


mpk_status_t
mpk_token_verify(mpk_crypto_t *crypto, mpk_mem_t *mem,
    const uint8_t *data, size_t len, mpk_aud_t aud, int64_t now,
    mpk_token_t *token)
{
    uint8_t             given[MPK_MAC_LEN], mac[MPK_MAC_LEN];
    mpk_str_t           header, payload, input, json;
    mpk_token_t         found;
    mpk_status_t        status;
    const uint8_t      *p, *end;
    const mpk_key_t    *key;

    if (len > MPK_TOKEN_MAX) {
        return MPK_LIMIT;
    }

    if (len == 0) {
        return MPK_MALFORMED;
    }

    end = data + len;

    header.data = data;
    p = memchr(data, '.', len);
    if (p == NULL) {
        return MPK_MALFORMED;
    }

    header.len = (size_t) (p - data);

    payload.data = ++p;
    p = memchr(p, '.', (size_t) (end - p));
    if (p == NULL) {
        return MPK_MALFORMED;
    }

    payload.len = (size_t) (p - payload.data);

    input.data = data;
    input.len = (size_t) (p++ - data);

    /* a third dot fails to decode */

    if (end - p != MPK_TOKEN_MAC_CHARS
        || mpk_base64url_decode(given, p, MPK_TOKEN_MAC_CHARS) != MPK_OK)
    {
        return MPK_MALFORMED;
    }

    key = mpk_token_key(crypto, mem, header, &status);
    if (key == NULL) {
        return status;
    }

    status = mpk_crypto_mac(crypto, key, &input, 1, mac);
    if (status != MPK_OK) {
        return status;
    }

    if (!mpk_secret_eq((mpk_str_t) { MPK_MAC_LEN, given },
                       (mpk_str_t) { MPK_MAC_LEN, mac }))
    {
        return MPK_FORGED;
    }

    /* authentic: the payload is from a holder of the key */

    status = mpk_token_decode(mem, payload, &json);
    if (status != MPK_OK) {
        return status;
    }

    status = mpk_token_payload_read(mem, json, &found);
    if (status != MPK_OK) {
        return status;
    }

    if (found.aud != aud) {
        return MPK_PURPOSE;
    }

    if (key->use == MPK_USE_LINK
        && (found.aud != MPK_AUD_REVEAL || found.channel != MPK_CHANNEL_EMAIL))
    {
        return MPK_PURPOSE;
    }

    if (found.iat > now && found.iat - now > MPK_TOKEN_SKEW) {
        return MPK_LIMIT;
    }

    *token = found;

    return found.exp + MPK_TOKEN_SKEW <= now ? MPK_EXPIRED : MPK_OK;
}


mpk_status_t
mpk_token_sign(mpk_crypto_t *crypto, mpk_mem_t *mem,
    const mpk_token_t *token, mpk_buf_t *out)
{
    size_t            start, len;
    uint8_t           mac[MPK_MAC_LEN], *p;
    mpk_buf_t         payload;
    mpk_str_t         input;
    mpk_status_t      status;
    const mpk_key_t  *key;

    key = mpk_keyring_current(mpk_crypto_keyring(crypto), MPK_USE_TOKEN);
    if (key == NULL) {
        return MPK_UNKNOWN;
    }

    status = mpk_token_check(token);
    if (status != MPK_OK) {
        return status;
    }

    mpk_buf_init(&payload, mem, 256);
    mpk_token_payload_write(token, &payload);

    if (payload.failed) {
        return MPK_NOMEM;
    }

    len = key->header.len + 1 + mpk_base64url_encoded_len(payload.len) + 1
          + MPK_TOKEN_MAC_CHARS;

    if (len > MPK_TOKEN_MAX) {
        return MPK_LIMIT;
    }

    start = out->len;

    p = mpk_buf_room(out, len);
    if (p == NULL) {
        return MPK_NOMEM;
    }

    input.data = p;
    input.len = len - 1 - MPK_TOKEN_MAC_CHARS;

    memcpy(p, key->header.data, key->header.len);
    p += key->header.len;
    *p++ = '.';

    mpk_base64url_encode(p, payload.data, payload.len);
    p += mpk_base64url_encoded_len(payload.len);

    status = mpk_crypto_mac(crypto, key, &input, 1, mac);
    if (status != MPK_OK) {
        out->len = start;
        return status;
    }

    *p++ = '.';
    mpk_base64url_encode(p, mac, MPK_MAC_LEN);

    return MPK_OK;
}


mpk_status_t
mpk_token_id(mpk_crypto_t *crypto, mpk_str_t jti,
    uint8_t id[MPK_TOKEN_ID_LEN])
{
    uint8_t       hash[MPK_MAC_LEN];
    mpk_status_t  status;

    status = mpk_crypto_hash(crypto, jti, hash);
    if (status != MPK_OK) {
        return status;
    }

    mpk_base64url_encode(id, hash, MPK_TOKEN_JTI_BYTES);

    return MPK_OK;
}


/* Finds the key that the header names; NULL: *status says why there is none. */
static const mpk_key_t *
mpk_token_key(mpk_crypto_t *crypto, mpk_mem_t *mem, mpk_str_t header,
    mpk_status_t *status)
{
    size_t                i;
    mpk_str_t             kid;
    const mpk_key_t      *key;
    const mpk_keyring_t  *keyring;

    keyring = mpk_crypto_keyring(crypto);

    /* fast path: a header that we wrote ourselves */

    for (i = 0; i < keyring->count; i++) {
        key = &keyring->keys[i];

        if ((key->use == MPK_USE_TOKEN || key->use == MPK_USE_LINK)
            && mpk_str_eq(key->header, header))
        {
            return key;
        }
    }

    *status = mpk_token_header(mem, header, &kid);
    if (*status != MPK_OK) {
        return NULL;
    }

    *status = MPK_UNKNOWN;

    key = mpk_keyring_find(keyring, MPK_USE_TOKEN, kid);

    return key ? key : mpk_keyring_find(keyring, MPK_USE_LINK, kid);
}


/* A header that another library wrote: exactly alg, typ and kid. */
static mpk_status_t
mpk_token_header(mpk_mem_t *mem, mpk_str_t header, mpk_str_t *kid)
{
    mpk_str_t           json, alg, typ;
    mpk_value_t        *tree;
    mpk_status_t        status;
    mpk_json_limits_t   limits;
    const mpk_value_t  *member;

    if (mpk_base64url_decoded_len(header.len) > MPK_TOKEN_HEADER_MAX) {
        return MPK_LIMIT;
    }

    status = mpk_token_decode(mem, header, &json);
    if (status != MPK_OK) {
        return status;
    }

    limits.size = MPK_TOKEN_HEADER_MAX;
    limits.depth = 1;
    limits.values = 8;

    status = mpk_json_read(mem, json.data, json.len, &limits, &tree, NULL);
    if (status != MPK_OK) {
        return status;
    }

    if (tree->type != MPK_VALUE_OBJECT) {
        return MPK_MALFORMED;
    }

    for (member = tree->u.list.first; member; member = member->next) {
        if (!mpk_str_eq(member->name, mpk_string("alg"))
            && !mpk_str_eq(member->name, mpk_string("typ"))
            && !mpk_str_eq(member->name, mpk_string("kid")))
        {
            return MPK_UNKNOWN;
        }

        if (member->type != MPK_VALUE_STRING) {
            return MPK_MALFORMED;
        }
    }

    alg = mpk_value_get_string(tree, mpk_string("alg"));
    typ = mpk_value_get_string(tree, mpk_string("typ"));
    *kid = mpk_value_get_string(tree, mpk_string("kid"));

    if (alg.data == NULL || typ.data == NULL || kid->data == NULL) {
        return MPK_MISSING;
    }

    if (!mpk_str_eq(alg, mpk_string("HS256"))) {
        return MPK_FORGED;
    }

    return mpk_str_eq(typ, mpk_string("JWT")) ? MPK_OK : MPK_MALFORMED;
}


static mpk_status_t
mpk_token_decode(mpk_mem_t *mem, mpk_str_t in, mpk_str_t *out)
{
    uint8_t  *p;

    out->len = mpk_base64url_decoded_len(in.len);

    p = mpk_alloc(mem, out->len ? out->len : 1);
    if (p == NULL) {
        return MPK_NOMEM;
    }

    out->data = p;

    return mpk_base64url_decode(p, in.data, in.len);
}


/*
 * Reads a payload, however its JSON is formatted; strings refer to it or to mem.  Returns
 * the first error: MPK_MALFORMED, MPK_UNKNOWN, MPK_MISSING, MPK_PURPOSE, MPK_NOMEM, or
 * one of mpk_json_read() and mpk_token_check().
 */
static mpk_status_t
mpk_token_payload_read(mpk_mem_t *mem, mpk_str_t json,
    mpk_token_t *token)
{
    mpk_status_t        status;
    const mpk_value_t  *claims[MPK_JWT_MAX];

    if (mpk_token_read_own(json, token)) {
        return MPK_OK;
    }

    status = mpk_token_claims(mem, json, claims);
    if (status != MPK_OK) {
        return status;
    }

    status = mpk_token_read(mem, claims, token);

    return status == MPK_OK ? mpk_token_check(token) : status;
}


/*
 * Fast path without the JSON parser, for payloads as mpk_token_payload_write() writes
 * them without "items", which is nearly all.  A valid token needs no escapes, so one with
 * an escape fails mpk_token_check() here and is left to the parser.
 */
static bool
mpk_token_read_own(mpk_str_t json, mpk_token_t *token)
{
    size_t     i;
    mpk_str_t  rest, aud, ch;

    memset(token, 0, sizeof(mpk_token_t));

    rest = json;

    if (!mpk_token_skip(&rest, mpk_string("{\"iss\":\"" MPK_TOKEN_ISS
                                          "\",\"aud\":\""))
        || !mpk_token_text(&rest, &aud)
        || !mpk_token_skip(&rest, mpk_string(",\"sub\":\""))
        || !mpk_token_text(&rest, &token->order)
        || !mpk_token_skip(&rest, mpk_string(",\"jti\":\""))
        || !mpk_token_text(&rest, &token->jti)
        || !mpk_token_skip(&rest, mpk_string(",\"iat\":"))
        || !mpk_token_seconds(&rest, &token->iat)
        || !mpk_token_skip(&rest, mpk_string(",\"exp\":"))
        || !mpk_token_seconds(&rest, &token->exp)
        || !mpk_token_skip(&rest, mpk_string(",\"ch\":\""))
        || !mpk_token_text(&rest, &ch)
        || !mpk_str_eq(rest, mpk_string("}"))
        || !mpk_str_eq(aud, mpk_aud_names[MPK_AUD_REVEAL]))
    {
        return false;
    }

    token->aud = MPK_AUD_REVEAL;

    for (i = MPK_CHANNEL_EMAIL; i < MPK_CHANNEL_MAX; i++) {
        if (mpk_str_eq(ch, mpk_channel_names[i])) {
            token->channel = (mpk_channel_t) i;
        }
    }

    return mpk_token_check(token) == MPK_OK;
}


static bool
mpk_token_skip(mpk_str_t *rest, mpk_str_t literal)
{
    if (rest->len < literal.len
        || memcmp(rest->data, literal.data, literal.len) != 0)
    {
        return false;
    }

    rest->data += literal.len;
    rest->len -= literal.len;

    return true;
}


/* Reads up to the closing quote, and skips that. */
static bool
mpk_token_text(mpk_str_t *rest, mpk_str_t *text)
{
    const uint8_t  *quote;

    quote = memchr(rest->data, '"', rest->len);
    if (quote == NULL) {
        return false;
    }

    text->data = rest->data;
    text->len = (size_t) (quote - rest->data);

    rest->data = quote + 1;
    rest->len -= text->len + 1;

    return true;
}


/* Decimal, as in JSON: no leading zeros. */
static bool
mpk_token_seconds(mpk_str_t *rest, int64_t *seconds)
{
    size_t   i;
    int64_t  n;

    n = 0;

    for (i = 0; i < rest->len && i < 12; i++) {
        if (rest->data[i] < '0' || rest->data[i] > '9') {
            break;
        }

        n = n * 10 + (rest->data[i] - '0');
    }

    if (i == 0 || (i > 1 && rest->data[0] == '0')) {
        return false;
    }

    *seconds = n;

    rest->data += i;
    rest->len -= i;

    return true;
}


/* Finds the value of each claim, by mpk_jwt_claim_t; NULL: absent. */
static mpk_status_t
mpk_token_claims(mpk_mem_t *mem, mpk_str_t json,
    const mpk_value_t **claims)
{
    size_t              i;
    mpk_value_t        *tree;
    mpk_status_t        status;
    mpk_json_limits_t   limits;
    const mpk_value_t  *member;

    limits.size = MPK_TOKEN_MAX;
    limits.depth = 2;
    limits.values = MPK_TOKEN_ITEMS_MAX + 16;

    status = mpk_json_read(mem, json.data, json.len, &limits, &tree, NULL);
    if (status != MPK_OK) {
        return status;
    }

    if (tree->type != MPK_VALUE_OBJECT) {
        return MPK_MALFORMED;
    }

    for (i = 0; i < MPK_JWT_MAX; i++) {
        claims[i] = NULL;
    }

    for (member = tree->u.list.first; member; member = member->next) {

        for (i = 0; i < MPK_JWT_MAX; i++) {
            if (mpk_str_eq(member->name, mpk_jwt_rules[i].name)) {
                break;
            }
        }

        if (i == MPK_JWT_MAX) {
            return MPK_UNKNOWN;
        }

        if (member->type != mpk_jwt_rules[i].type) {
            return MPK_MALFORMED;
        }

        claims[i] = member;
    }

    for (i = 0; i < MPK_JWT_MAX; i++) {
        if (mpk_jwt_rules[i].required && claims[i] == NULL) {
            return MPK_MISSING;
        }
    }

    return MPK_OK;
}


static mpk_status_t
mpk_token_read(mpk_mem_t *mem, const mpk_value_t **claims,
    mpk_token_t *token)
{
    size_t     i;
    mpk_str_t  aud, ch;

    memset(token, 0, sizeof(mpk_token_t));

    if (!mpk_str_eq(claims[MPK_JWT_ISS]->u.string,
                    mpk_string(MPK_TOKEN_ISS)))
    {
        return MPK_PURPOSE;
    }

    aud = claims[MPK_JWT_AUD]->u.string;

    if (mpk_str_eq(aud, mpk_aud_names[MPK_AUD_REVEAL])) {
        token->aud = MPK_AUD_REVEAL;

    } else if (mpk_str_eq(aud, mpk_aud_names[MPK_AUD_CLAIM])) {
        token->aud = MPK_AUD_CLAIM;

    } else {
        return MPK_PURPOSE;
    }

    token->order = claims[MPK_JWT_SUB]->u.string;
    token->jti = claims[MPK_JWT_JTI]->u.string;
    token->iat = claims[MPK_JWT_IAT]->u.integer;
    token->exp = claims[MPK_JWT_EXP]->u.integer;

    if (claims[MPK_JWT_CH]) {
        ch = claims[MPK_JWT_CH]->u.string;

        for (i = MPK_CHANNEL_EMAIL; i < MPK_CHANNEL_MAX; i++) {
            if (mpk_str_eq(ch, mpk_channel_names[i])) {
                token->channel = (mpk_channel_t) i;
            }
        }

        if (token->channel == MPK_CHANNEL_NONE) {
            return MPK_MALFORMED;
        }

    } else if (token->aud == MPK_AUD_REVEAL) {
        return MPK_MISSING;
    }

    if (claims[MPK_JWT_ITEMS]) {
        return mpk_token_read_items(mem, claims[MPK_JWT_ITEMS], token);
    }

    return MPK_OK;
}


static mpk_status_t
mpk_token_read_items(mpk_mem_t *mem, const mpk_value_t *items,
    mpk_token_t *token)
{
    size_t              n;
    uint16_t           *out;
    const mpk_value_t  *item;

    /* an empty list would mean all items */

    if (items->u.list.count == 0) {
        return MPK_MALFORMED;
    }

    out = mpk_alloc(mem, items->u.list.count * sizeof(uint16_t));
    if (out == NULL) {
        return MPK_NOMEM;
    }

    n = 0;

    for (item = items->u.list.first; item; item = item->next) {
        if (item->type != MPK_VALUE_INT || item->u.integer < 1
            || item->u.integer > MPK_TOKEN_ITEMS_MAX)
        {
            return MPK_MALFORMED;
        }

        out[n++] = (uint16_t) item->u.integer;
    }

    token->items = out;
    token->items_count = n;

    return MPK_OK;
}


/* Checks for tokens to be signed as for those that are read. */
static mpk_status_t
mpk_token_check(const mpk_token_t *token)
{
    size_t   i;
    uint8_t  jti[MPK_TOKEN_JTI_BYTES];

    if ((unsigned) token->aud >= MPK_AUD_MAX) {
        return MPK_MALFORMED;
    }

    if ((unsigned) token->channel >= MPK_CHANNEL_MAX
        || (token->aud == MPK_AUD_REVEAL)
           != (token->channel != MPK_CHANNEL_NONE))
    {
        return MPK_MALFORMED;
    }

    if (!mpk_order_id_valid(token->order)) {
        return MPK_MALFORMED;
    }

    if (token->jti.len != MPK_JTI_LEN
        || mpk_base64url_decode(jti, token->jti.data, MPK_JTI_LEN) != MPK_OK)
    {
        return MPK_MALFORMED;
    }

    if (token->iat < 0 || token->exp <= token->iat) {
        return MPK_MALFORMED;
    }

    if (token->exp > MPK_TIME_MAX) {
        return MPK_LIMIT;
    }

    for (i = 0; i < token->items_count; i++) {
        if (token->items[i] <= (i ? token->items[i - 1] : 0)
            || token->items[i] > MPK_TOKEN_ITEMS_MAX)
        {
            return MPK_MALFORMED;
        }
    }

    return MPK_OK;
}


/* A token that was checked needs no escapes. */
static void
mpk_token_payload_write(const mpk_token_t *token, mpk_buf_t *buf)
{
    size_t  i;

    mpk_buf_lit(buf, "{\"iss\":\"" MPK_TOKEN_ISS "\",\"aud\":\"");
    mpk_buf_str(buf, mpk_aud_names[token->aud]);
    mpk_buf_lit(buf, "\",\"sub\":\"");
    mpk_buf_str(buf, token->order);
    mpk_buf_lit(buf, "\",\"jti\":\"");
    mpk_buf_str(buf, token->jti);
    mpk_buf_lit(buf, "\",\"iat\":");
    mpk_buf_int(buf, token->iat);
    mpk_buf_lit(buf, ",\"exp\":");
    mpk_buf_int(buf, token->exp);

    if (token->channel != MPK_CHANNEL_NONE) {
        mpk_buf_lit(buf, ",\"ch\":\"");
        mpk_buf_str(buf, mpk_channel_names[token->channel]);
        mpk_buf_byte(buf, '"');
    }

    for (i = 0; i < token->items_count; i++) {
        if (i == 0) {
            mpk_buf_lit(buf, ",\"items\":[");
        } else {
            mpk_buf_byte(buf, ',');
        }

        mpk_buf_int(buf, token->items[i]);
    }

    if (token->items_count) {
        mpk_buf_byte(buf, ']');
    }

    mpk_buf_byte(buf, '}');
}
