/* A cluster in a worker: its nodes and who has which slot. */

#ifndef NGX_MPK_REDIS_CLUSTER_H
#define NGX_MPK_REDIS_CLUSTER_H

#include "ngx_mpk_redis_int.h"


struct ngx_mpk_redis_cluster_s {
    ngx_mpk_redis_worker_t   *worker;
    ngx_queue_t               nodes;
    ngx_uint_t                nnodes;

    ngx_mpk_redis_cmd_t      *ask;           /* the last CLUSTER SLOTS, unless answered */
    ngx_mpk_redis_conn_t     *asked;
    ngx_msec_t                asked_at;
    ngx_event_t               refresh;
    ngx_msec_t                logged;
    unsigned                  known:1;       /* it was answered once */

    ngx_queue_t               later;         /* commands that no node takes just now */
    ngx_uint_t                nlater;
    ngx_event_t               again;

    ngx_event_t               beat;
    ngx_queue_t               pings;         /* that are not answered */

    ngx_mpk_redis_node_t     *slots[NGX_MPK_REDIS_SLOTS];
};


/* ngx_mpk_redis_cluster_nodes.c */

/* Takes the answer to CLUSTER SLOTS.  NGX_ERROR: nothing in it can be used. */
ngx_int_t ngx_mpk_redis_cluster_learn(ngx_mpk_redis_cluster_t *cluster,
    ngx_pool_t *pool, ngx_mpk_redis_reply_t *reply);

/* The node that teller speaks of; made, where it is new.  NULL: it can't be reached. */
ngx_mpk_redis_node_t *ngx_mpk_redis_cluster_node(
    ngx_mpk_redis_cluster_t *cluster, ngx_mpk_redis_conn_t *teller,
    ngx_mpk_redis_range_t *range);

/* Forgets nodes that have no slots any longer, once they owe no answer. */
void ngx_mpk_redis_cluster_sweep(ngx_mpk_redis_cluster_t *cluster);

/* Asks nodes that owe no answer for one: who hangs is found out while nobody needs it. */
void ngx_mpk_redis_cluster_beat_handler(ngx_event_t *ev);
void ngx_mpk_redis_cluster_beat_stop(ngx_mpk_redis_cluster_t *cluster);

void ngx_mpk_redis_cluster_remove(ngx_mpk_redis_cluster_t *cluster,
    ngx_mpk_redis_node_t *node);


#define ngx_mpk_redis_cluster_each(cluster, q)                               \
    for (q = ngx_queue_head(&(cluster)->nodes);                              \
         q != ngx_queue_sentinel(&(cluster)->nodes);                         \
         q = ngx_queue_next(q))

#define ngx_mpk_redis_cluster_at(q)                                          \
    (ngx_queue_data(q, ngx_mpk_redis_node_t, queue))


#endif /* NGX_MPK_REDIS_CLUSTER_H */
