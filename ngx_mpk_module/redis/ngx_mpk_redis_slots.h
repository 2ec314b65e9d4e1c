/*
 * The slots of a Redis Cluster, apart from nginx: of a command, in the words of MOVED
 * and ASK, in the answer to CLUSTER SLOTS (the Redis Cluster specification).
 */

#ifndef NGX_MPK_REDIS_SLOTS_H
#define NGX_MPK_REDIS_SLOTS_H

#include "ngx_mpk_redis_resp.h"

#define NGX_MPK_REDIS_SLOTS     16384
#define NGX_MPK_REDIS_HOST_MAX  255      /* bytes */


/* The slot of a command: of its first key, argv[1], or argv[3] of EVAL and EVALSHA. */
unsigned ngx_mpk_redis_slot(size_t argc, const mpk_str_t *argv);


/* Slots and their master.  An empty host: the one of the node that says so. */
typedef struct {
    unsigned    first;
    unsigned    last;
    mpk_str_t   host;
    mpk_str_t   ip;      /* where the host is a name, if the node says it */
    unsigned    port;
} ngx_mpk_redis_range_t;

/* The text of an error MOVED or ASK, "MOVED 3999 127.0.0.1:6381"; or MPK_MALFORMED. */
mpk_status_t ngx_mpk_redis_range_moved(mpk_str_t text,
    ngx_mpk_redis_range_t *range);

/* One element of the answer to CLUSTER SLOTS; or MPK_MALFORMED. */
mpk_status_t ngx_mpk_redis_range_read(const ngx_mpk_redis_reply_t *reply,
    ngx_mpk_redis_range_t *range);


#endif /* NGX_MPK_REDIS_SLOTS_H */
