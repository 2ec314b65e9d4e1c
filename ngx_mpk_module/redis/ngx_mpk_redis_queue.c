/* Commands: formatted, queued on a connection, finished; their deadlines. */

#include "ngx_mpk_redis_queue.h"


#define NGX_MPK_REDIS_BACKOFF_MIN  50      /* ms */
#define NGX_MPK_REDIS_BACKOFF_MAX  1000


static void ngx_mpk_redis_cmd_call(ngx_mpk_redis_cmd_t *cmd);
static void ngx_mpk_redis_queue_written(ngx_mpk_redis_conn_t *conn,
    ngx_chain_t *rest);


ngx_int_t
ngx_mpk_redis_cmd_format(ngx_mpk_redis_cmd_t *cmd, ngx_uint_t argc,
    const mpk_str_t *argv)
{
    size_t   len;
    u_char  *p;

#if (NGX_MPK_ASSERT)
    ngx_mpk_assert(!cmd->owned);
    cmd->owned = 1;
#endif

#if (NGX_DEBUG)
    ngx_str_null(&cmd->name);
#endif

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

    ngx_mpk_assert(cmd->buf.last == p + len);

    cmd->link.buf = &cmd->buf;
    cmd->link.next = NULL;

    cmd->sent = 0;
    cmd->asking = 0;
    cmd->redirects = 0;

    cmd->mem.alloc = ngx_mpk_redis_alloc;
    cmd->mem.ctx = cmd->pool;

#if (NGX_DEBUG)

    /* the first argument, in the copy: "*2\r\n$3\r\nGET\r\n..." */

    p = ngx_strlchr(p, cmd->buf.last, '\n') + 1;
    cmd->name.data = ngx_strlchr(p, cmd->buf.last, '\n') + 1;
    cmd->name.len = argv[0].len;

#endif

    return NGX_OK;
}


ngx_mpk_redis_cmd_t *
ngx_mpk_redis_cmd_create(ngx_mpk_redis_worker_t *worker, size_t size,
    ngx_mpk_redis_handler_pt handler, ngx_uint_t argc, const mpk_str_t *argv)
{
    ngx_pool_t           *pool;
    ngx_mpk_redis_cmd_t  *cmd;

    pool = ngx_create_pool(size, worker->cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    cmd = ngx_pcalloc(pool, sizeof(ngx_mpk_redis_cmd_t));

    if (cmd == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    cmd->pool = pool;
    cmd->handler = handler;
    cmd->lane = NGX_MPK_REDIS_READ;
    cmd->internal = 1;

    if (ngx_mpk_redis_cmd_format(cmd, argc, argv) != NGX_OK) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    return cmd;
}


void
ngx_mpk_redis_cmd_reply(ngx_mpk_redis_cmd_t *cmd)
{
    ngx_mpk_assert(cmd->reply != NULL
                   && (cmd->result == NGX_MPK_REDIS_ANSWERED
                       || cmd->result == NGX_MPK_REDIS_REFUSED));

    ngx_mpk_redis_cmd_call(cmd);
}


void
ngx_mpk_redis_cmd_finish(ngx_mpk_redis_worker_t *worker,
    ngx_mpk_redis_cmd_t *cmd, ngx_mpk_redis_result_t result)
{
    ngx_mpk_assert(result == NGX_MPK_REDIS_FAILED
                   || result == NGX_MPK_REDIS_LOST);

    ngx_log_debug2(NGX_LOG_DEBUG_EVENT, worker->cycle->log, 0,
                   "mpk redis command %s: %V",
                   result == NGX_MPK_REDIS_LOST ? "lost" : "not sent",
                   &cmd->name);

    cmd->result = result;
    cmd->error = NGX_MPK_REDIS_ERR_OTHER;
    cmd->reply = NULL;

    if (!cmd->internal && !cmd->background) {

        if (result == NGX_MPK_REDIS_LOST) {
            ngx_mpk_redis_count(worker->redis, lost);

        } else {
            ngx_mpk_redis_count(worker->redis, unsent);
        }
    }

    ngx_queue_insert_tail(&worker->finished, &cmd->queue);

    ngx_post_event(&worker->finish, &ngx_posted_events);
}


void
ngx_mpk_redis_finish_handler(ngx_event_t *ev)
{
    ngx_queue_t             *q;
    ngx_mpk_redis_worker_t  *worker;

    worker = ev->data;

    while (!ngx_queue_empty(&worker->finished)) {
        q = ngx_queue_head(&worker->finished);
        ngx_queue_remove(q);

        ngx_mpk_redis_cmd_call(ngx_mpk_redis_cmd_at(q));
    }
}


/* From here on the command is its caller's: it may be sent again, or be freed. */

static void
ngx_mpk_redis_cmd_call(ngx_mpk_redis_cmd_t *cmd)
{
#if (NGX_MPK_ASSERT)
    ngx_mpk_assert(cmd->owned);
    cmd->owned = 0;
#endif

    cmd->handler(cmd);
}


ngx_uint_t
ngx_mpk_redis_queue_finish(ngx_mpk_redis_conn_t *conn, ngx_queue_t *queue,
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

        cmd = ngx_mpk_redis_cmd_at(q);

        ngx_mpk_assert(cmd != &conn->wait);

        if (!cmd->internal && !cmd->background) {
            n++;
        }

        ngx_mpk_redis_cmd_finish(conn->node->worker, cmd, result);
    }

    return n;
}


void
ngx_mpk_redis_queue_flush(ngx_mpk_redis_conn_t *conn)
{
    ngx_msec_t            deadline;
    ngx_queue_t          *q;
    ngx_mpk_redis_cmd_t  *cmd;

    deadline = ngx_current_msec + conn->redis->timeout;

    if (!ngx_queue_empty(&conn->waiting)) {
        ngx_mpk_redis_queue_timer(conn, deadline);
    }

    for (q = ngx_queue_head(&conn->waiting);
         q != ngx_queue_sentinel(&conn->waiting);
         q = ngx_queue_next(q))
    {
        cmd = ngx_mpk_redis_cmd_at(q);

        cmd->deadline = deadline;

        *conn->last = &cmd->link;
        conn->last = &cmd->link.next;
    }
}


ngx_int_t
ngx_mpk_redis_queue_write(ngx_mpk_redis_conn_t *conn, ngx_err_t *err)
{
    ngx_chain_t       *rest;
    ngx_connection_t  *c;

    c = conn->connection;

    rest = c->send_chain(c, conn->out, 0);

    if (rest == NGX_CHAIN_ERROR) {
        *err = ngx_socket_errno;

        /* commands that were written before the error may be executed */

        ngx_mpk_redis_queue_written(conn, NULL);
        return NGX_ERROR;
    }

    ngx_mpk_redis_queue_written(conn, rest);

    conn->out = rest;

    if (rest == NULL) {
        conn->last = &conn->out;
    }

    return NGX_OK;
}


/* Moves commands of which at least one byte is written from waiting to sent. */

static void
ngx_mpk_redis_queue_written(ngx_mpk_redis_conn_t *conn, ngx_chain_t *rest)
{
    ngx_chain_t          *cl;
    ngx_mpk_redis_cmd_t  *cmd;

    if (conn->state == NGX_MPK_REDIS_SETUP) {
        return;
    }

    for (cl = conn->out; cl; cl = cl->next) {

        if (cl->buf->pos == cl->buf->start) {
            break;
        }

        cmd = ngx_mpk_redis_cmd_of(cl);

        if (!cmd->sent) {
            ngx_log_debug2(NGX_LOG_DEBUG_EVENT, &conn->log, 0,
                           "mpk redis command written: %V, %V",
                           &cmd->name, &conn->node->name);

            cmd->sent = 1;
            ngx_queue_remove(&cmd->queue);
            ngx_queue_insert_tail(&conn->sent, &cmd->queue);
        }

        if (cl == rest) {
            break;
        }
    }
}


ngx_int_t
ngx_mpk_redis_queue_expire(ngx_mpk_redis_conn_t *conn)
{
    ngx_queue_t          *q;
    ngx_mpk_redis_cmd_t  *cmd;

    while (conn->pending) {

        q = ngx_queue_head(ngx_queue_empty(&conn->sent) ? &conn->waiting
                                                        : &conn->sent);
        cmd = ngx_mpk_redis_cmd_at(q);

        if ((ngx_msec_int_t) (cmd->deadline - ngx_current_msec) > 0) {
            ngx_mpk_redis_queue_timer(conn, cmd->deadline);
            break;
        }

        ngx_log_debug2(NGX_LOG_DEBUG_EVENT, &conn->log, 0,
                       "mpk redis command timed out: %V, %V",
                       &cmd->name, &conn->node->name);

        if (conn->state >= NGX_MPK_REDIS_READY) {
            return NGX_ERROR;
        }

        /* its time was spent on the node's other addresses */

        ngx_queue_remove(q);
        conn->pending--;

        ngx_mpk_redis_cmd_finish(conn->node->worker, cmd, NGX_MPK_REDIS_FAILED);
    }

    return NGX_OK;
}


ngx_uint_t
ngx_mpk_redis_queue_idle(ngx_mpk_redis_conn_t *conn)
{
    ngx_queue_t  *queue;

    if (conn->pending != 1 || conn->ping == NULL) {
        return conn->pending == 0;
    }

    queue = ngx_queue_empty(&conn->sent) ? &conn->waiting : &conn->sent;

    return ngx_queue_head(queue) == &conn->ping->queue;
}


/*
 * One timer for all commands of a connection: it is left alone while replies come in
 * time; when it fires, it is set again for the oldest command.
 */
void
ngx_mpk_redis_queue_timer(ngx_mpk_redis_conn_t *conn, ngx_msec_t deadline)
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


ngx_msec_t
ngx_mpk_redis_backoff(ngx_msec_t *backoff)
{
    *backoff = *backoff ? ngx_min(*backoff * 2, NGX_MPK_REDIS_BACKOFF_MAX)
                        : NGX_MPK_REDIS_BACKOFF_MIN;

    return *backoff / 2 + (ngx_msec_t) ngx_random() % (*backoff + 1);
}


void *
ngx_mpk_redis_alloc(void *ctx, size_t size)
{
    return ngx_palloc(ctx, size);
}


#if (NGX_MPK_ASSERT)

void
ngx_mpk_redis_queue_check(ngx_mpk_redis_conn_t *conn)
{
    ngx_uint_t    i, n, waits;
    ngx_queue_t  *q, *queues[3];

    queues[0] = &conn->waiting;
    queues[1] = &conn->sent;
    queues[2] = &conn->held;

    n = 0;
    waits = 0;

    for (i = 0; i < 3; i++) {
        for (q = ngx_queue_head(queues[i]);
             q != ngx_queue_sentinel(queues[i]);
             q = ngx_queue_next(q))
        {
            n++;

            if (q == &conn->wait.queue) {
                waits++;
                continue;
            }

            ngx_mpk_assert(ngx_mpk_redis_cmd_at(q)->owned);
            ngx_mpk_assert(ngx_mpk_redis_cmd_at(q)->sent == (i > 0));
        }
    }

    ngx_mpk_assert(n == conn->pending);
    ngx_mpk_assert(waits == conn->wait_pending);
    ngx_mpk_assert(conn->durable
                   || (!conn->wait_pending && ngx_queue_empty(&conn->held)));

    ngx_mpk_assert((conn->connection == NULL)
                   == (conn->state <= NGX_MPK_REDIS_DISCOVERING));
    ngx_mpk_assert(conn->state == NGX_MPK_REDIS_DOWN || !conn->retry.timer_set);
    ngx_mpk_assert(conn->state >= NGX_MPK_REDIS_SETUP
                   || (conn->parser == NULL && conn->out == NULL));
    ngx_mpk_assert(conn->state >= NGX_MPK_REDIS_READY
                   || (ngx_queue_empty(&conn->sent)
                       && ngx_queue_empty(&conn->held)));
    ngx_mpk_assert(!conn->moving || conn->state == NGX_MPK_REDIS_DRAINING);
}

#endif
