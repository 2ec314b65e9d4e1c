/* GET /events/groups and /events/parked. */

#include "ngx_http_mpk_api.h"
#include "ngx_http_mpk_batch.h"
#include "ngx_http_mpk_feed.h"
#include "ngx_http_mpk_feed_lag.h"
#include "ngx_http_mpk_request.h"
#include "ngx_http_mpk_script.h"

#define NGX_HTTP_MPK_PARKED_MAX  100       /* events of an answer */


/* What is listed: api->data. */
typedef struct {
    ngx_http_mpk_batch_t         *batch;
    mpk_str_t                     names[NGX_HTTP_MPK_GROUPS];
    ngx_uint_t                    count;
} ngx_http_mpk_groups_t;

typedef struct {
    mpk_str_t                     member;
    int64_t                       at;              /* ms */
    int64_t                       attempts;
} ngx_http_mpk_parked_t;


static ngx_int_t ngx_http_mpk_groups_named(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_groups_done(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_parked_done(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static int ngx_libc_cdecl ngx_http_mpk_parked_cmp(const void *one,
    const void *two);
static ngx_int_t ngx_http_mpk_events_list(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, mpk_value_t *facts, ngx_uint_t delayed);


ngx_int_t
ngx_http_mpk_api_events_groups(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_str_t               argv[4];
    ngx_uint_t              argc;
    ngx_http_mpk_api_t     *api;
    ngx_http_mpk_groups_t  *groups;

    api = ctx->data;

    groups = ngx_pcalloc(r->pool, sizeof(ngx_http_mpk_groups_t));
    if (groups == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    api->data = groups;

    groups->batch = ngx_http_mpk_batch_create(r, ctx, 1);
    if (groups->batch == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    argc = ngx_http_mpk_lag_list(argv);

    (void) ngx_http_mpk_batch_add(groups->batch, argc, argv);

    return ngx_http_mpk_batch_run(r, ctx, groups->batch,
                                  ngx_http_mpk_groups_named);
}


static ngx_int_t
ngx_http_mpk_groups_named(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_str_t               argv[NGX_HTTP_MPK_LAG_ARGS];
    ngx_uint_t              i, argc;
    ngx_http_mpk_api_t     *api;
    ngx_http_mpk_groups_t  *groups;

    api = ctx->data;
    groups = api->data;

    if (groups->batch->failed
        || ngx_http_mpk_lag_names(&groups->batch->cmds[0], groups->names,
                                  &groups->count)
           != NGX_OK)
    {
        return ngx_http_mpk_api_fail(r, ctx, NGX_HTTP_MPK_TXN_UNAVAILABLE);
    }

    groups->batch = ngx_http_mpk_batch_create(r, ctx, MPK_BUCKETS);
    if (groups->batch == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    for (i = 0; i < MPK_BUCKETS && groups->count; i++) {
        argc = ngx_http_mpk_lag_args(&groups->batch->mem, i, groups->names,
                                     groups->count, argv);

        (void) ngx_http_mpk_batch_add(groups->batch, argc, argv);
    }

    return ngx_http_mpk_batch_run(r, ctx, groups->batch,
                                  ngx_http_mpk_groups_done);
}


static ngx_int_t
ngx_http_mpk_groups_done(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_uint_t              i, k, delayed;
    mpk_value_t            *facts, *list, *v;
    ngx_http_mpk_api_t     *api;
    ngx_http_mpk_lag_t      lag, sum;
    ngx_http_mpk_groups_t  *groups;

    api = ctx->data;
    groups = api->data;

    facts = mpk_value_new(&ctx->mem, MPK_VALUE_OBJECT);
    list = mpk_value_array(facts, mpk_string("groups"));
    delayed = 0;

    for (i = 0; i < groups->count; i++) {
        ngx_memzero(&sum, sizeof(ngx_http_mpk_lag_t));
        delayed = 0;

        for (k = 0; k < groups->batch->count; k++) {
            if (ngx_http_mpk_lag_read(&groups->batch->cmds[k], i, &lag)
                == NGX_OK)
            {
                ngx_http_mpk_lag_add(&sum, &lag);

            } else {
                delayed++;
            }
        }

        v = mpk_value_object(list, mpk_string(""));

        mpk_value_string(v, mpk_string("group"), groups->names[i]);
        mpk_value_int(v, mpk_string("oldest_seconds"),
                      sum.oldest ? ngx_max(ngx_time() - (time_t) sum.oldest, 0)
                                 : 0);
        mpk_value_int(v, mpk_string("lag"), sum.lag);
        mpk_value_int(v, mpk_string("pending"), sum.pending);
        mpk_value_int(v, mpk_string("delayed"), sum.delayed);
        mpk_value_int(v, mpk_string("parked"), sum.parked);
    }

    return ngx_http_mpk_events_list(r, ctx, facts, delayed);
}


ngx_int_t
ngx_http_mpk_api_events_parked(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_str_t              argv[8], group;
    ngx_str_t              value;
    ngx_uint_t             i;
    mpk_buf_t              least;
    ngx_http_mpk_api_t    *api;
    ngx_http_mpk_batch_t  *batch;

    api = ctx->data;

    ngx_str_null(&value);
    (void) ngx_http_mpk_arg(r, "group", &value);

    group = ngx_http_mpk_api_group(ctx, mpk_string("?group"),
                                   ngx_http_mpk_str(&value));
    if (api->errors) {
        return ngx_http_mpk_api_invalid(r, ctx);
    }

    batch = ngx_http_mpk_batch_create(r, ctx, MPK_BUCKETS);
    if (batch == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    api->data = batch;

    mpk_buf_init(&least, &batch->mem, NGX_INT64_LEN);
    mpk_buf_int(&least, NGX_HTTP_MPK_FEED_PARKED
                        * NGX_HTTP_MPK_FEED_ATTEMPTS);

    argv[0] = mpk_string("ZRANGEBYSCORE");
    argv[2] = mpk_buf_done(&least);
    argv[3] = mpk_string("+inf");
    argv[4] = mpk_string("WITHSCORES");
    argv[5] = mpk_string("LIMIT");
    argv[6] = mpk_string("0");
    argv[7] = mpk_string("101");        /* NGX_HTTP_MPK_PARKED_MAX and one more */

    for (i = 0; i < MPK_BUCKETS; i++) {
        argv[1] = ngx_http_mpk_feed_key(&batch->mem, i, ":d:", group);

        (void) ngx_http_mpk_batch_add(batch, 8, argv);
    }

    return ngx_http_mpk_batch_run(r, ctx, batch, ngx_http_mpk_parked_done);
}


static ngx_int_t
ngx_http_mpk_parked_done(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    size_t                  k;
    int64_t                 score;
    ngx_uint_t              i, n, size, delayed;
    mpk_value_t            *facts, *list, *v;
    mpk_event_id_t          id;
    ngx_http_mpk_api_t     *api;
    ngx_mpk_redis_cmd_t    *cmd;
    ngx_http_mpk_batch_t   *batch;
    ngx_http_mpk_parked_t  *parked;

    api = ctx->data;
    batch = api->data;

    size = 0;
    delayed = 0;

    for (i = 0; i < batch->count; i++) {
        cmd = &batch->cmds[i];

        if (cmd->result != NGX_MPK_REDIS_ANSWERED
            || cmd->reply->type != NGX_MPK_REDIS_ARRAY)
        {
            delayed++;

        } else {
            size += cmd->reply->count / 2;
        }
    }

    parked = ngx_palloc(r->pool, (size + 1) * sizeof(ngx_http_mpk_parked_t));
    if (parked == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    n = 0;

    for (i = 0; i < batch->count; i++) {
        cmd = &batch->cmds[i];

        if (cmd->result != NGX_MPK_REDIS_ANSWERED
            || cmd->reply->type != NGX_MPK_REDIS_ARRAY)
        {
            continue;
        }

        for (k = 0; k + 1 < cmd->reply->count; k += 2) {
            score = ngx_atoof((u_char *) cmd->reply->elements[k + 1].str.data,
                              cmd->reply->elements[k + 1].str.len);

            if (score == NGX_ERROR
                || mpk_event_id_read(cmd->reply->elements[k].str, &id)
                   != MPK_OK)
            {
                continue;
            }

            parked[n].member = cmd->reply->elements[k].str;
            parked[n].at = score / NGX_HTTP_MPK_FEED_ATTEMPTS
                           - NGX_HTTP_MPK_FEED_PARKED;
            parked[n++].attempts = score % NGX_HTTP_MPK_FEED_ATTEMPTS;
        }
    }

    ngx_qsort(parked, n, sizeof(ngx_http_mpk_parked_t),
              ngx_http_mpk_parked_cmp);

    facts = mpk_value_new(&ctx->mem, MPK_VALUE_OBJECT);
    list = mpk_value_array(facts, mpk_string("parked"));

    for (i = 0; i < n && i < NGX_HTTP_MPK_PARKED_MAX; i++) {
        (void) mpk_event_id_read(parked[i].member, &id);

        v = mpk_value_object(list, mpk_string(""));

        mpk_value_string(v, mpk_string("id"),
                         mpk_event_id_encode(&ctx->mem, parked[i].member));
        mpk_value_string(v, mpk_string("order"), id.order);
        mpk_value_int(v, mpk_string("n"), (int64_t) id.number);
        mpk_value_string(v, mpk_string("event"), id.event);
        mpk_value_int(v, mpk_string("attempts"), parked[i].attempts);
        ngx_http_mpk_value_time(ctx, v, mpk_string("parked_at"),
                                parked[i].at / 1000);
    }

    mpk_value_bool(facts, mpk_string("more"), n > NGX_HTTP_MPK_PARKED_MAX);

    return ngx_http_mpk_events_list(r, ctx, facts, delayed);
}


static int ngx_libc_cdecl
ngx_http_mpk_parked_cmp(const void *one, const void *two)
{
    const ngx_http_mpk_parked_t *a = one;
    const ngx_http_mpk_parked_t *b = two;

    if (a->at != b->at) {
        return a->at < b->at ? -1 : 1;
    }

    return (int) ngx_memn2cmp((u_char *) a->member.data,
                              (u_char *) b->member.data,
                              a->member.len, b->member.len);
}


static ngx_int_t
ngx_http_mpk_events_list(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    mpk_value_t *facts, ngx_uint_t delayed)
{
    ngx_http_mpk_answer_t  answer;

    if (delayed == MPK_BUCKETS) {
        return ngx_http_mpk_api_fail(r, ctx, NGX_HTTP_MPK_TXN_UNAVAILABLE);
    }

    if (delayed) {
        mpk_value_int(facts, mpk_string("delayed"), (int64_t) delayed);
    }

    ctx->outcome = MPK_SAME;

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = NGX_HTTP_OK;

    return ngx_http_mpk_send_json(r, ctx, &answer, facts);
}
