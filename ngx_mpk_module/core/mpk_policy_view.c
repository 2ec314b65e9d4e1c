/* Links and views: what a token permits (R1, R3, R4, R8). */

#include "mpk_policy_int.h"


static mpk_outcome_t mpk_policy_challenge(const mpk_request_t *request,
    const mpk_order_t *order);
static mpk_outcome_t mpk_policy_shown(const mpk_request_t *request,
    mpk_decision_t *decision);
static mpk_outcome_t mpk_policy_link(const mpk_request_t *request,
    mpk_decision_t *decision);
static mpk_link_t *mpk_policy_slot(const mpk_request_t *request,
    mpk_decision_t *decision);
static void mpk_policy_drop(mpk_order_t *order, size_t n);
static bool mpk_policy_outdated(const mpk_request_t *request,
    const mpk_order_t *order, const mpk_link_t *link);
static bool mpk_policy_expired(const mpk_request_t *request,
    const mpk_order_t *order);
static bool mpk_policy_repeats(const mpk_request_t *request,
    const mpk_order_t *order, const mpk_link_t *link);
static bool mpk_policy_spent(const mpk_link_t *link);
static bool mpk_policy_same_items(const mpk_request_t *request,
    const mpk_link_t *link);
static mpk_outcome_t mpk_policy_count(mpk_decision_t *decision);


mpk_outcome_t
mpk_policy_mint(const mpk_request_t *request, mpk_decision_t *decision)
{
    int64_t         corrected;
    mpk_link_t     *link;
    mpk_order_t    *order;
    mpk_outcome_t   outcome;

    order = &decision->order;

    outcome = mpk_policy_shown(request, decision);
    if (outcome != MPK_DONE) {
        return outcome;
    }

    link = mpk_order_link(order, request->token_id);

    if (link && !mpk_policy_same_items(request, link)) {
        return MPK_DIFFERS;
    }

    if (link
        && (link->revoked || mpk_policy_outdated(request, order, link)))
    {
        return MPK_REVOKED;
    }

    if (link && link->delivered) {
        decision->link = link;
        return MPK_SAME;
    }

    if (link == NULL) {
        link = mpk_policy_slot(request, decision);

        /* if the clock was set back, the link could be an earlier one */

        corrected = mpk_order_corrected_at(order, request->now);

        if (link->iat < corrected) {
            link->iat = corrected;
        }
    }

    decision->link = link;
    link->delivered = true;

    if (order->delivered_at == 0) {
        order->delivered_at = order->at;
        order->delivered_by = MPK_CHANNEL_EMAIL;
    }

    return MPK_DONE;
}


/* An unknown link can't be revoked: without its expiry it could not be forgotten later. */

mpk_outcome_t
mpk_policy_revoke(const mpk_request_t *request, mpk_decision_t *decision)
{
    mpk_link_t  *link;

    link = mpk_order_link(&decision->order, request->token_id);
    if (link == NULL) {
        return MPK_NO_LINK;
    }

    decision->link = link;

    if (link->revoked) {
        return MPK_SAME;
    }

    link->revoked = true;

    return MPK_DONE;
}


mpk_outcome_t
mpk_policy_open(const mpk_request_t *request, mpk_decision_t *decision)
{
    mpk_order_t    *order;
    mpk_outcome_t   outcome;

    order = &decision->order;

    outcome = mpk_policy_shown(request, decision);
    if (outcome != MPK_DONE) {
        return outcome;
    }

    outcome = mpk_policy_link(request, decision);
    if (outcome != MPK_DONE) {
        return outcome;
    }

    if (decision->link && decision->link->used_at) {
        return MPK_USED;
    }

    if (mpk_policy_expired(request, order)) {
        return MPK_TOKEN_EXPIRED;
    }

    if (order->day_opened >= MPK_OPENED_MAX) {
        return MPK_SAME;
    }

    order->day_opened++;

    /* R5: a link that the shop signed itself, and has not registered, was sent all the same */

    if (order->delivered_at == 0 && request->channel == MPK_CHANNEL_EMAIL) {
        order->delivered_at = order->at;
        order->delivered_by = MPK_CHANNEL_EMAIL;
    }

    return MPK_DONE;
}


/* R3, R4, R8 */

mpk_outcome_t
mpk_policy_view(const mpk_request_t *request, mpk_decision_t *decision)
{
    size_t          i, n;
    mpk_item_t     *item;
    mpk_link_t     *link;
    mpk_order_t    *order;
    mpk_outcome_t   outcome;

    order = &decision->order;

    outcome = mpk_policy_shown(request, decision);
    if (outcome != MPK_DONE) {
        return outcome;
    }

    outcome = mpk_policy_link(request, decision);
    if (outcome != MPK_DONE) {
        return outcome;
    }

    link = decision->link;

    if (link && link->used_at && request->renews
        && !mpk_policy_repeats(request, order, link))
    {
        link->used_at = 0;
    }

    if (link && link->used_at) {

        if (!mpk_policy_repeats(request, order, link)
            || !mpk_secret_eq((mpk_str_t) { MPK_ID_LEN, link->nonce },
                              (mpk_str_t) { MPK_ID_LEN, request->nonce }))
        {
            return MPK_USED;
        }

        outcome = mpk_policy_challenge(request, order);
        if (outcome != MPK_DONE) {
            return outcome;
        }

        /* items replaced since are not part of the repeat */

        for (i = 0, n = 0; i < decision->items_count; i++) {
            item = &order->items[decision->items[i] - 1];

            if (item->since <= link->used_revision) {
                decision->items[n++] = decision->items[i];
            }
        }

        decision->items_count = n;
        decision->event = MPK_EVENT_REPEATED;
        decision->consent = 0;

        if (n == 0) {
            return MPK_USED;
        }

        if (link->repeats >= MPK_REPEATS_MAX) {
            decision->retry_at = link->used_at + request->grace + 1;
            return MPK_EXHAUSTED;
        }

        link->repeats++;

        return mpk_policy_count(decision);
    }

    if (mpk_policy_expired(request, order)) {
        return MPK_TOKEN_EXPIRED;
    }

    if (!request->nonce_fresh) {
        return MPK_STALE;
    }

    outcome = mpk_policy_challenge(request, order);
    if (outcome != MPK_DONE) {
        return outcome;
    }

    if (decision->consent & ~request->consent_given) {
        return MPK_CONSENT;
    }

    outcome = mpk_policy_count(decision);
    if (outcome != MPK_DONE) {
        return outcome;
    }

    if (link == NULL) {
        link = mpk_policy_slot(request, decision);
        decision->link = link;
    }

    /* a link that the shop has registered can expire later than it said */

    if (request->exp > link->exp) {
        link->exp = request->exp;
    }

    link->used_at = order->at;
    link->used_revision = order->revision + 1;
    link->repeats = 0;
    memcpy(link->nonce, request->nonce, MPK_ID_LEN);

    for (i = 0; i < decision->items_count; i++) {
        item = &order->items[decision->items[i] - 1];

        item->state = MPK_ITEM_VIEWED;

        if (item->viewed_at == 0) {
            item->viewed_at = order->at;
            item->viewed_under = mpk_order_correction(order, request->now);
        }
    }

    order->views++;

    if (order->first_viewed_at == 0) {
        order->first_viewed_at = order->at;
    }

    if (order->delivered_at == 0) {
        order->delivered_at = order->at;
        order->delivered_by = request->channel;
    }

    return MPK_DONE;
}


mpk_outcome_t
mpk_policy_cut_off(const mpk_request_t *request, mpk_decision_t *decision)
{
    return mpk_policy_items(request, decision) ? MPK_DONE : MPK_NO_ITEM;
}


static mpk_outcome_t
mpk_policy_challenge(const mpk_request_t *request, const mpk_order_t *order)
{
    if (!request->challenge_email) {
        return MPK_DONE;
    }

    if (request->challenge_closed) {
        return MPK_CLOSED;
    }

    if (request->email_hash == NULL
        || !mpk_secret_eq(mpk_order_email(order, request->now),
                          (mpk_str_t) { MPK_MAC_LEN, request->email_hash }))
    {
        return MPK_CHALLENGE;
    }

    return MPK_DONE;
}


bool
mpk_policy_items(const mpk_request_t *request, mpk_decision_t *decision)
{
    size_t              i, n;
    const mpk_order_t  *order;

    order = &decision->order;
    n = request->items_count ? request->items_count : order->items_count;

    if (n > order->items_count) {
        return false;
    }

    for (i = 0; i < n; i++) {
        decision->items[i] = request->items_count ? request->items[i]
                                                  : (uint16_t) (i + 1);

        if (decision->items[i] == 0
            || decision->items[i] > order->items_count)
        {
            return false;
        }

        decision->consent |=
            mpk_policy_consent(order, &order->items[decision->items[i] - 1],
                               request->consent_asked);
    }

    decision->items_count = n;

    return true;
}


unsigned
mpk_policy_consent(const mpk_order_t *order, const mpk_item_t *item,
    unsigned asked)
{
    if (item->state != MPK_ITEM_NEW) {
        return 0;
    }

    asked &= ~order->consents;

    return mpk_item_says_fit(item) ? asked : asked & ~MPK_CONSENT_PRODUCT;
}


bool
mpk_policy_warns(const mpk_order_t *order, const uint16_t *items, size_t count,
    mpk_platform_t desktop)
{
    size_t             i;
    mpk_platform_t     platform;
    const mpk_item_t  *item;

    for (i = 0; i < count; i++) {
        item = &order->items[items[i] - 1];
        platform = mpk_platform_named(mpk_item_fit(item, MPK_FIT_PLATFORM));

        if (item->state == MPK_ITEM_NEW
            && mpk_platform_differs(platform, desktop))
        {
            return true;
        }
    }

    return false;
}


/*
 * The token's items without refunded and withdrawn ones (R7, R12), and without those that are
 * withheld from the billing email; a page that the shop itself answers with is not of an
 * address.  One that is suspended refuses them all, so that the token is not used up before
 * it can show each of them (R11).
 */

static mpk_outcome_t
mpk_policy_shown(const mpk_request_t *request, mpk_decision_t *decision)
{
    bool               withheld;
    size_t             i, n;
    mpk_outcome_t      outcome;
    const mpk_item_t  *item;

    if (!mpk_policy_items(request, decision)) {
        return MPK_NO_ITEM;
    }

    withheld = false;
    outcome = MPK_REFUNDED;

    for (i = 0, n = 0; i < decision->items_count; i++) {
        item = &decision->order.items[decision->items[i] - 1];

        if (item->state == MPK_ITEM_REFUNDED) {
            continue;
        }

        if (item->state == MPK_ITEM_WITHDRAWN) {
            outcome = MPK_WITHDRAWN;
            continue;
        }

        if (item->suspended) {
            return MPK_SUSPENDED;
        }

        if (request->channel != MPK_CHANNEL_ONSCREEN
            && mpk_order_withheld(&decision->order, item, request->now))
        {
            withheld = true;
            continue;
        }

        decision->items[n++] = decision->items[i];
    }

    decision->items_count = n;

    return n ? MPK_DONE : withheld ? MPK_WITHHELD : outcome;
}


/* Finds the token's link; decision->link is NULL if the order does not know it. */

static mpk_outcome_t
mpk_policy_link(const mpk_request_t *request, mpk_decision_t *decision)
{
    mpk_link_t  *link;

    link = mpk_order_link(&decision->order, request->token_id);
    decision->link = link;

    if (mpk_policy_outdated(request, &decision->order, link)) {
        return MPK_REVOKED;
    }

    /*
     * An unknown link that expires by the floor may be a used one whose slot was taken;
     * the on-screen page is not a link.
     */

    if (link == NULL) {
        return !request->renews && request->exp <= decision->order.floor
               ? MPK_USED : MPK_DONE;
    }

    if (link->revoked) {
        return MPK_REVOKED;
    }

    /* the shop has signed two tokens with the same id */

    return mpk_policy_same_items(request, link) ? MPK_DONE : MPK_NO_ITEM;
}


/*
 * Makes a slot for the token's link.  Expired links are dropped once no repeat can need
 * them, nor an older link with the same expiry be valid for longer (R11), which the floor
 * would call used; if the order still has too many, the oldest that was not used, or else the used
 * one that expires first.
 */

static mpk_link_t *
mpk_policy_slot(const mpk_request_t *request, mpk_decision_t *decision)
{
    size_t        i, n;
    mpk_link_t   *link, *worst;
    mpk_order_t  *order;

    order = &decision->order;

    for (i = 0; i < order->links_count; /* void */ ) {
        link = &order->links[i];

        if (mpk_order_until(order, 0, link->exp, request->earliest)
            + MPK_TOKEN_SKEW < request->earliest
            && (link->used_at == 0
                || link->used_at + request->grace < request->earliest))
        {
            mpk_policy_drop(order, i);

        } else {
            i++;
        }
    }

    if (order->links_count >= MPK_LINKS_MAX) {

        for (i = 1, n = 0; i < order->links_count; i++) {
            link = &order->links[i];
            worst = &order->links[n];

            if (mpk_policy_spent(link)
                ? mpk_policy_spent(worst) && link->exp < worst->exp
                : mpk_policy_spent(worst) || link->iat < worst->iat)
            {
                n = i;
            }
        }

        mpk_policy_drop(order, n);
    }

    link = &order->links[order->links_count++];

    memset(link, 0, sizeof(mpk_link_t));
    memcpy(link->id, request->token_id, MPK_ID_LEN);

    link->iat = request->iat;
    link->exp = request->exp;
    link->items_count = request->items_count;
    link->items = request->items;

    return link;
}


/*
 * Made for an address that was corrected since.  Minted links of before are marked; others
 * tell by their time, and those of a page are made after the second of the correction.
 */

static bool
mpk_policy_outdated(const mpk_request_t *request, const mpk_order_t *order,
    const mpk_link_t *link)
{
    int64_t  at;

    at = mpk_order_corrected_at(order, request->now);

    if (link && link->delivered) {
        return link->iat < at;
    }

    switch (request->channel) {

    case MPK_CHANNEL_ONSCREEN:
        return false;

    case MPK_CHANNEL_EMAIL:
        return request->iat < at;

    default: /* TRACK, ACCOUNT */
        return at && request->iat <= at;
    }
}


/*
 * The time of a link in an email stands still while its order is suspended (R11); a page
 * makes its links anew.
 */

static bool
mpk_policy_expired(const mpk_request_t *request, const mpk_order_t *order)
{
    int64_t  until;

    until = request->exp;

    if (request->channel == MPK_CHANNEL_EMAIL) {
        until = mpk_order_until(order, request->iat, until, request->now);
    }

    return until + MPK_TOKEN_SKEW <= request->now;
}


/* R3: within the grace; not while a clock is put right that was ahead when it was used. */

static bool
mpk_policy_repeats(const mpk_request_t *request, const mpk_order_t *order,
    const mpk_link_t *link)
{
    return order->at - link->used_at <= request->grace
           && link->used_at <= request->now + MPK_TOKEN_SKEW;
}


/* Used or revoked: it must not show a key again. */

static bool
mpk_policy_spent(const mpk_link_t *link)
{
    return link->used_at || link->revoked;
}


/* Forgets a link; a used or revoked one stays so whatever a clock says. */

static void
mpk_policy_drop(mpk_order_t *order, size_t n)
{
    mpk_link_t  *link;

    link = &order->links[n];

    if (mpk_policy_spent(link) && link->exp > order->floor) {
        order->floor = link->exp;
    }

    order->links_count--;

    memmove(link, link + 1, (order->links_count - n) * sizeof(mpk_link_t));
}


static bool
mpk_policy_same_items(const mpk_request_t *request, const mpk_link_t *link)
{
    return link->items_count == request->items_count
           && (link->items_count == 0
               || memcmp(link->items, request->items,
                         link->items_count * sizeof(uint16_t)) == 0);
}


/* Counts a view or a repeat of the day. */

static mpk_outcome_t
mpk_policy_count(mpk_decision_t *decision)
{
    mpk_order_t  *order;

    order = &decision->order;

    if (order->day_views >= MPK_DAY_VIEWS_MAX) {
        decision->retry_at = (int64_t) (order->day + 1) * MPK_DAY;
        return MPK_EXHAUSTED;
    }

    order->day_views++;

    return MPK_DONE;
}
