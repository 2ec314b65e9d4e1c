/*
 * Where a group began is fixed once, in mpk:meta: what is lost of it in Redis, in one bucket
 * or in all, is made again from there.
 */

#include "ngx_http_mpk_feed_group.h"

#include "mpk_token.h"

#define NGX_HTTP_MPK_GROUP_SLACK  "60000"  /* ms: clocks, and a commit that is under way */
#define NGX_HTTP_MPK_GROUP_AGE    60000    /* ms until mpk:meta is read again */


/*
 * KEYS: mpk:meta.  ARGV: "g:" and the group, where it begins if it is new, what "now" is
 * less, how many groups there may be.  Returns where it begins, "" if there are too many.
 */
static const mpk_str_t  ngx_http_mpk_group_script = mpk_literal(
    "local at = redis.call('HGET', KEYS[1], 'g:' .. ARGV[1])\n"
    "if at then return at end\n"
    "local n = 0\n"
    "for i, f in ipairs(redis.call('HGETALL', KEYS[1])) do\n"
    "  if i % 2 == 1 and string.sub(f, 1, 2) == 'g:' then n = n + 1 end\n"
    "end\n"
    "if n >= tonumber(ARGV[4]) then return '' end\n"
    "at = ARGV[2]\n"
    "if at == 'start' then at = '0' end\n"
    "if at == 'now' then\n"
    "  local t = redis.call('TIME')\n"
    "  at = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000) - ARGV[3])\n"
    "end\n"
    "redis.call('HSET', KEYS[1], 'g:' .. ARGV[1], at)\n"
    "return at\n");


static ngx_http_mpk_group_t  ngx_http_mpk_groups[NGX_HTTP_MPK_GROUPS];


ngx_uint_t
ngx_http_mpk_group_valid(mpk_str_t name)
{
    return name.len <= NGX_HTTP_MPK_GROUP_NAME && mpk_order_id_valid(name);
}


ngx_http_mpk_group_t *
ngx_http_mpk_group(mpk_str_t name)
{
    ngx_uint_t             i;
    ngx_http_mpk_group_t  *group, *oldest;

    oldest = &ngx_http_mpk_groups[0];

    for (i = 0; i < NGX_HTTP_MPK_GROUPS; i++) {
        group = &ngx_http_mpk_groups[i];

        if (mpk_str_eq((mpk_str_t) { group->len, group->name }, name)) {
            return group;
        }

        if (oldest->len
            && (group->len == 0
                || (ngx_msec_int_t) (group->used_at - oldest->used_at) < 0))
        {
            oldest = group;
        }
    }

    ngx_memzero(oldest, sizeof(ngx_http_mpk_group_t));

    ngx_memcpy(oldest->name, name.data, name.len);
    oldest->len = name.len;
    oldest->used_at = ngx_current_msec;

    return oldest;
}


ngx_uint_t
ngx_http_mpk_group_old(const ngx_http_mpk_group_t *group)
{
    return group->from_len == 0
           || ngx_current_msec - group->read_at > NGX_HTTP_MPK_GROUP_AGE;
}


ngx_uint_t
ngx_http_mpk_group_args(const ngx_http_mpk_group_t *group, mpk_str_t from,
    mpk_str_t *argv)
{
    static u_char  max[NGX_INT_T_LEN];

    argv[0] = mpk_string("EVAL");
    argv[1] = ngx_http_mpk_group_script;
    argv[2] = mpk_string("1");
    argv[3] = mpk_string("mpk:meta");
    argv[4] = (mpk_str_t) { group->len, group->name };
    argv[5] = group->from_len ? (mpk_str_t) { group->from_len, group->from }
                              : from;
    argv[6] = mpk_string(NGX_HTTP_MPK_GROUP_SLACK);
    argv[7].data = max;
    argv[7].len = ngx_sprintf(max, "%d", NGX_HTTP_MPK_GROUPS) - max;

    return 8;
}


void
ngx_http_mpk_group_read(ngx_http_mpk_main_conf_t *mmcf,
    ngx_http_mpk_group_t *group, const ngx_mpk_redis_cmd_t *cmd)
{
    size_t     i;
    mpk_str_t  at;

    if (cmd->result != NGX_MPK_REDIS_ANSWERED
        || cmd->reply->type != NGX_MPK_REDIS_STRING)
    {
        return;
    }

    at = cmd->reply->str;
    group->full = (at.len == 0);

    if (at.len == 0 || at.len > NGX_HTTP_MPK_GROUP_FROM) {
        return;
    }

    for (i = 0; i < at.len; i++) {
        if (at.data[i] < '0' || at.data[i] > '9') {
            return;
        }
    }

    if (group->from_len == 0 && mmcf->shm) {
        mmcf->shm->groups_stale = 1;
    }

    ngx_memcpy(group->from, at.data, at.len);
    group->from_len = at.len;
    group->read_at = ngx_current_msec;
}
