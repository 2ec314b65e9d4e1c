/*
 * Keyed hashes (use "lookup").  Those that prove an owner are bound to the order: copied
 * to another one, they prove nothing.
 */

#ifndef MPK_LOOKUP_H
#define MPK_LOOKUP_H

#include "mpk_crypto.h"

#define MPK_EMAIL_MAX  254      /* RFC 5321, 4.5.3.1.3, without the angle brackets */


/* True for 3 to MPK_EMAIL_MAX bytes with an "@" inside, white space around it aside. */
bool mpk_email_valid(mpk_str_t email);

/*
 * The billing email of an order.  Email addresses are trimmed and their ASCII letters
 * lower-cased.  Nothing else is normalized: dots and plus tags are up to the mail
 * provider.  MPK_MALFORMED: not mpk_email_valid().
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
