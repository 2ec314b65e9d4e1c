/* Names of keys in Redis, and what HMGET gives of them. */

#ifndef NGX_HTTP_MPK_KEYS_H
#define NGX_HTTP_MPK_KEYS_H

#include "ngx_http_mpk.h"


/* "mpk:{tag}", what and name; the tag is that of the bucket of "bucket". */
mpk_str_t ngx_http_mpk_key(mpk_mem_t *mem, mpk_str_t bucket,
    const char *what, mpk_str_t name);

/* The index of an account's orders, by mpk_lookup_account(). */
mpk_str_t ngx_http_mpk_account_key(mpk_mem_t *mem,
    const u_char hash[MPK_MAC_LEN]);

/* HMGET's answer, of n fields; data == NULL: no such field. */
ngx_int_t ngx_http_mpk_reply_fields(ngx_mpk_redis_reply_t *reply,
    ngx_uint_t n, mpk_str_t *fields);


#endif /* NGX_HTTP_MPK_KEYS_H */
