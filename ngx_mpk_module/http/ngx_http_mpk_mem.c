/* core's memory on an nginx pool. */

#include "ngx_http_mpk_mem.h"


static void *ngx_http_mpk_mem_alloc(void *ctx, size_t size);


void
ngx_http_mpk_mem_init(ngx_http_mpk_mem_t *mem, ngx_pool_t *pool)
{
    mem->mem.alloc = ngx_http_mpk_mem_alloc;
    mem->mem.ctx = mem;
    mem->pool = pool;
    mem->failed = 0;
}


static void *
ngx_http_mpk_mem_alloc(void *ctx, size_t size)
{
    ngx_http_mpk_mem_t *mem = ctx;

    void  *p;

    p = ngx_palloc(mem->pool, size);
    if (p == NULL) {
        mem->failed = 1;
    }

    return p;
}
