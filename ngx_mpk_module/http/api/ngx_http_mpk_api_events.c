/*
 * GET /events: hands out events of the feed to a consumer group, and waits for some if there
 * are none.  A request that waits has no connection to Redis and no timer of its own: one
 * timer of the worker looks after all, and of those that ask for the same only the first asks
 * Redis.
 */

#include "ngx_http_mpk_api.h"
#include "ngx_http_mpk_feed.h"
#include "ngx_http_mpk_request.h"

#define NGX_HTTP_MPK_EVENTS_WAITERS  64       /* of a worker */
#define NGX_HTTP_MPK_EVENTS_COUNT    64       /* the default */
#define NGX_HTTP_MPK_EVENTS_WAIT     60       /* seconds, at most */
#define NGX_HTTP_MPK_EVENTS_IDLE     60       /* seconds, the default */
#define NGX_HTTP_MPK_EVENTS_LEASE    3600     /* seconds, at most */
#define NGX_HTTP_MPK_EVENTS_TICK     50       /* ms: how soon a commit of this edge is noticed */
#define NGX_HTTP_MPK_EVENTS_POLL     500      /* ms: how soon anything else is */
#define NGX_HTTP_MPK_EVENTS_LAZY     2000     /* ms, of a group without events */
#define NGX_HTTP_MPK_EVENTS_QUIET    60000    /* ms for so long */


/* A request for events: api->data. */
typedef struct {
    ngx_queue_t                   queue;
    ngx_http_request_t           *request;
    ngx_http_mpk_feed_query_t     query;
    ngx_http_mpk_feed_t          *feed;            /* under way, or done; NULL: none */
    ngx_msec_t                    wait;            /* ms; 0: it does not */
    ngx_msec_t                    deadline;
    ngx_msec_t                    asked_at;
    ngx_uint_t                    delayed;         /* buckets that did not answer */
    ngx_atomic_uint_t             seen[MPK_BUCKETS];   /* of outbox_changed, when it asked */
    ngx_uint_t                    tick;
    unsigned                      queued:1;
} ngx_http_mpk_waiter_t;


static ngx_int_t ngx_http_mpk_events_args(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_waiter_t *w);
static void ngx_http_mpk_events_names(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_feed_query_t *query, mpk_str_t value);
static ngx_uint_t ngx_http_mpk_events_part(ngx_http_mpk_feed_query_t *query,
    ngx_str_t *value);
static ngx_uint_t ngx_http_mpk_events_number(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, const char *name, ngx_uint_t time,
    ngx_int_t min, ngx_int_t max, ngx_uint_t otherwise);
static void ngx_http_mpk_events_cleanup(void *data);
static ngx_int_t ngx_http_mpk_events_ask(ngx_http_mpk_waiter_t *w,
    u_char *wanted);
static void ngx_http_mpk_events_taken(ngx_http_mpk_feed_t *feed);
static void ngx_http_mpk_events_answer(ngx_http_mpk_waiter_t *w);
static ngx_int_t ngx_http_mpk_events_send(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static void ngx_http_mpk_events_handler(ngx_event_t *ev);
static void ngx_http_mpk_events_look(ngx_http_mpk_waiter_t *w);
static ngx_uint_t ngx_http_mpk_events_first(ngx_http_mpk_waiter_t *w);


static ngx_queue_t       ngx_http_mpk_waiters;
static ngx_uint_t        ngx_http_mpk_waiters_count;   /* queued or not */
static ngx_uint_t        ngx_http_mpk_waiters_tick;
static ngx_event_t       ngx_http_mpk_waiters_timer;
static ngx_connection_t  ngx_http_mpk_waiters_dumb;


ngx_int_t
ngx_http_mpk_api_events(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_pool_cleanup_t     *cln;
    ngx_http_mpk_api_t     *api;
    ngx_http_mpk_waiter_t  *w;
    ngx_http_mpk_answer_t   answer;

    api = ctx->data;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_mpk_waiter_t));
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    w = cln->data;
    ngx_memzero(w, sizeof(ngx_http_mpk_waiter_t));

    w->request = r;
    api->data = w;

    if (ngx_http_mpk_events_args(r, ctx, w) != NGX_OK) {
        return ngx_http_mpk_api_invalid(r, ctx);
    }

    if (w->wait) {

        if (ngx_http_mpk_waiters_count == NGX_HTTP_MPK_EVENTS_WAITERS) {
            ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
            answer.status = NGX_HTTP_TOO_MANY_REQUESTS;
            answer.retry_after = 1;

            ctx->outcome = NGX_HTTP_MPK_OUTCOME_LIMITED;

            return ngx_http_mpk_send_problem(r, ctx, &answer,
                       ngx_http_mpk_outcome_name(ctx->outcome),
                       mpk_string("Too many requests wait for events here. "
                                  "Ask with fewer, or without \"wait\"."),
                       mpk_string(""), NULL);
        }

        ngx_http_mpk_waiters_count++;
    }

    cln->handler = ngx_http_mpk_events_cleanup;

    w->deadline = ngx_current_msec + w->wait;

    if (ngx_http_mpk_events_ask(w, NULL) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_mpk_wait(r, ctx, ngx_http_mpk_events_send);
}


static ngx_int_t
ngx_http_mpk_events_args(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_waiter_t *w)
{
    ngx_str_t                   value;
    ngx_http_mpk_api_t         *api;
    ngx_http_mpk_feed_query_t  *query;

    api = ctx->data;
    query = &w->query;

    ngx_str_null(&value);
    (void) ngx_http_mpk_arg(r, "group", &value);

    query->group = ngx_http_mpk_api_group(ctx, mpk_string("?group"),
                                          ngx_http_mpk_str(&value));

    if (ngx_http_mpk_arg(r, "consumer", &value) == NGX_OK
        && !mpk_order_id_valid(ngx_http_mpk_str(&value)))
    {
        ngx_http_mpk_api_error(ctx, mpk_string("?consumer"),
                               "must be 1 to 64 of A-Z, a-z, 0-9, \".\", \"_\" "
                               "and \"-\"");
    }

    query->from = mpk_string("now");

    if (ngx_http_mpk_arg(r, "from", &value) == NGX_OK) {
        query->from = ngx_http_mpk_str(&value);

        if (!ngx_http_mpk_is(&value, "start")
            && !ngx_http_mpk_is(&value, "now"))
        {
            ngx_http_mpk_api_error(ctx, mpk_string("?from"),
                                   "must be \"start\" or \"now\"");
        }
    }

    query->parts = 1;

    if (ngx_http_mpk_arg(r, "part", &value) == NGX_OK
        && !ngx_http_mpk_events_part(query, &value))
    {
        ngx_http_mpk_api_error(ctx, mpk_string("?part"),
                               "must be i/m, m from 1 to 64 and i from 0 to "
                               "m - 1");
    }

    if (ngx_http_mpk_arg(r, "events", &value) == NGX_OK) {
        ngx_http_mpk_events_names(ctx, query, ngx_http_mpk_str(&value));
    }

    query->count = ngx_http_mpk_events_number(r, ctx, "count", 0, 1,
                       NGX_HTTP_MPK_FEED_COUNT, NGX_HTTP_MPK_EVENTS_COUNT);
    query->idle = 1000 * ngx_http_mpk_events_number(r, ctx, "idle", 1, 1,
                             NGX_HTTP_MPK_EVENTS_LEASE,
                             NGX_HTTP_MPK_EVENTS_IDLE);
    w->wait = 1000 * ngx_http_mpk_events_number(r, ctx, "wait", 1, 0,
                         NGX_HTTP_MPK_EVENTS_WAIT, 0);

    return api->errors ? NGX_DECLINED : NGX_OK;
}


static void
ngx_http_mpk_events_names(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_feed_query_t *query, mpk_str_t value)
{
    u_char      *p, *last, *comma;
    mpk_str_t    name;
    ngx_uint_t   event;

    p = (u_char *) value.data;
    last = p + value.len;

    for ( ;; ) {
        comma = ngx_strlchr(p, last, ',');

        name.data = p;
        name.len = (comma ? comma : last) - p;

        for (event = MPK_EVENT_NONE + 1; event < MPK_EVENT_MAX; event++) {
            if (mpk_str_eq(mpk_event_name(event), name)) {
                break;
            }
        }

        if (event == MPK_EVENT_MAX || query->events_count == MPK_EVENT_MAX) {
            ngx_http_mpk_api_error(ctx, mpk_string("?events"),
                                   "must be names of events, separated by "
                                   "commas");
            return;
        }

        query->events[query->events_count++] = name;

        if (comma == NULL) {
            return;
        }

        p = comma + 1;
    }
}


static ngx_uint_t
ngx_http_mpk_events_part(ngx_http_mpk_feed_query_t *query, ngx_str_t *value)
{
    u_char     *slash, *last;
    ngx_int_t   part, parts;

    last = value->data + value->len;

    slash = ngx_strlchr(value->data, last, '/');
    if (slash == NULL) {
        return 0;
    }

    part = ngx_atoi(value->data, slash - value->data);
    parts = ngx_atoi(slash + 1, last - slash - 1);

    if (part == NGX_ERROR || parts < 1 || parts > MPK_BUCKETS || part >= parts)
    {
        return 0;
    }

    query->part = part;
    query->parts = parts;

    return 1;
}


/* A number, or a time in seconds. */

static ngx_uint_t
ngx_http_mpk_events_number(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    const char *name, ngx_uint_t time, ngx_int_t min, ngx_int_t max,
    ngx_uint_t otherwise)
{
    u_char      detail[80], *last;
    ngx_int_t   n;
    mpk_buf_t   pointer;
    mpk_str_t   text;
    ngx_str_t   value;

    if (ngx_http_mpk_arg(r, name, &value) != NGX_OK) {
        return otherwise;
    }

    n = time ? ngx_parse_time(&value, 1) : ngx_atoi(value.data, value.len);

    if (n != NGX_ERROR && n >= min && n <= max) {
        return n;
    }

    last = ngx_sprintf(detail, "must be a %s from %i%s to %i%s%Z",
                       time ? "time" : "number", min, time ? "s" : "", max,
                       time ? "s" : "");

    mpk_buf_init(&pointer, &ctx->mem, 16);
    mpk_buf_byte(&pointer, '?');
    mpk_buf_put(&pointer, name, ngx_strlen(name));

    if (mpk_dup(&ctx->mem, (mpk_str_t) { last - detail, detail }, &text)
        == MPK_OK)
    {
        ngx_http_mpk_api_error(ctx, mpk_buf_done(&pointer),
                               (const char *) text.data);
    }

    return otherwise;
}


mpk_str_t
ngx_http_mpk_api_group(ngx_http_mpk_ctx_t *ctx, mpk_str_t pointer,
    mpk_str_t name)
{
    if (!ngx_http_mpk_group_valid(name)) {
        ngx_http_mpk_api_error(ctx, pointer,
                               "must be 1 to 32 of A-Z, a-z, 0-9, \".\", \"_\" "
                               "and \"-\"");
    }

    return name;
}


/* The request ends, perhaps while it waits. */

static void
ngx_http_mpk_events_cleanup(void *data)
{
    ngx_http_mpk_waiter_t *w = data;

    if (w->wait) {
        ngx_http_mpk_waiters_count--;
    }

    if (w->queued) {
        ngx_queue_remove(&w->queue);
    }

    if (w->feed) {
        ngx_http_mpk_feed_detach(w->feed);
    }
}


/* wanted: see ngx_http_mpk_feed_take(). */

static ngx_int_t
ngx_http_mpk_events_ask(ngx_http_mpk_waiter_t *w, u_char *wanted)
{
    ngx_uint_t           i;
    ngx_http_mpk_ctx_t  *ctx;

    ctx = ngx_http_mpk_get_ctx(w->request);

    /* what is committed from here on is seen as a change */

    for (i = 0; i < MPK_BUCKETS && ctx->mmcf->shm; i++) {
        if (wanted == NULL || wanted[i]) {
            w->seen[i] = ctx->mmcf->shm->outbox_changed[i];
        }
    }

    if (wanted == NULL) {
        w->asked_at = ngx_current_msec;
    }

    w->feed = ngx_http_mpk_feed_take(ctx->mmcf, &w->query, wanted,
                                     ngx_http_mpk_events_taken, w);

    return w->feed ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_mpk_events_taken(ngx_http_mpk_feed_t *feed)
{
    ngx_event_t            *ev;
    ngx_connection_t       *c;
    ngx_http_request_t     *r;
    ngx_http_mpk_waiter_t  *w;

    w = feed->data;
    w->delayed = feed->delayed;

    if (feed->taken || feed->failed || feed->full || ngx_exiting
        || (ngx_msec_int_t) (w->deadline - ngx_current_msec) <= 0)
    {
        ngx_http_mpk_events_answer(w);
        return;
    }

    ngx_http_mpk_feed_detach(feed);
    w->feed = NULL;

    if (w->queued) {
        return;
    }

    ev = &ngx_http_mpk_waiters_timer;

    if (ev->handler == NULL) {
        ngx_http_mpk_waiters_dumb.fd = (ngx_socket_t) -1;

        ngx_queue_init(&ngx_http_mpk_waiters);

        ev->handler = ngx_http_mpk_events_handler;
        ev->data = &ngx_http_mpk_waiters_dumb;
        ev->log = ngx_cycle->log;
    }

    ngx_queue_insert_tail(&ngx_http_mpk_waiters, &w->queue);
    w->queued = 1;

    if (!ev->timer_set) {
        ngx_add_timer(ev, NGX_HTTP_MPK_EVENTS_TICK);
    }

    /* edge-triggered: that the client has gone can have been reported with its request */

    r = w->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    r->read_event_handler(r);
    ngx_http_run_posted_requests(c);
}


static void
ngx_http_mpk_events_answer(ngx_http_mpk_waiter_t *w)
{
    if (w->queued) {
        ngx_queue_remove(&w->queue);
        w->queued = 0;
    }

    ngx_http_mpk_resume(w->request, w->feed ? w->feed->time : 0);
}


static ngx_int_t
ngx_http_mpk_events_send(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_buf_t               body;
    mpk_value_t            *facts;
    ngx_http_mpk_api_t     *api;
    ngx_http_mpk_waiter_t  *w;
    ngx_http_mpk_answer_t   answer;

    api = ctx->data;
    w = api->data;

    facts = mpk_value_new(&ctx->mem, MPK_VALUE_OBJECT);

    if (w->feed == NULL) {
        (void) mpk_value_array(facts, mpk_string("events"));

    } else if (w->feed->full) {
        ngx_http_mpk_api_error(ctx, mpk_string("?group"),
                               "is new, and there are 16 groups already");
        return ngx_http_mpk_api_invalid(r, ctx);

    } else if (w->feed->failed) {
        return ngx_http_mpk_api_fail(r, ctx, NGX_HTTP_MPK_TXN_UNAVAILABLE);

    } else {
        mpk_value_put(facts, mpk_string("events"), w->feed->events);
    }

    if (w->delayed) {
        mpk_value_int(facts, mpk_string("delayed"), (int64_t) w->delayed);
    }

    mpk_buf_init(&body, &ctx->mem, 1024);
    mpk_json_write(&body, facts);
    mpk_buf_byte(&body, '\n');

    /* a client that does not read its answer keeps only that */

    if (w->feed) {
        ngx_http_mpk_feed_detach(w->feed);
        w->feed = NULL;
    }

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = NGX_HTTP_OK;

    ctx->outcome = MPK_SAME;

    return ngx_http_mpk_send_written(r, ctx, &answer, &body);
}


/*
 * Not cancelable: a worker that is to end stays until all have their answer.  Each step can
 * end any of the requests, so that the queue is looked through from its start each time.
 */

static void
ngx_http_mpk_events_handler(ngx_event_t *ev)
{
    ngx_queue_t            *q;
    ngx_http_mpk_waiter_t  *w;

    ngx_http_mpk_waiters_tick++;

    q = ngx_queue_head(&ngx_http_mpk_waiters);

    while (q != ngx_queue_sentinel(&ngx_http_mpk_waiters)) {

        w = ngx_queue_data(q, ngx_http_mpk_waiter_t, queue);

        if (w->tick == ngx_http_mpk_waiters_tick) {
            q = ngx_queue_next(q);
            continue;
        }

        w->tick = ngx_http_mpk_waiters_tick;

        ngx_http_mpk_events_look(w);

        q = ngx_queue_head(&ngx_http_mpk_waiters);
    }

    if (!ngx_queue_empty(&ngx_http_mpk_waiters)) {
        ngx_add_timer(ev, NGX_HTTP_MPK_EVENTS_TICK);
    }
}


/* Whether the time of one is up, or it should ask again. */

static void
ngx_http_mpk_events_look(ngx_http_mpk_waiter_t *w)
{
    u_char                 wanted[MPK_BUCKETS];
    ngx_uint_t             i, changed;
    ngx_msec_t             pause;
    ngx_http_mpk_ctx_t    *ctx;
    ngx_http_mpk_shm_t    *shm;
    ngx_http_mpk_group_t  *group;

    if (w->feed) {
        return;
    }

    if (ngx_exiting || (ngx_msec_int_t) (w->deadline - ngx_current_msec) <= 0) {
        ngx_http_mpk_events_answer(w);
        return;
    }

    if (!ngx_http_mpk_events_first(w)) {
        return;
    }

    group = ngx_http_mpk_group(w->query.group);

    pause = ngx_current_msec - group->used_at > NGX_HTTP_MPK_EVENTS_QUIET
            ? NGX_HTTP_MPK_EVENTS_LAZY : NGX_HTTP_MPK_EVENTS_POLL;

    if (ngx_current_msec - w->asked_at >= pause) {
        (void) ngx_http_mpk_events_ask(w, NULL);
        return;
    }

    ctx = ngx_http_mpk_get_ctx(w->request);
    shm = ctx->mmcf->shm;
    changed = 0;

    for (i = 0; i < MPK_BUCKETS && shm; i++) {
        wanted[i] = i % w->query.parts == w->query.part
                    && shm->outbox_changed[i] != w->seen[i];
        changed |= wanted[i];
    }

    if (changed) {
        (void) ngx_http_mpk_events_ask(w, wanted);
    }
}


/* Whether nobody before it in the queue asks for the same. */

static ngx_uint_t
ngx_http_mpk_events_first(ngx_http_mpk_waiter_t *w)
{
    ngx_queue_t            *q;
    ngx_http_mpk_waiter_t  *other;

    for (q = ngx_queue_prev(&w->queue);
         q != ngx_queue_sentinel(&ngx_http_mpk_waiters);
         q = ngx_queue_prev(q))
    {
        other = ngx_queue_data(q, ngx_http_mpk_waiter_t, queue);

        if (other->query.part == w->query.part
            && other->query.parts == w->query.parts
            && mpk_str_eq(other->query.group, w->query.group))
        {
            return 0;
        }
    }

    return 1;
}
