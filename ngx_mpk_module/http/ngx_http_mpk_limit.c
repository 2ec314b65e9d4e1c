/*
 * Counters of what failed, in Redis: one for all workers and edges.  A counter begins
 * with its first failure and ends a window later, whatever comes in between.
 */

#include "ngx_http_mpk.h"


static void ngx_http_mpk_limit_send(ngx_http_mpk_main_conf_t *mmcf,
    mpk_str_t bucket, const char *what, mpk_str_t name, mpk_str_t script,
    time_t window);
static void ngx_http_mpk_limit_handler(ngx_mpk_redis_cmd_t *cmd);


/* One command each: a counter without an end would refuse for good. */

static const mpk_str_t  ngx_http_mpk_limit_up = mpk_literal(
    "local n = redis.call('INCR', KEYS[1])\n"
    "if n == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end\n"
    "return n\n");

static const mpk_str_t  ngx_http_mpk_limit_down = mpk_literal(
    "if redis.call('EXISTS', KEYS[1]) == 1 then"
        " redis.call('DECR', KEYS[1]) end\n");


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
    ngx_http_mpk_limit_send(mmcf, bucket, what, name, ngx_http_mpk_limit_up,
                            window);
}


void
ngx_http_mpk_limit_forgive(ngx_http_mpk_main_conf_t *mmcf, mpk_str_t bucket,
    const char *what, mpk_str_t name)
{
    ngx_http_mpk_limit_send(mmcf, bucket, what, name, ngx_http_mpk_limit_down,
                            0);
}


static void
ngx_http_mpk_limit_send(ngx_http_mpk_main_conf_t *mmcf, mpk_str_t bucket,
    const char *what, mpk_str_t name, mpk_str_t script, time_t window)
{
    u_char                seconds[NGX_TIME_T_LEN];
    mpk_str_t             argv[5];
    ngx_pool_t           *pool;
    ngx_http_mpk_mem_t    mem;
    ngx_mpk_redis_cmd_t  *cmd;

    pool = ngx_create_pool(1024, ngx_cycle->log);
    if (pool == NULL) {
        return;
    }

    ngx_http_mpk_mem_init(&mem, pool);

    cmd = ngx_pcalloc(pool, sizeof(ngx_mpk_redis_cmd_t));

    argv[0] = mpk_string("EVAL");
    argv[1] = script;
    argv[2] = mpk_string("1");
    argv[3] = ngx_http_mpk_key(&mem, bucket, what, name);
    argv[4].data = seconds;
    argv[4].len = ngx_sprintf(seconds, "%T", window) - seconds;

    if (cmd == NULL || mem.failed) {
        ngx_destroy_pool(pool);
        return;
    }

    cmd->pool = pool;
    cmd->handler = ngx_http_mpk_limit_handler;

    ngx_mpk_redis_send(mmcf->redis, NGX_MPK_REDIS_READ, cmd, 5, argv);
}


static void
ngx_http_mpk_limit_handler(ngx_mpk_redis_cmd_t *cmd)
{
    ngx_destroy_pool(cmd->pool);
}
