/* Shared by the files of mpk_reveal and mpk_onscreen. */

#ifndef NGX_HTTP_MPK_REVEAL_H
#define NGX_HTTP_MPK_REVEAL_H

#include "ngx_http_mpk_run.h"

#include "mpk_token.h"
#include "mpk_value.h"

#define NGX_HTTP_MPK_ONSCREEN_TTL  600     /* seconds until an unused on-screen page is forgotten */


/* A request for a link: ctx->data. */
typedef struct {
    mpk_token_t                   token;
    mpk_status_t                  status;          /* OK or EXPIRED */
    u_char                        id[MPK_TOKEN_ID_LEN];
    u_char                        id_bytes[MPK_ID_LEN];
    u_char                        email[MPK_MAC_LEN];
    unsigned                      prefetch:1;
    unsigned                      onscreen:1;      /* there is no token */
} ngx_http_mpk_reveal_t;


/* Creates a transaction on the link's order. */
ngx_http_mpk_txn_t *ngx_http_mpk_reveal_txn(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, mpk_event_t event);

/*
 * Sends the confirm page; outcome says what was wrong with the confirmation, if anything.
 */
ngx_int_t ngx_http_mpk_reveal_confirm(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, mpk_outcome_t outcome);

/* Adds what a button would show: "items", with what each fits, and the shop's policy. */
void ngx_http_mpk_reveal_items(ngx_http_mpk_ctx_t *ctx, mpk_value_t *facts);

/* The desktop platform that the browser runs on. */
mpk_platform_t ngx_http_mpk_reveal_desktop(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);

/* Sends the keys after the view was committed; nothing else shows keys. */
ngx_int_t ngx_http_mpk_reveal_keys(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);

/* Answers a refusal; an unknown order may be left to the upstream (mpk_fallthrough). */
ngx_int_t ngx_http_mpk_reveal_notice(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, mpk_outcome_t outcome);

/* Answers 503: Redis could not be read or written. */
ngx_int_t ngx_http_mpk_reveal_failed(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);


#endif /* NGX_HTTP_MPK_REVEAL_H */
