/*
 * How far the consumer groups are behind: read by a timer each second, by whichever worker
 * comes first, as the worklists are: those buckets that this edge has changed, and one of the
 * others in turn.
 */

#include "ngx_http_mpk_feed_lag.h"
#include "ngx_http_mpk_background.h"
#include "ngx_http_mpk_feed.h"
#include "ngx_http_mpk_script.h"

#define NGX_HTTP_MPK_LAG_PAUSE   1000    /* ms between two buckets */
#define NGX_HTTP_MPK_LAG_VALUES  5       /* of a group in a reply */


static void ngx_http_mpk_lag_run(ngx_http_mpk_main_conf_t *mmcf);
static void ngx_http_mpk_lag_list_handler(ngx_http_mpk_background_t *bg);
static void ngx_http_mpk_lag_handler(ngx_http_mpk_background_t *bg);


/* KEYS: mpk:meta.  Returns the names of the groups. */
static const mpk_str_t  ngx_http_mpk_lag_listing = mpk_literal(
    "local groups = {}\n"
    "for i, f in ipairs(redis.call('HGETALL', KEYS[1])) do\n"
    "  if i % 2 == 1 and string.sub(f, 1, 2) == 'g:' and #groups < 64 then\n"
    "    groups[#groups + 1] = string.sub(f, 3)\n"
    "  end\n"
    "end\n"
    "table.sort(groups)\n"
    "return groups\n");


/*
 * KEYS: a bucket's outbox.  ARGV: what the bucket's keys begin with, groups.  Returns of each
 * group how many events were not handed out yet; how many a consumer has; how many are
 * delayed; how many are parked; since when the oldest waits that is neither delayed nor parked,
 * in seconds, 0: there is none.  Redis 7 counts what was not handed out; where it does
 * not, that is counted up to a thousand.
 */
static const mpk_str_t  ngx_http_mpk_lag_script = mpk_literal(
    "local out, place, reply = KEYS[1], {}, {}\n"
    "local r = redis.pcall('XINFO', 'GROUPS', out)\n"
    "for _, g in ipairs(r.err and {} or r) do\n"
    "  local f = {}\n"
    "  for i = 1, #g, 2 do f[g[i]] = g[i + 1] end\n"
    "  place[f.name] = f\n"
    "end\n"
    "local t = redis.call('TIME')\n"
    "local parked = " NGX_HTTP_MPK_SCRIPT_PARKED " * " NGX_HTTP_MPK_SCRIPT_ATTEMPTS "\n"
    "for i = 2, #ARGV do\n"
    "  local d, p = ARGV[1] .. ':d:' .. ARGV[i], ARGV[1] .. ':p:' .. ARGV[i]\n"
    "  local all, has = redis.call('ZCARD', d), redis.call('ZCARD', p)\n"
    "  local away = redis.call('ZCOUNT', d, string.format('%.0f', parked), '+inf')\n"
    "  local f, lag, since = place[ARGV[i]], 0, {}\n"
    "  if f then\n"
    "    local new = redis.call('XRANGE', out, '(' .. f['last-delivered-id'], '+',"
        " 'COUNT', 1)\n"
    "    since[1] = new[1] and tonumber(string.match(new[1][1], '^%d+'))\n"
    "    lag = new[1] and (f.lag or #redis.call('XRANGE', out,"
        " '(' .. f['last-delivered-id'], '+', 'COUNT', 1000)) or 0\n"
    "  end\n"
    "  local due = redis.call('ZRANGE', d, 0, 0, 'WITHSCORES')[2]\n"
    "  due = due and math.floor(tonumber(due) / " NGX_HTTP_MPK_SCRIPT_ATTEMPTS ")\n"
    "  if due and due <= t[1] * 1000 then since[#since + 1] = due end\n"
    "  local held = redis.call('ZRANGE', p, 0, 0, 'WITHSCORES')[2]\n"
    "  since[#since + 1] = held and tonumber(held)\n"
    "  local oldest = since[1] and math.floor(math.min(unpack(since)) / 1000) or 0\n"
    "  for _, v in ipairs({lag, has, math.max(all - has - away, 0), away, oldest}) do\n"
    "    reply[#reply + 1] = v\n"
    "  end\n"
    "end\n"
    "return reply\n");


static ngx_http_mpk_task_t  ngx_http_mpk_lag_task;


void
ngx_http_mpk_lag_init_worker(ngx_http_mpk_main_conf_t *mmcf)
{
    ngx_http_mpk_task_t  *task;

    if (mmcf->shm == NULL) {
        return;
    }

    task = &ngx_http_mpk_lag_task;

    task->run = ngx_http_mpk_lag_run;
    task->interval = NGX_HTTP_MPK_LAG_PAUSE;
    task->last = &mmcf->shm->groups_at;
    task->mmcf = mmcf;

    ngx_http_mpk_task_start(task, task->interval);
}


void
ngx_http_mpk_lag_exit_worker(void)
{
    ngx_http_mpk_task_stop(&ngx_http_mpk_lag_task);
}


static void
ngx_http_mpk_lag_run(ngx_http_mpk_main_conf_t *mmcf)
{
    mpk_str_t                   names[NGX_HTTP_MPK_GROUPS];
    mpk_str_t                   argv[NGX_HTTP_MPK_LAG_ARGS];
    ngx_uint_t                  i, n, next, argc;
    ngx_http_mpk_shm_t         *shm;
    ngx_http_mpk_background_t  *bg;

    shm = mmcf->shm;
    next = ngx_atomic_fetch_add(&shm->groups_bucket, 1) % MPK_BUCKETS;

    if (next == 0 || shm->groups_stale) {
        bg = ngx_http_mpk_background(mmcf, ngx_http_mpk_lag_list_handler);

        if (bg) {
            argc = ngx_http_mpk_lag_list(argv);
            ngx_http_mpk_background_send(bg, argc, argv);
        }
    }

    n = 0;

    for (i = 0; i < shm->groups_count; i++) {
        names[n].data = shm->groups[i].name;
        names[n++].len = ngx_min(shm->groups[i].len, NGX_HTTP_MPK_GROUP_NAME);
    }

    for (i = 0; i < MPK_BUCKETS && n; i++) {

        if (i != next && !shm->groups_changed[i]
            && shm->groups_seen[i] == shm->outbox_changed[i])
        {
            continue;
        }

        bg = ngx_http_mpk_background(mmcf, ngx_http_mpk_lag_handler);
        if (bg == NULL) {
            return;
        }

        shm->groups_changed[i] = 0;
        shm->groups_seen[i] = shm->outbox_changed[i];

        bg->number = i;

        /* a reply is for the list that it was asked with */

        bg->version = shm->groups_version;

        argc = ngx_http_mpk_lag_args(&bg->mem, i, names, n, argv);

        ngx_http_mpk_background_send(bg, argc, argv);
    }
}


ngx_uint_t
ngx_http_mpk_lag_list(mpk_str_t *argv)
{
    argv[0] = mpk_string("EVAL");
    argv[1] = ngx_http_mpk_lag_listing;
    argv[2] = mpk_string("1");
    argv[3] = mpk_string("mpk:meta");

    return 4;
}


ngx_int_t
ngx_http_mpk_lag_names(const ngx_mpk_redis_cmd_t *cmd, mpk_str_t *names,
    ngx_uint_t *count)
{
    size_t                  i;
    ngx_mpk_redis_reply_t  *reply;

    reply = cmd->reply;
    *count = 0;

    if (cmd->result != NGX_MPK_REDIS_ANSWERED
        || reply->type != NGX_MPK_REDIS_ARRAY)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < reply->count && *count < NGX_HTTP_MPK_GROUPS; i++) {
        if (reply->elements[i].type == NGX_MPK_REDIS_STRING
            && ngx_http_mpk_group_valid(reply->elements[i].str))
        {
            names[(*count)++] = reply->elements[i].str;
        }
    }

    return NGX_OK;
}


/* A list that has changed begins with nothing known. */

static void
ngx_http_mpk_lag_list_handler(ngx_http_mpk_background_t *bg)
{
    mpk_str_t            names[NGX_HTTP_MPK_GROUPS];
    ngx_uint_t           i, n, changed;
    ngx_http_mpk_shm_t  *shm;

    shm = bg->mmcf->shm;

    if (ngx_http_mpk_lag_names(&bg->cmd, names, &n) != NGX_OK) {
        return;
    }

    shm->groups_stale = 0;

    changed = (n != shm->groups_count);

    for (i = 0; i < n && !changed; i++) {
        changed = !mpk_str_eq(names[i], (mpk_str_t) { shm->groups[i].len,
                                                      shm->groups[i].name });
    }

    if (!changed) {
        return;
    }

    shm->groups_count = 0;
    shm->groups_version++;
    ngx_memory_barrier();

    ngx_memzero(shm->groups, sizeof(shm->groups));

    for (i = 0; i < n; i++) {
        ngx_memcpy(shm->groups[i].name, names[i].data, names[i].len);
        shm->groups[i].len = names[i].len;
    }

    for (i = 0; i < MPK_BUCKETS; i++) {
        shm->groups_changed[i] = 1;
    }

    ngx_memory_barrier();
    shm->groups_count = n;
}


ngx_uint_t
ngx_http_mpk_lag_args(mpk_mem_t *mem, ngx_uint_t bucket,
    const mpk_str_t *names, ngx_uint_t count, mpk_str_t *argv)
{
    ngx_uint_t  i, n;

    n = 0;

    argv[n++] = mpk_string("EVAL");
    argv[n++] = ngx_http_mpk_lag_script;
    argv[n++] = mpk_string("1");
    argv[n++] = ngx_http_mpk_feed_key(mem, bucket, ":out", mpk_string(""));
    argv[n++] = ngx_http_mpk_feed_key(mem, bucket, "", mpk_string(""));

    for (i = 0; i < count; i++) {
        argv[n++] = names[i];
    }

    return n;
}


ngx_int_t
ngx_http_mpk_lag_read(const ngx_mpk_redis_cmd_t *cmd, ngx_uint_t i,
    ngx_http_mpk_lag_t *lag)
{
    ngx_uint_t                    k;
    const ngx_mpk_redis_reply_t  *v;

    if (cmd->result != NGX_MPK_REDIS_ANSWERED
        || cmd->reply->type != NGX_MPK_REDIS_ARRAY
        || cmd->reply->count < (i + 1) * NGX_HTTP_MPK_LAG_VALUES)
    {
        return NGX_ERROR;
    }

    v = &cmd->reply->elements[i * NGX_HTTP_MPK_LAG_VALUES];

    for (k = 0; k < NGX_HTTP_MPK_LAG_VALUES; k++) {
        if (v[k].type != NGX_MPK_REDIS_INTEGER) {
            return NGX_ERROR;
        }
    }

    lag->lag = (uint32_t) v[0].integer;
    lag->pending = (uint32_t) v[1].integer;
    lag->delayed = (uint32_t) v[2].integer;
    lag->parked = (uint32_t) v[3].integer;
    lag->oldest = (uint32_t) v[4].integer;

    return NGX_OK;
}


static void
ngx_http_mpk_lag_handler(ngx_http_mpk_background_t *bg)
{
    ngx_uint_t           i;
    ngx_http_mpk_shm_t  *shm;
    ngx_http_mpk_lag_t   lag;

    shm = bg->mmcf->shm;

    for (i = 0; i < NGX_HTTP_MPK_GROUPS; i++) {

        if (bg->version != shm->groups_version
            || ngx_http_mpk_lag_read(&bg->cmd, i, &lag) != NGX_OK)
        {
            return;
        }

        shm->groups[i].buckets[bg->number] = lag;
    }
}


void
ngx_http_mpk_lag_add(ngx_http_mpk_lag_t *sum, const ngx_http_mpk_lag_t *lag)
{
    sum->lag += lag->lag;
    sum->pending += lag->pending;
    sum->delayed += lag->delayed;
    sum->parked += lag->parked;

    if (lag->oldest && (sum->oldest == 0 || lag->oldest < sum->oldest)) {
        sum->oldest = lag->oldest;
    }
}


ngx_uint_t
ngx_http_mpk_lag_sum(ngx_http_mpk_main_conf_t *mmcf, ngx_uint_t i,
    u_char name[NGX_HTTP_MPK_GROUP_NAME], size_t *len, ngx_http_mpk_lag_t *sum)
{
    ngx_uint_t                   k;
    const ngx_http_mpk_lagging_t  *group;

    if (i >= mmcf->shm->groups_count) {
        return 0;
    }

    group = &mmcf->shm->groups[i];

    *len = ngx_min(group->len, NGX_HTTP_MPK_GROUP_NAME);
    ngx_memcpy(name, group->name, *len);

    ngx_memzero(sum, sizeof(ngx_http_mpk_lag_t));

    for (k = 0; k < MPK_BUCKETS; k++) {
        ngx_http_mpk_lag_add(sum, &group->buckets[k]);
    }

    return 1;
}
