/* Shared by the files of mpk_api: a call, its body, its answers. */

#ifndef NGX_HTTP_MPK_API_H
#define NGX_HTTP_MPK_API_H

#include "ngx_http_mpk_answer.h"
#include "ngx_http_mpk_orders.h"
#include "ngx_http_mpk_run.h"

#include "mpk_json.h"
#include "mpk_members.h"

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
#define NGX_HTTP_MPK_ROLE_FEED     8
#define NGX_HTTP_MPK_ROLE_COURIER  16
#define NGX_HTTP_MPK_ROLE_ALL      31


/* A call of the API: ctx->data. */
typedef struct {
    mpk_str_t                     order;
    const mpk_value_t            *body;            /* an object, as its route has it; NULL: empty */
    mpk_value_t                  *errors;          /* {pointer, detail}; NULL: none */
    mpk_str_t                     part;            /* of the path: a claim's number, a token id */
    ngx_uint_t                    claim;           /* that number, or a withdrawal's; 0: none */
    void                         *data;            /* the call's own */
    ngx_uint_t                    roles;           /* the token's: bits of NGX_HTTP_MPK_ROLE_* */
    unsigned                      verdict:1;       /* it answers for any order, see "status" */
} ngx_http_mpk_api_t;


ngx_int_t ngx_http_mpk_api_handler(ngx_http_request_t *r);


/* Limits of a JSON body, or of a line of NDJSON. */
extern const mpk_json_limits_t  ngx_http_mpk_api_limits;


/* Handlers of the calls, after the token was checked and the body was read. */
ngx_int_t ngx_http_mpk_api_file(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_show(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_release(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_cancel(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_revoke(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_links(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_journal(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_evidence(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);

ngx_int_t ngx_http_mpk_api_erase(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_suspend(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_resume(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_email(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_withdraw(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_withdraw_accept(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_withdraw_reject(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_withdrawals(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_statement_close(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_worklist(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_claims(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_report(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_note(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_needs_info(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_replace(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_refund(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_reject(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_events(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_events_ack(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_events_unpark(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_events_parked(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
ngx_int_t ngx_http_mpk_api_events_groups(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);

/* As above, but reads the body itself. */
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

/* Reads the body's "items" into the transaction's request; adds an error. */
void ngx_http_mpk_api_items(ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_txn_t *txn);

/* Adds an error about a member of the body. */
void ngx_http_mpk_api_error(ngx_http_mpk_ctx_t *ctx, mpk_str_t pointer,
    const char *detail);

/* A consumer group's name; adds an error if it is none. */
mpk_str_t ngx_http_mpk_api_group(ngx_http_mpk_ctx_t *ctx, mpk_str_t pointer,
    mpk_str_t name);

/* Answers 422 with the errors. */
ngx_int_t ngx_http_mpk_api_invalid(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);

/* Answers why the transaction was refused or failed. */
ngx_int_t ngx_http_mpk_api_refused(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);

/*
 * Reads the call's order with its whole journal, then calls next; answers itself if the
 * order is absent or can't be read.
 */
ngx_int_t ngx_http_mpk_api_read(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_next_pt next);

/* Answers {"order", "state"}, with the claim's state if it is about one; or a refusal. */
ngx_int_t ngx_http_mpk_api_state(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);

/* Result of the comparison with ?anchor=. */
typedef enum {
    NGX_HTTP_MPK_ANCHOR_NONE = 0,      /* no anchor was given */
    NGX_HTTP_MPK_ANCHOR_AGREES,
    NGX_HTTP_MPK_ANCHOR_DIFFERS,
    NGX_HTTP_MPK_ANCHOR_ABSENT         /* the anchor's entry was not found */
} ngx_http_mpk_anchor_t;

/* A journal and its verification. */
typedef struct {
    mpk_chain_t                   chain;
    ngx_http_mpk_anchor_t         anchor;
    mpk_value_t                  *entries;         /* array of the entries that were found */
    ngx_uint_t                    proved;          /* how many of them precede any fault */
} ngx_http_mpk_journal_t;

/*
 * As ngx_http_mpk_api_read(), for a call with ?anchor=; answers itself if that is
 * malformed.
 */
ngx_int_t ngx_http_mpk_journal_ask(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_next_pt next);

/* Opens the entries and verifies their chain, and the anchor if there is one. */
ngx_int_t ngx_http_mpk_journal_read(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_order_t *order,
    ngx_http_mpk_journal_t *journal);

/* Sends the evidence as a page. */
ngx_int_t ngx_http_mpk_evidence_print(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_journal_t *journal,
    mpk_value_t *document);

/* Adds "verdict" and, if an entry is at fault, "entry". */
void ngx_http_mpk_journal_verdict(ngx_http_mpk_journal_t *journal,
    mpk_value_t *facts);

/* How a failed transaction is answered. */
typedef struct {
    ngx_uint_t                    status;
    mpk_str_t                     type;
    mpk_str_t                     detail;
} ngx_http_mpk_api_failure_t;

const ngx_http_mpk_api_failure_t *ngx_http_mpk_api_failure(
    ngx_http_mpk_txn_result_t result);

/* Answers a refusal; order is for the details and may be NULL. */
ngx_int_t ngx_http_mpk_api_outcome(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, mpk_outcome_t outcome, const mpk_order_t *order);

/* Answers a problem that no rule of the policy causes; its type is the outcome's name. */
ngx_int_t ngx_http_mpk_api_problem(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_uint_t status, ngx_uint_t outcome,
    const char *detail);

/* Answers that a transaction or a read failed, which is the request's outcome. */
ngx_int_t ngx_http_mpk_api_fail(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_txn_result_t result);


#endif /* NGX_HTTP_MPK_API_H */
