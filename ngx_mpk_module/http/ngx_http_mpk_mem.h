/* core's memory on an nginx pool. */

#ifndef NGX_HTTP_MPK_MEM_H
#define NGX_HTTP_MPK_MEM_H

#include <ngx_config.h>
#include <ngx_core.h>

#include "mpk.h"


/* Whoever builds something in it checks "failed" once, at the end. */
typedef struct {
    mpk_mem_t                     mem;      /* its ctx is this structure */
    ngx_pool_t                   *pool;
    unsigned                      failed:1; /* an allocation failed */
} ngx_http_mpk_mem_t;


void ngx_http_mpk_mem_init(ngx_http_mpk_mem_t *mem, ngx_pool_t *pool);


static ngx_inline mpk_str_t
ngx_http_mpk_str(const ngx_str_t *s)
{
    return (mpk_str_t) { s->len, s->data };
}


#endif /* NGX_HTTP_MPK_MEM_H */
