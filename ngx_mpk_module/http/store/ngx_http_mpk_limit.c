/*
 * Counters of failures, in Redis: one for all workers and edges.  A counter starts with
 * the first failure and expires one window later, regardless of failures in between.
 */

#include "ngx_http_mpk_limit.h"
#include "ngx_http_mpk_background.h"
#include "ngx_http_mpk_keys.h"

#include "mpk_base64url.h"

#define NGX_HTTP_MPK_LIMIT_FIELD  (2 + MPK_TOKEN_ID_LEN)     /* bytes of its name */


/* One script each: a counter that never expires would refuse for good. */

static const mpk_str_t  ngx_http_mpk_limit_up = mpk_literal(
    "local n = redis.call('INCR', KEYS[1])\n"
    "if n == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end\n"
    "return n\n");

static const mpk_str_t  ngx_http_mpk_limit_down = mpk_literal(
    "if redis.call('EXISTS', KEYS[1]) == 1 then"
        " redis.call('DECR', KEYS[1]) end\n");


ngx_mpk_redis_cmd_t *
ngx_http_mpk_limit_read(ngx_http_mpk_batch_t *batch, mpk_str_t bucket,
    const char *what, mpk_str_t name)
{
    mpk_str_t  argv[2];

    argv[0] = mpk_string("GET");
    argv[1] = ngx_http_mpk_key(&batch->mem, bucket, what, name);

    return ngx_http_mpk_batch_add(batch, 2, argv);
}


ngx_mpk_redis_cmd_t *
ngx_http_mpk_limit_count(ngx_http_mpk_batch_t *batch, mpk_str_t bucket,
    const char *what, mpk_str_t name, time_t window)
{
    u_char     seconds[NGX_TIME_T_LEN];
    mpk_str_t  argv[5];

    argv[0] = mpk_string("EVAL");
    argv[1] = ngx_http_mpk_limit_up;
    argv[2] = mpk_string("1");
    argv[3] = ngx_http_mpk_key(&batch->mem, bucket, what, name);
    argv[4].data = seconds;
    argv[4].len = ngx_sprintf(seconds, "%T", window) - seconds;

    return ngx_http_mpk_batch_add(batch, 5, argv);
}


int64_t
ngx_http_mpk_limit_value(const ngx_mpk_redis_cmd_t *cmd)
{
    ngx_int_t               n;
    ngx_mpk_redis_reply_t  *reply;

    reply = cmd->reply;

    switch (reply->type) {

    case NGX_MPK_REDIS_INTEGER:
        return reply->integer;

    case NGX_MPK_REDIS_NIL:
        return 0;

    case NGX_MPK_REDIS_STRING:
        n = ngx_atoi((u_char *) reply->str.data, reply->str.len);

        if (n != NGX_ERROR) {
            return n;
        }

        /* fall through */

    default:
        return INT64_MAX;
    }
}


void
ngx_http_mpk_limit_forgive(ngx_http_mpk_main_conf_t *mmcf, mpk_str_t bucket,
    const char *what, mpk_str_t name)
{
    mpk_str_t                   argv[4];
    ngx_http_mpk_background_t  *bg;

    bg = ngx_http_mpk_background(mmcf, NULL);
    if (bg == NULL) {
        return;
    }

    argv[0] = mpk_string("EVAL");
    argv[1] = ngx_http_mpk_limit_down;
    argv[2] = mpk_string("1");
    argv[3] = ngx_http_mpk_key(&bg->mem, bucket, what, name);

    ngx_http_mpk_background_send(bg, 4, argv);
}


mpk_str_t
ngx_http_mpk_limit_field(mpk_mem_t *mem,
    const u_char token_id[MPK_ID_LEN])
{
    u_char  *p;

    p = mpk_alloc(mem, NGX_HTTP_MPK_LIMIT_FIELD);
    if (p == NULL) {
        return mpk_string("");
    }

    p[0] = 'w';
    p[1] = ':';
    mpk_base64url_encode(p + 2, token_id, MPK_ID_LEN);

    return (mpk_str_t) { NGX_HTTP_MPK_LIMIT_FIELD, p };
}


ngx_uint_t
ngx_http_mpk_limit_closed(mpk_str_t value, time_t now)
{
    u_char     *blank, *last;
    ngx_int_t   n;
    time_t      until;

    if (value.len == 0) {
        return 0;
    }

    last = (u_char *) value.data + value.len;

    blank = ngx_strlchr((u_char *) value.data, last, ' ');
    if (blank == NULL) {
        return 1;
    }

    n = ngx_atoi((u_char *) value.data, blank - value.data);
    until = ngx_atotm(blank + 1, last - blank - 1);

    /* a counter from the future was started by a clock that was ahead */

    return n == NGX_ERROR || until == NGX_ERROR
           || (n >= MPK_CHALLENGES_MAX && now < until
               && until <= now + MPK_CHALLENGES_TIME + MPK_TOKEN_SKEW);
}
