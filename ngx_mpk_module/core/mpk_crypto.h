/*
 * OpenSSL for the rest of core: contexts made once per worker from a keyring and
 * reused for every request (a one-shot HMAC() costs 1.5 us, a reused context 0.2 us).
 *
 * A context belongs to one thread of one process.  It buffers random bytes: create it
 * after fork(), and never use it in a child.
 */

#ifndef MPK_CRYPTO_H
#define MPK_CRYPTO_H

#include "mpk_keyring.h"

#define MPK_MAC_LEN         32   /* HMAC-SHA256 and SHA-256 */
#define MPK_DATA_KEY_LEN    32   /* an order's own AES-256-GCM key */
#define MPK_SEAL_OVERHEAD   28   /* 12 bytes of nonce before, 16 of tag after */


typedef struct mpk_crypto_s  mpk_crypto_t;

/* keyring must outlive the result.  NULL: OpenSSL or malloc failed. */
mpk_crypto_t *mpk_crypto_create(const mpk_keyring_t *keyring);

/* Cleanses and frees it, but not the keyring.  NULL is allowed. */
void mpk_crypto_free(mpk_crypto_t *crypto);

const mpk_keyring_t *mpk_crypto_keyring(const mpk_crypto_t *crypto);

/*
 * Functions that take a key return MPK_PURPOSE if it is of another keyring or for
 * another use, and MPK_LIMIT for data of more than INT_MAX bytes.
 */

/* HMAC-SHA256 (RFC 2104) of the concatenated parts, with an HS256 key. */
mpk_status_t mpk_crypto_mac(mpk_crypto_t *crypto, const mpk_key_t *key,
    const mpk_str_t *parts, size_t count, uint8_t mac[MPK_MAC_LEN]);

/* SHA-256 (FIPS 180-4). */
mpk_status_t mpk_crypto_hash(mpk_crypto_t *crypto, mpk_str_t data, uint8_t hash[MPK_MAC_LEN]);

/* Bytes from OpenSSL's CSPRNG, good for keys and nonces. */
mpk_status_t mpk_crypto_random(mpk_crypto_t *crypto, uint8_t *out, size_t len);

/*
 * AES-256-GCM (SP 800-38D) under an order's data key: out gets nonce | ciphertext |
 * tag, plain.len + MPK_SEAL_OVERHEAD bytes; the nonce is random.  aad binds the
 * value to its place, so that it can't be moved.
 */
mpk_status_t mpk_crypto_seal(mpk_crypto_t *crypto, const uint8_t key[MPK_DATA_KEY_LEN],
    mpk_str_t aad, mpk_str_t plain, uint8_t *out);

/*
 * The inverse: out gets sealed.len - MPK_SEAL_OVERHEAD bytes.  MPK_FORGED: not sealed
 * with this key and aad; out is zeroed.
 */
mpk_status_t mpk_crypto_open(mpk_crypto_t *crypto, const uint8_t key[MPK_DATA_KEY_LEN],
    mpk_str_t aad, mpk_str_t sealed, uint8_t *out);

/* The same with a wrap key of the keyring, whose key schedule is kept. */
mpk_status_t mpk_crypto_wrap(mpk_crypto_t *crypto, const mpk_key_t *key,
    mpk_str_t aad, mpk_str_t plain, uint8_t *out);
mpk_status_t mpk_crypto_unwrap(mpk_crypto_t *crypto, const mpk_key_t *key,
    mpk_str_t aad, mpk_str_t wrapped, uint8_t *out);

/* Cleanses the cached data key, as when its order is erased. */
void mpk_crypto_forget(mpk_crypto_t *crypto);

/* Ed25519 (RFC 8032) with an evidence key. */
mpk_status_t mpk_crypto_sign(mpk_crypto_t *crypto, const mpk_key_t *key,
    mpk_str_t data, uint8_t signature[64]);


#endif /* MPK_CRYPTO_H */
