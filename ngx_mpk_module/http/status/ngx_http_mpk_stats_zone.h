/* The shared memory of the counters, and what each worker reports there of Redis. */

#ifndef NGX_HTTP_MPK_STATS_ZONE_H
#define NGX_HTTP_MPK_STATS_ZONE_H

#include "ngx_http_mpk_stats.h"

#define NGX_HTTP_MPK_ZONE_MIN  (192 * 1024)    /* bytes */


/* Redis as seen by the live workers. */

typedef struct {
    ngx_uint_t                    worker;
    ngx_uint_t                    pending;
    ngx_uint_t                    writable;
} ngx_http_mpk_worker_view_t;

typedef struct {
    ngx_str_t                     name;
    ngx_uint_t                    ready;         /* workers */
    ngx_uint_t                    durable;
    ngx_uint_t                    evicts;
    int64_t                       skew;          /* ms, of the worker that found most */
} ngx_http_mpk_node_view_t;

typedef struct {
    ngx_array_t                   workers;       /* ngx_http_mpk_worker_view_t */
    ngx_array_t                   nodes;         /* ngx_http_mpk_node_view_t */
    ngx_uint_t                    writable;      /* workers */
    ngx_uint_t                    ready;         /* whether this worker is */
} ngx_http_mpk_view_t;


/* Creates the zone, if there is an endpoint. */
ngx_int_t ngx_http_mpk_stats_zone(ngx_conf_t *cf);

void ngx_http_mpk_stats_init_worker(ngx_http_mpk_main_conf_t *mmcf);
void ngx_http_mpk_stats_exit_worker(void);

/* Collects the reports of all workers, with a fresh one of this worker, in pool. */
ngx_int_t ngx_http_mpk_stats_view(ngx_http_mpk_main_conf_t *mmcf,
    ngx_pool_t *pool, ngx_http_mpk_view_t *view);


#endif /* NGX_HTTP_MPK_STATS_ZONE_H */
