/* The shop's rules, in one table, and the decision over it. */

#include "mpk_policy.h"


/* Refines what the table allows: writes decision->order, or refuses. */
typedef mpk_outcome_t (*mpk_policy_pt)(const mpk_request_t *request,
    mpk_decision_t *decision);

typedef struct {
    mpk_outcome_t    in[MPK_ORDER_STATE_MAX];
    mpk_policy_pt    apply;
} mpk_policy_t;


static mpk_outcome_t mpk_policy_file(const mpk_request_t *request,
    mpk_decision_t *decision);
static mpk_outcome_t mpk_policy_release(const mpk_request_t *request,
    mpk_decision_t *decision);
static mpk_outcome_t mpk_policy_cancel(const mpk_request_t *request,
    mpk_decision_t *decision);
static mpk_outcome_t mpk_policy_mint(const mpk_request_t *request,
    mpk_decision_t *decision);
static mpk_outcome_t mpk_policy_open(const mpk_request_t *request,
    mpk_decision_t *decision);
static mpk_outcome_t mpk_policy_view(const mpk_request_t *request,
    mpk_decision_t *decision);
static mpk_outcome_t mpk_policy_cut_off(const mpk_request_t *request,
    mpk_decision_t *decision);

static mpk_outcome_t mpk_policy_challenge(const mpk_request_t *request,
    const mpk_order_t *order);
static bool mpk_policy_items(const mpk_request_t *request,
    mpk_decision_t *decision);
static mpk_link_t *mpk_policy_link(const mpk_request_t *request,
    mpk_decision_t *decision);


/* event: absent, held, ready, cancelled */

static const mpk_policy_t  mpk_policies[MPK_EVENT_MAX] = {

    /* nothing is to happen: the order is only read */

    [MPK_EVENT_NONE] =
        { { MPK_ABSENT, MPK_SAME, MPK_SAME, MPK_SAME }, NULL },

    [MPK_EVENT_FILED] =
        { { MPK_DONE, MPK_DONE, MPK_DONE, MPK_DONE }, mpk_policy_file },

    [MPK_EVENT_RELEASED] =
        { { MPK_ABSENT, MPK_DONE, MPK_SAME, MPK_CANCELLED },
          mpk_policy_release },

    [MPK_EVENT_CANCELLED] =
        { { MPK_ABSENT, MPK_DONE, MPK_DONE, MPK_DONE }, mpk_policy_cancel },

    [MPK_EVENT_LINK_MINTED] =
        { { MPK_ABSENT, MPK_HELD, MPK_DONE, MPK_CANCELLED },
          mpk_policy_mint },

    [MPK_EVENT_OPENED] =
        { { MPK_ABSENT, MPK_HELD, MPK_DONE, MPK_CANCELLED },
          mpk_policy_open },

    [MPK_EVENT_VIEWED] =
        { { MPK_ABSENT, MPK_HELD, MPK_DONE, MPK_CANCELLED },
          mpk_policy_view },

    [MPK_EVENT_CUT_OFF] =
        { { MPK_ABSENT, MPK_DONE, MPK_DONE, MPK_DONE },
          mpk_policy_cut_off },
};


#define mpk_row(name, rule, detail)                                          \
    { { sizeof(name) - 1, (const uint8_t *) name },                          \
      { sizeof(rule) - 1, (const uint8_t *) rule },                          \
      { sizeof(detail) - 1, (const uint8_t *) detail } }

static const mpk_outcome_info_t  mpk_outcomes[MPK_OUTCOME_MAX] = {

    [MPK_DONE] = mpk_row("done", "", "Done."),

    [MPK_SAME] = mpk_row("same", "", "Already done, with the same content."),

    [MPK_ABSENT] = mpk_row("absent", "", "There is no such order."),

    [MPK_HELD] = mpk_row("held", "R1",
        "The order is under payment and fraud checks."),

    [MPK_CANCELLED] = mpk_row("cancelled", "R1",
        "The order was cancelled before delivery."),

    [MPK_USED] = mpk_row("used", "R3",
        "This link has shown its keys already."),

    [MPK_LAPSED] = mpk_row("expired", "R3", "This link has expired."),

    [MPK_CLOSED] = mpk_row("limited", "R4",
        "Too many wrong answers; the link opens again in a while."),

    [MPK_STALE] = mpk_row("stale", "R4",
        "The nonce of the confirm page is missing, wrong or over an hour "
        "old; get the page again and send its nonce, or send an "
        "Idempotency-Key."),

    [MPK_CHALLENGE] = mpk_row("challenge", "R4",
        "The email address is not the one of the order."),

    [MPK_CONSENT] = mpk_row("consent", "",
        "consent_supply and consent_waiver are both needed before the "
        "first view."),

    [MPK_DELIVERED] = mpk_row("delivered", "R5",
        "The order can't be cancelled after delivery."),

    [MPK_UNSENT] = mpk_row("unsent", "R5",
        "The shop can sign links that are not registered here; say "
        "\"not_sent\": true if none was sent for this order."),

    [MPK_DIFFERS] = mpk_row("differs", "R10",
        "This was done before with other content."),

    [MPK_NO_ITEM] = mpk_row("no_item", "",
        "The order has no such item."),

    [MPK_CROWDED] = mpk_row("crowded", "",
        "The order has too many links that have not expired."),
};


mpk_status_t
mpk_policy_decide(const mpk_mem_t *mem, const mpk_order_t *order,
    const mpk_request_t *request, mpk_decision_t *decision)
{
    size_t               n;
    mpk_item_t          *items;
    mpk_link_t          *links;
    const mpk_policy_t  *policy;

    memset(decision, 0, sizeof(mpk_decision_t));

    policy = &mpk_policies[request->event];

    decision->event = request->event;
    decision->order = *order;
    decision->outcome = policy->in[order->state];

    if (decision->outcome != MPK_DONE) {
        return MPK_OK;
    }

    /* the writes go to a copy, with room for one more link */

    n = order->items_count;

    if (request->filing && request->filing->items_count > n) {
        n = request->filing->items_count;
    }

    items = mpk_alloc(mem, n * sizeof(mpk_item_t) + 1);
    links = mpk_alloc(mem, (order->links_count + 1) * sizeof(mpk_link_t));
    decision->items = mpk_alloc(mem, n * sizeof(uint16_t) + 1);

    if (items == NULL || links == NULL || decision->items == NULL) {
        return MPK_NOMEM;
    }

    if (order->items_count) {
        memcpy(items, order->items, order->items_count * sizeof(mpk_item_t));
    }

    if (order->links_count) {
        memcpy(links, order->links, order->links_count * sizeof(mpk_link_t));
    }

    decision->order.items = items;
    decision->order.links = links;

    decision->outcome = policy->apply(request, decision);

    if (decision->outcome == MPK_DONE) {
        decision->order.revision = order->revision + 1;
    }

    return MPK_OK;
}


/* R10 */

static mpk_outcome_t
mpk_policy_file(const mpk_request_t *request, mpk_decision_t *decision)
{
    uint16_t            i;
    uint64_t            revision;
    mpk_item_t         *items;
    mpk_link_t         *links;
    mpk_order_t        *order;
    const mpk_order_t  *filing;

    order = &decision->order;
    filing = request->filing;

    if (order->state != MPK_ORDER_ABSENT) {
        return mpk_secret_eq(order->digest, filing->digest) ? MPK_SAME
                                                            : MPK_DIFFERS;
    }

    items = order->items;
    links = order->links;
    revision = order->revision;

    *order = *filing;

    order->items = items;
    order->links = links;
    order->links_count = 0;
    order->revision = revision;
    order->filed_at = request->now;

    if (order->state == MPK_ORDER_READY) {
        order->released_at = request->now;
    }

    for (i = 0; i < order->items_count; i++) {
        items[i] = filing->items[i];
        items[i].state = MPK_ITEM_NEW;
        items[i].generation = 1;
        items[i].since = revision + 1;
        items[i].viewed_at = 0;

        decision->items[i] = (uint16_t) (i + 1);
    }

    decision->items_count = order->items_count;

    return MPK_DONE;
}


static mpk_outcome_t
mpk_policy_release(const mpk_request_t *request, mpk_decision_t *decision)
{
    decision->order.state = MPK_ORDER_READY;
    decision->order.released_at = request->now;

    return MPK_DONE;
}


/* R5 */

static mpk_outcome_t
mpk_policy_cancel(const mpk_request_t *request, mpk_decision_t *decision)
{
    mpk_order_t  *order;

    order = &decision->order;

    if (order->state == MPK_ORDER_CANCELLED) {
        return mpk_str_eq(order->cancel_reason, request->reason)
               ? MPK_SAME : MPK_DIFFERS;
    }

    if (order->delivered_at) {
        return MPK_DELIVERED;
    }

    if (request->may_be_unregistered && !request->not_sent) {
        return MPK_UNSENT;
    }

    order->state = MPK_ORDER_CANCELLED;
    order->cancelled_at = request->now;
    order->cancel_reason = request->reason;

    return MPK_DONE;
}


static mpk_outcome_t
mpk_policy_mint(const mpk_request_t *request, mpk_decision_t *decision)
{
    mpk_link_t   *link;
    mpk_order_t  *order;

    order = &decision->order;

    if (!mpk_policy_items(request, decision)) {
        return MPK_NO_ITEM;
    }

    link = mpk_policy_link(request, decision);
    if (link == NULL) {
        return MPK_CROWDED;
    }

    if (link->delivered) {
        return (link->items_count == request->items_count
                && (link->items_count == 0
                    || memcmp(link->items, request->items,
                              link->items_count * sizeof(uint16_t)) == 0))
               ? MPK_SAME : MPK_DIFFERS;
    }

    link->delivered = true;

    if (order->delivered_at == 0) {
        order->delivered_at = request->now;
        order->delivered_by = MPK_CHANNEL_EMAIL;
    }

    return MPK_DONE;
}


static mpk_outcome_t
mpk_policy_open(const mpk_request_t *request, mpk_decision_t *decision)
{
    mpk_link_t  *link;

    if (!mpk_policy_items(request, decision)) {
        return MPK_NO_ITEM;
    }

    link = mpk_policy_link(request, decision);
    if (link == NULL) {
        return MPK_CROWDED;
    }

    if (link->used_at) {
        return MPK_USED;
    }

    if (request->exp <= request->now) {
        return MPK_LAPSED;
    }

    if (link->opened >= MPK_OPENED_MAX) {
        return MPK_SAME;
    }

    link->opened++;

    return MPK_DONE;
}


/* R3, R4, R8 */

static mpk_outcome_t
mpk_policy_view(const mpk_request_t *request, mpk_decision_t *decision)
{
    size_t          i, n;
    mpk_item_t     *item;
    mpk_link_t     *link;
    mpk_order_t    *order;
    mpk_outcome_t   outcome;

    order = &decision->order;

    if (!mpk_policy_items(request, decision)) {
        return MPK_NO_ITEM;
    }

    link = mpk_policy_link(request, decision);
    if (link == NULL) {
        return MPK_CROWDED;
    }

    if (link->used_at && request->renews
        && request->now - link->used_at > request->grace)
    {
        link->used_at = 0;
    }

    if (link->used_at) {

        if (request->now - link->used_at > request->grace
            || !mpk_secret_eq((mpk_str_t) { MPK_ID_LEN, link->nonce },
                              (mpk_str_t) { MPK_ID_LEN, request->nonce }))
        {
            return MPK_USED;
        }

        outcome = mpk_policy_challenge(request, order);
        if (outcome != MPK_DONE) {
            return outcome;
        }

        /* what has been replaced since is not part of the repeat */

        for (i = 0, n = 0; i < decision->items_count; i++) {
            item = &order->items[decision->items[i] - 1];

            if (item->since <= link->used_revision) {
                decision->items[n++] = decision->items[i];
            }
        }

        decision->items_count = n;
        decision->event = MPK_EVENT_REPEATED;

        return n ? MPK_DONE : MPK_USED;
    }

    if (request->exp <= request->now) {
        return MPK_LAPSED;
    }

    if (!request->nonce_fresh) {
        return MPK_STALE;
    }

    outcome = mpk_policy_challenge(request, order);
    if (outcome != MPK_DONE) {
        return outcome;
    }

    if (decision->consent && !request->consent_given) {
        return MPK_CONSENT;
    }

    link->used_at = request->now;
    link->used_revision = order->revision + 1;
    memcpy(link->nonce, request->nonce, MPK_ID_LEN);

    for (i = 0; i < decision->items_count; i++) {
        item = &order->items[decision->items[i] - 1];

        item->state = MPK_ITEM_VIEWED;

        if (item->viewed_at == 0) {
            item->viewed_at = request->now;
        }
    }

    order->views++;

    if (order->first_viewed_at == 0) {
        order->first_viewed_at = request->now;
    }

    if (order->delivered_at == 0) {
        order->delivered_at = request->now;
        order->delivered_by = request->channel;
    }

    return MPK_DONE;
}


static mpk_outcome_t
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
        || !mpk_secret_eq(order->email_hash,
                          (mpk_str_t) { MPK_MAC_LEN, request->email_hash }))
    {
        return MPK_CHALLENGE;
    }

    return MPK_DONE;
}


/* The items a token stands for; whether consent is needed before they are shown. */

static bool
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

        if (request->consent_asked
            && order->items[decision->items[i] - 1].state == MPK_ITEM_NEW)
        {
            decision->consent = true;
        }
    }

    decision->items_count = n;

    return true;
}


/*
 * The token's link, made if the order does not know it yet.  Links that have
 * expired are dropped once no repeat can need them.
 */

static mpk_link_t *
mpk_policy_link(const mpk_request_t *request, mpk_decision_t *decision)
{
    size_t        i, n;
    mpk_link_t   *link;
    mpk_order_t  *order;

    order = &decision->order;

    for (i = 0, n = 0; i < order->links_count; i++) {
        link = &order->links[i];

        if (memcmp(link->id, request->token_id, MPK_ID_LEN) != 0
            && link->exp + MPK_TOKEN_SKEW < request->now
            && (link->used_at == 0
                || link->used_at + request->grace < request->now))
        {
            continue;
        }

        order->links[n++] = *link;
    }

    order->links_count = n;

    link = mpk_order_link(order, request->token_id);

    if (link == NULL) {

        if (n == MPK_LINKS_MAX) {
            return NULL;
        }

        link = &order->links[order->links_count++];

        memset(link, 0, sizeof(mpk_link_t));
        memcpy(link->id, request->token_id, MPK_ID_LEN);

        link->iat = request->iat;
        link->exp = request->exp;
        link->items_count = request->items_count;
        link->items = request->items;
    }

    decision->link = link;

    return link;
}


mpk_str_t
mpk_event_name(mpk_event_t event)
{
    static const mpk_str_t  names[MPK_EVENT_MAX] = {
        [MPK_EVENT_NONE] = { 0, NULL },
        [MPK_EVENT_FILED] = { 5, (const uint8_t *) "filed" },
        [MPK_EVENT_RELEASED] = { 8, (const uint8_t *) "released" },
        [MPK_EVENT_CANCELLED] = { 9, (const uint8_t *) "cancelled" },
        [MPK_EVENT_LINK_MINTED] = { 11, (const uint8_t *) "link_minted" },
        [MPK_EVENT_OPENED] = { 6, (const uint8_t *) "opened" },
        [MPK_EVENT_VIEWED] = { 6, (const uint8_t *) "viewed" },
        [MPK_EVENT_REPEATED] = { 8, (const uint8_t *) "repeated" },
        [MPK_EVENT_CUT_OFF] = { 7, (const uint8_t *) "cut_off" },
    };

    return names[event];
}


const mpk_outcome_info_t *
mpk_outcome_info(mpk_outcome_t outcome)
{
    return &mpk_outcomes[outcome];
}
