/*
 * mpk_track: a customer finds an order by its number and the billing email.  Failed
 * lookups look the same whether the order exists or not, and are limited.
 */

#include "ngx_http_mpk_orders.h"
#include "ngx_http_mpk_answer.h"
#include "ngx_http_mpk_body.h"
#include "ngx_http_mpk_card.h"
#include "ngx_http_mpk_keys.h"
#include "ngx_http_mpk_language.h"
#include "ngx_http_mpk_limit.h"
#include "ngx_http_mpk_sealed.h"
#include "ngx_http_mpk_request.h"

#include "mpk_base64url.h"
#include "mpk_ip.h"

#define NGX_HTTP_MPK_TRACK_BODY_MAX  4096      /* bytes of a form */
#define NGX_HTTP_MPK_TRACK_HISTORY   1000      /* newest entries that are read */


/* The limit that is reached. */
typedef enum {
    NGX_HTTP_MPK_TRACK_NONE = 0,
    NGX_HTTP_MPK_TRACK_ADDRESS,
    NGX_HTTP_MPK_TRACK_ORDER
} ngx_http_mpk_track_over_t;

/* A lookup: ctx->data. */
typedef struct {
    mpk_str_t                     given_order;
    mpk_str_t                     given_email;
    mpk_str_t                     address;         /* IPv4, or an IPv6 /64 */
    u_char                        email[MPK_MAC_LEN];
    ngx_http_mpk_batch_t         *batch;
    ngx_mpk_redis_cmd_t          *of_address;      /* wrong lookups */
    ngx_mpk_redis_cmd_t          *of_order;
    ngx_mpk_redis_cmd_t          *filed;
    ngx_http_mpk_track_over_t     over;
} ngx_http_mpk_track_t;


static ngx_int_t ngx_http_mpk_track_post(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_track_lookup(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_track_address(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, mpk_str_t *address);
static ngx_int_t ngx_http_mpk_track_found(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_track_right(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_track_wrong(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_http_mpk_track_over_t ngx_http_mpk_track_over(
    ngx_http_mpk_ctx_t *ctx, int64_t own);
static ngx_int_t ngx_http_mpk_track_limited(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_track_unavailable(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_track_show(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_track_form(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_uint_t status, mpk_str_t error,
    mpk_str_t detail);


ngx_int_t
ngx_http_mpk_track_handler(ngx_http_request_t *r)
{
    ngx_http_mpk_ctx_t        *ctx;
    ngx_http_mpk_track_t      *track;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    /* paths below the form's are not ours */

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_POST))
        || r->uri.len != clcf->name.len)
    {
        return NGX_DECLINED;
    }

    ctx = ngx_http_mpk_create_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    track = ngx_pcalloc(r->pool, sizeof(ngx_http_mpk_track_t));
    if (track == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->data = track;
    ctx->json = ngx_http_mpk_wants_json(r);
    ctx->event = NGX_HTTP_MPK_EVENT_TRACKED;
    ctx->channel = mpk_channel_name(MPK_CHANNEL_TRACK);

    if (!(r->method & NGX_HTTP_POST)) {
        ctx->outcome = NGX_HTTP_MPK_OUTCOME_FORM;

        return ngx_http_mpk_track_form(r, ctx, NGX_HTTP_OK, mpk_string(""),
                                       mpk_string(""));
    }

    return ngx_http_mpk_read_body(r, ctx, NGX_HTTP_MPK_TRACK_BODY_MAX,
                                  ngx_http_mpk_track_post);
}


static ngx_int_t
ngx_http_mpk_track_post(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_str_t              order;
    ngx_int_t              rc;
    mpk_error_t            error;
    mpk_value_t           *fields;
    ngx_http_mpk_track_t  *track;

    track = ctx->data;

    rc = ngx_http_mpk_fields(r, ctx, NGX_HTTP_MPK_TRACK_BODY_MAX, &fields,
                             &error);

    /* treat a body that can't be read as an empty form */

    if (rc >= NGX_HTTP_INTERNAL_SERVER_ERROR) {
        return rc;
    }

    order = mpk_value_get_string(fields, mpk_string("order"));

    track->given_order = order;
    track->given_email = mpk_value_get_string(fields, mpk_string("email"));

    while (order.len && order.data[0] <= ' ') {
        order.data++;
        order.len--;
    }

    while (order.len && order.data[order.len - 1] <= ' ') {
        order.len--;
    }

    /* "#1234" is how people write it */

    if (order.len && order.data[0] == '#') {
        order.data++;
        order.len--;
    }

    if (!mpk_order_id_valid(order)
        || mpk_lookup_email(ctx->mmcf->crypto, order, track->given_email,
                            track->email)
           != MPK_OK)
    {
        /* checked before any lookup: reveals nothing about orders */

        ctx->outcome = NGX_HTTP_MPK_OUTCOME_INVALID;

        return ngx_http_mpk_track_form(r, ctx, 422, mpk_string("fields"),
                   mpk_string("Send \"order\" and \"email\", as a form or as "
                              "application/json."));
    }

    ctx->order = order;

    return ngx_http_mpk_track_lookup(r, ctx);
}


/*
 * Reads the counters of wrong lookups together with the order's owner; the rest only
 * after all were checked.
 */

static ngx_int_t
ngx_http_mpk_track_lookup(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_str_t              argv[4];
    ngx_http_mpk_batch_t  *batch;
    ngx_http_mpk_track_t  *track;

    track = ctx->data;

    if (ngx_http_mpk_track_address(r, ctx, &track->address) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    batch = ngx_http_mpk_batch_create(r, ctx, 3);
    if (batch == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    track->batch = batch;

    track->of_address = ngx_http_mpk_limit_read(batch, track->address, ":l:a:",
                                                track->address);
    track->of_order = ngx_http_mpk_limit_read(batch, ctx->order, ":l:o:",
                                              ctx->order);

    argv[0] = mpk_string("HMGET");
    argv[1] = ngx_http_mpk_key(&batch->mem, ctx->order, ":o:", ctx->order);
    argv[2] = mpk_order_field(MPK_ORDER_HEAD);
    argv[3] = mpk_order_field(MPK_ORDER_FILED);

    track->filed = ngx_http_mpk_batch_add(batch, 4, argv);

    return ngx_http_mpk_batch_run(r, ctx, batch, ngx_http_mpk_track_found);
}


static ngx_int_t
ngx_http_mpk_track_address(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    mpk_str_t *address)
{
    u_char            hash[MPK_MAC_LEN], *p;
    mpk_str_t         counted;
    struct sockaddr  *sa;

    sa = r->connection->sockaddr;

    switch (sa->sa_family) {

#if (NGX_HAVE_INET6)
    case AF_INET6:
        counted = mpk_ip_counted(
                      ((struct sockaddr_in6 *) sa)->sin6_addr.s6_addr);
        break;
#endif

    case AF_INET:
        counted.data = (u_char *) &((struct sockaddr_in *) sa)->sin_addr;
        counted.len = 4;
        break;

    default: /* AF_UNIX: one counter for all */
        counted = mpk_string("");
    }

    /* an address is personal data: Redis gets a keyed hash */

    p = ngx_pnalloc(r->pool, mpk_base64url_encoded_len(16));

    if (p == NULL
        || mpk_lookup_address(ctx->mmcf->crypto, counted, hash) != MPK_OK)
    {
        return NGX_ERROR;
    }

    mpk_base64url_encode(p, hash, 16);

    *address = (mpk_str_t) { mpk_base64url_encoded_len(16), p };

    return NGX_OK;
}


static ngx_int_t
ngx_http_mpk_track_found(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_str_t              fields[2];
    mpk_order_t            order;
    mpk_status_t           status;
    ngx_http_mpk_batch_t  *batch;
    ngx_http_mpk_track_t  *track;
    ngx_http_mpk_limit_t  *limit;

    static u_char  nobody[MPK_MAC_LEN];

    track = ctx->data;
    limit = ctx->mlcf->track_limit;

    if (track->batch->failed
        || ngx_http_mpk_reply_fields(track->filed->reply, 2, fields) != NGX_OK)
    {
        return ngx_http_mpk_track_unavailable(r, ctx);
    }

    if (ngx_http_mpk_track_over(ctx, 0)) {
        return ngx_http_mpk_track_limited(r, ctx);
    }

    /* compare in constant time, also if the order does not exist */

    status = mpk_order_read_owner(ctx->mmcf->crypto, ctx->order, fields[0],
                                  fields[1], &order);
    if (status != MPK_OK) {
        order.email_hash = (mpk_str_t) { MPK_MAC_LEN, nobody };

        if (status != MPK_MISSING) {
            ngx_http_mpk_order_unread(r->connection->log, &order, status);
        }
    }

    if (mpk_secret_eq(order.email_hash,
                      (mpk_str_t) { MPK_MAC_LEN, track->email }))
    {
        return ngx_http_mpk_track_right(r, ctx);
    }

    /* a wrong lookup is counted before it is answered */

    batch = ngx_http_mpk_batch_create(r, ctx, 2);
    if (batch == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    track->of_address = ngx_http_mpk_limit_count(batch, track->address, ":l:a:",
                                                 track->address, limit->window);
    track->of_order = ngx_http_mpk_limit_count(batch, ctx->order, ":l:o:",
                                               ctx->order, limit->window);

    return ngx_http_mpk_batch_run(r, ctx, batch, ngx_http_mpk_track_wrong);
}


/*
 * A right lookup is never counted, but reads the counters again, behind those that were
 * sent before it: of many at the same instant, the limits permit it or not.
 */

static ngx_int_t
ngx_http_mpk_track_right(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_batch_t   *batch;
    ngx_http_mpk_track_t   *track;
    ngx_http_mpk_orders_t  *orders;

    track = ctx->data;

    orders = ngx_http_mpk_orders_create(r, ctx, 1);
    if (orders == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    orders->list[0].id = ctx->order;
    orders->history = NGX_HTTP_MPK_TRACK_HISTORY;

    batch = ngx_http_mpk_orders_ask(r, ctx, 2);
    if (batch == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    track->of_address = ngx_http_mpk_limit_read(batch, track->address, ":l:a:",
                                                track->address);
    track->of_order = ngx_http_mpk_limit_read(batch, ctx->order, ":l:o:",
                                              ctx->order);

    return ngx_http_mpk_orders_read(r, ctx, ngx_http_mpk_track_show);
}


static ngx_int_t
ngx_http_mpk_track_wrong(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_track_t  *track;

    track = ctx->data;

    if (track->batch->failed) {
        return ngx_http_mpk_track_unavailable(r, ctx);
    }

    switch (ngx_http_mpk_track_over(ctx, 1)) {

    case NGX_HTTP_MPK_TRACK_ADDRESS:

        /* one address alone can't close an order to all others */

        ngx_http_mpk_limit_forgive(ctx->mmcf, ctx->order, ":l:o:", ctx->order);

        /* fall through */

    case NGX_HTTP_MPK_TRACK_ORDER:
        return ngx_http_mpk_track_limited(r, ctx);

    default:
        break;
    }

    ctx->outcome = MPK_ABSENT;

    if (ctx->mlcf->fallthrough) {
        return ngx_http_mpk_pass(r, ctx);
    }

    return ngx_http_mpk_track_form(r, ctx, NGX_HTTP_NOT_FOUND,
               mpk_string("absent"),
               mpk_string("There is no order with this number and email "
                          "address."));
}


/* Which limit others have reached; own: how many of the count are this lookup's. */

static ngx_http_mpk_track_over_t
ngx_http_mpk_track_over(ngx_http_mpk_ctx_t *ctx, int64_t own)
{
    ngx_http_mpk_track_t  *track;
    ngx_http_mpk_limit_t  *limit;

    track = ctx->data;
    limit = ctx->mlcf->track_limit;

    if (ngx_http_mpk_limit_value(track->of_address) - own
        >= (int64_t) limit->address)
    {
        track->over = NGX_HTTP_MPK_TRACK_ADDRESS;

    } else if (ngx_http_mpk_limit_value(track->of_order) - own
               >= (int64_t) limit->order)
    {
        track->over = NGX_HTTP_MPK_TRACK_ORDER;
    }

    return track->over;
}


static ngx_int_t
ngx_http_mpk_track_limited(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_track_t   *track;
    ngx_http_mpk_notice_t   crowd;

    track = ctx->data;

    ctx->outcome = NGX_HTTP_MPK_OUTCOME_LIMITED;

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "mpk: too many failed lookups %s, answering 429: see "
                  "mpk_track_limit",
                  track->over == NGX_HTTP_MPK_TRACK_ADDRESS
                  ? "from this address" : "of this order");

    ngx_memzero(&crowd, sizeof(ngx_http_mpk_notice_t));

    crowd.status = NGX_HTTP_TOO_MANY_REQUESTS;
    crowd.page = NGX_HTTP_MPK_PAGE_CROWD;
    crowd.support = 1;
    crowd.retry_after = ctx->mlcf->track_limit->window;

    return ngx_http_mpk_send_notice(r, ctx, &crowd, mpk_string("limited"),
               mpk_string("Too many lookups failed; try again later."),
               mpk_string(""));
}


static ngx_int_t
ngx_http_mpk_track_unavailable(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    return ngx_http_mpk_send_unavailable(r, ctx,
               mpk_string("Orders can't be read right now; send the same "
                          "again in a moment."),
               mpk_string(""));
}


static ngx_int_t
ngx_http_mpk_track_show(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_value_t            *facts;
    ngx_http_mpk_order_t   *order;
    ngx_http_mpk_answer_t   answer;

    order = &ctx->orders->list[0];

    if (order->status != MPK_OK) {
        ctx->outcome = NGX_HTTP_MPK_OUTCOME_ERROR;
    }

    /* it may have been erased or have expired between the two reads */

    if (ctx->orders->result != NGX_HTTP_MPK_TXN_OK
        || order->order.state == MPK_ORDER_ABSENT
        || order->order.state == MPK_ORDER_ERASED)
    {
        return ngx_http_mpk_send_unavailable(r, ctx,
                   mpk_string("The order can't be read right now; send the "
                              "same again in a moment."),
                   mpk_string(""));
    }

    if (ngx_http_mpk_track_over(ctx, 0)) {
        return ngx_http_mpk_track_limited(r, ctx);
    }

    ctx->language = ngx_http_mpk_language(ctx, order->order.locale);

    facts = mpk_value_new(&ctx->mem, MPK_VALUE_OBJECT);

    if (ngx_http_mpk_card_customer(ctx, order, MPK_CHANNEL_TRACK,
                                   MPK_ITEMS_MAX, facts)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->outcome = MPK_DONE;

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = NGX_HTTP_OK;

    if (ctx->json) {
        return ngx_http_mpk_send_json(r, ctx, &answer, facts);
    }

    return ngx_http_mpk_send_page(r, ctx, &answer, NGX_HTTP_MPK_PAGE_ORDER,
                                  facts);
}


/* Sends the form; error says what was wrong with the input. */

static ngx_int_t
ngx_http_mpk_track_form(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_uint_t status, mpk_str_t error, mpk_str_t detail)
{
    mpk_mem_t              *mem;
    mpk_value_t            *facts, *list;
    ngx_http_mpk_track_t   *track;
    ngx_http_mpk_answer_t   answer;

    track = ctx->data;
    mem = &ctx->mem;

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = status;

    if (ctx->json && error.len) {
        return ngx_http_mpk_send_problem(r, ctx, &answer, error, detail,
                                         mpk_string(""), NULL);
    }

    facts = mpk_value_new(mem, MPK_VALUE_OBJECT);

    if (ctx->json) {
        list = mpk_value_array(facts, mpk_string("fields"));

        mpk_value_string(list, mpk_string(""), mpk_string("order"));
        mpk_value_string(list, mpk_string(""), mpk_string("email"));

        return ngx_http_mpk_send_json(r, ctx, &answer, facts);
    }

    ctx->language = ngx_http_mpk_language(ctx, mpk_string(""));

    mpk_value_string(facts, mpk_string("given_order"), track->given_order);
    mpk_value_string(facts, mpk_string("given_email"), track->given_email);
    mpk_value_bool(facts, mpk_string("error"), error.len != 0);
    mpk_value_bool(facts, mpk_string("error_fields"),
                   mpk_str_eq(error, mpk_string("fields")));
    mpk_value_bool(facts, mpk_string("support"), ctx->mlcf->pages->support);

    return ngx_http_mpk_send_page(r, ctx, &answer, NGX_HTTP_MPK_PAGE_TRACK,
                                  facts);
}
