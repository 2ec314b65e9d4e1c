/*
 * POST /orders: orders are filed as NDJSON, one a line.  The body is read no faster
 * than Redis commits: a window of lines is under way, whatever the body's length.
 */

#include "ngx_http_mpk_api_ndjson.h"
#include "ngx_http_mpk_stats.h"


static ngx_int_t ngx_http_mpk_ndjson_refuse(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_http_mpk_ndjson_t *ngx_http_mpk_ndjson_create(
    ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx);
static void ngx_http_mpk_ndjson_body_handler(ngx_http_request_t *r);
static void ngx_http_mpk_ndjson_event_handler(ngx_event_t *ev);
static void ngx_http_mpk_ndjson_read_handler(ngx_http_request_t *r);
static void ngx_http_mpk_ndjson_write_handler(ngx_http_request_t *r);
static void ngx_http_mpk_ndjson_go_on(ngx_http_mpk_ndjson_t *nd);
static void ngx_http_mpk_ndjson_idle(ngx_http_mpk_ndjson_t *nd);
static ngx_int_t ngx_http_mpk_ndjson_send(ngx_http_mpk_ndjson_t *nd,
    ngx_uint_t last);
static void ngx_http_mpk_ndjson_finish(ngx_http_mpk_ndjson_t *nd);
static void ngx_http_mpk_ndjson_fail(ngx_http_mpk_ndjson_t *nd, ngx_int_t rc);
static void ngx_http_mpk_ndjson_stop(void *data);


ngx_int_t
ngx_http_mpk_api_ndjson(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_int_t               rc;
    ngx_str_t               results;
    ngx_http_mpk_ndjson_t  *nd;

    if (ngx_http_mpk_body_type(r) != NGX_HTTP_MPK_BODY_NDJSON) {
        return ngx_http_mpk_ndjson_refuse(r, ctx);
    }

    nd = ngx_http_mpk_ndjson_create(r, ctx);
    if (nd == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_arg(r, (u_char *) "results", 7, &results) == NGX_OK) {

        if (results.len != 3 || ngx_strncmp(results.data, "all", 3) != 0) {
            ngx_http_mpk_api_error(ctx, mpk_string("?results"),
                                   "must be \"all\"");
            return ngx_http_mpk_api_invalid(r, ctx);
        }

        nd->all = 1;
    }

    ctx->data = nd;
    ctx->event = MPK_EVENT_FILED;
    ctx->outcome = NGX_HTTP_MPK_OUTCOME_ABORTED;

    /* the phases have nothing to do until the request ends */

    ctx->waiting = 1;

    nd->shared = (r->request_body || r->discard_body);

    r->request_body_no_buffering = 1;

    rc = ngx_http_read_client_request_body(r,
                                           ngx_http_mpk_ndjson_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_DONE;
}


static ngx_int_t
ngx_http_mpk_ndjson_refuse(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_answer_t  answer;

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = NGX_HTTP_UNSUPPORTED_MEDIA_TYPE;

    return ngx_http_mpk_send_problem(r, ctx, &answer,
               mpk_string("media_type"),
               mpk_string("Send one order a line as \"Content-Type: "
                          "application/x-ndjson\"."),
               mpk_string(""), NULL);
}


static ngx_http_mpk_ndjson_t *
ngx_http_mpk_ndjson_create(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_cleanup_t     *cln;
    ngx_http_mpk_ndjson_t  *nd;

    nd = ngx_pcalloc(r->pool, sizeof(ngx_http_mpk_ndjson_t));
    if (nd == NULL) {
        return NULL;
    }

    nd->request = r;
    nd->ctx = ctx;
    nd->mmcf = ngx_http_get_module_main_conf(r, ngx_http_mpk_module);
    nd->ident = -1;
    nd->out_last = &nd->out;

    nd->event.handler = ngx_http_mpk_ndjson_event_handler;
    nd->event.data = nd;
    nd->event.log = r->connection->log;

    mpk_lines_init(&nd->lines, &ctx->mem.mem, NGX_HTTP_MPK_API_BODY_MAX);

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NULL;
    }

    nd->pool = ngx_create_pool(8192, r->connection->log);
    if (nd->pool == NULL) {
        return NULL;
    }

    ngx_http_mpk_mem_init(&nd->mem, nd->pool);

    cln->handler = ngx_http_mpk_ndjson_stop;
    cln->data = nd;

    return nd;
}


/* The body, or what has come of it. */

static void
ngx_http_mpk_ndjson_body_handler(ngx_http_request_t *r)
{
    ngx_http_mpk_ctx_t     *ctx;
    ngx_http_mpk_ndjson_t  *nd;

    ctx = ngx_http_get_module_ctx(r, ngx_http_mpk_module);
    nd = ctx->data;

    /* a body that was discarded is not there */

    if (r->request_body) {
        nd->in = r->request_body->bufs;
    }

    if (!nd->shared) {
        r->request_body->bufs = NULL;
    }

    r->read_event_handler = ngx_http_mpk_ndjson_read_handler;
    r->write_event_handler = ngx_http_mpk_ndjson_write_handler;

    ngx_post_event(&nd->event, &ngx_posted_events);
}


static void
ngx_http_mpk_ndjson_event_handler(ngx_event_t *ev)
{
    ngx_connection_t       *c;
    ngx_http_mpk_ndjson_t  *nd;

    nd = ev->data;
    c = nd->request->connection;

    ngx_http_set_log_request(c->log, nd->request);

    ngx_http_mpk_ndjson_go_on(nd);

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_mpk_ndjson_read_handler(ngx_http_request_t *r)
{
    ngx_event_t            *rev;
    ngx_http_mpk_ctx_t     *ctx;
    ngx_http_mpk_ndjson_t  *nd;

    ctx = ngx_http_get_module_ctx(r, ngx_http_mpk_module);
    nd = ctx->data;

    if (!nd->idle) {
        ngx_http_mpk_ndjson_go_on(nd);
        return;
    }

    /* HTTP/2 sets it with each frame: but it is not the client who is late */

    rev = r->connection->read;

    if (rev->timer_set) {
        ngx_del_timer(rev);
    }

    ngx_http_test_reading(r);
}


static void
ngx_http_mpk_ndjson_write_handler(ngx_http_request_t *r)
{
    ngx_event_t               *wev;
    ngx_connection_t          *c;
    ngx_http_mpk_ctx_t        *ctx;
    ngx_http_mpk_ndjson_t     *nd;
    ngx_http_core_loc_conf_t  *clcf;

    c = r->connection;
    wev = c->write;

    ctx = ngx_http_get_module_ctx(r, ngx_http_mpk_module);
    nd = ctx->data;

    if (wev->timedout) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT, "client timed out");
        c->timedout = 1;
        ngx_http_mpk_ndjson_fail(nd, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    if (c->error) {
        ngx_http_mpk_ndjson_fail(nd, NGX_HTTP_CLIENT_CLOSED_REQUEST);
        return;
    }

    if (nd->busy == NULL) {
        return;
    }

    if (wev->delayed) {
        clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

        if (ngx_handle_write_event(wev, clcf->send_lowat) != NGX_OK) {
            ngx_http_mpk_ndjson_fail(nd, NGX_ERROR);
        }

        return;
    }

    ngx_http_mpk_ndjson_go_on(nd);
}


/*
 * Does all that can be done now.  Each thing that it then waits for calls it again:
 * the body, Redis, the answer on its way, other requests' turn.
 */

static void
ngx_http_mpk_ndjson_go_on(ngx_http_mpk_ndjson_t *nd)
{
    ngx_int_t  rc;

    nd->taken = 0;

    if (ngx_http_mpk_ndjson_collect(nd) != NGX_OK
        || ngx_http_mpk_ndjson_send(nd, 0) == NGX_ERROR)
    {
        ngx_http_mpk_ndjson_fail(nd, NGX_ERROR);
        return;
    }

    rc = NGX_OK;

    while (nd->busy == NULL && ngx_http_mpk_ndjson_room(nd)) {

        rc = ngx_http_mpk_ndjson_take(nd);

        if (rc != NGX_OK) {
            break;
        }

        if (ngx_http_mpk_ndjson_collect(nd) != NGX_OK) {
            rc = NGX_ERROR;
            break;
        }
    }

    if (rc == NGX_DONE && nd->count == 0) {
        ngx_http_mpk_ndjson_finish(nd);
        return;
    }

    if (rc == NGX_ERROR || rc >= NGX_HTTP_SPECIAL_RESPONSE
        || ngx_http_mpk_ndjson_send(nd, 0) == NGX_ERROR)
    {
        ngx_http_mpk_ndjson_fail(nd, rc >= NGX_HTTP_SPECIAL_RESPONSE
                                     ? rc : NGX_ERROR);
        return;
    }

    nd->idle = (rc != NGX_AGAIN);

    if (rc == NGX_BUSY) {
        ngx_add_timer(&nd->event, 1);
    }

    if (nd->idle) {
        ngx_http_mpk_ndjson_idle(nd);
    }
}


/* Nothing is read for now, and all that is seen of the client is that it goes away. */

static void
ngx_http_mpk_ndjson_idle(ngx_http_mpk_ndjson_t *nd)
{
    ngx_connection_t  *c;

    c = nd->request->connection;

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    /* its event has been already, and does not come again */

    if (c->read->pending_eof || c->error) {
        ngx_http_test_reading(nd->request);
    }
}


/* Hands out what there is, if it is wanted before the end; busy: not all of it left. */

static ngx_int_t
ngx_http_mpk_ndjson_send(ngx_http_mpk_ndjson_t *nd, ngx_uint_t last)
{
    ngx_int_t                  rc;
    ngx_buf_t                 *b;
    ngx_chain_t               *cl, *out;
    ngx_event_t               *wev;
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    static ngx_str_t  type = ngx_string("application/x-ndjson");

    r = nd->request;

    if (!last && (!nd->all || (nd->out == NULL && nd->busy == NULL))) {
        return NGX_OK;
    }

    if (!r->header_sent) {
        rc = ngx_http_mpk_send_header(r, &type, last ? nd->size : -1);

        if (rc == NGX_ERROR || rc > NGX_OK) {
            return NGX_ERROR;
        }
    }

    out = nd->out;

    nd->out = NULL;
    nd->out_last = &nd->out;

    for (cl = out; cl; cl = cl->next) {
        b = cl->buf;

        if (cl->next == NULL) {
            b->flush = !last;
            b->last_buf = last;
            b->last_in_chain = 1;
        }
    }

    rc = ngx_http_output_filter(r, out);

    ngx_chain_update_chains(r->pool, &nd->free, &nd->busy, &out,
                            (ngx_buf_tag_t) &ngx_http_mpk_api_ndjson);

    if (rc == NGX_ERROR || last) {
        return rc;
    }

    wev = r->connection->write;

    if (wev->delayed) {
        return NGX_OK;
    }

    if (nd->busy == NULL) {

        if (wev->timer_set) {
            ngx_del_timer(wev);
        }

        return NGX_OK;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    ngx_add_timer(wev, clcf->send_timeout);

    return ngx_handle_write_event(wev, clcf->send_lowat);
}


static void
ngx_http_mpk_ndjson_finish(ngx_http_mpk_ndjson_t *nd)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = nd->request;

    if (ngx_http_mpk_ndjson_sum_up(nd) != NGX_OK) {
        ngx_http_mpk_ndjson_fail(nd, NGX_ERROR);
        return;
    }

    nd->ctx->outcome = MPK_DONE;

    rc = ngx_http_mpk_ndjson_send(nd, 1);

    ngx_http_mpk_ndjson_stop(nd);

    /* what is not written yet is written by the finalized request */

    ngx_http_finalize_request(r, rc);
}


/* No more of the body is filed, and what was said of it is not all. */

static void
ngx_http_mpk_ndjson_fail(ngx_http_mpk_ndjson_t *nd, ngx_int_t rc)
{
    ngx_http_request_t  *r;

    r = nd->request;

    ngx_http_mpk_ndjson_stop(nd);

    if (r->header_sent) {
        rc = NGX_ERROR;

    } else if (rc == NGX_ERROR) {
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_finalize_request(r, rc);
}


static void
ngx_http_mpk_ndjson_stop(void *data)
{
    ngx_http_mpk_ndjson_t *nd = data;

    ngx_http_request_t  *r;

    if (nd->stopped) {
        return;
    }

    nd->stopped = 1;

    ngx_http_mpk_stats_lines(nd->created, nd->unchanged, nd->failed);

    if (nd->event.posted) {
        ngx_delete_posted_event(&nd->event);
    }

    if (nd->event.timer_set) {
        ngx_del_timer(&nd->event);
    }

    ngx_http_mpk_ndjson_forget(nd);

    ngx_destroy_pool(nd->pool);

    r = nd->request;

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_request_empty_handler;
}
