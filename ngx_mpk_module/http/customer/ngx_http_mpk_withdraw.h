/* Shared by the files of mpk_withdraw. */

#ifndef NGX_HTTP_MPK_WITHDRAW_H
#define NGX_HTTP_MPK_WITHDRAW_H

#include "ngx_http_mpk_lookup.h"
#include "ngx_http_mpk_run.h"
#include "ngx_http_mpk_statement.h"


/* The fields of the form, in its order; the last two are hidden. */
typedef enum {
    NGX_HTTP_MPK_WITHDRAW_NAME = 0,
    NGX_HTTP_MPK_WITHDRAW_ORDER,
    NGX_HTTP_MPK_WITHDRAW_EMAIL,
    NGX_HTTP_MPK_WITHDRAW_ITEMS,
    NGX_HTTP_MPK_WITHDRAW_FORM,
    NGX_HTTP_MPK_WITHDRAW_FIELDS
} ngx_http_mpk_withdraw_field_t;

typedef struct {
    mpk_str_t                     name;
    size_t                        max;
    unsigned                      required:1;
    const char                   *wrong;           /* what it must be, for programs */
} ngx_http_mpk_withdraw_field_info_t;

/* A statement in progress: ctx->data. */
typedef struct {
    mpk_str_t                     given[NGX_HTTP_MPK_WITHDRAW_FIELDS];
    mpk_str_t                     received;        /* a stamp: when it was first received */
    ngx_uint_t                    wrong;           /* bits of the fields */
    ngx_http_mpk_lookup_t         lookup;
    mpk_number_t                  number;
    ngx_http_mpk_statement_t      statement;
    u_char                        digest[MPK_MAC_LEN];
    u_char                        id[NGX_HTTP_MPK_STATEMENT_ID];
} ngx_http_mpk_withdraw_t;

extern const ngx_http_mpk_withdraw_field_info_t
    ngx_http_mpk_withdraw_fields[];


/* Sends the form, with what was typed. */
ngx_int_t ngx_http_mpk_withdraw_form(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);

/* Sends the page that repeats the statement and asks to confirm it. */
ngx_int_t ngx_http_mpk_withdraw_repeat(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);

/* The same with 503: it could not be recorded, and can be sent again or by mail. */
ngx_int_t ngx_http_mpk_withdraw_away(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);

/* Sends the receipt, which says nothing of the order (I8). */
ngx_int_t ngx_http_mpk_withdraw_receipt(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);


#endif /* NGX_HTTP_MPK_WITHDRAW_H */
