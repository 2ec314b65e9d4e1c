/*
 * Once a minute, and when it has loaded a keyring, an edge writes the ids of its keys to a
 * field of mpk:meta and reads what the others have: "mpk-keyring promote" waits for all of
 * them, an edge that lacks a current key of another one says so, and the status lists the
 * keys that others lack.  Nothing is decided by it: mpk:meta is not authenticated.
 */

#include "ngx_http_mpk_edges.h"
#include "ngx_http_mpk_background.h"
#include "ngx_http_mpk_stats.h"
#include "ngx_http_mpk_texts.h"

#define NGX_HTTP_MPK_EDGES_INTERVAL  60000   /* ms */
#define NGX_HTTP_MPK_EDGES_SOON      500
#define NGX_HTTP_MPK_EDGES_HOST      48      /* characters of a host name in an edge's name */


static void ngx_http_mpk_edges_run(ngx_http_mpk_main_conf_t *mmcf);
static mpk_str_t ngx_http_mpk_edges_name(ngx_http_mpk_main_conf_t *mmcf,
    mpk_mem_t *mem);
static mpk_str_t ngx_http_mpk_edges_keys(ngx_http_mpk_main_conf_t *mmcf,
    mpk_mem_t *mem);
static void ngx_http_mpk_edges_handler(ngx_http_mpk_background_t *bg);
static ngx_uint_t ngx_http_mpk_edges_compare(ngx_http_mpk_main_conf_t *mmcf,
    mpk_str_t edge, mpk_str_t keys);
static ngx_uint_t ngx_http_mpk_edges_lacks(ngx_http_mpk_main_conf_t *mmcf,
    mpk_str_t edge, mpk_str_t keys, ngx_uint_t n);
static ngx_uint_t ngx_http_mpk_edges_next(mpk_str_t *keys, mpk_str_t *kid);
static ngx_uint_t ngx_http_mpk_edges_has(const mpk_keyring_t *keyring,
    mpk_str_t kid);


/*
 * KEYS: mpk:meta.  ARGV: "e:" and the edge, its keys.  Returns the names and values of the
 * edges, this one among them, that wrote theirs in the last ten minutes: 64 at most.  What
 * is a day old, or can't be an edge's, is deleted.
 */
static const mpk_str_t  ngx_http_mpk_edges_script = mpk_literal(
    "local now = tonumber(redis.call('TIME')[1])\n"
    "redis.call('HSET', KEYS[1], ARGV[1], now .. ' ' .. ARGV[2])\n"
    "local all, edges = redis.call('HGETALL', KEYS[1]), {}\n"
    "for i = 1, #all, 2 do\n"
    "  if string.sub(all[i], 1, 2) == 'e:' then\n"
    "    local t = tonumber(string.match(all[i + 1], '^%d+')) or 0\n"
    "    if t < now - 86400 or t > now + 600 or #all[i + 1] > 4096 then\n"
    "      redis.call('HDEL', KEYS[1], all[i])\n"
    "    elseif t > now - 600 and #edges < 128 then\n"
    "      edges[#edges + 1] = string.sub(all[i], 3)\n"
    "      edges[#edges + 1] = all[i + 1]\n"
    "    end\n"
    "  end\n"
    "end\n"
    "return edges\n");


static ngx_http_mpk_task_t  ngx_http_mpk_edges_task;


void
ngx_http_mpk_edges_init_worker(ngx_http_mpk_main_conf_t *mmcf)
{
    ngx_http_mpk_task_t  *task;

    /* one worker of each cycle, so that a keyring is reported once it is loaded */

    if (mmcf->shm == NULL || ngx_worker != 0) {
        return;
    }

    task = &ngx_http_mpk_edges_task;

    task->run = ngx_http_mpk_edges_run;
    task->interval = NGX_HTTP_MPK_EDGES_INTERVAL;
    task->mmcf = mmcf;

    ngx_http_mpk_task_start(task, NGX_HTTP_MPK_EDGES_SOON);
}


void
ngx_http_mpk_edges_exit_worker(void)
{
    ngx_http_mpk_task_stop(&ngx_http_mpk_edges_task);
}


static void
ngx_http_mpk_edges_run(ngx_http_mpk_main_conf_t *mmcf)
{
    mpk_str_t                   argv[6];
    ngx_http_mpk_background_t  *bg;

    bg = ngx_http_mpk_background(mmcf, ngx_http_mpk_edges_handler);
    if (bg == NULL) {
        return;
    }

    argv[0] = mpk_string("EVAL");
    argv[1] = ngx_http_mpk_edges_script;
    argv[2] = mpk_string("1");
    argv[3] = mpk_string("mpk:meta");
    argv[4] = ngx_http_mpk_edges_name(mmcf, &bg->mem);
    argv[5] = ngx_http_mpk_edges_keys(mmcf, &bg->mem);

    ngx_http_mpk_background_send(bg, 6, argv);

    ngx_http_mpk_texts_write(mmcf);
}


/* The host's name, and a number that lasts until nginx is restarted: names can be alike. */

static mpk_str_t
ngx_http_mpk_edges_name(ngx_http_mpk_main_conf_t *mmcf, mpk_mem_t *mem)
{
    u_char      ch, hex[8];
    mpk_buf_t   buf;
    ngx_str_t  *host;
    ngx_uint_t  i;

    host = (ngx_str_t *) &ngx_cycle->hostname;

    mpk_buf_init(&buf, mem, NGX_HTTP_MPK_EDGES_HOST + sizeof("e:-12345678"));
    mpk_buf_lit(&buf, "e:");

    for (i = 0; i < host->len && i < NGX_HTTP_MPK_EDGES_HOST; i++) {
        ch = host->data[i];

        mpk_buf_byte(&buf, mpk_order_id_char(ch) ? ch : '_');
    }

    (void) ngx_atomic_cmp_set(&mmcf->shm->edge, 0,
                              ((ngx_uint_t) ngx_random() & 0x7fffffff) | 1);

    (void) ngx_sprintf(hex, "%08xi", (ngx_uint_t) mmcf->shm->edge);

    mpk_buf_byte(&buf, '-');
    mpk_buf_put(&buf, hex, 8);

    return mpk_buf_done(&buf);
}


/* The ids of the keys, separated by blanks; "*" before those that are current. */

static mpk_str_t
ngx_http_mpk_edges_keys(ngx_http_mpk_main_conf_t *mmcf, mpk_mem_t *mem)
{
    size_t            i;
    mpk_buf_t         buf;
    const mpk_key_t  *key;

    mpk_buf_init(&buf, mem, 512);

    for (i = 0; i < mmcf->keyring->count; i++) {
        key = &mmcf->keyring->keys[i];

        if (i) {
            mpk_buf_byte(&buf, ' ');
        }

        if (mpk_keyring_current(mmcf->keyring, key->use) == key) {
            mpk_buf_byte(&buf, '*');
        }

        mpk_buf_str(&buf, key->kid);
    }

    return mpk_buf_done(&buf);
}


static void
ngx_http_mpk_edges_handler(ngx_http_mpk_background_t *bg)
{
    size_t                  i;
    mpk_str_t               edge, keys;
    ngx_uint_t              missing, lacks;
    ngx_mpk_redis_reply_t  *reply;

    reply = bg->cmd.reply;

    if (bg->cmd.result != NGX_MPK_REDIS_ANSWERED
        || reply->type != NGX_MPK_REDIS_ARRAY)
    {
        /* a refusal will not become another answer soon */

        if (!ngx_exiting && bg->cmd.result != NGX_MPK_REDIS_REFUSED) {
            ngx_add_timer(&ngx_http_mpk_edges_task.timer,
                          NGX_HTTP_MPK_EDGES_SOON);
        }

        return;
    }

    missing = 0;
    lacks = 0;

    for (i = 0; i + 1 < reply->count; i += 2) {

        if (reply->elements[i].type != NGX_MPK_REDIS_STRING
            || reply->elements[i + 1].type != NGX_MPK_REDIS_STRING)
        {
            continue;
        }

        edge = reply->elements[i].str;
        keys = reply->elements[i + 1].str;

        missing += ngx_http_mpk_edges_compare(bg->mmcf, edge, keys);
        lacks += ngx_http_mpk_edges_lacks(bg->mmcf, edge, keys, lacks);
    }

    bg->mmcf->shm->keyring_incomplete = missing;
    bg->mmcf->shm->lacks_count = lacks;
}


/* How many current keys of an edge this keyring lacks. */

static ngx_uint_t
ngx_http_mpk_edges_compare(ngx_http_mpk_main_conf_t *mmcf, mpk_str_t edge,
    mpk_str_t keys)
{
    mpk_str_t   kid, lacked;
    ngx_uint_t  missing;

    missing = 0;
    lacked = mpk_string("");

    while (ngx_http_mpk_edges_next(&keys, &kid)) {

        if (kid.len < 2 || kid.data[0] != '*') {
            continue;
        }

        kid.data++;
        kid.len--;

        if (ngx_http_mpk_edges_has(mmcf->keyring, kid)) {
            continue;
        }

        missing++;
        lacked = kid;
    }

    if (missing == 0) {
        return 0;
    }

    /* anything can be in Redis, but not in the log */

    if (!mpk_order_id_valid(edge)) {
        edge = mpk_string("?");
    }

    if (!mpk_kid_valid(lacked)) {
        lacked = mpk_string("?");
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "mpk: edge \"%*s\" uses %ui keys that are not in this "
                  "keyring, \"%*s\" among them: what it signs or writes is "
                  "refused here; install the same keyring on all edges and "
                  "reload", edge.len, edge.data, missing, lacked.len,
                  lacked.data);

    return missing;
}


/* Lists, from n on, the keys of this keyring that an edge lacks; returns their number. */

static ngx_uint_t
ngx_http_mpk_edges_lacks(ngx_http_mpk_main_conf_t *mmcf, mpk_str_t edge,
    mpk_str_t keys, ngx_uint_t n)
{
    size_t                i;
    mpk_str_t             rest, kid;
    ngx_uint_t            first;
    const mpk_key_t      *key;
    ngx_http_mpk_lack_t  *lack;

    first = n;

    if (!mpk_order_id_valid(edge)) {
        return 0;
    }

    for (i = 0; i < mmcf->keyring->count && n < NGX_HTTP_MPK_LACKS; i++) {

        key = &mmcf->keyring->keys[i];
        rest = keys;

        do {
            if (!ngx_http_mpk_edges_next(&rest, &kid)) {
                break;
            }

            if (kid.len && kid.data[0] == '*') {
                kid.data++;
                kid.len--;
            }

        } while (!mpk_str_eq(kid, key->kid));

        if (mpk_str_eq(kid, key->kid)) {
            continue;
        }

        lack = &mmcf->shm->lacks[n++];

        lack->version |= 1;
        ngx_memory_barrier();

        lack->edge_len = (uint8_t) edge.len;
        lack->kid_len = (uint8_t) key->kid.len;

        ngx_memcpy(lack->edge, edge.data, edge.len);
        ngx_memcpy(lack->kid, key->kid.data, key->kid.len);

        ngx_memory_barrier();
        lack->version++;
    }

    return n - first;
}


/* Takes the next word; 0: there is none. */

static ngx_uint_t
ngx_http_mpk_edges_next(mpk_str_t *keys, mpk_str_t *kid)
{
    kid->data = keys->data;
    kid->len = 0;

    if (keys->len == 0) {
        return 0;
    }

    while (kid->len < keys->len && keys->data[kid->len] != ' ') {
        kid->len++;
    }

    keys->data += ngx_min(kid->len + 1, keys->len);
    keys->len -= ngx_min(kid->len + 1, keys->len);

    return 1;
}


static ngx_uint_t
ngx_http_mpk_edges_has(const mpk_keyring_t *keyring, mpk_str_t kid)
{
    size_t  i;

    for (i = 0; i < keyring->count; i++) {
        if (mpk_str_eq(keyring->keys[i].kid, kid)) {
            return 1;
        }
    }

    return 0;
}
