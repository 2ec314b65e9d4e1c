/*
 * What is asked of Redis beside transactions: commands that go together, counters of
 * failures, and orders that are read to be shown.
 */

#ifndef NGX_HTTP_MPK_ORDERS_H
#define NGX_HTTP_MPK_ORDERS_H

#include "ngx_http_mpk.h"


/*
 * Commands that are sent together and waited for together.  They have a pool of
 * their own: a request that dies detaches, and the answers are dropped as they come.
 */
typedef struct {
    ngx_pool_t                   *pool;
    ngx_http_mpk_mem_t            mem;
    ngx_http_request_t           *request;         /* NULL: detached */
    ngx_http_mpk_main_conf_t     *mmcf;
    ngx_mpk_redis_cmd_t          *cmds;
    ngx_uint_t                    size;
    ngx_uint_t                    count;
    ngx_uint_t                    waiting;
    uint64_t                      started;         /* us */
    unsigned                      failed:1;        /* one was not answered, or refused */
} ngx_http_mpk_batch_t;

ngx_http_mpk_batch_t *ngx_http_mpk_batch_create(ngx_http_request_t *r,
    ngx_uint_t size);

/* Queues a command; NULL: batch->failed is set. */
ngx_mpk_redis_cmd_t *ngx_http_mpk_batch_add(ngx_http_mpk_batch_t *batch,
    ngx_uint_t argc, const mpk_str_t *argv);

/* Calls next when all are answered; look at batch->failed then. */
ngx_int_t ngx_http_mpk_batch_run(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_batch_t *batch,
    ngx_http_mpk_next_pt next);

/* A Redis key: "mpk:{tag}", what and name, in the bucket of "bucket". */
mpk_str_t ngx_http_mpk_key(ngx_http_mpk_mem_t *mem, mpk_str_t bucket,
    const char *what, mpk_str_t name);

/* HMGET's answer, of n fields; data == NULL: no such field. */
ngx_int_t ngx_http_mpk_reply_fields(ngx_mpk_redis_reply_t *reply,
    ngx_uint_t n, mpk_str_t *fields);


/*
 * Counters of failures, "mpk:{tag}", what and name, in the bucket of "bucket".  ask
 * counts within a batch and gives the count; count and forgive are not waited for.
 */
ngx_mpk_redis_cmd_t *ngx_http_mpk_limit_ask(ngx_http_mpk_batch_t *batch,
    mpk_str_t bucket, const char *what, mpk_str_t name, time_t window);
void ngx_http_mpk_limit_count(ngx_http_mpk_main_conf_t *mmcf,
    mpk_str_t bucket, const char *what, mpk_str_t name, time_t window);
void ngx_http_mpk_limit_forgive(ngx_http_mpk_main_conf_t *mmcf,
    mpk_str_t bucket, const char *what, mpk_str_t name);

/*
 * Wrong challenges on a token are a field of its order, "w:" and the token's id, so that
 * the order and they are read as one: the count, a blank, and when it ends.  challenge
 * adds one, and is not waited for.
 */
mpk_str_t ngx_http_mpk_limit_field(ngx_http_mpk_mem_t *mem,
    const u_char token_id[MPK_ID_LEN]);
ngx_uint_t ngx_http_mpk_limit_closed(mpk_str_t value, time_t now);
void ngx_http_mpk_limit_challenge(ngx_http_mpk_txn_t *txn);


/* An order that was read to be shown, with the entries of its journal. */
typedef struct {
    mpk_str_t                     id;
    mpk_order_t                   order;           /* its state may be ABSENT */
    mpk_str_t                    *ids;
    mpk_record_t                 *records;
    ngx_uint_t                    records_count;
    ngx_uint_t                    skipped;         /* older entries that were not read */
    mpk_data_key_t                data_key;
    unsigned                      unwrapped:1;
} ngx_http_mpk_order_t;

struct ngx_http_mpk_orders_s {
    ngx_http_mpk_order_t         *list;            /* the caller sets each id */
    ngx_uint_t                    count;
    ngx_uint_t                    history;         /* entries read of each at most */
    ngx_http_mpk_txn_result_t     result;          /* OK, UNAVAILABLE or ERROR */

    /* its own */
    ngx_http_mpk_main_conf_t     *mmcf;
    ngx_http_mpk_batch_t         *batch;
    ngx_http_mpk_next_pt          next;
    ngx_uint_t                    order;           /* the next record to come */
    ngx_uint_t                    record;
};

/* Becomes ctx->orders. */
ngx_http_mpk_orders_t *ngx_http_mpk_orders_create(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_uint_t count);

/* Reads all of them, then calls next; look at orders->result then. */
ngx_int_t ngx_http_mpk_orders_read(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_next_pt next);

/* Unwraps the data key once; NGX_ERROR is logged. */
ngx_int_t ngx_http_mpk_order_unwrap(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order);

/* The index of an account's orders, by mpk_lookup_account(). */
mpk_str_t ngx_http_mpk_account_key(ngx_http_mpk_mem_t *mem,
    const u_char hash[MPK_MAC_LEN]);

/* Opens the personal data; NGX_ERROR is logged. */
ngx_int_t ngx_http_mpk_order_person(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, mpk_person_t *person);

/* A fresh one-time link for a page: absolute, without scheme and host, its nonce. */
typedef struct {
    mpk_str_t                     url;
    mpk_str_t                     path;
    mpk_str_t                     nonce;
} ngx_http_mpk_link_t;

/* items_count 0: all of them; items lives as long as the request. */
ngx_int_t ngx_http_mpk_link(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    mpk_str_t order, mpk_channel_t channel, const uint16_t *items,
    ngx_uint_t items_count, ngx_http_mpk_link_t *link);

/*
 * Address of a claim's form, or of where its files go: path and a token for some
 * items, for programs behind the public address; items lives as long as the request.  Empty: no memory.
 */
mpk_str_t ngx_http_mpk_claim_url(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_str_t *path, mpk_str_t order,
    const uint16_t *items, ngx_uint_t items_count);

/*
 * What everybody who may see an order sees of it: state, times, items, with the ends
 * of their keys or without.
 */
ngx_int_t ngx_http_mpk_card(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, ngx_uint_t masked, mpk_value_t *facts);

/* The views among the entries that were read, as "views". */
ngx_int_t ngx_http_mpk_card_views(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, mpk_value_t *facts);

/* Its claims, as "claims"; personal: with what customer and support wrote. */
ngx_int_t ngx_http_mpk_card_claims(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_order_t *order,
    ngx_uint_t personal, mpk_value_t *facts);

/* One of them, as a member of list. */
ngx_int_t ngx_http_mpk_card_claim(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, ngx_uint_t number, ngx_uint_t personal,
    mpk_value_t *list);

/* Until when, and where, a problem can be reported. */
ngx_int_t ngx_http_mpk_card_claimable(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_order_t *order, mpk_value_t *facts);

/* A sealed key with all but its end hidden; empty if it does not open. */
mpk_str_t ngx_http_mpk_card_masked(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, ngx_uint_t item, mpk_str_t sealed,
    uint64_t generation);

/* All of it for its customer, who can have the keys shown by one-time links. */
ngx_int_t ngx_http_mpk_card_customer(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_order_t *order,
    mpk_channel_t channel, mpk_value_t *facts);


#endif /* NGX_HTTP_MPK_ORDERS_H */
