/* An order's claims as people see them, and where its customer opens one. */

#include "ngx_http_mpk_card_claims.h"
#include "ngx_http_mpk_answer.h"
#include "ngx_http_mpk_links.h"
#include "ngx_http_mpk_mask.h"
#include "ngx_http_mpk_time.h"


static void ngx_http_mpk_card_answers(ngx_http_mpk_ctx_t *ctx,
    const mpk_order_t *order, ngx_uint_t number, const mpk_claim_t *claim,
    mpk_value_t *facts);
static void ngx_http_mpk_card_support(ngx_http_mpk_ctx_t *ctx,
    const mpk_claim_t *claim, const mpk_detail_t *detail, mpk_value_t *facts);
static ngx_int_t ngx_http_mpk_card_detail(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *opened, ngx_uint_t number, mpk_detail_t *detail);
static void ngx_http_mpk_card_words(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *opened, const mpk_claim_t *claim,
    mpk_value_t *facts);
static void ngx_http_mpk_card_claimable_each(ngx_http_mpk_ctx_t *ctx,
    const mpk_order_t *order, mpk_value_t *facts);
static mpk_value_t *ngx_http_mpk_card_listed(mpk_value_t *facts);


static const mpk_str_t  ngx_http_mpk_decisions[] = {
    [MPK_CLAIM_OPEN] = mpk_literal(""),
    [MPK_CLAIM_NEEDS_INFO] = mpk_literal(""),
    [MPK_CLAIM_REPLACED] = mpk_literal("replace"),
    [MPK_CLAIM_REFUNDED] = mpk_literal("refund"),
    [MPK_CLAIM_REJECTED] = mpk_literal("reject"),
};

_Static_assert(sizeof(ngx_http_mpk_decisions) / sizeof(ngx_http_mpk_decisions[0])
               == MPK_CLAIM_STATE_MAX, "a word for each state");


ngx_int_t
ngx_http_mpk_card_claims(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *opened, ngx_http_mpk_claims_for_t whom,
    mpk_value_t *facts)
{
    ngx_uint_t    i;
    mpk_claim_t  *claim;
    mpk_value_t  *list;

    list = mpk_value_array(facts, mpk_string("claims"));

    for (i = 0; i < opened->order.claims_count; i++) {
        claim = &opened->order.claims[i];

        if (ngx_http_mpk_card_claim(ctx, opened, i + 1, whom, list)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (whom == NGX_HTTP_MPK_CLAIMS_CUSTOMER && list) {
            ngx_http_mpk_card_answers(ctx, &opened->order, i + 1, claim,
                                      list->u.list.last);
        }
    }

    return NGX_OK;
}


/* Where the customer sends files, and the answer to what support has asked. */

static void
ngx_http_mpk_card_answers(ngx_http_mpk_ctx_t *ctx, const mpk_order_t *order,
    ngx_uint_t number, const mpk_claim_t *claim, mpk_value_t *facts)
{
    mpk_buf_t  answer;
    mpk_str_t  upload;

    upload = mpk_string("");

    if (mpk_claim_undecided(claim) && ctx->mscf->upload_path.len) {
        upload = ngx_http_mpk_claim_url(ctx, &ctx->mscf->upload_path, order,
                                        &claim->item, 1, 0);
    }

    mpk_buf_init(&answer, &ctx->mem, 512);

    if (mpk_claim_asked(claim) && ctx->mscf->claim_path.len) {
        mpk_buf_str(&answer, ngx_http_mpk_claim_url(ctx,
                                 &ctx->mscf->claim_path, order, &claim->item,
                                 1, 0));
        mpk_buf_lit(&answer, "?claim=");
        mpk_buf_int(&answer, (int64_t) number);
    }

    mpk_value_text(facts, ctx->json ? mpk_string("upload_url")
                                    : mpk_string("upload"), upload);
    mpk_value_text(facts, ctx->json ? mpk_string("answer_url")
                                    : mpk_string("reply"),
                   mpk_buf_done(&answer));
}


ngx_int_t
ngx_http_mpk_card_claim(ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_order_t *opened,
    ngx_uint_t number, ngx_http_mpk_claims_for_t whom, mpk_value_t *list)
{
    mpk_str_t      masked;
    mpk_claim_t   *claim;
    mpk_value_t   *facts;
    mpk_detail_t   detail;

    claim = &opened->order.claims[number - 1];

    facts = mpk_value_object(list, mpk_string(""));

    mpk_value_int(facts, mpk_string("claim"), (int64_t) number);
    mpk_value_int(facts, mpk_string("item"), claim->item);
    mpk_value_int(facts, mpk_string("generation"),
                  (int64_t) claim->generation);
    mpk_value_string(facts, mpk_string("state"),
                     mpk_claim_state_name(claim->state));
    mpk_value_string(facts, mpk_string("category"),
                     mpk_category_name(claim->category));
    ngx_http_mpk_value_time(ctx, facts, mpk_string("opened_at"),
                            claim->opened_at);
    ngx_http_mpk_value_time(ctx, facts, mpk_string("decided_at"),
                            mpk_claim_undecided(claim) ? 0
                            : claim->decided_at);
    mpk_value_text(facts, mpk_string("decision"),
                   ngx_http_mpk_decisions[claim->state]);
    mpk_value_text(facts, mpk_string("reason"), mpk_reason_name(claim->reason));

    if (whom == NGX_HTTP_MPK_CLAIMS_READ) {
        ngx_http_mpk_card_support(ctx, claim, NULL, facts);
        return NGX_OK;
    }

    if (ngx_http_mpk_card_detail(ctx, opened, number, &detail) != NGX_OK) {
        return NGX_ERROR;
    }

    masked = mpk_string("");

    if (claim->old_key.len
        && (whom == NGX_HTTP_MPK_CLAIMS_SUPPORT
            || (!opened->order.items[claim->item - 1].suspended
                && opened->order.items[claim->item - 1].state
                   != MPK_ITEM_WITHDRAWN)))
    {
        masked = ngx_http_mpk_mask_sealed(ctx, opened, claim->item,
                                          claim->old_key, claim->generation);
    }

    mpk_value_text(facts, mpk_string("masked"), masked);
    mpk_value_text(facts, mpk_string("name"), detail.name);
    mpk_value_text(facts, mpk_string("description"), detail.description);
    mpk_value_text(facts, mpk_string("note"), detail.note);

    if (whom == NGX_HTTP_MPK_CLAIMS_SUPPORT) {
        ngx_http_mpk_card_support(ctx, claim, &detail, facts);

    } else if (claim->answered_at) {
        ngx_http_mpk_value_time(ctx, facts, mpk_string("answered_at"),
                                claim->answered_at);
        mpk_value_text(facts, mpk_string("answer"), detail.answer);
    }

    if (!ctx->json) {
        ngx_http_mpk_card_words(ctx, opened, claim, facts);
    }

    return NGX_OK;
}


/*
 * What few claims have, and is not for the customer; without a detail, nothing that people
 * wrote.
 */

static void
ngx_http_mpk_card_support(ngx_http_mpk_ctx_t *ctx, const mpk_claim_t *claim,
    const mpk_detail_t *detail, mpk_value_t *facts)
{
    mpk_value_t  *finding;

    if (claim->received_at) {
        ngx_http_mpk_value_time(ctx, facts, mpk_string("received_at"),
                                claim->received_at);
    }

    if (claim->answered_at) {
        ngx_http_mpk_value_time(ctx, facts, mpk_string("answered_at"),
                                claim->answered_at);
    }

    if (claim->uploads) {
        mpk_value_int(facts, mpk_string("uploads"), (int64_t) claim->uploads);
    }

    if (claim->finding) {
        finding = mpk_value_object(facts, mpk_string("finding"));
        mpk_value_string(finding, mpk_string("result"),
                         mpk_finding_name(claim->finding));

        if (detail) {
            mpk_value_string(finding, mpk_string("text"), detail->finding);
        }
    }

    if (detail && detail->exception.len) {
        mpk_value_string(facts, mpk_string("exception"), detail->exception);
    }

    if (detail && detail->answer.len) {
        mpk_value_string(facts, mpk_string("answer"), detail->answer);
    }
}


static ngx_int_t
ngx_http_mpk_card_detail(ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_order_t *opened,
    ngx_uint_t number, mpk_detail_t *detail)
{
    mpk_str_t    plain;
    mpk_place_t  place;

    place = (mpk_place_t) { opened->id, mpk_string("claim"), number, 0 };

    if (mpk_envelope_open(ctx->mmcf->crypto, &ctx->mem,
                          &opened->data_key, &place,
                          opened->order.claims[number - 1].detail, &plain)
        != MPK_OK
        || mpk_detail_read(plain, detail) != MPK_OK)
    {
        ngx_log_error(NGX_LOG_CRIT, ngx_http_mpk_mem_log(&ctx->mem), 0,
                      "mpk: claim %ui of order \"%*s\" can't be decrypted; the "
                      "request fails", number, opened->id.len,
                      opened->id.data);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* A page has a text for each state and reason. */

static void
ngx_http_mpk_card_words(ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_order_t *opened,
    const mpk_claim_t *claim, mpk_value_t *facts)
{
    mpk_buf_t   name;
    mpk_mem_t  *mem;

    mem = &ctx->mem;

    mpk_value_string(facts, mpk_string("product"),
                     opened->order.items[claim->item - 1].product);

    /* questions of use are for the maker */

    mpk_value_string(facts, mpk_string("support_url"),
                     mpk_item_fit(&opened->order.items[claim->item - 1],
                                  MPK_FIT_SUPPORT_URL));

    mpk_value_bool(facts, mpk_claim_state_name(claim->state), 1);

    /* what the customer may still claim is said beside */

    mpk_value_bool(facts, mpk_string("ended"),
                   claim->state == MPK_CLAIM_REFUNDED
                   || claim->state == MPK_CLAIM_REJECTED);

    mpk_buf_init(&name, mem, 32);
    mpk_buf_lit(&name, "why_");
    mpk_buf_str(&name, mpk_reason_name(claim->reason));

    mpk_value_bool(facts, mpk_buf_done(&name), 1);
}


void
ngx_http_mpk_card_claimable(ngx_http_mpk_ctx_t *ctx, const mpk_order_t *order,
    const uint16_t *items, ngx_uint_t count, mpk_value_t *facts)
{
    int64_t         now, window, until, first, last, ended;
    mpk_str_t       url;
    ngx_uint_t      i, number;
    mpk_value_t    *v;
    mpk_outcome_t   outcome;

    now = ngx_http_mpk_time(ctx->mmcf, order->id);
    window = ctx->mscf->claim_window;

    v = ngx_http_mpk_card_listed(facts);
    first = 0;
    last = 0;
    ended = 0;

    for (i = 0; i < count && order->state == MPK_ORDER_READY; i++) {
        number = items ? items[i] : i + 1;

        outcome = mpk_policy_claimable(order, number, window, now);
        until = mpk_policy_claim_until(order, number, window, now);

        if (outcome == MPK_LATE) {
            ended = ngx_max(ended, until);
        }

        if (outcome != MPK_DONE) {
            until = 0;

        } else {
            first = first ? ngx_min(first, until) : until;
            last = ngx_max(last, until);
        }

        /* the order may have more items than are listed */

        if (ctx->json && v) {
            ngx_http_mpk_value_time(ctx, v, mpk_string("claim_until"), until);
            v = v->next;
        }
    }

    url = mpk_string("");

    if (last && ctx->mscf->claim_path.len) {
        url = ngx_http_mpk_claim_url(ctx, &ctx->mscf->claim_path, order,
                                     NULL, 0, last);
    }

    if (ctx->json) {
        if (last == 0) {
            last = mpk_policy_claim_until(order, 0, window, now);
        }

        ngx_http_mpk_value_time(ctx, facts, mpk_string("claim_until"), last);
        mpk_value_text(facts, mpk_string("claim_url"), url);

        return;
    }

    /* an open claim is shown as such, without a link to another */

    mpk_value_bool(facts, mpk_string("claim"), last || ended);
    ngx_http_mpk_value_time(ctx, facts, mpk_string("claim_until"), last);
    mpk_value_bool(facts, mpk_string("claim_form"), url.len != 0);
    mpk_value_string(facts, mpk_string("claim_url"), url);

    ngx_http_mpk_value_time(ctx, facts, mpk_string("claim_ended"), ended);

    if (first != last) {
        ngx_http_mpk_card_claimable_each(ctx, order, facts);
    }
}


/* A page names the items, if the time for some of them ends before that for others. */

static void
ngx_http_mpk_card_claimable_each(ngx_http_mpk_ctx_t *ctx,
    const mpk_order_t *order, mpk_value_t *facts)
{
    int64_t             now, window;
    ngx_uint_t          number;
    mpk_value_t        *each, *list, *e;
    const mpk_value_t  *v, *item;

    now = ngx_http_mpk_time(ctx->mmcf, order->id);
    window = ctx->mscf->claim_window;

    each = mpk_value_object(facts, mpk_string("claim_each"));
    list = mpk_value_array(each, mpk_string("items"));

    for (v = ngx_http_mpk_card_listed(facts); v; v = v->next) {
        item = mpk_value_get(v, mpk_string("item"));

        /* out of memory, which the caller notices */

        if (item == NULL) {
            return;
        }

        number = item->u.integer;

        if (mpk_policy_claimable(order, number, window, now) != MPK_DONE) {
            continue;
        }

        e = mpk_value_object(list, mpk_string(""));

        mpk_value_string(e, mpk_string("product"),
                         order->items[number - 1].product);
        ngx_http_mpk_value_time(ctx, e, mpk_string("claim_until"),
                                mpk_policy_claim_until(order, number, window,
                                                       now));
    }
}


/* The first of the items that the facts list; NULL: none. */

static mpk_value_t *
ngx_http_mpk_card_listed(mpk_value_t *facts)
{
    const mpk_value_t  *list;

    list = mpk_value_get(facts, mpk_string("items"));

    return list ? list->u.list.first : NULL;
}
