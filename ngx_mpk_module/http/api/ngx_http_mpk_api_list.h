/* Pages of a worklist: what all its buckets have, oldest first. */

#ifndef NGX_HTTP_MPK_API_LIST_H
#define NGX_HTTP_MPK_API_LIST_H

#include "ngx_http_mpk_api.h"
#include "ngx_http_mpk_batch.h"


typedef struct {
    mpk_str_t                     member;          /* "order", with a claim "order/3", or "w:ID" */
    int64_t                       at;              /* since when it is in the list, ms */
} ngx_http_mpk_list_entry_t;

/* A page: api->data. */
typedef struct {
    const char                   *what;            /* the end of the lists' keys */
    ngx_http_mpk_next_pt          next;
    ngx_uint_t                    history;         /* of each order, so many entries at most */
    int64_t                       after;
    mpk_str_t                     after_member;
    ngx_uint_t                    limit;
    ngx_http_mpk_batch_t         *batch;
    ngx_http_mpk_list_entry_t    *entries;         /* the page's; their orders: ctx->orders */
    ngx_uint_t                    count;
    unsigned                      more:1;
} ngx_http_mpk_list_t;


/*
 * Reads the page that ?after= and ?limit= ask for, and the order of each entry with the last
 * "history" entries of its journal; then calls next.  If an argument is wrong, or the caller
 * has added an error, answers with that instead.
 */
ngx_int_t ngx_http_mpk_list_read(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, const char *what, ngx_uint_t history,
    ngx_http_mpk_next_pt next);

/* The id of entry i's statement of withdrawal, which has no order; empty: it is none. */
mpk_str_t ngx_http_mpk_list_statement(ngx_http_mpk_ctx_t *ctx, ngx_uint_t i);

/* The number of entry i's case, "order/3"; 0: it has none. */
ngx_uint_t ngx_http_mpk_list_case(ngx_http_mpk_ctx_t *ctx, ngx_uint_t i);

/* Whether the order of entry i is gone; if so, it is removed from the list as below. */
ngx_uint_t ngx_http_mpk_list_gone(ngx_http_mpk_ctx_t *ctx, ngx_uint_t i);

/* Removes entry i from its list in Redis, without waiting for the answer. */
void ngx_http_mpk_list_drop(ngx_http_mpk_ctx_t *ctx, ngx_uint_t i);

/* Adds "next", and sends the answer. */
ngx_int_t ngx_http_mpk_list_send(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, mpk_value_t *facts);


#endif /* NGX_HTTP_MPK_API_LIST_H */
