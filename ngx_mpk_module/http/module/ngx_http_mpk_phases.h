/* Phase handlers. */

#ifndef NGX_HTTP_MPK_PHASES_H
#define NGX_HTTP_MPK_PHASES_H

#include "ngx_http_mpk.h"


/* Registers the phase handlers, if there is an endpoint. */
ngx_int_t ngx_http_mpk_phases_init(ngx_conf_t *cf);


#endif /* NGX_HTTP_MPK_PHASES_H */
