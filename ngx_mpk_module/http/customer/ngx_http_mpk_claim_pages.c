/* Answers of mpk_claim: the form, the claim, refusals. */

#include "ngx_http_mpk_claim.h"
#include "ngx_http_mpk_language.h"
#include "ngx_http_mpk_links.h"
#include "ngx_http_mpk_refusal.h"

#include "mpk_email.h"


static void ngx_http_mpk_claim_facts(ngx_http_mpk_ctx_t *ctx,
    mpk_value_t *facts);
static ngx_int_t ngx_http_mpk_claim_json(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, const ngx_http_mpk_answer_t *answer,
    mpk_outcome_t outcome);
static mpk_str_t ngx_http_mpk_claim_word(mpk_mem_t *mem,
    const char *prefix, mpk_str_t name);


const ngx_http_mpk_claim_field_info_t
    ngx_http_mpk_claim_fields[] =
{
    [NGX_HTTP_MPK_CLAIM_NAME] =
        { mpk_literal("name"), MPK_CLAIM_NAME_MAX,
          "the full name, up to 255 bytes" },
    [NGX_HTTP_MPK_CLAIM_ORDER] =
        { mpk_literal("order"), 80, "the number of this order" },
    [NGX_HTTP_MPK_CLAIM_EMAIL] =
        { mpk_literal("email"), MPK_EMAIL_MAX, "the billing email address" },
    [NGX_HTTP_MPK_CLAIM_KEY] =
        { mpk_literal("key"), 2 * MPK_KEY_MAX, "the product key" },
    [NGX_HTTP_MPK_CLAIM_CATEGORY] =
        { mpk_literal("category"), 16,
          "\"not_accepted\", \"already_used\", \"blocked\", "
          "\"wrong_product\", \"stopped\" or \"other\"" },
    [NGX_HTTP_MPK_CLAIM_DESCRIPTION] =
        { mpk_literal("description"), MPK_CLAIM_TEXT_MAX,
          "what happens, up to 4000 bytes" },
};

_Static_assert(sizeof(ngx_http_mpk_claim_fields)
               / sizeof(ngx_http_mpk_claim_fields[0])
               == NGX_HTTP_MPK_CLAIM_FIELDS, "a row for each field");


ngx_int_t
ngx_http_mpk_claim_answer(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_uint_t status)
{
    mpk_str_t               url;
    mpk_mem_t              *mem;
    mpk_claim_t            *claim;
    mpk_value_t            *facts;
    mpk_decision_t         *decision;
    ngx_http_mpk_answer_t   answer;

    mem = &ctx->mem;
    decision = &ctx->txn->decision;
    claim = &decision->order.claims[decision->claim - 1];

    url = mpk_string("");

    if (ctx->mscf->upload_path.len) {
        url = ngx_http_mpk_claim_url(ctx, &ctx->mscf->upload_path,
                                     &decision->order, &claim->item, 1, 0);
    }

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = status;

    facts = mpk_value_new(mem, MPK_VALUE_OBJECT);

    mpk_value_int(facts, mpk_string("claim"), (int64_t) decision->claim);
    mpk_value_string(facts, mpk_string("state"),
                     mpk_claim_state_name(claim->state));

    if (ctx->json) {

        if (url.len) {
            mpk_value_string(facts, mpk_string("upload_url"), url);

        } else {
            mpk_value_null(facts, mpk_string("upload_url"));
        }

        return ngx_http_mpk_send_json(r, ctx, &answer, facts);
    }

    ctx->language = ngx_http_mpk_language(ctx, decision->order.locale);

    mpk_value_string(facts, mpk_string("order"), ctx->order);
    mpk_value_string(facts, mpk_string("product"),
                     decision->order.items[claim->item - 1].product);
    ngx_http_mpk_value_time(ctx, facts, mpk_string("opened_at"),
                            claim->opened_at);
    mpk_value_bool(facts, mpk_string("before"), status == NGX_HTTP_CONFLICT);
    mpk_value_bool(facts, mpk_string("files"), url.len != 0);
    mpk_value_string(facts, mpk_string("upload"), url);
    mpk_value_bool(facts, mpk_string("track"), 1);
    mpk_value_bool(facts, mpk_string("support"), ctx->mlcf->pages->support);

    return ngx_http_mpk_send_page(r, ctx, &answer, NGX_HTTP_MPK_PAGE_CLAIMED,
                                  facts);
}


ngx_int_t
ngx_http_mpk_claim_form(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    mpk_outcome_t outcome)
{
    mpk_str_t               name;
    mpk_mem_t              *mem;
    ngx_uint_t              i;
    mpk_value_t            *facts;
    ngx_http_mpk_claim_t   *claim;
    ngx_http_mpk_answer_t   answer;

    claim = ctx->data;
    mem = &ctx->mem;

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = claim->wrong ? 422 : NGX_HTTP_OK;

    if (ctx->json) {
        return ngx_http_mpk_claim_json(r, ctx, &answer, outcome);
    }

    ctx->language = ngx_http_mpk_language(ctx, ctx->locale);

    facts = mpk_value_new(mem, MPK_VALUE_OBJECT);

    ngx_http_mpk_claim_facts(ctx, facts);

    mpk_value_bool(facts, mpk_string("error"), claim->wrong != 0);
    mpk_value_bool(facts, mpk_string("track"), 1);
    mpk_value_bool(facts, mpk_string("support"), ctx->mlcf->pages->support);

    for (i = 0; i < NGX_HTTP_MPK_CLAIM_FIELDS; i++) {
        name = ngx_http_mpk_claim_fields[i].name;

        mpk_value_string(facts, ngx_http_mpk_claim_word(mem, "given_", name),
                         i == NGX_HTTP_MPK_CLAIM_ORDER
                         && claim->given[i].len == 0 ? ctx->order
                                                     : claim->given[i]);

        if (claim->wrong & (1 << i)) {
            mpk_value_bool(facts, ngx_http_mpk_claim_word(mem, "error_", name),
                           1);
        }
    }

    /* keep the chosen category selected */

    name = ngx_http_mpk_claim_word(mem, "is_",
                                   claim->given[NGX_HTTP_MPK_CLAIM_CATEGORY]);

    mpk_value_bool(facts, name, 1);

    return ngx_http_mpk_send_page(r, ctx, &answer, NGX_HTTP_MPK_PAGE_CLAIM,
                                  facts);
}


/*
 * Adds what the form says of the order, if the visitor has proved to be its customer; a form
 * with an expired token then gets a fresh one.
 */

static void
ngx_http_mpk_claim_facts(ngx_http_mpk_ctx_t *ctx, mpk_value_t *facts)
{
    int64_t                until;
    mpk_str_t              url;
    ngx_http_mpk_claim_t  *claim;

    claim = ctx->data;

    mpk_value_string(facts, mpk_string("order"), ctx->order);

    if (ctx->txn == NULL) {
        return;
    }

    until = mpk_policy_claim_until(&ctx->txn->order, 0,
                                   ctx->mscf->claim_window,
                                   ctx->txn->request.now);

    ngx_http_mpk_value_time(ctx, facts, mpk_string("claim_until"), until);

    if (claim->expired) {
        url = ngx_http_mpk_claim_renew(ctx, &ctx->mscf->claim_path,
                                       &ctx->txn->order, &claim->token, until);

        mpk_value_string(facts, mpk_string("claim_url"), url);
    }
}


static ngx_int_t
ngx_http_mpk_claim_json(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    const ngx_http_mpk_answer_t *answer, mpk_outcome_t outcome)
{
    mpk_mem_t                              *mem;
    ngx_uint_t                              i;
    mpk_value_t                            *facts, *list, *e;
    ngx_http_mpk_claim_t                   *claim;
    const mpk_outcome_info_t               *info;
    const ngx_http_mpk_claim_field_info_t  *field;

    claim = ctx->data;
    mem = &ctx->mem;

    if (claim->wrong == 0) {
        facts = mpk_value_new(mem, MPK_VALUE_OBJECT);
        list = mpk_value_array(facts, mpk_string("fields"));

    } else if (outcome == MPK_SAME) {
        facts = ngx_http_mpk_problem(ctx, answer->status, mpk_string("invalid"),
                    mpk_string("The claim can't be used; \"errors\" says what "
                               "must be there."),
                    mpk_string("R6"));
        list = mpk_value_array(facts, mpk_string("errors"));

    } else {
        info = mpk_outcome_info(outcome);
        facts = ngx_http_mpk_problem(ctx, answer->status, info->name,
                                     info->detail, info->rule);
        list = mpk_value_array(facts, mpk_string("errors"));
    }

    for (i = 0; i < NGX_HTTP_MPK_CLAIM_FIELDS; i++) {
        field = &ngx_http_mpk_claim_fields[i];

        if (claim->wrong == 0) {
            mpk_value_string(list, mpk_string(""), field->name);

        } else if (claim->wrong & (1 << i)) {
            e = mpk_value_object(list, mpk_string(""));

            mpk_value_string(e, mpk_string("pointer"),
                             ngx_http_mpk_claim_word(mem, "/", field->name));
            mpk_value_string(e, mpk_string("detail"),
                             (mpk_str_t) { ngx_strlen(field->wrong),
                                           (u_char *) field->wrong });
        }
    }

    ngx_http_mpk_claim_facts(ctx, facts);

    return ngx_http_mpk_send_json(r, ctx, answer, facts);
}


static mpk_str_t
ngx_http_mpk_claim_word(mpk_mem_t *mem, const char *prefix,
    mpk_str_t name)
{
    mpk_buf_t  word;

    mpk_buf_init(&word, mem, 32);
    mpk_buf_put(&word, prefix, ngx_strlen(prefix));
    mpk_buf_str(&word, name);

    return mpk_buf_done(&word);
}


ngx_int_t
ngx_http_mpk_claim_refused(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    mpk_outcome_t outcome)
{
    mpk_buf_t                  detail;
    ngx_http_mpk_notice_t      notice;
    const mpk_outcome_info_t  *info;

    info = mpk_outcome_info(outcome);
    notice = ngx_http_mpk_refusal(outcome)->notice;

    ctx->outcome = outcome;

    mpk_buf_init(&detail, &ctx->mem, 200);
    mpk_buf_str(&detail, info->detail);

    if (outcome == MPK_LATE) {
        ctx->claim_until = mpk_policy_claim_until(&ctx->txn->order,
                               ctx->txn->request.claim_item,
                               ctx->mscf->claim_window, ctx->txn->request.now);

        mpk_buf_lit(&detail, " For questions of use, ask the software maker's "
                             "support; the shop's support answers all others.");
    }

    return ngx_http_mpk_send_notice(r, ctx, &notice, info->name,
                                    mpk_buf_done(&detail), info->rule);
}


ngx_int_t
ngx_http_mpk_claim_failed(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    return ngx_http_mpk_send_unavailable(r, ctx,
               mpk_string("The claim can't be recorded right now; send the "
                          "same again in a moment."),
               mpk_string(""));
}
