/*
 * Envelope encryption: each order has a random data key, wrapped by the keyring's
 * "wrap" key.  Personal and secret values of the order are sealed with the data key
 * and bound to their place: they can't be moved, and a replaced key can't be put back.
 */

#ifndef MPK_ENVELOPE_H
#define MPK_ENVELOPE_H

#include "mpk_crypto.h"


/* Where a sealed value belongs: part of its additional authenticated data. */
typedef struct {
    mpk_str_t   order;
    mpk_str_t   field;          /* "key", "person", "entry" */
    uint64_t    number;         /* item, or journal entry; 0: neither */
    uint64_t    generation;     /* of the item */
} mpk_place_t;


/* An order's data key while it is in use; mpk_cleanse() it afterwards. */
typedef struct {
    uint8_t  bytes[MPK_DATA_KEY_LEN];
} mpk_data_key_t;


/* Creates a data key and appends it, wrapped with the current wrap key, to wrapped. */
mpk_status_t mpk_envelope_create(mpk_crypto_t *crypto, mpk_mem_t *mem,
    mpk_str_t order, mpk_data_key_t *key, mpk_buf_t *wrapped);

/* MPK_UNKNOWN: the wrap key is not in the keyring; MPK_FORGED: altered, or of another order. */
mpk_status_t mpk_envelope_unwrap(mpk_crypto_t *crypto, mpk_mem_t *mem,
    mpk_str_t order, mpk_str_t wrapped, mpk_data_key_t *key);

/* Appends plain, sealed for its place: plain.len + MPK_SEAL_OVERHEAD bytes. */
mpk_status_t mpk_envelope_seal(mpk_crypto_t *crypto, mpk_mem_t *mem,
    const mpk_data_key_t *key, const mpk_place_t *place, mpk_str_t plain,
    mpk_buf_t *sealed);

/* Opens into mem.  MPK_FORGED: altered, or sealed for another place. */
mpk_status_t mpk_envelope_open(mpk_crypto_t *crypto, mpk_mem_t *mem,
    const mpk_data_key_t *key, const mpk_place_t *place, mpk_str_t sealed,
    mpk_str_t *plain);


#endif /* MPK_ENVELOPE_H */
