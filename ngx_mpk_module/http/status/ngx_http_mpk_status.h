/* mpk_status. */

#ifndef NGX_HTTP_MPK_STATUS_H
#define NGX_HTTP_MPK_STATUS_H

#include "ngx_http_mpk.h"


/* mlcf->status */
typedef enum {
    NGX_HTTP_MPK_STATUS_PROMETHEUS = 0,
    NGX_HTTP_MPK_STATUS_JSON
} ngx_http_mpk_status_t;


ngx_int_t ngx_http_mpk_status_handler(ngx_http_request_t *r);


#endif /* NGX_HTTP_MPK_STATUS_H */
