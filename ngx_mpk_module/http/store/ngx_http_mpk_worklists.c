/*
 * The worklists' sizes and oldest entries, for the metrics: read by a timer each second, by
 * whichever worker comes first; a scrape costs Redis nothing.  Each time those buckets are
 * read that commits of this edge have changed, and one of the others in turn.
 */

#include "ngx_http_mpk_worklists.h"
#include "ngx_http_mpk_background.h"

#define NGX_HTTP_MPK_WORKLISTS_PAUSE  1000    /* ms between two buckets */


static void ngx_http_mpk_worklists_run(ngx_http_mpk_main_conf_t *mmcf);
static void ngx_http_mpk_worklists_read(ngx_http_mpk_main_conf_t *mmcf,
    ngx_uint_t bucket);
static void ngx_http_mpk_worklists_handler(ngx_http_mpk_background_t *bg);


const char *const  ngx_http_mpk_worklist_keys[] = {
    [NGX_HTTP_MPK_WORKLIST_SUSPENDED] = ":suspended",
};

_Static_assert(sizeof(ngx_http_mpk_worklist_keys)
               / sizeof(ngx_http_mpk_worklist_keys[0])
               == NGX_HTTP_MPK_WORKLIST_MAX, "a key for each list");


/*
 * KEYS: a bucket's lists.  ARGV: seconds that an order is kept, or 0; the edge's time.
 * Returns of each list the number of entries and the score of the oldest.  What is older
 * than an order is kept is dropped; the earlier of both clocks counts, because dropping
 * destroys.
 */
static const mpk_str_t  ngx_http_mpk_worklists_script = mpk_literal(
    "local t = (math.min(redis.call('TIME')[1], ARGV[2]) - ARGV[1]) * 1000\n"
    "local r = {}\n"
    "for _, k in ipairs(KEYS) do\n"
    "  if ARGV[1] ~= '0' then redis.call('ZREMRANGEBYSCORE', k, '-inf',"
        " string.format('(%.0f', t)) end\n"
    "  local n = redis.call('ZCARD', k)\n"
    "  local first = redis.call('ZRANGE', k, 0, 0, 'WITHSCORES')[2] or '0'\n"
    "  r[#r + 1] = n\n"
    "  r[#r + 1] = math.floor(tonumber(first) / 1000)\n"
    "end\n"
    "return r\n");


static ngx_http_mpk_task_t  ngx_http_mpk_worklists_task;


void
ngx_http_mpk_worklists_init_worker(ngx_http_mpk_main_conf_t *mmcf)
{
    ngx_http_mpk_task_t  *task;

    if (mmcf->shm == NULL) {
        return;
    }

    task = &ngx_http_mpk_worklists_task;

    task->run = ngx_http_mpk_worklists_run;
    task->interval = NGX_HTTP_MPK_WORKLISTS_PAUSE;
    task->last = &mmcf->shm->worklists_at;
    task->mmcf = mmcf;

    ngx_http_mpk_task_start(task, task->interval);
}


void
ngx_http_mpk_worklists_exit_worker(void)
{
    ngx_http_mpk_task_stop(&ngx_http_mpk_worklists_task);
}


void
ngx_http_mpk_worklists_changed(ngx_http_mpk_main_conf_t *mmcf, mpk_str_t order)
{
    if (mmcf->shm) {
        mmcf->shm->worklists_changed[mpk_bucket(order)] = 1;
    }
}


static void
ngx_http_mpk_worklists_run(ngx_http_mpk_main_conf_t *mmcf)
{
    ngx_uint_t           i, next;
    ngx_http_mpk_shm_t  *shm;

    shm = mmcf->shm;
    next = ngx_atomic_fetch_add(&shm->worklists_bucket, 1) % MPK_BUCKETS;

    for (i = 0; i < MPK_BUCKETS; i++) {
        if (i == next || shm->worklists_changed[i]) {
            shm->worklists_changed[i] = 0;
            ngx_http_mpk_worklists_read(mmcf, i);
        }
    }
}


static void
ngx_http_mpk_worklists_read(ngx_http_mpk_main_conf_t *mmcf, ngx_uint_t bucket)
{
    mpk_buf_t                   key;
    mpk_str_t                   argv[5 + NGX_HTTP_MPK_WORKLIST_MAX];
    ngx_uint_t                  i, n;
    u_char                      count[NGX_INT_T_LEN];
    u_char                      keep[NGX_TIME_T_LEN], now[NGX_TIME_T_LEN];
    ngx_http_mpk_background_t  *bg;

    bg = ngx_http_mpk_background(mmcf, ngx_http_mpk_worklists_handler);
    if (bg == NULL) {
        return;
    }

    bg->number = bucket;
    n = 0;

    argv[n++] = mpk_string("EVAL");
    argv[n++] = ngx_http_mpk_worklists_script;
    argv[n].data = count;
    argv[n++].len = ngx_sprintf(count, "%d", NGX_HTTP_MPK_WORKLIST_MAX) - count;

    for (i = 0; i < NGX_HTTP_MPK_WORKLIST_MAX; i++) {
        mpk_buf_init(&key, &bg->mem, 32);
        mpk_buf_lit(&key, "mpk:{");
        mpk_buf_str(&key, mpk_bucket_tag(bucket));
        mpk_buf_byte(&key, '}');
        mpk_buf_put(&key, ngx_http_mpk_worklist_keys[i],
                    ngx_strlen(ngx_http_mpk_worklist_keys[i]));

        argv[n++] = mpk_buf_done(&key);
    }

    argv[n].data = keep;
    argv[n++].len = ngx_sprintf(keep, "%T", mmcf->retention) - keep;
    argv[n].data = now;
    argv[n++].len = ngx_sprintf(now, "%T", ngx_time()) - now;

    ngx_http_mpk_background_send(bg, n, argv);
}


static void
ngx_http_mpk_worklists_handler(ngx_http_mpk_background_t *bg)
{
    ngx_uint_t                i;
    ngx_mpk_redis_reply_t    *reply;
    ngx_http_mpk_worklist_t  *list;

    reply = bg->cmd.reply;

    if (bg->cmd.result != NGX_MPK_REDIS_ANSWERED
        || reply->type != NGX_MPK_REDIS_ARRAY
        || reply->count != 2 * NGX_HTTP_MPK_WORKLIST_MAX)
    {
        return;
    }

    for (i = 0; i < NGX_HTTP_MPK_WORKLIST_MAX; i++) {

        if (reply->elements[2 * i].type != NGX_MPK_REDIS_INTEGER
            || reply->elements[2 * i + 1].type != NGX_MPK_REDIS_INTEGER)
        {
            continue;
        }

        list = &bg->mmcf->shm->worklists[i][bg->number];

        list->count = reply->elements[2 * i].integer;
        list->oldest = reply->elements[2 * i + 1].integer;
    }
}
