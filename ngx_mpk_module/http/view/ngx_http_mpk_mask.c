/* Product keys of which only the end is shown. */

#include "ngx_http_mpk_mask.h"


/* The last five characters of a key that is long enough to hide the rest. */

mpk_str_t
ngx_http_mpk_mask(mpk_mem_t *mem, mpk_str_t key)
{
    size_t     shown;
    mpk_buf_t  buf;

    shown = key.len >= 15 ? 5 : key.len >= 8 ? 2 : 0;

    while (shown && (key.data[key.len - shown] & 0xc0) == 0x80) {
        shown--;
    }

    mpk_buf_init(&buf, mem, 32);
    mpk_buf_lit(&buf, "\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2");
    mpk_buf_put(&buf, key.data + key.len - shown, shown);

    return mpk_buf_done(&buf);
}


mpk_str_t
ngx_http_mpk_mask_sealed(ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_order_t *opened,
    ngx_uint_t number, mpk_str_t sealed, uint64_t generation)
{
    mpk_str_t     key, masked;
    mpk_place_t   place;
    mpk_status_t  status;

    place = (mpk_place_t) { opened->id, mpk_string("key"), number,
                            generation };

    status = mpk_envelope_open(ctx->mmcf->crypto, &ctx->mem,
                               &opened->data_key, &place, sealed, &key);
    if (status != MPK_OK) {
        ngx_log_error(NGX_LOG_CRIT, ngx_http_mpk_mem_log(&ctx->mem), 0,
                      "mpk: the key of item %ui of order \"%*s\" can't be "
                      "decrypted: %s; its end is not shown", number, opened->id.len, opened->id.data,
                      mpk_status_text(status));
        return mpk_string("");
    }

    masked = ngx_http_mpk_mask(&ctx->mem, key);

    mpk_cleanse((void *) key.data, key.len);

    return masked;
}
