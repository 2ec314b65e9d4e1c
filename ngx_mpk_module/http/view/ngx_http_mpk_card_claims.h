/* An order's claims as people see them. */

#ifndef NGX_HTTP_MPK_CARD_CLAIMS_H
#define NGX_HTTP_MPK_CARD_CLAIMS_H

#include "ngx_http_mpk_orders.h"

#include "mpk_value.h"


/* Who reads a claim. */
typedef enum {
    NGX_HTTP_MPK_CLAIMS_READ = 0,      /* nothing that customer and support wrote, no key */
    NGX_HTTP_MPK_CLAIMS_CUSTOMER,      /* not the end of a key whose item is suspended */
    NGX_HTTP_MPK_CLAIMS_SUPPORT
} ngx_http_mpk_claims_for_t;

/* Adds "claims". */
ngx_int_t ngx_http_mpk_card_claims(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, ngx_http_mpk_claims_for_t whom,
    mpk_value_t *facts);

/* Appends one claim to list. */
ngx_int_t ngx_http_mpk_card_claim(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, ngx_uint_t number,
    ngx_http_mpk_claims_for_t whom, mpk_value_t *list);

/*
 * Adds until when and where a key can be reported, to the facts and, as JSON, to their
 * "items".  items: their numbers; NULL: all of the order.
 */
void ngx_http_mpk_card_claimable(ngx_http_mpk_ctx_t *ctx,
    const mpk_order_t *order, const uint16_t *items, ngx_uint_t count,
    mpk_value_t *facts);


#endif /* NGX_HTTP_MPK_CARD_CLAIMS_H */
