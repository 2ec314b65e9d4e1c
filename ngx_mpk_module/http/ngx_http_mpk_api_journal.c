/* GET /orders/{id}/journal: an order's history, opened and verified. */

#include "ngx_http_mpk_api.h"
#include "mpk_bucket.h"

#define NGX_HTTP_MPK_HISTORY_BATCH  256     /* entries asked for at a time */


/* Reads entries on its own pool: the request may die first. */
typedef struct {
    ngx_http_mpk_history_t        history;         /* first: api->data */
    ngx_pool_t                   *pool;
    ngx_http_request_t           *request;         /* NULL: it has died */
    ngx_http_mpk_main_conf_t     *mmcf;
    mpk_str_t                     stream;
    mpk_str_t                    *ids;
    ngx_mpk_redis_cmd_t          *cmds;
    ngx_uint_t                    sent;
    ngx_uint_t                    waiting;
    unsigned                      failed:1;
} ngx_http_mpk_history_reader_t;


static ngx_int_t ngx_http_mpk_history_ids(
    ngx_http_mpk_history_reader_t *reader, mpk_str_t text);
static void ngx_http_mpk_history_send(ngx_http_mpk_history_reader_t *reader);
static void ngx_http_mpk_history_handler(ngx_mpk_redis_cmd_t *cmd);
static ngx_int_t ngx_http_mpk_history_record(ngx_mpk_redis_reply_t *reply,
    mpk_record_t *record);
static void ngx_http_mpk_history_detach(void *data);
static ngx_int_t ngx_http_mpk_journal_read(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_journal_done(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_journal_anchor(ngx_http_request_t *r,
    mpk_str_t *mac, uint64_t *number);


ngx_int_t
ngx_http_mpk_history_read(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_next_pt next)
{
    mpk_buf_t                       stream;
    ngx_pool_t                     *pool;
    ngx_pool_cleanup_t             *cln;
    ngx_http_mpk_api_t             *api;
    ngx_http_mpk_mem_t              mem;
    ngx_http_mpk_txn_t             *txn;
    ngx_http_mpk_history_reader_t  *reader;

    api = ctx->data;
    txn = ctx->txn;

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    pool = ngx_create_pool(4096, ngx_cycle->log);
    if (pool == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    reader = ngx_pcalloc(pool, sizeof(ngx_http_mpk_history_reader_t));
    if (reader == NULL) {
        ngx_destroy_pool(pool);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    reader->pool = pool;
    reader->request = r;
    reader->mmcf = txn->mmcf;

    cln->handler = ngx_http_mpk_history_detach;
    cln->data = reader;

    ngx_http_mpk_mem_init(&mem, pool);

    mpk_buf_init(&stream, &mem.mem, 32);
    mpk_buf_lit(&stream, "mpk:{");
    mpk_buf_str(&stream, mpk_bucket_tag(mpk_bucket(txn->id)));
    mpk_buf_lit(&stream, "}:journal");

    reader->stream = mpk_buf_done(&stream);

    if (stream.failed
        || ngx_http_mpk_history_ids(reader, txn->ids) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    api->data = &reader->history;

    if (reader->history.count == 0) {
        return next(r, ctx);
    }

    ngx_http_mpk_history_send(reader);

    return ngx_http_mpk_wait(r, ctx, next);
}


/* Field j: the ids with a space behind each. */

static ngx_int_t
ngx_http_mpk_history_ids(ngx_http_mpk_history_reader_t *reader,
    mpk_str_t text)
{
    size_t      i, start;
    u_char     *copy;
    ngx_uint_t  n;

    n = 0;

    for (i = 0; i < text.len; i++) {
        n += (text.data[i] == ' ');
    }

    copy = ngx_pnalloc(reader->pool, text.len + 1);

    reader->ids = ngx_palloc(reader->pool, (n + 1) * sizeof(mpk_str_t));
    reader->cmds = ngx_pcalloc(reader->pool,
                               (n + 1) * sizeof(ngx_mpk_redis_cmd_t));
    reader->history.records = ngx_pcalloc(reader->pool,
                                          (n + 1) * sizeof(mpk_record_t));

    if (copy == NULL || reader->ids == NULL || reader->cmds == NULL
        || reader->history.records == NULL)
    {
        return NGX_ERROR;
    }

    ngx_memcpy(copy, text.data ? text.data : (u_char *) "", text.len);

    n = 0;

    for (i = 0, start = 0; i < text.len; i++) {
        if (copy[i] == ' ') {
            reader->ids[n++] = (mpk_str_t) { i - start, copy + start };
            start = i + 1;
        }
    }

    reader->history.count = n;

    return NGX_OK;
}


static void
ngx_http_mpk_history_send(ngx_http_mpk_history_reader_t *reader)
{
    mpk_str_t             argv[4];
    ngx_uint_t            last;
    ngx_mpk_redis_cmd_t  *cmd;

    last = ngx_min(reader->history.count,
                   reader->sent + NGX_HTTP_MPK_HISTORY_BATCH);

    argv[0] = mpk_string("XRANGE");
    argv[1] = reader->stream;

    while (reader->sent < last) {
        cmd = &reader->cmds[reader->sent];

        cmd->pool = reader->pool;
        cmd->handler = ngx_http_mpk_history_handler;
        cmd->data = reader;

        argv[2] = reader->ids[reader->sent];
        argv[3] = reader->ids[reader->sent];

        reader->sent++;
        reader->waiting++;

        ngx_mpk_redis_send(reader->mmcf->redis, NGX_MPK_REDIS_READ, cmd, 4,
                           argv);
    }
}


static void
ngx_http_mpk_history_handler(ngx_mpk_redis_cmd_t *cmd)
{
    ngx_http_mpk_history_reader_t *reader = cmd->data;

    ngx_uint_t           n;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;
    ngx_http_mpk_ctx_t  *ctx;

    n = cmd - reader->cmds;

    if (cmd->result != NGX_MPK_REDIS_ANSWERED
        || ngx_http_mpk_history_record(cmd->reply,
                                       &reader->history.records[n])
           != NGX_OK)
    {
        reader->failed = 1;
    }

    if (--reader->waiting) {
        return;
    }

    r = reader->request;

    if (r == NULL) {
        ngx_destroy_pool(reader->pool);
        return;
    }

    if (!reader->failed && reader->sent < reader->history.count) {
        ngx_http_mpk_history_send(reader);
        return;
    }

    c = r->connection;
    ctx = ngx_http_mpk_get_ctx(r);

    ngx_http_set_log_request(c->log, r);

    ctx->waiting = 0;

    if (reader->failed) {
        ctx->txn->result = NGX_HTTP_MPK_TXN_UNAVAILABLE;
        ctx->next = ngx_http_mpk_api_refused;
    }

    ngx_http_core_run_phases(r);
    ngx_http_run_posted_requests(c);
}


/* [[id, [name, value, ...]]]; an empty array where the entry is missing. */

static ngx_int_t
ngx_http_mpk_history_record(ngx_mpk_redis_reply_t *reply,
    mpk_record_t *record)
{
    size_t                  i;
    ngx_mpk_redis_reply_t  *entry, *fields;

    if (reply->type != NGX_MPK_REDIS_ARRAY) {
        return NGX_ERROR;
    }

    if (reply->count == 0) {
        return NGX_OK;
    }

    entry = &reply->elements[0];

    if (entry->type != NGX_MPK_REDIS_ARRAY || entry->count != 2
        || entry->elements[1].type != NGX_MPK_REDIS_ARRAY)
    {
        return NGX_ERROR;
    }

    fields = &entry->elements[1];

    /* a record whose fields are not ours is there, and will not verify */

    record->clear = mpk_string("");
    record->sealed = mpk_string("");
    record->mac = mpk_string("");

    for (i = 0; i + 1 < fields->count; i += 2) {

        if (mpk_str_eq(fields->elements[i].str, mpk_string("e"))) {
            record->clear = fields->elements[i + 1].str;

        } else if (mpk_str_eq(fields->elements[i].str, mpk_string("x"))) {
            record->sealed = fields->elements[i + 1].str;

        } else if (mpk_str_eq(fields->elements[i].str, mpk_string("m"))) {
            record->mac = fields->elements[i + 1].str;
        }
    }

    return NGX_OK;
}


static void
ngx_http_mpk_history_detach(void *data)
{
    ngx_http_mpk_history_reader_t *reader = data;

    reader->request = NULL;

    if (reader->waiting == 0) {
        ngx_destroy_pool(reader->pool);
    }
}


ngx_int_t
ngx_http_mpk_api_journal(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_str_t            mac;
    uint64_t             number;
    ngx_http_mpk_txn_t  *txn;

    if (ngx_http_mpk_journal_anchor(r, &mac, &number) == NGX_ERROR) {
        ngx_http_mpk_api_error(ctx, mpk_string("?anchor"),
                               "must be n:MAC, as $mpk_journal_head gives it");
        return ngx_http_mpk_api_invalid(r, ctx);
    }

    txn = ngx_http_mpk_api_txn(r, ctx, MPK_EVENT_NONE);
    if (txn == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    txn->history = 1;

    return ngx_http_mpk_run(r, ctx, txn, ngx_http_mpk_journal_read);
}


static ngx_int_t
ngx_http_mpk_journal_read(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    if (ctx->txn->result != NGX_HTTP_MPK_TXN_OK
        || ctx->txn->decision.outcome != MPK_SAME)
    {
        return ngx_http_mpk_api_refused(r, ctx);
    }

    return ngx_http_mpk_history_read(r, ctx, ngx_http_mpk_journal_done);
}


static ngx_int_t
ngx_http_mpk_journal_done(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_str_t                mac;
    uint64_t                 number;
    ngx_int_t                anchor;
    ngx_uint_t               i;
    mpk_chain_t              chain;
    mpk_value_t             *facts, *entries, *v;
    mpk_status_t             status;
    const mpk_mem_t         *mem;
    ngx_http_mpk_api_t      *api;
    ngx_http_mpk_txn_t      *txn;
    const mpk_record_t      *record;
    ngx_http_mpk_answer_t    answer;
    ngx_http_mpk_history_t  *history;

    api = ctx->data;
    txn = ctx->txn;
    history = api->data;
    mem = &ctx->mem.mem;

    if (ngx_http_mpk_txn_unwrap(txn) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    anchor = ngx_http_mpk_journal_anchor(r, &mac, &number);

    facts = mpk_value_object(mem, NULL, mpk_string(""));
    (void) mpk_value_string(mem, facts, mpk_string("order"), ctx->order);

    entries = mpk_value_array(mem, NULL, mpk_string("entries"));

    if (facts == NULL || entries == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    mpk_chain_init(&chain, txn->id);

    for (i = 0; i < history->count; i++) {
        record = &history->records[i];

        if (mpk_chain_next(&chain, txn->mmcf->crypto, mem, record) != MPK_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (anchor == NGX_OK) {
            mpk_chain_anchor(&chain, mac, number, i + 1, record);
        }

        if (record->clear.data == NULL) {
            continue;
        }

        status = mpk_journal_read(txn->mmcf->crypto, mem, &txn->data_key,
                                  txn->id, i + 1, record, entries);

        if (status == MPK_NOMEM) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    mpk_chain_end(&chain, txn->order.revision, txn->order.mac);

    /* an anchor of an entry that is no longer there: the order was rolled back */

    if (anchor == NGX_OK && number > history->count
        && chain.verdict == MPK_INTACT)
    {
        chain.verdict = MPK_MISSING_ENTRY;
        chain.fault = number;
    }

    (void) mpk_value_string(mem, facts, mpk_string("verdict"),
                            mpk_verdict_name(chain.verdict));

    if (chain.verdict != MPK_INTACT) {
        (void) mpk_value_int(mem, facts, mpk_string("entry"),
                             (int64_t) chain.fault);
    }

    v = facts->u.list.last;

    if (v) {
        v->next = entries;
        facts->u.list.last = entries;
    }

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = NGX_HTTP_OK;

    return ngx_http_mpk_send_json(r, ctx, &answer, facts);
}


/* ?anchor=n:MAC; NGX_DECLINED: none. */

static ngx_int_t
ngx_http_mpk_journal_anchor(ngx_http_request_t *r, mpk_str_t *mac,
    uint64_t *number)
{
    u_char     *colon;
    ngx_int_t   n;
    ngx_str_t   value;

    if (ngx_http_arg(r, (u_char *) "anchor", 6, &value) != NGX_OK) {
        return NGX_DECLINED;
    }

    colon = ngx_strlchr(value.data, value.data + value.len, ':');
    if (colon == NULL) {
        return NGX_ERROR;
    }

    n = ngx_atoi(value.data, colon - value.data);

    if (n == NGX_ERROR || n == 0
        || value.data + value.len - colon - 1 != 43)
    {
        return NGX_ERROR;
    }

    *number = n;
    *mac = (mpk_str_t) { 43, colon + 1 };

    return NGX_OK;
}
