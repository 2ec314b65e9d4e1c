/* GET /claims: the open claims of all buckets, for support. */

#include "ngx_http_mpk_api.h"
#include "ngx_http_mpk_card_claims.h"
#include "ngx_http_mpk_index.h"
#include "ngx_http_mpk_request.h"
#include "ngx_http_mpk_sealed.h"

#include "mpk_bucket.h"

#define NGX_HTTP_MPK_CLAIMS_PAGE  50       /* claims in an answer, unless limit= says less */


/* An open claim, as the sorted set has it. */
typedef struct {
    mpk_str_t                     member;          /* "order/3" */
    mpk_str_t                     score;           /* when it was opened, ms */
    int64_t                       at;
} ngx_http_mpk_open_t;

/* A page of the list: api->data. */
typedef struct {
    int64_t                       after;
    mpk_str_t                     after_member;
    ngx_uint_t                    limit;
    ngx_http_mpk_batch_t         *batch;
    ngx_http_mpk_open_t          *open;
    ngx_uint_t                    count;
    unsigned                      more:1;
} ngx_http_mpk_claims_t;


static ngx_int_t ngx_http_mpk_claims_args(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_claims_t *claims);
static ngx_int_t ngx_http_mpk_claims_listed(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static int ngx_libc_cdecl ngx_http_mpk_claims_cmp(const void *one,
    const void *two);
static ngx_int_t ngx_http_mpk_claims_done(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);


/* Gets the oldest claims of each bucket, then reads the orders of the oldest of all. */

ngx_int_t
ngx_http_mpk_api_claims(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    u_char                  score[NGX_INT64_LEN], limit[NGX_INT_T_LEN];
    mpk_buf_t               key;
    mpk_str_t               argv[8];
    ngx_uint_t              i;
    ngx_http_mpk_api_t     *api;
    ngx_http_mpk_batch_t   *batch;
    ngx_http_mpk_claims_t  *claims;

    api = ctx->data;

    claims = ngx_pcalloc(r->pool, sizeof(ngx_http_mpk_claims_t));
    batch = ngx_http_mpk_batch_create(r, ctx, MPK_BUCKETS);

    if (claims == NULL || batch == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    api->data = claims;
    claims->batch = batch;

    if (ngx_http_mpk_claims_args(r, ctx, claims) != NGX_OK) {
        return ngx_http_mpk_api_invalid(r, ctx);
    }

    /* claims with the score of the last one shown are returned again, and skipped below */

    argv[0] = mpk_string("ZRANGEBYSCORE");
    argv[2] = (mpk_str_t) { ngx_sprintf(score, "%L", claims->after) - score,
                            score };
    argv[3] = mpk_string("+inf");
    argv[4] = mpk_string("WITHSCORES");
    argv[5] = mpk_string("LIMIT");
    argv[6] = mpk_string("0");
    argv[7] = (mpk_str_t) { ngx_sprintf(limit, "%ui", claims->limit + 16)
                            - limit, limit };

    for (i = 0; i < MPK_BUCKETS; i++) {
        mpk_buf_init(&key, &batch->mem, 32);
        mpk_buf_lit(&key, "mpk:{");
        mpk_buf_str(&key, mpk_bucket_tag(i));
        mpk_buf_lit(&key, "}:claims");

        argv[1] = mpk_buf_done(&key);

        (void) ngx_http_mpk_batch_add(batch, 8, argv);
    }

    return ngx_http_mpk_batch_run(r, ctx, batch, ngx_http_mpk_claims_listed);
}


static ngx_int_t
ngx_http_mpk_claims_args(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_claims_t *claims)
{
    u_char              *colon;
    ngx_int_t            n;
    ngx_str_t            value;
    ngx_http_mpk_api_t  *api;

    api = ctx->data;
    claims->limit = NGX_HTTP_MPK_CLAIMS_PAGE;

    if (ngx_http_mpk_arg(r, "state", &value) == NGX_OK
        && !ngx_http_mpk_is(&value, "open"))
    {
        ngx_http_mpk_api_error(ctx, mpk_string("?state"), "must be \"open\"");
    }

    if (ngx_http_mpk_arg(r, "limit", &value) == NGX_OK) {
        n = ngx_atoi(value.data, value.len);

        if (n == NGX_ERROR || n == 0 || n > NGX_HTTP_MPK_CLAIMS_PAGE) {
            ngx_http_mpk_api_error(ctx, mpk_string("?limit"),
                                   "must be a number from 1 to 50");
        } else {
            claims->limit = n;
        }
    }

    if (ngx_http_mpk_arg(r, "after", &value) == NGX_OK) {
        colon = ngx_strlchr(value.data, value.data + value.len, ':');
        claims->after = colon ? ngx_atoof(value.data, colon - value.data)
                            : NGX_ERROR;

        if (claims->after == NGX_ERROR) {
            ngx_http_mpk_api_error(ctx, mpk_string("?after"),
                                   "must be \"next\" of the page before");
        } else {
            claims->after_member.data = colon + 1;
            claims->after_member.len = value.data + value.len - colon - 1;
        }
    }

    return api->errors ? NGX_DECLINED : NGX_OK;
}


static ngx_int_t
ngx_http_mpk_claims_listed(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    u_char                 *slash;
    ngx_uint_t              i, n, size;
    ngx_http_mpk_api_t     *api;
    ngx_http_mpk_open_t    *open, last;
    ngx_mpk_redis_reply_t  *reply;
    ngx_http_mpk_claims_t  *claims;
    ngx_http_mpk_orders_t  *orders;

    api = ctx->data;
    claims = api->data;

    if (claims->batch->failed) {
        return ngx_http_mpk_api_fail(r, ctx, NGX_HTTP_MPK_TXN_UNAVAILABLE);
    }

    size = 0;

    for (i = 0; i < claims->batch->count; i++) {
        size += claims->batch->cmds[i].reply->count / 2;
    }

    open = ngx_palloc(r->pool, (size + 1) * sizeof(ngx_http_mpk_open_t));
    if (open == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    last.at = claims->after;
    last.member = claims->after_member;

    n = 0;

    for (i = 0; i < claims->batch->count; i++) {
        reply = claims->batch->cmds[i].reply;

        for (size = 0; size + 1 < reply->count; size += 2) {
            open[n].member = reply->elements[size].str;
            open[n].score = reply->elements[size + 1].str;
            open[n].at = ngx_atoof((u_char *) open[n].score.data,
                                   open[n].score.len);

            slash = ngx_strlchr((u_char *) open[n].member.data,
                                (u_char *) open[n].member.data
                                + open[n].member.len, '/');

            if (slash && ngx_http_mpk_claims_cmp(&open[n], &last) > 0) {
                n++;
            }
        }
    }

    ngx_qsort(open, n, sizeof(ngx_http_mpk_open_t), ngx_http_mpk_claims_cmp);

    if (n > claims->limit) {
        n = claims->limit;
        claims->more = 1;
    }

    claims->open = open;
    claims->count = n;

    orders = ngx_http_mpk_orders_create(r, ctx, n);
    if (orders == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    orders->history = 0;
    orders->sealed = 0;

    for (i = 0; i < n; i++) {
        slash = ngx_strlchr((u_char *) open[i].member.data,
                            (u_char *) open[i].member.data
                            + open[i].member.len, '/');

        orders->list[i].id = (mpk_str_t) { slash - open[i].member.data,
                                           open[i].member.data };
    }

    return ngx_http_mpk_orders_read(r, ctx, ngx_http_mpk_claims_done);
}


static int ngx_libc_cdecl
ngx_http_mpk_claims_cmp(const void *one, const void *two)
{
    const ngx_http_mpk_open_t *a = one;
    const ngx_http_mpk_open_t *b = two;

    if (a->at != b->at) {
        return a->at < b->at ? -1 : 1;
    }

    return (int) ngx_memn2cmp((u_char *) a->member.data,
                              (u_char *) b->member.data,
                              a->member.len, b->member.len);
}


static ngx_int_t
ngx_http_mpk_claims_done(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_int_t               n;
    mpk_buf_t               next;
    mpk_mem_t              *mem;
    ngx_uint_t              i;
    mpk_order_t            *order;
    mpk_value_t            *facts, *list, *v;
    mpk_person_t            person;
    ngx_http_mpk_api_t     *api;
    ngx_http_mpk_open_t    *open;
    ngx_http_mpk_order_t   *opened;
    ngx_http_mpk_answer_t   answer;
    ngx_http_mpk_claims_t  *claims;

    api = ctx->data;
    claims = api->data;
    mem = &ctx->mem;

    if (ctx->orders->result != NGX_HTTP_MPK_TXN_OK) {
        return ngx_http_mpk_api_fail(r, ctx, ctx->orders->result);
    }

    facts = mpk_value_new(mem, MPK_VALUE_OBJECT);
    list = mpk_value_array(facts, mpk_string("claims"));

    if (list == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    for (i = 0; i < claims->count; i++) {
        open = &claims->open[i];
        opened = &ctx->orders->list[i];
        order = &opened->order;

        n = ngx_atoi((u_char *) opened->id.data + opened->id.len + 1,
                     open->member.len - opened->id.len - 1);

        /* the list forgets an order that has expired */

        if (order->state == MPK_ORDER_ABSENT && opened->status == MPK_OK) {
            ngx_http_mpk_index_drop(ctx->mmcf, opened->id, ":claims",
                                    open->member);
            continue;
        }

        /* the claim was decided between the two reads */

        if (n < 1 || n > (ngx_int_t) order->claims_count
            || !mpk_claim_undecided(&order->claims[n - 1]))
        {
            continue;
        }

        if (ngx_http_mpk_order_person(ctx, opened, &person) != NGX_OK
            || ngx_http_mpk_card_claim(ctx, opened, n, 1, list) != NGX_OK)
        {
            return ngx_http_mpk_api_fail(r, ctx, NGX_HTTP_MPK_TXN_ERROR);
        }

        v = list->u.list.last;

        mpk_value_string(v, mpk_string("order"), opened->id);
        mpk_value_string(v, mpk_string("email"), person.email);
        mpk_value_string(v, mpk_string("sku"),
                         order->items[order->claims[n - 1].item - 1].sku);
        mpk_value_string(v, mpk_string("product"),
                         order->items[order->claims[n - 1].item - 1].product);
    }

    if (claims->more) {
        mpk_buf_init(&next, mem, 80);
        mpk_buf_int(&next, claims->open[claims->count - 1].at);
        mpk_buf_byte(&next, ':');
        mpk_buf_str(&next, claims->open[claims->count - 1].member);

        mpk_value_string(facts, mpk_string("next"), mpk_buf_done(&next));

    } else {
        mpk_value_null(facts, mpk_string("next"));
    }

    ctx->outcome = MPK_SAME;

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = NGX_HTTP_OK;

    return ngx_http_mpk_send_json(r, ctx, &answer, facts);
}
