/* Variables for logs. */

#ifndef NGX_HTTP_MPK_VARIABLES_H
#define NGX_HTTP_MPK_VARIABLES_H

#include "ngx_http_mpk.h"


ngx_int_t ngx_http_mpk_variables_init(ngx_conf_t *cf);


#endif /* NGX_HTTP_MPK_VARIABLES_H */
