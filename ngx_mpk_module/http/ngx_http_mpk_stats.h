/*
 * Counters, in memory that all workers share and that survives a reload.  They are only
 * ever added to, without a lock; what a worker reports of Redis is in a slot of its own.
 */

#ifndef NGX_HTTP_MPK_STATS_H
#define NGX_HTTP_MPK_STATS_H

#include "ngx_http_mpk.h"

#include "mpk_bucket.h"

#define NGX_HTTP_MPK_RULES      12     /* R1 to R12 */
#define NGX_HTTP_MPK_BUCKETS    13     /* of a histogram, without the last, +Inf */
#define NGX_HTTP_MPK_NODES      64     /* servers that a worker reports */
#define NGX_HTTP_MPK_NODE_NAME  64     /* bytes of their names */
#define NGX_HTTP_MPK_ACTORS     32     /* API tokens whose email changes are counted */
#define NGX_HTTP_MPK_ACTOR_NAME 64     /* bytes of their names, as mpk_api_tokens has them */
#define NGX_HTTP_MPK_EDGE_NAME  64     /* bytes of an edge's: an order's id has as many */
#define NGX_HTTP_MPK_GROUPS     16     /* consumer groups */
#define NGX_HTTP_MPK_GROUP_NAME 32     /* bytes of their names */
#define NGX_HTTP_MPK_LACKS      32     /* keys that edges lack, as the status lists them */


typedef struct {
    u_char                    name[NGX_HTTP_MPK_NODE_NAME];
    uint32_t                  pending;
    int64_t                   skew;          /* ms */
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


/* What a histogram is of. */
typedef enum {
    NGX_HTTP_MPK_HISTOGRAM_STORE = 0,  /* waits for Redis */
    NGX_HTTP_MPK_HISTOGRAM_RELEASE,    /* from filing a held order to its release */
    NGX_HTTP_MPK_HISTOGRAM_VIEW,       /* from there to the first view */
    NGX_HTTP_MPK_HISTOGRAM_MAX
} ngx_http_mpk_histogram_id_t;

typedef struct {
    ngx_atomic_t              counts[NGX_HTTP_MPK_BUCKETS + 1];
    ngx_atomic_t              sum;           /* in its unit */
} ngx_http_mpk_histogram_t;

typedef struct {
    mpk_str_t                 member;        /* in JSON */
    mpk_str_t                 unit;
    const char               *name;          /* for Prometheus, in seconds */
    const char               *help;
    uint32_t                  second;        /* units in a second */
    uint32_t                  bounds[NGX_HTTP_MPK_BUCKETS]; /* upper ones, in units */
} ngx_http_mpk_histogram_info_t;

extern const ngx_http_mpk_histogram_info_t
    ngx_http_mpk_histograms[NGX_HTTP_MPK_HISTOGRAM_MAX];


/* A bucket's part of a worklist, as it was read last. */
typedef struct {
    ngx_atomic_t              count;
    ngx_atomic_t              oldest;        /* when it was entered, seconds; 0: it is empty */
} ngx_http_mpk_worklist_t;


/* A key of this keyring that another edge had not loaded. */
typedef struct {
    ngx_atomic_t              version;       /* odd: being written */
    uint8_t                   edge_len;
    uint8_t                   kid_len;
    u_char                    edge[NGX_HTTP_MPK_EDGE_NAME];
    u_char                    kid[MPK_KID_MAX];
} ngx_http_mpk_lack_t;


/* An API token: one for each name that a configuration had since the start. */
typedef struct {
    ngx_atomic_t              corrections;
    ngx_uint_t                len;           /* 0: not used yet */
    u_char                    name[NGX_HTTP_MPK_ACTOR_NAME];
} ngx_http_mpk_actor_t;

/* How far a consumer group is behind, in a bucket or in all. */
typedef struct {
    uint32_t                  lag;           /* events that were not handed out yet */
    uint32_t                  pending;       /* that a consumer has */
    uint32_t                  delayed;
    uint32_t                  parked;
    uint32_t                  oldest;        /* since when one waits, seconds; 0: none does */
} ngx_http_mpk_lag_t;

typedef struct {
    u_char                    name[NGX_HTTP_MPK_GROUP_NAME];
    size_t                    len;
    ngx_http_mpk_lag_t        buckets[MPK_BUCKETS];
} ngx_http_mpk_lagging_t;


struct ngx_http_mpk_shm_s {
    ngx_atomic_t              requests[NGX_HTTP_MPK_ENDPOINT_MAX]
                                      [NGX_HTTP_MPK_EVENT_MAX]
                                      [NGX_HTTP_MPK_OUTCOME_MAX];
    ngx_atomic_t              refusals[NGX_HTTP_MPK_RULES + 1];
    ngx_atomic_t              views[MPK_CHANNEL_MAX];
    ngx_atomic_t              repeats[MPK_CHANNEL_MAX];
    ngx_atomic_t              lines[NGX_HTTP_MPK_LINES_MAX];
    ngx_atomic_t              unread[NGX_HTTP_MPK_UNREAD_MAX];
    ngx_http_mpk_actor_t      actors[NGX_HTTP_MPK_ACTORS];
    ngx_atomic_t              corrections_other;  /* by those for whom there was no room */
    ngx_atomic_t              events_lost;
    ngx_atomic_t              events_unproved;
    ngx_atomic_t              outbox_changed[MPK_BUCKETS]; /* how often, by this edge */
    ngx_atomic_t              outbox_at;     /* ngx_current_msec of the last trim */
    ngx_atomic_t              outbox_bucket; /* the next */
    ngx_atomic_t              worklists_at;  /* ngx_current_msec of the last read */
    ngx_atomic_t              worklists_bucket; /* the next */
    ngx_atomic_t              worklists_changed[MPK_BUCKETS]; /* since they were read */
    ngx_http_mpk_worklist_t   worklists[NGX_HTTP_MPK_WORKLIST_MAX][MPK_BUCKETS];
    ngx_atomic_t              groups_at;     /* ngx_current_msec of the last read */
    ngx_atomic_t              groups_bucket; /* the next */
    ngx_atomic_t              groups_stale;  /* their list is to be read */
    ngx_atomic_t              groups_changed[MPK_BUCKETS]; /* since they were read */
    ngx_atomic_t              groups_seen[MPK_BUCKETS]; /* of outbox_changed, then */
    ngx_atomic_t              groups_version;
    ngx_atomic_t              groups_count;
    ngx_http_mpk_lagging_t    groups[NGX_HTTP_MPK_GROUPS];
    ngx_atomic_t              edge;          /* a random number; 0: not set yet */
    ngx_atomic_t              keyring_incomplete;  /* current keys of others that it lacked */
    ngx_atomic_t              lacks_count;   /* of all other edges */
    ngx_http_mpk_lack_t       lacks[NGX_HTTP_MPK_LACKS];
    ngx_http_mpk_histogram_t  histograms[NGX_HTTP_MPK_HISTOGRAM_MAX];
    ngx_mpk_redis_stats_t     redis;

    ngx_uint_t                slots_count;
    ngx_http_mpk_slot_t       slots[1];      /* by ngx_worker, as many as there is room for */
};


/* Microseconds of a monotonic clock. */
uint64_t ngx_http_mpk_stats_clock(void);

/* A request has ended. */
void ngx_http_mpk_stats_request(ngx_uint_t endpoint, ngx_uint_t event,
    ngx_uint_t outcome);

/* A rule has refused a line of POST /orders; ignored if no rule has. */
void ngx_http_mpk_stats_refusal(ngx_uint_t event, ngx_uint_t outcome);

/* Something has taken so many of its histogram's units; less than none is none. */
void ngx_http_mpk_stats_took(ngx_http_mpk_histogram_id_t id, int64_t time);

/* A view, or a repeat of one, was journaled. */
void ngx_http_mpk_stats_viewed(mpk_channel_t channel, ngx_uint_t repeat);

/* The email of an order was changed by this API token. */
void ngx_http_mpk_stats_corrected(mpk_str_t actor);

/* An order can't be read: FORGED, UNKNOWN or NEWER; others are ignored. */
void ngx_http_mpk_stats_unread(mpk_status_t status);

/* Events were trimmed before a group had acknowledged them. */
void ngx_http_mpk_stats_lost(uint64_t n);

/* An event was not handed out, since its entry could not be proved. */
void ngx_http_mpk_stats_unproved(void);

/* Lines of POST /orders. */
void ngx_http_mpk_stats_lines(uint64_t created, uint64_t unchanged,
    uint64_t failed);


#endif /* NGX_HTTP_MPK_STATS_H */
