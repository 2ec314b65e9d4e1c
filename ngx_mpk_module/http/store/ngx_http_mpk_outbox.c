/*
 * The outbox is trimmed by a timer: one bucket after the other, each by whichever worker
 * comes first.  No journal needs its entries.
 */

#include "ngx_http_mpk_outbox.h"
#include "ngx_http_mpk_background.h"
#include "ngx_http_mpk_stats.h"

#include "mpk_bucket.h"
#include "mpk_token.h"

#define NGX_HTTP_MPK_OUTBOX_PAUSE_MIN  100           /* ms between two buckets */
#define NGX_HTTP_MPK_OUTBOX_PAUSE_MAX  (60 * 1000)
#define NGX_HTTP_MPK_OUTBOX_STEP       "1000"        /* entries trimmed at a time */
#define NGX_HTTP_MPK_OUTBOX_MAX        "1000000"     /* entries of a bucket */


static ngx_msec_t ngx_http_mpk_outbox_pause(ngx_http_mpk_main_conf_t *mmcf);
static void ngx_http_mpk_outbox_run(ngx_http_mpk_main_conf_t *mmcf);
static void ngx_http_mpk_outbox_trim(ngx_http_mpk_main_conf_t *mmcf,
    ngx_uint_t bucket);
static void ngx_http_mpk_outbox_handler(ngx_http_mpk_background_t *bg);


/*
 * KEYS: a bucket's outbox.  ARGV: seconds to keep, the edge's time, entries to keep.  The
 * earlier of both clocks counts, because trimming destroys.  If a clock was ahead, the ids
 * of a stream stay ahead, so its length is bounded, too.  Returns how many of the trimmed
 * entries a group had not read or not acknowledged, its name, and how many were trimmed:
 * STEP of them at most, so that all are counted.
 */
static const mpk_str_t  ngx_http_mpk_outbox_script = mpk_literal(
    "local len = redis.call('XLEN', KEYS[1])\n"
    "if len == 0 then return {0, '', 0} end\n"
    "local t = math.min(redis.call('TIME')[1], ARGV[2]) - ARGV[1]\n"
    "local old = redis.call('XRANGE', KEYS[1], '-',"
        " string.format('%.0f', math.max(t * 1000 - 1, 0)),"
        " 'COUNT', " NGX_HTTP_MPK_OUTBOX_STEP ")\n"
    "local over = math.min(len - ARGV[3], " NGX_HTTP_MPK_OUTBOX_STEP ")\n"
    "if over > #old then"
        " old = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', over) end\n"
    "if #old == 0 then return {0, '', 0} end\n"
    "local last = old[#old][1]\n"
    "local most, name = 0, ''\n"
    "for _, g in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do\n"
    "  local f = {}\n"
    "  for i = 1, #g, 2 do f[g[i]] = g[i + 1] end\n"
    "  local n = #redis.call('XPENDING', KEYS[1], f.name, old[1][1], last, #old)\n"
    "  local new = redis.pcall('XRANGE', KEYS[1],"
        " '(' .. f['last-delivered-id'], last)\n"
    "  n = n + (new.err and 0 or #new)\n"
    "  if n > most then most, name = n, f.name end\n"
    "end\n"
    "redis.call('XTRIM', KEYS[1], 'MAXLEN', len - #old)\n"
    "return {most, name, #old}\n");


static ngx_http_mpk_task_t  ngx_http_mpk_outbox_task;


void
ngx_http_mpk_outbox_init_worker(ngx_http_mpk_main_conf_t *mmcf)
{
    ngx_http_mpk_task_t  *task;

    if (mmcf->outbox_keep == 0 || mmcf->shm == NULL) {
        return;
    }

    task = &ngx_http_mpk_outbox_task;

    task->run = ngx_http_mpk_outbox_run;
    task->interval = ngx_http_mpk_outbox_pause(mmcf);
    task->last = &mmcf->shm->outbox_at;
    task->mmcf = mmcf;

    ngx_http_mpk_task_start(task, task->interval);
}


void
ngx_http_mpk_outbox_exit_worker(void)
{
    ngx_http_mpk_task_stop(&ngx_http_mpk_outbox_task);
}


/* All buckets within the time that entries are kept, but none more often than is of use. */

static ngx_msec_t
ngx_http_mpk_outbox_pause(ngx_http_mpk_main_conf_t *mmcf)
{
    if (mmcf->outbox_keep >= NGX_HTTP_MPK_OUTBOX_PAUSE_MAX / 1000 * MPK_BUCKETS) {
        return NGX_HTTP_MPK_OUTBOX_PAUSE_MAX;
    }

    return ngx_max((ngx_msec_t) mmcf->outbox_keep * 1000 / MPK_BUCKETS,
                   NGX_HTTP_MPK_OUTBOX_PAUSE_MIN);
}


static void
ngx_http_mpk_outbox_run(ngx_http_mpk_main_conf_t *mmcf)
{
    ngx_http_mpk_outbox_trim(mmcf,
        ngx_atomic_fetch_add(&mmcf->shm->outbox_bucket, 1) % MPK_BUCKETS);
}


static void
ngx_http_mpk_outbox_trim(ngx_http_mpk_main_conf_t *mmcf, ngx_uint_t bucket)
{
    u_char                      keep[NGX_TIME_T_LEN], now[NGX_TIME_T_LEN];
    u_char                      key[sizeof("mpk:{xx}:out")];
    mpk_str_t                   tag, argv[7];
    ngx_http_mpk_background_t  *bg;

    bg = ngx_http_mpk_background(mmcf, ngx_http_mpk_outbox_handler);
    if (bg == NULL) {
        return;
    }

    bg->number = bucket;

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
    argv[6] = mpk_string(NGX_HTTP_MPK_OUTBOX_MAX);

    ngx_http_mpk_background_send(bg, 7, argv);
}


static void
ngx_http_mpk_outbox_handler(ngx_http_mpk_background_t *bg)
{
    mpk_str_t               tag, group;
    ngx_mpk_redis_reply_t  *reply;

    reply = bg->cmd.reply;

    if (bg->cmd.result != NGX_MPK_REDIS_ANSWERED
        || reply->type != NGX_MPK_REDIS_ARRAY || reply->count != 3
        || reply->elements[0].type != NGX_MPK_REDIS_INTEGER
        || reply->elements[2].type != NGX_MPK_REDIS_INTEGER
        || reply->elements[2].integer <= 0)
    {
        return;
    }

    if (reply->elements[0].integer > 0) {
        tag = mpk_bucket_tag(bg->number);
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

    /* until there is nothing more to trim */

    if (!ngx_exiting) {
        ngx_http_mpk_outbox_trim(bg->mmcf, bg->number);
    }
}
