/* POST /orders: the body's lines, a transaction for each, and what became of them. */

#include "ngx_http_mpk_api_ndjson.h"

#define NGX_HTTP_MPK_NDJSON_FILE     16384           /* bytes of a file at once */
#define NGX_HTTP_MPK_NDJSON_BUFFER   16384           /* bytes of the answer */
#define NGX_HTTP_MPK_NDJSON_RESULT   4096            /* bytes of a line with its errors */

/* failures that are shown at the end; the client has read nothing until then */

#define NGX_HTTP_MPK_NDJSON_RESULTS  1000
#define NGX_HTTP_MPK_NDJSON_SIZE     (256 * 1024)


typedef struct {
    ngx_uint_t                    status;
    mpk_str_t                     order;
    mpk_str_t                     detail;
    mpk_str_t                     rule;
    mpk_value_t                  *errors;
} ngx_http_mpk_ndjson_result_t;


static ngx_int_t ngx_http_mpk_ndjson_read(ngx_http_mpk_ndjson_t *nd);
static ngx_int_t ngx_http_mpk_ndjson_piece(ngx_http_mpk_ndjson_t *nd);
static void ngx_http_mpk_ndjson_release(ngx_http_mpk_ndjson_t *nd);
static ngx_int_t ngx_http_mpk_ndjson_line(ngx_http_mpk_ndjson_t *nd,
    mpk_status_t status, mpk_str_t text);
static void ngx_http_mpk_ndjson_txn_handler(ngx_http_mpk_txn_t *txn);
static ngx_int_t ngx_http_mpk_ndjson_result(ngx_http_mpk_ndjson_line_t *line,
    ngx_http_mpk_ndjson_result_t *result);
static void ngx_http_mpk_ndjson_write(ngx_http_mpk_ndjson_line_t *line,
    ngx_http_mpk_ndjson_result_t *result, mpk_buf_t *text);
static ngx_int_t ngx_http_mpk_ndjson_put(ngx_http_mpk_ndjson_t *nd,
    u_char *data, size_t len);


ngx_uint_t
ngx_http_mpk_ndjson_room(ngx_http_mpk_ndjson_t *nd)
{
    return nd->count < NGX_HTTP_MPK_NDJSON_WINDOW
           && nd->bytes < NGX_HTTP_MPK_NDJSON_BYTES;
}


ngx_int_t
ngx_http_mpk_ndjson_take(ngx_http_mpk_ndjson_t *nd)
{
    ngx_int_t     rc;
    mpk_str_t     text;
    mpk_status_t  status;

    for ( ;; ) {
        status = mpk_lines_next(&nd->lines, &nd->piece, nd->last, &text);

        if (status == MPK_OK || status == MPK_LIMIT) {
            return ngx_http_mpk_ndjson_line(nd, status, text);
        }

        if (status != MPK_MISSING) {
            return NGX_ERROR;
        }

        if (nd->last) {
            return NGX_DONE;
        }

        rc = ngx_http_mpk_ndjson_read(nd);

        if (rc != NGX_OK) {
            return rc;
        }
    }
}


/* The next piece, or the knowledge that there is none. */

static ngx_int_t
ngx_http_mpk_ndjson_read(ngx_http_mpk_ndjson_t *nd)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = nd->request;

    if (nd->taken >= NGX_HTTP_MPK_NDJSON_PASS) {
        return NGX_BUSY;
    }

    for ( ;; ) {
        rc = ngx_http_mpk_ndjson_piece(nd);

        if (rc != NGX_DONE) {
            return rc;
        }

        if (!r->reading_body) {
            nd->last = 1;
            return NGX_OK;
        }

        rc = ngx_http_read_unbuffered_request_body(r);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            return rc;
        }

        nd->in = r->request_body->bufs;
        r->request_body->bufs = NULL;

        if (nd->in == NULL && r->reading_body) {
            return NGX_AGAIN;
        }
    }
}


/* The next piece of what is there; NGX_DONE: none. */

static ngx_int_t
ngx_http_mpk_ndjson_piece(ngx_http_mpk_ndjson_t *nd)
{
    size_t      size;
    ssize_t     n;
    ngx_buf_t  *b;

    /* the piece before this one was the rest of a buffer in memory */

    if (nd->piece.data && nd->in && ngx_buf_in_memory(nd->in->buf)) {
        ngx_http_mpk_ndjson_release(nd);
    }

    nd->piece = (mpk_str_t) { 0, NULL };

    for ( /* void */ ; nd->in; ngx_http_mpk_ndjson_release(nd)) {
        b = nd->in->buf;

        if (ngx_buf_in_memory(b)) {

            if (b->pos == b->last) {
                continue;
            }

            nd->piece.data = b->pos;
            nd->piece.len = b->last - b->pos;
            nd->taken += nd->piece.len;

            return NGX_OK;
        }

        if (!b->in_file || b->file_pos + nd->at >= b->file_last) {
            continue;
        }

        if (nd->buffer == NULL) {
            nd->buffer = ngx_palloc(nd->request->pool,
                                    NGX_HTTP_MPK_NDJSON_FILE);
            if (nd->buffer == NULL) {
                return NGX_ERROR;
            }
        }

        size = (size_t) ngx_min(b->file_last - b->file_pos - nd->at,
                                NGX_HTTP_MPK_NDJSON_FILE);

        n = ngx_read_file(b->file, nd->buffer, size, b->file_pos + nd->at);

        if (n == NGX_ERROR || (size_t) n != size) {
            return NGX_ERROR;
        }

        nd->at += n;
        nd->taken += n;

        nd->piece.data = nd->buffer;
        nd->piece.len = n;

        return NGX_OK;
    }

    return NGX_DONE;
}


/* The first buffer is done with: nginx can read into it again. */

static void
ngx_http_mpk_ndjson_release(ngx_http_mpk_ndjson_t *nd)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    cl = nd->in;
    b = cl->buf;

    nd->in = cl->next;
    nd->at = 0;

    if (nd->shared) {
        return;
    }

    if (ngx_buf_in_memory(b)) {
        mpk_cleanse(b->pos, b->last - b->pos);
        b->pos = b->last;
    }

    ngx_free_chain(nd->request->pool, cl);
}


/* Begins with a line, and has a result at once if that can't be done. */

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
    line->number = nd->lines.number;

    nd->count++;

    ngx_memzero(&result, sizeof(ngx_http_mpk_ndjson_result_t));

    if (status == MPK_LIMIT) {
        result.status = NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
        result.detail = mpk_string("The line is over 1 MB.");
        return ngx_http_mpk_ndjson_result(line, &result);
    }

    ngx_reset_pool(nd->pool);
    nd->mem.failed = 0;

    if (mpk_json_read(&nd->mem.mem, text.data, text.len,
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

    txn->what.event = MPK_EVENT_FILED;

    ngx_http_mpk_who(nd->request, txn);

    if (ngx_http_mpk_api_filing(txn, &nd->mem.mem, order, &result.errors)
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
                        : ngx_http_mpk_api_status(txn->decision.outcome);
    }

    ngx_reset_pool(nd->pool);

    if (ngx_http_mpk_ndjson_result(line, &result) != NGX_OK) {
        nd->broken = 1;
    }

    /*
     * What fails without an answer can do so within the same pass of the event loop,
     * and so could the next line: others have their turn first.
     */

    if (txn->result == NGX_HTTP_MPK_TXN_UNAVAILABLE) {
        ngx_add_timer(&nd->event, 1);
        return;
    }

    ngx_post_event(&nd->event, &ngx_posted_events);
}


/* Notes what became of a line; its text waits for its turn. */

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

    /* a line can name as many members as it likes that there are not */

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
    mpk_value_t      *facts;
    const mpk_mem_t  *mem;

    mem = &line->ndjson->mem.mem;
    facts = mpk_value_object(mem, NULL, mpk_string(""));

    (void) mpk_value_int(mem, facts, mpk_string("line"),
                         (int64_t) line->number);

    if (mpk_order_id_valid(result->order)) {
        (void) mpk_value_string(mem, facts, mpk_string("order"),
                                result->order);

    } else {
        (void) mpk_value_null(mem, facts, mpk_string("order"));
    }

    (void) mpk_value_int(mem, facts, mpk_string("status"),
                         (int64_t) result->status);
    (void) mpk_value_string(mem, facts, mpk_string("detail"), result->detail);

    if (result->rule.len) {
        (void) mpk_value_string(mem, facts, mpk_string("rule"), result->rule);
    }

    if (result->errors && facts) {
        facts->u.list.last->next = result->errors;
        facts->u.list.last = result->errors;
        facts->u.list.count++;
    }

    mpk_buf_init(text, mem, 256);
    mpk_json_write(text, facts);
    mpk_buf_byte(text, '\n');
}


ngx_int_t
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


ngx_int_t
ngx_http_mpk_ndjson_sum_up(ngx_http_mpk_ndjson_t *nd)
{
    mpk_buf_t         text;
    mpk_value_t      *facts;
    const mpk_mem_t  *mem;

    ngx_reset_pool(nd->pool);

    mem = &nd->mem.mem;
    facts = mpk_value_object(mem, NULL, mpk_string(""));

    (void) mpk_value_int(mem, facts, mpk_string("lines"),
                         (int64_t) (nd->created + nd->unchanged + nd->failed));
    (void) mpk_value_int(mem, facts, mpk_string("created"),
                         (int64_t) nd->created);
    (void) mpk_value_int(mem, facts, mpk_string("unchanged"),
                         (int64_t) nd->unchanged);
    (void) mpk_value_int(mem, facts, mpk_string("failed"),
                         (int64_t) nd->failed);

    if (nd->omitted) {
        (void) mpk_value_int(mem, facts, mpk_string("omitted"),
                             (int64_t) nd->omitted);
    }

    if (nd->again) {
        (void) mpk_value_string(mem, facts, mpk_string("detail"),
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


void
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

    while (nd->in) {
        ngx_http_mpk_ndjson_release(nd);
    }

    if (nd->buffer) {
        mpk_cleanse(nd->buffer, NGX_HTTP_MPK_NDJSON_FILE);
    }

    mpk_lines_forget(&nd->lines);
}
