/*
 * What a transaction writes, as a command for Redis.  The journal entry is chained to the
 * one before, and one script writes it together with the order.
 */

#include "ngx_http_mpk_commit.h"
#include "ngx_http_mpk_keys.h"
#include "ngx_http_mpk_script.h"
#include "ngx_http_mpk_sealed.h"
#include "ngx_http_mpk_time.h"
#include "ngx_http_mpk_worklists.h"

#define NGX_HTTP_MPK_COMMIT_ARGS   44      /* and the claims and withdrawals that are named */
#define NGX_HTTP_MPK_COMMIT_LISTS  (1 + NGX_HTTP_MPK_WORKLIST_MAX)  /* :claims, and those */


/* A change of a worklist of the order's bucket. */
typedef struct {
    const char                   *what;
    ngx_uint_t                    argc;            /* the command, and what follows the key */
    mpk_str_t                     argv[2 + MPK_CLAIMS_MAX];
} ngx_http_mpk_commit_list_t;

_Static_assert(MPK_WITHDRAWALS_MAX <= MPK_CLAIMS_MAX, "argv has room for each");

/* Whether case i of an order, from 0, waits for support; false: there is no such case. */
typedef bool (*ngx_http_mpk_commit_open_pt)(const mpk_order_t *order,
    ngx_uint_t i);


static ngx_int_t ngx_http_mpk_commit_keys(ngx_http_mpk_txn_t *txn);
static ngx_int_t ngx_http_mpk_commit_entry(ngx_http_mpk_txn_t *txn);
static void ngx_http_mpk_commit_stated(ngx_http_mpk_txn_t *txn);
static mpk_str_t ngx_http_mpk_commit_begin(ngx_http_mpk_txn_t *txn);
static ngx_uint_t ngx_http_mpk_commit_fields(ngx_http_mpk_txn_t *txn,
    mpk_str_t *args);
static ngx_uint_t ngx_http_mpk_commit_lists(ngx_http_mpk_txn_t *txn,
    ngx_http_mpk_commit_list_t *lists);
static bool ngx_http_mpk_commit_claim(const mpk_order_t *order, ngx_uint_t i);
static bool ngx_http_mpk_commit_withdrawal(const mpk_order_t *order,
    ngx_uint_t i);
static ngx_uint_t ngx_http_mpk_commit_cases(ngx_http_mpk_txn_t *txn,
    const char *what, ngx_http_mpk_commit_open_pt open,
    ngx_http_mpk_commit_list_t *list);
static ngx_uint_t ngx_http_mpk_commit_worklist(ngx_http_mpk_txn_t *txn,
    ngx_http_mpk_worklist_id_t id, ngx_uint_t was, ngx_uint_t is,
    ngx_http_mpk_commit_list_t *list);
static mpk_str_t ngx_http_mpk_commit_ms(ngx_http_mpk_txn_t *txn);
static mpk_str_t ngx_http_mpk_commit_int(ngx_http_mpk_txn_t *txn, int64_t n);


ngx_int_t
ngx_http_mpk_commit_order(ngx_http_mpk_txn_t *txn)
{
    int64_t                      bought;
    mpk_str_t                   *argv, none;
    ngx_uint_t                   i, j, n, start, count, more;
    mpk_order_t                 *order;
    mpk_decision_t              *decision;
    ngx_http_mpk_commit_list_t   lists[NGX_HTTP_MPK_COMMIT_LISTS];

    decision = &txn->decision;
    order = &decision->order;
    none = mpk_string("");

    if (ngx_http_mpk_commit_keys(txn) != NGX_OK
        || ngx_http_mpk_commit_entry(txn) != NGX_OK)
    {
        return NGX_ERROR;
    }

    count = ngx_http_mpk_commit_lists(txn, lists);

    more = (count || decision->event == MPK_EVENT_ERASED
            || txn->mmcf->retention);

    txn->listed = (count != 0);
    txn->script = more ? NGX_HTTP_MPK_SCRIPT_MORE : NGX_HTTP_MPK_SCRIPT_COMMIT;

    argv = ngx_palloc(txn->pool, (NGX_HTTP_MPK_COMMIT_ARGS
                                  + (more ? MPK_CLAIMS_MAX
                                            + MPK_WITHDRAWALS_MAX : 0))
                                 * sizeof(mpk_str_t));
    if (argv == NULL) {
        return NGX_ERROR;
    }

    n = 0;

    argv[n++] = mpk_string("EVALSHA");
    argv[n++] = ngx_http_mpk_script_sha(txn->script);
    argv[n++] = ngx_http_mpk_commit_int(txn, (int64_t) (2 + count));
    argv[n++] = txn->key;
    argv[n++] = ngx_http_mpk_key(&txn->mem, txn->id, ":out", none);

    for (i = 0; i < count; i++) {
        argv[n++] = ngx_http_mpk_key(&txn->mem, txn->id, lists[i].what, none);
    }

    argv[n++] = ngx_http_mpk_commit_begin(txn);
    argv[n++] = txn->counter.len ? txn->counter : none;
    argv[n++] = txn->count.len ? txn->count : none;
    argv[n++] = txn->id;
    argv[n++] = ngx_http_mpk_commit_int(txn, (int64_t) order->revision);
    argv[n++] = mpk_event_name(decision->event);

    start = n;

    if (more) {
        argv[n++] = decision->event == MPK_EVENT_ERASED ? mpk_string("1")
                                                        : none;
        argv[n++] = none;

        if (txn->mmcf->retention) {
            /* of an order that was not authentic only this is known */

            bought = order->filed_at ? ngx_min(order->purchased_at,
                                               order->filed_at)
                                     : order->erased_at;

            argv[n - 1] = ngx_http_mpk_commit_int(txn,
                              bought + txn->mmcf->retention);
        }

        start = ++n;
    }

    n += ngx_http_mpk_commit_fields(txn, &argv[n]);

    if (n == start) {
        return NGX_ERROR;
    }

    if (more) {
        argv[start - 1] = ngx_http_mpk_commit_int(txn, (int64_t) (n - start));
    }

    for (i = 0; i < count; i++) {
        argv[n++] = lists[i].argv[0];
        argv[n++] = ngx_http_mpk_commit_int(txn, (int64_t) lists[i].argc - 1);

        for (j = 1; j < lists[i].argc; j++) {
            argv[n++] = lists[i].argv[j];
        }
    }

    txn->argv = argv;
    txn->argc = n;

    return txn->mem.failed ? NGX_ERROR : NGX_OK;
}


/* WAIT covers only the writes of its own connection. */

ngx_int_t
ngx_http_mpk_commit_touch(ngx_http_mpk_txn_t *txn)
{
    txn->argv = ngx_palloc(txn->pool, 5 * sizeof(mpk_str_t));
    if (txn->argv == NULL) {
        return NGX_ERROR;
    }

    txn->argc = 5;
    txn->argv[0] = mpk_string("EVAL");
    txn->argv[1] = ngx_http_mpk_script(NGX_HTTP_MPK_SCRIPT_TOUCH);
    txn->argv[2] = mpk_string("1");
    txn->argv[3] = txn->key;
    txn->argv[4] = ngx_http_mpk_commit_begin(txn);

    return txn->mem.failed ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_http_mpk_commit_wrong(ngx_http_mpk_txn_t *txn)
{
    txn->argv = ngx_palloc(txn->pool, 7 * sizeof(mpk_str_t));
    if (txn->argv == NULL) {
        return NGX_ERROR;
    }

    txn->argc = 7;
    txn->argv[0] = mpk_string("EVAL");
    txn->argv[1] = ngx_http_mpk_script(NGX_HTTP_MPK_SCRIPT_WRONG);
    txn->argv[2] = mpk_string("1");
    txn->argv[3] = txn->key;
    txn->argv[4] = txn->counter;
    txn->argv[5] = ngx_http_mpk_commit_int(txn, txn->request.now);
    txn->argv[6] = ngx_http_mpk_commit_int(txn, txn->request.now
                                                + MPK_CHALLENGES_TIME);

    return txn->mem.failed ? NGX_ERROR : NGX_OK;
}


/* Decrypts the keys that the answer will show. */

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
    txn->ends = ngx_pcalloc(txn->pool, decision->items_count * sizeof(size_t));

    if (txn->keys == NULL || txn->ends == NULL) {
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
    time_t                 edge;
    mpk_entry_t           *entry;
    mpk_order_t           *order;
    mpk_status_t           status;
    mpk_decision_t        *decision;
    mpk_correction_t      *correction;
    const mpk_data_key_t  *key;

    decision = &txn->decision;
    order = &decision->order;
    key = txn->filing_key;

    if (txn->request.filing == NULL) {

        if (ngx_http_mpk_txn_unwrap(txn) != NGX_OK) {
            return NGX_ERROR;
        }

        key = &txn->data_key;
    }

    /* the number and the MAC before are those of the order as read, also if it is erased */

    entry = &txn->entry;

    entry->number = txn->order.revision + 1;
    entry->event = decision->event;
    entry->order = txn->id;
    entry->at = order->at;

    edge = ngx_time();
    entry->edge_at = ngx_abs(edge - entry->at) > 1 ? edge : 0;

    entry->channel = txn->request.channel;
    entry->items = decision->items;
    entry->items_count = decision->items_count;
    entry->generations = order->items;
    entry->claim = decision->claim;
    entry->correction = decision->correction;

    /* which billing email a customer's event goes by */

    if (entry->correction == 0
        && (txn->request.channel
            || decision->event == MPK_EVENT_CLAIM_OPENED))
    {
        entry->correction = mpk_order_correction(order, txn->request.now);
    }

    if (decision->event == MPK_EVENT_EMAIL_CHANGED) {
        correction = &order->corrections[decision->correction - 1];

        entry->holds_from = correction->from;
        entry->show_viewed = correction->show_viewed;
    }

    /* what the form says that its page did must be what it would have done */

    entry->warned = txn->request.desktop != MPK_PLATFORM_OTHER
                    && mpk_policy_warns(&txn->order, decision->items,
                                        decision->items_count,
                                        txn->request.desktop);

    /* nobody was asked */

    if (!(decision->consent & MPK_CONSENT_SUPPLY)) {
        ngx_memzero(&entry->consent, sizeof(mpk_str_t));
        ngx_memzero(&entry->consent_language, sizeof(mpk_str_t));
    }

    if (!(decision->consent & MPK_CONSENT_PRODUCT)) {
        ngx_memzero(&entry->consent_product, sizeof(mpk_str_t));
    }

    if (decision->withdrawal) {
        ngx_http_mpk_commit_stated(txn);
    }

    if (decision->event == MPK_EVENT_IMPORTED) {
        entry->delivered_at = order->delivered_at;
        entry->first_viewed_at = order->first_viewed_at;
    }

    status = mpk_journal_write(txn->mmcf->crypto, &txn->mem, key, entry,
                               txn->order.mac, &txn->record, order->mac);
    if (status != MPK_OK) {
        ngx_log_error(NGX_LOG_CRIT, txn->log, 0,
                      "mpk: the journal entry of order \"%*s\" could not be "
                      "sealed: %s; nothing was committed, the request was "
                      "refused", txn->id.len, txn->id.data,
                      mpk_status_text(status));
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* What the entry says of a withdrawal. */

static void
ngx_http_mpk_commit_stated(ngx_http_mpk_txn_t *txn)
{
    mpk_entry_t             *entry;
    mpk_decision_t          *decision;
    const mpk_withdrawal_t  *w;

    entry = &txn->entry;
    decision = &txn->decision;
    w = &decision->order.withdrawals[decision->withdrawal - 1];

    entry->withdrawal = decision->withdrawal;
    entry->stated_at = w->stated_at;
    entry->left = decision->left;
    entry->left_count = decision->left_count;
    entry->refund_due = decision->event == MPK_EVENT_WITHDRAWN
                        ? w->stated_at + MPK_WITHDRAWAL_REFUND : 0;

    if (txn->request.event == MPK_EVENT_WITHDRAWAL_STATED) {
        entry->medium = mpk_medium_name(w->medium);
        entry->reason = decision->event == MPK_EVENT_WITHDRAWAL_REJECTED
                        ? mpk_string("consents") : mpk_why_name(w->why);
    }
}


/* The beginning of the head that was read. */

static mpk_str_t
ngx_http_mpk_commit_begin(ngx_http_mpk_txn_t *txn)
{
    return txn->order.guard.data ? txn->order.guard : mpk_string("0 ");
}


/* The entry, the head, and the order's other fields that have changed; 0: an error. */

static ngx_uint_t
ngx_http_mpk_commit_fields(ngx_http_mpk_txn_t *txn, mpk_str_t *args)
{
    unsigned       changed;
    mpk_str_t      fields[MPK_ORDER_FIELDS];
    mpk_buf_t      name;
    ngx_uint_t     i, n;
    mpk_event_t    event;
    mpk_order_t   *order;
    mpk_status_t   status;

    order = &txn->decision.order;
    event = txn->decision.event;
    changed = 0;

    if (txn->request.filing) {
        changed |= 1 << MPK_ORDER_FILED | 1 << MPK_ORDER_ITEMS
                   | 1 << MPK_ORDER_KEYS;
    }

    if (event == MPK_EVENT_CLAIM_REPLACED) {
        changed |= 1 << MPK_ORDER_KEYS;
    }

    if (txn->decision.claim) {
        changed |= 1 << MPK_ORDER_CLAIMS;
    }

    if (txn->decision.withdrawal) {
        changed |= 1 << MPK_ORDER_WITHDRAWALS;
    }

    status = mpk_order_write(txn->mmcf->crypto, &txn->mem, order, changed,
                             fields);
    if (status != MPK_OK) {
        ngx_log_error(NGX_LOG_CRIT, txn->log, 0,
                      "mpk: order \"%*s\" could not be authenticated: %s; "
                      "nothing was committed, the request was refused",
                      txn->id.len, txn->id.data, mpk_status_text(status));
        return 0;
    }

    mpk_buf_init(&name, &txn->mem, 1 + NGX_INT64_LEN);
    mpk_buf_byte(&name, 'e');
    mpk_buf_int(&name, (int64_t) order->revision);

    n = 0;

    args[n++] = mpk_buf_done(&name);
    args[n++] = txn->record;

    for (i = 0; i < MPK_ORDER_FIELDS; i++) {
        if (fields[i].data) {
            args[n++] = mpk_order_field(i);
            args[n++] = fields[i];
        }
    }

    return n;
}


/* Changes of the worklists that the order enters or leaves; how many. */

static ngx_uint_t
ngx_http_mpk_commit_lists(ngx_http_mpk_txn_t *txn,
    ngx_http_mpk_commit_list_t *lists)
{
    ngx_uint_t          n;
    const mpk_order_t  *was, *is;

    was = &txn->order;
    is = &txn->decision.order;

    n = ngx_http_mpk_commit_cases(txn, ":claims", ngx_http_mpk_commit_claim,
                                  lists);
    n += ngx_http_mpk_commit_cases(txn,
             ngx_http_mpk_worklist_keys[NGX_HTTP_MPK_WORKLIST_WITHDRAWALS],
             ngx_http_mpk_commit_withdrawal, &lists[n]);
    n += ngx_http_mpk_commit_worklist(txn, NGX_HTTP_MPK_WORKLIST_SUSPENDED,
                                      was->suspended_at != 0,
                                      is->suspended_at != 0, &lists[n]);
    n += ngx_http_mpk_commit_worklist(txn, NGX_HTTP_MPK_WORKLIST_HELD,
                                      was->state == MPK_ORDER_HELD,
                                      is->state == MPK_ORDER_HELD, &lists[n]);

    return n;
}


static bool
ngx_http_mpk_commit_claim(const mpk_order_t *order, ngx_uint_t i)
{
    return i < order->claims_count && mpk_claim_undecided(&order->claims[i]);
}


static bool
ngx_http_mpk_commit_withdrawal(const mpk_order_t *order, ngx_uint_t i)
{
    return i < order->withdrawals_count
           && order->withdrawals[i].state == MPK_WITHDRAWAL_OPEN;
}


/* Of one commit, either one case enters the list, or some leave it. */

static ngx_uint_t
ngx_http_mpk_commit_cases(ngx_http_mpk_txn_t *txn, const char *what,
    ngx_http_mpk_commit_open_pt open, ngx_http_mpk_commit_list_t *list)
{
    bool        is;
    mpk_buf_t   member;
    ngx_uint_t  i, n;

    n = 0;

    for (i = 0; i < MPK_CLAIMS_MAX; i++) {
        is = open(&txn->decision.order, i);

        if (is == open(&txn->order, i)) {
            continue;
        }

        if (n == 0) {
            list->argv[n++] = is ? mpk_string("ZADD") : mpk_string("ZREM");

            if (is) {
                list->argv[n++] = ngx_http_mpk_commit_ms(txn);
            }
        }

        mpk_buf_init(&member, &txn->mem, txn->id.len + 4);
        mpk_buf_str(&member, txn->id);
        mpk_buf_byte(&member, '/');
        mpk_buf_int(&member, (int64_t) i + 1);

        list->argv[n++] = mpk_buf_done(&member);
    }

    list->what = what;
    list->argc = n;

    return n != 0;
}


static ngx_uint_t
ngx_http_mpk_commit_worklist(ngx_http_mpk_txn_t *txn,
    ngx_http_mpk_worklist_id_t id, ngx_uint_t was, ngx_uint_t is,
    ngx_http_mpk_commit_list_t *list)
{
    ngx_uint_t  n;

    if (was == is) {
        return 0;
    }

    n = 0;
    list->what = ngx_http_mpk_worklist_keys[id];

    if (is) {
        list->argv[n++] = mpk_string("ZADD");
        list->argv[n++] = ngx_http_mpk_commit_ms(txn);

    } else {
        list->argv[n++] = mpk_string("ZREM");
    }

    list->argv[n++] = txn->id;
    list->argc = n;

    return 1;
}


/* The event's time in milliseconds: what a worklist is sorted by. */

static mpk_str_t
ngx_http_mpk_commit_ms(ngx_http_mpk_txn_t *txn)
{
    int64_t  ms;

    ms = ngx_http_mpk_time_ms(txn->mmcf, txn->id);

    return ngx_http_mpk_commit_int(txn,
               ngx_max(ms, txn->decision.order.at * 1000));
}


static mpk_str_t
ngx_http_mpk_commit_int(ngx_http_mpk_txn_t *txn, int64_t n)
{
    mpk_buf_t  buf;

    mpk_buf_init(&buf, &txn->mem, NGX_INT64_LEN);
    mpk_buf_int(&buf, n);

    return mpk_buf_done(&buf);
}
