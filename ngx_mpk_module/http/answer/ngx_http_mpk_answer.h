/* Answers: pages, JSON and problems. */

#ifndef NGX_HTTP_MPK_ANSWER_H
#define NGX_HTTP_MPK_ANSWER_H

#include "ngx_http_mpk_pages.h"

#include "mpk_value.h"


/* Status and headers; seconds, 0: none. */
typedef struct {
    ngx_uint_t                    status;
    ngx_uint_t                    retry_after;
    ngx_uint_t                    refresh;
    const char                   *allow;
} ngx_http_mpk_answer_t;


/* A page that says what happened, and what to do next. */
typedef struct {
    ngx_uint_t                    status;
    ngx_http_mpk_page_t           page;
    unsigned                      track:1;         /* a link to the tracking page */
    unsigned                      retry:1;         /* a link to the same address */
    unsigned                      support:1;
    unsigned                      rights:1;        /* see ngx_http_mpk_value_rights() */
    ngx_uint_t                    refresh;         /* seconds; 0: it does not reload itself */
    ngx_uint_t                    retry_after;
} ngx_http_mpk_notice_t;


/* Each sends a whole answer, finalizes the request and gives NGX_DONE. */

ngx_int_t ngx_http_mpk_send_page(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, const ngx_http_mpk_answer_t *answer,
    ngx_http_mpk_page_t page, const mpk_value_t *facts);

/* Sends the notice as a page or, as JSON, the other arguments as a problem. */
ngx_int_t ngx_http_mpk_send_notice(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, const ngx_http_mpk_notice_t *notice,
    mpk_str_t type, mpk_str_t detail, mpk_str_t rule);

/* 403: another site has sent the form. */
ngx_int_t ngx_http_mpk_send_foreign(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, mpk_str_t rule);

/* 503: Redis could not be read or written. */
ngx_int_t ngx_http_mpk_send_unavailable(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, mpk_str_t detail, mpk_str_t rule);

ngx_int_t ngx_http_mpk_send_json(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, const ngx_http_mpk_answer_t *answer,
    const mpk_value_t *facts);

/* Sends JSON that the caller has written. */
ngx_int_t ngx_http_mpk_send_written(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, const ngx_http_mpk_answer_t *answer,
    mpk_buf_t *body);

/* Sends any other type; not for HTML with secrets. */
ngx_int_t ngx_http_mpk_send_typed(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, const ngx_http_mpk_answer_t *answer,
    ngx_str_t *type, mpk_buf_t *body);

/* problem+json, to which the caller adds members before it is sent as JSON. */
mpk_value_t *ngx_http_mpk_problem(ngx_http_mpk_ctx_t *ctx, ngx_uint_t status,
    mpk_str_t type, mpk_str_t detail, mpk_str_t rule);

/* problem+json (RFC 9457); "errors" may be NULL: an array of {pointer, detail}. */
ngx_int_t ngx_http_mpk_send_problem(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, const ngx_http_mpk_answer_t *answer,
    mpk_str_t type, mpk_str_t detail, mpk_str_t rule, mpk_value_t *errors);


/* The header of a 200 whose body the caller sends; length -1: not known yet. */
ngx_int_t ngx_http_mpk_send_header(ngx_http_request_t *r, ngx_str_t *type,
    off_t length);

/* Adds a time: RFC 3339 for JSON, for a page in words as an element; null for 0. */
void ngx_http_mpk_value_time(ngx_http_mpk_ctx_t *ctx,
    mpk_value_t *parent, mpk_str_t name, int64_t seconds);

/*
 * Adds the sentence that statutory rights are not affected, the policy's URL and, for JSON,
 * the support's addresses: for answers that refuse something.
 */
void ngx_http_mpk_value_rights(ngx_http_mpk_ctx_t *ctx, mpk_value_t *facts);

/* Adds the address of the shop's policy, if it is known (mpk_policy_url). */
void ngx_http_mpk_value_policy(ngx_http_mpk_ctx_t *ctx, mpk_value_t *facts);


#endif /* NGX_HTTP_MPK_ANSWER_H */
