/* A compiled template, as the compiler leaves it and the renderer takes it. */

#ifndef MPK_TEMPLATE_INT_H
#define MPK_TEMPLATE_INT_H

#include "mpk_template.h"

#define MPK_TEMPLATE_DEPTH  16     /* of sections, and of partials */


typedef enum {
    MPK_OP_LITERAL = 0,
    MPK_OP_ESCAPED,
    MPK_OP_RAW,
    MPK_OP_SECTION,
    MPK_OP_INVERTED
} mpk_op_type_t;


typedef struct {
    mpk_op_type_t     type;
    uint32_t          start;       /* LITERAL: in the text */
    uint32_t          len;
    uint32_t          end;         /* a section's: the operation behind it */
    mpk_str_t         name;        /* its first part; empty: "." */
    const mpk_str_t  *parts;       /* the others */
    size_t            count;
} mpk_op_t;


struct mpk_template_s {
    mpk_op_t         *ops;
    size_t            count;
    const uint8_t    *text;
};


#endif /* MPK_TEMPLATE_INT_H */
