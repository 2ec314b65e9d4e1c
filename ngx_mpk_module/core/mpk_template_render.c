/* Renders a compiled template with facts. */

#include "mpk_escape.h"
#include "mpk_template_int.h"


typedef struct {
    const mpk_template_t  *template;
    mpk_buf_t             *out;
    mpk_cuts_t            *cuts;
    const mpk_value_t     *stack[MPK_TEMPLATE_DEPTH + 1];
    size_t                 depth;
} mpk_render_t;


static void mpk_render(mpk_render_t *render, size_t first, size_t last);
static void mpk_render_literal(mpk_render_t *render, const mpk_op_t *op);
static void mpk_render_with(mpk_render_t *render, const mpk_value_t *value,
    size_t first, size_t last);
static const mpk_value_t *mpk_render_find(mpk_render_t *render,
    const mpk_op_t *op);
static void mpk_render_value(mpk_render_t *render, const mpk_value_t *value,
    bool escaped);
static bool mpk_render_is(const mpk_value_t *value);


void
mpk_template_render(const mpk_template_t *template, const mpk_value_t *facts,
    mpk_buf_t *out, mpk_cuts_t *cuts)
{
    mpk_render_t  render;

    render.template = template;
    render.out = out;
    render.cuts = cuts;
    render.stack[0] = facts;
    render.depth = 1;

    if (cuts) {
        cuts->count = 0;
    }

    mpk_render(&render, 0, template->count);
}


static void
mpk_render(mpk_render_t *render, size_t first, size_t last)
{
    size_t              i;
    const mpk_op_t     *op;
    const mpk_value_t  *value, *v;

    for (i = first; i < last && !render->out->failed; i++) {
        op = &render->template->ops[i];

        if (op->type == MPK_OP_LITERAL) {
            mpk_render_literal(render, op);
            continue;
        }

        value = mpk_render_find(render, op);

        switch (op->type) {

        case MPK_OP_ESCAPED:
        case MPK_OP_RAW:
            mpk_render_value(render, value, op->type == MPK_OP_ESCAPED);
            continue;

        case MPK_OP_INVERTED:
            if (!mpk_render_is(value)) {
                mpk_render(render, i + 1, op->end);
            }

            break;

        default: /* MPK_OP_SECTION */

            if (!mpk_render_is(value)) {
                break;
            }

            if (value->type != MPK_VALUE_ARRAY) {
                mpk_render_with(render, value, i + 1, op->end);
                break;
            }

            for (v = value->u.list.first; v; v = v->next) {
                mpk_render_with(render, v, i + 1, op->end);
            }
        }

        i = op->end - 1;
    }
}


static void
mpk_render_literal(mpk_render_t *render, const mpk_op_t *op)
{
    mpk_cut_t      *cut;
    mpk_cuts_t     *cuts;
    const uint8_t  *text;

    cuts = render->cuts;
    text = render->template->text + op->start;

    if (cuts == NULL || op->len < MPK_CUT_MIN || cuts->count == MPK_CUTS_MAX) {
        mpk_buf_put(render->out, text, op->len);
        return;
    }

    cut = &cuts->list[cuts->count++];

    cut->at = render->out->len;
    cut->literal = (mpk_str_t) { op->len, text };
}


static void
mpk_render_with(mpk_render_t *render, const mpk_value_t *value, size_t first,
    size_t last)
{
    render->stack[render->depth++] = value;

    mpk_render(render, first, last);

    render->depth--;
}


/* The first part is looked for in every context, the others in what it names. */

static const mpk_value_t *
mpk_render_find(mpk_render_t *render, const mpk_op_t *op)
{
    size_t              i;
    const mpk_value_t  *value;

    if (op->name.len == 0) {
        return render->stack[render->depth - 1];
    }

    value = NULL;

    for (i = render->depth; i > 0 && value == NULL; i--) {
        value = mpk_value_get(render->stack[i - 1], op->name);
    }

    for (i = 0; i < op->count; i++) {
        value = mpk_value_get(value, op->parts[i]);
    }

    return value;
}


static void
mpk_render_value(mpk_render_t *render, const mpk_value_t *value, bool escaped)
{
    if (value == NULL) {
        return;
    }

    switch (value->type) {

    case MPK_VALUE_STRING:

        if (escaped) {
            mpk_escape_html(render->out, value->u.string);

        } else {
            mpk_buf_str(render->out, value->u.string);
        }

        break;

    case MPK_VALUE_INT:
        mpk_buf_int(render->out, value->u.integer);
        break;

    case MPK_VALUE_BOOL:
        mpk_buf_put(render->out, value->u.boolean ? "true" : "false",
                    value->u.boolean ? 4 : 5);
        break;

    default:
        break;
    }
}


/* True in the sense of a section. */

static bool
mpk_render_is(const mpk_value_t *value)
{
    if (value == NULL) {
        return false;
    }

    switch (value->type) {

    case MPK_VALUE_NULL:
        return false;

    case MPK_VALUE_BOOL:
        return value->u.boolean;

    case MPK_VALUE_STRING:
        return value->u.string.len != 0;

    case MPK_VALUE_ARRAY:
        return value->u.list.count != 0;

    default:
        return true;
    }
}
