/*
 * A tree of values: read from JSON and forms, written as JSON, rendered by templates.
 * An answer is built once, as such a tree, and sent as JSON or as HTML.
 */

#ifndef MPK_VALUE_H
#define MPK_VALUE_H

#include "mpk.h"


typedef enum {
    MPK_VALUE_NULL = 0,
    MPK_VALUE_BOOL,
    MPK_VALUE_INT,
    MPK_VALUE_STRING,
    MPK_VALUE_ARRAY,
    MPK_VALUE_OBJECT
} mpk_value_type_t;


typedef struct mpk_value_s  mpk_value_t;

struct mpk_value_s {
    mpk_value_type_t    type;
    union {
        bool            boolean;
        int64_t         integer;
        mpk_str_t       string;
        struct {
            mpk_value_t  *first;
            mpk_value_t  *last;
            size_t        count;
            mpk_mem_t    *mem;       /* of values that are added */
        } list;                      /* of an array or an object */
    } u;
    mpk_str_t           name;        /* as a member of an object */
    mpk_value_t        *next;        /* within its array or object */
    size_t             *end;         /* see mpk_value_watch(); NULL: not watched */
    bool                markup;      /* a string that templates must not escape */
};


/* A root of any type, false, 0 or empty.  NULL: out of memory. */
mpk_value_t *mpk_value_new(mpk_mem_t *mem, mpk_value_type_t type);

/*
 * Add a value to parent, an object (with this name) or an array (which ignores it).
 * Names and strings are referred to, not copied.
 *
 * When memory runs out, the value is left out, an object or array is NULL, and adding to
 * NULL does nothing: the builder checks mem->failed once, at the end.
 */
mpk_value_t *mpk_value_object(mpk_value_t *parent, mpk_str_t name);
mpk_value_t *mpk_value_array(mpk_value_t *parent, mpk_str_t name);
void mpk_value_string(mpk_value_t *parent, mpk_str_t name, mpk_str_t string);
void mpk_value_int(mpk_value_t *parent, mpk_str_t name, int64_t n);
void mpk_value_bool(mpk_value_t *parent, mpk_str_t name, bool b);
void mpk_value_null(mpk_value_t *parent, mpk_str_t name);

/* A string that is HTML already: templates do not escape it, so the caller must have. */
void mpk_value_markup(mpk_value_t *parent, mpk_str_t name, mpk_str_t html);

/* A string, or null if it is empty. */
void mpk_value_text(mpk_value_t *parent, mpk_str_t name, mpk_str_t string);

/* The same for any type; NULL: out of memory. */
mpk_value_t *mpk_value_add(mpk_value_t *parent, mpk_str_t name,
    mpk_value_type_t type);

/* Adds a root, which may be NULL. */
void mpk_value_put(mpk_value_t *parent, mpk_str_t name, mpk_value_t *value);

/*
 * Watches the string that was added to parent last.  When it is written, as JSON or by a
 * template, *end becomes the length of the output up to and including it.  The first time
 * counts, also if several strings have the same *end, which must be 0 before.
 */
void mpk_value_watch(mpk_value_t *parent, size_t *end);

/* For writers: value was written, and the output has len bytes. */
static inline void
mpk_value_written(const mpk_value_t *value, size_t len)
{
    if (value->end && *value->end == 0) {
        *value->end = len;
    }
}

/* The member of an object, or NULL (also when object is NULL or not an object). */
const mpk_value_t *mpk_value_get(const mpk_value_t *object, mpk_str_t name);

/* Whether a member says yes: true, 1, or exactly the word "true", "yes", "on" or "1". */
bool mpk_value_yes(const mpk_value_t *object, mpk_str_t name);

/* The string member of an object, or an empty string with data == NULL. */
mpk_str_t mpk_value_get_string(const mpk_value_t *object, mpk_str_t name);


#endif /* MPK_VALUE_H */
