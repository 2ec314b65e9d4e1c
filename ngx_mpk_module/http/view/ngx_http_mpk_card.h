/* An order as people see it. */

#ifndef NGX_HTTP_MPK_CARD_H
#define NGX_HTTP_MPK_CARD_H

#include "ngx_http_mpk_orders.h"

#include "mpk_value.h"


/*
 * Adds what every reader of an order may see: state, times, items, optionally the ends of
 * their keys.
 */
ngx_int_t ngx_http_mpk_card(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, ngx_uint_t masked, mpk_value_t *facts);

/*
 * Adds all that the customer may see, with one-time links to the keys; of the items, the
 * first max.
 */
ngx_int_t ngx_http_mpk_card_customer(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, mpk_channel_t channel, ngx_uint_t max,
    mpk_value_t *facts);

/*
 * Adds what an item fits, as far as the shop said it; for a page also "fits", its platform and
 * edition as people read them, and "fit", whether there is anything to read.
 */
void ngx_http_mpk_card_fit(ngx_http_mpk_ctx_t *ctx, const mpk_item_t *item,
    mpk_value_t *facts);

/*
 * Adds "views": those among the entries that were read; for the customer without the IP
 * address of those under another email than the one that holds.
 */
ngx_int_t ngx_http_mpk_card_views(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, ngx_uint_t customer, mpk_value_t *facts);


#endif /* NGX_HTTP_MPK_CARD_H */
