/*
 * A cluster: which node has which slot, learnt at start, from time to time, and when a
 * node says that slots have moved; commands go to the node of their key, and after it.
 */

#include "ngx_mpk_redis_int.h"


#define NGX_MPK_REDIS_HOPS_MAX       5
#define NGX_MPK_REDIS_NODES_MAX      1024
#define NGX_MPK_REDIS_NODE_POOL      4096     /* bytes */
#define NGX_MPK_REDIS_SLOTS_POOL     4096
#define NGX_MPK_REDIS_AGAIN          20       /* ms until what waits for a slot is tried again */
#define NGX_MPK_REDIS_REFRESH        10000    /* ms between two looks at the slots */
#define NGX_MPK_REDIS_REFRESH_SOON   250      /* while a node of them is down */
#define NGX_MPK_REDIS_REFRESH_NOW    20


struct ngx_mpk_redis_cluster_s {
    ngx_mpk_redis_worker_t   *worker;
    ngx_queue_t               nodes;
    ngx_uint_t                nnodes;

    ngx_mpk_redis_cmd_t       ask;           /* CLUSTER SLOTS */
    ngx_mpk_redis_conn_t     *asked;
    ngx_event_t               refresh;
    ngx_msec_t                logged;
    unsigned                  asking:1;
    unsigned                  known:1;       /* it was answered once */

    ngx_queue_t               later;         /* commands that no node takes just now */
    ngx_uint_t                nlater;
    ngx_event_t               again;

    ngx_mpk_redis_node_t     *slots[NGX_MPK_REDIS_SLOTS];
};


static void ngx_mpk_redis_cluster_route(ngx_mpk_redis_cluster_t *cluster,
    ngx_mpk_redis_cmd_t *cmd);
static void ngx_mpk_redis_cluster_later(ngx_mpk_redis_cluster_t *cluster,
    ngx_mpk_redis_cmd_t *cmd);
static void ngx_mpk_redis_cluster_again_handler(ngx_event_t *ev);
static void ngx_mpk_redis_cluster_rewind(ngx_mpk_redis_cmd_t *cmd);
static ngx_int_t ngx_mpk_redis_cluster_asking(ngx_mpk_redis_cmd_t *cmd);
static void ngx_mpk_redis_cluster_refresh_in(ngx_mpk_redis_cluster_t *cluster,
    ngx_msec_t delay);
static void ngx_mpk_redis_cluster_refresh_handler(ngx_event_t *ev);
static void ngx_mpk_redis_cluster_answer(ngx_mpk_redis_cmd_t *cmd);
static ngx_int_t ngx_mpk_redis_cluster_learn(ngx_mpk_redis_cluster_t *cluster,
    ngx_mpk_redis_reply_t *reply);
static ngx_mpk_redis_node_t *ngx_mpk_redis_cluster_node(
    ngx_mpk_redis_cluster_t *cluster, ngx_mpk_redis_conn_t *teller,
    ngx_mpk_redis_range_t *range);
static ngx_mpk_redis_node_t *ngx_mpk_redis_cluster_add(
    ngx_mpk_redis_cluster_t *cluster, ngx_str_t *endpoint, ngx_addr_t *addr,
    size_t host);
static void ngx_mpk_redis_cluster_sweep(ngx_mpk_redis_cluster_t *cluster);
static ngx_uint_t ngx_mpk_redis_cluster_idle(ngx_mpk_redis_node_t *node);
static void ngx_mpk_redis_cluster_remove(ngx_mpk_redis_cluster_t *cluster,
    ngx_mpk_redis_node_t *node);


#define ngx_mpk_redis_cluster_each(cluster, q)                               \
    for (q = ngx_queue_head(&(cluster)->nodes);                              \
         q != ngx_queue_sentinel(&(cluster)->nodes);                         \
         q = ngx_queue_next(q))

#define ngx_mpk_redis_cluster_at(q)                                          \
    (ngx_queue_data(q, ngx_mpk_redis_node_t, queue))


ngx_int_t
ngx_mpk_redis_cluster_init(ngx_mpk_redis_worker_t *worker)
{
    ngx_log_t                *log;
    ngx_mpk_redis_node_t     *seeds;
    ngx_mpk_redis_cluster_t  *cluster;

    log = worker->cycle->log;

    cluster = ngx_pcalloc(worker->cycle->pool, sizeof(ngx_mpk_redis_cluster_t));
    if (cluster == NULL) {
        return NGX_ERROR;
    }

    cluster->worker = worker;

    ngx_queue_init(&cluster->nodes);
    ngx_queue_init(&cluster->later);

    cluster->refresh.handler = ngx_mpk_redis_cluster_refresh_handler;
    cluster->refresh.data = cluster;
    cluster->refresh.log = log;
    cluster->refresh.cancelable = 1;

    cluster->again.handler = ngx_mpk_redis_cluster_again_handler;
    cluster->again.data = cluster;
    cluster->again.log = log;

    cluster->ask.pool = ngx_create_pool(NGX_MPK_REDIS_SLOTS_POOL, log);
    if (cluster->ask.pool == NULL) {
        return NGX_ERROR;
    }

    worker->cluster = cluster;

    /* the seeds are asked for the slots, and for nothing else */

    seeds = &worker->home;
    seeds->readers = 1;
    seeds->durable = 0;

    if (ngx_mpk_redis_node_init(seeds, worker->cycle->pool) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_mpk_redis_cluster_refresh_handler(&cluster->refresh);

    return NGX_OK;
}


void
ngx_mpk_redis_cluster_exit(ngx_mpk_redis_worker_t *worker)
{
    ngx_mpk_redis_cluster_t  *cluster;

    cluster = worker->cluster;

    if (cluster == NULL) {
        return;
    }

    while (!ngx_queue_empty(&cluster->nodes)) {
        ngx_mpk_redis_cluster_remove(cluster, ngx_mpk_redis_cluster_at(
                                              ngx_queue_head(&cluster->nodes)));
    }

    if (cluster->refresh.timer_set) {
        ngx_del_timer(&cluster->refresh);
    }

    if (cluster->again.timer_set) {
        ngx_del_timer(&cluster->again);
    }

    ngx_destroy_pool(cluster->ask.pool);

    worker->cluster = NULL;
}


void
ngx_mpk_redis_cluster_send(ngx_mpk_redis_worker_t *worker,
    ngx_mpk_redis_cmd_t *cmd, ngx_uint_t argc, const mpk_str_t *argv)
{
    cmd->slot = ngx_mpk_redis_slot(argc, argv);
    cmd->until = ngx_current_msec + (worker->cluster->known
                                     ? worker->redis->timeout
                                     : worker->redis->connect_timeout);

    ngx_mpk_redis_cluster_route(worker->cluster, cmd);
}


static void
ngx_mpk_redis_cluster_route(ngx_mpk_redis_cluster_t *cluster,
    ngx_mpk_redis_cmd_t *cmd)
{
    ngx_mpk_redis_node_t  *node;
    ngx_mpk_redis_conn_t  *seeds;

    node = cluster->slots[cmd->slot];

    if (node) {
        ngx_mpk_redis_node_send(node, cmd);
        return;
    }

    seeds = &cluster->worker->home.conns[0];

    if (!cluster->known && !seeds->retry.timer_set) {
        ngx_mpk_redis_cluster_later(cluster, cmd);
        return;
    }

    ngx_mpk_redis_cluster_refresh(cluster->worker);
    ngx_mpk_redis_done(cluster->worker, cmd, NGX_MPK_REDIS_FAILED);
}


static void
ngx_mpk_redis_cluster_later(ngx_mpk_redis_cluster_t *cluster,
    ngx_mpk_redis_cmd_t *cmd)
{
    if (cluster->nlater == NGX_MPK_REDIS_QUEUE_MAX) {
        ngx_mpk_redis_count(cluster->worker->redis, overflows);
        ngx_mpk_redis_done(cluster->worker, cmd, NGX_MPK_REDIS_FAILED);
        return;
    }

    ngx_queue_insert_tail(&cluster->later, &cmd->queue);
    cluster->nlater++;

    if (!cluster->again.timer_set) {
        ngx_add_timer(&cluster->again, NGX_MPK_REDIS_AGAIN);
    }
}


static void
ngx_mpk_redis_cluster_again_handler(ngx_event_t *ev)
{
    ngx_uint_t                n;
    ngx_queue_t              *q;
    ngx_mpk_redis_cmd_t      *cmd;
    ngx_mpk_redis_cluster_t  *cluster;

    cluster = ev->data;

    /* those that have to wait again come to the end */

    for (n = cluster->nlater; n; n--) {
        q = ngx_queue_head(&cluster->later);
        ngx_queue_remove(q);
        cluster->nlater--;

        cmd = ngx_queue_data(q, ngx_mpk_redis_cmd_t, queue);

        if ((ngx_msec_int_t) (cmd->until - ngx_current_msec) <= 0) {
            ngx_mpk_redis_done(cluster->worker, cmd, NGX_MPK_REDIS_FAILED);
            continue;
        }

        ngx_mpk_redis_cluster_route(cluster, cmd);
    }
}


/* These errors say that nothing was executed: the command may be sent again. */

ngx_int_t
ngx_mpk_redis_cluster_follow(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_cmd_t *cmd)
{
    ngx_mpk_redis_node_t     *node;
    ngx_mpk_redis_range_t     range;
    ngx_mpk_redis_cluster_t  *cluster;

    cluster = conn->node->worker->cluster;

    switch (cmd->error) {

    case NGX_MPK_REDIS_ERR_TRYAGAIN:
        if ((ngx_msec_int_t) (cmd->until - ngx_current_msec) <= 0) {
            return NGX_DECLINED;
        }

        ngx_mpk_redis_cluster_rewind(cmd);
        cmd->hops = 0;
        ngx_mpk_redis_cluster_later(cluster, cmd);

        return NGX_OK;

    case NGX_MPK_REDIS_ERR_CLUSTERDOWN:
        ngx_mpk_redis_cluster_refresh(cluster->worker);
        return NGX_DECLINED;

    case NGX_MPK_REDIS_ERR_MOVED:
    case NGX_MPK_REDIS_ERR_ASK:
        break;

    default:
        return NGX_DECLINED;
    }

    if (cmd->error == NGX_MPK_REDIS_ERR_MOVED) {
        ngx_mpk_redis_cluster_refresh(cluster->worker);
    }

    if (cmd->hops == NGX_MPK_REDIS_HOPS_MAX
        || ngx_mpk_redis_range_moved(cmd->reply->str, &range) != MPK_OK)
    {
        return NGX_DECLINED;
    }

    node = ngx_mpk_redis_cluster_node(cluster, conn, &range);
    if (node == NULL) {
        return NGX_DECLINED;
    }

    ngx_mpk_redis_cluster_rewind(cmd);
    ngx_mpk_redis_count(conn->redis, redirects);
    cmd->hops++;

    if (cmd->error == NGX_MPK_REDIS_ERR_MOVED) {
        cluster->slots[range.first] = node;

    } else if (ngx_mpk_redis_cluster_asking(cmd) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_mpk_redis_node_send(node, cmd);

    return NGX_OK;
}


static const u_char  ngx_mpk_redis_asking[] = "*1\r\n$6\r\nASKING\r\n";

#define NGX_MPK_REDIS_ASKING_LEN  (sizeof(ngx_mpk_redis_asking) - 1)


/* ASKING holds for the next command only. */
static void
ngx_mpk_redis_cluster_rewind(ngx_mpk_redis_cmd_t *cmd)
{
    ngx_buf_t  *b;

    b = &cmd->buf;

    if ((size_t) (b->end - b->start) > NGX_MPK_REDIS_ASKING_LEN
        && ngx_memcmp(b->start, ngx_mpk_redis_asking, NGX_MPK_REDIS_ASKING_LEN)
           == 0)
    {
        b->start += NGX_MPK_REDIS_ASKING_LEN;
    }

    b->pos = b->start;
    b->last = b->end;

    cmd->link.next = NULL;
    cmd->sent = 0;
}


static ngx_int_t
ngx_mpk_redis_cluster_asking(ngx_mpk_redis_cmd_t *cmd)
{
    size_t      len;
    u_char     *p;
    ngx_buf_t  *b;

    b = &cmd->buf;
    len = b->end - b->start;

    p = ngx_pnalloc(cmd->pool, NGX_MPK_REDIS_ASKING_LEN + len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, ngx_mpk_redis_asking, NGX_MPK_REDIS_ASKING_LEN);
    ngx_memcpy(p + NGX_MPK_REDIS_ASKING_LEN, b->start, len);

    b->start = p;
    b->pos = p;
    b->last = p + NGX_MPK_REDIS_ASKING_LEN + len;
    b->end = b->last;

    cmd->asking = 1;

    return NGX_OK;
}


ngx_mpk_redis_node_t *
ngx_mpk_redis_cluster_next(ngx_mpk_redis_worker_t *worker,
    ngx_mpk_redis_node_t *node)
{
    ngx_queue_t              *q;
    ngx_mpk_redis_cluster_t  *cluster;

    cluster = worker->cluster;

    q = node ? ngx_queue_next(&node->queue) : ngx_queue_head(&cluster->nodes);

    while (q != ngx_queue_sentinel(&cluster->nodes)
           && ngx_mpk_redis_cluster_at(q)->stale)
    {
        q = ngx_queue_next(q);
    }

    return q != ngx_queue_sentinel(&cluster->nodes)
           ? ngx_mpk_redis_cluster_at(q) : NULL;
}


void
ngx_mpk_redis_cluster_refresh(ngx_mpk_redis_worker_t *worker)
{
    ngx_mpk_redis_cluster_refresh_in(worker->cluster,
                                     NGX_MPK_REDIS_REFRESH_NOW);
}


/* Never later than asked for before. */
static void
ngx_mpk_redis_cluster_refresh_in(ngx_mpk_redis_cluster_t *cluster,
    ngx_msec_t delay)
{
    ngx_event_t  *ev;

    ev = &cluster->refresh;

    /* workers need not come together */

    delay += ngx_random() % (delay + 1);

    if (ev->timer_set) {

        if ((ngx_msec_int_t) (ev->timer.key - ngx_current_msec)
            <= (ngx_msec_int_t) delay)
        {
            return;
        }

        ngx_del_timer(ev);
    }

    ngx_add_timer(ev, delay);
}


static void
ngx_mpk_redis_cluster_refresh_handler(ngx_event_t *ev)
{
    mpk_str_t                 argv[2];
    ngx_queue_t              *q;
    ngx_mpk_redis_cmd_t      *cmd;
    ngx_mpk_redis_node_t     *node;
    ngx_mpk_redis_conn_t     *conn;
    ngx_mpk_redis_cluster_t  *cluster;

    cluster = ev->data;

    if (ngx_exiting) {
        return;
    }

    ngx_mpk_redis_cluster_sweep(cluster);

    if (cluster->asking) {
        ngx_mpk_redis_cluster_refresh_in(cluster, NGX_MPK_REDIS_REFRESH_SOON);
        return;
    }

    /* each in turn, since one that is cut off from the others would not know */

    conn = NULL;

    ngx_mpk_redis_cluster_each(cluster, q) {
        node = ngx_mpk_redis_cluster_at(q);

        if (!node->stale && node->conns[0].state == NGX_MPK_REDIS_READY) {
            ngx_queue_remove(q);
            ngx_queue_insert_tail(&cluster->nodes, q);
            conn = ngx_mpk_redis_node_pick(node, NGX_MPK_REDIS_READ);
            break;
        }
    }

    if (conn == NULL) {
        cluster->worker->home.stale = 0;
        conn = ngx_mpk_redis_node_pick(&cluster->worker->home,
                                       NGX_MPK_REDIS_READ);
    }

    cmd = &cluster->ask;

    ngx_reset_pool(cmd->pool);

    argv[0] = mpk_string("CLUSTER");
    argv[1] = mpk_string("SLOTS");

    if (conn == NULL || ngx_mpk_redis_format(cmd, 2, argv) != NGX_OK) {
        ngx_mpk_redis_cluster_refresh_in(cluster, NGX_MPK_REDIS_REFRESH_SOON);
        return;
    }

    cmd->handler = ngx_mpk_redis_cluster_answer;
    cmd->data = cluster;
    cmd->error = NGX_MPK_REDIS_ERR_OTHER;
    cmd->reply = NULL;
    cmd->lane = NGX_MPK_REDIS_READ;

    cluster->asking = 1;
    cluster->asked = conn;

    ngx_mpk_redis_queue(conn, cmd);
}


static void
ngx_mpk_redis_cluster_answer(ngx_mpk_redis_cmd_t *cmd)
{
    ngx_uint_t                missing, i;
    ngx_msec_t                delay;
    ngx_queue_t              *q;
    ngx_mpk_redis_node_t     *node;
    ngx_mpk_redis_cluster_t  *cluster;

    cluster = cmd->data;

    cluster->asking = 0;
    delay = NGX_MPK_REDIS_REFRESH_SOON;

    if (cmd->result != NGX_MPK_REDIS_ANSWERED) {

        if (cmd->result == NGX_MPK_REDIS_REFUSED
            && ngx_mpk_redis_log_due(&cluster->logged))
        {
            ngx_log_error(NGX_LOG_ERR, cluster->worker->cycle->log, 0,
                          "mpk_redis %V: CLUSTER SLOTS was refused: a server "
                          "that is no cluster takes redis://, an ACL must "
                          "have +cluster|slots", &cluster->worker->home.name);
        }

        ngx_mpk_redis_cluster_refresh_in(cluster, delay);
        return;
    }

    if (ngx_mpk_redis_cluster_learn(cluster, cmd->reply) != NGX_OK) {

        if (ngx_mpk_redis_log_due(&cluster->logged)) {
            ngx_log_error(NGX_LOG_ERR, cluster->worker->cycle->log, 0,
                          "mpk_redis %V: CLUSTER SLOTS has no node that can "
                          "be used: let cluster-preferred-endpoint-type be ip",
                          &cluster->worker->home.name);
        }

        ngx_mpk_redis_cluster_refresh_in(cluster, delay);
        return;
    }

    cluster->known = 1;
    cluster->worker->home.stale = 1;

    ngx_mpk_redis_cluster_again_handler(&cluster->again);

    missing = 0;

    for (i = 0; i < NGX_MPK_REDIS_SLOTS; i++) {
        missing += cluster->slots[i] == NULL;
    }

    if (missing) {

        if (ngx_mpk_redis_log_due(&cluster->logged)) {
            ngx_log_error(NGX_LOG_ERR, cluster->worker->cycle->log, 0,
                          "mpk_redis %V: %ui of %d slots have no master, "
                          "orders in them can't be reached, see CLUSTER INFO",
                          &cluster->worker->home.name, missing,
                          NGX_MPK_REDIS_SLOTS);
        }

    } else if (cluster->worker->home.conns[0].state == NGX_MPK_REDIS_DOWN) {
        delay = NGX_MPK_REDIS_REFRESH;

        ngx_mpk_redis_cluster_each(cluster, q) {
            node = ngx_mpk_redis_cluster_at(q);

            if (node->stale || node->conns[0].state != NGX_MPK_REDIS_READY) {
                delay = NGX_MPK_REDIS_REFRESH_SOON;
                break;
            }
        }
    }

    ngx_mpk_redis_cluster_refresh_in(cluster, delay);
}


static ngx_int_t
ngx_mpk_redis_cluster_learn(ngx_mpk_redis_cluster_t *cluster,
    ngx_mpk_redis_reply_t *reply)
{
    ngx_uint_t              i, k, n;
    ngx_queue_t            *q;
    ngx_mpk_redis_node_t   *node;
    ngx_mpk_redis_range_t   range;

    if (reply->type != NGX_MPK_REDIS_ARRAY) {
        return NGX_ERROR;
    }

    /* a node that was just taken out of the cluster knows of none */

    for (i = 0; i < reply->count; i++) {
        if (ngx_mpk_redis_range_read(&reply->elements[i], &range) == MPK_OK) {
            break;
        }
    }

    if (i == reply->count) {
        return NGX_ERROR;
    }

    ngx_mpk_redis_cluster_each(cluster, q) {
        ngx_mpk_redis_cluster_at(q)->slots = 0;
    }

    ngx_memzero(cluster->slots, sizeof(cluster->slots));

    n = 0;

    for (i = 0; i < reply->count; i++) {

        if (ngx_mpk_redis_range_read(&reply->elements[i], &range) != MPK_OK) {
            continue;
        }

        node = ngx_mpk_redis_cluster_node(cluster, cluster->asked, &range);
        if (node == NULL) {
            continue;
        }

        for (k = range.first; k <= range.last; k++) {
            cluster->slots[k] = node;
            node->slots++;
            n++;
        }
    }

    ngx_mpk_redis_cluster_each(cluster, q) {
        node = ngx_mpk_redis_cluster_at(q);
        node->stale = node->slots == 0;
    }

    return n ? NGX_OK : NGX_ERROR;
}


/* The one that teller speaks of; made, where it is new. */
static ngx_mpk_redis_node_t *
ngx_mpk_redis_cluster_node(ngx_mpk_redis_cluster_t *cluster,
    ngx_mpk_redis_conn_t *teller, ngx_mpk_redis_range_t *range)
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
        host.len = ngx_sock_ntop(&teller->sockaddr.sockaddr,
                                 teller->peer.socklen, text,
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
            node->stale = 0;
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
    node->greeting = &redis->greeting;
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
                  "mpk_redis %V: this node is in use", &node->name);

    return node;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


/* Nodes that have no slots any longer, once they owe no answer. */
static void
ngx_mpk_redis_cluster_sweep(ngx_mpk_redis_cluster_t *cluster)
{
    ngx_uint_t             i;
    ngx_queue_t           *q, *next;
    ngx_mpk_redis_node_t  *node;

    if (cluster->worker->home.stale
        && ngx_mpk_redis_cluster_idle(&cluster->worker->home))
    {
        ngx_mpk_redis_close(&cluster->worker->home.conns[0]);

        if (cluster->worker->home.conns[0].retry.timer_set) {
            ngx_del_timer(&cluster->worker->home.conns[0].retry);
        }
    }

    for (q = ngx_queue_head(&cluster->nodes);
         q != ngx_queue_sentinel(&cluster->nodes);
         q = next)
    {
        next = ngx_queue_next(q);
        node = ngx_mpk_redis_cluster_at(q);

        if (!node->stale || !ngx_mpk_redis_cluster_idle(node)) {
            continue;
        }

        /* MOVED may have said so since */

        for (i = 0; i < NGX_MPK_REDIS_SLOTS; i++) {
            if (cluster->slots[i] == node) {
                cluster->slots[i] = NULL;
            }
        }

        ngx_log_error(NGX_LOG_NOTICE, cluster->worker->cycle->log, 0,
                      "mpk_redis %V: this node has left", &node->name);

        ngx_mpk_redis_cluster_remove(cluster, node);
    }
}


static ngx_uint_t
ngx_mpk_redis_cluster_idle(ngx_mpk_redis_node_t *node)
{
    ngx_uint_t  i;

    for (i = 0; i < node->nconns; i++) {
        if (node->conns[i].pending) {
            return 0;
        }
    }

    return 1;
}


static void
ngx_mpk_redis_cluster_remove(ngx_mpk_redis_cluster_t *cluster,
    ngx_mpk_redis_node_t *node)
{
    ngx_queue_remove(&node->queue);
    cluster->nnodes--;

    ngx_mpk_redis_node_exit(node);
    ngx_destroy_pool(node->pool);
}
