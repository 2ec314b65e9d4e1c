/* How much of an answer with keys has left nginx. */

#include "ngx_http_mpk_sent.h"


static ngx_uint_t ngx_http_mpk_sent_all(ngx_http_request_t *r);
static off_t ngx_http_mpk_sent_pending(ngx_connection_t *c);


off_t
ngx_http_mpk_sent(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    off_t         sent, pending;
    ngx_chain_t  *cl;

    if (!ctx->shown) {
        return 0;
    }

    if (ngx_http_mpk_sent_all(r)) {
        return NGX_HTTP_MPK_SENT_ALL;
    }

    /* a filter that changes the body consumes our buffers at once */

    if (ctx->filtered) {
        return NGX_HTTP_MPK_SENT_UNKNOWN;
    }

    sent = 0;

    for (cl = ctx->out; cl; cl = cl->next) {
        sent += cl->buf->pos - cl->buf->start;
    }

    pending = ngx_http_mpk_sent_pending(r->connection);

#if (NGX_HTTP_V2)

    if (r->stream) {
        pending = ngx_http_mpk_sent_pending(r->stream->connection->connection);
    }

#endif

    return sent > pending ? sent - pending : 0;
}


/*
 * In HTTP/3 the stream's buffer counts as written, as a socket's does, unless the stream was
 * reset: the request ends before nginx can tell more.
 */

static ngx_uint_t
ngx_http_mpk_sent_all(ngx_http_request_t *r)
{
    ngx_connection_t  *c;

    c = r->connection;

    if (!r->header_sent || r->out || c->buffered) {
        return 0;
    }

#if (NGX_HTTP_V2)

    if (r->stream && (r->stream->queued || c->error)) {
        return 0;
    }

#endif

#if (NGX_HTTP_V3)

    if (c->quic && (c->error || c->write->error)) {
        return 0;
    }

#endif

    return 1;
}


/* Bytes that were taken from the buffers, but are still within nginx. */

static off_t
ngx_http_mpk_sent_pending(ngx_connection_t *c)
{
#if (NGX_HTTP_V3)

    if (c->quic) {
        return c->quic->sent - c->quic->send_offset;
    }

#endif

#if (NGX_SSL)

    if (c->ssl && c->ssl->buf) {
        return c->ssl->buf->last - c->ssl->buf->pos;
    }

#endif

    return 0;
}
