/* What the tests of the policy share: an order in each state that it can reach. */

#ifndef MPK_TEST_POLICY_H
#define MPK_TEST_POLICY_H

#include "mpk_policy.h"
#include "test.h"

/* not all of them use all of it */
#define test_shared  __attribute__((unused)) static

#define DAY    86400
#define NOW    (20000 * (int64_t) DAY + 5000)
#define GRACE  3600
#define WEEK   (7 * DAY)
#define DAYS   14                    /* to withdraw */


typedef enum {
    ABSENT, HELD, READY, DELIVERED, VIEWED, CANCELLED,
    REPORTED, ASKED, REPLACED, REFUNDED, REJECTED, ERASED, SUSPENDED, RESUMED, WITHDRAWN, STATES
} state_t;

test_shared uint8_t  hash[MPK_MAC_LEN] = "the hash of the right email....";
test_shared uint8_t  wrong[MPK_MAC_LEN] = "the hash of another email......";
test_shared uint8_t  corrected[MPK_MAC_LEN] = "the hash of a corrected email..";
test_shared uint8_t  digest[MPK_MAC_LEN] = "the digest of what was filed...";
test_shared uint8_t  other[MPK_MAC_LEN] = "the digest of something else...";

test_shared mpk_item_t   items[3];
test_shared mpk_order_t  filing;


/* A request that would be allowed in a ready order. */

test_shared mpk_request_t
request(mpk_event_t event)
{
    mpk_request_t  r;

    memset(&r, 0, sizeof(mpk_request_t));

    r.event = event;
    r.now = NOW;
    r.grace = GRACE;
    r.filing = event == MPK_EVENT_FILED || event == MPK_EVENT_IMPORTED ? &filing : NULL;
    r.reason = mpk_string("fraud");
    memset(r.token_id, 7, MPK_ID_LEN);
    r.iat = NOW - 100;
    r.exp = NOW + 1000;
    r.channel = MPK_CHANNEL_EMAIL;
    memset(r.nonce, 9, MPK_ID_LEN);
    r.nonce_fresh = true;
    r.challenge_email = true;
    r.email_hash = hash;
    r.claim_window = WEEK;
    r.claim_item = 1;
    r.claim_category = MPK_CATEGORY_BLOCKED;
    r.claim = 1;
    r.claim_finding = MPK_FINDING_DEFECTIVE;
    r.claim_digest = (mpk_str_t) { MPK_MAC_LEN, digest };
    r.claim_key = mpk_string("the new key, sealed");
    r.claim_detail = mpk_string("detail, sealed");
    r.suspension = MPK_SUSPENSION_DISPUTE;
    r.suspend_digest = digest;
    r.withdrawal_days = DAYS;
    r.stated_at = NOW;
    r.withdrawal = 1;
    r.withdrawal_digest = (mpk_str_t) { MPK_MAC_LEN, digest };
    r.withdrawal_detail = mpk_string("stated, sealed");

    if (event == MPK_EVENT_EMAIL_CHANGED) {
        r.email_hash = corrected;
        r.email = mpk_string("the new address, sealed");
    }

    return r;
}


test_shared mpk_decision_t
decide(const mpk_order_t *order, mpk_request_t r)
{
    mpk_decision_t  d;

    if (r.earliest == 0) {
        r.earliest = r.now;
    }

    if (mpk_policy_decide(&test_mem, order, &r, &d) != MPK_OK) {
        memset(&d, 0, sizeof(mpk_decision_t));
        d.outcome = MPK_OUTCOME_MAX;
    }

    return d;
}


test_shared mpk_order_t
reach(state_t state)
{
    mpk_order_t    order;
    mpk_request_t  r;

    memset(&order, 0, sizeof(mpk_order_t));
    order.id = mpk_string("A-1");

    if (state == ABSENT) {
        return order;
    }

    order = decide(&order, request(MPK_EVENT_FILED)).order;

    if (state == HELD) {
        return order;
    }

    if (state == CANCELLED) {
        return decide(&order, request(MPK_EVENT_CANCELLED)).order;
    }

    order = decide(&order, request(MPK_EVENT_RELEASED)).order;

    if (state == READY) {
        return order;
    }

    if (state == WITHDRAWN) {
        return decide(&order, request(MPK_EVENT_WITHDRAWAL_STATED)).order;
    }

    r = request(MPK_EVENT_LINK_MINTED);
    memset(r.token_id, 5, MPK_ID_LEN);
    order = decide(&order, r).order;

    if (state == DELIVERED) {
        return order;
    }

    r = request(MPK_EVENT_VIEWED);
    memset(r.token_id, 5, MPK_ID_LEN);
    order = decide(&order, r).order;

    switch (state) {

    case VIEWED:
        return order;

    case SUSPENDED:
        return decide(&order, request(MPK_EVENT_SUSPENDED)).order;

    case RESUMED:
        order = decide(&order, request(MPK_EVENT_SUSPENDED)).order;
        return decide(&order, request(MPK_EVENT_RESUMED)).order;

    case ERASED:
        return decide(&order, request(MPK_EVENT_ERASED)).order;

    default:
        r = request(MPK_EVENT_CLAIM_OPENED);
        memset(r.token_id, 5, MPK_ID_LEN);
        order = decide(&order, r).order;
    }

    switch (state) {

    case ASKED:
        return decide(&order, request(MPK_EVENT_CLAIM_NEEDS_INFO)).order;

    case REPLACED:
        return decide(&order, request(MPK_EVENT_CLAIM_REPLACED)).order;

    case REFUNDED:
        return decide(&order, request(MPK_EVENT_CLAIM_REFUNDED)).order;

    case REJECTED:
        return decide(&order, request(MPK_EVENT_CLAIM_REJECTED)).order;

    default: /* REPORTED */
        return order;
    }
}

/* What is filed, before anything is. */

test_shared void
file_it(void)
{
    memset(&filing, 0, sizeof(mpk_order_t));

    filing.state = MPK_ORDER_HELD;
    filing.items_count = 3;
    filing.items = items;
    filing.digest = (mpk_str_t) { MPK_MAC_LEN, digest };
    filing.email_hash = (mpk_str_t) { MPK_MAC_LEN, hash };
    filing.purchased_at = NOW - 1000;
}


/* The order after an event. */

test_shared mpk_order_t
after(const mpk_order_t *order, mpk_event_t event)
{
    return decide(order, request(event)).order;
}


#endif /* MPK_TEST_POLICY_H */
