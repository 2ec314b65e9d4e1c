/* The context of a request: created, found again, waiting for Redis and resumed. */

#include "ngx_http_mpk_ctx.h"
#include "ngx_http_mpk_stats.h"


#define NGX_HTTP_MPK_WORK_POOL  16384    /* bytes; most of what it holds is larger */


static void ngx_http_mpk_ctx_cleanup(void *data);


ngx_http_mpk_ctx_t *
ngx_http_mpk_get_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;
    ngx_http_mpk_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_mpk_module);

    if (ctx || !(r->internal || r->filter_finalize)) {
        return ctx;
    }

    /* an internal redirect clears r->ctx */

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
    ngx_pool_cleanup_t  *cln;
    ngx_http_mpk_ctx_t  *ctx;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_mpk_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_mpk_ctx_cleanup;

    ctx = cln->data;

    ngx_memzero(ctx, sizeof(ngx_http_mpk_ctx_t));
    ngx_http_mpk_mem_init(&ctx->mem, r->pool);

    ctx->mmcf = ngx_http_get_module_main_conf(r, ngx_http_mpk_module);
    ctx->mscf = ngx_http_get_module_srv_conf(r, ngx_http_mpk_module);
    ctx->mlcf = ngx_http_get_module_loc_conf(r, ngx_http_mpk_module);

    ctx->body_mem = &ctx->mem;
    ctx->outcome = NGX_HTTP_MPK_OUTCOME_NONE;

    if (ngx_http_mpk_headers_find(r, &ctx->mem, ctx->headers) != NGX_OK) {
        return NULL;
    }

    ngx_http_set_ctx(r, ctx, ngx_http_mpk_module);

    return ctx;
}


ngx_int_t
ngx_http_mpk_work(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ctx->work = ngx_create_pool(NGX_HTTP_MPK_WORK_POOL, r->connection->log);
    if (ctx->work == NULL) {
        return NGX_ERROR;
    }

    ngx_http_mpk_mem_init(&ctx->mem, ctx->work);

    return NGX_OK;
}


ngx_int_t
ngx_http_mpk_work_done(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    mpk_buf_t *body)
{
    u_char  *p;

    ngx_mpk_assert(ctx->secret == NULL && ctx->txn == NULL);

    p = ngx_pnalloc(r->pool, body->len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, body->data, body->len);

    ctx->orders = NULL;
    ctx->batch = NULL;

    ngx_destroy_pool(ctx->work);
    ctx->work = NULL;

    ngx_http_mpk_mem_init(&ctx->mem, r->pool);

    body->data = p;

    return NGX_OK;
}


/*
 * Counts the request once, whatever subrequests and redirects it had; the handler also
 * identifies the context among the pool's cleanups.
 */

static void
ngx_http_mpk_ctx_cleanup(void *data)
{
    ngx_http_mpk_ctx_t *ctx = data;

    if (ctx->work) {
        ngx_destroy_pool(ctx->work);
    }

    ngx_http_mpk_stats_request(ctx->mlcf->endpoint->id, ctx->event,
                               ctx->outcome);
}


ngx_int_t
ngx_http_mpk_pass(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    if (ctx->body_cut) {
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    ctx->passed = 1;

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_mpk_wait(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_next_pt next)
{
    ctx->next = next;
    ctx->waiting = 1;

    /* notice a client that disconnects */

    if (r == r->main && !ctx->unattended) {
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


void
ngx_http_mpk_resume(ngx_http_request_t *r, uint64_t store_time)
{
    ngx_connection_t    *c;
    ngx_http_mpk_ctx_t  *ctx;

    c = r->connection;
    ctx = ngx_http_mpk_get_ctx(r);

    ngx_mpk_assert(ctx && ctx->waiting);

    ngx_http_set_log_request(c->log, r);

    ctx->stored = 1;
    ctx->store_time += store_time;
    ctx->waiting = 0;

    ngx_http_core_run_phases(r);
    ngx_http_run_posted_requests(c);
}
