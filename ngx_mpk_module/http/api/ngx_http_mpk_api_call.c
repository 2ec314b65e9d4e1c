/*
 * Steps that most calls share: members of the body, a transaction on the order or a read of
 * it, its state as answer.
 */

#include "ngx_http_mpk_api.h"

#include "mpk_filing.h"


static ngx_int_t ngx_http_mpk_api_found(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);


const mpk_json_limits_t  ngx_http_mpk_api_limits = {
    .size = NGX_HTTP_MPK_API_BODY_MAX, .depth = 4,
    .values = (1 + MPK_FILING_ITEM_MEMBERS) * MPK_ITEMS_MAX + 64
};


ngx_http_mpk_txn_t *
ngx_http_mpk_api_txn(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    mpk_event_t event)
{
    ngx_http_mpk_api_t  *api;
    ngx_http_mpk_txn_t  *txn;

    api = ctx->data;

    txn = ngx_http_mpk_txn_create(ctx->mmcf, r);
    if (txn == NULL) {
        return NULL;
    }

    ngx_http_mpk_txn_order(txn, api->order);
    txn->request.event = event;
    txn->request.grace = ctx->mlcf->reveal_grace;

    ngx_http_mpk_txn_client(r, txn);

    return txn;
}


void
ngx_http_mpk_api_items(ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_txn_t *txn)
{
    uint16_t            *numbers;
    ngx_uint_t           n;
    const mpk_value_t   *items, *v;
    ngx_http_mpk_api_t  *api;

    api = ctx->data;
    items = mpk_value_get(api->body, mpk_string("items"));

    if (items == NULL || items->type == MPK_VALUE_NULL) {
        return;
    }

    n = 0;
    numbers = NULL;

    if (items->u.list.count && items->u.list.count <= MPK_ITEMS_MAX) {
        numbers = mpk_alloc(&txn->mem,
                            items->u.list.count * sizeof(uint16_t));
    }

    if (numbers) {
        for (v = items->u.list.first; v; v = v->next) {

            if (v->type != MPK_VALUE_INT || v->u.integer < 1
                || v->u.integer > MPK_ITEMS_MAX
                || (n && v->u.integer <= numbers[n - 1]))
            {
                break;
            }

            numbers[n++] = (uint16_t) v->u.integer;
        }
    }

    if (numbers == NULL || n != items->u.list.count) {
        ngx_http_mpk_api_error(ctx, mpk_string("/items"),
                               "must be an array of item numbers, ascending, "
                               "each once");
        return;
    }

    txn->request.items = numbers;
    txn->request.items_count = n;
}


ngx_int_t
ngx_http_mpk_api_read(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_next_pt next)
{
    ngx_http_mpk_api_t     *api;
    ngx_http_mpk_orders_t  *orders;

    api = ctx->data;
    api->data = (void *) (uintptr_t) next;

    orders = ngx_http_mpk_orders_create(r, ctx, 1);
    if (orders == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    orders->list[0].id = api->order;

    return ngx_http_mpk_orders_read(r, ctx, ngx_http_mpk_api_found);
}


static ngx_int_t
ngx_http_mpk_api_found(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_api_t    *api;
    ngx_http_mpk_next_pt   next;

    api = ctx->data;
    next = (ngx_http_mpk_next_pt) (uintptr_t) api->data;

    if (ctx->orders->result != NGX_HTTP_MPK_TXN_OK) {
        return ngx_http_mpk_api_fail(r, ctx, ctx->orders->result);
    }

    /* the journal says in its verdict that an order is not authentic */

    if (ctx->orders->list[0].status != MPK_OK && !api->verdict) {
        return ngx_http_mpk_api_fail(r, ctx, NGX_HTTP_MPK_TXN_ERROR);
    }

    if (ctx->orders->list[0].order.state == MPK_ORDER_ABSENT
        && ctx->orders->list[0].status == MPK_OK)
    {
        return ngx_http_mpk_api_outcome(r, ctx, MPK_ABSENT, NULL);
    }

    ctx->outcome = MPK_SAME;

    return next(r, ctx);
}


ngx_int_t
ngx_http_mpk_api_state(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_mem_t              *mem;
    mpk_value_t            *facts, *v;
    mpk_outcome_t           outcome;
    mpk_decision_t         *decision;
    ngx_http_mpk_txn_t     *txn;
    ngx_http_mpk_answer_t   answer;

    txn = ctx->txn;
    decision = &txn->decision;
    outcome = decision->outcome;

    if (txn->result != NGX_HTTP_MPK_TXN_OK
        || (outcome != MPK_DONE && outcome != MPK_SAME))
    {
        return ngx_http_mpk_api_refused(r, ctx);
    }

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = outcome == MPK_DONE
                    && (txn->request.event == MPK_EVENT_CLAIM_OPENED
                        || txn->request.event == MPK_EVENT_WITHDRAWAL_STATED)
                    ? NGX_HTTP_CREATED : NGX_HTTP_OK;

    mem = &ctx->mem;
    facts = mpk_value_new(mem, MPK_VALUE_OBJECT);

    mpk_value_string(facts, mpk_string("order"), ctx->order);
    mpk_value_string(facts, mpk_string("state"),
                     mpk_order_state_name(decision->order.state));

    if (decision->order.suspended_at) {
        ngx_http_mpk_value_time(ctx, facts, mpk_string("suspended_at"),
                                decision->order.suspended_at);
    }

    if (decision->claim) {
        v = mpk_value_object(facts, mpk_string("claim"));

        mpk_value_int(v, mpk_string("claim"), (int64_t) decision->claim);
        mpk_value_string(v, mpk_string("state"),
            mpk_claim_state_name(
                decision->order.claims[decision->claim - 1].state));
    }

    if (decision->withdrawal) {
        v = mpk_value_object(facts, mpk_string("withdrawal"));

        mpk_value_int(v, mpk_string("withdrawal"),
                      (int64_t) decision->withdrawal);
        mpk_value_string(v, mpk_string("state"),
            mpk_withdrawal_state_name(
                decision->order.withdrawals[decision->withdrawal - 1].state));
    }

    return ngx_http_mpk_send_json(r, ctx, &answer, facts);
}
