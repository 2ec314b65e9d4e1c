/* A server and the worker's connections to it: made, chosen from, closed. */

#include "ngx_mpk_redis_int.h"


static void ngx_mpk_redis_node_conn(ngx_mpk_redis_node_t *node,
    ngx_mpk_redis_conn_t *conn);
static ngx_mpk_redis_conn_t *ngx_mpk_redis_node_reader(
    ngx_mpk_redis_node_t *node);


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
        ngx_mpk_redis_node_conn(node, &node->conns[i]);
        node->nconns = i + 1;

        if (i == node->readers
            && ngx_mpk_redis_durable_init(&node->conns[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_mpk_redis_connect(&node->conns[i]);
    }

    return NGX_OK;
}


static void
ngx_mpk_redis_node_conn(ngx_mpk_redis_node_t *node, ngx_mpk_redis_conn_t *conn)
{
    ngx_log_t  *log;

    log = node->worker->cycle->log;

    conn->node = node;
    conn->redis = node->worker->redis;
    conn->ident = -1;
    conn->log = *log;
    conn->last = &conn->out;

    ngx_queue_init(&conn->waiting);
    ngx_queue_init(&conn->sent);
    ngx_queue_init(&conn->held);

    conn->flush.handler = ngx_mpk_redis_flush_handler;
    conn->flush.data = conn;
    conn->flush.log = log;

    conn->timer.handler = ngx_mpk_redis_timer_handler;
    conn->timer.data = conn;
    conn->timer.log = log;
    conn->timer.cancelable = 1;

    conn->retry.handler = ngx_mpk_redis_retry_handler;
    conn->retry.data = conn;
    conn->retry.log = log;
    conn->retry.cancelable = 1;
}


void
ngx_mpk_redis_node_exit(ngx_mpk_redis_node_t *node)
{
    ngx_uint_t             i;
    ngx_mpk_redis_conn_t  *conn;

    for (i = 0; i < node->nconns; i++) {
        conn = &node->conns[i];

        ngx_mpk_redis_close(conn);
        ngx_mpk_redis_durable_exit(conn);

        if (conn->retry.timer_set) {
            ngx_del_timer(&conn->retry);
        }
    }

    node->nconns = 0;
}


ngx_mpk_redis_conn_t *
ngx_mpk_redis_node_pick(ngx_mpk_redis_node_t *node, ngx_mpk_redis_lane_t lane)
{
    return lane == NGX_MPK_REDIS_COMMIT && node->durable
           ? ngx_mpk_redis_durable_pick(node)
           : ngx_mpk_redis_node_reader(node);
}


/* The best state first, then the shortest queue; NULL: nobody takes a command. */
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

    /* the one after the one taken is looked at first next time */

    if (best) {
        node->next = (ngx_uint_t) (best - node->conns) + 1;
    }

    return best;
}
