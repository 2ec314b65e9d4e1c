/*
 * An order as people see it: its state, times, items and views; for its customer
 * also one-time links to the keys, and until when a problem can be reported.
 */

#include "ngx_http_mpk_orders.h"
#include "mpk_base64url.h"
#include "mpk_nonce.h"

#define NGX_HTTP_MPK_CARD_TTL  600     /* seconds that a link on a page is good for */


static void ngx_http_mpk_card_items(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, ngx_uint_t masked, mpk_value_t *facts);
static void ngx_http_mpk_card_view_time(ngx_http_mpk_ctx_t *ctx,
    mpk_value_t *view, const mpk_value_t *entry);
static ngx_int_t ngx_http_mpk_card_links(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_order_t *order,
    mpk_channel_t channel, mpk_value_t *facts);


ngx_int_t
ngx_http_mpk_card(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *opened, ngx_uint_t masked, mpk_value_t *facts)
{
    ngx_uint_t        i;
    mpk_order_t      *order;
    const mpk_mem_t  *mem;

    mem = &ctx->mem.mem;
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

    if (order->state != MPK_ORDER_ERASED
        && ngx_http_mpk_order_unwrap(ctx, opened) != NGX_OK)
    {
        return NGX_ERROR;
    }

    (void) mpk_value_string(mem, facts, mpk_string("order"), opened->id);
    (void) mpk_value_string(mem, facts, mpk_string("state"),
                            mpk_order_state_name(order->state));

    for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        (void) ngx_http_mpk_value_time(ctx, facts, times[i].name, times[i].at);
    }

    ngx_http_mpk_card_items(ctx, opened, masked, facts);

    return NGX_OK;
}


static void
ngx_http_mpk_card_items(ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_order_t *opened,
    ngx_uint_t masked, mpk_value_t *facts)
{
    mpk_str_t         key;
    ngx_uint_t        i;
    mpk_item_t       *item;
    mpk_value_t      *list, *v;
    const mpk_mem_t  *mem;

    mem = &ctx->mem.mem;

    list = mpk_value_array(mem, facts, mpk_string("items"));

    for (i = 0; i < opened->order.items_count; i++) {
        item = &opened->order.items[i];

        v = mpk_value_object(mem, list, mpk_string(""));

        (void) mpk_value_int(mem, v, mpk_string("item"), (int64_t) i + 1);
        (void) mpk_value_string(mem, v, mpk_string("sku"), item->sku);
        (void) mpk_value_string(mem, v, mpk_string("product"), item->product);

        key = masked ? ngx_http_mpk_card_masked(ctx, opened, i + 1, item->key,
                                                item->generation)
                     : mpk_string("");

        if (key.len) {
            (void) mpk_value_string(mem, v, mpk_string("masked"), key);

        } else {
            (void) mpk_value_null(mem, v, mpk_string("masked"));
        }

        (void) mpk_value_string(mem, v, mpk_string("state"),
                                mpk_item_state_name(item->state));

        if (!ctx->json) {
            (void) mpk_value_bool(mem, v, mpk_string("viewed"),
                                  item->state == MPK_ITEM_VIEWED);
            (void) mpk_value_bool(mem, v, mpk_string("refunded"),
                                  item->state == MPK_ITEM_REFUNDED);
        }
    }
}


mpk_str_t
ngx_http_mpk_card_masked(ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_order_t *opened,
    ngx_uint_t number, mpk_str_t sealed, uint64_t generation)
{
    mpk_str_t     key, masked;
    mpk_place_t   place;
    mpk_status_t  status;

    place = (mpk_place_t) { opened->id, mpk_string("key"), number,
                            generation };

    status = mpk_envelope_open(ctx->orders->mmcf->crypto, &ctx->mem.mem,
                               &opened->data_key, &place, sealed, &key);
    if (status != MPK_OK) {
        ngx_log_error(NGX_LOG_CRIT, ctx->mem.pool->log, 0,
                      "mpk: key of item %ui of order \"%*s\" does not open: "
                      "%s", number, opened->id.len, opened->id.data,
                      mpk_status_text(status));
        return mpk_string("");
    }

    masked = ngx_http_mpk_mask(&ctx->mem, key);

    mpk_cleanse((void *) key.data, key.len);

    return masked;
}


ngx_int_t
ngx_http_mpk_card_customer(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *opened, mpk_channel_t channel, mpk_value_t *facts)
{
    const mpk_mem_t          *mem;
    ngx_http_mpk_loc_conf_t  *mlcf;

    /* R1: nothing of a key before its order is ready */

    if (ngx_http_mpk_card(r, ctx, opened,
                          opened->order.state == MPK_ORDER_READY, facts)
        != NGX_OK
        || ngx_http_mpk_card_links(r, ctx, opened, channel, facts) != NGX_OK
        || ngx_http_mpk_card_views(ctx, opened, facts) != NGX_OK
        || ngx_http_mpk_card_claims(r, ctx, opened, 1, facts) != NGX_OK
        || ngx_http_mpk_card_claimable(r, ctx, opened, facts) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!ctx->json) {
        mem = &ctx->mem.mem;
        mlcf = ngx_http_get_module_loc_conf(r, ngx_http_mpk_module);

        (void) mpk_value_bool(mem, facts, mpk_string("held"),
                              opened->order.state == MPK_ORDER_HELD);
        (void) mpk_value_bool(mem, facts, mpk_string("cancelled"),
                              opened->order.state == MPK_ORDER_CANCELLED);
        (void) mpk_value_bool(mem, facts, mpk_string("support"),
                              mlcf->pages->support);
    }

    return NGX_OK;
}


/* A link for each item, and one for all of them where there are several. */

static ngx_int_t
ngx_http_mpk_card_links(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *opened, mpk_channel_t channel, mpk_value_t *facts)
{
    uint16_t                 *number;
    ngx_uint_t                i, consent, consents, shown;
    mpk_order_t              *order;
    mpk_value_t              *v;
    const mpk_mem_t          *mem;
    ngx_http_mpk_link_t       link;
    ngx_http_mpk_loc_conf_t  *mlcf;

    mem = &ctx->mem.mem;
    order = &opened->order;
    mlcf = ngx_http_get_module_loc_conf(r, ngx_http_mpk_module);

    v = (mpk_value_t *) mpk_value_get(facts, mpk_string("items"));
    if (v == NULL) {
        return NGX_ERROR;
    }

    consents = 0;
    shown = 0;

    for (v = v->u.list.first, i = 0; v; v = v->next, i++) {

        if (order->state != MPK_ORDER_READY
            || order->items[i].state == MPK_ITEM_REFUNDED)
        {
            (void) mpk_value_null(mem, v, mpk_string("reveal_url"));
            continue;
        }

        shown++;

        number = ngx_palloc(r->pool, sizeof(uint16_t));
        if (number == NULL) {
            return NGX_ERROR;
        }

        *number = (uint16_t) (i + 1);

        if (ngx_http_mpk_link(r, ctx, opened->id, channel, number, 1, &link)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        (void) mpk_value_string(mem, v, mpk_string("reveal_url"), link.url);

        if (ctx->json) {
            continue;
        }

        consent = (mlcf->consent && order->items[i].state == MPK_ITEM_NEW);
        consents |= consent;

        (void) mpk_value_string(mem, v, mpk_string("show"), link.path);
        (void) mpk_value_string(mem, v, mpk_string("nonce"), link.nonce);
        (void) mpk_value_bool(mem, v, mpk_string("confirm"), consent);
    }

    if (shown == 0) {
        (void) mpk_value_null(mem, facts, mpk_string("reveal_url"));
        return NGX_OK;
    }

    if (ngx_http_mpk_link(r, ctx, opened->id, channel, NULL, 0, &link)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    (void) mpk_value_string(mem, facts, mpk_string("reveal_url"), link.url);

    if (!ctx->json && shown > 1) {
        (void) mpk_value_string(mem, facts, mpk_string("show_all"), link.path);
        (void) mpk_value_string(mem, facts, mpk_string("nonce_all"),
                                link.nonce);
        (void) mpk_value_bool(mem, facts, mpk_string("confirm_all"), consents);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_mpk_link(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    mpk_str_t order, mpk_channel_t channel, const uint16_t *items,
    ngx_uint_t items_count, ngx_http_mpk_link_t *link)
{
    u_char                    *nonce;
    u_char                     bytes[16], jti[MPK_JTI_LEN];
    u_char                     id[MPK_TOKEN_ID_LEN];
    mpk_buf_t                  url;
    mpk_token_t                token;
    mpk_crypto_t              *crypto;
    const mpk_mem_t           *mem;
    ngx_http_mpk_srv_conf_t   *mscf;
    ngx_http_mpk_main_conf_t  *mmcf;

    mem = &ctx->mem.mem;
    mmcf = ngx_http_get_module_main_conf(r, ngx_http_mpk_module);
    mscf = ngx_http_get_module_srv_conf(r, ngx_http_mpk_module);
    crypto = mmcf->crypto;

    if (mpk_crypto_random(crypto, bytes, sizeof(bytes)) != MPK_OK) {
        return NGX_ERROR;
    }

    mpk_base64url_encode(jti, bytes, sizeof(bytes));

    ngx_memzero(&token, sizeof(mpk_token_t));

    token.aud = MPK_AUD_REVEAL;
    token.channel = channel;
    token.order = order;
    token.jti = (mpk_str_t) { MPK_JTI_LEN, jti };
    token.iat = ngx_time();
    token.exp = token.iat + NGX_HTTP_MPK_CARD_TTL;
    token.items = items;
    token.items_count = items_count;

    mpk_buf_init(&url, mem, 384);
    mpk_buf_str(&url, ngx_http_mpk_str(&mscf->public_url));
    mpk_buf_str(&url, ngx_http_mpk_str(&mscf->reveal_path));

    nonce = ngx_pnalloc(r->pool, MPK_NONCE_LEN);

    if (nonce == NULL
        || mpk_token_sign(crypto, mem, &token, &url) != MPK_OK
        || mpk_token_id(crypto, token.jti, id) != MPK_OK
        || mpk_nonce_create(crypto, (mpk_str_t) { MPK_TOKEN_ID_LEN, id },
                            ngx_time(), nonce)
           != MPK_OK)
    {
        return NGX_ERROR;
    }

    link->url = mpk_buf_done(&url);
    link->path.data = link->url.data + mscf->public_url.len;
    link->path.len = link->url.len - mscf->public_url.len;
    link->nonce = (mpk_str_t) { MPK_NONCE_LEN, nonce };

    return url.failed ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_http_mpk_card_views(ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_order_t *opened,
    mpk_value_t *facts)
{
    mpk_str_t           event, value;
    ngx_uint_t          i, n;
    mpk_value_t        *list, *all, *v;
    const mpk_mem_t    *mem;
    const mpk_value_t  *entry;

    static const mpk_str_t  names[] = {
        { 2, (const uint8_t *) "ip" },
        { 7, (const uint8_t *) "channel" }
    };

    mem = &ctx->mem.mem;

    all = mpk_value_array(mem, NULL, mpk_string(""));
    list = mpk_value_array(mem, facts, mpk_string("views"));

    if (all == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < opened->records_count; i++) {

        if (opened->records[i].clear.data == NULL
            || mpk_journal_read(ctx->orders->mmcf->crypto, mem,
                                &opened->data_key, opened->id,
                                opened->skipped + i + 1, &opened->records[i],
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

        v = mpk_value_object(mem, list, mpk_string(""));

        ngx_http_mpk_card_view_time(ctx, v, entry);

        for (n = 0; n < 2; n++) {
            value = mpk_value_get_string(entry, names[n]);

            (void) mpk_value_string(mem, v, names[n], value);
        }

        /* a page has a text for each channel */

        if (!ctx->json) {
            (void) mpk_value_bool(mem, v, value, 1);
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
        (void) mpk_value_string(&ctx->mem.mem, view, mpk_string("at"), text);
        return;
    }

    (void) ngx_http_mpk_value_time(ctx, view, mpk_string("at"), at);
}
