/* POST /orders/{id}/suspend and /resume (R11). */

#include "ngx_http_mpk_api.h"

#include "mpk_lookup.h"
#include "mpk_pack.h"


static ngx_int_t ngx_http_mpk_suspend_run(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_txn_t *txn, mpk_str_t note);


ngx_int_t
ngx_http_mpk_api_suspend(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_str_t            note;
    mpk_suspension_t     reason;
    ngx_http_mpk_api_t  *api;
    ngx_http_mpk_txn_t  *txn;

    api = ctx->data;

    txn = ngx_http_mpk_api_txn(r, ctx, MPK_EVENT_SUSPENDED);
    if (txn == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    reason = MPK_SUSPENSION_NONE;

    if (!mpk_suspension_find(mpk_value_get_string(api->body,
                                                  mpk_string("reason")),
                             &reason))
    {
        ngx_http_mpk_api_error(ctx, mpk_string("/reason"),
                               "must be \"dispute\", \"fraud\" or \"other\"");
    }

    note = mpk_value_get_string(api->body, mpk_string("note"));

    if (reason == MPK_SUSPENSION_OTHER && note.len == 0) {
        ngx_http_mpk_api_error(ctx, mpk_string("/note"),
                               "must state the reason where it is \"other\"");
    }

    ngx_http_mpk_api_items(ctx, txn);

    txn->request.suspension = reason;
    txn->entry.reason = mpk_suspension_name(reason);

    return ngx_http_mpk_suspend_run(r, ctx, txn, note);
}


ngx_int_t
ngx_http_mpk_api_resume(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_api_t  *api;
    ngx_http_mpk_txn_t  *txn;

    api = ctx->data;

    txn = ngx_http_mpk_api_txn(r, ctx, MPK_EVENT_RESUMED);
    if (txn == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_mpk_suspend_run(r, ctx, txn,
               mpk_value_get_string(api->body, mpk_string("note")));
}


static ngx_int_t
ngx_http_mpk_suspend_run(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_txn_t *txn, mpk_str_t note)
{
    u_char              *digest;
    mpk_buf_t            content;
    ngx_uint_t           i;
    ngx_http_mpk_api_t  *api;

    api = ctx->data;

    if (api->errors) {
        return ngx_http_mpk_api_invalid(r, ctx);
    }

    digest = ngx_palloc(txn->pool, MPK_MAC_LEN);
    if (digest == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* the content that identifies a call (R10) */

    mpk_buf_init(&content, &txn->mem, note.len + 64);
    mpk_pack_int(&content, txn->request.event);
    mpk_pack_int(&content, txn->request.suspension);
    mpk_pack_str(&content, note);

    for (i = 0; i < txn->request.items_count; i++) {
        mpk_pack_int(&content, txn->request.items[i]);
    }

    if (content.failed
        || mpk_lookup_digest(txn->mmcf->crypto, mpk_buf_done(&content), digest)
           != MPK_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    txn->request.suspend_digest = digest;
    txn->entry.note = ngx_http_mpk_txn_copy(txn, note);

    return ngx_http_mpk_run(r, ctx, txn, ngx_http_mpk_api_state);
}
