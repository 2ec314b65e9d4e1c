/* GET /orders?state=: the orders that wait for the shop or its support. */

#include "ngx_http_mpk_api_list.h"
#include "ngx_http_mpk_request.h"
#include "ngx_http_mpk_sealed.h"
#include "ngx_http_mpk_worklists.h"


static ngx_int_t ngx_http_mpk_worklist_done(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);


static ngx_str_t  ngx_http_mpk_worklist_names[] = {
    [NGX_HTTP_MPK_WORKLIST_SUSPENDED] = ngx_string("suspended"),
    [NGX_HTTP_MPK_WORKLIST_HELD] = ngx_string("held"),
    [NGX_HTTP_MPK_WORKLIST_WITHDRAWALS] = ngx_null_string,   /* not of orders */
};

mpk_assert_rows(ngx_http_mpk_worklist_names, NGX_HTTP_MPK_WORKLIST_MAX);


ngx_int_t
ngx_http_mpk_api_worklist(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_str_t   state;
    ngx_uint_t  i;

    if (ngx_http_mpk_arg(r, "state", &state) != NGX_OK) {
        ngx_str_null(&state);
    }

    for (i = 0; i < NGX_HTTP_MPK_WORKLIST_MAX; i++) {
        if (ngx_http_mpk_worklist_names[i].len
            && mpk_str_eq(ngx_http_mpk_str(&state),
                          ngx_http_mpk_str(&ngx_http_mpk_worklist_names[i])))
        {
            return ngx_http_mpk_list_read(r, ctx, ngx_http_mpk_worklist_keys[i],
                                          0,
                                          ngx_http_mpk_worklist_done);
        }
    }

    ngx_http_mpk_api_error(ctx, mpk_string("?state"),
                           "must be \"held\" or \"suspended\"");

    return ngx_http_mpk_api_invalid(r, ctx);
}


static ngx_int_t
ngx_http_mpk_worklist_done(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_uint_t             i, suspended;
    mpk_order_t           *order;
    mpk_value_t           *facts, *orders, *v;
    mpk_person_t           person;
    ngx_http_mpk_api_t    *api;
    ngx_http_mpk_list_t   *list;
    ngx_http_mpk_order_t  *opened;

    api = ctx->data;
    list = api->data;

    if (ctx->orders->result != NGX_HTTP_MPK_TXN_OK) {
        return ngx_http_mpk_api_fail(r, ctx, ctx->orders->result);
    }

    suspended = (list->what
                 == ngx_http_mpk_worklist_keys[NGX_HTTP_MPK_WORKLIST_SUSPENDED]);

    facts = mpk_value_new(&ctx->mem, MPK_VALUE_OBJECT);
    orders = mpk_value_array(facts, mpk_string("orders"));

    if (orders == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    for (i = 0; i < list->count; i++) {
        opened = &ctx->orders->list[i];
        order = &opened->order;

        if (ngx_http_mpk_list_gone(ctx, i)) {
            continue;
        }

        if (opened->status != MPK_OK) {
            continue;
        }

        /* left the list between the two reads, or expired and was filed again */

        if (suspended ? order->suspended_at == 0
                      : order->state != MPK_ORDER_HELD)
        {
            ngx_http_mpk_list_drop(ctx, i);
            continue;
        }

        if (ngx_http_mpk_order_person(ctx, opened, &person) != NGX_OK) {
            return ngx_http_mpk_api_fail(r, ctx, NGX_HTTP_MPK_TXN_ERROR);
        }

        v = mpk_value_object(orders, mpk_string(""));

        mpk_value_string(v, mpk_string("order"), opened->id);
        mpk_value_string(v, mpk_string("state"),
                         mpk_order_state_name(order->state));
        mpk_value_string(v, mpk_string("email"), person.email);
        ngx_http_mpk_value_time(ctx, v, mpk_string("purchased_at"),
                                order->purchased_at);
        ngx_http_mpk_value_time(ctx, v, mpk_string("filed_at"),
                                order->filed_at);

        if (!suspended) {
            continue;
        }

        ngx_http_mpk_value_time(ctx, v, mpk_string("first_viewed_at"),
                                order->first_viewed_at);
        ngx_http_mpk_value_time(ctx, v, mpk_string("suspended_at"),
                                order->suspended_at);
        mpk_value_string(v, mpk_string("suspended_for"),
                         mpk_suspension_name(order->suspension));
    }

    return ngx_http_mpk_list_send(r, ctx, facts);
}
