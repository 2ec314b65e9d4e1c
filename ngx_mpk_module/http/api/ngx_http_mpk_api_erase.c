/* DELETE /orders/{id}: the personal data of an order is destroyed (GDPR, article 17). */

#include "ngx_http_mpk_api.h"
#include "ngx_http_mpk_sealed.h"


static ngx_int_t ngx_http_mpk_erase_prepare(ngx_http_mpk_txn_t *txn);


ngx_int_t
ngx_http_mpk_api_erase(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_txn_t  *txn;

    txn = ngx_http_mpk_api_txn(r, ctx, MPK_EVENT_ERASED);
    if (txn == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    txn->prepare = ngx_http_mpk_erase_prepare;

    return ngx_http_mpk_run(r, ctx, txn, ngx_http_mpk_api_state);
}


/*
 * Finds the account whose index has the order, or the emails if it has none.  An order that
 * can't be decrypted any more can still be erased.
 */

static ngx_int_t
ngx_http_mpk_erase_prepare(ngx_http_mpk_txn_t *txn)
{
    u_char        *accounts;
    mpk_buf_t      wrapped;
    mpk_mem_t     *mem;
    ngx_uint_t     i, n;
    mpk_person_t   person;

    mem = &txn->mem;
    txn->accounts_count = 0;

    if (ngx_http_mpk_txn_unwrap(txn) != NGX_OK) {

        /* seal the last entry with a throwaway key */

        mpk_buf_init(&wrapped, mem, 128);

        if (mpk_envelope_create(txn->mmcf->crypto, mem, txn->id,
                                &txn->data_key, &wrapped)
            != MPK_OK)
        {
            return NGX_ERROR;
        }

        txn->unwrapped = 1;
    }

    n = txn->order.account_hash.len ? 1 : 1 + txn->order.corrections_count;

    accounts = mpk_alloc(mem, n * MPK_MAC_LEN);
    if (accounts == NULL) {
        return NGX_ERROR;
    }

    txn->accounts = accounts;

    for (i = 0; i < n; i++) {

        if (mpk_person_open(txn->mmcf->crypto, mem, &txn->data_key,
                            &txn->order, i, &person)
            != MPK_OK
            || mpk_lookup_index(txn->mmcf->crypto,
                                person.account.len ? person.account
                                                   : person.email,
                                accounts + txn->accounts_count * MPK_MAC_LEN)
               != MPK_OK)
        {
            ngx_log_error(NGX_LOG_ERR, txn->log, 0,
                          "mpk: order \"%*s\" is erased, but its id stays in "
                          "an account's index: whose it was could not be "
                          "decrypted", txn->id.len, txn->id.data);
            continue;
        }

        txn->accounts_count++;
    }

    return NGX_OK;
}
