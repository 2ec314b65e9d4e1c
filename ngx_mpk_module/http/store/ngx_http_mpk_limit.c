/*
 * Counters of failures, in Redis: one for all workers and edges.  A counter starts with
 * the first failure and expires one window later, regardless of failures in between.
 */

#include "ngx_http_mpk_limit.h"
#include "ngx_http_mpk_background.h"
#include "ngx_http_mpk_keys.h"

#include "mpk_base64url.h"

#define NGX_HTTP_MPK_LIMIT_ARGS   3
#define NGX_HTTP_MPK_LIMIT_FIELD  (2 + MPK_TOKEN_ID_LEN)     /* bytes of its name */


static mpk_str_t ngx_http_mpk_limit_write(u_char *p,
    const u_char token_id[MPK_ID_LEN]);
static void ngx_http_mpk_limit_send(ngx_http_mpk_main_conf_t *mmcf,
    mpk_str_t bucket, const char *what, mpk_str_t name, mpk_str_t script,
    ngx_uint_t n, const mpk_str_t *args);


/* One script each: a counter that never expires would refuse for good. */

static const mpk_str_t  ngx_http_mpk_limit_up = mpk_literal(
    "local n = redis.call('INCR', KEYS[1])\n"
    "if n == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end\n"
    "return n\n");

static const mpk_str_t  ngx_http_mpk_limit_down = mpk_literal(
    "if redis.call('EXISTS', KEYS[1]) == 1 then"
        " redis.call('DECR', KEYS[1]) end\n");

/*
 * KEYS: the order.  ARGV: the token's field, now, and the end of a counter that starts
 * now.  Nothing is written to an order that has expired or was erased meanwhile.
 */
static const mpk_str_t  ngx_http_mpk_limit_wrong = mpk_literal(
    "local f, w = unpack(redis.call('HMGET', KEYS[1], 'f', ARGV[1]))\n"
    "if not f then return end\n"
    "local n, t = string.match(w or '', '^(%d+) (%d+)$')\n"
    "if not t or tonumber(t) <= tonumber(ARGV[2])"
        " or tonumber(t) > ARGV[3] + 60 then n, t = 0, ARGV[3] end\n"
    "redis.call('HSET', KEYS[1], ARGV[1], n + 1 .. ' ' .. t)\n");


ngx_mpk_redis_cmd_t *
ngx_http_mpk_limit_ask(ngx_http_mpk_batch_t *batch, mpk_str_t bucket,
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


void
ngx_http_mpk_limit_count(ngx_http_mpk_main_conf_t *mmcf, mpk_str_t bucket,
    const char *what, mpk_str_t name, time_t window)
{
    u_char     seconds[NGX_TIME_T_LEN];
    mpk_str_t  arg;

    arg.data = seconds;
    arg.len = ngx_sprintf(seconds, "%T", window) - seconds;

    ngx_http_mpk_limit_send(mmcf, bucket, what, name, ngx_http_mpk_limit_up,
                            1, &arg);
}


void
ngx_http_mpk_limit_forgive(ngx_http_mpk_main_conf_t *mmcf, mpk_str_t bucket,
    const char *what, mpk_str_t name)
{
    ngx_http_mpk_limit_send(mmcf, bucket, what, name, ngx_http_mpk_limit_down,
                            0, NULL);
}


mpk_str_t
ngx_http_mpk_limit_field(mpk_mem_t *mem,
    const u_char token_id[MPK_ID_LEN])
{
    u_char  *p;

    p = mpk_alloc(mem, NGX_HTTP_MPK_LIMIT_FIELD);

    return p ? ngx_http_mpk_limit_write(p, token_id) : mpk_string("");
}


static mpk_str_t
ngx_http_mpk_limit_write(u_char *p, const u_char token_id[MPK_ID_LEN])
{
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


void
ngx_http_mpk_limit_challenge(ngx_http_mpk_main_conf_t *mmcf, mpk_str_t order,
    const u_char token_id[MPK_ID_LEN], time_t now)
{
    u_char     field[NGX_HTTP_MPK_LIMIT_FIELD];
    u_char     begin[NGX_TIME_T_LEN], end[NGX_TIME_T_LEN];
    mpk_str_t  args[3];

    args[0] = ngx_http_mpk_limit_write(field, token_id);
    args[1].data = begin;
    args[1].len = ngx_sprintf(begin, "%T", now) - begin;
    args[2].data = end;
    args[2].len = ngx_sprintf(end, "%T", now + MPK_CHALLENGES_TIME) - end;

    ngx_http_mpk_limit_send(mmcf, order, ":o:", order,
                            ngx_http_mpk_limit_wrong, 3, args);
}


static void
ngx_http_mpk_limit_send(ngx_http_mpk_main_conf_t *mmcf, mpk_str_t bucket,
    const char *what, mpk_str_t name, mpk_str_t script, ngx_uint_t n,
    const mpk_str_t *args)
{
    mpk_str_t                   argv[4 + NGX_HTTP_MPK_LIMIT_ARGS];
    ngx_http_mpk_background_t  *bg;

    bg = ngx_http_mpk_background(mmcf, NULL);
    if (bg == NULL) {
        return;
    }

    argv[0] = mpk_string("EVAL");
    argv[1] = script;
    argv[2] = mpk_string("1");
    argv[3] = ngx_http_mpk_key(&bg->mem, bucket, what, name);

    if (n) {
        ngx_memcpy(&argv[4], args, n * sizeof(mpk_str_t));
    }

    ngx_http_mpk_background_send(bg, 4 + n, argv);
}
