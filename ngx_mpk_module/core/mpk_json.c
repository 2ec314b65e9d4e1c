/* JSON (RFC 8259): read with yajl under limits, written from a value tree. */

#include <setjmp.h>

#include <yajl/yajl_parse.h>

#include "mpk_escape.h"
#include "mpk_json.h"

#define MPK_JSON_DEPTH_MAX  16


typedef struct {
    mpk_mem_t                *mem;
    mpk_str_t                 in;
    const mpk_json_limits_t  *limits;
    mpk_value_t              *root;
    mpk_value_t              *stack[MPK_JSON_DEPTH_MAX];
    size_t                    depth;
    size_t                    values;
    mpk_str_t                 name;        /* of the next member */
    mpk_status_t              status;
    const char               *text;        /* why a callback stopped */
    jmp_buf                   exhausted;
} mpk_json_reader_t;


static mpk_status_t mpk_json_escapes(mpk_str_t in, const char **text);
static int mpk_json_hex4(mpk_str_t in, size_t at);
static int mpk_json_stop(mpk_json_reader_t *reader, mpk_status_t status,
    const char *text);
static mpk_value_t *mpk_json_value(mpk_json_reader_t *reader,
    mpk_value_type_t type);
static int mpk_json_open(mpk_json_reader_t *reader, mpk_value_type_t type);
static int mpk_json_keep(mpk_json_reader_t *reader, const unsigned char *data,
    size_t len, mpk_str_t *out);

static int mpk_json_on_null(void *ctx);
static int mpk_json_on_bool(void *ctx, int b);
static int mpk_json_on_number(void *ctx, const char *data, size_t len);
static int mpk_json_on_string(void *ctx, const unsigned char *data,
    size_t len);
static int mpk_json_on_object(void *ctx);
static int mpk_json_on_name(void *ctx, const unsigned char *data, size_t len);
static int mpk_json_on_array(void *ctx);
static int mpk_json_on_end(void *ctx);

static void *mpk_json_malloc(void *ctx, size_t size);
static void *mpk_json_realloc(void *ctx, void *p, size_t size);
static void mpk_json_free(void *ctx, void *p);


static yajl_callbacks  mpk_json_callbacks = {
    mpk_json_on_null,
    mpk_json_on_bool,
    NULL,
    NULL,
    mpk_json_on_number,
    mpk_json_on_string,
    mpk_json_on_object,
    mpk_json_on_name,
    mpk_json_on_end,
    mpk_json_on_array,
    mpk_json_on_end
};


mpk_status_t
mpk_json_read(mpk_mem_t *mem, const uint8_t *data, size_t len,
    const mpk_json_limits_t *limits, mpk_value_t **out, mpk_error_t *error)
{
    size_t             i, at, line;
    yajl_handle        yajl;
    yajl_status        rc;
    mpk_json_reader_t  reader;

    yajl_alloc_funcs   memory = {
        mpk_json_malloc, mpk_json_realloc, mpk_json_free, &reader
    };

    if (len > limits->size) {
        return mpk_fail(error, MPK_LIMIT, 0,
                        "the JSON is over %zu bytes", limits->size);
    }

    reader.root = NULL;
    reader.depth = 0;
    reader.values = 0;
    reader.name = (mpk_str_t) { 0, NULL };
    reader.text = NULL;
    reader.mem = mem;
    reader.in = (mpk_str_t) { len, data };
    reader.limits = limits;

    if (len && data[0] == 0xef) {
        return mpk_fail(error, MPK_MALFORMED, 1,
                        "the JSON begins with a byte order mark");
    }

    /* yajl's own check accepts overlong forms and surrogates */

    if (!mpk_utf8_valid(data, len)) {
        return mpk_fail(error, MPK_MALFORMED, 0, "the JSON is not UTF-8");
    }

    /* yajl takes both for white space; they are allowed nowhere (RFC 8259, 2 and 7) */

    if (len && (memchr(data, '\v', len) || memchr(data, '\f', len))) {
        return mpk_fail(error, MPK_MALFORMED, 0,
                        "the JSON has a vertical tab or a form feed");
    }

    reader.status = mpk_json_escapes(reader.in, &reader.text);

    if (reader.status != MPK_OK) {
        return mpk_fail(error, reader.status, 0, "%s", reader.text);
    }

    /* yajl does not check for NULL; jumping out leaks nothing, since mem owns it all */

    if (setjmp(reader.exhausted)) {
        return mpk_fail(error, MPK_NOMEM, 0, "out of memory");
    }

    yajl = yajl_alloc(&mpk_json_callbacks, &memory, &reader);
    (void) yajl_config(yajl, yajl_dont_validate_strings, 1);


    rc = yajl_parse(yajl, data, len);
    at = rc == yajl_status_ok ? len : yajl_get_bytes_consumed(yajl);

    if (rc == yajl_status_ok) {
        rc = yajl_complete_parse(yajl);
    }

    yajl_free(yajl);

    if (rc == yajl_status_ok && reader.root && reader.depth == 0) {
        *out = reader.root;
        return MPK_OK;
    }

    line = 1;

    for (i = 0; i < at && i < len; i++) {
        line += (data[i] == '\n');
    }

    if (reader.status != MPK_OK) {
        return mpk_fail(error, reader.status, line, "%s", reader.text);
    }

    return mpk_fail(error, MPK_MALFORMED, line,
                    at >= len ? "the JSON is incomplete"
                              : "this is not JSON");
}


/*
 * Outside of strings a backslash is an error anyway.  yajl replaces an unpaired surrogate
 * with "?", which would change the string.
 */

static mpk_status_t
mpk_json_escapes(mpk_str_t in, const char **text)
{
    int     unit;
    size_t  i;

    if (in.len == 0 || memchr(in.data, '\\', in.len) == NULL) {
        return MPK_OK;
    }

    for (i = 0; i + 1 < in.len; i++) {

        if (in.data[i] != '\\') {
            continue;
        }

        i++;

        if (in.data[i] != 'u') {
            continue;
        }

        unit = mpk_json_hex4(in, i + 1);

        if (unit == 0) {
            *text = "a string has a NUL";
            return MPK_MALFORMED;
        }

        if (unit < 0xd800 || unit > 0xdfff) {
            continue;
        }

        if (unit > 0xdbff || i + 6 >= in.len || in.data[i + 5] != '\\'
            || in.data[i + 6] != 'u'
            || (mpk_json_hex4(in, i + 7) & 0xfc00) != 0xdc00)
        {
            *text = "a string has an unpaired surrogate";
            return MPK_MALFORMED;
        }

        i += 6;
    }

    return MPK_OK;
}


/* Reads four hex digits; -1: there are none, which yajl refuses. */

static int
mpk_json_hex4(mpk_str_t in, size_t at)
{
    int      n;
    size_t   i;
    uint8_t  ch;

    if (at > in.len || in.len - at < 4) {
        return -1;
    }

    n = 0;

    for (i = at; i < at + 4; i++) {
        ch = in.data[i];

        if (ch >= '0' && ch <= '9') {
            n = n << 4 | (ch - '0');
            continue;
        }

        ch |= 0x20;

        if (ch < 'a' || ch > 'f') {
            return -1;
        }

        n = n << 4 | (ch - 'a' + 10);
    }

    return n;
}


static int
mpk_json_stop(mpk_json_reader_t *reader, mpk_status_t status,
    const char *text)
{
    reader->status = status;
    reader->text = text;

    return 0;
}


static mpk_value_t *
mpk_json_value(mpk_json_reader_t *reader, mpk_value_type_t type)
{
    mpk_value_t  *value, *parent;

    if (++reader->values > reader->limits->values) {
        (void) mpk_json_stop(reader, MPK_LIMIT, "the JSON has too many values");
        return NULL;
    }

    parent = reader->depth ? reader->stack[reader->depth - 1] : NULL;

    value = parent ? mpk_value_add(parent, reader->name, type)
                   : mpk_value_new(reader->mem, type);
    if (value == NULL) {
        (void) mpk_json_stop(reader, MPK_NOMEM, "out of memory");
        return NULL;
    }

    reader->name = (mpk_str_t) { 0, NULL };

    if (parent == NULL) {
        reader->root = value;
    }

    return value;
}


static int
mpk_json_on_null(void *ctx)
{
    return mpk_json_value(ctx, MPK_VALUE_NULL) != NULL;
}


static int
mpk_json_on_bool(void *ctx, int b)
{
    mpk_value_t  *value;

    value = mpk_json_value(ctx, MPK_VALUE_BOOL);
    if (value == NULL) {
        return 0;
    }

    value->u.boolean = (b != 0);

    return 1;
}


static int
mpk_json_on_number(void *ctx, const char *data, size_t len)
{
    bool          negative;
    size_t        i;
    uint64_t      n, max;
    mpk_value_t  *value;

    value = mpk_json_value(ctx, MPK_VALUE_INT);
    if (value == NULL) {
        return 0;
    }

    negative = (len && data[0] == '-');
    max = (uint64_t) INT64_MAX + (negative ? 1 : 0);
    n = 0;

    for (i = negative; i < len; i++) {

        if (data[i] < '0' || data[i] > '9'
            || n > (max - (uint64_t) (data[i] - '0')) / 10)
        {
            return mpk_json_stop(ctx, MPK_MALFORMED,
                                 "a number is not a 64-bit integer");
        }

        n = n * 10 + (uint64_t) (data[i] - '0');
    }

    value->u.integer = negative ? (int64_t) (0 - n) : (int64_t) n;

    return 1;
}


static int
mpk_json_on_string(void *ctx, const unsigned char *data, size_t len)
{
    mpk_value_t  *value;

    value = mpk_json_value(ctx, MPK_VALUE_STRING);

    return value && mpk_json_keep(ctx, data, len, &value->u.string);
}


/* A string without escapes stays in the input; others are copied from yajl's buffer. */

static int
mpk_json_keep(mpk_json_reader_t *reader, const unsigned char *data, size_t len,
    mpk_str_t *out)
{
    mpk_str_t  in;

    in = reader->in;

    *out = (mpk_str_t) { len, data };

    if ((uintptr_t) data >= (uintptr_t) in.data
        && (uintptr_t) data + len <= (uintptr_t) in.data + in.len)
    {
        return 1;
    }

    if (mpk_dup(reader->mem, *out, out) != MPK_OK) {
        return mpk_json_stop(reader, MPK_NOMEM, "out of memory");
    }

    return 1;
}


static int
mpk_json_on_object(void *ctx)
{
    return mpk_json_open(ctx, MPK_VALUE_OBJECT);
}


static int
mpk_json_on_array(void *ctx)
{
    return mpk_json_open(ctx, MPK_VALUE_ARRAY);
}


static int
mpk_json_open(mpk_json_reader_t *reader, mpk_value_type_t type)
{
    mpk_value_t  *value;

    if (reader->depth == reader->limits->depth
        || reader->depth == MPK_JSON_DEPTH_MAX)
    {
        return mpk_json_stop(reader, MPK_LIMIT, "the JSON nests too deep");
    }

    value = mpk_json_value(reader, type);
    if (value == NULL) {
        return 0;
    }

    reader->stack[reader->depth++] = value;

    return 1;
}


static int
mpk_json_on_end(void *ctx)
{
    mpk_json_reader_t  *reader = ctx;

    reader->depth--;

    return 1;
}


static int
mpk_json_on_name(void *ctx, const unsigned char *data, size_t len)
{
    mpk_json_reader_t  *reader = ctx;

    mpk_value_t  *object;

    object = reader->stack[reader->depth - 1];

    if (!mpk_json_keep(reader, data, len, &reader->name)) {
        return 0;
    }

    if (mpk_value_get(object, reader->name)) {
        return mpk_json_stop(reader, MPK_DUPLICATE, "an object has a member twice");
    }

    return 1;
}


/* yajl allocates from mem: nothing is freed, and growing copies. */

static void *
mpk_json_malloc(void *ctx, size_t size)
{
    return mpk_json_realloc(ctx, NULL, size);
}


static void *
mpk_json_realloc(void *ctx, void *p, size_t size)
{
    mpk_json_reader_t  *reader = ctx;

    size_t    old;
    uint8_t  *new;

    enum { HEAD = 16 };

    new = mpk_alloc(reader->mem, size + HEAD);
    if (new == NULL) {
        longjmp(reader->exhausted, 1);
    }

    memcpy(new, &size, sizeof(size_t));

    if (p) {
        memcpy(&old, (uint8_t *) p - HEAD, sizeof(size_t));
        memcpy(new + HEAD, p, old < size ? old : size);
    }

    return new + HEAD;
}


static void
mpk_json_free(void *ctx, void *p)
{
    (void) ctx;
    (void) p;
}


void
mpk_json_write(mpk_buf_t *buf, const mpk_value_t *value)
{
    const mpk_value_t  *v;

    if (value == NULL) {
        buf->failed = true;
        return;
    }

    switch (value->type) {

    case MPK_VALUE_NULL:
        mpk_buf_lit(buf, "null");
        return;

    case MPK_VALUE_BOOL:
        mpk_buf_str(buf, value->u.boolean ? mpk_string("true")
                                          : mpk_string("false"));
        return;

    case MPK_VALUE_INT:
        mpk_buf_int(buf, value->u.integer);
        return;

    case MPK_VALUE_STRING:
        mpk_json_write_string(buf, value->u.string);

        if (!buf->failed) {
            mpk_value_written(value, buf->len - 1);      /* without the quote */
        }

        return;

    default:
        break;
    }

    mpk_buf_byte(buf, value->type == MPK_VALUE_OBJECT ? '{' : '[');

    for (v = value->u.list.first; v; v = v->next) {

        if (v != value->u.list.first) {
            mpk_buf_byte(buf, ',');
        }

        if (value->type == MPK_VALUE_OBJECT) {
            mpk_json_write_string(buf, v->name);
            mpk_buf_byte(buf, ':');
        }

        mpk_json_write(buf, v);
    }

    mpk_buf_byte(buf, value->type == MPK_VALUE_OBJECT ? '}' : ']');
}


/* Bytes that need an escape; 0xe2 may begin U+2028 or U+2029. */

static const uint8_t  mpk_json_special[256] = {
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    ['"'] = 1, ['\\'] = 1, ['<'] = 1, ['>'] = 1, ['&'] = 1,
    [0x7f] = 1, [0xe2] = 1
};


void
mpk_json_write_string(mpk_buf_t *buf, mpk_str_t string)
{
    size_t          i, start, skip;
    uint8_t         escape[6], *out;
    const uint8_t  *p;

    static const char  hex[] = "0123456789abcdef";

    p = string.data;

    for (i = 0; i < string.len; i++) {
        if (mpk_json_special[p[i]]) {
            break;
        }
    }

    if (i == string.len) {
        out = mpk_buf_room(buf, string.len + 2);

        if (out) {
            *out++ = '"';

            if (string.len) {
                memcpy(out, p, string.len);
            }

            out[string.len] = '"';
        }

        return;
    }

    mpk_buf_byte(buf, '"');

    start = 0;

    for ( /* void */ ; i < string.len; i++) {

        if (!mpk_json_special[p[i]]) {
            continue;
        }

        memcpy(escape, "\\u0000", sizeof(escape));
        skip = 1;

        if (p[i] == '"' || p[i] == '\\') {
            escape[1] = p[i];

        } else if (p[i] < 0x20 || p[i] == '<' || p[i] == '>' || p[i] == '&'
                   || p[i] == 0x7f)
        {
            escape[4] = (uint8_t) hex[p[i] >> 4];
            escape[5] = (uint8_t) hex[p[i] & 0x0f];

        } else if (p[i] == 0xe2 && string.len - i > 2 && p[i + 1] == 0x80
                   && (p[i + 2] & 0xfe) == 0xa8)
        {
            /* line terminators in JavaScript */

            memcpy(escape, "\\u2028", sizeof(escape));
            escape[5] = (uint8_t) ('8' + (p[i + 2] & 1));
            skip = 3;

        } else {
            continue;
        }

        mpk_buf_put(buf, p + start, i - start);
        mpk_buf_put(buf, escape, escape[1] == 'u' ? sizeof(escape) : 2);

        i += skip - 1;
        start = i + 1;
    }

    mpk_buf_put(buf, p + start, string.len - start);
    mpk_buf_byte(buf, '"');
}
