/* The time by which orders go. */

#include "ngx_http_mpk_time.h"

#include "mpk_bucket.h"


static int64_t ngx_http_mpk_time_redis(ngx_http_mpk_main_conf_t *mmcf,
    mpk_str_t order);


ngx_uint_t
ngx_http_mpk_time_known(ngx_http_mpk_main_conf_t *mmcf)
{
    return ngx_http_mpk_time_redis(mmcf, mpk_string("")) != 0;
}


int64_t
ngx_http_mpk_time_ms(ngx_http_mpk_main_conf_t *mmcf, mpk_str_t order)
{
    int64_t  ms;

    ms = ngx_http_mpk_time_redis(mmcf, order);

    return ms ? ms : (int64_t) ngx_time() * 1000;
}


static int64_t
ngx_http_mpk_time_redis(ngx_http_mpk_main_conf_t *mmcf, mpk_str_t order)
{
    u_char     key[sizeof("{xx}") - 1];
    mpk_str_t  tag;

    tag = mpk_bucket_tag(mpk_bucket(order));

    key[0] = '{';
    ngx_memcpy(&key[1], tag.data, 2);
    key[3] = '}';

    return ngx_mpk_redis_time(mmcf->redis, (mpk_str_t) { sizeof(key), key });
}


time_t
ngx_http_mpk_time(ngx_http_mpk_main_conf_t *mmcf, mpk_str_t order)
{
    return (time_t) (ngx_http_mpk_time_ms(mmcf, order) / 1000);
}
