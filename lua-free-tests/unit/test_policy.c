/*
 * The rules R1 to R12, against a table written from the shop's policy: every event in
 * every state that an order can reach; then what is special to a rule; then thousands
 * of random events that must keep what can never change.
 */

#include "mpk_journal.h"
#include "test_policy.h"


static const char  *state_names[STATES] = {
    "absent", "held", "ready", "delivered", "viewed", "cancelled",
    "reported", "asked about", "replaced", "refunded", "rejected", "erased", "suspended", "resumed", "withdrawn"
};


static void
test_table(void)
{
    char            name[160];
    size_t          e, s;
    mpk_order_t     order;
    mpk_decision_t  d;

    /* what the policy says, event by state */

    static const struct {
        mpk_event_t    event;
        mpk_outcome_t  in[STATES];
    } table[] = {
        /*                         absent      held        ready       delivered   viewed      cancelled
                                   reported    asked       replaced    refunded    rejected    erased      suspended   resumed     withdrawn */
        { MPK_EVENT_FILED,       { MPK_DONE, MPK_SAME, MPK_SAME, MPK_SAME, MPK_SAME, MPK_SAME,
                                   MPK_SAME, MPK_SAME, MPK_SAME, MPK_SAME, MPK_SAME, MPK_ERASED, MPK_SAME, MPK_SAME, MPK_SAME } },
        { MPK_EVENT_IMPORTED,    { MPK_DONE, MPK_SAME, MPK_SAME, MPK_SAME, MPK_SAME, MPK_SAME,
                                   MPK_SAME, MPK_SAME, MPK_SAME, MPK_SAME, MPK_SAME, MPK_ERASED, MPK_SAME, MPK_SAME, MPK_SAME } },
        { MPK_EVENT_RELEASED,    { MPK_ABSENT, MPK_DONE, MPK_SAME, MPK_SAME, MPK_SAME, MPK_CANCELLED,
                                   MPK_SAME, MPK_SAME, MPK_SAME, MPK_SAME, MPK_SAME, MPK_ERASED, MPK_SAME, MPK_SAME, MPK_WITHDRAWN } },
        { MPK_EVENT_CANCELLED,   { MPK_ABSENT, MPK_DONE, MPK_DONE, MPK_DELIVERED, MPK_DELIVERED, MPK_SAME,
                                   MPK_DELIVERED, MPK_DELIVERED, MPK_DELIVERED, MPK_DELIVERED, MPK_DELIVERED, MPK_ERASED, MPK_DELIVERED, MPK_DELIVERED, MPK_WITHDRAWN } },
        { MPK_EVENT_LINK_MINTED, { MPK_ABSENT, MPK_HELD, MPK_DONE, MPK_DONE, MPK_DONE, MPK_CANCELLED,
                                   MPK_DONE, MPK_DONE, MPK_DONE, MPK_DONE, MPK_DONE, MPK_ERASED, MPK_SUSPENDED, MPK_DONE, MPK_WITHDRAWN } },
        { MPK_EVENT_LINK_REVOKED, { MPK_ABSENT, MPK_NO_LINK, MPK_NO_LINK, MPK_NO_LINK, MPK_NO_LINK, MPK_NO_LINK,
                                   MPK_NO_LINK, MPK_NO_LINK, MPK_NO_LINK, MPK_NO_LINK, MPK_NO_LINK, MPK_ERASED, MPK_NO_LINK, MPK_NO_LINK, MPK_NO_LINK } },
        { MPK_EVENT_OPENED,      { MPK_ABSENT, MPK_HELD, MPK_DONE, MPK_DONE, MPK_DONE, MPK_CANCELLED,
                                   MPK_DONE, MPK_DONE, MPK_DONE, MPK_DONE, MPK_DONE, MPK_ERASED, MPK_SUSPENDED, MPK_DONE, MPK_WITHDRAWN } },
        { MPK_EVENT_VIEWED,      { MPK_ABSENT, MPK_HELD, MPK_DONE, MPK_DONE, MPK_DONE, MPK_CANCELLED,
                                   MPK_DONE, MPK_DONE, MPK_DONE, MPK_DONE, MPK_DONE, MPK_ERASED, MPK_SUSPENDED, MPK_DONE, MPK_WITHDRAWN } },
        { MPK_EVENT_CUT_OFF,     { MPK_ABSENT, MPK_DONE, MPK_DONE, MPK_DONE, MPK_DONE, MPK_DONE,
                                   MPK_DONE, MPK_DONE, MPK_DONE, MPK_DONE, MPK_DONE, MPK_ERASED, MPK_DONE, MPK_DONE, MPK_DONE } },
        { MPK_EVENT_NONE,        { MPK_ABSENT, MPK_SAME, MPK_SAME, MPK_SAME, MPK_SAME, MPK_SAME,
                                   MPK_SAME, MPK_SAME, MPK_SAME, MPK_SAME, MPK_SAME, MPK_SAME, MPK_SAME, MPK_SAME, MPK_SAME } },
        { MPK_EVENT_CLAIM_OPENED,
                                 { MPK_ABSENT, MPK_UNDELIVERED, MPK_UNDELIVERED, MPK_DONE, MPK_DONE, MPK_CANCELLED,
                                   MPK_CLAIMED, MPK_CLAIMED, MPK_DONE, MPK_REFUNDED, MPK_DONE, MPK_ERASED, MPK_SUSPENDED, MPK_DONE, MPK_WITHDRAWN } },
        { MPK_EVENT_CLAIM_NEEDS_INFO,
                                 { MPK_ABSENT, MPK_NO_CLAIM, MPK_NO_CLAIM, MPK_NO_CLAIM, MPK_NO_CLAIM, MPK_NO_CLAIM,
                                   MPK_DONE, MPK_SAME, MPK_DECIDED, MPK_DECIDED, MPK_DECIDED, MPK_ERASED, MPK_NO_CLAIM, MPK_NO_CLAIM, MPK_WITHDRAWN } },
        { MPK_EVENT_CLAIM_REPLACED,
                                 { MPK_ABSENT, MPK_NO_CLAIM, MPK_NO_CLAIM, MPK_NO_CLAIM, MPK_NO_CLAIM, MPK_NO_CLAIM,
                                   MPK_DONE, MPK_DONE, MPK_SAME, MPK_DECIDED, MPK_DECIDED, MPK_ERASED, MPK_NO_CLAIM, MPK_NO_CLAIM, MPK_WITHDRAWN } },
        { MPK_EVENT_CLAIM_REFUNDED,
                                 { MPK_ABSENT, MPK_NO_CLAIM, MPK_NO_CLAIM, MPK_NO_CLAIM, MPK_NO_CLAIM, MPK_NO_CLAIM,
                                   MPK_DONE, MPK_DONE, MPK_DECIDED, MPK_SAME, MPK_DECIDED, MPK_ERASED, MPK_NO_CLAIM, MPK_NO_CLAIM, MPK_WITHDRAWN } },
        { MPK_EVENT_CLAIM_REJECTED,
                                 { MPK_ABSENT, MPK_NO_CLAIM, MPK_NO_CLAIM, MPK_NO_CLAIM, MPK_NO_CLAIM, MPK_NO_CLAIM,
                                   MPK_DONE, MPK_DONE, MPK_DECIDED, MPK_DECIDED, MPK_SAME, MPK_ERASED, MPK_NO_CLAIM, MPK_NO_CLAIM, MPK_NO_CLAIM } },
        { MPK_EVENT_CLAIM_ANSWERED,
                                 { MPK_ABSENT, MPK_NO_CLAIM, MPK_NO_CLAIM, MPK_NO_CLAIM, MPK_NO_CLAIM, MPK_NO_CLAIM,
                                   MPK_CLAIMED, MPK_DONE, MPK_DECIDED, MPK_DECIDED, MPK_DECIDED, MPK_ERASED, MPK_NO_CLAIM, MPK_NO_CLAIM, MPK_WITHDRAWN } },
        { MPK_EVENT_CLAIM_FILES,
                                 { MPK_ABSENT, MPK_NO_CLAIM, MPK_NO_CLAIM, MPK_NO_CLAIM, MPK_NO_CLAIM, MPK_NO_CLAIM,
                                   MPK_DONE, MPK_DONE, MPK_DECIDED, MPK_DECIDED, MPK_DECIDED, MPK_ERASED, MPK_NO_CLAIM, MPK_NO_CLAIM, MPK_WITHDRAWN } },
        { MPK_EVENT_CLAIM_NOTE,
                                 { MPK_ABSENT, MPK_NO_CLAIM, MPK_NO_CLAIM, MPK_NO_CLAIM, MPK_NO_CLAIM, MPK_NO_CLAIM,
                                   MPK_DONE, MPK_DONE, MPK_DONE, MPK_DONE, MPK_DONE, MPK_ERASED, MPK_NO_CLAIM, MPK_NO_CLAIM, MPK_NO_CLAIM } },
        { MPK_EVENT_ERASED,      { MPK_ABSENT, MPK_DONE, MPK_DONE, MPK_DONE, MPK_DONE, MPK_DONE,
                                   MPK_DONE, MPK_DONE, MPK_DONE, MPK_DONE, MPK_DONE, MPK_SAME, MPK_DONE, MPK_DONE, MPK_DONE } },
        { MPK_EVENT_SUSPENDED,   { MPK_ABSENT, MPK_HELD, MPK_DONE, MPK_DONE, MPK_DONE, MPK_CANCELLED,
                                   MPK_DONE, MPK_DONE, MPK_DONE, MPK_DONE, MPK_DONE, MPK_ERASED, MPK_SAME, MPK_DONE, MPK_WITHDRAWN } },
        { MPK_EVENT_RESUMED,     { MPK_ABSENT, MPK_NOT_SUSPENDED, MPK_NOT_SUSPENDED, MPK_NOT_SUSPENDED, MPK_NOT_SUSPENDED, MPK_CANCELLED,
                                   MPK_NOT_SUSPENDED, MPK_NOT_SUSPENDED, MPK_NOT_SUSPENDED, MPK_NOT_SUSPENDED, MPK_NOT_SUSPENDED, MPK_ERASED, MPK_DONE, MPK_SAME, MPK_WITHDRAWN } },
        { MPK_EVENT_EMAIL_CHANGED,
                                 { MPK_ABSENT, MPK_DONE, MPK_DONE, MPK_DONE, MPK_DONE, MPK_CANCELLED,
                                   MPK_DONE, MPK_DONE, MPK_DONE, MPK_DONE, MPK_DONE, MPK_ERASED, MPK_DONE, MPK_DONE, MPK_WITHDRAWN } },
        { MPK_EVENT_EMAIL_KEPT,  { MPK_ABSENT, MPK_SAME, MPK_SAME, MPK_SAME, MPK_SAME, MPK_SAME,
                                   MPK_SAME, MPK_SAME, MPK_SAME, MPK_SAME, MPK_SAME, MPK_ERASED, MPK_SAME, MPK_SAME, MPK_SAME } },
        { MPK_EVENT_WITHDRAWAL_STATED,
                                 { MPK_ABSENT, MPK_DONE, MPK_DONE, MPK_DONE, MPK_DONE, MPK_DONE,
                                   MPK_DONE, MPK_DONE, MPK_DONE, MPK_DONE, MPK_DONE, MPK_ERASED, MPK_DONE, MPK_DONE, MPK_SAME } },
        { MPK_EVENT_WITHDRAWN,
                                 { MPK_ABSENT, MPK_NO_WITHDRAWAL, MPK_NO_WITHDRAWAL, MPK_NO_WITHDRAWAL, MPK_NO_WITHDRAWAL, MPK_NO_WITHDRAWAL,
                                   MPK_NO_WITHDRAWAL, MPK_NO_WITHDRAWAL, MPK_NO_WITHDRAWAL, MPK_NO_WITHDRAWAL, MPK_NO_WITHDRAWAL, MPK_ERASED, MPK_NO_WITHDRAWAL, MPK_NO_WITHDRAWAL, MPK_DECIDED } },
        { MPK_EVENT_WITHDRAWAL_REJECTED,
                                 { MPK_ABSENT, MPK_NO_WITHDRAWAL, MPK_NO_WITHDRAWAL, MPK_NO_WITHDRAWAL, MPK_NO_WITHDRAWAL, MPK_NO_WITHDRAWAL,
                                   MPK_NO_WITHDRAWAL, MPK_NO_WITHDRAWAL, MPK_NO_WITHDRAWAL, MPK_NO_WITHDRAWAL, MPK_NO_WITHDRAWAL, MPK_ERASED, MPK_NO_WITHDRAWAL, MPK_NO_WITHDRAWAL, MPK_DECIDED } },
    };

    for (e = 0; e < sizeof(table) / sizeof(table[0]); e++) {
        for (s = 0; s < STATES; s++) {
            order = reach((state_t) s);
            d = decide(&order, request(table[e].event));

            (void) snprintf(name, sizeof(name), "%.*s of an order that is %s: %.*s",
                            (int) mpk_event_name(table[e].event).len,
                            (const char *) mpk_event_name(table[e].event).data,
                            state_names[s],
                            (int) mpk_outcome_info(table[e].in[s])->name.len,
                            (const char *) mpk_outcome_info(table[e].in[s])->name.data);

            ok(d.outcome == table[e].in[s]
               && d.order.revision == order.revision + (d.outcome == MPK_DONE), name);
        }
    }
}


static void
test_rules(void)
{
    size_t          i;
    uint16_t        two[2] = { 1, 3 }, bad[1] = { 4 };
    mpk_str_t       fit[MPK_FIT_MAX];
    mpk_order_t     order, viewed;
    mpk_request_t   r;
    mpk_decision_t  d;

    /* R3 */

    order = reach(READY);
    viewed = decide(&order, request(MPK_EVENT_VIEWED)).order;

    r = request(MPK_EVENT_VIEWED);
    d = decide(&viewed, r);
    ok(d.outcome == MPK_DONE && d.event == MPK_EVENT_REPEATED && d.items_count == 3,
       "R3: the same nonce within the grace is a repeat of the same items");
    ok(d.order.views == viewed.views && d.order.first_viewed_at == viewed.first_viewed_at,
       "R3: a repeat is not a second view");

    r.now = NOW + GRACE;
    r.exp = NOW + 1;
    ok(decide(&viewed, r).event == MPK_EVENT_REPEATED, "R3: also when the link has expired since");

    r.now = NOW + GRACE + 1;
    ok(decide(&viewed, r).outcome == MPK_USED, "R3: after the grace it is used");

    r.renews = true;
    r.exp = NOW + GRACE + 600;
    d = decide(&viewed, r);
    ok(d.outcome == MPK_DONE && d.event == MPK_EVENT_VIEWED && d.order.views == viewed.views + 1
       && d.link->used_at == r.now && d.order.first_viewed_at == viewed.first_viewed_at,
       "R4: the on-screen page gives a new view after the grace");

    r.now = NOW + GRACE;
    ok(decide(&viewed, r).event == MPK_EVENT_REPEATED, "R4: and a repeat within it");

    r = request(MPK_EVENT_VIEWED);
    r.nonce_fresh = false;
    ok(decide(&viewed, r).event == MPK_EVENT_REPEATED, "R3: a repeat needs no fresh nonce");

    r.nonce[0] ^= 1;
    ok(decide(&viewed, r).outcome == MPK_USED, "R3: another nonce gets nothing");

    r = request(MPK_EVENT_VIEWED);
    r.email_hash = wrong;
    ok(decide(&viewed, r).outcome == MPK_CHALLENGE, "R3: a repeat passes the challenge");

    viewed.items[1].generation = 2;
    viewed.items[1].since = viewed.revision + 1;
    viewed.items[1].state = MPK_ITEM_NEW;
    r = request(MPK_EVENT_VIEWED);
    r.consent_asked = r.consent_given = MPK_CONSENT_SUPPLY;
    d = decide(&viewed, r);
    ok(d.items_count == 2 && d.items[0] == 1 && d.items[1] == 3,
       "R3: a key that has replaced one since is not part of a repeat");
    ok(d.consent == 0, "which needs no consent, and records none");
    viewed.items[1].state = MPK_ITEM_VIEWED;

    ok(decide(&viewed, request(MPK_EVENT_OPENED)).outcome == MPK_USED, "R3: a used link is used when opened, too");

    /* bounds */

    d.order = decide(&order, request(MPK_EVENT_VIEWED)).order;
    for (i = 0; i < MPK_REPEATS_MAX; i++) {
        d = decide(&d.order, request(MPK_EVENT_VIEWED));
    }
    ok(d.outcome == MPK_DONE && d.event == MPK_EVENT_REPEATED, "R3: a view can be repeated twenty times");
    d = decide(&d.order, request(MPK_EVENT_VIEWED));
    ok(d.outcome == MPK_EXHAUSTED && d.retry_at == NOW + GRACE + 1, "R3: and no more, until the grace has ended");

    viewed = order;
    viewed.day = (uint64_t) (NOW / 86400);
    viewed.day_views = MPK_DAY_VIEWS_MAX - 1;
    d = decide(&viewed, request(MPK_EVENT_VIEWED));
    ok(d.outcome == MPK_DONE && d.order.day_views == MPK_DAY_VIEWS_MAX, "an order has so many views in a day");
    d = decide(&d.order, request(MPK_EVENT_VIEWED));
    ok(d.outcome == MPK_EXHAUSTED && d.retry_at == (NOW / 86400 + 1) * 86400, "repeats among them, and no more until the next");
    viewed.day_views = MPK_DAY_VIEWS_MAX;
    ok(decide(&viewed, request(MPK_EVENT_VIEWED)).outcome == MPK_EXHAUSTED, "nor views");
    viewed.day--;
    ok(decide(&viewed, request(MPK_EVENT_VIEWED)).order.day_views == 1, "a new day counts anew");

    viewed = order;
    viewed.revision = MPK_ENTRIES_CUSTOMER_MAX - 1;
    ok(decide(&viewed, request(MPK_EVENT_VIEWED)).outcome == MPK_DONE, "a journal has room for 3500 entries");
    viewed.revision++;
    d = decide(&viewed, request(MPK_EVENT_VIEWED));
    ok(d.outcome == MPK_EXHAUSTED && d.retry_at == 0, "and for no more by customers");
    ok(decide(&viewed, request(MPK_EVENT_OPENED)).outcome == MPK_SAME
       && decide(&viewed, request(MPK_EVENT_CUT_OFF)).outcome == MPK_SAME, "what says least is left out");
    ok(decide(&viewed, request(MPK_EVENT_LINK_MINTED)).outcome == MPK_DONE, "the shop's go on");
    viewed.revision = MPK_ENTRIES_MAX;
    ok(decide(&viewed, request(MPK_EVENT_LINK_MINTED)).outcome == MPK_EXHAUSTED, "to 4000");
    d = decide(&viewed, request(MPK_EVENT_ERASED));
    ok(d.outcome == MPK_DONE && d.order.revision == MPK_ENTRIES_MAX + 1, "erasing always works");

    d = decide(&order, request(MPK_EVENT_LINK_MINTED));
    r = request(MPK_EVENT_VIEWED);
    r.items = two;
    r.items_count = 2;
    ok(decide(&d.order, r).outcome == MPK_NO_ITEM, "a second token with the same id shows no other items");
    r.event = MPK_EVENT_OPENED;
    ok(decide(&d.order, r).outcome == MPK_NO_ITEM, "nor are they opened");

    viewed = decide(&order, request(MPK_EVENT_VIEWED)).order;

    /* R4 */

    r = request(MPK_EVENT_VIEWED);
    r.email_hash = wrong;
    ok(decide(&order, r).outcome == MPK_CHALLENGE, "R4: a wrong email is refused");
    r.email_hash = NULL;
    ok(decide(&order, r).outcome == MPK_CHALLENGE, "R4: a missing email is refused");
    r.challenge_email = false;
    ok(decide(&order, r).outcome == MPK_DONE, "R4: where no email is asked for, none is needed");

    r = request(MPK_EVENT_VIEWED);
    r.challenge_closed = true;
    ok(decide(&order, r).outcome == MPK_CLOSED, "R4: a closed link is closed for the right email, too");

    r = request(MPK_EVENT_VIEWED);
    r.nonce_fresh = false;
    ok(decide(&order, r).outcome == MPK_STALE, "R4: a stale nonce is refused");

    r = request(MPK_EVENT_VIEWED);
    r.exp = NOW - MPK_TOKEN_SKEW;
    ok(decide(&order, r).outcome == MPK_TOKEN_EXPIRED, "R4: an expired link shows nothing");
    ok(decide(&order, (r.event = MPK_EVENT_OPENED, r)).outcome == MPK_TOKEN_EXPIRED, "R4: nor the page before");
    r.exp++;
    ok(decide(&order, r).outcome == MPK_DONE, "R4: the shop's clock may be a minute behind");
    ok(decide(&order, (r.event = MPK_EVENT_VIEWED, r)).outcome == MPK_DONE, "R4: for a view, too");

    d.order = order;
    for (i = 0; i < MPK_OPENED_MAX; i++) {
        d = decide(&d.order, request(MPK_EVENT_OPENED));
    }
    ok(d.outcome == MPK_DONE && d.order.day_opened == MPK_OPENED_MAX && d.order.links_count == 0,
       "R4: thirty opened are journaled, use nothing up and take no room");
    ok(decide(&d.order, request(MPK_EVENT_OPENED)).outcome == MPK_SAME, "R4: the next is not journaled");
    r = request(MPK_EVENT_OPENED);
    r.now = NOW + 86400;
    r.exp = NOW + 90000;
    ok(decide(&d.order, r).outcome == MPK_DONE, "R4: until another day begins");
    ok(decide(&d.order, request(MPK_EVENT_VIEWED)).outcome == MPK_DONE, "R4: and the link is still good");

    /* consent */

    r = request(MPK_EVENT_VIEWED);
    r.consent_asked = MPK_CONSENT_SUPPLY;
    d = decide(&order, r);
    ok(d.outcome == MPK_CONSENT && d.consent, "consent is needed before the first view");
    r.consent_given = MPK_CONSENT_SUPPLY;
    d = decide(&order, r);
    ok(d.outcome == MPK_DONE, "with consent there is a view");
    r = request(MPK_EVENT_VIEWED);
    r.consent_asked = MPK_CONSENT_SUPPLY;
    memset(r.token_id, 8, MPK_ID_LEN);
    ok(decide(&d.order, r).outcome == MPK_DONE, "after it, consent is not asked again");

    r.consent_asked = MPK_CONSENT_SUPPLY;
    order.consents = MPK_CONSENT_SUPPLY;
    d = decide(&order, r);
    ok(d.outcome == MPK_DONE && !d.consent, "what was consented to at the checkout is not asked");
    r.event = MPK_EVENT_OPENED;
    ok(decide(&order, r).consent == 0, "nor shown");
    order.consents = 0;

    r = request(MPK_EVENT_VIEWED);
    r.consent_asked = MPK_CONSENT_PRODUCT;
    d = decide(&order, r);
    ok(d.outcome == MPK_DONE && !d.consent, "whether it fits is not asked of items that do not say what they fit");

    memset(fit, 0, sizeof(fit));
    fit[MPK_FIT_SUPPORT_URL] = mpk_string("https://maker.example/");
    order.items[0].fit = fit;
    ok(decide(&order, r).outcome == MPK_DONE, "a URL says nothing of that");

    fit[MPK_FIT_REQUIRES] = mpk_string("A PC.");
    r.consent_given = MPK_CONSENT_SUPPLY;
    d = decide(&order, r);
    ok(d.outcome == MPK_CONSENT && d.consent == MPK_CONSENT_PRODUCT, "of others it is, whatever else is agreed to");
    r.consent_given = MPK_CONSENT_PRODUCT;
    ok(decide(&order, r).outcome == MPK_DONE, "with it there is a view");
    r.consent_asked |= MPK_CONSENT_SUPPLY;
    d = decide(&order, r);
    ok(d.outcome == MPK_CONSENT && d.consent == (MPK_CONSENT_SUPPLY | MPK_CONSENT_PRODUCT), "both are asked together");
    r.consent_given |= MPK_CONSENT_SUPPLY;
    d = decide(&order, r);
    ok(d.outcome == MPK_DONE, "with both there is a view");
    r.consent_given = 0;
    order.consents = MPK_CONSENT_SUPPLY;
    d = decide(&order, r);
    ok(d.outcome == MPK_CONSENT && d.consent == MPK_CONSENT_PRODUCT, "whether it fits is asked, whatever was accepted at the checkout");
    order.consents = 0;
    r.consent_given = r.consent_asked;
    d = decide(&order, r);
    memset(r.token_id, 8, MPK_ID_LEN);
    r.consent_given = 0;
    ok(decide(&d.order, r).outcome == MPK_DONE, "after it, neither is asked again");
    order.items[0].fit = NULL;

    /* revoking */

    r = request(MPK_EVENT_LINK_REVOKED);
    ok(decide(&order, r).outcome == MPK_NO_LINK, "a link that the order does not know can't be revoked");
    d = decide(&order, request(MPK_EVENT_LINK_MINTED));
    d = decide(&d.order, r);
    ok(d.outcome == MPK_DONE && d.order.links[0].revoked, "a minted one can");
    ok(decide(&d.order, r).outcome == MPK_SAME, "R10: once");
    ok(decide(&d.order, request(MPK_EVENT_VIEWED)).outcome == MPK_REVOKED
       && decide(&d.order, request(MPK_EVENT_OPENED)).outcome == MPK_REVOKED
       && decide(&d.order, request(MPK_EVENT_LINK_MINTED)).outcome == MPK_REVOKED, "and shows nothing, whatever is asked");
    r = request(MPK_EVENT_LINK_MINTED);
    memset(r.token_id, 55, MPK_ID_LEN);
    r.now = NOW + 5000;
    r.exp = NOW + 6000;
    d = decide(&d.order, r);
    ok(d.order.links_count == 1 && d.order.floor == NOW + 1000, "a forgotten one stays revoked");

    /* items */

    r = request(MPK_EVENT_VIEWED);
    r.items = two;
    r.items_count = 2;
    d = decide(&order, r);
    ok(d.order.items[0].state == MPK_ITEM_VIEWED && d.order.items[1].state == MPK_ITEM_NEW
       && d.order.items[2].state == MPK_ITEM_VIEWED, "R8: the items of the token are viewed, the others not");
    ok(order.items[0].state == MPK_ITEM_NEW && order.links_count == 0, "deciding does not touch the order that was read");
    r.items = bad;
    r.items_count = 1;
    ok(decide(&order, r).outcome == MPK_NO_ITEM, "an item that the order does not have is refused");

    /* R5 */

    viewed = decide(&order, request(MPK_EVENT_VIEWED)).order;
    ok(viewed.delivered_at == NOW && viewed.delivered_by == MPK_CHANNEL_EMAIL, "R5: a view delivers");
    d = decide(&order, request(MPK_EVENT_OPENED));
    ok(d.order.delivered_at == NOW && d.order.delivered_by == MPK_CHANNEL_EMAIL,
       "R5: so does a link from an email that is opened");
    r = request(MPK_EVENT_OPENED);
    r.channel = MPK_CHANNEL_ONSCREEN;
    ok(decide(&order, r).order.delivered_at == 0, "R5: a page that leads to a link of its own does not");
    r = request(MPK_EVENT_CANCELLED);
    r.may_be_unregistered = true;
    ok(decide(&order, r).outcome == MPK_UNSENT, "R5: where links may be out, a cancel must say not_sent");
    r.not_sent = true;
    ok(decide(&order, r).outcome == MPK_DONE, "R5: saying so, it is done");

    /* R10 */

    filing.digest.data = other;
    ok(decide(&order, request(MPK_EVENT_FILED)).outcome == MPK_DIFFERS, "R10: filing with other content is refused");
    filing.digest.data = digest;
    viewed = reach(CANCELLED);
    r = request(MPK_EVENT_CANCELLED);
    r.reason = mpk_string("other");
    ok(decide(&viewed, r).outcome == MPK_DIFFERS, "R10: cancelling for another reason is refused");

    r = request(MPK_EVENT_LINK_MINTED);
    d = decide(&order, r);
    ok(decide(&d.order, r).outcome == MPK_SAME, "R10: minting the same link again is the same");
    r.items = two;
    r.items_count = 2;
    ok(decide(&d.order, r).outcome == MPK_DIFFERS, "R10: for other items it is refused");

    /* links */

    d.order = order;
    r = request(MPK_EVENT_LINK_MINTED);
    for (i = 0; i < MPK_LINKS_MAX; i++) {
        r.token_id[0] = (uint8_t) i;
        r.token_id[1] = (uint8_t) (i >> 8);
        d = decide(&d.order, r);
    }
    ok(d.outcome == MPK_DONE && d.order.links_count == MPK_LINKS_MAX, "an order remembers 256 links");
    d.order.links[0].iat = NOW - 200;
    r.token_id[2]++;
    d = decide(&d.order, r);
    ok(d.outcome == MPK_DONE && d.order.links_count == MPK_LINKS_MAX && d.order.links[0].id[0] == 1 && d.order.floor == 0,
       "one more takes the place of the oldest that was not used");
    for (i = 0; i < MPK_LINKS_MAX; i++) {
        d.order.links[i].used_at = NOW;
        d.order.links[i].exp = NOW + 5000 - (int64_t) i;
    }
    r.token_id[3]++;
    d = decide(&d.order, r);
    ok(d.outcome == MPK_DONE && d.order.links_count == MPK_LINKS_MAX && d.order.floor == NOW + 5000 - (MPK_LINKS_MAX - 1),
       "if all were used, that of the used one that expires first");
    r = request(MPK_EVENT_VIEWED);
    memset(r.token_id, 99, MPK_ID_LEN);
    r.exp = d.order.floor;
    ok(decide(&d.order, r).outcome == MPK_USED, "R3: a forgotten link stays used, whatever a clock says");
    r.event = MPK_EVENT_OPENED;
    ok(decide(&d.order, r).outcome == MPK_USED, "R3: also when it is opened");
    r.event = MPK_EVENT_VIEWED;
    r.exp++;
    ok(decide(&d.order, r).outcome == MPK_DONE, "R3: one that expires later was not forgotten");
    r.exp--;
    r.renews = true;
    ok(decide(&d.order, r).outcome == MPK_DONE, "R4: nor was the page after the order");

    d.order = order;
    r = request(MPK_EVENT_LINK_MINTED);
    d = decide(&d.order, r);
    r.token_id[2]++;
    r.now = r.exp + MPK_TOKEN_SKEW + 1;
    r.exp = r.now + 10;
    ok(decide(&d.order, r).order.links_count == 1, "expired links make room");
    viewed = reach(VIEWED);
    r = request(MPK_EVENT_LINK_MINTED);
    r.now = NOW + 2000;
    r.exp = NOW + 3000;
    ok(decide(&viewed, r).order.links_count == 2, "but not while a repeat may need them");
}


/* Clocks differ: those of edges, and of a master and the replica that is promoted. */

static void
test_time(void)
{
    mpk_order_t     order, viewed;
    mpk_request_t   r;
    mpk_decision_t  d;

    order = reach(READY);
    ok(order.at == NOW && order.filed_at == NOW, "an event has the time of its request");

    r = request(MPK_EVENT_VIEWED);
    r.now = NOW + 100;
    viewed = decide(&order, r).order;
    ok(viewed.at == NOW + 100 && viewed.links[0].used_at == NOW + 100, "a later one a later time");

    r = request(MPK_EVENT_VIEWED);
    r.now = NOW - 500;
    memset(r.token_id, 9, MPK_ID_LEN);
    d = decide(&viewed, r);
    ok(d.outcome == MPK_DONE && d.order.at == NOW + 100 && d.order.links[1].used_at == NOW + 100,
       "a clock that is behind does not turn an order's time back");

    d = decide(&viewed, (r.event = MPK_EVENT_CLAIM_OPENED, r));
    ok(d.outcome == MPK_DONE && d.order.claims[0].opened_at == NOW + 100, "nor that of a claim");
    d = decide(&d.order, (r.event = MPK_EVENT_CLAIM_REFUNDED, r));
    ok(d.outcome == MPK_DONE && d.order.claims[0].decided_at == NOW + 100, "and of its decision");
    d = decide(&viewed, (r.event = MPK_EVENT_ERASED, r));
    ok(d.outcome == MPK_DONE && d.order.erased_at == NOW + 100 && d.order.at == NOW + 100, "or of an erasure");
    order.state = MPK_ORDER_HELD;
    order.at = NOW + 7;
    ok(decide(&order, (r.event = MPK_EVENT_RELEASED, r)).order.released_at == NOW + 7, "a release");
    ok(decide(&order, (r.event = MPK_EVENT_CANCELLED, r)).order.cancelled_at == NOW + 7, "a cancellation");
    order.state = MPK_ORDER_READY;
    ok(decide(&order, (r.event = MPK_EVENT_LINK_MINTED, r)).order.delivered_at == NOW + 7, "a delivery");

    /* a year ahead for one commit, then right again */

    r = request(MPK_EVENT_OPENED);
    r.now = NOW + 365 * 86400;
    r.exp = r.now + 1000;
    order = decide(&order, r).order;
    ok(order.at == r.now, "a clock that was ahead leaves its time in the order");
    ok(decide(&order, request(MPK_EVENT_VIEWED)).outcome == MPK_DONE, "but closes no link afterwards");
    viewed.at = order.at;
    ok(decide(&viewed, request(MPK_EVENT_CLAIM_OPENED)).outcome == MPK_DONE, "nor the time for claims");
    r = request(MPK_EVENT_VIEWED);
    r.now = viewed.links[0].used_at + GRACE + 1;
    ok(decide(&viewed, r).outcome == MPK_USED, "and no grace lasts for a year");

    r = request(MPK_EVENT_VIEWED);
    r.now = NOW + 365 * 86400;
    r.exp = r.now + 1000;
    order = decide(&order, r).order;
    ok(order.links[0].used_at == r.now && order.day_views == 1, "a view while a clock is ahead");
    r = request(MPK_EVENT_VIEWED);
    ok(decide(&order, r).outcome == MPK_USED, "is not repeated once that is put right");
    r.renews = true;
    d = decide(&order, r);
    ok(d.outcome == MPK_DONE && d.event == MPK_EVENT_VIEWED && d.order.day_views == 1, "R4: the on-screen page gives a new view, of the right day");

    /* one of two clocks is ahead: what is forgotten by it could be used again */

    viewed = reach(VIEWED);
    r = request(MPK_EVENT_LINK_MINTED);
    memset(r.token_id, 1, MPK_ID_LEN);
    r.now = NOW + 365 * 86400;
    r.exp = r.now + 1000;
    r.earliest = NOW + 1;
    d = decide(&viewed, r);
    ok(d.order.links_count == 2 && d.order.floor == 0, "links are forgotten by the earlier clock only");
    r.earliest = r.now;
    d = decide(&viewed, r);
    ok(d.order.links_count == 1 && d.order.floor == NOW + 1000, "by both clocks they are");
}


static mpk_outcome_t
ask(const mpk_order_t *order, mpk_event_t event)
{
    mpk_outcome_t  outcome;
    mpk_request_t  r;

    r = request(event);
    memset(r.token_id, 0, MPK_ID_LEN);

    return mpk_policy_ask(&test_mem, order, &r, &outcome) == MPK_OK ? outcome : MPK_OUTCOME_MAX;
}


static void
test_claims(void)
{
    size_t          i;
    mpk_order_t     order, viewed, claimed;
    mpk_request_t   r;
    mpk_decision_t  d;

    /* R6 */

    viewed = reach(VIEWED);

    r = request(MPK_EVENT_CLAIM_OPENED);
    r.email_hash = wrong;
    ok(decide(&viewed, r).outcome == MPK_NOT_BUYER, "R6: a claim needs the billing email");
    r.email_hash = NULL;
    ok(decide(&viewed, r).outcome == MPK_NOT_BUYER, "R6: and not none");

    r = request(MPK_EVENT_CLAIM_OPENED);
    r.claim_item = 0;
    ok(decide(&viewed, r).outcome == MPK_WRONG_KEY, "R6: a claim needs a key of the order");

    r = request(MPK_EVENT_CLAIM_OPENED);
    r.challenge_closed = true;
    ok(decide(&viewed, r).outcome == MPK_CLOSED, "R6: many wrong tries close the form for a while");

    r = request(MPK_EVENT_CLAIM_OPENED);
    r.now = viewed.released_at + WEEK;
    ok(decide(&viewed, r).outcome == MPK_DONE, "R6: the last second of the window is within it");
    r.now++;
    ok(decide(&viewed, r).outcome == MPK_LATE, "R6: the next is late");
    r.claim_item = 0;
    ok(decide(&viewed, r).outcome == MPK_LATE, "R6: late comes before a wrong key, which tells more");

    r = request(MPK_EVENT_CLAIM_OPENED);
    d = decide(&viewed, r);
    claimed = d.order;
    ok(d.claim == 1 && d.items_count == 1 && d.items[0] == 1 && claimed.claims[0].state == MPK_CLAIM_OPEN
       && claimed.claims[0].category == MPK_CATEGORY_BLOCKED && claimed.claims[0].opened_at == NOW
       && claimed.claims[0].generation == 1 && claimed.items[0].state == MPK_ITEM_VIEWED,
       "R6: a claim is about one item and its key");
    d = decide(&claimed, r);
    ok(d.outcome == MPK_SAME && d.claim == 1, "R6: the same form sent again is the same claim");
    r.now = NOW + 2 * WEEK;
    ok(decide(&claimed, r).outcome == MPK_SAME, "R6: at any time");
    r = request(MPK_EVENT_CLAIM_OPENED);
    r.claim_item = 2;
    d = decide(&claimed, r);
    ok(d.outcome == MPK_DONE && d.claim == 2, "R6: another item has a claim of its own");

    order = claimed;
    for (i = 1; i < MPK_CLAIMS_MAX; i++) {
        r = request(MPK_EVENT_CLAIM_REJECTED);
        r.claim = i;
        order = decide(&order, r).order;
        r = request(MPK_EVENT_CLAIM_OPENED);
        r.token_id[0] = (uint8_t) (i + 100);
        order = decide(&order, r).order;
    }
    r = request(MPK_EVENT_CLAIM_REJECTED);
    r.claim = MPK_CLAIMS_MAX;
    order = decide(&order, r).order;
    ok(order.claims_count == MPK_CLAIMS_MAX && !mpk_claim_undecided(&order.claims[MPK_CLAIMS_MAX - 1]),
       "an order has room for 64 claims");
    r = request(MPK_EVENT_CLAIM_OPENED);
    r.token_id[0] = 1;
    ok(decide(&order, r).outcome == MPK_CROWDED, "and for no more");

    /* R7 */

    r = request(MPK_EVENT_CLAIM_REPLACED);
    d = decide(&claimed, r);
    ok(d.order.items[0].state == MPK_ITEM_NEW && d.order.items[0].generation == 2
       && d.order.items[0].since == claimed.revision + 1 && d.order.items[0].viewed_at == 0
       && mpk_str_eq(d.order.items[0].key, r.claim_key), "R7: the new key starts as not viewed");
    ok(mpk_str_eq(d.order.claims[0].old_key, claimed.items[0].key) && d.order.claims[0].generation == 1
       && d.order.views == claimed.views && d.order.first_viewed_at == claimed.first_viewed_at,
       "R7, R8: the old one is kept with the claim, and stays viewed");
    ok(claimed.items[0].state == MPK_ITEM_VIEWED && claimed.claims[0].state == MPK_CLAIM_OPEN,
       "deciding does not touch the claims that were read");

    r.claim_digest.data = other;
    ok(decide(&d.order, r).outcome == MPK_DECIDED, "R7: another key for a claim that was replaced is refused");

    order = reach(ASKED);
    r = request(MPK_EVENT_CLAIM_NEEDS_INFO);
    r.claim_digest.data = other;
    ok(decide(&order, r).outcome == MPK_DONE, "R7: support can ask for something else");

    order = reach(REFUNDED);
    ok(order.items[0].state == MPK_ITEM_REFUNDED, "R7: a refunded key is refunded");
    d = decide(&order, request(MPK_EVENT_VIEWED));
    ok(d.outcome == MPK_DONE && d.items_count == 2 && d.items[0] == 2 && d.items[1] == 3
       && d.order.items[0].state == MPK_ITEM_REFUNDED, "R7: it is not among the keys that are shown");

    r = request(MPK_EVENT_VIEWED);
    r.items = (const uint16_t[]) { 1 };
    r.items_count = 1;
    ok(decide(&order, r).outcome == MPK_REFUNDED, "R7: if it is the only item, nothing is shown");
    memset(r.token_id, 5, MPK_ID_LEN);
    ok(decide(&order, r).outcome == MPK_REFUNDED, "R7: nor as a repeat");
    r.event = MPK_EVENT_OPENED;
    ok(decide(&order, r).outcome == MPK_REFUNDED, "R7: nor is there a confirm page for it");
    r.event = MPK_EVENT_LINK_MINTED;
    ok(decide(&order, r).outcome == MPK_REFUNDED, "R7: nor a link");

    r = request(MPK_EVENT_CLAIM_REJECTED);
    r.claim = 0;
    ok(decide(&claimed, r).outcome == MPK_NO_CLAIM, "R7: claims count from 1");
    r.claim = 2;
    ok(decide(&claimed, r).outcome == MPK_NO_CLAIM, "R7: a claim that does not exist can't be decided");

    /* erasing */

    order = decide(&claimed, request(MPK_EVENT_ERASED)).order;
    ok(order.items_count == 0 && order.links_count == 0 && order.claims_count == 0 && order.person.len == 0
       && order.data_key.len == 0 && order.email_hash.len == 0 && order.digest.len == 0,
       "of an erased order nothing personal is left");
    ok(order.first_viewed_at == NOW && order.gone == claimed.revision && order.erased_at == NOW
       && memcmp(order.gone_mac, claimed.mac, MPK_MAC_LEN) == 0 && order.revision == claimed.revision + 1,
       "but when it was viewed is, and the journal's head");

    /* asking before acting */

    order = reach(READY);
    ok(ask(&order, MPK_EVENT_CANCELLED) == MPK_DONE && ask(&order, MPK_EVENT_CLAIM_OPENED) == MPK_UNDELIVERED
       && ask(&order, MPK_EVENT_CLAIM_REFUNDED) == MPK_NO_CLAIM, "a ready order can be cancelled, not reported");
    order = reach(DELIVERED);
    ok(ask(&order, MPK_EVENT_CANCELLED) == MPK_DELIVERED && ask(&order, MPK_EVENT_CLAIM_OPENED) == MPK_DONE,
       "a delivered one the other way round");
    order = reach(REPORTED);
    ok(ask(&order, MPK_EVENT_CLAIM_REFUNDED) == MPK_DONE && ask(&order, MPK_EVENT_CLAIM_OPENED) == MPK_DONE,
       "a reported one can be refunded, and its other keys reported");
    order = reach(REJECTED);
    ok(ask(&order, MPK_EVENT_CLAIM_REFUNDED) == MPK_DECIDED, "a rejected one can't be refunded");
    order = reach(CANCELLED);
    ok(ask(&order, MPK_EVENT_CANCELLED) == MPK_SAME && ask(&order, MPK_EVENT_CLAIM_OPENED) == MPK_CANCELLED,
       "a cancelled one is cancelled");
}


static uint32_t  seed = 7;

/* An order of the shop's past: what it says of it is so from the start. */

static void
test_imported(void)
{
    mpk_order_t     order, none;
    mpk_request_t   r;
    mpk_decision_t  d;

    none = reach(ABSENT);

    filing.imported = true;
    d = decide(&none, request(MPK_EVENT_IMPORTED));
    ok(d.outcome == MPK_DONE && d.event == MPK_EVENT_IMPORTED && d.order.imported && d.order.filed_at == NOW
       && d.order.delivered_at == 0 && d.order.items[0].state == MPK_ITEM_NEW, "an order is imported as it was: not delivered");
    ok(decide(&d.order, request(MPK_EVENT_RELEASED)).order.delivered_at == 0, "one that was held goes on as any other");

    filing.state = MPK_ORDER_READY;
    filing.delivered_at = NOW - 5000;
    order = decide(&none, request(MPK_EVENT_IMPORTED)).order;
    ok(order.released_at == NOW - 5000 && order.delivered_at == NOW - 5000 && order.delivered_by == MPK_CHANNEL_NONE
       && order.first_viewed_at == 0 && order.items[2].state == MPK_ITEM_NEW, "one that was delivered is, by no channel of ours");
    ok(decide(&order, request(MPK_EVENT_CANCELLED)).outcome == MPK_DELIVERED, "R5: it is not cancelled");
    ok(decide(&order, request(MPK_EVENT_CLAIM_OPENED)).outcome == MPK_DONE, "R6: its keys can be reported");

    filing.first_viewed_at = NOW - 4000;
    order = decide(&none, request(MPK_EVENT_IMPORTED)).order;
    ok(order.first_viewed_at == NOW - 4000 && order.views == 0 && order.items[0].state == MPK_ITEM_VIEWED
       && order.items[2].state == MPK_ITEM_VIEWED && order.items[2].viewed_at == NOW - 4000, "R8: viewed keys are used, without a view of ours");

    r = request(MPK_EVENT_VIEWED);
    r.consent_asked = MPK_CONSENT_SUPPLY;
    d = decide(&order, r);
    ok(d.outcome == MPK_DONE && !d.consent && d.order.views == 1 && d.order.first_viewed_at == NOW - 4000
       && d.order.items[0].viewed_at == NOW - 4000, "a further view asks for no consent, and is not the first");

    order = decide(&d.order, request(MPK_EVENT_ERASED)).order;
    ok(order.imported && order.delivered_at == NOW - 5000, "an erased order still says that it was imported");

    filing.imported = false;
    filing.state = MPK_ORDER_HELD;
    filing.delivered_at = 0;
    filing.first_viewed_at = 0;
}


static uint32_t
any(uint32_t n)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % n;
}


static void
test_random(void)
{
    size_t          i, j, k, n;
    size_t          withdrawn;
    bool            unviewed, shown, lost, number, back, two, stranger, unfounded, offered, granted;
    uint16_t        some[1];
    mpk_order_t     order;
    mpk_request_t   r;
    mpk_decision_t  d;

    static uint8_t *const  emails[] = { hash, wrong, corrected };

    static const mpk_event_t  events[] = {
        MPK_EVENT_FILED, MPK_EVENT_RELEASED, MPK_EVENT_CANCELLED, MPK_EVENT_LINK_MINTED,
        MPK_EVENT_OPENED, MPK_EVENT_VIEWED, MPK_EVENT_VIEWED, MPK_EVENT_CUT_OFF,
        MPK_EVENT_CLAIM_OPENED, MPK_EVENT_CLAIM_OPENED, MPK_EVENT_CLAIM_NEEDS_INFO,
        MPK_EVENT_CLAIM_REPLACED, MPK_EVENT_CLAIM_REFUNDED, MPK_EVENT_CLAIM_REJECTED,
        MPK_EVENT_SUSPENDED, MPK_EVENT_RESUMED, MPK_EVENT_RESUMED,
        MPK_EVENT_EMAIL_CHANGED, MPK_EVENT_EMAIL_KEPT,
        MPK_EVENT_CLAIM_ANSWERED, MPK_EVENT_CLAIM_FILES, MPK_EVENT_CLAIM_NOTE,
        MPK_EVENT_WITHDRAWAL_STATED, MPK_EVENT_WITHDRAWN, MPK_EVENT_WITHDRAWAL_REJECTED
    };

    unviewed = shown = lost = number = back = two = stranger = unfounded = offered = granted = false;
    withdrawn = 0;

    for (n = 0; n < 200; n++) {

        order = reach(ABSENT);

        for (i = 0; i < 60; i++) {

            r = request(events[any(sizeof(events) / sizeof(events[0]))]);
            r.now = NOW + (int64_t) (n * 10000 + i * any(400));
            r.exp = r.now + any(3) - 1;
            memset(r.token_id, (int) any(4), MPK_ID_LEN);
            memset(r.nonce, (int) any(3), MPK_ID_LEN);
            r.nonce_fresh = any(5) != 0;
            r.email_hash = emails[any(3)];
            r.email_hold = (int64_t) any(3) * 100;
            r.show_viewed = any(3) == 0;
            r.iat = r.now - (int64_t) any(200);
            r.channel = any(2) ? MPK_CHANNEL_EMAIL : MPK_CHANNEL_TRACK;
            r.consent_asked = (unsigned) any(4);
            r.consent_given = (unsigned) any(4);
            r.claim_item = (uint16_t) any(4);
            r.claim = any(4);
            r.claim_finding = (mpk_finding_t) any(MPK_FINDING_MAX);
            r.claim_received = r.event == MPK_EVENT_CLAIM_OPENED && any(3) == 0 ? r.now - any(100) : 0;
            r.withdrawal = any(3);
            r.withdrawal_days = 14;
            r.withdrawal_digest = r.claim_digest;
            r.stated_at = r.now - (int64_t) any(20) * DAY;

            if (any(3) == 0 && r.event != MPK_EVENT_FILED) {
                some[0] = (uint16_t) (1 + any(3));
                r.items = some;
                r.items_count = 1;
            }

            d = decide(&order, r);

            /* of R6, whoever has shown to be the buyer and sends something new */

            if (r.event == MPK_EVENT_CLAIM_OPENED && r.claim_received == 0 && order.state == MPK_ORDER_READY
                && r.claim_item <= order.items_count && d.outcome != MPK_SAME && d.outcome != MPK_NOT_BUYER)
            {
                offered |= mpk_policy_claimable(&order, r.claim_item, r.claim_window, r.now) != d.outcome;
            }

            if (d.outcome != MPK_DONE) {
                continue;
            }

            number |= d.order.revision != order.revision + 1;
            unviewed |= order.first_viewed_at && d.order.first_viewed_at != order.first_viewed_at;
            unviewed |= d.order.views < order.views;

            for (k = 0; k < order.items_count; k++) {
                unviewed |= order.items[k].state == MPK_ITEM_VIEWED && d.order.items[k].state == MPK_ITEM_NEW
                            && d.order.items[k].generation == order.items[k].generation;
                back |= order.items[k].state >= MPK_ITEM_REFUNDED && d.order.items[k].state != order.items[k].state;
                granted |= order.items[k].state != MPK_ITEM_WITHDRAWN && d.order.items[k].state == MPK_ITEM_WITHDRAWN
                           && r.event == MPK_EVENT_WITHDRAWAL_STATED && (order.items[k].viewed_at || order.items[k].generation > 1);
            }

            back |= order.state == MPK_ORDER_WITHDRAWN && d.order.state != MPK_ORDER_WITHDRAWN;

            for (k = 0; k < order.withdrawals_count; k++) {
                back |= order.withdrawals[k].state != MPK_WITHDRAWAL_OPEN && order.withdrawals[k].state != d.order.withdrawals[k].state;
            }

            for (k = 0; k < order.claims_count; k++) {
                back |= !mpk_claim_undecided(&order.claims[k]) && order.claims[k].state != d.order.claims[k].state;
                unfounded |= d.order.claims[k].finding == MPK_FINDING_NONE
                             && (d.order.claims[k].state == MPK_CLAIM_REPLACED || d.order.claims[k].state == MPK_CLAIM_REFUNDED);

                for (j = 0; j < k; j++) {
                    two |= order.claims[j].item == order.claims[k].item && mpk_claim_undecided(&order.claims[j])
                           && mpk_claim_undecided(&order.claims[k]);
                }
            }

            if (d.event == MPK_EVENT_VIEWED || d.event == MPK_EVENT_REPEATED) {
                stranger |= memcmp(mpk_order_email(&order, r.now).data, r.email_hash, MPK_MAC_LEN) != 0
                            || r.iat + (r.channel == MPK_CHANNEL_EMAIL) <= mpk_order_corrected_at(&order, r.now);

                for (k = 0; k < d.items_count; k++) {
                    stranger |= mpk_order_withheld(&order, &order.items[d.items[k] - 1], r.now);
                    shown |= order.items[d.items[k] - 1].state >= MPK_ITEM_REFUNDED
                             || order.items[d.items[k] - 1].suspended;
                }
            }

            shown |= (d.event == MPK_EVENT_VIEWED || d.event == MPK_EVENT_REPEATED)
                     && order.state != MPK_ORDER_READY;
            lost |= order.delivered_at && d.order.state == MPK_ORDER_CANCELLED
                    && order.state != MPK_ORDER_CANCELLED;

            /* the links' items must outlive the request */

            if (d.link && d.link->items == some) {
                d.link->items_count = 0;
                d.link->items = NULL;
            }

            if (r.event == MPK_EVENT_WITHDRAWAL_STATED && order.withdrawals_count < d.order.withdrawals_count) {
                withdrawn++;
            }

            order = d.order;
        }
    }

    ok(!unviewed, "R8: no sequence of events makes viewed unviewed");
    ok(!shown, "R1, R7, R11, R12: no sequence shows a key of an order that is not ready, a refunded, a withdrawn or a suspended one");
    ok(!back, "R7, R12: no sequence decides a claim or a withdrawal twice, or takes a refund back");
    ok(!granted && withdrawn > 50, "R12: no sequence grants what was viewed or replaced");
    ok(!offered, "R6: what the pages offer to report is what is taken");
    ok(!unfounded, "R7: no sequence replaces or refunds without a finding");
    ok(!two, "R6: no sequence opens two claims for one item");
    ok(!lost, "R5: no sequence cancels what was delivered");
    ok(!stranger, "no sequence shows a key to another address than the one that holds, by a link of before, or a withheld one");
    ok(!number, "R9: each event that is done is one revision");
}


/* Finds holes in the tables: the compiler only checks that the last row is there. */

#define words(first, max, word, what)                                        \
    do {                                                                     \
        good = 1;                                                            \
        for (i = (first); i < (max); i++) {                                  \
            good &= (word).len != 0;                                         \
        }                                                                    \
        ok(good, "each " what " has a word");                                \
    } while (0)

static void
test_words(void)
{
    int     good;
    size_t  i, k;

    words(MPK_EVENT_NONE + 1, MPK_EVENT_MAX, mpk_event_name(i), "event");
    words(0, MPK_OUTCOME_MAX, mpk_outcome_info(i)->name, "outcome");
    words(0, MPK_OUTCOME_MAX, mpk_outcome_info(i)->detail, "outcome's detail");
    words(0, MPK_ORDER_STATE_MAX, mpk_order_state_name(i), "state of an order");
    words(0, MPK_ITEM_STATE_MAX, mpk_item_state_name(i), "state of an item");
    words(MPK_CHANNEL_NONE + 1, MPK_CHANNEL_MAX, mpk_channel_name(i), "channel");
    words(0, MPK_CLAIM_STATE_MAX, mpk_claim_state_name(i), "state of a claim");
    words(0, MPK_CATEGORY_MAX, mpk_category_name(i), "category");
    words(MPK_REASON_NONE + 1, MPK_REASON_MAX, mpk_reason_name(i), "reason");
    words(MPK_FINDING_NONE + 1, MPK_FINDING_MAX, mpk_finding_name(i), "finding");
    words(MPK_SESSION_NONE + 1, MPK_SESSION_MAX, mpk_session_name(i), "session");
    words(0, MPK_VERDICT_MAX, mpk_verdict_name(i), "verdict");

    good = 1;

    for (i = 0; i < MPK_OUTCOME_MAX; i++) {
        for (k = 0; k < i; k++) {
            good &= !mpk_str_eq(mpk_outcome_info(i)->name, mpk_outcome_info(k)->name);
        }
    }

    ok(good, "no two outcomes have the same");
}


static size_t  left;

static void *
scarce(void *ctx, size_t size)
{
    return left-- ? test_alloc(ctx, size) : NULL;
}


int
main(void)
{
    size_t          i;
    mpk_order_t     order;
    mpk_request_t   r;
    mpk_decision_t  d;

    static mpk_mem_t  little = { scarce, NULL, false };

    file_it();

    test_table();
    test_rules();
    test_imported();
    test_claims();
    test_time();
    test_random();
    test_words();

    order = reach(READY);
    r = request(MPK_EVENT_VIEWED);

    for (i = 0; i < 10; i++) {
        left = i;
        if (mpk_policy_decide(&little, &order, &r, &d) != MPK_NOMEM) {
            break;
        }
    }

    ok(i > 0 && d.outcome == MPK_DONE, "running out of memory anywhere is an error");

    return done_testing();
}
