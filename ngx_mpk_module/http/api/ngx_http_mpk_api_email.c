/* PUT /orders/{id}/email: a mistyped billing email is corrected. */

#include "ngx_http_mpk_api.h"
#include "ngx_http_mpk_sealed.h"
#include "ngx_http_mpk_stats.h"

#include "mpk_email.h"
#include "mpk_lookup.h"


/* A correction: txn->data. */
typedef struct {
    mpk_str_t                     email;
    u_char                        hash[MPK_MAC_LEN];
    u_char                        index[MPK_MAC_LEN];
} ngx_http_mpk_email_t;


static ngx_int_t ngx_http_mpk_email_prepare(ngx_http_mpk_txn_t *txn);
static ngx_int_t ngx_http_mpk_email_done(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);


ngx_int_t
ngx_http_mpk_api_email(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_str_t              text;
    ngx_uint_t             shop;
    mpk_email_t            email;
    mpk_status_t           status;
    ngx_http_mpk_api_t    *api;
    ngx_http_mpk_txn_t    *txn;
    ngx_http_mpk_email_t  *change;

    api = ctx->data;

    txn = ngx_http_mpk_api_txn(r, ctx, MPK_EVENT_EMAIL_CHANGED);
    if (txn == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    change = ngx_pcalloc(txn->pool, sizeof(ngx_http_mpk_email_t));
    if (change == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    text = mpk_value_get_string(api->body, mpk_string("email"));
    status = mpk_email_read(text, &email);

    if (status == MPK_MALFORMED) {
        ngx_http_mpk_api_error(ctx, mpk_string("/email"),
                               "must be one email address and nothing else, "
                               "e.g. ann@example.com");
        return ngx_http_mpk_api_invalid(r, ctx);
    }

    change->email = ngx_http_mpk_txn_copy(txn, text);

    if (status != MPK_OK || change->email.len == 0
        || mpk_lookup_email(txn->mmcf->crypto, txn->id, text, change->hash)
           != MPK_OK
        || mpk_lookup_index(txn->mmcf->crypto, text, change->index) != MPK_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    txn->request.show_viewed = mpk_value_yes(api->body,
                                             mpk_string("show_viewed"));

    shop = api->roles & NGX_HTTP_MPK_ROLE_SHOP;

    if (txn->request.show_viewed && !shop) {
        return ngx_http_mpk_api_problem(r, ctx, NGX_HTTP_FORBIDDEN,
                   NGX_HTTP_MPK_OUTCOME_FORBIDDEN,
                   "Only the role \"shop\" can let viewed keys be shown to "
                   "another address.");
    }

    txn->request.email_hash = change->hash;
    txn->request.email_hold = shop ? 0 : ctx->mscf->email_hold;

    txn->entry.note = ngx_http_mpk_txn_copy(txn,
                          mpk_value_get_string(api->body, mpk_string("note")));

    txn->data = change;
    txn->prepare = ngx_http_mpk_email_prepare;

    return ngx_http_mpk_run(r, ctx, txn, ngx_http_mpk_email_done);
}


/* Seals the new address, and opens the one that holds, for the journal. */

static ngx_int_t
ngx_http_mpk_email_prepare(ngx_http_mpk_txn_t *txn)
{
    mpk_order_t           *order;
    mpk_crypto_t          *crypto;
    ngx_http_mpk_email_t  *change;

    change = txn->data;
    crypto = txn->mmcf->crypto;
    order = &txn->order;

    if (ngx_http_mpk_txn_emails(txn) != NGX_OK) {
        return NGX_ERROR;
    }

    /* else it is the one that holds, and the pending one is stopped */

    if (txn->entry.email_new.len == 0
        || !mpk_secret_eq(mpk_order_email(order, txn->request.now),
                          (mpk_str_t) { MPK_MAC_LEN, change->hash }))
    {
        txn->entry.email_new = change->email;
    }

    /* an order with an account is listed under that */

    txn->accounts = change->index;
    txn->accounts_count = (order->account_hash.len == 0);

    return mpk_correction_seal(crypto, &txn->mem, &txn->data_key, txn->id,
                               order->corrections_count + 1, change->email,
                               &txn->request.email)
           == MPK_OK ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_mpk_email_done(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_uint_t              number;
    mpk_value_t            *facts;
    mpk_decision_t         *decision;
    ngx_http_mpk_txn_t     *txn;
    ngx_http_mpk_answer_t   answer;

    txn = ctx->txn;
    decision = &txn->decision;

    if (txn->result != NGX_HTTP_MPK_TXN_OK
        || (decision->outcome != MPK_DONE && decision->outcome != MPK_SAME))
    {
        return ngx_http_mpk_api_refused(r, ctx);
    }

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = NGX_HTTP_OK;

    facts = mpk_value_new(&ctx->mem, MPK_VALUE_OBJECT);

    mpk_value_string(facts, mpk_string("order"), ctx->order);
    mpk_value_string(facts, mpk_string("state"),
                     mpk_order_state_name(decision->order.state));

    /* of the address in the call, not of one that it stopped (R10) */

    number = decision->event == MPK_EVENT_EMAIL_KEPT
             ? mpk_order_correction(&decision->order, txn->request.now)
             : decision->correction;

    if (number) {
        ngx_http_mpk_value_time(ctx, facts, mpk_string("holds_from"),
            decision->order.corrections[number - 1].from);
    }

    return ngx_http_mpk_send_json(r, ctx, &answer, facts);
}
