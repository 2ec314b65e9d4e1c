/* The keyring: reads a JWK Set strictly and answers which key is for what. */

#include "mpk_json.h"
#include "mpk_jwk.h"


#define MPK_KEYRING_DEPTH   3        /* the set, its array, a key */
#define MPK_KEYRING_VALUES  4096     /* well above MPK_KEYS_MAX keys */


static mpk_status_t mpk_keyring_read_set(const mpk_mem_t *mem,
    const mpk_value_t *set, mpk_keyring_t *keyring, mpk_error_t *error);
static mpk_status_t mpk_keyring_check(const mpk_keyring_t *keyring,
    mpk_error_t *error);


mpk_status_t
mpk_keyring_read(const mpk_mem_t *mem, const uint8_t *data, size_t len,
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

    /* strings without escapes stay where they are; unescaping would copy secrets to mem */

    if (len && memchr(data, '\\', len)) {
        return mpk_fail(error, MPK_MALFORMED, 0,
                        "a backslash: nothing in a keyring needs an escape");
    }

    status = mpk_json_read(mem, data, len, &limits, &set, &json);

    /* the reader's own words are not passed on: they may quote the file */

    switch (status) {

    case MPK_OK:
        break;

    case MPK_NOMEM:
        return mpk_fail(error, status, 0, "out of memory");

    case MPK_DUPLICATE:
        return mpk_fail(error, status, json.line,
                        "a member stands twice in one object: keep one");

    case MPK_LIMIT:
        return mpk_fail(error, status, json.line,
                        "too large or too deep for a keyring: at most %d bytes,"
                        " %d keys, no member of a key an array or object",
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


const mpk_key_t *
mpk_keyring_current(const mpk_keyring_t *keyring, mpk_use_t use)
{
    size_t  i;

    for (i = 0; i < keyring->count; i++) {
        if (keyring->keys[i].use == use) {
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


static mpk_status_t
mpk_keyring_read_set(const mpk_mem_t *mem, const mpk_value_t *set,
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


/* What must hold between the keys of a keyring. */
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

            /* padding included: HMAC takes a key and the same with zeros after it for one */

            if (mpk_secret_eq((mpk_str_t) { MPK_SECRET_MAX, a->secret },
                              (mpk_str_t) { MPK_SECRET_MAX, b->secret }))
            {
                mpk_jwk_label(other, j + 1, b->kid);
                return mpk_fail(error, MPK_DUPLICATE, 0,
                                "%s has the same secret as %s: a secret is for"
                                " one purpose, make a new one", label, other);
            }

            if (a->use == b->use && a->use == MPK_USE_LOOKUP) {
                return mpk_fail(error, MPK_DUPLICATE, 0,
                                "%s: a second key with use \"%s\": keep exactly"
                                " one, what it has hashed cannot be found with"
                                " another", label, mpk_use_name(a->use));
            }
        }
    }

    for (i = 0; i < MPK_USE_MAX; i++) {
        use = (mpk_use_t) i;

        if (use == MPK_USE_LINK || mpk_keyring_current(keyring, use)) {
            continue;
        }

        return mpk_fail(error, MPK_MISSING, 0,
                        "no key with use \"%s\": run \"mpk-keyring add FILE %s\"",
                        mpk_use_name(use), mpk_use_name(use));
    }

    return MPK_OK;
}
