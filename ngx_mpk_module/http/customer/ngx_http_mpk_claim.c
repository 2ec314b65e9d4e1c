/* mpk_claim: a customer reports a key that fails (R6). */

#include "ngx_http_mpk_claim.h"
#include "ngx_http_mpk_address.h"
#include "ngx_http_mpk_answer.h"
#include "ngx_http_mpk_body.h"
#include "ngx_http_mpk_request.h"
#include "ngx_http_mpk_sealed.h"


static ngx_int_t ngx_http_mpk_claim_get(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_claim_asked(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_claim_post(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_claim_known(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_claim_open(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static void ngx_http_mpk_claim_check(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_claim_t *claim);
static ngx_int_t ngx_http_mpk_claim_prepare(ngx_http_mpk_txn_t *txn);
static ngx_int_t ngx_http_mpk_claim_done(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);


ngx_int_t
ngx_http_mpk_claim_handler(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_str_t                 text;
    ngx_http_mpk_ctx_t       *ctx;
    ngx_http_mpk_claim_t     *claim;
    ngx_http_mpk_srv_conf_t  *mscf;

    mscf = ngx_http_get_module_srv_conf(r, ngx_http_mpk_module);

    if (ngx_http_mpk_path_token(r, &mscf->claim_path, &text) != NGX_OK) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_mpk_create_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_POST))) {
        ctx->outcome = NGX_HTTP_MPK_OUTCOME_METHOD;
        return NGX_HTTP_NOT_ALLOWED;
    }

    if (ngx_http_mpk_claim_token(r, ctx, &text, &rc) != NGX_OK) {
        return rc;
    }

    if ((r->method & NGX_HTTP_POST) && ngx_http_mpk_is_foreign(r)) {
        return ngx_http_mpk_send_foreign(r, ctx, mpk_string(""));
    }

    claim = ctx->data;

    if (claim->token.items_count) {
        return ngx_http_mpk_claim_reply(r, ctx);
    }

    if (r->method & NGX_HTTP_POST) {
        return ngx_http_mpk_read_body(r, ctx, NGX_HTTP_MPK_CLAIM_BODY_MAX,
                                      ngx_http_mpk_claim_post);
    }

    /* a GET proves nothing about the visitor */

    if (claim->expired) {
        return ngx_http_mpk_claim_refused(r, ctx, MPK_TOKEN_EXPIRED);
    }

    return ngx_http_mpk_claim_get(r, ctx);
}


static ngx_int_t
ngx_http_mpk_claim_get(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_txn_t  *txn;

    txn = ngx_http_mpk_claim_txn(r, ctx, MPK_EVENT_NONE);
    if (txn == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_mpk_run(r, ctx, txn, ngx_http_mpk_claim_asked);
}


/* Shows the form, also one that was sent incomplete, unless nothing can be reported. */

static ngx_int_t
ngx_http_mpk_claim_asked(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_outcome_t          outcome;
    mpk_request_t          ask;
    ngx_http_mpk_txn_t    *txn;
    ngx_http_mpk_claim_t  *claim;

    txn = ctx->txn;
    claim = ctx->data;

    if (txn->result != NGX_HTTP_MPK_TXN_OK) {
        return ngx_http_mpk_claim_failed(r, ctx);
    }

    ask = txn->request;
    ask.event = MPK_EVENT_CLAIM_OPENED;

    if (mpk_policy_ask(&ctx->mem, &txn->order, &ask, &outcome) != MPK_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* the order may have other keys; only the form says which one is reported */

    if (outcome == MPK_DONE || outcome == MPK_CLAIMED || outcome == MPK_SAME) {
        ctx->outcome = claim->wrong ? NGX_HTTP_MPK_OUTCOME_INVALID
                                    : NGX_HTTP_MPK_OUTCOME_FORM;

        return ngx_http_mpk_claim_form(r, ctx, MPK_SAME);
    }

    return ngx_http_mpk_claim_refused(r, ctx, outcome);
}


static ngx_int_t
ngx_http_mpk_claim_post(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_int_t              rc;
    ngx_uint_t             i;
    mpk_error_t            error;
    mpk_value_t           *fields;
    ngx_http_mpk_claim_t  *claim;

    claim = ctx->data;

    rc = ngx_http_mpk_fields(r, ctx, NGX_HTTP_MPK_CLAIM_BODY_MAX, &fields,
                             &error);

    /* treat a body that can't be read as an empty form */

    if (rc >= NGX_HTTP_INTERNAL_SERVER_ERROR) {
        return rc;
    }

    for (i = 0; i < NGX_HTTP_MPK_CLAIM_FIELDS; i++) {
        claim->given[i] = mpk_value_get_string(fields,
                              ngx_http_mpk_claim_fields[i].name);
    }

    ngx_http_mpk_claim_check(ctx, claim);

    if (!claim->expired) {
        return ngx_http_mpk_claim_open(r, ctx);
    }

    /* with an expired token the form tells no more than Order Tracking, under its limits */

    if (claim->wrong & (1 << NGX_HTTP_MPK_CLAIM_ORDER
                        | 1 << NGX_HTTP_MPK_CLAIM_EMAIL))
    {
        ctx->outcome = NGX_HTTP_MPK_OUTCOME_INVALID;
        return ngx_http_mpk_claim_form(r, ctx, MPK_SAME);
    }

    return ngx_http_mpk_lookup(r, ctx, &claim->lookup, ngx_http_mpk_claim_known);
}


static ngx_int_t
ngx_http_mpk_claim_known(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_claim_t  *claim;

    claim = ctx->data;

    if (claim->lookup.right) {
        return ngx_http_mpk_claim_open(r, ctx);
    }

    claim->wrong |= 1 << NGX_HTTP_MPK_CLAIM_EMAIL;
    ctx->outcome = MPK_NOT_BUYER;

    return ngx_http_mpk_claim_form(r, ctx, MPK_NOT_BUYER);
}


static ngx_int_t
ngx_http_mpk_claim_open(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_uint_t             i;
    ngx_http_mpk_txn_t    *txn;
    ngx_http_mpk_claim_t  *claim;

    claim = ctx->data;

    txn = ngx_http_mpk_claim_txn(r, ctx, MPK_EVENT_CLAIM_OPENED);
    if (txn == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    for (i = 0; i < NGX_HTTP_MPK_CLAIM_FIELDS; i++) {
        claim->given[i] = ngx_http_mpk_txn_copy(txn, claim->given[i]);
    }

    if (claim->wrong) {

        /* the form is in the order's language: read the order */

        txn->request.event = MPK_EVENT_NONE;

        return ngx_http_mpk_run(r, ctx, txn, ngx_http_mpk_claim_asked);
    }

    txn->counter = mpk_string("w:claim");
    txn->prepare = ngx_http_mpk_claim_prepare;
    txn->data = claim;
    txn->request.email_hash = claim->lookup.email;
    txn->request.claim_category = claim->category;

    txn->entry.category = mpk_category_name(claim->category);
    txn->entry.name = claim->given[NGX_HTTP_MPK_CLAIM_NAME];
    txn->entry.note = claim->given[NGX_HTTP_MPK_CLAIM_DESCRIPTION];

    return ngx_http_mpk_run(r, ctx, txn, ngx_http_mpk_claim_done);
}


static void
ngx_http_mpk_claim_check(ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_claim_t *claim)
{
    mpk_str_t   *given, order;
    ngx_uint_t   i, wrong;

    given = claim->given;
    wrong = 0;

    for (i = 0; i < NGX_HTTP_MPK_CLAIM_FIELDS; i++) {

        given[i] = ngx_http_mpk_claim_trim(given[i]);

        if (given[i].len == 0
            || given[i].len > ngx_http_mpk_claim_fields[i].max)
        {
            wrong |= 1 << i;
        }
    }

    order = given[NGX_HTTP_MPK_CLAIM_ORDER];

    if (order.len && order.data[0] == '#') {
        order.data++;
        order.len--;
    }

    if (!mpk_str_eq(order, ctx->order)) {
        wrong |= 1 << NGX_HTTP_MPK_CLAIM_ORDER;
    }

    if (mpk_lookup_email(ctx->mmcf->crypto, ctx->order,
                         given[NGX_HTTP_MPK_CLAIM_EMAIL], claim->lookup.email)
        != MPK_OK)
    {
        wrong |= 1 << NGX_HTTP_MPK_CLAIM_EMAIL;
    }

    if (!mpk_category_find(given[NGX_HTTP_MPK_CLAIM_CATEGORY],
                           &claim->category))
    {
        wrong |= 1 << NGX_HTTP_MPK_CLAIM_CATEGORY;
    }

    claim->wrong = wrong;
}


/* Finds the item by its key, and seals the details. */

static ngx_int_t
ngx_http_mpk_claim_prepare(ngx_http_mpk_txn_t *txn)
{
    mpk_detail_t           detail;
    ngx_http_mpk_claim_t  *claim;

    claim = txn->data;

    if (ngx_http_mpk_txn_find_key(txn, claim->given[NGX_HTTP_MPK_CLAIM_KEY],
                                  &txn->request.claim_item)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_memzero(&detail, sizeof(mpk_detail_t));

    detail.name = claim->given[NGX_HTTP_MPK_CLAIM_NAME];
    detail.description = claim->given[NGX_HTTP_MPK_CLAIM_DESCRIPTION];

    return ngx_http_mpk_txn_seal_claim(txn, txn->order.claims_count + 1,
                                       &detail);
}


static ngx_int_t
ngx_http_mpk_claim_done(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_outcome_t          outcome;
    ngx_http_mpk_txn_t    *txn;
    ngx_http_mpk_claim_t  *claim;

    txn = ctx->txn;
    claim = ctx->data;

    if (txn->result != NGX_HTTP_MPK_TXN_OK) {
        return ngx_http_mpk_claim_failed(r, ctx);
    }

    outcome = txn->decision.outcome;

    switch (outcome) {

    case MPK_DONE:
        return ngx_http_mpk_claim_answer(r, ctx, NGX_HTTP_CREATED);

    case MPK_SAME:
        return ngx_http_mpk_claim_answer(r, ctx, NGX_HTTP_OK);

    case MPK_NOT_BUYER:
    case MPK_WRONG_KEY:
        claim->wrong = outcome == MPK_NOT_BUYER
                       ? 1 << NGX_HTTP_MPK_CLAIM_EMAIL
                       : 1 << NGX_HTTP_MPK_CLAIM_KEY;

        return ngx_http_mpk_claim_form(r, ctx, outcome);

    case MPK_CLAIMED:

        if (!ctx->json) {
            return ngx_http_mpk_claim_answer(r, ctx, NGX_HTTP_CONFLICT);
        }

        /* fall through */

    default:
        return ngx_http_mpk_claim_refused(r, ctx, outcome);
    }
}
