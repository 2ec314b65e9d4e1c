/* An order's withdrawals as people see them. */

#include "ngx_http_mpk_card_withdrawals.h"
#include "ngx_http_mpk_answer.h"
#include "ngx_http_mpk_sealed.h"

#include "mpk_time.h"


static ngx_int_t ngx_http_mpk_withdrawal_known(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *opened, const mpk_withdrawal_t *w,
    mpk_value_t *facts);
static ngx_int_t ngx_http_mpk_withdrawal_consented(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *opened, const mpk_withdrawal_t *w, int64_t *at);
static ngx_uint_t ngx_http_mpk_withdrawal_about(const mpk_withdrawal_t *w,
    const mpk_value_t *entry);
static void ngx_http_mpk_withdrawal_items(mpk_value_t *facts, mpk_str_t name,
    const uint16_t *items, ngx_uint_t count);
static void ngx_http_mpk_withdrawal_words(ngx_http_mpk_order_t *opened,
    const mpk_withdrawal_t *w, mpk_value_t *facts);
static void ngx_http_mpk_withdrawal_products(ngx_http_mpk_order_t *opened,
    const uint16_t *items, ngx_uint_t count, mpk_value_t *list);
static void ngx_http_mpk_withdrawal_text(mpk_value_t *facts, mpk_str_t name,
    mpk_str_t text);


ngx_int_t
ngx_http_mpk_card_withdrawals(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *opened, ngx_http_mpk_claims_for_t whom,
    mpk_value_t *facts)
{
    ngx_uint_t    i;
    mpk_value_t  *list;

    if (opened->order.withdrawals_count == 0) {
        return NGX_OK;
    }

    list = mpk_value_array(facts, mpk_string("withdrawals"));

    for (i = 0; i < opened->order.withdrawals_count; i++) {
        if (ngx_http_mpk_card_withdrawal(ctx, opened, i + 1, whom, list)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_mpk_card_withdrawal(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *opened, ngx_uint_t number,
    ngx_http_mpk_claims_for_t whom, mpk_value_t *list)
{
    ngx_uint_t         repaid;
    mpk_str_t          plain;
    mpk_place_t        place;
    mpk_value_t       *facts;
    mpk_stated_t       stated;
    mpk_withdrawal_t  *w;

    w = &opened->order.withdrawals[number - 1];
    repaid = (w->granted_count || w->state == MPK_WITHDRAWAL_ACCEPTED);

    facts = mpk_value_object(list, mpk_string(""));

    mpk_value_int(facts, mpk_string("withdrawal"), (int64_t) number);
    mpk_value_string(facts, mpk_string("state"),
                     mpk_withdrawal_state_name(w->state));
    ngx_http_mpk_value_time(ctx, facts, mpk_string("stated_at"), w->stated_at);
    ngx_http_mpk_value_time(ctx, facts, mpk_string("decided_at"),
                            w->decided_at);
    ngx_http_mpk_value_time(ctx, facts, mpk_string("refund_due"),
                            repaid ? w->stated_at + MPK_WITHDRAWAL_REFUND : 0);
    ngx_http_mpk_withdrawal_items(facts, mpk_string("granted"), w->granted,
                                  w->granted_count);
    ngx_http_mpk_withdrawal_items(facts, mpk_string("judged"), w->items,
                                  w->items_count);
    ngx_http_mpk_withdrawal_text(facts, mpk_string("why"),
                                 mpk_why_name(w->why));
    mpk_value_bool(facts, mpk_string("automatic"),
                   w->state == MPK_WITHDRAWAL_REJECTED && w->digest.len == 0);

    if (whom == NGX_HTTP_MPK_CLAIMS_READ) {
        return NGX_OK;
    }

    place = (mpk_place_t) { opened->id, mpk_string("withdrawal"), number, 0 };

    if (mpk_envelope_open(ctx->mmcf->crypto, &ctx->mem, &opened->data_key,
                          &place, w->detail, &plain)
        != MPK_OK
        || mpk_stated_read(plain, &stated) != MPK_OK)
    {
        ngx_log_error(NGX_LOG_CRIT, ngx_http_mpk_mem_log(&ctx->mem), 0,
                      "mpk: withdrawal %ui of order \"%*s\" can't be "
                      "decrypted; the request fails", number, opened->id.len,
                      opened->id.data);
        return NGX_ERROR;
    }

    ngx_http_mpk_withdrawal_text(facts, mpk_string("reason"), stated.reason);

    if (whom == NGX_HTTP_MPK_CLAIMS_SUPPORT) {
        mpk_value_string(facts, mpk_string("medium"),
                         mpk_medium_name(w->medium));
        ngx_http_mpk_withdrawal_text(facts, mpk_string("name"), stated.name);
        ngx_http_mpk_withdrawal_text(facts, mpk_string("email"), stated.email);
        ngx_http_mpk_withdrawal_text(facts, mpk_string("note"), stated.note);

        if (ngx_http_mpk_withdrawal_known(ctx, opened, w, facts) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (!ctx->json) {
        ngx_http_mpk_withdrawal_words(opened, w, facts);
    }

    return NGX_OK;
}


/*
 * What the journal knows of the loss of the right: when the customer gave both consents,
 * when they were confirmed on a durable medium, and when a key was viewed; null: it does not
 * know of it.
 */

static ngx_int_t
ngx_http_mpk_withdrawal_known(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *opened, const mpk_withdrawal_t *w,
    mpk_value_t *facts)
{
    int64_t         at, viewed, consented, confirmed;
    ngx_uint_t      i;
    mpk_checkout_t  checkout;

    viewed = 0;

    for (i = 0; i < w->items_count; i++) {
        at = opened->order.items[w->items[i] - 1].viewed_at;

        if (at && (viewed == 0 || at < viewed)) {
            viewed = at;
        }
    }

    if (ngx_http_mpk_order_checkout(ctx, opened, &checkout) != NGX_OK) {
        return NGX_ERROR;
    }

    consented = 0;
    confirmed = 0;

    if (mpk_checkout_consented(&checkout)) {
        consented = checkout.consents.at;
        confirmed = checkout.consents.confirmed_at;

    } else if (ngx_http_mpk_withdrawal_consented(ctx, opened, w, &consented)
               != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* entries that were not read can have it: null would deny that */

    if (consented || opened->skipped == 0) {
        ngx_http_mpk_value_time(ctx, facts, mpk_string("consented_at"),
                                consented);
    }

    ngx_http_mpk_value_time(ctx, facts, mpk_string("confirmed_at"), confirmed);
    ngx_http_mpk_value_time(ctx, facts, mpk_string("viewed_at"), viewed);

    return NGX_OK;
}


/* Among the entries that were read, the first view of one of its items with consent. */

static ngx_int_t
ngx_http_mpk_withdrawal_consented(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *opened, const mpk_withdrawal_t *w, int64_t *at)
{
    ngx_uint_t          i;
    mpk_value_t        *entries;
    const mpk_value_t  *entry;

    entries = mpk_value_new(&ctx->mem, MPK_VALUE_ARRAY);
    if (entries == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < opened->records_count; i++) {

        if (opened->records[i].data == NULL
            || mpk_journal_read(ctx->mmcf->crypto, &ctx->mem,
                                &opened->data_key, opened->id,
                                opened->skipped + i + 1, opened->records[i],
                                entries)
               != MPK_OK)
        {
            continue;
        }

        entry = entries->u.list.last;

        if (mpk_value_get(entry, mpk_string("consent"))
            && ngx_http_mpk_withdrawal_about(w, entry)
            && mpk_time_read(mpk_value_get_string(entry, mpk_string("at")), at)
               == MPK_OK)
        {
            return NGX_OK;
        }
    }

    return NGX_OK;
}


/* Whether an entry is about an item that is judged. */

static ngx_uint_t
ngx_http_mpk_withdrawal_about(const mpk_withdrawal_t *w,
    const mpk_value_t *entry)
{
    ngx_uint_t          i;
    const mpk_value_t  *items, *v;

    items = mpk_value_get(entry, mpk_string("items"));

    for (v = items ? items->u.list.first : NULL; v; v = v->next) {
        for (i = 0; i < w->items_count; i++) {
            if (v->u.integer == w->items[i]) {
                return 1;
            }
        }
    }

    return 0;
}


static void
ngx_http_mpk_withdrawal_items(mpk_value_t *facts, mpk_str_t name,
    const uint16_t *items, ngx_uint_t count)
{
    ngx_uint_t    i;
    mpk_value_t  *list;

    list = mpk_value_array(facts, name);

    for (i = 0; i < count; i++) {
        mpk_value_int(list, mpk_string(""), items[i]);
    }
}


/* A page has a text for each state; each row says whether it is for it. */

static void
ngx_http_mpk_withdrawal_words(ngx_http_mpk_order_t *opened,
    const mpk_withdrawal_t *w, mpk_value_t *facts)
{
    mpk_value_t  *list;

    mpk_value_bool(facts, mpk_string("open"),
                   w->state == MPK_WITHDRAWAL_OPEN);
    mpk_value_bool(facts, mpk_string("rejected"),
                   w->state == MPK_WITHDRAWAL_REJECTED);

    list = mpk_value_array(facts, mpk_string("products"));

    ngx_http_mpk_withdrawal_products(opened, w->granted, w->granted_count,
                                     list);
    ngx_http_mpk_withdrawal_products(opened, w->items, w->items_count, list);
}


static void
ngx_http_mpk_withdrawal_products(ngx_http_mpk_order_t *opened,
    const uint16_t *items, ngx_uint_t count, mpk_value_t *list)
{
    ngx_uint_t    i;
    mpk_value_t  *v;

    for (i = 0; i < count; i++) {
        v = mpk_value_object(list, mpk_string(""));

        mpk_value_string(v, mpk_string("product"),
                         opened->order.items[items[i] - 1].product);
    }
}


static void
ngx_http_mpk_withdrawal_text(mpk_value_t *facts, mpk_str_t name,
    mpk_str_t text)
{
    if (text.len) {
        mpk_value_string(facts, name, text);

    } else {
        mpk_value_null(facts, name);
    }
}
