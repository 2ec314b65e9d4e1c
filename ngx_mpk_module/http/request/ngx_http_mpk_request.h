/* What the headers of a request say about it. */

#ifndef NGX_HTTP_MPK_REQUEST_H
#define NGX_HTTP_MPK_REQUEST_H

#include "ngx_http_mpk_ctx.h"


/*
 * An argument of the query, decoded as a form's value; one that can't be is left as it is.
 * NGX_DECLINED: it is not there.
 */
ngx_int_t ngx_http_mpk_arg(ngx_http_request_t *r, const char *name,
    ngx_str_t *value);

/* True if Accept prefers application/json to text/html. */
ngx_uint_t ngx_http_mpk_wants_json(ngx_http_request_t *r);

ngx_uint_t ngx_http_mpk_is_prefetch(ngx_http_request_t *r);

/*
 * True if a browser loads the answer as a part of a page (Sec-Fetch-Dest: an image, a
 * frame, a script's own request), not as the page in a tab.
 */
ngx_uint_t ngx_http_mpk_is_embedded(ngx_http_request_t *r);

/* True if a browser says that another site sent the request (R4). */
ngx_uint_t ngx_http_mpk_is_foreign(ngx_http_request_t *r);


#endif /* NGX_HTTP_MPK_REQUEST_H */
