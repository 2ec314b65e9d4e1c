/* An order as people see it. */

#ifndef NGX_HTTP_MPK_CARD_H
#define NGX_HTTP_MPK_CARD_H

#include "ngx_http_mpk_orders.h"

#include "mpk_value.h"


/*
 * What everybody who may see an order sees of it: state, times, items, with the ends
 * of their keys or without.
 */
ngx_int_t ngx_http_mpk_card(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, ngx_uint_t masked, mpk_value_t *facts);

/* All of it for its customer, who can have the keys shown by one-time links. */
ngx_int_t ngx_http_mpk_card_customer(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, mpk_channel_t channel, mpk_value_t *facts);

/* The views among the entries that were read, as "views". */
ngx_int_t ngx_http_mpk_card_views(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, mpk_value_t *facts);


#endif /* NGX_HTTP_MPK_CARD_H */
