/* The body of a request. */

#ifndef NGX_HTTP_MPK_BODY_H
#define NGX_HTTP_MPK_BODY_H

#include "ngx_http_mpk_ctx.h"

#include "mpk_value.h"


typedef enum {
    NGX_HTTP_MPK_BODY_NONE = 0,
    NGX_HTTP_MPK_BODY_FORM,
    NGX_HTTP_MPK_BODY_JSON,
    NGX_HTTP_MPK_BODY_NDJSON,
    NGX_HTTP_MPK_BODY_OTHER
} ngx_http_mpk_body_type_t;


/*
 * ngx_http_mpk_body_read.c: reads the whole body into memory, then calls next by way of
 * the phases; of a body over max bytes so much that the functions below see it.
 * NGX_DONE or an error to return from the handler.
 */
ngx_int_t ngx_http_mpk_read_body(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, size_t max, ngx_http_mpk_next_pt next);

/* The body in one piece; NGX_DECLINED: over max bytes. */
ngx_int_t ngx_http_mpk_body(ngx_http_request_t *r, size_t max,
    mpk_str_t *body);

ngx_http_mpk_body_type_t ngx_http_mpk_body_type(ngx_http_request_t *r);

/*
 * Parses a form or a JSON object; *fields is NULL for an empty body.  Errors, *fields is
 * NULL: 400, 413 and 415, described in error; 500.
 */
ngx_int_t ngx_http_mpk_fields(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    size_t max, mpk_value_t **fields, mpk_error_t *error);


#endif /* NGX_HTTP_MPK_BODY_H */
