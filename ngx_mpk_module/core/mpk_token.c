/* Reveal and claim tokens: signed in one form, verified before anything of them is believed. */

#include "mpk_base64url.h"
#include "mpk_json.h"
#include "mpk_token_int.h"


#define MPK_TOKEN_MAC_CHARS      43      /* of MPK_MAC_LEN bytes in base64url */
#define MPK_TOKEN_HEADER_MAX     256     /* bytes of JSON; ours have at most 71 */


static const mpk_key_t *mpk_token_key(mpk_crypto_t *crypto,
    const mpk_mem_t *mem, mpk_str_t header, mpk_status_t *status);
static mpk_status_t mpk_token_header(const mpk_mem_t *mem, mpk_str_t header,
    mpk_str_t *kid);
static mpk_status_t mpk_token_decode(const mpk_mem_t *mem, mpk_str_t in,
    mpk_str_t *out);


mpk_status_t
mpk_token_verify(mpk_crypto_t *crypto, const mpk_mem_t *mem,
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

    /* a third dot would not decode */

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

    /* authentic: somebody with a key has written what follows */

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

    return found.exp <= now ? MPK_EXPIRED : MPK_OK;
}


mpk_status_t
mpk_token_sign(mpk_crypto_t *crypto, const mpk_mem_t *mem,
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


/* The key that the header names; NULL and *status if there is none to verify with. */
static const mpk_key_t *
mpk_token_key(mpk_crypto_t *crypto, const mpk_mem_t *mem, mpk_str_t header,
    mpk_status_t *status)
{
    size_t                i;
    mpk_str_t             kid;
    const mpk_key_t      *key;
    const mpk_keyring_t  *keyring;

    keyring = mpk_crypto_keyring(crypto);

    /* nearly always it is one that we have written ourselves */

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


/* A header in another library's spelling: alg, typ and kid, nothing else. */
static mpk_status_t
mpk_token_header(const mpk_mem_t *mem, mpk_str_t header, mpk_str_t *kid)
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
mpk_token_decode(const mpk_mem_t *mem, mpk_str_t in, mpk_str_t *out)
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
