/* Pages of a worklist: what all its buckets have, oldest first. */

#include "ngx_http_mpk_api_list.h"
#include "ngx_http_mpk_request.h"
#include "ngx_http_mpk_statement.h"
#include "ngx_http_mpk_worklists.h"

#include "mpk_bucket.h"

#define NGX_HTTP_MPK_LIST_PAGE  50         /* entries in an answer, unless limit= says less */
#define NGX_HTTP_MPK_LIST_MORE  16         /* read beyond that: see below */


static ngx_int_t ngx_http_mpk_list_args(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_list_t *list);
static ngx_int_t ngx_http_mpk_list_listed(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static mpk_str_t ngx_http_mpk_list_order(mpk_str_t member);
static int ngx_libc_cdecl ngx_http_mpk_list_cmp(const void *one,
    const void *two);


/* Gets the oldest entries of each bucket, then reads the orders of the oldest of all. */

ngx_int_t
ngx_http_mpk_list_read(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    const char *what, ngx_uint_t history, ngx_http_mpk_next_pt next)
{
    u_char                 score[NGX_INT64_LEN], limit[NGX_INT_T_LEN];
    mpk_buf_t              key;
    mpk_str_t              argv[8];
    ngx_uint_t             i;
    ngx_http_mpk_api_t    *api;
    ngx_http_mpk_list_t   *list;
    ngx_http_mpk_batch_t  *batch;

    api = ctx->data;

    list = ngx_pcalloc(r->pool, sizeof(ngx_http_mpk_list_t));
    batch = ngx_http_mpk_batch_create(r, ctx, MPK_BUCKETS);

    if (list == NULL || batch == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    api->data = list;
    list->what = what;
    list->history = history;
    list->next = next;
    list->batch = batch;

    if (ngx_http_mpk_list_args(r, ctx, list) != NGX_OK) {
        return ngx_http_mpk_api_invalid(r, ctx);
    }

    /* entries with the score of the last one shown are returned again, and skipped below */

    argv[0] = mpk_string("ZRANGEBYSCORE");
    argv[2] = (mpk_str_t) { ngx_sprintf(score, "%L", list->after) - score,
                            score };
    argv[3] = mpk_string("+inf");
    argv[4] = mpk_string("WITHSCORES");
    argv[5] = mpk_string("LIMIT");
    argv[6] = mpk_string("0");
    argv[7] = (mpk_str_t) { ngx_sprintf(limit, "%ui",
                                        list->limit + NGX_HTTP_MPK_LIST_MORE)
                            - limit, limit };

    for (i = 0; i < MPK_BUCKETS; i++) {
        mpk_buf_init(&key, &batch->mem, 32);
        mpk_buf_lit(&key, "mpk:{");
        mpk_buf_str(&key, mpk_bucket_tag(i));
        mpk_buf_byte(&key, '}');
        mpk_buf_put(&key, what, ngx_strlen(what));

        argv[1] = mpk_buf_done(&key);

        (void) ngx_http_mpk_batch_add(batch, 8, argv);
    }

    return ngx_http_mpk_batch_run(r, ctx, batch, ngx_http_mpk_list_listed);
}


static ngx_int_t
ngx_http_mpk_list_args(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_list_t *list)
{
    u_char              *colon;
    ngx_int_t            n;
    ngx_str_t            value;
    ngx_http_mpk_api_t  *api;

    api = ctx->data;
    list->limit = NGX_HTTP_MPK_LIST_PAGE;

    if (ngx_http_mpk_arg(r, "limit", &value) == NGX_OK) {
        n = ngx_atoi(value.data, value.len);

        if (n == NGX_ERROR || n == 0 || n > NGX_HTTP_MPK_LIST_PAGE) {
            ngx_http_mpk_api_error(ctx, mpk_string("?limit"),
                                   "must be a number from 1 to 50");
        } else {
            list->limit = n;
        }
    }

    if (ngx_http_mpk_arg(r, "after", &value) == NGX_OK) {
        colon = ngx_strlchr(value.data, value.data + value.len, ':');
        list->after = colon ? ngx_atoof(value.data, colon - value.data)
                            : NGX_ERROR;

        if (list->after == NGX_ERROR) {
            ngx_http_mpk_api_error(ctx, mpk_string("?after"),
                                   "must be \"next\" of the page before");
        } else {
            list->after_member.data = colon + 1;
            list->after_member.len = value.data + value.len - colon - 1;
        }
    }

    return api->errors ? NGX_DECLINED : NGX_OK;
}


static ngx_int_t
ngx_http_mpk_list_listed(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_uint_t                   i, n, size;
    ngx_http_mpk_api_t          *api;
    ngx_http_mpk_list_t         *list;
    ngx_mpk_redis_reply_t       *reply;
    ngx_http_mpk_orders_t       *orders;
    ngx_http_mpk_list_entry_t   *entries, last;

    api = ctx->data;
    list = api->data;

    if (list->batch->failed) {
        return ngx_http_mpk_api_fail(r, ctx, NGX_HTTP_MPK_TXN_UNAVAILABLE);
    }

    size = 0;

    for (i = 0; i < list->batch->count; i++) {
        size += list->batch->cmds[i].reply->count / 2;
    }

    entries = ngx_palloc(r->pool,
                         (size + 1) * sizeof(ngx_http_mpk_list_entry_t));
    if (entries == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    last.at = list->after;
    last.member = list->after_member;

    n = 0;

    for (i = 0; i < list->batch->count; i++) {
        reply = list->batch->cmds[i].reply;

        for (size = 0; size + 1 < reply->count; size += 2) {
            entries[n].member = reply->elements[size].str;
            entries[n].at =
                ngx_atoof((u_char *) reply->elements[size + 1].str.data,
                          reply->elements[size + 1].str.len);

            if (mpk_order_id_valid(ngx_http_mpk_list_order(entries[n].member))
                && ngx_http_mpk_list_cmp(&entries[n], &last) > 0)
            {
                n++;
            }
        }
    }

    ngx_qsort(entries, n, sizeof(ngx_http_mpk_list_entry_t),
              ngx_http_mpk_list_cmp);

    if (n > list->limit) {
        n = list->limit;
        list->more = 1;
    }

    list->entries = entries;
    list->count = n;

    orders = ngx_http_mpk_orders_create(r, ctx, n);
    if (orders == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    orders->history = list->history;
    orders->read = MPK_ORDER_ALL & ~(1u << MPK_ORDER_KEYS);

    for (i = 0; i < n; i++) {
        orders->list[i].id = ngx_http_mpk_list_order(entries[i].member);
    }

    return ngx_http_mpk_orders_read(r, ctx, list->next);
}


/*
 * The order of a member "order/3" or "order".  A statement has no order: its id is returned,
 * which has the same bucket and names no order.
 */

static mpk_str_t
ngx_http_mpk_list_order(mpk_str_t member)
{
    u_char     *p, *slash;
    mpk_str_t   statement;

    statement = ngx_http_mpk_statement_member(member);
    if (statement.len) {
        return statement;
    }

    p = (u_char *) member.data;
    slash = ngx_strlchr(p, p + member.len, '/');

    if (slash) {
        member.len = slash - p;
    }

    return member;
}


static int ngx_libc_cdecl
ngx_http_mpk_list_cmp(const void *one, const void *two)
{
    const ngx_http_mpk_list_entry_t *a = one;
    const ngx_http_mpk_list_entry_t *b = two;

    if (a->at != b->at) {
        return a->at < b->at ? -1 : 1;
    }

    return (int) ngx_memn2cmp((u_char *) a->member.data,
                              (u_char *) b->member.data,
                              a->member.len, b->member.len);
}


mpk_str_t
ngx_http_mpk_list_statement(ngx_http_mpk_ctx_t *ctx, ngx_uint_t i)
{
    ngx_http_mpk_api_t   *api;
    ngx_http_mpk_list_t  *list;

    api = ctx->data;
    list = api->data;

    return ngx_http_mpk_statement_member(list->entries[i].member);
}


ngx_uint_t
ngx_http_mpk_list_case(ngx_http_mpk_ctx_t *ctx, ngx_uint_t i)
{
    mpk_str_t             member;
    ngx_int_t             n;
    ngx_uint_t            skip;
    ngx_http_mpk_api_t   *api;
    ngx_http_mpk_list_t  *list;

    api = ctx->data;
    list = api->data;

    member = list->entries[i].member;
    skip = ctx->orders->list[i].id.len + 1;

    if (member.len <= skip) {
        return 0;
    }

    n = ngx_atoi((u_char *) member.data + skip, member.len - skip);

    return n > 0 ? n : 0;
}


/* An order that has expired or was erased unread is forgotten by the list, too. */

ngx_uint_t
ngx_http_mpk_list_gone(ngx_http_mpk_ctx_t *ctx, ngx_uint_t i)
{
    ngx_http_mpk_order_t  *opened;

    opened = &ctx->orders->list[i];

    if (opened->status != MPK_OK
        || (opened->order.state != MPK_ORDER_ABSENT
            && opened->order.state != MPK_ORDER_ERASED))
    {
        return 0;
    }

    ngx_http_mpk_list_drop(ctx, i);

    return 1;
}


void
ngx_http_mpk_list_drop(ngx_http_mpk_ctx_t *ctx, ngx_uint_t i)
{
    ngx_http_mpk_api_t         *api;
    ngx_http_mpk_list_t        *list;
    ngx_http_mpk_list_entry_t  *entry;

    api = ctx->data;
    list = api->data;
    entry = &list->entries[i];

    ngx_http_mpk_worklists_drop(ctx->mmcf, ctx->orders->list[i].id, list->what,
                                entry->member, entry->at);
}


ngx_int_t
ngx_http_mpk_list_send(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    mpk_value_t *facts)
{
    mpk_buf_t               next;
    ngx_http_mpk_api_t     *api;
    ngx_http_mpk_list_t    *list;
    ngx_http_mpk_answer_t   answer;

    api = ctx->data;
    list = api->data;

    if (list->more) {
        mpk_buf_init(&next, &ctx->mem, 80);
        mpk_buf_int(&next, list->entries[list->count - 1].at);
        mpk_buf_byte(&next, ':');
        mpk_buf_str(&next, list->entries[list->count - 1].member);

        mpk_value_string(facts, mpk_string("next"), mpk_buf_done(&next));

    } else {
        mpk_value_null(facts, mpk_string("next"));
    }

    ctx->outcome = MPK_SAME;

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = NGX_HTTP_OK;

    return ngx_http_mpk_send_json(r, ctx, &answer, facts);
}
