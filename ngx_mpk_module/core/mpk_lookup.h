/*
 * Keyed hashes (use "lookup").  Those that prove an owner are bound to the order: copied
 * to another one, they prove nothing.
 */

#ifndef MPK_LOOKUP_H
#define MPK_LOOKUP_H

#include "mpk_crypto.h"


/*
 * The billing email of an order, in the form of mpk_email_compared().  MPK_MALFORMED: it is
 * not an email address; MPK_NOMEM.
 */
mpk_status_t mpk_lookup_email(mpk_crypto_t *crypto, mpk_str_t order,
    mpk_str_t email, uint8_t hash[MPK_MAC_LEN]);

/*
 * The account of an order, by the shop's name for it: compared byte for byte, or as an
 * email address if it is one.
 */
mpk_status_t mpk_lookup_account(mpk_crypto_t *crypto, mpk_str_t order,
    mpk_str_t account, uint8_t hash[MPK_MAC_LEN]);

/* The same account in the name of the index of its orders; proves nothing. */
mpk_status_t mpk_lookup_index(mpk_crypto_t *crypto, mpk_str_t account,
    uint8_t hash[MPK_MAC_LEN]);

/* A network address or prefix, as bytes. */
mpk_status_t mpk_lookup_address(mpk_crypto_t *crypto, mpk_str_t address,
    uint8_t hash[MPK_MAC_LEN]);

/* The digest of the content of a request (R10). */
mpk_status_t mpk_lookup_digest(mpk_crypto_t *crypto, mpk_str_t content,
    uint8_t hash[MPK_MAC_LEN]);


#endif /* MPK_LOOKUP_H */
