/*
 * The commit lane with durability=: commits have a connection of their own.  All that are
 * queued are sent together, one WAIT or WAITAOF after them, and their handlers are called
 * once it is reached.  If it is not, commits are refused before they are sent until a
 * WAIT on its own succeeds.
 */

#include "ngx_mpk_redis_durable.h"
#include "ngx_mpk_redis_log.h"
#include "ngx_mpk_redis_queue.h"


#define NGX_MPK_REDIS_WAIT_POOL  1024    /* bytes: the reply to one WAIT */


static void ngx_mpk_redis_durable_wait(ngx_mpk_redis_conn_t *conn);
static void ngx_mpk_redis_durable_probe_handler(ngx_event_t *ev);
static int64_t ngx_mpk_redis_durable_count(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply);
static void ngx_mpk_redis_durable_reached(ngx_mpk_redis_conn_t *conn);
static ngx_int_t ngx_mpk_redis_durable_failed(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply, int64_t count);
static void ngx_mpk_redis_durable_log(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply, int64_t count, ngx_uint_t lost);
static const char *ngx_mpk_redis_durable_remedy(ngx_mpk_redis_conn_t *conn,
    mpk_str_t text);
static ngx_uint_t ngx_mpk_redis_durable_contains(mpk_str_t text,
    const char *part);


ngx_int_t
ngx_mpk_redis_durable_conf(ngx_conf_t *cf, ngx_mpk_redis_t *redis)
{
    u_char     *p;
    u_char      number[NGX_INT_T_LEN], timeout[NGX_INT_T_LEN];
    mpk_str_t   argv[4];
    ngx_uint_t  n;

    n = 0;

    if (redis->durability == NGX_MPK_REDIS_REPLICAS) {
        argv[n++] = mpk_string("WAIT");
        argv[n++] = (mpk_str_t) {
            (size_t) (ngx_sprintf(number, "%ui", redis->needed) - number), number
        };

    } else {
        argv[n++] = mpk_string("WAITAOF");
        argv[n++] = mpk_string("1");
        argv[n++] = mpk_string("0");
    }

    argv[n++] = (mpk_str_t) {
        (size_t) (ngx_sprintf(timeout, "%M", redis->wait_timeout) - timeout),
        timeout
    };

    redis->wait.len = ngx_mpk_redis_command_len(n, argv);

    p = ngx_pnalloc(cf->pool, redis->wait.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    redis->wait.data = p;

    (void) ngx_mpk_redis_command_write(p, n, argv);

    return NGX_OK;
}


ngx_uint_t
ngx_mpk_redis_durable(ngx_mpk_redis_t *redis)
{
    return redis->durability != NGX_MPK_REDIS_NONE;
}


ngx_int_t
ngx_mpk_redis_durable_init(ngx_mpk_redis_conn_t *conn)
{
    ngx_log_t  *log;

    log = conn->node->worker->cycle->log;

    conn->wait.pool = ngx_create_pool(NGX_MPK_REDIS_WAIT_POOL, log);
    if (conn->wait.pool == NULL) {
        return NGX_ERROR;
    }

    conn->wait.mem.alloc = ngx_mpk_redis_alloc;
    conn->wait.mem.ctx = conn->wait.pool;

#if (NGX_DEBUG)
    ngx_str_set(&conn->wait.name, "WAIT");
#endif

    conn->durable = 1;

    conn->probe.handler = ngx_mpk_redis_durable_probe_handler;
    conn->probe.data = conn;
    conn->probe.log = log;
    conn->probe.cancelable = 1;

    return NGX_OK;
}


void
ngx_mpk_redis_durable_exit(ngx_mpk_redis_conn_t *conn)
{
    if (conn->wait.pool) {
        ngx_destroy_pool(conn->wait.pool);
        conn->wait.pool = NULL;
    }
}


ngx_mpk_redis_conn_t *
ngx_mpk_redis_durable_pick(ngx_mpk_redis_node_t *node)
{
    ngx_mpk_redis_conn_t  *conn;

    conn = &node->conns[node->readers];

    ngx_mpk_assert(conn->durable);

    if (conn->wait_failed
        || conn->pending >= NGX_MPK_REDIS_QUEUE_MAX
        || conn->state == NGX_MPK_REDIS_DRAINING
        || (conn->state == NGX_MPK_REDIS_DOWN && conn->retry.timer_set))
    {
        return NULL;
    }

    return conn;
}


/* No commit is sent on a connection before a WAIT has succeeded on it. */

void
ngx_mpk_redis_durable_probe(ngx_mpk_redis_conn_t *conn)
{
    ngx_queue_insert_head(&conn->waiting, &conn->wait.queue);

    ngx_mpk_redis_durable_wait(conn);
}


void
ngx_mpk_redis_durable_flush(ngx_mpk_redis_conn_t *conn)
{
    /* conn->out: a ping is still being sent */

    if (conn->state != NGX_MPK_REDIS_READY || conn->wait_pending || conn->out
        || ngx_queue_empty(&conn->waiting))
    {
        return;
    }

    ngx_mpk_redis_queue_flush(conn);

    if (ngx_mpk_redis_queue_idle(conn)) {
        return;
    }

    ngx_queue_insert_tail(&conn->waiting, &conn->wait.queue);

    ngx_mpk_redis_durable_wait(conn);
}


/* Appends the WAIT to conn->out; the caller has queued it. */

static void
ngx_mpk_redis_durable_wait(ngx_mpk_redis_conn_t *conn)
{
    ngx_buf_t            *b;
    ngx_mpk_redis_cmd_t  *cmd;

    ngx_mpk_assert(conn->durable && !conn->wait_pending
                   && conn->state == NGX_MPK_REDIS_READY);

    cmd = &conn->wait;
    b = &cmd->buf;

    ngx_reset_pool(cmd->pool);

    ngx_memzero(b, sizeof(ngx_buf_t));

    b->start = conn->redis->wait.data;
    b->pos = b->start;
    b->last = b->start + conn->redis->wait.len;
    b->end = b->last;
    b->memory = 1;
    b->flush = 1;

    cmd->link.buf = b;
    cmd->link.next = NULL;
    cmd->sent = 0;
    cmd->deadline = ngx_current_msec + conn->redis->timeout;

    *conn->last = &cmd->link;
    conn->last = &cmd->link.next;

    conn->wait_pending = 1;
    conn->pending++;

    ngx_log_debug2(NGX_LOG_DEBUG_EVENT, &conn->log, 0,
                   "mpk redis wait: %V, commits: %ui",
                   &conn->node->name, conn->pending - 1);

    ngx_mpk_redis_queue_timer(conn, cmd->deadline);
}


static void
ngx_mpk_redis_durable_probe_handler(ngx_event_t *ev)
{
    ngx_mpk_redis_conn_t  *conn;

    conn = ev->data;

    if (conn->state == NGX_MPK_REDIS_READY && !conn->wait_pending) {
        ngx_mpk_redis_durable_probe(conn);

        ngx_post_event(&conn->flush, &ngx_posted_events);
    }
}


void
ngx_mpk_redis_durable_hold(ngx_mpk_redis_conn_t *conn, ngx_mpk_redis_cmd_t *cmd)
{
    ngx_queue_insert_tail(&conn->held, &cmd->queue);
    conn->pending++;
}


ngx_int_t
ngx_mpk_redis_durable_reply(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply)
{
    int64_t  count;

    ngx_mpk_assert(conn->wait_pending);

    conn->wait_pending = 0;

    count = ngx_mpk_redis_durable_count(conn, reply);

    ngx_log_debug3(NGX_LOG_DEBUG_EVENT, &conn->log, 0,
                   "mpk redis wait replied: %V, %L of %ui",
                   &conn->node->name, count, conn->redis->needed);

    if (count < (int64_t) conn->redis->needed) {
        return ngx_mpk_redis_durable_failed(conn, reply, count);
    }

    ngx_mpk_redis_durable_reached(conn);

    return NGX_OK;
}


/* The number of acknowledgements; -1: the reply is an error, or not one to a WAIT. */

static int64_t
ngx_mpk_redis_durable_count(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply)
{
    /* WAITAOF: of this server (0 or 1), then of replicas */

    if (conn->redis->durability == NGX_MPK_REDIS_AOF) {

        if (reply->type != NGX_MPK_REDIS_ARRAY || reply->count != 2) {
            return -1;
        }

        reply = &reply->elements[0];
    }

    return reply->type == NGX_MPK_REDIS_INTEGER ? reply->integer : -1;
}


static void
ngx_mpk_redis_durable_reached(ngx_mpk_redis_conn_t *conn)
{
    ngx_queue_t  *q;

    conn->probe_backoff = 0;

    conn->wait_failed = 0;

    if (conn->wait_failure_logged) {
        conn->wait_failure_logged = 0;

        ngx_log_error(NGX_LOG_NOTICE, conn->node->worker->cycle->log, 0,
                      "mpk_redis %V: durability restored, accepting commits",
                      &conn->node->name);
    }

    /* a handler can queue another commit */

    while (!ngx_queue_empty(&conn->held)) {
        q = ngx_queue_head(&conn->held);
        ngx_queue_remove(q);
        conn->pending--;

        ngx_mpk_redis_cmd_reply(ngx_mpk_redis_cmd_at(q));
    }

    if (!ngx_queue_empty(&conn->waiting)) {
        ngx_post_event(&conn->flush, &ngx_posted_events);
    }
}


static ngx_int_t
ngx_mpk_redis_durable_failed(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply, int64_t count)
{
    ngx_uint_t  lost;

    lost = ngx_mpk_redis_queue_finish(conn, &conn->held, NGX_MPK_REDIS_LOST);

    (void) ngx_mpk_redis_queue_finish(conn, &conn->waiting,
                                      NGX_MPK_REDIS_FAILED);

    ngx_mpk_redis_durable_log(conn, reply, count, lost);

    ngx_mpk_redis_count(conn->redis, shortfalls);

    conn->wait_failed = 1;

    /* demoted since it was connected to: the setup checks its role again */

    if (reply->type == NGX_MPK_REDIS_ERROR
        && ngx_mpk_redis_durable_contains(reply->str, "with replica instances"))
    {
        return NGX_DECLINED;
    }

    if (conn->state == NGX_MPK_REDIS_READY && !ngx_exiting) {
        ngx_add_timer(&conn->probe,
                      ngx_mpk_redis_backoff(&conn->probe_backoff));
    }

    return NGX_OK;
}


void
ngx_mpk_redis_durable_drain(ngx_mpk_redis_conn_t *conn)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&conn->waiting)) {
        q = ngx_queue_last(&conn->waiting);

        if (q == &conn->wait.queue) {
            break;
        }

        ngx_queue_remove(q);
        conn->pending--;

        ngx_mpk_redis_cmd_finish(conn->node->worker, ngx_mpk_redis_cmd_at(q),
                                 NGX_MPK_REDIS_FAILED);
    }
}


void
ngx_mpk_redis_durable_close(ngx_mpk_redis_conn_t *conn)
{
    if (conn->wait_pending) {
        ngx_queue_remove(&conn->wait.queue);
        conn->wait_pending = 0;
        conn->pending--;
    }

    if (conn->probe.timer_set) {
        ngx_del_timer(&conn->probe);
    }
}


static void
ngx_mpk_redis_durable_log(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply, int64_t count, ngx_uint_t lost)
{
    u_char       buf[NGX_MPK_REDIS_TEXT_MAX];
    ngx_log_t   *log;
    ngx_str_t    text;
    ngx_uint_t   aof;
    const char  *name, *remedy;

    /* with replicas that lag, a WAIT fails again and again */

    if ((count >= 0 || conn->wait_failed)
        && !ngx_mpk_redis_log_due(&conn->node->worker->wait_logged))
    {
        return;
    }

    conn->node->worker->wait_logged = ngx_current_msec | 1;
    conn->wait_failure_logged = 1;

    log = conn->node->worker->cycle->log;

    aof = (conn->redis->durability == NGX_MPK_REDIS_AOF);
    name = aof ? "WAITAOF" : "WAIT";

    if (count >= 0) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "mpk_redis %V: %s was acknowledged by %L of %ui within "
                      "%Mms%s; refusing commits until it succeeds, written "
                      "commits reported as lost: %ui",
                      &conn->node->name, name, count, conn->redis->needed,
                      conn->redis->wait_timeout,
                      aof ? ": the disk is slow, or redis.conf needs "
                            "\"appendfsync always\", or \"everysec\" and "
                            "timeout=3s" : "",
                      lost);
        return;
    }

    if (reply->type != NGX_MPK_REDIS_ERROR) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "mpk_redis %V: unexpected reply to %s; refusing commits "
                      "until it succeeds, written commits reported as lost: "
                      "%ui", &conn->node->name, name, lost);
        return;
    }

    text = ngx_mpk_redis_log_text(reply->str, buf);
    remedy = ngx_mpk_redis_durable_remedy(conn, reply->str);

    ngx_log_error(NGX_LOG_ERR, log, 0,
                  "mpk_redis %V: %s was refused with \"%V\"%s; refusing "
                  "commits until it succeeds, written commits reported as "
                  "lost: %ui", &conn->node->name, name, &text, remedy, lost);
}


static const char *
ngx_mpk_redis_durable_remedy(ngx_mpk_redis_conn_t *conn, mpk_str_t text)
{
    if (ngx_mpk_redis_error_find(text) == NGX_MPK_REDIS_ERR_NOPERM) {
        return conn->redis->durability == NGX_MPK_REDIS_AOF
               ? ": grant the Redis user +waitaof"
               : ": grant the Redis user +wait";
    }

    if (conn->redis->durability != NGX_MPK_REDIS_AOF) {
        return "";
    }

    if (ngx_mpk_redis_durable_contains(text, "unknown command")) {
        return ": durability=aof needs Redis >= 7.2, upgrade it or use "
               "durability=replicas=N";
    }

    if (ngx_mpk_redis_durable_contains(text, "appendonly is disabled")) {
        return ": durability=aof needs \"appendonly yes\" in redis.conf";
    }

    return "";
}


static ngx_uint_t
ngx_mpk_redis_durable_contains(mpk_str_t text, const char *part)
{
    size_t  i, len;

    len = ngx_strlen(part);

    for (i = 0; i + len <= text.len; i++) {
        if (ngx_strncmp(text.data + i, part, len) == 0) {
            return 1;
        }
    }

    return 0;
}
