/* The topology of a cluster: its slot map and its nodes. */

#ifndef NGX_MPK_REDIS_CLUSTER_H
#define NGX_MPK_REDIS_CLUSTER_H

#include "ngx_mpk_redis_int.h"
#include "ngx_mpk_redis_slots.h"


/* In a worker; worker->node has the seeds: the nodes of the URL. */
typedef struct {
    ngx_mpk_redis_worker_t   *worker;
    ngx_queue_t               nodes;
    ngx_uint_t                nnodes;

    ngx_mpk_redis_cmd_t      *request;       /* the last CLUSTER SLOTS; NULL: replied to */
    ngx_mpk_redis_conn_t     *source;        /* where it was sent */
    ngx_msec_t                requested_at;
    ngx_event_t               refresh;
    ngx_msec_t                logged;
    unsigned                  loaded:1;      /* the slot map, at least once */

    ngx_queue_t               held;          /* commands that no node takes now */
    ngx_uint_t                nheld;
    ngx_event_t               requeue;

    ngx_mpk_redis_node_t     *slots[NGX_MPK_REDIS_SLOTS];  /* NULL: no master is known */
} ngx_mpk_redis_cluster_t;


/* ngx_mpk_redis_cluster.c; see ngx_mpk_redis_topology_s */

ngx_int_t ngx_mpk_redis_cluster_start(ngx_mpk_redis_worker_t *worker);
void ngx_mpk_redis_cluster_stop(ngx_mpk_redis_worker_t *worker);
void ngx_mpk_redis_cluster_send(ngx_mpk_redis_worker_t *worker,
    ngx_mpk_redis_cmd_t *cmd, ngx_uint_t argc, const mpk_str_t *argv);
ngx_mpk_redis_node_t *ngx_mpk_redis_cluster_owner(
    ngx_mpk_redis_worker_t *worker, mpk_str_t key);
ngx_uint_t ngx_mpk_redis_cluster_needs_confirmation(
    ngx_mpk_redis_conn_t *conn);
ngx_int_t ngx_mpk_redis_cluster_redirect(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_cmd_t *cmd);
void ngx_mpk_redis_cluster_on_timeout(ngx_mpk_redis_conn_t *conn);
void ngx_mpk_redis_cluster_on_lost(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_state_t state);


/* ngx_mpk_redis_cluster_nodes.c */

ngx_mpk_redis_node_t *ngx_mpk_redis_cluster_next_node(
    ngx_mpk_redis_worker_t *worker, ngx_mpk_redis_node_t *node);
void ngx_mpk_redis_cluster_node_name(ngx_mpk_redis_node_t *node,
    ngx_str_t *name);

/* Sets the slot map from a reply to CLUSTER SLOTS.  NGX_ERROR: it has no usable node. */
ngx_int_t ngx_mpk_redis_cluster_set_slots(ngx_mpk_redis_cluster_t *cluster,
    ngx_pool_t *pool, ngx_mpk_redis_reply_t *reply);

/*
 * The node of a range that was read on source; made, if it is new.  NULL: its address is
 * unusable, or there are too many.
 */
ngx_mpk_redis_node_t *ngx_mpk_redis_cluster_find_node(
    ngx_mpk_redis_cluster_t *cluster, ngx_mpk_redis_conn_t *source,
    ngx_mpk_redis_range_t *range);

/* Removes retired nodes that have no pending command. */
void ngx_mpk_redis_cluster_sweep(ngx_mpk_redis_cluster_t *cluster);
void ngx_mpk_redis_cluster_remove(ngx_mpk_redis_cluster_t *cluster,
    ngx_mpk_redis_node_t *node);


#define ngx_mpk_redis_cluster_each(cluster, q)                               \
    for (q = ngx_queue_head(&(cluster)->nodes);                              \
         q != ngx_queue_sentinel(&(cluster)->nodes);                         \
         q = ngx_queue_next(q))

#define ngx_mpk_redis_cluster_at(q)                                          \
    (ngx_queue_data(q, ngx_mpk_redis_node_t, queue))


#endif /* NGX_MPK_REDIS_CLUSTER_H */
