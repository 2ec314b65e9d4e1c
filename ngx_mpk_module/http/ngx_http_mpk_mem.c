/* core's memory on an nginx pool. */

#include "ngx_http_mpk_mem.h"


static void *ngx_http_mpk_mem_alloc(void *ctx, size_t size);


void
ngx_http_mpk_mem_init(mpk_mem_t *mem, ngx_pool_t *pool)
{
    mem->alloc = ngx_http_mpk_mem_alloc;
    mem->ctx = pool;
    mem->failed = false;
}


static void *
ngx_http_mpk_mem_alloc(void *ctx, size_t size)
{
    return ngx_palloc(ctx, size);
}
