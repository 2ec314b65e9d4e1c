/* Headers of answers. */

#ifndef NGX_HTTP_MPK_FILTER_H
#define NGX_HTTP_MPK_FILTER_H

#include "ngx_http_mpk_ctx.h"


/* Adds a header to the response; both strings must outlive it. */
ngx_int_t ngx_http_mpk_header_add(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value);


#endif /* NGX_HTTP_MPK_FILTER_H */
