/* POST /orders/{id}/claims/{n}/...: support's decision on a claim (R7). */

#include "ngx_http_mpk_api.h"
#include "ngx_http_mpk_sealed.h"

#include "mpk_support.h"


/* A decision in progress: api->data, in the transaction's memory. */
typedef struct {
    mpk_event_t                   event;
    mpk_str_t                     note;
    mpk_reason_t                  reason;
    mpk_finding_t                 finding;
    mpk_str_t                     found;           /* the same in words */
    mpk_str_t                     key;
    unsigned                      same_key:1;      /* the new key is the defective one */
} ngx_http_mpk_ruling_t;


static ngx_int_t ngx_http_mpk_api_decide(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_ruling_t *said);
static mpk_str_t ngx_http_mpk_api_text(ngx_http_mpk_ctx_t *ctx,
    mpk_str_t name);
static ngx_int_t ngx_http_mpk_decide_digest(ngx_http_mpk_txn_t *txn,
    const ngx_http_mpk_ruling_t *ruling);
static ngx_int_t ngx_http_mpk_decide_prepare(ngx_http_mpk_txn_t *txn);
static ngx_int_t ngx_http_mpk_decide_key(ngx_http_mpk_txn_t *txn,
    ngx_http_mpk_ruling_t *ruling);
static ngx_int_t ngx_http_mpk_decide_done(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);


ngx_int_t
ngx_http_mpk_api_needs_info(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_ruling_t  said = { .event = MPK_EVENT_CLAIM_NEEDS_INFO };

    said.note = ngx_http_mpk_api_text(ctx, mpk_string("message"));

    return ngx_http_mpk_api_decide(r, ctx, &said);
}


ngx_int_t
ngx_http_mpk_api_replace(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_ruling_t  said = { .event = MPK_EVENT_CLAIM_REPLACED };

    said.note = ngx_http_mpk_api_text(ctx, mpk_string("note"));
    said.key = ngx_http_mpk_api_text(ctx, mpk_string("key"));

    return ngx_http_mpk_api_decide(r, ctx, &said);
}


ngx_int_t
ngx_http_mpk_api_refund(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_ruling_t  said = { .event = MPK_EVENT_CLAIM_REFUNDED };

    said.note = ngx_http_mpk_api_text(ctx, mpk_string("reason"));

    return ngx_http_mpk_api_decide(r, ctx, &said);
}


ngx_int_t
ngx_http_mpk_api_reject(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_ruling_t  said = { .event = MPK_EVENT_CLAIM_REJECTED };

    said.note = ngx_http_mpk_api_text(ctx, mpk_string("note"));

    if (!mpk_reason_find(ngx_http_mpk_api_text(ctx, mpk_string("reason")),
                         &said.reason))
    {
        ngx_http_mpk_api_error(ctx, mpk_string("/reason"),
                               "must be \"wrong_product\", \"incompatible\", "
                               "\"product_use\", \"not_defective\", \"late\" "
                               "or \"other\"");

    } else if (said.reason == MPK_REASON_OTHER && said.note.len == 0) {
        ngx_http_mpk_api_error(ctx, mpk_string("/note"),
                               "must state the reason where it is \"other\"");
    }

    return ngx_http_mpk_api_decide(r, ctx, &said);
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
    ngx_http_mpk_ruling_t *said)
{
    ngx_http_mpk_api_t     *api;
    ngx_http_mpk_txn_t     *txn;
    ngx_http_mpk_ruling_t  *ruling;

    api = ctx->data;

    (void) mpk_support_finding(&ctx->mem, api->body, &said->finding, &said->found,
                               &api->errors);

    if (said->finding == MPK_FINDING_GOODWILL
        && said->event == MPK_EVENT_CLAIM_REJECTED)
    {
        ngx_http_mpk_api_error(ctx, mpk_string("/finding/result"),
                               "can't be \"goodwill\" in a rejection");
    }

    if (api->errors) {
        return ngx_http_mpk_api_invalid(r, ctx);
    }

    /* the shop gives, support finds */

    if (!(api->roles & (said->finding == MPK_FINDING_GOODWILL
                        ? NGX_HTTP_MPK_ROLE_SHOP : NGX_HTTP_MPK_ROLE_SUPPORT)))
    {
        return ngx_http_mpk_api_problem(r, ctx, NGX_HTTP_FORBIDDEN,
                   NGX_HTTP_MPK_OUTCOME_FORBIDDEN,
                   "Goodwill is for the role \"shop\", any other decision for "
                   "the role \"support\".");
    }

    txn = ngx_http_mpk_api_txn(r, ctx, said->event);
    if (txn == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ruling = ngx_palloc(txn->pool, sizeof(ngx_http_mpk_ruling_t));
    if (ruling == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    *ruling = *said;

    ruling->note = ngx_http_mpk_txn_copy(txn, said->note);
    ruling->found = ngx_http_mpk_txn_copy(txn, said->found);
    ruling->key = ngx_http_mpk_txn_copy(txn, said->key);

    if (ngx_http_mpk_decide_digest(txn, ruling) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    api->data = ruling;

    txn->data = ruling;
    txn->prepare = ngx_http_mpk_decide_prepare;
    txn->request.claim = api->claim;
    txn->request.claim_reason = ruling->reason;
    txn->request.claim_finding = ruling->finding;

    txn->entry.reason = mpk_reason_name(ruling->reason);
    txn->entry.note = ruling->note;
    txn->entry.finding = mpk_finding_name(ruling->finding);
    txn->entry.finding_text = ruling->found;

    return ngx_http_mpk_run(r, ctx, txn, ngx_http_mpk_decide_done);
}


/* The content that identifies a decision (R10). */

static ngx_int_t
ngx_http_mpk_decide_digest(ngx_http_mpk_txn_t *txn,
    const ngx_http_mpk_ruling_t *ruling)
{
    mpk_buf_t  content;

    mpk_buf_init(&content, &txn->mem, 256);
    content.secret = true;

    mpk_pack_int(&content, ruling->event);
    mpk_pack_int(&content, ruling->reason);
    mpk_pack_str(&content, ruling->note);
    mpk_pack_str(&content, ruling->key);

    if (ruling->finding) {
        mpk_pack_int(&content, ruling->finding);
        mpk_pack_str(&content, ruling->found);
    }

    return ngx_http_mpk_txn_digest(txn, &content, &txn->request.claim_digest);
}


/* Adds support's words to the claim's sealed details, and seals the new key. */

static ngx_int_t
ngx_http_mpk_decide_prepare(ngx_http_mpk_txn_t *txn)
{
    mpk_claim_t            *claim;
    mpk_detail_t            detail;
    ngx_http_mpk_ruling_t  *ruling;

    ruling = txn->data;

    if (txn->request.claim == 0 || txn->request.claim > txn->order.claims_count) {
        return NGX_OK;
    }

    claim = &txn->order.claims[txn->request.claim - 1];

    txn->entry.category = mpk_category_name(claim->category);

    if (ngx_http_mpk_txn_open_claim(txn, txn->request.claim, &detail)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    detail.note = ruling->note;
    detail.finding = ruling->found;

    if (ngx_http_mpk_txn_seal_claim(txn, txn->request.claim, &detail)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ruling->key.len && mpk_claim_undecided(claim)
           ? ngx_http_mpk_decide_key(txn, ruling) : NGX_OK;
}


static ngx_int_t
ngx_http_mpk_decide_key(ngx_http_mpk_txn_t *txn, ngx_http_mpk_ruling_t *ruling)
{
    mpk_buf_t     sealed;
    mpk_str_t     old;
    ngx_uint_t    item;
    mpk_place_t   place;

    item = txn->order.claims[txn->request.claim - 1].item;

    if (ngx_http_mpk_txn_open(txn, item, &old) != NGX_OK) {
        return NGX_ERROR;
    }

    ruling->same_key = mpk_secret_eq(old, ruling->key);
    mpk_cleanse((void *) old.data, old.len);

    if (ruling->same_key) {
        txn->request.event = MPK_EVENT_NONE;
        return NGX_OK;
    }

    place = (mpk_place_t) { txn->id, mpk_string("key"), item,
                            txn->order.items[item - 1].generation + 1 };

    mpk_buf_init(&sealed, &txn->mem, ruling->key.len + MPK_SEAL_OVERHEAD);

    if (mpk_envelope_seal(txn->mmcf->crypto, &txn->mem, &txn->data_key, &place,
                          ruling->key, &sealed)
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
