/* GET /orders/{id}; POST .../release, .../cancel, .../links. */

#include "ngx_http_mpk_api.h"
#include "ngx_http_mpk_card.h"
#include "ngx_http_mpk_card_withdrawals.h"
#include "ngx_http_mpk_links.h"
#include "ngx_http_mpk_sealed.h"
#include "ngx_http_mpk_time.h"

#include "mpk_base64url.h"

#define NGX_HTTP_MPK_TTL_MIN   60
#define NGX_HTTP_MPK_TTL_MAX   (10 * 365 * 24 * 60 * 60)


static ngx_int_t ngx_http_mpk_show_done(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_show_pending(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *opened, mpk_value_t *facts);
static ngx_int_t ngx_http_mpk_show_policy(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, const mpk_order_t *order, mpk_value_t *facts);
static ngx_int_t ngx_http_mpk_links_token(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_txn_t *txn, u_char *jti);
static ngx_int_t ngx_http_mpk_links_done(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);


ngx_int_t
ngx_http_mpk_api_show(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    return  ngx_http_mpk_api_read(r, ctx, ngx_http_mpk_show_done);
}


static ngx_int_t
ngx_http_mpk_show_done(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_mem_t                  *mem;
    mpk_order_t                *order;
    mpk_value_t                *facts;
    ngx_uint_t                  erased;
    mpk_person_t                person;
    mpk_checkout_t              checkout;
    ngx_http_mpk_order_t       *opened;
    ngx_http_mpk_answer_t       answer;
    ngx_http_mpk_claims_for_t   whom;

    opened = &ctx->orders->list[0];
    order = &opened->order;
    mem = &ctx->mem;

    facts = mpk_value_new(mem, MPK_VALUE_OBJECT);

    erased = (order->state == MPK_ORDER_ERASED);
    whom = ctx->reader ? NGX_HTTP_MPK_CLAIMS_READ
                       : NGX_HTTP_MPK_CLAIMS_SUPPORT;

    if ((!erased
         && (ngx_http_mpk_order_person(ctx, opened, &person) != NGX_OK
             || ngx_http_mpk_order_checkout(ctx, opened, &checkout)
                != NGX_OK))
        || ngx_http_mpk_card(ctx, opened, 1, facts) != NGX_OK
        || ngx_http_mpk_card_claims(ctx, opened, whom, facts) != NGX_OK
        || ngx_http_mpk_card_withdrawals(ctx, opened, whom, facts) != NGX_OK)
    {
        return ngx_http_mpk_api_fail(r, ctx, NGX_HTTP_MPK_TXN_ERROR);
    }

    mpk_value_int(facts, mpk_string("views_count"), (int64_t) order->views);
    mpk_value_bool(facts, mpk_string("used"), order->first_viewed_at != 0);

    if (erased) {
        ngx_http_mpk_value_time(ctx, facts, mpk_string("erased_at"),
                                order->erased_at);
    }

    if (ngx_http_mpk_show_policy(r, ctx, order, facts) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* the role "read" learns nothing about the person, nor of what they are suspected */

    if (!ctx->reader && !erased) {

        if (order->suspended_at) {
            mpk_value_string(facts, mpk_string("suspended_for"),
                             mpk_suspension_name(order->suspension));
        }

        mpk_value_string(facts, mpk_string("email"), person.email);

        if (ngx_http_mpk_show_pending(ctx, opened, facts) != NGX_OK) {
            return ngx_http_mpk_api_fail(r, ctx, NGX_HTTP_MPK_TXN_ERROR);
        }

        if (person.account.len) {
            mpk_value_string(facts, mpk_string("account"), person.account);
        }

        mpk_checkout_show(mem, &checkout, facts);

        if (ngx_http_mpk_card_views(ctx, opened, 0, facts) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = NGX_HTTP_OK;

    return ngx_http_mpk_send_json(r, ctx, &answer, facts);
}


/* Adds the correction of the email that is to hold later, if there is one. */

static ngx_int_t
ngx_http_mpk_show_pending(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *opened, mpk_value_t *facts)
{
    int64_t            now;
    ngx_uint_t         number;
    mpk_value_t       *v;
    mpk_person_t       person;
    mpk_correction_t  *correction;

    now = ngx_http_mpk_time(ctx->mmcf, opened->id);
    number = mpk_order_correction_pending(&opened->order, now);

    if (number == 0) {
        return NGX_OK;
    }

    if (ngx_http_mpk_order_person_as(ctx, opened, number, &person) != NGX_OK) {
        return NGX_ERROR;
    }

    correction = &opened->order.corrections[number - 1];
    v = mpk_value_object(facts, mpk_string("email_change"));

    mpk_value_string(v, mpk_string("email"), person.email);
    ngx_http_mpk_value_time(ctx, v, mpk_string("holds_from"),
                            correction->from);
    mpk_value_bool(v, mpk_string("show_viewed"), correction->show_viewed);

    return NGX_OK;
}


/* Adds whether the order could be cancelled, claimed or refunded now. */

static ngx_int_t
ngx_http_mpk_show_policy(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    const mpk_order_t *order, mpk_value_t *facts)
{
    mpk_str_t       rule;
    mpk_mem_t      *mem;
    ngx_uint_t      i;
    mpk_value_t    *policy;
    mpk_outcome_t   outcome;
    mpk_request_t   ask;

    static const struct {
        mpk_str_t    name;
        mpk_event_t  event;
    } asked[] = {
        { mpk_literal("cancel"), MPK_EVENT_CANCELLED },
        { mpk_literal("claim"), MPK_EVENT_CLAIM_OPENED },
        { mpk_literal("refund"), MPK_EVENT_CLAIM_REFUNDED }
    };

    mem = &ctx->mem;

    ngx_memzero(&ask, sizeof(mpk_request_t));

    ask.now = ngx_http_mpk_time(ctx->mmcf, ctx->order);
    ask.claim_window = ctx->mscf->claim_window;

    policy = mpk_value_object(facts, mpk_string("policy"));

    for (i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        ask.event = asked[i].event;

        if (mpk_policy_ask(mem, order, &ask, &outcome) != MPK_OK) {
            return NGX_ERROR;
        }

        if (outcome == MPK_DONE || outcome == MPK_SAME) {
            rule = mpk_string("allowed");

        } else {
            rule = mpk_outcome_info(outcome)->rule;
            rule = rule.len ? rule : mpk_outcome_info(outcome)->name;
        }

        mpk_value_string(policy, asked[i].name, rule);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_mpk_api_release(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_txn_t  *txn;

    txn = ngx_http_mpk_api_txn(r, ctx, MPK_EVENT_RELEASED);
    if (txn == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_mpk_run(r, ctx, txn, ngx_http_mpk_api_state);
}


ngx_int_t
ngx_http_mpk_api_cancel(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_str_t            reason, note;
    ngx_uint_t           i;
    const mpk_value_t   *not_sent;
    ngx_http_mpk_api_t  *api;
    ngx_http_mpk_txn_t  *txn;

    static const mpk_str_t  reasons[] = {
        mpk_literal("fraud"),
        mpk_literal("payment_failed"),
        mpk_literal("other")
    };

    api = ctx->data;

    reason = mpk_value_get_string(api->body, mpk_string("reason"));
    note = mpk_value_get_string(api->body, mpk_string("note"));

    for (i = 0; i < 3; i++) {
        if (mpk_str_eq(reason, reasons[i])) {
            break;
        }
    }

    if (i == 3) {
        ngx_http_mpk_api_error(ctx, mpk_string("/reason"),
                               "must be \"fraud\", \"payment_failed\" or "
                               "\"other\"");

    } else if (i == 2 && note.len == 0) {
        ngx_http_mpk_api_error(ctx, mpk_string("/note"),
                               "must state the reason where it is \"other\"");
    }

    if (api->errors) {
        return ngx_http_mpk_api_invalid(r, ctx);
    }

    txn = ngx_http_mpk_api_txn(r, ctx, MPK_EVENT_CANCELLED);
    if (txn == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    not_sent = mpk_value_get(api->body, mpk_string("not_sent"));

    txn->request.reason = reasons[i];
    txn->request.not_sent = not_sent && not_sent->type == MPK_VALUE_BOOL
                         && not_sent->u.boolean;
    txn->request.may_be_unregistered =
        mpk_keyring_current(txn->mmcf->keyring, MPK_USE_LINK) != NULL;

    txn->entry.reason = reasons[i];
    txn->entry.note = ngx_http_mpk_txn_copy(txn, note);

    return ngx_http_mpk_run(r, ctx, txn, ngx_http_mpk_api_state);
}


ngx_int_t
ngx_http_mpk_api_links(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    u_char              *jti;
    int64_t              ttl;
    mpk_str_t            id;
    const mpk_value_t   *v;
    ngx_http_mpk_api_t  *api;
    ngx_http_mpk_txn_t  *txn;

    api = ctx->data;

    txn = ngx_http_mpk_api_txn(r, ctx, MPK_EVENT_LINK_MINTED);
    if (txn == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ttl = ctx->mlcf->reveal_ttl;
    v = mpk_value_get(api->body, mpk_string("ttl"));

    if (v && v->type == MPK_VALUE_INT) {
        ttl = v->u.integer;

        if (ttl < NGX_HTTP_MPK_TTL_MIN || ttl > NGX_HTTP_MPK_TTL_MAX) {
            ngx_http_mpk_api_error(ctx, mpk_string("/ttl"),
                                   "must be a number of seconds, 60 to "
                                   "315360000");
            ttl = 0;
        }
    }

    ngx_http_mpk_api_items(ctx, txn);

    txn->request.iat = txn->request.now;
    txn->request.exp = txn->request.now + ttl;
    txn->request.channel = MPK_CHANNEL_EMAIL;

    jti = ngx_pcalloc(txn->pool, MPK_JTI_LEN + MPK_TOKEN_ID_LEN);
    if (jti == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    id = mpk_value_get_string(api->body, mpk_string("token_id"));

    if (id.data) {
        if (id.len != MPK_TOKEN_ID_LEN
            || mpk_base64url_decode(txn->request.token_id, id.data, id.len)
               != MPK_OK)
        {
            ngx_http_mpk_api_error(ctx, mpk_string("/token_id"),
                                   "must be the first 16 bytes of "
                                   "SHA-256(jti), in base64url");
        } else {
            ngx_memcpy(jti + MPK_JTI_LEN, id.data, MPK_TOKEN_ID_LEN);
        }

    } else if (ngx_http_mpk_links_token(ctx, txn, jti) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (api->errors) {
        return ngx_http_mpk_api_invalid(r, ctx);
    }

    api->data = jti;

    txn->entry.token_id = (mpk_str_t) { MPK_TOKEN_ID_LEN, jti + MPK_JTI_LEN };
    ctx->token_id = txn->entry.token_id;

    return ngx_http_mpk_run(r, ctx, txn, ngx_http_mpk_links_done);
}


ngx_int_t
ngx_http_mpk_api_revoke(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_api_t  *api;
    ngx_http_mpk_txn_t  *txn;

    api = ctx->data;

    txn = ngx_http_mpk_api_txn(r, ctx, MPK_EVENT_LINK_REVOKED);
    if (txn == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (api->part.len != MPK_TOKEN_ID_LEN
        || mpk_base64url_decode(txn->request.token_id, api->part.data,
                                api->part.len)
           != MPK_OK)
    {
        return ngx_http_mpk_api_outcome(r, ctx, MPK_NO_LINK, NULL);
    }

    txn->entry.token_id = ngx_http_mpk_txn_copy(txn, api->part);
    ctx->token_id = api->part;

    return ngx_http_mpk_run(r, ctx, txn, ngx_http_mpk_api_state);
}


/*
 * Makes a jti and its token id.  The same Idempotency-Key gives the same jti of an order,
 * so that the call can be repeated, also after a rotation: by the key that has none.
 */

static ngx_int_t
ngx_http_mpk_links_token(ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_txn_t *txn,
    u_char *jti)
{
    u_char         bytes[MPK_MAC_LEN];
    mpk_str_t      parts[4];
    mpk_crypto_t  *crypto;
    mpk_status_t   status;
    ngx_str_t     *idempotency;

    crypto = txn->mmcf->crypto;
    idempotency = ctx->headers[NGX_HTTP_MPK_HEADER_IDEMPOTENCY_KEY];

    if (idempotency && idempotency->len) {
        parts[0] = mpk_string("jti:");
        parts[1] = txn->id;
        parts[2] = mpk_string(":");
        parts[3] = ngx_http_mpk_str(idempotency);

        status = mpk_crypto_mac(crypto,
                     mpk_keyring_current(txn->mmcf->keyring, MPK_USE_LOOKUP),
                     parts, 4, bytes);
    } else {
        status = mpk_crypto_random(crypto, bytes, 16);
    }

    if (status != MPK_OK) {
        return NGX_ERROR;
    }

    mpk_base64url_encode(jti, bytes, 16);

    if (mpk_token_id(crypto, (mpk_str_t) { MPK_JTI_LEN, jti },
                     jti + MPK_JTI_LEN)
        != MPK_OK)
    {
        return NGX_ERROR;
    }

    return mpk_base64url_decode(txn->request.token_id, jti + MPK_JTI_LEN,
                                MPK_TOKEN_ID_LEN)
           == MPK_OK ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_mpk_links_done(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    u_char                 *jti;
    mpk_str_t               url;
    mpk_mem_t              *mem;
    mpk_link_t             *link;
    mpk_token_t             token;
    mpk_value_t            *facts;
    mpk_outcome_t           outcome;
    ngx_http_mpk_api_t     *api;
    ngx_http_mpk_txn_t     *txn;
    ngx_http_mpk_answer_t   answer;

    api = ctx->data;
    txn = ctx->txn;
    outcome = txn->decision.outcome;
    mem = &ctx->mem;
    jti = api->data;

    if (txn->result != NGX_HTTP_MPK_TXN_OK
        || (outcome != MPK_DONE && outcome != MPK_SAME))
    {
        return ngx_http_mpk_api_refused(r, ctx);
    }

    link = txn->decision.link;

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = NGX_HTTP_OK;

    facts = mpk_value_new(mem, MPK_VALUE_OBJECT);

    if (jti[0]) {
        ngx_memzero(&token, sizeof(mpk_token_t));

        token.aud = MPK_AUD_REVEAL;
        token.channel = MPK_CHANNEL_EMAIL;
        token.order = txn->id;
        token.jti = (mpk_str_t) { MPK_JTI_LEN, jti };
        token.iat = link->iat;
        token.exp = link->exp;
        token.items = link->items;
        token.items_count = link->items_count;

        if (ngx_http_mpk_link_sign(ctx, &ctx->mscf->reveal_path, &token, &url)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        mpk_value_string(facts, mpk_string("url"), url);

    } else {
        /* the shop has signed the link itself */
        mpk_value_null(facts, mpk_string("url"));
    }

    mpk_value_string(facts, mpk_string("token_id"), txn->entry.token_id);
    ngx_http_mpk_value_time(ctx, facts, mpk_string("expires_at"), link->exp);

    return ngx_http_mpk_send_json(r, ctx, &answer, facts);
}
