/* What a token says: the claims of its payload, read, written, and held to their limits. */

#include "mpk_base64url.h"
#include "mpk_json.h"
#include "mpk_time.h"
#include "mpk_token_int.h"


#define MPK_TOKEN_ISS            "mpk"


/* The claims, in the order in which they are written. */
typedef enum {
    MPK_CLAIM_ISS = 0,
    MPK_CLAIM_AUD,
    MPK_CLAIM_SUB,
    MPK_CLAIM_JTI,
    MPK_CLAIM_IAT,
    MPK_CLAIM_EXP,
    MPK_CLAIM_CH,
    MPK_CLAIM_ITEMS,
    MPK_CLAIM_MAX
} mpk_claim_t;


typedef struct {
    mpk_str_t          name;
    mpk_value_type_t   type;
    bool               required;
} mpk_claim_rule_t;


static bool mpk_token_own(mpk_str_t json, mpk_token_t *token);
static bool mpk_token_skip(mpk_str_t *rest, mpk_str_t literal);
static bool mpk_token_text(mpk_str_t *rest, mpk_str_t *text);
static bool mpk_token_seconds(mpk_str_t *rest, int64_t *seconds);
static mpk_status_t mpk_token_claims(const mpk_mem_t *mem, mpk_str_t json,
    const mpk_value_t **claims);
static mpk_status_t mpk_token_read(const mpk_mem_t *mem,
    const mpk_value_t **claims, mpk_token_t *token);
static mpk_status_t mpk_token_read_items(const mpk_mem_t *mem,
    const mpk_value_t *items, mpk_token_t *token);


static const mpk_claim_rule_t  mpk_claim_rules[MPK_CLAIM_MAX] = {
    [MPK_CLAIM_ISS] = { { 3, (const uint8_t *) "iss" }, MPK_VALUE_STRING, true },
    [MPK_CLAIM_AUD] = { { 3, (const uint8_t *) "aud" }, MPK_VALUE_STRING, true },
    [MPK_CLAIM_SUB] = { { 3, (const uint8_t *) "sub" }, MPK_VALUE_STRING, true },
    [MPK_CLAIM_JTI] = { { 3, (const uint8_t *) "jti" }, MPK_VALUE_STRING, true },
    [MPK_CLAIM_IAT] = { { 3, (const uint8_t *) "iat" }, MPK_VALUE_INT, true },
    [MPK_CLAIM_EXP] = { { 3, (const uint8_t *) "exp" }, MPK_VALUE_INT, true },
    [MPK_CLAIM_CH] = { { 2, (const uint8_t *) "ch" }, MPK_VALUE_STRING, false },
    [MPK_CLAIM_ITEMS] = { { 5, (const uint8_t *) "items" }, MPK_VALUE_ARRAY, false },
};

static const mpk_str_t  mpk_aud_names[] = {
    [MPK_AUD_REVEAL] = { 6, (const uint8_t *) "reveal" },
    [MPK_AUD_CLAIM] = { 5, (const uint8_t *) "claim" },
};

static const mpk_str_t  mpk_channel_names[MPK_CHANNEL_MAX] = {
    [MPK_CHANNEL_NONE] = { 0, (const uint8_t *) "" },
    [MPK_CHANNEL_EMAIL] = { 5, (const uint8_t *) "email" },
    [MPK_CHANNEL_ONSCREEN] = { 8, (const uint8_t *) "onscreen" },
    [MPK_CHANNEL_TRACK] = { 5, (const uint8_t *) "track" },
    [MPK_CHANNEL_ACCOUNT] = { 7, (const uint8_t *) "account" },
};


mpk_str_t
mpk_channel_name(mpk_channel_t channel)
{
    return mpk_channel_names[(unsigned) channel < MPK_CHANNEL_MAX
                             ? channel : MPK_CHANNEL_NONE];
}


bool
mpk_order_id_valid(mpk_str_t id)
{
    size_t   i;
    uint8_t  ch;

    if (id.len == 0 || id.len > 64) {
        return false;
    }

    for (i = 0; i < id.len; i++) {
        ch = id.data[i];

        if (!((ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z')
              || (ch >= '0' && ch <= '9') || ch == '.' || ch == '_'
              || ch == '-'))
        {
            return false;
        }
    }

    return true;
}


mpk_status_t
mpk_token_payload_read(const mpk_mem_t *mem, mpk_str_t json,
    mpk_token_t *token)
{
    mpk_status_t        status;
    const mpk_value_t  *claims[MPK_CLAIM_MAX];

    if (mpk_token_own(json, token)) {
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
 * Nearly every payload is in the one spelling that mpk_token_payload_write() has, and is
 * for all items: it is taken apart without a JSON parser.  What a checked token holds
 * needs no escaping, so a text with an escape in it is left to the parser.
 */
static bool
mpk_token_own(mpk_str_t json, mpk_token_t *token)
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


/* Up to the closing quote, which is skipped. */
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


/* Decimal, as JSON has it: without a zero before other digits. */
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


/* Finds each claim's value by its place in mpk_claim_rules; NULL: it is not there. */
static mpk_status_t
mpk_token_claims(const mpk_mem_t *mem, mpk_str_t json,
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

    for (i = 0; i < MPK_CLAIM_MAX; i++) {
        claims[i] = NULL;
    }

    for (member = tree->u.list.first; member; member = member->next) {

        for (i = 0; i < MPK_CLAIM_MAX; i++) {
            if (mpk_str_eq(member->name, mpk_claim_rules[i].name)) {
                break;
            }
        }

        if (i == MPK_CLAIM_MAX) {
            return MPK_UNKNOWN;
        }

        if (member->type != mpk_claim_rules[i].type) {
            return MPK_MALFORMED;
        }

        claims[i] = member;
    }

    for (i = 0; i < MPK_CLAIM_MAX; i++) {
        if (mpk_claim_rules[i].required && claims[i] == NULL) {
            return MPK_MISSING;
        }
    }

    return MPK_OK;
}


static mpk_status_t
mpk_token_read(const mpk_mem_t *mem, const mpk_value_t **claims,
    mpk_token_t *token)
{
    size_t     i;
    mpk_str_t  aud, ch;

    memset(token, 0, sizeof(mpk_token_t));

    if (!mpk_str_eq(claims[MPK_CLAIM_ISS]->u.string,
                    mpk_string(MPK_TOKEN_ISS)))
    {
        return MPK_PURPOSE;
    }

    aud = claims[MPK_CLAIM_AUD]->u.string;

    if (mpk_str_eq(aud, mpk_aud_names[MPK_AUD_REVEAL])) {
        token->aud = MPK_AUD_REVEAL;

    } else if (mpk_str_eq(aud, mpk_aud_names[MPK_AUD_CLAIM])) {
        token->aud = MPK_AUD_CLAIM;

    } else {
        return MPK_PURPOSE;
    }

    token->order = claims[MPK_CLAIM_SUB]->u.string;
    token->jti = claims[MPK_CLAIM_JTI]->u.string;
    token->iat = claims[MPK_CLAIM_IAT]->u.integer;
    token->exp = claims[MPK_CLAIM_EXP]->u.integer;

    if (claims[MPK_CLAIM_CH]) {
        ch = claims[MPK_CLAIM_CH]->u.string;

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

    if (claims[MPK_CLAIM_ITEMS]) {
        return mpk_token_read_items(mem, claims[MPK_CLAIM_ITEMS], token);
    }

    return MPK_OK;
}


static mpk_status_t
mpk_token_read_items(const mpk_mem_t *mem, const mpk_value_t *items,
    mpk_token_t *token)
{
    size_t              n;
    uint16_t           *out;
    const mpk_value_t  *item;

    /* an empty list would read as "all of them" */

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


mpk_status_t
mpk_token_check(const mpk_token_t *token)
{
    size_t   i;
    uint8_t  jti[MPK_TOKEN_JTI_BYTES];

    if (token->aud != MPK_AUD_REVEAL && token->aud != MPK_AUD_CLAIM) {
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


void
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
