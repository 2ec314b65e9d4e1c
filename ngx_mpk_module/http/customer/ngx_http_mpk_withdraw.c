/*
 * mpk_withdraw: a customer withdraws from the contract (R12; Directive 2011/83/EU, article
 * 11a).  No confirmed statement is refused: one that an order's rules take is committed, any
 * other is kept for support, and the receipt is the same.
 */

#include "ngx_http_mpk_withdraw.h"
#include "ngx_http_mpk_answer.h"
#include "ngx_http_mpk_body.h"
#include "ngx_http_mpk_request.h"
#include "ngx_http_mpk_time.h"
#include "ngx_http_mpk_withdrawal.h"

#include "mpk_email.h"
#include "mpk_escape.h"
#include "mpk_pack.h"
#include "mpk_stamp.h"

#define NGX_HTTP_MPK_WITHDRAW_BODY_MAX  8192        /* bytes of a form */
#define NGX_HTTP_MPK_WITHDRAW_STAMP     (14 * 86400)  /* seconds that a stamp is good for */


static ngx_int_t ngx_http_mpk_withdraw_get(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_withdraw_post(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static void ngx_http_mpk_withdraw_check(ngx_http_mpk_withdraw_t *withdraw);
static ngx_int_t ngx_http_mpk_withdraw_identify(ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_withdraw_known(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_withdraw_items(ngx_http_mpk_txn_t *txn,
    mpk_str_t text);
static ngx_int_t ngx_http_mpk_withdraw_done(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_withdraw_keep(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_withdraw_kept(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static mpk_str_t ngx_http_mpk_withdraw_trim(mpk_str_t text);


ngx_int_t
ngx_http_mpk_withdraw_handler(ngx_http_request_t *r)
{
    ngx_http_mpk_ctx_t        *ctx;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_POST))
        || r->uri.len != clcf->name.len)
    {
        return NGX_DECLINED;
    }

    ctx = ngx_http_mpk_create_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->data = ngx_pcalloc(r->pool, sizeof(ngx_http_mpk_withdraw_t));
    if (ctx->data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->json = ngx_http_mpk_wants_json(r);
    ctx->event = MPK_EVENT_WITHDRAWAL_STATED;

    if (!(r->method & NGX_HTTP_POST)) {
        return ngx_http_mpk_withdraw_get(r, ctx);
    }

    if (ngx_http_mpk_is_foreign(r)) {
        return ngx_http_mpk_send_foreign(r, ctx, mpk_string(""));
    }

    return ngx_http_mpk_read_body(r, ctx, NGX_HTTP_MPK_WITHDRAW_BODY_MAX,
                                  ngx_http_mpk_withdraw_post);
}


/* The order page's link says which order it is, and which items. */

static ngx_int_t
ngx_http_mpk_withdraw_get(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_str_t                 value;
    ngx_http_mpk_withdraw_t  *withdraw;

    withdraw = ctx->data;
    ctx->outcome = NGX_HTTP_MPK_OUTCOME_FORM;

    if (ngx_http_mpk_arg(r, "order", &value) == NGX_OK
        && value.len <= MPK_NUMBER_MAX
        && mpk_utf8_valid(value.data, value.len))
    {
        withdraw->given[NGX_HTTP_MPK_WITHDRAW_ORDER] =
            ngx_http_mpk_str(&value);
    }

    if (ngx_http_mpk_arg(r, "items", &value) == NGX_OK
        && value.len <= 2000 && mpk_utf8_valid(value.data, value.len))
    {
        withdraw->given[NGX_HTTP_MPK_WITHDRAW_ITEMS] =
            ngx_http_mpk_str(&value);
    }

    return ngx_http_mpk_withdraw_form(r, ctx);
}


static ngx_int_t
ngx_http_mpk_withdraw_post(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_uint_t                i;
    mpk_error_t               error;
    mpk_value_t              *fields;
    const mpk_value_t        *v;
    ngx_http_mpk_withdraw_t  *withdraw;

    withdraw = ctx->data;

    rc = ngx_http_mpk_fields(r, ctx, NGX_HTTP_MPK_WITHDRAW_BODY_MAX, &fields,
                             &error);

    /* treat a body that can't be read as an empty form */

    if (rc >= NGX_HTTP_INTERNAL_SERVER_ERROR) {
        return rc;
    }

    for (i = 0; i < NGX_HTTP_MPK_WITHDRAW_FIELDS; i++) {
        v = mpk_value_get(fields, ngx_http_mpk_withdraw_fields[i].name);

        if (v && v->type == MPK_VALUE_STRING) {
            withdraw->given[i] = ngx_http_mpk_withdraw_trim(v->u.string);

        } else if (v && v->type != MPK_VALUE_NULL) {
            withdraw->wrong |= 1 << i;
        }
    }

    withdraw->received = mpk_value_get_string(fields, mpk_string("received"));

    ngx_http_mpk_withdraw_check(withdraw);

    /* nothing was looked up so far: this is the same for every order */

    if (withdraw->wrong) {
        ctx->outcome = NGX_HTTP_MPK_OUTCOME_INVALID;
        return ngx_http_mpk_withdraw_form(r, ctx);
    }

    if (!mpk_value_yes(fields, mpk_string("confirm"))) {
        ctx->outcome = NGX_HTTP_MPK_OUTCOME_FORM;
        return ngx_http_mpk_withdraw_repeat(r, ctx);
    }

    /* it was received: a client that disconnects does not take it back (I12) */

    ctx->unattended = 1;

    if (ngx_http_mpk_withdraw_identify(ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!mpk_number_read(withdraw->given[NGX_HTTP_MPK_WITHDRAW_ORDER],
                         &withdraw->number))
    {
        return ngx_http_mpk_withdraw_keep(r, ctx);
    }

    withdraw->lookup.number = &withdraw->number;
    withdraw->lookup.given_email =
        withdraw->given[NGX_HTTP_MPK_WITHDRAW_EMAIL];

    return ngx_http_mpk_lookup_all(r, ctx, &withdraw->lookup,
                                   ngx_http_mpk_withdraw_known);
}


static void
ngx_http_mpk_withdraw_check(ngx_http_mpk_withdraw_t *withdraw)
{
    mpk_str_t    *given;
    ngx_uint_t    i;
    mpk_email_t   email;

    given = withdraw->given;

    for (i = 0; i < NGX_HTTP_MPK_WITHDRAW_FIELDS; i++) {
        if (given[i].len > ngx_http_mpk_withdraw_fields[i].max
            || (given[i].len == 0 && ngx_http_mpk_withdraw_fields[i].required))
        {
            withdraw->wrong |= 1 << i;
        }
    }

    if (mpk_email_read(given[NGX_HTTP_MPK_WITHDRAW_EMAIL], &email) != MPK_OK) {
        withdraw->wrong |= 1 << NGX_HTTP_MPK_WITHDRAW_EMAIL;
    }
}


/*
 * Its id: the same form with the same content is the same statement, and nobody who does not
 * know both can name another's.  Its time: when an edge first received it.
 */

static ngx_int_t
ngx_http_mpk_withdraw_identify(ngx_http_mpk_ctx_t *ctx)
{
    int64_t                    now, first;
    mpk_buf_t                  content;
    ngx_uint_t                 i;
    ngx_http_mpk_withdraw_t   *withdraw;
    ngx_http_mpk_statement_t  *statement;

    withdraw = ctx->data;
    statement = &withdraw->statement;

    mpk_buf_init(&content, &ctx->mem, 512);
    mpk_pack_int(&content, MPK_EVENT_WITHDRAWAL_STATED);

    for (i = 0; i < NGX_HTTP_MPK_WITHDRAW_FIELDS; i++) {
        mpk_pack_str(&content, withdraw->given[i]);
    }

    if (content.failed
        || mpk_lookup_digest(ctx->mmcf->crypto, mpk_buf_done(&content),
                             withdraw->digest)
           != MPK_OK)
    {
        return NGX_ERROR;
    }

    (void) ngx_hex_dump(withdraw->id, withdraw->digest,
                        NGX_HTTP_MPK_STATEMENT_ID / 2);

    statement->id = (mpk_str_t) { NGX_HTTP_MPK_STATEMENT_ID, withdraw->id };
    statement->name = withdraw->given[NGX_HTTP_MPK_WITHDRAW_NAME];
    statement->order = withdraw->given[NGX_HTTP_MPK_WITHDRAW_ORDER];
    statement->email = withdraw->given[NGX_HTTP_MPK_WITHDRAW_EMAIL];
    statement->items = withdraw->given[NGX_HTTP_MPK_WITHDRAW_ITEMS];

    now = ngx_http_mpk_time(ctx->mmcf, statement->id);
    first = mpk_stamp_read(ctx->mmcf->crypto, statement->id,
                           withdraw->received);

    statement->stated_at = (first > now - NGX_HTTP_MPK_WITHDRAW_STAMP
                            && first < now) ? first : now;

    return NGX_OK;
}


static ngx_int_t
ngx_http_mpk_withdraw_known(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_stated_t              stated;
    ngx_http_mpk_txn_t       *txn;
    ngx_http_mpk_withdraw_t  *withdraw;

    withdraw = ctx->data;

    if (withdraw->lookup.failed) {
        return ngx_http_mpk_withdraw_away(r, ctx);
    }

    if (!withdraw->lookup.right) {
        return ngx_http_mpk_withdraw_keep(r, ctx);
    }

    txn = ngx_http_mpk_txn_create(ctx->mmcf, r);
    if (txn == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_mpk_txn_order(txn, ctx->order);

    if (ngx_http_mpk_withdraw_items(txn, withdraw->statement.items) != NGX_OK) {
        return ngx_http_mpk_withdraw_keep(r, ctx);
    }

    txn->request.event = MPK_EVENT_WITHDRAWAL_STATED;
    txn->request.medium = MPK_MEDIUM_PAGE;
    txn->request.stated_at = withdraw->statement.stated_at;
    txn->request.challenge_email = 1;
    txn->request.email_hash = withdraw->lookup.email;

    ngx_memcpy(txn->request.token_id, withdraw->digest, MPK_WITHDRAWAL_ID_LEN);

    ngx_memzero(&stated, sizeof(mpk_stated_t));

    stated.name = withdraw->statement.name;
    stated.email = withdraw->statement.email;

    ngx_http_mpk_txn_client(r, txn);

    if (ngx_http_mpk_withdrawal_state(txn, ctx->mscf, &stated) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_mpk_run(r, ctx, txn, ngx_http_mpk_withdraw_done);
}


/* "1,3": ascending, each once; empty: all.  NGX_DECLINED: not so. */

static ngx_int_t
ngx_http_mpk_withdraw_items(ngx_http_mpk_txn_t *txn, mpk_str_t text)
{
    u_char      *p, *last, *comma;
    uint16_t    *items;
    ngx_int_t    n;
    ngx_uint_t   count;

    if (text.len == 0) {
        return NGX_OK;
    }

    items = mpk_alloc(&txn->mem, text.len * sizeof(uint16_t));
    if (items == NULL) {
        return NGX_DECLINED;
    }

    p = (u_char *) text.data;
    last = p + text.len;
    count = 0;

    for ( ;; ) {
        comma = ngx_strlchr(p, last, ',');
        n = ngx_atoi(p, (comma ? comma : last) - p);

        if (n < 1 || n > MPK_ITEMS_MAX
            || (count && n <= (ngx_int_t) items[count - 1]))
        {
            return NGX_DECLINED;
        }

        items[count++] = (uint16_t) n;

        if (comma == NULL) {
            break;
        }

        p = comma + 1;
    }

    txn->request.items = items;
    txn->request.items_count = count;

    return NGX_OK;
}


static ngx_int_t
ngx_http_mpk_withdraw_done(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_outcome_t             outcome;
    mpk_decision_t           *decision;
    ngx_http_mpk_withdraw_t  *withdraw;

    withdraw = ctx->data;

    if (ctx->txn->result != NGX_HTTP_MPK_TXN_OK) {
        return ngx_http_mpk_withdraw_away(r, ctx);
    }

    decision = &ctx->txn->decision;
    outcome = decision->outcome;

    if (outcome != MPK_DONE && outcome != MPK_SAME) {
        return ngx_http_mpk_withdraw_keep(r, ctx);
    }

    withdraw->statement.stated_at =
        decision->order.withdrawals[decision->withdrawal - 1].stated_at;

    return ngx_http_mpk_withdraw_receipt(r, ctx);
}


static ngx_int_t
ngx_http_mpk_withdraw_keep(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_withdraw_t  *withdraw;

    withdraw = ctx->data;

    return ngx_http_mpk_statement_keep(r, ctx, &withdraw->statement,
                                       ngx_http_mpk_withdraw_kept);
}


static ngx_int_t
ngx_http_mpk_withdraw_kept(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_withdraw_t  *withdraw;

    withdraw = ctx->data;

    if (ngx_http_mpk_statement_kept(ctx, withdraw->statement.id,
                                    &withdraw->statement.stated_at)
        != NGX_OK)
    {
        return ngx_http_mpk_withdraw_away(r, ctx);
    }

    ctx->outcome = MPK_ABSENT;

    return ngx_http_mpk_withdraw_receipt(r, ctx);
}


static mpk_str_t
ngx_http_mpk_withdraw_trim(mpk_str_t text)
{
    while (text.len && (text.data[0] == ' ' || text.data[0] == '\t'
                        || text.data[0] == '\r' || text.data[0] == '\n'))
    {
        text.data++;
        text.len--;
    }

    while (text.len && (text.data[text.len - 1] == ' '
                        || text.data[text.len - 1] == '\t'
                        || text.data[text.len - 1] == '\r'
                        || text.data[text.len - 1] == '\n'))
    {
        text.len--;
    }

    return text;
}
