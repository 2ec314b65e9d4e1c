/*
 * Redis' protocol, without nginx: hiredis' reader with reply objects of our own, within
 * limits (hiredis 0.14 allocates for "*100000000" at once), commands as bytes, and Redis'
 * errors.
 */

#ifndef NGX_MPK_REDIS_RESP_H
#define NGX_MPK_REDIS_RESP_H

#include "mpk.h"

#define NGX_MPK_REDIS_ELEMENTS_MAX  65536               /* of a reply, including nested ones */
#define NGX_MPK_REDIS_BYTES_MAX     (8 * 1024 * 1024)   /* of a reply's strings */
#define NGX_MPK_REDIS_SKIP_MAX      (512 * 1024 * 1024) /* of one string: Redis' own limit */
#define NGX_MPK_REDIS_LINE_MAX      (16 * 1024)         /* of a status or error */
#define NGX_MPK_REDIS_DEPTH_MAX     7                   /* of nested arrays */


typedef enum {
    NGX_MPK_REDIS_NIL = 0,
    NGX_MPK_REDIS_STRING,
    NGX_MPK_REDIS_STATUS,
    NGX_MPK_REDIS_ERROR,
    NGX_MPK_REDIS_INTEGER,
    NGX_MPK_REDIS_ARRAY
} ngx_mpk_redis_type_t;


typedef struct ngx_mpk_redis_reply_s  ngx_mpk_redis_reply_t;

struct ngx_mpk_redis_reply_s {
    ngx_mpk_redis_type_t    type;
    mpk_str_t               str;         /* STRING, STATUS, ERROR */
    int64_t                 integer;     /* INTEGER */
    size_t                  count;       /* ARRAY */
    ngx_mpk_redis_reply_t  *elements;    /* ARRAY: count of them */
};


typedef struct ngx_mpk_redis_parser_s  ngx_mpk_redis_parser_t;

ngx_mpk_redis_parser_t *ngx_mpk_redis_parser_create(void);   /* NULL: no memory */
void ngx_mpk_redis_parser_free(ngx_mpk_redis_parser_t *parser);

/*
 * Sets the memory for the objects of the next reply; it must stay the same until that
 * reply is complete.  NULL: the next reply is checked and dropped.
 */
void ngx_mpk_redis_parser_set_mem(ngx_mpk_redis_parser_t *parser,
    mpk_mem_t *mem);

/* Appends bytes as they come from the socket, in any portions. */
mpk_status_t ngx_mpk_redis_parser_feed(ngx_mpk_redis_parser_t *parser,
    const uint8_t *data, size_t len);

/*
 * Returns the next complete reply, or MPK_OK with *reply == NULL when more bytes are
 * needed.  A dropped reply is a NIL that belongs to the parser.  MPK_MALFORMED, MPK_LIMIT,
 * MPK_NOMEM: the connection must be closed; every later call returns the same.
 *
 * A reply whose strings are longer than NGX_MPK_REDIS_BYTES_MAX is skipped as it comes, and
 * returned as the error TOOLARGE.  Over another limit it fails as soon as its length is
 * announced.  In either case nothing of that size is allocated.
 */
mpk_status_t ngx_mpk_redis_parser_next(ngx_mpk_redis_parser_t *parser,
    ngx_mpk_redis_reply_t **reply);

/* The number of appended bytes that belong to no complete reply yet. */
size_t ngx_mpk_redis_parser_buffered(const ngx_mpk_redis_parser_t *parser);


/*
 * A command as bytes: _len returns how many, _write writes exactly so many and returns
 * their end.
 */
size_t ngx_mpk_redis_command_len(size_t argc, const mpk_str_t *argv);
uint8_t *ngx_mpk_redis_command_write(uint8_t *p, size_t argc, const mpk_str_t *argv);


/* Redis' errors, as far as they are told apart. */
typedef enum {
    NGX_MPK_REDIS_ERR_OTHER = 0,         /* a bug of ours, or another kind of server */
    NGX_MPK_REDIS_ERR_NOSCRIPT,
    NGX_MPK_REDIS_ERR_LOADING,
    NGX_MPK_REDIS_ERR_READONLY,
    NGX_MPK_REDIS_ERR_MOVED,
    NGX_MPK_REDIS_ERR_ASK,
    NGX_MPK_REDIS_ERR_CLUSTERDOWN,
    NGX_MPK_REDIS_ERR_MASTERDOWN,
    NGX_MPK_REDIS_ERR_TRYAGAIN,
    NGX_MPK_REDIS_ERR_OOM,
    NGX_MPK_REDIS_ERR_MISCONF,
    NGX_MPK_REDIS_ERR_NOREPLICAS,
    NGX_MPK_REDIS_ERR_NOAUTH,
    NGX_MPK_REDIS_ERR_WRONGPASS,
    NGX_MPK_REDIS_ERR_NOPERM,
    NGX_MPK_REDIS_ERR_BUSY,
    NGX_MPK_REDIS_ERR_TOOLARGE,          /* the parser's own */
    NGX_MPK_REDIS_ERR_MAX
} ngx_mpk_redis_error_t;


typedef struct {
    mpk_str_t    name;         /* the first word of the reply */
    bool         reconnect;    /* the connection must be drained and closed */
    bool         operator;     /* it needs an operator: logged as [error], else [warn] */
    const char  *remedy;       /* for the log line; NULL: not logged */
} ngx_mpk_redis_error_info_t;

/* Finds the error of an ERROR reply by the first word of its text. */
ngx_mpk_redis_error_t ngx_mpk_redis_error_find(mpk_str_t text);

/* The table's row of an error; never NULL. */
const ngx_mpk_redis_error_info_t *ngx_mpk_redis_error_info(
    ngx_mpk_redis_error_t error);


#endif /* NGX_MPK_REDIS_RESP_H */
