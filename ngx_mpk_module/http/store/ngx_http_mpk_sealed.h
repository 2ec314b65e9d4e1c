/* Sealed data, decrypted with the order's data key when needed. */

#ifndef NGX_HTTP_MPK_SEALED_H
#define NGX_HTTP_MPK_SEALED_H

#include "ngx_http_mpk_orders.h"
#include "ngx_http_mpk_txn.h"

#include "mpk_checkout.h"


/* Logs and counts an order that can't be read, see mpk_order_read(). */
void ngx_http_mpk_order_unread(ngx_log_t *log, const mpk_order_t *order,
    mpk_status_t status);

/* Each logs what can't be decrypted, and returns NGX_ERROR. */

/* Unwraps the data key, once. */
ngx_int_t ngx_http_mpk_txn_unwrap(ngx_http_mpk_txn_t *txn);
ngx_int_t ngx_http_mpk_order_unwrap(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order);

/* Decrypts an item's product key into the transaction's memory. */
ngx_int_t ngx_http_mpk_txn_open(ngx_http_mpk_txn_t *txn, ngx_uint_t item,
    mpk_str_t *key);

/*
 * The item whose key this is, typed loosely as it may be (see mpk_typed.h): all keys are
 * decrypted and compared.  *item is 0 if there is none.
 */
ngx_int_t ngx_http_mpk_txn_find_key(ngx_http_mpk_txn_t *txn, mpk_str_t text,
    uint16_t *item);

/*
 * Decrypts what customer and support wrote in a claim, and encrypts it as the transaction's
 * claim_detail.  Claims count from 1; a new one follows the others.
 */
ngx_int_t ngx_http_mpk_txn_open_claim(ngx_http_mpk_txn_t *txn, ngx_uint_t claim,
    mpk_detail_t *detail);
ngx_int_t ngx_http_mpk_txn_seal_claim(ngx_http_mpk_txn_t *txn, ngx_uint_t claim,
    const mpk_detail_t *detail);

/* The digest of a call's content (R10), in the transaction's memory; cleanses content. */
ngx_int_t ngx_http_mpk_txn_digest(ngx_http_mpk_txn_t *txn, mpk_buf_t *content,
    mpk_str_t *digest);

/* For the journal: the email that holds, and the one that is to hold later ("": none). */
ngx_int_t ngx_http_mpk_txn_emails(ngx_http_mpk_txn_t *txn);

/* Cleanses the product keys that are to be shown. */
void ngx_http_mpk_txn_close(ngx_http_mpk_txn_t *txn);

/*
 * Decrypts the personal data, with the email address that holds, or with that of a correction,
 * by its number (0: as filed).
 */
ngx_int_t ngx_http_mpk_order_person(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, mpk_person_t *person);
ngx_int_t ngx_http_mpk_order_person_as(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, ngx_uint_t number, mpk_person_t *person);

/* Decrypts what was accepted at the checkout; empty if nothing was filed. */
ngx_int_t ngx_http_mpk_order_checkout(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, mpk_checkout_t *checkout);


#endif /* NGX_HTTP_MPK_SEALED_H */
