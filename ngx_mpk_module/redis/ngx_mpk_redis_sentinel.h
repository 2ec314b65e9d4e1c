/* The topology of a master behind Sentinels; see ngx_mpk_redis_topology_s. */

#ifndef NGX_MPK_REDIS_SENTINEL_H
#define NGX_MPK_REDIS_SENTINEL_H

#include "ngx_mpk_redis_int.h"


ngx_int_t ngx_mpk_redis_sentinel_start(ngx_mpk_redis_worker_t *worker);
void ngx_mpk_redis_sentinel_stop(ngx_mpk_redis_worker_t *worker);
void ngx_mpk_redis_sentinel_node_name(ngx_mpk_redis_node_t *node,
    ngx_str_t *name);
void ngx_mpk_redis_sentinel_query(ngx_mpk_redis_worker_t *worker);
ngx_int_t ngx_mpk_redis_sentinel_on_master(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply);
ngx_uint_t ngx_mpk_redis_sentinel_needs_confirmation(
    ngx_mpk_redis_conn_t *conn);
void ngx_mpk_redis_sentinel_on_ready(ngx_mpk_redis_conn_t *conn);
void ngx_mpk_redis_sentinel_on_message(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply);
void ngx_mpk_redis_sentinel_on_timeout(ngx_mpk_redis_conn_t *conn);
void ngx_mpk_redis_sentinel_on_lost(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_state_t state);


#endif /* NGX_MPK_REDIS_SENTINEL_H */
