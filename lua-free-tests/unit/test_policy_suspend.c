/* Suspending an order or some items of it, and resuming (R11). */

#include "test_policy.h"


static void
test_suspension(void)
{
    size_t          i;
    uint16_t        second[1] = { 2 }, first[1] = { 1 }, none[1] = { 4 };
    uint8_t         link[MPK_ID_LEN];
    mpk_order_t     viewed, order, resumed;
    mpk_request_t   r;
    mpk_decision_t  d;

    viewed = reach(HELD);
    viewed = decide(&viewed, request(MPK_EVENT_RELEASED)).order;
    viewed = decide(&viewed, request(MPK_EVENT_VIEWED)).order;

    r = request(MPK_EVENT_VIEWED);
    ok(decide(&viewed, r).event == MPK_EVENT_REPEATED, "a view can be repeated");

    order = decide(&viewed, request(MPK_EVENT_SUSPENDED)).order;
    d = decide(&order, r);
    ok(d.outcome == MPK_SUSPENDED && d.order.revision == order.revision, "R11: not while the order is suspended");

    order = decide(&order, request(MPK_EVENT_RESUMED)).order;
    ok(decide(&order, r).event == MPK_EVENT_REPEATED, "R11: but again when it was resumed");
    ok(order.suspended_at == 0 && order.pauses_count == 1 && !order.items[0].suspended, "R11: nothing is suspended any more");

    /* R10 */

    r = request(MPK_EVENT_SUSPENDED);
    order = decide(&viewed, r).order;
    r.suspend_digest = other;
    ok(decide(&order, r).outcome == MPK_DIFFERS, "R10: with other content it can't be suspended again");

    r = request(MPK_EVENT_RESUMED);
    resumed = decide(&order, r).order;
    ok(decide(&resumed, r).outcome == MPK_SAME, "R10: resumed again, it is the same");
    r.suspend_digest = other;
    ok(decide(&resumed, r).outcome == MPK_DIFFERS, "R10: with other content it is not");

    /* an item */

    r = request(MPK_EVENT_SUSPENDED);
    r.items = second;
    r.items_count = 1;
    order = decide(&viewed, r).order;
    ok(!order.items[0].suspended && order.items[1].suspended, "R11: an item alone is suspended");

    r = request(MPK_EVENT_VIEWED);
    memset(r.token_id, 1, MPK_ID_LEN);
    d = decide(&order, r);
    ok(d.outcome == MPK_SUSPENDED && d.order.links_count == order.links_count,
       "R11: a link to all items shows none, and is not used up");
    r.items = first;
    r.items_count = 1;
    ok(decide(&order, r).outcome == MPK_DONE, "R11: a link to another item shows it");
    r.items = second;
    ok(decide(&order, r).outcome == MPK_SUSPENDED, "R11: one to the item does not");

    r = request(MPK_EVENT_CLAIM_OPENED);
    ok(decide(&order, r).outcome == MPK_DONE, "R11: another item can be reported");
    r.claim_item = 2;
    ok(decide(&order, r).outcome == MPK_SUSPENDED, "R11: the item can't");

    r = request(MPK_EVENT_SUSPENDED);
    r.suspend_digest = other;
    r.now = NOW + 100;
    d = decide(&order, r);
    ok(d.outcome == MPK_DONE && d.order.items[0].suspended && d.order.suspended_at == order.suspended_at,
       "R11: the others can be suspended, too; it lasts since the first was");

    r.items = none;
    r.items_count = 1;
    ok(decide(&order, r).outcome == MPK_NO_ITEM, "R11: an item that is not there is not suspended");

    /* an undelivered order can still be cancelled */

    order = reach(HELD);
    order = decide(&order, request(MPK_EVENT_RELEASED)).order;
    order = decide(&order, request(MPK_EVENT_SUSPENDED)).order;
    d = decide(&order, request(MPK_EVENT_CANCELLED));
    ok(d.outcome == MPK_DONE && d.order.suspended_at == 0 && !d.order.items[0].suspended,
       "R5: a suspended order is cancelled, and is not suspended any more");

    /* times stand still */

    r = request(MPK_EVENT_LINK_MINTED);
    memset(r.token_id, 3, MPK_ID_LEN);
    memcpy(link, r.token_id, MPK_ID_LEN);
    order = decide(&viewed, r).order;

    r = request(MPK_EVENT_SUSPENDED);
    r.now = NOW + 900;
    order = decide(&order, r).order;

    r = request(MPK_EVENT_RESUMED);
    r.now = NOW + 50000;
    resumed = decide(&order, r).order;

    r = request(MPK_EVENT_VIEWED);
    memcpy(r.token_id, link, MPK_ID_LEN);
    r.now = NOW + 50000 + 100 + MPK_TOKEN_SKEW - 1;
    ok(decide(&resumed, r).outcome == MPK_DONE, "R11: a link has the rest of its time after the suspension");
    r.now++;
    ok(decide(&resumed, r).outcome == MPK_TOKEN_EXPIRED, "R11: and no more");

    r = request(MPK_EVENT_VIEWED);
    memset(r.token_id, 4, MPK_ID_LEN);
    r.iat = NOW + 49000;
    r.exp = NOW + 49010;
    r.now = NOW + 50000;
    ok(decide(&resumed, r).outcome == MPK_DONE, "R11: one made meanwhile has its whole time");
    r.now = NOW + 50000 + 10 + MPK_TOKEN_SKEW;
    ok(decide(&resumed, r).outcome == MPK_TOKEN_EXPIRED, "R11: counted from the end of the suspension");

    r = request(MPK_EVENT_LINK_MINTED);
    memset(r.token_id, 6, MPK_ID_LEN);
    r.now = NOW + 50050;
    d = decide(&resumed, r);
    ok(mpk_order_link(&d.order, link) != NULL, "R11: a link that has time left keeps its slot");

    r = request(MPK_EVENT_CLAIM_OPENED);
    r.now = NOW + 50000 + WEEK;
    ok(decide(&resumed, r).outcome == MPK_DONE, "R6, R11: the time for claims begins anew");
    r.now++;
    ok(decide(&resumed, r).outcome == MPK_LATE, "R6, R11: and ends");

    /* many of them */

    order = viewed;

    for (i = 0; i < 3 * MPK_PAUSES_MAX; i++) {
        r = request(MPK_EVENT_SUSPENDED);
        r.now = NOW + 100 * (int64_t) (i + 1);
        order = decide(&order, r).order;
        r.event = MPK_EVENT_RESUMED;
        r.now += 10;
        order = decide(&order, r).order;
    }

    ok(order.pauses_count == MPK_PAUSES_MAX && mpk_order_until(&order, NOW, NOW + WEEK, NOW) == NOW + WEEK + 10 * MPK_PAUSES_MAX,
       "R11: of many suspensions the latest count");

    order = viewed;

    for (i = 0; i <= MPK_PAUSES_MAX; i++) {
        r = request(MPK_EVENT_SUSPENDED);
        r.now = i ? NOW + 500000 + 100 * (int64_t) i : NOW;
        order = decide(&order, r).order;
        r.event = MPK_EVENT_RESUMED;
        r.now += i ? 10 : 300000;
        order = decide(&order, r).order;

        ok(mpk_order_until(&order, NOW + 310000, NOW + 320000, r.now) == NOW + 320000, "R11: what has expired stays so, however many follow");
    }

    /* a clock that was ahead for one event, and is right again */

    r = request(MPK_EVENT_LINK_MINTED);
    memset(r.token_id, 8, MPK_ID_LEN);
    r.now = NOW + 60 * DAY;
    order = decide(&viewed, r).order;
    r = request(MPK_EVENT_SUSPENDED);
    r.now = NOW + 100;
    order = decide(&order, r).order;
    r.event = MPK_EVENT_RESUMED;
    r.now = NOW + 600;
    d = decide(&order, r);
    ok(d.outcome == MPK_DONE && mpk_order_until(&d.order, NOW, NOW + 1000, r.now) == NOW + 1500, "R11: a suspension after it counts as long as it was");
    r.now = NOW + 365 * DAY;
    r.earliest = NOW + 600;
    d = decide(&order, r);
    ok(d.outcome == MPK_DONE && mpk_order_until(&d.order, NOW, NOW + 1000, NOW + 600) == NOW + 1500, "R11: nor does one that is resumed by such a clock last a year");

    /* a used link that has expired makes no older one used that is still good */

    order = viewed;
    order.links_count = 0;
    r = request(MPK_EVENT_SUSPENDED);
    r.now = NOW + DAY;
    order = decide(&order, r).order;
    r.event = MPK_EVENT_RESUMED;
    r.now = NOW + 21 * DAY;
    order = decide(&order, r).order;
    r = request(MPK_EVENT_VIEWED);
    memset(r.token_id, 11, MPK_ID_LEN);
    r.iat = r.now = NOW + 21 * DAY;
    r.exp = r.iat + DAY;
    d = decide(&order, r);
    ok(d.outcome == MPK_DONE, "R11: a link made after the suspension is used");
    order = d.order;
    r = request(MPK_EVENT_LINK_MINTED);
    memset(r.token_id, 12, MPK_ID_LEN);
    r.iat = r.now = NOW + 23 * DAY;
    r.exp = r.iat + DAY;
    order = decide(&order, r).order;
    r = request(MPK_EVENT_VIEWED);
    memset(r.token_id, 13, MPK_ID_LEN);
    r.iat = NOW;
    r.exp = NOW + WEEK;
    r.now = NOW + 23 * DAY;
    ok(decide(&order, r).outcome == MPK_DONE, "R11: an older one that has time left is not taken for it");
    r.channel = MPK_CHANNEL_TRACK;
    ok(decide(&order, r).outcome == MPK_TOKEN_EXPIRED, "R11: the time of a page's link goes on");
}


int
main(void)
{
    file_it();

    test_suspension();

    return done_testing();
}
