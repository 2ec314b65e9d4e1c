/*
 * Lists of orders.  An order expires in Redis without its lists: they are sorted by time,
 * and what is older than mpk_retention is dropped when they are written or read.  The
 * earlier of the clocks of Redis and of the edge counts, because dropping destroys.
 */

#include "ngx_http_mpk_index.h"
#include "ngx_http_mpk_keys.h"


static mpk_str_t ngx_http_mpk_index_int(mpk_mem_t *mem, int64_t n);


#define ngx_http_mpk_index_drop_old                                          \
    "local t = math.min(redis.call('TIME')[1], ARGV[2])\n"                   \
    "redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. t - ARGV[1])\n"

/* KEYS: a sorted set.  ARGV: seconds to keep, the edge's time. */
static const mpk_str_t  ngx_http_mpk_index_old = mpk_literal(
    ngx_http_mpk_index_drop_old);

/* As above; ARGV 3, 4: time of purchase and order. */
static const mpk_str_t  ngx_http_mpk_index_new = mpk_literal(
    "redis.call('ZADD', KEYS[1], ARGV[3], ARGV[4])\n"
    ngx_http_mpk_index_drop_old
    "local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2] or t\n"
    "redis.call('EXPIREAT', KEYS[1],"
        " string.format('%.0f', math.max(last, t) + ARGV[1] + 1))\n");


ngx_uint_t
ngx_http_mpk_index_add(ngx_http_mpk_main_conf_t *mmcf, mpk_mem_t *mem,
    mpk_str_t key, mpk_str_t order, int64_t bought,
    mpk_str_t argv[NGX_HTTP_MPK_INDEX_ARGS])
{
    ngx_uint_t  n;

    n = 0;

    if (mmcf->retention == 0) {
        argv[n++] = mpk_string("ZADD");
        argv[n++] = key;

    } else {
        argv[n++] = mpk_string("EVAL");
        argv[n++] = ngx_http_mpk_index_new;
        argv[n++] = mpk_string("1");
        argv[n++] = key;
        argv[n++] = ngx_http_mpk_index_int(mem, mmcf->retention);
        argv[n++] = ngx_http_mpk_index_int(mem, ngx_time());
    }

    argv[n++] = ngx_http_mpk_index_int(mem, bought);
    argv[n++] = order;

    return n;
}


void
ngx_http_mpk_index_expire(ngx_http_mpk_main_conf_t *mmcf,
    ngx_http_mpk_batch_t *batch, mpk_str_t key)
{
    mpk_str_t  argv[6];

    if (mmcf->retention == 0) {
        return;
    }

    argv[0] = mpk_string("EVAL");
    argv[1] = ngx_http_mpk_index_old;
    argv[2] = mpk_string("1");
    argv[3] = key;
    argv[4] = ngx_http_mpk_index_int(&batch->mem, mmcf->retention);
    argv[5] = ngx_http_mpk_index_int(&batch->mem, ngx_time());

    (void) ngx_http_mpk_batch_add(batch, 6, argv);
}


static mpk_str_t
ngx_http_mpk_index_int(mpk_mem_t *mem, int64_t n)
{
    mpk_buf_t  buf;

    mpk_buf_init(&buf, mem, NGX_INT64_LEN);
    mpk_buf_int(&buf, n);

    return mpk_buf_done(&buf);
}
