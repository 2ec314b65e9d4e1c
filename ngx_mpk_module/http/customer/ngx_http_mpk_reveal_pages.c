/* Answers of mpk_reveal: the confirm page, the keys, refusals. */

#include "ngx_http_mpk_reveal.h"
#include "ngx_http_mpk_card.h"
#include "ngx_http_mpk_card_claims.h"
#include "ngx_http_mpk_language.h"
#include "ngx_http_mpk_links.h"
#include "ngx_http_mpk_refusal.h"

#include "mpk_nonce.h"
#include "mpk_platform.h"

#define NGX_HTTP_MPK_REFRESH_MIN  5        /* seconds between reloads of a held order's page */
#define NGX_HTTP_MPK_REFRESH_MAX  300
#define NGX_HTTP_MPK_GROUP       5         /* characters of a key without separators */
#define NGX_HTTP_MPK_LARGE       64        /* characters of a key in the largest font */
#define NGX_HTTP_MPK_GROUPED     128       /* bytes of a key; a longer one is text */


static void ngx_http_mpk_reveal_until(ngx_http_mpk_ctx_t *ctx,
    mpk_value_t *facts);
static mpk_value_t *ngx_http_mpk_reveal_item(ngx_http_mpk_ctx_t *ctx,
    mpk_value_t *list, ngx_uint_t number);
static ngx_uint_t ngx_http_mpk_reveal_long(mpk_str_t key);
static void ngx_http_mpk_reveal_groups(mpk_value_t *item, mpk_str_t key,
    size_t *end);


/*
 * Sends the confirm page; outcome says what was wrong with the confirmation, if anything.
 */

ngx_int_t
ngx_http_mpk_reveal_confirm(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    mpk_outcome_t outcome)
{
    u_char                    *nonce;
    unsigned                   missing;
    mpk_mem_t                 *mem;
    ngx_uint_t                 i;
    mpk_value_t               *facts, *list, *errors, *e;
    mpk_decision_t            *decision;
    ngx_http_mpk_link_t        link;
    ngx_http_mpk_reveal_t     *reveal;
    ngx_http_mpk_answer_t      answer;
    const mpk_outcome_info_t  *info;

    reveal = ctx->data;
    decision = &ctx->txn->decision;
    mem = &ctx->mem;

    missing = decision->consent & ~ctx->txn->request.consent_given;

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = NGX_HTTP_OK;

    if (outcome != MPK_DONE && outcome != MPK_SAME && !reveal->onscreen) {

        answer.status = 422;

        if (ctx->json) {
            info = mpk_outcome_info(outcome);

            errors = mpk_value_new(mem, MPK_VALUE_ARRAY);
            e = mpk_value_object(errors, mpk_string(""));
            mpk_value_string(e, mpk_string("pointer"),
                             outcome == MPK_CHALLENGE ? mpk_string("/email")
                             : outcome == MPK_STALE ? mpk_string("/nonce")
                             : missing & MPK_CONSENT_SUPPLY
                             ? mpk_string("/consent_supply")
                             : mpk_string("/consent_product"));
            mpk_value_string(e, mpk_string("detail"), info->detail);

            return ngx_http_mpk_send_problem(r, ctx, &answer, info->name,
                                             info->detail, info->rule,
                                             errors);
        }
    }

    ctx->language = ngx_http_mpk_language(ctx, decision->order.locale);

    if (reveal->onscreen) {

        /* the form is sent to a link minted for it */

        if (ngx_http_mpk_link(ctx, &ctx->txn->order, MPK_CHANNEL_ONSCREEN,
                              NULL, 0, &link)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

    } else {
        nonce = ngx_pnalloc(r->pool, MPK_NONCE_LEN);

        if (nonce == NULL
            || mpk_nonce_create(ctx->mmcf->crypto, ctx->token_id,
                                ctx->txn->request.now, nonce)
               != MPK_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ngx_memzero(&link, sizeof(ngx_http_mpk_link_t));
        link.nonce = (mpk_str_t) { MPK_NONCE_LEN, nonce };
    }

    facts = mpk_value_new(mem, MPK_VALUE_OBJECT);

    mpk_value_string(facts, mpk_string("order"), ctx->order);

    list = mpk_value_array(facts, mpk_string("products"));

    for (i = 0; i < decision->items_count; i++) {
        mpk_value_string(list, mpk_string(""),
            decision->order.items[decision->items[i] - 1].product);
    }

    ngx_http_mpk_reveal_items(ctx, facts);

    mpk_value_string(facts, mpk_string("challenge"),
                     ctx->mlcf->challenge == NGX_HTTP_MPK_CHALLENGE_EMAIL
                     && reveal->token.channel == MPK_CHANNEL_EMAIL
                     ? mpk_string("email") : mpk_string("click"));
    mpk_value_bool(facts, mpk_string("consent"),
                   (decision->consent & MPK_CONSENT_SUPPLY) != 0);
    mpk_value_bool(facts, mpk_string("consent_product"),
                   (decision->consent & MPK_CONSENT_PRODUCT) != 0);
    mpk_value_bool(facts, mpk_string("warning"),
                   mpk_policy_warns(&ctx->txn->order, decision->items,
                                    decision->items_count,
                                    ngx_http_mpk_reveal_desktop(r, ctx)));
    mpk_value_string(facts, mpk_string("nonce"), link.nonce);
    ngx_http_mpk_reveal_until(ctx, facts);
    ngx_http_mpk_value_time(ctx, facts, mpk_string("expires_at"),
                            mpk_order_until(&decision->order,
                                            reveal->token.iat,
                                            reveal->token.exp,
                                            ctx->txn->request.now));

    if (ctx->json) {

        if (link.url.len) {
            mpk_value_string(facts, mpk_string("reveal_url"), link.url);
        }

        return ngx_http_mpk_send_json(r, ctx, &answer, facts);
    }

    mpk_value_string(facts, mpk_string("action"), link.path);
    mpk_value_bool(facts, mpk_string("many"), decision->items_count > 1);
    mpk_value_bool(facts, mpk_string("track"), 1);
    mpk_value_bool(facts, mpk_string("support"), ctx->mlcf->pages->support);
    mpk_value_bool(facts, mpk_string("challenge_email"),
                   ctx->mlcf->challenge == NGX_HTTP_MPK_CHALLENGE_EMAIL
                   && reveal->token.channel == MPK_CHANNEL_EMAIL);
    mpk_value_bool(facts, mpk_string("error"), answer.status == 422);
    mpk_value_bool(facts, mpk_string("error_email"), outcome == MPK_CHALLENGE);

    if (outcome != MPK_CONSENT || answer.status != 422) {
        missing = 0;
    }

    mpk_value_bool(facts, mpk_string("boxes"), decision->consent != 0);
    mpk_value_bool(facts, mpk_string("error_consent"),
                   (missing & MPK_CONSENT_SUPPLY) != 0);
    mpk_value_bool(facts, mpk_string("error_product"),
                   (missing & MPK_CONSENT_PRODUCT) != 0);
    mpk_value_bool(facts, mpk_string("error_nonce"), outcome == MPK_STALE);

    return ngx_http_mpk_send_page(r, ctx, &answer, NGX_HTTP_MPK_PAGE_CONFIRM,
                                  facts);
}


/* Until when all of the keys can be reported, if they can. */

static void
ngx_http_mpk_reveal_until(ngx_http_mpk_ctx_t *ctx, mpk_value_t *facts)
{
    int64_t          now, until, end;
    ngx_uint_t       i;
    mpk_decision_t  *decision;

    now = ctx->txn->request.now;
    decision = &ctx->txn->decision;
    until = INT64_MAX;

    for (i = 0; i < decision->items_count; i++) {
        end = mpk_policy_claim_until(&decision->order, decision->items[i],
                                     ctx->mscf->claim_window, now);
        until = ngx_min(until, end);
    }

    if (until < now) {
        until = 0;
    }

    ngx_http_mpk_value_time(ctx, facts, mpk_string("claim_until"), until);
}


void
ngx_http_mpk_reveal_items(ngx_http_mpk_ctx_t *ctx, mpk_value_t *facts)
{
    ngx_uint_t             i;
    mpk_value_t           *list;
    const mpk_decision_t  *decision;

    decision = &ctx->txn->decision;

    list = mpk_value_array(facts, mpk_string("items"));

    for (i = 0; i < decision->items_count; i++) {
        (void) ngx_http_mpk_reveal_item(ctx, list, decision->items[i]);
    }

    ngx_http_mpk_value_policy(ctx, facts);
}


/* Adds an item, by its number, with what it is and what it fits. */

static mpk_value_t *
ngx_http_mpk_reveal_item(ngx_http_mpk_ctx_t *ctx, mpk_value_t *list,
    ngx_uint_t number)
{
    mpk_value_t       *v;
    const mpk_item_t  *item;

    item = &ctx->txn->decision.order.items[number - 1];
    v = mpk_value_object(list, mpk_string(""));

    mpk_value_int(v, mpk_string("item"), number);
    mpk_value_string(v, mpk_string("sku"), item->sku);
    mpk_value_string(v, mpk_string("product"), item->product);
    ngx_http_mpk_card_fit(ctx, item, v);

    return v;
}


mpk_platform_t
ngx_http_mpk_reveal_desktop(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_str_t         hint, agent;
    ngx_str_t        *header;
    ngx_table_elt_t  *user_agent;

    header = ctx->headers[NGX_HTTP_MPK_HEADER_SEC_CH_UA_PLATFORM];
    hint = header ? ngx_http_mpk_str(header) : mpk_string("");

    user_agent = r->headers_in.user_agent;
    agent = user_agent ? ngx_http_mpk_str(&user_agent->value) : mpk_string("");

    return mpk_platform_desktop(hint, agent);
}


/* Sends the keys after the view was committed; nothing else shows keys. */

ngx_int_t
ngx_http_mpk_reveal_keys(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_mem_t              *mem;
    ngx_uint_t              i;
    mpk_value_t            *facts, *list, *v;
    mpk_decision_t         *decision;
    ngx_http_mpk_txn_t     *txn;
    ngx_http_mpk_answer_t   answer;

    txn = ctx->txn;
    decision = &txn->decision;
    mem = &txn->mem;

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = NGX_HTTP_OK;

    ctx->language = ngx_http_mpk_language(ctx, decision->order.locale);

    facts = mpk_value_new(mem, MPK_VALUE_OBJECT);

    mpk_value_string(facts, mpk_string("order"), ctx->order);
    mpk_value_string(facts, mpk_string("channel"), ctx->channel);
    ngx_http_mpk_value_time(ctx, facts, mpk_string("viewed_at"),
                            txn->request.now);
    mpk_value_bool(facts, mpk_string("repeat"),
                   decision->event == MPK_EVENT_REPEATED);

    if (!ctx->json) {
        mpk_value_bool(facts, mpk_string("many"), decision->items_count > 1);
        mpk_value_bool(facts, mpk_string("track"), 1);
        mpk_value_bool(facts, mpk_string("support"),
                       ctx->mlcf->pages->support);
    }

    list = mpk_value_array(facts, mpk_string("items"));

    for (i = 0; i < decision->items_count; i++) {
        v = ngx_http_mpk_reveal_item(ctx, list, decision->items[i]);
        mpk_value_string(v, mpk_string("key"), txn->keys[i]);
        mpk_value_watch(v, &txn->ends[i]);

        if (!ctx->json) {
            ngx_http_mpk_reveal_groups(v, txn->keys[i], &txn->ends[i]);
            mpk_value_bool(v, mpk_string("long"),
                           ngx_http_mpk_reveal_long(txn->keys[i]));
        }
    }

    ngx_http_mpk_card_claimable(ctx, &decision->order, decision->items,
                                decision->items_count, facts);
    ngx_http_mpk_value_rights(ctx, facts);

    if (txn->mem.failed) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->json) {
        return ngx_http_mpk_send_json(r, ctx, &answer, facts);
    }

    return ngx_http_mpk_send_page(r, ctx, &answer, NGX_HTTP_MPK_PAGE_KEYS,
                                  facts);
}


/* Whether a key, UTF-8, is too long for the page's largest font. */

static ngx_uint_t
ngx_http_mpk_reveal_long(mpk_str_t key)
{
    return ngx_utf8_length((u_char *) key.data, key.len)
           > NGX_HTTP_MPK_LARGE;
}


/*
 * Splits a key into groups for reading: at its dashes, or every five characters if it has
 * none.  Other text is not split.
 */

static void
ngx_http_mpk_reveal_groups(mpk_value_t *item, mpk_str_t key, size_t *end)
{
    size_t        i, start;
    ngx_uint_t    dashes;
    mpk_value_t  *groups;

    if (key.len > NGX_HTTP_MPK_GROUPED) {
        return;
    }

    dashes = 0;

    for (i = 0; i < key.len; i++) {

        if (key.data[i] == '-') {
            dashes++;

        } else if (key.data[i] <= ' ' || key.data[i] >= 0x7f) {
            return;
        }
    }

    groups = mpk_value_array(item, mpk_string("groups"));

    for (start = 0, i = 0; i < key.len; i++) {

        if (dashes ? key.data[i] == '-' : (i - start == NGX_HTTP_MPK_GROUP - 1))
        {
            mpk_value_string(groups, mpk_string(""),
                             (mpk_str_t) { i + 1 - start, key.data + start });
            start = i + 1;
        }
    }

    if (start < key.len) {
        mpk_value_string(groups, mpk_string(""),
                         (mpk_str_t) { key.len - start, key.data + start });
    }

    mpk_value_watch(groups, end);
}


ngx_int_t
ngx_http_mpk_reveal_notice(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    mpk_outcome_t outcome)
{
    time_t                     waited;
    ngx_http_mpk_notice_t      notice;
    const mpk_outcome_info_t  *info;

    info = mpk_outcome_info(outcome);

    /* no transaction: the link itself was rejected */

    if (outcome == MPK_ABSENT && ctx->mlcf->fallthrough && ctx->txn) {
        return ngx_http_mpk_pass(r, ctx);
    }

    if (ctx->outcome == NGX_HTTP_MPK_OUTCOME_NONE) {
        ctx->outcome = outcome;
    }

    notice = ngx_http_mpk_refusal(outcome)->notice;

    if (outcome == MPK_EXHAUSTED && ctx->txn->decision.retry_at) {
        notice.retry_after = ctx->txn->decision.retry_at
                             - ctx->txn->request.now;
    }

    /* the longer the order is held, the less often the page reloads */

    if (notice.refresh) {
        waited = ctx->txn->request.now - ctx->txn->order.filed_at;
        waited = ngx_max(waited / 4, NGX_HTTP_MPK_REFRESH_MIN);

        notice.refresh = ngx_min(waited, NGX_HTTP_MPK_REFRESH_MAX);
        notice.retry_after = notice.refresh;
    }

    return ngx_http_mpk_send_notice(r, ctx, &notice, info->name, info->detail,
                                    info->rule);
}


ngx_int_t
ngx_http_mpk_reveal_failed(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    return ngx_http_mpk_send_unavailable(r, ctx,
               mpk_string("The view can't be recorded right now, so no key is "
                          "shown; send the same again in a moment."),
               mpk_string("R2"));
}
