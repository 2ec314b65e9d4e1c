/*
 * Statements of withdrawal that no order was found for, or that its rules have no place for
 * (R12): each is kept, sealed, on the worklist of withdrawals until support closes it.
 */

#ifndef NGX_HTTP_MPK_STATEMENT_H
#define NGX_HTTP_MPK_STATEMENT_H

#include "ngx_http_mpk_batch.h"

#define NGX_HTTP_MPK_STATEMENT_ID  20      /* characters, hexadecimal */


typedef struct {
    mpk_str_t                     id;              /* its number on the receipt */
    mpk_str_t                     name;            /* as typed, as what follows */
    mpk_str_t                     order;
    mpk_str_t                     email;
    mpk_str_t                     items;           /* "1,3"; empty: all */
    int64_t                       stated_at;
} ngx_http_mpk_statement_t;


/*
 * Keeps it, unless that was done before, and calls next; ngx_http_mpk_statement_kept() then
 * gives the time of the first one.  NGX_ERROR: it is not known to be kept.
 */
ngx_int_t ngx_http_mpk_statement_keep(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, const ngx_http_mpk_statement_t *statement,
    ngx_http_mpk_next_pt next);
ngx_int_t ngx_http_mpk_statement_kept(ngx_http_mpk_ctx_t *ctx,
    mpk_str_t id, int64_t *stated_at);

/* The id of a worklist's member, "w:ID"; empty: it is not a statement's. */
mpk_str_t ngx_http_mpk_statement_member(mpk_str_t member);

/* Reads one; NULL: no memory. */
ngx_mpk_redis_cmd_t *ngx_http_mpk_statement_ask(ngx_http_mpk_batch_t *batch,
    mpk_str_t id);

/*
 * Opens the reply; strings are made in ctx->mem.  NGX_DECLINED: there is no such statement;
 * NGX_ERROR: it was altered, which is logged, or no memory.
 */
ngx_int_t ngx_http_mpk_statement_open(ngx_http_mpk_ctx_t *ctx, mpk_str_t id,
    ngx_mpk_redis_reply_t *reply, ngx_http_mpk_statement_t *statement);

/*
 * Takes it off the list, with a note that is sealed, and calls next;
 * ngx_http_mpk_statement_closed() then says whether there was one: NGX_OK, NGX_DECLINED, or
 * NGX_ERROR if it is not known to be closed.
 */
ngx_int_t ngx_http_mpk_statement_close(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, mpk_str_t id, mpk_str_t note,
    ngx_http_mpk_next_pt next);
ngx_int_t ngx_http_mpk_statement_closed(ngx_http_mpk_ctx_t *ctx);


#endif /* NGX_HTTP_MPK_STATEMENT_H */
