/* The commit lane with durability=: a connection whose commits wait for a WAIT. */

#ifndef NGX_MPK_REDIS_DURABLE_H
#define NGX_MPK_REDIS_DURABLE_H

#include "ngx_mpk_redis_int.h"


/* At configuration time: formats redis->wait. */
ngx_int_t ngx_mpk_redis_durable_conf(ngx_conf_t *cf, ngx_mpk_redis_t *redis);

/* Makes conn the commit lane's. */
ngx_int_t ngx_mpk_redis_durable_init(ngx_mpk_redis_conn_t *conn);
void ngx_mpk_redis_durable_exit(ngx_mpk_redis_conn_t *conn);

/* The connection that takes a commit; NULL: commits are refused now. */
ngx_mpk_redis_conn_t *ngx_mpk_redis_durable_pick(ngx_mpk_redis_node_t *node);

/* Appends a WAIT on its own to conn->out; the caller writes. */
void ngx_mpk_redis_durable_probe(ngx_mpk_redis_conn_t *conn);

/* Appends the waiting commits and their WAIT to conn->out, unless a WAIT is pending. */
void ngx_mpk_redis_durable_flush(ngx_mpk_redis_conn_t *conn);

/* A commit was replied to: its handler is called after the WAIT. */
void ngx_mpk_redis_durable_hold(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_cmd_t *cmd);

/* The WAIT was replied to.  NGX_DECLINED: this is a replica, drain the connection. */
ngx_int_t ngx_mpk_redis_durable_reply(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply);

/* Finishes the commits that are queued behind the pending WAIT. */
void ngx_mpk_redis_durable_drain(ngx_mpk_redis_conn_t *conn);

/* The connection is closed: forgets the pending WAIT and the probe. */
void ngx_mpk_redis_durable_close(ngx_mpk_redis_conn_t *conn);


#endif /* NGX_MPK_REDIS_DURABLE_H */
