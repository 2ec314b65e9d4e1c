/* What differs between a server, a master behind Sentinels and a cluster, side by side. */

#include "ngx_mpk_redis_topology.h"
#include "ngx_mpk_redis_server.h"
#include "ngx_mpk_redis_sentinel.h"
#include "ngx_mpk_redis_cluster.h"


#define NGX_MPK_REDIS_PORT           6379
#define NGX_MPK_REDIS_SENTINEL_PORT  26379


/* One server.  Its host name is resolved again whenever it is lost. */

const ngx_mpk_redis_topology_t  ngx_mpk_redis_topology_server = {
    .port = NGX_MPK_REDIS_PORT,
    .databases = 1,

    .check_role = 1,
    .role_remedy = "set \"mpk_redis\" to the master",

    .start = ngx_mpk_redis_server_start,
    .stop = ngx_mpk_redis_server_stop,
    .node_name = ngx_mpk_redis_server_node_name,
    .on_lost = ngx_mpk_redis_server_on_lost,
};


/*
 * A master that Sentinels name.  A connection subscribed to one Sentinel follows
 * failovers; the next Sentinel is queried whenever the master is lost.
 */

const ngx_mpk_redis_topology_t  ngx_mpk_redis_topology_sentinel = {
    .port = NGX_MPK_REDIS_SENTINEL_PORT,
    .host_list = 1,
    .master_name = 1,
    .databases = 1,

    .check_role = 1,
    .role_remedy = "querying Sentinel again",
    .confirmer = "Sentinel",

    .start = ngx_mpk_redis_sentinel_start,
    .stop = ngx_mpk_redis_sentinel_stop,
    .node_name = ngx_mpk_redis_sentinel_node_name,
    .discover = ngx_mpk_redis_sentinel_query,
    .on_master = ngx_mpk_redis_sentinel_on_master,
    .needs_confirmation = ngx_mpk_redis_sentinel_needs_confirmation,
    .on_ready = ngx_mpk_redis_sentinel_on_ready,
    .on_message = ngx_mpk_redis_sentinel_on_message,
    .on_timeout = ngx_mpk_redis_sentinel_on_timeout,
    .on_lost = ngx_mpk_redis_sentinel_on_lost,
};


/*
 * Many masters.  The key's slot selects the node, MOVED and ASK correct that, and the
 * slot map is refreshed from the nodes in turn.  A replica redirects by itself, so that
 * its role needs no check.
 */

const ngx_mpk_redis_topology_t  ngx_mpk_redis_topology_cluster = {
    .port = NGX_MPK_REDIS_PORT,
    .host_list = 1,

    .confirmer = "other node",

    .start = ngx_mpk_redis_cluster_start,
    .stop = ngx_mpk_redis_cluster_stop,
    .send = ngx_mpk_redis_cluster_send,
    .find_node = ngx_mpk_redis_cluster_owner,
    .next_node = ngx_mpk_redis_cluster_next_node,
    .node_name = ngx_mpk_redis_cluster_node_name,
    .needs_confirmation = ngx_mpk_redis_cluster_needs_confirmation,
    .redirect = ngx_mpk_redis_cluster_redirect,
    .on_timeout = ngx_mpk_redis_cluster_on_timeout,
    .on_lost = ngx_mpk_redis_cluster_on_lost,
};
