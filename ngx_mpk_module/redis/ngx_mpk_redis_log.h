/* Log lines of the client: one for each change, and nothing that a command contained. */

#ifndef NGX_MPK_REDIS_LOG_H
#define NGX_MPK_REDIS_LOG_H

#include "ngx_mpk_redis_int.h"

#define NGX_MPK_REDIS_TEXT_MAX  160    /* bytes of a server's text in a log line */


/*
 * Stores why conn can't be used, for the line that ngx_mpk_redis_conn_fail() logs.
 * Returns NGX_ERROR, for "return ngx_mpk_redis_log_failure(...)".
 */
ngx_int_t ngx_mpk_redis_log_failure(ngx_mpk_redis_conn_t *conn,
    const char *fmt, ...);

/*
 * Logs that the connection is down: once until it is restored, and again when the reason
 * changes.  With NGX_LOG_INFO, that it was closed while idle.
 */
void ngx_mpk_redis_log_down(ngx_mpk_redis_conn_t *conn, ngx_uint_t level,
    ngx_err_t err, const char *reason, ngx_uint_t lost, ngx_uint_t unsent);

/* Whether ngx_mpk_redis_log_down() would log a first failure now. */
ngx_uint_t ngx_mpk_redis_log_down_due(ngx_mpk_redis_conn_t *conn);

/* Logs that the connection is ready, if the log has it as down. */
void ngx_mpk_redis_log_restored(ngx_mpk_redis_conn_t *conn);

/* Logs an error reply by its name only: its text can repeat the command's arguments. */
void ngx_mpk_redis_log_error(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_error_t error);

/* True at most once in ten seconds for each last, which it updates. */
ngx_uint_t ngx_mpk_redis_log_due(ngx_msec_t *last);

/* Mutes or unmutes nginx core's own lines, which would repeat with every attempt. */
void ngx_mpk_redis_log_mute(ngx_mpk_redis_conn_t *conn, ngx_uint_t mute);

/* A server's text for a log line: truncated, printable; buf has TEXT_MAX bytes. */
ngx_str_t ngx_mpk_redis_log_text(mpk_str_t text, u_char *buf);

/* A state's name, for debug lines. */
const char *ngx_mpk_redis_log_state(ngx_mpk_redis_state_t state);


#endif /* NGX_MPK_REDIS_LOG_H */
