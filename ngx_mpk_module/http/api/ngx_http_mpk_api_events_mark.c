/* POST /events/ack and /events/unpark: what becomes of events that were handed out. */

#include "ngx_http_mpk_api.h"
#include "ngx_http_mpk_batch.h"
#include "ngx_http_mpk_feed.h"

#define NGX_HTTP_MPK_EVENTS_LATER  (7 * 24 * 3600)   /* seconds, at most */


/* What is done: api->data. */
typedef struct {
    mpk_str_t                     how;
    mpk_str_t                     name;            /* of the number in the answer */
    ngx_http_mpk_batch_t         *batch;
} ngx_http_mpk_mark_t;


static void ngx_http_mpk_mark_how(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_mark_t *mark);
static ngx_int_t ngx_http_mpk_mark_run(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_mark_t *mark);
static ngx_uint_t ngx_http_mpk_mark_members(ngx_http_mpk_ctx_t *ctx,
    mpk_str_t *members);
static ngx_uint_t ngx_http_mpk_mark_member(ngx_http_mpk_ctx_t *ctx,
    const mpk_value_t *value, mpk_str_t *member);
static ngx_int_t ngx_http_mpk_mark_done(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);


ngx_int_t
ngx_http_mpk_api_events_ack(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_mark_t  *mark;

    mark = ngx_pcalloc(r->pool, sizeof(ngx_http_mpk_mark_t));
    if (mark == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_mpk_mark_how(ctx, mark);

    return ngx_http_mpk_mark_run(r, ctx, mark);
}


ngx_int_t
ngx_http_mpk_api_events_unpark(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_mark_t  *mark;

    mark = ngx_pcalloc(r->pool, sizeof(ngx_http_mpk_mark_t));
    if (mark == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    mark->how = mpk_string(NGX_HTTP_MPK_FEED_UNPARK);
    mark->name = mpk_string("unparked");

    return ngx_http_mpk_mark_run(r, ctx, mark);
}


/* Done with, unless "park" or "retry_after" says otherwise. */

static void
ngx_http_mpk_mark_how(ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_mark_t *mark)
{
    mpk_buf_t            buf;
    const mpk_value_t   *later;
    ngx_http_mpk_api_t  *api;

    api = ctx->data;

    mark->how = mpk_string(NGX_HTTP_MPK_FEED_ACK);
    mark->name = mpk_string("acknowledged");

    later = mpk_value_get(api->body, mpk_string("retry_after"));

    if (mpk_value_yes(api->body, mpk_string("park"))) {
        mark->how = mpk_string(NGX_HTTP_MPK_FEED_PARK);
        mark->name = mpk_string("parked");

        if (later && later->type == MPK_VALUE_INT) {
            ngx_http_mpk_api_error(ctx, mpk_string("/retry_after"),
                                   "must not be there with \"park\"");
        }

        return;
    }

    if (later == NULL || later->type != MPK_VALUE_INT) {
        return;
    }

    if (later->u.integer < 0 || later->u.integer > NGX_HTTP_MPK_EVENTS_LATER) {
        ngx_http_mpk_api_error(ctx, mpk_string("/retry_after"),
                               "must be a number of seconds from 0 to 604800");
    }

    mpk_buf_init(&buf, &ctx->mem, NGX_INT64_LEN);
    mpk_buf_int(&buf, later->u.integer);

    mark->how = mpk_buf_done(&buf);
    mark->name = mpk_string("delayed");
}


/* One command for each bucket that events are of. */

static ngx_int_t
ngx_http_mpk_mark_run(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_mark_t *mark)
{
    mpk_str_t             *argv, *members, *some, group;
    ngx_uint_t             i, k, n, count, argc;
    mpk_event_id_t         id;
    ngx_http_mpk_api_t    *api;
    ngx_http_mpk_batch_t  *batch;

    api = ctx->data;

    group = ngx_http_mpk_api_group(ctx, mpk_string("/group"),
                mpk_value_get_string(api->body, mpk_string("group")));

    members = ngx_palloc(r->pool, 2 * NGX_HTTP_MPK_FEED_COUNT
                                  * sizeof(mpk_str_t));
    argv = ngx_palloc(r->pool, (NGX_HTTP_MPK_FEED_MARK_ARGS
                                + NGX_HTTP_MPK_FEED_COUNT)
                               * sizeof(mpk_str_t));
    batch = ngx_http_mpk_batch_create(r, ctx, MPK_BUCKETS);

    if (members == NULL || argv == NULL || batch == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    some = members + NGX_HTTP_MPK_FEED_COUNT;
    count = ngx_http_mpk_mark_members(ctx, members);

    if (api->errors) {
        return ngx_http_mpk_api_invalid(r, ctx);
    }

    mark->batch = batch;
    api->data = mark;

    for (i = 0; i < MPK_BUCKETS; i++) {
        n = 0;

        for (k = 0; k < count; k++) {
            if (mpk_event_id_read(members[k], &id) == MPK_OK
                && mpk_bucket(id.order) == i)
            {
                some[n++] = members[k];
            }
        }

        if (n == 0) {
            continue;
        }

        argc = ngx_http_mpk_feed_mark(&batch->mem, i, group, mark->how, some,
                                      n, argv);

        (void) ngx_http_mpk_batch_add(batch, argc, argv);

        if (ctx->mmcf->shm) {
            ctx->mmcf->shm->groups_changed[i] = 1;
        }
    }

    return ngx_http_mpk_batch_run(r, ctx, batch, ngx_http_mpk_mark_done);
}


/* Those of "ids", or that of "id". */

static ngx_uint_t
ngx_http_mpk_mark_members(ngx_http_mpk_ctx_t *ctx, mpk_str_t *members)
{
    ngx_uint_t           n;
    const mpk_value_t   *id, *ids, *v;
    ngx_http_mpk_api_t  *api;

    api = ctx->data;

    id = mpk_value_get(api->body, mpk_string("id"));
    ids = mpk_value_get(api->body, mpk_string("ids"));

    if (id && id->type == MPK_VALUE_NULL) {
        id = NULL;
    }

    if (ids && ids->type == MPK_VALUE_NULL) {
        ids = NULL;
    }

    if ((id == NULL) == (ids == NULL)) {
        ngx_http_mpk_api_error(ctx, mpk_string(""),
                               "must have either \"ids\" or \"id\"");
        return 0;
    }

    if (id) {
        if (ngx_http_mpk_mark_member(ctx, id, &members[0])) {
            return 1;
        }

        ngx_http_mpk_api_error(ctx, mpk_string("/id"),
                               "must be the id of an event");
        return 0;
    }

    n = 0;

    if (ids->u.list.count <= NGX_HTTP_MPK_FEED_COUNT) {
        for (v = ids->u.list.first; v; v = v->next) {
            if (!ngx_http_mpk_mark_member(ctx, v, &members[n])) {
                break;
            }

            n++;
        }
    }

    if (n != ids->u.list.count) {
        ngx_http_mpk_api_error(ctx, mpk_string("/ids"),
                               "must be an array of at most 256 ids of events");
    }

    return n;
}


static ngx_uint_t
ngx_http_mpk_mark_member(ngx_http_mpk_ctx_t *ctx, const mpk_value_t *value,
    mpk_str_t *member)
{
    mpk_event_id_t  id;

    return value->type == MPK_VALUE_STRING
           && mpk_event_id_decode(&ctx->mem, value->u.string, member, &id)
              == MPK_OK;
}


static ngx_int_t
ngx_http_mpk_mark_done(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    int64_t                 n;
    ngx_uint_t              i;
    mpk_value_t            *facts;
    ngx_http_mpk_api_t     *api;
    ngx_http_mpk_mark_t    *mark;
    ngx_http_mpk_answer_t   answer;

    api = ctx->data;
    mark = api->data;

    if (mark->batch->failed) {
        return ngx_http_mpk_api_fail(r, ctx, NGX_HTTP_MPK_TXN_LOST);
    }

    n = 0;

    for (i = 0; i < mark->batch->count; i++) {
        n += mark->batch->cmds[i].reply->integer;
    }

    facts = mpk_value_new(&ctx->mem, MPK_VALUE_OBJECT);
    mpk_value_int(facts, mark->name, n);

    ctx->outcome = MPK_SAME;

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = NGX_HTTP_OK;

    return ngx_http_mpk_send_json(r, ctx, &answer, facts);
}
