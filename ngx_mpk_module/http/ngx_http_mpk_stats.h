/*
 * Counters: in memory that all workers share and that survives a reload.  They are only
 * ever added to, without a lock; what a worker sees of Redis lies in a slot of its own.
 */

#ifndef NGX_HTTP_MPK_STATS_H
#define NGX_HTTP_MPK_STATS_H

#include "ngx_http_mpk.h"

#define NGX_HTTP_MPK_RULES      10     /* R1 to R10 */
#define NGX_HTTP_MPK_BUCKETS    13     /* of the histogram, without the last, +Inf */
#define NGX_HTTP_MPK_NODES      64     /* servers that a worker tells of */
#define NGX_HTTP_MPK_NODE_NAME  64     /* bytes of their names */


typedef enum {
    NGX_HTTP_MPK_ENDPOINT_REVEAL = 0,
    NGX_HTTP_MPK_ENDPOINT_TRACK,
    NGX_HTTP_MPK_ENDPOINT_ACCOUNT,
    NGX_HTTP_MPK_ENDPOINT_ONSCREEN,
    NGX_HTTP_MPK_ENDPOINT_CLAIM,
    NGX_HTTP_MPK_ENDPOINT_CLAIM_ACCESS,
    NGX_HTTP_MPK_ENDPOINT_API,
    NGX_HTTP_MPK_ENDPOINT_MAX          /* is not counted: mpk_status itself */
} ngx_http_mpk_endpoint_t;


typedef enum {
    NGX_HTTP_MPK_LINES_CREATED = 0,
    NGX_HTTP_MPK_LINES_UNCHANGED,
    NGX_HTTP_MPK_LINES_FAILED,
    NGX_HTTP_MPK_LINES_MAX
} ngx_http_mpk_lines_t;


typedef struct {
    u_char                    name[NGX_HTTP_MPK_NODE_NAME];
    uint32_t                  pending;
    uint16_t                  len;
    uint8_t                   ready;
    uint8_t                   durable;
    uint8_t                   evicts;
} ngx_http_mpk_node_t;


typedef struct {
    ngx_atomic_t              version;       /* odd: being written */
    ngx_pid_t                 pid;           /* 0: never used */
    ngx_msec_t                at;
    ngx_uint_t                writable;
    ngx_uint_t                pending;
    ngx_uint_t                nodes_count;
    ngx_http_mpk_node_t       nodes[NGX_HTTP_MPK_NODES];
} ngx_http_mpk_slot_t;


typedef struct ngx_http_mpk_shm_s  ngx_http_mpk_shm_t;

struct ngx_http_mpk_shm_s {
    ngx_atomic_t              requests[NGX_HTTP_MPK_ENDPOINT_MAX]
                                      [NGX_HTTP_MPK_EVENT_MAX]
                                      [NGX_HTTP_MPK_OUTCOME_MAX];
    ngx_atomic_t              refusals[NGX_HTTP_MPK_RULES + 1];
    ngx_atomic_t              views[MPK_CHANNEL_MAX];
    ngx_atomic_t              repeats[MPK_CHANNEL_MAX];
    ngx_atomic_t              lines[NGX_HTTP_MPK_LINES_MAX];
    ngx_atomic_t              store[NGX_HTTP_MPK_BUCKETS + 1];
    ngx_atomic_t              store_time;    /* us */
    ngx_mpk_redis_stats_t     redis;

    ngx_uint_t                slots_count;
    ngx_http_mpk_slot_t       slots[1];      /* by ngx_worker; so many as there is room for */
};


/* What the workers that are alive see of Redis. */
typedef struct {
    ngx_uint_t                worker;
    ngx_uint_t                pending;
    ngx_uint_t                writable;
} ngx_http_mpk_worker_view_t;

typedef struct {
    ngx_str_t                 name;
    ngx_uint_t                ready;         /* workers */
    ngx_uint_t                durable;
    ngx_uint_t                evicts;
} ngx_http_mpk_node_view_t;

typedef struct {
    ngx_array_t               workers;       /* ngx_http_mpk_worker_view_t */
    ngx_array_t               nodes;         /* ngx_http_mpk_node_view_t */
    ngx_uint_t                writable;      /* workers */
    ngx_uint_t                ready;         /* this worker is */
} ngx_http_mpk_view_t;


/* A counter that stands alone, and its place in ngx_mpk_redis_stats_t. */
typedef struct {
    mpk_str_t                 name;
    size_t                    offset;
    const char               *help;
} ngx_http_mpk_redis_counter_t;

extern const ngx_http_mpk_redis_counter_t  ngx_http_mpk_redis_counters[];

/* Upper bounds of the histogram, in microseconds, and as Prometheus spells them. */
extern const uint32_t    ngx_http_mpk_buckets[NGX_HTTP_MPK_BUCKETS];
extern const char *const ngx_http_mpk_bucket_names[NGX_HTTP_MPK_BUCKETS];


/* ngx_http_mpk_stats.c */

/* Microseconds of a clock that only goes forward. */
uint64_t ngx_http_mpk_stats_clock(void);

/* The counters; NULL: nobody counts. */
ngx_http_mpk_shm_t *ngx_http_mpk_stats_get(void);

/* Requests that came to this outcome, whatever they were. */
ngx_atomic_uint_t ngx_http_mpk_stats_outcome(ngx_http_mpk_shm_t *shm,
    ngx_uint_t outcome);

/* A request has ended, a wait for Redis, a transaction, a file of orders. */
void ngx_http_mpk_stats_request(ngx_http_mpk_ctx_t *ctx);
void ngx_http_mpk_stats_store(uint64_t time);
void ngx_http_mpk_stats_txn(ngx_http_mpk_txn_t *txn);
void ngx_http_mpk_stats_lines(uint64_t created, uint64_t unchanged,
    uint64_t failed);

ngx_uint_t ngx_http_mpk_stats_endpoint(ngx_http_handler_pt handler);

/* As counters spell them: what is nothing is "none". */
mpk_str_t ngx_http_mpk_stats_word(mpk_str_t word);

mpk_str_t ngx_http_mpk_endpoint_name(ngx_uint_t endpoint);
mpk_str_t ngx_http_mpk_lines_name(ngx_uint_t result);


/* ngx_http_mpk_stats_zone.c */

/* Makes the zone, where the configuration has any use for it. */
ngx_int_t ngx_http_mpk_stats_zone(ngx_conf_t *cf);

void ngx_http_mpk_stats_init_worker(ngx_http_mpk_main_conf_t *mmcf);
void ngx_http_mpk_stats_exit_worker(void);

/* What all workers see, this one as it is now; in pool. */
ngx_int_t ngx_http_mpk_stats_view(ngx_http_mpk_main_conf_t *mmcf,
    ngx_pool_t *pool, ngx_http_mpk_view_t *view);


/* ngx_http_mpk_status_prometheus.c */

void ngx_http_mpk_status_prometheus(ngx_http_mpk_main_conf_t *mmcf,
    ngx_http_mpk_view_t *view, mpk_buf_t *buf);


#endif /* NGX_HTTP_MPK_STATS_H */
