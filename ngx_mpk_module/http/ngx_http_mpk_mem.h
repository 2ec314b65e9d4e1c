/* core's memory on an nginx pool. */

#ifndef NGX_HTTP_MPK_MEM_H
#define NGX_HTTP_MPK_MEM_H

#include <ngx_config.h>
#include <ngx_core.h>

#include "mpk.h"


void ngx_http_mpk_mem_init(mpk_mem_t *mem, ngx_pool_t *pool);


static ngx_inline ngx_log_t *
ngx_http_mpk_mem_log(const mpk_mem_t *mem)
{
    return ((ngx_pool_t *) mem->ctx)->log;
}


static ngx_inline mpk_str_t
ngx_http_mpk_str(const ngx_str_t *s)
{
    return (mpk_str_t) { s->len, s->data };
}


#endif /* NGX_HTTP_MPK_MEM_H */
