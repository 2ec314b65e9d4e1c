/* How far the consumer groups are behind: for GET /events/groups and the metrics. */

#ifndef NGX_HTTP_MPK_FEED_LAG_H
#define NGX_HTTP_MPK_FEED_LAG_H

#include "ngx_http_mpk_feed_group.h"


/* Starts and stops the timer that reads it for the metrics, in each worker. */
void ngx_http_mpk_lag_init_worker(ngx_http_mpk_main_conf_t *mmcf);
void ngx_http_mpk_lag_exit_worker(void);

/* The sum of all buckets, as they were read last; 0: group i is not there. */
ngx_uint_t ngx_http_mpk_lag_sum(ngx_http_mpk_main_conf_t *mmcf, ngx_uint_t i,
    u_char name[NGX_HTTP_MPK_GROUP_NAME], size_t *len,
    ngx_http_mpk_lag_t *sum);


/* The arguments of a command that lists the groups; argv has room for 5. */
ngx_uint_t ngx_http_mpk_lag_list(mpk_str_t *argv);

/*
 * The names in its reply: up to NGX_HTTP_MPK_GROUPS of them, in order, which refer to it.
 * NGX_ERROR: it is none.
 */
ngx_int_t ngx_http_mpk_lag_names(const ngx_mpk_redis_cmd_t *cmd,
    mpk_str_t *names, ngx_uint_t *count);

/* The arguments of a command that reads a bucket, made in mem. */
#define NGX_HTTP_MPK_LAG_ARGS  (5 + NGX_HTTP_MPK_GROUPS)

ngx_uint_t ngx_http_mpk_lag_args(mpk_mem_t *mem, ngx_uint_t bucket,
    const mpk_str_t *names, ngx_uint_t count, mpk_str_t *argv);

/* What its reply says of group i. */
ngx_int_t ngx_http_mpk_lag_read(const ngx_mpk_redis_cmd_t *cmd, ngx_uint_t i,
    ngx_http_mpk_lag_t *lag);

void ngx_http_mpk_lag_add(ngx_http_mpk_lag_t *sum,
    const ngx_http_mpk_lag_t *lag);


#endif /* NGX_HTTP_MPK_FEED_LAG_H */
