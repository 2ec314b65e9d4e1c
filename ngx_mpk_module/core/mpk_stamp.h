/*
 * Stamps: a time that the edge hands to a client and takes back, with a MAC over it and over
 * what it is the time of.
 */

#ifndef MPK_STAMP_H
#define MPK_STAMP_H

#include "mpk_crypto.h"

#define MPK_STAMP_LEN  32       /* characters: 24 bytes in base64url */


/* Signs the time at which "what" was received, with the current "token" key. */
mpk_status_t mpk_stamp_create(mpk_crypto_t *crypto, mpk_str_t what, int64_t at,
    uint8_t stamp[MPK_STAMP_LEN]);

/* The time, if a "token" key of the keyring signed the stamp for this; else 0. */
int64_t mpk_stamp_read(mpk_crypto_t *crypto, mpk_str_t what, mpk_str_t stamp);


#endif /* MPK_STAMP_H */
