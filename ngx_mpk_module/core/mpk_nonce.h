/*
 * Nonces of the confirm page: a time, random bytes, and a MAC over both and the
 * token's id.  A nonce is not stored before it is used.
 */

#ifndef MPK_NONCE_H
#define MPK_NONCE_H

#include "mpk_crypto.h"

#define MPK_NONCE_LEN   54      /* characters: 40 bytes in base64url */
#define MPK_NONCE_TIME  3600    /* seconds for which a nonce is valid */


/* Creates a nonce for the token with this id, signed with the current "token" key. */
mpk_status_t mpk_nonce_create(mpk_crypto_t *crypto, mpk_str_t token_id,
    int64_t now, uint8_t nonce[MPK_NONCE_LEN]);

/* True if a "token" key signed nonce for this token less than MPK_NONCE_TIME ago. */
bool mpk_nonce_fresh(mpk_crypto_t *crypto, mpk_str_t token_id, int64_t now,
    mpk_str_t nonce);


#endif /* MPK_NONCE_H */
