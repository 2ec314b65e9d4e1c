/*
 * A cluster: the key's slot selects the node, redirects correct that.  The slot map is
 * loaded at start and refreshed from the nodes in turn: periodically, after MOVED, and
 * whenever a node is lost.
 */

#include "ngx_mpk_redis_cluster.h"
#include "ngx_mpk_redis_conn.h"
#include "ngx_mpk_redis_log.h"
#include "ngx_mpk_redis_node.h"
#include "ngx_mpk_redis_queue.h"


#define NGX_MPK_REDIS_REDIRECTS_MAX  5
#define NGX_MPK_REDIS_SLOTS_POOL     4096     /* bytes */
#define NGX_MPK_REDIS_REQUEUE        20       /* ms until held commands are routed again */
#define NGX_MPK_REDIS_REFRESH        10000    /* ms between two refreshes of the slot map */
#define NGX_MPK_REDIS_REFRESH_SOON   250      /* while one of its nodes is down */
#define NGX_MPK_REDIS_REFRESH_NOW    20


static void ngx_mpk_redis_cluster_route(ngx_mpk_redis_cluster_t *cluster,
    ngx_mpk_redis_cmd_t *cmd);
static void ngx_mpk_redis_cluster_hold(ngx_mpk_redis_cluster_t *cluster,
    ngx_mpk_redis_cmd_t *cmd);
static void ngx_mpk_redis_cluster_requeue_handler(ngx_event_t *ev);
static void ngx_mpk_redis_cluster_rewind(ngx_mpk_redis_cmd_t *cmd);
static ngx_int_t ngx_mpk_redis_cluster_prepend_asking(ngx_mpk_redis_cmd_t *cmd);
static void ngx_mpk_redis_cluster_refresh(ngx_mpk_redis_cluster_t *cluster,
    ngx_msec_t delay);
static void ngx_mpk_redis_cluster_refresh_handler(ngx_event_t *ev);
static ngx_mpk_redis_conn_t *ngx_mpk_redis_cluster_source(
    ngx_mpk_redis_cluster_t *cluster);
static ngx_int_t ngx_mpk_redis_cluster_request(ngx_mpk_redis_cluster_t *cluster,
    ngx_mpk_redis_conn_t *conn);
static void ngx_mpk_redis_cluster_slots_handler(ngx_mpk_redis_cmd_t *cmd);
static ngx_msec_t ngx_mpk_redis_cluster_update(ngx_mpk_redis_cluster_t *cluster,
    ngx_mpk_redis_cmd_t *cmd);
static void ngx_mpk_redis_cluster_resolve_pending(
    ngx_mpk_redis_cluster_t *cluster);
static ngx_uint_t ngx_mpk_redis_cluster_settled(
    ngx_mpk_redis_cluster_t *cluster);


static const u_char  ngx_mpk_redis_asking[] = "*1\r\n$6\r\nASKING\r\n";

#define NGX_MPK_REDIS_ASKING_LEN  (sizeof(ngx_mpk_redis_asking) - 1)


ngx_int_t
ngx_mpk_redis_cluster_start(ngx_mpk_redis_worker_t *worker)
{
    ngx_log_t                *log;
    ngx_mpk_redis_node_t     *seeds;
    ngx_mpk_redis_cluster_t  *cluster;

    log = worker->cycle->log;

    cluster = ngx_pcalloc(worker->cycle->pool, sizeof(ngx_mpk_redis_cluster_t));
    if (cluster == NULL) {
        return NGX_ERROR;
    }

    worker->topology = cluster;

    cluster->worker = worker;

    ngx_queue_init(&cluster->nodes);
    ngx_queue_init(&cluster->held);

    cluster->refresh.handler = ngx_mpk_redis_cluster_refresh_handler;
    cluster->refresh.data = cluster;
    cluster->refresh.log = log;
    cluster->refresh.cancelable = 1;

    cluster->requeue.handler = ngx_mpk_redis_cluster_requeue_handler;
    cluster->requeue.data = cluster;
    cluster->requeue.log = log;

    /* the seeds get CLUSTER SLOTS and nothing else */

    seeds = &worker->node;
    seeds->readers = 1;
    seeds->durable = 0;

    if (ngx_mpk_redis_node_init(seeds, worker->cycle->pool) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_mpk_redis_cluster_refresh_handler(&cluster->refresh);

    return NGX_OK;
}


void
ngx_mpk_redis_cluster_stop(ngx_mpk_redis_worker_t *worker)
{
    ngx_queue_t              *q;
    ngx_mpk_redis_cluster_t  *cluster;

    cluster = worker->topology;

    while (!ngx_queue_empty(&cluster->nodes)) {
        q = ngx_queue_head(&cluster->nodes);
        ngx_mpk_redis_cluster_remove(cluster, ngx_mpk_redis_cluster_at(q));
    }

    if (cluster->refresh.timer_set) {
        ngx_del_timer(&cluster->refresh);
    }

    if (cluster->requeue.timer_set) {
        ngx_del_timer(&cluster->requeue);
    }

    if (cluster->request) {
        ngx_destroy_pool(cluster->request->pool);
        cluster->request = NULL;
    }
}


void
ngx_mpk_redis_cluster_send(ngx_mpk_redis_worker_t *worker,
    ngx_mpk_redis_cmd_t *cmd, ngx_uint_t argc, const mpk_str_t *argv)
{
    ngx_mpk_redis_cluster_t  *cluster;

    cluster = worker->topology;

    cmd->slot = ngx_mpk_redis_slot(argc, argv);
    cmd->retry_deadline = ngx_current_msec
                          + (cluster->loaded ? worker->redis->timeout
                                             : worker->redis->connect_timeout);

    ngx_mpk_redis_cluster_route(cluster, cmd);
}


ngx_mpk_redis_node_t *
ngx_mpk_redis_cluster_owner(ngx_mpk_redis_worker_t *worker, mpk_str_t key)
{
    mpk_str_t                 argv[2];
    ngx_mpk_redis_cluster_t  *cluster;

    cluster = worker->topology;

    argv[0] = mpk_string("");
    argv[1] = key;

    return cluster->slots[ngx_mpk_redis_slot(2, argv)];
}


static void
ngx_mpk_redis_cluster_route(ngx_mpk_redis_cluster_t *cluster,
    ngx_mpk_redis_cmd_t *cmd)
{
    ngx_mpk_redis_node_t  *node;
    ngx_mpk_redis_conn_t  *seeds;

    node = cluster->slots[cmd->slot];

    if (node) {
        ngx_log_debug3(NGX_LOG_DEBUG_CORE, cluster->worker->cycle->log, 0,
                       "mpk redis command routed: %V, slot %ui, %V",
                       &cmd->name, cmd->slot, &node->name);

        ngx_mpk_redis_node_send(node, cmd);
        return;
    }

    seeds = &cluster->worker->node.conns[0];

    if (!cluster->loaded && !seeds->retry.timer_set) {
        ngx_mpk_redis_cluster_hold(cluster, cmd);
        return;
    }

    ngx_mpk_redis_cluster_refresh(cluster, NGX_MPK_REDIS_REFRESH_NOW);
    ngx_mpk_redis_cmd_finish(cluster->worker, cmd, NGX_MPK_REDIS_FAILED);
}


/* Keeps a command until the slot map is loaded, or its slot has been moved. */

static void
ngx_mpk_redis_cluster_hold(ngx_mpk_redis_cluster_t *cluster,
    ngx_mpk_redis_cmd_t *cmd)
{
    if (cluster->nheld == NGX_MPK_REDIS_QUEUE_MAX) {
        ngx_mpk_redis_count(cluster->worker->redis, overflows);
        ngx_mpk_redis_cmd_finish(cluster->worker, cmd, NGX_MPK_REDIS_FAILED);
        return;
    }

    ngx_queue_insert_tail(&cluster->held, &cmd->queue);
    cluster->nheld++;

    ngx_log_debug3(NGX_LOG_DEBUG_CORE, cluster->worker->cycle->log, 0,
                   "mpk redis command held: %V, slot %ui, held: %ui",
                   &cmd->name, cmd->slot, cluster->nheld);

    if (!cluster->requeue.timer_set) {
        ngx_add_timer(&cluster->requeue, NGX_MPK_REDIS_REQUEUE);
    }
}


static void
ngx_mpk_redis_cluster_requeue_handler(ngx_event_t *ev)
{
    ngx_uint_t                n;
    ngx_queue_t              *q;
    ngx_mpk_redis_cmd_t      *cmd;
    ngx_mpk_redis_cluster_t  *cluster;

    cluster = ev->data;

    /* a command that is held again goes to the tail */

    for (n = cluster->nheld; n; n--) {
        ngx_mpk_assert(!ngx_queue_empty(&cluster->held));

        q = ngx_queue_head(&cluster->held);
        ngx_queue_remove(q);
        cluster->nheld--;

        cmd = ngx_mpk_redis_cmd_at(q);

        if ((ngx_msec_int_t) (cmd->retry_deadline - ngx_current_msec) <= 0) {
            ngx_mpk_redis_cmd_finish(cluster->worker, cmd,
                                     NGX_MPK_REDIS_FAILED);
            continue;
        }

        ngx_mpk_redis_cluster_route(cluster, cmd);
    }

    ngx_mpk_assert((cluster->nheld == 0) == ngx_queue_empty(&cluster->held));
}


/* After MOVED, ASK and TRYAGAIN nothing was executed: the command may be sent again. */

ngx_int_t
ngx_mpk_redis_cluster_redirect(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_cmd_t *cmd)
{
    ngx_mpk_redis_node_t     *node;
    ngx_mpk_redis_range_t     range;
    ngx_mpk_redis_cluster_t  *cluster;

    cluster = conn->node->worker->topology;

    switch (cmd->error) {

    case NGX_MPK_REDIS_ERR_TRYAGAIN:
        if ((ngx_msec_int_t) (cmd->retry_deadline - ngx_current_msec) <= 0) {
            return NGX_DECLINED;
        }

        ngx_mpk_redis_cluster_rewind(cmd);
        cmd->redirects = 0;
        ngx_mpk_redis_cluster_hold(cluster, cmd);

        return NGX_OK;

    case NGX_MPK_REDIS_ERR_CLUSTERDOWN:
        ngx_mpk_redis_cluster_refresh(cluster, NGX_MPK_REDIS_REFRESH_NOW);
        return NGX_DECLINED;

    case NGX_MPK_REDIS_ERR_MOVED:
    case NGX_MPK_REDIS_ERR_ASK:
        break;

    default:
        return NGX_DECLINED;
    }

    if (cmd->error == NGX_MPK_REDIS_ERR_MOVED) {
        ngx_mpk_redis_cluster_refresh(cluster, NGX_MPK_REDIS_REFRESH_NOW);
    }

    if (cmd->redirects == NGX_MPK_REDIS_REDIRECTS_MAX
        || ngx_mpk_redis_range_moved(cmd->reply->str, &range) != MPK_OK)
    {
        return NGX_DECLINED;
    }

    node = ngx_mpk_redis_cluster_find_node(cluster, conn, &range);
    if (node == NULL) {
        return NGX_DECLINED;
    }

    ngx_mpk_redis_cluster_rewind(cmd);
    ngx_mpk_redis_count(conn->redis, redirects);
    cmd->redirects++;

    ngx_log_debug5(NGX_LOG_DEBUG_CORE, &conn->log, 0,
                   "mpk redis command redirected: %V, %s, slot %ud, "
                   "from %V to %V",
                   &cmd->name,
                   cmd->error == NGX_MPK_REDIS_ERR_MOVED ? "MOVED" : "ASK",
                   range.first, &conn->node->endpoint, &node->endpoint);

    if (cmd->error == NGX_MPK_REDIS_ERR_MOVED) {
        cluster->slots[range.first] = node;

    } else {
        node->asking_at = ngx_current_msec | 1;

        if (ngx_mpk_redis_cluster_prepend_asking(cmd) != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    ngx_mpk_redis_node_send(node, cmd);

    return NGX_OK;
}


/* Prepares a command to be sent again, without the ASKING of an earlier redirect. */

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
ngx_mpk_redis_cluster_prepend_asking(ngx_mpk_redis_cmd_t *cmd)
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
ngx_mpk_redis_cluster_on_timeout(ngx_mpk_redis_conn_t *conn)
{
    ngx_mpk_redis_node_reconnect(conn->node, conn);
}


void
ngx_mpk_redis_cluster_on_lost(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_state_t state)
{
    if (!ngx_exiting && !conn->node->retired) {
        ngx_mpk_redis_cluster_refresh(conn->node->worker->topology,
                                      NGX_MPK_REDIS_REFRESH_NOW);
    }
}


/* Refreshes the slot map after delay, or when that was due before. */

static void
ngx_mpk_redis_cluster_refresh(ngx_mpk_redis_cluster_t *cluster,
    ngx_msec_t delay)
{
    ngx_event_t  *ev;

    ev = &cluster->refresh;

    /* jitter: not all workers at once */

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
    ngx_mpk_redis_conn_t     *conn;
    ngx_mpk_redis_cluster_t  *cluster;

    cluster = ev->data;

    if (ngx_exiting) {
        return;
    }

    ngx_mpk_redis_cluster_sweep(cluster);

    if (cluster->request
        && (ngx_msec_int_t) (ngx_current_msec - cluster->requested_at)
           < (ngx_msec_int_t) cluster->worker->redis->connect_timeout)
    {
        ngx_mpk_redis_cluster_refresh(cluster, NGX_MPK_REDIS_REFRESH_SOON);
        return;
    }

    conn = ngx_mpk_redis_cluster_source(cluster);

    if (conn == NULL
        || ngx_mpk_redis_cluster_request(cluster, conn) != NGX_OK)
    {
        ngx_mpk_redis_cluster_refresh(cluster, NGX_MPK_REDIS_REFRESH_SOON);
        return;
    }

    /* without a reply by then, the next node is queried */

    ngx_mpk_redis_cluster_refresh(cluster,
                                  cluster->worker->redis->connect_timeout);
}


/*
 * The connection for CLUSTER SLOTS: round-robin over the nodes that are ready, nodes that
 * timed out go last; without one, the seeds.  NULL: none can send now.
 */
static ngx_mpk_redis_conn_t *
ngx_mpk_redis_cluster_source(ngx_mpk_redis_cluster_t *cluster)
{
    ngx_queue_t           *q, *next;
    ngx_mpk_redis_node_t  *node, *seeds;
    ngx_mpk_redis_conn_t  *conn;

    next = NULL;

    ngx_mpk_redis_cluster_each(cluster, q) {
        node = ngx_mpk_redis_cluster_at(q);

        if (node->retired || node->conns[0].state != NGX_MPK_REDIS_READY) {
            continue;
        }

        if (next == NULL || !node->timed_out) {
            next = q;
        }

        if (!node->timed_out) {
            break;
        }
    }

    if (next) {
        ngx_queue_remove(next);
        ngx_queue_insert_tail(&cluster->nodes, next);

        conn = ngx_mpk_redis_node_pick(ngx_mpk_redis_cluster_at(next),
                                       NGX_MPK_REDIS_READ);
        if (conn) {
            return conn;
        }
    }

    seeds = &cluster->worker->node;
    seeds->retired = 0;

    return ngx_mpk_redis_node_pick(seeds, NGX_MPK_REDIS_READ);
}


static ngx_int_t
ngx_mpk_redis_cluster_request(ngx_mpk_redis_cluster_t *cluster,
    ngx_mpk_redis_conn_t *conn)
{
    mpk_str_t             argv[2];
    ngx_mpk_redis_cmd_t  *cmd;

    argv[0] = mpk_string("CLUSTER");
    argv[1] = mpk_string("SLOTS");

    cmd = ngx_mpk_redis_cmd_create(cluster->worker, NGX_MPK_REDIS_SLOTS_POOL,
                                   ngx_mpk_redis_cluster_slots_handler, 2,
                                   argv);
    if (cmd == NULL) {
        return NGX_ERROR;
    }

    cmd->data = cluster;

    cluster->request = cmd;
    cluster->source = conn;
    cluster->requested_at = ngx_current_msec;

    ngx_log_debug1(NGX_LOG_DEBUG_CORE, cluster->worker->cycle->log, 0,
                   "mpk redis slot map requested: %V", &conn->node->name);

    ngx_mpk_redis_conn_send(conn, cmd);

    return NGX_OK;
}


static void
ngx_mpk_redis_cluster_slots_handler(ngx_mpk_redis_cmd_t *cmd)
{
    ngx_msec_t                delay;
    ngx_mpk_redis_cluster_t  *cluster;

    cluster = cmd->data;

    /* a late reply is dropped: another node was queried meanwhile */

    if (cmd == cluster->request) {
        cluster->request = NULL;

        delay = ngx_mpk_redis_cluster_update(cluster, cmd);

        if (cluster->refresh.timer_set) {
            ngx_del_timer(&cluster->refresh);
        }

        ngx_mpk_redis_cluster_refresh(cluster, delay);
    }

    ngx_destroy_pool(cmd->pool);
}


/* Takes the reply to CLUSTER SLOTS; returns the delay of the next refresh. */

static ngx_msec_t
ngx_mpk_redis_cluster_update(ngx_mpk_redis_cluster_t *cluster,
    ngx_mpk_redis_cmd_t *cmd)
{
    ngx_log_t             *log;
    ngx_uint_t             missing, i;
    ngx_mpk_redis_node_t  *seeds;

    log = cluster->worker->cycle->log;
    seeds = &cluster->worker->node;

    if (cmd->result != NGX_MPK_REDIS_ANSWERED) {

        if (cmd->result == NGX_MPK_REDIS_REFUSED
            && ngx_mpk_redis_log_due(&cluster->logged))
        {
            ngx_log_error(NGX_LOG_ERR, log, 0,
                          "mpk_redis %V: CLUSTER SLOTS was refused: grant the "
                          "Redis user +cluster|slots, or use redis:// if the "
                          "server is not part of a cluster", &seeds->name);
        }

        return NGX_MPK_REDIS_REFRESH_SOON;
    }

    if (ngx_mpk_redis_cluster_set_slots(cluster, cmd->pool, cmd->reply)
        != NGX_OK)
    {
        if (ngx_mpk_redis_log_due(&cluster->logged)) {
            ngx_log_error(NGX_LOG_ERR, log, 0,
                          "mpk_redis %V: CLUSTER SLOTS has no usable node "
                          "address, keeping the slot map: set "
                          "\"cluster-preferred-endpoint-type ip\"",
                          &seeds->name);
        }

        return NGX_MPK_REDIS_REFRESH_SOON;
    }

    cluster->loaded = 1;
    seeds->retired = 1;

    ngx_mpk_redis_cluster_resolve_pending(cluster);
    ngx_mpk_redis_cluster_requeue_handler(&cluster->requeue);

    missing = 0;

    for (i = 0; i < NGX_MPK_REDIS_SLOTS; i++) {
        missing += cluster->slots[i] == NULL;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_CORE, log, 0,
                   "mpk redis slot map loaded: %V, nodes: %ui, "
                   "slots without master: %ui",
                   &seeds->name, cluster->nnodes, missing);

    if (missing) {

        if (ngx_mpk_redis_log_due(&cluster->logged)) {
            ngx_log_error(NGX_LOG_ERR, log, 0,
                          "mpk_redis %V: %ui of %d slots have no master, "
                          "requests for their orders fail: see CLUSTER INFO",
                          &seeds->name, missing, NGX_MPK_REDIS_SLOTS);
        }

        return NGX_MPK_REDIS_REFRESH_SOON;
    }

    return ngx_mpk_redis_cluster_settled(cluster) ? NGX_MPK_REDIS_REFRESH
                                                  : NGX_MPK_REDIS_REFRESH_SOON;
}


/*
 * A node that timed out and is back may not know yet that it was demoted: its data would
 * be stale.  Its connections need a slot map that another node has sent.
 */
ngx_uint_t
ngx_mpk_redis_cluster_needs_confirmation(ngx_mpk_redis_conn_t *conn)
{
    ngx_queue_t              *q;
    ngx_mpk_redis_node_t     *node, *other;
    ngx_mpk_redis_cluster_t  *cluster;

    node = conn->node;
    cluster = node->worker->topology;

    if (!node->timed_out || node == &node->worker->node) {
        return 0;
    }

    if (ngx_exiting) {
        return 1;
    }

    ngx_mpk_redis_cluster_each(cluster, q) {
        other = ngx_mpk_redis_cluster_at(q);

        if (other != node && !other->retired
            && other->conns[0].state == NGX_MPK_REDIS_READY)
        {
            ngx_mpk_redis_cluster_refresh(cluster, NGX_MPK_REDIS_REFRESH_NOW);
            return 1;
        }
    }

    node->timed_out = 0;

    return 0;
}


/*
 * A node has sent the slot map: UNCONFIRMED connections to other nodes become ready, and
 * the commands that waited for them are routed again.
 */
static void
ngx_mpk_redis_cluster_resolve_pending(ngx_mpk_redis_cluster_t *cluster)
{
    ngx_uint_t             i;
    ngx_queue_t           *q, *c;
    ngx_mpk_redis_node_t  *node;
    ngx_mpk_redis_conn_t  *conn;

    ngx_mpk_redis_cluster_each(cluster, q) {
        node = ngx_mpk_redis_cluster_at(q);

        if (!node->timed_out || node == cluster->source->node) {
            continue;
        }

        for (i = 0; i < node->nconns; i++) {
            conn = &node->conns[i];

            if (conn->state != NGX_MPK_REDIS_UNCONFIRMED) {
                continue;
            }

            while (!ngx_queue_empty(&conn->waiting)) {
                c = ngx_queue_head(&conn->waiting);
                ngx_queue_remove(c);
                conn->pending--;

                ngx_mpk_redis_cluster_hold(cluster, ngx_mpk_redis_cmd_at(c));
            }

            node->timed_out = 0;
            ngx_mpk_redis_conn_ready(conn);
        }
    }
}


/* Whether the seeds are disconnected and all nodes are ready. */

static ngx_uint_t
ngx_mpk_redis_cluster_settled(ngx_mpk_redis_cluster_t *cluster)
{
    ngx_uint_t             i;
    ngx_queue_t           *q;
    ngx_mpk_redis_node_t  *node;

    if (cluster->worker->node.conns[0].state != NGX_MPK_REDIS_DOWN) {
        return 0;
    }

    ngx_mpk_redis_cluster_each(cluster, q) {
        node = ngx_mpk_redis_cluster_at(q);

        if (node->retired || node->conns[0].state != NGX_MPK_REDIS_READY) {
            return 0;
        }

        for (i = 0; i < node->nconns; i++) {
            if (node->conns[i].state == NGX_MPK_REDIS_UNCONFIRMED) {
                return 0;
            }
        }
    }

    return 1;
}
