/* What a worker's client tells about itself: counters, servers, readiness. */

#include "ngx_mpk_redis_int.h"


static void ngx_mpk_redis_node_tell(ngx_mpk_redis_node_t *node,
    ngx_mpk_redis_node_info_t *info);
static ngx_mpk_redis_node_t *ngx_mpk_redis_node_next(ngx_mpk_redis_t *redis,
    ngx_mpk_redis_node_t *node);
static void ngx_mpk_redis_node_name(ngx_mpk_redis_node_t *node,
    ngx_str_t *name);
static ngx_uint_t ngx_mpk_redis_node_writable(ngx_mpk_redis_node_t *node);
static ngx_uint_t ngx_mpk_redis_usable(ngx_mpk_redis_conn_t *conn);
#if (NGX_SSL)
static time_t ngx_mpk_redis_not_after(X509 *cert);
#endif


void
ngx_mpk_redis_stats(ngx_mpk_redis_t *redis, ngx_mpk_redis_stats_t *stats)
{
    redis->stats = stats;
}


void
ngx_mpk_redis_stats_refused(ngx_mpk_redis_node_t *node,
    ngx_mpk_redis_lane_t lane)
{
    ngx_uint_t  i, last;

    i = 0;
    last = node->readers;

    if (lane == NGX_MPK_REDIS_COMMIT && node->durable) {
        i = last++;
    }

    for ( /* void */ ; i < last; i++) {
        if (node->conns[i].pending >= NGX_MPK_REDIS_QUEUE_MAX) {
            ngx_mpk_redis_count(node->worker->redis, overflows);
            return;
        }
    }
}


ngx_uint_t
ngx_mpk_redis_nodes(ngx_mpk_redis_t *redis, ngx_mpk_redis_node_info_t *info,
    ngx_uint_t max)
{
    ngx_uint_t             n;
    ngx_mpk_redis_node_t  *node;

    n = 0;

    for (node = ngx_mpk_redis_node_next(redis, NULL);
         node && n < max;
         node = ngx_mpk_redis_node_next(redis, node))
    {
        ngx_mpk_redis_node_tell(node, &info[n++]);
    }

    return n;
}


static void
ngx_mpk_redis_node_tell(ngx_mpk_redis_node_t *node,
    ngx_mpk_redis_node_info_t *info)
{
    ngx_uint_t             i;
    ngx_mpk_redis_conn_t  *conn;

    ngx_memzero(info, sizeof(ngx_mpk_redis_node_info_t));

    ngx_mpk_redis_node_name(node, &info->name);

    info->evicts = node->evicts;

    for (i = 0; i < node->nconns; i++) {
        conn = &node->conns[i];

        info->pending += conn->pending;

        if (conn->state != NGX_MPK_REDIS_READY) {
            continue;
        }

        if (conn->durable) {
            info->durable = !conn->refusing;

        } else {
            info->ready = 1;
        }
    }

    if (!node->durable) {
        info->durable = info->ready;
    }
}


/* The server of the URL, the master, each node of a cluster. */
static ngx_mpk_redis_node_t *
ngx_mpk_redis_node_next(ngx_mpk_redis_t *redis, ngx_mpk_redis_node_t *node)
{
    if (redis->worker == NULL) {
        return NULL;
    }

    if (redis->worker->cluster) {
        return ngx_mpk_redis_cluster_next(redis->worker, node);
    }

    return node ? NULL : &redis->worker->home;
}


/* An address, or the URL without its scheme and its database. */
static void
ngx_mpk_redis_node_name(ngx_mpk_redis_node_t *node, ngx_str_t *name)
{
    u_char           *p, *last;
    ngx_mpk_redis_t  *redis;

    redis = node->worker->redis;

    if (redis->kind == NGX_MPK_REDIS_CLUSTER) {
        *name = node->endpoint;
        return;
    }

    if (redis->kind == NGX_MPK_REDIS_SENTINEL) {
        *name = node->naddrs ? node->worker->master.name : redis->master;
        return;
    }

    *name = redis->name;
    last = redis->name.data + redis->name.len;

    if (redis->name.len > 5
        && ngx_strncmp(redis->name.data, "unix:", 5) == 0)
    {
        name->data += 5;
        p = ngx_strlchr(name->data, last, ':');

    } else {
        p = ngx_strlchr(redis->name.data, last, '/');

        if (p && last - p > 2) {
            name->data = p + 2;
        }

        p = ngx_strlchr(name->data, last, '/');
    }

    name->len = (p ? p : last) - name->data;
}


ngx_uint_t
ngx_mpk_redis_writable(ngx_mpk_redis_t *redis)
{
    ngx_mpk_redis_node_t  *node;

    node = ngx_mpk_redis_node_next(redis, NULL);

    if (node == NULL && redis->worker) {

        /* a cluster whose seeds have not answered yet */

        return ngx_mpk_redis_node_writable(&redis->worker->home);
    }

    for ( /* void */ ; node; node = ngx_mpk_redis_node_next(redis, node)) {
        if (ngx_mpk_redis_node_writable(node)) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_mpk_redis_node_writable(ngx_mpk_redis_node_t *node)
{
    ngx_uint_t  i;

    if (node->refused_at
        && (ngx_msec_int_t) (ngx_current_msec - node->refused_at)
           < NGX_MPK_REDIS_REFUSED_TIME)
    {
        return 0;
    }

    if (node->durable) {
        return ngx_mpk_redis_usable(&node->conns[node->readers]);
    }

    for (i = 0; i < node->readers; i++) {
        if (ngx_mpk_redis_usable(&node->conns[i])) {
            return 1;
        }
    }

    return 0;
}


/*
 * A connection that is being made, or will be with the next command, counts unless the
 * last attempt was in vain: commands wait for it, and a worker that has just started or
 * shuts down is no reason to send nobody to it.
 */

static ngx_uint_t
ngx_mpk_redis_usable(ngx_mpk_redis_conn_t *conn)
{
    if (conn->refusing || conn->pending >= NGX_MPK_REDIS_QUEUE_MAX) {
        return 0;
    }

    switch (conn->state) {

    case NGX_MPK_REDIS_READY:
        return 1;

    case NGX_MPK_REDIS_DRAINING:
        return 0;

    default:
        return !conn->failing;
    }
}


void
ngx_mpk_redis_certificates(ngx_mpk_redis_t *redis, time_t *client, time_t *ca)
{
#if (NGX_SSL)
    int                    i;
    X509                  *cert;
    time_t                 end;
    X509_STORE            *store;
    STACK_OF(X509_OBJECT) *objects;
#endif

    *client = 0;
    *ca = 0;

#if (NGX_SSL)

    if (redis->ssl == NULL) {
        return;
    }

    cert = SSL_CTX_get0_certificate(redis->ssl->ctx);
    if (cert) {
        *client = ngx_mpk_redis_not_after(cert);
    }

    store = SSL_CTX_get_cert_store(redis->ssl->ctx);
    objects = X509_STORE_get0_objects(store);

    for (i = 0; i < sk_X509_OBJECT_num(objects); i++) {

        cert = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
        if (cert == NULL) {
            continue;
        }

        end = ngx_mpk_redis_not_after(cert);

        if (*ca == 0 || end < *ca) {
            *ca = end;
        }
    }

#endif
}


#if (NGX_SSL)

static time_t
ngx_mpk_redis_not_after(X509 *cert)
{
    int  days, seconds;

    if (ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert)) != 1) {
        return 0;
    }

    return time(NULL) + (time_t) days * 86400 + seconds;
}

#endif
