/* Orders read with their journals, any number of them in the same few round trips. */

#include "ngx_http_mpk_orders.h"
#include "ngx_http_mpk_keys.h"
#include "ngx_http_mpk_sealed.h"

#define NGX_HTTP_MPK_HISTORY_BATCH  256     /* entries asked for at a time */


static ngx_int_t ngx_http_mpk_orders_headers(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static mpk_status_t ngx_http_mpk_orders_header(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_orders_t *orders, ngx_http_mpk_order_t *order,
    ngx_mpk_redis_reply_t *reply);
static ngx_int_t ngx_http_mpk_orders_history(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_orders_entries(ngx_http_mpk_batch_t *batch,
    ngx_http_mpk_order_t *order, ngx_uint_t from, ngx_uint_t n);
static ngx_int_t ngx_http_mpk_orders_records(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_orders_failed(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_txn_result_t result);
static void ngx_http_mpk_orders_cleanse(void *data);


ngx_http_mpk_orders_t *
ngx_http_mpk_orders_create(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_uint_t count)
{
    ngx_pool_t             *pool;
    ngx_pool_cleanup_t     *cln;
    ngx_http_mpk_orders_t  *orders;

    pool = ngx_http_mpk_pool(r, ctx);

    cln = ngx_pool_cleanup_add(pool, sizeof(ngx_http_mpk_orders_t));
    if (cln == NULL) {
        return NULL;
    }

    orders = cln->data;

    ngx_memzero(orders, sizeof(ngx_http_mpk_orders_t));

    orders->list = ngx_pcalloc(pool,
                               (count + 1) * sizeof(ngx_http_mpk_order_t));
    if (orders->list == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_mpk_orders_cleanse;

    orders->count = count;
    orders->history = NGX_MAX_UINT32_VALUE;
    orders->read = MPK_ORDER_ALL;

    ctx->orders = orders;

    return orders;
}


static void
ngx_http_mpk_orders_cleanse(void *data)
{
    ngx_http_mpk_orders_t *orders = data;

    ngx_uint_t  i;

    for (i = 0; i < orders->count; i++) {
        mpk_cleanse(&orders->list[i].data_key, sizeof(mpk_data_key_t));
    }
}


ngx_http_mpk_batch_t *
ngx_http_mpk_orders_ask(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_uint_t more)
{
    mpk_str_t               key, argv[NGX_HTTP_MPK_ORDER_ARGS];
    ngx_uint_t              i, argc;
    ngx_http_mpk_batch_t   *batch;
    ngx_http_mpk_orders_t  *orders;

    orders = ctx->orders;

    batch = ngx_http_mpk_batch_create(r, ctx, orders->count + more);
    if (batch == NULL) {
        return NULL;
    }

    orders->batch = batch;

    for (i = 0; i < orders->count; i++) {
        key = ngx_http_mpk_key(&batch->mem, orders->list[i].id, ":o:",
                               orders->list[i].id);
        argc = ngx_http_mpk_order_args(key, orders->read, argv);

        (void) ngx_http_mpk_batch_add(batch, argc, argv);
    }

    return batch;
}


ngx_int_t
ngx_http_mpk_orders_read(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_next_pt next)
{
    ngx_http_mpk_orders_t  *orders;

    orders = ctx->orders;
    orders->next = next;

    if (orders->batch == NULL
        && ngx_http_mpk_orders_ask(r, ctx, 0) == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_mpk_batch_run(r, ctx, orders->batch,
                                  ngx_http_mpk_orders_headers);
}


static ngx_int_t
ngx_http_mpk_orders_headers(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_uint_t              i;
    mpk_status_t            status;
    ngx_http_mpk_batch_t   *batch;
    ngx_http_mpk_order_t   *order;
    ngx_http_mpk_orders_t  *orders;

    orders = ctx->orders;
    batch = orders->batch;

    if (batch->failed) {
        return ngx_http_mpk_orders_failed(r, ctx,
                                          NGX_HTTP_MPK_TXN_UNAVAILABLE);
    }

    for (i = 0; i < orders->count; i++) {
        order = &orders->list[i];

        status = ngx_http_mpk_orders_header(ctx, orders, order,
                                            batch->cmds[i].reply);

        if (status == MPK_NOMEM) {
            return ngx_http_mpk_orders_failed(r, ctx, NGX_HTTP_MPK_TXN_ERROR);
        }

        /* one order that can't be read does not hide the others */

        if (status != MPK_OK) {
            ngx_http_mpk_order_unread(r->connection->log, &order->order,
                                      status);

            ngx_memzero(&order->order, sizeof(mpk_order_t));
            order->order.id = order->id;
        }

        order->status = status;
    }

    return ngx_http_mpk_orders_history(r, ctx);
}


static mpk_status_t
ngx_http_mpk_orders_header(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_orders_t *orders, ngx_http_mpk_order_t *order,
    ngx_mpk_redis_reply_t *reply)
{
    uint64_t      n;
    mpk_str_t     fields[MPK_ORDER_FIELDS];
    mpk_status_t  status;

    order->order.id = order->id;

    if (ngx_http_mpk_order_reply(reply, orders->read, fields, NULL) != NGX_OK) {
        return MPK_MALFORMED;
    }

    status = mpk_order_read(ctx->mmcf->crypto, &ctx->mem, order->id, fields,
                            orders->read, &order->order);
    if (status != MPK_OK) {
        return status;
    }

    n = order->order.revision - order->order.gone;

    if (n > orders->history) {
        n = orders->history;
    }

    order->records_count = n;
    order->skipped = order->order.revision - n;
    order->records = mpk_calloc(&ctx->mem, (n + 1) * sizeof(mpk_str_t));

    return order->records ? MPK_OK : MPK_NOMEM;
}


/* Reads the next entries; calls next when all were read. */

static ngx_int_t
ngx_http_mpk_orders_history(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_uint_t              i, n, left, from;
    ngx_http_mpk_batch_t   *batch;
    ngx_http_mpk_order_t   *order;
    ngx_http_mpk_orders_t  *orders;

    orders = ctx->orders;

    while (orders->order < orders->count
           && orders->record == orders->list[orders->order].records_count)
    {
        orders->order++;
        orders->record = 0;
    }

    if (orders->order == orders->count) {
        return orders->next(r, ctx);
    }

    batch = ngx_http_mpk_batch_create(r, ctx, orders->count - orders->order);
    if (batch == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    orders->batch = batch;

    left = NGX_HTTP_MPK_HISTORY_BATCH;
    from = orders->record;

    for (i = orders->order; i < orders->count && left; i++) {
        order = &orders->list[i];
        n = ngx_min(order->records_count - from, left);

        if (n && ngx_http_mpk_orders_entries(batch, order, from, n) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        left -= n;
        from = 0;
    }

    return ngx_http_mpk_batch_run(r, ctx, batch, ngx_http_mpk_orders_records);
}


/* Asks for n of an order's entries. */

static ngx_int_t
ngx_http_mpk_orders_entries(ngx_http_mpk_batch_t *batch,
    ngx_http_mpk_order_t *order, ngx_uint_t from, ngx_uint_t n)
{
    u_char      *p;
    mpk_str_t   *argv;
    ngx_uint_t   i;

    argv = mpk_alloc(&batch->mem, (2 + n) * sizeof(mpk_str_t));
    p = mpk_alloc(&batch->mem, n * (1 + NGX_INT64_LEN));

    if (argv == NULL || p == NULL) {
        return NGX_ERROR;
    }

    argv[0] = mpk_string("HMGET");
    argv[1] = ngx_http_mpk_key(&batch->mem, order->id, ":o:", order->id);

    for (i = 0; i < n; i++) {
        argv[2 + i].data = p;
        p = ngx_sprintf(p, "e%ui", order->skipped + from + i + 1);
        argv[2 + i].len = p - argv[2 + i].data;
    }

    (void) ngx_http_mpk_batch_add(batch, 2 + n, argv);

    return NGX_OK;
}


static ngx_int_t
ngx_http_mpk_orders_records(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_uint_t              i, n;
    ngx_http_mpk_batch_t   *batch;
    ngx_http_mpk_order_t   *order;
    ngx_http_mpk_orders_t  *orders;

    orders = ctx->orders;
    batch = orders->batch;

    if (batch->failed) {
        return ngx_http_mpk_orders_failed(r, ctx,
                                          NGX_HTTP_MPK_TXN_UNAVAILABLE);
    }

    for (i = 0; i < batch->count; i++) {

        while (orders->record == orders->list[orders->order].records_count) {
            orders->order++;
            orders->record = 0;
        }

        order = &orders->list[orders->order];
        n = batch->cmds[i].reply->count;

        if (n == 0 || n > order->records_count - orders->record
            || ngx_http_mpk_reply_fields(batch->cmds[i].reply, n,
                                         &order->records[orders->record])
               != NGX_OK)
        {
            return ngx_http_mpk_orders_failed(r, ctx, NGX_HTTP_MPK_TXN_ERROR);
        }

        orders->record += n;
    }

    return ngx_http_mpk_orders_history(r, ctx);
}


static ngx_int_t
ngx_http_mpk_orders_failed(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_txn_result_t result)
{
    ctx->orders->result = result;
    ctx->outcome = ngx_http_mpk_txn_outcome(result);

    return ctx->orders->next(r, ctx);
}
