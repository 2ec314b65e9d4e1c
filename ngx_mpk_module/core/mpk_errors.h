/* What is wrong with a request's content, for the API: an array of {pointer, detail}. */

#ifndef MPK_ERRORS_H
#define MPK_ERRORS_H

#include "mpk_value.h"

#define MPK_ERRORS_MAX  20       /* in one answer, however long the body is */
#define MPK_NO_INDEX    SIZE_MAX /* of a member of an object, not of an array's element */


/*
 * Adds an error to *errors, which is made when it is NULL; those over MPK_ERRORS_MAX are
 * dropped.  pointer and detail are referred to, not copied.
 */
void mpk_errors_add(mpk_mem_t *mem, mpk_value_t **errors, mpk_str_t pointer,
    mpk_str_t detail);

/*
 * A JSON pointer (RFC 6901) to a member: "/items/0/key"; with MPK_NO_INDEX, "/terms/url";
 * without a parent, "/key"; without a member (data == NULL), "/items/0".
 */
mpk_str_t mpk_errors_pointer(mpk_mem_t *mem, mpk_str_t parent, size_t index,
    mpk_str_t member);


#endif /* MPK_ERRORS_H */
