/*
 * A decision is committed: its journal entry is made and chained, and one script
 * writes it together with the order, if the order is still the one that was read.
 */

#include "ngx_http_mpk_txn.h"

#include <ngx_sha1.h>

#define NGX_HTTP_MPK_COMMIT_ARGS  24      /* and the claims that are named */


static ngx_int_t ngx_http_mpk_commit_keys(ngx_http_mpk_txn_t *txn);
static ngx_int_t ngx_http_mpk_commit_entry(ngx_http_mpk_txn_t *txn);
static mpk_str_t ngx_http_mpk_commit_begin(ngx_http_mpk_txn_t *txn);
static mpk_str_t ngx_http_mpk_commit_head(ngx_http_mpk_txn_t *txn);
static mpk_str_t ngx_http_mpk_commit_erased(ngx_http_mpk_txn_t *txn);
static ngx_uint_t ngx_http_mpk_commit_fields(ngx_http_mpk_txn_t *txn,
    mpk_str_t *fields);
static ngx_uint_t ngx_http_mpk_commit_claims(ngx_http_mpk_txn_t *txn,
    mpk_str_t *args);
static mpk_str_t ngx_http_mpk_commit_int(ngx_http_mpk_txn_t *txn, int64_t n);
static void ngx_http_mpk_commit_handler(ngx_mpk_redis_cmd_t *cmd);


/*
 * KEYS: the order, its bucket's journal.  ARGV: how the head begins that was read; e, x,
 * m; the new head, which ends with the entry's id; then field and value pairs.  Gives
 * this id, or 0 if the order has another revision by now.
 */
static u_char  ngx_http_mpk_script[] =
    "local h = redis.call('HGET', KEYS[1], 'h') or '0 '\n"
    "if string.sub(h, 1, #ARGV[1]) ~= ARGV[1] then return 0 end\n"
    "local id = redis.call('XADD', KEYS[2], '*',"
        " 'e', ARGV[2], 'x', ARGV[3], 'm', ARGV[4])\n"
    "redis.call('HSET', KEYS[1], 'h', ARGV[5] .. id .. ' ', unpack(ARGV, 6))\n"
    "return id\n";

/*
 * The same, and what few commits need.  KEYS: also the bucket's open claims.  ARGV:
 * begin of the head, e, x, m, new head; ids of the entries to erase first, together with
 * the order, or ""; the id before which the journal is trimmed, and when the order
 * expires, or ""; how many words of field and value follow; those; then, perhaps, ZADD
 * or ZREM with what follows the key.
 */
static u_char  ngx_http_mpk_script_more[] =
    "local h = redis.call('HGET', KEYS[1], 'h') or '0 '\n"
    "if string.sub(h, 1, #ARGV[1]) ~= ARGV[1] then return 0 end\n"
    "if ARGV[6] ~= '' then\n"
    "  for id in string.gmatch(ARGV[6], '%S+') do"
        " redis.call('XDEL', KEYS[2], id) end\n"
    "  redis.call('DEL', KEYS[1])\n"
    "end\n"
    "if ARGV[7] ~= '' then"
        " redis.call('XTRIM', KEYS[2], 'MINID', '~', ARGV[7]) end\n"
    "local id = redis.call('XADD', KEYS[2], '*',"
        " 'e', ARGV[2], 'x', ARGV[3], 'm', ARGV[4])\n"
    "local n = 10 + ARGV[9]\n"
    "redis.call('HSET', KEYS[1], 'h', ARGV[5] .. id .. ' ',"
        " unpack(ARGV, 10, n - 1))\n"
    "if ARGV[8] ~= '' then redis.call('EXPIREAT', KEYS[1], ARGV[8]) end\n"
    "if ARGV[n] then"
        " redis.call(ARGV[n], KEYS[3], unpack(ARGV, n + 1)) end\n"
    "return id\n";

/*
 * Writes, and changes nothing.  KEYS: the order.  ARGV: how the head begins that was
 * read, which may have been elsewhere: on a master that has been replaced meanwhile.
 */
static u_char  ngx_http_mpk_script_touch[] =
    "local h = redis.call('HGET', KEYS[1], 'h') or '0 '\n"
    "if string.sub(h, 1, #ARGV[1]) ~= ARGV[1] then return 0 end\n"
    "redis.call('HSET', KEYS[1], 'h', h)\n"
    "return ''\n";

typedef struct {
    mpk_str_t   text;
    u_char      sha[40];
} ngx_http_mpk_script_t;

static ngx_http_mpk_script_t  ngx_http_mpk_scripts[] = {
    { { sizeof(ngx_http_mpk_script) - 1, ngx_http_mpk_script }, "" },
    { { sizeof(ngx_http_mpk_script_more) - 1, ngx_http_mpk_script_more }, "" }
};


ngx_int_t
ngx_http_mpk_commit_init(ngx_conf_t *cf)
{
    u_char                  digest[20];
    ngx_sha1_t              sha;
    ngx_uint_t              i;
    ngx_http_mpk_script_t  *script;

    for (i = 0; i < 2; i++) {
        script = &ngx_http_mpk_scripts[i];

        ngx_sha1_init(&sha);
        ngx_sha1_update(&sha, script->text.data, script->text.len);
        ngx_sha1_final(digest, &sha);

        (void) ngx_hex_dump(script->sha, digest, 20);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_mpk_commit_prepare(ngx_http_mpk_txn_t *txn)
{
    mpk_str_t       *argv, none;
    ngx_uint_t       n, start;
    mpk_order_t     *order;
    mpk_decision_t  *decision;

    decision = &txn->decision;
    order = &decision->order;
    none = mpk_string("");

    if (ngx_http_mpk_commit_keys(txn) != NGX_OK
        || ngx_http_mpk_commit_entry(txn) != NGX_OK)
    {
        return NGX_ERROR;
    }

    txn->more = (decision->claim || decision->event == MPK_EVENT_ERASED
                 || (decision->event == MPK_EVENT_FILED
                     && txn->mmcf->retention));

    argv = ngx_palloc(txn->pool, (NGX_HTTP_MPK_COMMIT_ARGS
                                  + (txn->more ? MPK_CLAIMS_MAX : 0))
                                 * sizeof(mpk_str_t));
    if (argv == NULL) {
        return NGX_ERROR;
    }

    n = 0;

    argv[n++] = mpk_string("EVALSHA");
    argv[n++] = (mpk_str_t) { 40, ngx_http_mpk_scripts[txn->more].sha };
    argv[n++] = txn->more ? mpk_string("3") : mpk_string("2");
    argv[n++] = txn->key;
    argv[n++] = ngx_http_mpk_key(&txn->mem, txn->id, ":journal", none);

    if (txn->more) {
        argv[n++] = ngx_http_mpk_key(&txn->mem, txn->id, ":claims", none);
    }

    argv[n++] = ngx_http_mpk_commit_begin(txn);
    argv[n++] = txn->record.clear;
    argv[n++] = txn->record.sealed;
    argv[n++] = txn->record.mac;
    argv[n++] = ngx_http_mpk_commit_head(txn);

    if (!txn->more) {
        n += ngx_http_mpk_commit_fields(txn, &argv[n]);

    } else {
        argv[n++] = ngx_http_mpk_commit_erased(txn);
        argv[n++] = none;
        argv[n++] = none;

        /* the clock that trims is the edge's; no order lives whose entries are older */

        if (txn->mmcf->retention && (decision->event == MPK_EVENT_FILED
                                     || decision->event == MPK_EVENT_ERASED))
        {
            argv[n - 2] = ngx_http_mpk_commit_int(txn,
                              (txn->what.now - txn->mmcf->retention) * 1000);
            argv[n - 1] = ngx_http_mpk_commit_int(txn,
                              ngx_min(order->purchased_at, order->filed_at)
                              + txn->mmcf->retention);
        }

        start = ++n;
        n += ngx_http_mpk_commit_fields(txn, &argv[n]);
        argv[start - 1] = ngx_http_mpk_commit_int(txn, (int64_t) (n - start));
        n += ngx_http_mpk_commit_claims(txn, &argv[n]);
    }

    txn->argv = argv;
    txn->argc = n;

    return txn->mem.failed ? NGX_ERROR : NGX_OK;
}


/* Opens the keys that the answer will show. */

static ngx_int_t
ngx_http_mpk_commit_keys(ngx_http_mpk_txn_t *txn)
{
    ngx_uint_t       i;
    mpk_decision_t  *decision;

    decision = &txn->decision;

    if (decision->event != MPK_EVENT_VIEWED
        && decision->event != MPK_EVENT_REPEATED)
    {
        return NGX_OK;
    }

    ngx_http_mpk_txn_close(txn);

    txn->keys = ngx_palloc(txn->pool,
                           decision->items_count * sizeof(mpk_str_t));
    if (txn->keys == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < decision->items_count; i++) {
        if (ngx_http_mpk_txn_open(txn, decision->items[i], &txn->keys[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        txn->keys_count++;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_mpk_commit_entry(ngx_http_mpk_txn_t *txn)
{
    mpk_entry_t           *who;
    mpk_order_t           *order;
    mpk_status_t           status;
    mpk_decision_t        *decision;
    const mpk_data_key_t  *key;

    decision = &txn->decision;
    order = &decision->order;
    key = txn->filing_key;

    if (decision->event != MPK_EVENT_FILED) {

        if (ngx_http_mpk_txn_unwrap(txn) != NGX_OK) {
            return NGX_ERROR;
        }

        key = &txn->data_key;
    }

    /* of an order that is erased, as it was */

    who = &txn->who;

    who->number = txn->order.revision + 1;
    who->event = decision->event;
    who->order = txn->id;
    who->at = txn->what.now;
    who->channel = txn->what.channel;
    who->items = decision->items;
    who->items_count = decision->items_count;
    who->generations = order->items;
    who->claim = decision->claim;

    status = mpk_journal_write(txn->mmcf->crypto, &txn->mem.mem, key, who,
                               txn->order.mac, &txn->record, order->mac);
    if (status != MPK_OK) {
        ngx_log_error(NGX_LOG_CRIT, txn->log, 0,
                      "mpk: journal entry of order \"%*s\" can't be made: %s",
                      txn->id.len, txn->id.data, mpk_status_text(status));
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* How a head of the revision that was read begins. */

static mpk_str_t
ngx_http_mpk_commit_begin(ngx_http_mpk_txn_t *txn)
{
    mpk_buf_t  begin;

    mpk_buf_init(&begin, &txn->mem.mem, NGX_INT64_LEN + 1);
    mpk_buf_int(&begin, (int64_t) txn->order.revision);
    mpk_buf_byte(&begin, ' ');

    return mpk_buf_done(&begin);
}


static mpk_str_t
ngx_http_mpk_commit_head(ngx_http_mpk_txn_t *txn)
{
    mpk_buf_t  head;

    mpk_buf_init(&head, &txn->mem.mem, 256 + txn->order.entries.len);
    mpk_order_write_head(&txn->decision.order, &head);

    return mpk_buf_done(&head);
}


/* Ids of the entries to erase, not empty if there is an order to erase. */

static mpk_str_t
ngx_http_mpk_commit_erased(ngx_http_mpk_txn_t *txn)
{
    if (txn->decision.event != MPK_EVENT_ERASED) {
        return mpk_string("");
    }

    return txn->order.entries.len ? txn->order.entries : mpk_string(" ");
}


/* The order's other fields that have changed. */

static ngx_uint_t
ngx_http_mpk_commit_fields(ngx_http_mpk_txn_t *txn, mpk_str_t *fields)
{
    mpk_buf_t         value;
    ngx_uint_t        n;
    mpk_event_t       event;
    const mpk_mem_t   *mem;
    const mpk_order_t  *order;

    mem = &txn->mem.mem;
    order = &txn->decision.order;
    event = txn->decision.event;
    n = 0;

    if (event == MPK_EVENT_FILED) {
        mpk_buf_init(&value, mem, 512);
        mpk_order_write_filed(order, &value);

        fields[n++] = mpk_string("f");
        fields[n++] = mpk_buf_done(&value);
    }

    if (event == MPK_EVENT_FILED || event == MPK_EVENT_CLAIM_REPLACED) {
        mpk_buf_init(&value, mem, 512);
        mpk_order_write_items(order, &value);

        fields[n++] = mpk_string("i");
        fields[n++] = mpk_buf_done(&value);
    }

    if (txn->decision.claim) {
        mpk_buf_init(&value, mem, 512);
        mpk_claims_write(order->claims, order->claims_count, &value);

        fields[n++] = mpk_string("c");
        fields[n++] = mpk_buf_done(&value);
    }

    return n;
}


/* Of the bucket's open claims: what comes, or what goes. */

static ngx_uint_t
ngx_http_mpk_commit_claims(ngx_http_mpk_txn_t *txn, mpk_str_t *args)
{
    mpk_buf_t           member;
    ngx_uint_t          i, n, opened, erased;
    ngx_time_t         *tp;
    const mpk_order_t  *order;

    opened = (txn->decision.event == MPK_EVENT_CLAIM_OPENED);
    erased = (txn->decision.event == MPK_EVENT_ERASED);
    order = erased ? &txn->order : &txn->decision.order;
    n = 1;

    if (opened) {
        tp = ngx_timeofday();
        args[n++] = ngx_http_mpk_commit_int(txn, (int64_t) tp->sec * 1000
                                                 + tp->msec);
    }

    for (i = 0; i < order->claims_count; i++) {

        if (erased ? !mpk_claim_undecided(&order->claims[i])
                   : (i + 1 != txn->decision.claim
                      || (!opened && mpk_claim_undecided(&order->claims[i]))))
        {
            continue;
        }

        mpk_buf_init(&member, &txn->mem.mem, txn->id.len + 4);
        mpk_buf_str(&member, txn->id);
        mpk_buf_byte(&member, '/');
        mpk_buf_int(&member, (int64_t) i + 1);

        args[n++] = mpk_buf_done(&member);
    }

    if (n == 1) {
        return 0;
    }

    args[0] = opened ? mpk_string("ZADD") : mpk_string("ZREM");

    return n;
}


static mpk_str_t
ngx_http_mpk_commit_int(ngx_http_mpk_txn_t *txn, int64_t n)
{
    mpk_buf_t  buf;

    mpk_buf_init(&buf, &txn->mem.mem, NGX_INT64_LEN);
    mpk_buf_int(&buf, n);

    return mpk_buf_done(&buf);
}


void
ngx_http_mpk_commit_send(ngx_http_mpk_txn_t *txn)
{
    ngx_mpk_redis_lane_t  lane;

    /* the page does not wait until others know that its link was opened */

    lane = txn->what.event == MPK_EVENT_OPENED ? NGX_MPK_REDIS_READ
                                               : NGX_MPK_REDIS_COMMIT;

    ngx_http_mpk_txn_send(txn, lane, ngx_http_mpk_commit_handler, txn->argc,
                          txn->argv);
}


void
ngx_http_mpk_commit_confirm(ngx_http_mpk_txn_t *txn)
{
    txn->argv = ngx_palloc(txn->pool, 5 * sizeof(mpk_str_t));
    if (txn->argv == NULL) {
        ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_ERROR);
        return;
    }

    /* a WAIT is for the last write of its own connection: this one changes nothing */

    txn->argc = 5;
    txn->argv[0] = mpk_string("EVAL");
    txn->argv[1] = (mpk_str_t) { sizeof(ngx_http_mpk_script_touch) - 1,
                                 ngx_http_mpk_script_touch };
    txn->argv[2] = mpk_string("1");
    txn->argv[3] = txn->key;
    txn->argv[4] = ngx_http_mpk_commit_begin(txn);

    if (txn->mem.failed) {
        ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_ERROR);
        return;
    }

    ngx_http_mpk_commit_send(txn);
}


static void
ngx_http_mpk_commit_handler(ngx_mpk_redis_cmd_t *cmd)
{
    ngx_http_mpk_txn_t  *txn;

    txn = cmd->data;
    txn->waiting = 0;

    switch (cmd->result) {

    case NGX_MPK_REDIS_ANSWERED:
        break;

    case NGX_MPK_REDIS_LOST:
        ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_LOST);
        return;

    case NGX_MPK_REDIS_REFUSED:

        if (cmd->error == NGX_MPK_REDIS_ERR_NOSCRIPT) {
            txn->argv[0] = mpk_string("EVAL");
            txn->argv[1] = ngx_http_mpk_scripts[txn->more].text;

            ngx_http_mpk_commit_send(txn);
            return;
        }

        /* fall through */

    default: /* NGX_MPK_REDIS_FAILED */
        ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_UNAVAILABLE);
        return;
    }

    if (cmd->reply->type == NGX_MPK_REDIS_STRING) {
        ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_OK);
        return;
    }

    /* another revision: somebody wrote in between */

    ngx_http_mpk_txn_again(txn);
}
