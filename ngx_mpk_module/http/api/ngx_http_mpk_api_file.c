/* PUT /orders/{id}: filing an order, also as a line of POST /orders. */

#include "ngx_http_mpk_api.h"
#include "ngx_http_mpk_time.h"

#include "mpk_filing.h"
#include "mpk_time.h"


/* What a transaction files, in its pool. */
typedef struct {
    mpk_order_t     order;
    mpk_data_key_t  data_key;
    u_char          index[MPK_MAC_LEN];    /* the account that it is listed under */
} ngx_http_mpk_filing_t;


static ngx_int_t ngx_http_mpk_file_done(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);


ngx_int_t
ngx_http_mpk_api_file(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_api_t  *api;
    ngx_http_mpk_txn_t  *txn;

    api = ctx->data;

    txn = ngx_http_mpk_api_txn(r, ctx, MPK_EVENT_FILED);
    if (txn == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (api->body == NULL) {
        ngx_http_mpk_api_error(ctx, mpk_string(""), "the order is missing");

    } else if (ngx_http_mpk_api_filing(txn, &ctx->mem, api->body,
                                       &api->errors)
               != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (api->errors) {
        return ngx_http_mpk_api_invalid(r, ctx);
    }

    return ngx_http_mpk_run(r, ctx, txn, ngx_http_mpk_file_done);
}


ngx_int_t
ngx_http_mpk_api_filing(ngx_http_mpk_txn_t *txn, mpk_mem_t *mem,
    const mpk_value_t *body, mpk_value_t **errors)
{
    mpk_filing_t            filing;
    mpk_status_t            status;
    mpk_filing_times_t      times;
    ngx_http_mpk_filing_t  *sealed;

    times.now = ngx_http_mpk_time(txn->mmcf, mpk_string(""));

    /* Redis would expire it at once */

    times.expired = txn->mmcf->retention ? times.now - txn->mmcf->retention : 0;

    /* it is in the future only if it is by both clocks, and these are known */

    times.latest = ngx_http_mpk_time_known(txn->mmcf)
                   ? ngx_max(times.now, ngx_time()) + MPK_FILING_AHEAD
                   : MPK_TIME_MAX;

    status = mpk_filing_read(mem, body, txn->id, &times, &filing, errors);
    if (status != MPK_OK) {
        return NGX_ERROR;
    }

    if (*errors) {
        return NGX_OK;
    }

    sealed = ngx_pcalloc(txn->pool, sizeof(ngx_http_mpk_filing_t));
    if (sealed == NULL) {
        return NGX_ERROR;
    }

    txn->filing_key = &sealed->data_key;

    status = mpk_filing_seal(txn->mmcf->crypto, &txn->mem, mem, &filing,
                             &sealed->order, &sealed->data_key,
                             sealed->index);
    if (status != MPK_OK) {
        ngx_log_error(NGX_LOG_CRIT, txn->log, 0,
                      "mpk: an order could not be sealed: %s; it was not filed",
                      mpk_status_text(status));
        return NGX_ERROR;
    }

    ngx_http_mpk_txn_order(txn, sealed->order.id);
    txn->accounts = sealed->index;
    txn->accounts_count = 1;
    txn->request.filing = &sealed->order;

    if (filing.imported) {
        txn->request.event = MPK_EVENT_IMPORTED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_mpk_file_done(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_mem_t              *mem;
    mpk_value_t            *facts;
    ngx_http_mpk_txn_t     *txn;
    ngx_http_mpk_answer_t   answer;

    txn = ctx->txn;

    if (txn->result != NGX_HTTP_MPK_TXN_OK
        || (txn->decision.outcome != MPK_DONE
            && txn->decision.outcome != MPK_SAME))
    {
        return ngx_http_mpk_api_refused(r, ctx);
    }

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = txn->decision.outcome == MPK_DONE ? NGX_HTTP_CREATED
                                                      : NGX_HTTP_OK;
    mem = &ctx->mem;
    facts = mpk_value_new(mem, MPK_VALUE_OBJECT);

    mpk_value_string(facts, mpk_string("order"), ctx->order);
    mpk_value_string(facts, mpk_string("state"),
                     mpk_order_state_name(txn->decision.order.state));

    return ngx_http_mpk_send_json(r, ctx, &answer, facts);
}
