/*
 * A tree of values: what JSON and form readers give, what the JSON writer and
 * the templates take.  An answer's facts are built once, as such a tree, and
 * shown as JSON or as HTML.
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
    bool                page_only;   /* for templates; the JSON writer skips it */
    union {
        bool            boolean;
        int64_t         integer;
        mpk_str_t       string;
        struct {
            mpk_value_t  *first;
            mpk_value_t  *last;
            size_t        count;
        } list;                      /* of an array or an object */
    } u;
    mpk_str_t           name;        /* as a member of an object */
    mpk_value_t        *next;        /* within its array or object */
};


/*
 * The makers add a new value to parent, an object (with name) or an array (name
 * is ignored); a NULL parent makes a root.  They return NULL when memory is
 * exhausted; whatever is then added to that NULL is an orphan, so a builder may
 * go on and look once, at the end, whether its memory ran out.  String bytes and
 * names are referred to, not copied.
 */
mpk_value_t *mpk_value_object(const mpk_mem_t *mem, mpk_value_t *parent, mpk_str_t name);
mpk_value_t *mpk_value_array(const mpk_mem_t *mem, mpk_value_t *parent, mpk_str_t name);
mpk_value_t *mpk_value_string(const mpk_mem_t *mem, mpk_value_t *parent, mpk_str_t name, mpk_str_t string);
mpk_value_t *mpk_value_int(const mpk_mem_t *mem, mpk_value_t *parent, mpk_str_t name, int64_t n);
mpk_value_t *mpk_value_bool(const mpk_mem_t *mem, mpk_value_t *parent, mpk_str_t name, bool b);
mpk_value_t *mpk_value_null(const mpk_mem_t *mem, mpk_value_t *parent, mpk_str_t name);

/* Adds a value that was made as a root; a NULL parent leaves it one. */
void mpk_value_put(mpk_value_t *parent, mpk_str_t name, mpk_value_t *value);

/* The member of an object, or NULL (also when object is NULL or no object). */
const mpk_value_t *mpk_value_get(const mpk_value_t *object, mpk_str_t name);

/* The string member of an object, or an empty string with data == NULL. */
mpk_str_t mpk_value_get_string(const mpk_value_t *object, mpk_str_t name);


#endif /* MPK_VALUE_H */
