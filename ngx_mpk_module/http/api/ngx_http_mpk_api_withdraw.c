/*
 * POST /orders/{id}/withdrawals and what support decides; GET /withdrawals, which waits
 * for it (R12).
 */

#include "ngx_http_mpk_api_list.h"
#include "ngx_http_mpk_card_withdrawals.h"
#include "ngx_http_mpk_request.h"
#include "ngx_http_mpk_sealed.h"
#include "ngx_http_mpk_statement.h"
#include "ngx_http_mpk_time.h"
#include "ngx_http_mpk_withdrawal.h"
#include "ngx_http_mpk_worklists.h"

#include "mpk_email.h"
#include "mpk_pack.h"
#include "mpk_time.h"

#define NGX_HTTP_MPK_WITHDRAWALS_HISTORY  64    /* entries in which to look for consents */


static ngx_int_t ngx_http_mpk_withdraw_id(ngx_http_mpk_txn_t *txn,
    const mpk_stated_t *stated, mpk_str_t received);
static ngx_int_t ngx_http_mpk_withdraw_decide(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, mpk_event_t event, mpk_str_t text);
static ngx_int_t ngx_http_mpk_withdrawals_read(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_withdrawals_done(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_withdrawals_unmatched(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_list_t *list, mpk_value_t *facts);
static ngx_int_t ngx_http_mpk_statement_done(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);


ngx_int_t
ngx_http_mpk_api_withdraw(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_str_t            received, medium;
    mpk_email_t          email;
    mpk_stated_t         stated;
    ngx_http_mpk_api_t  *api;
    ngx_http_mpk_txn_t  *txn;

    api = ctx->data;

    txn = ngx_http_mpk_api_txn(r, ctx, MPK_EVENT_WITHDRAWAL_STATED);
    if (txn == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_mpk_api_items(ctx, txn);

    ngx_memzero(&stated, sizeof(mpk_stated_t));

    stated.name = mpk_value_get_string(api->body, mpk_string("name"));
    stated.email = mpk_value_get_string(api->body, mpk_string("email"));
    stated.note = mpk_value_get_string(api->body, mpk_string("note"));

    received = mpk_value_get_string(api->body, mpk_string("received_at"));
    medium = mpk_value_get_string(api->body, mpk_string("medium"));

    txn->request.stated_at = txn->request.now;
    txn->request.medium = MPK_MEDIUM_OTHER;

    /* tolerate MPK_TOKEN_SKEW between the shop's clock and the edge's */

    if (received.len
        && (mpk_time_read(received, &txn->request.stated_at) != MPK_OK
            || txn->request.stated_at <= 0
            || txn->request.stated_at > txn->request.now + MPK_TOKEN_SKEW))
    {
        ngx_http_mpk_api_error(ctx, mpk_string("/received_at"),
                               "must be a time of RFC 3339 that is not in the "
                               "future");
    }

    if (medium.len
        && (!mpk_medium_find(medium, &txn->request.medium)
            || txn->request.medium == MPK_MEDIUM_PAGE))
    {
        ngx_http_mpk_api_error(ctx, mpk_string("/medium"),
                               "must be \"email\", \"letter\" or \"other\"");
    }

    if (stated.email.len && mpk_email_read(stated.email, &email) != MPK_OK) {
        ngx_http_mpk_api_error(ctx, mpk_string("/email"),
                               "must be an email address");
    }

    if (api->errors) {
        return ngx_http_mpk_api_invalid(r, ctx);
    }

    if (ngx_http_mpk_withdrawal_state(txn, ctx->mscf, &stated) != NGX_OK
        || ngx_http_mpk_withdraw_id(txn, &stated, received) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_mpk_run(r, ctx, txn, ngx_http_mpk_api_state);
}


/* The content that identifies a statement (R10). */

static ngx_int_t
ngx_http_mpk_withdraw_id(ngx_http_mpk_txn_t *txn, const mpk_stated_t *stated,
    mpk_str_t received)
{
    u_char      digest[MPK_MAC_LEN];
    mpk_buf_t   content;
    ngx_uint_t  i;

    mpk_buf_init(&content, &txn->mem, 256);
    mpk_pack_int(&content, txn->request.event);
    mpk_pack_int(&content, txn->request.medium);
    mpk_pack_str(&content, received);
    mpk_pack_str(&content, stated->name);
    mpk_pack_str(&content, stated->email);
    mpk_pack_str(&content, stated->note);

    for (i = 0; i < txn->request.items_count; i++) {
        mpk_pack_int(&content, txn->request.items[i]);
    }

    if (content.failed
        || mpk_lookup_digest(txn->mmcf->crypto, mpk_buf_done(&content), digest)
           != MPK_OK)
    {
        return NGX_ERROR;
    }

    ngx_memcpy(txn->request.token_id, digest, MPK_WITHDRAWAL_ID_LEN);

    return NGX_OK;
}


ngx_int_t
ngx_http_mpk_api_withdraw_accept(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_api_t  *api;

    api = ctx->data;

    return ngx_http_mpk_withdraw_decide(r, ctx, MPK_EVENT_WITHDRAWN,
               mpk_value_get_string(api->body, mpk_string("note")));
}


ngx_int_t
ngx_http_mpk_api_withdraw_reject(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_api_t  *api;

    api = ctx->data;

    return ngx_http_mpk_withdraw_decide(r, ctx, MPK_EVENT_WITHDRAWAL_REJECTED,
               mpk_value_get_string(api->body, mpk_string("reason")));
}


static ngx_int_t
ngx_http_mpk_withdraw_decide(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    mpk_event_t event, mpk_str_t text)
{
    ngx_http_mpk_api_t  *api;
    ngx_http_mpk_txn_t  *txn;

    api = ctx->data;

    txn = ngx_http_mpk_api_txn(r, ctx, event);

    if (txn == NULL
        || ngx_http_mpk_withdrawal_decide(txn, api->claim, text) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_mpk_run(r, ctx, txn, ngx_http_mpk_api_state);
}


ngx_int_t
ngx_http_mpk_api_withdrawals(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_str_t  state;

    if (ngx_http_mpk_arg(r, "state", &state) == NGX_OK
        && !ngx_http_mpk_is(&state, "open"))
    {
        ngx_http_mpk_api_error(ctx, mpk_string("?state"), "must be \"open\"");
    }

    return ngx_http_mpk_list_read(r, ctx,
               ngx_http_mpk_worklist_keys[NGX_HTTP_MPK_WORKLIST_WITHDRAWALS],
               NGX_HTTP_MPK_WITHDRAWALS_HISTORY,
               ngx_http_mpk_withdrawals_read);
}


/* Reads the statements among them, which have no order. */

static ngx_int_t
ngx_http_mpk_withdrawals_read(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_str_t              id;
    ngx_uint_t             i;
    ngx_http_mpk_api_t    *api;
    ngx_http_mpk_list_t   *list;
    ngx_http_mpk_batch_t  *batch;

    api = ctx->data;
    list = api->data;

    batch = ngx_http_mpk_batch_create(r, ctx, list->count + 1);
    if (batch == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    list->batch = batch;

    for (i = 0; i < list->count; i++) {
        id = ngx_http_mpk_list_statement(ctx, i);

        if (id.len) {
            (void) ngx_http_mpk_statement_ask(batch, id);
        }
    }

    return ngx_http_mpk_batch_run(r, ctx, batch, ngx_http_mpk_withdrawals_done);
}


static ngx_int_t
ngx_http_mpk_withdrawals_done(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_uint_t             i, n;
    mpk_order_t           *order;
    mpk_value_t           *facts, *withdrawals, *v;
    mpk_person_t           person;
    ngx_http_mpk_api_t    *api;
    ngx_http_mpk_list_t   *list;
    ngx_http_mpk_order_t  *opened;

    api = ctx->data;
    list = api->data;

    if (ctx->orders->result != NGX_HTTP_MPK_TXN_OK) {
        return ngx_http_mpk_api_fail(r, ctx, ctx->orders->result);
    }

    if (list->batch->failed) {
        return ngx_http_mpk_api_fail(r, ctx, NGX_HTTP_MPK_TXN_UNAVAILABLE);
    }

    facts = mpk_value_new(&ctx->mem, MPK_VALUE_OBJECT);
    withdrawals = mpk_value_array(facts, mpk_string("withdrawals"));

    if (withdrawals == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    for (i = 0; i < list->count; i++) {
        opened = &ctx->orders->list[i];
        order = &opened->order;

        if (ngx_http_mpk_list_statement(ctx, i).len
            || ngx_http_mpk_list_gone(ctx, i))
        {
            continue;
        }

        n = ngx_http_mpk_list_case(ctx, i);

        /* decided between the two reads */

        if (n == 0 || n > order->withdrawals_count
            || order->withdrawals[n - 1].state != MPK_WITHDRAWAL_OPEN)
        {
            continue;
        }

        if (ngx_http_mpk_order_person(ctx, opened, &person) != NGX_OK
            || ngx_http_mpk_card_withdrawal(ctx, opened, n,
                                            NGX_HTTP_MPK_CLAIMS_SUPPORT,
                                            withdrawals)
               != NGX_OK)
        {
            return ngx_http_mpk_api_fail(r, ctx, NGX_HTTP_MPK_TXN_ERROR);
        }

        v = withdrawals->u.list.last;

        mpk_value_string(v, mpk_string("order"), opened->id);
        mpk_value_string(v, mpk_string("billing_email"), person.email);
        ngx_http_mpk_value_time(ctx, v, mpk_string("purchased_at"),
                                order->purchased_at);
        ngx_http_mpk_value_time(ctx, v, mpk_string("first_viewed_at"),
                                order->first_viewed_at);
    }

    if (ngx_http_mpk_withdrawals_unmatched(ctx, list, facts) != NGX_OK) {
        return ngx_http_mpk_api_fail(r, ctx, NGX_HTTP_MPK_TXN_ERROR);
    }

    return ngx_http_mpk_list_send(r, ctx, facts);
}


/* Those that no order was found for, as typed. */

static ngx_int_t
ngx_http_mpk_withdrawals_unmatched(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_list_t *list, mpk_value_t *facts)
{
    mpk_str_t                  id;
    ngx_int_t                  rc;
    ngx_uint_t                 i, n;
    mpk_value_t               *unmatched, *v;
    ngx_http_mpk_statement_t   statement;

    unmatched = mpk_value_array(facts, mpk_string("unmatched"));
    n = 0;

    for (i = 0; i < list->count; i++) {
        id = ngx_http_mpk_list_statement(ctx, i);

        if (id.len == 0) {
            continue;
        }

        rc = ngx_http_mpk_statement_open(ctx, id, list->batch->cmds[n++].reply,
                                         &statement);
        if (rc == NGX_DECLINED) {
            continue;
        }

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }

        v = mpk_value_object(unmatched, mpk_string(""));

        mpk_value_string(v, mpk_string("receipt"), id);
        mpk_value_string(v, mpk_string("name"), statement.name);
        mpk_value_string(v, mpk_string("order"), statement.order);
        mpk_value_string(v, mpk_string("email"), statement.email);
        mpk_value_text(v, mpk_string("items"), statement.items);
        ngx_http_mpk_value_time(ctx, v, mpk_string("stated_at"),
                                statement.stated_at);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_mpk_api_statement_close(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_api_t  *api;

    api = ctx->data;

    return ngx_http_mpk_statement_close(r, ctx, api->part,
               mpk_value_get_string(api->body, mpk_string("note")),
               ngx_http_mpk_statement_done);
}


static ngx_int_t
ngx_http_mpk_statement_done(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_value_t            *facts;
    ngx_http_mpk_api_t     *api;
    ngx_http_mpk_answer_t   answer;

    api = ctx->data;

    switch (ngx_http_mpk_statement_closed(ctx)) {

    case NGX_OK:
        break;

    case NGX_DECLINED:
        return ngx_http_mpk_api_outcome(r, ctx, MPK_NO_WITHDRAWAL, NULL);

    default: /* NGX_ERROR */
        return ngx_http_mpk_api_fail(r, ctx, NGX_HTTP_MPK_TXN_LOST);
    }

    ctx->outcome = MPK_DONE;

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = NGX_HTTP_OK;

    facts = mpk_value_new(&ctx->mem, MPK_VALUE_OBJECT);

    mpk_value_string(facts, mpk_string("receipt"), api->part);
    mpk_value_string(facts, mpk_string("state"), mpk_string("closed"));

    return ngx_http_mpk_send_json(r, ctx, &answer, facts);
}
