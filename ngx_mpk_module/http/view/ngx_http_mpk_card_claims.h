/* An order's claims as people see them. */

#ifndef NGX_HTTP_MPK_CARD_CLAIMS_H
#define NGX_HTTP_MPK_CARD_CLAIMS_H

#include "ngx_http_mpk_orders.h"

#include "mpk_value.h"


/* Adds "claims"; personal: with what customer and support wrote. */
ngx_int_t ngx_http_mpk_card_claims(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, ngx_uint_t personal, mpk_value_t *facts);

/* Appends one claim to list. */
ngx_int_t ngx_http_mpk_card_claim(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, ngx_uint_t number, ngx_uint_t personal,
    mpk_value_t *list);

/* Adds until when and where a key can be reported. */
ngx_int_t ngx_http_mpk_card_claimable(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, mpk_value_t *facts);


#endif /* NGX_HTTP_MPK_CARD_CLAIMS_H */
