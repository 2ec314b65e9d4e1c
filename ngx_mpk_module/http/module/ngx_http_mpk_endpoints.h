/* The endpoints that directives set in a location. */

#ifndef NGX_HTTP_MPK_ENDPOINTS_H
#define NGX_HTTP_MPK_ENDPOINTS_H

#include "ngx_http_mpk.h"


/* By ngx_http_mpk_endpoint_id_t. */
extern const ngx_http_mpk_endpoint_t  ngx_http_mpk_endpoints[];


#endif /* NGX_HTTP_MPK_ENDPOINTS_H */
