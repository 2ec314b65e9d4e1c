/*
 * What the Redis user must be allowed to do: the commands of the scripts and of the other
 * files in store/.  Within a commit, a missing right would leave half of it.
 */

#include "ngx_http_mpk_rights.h"


/*
 * HSET has a field without a value, and fails only if it is allowed.  Other errors are not
 * of interest: a replica, a full memory, in a cluster a key of another node.  The text of
 * those that are changed with the releases of Redis.
 */
const mpk_str_t  ngx_http_mpk_rights = mpk_literal(
    "local k = 'mpk:{bd}:probe'\n"
    "for _, c in ipairs({\n"
    "  {'unlink', k}, {'hget', k, 'h'}, {'hmget', k, 'h'}, {'hset', k, 'h', '', 'h'},\n"
    "  {'xadd', k, 'nomkstream', '*', 'o', ''}, {'xrange', k, '-', '+'},\n"
    "  {'xlen', k}, {'xtrim', k, 'maxlen', 1}, {'xpending', k, 'g'},\n"
    "  {'xinfo', 'groups', k}, {'xinfo', 'stream', k}, {'xgroup', 'create', k, 'g', 0},\n"
    "  {'xreadgroup', 'group', 'g', 'mpk', 'noack', 'streams', k, '>'},\n"
    "  {'zadd', k, 'xx', 0, ''}, {'zrem', k, ''}, {'zscore', k, ''}, {'zcount', k, 0, 0},\n"
    "  {'zremrangebyscore', k, 0, 0}, {'zrange', k, 0, 0}, {'zcard', k},\n"
    "  {'zrevrange', k, 0, 0}, {'zrangebyscore', k, 0, 0}, {'get', k},\n"
    "  {'incr', k}, {'decr', k}, {'expire', k, 60}, {'expireat', k, 1},\n"
    "  {'exists', k}, {'time'}, {'hgetall', k}, {'hdel', k, 'h'},\n"
    "  {'hget', 'mpk:meta', 'h'},\n"
    "  {'unlink', k}\n"
    "}) do\n"
    "  local r = redis.pcall(unpack(c))\n"
    "  local e = type(r) == 'table' and r.err or ''\n"
    "  if string.find(e, 'NOPERM') or string.find(e, 'ACL failure')\n"
    "      or string.find(e, \"The user executing the script can't\")\n"
    "  then\n"
    "    redis.pcall('unlink', k)\n"
    "    return redis.error_reply('NOPERM ' .. c[1] .. ': ' .. e)\n"
    "  end\n"
    "end\n"
    "return ''\n");
