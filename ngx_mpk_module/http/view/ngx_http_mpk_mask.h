/* Product keys of which only the end is shown. */

#ifndef NGX_HTTP_MPK_MASK_H
#define NGX_HTTP_MPK_MASK_H

#include "ngx_http_mpk_orders.h"


mpk_str_t ngx_http_mpk_mask(mpk_mem_t *mem, mpk_str_t key);

/* The same of a sealed key; empty if it does not open, which is logged. */
mpk_str_t ngx_http_mpk_mask_sealed(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, ngx_uint_t item, mpk_str_t sealed,
    uint64_t generation);


#endif /* NGX_HTTP_MPK_MASK_H */
