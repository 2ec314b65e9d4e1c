/*
 * mpk_claim_access: passes requests with the token of an open claim, such as uploads of
 * screenshots, to the upstream, and no others; journals those that were accepted there.
 */

#include "ngx_http_mpk_claim.h"
#include "ngx_http_mpk_address.h"


static ngx_int_t ngx_http_mpk_claim_access(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);


ngx_int_t
ngx_http_mpk_claim_access_handler(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_str_t                 text;
    ngx_http_mpk_ctx_t       *ctx;
    ngx_http_mpk_txn_t       *txn;
    ngx_http_mpk_srv_conf_t  *mscf;

    mscf = ngx_http_get_module_srv_conf(r, ngx_http_mpk_module);

    ctx = ngx_http_mpk_create_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* no request passes without a token, whatever its path */

    if (ngx_http_mpk_path_token(r, &mscf->upload_path, &text) != NGX_OK) {
        text.len = 0;
        text.data = (u_char *) "";
    }

    if (ngx_http_mpk_claim_token(r, ctx, &text, &rc) != NGX_OK) {
        return rc;
    }

    if (((ngx_http_mpk_claim_t *) ctx->data)->expired) {
        return ngx_http_mpk_claim_refused(r, ctx, MPK_TOKEN_EXPIRED);
    }

    ctx->event = NGX_HTTP_MPK_EVENT_CLAIM_ACCESS;

    txn = ngx_http_mpk_claim_txn(r, ctx, MPK_EVENT_NONE);
    if (txn == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_mpk_run(r, ctx, txn, ngx_http_mpk_claim_access);
}


/* Finds the open claim of the token's item. */

static ngx_int_t
ngx_http_mpk_claim_access(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_buf_t              text;
    ngx_uint_t             i;
    mpk_claim_t           *open;
    mpk_order_t           *order;
    ngx_http_mpk_claim_t  *claim;

    claim = ctx->data;
    order = &ctx->txn->order;

    ctx->event = NGX_HTTP_MPK_EVENT_CLAIM_ACCESS;

    if (ctx->txn->result != NGX_HTTP_MPK_TXN_OK) {
        return ngx_http_mpk_claim_failed(r, ctx);
    }

    for (i = 0; i < order->claims_count; i++) {
        open = &order->claims[i];

        if (claim->token.items_count == 1
            && open->item == claim->token.items[0]
            && mpk_claim_undecided(open))
        {
            break;
        }
    }

    if (i == order->claims_count
        || ngx_http_mpk_claim_outdated(ctx->txn, claim))
    {
        return ngx_http_mpk_claim_refused(r, ctx, MPK_NO_CLAIM);
    }

    mpk_buf_init(&text, &ctx->mem, NGX_INT_T_LEN);
    mpk_buf_int(&text, (int64_t) i + 1);
    ctx->claim = mpk_buf_done(&text);

    mpk_buf_init(&text, &ctx->mem, NGX_INT_T_LEN);
    mpk_buf_int(&text, order->claims[i].item);
    ctx->items = mpk_buf_done(&text);

    ctx->outcome = MPK_DONE;

    return ngx_http_mpk_pass(r, ctx);
}


/*
 * Journals an upload in the log phase, if its whole body was received and the upstream did
 * not refuse it: the number of bytes.  The module does not look at the content.
 */

ngx_int_t
ngx_http_mpk_claim_access_log(ngx_http_request_t *r)
{
    ngx_int_t            claim;
    ngx_uint_t           status;
    ngx_http_mpk_ctx_t  *ctx;
    ngx_http_mpk_txn_t  *txn;

    status = r->err_status ? r->err_status : r->headers_out.status;

    if (status < NGX_HTTP_OK || status >= NGX_HTTP_BAD_REQUEST
        || r->headers_in.content_length_n <= 0
        || r->request_body == NULL || r->request_body->rest)
    {
        return NGX_OK;
    }

    ctx = ngx_http_mpk_get_ctx(r);
    claim = ngx_atoi((u_char *) ctx->claim.data, ctx->claim.len);

    txn = ngx_http_mpk_txn_create(ctx->mmcf, NULL);
    if (claim == NGX_ERROR || txn == NULL) {
        return NGX_OK;
    }

    ngx_http_mpk_txn_order(txn, ctx->order);
    ngx_http_mpk_txn_client(r, txn);

    txn->request.event = MPK_EVENT_CLAIM_FILES;
    txn->request.claim = claim;
    txn->entry.bytes = (uint64_t) r->headers_in.content_length_n;

    if (txn->mem.failed) {
        ngx_http_mpk_txn_destroy(txn);
        return NGX_OK;
    }

    ngx_http_mpk_txn_start(txn);

    return NGX_OK;
}
