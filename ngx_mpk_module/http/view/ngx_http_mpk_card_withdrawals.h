/* An order's withdrawals as people see them. */

#ifndef NGX_HTTP_MPK_CARD_WITHDRAWALS_H
#define NGX_HTTP_MPK_CARD_WITHDRAWALS_H

#include "ngx_http_mpk_card_claims.h"


/* Adds "withdrawals" if there are any; the order was read with them. */
ngx_int_t ngx_http_mpk_card_withdrawals(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, ngx_http_mpk_claims_for_t whom,
    mpk_value_t *facts);

/* Appends one withdrawal to list. */
ngx_int_t ngx_http_mpk_card_withdrawal(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, ngx_uint_t number,
    ngx_http_mpk_claims_for_t whom, mpk_value_t *list);


#endif /* NGX_HTTP_MPK_CARD_WITHDRAWALS_H */
