/* Journal entries as lines of text. */

#include "mpk_evidence.h"
#include "mpk_time.h"

#define MPK_EVIDENCE_NOTE_MAX  96    /* bytes of the line that counts those left out */
#define MPK_EVIDENCE_RANK_MAX  3


typedef struct {
    mpk_str_t    name;
    mpk_str_t    words;
    unsigned     rank;               /* 1 is kept first */
} mpk_evidence_word_t;

typedef struct {
    mpk_str_t    text;
    unsigned     rank;               /* 0: always kept */
    bool         chosen;
} mpk_evidence_line_t;


static const mpk_evidence_word_t *mpk_evidence_word(
    const mpk_evidence_word_t *words, size_t count, mpk_str_t name);
static void mpk_evidence_withdrawal(mpk_buf_t *out,
    const mpk_value_t *entry);
static void mpk_evidence_claim(mpk_buf_t *out, const mpk_value_t *entry);
static void mpk_evidence_part(mpk_buf_t *out, const mpk_value_t *entry,
    mpk_str_t words, mpk_str_t name);
static size_t mpk_evidence_unsafe(const uint8_t *p, size_t len);
static void mpk_evidence_keep(mpk_evidence_line_t *lines,
    const mpk_value_t *const *entries, size_t count, size_t view);
static size_t mpk_evidence_choose(mpk_evidence_line_t *lines, size_t count,
    size_t max);


#define mpk_word(name, words, rank)                                          \
    { mpk_literal(name), mpk_literal(words), rank }

static const mpk_evidence_word_t  mpk_evidence_events[] = {
    mpk_word("filed", "order filed by the shop", 2),
    mpk_word("released", "payment and fraud check passed", 2),
    mpk_word("cancelled", "order cancelled", 2),
    mpk_word("link_minted", "delivered: link to the key handed out for email", 1),
    mpk_word("link_revoked", "link revoked by the shop", 2),
    mpk_word("opened", "link opened, no key shown yet", 3),
    mpk_word("viewed", "KEY SHOWN", 1),
    mpk_word("repeated", "same key shown again", 1),
    mpk_word("cut_off", "the answer with the key was cut off on its way", 2),
    mpk_word("claim_opened", "problem with a key reported", 2),
    mpk_word("claim_needs_info", "support asked for more about the report", 2),
    mpk_word("claim_replaced", "report decided: key replaced", 2),
    mpk_word("claim_refunded", "report decided: key refunded", 2),
    mpk_word("claim_rejected", "report rejected", 2),
    mpk_word("erased", "personal data erased", 2),
    mpk_word("imported", "order filed by the shop from its records; the times "
             "that follow are the shop's word, not recorded here", 1),
    mpk_word("suspended", "put on hold by the shop", 2),
    mpk_word("resumed", "no longer on hold", 2),
    mpk_word("email_changed", "email address of the order corrected", 1),
    mpk_word("email_kept", "correction of the email address stopped", 1),
    mpk_word("claim_answered", "answer about the report received", 2),
    mpk_word("claim_files", "files about the report received", 2),
    mpk_word("claim_note", "support's note about the report", 2),
    mpk_word("withdrawal_stated", "customer stated to withdraw from the contract", 1),
    mpk_word("withdrawn", "withdrawn from the contract, to be repaid", 1),
    mpk_word("withdrawal_rejected", "withdrawal from the contract rejected", 1),
};

mpk_assert_rows(mpk_evidence_events, MPK_EVENT_MAX - 1);    /* none for NONE */

static const mpk_evidence_word_t  mpk_evidence_channels[] = {
    mpk_word("email", "by the link in an email", 0),
    mpk_word("onscreen", "on the screen after the order", 0),
    mpk_word("track", "on the order tracking page", 0),
    mpk_word("account", "in the customer account", 0),
};

mpk_assert_rows(mpk_evidence_channels, MPK_CHANNEL_MAX - 1);

static const mpk_evidence_word_t  mpk_evidence_challenges[] = {
    mpk_word("email", "billing email address given", 0),
    mpk_word("click", "button pressed", 0),
    mpk_word("request", "confirmed", 0),
    mpk_word("upstream", "customer known to the shop", 0),
};

static const mpk_evidence_word_t  mpk_evidence_findings[] = {
    mpk_word("defective", "the key is defective", 0),
    mpk_word("not_reproduced", "the problem could not be reproduced", 0),
    mpk_word("goodwill", "goodwill of the shop", 0),
};

mpk_assert_rows(mpk_evidence_findings, MPK_FINDING_MAX - 1);

static const mpk_evidence_word_t  mpk_evidence_sessions[] = {
    mpk_word("offered", "offered", 0),
    mpk_word("held", "held", 0),
    mpk_word("declined", "declined by the customer", 0),
};

mpk_assert_rows(mpk_evidence_sessions, MPK_SESSION_MAX - 1);

static const mpk_evidence_word_t  mpk_evidence_media[] = {
    mpk_word("page", "on the shop's page", 0),
    mpk_word("email", "by email", 0),
    mpk_word("letter", "by letter", 0),
    mpk_word("other", "in another way", 0),
};

mpk_assert_rows(mpk_evidence_media, MPK_MEDIUM_MAX);

/* Why a withdrawal was not granted at once. */
static const mpk_evidence_word_t  mpk_evidence_whys[] = {
    mpk_word("cancelled", "the order had been cancelled", 0),
    mpk_word("business", "the buyer is a business", 0),
    mpk_word("late", "stated after the withdrawal period", 0),
    mpk_word("viewed", "a key of it had been shown", 0),
    mpk_word("replaced", "its key had been replaced", 0),
    mpk_word("suspended", "it was on hold", 0),
    mpk_word("early", "stated before the purchase, by the date that was given", 0),
};

mpk_assert_rows(mpk_evidence_whys, MPK_WHY_MAX - 1);

#define mpk_words(list)  (list), sizeof(list) / sizeof((list)[0])


bool
mpk_evidence_is(const mpk_value_t *entry, mpk_event_t event)
{
    return mpk_str_eq(mpk_value_get_string(entry, mpk_string("event")),
                      mpk_event_name(event));
}


static const mpk_evidence_word_t *
mpk_evidence_word(const mpk_evidence_word_t *words, size_t count,
    mpk_str_t name)
{
    size_t  i;

    for (i = 0; i < count; i++) {
        if (mpk_str_eq(words[i].name, name)) {
            return &words[i];
        }
    }

    return NULL;
}


mpk_str_t
mpk_evidence_challenge(const mpk_value_t *entry)
{
    mpk_str_t  challenge;

    challenge = mpk_value_get_string(entry, mpk_string("challenge"));

    return mpk_str_eq(challenge, mpk_string("click"))
           && !mpk_value_yes(entry, mpk_string("form"))
           ? mpk_string("request") : challenge;
}


void
mpk_evidence_line(mpk_buf_t *out, const mpk_value_t *entry)
{
    mpk_str_t                   event, challenge;
    const mpk_value_t          *v;
    const mpk_evidence_word_t  *word;

    mpk_evidence_time(out, entry);
    mpk_buf_lit(out, " | ");

    event = mpk_value_get_string(entry, mpk_string("event"));
    word = mpk_evidence_word(mpk_words(mpk_evidence_events), event);

    if (word) {
        mpk_buf_str(out, word->words);

    } else {
        mpk_evidence_text(out, event);
    }

    v = mpk_value_get(entry, mpk_string("items"));

    if (v && v->type == MPK_VALUE_ARRAY && v->u.list.count) {
        mpk_buf_lit(out, " | ");
        mpk_evidence_items(out, entry);
    }

    if (mpk_value_get_string(entry, mpk_string("channel")).len) {
        mpk_buf_lit(out, " | ");
        mpk_evidence_channel(out, entry);
    }

    mpk_evidence_part(out, entry, mpk_string("delivered at "),
                      mpk_string("delivered_at"));
    mpk_evidence_part(out, entry, mpk_string("key first shown at "),
                      mpk_string("first_viewed_at"));

    v = mpk_value_get(entry, mpk_string("correction"));

    if (v && v->type == MPK_VALUE_INT) {
        mpk_buf_str(out, mpk_evidence_is(entry, MPK_EVENT_EMAIL_CHANGED)
                         || mpk_evidence_is(entry, MPK_EVENT_EMAIL_KEPT)
                         ? mpk_string(" | correction ")
                         : mpk_string(" | email address as of correction "));
        mpk_buf_int(out, v->u.integer);
    }

    mpk_evidence_part(out, entry, mpk_string("the new address holds from "),
                      mpk_string("holds_from"));

    if (mpk_value_yes(entry, mpk_string("show_viewed"))) {
        mpk_buf_lit(out, " | keys shown before may be shown to it");
    }

    v = mpk_value_get(entry, mpk_string("sent"));

    if (v && v->type == MPK_VALUE_INT) {
        mpk_buf_lit(out, " | bytes of the answer that were sent: ");
        mpk_buf_int(out, v->u.integer);
    }

    mpk_evidence_withdrawal(out, entry);

    word = mpk_evidence_is(entry, MPK_EVENT_WITHDRAWAL_STATED)
           ? mpk_evidence_word(mpk_words(mpk_evidence_whys),
                 mpk_value_get_string(entry, mpk_string("reason")))
           : NULL;

    if (word) {
        mpk_buf_lit(out, " | not granted at once: ");
        mpk_buf_str(out, word->words);

    } else {
        mpk_evidence_part(out, entry, mpk_string("reason: "),
                          mpk_string("reason"));
    }

    mpk_evidence_claim(out, entry);
    mpk_evidence_part(out, entry, mpk_string("IP address "),
                      mpk_string("ip"));

    challenge = mpk_evidence_challenge(entry);
    word = mpk_evidence_word(mpk_words(mpk_evidence_challenges), challenge);

    if (word) {
        mpk_buf_lit(out, " | ");
        mpk_buf_str(out, word->words);

    } else {
        mpk_evidence_part(out, entry, mpk_string("challenge "),
                          mpk_string("challenge"));
    }

    if (mpk_value_yes(entry, mpk_string("warning_shown"))) {
        mpk_buf_lit(out, " | warning about another platform shown before");
    }

    if (mpk_value_get(entry, mpk_string("consent_product"))) {
        mpk_buf_lit(out, " | confirmed that the product fits");
    }

    if (mpk_value_get(entry, mpk_string("consent"))) {
        mpk_buf_lit(out, " | consent given");
    }

    mpk_evidence_part(out, entry, mpk_string("token id "),
                      mpk_string("token_id"));

    /* whoever opens a link, a mail scanner too, is an entry's "customer" */

    if (!mpk_evidence_is(entry, MPK_EVENT_OPENED)) {
        mpk_evidence_part(out, entry, mpk_string("by "), mpk_string("actor"));
    }

    /* last: the customer chooses this text, which may imitate other parts */

    mpk_evidence_part(out, entry, mpk_string("browser: "),
                      mpk_string("user_agent"));
}


/* Members of entries about withdrawals. */

static void
mpk_evidence_withdrawal(mpk_buf_t *out, const mpk_value_t *entry)
{
    const mpk_evidence_word_t  *word;

    mpk_evidence_part(out, entry, mpk_string("statement received at "),
                      mpk_string("stated_at"));

    word = mpk_evidence_word(mpk_words(mpk_evidence_media),
               mpk_value_get_string(entry, mpk_string("medium")));

    if (word) {
        mpk_buf_lit(out, " | made ");
        mpk_buf_str(out, word->words);
    }

    mpk_evidence_part(out, entry, mpk_string("to be repaid by "),
                      mpk_string("refund_due"));
}


/* Members of entries about claims. */

static void
mpk_evidence_claim(mpk_buf_t *out, const mpk_value_t *entry)
{
    const mpk_value_t          *v;
    const mpk_evidence_word_t  *word;

    mpk_evidence_part(out, entry, mpk_string("sent to support at "),
                      mpk_string("received_at"));

    v = mpk_value_get(entry, mpk_string("key_matched"));

    if (v) {
        mpk_buf_str(out, mpk_value_yes(entry, mpk_string("key_matched"))
                     ? mpk_string(" | the item's key was given")
                     : mpk_string(" | a key was given that is not the item's"));
    }

    if (mpk_value_get_string(entry, mpk_string("exception")).len) {
        mpk_buf_lit(out, " | taken as an exception");
    }

    v = mpk_value_get(entry, mpk_string("bytes"));

    if (v && v->type == MPK_VALUE_INT) {
        mpk_buf_lit(out, " | bytes received: ");
        mpk_buf_int(out, v->u.integer);
    }

    v = mpk_value_get(entry, mpk_string("files"));

    if (v && v->type == MPK_VALUE_ARRAY) {
        mpk_buf_lit(out, " | files: ");
        mpk_buf_int(out, (int64_t) v->u.list.count);
    }

    word = mpk_evidence_word(mpk_words(mpk_evidence_sessions),
               mpk_value_get_string(entry, mpk_string("session")));

    if (word) {
        mpk_buf_lit(out, " | remote session ");
        mpk_buf_str(out, word->words);
    }

    word = mpk_evidence_word(mpk_words(mpk_evidence_findings),
               mpk_value_get_string(entry, mpk_string("finding")));

    if (word) {
        mpk_buf_lit(out, " | finding: ");
        mpk_buf_str(out, word->words);
    }
}


static void
mpk_evidence_part(mpk_buf_t *out, const mpk_value_t *entry, mpk_str_t words,
    mpk_str_t name)
{
    if (mpk_value_get_string(entry, name).len) {
        mpk_buf_lit(out, " | ");
        mpk_buf_str(out, words);
        mpk_evidence_member(out, entry, name);
    }
}


void
mpk_evidence_time(mpk_buf_t *out, const mpk_value_t *entry)
{
    int64_t  at;
    uint8_t  text[MPK_TIME_LEN];

    if (mpk_time_read(mpk_value_get_string(entry, mpk_string("at")), &at)
        != MPK_OK)
    {
        mpk_buf_lit(out, "(time not readable)");
        return;
    }

    mpk_time_format(at, text);

    mpk_buf_put(out, text, 10);
    mpk_buf_byte(out, ' ');
    mpk_buf_put(out, text + 11, 8);
    mpk_buf_lit(out, " UTC");
}


void
mpk_evidence_items(mpk_buf_t *out, const mpk_value_t *entry)
{
    const mpk_value_t  *items;

    items = mpk_value_get(entry, mpk_string("items"));

    if (items && items->type == MPK_VALUE_ARRAY) {
        mpk_buf_str(out, items->u.list.count == 1 ? mpk_string("item ")
                                                  : mpk_string("items "));
        mpk_evidence_numbers(out, entry);
    }
}


void
mpk_evidence_numbers(mpk_buf_t *out, const mpk_value_t *entry)
{
    bool                more;
    int64_t             first, last;
    const mpk_value_t  *v, *items;

    items = mpk_value_get(entry, mpk_string("items"));

    if (items == NULL || items->type != MPK_VALUE_ARRAY) {
        return;
    }

    more = false;

    for (v = items->u.list.first; v; v = v->next) {

        if (v->type != MPK_VALUE_INT) {
            continue;
        }

        first = v->u.integer;
        last = first;

        while (v->next && v->next->type == MPK_VALUE_INT
               && last < MPK_ITEMS_MAX && v->next->u.integer == last + 1)
        {
            v = v->next;
            last++;
        }

        if (more) {
            mpk_buf_lit(out, ", ");
        }

        more = true;
        mpk_buf_int(out, first);

        if (last > first) {
            mpk_buf_byte(out, '-');
            mpk_buf_int(out, last);
        }
    }
}


void
mpk_evidence_channel(mpk_buf_t *out, const mpk_value_t *entry)
{
    mpk_str_t                   channel;
    const mpk_evidence_word_t  *word;

    channel = mpk_value_get_string(entry, mpk_string("channel"));
    word = mpk_evidence_word(mpk_words(mpk_evidence_channels), channel);

    if (word) {
        mpk_buf_str(out, word->words);

    } else {
        mpk_evidence_text(out, channel);
    }
}


void
mpk_evidence_member(mpk_buf_t *out, const mpk_value_t *entry, mpk_str_t name)
{
    mpk_evidence_text(out, mpk_value_get_string(entry, name));
}


void
mpk_evidence_quote(mpk_buf_t *out, mpk_str_t words)
{
    size_t  i, start;

    for (start = 0; start <= words.len; start = i + 1) {

        for (i = start; i < words.len && words.data[i] != '\n'; i++) {
            /* void */
        }

        mpk_buf_str(out, start ? mpk_string(", \"") : mpk_string("\""));
        mpk_evidence_text(out, (mpk_str_t) { i - start, words.data + start });
        mpk_buf_byte(out, '"');
    }
}


void
mpk_evidence_text(mpk_buf_t *out, mpk_str_t text)
{
    size_t  i, len;

    for (i = 0; i < text.len; i += len ? len : 1) {

        len = mpk_evidence_unsafe(text.data + i, text.len - i);

        mpk_buf_byte(out, len ? '?' : text.data[i]);
    }
}


/*
 * The length of a control, invisible or bidirectional formatting character; 0: it is
 * none.
 */

static size_t
mpk_evidence_unsafe(const uint8_t *p, size_t len)
{
    if (p[0] < 0x20 || p[0] == 0x7f) {
        return 1;
    }

    if (len >= 2 && p[0] == 0xc2 && p[1] < 0xa0) {
        return 2;                            /* U+0080 to U+009F */
    }

    if (len >= 3 && p[0] == 0xe2
        && ((p[1] == 0x80 && p[2] >= 0x8b && p[2] <= 0x8f)
            || (p[1] == 0x80 && p[2] >= 0xa8 && p[2] <= 0xae)
            || (p[1] == 0x81 && p[2] >= 0xa0 && p[2] <= 0xaf)))
    {
        return 3;    /* U+200B to U+200F, U+2028 to U+202E, U+2060 to U+206F */
    }

    return 0;
}


mpk_status_t
mpk_evidence_lines(mpk_mem_t *mem, const mpk_value_t *const *entries,
    size_t count, size_t max, mpk_buf_t *out)
{
    size_t                      i, left, first, last;
    mpk_buf_t                   text;
    mpk_evidence_line_t        *lines;
    const mpk_evidence_word_t  *word;

    lines = mpk_calloc(mem, (count + 1) * sizeof(mpk_evidence_line_t));
    if (lines == NULL) {
        return MPK_NOMEM;
    }

    first = count;
    last = count;

    for (i = 0; i < count; i++) {

        mpk_buf_init(&text, mem, 256);
        mpk_evidence_line(&text, entries[i]);
        mpk_buf_byte(&text, '\n');

        if (text.failed) {
            return MPK_NOMEM;
        }

        word = mpk_evidence_word(mpk_words(mpk_evidence_events),
                                 mpk_value_get_string(entries[i],
                                                      mpk_string("event")));
        lines[i].text = mpk_buf_done(&text);
        lines[i].rank = word ? word->rank : MPK_EVIDENCE_RANK_MAX;

        if (mpk_evidence_is(entries[i], MPK_EVENT_VIEWED)
            || mpk_evidence_is(entries[i], MPK_EVENT_REPEATED))
        {
            first = first == count ? i : first;
            last = i;
        }
    }

    if (last < count) {
        mpk_evidence_keep(lines, entries, count, first);
        mpk_evidence_keep(lines, entries, count, last);
    }

    left = mpk_evidence_choose(lines, count, max);

    for (i = 0; i < count; i++) {
        if (lines[i].chosen) {
            mpk_buf_str(out, lines[i].text);
        }
    }

    if (left) {
        mpk_buf_lit(out, "(Left out here, but in the journal: ");
        mpk_buf_int(out, (int64_t) left);
        mpk_buf_str(out, left == 1 ? mpk_string(" line)\n")
                                   : mpk_string(" lines)\n"));
    }

    return out->failed ? MPK_NOMEM : MPK_OK;
}


/* A view, and that its answer was cut off: one without the other says too much. */

static void
mpk_evidence_keep(mpk_evidence_line_t *lines, const mpk_value_t *const *entries,
    size_t count, size_t view)
{
    size_t     i;
    mpk_str_t  id;

    lines[view].rank = 0;

    id = mpk_value_get_string(entries[view], mpk_string("request_id"));

    for (i = view + 1; id.len && i < count; i++) {
        if (mpk_evidence_is(entries[i], MPK_EVENT_CUT_OFF)
            && mpk_str_eq(id, mpk_value_get_string(entries[i],
                                                   mpk_string("request_id"))))
        {
            lines[i].rank = 0;
        }
    }
}


/* Chooses the lines that fit into max bytes; returns how many do not. */

static size_t
mpk_evidence_choose(mpk_evidence_line_t *lines, size_t count, size_t max)
{
    size_t    i, left;
    unsigned  rank;

    left = 0;

    for (i = 0; i < count; i++) {
        lines[i].chosen = true;
        left += lines[i].text.len;
    }

    if (left <= max) {
        return 0;
    }

    max = max > MPK_EVIDENCE_NOTE_MAX ? max - MPK_EVIDENCE_NOTE_MAX : 0;
    left = count;

    for (i = 0; i < count; i++) {
        lines[i].chosen = false;
    }

    for (rank = 0; rank <= MPK_EVIDENCE_RANK_MAX; rank++) {
        for (i = 0; i < count; i++) {

            if (lines[i].rank == rank && lines[i].text.len <= max) {
                lines[i].chosen = true;
                max -= lines[i].text.len;
                left--;
            }
        }
    }

    return left;
}
