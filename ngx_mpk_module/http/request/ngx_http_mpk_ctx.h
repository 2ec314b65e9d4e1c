/* The context of a request. */

#ifndef NGX_HTTP_MPK_CTX_H
#define NGX_HTTP_MPK_CTX_H

#include "ngx_http_mpk.h"

#include "ngx_http_mpk_headers.h"


typedef struct ngx_http_mpk_ctx_s  ngx_http_mpk_ctx_t;
typedef struct ngx_http_mpk_txn_s  ngx_http_mpk_txn_t;
typedef struct ngx_http_mpk_orders_s  ngx_http_mpk_orders_t;
typedef struct ngx_http_mpk_batch_s  ngx_http_mpk_batch_t;
typedef struct ngx_http_mpk_lookup_s  ngx_http_mpk_lookup_t;
typedef struct ngx_http_mpk_language_s  ngx_http_mpk_language_t;

typedef ngx_int_t (*ngx_http_mpk_next_pt)(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);


/* Survives internal redirects, for the variables and the log phase. */
struct ngx_http_mpk_ctx_s {
    mpk_mem_t                     mem;
    ngx_pool_t                   *work;            /* see ngx_http_mpk_work(); NULL: none */
    ngx_http_mpk_main_conf_t     *mmcf;
    ngx_http_mpk_srv_conf_t      *mscf;
    ngx_http_mpk_loc_conf_t      *mlcf;            /* of the endpoint's location */

    ngx_http_mpk_txn_t           *txn;
    ngx_http_mpk_orders_t        *orders;
    ngx_http_mpk_batch_t         *batch;
    ngx_http_mpk_lookup_t        *lookup;
    ngx_http_mpk_next_pt          next;            /* called when the wait is over */
    void                         *data;            /* the endpoint's own */
    ngx_buf_t                    *body;            /* what was read of the request's; NULL: it came at once */
    size_t                        body_max;        /* bytes of it that are read */
    ngx_str_t                    *headers[NGX_HTTP_MPK_HEADER_MAX];
    ngx_str_t                     actor;           /* the API token's name */

    /* for the answer */
    ngx_http_mpk_language_t      *language;        /* set before a page's values are built */
    mpk_str_t                     locale;          /* the order's; empty: not known */
    int64_t                       used_at;         /* when the link was used; 0: it was not */
    int64_t                       claim_until;     /* when the time for claims ended; 0: not so */
    mpk_mem_t                    *body_mem;        /* where the body is made */
    mpk_str_t                    *secret;          /* where a body with keys is left; NULL: it has none */
    ngx_chain_t                  *out;             /* the body */
    ngx_str_t                    *policy;          /* Content-Security-Policy; NULL: not our answer */

    unsigned                      waiting:1;
    unsigned                      body_cut:1;      /* what is over body_max was dropped */
    unsigned                      passed:1;        /* left to the location's other handlers */
    unsigned                      unattended:1;    /* continues when the client disconnects */
    unsigned                      json:1;          /* what Accept prefers */
    unsigned                      reader:1;        /* the token's role is read only */

    /* for the variables and counters */
    ngx_uint_t                    event;
    ngx_uint_t                    outcome;
    mpk_str_t                     order;
    mpk_str_t                     items;
    mpk_str_t                     channel;
    mpk_str_t                     token_id;
    mpk_str_t                     claim;
    uint64_t                      revision;        /* of the entry that was committed; 0: none */
    u_char                        mac[MPK_MAC_LEN];
    uint64_t                      store_time;      /* us */
    unsigned                      stored:1;
    unsigned                      shown:1;         /* an answer with keys was handed to nginx */
    unsigned                      filtered:1;      /* whose body a filter changes */
};


/* The request's context, also after an internal redirect; NULL: none. */
ngx_http_mpk_ctx_t *ngx_http_mpk_get_ctx(ngx_http_request_t *r);
ngx_http_mpk_ctx_t *ngx_http_mpk_create_ctx(ngx_http_request_t *r);

/*
 * From here on ctx->mem, and what reads orders, have a pool of their own, which lives until
 * the body is made: a client that does not read its answer keeps the body only.  Nothing
 * that the log phase needs may be in it.
 */
ngx_int_t ngx_http_mpk_work(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx);

/* Frees that pool, after a copy of the body was made. */
ngx_int_t ngx_http_mpk_work_done(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, mpk_buf_t *body);

/* The pool for what need not outlive the body. */
#define ngx_http_mpk_pool(r, ctx)  ((ctx)->work ? (ctx)->work : (r)->pool)

/* Declines for good: the location's other handlers run.  413: the body is not whole. */
ngx_int_t ngx_http_mpk_pass(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx);

/* What a handler returns in order to wait; next is called by way of the phases. */
ngx_int_t ngx_http_mpk_wait(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_next_pt next);

/* Ends a wait for Redis that took so many microseconds: calls next. */
void ngx_http_mpk_resume(ngx_http_request_t *r, uint64_t store_time);

/*
 * Continues a main request in handler once the other events of this pass of the event
 * loop were handled.  What many requests have in common then runs in a row: a reveal's
 * code as a whole does not fit into a processor's instruction cache.
 */
void ngx_http_mpk_post(ngx_http_request_t *r,
    ngx_http_event_handler_pt handler);


#endif /* NGX_HTTP_MPK_CTX_H */
