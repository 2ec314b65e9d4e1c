/* Evidence for a dispute: the terms, Stripe's fields, the activity. */

#include "mpk_evidence.h"
#include "mpk_time.h"



/* What the verified entries show. */
typedef struct {
    const mpk_value_t  **entries;
    size_t               count;      /* of all entries */
    size_t               verified;
    const mpk_value_t  **cut;        /* by entry: the "cut_off" of a view; NULL: none */
    mpk_str_t           *requests;   /* by entry: its "request_id" */

    const mpk_value_t   *filed;
    const mpk_value_t   *delivered;  /* the first link handed out, or the first view */
    const mpk_value_t   *viewed;     /* the first view of which a key has left */
    const mpk_value_t   *opened;     /* its link, opened before it from the same address */
    const mpk_value_t   *consent;    /* given with the first view, or before it */
    const mpk_value_t   *product;    /* the same, that it fits */
    size_t               views;
    size_t               shown_count;
    bool                 shown[MPK_ITEMS_MAX + 1];
    bool                 imported;   /* delivered before, on the shop's word */
    bool                 cancelled;  /* or withdrawn; these two also by unverified entries */
    bool                 refunded;   /* or to be */
} mpk_evidence_found_t;


static mpk_status_t mpk_evidence_scan(mpk_mem_t *mem,
    const mpk_evidence_t *evidence, mpk_evidence_found_t *found);
static void mpk_evidence_cut(mpk_evidence_found_t *found, size_t i);
static const mpk_value_t *mpk_evidence_opened(
    const mpk_evidence_found_t *found, size_t i);
static bool mpk_evidence_seen(mpk_evidence_found_t *found, size_t i);
static size_t mpk_evidence_mark(const mpk_value_t *entry, bool mark,
    const bool *except, bool *marks);
static void mpk_evidence_policies(const mpk_evidence_found_t *found,
    mpk_value_t *document);
static void mpk_evidence_consents(const mpk_evidence_t *evidence,
    const mpk_evidence_found_t *found, mpk_value_t *document);
static void mpk_evidence_consent(const mpk_evidence_t *evidence,
    const mpk_value_t *entry, mpk_str_t text, mpk_value_t *agreed);
static mpk_str_t mpk_evidence_words(const mpk_evidence_t *evidence,
    mpk_str_t hash);
static mpk_status_t mpk_evidence_stripe(mpk_mem_t *mem,
    const mpk_evidence_t *evidence, const mpk_evidence_found_t *found,
    mpk_value_t *document);
static void mpk_evidence_products(const mpk_evidence_t *evidence,
    mpk_buf_t *out);
static void mpk_evidence_date(mpk_buf_t *out, const mpk_value_t *entry);
static void mpk_evidence_disclosure(const mpk_evidence_t *evidence,
    const mpk_evidence_found_t *found, mpk_buf_t *out);
static void mpk_evidence_seconds(int64_t seconds, mpk_str_t ip,
    mpk_buf_t *out);
static void mpk_evidence_confirmed(const mpk_evidence_t *evidence,
    const mpk_evidence_found_t *found, mpk_buf_t *out);
static void mpk_evidence_agreed(const mpk_evidence_t *evidence,
    mpk_str_t hash, mpk_buf_t *out);
static void mpk_evidence_refusal(const mpk_evidence_t *evidence,
    const mpk_evidence_found_t *found, mpk_buf_t *out);
static void mpk_evidence_rebuttal(const mpk_evidence_t *evidence,
    const mpk_evidence_found_t *found, mpk_buf_t *out);
static bool mpk_evidence_other(const mpk_evidence_t *evidence,
    const mpk_value_t *view);
static void mpk_evidence_corrected(const mpk_evidence_t *evidence,
    const mpk_value_t *view, mpk_buf_t *out);
static void mpk_evidence_where(mpk_buf_t *out, const mpk_value_t *entry);
static mpk_status_t mpk_evidence_activity(mpk_mem_t *mem,
    const mpk_evidence_found_t *found, mpk_value_t *document);


mpk_status_t
mpk_evidence_add(mpk_mem_t *mem, const mpk_evidence_t *evidence,
    mpk_value_t *document)
{
    mpk_status_t           status;
    mpk_evidence_found_t  *found;

    found = mpk_calloc(mem, sizeof(mpk_evidence_found_t));
    if (found == NULL) {
        return MPK_NOMEM;
    }

    status = mpk_evidence_scan(mem, evidence, found);
    if (status != MPK_OK) {
        return status;
    }

    mpk_evidence_policies(found, document);
    mpk_evidence_consents(evidence, found, document);

    status = mpk_evidence_stripe(mem, evidence, found, document);
    if (status != MPK_OK) {
        return status;
    }

    return mpk_evidence_activity(mem, found, document);
}


static mpk_status_t
mpk_evidence_scan(mpk_mem_t *mem, const mpk_evidence_t *evidence,
    mpk_evidence_found_t *found)
{
    bool                 view;
    size_t               i;
    const mpk_value_t   *v;

    found->count = evidence->entries->u.list.count;
    found->verified = evidence->verified < found->count ? evidence->verified
                                                        : found->count;

    found->entries = mpk_alloc(mem, (found->count + 1) * sizeof(mpk_value_t *));
    found->cut = mpk_calloc(mem, (found->count + 1) * sizeof(mpk_value_t *));
    found->requests = mpk_alloc(mem, (found->count + 1) * sizeof(mpk_str_t));

    if (found->entries == NULL || found->cut == NULL
        || found->requests == NULL)
    {
        return MPK_NOMEM;
    }

    for (v = evidence->entries->u.list.first, i = 0; v; v = v->next, i++) {
        found->entries[i] = v;
        found->requests[i] = mpk_value_get_string(v, mpk_string("request_id"));

        if (mpk_evidence_is(v, MPK_EVENT_CUT_OFF)) {
            mpk_evidence_cut(found, i);
        }

        found->imported |= mpk_evidence_is(v, MPK_EVENT_IMPORTED)
                           && mpk_value_get(v, mpk_string("delivered_at"));
        found->cancelled |= mpk_evidence_is(v, MPK_EVENT_CANCELLED)
                            || mpk_evidence_is(v, MPK_EVENT_WITHDRAWAL_STATED)
                            || mpk_evidence_is(v, MPK_EVENT_WITHDRAWAL_REJECTED)
                            || mpk_evidence_is(v, MPK_EVENT_WITHDRAWN);
        found->refunded |= mpk_evidence_is(v, MPK_EVENT_CLAIM_REFUNDED)
                           || mpk_evidence_is(v, MPK_EVENT_WITHDRAWN);
    }

    for (i = 0; i < found->verified; i++) {
        v = found->entries[i];

        view = mpk_evidence_seen(found, i);

        if (found->delivered == NULL
            && (view || mpk_evidence_is(v, MPK_EVENT_LINK_MINTED)))
        {
            found->delivered = v;
        }

        /* what was shown already needed none */

        if (found->consent == NULL && found->viewed == NULL
            && mpk_value_get(v, mpk_string("consent")))
        {
            found->consent = v;
        }

        if (found->product == NULL && found->viewed == NULL
            && mpk_value_get(v, mpk_string("consent_product")))
        {
            found->product = v;
        }

        if (found->filed == NULL
            && (mpk_evidence_is(v, MPK_EVENT_FILED)
                || mpk_evidence_is(v, MPK_EVENT_IMPORTED)))
        {
            found->filed = v;
        }

        if (mpk_evidence_is(v, MPK_EVENT_CLAIM_REPLACED)) {
            (void) mpk_evidence_mark(v, false, NULL, found->shown);
        }

        if (!view) {
            continue;
        }

        found->views++;

        if (found->viewed) {
            continue;
        }

        found->viewed = v;
        found->opened = mpk_evidence_opened(found, i);
    }

    for (i = 1; i <= MPK_ITEMS_MAX; i++) {
        found->shown_count += found->shown[i];
    }

    return MPK_OK;
}


/*
 * The last opening of a view's link before it, from the same address: others, such as mail
 * scanners, open links, too.
 */

static const mpk_value_t *
mpk_evidence_opened(const mpk_evidence_found_t *found, size_t i)
{
    mpk_str_t           token, ip;
    const mpk_value_t  *v;

    token = mpk_value_get_string(found->entries[i], mpk_string("token_id"));
    ip = mpk_value_get_string(found->entries[i], mpk_string("ip"));

    while (token.len && ip.len && i > 0) {
        v = found->entries[--i];

        if (mpk_evidence_is(v, MPK_EVENT_OPENED)
            && mpk_str_eq(token, mpk_value_get_string(v, mpk_string("token_id")))
            && mpk_str_eq(ip, mpk_value_get_string(v, mpk_string("ip"))))
        {
            return v;
        }
    }

    return NULL;
}


/* Finds the view that was cut off: it has the same request id. */

static void
mpk_evidence_cut(mpk_evidence_found_t *found, size_t i)
{
    size_t     k;
    mpk_str_t  id;

    id = found->requests[i];

    for (k = i; id.len && k > 0; k--) {

        if (mpk_str_eq(id, found->requests[k - 1])) {
            found->cut[k - 1] = found->entries[i];
            return;
        }
    }
}


/*
 * Whether an entry is a view that showed a key.  Its items are shown, but for those whose
 * keys did not leave before the response was cut off.
 */

static bool
mpk_evidence_seen(mpk_evidence_found_t *found, size_t i)
{
    bool                cut[MPK_ITEMS_MAX + 1];
    size_t              n;
    const mpk_value_t  *view;

    view = found->entries[i];

    if (!mpk_evidence_is(view, MPK_EVENT_VIEWED)
        && !mpk_evidence_is(view, MPK_EVENT_REPEATED))
    {
        return false;
    }

    memset(cut, 0, sizeof(cut));

    (void) mpk_evidence_mark(found->cut[i], true, NULL, cut);

    n = mpk_evidence_mark(view, true, cut, found->shown);

    return n || found->cut[i] == NULL;
}


/* Marks the items of an entry (NULL: none) but for the excepted; returns how many. */

static size_t
mpk_evidence_mark(const mpk_value_t *entry, bool mark, const bool *except,
    bool *marks)
{
    size_t              n;
    int64_t             item;
    const mpk_value_t  *v;

    v = mpk_value_get(entry, mpk_string("items"));

    if (v == NULL || v->type != MPK_VALUE_ARRAY) {
        return 0;
    }

    n = 0;

    for (v = v->u.list.first; v; v = v->next) {
        item = v->type == MPK_VALUE_INT ? v->u.integer : 0;

        if (item >= 1 && item <= MPK_ITEMS_MAX && !(except && except[item])) {
            marks[item] = mark;
            n++;
        }
    }

    return n;
}


/* Each version once, in order of appearance. */

static void
mpk_evidence_policies(const mpk_evidence_found_t *found,
    mpk_value_t *document)
{
    size_t              i;
    mpk_str_t           version;
    mpk_value_t        *list;
    const mpk_value_t  *v;

    list = mpk_value_array(document, mpk_string("policy"));

    for (i = 0; list && i < found->verified; i++) {

        version = mpk_value_get_string(found->entries[i],
                                       mpk_string("policy"));
        if (version.len == 0) {
            continue;
        }

        for (v = list->u.list.first; v; v = v->next) {
            if (mpk_str_eq(v->u.string, version)) {
                break;
            }
        }

        if (v == NULL) {
            mpk_value_string(list, mpk_string(""), version);
        }
    }
}


static void
mpk_evidence_consents(const mpk_evidence_t *evidence,
    const mpk_evidence_found_t *found, mpk_value_t *document)
{
    size_t              i;
    mpk_str_t           text;
    mpk_value_t        *supply, *product, *agreed;
    const mpk_value_t  *entry, *consent;

    supply = mpk_value_array(document, mpk_string("consent"));
    product = mpk_value_array(document, mpk_string("consent_product"));

    for (i = 0; i < found->verified; i++) {
        entry = found->entries[i];

        consent = mpk_value_get(entry, mpk_string("consent"));

        if (consent) {
            agreed = mpk_value_object(supply, mpk_string(""));

            mpk_evidence_consent(evidence, entry,
                mpk_value_get_string(consent, mpk_string("text")), agreed);
            mpk_value_string(agreed, mpk_string("language"),
                mpk_value_get_string(consent, mpk_string("language")));
        }

        text = mpk_value_get_string(entry, mpk_string("consent_product"));

        if (text.len) {
            mpk_evidence_consent(evidence, entry, text,
                                 mpk_value_object(product, mpk_string("")));
        }
    }
}


static void
mpk_evidence_consent(const mpk_evidence_t *evidence, const mpk_value_t *entry,
    mpk_str_t text, mpk_value_t *agreed)
{
    mpk_str_t           words;
    const mpk_value_t  *n;

    n = mpk_value_get(entry, mpk_string("n"));
    words = mpk_evidence_words(evidence, text);

    if (n && n->type == MPK_VALUE_INT) {
        mpk_value_int(agreed, mpk_string("n"), n->u.integer);
    }

    mpk_value_string(agreed, mpk_string("at"),
                     mpk_value_get_string(entry, mpk_string("at")));
    mpk_value_string(agreed, mpk_string("ip"),
                     mpk_value_get_string(entry, mpk_string("ip")));
    mpk_value_string(agreed, mpk_string("text"), text);

    if (words.len) {
        mpk_value_string(agreed, mpk_string("words"), words);
    }
}


/* Empty: they are not known. */

static mpk_str_t
mpk_evidence_words(const mpk_evidence_t *evidence, mpk_str_t hash)
{
    size_t  i;

    for (i = 0; i < evidence->texts_count; i++) {
        if (mpk_str_eq(evidence->texts[i].hash, hash)) {
            return evidence->texts[i].words;
        }
    }

    return (mpk_str_t) { 0, NULL };
}


static mpk_status_t
mpk_evidence_stripe(mpk_mem_t *mem, const mpk_evidence_t *evidence,
    const mpk_evidence_found_t *found, mpk_value_t *document)
{
    size_t         i;
    mpk_value_t   *stripe;
    mpk_status_t   status;

    enum { LOG, IP, EMAIL, NAME, PRODUCT, DATE, REFUND, REFUSAL, CANCELLATION,
           REBUTTAL, MAX };

    struct {
        mpk_str_t    name;
        mpk_buf_t    text;
    } fields[MAX] = {
        [LOG] = { .name = mpk_string("access_activity_log") },
        [IP] = { .name = mpk_string("customer_purchase_ip") },
        [EMAIL] = { .name = mpk_string("customer_email_address") },
        [NAME] = { .name = mpk_string("customer_name") },
        [PRODUCT] = { .name = mpk_string("product_description") },
        [DATE] = { .name = mpk_string("service_date") },
        [REFUND] = { .name = mpk_string("refund_policy_disclosure") },
        [REFUSAL] = { .name = mpk_string("refund_refusal_explanation") },
        [CANCELLATION] =
            { .name = mpk_string("cancellation_policy_disclosure") },
        [REBUTTAL] = { .name = mpk_string("cancellation_rebuttal") },
    };

    for (i = 0; i < MAX; i++) {
        mpk_buf_init(&fields[i].text, mem, 64);
    }

    if (found->delivered) {
        status = mpk_evidence_lines(mem, found->entries, found->verified,
                                    MPK_EVIDENCE_TEXT_MAX, &fields[LOG].text);
        if (status != MPK_OK) {
            return status;
        }
    }

    if (evidence->person) {
        mpk_buf_str(&fields[IP].text, evidence->person->purchase_ip);
        mpk_buf_str(&fields[EMAIL].text, evidence->person->email);
        mpk_buf_str(&fields[NAME].text, evidence->person->name);
    }

    mpk_evidence_products(evidence, &fields[PRODUCT].text);

    if (!found->imported) {
        mpk_evidence_date(&fields[DATE].text, found->viewed ? found->viewed
                                                            : found->delivered);
    }

    mpk_evidence_disclosure(evidence, found, &fields[REFUND].text);
    mpk_evidence_disclosure(evidence, found, &fields[CANCELLATION].text);

    mpk_evidence_refusal(evidence, found, &fields[REFUSAL].text);
    mpk_evidence_rebuttal(evidence, found, &fields[REBUTTAL].text);

    stripe = mpk_value_object(document, mpk_string("stripe"));

    for (i = 0; i < MAX; i++) {

        if (fields[i].text.failed) {
            return MPK_NOMEM;
        }

        if (fields[i].text.len) {
            mpk_value_string(stripe, fields[i].name,
                             mpk_buf_done(&fields[i].text));
        }
    }

    return MPK_OK;
}


static void
mpk_evidence_products(const mpk_evidence_t *evidence, mpk_buf_t *out)
{
    size_t             i;
    const mpk_item_t  *item;

    if (evidence->items_count == 0) {
        return;
    }

    mpk_buf_lit(out, "Digital goods: product keys, delivered electronically. "
                     "Nothing is shipped.");

    for (i = 0; i < evidence->items_count; i++) {
        item = &evidence->items[i];

        if (out->len + item->product.len + item->sku.len
            > MPK_EVIDENCE_TEXT_MAX - 64)
        {
            mpk_buf_lit(out, "\n(and ");
            mpk_buf_int(out, (int64_t) (evidence->items_count - i));
            mpk_buf_lit(out, " more)");
            return;
        }

        mpk_buf_byte(out, '\n');
        mpk_buf_int(out, (int64_t) i + 1);
        mpk_buf_lit(out, ". ");
        mpk_evidence_text(out, item->product);

        if (item->sku.len) {
            mpk_buf_lit(out, " (SKU ");
            mpk_evidence_text(out, item->sku);
            mpk_buf_byte(out, ')');
        }
    }
}


static void
mpk_evidence_date(mpk_buf_t *out, const mpk_value_t *entry)
{
    int64_t           at;
    mpk_time_words_t  words;

    if (entry
        && mpk_time_read(mpk_value_get_string(entry, mpk_string("at")), &at)
           == MPK_OK
        && mpk_time_words_read(mpk_string("%d %B %Y"), mpk_string("1"),
                               mpk_string("January February March April May "
                                          "June July August September "
                                          "October November December"),
                               &words)
           == MPK_OK)
    {
        mpk_time_words(at, &words, out);
    }
}


/*
 * What was accepted before the purchase, as the shop has filed it; empty: nothing.  What was
 * agreed to with a view came after it.
 */

static void
mpk_evidence_disclosure(const mpk_evidence_t *evidence,
    const mpk_evidence_found_t *found, mpk_buf_t *out)
{
    const mpk_terms_t     *terms;
    const mpk_consents_t  *consents;

    if (evidence->checkout == NULL || found->filed == NULL) {
        return;
    }

    terms = &evidence->checkout->terms;
    consents = &evidence->checkout->consents;

    if (terms->version.len && terms->accepted_at <= evidence->purchased_at) {
        mpk_buf_lit(out, "Before the purchase, at the checkout, the customer "
                         "accepted the shop's terms, version \"");
        mpk_evidence_text(out, terms->version);
        mpk_buf_lit(out, "\",");
        mpk_evidence_seconds(terms->accepted_at, terms->ip, out);
        mpk_buf_lit(out, ". Their address is \"");
        mpk_evidence_text(out, terms->url);
        mpk_buf_byte(out, '"');

        if (terms->sha256.len) {
            mpk_buf_lit(out, "; the SHA-256 of the document as it was served "
                             "is ");
            mpk_evidence_text(out, terms->sha256);
        }

        mpk_buf_lit(out, ". ");
    }

    if (mpk_checkout_consented(evidence->checkout)
        && consents->at <= evidence->purchased_at)
    {
        mpk_buf_lit(out, "Before the purchase, at the checkout, the customer "
                         "asked for the digital content to be supplied at "
                         "once, and acknowledged that the right of withdrawal "
                         "is lost by this,");
        mpk_evidence_seconds(consents->at, consents->ip, out);
        mpk_buf_lit(out, "; the SHA-256 of the words that were shown is ");
        mpk_evidence_text(out, consents->text_sha256);
        mpk_buf_lit(out, ". ");

        if (consents->confirmed_at) {
            mpk_buf_lit(out, "Both consents were confirmed to the customer on "
                             "a durable medium");
            mpk_evidence_seconds(consents->confirmed_at, mpk_string(""), out);
            mpk_buf_lit(out, ". ");
        }
    }

    if (out->len == 0) {
        return;
    }

    mpk_buf_lit(out, "The purchase was made");
    mpk_evidence_seconds(evidence->purchased_at, mpk_string(""), out);
    mpk_buf_lit(out, ". These times and addresses are those of the shop's "
                     "checkout, as the shop filed them with the order on ");
    mpk_evidence_time(out, found->filed);
    mpk_buf_byte(out, '.');
}


/* " on 2026-11-23 05:01:02 UTC from IP address 203.0.113.7" */

static void
mpk_evidence_seconds(int64_t seconds, mpk_str_t ip, mpk_buf_t *out)
{
    uint8_t  text[MPK_TIME_LEN];

    mpk_time_format(seconds, text);

    mpk_buf_lit(out, " on ");
    mpk_buf_put(out, text, 10);
    mpk_buf_byte(out, ' ');
    mpk_buf_put(out, text + 11, 8);
    mpk_buf_lit(out, " UTC");

    if (ip.len) {
        mpk_buf_lit(out, " from IP address ");
        mpk_evidence_text(out, ip);
    }
}


static void
mpk_evidence_refusal(const mpk_evidence_t *evidence,
    const mpk_evidence_found_t *found, mpk_buf_t *out)
{
    size_t  i;

    for (i = 0; i < evidence->items_count; i++) {
        if (evidence->items[i].state >= MPK_ITEM_REFUNDED) {
            return;
        }
    }

    if (found->viewed == NULL || found->shown_count == 0 || found->refunded
        || found->shown_count > evidence->items_count)
    {
        return;
    }

    mpk_buf_str(out, mpk_evidence_other(evidence, found->viewed)
                     ? mpk_string("Product keys of this order that were shown: ")
                     : mpk_string("Product keys of this order that were shown "
                                  "to the customer: "));
    mpk_buf_int(out, (int64_t) found->shown_count);
    mpk_buf_lit(out, " of ");
    mpk_buf_int(out, (int64_t) evidence->items_count);
    mpk_buf_str(out, found->imported
                     ? mpk_string(". The first view that was recorded was")
                     : mpk_string(". The first view was"));
    mpk_evidence_where(out, found->viewed);
    mpk_buf_lit(out, ", ");
    mpk_evidence_channel(out, found->viewed);

    if (mpk_str_eq(mpk_value_get_string(found->viewed,
                                        mpk_string("challenge")),
                   mpk_string("email")))
    {
        mpk_buf_lit(out, ", after the billing email address had been given");
    }

    mpk_buf_lit(out, ". Views in all: ");
    mpk_buf_int(out, (int64_t) found->views);
    mpk_buf_lit(out, ". ");

    mpk_evidence_confirmed(evidence, found, out);

    mpk_buf_lit(out, "A product key can be used by whoever has seen it, and "
                     "can't be given back. By rule R8 of the shop a key that "
                     "was viewed is used: nothing makes it unused again.");

    mpk_evidence_corrected(evidence, found->viewed, out);
}


/* What the confirm page said before the first view, and what the customer agreed to there. */

static void
mpk_evidence_confirmed(const mpk_evidence_t *evidence,
    const mpk_evidence_found_t *found, mpk_buf_t *out)
{
    const mpk_value_t  *consent;

    if (found->opened) {
        mpk_buf_lit(out, "The link leads to a confirmation page, "
                         "which shows no key. It was opened");
        mpk_evidence_where(out, found->opened);
        mpk_buf_str(out, mpk_value_yes(found->viewed, mpk_string("form"))
                         ? mpk_string(", and confirmed by its button")
                         : mpk_string(", and confirmed"));
        mpk_evidence_where(out, found->viewed);
        mpk_buf_lit(out, ". ");
    }

    if (mpk_value_get_string(found->viewed, mpk_string("policy")).len) {
        mpk_buf_lit(out, "The version of the shop's policy that was in force "
                         "is recorded with this view: \"");
        mpk_evidence_member(out, found->viewed, mpk_string("policy"));
        mpk_buf_lit(out, "\". ");
    }

    if (found->consent) {
        consent = mpk_value_get(found->consent, mpk_string("consent"));

        mpk_buf_str(out, mpk_value_yes(found->consent, mpk_string("form"))
                         ? mpk_string("The customer ticked two boxes")
                         : mpk_string("The customer declared two things"));
        mpk_buf_lit(out, " before the key was shown");
        mpk_evidence_where(out, found->consent);
        mpk_buf_lit(out, ": one asks for the digital content to be supplied "
                         "at once, the other acknowledges that the right of "
                         "withdrawal is lost by this. The texts were read in "
                         "the language \"");
        mpk_evidence_member(out, consent, mpk_string("language"));
        mpk_buf_byte(out, '"');
        mpk_evidence_agreed(evidence,
                            mpk_value_get_string(consent, mpk_string("text")),
                            out);
    }

    if (found->product) {
        mpk_buf_lit(out, "Before the key was shown,");
        mpk_evidence_where(out, found->product);
        mpk_buf_lit(out, ", the customer confirmed that the product fits");
        mpk_evidence_agreed(evidence,
                            mpk_value_get_string(found->product,
                                mpk_string("consent_product")),
                            out);
    }
}


/* Appends the words of a consent and their hash, and ends the sentence. */

static void
mpk_evidence_agreed(const mpk_evidence_t *evidence, mpk_str_t hash,
    mpk_buf_t *out)
{
    mpk_str_t  words;

    words = mpk_evidence_words(evidence, hash);

    if (words.len) {
        mpk_buf_lit(out, ": ");
        mpk_evidence_quote(out, words);
    }

    mpk_buf_lit(out, ". The SHA-256 of the words, in base64, is ");
    mpk_evidence_text(out, hash);
    mpk_buf_lit(out, ". ");
}


static void
mpk_evidence_rebuttal(const mpk_evidence_t *evidence,
    const mpk_evidence_found_t *found, mpk_buf_t *out)
{
    if (found->delivered == NULL || found->cancelled || found->imported) {
        return;
    }

    mpk_buf_lit(out, "The order was delivered");

    if (mpk_evidence_is(found->delivered, MPK_EVENT_LINK_MINTED)) {
        mpk_buf_lit(out, " on ");
        mpk_evidence_time(out, found->delivered);
        mpk_buf_lit(out, ": a link to the product keys was handed out, to be "
                         "sent by email");

    } else {
        mpk_evidence_where(out, found->delivered);
        mpk_buf_lit(out, ": the customer saw product keys, ");
        mpk_evidence_channel(out, found->delivered);
    }

    mpk_buf_lit(out, ". No cancellation is recorded before that");

    if (found->verified == found->count) {
        mpk_buf_lit(out, ", and none since");
    }

    mpk_buf_lit(out, "; by rule R5 of the shop an order can be cancelled only "
                     "before delivery.");

    if (found->viewed && found->viewed != found->delivered) {
        mpk_buf_lit(out, " Product keys were first viewed");
        mpk_evidence_where(out, found->viewed);
        mpk_buf_byte(out, '.');
    }

    mpk_evidence_corrected(evidence, found->viewed, out);
}


/* Whether the billing email was corrected after this view. */

static bool
mpk_evidence_other(const mpk_evidence_t *evidence, const mpk_value_t *view)
{
    size_t              number;
    const mpk_value_t  *v;

    v = mpk_value_get(view, mpk_string("correction"));
    number = v && v->type == MPK_VALUE_INT ? (size_t) v->u.integer : 0;

    return number < evidence->correction;
}


static void
mpk_evidence_corrected(const mpk_evidence_t *evidence,
    const mpk_value_t *view, mpk_buf_t *out)
{
    if (view && mpk_evidence_other(evidence, view)) {
        mpk_buf_lit(out, " The email address of the order was corrected after "
                         "that view, which was made under the address of "
                         "before.");
    }
}


/* " on 2026-11-23 05:01:02 UTC from IP address 203.0.113.7" */

static void
mpk_evidence_where(mpk_buf_t *out, const mpk_value_t *entry)
{
    mpk_buf_lit(out, " on ");
    mpk_evidence_time(out, entry);

    if (mpk_value_get_string(entry, mpk_string("ip")).len) {
        mpk_buf_lit(out, " from IP address ");
        mpk_evidence_member(out, entry, mpk_string("ip"));
    }
}


static mpk_status_t
mpk_evidence_activity(mpk_mem_t *mem, const mpk_evidence_found_t *found,
    mpk_value_t *document)
{
    size_t     i;
    mpk_buf_t  out;

    mpk_buf_init(&out, mem, 1024);

    for (i = 0; i < found->count; i++) {

        if (i == found->verified) {
            mpk_buf_lit(&out, "(What follows is not proved: the journal does "
                              "not verify from here on.)\n");
        }

        mpk_evidence_line(&out, found->entries[i]);
        mpk_buf_byte(&out, '\n');
    }

    mpk_value_string(document, mpk_string("activity"), mpk_buf_done(&out));

    return out.failed || mem->failed ? MPK_NOMEM : MPK_OK;
}
