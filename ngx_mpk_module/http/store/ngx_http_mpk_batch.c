/* Commands that a request sends together and waits for together. */

#include "ngx_http_mpk_batch.h"
#include "ngx_http_mpk_stats.h"


static ngx_mpk_redis_cmd_t *ngx_http_mpk_batch_send(
    ngx_http_mpk_batch_t *batch, ngx_mpk_redis_lane_t lane, ngx_uint_t argc,
    const mpk_str_t *argv);
static void ngx_http_mpk_batch_handler(ngx_mpk_redis_cmd_t *cmd);
static void ngx_http_mpk_batch_detach(void *data);


ngx_http_mpk_batch_t *
ngx_http_mpk_batch_create(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_uint_t size)
{
    ngx_pool_t            *pool;
    ngx_pool_cleanup_t    *cln;
    ngx_http_mpk_batch_t  *batch;

    batch = ctx->batch;

    if (batch == NULL) {
        cln = ngx_pool_cleanup_add(ngx_http_mpk_pool(r, ctx), 0);
        if (cln == NULL) {
            return NULL;
        }

        pool = ngx_create_pool(4096, ngx_cycle->log);
        if (pool == NULL) {
            return NULL;
        }

        batch = ngx_pcalloc(pool, sizeof(ngx_http_mpk_batch_t));
        if (batch == NULL) {
            ngx_destroy_pool(pool);
            return NULL;
        }

        batch->pool = pool;
        batch->request = r;
        batch->redis = ctx->mmcf->redis;

        ngx_http_mpk_mem_init(&batch->mem, pool);

        cln->handler = ngx_http_mpk_batch_detach;
        cln->data = batch;

        ctx->batch = batch;
    }

    ngx_mpk_assert(batch->waiting == 0);

    batch->cmds = ngx_pcalloc(batch->pool, size * sizeof(ngx_mpk_redis_cmd_t));
    if (batch->cmds == NULL) {
        return NULL;
    }

    batch->size = size;
    batch->count = 0;
    batch->failed = 0;
    batch->started = ngx_http_mpk_stats_clock();

    return batch;
}


ngx_mpk_redis_cmd_t *
ngx_http_mpk_batch_add(ngx_http_mpk_batch_t *batch, ngx_uint_t argc,
    const mpk_str_t *argv)
{
    return ngx_http_mpk_batch_send(batch, NGX_MPK_REDIS_READ, argc, argv);
}


ngx_mpk_redis_cmd_t *
ngx_http_mpk_batch_commit(ngx_http_mpk_batch_t *batch, ngx_uint_t argc,
    const mpk_str_t *argv)
{
    return ngx_http_mpk_batch_send(batch, NGX_MPK_REDIS_COMMIT, argc, argv);
}


static ngx_mpk_redis_cmd_t *
ngx_http_mpk_batch_send(ngx_http_mpk_batch_t *batch,
    ngx_mpk_redis_lane_t lane, ngx_uint_t argc, const mpk_str_t *argv)
{
    ngx_mpk_redis_cmd_t  *cmd;

    /* a truncated key name would address the wrong key */

    if (batch->count == batch->size || batch->mem.failed) {
        batch->failed = 1;
        return NULL;
    }

    cmd = &batch->cmds[batch->count++];

    cmd->pool = batch->pool;
    cmd->handler = ngx_http_mpk_batch_handler;
    cmd->data = batch;

    batch->waiting++;

    ngx_mpk_redis_send(batch->redis, lane, cmd, argc, argv);

    return cmd;
}


ngx_int_t
ngx_http_mpk_batch_run(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_batch_t *batch, ngx_http_mpk_next_pt next)
{
    if (batch->waiting == 0) {
        return next(r, ctx);
    }

    return ngx_http_mpk_wait(r, ctx, next);
}


static void
ngx_http_mpk_batch_handler(ngx_mpk_redis_cmd_t *cmd)
{
    ngx_http_mpk_batch_t *batch = cmd->data;

    uint64_t  store_time;

    ngx_mpk_assert(batch->waiting && batch->waiting <= batch->count);

    if (cmd->result != NGX_MPK_REDIS_ANSWERED) {
        batch->failed = 1;
    }

    if (--batch->waiting) {
        return;
    }

    store_time = ngx_http_mpk_stats_clock() - batch->started;

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "mpk batch done, commands:%ui failed:%ud detached:%ui "
                   "us:%uL", batch->count, batch->failed,
                   (ngx_uint_t) (batch->request == NULL), store_time);

    if (batch->cmds[0].result != NGX_MPK_REDIS_FAILED) {
        ngx_http_mpk_stats_took(NGX_HTTP_MPK_HISTOGRAM_STORE,
                                (int64_t) store_time);
    }

    if (batch->request == NULL) {
        ngx_destroy_pool(batch->pool);
        return;
    }

    ngx_http_mpk_resume(batch->request, store_time);
}


/* The request is destroyed. */

static void
ngx_http_mpk_batch_detach(void *data)
{
    ngx_http_mpk_batch_t *batch = data;

    batch->request = NULL;

    if (batch->waiting == 0) {
        ngx_destroy_pool(batch->pool);
    }
}
