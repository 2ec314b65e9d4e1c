/* Orders read with their journals, any number of them in the same few round trips. */

#include "ngx_http_mpk_orders.h"
#include "ngx_http_mpk_keys.h"

#define NGX_HTTP_MPK_HISTORY_BATCH  256     /* entries asked for at a time */


static ngx_int_t ngx_http_mpk_orders_headers(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static mpk_status_t ngx_http_mpk_orders_header(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_orders_t *orders, ngx_http_mpk_order_t *order,
    ngx_mpk_redis_reply_t *reply);
static ngx_int_t ngx_http_mpk_orders_ids(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_orders_t *orders, ngx_http_mpk_order_t *order);
static ngx_int_t ngx_http_mpk_orders_history(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_orders_records(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_orders_record(ngx_mpk_redis_reply_t *reply,
    mpk_record_t *record);
static ngx_uint_t ngx_http_mpk_orders_expired(time_t retention, mpk_str_t id);
static ngx_int_t ngx_http_mpk_orders_failed(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_txn_result_t result);
static void ngx_http_mpk_orders_cleanse(void *data);


ngx_http_mpk_orders_t *
ngx_http_mpk_orders_create(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_uint_t count)
{
    ngx_pool_cleanup_t     *cln;
    ngx_http_mpk_orders_t  *orders;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_mpk_orders_t));
    if (cln == NULL) {
        return NULL;
    }

    orders = cln->data;

    ngx_memzero(orders, sizeof(ngx_http_mpk_orders_t));

    orders->list = ngx_pcalloc(r->pool,
                               (count + 1) * sizeof(ngx_http_mpk_order_t));
    if (orders->list == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_mpk_orders_cleanse;

    orders->count = count;
    orders->history = NGX_MAX_UINT32_VALUE;

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


ngx_int_t
ngx_http_mpk_orders_read(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_next_pt next)
{
    mpk_str_t               argv[6];
    ngx_uint_t              i;
    ngx_http_mpk_batch_t   *batch;
    ngx_http_mpk_orders_t  *orders;

    orders = ctx->orders;
    orders->next = next;

    batch = ngx_http_mpk_batch_create(r, ctx, orders->count + 1);
    if (batch == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    orders->batch = batch;

    argv[0] = mpk_string("HMGET");
    argv[2] = mpk_string("h");
    argv[3] = mpk_string("f");
    argv[4] = mpk_string("i");
    argv[5] = mpk_string("c");

    for (i = 0; i < orders->count; i++) {
        argv[1] = ngx_http_mpk_key(&batch->mem, orders->list[i].id, ":o:",
                                   orders->list[i].id);

        (void) ngx_http_mpk_batch_add(batch, 6, argv);
    }

    return ngx_http_mpk_batch_run(r, ctx, batch, ngx_http_mpk_orders_headers);
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
        if (status != MPK_OK) {
            ngx_log_error(NGX_LOG_CRIT, r->connection->log, 0,
                          "mpk: order \"%*s\" as stored in Redis can't be "
                          "parsed: %s; the request fails",
                          order->id.len, order->id.data,
                          mpk_status_text(status));

            return ngx_http_mpk_orders_failed(r, ctx, NGX_HTTP_MPK_TXN_ERROR);
        }
    }

    return ngx_http_mpk_orders_history(r, ctx);
}


static mpk_status_t
ngx_http_mpk_orders_header(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_orders_t *orders, ngx_http_mpk_order_t *order,
    ngx_mpk_redis_reply_t *reply)
{
    mpk_str_t     fields[MPK_ORDER_FIELDS];
    mpk_status_t  status;

    if (ngx_http_mpk_reply_fields(reply, MPK_ORDER_FIELDS, fields) != NGX_OK) {
        return MPK_MALFORMED;
    }

    status = mpk_order_read(&ctx->mem, order->id, fields, &order->order);
    if (status != MPK_OK) {
        return status;
    }

    return ngx_http_mpk_orders_ids(ctx, orders, order) == NGX_OK
           ? MPK_OK : MPK_NOMEM;
}


/* The ids of the newest entries, which will be read. */

static ngx_int_t
ngx_http_mpk_orders_ids(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_orders_t *orders, ngx_http_mpk_order_t *order)
{
    size_t      i, start;
    mpk_str_t   text;
    ngx_uint_t  n;

    text = order->order.entries;
    n = 0;

    for (i = 0; i < text.len; i++) {
        n += (text.data[i] == ' ');
    }

    if (n > orders->history) {
        order->skipped = n - orders->history;
        n = orders->history;
    }

    order->ids = mpk_alloc(&ctx->mem, (n + 1) * sizeof(mpk_str_t));
    order->records = mpk_calloc(&ctx->mem, (n + 1) * sizeof(mpk_record_t));

    if (order->ids == NULL || order->records == NULL) {
        return NGX_ERROR;
    }

    n = 0;

    for (i = 0, start = 0; i < text.len; i++) {
        if (text.data[i] == ' ') {

            if (n >= order->skipped) {
                order->ids[n - order->skipped] =
                    (mpk_str_t) { i - start, text.data + start };
            }

            n++;
            start = i + 1;
        }
    }

    order->records_count = n - order->skipped;
    order->skipped += order->order.gone;

    return NGX_OK;
}


/* Reads the next entries; calls next when all were read. */

static ngx_int_t
ngx_http_mpk_orders_history(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_str_t               argv[4];
    ngx_uint_t              i, n;
    ngx_http_mpk_batch_t   *batch;
    ngx_http_mpk_order_t   *order;
    ngx_http_mpk_orders_t  *orders;

    orders = ctx->orders;

    if (orders->order == orders->count) {
        return orders->next(r, ctx);
    }

    batch = ngx_http_mpk_batch_create(r, ctx, NGX_HTTP_MPK_HISTORY_BATCH);
    if (batch == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    orders->batch = batch;

    argv[0] = mpk_string("XRANGE");

    n = orders->record;

    for (i = orders->order; i < orders->count; i++) {
        order = &orders->list[i];

        argv[1] = ngx_http_mpk_key(&batch->mem, order->id, ":journal",
                                   (mpk_str_t) { 0, NULL });

        for ( /* void */ ; n < order->records_count; n++) {

            if (batch->count == batch->size) {
                goto full;
            }

            argv[2] = order->ids[n];
            argv[3] = order->ids[n];

            (void) ngx_http_mpk_batch_add(batch, 4, argv);
        }

        n = 0;
    }

full:

    return ngx_http_mpk_batch_run(r, ctx, batch, ngx_http_mpk_orders_records);
}


static ngx_int_t
ngx_http_mpk_orders_records(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_uint_t              i;
    mpk_record_t           *record;
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

        record = &order->records[orders->record];

        if (ngx_http_mpk_orders_record(batch->cmds[i].reply, record)
            != NGX_OK)
        {
            return ngx_http_mpk_orders_failed(r, ctx, NGX_HTTP_MPK_TXN_ERROR);
        }

        if (record->clear.data == NULL) {
            record->expired =
                ngx_http_mpk_orders_expired(ctx->mmcf->retention,
                                            order->ids[orders->record]);
        }

        orders->record++;
    }

    /* skip orders without further entries */

    while (orders->order < orders->count
           && orders->record == orders->list[orders->order].records_count)
    {
        orders->order++;
        orders->record = 0;
    }

    return ngx_http_mpk_orders_history(r, ctx);
}


/* An entry's id begins with the time it was written, in milliseconds of Redis' clock. */

static ngx_uint_t
ngx_http_mpk_orders_expired(time_t retention, mpk_str_t id)
{
    u_char  *dash;
    time_t   written;

    if (retention == 0) {
        return 0;
    }

    dash = ngx_strlchr((u_char *) id.data, (u_char *) id.data + id.len, '-');
    if (dash == NULL) {
        return 0;
    }

    written = ngx_atotm((u_char *) id.data, dash - id.data);

    return written != NGX_ERROR
           && written / 1000 + retention < ngx_time();
}


/* [[id, [name, value, ...]]]; an empty array where the entry is missing. */

static ngx_int_t
ngx_http_mpk_orders_record(ngx_mpk_redis_reply_t *reply,
    mpk_record_t *record)
{
    size_t                  i;
    ngx_mpk_redis_reply_t  *entry, *fields;

    if (reply->type != NGX_MPK_REDIS_ARRAY) {
        return NGX_ERROR;
    }

    if (reply->count == 0) {
        return NGX_OK;
    }

    entry = &reply->elements[0];

    if (entry->type != NGX_MPK_REDIS_ARRAY || entry->count != 2
        || entry->elements[1].type != NGX_MPK_REDIS_ARRAY)
    {
        return NGX_ERROR;
    }

    fields = &entry->elements[1];

    /* an entry without our fields exists, and fails verification */

    record->clear = mpk_string("");
    record->sealed = mpk_string("");
    record->mac = mpk_string("");

    for (i = 0; i + 1 < fields->count; i += 2) {

        if (mpk_str_eq(fields->elements[i].str, mpk_string("e"))) {
            record->clear = fields->elements[i + 1].str;

        } else if (mpk_str_eq(fields->elements[i].str, mpk_string("x"))) {
            record->sealed = fields->elements[i + 1].str;

        } else if (mpk_str_eq(fields->elements[i].str, mpk_string("m"))) {
            record->mac = fields->elements[i + 1].str;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_mpk_orders_failed(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_txn_result_t result)
{
    ctx->orders->result = result;
    ctx->outcome = result == NGX_HTTP_MPK_TXN_ERROR
                   ? NGX_HTTP_MPK_OUTCOME_ERROR
                   : NGX_HTTP_MPK_OUTCOME_UNAVAILABLE;

    return ctx->orders->next(r, ctx);
}
