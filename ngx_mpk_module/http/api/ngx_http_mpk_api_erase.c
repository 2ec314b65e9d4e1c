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
 * Finds the account whose index has the order.  An order that can't be decrypted any more
 * can still be erased.
 */

static ngx_int_t
ngx_http_mpk_erase_prepare(ngx_http_mpk_txn_t *txn)
{
    u_char        *account;
    mpk_buf_t      wrapped;
    mpk_str_t      plain;
    mpk_mem_t     *mem;
    mpk_place_t    place;
    mpk_person_t   person;

    mem = &txn->mem;
    txn->account = NULL;

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

    place = (mpk_place_t) { txn->id, mpk_string("person"), 0, 0 };

    account = mpk_alloc(mem, MPK_MAC_LEN);
    if (account == NULL) {
        return NGX_ERROR;
    }

    if (mpk_envelope_open(txn->mmcf->crypto, mem, &txn->data_key, &place,
                          txn->order.person, &plain)
        != MPK_OK
        || mpk_person_read(plain, &person) != MPK_OK
        || mpk_lookup_index(txn->mmcf->crypto,
                            person.account.len ? person.account : person.email,
                            account)
           != MPK_OK)
    {
        ngx_log_error(NGX_LOG_ERR, txn->log, 0,
                      "mpk: order \"%*s\" is erased, but its id stays in an "
                      "account's index: whose it was could not be decrypted",
                      txn->id.len, txn->id.data);
        return NGX_OK;
    }

    txn->account = account;

    return NGX_OK;
}
