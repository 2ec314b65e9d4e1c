/* The keyring: a JWK Set (RFC 7517); each key has one use, in generations. */

#ifndef MPK_KEYRING_H
#define MPK_KEYRING_H

#include "mpk.h"

#define MPK_KEYS_MAX      64     /* keys in a keyring */
#define MPK_KID_MAX       32     /* characters of a kid: [A-Za-z0-9._-] */
#define MPK_SECRET_MIN    32     /* bytes of an HS256 key (RFC 7518, 3.2) */
#define MPK_SECRET_MAX    64
#define MPK_KEYRING_MAX   65536  /* bytes of the file */


typedef enum {
    MPK_USE_TOKEN = 0,   /* tokens and nonces that the module signs */
    MPK_USE_LINK,        /* links that the shop signs itself; optional */
    MPK_USE_WRAP,        /* wraps each order's data key, A256GCM */
    MPK_USE_LOOKUP,      /* keyed hashes; exactly one */
    MPK_USE_JOURNAL,     /* chains journal entries */
    MPK_USE_EVIDENCE,    /* signs evidence, Ed25519 */
    MPK_USE_MAX
} mpk_use_t;


typedef struct {
    mpk_use_t   use;
    mpk_str_t   kid;
    size_t      len;                         /* of secret; Ed25519: 32 */
    uint8_t     secret[MPK_SECRET_MAX];      /* zeroed beyond len */
    uint8_t     public[32];                  /* Ed25519 only */
    int64_t     created;                     /* Unix time; 0: unknown */
    bool        staged;                      /* verifies and decrypts, is not yet current */
    mpk_str_t   header;                      /* token, link: of their JWS, base64url */
} mpk_key_t;


typedef struct {
    size_t      count;
    mpk_key_t   keys[MPK_KEYS_MAX];          /* in the file's order */
} mpk_keyring_t;


/*
 * Reads a keyring file's content.  Every key has kid, kty, use, alg and k (oct) or
 * crv, x, d (OKP), and may have iat, when it was created (a NumericDate of whole
 * seconds, RFC 7519, section 2), and staged, true; nothing else.  A kid is unique in the
 * file.  Required: token, wrap, lookup, journal, evidence, each not staged.
 *
 * error says what is wrong and how to fix it: not JSON (with its line), an escape, an
 * unknown or repeated member, a wrong alg or kty for its use, a short, long or
 * uniform key, a repeated kid, the same secret twice, a second lookup key, a missing
 * use, an Ed25519 "x" that does not match "d".  No secret is ever part of error.
 *
 * No secret is copied to mem: the caller cleanses data and keyring only.  A keyring that
 * is refused is zeroed.
 */
mpk_status_t mpk_keyring_read(mpk_mem_t *mem, const uint8_t *data, size_t len,
    mpk_keyring_t *keyring, mpk_error_t *error);

/* True for 1 to MPK_KID_MAX of the characters A-Z, a-z, 0-9, ".", "_" and "-". */
bool mpk_kid_valid(mpk_str_t kid);

/* The current key for a use: the first that is not staged; NULL: there is none. */
const mpk_key_t *mpk_keyring_current(const mpk_keyring_t *keyring, mpk_use_t use);

/* The key with this use and kid; NULL: there is none. */
const mpk_key_t *mpk_keyring_find(const mpk_keyring_t *keyring, mpk_use_t use,
    mpk_str_t kid);

/* The name of a use, as in the file. */
const char *mpk_use_name(mpk_use_t use);


#endif /* MPK_KEYRING_H */
