/* Counters of failures, in Redis: one for all workers and edges. */

#ifndef NGX_HTTP_MPK_LIMIT_H
#define NGX_HTTP_MPK_LIMIT_H

#include "ngx_http_mpk_batch.h"


/*
 * A counter is named as by ngx_http_mpk_key().  read and count are sent in a batch: count
 * adds one first; a counter ends a window, in seconds, after its first.  value: what such
 * a command has answered; what is not a number counts as too many.
 */
ngx_mpk_redis_cmd_t *ngx_http_mpk_limit_read(ngx_http_mpk_batch_t *batch,
    mpk_str_t bucket, const char *what, mpk_str_t name);
ngx_mpk_redis_cmd_t *ngx_http_mpk_limit_count(ngx_http_mpk_batch_t *batch,
    mpk_str_t bucket, const char *what, mpk_str_t name, time_t window);
int64_t ngx_http_mpk_limit_value(const ngx_mpk_redis_cmd_t *cmd);

/* Takes one back, and is not waited for. */
void ngx_http_mpk_limit_forgive(ngx_http_mpk_main_conf_t *mmcf,
    mpk_str_t bucket, const char *what, mpk_str_t name);

/*
 * Wrong challenges on a token are a field of its order, "w:" and the token's id, read
 * together with the order: the count, a blank, and when it ends.
 */
mpk_str_t ngx_http_mpk_limit_field(mpk_mem_t *mem,
    const u_char token_id[MPK_ID_LEN]);
ngx_uint_t ngx_http_mpk_limit_closed(mpk_str_t value, time_t now);


#endif /* NGX_HTTP_MPK_LIMIT_H */
