/*
 * mpk_reveal: shows keys by signed links.  GET sends the confirm page and does not use
 * the token up; POST is the token's one view.
 */

#include "ngx_http_mpk_reveal.h"
#include "ngx_http_mpk_address.h"
#include "ngx_http_mpk_answer.h"
#include "ngx_http_mpk_body.h"
#include "ngx_http_mpk_language.h"
#include "ngx_http_mpk_limit.h"
#include "ngx_http_mpk_links.h"
#include "ngx_http_mpk_request.h"

#include "mpk_base64url.h"
#include "mpk_nonce.h"

#define NGX_HTTP_MPK_BODY_MAX    16384     /* bytes of a confirmation */


static ngx_int_t ngx_http_mpk_reveal_get(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_reveal_opened(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_reveal_post(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static void ngx_http_mpk_reveal_consent(ngx_http_mpk_ctx_t *ctx,
    const mpk_value_t *fields, ngx_http_mpk_txn_t *txn);
static ngx_int_t ngx_http_mpk_reveal_nonce(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, const mpk_value_t *fields,
    ngx_http_mpk_txn_t *txn);
static ngx_int_t ngx_http_mpk_reveal_viewed(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);


ngx_int_t
ngx_http_mpk_reveal_handler(ngx_http_request_t *r)
{
    ngx_str_t                 text;
    mpk_crypto_t             *crypto;
    ngx_http_mpk_ctx_t       *ctx;
    ngx_http_mpk_reveal_t    *reveal;
    ngx_http_mpk_srv_conf_t  *mscf;

    mscf = ngx_http_get_module_srv_conf(r, ngx_http_mpk_module);

    if (ngx_http_mpk_path_token(r, &mscf->reveal_path, &text) != NGX_OK) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_mpk_create_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* nothing with a token in its address goes on to the upstream */

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_POST))) {
        ctx->outcome = NGX_HTTP_MPK_OUTCOME_METHOD;
        return NGX_HTTP_NOT_ALLOWED;
    }

    reveal = ngx_pcalloc(r->pool, sizeof(ngx_http_mpk_reveal_t));
    if (reveal == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->data = reveal;
    ctx->json = ngx_http_mpk_wants_json(r);
    ctx->event = (r->method & NGX_HTTP_POST) ? MPK_EVENT_VIEWED
                                             : MPK_EVENT_OPENED;

    crypto = ctx->mmcf->crypto;

    reveal->status = ngx_http_mpk_link_verify(ctx, &text, MPK_AUD_REVEAL,
                                              &reveal->token);

    if (reveal->status != MPK_OK && reveal->status != MPK_EXPIRED) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "mpk: reveal link rejected: %s",
                      mpk_status_text(reveal->status));
        return ngx_http_mpk_reveal_notice(r, ctx, MPK_ABSENT);
    }

    if (mpk_token_id(crypto, reveal->token.jti, reveal->id) != MPK_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    (void) mpk_base64url_decode(reveal->id_bytes, reveal->id,
                                MPK_TOKEN_ID_LEN);

    ctx->order = reveal->token.order;
    ctx->channel = mpk_channel_name(reveal->token.channel);
    ctx->token_id = (mpk_str_t) { MPK_TOKEN_ID_LEN, reveal->id };

    reveal->prefetch = ngx_http_mpk_is_prefetch(r);

    if (!(r->method & NGX_HTTP_POST)) {
        return ngx_http_mpk_reveal_get(r, ctx);
    }

    if (reveal->prefetch || ngx_http_mpk_is_foreign(r)) {
        return ngx_http_mpk_send_foreign(r, ctx, mpk_string("R4"));
    }

    return ngx_http_mpk_read_body(r, ctx, NGX_HTTP_MPK_BODY_MAX,
                                  ngx_http_mpk_reveal_post);
}


ngx_http_mpk_txn_t *
ngx_http_mpk_reveal_txn(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    mpk_event_t event)
{
    mpk_token_t            *token;
    ngx_http_mpk_txn_t     *txn;
    ngx_http_mpk_reveal_t  *reveal;

    txn = ngx_http_mpk_txn_create(ctx->mmcf, r);
    if (txn == NULL) {
        return NULL;
    }

    reveal = ctx->data;
    token = &reveal->token;

    ngx_http_mpk_txn_order(txn, token->order);

    txn->request.event = event;
    txn->request.grace = ctx->mlcf->reveal_grace;
    txn->request.iat = token->iat;
    txn->request.exp = token->exp;
    txn->request.channel = token->channel;
    txn->request.items_count = token->items_count;
    txn->request.items = (uint16_t *) (void *) ngx_http_mpk_txn_copy(txn,
                          (mpk_str_t) { token->items_count * sizeof(uint16_t),
                                        (u_char *) token->items }).data;

    ngx_memcpy(txn->request.token_id, reveal->id_bytes, MPK_ID_LEN);

    txn->request.consent_asked = ctx->mlcf->consent;

    txn->entry.token_id = ngx_http_mpk_txn_copy(txn, ctx->token_id);

    ngx_http_mpk_txn_client(r, txn);

    return txn;
}


static ngx_int_t
ngx_http_mpk_reveal_get(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_txn_t     *txn;
    ngx_http_mpk_reveal_t  *reveal;

    reveal = ctx->data;

    txn = ngx_http_mpk_reveal_txn(r, ctx, MPK_EVENT_OPENED);
    if (txn == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    txn->dry = (reveal->prefetch || (r->method & NGX_HTTP_HEAD));

    return ngx_http_mpk_run(r, ctx, txn, ngx_http_mpk_reveal_opened);
}


static ngx_int_t
ngx_http_mpk_reveal_opened(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_outcome_t        outcome;
    ngx_http_mpk_txn_t  *txn;

    txn = ctx->txn;

    /* send the page even if "opened" could not be journaled */

    if (!txn->decided) {
        return ngx_http_mpk_reveal_failed(r, ctx);
    }

    outcome = txn->decision.outcome;

    if (outcome == MPK_DONE || outcome == MPK_SAME) {
        return ngx_http_mpk_reveal_confirm(r, ctx, outcome);
    }

    return ngx_http_mpk_reveal_notice(r, ctx, outcome);
}


static ngx_int_t
ngx_http_mpk_reveal_post(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_str_t                 email;
    ngx_int_t                 rc;
    mpk_error_t               error;
    mpk_value_t              *fields;
    ngx_http_mpk_txn_t       *txn;
    ngx_http_mpk_reveal_t    *reveal;
    ngx_http_mpk_answer_t     answer;

    reveal = ctx->data;

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));

    rc = ngx_http_mpk_fields(r, ctx, NGX_HTTP_MPK_BODY_MAX, &fields, &error);

    if (rc >= NGX_HTTP_INTERNAL_SERVER_ERROR) {
        return rc;
    }

    if (rc != NGX_OK && ctx->json) {
        answer.status = rc;
        ctx->outcome = NGX_HTTP_MPK_OUTCOME_INVALID;

        return ngx_http_mpk_send_problem(r, ctx, &answer,
                   rc == NGX_HTTP_UNSUPPORTED_MEDIA_TYPE
                   ? mpk_string("media_type") : mpk_string("body"),
                   (mpk_str_t) { ngx_strlen(error.text),
                                 (u_char *) error.text },
                   mpk_string(""), NULL);
    }

    txn = ngx_http_mpk_reveal_txn(r, ctx, MPK_EVENT_VIEWED);
    if (txn == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    txn->entry.form = (ngx_http_mpk_body_type(r) == NGX_HTTP_MPK_BODY_FORM);

    /* a form that can't be read has no nonce: the page is sent again, with a new one */

    if (rc == NGX_OK
        && ngx_http_mpk_reveal_nonce(r, ctx, fields, txn) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    txn->request.challenge_email =
        ctx->mlcf->challenge == NGX_HTTP_MPK_CHALLENGE_EMAIL
        && reveal->token.channel == MPK_CHANNEL_EMAIL;

    if (txn->request.challenge_email) {

        txn->counter = ngx_http_mpk_limit_field(&txn->mem,
                                                txn->request.token_id);
        txn->entry.challenge = mpk_string("email");

        email = mpk_value_get_string(fields, mpk_string("email"));

        if (mpk_lookup_email(ctx->mmcf->crypto, txn->id, email, reveal->email)
            == MPK_OK)
        {
            txn->request.email_hash = reveal->email;
        }

    } else {
        txn->entry.challenge = mpk_string("click");
    }

    if (mpk_value_yes(fields, mpk_string("warned"))) {
        txn->request.desktop = ngx_http_mpk_reveal_desktop(r, ctx);
    }

    ngx_http_mpk_reveal_consent(ctx, fields, txn);

    return ngx_http_mpk_run(r, ctx, txn, ngx_http_mpk_reveal_viewed);
}


/* What was agreed to, of what is asked for. */

static void
ngx_http_mpk_reveal_consent(ngx_http_mpk_ctx_t *ctx, const mpk_value_t *fields,
    ngx_http_mpk_txn_t *txn)
{
    unsigned                  given;
    ngx_http_mpk_language_t  *language;

    given = 0;

    if (mpk_value_yes(fields, mpk_string("consent_supply"))
        && mpk_value_yes(fields, mpk_string("consent_waiver")))
    {
        given |= MPK_CONSENT_SUPPLY;
    }

    if (mpk_value_yes(fields, mpk_string("consent_product"))) {
        given |= MPK_CONSENT_PRODUCT;
    }

    given &= txn->request.consent_asked;
    txn->request.consent_given = given;

    /* the form names the language of the texts consented to */

    language = ngx_http_mpk_language_find(ctx->mlcf->pages,
                   mpk_value_get_string(fields, mpk_string("language")));
    if (language == NULL) {
        language = ngx_http_mpk_language(ctx, mpk_string(""));
    }

    if (given & MPK_CONSENT_SUPPLY) {
        txn->entry.consent = ngx_http_mpk_str(&language->consent);
        txn->entry.consent_language = ngx_http_mpk_str(&language->tag);
    }

    if (given & MPK_CONSENT_PRODUCT) {
        txn->entry.consent_product = ngx_http_mpk_str(&language->product);
    }
}


/* Hashes the confirmation's nonce or Idempotency-Key, as the order stores it. */

static ngx_int_t
ngx_http_mpk_reveal_nonce(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    const mpk_value_t *fields, ngx_http_mpk_txn_t *txn)
{
    u_char      hash[MPK_MAC_LEN];
    mpk_buf_t   buf;
    mpk_str_t   nonce;
    ngx_str_t  *key;

    mpk_buf_init(&buf, &ctx->mem, 128);

    nonce = mpk_value_get_string(fields, mpk_string("nonce"));

    if (nonce.len) {
        txn->request.nonce_fresh = mpk_nonce_fresh(ctx->mmcf->crypto,
                                                   ctx->token_id,
                                                   txn->request.now, nonce);
        mpk_buf_lit(&buf, "nonce:");
        mpk_buf_str(&buf, nonce);

    } else {
        key = ctx->headers[NGX_HTTP_MPK_HEADER_IDEMPOTENCY_KEY];

        if (key && key->len && key->len <= 255) {
            txn->request.nonce_fresh = 1;

            mpk_buf_lit(&buf, "key:");
            mpk_buf_put(&buf, key->data, key->len);
        }
    }

    if (buf.failed
        || mpk_crypto_hash(ctx->mmcf->crypto, mpk_buf_done(&buf), hash) != MPK_OK)
    {
        return NGX_ERROR;
    }

    ngx_memcpy(txn->request.nonce, hash, MPK_ID_LEN);

    return NGX_OK;
}


static ngx_int_t
ngx_http_mpk_reveal_viewed(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_txn_t  *txn;

    txn = ctx->txn;

    if (txn->result != NGX_HTTP_MPK_TXN_OK) {
        return ngx_http_mpk_reveal_failed(r, ctx);
    }

    switch (txn->decision.outcome) {

    case MPK_DONE:
        return ngx_http_mpk_reveal_keys(r, ctx);

    case MPK_CHALLENGE:
    case MPK_STALE:
    case MPK_CONSENT:
        return ngx_http_mpk_reveal_confirm(r, ctx, txn->decision.outcome);

    default:
        return ngx_http_mpk_reveal_notice(r, ctx, txn->decision.outcome);
    }
}
