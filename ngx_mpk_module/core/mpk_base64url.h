/* base64url without padding (RFC 4648 section 5, RFC 7515 appendix C), strict. */

#ifndef MPK_BASE64URL_H
#define MPK_BASE64URL_H

#include "mpk.h"

#define mpk_base64url_encoded_len(n)  (((n) * 4 + 2) / 3)
#define mpk_base64url_decoded_len(n)  ((n) * 3 / 4)      /* of n characters */


/* Writes mpk_base64url_encoded_len(len) characters to out, no NUL. */
void mpk_base64url_encode(uint8_t *out, const uint8_t *data, size_t len);

/*
 * Writes mpk_base64url_decoded_len(len) bytes to out.  MPK_MALFORMED: a character
 * outside the alphabet, padding, a length of 4n + 1, or unused bits that are not
 * zero (several texts would decode to the same bytes).
 */
mpk_status_t mpk_base64url_decode(uint8_t *out, const uint8_t *data, size_t len);


#endif /* MPK_BASE64URL_H */
