/*
 * mpk_claim: the customer answers, in words, what support asked about a claim.  The form is
 * on the order's page; its token names the item, its address the claim.
 */

#include "ngx_http_mpk_claim.h"
#include "ngx_http_mpk_answer.h"
#include "ngx_http_mpk_body.h"
#include "ngx_http_mpk_language.h"
#include "ngx_http_mpk_request.h"
#include "ngx_http_mpk_sealed.h"


static ngx_int_t ngx_http_mpk_reply_post(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_reply_known(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_reply_run(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, mpk_event_t event);
static ngx_int_t ngx_http_mpk_reply_prepare(ngx_http_mpk_txn_t *txn);
static ngx_int_t ngx_http_mpk_reply_done(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_reply_received(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_uint_t status);
static ngx_int_t ngx_http_mpk_reply_form(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_reply_json(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, const ngx_http_mpk_answer_t *answer);
static void ngx_http_mpk_reply_facts(ngx_http_mpk_ctx_t *ctx,
    mpk_value_t *facts);
static void ngx_http_mpk_reply_error(mpk_value_t *list, const char *pointer,
    const char *detail);


ngx_int_t
ngx_http_mpk_claim_reply(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_int_t              n;
    ngx_str_t              value;
    ngx_http_mpk_claim_t  *claim;

    claim = ctx->data;

    ctx->event = MPK_EVENT_CLAIM_ANSWERED;

    if (ngx_http_mpk_arg(r, "claim", &value) == NGX_OK && value.len < 4) {
        n = ngx_atoi(value.data, value.len);
        claim->reply.claim = ngx_max(n, 0);
    }

    if (r->method & NGX_HTTP_POST) {
        return ngx_http_mpk_read_body(r, ctx, NGX_HTTP_MPK_CLAIM_BODY_MAX,
                                      ngx_http_mpk_reply_post);
    }

    if (claim->expired) {
        return ngx_http_mpk_claim_refused(r, ctx, MPK_TOKEN_EXPIRED);
    }

    return ngx_http_mpk_reply_run(r, ctx, MPK_EVENT_NONE);
}


static ngx_int_t
ngx_http_mpk_reply_post(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_str_t              text;
    ngx_int_t              rc;
    mpk_error_t            error;
    mpk_value_t           *fields;
    ngx_http_mpk_claim_t  *claim;

    claim = ctx->data;

    rc = ngx_http_mpk_fields(r, ctx, NGX_HTTP_MPK_CLAIM_BODY_MAX, &fields,
                             &error);

    /* treat a body that can't be read as an empty form */

    if (rc >= NGX_HTTP_INTERNAL_SERVER_ERROR) {
        return rc;
    }

    text = ngx_http_mpk_claim_trim(mpk_value_get_string(fields,
                                       mpk_string("answer")));

    claim->reply.text = text;
    claim->reply.wrong_text = (text.len == 0 || text.len > MPK_CLAIM_TEXT_MAX);

    if (!claim->expired) {
        return ngx_http_mpk_reply_run(r, ctx, claim->reply.wrong_text
                                              ? MPK_EVENT_NONE
                                              : MPK_EVENT_CLAIM_ANSWERED);
    }

    /* the page was open for too long: the email shows once more who writes */

    text = ngx_http_mpk_claim_trim(mpk_value_get_string(fields,
                                       mpk_string("email")));

    claim->given[NGX_HTTP_MPK_CLAIM_EMAIL] = text;

    if (mpk_lookup_email(ctx->mmcf->crypto, ctx->order, text,
                         claim->lookup.email)
        != MPK_OK)
    {
        claim->reply.wrong_email = 1;
        ctx->outcome = NGX_HTTP_MPK_OUTCOME_INVALID;

        return ngx_http_mpk_reply_form(r, ctx);
    }

    return ngx_http_mpk_lookup(r, ctx, &claim->lookup, ngx_http_mpk_reply_known);
}


static ngx_int_t
ngx_http_mpk_reply_known(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_claim_t  *claim;

    claim = ctx->data;

    if (claim->lookup.right) {
        return ngx_http_mpk_reply_run(r, ctx, claim->reply.wrong_text
                                              ? MPK_EVENT_NONE
                                              : MPK_EVENT_CLAIM_ANSWERED);
    }

    claim->reply.wrong_email = 1;
    ctx->outcome = MPK_NOT_BUYER;

    return ngx_http_mpk_reply_form(r, ctx);
}


static ngx_int_t
ngx_http_mpk_reply_run(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    mpk_event_t event)
{
    mpk_buf_t              content;
    ngx_http_mpk_txn_t    *txn;
    ngx_http_mpk_claim_t  *claim;

    claim = ctx->data;

    txn = ngx_http_mpk_claim_txn(r, ctx, event);
    if (txn == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    claim->reply.text = ngx_http_mpk_txn_copy(txn, claim->reply.text);

    txn->data = claim;
    txn->prepare = ngx_http_mpk_reply_prepare;
    txn->entry.note = claim->reply.text;

    mpk_buf_init(&content, &txn->mem, 256);
    mpk_pack_int(&content, MPK_EVENT_CLAIM_ANSWERED);
    mpk_pack_str(&content, claim->reply.text);

    if (ngx_http_mpk_txn_digest(txn, &content, &txn->request.claim_digest)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_mpk_run(r, ctx, txn, ngx_http_mpk_reply_done);
}


/* Finds the claim, and adds the answer to its sealed details. */

static ngx_int_t
ngx_http_mpk_reply_prepare(ngx_http_mpk_txn_t *txn)
{
    size_t                 n;
    mpk_order_t           *order;
    mpk_detail_t           detail;
    ngx_http_mpk_claim_t  *claim;

    claim = txn->data;
    order = &txn->order;
    n = claim->reply.claim;

    txn->request.claim = 0;

    if (n == 0 || n > order->claims_count
        || order->claims[n - 1].item != claim->token.items[0]
        || ngx_http_mpk_claim_outdated(txn, claim))
    {
        return NGX_OK;
    }

    txn->request.claim = n;
    txn->entry.category = mpk_category_name(order->claims[n - 1].category);

    if (ngx_http_mpk_txn_open_claim(txn, n, &detail) != NGX_OK) {
        return NGX_ERROR;
    }

    claim->reply.note = detail.note;
    detail.answer = claim->reply.text;

    return ngx_http_mpk_txn_seal_claim(txn, n, &detail);
}


static ngx_int_t
ngx_http_mpk_reply_done(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_claim_t           *about;
    mpk_outcome_t          outcome;
    ngx_http_mpk_txn_t    *txn;
    ngx_http_mpk_claim_t  *claim;

    txn = ctx->txn;
    claim = ctx->data;

    ctx->event = MPK_EVENT_CLAIM_ANSWERED;

    if (txn->result != NGX_HTTP_MPK_TXN_OK) {
        return ngx_http_mpk_claim_failed(r, ctx);
    }

    outcome = txn->decision.outcome;

    if (txn->request.event == MPK_EVENT_CLAIM_ANSWERED) {

        switch (outcome) {

        case MPK_DONE:
            return ngx_http_mpk_reply_received(r, ctx, NGX_HTTP_CREATED);

        case MPK_SAME:
            return ngx_http_mpk_reply_received(r, ctx, NGX_HTTP_OK);

        case MPK_CLAIMED:
            claim->reply.unasked = 1;
            return ngx_http_mpk_reply_form(r, ctx);

        default:
            return ngx_http_mpk_claim_refused(r, ctx, outcome);
        }
    }

    if (outcome != MPK_SAME) {
        return ngx_http_mpk_claim_refused(r, ctx, outcome);
    }

    if (txn->request.claim == 0) {
        return ngx_http_mpk_claim_refused(r, ctx, MPK_NO_CLAIM);
    }

    about = &txn->order.claims[txn->request.claim - 1];

    if (!mpk_claim_undecided(about)) {
        return ngx_http_mpk_claim_refused(r, ctx, MPK_DECIDED);
    }

    claim->reply.unasked = !mpk_claim_asked(about);
    ctx->outcome = claim->reply.wrong_text ? NGX_HTTP_MPK_OUTCOME_INVALID
                   : claim->reply.unasked ? (ngx_uint_t) MPK_CLAIMED
                   : NGX_HTTP_MPK_OUTCOME_FORM;

    return ngx_http_mpk_reply_form(r, ctx);
}


static ngx_int_t
ngx_http_mpk_reply_received(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_uint_t status)
{
    mpk_value_t            *facts;
    ngx_http_mpk_answer_t   answer;
    ngx_http_mpk_notice_t   notice;

    if (!ctx->json) {
        ngx_memzero(&notice, sizeof(ngx_http_mpk_notice_t));

        notice.status = status;
        notice.page = NGX_HTTP_MPK_PAGE_ANSWERED;
        notice.track = 1;
        notice.support = 1;

        return ngx_http_mpk_send_notice(r, ctx, &notice, mpk_string(""),
                                        mpk_string(""), mpk_string(""));
    }

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = status;

    facts = mpk_value_new(&ctx->mem, MPK_VALUE_OBJECT);

    mpk_value_int(facts, mpk_string("claim"),
                  (int64_t) ctx->txn->decision.claim);
    mpk_value_string(facts, mpk_string("state"),
                     mpk_claim_state_name(MPK_CLAIM_OPEN));

    return ngx_http_mpk_send_json(r, ctx, &answer, facts);
}


/* The form, with what was typed; without a transaction nothing of the order. */

static ngx_int_t
ngx_http_mpk_reply_form(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_value_t            *facts;
    ngx_http_mpk_claim_t   *claim;
    ngx_http_mpk_answer_t   answer;

    claim = ctx->data;

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));

    answer.status = claim->reply.wrong_email || claim->reply.wrong_text ? 422
                    : claim->reply.unasked ? NGX_HTTP_CONFLICT : NGX_HTTP_OK;

    if (ctx->json) {
        return ngx_http_mpk_reply_json(r, ctx, &answer);
    }

    ctx->language = ngx_http_mpk_language(ctx, ctx->locale);

    facts = mpk_value_new(&ctx->mem, MPK_VALUE_OBJECT);

    ngx_http_mpk_reply_facts(ctx, facts);

    mpk_value_string(facts, mpk_string("given_answer"), claim->reply.text);
    mpk_value_string(facts, mpk_string("given_email"),
                     claim->given[NGX_HTTP_MPK_CLAIM_EMAIL]);
    mpk_value_bool(facts, mpk_string("ask_email"), claim->expired);
    mpk_value_bool(facts, mpk_string("error"), answer.status != NGX_HTTP_OK);
    mpk_value_bool(facts, mpk_string("error_answer"), claim->reply.wrong_text);
    mpk_value_bool(facts, mpk_string("error_email"), claim->reply.wrong_email);
    mpk_value_bool(facts, mpk_string("unasked"), claim->reply.unasked);
    mpk_value_bool(facts, mpk_string("support"), ctx->mlcf->pages->support);

    return ngx_http_mpk_send_page(r, ctx, &answer, NGX_HTTP_MPK_PAGE_REPLY,
                                  facts);
}


static ngx_int_t
ngx_http_mpk_reply_json(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    const ngx_http_mpk_answer_t *answer)
{
    mpk_value_t           *facts, *list;
    ngx_http_mpk_claim_t  *claim;

    claim = ctx->data;

    switch (answer->status) {

    case NGX_HTTP_OK:
        facts = mpk_value_new(&ctx->mem, MPK_VALUE_OBJECT);
        list = mpk_value_array(facts, mpk_string("fields"));
        mpk_value_string(list, mpk_string(""), mpk_string("answer"));
        break;

    case NGX_HTTP_CONFLICT:
        facts = ngx_http_mpk_problem(ctx, answer->status, mpk_string("claimed"),
                    mpk_string("Support has not asked for anything more; this "
                               "answer was not recorded."),
                    mpk_string("R7"));
        break;

    default:
        facts = ngx_http_mpk_problem(ctx, answer->status, mpk_string("invalid"),
                    mpk_string("The answer can't be used; \"errors\" says what "
                               "must be there."),
                    mpk_string(""));
        list = mpk_value_array(facts, mpk_string("errors"));

        if (claim->reply.wrong_text) {
            ngx_http_mpk_reply_error(list, "/answer",
                                     "the answer, up to 4000 bytes");
        }

        if (claim->reply.wrong_email) {
            ngx_http_mpk_reply_error(list, "/email",
                                     "the billing email address, since the "
                                     "token has expired");
        }
    }

    ngx_http_mpk_reply_facts(ctx, facts);

    return ngx_http_mpk_send_json(r, ctx, answer, facts);
}


static void
ngx_http_mpk_reply_facts(ngx_http_mpk_ctx_t *ctx, mpk_value_t *facts)
{
    mpk_order_t           *order;
    mpk_claim_t           *about;
    ngx_http_mpk_claim_t  *claim;

    claim = ctx->data;

    mpk_value_string(facts, mpk_string("order"), ctx->order);

    if (ctx->txn == NULL) {
        return;
    }

    order = &ctx->txn->order;
    about = &order->claims[claim->reply.claim - 1];

    mpk_value_int(facts, mpk_string("claim"), (int64_t) claim->reply.claim);
    mpk_value_string(facts, mpk_string("product"),
                     order->items[about->item - 1].product);

    /* the question that was answered is none any more */

    mpk_value_text(facts, mpk_string("note"),
                   claim->reply.unasked ? mpk_string("") : claim->reply.note);
}


static void
ngx_http_mpk_reply_error(mpk_value_t *list, const char *pointer,
    const char *detail)
{
    mpk_value_t  *e;

    e = mpk_value_object(list, mpk_string(""));

    mpk_value_string(e, mpk_string("pointer"),
                     (mpk_str_t) { ngx_strlen(pointer), (u_char *) pointer });
    mpk_value_string(e, mpk_string("detail"),
                     (mpk_str_t) { ngx_strlen(detail), (u_char *) detail });
}
