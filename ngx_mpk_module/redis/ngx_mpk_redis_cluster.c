/*
 * A cluster: commands go to the node of their key, and after it where it has moved; the
 * slots are learnt at start, from time to time, and when a node says that they moved.
 */

#include "ngx_mpk_redis_cluster.h"


#define NGX_MPK_REDIS_HOPS_MAX       5
#define NGX_MPK_REDIS_SLOTS_POOL     4096
#define NGX_MPK_REDIS_AGAIN          20       /* ms until what waits for a slot is tried again */
#define NGX_MPK_REDIS_REFRESH        10000    /* ms between two looks at the slots */
#define NGX_MPK_REDIS_REFRESH_SOON   250      /* while a node of them is down */
#define NGX_MPK_REDIS_REFRESH_NOW    20


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
static ngx_int_t ngx_mpk_redis_cluster_ask(ngx_mpk_redis_cluster_t *cluster,
    ngx_mpk_redis_conn_t *conn);
static void ngx_mpk_redis_cluster_answer(ngx_mpk_redis_cmd_t *cmd);
static void ngx_mpk_redis_cluster_trust(ngx_mpk_redis_cluster_t *cluster);
static ngx_uint_t ngx_mpk_redis_cluster_unsettled(ngx_mpk_redis_node_t *node);
static ngx_msec_t ngx_mpk_redis_cluster_take(ngx_mpk_redis_cluster_t *cluster,
    ngx_mpk_redis_cmd_t *cmd);


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
    ngx_queue_init(&cluster->pings);

    cluster->refresh.handler = ngx_mpk_redis_cluster_refresh_handler;
    cluster->refresh.data = cluster;
    cluster->refresh.log = log;
    cluster->refresh.cancelable = 1;

    cluster->again.handler = ngx_mpk_redis_cluster_again_handler;
    cluster->again.data = cluster;
    cluster->again.log = log;

    cluster->beat.handler = ngx_mpk_redis_cluster_beat_handler;
    cluster->beat.data = cluster;
    cluster->beat.log = log;
    cluster->beat.cancelable = 1;

    worker->cluster = cluster;

    /* the seeds are asked for the slots, and for nothing else */

    seeds = &worker->home;
    seeds->readers = 1;
    seeds->durable = 0;

    if (ngx_mpk_redis_node_init(seeds, worker->cycle->pool) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_mpk_redis_cluster_refresh_handler(&cluster->refresh);
    ngx_mpk_redis_cluster_beat_handler(&cluster->beat);

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

    ngx_mpk_redis_cluster_beat_stop(cluster);

    if (cluster->ask) {
        ngx_destroy_pool(cluster->ask->pool);
    }

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

    } else {
        node->asking_at = ngx_current_msec | 1;

        if (ngx_mpk_redis_cluster_asking(cmd) != NGX_OK) {
            return NGX_DECLINED;
        }
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
    ngx_queue_t              *q, *next;
    ngx_mpk_redis_node_t     *node;
    ngx_mpk_redis_conn_t     *conn;
    ngx_mpk_redis_cluster_t  *cluster;

    cluster = ev->data;

    if (ngx_exiting) {
        return;
    }

    ngx_mpk_redis_cluster_sweep(cluster);

    if (cluster->ask
        && (ngx_msec_int_t) (ngx_current_msec - cluster->asked_at)
           < (ngx_msec_int_t) cluster->worker->redis->connect_timeout)
    {
        ngx_mpk_redis_cluster_refresh_in(cluster, NGX_MPK_REDIS_REFRESH_SOON);
        return;
    }

    /*
     * Each in turn, who was silent at last: one that hangs does not say, one that is cut
     * off does not know.
     */

    next = NULL;

    ngx_mpk_redis_cluster_each(cluster, q) {
        node = ngx_mpk_redis_cluster_at(q);

        if (node->stale || node->conns[0].state != NGX_MPK_REDIS_READY) {
            continue;
        }

        if (next == NULL || !node->silent) {
            next = q;
        }

        if (!node->silent) {
            break;
        }
    }

    conn = NULL;

    if (next) {
        ngx_queue_remove(next);
        ngx_queue_insert_tail(&cluster->nodes, next);
        conn = ngx_mpk_redis_node_pick(ngx_mpk_redis_cluster_at(next),
                                       NGX_MPK_REDIS_READ);
    }

    if (conn == NULL) {
        cluster->worker->home.stale = 0;
        conn = ngx_mpk_redis_node_pick(&cluster->worker->home,
                                       NGX_MPK_REDIS_READ);
    }

    if (conn == NULL || ngx_mpk_redis_cluster_ask(cluster, conn) != NGX_OK) {
        ngx_mpk_redis_cluster_refresh_in(cluster, NGX_MPK_REDIS_REFRESH_SOON);
        return;
    }

    /* if it does not answer, the next one is asked */

    ngx_mpk_redis_cluster_refresh_in(cluster,
                                     cluster->worker->redis->connect_timeout);
}


static ngx_int_t
ngx_mpk_redis_cluster_ask(ngx_mpk_redis_cluster_t *cluster,
    ngx_mpk_redis_conn_t *conn)
{
    mpk_str_t             argv[2];
    ngx_pool_t           *pool;
    ngx_mpk_redis_cmd_t  *cmd;

    pool = ngx_create_pool(NGX_MPK_REDIS_SLOTS_POOL,
                           cluster->worker->cycle->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    argv[0] = mpk_string("CLUSTER");
    argv[1] = mpk_string("SLOTS");

    cmd = ngx_pcalloc(pool, sizeof(ngx_mpk_redis_cmd_t));

    if (cmd == NULL) {
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    cmd->pool = pool;
    cmd->handler = ngx_mpk_redis_cluster_answer;
    cmd->data = cluster;
    cmd->lane = NGX_MPK_REDIS_READ;
    cmd->own = 1;

    if (ngx_mpk_redis_format(cmd, 2, argv) != NGX_OK) {
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    cluster->ask = cmd;
    cluster->asked = conn;
    cluster->asked_at = ngx_current_msec;

    ngx_mpk_redis_queue(conn, cmd);

    return NGX_OK;
}


static void
ngx_mpk_redis_cluster_answer(ngx_mpk_redis_cmd_t *cmd)
{
    ngx_msec_t                delay;
    ngx_mpk_redis_cluster_t  *cluster;

    cluster = cmd->data;

    /* an answer that is late, since another node was asked */

    if (cmd == cluster->ask) {
        cluster->ask = NULL;

        delay = ngx_mpk_redis_cluster_take(cluster, cmd);

        if (cluster->refresh.timer_set) {
            ngx_del_timer(&cluster->refresh);
        }

        ngx_mpk_redis_cluster_refresh_in(cluster, delay);
    }

    ngx_destroy_pool(cmd->pool);
}


ngx_uint_t
ngx_mpk_redis_cluster_doubts(ngx_mpk_redis_node_t *node)
{
    ngx_queue_t              *q;
    ngx_mpk_redis_node_t     *other;
    ngx_mpk_redis_cluster_t  *cluster;

    cluster = node->worker->cluster;

    if (!node->silent || cluster == NULL || node == &cluster->worker->home) {
        return 0;
    }

    if (ngx_exiting) {
        return 1;
    }

    ngx_mpk_redis_cluster_each(cluster, q) {
        other = ngx_mpk_redis_cluster_at(q);

        if (other != node && !other->stale
            && other->conns[0].state == NGX_MPK_REDIS_READY)
        {
            ngx_mpk_redis_cluster_refresh(cluster->worker);
            return 1;
        }
    }

    node->silent = 0;

    return 0;
}


/* Another node has told the slots: what waited for that goes where they are. */

static void
ngx_mpk_redis_cluster_trust(ngx_mpk_redis_cluster_t *cluster)
{
    ngx_uint_t             i;
    ngx_queue_t           *q, *c;
    ngx_mpk_redis_node_t  *node;
    ngx_mpk_redis_conn_t  *conn;

    ngx_mpk_redis_cluster_each(cluster, q) {
        node = ngx_mpk_redis_cluster_at(q);

        if (!node->silent || node == cluster->asked->node) {
            continue;
        }

        for (i = 0; i < node->nconns; i++) {
            conn = &node->conns[i];

            if (conn->state != NGX_MPK_REDIS_DOUBTED) {
                continue;
            }

            while (!ngx_queue_empty(&conn->waiting)) {
                c = ngx_queue_head(&conn->waiting);
                ngx_queue_remove(c);
                conn->pending--;

                ngx_mpk_redis_cluster_later(cluster,
                                            ngx_queue_data(c,
                                                           ngx_mpk_redis_cmd_t,
                                                           queue));
            }

            node->silent = 0;
            ngx_mpk_redis_ready(conn);
        }
    }
}


/* When to ask again. */
static ngx_msec_t
ngx_mpk_redis_cluster_take(ngx_mpk_redis_cluster_t *cluster,
    ngx_mpk_redis_cmd_t *cmd)
{
    ngx_uint_t                missing, i;
    ngx_msec_t                delay;
    ngx_queue_t              *q;
    ngx_mpk_redis_node_t     *node;

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

        return delay;
    }

    if (ngx_mpk_redis_cluster_learn(cluster, cmd->pool, cmd->reply) != NGX_OK) {

        if (ngx_mpk_redis_log_due(&cluster->logged)) {
            ngx_log_error(NGX_LOG_ERR, cluster->worker->cycle->log, 0,
                          "mpk_redis %V: CLUSTER SLOTS has no node that can "
                          "be used: let cluster-preferred-endpoint-type be ip",
                          &cluster->worker->home.name);
        }

        return delay;
    }

    cluster->known = 1;
    cluster->worker->home.stale = 1;

    ngx_mpk_redis_cluster_trust(cluster);
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

            if (node->stale || ngx_mpk_redis_cluster_unsettled(node)) {
                delay = NGX_MPK_REDIS_REFRESH_SOON;
                break;
            }
        }
    }

    return delay;
}


static ngx_uint_t
ngx_mpk_redis_cluster_unsettled(ngx_mpk_redis_node_t *node)
{
    ngx_uint_t  i;

    for (i = 0; i < node->nconns; i++) {
        if (node->conns[i].state == NGX_MPK_REDIS_DOUBTED) {
            return 1;
        }
    }

    return node->conns[0].state != NGX_MPK_REDIS_READY;
}
