/*
 * Withdrawals (R12): what is granted at once, what support judges, and that what was
 * withdrawn is shown no more; their encoding.
 */

#include "test_policy.h"


static const uint16_t  one[] = { 1 }, two[] = { 2 }, both[] = { 1, 2 }, none[] = { 4 };


static mpk_order_t
filed(mpk_event_t event)
{
    mpk_order_t  order;

    memset(&order, 0, sizeof(mpk_order_t));
    order.id = mpk_string("A-1");

    return after(&order, event);
}


static mpk_order_t
ready(void)
{
    mpk_order_t  order;

    order = filed(MPK_EVENT_FILED);

    return after(&order, MPK_EVENT_RELEASED);
}


/* A view of some items, by a link of its own. */
static mpk_request_t
view(const uint16_t *some, size_t count)
{
    mpk_request_t  r;

    r = request(MPK_EVENT_VIEWED);
    r.items = some;
    r.items_count = count;
    memset(r.token_id, (int) (20 + count + some[0]), MPK_ID_LEN);

    return r;
}


static mpk_request_t
statement(const uint16_t *some, size_t count)
{
    mpk_request_t  r;

    r = request(MPK_EVENT_WITHDRAWAL_STATED);
    r.items = some;
    r.items_count = count;

    return r;
}


/* The event that the statement is journaled as, and why it was not granted; -1: it was. */
static int
judged(const mpk_order_t *order, mpk_request_t r)
{
    mpk_decision_t  d;

    d = decide(order, r);

    if (d.outcome != MPK_DONE || d.withdrawal != d.order.withdrawals_count) {
        return -2;
    }

    return d.event == MPK_EVENT_WITHDRAWN ? -1 : (int) d.order.withdrawals[d.withdrawal - 1].why;
}


static void
test_granted(void)
{
    mpk_order_t     order, held, viewed;
    mpk_request_t   r;
    mpk_decision_t  d;

    order = ready();
    held = filed(MPK_EVENT_FILED);

    d = decide(&order, statement(NULL, 0));
    ok(d.outcome == MPK_DONE && d.event == MPK_EVENT_WITHDRAWN && d.items_count == 3 && d.left_count == 0
       && d.order.state == MPK_ORDER_WITHDRAWN && d.order.withdrawn_at == NOW && d.order.items[2].state == MPK_ITEM_WITHDRAWN
       && d.order.withdrawals[0].state == MPK_WITHDRAWAL_GRANTED && order.items[0].state == MPK_ITEM_NEW,
       "R12: a ready order that was never viewed is granted back at once");

    ok(decide(&d.order, statement(NULL, 0)).outcome == MPK_SAME, "R10: the same statement again is the same");
    r = statement(NULL, 0);
    r.token_id[0] = 1;
    ok(decide(&d.order, r).outcome == MPK_WITHDRAWN, "R12: there is nothing left to withdraw");

    ok(judged(&held, statement(NULL, 0)) == -1, "R12: so is a held one");

    d = decide(&held, statement(two, 1));
    ok(d.event == MPK_EVENT_WITHDRAWN && d.order.state == MPK_ORDER_HELD && d.order.items[1].state == MPK_ITEM_WITHDRAWN
       && d.order.items[0].state == MPK_ITEM_NEW, "R12: or one item of it");
    d.order = after(&d.order, MPK_EVENT_RELEASED);
    ok(d.order.state == MPK_ORDER_READY && d.order.items[1].state == MPK_ITEM_WITHDRAWN, "R12: which a release does not bring back");
    viewed = d.order;
    d = decide(&d.order, request(MPK_EVENT_VIEWED));
    ok(d.outcome == MPK_DONE && d.items_count == 2 && d.items[0] == 1 && d.items[1] == 3, "I11: a link to all shows the others alone");
    ok(decide(&viewed, view(two, 1)).outcome == MPK_WITHDRAWN, "I11: a link to it shows nothing");
    r = view(two, 1);
    r.event = MPK_EVENT_OPENED;
    ok(decide(&viewed, r).outcome == MPK_WITHDRAWN, "I11: nor has it a confirm page");
    r.event = MPK_EVENT_LINK_MINTED;
    ok(decide(&viewed, r).outcome == MPK_WITHDRAWN, "I11: nor is one minted");

    order.delivered_at = NOW - 10;
    ok(judged(&order, statement(NULL, 0)) == -1, "R12: delivery does not end the right, as it ends R5's");

    r = statement(NULL, 0);
    r.email_hash = wrong;
    ok(decide(&order, r).outcome == MPK_NOT_BUYER, "R12: it takes the order's email");
    r.email_hash = NULL;
    ok(decide(&order, r).outcome == MPK_NOT_BUYER, "R12: or none is as wrong");
    r.challenge_email = false;
    ok(judged(&order, r) == -1, "R12: support's word suffices without");
    ok(decide(&order, statement(none, 1)).outcome == MPK_NO_ITEM, "R12: an item that is not there can't be withdrawn");
}


static void
test_judged(void)
{
    int64_t         until;
    mpk_order_t     order, viewed, changed;
    mpk_request_t   r;
    mpk_decision_t  d;

    order = ready();
    viewed = decide(&order, view(one, 1)).order;

    d = decide(&viewed, statement(NULL, 0));
    ok(d.event == MPK_EVENT_WITHDRAWN && d.items_count == 2 && d.items[0] == 2 && d.items[1] == 3 && d.left_count == 1 && d.left[0] == 1
       && d.order.state == MPK_ORDER_READY && d.order.items[0].state == MPK_ITEM_VIEWED && d.order.withdrawals[0].state == MPK_WITHDRAWAL_OPEN
       && d.order.withdrawals[0].why == MPK_WHY_VIEWED, "R12: of an order that was viewed in part, the other items are granted");
    ok(judged(&viewed, statement(one, 1)) == MPK_WHY_VIEWED, "R12: a viewed key goes to support");
    ok(judged(&viewed, statement(two, 1)) == -1, "R12: another does not");

    changed = after(&viewed, MPK_EVENT_CUT_OFF);
    ok(judged(&changed, statement(one, 1)) == MPK_WHY_VIEWED, "R12: a view that was cut off counts as one");

    filing.imported = true;
    filing.state = MPK_ORDER_READY;
    filing.delivered_at = filing.first_viewed_at = NOW - 10;
    changed = filed(MPK_EVENT_IMPORTED);
    ok(judged(&changed, statement(NULL, 0)) == MPK_WHY_VIEWED, "R12: so does one from the shop's past");
    filing.first_viewed_at = 0;
    changed = filed(MPK_EVENT_IMPORTED);
    ok(judged(&changed, statement(NULL, 0)) == -1, "R12: an imported order that was not viewed is granted");
    filing.imported = false;
    filing.state = MPK_ORDER_HELD;
    filing.delivered_at = 0;

    r = request(MPK_EVENT_CLAIM_OPENED);
    changed = decide(&viewed, r).order;
    changed = after(&changed, MPK_EVENT_CLAIM_REPLACED);
    ok(changed.items[0].state == MPK_ITEM_NEW && judged(&changed, statement(one, 1)) == MPK_WHY_REPLACED,
       "R12: a used key that was replaced is not granted back");

    changed = order;
    changed.business = true;
    ok(judged(&changed, statement(NULL, 0)) == MPK_WHY_BUSINESS, "R12: a business has no such right");

    changed = decide(&order, request(MPK_EVENT_SUSPENDED)).order;
    ok(judged(&changed, statement(NULL, 0)) == MPK_WHY_SUSPENDED, "R12: a suspended order goes to support");
    r = request(MPK_EVENT_SUSPENDED);
    r.items = one;
    r.items_count = 1;
    changed = decide(&order, r).order;
    d = decide(&changed, statement(NULL, 0));
    ok(d.items_count == 2 && d.left_count == 1 && d.left[0] == 1, "R12: of one that is suspended in part, the suspended items do");

    changed = filed(MPK_EVENT_FILED);
    changed = after(&changed, MPK_EVENT_CANCELLED);
    ok(judged(&changed, statement(NULL, 0)) == MPK_WHY_CANCELLED, "R12: of a cancelled order, support judges the statement");

    /* bought on day 20000: in time on days 20000 to 20014, and on the next, for those whose day it still is */

    until = (20000 + 16) * (int64_t) DAY;
    r = statement(NULL, 0);
    r.now = until + 5 * DAY;
    r.stated_at = until - 1;
    ok(mpk_withdrawal_until(filing.purchased_at, DAYS) == until && judged(&order, r) == -1,
       "R12: 14 days after the day of purchase, and a day late rather than early");
    r.stated_at = until;
    ok(judged(&order, r) == MPK_WHY_LATE, "R12: after that it goes to support");
    r.withdrawal_days = DAYS + 1;
    ok(judged(&order, r) == -1, "R12: the shop can give more days");

    r.stated_at = order.purchased_at - 86400;
    ok(judged(&order, r) == -1, "R12: a shop's clock may be a day behind");
    r.stated_at--;
    ok(judged(&order, r) == MPK_WHY_EARLY, "R12: a date before the purchase is one for support");
    r = statement(NULL, 0);
    r.now = NOW + 1;
    r.stated_at = until;
    d = decide(&order, r);
    ok(d.event == MPK_EVENT_WITHDRAWN && d.order.withdrawals[0].stated_at == NOW + 1, "I12: no statement is dated in the future");
    r.stated_at = NOW - 5;
    ok(decide(&order, r).order.withdrawals[0].stated_at == NOW - 5, "I12: but when it was first received");
    ok(mpk_withdrawal_until(20000 * (int64_t) DAY, DAYS) == until && mpk_withdrawal_until(20001 * (int64_t) DAY - 1, DAYS) == until
       && mpk_withdrawal_until(20001 * (int64_t) DAY, DAYS) == until + DAY, "R12: days count, not hours");
}


static void
test_refused(void)
{
    mpk_order_t     order, viewed;
    mpk_request_t   r;
    mpk_decision_t  d;

    order = ready();
    viewed = decide(&order, view(both, 2)).order;

    r = statement(both, 2);
    r.withdrawal_refuse = true;
    r.consented_at = NOW;
    r.confirmed_at = NOW;

    d = decide(&viewed, r);
    ok(d.event == MPK_EVENT_WITHDRAWAL_REJECTED && d.items_count == 2 && d.order.withdrawals[0].state == MPK_WITHDRAWAL_REJECTED
       && d.order.items[0].state == MPK_ITEM_VIEWED, "R12: where both consents were confirmed before the view, it can be refused at once");

    r.withdrawal_refuse = false;
    ok(judged(&viewed, r) == MPK_WHY_VIEWED && decide(&viewed, r).event == MPK_EVENT_WITHDRAWAL_STATED, "R12: which is off unless it is on");
    r.withdrawal_refuse = true;
    r.confirmed_at = 0;
    ok(decide(&viewed, r).event == MPK_EVENT_WITHDRAWAL_STATED, "R12: not where nothing was confirmed");
    r.confirmed_at = NOW + 1;
    ok(decide(&viewed, r).event == MPK_EVENT_WITHDRAWAL_STATED, "R12: nor where it was confirmed after the view");
    r.confirmed_at = NOW;
    r.consented_at = 0;
    ok(decide(&viewed, r).event == MPK_EVENT_WITHDRAWAL_STATED, "R12: nor without consent");
    r.consented_at = NOW;
    viewed = decide(&order, view(one, 1)).order;
    d = decide(&viewed, r);
    ok(d.event == MPK_EVENT_WITHDRAWN && d.order.withdrawals[0].state == MPK_WITHDRAWAL_OPEN, "R12: nor the rest of what is granted in part");
    r.items = one;
    r.items_count = 1;
    viewed.items[0].state = MPK_ITEM_NEW;
    viewed.items[0].generation = 2;
    ok(decide(&viewed, r).event == MPK_EVENT_WITHDRAWAL_STATED, "R12: nor what is not viewed");
    viewed.items[0].state = MPK_ITEM_VIEWED;
    ok(decide(&viewed, r).event == MPK_EVENT_WITHDRAWAL_STATED, "R12: nor what was replaced: its first view can be older");
    viewed.items[0].generation = 1;
    ok(decide(&viewed, r).event == MPK_EVENT_WITHDRAWAL_REJECTED, "R12: only that");
}


static void
test_decided(void)
{
    size_t          i;
    mpk_order_t     order, open, accepted, rejected;
    mpk_request_t   r;
    mpk_decision_t  d;

    order = ready();
    order = decide(&order, view(both, 2)).order;
    open = decide(&order, statement(NULL, 0)).order;

    d = decide(&open, request(MPK_EVENT_WITHDRAWN));
    accepted = d.order;
    ok(d.outcome == MPK_DONE && d.items_count == 2 && d.items[0] == 1 && accepted.state == MPK_ORDER_WITHDRAWN
       && accepted.withdrawals[0].state == MPK_WITHDRAWAL_ACCEPTED && accepted.items[0].viewed_at, "R12: support accepts what was viewed, and R8 stays");
    ok(decide(&accepted, request(MPK_EVENT_WITHDRAWN)).outcome == MPK_SAME, "R10: once");
    r = request(MPK_EVENT_WITHDRAWN);
    r.withdrawal_digest.data = other;
    ok(decide(&accepted, r).outcome == MPK_DECIDED && decide(&accepted, request(MPK_EVENT_WITHDRAWAL_REJECTED)).outcome == MPK_DECIDED,
       "R12: an accepted withdrawal stays so");
    ok(decide(&accepted, view(both, 2)).outcome == MPK_WITHDRAWN, "I11: not even a repeat shows it");

    d = decide(&open, request(MPK_EVENT_WITHDRAWAL_REJECTED));
    rejected = d.order;
    ok(d.outcome == MPK_DONE && rejected.state == MPK_ORDER_READY && rejected.items[0].state == MPK_ITEM_VIEWED
       && rejected.items[2].state == MPK_ITEM_WITHDRAWN, "R12: support rejects it; what was granted at once stays granted");
    ok(decide(&rejected, request(MPK_EVENT_WITHDRAWAL_REJECTED)).outcome == MPK_SAME
       && decide(&rejected, request(MPK_EVENT_WITHDRAWN)).outcome == MPK_DECIDED, "R10: once");
    r = statement(NULL, 0);
    r.token_id[0] = 1;
    d = decide(&rejected, r);
    ok(d.outcome == MPK_DONE && d.withdrawal == 2 && d.items_count == 2, "R12: after that it can be stated again, as a withdrawal of its own");

    r = request(MPK_EVENT_WITHDRAWN);
    r.withdrawal = 0;
    ok(decide(&open, r).outcome == MPK_NO_WITHDRAWAL, "R12: withdrawals count from 1");
    r.withdrawal = 2;
    ok(decide(&open, r).outcome == MPK_NO_WITHDRAWAL, "R12: one that does not exist can't be decided");

    /* claims */

    order = decide(&open, request(MPK_EVENT_CLAIM_OPENED)).order;
    ok(order.claims_count == 1, "R6: a key can be reported while support judges its withdrawal");
    accepted = after(&order, MPK_EVENT_WITHDRAWN);
    ok(decide(&accepted, request(MPK_EVENT_CLAIM_REPLACED)).outcome == MPK_WITHDRAWN
       && decide(&accepted, request(MPK_EVENT_CLAIM_REFUNDED)).outcome == MPK_WITHDRAWN
       && decide(&accepted, request(MPK_EVENT_CLAIM_NEEDS_INFO)).outcome == MPK_WITHDRAWN
       && decide(&accepted, request(MPK_EVENT_CLAIM_REJECTED)).outcome == MPK_DONE, "R7: once it is accepted, its claims are only closed");

    order = ready();
    order = decide(&order, view(both, 2)).order;
    order = after(&order, MPK_EVENT_CLAIM_OPENED);
    order = decide(&order, statement(one, 1)).order;
    accepted = after(&order, MPK_EVENT_WITHDRAWN);
    ok(accepted.state == MPK_ORDER_READY && decide(&accepted, request(MPK_EVENT_CLAIM_REPLACED)).outcome == MPK_WITHDRAWN
       && decide(&accepted, request(MPK_EVENT_CLAIM_REJECTED)).outcome == MPK_DONE, "R7: also where other items are left");
    r = request(MPK_EVENT_CLAIM_OPENED);
    ok(decide(&accepted, (memset(r.token_id, 1, MPK_ID_LEN), r)).outcome == MPK_WITHDRAWN, "R6: nor is its key reported again");

    order = after(&order, MPK_EVENT_CLAIM_REFUNDED);
    ok(decide(&order, request(MPK_EVENT_WITHDRAWN)).outcome == MPK_REFUNDED
       && decide(&order, request(MPK_EVENT_WITHDRAWAL_REJECTED)).outcome == MPK_DONE, "R12: what was refunded meanwhile is not repaid again");
    r = statement(one, 1);
    r.token_id[0] = 1;
    ok(decide(&order, r).outcome == MPK_REFUNDED, "R12: nor stated again");
    order.items[1].state = MPK_ITEM_NEW;
    r.items_count = 0;
    d = decide(&order, r);
    ok(d.event == MPK_EVENT_WITHDRAWN && d.order.state == MPK_ORDER_WITHDRAWN && d.order.items[0].state == MPK_ITEM_REFUNDED,
       "R12: the order is withdrawn with its last item that was not refunded");

    /* bounds */

    order = ready();
    order = decide(&order, view(one, 1)).order;

    for (i = 0; i < MPK_WITHDRAWALS_MAX; i++) {
        r = statement(one, 1);
        r.token_id[0] = (uint8_t) i;
        d = decide(&order, r);
        order = d.order;
    }

    ok(d.outcome == MPK_DONE && order.withdrawals_count == MPK_WITHDRAWALS_MAX, "R12: an order has room for 64 statements");
    r.token_id[0]++;
    ok(decide(&order, r).outcome == MPK_CROWDED, "R12: and for no more");
    ok(decide(&order, statement(one, 1)).outcome == MPK_SAME, "R10: one of them again is still the same");
}


static void
test_withdrawn(void)
{
    mpk_order_t    order, part;
    mpk_request_t  r;

    r = request(MPK_EVENT_SUSPENDED);
    r.items = both;
    r.items_count = 2;
    order = ready();
    order = decide(&order, r).order;
    part = decide(&order, statement(one, 1)).order;
    part = after(&part, MPK_EVENT_WITHDRAWN);
    ok(part.suspended_at && !part.items[0].suspended && part.items[1].suspended, "R11: of a suspended order the items that are left stay suspended");
    part = decide(&order, statement(both, 2)).order;
    r = request(MPK_EVENT_WITHDRAWN);
    r.now = r.earliest = NOW + 50;
    part = decide(&part, r).order;
    ok(part.state == MPK_ORDER_READY && part.suspended_at == 0 && !part.items[1].suspended && part.pauses_count == 1
       && part.pauses[0].from == NOW && part.pauses[0].to == NOW + 50, "R11: with its last suspended item it is not suspended any more, and its times run again");

    order = ready();
    order = after(&order, MPK_EVENT_SUSPENDED);
    order = decide(&order, statement(NULL, 0)).order;
    order = after(&order, MPK_EVENT_WITHDRAWN);
    ok(order.state == MPK_ORDER_WITHDRAWN && order.suspended_at == 0, "R11: a withdrawn order is not suspended any more");
    order = after(&order, MPK_EVENT_ERASED);
    ok(order.withdrawn_at == NOW && order.withdrawals_count == 0, "an erased order says when it was withdrawn, and no more");
    ok(decide(&order, statement(NULL, 0)).outcome == MPK_ERASED && decide(&order, request(MPK_EVENT_WITHDRAWN)).outcome == MPK_ERASED,
       "nor can it be again");

    memset(&order, 0, sizeof(mpk_order_t));
    ok(decide(&order, statement(NULL, 0)).outcome == MPK_ABSENT && decide(&order, request(MPK_EVENT_WITHDRAWAL_REJECTED)).outcome == MPK_ABSENT,
       "nor an order that is not there");
}


static void
test_encoding(void)
{
    size_t             i, count;
    mpk_buf_t          buf;
    mpk_str_t          value;
    mpk_stated_t       stated, again;
    mpk_medium_t       medium;
    mpk_withdrawal_t  *read, w[2];

    static const uint16_t  zero[] = { 0 };

    memset(w, 0, sizeof(w));
    w[0].state = MPK_WITHDRAWAL_REJECTED;
    w[0].medium = MPK_MEDIUM_LETTER;
    w[0].why = MPK_WHY_SUSPENDED;
    w[0].stated_at = NOW;
    w[0].granted = both;
    w[0].granted_count = 2;
    w[0].items = one;
    w[0].items_count = 1;
    w[0].digest = mpk_string("digest");
    w[0].detail = mpk_string("detail");
    memset(w[0].id, 3, MPK_WITHDRAWAL_ID_LEN);

    mpk_buf_init(&buf, &test_mem, 0);
    mpk_withdrawals_write(w, 2, &buf);
    value = mpk_buf_done(&buf);

    ok(mpk_withdrawals_read(&test_mem, value, 3, &read, &count) == MPK_OK && count == 2 && read[0].state == MPK_WITHDRAWAL_REJECTED
       && read[0].medium == MPK_MEDIUM_LETTER && read[0].why == MPK_WHY_SUSPENDED && read[0].stated_at == NOW && read[0].granted[1] == 2
       && read[0].items_count == 1 && read[0].id[15] == 3 && mpk_str_eq(read[0].detail, mpk_string("detail")) && read[1].items_count == 0,
       "withdrawals are read as they were written");
    ok(mpk_withdrawals_read(&test_mem, value, 1, &read, &count) == MPK_MALFORMED, "not those of items that are not there");

    for (i = 0; i < value.len; i++) {
        if (mpk_withdrawals_read(&test_mem, (mpk_str_t) { i, value.data }, 3, &read, &count) != MPK_MALFORMED) {
            break;
        }
    }

    ok(i == value.len, "nor cut off anywhere");
    ok(mpk_withdrawals_read(&test_mem, (mpk_str_t) { 0, NULL }, 3, &read, &count) == MPK_OK && count == 0, "no field: none");

    w[1].items = zero;
    w[1].items_count = 1;
    mpk_buf_init(&buf, &test_mem, 0);
    mpk_withdrawals_write(w, 2, &buf);
    ok(mpk_withdrawals_read(&test_mem, mpk_buf_done(&buf), 3, &read, &count) == MPK_MALFORMED, "items count from 1");

    stated = (mpk_stated_t) { mpk_string("Ann"), mpk_string("ann@example.com"), mpk_string("by letter"), mpk_string("") };
    mpk_buf_init(&buf, &test_mem, 0);
    mpk_stated_write(&stated, &buf);
    ok(mpk_stated_read(mpk_buf_done(&buf), &again) == MPK_OK && mpk_str_eq(again.email, stated.email) && mpk_str_eq(again.note, stated.note),
       "the personal part is read as it was written");

    for (i = 0; i < MPK_MEDIUM_MAX; i++) {
        ok(mpk_medium_find(mpk_medium_name(i), &medium) && medium == i, "a medium is found by its name");
    }

    ok(!mpk_medium_find(mpk_string("fax"), &medium), "another is not");

    for (i = 0; i < MPK_WITHDRAWAL_STATE_MAX; i++) {
        ok(mpk_withdrawal_state_name(i).len != 0, "each state has a name");
    }

    for (i = MPK_WHY_NONE + 1; i < MPK_WHY_MAX; i++) {
        ok(mpk_why_name(i).len != 0, "each reason has a name");
    }
}


int
main(void)
{
    file_it();

    test_granted();
    test_judged();
    test_refused();
    test_decided();
    test_withdrawn();
    test_encoding();

    return done_testing();
}
