/* The nodes of a cluster: found by their announced address, made, removed. */

#include "ngx_mpk_redis_cluster.h"
#include "ngx_mpk_redis_conn.h"
#include "ngx_mpk_redis_node.h"
#include "ngx_mpk_redis_queue.h"


#define NGX_MPK_REDIS_NODES_MAX    1024
#define NGX_MPK_REDIS_NODE_POOL    4096    /* bytes */
#define NGX_MPK_REDIS_ASKING_TIME  10000   /* ms for which ASK keeps a node without slots */


static ngx_mpk_redis_node_t *ngx_mpk_redis_cluster_add(
    ngx_mpk_redis_cluster_t *cluster, ngx_str_t *endpoint, ngx_addr_t *addr,
    size_t host);
static void ngx_mpk_redis_cluster_revive(ngx_mpk_redis_node_t *node);


ngx_int_t
ngx_mpk_redis_cluster_set_slots(ngx_mpk_redis_cluster_t *cluster,
    ngx_pool_t *pool, ngx_mpk_redis_reply_t *reply)
{
    ngx_uint_t              i, k, n;
    ngx_queue_t            *q;
    ngx_mpk_redis_node_t   *node, **masters;
    ngx_mpk_redis_range_t  *range, *ranges;

    if (reply->type != NGX_MPK_REDIS_ARRAY) {
        return NGX_ERROR;
    }

    ranges = ngx_palloc(pool, reply->count * sizeof(ngx_mpk_redis_range_t));
    masters = ngx_palloc(pool, reply->count * sizeof(ngx_mpk_redis_node_t *));

    if (ranges == NULL || masters == NULL) {
        return NGX_ERROR;
    }

    /* a node that was just removed from the cluster lists no master */

    n = 0;
    range = ranges;
    k = 0;

    for (i = 0; i < reply->count; i++) {

        if (ngx_mpk_redis_range_read(&reply->elements[i], range) != MPK_OK) {
            continue;
        }

        k += range->last - range->first + 1;

        if (k > NGX_MPK_REDIS_SLOTS) {
            return NGX_ERROR;
        }

        masters[n] = ngx_mpk_redis_cluster_find_node(cluster,
                                                     cluster->source, range);

        if (masters[n]) {
            range = &ranges[++n];
        }
    }

    if (n == 0) {
        return NGX_ERROR;
    }

    ngx_mpk_redis_cluster_each(cluster, q) {
        ngx_mpk_redis_cluster_at(q)->slots = 0;
    }

    ngx_memzero(cluster->slots, sizeof(cluster->slots));

    for (i = 0; i < n; i++) {
        for (k = ranges[i].first; k <= ranges[i].last; k++) {
            cluster->slots[k] = masters[i];
            masters[i]->slots++;
        }
    }

    ngx_mpk_redis_cluster_each(cluster, q) {
        node = ngx_mpk_redis_cluster_at(q);

        /* a node without slots may be importing its first one */

        node->retired = node->slots == 0
                      && (node->asking_at == 0
                          || (ngx_msec_int_t) (ngx_current_msec
                                               - node->asking_at)
                             >= NGX_MPK_REDIS_ASKING_TIME);
    }

    return NGX_OK;
}


ngx_mpk_redis_node_t *
ngx_mpk_redis_cluster_next_node(ngx_mpk_redis_worker_t *worker,
    ngx_mpk_redis_node_t *node)
{
    ngx_queue_t              *q;
    ngx_mpk_redis_cluster_t  *cluster;

    cluster = worker->topology;

    q = node ? ngx_queue_next(&node->queue) : ngx_queue_head(&cluster->nodes);

    while (q != ngx_queue_sentinel(&cluster->nodes)
           && ngx_mpk_redis_cluster_at(q)->retired)
    {
        q = ngx_queue_next(q);
    }

    return q != ngx_queue_sentinel(&cluster->nodes)
           ? ngx_mpk_redis_cluster_at(q) : NULL;
}


void
ngx_mpk_redis_cluster_node_name(ngx_mpk_redis_node_t *node, ngx_str_t *name)
{
    *name = node->endpoint;
}


ngx_mpk_redis_node_t *
ngx_mpk_redis_cluster_find_node(ngx_mpk_redis_cluster_t *cluster,
    ngx_mpk_redis_conn_t *source, ngx_mpk_redis_range_t *range)
{
    u_char                 text[NGX_SOCKADDR_STRLEN];
    ngx_int_t              rc;
    ngx_str_t              host, endpoint;
    ngx_addr_t             addr;
    ngx_pool_t            *pool;
    ngx_queue_t           *q;
    ngx_mpk_redis_node_t  *node;

    host.data = (u_char *) range->host.data;
    host.len = range->host.len;

    if (host.len == 0) {
        host.data = text;
        host.len = ngx_sock_ntop(&source->sockaddr.sockaddr,
                                 source->peer.socklen, text,
                                 NGX_SOCKADDR_STRLEN, 0);
    }

    pool = ngx_create_pool(1024, cluster->worker->cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    node = NULL;

    endpoint.data = ngx_pnalloc(pool, host.len + sizeof(":65535"));
    if (endpoint.data == NULL) {
        goto done;
    }

    endpoint.len = ngx_sprintf(endpoint.data, "%V:%ud", &host, range->port)
                   - endpoint.data;

    ngx_mpk_redis_cluster_each(cluster, q) {
        node = ngx_mpk_redis_cluster_at(q);

        if (node->endpoint.len == endpoint.len
            && ngx_memcmp(node->endpoint.data, endpoint.data, endpoint.len)
               == 0)
        {
            ngx_mpk_redis_cluster_revive(node);
            goto done;
        }
    }

    node = NULL;

    rc = ngx_parse_addr(pool, &addr, host.data, host.len);

    if (rc == NGX_OK) {
        host.len = 0;

    } else if (rc == NGX_DECLINED && range->ip.len) {
        rc = ngx_parse_addr(pool, &addr, (u_char *) range->ip.data,
                            range->ip.len);
    }

    if (rc != NGX_OK || cluster->nnodes == NGX_MPK_REDIS_NODES_MAX) {
        goto done;
    }

    ngx_inet_set_port(addr.sockaddr, (in_port_t) range->port);

    node = ngx_mpk_redis_cluster_add(cluster, &endpoint, &addr, host.len);

done:

    ngx_destroy_pool(pool);

    return node;
}


/* A retired node is needed again: it does not reconnect by itself. */

static void
ngx_mpk_redis_cluster_revive(ngx_mpk_redis_node_t *node)
{
    ngx_uint_t             i;
    ngx_mpk_redis_conn_t  *conn;

    if (!node->retired) {
        return;
    }

    node->retired = 0;

    for (i = 0; i < node->nconns; i++) {
        conn = &node->conns[i];

        if (conn->state == NGX_MPK_REDIS_DOWN && !conn->retry.timer_set) {
            ngx_mpk_redis_conn_connect(conn);
        }
    }
}


static ngx_mpk_redis_node_t *
ngx_mpk_redis_cluster_add(ngx_mpk_redis_cluster_t *cluster,
    ngx_str_t *endpoint, ngx_addr_t *addr, size_t host)
{
    u_char                *p;
    ngx_pool_t            *pool;
    ngx_mpk_redis_t       *redis;
    ngx_mpk_redis_node_t  *node;

    redis = cluster->worker->redis;

    pool = ngx_create_pool(NGX_MPK_REDIS_NODE_POOL,
                           cluster->worker->cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    node = ngx_pcalloc(pool, sizeof(ngx_mpk_redis_node_t));
    if (node == NULL) {
        goto failed;
    }

    node->worker = cluster->worker;
    node->setup = &redis->setup;
    node->readers = redis->connections;
    node->durable = ngx_mpk_redis_durable(redis);
    node->pool = pool;

    node->addrs = ngx_palloc(pool, sizeof(ngx_addr_t));
    if (node->addrs == NULL) {
        goto failed;
    }

    node->naddrs = 1;
    node->addrs[0].socklen = addr->socklen;
    node->addrs[0].sockaddr = ngx_palloc(pool, addr->socklen);

    /* "host:port of URL", and the host by itself, with its NUL */

    p = ngx_pnalloc(pool, endpoint->len + sizeof(" of ") - 1 + redis->name.len
                          + host + 1);

    if (node->addrs[0].sockaddr == NULL || p == NULL) {
        goto failed;
    }

    ngx_memcpy(node->addrs[0].sockaddr, addr->sockaddr, addr->socklen);

    node->name.data = p;
    p = ngx_sprintf(p, "%V of %V", endpoint, &redis->name);
    node->name.len = p - node->name.data;

    node->endpoint.data = node->name.data;
    node->endpoint.len = endpoint->len;
    node->addrs[0].name = node->endpoint;

    node->host.data = p;
    node->host.len = host;
    (void) ngx_cpystrn(p, endpoint->data, host + 1);

    ngx_queue_insert_tail(&cluster->nodes, &node->queue);
    cluster->nnodes++;

    if (ngx_mpk_redis_node_init(node, pool) != NGX_OK) {
        ngx_mpk_redis_cluster_remove(cluster, node);
        return NULL;
    }

    ngx_log_error(NGX_LOG_NOTICE, cluster->worker->cycle->log, 0,
                  "mpk_redis %V: node added", &node->name);

    return node;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


void
ngx_mpk_redis_cluster_sweep(ngx_mpk_redis_cluster_t *cluster)
{
    ngx_uint_t             i;
    ngx_queue_t           *q, *next;
    ngx_mpk_redis_node_t  *node;

    if (cluster->worker->node.retired
        && ngx_mpk_redis_node_idle(&cluster->worker->node))
    {
        ngx_mpk_redis_conn_close(&cluster->worker->node.conns[0]);

        if (cluster->worker->node.conns[0].retry.timer_set) {
            ngx_del_timer(&cluster->worker->node.conns[0].retry);
        }
    }

    for (q = ngx_queue_head(&cluster->nodes);
         q != ngx_queue_sentinel(&cluster->nodes);
         q = next)
    {
        next = ngx_queue_next(q);
        node = ngx_mpk_redis_cluster_at(q);

        if (!node->retired || !ngx_mpk_redis_node_idle(node)) {
            continue;
        }

        /* MOVED may have set a slot since */

        for (i = 0; i < NGX_MPK_REDIS_SLOTS; i++) {
            if (cluster->slots[i] == node) {
                cluster->slots[i] = NULL;
            }
        }

        ngx_log_error(NGX_LOG_NOTICE, cluster->worker->cycle->log, 0,
                      "mpk_redis %V: node removed", &node->name);

        ngx_mpk_redis_cluster_remove(cluster, node);
    }
}


void
ngx_mpk_redis_cluster_remove(ngx_mpk_redis_cluster_t *cluster,
    ngx_mpk_redis_node_t *node)
{
    ngx_queue_remove(&node->queue);
    cluster->nnodes--;

    ngx_mpk_redis_node_exit(node);
    ngx_destroy_pool(node->pool);
}
