/*
 * Mustache templates (mustache(5) and the official spec: interpolation,
 * sections, inverted sections, comments, delimiters, partials; no lambdas, no
 * indentation of partials), compiled once and rendered often.
 *
 * Partials are inlined when compiling.  A page's texts are partials too, so a compiled
 * page is a few literals with values between them.
 */

#ifndef MPK_TEMPLATE_H
#define MPK_TEMPLATE_H

#include "mpk_value.h"

#define MPK_CUT_MIN   512     /* bytes: shorter literals are copied */
#define MPK_CUTS_MAX  8


typedef struct mpk_template_s  mpk_template_t;

/*
 * Finds the source of the partial "name".  Returns MPK_OK with *source, or MPK_UNKNOWN for
 * an empty partial, as in Mustache; any other status stops the compilation, with the text
 * that the function left in error.
 */
typedef mpk_status_t (*mpk_template_partial_pt)(void *ctx, mpk_str_t name,
    mpk_str_t *source, mpk_error_t *error);


/*
 * Compiles source.  name is the template's, for errors: error->text begins with "name:",
 * error->line is the line in the template or partial at fault.  partial
 * may be NULL.  Literals refer to source and to partials' sources, which must
 * outlive *out.  Partials nest at most 16 deep: recursion is refused.
 *
 * Errors: MPK_MALFORMED (unclosed tag or section, end without a section, invalid
 * delimiters or name), MPK_LIMIT, MPK_NOMEM, or what partial returned.
 */
mpk_status_t mpk_template_compile(mpk_mem_t *mem, mpk_str_t name,
    mpk_str_t source, mpk_template_partial_pt partial, void *ctx,
    mpk_template_t **out, mpk_error_t *error);


/* A long literal that was not copied: it belongs before out->data[at]. */
typedef struct {
    size_t            at;
    mpk_str_t         literal;
} mpk_cut_t;

typedef struct {
    mpk_cut_t         list[MPK_CUTS_MAX];
    size_t            count;
} mpk_cuts_t;


/*
 * Appends a compiled template, rendered with facts (an object) as the context.  Missing
 * names render as nothing.  Dotted names and the implicit "." follow the spec.  A section
 * treats null, false, "", an empty array and a missing name as false.  Integers are
 * decimal; {{{name}}} and {{&name}} are not escaped.
 *
 * Unless cuts is NULL, long literals (a page's style) are not copied but listed there;
 * they refer to the template.  What mpk_value_watch() watches counts them, too.
 */
void mpk_template_render(const mpk_template_t *template, const mpk_value_t *facts,
    mpk_buf_t *out, mpk_cuts_t *cuts);


#endif /* MPK_TEMPLATE_H */
