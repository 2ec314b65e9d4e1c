/* Evidence: the signature, the lines, and that Stripe's fields use verified entries only. */

#include "mpk_base64url.h"
#include "mpk_evidence.h"
#include "mpk_journal.h"
#include "mpk_json.h"
#include "mpk_jws.h"
#include "mpk_members.h"
#include "test.h"


static const char  ring[] =
    "{\"keys\":["
    "{\"kty\":\"oct\",\"use\":\"token\",\"alg\":\"HS256\",\"kid\":\"t1\",\"k\":\"dG9rZW4tdG9rZW4tdG9rZW4tdG9rZW4tdG9rZW4tdG8\"},"
    "{\"kty\":\"oct\",\"use\":\"wrap\",\"alg\":\"A256GCM\",\"kid\":\"w1\",\"k\":\"d3JhcC13cmFwLXdyYXAtd3JhcC13cmFwLXdyYXAtd3I\"},"
    "{\"kty\":\"oct\",\"use\":\"lookup\",\"alg\":\"HS256\",\"kid\":\"l1\",\"k\":\"bG9va3VwLWxvb2t1cC1sb29rdXAtbG9va3VwLWxvb2s\"},"
    "{\"kty\":\"oct\",\"use\":\"journal\",\"alg\":\"HS256\",\"kid\":\"j1\",\"k\":\"am91cm5hbC1qb3VybmFsLWpvdXJuYWwtam91cm5hbC0\"},"
    "{\"kty\":\"OKP\",\"use\":\"evidence\",\"alg\":\"EdDSA\",\"crv\":\"Ed25519\",\"kid\":\"e1\","
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\",\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"}]}";


/* An order's history as mpk_journal_read() returns it, in JSON. */

#define FILED      "{\"n\":1,\"event\":\"filed\",\"at\":\"2026-11-23T08:00:00Z\",\"items\":[1,2],\"actor\":\"shop\",\"ip\":\"198.51.100.1\"}"
#define IMPORTED   "{\"n\":1,\"event\":\"imported\",\"at\":\"2026-11-23T08:00:00Z\",\"items\":[1,2],\"actor\":\"shop\"," \
                   "\"delivered_at\":\"2025-03-01T10:00:00Z\",\"first_viewed_at\":\"2025-03-02T11:00:00Z\"}"
#define MINTED     "{\"n\":2,\"event\":\"link_minted\",\"at\":\"2026-11-23T08:01:00Z\",\"channel\":\"email\",\"items\":[1,2],\"token_id\":\"T1\",\"actor\":\"shop\",\"request_id\":\"r2\"}"
#define OPENED     "{\"n\":3,\"event\":\"opened\",\"at\":\"2026-11-23T08:02:00Z\",\"channel\":\"email\",\"items\":[1,2],\"token_id\":\"T1\",\"request_id\":\"r3\",\"ip\":\"203.0.113.6\"}"
#define OPENED_OWN "{\"n\":3,\"event\":\"opened\",\"at\":\"2026-11-23T08:01:30Z\",\"token_id\":\"T1\",\"ip\":\"203.0.113.7\"}"
#define VIEW(rest) "{\"n\":4,\"event\":\"viewed\",\"at\":\"2026-11-23T08:03:04Z\",\"channel\":\"email\",\"items\":[1,2],\"token_id\":\"T1\"," \
                   "\"request_id\":\"r4\",\"actor\":\"customer\",\"ip\":\"203.0.113.7\",\"challenge\":\"email\",\"user_agent\":\"Mozilla/5.0\"" rest "}"
#define VIEWED     VIEW(",\"policy\":\"2026-1\"")
#define AGREED     VIEW(",\"consent\":{\"text\":\"HASH\",\"language\":\"de\"}")
#define CUT_OFF    "{\"n\":5,\"event\":\"cut_off\",\"at\":\"2026-11-23T08:03:05Z\",\"channel\":\"email\",\"items\":[1,2],\"token_id\":\"T1\",\"request_id\":\"r4\"}"
#define CUT_SHORT  "{\"n\":5,\"event\":\"cut_off\",\"at\":\"2026-11-23T08:03:05Z\",\"items\":[2],\"request_id\":\"r4\",\"sent\":812}"
#define REPEATED   "{\"n\":6,\"event\":\"repeated\",\"at\":\"2026-11-23T08:04:00Z\",\"channel\":\"email\",\"items\":[1,2],\"token_id\":\"T1\",\"request_id\":\"r6\"}"
#define CANCELLED  "{\"n\":2,\"event\":\"cancelled\",\"at\":\"2026-11-23T08:01:00Z\",\"reason\":\"fraud\",\"actor\":\"shop\"}"
#define REPLACED   "{\"n\":5,\"event\":\"claim_replaced\",\"at\":\"2026-11-23T09:00:00Z\",\"items\":[2]}"
#define STATED     "{\"n\":5,\"event\":\"withdrawal_stated\",\"at\":\"2026-11-23T09:00:00Z\",\"items\":[1],\"stated_at\":\"2026-11-23T08:59:00Z\",\"medium\":\"letter\",\"reason\":\"viewed\"}"
#define WITHDRAWN  "{\"n\":6,\"event\":\"withdrawn\",\"at\":\"2026-11-24T09:00:00Z\",\"items\":[1],\"refund_due\":\"2026-12-07T08:59:00Z\"}"
#define DECLINED   "{\"n\":6,\"event\":\"withdrawal_rejected\",\"at\":\"2026-11-24T09:00:00Z\",\"items\":[1]}"
#define REFUNDED   "{\"n\":5,\"event\":\"claim_refunded\",\"at\":\"2026-11-23T09:00:00Z\",\"items\":[2]}"


static mpk_str_t
str(const char *s)
{
    return (mpk_str_t) { strlen(s), (const uint8_t *) s };
}


static mpk_value_t *
parse(const char *json)
{
    mpk_error_t        error;
    mpk_value_t       *value;
    mpk_json_limits_t  limits;

    limits.size = 1 << 24;
    limits.depth = 8;
    limits.values = 1 << 20;

    if (mpk_json_read(&test_mem, (const uint8_t *) json, strlen(json), &limits, &value, &error) != MPK_OK) {
        printf("# %s: %s\n", json, error.text);
        exit(1);
    }

    return value;
}


static mpk_item_t                  items[2];
static mpk_checkout_t              checkout;
static const mpk_evidence_text_t  *texts;
static size_t                      texts_count;
static size_t                      correction;    /* of the email, which holds */


/* The document made from a JSON array of entries, the first "verified" of them verified. */

static const mpk_value_t *
document(const char *entries, size_t verified)
{
    mpk_value_t     *made;
    mpk_person_t     person;
    mpk_evidence_t   evidence;

    memset(&person, 0, sizeof(mpk_person_t));
    person.email = str("ann@example.com");
    person.purchase_ip = str("203.0.113.9");

    items[0].product = str("Office 2024");
    items[0].sku = str("OFF-24");
    items[1].product = str("Windows\n11");

    memset(&evidence, 0, sizeof(mpk_evidence_t));
    evidence.entries = parse(entries);
    evidence.verified = verified;
    evidence.person = &person;
    evidence.items = items;
    evidence.items_count = 2;
    evidence.purchased_at = 1795420740;     /* 2026-11-23T07:59:00Z */
    evidence.checkout = &checkout;
    evidence.correction = correction;
    evidence.texts = texts;
    evidence.texts_count = texts_count;

    made = mpk_value_new(&test_mem, MPK_VALUE_OBJECT);

    if (mpk_evidence_add(&test_mem, &evidence, made) != MPK_OK) {
        exit(1);
    }

    return made;
}


static mpk_str_t
field(const mpk_value_t *made, const char *name)
{
    return mpk_value_get_string(mpk_value_get(made, str("stripe")), str(name));
}


static bool
has(mpk_str_t text, const char *part)
{
    size_t  i, len;

    len = strlen(part);

    for (i = 0; i + len <= text.len; i++) {
        if (memcmp(text.data + i, part, len) == 0) {
            return true;
        }
    }

    return false;
}


static bool
line_is(const char *entry, const char *line)
{
    mpk_buf_t  out;

    mpk_buf_init(&out, &test_mem, 16);
    mpk_evidence_line(&out, parse(entry));

    if (mpk_str_eq(mpk_buf_done(&out), str(line))) {
        return true;
    }

    printf("# %.*s\n", (int) out.len, (char *) out.data);

    return false;
}


static void
test_signature(void)
{
    char             text[sizeof(ring)];
    mpk_buf_t        out;
    mpk_error_t      error;
    mpk_crypto_t    *crypto;
    mpk_keyring_t    keyring;

    static const char  head[] = "eyJhbGciOiJFZERTQSIsInR5cCI6Im1way1ldmlkZW5jZStqc29uIiwia2lkIjoiZTEifQ.e30.";

    memcpy(text, ring, sizeof(ring));

    if (mpk_keyring_read(&test_mem, (uint8_t *) text, sizeof(ring) - 1, &keyring, &error) != MPK_OK) {
        exit(1);
    }

    crypto = mpk_crypto_create(&keyring);

    mpk_buf_init(&out, &test_mem, 1);
    mpk_buf_lit(&out, "before ");

    ok(mpk_jws_sign(crypto, mpk_keyring_current(&keyring, MPK_USE_EVIDENCE), str("{\"alg\":\"EdDSA\"}"),
                    str("Example of Ed25519 signing"), &out)
       == MPK_OK
       && mpk_str_eq(mpk_buf_done(&out),
                     str("before eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6"
                         "dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg")),
       "the signature of RFC 8037, A.4");

    mpk_buf_init(&out, &test_mem, 1);
    ok(mpk_jws_evidence(crypto, &test_mem, str("{}"), &out) == MPK_OK
       && out.len == sizeof(head) - 1 + 86 && memcmp(out.data, head, sizeof(head) - 1) == 0,
       "evidence names its algorithm, type and key");

    out.len = 0;
    ok(mpk_jws_sign(crypto, mpk_keyring_current(&keyring, MPK_USE_JOURNAL), str("{}"), str("{}"), &out) == MPK_PURPOSE
       && out.len == 0,
       "a key of another use signs nothing");

    mpk_crypto_free(crypto);
}


static void
test_line(void)
{
    ok(line_is(VIEWED, "2026-11-23 08:03:04 UTC | KEY SHOWN | items 1-2 | by the link in an email | IP address 203.0.113.7"
                       " | billing email address given | token id T1 | by customer | browser: Mozilla/5.0"),
       "a view as a line");

    ok(line_is(IMPORTED, "2026-11-23 08:00:00 UTC | order filed by the shop from its records; the times that follow are the shop's word, not recorded here"
                         " | items 1-2 | delivered at 2025-03-01T10:00:00Z | key first shown at 2025-03-02T11:00:00Z | by shop"),
       "an imported order says whose word its past is");

    ok(line_is(STATED, "2026-11-23 09:00:00 UTC | customer stated to withdraw from the contract | item 1 | statement received at 2026-11-23T08:59:00Z "
                       "| made by letter | not granted at once: a key of it had been shown"), "a statement of withdrawal as a line");
    ok(line_is(CANCELLED, "2026-11-23 08:01:00 UTC | order cancelled | reason: fraud | by shop"), "a cancellation as a line");

    ok(line_is("{\"event\":\"opened\",\"at\":\"2026-11-23T08:03:04Z\",\"actor\":\"customer\",\"ip\":\"198.51.100.66\"}",
               "2026-11-23 08:03:04 UTC | link opened, no key shown yet | IP address 198.51.100.66"),
       "who opened a link is not known");
    ok(line_is("{\"event\":\"viewed\",\"at\":\"2026-11-23T08:03:04Z\",\"challenge\":\"click\",\"form\":true}",
               "2026-11-23 08:03:04 UTC | KEY SHOWN | button pressed"), "a form's button is pressed");
    ok(line_is("{\"event\":\"viewed\",\"at\":\"2026-11-23T08:03:04Z\",\"challenge\":\"click\"}",
               "2026-11-23 08:03:04 UTC | KEY SHOWN | confirmed"), "JSON has no button");

    ok(line_is("{\"event\":\"viewed\",\"at\":\"2026-11-23T08:03:04Z\",\"items\":[1,3,4,5,9]}",
               "2026-11-23 08:03:04 UTC | KEY SHOWN | items 1, 3-5, 9"),
       "items in a row are drawn together");

    ok(line_is("{\"event\":\"viewed\",\"at\":\"2026-11-23T08:03:04Z\",\"user_agent\":"
               "\"a\\nb\\u0085c\\u2028d\\u202ee\\u200bf\\u2066g\\u00fc\\u20ac\\u007f\"}",
               "2026-11-23 08:03:04 UTC | KEY SHOWN | browser: a?b?c?d?e?f?g\xc3\xbc\xe2\x82\xac?"),
       "no browser's name makes a second line, or turns the text");

    ok(line_is("{\"event\":7,\"at\":[],\"items\":\"x\",\"ip\":{}}", "(time not readable) | "),
       "members of another type are no text");

    ok(line_is("{}", "(time not readable) | "), "an entry that can't be read is a line");
}


/* The text in max bytes, of so many entries of each kind. */

static mpk_str_t
lines(size_t opened, size_t viewed, size_t max)
{
    size_t               i;
    mpk_buf_t            json, out;
    const mpk_value_t  **list, *v;

    mpk_buf_init(&json, &test_mem, 1024);
    mpk_buf_lit(&json, "[" FILED "," MINTED);

    for (i = 0; i < opened; i++) {
        mpk_buf_lit(&json, "," OPENED);
    }

    for (i = 0; i < viewed; i++) {
        mpk_buf_lit(&json, "," VIEWED);
    }

    mpk_buf_lit(&json, "]");
    mpk_buf_byte(&json, 0);

    list = mpk_alloc(&test_mem, (opened + viewed + 2) * sizeof(mpk_value_t *));

    for (v = parse((char *) json.data)->u.list.first, i = 0; v; v = v->next) {
        list[i++] = v;
    }

    mpk_buf_init(&out, &test_mem, 1);
    (void) mpk_evidence_lines(&test_mem, list, i, max, &out);

    return mpk_buf_done(&out);
}


static size_t
count(mpk_str_t text, const char *part)
{
    size_t  n;

    for (n = 0; text.len; text.data++, text.len--) {
        n += text.len >= strlen(part) && memcmp(text.data, part, strlen(part)) == 0;
    }

    return n;
}


static void
test_lines(void)
{
    size_t              i, all, max;
    bool                good;
    mpk_buf_t           out;
    mpk_str_t           text;
    const mpk_value_t  *list[300];

    text = lines(3, 2, MPK_EVIDENCE_TEXT_MAX);
    ok(count(text, "\n") == 7 && !has(text, "Left out"), "all lines are there if they fit");

    all = text.len;
    ok(lines(3, 2, all).len == all && has(lines(3, 2, all - 1), "Left out"), "to the last byte");

    text = lines(3, 2, all - 1);
    ok(count(text, "KEY SHOWN") == 2 && count(text, "handed out") == 1 && count(text, "link opened") < 3,
       "views and deliveries stay longest");

    text = lines(300, 20, MPK_EVIDENCE_TEXT_MAX);
    ok(text.len <= MPK_EVIDENCE_TEXT_MAX && text.len > MPK_EVIDENCE_TEXT_MAX - 400, "a long log is cut to 20,000 characters");
    ok(count(text, "KEY SHOWN") == 20 && count(text, "handed out") == 1 && count(text, "filed by") == 1, "its views are all there");
    ok(count(text, "link opened") < 300 && has(text, "(Left out here, but in the journal: ")
       && text.data[text.len - 1] == '\n', "and a last line says how many others are not");

    text = lines(300, 3000, MPK_EVIDENCE_TEXT_MAX);
    ok(text.len <= MPK_EVIDENCE_TEXT_MAX && count(text, "KEY SHOWN") > 50 && count(text, "link opened") == 0,
       "with more views than fit, these are the first of them");

    for (good = true, max = 0; max < all; max++) {
        text = lines(3, 2, max);
        good = good && (text.len <= max || count(text, "\n") == 1);
    }

    ok(good, "nothing is over the limit, whatever it is");

    list[0] = parse(VIEWED);
    list[1] = parse(CUT_OFF);

    for (i = 2; i < 300; i++) {
        list[i] = parse(MINTED);
    }

    mpk_buf_init(&out, &test_mem, 1);
    (void) mpk_evidence_lines(&test_mem, list, 300, MPK_EVIDENCE_TEXT_MAX, &out);
    text = mpk_buf_done(&out);
    ok(has(text, "Left out") && has(text, "KEY SHOWN") && has(text, "cut off"), "a view is not told without its being cut off");
}


static void
test_stripe(void)
{
    const mpk_value_t  *made, *consent;

    made = document("[" FILED "," MINTED "," OPENED "," VIEWED "]", 4);

    ok(has(field(made, "refund_refusal_explanation"), "shown to the customer: 2 of 2. The first view was on 2026-11-23 08:03:04 UTC "
                                                      "from IP address 203.0.113.7, by the link in an email, after the billing email address had been given. Views in all: 1."),
       "a refusal tells the view: when, from where, how");
    ok(has(field(made, "cancellation_rebuttal"), "delivered on 2026-11-23 08:01:00 UTC: a link")
       && has(field(made, "cancellation_rebuttal"), "before that, and none since;"), "a rebuttal tells the delivery");
    ok(mpk_str_eq(field(made, "service_date"), str("23 November 2026")), "the day of service is that of the first view");
    ok(!has(field(made, "refund_refusal_explanation"), "opened"), "an opening from another address is not told as the customer's");
    ok(has(field(made, "refund_refusal_explanation"), "\"2026-1\"")
       && !has(field(made, "refund_refusal_explanation"), "ticked"), "the policy is given as recorded");
    ok(field(made, "refund_policy_disclosure").data == NULL && field(made, "cancellation_policy_disclosure").data == NULL,
       "what was shown with the key was not disclosed before the purchase");
    ok(mpk_str_eq(field(made, "customer_purchase_ip"), str("203.0.113.9"))
       && mpk_str_eq(field(made, "customer_email_address"), str("ann@example.com"))
       && field(made, "customer_name").data == NULL, "of the person there is what is known");
    ok(has(field(made, "product_description"), "\n1. Office 2024 (SKU OFF-24)\n2. Windows?11"), "products have name and SKU");
    ok(has(field(made, "access_activity_log"), "| KEY SHOWN |"), "the log has the view");

    made = document("[" FILED "," MINTED "," OPENED "," AGREED "]", 4);
    consent = mpk_value_get(made, str("consent"))->u.list.first;
    ok(mpk_str_eq(mpk_value_get_string(consent, str("text")), str("HASH"))
       && mpk_str_eq(mpk_value_get_string(consent, str("language")), str("de"))
       && mpk_str_eq(mpk_value_get_string(consent, str("ip")), str("203.0.113.7"))
       && mpk_value_get(consent, str("n"))->u.integer == 4, "consent is as it was recorded");
    ok(mpk_value_get(consent, str("words")) == NULL && has(field(made, "refund_refusal_explanation"), "in base64, is HASH. ")
       && mpk_value_get(made, str("consent_product"))->u.list.count == 0, "by the hash of its words, where these are not known");
    ok(has(field(made, "refund_refusal_explanation"), "The customer declared two things before the key was shown"),
       "and explains a refusal");

    made = document("[" FILED "," MINTED "," VIEW(",\"form\":true,\"consent\":{\"text\":\"HASH\",\"language\":\"de\"}") "]", 3);
    ok(has(field(made, "refund_refusal_explanation"), "The customer ticked two boxes before the key was shown"), "boxes are those of a form");

    made = document("[" FILED "," MINTED "," VIEWED "," AGREED "]", 4);
    ok(has(field(made, "refund_refusal_explanation"), "\"2026-1\"") && !has(field(made, "refund_refusal_explanation"), "before the key was shown"),
       "what was declared after the first view is not told as if before it");

    /* the shop's word proves nothing, nor does what is recorded since contradict it */

    made = document("[" IMPORTED "," MINTED "," OPENED "," VIEWED "]", 4);
    ok(has(field(made, "refund_refusal_explanation"), "The first view that was recorded was on 2026-11-23 08:03:04 UTC"),
       "the first view is only the first that was recorded, if the shop says of another");
    ok(field(made, "service_date").data == NULL && field(made, "cancellation_rebuttal").data == NULL,
       "nothing is said of a first delivery that only the shop knows");
    ok(has(field(made, "access_activity_log"), "the shop's word"), "the log says whose word it is");

    made = document("[" IMPORTED "]", 1);
    ok(field(made, "access_activity_log").data == NULL && field(made, "refund_refusal_explanation").data == NULL
       && field(made, "service_date").data == NULL, "an import alone is no evidence");

    /* nothing that did not happen */

    made = document("[" FILED "]", 1);
    ok(mpk_value_get(made, str("stripe"))->u.list.count == 3, "an order that was only filed has person and products, no more");

    made = document("[" FILED "," MINTED "]", 2);
    ok(field(made, "refund_refusal_explanation").data == NULL && field(made, "refund_policy_disclosure").data == NULL
       && field(made, "cancellation_rebuttal").data, "without a view no refund is refused");

    made = document("[" FILED "," MINTED "," OPENED "," VIEW("") "]", 4);
    ok(!has(field(made, "refund_refusal_explanation"), "policy") && !has(field(made, "refund_refusal_explanation"), "before the key was shown"),
       "without a policy or consent on record none is claimed");

    made = document("[" FILED "," MINTED "," OPENED_OWN "," OPENED "," VIEW(",\"policy\":\"2026-1\",\"form\":true") "]", 5);
    ok(has(field(made, "refund_refusal_explanation"), "opened on 2026-11-23 08:01:30 UTC from IP address 203.0.113.7, and confirmed by its button "
                                                      "on 2026-11-23 08:03:04 UTC from IP address 203.0.113.7."),
       "an opening from the view's address is, whatever a scanner opened in between");

    made = document("[" FILED "," MINTED "," OPENED_OWN "," VIEWED "]", 4);
    ok(has(field(made, "refund_refusal_explanation"), "203.0.113.7, and confirmed on 2026-11-23 08:03:04 UTC")
       && !has(field(made, "refund_refusal_explanation"), "button"), "only a form has a button");

    made = document("[" FILED "," CANCELLED "]", 2);
    ok(field(made, "cancellation_rebuttal").data == NULL && field(made, "access_activity_log").data == NULL,
       "a cancellation is not rebutted");

    made = document("[" FILED "," MINTED "," OPENED "," VIEWED "," REFUNDED "]", 5);
    ok(field(made, "refund_refusal_explanation").data == NULL, "a refund that was granted is not refused");

    made = document("[" FILED "," MINTED "," OPENED "," VIEWED "," STATED "," WITHDRAWN "]", 6);
    ok(field(made, "refund_refusal_explanation").data == NULL && field(made, "cancellation_rebuttal").data == NULL,
       "a withdrawal that was accepted is neither refused nor rebutted");

    made = document("[" FILED "," MINTED "," OPENED "," VIEWED "," STATED "," DECLINED "]", 6);
    ok(field(made, "refund_refusal_explanation").len && field(made, "cancellation_rebuttal").data == NULL,
       "one that was rejected is refused; that nobody cancelled is not said of it");

    made = document("[" FILED "," MINTED "," OPENED "," VIEWED "," DECLINED "]", 5);
    ok(field(made, "cancellation_rebuttal").data == NULL, "nor of one that was rejected by itself");

    items[1].state = MPK_ITEM_WITHDRAWN;
    made = document("[" FILED "," MINTED "," OPENED "," VIEWED "]", 4);
    ok(field(made, "refund_refusal_explanation").data == NULL, "nor is one refused that the order alone tells of");

    items[1].state = MPK_ITEM_REFUNDED;
    made = document("[" FILED "," MINTED "," OPENED "," VIEWED "]", 4);
    ok(field(made, "refund_refusal_explanation").data == NULL, "nor one that the order alone tells of");
    items[1].state = MPK_ITEM_NEW;

    made = document("[" FILED "," MINTED "," OPENED "," VIEWED "," REPLACED "]", 5);
    ok(has(field(made, "refund_refusal_explanation"), ": 1 of 2."), "a key that replaced another has not been seen");

    made = document("[" FILED "," MINTED "," OPENED "," VIEWED "," CUT_OFF "]", 5);
    ok(field(made, "refund_refusal_explanation").data == NULL, "a view that was cut off is not claimed");

    made = document("[" FILED "," MINTED "," OPENED "," VIEWED "," CUT_OFF "," REPEATED "]", 6);
    ok(has(field(made, "refund_refusal_explanation"), "view was on 2026-11-23 08:04:00 UTC")
       && has(field(made, "refund_refusal_explanation"), "Views in all: 1."), "its repeat is");

    made = document("[" FILED "," MINTED "," OPENED "," VIEWED "," CUT_SHORT "]", 5);
    ok(has(field(made, "refund_refusal_explanation"), ": 1 of 2.") && has(field(made, "refund_refusal_explanation"), "Views in all: 1.")
       && has(field(made, "refund_refusal_explanation"), "view was on 2026-11-23 08:03:04 UTC"),
       "of one that was cut off between two keys, the first is");
    ok(has(field(made, "access_activity_log"), " | item 2 | bytes of the answer that were sent: 812\n"), "the log says after how many bytes");

    made = document("[" FILED "," MINTED "," OPENED "," VIEWED "," CUT_SHORT "," REPEATED "]", 6);
    ok(has(field(made, "refund_refusal_explanation"), ": 2 of 2.") && has(field(made, "refund_refusal_explanation"), "Views in all: 2."),
       "its repeat shows the other");
}


/* What was accepted before the purchase, and the words of what was agreed to after it. */

static void
test_accepted(void)
{
    char                  *words;
    mpk_str_t              text;
    const mpk_value_t     *made, *consent;
    mpk_evidence_text_t    known[2];

    static const char  *all = "[" FILED "," MINTED "," VIEW(",\"form\":true,\"consent\":{\"text\":\"HASH\",\"language\":\"de\"},"
                              "\"consent_product\":\"FITS\"") "]";

    checkout.terms = (mpk_terms_t) { str("2026-\"11\n"), str("https://shop.example/t"), 1795420739, str("203.0.113.5"), str("") };
    made = document("[" FILED "]", 1);
    text = field(made, "refund_policy_disclosure");
    ok(mpk_str_eq(text, field(made, "cancellation_policy_disclosure"))
       && mpk_str_eq(text, str("Before the purchase, at the checkout, the customer accepted the shop's terms, version \"2026-\"11?\", "
                               "on 2026-11-23 07:58:59 UTC from IP address 203.0.113.5. Their address is \"https://shop.example/t\". "
                               "The purchase was made on 2026-11-23 07:59:00 UTC. These times and addresses are those of the shop's checkout, "
                               "as the shop filed them with the order on 2026-11-23 08:00:00 UTC.")),
       "both disclosures tell what was accepted before the purchase: version, time, address, and whose word it is");

    checkout.terms.sha256 = str("0a1b");
    ok(has(field(document("[" FILED "]", 1), "refund_policy_disclosure"), "; the SHA-256 of the document as it was served is 0a1b. "),
       "with the document's hash, if it was filed");

    checkout.terms.accepted_at = 1795420740;
    ok(field(document("[" FILED "]", 1), "refund_policy_disclosure").data, "also at the second of the purchase");
    checkout.terms.accepted_at = 1795420741;
    made = document("[" FILED "]", 1);
    ok(field(made, "refund_policy_disclosure").data == NULL && field(made, "cancellation_policy_disclosure").data == NULL,
       "but nothing of what was accepted after it");
    checkout.terms.accepted_at = 1795420739;
    made = document("[" FILED "]", 0);
    ok(field(made, "refund_policy_disclosure").data == NULL, "nor if its filing is not proved");
    ok(has(field(document("[" IMPORTED "]", 1), "refund_policy_disclosure"), "filed them with the order on 2026-11-23 08:00:00 UTC."),
       "of an imported order it says when that was");

    memset(&checkout, 0, sizeof(checkout));
    checkout.business = true;
    ok(field(document("[" FILED "]", 1), "refund_policy_disclosure").data == NULL, "what was not filed is not told");

    checkout.consents = (mpk_consents_t) { 1795420738, true, true, str("203.0.113.6"), str("ff00"), 0 };
    text = field(document("[" FILED "]", 1), "cancellation_policy_disclosure");
    ok(has(text, "the right of withdrawal is lost by this, on 2026-11-23 07:58:58 UTC from IP address 203.0.113.6; the SHA-256 of the words that were shown is ff00. The purchase")
       && !has(text, "terms") && !has(text, "durable"), "consents of the checkout are told");
    checkout.consents.confirmed_at = 1795420800;
    ok(has(field(document("[" FILED "]", 1), "cancellation_policy_disclosure"), "on a durable medium on 2026-11-23 08:00:00 UTC. The purchase"),
       "with their confirmation, if it was filed");
    checkout.consents.at = 1795420741;
    ok(field(document("[" FILED "]", 1), "cancellation_policy_disclosure").data == NULL, "but not those after the purchase");
    checkout.consents.at = 1795420738;
    checkout.consents.waiver = false;
    ok(field(document("[" FILED "]", 1), "cancellation_policy_disclosure").data == NULL, "nor one without the other");
    memset(&checkout, 0, sizeof(checkout));

    known[0] = (mpk_evidence_text_t) { str("FITS"), str("It fits.") };
    known[1] = (mpk_evidence_text_t) { str("HASH"), str("At once.\nI know \xe2\x80\xae.") };
    texts = known;
    texts_count = 2;

    made = document(all, 3);
    consent = mpk_value_get(made, str("consent"))->u.list.first;
    ok(mpk_str_eq(mpk_value_get_string(consent, str("words")), known[1].words), "the words of a consent are given where they are known");
    consent = mpk_value_get(made, str("consent_product"))->u.list.first;
    ok(mpk_str_eq(mpk_value_get_string(consent, str("words")), str("It fits.")) && mpk_str_eq(mpk_value_get_string(consent, str("text")), str("FITS"))
       && mpk_str_eq(mpk_value_get_string(consent, str("ip")), str("203.0.113.7")) && mpk_value_get(consent, str("n"))->u.integer == 4
       && mpk_value_get(consent, str("language")) == NULL, "so are those of the one that says that it fits");
    text = field(made, "refund_refusal_explanation");
    ok(has(text, "in the language \"de\": \"At once.\", \"I know ?.\". The SHA-256 of the words, in base64, is HASH. "),
       "the explanation quotes them, each box by itself");
    ok(has(text, "Before the key was shown, on 2026-11-23 08:03:04 UTC from IP address 203.0.113.7, the customer confirmed that the product fits: "
                 "\"It fits.\". The SHA-256 of the words, in base64, is FITS. "), "and the other");

    known[1].words = str("");
    made = document(all, 3);
    ok(mpk_value_get(mpk_value_get(made, str("consent"))->u.list.first, str("words")) == NULL
       && has(field(made, "refund_refusal_explanation"), "in the language \"de\". The SHA-256 of the words, in base64, is HASH. "), "words that are not known are not");

    words = test_alloc(NULL, 4097);
    memset(words, 'w', 4096);
    words[4096] = '\0';
    known[0].words = str(words);
    known[1].words = str(words);
    text = field(document(all, 3), "refund_refusal_explanation");
    ok(has(text, words) && text.len <= MPK_EVIDENCE_TEXT_MAX, "the longest that a page may have fit");

    checkout.terms = (mpk_terms_t) { { MPK_VERSION_MAX, (uint8_t *) words }, { 1024, (uint8_t *) words }, 1795420739, str("203.0.113.5"),
                                     { MPK_SHA256_TEXT, (uint8_t *) words } };
    ok(field(document(all, 3), "refund_policy_disclosure").len <= MPK_EVIDENCE_TEXT_MAX, "and so do the longest terms");
    memset(&checkout, 0, sizeof(checkout));
    texts_count = 0;
}


static void
test_proof(void)
{
    mpk_str_t           activity;
    const mpk_value_t  *made;

    made = document("[" FILED "," MINTED "," OPENED "," VIEWED "]", 3);

    ok(field(made, "refund_refusal_explanation").data == NULL && !has(field(made, "access_activity_log"), "KEY SHOWN")
       && mpk_value_get(made, str("policy"))->u.list.count == 0, "unverified entries are not evidence");
    ok(has(field(made, "cancellation_rebuttal"), "before that; by rule R5"), "and nothing is claimed about the time since");

    activity = mpk_value_get_string(made, str("activity"));
    ok(count(activity, "\n") == 5 && has(activity, "(What follows is not proved: the journal does not verify from here on.)\n2026-11-23 08:03:04"),
       "the activity has it, and says so");

    made = document("[" FILED "," MINTED "," OPENED "," VIEWED "]", 0);
    ok(mpk_value_get(made, str("stripe"))->u.list.count == 3, "without verified entries no field refers to the journal");

    made = document("[" FILED "," MINTED "," CANCELLED "]", 2);
    ok(field(made, "cancellation_rebuttal").data == NULL, "a cancellation counts though it is not verified");

    made = document("[" FILED "," MINTED "," OPENED "," VIEWED "," REFUNDED "]", 4);
    ok(field(made, "refund_refusal_explanation").data == NULL, "so does a refund");

    made = document("[7,[],\"x\",{},{\"event\":\"viewed\",\"items\":[0,501,-1,\"a\",1099511627776],\"consent\":7}]", 5);
    ok(mpk_value_get(made, str("activity")) != NULL && field(made, "refund_refusal_explanation").data == NULL,
       "entries of any shape do no harm");

    made = document("[]", 9);
    ok(mpk_value_get_string(made, str("activity")).len == 0, "nor none");
}


/* A product's name may be long, and there may be 500. */

static void
test_products(void)
{
    size_t           i;
    char             name[256];
    mpk_item_t       many[500];
    mpk_str_t        text;
    mpk_value_t     *made;
    mpk_evidence_t   evidence;

    memset(name, 'P', sizeof(name));
    memset(many, 0, sizeof(many));

    for (i = 0; i < 500; i++) {
        many[i].product = (mpk_str_t) { 255, (uint8_t *) name };
        many[i].sku = (mpk_str_t) { 255, (uint8_t *) name };
    }

    memset(&evidence, 0, sizeof(mpk_evidence_t));
    evidence.entries = parse("[" FILED "]");
    evidence.items = many;
    evidence.items_count = 500;

    made = mpk_value_new(&test_mem, MPK_VALUE_OBJECT);
    (void) mpk_evidence_add(&test_mem, &evidence, made);
    text = field(made, "product_description");

    ok(text.len > 19000 && text.len <= MPK_EVIDENCE_TEXT_MAX && has(text, "\n(and ") && has(text, " more)"),
       "500 products stay within 20,000 characters");
    ok(field(made, "customer_email_address").data == NULL, "without a person there is no address");
}


/* The billing email was corrected: a view says under which address it was. */

static void
test_corrected(void)
{
    const mpk_value_t  *made;

    #define CHANGED "{\"n\":5,\"event\":\"email_changed\",\"at\":\"2026-11-23T09:00:00Z\",\"actor\":\"support\",\"correction\":1," \
                    "\"holds_from\":\"2026-11-24T09:00:00Z\",\"email_old\":\"ann@example.com\",\"email_new\":\"anne@example.com\"}"

    correction = 1;
    made = document("[" FILED "," MINTED "," VIEWED "," CHANGED "]", 4);
    ok(has(field(made, "refund_refusal_explanation"), "Product keys of this order that were shown: 2 of 2")
       && has(field(made, "refund_refusal_explanation"), "corrected after that view, which was made under the address of before")
       && has(field(made, "cancellation_rebuttal"), "made under the address of before"), "a view under a corrected address is told as such");
    ok(has(field(made, "access_activity_log"), "2026-11-23 09:00:00 UTC | email address of the order corrected | correction 1 | the new address holds from "
           "2026-11-24T09:00:00Z | by support") && !has(field(made, "access_activity_log"), "anne@"), "the log tells when and by whom, and no address");

    made = document("[" FILED "," MINTED "," CHANGED "," VIEW(",\"correction\":1") "]", 4);
    ok(has(field(made, "refund_refusal_explanation"), "shown to the customer: 2 of 2") && !has(field(made, "refund_refusal_explanation"), "of before")
       && has(field(made, "access_activity_log"), "email address as of correction 1"), "one under the address that holds is the customer's");

    correction = 0;
    made = document("[" FILED "," MINTED "," VIEWED "," CHANGED "]", 4);
    ok(has(field(made, "refund_refusal_explanation"), "shown to the customer: 2 of 2"), "so is one under an address that still holds");
}


int
main(void)
{
    test_signature();
    test_line();
    test_lines();
    test_stripe();
    test_accepted();
    test_proof();
    test_products();
    test_corrected();

    return done_testing();
}
