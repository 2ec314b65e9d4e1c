/* The topology of one server; see ngx_mpk_redis_topology_s. */

#ifndef NGX_MPK_REDIS_SERVER_H
#define NGX_MPK_REDIS_SERVER_H

#include "ngx_mpk_redis_int.h"


ngx_int_t ngx_mpk_redis_server_start(ngx_mpk_redis_worker_t *worker);
void ngx_mpk_redis_server_stop(ngx_mpk_redis_worker_t *worker);
void ngx_mpk_redis_server_node_name(ngx_mpk_redis_node_t *node,
    ngx_str_t *name);
void ngx_mpk_redis_server_on_lost(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_state_t state);


#endif /* NGX_MPK_REDIS_SERVER_H */
