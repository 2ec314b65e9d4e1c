/* What the files of POST /orders share: a body of many orders on its way. */

#ifndef NGX_HTTP_MPK_API_NDJSON_H
#define NGX_HTTP_MPK_API_NDJSON_H

#include "ngx_http_mpk_api.h"
#include "mpk_lines.h"

#define NGX_HTTP_MPK_NDJSON_WINDOW   64                  /* lines under way */
#define NGX_HTTP_MPK_NDJSON_BYTES    (2 * 1024 * 1024)   /* of them, and a line more */
#define NGX_HTTP_MPK_NDJSON_PASS     (256 * 1024)        /* of body, until others have their turn */


typedef struct ngx_http_mpk_ndjson_s  ngx_http_mpk_ndjson_t;


/* A line that was read, until its result has been put out. */
typedef struct {
    ngx_http_mpk_ndjson_t        *ndjson;
    ngx_http_mpk_txn_t           *txn;             /* under way; NULL: it has ended */
    uint64_t                      number;
    size_t                        bytes;
    ngx_str_t                     result;          /* of ngx_alloc(); empty: none to show */
} ngx_http_mpk_ndjson_line_t;


struct ngx_http_mpk_ndjson_s {
    ngx_http_request_t           *request;
    ngx_http_mpk_ctx_t           *ctx;
    ngx_http_mpk_main_conf_t     *mmcf;

    /* event ident must be after 3 pointers as in ngx_connection_t */
    ngx_int_t                     ident;

    ngx_event_t                   event;           /* goes on, in this pass or later */
    ngx_pool_t                   *pool;            /* what a line needs until it is sealed */
    ngx_http_mpk_mem_t            mem;             /* of it */

    /* the body */
    ngx_chain_t                  *in;              /* read; the first one is being split */
    off_t                         at;              /* in the first one, if it is in a file */
    u_char                       *buffer;          /* for a file's bytes */
    mpk_str_t                     piece;           /* what is not split yet of the first one */
    mpk_lines_t                   lines;
    size_t                        taken;           /* bytes in this pass */
    unsigned                      shared:1;        /* others use the body's buffers, too */
    unsigned                      last:1;          /* nothing comes after piece */

    /* the window: a ring, in the order of the body */
    ngx_http_mpk_ndjson_line_t    window[NGX_HTTP_MPK_NDJSON_WINDOW];
    ngx_uint_t                    first;
    ngx_uint_t                    count;
    size_t                        bytes;

    /* the answer */
    ngx_chain_t                  *out;             /* not handed to nginx yet */
    ngx_chain_t                 **out_last;
    ngx_buf_t                    *end;             /* of out, with room perhaps */
    ngx_chain_t                  *busy;
    ngx_chain_t                  *free;
    off_t                         size;            /* of all that was put out */
    uint64_t                      created;
    uint64_t                      unchanged;
    uint64_t                      failed;
    uint64_t                      shown;           /* results put out */
    uint64_t                      omitted;
    unsigned                      all:1;           /* ?results=all */
    unsigned                      again:1;         /* a line failed that may succeed */
    unsigned                      broken:1;        /* a result got lost */
    unsigned                      idle:1;          /* does not wait for the body */
    unsigned                      stopped:1;
};


/* A window with room for another line. */
ngx_uint_t ngx_http_mpk_ndjson_room(ngx_http_mpk_ndjson_t *nd);

/*
 * Takes the next line of the body into the window.  NGX_AGAIN: no more of the body is
 * there; NGX_BUSY: enough for this pass; NGX_DONE: that was all of it; NGX_ERROR or a
 * status: the body can't be read.
 */
ngx_int_t ngx_http_mpk_ndjson_take(ngx_http_mpk_ndjson_t *nd);

/* Puts out the results of the lines that have ended, up to the first that has not. */
ngx_int_t ngx_http_mpk_ndjson_collect(ngx_http_mpk_ndjson_t *nd);

/* Puts out the last line, which sums up. */
ngx_int_t ngx_http_mpk_ndjson_sum_up(ngx_http_mpk_ndjson_t *nd);

/* Forgets the lines: what is under way ends by itself. */
void ngx_http_mpk_ndjson_forget(ngx_http_mpk_ndjson_t *nd);


#endif /* NGX_HTTP_MPK_API_NDJSON_H */
