/* Log lines of the client: one for each change, and nothing that a command contained. */

#include "ngx_mpk_redis_log.h"


#define NGX_MPK_REDIS_LOG_INTERVAL  10000    /* ms between two lines about the same */
#define NGX_MPK_REDIS_LOG_REASON    1000     /* ms before another reason is logged */


static const char *const  ngx_mpk_redis_states[] = {
    [NGX_MPK_REDIS_DOWN] = "down",
    [NGX_MPK_REDIS_DISCOVERING] = "discovering",
    [NGX_MPK_REDIS_CONNECTING] = "connecting",
    [NGX_MPK_REDIS_HANDSHAKE] = "handshake",
    [NGX_MPK_REDIS_SETUP] = "setup",
    [NGX_MPK_REDIS_UNCONFIRMED] = "unconfirmed",
    [NGX_MPK_REDIS_READY] = "ready",
    [NGX_MPK_REDIS_DRAINING] = "draining",
};

mpk_assert_rows(ngx_mpk_redis_states, NGX_MPK_REDIS_STATES);


const char *
ngx_mpk_redis_log_state(ngx_mpk_redis_state_t state)
{
    return ngx_mpk_redis_states[state];
}


ngx_int_t
ngx_mpk_redis_log_failure(ngx_mpk_redis_conn_t *conn, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    va_start(args, fmt);
    p = ngx_vslprintf(conn->failure,
                      conn->failure + NGX_MPK_REDIS_FAILURE - 1, fmt, args);
    va_end(args);

    *p = '\0';

    return NGX_ERROR;
}


void
ngx_mpk_redis_log_down(ngx_mpk_redis_conn_t *conn, ngx_uint_t level,
    ngx_err_t err, const char *reason, ngx_uint_t lost, ngx_uint_t unsent)
{
    ngx_log_t   *log;
    ngx_uint_t   changed;

    log = conn->node->worker->cycle->log;

    if (level == NGX_LOG_INFO) {
        ngx_log_error(level, log, err, "mpk_redis %V: %s while idle",
                      &conn->node->name, reason);
        return;
    }

    /* the first reason may hide the lasting one: a lost connection, then a wrong password */

    changed = ngx_strncmp(conn->down_reason, reason,
                          sizeof(conn->down_reason) - 1) != 0
              && (ngx_msec_int_t) (ngx_current_msec - conn->down_logged_at)
                 >= NGX_MPK_REDIS_LOG_REASON;

    if (!changed && !ngx_mpk_redis_log_down_due(conn)) {
        return;
    }

    (void) ngx_cpystrn(conn->down_reason, (u_char *) reason,
                       sizeof(conn->down_reason));

    conn->down_logged = 1;
    conn->down_logged_at = ngx_current_msec | 1;

    ngx_log_error(level, log, err,
                  "mpk_redis %V: %s; commands in flight lost: %ui, "
                  "not sent: %ui",
                  &conn->node->name, reason, lost, unsent);
}


ngx_uint_t
ngx_mpk_redis_log_down_due(ngx_mpk_redis_conn_t *conn)
{
    return !conn->down_logged
           && (conn->down_logged_at == 0
               || (ngx_msec_int_t) (ngx_current_msec - conn->down_logged_at)
                  >= NGX_MPK_REDIS_LOG_INTERVAL);
}


void
ngx_mpk_redis_log_restored(ngx_mpk_redis_conn_t *conn)
{
    if (!conn->down_logged) {
        return;
    }

    conn->down_logged = 0;

    ngx_log_error(NGX_LOG_NOTICE, conn->node->worker->cycle->log, 0,
                  "mpk_redis %V: connection restored", &conn->node->name);
}


ngx_uint_t
ngx_mpk_redis_log_due(ngx_msec_t *last)
{
    if (*last
        && (ngx_msec_int_t) (ngx_current_msec - *last)
           < NGX_MPK_REDIS_LOG_INTERVAL)
    {
        return 0;
    }

    *last = ngx_current_msec | 1;

    return 1;
}


void
ngx_mpk_redis_log_mute(ngx_mpk_redis_conn_t *conn, ngx_uint_t mute)
{
    ngx_log_t  *log;

    log = conn->node->worker->cycle->log;

    conn->log.log_level = (mute && !(log->log_level & NGX_LOG_DEBUG_ALL))
                          ? NGX_LOG_ALERT : log->log_level;
}


void
ngx_mpk_redis_log_error(ngx_mpk_redis_conn_t *conn, ngx_mpk_redis_error_t error)
{
    ngx_log_t                         *log;
    ngx_uint_t                         level;
    const ngx_mpk_redis_error_info_t  *info;

    log = conn->node->worker->cycle->log;
    info = ngx_mpk_redis_error_info(error);
    level = info->operator ? NGX_LOG_ERR : NGX_LOG_WARN;

    if (info->remedy == NULL
        || !ngx_mpk_redis_log_due(&conn->node->worker->error_logged[error]))
    {
        return;
    }

    if ((error == NGX_MPK_REDIS_ERR_MOVED || error == NGX_MPK_REDIS_ERR_ASK)
        && conn->redis->topology->redirect)
    {
        ngx_log_error(level, log, 0,
                      "mpk_redis %V: a command was redirected too often, or to "
                      "an unusable address: compare CLUSTER SLOTS of all nodes "
                      "and set \"cluster-preferred-endpoint-type ip\"",
                      &conn->node->name);
        return;
    }

    if (info->name.len == 0) {
        ngx_log_error(level, log, 0,
                      "mpk_redis %V: a command was refused: %s",
                      &conn->node->name, info->remedy);
        return;
    }

    ngx_log_error(level, log, 0,
                  "mpk_redis %V: a command was refused with %*s: %s",
                  &conn->node->name, info->name.len, info->name.data,
                  info->remedy);
}


ngx_str_t
ngx_mpk_redis_log_text(mpk_str_t text, u_char *buf)
{
    size_t     i;
    ngx_str_t  line;

    line.len = ngx_min(text.len, NGX_MPK_REDIS_TEXT_MAX);
    line.data = buf;

    for (i = 0; i < line.len; i++) {
        buf[i] = text.data[i] >= 0x20 && text.data[i] < 0x7f ? text.data[i]
                                                             : '.';
    }

    return line;
}
