/*
 * An order as people see it: its state, times, items and views; for its customer
 * also one-time links to the keys, and until when a problem can be reported.
 */

#include "ngx_http_mpk_card.h"
#include "ngx_http_mpk_answer.h"
#include "ngx_http_mpk_card_claims.h"
#include "ngx_http_mpk_card_withdrawals.h"
#include "ngx_http_mpk_links.h"
#include "ngx_http_mpk_mask.h"
#include "ngx_http_mpk_sealed.h"
#include "ngx_http_mpk_time.h"

#include "mpk_platform.h"


/* Of which items the end of the key is told. */
typedef enum {
    NGX_HTTP_MPK_MASKED_NONE = 0,
    NGX_HTTP_MPK_MASKED_ALL,
    NGX_HTTP_MPK_MASKED_SHOWN          /* not of suspended, withheld and withdrawn ones */
} ngx_http_mpk_masked_t;


static ngx_int_t ngx_http_mpk_card_facts(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *opened, ngx_uint_t max,
    ngx_http_mpk_masked_t masked, mpk_value_t *facts);
static void ngx_http_mpk_card_items(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, ngx_uint_t max, ngx_http_mpk_masked_t masked,
    mpk_value_t *facts);
static void ngx_http_mpk_card_view_time(ngx_http_mpk_ctx_t *ctx,
    mpk_value_t *view, const mpk_value_t *entry);
static void ngx_http_mpk_card_withdrawable(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *opened, mpk_value_t *facts);
static ngx_int_t ngx_http_mpk_card_links(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, mpk_channel_t channel, mpk_value_t *facts);


ngx_int_t
ngx_http_mpk_card(ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_order_t *opened,
    ngx_uint_t masked, mpk_value_t *facts)
{
    if (opened->order.imported) {
        mpk_value_bool(facts, mpk_string("imported"), 1);
    }

    return ngx_http_mpk_card_facts(ctx, opened, MPK_ITEMS_MAX,
                                   masked ? NGX_HTTP_MPK_MASKED_ALL
                                          : NGX_HTTP_MPK_MASKED_NONE, facts);
}


static ngx_int_t
ngx_http_mpk_card_facts(ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_order_t *opened,
    ngx_uint_t max, ngx_http_mpk_masked_t masked, mpk_value_t *facts)
{
    ngx_uint_t    i;
    mpk_order_t  *order;

    order = &opened->order;

    const struct {
        mpk_str_t     name;
        int64_t       at;
    } times[] = {
        { mpk_string("purchased_at"), order->purchased_at },
        { mpk_string("filed_at"), order->filed_at },
        { mpk_string("released_at"), order->released_at },
        { mpk_string("cancelled_at"), order->cancelled_at },
        { mpk_string("delivered_at"), order->delivered_at },
        { mpk_string("first_viewed_at"), order->first_viewed_at }
    };

    if (order->suspended_at) {
        ngx_http_mpk_value_time(ctx, facts, mpk_string("suspended_at"),
                                order->suspended_at);
    }

    if (order->withdrawn_at) {
        ngx_http_mpk_value_time(ctx, facts, mpk_string("withdrawn_at"),
                                order->withdrawn_at);
    }

    if (order->state != MPK_ORDER_ERASED
        && ngx_http_mpk_order_unwrap(ctx, opened) != NGX_OK)
    {
        return NGX_ERROR;
    }

    mpk_value_string(facts, mpk_string("order"), opened->id);
    mpk_value_string(facts, mpk_string("state"),
                     mpk_order_state_name(order->state));

    for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        ngx_http_mpk_value_time(ctx, facts, times[i].name, times[i].at);
    }

    ngx_http_mpk_card_items(ctx, opened, max, masked, facts);

    return NGX_OK;
}


void
ngx_http_mpk_card_fit(ngx_http_mpk_ctx_t *ctx, const mpk_item_t *item,
    mpk_value_t *facts)
{
    mpk_buf_t   fits;
    mpk_str_t   text, edition;
    ngx_uint_t  i;

    if (item->fit == NULL) {
        return;
    }

    for (i = 0; i < MPK_FIT_MAX; i++) {
        text = mpk_item_fit(item, i);

        if (text.len) {
            mpk_value_string(facts, mpk_fit_name(i), text);
        }
    }

    if (ctx->json) {
        return;
    }

    text = mpk_platform_text(mpk_item_fit(item, MPK_FIT_PLATFORM));
    edition = mpk_item_fit(item, MPK_FIT_EDITION);

    mpk_buf_init(&fits, &ctx->mem, 64);
    mpk_buf_str(&fits, text);

    if (text.len && edition.len) {
        mpk_buf_lit(&fits, ", ");
    }

    mpk_buf_str(&fits, edition);

    mpk_value_string(facts, mpk_string("fits"), mpk_buf_done(&fits));
    mpk_value_bool(facts, mpk_string("fit"),
                   fits.len || mpk_item_fit(item, MPK_FIT_REQUIRES).len);
}


static void
ngx_http_mpk_card_items(ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_order_t *opened,
    ngx_uint_t max, ngx_http_mpk_masked_t masked, mpk_value_t *facts)
{
    int64_t       now;
    mpk_str_t     key;
    ngx_uint_t    i, withheld;
    mpk_item_t   *item;
    mpk_value_t  *list, *v;

    now = ngx_http_mpk_time(ctx->mmcf, opened->id);
    list = mpk_value_array(facts, mpk_string("items"));

    for (i = 0; i < opened->order.items_count && i < max; i++) {
        item = &opened->order.items[i];

        v = mpk_value_object(list, mpk_string(""));

        mpk_value_int(v, mpk_string("item"), (int64_t) i + 1);
        mpk_value_string(v, mpk_string("sku"), item->sku);
        mpk_value_string(v, mpk_string("product"), item->product);
        ngx_http_mpk_card_fit(ctx, item, v);

        /* not left out for pages: Mustache would look it up in the order */

        if (item->suspended || !ctx->json) {
            mpk_value_bool(v, mpk_string("suspended"), item->suspended);
        }

        withheld = mpk_order_withheld(&opened->order, item, now);

        if (withheld || !ctx->json) {
            mpk_value_bool(v, mpk_string("withheld"), withheld);
        }

        key = masked == NGX_HTTP_MPK_MASKED_ALL
              || (masked && !item->suspended && !withheld
                  && item->state != MPK_ITEM_WITHDRAWN)
              ? ngx_http_mpk_mask_sealed(ctx, opened, i + 1, item->key,
                                         item->generation)
              : mpk_string("");

        if (key.len) {
            mpk_value_string(v, mpk_string("masked"), key);

        } else {
            mpk_value_null(v, mpk_string("masked"));
        }

        mpk_value_string(v, mpk_string("state"),
                         mpk_item_state_name(item->state));

        if (!ctx->json) {
            mpk_value_bool(v, mpk_string("viewed"),
                           item->state == MPK_ITEM_VIEWED);
            mpk_value_bool(v, mpk_string("refunded"),
                           item->state == MPK_ITEM_REFUNDED);
            mpk_value_bool(v, mpk_string("withdrawn"),
                           item->state == MPK_ITEM_WITHDRAWN);
        }
    }
}


ngx_int_t
ngx_http_mpk_card_customer(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *opened, mpk_channel_t channel, ngx_uint_t max,
    mpk_value_t *facts)
{
    ngx_uint_t  n;

    /* R1, R11: not even the end of a key before it may be shown */

    if (ngx_http_mpk_card_facts(ctx, opened, max,
                                opened->order.state == MPK_ORDER_READY
                                ? NGX_HTTP_MPK_MASKED_SHOWN
                                : NGX_HTTP_MPK_MASKED_NONE, facts)
        != NGX_OK
        || ngx_http_mpk_card_links(ctx, opened, channel, facts) != NGX_OK
        || ngx_http_mpk_card_views(ctx, opened, 1, facts) != NGX_OK
        || ngx_http_mpk_card_claims(ctx, opened,
                                    NGX_HTTP_MPK_CLAIMS_CUSTOMER, facts)
           != NGX_OK
        || ngx_http_mpk_card_withdrawals(ctx, opened,
                                         NGX_HTTP_MPK_CLAIMS_CUSTOMER, facts)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_mpk_card_claimable(ctx, &opened->order, NULL,
                                opened->order.items_count, facts);
    ngx_http_mpk_card_withdrawable(ctx, opened, facts);
    ngx_http_mpk_value_rights(ctx, facts);

    n = opened->order.items_count;

    if (ctx->json) {
        mpk_value_int(facts, mpk_string("items_count"), (int64_t) n);

    } else {

        if (n > max) {
            mpk_value_int(facts, mpk_string("more"), (int64_t) (n - max));
        }

        mpk_value_bool(facts, mpk_string("imported"), opened->order.imported);
        mpk_value_bool(facts, mpk_string("viewed_before"),
                       opened->order.first_viewed_at
                       && opened->order.first_viewed_at
                          < opened->order.filed_at);
        mpk_value_bool(facts, mpk_string("viewed_here"), opened->order.views);
        mpk_value_bool(facts, mpk_string("held"),
                       opened->order.state == MPK_ORDER_HELD);
        mpk_value_bool(facts, mpk_string("suspended"),
                       opened->order.suspended_at != 0);
        mpk_value_bool(facts, mpk_string("cancelled"),
                       opened->order.state == MPK_ORDER_CANCELLED);
        mpk_value_bool(facts, mpk_string("withdrawn"),
                       opened->order.state == MPK_ORDER_WITHDRAWN);
        mpk_value_bool(facts, mpk_string("support"),
                       ctx->mlcf->pages->support);
    }

    return NGX_OK;
}


/* Adds the address of mpk_withdraw while a withdrawal of some item would be granted at once. */

static void
ngx_http_mpk_card_withdrawable(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *opened, mpk_value_t *facts)
{
    mpk_buf_t     url;
    ngx_str_t    *path;
    ngx_uint_t    i;
    mpk_order_t  *order;

    order = &opened->order;
    path = &ctx->mscf->withdraw_path;

    if (ctx->json || path->len == 0) {
        return;
    }

    for (i = 0; i < order->items_count; i++) {
        if (mpk_policy_withdraw_why(order, &order->items[i],
                                    ctx->mscf->withdrawal_window / 86400,
                                    ngx_http_mpk_time(ctx->mmcf, opened->id))
            == MPK_WHY_NONE)
        {
            break;
        }
    }

    if (i == order->items_count) {
        return;
    }

    mpk_buf_init(&url, &ctx->mem, path->len + opened->id.len + 8);
    mpk_buf_put(&url, path->data, path->len);
    mpk_buf_lit(&url, "?order=");
    mpk_buf_str(&url, opened->id);

    mpk_value_string(facts, mpk_string("withdraw_url"), mpk_buf_done(&url));
}


/* Adds a link for each item, and one for all if there are several. */

static ngx_int_t
ngx_http_mpk_card_links(ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_order_t *opened,
    mpk_channel_t channel, mpk_value_t *facts)
{
    int64_t               now;
    uint16_t              number;
    ngx_uint_t            i, ends, consent, consents, shown, suspended;
    ngx_uint_t            gone;
    mpk_order_t          *order;
    mpk_value_t          *v;
    ngx_http_mpk_link_t   link;

    order = &opened->order;

    v = (mpk_value_t *) mpk_value_get(facts, mpk_string("items"));
    if (v == NULL) {
        return NGX_ERROR;
    }

    now = ngx_http_mpk_time(ctx->mmcf, opened->id);
    ends = 0;
    consents = 0;
    shown = 0;
    suspended = 0;

    for (v = v->u.list.first, i = 0;
         i < order->items_count;
         v = v ? v->next : NULL, i++)
    {
        gone = (order->items[i].state == MPK_ITEM_REFUNDED
                || order->items[i].state == MPK_ITEM_WITHDRAWN);
        suspended |= (order->items[i].suspended && !gone);

        if (order->state != MPK_ORDER_READY || order->items[i].suspended
            || gone || mpk_order_withheld(order, &order->items[i], now))
        {
            if (v) {
                mpk_value_null(v, mpk_string("reveal_url"));
            }

            continue;
        }

        shown++;

        ends |= (order->items[i].state == MPK_ITEM_NEW);
        consent = (mpk_policy_consent(order, &order->items[i],
                                      ctx->mlcf->consent)
                   != 0);
        consents |= consent;

        /* the order has more items than are listed */

        if (v == NULL) {
            continue;
        }

        number = (uint16_t) (i + 1);

        if (ngx_http_mpk_link(ctx, order, channel, &number, 1, &link)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        mpk_value_string(v, mpk_string("reveal_url"), link.url);

        if (ctx->json) {
            continue;
        }

        mpk_value_string(v, mpk_string("show"), link.path);
        mpk_value_string(v, mpk_string("nonce"), link.nonce);
        mpk_value_bool(v, mpk_string("confirm"), consent);
    }

    if (!ctx->json) {
        mpk_value_bool(facts, mpk_string("ends"), ends);
    }

    /* a link to all of them would show none (R11) */

    if (shown == 0 || suspended) {
        mpk_value_null(facts, mpk_string("reveal_url"));
        return NGX_OK;
    }

    /* of one item, the link to it is that to all */

    if (order->items_count > 1
        && ngx_http_mpk_link(ctx, order, channel, NULL, 0, &link)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    mpk_value_string(facts, mpk_string("reveal_url"), link.url);

    if (!ctx->json && shown > 1) {
        mpk_value_string(facts, mpk_string("show_all"), link.path);
        mpk_value_string(facts, mpk_string("nonce_all"), link.nonce);
        mpk_value_bool(facts, mpk_string("confirm_all"), consents);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_mpk_card_views(ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_order_t *opened,
    ngx_uint_t customer, mpk_value_t *facts)
{
    int64_t             holds;
    mpk_str_t           event, channel, ip;
    mpk_mem_t          *mem;
    ngx_uint_t          i;
    mpk_value_t        *list, *all, *v;
    const mpk_value_t  *entry, *under;

    mem = &ctx->mem;
    all = mpk_value_new(mem, MPK_VALUE_ARRAY);
    list = mpk_value_array(facts, mpk_string("views"));
    holds = (int64_t) mpk_order_correction(&opened->order,
                          ngx_http_mpk_time(ctx->mmcf, opened->id));

    if (all == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < opened->records_count; i++) {

        if (opened->records[i].data == NULL
            || mpk_journal_read(ctx->mmcf->crypto, mem,
                                &opened->data_key, opened->id,
                                opened->skipped + i + 1, opened->records[i],
                                all)
               != MPK_OK)
        {
            continue;
        }

        entry = all->u.list.last;
        event = mpk_value_get_string(entry, mpk_string("event"));

        if (!mpk_str_eq(event, mpk_event_name(MPK_EVENT_VIEWED))
            && !mpk_str_eq(event, mpk_event_name(MPK_EVENT_REPEATED)))
        {
            continue;
        }

        v = mpk_value_object(list, mpk_string(""));

        ngx_http_mpk_card_view_time(ctx, v, entry);

        ip = mpk_value_get_string(entry, mpk_string("ip"));
        under = mpk_value_get(entry, mpk_string("correction"));

        if (customer && holds != (under ? under->u.integer : 0)) {
            mpk_value_null(v, mpk_string("ip"));

        } else {
            mpk_value_string(v, mpk_string("ip"), ip);
        }

        channel = mpk_value_get_string(entry, mpk_string("channel"));

        mpk_value_string(v, mpk_string("channel"), channel);

        /* a page has a text for each channel */

        if (!ctx->json) {
            mpk_value_bool(v, channel, 1);
        }
    }

    return NGX_OK;
}


static void
ngx_http_mpk_card_view_time(ngx_http_mpk_ctx_t *ctx, mpk_value_t *view,
    const mpk_value_t *entry)
{
    int64_t    at;
    mpk_str_t  text;

    text = mpk_value_get_string(entry, mpk_string("at"));

    if (ctx->json || mpk_time_read(text, &at) != MPK_OK) {
        mpk_value_string(view, mpk_string("at"), text);
        return;
    }

    ngx_http_mpk_value_time(ctx, view, mpk_string("at"), at);
}
