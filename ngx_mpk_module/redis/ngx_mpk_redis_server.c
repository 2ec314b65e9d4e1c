/*
 * One server.  Its host name is resolved again whenever the server is lost, so that a
 * failover by DNS needs no reload.  Nginx's resolver ignores /etc/hosts: the addresses of
 * the configuration stay in use until it replies.
 */

#include "ngx_mpk_redis_server.h"
#include "ngx_mpk_redis_log.h"
#include "ngx_mpk_redis_node.h"


typedef struct {
    ngx_pool_t          *pool;         /* of the resolved addresses; NULL: none yet */
    ngx_resolver_ctx_t  *resolving;
    ngx_msec_t           logged;
} ngx_mpk_redis_server_t;


static void ngx_mpk_redis_server_resolve(ngx_mpk_redis_worker_t *worker);
static void ngx_mpk_redis_server_resolve_handler(ngx_resolver_ctx_t *ctx);
static ngx_int_t ngx_mpk_redis_server_set_addrs(ngx_mpk_redis_worker_t *worker,
    ngx_resolver_ctx_t *ctx);


ngx_int_t
ngx_mpk_redis_server_start(ngx_mpk_redis_worker_t *worker)
{
    worker->topology = ngx_pcalloc(worker->cycle->pool,
                                   sizeof(ngx_mpk_redis_server_t));
    if (worker->topology == NULL) {
        return NGX_ERROR;
    }

    return ngx_mpk_redis_node_init(&worker->node, worker->cycle->pool);
}


void
ngx_mpk_redis_server_stop(ngx_mpk_redis_worker_t *worker)
{
    ngx_mpk_redis_server_t  *server;

    server = worker->topology;

    if (server->resolving) {
        ngx_resolve_name_done(server->resolving);
        server->resolving = NULL;
    }

    if (server->pool) {
        ngx_destroy_pool(server->pool);
        server->pool = NULL;
    }
}


/* The URL without its scheme and its database. */

void
ngx_mpk_redis_server_node_name(ngx_mpk_redis_node_t *node, ngx_str_t *name)
{
    u_char  *p, *last;

    *name = node->worker->redis->name;

    last = name->data + name->len;

    if (ngx_mpk_redis_str_begins(name, "unix:")) {
        name->data += sizeof("unix:") - 1;
        p = ngx_strlchr(name->data, last, ':');

    } else {
        p = ngx_strlchr(name->data, last, '/');

        if (p && last - p > 2) {
            name->data = p + 2;
        }

        p = ngx_strlchr(name->data, last, '/');
    }

    name->len = (p ? p : last) - name->data;
}


void
ngx_mpk_redis_server_on_lost(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_state_t state)
{
    if (!ngx_exiting) {
        ngx_mpk_redis_server_resolve(conn->node->worker);
    }
}


static void
ngx_mpk_redis_server_resolve(ngx_mpk_redis_worker_t *worker)
{
    ngx_mpk_redis_t         *redis;
    ngx_resolver_ctx_t      *ctx;
    ngx_mpk_redis_server_t  *server;

    redis = worker->redis;
    server = worker->topology;

    if (redis->resolver == NULL || redis->host.len == 0 || server->resolving) {
        return;
    }

    ctx = ngx_resolve_start(redis->resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        return;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_CORE, worker->cycle->log, 0,
                   "mpk redis resolve: \"%V\"", &redis->host);

    ctx->name = redis->host;
    ctx->handler = ngx_mpk_redis_server_resolve_handler;
    ctx->data = worker;
    ctx->timeout = redis->resolver_timeout;
    ctx->cancelable = 1;

    server->resolving = ctx;

    if (ngx_resolve_name(ctx) != NGX_OK) {
        server->resolving = NULL;
    }
}


static void
ngx_mpk_redis_server_resolve_handler(ngx_resolver_ctx_t *ctx)
{
    ngx_mpk_redis_server_t  *server;
    ngx_mpk_redis_worker_t  *worker;

    worker = ctx->data;
    server = worker->topology;

    server->resolving = NULL;

    if (ctx->state) {
        if (ngx_mpk_redis_log_due(&server->logged)) {
            ngx_log_error(NGX_LOG_WARN, worker->cycle->log, 0,
                          "mpk_redis %V: \"%V\" could not be resolved "
                          "(%i: %s), keeping the known addresses",
                          &worker->redis->name, &ctx->name, ctx->state,
                          ngx_resolver_strerror(ctx->state));
        }

    } else if (ngx_mpk_redis_server_set_addrs(worker, ctx) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, worker->cycle->log, 0,
                      "mpk_redis %V: no memory for resolved addresses, keeping "
                      "the known ones", &worker->redis->name);
    }

    ngx_resolve_name_done(ctx);
}


/* A connection copies the address that it uses: the old ones can be freed. */

static ngx_int_t
ngx_mpk_redis_server_set_addrs(ngx_mpk_redis_worker_t *worker,
    ngx_resolver_ctx_t *ctx)
{
    u_char                  *p;
    ngx_uint_t               i;
    ngx_addr_t              *addrs;
    ngx_pool_t              *pool;
    struct sockaddr         *sa;
    ngx_mpk_redis_server_t  *server;

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

    server = worker->topology;

    if (server->pool) {
        ngx_destroy_pool(server->pool);
    }

    server->pool = pool;

    worker->node.addrs = addrs;
    worker->node.naddrs = ctx->naddrs;

    ngx_log_debug2(NGX_LOG_DEBUG_CORE, worker->cycle->log, 0,
                   "mpk redis resolved: \"%V\", addresses: %ui",
                   &worker->redis->host, ctx->naddrs);

    return NGX_OK;

failed:

    ngx_destroy_pool(pool);

    return NGX_ERROR;
}
