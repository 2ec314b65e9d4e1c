/* GET /claims: the open claims of all buckets, for support. */

#include "ngx_http_mpk_api_list.h"
#include "ngx_http_mpk_card_claims.h"
#include "ngx_http_mpk_request.h"
#include "ngx_http_mpk_sealed.h"


static ngx_int_t ngx_http_mpk_claims_done(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);


ngx_int_t
ngx_http_mpk_api_claims(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_str_t  state;

    if (ngx_http_mpk_arg(r, "state", &state) == NGX_OK
        && !ngx_http_mpk_is(&state, "open"))
    {
        ngx_http_mpk_api_error(ctx, mpk_string("?state"), "must be \"open\"");
    }

    return ngx_http_mpk_list_read(r, ctx, ":claims", 0,
                                  ngx_http_mpk_claims_done);
}


static ngx_int_t
ngx_http_mpk_claims_done(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_uint_t             i, n;
    mpk_order_t           *order;
    mpk_value_t           *facts, *claims, *v;
    mpk_person_t           person;
    ngx_http_mpk_api_t    *api;
    ngx_http_mpk_list_t   *list;
    ngx_http_mpk_order_t  *opened;

    api = ctx->data;
    list = api->data;

    if (ctx->orders->result != NGX_HTTP_MPK_TXN_OK) {
        return ngx_http_mpk_api_fail(r, ctx, ctx->orders->result);
    }

    facts = mpk_value_new(&ctx->mem, MPK_VALUE_OBJECT);
    claims = mpk_value_array(facts, mpk_string("claims"));

    if (claims == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    for (i = 0; i < list->count; i++) {
        opened = &ctx->orders->list[i];
        order = &opened->order;

        if (ngx_http_mpk_list_gone(ctx, i)) {
            continue;
        }

        n = ngx_http_mpk_list_case(ctx, i);

        /* the claim was decided between the two reads */

        if (n == 0 || n > order->claims_count
            || !mpk_claim_undecided(&order->claims[n - 1]))
        {
            continue;
        }

        if (ngx_http_mpk_order_person(ctx, opened, &person) != NGX_OK
            || ngx_http_mpk_card_claim(ctx, opened, n,
                                       NGX_HTTP_MPK_CLAIMS_SUPPORT, claims)
               != NGX_OK)
        {
            return ngx_http_mpk_api_fail(r, ctx, NGX_HTTP_MPK_TXN_ERROR);
        }

        v = claims->u.list.last;

        mpk_value_string(v, mpk_string("order"), opened->id);
        mpk_value_string(v, mpk_string("email"), person.email);
        mpk_value_string(v, mpk_string("sku"),
                         order->items[order->claims[n - 1].item - 1].sku);
        mpk_value_string(v, mpk_string("product"),
                         order->items[order->claims[n - 1].item - 1].product);
    }

    return ngx_http_mpk_list_send(r, ctx, facts);
}
