/* The clock of a server, as the worker knows it. */

#ifndef NGX_MPK_REDIS_CLOCK_H
#define NGX_MPK_REDIS_CLOCK_H

#include "ngx_mpk_redis_int.h"


/*
 * Takes a reply to TIME, which was sent at sent.  made: on a connection that was just
 * made, possibly to another server than before.
 */
void ngx_mpk_redis_clock_sample(ngx_mpk_redis_node_t *node,
    ngx_mpk_redis_reply_t *reply, ngx_msec_t sent, ngx_uint_t made);

/* The server's Unix time, ms; 0: not known. */
int64_t ngx_mpk_redis_clock_now(const ngx_mpk_redis_node_t *node);

/* Whether it is time to ask for it, also on a busy connection. */
ngx_uint_t ngx_mpk_redis_clock_old(const ngx_mpk_redis_node_t *node);

/* How far this machine's clock is ahead of the server's, ms; negative: behind. */
int64_t ngx_mpk_redis_clock_skew(const ngx_mpk_redis_node_t *node);


#endif /* NGX_MPK_REDIS_CLOCK_H */
