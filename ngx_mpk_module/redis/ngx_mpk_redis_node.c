/* A server and the worker's connections to it. */

#include "ngx_mpk_redis_node.h"
#include "ngx_mpk_redis_clock.h"
#include "ngx_mpk_redis_conn.h"
#include "ngx_mpk_redis_durable.h"
#include "ngx_mpk_redis_queue.h"


#define NGX_MPK_REDIS_REFUSED_TIME  5000    /* ms for which a refused commit counts */
#define NGX_MPK_REDIS_PING          1000    /* ms, far below a cluster-node-timeout */
#define NGX_MPK_REDIS_PING_IDLE     10000   /* ms, of a subscriber, which no request waits for */
#define NGX_MPK_REDIS_PING_POOL     512     /* bytes */


static void ngx_mpk_redis_node_ping_handler(ngx_event_t *ev);
static ngx_msec_t ngx_mpk_redis_node_ping_interval(
    ngx_mpk_redis_node_t *node);
static void ngx_mpk_redis_node_ping(ngx_mpk_redis_conn_t *conn);
static void ngx_mpk_redis_node_pong_handler(ngx_mpk_redis_cmd_t *cmd);
static ngx_mpk_redis_conn_t *ngx_mpk_redis_node_reader(
    ngx_mpk_redis_node_t *node);
static ngx_uint_t ngx_mpk_redis_node_full(ngx_mpk_redis_node_t *node,
    ngx_mpk_redis_lane_t lane);
static ngx_uint_t ngx_mpk_redis_node_usable(ngx_mpk_redis_conn_t *conn);


ngx_int_t
ngx_mpk_redis_node_init(ngx_mpk_redis_node_t *node, ngx_pool_t *pool)
{
    ngx_uint_t  i, n;

    n = node->readers + node->durable;

    node->conns = ngx_pcalloc(pool, n * sizeof(ngx_mpk_redis_conn_t));
    if (node->conns == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        ngx_mpk_redis_conn_init(&node->conns[i], node);
        node->nconns = i + 1;

        if (i == node->readers
            && ngx_mpk_redis_durable_init(&node->conns[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_mpk_redis_conn_connect(&node->conns[i]);
    }

    node->ping.handler = ngx_mpk_redis_node_ping_handler;
    node->ping.data = &node->conns[0];
    node->ping.log = node->worker->cycle->log;
    node->ping.cancelable = 1;

    ngx_add_timer(&node->ping, ngx_mpk_redis_node_ping_interval(node));

    return NGX_OK;
}


void
ngx_mpk_redis_node_exit(ngx_mpk_redis_node_t *node)
{
    ngx_uint_t             i;
    ngx_mpk_redis_conn_t  *conn;

    for (i = 0; i < node->nconns; i++) {
        conn = &node->conns[i];

        ngx_mpk_redis_conn_close(conn);
        ngx_mpk_redis_durable_exit(conn);

        if (conn->retry.timer_set) {
            ngx_del_timer(&conn->retry);
        }

        if (conn->ping) {
            ngx_queue_remove(&conn->ping->queue);
            ngx_destroy_pool(conn->ping->pool);
            conn->ping = NULL;
        }
    }

    node->nconns = 0;

    if (node->ping.timer_set) {
        ngx_del_timer(&node->ping);
    }
}


/*
 * An idle connection gets a command now and then: a firewall does not forget it, one that
 * hangs is detected before a request needs it, and the server's clock is known.
 */

static void
ngx_mpk_redis_node_ping_handler(ngx_event_t *ev)
{
    ngx_uint_t             i;
    ngx_mpk_redis_conn_t  *conn;
    ngx_mpk_redis_node_t  *node;

    conn = ev->data;
    node = conn->node;

    if (ngx_exiting) {
        return;
    }

    for (i = 0; i < node->nconns && !node->retired; i++) {
        conn = &node->conns[i];

        if (conn->state == NGX_MPK_REDIS_READY && conn->ping == NULL
            && (conn->pending == 0
                || (conn->pending < NGX_MPK_REDIS_QUEUE_MAX / 2
                    && !conn->durable && ngx_mpk_redis_clock_old(node))))
        {
            ngx_mpk_redis_node_ping(conn);
        }
    }

    ngx_add_timer(ev, ngx_mpk_redis_node_ping_interval(node));
}


static ngx_msec_t
ngx_mpk_redis_node_ping_interval(ngx_mpk_redis_node_t *node)
{
    return node->messages ? NGX_MPK_REDIS_PING_IDLE : NGX_MPK_REDIS_PING;
}


static void
ngx_mpk_redis_node_ping(ngx_mpk_redis_conn_t *conn)
{
    mpk_str_t             argv[1];
    ngx_mpk_redis_cmd_t  *cmd;

    /* TIME was refused in the setup, or is not for a subscriber */

    argv[0] = conn->node->clock.time ? mpk_string("TIME") : mpk_string("PING");

    cmd = ngx_mpk_redis_cmd_create(conn->node->worker, NGX_MPK_REDIS_PING_POOL,
                                   ngx_mpk_redis_node_pong_handler, 1, argv);
    if (cmd == NULL) {
        return;
    }

    cmd->data = conn;
    conn->ping = cmd;

    ngx_mpk_redis_conn_send(conn, cmd);
}


static void
ngx_mpk_redis_node_pong_handler(ngx_mpk_redis_cmd_t *cmd)
{
    ngx_mpk_redis_conn_t  *conn;

    conn = cmd->data;
    conn->ping = NULL;

    if (cmd->result == NGX_MPK_REDIS_ANSWERED && conn->node->clock.time) {
        ngx_mpk_redis_clock_sample(conn->node, cmd->reply,
                                   cmd->deadline - conn->redis->timeout, 0);
    }

    ngx_destroy_pool(cmd->pool);
}


void
ngx_mpk_redis_node_send(ngx_mpk_redis_node_t *node, ngx_mpk_redis_cmd_t *cmd)
{
    ngx_mpk_redis_conn_t  *conn;

    conn = ngx_mpk_redis_node_pick(node, cmd->lane);

    if (conn == NULL) {

        if (!cmd->background && ngx_mpk_redis_node_full(node, cmd->lane)) {
            ngx_mpk_redis_count(node->worker->redis, overflows);
        }

        ngx_mpk_redis_cmd_finish(node->worker, cmd, NGX_MPK_REDIS_FAILED);
        return;
    }

    ngx_mpk_redis_conn_send(conn, cmd);
}


ngx_mpk_redis_conn_t *
ngx_mpk_redis_node_pick(ngx_mpk_redis_node_t *node, ngx_mpk_redis_lane_t lane)
{
    return lane == NGX_MPK_REDIS_COMMIT && node->durable
           ? ngx_mpk_redis_durable_pick(node)
           : ngx_mpk_redis_node_reader(node);
}


/* The best state first, then the shortest queue; NULL: none takes a command. */

static ngx_mpk_redis_conn_t *
ngx_mpk_redis_node_reader(ngx_mpk_redis_node_t *node)
{
    ngx_uint_t             i, n, rank, best_rank;
    ngx_mpk_redis_conn_t  *conn, *best;

    best = NULL;
    best_rank = 0;
    n = node->readers;

    for (i = 0; i < n; i++) {

        if (node->next >= n) {
            node->next = 0;
        }

        conn = &node->conns[node->next++];

        if (conn->pending >= NGX_MPK_REDIS_QUEUE_MAX) {
            continue;
        }

        switch (conn->state) {

        case NGX_MPK_REDIS_READY:
            rank = 3;
            break;

        case NGX_MPK_REDIS_DRAINING:
            continue;

        case NGX_MPK_REDIS_DOWN:
            if (conn->retry.timer_set) {
                continue;
            }

            rank = 1;
            break;

        default:
            rank = 2;
        }

        if (rank > best_rank
            || (rank == best_rank && conn->pending < best->pending))
        {
            best = conn;
            best_rank = rank;
        }
    }

    /* the next command tries the connection after this one first */

    if (best) {
        node->next = (ngx_uint_t) (best - node->conns) + 1;
    }

    return best;
}


/* Whether a queue of the lane is full. */

static ngx_uint_t
ngx_mpk_redis_node_full(ngx_mpk_redis_node_t *node, ngx_mpk_redis_lane_t lane)
{
    ngx_uint_t  i, last;

    i = 0;
    last = node->readers;

    if (lane == NGX_MPK_REDIS_COMMIT && node->durable) {
        i = last++;
    }

    for ( /* void */ ; i < last; i++) {
        if (node->conns[i].pending >= NGX_MPK_REDIS_QUEUE_MAX) {
            return 1;
        }
    }

    return 0;
}


void
ngx_mpk_redis_node_reconnect(ngx_mpk_redis_node_t *node,
    ngx_mpk_redis_conn_t *conn)
{
    ngx_uint_t             i;
    ngx_mpk_redis_conn_t  *other;

    for (i = 0; i < node->nconns; i++) {
        other = &node->conns[i];

        if (other != conn && other->state == NGX_MPK_REDIS_READY) {
            ngx_mpk_redis_conn_move(other);
        }
    }
}


ngx_uint_t
ngx_mpk_redis_node_idle(ngx_mpk_redis_node_t *node)
{
    ngx_uint_t  i;

    for (i = 0; i < node->nconns; i++) {
        if (node->conns[i].pending) {
            return 0;
        }
    }

    return 1;
}


ngx_uint_t
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
        return ngx_mpk_redis_node_usable(&node->conns[node->readers]);
    }

    for (i = 0; i < node->readers; i++) {
        if (ngx_mpk_redis_node_usable(&node->conns[i])) {
            return 1;
        }
    }

    return 0;
}


/*
 * A connection that is connecting, or connects with the next command, counts unless the
 * last attempt failed: commands wait for it, and a worker that just started or shuts down
 * must not look unready to a load balancer.
 */

static ngx_uint_t
ngx_mpk_redis_node_usable(ngx_mpk_redis_conn_t *conn)
{
    if (conn->wait_failed || conn->pending >= NGX_MPK_REDIS_QUEUE_MAX) {
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
ngx_mpk_redis_node_info(ngx_mpk_redis_node_t *node,
    ngx_mpk_redis_node_info_t *info)
{
    ngx_uint_t             i;
    ngx_mpk_redis_conn_t  *conn;

    ngx_memzero(info, sizeof(ngx_mpk_redis_node_info_t));

    node->worker->redis->topology->node_name(node, &info->name);

    info->evicts = node->evicts;
    info->skew = ngx_mpk_redis_clock_skew(node);

    for (i = 0; i < node->nconns; i++) {
        conn = &node->conns[i];

        /* without a ping: nobody waits for it */

        info->pending += conn->pending - (conn->pending && conn->ping);

        if (conn->state != NGX_MPK_REDIS_READY) {
            continue;
        }

        if (conn->durable) {
            info->durable = !conn->wait_failed;

        } else {
            info->ready = 1;
        }
    }

    if (!node->durable) {
        info->durable = info->ready;
    }
}
