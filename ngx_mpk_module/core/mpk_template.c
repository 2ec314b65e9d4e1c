/*
 * Mustache: a template is compiled to a flat list of operations, in which a section has
 * the index of its end.
 */

#include "mpk_escape.h"
#include "mpk_template.h"

#define MPK_TEMPLATE_DEPTH  16     /* of sections, and of partials */
#define MPK_TEMPLATE_PARTS  7      /* of a dotted name, after the first */
#define MPK_TEMPLATE_OPS    4096


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
    uint32_t          end;         /* a section's: the operation after it */
    mpk_str_t         name;        /* the first part; empty: "." */
    const mpk_str_t  *parts;       /* the other parts */
    size_t            count;
} mpk_op_t;


struct mpk_template_s {
    mpk_op_t         *ops;
    size_t            count;
    const uint8_t    *text;
};


typedef struct {
    mpk_str_t         name;
    size_t            line;
    size_t            op;
} mpk_section_t;


typedef struct {
    mpk_mem_t                *mem;
    mpk_template_partial_pt   partial;
    void                     *ctx;
    mpk_error_t              *error;
    mpk_op_t                 *ops;
    size_t                    count;
    size_t                    size;
    mpk_buf_t                 text;
    mpk_section_t             sections[MPK_TEMPLATE_DEPTH];
    size_t                    depth;
    size_t                    partials;
} mpk_compiler_t;


/* A template or partial while it is parsed. */
typedef struct {
    mpk_str_t         name;
    mpk_str_t         in;
    size_t            at;
    mpk_str_t         open;        /* the delimiters */
    mpk_str_t         close;
} mpk_source_t;


typedef struct {
    uint8_t           type;        /* "#", "^", ...; 0: a variable */
    mpk_str_t         name;
    size_t            start;       /* of the tag in the source */
    size_t            end;
    size_t            line;
} mpk_tag_t;


typedef struct {
    const mpk_template_t  *template;
    mpk_buf_t             *out;
    mpk_cuts_t            *cuts;
    const mpk_value_t     *stack[MPK_TEMPLATE_DEPTH + 1];
    size_t                 depth;
    size_t                 cut;            /* bytes of the literals in cuts */
} mpk_render_t;


static mpk_status_t mpk_compile(mpk_compiler_t *compiler, mpk_str_t name,
    mpk_str_t in);
static mpk_status_t mpk_compile_tag(mpk_compiler_t *compiler,
    mpk_source_t *source, mpk_tag_t *tag);
static mpk_status_t mpk_compile_op(mpk_compiler_t *compiler,
    mpk_source_t *source, mpk_tag_t *tag, mpk_op_type_t type);
static mpk_status_t mpk_compile_name(mpk_compiler_t *compiler,
    mpk_source_t *source, mpk_tag_t *tag, mpk_op_t *op);
static mpk_status_t mpk_compile_close(mpk_compiler_t *compiler,
    mpk_source_t *source, mpk_tag_t *tag);
static mpk_status_t mpk_compile_partial(mpk_compiler_t *compiler,
    mpk_source_t *source, mpk_tag_t *tag);
static mpk_status_t mpk_compile_delimiters(mpk_compiler_t *compiler,
    mpk_source_t *source, mpk_tag_t *tag);
static mpk_status_t mpk_compile_literal(mpk_compiler_t *compiler,
    mpk_str_t text);
static mpk_op_t *mpk_compile_push(mpk_compiler_t *compiler);
static mpk_status_t mpk_compile_fail(mpk_compiler_t *compiler,
    mpk_source_t *source, mpk_status_t status, size_t line, const char *text);

static bool mpk_source_tag(mpk_source_t *source, mpk_tag_t *tag,
    const char **wrong);
static size_t mpk_source_find(mpk_source_t *source, size_t from,
    mpk_str_t what);
static void mpk_source_standalone(mpk_source_t *source, mpk_tag_t *tag,
    size_t *start, size_t *end);
static size_t mpk_source_line(mpk_source_t *source, size_t at);
static mpk_str_t mpk_trim(mpk_str_t s);

static void mpk_render(mpk_render_t *render, size_t first, size_t last);
static void mpk_render_literal(mpk_render_t *render, const mpk_op_t *op);
static void mpk_render_with(mpk_render_t *render, const mpk_value_t *value,
    size_t first, size_t last);
static const mpk_value_t *mpk_render_find(mpk_render_t *render,
    const mpk_op_t *op);
static void mpk_render_value(mpk_render_t *render, const mpk_value_t *value,
    bool escaped);
static bool mpk_render_is(const mpk_value_t *value);


mpk_status_t
mpk_template_compile(mpk_mem_t *mem, mpk_str_t name, mpk_str_t source,
    mpk_template_partial_pt partial, void *ctx, mpk_template_t **out,
    mpk_error_t *error)
{
    mpk_status_t     status;
    mpk_compiler_t   compiler;
    mpk_template_t  *template;

    memset(&compiler, 0, sizeof(mpk_compiler_t));

    compiler.mem = mem;
    compiler.partial = partial;
    compiler.ctx = ctx;
    compiler.error = error;

    mpk_buf_init(&compiler.text, mem, source.len);

    status = mpk_compile(&compiler, name, source);
    if (status != MPK_OK) {
        return status;
    }

    template = mpk_alloc(mem, sizeof(mpk_template_t));

    if (template == NULL || compiler.text.failed) {
        return mpk_fail(error, MPK_NOMEM, 0, "out of memory");
    }

    template->ops = compiler.ops;
    template->count = compiler.count;
    template->text = compiler.text.data;

    *out = template;

    return MPK_OK;
}


static mpk_status_t
mpk_compile(mpk_compiler_t *compiler, mpk_str_t name, mpk_str_t in)
{
    size_t          base, start, end;
    mpk_tag_t       tag;
    const char     *wrong;
    mpk_source_t    source;
    mpk_status_t    status;
    mpk_section_t  *section;

    source.name = name;
    source.in = in;
    source.at = 0;
    source.open = mpk_string("{{");
    source.close = mpk_string("}}");

    base = compiler->depth;

    for ( ;; ) {

        wrong = NULL;

        if (!mpk_source_tag(&source, &tag, &wrong)) {

            if (wrong) {
                return mpk_compile_fail(compiler, &source, MPK_MALFORMED,
                                        tag.line, wrong);
            }

            break;
        }

        mpk_source_standalone(&source, &tag, &start, &end);

        status = mpk_compile_literal(compiler, (mpk_str_t) {
                                         start - source.at,
                                         in.data + source.at });
        if (status != MPK_OK) {
            return status;
        }

        source.at = end;

        if (tag.type == '/' && compiler->depth == base) {
            return mpk_compile_fail(compiler, &source, MPK_MALFORMED, tag.line,
                                    "this section was not opened");
        }

        status = mpk_compile_tag(compiler, &source, &tag);
        if (status != MPK_OK) {
            return status;
        }
    }

    if (compiler->depth > base) {
        section = &compiler->sections[compiler->depth - 1];
        return mpk_compile_fail(compiler, &source, MPK_MALFORMED,
                                section->line,
                                "this section is never closed");
    }

    return mpk_compile_literal(compiler, (mpk_str_t) {
                                   in.len - source.at,
                                   in.len ? in.data + source.at : in.data });
}


static mpk_status_t
mpk_compile_tag(mpk_compiler_t *compiler, mpk_source_t *source,
    mpk_tag_t *tag)
{
    switch (tag->type) {

    case '!':
        return MPK_OK;

    case '=':
        return mpk_compile_delimiters(compiler, source, tag);

    case '>':
        return mpk_compile_partial(compiler, source, tag);

    case '/':
        return mpk_compile_close(compiler, source, tag);

    case '#':
        return mpk_compile_op(compiler, source, tag, MPK_OP_SECTION);

    case '^':
        return mpk_compile_op(compiler, source, tag, MPK_OP_INVERTED);

    case '{':
    case '&':
        return mpk_compile_op(compiler, source, tag, MPK_OP_RAW);

    default:
        return mpk_compile_op(compiler, source, tag, MPK_OP_ESCAPED);
    }
}


static mpk_status_t
mpk_compile_op(mpk_compiler_t *compiler, mpk_source_t *source, mpk_tag_t *tag,
    mpk_op_type_t type)
{
    mpk_op_t       *op;
    mpk_status_t    status;
    mpk_section_t  *section;

    op = mpk_compile_push(compiler);
    if (op == NULL) {
        return mpk_compile_fail(compiler, source, MPK_LIMIT, tag->line,
                                "the template has too many tags");
    }

    op->type = type;

    if (!mpk_str_eq(tag->name, mpk_string("."))) {
        status = mpk_compile_name(compiler, source, tag, op);
        if (status != MPK_OK) {
            return status;
        }
    }

    if (type != MPK_OP_SECTION && type != MPK_OP_INVERTED) {
        return MPK_OK;
    }

    if (compiler->depth == MPK_TEMPLATE_DEPTH) {
        return mpk_compile_fail(compiler, source, MPK_LIMIT, tag->line,
                                "sections are nested too deep");
    }

    section = &compiler->sections[compiler->depth++];

    section->name = tag->name;
    section->line = tag->line;
    section->op = compiler->count - 1;

    return MPK_OK;
}


static mpk_status_t
mpk_compile_name(mpk_compiler_t *compiler, mpk_source_t *source,
    mpk_tag_t *tag, mpk_op_t *op)
{
    size_t      i, start;
    mpk_str_t  *parts, part;

    parts = NULL;

    for (i = 0, start = 0; i <= tag->name.len; i++) {

        if (i < tag->name.len && tag->name.data[i] != '.') {
            continue;
        }

        if (i == start || op->count == MPK_TEMPLATE_PARTS) {
            return mpk_compile_fail(compiler, source, MPK_MALFORMED,
                                    tag->line, "the name of this tag is invalid");
        }

        part = (mpk_str_t) { i - start, tag->name.data + start };

        if (start == 0) {
            op->name = part;

        } else {

            if (parts == NULL) {
                parts = mpk_alloc(compiler->mem,
                                  MPK_TEMPLATE_PARTS * sizeof(mpk_str_t));
                if (parts == NULL) {
                    return mpk_compile_fail(compiler, source, MPK_NOMEM,
                                            tag->line, "out of memory");
                }

                op->parts = parts;
            }

            parts[op->count++] = part;
        }

        start = i + 1;
    }

    return MPK_OK;
}


static mpk_status_t
mpk_compile_close(mpk_compiler_t *compiler, mpk_source_t *source,
    mpk_tag_t *tag)
{
    mpk_section_t  *section;

    section = &compiler->sections[--compiler->depth];

    if (!mpk_str_eq(section->name, tag->name)) {
        return mpk_compile_fail(compiler, source, MPK_MALFORMED, tag->line,
                                "this closes another section than the one "
                                "that is open");
    }

    compiler->ops[section->op].end = (uint32_t) compiler->count;

    return MPK_OK;
}


static mpk_status_t
mpk_compile_partial(mpk_compiler_t *compiler, mpk_source_t *source,
    mpk_tag_t *tag)
{
    mpk_str_t     in;
    mpk_error_t   error;
    mpk_status_t  status;

    if (compiler->partials == MPK_TEMPLATE_DEPTH) {
        return mpk_compile_fail(compiler, source, MPK_LIMIT, tag->line,
                                "partials are nested too deep, or recursive");
    }

    if (compiler->partial == NULL) {
        return MPK_OK;
    }

    memset(&error, 0, sizeof(mpk_error_t));

    status = compiler->partial(compiler->ctx, tag->name, &in, &error);

    if (status == MPK_UNKNOWN) {
        return MPK_OK;
    }

    if (status != MPK_OK) {
        return mpk_compile_fail(compiler, source, status, tag->line,
                                error.text);
    }

    compiler->partials++;

    status = mpk_compile(compiler, tag->name, in);

    compiler->partials--;

    return status;
}


/* {{=<% %>=}} */

static mpk_status_t
mpk_compile_delimiters(mpk_compiler_t *compiler, mpk_source_t *source,
    mpk_tag_t *tag)
{
    size_t     i;
    mpk_str_t  open, close;

    for (i = 0; i < tag->name.len; i++) {
        if (tag->name.data[i] <= ' ') {
            break;
        }
    }

    open = (mpk_str_t) { i, tag->name.data };
    close = mpk_trim((mpk_str_t) { tag->name.len - i, tag->name.data + i });

    for (i = 0; i < close.len; i++) {
        if (close.data[i] <= ' ') {
            close.len = 0;
        }
    }

    if (open.len == 0 || close.len == 0
        || memchr(open.data, '=', open.len)
        || memchr(close.data, '=', close.len))
    {
        return mpk_compile_fail(compiler, source, MPK_MALFORMED, tag->line,
                                "these delimiters are invalid");
    }

    source->open = open;
    source->close = close;

    return MPK_OK;
}


static mpk_status_t
mpk_compile_literal(mpk_compiler_t *compiler, mpk_str_t text)
{
    mpk_op_t  *op;
    size_t     i;

    if (text.len == 0) {
        return MPK_OK;
    }

    op = compiler->count ? &compiler->ops[compiler->count - 1] : NULL;

    /* extends the literal before it, unless a section ends between them */

    if (op && op->type == MPK_OP_LITERAL) {

        for (i = 0; i < compiler->count; i++) {
            if (compiler->ops[i].end == compiler->count) {
                op = NULL;
                break;
            }
        }

    } else {
        op = NULL;
    }

    if (op == NULL) {
        op = mpk_compile_push(compiler);

        if (op == NULL) {
            return mpk_fail(compiler->error, MPK_LIMIT, 0,
                            "the template has too many tags");
        }

        op->type = MPK_OP_LITERAL;
        op->start = (uint32_t) compiler->text.len;
    }

    op->len += (uint32_t) text.len;

    mpk_buf_str(&compiler->text, text);

    return compiler->text.failed ? MPK_NOMEM : MPK_OK;
}


static mpk_op_t *
mpk_compile_push(mpk_compiler_t *compiler)
{
    size_t     size;
    mpk_op_t  *ops;

    if (compiler->count == compiler->size) {

        if (compiler->count == MPK_TEMPLATE_OPS) {
            return NULL;
        }

        size = compiler->size ? compiler->size * 2 : 32;

        ops = mpk_alloc(compiler->mem, size * sizeof(mpk_op_t));
        if (ops == NULL) {
            return NULL;
        }

        if (compiler->count) {
            memcpy(ops, compiler->ops, compiler->count * sizeof(mpk_op_t));
        }

        compiler->ops = ops;
        compiler->size = size;
    }

    memset(&compiler->ops[compiler->count], 0, sizeof(mpk_op_t));

    return &compiler->ops[compiler->count++];
}


static mpk_status_t
mpk_compile_fail(mpk_compiler_t *compiler, mpk_source_t *source,
    mpk_status_t status, size_t line, const char *text)
{
    return mpk_fail(compiler->error, status, line, "%.*s: %s",
                    (int) (source->name.len < 64 ? source->name.len : 64),
                    (const char *) source->name.data, text);
}


/* Finds the next tag; false: there is none, or *wrong says what is wrong with it. */

static bool
mpk_source_tag(mpk_source_t *source, mpk_tag_t *tag, const char **wrong)
{
    size_t          at, end, i;
    mpk_str_t       close;
    const uint8_t  *in;

    in = source->in.data;

    at = mpk_source_find(source, source->at, source->open);

    if (at == source->in.len) {
        return false;
    }

    tag->type = 0;
    tag->start = at;
    tag->line = mpk_source_line(source, at);

    at += source->open.len;
    close = source->close;

    if (at < source->in.len && in[at] != '\0'
        && strchr("!=>/#^&{", in[at]))
    {
        tag->type = in[at++];

        if (tag->type == '{') {
            close = mpk_string("}}}");

            if (!mpk_str_eq(source->close, mpk_string("}}"))) {
                *wrong = "\"{{{\" needs the delimiters {{ and }}";
                return false;
            }

        } else if (tag->type == '=') {
            /* the closing "=" comes just before the delimiter */
            end = mpk_source_find(source, at, mpk_string("="));

            if (source->in.len - end < 1 + close.len
                || memcmp(in + end + 1, close.data, close.len) != 0)
            {
                *wrong = "these delimiters are invalid";
                return false;
            }

            tag->name = mpk_trim((mpk_str_t) { end - at, in + at });
            tag->end = end + 1 + close.len;
            return true;
        }
    }

    end = mpk_source_find(source, at, close);

    if (end == source->in.len) {
        *wrong = "this tag is never closed";
        return false;
    }

    tag->name = mpk_trim((mpk_str_t) { end - at, in + at });
    tag->end = end + close.len;

    if (tag->type == '!') {
        return true;
    }

    for (i = 0; i < tag->name.len; i++) {
        if (tag->name.data[i] <= ' ') {
            break;
        }
    }

    if (i < tag->name.len || tag->name.len == 0) {
        *wrong = "the name of this tag is invalid";
        return false;
    }

    return true;
}


static size_t
mpk_source_find(mpk_source_t *source, size_t from, mpk_str_t what)
{
    size_t          at;
    const uint8_t  *p;

    for (at = from; source->in.len - at >= what.len; at++) {

        p = source->in.len - at
            ? memchr(source->in.data + at, what.data[0], source->in.len - at)
            : NULL;

        if (p == NULL) {
            break;
        }

        at = (size_t) (p - source->in.data);

        if (source->in.len - at >= what.len
            && memcmp(p, what.data, what.len) == 0)
        {
            return at;
        }
    }

    return source->in.len;
}


/*
 * Where the text before the tag ends and the text after it starts.  A standalone tag (the
 * only one on its line, and not a variable) removes its whole line.
 */

static void
mpk_source_standalone(mpk_source_t *source, mpk_tag_t *tag, size_t *start,
    size_t *end)
{
    size_t          from, to, len;
    const uint8_t  *in;

    *start = tag->start;
    *end = tag->end;

    if (tag->type == 0 || tag->type == '&' || tag->type == '{') {
        return;
    }

    in = source->in.data;
    len = source->in.len;

    for (from = tag->start; from > 0; from--) {
        if (in[from - 1] != ' ' && in[from - 1] != '\t') {
            break;
        }
    }

    if (from > 0 && in[from - 1] != '\n') {
        return;
    }

    for (to = tag->end; to < len; to++) {
        if (in[to] != ' ' && in[to] != '\t') {
            break;
        }
    }

    if (to < len && in[to] == '\r' && to + 1 < len && in[to + 1] == '\n') {
        to += 2;

    } else if (to < len && in[to] == '\n') {
        to++;

    } else if (to < len) {
        return;
    }

    *start = from > source->at ? from : source->at;
    *end = to;
}


static size_t
mpk_source_line(mpk_source_t *source, size_t at)
{
    size_t  i, line;

    line = 1;

    for (i = 0; i < at; i++) {
        line += (source->in.data[i] == '\n');
    }

    return line;
}


static mpk_str_t
mpk_trim(mpk_str_t s)
{
    while (s.len && s.data[0] <= ' ') {
        s.data++;
        s.len--;
    }

    while (s.len && s.data[s.len - 1] <= ' ') {
        s.len--;
    }

    return s;
}


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
    render.cut = 0;

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

    render->cut += op->len;
}


static void
mpk_render_with(mpk_render_t *render, const mpk_value_t *value, size_t first,
    size_t last)
{
    render->stack[render->depth++] = value;

    mpk_render(render, first, last);

    render->depth--;
}


/* Looks up the first part in every context, innermost first, and the rest in its value. */

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

        if (escaped && !value->markup) {
            mpk_escape_html(render->out, value->u.string);

        } else {
            mpk_buf_str(render->out, value->u.string);
        }

        mpk_value_written(value, render->out->len + render->cut);
        break;

    case MPK_VALUE_INT:
        mpk_buf_int(render->out, value->u.integer);
        break;

    case MPK_VALUE_BOOL:
        mpk_buf_str(render->out, value->u.boolean ? mpk_string("true")
                                                  : mpk_string("false"));
        break;

    default:
        break;
    }
}


/* True if a section renders for it. */

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
