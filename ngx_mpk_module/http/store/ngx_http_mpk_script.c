/*
 * The scripts of commits and of the feed.  A commit's script compares the order with what was
 * read: of two commits after the same revision one is made, and none after wrong challenges
 * that it has not seen.
 */

#include "ngx_http_mpk_script.h"

#include <ngx_sha1.h>


/*
 * KEYS: the order, its bucket's outbox.  ARGV: the beginning of the head that was read;
 * the field that counts wrong challenges and its value, or two empty strings; order,
 * number and event of the entry; field and value pairs, the head and the entry among
 * them.  Returns a string, or 0 if the order has changed.  An error leaves what was
 * executed before it, so the order is written last: consumers skip a pointer in the
 * outbox whose entry does not exist.
 */

#define NGX_HTTP_MPK_SCRIPT_GUARD                                             \
    "local h, w = unpack(redis.call('HMGET', KEYS[1], 'h', ARGV[2]))\n"       \
    "if string.sub(h or '0 ', 1, #ARGV[1]) ~= ARGV[1]"                        \
        " or (w or '') ~= ARGV[3] then return 0 end\n"

static u_char  ngx_http_mpk_script_commit[] =
    NGX_HTTP_MPK_SCRIPT_GUARD
    "redis.call('XADD', KEYS[2], '*',"
        " 'o', ARGV[4], 'n', ARGV[5], 'e', ARGV[6])\n"
    "redis.call('HSET', KEYS[1], unpack(ARGV, 7))\n"
    "return ''\n";

/*
 * The same for commits that need more.  KEYS: also those worklists of the bucket that
 * change.  ARGV 1-6 as above; 7: not empty to delete the order first; 8: when the order
 * expires, or ""; 9: the number of arguments with fields and values; those; for each
 * worklist ZADD or ZREM, the number of its arguments after the key, and those.
 */
static u_char  ngx_http_mpk_script_more[] =
    NGX_HTTP_MPK_SCRIPT_GUARD
    "if ARGV[7] ~= '' then redis.call('UNLINK', KEYS[1]) end\n"
    "redis.call('XADD', KEYS[2], '*',"
        " 'o', ARGV[4], 'n', ARGV[5], 'e', ARGV[6])\n"
    "local n = 10 + ARGV[9]\n"
    "for i = 3, #KEYS do\n"
    "  local m = n + 2 + ARGV[n + 1]\n"
    "  redis.call(ARGV[n], KEYS[i], unpack(ARGV, n + 2, m - 1))\n"
    "  n = m\n"
    "end\n"
    "redis.call('HSET', KEYS[1], unpack(ARGV, 10, 9 + ARGV[9]))\n"
    "if ARGV[8] ~= '' then redis.call('EXPIREAT', KEYS[1], ARGV[8]) end\n"
    "return ''\n";

/*
 * A write that changes nothing.  KEYS: the order.  ARGV: the beginning of the head that
 * was read, possibly from a master that has been demoted since.
 */
static u_char  ngx_http_mpk_script_touch[] =
    "local h = redis.call('HGET', KEYS[1], 'h') or '0 '\n"
    "if string.sub(h, 1, #ARGV[1]) ~= ARGV[1] then return 0 end\n"
    "redis.call('HSET', KEYS[1], 'h', h)\n"
    "return ''\n";

/*
 * Counts a wrong challenge.  KEYS: the order.  ARGV: the field, now, and the end of a
 * count that starts now.  Returns the count.  Nothing is written to an order that has
 * expired or was erased meanwhile.
 */
static u_char  ngx_http_mpk_script_wrong[] =
    "local f, w = unpack(redis.call('HMGET', KEYS[1], 'f', ARGV[1]))\n"
    "if not f then return 0 end\n"
    "local n, t = string.match(w or '', '^(%d+) (%d+)$')\n"
    "if not t or tonumber(t) <= tonumber(ARGV[2])"
        " or tonumber(t) > ARGV[3] + 60 then n, t = 0, ARGV[3] end\n"
    "redis.call('HSET', KEYS[1], ARGV[1], n + 1 .. ' ' .. t)\n"
    "return n + 1\n";

/*
 * Hands out events.  KEYS: the bucket's outbox; the group's events that were handed out; those
 * of them that a consumer has.  ARGV: the group; where it begins in a bucket that does not
 * have it, ms, 0: with all, "": it is not known; how many events that are due again it may
 * give; how many events in all, 0: it only says whether there is one; the time after which
 * one comes again, ms; what the keys of its orders begin with; the names of the events that
 * are wanted, none: all.
 *
 * Returns how many of the events were due again; 1 if there are more of those; 1 if there may
 * be more that are new; of each event its member, attempts, record, MAC of the entry before,
 * head: see ngx_http_mpk_feed.c.  The group's
 * place in the stream and its sorted sets change together: what can fail comes before that.
 * An entry that its order does not have, and whose number is above the order's revision, was
 * never committed.  An entry that was restored gets the member that it should have had.
 */
static u_char  ngx_http_mpk_script_take[] =
    "local out, d, p = unpack(KEYS)\n"
    "local group, from, prefix = ARGV[1], ARGV[2], ARGV[6]\n"
    "local due, max = tonumber(ARGV[3]), tonumber(ARGV[4])\n"
    "local t = redis.call('TIME')\n"
    "local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
    "local lease = (now + ARGV[5]) * " NGX_HTTP_MPK_SCRIPT_ATTEMPTS "\n"
    "local reply, again, more_due, more_new = {0, 0, 0}, 0, 0, 0\n"
    "local want = {}\n"
    "for i = 7, #ARGV do want[ARGV[i]] = true end\n"
    "local function wanted(o, n, e)\n"
    "  return o and e and n and #n <= 10 and string.find(n, '^[1-9]%d*$')\n"
    "      and (#ARGV == 6 or want[e])\n"
    "end\n"
    "local function mac(record, len)\n"
    "  local at = (string.byte(record) or 0) + 2\n"
    "  local m = string.sub(record, at, at + len - 1)\n"
    "  return #m == len and m\n"
    "end\n"

    /* false: it was never committed */

    "local function entry(o, n)\n"
    "  local r = redis.pcall('HMGET', prefix .. o, 'e' .. n,"
        " 'e' .. string.format('%.0f', n - 1), 'h')\n"
    "  if r.err then return '', '', '!' end\n"
    "  local record, before, h = r[1] or '', r[2] and mac(r[2], 32) or '', r[3] or ''\n"
    "  if record == '' and h ~= ''"
        " and (tonumber(string.match(h, '^%d+')) or 0) < tonumber(n) then return false end\n"
    "  if record ~= '' and (before ~= '' or n == '1') then h = '' end\n"
    "  return record, before, h\n"
    "end\n"

    /* where a group that is not there begins: no entry may be before that and be missed */

    "local function create()\n"
    "  local s, at = redis.pcall('XINFO', 'STREAM', out), '0'\n"
    "  for i = 1, s.err and 0 or #s, 2 do\n"
    "    if s[i] == 'last-generated-id' then\n"
    "      at = tonumber(string.match(s[i + 1], '^%d+')) < tonumber(from)"
        " and s[i + 1] or from\n"
    "    end\n"
    "  end\n"
    "  redis.call('XGROUP', 'CREATE', out, group, at, 'MKSTREAM')\n"
    "  return at\n"
    "end\n"

    "local handed = redis.call('ZCARD', d)\n"
    "redis.call('ZCARD', p)\n"
    "local r = redis.call('ZRANGEBYSCORE', d, '-inf',"
        " string.format('(%.0f', (now + 1) * " NGX_HTTP_MPK_SCRIPT_ATTEMPTS "),"
        " 'WITHSCORES', 'LIMIT', 0, math.min(due, max) + 1)\n"
    "for i = 1, #r, 2 do\n"
    "  if again == math.min(due, max) then more_due = 1 break end\n"
    "  local m = r[i]\n"
    "  local o, n, e = string.match(m, '^([^:]*):([^:]*):([^:]*):')\n"
    "  local record, before, h\n"
    "  if wanted(o, n, e) then record, before, h = entry(o, n) end\n"
    "  local id = record and mac(record, 8)\n"
    "  if id and string.sub(m, -8) ~= id then\n"
    "    redis.call('ZREM', d, m)\n"
    "    redis.call('ZREM', p, m)\n"
    "    m = o .. ':' .. n .. ':' .. e .. ':' .. id\n"
    "    if redis.call('ZSCORE', d, m) then record = false end\n"
    "  end\n"
    "  if record then\n"
    "    local a = math.min(tonumber(r[i + 1]) % " NGX_HTTP_MPK_SCRIPT_ATTEMPTS " + 1, "
        NGX_HTTP_MPK_SCRIPT_ATTEMPTS " - 1)\n"
    "    redis.call('ZADD', d, string.format('%.0f', lease + a), m)\n"
    "    redis.call('ZADD', p, 'NX', string.format('%.0f', now), m)\n"
    "    again = again + 1\n"
    "    reply[#reply + 1] = {m, tostring(a), record, before, h}\n"
    "  elseif not id then\n"
    "    redis.call('ZREM', d, m)\n"
    "    redis.call('ZREM', p, m)\n"
    "  end\n"
    "end\n"

    "local left = max - again\n"
    "if handed >= " NGX_HTTP_MPK_SCRIPT_HANDED " then\n"
    "  left = 0\n"
    "elseif left == 0 then\n"
    "  local at\n"
    "  local groups = redis.pcall('XINFO', 'GROUPS', out)\n"
    "  for _, g in ipairs(groups.err and {} or groups) do\n"
    "    local f = {}\n"
    "    for i = 1, #g, 2 do f[g[i]] = g[i + 1] end\n"
    "    if f.name == group then at = f['last-delivered-id'] end\n"
    "  end\n"
    "  if not at and from == '' then return redis.error_reply('NOGROUP') end\n"
    "  more_new = #redis.call('XRANGE', out, '(' .. (at or create()), '+', 'COUNT', 1)\n"
    "end\n"

    "local read, zeros = 0, string.rep('\\0', 8)\n"
    "while left > 0 do\n"
    "  local function take()\n"
    "    return redis.pcall('XREADGROUP', 'GROUP', group, 'mpk', 'COUNT', left,"
        " 'NOACK', 'STREAMS', out, '>')\n"
    "  end\n"
    "  local r = take()\n"
    "  if r and r.err then\n"
    "    if not string.find(r.err, 'NOGROUP') or from == '' then return r end\n"
    "    create()\n"
    "    r = take()\n"
    "  end\n"
    "  if r and r.err then return r end\n"
    "  local new = r and r[1][2] or {}\n"
    "  read = read + #new\n"
    "  more_new = #new < left and 0 or 1\n"
    "  if more_new == 0 then left = 0 end\n"
    "  for _, x in ipairs(new) do\n"
    "    local f = {}\n"
    "    for i = 1, #x[2], 2 do f[x[2][i]] = x[2][i + 1] end\n"
    "    if wanted(f.o, f.n, f.e) then\n"
    "      local record, before, h = entry(f.o, f.n)\n"
    "      if record then\n"
    "        local m = f.o .. ':' .. f.n .. ':' .. f.e .. ':' .. (mac(record, 8) or zeros)\n"
    "        if redis.call('ZADD', d, 'NX', string.format('%.0f', lease + 1), m) == 1 then\n"
    "          redis.call('ZADD', p, string.match(x[1], '^%d+'), m)\n"
    "          reply[#reply + 1] = {m, '1', record, before, h}\n"
    "          if left > 0 then left = left - 1 end\n"
    "        end\n"
    "      end\n"
    "    end\n"
    "  end\n"
    "  if read >= " NGX_HTTP_MPK_SCRIPT_READ " then break end\n"
    "end\n"
    "reply[1], reply[2], reply[3] = again, more_due, more_new\n"
    "return reply\n";

/*
 * KEYS: the group's events that were handed out; those of them that a consumer has.  ARGV:
 * "ack", "park", "unpark", or a number of seconds until they come again; their members.
 * Returns how many of them there were.  One that is unparked begins with its
 * first attempt.
 */
static u_char  ngx_http_mpk_script_mark[] =
    "local d, p, how, done = KEYS[1], KEYS[2], ARGV[1], 0\n"
    "local t = redis.call('TIME')\n"
    "local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
    "for i = 2, #ARGV do\n"
    "  local m = ARGV[i]\n"
    "  if how == 'ack' then\n"
    "    done = done + redis.call('ZREM', d, m)\n"
    "    redis.call('ZREM', p, m)\n"
    "  else\n"
    "    local s = tonumber(redis.call('ZSCORE', d, m) or nil)\n"
    "    local parked = s and s >= " NGX_HTTP_MPK_SCRIPT_PARKED
        " * " NGX_HTTP_MPK_SCRIPT_ATTEMPTS "\n"
    "    if s and (how == 'unpark') == parked then\n"
    "      local at = how == 'park' and now + " NGX_HTTP_MPK_SCRIPT_PARKED "\n"
    "          or how == 'unpark' and now or now + how * 1000\n"
    "      local a = how == 'unpark' and 0 or s % " NGX_HTTP_MPK_SCRIPT_ATTEMPTS "\n"
    "      redis.call('ZADD', d, string.format('%.0f', at * "
        NGX_HTTP_MPK_SCRIPT_ATTEMPTS " + a), m)\n"
    "      redis.call('ZREM', p, m)\n"
    "      done = done + 1\n"
    "    end\n"
    "  end\n"
    "end\n"
    "return done\n";

typedef struct {
    mpk_str_t   text;
    u_char      sha[40];
} ngx_http_mpk_script_t;

#define ngx_http_mpk_script_row(text)  { { sizeof(text) - 1, text }, "" }

static ngx_http_mpk_script_t  ngx_http_mpk_scripts[] = {
    ngx_http_mpk_script_row(ngx_http_mpk_script_commit),
    ngx_http_mpk_script_row(ngx_http_mpk_script_more),
    ngx_http_mpk_script_row(ngx_http_mpk_script_touch),
    ngx_http_mpk_script_row(ngx_http_mpk_script_wrong),
    ngx_http_mpk_script_row(ngx_http_mpk_script_take),
    ngx_http_mpk_script_row(ngx_http_mpk_script_mark)
};

_Static_assert(sizeof(ngx_http_mpk_scripts) / sizeof(ngx_http_mpk_scripts[0])
               == NGX_HTTP_MPK_SCRIPTS, "a row for each script");


void
ngx_http_mpk_script_init(void)
{
    u_char                  digest[20];
    ngx_sha1_t              sha;
    ngx_uint_t              i;
    ngx_http_mpk_script_t  *script;

    for (i = 0; i < NGX_HTTP_MPK_SCRIPTS; i++) {
        script = &ngx_http_mpk_scripts[i];

        ngx_sha1_init(&sha);
        ngx_sha1_update(&sha, script->text.data, script->text.len);
        ngx_sha1_final(digest, &sha);

        (void) ngx_hex_dump(script->sha, digest, 20);
    }
}


mpk_str_t
ngx_http_mpk_script(ngx_http_mpk_script_id_t id)
{
    return ngx_http_mpk_scripts[id].text;
}


mpk_str_t
ngx_http_mpk_script_sha(ngx_http_mpk_script_id_t id)
{
    return (mpk_str_t) { 40, ngx_http_mpk_scripts[id].sha };
}
