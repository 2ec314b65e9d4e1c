/* How much of an answer with keys has left nginx. */

#ifndef NGX_HTTP_MPK_SENT_H
#define NGX_HTTP_MPK_SENT_H

#include "ngx_http_mpk_ctx.h"


#define NGX_HTTP_MPK_SENT_ALL      -1
#define NGX_HTTP_MPK_SENT_UNKNOWN  -2      /* not all */


/*
 * For the log phase: bytes of the body (without headers, frames and TLS) that the kernel or,
 * over HTTP/3, the client's flow control has taken; or one of the above.  Data that nginx
 * still has, in r->out or in a buffer of TLS, HTTP/2 or QUIC, has not left.  0 if no answer
 * with keys was made.
 */
off_t ngx_http_mpk_sent(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx);


#endif /* NGX_HTTP_MPK_SENT_H */
