/* A connection's life: connecting, ready, given up; timeouts and backoff. */

#include "ngx_mpk_redis_int.h"


static void ngx_mpk_redis_connect_handler(ngx_event_t *ev);
static void ngx_mpk_redis_connected(ngx_mpk_redis_conn_t *conn);
static void ngx_mpk_redis_elsewhere(ngx_mpk_redis_conn_t *conn);
static void ngx_mpk_redis_silent(ngx_mpk_redis_conn_t *conn);


void
ngx_mpk_redis_connect(ngx_mpk_redis_conn_t *conn)
{
    ngx_int_t             rc;
    ngx_err_t             err;
    ngx_addr_t           *addr;
    ngx_connection_t     *c;
    ngx_mpk_redis_cmd_t  *cmd;

    conn->begun_at = ngx_current_msec;
    conn->connect_deadline = conn->begun_at + conn->redis->connect_timeout;

    if (conn->node->naddrs == 0) {
        conn->state = NGX_MPK_REDIS_SEEKING;
        ngx_mpk_redis_arm(conn, conn->connect_deadline);
        ngx_mpk_redis_sentinel_ask(conn->node->worker);
        return;
    }

    addr = &conn->node->addrs[conn->addr % conn->node->naddrs];

    ngx_mpk_redis_mute(conn, 1);

    ngx_memzero(&conn->peer, sizeof(ngx_peer_connection_t));

    ngx_memcpy(&conn->sockaddr, addr->sockaddr, addr->socklen);

    conn->sockaddr_name.data = conn->sockaddr_text;
    conn->sockaddr_name.len = ngx_min(addr->name.len, NGX_SOCKADDR_STRLEN);
    ngx_memcpy(conn->sockaddr_text, addr->name.data, conn->sockaddr_name.len);

    conn->peer.sockaddr = &conn->sockaddr.sockaddr;
    conn->peer.socklen = addr->socklen;
    conn->peer.name = &conn->sockaddr_name;
    conn->peer.get = ngx_event_get_peer;
    conn->peer.log = &conn->log;
    conn->peer.log_error = NGX_ERROR_ERR;
    conn->peer.so_keepalive = 1;

    conn->state = NGX_MPK_REDIS_CONNECTING;

    rc = ngx_event_connect_peer(&conn->peer);

    err = ngx_socket_errno;
    c = conn->peer.connection;
    conn->connection = c;

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        ngx_mpk_redis_fail(conn, NGX_LOG_ERR, err, "connect() to %V failed",
                           conn->peer.name);
        return;
    }

    c->data = conn;
    c->sendfile = 0;
    c->log = &conn->log;
    c->read->log = c->log;
    c->write->log = c->log;
    c->read->handler = ngx_mpk_redis_connect_handler;
    c->write->handler = ngx_mpk_redis_connect_handler;

    conn->log.connection = c->number;

    c->pool = ngx_create_pool(1024, &conn->log);
    if (c->pool == NULL) {
        ngx_mpk_redis_fail(conn, NGX_LOG_ERR, 0, "no memory");
        return;
    }

    ngx_mpk_redis_arm(conn, conn->connect_deadline);

    if (!ngx_queue_empty(&conn->waiting)) {
        cmd = ngx_queue_data(ngx_queue_head(&conn->waiting),
                             ngx_mpk_redis_cmd_t, queue);
        ngx_mpk_redis_arm(conn, cmd->deadline);
    }

    if (rc == NGX_OK) {
        ngx_mpk_redis_connected(conn);
    }
}


static void
ngx_mpk_redis_connect_handler(ngx_event_t *ev)
{
    int                    err;
    socklen_t              len;
    ngx_connection_t      *c;
    ngx_mpk_redis_conn_t  *conn;

    c = ev->data;
    conn = c->data;

    if (c->close) {
        ngx_mpk_redis_fail(conn, NGX_LOG_ERR, 0,
                           "worker_shutdown_timeout has expired");
        return;
    }

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    if (err) {
        ngx_mpk_redis_fail(conn, NGX_LOG_ERR, err, "connect() to %V failed",
                           conn->peer.name);
        return;
    }

    ngx_mpk_redis_connected(conn);
}


static void
ngx_mpk_redis_connected(ngx_mpk_redis_conn_t *conn)
{
    (void) ngx_tcp_nodelay(conn->connection);

#if (NGX_SSL)

    if (conn->redis->ssl) {
        ngx_mpk_redis_handshake(conn);
        return;
    }

#endif

    ngx_mpk_redis_hello_start(conn);
}


void
ngx_mpk_redis_ready(ngx_mpk_redis_conn_t *conn)
{
    ngx_mpk_redis_count(conn->redis, connects);

    conn->state = NGX_MPK_REDIS_READY;
    conn->ready_at = ngx_current_msec;
    conn->tried = 0;
    conn->failing = 0;

    ngx_mpk_redis_mute(conn, 1);

    /* a worker that shuts down tells idle connections by calling their handlers */

    conn->connection->idle = 1;

    if (conn->reported) {
        conn->reported = 0;

        ngx_log_error(NGX_LOG_NOTICE, conn->node->worker->cycle->log, 0,
                      "mpk_redis %V: connection restored", &conn->node->name);
    }

    if (conn->node == &conn->node->worker->watch) {
        ngx_mpk_redis_sentinel_settle(conn->node->worker, 0);
    }

    if (conn->pending == 0) {
        conn->timer.cancelable = 1;

        if (ngx_exiting) {
            ngx_mpk_redis_close(conn);
            return;
        }

        if (!conn->durable) {
            return;
        }
    }

    if (conn->durable) {
        ngx_mpk_redis_durable_ready(conn);
        return;
    }

    ngx_mpk_redis_gather(conn);
    ngx_mpk_redis_write(conn);
}


void
ngx_mpk_redis_trust(ngx_mpk_redis_conn_t *conn)
{
    ngx_mpk_redis_worker_t  *worker;

    worker = conn->node->worker;

    if (ngx_mpk_redis_log_due(&worker->trust_logged)) {
        ngx_log_error(NGX_LOG_WARN, worker->cycle->log, 0,
                      "mpk_redis %V: nobody says whether %V, which was lost "
                      "and is back, still is the master: it is taken for it",
                      &conn->node->name, conn->peer.name);
    }

    conn->node->silent = 0;
    ngx_mpk_redis_ready(conn);
}


void
ngx_mpk_redis_gather(ngx_mpk_redis_conn_t *conn)
{
    ngx_msec_t            deadline;
    ngx_queue_t          *q;
    ngx_mpk_redis_cmd_t  *cmd;

    deadline = ngx_current_msec + conn->redis->timeout;

    if (!ngx_queue_empty(&conn->waiting)) {
        ngx_mpk_redis_arm(conn, deadline);
    }

    for (q = ngx_queue_head(&conn->waiting);
         q != ngx_queue_sentinel(&conn->waiting);
         q = ngx_queue_next(q))
    {
        cmd = ngx_queue_data(q, ngx_mpk_redis_cmd_t, queue);

        cmd->deadline = deadline;

        *conn->last = &cmd->link;
        conn->last = &cmd->link.next;
    }
}


void
ngx_mpk_redis_drain(ngx_mpk_redis_conn_t *conn)
{
    if (conn->state != NGX_MPK_REDIS_READY) {
        return;
    }

    conn->state = NGX_MPK_REDIS_DRAINING;

    if (conn->durable) {
        ngx_mpk_redis_durable_drain(conn);
        return;
    }

    /* what is begun must be finished, or its predecessors get no answers */

    if (conn->out && ngx_mpk_redis_cmd_of(conn->out)->sent) {
        conn->out->next = NULL;
        conn->last = &conn->out->next;

    } else {
        conn->out = NULL;
        conn->last = &conn->out;
    }

    (void) ngx_mpk_redis_give_up(conn, &conn->waiting, NGX_MPK_REDIS_FAILED);
}


void
ngx_mpk_redis_move(ngx_mpk_redis_conn_t *conn)
{
    if (conn->state == NGX_MPK_REDIS_DRAINING) {
        return;
    }

    if (conn->state == NGX_MPK_REDIS_READY && conn->pending) {
        conn->moving = 1;
        ngx_mpk_redis_drain(conn);

        if (conn->pending) {
            return;
        }
    }

    ngx_mpk_redis_reconnect(conn);
}


void
ngx_mpk_redis_reconnect(ngx_mpk_redis_conn_t *conn)
{
    ngx_mpk_redis_close(conn);

    if (conn->retry.timer_set) {
        ngx_del_timer(&conn->retry);
    }

    conn->tried = 0;
    conn->backoff = 0;

    ngx_mpk_redis_connect(conn);
}


void
ngx_mpk_redis_close(ngx_mpk_redis_conn_t *conn)
{
    ngx_pool_t        *pool;
    ngx_connection_t  *c;

    c = conn->connection;

    if (c) {

#if (NGX_SSL)

        /* with both set it says nothing, waits for nothing and always succeeds */

        if (c->ssl) {
            c->ssl->no_wait_shutdown = 1;
            c->ssl->no_send_shutdown = 1;
            (void) ngx_ssl_shutdown(c);
        }

#endif

        pool = c->pool;

        ngx_close_connection(c);

        if (pool) {
            ngx_destroy_pool(pool);
        }

        conn->connection = NULL;
    }

    ngx_mpk_redis_parser_free(conn->parser);
    conn->parser = NULL;

    if (conn->node == &conn->node->worker->watch && conn->node->worker->push) {
        ngx_reset_pool(conn->node->worker->push);
    }

    if (conn->timer.timer_set) {
        ngx_del_timer(&conn->timer);
    }

    if (conn->flush.posted) {
        ngx_delete_posted_event(&conn->flush);
    }

    if (conn->durable) {
        ngx_mpk_redis_durable_close(conn);
    }

    conn->out = NULL;
    conn->last = &conn->out;
    conn->moving = 0;
    conn->state = NGX_MPK_REDIS_DOWN;
}


void
ngx_mpk_redis_fail(ngx_mpk_redis_conn_t *conn, ngx_uint_t level, ngx_err_t err,
    const char *fmt, ...)
{
    u_char                 *p;
    u_char                  reason[NGX_MPK_REDIS_REASON];
    va_list                 args;
    ngx_msec_t              delay;
    ngx_uint_t              lost, unsent, stable;
    ngx_mpk_redis_state_t   state;

    va_start(args, fmt);
    p = ngx_vslprintf(reason, reason + NGX_MPK_REDIS_REASON - 1, fmt, args);
    va_end(args);

    *p = '\0';

    state = conn->state;

    ngx_mpk_redis_count(conn->redis, failures);

    ngx_mpk_redis_close(conn);

    if (state >= NGX_MPK_REDIS_CONNECTING && state < NGX_MPK_REDIS_READY) {
        conn->addr = (conn->addr + 1) % conn->node->naddrs;

        if (++conn->tried < conn->node->naddrs) {
            ngx_mpk_redis_connect(conn);
            return;
        }
    }

    conn->tried = 0;

    lost = ngx_mpk_redis_give_up(conn, &conn->held, NGX_MPK_REDIS_LOST)
           + ngx_mpk_redis_give_up(conn, &conn->sent, NGX_MPK_REDIS_LOST);
    unsent = ngx_mpk_redis_give_up(conn, &conn->waiting, NGX_MPK_REDIS_FAILED);

    conn->timer.cancelable = 1;

    stable = (state >= NGX_MPK_REDIS_READY
              && (ngx_msec_int_t) (ngx_current_msec - conn->ready_at)
                 >= NGX_MPK_REDIS_STABLE);

    ngx_mpk_redis_report(conn, stable ? level : NGX_LOG_ERR, err,
                         (char *) reason, lost, unsent);

    if (conn->node == &conn->node->worker->watch
        && state < NGX_MPK_REDIS_READY)
    {
        /* all of them were tried */

        ngx_mpk_redis_sentinel_settle(conn->node->worker, 1);
    }

    /* a worker that shuts down connects for commands only */

    if (ngx_exiting || conn->node->stale) {
        return;
    }

    ngx_mpk_redis_elsewhere(conn);

    if (stable) {
        conn->backoff = 0;
        ngx_mpk_redis_connect(conn);
        return;
    }

    conn->failing = 1;

    conn->backoff = conn->backoff
                    ? ngx_min(conn->backoff * 2, NGX_MPK_REDIS_BACKOFF_MAX)
                    : NGX_MPK_REDIS_BACKOFF_MIN;

    delay = conn->backoff / 2 + (ngx_msec_t) ngx_random() % (conn->backoff + 1);

    ngx_add_timer(&conn->retry, delay);
}


/* Orders may be on another server by now. */
static void
ngx_mpk_redis_elsewhere(ngx_mpk_redis_conn_t *conn)
{
    ngx_mpk_redis_worker_t  *worker;

    worker = conn->node->worker;

    switch (conn->redis->kind) {

    case NGX_MPK_REDIS_CLUSTER:
        ngx_mpk_redis_cluster_refresh(worker);
        break;

    case NGX_MPK_REDIS_SENTINEL:
        if (ngx_mpk_redis_sentinel_current(conn)) {
            worker->lost = 1;
            ngx_mpk_redis_sentinel_ask(worker);
        }
        break;

    default:
        ngx_mpk_redis_resolve(worker);
    }
}


ngx_uint_t
ngx_mpk_redis_give_up(ngx_mpk_redis_conn_t *conn, ngx_queue_t *queue,
    ngx_mpk_redis_result_t result)
{
    ngx_uint_t            n;
    ngx_queue_t          *q;
    ngx_mpk_redis_cmd_t  *cmd;

    n = 0;

    while (!ngx_queue_empty(queue)) {
        q = ngx_queue_head(queue);
        ngx_queue_remove(q);
        conn->pending--;

        cmd = ngx_queue_data(q, ngx_mpk_redis_cmd_t, queue);

        if (!cmd->own) {
            n++;
        }

        ngx_mpk_redis_done(conn->node->worker, cmd, result);
    }

    return n;
}


void
ngx_mpk_redis_retry_handler(ngx_event_t *ev)
{
    if (!ngx_exiting) {
        ngx_mpk_redis_connect(ev->data);
    }
}


/*
 * One timer for all commands: it is left alone while answers come in time, and
 * when it fires it looks for the oldest command and is set for that one.
 */
void
ngx_mpk_redis_arm(ngx_mpk_redis_conn_t *conn, ngx_msec_t deadline)
{
    ngx_msec_int_t  left;

    if (conn->timer.timer_set) {

        if ((ngx_msec_int_t) (conn->timer.timer.key - deadline) <= 0) {
            return;
        }

        /* ngx_add_timer() alone would not move it by less than 300 ms */

        ngx_del_timer(&conn->timer);
    }

    left = (ngx_msec_int_t) (deadline - ngx_current_msec);

    ngx_add_timer(&conn->timer, left > 0 ? (ngx_msec_t) left : 1);
}


void
ngx_mpk_redis_timer_handler(ngx_event_t *ev)
{
    ngx_uint_t             unsent;
    ngx_queue_t           *q;
    ngx_connection_t      *c;
    ngx_mpk_redis_cmd_t   *cmd;
    ngx_mpk_redis_conn_t  *conn;

    conn = ev->data;
    c = conn->connection;

    if (conn->state >= NGX_MPK_REDIS_READY && conn->pending) {

        /* after a stall of this process the answers may be there, unread */

        ngx_mpk_redis_read_handler(c->read);

        if (conn->connection != c || conn->state < NGX_MPK_REDIS_READY) {
            return;
        }
    }

    if (conn->state < NGX_MPK_REDIS_READY
        && (ngx_msec_int_t) (conn->connect_deadline - ngx_current_msec) <= 0)
    {
        if (conn->state == NGX_MPK_REDIS_DOUBTED) {
            ngx_mpk_redis_trust(conn);
            return;
        }

        conn->node->silent = 1;

        ngx_mpk_redis_fail(conn, NGX_LOG_ERR, 0,
                           conn->state == NGX_MPK_REDIS_SEEKING
                           ? "no Sentinel names the master within "
                             "connect_timeout=%Mms"
                           : "no connection within connect_timeout=%Mms",
                           conn->redis->connect_timeout);
        return;
    }

    unsent = 0;

    while (conn->pending) {

        q = ngx_queue_head(ngx_queue_empty(&conn->sent) ? &conn->waiting
                                                        : &conn->sent);
        cmd = ngx_queue_data(q, ngx_mpk_redis_cmd_t, queue);

        if ((ngx_msec_int_t) (cmd->deadline - ngx_current_msec) > 0) {
            ngx_mpk_redis_arm(conn, cmd->deadline);
            break;
        }

        if (conn->state >= NGX_MPK_REDIS_READY) {
            ngx_mpk_redis_silent(conn);
            ngx_mpk_redis_fail(conn, NGX_LOG_ERR, 0,
                               "no answer within timeout=%Mms",
                               conn->redis->timeout);
            return;
        }

        /* the addresses before this one took its time */

        ngx_queue_remove(q);
        conn->pending--;
        unsent++;

        ngx_mpk_redis_done(conn->node->worker, cmd, NGX_MPK_REDIS_FAILED);
    }

    if (conn->state < NGX_MPK_REDIS_READY) {

        if (unsent && conn->pending == 0) {
            conn->timer.cancelable = 1;
        }

        ngx_mpk_redis_arm(conn, conn->connect_deadline);
    }
}


/*
 * A master that did not answer may be replaced when it does again: its idle connections,
 * too, are made anew, and doubted.
 */
static void
ngx_mpk_redis_silent(ngx_mpk_redis_conn_t *conn)
{
    ngx_uint_t             i;
    ngx_mpk_redis_node_t  *node;
    ngx_mpk_redis_conn_t  *other;

    node = conn->node;

    node->silent = 1;

    if (conn->redis->kind != NGX_MPK_REDIS_CLUSTER
        && !ngx_mpk_redis_sentinel_current(conn))
    {
        return;
    }

    for (i = 0; i < node->nconns; i++) {
        other = &node->conns[i];

        if (other != conn && other->state == NGX_MPK_REDIS_READY
            && other->pending == 0)
        {
            ngx_mpk_redis_reconnect(other);
        }
    }
}
