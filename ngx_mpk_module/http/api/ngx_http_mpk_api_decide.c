/* POST /orders/{id}/claims/{n}/...: support's decision on a claim (R7). */

#include "ngx_http_mpk_api.h"
#include "ngx_http_mpk_sealed.h"


/* A decision in progress: api->data, in the transaction's memory. */
typedef struct {
    mpk_str_t                     note;
    mpk_str_t                     key;
    unsigned                      same_key:1;      /* the new key is the defective one */
} ngx_http_mpk_ruling_t;


static ngx_int_t ngx_http_mpk_api_decide(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, mpk_event_t event, mpk_str_t text,
    mpk_reason_t reason, mpk_str_t key);
static mpk_str_t ngx_http_mpk_api_text(ngx_http_mpk_ctx_t *ctx,
    mpk_str_t name);
static ngx_int_t ngx_http_mpk_decide_prepare(ngx_http_mpk_txn_t *txn);
static ngx_int_t ngx_http_mpk_decide_done(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);


ngx_int_t
ngx_http_mpk_api_needs_info(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    return ngx_http_mpk_api_decide(r, ctx, MPK_EVENT_CLAIM_NEEDS_INFO,
               ngx_http_mpk_api_text(ctx, mpk_string("message")),
               MPK_REASON_NONE, mpk_string(""));
}


ngx_int_t
ngx_http_mpk_api_replace(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    return ngx_http_mpk_api_decide(r, ctx, MPK_EVENT_CLAIM_REPLACED,
               ngx_http_mpk_api_text(ctx, mpk_string("note")),
               MPK_REASON_NONE,
               ngx_http_mpk_api_text(ctx, mpk_string("key")));
}


ngx_int_t
ngx_http_mpk_api_refund(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    return ngx_http_mpk_api_decide(r, ctx, MPK_EVENT_CLAIM_REFUNDED,
               ngx_http_mpk_api_text(ctx, mpk_string("reason")),
               MPK_REASON_NONE, mpk_string(""));
}


ngx_int_t
ngx_http_mpk_api_reject(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_str_t     note;
    mpk_reason_t  reason;

    note = ngx_http_mpk_api_text(ctx, mpk_string("note"));
    reason = MPK_REASON_NONE;

    if (!mpk_reason_find(ngx_http_mpk_api_text(ctx, mpk_string("reason")),
                         &reason))
    {
        ngx_http_mpk_api_error(ctx, mpk_string("/reason"),
                               "must be \"wrong_product\", \"incompatible\", "
                               "\"product_use\", \"not_defective\", \"late\" "
                               "or \"other\"");

    } else if (reason == MPK_REASON_OTHER && note.len == 0) {
        ngx_http_mpk_api_error(ctx, mpk_string("/note"),
                               "must state the reason where it is \"other\"");
    }

    return ngx_http_mpk_api_decide(r, ctx, MPK_EVENT_CLAIM_REJECTED, note,
                                   reason, mpk_string(""));
}


/* A text of the body; empty: it has none. */

static mpk_str_t
ngx_http_mpk_api_text(ngx_http_mpk_ctx_t *ctx, mpk_str_t name)
{
    ngx_http_mpk_api_t  *api;

    api = ctx->data;

    return mpk_value_get_string(api->body, name);
}


static ngx_int_t
ngx_http_mpk_api_decide(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    mpk_event_t event, mpk_str_t text, mpk_reason_t reason, mpk_str_t key)
{
    u_char                 *digest;
    mpk_buf_t               content;
    mpk_status_t            status;
    ngx_http_mpk_api_t     *api;
    ngx_http_mpk_txn_t     *txn;
    ngx_http_mpk_ruling_t  *ruling;

    api = ctx->data;

    if (api->errors) {
        return ngx_http_mpk_api_invalid(r, ctx);
    }

    txn = ngx_http_mpk_api_txn(r, ctx, event);
    if (txn == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ruling = ngx_pcalloc(txn->pool, sizeof(ngx_http_mpk_ruling_t)
                                    + MPK_MAC_LEN);
    if (ruling == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ruling->note = ngx_http_mpk_txn_copy(txn, text);
    ruling->key = ngx_http_mpk_txn_copy(txn, key);

    digest = (u_char *) &ruling[1];

    /* the content that identifies a decision (R10) */

    mpk_buf_init(&content, &txn->mem, text.len + key.len + 64);
    mpk_pack_int(&content, event);
    mpk_pack_int(&content, reason);
    mpk_pack_str(&content, text);
    mpk_pack_str(&content, key);

    status = content.failed ? MPK_NOMEM
                            : mpk_lookup_digest(txn->mmcf->crypto,
                                                mpk_buf_done(&content),
                                                digest);
    mpk_cleanse(content.data, content.len);

    if (status != MPK_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    api->data = ruling;

    txn->data = ruling;
    txn->prepare = ngx_http_mpk_decide_prepare;
    txn->request.claim = api->claim;
    txn->request.claim_reason = reason;
    txn->request.claim_digest = (mpk_str_t) { MPK_MAC_LEN, digest };

    txn->entry.reason = mpk_reason_name(reason);
    txn->entry.note = ruling->note;

    return ngx_http_mpk_run(r, ctx, txn, ngx_http_mpk_decide_done);
}


/* Adds support's note to the claim's sealed details, and seals the new key. */

static ngx_int_t
ngx_http_mpk_decide_prepare(ngx_http_mpk_txn_t *txn)
{
    mpk_buf_t               buf, sealed;
    mpk_str_t               plain, old;
    mpk_mem_t              *mem;
    mpk_item_t             *item;
    mpk_claim_t            *claim;
    mpk_place_t             place;
    mpk_detail_t            detail;
    mpk_crypto_t           *crypto;
    ngx_http_mpk_ruling_t  *ruling;

    ruling = txn->data;
    mem = &txn->mem;
    crypto = txn->mmcf->crypto;

    if (txn->request.claim == 0 || txn->request.claim > txn->order.claims_count) {
        return NGX_OK;
    }

    claim = &txn->order.claims[txn->request.claim - 1];
    item = &txn->order.items[claim->item - 1];

    txn->entry.category = mpk_category_name(claim->category);

    if (ngx_http_mpk_txn_unwrap(txn) != NGX_OK) {
        return NGX_ERROR;
    }

    place = (mpk_place_t) { txn->id, mpk_string("claim"), txn->request.claim, 0 };

    if (mpk_envelope_open(crypto, mem, &txn->data_key, &place, claim->detail,
                          &plain)
        != MPK_OK
        || mpk_detail_read(plain, &detail) != MPK_OK)
    {
        ngx_log_error(NGX_LOG_CRIT, txn->log, 0,
                      "mpk: claim %uz of order \"%*s\" can't be decrypted; the "
                      "request fails", txn->request.claim, txn->id.len,
                      txn->id.data);
        return NGX_ERROR;
    }

    detail.note = ruling->note;

    mpk_buf_init(&buf, mem, plain.len + detail.note.len + 16);
    mpk_detail_write(&detail, &buf);

    mpk_buf_init(&sealed, mem, buf.len + MPK_SEAL_OVERHEAD);

    if (buf.failed
        || mpk_envelope_seal(crypto, mem, &txn->data_key, &place,
                             mpk_buf_done(&buf), &sealed)
           != MPK_OK)
    {
        return NGX_ERROR;
    }

    txn->request.claim_detail = mpk_buf_done(&sealed);

    if (ruling->key.len == 0 || !mpk_claim_undecided(claim)) {
        return NGX_OK;
    }

    if (ngx_http_mpk_txn_open(txn, claim->item, &old) != NGX_OK) {
        return NGX_ERROR;
    }

    ruling->same_key = mpk_secret_eq(old, ruling->key);
    mpk_cleanse((void *) old.data, old.len);

    if (ruling->same_key) {
        txn->request.event = MPK_EVENT_NONE;
        return NGX_OK;
    }

    place = (mpk_place_t) { txn->id, mpk_string("key"), claim->item,
                            item->generation + 1 };

    mpk_buf_init(&sealed, mem, ruling->key.len + MPK_SEAL_OVERHEAD);

    if (mpk_envelope_seal(crypto, mem, &txn->data_key, &place, ruling->key,
                          &sealed)
        != MPK_OK)
    {
        return NGX_ERROR;
    }

    txn->request.claim_key = mpk_buf_done(&sealed);

    return NGX_OK;
}


static ngx_int_t
ngx_http_mpk_decide_done(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_api_t     *api;
    ngx_http_mpk_ruling_t  *ruling;

    api = ctx->data;
    ruling = api->data;

    if (ctx->txn->result == NGX_HTTP_MPK_TXN_OK && ruling->same_key) {
        ngx_http_mpk_api_error(ctx, mpk_string("/key"),
                               "is the key that was reported");
        return ngx_http_mpk_api_invalid(r, ctx);
    }

    return ngx_http_mpk_api_state(r, ctx);
}
