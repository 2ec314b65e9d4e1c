/* What the files of mpk_reveal share. */

#ifndef NGX_HTTP_MPK_REVEAL_H
#define NGX_HTTP_MPK_REVEAL_H

#include "ngx_http_mpk_run.h"

#include "mpk_token.h"

#define NGX_HTTP_MPK_ONSCREEN_TTL  600     /* seconds that an on-screen page is remembered unused */


/* A link while it is answered: ctx->data. */
typedef struct {
    mpk_token_t                   token;
    mpk_status_t                  status;          /* OK or EXPIRED */
    u_char                        id[MPK_TOKEN_ID_LEN];
    u_char                        id_bytes[MPK_ID_LEN];
    u_char                        email[MPK_MAC_LEN];
    unsigned                      prefetch:1;
    unsigned                      onscreen:1;      /* there is no token */
} ngx_http_mpk_reveal_t;


/* A transaction of the link's order. */
ngx_http_mpk_txn_t *ngx_http_mpk_reveal_txn(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, mpk_event_t event);

/* The confirm page; outcome tells what was wrong with a confirmation. */
ngx_int_t ngx_http_mpk_reveal_confirm(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, mpk_outcome_t outcome);

/* The view is committed: the one place that shows keys. */
ngx_int_t ngx_http_mpk_reveal_keys(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);

/* What the policy refuses; an unknown order may go on to the upstream. */
ngx_int_t ngx_http_mpk_reveal_notice(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, mpk_outcome_t outcome);

/* Another site, or a prefetch, sent a confirmation. */
ngx_int_t ngx_http_mpk_reveal_foreign(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);

/* Redis could not be read or written. */
ngx_int_t ngx_http_mpk_reveal_failed(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);


#endif /* NGX_HTTP_MPK_REVEAL_H */
