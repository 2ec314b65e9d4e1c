/*
 * Read, decide, commit: reads an order, lets core decide, and has the decision
 * committed; once more, if somebody else wrote in between.
 */

#include "ngx_http_mpk_stats.h"
#include "ngx_http_mpk_txn.h"

#define NGX_HTTP_MPK_TXN_TRIES  5
#define NGX_HTTP_MPK_TXN_POOL   8192     /* bytes: what most need, so many may wait */


static void ngx_http_mpk_txn_read(ngx_http_mpk_txn_t *txn);
static void ngx_http_mpk_txn_read_handler(ngx_mpk_redis_cmd_t *cmd);
static void ngx_http_mpk_txn_decide(ngx_http_mpk_txn_t *txn);
static void ngx_http_mpk_txn_index(ngx_http_mpk_txn_t *txn);
static void ngx_http_mpk_txn_index_handler(ngx_mpk_redis_cmd_t *cmd);
static void ngx_http_mpk_txn_write(ngx_http_mpk_txn_t *txn);
static ngx_uint_t ngx_http_mpk_txn_forgotten(ngx_http_mpk_txn_t *txn);
static mpk_status_t ngx_http_mpk_txn_order(ngx_http_mpk_txn_t *txn);
static void ngx_http_mpk_txn_detach(void *data);


ngx_http_mpk_txn_t *
ngx_http_mpk_txn_create(ngx_http_mpk_main_conf_t *mmcf, ngx_http_request_t *r)
{
    ngx_pool_t          *pool;
    ngx_pool_cleanup_t  *cln;
    ngx_http_mpk_txn_t  *txn;

    cln = NULL;

    if (r) {
        cln = ngx_pool_cleanup_add(r->pool, 0);
        if (cln == NULL) {
            return NULL;
        }
    }

    pool = ngx_create_pool(NGX_HTTP_MPK_TXN_POOL, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    txn = ngx_pcalloc(pool, sizeof(ngx_http_mpk_txn_t));
    if (txn == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    txn->pool = pool;
    txn->mmcf = mmcf;
    txn->request = r;
    txn->log = r ? r->connection->log : ngx_cycle->log;

    ngx_http_mpk_mem_init(&txn->mem, pool);

    txn->what.now = ngx_time();

    if (cln) {
        cln->handler = ngx_http_mpk_txn_detach;
        cln->data = txn;
    }

    return txn;
}


mpk_str_t
ngx_http_mpk_txn_copy(ngx_http_mpk_txn_t *txn, mpk_str_t s)
{
    mpk_str_t  copy;

    if (s.len == 0 || mpk_dup(&txn->mem.mem, s, &copy) != MPK_OK) {
        return (mpk_str_t) { 0, NULL };
    }

    return copy;
}


void
ngx_http_mpk_txn_start(ngx_http_mpk_txn_t *txn)
{
    txn->started = ngx_http_mpk_stats_clock();
    txn->key = ngx_http_mpk_key(&txn->mem, txn->id, ":o:", txn->id);

    ngx_http_mpk_txn_read(txn);
}


static void
ngx_http_mpk_txn_read(ngx_http_mpk_txn_t *txn)
{
    mpk_str_t   argv[7];
    ngx_uint_t  argc;

    txn->unwrapped = 0;
    txn->decided = 0;

    argc = 6;

    argv[0] = mpk_string("HMGET");
    argv[1] = txn->key;
    argv[2] = mpk_string("h");
    argv[3] = mpk_string("f");
    argv[4] = mpk_string("i");
    argv[5] = mpk_string("c");

    if (txn->counted) {
        argv[argc++] = ngx_http_mpk_limit_field(&txn->mem,
                                                txn->what.token_id);
    }

    ngx_http_mpk_txn_send(txn, NGX_MPK_REDIS_READ, ngx_http_mpk_txn_read_handler,
                          argc, argv);
}


void
ngx_http_mpk_txn_send(ngx_http_mpk_txn_t *txn, ngx_mpk_redis_lane_t lane,
    ngx_mpk_redis_handler_pt handler, ngx_uint_t argc, const mpk_str_t *argv)
{
    txn->cmd.pool = txn->pool;
    txn->cmd.handler = handler;
    txn->cmd.data = txn;
    txn->waiting = 1;

    ngx_mpk_redis_send(txn->mmcf->redis, lane, &txn->cmd, argc, argv);
}


static void
ngx_http_mpk_txn_read_handler(ngx_mpk_redis_cmd_t *cmd)
{
    mpk_status_t         status;
    ngx_http_mpk_txn_t  *txn;

    txn = cmd->data;
    txn->waiting = 0;

    /* nobody waits for what has not been written yet */

    if (ngx_http_mpk_txn_forgotten(txn)) {
        ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_UNAVAILABLE);
        return;
    }

    /* a name that memory did not suffice for is another key's */

    if (txn->mem.failed) {
        ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_ERROR);
        return;
    }

    if (cmd->result != NGX_MPK_REDIS_ANSWERED) {
        ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_UNAVAILABLE);
        return;
    }

    status = ngx_http_mpk_txn_order(txn);

    if (status != MPK_OK) {
        ngx_log_error(NGX_LOG_CRIT, txn->log, 0,
                      "mpk: order \"%*s\" can't be read from Redis: %s",
                      txn->id.len, txn->id.data, mpk_status_text(status));
        ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_ERROR);
        return;
    }

    ngx_http_mpk_txn_decide(txn);
}


static ngx_uint_t
ngx_http_mpk_txn_forgotten(ngx_http_mpk_txn_t *txn)
{
    return txn->request == NULL && txn->handler == NULL
           && txn->what.event != MPK_EVENT_CUT_OFF;
}


static mpk_status_t
ngx_http_mpk_txn_order(ngx_http_mpk_txn_t *txn)
{
    mpk_str_t  fields[MPK_ORDER_FIELDS + 1];

    if (ngx_http_mpk_reply_fields(txn->cmd.reply, MPK_ORDER_FIELDS + txn->counted,
                                  fields)
        != NGX_OK)
    {
        return MPK_MALFORMED;
    }

    if (txn->counted) {
        txn->what.challenge_closed =
            ngx_http_mpk_limit_closed(fields[MPK_ORDER_FIELDS],
                                      txn->what.now);
    }

    return mpk_order_read(&txn->mem.mem, txn->id, fields, &txn->order);
}


static void
ngx_http_mpk_txn_decide(ngx_http_mpk_txn_t *txn)
{
    if (txn->look && txn->order.state != MPK_ORDER_ABSENT
        && txn->order.state != MPK_ORDER_ERASED && txn->look(txn) != NGX_OK)
    {
        ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_ERROR);
        return;
    }

    if (mpk_policy_decide(&txn->mem.mem, &txn->order, &txn->what,
                          &txn->decision)
        != MPK_OK)
    {
        ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_ERROR);
        return;
    }

    txn->decided = 1;

    if (txn->account && (txn->decision.outcome == MPK_DONE
                         || txn->decision.outcome == MPK_SAME))
    {
        ngx_http_mpk_txn_index(txn);
        return;
    }

    ngx_http_mpk_txn_write(txn);
}


/*
 * An order that is filed is named in its account's index first: a kill in between
 * leaves a name that readers skip, and no order that its customer does not find.  One
 * that is erased goes first from there, too: afterwards nobody knows whose it was.
 */

static void
ngx_http_mpk_txn_index(ngx_http_mpk_txn_t *txn)
{
    u_char      *score;
    mpk_str_t    argv[4];
    ngx_uint_t   n;

    n = 0;

    argv[n++] = txn->what.event == MPK_EVENT_FILED ? mpk_string("ZADD")
                                                   : mpk_string("ZREM");
    argv[n++] = ngx_http_mpk_account_key(&txn->mem, txn->account);

    if (txn->what.event == MPK_EVENT_FILED) {

        score = ngx_pnalloc(txn->pool, NGX_INT64_LEN);
        if (score == NULL) {
            ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_ERROR);
            return;
        }

        argv[n].data = score;
        argv[n++].len = ngx_sprintf(score, "%L",
                                    (int64_t) txn->what.filing->purchased_at)
                        - score;
    }

    argv[n++] = txn->id;

    if (txn->mem.failed) {
        ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_ERROR);
        return;
    }

    ngx_http_mpk_txn_send(txn, NGX_MPK_REDIS_COMMIT,
                          ngx_http_mpk_txn_index_handler, n, argv);
}


static void
ngx_http_mpk_txn_index_handler(ngx_mpk_redis_cmd_t *cmd)
{
    ngx_http_mpk_txn_t  *txn;

    txn = cmd->data;
    txn->waiting = 0;

    if (cmd->result != NGX_MPK_REDIS_ANSWERED
        || ngx_http_mpk_txn_forgotten(txn))
    {
        ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_UNAVAILABLE);
        return;
    }

    ngx_http_mpk_txn_write(txn);
}


static void
ngx_http_mpk_txn_write(ngx_http_mpk_txn_t *txn)
{
    if (txn->decision.outcome == MPK_SAME && !txn->dry
        && txn->what.event != MPK_EVENT_OPENED
        && ngx_mpk_redis_durable(txn->mmcf->redis))
    {
        ngx_http_mpk_commit_confirm(txn);
        return;
    }

    if (txn->decision.outcome != MPK_DONE || txn->dry) {
        ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_OK);
        return;
    }

    if (ngx_http_mpk_commit_prepare(txn) != NGX_OK) {
        ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_ERROR);
        return;
    }

    ngx_http_mpk_commit_send(txn);
}


ngx_int_t
ngx_http_mpk_txn_unwrap(ngx_http_mpk_txn_t *txn)
{
    mpk_status_t  status;

    if (txn->unwrapped) {
        return NGX_OK;
    }

    status = mpk_envelope_unwrap(txn->mmcf->crypto, &txn->mem.mem, txn->id,
                                 txn->order.data_key, &txn->data_key);
    if (status != MPK_OK) {
        ngx_http_mpk_unwrap_log(txn->log, txn->id, status);
        return NGX_ERROR;
    }

    txn->unwrapped = 1;

    return NGX_OK;
}


void
ngx_http_mpk_unwrap_log(ngx_log_t *log, mpk_str_t order, mpk_status_t status)
{
    ngx_log_error(NGX_LOG_CRIT, log, 0,
                  "mpk: data key of order \"%*s\" can't be unwrapped: %s",
                  order.len, order.data,
                  status == MPK_UNKNOWN ? "its wrap key is not in the keyring"
                                        : mpk_status_text(status));
}


ngx_int_t
ngx_http_mpk_txn_open(ngx_http_mpk_txn_t *txn, ngx_uint_t number,
    mpk_str_t *key)
{
    mpk_item_t    *item;
    mpk_place_t    place;
    mpk_status_t   status;

    if (ngx_http_mpk_txn_unwrap(txn) != NGX_OK) {
        return NGX_ERROR;
    }

    item = &txn->order.items[number - 1];
    place = (mpk_place_t) { txn->id, mpk_string("key"), number,
                            item->generation };

    status = mpk_envelope_open(txn->mmcf->crypto, &txn->mem.mem,
                               &txn->data_key, &place, item->key, key);
    if (status != MPK_OK) {
        ngx_log_error(NGX_LOG_CRIT, txn->log, 0,
                      "mpk: key of item %ui of order \"%*s\" does not open: "
                      "%s", number, txn->id.len, txn->id.data,
                      mpk_status_text(status));
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_http_mpk_txn_again(ngx_http_mpk_txn_t *txn)
{
    if (++txn->tries == NGX_HTTP_MPK_TXN_TRIES) {
        ngx_log_error(NGX_LOG_WARN, txn->log, 0,
                      "mpk: order \"%*s\" was changed by others %d times "
                      "while being changed", txn->id.len, txn->id.data,
                      NGX_HTTP_MPK_TXN_TRIES);
        ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_BUSY);
        return;
    }

    ngx_http_mpk_txn_read(txn);
}


void
ngx_http_mpk_txn_done(ngx_http_mpk_txn_t *txn,
    ngx_http_mpk_txn_result_t result)
{
    ngx_http_request_t  *r;

    txn->result = result;
    txn->store_time = ngx_http_mpk_stats_clock() - txn->started;

    ngx_http_mpk_stats_txn(txn);

    r = txn->request;

    if (txn->handler) {
        txn->handler(txn);
        ngx_http_mpk_txn_destroy(txn);
        return;
    }

    if (r == NULL) {

        /* the view is in the journal, and its customer has gone */

        if (result == NGX_HTTP_MPK_TXN_OK
            && txn->decision.outcome == MPK_DONE
            && txn->keys_count)
        {
            ngx_http_mpk_txn_cut_off(txn);
        }

        ngx_http_mpk_txn_destroy(txn);
        return;
    }

    ngx_http_mpk_note(ngx_http_mpk_get_ctx(r), txn);
    ngx_http_mpk_resume(r, txn->store_time);
}


/* The request dies. */

static void
ngx_http_mpk_txn_detach(void *data)
{
    ngx_http_mpk_txn_t *txn = data;

    txn->request = NULL;
    txn->log = ngx_cycle->log;

    if (txn->waiting == 0) {
        ngx_http_mpk_txn_destroy(txn);
    }
}


void
ngx_http_mpk_txn_destroy(ngx_http_mpk_txn_t *txn)
{
    mpk_cleanse(&txn->data_key, sizeof(mpk_data_key_t));

    if (txn->what.event == MPK_EVENT_ERASED) {
        mpk_crypto_forget(txn->mmcf->crypto);
    }

    if (txn->filing_key) {
        mpk_cleanse(txn->filing_key, sizeof(mpk_data_key_t));
    }

    mpk_cleanse((void *) txn->page.data, txn->page.len);

    ngx_http_mpk_txn_close(txn);

    ngx_destroy_pool(txn->pool);
}


void
ngx_http_mpk_txn_close(ngx_http_mpk_txn_t *txn)
{
    mpk_str_t  *key;

    while (txn->keys_count) {
        key = &txn->keys[--txn->keys_count];
        mpk_cleanse((void *) key->data, key->len);
    }
}


void
ngx_http_mpk_txn_cut_off(ngx_http_mpk_txn_t *view)
{
    ngx_http_mpk_txn_t  *txn;

    txn = ngx_http_mpk_txn_create(view->mmcf, NULL);
    if (txn == NULL) {
        return;
    }

    txn->id = ngx_http_mpk_txn_copy(txn, view->id);

    txn->what.event = MPK_EVENT_CUT_OFF;
    txn->what.channel = view->what.channel;
    txn->what.items_count = view->decision.items_count;
    txn->what.items = (uint16_t *) (void *) ngx_http_mpk_txn_copy(txn,
                          (mpk_str_t) { view->decision.items_count
                                        * sizeof(uint16_t),
                                        (u_char *) view->decision.items }).data;

    txn->who.actor = mpk_string("customer");
    txn->who.ip = ngx_http_mpk_txn_copy(txn, view->who.ip);
    txn->who.token_id = ngx_http_mpk_txn_copy(txn, view->who.token_id);
    txn->who.request_id = ngx_http_mpk_txn_copy(txn, view->who.request_id);

    if (txn->mem.failed) {
        ngx_http_mpk_txn_destroy(txn);
        return;
    }

    ngx_http_mpk_txn_start(txn);
}
