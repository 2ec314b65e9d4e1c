/* Request headers that nginx itself does not parse. */

#ifndef NGX_HTTP_MPK_HEADERS_H
#define NGX_HTTP_MPK_HEADERS_H

#include "ngx_http_mpk.h"


typedef enum {
    NGX_HTTP_MPK_HEADER_ACCEPT = 0,
    NGX_HTTP_MPK_HEADER_ACCEPT_LANGUAGE,
    NGX_HTTP_MPK_HEADER_IDEMPOTENCY_KEY,
    NGX_HTTP_MPK_HEADER_ORIGIN,
    NGX_HTTP_MPK_HEADER_SEC_CH_UA_PLATFORM,
    NGX_HTTP_MPK_HEADER_SEC_FETCH_DEST,
    NGX_HTTP_MPK_HEADER_SEC_FETCH_SITE,
    NGX_HTTP_MPK_HEADER_SEC_PURPOSE,
    NGX_HTTP_MPK_HEADER_PURPOSE,
    NGX_HTTP_MPK_HEADER_X_PURPOSE,
    NGX_HTTP_MPK_HEADER_X_MOZ,
    NGX_HTTP_MPK_HEADER_MAX
} ngx_http_mpk_header_name_t;


/* Hashes the names, once. */
void ngx_http_mpk_headers_init(void);

/*
 * Finds the header of each name, of several the first; NULL: not there.  Several lines of
 * a list become one, in mem.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_mpk_headers_find(ngx_http_request_t *r, mpk_mem_t *mem,
    ngx_str_t *found[NGX_HTTP_MPK_HEADER_MAX]);


#endif /* NGX_HTTP_MPK_HEADERS_H */
