/* What the two halves of a transaction share: read and decide, and commit. */

#ifndef NGX_HTTP_MPK_TXN_H
#define NGX_HTTP_MPK_TXN_H

#include "ngx_http_mpk_orders.h"


/* Opens what must be shown, and makes what will be written; NGX_ERROR is logged. */
ngx_int_t ngx_http_mpk_commit_prepare(ngx_http_mpk_txn_t *txn);

/* Sends it.  Ends in done, or, where somebody else wrote first, in again. */
void ngx_http_mpk_commit_send(ngx_http_mpk_txn_t *txn);

/*
 * What was read as done already is answered as such only once others have it, too: the
 * commit that did it may have been LOST.  Ends in done.
 */
void ngx_http_mpk_commit_confirm(ngx_http_mpk_txn_t *txn);

/* Sends a command; handler gets it, with the transaction as its data, when it is done. */
void ngx_http_mpk_txn_send(ngx_http_mpk_txn_t *txn, ngx_mpk_redis_lane_t lane,
    ngx_mpk_redis_handler_pt handler, ngx_uint_t argc, const mpk_str_t *argv);

void ngx_http_mpk_txn_done(ngx_http_mpk_txn_t *txn,
    ngx_http_mpk_txn_result_t result);
void ngx_http_mpk_txn_again(ngx_http_mpk_txn_t *txn);

/* Forgets the product keys that were opened. */
void ngx_http_mpk_txn_close(ngx_http_mpk_txn_t *txn);


#endif /* NGX_HTTP_MPK_TXN_H */
