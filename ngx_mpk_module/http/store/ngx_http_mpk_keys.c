/* Names of Redis keys, and the reply of HMGET. */

#include "ngx_http_mpk_keys.h"

#include "mpk_base64url.h"
#include "mpk_bucket.h"


mpk_str_t
ngx_http_mpk_key(mpk_mem_t *mem, mpk_str_t bucket, const char *what,
    mpk_str_t name)
{
    mpk_buf_t  buf;

    mpk_buf_init(&buf, mem, 20 + name.len);

    mpk_buf_lit(&buf, "mpk:{");
    mpk_buf_str(&buf, mpk_bucket_tag(mpk_bucket(bucket)));
    mpk_buf_lit(&buf, "}");
    mpk_buf_put(&buf, what, ngx_strlen(what));
    mpk_buf_str(&buf, name);

    return mpk_buf_done(&buf);
}


mpk_str_t
ngx_http_mpk_account_key(mpk_mem_t *mem,
    const u_char hash[MPK_MAC_LEN])
{
    u_char     name[MPK_MAC_LEN * 2];
    mpk_str_t  text;

    mpk_base64url_encode(name, hash, MPK_MAC_LEN);

    text = (mpk_str_t) { mpk_base64url_encoded_len(MPK_MAC_LEN), name };

    return ngx_http_mpk_key(mem, text, ":a:", text);
}


ngx_uint_t
ngx_http_mpk_order_args(mpk_str_t key, unsigned read, mpk_str_t *argv)
{
    ngx_uint_t  i, n;

    n = 0;

    argv[n++] = mpk_string("HMGET");
    argv[n++] = key;

    for (i = 0; i < MPK_ORDER_FIELDS; i++) {
        if (read & (1u << i)) {
            argv[n++] = mpk_order_field(i);
        }
    }

    return n;
}


ngx_int_t
ngx_http_mpk_order_reply(ngx_mpk_redis_reply_t *reply, unsigned read,
    mpk_str_t fields[MPK_ORDER_FIELDS], mpk_str_t *more)
{
    mpk_str_t   values[MPK_ORDER_FIELDS + 1];
    ngx_uint_t  i, n;

    for (i = 0, n = 0; i < MPK_ORDER_FIELDS; i++) {
        n += ((read & (1u << i)) != 0);
    }

    if (ngx_http_mpk_reply_fields(reply, n + (more != NULL), values) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (more) {
        *more = values[n];
    }

    for (i = 0, n = 0; i < MPK_ORDER_FIELDS; i++) {
        fields[i] = (read & (1u << i)) ? values[n++]
                                       : (mpk_str_t) { 0, NULL };
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_mpk_reply_fields(ngx_mpk_redis_reply_t *reply, ngx_uint_t n,
    mpk_str_t *fields)
{
    ngx_uint_t  i;

    if (reply->type != NGX_MPK_REDIS_ARRAY || reply->count != n) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        fields[i] = reply->elements[i].type == NGX_MPK_REDIS_STRING
                    ? reply->elements[i].str : (mpk_str_t) { 0, NULL };
    }

    return NGX_OK;
}
