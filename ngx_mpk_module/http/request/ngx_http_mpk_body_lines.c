/* The lines of a request's body, from memory and from files, in passes of the event loop. */

#include "ngx_http_mpk_body_lines.h"

#define NGX_HTTP_MPK_BODY_LINES_PASS  (256 * 1024)   /* bytes of body in one pass */
#define NGX_HTTP_MPK_BODY_LINES_FILE  16384          /* bytes of a file at once */


static ngx_int_t ngx_http_mpk_body_lines_more(ngx_http_mpk_body_lines_t *bl);
static ngx_int_t ngx_http_mpk_body_lines_piece(ngx_http_mpk_body_lines_t *bl);
static void ngx_http_mpk_body_lines_release(ngx_http_mpk_body_lines_t *bl);


void
ngx_http_mpk_body_lines_init(ngx_http_mpk_body_lines_t *bl,
    ngx_http_request_t *r, mpk_mem_t *mem, size_t max)
{
    ngx_memzero(bl, sizeof(ngx_http_mpk_body_lines_t));

    bl->request = r;

    mpk_lines_init(&bl->split, mem, max);
}


ngx_int_t
ngx_http_mpk_body_lines_read(ngx_http_mpk_body_lines_t *bl,
    ngx_http_client_body_handler_pt handler)
{
    ngx_http_request_t  *r;

    r = bl->request;

    bl->shared = (r->request_body || r->discard_body);

    r->request_body_no_buffering = 1;

    return ngx_http_read_client_request_body(r, handler);
}


void
ngx_http_mpk_body_lines_begin(ngx_http_mpk_body_lines_t *bl)
{
    ngx_http_request_t  *r;

    r = bl->request;

    /* NULL: the body was discarded */

    if (r->request_body) {
        bl->in = r->request_body->bufs;
    }

    if (!bl->shared) {
        r->request_body->bufs = NULL;
    }
}


ngx_int_t
ngx_http_mpk_body_lines_next(ngx_http_mpk_body_lines_t *bl,
    mpk_status_t *status, mpk_str_t *line)
{
    ngx_int_t  rc;

    for ( ;; ) {
        *status = mpk_lines_next(&bl->split, &bl->piece, bl->last, line);

        if (*status == MPK_OK || *status == MPK_LIMIT) {
            return NGX_OK;
        }

        if (*status != MPK_MISSING) {
            return NGX_ERROR;
        }

        if (bl->last) {
            return NGX_DONE;
        }

        rc = ngx_http_mpk_body_lines_more(bl);

        if (rc != NGX_OK) {
            return rc;
        }
    }
}


void
ngx_http_mpk_body_lines_forget(ngx_http_mpk_body_lines_t *bl)
{
    while (bl->in) {
        ngx_http_mpk_body_lines_release(bl);
    }

    if (bl->buffer) {
        mpk_cleanse(bl->buffer, NGX_HTTP_MPK_BODY_LINES_FILE);
    }

    mpk_lines_forget(&bl->split);
}


/* Sets the next piece, or bl->last. */

static ngx_int_t
ngx_http_mpk_body_lines_more(ngx_http_mpk_body_lines_t *bl)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = bl->request;

    if (bl->taken >= NGX_HTTP_MPK_BODY_LINES_PASS) {
        return NGX_BUSY;
    }

    for ( ;; ) {
        rc = ngx_http_mpk_body_lines_piece(bl);

        if (rc != NGX_DONE) {
            return rc;
        }

        if (!r->reading_body) {
            bl->last = 1;
            return NGX_OK;
        }

        rc = ngx_http_read_unbuffered_request_body(r);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            return rc;
        }

        bl->in = r->request_body->bufs;
        r->request_body->bufs = NULL;

        if (bl->in == NULL && r->reading_body) {
            return NGX_AGAIN;
        }
    }
}


/* Sets the next piece of the buffers that were read; NGX_DONE: none. */

static ngx_int_t
ngx_http_mpk_body_lines_piece(ngx_http_mpk_body_lines_t *bl)
{
    size_t      size;
    ssize_t     n;
    ngx_buf_t  *b;

    /* the previous piece was the rest of a memory buffer */

    if (bl->piece.data && bl->in && ngx_buf_in_memory(bl->in->buf)) {
        ngx_http_mpk_body_lines_release(bl);
    }

    bl->piece = (mpk_str_t) { 0, NULL };

    for ( /* void */ ; bl->in; ngx_http_mpk_body_lines_release(bl)) {
        b = bl->in->buf;

        if (ngx_buf_in_memory(b)) {

            if (b->pos == b->last) {
                continue;
            }

            bl->piece.data = b->pos;
            bl->piece.len = b->last - b->pos;
            bl->taken += bl->piece.len;

            return NGX_OK;
        }

        if (!b->in_file || b->file_pos + bl->at >= b->file_last) {
            continue;
        }

        if (bl->buffer == NULL) {
            bl->buffer = ngx_palloc(bl->request->pool,
                                    NGX_HTTP_MPK_BODY_LINES_FILE);
            if (bl->buffer == NULL) {
                return NGX_ERROR;
            }
        }

        size = (size_t) ngx_min(b->file_last - b->file_pos - bl->at,
                                NGX_HTTP_MPK_BODY_LINES_FILE);

        n = ngx_read_file(b->file, bl->buffer, size, b->file_pos + bl->at);

        if (n == NGX_ERROR || (size_t) n != size) {
            return NGX_ERROR;
        }

        bl->at += n;
        bl->taken += n;

        bl->piece.data = bl->buffer;
        bl->piece.len = n;

        return NGX_OK;
    }

    return NGX_DONE;
}


/* Releases the first buffer, so that nginx can read into it again. */

static void
ngx_http_mpk_body_lines_release(ngx_http_mpk_body_lines_t *bl)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    cl = bl->in;
    b = cl->buf;

    bl->in = cl->next;
    bl->at = 0;

    if (bl->shared) {
        return;
    }

    if (ngx_buf_in_memory(b)) {
        mpk_cleanse(b->pos, b->last - b->pos);
        b->pos = b->last;
    }

    ngx_free_chain(bl->request->pool, cl);
}
