/* A connection: connect, setup, commands and replies, failure, reconnect. */

#ifndef NGX_MPK_REDIS_CONN_H
#define NGX_MPK_REDIS_CONN_H

#include "ngx_mpk_redis_int.h"


/* Initializes a zeroed connection of node; it is DOWN. */
void ngx_mpk_redis_conn_init(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_node_t *node);

/* Connects a connection that is DOWN to the node's next address. */
void ngx_mpk_redis_conn_connect(ngx_mpk_redis_conn_t *conn);

/* Closes and connects at once; queued commands stay. */
void ngx_mpk_redis_conn_reconnect(ngx_mpk_redis_conn_t *conn);

/* Reconnects; if commands are in flight, after the last reply that is due. */
void ngx_mpk_redis_conn_move(ngx_mpk_redis_conn_t *conn);

/* Closes the connection; its queues are left alone. */
void ngx_mpk_redis_conn_close(ngx_mpk_redis_conn_t *conn);

/*
 * Closes the connection, finishes its commands, logs that it is down, and connects to
 * the next address at once or to the first again later.  Level NGX_LOG_INFO: no request
 * noticed.  The caller must not touch the connection afterwards.
 */
void ngx_mpk_redis_conn_fail(ngx_mpk_redis_conn_t *conn, ngx_uint_t level,
    ngx_err_t err, const char *fmt, ...);

/* SETUP or UNCONFIRMED to READY: writes the queued commands. */
void ngx_mpk_redis_conn_ready(ngx_mpk_redis_conn_t *conn);

/* The same for UNCONFIRMED, though no other server confirmed the node's role. */
void ngx_mpk_redis_conn_accept_unconfirmed(ngx_mpk_redis_conn_t *conn);

/* Queues a formatted command; connects first if the connection is DOWN. */
void ngx_mpk_redis_conn_send(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_cmd_t *cmd);


#endif /* NGX_MPK_REDIS_CONN_H */
