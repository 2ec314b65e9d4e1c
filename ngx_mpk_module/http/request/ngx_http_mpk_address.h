/* Tokens in the address of a request. */

#ifndef NGX_HTTP_MPK_ADDRESS_H
#define NGX_HTTP_MPK_ADDRESS_H

#include "ngx_http_mpk.h"


/* Cuts the token out of text: what follows the first path that tokens follow. */
ngx_int_t ngx_http_mpk_hide(ngx_http_request_t *r, ngx_str_t *text);

/* What follows path in the address; NGX_DECLINED: nothing, or more than a token. */
ngx_int_t ngx_http_mpk_path_token(ngx_http_request_t *r, ngx_str_t *path,
    ngx_str_t *token);


#endif /* NGX_HTTP_MPK_ADDRESS_H */
