/* Errors of the API: problems, refusals, failures. */

#include "ngx_http_mpk_api.h"
#include "ngx_http_mpk_refusal.h"

#include "mpk_errors.h"


void
ngx_http_mpk_api_error(ngx_http_mpk_ctx_t *ctx, mpk_str_t pointer,
    const char *detail)
{
    ngx_http_mpk_api_t  *api;

    api = ctx->data;

    mpk_errors_add(&ctx->mem, &api->errors, pointer,
                   (mpk_str_t) { ngx_strlen(detail), (u_char *) detail });
}


ngx_int_t
ngx_http_mpk_api_invalid(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_api_t     *api;
    ngx_http_mpk_answer_t   answer;

    api = ctx->data;
    ctx->outcome = NGX_HTTP_MPK_OUTCOME_INVALID;

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = 422;

    return ngx_http_mpk_send_problem(r, ctx, &answer, mpk_string("invalid"),
               mpk_string("The body can't be used; \"errors\" says why."),
               mpk_string(""), api->errors);
}


ngx_int_t
ngx_http_mpk_api_refused(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_txn_t  *txn;

    txn = ctx->txn;

    if (txn->result != NGX_HTTP_MPK_TXN_OK) {
        return ngx_http_mpk_api_fail(r, ctx, txn->result);
    }

    return ngx_http_mpk_api_outcome(r, ctx, txn->decision.outcome,
                                    &txn->order);
}


ngx_int_t
ngx_http_mpk_api_outcome(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    mpk_outcome_t outcome, const mpk_order_t *order)
{
    u_char                    *p;
    mpk_buf_t                  detail;
    ngx_http_mpk_answer_t      answer;
    const mpk_outcome_info_t  *info;

    info = mpk_outcome_info(outcome);
    ctx->outcome = outcome;

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));

    if (outcome == MPK_ABSENT && ctx->mlcf->fallthrough) {
        return ngx_http_mpk_pass(r, ctx);
    }

    answer.status = ngx_http_mpk_refusal(outcome)->api;

    mpk_buf_init(&detail, &ctx->mem, 160);
    mpk_buf_str(&detail, info->detail);

    if (outcome == MPK_DELIVERED) {
        mpk_buf_lit(&detail, " It was delivered at ");

        p = mpk_buf_room(&detail, MPK_TIME_LEN);
        if (p) {
            mpk_time_format(order->delivered_at, p);
        }

        if (order->delivered_by == MPK_CHANNEL_NONE) {
            mpk_buf_lit(&detail, ", as the shop said when it was imported.");

        } else {
            mpk_buf_lit(&detail, ", channel ");
            mpk_buf_str(&detail, mpk_channel_name(order->delivered_by));
            mpk_buf_byte(&detail, '.');
        }
    }

    if (outcome == MPK_LATE) {
        mpk_buf_lit(&detail, " Say in \"exception\" why it is taken all the "
                             "same.");
    }

    return ngx_http_mpk_send_problem(r, ctx, &answer, info->name,
                                     mpk_buf_done(&detail), info->rule, NULL);
}


ngx_int_t
ngx_http_mpk_api_fail(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_txn_result_t result)
{
    ngx_http_mpk_answer_t              answer;
    const ngx_http_mpk_api_failure_t  *failure;

    failure = ngx_http_mpk_api_failure(result);
    ctx->outcome = ngx_http_mpk_txn_outcome(result);

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));

    answer.status = failure->status;
    answer.retry_after = (failure->status == NGX_HTTP_SERVICE_UNAVAILABLE);

    return ngx_http_mpk_send_problem(r, ctx, &answer, failure->type,
                                     failure->detail, mpk_string(""), NULL);
}


const ngx_http_mpk_api_failure_t *
ngx_http_mpk_api_failure(ngx_http_mpk_txn_result_t result)
{
    static const ngx_http_mpk_api_failure_t  lost = {
        NGX_HTTP_SERVICE_UNAVAILABLE, mpk_literal("lost"),
        mpk_literal("Redis did not answer in time; it may have been done. "
                    "Send the same again.")
    };

    static const ngx_http_mpk_api_failure_t  error = {
        NGX_HTTP_INTERNAL_SERVER_ERROR, mpk_literal("error"),
        mpk_literal("What is stored can't be used; the error log says why.")
    };

    static const ngx_http_mpk_api_failure_t  unavailable = {
        NGX_HTTP_SERVICE_UNAVAILABLE, mpk_literal("unavailable"),
        mpk_literal("Nothing was written. Send the same again.")
    };

    switch (result) {

    case NGX_HTTP_MPK_TXN_LOST:
        return &lost;

    case NGX_HTTP_MPK_TXN_ERROR:
        return &error;

    default: /* UNAVAILABLE, BUSY */
        return &unavailable;
    }
}


ngx_int_t
ngx_http_mpk_api_problem(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_uint_t status, ngx_uint_t outcome, const char *detail)
{
    ngx_http_mpk_answer_t  answer;

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = status;

    ctx->outcome = outcome;

    return ngx_http_mpk_send_problem(r, ctx, &answer,
               ngx_http_mpk_outcome_name(outcome),
               (mpk_str_t) { ngx_strlen(detail), (u_char *) detail },
               mpk_string(""), NULL);
}
