/* What an object in a request's body may have: a table for each kind of object. */

#ifndef MPK_MEMBERS_H
#define MPK_MEMBERS_H

#include "mpk_errors.h"


#define MPK_SHA256_TEXT  64          /* hexadecimal digits */


/* Whether a member must be there, and may be an empty string. */
typedef enum {
    MPK_OPTIONAL = 0,
    MPK_REQUIRED,                    /* and not empty */
    MPK_FILLED                       /* optional, but not empty */
} mpk_presence_t;

typedef struct {
    mpk_str_t           name;
    mpk_value_type_t    type;        /* NULL: any, the caller checks it */
    mpk_presence_t      presence;
    size_t              max;         /* bytes of a string */
    size_t              offset;      /* of the mpk_str_t that gets the string */
} mpk_member_t;

typedef struct {
    const mpk_member_t  *list;
    size_t               count;
} mpk_members_t;

/* The initializer of an mpk_members_t. */
#define mpk_members(list)  { list, sizeof(list) / sizeof((list)[0]) }


/*
 * Checks the members of an object (NULL: it has none): adds to *errors each that is
 * unknown, missing, empty, of another type or too long.  null is as good as nothing for a member
 * that is not required.  The object is element index of the array "parent", with MPK_NO_INDEX
 * the object of this name, or, if parent is empty, the whole body.
 *
 * into, unless it is NULL, gets the strings: empty ones for what is absent or wrong.
 * false: something is wrong, also if there was no memory to say what.
 */
bool mpk_members_read(mpk_mem_t *mem, const mpk_value_t *object,
    const mpk_members_t *members, mpk_str_t parent, size_t index, void *into,
    mpk_value_t **errors);

/*
 * Copies a SHA-256 in hexadecimal digits in lower case: both spellings are the same content
 * (R10).  false: it is none, or there is no memory.
 */
bool mpk_sha256_read(mpk_mem_t *mem, mpk_str_t text, mpk_str_t *hash);


#endif /* MPK_MEMBERS_H */
