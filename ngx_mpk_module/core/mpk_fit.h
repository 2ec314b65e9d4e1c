/* What an item fits, as the shop filed it: for which device it is, and who helps with it. */

#ifndef MPK_FIT_H
#define MPK_FIT_H

#include "mpk_pack.h"

#define MPK_URL_MAX  1024     /* bytes */


/* Stored: add at the end, and never change a value. */
typedef enum {
    MPK_FIT_PLATFORM = 0,        /* "windows", "macos", ..., or any text */
    MPK_FIT_EDITION,
    MPK_FIT_REQUIRES,            /* a sentence: what must be there */
    MPK_FIT_ACTIVATION_URL,      /* where its key is entered */
    MPK_FIT_SUPPORT_URL,         /* the maker's, for questions of use */
    MPK_FIT_MAX
} mpk_fit_t;

/* The name of the member. */
mpk_str_t mpk_fit_name(mpk_fit_t fit);

/*
 * Writes what the item with this number fits (fit: MPK_FIT_MAX texts, or NULL): for each that
 * is not empty, the item, a tag (its value plus 1) and the text.
 */
void mpk_fit_write(const mpk_str_t *fit, size_t item, mpk_buf_t *out);

/*
 * Whether a page may link to it: an absolute http or https URL (RFC 3986) of printable ASCII,
 * without user information.  Its length is not checked.
 */
bool mpk_url_valid(mpk_str_t url);


#endif /* MPK_FIT_H */
