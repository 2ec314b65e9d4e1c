/* A server and the worker's connections to it. */

#ifndef NGX_MPK_REDIS_NODE_H
#define NGX_MPK_REDIS_NODE_H

#include "ngx_mpk_redis_int.h"


/*
 * Makes the node's connections in pool and connects them.  The caller has set worker,
 * name, setup, addrs, naddrs, readers and durable.
 */
ngx_int_t ngx_mpk_redis_node_init(ngx_mpk_redis_node_t *node, ngx_pool_t *pool);
void ngx_mpk_redis_node_exit(ngx_mpk_redis_node_t *node);

/* Queues a formatted command on one of the node's connections, or ends it with FAILED. */
void ngx_mpk_redis_node_send(ngx_mpk_redis_node_t *node,
    ngx_mpk_redis_cmd_t *cmd);

/* The connection for a command of the lane; NULL: none takes one now. */
ngx_mpk_redis_conn_t *ngx_mpk_redis_node_pick(ngx_mpk_redis_node_t *node,
    ngx_mpk_redis_lane_t lane);

/*
 * conn timed out: the node's role is to be confirmed, so its other connections are made
 * anew, those with commands in flight after the replies to them.
 */
void ngx_mpk_redis_node_reconnect(ngx_mpk_redis_node_t *node,
    ngx_mpk_redis_conn_t *conn);

ngx_uint_t ngx_mpk_redis_node_idle(ngx_mpk_redis_node_t *node);

/* Whether a commit would be sent to the node now. */
ngx_uint_t ngx_mpk_redis_node_writable(ngx_mpk_redis_node_t *node);

void ngx_mpk_redis_node_info(ngx_mpk_redis_node_t *node,
    ngx_mpk_redis_node_info_t *info);


#endif /* NGX_MPK_REDIS_NODE_H */
