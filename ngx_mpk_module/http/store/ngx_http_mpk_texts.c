/*
 * The words of consents, which the journal has only a hash of: each edge writes those of its
 * pages to the hash mpk:texts, for evidence to print.  It is not authenticated: what is read
 * counts only if it has the hash.
 */

#include "ngx_http_mpk_texts.h"
#include "ngx_http_mpk_background.h"

#define NGX_HTTP_MPK_TEXTS_KEY  "mpk:texts"
#define NGX_HTTP_MPK_TEXTS_MAX  512     /* two for each language: 64 times four of them */


static void ngx_http_mpk_texts_handler(ngx_http_mpk_background_t *bg);


/*
 * KEYS: mpk:texts.  ARGV: how many it may have; hashes, each with its words.  Returns how
 * many of these it has no room for.
 */
static const mpk_str_t  ngx_http_mpk_texts_script = mpk_literal(
    "local k, left, n = KEYS[1], 0\n"
    "for i = 2, #ARGV, 2 do\n"
    "  local was = redis.call('HGET', k, ARGV[i])\n"
    "  if was ~= ARGV[i + 1] then\n"
    "    n = n or #redis.call('HGETALL', k) / 2\n"
    "    if was or n < tonumber(ARGV[1]) then\n"
    "      redis.call('HSET', k, ARGV[i], ARGV[i + 1])\n"
    "      if not was then n = n + 1 end\n"
    "    else\n"
    "      left = left + 1\n"
    "    end\n"
    "  end\n"
    "end\n"
    "return left\n");


void
ngx_http_mpk_texts_write(ngx_http_mpk_main_conf_t *mmcf)
{
    mpk_str_t                  *argv;
    ngx_uint_t                  i, n;
    ngx_http_mpk_text_t        *text;
    ngx_http_mpk_background_t  *bg;

    if (mmcf->texts.nelts == 0) {
        return;
    }

    bg = ngx_http_mpk_background(mmcf, ngx_http_mpk_texts_handler);
    if (bg == NULL) {
        return;
    }

    argv = mpk_alloc(&bg->mem, (5 + 2 * mmcf->texts.nelts) * sizeof(mpk_str_t));

    text = mmcf->texts.elts;
    n = 0;

    if (argv) {
        argv[n++] = mpk_string("EVAL");
        argv[n++] = ngx_http_mpk_texts_script;
        argv[n++] = mpk_string("1");
        argv[n++] = mpk_string(NGX_HTTP_MPK_TEXTS_KEY);
        argv[n++] = mpk_string(ngx_value(NGX_HTTP_MPK_TEXTS_MAX));

        for (i = 0; i < mmcf->texts.nelts; i++) {
            argv[n++] = ngx_http_mpk_str(&text[i].hash);
            argv[n++] = text[i].words;
        }
    }

    ngx_http_mpk_background_send(bg, n, argv);
}


static void
ngx_http_mpk_texts_handler(ngx_http_mpk_background_t *bg)
{
    ngx_mpk_redis_reply_t  *reply;

    reply = bg->cmd.reply;

    if (bg->cmd.result == NGX_MPK_REDIS_ANSWERED
        && reply->type == NGX_MPK_REDIS_INTEGER && reply->integer)
    {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "mpk: " NGX_HTTP_MPK_TEXTS_KEY " has "
                      ngx_value(NGX_HTTP_MPK_TEXTS_MAX) " texts of consents "
                      "and no room for %L of this edge: evidence will show "
                      "only their hashes; delete those that were never used",
                      reply->integer);
    }
}


void
ngx_http_mpk_texts_ask(ngx_http_mpk_batch_t *batch, const mpk_str_t *hashes,
    ngx_uint_t n)
{
    mpk_str_t  *argv;

    argv = mpk_alloc(&batch->mem, (2 + n) * sizeof(mpk_str_t));

    if (argv) {
        argv[0] = mpk_string("HMGET");
        argv[1] = mpk_string(NGX_HTTP_MPK_TEXTS_KEY);
        ngx_memcpy(&argv[2], hashes, n * sizeof(mpk_str_t));
    }

    (void) ngx_http_mpk_batch_add(batch, 2 + n, argv);
}


mpk_str_t
ngx_http_mpk_texts_read(ngx_http_mpk_main_conf_t *mmcf,
    const ngx_mpk_redis_cmd_t *cmd, ngx_uint_t i, mpk_str_t hash)
{
    u_char                  digest[MPK_MAC_LEN];
    u_char                  text[ngx_base64_encoded_length(MPK_MAC_LEN)];
    mpk_str_t               words;
    ngx_str_t               src, encoded;
    ngx_mpk_redis_reply_t  *reply;

    reply = cmd->reply;

    if (cmd->result != NGX_MPK_REDIS_ANSWERED
        || reply->type != NGX_MPK_REDIS_ARRAY || i >= reply->count
        || reply->elements[i].type != NGX_MPK_REDIS_STRING)
    {
        return mpk_string("");
    }

    words = reply->elements[i].str;

    if (mpk_crypto_hash(mmcf->crypto, words, digest) != MPK_OK) {
        return mpk_string("");
    }

    src.data = digest;
    src.len = MPK_MAC_LEN;
    encoded.data = text;

    ngx_encode_base64(&encoded, &src);

    return mpk_str_eq(ngx_http_mpk_str(&encoded), hash) ? words
                                                        : mpk_string("");
}
