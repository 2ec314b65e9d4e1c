/*
 * A connection: connect, TLS and setup; commands written once per pass of the event loop,
 * replies matched to them in order; timeouts, failure, reconnect.  What depends on the
 * topology is called through its table.
 */

#include "ngx_mpk_redis_conn.h"
#include "ngx_mpk_redis_durable.h"
#include "ngx_mpk_redis_log.h"
#include "ngx_mpk_redis_queue.h"
#include "ngx_mpk_redis_setup.h"
#include "ngx_mpk_redis_tls.h"


#define NGX_MPK_REDIS_ROUNDS   8       /* reads in one pass of the event loop */
#define NGX_MPK_REDIS_STABLE   1000    /* ms of life after which a lost one is retried at once */
#define NGX_MPK_REDIS_CONFIRM  3       /* times connect_timeout, for UNCONFIRMED */


static void ngx_mpk_redis_conn_connect_handler(ngx_event_t *ev);
static void ngx_mpk_redis_conn_connected(ngx_mpk_redis_conn_t *conn);
#if (NGX_SSL)
static void ngx_mpk_redis_conn_handshake(ngx_mpk_redis_conn_t *conn);
static void ngx_mpk_redis_conn_handshake_handler(ngx_connection_t *c);
#endif
static void ngx_mpk_redis_conn_setup(ngx_mpk_redis_conn_t *conn);
static void ngx_mpk_redis_conn_flush_handler(ngx_event_t *ev);
static void ngx_mpk_redis_conn_write_handler(ngx_event_t *wev);
static void ngx_mpk_redis_conn_write(ngx_mpk_redis_conn_t *conn);
static void ngx_mpk_redis_conn_read_handler(ngx_event_t *rev);
static ngx_int_t ngx_mpk_redis_conn_parse(ngx_mpk_redis_conn_t *conn,
    size_t len);
static ngx_int_t ngx_mpk_redis_conn_setup_reply(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply);
static ngx_uint_t ngx_mpk_redis_conn_is_message(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply);
static ngx_int_t ngx_mpk_redis_conn_idle(ngx_mpk_redis_conn_t *conn);
static ngx_int_t ngx_mpk_redis_conn_reply(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply);
static void ngx_mpk_redis_conn_drain(ngx_mpk_redis_conn_t *conn);
static void ngx_mpk_redis_conn_retry_handler(ngx_event_t *ev);
static void ngx_mpk_redis_conn_timer_handler(ngx_event_t *ev);


void
ngx_mpk_redis_conn_init(ngx_mpk_redis_conn_t *conn, ngx_mpk_redis_node_t *node)
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

    conn->flush.handler = ngx_mpk_redis_conn_flush_handler;
    conn->flush.data = conn;
    conn->flush.log = log;

    conn->timer.handler = ngx_mpk_redis_conn_timer_handler;
    conn->timer.data = conn;
    conn->timer.log = log;
    conn->timer.cancelable = 1;

    conn->retry.handler = ngx_mpk_redis_conn_retry_handler;
    conn->retry.data = conn;
    conn->retry.log = log;
    conn->retry.cancelable = 1;
}


void
ngx_mpk_redis_conn_connect(ngx_mpk_redis_conn_t *conn)
{
    ngx_int_t             rc;
    ngx_err_t             err;
    ngx_addr_t           *addr;
    ngx_connection_t     *c;
    ngx_mpk_redis_cmd_t  *cmd;

    ngx_mpk_assert(conn->state == NGX_MPK_REDIS_DOWN);
    ngx_mpk_redis_queue_check(conn);

    conn->connect_at = ngx_current_msec;
    conn->connect_deadline = conn->connect_at + conn->redis->connect_timeout;

    if (conn->node->naddrs == 0) {
        ngx_log_debug1(NGX_LOG_DEBUG_EVENT, &conn->log, 0,
                       "mpk redis connect: %V, address unknown",
                       &conn->node->name);

        conn->state = NGX_MPK_REDIS_DISCOVERING;
        ngx_mpk_redis_queue_timer(conn, conn->connect_deadline);
        conn->redis->topology->discover(conn->node->worker);
        return;
    }

    addr = &conn->node->addrs[conn->addr % conn->node->naddrs];

    ngx_mpk_redis_log_mute(conn, 1);

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

    ngx_log_debug3(NGX_LOG_DEBUG_EVENT, &conn->log, 0,
                   "mpk redis connect: %V, to %V, rc:%i",
                   &conn->node->name, conn->peer.name, rc);

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        ngx_mpk_redis_conn_fail(conn, NGX_LOG_ERR, err,
                                "connect() to %V failed", conn->peer.name);
        return;
    }

    c->data = conn;
    c->sendfile = 0;
    c->log = &conn->log;
    c->read->log = c->log;
    c->write->log = c->log;
    c->read->handler = ngx_mpk_redis_conn_connect_handler;
    c->write->handler = ngx_mpk_redis_conn_connect_handler;

    conn->log.connection = c->number;

    c->pool = ngx_create_pool(1024, &conn->log);
    if (c->pool == NULL) {
        ngx_mpk_redis_conn_fail(conn, NGX_LOG_ERR, 0, "no memory");
        return;
    }

    ngx_mpk_redis_queue_timer(conn, conn->connect_deadline);

    if (!ngx_queue_empty(&conn->waiting)) {
        cmd = ngx_mpk_redis_cmd_at(ngx_queue_head(&conn->waiting));
        ngx_mpk_redis_queue_timer(conn, cmd->deadline);
    }

    if (rc == NGX_OK) {
        ngx_mpk_redis_conn_connected(conn);
    }
}


static void
ngx_mpk_redis_conn_connect_handler(ngx_event_t *ev)
{
    int                    err;
    socklen_t              len;
    ngx_connection_t      *c;
    ngx_mpk_redis_conn_t  *conn;

    c = ev->data;
    conn = c->data;

    if (c->close) {
        ngx_mpk_redis_conn_fail(conn, NGX_LOG_ERR, 0,
                                "closed by worker_shutdown_timeout");
        return;
    }

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    if (err) {
        ngx_mpk_redis_conn_fail(conn, NGX_LOG_ERR, err,
                                "connect() to %V failed", conn->peer.name);
        return;
    }

    ngx_mpk_redis_conn_connected(conn);
}


static void
ngx_mpk_redis_conn_connected(ngx_mpk_redis_conn_t *conn)
{
    ngx_mpk_assert(conn->state == NGX_MPK_REDIS_CONNECTING);

    (void) ngx_tcp_nodelay(conn->connection);

#if (NGX_SSL)

    if (conn->redis->ssl) {
        ngx_mpk_redis_conn_handshake(conn);
        return;
    }

#endif

    ngx_mpk_redis_conn_setup(conn);
}


#if (NGX_SSL)

static void
ngx_mpk_redis_conn_handshake(ngx_mpk_redis_conn_t *conn)
{
    ngx_int_t  rc;

    conn->state = NGX_MPK_REDIS_HANDSHAKE;

    rc = ngx_mpk_redis_tls_start(conn);

    ngx_log_debug2(NGX_LOG_DEBUG_EVENT, &conn->log, 0,
                   "mpk redis handshake: %V, rc:%i", &conn->node->name, rc);

    if (rc == NGX_ERROR) {
        ngx_mpk_redis_conn_fail(conn, NGX_LOG_ERR, 0, "%s", conn->failure);
        return;
    }

    if (rc == NGX_AGAIN) {
        conn->connection->ssl->handler = ngx_mpk_redis_conn_handshake_handler;
        return;
    }

    ngx_mpk_redis_conn_handshake_handler(conn->connection);
}


static void
ngx_mpk_redis_conn_handshake_handler(ngx_connection_t *c)
{
    ngx_mpk_redis_conn_t  *conn;

    conn = c->data;

    ngx_mpk_assert(conn->state == NGX_MPK_REDIS_HANDSHAKE);

    if (ngx_mpk_redis_tls_verify(conn) != NGX_OK) {
        ngx_mpk_redis_conn_fail(conn, NGX_LOG_ERR, 0, "%s", conn->failure);
        return;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_EVENT, &conn->log, 0,
                   "mpk redis certificate verified: %V", &conn->node->name);

    ngx_mpk_redis_conn_setup(conn);
}

#endif


static void
ngx_mpk_redis_conn_setup(ngx_mpk_redis_conn_t *conn)
{
    ngx_connection_t  *c;

    c = conn->connection;

    conn->state = NGX_MPK_REDIS_SETUP;

    if (ngx_mpk_redis_setup_start(conn) != NGX_OK) {
        ngx_mpk_redis_conn_fail(conn, NGX_LOG_ERR, 0, "no memory");
        return;
    }

    c->read->handler = ngx_mpk_redis_conn_read_handler;
    c->write->handler = ngx_mpk_redis_conn_write_handler;

    /* bytes that TLS has read already cause no event */

    ngx_post_event(c->read, &ngx_posted_events);

    ngx_mpk_redis_conn_write(conn);
}


void
ngx_mpk_redis_conn_ready(ngx_mpk_redis_conn_t *conn)
{
    ngx_mpk_assert(conn->state == NGX_MPK_REDIS_SETUP
                   || conn->state == NGX_MPK_REDIS_UNCONFIRMED);
    ngx_mpk_assert(conn->out == NULL);

    ngx_mpk_redis_count(conn->redis, connects);

    conn->state = NGX_MPK_REDIS_READY;
    conn->ready_at = ngx_current_msec;
    conn->tried = 0;
    conn->failing = 0;

    ngx_log_debug2(NGX_LOG_DEBUG_EVENT, &conn->log, 0,
                   "mpk redis ready: %V, queued: %ui",
                   &conn->node->name, conn->pending);

    ngx_mpk_redis_log_mute(conn, 1);

    /* a worker that shuts down calls the read handlers of idle connections */

    conn->connection->idle = 1;

    ngx_mpk_redis_log_restored(conn);

    if (conn->redis->topology->on_ready) {
        conn->redis->topology->on_ready(conn);
    }

    ngx_mpk_redis_queue_check(conn);

    if (conn->pending == 0) {
        conn->timer.cancelable = 1;

        if (ngx_exiting) {
            ngx_mpk_redis_conn_close(conn);
            return;
        }

        if (!conn->durable) {
            return;
        }
    }

    if (conn->durable) {
        ngx_mpk_redis_durable_probe(conn);

    } else {
        ngx_mpk_redis_queue_flush(conn);
    }

    ngx_mpk_redis_conn_write(conn);
}


void
ngx_mpk_redis_conn_accept_unconfirmed(ngx_mpk_redis_conn_t *conn)
{
    ngx_mpk_redis_worker_t  *worker;

    ngx_mpk_assert(conn->state == NGX_MPK_REDIS_UNCONFIRMED);

    worker = conn->node->worker;

    if (ngx_mpk_redis_log_due(&worker->unconfirmed_logged)) {
        ngx_log_error(NGX_LOG_WARN, worker->cycle->log, 0,
                      "mpk_redis %V: no %s confirmed that %V is still a "
                      "master, using it anyway; it may serve stale data",
                      &conn->node->name, conn->redis->topology->confirmer,
                      conn->peer.name);
    }

    conn->node->timed_out = 0;
    ngx_mpk_redis_conn_ready(conn);
}


void
ngx_mpk_redis_conn_send(ngx_mpk_redis_conn_t *conn, ngx_mpk_redis_cmd_t *cmd)
{
    ngx_mpk_assert(conn->state != NGX_MPK_REDIS_DRAINING);

#if (NGX_MPK_ASSERT)
    ngx_mpk_assert(cmd->owned && !cmd->sent);
#endif

    ngx_queue_insert_tail(&conn->waiting, &cmd->queue);
    conn->pending++;

    ngx_log_debug3(NGX_LOG_DEBUG_EVENT, &conn->log, 0,
                   "mpk redis command queued: %V, %V, pending: %ui",
                   &cmd->name, &conn->node->name, conn->pending);

    /* from here on a worker that shuts down waits for this connection */

    if (!cmd->internal) {
        conn->timer.cancelable = 0;
    }

    if (conn->state == NGX_MPK_REDIS_READY) {

        if (!conn->durable) {
            *conn->last = &cmd->link;
            conn->last = &cmd->link.next;
        }

        cmd->deadline = ngx_current_msec + conn->redis->timeout;

        ngx_mpk_redis_queue_timer(conn, cmd->deadline);

        ngx_post_event(&conn->flush, &ngx_posted_events);

        return;
    }

    cmd->deadline = ngx_current_msec + conn->redis->connect_timeout;

    if (conn->state == NGX_MPK_REDIS_DOWN) {
        ngx_mpk_redis_conn_connect(conn);
        return;
    }

    ngx_mpk_redis_queue_timer(conn, cmd->deadline);
}


static void
ngx_mpk_redis_conn_flush_handler(ngx_event_t *ev)
{
    ngx_mpk_redis_conn_t  *conn;

    conn = ev->data;

    if (conn->durable) {
        ngx_mpk_redis_durable_flush(conn);
    }

    ngx_mpk_redis_conn_write(conn);
}


static void
ngx_mpk_redis_conn_write_handler(ngx_event_t *wev)
{
    ngx_connection_t  *c;

    c = wev->data;

    ngx_mpk_redis_conn_write(c->data);
}


static void
ngx_mpk_redis_conn_write(ngx_mpk_redis_conn_t *conn)
{
    ngx_err_t          err;
    ngx_connection_t  *c;

    c = conn->connection;

    if (conn->state < NGX_MPK_REDIS_SETUP
        || (conn->out == NULL && !c->buffered))
    {
        return;
    }

    if (ngx_mpk_redis_queue_write(conn, &err) != NGX_OK) {
        c->error = 1;
        ngx_mpk_redis_conn_fail(conn, NGX_LOG_ERR, err, "send() failed");
        return;
    }

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_mpk_redis_conn_fail(conn, NGX_LOG_ERR, 0,
                                "write event was not added");
    }
}


static void
ngx_mpk_redis_conn_read_handler(ngx_event_t *rev)
{
    ssize_t                n;
    ngx_err_t              err;
    ngx_uint_t             i;
    ngx_connection_t      *c;
    ngx_mpk_redis_conn_t  *conn;

    c = rev->data;
    conn = c->data;

    if (c->close) {

        if (c->error) {
            ngx_mpk_redis_conn_fail(conn, NGX_LOG_ERR, 0,
                                    "closed by worker_shutdown_timeout");
            return;
        }

        if (conn->pending == 0) {
            ngx_mpk_redis_conn_close(conn);
            return;
        }
    }

    for (i = 0; i < NGX_MPK_REDIS_ROUNDS; i++) {

        n = c->recv(c, conn->node->worker->buffer, NGX_MPK_REDIS_BUFFER);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR) {
            err = ngx_socket_errno;
            c->error = 1;
            ngx_mpk_redis_conn_fail(conn, NGX_LOG_ERR, err, "recv() failed");
            return;
        }

        if (n == 0) {
            ngx_mpk_redis_conn_fail(conn,
                                    conn->state == NGX_MPK_REDIS_READY
                                    && conn->pending == 0
                                    ? NGX_LOG_INFO : NGX_LOG_ERR,
                                    0, "connection closed by the server");
            return;
        }

        if (ngx_mpk_redis_conn_parse(conn, (size_t) n) != NGX_OK) {
            return;
        }

        if (!rev->ready) {
            break;
        }
    }

    if (i == NGX_MPK_REDIS_ROUNDS) {
        ngx_post_event(rev, &ngx_posted_next_events);
        return;
    }

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_mpk_redis_conn_fail(conn, NGX_LOG_ERR, 0,
                                "read event was not added");
    }
}


/* NGX_DONE: the connection is closed. */

static ngx_int_t
ngx_mpk_redis_conn_parse(ngx_mpk_redis_conn_t *conn, size_t len)
{
    ngx_int_t               rc;
    mpk_status_t            status;
    ngx_mpk_redis_cmd_t    *cmd;
    ngx_mpk_redis_reply_t  *reply;

    status = ngx_mpk_redis_parser_feed(conn->parser, conn->node->worker->buffer,
                                       len);

    while (status == MPK_OK) {

        if (conn->state == NGX_MPK_REDIS_SETUP) {
            ngx_mpk_redis_parser_set_mem(conn->parser, &conn->mem);

        } else if (!ngx_queue_empty(&conn->sent)) {
            cmd = ngx_mpk_redis_cmd_at(ngx_queue_head(&conn->sent));
            ngx_mpk_redis_parser_set_mem(conn->parser, &cmd->mem);

        } else if (conn->node->messages) {
            ngx_mpk_redis_parser_set_mem(conn->parser,
                                         &conn->node->messages_mem);

        } else {

            if (ngx_mpk_redis_parser_buffered(conn->parser)) {
                ngx_mpk_redis_conn_fail(conn, NGX_LOG_ERR, 0,
                                        "protocol error: reply without a "
                                        "command");
                return NGX_DONE;
            }

            break;
        }

        status = ngx_mpk_redis_parser_next(conn->parser, &reply);

        if (status != MPK_OK || reply == NULL) {
            break;
        }

        if (conn->state == NGX_MPK_REDIS_SETUP) {
            rc = ngx_mpk_redis_conn_setup_reply(conn, reply);

        } else if (ngx_mpk_redis_conn_is_message(conn, reply)) {
            conn->redis->topology->on_message(conn, reply);
            rc = NGX_OK;

        } else {
            rc = ngx_mpk_redis_conn_reply(conn, reply);
        }

        if (rc != NGX_OK) {
            return NGX_DONE;
        }
    }

    if (status != MPK_OK) {
        ngx_mpk_redis_conn_fail(conn, NGX_LOG_ERR, 0, "protocol error: %s",
                                mpk_status_text(status));
        return NGX_DONE;
    }

    ngx_mpk_redis_queue_check(conn);

    return conn->pending ? NGX_OK : ngx_mpk_redis_conn_idle(conn);
}


/* A subscriber's messages can come before the reply to a ping. */

static ngx_uint_t
ngx_mpk_redis_conn_is_message(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply)
{
    if (ngx_queue_empty(&conn->sent)) {
        return 1;
    }

    return conn->node->messages && reply->type == NGX_MPK_REDIS_ARRAY
           && reply->count == 3;
}


/* NGX_DONE: the connection is closed. */

static ngx_int_t
ngx_mpk_redis_conn_setup_reply(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply)
{
    ngx_int_t                        rc;
    const ngx_mpk_redis_topology_t  *topology;

    rc = ngx_mpk_redis_setup_reply(conn, reply);

    if (rc == NGX_ERROR) {
        ngx_mpk_redis_conn_fail(conn, NGX_LOG_ERR, 0, "%s", conn->failure);
        return NGX_DONE;
    }

    if (rc == NGX_AGAIN) {
        return NGX_OK;
    }

    /* messages can follow the reply to SUBSCRIBE at once */

    if (conn->out
        || (conn->node->messages == NULL
            && ngx_mpk_redis_parser_buffered(conn->parser)))
    {
        ngx_mpk_redis_conn_fail(conn, NGX_LOG_ERR, 0,
                                "protocol error: reply without a command");
        return NGX_DONE;
    }

    topology = conn->redis->topology;

    if (topology->needs_confirmation && topology->needs_confirmation(conn)) {
        ngx_log_debug1(NGX_LOG_DEBUG_EVENT, &conn->log, 0,
                       "mpk redis unconfirmed: %V", &conn->node->name);

        conn->state = NGX_MPK_REDIS_UNCONFIRMED;
        conn->connect_deadline = ngx_current_msec
                                 + NGX_MPK_REDIS_CONFIRM
                                   * conn->redis->connect_timeout;
        return NGX_OK;
    }

    ngx_mpk_redis_conn_ready(conn);

    return conn->state == NGX_MPK_REDIS_READY ? NGX_OK : NGX_DONE;
}


/* No command is pending.  NGX_DONE: the connection is closed. */

static ngx_int_t
ngx_mpk_redis_conn_idle(ngx_mpk_redis_conn_t *conn)
{
    if (conn->state == NGX_MPK_REDIS_DRAINING) {

        if (conn->moving && !ngx_exiting) {
            ngx_mpk_redis_conn_reconnect(conn);

        } else {
            ngx_mpk_redis_conn_fail(conn, NGX_LOG_ERR, 0,
                                    "closed after an error reply");
        }

        return NGX_DONE;
    }

    conn->timer.cancelable = 1;

    if (ngx_exiting && conn->state == NGX_MPK_REDIS_READY) {
        ngx_mpk_redis_conn_close(conn);
        return NGX_DONE;
    }

    return NGX_OK;
}


/* NGX_DONE: the connection is closed. */

static ngx_int_t
ngx_mpk_redis_conn_reply(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply)
{
    ngx_mpk_redis_cmd_t             *cmd;
    ngx_mpk_redis_error_t            error;
    const ngx_mpk_redis_topology_t  *topology;

    ngx_mpk_assert(conn->state >= NGX_MPK_REDIS_READY);

    cmd = ngx_mpk_redis_cmd_at(ngx_queue_head(&conn->sent));

    ngx_mpk_assert(cmd->sent);

    if (cmd->asking) {
        cmd->asking = 0;

        /* the command itself is redirected then, with an error that hides this one */

        if (reply->type == NGX_MPK_REDIS_ERROR) {
            error = ngx_mpk_redis_error_find(reply->str);

            ngx_mpk_redis_count(conn->redis, errors[error]);
            ngx_mpk_redis_log_error(conn, error);
        }

        return NGX_OK;
    }

    if (conn->out == &cmd->link) {
        ngx_mpk_redis_conn_fail(conn, NGX_LOG_ERR, 0,
                                "protocol error: reply to a command that was "
                                "not sent completely");
        return NGX_DONE;
    }

    ngx_queue_remove(&cmd->queue);
    conn->pending--;

    cmd->reply = reply;

    if (cmd == &conn->wait) {

        if (ngx_mpk_redis_durable_reply(conn, reply) == NGX_DECLINED) {
            ngx_mpk_redis_conn_drain(conn);
        }

        return NGX_OK;
    }

    ngx_log_debug4(NGX_LOG_DEBUG_EVENT, &conn->log, 0,
                   "mpk redis command replied: %V, %V, pending: %ui%s",
                   &cmd->name, &conn->node->name, conn->pending,
                   reply->type == NGX_MPK_REDIS_ERROR ? ", error" : "");

    if (reply->type != NGX_MPK_REDIS_ERROR) {
        cmd->result = NGX_MPK_REDIS_ANSWERED;

        if (cmd->lane == NGX_MPK_REDIS_COMMIT) {
            conn->node->refused_at = 0;
        }

        if (conn->durable && !cmd->internal) {
            ngx_mpk_redis_durable_hold(conn, cmd);
            return NGX_OK;
        }

        ngx_mpk_redis_cmd_reply(cmd);

        if (conn->durable) {
            ngx_post_event(&conn->flush, &ngx_posted_events);
        }

        return NGX_OK;
    }

    cmd->result = NGX_MPK_REDIS_REFUSED;
    cmd->error = ngx_mpk_redis_error_find(reply->str);

    topology = conn->redis->topology;

    /* the client's own commands are about this server */

    if (!cmd->internal && topology->redirect
        && topology->redirect(conn, cmd) == NGX_OK)
    {
        return NGX_OK;
    }

    if (!cmd->internal) {
        ngx_mpk_redis_count(conn->redis, errors[cmd->error]);
        ngx_mpk_redis_log_error(conn, cmd->error);
    }

    if (cmd->lane == NGX_MPK_REDIS_COMMIT
        && ngx_mpk_redis_error_info(cmd->error)->operator)
    {
        conn->node->refused_at = ngx_current_msec | 1;
    }

    if (ngx_mpk_redis_error_info(cmd->error)->reconnect) {
        ngx_mpk_redis_conn_drain(conn);
    }

    ngx_mpk_redis_cmd_reply(cmd);

    return NGX_OK;
}


/* READY to DRAINING: finishes what is not sent, waits for the replies that are due. */

static void
ngx_mpk_redis_conn_drain(ngx_mpk_redis_conn_t *conn)
{
    if (conn->state != NGX_MPK_REDIS_READY) {
        return;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_EVENT, &conn->log, 0,
                   "mpk redis draining: %V, pending: %ui",
                   &conn->node->name, conn->pending);

    conn->state = NGX_MPK_REDIS_DRAINING;

    if (conn->durable) {
        ngx_mpk_redis_durable_drain(conn);
        return;
    }

    /* a command sent in part must be completed: replies to earlier ones are due */

    if (conn->out && ngx_mpk_redis_cmd_of(conn->out)->sent) {
        conn->out->next = NULL;
        conn->last = &conn->out->next;

    } else {
        conn->out = NULL;
        conn->last = &conn->out;
    }

    (void) ngx_mpk_redis_queue_finish(conn, &conn->waiting,
                                      NGX_MPK_REDIS_FAILED);
}


void
ngx_mpk_redis_conn_move(ngx_mpk_redis_conn_t *conn)
{
    if (conn->state == NGX_MPK_REDIS_DRAINING) {
        return;
    }

    if (conn->state == NGX_MPK_REDIS_READY
        && !ngx_mpk_redis_queue_idle(conn))
    {
        conn->moving = 1;
        ngx_mpk_redis_conn_drain(conn);

        if (conn->pending) {
            return;
        }
    }

    ngx_mpk_redis_conn_reconnect(conn);
}


void
ngx_mpk_redis_conn_reconnect(ngx_mpk_redis_conn_t *conn)
{
    ngx_mpk_redis_conn_close(conn);

    if (conn->retry.timer_set) {
        ngx_del_timer(&conn->retry);
    }

    /* a ping, if anything: nothing else is left in flight */

    (void) ngx_mpk_redis_queue_finish(conn, &conn->sent, NGX_MPK_REDIS_LOST);

    if (conn->pending && ngx_mpk_redis_queue_idle(conn)) {
        (void) ngx_mpk_redis_queue_finish(conn, &conn->waiting,
                                          NGX_MPK_REDIS_FAILED);
    }

    conn->tried = 0;
    conn->backoff = 0;

    ngx_mpk_redis_conn_connect(conn);
}


void
ngx_mpk_redis_conn_close(ngx_mpk_redis_conn_t *conn)
{
    ngx_pool_t        *pool;
    ngx_connection_t  *c;

    c = conn->connection;

    if (c) {
        ngx_log_debug3(NGX_LOG_DEBUG_EVENT, &conn->log, 0,
                       "mpk redis close: %V, was %s, pending: %ui",
                       &conn->node->name, ngx_mpk_redis_log_state(conn->state),
                       conn->pending);

#if (NGX_SSL)

        /* with both flags set it sends nothing, waits for nothing and always succeeds */

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
        conn->log.connection = 0;
    }

    ngx_mpk_redis_parser_free(conn->parser);
    conn->parser = NULL;

    if (conn->node->messages) {
        ngx_reset_pool(conn->node->messages);
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
ngx_mpk_redis_conn_fail(ngx_mpk_redis_conn_t *conn, ngx_uint_t level,
    ngx_err_t err, const char *fmt, ...)
{
    u_char                 *p;
    u_char                  reason[NGX_MPK_REDIS_FAILURE];
    va_list                 args;
    ngx_msec_t              delay;
    ngx_uint_t              lost, unsent, stable;
    ngx_mpk_redis_state_t   state;

    va_start(args, fmt);
    p = ngx_vslprintf(reason, reason + NGX_MPK_REDIS_FAILURE - 1, fmt, args);
    va_end(args);

    *p = '\0';

    state = conn->state;

    ngx_mpk_assert(state != NGX_MPK_REDIS_DOWN);

    ngx_log_debug3(NGX_LOG_DEBUG_EVENT, &conn->log, err,
                   "mpk redis failed: %V, was %s: %s",
                   &conn->node->name, ngx_mpk_redis_log_state(state), reason);

    ngx_mpk_redis_count(conn->redis, failures);

    ngx_mpk_redis_conn_close(conn);

    if (state >= NGX_MPK_REDIS_CONNECTING && state < NGX_MPK_REDIS_READY) {
        conn->addr = (conn->addr + 1) % conn->node->naddrs;

        if (++conn->tried < conn->node->naddrs) {
            ngx_mpk_redis_conn_connect(conn);
            return;
        }
    }

    conn->tried = 0;

    lost = ngx_mpk_redis_queue_finish(conn, &conn->held, NGX_MPK_REDIS_LOST)
           + ngx_mpk_redis_queue_finish(conn, &conn->sent, NGX_MPK_REDIS_LOST);
    unsent = ngx_mpk_redis_queue_finish(conn, &conn->waiting,
                                        NGX_MPK_REDIS_FAILED);

    ngx_mpk_assert(conn->pending == 0);

    conn->timer.cancelable = 1;

    stable = (state >= NGX_MPK_REDIS_READY
              && (ngx_msec_int_t) (ngx_current_msec - conn->ready_at)
                 >= NGX_MPK_REDIS_STABLE);

    ngx_mpk_redis_log_down(conn, stable ? level : NGX_LOG_ERR, err,
                           (char *) reason, lost, unsent);

    conn->redis->topology->on_lost(conn, state);

    /* a worker that shuts down connects for commands only */

    if (ngx_exiting || conn->node->retired) {
        return;
    }

    if (stable) {
        conn->backoff = 0;
        ngx_mpk_redis_conn_connect(conn);
        return;
    }

    conn->failing = 1;

    delay = ngx_mpk_redis_backoff(&conn->backoff);

    ngx_log_debug2(NGX_LOG_DEBUG_EVENT, &conn->log, 0,
                   "mpk redis reconnect: %V, in %M ms",
                   &conn->node->name, delay);

    ngx_add_timer(&conn->retry, delay);
}


static void
ngx_mpk_redis_conn_retry_handler(ngx_event_t *ev)
{
    if (!ngx_exiting) {
        ngx_mpk_redis_conn_connect(ev->data);
    }
}


static void
ngx_mpk_redis_conn_timer_handler(ngx_event_t *ev)
{
    ngx_uint_t             pending;
    ngx_connection_t      *c;
    ngx_mpk_redis_conn_t  *conn;

    conn = ev->data;
    c = conn->connection;

    ngx_mpk_redis_queue_check(conn);

    if (conn->state >= NGX_MPK_REDIS_READY && conn->pending) {

        /* after a stall of this process, replies may be there unread */

        ngx_mpk_redis_conn_read_handler(c->read);

        if (conn->connection != c || conn->state < NGX_MPK_REDIS_READY) {
            return;
        }
    }

    if (conn->state < NGX_MPK_REDIS_READY
        && (ngx_msec_int_t) (conn->connect_deadline - ngx_current_msec) <= 0)
    {
        if (conn->state == NGX_MPK_REDIS_UNCONFIRMED) {
            ngx_mpk_redis_conn_accept_unconfirmed(conn);
            return;
        }

        conn->node->timed_out = 1;

        ngx_mpk_redis_conn_fail(conn, NGX_LOG_ERR, 0,
                                conn->state == NGX_MPK_REDIS_DISCOVERING
                                ? "no Sentinel named the master within "
                                  "connect_timeout=%Mms"
                                : "no connection within connect_timeout=%Mms",
                                conn->redis->connect_timeout);
        return;
    }

    pending = conn->pending;

    if (ngx_mpk_redis_queue_expire(conn) != NGX_OK) {
        conn->node->timed_out = 1;

        if (conn->redis->topology->on_timeout) {
            conn->redis->topology->on_timeout(conn);
        }

        ngx_mpk_redis_conn_fail(conn, NGX_LOG_ERR, 0,
                                "no reply within timeout=%Mms",
                                conn->redis->timeout);
        return;
    }

    if (conn->state < NGX_MPK_REDIS_READY) {

        if (pending && conn->pending == 0) {
            conn->timer.cancelable = 1;
        }

        ngx_mpk_redis_queue_timer(conn, conn->connect_deadline);
    }
}
