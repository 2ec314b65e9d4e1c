/*
 * Statements of withdrawal that no order was found for (R12).  Each has a data key of its
 * own, as an order has.
 */

#include "ngx_http_mpk_statement.h"
#include "ngx_http_mpk_keys.h"
#include "ngx_http_mpk_worklists.h"

#include "mpk_envelope.h"
#include "mpk_pack.h"


/*
 * KEYS: the statement, the list.  ARGV: the statement, sealed; its time, ms; its member of
 * the list; when it expires, 0: never.  Returns the one that was kept first.  It is written
 * again in any case, so that durability= waits for it.
 */
static const mpk_str_t  ngx_http_mpk_statement_keeping = mpk_literal(
    "local v = redis.call('HGET', KEYS[1], 's')\n"
    "redis.call('HSET', KEYS[1], 's', v or ARGV[1])\n"
    "if not v then\n"
    "  if ARGV[4] ~= '0' then redis.call('EXPIREAT', KEYS[1], ARGV[4]) end\n"
    "  redis.call('ZADD', KEYS[2], ARGV[2], ARGV[3])\n"
    "end\n"
    "return v or ARGV[1]\n");

/* KEYS: as above.  ARGV: its member of the list; the note, sealed.  Returns 0 if it is absent. */
static const mpk_str_t  ngx_http_mpk_statement_closing = mpk_literal(
    "if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end\n"
    "redis.call('HSET', KEYS[1], 'c', redis.call('HGET', KEYS[1], 'c')"
        " or ARGV[2])\n"
    "redis.call('ZREM', KEYS[2], ARGV[1])\n"
    "return 1\n");


static ngx_int_t ngx_http_mpk_statement_seal(ngx_http_mpk_ctx_t *ctx,
    mpk_mem_t *mem, mpk_str_t id, mpk_str_t field, mpk_str_t plain,
    mpk_str_t *sealed);
static ngx_int_t ngx_http_mpk_statement_unseal(ngx_http_mpk_ctx_t *ctx,
    mpk_str_t id, mpk_str_t field, mpk_str_t sealed, mpk_str_t *plain);
static void ngx_http_mpk_statement_keys(mpk_mem_t *mem, mpk_str_t id,
    mpk_str_t *argv);
static mpk_str_t ngx_http_mpk_statement_name(mpk_mem_t *mem, mpk_str_t id);
static mpk_str_t ngx_http_mpk_statement_int(mpk_mem_t *mem, int64_t n);


ngx_int_t
ngx_http_mpk_statement_keep(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    const ngx_http_mpk_statement_t *statement, ngx_http_mpk_next_pt next)
{
    time_t                 keep;
    mpk_buf_t              plain;
    mpk_str_t              argv[9];
    ngx_http_mpk_batch_t  *batch;

    batch = ngx_http_mpk_batch_create(r, ctx, 1);
    if (batch == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    mpk_buf_init(&plain, &batch->mem, 512);
    mpk_pack_int(&plain, (uint64_t) statement->stated_at);
    mpk_pack_str(&plain, statement->name);
    mpk_pack_str(&plain, statement->order);
    mpk_pack_str(&plain, statement->email);
    mpk_pack_str(&plain, statement->items);

    keep = ctx->mmcf->retention;

    argv[0] = mpk_string("EVAL");
    argv[1] = ngx_http_mpk_statement_keeping;
    ngx_http_mpk_statement_keys(&batch->mem, statement->id, &argv[2]);
    argv[6] = ngx_http_mpk_statement_int(&batch->mem,
                                         statement->stated_at * 1000);
    argv[7] = ngx_http_mpk_statement_name(&batch->mem, statement->id);
    argv[8] = ngx_http_mpk_statement_int(&batch->mem,
                                         keep ? ngx_time() + keep : 0);

    if (plain.failed
        || ngx_http_mpk_statement_seal(ctx, &batch->mem, statement->id,
                                       mpk_string("statement"),
                                       mpk_buf_done(&plain), &argv[5])
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    (void) ngx_http_mpk_batch_commit(batch, 9, argv);

    ngx_http_mpk_worklists_changed(ctx->mmcf, statement->id);

    return ngx_http_mpk_batch_run(r, ctx, batch, next);
}


ngx_int_t
ngx_http_mpk_statement_kept(ngx_http_mpk_ctx_t *ctx, mpk_str_t id,
    int64_t *stated_at)
{
    ngx_http_mpk_statement_t  statement;

    if (ctx->batch->failed
        || ngx_http_mpk_statement_open(ctx, id, ctx->batch->cmds[0].reply,
                                       &statement)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    *stated_at = statement.stated_at;

    return NGX_OK;
}


mpk_str_t
ngx_http_mpk_statement_member(mpk_str_t member)
{
    if (!ngx_http_mpk_begins(&member, "w:")) {
        return mpk_string("");
    }

    return (mpk_str_t) { member.len - 2, member.data + 2 };
}


ngx_mpk_redis_cmd_t *
ngx_http_mpk_statement_ask(ngx_http_mpk_batch_t *batch, mpk_str_t id)
{
    mpk_str_t  argv[3];

    argv[0] = mpk_string("HGET");
    argv[1] = ngx_http_mpk_key(&batch->mem, id, ":w:", id);
    argv[2] = mpk_string("s");

    return ngx_http_mpk_batch_add(batch, 3, argv);
}


ngx_int_t
ngx_http_mpk_statement_open(ngx_http_mpk_ctx_t *ctx, mpk_str_t id,
    ngx_mpk_redis_reply_t *reply, ngx_http_mpk_statement_t *statement)
{
    mpk_str_t     plain;
    mpk_unpack_t  in;

    if (reply->type != NGX_MPK_REDIS_STRING) {
        return NGX_DECLINED;
    }

    if (ngx_http_mpk_statement_unseal(ctx, id, mpk_string("statement"),
                                      reply->str, &plain)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_CRIT, ngx_http_mpk_mem_log(&ctx->mem), 0,
                      "mpk: the statement of withdrawal \"%*s\" can't be "
                      "decrypted; the request fails", id.len, id.data);
        return NGX_ERROR;
    }

    mpk_unpack_init(&in, plain);

    statement->id = id;
    statement->stated_at = (int64_t) mpk_unpack_int(&in);
    statement->name = mpk_unpack_str(&in);
    statement->order = mpk_unpack_str(&in);
    statement->email = mpk_unpack_str(&in);
    statement->items = mpk_unpack_str(&in);

    return mpk_unpack_done(&in) ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_mpk_statement_close(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    mpk_str_t id, mpk_str_t note, ngx_http_mpk_next_pt next)
{
    mpk_str_t              argv[7];
    ngx_http_mpk_batch_t  *batch;

    batch = ngx_http_mpk_batch_create(r, ctx, 1);
    if (batch == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    argv[0] = mpk_string("EVAL");
    argv[1] = ngx_http_mpk_statement_closing;
    ngx_http_mpk_statement_keys(&batch->mem, id, &argv[2]);
    argv[5] = ngx_http_mpk_statement_name(&batch->mem, id);

    if (ngx_http_mpk_statement_seal(ctx, &batch->mem, id, mpk_string("note"),
                                    note, &argv[6])
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    (void) ngx_http_mpk_batch_commit(batch, 7, argv);

    ngx_http_mpk_worklists_changed(ctx->mmcf, id);

    return ngx_http_mpk_batch_run(r, ctx, batch, next);
}


ngx_int_t
ngx_http_mpk_statement_closed(ngx_http_mpk_ctx_t *ctx)
{
    ngx_mpk_redis_reply_t  *reply;

    if (ctx->batch->failed) {
        return NGX_ERROR;
    }

    reply = ctx->batch->cmds[0].reply;

    if (reply->type != NGX_MPK_REDIS_INTEGER) {
        return NGX_ERROR;
    }

    return reply->integer ? NGX_OK : NGX_DECLINED;
}


/* The wrapped data key, and behind it what it seals. */

static ngx_int_t
ngx_http_mpk_statement_seal(ngx_http_mpk_ctx_t *ctx, mpk_mem_t *mem,
    mpk_str_t id, mpk_str_t field, mpk_str_t plain, mpk_str_t *sealed)
{
    mpk_buf_t       wrapped, out;
    mpk_place_t     place;
    mpk_crypto_t   *crypto;
    mpk_status_t    status;
    mpk_data_key_t  key;

    crypto = ctx->mmcf->crypto;
    place = (mpk_place_t) { id, field, 0, 0 };

    mpk_buf_init(&wrapped, mem, 128);

    if (mpk_envelope_create(crypto, mem, id, &key, &wrapped) != MPK_OK
        || wrapped.failed)
    {
        return NGX_ERROR;
    }

    mpk_buf_init(&out, mem, wrapped.len + plain.len + MPK_SEAL_OVERHEAD + 8);
    mpk_pack_str(&out, mpk_buf_done(&wrapped));

    status = mpk_envelope_seal(crypto, mem, &key, &place, plain, &out);

    mpk_cleanse(&key, sizeof(mpk_data_key_t));

    if (status != MPK_OK || out.failed) {
        return NGX_ERROR;
    }

    *sealed = mpk_buf_done(&out);

    return NGX_OK;
}


static ngx_int_t
ngx_http_mpk_statement_unseal(ngx_http_mpk_ctx_t *ctx, mpk_str_t id,
    mpk_str_t field, mpk_str_t sealed, mpk_str_t *plain)
{
    mpk_str_t       wrapped;
    mpk_place_t     place;
    mpk_crypto_t   *crypto;
    mpk_status_t    status;
    mpk_unpack_t    in;
    mpk_data_key_t  key;

    crypto = ctx->mmcf->crypto;
    place = (mpk_place_t) { id, field, 0, 0 };

    mpk_unpack_init(&in, sealed);
    wrapped = mpk_unpack_str(&in);

    if (in.failed
        || mpk_envelope_unwrap(crypto, &ctx->mem, id, wrapped, &key) != MPK_OK)
    {
        return NGX_ERROR;
    }

    status = mpk_envelope_open(crypto, &ctx->mem, &key, &place,
                               (mpk_str_t) { in.end - in.p, in.p }, plain);

    mpk_cleanse(&key, sizeof(mpk_data_key_t));

    return status == MPK_OK ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_mpk_statement_keys(mpk_mem_t *mem, mpk_str_t id, mpk_str_t *argv)
{
    argv[0] = mpk_string("2");
    argv[1] = ngx_http_mpk_key(mem, id, ":w:", id);
    argv[2] = ngx_http_mpk_key(mem, id,
                  ngx_http_mpk_worklist_keys[NGX_HTTP_MPK_WORKLIST_WITHDRAWALS],
                  mpk_string(""));
}


static mpk_str_t
ngx_http_mpk_statement_name(mpk_mem_t *mem, mpk_str_t id)
{
    mpk_buf_t  name;

    mpk_buf_init(&name, mem, 2 + id.len);
    mpk_buf_lit(&name, "w:");
    mpk_buf_str(&name, id);

    return mpk_buf_done(&name);
}


static mpk_str_t
ngx_http_mpk_statement_int(mpk_mem_t *mem, int64_t n)
{
    mpk_buf_t  text;

    mpk_buf_init(&text, mem, NGX_INT64_LEN);
    mpk_buf_int(&text, n);

    return mpk_buf_done(&text);
}
