/* Transactions about withdrawals (R12): their sealed part is made once the order is known. */

#include "ngx_http_mpk_withdrawal.h"
#include "ngx_http_mpk_sealed.h"

#include "mpk_pack.h"


#define NGX_HTTP_MPK_WITHDRAWAL_DAY  (24 * 60 * 60)


static ngx_int_t ngx_http_mpk_withdrawal_prepare(ngx_http_mpk_txn_t *txn);
static ngx_int_t ngx_http_mpk_withdrawal_consents(ngx_http_mpk_txn_t *txn);
static ngx_int_t ngx_http_mpk_withdrawal_open(ngx_http_mpk_txn_t *txn,
    ngx_uint_t number, mpk_stated_t *stated);


ngx_int_t
ngx_http_mpk_withdrawal_state(ngx_http_mpk_txn_t *txn,
    ngx_http_mpk_srv_conf_t *mscf, const mpk_stated_t *from)
{
    mpk_stated_t  *stated;

    stated = ngx_pcalloc(txn->pool, sizeof(mpk_stated_t));
    if (stated == NULL) {
        return NGX_ERROR;
    }

    stated->name = ngx_http_mpk_txn_copy(txn, from->name);
    stated->email = ngx_http_mpk_txn_copy(txn, from->email);
    stated->note = ngx_http_mpk_txn_copy(txn, from->note);

    txn->entry.name = stated->name;
    txn->entry.email = stated->email;
    txn->entry.note = stated->note;

    txn->data = stated;
    txn->prepare = ngx_http_mpk_withdrawal_prepare;

    txn->request.withdrawal_days = mscf->withdrawal_window
                                   / NGX_HTTP_MPK_WITHDRAWAL_DAY;
    txn->request.withdrawal_refuse = mscf->withdraw_refuse;

    return txn->mem.failed ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_http_mpk_withdrawal_decide(ngx_http_mpk_txn_t *txn, ngx_uint_t number,
    mpk_str_t text)
{
    u_char        *digest;
    mpk_buf_t      content;
    mpk_stated_t  *stated;

    stated = ngx_pcalloc(txn->pool, sizeof(mpk_stated_t) + MPK_MAC_LEN);
    if (stated == NULL) {
        return NGX_ERROR;
    }

    digest = (u_char *) &stated[1];

    /* the content that identifies a decision (R10) */

    mpk_buf_init(&content, &txn->mem, text.len + 16);
    mpk_pack_int(&content, txn->request.event);
    mpk_pack_str(&content, text);

    if (content.failed
        || mpk_lookup_digest(txn->mmcf->crypto, mpk_buf_done(&content), digest)
           != MPK_OK)
    {
        return NGX_ERROR;
    }

    stated->reason = ngx_http_mpk_txn_copy(txn, text);
    txn->entry.note = stated->reason;

    txn->data = stated;
    txn->prepare = ngx_http_mpk_withdrawal_prepare;
    txn->request.withdrawal = number;
    txn->request.withdrawal_digest = (mpk_str_t) { MPK_MAC_LEN, digest };

    return txn->mem.failed ? NGX_ERROR : NGX_OK;
}


/* Seals what was stated; of a decision, together with its reason. */

static ngx_int_t
ngx_http_mpk_withdrawal_prepare(ngx_http_mpk_txn_t *txn)
{
    mpk_buf_t     buf, sealed;
    mpk_mem_t    *mem;
    ngx_uint_t    number;
    mpk_place_t   place;
    mpk_stated_t  stated, *given;

    mem = &txn->mem;
    given = txn->data;
    stated = *given;

    if (ngx_http_mpk_txn_unwrap(txn) != NGX_OK) {
        return NGX_ERROR;
    }

    if (txn->request.event == MPK_EVENT_WITHDRAWAL_STATED) {
        number = txn->order.withdrawals_count + 1;

        if (ngx_http_mpk_withdrawal_consents(txn) != NGX_OK) {
            return NGX_ERROR;
        }

    } else {
        number = txn->request.withdrawal;

        if (number == 0 || number > txn->order.withdrawals_count) {
            return NGX_OK;
        }

        if (ngx_http_mpk_withdrawal_open(txn, number, &stated) != NGX_OK) {
            return NGX_ERROR;
        }

        stated.reason = given->reason;
    }

    place = (mpk_place_t) { txn->id, mpk_string("withdrawal"), number, 0 };

    mpk_buf_init(&buf, mem, 256);
    mpk_stated_write(&stated, &buf);

    mpk_buf_init(&sealed, mem, buf.len + MPK_SEAL_OVERHEAD);

    if (buf.failed
        || mpk_envelope_seal(txn->mmcf->crypto, mem, &txn->data_key, &place,
                             mpk_buf_done(&buf), &sealed)
           != MPK_OK)
    {
        return NGX_ERROR;
    }

    txn->request.withdrawal_detail = mpk_buf_done(&sealed);

    return NGX_OK;
}


/* When the checkout's consents were given and confirmed: only mpk_withdraw_refuse asks. */

static ngx_int_t
ngx_http_mpk_withdrawal_consents(ngx_http_mpk_txn_t *txn)
{
    mpk_str_t       plain;
    mpk_place_t     place;
    mpk_checkout_t  checkout;

    if (!txn->request.withdrawal_refuse || !txn->order.consents) {
        return NGX_OK;
    }

    ngx_memzero(&checkout, sizeof(mpk_checkout_t));

    place = (mpk_place_t) { txn->id, mpk_string("checkout"), 0, 0 };

    if (mpk_envelope_open(txn->mmcf->crypto, &txn->mem, &txn->data_key, &place,
                          txn->order.checkout, &plain)
        != MPK_OK
        || mpk_checkout_read(plain, &checkout) != MPK_OK)
    {
        ngx_log_error(NGX_LOG_CRIT, txn->log, 0,
                      "mpk: the consents of order \"%*s\" can't be decrypted; "
                      "the request fails", txn->id.len, txn->id.data);
        return NGX_ERROR;
    }

    txn->request.consented_at = checkout.consents.at;
    txn->request.confirmed_at = checkout.consents.confirmed_at;

    return NGX_OK;
}


static ngx_int_t
ngx_http_mpk_withdrawal_open(ngx_http_mpk_txn_t *txn, ngx_uint_t number,
    mpk_stated_t *stated)
{
    mpk_str_t    plain;
    mpk_place_t  place;

    place = (mpk_place_t) { txn->id, mpk_string("withdrawal"), number, 0 };

    if (mpk_envelope_open(txn->mmcf->crypto, &txn->mem, &txn->data_key, &place,
                          txn->order.withdrawals[number - 1].detail, &plain)
        != MPK_OK
        || mpk_stated_read(plain, stated) != MPK_OK)
    {
        ngx_log_error(NGX_LOG_CRIT, txn->log, 0,
                      "mpk: withdrawal %ui of order \"%*s\" can't be "
                      "decrypted; the request fails", number, txn->id.len,
                      txn->id.data);
        return NGX_ERROR;
    }

    return NGX_OK;
}
