/*
 * mpk_account: the orders of a customer whom the upstream has authenticated.  The index
 * is a sorted set in the account's bucket; an order in it is shown only if the order's
 * own hash matches the account.
 */

#include "ngx_http_mpk_orders.h"
#include "ngx_http_mpk_answer.h"
#include "ngx_http_mpk_card.h"
#include "ngx_http_mpk_index.h"
#include "ngx_http_mpk_keys.h"
#include "ngx_http_mpk_language.h"
#include "ngx_http_mpk_request.h"
#include "ngx_http_mpk_time.h"

#define NGX_HTTP_MPK_ACCOUNT_PAGE     20       /* orders */
#define NGX_HTTP_MPK_ACCOUNT_ITEMS    20       /* of each; a link shows the keys of all */
#define NGX_HTTP_MPK_ACCOUNT_HISTORY  50       /* newest entries that are read of each */


/* A page of an account: ctx->data. */
typedef struct {
    mpk_str_t                     identity;        /* as the upstream named it */
    u_char                        index[MPK_MAC_LEN];
    ngx_uint_t                    page;
    ngx_uint_t                    pages;
    ngx_uint_t                    total;
    ngx_http_mpk_batch_t         *batch;
    ngx_mpk_redis_cmd_t          *card;
    ngx_mpk_redis_cmd_t          *range;
} ngx_http_mpk_account_t;


static ngx_uint_t ngx_http_mpk_account_page(ngx_http_request_t *r);
static ngx_int_t ngx_http_mpk_account_listed(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_account_show(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_uint_t ngx_http_mpk_account_owns(ngx_http_mpk_ctx_t *ctx,
    const mpk_order_t *order);
static ngx_int_t ngx_http_mpk_account_failed(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);


ngx_int_t
ngx_http_mpk_account_handler(ngx_http_request_t *r)
{
    u_char                    *p;
    u_char                     first[NGX_INT_T_LEN], last[NGX_INT_T_LEN];
    mpk_str_t                  argv[4];
    ngx_str_t                  identity;
    ngx_http_mpk_ctx_t        *ctx;
    ngx_http_mpk_batch_t      *batch;
    ngx_http_mpk_account_t    *account;
    ngx_http_core_loc_conf_t  *clcf;
    ngx_http_mpk_loc_conf_t   *mlcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    mlcf = ngx_http_get_module_loc_conf(r, ngx_http_mpk_module);

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))
        || r->uri.len != clcf->name.len)
    {
        return NGX_DECLINED;
    }

    if (ngx_http_complex_value(r, mlcf->account, &identity) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* not logged in: leave it to the upstream */

    if (identity.len == 0) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_mpk_create_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    account = ngx_pcalloc(r->pool, sizeof(ngx_http_mpk_account_t));
    if (account == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->data = account;
    ctx->json = ngx_http_mpk_wants_json(r);
    ctx->event = NGX_HTTP_MPK_EVENT_LISTED;
    ctx->channel = mpk_channel_name(MPK_CHANNEL_ACCOUNT);

    account->page = ngx_http_mpk_account_page(r);

    account->identity = ngx_http_mpk_str(&identity);

    if (ngx_http_mpk_work(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (mpk_lookup_index(ctx->mmcf->crypto, account->identity, account->index)
        != MPK_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    batch = ngx_http_mpk_batch_create(r, ctx, 3);
    if (batch == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    account->batch = batch;

    argv[1] = ngx_http_mpk_account_key(&batch->mem, account->index);

    ngx_http_mpk_index_expire(ctx->mmcf, batch, argv[1]);

    argv[0] = mpk_string("ZCARD");

    account->card = ngx_http_mpk_batch_add(batch, 2, argv);

    argv[0] = mpk_string("ZREVRANGE");

    p = ngx_sprintf(first, "%ui", (account->page - 1)
                                  * NGX_HTTP_MPK_ACCOUNT_PAGE);
    argv[2] = (mpk_str_t) { p - first, first };

    p = ngx_sprintf(last, "%ui", account->page * NGX_HTTP_MPK_ACCOUNT_PAGE - 1);
    argv[3] = (mpk_str_t) { p - last, last };

    account->range = ngx_http_mpk_batch_add(batch, 4, argv);

    return ngx_http_mpk_batch_run(r, ctx, batch, ngx_http_mpk_account_listed);
}


/* ?page=; the first one if it is no number from 1. */

static ngx_uint_t
ngx_http_mpk_account_page(ngx_http_request_t *r)
{
    ngx_int_t  n;
    ngx_str_t  value;

    if (ngx_http_mpk_arg(r, "page", &value) != NGX_OK
        || value.len > 9)
    {
        return 1;
    }

    n = ngx_atoi(value.data, value.len);

    return n > 0 ? n : 1;
}


static ngx_int_t
ngx_http_mpk_account_listed(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    size_t                   i, n;
    ngx_mpk_redis_reply_t   *range;
    ngx_http_mpk_orders_t   *orders;
    ngx_http_mpk_account_t  *account;

    account = ctx->data;

    if (account->batch->failed
        || account->card->reply->type != NGX_MPK_REDIS_INTEGER
        || account->range->reply->type != NGX_MPK_REDIS_ARRAY
        || account->range->reply->count > NGX_HTTP_MPK_ACCOUNT_PAGE)
    {
        return ngx_http_mpk_account_failed(r, ctx);
    }

    range = account->range->reply;

    account->total = account->card->reply->integer;
    account->pages = (account->total + NGX_HTTP_MPK_ACCOUNT_PAGE - 1)
                     / NGX_HTTP_MPK_ACCOUNT_PAGE;

    orders = ngx_http_mpk_orders_create(r, ctx, range->count);
    if (orders == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    orders->history = NGX_HTTP_MPK_ACCOUNT_HISTORY;

    for (i = 0, n = 0; i < range->count; i++) {
        if (range->elements[i].type == NGX_MPK_REDIS_STRING
            && mpk_order_id_valid(range->elements[i].str))
        {
            orders->list[n++].id = range->elements[i].str;
        }
    }

    orders->count = n;

    return ngx_http_mpk_orders_read(r, ctx, ngx_http_mpk_account_show);
}


static ngx_int_t
ngx_http_mpk_account_show(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_mem_t               *mem;
    ngx_uint_t               i;
    mpk_value_t             *facts, *list, *v;
    ngx_http_mpk_order_t    *order;
    ngx_http_mpk_answer_t    answer;
    ngx_http_mpk_account_t  *account;

    if (ctx->orders->result != NGX_HTTP_MPK_TXN_OK) {
        return ngx_http_mpk_account_failed(r, ctx);
    }

    account = ctx->data;
    mem = &ctx->mem;

    /* a page of several orders is in the browser's language */

    ctx->language = ngx_http_mpk_language(ctx, mpk_string(""));

    facts = mpk_value_new(mem, MPK_VALUE_OBJECT);
    list = mpk_value_array(facts, mpk_string("orders"));

    for (i = 0; i < ctx->orders->count; i++) {
        order = &ctx->orders->list[i];

        if (!ngx_http_mpk_account_owns(ctx, &order->order)) {
            account->total -= (order->status == MPK_OK && account->total);
            continue;
        }

        v = mpk_value_object(list, mpk_string(""));

        if (ngx_http_mpk_card_customer(ctx, order, MPK_CHANNEL_ACCOUNT,
                                       NGX_HTTP_MPK_ACCOUNT_ITEMS, v)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    mpk_value_int(facts, mpk_string("page"), (int64_t) account->page);
    mpk_value_int(facts, mpk_string("pages"), (int64_t) account->pages);
    mpk_value_int(facts, mpk_string("total"), (int64_t) account->total);

    ctx->outcome = MPK_DONE;

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = NGX_HTTP_OK;

    if (ctx->json) {
        return ngx_http_mpk_send_json(r, ctx, &answer, facts);
    }

    mpk_value_bool(facts, mpk_string("support"), ctx->mlcf->pages->support);
    mpk_value_bool(facts, mpk_string("paged"), account->pages > 1);

    if (account->page > 1) {
        mpk_value_int(facts, mpk_string("newer"),
                      (int64_t) ngx_min(account->page - 1, account->pages));
    }

    if (account->page < account->pages) {
        mpk_value_int(facts, mpk_string("older"), (int64_t) account->page + 1);
    }

    return ngx_http_mpk_send_page(r, ctx, &answer, NGX_HTTP_MPK_PAGE_ACCOUNT,
                                  facts);
}


/* An order filed without an account belongs to its email address. */

static ngx_uint_t
ngx_http_mpk_account_owns(ngx_http_mpk_ctx_t *ctx, const mpk_order_t *order)
{
    u_char                   hash[MPK_MAC_LEN];
    mpk_str_t                owner;
    mpk_status_t             status;
    ngx_http_mpk_account_t  *account;

    if (order->state == MPK_ORDER_ABSENT
        || order->state == MPK_ORDER_ERASED)
    {
        return 0;
    }

    account = ctx->data;

    if (order->account_hash.len) {
        owner = order->account_hash;
        status = mpk_lookup_account(ctx->mmcf->crypto, order->id,
                                    account->identity, hash);

    } else {
        owner = mpk_order_email(order, ngx_http_mpk_time(ctx->mmcf,
                                                         order->id));
        status = mpk_lookup_email(ctx->mmcf->crypto, order->id,
                                  account->identity, hash);
    }

    return status == MPK_OK
           && mpk_secret_eq(owner, (mpk_str_t) { MPK_MAC_LEN, hash });
}


static ngx_int_t
ngx_http_mpk_account_failed(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    return ngx_http_mpk_send_unavailable(r, ctx,
               mpk_string("Orders can't be read right now; ask again in a "
                          "moment."),
               mpk_string(""));
}
