/* application/x-www-form-urlencoded bodies (WHATWG URL, section 5.1), read under limits. */

#ifndef MPK_FORM_H
#define MPK_FORM_H

#include "mpk_value.h"


typedef struct {
    size_t  size;        /* bytes of input */
    size_t  fields;
} mpk_form_limits_t;


/*
 * Reads a form into an object of strings, so that an endpoint reads forms and JSON
 * alike.  "+" is a space, %XX a byte; an empty field name
 * is skipped.
 *
 * Refused: a "%" without two hex digits, invalid UTF-8 after decoding, a NUL
 * (MPK_MALFORMED), a field that occurs twice (MPK_DUPLICATE),
 * anything over limits (MPK_LIMIT).
 */
mpk_status_t mpk_form_read(mpk_mem_t *mem, const uint8_t *data, size_t len,
    const mpk_form_limits_t *limits, mpk_value_t **out, mpk_error_t *error);

/* Decodes one name or value, also of a query, into mem; refused as above. */
mpk_status_t mpk_form_decode(mpk_mem_t *mem, mpk_str_t in, mpk_str_t *out,
    mpk_error_t *error);


#endif /* MPK_FORM_H */
