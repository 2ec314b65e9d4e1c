/* Orders read in order to be shown, with their journals. */

#ifndef NGX_HTTP_MPK_ORDERS_H
#define NGX_HTTP_MPK_ORDERS_H

#include "ngx_http_mpk_batch.h"
#include "ngx_http_mpk_txn.h"


typedef struct {
    mpk_str_t                     id;
    mpk_order_t                   order;           /* its state may be ABSENT */
    mpk_status_t                  status;          /* of reading it; not OK: ABSENT */
    mpk_str_t                    *records;         /* data == NULL: it is missing */
    ngx_uint_t                    records_count;
    ngx_uint_t                    skipped;         /* older entries that were not read */
    mpk_data_key_t                data_key;
    unsigned                      unwrapped:1;
} ngx_http_mpk_order_t;


struct ngx_http_mpk_orders_s {
    ngx_http_mpk_order_t         *list;            /* the caller sets each id */
    ngx_uint_t                    count;
    ngx_uint_t                    history;         /* entries read of each at most */
    unsigned                      read;            /* their fields, see mpk_order_read() */
    ngx_http_mpk_txn_result_t     result;          /* OK, UNAVAILABLE or ERROR */

    /* internal */
    ngx_http_mpk_batch_t         *batch;
    ngx_http_mpk_next_pt          next;
    ngx_uint_t                    order;           /* the next record to come */
    ngx_uint_t                    record;
};


/* Becomes ctx->orders. */
ngx_http_mpk_orders_t *ngx_http_mpk_orders_create(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_uint_t count);

/*
 * Asks for all of them, in a batch that takes as many more commands: these are answered
 * before anything is called.  NULL: no memory.
 */
ngx_http_mpk_batch_t *ngx_http_mpk_orders_ask(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_uint_t more);

/* Asks, if nobody has; reads all of them, then calls next, which must check orders->result. */
ngx_int_t ngx_http_mpk_orders_read(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_next_pt next);


#endif /* NGX_HTTP_MPK_ORDERS_H */
