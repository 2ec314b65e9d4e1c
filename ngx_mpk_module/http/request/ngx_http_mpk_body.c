/* The body of a request, and its fields. */

#include "ngx_http_mpk_body.h"

#include "mpk_form.h"

#define NGX_HTTP_MPK_FIELDS  32     /* of a form */


ngx_int_t
ngx_http_mpk_body(ngx_http_request_t *r, size_t max, mpk_str_t *body)
{
    u_char       *p;
    size_t        size;
    ssize_t       n;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    body->len = 0;
    body->data = (u_char *) "";

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        return NGX_OK;
    }

    size = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        size += ngx_buf_size(cl->buf);
    }

    if (size > max) {
        return NGX_DECLINED;
    }

    cl = r->request_body->bufs;

    if (cl->next == NULL && ngx_buf_in_memory(cl->buf)) {
        body->data = cl->buf->pos;
        body->len = size;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, size + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;
    body->len = size;

    for ( /* void */ ; cl; cl = cl->next) {
        b = cl->buf;

        if (ngx_buf_in_memory(b)) {
            p = ngx_cpymem(p, b->pos, b->last - b->pos);
            continue;
        }

        /* the last buffer of a chunked body is empty */

        if (!b->in_file) {
            continue;
        }

        size = (size_t) (b->file_last - b->file_pos);

        n = ngx_read_file(b->file, p, size, b->file_pos);

        if (n == NGX_ERROR || (size_t) n != size) {
            return NGX_ERROR;
        }

        p += size;
    }

    return NGX_OK;
}


ngx_http_mpk_body_type_t
ngx_http_mpk_body_type(ngx_http_request_t *r)
{
    size_t       len;
    ngx_str_t   *type;
    ngx_uint_t   i;

    static struct {
        ngx_str_t                 name;
        ngx_http_mpk_body_type_t  type;
    } types[] = {
        { ngx_string("application/x-www-form-urlencoded"),
          NGX_HTTP_MPK_BODY_FORM },
        { ngx_string("application/json"), NGX_HTTP_MPK_BODY_JSON },
        { ngx_string("application/x-ndjson"), NGX_HTTP_MPK_BODY_NDJSON },
        { ngx_string("application/ndjson"), NGX_HTTP_MPK_BODY_NDJSON },
        { ngx_string("application/jsonl"), NGX_HTTP_MPK_BODY_NDJSON }
    };

    if (r->headers_in.content_type == NULL) {
        return NGX_HTTP_MPK_BODY_NONE;
    }

    type = &r->headers_in.content_type->value;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        len = types[i].name.len;

        if (type->len >= len
            && (type->len == len || type->data[len] == ';'
                || type->data[len] == ' ' || type->data[len] == '\t')
            && (ngx_memcmp(types[i].name.data, type->data, len) == 0
                || ngx_strncasecmp(types[i].name.data, type->data, len) == 0))
        {
            return types[i].type;
        }
    }

    return NGX_HTTP_MPK_BODY_OTHER;
}


ngx_int_t
ngx_http_mpk_fields(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx, size_t max,
    mpk_value_t **fields, mpk_error_t *error)
{
    mpk_str_t          body;
    ngx_int_t          rc;
    mpk_status_t       status;
    mpk_form_limits_t  form;
    mpk_json_limits_t  json;

    *fields = NULL;

    rc = ngx_http_mpk_body(r, max, &body);

    if (rc == NGX_DECLINED) {
        (void) mpk_fail(error, MPK_LIMIT, 0, "the body is over %zu bytes", max);

        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    switch (ngx_http_mpk_body_type(r)) {

    case NGX_HTTP_MPK_BODY_FORM:
        form = (mpk_form_limits_t) { .size = max,
                                     .fields = NGX_HTTP_MPK_FIELDS };

        status = mpk_form_read(&ctx->mem, body.data, body.len, &form,
                               fields, error);
        break;

    case NGX_HTTP_MPK_BODY_JSON:
        json = (mpk_json_limits_t) { .size = max, .depth = 2,
                                     .values = NGX_HTTP_MPK_FIELDS };

        status = mpk_json_read(&ctx->mem, body.data, body.len, &json,
                               fields, error);

        if (status == MPK_OK && (*fields)->type != MPK_VALUE_OBJECT) {
            status = mpk_fail(error, MPK_MALFORMED, 0,
                              "the body must be a JSON object");
        }

        break;

    default:

        if (body.len == 0) {
            return NGX_OK;
        }

        (void) mpk_fail(error, MPK_MALFORMED, 0,
                        "the body must be a form or application/json");

        return NGX_HTTP_UNSUPPORTED_MEDIA_TYPE;
    }

    if (status == MPK_NOMEM) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (status != MPK_OK) {
        *fields = NULL;
        return NGX_HTTP_BAD_REQUEST;
    }

    return NGX_OK;
}
