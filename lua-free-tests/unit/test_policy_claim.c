/* Claims (R6, R7): until when a key can be reported, and what is done with a report. */

#include "mpk_policy.h"
#include "test.h"

#define NOW   1000000
#define DAY   (24 * 3600)
#define WEEK  (7 * DAY)


static uint8_t  hash[MPK_MAC_LEN] = "the hash of the right email....";
static uint8_t  digest[MPK_MAC_LEN] = "the digest of what was said....";

static mpk_item_t   items[3];
static mpk_claim_t  claims[MPK_CLAIMS_MAX];


/* A delivered order of three items; its arrays are the ones above. */

static mpk_order_t
delivered(void)
{
    size_t       i;
    mpk_order_t  order;

    memset(&order, 0, sizeof(mpk_order_t));
    memset(claims, 0, sizeof(claims));

    order.id = mpk_string("A-1");
    order.revision = 7;
    order.state = MPK_ORDER_READY;
    order.purchased_at = order.filed_at = order.released_at = order.delivered_at = order.at = NOW;
    order.email_hash = (mpk_str_t) { MPK_MAC_LEN, hash };
    order.items = items;
    order.items_count = 3;
    order.claims = claims;

    for (i = 0; i < 3; i++) {
        items[i] = (mpk_item_t) { .state = MPK_ITEM_VIEWED, .generation = 1 };
    }

    return order;
}


static mpk_request_t
request(mpk_event_t event, int64_t now)
{
    mpk_request_t  r;

    memset(&r, 0, sizeof(mpk_request_t));

    r.event = event;
    r.now = r.earliest = now;
    r.email_hash = hash;
    r.claim_window = WEEK;
    r.claim_item = 1;
    r.claim = 1;
    r.claim_digest = (mpk_str_t) { MPK_MAC_LEN, digest };
    r.claim_key = mpk_string("the new key, sealed");
    r.claim_detail = mpk_string("detail, sealed");

    return r;
}


static mpk_decision_t
decide(const mpk_order_t *order, mpk_request_t r)
{
    mpk_decision_t  d;

    if (mpk_policy_decide(&test_mem, order, &r, &d) != MPK_OK) {
        memset(&d, 0, sizeof(mpk_decision_t));
        d.outcome = MPK_OUTCOME_MAX;
    }

    return d;
}


static mpk_outcome_t
report(const mpk_order_t *order, size_t item, int64_t now)
{
    mpk_request_t  r;

    r = request(MPK_EVENT_CLAIM_OPENED, now);
    r.claim_item = (uint16_t) item;

    return decide(order, r).outcome;
}


/* The last second of the window is within it, the next is late; for claims and before them. */

static bool
ends(const mpk_order_t *order, size_t item, int64_t until)
{
    return mpk_policy_claim_until(order, item, WEEK, until) == until
           && report(order, item, until) == (item ? MPK_DONE : MPK_WRONG_KEY)
           && report(order, item, until + 1) == MPK_LATE;
}


static void
test_window(void)
{
    mpk_order_t     order;
    mpk_outcome_t   outcome;
    mpk_request_t   r;
    mpk_decision_t  d;

    order = delivered();
    ok(ends(&order, 1, NOW + WEEK), "R6: a key can be reported for a week after the purchase");

    order.purchased_at = NOW - 3 * WEEK;
    ok(ends(&order, 1, NOW + WEEK), "R6: after the release, if that was later");

    order.pauses[0] = (mpk_pause_t) { NOW + 2 * DAY, NOW + 3 * DAY };
    order.pauses_count = 1;
    ok(ends(&order, 1, NOW + 3 * DAY + WEEK), "R6: after the end of a suspension, if that was later");

    order.pauses[1] = (mpk_pause_t) { NOW + 20 * DAY, NOW + 20 * DAY + 1 };
    order.pauses_count = 2;
    ok(ends(&order, 1, NOW + 20 * DAY + 1 + WEEK), "R6: after that of the latest, also of one that began later");

    order.suspended_at = NOW + 21 * DAY;
    ok(mpk_policy_claim_until(&order, 1, WEEK, NOW + 100 * DAY) == NOW + 20 * DAY + 1 + WEEK + 79 * DAY,
       "R11: it stands still while the order is suspended");

    /* a replaced item has a window of its own */

    order = delivered();
    d = decide(&order, request(MPK_EVENT_CLAIM_OPENED, NOW + DAY));
    order = d.order;
    d = decide(&order, request(MPK_EVENT_CLAIM_REPLACED, NOW + 30 * DAY));
    order = d.order;
    ok(d.outcome == MPK_DONE && ends(&order, 1, NOW + 30 * DAY + WEEK), "R6: a new key for a week after it was supplied");
    ok(ends(&order, 2, NOW + WEEK), "R6: and only that one");
    ok(ends(&order, 0, NOW + 30 * DAY + WEEK), "R6: what is no key of the order is late when all of them are");

    r = request(MPK_EVENT_CLAIM_OPENED, NOW + 31 * DAY);
    ok(mpk_policy_ask(&test_mem, &order, &r, &outcome) == MPK_OK && outcome == MPK_DONE, "R6: a form is offered while one can be reported");
    r.now = NOW + 30 * DAY + WEEK + 1;
    ok(mpk_policy_ask(&test_mem, &order, &r, &outcome) == MPK_OK && outcome == MPK_LATE, "R6: and not afterwards");

    d = decide(&order, request(MPK_EVENT_CLAIM_OPENED, NOW + 31 * DAY));
    order = d.order;
    r = request(MPK_EVENT_CLAIM_REPLACED, NOW + 32 * DAY);
    r.claim = 2;
    order = decide(&order, r).order;
    ok(ends(&order, 1, NOW + 32 * DAY + WEEK), "R6: the latest of its replacements counts");

    d = decide(&order, request(MPK_EVENT_CLAIM_OPENED, NOW + 33 * DAY));
    order = d.order;
    r = request(MPK_EVENT_CLAIM_REJECTED, NOW + 60 * DAY);
    r.claim = 3;
    d = decide(&order, r);
    ok(ends(&d.order, 1, NOW + 32 * DAY + WEEK), "R6: another decision begins no window");

    r.event = MPK_EVENT_CLAIM_REFUNDED;
    order = decide(&order, r).order;
    ok(ends(&order, 0, NOW + WEEK), "R6: no refunded key keeps the form open");

    order.pauses[0] = (mpk_pause_t) { NOW + 40 * DAY, NOW + 41 * DAY };
    order.pauses_count = 1;
    ok(ends(&order, 2, NOW + 41 * DAY + WEEK), "R6: the end of a suspension counts for all");
}


int
main(void)
{
    test_window();

    return done_testing();
}
