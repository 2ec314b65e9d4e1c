/* What the log hears of the client: once for each change, and nothing a command held. */

#include "ngx_mpk_redis_int.h"


void
ngx_mpk_redis_report(ngx_mpk_redis_conn_t *conn, ngx_uint_t level,
    ngx_err_t err, const char *reason, ngx_uint_t lost, ngx_uint_t unsent)
{
    ngx_log_t   *log;
    ngx_uint_t   other;

    log = conn->node->worker->cycle->log;

    if (level == NGX_LOG_INFO) {
        ngx_log_error(level, log, err, "mpk_redis %V: %s, while idle",
                      &conn->node->name, reason);
        return;
    }

    /* what began it may hide what keeps it down: a lost connection, a wrong password */

    other = ngx_strncmp(conn->reason, reason, sizeof(conn->reason) - 1) != 0
            && (ngx_msec_int_t) (ngx_current_msec - conn->reported_at)
               >= NGX_MPK_REDIS_REASON_TIME;

    if (!other && !ngx_mpk_redis_report_due(conn)) {
        return;
    }

    (void) ngx_cpystrn(conn->reason, (u_char *) reason, sizeof(conn->reason));

    conn->reported = 1;
    conn->reported_at = ngx_current_msec | 1;

    ngx_log_error(level, log, err,
                  "mpk_redis %V: %s; %ui commands are lost, %ui were not sent",
                  &conn->node->name, reason, lost, unsent);
}


ngx_uint_t
ngx_mpk_redis_report_due(ngx_mpk_redis_conn_t *conn)
{
    return !conn->reported
           && (conn->reported_at == 0
               || (ngx_msec_int_t) (ngx_current_msec - conn->reported_at)
                  >= NGX_MPK_REDIS_LOG_INTERVAL);
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
ngx_mpk_redis_mute(ngx_mpk_redis_conn_t *conn, ngx_uint_t mute)
{
    ngx_log_t  *log;

    log = conn->node->worker->cycle->log;

    conn->log.log_level = (mute && !(log->log_level & NGX_LOG_DEBUG_ALL))
                          ? NGX_LOG_ALERT : log->log_level;
}


void
ngx_mpk_redis_log_error(ngx_mpk_redis_conn_t *conn, ngx_mpk_redis_error_t error)
{
    ngx_uint_t                         level;
    const ngx_mpk_redis_error_info_t  *info;

    info = ngx_mpk_redis_error_info(error);
    level = info->ops ? NGX_LOG_ERR : NGX_LOG_WARN;

    if (info->remedy == NULL
        || !ngx_mpk_redis_log_due(&conn->node->worker->error_logged[error]))
    {
        return;
    }

    if ((error == NGX_MPK_REDIS_ERR_MOVED || error == NGX_MPK_REDIS_ERR_ASK)
        && conn->node->worker->cluster)
    {
        ngx_log_error(level, conn->node->worker->cycle->log, 0,
                      "mpk_redis %V: the cluster sends its clients in circles, "
                      "or to a node that has no address: see CLUSTER SLOTS, "
                      "and let cluster-preferred-endpoint-type be ip",
                      &conn->node->name);
        return;
    }

    if (info->name.len == 0) {
        ngx_log_error(level, conn->node->worker->cycle->log, 0,
                      "mpk_redis %V: a command was refused: %s",
                      &conn->node->name, info->remedy);
        return;
    }

    ngx_log_error(level, conn->node->worker->cycle->log, 0,
                  "mpk_redis %V: a command was refused with %*s: %s",
                  &conn->node->name, info->name.len, info->name.data,
                  info->remedy);
}
