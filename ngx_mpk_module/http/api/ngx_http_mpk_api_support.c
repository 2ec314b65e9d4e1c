/*
 * POST /orders/{id}/claims: support opens a claim for a customer who wrote to it (R6); POST
 * .../claims/{n}/note: what it did about one (R7).
 */

#include "ngx_http_mpk_api.h"
#include "ngx_http_mpk_sealed.h"

#include "mpk_support.h"


static ngx_int_t ngx_http_mpk_report_digest(ngx_http_mpk_txn_t *txn,
    const mpk_report_t *report);
static ngx_int_t ngx_http_mpk_report_prepare(ngx_http_mpk_txn_t *txn);


ngx_int_t
ngx_http_mpk_api_report(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_report_t        *report;
    ngx_http_mpk_api_t  *api;
    ngx_http_mpk_txn_t  *txn;

    api = ctx->data;

    txn = ngx_http_mpk_api_txn(r, ctx, MPK_EVENT_CLAIM_OPENED);
    if (txn == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    report = ngx_palloc(txn->pool, sizeof(mpk_report_t));
    if (report == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!mpk_support_report(&ctx->mem, api->body, txn->request.now, report,
                            &api->errors))
    {
        return ngx_http_mpk_api_invalid(r, ctx);
    }

    report->name = ngx_http_mpk_txn_copy(txn, report->name);
    report->description = ngx_http_mpk_txn_copy(txn, report->description);
    report->key = ngx_http_mpk_txn_copy(txn, report->key);
    report->exception = ngx_http_mpk_txn_copy(txn, report->exception);

    if (ngx_http_mpk_report_digest(txn, report) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    txn->data = report;
    txn->prepare = ngx_http_mpk_report_prepare;
    txn->request.claim_window = ctx->mscf->claim_window;
    txn->request.claim_item = report->item;
    txn->request.claim_category = report->category;
    txn->request.claim_received = report->received_at;
    txn->request.claim_exception = report->exception.len != 0;

    txn->entry.category = mpk_category_name(report->category);
    txn->entry.name = report->name;
    txn->entry.note = report->description;
    txn->entry.received_at = report->received_at;
    txn->entry.exception = report->exception;
    txn->entry.key_given = report->key.len != 0;

    return ngx_http_mpk_run(r, ctx, txn, ngx_http_mpk_api_state);
}


/* The digest of the call identifies its claim, as the token's id does for a form (R10). */

static ngx_int_t
ngx_http_mpk_report_digest(ngx_http_mpk_txn_t *txn, const mpk_report_t *report)
{
    mpk_buf_t  content;
    mpk_str_t  digest;

    mpk_buf_init(&content, &txn->mem, 1024);
    content.secret = true;

    mpk_pack_int(&content, MPK_EVENT_CLAIM_OPENED);
    mpk_pack_int(&content, report->item);
    mpk_pack_int(&content, report->category);
    mpk_pack_int(&content, (uint64_t) report->received_at);
    mpk_pack_str(&content, report->name);
    mpk_pack_str(&content, report->description);
    mpk_pack_str(&content, report->key);
    mpk_pack_str(&content, report->exception);

    if (ngx_http_mpk_txn_digest(txn, &content, &digest) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memcpy(txn->request.token_id, digest.data, MPK_ID_LEN);

    return NGX_OK;
}


/* Checks whether the given key is the item's, and seals the details. */

static ngx_int_t
ngx_http_mpk_report_prepare(ngx_http_mpk_txn_t *txn)
{
    uint16_t       item;
    mpk_detail_t   detail;
    mpk_report_t  *report;

    report = txn->data;

    if (report->key.len) {

        if (ngx_http_mpk_txn_find_key(txn, report->key, &item) != NGX_OK) {
            return NGX_ERROR;
        }

        txn->entry.key_matched = (item == report->item);
    }

    ngx_memzero(&detail, sizeof(mpk_detail_t));

    detail.name = report->name;
    detail.description = report->description;
    detail.exception = report->exception;

    return ngx_http_mpk_txn_seal_claim(txn, txn->order.claims_count + 1,
                                       &detail);
}


ngx_int_t
ngx_http_mpk_api_note(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_buf_t            content;
    mpk_note_t           note;
    ngx_http_mpk_api_t  *api;
    ngx_http_mpk_txn_t  *txn;

    api = ctx->data;

    if (!mpk_support_note(&ctx->mem, api->body, &note, &api->errors)) {
        return ngx_http_mpk_api_invalid(r, ctx);
    }

    txn = ngx_http_mpk_api_txn(r, ctx, MPK_EVENT_CLAIM_NOTE);
    if (txn == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* the content that identifies a note (R10) */

    mpk_buf_init(&content, &txn->mem, 1024);
    mpk_pack_int(&content, MPK_EVENT_CLAIM_NOTE);
    mpk_pack_int(&content, note.session);
    mpk_pack_str(&content, note.text);
    mpk_pack_str(&content, note.files);

    if (ngx_http_mpk_txn_digest(txn, &content, &txn->request.claim_digest)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    txn->request.claim = api->claim;

    txn->entry.note = ngx_http_mpk_txn_copy(txn, note.text);
    txn->entry.files = ngx_http_mpk_txn_copy(txn, note.files);
    txn->entry.session = mpk_session_name(note.session);

    return ngx_http_mpk_run(r, ctx, txn, ngx_http_mpk_api_state);
}
