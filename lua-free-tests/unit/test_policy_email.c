/* Corrections of the billing email: whom what is shown to, and when. */

#include "test_policy.h"


static void
test_email(void)
{
    size_t          i;
    uint16_t        one[1] = { 1 };
    mpk_order_t     order, viewed, held, pending;
    mpk_request_t   r, change;
    mpk_decision_t  d;

    /* at once */

    viewed = reach(VIEWED);
    change = request(MPK_EVENT_EMAIL_CHANGED);
    d = decide(&viewed, change);
    held = d.order;
    ok(d.correction == 1 && mpk_str_eq(mpk_order_email(&held, NOW), (mpk_str_t) { MPK_MAC_LEN, corrected })
       && viewed.corrections_count == 0, "a corrected email holds at once");
    ok(held.links_count == 1 && held.links[0].revoked && !viewed.links[0].revoked, "links handed out for the old one are closed");

    d = decide(&held, change);
    ok(d.outcome == MPK_SAME && d.correction == 1, "R10: the same again changes nothing");

    r = request(MPK_EVENT_LINK_MINTED);
    memset(r.token_id, 6, MPK_ID_LEN);
    ok(decide(&held, r).outcome == MPK_WITHHELD, "no link to what was viewed is minted");
    change.show_viewed = true;
    d = decide(&held, change);
    ok(d.outcome == MPK_DONE && d.event == MPK_EVENT_EMAIL_CHANGED && d.correction == 1, "the shop can show it later");
    order = decide(&d.order, r).order;
    ok(order.links_count == 2 && !order.links[1].revoked, "then one is");

    r = request(MPK_EVENT_VIEWED);
    memset(r.token_id, 6, MPK_ID_LEN);
    ok(decide(&order, r).outcome == MPK_CHALLENGE, "a link wants the new address");
    r.email_hash = corrected;
    ok(decide(&order, r).outcome == MPK_DONE, "and shows the key to it");
    memset(r.token_id, 5, MPK_ID_LEN);
    ok(decide(&order, r).outcome == MPK_REVOKED, "the old link shows it to nobody");

    /* links that the order does not know */

    order = decide(&viewed, change).order;
    memset(r.token_id, 12, MPK_ID_LEN);
    r.iat = NOW - 1;
    ok(decide(&order, r).outcome == MPK_REVOKED, "an unregistered link of before is closed");
    r.event = MPK_EVENT_OPENED;
    ok(decide(&order, r).outcome == MPK_REVOKED, "also when it is opened");
    r.event = MPK_EVENT_VIEWED;
    r.iat = NOW;
    ok(decide(&order, r).outcome == MPK_DONE, "one that was signed after it is not");
    r.channel = MPK_CHANNEL_TRACK;
    ok(decide(&order, r).outcome == MPK_REVOKED, "a page's link of that second is");
    r.iat = NOW + 1;
    ok(decide(&order, r).outcome == MPK_DONE, "a later one is not");
    r.channel = MPK_CHANNEL_ONSCREEN;
    r.iat = NOW - 1;
    ok(decide(&order, r).outcome == MPK_DONE, "what the shop puts on screen is no link");
    ok(decide(&held, r).outcome == MPK_DONE, "and is not of an address");

    r = request(MPK_EVENT_LINK_MINTED);
    memset(r.token_id, 5, MPK_ID_LEN);
    ok(decide(&order, r).outcome == MPK_REVOKED, "R10: a closed link is not minted again");
    memset(r.token_id, 6, MPK_ID_LEN);
    r.iat = NOW - 50;
    d = decide(&order, r);
    r.event = MPK_EVENT_OPENED;
    ok(decide(&d.order, r).outcome == MPK_DONE, "one that is minted by a clock that was put back is good");

    /* after a hold */

    change = request(MPK_EVENT_EMAIL_CHANGED);
    change.email_hold = DAY;
    d = decide(&viewed, change);
    pending = d.order;
    ok(d.outcome == MPK_DONE && pending.links[0].revoked, "the old links are closed at the call, also if it is held");
    ok(mpk_order_correction_pending(&pending, NOW + DAY - 1) == 1 && mpk_order_correction(&pending, NOW + DAY - 1) == 0
       && mpk_order_correction_pending(&pending, NOW + DAY) == 0 && mpk_order_correction(&pending, NOW + DAY) == 1, "it holds to the second");
    ok(decide(&pending, change).outcome == MPK_SAME, "R10: the same again does not hold it longer");

    r = request(MPK_EVENT_LINK_MINTED);
    memset(r.token_id, 6, MPK_ID_LEN);
    r.iat = r.now = NOW + 10;
    r.exp = NOW + WEEK;
    order = decide(&pending, r).order;
    r = request(MPK_EVENT_VIEWED);
    memset(r.token_id, 6, MPK_ID_LEN);
    r.iat = NOW + 10;
    r.exp = NOW + WEEK;
    r.now = NOW + DAY - 1;
    ok(decide(&order, r).outcome == MPK_DONE, "a link that is minted meanwhile is for the old address");
    r.now = NOW + DAY;
    r.email_hash = corrected;
    ok(decide(&order, r).outcome == MPK_WITHHELD, "and shows nothing that was viewed once the new one holds");
    order.items[0].state = MPK_ITEM_NEW;
    ok(decide(&order, r).outcome == MPK_REVOKED, "nor anything else");

    r = request(MPK_EVENT_CLAIM_OPENED);
    r.now = NOW + DAY;
    ok(decide(&pending, r).outcome == MPK_NOT_BUYER, "the old address reports no key any more");
    r.email_hash = corrected;
    ok(decide(&pending, r).outcome == MPK_DONE, "the new one does");
    r.now = NOW + DAY - 1;
    ok(decide(&pending, r).outcome == MPK_NOT_BUYER, "and not before it holds");

    /* stopped */

    r = request(MPK_EVENT_EMAIL_KEPT);
    r.email_hash = corrected;
    ok(decide(&pending, r).outcome == MPK_NOT_BUYER, "the new address can't stop it");
    r.email_hash = NULL;
    ok(decide(&pending, r).outcome == MPK_NOT_BUYER, "nor nobody");
    r.email_hash = hash;
    d = decide(&pending, r);
    ok(d.outcome == MPK_DONE && d.event == MPK_EVENT_EMAIL_KEPT && d.correction == 1, "the old one stops it");
    ok(mpk_order_correction(&d.order, NOW + WEEK) == 0, "for good");
    ok(decide(&d.order, r).outcome == MPK_SAME, "R10: and again");
    ok(decide(&d.order, change).outcome == MPK_DONE, "it can be asked for again");
    r.now = NOW + DAY;
    ok(decide(&pending, r).outcome == MPK_NOT_BUYER, "not when it holds");

    r = request(MPK_EVENT_EMAIL_CHANGED);
    r.email_hash = hash;
    r.email_hold = DAY;
    d = decide(&pending, r);
    ok(d.outcome == MPK_DONE && d.event == MPK_EVENT_EMAIL_KEPT && d.order.corrections_count == 1, "support stops it by naming the old one");
    d = decide(&d.order, r);
    ok(d.outcome == MPK_SAME && d.correction == 0, "R10: and again");
    r.email_hash = wrong;
    d = decide(&pending, r);
    ok(d.outcome == MPK_DONE && d.correction == 2 && d.order.corrections[0].stopped, "a third address takes its place");
    ok(mpk_order_correction(&d.order, NOW + WEEK) == 2, "and holds alone");

    change.email_hold = 0;
    change.now = NOW + 5;
    d = decide(&pending, change);
    ok(d.outcome == MPK_DONE && d.event == MPK_EVENT_EMAIL_CHANGED && mpk_order_correction(&d.order, NOW + 5) == 1
       && d.order.corrections_count == 1, "the shop ends the hold");
    ok(decide(&d.order, change).outcome == MPK_SAME, "R10: and again");

    /* which keys */

    order = reach(DELIVERED);
    r = request(MPK_EVENT_VIEWED);
    r.items = one;
    r.items_count = 1;
    memset(r.token_id, 21, MPK_ID_LEN);
    order = decide(&order, r).order;
    change = request(MPK_EVENT_EMAIL_CHANGED);
    order = decide(&order, change).order;
    r = request(MPK_EVENT_VIEWED);
    r.iat = NOW;
    r.email_hash = corrected;
    memset(r.token_id, 22, MPK_ID_LEN);
    d = decide(&order, r);
    ok(d.outcome == MPK_DONE && d.items_count == 2 && d.items[0] == 2, "a link to several shows those that were not viewed before");
    order = d.order;
    ok(order.items[0].viewed_under == 0 && order.items[1].viewed_under == 1, "it is kept which address saw what");
    d = decide(&order, r);
    ok(d.outcome == MPK_DONE && d.event == MPK_EVENT_REPEATED && d.items_count == 2, "R3: and again");

    change.email_hash = wrong;
    held = decide(&order, change).order;
    ok(mpk_order_withheld(&held, &held.items[0], NOW) && mpk_order_withheld(&held, &held.items[1], NOW), "the next address sees neither");
    change.email_hash = hash;
    held = decide(&order, change).order;
    ok(mpk_order_withheld(&held, &held.items[0], NOW), "nor the first one, if it comes back");

    r = request(MPK_EVENT_CLAIM_OPENED);
    r.email_hash = corrected;
    held = decide(&order, r).order;
    held = decide(&held, request(MPK_EVENT_CLAIM_REPLACED)).order;
    ok(!mpk_order_withheld(&held, &held.items[0], NOW), "a replacement is shown");

    /* its bound */

    order = viewed;
    change.email_hold = DAY;

    for (i = 0; i < MPK_CORRECTIONS_HELD; i++) {
        change.email_hash = i % 2 ? wrong : corrected;
        d = decide(&order, change);
        order = d.order;
    }

    change.email_hash = i % 2 ? wrong : corrected;
    ok(d.outcome == MPK_DONE && decide(&order, change).outcome == MPK_EXHAUSTED, "support can't use up all corrections");
    change.email_hold = 0;

    for (/* void */; i < MPK_CORRECTIONS_MAX; i++) {
        change.email_hash = i % 2 ? wrong : corrected;
        d = decide(&order, change);
        order = d.order;
    }

    ok(d.outcome == MPK_DONE && order.corrections_count == MPK_CORRECTIONS_MAX, "an email can be corrected some times");
    change.email_hash = hash;
    ok(decide(&order, change).outcome == MPK_EXHAUSTED, "and not more");
}


int
main(void)
{
    file_it();

    test_email();

    return done_testing();
}
