/* Transactions: read an order, decide, commit the decision. */

#ifndef NGX_HTTP_MPK_TXN_H
#define NGX_HTTP_MPK_TXN_H

#include "ngx_http_mpk_ctx.h"
#include "ngx_http_mpk_script.h"


typedef enum {
    NGX_HTTP_MPK_TXN_OK = 0,       /* the decision holds; DONE means committed */
    NGX_HTTP_MPK_TXN_UNAVAILABLE,  /* nothing was written */
    NGX_HTTP_MPK_TXN_LOST,         /* it may have been written */
    NGX_HTTP_MPK_TXN_BUSY,         /* others wrote each time; nothing was written */
    NGX_HTTP_MPK_TXN_ERROR,        /* what is stored does not open, or no memory */
    NGX_HTTP_MPK_TXN_MAX
} ngx_http_mpk_txn_result_t;


typedef void (*ngx_http_mpk_txn_handler_pt)(ngx_http_mpk_txn_t *txn);

/* Completes txn->request and txn->entry with what depends on the order as read. */
typedef ngx_int_t (*ngx_http_mpk_txn_prepare_pt)(ngx_http_mpk_txn_t *txn);


/*
 * One order, one event.  Has a pool of its own: when the request dies the transaction
 * detaches, and commands in flight are completed.
 */
struct ngx_http_mpk_txn_s {
    ngx_pool_t                   *pool;
    mpk_mem_t                     mem;
    ngx_http_mpk_main_conf_t     *mmcf;
    ngx_http_request_t           *r;               /* NULL: detached */
    ngx_http_mpk_txn_handler_pt   handler;         /* without a request: called at the end */
    void                         *data;            /* the handler's */
    ngx_log_t                    *log;

    mpk_str_t                     id;              /* see ngx_http_mpk_txn_order() */

    /* set by the caller before ngx_http_mpk_txn_start() */
    mpk_request_t                 request;
    mpk_entry_t                   entry;           /* to be journaled, if the event is */
    mpk_data_key_t               *filing_key;      /* with request.filing */
    const u_char                 *accounts;        /* hashes of those that list it, or no more (ERASED) */
    ngx_uint_t                    accounts_count;
    mpk_str_t                     counter;         /* the field of wrong challenges; "": not counted */
    ngx_http_mpk_txn_prepare_pt   prepare;         /* called before the decision */
    unsigned                      dry:1;           /* decide, write nothing */

    /* results */
    ngx_http_mpk_txn_result_t     result;
    mpk_order_t                   order;           /* as read */
    mpk_decision_t                decision;
    mpk_data_key_t                data_key;        /* see ngx_http_mpk_txn_unwrap() */
    mpk_str_t                    *keys;            /* opened, one for each decision.items */
    ngx_uint_t                    keys_count;
    size_t                       *ends;            /* where in the body each ends; 0: not in it */
    mpk_str_t                     page;            /* shows them; cleansed at the end */
    uint64_t                      store_time;      /* us */

    /* internal */
    mpk_str_t                     key;             /* the order's in Redis */
    mpk_str_t                     count;           /* the counter, as read */
    ngx_mpk_redis_cmd_t           cmd;             /* one after the other */
    mpk_str_t                    *argv;
    ngx_uint_t                    argc;
    ngx_http_mpk_script_id_t      script;          /* the commit's */
    ngx_uint_t                    tries;
    ngx_uint_t                    indexed;         /* accounts that are done */
    uint64_t                      started;         /* us */
    mpk_str_t                     record;          /* the journal entry */
    unsigned                      read;            /* the order's fields, see mpk_order_read() */
    unsigned                      waiting:1;       /* for the reply to a command */
    unsigned                      decided:1;
    unsigned                      unwrapped:1;
    unsigned                      listed:1;        /* the commit changes a worklist */
};


/*
 * A transaction with a request dies with it or, if a command is in flight then, after
 * it.  One without a request calls its handler, if it has one, and dies; clear the
 * handler to abandon it.
 */
ngx_http_mpk_txn_t *ngx_http_mpk_txn_create(ngx_http_mpk_main_conf_t *mmcf,
    ngx_http_request_t *r);

/* Sets the order, and the request's time by the clock of its Redis. */
void ngx_http_mpk_txn_order(ngx_http_mpk_txn_t *txn, mpk_str_t id);

/* Copies into the transaction's pool: it may outlive the request. */
mpk_str_t ngx_http_mpk_txn_copy(ngx_http_mpk_txn_t *txn, mpk_str_t s);

/* Never ends within this call. */
void ngx_http_mpk_txn_start(ngx_http_mpk_txn_t *txn);

/* The outcome of a request whose transaction or read ended so; NONE for OK. */
ngx_uint_t ngx_http_mpk_txn_outcome(ngx_http_mpk_txn_result_t result);

/* Drops one without a request that was not started. */
void ngx_http_mpk_txn_destroy(ngx_http_mpk_txn_t *txn);

/*
 * Journals, in the background, that the answer of a view was cut off after so many bytes of
 * its body (negative: not known, as if none): for the items whose keys end behind them, and
 * not at all if there are none.
 */
void ngx_http_mpk_txn_cut_off(ngx_http_mpk_txn_t *view, off_t sent);


#endif /* NGX_HTTP_MPK_TXN_H */
