/* What a transaction writes. */

#ifndef NGX_HTTP_MPK_COMMIT_H
#define NGX_HTTP_MPK_COMMIT_H

#include "ngx_http_mpk_txn.h"


/*
 * Each makes a command of what was decided: txn->argv and txn->argc.  NGX_ERROR: no memory,
 * or what is stored can't be decrypted.
 */

/* The decision: the order and its journal entry.  Opens the keys that will be shown. */
ngx_int_t ngx_http_mpk_commit_order(ngx_http_mpk_txn_t *txn);

/* Nothing new: a write for durability= to wait for. */
ngx_int_t ngx_http_mpk_commit_touch(ngx_http_mpk_txn_t *txn);

/*
 * A wrong challenge.  It is counted before it is answered, and in the commits' lane: a
 * right one that was sent after it is committed after it, and finds it counted.
 */
ngx_int_t ngx_http_mpk_commit_wrong(ngx_http_mpk_txn_t *txn);


#endif /* NGX_HTTP_MPK_COMMIT_H */
