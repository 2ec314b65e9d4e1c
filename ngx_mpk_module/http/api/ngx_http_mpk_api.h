/* What the files of mpk_api share: a call, its body, its answers. */

#ifndef NGX_HTTP_MPK_API_H
#define NGX_HTTP_MPK_API_H

#include "ngx_http_mpk_answer.h"
#include "ngx_http_mpk_orders.h"
#include "ngx_http_mpk_run.h"

#include "mpk_json.h"

#define NGX_HTTP_MPK_API_BODY_MAX  (1024 * 1024)


/* A line of mpk_api_tokens. */
typedef struct {
    ngx_str_t                     name;
    ngx_uint_t                    roles;           /* bits of NGX_HTTP_MPK_ROLE_* */
    u_char                        hash[MPK_MAC_LEN];
} ngx_http_mpk_api_token_t;

#define NGX_HTTP_MPK_ROLE_SHOP     1
#define NGX_HTTP_MPK_ROLE_SUPPORT  2
#define NGX_HTTP_MPK_ROLE_READ     4
#define NGX_HTTP_MPK_ROLE_ALL      7


/* A call of the API: ctx->data. */
typedef struct {
    mpk_str_t                     order;
    const mpk_value_t            *body;            /* an object; NULL: empty */
    mpk_value_t                  *errors;          /* {pointer, detail}; NULL: none */
    ngx_uint_t                    claim;           /* its number, where the path has one */
    void                         *data;            /* the call's own */
} ngx_http_mpk_api_t;


ngx_int_t ngx_http_mpk_api_handler(ngx_http_request_t *r);


/* Of a body, or of a line of one. */
extern const mpk_json_limits_t  ngx_http_mpk_api_limits;


/* The calls, once the token is checked and the body is read. */
ngx_int_t ngx_http_mpk_api_file(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_show(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_release(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_cancel(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_links(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_journal(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_evidence(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);

ngx_int_t ngx_http_mpk_api_erase(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_claims(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_needs_info(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_replace(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_refund(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_reject(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);

/* The same, but that it reads its body itself. */
ngx_int_t ngx_http_mpk_api_ndjson(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);

/*
 * Reads an order that is to be filed, and seals it into the transaction.  A
 * transaction without an id takes it from the member "order".  *errors is what is
 * wrong with it, NULL: nothing; errors, and what is of no use any more once this
 * returns, are made in mem.  NGX_ERROR: logged, or no memory.
 */
ngx_int_t ngx_http_mpk_api_filing(ngx_http_mpk_txn_t *txn,
    mpk_mem_t *mem, const mpk_value_t *body, mpk_value_t **errors);

/* A transaction on the call's order. */
ngx_http_mpk_txn_t *ngx_http_mpk_api_txn(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, mpk_event_t event);

/* Notes what is wrong with a member of the body. */
void ngx_http_mpk_api_error(ngx_http_mpk_ctx_t *ctx, mpk_str_t pointer,
    const char *detail);

/* 422 with the errors noted. */
ngx_int_t ngx_http_mpk_api_invalid(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);

/* What the transaction refused or could not do, as a problem. */
ngx_int_t ngx_http_mpk_api_refused(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);

/*
 * Reads the call's order with its whole history, then calls next; an order that is
 * not there or can't be read is answered.
 */
ngx_int_t ngx_http_mpk_api_read(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_next_pt next);

/* {"order", "state"}, and the claim's where it is about one; or what refuses it. */
ngx_int_t ngx_http_mpk_api_state(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);

/* What ?anchor= has found. */
typedef enum {
    NGX_HTTP_MPK_ANCHOR_NONE = 0,      /* it was not given */
    NGX_HTTP_MPK_ANCHOR_AGREES,
    NGX_HTTP_MPK_ANCHOR_DIFFERS,
    NGX_HTTP_MPK_ANCHOR_ABSENT         /* its entry is not there to compare */
} ngx_http_mpk_anchor_t;

/* A journal as it was found. */
typedef struct {
    mpk_chain_t                   chain;
    ngx_http_mpk_anchor_t         anchor;
    mpk_value_t                  *entries;         /* an array of those there */
    ngx_uint_t                    proved;          /* of them, before any fault */
} ngx_http_mpk_journal_t;

/* ngx_http_mpk_api_read() for a call with ?anchor=; a bad one is answered. */
ngx_int_t ngx_http_mpk_journal_ask(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_next_pt next);

/* Opens the entries and verifies their chain, and the anchor if there is one. */
ngx_int_t ngx_http_mpk_journal_read(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_order_t *order,
    ngx_http_mpk_journal_t *journal);

/* The evidence as a page. */
ngx_int_t ngx_http_mpk_evidence_print(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_journal_t *journal,
    mpk_value_t *document);

/* Adds "verdict", and "entry" where one is at fault. */
void ngx_http_mpk_journal_verdict(ngx_http_mpk_journal_t *journal,
    mpk_value_t *facts);

/* What a transaction could not do, and why. */
typedef struct {
    ngx_uint_t                    status;
    mpk_str_t                     type;
    mpk_str_t                     detail;
} ngx_http_mpk_api_failure_t;

const ngx_http_mpk_api_failure_t *ngx_http_mpk_api_failure(
    ngx_http_mpk_txn_result_t result);

/* What a rule refuses, or an order that is not there; order for the details. */
ngx_int_t ngx_http_mpk_api_outcome(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, mpk_outcome_t outcome, const mpk_order_t *order);

/* A problem of no rule. */
ngx_int_t ngx_http_mpk_api_problem(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_uint_t status, const char *type,
    const char *detail);

/* What could not be done, as a problem. */
ngx_int_t ngx_http_mpk_api_fail(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_txn_result_t result);


#endif /* NGX_HTTP_MPK_API_H */
