/*
 * Commits that must outlive this Redis: on a connection of their own, with one WAIT
 * (or WAITAOF) after all that gathered, and no answer given before it is reached.  A
 * shortfall refuses commits, unwritten, until a WAIT on its own is reached again.
 */

#include "ngx_mpk_redis_int.h"


#define NGX_MPK_REDIS_WAIT_POOL  1024    /* bytes: the reply of one WAIT */


static void ngx_mpk_redis_durable_flush_handler(ngx_event_t *ev);
static void ngx_mpk_redis_durable_ask(ngx_mpk_redis_conn_t *conn);
static void ngx_mpk_redis_durable_probe_handler(ngx_event_t *ev);
static int64_t ngx_mpk_redis_durable_count(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply);
static void ngx_mpk_redis_durable_reached(ngx_mpk_redis_conn_t *conn);
static void ngx_mpk_redis_durable_short(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply, int64_t count);
static void ngx_mpk_redis_durable_log(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply, int64_t count, ngx_uint_t lost);
static const char *ngx_mpk_redis_durable_remedy(ngx_mpk_redis_conn_t *conn,
    mpk_str_t text);
static ngx_uint_t ngx_mpk_redis_durable_says(mpk_str_t text, const char *words);


ngx_int_t
ngx_mpk_redis_durable_make(ngx_conf_t *cf, ngx_mpk_redis_t *redis)
{
    u_char     *p;
    u_char      number[NGX_INT_T_LEN], bound[NGX_INT_T_LEN];
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
        (size_t) (ngx_sprintf(bound, "%M", redis->wait_timeout) - bound), bound
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

    conn->durable = 1;
    conn->flush.handler = ngx_mpk_redis_durable_flush_handler;

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

    if (conn->refusing
        || conn->pending >= NGX_MPK_REDIS_QUEUE_MAX
        || conn->state == NGX_MPK_REDIS_DRAINING
        || (conn->state == NGX_MPK_REDIS_DOWN && conn->retry.timer_set))
    {
        return NULL;
    }

    return conn;
}


/* Nothing is written to a Redis of which it is not known that its replicas follow. */

void
ngx_mpk_redis_durable_ready(ngx_mpk_redis_conn_t *conn)
{
    ngx_queue_insert_head(&conn->waiting, &conn->wait.queue);

    ngx_mpk_redis_durable_ask(conn);
    ngx_mpk_redis_write(conn);
}


/* What has gathered, and its WAIT; while one is out, nothing. */

static void
ngx_mpk_redis_durable_flush_handler(ngx_event_t *ev)
{
    ngx_mpk_redis_conn_t  *conn;

    conn = ev->data;

    if (conn->state != NGX_MPK_REDIS_READY || conn->asked
        || ngx_queue_empty(&conn->waiting))
    {
        return;
    }

    ngx_mpk_redis_gather(conn);

    ngx_queue_insert_tail(&conn->waiting, &conn->wait.queue);

    ngx_mpk_redis_durable_ask(conn);
    ngx_mpk_redis_write(conn);
}


static void
ngx_mpk_redis_durable_ask(ngx_mpk_redis_conn_t *conn)
{
    ngx_buf_t            *b;
    ngx_mpk_redis_cmd_t  *cmd;

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

    conn->asked = 1;
    conn->pending++;

    ngx_mpk_redis_arm(conn, cmd->deadline);
}


static void
ngx_mpk_redis_durable_probe_handler(ngx_event_t *ev)
{
    ngx_mpk_redis_conn_t  *conn;

    conn = ev->data;

    if (conn->state == NGX_MPK_REDIS_READY && !conn->asked) {
        ngx_mpk_redis_durable_ready(conn);
    }
}


void
ngx_mpk_redis_durable_hold(ngx_mpk_redis_conn_t *conn, ngx_mpk_redis_cmd_t *cmd)
{
    ngx_queue_insert_tail(&conn->held, &cmd->queue);
    conn->pending++;
}


void
ngx_mpk_redis_durable_answer(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply)
{
    int64_t  count;

    conn->asked = 0;

    count = ngx_mpk_redis_durable_count(conn, reply);

    if (count < (int64_t) conn->redis->needed) {
        ngx_mpk_redis_durable_short(conn, reply, count);
        return;
    }

    ngx_mpk_redis_durable_reached(conn);
}


static int64_t
ngx_mpk_redis_durable_count(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply)
{
    /* WAITAOF: how many of this server (0 or 1), and how many replicas */

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
    ngx_queue_t          *q;
    ngx_mpk_redis_cmd_t  *cmd;

    conn->probe_delay = 0;

    conn->refusing = 0;

    if (conn->refused) {
        conn->refused = 0;

        ngx_log_error(NGX_LOG_NOTICE, conn->node->worker->cycle->log, 0,
                      "mpk_redis %V: durability restored, commits are taken "
                      "again", &conn->node->name);
    }

    /* a handler may send again */

    while (!ngx_queue_empty(&conn->held)) {
        q = ngx_queue_head(&conn->held);
        ngx_queue_remove(q);
        conn->pending--;

        cmd = ngx_queue_data(q, ngx_mpk_redis_cmd_t, queue);
        cmd->handler(cmd);
    }

    if (!ngx_queue_empty(&conn->waiting)) {
        ngx_post_event(&conn->flush, &ngx_posted_events);
    }
}


static void
ngx_mpk_redis_durable_short(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply, int64_t count)
{
    ngx_uint_t  lost;
    ngx_msec_t  delay;

    lost = ngx_mpk_redis_give_up(conn, &conn->held, NGX_MPK_REDIS_LOST);

    (void) ngx_mpk_redis_give_up(conn, &conn->waiting, NGX_MPK_REDIS_FAILED);

    ngx_mpk_redis_durable_log(conn, reply, count, lost);

    ngx_mpk_redis_count(conn->redis, shortfalls);

    conn->refusing = 1;

    /* it was a master when it was connected to: that is asked again */

    if (reply->type == NGX_MPK_REDIS_ERROR
        && ngx_mpk_redis_durable_says(reply->str, "with replica instances"))
    {
        ngx_mpk_redis_drain(conn);
    }

    if (conn->state != NGX_MPK_REDIS_READY || ngx_exiting) {
        return;
    }

    conn->probe_delay = conn->probe_delay
                        ? ngx_min(conn->probe_delay * 2,
                                  NGX_MPK_REDIS_BACKOFF_MAX)
                        : NGX_MPK_REDIS_BACKOFF_MIN;

    delay = conn->probe_delay / 2
            + (ngx_msec_t) ngx_random() % (conn->probe_delay + 1);

    ngx_add_timer(&conn->probe, delay);
}


/* What is begun goes on until its WAIT; what has gathered behind that was not sent. */

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

        ngx_mpk_redis_done(conn->node->worker,
                           ngx_queue_data(q, ngx_mpk_redis_cmd_t, queue),
                           NGX_MPK_REDIS_FAILED);
    }
}


void
ngx_mpk_redis_durable_close(ngx_mpk_redis_conn_t *conn)
{
    if (conn->asked) {
        ngx_queue_remove(&conn->wait.queue);
        conn->asked = 0;
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
    ngx_str_t    words;
    ngx_uint_t   aof;
    const char  *what, *remedy;

    /* replicas that lag are short again and again */

    if ((count >= 0 || conn->refusing)
        && !ngx_mpk_redis_log_due(&conn->node->worker->durable_logged))
    {
        return;
    }

    conn->node->worker->durable_logged = ngx_current_msec | 1;
    conn->refused = 1;

    log = conn->node->worker->cycle->log;

    aof = (conn->redis->durability == NGX_MPK_REDIS_AOF);
    what = aof ? "WAITAOF" : "WAIT";

    if (count >= 0) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "mpk_redis %V: %s was acknowledged by %L of %ui within "
                      "%Mms%s, commits are refused until it is; %ui that are "
                      "written are not answered",
                      &conn->node->name, what, count, conn->redis->needed,
                      conn->redis->wait_timeout,
                      aof ? ": the disk is slow, or redis.conf needs "
                            "\"appendfsync always\", or \"everysec\" and a "
                            "timeout of 3s" : "",
                      lost);
        return;
    }

    if (reply->type != NGX_MPK_REDIS_ERROR) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "mpk_redis %V: %s was answered as Redis never does, "
                      "commits are refused; %ui that are written are not "
                      "answered", &conn->node->name, what, lost);
        return;
    }

    words = ngx_mpk_redis_hello_text(reply->str, buf);
    remedy = ngx_mpk_redis_durable_remedy(conn, reply->str);

    ngx_log_error(NGX_LOG_ERR, log, 0,
                  "mpk_redis %V: %s was refused with \"%V\"%s, commits are "
                  "refused; %ui that are written are not answered",
                  &conn->node->name, what, &words, remedy, lost);
}


static const char *
ngx_mpk_redis_durable_remedy(ngx_mpk_redis_conn_t *conn, mpk_str_t text)
{
    if (ngx_mpk_redis_error_find(text) == NGX_MPK_REDIS_ERR_NOPERM) {
        return conn->redis->durability == NGX_MPK_REDIS_AOF
               ? ": let the ACL of Redis' user have +waitaof"
               : ": let the ACL of Redis' user have +wait";
    }

    if (conn->redis->durability != NGX_MPK_REDIS_AOF) {
        return "";
    }

    if (ngx_mpk_redis_durable_says(text, "unknown command")) {
        return ": durability=aof needs Redis >= 7.2, upgrade it or use "
               "durability=replicas=N";
    }

    if (ngx_mpk_redis_durable_says(text, "appendonly is disabled")) {
        return ": durability=aof needs \"appendonly yes\" in redis.conf";
    }

    return "";
}


static ngx_uint_t
ngx_mpk_redis_durable_says(mpk_str_t text, const char *words)
{
    size_t  i, len;

    len = ngx_strlen(words);

    for (i = 0; i + len <= text.len; i++) {
        if (ngx_strncmp(text.data + i, words, len) == 0) {
            return 1;
        }
    }

    return 0;
}
