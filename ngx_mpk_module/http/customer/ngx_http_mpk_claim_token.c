/* The token of a claim's form, of an answer or of files, and what these have in common. */

#include "ngx_http_mpk_claim.h"
#include "ngx_http_mpk_links.h"
#include "ngx_http_mpk_request.h"

#include "mpk_base64url.h"


ngx_int_t
ngx_http_mpk_claim_token(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_str_t *text, ngx_int_t *rc)
{
    mpk_status_t           status;
    ngx_http_mpk_claim_t  *claim;

    *rc = NGX_HTTP_INTERNAL_SERVER_ERROR;

    claim = ngx_pcalloc(r->pool, sizeof(ngx_http_mpk_claim_t));
    if (claim == NULL) {
        return NGX_DECLINED;
    }

    ctx->data = claim;
    ctx->json = ngx_http_mpk_wants_json(r);
    ctx->event = MPK_EVENT_CLAIM_OPENED;

    status = ngx_http_mpk_link_verify(ctx, text, MPK_AUD_CLAIM, &claim->token);

    claim->expired = (status == MPK_EXPIRED);

    if (status != MPK_OK && !claim->expired) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "mpk: claim link rejected: %s", mpk_status_text(status));

        *rc = ngx_http_mpk_claim_refused(r, ctx, MPK_ABSENT);
        return NGX_DECLINED;
    }

    if (mpk_token_id(ctx->mmcf->crypto, claim->token.jti, claim->id) != MPK_OK) {
        return NGX_DECLINED;
    }

    ctx->order = claim->token.order;
    ctx->token_id = (mpk_str_t) { MPK_TOKEN_ID_LEN, claim->id };

    return NGX_OK;
}


ngx_http_mpk_txn_t *
ngx_http_mpk_claim_txn(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    mpk_event_t event)
{
    ngx_http_mpk_txn_t    *txn;
    ngx_http_mpk_claim_t  *claim;

    claim = ctx->data;

    txn = ngx_http_mpk_txn_create(ctx->mmcf, r);
    if (txn == NULL) {
        return NULL;
    }

    ngx_http_mpk_txn_order(txn, claim->token.order);

    txn->request.event = event;
    txn->request.claim_window = ctx->mscf->claim_window;
    txn->entry.token_id = ngx_http_mpk_txn_copy(txn, ctx->token_id);

    (void) mpk_base64url_decode(txn->request.token_id, claim->id,
                                MPK_TOKEN_ID_LEN);

    ngx_http_mpk_txn_client(r, txn);

    return txn;
}


ngx_uint_t
ngx_http_mpk_claim_outdated(const ngx_http_mpk_txn_t *txn,
    const ngx_http_mpk_claim_t *claim)
{
    int64_t  now;

    now = txn->request.now;

    if (claim->lookup.right) {
        return !mpk_secret_eq(mpk_order_email(&txn->order, now),
                              (mpk_str_t) { MPK_MAC_LEN, claim->lookup.email });
    }

    return claim->token.iat <= mpk_order_corrected_at(&txn->order, now);
}


mpk_str_t
ngx_http_mpk_claim_trim(mpk_str_t text)
{
    while (text.len && text.data[0] <= ' ') {
        text.data++;
        text.len--;
    }

    while (text.len && text.data[text.len - 1] <= ' ') {
        text.len--;
    }

    return text;
}
