/*
 * mpk_onscreen: keys on the shop's own page.  The shop answers with X-Accel-Redirect and
 * the page shows the keys, or it includes a fragment with a button as a subrequest.  The
 * order's id comes from the upstream, never from the client.
 */

#include "ngx_http_mpk_reveal.h"
#include "ngx_http_mpk_answer.h"
#include "ngx_http_mpk_language.h"
#include "ngx_http_mpk_links.h"
#include "ngx_http_mpk_request.h"
#include "ngx_http_mpk_time.h"

#include "mpk_base64url.h"


static ngx_uint_t ngx_http_mpk_onscreen_asked(ngx_http_request_t *r);
static ngx_int_t ngx_http_mpk_onscreen_id(ngx_http_mpk_main_conf_t *mmcf,
    mpk_str_t order, ngx_http_mpk_reveal_t *reveal);
static ngx_int_t ngx_http_mpk_onscreen_done(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_onscreen_fragment(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);


ngx_int_t
ngx_http_mpk_onscreen_handler(ngx_http_request_t *r)
{
    ngx_str_t                 order;
    ngx_http_mpk_ctx_t       *ctx;
    ngx_http_mpk_txn_t       *txn;
    ngx_http_mpk_reveal_t    *reveal;
    ngx_http_mpk_loc_conf_t  *mlcf;

    mlcf = ngx_http_get_module_loc_conf(r, ngx_http_mpk_module);

    if (!ngx_http_mpk_onscreen_asked(r)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "mpk_onscreen: not reached by X-Accel-Redirect or a "
                      "subrequest, so the client could choose the order; "
                      "answering 404");
        return NGX_HTTP_NOT_FOUND;
    }

    if (ngx_http_complex_value(r, mlcf->onscreen, &order) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!mpk_order_id_valid(ngx_http_mpk_str(&order))) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "mpk_onscreen: the upstream's value \"%V\" is not an order "
                      "id; answering 404",
                      &order);
        return NGX_HTTP_NOT_FOUND;
    }

    ctx = ngx_http_mpk_create_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    reveal = ngx_pcalloc(r->pool, sizeof(ngx_http_mpk_reveal_t));
    if (reveal == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->data = reveal;
    ctx->json = (r == r->main && ngx_http_mpk_wants_json(r));
    ctx->event = MPK_EVENT_VIEWED;
    ctx->order = ngx_http_mpk_str(&order);
    ctx->channel = mpk_channel_name(MPK_CHANNEL_ONSCREEN);

    reveal->onscreen = 1;
    reveal->token.order = ctx->order;
    reveal->token.channel = MPK_CHANNEL_ONSCREEN;
    reveal->token.iat = ngx_http_mpk_time(ctx->mmcf, ctx->order);
    reveal->token.exp = reveal->token.iat + NGX_HTTP_MPK_ONSCREEN_TTL;

    if (ngx_http_mpk_onscreen_id(ctx->mmcf, ctx->order, reveal) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->token_id = (mpk_str_t) { MPK_TOKEN_ID_LEN, reveal->id };

    txn = ngx_http_mpk_reveal_txn(r, ctx, MPK_EVENT_VIEWED);
    if (txn == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    txn->request.nonce_fresh = 1;
    txn->request.renews = 1;
    txn->entry.challenge = mpk_string("upstream");

    /*
     * show no key where nobody looks, to a prefetch, HEAD or an image, nor in a subrequest,
     * whose headers are not ours
     */

    txn->dry = (r != r->main || (r->method & NGX_HTTP_HEAD)
                || ngx_http_mpk_is_prefetch(r) || ngx_http_mpk_is_embedded(r));

    return ngx_http_mpk_run(r, ctx, txn, ngx_http_mpk_onscreen_done);
}


/* "internal" alone is not enough: a rewrite leads there, too. */

static ngx_uint_t
ngx_http_mpk_onscreen_asked(ngx_http_request_t *r)
{
    if (r != r->main) {
        return 1;
    }

    return r->internal && r->upstream
           && r->upstream->headers_in.x_accel_redirect;
}


/*
 * There is no token: derives an id from the order, which permits a new view after the
 * grace period.
 */

static ngx_int_t
ngx_http_mpk_onscreen_id(ngx_http_mpk_main_conf_t *mmcf, mpk_str_t order,
    ngx_http_mpk_reveal_t *reveal)
{
    u_char  hash[MPK_MAC_LEN], text[96], *p;

    p = ngx_cpymem(text, "onscreen:", sizeof("onscreen:") - 1);
    p = ngx_cpymem(p, order.data, order.len);

    if (mpk_crypto_hash(mmcf->crypto, (mpk_str_t) { p - text, text }, hash)
        != MPK_OK)
    {
        return NGX_ERROR;
    }

    ngx_memcpy(reveal->id_bytes, hash, MPK_ID_LEN);
    mpk_base64url_encode(reveal->id, hash, MPK_ID_LEN);

    return NGX_OK;
}


static ngx_int_t
ngx_http_mpk_onscreen_done(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_txn_t  *txn;

    txn = ctx->txn;

    if (r != r->main) {
        return ngx_http_mpk_onscreen_fragment(r, ctx);
    }

    if (txn->result != NGX_HTTP_MPK_TXN_OK) {
        return ngx_http_mpk_reveal_failed(r, ctx);
    }

    if (txn->decision.outcome == MPK_CONSENT
        || (txn->decision.outcome == MPK_DONE && txn->dry))
    {
        return ngx_http_mpk_reveal_confirm(r, ctx, txn->decision.outcome);
    }

    if (txn->decision.outcome == MPK_DONE) {
        return ngx_http_mpk_reveal_keys(r, ctx);
    }

    return ngx_http_mpk_reveal_notice(r, ctx, txn->decision.outcome);
}


/* The fragment for the shop's page: a button, or why there is none. */

static ngx_int_t
ngx_http_mpk_onscreen_fragment(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_mem_t              *mem;
    mpk_value_t            *facts;
    mpk_outcome_t           outcome;
    ngx_http_mpk_txn_t     *txn;
    ngx_http_mpk_link_t     link;
    ngx_http_mpk_answer_t   answer;

    txn = ctx->txn;
    outcome = txn->decision.outcome;
    mem = &ctx->mem;

    ctx->language = ngx_http_mpk_language(ctx, txn->order.locale);

    facts = mpk_value_new(mem, MPK_VALUE_OBJECT);

    if (txn->result == NGX_HTTP_MPK_TXN_OK
        && (outcome == MPK_DONE || outcome == MPK_CONSENT))
    {
        if (ngx_http_mpk_link(ctx, &ctx->txn->order, MPK_CHANNEL_ONSCREEN,
                              NULL, 0, &link)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        mpk_value_string(facts, mpk_string("show_all"), link.path);
        mpk_value_string(facts, mpk_string("nonce_all"), link.nonce);
        mpk_value_bool(facts, mpk_string("many"), txn->order.items_count > 1);
        ngx_http_mpk_reveal_items(ctx, facts);

    } else {
        mpk_value_bool(facts,
                       txn->result == NGX_HTTP_MPK_TXN_OK
                       && outcome == MPK_HELD ? mpk_string("held")
                       : txn->result == NGX_HTTP_MPK_TXN_OK
                         && outcome == MPK_CANCELLED ? mpk_string("cancelled")
                       : txn->result == NGX_HTTP_MPK_TXN_OK
                         && outcome == MPK_SUSPENDED ? mpk_string("suspended")
                       : txn->result == NGX_HTTP_MPK_TXN_OK
                         && outcome == MPK_WITHDRAWN ? mpk_string("withdrawn")
                       : mpk_string("unavailable"), 1);
    }

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = NGX_HTTP_OK;

    return ngx_http_mpk_send_page(r, ctx, &answer, NGX_HTTP_MPK_PAGE_FRAGMENT,
                                  facts);
}
