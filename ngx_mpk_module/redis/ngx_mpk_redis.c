/*
 * Commands and answers: a worker's queues, one write per pass of the event loop,
 * replies given to their commands in order.
 */

#include "ngx_mpk_redis_int.h"


static ngx_int_t ngx_mpk_redis_dispatch(ngx_mpk_redis_conn_t *conn, size_t len);
static ngx_int_t ngx_mpk_redis_answer(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply);
static void ngx_mpk_redis_written(ngx_mpk_redis_conn_t *conn,
    ngx_chain_t *rest);
static void ngx_mpk_redis_done_handler(ngx_event_t *ev);


ngx_int_t
ngx_mpk_redis_init_worker(ngx_mpk_redis_t *redis, ngx_cycle_t *cycle)
{
    ngx_mpk_redis_worker_t  *worker;

    worker = ngx_pcalloc(cycle->pool, sizeof(ngx_mpk_redis_worker_t));
    if (worker == NULL) {
        return NGX_ERROR;
    }

    worker->redis = redis;
    worker->cycle = cycle;

    ngx_queue_init(&worker->done);
    worker->done_event.handler = ngx_mpk_redis_done_handler;
    worker->done_event.data = worker;
    worker->done_event.log = cycle->log;

    redis->worker = worker;

    worker->home.worker = worker;
    worker->home.name = redis->name;
    worker->home.greeting = &redis->greeting;
    worker->home.addrs = redis->addrs;
    worker->home.naddrs = redis->naddrs;
    worker->home.readers = redis->connections;
    worker->home.durable = ngx_mpk_redis_durable(redis);

    switch (redis->kind) {

    case NGX_MPK_REDIS_CLUSTER:
        return ngx_mpk_redis_cluster_init(worker);

    case NGX_MPK_REDIS_SENTINEL:
        return ngx_mpk_redis_sentinel_init(worker);

    default:
        return ngx_mpk_redis_node_init(&worker->home, cycle->pool);
    }
}


void
ngx_mpk_redis_exit_worker(ngx_mpk_redis_t *redis)
{
    ngx_mpk_redis_worker_t  *worker;

    worker = redis->worker;

    if (worker == NULL) {
        return;
    }

    ngx_mpk_redis_node_exit(&worker->home);
    ngx_mpk_redis_cluster_exit(worker);
    ngx_mpk_redis_sentinel_exit(worker);

    if (worker->done_event.posted) {
        ngx_delete_posted_event(&worker->done_event);
    }

    ngx_mpk_redis_resolve_cancel(worker);

    redis->worker = NULL;
}


void
ngx_mpk_redis_send(ngx_mpk_redis_t *redis, ngx_mpk_redis_lane_t lane,
    ngx_mpk_redis_cmd_t *cmd, ngx_uint_t argc, const mpk_str_t *argv)
{
    ngx_mpk_redis_worker_t  *worker;

    worker = redis->worker;

    cmd->error = NGX_MPK_REDIS_ERR_OTHER;
    cmd->reply = NULL;
    cmd->lane = lane;
    cmd->own = 0;

    if (ngx_mpk_redis_format(cmd, argc, argv) != NGX_OK) {
        ngx_mpk_redis_done(worker, cmd, NGX_MPK_REDIS_FAILED);
        return;
    }

    if (worker->cluster) {
        ngx_mpk_redis_cluster_send(worker, cmd, argc, argv);
        return;
    }

    ngx_mpk_redis_node_send(&worker->home, cmd);
}


void
ngx_mpk_redis_node_send(ngx_mpk_redis_node_t *node, ngx_mpk_redis_cmd_t *cmd)
{
    ngx_mpk_redis_conn_t  *conn;

    conn = ngx_mpk_redis_node_pick(node, cmd->lane);

    if (conn == NULL) {
        ngx_mpk_redis_stats_refused(node, cmd->lane);
        ngx_mpk_redis_done(node->worker, cmd, NGX_MPK_REDIS_FAILED);
        return;
    }

    ngx_mpk_redis_queue(conn, cmd);
}


void
ngx_mpk_redis_queue(ngx_mpk_redis_conn_t *conn, ngx_mpk_redis_cmd_t *cmd)
{
    ngx_queue_insert_tail(&conn->waiting, &cmd->queue);
    conn->pending++;

    /* from here on a worker that shuts down waits for this connection */

    if (!cmd->own) {
        conn->timer.cancelable = 0;
    }

    if (conn->state == NGX_MPK_REDIS_READY) {

        if (!conn->durable) {
            *conn->last = &cmd->link;
            conn->last = &cmd->link.next;
        }

        cmd->deadline = ngx_current_msec + conn->redis->timeout;

        ngx_mpk_redis_arm(conn, cmd->deadline);

        ngx_post_event(&conn->flush, &ngx_posted_events);

        return;
    }

    cmd->deadline = ngx_current_msec + conn->redis->connect_timeout;

    if (conn->state == NGX_MPK_REDIS_DOWN) {
        ngx_mpk_redis_connect(conn);
        return;
    }

    ngx_mpk_redis_arm(conn, cmd->deadline);
}


ngx_int_t
ngx_mpk_redis_format(ngx_mpk_redis_cmd_t *cmd, ngx_uint_t argc,
    const mpk_str_t *argv)
{
    size_t   len;
    u_char  *p;

    len = ngx_mpk_redis_command_len(argc, argv);

    p = ngx_pnalloc(cmd->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&cmd->buf, sizeof(ngx_buf_t));

    cmd->buf.start = p;
    cmd->buf.pos = p;
    cmd->buf.last = ngx_mpk_redis_command_write(p, argc, argv);
    cmd->buf.end = cmd->buf.last;
    cmd->buf.memory = 1;
    cmd->buf.flush = 1;

    cmd->link.buf = &cmd->buf;
    cmd->link.next = NULL;

    cmd->sent = 0;
    cmd->asking = 0;
    cmd->hops = 0;

    cmd->mem.alloc = ngx_mpk_redis_alloc;
    cmd->mem.ctx = cmd->pool;

    return NGX_OK;
}


void *
ngx_mpk_redis_alloc(void *ctx, size_t size)
{
    return ngx_palloc(ctx, size);
}


void
ngx_mpk_redis_flush_handler(ngx_event_t *ev)
{
    ngx_mpk_redis_write(ev->data);
}


void
ngx_mpk_redis_write_handler(ngx_event_t *wev)
{
    ngx_connection_t  *c;

    c = wev->data;

    ngx_mpk_redis_write(c->data);
}


void
ngx_mpk_redis_write(ngx_mpk_redis_conn_t *conn)
{
    ngx_err_t          err;
    ngx_chain_t       *rest;
    ngx_connection_t  *c;

    c = conn->connection;

    if (conn->state < NGX_MPK_REDIS_HELLO || (conn->out == NULL && !c->buffered)) {
        return;
    }

    rest = c->send_chain(c, conn->out, 0);

    if (rest == NGX_CHAIN_ERROR) {
        err = ngx_socket_errno;
        c->error = 1;

        /* what went out before that may be executed */

        ngx_mpk_redis_written(conn, NULL);
        ngx_mpk_redis_fail(conn, NGX_LOG_ERR, err, "writing failed");
        return;
    }

    ngx_mpk_redis_written(conn, rest);

    conn->out = rest;

    if (rest == NULL) {
        conn->last = &conn->out;
    }

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_mpk_redis_fail(conn, NGX_LOG_ERR, 0, "no event for writing");
    }
}


/* The commands before rest, and what has begun of others, are sent. */
static void
ngx_mpk_redis_written(ngx_mpk_redis_conn_t *conn, ngx_chain_t *rest)
{
    ngx_chain_t          *cl;
    ngx_mpk_redis_cmd_t  *cmd;

    if (conn->state == NGX_MPK_REDIS_HELLO) {
        return;
    }

    for (cl = conn->out; cl; cl = cl->next) {

        if (cl->buf->pos == cl->buf->start) {
            break;
        }

        cmd = ngx_mpk_redis_cmd_of(cl);

        if (!cmd->sent) {
            cmd->sent = 1;
            ngx_queue_remove(&cmd->queue);
            ngx_queue_insert_tail(&conn->sent, &cmd->queue);
        }

        if (cl == rest) {
            break;
        }
    }
}


void
ngx_mpk_redis_read_handler(ngx_event_t *rev)
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
            ngx_mpk_redis_fail(conn, NGX_LOG_ERR, 0,
                               "worker_shutdown_timeout has expired");
            return;
        }

        if (conn->pending == 0) {
            ngx_mpk_redis_close(conn);
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
            ngx_mpk_redis_fail(conn, NGX_LOG_ERR, err, "reading failed");
            return;
        }

        if (n == 0) {
            ngx_mpk_redis_fail(conn,
                               conn->state == NGX_MPK_REDIS_READY
                               && conn->pending == 0
                               ? NGX_LOG_INFO : NGX_LOG_ERR,
                               0, "closed by Redis");
            return;
        }

        if (ngx_mpk_redis_dispatch(conn, (size_t) n) != NGX_OK) {
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
        ngx_mpk_redis_fail(conn, NGX_LOG_ERR, 0, "no event for reading");
    }
}


/* NGX_DONE: the connection is closed. */
static ngx_int_t
ngx_mpk_redis_dispatch(ngx_mpk_redis_conn_t *conn, size_t len)
{
    ngx_int_t               rc;
    mpk_status_t            status;
    ngx_mpk_redis_cmd_t    *cmd;
    ngx_mpk_redis_reply_t  *reply;

    status = ngx_mpk_redis_parser_feed(conn->parser, conn->node->worker->buffer, len);

    while (status == MPK_OK) {

        if (conn->state == NGX_MPK_REDIS_HELLO) {
            ngx_mpk_redis_parser_mem(conn->parser, &conn->mem);

        } else if (!ngx_queue_empty(&conn->sent)) {
            cmd = ngx_queue_data(ngx_queue_head(&conn->sent),
                                 ngx_mpk_redis_cmd_t, queue);
            ngx_mpk_redis_parser_mem(conn->parser, &cmd->mem);

        } else if (conn->node == &conn->node->worker->watch) {
            ngx_mpk_redis_parser_mem(conn->parser,
                                     &conn->node->worker->push_mem);

        } else {

            if (ngx_mpk_redis_parser_rest(conn->parser)) {
                ngx_mpk_redis_fail(conn, NGX_LOG_ERR, 0,
                                   "bytes came that nobody had asked for");
                return NGX_DONE;
            }

            break;
        }

        status = ngx_mpk_redis_parser_next(conn->parser, &reply);

        if (status != MPK_OK || reply == NULL) {
            break;
        }

        if (conn->state == NGX_MPK_REDIS_HELLO) {
            rc = ngx_mpk_redis_hello_reply(conn, reply);

            if (rc == NGX_ERROR) {
                return NGX_DONE;
            }

            if (rc == NGX_OK) {

                /* news may follow the subscription at once */

                if (conn->out
                    || (conn->node != &conn->node->worker->watch
                        && ngx_mpk_redis_parser_rest(conn->parser)))
                {
                    ngx_mpk_redis_fail(conn, NGX_LOG_ERR, 0,
                                       "bytes came that nobody had asked for");
                    return NGX_DONE;
                }

                if (ngx_mpk_redis_cluster_doubts(conn->node)
                    || ngx_mpk_redis_sentinel_doubts(conn))
                {
                    conn->state = NGX_MPK_REDIS_DOUBTED;
                    conn->connect_deadline = ngx_current_msec
                                             + NGX_MPK_REDIS_DOUBTS
                                               * conn->redis->connect_timeout;
                    continue;
                }

                ngx_mpk_redis_ready(conn);

                if (conn->state != NGX_MPK_REDIS_READY) {
                    return NGX_DONE;
                }
            }

            continue;
        }

        if (ngx_queue_empty(&conn->sent)) {
            ngx_mpk_redis_sentinel_told(conn, reply);
            continue;
        }

        if (ngx_mpk_redis_answer(conn, reply) != NGX_OK) {
            return NGX_DONE;
        }
    }

    if (status != MPK_OK) {
        ngx_mpk_redis_fail(conn, NGX_LOG_ERR, 0, "an answer is unusable: %s",
                           mpk_status_text(status));
        return NGX_DONE;
    }

    if (conn->pending) {
        return NGX_OK;
    }

    if (conn->state == NGX_MPK_REDIS_DRAINING && conn->moving
        && !ngx_exiting)
    {
        ngx_mpk_redis_reconnect(conn);
        return NGX_DONE;
    }

    if (conn->state == NGX_MPK_REDIS_DRAINING) {
        ngx_mpk_redis_fail(conn, NGX_LOG_ERR, 0,
                           "given up after an error that Redis answered");
        return NGX_DONE;
    }

    conn->timer.cancelable = 1;

    if (ngx_exiting && conn->state == NGX_MPK_REDIS_READY) {
        ngx_mpk_redis_close(conn);
        return NGX_DONE;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_mpk_redis_answer(ngx_mpk_redis_conn_t *conn, ngx_mpk_redis_reply_t *reply)
{
    ngx_mpk_redis_cmd_t    *cmd;
    ngx_mpk_redis_error_t   error;

    cmd = ngx_queue_data(ngx_queue_head(&conn->sent), ngx_mpk_redis_cmd_t,
                         queue);

    if (cmd->asking) {
        cmd->asking = 0;

        /* what follows is sent elsewhere again, and says nothing of why */

        if (reply->type == NGX_MPK_REDIS_ERROR) {
            error = ngx_mpk_redis_error_find(reply->str);

            ngx_mpk_redis_count(conn->redis, errors[error]);
            ngx_mpk_redis_log_error(conn, error);
        }

        return NGX_OK;
    }

    if (conn->out == &cmd->link) {
        ngx_mpk_redis_fail(conn, NGX_LOG_ERR, 0,
                           "an answer came before its command was sent whole");
        return NGX_DONE;
    }

    ngx_queue_remove(&cmd->queue);
    conn->pending--;

    cmd->reply = reply;

    if (cmd == &conn->wait) {
        ngx_mpk_redis_durable_answer(conn, reply);
        return NGX_OK;
    }

    if (reply->type == NGX_MPK_REDIS_ERROR) {
        cmd->result = NGX_MPK_REDIS_REFUSED;
        cmd->error = ngx_mpk_redis_error_find(reply->str);

        if (conn->node->worker->cluster
            && ngx_mpk_redis_cluster_follow(conn, cmd) == NGX_OK)
        {
            return NGX_OK;
        }

        if (!cmd->own) {
            ngx_mpk_redis_count(conn->redis, errors[cmd->error]);
            ngx_mpk_redis_log_error(conn, cmd->error);
        }

        if (cmd->lane == NGX_MPK_REDIS_COMMIT
            && ngx_mpk_redis_error_info(cmd->error)->ops)
        {
            conn->node->refused_at = ngx_current_msec | 1;
        }

        if (ngx_mpk_redis_error_info(cmd->error)->reconnect) {
            ngx_mpk_redis_drain(conn);
        }

    } else {
        cmd->result = NGX_MPK_REDIS_ANSWERED;

        if (cmd->lane == NGX_MPK_REDIS_COMMIT) {
            conn->node->refused_at = 0;
        }

        if (conn->durable) {
            ngx_mpk_redis_durable_hold(conn, cmd);
            return NGX_OK;
        }
    }

    cmd->handler(cmd);

    return NGX_OK;
}


void
ngx_mpk_redis_done(ngx_mpk_redis_worker_t *worker, ngx_mpk_redis_cmd_t *cmd,
    ngx_mpk_redis_result_t result)
{
    cmd->result = result;
    cmd->error = NGX_MPK_REDIS_ERR_OTHER;
    cmd->reply = NULL;

    if (cmd->own) {
        /* it says nothing of what became of anybody's */

    } else if (result == NGX_MPK_REDIS_LOST) {
        ngx_mpk_redis_count(worker->redis, lost);

    } else {
        ngx_mpk_redis_count(worker->redis, unsent);
    }

    ngx_queue_insert_tail(&worker->done, &cmd->queue);

    ngx_post_event(&worker->done_event, &ngx_posted_events);
}


static void
ngx_mpk_redis_done_handler(ngx_event_t *ev)
{
    ngx_queue_t             *q;
    ngx_mpk_redis_cmd_t     *cmd;
    ngx_mpk_redis_worker_t  *worker;

    worker = ev->data;

    while (!ngx_queue_empty(&worker->done)) {
        q = ngx_queue_head(&worker->done);
        ngx_queue_remove(q);

        cmd = ngx_queue_data(q, ngx_mpk_redis_cmd_t, queue);
        cmd->handler(cmd);
    }
}
