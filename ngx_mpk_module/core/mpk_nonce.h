/*
 * Nonces of the confirm page: a time, random bytes, and a MAC over both and the
 * token's id.  Nothing remembers a nonce until it is used.
 */

#ifndef MPK_NONCE_H
#define MPK_NONCE_H

#include "mpk_crypto.h"

#define MPK_NONCE_LEN   54      /* characters: 40 bytes in base64url */
#define MPK_NONCE_TIME  3600    /* seconds that a nonce is good for */


/* Makes a nonce for the token with this id, signed by the current "token" key. */
mpk_status_t mpk_nonce_create(mpk_crypto_t *crypto, mpk_str_t token_id,
    int64_t now, uint8_t nonce[MPK_NONCE_LEN]);

/* True if nonce was made for this token, by any "token" key, within MPK_NONCE_TIME. */
bool mpk_nonce_fresh(mpk_crypto_t *crypto, mpk_str_t token_id, int64_t now,
    mpk_str_t nonce);


#endif /* MPK_NONCE_H */
