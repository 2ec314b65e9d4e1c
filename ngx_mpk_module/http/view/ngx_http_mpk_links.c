/* Signed links: one-time links to keys, addresses of claims. */

#include "ngx_http_mpk_links.h"
#include "ngx_http_mpk_time.h"

#include "mpk_base64url.h"
#include "mpk_nonce.h"
#include "mpk_time.h"

#define NGX_HTTP_MPK_LINK_TTL   600    /* seconds that a link on a page is good for */
#define NGX_HTTP_MPK_CLAIM_TTL  86400  /* seconds that a claim's form is good for, at most */


static int64_t ngx_http_mpk_link_now(ngx_http_mpk_ctx_t *ctx,
    const mpk_order_t *order);
static ngx_int_t ngx_http_mpk_link_jti(ngx_http_mpk_ctx_t *ctx,
    mpk_token_t *token);


ngx_int_t
ngx_http_mpk_link(ngx_http_mpk_ctx_t *ctx, const mpk_order_t *order,
    mpk_channel_t channel, const uint16_t *items, ngx_uint_t items_count,
    ngx_http_mpk_link_t *link)
{
    u_char        *nonce;
    u_char         id[MPK_TOKEN_ID_LEN];
    size_t         len;
    mpk_token_t    token;
    mpk_crypto_t  *crypto;

    crypto = ctx->mmcf->crypto;

    ngx_memzero(&token, sizeof(mpk_token_t));

    token.aud = MPK_AUD_REVEAL;
    token.channel = channel;
    token.order = order->id;
    token.items = items;
    token.items_count = items_count;

    token.iat = ngx_http_mpk_link_now(ctx, order);
    token.exp = token.iat + NGX_HTTP_MPK_LINK_TTL;

    if (ngx_http_mpk_link_jti(ctx, &token) != NGX_OK
        || ngx_http_mpk_link_sign(ctx, &ctx->mscf->reveal_path, &token,
                                  &link->url)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    len = ctx->mscf->public_url.len;

    link->path.data = link->url.data + len;
    link->path.len = link->url.len - len;

    ngx_memzero(&link->nonce, sizeof(mpk_str_t));

    if (ctx->json) {
        return NGX_OK;
    }

    nonce = mpk_alloc(&ctx->mem, MPK_NONCE_LEN);

    if (nonce == NULL
        || mpk_token_id(crypto, token.jti, id) != MPK_OK
        || mpk_nonce_create(crypto, (mpk_str_t) { MPK_TOKEN_ID_LEN, id },
                            token.iat, nonce)
           != MPK_OK)
    {
        return NGX_ERROR;
    }

    link->nonce = (mpk_str_t) { MPK_NONCE_LEN, nonce };

    return NGX_OK;
}


mpk_str_t
ngx_http_mpk_claim_url(ngx_http_mpk_ctx_t *ctx, ngx_str_t *path,
    const mpk_order_t *order, const uint16_t *items, ngx_uint_t items_count,
    int64_t until)
{
    mpk_token_t  token;

    ngx_memzero(&token, sizeof(mpk_token_t));

    token.aud = MPK_AUD_CLAIM;
    token.order = order->id;
    token.items = items;
    token.items_count = items_count;

    if (ngx_http_mpk_link_jti(ctx, &token) != NGX_OK) {
        return mpk_string("");
    }

    return ngx_http_mpk_claim_renew(ctx, path, order, &token, until);
}


mpk_str_t
ngx_http_mpk_claim_renew(ngx_http_mpk_ctx_t *ctx, ngx_str_t *path,
    const mpk_order_t *order, const mpk_token_t *token, int64_t until)
{
    size_t       len;
    mpk_str_t    url;
    mpk_token_t  fresh;

    fresh = *token;

    fresh.iat = ngx_http_mpk_link_now(ctx, order);
    fresh.exp = fresh.iat + NGX_HTTP_MPK_CLAIM_TTL;

    if (until) {
        fresh.exp = ngx_min(fresh.exp, ngx_max(until, fresh.iat + 1));
    }

    if (ngx_http_mpk_link_sign(ctx, path, &fresh, &url) != NGX_OK) {
        return mpk_string("");
    }

    /* a page's links are relative, as its Content-Security-Policy demands */

    len = ctx->json ? 0 : ctx->mscf->public_url.len;

    return (mpk_str_t) { url.len - len, url.data + len };
}


/* After the second of a correction: what was made before it is closed. */

static int64_t
ngx_http_mpk_link_now(ngx_http_mpk_ctx_t *ctx, const mpk_order_t *order)
{
    int64_t  now;

    now = ngx_http_mpk_time(ctx->mmcf, order->id);

    return ngx_max(now, mpk_order_corrected_at(order, now) + 1);
}


static ngx_int_t
ngx_http_mpk_link_jti(ngx_http_mpk_ctx_t *ctx, mpk_token_t *token)
{
    u_char  bytes[16], *jti;

    jti = mpk_alloc(&ctx->mem, MPK_JTI_LEN);

    if (jti == NULL
        || mpk_crypto_random(ctx->mmcf->crypto, bytes, sizeof(bytes))
           != MPK_OK)
    {
        return NGX_ERROR;
    }

    mpk_base64url_encode(jti, bytes, sizeof(bytes));

    token->jti = (mpk_str_t) { MPK_JTI_LEN, jti };

    return NGX_OK;
}


/*
 * A link from the future is refused only if it is one by both clocks, and these are known:
 * a Redis that is behind would refuse links that were minted before a failover.
 */

mpk_status_t
ngx_http_mpk_link_verify(ngx_http_mpk_ctx_t *ctx, const ngx_str_t *text,
    mpk_aud_t aud, mpk_token_t *token)
{
    int64_t       now, latest;
    mpk_status_t  status;

    now = ngx_http_mpk_time(ctx->mmcf, mpk_string(""));
    latest = ngx_http_mpk_time_known(ctx->mmcf) ? ngx_max(now, ngx_time())
                                                : MPK_TIME_MAX;

    status = mpk_token_verify(ctx->mmcf->crypto, &ctx->mem, text->data,
                              text->len, aud, latest, token);

    return status == MPK_EXPIRED && token->exp + MPK_TOKEN_SKEW > now
           ? MPK_OK : status;
}


ngx_int_t
ngx_http_mpk_link_sign(ngx_http_mpk_ctx_t *ctx, const ngx_str_t *path,
    const mpk_token_t *token, mpk_str_t *url)
{
    mpk_buf_t   buf;
    mpk_mem_t  *mem;

    mem = &ctx->mem;

    mpk_buf_init(&buf, mem, 384);
    mpk_buf_str(&buf, ngx_http_mpk_str(&ctx->mscf->public_url));
    mpk_buf_str(&buf, ngx_http_mpk_str(path));

    if (mpk_token_sign(ctx->mmcf->crypto, mem, token, &buf) != MPK_OK
        || buf.failed)
    {
        return NGX_ERROR;
    }

    *url = mpk_buf_done(&buf);

    return NGX_OK;
}
