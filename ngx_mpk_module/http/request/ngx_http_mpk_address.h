/* Tokens in the address of a request. */

#ifndef NGX_HTTP_MPK_ADDRESS_H
#define NGX_HTTP_MPK_ADDRESS_H

#include "ngx_http_mpk.h"


/*
 * Replaces the token in text, after the first of the paths that tokens follow in any
 * server.  own: text is the request's own address, see mpk_address_hide().
 */
ngx_int_t ngx_http_mpk_hide(ngx_http_request_t *r, ngx_str_t *text,
    ngx_uint_t own);

/* The part of the URI after path; NGX_DECLINED: there is none. */
ngx_int_t ngx_http_mpk_path_token(ngx_http_request_t *r, ngx_str_t *path,
    ngx_str_t *token);


#endif /* NGX_HTTP_MPK_ADDRESS_H */
