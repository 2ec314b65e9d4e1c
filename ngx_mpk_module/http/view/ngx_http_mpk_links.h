/* Signed links. */

#ifndef NGX_HTTP_MPK_LINKS_H
#define NGX_HTTP_MPK_LINKS_H

#include "ngx_http_mpk_ctx.h"

#include "mpk_order.h"
#include "mpk_token.h"


/* A one-time link for a page: absolute, without scheme and host, its nonce (none for JSON). */
typedef struct {
    mpk_str_t                     url;
    mpk_str_t                     path;
    mpk_str_t                     nonce;
} ngx_http_mpk_link_t;


/*
 * A link of its own time, which is later than that of the order's last correction (see
 * mpk_order_corrected_at()).  items_count 0: all of them.
 */
ngx_int_t ngx_http_mpk_link(ngx_http_mpk_ctx_t *ctx, const mpk_order_t *order,
    mpk_channel_t channel, const uint16_t *items, ngx_uint_t items_count,
    ngx_http_mpk_link_t *link);

/*
 * The address of a form for claims, or of where a claim's files go: path and a token for some
 * items; absolute where the answer is JSON.  Empty: it could not be signed.  It is good for a
 * day, but not longer than until then, if that is not 0.
 */
mpk_str_t ngx_http_mpk_claim_url(ngx_http_mpk_ctx_t *ctx, ngx_str_t *path,
    const mpk_order_t *order, const uint16_t *items, ngx_uint_t items_count,
    int64_t until);

/* The same for a token that has expired: a form keeps its id when it is renewed (R10). */
mpk_str_t ngx_http_mpk_claim_renew(ngx_http_mpk_ctx_t *ctx, ngx_str_t *path,
    const mpk_order_t *order, const mpk_token_t *token, int64_t until);

/* mpk_token_verify(), by the clocks of Redis and of this machine. */
mpk_status_t ngx_http_mpk_link_verify(ngx_http_mpk_ctx_t *ctx,
    const ngx_str_t *text, mpk_aud_t aud, mpk_token_t *token);

/* The absolute link of a token: mpk_public_url, path, the token. */
ngx_int_t ngx_http_mpk_link_sign(ngx_http_mpk_ctx_t *ctx,
    const ngx_str_t *path, const mpk_token_t *token, mpk_str_t *url);


#endif /* NGX_HTTP_MPK_LINKS_H */
