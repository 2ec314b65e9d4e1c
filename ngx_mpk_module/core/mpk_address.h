/* Tokens in addresses: read from a request's path, and hidden from what is logged. */

#ifndef MPK_ADDRESS_H
#define MPK_ADDRESS_H

#include "mpk.h"


#define MPK_ADDRESS_STRAY  8     /* bytes behind a link that can be a mail client's */


/*
 * The token of a request: what follows path ("/r/") in its decoded URI.  Mail clients leave
 * a full stop, a bracket, a slash or a blank behind a link: these are cut off.  false: nothing follows the path.
 */
bool mpk_address_token(const uint8_t *uri, size_t len, mpk_str_t path,
    mpk_str_t *token);

/*
 * Replaces with "[hidden]" what follows the first of paths in text, up to a blank, "?"
 * or "#".  text is a request line, an address or a part of one; empty paths are ignored.
 *
 * An address can be written in many ways ("/r%2f..."): where uri, the decoded URI of the
 * request that text is from, begins with one of paths and text has none of them, all is
 * hidden from the first "/" on.  Without a uri (len 0) text is left as it is then.  What
 * was hidden before stays as it is.
 *
 * *out is text itself where nothing is hidden, otherwise in mem.  MPK_NOMEM is the only
 * error.
 */
mpk_status_t mpk_address_hide(mpk_mem_t *mem, const uint8_t *text, size_t len,
    mpk_str_t uri, const mpk_str_t *paths, size_t count, mpk_str_t *out);


#endif /* MPK_ADDRESS_H */
