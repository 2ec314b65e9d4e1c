/*
 * The worklists' sizes and oldest entries, for the metrics: read by a timer each second, by
 * whichever worker comes first; a scrape costs Redis nothing.  Each time those buckets are
 * read that commits of this edge have changed, and one of the others in turn.
 */

#include "ngx_http_mpk_worklists.h"
#include "ngx_http_mpk_background.h"
#include "ngx_http_mpk_keys.h"

#define NGX_HTTP_MPK_WORKLISTS_PAUSE  1000    /* ms between two buckets */


static void ngx_http_mpk_worklists_run(ngx_http_mpk_main_conf_t *mmcf);
static void ngx_http_mpk_worklists_read(ngx_http_mpk_main_conf_t *mmcf,
    ngx_uint_t bucket);
static mpk_str_t ngx_http_mpk_worklists_key(ngx_http_mpk_background_t *bg,
    const char *what);
static void ngx_http_mpk_worklists_handler(ngx_http_mpk_background_t *bg);


const char *const  ngx_http_mpk_worklist_keys[] = {
    [NGX_HTTP_MPK_WORKLIST_SUSPENDED] = ":suspended",
    [NGX_HTTP_MPK_WORKLIST_HELD] = ":held",
    [NGX_HTTP_MPK_WORKLIST_WITHDRAWALS] = ":withdrawals",
};

_Static_assert(sizeof(ngx_http_mpk_worklist_keys)
               / sizeof(ngx_http_mpk_worklist_keys[0])
               == NGX_HTTP_MPK_WORKLIST_MAX, "a key for each list");


/*
 * KEYS: a bucket's lists.  ARGV: what its keys begin with.  Returns of each list the number
 * of entries and the score of the oldest.  The oldest ones whose order, or statement that is
 * none's, has expired are dropped; what is there stays listed, however old it is.
 */
static const mpk_str_t  ngx_http_mpk_worklists_script = mpk_literal(
    "local r = {}\n"
    "for _, k in ipairs(KEYS) do\n"
    "  local first\n"
    "  for _ = 1, 16 do\n"
    "    first = redis.call('ZRANGE', k, 0, 0, 'WITHSCORES')\n"
    "    if not first[1]"
        " or redis.call('EXISTS', ARGV[1] .. (string.match(first[1], '^w:.*')"
        " or 'o:' .. string.match(first[1], '^[^/]*'))) == 1 then break end\n"
    "    redis.call('ZREM', k, first[1])\n"
    "  end\n"
    "  r[#r + 1] = redis.call('ZCARD', k)\n"
    "  r[#r + 1] = math.floor(tonumber(first[2] or '0') / 1000)\n"
    "end\n"
    "return r\n");


/* KEYS: a list.  ARGV: an entry, and the score that it had. */
static const mpk_str_t  ngx_http_mpk_worklists_dropping = mpk_literal(
    "for _, e in ipairs(redis.call('ZRANGEBYSCORE',"
        " KEYS[1], ARGV[2], ARGV[2])) do\n"
    "  if e == ARGV[1] then redis.call('ZREM', KEYS[1], e) end\n"
    "end\n");


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


void
ngx_http_mpk_worklists_drop(ngx_http_mpk_main_conf_t *mmcf, mpk_str_t order,
    const char *what, mpk_str_t member, int64_t at)
{
    mpk_str_t                   argv[6];
    mpk_buf_t                   score;
    ngx_http_mpk_background_t  *bg;

    bg = ngx_http_mpk_background(mmcf, NULL);
    if (bg == NULL) {
        return;
    }

    mpk_buf_init(&score, &bg->mem, NGX_INT64_LEN);
    mpk_buf_int(&score, at);

    argv[0] = mpk_string("EVAL");
    argv[1] = ngx_http_mpk_worklists_dropping;
    argv[2] = mpk_string("1");
    argv[3] = ngx_http_mpk_key(&bg->mem, order, what, mpk_string(""));
    argv[4] = member;
    argv[5] = mpk_buf_done(&score);

    ngx_http_mpk_background_send(bg, 6, argv);
    ngx_http_mpk_worklists_changed(mmcf, order);
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
    mpk_str_t                   argv[4 + NGX_HTTP_MPK_WORKLIST_MAX];
    ngx_uint_t                  i, n;
    u_char                      count[NGX_INT_T_LEN];
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
        argv[n++] = ngx_http_mpk_worklists_key(bg, ngx_http_mpk_worklist_keys[i]);
    }

    argv[n++] = ngx_http_mpk_worklists_key(bg, ":");

    ngx_http_mpk_background_send(bg, n, argv);
}


/* A key of the bucket, or the beginning of one. */

static mpk_str_t
ngx_http_mpk_worklists_key(ngx_http_mpk_background_t *bg, const char *what)
{
    mpk_buf_t  key;

    mpk_buf_init(&key, &bg->mem, 32);
    mpk_buf_lit(&key, "mpk:{");
    mpk_buf_str(&key, mpk_bucket_tag(bg->number));
    mpk_buf_byte(&key, '}');
    mpk_buf_put(&key, what, ngx_strlen(what));

    return mpk_buf_done(&key);
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
