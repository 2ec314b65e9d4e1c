/*
 * Redis' protocol, apart from nginx: hiredis' reader with reply objects of our own,
 * under caps (hiredis 0.14 would allocate for "*100000000" at once), commands as
 * bytes, and the names of Redis' errors.
 */

#ifndef NGX_MPK_REDIS_RESP_H
#define NGX_MPK_REDIS_RESP_H

#include "mpk.h"

#define NGX_MPK_REDIS_ELEMENTS_MAX  65536               /* of one reply, nested ones counted */
#define NGX_MPK_REDIS_BYTES_MAX     (8 * 1024 * 1024)   /* of one reply's strings */
#define NGX_MPK_REDIS_LINE_MAX      (16 * 1024)         /* of a status or an error */
#define NGX_MPK_REDIS_DEPTH_MAX     7                   /* of arrays in arrays */


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
 * The memory that the next reply's objects are taken from; it must stay the same
 * until that reply is whole.  NULL: the next reply is checked and dropped.
 */
void ngx_mpk_redis_parser_mem(ngx_mpk_redis_parser_t *parser, mpk_mem_t *mem);

/* Hands over bytes as they came from the socket, in any portions. */
mpk_status_t ngx_mpk_redis_parser_feed(ngx_mpk_redis_parser_t *parser,
    const uint8_t *data, size_t len);

/*
 * The next whole reply, or MPK_OK with *reply == NULL when more bytes are needed.
 * A dropped reply is a NIL that belongs to the parser.  MPK_MALFORMED, MPK_LIMIT,
 * MPK_NOMEM: the connection can't be used any longer, and every later call says
 * the same.  A reply over a cap ends with MPK_LIMIT as soon as its announced
 * length is seen: nothing of that size is allocated or waited for.
 */
mpk_status_t ngx_mpk_redis_parser_next(ngx_mpk_redis_parser_t *parser,
    ngx_mpk_redis_reply_t **reply);

/* The bytes handed over that belong to no reply yet. */
size_t ngx_mpk_redis_parser_rest(const ngx_mpk_redis_parser_t *parser);


/*
 * A command as bytes: its length, and the bytes themselves, exactly so many; the
 * end of what was written is returned.
 */
size_t ngx_mpk_redis_command_len(size_t argc, const mpk_str_t *argv);
uint8_t *ngx_mpk_redis_command_write(uint8_t *p, size_t argc, const mpk_str_t *argv);


/* What an error reply means for the caller. */
typedef enum {
    NGX_MPK_REDIS_ERR_OTHER = 0,         /* a bug of ours or an unknown server */
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
    NGX_MPK_REDIS_ERR_MAX
} ngx_mpk_redis_error_t;


typedef struct {
    mpk_str_t    name;         /* as Redis spells it: the reply's first word */
    bool         reconnect;    /* this connection is of no use any longer */
    bool         ops;          /* somebody must look at it: logged as ERR, else WARN */
    const char  *remedy;       /* in words, for the error log; NULL: not logged */
} ngx_mpk_redis_error_info_t;

/* Which error the text of an ERROR reply is (a table's row, found by its first word). */
ngx_mpk_redis_error_t ngx_mpk_redis_error_find(mpk_str_t text);
const ngx_mpk_redis_error_info_t *ngx_mpk_redis_error_info(ngx_mpk_redis_error_t error);


#endif /* NGX_MPK_REDIS_RESP_H */
