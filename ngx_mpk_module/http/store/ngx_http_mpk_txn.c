/*
 * Transactions: reads an order, lets core decide, and commits the decision, if the order is
 * still the one that was read; if it is not, all of it starts again.
 */

#include "ngx_http_mpk_txn.h"
#include "ngx_http_mpk_commit.h"
#include "ngx_http_mpk_index.h"
#include "ngx_http_mpk_keys.h"
#include "ngx_http_mpk_limit.h"
#include "ngx_http_mpk_script.h"
#include "ngx_http_mpk_sealed.h"
#include "ngx_http_mpk_stats.h"
#include "ngx_http_mpk_time.h"
#include "ngx_http_mpk_worklists.h"

#define NGX_HTTP_MPK_TXN_TRIES    5
#define NGX_HTTP_MPK_TXN_POOL     8192    /* bytes; fits most transactions, many wait at a time */
#define NGX_HTTP_MPK_TXN_GUARD    256     /* bytes of a head that is not authentic */


static void ngx_http_mpk_txn_read(ngx_http_mpk_txn_t *txn);
static void ngx_http_mpk_txn_read_handler(ngx_mpk_redis_cmd_t *cmd);
static void ngx_http_mpk_txn_decide(ngx_http_mpk_txn_t *txn);
static void ngx_http_mpk_txn_index(ngx_http_mpk_txn_t *txn);
static void ngx_http_mpk_txn_index_handler(ngx_mpk_redis_cmd_t *cmd);
static void ngx_http_mpk_txn_write(ngx_http_mpk_txn_t *txn);
static void ngx_http_mpk_txn_wrong_handler(ngx_mpk_redis_cmd_t *cmd);
static void ngx_http_mpk_txn_forged(ngx_http_mpk_txn_t *txn);
static void ngx_http_mpk_txn_now(ngx_http_mpk_txn_t *txn);
static unsigned ngx_http_mpk_txn_needs(mpk_event_t event);
static ngx_uint_t ngx_http_mpk_txn_abandoned(ngx_http_mpk_txn_t *txn);
static mpk_status_t ngx_http_mpk_txn_parse(ngx_http_mpk_txn_t *txn);
static void ngx_http_mpk_txn_send(ngx_http_mpk_txn_t *txn,
    ngx_mpk_redis_lane_t lane, ngx_mpk_redis_handler_pt handler,
    ngx_uint_t argc, const mpk_str_t *argv);
static void ngx_http_mpk_txn_commit(ngx_http_mpk_txn_t *txn,
    ngx_mpk_redis_handler_pt handler);
static void ngx_http_mpk_txn_commit_handler(ngx_mpk_redis_cmd_t *cmd);
static void ngx_http_mpk_txn_again(ngx_http_mpk_txn_t *txn);
static void ngx_http_mpk_txn_done(ngx_http_mpk_txn_t *txn,
    ngx_http_mpk_txn_result_t result);
static void ngx_http_mpk_txn_count(ngx_http_mpk_txn_t *txn);
static void ngx_http_mpk_txn_took(const mpk_order_t *was,
    const mpk_order_t *is);
static void ngx_http_mpk_txn_note(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_txn_t *txn);
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
    txn->r = r;
    txn->log = r ? r->connection->log : ngx_cycle->log;

    ngx_http_mpk_mem_init(&txn->mem, pool);

    if (cln) {
        cln->handler = ngx_http_mpk_txn_detach;
        cln->data = txn;
    }

    return txn;
}


void
ngx_http_mpk_txn_order(ngx_http_mpk_txn_t *txn, mpk_str_t id)
{
    txn->id = ngx_http_mpk_txn_copy(txn, id);

    ngx_http_mpk_txn_now(txn);
}


static void
ngx_http_mpk_txn_now(ngx_http_mpk_txn_t *txn)
{
    txn->request.now = ngx_http_mpk_time(txn->mmcf, txn->id);

    /* a clock that is ahead must destroy nothing */

    txn->request.earliest = ngx_min(txn->request.now, ngx_time());
}


mpk_str_t
ngx_http_mpk_txn_copy(ngx_http_mpk_txn_t *txn, mpk_str_t s)
{
    mpk_str_t  copy;

    if (s.len == 0 || mpk_dup(&txn->mem, s, &copy) != MPK_OK) {
        return (mpk_str_t) { 0, NULL };
    }

    return copy;
}


void
ngx_http_mpk_txn_start(ngx_http_mpk_txn_t *txn)
{
    txn->started = ngx_http_mpk_stats_clock();
    txn->key = ngx_http_mpk_key(&txn->mem, txn->id, ":o:", txn->id);

    txn->read = ngx_http_mpk_txn_needs(txn->request.event);

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, txn->log, 0,
                   "mpk txn start, order:\"%*s\" event:%ui dry:%ud",
                   txn->id.len, txn->id.data,
                   (ngx_uint_t) txn->request.event, txn->dry);

    ngx_http_mpk_txn_read(txn);
}


/* The fields of the order that the event's decision needs. */

static unsigned
ngx_http_mpk_txn_needs(mpk_event_t event)
{
    switch (event) {

    case MPK_EVENT_VIEWED:
    case MPK_EVENT_CLAIM_OPENED:
    case MPK_EVENT_CLAIM_REPLACED:
        return MPK_ORDER_USUAL | 1u << MPK_ORDER_KEYS;

    case MPK_EVENT_WITHDRAWAL_STATED:
    case MPK_EVENT_WITHDRAWN:
    case MPK_EVENT_WITHDRAWAL_REJECTED:
    case MPK_EVENT_ERASED:           /* leaves the list of open ones */
        return MPK_ORDER_USUAL | 1u << MPK_ORDER_WITHDRAWALS;

    default:
        return MPK_ORDER_USUAL;
    }
}


static void
ngx_http_mpk_txn_read(ngx_http_mpk_txn_t *txn)
{
    mpk_str_t   argv[NGX_HTTP_MPK_ORDER_ARGS + 1];
    ngx_uint_t  argc;

    txn->unwrapped = 0;
    txn->decided = 0;

    ngx_http_mpk_txn_close(txn);

    argc = ngx_http_mpk_order_args(txn->key, txn->read, argv);

    if (txn->counter.len) {
        argv[argc++] = txn->counter;
    }

    ngx_http_mpk_txn_send(txn, NGX_MPK_REDIS_READ, ngx_http_mpk_txn_read_handler,
                          argc, argv);
}


static void
ngx_http_mpk_txn_send(ngx_http_mpk_txn_t *txn, ngx_mpk_redis_lane_t lane,
    ngx_mpk_redis_handler_pt handler, ngx_uint_t argc, const mpk_str_t *argv)
{
    ngx_mpk_assert(!txn->waiting);

    txn->cmd.pool = txn->pool;
    txn->cmd.handler = handler;
    txn->cmd.data = txn;
    txn->waiting = 1;

    ngx_mpk_redis_send(txn->mmcf->redis, lane, &txn->cmd, argc, argv);
}


static void
ngx_http_mpk_txn_read_handler(ngx_mpk_redis_cmd_t *cmd)
{
    int64_t              was;
    mpk_status_t         status;
    ngx_http_mpk_txn_t  *txn;

    txn = cmd->data;
    txn->waiting = 0;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, txn->log, 0,
                   "mpk txn read, order:\"%*s\" result:%ui", txn->id.len,
                   txn->id.data, (ngx_uint_t) cmd->result);

    /* the caller is gone and nothing was written: stop */

    if (ngx_http_mpk_txn_abandoned(txn)) {
        ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_UNAVAILABLE);
        return;
    }

    /* a truncated key name would address the wrong key */

    if (txn->mem.failed) {
        ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_ERROR);
        return;
    }

    if (cmd->result != NGX_MPK_REDIS_ANSWERED) {
        ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_UNAVAILABLE);
        return;
    }

    /* the clock is known at the latest since the connection was made for this read */

    was = txn->request.now;

    ngx_http_mpk_txn_now(txn);

    if (txn->request.event == MPK_EVENT_LINK_MINTED || txn->request.renews) {
        txn->request.iat += txn->request.now - was;
        txn->request.exp += txn->request.now - was;
    }

    status = ngx_http_mpk_txn_parse(txn);

    if (status != MPK_OK) {
        ngx_http_mpk_order_unread(txn->log, &txn->order, status);

        if (status != MPK_FORGED || txn->request.event != MPK_EVENT_ERASED) {
            ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_ERROR);
            return;
        }

        ngx_http_mpk_txn_forged(txn);
    }

    ngx_http_mpk_txn_decide(txn);
}


/*
 * An order that is not authentic can be erased: of what it says, only the number of its
 * last entry is kept, and the beginning of its head, which must still be there.
 */

static void
ngx_http_mpk_txn_forged(ngx_http_mpk_txn_t *txn)
{
    mpk_str_t  head;
    uint64_t   revision;

    head = txn->cmd.reply->elements[MPK_ORDER_HEAD].str;
    head.len = ngx_min(head.len, NGX_HTTP_MPK_TXN_GUARD);
    head.data = head.len ? head.data : (u_char *) "";

    revision = ngx_max(txn->order.revision, 1);

    ngx_memzero(&txn->order, sizeof(mpk_order_t));

    txn->order.id = txn->id;
    txn->order.state = MPK_ORDER_HELD;
    txn->order.revision = revision;
    txn->order.guard = head;
}


static ngx_uint_t
ngx_http_mpk_txn_abandoned(ngx_http_mpk_txn_t *txn)
{
    return txn->r == NULL && txn->handler == NULL
           && txn->request.event != MPK_EVENT_CUT_OFF
           && txn->request.event != MPK_EVENT_CLAIM_FILES;
}


static mpk_status_t
ngx_http_mpk_txn_parse(ngx_http_mpk_txn_t *txn)
{
    mpk_str_t  fields[MPK_ORDER_FIELDS];

    txn->order.id = txn->id;

    if (ngx_http_mpk_order_reply(txn->cmd.reply, txn->read, fields,
                                 txn->counter.len ? &txn->count : NULL)
        != NGX_OK)
    {
        return MPK_MALFORMED;
    }

    if (txn->counter.len) {
        txn->request.challenge_closed =
            ngx_http_mpk_limit_closed(txn->count, txn->request.now);
    }

    return mpk_order_read(txn->mmcf->crypto, &txn->mem, txn->id, fields,
                          txn->read, &txn->order);
}


static void
ngx_http_mpk_txn_decide(ngx_http_mpk_txn_t *txn)
{
    if (txn->prepare && txn->order.state != MPK_ORDER_ABSENT
        && txn->order.state != MPK_ORDER_ERASED && txn->prepare(txn) != NGX_OK)
    {
        ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_ERROR);
        return;
    }

    if (mpk_policy_decide(&txn->mem, &txn->order, &txn->request,
                          &txn->decision)
        != MPK_OK)
    {
        ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_ERROR);
        return;
    }

    txn->decided = 1;

    ngx_log_debug5(NGX_LOG_DEBUG_HTTP, txn->log, 0,
                   "mpk txn decide, order:\"%*s\" state:%ui event:%ui "
                   "outcome:%ui", txn->id.len, txn->id.data,
                   (ngx_uint_t) txn->order.state,
                   (ngx_uint_t) txn->decision.event,
                   (ngx_uint_t) txn->decision.outcome);

    if (txn->decision.outcome == MPK_DONE
        || txn->decision.outcome == MPK_SAME)
    {
        txn->indexed = 0;
        ngx_http_mpk_txn_index(txn);
        return;
    }

    ngx_http_mpk_txn_write(txn);
}


/*
 * An order is added to the index of its account, or of a corrected email, before it is
 * committed: if nginx is killed in between, the index has an id that readers skip; the
 * other way round, the customer would not find the order.  An erased order is removed from
 * all of its indexes first, because the erased order no longer says whose it was.
 */

static void
ngx_http_mpk_txn_index(ngx_http_mpk_txn_t *txn)
{
    mpk_str_t   key, argv[NGX_HTTP_MPK_INDEX_ARGS];
    ngx_uint_t  n;

    if (txn->indexed == txn->accounts_count) {
        ngx_http_mpk_txn_write(txn);
        return;
    }

    key = ngx_http_mpk_account_key(&txn->mem,
                                   txn->accounts + txn->indexed * MPK_MAC_LEN);
    txn->indexed++;

    if (txn->request.event != MPK_EVENT_ERASED) {
        n = ngx_http_mpk_index_add(txn->mmcf, &txn->mem, key, txn->id,
                                   txn->request.filing
                                   ? txn->request.filing->purchased_at
                                   : txn->order.purchased_at, argv);

    } else {
        n = 0;
        argv[n++] = mpk_string("ZREM");
        argv[n++] = key;
        argv[n++] = txn->id;
    }

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
        || ngx_http_mpk_txn_abandoned(txn))
    {
        ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_UNAVAILABLE);
        return;
    }

    ngx_http_mpk_txn_index(txn);
}


static void
ngx_http_mpk_txn_write(ngx_http_mpk_txn_t *txn)
{
    ngx_int_t                  rc;
    ngx_mpk_redis_handler_pt   handler;

    handler = ngx_http_mpk_txn_commit_handler;

    if (txn->decision.outcome == MPK_SAME && !txn->dry
        && txn->request.event != MPK_EVENT_OPENED
        && ngx_mpk_redis_durable(txn->mmcf->redis))
    {
        rc = ngx_http_mpk_commit_touch(txn);

    } else if (txn->counter.len && mpk_outcome_wrong(txn->decision.outcome)) {
        rc = ngx_http_mpk_commit_wrong(txn);
        handler = ngx_http_mpk_txn_wrong_handler;

    } else if (txn->decision.outcome == MPK_DONE && !txn->dry) {
        rc = ngx_http_mpk_commit_order(txn);

    } else {
        ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_OK);
        return;
    }

    if (rc != NGX_OK) {
        ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_ERROR);
        return;
    }

    ngx_http_mpk_txn_commit(txn, handler);
}


static void
ngx_http_mpk_txn_wrong_handler(ngx_mpk_redis_cmd_t *cmd)
{
    ngx_http_mpk_txn_t  *txn;

    txn = cmd->data;
    txn->waiting = 0;

    if (cmd->result != NGX_MPK_REDIS_ANSWERED
        || cmd->reply->type != NGX_MPK_REDIS_INTEGER)
    {
        ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_UNAVAILABLE);
        return;
    }

    if (cmd->reply->integer > MPK_CHALLENGES_MAX) {
        txn->decision.outcome = MPK_CLOSED;
    }

    ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_OK);
}


static void
ngx_http_mpk_txn_commit(ngx_http_mpk_txn_t *txn,
    ngx_mpk_redis_handler_pt handler)
{
    ngx_mpk_redis_lane_t  lane;

    /* the page need not wait until replicas know that its link was opened */

    lane = txn->request.event == MPK_EVENT_OPENED ? NGX_MPK_REDIS_READ
                                               : NGX_MPK_REDIS_COMMIT;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, txn->log, 0,
                   "mpk txn commit, order:\"%*s\" after revision:%uL",
                   txn->id.len, txn->id.data, txn->order.revision);

    ngx_http_mpk_txn_send(txn, lane, handler, txn->argc, txn->argv);
}


static void
ngx_http_mpk_txn_commit_handler(ngx_mpk_redis_cmd_t *cmd)
{
    ngx_http_mpk_txn_t  *txn;

    txn = cmd->data;
    txn->waiting = 0;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, txn->log, 0,
                   "mpk txn commit done, order:\"%*s\" result:%ui",
                   txn->id.len, txn->id.data, (ngx_uint_t) cmd->result);

    switch (cmd->result) {

    case NGX_MPK_REDIS_ANSWERED:
        break;

    case NGX_MPK_REDIS_LOST:
        ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_LOST);
        return;

    case NGX_MPK_REDIS_REFUSED:

        if (cmd->error == NGX_MPK_REDIS_ERR_NOSCRIPT) {
            txn->argv[0] = mpk_string("EVAL");
            txn->argv[1] = ngx_http_mpk_script(txn->script);

            ngx_http_mpk_txn_commit(txn, ngx_http_mpk_txn_commit_handler);
            return;
        }

        /* a command within the script can fail after others were executed */

        if (cmd->error == NGX_MPK_REDIS_ERR_OTHER
            || cmd->error == NGX_MPK_REDIS_ERR_NOPERM)
        {
            ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_LOST);
            return;
        }

        /* fall through */

    default: /* NGX_MPK_REDIS_FAILED */
        ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_UNAVAILABLE);
        return;
    }

    if (cmd->reply->type == NGX_MPK_REDIS_STRING) {

        if (txn->listed) {
            ngx_http_mpk_worklists_changed(txn->mmcf, txn->id);
        }

        if (txn->mmcf->shm) {
            (void) ngx_atomic_fetch_add(
                &txn->mmcf->shm->outbox_changed[mpk_bucket(txn->id)], 1);
        }

        ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_OK);
        return;
    }

    /* another revision: another request committed in between */

    ngx_http_mpk_txn_again(txn);
}


static void
ngx_http_mpk_txn_again(ngx_http_mpk_txn_t *txn)
{
    if (++txn->tries == NGX_HTTP_MPK_TXN_TRIES) {
        ngx_log_error(NGX_LOG_WARN, txn->log, 0,
                      "mpk: order \"%*s\" was changed by other requests %d "
                      "times in a row; nothing was written, answering 503",
                      txn->id.len, txn->id.data, NGX_HTTP_MPK_TXN_TRIES);
        ngx_http_mpk_txn_done(txn, NGX_HTTP_MPK_TXN_BUSY);
        return;
    }

    ngx_http_mpk_txn_read(txn);
}


static void
ngx_http_mpk_txn_done(ngx_http_mpk_txn_t *txn,
    ngx_http_mpk_txn_result_t result)
{
    ngx_http_request_t  *r;

    ngx_mpk_assert(!txn->waiting);
    ngx_mpk_assert(result != NGX_HTTP_MPK_TXN_OK || txn->decided);

    txn->result = result;
    txn->store_time = ngx_http_mpk_stats_clock() - txn->started;

    ngx_log_debug5(NGX_LOG_DEBUG_HTTP, txn->log, 0,
                   "mpk txn done, order:\"%*s\" result:%ui tries:%ui us:%uL",
                   txn->id.len, txn->id.data, (ngx_uint_t) result,
                   txn->tries + 1, txn->store_time);

    ngx_http_mpk_txn_count(txn);

    r = txn->r;

    if (txn->handler) {
        txn->handler(txn);
        ngx_http_mpk_txn_destroy(txn);
        return;
    }

    if (r == NULL) {

        /* the view was journaled, but the client is gone */

        if (result == NGX_HTTP_MPK_TXN_OK
            && txn->decision.outcome == MPK_DONE
            && txn->keys_count)
        {
            ngx_http_mpk_txn_cut_off(txn, 0);
        }

        ngx_http_mpk_txn_destroy(txn);
        return;
    }

    ngx_http_mpk_txn_note(ngx_http_mpk_get_ctx(r), txn);
    ngx_http_mpk_resume(r, txn->store_time);
}


static void
ngx_http_mpk_txn_count(ngx_http_mpk_txn_t *txn)
{
    mpk_decision_t  *decision;

    /* Redis was asked, unless the command failed at once */

    if (txn->decided || txn->cmd.result != NGX_MPK_REDIS_FAILED) {
        ngx_http_mpk_stats_took(NGX_HTTP_MPK_HISTOGRAM_STORE,
                                (int64_t) txn->store_time);
    }

    if (txn->result != NGX_HTTP_MPK_TXN_OK || txn->dry) {
        return;
    }

    decision = &txn->decision;

    /* a view is in the journal whether or not its request has lived to see it */

    if (decision->outcome == MPK_DONE
        && (decision->event == MPK_EVENT_VIEWED
            || decision->event == MPK_EVENT_REPEATED))
    {
        ngx_http_mpk_stats_viewed(txn->request.channel,
                                  decision->event == MPK_EVENT_REPEATED);
    }

    if (decision->outcome == MPK_DONE
        && decision->event == MPK_EVENT_EMAIL_CHANGED)
    {
        ngx_http_mpk_stats_corrected(txn->entry.actor);
    }

    /* only the shop says when an imported order was ready */

    if (decision->outcome == MPK_DONE && !txn->order.imported) {
        ngx_http_mpk_txn_took(&txn->order, &decision->order);
    }

    /* one without a request is a line of POST /orders: refused on its own */

    if (txn->handler) {
        ngx_http_mpk_stats_refusal(decision->event, decision->outcome);
    }
}


/* Counts the times of an order that is released, or viewed first. */

static void
ngx_http_mpk_txn_took(const mpk_order_t *was, const mpk_order_t *is)
{
    if (was->state == MPK_ORDER_HELD && is->state == MPK_ORDER_READY) {
        ngx_http_mpk_stats_took(NGX_HTTP_MPK_HISTOGRAM_RELEASE,
                                is->released_at - is->filed_at);
    }

    if (was->state == MPK_ORDER_READY && was->first_viewed_at == 0
        && is->first_viewed_at)
    {
        ngx_http_mpk_stats_took(NGX_HTTP_MPK_HISTOGRAM_VIEW,
                                is->first_viewed_at - is->released_at);
    }
}


ngx_uint_t
ngx_http_mpk_txn_outcome(ngx_http_mpk_txn_result_t result)
{
    static const ngx_uint_t  outcomes[] = {
        [NGX_HTTP_MPK_TXN_OK] = NGX_HTTP_MPK_OUTCOME_NONE,
        [NGX_HTTP_MPK_TXN_UNAVAILABLE] = NGX_HTTP_MPK_OUTCOME_UNAVAILABLE,
        [NGX_HTTP_MPK_TXN_LOST] = NGX_HTTP_MPK_OUTCOME_LOST,
        [NGX_HTTP_MPK_TXN_BUSY] = NGX_HTTP_MPK_OUTCOME_BUSY,
        [NGX_HTTP_MPK_TXN_ERROR] = NGX_HTTP_MPK_OUTCOME_ERROR,
    };

    _Static_assert(sizeof(outcomes) / sizeof(outcomes[0])
                   == NGX_HTTP_MPK_TXN_MAX, "an outcome for each result");

    return outcomes[result];
}


/* Copies what the log phase needs; what stays in the transaction lives until then, too. */

static void
ngx_http_mpk_txn_note(ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_txn_t *txn)
{
    mpk_buf_t        buf;
    mpk_mem_t       *mem;
    ngx_uint_t       i;
    mpk_decision_t  *decision;

    mem = &ctx->mem;
    decision = &txn->decision;

    ctx->channel = mpk_channel_name(txn->request.channel);
    ctx->locale = txn->order.locale;
    ctx->used_at = decision->link ? decision->link->used_at : 0;

    if (txn->keys_count) {
        ctx->secret = &txn->page;
    }

    if (txn->result != NGX_HTTP_MPK_TXN_OK) {
        ctx->event = txn->request.event;
        ctx->outcome = ngx_http_mpk_txn_outcome(txn->result);
        return;
    }

    ctx->event = decision->event;
    ctx->outcome = decision->outcome;

    if (decision->outcome != MPK_DONE || txn->dry) {
        return;
    }

    ctx->revision = decision->order.revision;
    ngx_memcpy(ctx->mac, decision->order.mac, MPK_MAC_LEN);

    if (decision->claim) {
        mpk_buf_init(&buf, mem, NGX_INT_T_LEN);
        mpk_buf_int(&buf, (int64_t) decision->claim);

        ctx->claim = mpk_buf_done(&buf);
    }

    mpk_buf_init(&buf, mem, 16);

    for (i = 0; i < decision->items_count; i++) {
        if (i) {
            mpk_buf_byte(&buf, ',');
        }

        mpk_buf_int(&buf, decision->items[i]);
    }

    ctx->items = mpk_buf_done(&buf);
}


/* The request is destroyed. */

static void
ngx_http_mpk_txn_detach(void *data)
{
    ngx_http_mpk_txn_t *txn = data;

    txn->r = NULL;
    txn->log = ngx_cycle->log;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, txn->log, 0,
                   "mpk txn detach, order:\"%*s\" waiting:%ud", txn->id.len,
                   txn->id.data, txn->waiting);

    if (txn->waiting == 0) {
        ngx_http_mpk_txn_destroy(txn);
    }
}


void
ngx_http_mpk_txn_destroy(ngx_http_mpk_txn_t *txn)
{
    ngx_mpk_assert(!txn->waiting);

    mpk_cleanse(&txn->data_key, sizeof(mpk_data_key_t));

    if (txn->request.event == MPK_EVENT_ERASED) {
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
ngx_http_mpk_txn_cut_off(ngx_http_mpk_txn_t *view, off_t sent)
{
    uint16_t            *items;
    ngx_uint_t           i, n;
    mpk_decision_t      *decision;
    ngx_http_mpk_txn_t  *txn;

    txn = ngx_http_mpk_txn_create(view->mmcf, NULL);
    if (txn == NULL) {
        return;
    }

    decision = &view->decision;

    items = ngx_palloc(txn->pool, decision->items_count * sizeof(uint16_t));
    n = 0;

    for (i = 0; items && i < decision->items_count; i++) {
        if (view->ends[i] == 0 || (off_t) view->ends[i] > sent) {
            items[n++] = decision->items[i];
        }
    }

    ngx_http_mpk_txn_order(txn, view->id);

    txn->request.event = MPK_EVENT_CUT_OFF;
    txn->request.channel = view->request.channel;
    txn->request.items_count = n;
    txn->request.items = items;

    txn->entry.sent = sent;
    txn->entry.actor = mpk_string("customer");
    txn->entry.ip = ngx_http_mpk_txn_copy(txn, view->entry.ip);
    txn->entry.token_id = ngx_http_mpk_txn_copy(txn, view->entry.token_id);
    txn->entry.request_id = ngx_http_mpk_txn_copy(txn, view->entry.request_id);

    /* the client has all keys: no items would be all of them */

    if (n == 0 || txn->mem.failed) {
        ngx_http_mpk_txn_destroy(txn);
        return;
    }

    ngx_http_mpk_txn_start(txn);
}
