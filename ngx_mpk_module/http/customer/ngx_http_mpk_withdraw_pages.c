/* Answers of mpk_withdraw: the form, the statement that is repeated, the receipt. */

#include "ngx_http_mpk_withdraw.h"
#include "ngx_http_mpk_answer.h"
#include "ngx_http_mpk_language.h"

#include "mpk_base64url.h"
#include "mpk_email.h"
#include "mpk_errors.h"
#include "mpk_stamp.h"

#define NGX_HTTP_MPK_WITHDRAW_RETRY  5      /* seconds */
#define NGX_HTTP_MPK_WITHDRAW_RANDOM 16     /* bytes of a form's id */


static ngx_int_t ngx_http_mpk_withdraw_statement(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_uint_t away);
static mpk_value_t *ngx_http_mpk_withdraw_facts(ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_withdraw_new(ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_withdraw_received(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, mpk_value_t *facts);
static void ngx_http_mpk_withdraw_mail(ngx_http_mpk_ctx_t *ctx,
    mpk_value_t *facts);
static void ngx_http_mpk_withdraw_encode(mpk_buf_t *buf, mpk_str_t text);


const ngx_http_mpk_withdraw_field_info_t
    ngx_http_mpk_withdraw_fields[] =
{
    [NGX_HTTP_MPK_WITHDRAW_NAME] =
        { mpk_literal("name"), MPK_WITHDRAWAL_NAME_MAX, 1,
          "the full name, up to 200 bytes" },
    [NGX_HTTP_MPK_WITHDRAW_ORDER] =
        { mpk_literal("order"), MPK_NUMBER_MAX, 1,
          "the order's number, up to 256 bytes" },
    [NGX_HTTP_MPK_WITHDRAW_EMAIL] =
        { mpk_literal("email"), MPK_EMAIL_MAX, 1, "an email address" },
    [NGX_HTTP_MPK_WITHDRAW_ITEMS] =
        { mpk_literal("items"), 2000, 0,
          "item numbers with commas, e.g. \"1,3\", or empty: all" },
    [NGX_HTTP_MPK_WITHDRAW_FORM] =
        { mpk_literal("form"), 64, 0, "up to 64 bytes" },
};

_Static_assert(sizeof(ngx_http_mpk_withdraw_fields)
               / sizeof(ngx_http_mpk_withdraw_fields[0])
               == NGX_HTTP_MPK_WITHDRAW_FIELDS, "a row for each field");

static const mpk_str_t  ngx_http_mpk_withdraw_given[] = {
    [NGX_HTTP_MPK_WITHDRAW_NAME] = mpk_literal("given_name"),
    [NGX_HTTP_MPK_WITHDRAW_ORDER] = mpk_literal("given_order"),
    [NGX_HTTP_MPK_WITHDRAW_EMAIL] = mpk_literal("given_email"),
    [NGX_HTTP_MPK_WITHDRAW_ITEMS] = mpk_literal("given_items"),
    [NGX_HTTP_MPK_WITHDRAW_FORM] = mpk_literal("form"),
};

static const mpk_str_t  ngx_http_mpk_withdraw_error[] = {
    [NGX_HTTP_MPK_WITHDRAW_NAME] = mpk_literal("error_name"),
    [NGX_HTTP_MPK_WITHDRAW_ORDER] = mpk_literal("error_order"),
    [NGX_HTTP_MPK_WITHDRAW_EMAIL] = mpk_literal("error_email"),
    [NGX_HTTP_MPK_WITHDRAW_ITEMS] = mpk_literal("error_items"),
    [NGX_HTTP_MPK_WITHDRAW_FORM] = mpk_literal("error_items"),
};


ngx_int_t
ngx_http_mpk_withdraw_form(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_uint_t                                 i;
    mpk_value_t                               *facts, *list;
    mpk_buf_t                                  pointer;
    ngx_http_mpk_answer_t                      answer;
    ngx_http_mpk_withdraw_t                   *withdraw;
    const ngx_http_mpk_withdraw_field_info_t  *field;

    withdraw = ctx->data;

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = withdraw->wrong ? 422 : NGX_HTTP_OK;

    if (!ctx->json) {
        facts = ngx_http_mpk_withdraw_facts(ctx);

        mpk_value_bool(facts, mpk_string("error"), withdraw->wrong != 0);

        for (i = 0; i < NGX_HTTP_MPK_WITHDRAW_FORM; i++) {
            mpk_value_bool(facts, ngx_http_mpk_withdraw_error[i],
                           withdraw->wrong & (1 << i));
        }

        return ngx_http_mpk_send_page(r, ctx, &answer,
                                      NGX_HTTP_MPK_PAGE_WITHDRAW, facts);
    }

    list = NULL;

    if (withdraw->wrong == 0) {
        facts = mpk_value_new(&ctx->mem, MPK_VALUE_OBJECT);
        list = mpk_value_array(facts, mpk_string("fields"));

        for (i = 0; i < NGX_HTTP_MPK_WITHDRAW_FIELDS; i++) {
            mpk_value_string(list, mpk_string(""),
                             ngx_http_mpk_withdraw_fields[i].name);
        }

        return ngx_http_mpk_send_json(r, ctx, &answer, facts);
    }

    for (i = 0; i < NGX_HTTP_MPK_WITHDRAW_FIELDS; i++) {
        field = &ngx_http_mpk_withdraw_fields[i];

        if (!(withdraw->wrong & (1 << i))) {
            continue;
        }

        mpk_buf_init(&pointer, &ctx->mem, 16);
        mpk_buf_byte(&pointer, '/');
        mpk_buf_str(&pointer, field->name);

        mpk_errors_add(&ctx->mem, &list, mpk_buf_done(&pointer),
                       (mpk_str_t) { ngx_strlen(field->wrong),
                                     (u_char *) field->wrong });
    }

    return ngx_http_mpk_send_problem(r, ctx, &answer, mpk_string("invalid"),
               mpk_string("The statement can't be used; \"errors\" says what "
                          "must be there."),
               mpk_string(""), list);
}


ngx_int_t
ngx_http_mpk_withdraw_repeat(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_withdraw_t  *withdraw;

    withdraw = ctx->data;

    if (withdraw->given[NGX_HTTP_MPK_WITHDRAW_FORM].len == 0
        && ngx_http_mpk_withdraw_new(ctx) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_mpk_withdraw_statement(r, ctx, 0);
}


ngx_int_t
ngx_http_mpk_withdraw_away(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    /* keep the outcome of a transaction: it is more precise */

    if (ctx->outcome == NGX_HTTP_MPK_OUTCOME_NONE) {
        ctx->outcome = NGX_HTTP_MPK_OUTCOME_UNAVAILABLE;
    }

    return ngx_http_mpk_withdraw_statement(r, ctx, 1);
}


static ngx_int_t
ngx_http_mpk_withdraw_statement(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_uint_t away)
{
    mpk_value_t            *facts, *problem;
    ngx_http_mpk_answer_t   answer;

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = NGX_HTTP_OK;

    facts = ngx_http_mpk_withdraw_facts(ctx);

    if (away) {
        answer.status = NGX_HTTP_SERVICE_UNAVAILABLE;
        answer.retry_after = NGX_HTTP_MPK_WITHDRAW_RETRY;

        if (ctx->json) {
            problem = ngx_http_mpk_problem(ctx, answer.status,
                          mpk_string("unavailable"),
                          mpk_string("The statement can't be recorded right "
                                     "now; send it again with \"received\", "
                                     "which says when it was first received."),
                          mpk_string("R12"));

            if (ngx_http_mpk_withdraw_received(r, ctx, problem) != NGX_OK) {
                return NGX_HTTP_INTERNAL_SERVER_ERROR;
            }

            return ngx_http_mpk_send_json(r, ctx, &answer, problem);
        }

        if (ngx_http_mpk_withdraw_received(r, ctx, facts) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ngx_http_mpk_withdraw_mail(ctx, facts);
    }

    if (ctx->json) {
        return ngx_http_mpk_send_json(r, ctx, &answer, facts);
    }

    mpk_value_bool(facts, mpk_string("error"), away);

    return ngx_http_mpk_send_page(r, ctx, &answer, NGX_HTTP_MPK_PAGE_STATEMENT,
                                  facts);
}


ngx_int_t
ngx_http_mpk_withdraw_receipt(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_value_t              *facts;
    ngx_http_mpk_answer_t     answer;
    ngx_http_mpk_withdraw_t  *withdraw;

    withdraw = ctx->data;

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = NGX_HTTP_CREATED;

    facts = ngx_http_mpk_withdraw_facts(ctx);

    mpk_value_string(facts, mpk_string("receipt"), withdraw->statement.id);
    ngx_http_mpk_value_time(ctx, facts, mpk_string("stated_at"),
                            withdraw->statement.stated_at);

    if (ctx->json) {
        return ngx_http_mpk_send_json(r, ctx, &answer, facts);
    }

    mpk_value_bool(facts, mpk_string("utc"), 1);

    return ngx_http_mpk_send_page(r, ctx, &answer, NGX_HTTP_MPK_PAGE_RECEIPT,
                                  facts);
}


/* What was typed, and nothing else: not in the order's language either. */

static mpk_value_t *
ngx_http_mpk_withdraw_facts(ngx_http_mpk_ctx_t *ctx)
{
    ngx_uint_t                i;
    mpk_value_t              *facts;
    ngx_http_mpk_withdraw_t  *withdraw;

    withdraw = ctx->data;
    facts = mpk_value_new(&ctx->mem, MPK_VALUE_OBJECT);

    for (i = 0; i < NGX_HTTP_MPK_WITHDRAW_FIELDS; i++) {
        mpk_value_string(facts, ctx->json
                                ? ngx_http_mpk_withdraw_fields[i].name
                                : ngx_http_mpk_withdraw_given[i],
                         withdraw->given[i]);
    }

    if (!ctx->json) {
        ctx->language = ngx_http_mpk_language(ctx, mpk_string(""));
        mpk_value_bool(facts, mpk_string("support"),
                       ctx->mlcf->pages->support);
    }

    return facts;
}


static ngx_int_t
ngx_http_mpk_withdraw_new(ngx_http_mpk_ctx_t *ctx)
{
    u_char                    random[NGX_HTTP_MPK_WITHDRAW_RANDOM], *p;
    ngx_http_mpk_withdraw_t  *withdraw;

    withdraw = ctx->data;
    p = mpk_alloc(&ctx->mem, mpk_base64url_encoded_len(sizeof(random)));

    if (p == NULL
        || mpk_crypto_random(ctx->mmcf->crypto, random, sizeof(random))
           != MPK_OK)
    {
        return NGX_ERROR;
    }

    mpk_base64url_encode(p, random, sizeof(random));

    withdraw->given[NGX_HTTP_MPK_WITHDRAW_FORM] =
        (mpk_str_t) { mpk_base64url_encoded_len(sizeof(random)), p };

    return NGX_OK;
}


/* When it was received, to be sent again with it. */

static ngx_int_t
ngx_http_mpk_withdraw_received(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    mpk_value_t *facts)
{
    u_char                   *stamp;
    ngx_http_mpk_withdraw_t  *withdraw;

    withdraw = ctx->data;
    stamp = ngx_pnalloc(r->pool, MPK_STAMP_LEN);

    if (stamp == NULL
        || mpk_stamp_create(ctx->mmcf->crypto, withdraw->statement.id,
                            withdraw->statement.stated_at, stamp)
           != MPK_OK)
    {
        return NGX_ERROR;
    }

    mpk_value_string(facts, mpk_string("received"),
                     (mpk_str_t) { MPK_STAMP_LEN, stamp });
    ngx_http_mpk_value_time(ctx, facts, mpk_string("stated_at"),
                            withdraw->statement.stated_at);

    return NGX_OK;
}


/* The address of a mail to support that says the same. */

static void
ngx_http_mpk_withdraw_mail(ngx_http_mpk_ctx_t *ctx, mpk_value_t *facts)
{
    mpk_buf_t                 url;
    ngx_uint_t                i;
    ngx_http_mpk_withdraw_t  *withdraw;

    withdraw = ctx->data;

    if (ctx->language->support_email.len == 0) {
        return;
    }

    mpk_buf_init(&url, &ctx->mem, 512);
    mpk_buf_lit(&url, "mailto:");
    mpk_buf_str(&url, ctx->language->support_email);
    mpk_buf_lit(&url, "?subject=");
    ngx_http_mpk_withdraw_encode(&url, ctx->language->withdraw);
    mpk_buf_lit(&url, "&body=");
    ngx_http_mpk_withdraw_encode(&url, ctx->language->statement);

    for (i = 0; i < NGX_HTTP_MPK_WITHDRAW_FORM; i++) {
        mpk_buf_lit(&url, "%0D%0A");
        ngx_http_mpk_withdraw_encode(&url, withdraw->given[i]);
    }

    mpk_value_string(facts, mpk_string("mail"), mpk_buf_done(&url));
}


static void
ngx_http_mpk_withdraw_encode(mpk_buf_t *buf, mpk_str_t text)
{
    size_t   len;
    u_char  *p;

    len = text.len + 2 * ngx_escape_uri(NULL, (u_char *) text.data, text.len,
                                        NGX_ESCAPE_URI_COMPONENT);

    p = mpk_buf_room(buf, len);
    if (p) {
        (void) ngx_escape_uri(p, (u_char *) text.data, text.len,
                              NGX_ESCAPE_URI_COMPONENT);
    }
}
