/*
 * The scripts of commits.  Each compares the order with what was read: of two commits after
 * the same revision one is made, and none after wrong challenges that it has not seen.
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

typedef struct {
    mpk_str_t   text;
    u_char      sha[40];
} ngx_http_mpk_script_t;

#define ngx_http_mpk_script_row(text)  { { sizeof(text) - 1, text }, "" }

static ngx_http_mpk_script_t  ngx_http_mpk_scripts[] = {
    ngx_http_mpk_script_row(ngx_http_mpk_script_commit),
    ngx_http_mpk_script_row(ngx_http_mpk_script_more),
    ngx_http_mpk_script_row(ngx_http_mpk_script_touch),
    ngx_http_mpk_script_row(ngx_http_mpk_script_wrong)
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
