/* GET /orders/{id}/journal: an order's history, opened and verified. */

#include "ngx_http_mpk_api.h"


static ngx_int_t ngx_http_mpk_journal_done(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_journal_anchor(ngx_http_request_t *r,
    mpk_str_t *mac, uint64_t *number);


ngx_int_t
ngx_http_mpk_api_journal(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_str_t  mac;
    uint64_t   number;

    if (ngx_http_mpk_journal_anchor(r, &mac, &number) == NGX_ERROR) {
        ngx_http_mpk_api_error(ctx, mpk_string("?anchor"),
                               "must be n:MAC, as $mpk_journal_head gives it");
        return ngx_http_mpk_api_invalid(r, ctx);
    }

    return ngx_http_mpk_api_read(r, ctx, ngx_http_mpk_journal_done);
}


static ngx_int_t
ngx_http_mpk_journal_done(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_str_t                mac;
    uint64_t                 number;
    ngx_int_t                anchor;
    ngx_uint_t               i;
    mpk_chain_t              chain;
    mpk_value_t             *facts, *entries, *v;
    mpk_status_t             status;
    const mpk_mem_t         *mem;
    mpk_crypto_t            *crypto;
    const mpk_record_t      *record;
    ngx_http_mpk_order_t    *order;
    ngx_http_mpk_answer_t    answer;

    order = &ctx->orders->list[0];
    crypto = ctx->orders->mmcf->crypto;
    mem = &ctx->mem.mem;

    if (order->order.state != MPK_ORDER_ERASED
        && ngx_http_mpk_order_unwrap(ctx, order) != NGX_OK)
    {
        return ngx_http_mpk_api_fail(r, ctx, NGX_HTTP_MPK_TXN_ERROR);
    }

    anchor = ngx_http_mpk_journal_anchor(r, &mac, &number);

    facts = mpk_value_object(mem, NULL, mpk_string(""));
    (void) mpk_value_string(mem, facts, mpk_string("order"), ctx->order);

    entries = mpk_value_array(mem, NULL, mpk_string("entries"));

    if (facts == NULL || entries == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    mpk_chain_init(&chain, order->id);

    if (order->order.state == MPK_ORDER_ERASED) {
        mpk_chain_erased(&chain, order->order.gone, order->order.gone_mac);
    }

    for (i = 0; i < order->records_count; i++) {
        record = &order->records[i];

        if (mpk_chain_next(&chain, crypto, mem, record) != MPK_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (anchor == NGX_OK) {
            mpk_chain_anchor(&chain, mac, number, order->skipped + i + 1,
                             record);
        }

        if (record->clear.data == NULL) {
            continue;
        }

        status = mpk_journal_read(crypto, mem,
                                  order->unwrapped ? &order->data_key : NULL,
                                  order->id, order->skipped + i + 1, record,
                                  entries);

        if (status == MPK_NOMEM) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    mpk_chain_end(&chain, order->order.revision, order->order.mac);

    /* an anchor of an entry that is no longer there: the order was rolled back */

    if (anchor == NGX_OK && number > order->skipped + order->records_count
        && (chain.verdict == MPK_INTACT
            || chain.verdict == MPK_ERASED_ENTRIES))
    {
        chain.verdict = MPK_MISSING_ENTRY;
        chain.fault = number;
    }

    (void) mpk_value_string(mem, facts, mpk_string("verdict"),
                            mpk_verdict_name(chain.verdict));

    if (chain.fault) {
        (void) mpk_value_int(mem, facts, mpk_string("entry"),
                             (int64_t) chain.fault);
    }

    v = facts->u.list.last;

    if (v) {
        v->next = entries;
        facts->u.list.last = entries;
    }

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = NGX_HTTP_OK;

    return ngx_http_mpk_send_json(r, ctx, &answer, facts);
}


/* ?anchor=n:MAC; NGX_DECLINED: none. */

static ngx_int_t
ngx_http_mpk_journal_anchor(ngx_http_request_t *r, mpk_str_t *mac,
    uint64_t *number)
{
    u_char     *colon;
    ngx_int_t   n;
    ngx_str_t   value;

    if (ngx_http_arg(r, (u_char *) "anchor", 6, &value) != NGX_OK) {
        return NGX_DECLINED;
    }

    colon = ngx_strlchr(value.data, value.data + value.len, ':');
    if (colon == NULL) {
        return NGX_ERROR;
    }

    n = ngx_atoi(value.data, colon - value.data);

    if (n == NGX_ERROR || n == 0
        || value.data + value.len - colon - 1 != 43)
    {
        return NGX_ERROR;
    }

    *number = n;
    *mac = (mpk_str_t) { 43, colon + 1 };

    return NGX_OK;
}
