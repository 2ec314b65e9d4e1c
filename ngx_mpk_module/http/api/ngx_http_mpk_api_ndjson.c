/*
 * POST /orders: orders are filed as NDJSON, one a line, a transaction for each.  The body
 * is read no faster than Redis commits: a window of lines is in flight, whatever the
 * length of the body.
 */

#include "ngx_http_mpk_api.h"
#include "ngx_http_mpk_body.h"
#include "ngx_http_mpk_body_lines.h"
#include "ngx_http_mpk_refusal.h"
#include "ngx_http_mpk_request.h"
#include "ngx_http_mpk_stats.h"

#define NGX_HTTP_MPK_NDJSON_WINDOW   64                  /* lines in flight */
#define NGX_HTTP_MPK_NDJSON_BYTES    (2 * 1024 * 1024)   /* of their bytes, plus one line */
#define NGX_HTTP_MPK_NDJSON_BUFFER   16384           /* bytes of the answer */
#define NGX_HTTP_MPK_NDJSON_RESULT   4096            /* bytes of a line with its errors */

/* failures that are listed at the end, where results are not streamed */

#define NGX_HTTP_MPK_NDJSON_RESULTS  1000
#define NGX_HTTP_MPK_NDJSON_SIZE     (256 * 1024)


typedef struct ngx_http_mpk_ndjson_s  ngx_http_mpk_ndjson_t;


/* A line, from reading it until its result is output. */
typedef struct {
    ngx_http_mpk_ndjson_t        *ndjson;
    ngx_http_mpk_txn_t           *txn;             /* NULL: it has ended */
    uint64_t                      number;
    size_t                        bytes;
    ngx_str_t                     result;          /* ngx_alloc()ed; empty: nothing to show */
} ngx_http_mpk_ndjson_line_t;


struct ngx_http_mpk_ndjson_s {
    ngx_http_request_t           *request;
    ngx_http_mpk_ctx_t           *ctx;
    ngx_http_mpk_main_conf_t     *mmcf;

    /* event ident must be after 3 pointers as in ngx_connection_t */
    ngx_int_t                     ident;

    ngx_event_t   event;           /* continues, in this pass or later */
    ngx_pool_t   *pool;            /* reset for each line */
    mpk_mem_t     mem;             /* of it */

    ngx_http_mpk_body_lines_t     lines;

    /* the window: a ring, in the order of the body */
    ngx_http_mpk_ndjson_line_t    window[NGX_HTTP_MPK_NDJSON_WINDOW];
    ngx_uint_t                    first;
    ngx_uint_t                    count;
    size_t                        bytes;

    /* the answer */
    ngx_chain_t                  *out;             /* not passed to the filters yet */
    ngx_chain_t                 **out_last;
    ngx_buf_t                    *end;             /* the last buffer of out */
    ngx_chain_t                  *busy;
    ngx_chain_t                  *free;
    off_t                         size;            /* of all output */
    uint64_t                      created;
    uint64_t                      unchanged;
    uint64_t                      failed;
    uint64_t                      shown;           /* results listed */
    uint64_t                      omitted;
    unsigned                      all:1;           /* ?results=all */
    unsigned                      again:1;         /* sending the file again may help */
    unsigned                      broken:1;        /* a result was lost: no memory */
    unsigned                      idle:1;          /* not waiting for the body */
    unsigned                      stopped:1;
};


typedef struct {
    ngx_uint_t                    status;
    mpk_str_t                     order;
    mpk_str_t                     detail;
    mpk_str_t                     rule;
    mpk_value_t                  *errors;
} ngx_http_mpk_ndjson_result_t;


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
static ngx_uint_t ngx_http_mpk_ndjson_room(ngx_http_mpk_ndjson_t *nd);
static ngx_int_t ngx_http_mpk_ndjson_take(ngx_http_mpk_ndjson_t *nd);
static ngx_int_t ngx_http_mpk_ndjson_line(ngx_http_mpk_ndjson_t *nd,
    mpk_status_t status, mpk_str_t text);
static void ngx_http_mpk_ndjson_txn_handler(ngx_http_mpk_txn_t *txn);
static ngx_int_t ngx_http_mpk_ndjson_result(ngx_http_mpk_ndjson_line_t *line,
    ngx_http_mpk_ndjson_result_t *result);
static void ngx_http_mpk_ndjson_write(ngx_http_mpk_ndjson_line_t *line,
    ngx_http_mpk_ndjson_result_t *result, mpk_buf_t *text);
static ngx_int_t ngx_http_mpk_ndjson_collect(ngx_http_mpk_ndjson_t *nd);
static ngx_int_t ngx_http_mpk_ndjson_sum_up(ngx_http_mpk_ndjson_t *nd);
static ngx_int_t ngx_http_mpk_ndjson_put(ngx_http_mpk_ndjson_t *nd,
    u_char *data, size_t len);
static void ngx_http_mpk_ndjson_forget(ngx_http_mpk_ndjson_t *nd);


ngx_int_t
ngx_http_mpk_api_ndjson(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_int_t               rc;
    ngx_str_t               results;
    ngx_http_mpk_ndjson_t  *nd;

    if (ngx_http_mpk_body_type(r) != NGX_HTTP_MPK_BODY_NDJSON) {
        return ngx_http_mpk_api_problem(r, ctx,
                                        NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                        NGX_HTTP_MPK_OUTCOME_MEDIA_TYPE,
                                        "Send one order a line as "
                                        "\"Content-Type: "
                                        "application/x-ndjson\".");
    }

    nd = ngx_http_mpk_ndjson_create(r, ctx);
    if (nd == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_mpk_arg(r, "results", &results) == NGX_OK) {

        if (!ngx_http_mpk_is(&results, "all")) {
            ngx_http_mpk_api_error(ctx, mpk_string("?results"),
                                   "must be \"all\"");
            return ngx_http_mpk_api_invalid(r, ctx);
        }

        nd->all = 1;
    }

    ctx->data = nd;
    ctx->outcome = NGX_HTTP_MPK_OUTCOME_ABORTED;

    /* keeps the phase handler waiting until the request ends */

    ctx->waiting = 1;

    rc = ngx_http_mpk_body_lines_read(&nd->lines,
                                      ngx_http_mpk_ndjson_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_DONE;
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
    nd->mmcf = ctx->mmcf;
    nd->ident = -1;
    nd->out_last = &nd->out;

    nd->event.handler = ngx_http_mpk_ndjson_event_handler;
    nd->event.data = nd;
    nd->event.log = r->connection->log;

    ngx_http_mpk_body_lines_init(&nd->lines, r, &ctx->mem,
                                 NGX_HTTP_MPK_API_BODY_MAX);

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


/* Called when the first part of the body has arrived. */

static void
ngx_http_mpk_ndjson_body_handler(ngx_http_request_t *r)
{
    ngx_http_mpk_ctx_t     *ctx;
    ngx_http_mpk_ndjson_t  *nd;

    ctx = ngx_http_get_module_ctx(r, ngx_http_mpk_module);
    nd = ctx->data;

    ngx_http_mpk_body_lines_begin(&nd->lines);

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

    /* HTTP/2 sets the timer with each frame, but the client is not being waited for */

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
 * Does as much as possible now.  Called again by whatever it then waits for: more of the
 * body, Redis, a writable client, or the timer that yields to other requests.
 */

static void
ngx_http_mpk_ndjson_go_on(ngx_http_mpk_ndjson_t *nd)
{
    ngx_int_t  rc;

    nd->lines.taken = 0;

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


/* Stops reading from the client; only a disconnect is noticed. */

static void
ngx_http_mpk_ndjson_idle(ngx_http_mpk_ndjson_t *nd)
{
    ngx_connection_t  *c;

    c = nd->request->connection;

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    /* edge-triggered: EOF was already reported */

    if (c->read->pending_eof || c->error) {
        ngx_http_test_reading(nd->request);
    }
}


/* Sends the results so far, if they are streamed; nd->busy: some are not sent yet. */

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

    /* nginx sends the rest after the request is finalized */

    ngx_http_finalize_request(r, rc);
}


/* Aborts: no more lines are filed, and the answer is incomplete. */

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


/* Whether the window has room for another line. */

static ngx_uint_t
ngx_http_mpk_ndjson_room(ngx_http_mpk_ndjson_t *nd)
{
    return nd->count < NGX_HTTP_MPK_NDJSON_WINDOW
           && nd->bytes < NGX_HTTP_MPK_NDJSON_BYTES;
}


/* Reads the next line of the body into the window; returns as the reader does. */

static ngx_int_t
ngx_http_mpk_ndjson_take(ngx_http_mpk_ndjson_t *nd)
{
    ngx_int_t     rc;
    mpk_str_t     text;
    mpk_status_t  status;

    rc = ngx_http_mpk_body_lines_next(&nd->lines, &status, &text);

    return rc == NGX_OK ? ngx_http_mpk_ndjson_line(nd, status, text) : rc;
}


/* Starts filing a line; if that is impossible, its result is there at once. */

static ngx_int_t
ngx_http_mpk_ndjson_line(ngx_http_mpk_ndjson_t *nd, mpk_status_t status,
    mpk_str_t text)
{
    mpk_error_t                    error;
    mpk_value_t                   *order;
    ngx_http_mpk_txn_t            *txn;
    ngx_http_mpk_ndjson_line_t    *line;
    ngx_http_mpk_ndjson_result_t   result;

    line = &nd->window[(nd->first + nd->count) % NGX_HTTP_MPK_NDJSON_WINDOW];

    ngx_memzero(line, sizeof(ngx_http_mpk_ndjson_line_t));

    line->ndjson = nd;
    line->number = nd->lines.split.number;

    nd->count++;

    ngx_memzero(&result, sizeof(ngx_http_mpk_ndjson_result_t));

    if (status == MPK_LIMIT) {
        result.status = NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
        result.detail = mpk_string("The line is over 1 MB.");
        return ngx_http_mpk_ndjson_result(line, &result);
    }

    ngx_reset_pool(nd->pool);
    nd->mem.failed = 0;

    if (mpk_json_read(&nd->mem, text.data, text.len,
                      &ngx_http_mpk_api_limits, &order, &error)
        != MPK_OK)
    {
        result.status = NGX_HTTP_BAD_REQUEST;
        result.detail = (mpk_str_t) { ngx_strlen(error.text),
                                      (u_char *) error.text };
        return ngx_http_mpk_ndjson_result(line, &result);
    }

    if (order->type != MPK_VALUE_OBJECT) {
        result.status = NGX_HTTP_BAD_REQUEST;
        result.detail = mpk_string("The line must be a JSON object.");
        return ngx_http_mpk_ndjson_result(line, &result);
    }

    txn = ngx_http_mpk_txn_create(nd->mmcf, NULL);
    if (txn == NULL) {
        return NGX_ERROR;
    }

    txn->request.event = MPK_EVENT_FILED;

    ngx_http_mpk_txn_client(nd->request, txn);

    if (ngx_http_mpk_api_filing(txn, &nd->mem, order, &result.errors)
        != NGX_OK
        || txn->mem.failed || nd->mem.failed)
    {
        ngx_http_mpk_txn_destroy(txn);
        return NGX_ERROR;
    }

    if (result.errors) {
        ngx_http_mpk_txn_destroy(txn);

        result.status = 422;
        result.order = mpk_value_get_string(order, mpk_string("order"));
        result.detail = mpk_string("The order can't be used; \"errors\" says "
                                   "why.");
        return ngx_http_mpk_ndjson_result(line, &result);
    }

    txn->handler = ngx_http_mpk_ndjson_txn_handler;
    txn->data = line;

    ngx_http_mpk_txn_start(txn);

    line->txn = txn;
    line->bytes = text.len;

    nd->bytes += text.len;

    return NGX_OK;
}


static void
ngx_http_mpk_ndjson_txn_handler(ngx_http_mpk_txn_t *txn)
{
    ngx_http_mpk_ndjson_t             *nd;
    const mpk_outcome_info_t          *info;
    ngx_http_mpk_ndjson_line_t        *line;
    ngx_http_mpk_ndjson_result_t       result;
    const ngx_http_mpk_api_failure_t  *failure;

    line = txn->data;
    nd = line->ndjson;

    line->txn = NULL;
    nd->bytes -= line->bytes;

    ngx_memzero(&result, sizeof(ngx_http_mpk_ndjson_result_t));
    result.order = txn->id;

    if (txn->result != NGX_HTTP_MPK_TXN_OK) {
        failure = ngx_http_mpk_api_failure(txn->result);

        result.status = failure->status;
        result.detail = failure->detail;

        nd->again |= (failure->status == NGX_HTTP_SERVICE_UNAVAILABLE);

    } else {
        info = mpk_outcome_info(txn->decision.outcome);

        result.detail = info->detail;
        result.rule = info->rule;
        result.status = txn->decision.outcome == MPK_DONE ? NGX_HTTP_CREATED
                        : txn->decision.outcome == MPK_SAME ? NGX_HTTP_OK
                        : ngx_http_mpk_refusal(txn->decision.outcome)->api;
    }

    ngx_reset_pool(nd->pool);

    if (ngx_http_mpk_ndjson_result(line, &result) != NGX_OK) {
        nd->broken = 1;
    }

    /*
     * A command that fails unsent can do so within this pass of the event loop, and so
     * could the next line's: yield to other requests first.
     */

    if (txn->result == NGX_HTTP_MPK_TXN_UNAVAILABLE) {
        ngx_add_timer(&nd->event, 1);
        return;
    }

    ngx_post_event(&nd->event, &ngx_posted_events);
}


/* Keeps the result of a line until the lines before it have theirs. */

static ngx_int_t
ngx_http_mpk_ndjson_result(ngx_http_mpk_ndjson_line_t *line,
    ngx_http_mpk_ndjson_result_t *result)
{
    mpk_buf_t               text;
    ngx_http_mpk_ndjson_t  *nd;

    nd = line->ndjson;

    switch (result->status) {

    case NGX_HTTP_CREATED:
        nd->created++;
        break;

    case NGX_HTTP_OK:
        nd->unchanged++;
        break;

    default:
        nd->failed++;
    }

    if (result->status < NGX_HTTP_SPECIAL_RESPONSE && !nd->all) {
        return NGX_OK;
    }

    ngx_http_mpk_ndjson_write(line, result, &text);

    /* a line can have any number of unknown members */

    if (text.len > NGX_HTTP_MPK_NDJSON_RESULT && result->errors) {
        result->errors = NULL;
        result->detail = mpk_string("The order can't be used, and what is "
                                    "wrong with it is too long to be shown "
                                    "here.");
        ngx_http_mpk_ndjson_write(line, result, &text);
    }

    if (text.failed || nd->mem.failed) {
        return NGX_ERROR;
    }

    line->result.data = ngx_alloc(text.len, nd->request->connection->log);
    if (line->result.data == NULL) {
        return NGX_ERROR;
    }

    line->result.len = text.len;
    ngx_memcpy(line->result.data, text.data, text.len);

    return NGX_OK;
}


static void
ngx_http_mpk_ndjson_write(ngx_http_mpk_ndjson_line_t *line,
    ngx_http_mpk_ndjson_result_t *result, mpk_buf_t *text)
{
    mpk_mem_t    *mem;
    mpk_value_t  *facts;

    mem = &line->ndjson->mem;
    facts = mpk_value_new(mem, MPK_VALUE_OBJECT);

    mpk_value_int(facts, mpk_string("line"), (int64_t) line->number);

    if (mpk_order_id_valid(result->order)) {
        mpk_value_string(facts, mpk_string("order"), result->order);

    } else {
        mpk_value_null(facts, mpk_string("order"));
    }

    mpk_value_int(facts, mpk_string("status"), (int64_t) result->status);
    mpk_value_string(facts, mpk_string("detail"), result->detail);

    if (result->rule.len) {
        mpk_value_string(facts, mpk_string("rule"), result->rule);
    }

    mpk_value_put(facts, mpk_string("errors"), result->errors);

    mpk_buf_init(text, mem, 256);
    mpk_json_write(text, facts);
    mpk_buf_byte(text, '\n');
}


/* Outputs the results of finished lines, up to the first unfinished one. */

static ngx_int_t
ngx_http_mpk_ndjson_collect(ngx_http_mpk_ndjson_t *nd)
{
    ngx_int_t                    rc;
    ngx_http_mpk_ndjson_line_t  *line;

    rc = nd->broken ? NGX_ERROR : NGX_OK;

    while (nd->count && rc == NGX_OK) {

        line = &nd->window[nd->first];

        if (line->txn) {
            break;
        }

        nd->first = (nd->first + 1) % NGX_HTTP_MPK_NDJSON_WINDOW;
        nd->count--;

        if (line->result.len == 0) {
            continue;
        }

        if (!nd->all
            && (nd->shown >= NGX_HTTP_MPK_NDJSON_RESULTS
                || nd->size + line->result.len > NGX_HTTP_MPK_NDJSON_SIZE))
        {
            nd->omitted++;

        } else {
            nd->shown++;
            rc = ngx_http_mpk_ndjson_put(nd, line->result.data,
                                         line->result.len);
        }

        ngx_free(line->result.data);
        line->result.len = 0;
    }

    return rc;
}


/* Outputs the last line, with the totals. */

static ngx_int_t
ngx_http_mpk_ndjson_sum_up(ngx_http_mpk_ndjson_t *nd)
{
    mpk_buf_t     text;
    mpk_mem_t    *mem;
    mpk_value_t  *facts;

    ngx_reset_pool(nd->pool);

    mem = &nd->mem;
    facts = mpk_value_new(mem, MPK_VALUE_OBJECT);

    mpk_value_int(facts, mpk_string("lines"),
                  (int64_t) (nd->created + nd->unchanged + nd->failed));
    mpk_value_int(facts, mpk_string("created"), (int64_t) nd->created);
    mpk_value_int(facts, mpk_string("unchanged"), (int64_t) nd->unchanged);
    mpk_value_int(facts, mpk_string("failed"), (int64_t) nd->failed);

    if (nd->omitted) {
        mpk_value_int(facts, mpk_string("omitted"), (int64_t) nd->omitted);
    }

    if (nd->again) {
        mpk_value_string(facts, mpk_string("detail"),
                         mpk_string("Send the file again: what was filed is "
                                    "unchanged then."));
    }

    mpk_buf_init(&text, mem, 256);
    mpk_json_write(&text, facts);
    mpk_buf_byte(&text, '\n');

    if (text.failed || nd->mem.failed) {
        return NGX_ERROR;
    }

    return ngx_http_mpk_ndjson_put(nd, text.data, text.len);
}


static ngx_int_t
ngx_http_mpk_ndjson_put(ngx_http_mpk_ndjson_t *nd, u_char *data, size_t len)
{
    size_t        n;
    ngx_buf_t    *b;
    ngx_pool_t   *pool;
    ngx_chain_t  *cl;

    pool = nd->request->pool;

    nd->size += len;

    while (len) {

        if (nd->out == NULL || nd->end->last == nd->end->end) {

            cl = ngx_chain_get_free_buf(pool, &nd->free);
            if (cl == NULL) {
                return NGX_ERROR;
            }

            b = cl->buf;

            if (b->start == NULL) {
                b->start = ngx_palloc(pool, NGX_HTTP_MPK_NDJSON_BUFFER);
                if (b->start == NULL) {
                    return NGX_ERROR;
                }

                b->end = b->start + NGX_HTTP_MPK_NDJSON_BUFFER;
                b->temporary = 1;
                b->tag = (ngx_buf_tag_t) &ngx_http_mpk_api_ndjson;
            }

            b->pos = b->start;
            b->last = b->start;
            b->flush = 0;
            b->last_in_chain = 0;

            *nd->out_last = cl;
            nd->out_last = &cl->next;
            nd->end = b;
        }

        b = nd->end;
        n = ngx_min(len, (size_t) (b->end - b->last));

        b->last = ngx_cpymem(b->last, data, n);
        data += n;
        len -= n;
    }

    return NGX_OK;
}


/* Drops the lines; transactions in flight complete on their own. */

static void
ngx_http_mpk_ndjson_forget(ngx_http_mpk_ndjson_t *nd)
{
    ngx_http_mpk_ndjson_line_t  *line;

    for ( /* void */ ; nd->count; nd->count--) {
        line = &nd->window[nd->first];

        nd->first = (nd->first + 1) % NGX_HTTP_MPK_NDJSON_WINDOW;

        if (line->txn) {
            line->txn->handler = NULL;
        }

        if (line->result.len) {
            ngx_free(line->result.data);
        }
    }

    ngx_http_mpk_body_lines_forget(&nd->lines);
}
