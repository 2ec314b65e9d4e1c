/* Names of Redis keys, and the reply of HMGET. */

#ifndef NGX_HTTP_MPK_KEYS_H
#define NGX_HTTP_MPK_KEYS_H

#include "ngx_http_mpk.h"


/* Builds "mpk:{tag}" what name, with the tag of the bucket that "bucket" hashes to. */
mpk_str_t ngx_http_mpk_key(mpk_mem_t *mem, mpk_str_t bucket,
    const char *what, mpk_str_t name);

/* The key of an account's index; the hash is mpk_lookup_index()'s. */
mpk_str_t ngx_http_mpk_account_key(mpk_mem_t *mem,
    const u_char hash[MPK_MAC_LEN]);

/* HMGET of an order's fields; keys: with the sealed keys.  The number of arguments. */
#define NGX_HTTP_MPK_ORDER_ARGS  (2 + MPK_ORDER_FIELDS)

ngx_uint_t ngx_http_mpk_order_args(mpk_str_t key, ngx_uint_t keys,
    mpk_str_t *argv);

/* The n fields of an HMGET reply; data == NULL: the field does not exist. */
ngx_int_t ngx_http_mpk_reply_fields(ngx_mpk_redis_reply_t *reply,
    ngx_uint_t n, mpk_str_t *fields);


#endif /* NGX_HTTP_MPK_KEYS_H */
