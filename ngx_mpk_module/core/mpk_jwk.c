/* One key of a keyring: a JWK (RFC 7517), its members as its use demands them. */

#include <stdio.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "mpk_base64url.h"
#include "mpk_jwk.h"
#include "mpk_time.h"


/* In this order: what every key has, what an oct key has, what an OKP key has. */
typedef enum {
    MPK_JWK_KID = 0,
    MPK_JWK_USE,
    MPK_JWK_KTY,
    MPK_JWK_ALG,
    MPK_JWK_K,
    MPK_JWK_CRV,
    MPK_JWK_X,
    MPK_JWK_D,
    MPK_JWK_MAX
} mpk_jwk_t;


typedef struct {
    const char  *name;
    const char  *kty;
    const char  *alg;
    size_t       min;                /* bytes of the secret */
    size_t       max;
} mpk_use_rule_t;


static mpk_status_t mpk_jwk_members(const mpk_value_t *value,
    const char *label, mpk_str_t *members, mpk_key_t *key,
    mpk_error_t *error);
static mpk_status_t mpk_jwk_created(const mpk_value_t *iat, const char *label,
    mpk_key_t *key, mpk_error_t *error);
static mpk_status_t mpk_jwk_kid(const mpk_mem_t *mem, mpk_str_t kid,
    const char *label, mpk_key_t *key, mpk_error_t *error);
static mpk_status_t mpk_jwk_use(const mpk_str_t *members, const char *label,
    mpk_use_t *use, mpk_error_t *error);
static mpk_status_t mpk_jwk_secret(const mpk_str_t *members,
    const char *label, mpk_key_t *key, mpk_error_t *error);
static mpk_status_t mpk_jwk_public(mpk_str_t x, const char *label,
    mpk_key_t *key, mpk_error_t *error);
static mpk_status_t mpk_jwk_header(const mpk_mem_t *mem, mpk_key_t *key);
static bool mpk_jwk_is(mpk_str_t str, const char *word);


static const mpk_use_rule_t  mpk_uses[MPK_USE_MAX] = {
    [MPK_USE_TOKEN] =
        { "token", "oct", "HS256", MPK_SECRET_MIN, MPK_SECRET_MAX },
    [MPK_USE_LINK] =
        { "link", "oct", "HS256", MPK_SECRET_MIN, MPK_SECRET_MAX },
    [MPK_USE_WRAP] =
        { "wrap", "oct", "A256GCM", 32, 32 },
    [MPK_USE_LOOKUP] =
        { "lookup", "oct", "HS256", MPK_SECRET_MIN, MPK_SECRET_MAX },
    [MPK_USE_JOURNAL] =
        { "journal", "oct", "HS256", MPK_SECRET_MIN, MPK_SECRET_MAX },
    [MPK_USE_EVIDENCE] =
        { "evidence", "OKP", "EdDSA", 32, 32 },
};

static const char  *mpk_jwk_names[MPK_JWK_MAX] = {
    [MPK_JWK_KID] = "kid",
    [MPK_JWK_USE] = "use",
    [MPK_JWK_KTY] = "kty",
    [MPK_JWK_ALG] = "alg",
    [MPK_JWK_K] = "k",
    [MPK_JWK_CRV] = "crv",
    [MPK_JWK_X] = "x",
    [MPK_JWK_D] = "d",
};


const char *
mpk_use_name(mpk_use_t use)
{
    return (unsigned) use < MPK_USE_MAX ? mpk_uses[use].name : "";
}


mpk_status_t
mpk_jwk_read(const mpk_mem_t *mem, const mpk_value_t *value,
    size_t number, mpk_key_t *key, mpk_error_t *error)
{
    char          label[MPK_JWK_LABEL];
    mpk_str_t     members[MPK_JWK_MAX], kid;
    mpk_status_t  status;

    mpk_jwk_label(label, number, (mpk_str_t) { 0, NULL });

    if (value->type != MPK_VALUE_OBJECT) {
        return mpk_fail(error, MPK_MALFORMED, 0, "%s is not an object", label);
    }

    kid = mpk_value_get_string(value, mpk_string("kid"));

    if (kid.data == NULL) {
        return mpk_fail(error, MPK_MISSING, 0,
                        "%s has no \"kid\": give it a name of its own, for"
                        " example \"token-1\"", label);
    }

    status = mpk_jwk_kid(mem, kid, label, key, error);
    if (status != MPK_OK) {
        return status;
    }

    mpk_jwk_label(label, number, kid);

    status = mpk_jwk_members(value, label, members, key, error);
    if (status != MPK_OK) {
        return status;
    }

    status = mpk_jwk_use(members, label, &key->use, error);
    if (status != MPK_OK) {
        return status;
    }

    status = mpk_jwk_secret(members, label, key, error);
    if (status != MPK_OK) {
        return status;
    }

    if (key->use == MPK_USE_TOKEN || key->use == MPK_USE_LINK) {
        status = mpk_jwk_header(mem, key);
        if (status != MPK_OK) {
            return mpk_fail(error, status, 0, "out of memory");
        }
    }

    return MPK_OK;
}


void
mpk_jwk_label(char label[MPK_JWK_LABEL], size_t number, mpk_str_t kid)
{
    if (kid.len == 0) {
        (void) snprintf(label, MPK_JWK_LABEL, "key %zu", number);
        return;
    }

    (void) snprintf(label, MPK_JWK_LABEL, "key \"%.*s\"", (int) kid.len,
                    (const char *) kid.data);
}


void
mpk_jwk_word(char word[MPK_JWK_WORD], mpk_str_t name)
{
    size_t  i;

    word[0] = '\0';

    if (name.len > MPK_JWK_WORD - 4) {
        return;
    }

    for (i = 0; i < name.len; i++) {
        if (name.data[i] < '!' || name.data[i] > '~' || name.data[i] == '"') {
            return;
        }
    }

    (void) snprintf(word, MPK_JWK_WORD, " \"%.*s\"", (int) name.len,
                    (const char *) name.data);
}


static mpk_status_t
mpk_jwk_kid(const mpk_mem_t *mem, mpk_str_t kid, const char *label,
    mpk_key_t *key, mpk_error_t *error)
{
    size_t   i;
    uint8_t  ch;

    if (kid.len == 0 || kid.len > MPK_KID_MAX) {
        return mpk_fail(error, MPK_LIMIT, 0,
                        "%s: \"kid\" must have 1 to %d characters",
                        label, MPK_KID_MAX);
    }

    for (i = 0; i < kid.len; i++) {
        ch = kid.data[i];

        if ((ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z')
            || (ch >= '0' && ch <= '9') || ch == '.' || ch == '_' || ch == '-')
        {
            continue;
        }

        return mpk_fail(error, MPK_MALFORMED, 0,
                        "%s: \"kid\" may have letters, digits, \".\", \"_\" and"
                        " \"-\" only", label);
    }

    if (mpk_dup(mem, kid, &key->kid) != MPK_OK) {
        return mpk_fail(error, MPK_NOMEM, 0, "out of memory");
    }

    return MPK_OK;
}


static mpk_status_t
mpk_jwk_members(const mpk_value_t *value, const char *label,
    mpk_str_t *members, mpk_key_t *key, mpk_error_t *error)
{
    char                word[MPK_JWK_WORD];
    size_t              i;
    mpk_status_t        status;
    const mpk_value_t  *member;

    memset(members, 0, MPK_JWK_MAX * sizeof(mpk_str_t));

    for (member = value->u.list.first; member; member = member->next) {

        if (mpk_jwk_is(member->name, "iat")) {
            status = mpk_jwk_created(member, label, key, error);
            if (status != MPK_OK) {
                return status;
            }

            continue;
        }

        for (i = 0; i < MPK_JWK_MAX; i++) {
            if (mpk_jwk_is(member->name, mpk_jwk_names[i])) {
                break;
            }
        }

        if (i == MPK_JWK_MAX) {
            mpk_jwk_word(word, member->name);
            return mpk_fail(error, MPK_UNKNOWN, 0,
                            "%s: unknown member%s: remove it", label, word);
        }

        if (member->type != MPK_VALUE_STRING) {
            return mpk_fail(error, MPK_MALFORMED, 0,
                            "%s: \"%s\" is not a string", label,
                            mpk_jwk_names[i]);
        }

        members[i] = member->u.string;
    }

    return MPK_OK;
}


static mpk_status_t
mpk_jwk_created(const mpk_value_t *iat, const char *label, mpk_key_t *key,
    mpk_error_t *error)
{
    if (iat->type != MPK_VALUE_INT || iat->u.integer < 1
        || iat->u.integer > MPK_TIME_MAX)
    {
        return mpk_fail(error, MPK_MALFORMED, 0,
                        "%s: \"iat\" must be the seconds from 1970 to the"
                        " key's making", label);
    }

    key->created = iat->u.integer;

    return MPK_OK;
}


/* Which members and algorithm a key must have follows from its use. */
static mpk_status_t
mpk_jwk_use(const mpk_str_t *members, const char *label,
    mpk_use_t *use, mpk_error_t *error)
{
    bool                   okp, due;
    char                   word[MPK_JWK_WORD];
    size_t                 i;
    const char            *name;
    const mpk_use_rule_t  *rule;

    if (members[MPK_JWK_USE].data == NULL) {
        return mpk_fail(error, MPK_MISSING, 0,
                        "%s has no \"use\": say what it is for: token, link,"
                        " wrap, lookup, journal or evidence", label);
    }

    for (i = 0; i < MPK_USE_MAX; i++) {
        if (mpk_jwk_is(members[MPK_JWK_USE], mpk_uses[i].name)) {
            break;
        }
    }

    if (i == MPK_USE_MAX) {
        mpk_jwk_word(word, members[MPK_JWK_USE]);
        return mpk_fail(error, MPK_UNKNOWN, 0,
                        "%s: unknown use%s: it is one of token, link, wrap,"
                        " lookup, journal, evidence", label, word);
    }

    *use = (mpk_use_t) i;
    rule = &mpk_uses[i];

    if (!mpk_jwk_is(members[MPK_JWK_KTY], rule->kty)) {
        return mpk_fail(error, MPK_MALFORMED, 0,
                        "%s: a key with use \"%s\" must have \"kty\":\"%s\"",
                        label, rule->name, rule->kty);
    }

    if (!mpk_jwk_is(members[MPK_JWK_ALG], rule->alg)) {
        return mpk_fail(error, MPK_MALFORMED, 0,
                        "%s: a key with use \"%s\" must have \"alg\":\"%s\"",
                        label, rule->name, rule->alg);
    }

    okp = (*use == MPK_USE_EVIDENCE);

    for (i = 0; i < MPK_JWK_MAX; i++) {
        name = mpk_jwk_names[i];
        due = i < MPK_JWK_K || (i == MPK_JWK_K) != okp;

        if (due && members[i].data == NULL) {
            return mpk_fail(error, MPK_MISSING, 0,
                            "%s has no \"%s\", which a key with use \"%s\" needs",
                            label, name, rule->name);
        }

        if (!due && members[i].data) {
            return mpk_fail(error, MPK_UNKNOWN, 0,
                            "%s: \"%s\" has no place in a key with use \"%s\":"
                            " remove it", label, name, rule->name);
        }
    }

    if (okp && !mpk_jwk_is(members[MPK_JWK_CRV], "Ed25519")) {
        return mpk_fail(error, MPK_MALFORMED, 0,
                        "%s: a key with use \"%s\" must have \"crv\":\"Ed25519\"",
                        label, rule->name);
    }

    return MPK_OK;
}


static mpk_status_t
mpk_jwk_secret(const mpk_str_t *members, const char *label,
    mpk_key_t *key, mpk_error_t *error)
{
    size_t                 i, len;
    mpk_str_t              text;
    mpk_jwk_t              member;
    const mpk_use_rule_t  *rule;

    rule = &mpk_uses[key->use];
    member = (key->use == MPK_USE_EVIDENCE) ? MPK_JWK_D : MPK_JWK_K;
    text = members[member];

    len = mpk_base64url_decoded_len(text.len);

    if (len < rule->min || len > rule->max) {

        if (rule->min == rule->max) {
            return mpk_fail(error, MPK_LIMIT, 0,
                            "%s: \"%s\" must be exactly %zu bytes in base64url,"
                            " it is %zu", label,
                            mpk_jwk_names[member],
                            rule->min, len);
        }

        return mpk_fail(error, MPK_LIMIT, 0,
                        "%s: \"k\" must be %zu to %zu bytes in base64url,"
                        " it is %zu", label, rule->min, rule->max, len);
    }

    if (mpk_base64url_decode(key->secret, text.data, text.len) != MPK_OK) {
        return mpk_fail(error, MPK_MALFORMED, 0,
                        "%s: \"%s\" is not base64url (letters, digits, \"-\" and"
                        " \"_\", no \"=\" at the end)", label,
                        mpk_jwk_names[member]);
    }

    key->len = len;

    for (i = 1; i < len; i++) {
        if (key->secret[i] != key->secret[0]) {
            break;
        }
    }

    if (i == len) {
        return mpk_fail(error, MPK_MALFORMED, 0,
                        "%s is one byte repeated, not a secret: make keys with"
                        " mpk-keyring", label);
    }

    if (key->use == MPK_USE_EVIDENCE) {
        return mpk_jwk_public(members[MPK_JWK_X], label, key, error);
    }

    return MPK_OK;
}


static mpk_status_t
mpk_jwk_public(mpk_str_t x, const char *label, mpk_key_t *key,
    mpk_error_t *error)
{
    int        good;
    size_t     len;
    uint8_t    given[sizeof(key->public)];
    EVP_PKEY  *pkey;

    if (mpk_base64url_decoded_len(x.len) != sizeof(given)
        || mpk_base64url_decode(given, x.data, x.len) != MPK_OK)
    {
        return mpk_fail(error, MPK_MALFORMED, 0,
                        "%s: \"x\" must be exactly 32 bytes in base64url", label);
    }

    pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key->secret,
                                        key->len);
    len = sizeof(key->public);
    good = (pkey && EVP_PKEY_get_raw_public_key(pkey, key->public, &len) == 1
            && len == sizeof(key->public));

    EVP_PKEY_free(pkey);

    if (!good) {
        ERR_clear_error();
        return mpk_fail(error, MPK_CRYPTO, 0,
                        "%s: OpenSSL makes no Ed25519 key of it", label);
    }

    if (memcmp(given, key->public, sizeof(given)) != 0) {
        return mpk_fail(error, MPK_FORGED, 0,
                        "%s: \"x\" does not belong to \"d\": the halves of two"
                        " keys were mixed", label);
    }

    return MPK_OK;
}


/* What the token signer writes and its verifier compares with, made once. */
static mpk_status_t
mpk_jwk_header(const mpk_mem_t *mem, mpk_key_t *key)
{
    uint8_t    *p;
    mpk_buf_t   json;

    mpk_buf_init(&json, mem, 48 + MPK_KID_MAX);

    mpk_buf_lit(&json, "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"");
    mpk_buf_str(&json, key->kid);
    mpk_buf_lit(&json, "\"}");

    if (json.failed) {
        return MPK_NOMEM;
    }

    p = mpk_alloc(mem, mpk_base64url_encoded_len(json.len));
    if (p == NULL) {
        return MPK_NOMEM;
    }

    mpk_base64url_encode(p, json.data, json.len);

    key->header.data = p;
    key->header.len = mpk_base64url_encoded_len(json.len);

    return MPK_OK;
}


static bool
mpk_jwk_is(mpk_str_t str, const char *word)
{
    return str.data && str.len == strlen(word)
           && memcmp(str.data, word, str.len) == 0;
}
