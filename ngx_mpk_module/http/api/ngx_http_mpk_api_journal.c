/* GET /orders/{id}/journal, and the verification of a journal. */

#include "ngx_http_mpk_api.h"
#include "ngx_http_mpk_request.h"
#include "ngx_http_mpk_sealed.h"


static ngx_int_t ngx_http_mpk_journal_done(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_journal_anchor(ngx_http_request_t *r,
    mpk_str_t *mac, uint64_t *number);
static void ngx_http_mpk_journal_compare(ngx_http_mpk_journal_t *journal,
    mpk_str_t mac, uint64_t number, uint64_t n, mpk_str_t record);


ngx_int_t
ngx_http_mpk_api_journal(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    return  ngx_http_mpk_journal_ask(r, ctx, ngx_http_mpk_journal_done);
}


static ngx_int_t
ngx_http_mpk_journal_done(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_mem_t               *mem;
    mpk_value_t             *facts;
    ngx_http_mpk_answer_t    answer;
    ngx_http_mpk_journal_t   journal;

    mem = &ctx->mem;

    if (ngx_http_mpk_journal_read(r, ctx, &ctx->orders->list[0], &journal)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    facts = mpk_value_new(mem, MPK_VALUE_OBJECT);

    mpk_value_string(facts, mpk_string("order"), ctx->order);

    ngx_http_mpk_journal_verdict(&journal, facts);

    mpk_value_put(facts, mpk_string("entries"), journal.entries);

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = NGX_HTTP_OK;

    return ngx_http_mpk_send_json(r, ctx, &answer, facts);
}


ngx_int_t
ngx_http_mpk_journal_ask(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_next_pt next)
{
    mpk_str_t            mac;
    uint64_t             number;
    ngx_http_mpk_api_t  *api;

    api = ctx->data;
    api->verdict = 1;

    if (ngx_http_mpk_journal_anchor(r, &mac, &number) == NGX_ERROR) {
        ngx_http_mpk_api_error(ctx, mpk_string("?anchor"),
                               "must be n:MAC, as $mpk_journal_head gives it");
        return ngx_http_mpk_api_invalid(r, ctx);
    }

    return ngx_http_mpk_api_read(r, ctx, next);
}


ngx_int_t
ngx_http_mpk_journal_read(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, ngx_http_mpk_journal_t *journal)
{
    mpk_str_t            mac, record;
    uint64_t             number, n;
    ngx_int_t            anchor;
    mpk_mem_t           *mem;
    ngx_uint_t           i;
    mpk_chain_t         *chain;
    mpk_status_t         status;
    mpk_crypto_t        *crypto;

    crypto = ctx->mmcf->crypto;
    mem = &ctx->mem;

    ngx_memzero(journal, sizeof(ngx_http_mpk_journal_t));

    journal->entries = mpk_value_new(mem, MPK_VALUE_ARRAY);
    if (journal->entries == NULL) {
        return NGX_ERROR;
    }

    anchor = ngx_http_mpk_journal_anchor(r, &mac, &number);

    if (anchor == NGX_OK) {
        journal->anchor = NGX_HTTP_MPK_ANCHOR_ABSENT;
    }

    /* of an order that is not authentic nothing is shown, not even its entries */

    if (order->status != MPK_OK) {
        journal->chain.verdict = order->status == MPK_FORGED
                                 ? MPK_ALTERED : MPK_UNVERIFIABLE;
        return NGX_OK;
    }

    /*
     * entries that can't be decrypted are verified all the same; their clear parts are
     * shown
     */

    if (order->order.state != MPK_ORDER_ERASED) {
        (void) ngx_http_mpk_order_unwrap(ctx, order);
    }

    chain = &journal->chain;

    mpk_chain_init(chain, order->id);

    if (order->order.state == MPK_ORDER_ERASED) {
        mpk_chain_erased(chain, order->order.gone, order->order.gone_mac);
    }

    for (i = 0; i < order->records_count; i++) {
        record = order->records[i];
        n = order->skipped + i + 1;

        if (mpk_chain_next(chain, crypto, mem, record) != MPK_OK) {
            return NGX_ERROR;
        }

        if (anchor == NGX_OK) {
            ngx_http_mpk_journal_compare(journal, mac, number, n, record);
        }

        if (record.data == NULL) {
            continue;
        }

        status = mpk_journal_read(crypto, mem,
                                  order->unwrapped ? &order->data_key : NULL,
                                  order->id, n, record, journal->entries);

        if (status == MPK_NOMEM) {
            return NGX_ERROR;
        }

        if (chain->verdict == MPK_INTACT) {
            journal->proved++;
        }
    }

    mpk_chain_end(chain, order->order.revision, order->order.mac);

    if (chain->kid.len) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "mpk: the journal of order \"%*s\" can't be verified: "
                      "journal key \"%*s\" is not in the keyring; add it",
                      order->id.len, order->id.data,
                      chain->kid.len, chain->kid.data);
    }

    /* the end of the chain can reveal a fault in entries that looked intact */

    if (chain->fault && order->skipped + journal->proved >= chain->fault) {
        journal->proved = chain->fault - order->skipped - 1;
    }

    /* the anchor's entry is past the end: the order was rolled back */

    if (anchor == NGX_OK && number > order->skipped + order->records_count
        && chain->verdict != MPK_ALTERED
        && chain->verdict != MPK_MISSING_ENTRY)
    {
        chain->verdict = MPK_MISSING_ENTRY;
        chain->fault = number;
    }

    return NGX_OK;
}


void
ngx_http_mpk_journal_verdict(ngx_http_mpk_journal_t *journal,
    mpk_value_t *facts)
{
    mpk_value_string(facts, mpk_string("verdict"),
                     mpk_verdict_name(journal->chain.verdict));

    if (journal->chain.fault) {
        mpk_value_int(facts, mpk_string("entry"),
                      (int64_t) journal->chain.fault);
    }
}


/* Compares the anchor's entry by itself: an earlier fault would hide the result. */

static void
ngx_http_mpk_journal_compare(ngx_http_mpk_journal_t *journal, mpk_str_t mac,
    uint64_t number, uint64_t n, mpk_str_t record)
{
    mpk_chain_t  alone;

    mpk_chain_anchor(&journal->chain, mac, number, n, record);

    if (n != number || record.data == NULL) {
        return;
    }

    mpk_chain_init(&alone, journal->chain.order);
    mpk_chain_anchor(&alone, mac, number, n, record);

    journal->anchor = alone.verdict == MPK_INTACT
                      ? NGX_HTTP_MPK_ANCHOR_AGREES
                      : NGX_HTTP_MPK_ANCHOR_DIFFERS;
}


/* ?anchor=n:MAC; NGX_DECLINED: none. */

static ngx_int_t
ngx_http_mpk_journal_anchor(ngx_http_request_t *r, mpk_str_t *mac,
    uint64_t *number)
{
    u_char     *colon;
    ngx_int_t   n;
    ngx_str_t   value;

    if (ngx_http_mpk_arg(r, "anchor", &value) != NGX_OK) {
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
