/* Escaping for HTML, and validation of UTF-8. */

#ifndef MPK_ESCAPE_H
#define MPK_ESCAPE_H

#include "mpk.h"


/* Appends text for HTML content and quoted attributes: & < > " ' and CR are escaped. */
void mpk_escape_html(mpk_buf_t *buf, mpk_str_t text);

/* True for well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates). */
bool mpk_utf8_valid(const uint8_t *data, size_t len);


#endif /* MPK_ESCAPE_H */
