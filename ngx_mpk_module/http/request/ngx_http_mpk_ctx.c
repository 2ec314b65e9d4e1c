/*
 * What a request carries along: made, found again, made to wait for a transaction,
 * and told what became of it.
 */

#include "ngx_http_mpk_stats.h"


static void ngx_http_mpk_ctx_cleanup(void *data);
static void *ngx_http_mpk_alloc(void *ctx, size_t size);


ngx_http_mpk_ctx_t *
ngx_http_mpk_get_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;
    ngx_http_mpk_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_mpk_module);

    if (ctx || !(r->internal || r->filter_finalize)) {
        return ctx;
    }

    /* an internal redirect has reset the contexts */

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_mpk_ctx_cleanup) {
            return cln->data;
        }
    }

    return NULL;
}


ngx_http_mpk_ctx_t *
ngx_http_mpk_create_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t       *cln;
    ngx_http_mpk_ctx_t       *ctx;
    ngx_http_mpk_loc_conf_t  *mlcf;

    mlcf = ngx_http_get_module_loc_conf(r, ngx_http_mpk_module);

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_mpk_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_mpk_ctx_cleanup;

    ctx = cln->data;

    ngx_memzero(ctx, sizeof(ngx_http_mpk_ctx_t));
    ngx_http_mpk_mem_init(&ctx->mem, r->pool);
    ngx_http_mpk_headers_find(r, ctx->headers);

    ctx->endpoint = mlcf->endpoint_id;
    ctx->outcome = NGX_HTTP_MPK_OUTCOME_NONE;

    ngx_http_set_ctx(r, ctx, ngx_http_mpk_module);

    return ctx;
}


/*
 * Also marks the context, so that it can be found again.  What is counted here is
 * counted once, whatever the log phase sees of subrequests and redirects.
 */

static void
ngx_http_mpk_ctx_cleanup(void *data)
{
    ngx_http_mpk_ctx_t *ctx = data;

    ngx_http_mpk_stats_request(ctx);
}


ngx_int_t
ngx_http_mpk_pass(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ctx->passed = 1;

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_mpk_wait(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_next_pt next)
{
    ctx->next = next;
    ctx->waiting = 1;

    /* a client that goes away is noticed */

    if (r == r->main) {
        r->read_event_handler = ngx_http_test_reading;
    }

    return NGX_AGAIN;
}


void
ngx_http_mpk_post(ngx_http_request_t *r, ngx_http_event_handler_pt handler)
{
    r->write_event_handler = handler;

    ngx_post_event(r->connection->write, &ngx_posted_events);
}


ngx_int_t
ngx_http_mpk_run(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_txn_t *txn, ngx_http_mpk_next_pt next)
{
    ctx->txn = txn;

    if (txn->mem.failed) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_mpk_txn_start(txn);

    return ngx_http_mpk_wait(r, ctx, next);
}


void
ngx_http_mpk_resume(ngx_http_request_t *r, uint64_t store_time)
{
    ngx_connection_t    *c;
    ngx_http_mpk_ctx_t  *ctx;

    c = r->connection;
    ctx = ngx_http_mpk_get_ctx(r);

    ngx_http_set_log_request(c->log, r);

    ctx->stored = 1;
    ctx->store_time += store_time;
    ctx->waiting = 0;

    ngx_http_core_run_phases(r);
    ngx_http_run_posted_requests(c);
}


/* What outlives the transaction is copied: the log phase comes before its end. */

void
ngx_http_mpk_note(ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_txn_t *txn)
{
    mpk_buf_t             buf;
    ngx_uint_t            i;
    mpk_decision_t       *decision;
    const mpk_mem_t      *mem;

    static const ngx_uint_t  results[] = {
        [NGX_HTTP_MPK_TXN_UNAVAILABLE] = NGX_HTTP_MPK_OUTCOME_UNAVAILABLE,
        [NGX_HTTP_MPK_TXN_LOST] = NGX_HTTP_MPK_OUTCOME_LOST,
        [NGX_HTTP_MPK_TXN_BUSY] = NGX_HTTP_MPK_OUTCOME_BUSY,
        [NGX_HTTP_MPK_TXN_ERROR] = NGX_HTTP_MPK_OUTCOME_ERROR,
    };

    mem = &ctx->mem.mem;
    decision = &txn->decision;

    ctx->channel = mpk_channel_name(txn->what.channel);

    if (txn->result != NGX_HTTP_MPK_TXN_OK) {
        ctx->event = txn->what.event;
        ctx->outcome = results[txn->result];
        return;
    }

    ctx->event = decision->event;
    ctx->outcome = decision->outcome;

    if (decision->outcome != MPK_DONE || txn->dry) {
        return;
    }

    ctx->revision = decision->order.revision;
    ngx_memcpy(ctx->mac, decision->order.mac, MPK_MAC_LEN);

    if (decision->claim) {
        mpk_buf_init(&buf, mem, NGX_INT_T_LEN);
        mpk_buf_int(&buf, (int64_t) decision->claim);

        ctx->claim = mpk_buf_done(&buf);
    }

    mpk_buf_init(&buf, mem, 16);

    for (i = 0; i < decision->items_count; i++) {
        if (i) {
            mpk_buf_byte(&buf, ',');
        }

        mpk_buf_int(&buf, decision->items[i]);
    }

    ctx->items = mpk_buf_done(&buf);
}


void
ngx_http_mpk_mem_init(ngx_http_mpk_mem_t *mem, ngx_pool_t *pool)
{
    mem->mem.alloc = ngx_http_mpk_alloc;
    mem->mem.ctx = mem;
    mem->pool = pool;
    mem->failed = 0;
}


static void *
ngx_http_mpk_alloc(void *ctx, size_t size)
{
    ngx_http_mpk_mem_t *mem = ctx;

    void  *p;

    p = ngx_palloc(mem->pool, size);
    if (p == NULL) {
        mem->failed = 1;
    }

    return p;
}
