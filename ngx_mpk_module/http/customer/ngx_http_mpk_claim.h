/* Shared by the files of mpk_claim. */

#ifndef NGX_HTTP_MPK_CLAIM_H
#define NGX_HTTP_MPK_CLAIM_H

#include "ngx_http_mpk_lookup.h"
#include "ngx_http_mpk_run.h"

#include "mpk_token.h"

#define NGX_HTTP_MPK_CLAIM_BODY_MAX  32768     /* bytes of a form */


/* The fields of the form, in its order. */
typedef enum {
    NGX_HTTP_MPK_CLAIM_NAME = 0,
    NGX_HTTP_MPK_CLAIM_ORDER,
    NGX_HTTP_MPK_CLAIM_EMAIL,
    NGX_HTTP_MPK_CLAIM_KEY,
    NGX_HTTP_MPK_CLAIM_CATEGORY,
    NGX_HTTP_MPK_CLAIM_DESCRIPTION,
    NGX_HTTP_MPK_CLAIM_FIELDS
} ngx_http_mpk_claim_field_t;

typedef struct {
    mpk_str_t                     name;
    size_t                        max;
    const char                   *wrong;           /* what it must be, for programs */
} ngx_http_mpk_claim_field_info_t;


/* An answer to what support asked. */
typedef struct {
    ngx_uint_t                    claim;           /* its number; 0: no valid one */
    mpk_str_t                     text;
    mpk_str_t                     note;            /* what was asked */
    unsigned                      wrong_text:1;
    unsigned                      wrong_email:1;
    unsigned                      unasked:1;
} ngx_http_mpk_reply_t;


/* A claim in progress: ctx->data. */
typedef struct {
    mpk_token_t                   token;
    u_char                        id[MPK_TOKEN_ID_LEN];
    ngx_http_mpk_lookup_t         lookup;          /* the email; asked if the token has expired */
    mpk_category_t                category;
    mpk_str_t                     given[NGX_HTTP_MPK_CLAIM_FIELDS];
    ngx_uint_t                    wrong;           /* bits of the fields */
    ngx_http_mpk_reply_t          reply;
    unsigned                      expired:1;       /* the token */
} ngx_http_mpk_claim_t;

extern const ngx_http_mpk_claim_field_info_t
    ngx_http_mpk_claim_fields[];


/* Verifies the token, which may have expired; NGX_DECLINED: it is not valid, return *rc. */
ngx_int_t ngx_http_mpk_claim_token(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_str_t *text, ngx_int_t *rc);

/* Answers a request whose token names an item: an answer to what support asked. */
ngx_int_t ngx_http_mpk_claim_reply(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);

/*
 * Whether the order's email was corrected since the token was handed out or, if the email
 * was asked for, since that was compared.
 */
ngx_uint_t ngx_http_mpk_claim_outdated(const ngx_http_mpk_txn_t *txn,
    const ngx_http_mpk_claim_t *claim);

/* Without the white space around it. */
mpk_str_t ngx_http_mpk_claim_trim(mpk_str_t text);

/* Creates a transaction on the token's order. */
ngx_http_mpk_txn_t *ngx_http_mpk_claim_txn(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, mpk_event_t event);

/* Answers with the claim, new or existing: its number and where to upload files. */
ngx_int_t ngx_http_mpk_claim_answer(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_uint_t status);

/*
 * Sends the form, with what was typed if something is wrong: outcome says what, SAME
 * stands for fields that are missing or malformed.  Without a transaction it says nothing
 * of the order.
 */
ngx_int_t ngx_http_mpk_claim_form(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, mpk_outcome_t outcome);

/* Answers a refusal of the policy. */
ngx_int_t ngx_http_mpk_claim_refused(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, mpk_outcome_t outcome);

/* Answers 503: Redis could not be read or written. */
ngx_int_t ngx_http_mpk_claim_failed(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);


#endif /* NGX_HTTP_MPK_CLAIM_H */
