/* The three topologies of mpk_redis. */

#ifndef NGX_MPK_REDIS_TOPOLOGY_H
#define NGX_MPK_REDIS_TOPOLOGY_H

#include "ngx_mpk_redis_int.h"


extern const ngx_mpk_redis_topology_t  ngx_mpk_redis_topology_server;
extern const ngx_mpk_redis_topology_t  ngx_mpk_redis_topology_sentinel;
extern const ngx_mpk_redis_topology_t  ngx_mpk_redis_topology_cluster;


#endif /* NGX_MPK_REDIS_TOPOLOGY_H */
