/* The names of events, and the names, rules and texts of outcomes. */

#include "mpk_policy.h"


#define mpk_row(name, rule, detail)                                          \
    { mpk_literal(name), mpk_literal(rule), mpk_literal(detail) }

static const mpk_outcome_info_t  mpk_outcomes[] = {

    [MPK_DONE] = mpk_row("done", "", "Done."),

    [MPK_SAME] = mpk_row("same", "", "Already done, with the same content."),

    [MPK_ABSENT] = mpk_row("absent", "", "There is no such order."),

    [MPK_HELD] = mpk_row("held", "R1",
        "The order is under payment and fraud checks."),

    [MPK_CANCELLED] = mpk_row("cancelled", "R1",
        "The order was cancelled before delivery."),

    [MPK_USED] = mpk_row("used", "R3",
        "This link was used already."),

    [MPK_TOKEN_EXPIRED] = mpk_row("expired", "R3", "This link has expired."),

    [MPK_REVOKED] = mpk_row("revoked", "",
        "The shop has revoked the link."),
    [MPK_NO_LINK] = mpk_row("no_link", "",
        "The order knows no link with this token id."),
    [MPK_CLOSED] = mpk_row("closed", "R4",
        "Too many wrong answers; the link opens again in a while."),

    [MPK_STALE] = mpk_row("stale", "R4",
        "The nonce of the confirm page is missing, wrong or over an hour "
        "old; get the page again and send its nonce, or send an "
        "Idempotency-Key."),

    [MPK_CHALLENGE] = mpk_row("challenge", "R4",
        "The email address is not the one of the order."),

    [MPK_CONSENT] = mpk_row("consent", "",
        "A consent is missing that is needed before the first view: "
        "consent_supply and consent_waiver, or consent_product."),

    [MPK_DELIVERED] = mpk_row("delivered", "R5",
        "The order can't be cancelled after delivery."),

    [MPK_UNSENT] = mpk_row("unsent", "R5",
        "The shop can sign links that are not registered here; say "
        "\"not_sent\": true if none was sent for this order."),

    [MPK_DIFFERS] = mpk_row("differs", "R10",
        "This was already done with different content."),

    [MPK_NO_ITEM] = mpk_row("no_item", "",
        "The order has no such item."),

    [MPK_CROWDED] = mpk_row("crowded", "",
        "The order has as many claims, or statements of withdrawal, as it "
        "can have."),
    [MPK_EXHAUSTED] = mpk_row("exhausted", "",
        "This happened as often as it may for this view, this order in one "
        "day, or this order at all."),
    [MPK_ERASED] = mpk_row("erased", "", "The order's data was erased."),

    [MPK_REFUNDED] = mpk_row("refunded", "R7",
        "The key was refunded and is no longer shown."),

    [MPK_UNDELIVERED] = mpk_row("undelivered", "R6",
        "A key can be reported only after delivery."),

    [MPK_LATE] = mpk_row("late", "R6",
        "The time for reporting a key is over."),

    [MPK_NOT_BUYER] = mpk_row("not_buyer", "R6",
        "The email address is not the one of the order."),

    [MPK_WRONG_KEY] = mpk_row("wrong_key", "R6",
        "The product key is not one of this order, or has been replaced."),

    [MPK_CLAIMED] = mpk_row("claimed", "R6",
        "This key was reported already; the claim is open."),

    [MPK_NO_CLAIM] = mpk_row("no_claim", "R7",
        "The order has no such claim."),

    [MPK_DECIDED] = mpk_row("decided", "R7",
        "The claim was already decided with a different result."),

    [MPK_SUSPENDED] = mpk_row("suspended", "R11",
        "The order, or a part of it, is on hold."),

    [MPK_NOT_SUSPENDED] = mpk_row("not_suspended", "R11",
        "The order is not suspended."),

    [MPK_WITHHELD] = mpk_row("withheld", "",
        "The key was shown before the order's email address was corrected, "
        "and is not shown under the new one."),

    [MPK_FINDING] = mpk_row("finding", "R7",
        "A key is replaced or refunded only with a finding: what the "
        "investigation of the claim found."),

    [MPK_WITHDRAWN] = mpk_row("withdrawn", "R12",
        "The customer has withdrawn from the contract."),

    [MPK_NO_WITHDRAWAL] = mpk_row("no_withdrawal", "R12",
        "The order has no such withdrawal."),
};

mpk_assert_rows(mpk_outcomes, MPK_OUTCOME_MAX);


mpk_str_t
mpk_event_name(mpk_event_t event)
{
    static const mpk_str_t  names[] = {
        [MPK_EVENT_NONE] = { 0, NULL },
        [MPK_EVENT_FILED] = mpk_literal("filed"),
        [MPK_EVENT_RELEASED] = mpk_literal("released"),
        [MPK_EVENT_CANCELLED] = mpk_literal("cancelled"),
        [MPK_EVENT_LINK_MINTED] = mpk_literal("link_minted"),
        [MPK_EVENT_LINK_REVOKED] = mpk_literal("link_revoked"),
        [MPK_EVENT_OPENED] = mpk_literal("opened"),
        [MPK_EVENT_VIEWED] = mpk_literal("viewed"),
        [MPK_EVENT_REPEATED] = mpk_literal("repeated"),
        [MPK_EVENT_CUT_OFF] = mpk_literal("cut_off"),
        [MPK_EVENT_CLAIM_OPENED] = mpk_literal("claim_opened"),
        [MPK_EVENT_CLAIM_NEEDS_INFO] = mpk_literal("claim_needs_info"),
        [MPK_EVENT_CLAIM_REPLACED] = mpk_literal("claim_replaced"),
        [MPK_EVENT_CLAIM_REFUNDED] = mpk_literal("claim_refunded"),
        [MPK_EVENT_CLAIM_REJECTED] = mpk_literal("claim_rejected"),
        [MPK_EVENT_ERASED] = mpk_literal("erased"),
        [MPK_EVENT_IMPORTED] = mpk_literal("imported"),
        [MPK_EVENT_SUSPENDED] = mpk_literal("suspended"),
        [MPK_EVENT_RESUMED] = mpk_literal("resumed"),
        [MPK_EVENT_EMAIL_CHANGED] = mpk_literal("email_changed"),
        [MPK_EVENT_EMAIL_KEPT] = mpk_literal("email_kept"),
        [MPK_EVENT_CLAIM_ANSWERED] = mpk_literal("claim_answered"),
        [MPK_EVENT_CLAIM_FILES] = mpk_literal("claim_files"),
        [MPK_EVENT_CLAIM_NOTE] = mpk_literal("claim_note"),
        [MPK_EVENT_WITHDRAWAL_STATED] = mpk_literal("withdrawal_stated"),
        [MPK_EVENT_WITHDRAWN] = mpk_literal("withdrawn"),
        [MPK_EVENT_WITHDRAWAL_REJECTED] = mpk_literal("withdrawal_rejected"),
    };

    mpk_assert_rows(names, MPK_EVENT_MAX);

    return names[event];
}


bool
mpk_outcome_wrong(mpk_outcome_t outcome)
{
    return outcome == MPK_CHALLENGE || outcome == MPK_NOT_BUYER
           || outcome == MPK_WRONG_KEY;
}


const mpk_outcome_info_t *
mpk_outcome_info(mpk_outcome_t outcome)
{
    return &mpk_outcomes[outcome];
}
