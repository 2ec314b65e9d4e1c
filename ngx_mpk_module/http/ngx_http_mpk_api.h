/* What the files of mpk_api share: a call, its body, its answers. */

#ifndef NGX_HTTP_MPK_API_H
#define NGX_HTTP_MPK_API_H

#include "ngx_http_mpk.h"


/* A call of the API: ctx->data. */
typedef struct {
    mpk_str_t                     order;
    const mpk_value_t            *body;            /* an object; NULL: empty */
    mpk_value_t                  *errors;          /* {pointer, detail}; NULL: none */
    ngx_uint_t                    claim;           /* its number, where the path has one */
    void                         *data;            /* the call's own */
} ngx_http_mpk_api_t;


/* The calls, once the token is checked and the body is read. */
ngx_int_t ngx_http_mpk_api_file(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_show(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_release(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_cancel(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_links(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_journal(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);

ngx_int_t ngx_http_mpk_api_erase(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_claims(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_needs_info(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_replace(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_refund(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_reject(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);

/* A transaction on the call's order. */
ngx_http_mpk_txn_t *ngx_http_mpk_api_txn(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, mpk_event_t event);

/* Notes what is wrong with a member of the body. */
void ngx_http_mpk_api_error(ngx_http_mpk_ctx_t *ctx, mpk_str_t pointer,
    const char *detail);

/* 422 with the errors noted. */
ngx_int_t ngx_http_mpk_api_invalid(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);

/* What the transaction refused or could not do, as a problem. */
ngx_int_t ngx_http_mpk_api_refused(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);

/* A pointer into the body: /items/0/key; without an array, /key. */
mpk_str_t ngx_http_mpk_api_pointer(ngx_http_mpk_ctx_t *ctx, mpk_str_t array,
    ngx_uint_t index, mpk_str_t member);

/*
 * Reads the call's order with its whole history, then calls next; an order that is
 * not there or can't be read is answered.
 */
ngx_int_t ngx_http_mpk_api_read(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_next_pt next);

/* {"order", "state"}, and the claim's where it is about one; or what refuses it. */
ngx_int_t ngx_http_mpk_api_state(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);

/* What could not be done, as a problem. */
ngx_int_t ngx_http_mpk_api_fail(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_txn_result_t result);


#endif /* NGX_HTTP_MPK_API_H */
