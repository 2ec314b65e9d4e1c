/* Transactions about withdrawals (R12): their sealed part is made once the order is known. */

#ifndef NGX_HTTP_MPK_WITHDRAWAL_H
#define NGX_HTTP_MPK_WITHDRAWAL_H

#include "ngx_http_mpk_txn.h"


/*
 * Completes a transaction of the event WITHDRAWAL_STATED, whose request has the rest.  The
 * strings are copied.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_mpk_withdrawal_state(ngx_http_mpk_txn_t *txn,
    ngx_http_mpk_srv_conf_t *mscf, const mpk_stated_t *stated);

/*
 * As above, WITHDRAWN or WITHDRAWAL_REJECTED: support decides a withdrawal, by its number
 * (0: there is no such), with a note or reason.
 */
ngx_int_t ngx_http_mpk_withdrawal_decide(ngx_http_mpk_txn_t *txn,
    ngx_uint_t number, mpk_str_t text);


#endif /* NGX_HTTP_MPK_WITHDRAWAL_H */
