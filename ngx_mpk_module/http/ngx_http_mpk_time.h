/* The time by which orders go: all edges share the clocks of Redis. */

#ifndef NGX_HTTP_MPK_TIME_H
#define NGX_HTTP_MPK_TIME_H

#include "ngx_http_mpk.h"


/* Whether this worker has heard of the clock of a Redis server yet. */
ngx_uint_t ngx_http_mpk_time_known(ngx_http_mpk_main_conf_t *mmcf);

/*
 * The Unix time by the clock of the Redis server that stores an order; by this machine's
 * until it is known.  An empty order: the clock of one of the servers.
 */
int64_t ngx_http_mpk_time_ms(ngx_http_mpk_main_conf_t *mmcf, mpk_str_t order);
time_t ngx_http_mpk_time(ngx_http_mpk_main_conf_t *mmcf, mpk_str_t order);


#endif /* NGX_HTTP_MPK_TIME_H */
