/*
 * The feed: what consumer groups get of the outbox.  In each bucket a group has its place in
 * the stream, and two sorted sets: mpk:{tag}:d:<group> of the events that were handed out
 * and not acknowledged, by the time from which they are due again, and mpk:{tag}:p:<group>
 * of those among them that a consumer has now, by the time since when the event has waited.
 * One script moves all three, so that nothing gets lost between them.
 */

#ifndef NGX_HTTP_MPK_FEED_H
#define NGX_HTTP_MPK_FEED_H

#include "ngx_http_mpk.h"
#include "ngx_http_mpk_feed_group.h"

#include "mpk_bucket.h"
#include "mpk_event_id.h"
#include "mpk_value.h"

#define NGX_HTTP_MPK_FEED_COUNT  256     /* events of an answer, ids of a call */


typedef struct ngx_http_mpk_feed_s  ngx_http_mpk_feed_t;

typedef void (*ngx_http_mpk_feed_pt)(ngx_http_mpk_feed_t *feed);

/* What a consumer asks for. */
typedef struct {
    mpk_str_t                     group;
    mpk_str_t                     from;            /* "start" or "now": where a new group begins */
    ngx_uint_t                    count;
    ngx_msec_t                    idle;            /* until an event comes again */
    ngx_uint_t                    part;            /* of parts, by bucket */
    ngx_uint_t                    parts;
    ngx_uint_t                    events_count;
    mpk_str_t                     events[MPK_EVENT_MAX];   /* others are acknowledged; none: all */
} ngx_http_mpk_feed_query_t;


/* A bucket that is asked. */
typedef struct {
    ngx_uint_t                    bucket;
    ngx_mpk_redis_cmd_t           cmd;
    ngx_http_mpk_feed_t          *feed;
    mpk_str_t                    *argv;
    ngx_uint_t                    argc;
    ngx_uint_t                    share;           /* events that it may give; 0: it says if there is one */
    unsigned                      asked:1;
    unsigned                      due:1;           /* it has more that are due again */
    unsigned                      new:1;           /* it may have more that are new */
} ngx_http_mpk_feed_bucket_t;


/*
 * One taking of events.  It has a pool of its own: if the request dies it is detached, and
 * what it has taken comes again after idle.
 */
struct ngx_http_mpk_feed_s {
    ngx_pool_t                   *pool;
    mpk_mem_t                     mem;
    ngx_http_mpk_main_conf_t     *mmcf;
    ngx_http_mpk_feed_query_t     query;           /* its own copy */
    ngx_http_mpk_feed_pt          handler;         /* called once; NULL: detached */
    void                         *data;

    mpk_value_t                  *events;          /* array of those that were taken */
    ngx_uint_t                    taken;
    ngx_uint_t                    delayed;         /* buckets that did not answer */
    uint64_t                      time;            /* us that it took */
    unsigned                      failed:1;        /* no bucket has answered, or no memory */
    unsigned                      full:1;          /* there are too many groups for this one */

    /* private */
    ngx_http_mpk_feed_bucket_t   *buckets;
    ngx_uint_t                    buckets_count;
    ngx_uint_t                    first;           /* who gets a share before the others */
    ngx_uint_t                    due;             /* events that are due again may be taken */
    ngx_uint_t                    waiting;
    ngx_uint_t                    passes;
    uint64_t                      started;
};


/*
 * Takes events for a query, whose strings are copied, of the buckets of its part that are
 * not 0 in wanted (NULL: all); then calls handler.  NULL: no memory.
 */
ngx_http_mpk_feed_t *ngx_http_mpk_feed_take(ngx_http_mpk_main_conf_t *mmcf,
    const ngx_http_mpk_feed_query_t *query, const u_char *wanted,
    ngx_http_mpk_feed_pt handler, void *data);

/* Frees it, or once it is done: handler is not called any more. */
void ngx_http_mpk_feed_detach(ngx_http_mpk_feed_t *feed);


/* What becomes of events that were handed out; what else is named is left as it is. */
#define NGX_HTTP_MPK_FEED_ACK     "ack"
#define NGX_HTTP_MPK_FEED_PARK    "park"
#define NGX_HTTP_MPK_FEED_UNPARK  "unpark"

/*
 * The arguments of a command that does this, or, for a number of seconds, delays them:
 * returns the number of events.  All must be of the bucket.
 */
#define NGX_HTTP_MPK_FEED_MARK_ARGS  6       /* and the members */

ngx_uint_t ngx_http_mpk_feed_mark(mpk_mem_t *mem, ngx_uint_t bucket,
    mpk_str_t group, mpk_str_t how, const mpk_str_t *members,
    ngx_uint_t count, mpk_str_t *argv);

/* A key of the bucket. */
mpk_str_t ngx_http_mpk_feed_key(mpk_mem_t *mem, ngx_uint_t bucket,
    const char *what, mpk_str_t name);


#endif /* NGX_HTTP_MPK_FEED_H */
