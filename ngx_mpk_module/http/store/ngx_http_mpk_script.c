/*
 * The scripts of commits.  Each compares the beginning of the head with what was read, so
 * that of two commits after the same revision one is made.
 */

#include "ngx_http_mpk_script.h"

#include <ngx_sha1.h>


/*
 * KEYS: the order, its bucket's outbox.  ARGV: the beginning of the head that was read;
 * order, number and event of the entry; field and value pairs, the head and the entry
 * among them.  Returns a string, or 0 if the order has changed.  An error leaves what was
 * executed before it, so the order is written last: consumers skip a pointer in the
 * outbox whose entry does not exist.
 */
static u_char  ngx_http_mpk_script_commit[] =
    "local h = redis.call('HGET', KEYS[1], 'h') or '0 '\n"
    "if string.sub(h, 1, #ARGV[1]) ~= ARGV[1] then return 0 end\n"
    "redis.call('XADD', KEYS[2], '*',"
        " 'o', ARGV[2], 'n', ARGV[3], 'e', ARGV[4])\n"
    "redis.call('HSET', KEYS[1], unpack(ARGV, 5))\n"
    "return ''\n";

/*
 * The same for commits that need more.  KEYS: also the bucket's open claims.  ARGV 1-4 as
 * above; 5: not empty to delete the order first; 6: when the order expires, or ""; 7:
 * the number of arguments with fields and values; those; optionally ZADD or ZREM and its
 * arguments after the key.
 */
static u_char  ngx_http_mpk_script_more[] =
    "local h = redis.call('HGET', KEYS[1], 'h') or '0 '\n"
    "if string.sub(h, 1, #ARGV[1]) ~= ARGV[1] then return 0 end\n"
    "if ARGV[5] ~= '' then redis.call('UNLINK', KEYS[1]) end\n"
    "redis.call('XADD', KEYS[2], '*',"
        " 'o', ARGV[2], 'n', ARGV[3], 'e', ARGV[4])\n"
    "local n = 8 + ARGV[7]\n"
    "if ARGV[n] then"
        " redis.call(ARGV[n], KEYS[3], unpack(ARGV, n + 1)) end\n"
    "redis.call('HSET', KEYS[1], unpack(ARGV, 8, n - 1))\n"
    "if ARGV[6] ~= '' then redis.call('EXPIREAT', KEYS[1], ARGV[6]) end\n"
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

typedef struct {
    mpk_str_t   text;
    u_char      sha[40];
} ngx_http_mpk_script_t;

#define ngx_http_mpk_script_row(text)  { { sizeof(text) - 1, text }, "" }

static ngx_http_mpk_script_t  ngx_http_mpk_scripts[] = {
    ngx_http_mpk_script_row(ngx_http_mpk_script_commit),
    ngx_http_mpk_script_row(ngx_http_mpk_script_more),
    ngx_http_mpk_script_row(ngx_http_mpk_script_touch)
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
