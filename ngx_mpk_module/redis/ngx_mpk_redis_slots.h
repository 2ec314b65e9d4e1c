/*
 * The slots of a Redis Cluster, without nginx: of a command, in a MOVED or ASK error, in
 * the reply to CLUSTER SLOTS (Redis Cluster specification).
 */

#ifndef NGX_MPK_REDIS_SLOTS_H
#define NGX_MPK_REDIS_SLOTS_H

#include "ngx_mpk_redis_resp.h"

#define NGX_MPK_REDIS_SLOTS     16384
#define NGX_MPK_REDIS_HOST_MAX  255      /* bytes */


/* The slot of a command's first key: argv[1], or argv[3] of EVAL and EVALSHA; 0: no key. */
unsigned ngx_mpk_redis_slot(size_t argc, const mpk_str_t *argv);


/* A range of slots and its master.  An empty host: that of the node that replied. */
typedef struct {
    unsigned    first;
    unsigned    last;
    mpk_str_t   host;
    mpk_str_t   ip;      /* of a host that is a name, if announced */
    unsigned    port;
} ngx_mpk_redis_range_t;

/* Parses the text of an error: "MOVED 3999 127.0.0.1:6381".  MPK_MALFORMED: it is none. */
mpk_status_t ngx_mpk_redis_range_moved(mpk_str_t text,
    ngx_mpk_redis_range_t *range);

/* Parses one element of the reply to CLUSTER SLOTS.  MPK_MALFORMED: it is none. */
mpk_status_t ngx_mpk_redis_range_read(const ngx_mpk_redis_reply_t *reply,
    ngx_mpk_redis_range_t *range);


#endif /* NGX_MPK_REDIS_SLOTS_H */
