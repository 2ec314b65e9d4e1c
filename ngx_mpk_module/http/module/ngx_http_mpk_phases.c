/*
 * Phase handlers: post-read removes tokens from what is logged, precontent runs the
 * endpoint, log journals a view that was cut off.
 */

#include "ngx_http_mpk_phases.h"
#include "ngx_http_mpk_address.h"
#include "ngx_http_mpk_txn.h"
#include "ngx_http_mpk_worker.h"


static ngx_int_t ngx_http_mpk_post_read_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_mpk_handler(ngx_http_request_t *r);
static void ngx_http_mpk_begin(ngx_http_request_t *r);
static ngx_int_t ngx_http_mpk_log_handler(ngx_http_request_t *r);


ngx_int_t
ngx_http_mpk_phases_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_mpk_main_conf_t   *mmcf;
    ngx_http_core_main_conf_t  *cmcf;

    mmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mpk_module);

    if (mmcf->endpoints == 0) {
        return NGX_OK;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_POST_READ_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_mpk_post_read_handler;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_mpk_handler;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_LOG_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_mpk_log_handler;

    return NGX_OK;
}


/*
 * limit_req and others log the request line and the Referer in earlier phases: removes
 * the token from both first.
 */

static ngx_int_t
ngx_http_mpk_post_read_handler(ngx_http_request_t *r)
{
    if (ngx_http_mpk_hide(r, &r->request_line) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->headers_in.referer
        && ngx_http_mpk_hide(r, &r->headers_in.referer->value) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_mpk_handler(ngx_http_request_t *r)
{
    ngx_http_mpk_ctx_t       *ctx;
    ngx_http_mpk_loc_conf_t  *mlcf;

    mlcf = ngx_http_get_module_loc_conf(r, ngx_http_mpk_module);

    if (mlcf->endpoint == NULL) {
        return NGX_DECLINED;
    }

    if (r != r->main && !mlcf->endpoint->subrequests) {

        /* a subrequest must not get past a guard either */

        return mlcf->endpoint->guard ? NGX_HTTP_FORBIDDEN : NGX_DECLINED;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_mpk_module);

    if (ctx == NULL) {

        /* "master_process off": init_process is not called after a reload */

        if (ngx_http_mpk_init_process((ngx_cycle_t *) ngx_cycle) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (r->write_event_handler == ngx_http_core_run_phases
            && r == r->main)
        {
            ngx_http_mpk_post(r, ngx_http_mpk_begin);
            return NGX_AGAIN;
        }

        r->write_event_handler = ngx_http_core_run_phases;

        return mlcf->endpoint->handler(r);
    }

    if (ctx->passed) {
        return NGX_DECLINED;
    }

    if (ctx->waiting) {

#if (NGX_HTTP_V3)

        /* ngx_http_test_reading() does not see STOP_SENDING */

        if (r->connection->quic && r->connection->write->error
            && r == r->main)
        {
            r->connection->error = 1;
            return NGX_HTTP_CLIENT_CLOSED_REQUEST;
        }

#endif

        return NGX_AGAIN;
    }

    return ctx->next(r, ctx);
}


/*
 * A function of its own, so that the phase handler can tell the first call from later
 * ones.
 */

static void
ngx_http_mpk_begin(ngx_http_request_t *r)
{
    /* HTTP/2: the frame after the request may have reset the stream */

    if (r->connection->error) {
        ngx_http_finalize_request(r, NGX_HTTP_CLIENT_CLOSED_REQUEST);
        return;
    }

    ngx_http_core_run_phases(r);
}


/*
 * Journals a view as cut off if its answer was not written completely.  nginx keeps
 * unsent data in r->out or in the connection.  In HTTP/3 the stream's buffer counts as
 * written, as a socket's does: the request ends before nginx can tell more.
 */

static ngx_int_t
ngx_http_mpk_log_handler(ngx_http_request_t *r)
{
    ngx_connection_t    *c;
    ngx_http_mpk_ctx_t  *ctx;

    ctx = ngx_http_mpk_get_ctx(r);

    if (ctx == NULL || ctx->txn == NULL || ctx->txn->keys_count == 0
        || ctx->txn->waiting || ctx->txn->result != NGX_HTTP_MPK_TXN_OK
        || r != r->main)
    {
        return NGX_OK;
    }

    c = r->connection;

    if (ctx->shown && r->header_sent && r->out == NULL && !c->buffered
#if (NGX_HTTP_V2)
        && (r->stream == NULL || (r->stream->queued == 0 && !c->error))
#endif
#if (NGX_HTTP_V3)
        && (c->quic == NULL || (!c->error && !c->write->error))
#endif
       )
    {
        return NGX_OK;
    }

    ngx_http_mpk_txn_cut_off(ctx->txn);

    return NGX_OK;
}
