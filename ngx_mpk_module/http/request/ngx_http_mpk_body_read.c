/*
 * Reading a request's body into memory: it can have keys, emails and tokens in it, which
 * nginx would write to a temporary file if it is larger than client_body_buffer_size.
 */

#include "ngx_http_mpk_body.h"


static void ngx_http_mpk_body_handler(ngx_http_request_t *r);
static void ngx_http_mpk_body_more(ngx_http_request_t *r);
static void ngx_http_mpk_body_end(ngx_http_request_t *r);
static void ngx_http_mpk_body_failed(ngx_http_request_t *r, ngx_int_t rc);
static void ngx_http_mpk_body_take(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static void ngx_http_mpk_body_whole(ngx_http_request_t *r);


ngx_int_t
ngx_http_mpk_read_body(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    size_t max, ngx_http_mpk_next_pt next)
{
    ngx_int_t                  rc;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    ctx->next = next;
    ctx->waiting = 1;
    ctx->body_max = max;

    /* one that fits into nginx's buffer is not written to a file */

    r->request_body_no_buffering =
        r->headers_in.chunked || r->request_body_in_file_only
        || r->headers_in.content_length_n
           > (off_t) clcf->client_body_buffer_size;

    rc = ngx_http_read_client_request_body(r, ngx_http_mpk_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_DONE;
}


/* Called when the first part of the body has arrived, most often all of it. */

static void
ngx_http_mpk_body_handler(ngx_http_request_t *r)
{
    size_t               size;
    ngx_http_mpk_ctx_t  *ctx;

    if (!r->reading_body) {
        ngx_http_mpk_body_whole(r);
        return;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_mpk_module);

    /* a byte over max: by it the body is known to be too large */

    size = ctx->body_max + 1;

    if (!r->headers_in.chunked && r->headers_in.content_length_n > 0
        && r->headers_in.content_length_n < (off_t) size)
    {
        size = (size_t) r->headers_in.content_length_n;
    }

    ctx->body = ngx_create_temp_buf(r->pool, size);
    if (ctx->body == NULL) {
        ngx_http_mpk_body_failed(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    r->read_event_handler = ngx_http_mpk_body_more;
    r->write_event_handler = ngx_http_request_empty_handler;

    ngx_http_mpk_body_more(r);
}


static void
ngx_http_mpk_body_more(ngx_http_request_t *r)
{
    ngx_int_t            rc;
    ngx_chain_t         *cl;
    ngx_http_mpk_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_mpk_module);

    for ( ;; ) {
        ngx_http_mpk_body_take(r, ctx);

        if (!r->reading_body) {
            break;
        }

        rc = ngx_http_read_unbuffered_request_body(r);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            ngx_http_mpk_body_failed(r, rc);
            return;
        }

        if (r->request_body->bufs == NULL && r->reading_body) {
            return;
        }
    }

    if (ctx->body->pos != ctx->body->last) {
        cl = ngx_alloc_chain_link(r->pool);
        if (cl == NULL) {
            ngx_http_mpk_body_failed(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
            return;
        }

        cl->buf = ctx->body;
        cl->next = NULL;
        r->request_body->bufs = cl;
    }

    ngx_http_mpk_body_end(r);
    ngx_http_mpk_body_whole(r);
}


static void
ngx_http_mpk_body_end(ngx_http_request_t *r)
{
    if (r->connection->read->timer_set) {
        ngx_del_timer(r->connection->read);
    }

    r->request_body_no_buffering = 0;
    r->read_event_handler = ngx_http_block_reading;
}


/* An error page must neither read on nor be given a part of the body. */

static void
ngx_http_mpk_body_failed(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_http_mpk_body_end(r);

    r->reading_body = 0;
    r->request_body->bufs = NULL;
    r->headers_in.chunked = 0;
    r->headers_in.content_length_n = 0;

    ngx_http_finalize_request(r, rc);
}


/*
 * Moves what has arrived, as far as it fits, so that nginx can read into its buffer again:
 * the answer is sent when the client has sent everything.
 */

static void
ngx_http_mpk_body_take(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    size_t        size;
    ngx_buf_t    *b, *body;
    ngx_chain_t  *cl;

    body = ctx->body;

    while ((cl = r->request_body->bufs) != NULL) {
        b = cl->buf;

        if (ngx_buf_in_memory(b)) {
            size = ngx_min(b->last - b->pos, body->end - body->last);
            ctx->body_cut |= (size < (size_t) (b->last - b->pos));

            body->last = ngx_cpymem(body->last, b->pos, size);

            mpk_cleanse(b->pos, b->last - b->pos);
            b->pos = b->last;
        }

        r->request_body->bufs = cl->next;
        ngx_free_chain(r->pool, cl);
    }
}


static void
ngx_http_mpk_body_whole(ngx_http_request_t *r)
{
    ngx_http_mpk_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_mpk_module);

    ctx->waiting = 0;

    r->preserve_body = 1;
    r->write_event_handler = ngx_http_core_run_phases;

    ngx_http_core_run_phases(r);
}
