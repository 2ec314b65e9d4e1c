/*
 * The server's name, asked for again while it can't be reached: a failover by DNS
 * needs no reload.  Nginx's resolver does not know /etc/hosts, so what was found
 * when the configuration was read stays until it answers.
 */

#include "ngx_mpk_redis_int.h"


static void ngx_mpk_redis_resolve_handler(ngx_resolver_ctx_t *ctx);
static ngx_int_t ngx_mpk_redis_resolve_take(ngx_mpk_redis_worker_t *worker,
    ngx_resolver_ctx_t *ctx);


void
ngx_mpk_redis_resolver(ngx_mpk_redis_t *redis, ngx_resolver_t *resolver,
    ngx_msec_t timeout)
{
    redis->resolver = resolver;
    redis->resolver_timeout = timeout;
}


void
ngx_mpk_redis_resolve(ngx_mpk_redis_worker_t *worker)
{
    ngx_mpk_redis_t     *redis;
    ngx_resolver_ctx_t  *ctx;

    redis = worker->redis;

    if (redis->resolver == NULL || redis->host.len == 0 || worker->resolving) {
        return;
    }

    ctx = ngx_resolve_start(redis->resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        return;
    }

    ctx->name = redis->host;
    ctx->handler = ngx_mpk_redis_resolve_handler;
    ctx->data = worker;
    ctx->timeout = redis->resolver_timeout;
    ctx->cancelable = 1;

    worker->resolving = ctx;

    if (ngx_resolve_name(ctx) != NGX_OK) {
        worker->resolving = NULL;
    }
}


void
ngx_mpk_redis_resolve_cancel(ngx_mpk_redis_worker_t *worker)
{
    if (worker->resolving) {
        ngx_resolve_name_done(worker->resolving);
        worker->resolving = NULL;
    }

    if (worker->resolved) {
        ngx_destroy_pool(worker->resolved);
        worker->resolved = NULL;
    }
}


static void
ngx_mpk_redis_resolve_handler(ngx_resolver_ctx_t *ctx)
{
    ngx_mpk_redis_worker_t *worker = ctx->data;

    worker->resolving = NULL;

    if (ctx->state) {
        if (ngx_mpk_redis_log_due(&worker->resolve_logged)) {
            ngx_log_error(NGX_LOG_WARN, worker->cycle->log, 0,
                          "mpk_redis %V: \"%V\" is not resolved (%i: %s); "
                          "the addresses known stay in use",
                          &worker->redis->name, &ctx->name, ctx->state,
                          ngx_resolver_strerror(ctx->state));
        }

    } else if (ngx_mpk_redis_resolve_take(worker, ctx) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, worker->cycle->log, 0,
                      "mpk_redis %V: no memory for addresses",
                      &worker->redis->name);
    }

    ngx_resolve_name_done(ctx);
}


/* Connections copy the address they use, so the old ones can go. */

static ngx_int_t
ngx_mpk_redis_resolve_take(ngx_mpk_redis_worker_t *worker,
    ngx_resolver_ctx_t *ctx)
{
    u_char           *p;
    ngx_uint_t        i;
    ngx_addr_t       *addrs;
    ngx_pool_t       *pool;
    struct sockaddr  *sa;

    pool = ngx_create_pool(1024, worker->cycle->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    addrs = ngx_palloc(pool, ctx->naddrs * sizeof(ngx_addr_t));
    if (addrs == NULL) {
        goto failed;
    }

    for (i = 0; i < ctx->naddrs; i++) {

        sa = ngx_palloc(pool, ctx->addrs[i].socklen);
        p = ngx_pnalloc(pool, NGX_SOCKADDR_STRLEN);

        if (sa == NULL || p == NULL) {
            goto failed;
        }

        ngx_memcpy(sa, ctx->addrs[i].sockaddr, ctx->addrs[i].socklen);
        ngx_inet_set_port(sa, worker->redis->port);

        addrs[i].sockaddr = sa;
        addrs[i].socklen = ctx->addrs[i].socklen;
        addrs[i].name.data = p;
        addrs[i].name.len = ngx_sock_ntop(sa, addrs[i].socklen, p,
                                          NGX_SOCKADDR_STRLEN, 1);
    }

    if (worker->resolved) {
        ngx_destroy_pool(worker->resolved);
    }

    worker->resolved = pool;
    worker->home.addrs = addrs;
    worker->home.naddrs = ctx->naddrs;

    return NGX_OK;

failed:

    ngx_destroy_pool(pool);

    return NGX_ERROR;
}
