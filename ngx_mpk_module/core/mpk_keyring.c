/*
 * The keyring: a JWK Set read strictly, with the members that each key's use requires, and
 * lookups of keys by use and kid.
 */

#include <stdio.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "mpk_base64url.h"
#include "mpk_json.h"
#include "mpk_keyring.h"
#include "mpk_time.h"


#define MPK_KEYRING_DEPTH   3        /* the set, its array, a key */
#define MPK_KEYRING_VALUES  4096     /* well above MPK_KEYS_MAX keys */

#define MPK_JWK_LABEL  (MPK_KID_MAX + 24)    /* size of a label, NUL included */
#define MPK_JWK_WORD   20                    /* size of a quoted word; secrets are longer */


/* In this order: members of every key, of an oct key, of an OKP key. */
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


static mpk_status_t mpk_keyring_read_set(mpk_mem_t *mem,
    const mpk_value_t *set, mpk_keyring_t *keyring, mpk_error_t *error);
static mpk_status_t mpk_keyring_check(const mpk_keyring_t *keyring,
    mpk_error_t *error);
static mpk_status_t mpk_jwk_read(mpk_mem_t *mem, const mpk_value_t *value,
    size_t number, mpk_key_t *key, mpk_error_t *error);
static void mpk_jwk_label(char label[MPK_JWK_LABEL], size_t number,
    mpk_str_t kid);
static void mpk_jwk_word(char word[MPK_JWK_WORD], mpk_str_t name);
static mpk_status_t mpk_jwk_members(const mpk_value_t *value,
    const char *label, mpk_str_t *members, mpk_key_t *key,
    mpk_error_t *error);
static mpk_status_t mpk_jwk_created(const mpk_value_t *iat, const char *label,
    mpk_key_t *key, mpk_error_t *error);
static mpk_status_t mpk_jwk_kid(mpk_mem_t *mem, mpk_str_t kid,
    const char *label, mpk_key_t *key, mpk_error_t *error);
static mpk_status_t mpk_jwk_use(const mpk_str_t *members, const char *label,
    mpk_use_t *use, mpk_error_t *error);
static mpk_status_t mpk_jwk_secret(const mpk_str_t *members,
    const char *label, mpk_key_t *key, mpk_error_t *error);
static mpk_status_t mpk_jwk_public(mpk_str_t x, const char *label,
    mpk_key_t *key, mpk_error_t *error);
static mpk_status_t mpk_jwk_header(mpk_mem_t *mem, mpk_key_t *key);
static bool mpk_jwk_is(mpk_str_t str, const char *word);


static const mpk_use_rule_t  mpk_uses[] = {
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

mpk_assert_rows(mpk_uses, MPK_USE_MAX);

static const char *const  mpk_jwk_names[] = {
    [MPK_JWK_KID] = "kid",
    [MPK_JWK_USE] = "use",
    [MPK_JWK_KTY] = "kty",
    [MPK_JWK_ALG] = "alg",
    [MPK_JWK_K] = "k",
    [MPK_JWK_CRV] = "crv",
    [MPK_JWK_X] = "x",
    [MPK_JWK_D] = "d",
};

mpk_assert_rows(mpk_jwk_names, MPK_JWK_MAX);


mpk_status_t
mpk_keyring_read(mpk_mem_t *mem, const uint8_t *data, size_t len,
    mpk_keyring_t *keyring, mpk_error_t *error)
{
    mpk_error_t        json;
    mpk_value_t       *set;
    mpk_status_t       status;
    mpk_json_limits_t  limits;

    memset(keyring, 0, sizeof(mpk_keyring_t));
    memset(&json, 0, sizeof(mpk_error_t));

    limits.size = MPK_KEYRING_MAX;
    limits.depth = MPK_KEYRING_DEPTH;
    limits.values = MPK_KEYRING_VALUES;

    /* unescaping would copy secrets to mem; other strings stay in data */

    if (len && memchr(data, '\\', len)) {
        return mpk_fail(error, MPK_MALFORMED, 0,
                        "a backslash: a keyring needs no escapes");
    }

    status = mpk_json_read(mem, data, len, &limits, &set, &json);

    /* the reader's error is not passed on: it may quote the file */

    switch (status) {

    case MPK_OK:
        break;

    case MPK_NOMEM:
        return mpk_fail(error, status, 0, "out of memory");

    case MPK_DUPLICATE:
        return mpk_fail(error, status, json.line,
                        "a member occurs twice in one object: keep one");

    case MPK_LIMIT:
        return mpk_fail(error, status, json.line,
                        "too large or too deep for a keyring: at most %d bytes"
                        " and %d keys, whose members are no arrays or objects",
                        MPK_KEYRING_MAX, MPK_KEYS_MAX);

    default:
        return mpk_fail(error, status, json.line,
                        "not JSON: expected a JWK Set, {\"keys\":[...]},"
                        " as mpk-keyring makes it");
    }

    status = mpk_keyring_read_set(mem, set, keyring, error);

    if (status == MPK_OK) {
        status = mpk_keyring_check(keyring, error);
    }

    if (status != MPK_OK) {
        mpk_cleanse(keyring, sizeof(mpk_keyring_t));
    }

    return status;
}


bool
mpk_kid_valid(mpk_str_t kid)
{
    size_t   i;
    uint8_t  ch;

    for (i = 0; i < kid.len && i < MPK_KID_MAX; i++) {
        ch = kid.data[i];

        if (!((ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z')
              || (ch >= '0' && ch <= '9') || ch == '.' || ch == '_'
              || ch == '-'))
        {
            return false;
        }
    }

    return i > 0 && i == kid.len;
}


const mpk_key_t *
mpk_keyring_current(const mpk_keyring_t *keyring, mpk_use_t use)
{
    size_t  i;

    for (i = 0; i < keyring->count; i++) {
        if (keyring->keys[i].use == use && !keyring->keys[i].staged) {
            return &keyring->keys[i];
        }
    }

    return NULL;
}


const mpk_key_t *
mpk_keyring_find(const mpk_keyring_t *keyring, mpk_use_t use, mpk_str_t kid)
{
    size_t            i;
    const mpk_key_t  *key;

    for (i = 0; i < keyring->count; i++) {
        key = &keyring->keys[i];

        if (key->use == use && mpk_str_eq(key->kid, kid)) {
            return key;
        }
    }

    return NULL;
}


const char *
mpk_use_name(mpk_use_t use)
{
    return (unsigned) use < MPK_USE_MAX ? mpk_uses[use].name : "";
}


static mpk_status_t
mpk_keyring_read_set(mpk_mem_t *mem, const mpk_value_t *set,
    mpk_keyring_t *keyring, mpk_error_t *error)
{
    char                word[MPK_JWK_WORD];
    mpk_status_t        status;
    const mpk_value_t  *value, *keys;

    if (set->type != MPK_VALUE_OBJECT) {
        return mpk_fail(error, MPK_MALFORMED, 0,
                        "not a JWK Set: expected an object, {\"keys\":[...]}");
    }

    keys = NULL;

    for (value = set->u.list.first; value; value = value->next) {
        if (mpk_str_eq(value->name, mpk_string("keys"))) {
            keys = value;
            continue;
        }

        mpk_jwk_word(word, value->name);
        return mpk_fail(error, MPK_UNKNOWN, 0,
                        "unknown member%s beside \"keys\": remove it", word);
    }

    if (keys == NULL) {
        return mpk_fail(error, MPK_MISSING, 0,
                        "no \"keys\": make a keyring with \"mpk-keyring new FILE\"");
    }

    if (keys->type != MPK_VALUE_ARRAY) {
        return mpk_fail(error, MPK_MALFORMED, 0, "\"keys\" is not an array");
    }

    if (keys->u.list.count > MPK_KEYS_MAX) {
        return mpk_fail(error, MPK_LIMIT, 0,
                        "more than %d keys: remove the oldest generations",
                        MPK_KEYS_MAX);
    }

    for (value = keys->u.list.first; value; value = value->next) {
        status = mpk_jwk_read(mem, value, keyring->count + 1,
                              &keyring->keys[keyring->count], error);
        if (status != MPK_OK) {
            return status;
        }

        keyring->count++;
    }

    return MPK_OK;
}


/* Checks across the keys of a keyring. */
static mpk_status_t
mpk_keyring_check(const mpk_keyring_t *keyring, mpk_error_t *error)
{
    char              label[MPK_JWK_LABEL], other[MPK_JWK_LABEL];
    size_t            i, j;
    mpk_use_t         use;
    const mpk_key_t  *a, *b;

    for (i = 0; i < keyring->count; i++) {
        a = &keyring->keys[i];
        mpk_jwk_label(label, i + 1, a->kid);

        for (j = 0; j < i; j++) {
            b = &keyring->keys[j];

            if (mpk_str_eq(a->kid, b->kid)) {
                return mpk_fail(error, MPK_DUPLICATE, 0,
                                "two keys have the kid \"%.*s\": rename one",
                                (int) a->kid.len, (const char *) a->kid.data);
            }

            /* with the padding: to HMAC, trailing zeros of a key make no difference */

            if (mpk_secret_eq((mpk_str_t) { MPK_SECRET_MAX, a->secret },
                              (mpk_str_t) { MPK_SECRET_MAX, b->secret }))
            {
                mpk_jwk_label(other, j + 1, b->kid);
                return mpk_fail(error, MPK_DUPLICATE, 0,
                                "%s has the same secret as %s: a secret is for"
                                " one use, make a new one", label, other);
            }

            if (a->use == b->use && a->use == MPK_USE_LOOKUP) {
                return mpk_fail(error, MPK_DUPLICATE, 0,
                                "%s: a second key with use \"%s\": keep exactly"
                                " one, hashes made with one key can't be found"
                                " with another", label, mpk_use_name(a->use));
            }
        }
    }

    for (i = 0; i < MPK_USE_MAX; i++) {
        use = (mpk_use_t) i;

        if (use == MPK_USE_LINK || mpk_keyring_current(keyring, use)) {
            continue;
        }

        for (j = 0; j < keyring->count && keyring->keys[j].use != use; j++) {
            /* void */
        }

        return mpk_fail(error, MPK_MISSING, 0,
                        "no%s key with use \"%s\": run \"mpk-keyring %s FILE"
                        " %s\"", j < keyring->count ? " current" : "",
                        mpk_use_name(use),
                        j < keyring->count ? "promote" : "add",
                        mpk_use_name(use));
    }

    return MPK_OK;
}


/*
 * Reads the number-th key of the file (from 1) and checks all that concerns it alone.
 * The secret is written to key only; on failure, key may hold parts of it.
 */
static mpk_status_t
mpk_jwk_read(mpk_mem_t *mem, const mpk_value_t *value,
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

    /* the shop signs with it, and decides when */

    if (key->use == MPK_USE_LINK && key->staged) {
        return mpk_fail(error, MPK_MALFORMED, 0,
                        "%s: a key with use \"link\" can't be staged", label);
    }

    if (key->use == MPK_USE_TOKEN || key->use == MPK_USE_LINK) {
        status = mpk_jwk_header(mem, key);
        if (status != MPK_OK) {
            return mpk_fail(error, status, 0, "out of memory");
        }
    }

    return MPK_OK;
}


/* How errors name a key: by its kid, or by its number if kid is empty. */
static void
mpk_jwk_label(char label[MPK_JWK_LABEL], size_t number, mpk_str_t kid)
{
    if (kid.len == 0) {
        (void) snprintf(label, MPK_JWK_LABEL, "key %zu", number);
        return;
    }

    (void) snprintf(label, MPK_JWK_LABEL, "key \"%.*s\"", (int) kid.len,
                    (const char *) kid.data);
}


/* A space and the name in quotes; empty unless it is a short plain word. */
static void
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
mpk_jwk_kid(mpk_mem_t *mem, mpk_str_t kid, const char *label,
    mpk_key_t *key, mpk_error_t *error)
{
    if (kid.len == 0 || kid.len > MPK_KID_MAX) {
        return mpk_fail(error, MPK_LIMIT, 0,
                        "%s: \"kid\" must have 1 to %d characters",
                        label, MPK_KID_MAX);
    }

    if (!mpk_kid_valid(kid)) {
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

        if (mpk_jwk_is(member->name, "staged")) {
            if (member->type != MPK_VALUE_BOOL || !member->u.boolean) {
                return mpk_fail(error, MPK_MALFORMED, 0,
                                "%s: \"staged\" can only be true: remove it",
                                label);
            }

            key->staged = true;
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
                        "%s: \"iat\" must be the Unix time when the key was"
                        " created", label);
    }

    key->created = iat->u.integer;

    return MPK_OK;
}


/* A key's use determines its members and algorithm. */
static mpk_status_t
mpk_jwk_use(const mpk_str_t *members, const char *label,
    mpk_use_t *use, mpk_error_t *error)
{
    bool                   okp, required;
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
        required = i < MPK_JWK_K || (i == MPK_JWK_K) != okp;

        if (required && members[i].data == NULL) {
            return mpk_fail(error, MPK_MISSING, 0,
                            "%s has no \"%s\", which a key with use \"%s\" needs",
                            label, name, rule->name);
        }

        if (!required && members[i].data) {
            return mpk_fail(error, MPK_UNKNOWN, 0,
                            "%s: \"%s\" is not for a key with use \"%s\":"
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
                        "%s: OpenSSL does not accept the Ed25519 key", label);
    }

    if (memcmp(given, key->public, sizeof(given)) != 0) {
        return mpk_fail(error, MPK_FORGED, 0,
                        "%s: \"x\" does not match \"d\": they are of two"
                        " different keys", label);
    }

    return MPK_OK;
}


/* The JWS header that tokens signed with the key have, encoded once. */
static mpk_status_t
mpk_jwk_header(mpk_mem_t *mem, mpk_key_t *key)
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
