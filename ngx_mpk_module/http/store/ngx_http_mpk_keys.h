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

/* HMGET of those fields of an order whose bits are set.  The number of arguments. */
#define NGX_HTTP_MPK_ORDER_ARGS  (2 + MPK_ORDER_FIELDS)

ngx_uint_t ngx_http_mpk_order_args(mpk_str_t key, unsigned read,
    mpk_str_t *argv);

/*
 * Its reply: the fields, each in its place, and one more that was asked for (NULL: none
 * was).  data == NULL: the field does not exist.
 */
ngx_int_t ngx_http_mpk_order_reply(ngx_mpk_redis_reply_t *reply, unsigned read,
    mpk_str_t fields[MPK_ORDER_FIELDS], mpk_str_t *more);

/* The n fields of an HMGET reply, as above. */
ngx_int_t ngx_http_mpk_reply_fields(ngx_mpk_redis_reply_t *reply,
    ngx_uint_t n, mpk_str_t *fields);


#endif /* NGX_HTTP_MPK_KEYS_H */
