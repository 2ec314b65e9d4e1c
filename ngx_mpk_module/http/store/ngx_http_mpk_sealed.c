/* Sealed data, decrypted with the order's data key when needed. */

#include "ngx_http_mpk_sealed.h"
#include "ngx_http_mpk_stats.h"
#include "ngx_http_mpk_time.h"

#include "mpk_lookup.h"
#include "mpk_typed.h"


static void ngx_http_mpk_sealed_log(ngx_log_t *log, mpk_str_t order,
    mpk_status_t status);
static void ngx_http_mpk_sealed_personal(ngx_http_mpk_ctx_t *ctx,
    const ngx_http_mpk_order_t *order);


void
ngx_http_mpk_order_unread(ngx_log_t *log, const mpk_order_t *order,
    mpk_status_t status)
{
    ngx_http_mpk_stats_unread(status);

    switch (status) {

    case MPK_FORGED:
        ngx_log_error(NGX_LOG_CRIT, log, 0,
                      "mpk: order \"%*s\" is not authentic: somebody changed "
                      "it in Redis; nothing of it is shown, restore it",
                      order->id.len, order->id.data);
        return;

    case MPK_UNKNOWN:
        ngx_log_error(NGX_LOG_CRIT, log, 0,
                      "mpk: order \"%*s\" can't be verified: journal key "
                      "\"%*s\" is not in the keyring; nothing of the order "
                      "is shown, add the key", order->id.len, order->id.data,
                      order->kid.len, order->kid.data);
        return;

    case MPK_NEWER:
        ngx_log_error(NGX_LOG_CRIT, log, 0,
                      "mpk: order \"%*s\" was written by a newer release; "
                      "nothing of it is shown, upgrade this edge",
                      order->id.len, order->id.data);
        return;

    default:
        ngx_log_error(NGX_LOG_CRIT, log, 0,
                      "mpk: order \"%*s\" can't be read: %s; the request "
                      "fails", order->id.len, order->id.data,
                      mpk_status_text(status));
    }
}


ngx_int_t
ngx_http_mpk_txn_unwrap(ngx_http_mpk_txn_t *txn)
{
    mpk_status_t  status;

    if (txn->unwrapped) {
        return NGX_OK;
    }

    status = mpk_envelope_unwrap(txn->mmcf->crypto, &txn->mem, txn->id,
                                 txn->order.data_key, &txn->data_key);
    if (status != MPK_OK) {
        ngx_http_mpk_sealed_log(txn->log, txn->id, status);
        return NGX_ERROR;
    }

    txn->unwrapped = 1;

    return NGX_OK;
}


ngx_int_t
ngx_http_mpk_order_unwrap(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order)
{
    mpk_status_t  status;

    if (order->unwrapped) {
        return NGX_OK;
    }

    status = mpk_envelope_unwrap(ctx->mmcf->crypto, &ctx->mem,
                                 order->id, order->order.data_key,
                                 &order->data_key);
    if (status != MPK_OK) {
        ngx_http_mpk_sealed_log(ngx_http_mpk_mem_log(&ctx->mem), order->id,
                                status);
        return NGX_ERROR;
    }

    order->unwrapped = 1;

    return NGX_OK;
}


static void
ngx_http_mpk_sealed_log(ngx_log_t *log, mpk_str_t order, mpk_status_t status)
{
    ngx_log_error(NGX_LOG_CRIT, log, 0,
                  "mpk: the data key of order \"%*s\" can't be unwrapped: %s; "
                  "its keys can't be shown",
                  order.len, order.data,
                  status == MPK_UNKNOWN ? "its wrap key is not in the keyring"
                                        : mpk_status_text(status));
}


ngx_int_t
ngx_http_mpk_txn_open(ngx_http_mpk_txn_t *txn, ngx_uint_t number,
    mpk_str_t *key)
{
    mpk_item_t    *item;
    mpk_place_t    place;
    mpk_status_t   status;

    if (ngx_http_mpk_txn_unwrap(txn) != NGX_OK) {
        return NGX_ERROR;
    }

    item = &txn->order.items[number - 1];
    place = (mpk_place_t) { txn->id, mpk_string("key"), number,
                            item->generation };

    status = mpk_envelope_open(txn->mmcf->crypto, &txn->mem,
                               &txn->data_key, &place, item->key, key);
    if (status != MPK_OK) {
        ngx_log_error(NGX_LOG_CRIT, txn->log, 0,
                      "mpk: the key of item %ui of order \"%*s\" can't be "
                      "decrypted: %s; it is not shown", number, txn->id.len, txn->id.data,
                      mpk_status_text(status));
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_mpk_txn_find_key(ngx_http_mpk_txn_t *txn, mpk_str_t text,
    uint16_t *item)
{
    mpk_str_t    key;
    ngx_uint_t   i;
    mpk_typed_t  typed;

    if (mpk_typed_init(&txn->mem, text, MPK_KEY_MAX, &typed) != MPK_OK) {
        return NGX_ERROR;
    }

    for (i = 1; i <= txn->order.items_count; i++) {

        if (ngx_http_mpk_txn_open(txn, i, &key) != NGX_OK) {
            return NGX_ERROR;
        }

        mpk_typed_compare(&typed, i, key);
        mpk_cleanse((void *) key.data, key.len);
    }

    *item = (uint16_t) mpk_typed_item(&typed);

    return NGX_OK;
}


ngx_int_t
ngx_http_mpk_txn_open_claim(ngx_http_mpk_txn_t *txn, ngx_uint_t number,
    mpk_detail_t *detail)
{
    mpk_str_t    plain;
    mpk_place_t  place;

    if (ngx_http_mpk_txn_unwrap(txn) != NGX_OK) {
        return NGX_ERROR;
    }

    place = (mpk_place_t) { txn->id, mpk_string("claim"), number, 0 };

    if (mpk_envelope_open(txn->mmcf->crypto, &txn->mem, &txn->data_key, &place,
                          txn->order.claims[number - 1].detail, &plain)
        != MPK_OK
        || mpk_detail_read(plain, detail) != MPK_OK)
    {
        ngx_log_error(NGX_LOG_CRIT, txn->log, 0,
                      "mpk: claim %ui of order \"%*s\" can't be decrypted; the "
                      "request fails", number, txn->id.len, txn->id.data);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_mpk_txn_seal_claim(ngx_http_mpk_txn_t *txn, ngx_uint_t number,
    const mpk_detail_t *detail)
{
    mpk_buf_t    plain, sealed;
    mpk_place_t  place;

    if (ngx_http_mpk_txn_unwrap(txn) != NGX_OK) {
        return NGX_ERROR;
    }

    mpk_buf_init(&plain, &txn->mem, 1024);
    mpk_detail_write(detail, &plain);
    mpk_buf_init(&sealed, &txn->mem, plain.len + MPK_SEAL_OVERHEAD);

    place = (mpk_place_t) { txn->id, mpk_string("claim"), number, 0 };

    if (plain.failed
        || mpk_envelope_seal(txn->mmcf->crypto, &txn->mem, &txn->data_key,
                             &place, mpk_buf_done(&plain), &sealed)
           != MPK_OK)
    {
        return NGX_ERROR;
    }

    txn->request.claim_detail = mpk_buf_done(&sealed);

    return NGX_OK;
}


ngx_int_t
ngx_http_mpk_txn_digest(ngx_http_mpk_txn_t *txn, mpk_buf_t *content,
    mpk_str_t *digest)
{
    u_char        *p;
    mpk_status_t   status;

    p = ngx_palloc(txn->pool, MPK_MAC_LEN);

    status = p == NULL || content->failed
             ? MPK_NOMEM
             : mpk_lookup_digest(txn->mmcf->crypto, mpk_buf_done(content), p);

    mpk_cleanse(content->data, content->len);

    *digest = (mpk_str_t) { MPK_MAC_LEN, p };

    return status == MPK_OK ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_mpk_txn_emails(ngx_http_mpk_txn_t *txn)
{
    size_t         i, numbers[2];
    int64_t        now;
    mpk_person_t   person;
    mpk_status_t   status;
    mpk_order_t   *order;
    mpk_str_t     *emails[2];

    if (ngx_http_mpk_txn_unwrap(txn) != NGX_OK) {
        return NGX_ERROR;
    }

    order = &txn->order;
    now = txn->request.now;

    numbers[0] = mpk_order_correction(order, now);
    numbers[1] = mpk_order_correction_pending(order, now);

    emails[0] = &txn->entry.email_old;
    emails[1] = &txn->entry.email_new;

    ngx_memzero(emails[1], sizeof(mpk_str_t));

    for (i = 0; i < (numbers[1] ? 2 : 1); i++) {

        status = mpk_person_open(txn->mmcf->crypto, &txn->mem, &txn->data_key,
                                 order, numbers[i], &person);
        if (status != MPK_OK) {
            ngx_log_error(NGX_LOG_CRIT, txn->log, 0,
                          "mpk: the personal data of order \"%*s\" can't be "
                          "decrypted: %s; the request fails",
                          txn->id.len, txn->id.data, mpk_status_text(status));
            return NGX_ERROR;
        }

        *emails[i] = person.email;
    }

    return NGX_OK;
}


void
ngx_http_mpk_txn_close(ngx_http_mpk_txn_t *txn)
{
    mpk_str_t  *key;

    while (txn->keys_count) {
        key = &txn->keys[--txn->keys_count];
        mpk_cleanse((void *) key->data, key->len);
    }
}


ngx_int_t
ngx_http_mpk_order_person(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, mpk_person_t *person)
{
    int64_t  now;

    now = ngx_http_mpk_time(ctx->mmcf, order->id);

    return ngx_http_mpk_order_person_as(ctx, order,
               mpk_order_correction(&order->order, now), person);
}


ngx_int_t
ngx_http_mpk_order_person_as(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, ngx_uint_t number, mpk_person_t *person)
{
    if (ngx_http_mpk_order_unwrap(ctx, order) != NGX_OK) {
        return NGX_ERROR;
    }

    if (mpk_person_open(ctx->mmcf->crypto, &ctx->mem, &order->data_key,
                        &order->order, number, person)
        != MPK_OK)
    {
        ngx_http_mpk_sealed_personal(ctx, order);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_mpk_order_checkout(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, mpk_checkout_t *checkout)
{
    mpk_str_t    plain;
    mpk_place_t  place;

    ngx_memzero(checkout, sizeof(mpk_checkout_t));

    checkout->business = order->order.business;

    if (order->order.checkout.len == 0) {
        return NGX_OK;
    }

    if (ngx_http_mpk_order_unwrap(ctx, order) != NGX_OK) {
        return NGX_ERROR;
    }

    place = (mpk_place_t) { order->id, mpk_string("checkout"), 0, 0 };

    if (mpk_envelope_open(ctx->mmcf->crypto, &ctx->mem, &order->data_key,
                          &place, order->order.checkout, &plain)
        != MPK_OK
        || mpk_checkout_read(plain, checkout) != MPK_OK)
    {
        ngx_http_mpk_sealed_personal(ctx, order);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_mpk_sealed_personal(ngx_http_mpk_ctx_t *ctx,
    const ngx_http_mpk_order_t *order)
{
    ngx_log_error(NGX_LOG_CRIT, ngx_http_mpk_mem_log(&ctx->mem), 0,
                  "mpk: the personal data of order \"%*s\" can't be "
                  "decrypted; the request fails",
                  order->id.len, order->id.data);
}
