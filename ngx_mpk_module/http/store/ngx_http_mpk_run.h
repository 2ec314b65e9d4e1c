/* A request's transaction. */

#ifndef NGX_HTTP_MPK_RUN_H
#define NGX_HTTP_MPK_RUN_H

#include "ngx_http_mpk_txn.h"


/* The client, for the journal: address, user agent, language, request id. */
void ngx_http_mpk_txn_client(ngx_http_request_t *r, ngx_http_mpk_txn_t *txn);

/* Starts the transaction, waits for it, and calls next. */
ngx_int_t ngx_http_mpk_run(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_txn_t *txn, ngx_http_mpk_next_pt next);


#endif /* NGX_HTTP_MPK_RUN_H */
