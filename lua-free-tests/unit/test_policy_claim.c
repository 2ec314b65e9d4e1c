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
    r.claim_finding = MPK_FINDING_DEFECTIVE;
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


/* R6: what the customer wrote to support, by which it opens a claim. */

static void
test_support(void)
{
    mpk_order_t     order;
    mpk_request_t   r;
    mpk_decision_t  d;

    order = delivered();

    r = request(MPK_EVENT_CLAIM_OPENED, NOW + 8 * DAY);
    r.claim_received = NOW + WEEK;
    r.email_hash = NULL;
    r.challenge_closed = true;
    d = decide(&order, r);
    ok(d.outcome == MPK_DONE && d.order.claims[0].received_at == NOW + WEEK && d.order.claims[0].opened_at == NOW + 8 * DAY
       && d.claim == 1 && d.items[0] == 1, "R6: support opens a claim; it is in time if the report was");
    order = d.order;
    ok(decide(&order, r).outcome == MPK_SAME && decide(&order, r).claim == 1, "R10: the same call is the same claim");
    order = decide(&order, request(MPK_EVENT_CLAIM_REJECTED, NOW + 8 * DAY)).order;
    ok(decide(&order, r).outcome == MPK_SAME, "R10: also when it was decided");

    memset(r.token_id, 1, MPK_ID_LEN);
    order = decide(&order, r).order;
    memset(r.token_id, 2, MPK_ID_LEN);
    ok(decide(&order, r).outcome == MPK_CLAIMED, "R6: another is refused while one is open");

    order = delivered();
    r.claim_received = NOW + WEEK + 1;
    ok(decide(&order, r).outcome == MPK_LATE, "R6: a late report is refused");
    r.claim_exception = true;
    ok(decide(&order, r).outcome == MPK_DONE, "R6: unless there is a reason to take it");
    r.claim_received = NOW - 1;
    ok(decide(&order, r).outcome == MPK_UNDELIVERED, "R6: none came before the delivery");
    r.claim_received = NOW;
    ok(decide(&order, r).outcome == MPK_DONE, "R6: at its time it may have");

    r.claim_item = 0;
    ok(decide(&order, r).outcome == MPK_NO_ITEM, "a claim is about an item");
    r.claim_item = 4;
    ok(decide(&order, r).outcome == MPK_NO_ITEM, "that is there");
    r.claim_item = 3;
    items[2].state = MPK_ITEM_REFUNDED;
    ok(decide(&order, r).outcome == MPK_REFUNDED, "R7: and is not refunded");
    items[2].suspended = true;
    ok(decide(&order, r).outcome == MPK_SUSPENDED, "R11: nor suspended");

    r.claim_item = 1;
    order.revision = MPK_ENTRIES_MAX - 1;
    ok(decide(&order, r).outcome == MPK_DONE, "support's have the room that is left to it in the journal");
    order.revision++;
    ok(decide(&order, r).outcome == MPK_EXHAUSTED, "and no more");
    order.revision = MPK_ENTRIES_CUSTOMER_MAX;
    ok(report(&order, 1, NOW) == MPK_EXHAUSTED, "customers' have not");
}


/* R7: a decision has a finding. */

static void
test_finding(void)
{
    size_t          i;
    mpk_order_t     order;
    mpk_request_t   r;
    mpk_decision_t  d;

    static const mpk_event_t  decisions[] = {
        MPK_EVENT_CLAIM_REPLACED, MPK_EVENT_CLAIM_REFUNDED, MPK_EVENT_CLAIM_REJECTED, MPK_EVENT_CLAIM_NEEDS_INFO
    };

    for (i = 0; i < 4; i++) {
        order = delivered();
        order = decide(&order, request(MPK_EVENT_CLAIM_OPENED, NOW)).order;

        r = request(decisions[i], NOW);
        r.claim_finding = MPK_FINDING_NONE;
        ok(decide(&order, r).outcome == (i < 2 ? MPK_FINDING : MPK_DONE),
           i < 2 ? "R7: none replaces or refunds without a finding" : "R7: what gives nothing needs none");

        r.claim_finding = MPK_FINDING_GOODWILL;
        d = decide(&order, r);
        ok(d.outcome == MPK_DONE && d.order.claims[0].finding == MPK_FINDING_GOODWILL, "R7: a finding is kept with the claim");
    }

    r = request(MPK_EVENT_CLAIM_REPLACED, NOW);
    order = decide(&order, r).order;
    r.claim_finding = MPK_FINDING_NONE;
    ok(decide(&order, r).outcome == MPK_SAME, "R10: what was decided is judged by its content");
    r.claim_digest.len = 0;
    ok(decide(&order, r).outcome == MPK_DECIDED, "R7: once");
}


/* R7: the customer's answers, in words and as files, and support's notes. */

static void
test_answers(void)
{
    size_t          i;
    mpk_order_t     order, asked;
    mpk_request_t   r;
    mpk_decision_t  d, answered;

    order = delivered();
    order = decide(&order, request(MPK_EVENT_CLAIM_OPENED, NOW)).order;
    asked = decide(&order, request(MPK_EVENT_CLAIM_NEEDS_INFO, NOW)).order;

    r = request(MPK_EVENT_CLAIM_ANSWERED, NOW + 60);
    r.claim_digest.data = hash;
    r.claim_detail = mpk_string("answered, sealed");
    d = decide(&asked, r);
    ok(d.outcome == MPK_DONE && d.order.claims[0].state == MPK_CLAIM_OPEN && d.order.claims[0].answered_at == NOW + 60
       && mpk_str_eq(d.order.claims[0].detail, r.claim_detail), "R7: an answer makes the claim open again");
    ok(decide(&d.order, r).outcome == MPK_SAME, "R10: the same answer is one");
    r.claim_digest.data = digest;
    ok(decide(&d.order, r).outcome == MPK_CLAIMED, "R7: one that nobody asked for is refused");
    ok(decide(&order, r).outcome == MPK_CLAIMED, "R7: also before the first question");

    asked.revision = MPK_ENTRIES_CUSTOMER_MAX;
    ok(decide(&asked, r).outcome == MPK_EXHAUSTED, "a journal has room for 3500 entries of customers");
    r.event = MPK_EVENT_CLAIM_FILES;
    ok(decide(&asked, r).outcome == MPK_SAME, "files are not journaled any more then");
    asked.revision = 9;

    d = decide(&asked, r);
    ok(d.outcome == MPK_DONE && d.order.claims[0].state == MPK_CLAIM_OPEN && d.order.claims[0].uploads == 1
       && d.order.claims[0].answered_at == 0, "R7: files make it open again, too");

    r.event = MPK_EVENT_CLAIM_ANSWERED;
    r.now++;
    answered = decide(&d.order, r);
    ok(mpk_claim_asked(&d.order.claims[0]) && answered.outcome == MPK_DONE && answered.order.claims[0].answered_at == r.now
       && !mpk_claim_asked(&answered.order.claims[0]), "R7: words may follow files that were sent first");
    r.claim_digest.data = hash;
    ok(decide(&answered.order, r).outcome == MPK_CLAIMED, "R7: once");
    r.claim_digest.data = digest;
    r.event = MPK_EVENT_CLAIM_FILES;

    for (i = 1; i < MPK_CLAIM_UPLOADS_MAX; i++) {
        d = decide(&d.order, r);
    }

    ok(d.outcome == MPK_DONE && d.order.claims[0].uploads == MPK_CLAIM_UPLOADS_MAX, "fifty uploads of a claim are journaled");
    ok(decide(&d.order, r).outcome == MPK_SAME, "and no more");
    d = decide(&d.order, request(MPK_EVENT_CLAIM_NEEDS_INFO, NOW));
    d = decide(&d.order, r);
    ok(d.outcome == MPK_DONE && d.order.claims[0].state == MPK_CLAIM_OPEN && d.order.claims[0].uploads == MPK_CLAIM_UPLOADS_MAX + 1,
       "unless they were asked for");

    /* notes */

    r = request(MPK_EVENT_CLAIM_NOTE, NOW);
    d = decide(&asked, r);
    ok(d.outcome == MPK_DONE && d.claim == 1 && d.order.claims[0].state == MPK_CLAIM_NEEDS_INFO
       && mpk_str_eq(d.order.claims[0].detail, asked.claims[0].detail), "R7: a note changes nothing of the claim");
    ok(decide(&d.order, r).outcome == MPK_SAME, "R10: the same note again is one");
    r.claim_digest.data = hash;
    d = decide(&d.order, r);
    ok(d.outcome == MPK_DONE, "R7: another is another");
    r.claim_digest.data = digest;
    ok(decide(&d.order, r).outcome == MPK_DONE, "R7: the first again, after it, too");

    r.claim = 2;
    ok(decide(&d.order, r).outcome == MPK_NO_CLAIM, "R7: a claim that is not there has no notes");
    r.event = MPK_EVENT_CLAIM_ANSWERED;
    ok(decide(&d.order, r).outcome == MPK_NO_CLAIM, "nor an answer");
    r.event = MPK_EVENT_CLAIM_FILES;
    r.claim = 0;
    ok(decide(&d.order, r).outcome == MPK_NO_CLAIM, "nor files");
}


int
main(void)
{
    test_window();
    test_support();
    test_finding();
    test_answers();

    return done_testing();
}
