/* The setup of a new connection: AUTH, and whether orders can be kept on the server. */

#ifndef NGX_MPK_REDIS_SETUP_H
#define NGX_MPK_REDIS_SETUP_H

#include "ngx_mpk_redis_int.h"


/*
 * At configuration time: format redis->setup and redis->sentinel_setup.  An empty
 * password: no AUTH; db 0: no SELECT; rights: see ngx_mpk_redis_conf().
 */
ngx_int_t ngx_mpk_redis_setup_conf(ngx_conf_t *cf, ngx_mpk_redis_t *redis,
    ngx_str_t *user, ngx_str_t *password, ngx_uint_t db, mpk_str_t rights);
ngx_int_t ngx_mpk_redis_setup_conf_sentinel(ngx_conf_t *cf,
    ngx_mpk_redis_t *redis, ngx_str_t *user, ngx_str_t *password);

/* Makes the parser, sets conn->out; the caller writes.  NGX_ERROR: no memory. */
ngx_int_t ngx_mpk_redis_setup_start(ngx_mpk_redis_conn_t *conn);

/*
 * Takes the reply to the next step.  NGX_AGAIN: more steps follow; NGX_OK: it was the
 * last; NGX_ERROR: the server can't be used, see ngx_mpk_redis_log_failure().
 */
ngx_int_t ngx_mpk_redis_setup_reply(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply);


#endif /* NGX_MPK_REDIS_SETUP_H */
