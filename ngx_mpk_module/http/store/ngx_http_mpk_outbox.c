/*
 * The outbox is trimmed by a timer: one bucket after the other, each by whichever worker
 * comes first.  No journal needs its entries.
 */

#include "ngx_http_mpk_outbox.h"
#include "ngx_http_mpk_stats.h"

#include "mpk_bucket.h"
#include "mpk_token.h"

#define NGX_HTTP_MPK_OUTBOX_STEP_MIN  100            /* ms between two buckets */
#define NGX_HTTP_MPK_OUTBOX_STEP_MAX  (60 * 1000)


typedef struct {
    ngx_mpk_redis_cmd_t           cmd;
    ngx_uint_t                    bucket;
} ngx_http_mpk_outbox_trim_t;


static void ngx_http_mpk_outbox_timer_handler(ngx_event_t *ev);
static ngx_msec_t ngx_http_mpk_outbox_step(ngx_http_mpk_main_conf_t *mmcf);
static void ngx_http_mpk_outbox_trim(ngx_http_mpk_main_conf_t *mmcf,
    ngx_uint_t bucket);
static void ngx_http_mpk_outbox_handler(ngx_mpk_redis_cmd_t *cmd);


/*
 * KEYS: a bucket's outbox.  ARGV: seconds to keep, the edge's time.  The earlier of both
 * clocks counts, because trimming destroys.  If a clock was ahead, the ids of a stream stay
 * ahead, so its length is bounded, too.  Returns the number of entries that a group has
 * not read or not acknowledged, and its name.
 */
static const mpk_str_t  ngx_http_mpk_outbox_script = mpk_literal(
    "if redis.call('EXISTS', KEYS[1]) == 0 then return {0, ''} end\n"
    "local t = math.min(redis.call('TIME')[1], ARGV[2]) - ARGV[1]\n"
    "if t <= 0 then return {0, ''} end\n"
    "local id = string.format('%.0f', t * 1000)\n"
    "local most, name = 0, ''\n"
    "for _, g in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do\n"
    "  local f = {}\n"
    "  for i = 1, #g, 2 do f[g[i]] = g[i + 1] end\n"
    "  local n = #redis.call('XPENDING', KEYS[1], f.name, '-', '(' .. id, 1000)"
        " + #redis.call('XRANGE', KEYS[1],"
        " '(' .. f['last-delivered-id'], '(' .. id, 'COUNT', 1000)\n"
    "  if n > most then most, name = n, f.name end\n"
    "end\n"
    "redis.call('XTRIM', KEYS[1], 'MINID', id)\n"
    "redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', 1000000)\n"
    "return {most, name}\n");


static ngx_event_t       ngx_http_mpk_outbox_timer;
static ngx_connection_t  ngx_http_mpk_outbox_dumb;


void
ngx_http_mpk_outbox_init_worker(ngx_http_mpk_main_conf_t *mmcf)
{
    ngx_event_t  *ev;

    if (mmcf->outbox_keep == 0 || mmcf->shm == NULL) {
        return;
    }

    ev = &ngx_http_mpk_outbox_timer;

    ngx_http_mpk_outbox_dumb.fd = (ngx_socket_t) -1;
    ngx_http_mpk_outbox_dumb.data = mmcf;

    ev->handler = ngx_http_mpk_outbox_timer_handler;
    ev->data = &ngx_http_mpk_outbox_dumb;
    ev->log = ngx_cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, ngx_http_mpk_outbox_step(mmcf));
}


void
ngx_http_mpk_outbox_exit_worker(void)
{
    if (ngx_http_mpk_outbox_timer.timer_set) {
        ngx_del_timer(&ngx_http_mpk_outbox_timer);
    }
}


/* All buckets within the time that entries are kept, but none more often than is of use. */

static ngx_msec_t
ngx_http_mpk_outbox_step(ngx_http_mpk_main_conf_t *mmcf)
{
    if (mmcf->outbox_keep >= NGX_HTTP_MPK_OUTBOX_STEP_MAX / 1000 * MPK_BUCKETS) {
        return NGX_HTTP_MPK_OUTBOX_STEP_MAX;
    }

    return ngx_max((ngx_msec_t) mmcf->outbox_keep * 1000 / MPK_BUCKETS,
                   NGX_HTTP_MPK_OUTBOX_STEP_MIN);
}


static void
ngx_http_mpk_outbox_timer_handler(ngx_event_t *ev)
{
    ngx_msec_t                 step;
    ngx_connection_t          *c;
    ngx_http_mpk_shm_t        *shm;
    ngx_atomic_uint_t          last;
    ngx_http_mpk_main_conf_t  *mmcf;

    if (ngx_exiting) {
        return;
    }

    c = ev->data;
    mmcf = c->data;
    shm = mmcf->shm;
    step = ngx_http_mpk_outbox_step(mmcf);

    ngx_add_timer(ev, step);

    /* one worker a step; its clock may be a little behind the others' */

    last = shm->outbox_at;

    if ((ngx_msec_int_t) (ngx_current_msec - (ngx_msec_t) last)
        < (ngx_msec_int_t) (step / 2)
        && last)
    {
        return;
    }

    if (ngx_atomic_cmp_set(&shm->outbox_at, last, ngx_current_msec)) {
        ngx_http_mpk_outbox_trim(mmcf,
            ngx_atomic_fetch_add(&shm->outbox_bucket, 1) % MPK_BUCKETS);
    }
}


static void
ngx_http_mpk_outbox_trim(ngx_http_mpk_main_conf_t *mmcf, ngx_uint_t bucket)
{
    u_char                       keep[NGX_TIME_T_LEN], now[NGX_TIME_T_LEN];
    u_char                       key[sizeof("mpk:{xx}:out")];
    mpk_str_t                    tag, argv[6];
    ngx_pool_t                  *pool;
    ngx_http_mpk_outbox_trim_t  *trim;

    pool = ngx_create_pool(1024, ngx_cycle->log);
    if (pool == NULL) {
        return;
    }

    trim = ngx_pcalloc(pool, sizeof(ngx_http_mpk_outbox_trim_t));
    if (trim == NULL) {
        ngx_destroy_pool(pool);
        return;
    }

    tag = mpk_bucket_tag(bucket);

    argv[0] = mpk_string("EVAL");
    argv[1] = ngx_http_mpk_outbox_script;
    argv[2] = mpk_string("1");
    argv[3].data = key;
    argv[3].len = ngx_sprintf(key, "mpk:{%*s}:out", tag.len, tag.data) - key;
    argv[4].data = keep;
    argv[4].len = ngx_sprintf(keep, "%T", mmcf->outbox_keep) - keep;
    argv[5].data = now;
    argv[5].len = ngx_sprintf(now, "%T", ngx_time()) - now;

    trim->bucket = bucket;
    trim->cmd.pool = pool;
    trim->cmd.data = trim;
    trim->cmd.handler = ngx_http_mpk_outbox_handler;

    ngx_mpk_redis_send(mmcf->redis, NGX_MPK_REDIS_READ, &trim->cmd, 6, argv);
}


static void
ngx_http_mpk_outbox_handler(ngx_mpk_redis_cmd_t *cmd)
{
    mpk_str_t                    tag, group;
    ngx_mpk_redis_reply_t       *reply;
    ngx_http_mpk_outbox_trim_t  *trim;

    trim = cmd->data;
    reply = cmd->reply;

    if (cmd->result == NGX_MPK_REDIS_ANSWERED
        && reply->type == NGX_MPK_REDIS_ARRAY && reply->count == 2
        && reply->elements[0].type == NGX_MPK_REDIS_INTEGER
        && reply->elements[0].integer > 0)
    {
        tag = mpk_bucket_tag(trim->bucket);
        group = reply->elements[1].str;

        /* anything can be in Redis, but not in the log */

        if (!mpk_order_id_valid(group)) {
            group = mpk_string("?");
        }

        ngx_http_mpk_stats_lost(reply->elements[0].integer);

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "mpk: %L events of \"mpk:{%*s}:out\" were trimmed before "
                      "group \"%*s\" had acknowledged them: its consumer is "
                      "down or too slow for mpk_outbox_keep",
                      reply->elements[0].integer, tag.len, tag.data,
                      group.len, group.data);
    }

    ngx_destroy_pool(cmd->pool);
}
