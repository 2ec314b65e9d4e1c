/* mpk_track: a customer finds an order by its number and the billing email. */

#include "ngx_http_mpk_orders.h"
#include "ngx_http_mpk_answer.h"
#include "ngx_http_mpk_body.h"
#include "ngx_http_mpk_card.h"
#include "ngx_http_mpk_language.h"
#include "ngx_http_mpk_lookup.h"
#include "ngx_http_mpk_request.h"
#include "ngx_http_mpk_run.h"
#include "ngx_http_mpk_sealed.h"
#include "ngx_http_mpk_time.h"

#define NGX_HTTP_MPK_TRACK_BODY_MAX  4096      /* bytes of a form */
#define NGX_HTTP_MPK_TRACK_HISTORY   1000      /* newest entries that are read */


/* A request: ctx->data. */
typedef struct {
    ngx_http_mpk_lookup_t         lookup;
    mpk_number_t                  number;
    mpk_str_t                     given_order;
    mpk_str_t                     given_email;
    unsigned                      keep:1;          /* the email is not to be changed */
} ngx_http_mpk_track_t;


static ngx_int_t ngx_http_mpk_track_post(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_track_found(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_track_keep(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_track_kept(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_track_absent(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_track_read(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_track_show(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static void ngx_http_mpk_track_correction(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, mpk_value_t *facts);
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

    if (!mpk_number_read(order, &track->number)
        || mpk_lookup_email(ctx->mmcf->crypto, track->number.ids[0],
                            track->given_email, track->lookup.email)
           != MPK_OK)
    {
        /* checked before any lookup: reveals nothing about orders */

        ctx->outcome = NGX_HTTP_MPK_OUTCOME_INVALID;

        return ngx_http_mpk_track_form(r, ctx, 422, mpk_string("fields"),
                   mpk_string("Send \"order\" and \"email\", as a form or as "
                              "application/json."));
    }

    ctx->order = track->number.ids[0];

    track->keep = mpk_value_yes(fields, mpk_string("keep"));

    track->lookup.number = &track->number;
    track->lookup.given_email = track->given_email;
    track->lookup.joins = !track->keep;

    if (track->keep && ngx_http_mpk_is_foreign(r)) {
        ctx->event = MPK_EVENT_EMAIL_KEPT;

        return ngx_http_mpk_send_foreign(r, ctx, mpk_string(""));
    }

    return ngx_http_mpk_lookup(r, ctx, &track->lookup, ngx_http_mpk_track_found);
}


static ngx_int_t
ngx_http_mpk_track_found(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_track_t  *track;

    track = ctx->data;

    if (!ctx->lookup->right) {
        return ngx_http_mpk_track_absent(r, ctx);
    }

    return track->keep ? ngx_http_mpk_track_keep(r, ctx)
                       : ngx_http_mpk_track_read(r, ctx);
}


/* The customer stops a correction of the email that does not hold yet. */

static ngx_int_t
ngx_http_mpk_track_keep(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_txn_t    *txn;
    ngx_http_mpk_track_t  *track;

    track = ctx->data;

    txn = ngx_http_mpk_txn_create(ctx->mmcf, r);
    if (txn == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_mpk_txn_order(txn, ctx->order);

    txn->request.event = MPK_EVENT_EMAIL_KEPT;
    txn->request.channel = MPK_CHANNEL_TRACK;
    txn->request.email_hash = track->lookup.email;
    txn->prepare = ngx_http_mpk_txn_emails;

    ngx_http_mpk_txn_client(r, txn);

    return ngx_http_mpk_run(r, ctx, txn, ngx_http_mpk_track_kept);
}


static ngx_int_t
ngx_http_mpk_track_kept(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_outcome_t  outcome;

    if (ctx->txn->result != NGX_HTTP_MPK_TXN_OK) {
        return ngx_http_mpk_send_unavailable(r, ctx,
                   mpk_string("This can't be recorded right now; send the "
                              "same again in a moment."),
                   mpk_string(""));
    }

    outcome = ctx->txn->decision.outcome;

    if (outcome == MPK_DONE || outcome == MPK_SAME) {
        return ngx_http_mpk_track_read(r, ctx);
    }

    /* the change holds since the lookup, or the order was erased */

    return ngx_http_mpk_track_absent(r, ctx);
}


static ngx_int_t
ngx_http_mpk_track_absent(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ctx->outcome = MPK_ABSENT;

    if (ctx->mlcf->fallthrough) {
        return ngx_http_mpk_pass(r, ctx);
    }

    return ngx_http_mpk_track_form(r, ctx, NGX_HTTP_NOT_FOUND,
               mpk_string("absent"),
               mpk_string("There is no order with this number and email "
                          "address."));
}


static ngx_int_t
ngx_http_mpk_track_read(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_batch_t   *batch;
    ngx_http_mpk_orders_t  *orders;

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

    ngx_http_mpk_lookup_again(ctx, batch);

    return ngx_http_mpk_orders_read(r, ctx, ngx_http_mpk_track_show);
}


static ngx_int_t
ngx_http_mpk_track_show(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_int_t               rc;
    mpk_str_t               holds;
    mpk_value_t            *facts;
    ngx_http_mpk_order_t   *order;
    ngx_http_mpk_track_t   *track;
    ngx_http_mpk_answer_t   answer;

    track = ctx->data;
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

    rc = ngx_http_mpk_lookup_limited(r, ctx);
    if (rc != NGX_DECLINED) {
        return rc;
    }

    /* nor may its email have been corrected meanwhile */

    holds = mpk_order_email(&order->order,
                            ngx_http_mpk_time(ctx->mmcf, order->id));

    if (!mpk_secret_eq(holds, (mpk_str_t) { MPK_MAC_LEN, track->lookup.email }))
    {
        return ngx_http_mpk_track_absent(r, ctx);
    }

    ctx->language = ngx_http_mpk_language(ctx, order->order.locale);

    facts = mpk_value_new(&ctx->mem, MPK_VALUE_OBJECT);

    if (ngx_http_mpk_card_customer(ctx, order, MPK_CHANNEL_TRACK,
                                   MPK_ITEMS_MAX, facts)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_mpk_track_correction(ctx, order, facts);

    if (ctx->txn == NULL) {
        ctx->outcome = MPK_DONE;
    }

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = NGX_HTTP_OK;

    if (ctx->json) {
        return ngx_http_mpk_send_json(r, ctx, &answer, facts);
    }

    return ngx_http_mpk_send_page(r, ctx, &answer, NGX_HTTP_MPK_PAGE_ORDER,
                                  facts);
}


/*
 * Says that the email is to be changed, and lets the customer keep it; the new one is never
 * told.
 */

static void
ngx_http_mpk_track_correction(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, mpk_value_t *facts)
{
    int64_t                now;
    ngx_uint_t             number;
    ngx_http_mpk_track_t  *track;

    track = ctx->data;

    if (track->keep) {
        mpk_value_bool(facts, mpk_string("kept"), 1);
    }

    now = ngx_http_mpk_time(ctx->mmcf, order->id);
    number = mpk_order_correction_pending(&order->order, now);

    if (number) {
        ngx_http_mpk_value_time(ctx, facts, mpk_string("email_changes_at"),
            order->order.corrections[number - 1].from);

        if (!ctx->json) {
            mpk_value_string(facts, mpk_string("given_email"),
                             track->given_email);
        }
    }
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
