/*
 * Redis' protocol: replies parsed by hiredis' reader within limits, commands written into
 * the caller's memory, errors by name.
 */

#include <stdlib.h>

#include <hiredis/hiredis.h>

#include "ngx_mpk_redis_resp.h"


#if (HIREDIS_MAJOR >= 1)
typedef size_t  ngx_mpk_redis_elements_t;
#define ngx_mpk_redis_sdssetlen  hi_sdssetlen
#else
typedef int     ngx_mpk_redis_elements_t;
#define ngx_mpk_redis_sdssetlen  sdssetlen
#endif


struct ngx_mpk_redis_parser_s {
    redisReader            *reader;
    mpk_mem_t              *mem;
    size_t                  elements;    /* of the reply being parsed */
    size_t                  bytes;       /* of its strings */
    size_t                  skip;        /* bytes to come that are not wanted */
    bool                    large;       /* strings of the reply were skipped */
    mpk_status_t            status;
    ngx_mpk_redis_reply_t   dropped;
};


static void *ngx_mpk_redis_create_string(const redisReadTask *task,
    char *data, size_t len);
static void *ngx_mpk_redis_create_array(const redisReadTask *task,
    ngx_mpk_redis_elements_t elements);
static void *ngx_mpk_redis_create_integer(const redisReadTask *task,
    long long value);
static void *ngx_mpk_redis_create_nil(const redisReadTask *task);

#if (HIREDIS_MAJOR >= 1)
static void *ngx_mpk_redis_create_double(const redisReadTask *task,
    double value, char *data, size_t len);
static void *ngx_mpk_redis_create_bool(const redisReadTask *task, int value);
#endif

static ngx_mpk_redis_reply_t *ngx_mpk_redis_create(const redisReadTask *task,
    ngx_mpk_redis_type_t type);
static mpk_status_t ngx_mpk_redis_parser_check(ngx_mpk_redis_parser_t *parser);
static void ngx_mpk_redis_parser_skip(ngx_mpk_redis_parser_t *parser,
    size_t announced, size_t come);


/* hiredis treats a NULL from one of these as out of memory, and stops. */
static redisReplyObjectFunctions  ngx_mpk_redis_functions = {
    .createString = ngx_mpk_redis_create_string,
    .createArray = ngx_mpk_redis_create_array,
    .createInteger = ngx_mpk_redis_create_integer,
#if (HIREDIS_MAJOR >= 1)
    .createDouble = ngx_mpk_redis_create_double,
    .createBool = ngx_mpk_redis_create_bool,
#endif
    .createNil = ngx_mpk_redis_create_nil,
};


static const ngx_mpk_redis_error_info_t  ngx_mpk_redis_errors[] = {
    [NGX_MPK_REDIS_ERR_OTHER] = { { 0, NULL }, false, true,
        "unknown error, the server must be Redis >= 6.2 or Valkey without "
        "renamed commands" },

    [NGX_MPK_REDIS_ERR_NOSCRIPT] = { mpk_literal("NOSCRIPT"), false, false,
        NULL },

    [NGX_MPK_REDIS_ERR_LOADING] = { mpk_literal("LOADING"), true, false,
        "Redis is loading its data from disk, wait until it is done" },

    [NGX_MPK_REDIS_ERR_READONLY] = { mpk_literal("READONLY"), true, true,
        "this server is a replica now: set \"mpk_redis\" to the master, or use "
        "redis+sentinel://" },

    [NGX_MPK_REDIS_ERR_MOVED] = { mpk_literal("MOVED"), false, true,
        "this server is part of a cluster, use redis+cluster://" },

    [NGX_MPK_REDIS_ERR_ASK] = { mpk_literal("ASK"), false, true,
        "this server is part of a cluster, use redis+cluster://" },

    [NGX_MPK_REDIS_ERR_CLUSTERDOWN] = { mpk_literal("CLUSTERDOWN"), false, true,
        "slots of the cluster have no master, see CLUSTER INFO" },

    [NGX_MPK_REDIS_ERR_MASTERDOWN] = { mpk_literal("MASTERDOWN"), true, true,
        "this server is a replica that has lost its master: set \"mpk_redis\" "
        "to the master" },

    [NGX_MPK_REDIS_ERR_TRYAGAIN] = { mpk_literal("TRYAGAIN"), false, false,
        "the cluster is migrating the keys, the caller must retry" },

    [NGX_MPK_REDIS_ERR_OOM] = { mpk_literal("OOM"), false, true,
        "Redis has reached maxmemory, raise it" },

    [NGX_MPK_REDIS_ERR_MISCONF] = { mpk_literal("MISCONF"), false, true,
        "Redis can't write to its disk, see Redis' own log" },

    [NGX_MPK_REDIS_ERR_NOREPLICAS] = { mpk_literal("NOREPLICAS"), false, true,
        "fewer replicas are connected than min-replicas-to-write requires" },

    [NGX_MPK_REDIS_ERR_NOAUTH] = { mpk_literal("NOAUTH"), true, true,
        "Redis requires a password, set password_file=" },

    [NGX_MPK_REDIS_ERR_WRONGPASS] = { mpk_literal("WRONGPASS"), true, true,
        "compare user= and password_file= with Redis' ACL" },

    [NGX_MPK_REDIS_ERR_NOPERM] = { mpk_literal("NOPERM"), false, true,
        "grant the Redis user the commands and key patterns of "
        "docs/operations.md" },

    [NGX_MPK_REDIS_ERR_BUSY] = { mpk_literal("BUSY"), false, true,
        "a script blocks Redis, see SCRIPT KILL" },

    [NGX_MPK_REDIS_ERR_TOOLARGE] = { mpk_literal("TOOLARGE"), false, true,
        "a reply is larger than 8 MB, which no order is: somebody wrote to "
        "Redis, see redis-cli --bigkeys" },
};

mpk_assert_rows(ngx_mpk_redis_errors, NGX_MPK_REDIS_ERR_MAX);


ngx_mpk_redis_parser_t *
ngx_mpk_redis_parser_create(void)
{
    ngx_mpk_redis_parser_t  *parser;

    parser = calloc(1, sizeof(ngx_mpk_redis_parser_t));
    if (parser == NULL) {
        return NULL;
    }

    parser->reader = redisReaderCreateWithFunctions(&ngx_mpk_redis_functions);
    if (parser->reader == NULL) {
        free(parser);
        return NULL;
    }

    parser->reader->privdata = parser;

    return parser;
}


void
ngx_mpk_redis_parser_free(ngx_mpk_redis_parser_t *parser)
{
    if (parser) {
        redisReaderFree(parser->reader);
        free(parser);
    }
}


void
ngx_mpk_redis_parser_set_mem(ngx_mpk_redis_parser_t *parser, mpk_mem_t *mem)
{
    parser->mem = mem;
}


mpk_status_t
ngx_mpk_redis_parser_feed(ngx_mpk_redis_parser_t *parser, const uint8_t *data,
    size_t len)
{
    size_t  n;

    n = len < parser->skip ? len : parser->skip;

    parser->skip -= n;
    data += n;
    len -= n;

    if (parser->status == MPK_OK && len
        && redisReaderFeed(parser->reader, (const char *) data, len)
           != REDIS_OK)
    {
        parser->status = MPK_NOMEM;
    }

    return parser->status;
}


mpk_status_t
ngx_mpk_redis_parser_next(ngx_mpk_redis_parser_t *parser,
    ngx_mpk_redis_reply_t **reply)
{
    void  *object;

    static const mpk_str_t  large =
        mpk_literal("TOOLARGE the reply is larger than 8 MB");

    *reply = NULL;

    if (parser->skip) {
        return parser->status;
    }

    if (parser->status != MPK_OK) {
        return parser->status;
    }

    if (redisReaderGetReply(parser->reader, &object) != REDIS_OK) {

        /* the functions below set status, except when out of memory */

        if (parser->status == MPK_OK) {
            parser->status = parser->reader->err == REDIS_ERR_OOM
                             ? MPK_NOMEM : MPK_MALFORMED;
        }

        return parser->status;
    }

    if (object == NULL) {
        parser->status = ngx_mpk_redis_parser_check(parser);
        return parser->status;
    }

    *reply = object;

    if (parser->large && *reply != &parser->dropped) {
        (*reply)->type = NGX_MPK_REDIS_ERROR;
        (*reply)->str = large;
    }

    parser->elements = 0;
    parser->bytes = 0;
    parser->large = false;

    return MPK_OK;
}


size_t
ngx_mpk_redis_parser_buffered(const ngx_mpk_redis_parser_t *parser)
{
    return parser->reader->len - parser->reader->pos;
}


/*
 * Checks an incomplete reply: hiredis would buffer a string of any announced length, and
 * a line without an end.
 */
static mpk_status_t
ngx_mpk_redis_parser_check(ngx_mpk_redis_parser_t *parser)
{
    size_t                len, announced;
    const char           *p, *last;
    const redisReader    *reader;
    const redisReadTask  *task;

    reader = parser->reader;
    len = reader->len - reader->pos;

    if (reader->ridx < 0 || len == 0) {
        return MPK_OK;
    }

#if (HIREDIS_MAJOR >= 1)
    task = reader->task[reader->ridx];
#else
    task = &reader->rstack[reader->ridx];
#endif

    p = reader->buf + reader->pos;
    last = p + len;

    if (task->type == REDIS_REPLY_STRING) {

        for (announced = 0; p < last && *p >= '0' && *p <= '9'; p++) {
            announced = announced * 10 + (size_t) (*p - '0');

            if (announced > NGX_MPK_REDIS_SKIP_MAX) {
                return MPK_LIMIT;
            }
        }

        if (last - p >= 2 && p[0] == '\r' && p[1] == '\n') {
            /* a short one is dropped when it is complete */

            if (announced > NGX_MPK_REDIS_LINE_MAX
                && announced > NGX_MPK_REDIS_BYTES_MAX - parser->bytes)
            {
                ngx_mpk_redis_parser_skip(parser, announced,
                                          (size_t) (last - p - 2));
            }

            return MPK_OK;
        }
    }

    /* one more for a CR whose LF has not come yet */

    return len > NGX_MPK_REDIS_LINE_MAX + 1 ? MPK_LIMIT : MPK_OK;
}


/*
 * The reader's buffer ends within a string that is not wanted, of whose bytes so many have
 * come: it becomes a nil, and what is still to come of it is dropped.
 */
static void
ngx_mpk_redis_parser_skip(ngx_mpk_redis_parser_t *parser, size_t announced,
    size_t come)
{
    char         *p;
    redisReader  *reader;

    static const char  nil[] = "-1\r\n";

    /* no longer than the length that it replaces: that has five digits at least */

    reader = parser->reader;
    p = reader->buf + reader->pos;

    memcpy(p, nil, sizeof(nil));

    reader->len = reader->pos + sizeof(nil) - 1;
    ngx_mpk_redis_sdssetlen(reader->buf, reader->len);

    parser->skip = announced + 2 - come;
    parser->large = true;
}


static void *
ngx_mpk_redis_create_string(const redisReadTask *task, char *data, size_t len)
{
    ngx_mpk_redis_type_t     type;
    ngx_mpk_redis_reply_t   *reply;
    ngx_mpk_redis_parser_t  *parser;

    parser = task->privdata;

    switch (task->type) {

    case REDIS_REPLY_STRING:
        type = NGX_MPK_REDIS_STRING;

        /* the reader skips these two unchecked */

        if (data[len] != '\r' || data[len + 1] != '\n') {
            parser->status = MPK_MALFORMED;
            return NULL;
        }

        break;

    case REDIS_REPLY_STATUS:
        type = NGX_MPK_REDIS_STATUS;
        break;

    case REDIS_REPLY_ERROR:
        type = NGX_MPK_REDIS_ERROR;
        break;

    default:                             /* a type of RESP3, which we never enable */
        parser->status = MPK_MALFORMED;
        return NULL;
    }

    if (type != NGX_MPK_REDIS_STRING && len > NGX_MPK_REDIS_LINE_MAX) {
        parser->status = MPK_LIMIT;
        return NULL;
    }

    if (len > NGX_MPK_REDIS_BYTES_MAX - parser->bytes) {
        parser->large = true;
        return ngx_mpk_redis_create(task, NGX_MPK_REDIS_NIL);
    }

    parser->bytes += len;

    reply = ngx_mpk_redis_create(task, type);

    if (reply == NULL || reply == &parser->dropped) {
        return reply;
    }

    if (mpk_dup(parser->mem,
                (mpk_str_t) { len, (const uint8_t *) data }, &reply->str)
        != MPK_OK)
    {
        return NULL;
    }

    return reply;
}


static void *
ngx_mpk_redis_create_array(const redisReadTask *task,
    ngx_mpk_redis_elements_t elements)
{
    size_t                   count, depth;
    const redisReadTask     *parent;
    ngx_mpk_redis_reply_t   *reply;
    ngx_mpk_redis_parser_t  *parser;

    parser = task->privdata;
    count = (size_t) elements;

    if (task->type != REDIS_REPLY_ARRAY) {
        parser->status = MPK_MALFORMED;
        return NULL;
    }

    depth = 1;

    for (parent = task->parent; parent; parent = parent->parent) {
        depth++;
    }

    if (depth > NGX_MPK_REDIS_DEPTH_MAX
        || count > NGX_MPK_REDIS_ELEMENTS_MAX - parser->elements)
    {
        parser->status = MPK_LIMIT;
        return NULL;
    }

    parser->elements += count;

    reply = ngx_mpk_redis_create(task, NGX_MPK_REDIS_ARRAY);

    if (reply == NULL || reply == &parser->dropped || count == 0) {
        return reply;
    }

    reply->elements = mpk_calloc(parser->mem,
                                 count * sizeof(ngx_mpk_redis_reply_t));
    if (reply->elements == NULL) {
        return NULL;
    }

    reply->count = count;

    return reply;
}


static void *
ngx_mpk_redis_create_integer(const redisReadTask *task, long long value)
{
    ngx_mpk_redis_reply_t   *reply;
    ngx_mpk_redis_parser_t  *parser;

    parser = task->privdata;

    reply = ngx_mpk_redis_create(task, NGX_MPK_REDIS_INTEGER);

    if (reply && reply != &parser->dropped) {
        reply->integer = value;
    }

    return reply;
}


static void *
ngx_mpk_redis_create_nil(const redisReadTask *task)
{
    return ngx_mpk_redis_create(task, NGX_MPK_REDIS_NIL);
}


#if (HIREDIS_MAJOR >= 1)

static void *
ngx_mpk_redis_create_double(const redisReadTask *task, double value,
    char *data, size_t len)
{
    ngx_mpk_redis_parser_t  *parser;

    (void) value;
    (void) data;
    (void) len;

    parser = task->privdata;
    parser->status = MPK_MALFORMED;

    return NULL;
}


static void *
ngx_mpk_redis_create_bool(const redisReadTask *task, int value)
{
    ngx_mpk_redis_parser_t  *parser;

    (void) value;

    parser = task->privdata;
    parser->status = MPK_MALFORMED;

    return NULL;
}

#endif


/* Elements are allocated with their array; only the root needs memory of its own. */
static ngx_mpk_redis_reply_t *
ngx_mpk_redis_create(const redisReadTask *task, ngx_mpk_redis_type_t type)
{
    ngx_mpk_redis_reply_t   *reply;
    ngx_mpk_redis_parser_t  *parser;

    parser = task->privdata;

    if (parser->mem == NULL) {
        return &parser->dropped;
    }

    if (task->parent) {
        reply = task->parent->obj;
        reply = &reply->elements[task->idx];

    } else {
        reply = mpk_calloc(parser->mem, sizeof(ngx_mpk_redis_reply_t));
        if (reply == NULL) {
            return NULL;
        }
    }

    reply->type = type;

    return reply;
}


static size_t
ngx_mpk_redis_digits(size_t n)
{
    size_t  digits;

    for (digits = 1; n >= 10; digits++) {
        n /= 10;
    }

    return digits;
}


static uint8_t *
ngx_mpk_redis_header(uint8_t *p, uint8_t type, size_t n)
{
    size_t  i, digits;

    digits = ngx_mpk_redis_digits(n);

    *p++ = type;

    for (i = digits; i > 0; i--) {
        p[i - 1] = (uint8_t) ('0' + n % 10);
        n /= 10;
    }

    p += digits;

    *p++ = '\r';
    *p++ = '\n';

    return p;
}


size_t
ngx_mpk_redis_command_len(size_t argc, const mpk_str_t *argv)
{
    size_t  i, len;

    len = 3 + ngx_mpk_redis_digits(argc);

    for (i = 0; i < argc; i++) {
        len += 3 + ngx_mpk_redis_digits(argv[i].len) + argv[i].len + 2;
    }

    return len;
}


uint8_t *
ngx_mpk_redis_command_write(uint8_t *p, size_t argc, const mpk_str_t *argv)
{
    size_t  i;

    p = ngx_mpk_redis_header(p, '*', argc);

    for (i = 0; i < argc; i++) {
        p = ngx_mpk_redis_header(p, '$', argv[i].len);

        if (argv[i].len) {
            memcpy(p, argv[i].data, argv[i].len);
            p += argv[i].len;
        }

        *p++ = '\r';
        *p++ = '\n';
    }

    return p;
}


ngx_mpk_redis_error_t
ngx_mpk_redis_error_find(mpk_str_t text)
{
    unsigned   i;
    mpk_str_t  word;

    word.data = text.data;

    for (word.len = 0; word.len < text.len; word.len++) {
        if (text.data[word.len] == ' ') {
            break;
        }
    }

    for (i = NGX_MPK_REDIS_ERR_OTHER + 1; i < NGX_MPK_REDIS_ERR_MAX; i++) {
        if (mpk_str_eq(word, ngx_mpk_redis_errors[i].name)) {
            return (ngx_mpk_redis_error_t) i;
        }
    }

    return NGX_MPK_REDIS_ERR_OTHER;
}


const ngx_mpk_redis_error_info_t *
ngx_mpk_redis_error_info(ngx_mpk_redis_error_t error)
{
    if ((unsigned) error >= NGX_MPK_REDIS_ERR_MAX) {
        error = NGX_MPK_REDIS_ERR_OTHER;
    }

    return &ngx_mpk_redis_errors[error];
}
