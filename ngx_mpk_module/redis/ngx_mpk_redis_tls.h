/* TLS with Redis: nothing is sent before its certificate is verified. */

#ifndef NGX_MPK_REDIS_TLS_H
#define NGX_MPK_REDIS_TLS_H

#include "ngx_mpk_redis_int.h"


#if (NGX_SSL)

/*
 * Starts the handshake.  NGX_OK: it is over, verify it; NGX_AGAIN: set c->ssl->handler
 * and do that there; NGX_ERROR: see ngx_mpk_redis_log_failure().
 */
ngx_int_t ngx_mpk_redis_tls_start(ngx_mpk_redis_conn_t *conn);

/* NGX_OK: the handshake succeeded, and the certificate is valid for the node's name. */
ngx_int_t ngx_mpk_redis_tls_verify(ngx_mpk_redis_conn_t *conn);

#endif


#endif /* NGX_MPK_REDIS_TLS_H */
