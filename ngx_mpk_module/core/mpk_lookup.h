/* Keyed hashes (use "lookup"): Redis can compare and find, but not read. */

#ifndef MPK_LOOKUP_H
#define MPK_LOOKUP_H

#include "mpk_crypto.h"

#define MPK_EMAIL_MAX  254      /* RFC 5321, 4.5.3.1.3, less the angle brackets */


/* True for an email address as far as it matters here: "@" inside, 3 to MPK_EMAIL_MAX bytes. */
bool mpk_email_valid(mpk_str_t email);

/*
 * An email address is compared after trimming white space and lower-casing ASCII,
 * and no other normalisation: dots and plus tags are the mail provider's business.
 * MPK_MALFORMED: not mpk_email_valid().
 */
mpk_status_t mpk_lookup_email(mpk_crypto_t *crypto, mpk_str_t email,
    uint8_t hash[MPK_MAC_LEN]);

/*
 * An account's identity as the shop writes it: byte for byte, but compared as an
 * email address where it is one.
 */
mpk_status_t mpk_lookup_account(mpk_crypto_t *crypto, mpk_str_t account,
    uint8_t hash[MPK_MAC_LEN]);

/* A network address or prefix, as bytes. */
mpk_status_t mpk_lookup_address(mpk_crypto_t *crypto, mpk_str_t address,
    uint8_t hash[MPK_MAC_LEN]);

/* The digest of the content that was filed (R10). */
mpk_status_t mpk_lookup_digest(mpk_crypto_t *crypto, mpk_str_t content,
    uint8_t hash[MPK_MAC_LEN]);


#endif /* MPK_LOOKUP_H */
