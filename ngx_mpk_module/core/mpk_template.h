/*
 * Mustache templates (mustache(5) and the official spec: interpolation,
 * sections, inverted sections, comments, delimiters, partials; no lambdas, no
 * indentation of partials), compiled once and rendered often.
 *
 * Partials are put in place while compiling.  A page's texts are partials too,
 * so a compiled page is a few literals with the facts between them.
 */

#ifndef MPK_TEMPLATE_H
#define MPK_TEMPLATE_H

#include "mpk_value.h"

#define MPK_CUT_MIN   512     /* bytes of a literal that is worth a cut */
#define MPK_CUTS_MAX  8


typedef struct mpk_template_s  mpk_template_t;

/*
 * Finds the source of the partial "name".  Returns MPK_OK with *source; MPK_UNKNOWN
 * makes it empty, as Mustache has it; anything else ends the compilation with
 * what the function left in error.
 */
typedef mpk_status_t (*mpk_template_partial_pt)(void *ctx, mpk_str_t name,
    mpk_str_t *source, mpk_error_t *error);


/*
 * Compiles source.  name is the template's, for error texts ("name:" is part of
 * the text, error->line the line within the source or partial at fault).  partial
 * may be NULL.  Literals refer to source and to partials' sources, which must
 * outlive *out.  Partials nest at most 16 deep: recursion is refused.
 *
 * Errors: MPK_MALFORMED (unclosed tag or section, stray end, bad delimiters, bad
 * name), MPK_LIMIT, MPK_NOMEM, or what partial returned.
 */
mpk_status_t mpk_template_compile(const mpk_mem_t *mem, mpk_str_t name,
    mpk_str_t source, mpk_template_partial_pt partial, void *ctx,
    mpk_template_t **out, mpk_error_t *error);


/* A long literal that stays where it is: it belongs before out->data[at]. */
typedef struct {
    size_t            at;
    mpk_str_t         literal;
} mpk_cut_t;

typedef struct {
    mpk_cut_t         list[MPK_CUTS_MAX];
    size_t            count;
} mpk_cuts_t;


/*
 * Appends the rendering of a compiled template with facts (an object) as the
 * context.  Missing names render as nothing.  Dotted names and the implicit "."
 * follow the spec.  False in the sense of a section: null, false, "", empty array,
 * a missing name.  Integers are printed in decimal; {{{name}}} and {{&name}} are
 * not escaped.
 *
 * cuts may be NULL.  Otherwise long literals (a page's style) are not copied but
 * noted there; they live as long as the template.
 */
void mpk_template_render(const mpk_template_t *template, const mpk_value_t *facts,
    mpk_buf_t *out, mpk_cuts_t *cuts);


#endif /* MPK_TEMPLATE_H */
