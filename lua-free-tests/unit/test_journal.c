/* The journal's chain, the envelope, keyed hashes and nonces. */

#include "mpk_journal.h"
#include "mpk_lookup.h"
#include "mpk_nonce.h"
#include "test.h"

#define ENTRIES  4


static const char  ring[] =
    "{\"keys\":["
    "{\"kty\":\"oct\",\"use\":\"token\",\"alg\":\"HS256\",\"kid\":\"t1\",\"k\":\"dG9rZW4tdG9rZW4tdG9rZW4tdG9rZW4tdG9rZW4tdG8\"},"
    "{\"kty\":\"oct\",\"use\":\"wrap\",\"alg\":\"A256GCM\",\"kid\":\"w1\",\"k\":\"d3JhcC13cmFwLXdyYXAtd3JhcC13cmFwLXdyYXAtd3I\"},"
    "{\"kty\":\"oct\",\"use\":\"lookup\",\"alg\":\"HS256\",\"kid\":\"l1\",\"k\":\"bG9va3VwLWxvb2t1cC1sb29rdXAtbG9va3VwLWxvb2s\"},"
    "{\"kty\":\"oct\",\"use\":\"journal\",\"alg\":\"HS256\",\"kid\":\"%s\",\"k\":\"%s\"},"
    "{\"kty\":\"oct\",\"use\":\"journal\",\"alg\":\"HS256\",\"kid\":\"%s\",\"k\":\"%s\"},"
    "{\"kty\":\"OKP\",\"use\":\"evidence\",\"alg\":\"EdDSA\",\"crv\":\"Ed25519\",\"kid\":\"e1\","
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\",\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"}]}";

static const char  j1[] = "am91cm5hbC1qb3VybmFsLWpvdXJuYWwtam91cm5hbC0";
static const char  j2[] = "c2Vjb25kLWpvdXJuYWwta2V5LXNlY29uZC1qb3VybmE";

static mpk_data_key_t  data_key;
static mpk_str_t       records[ENTRIES];
static uint8_t         macs[ENTRIES + 1][MPK_MAC_LEN];


static mpk_str_t
str(const char *s)
{
    return (mpk_str_t) { strlen(s), (const uint8_t *) s };
}


static mpk_crypto_t *
open_ring(mpk_keyring_t *keyring, const char *kid1, const char *k1, const char *kid2, const char *k2)
{
    int           n;
    char         *text;
    mpk_error_t   error;

    text = mpk_alloc(&test_mem, sizeof(ring) + 256);
    n = snprintf(text, sizeof(ring) + 256, ring, kid1, k1, kid2, k2);

    if (mpk_keyring_read(&test_mem, (uint8_t *) text, (size_t) n, keyring, &error) != MPK_OK) {
        printf("# %s\n", error.text);
        exit(1);
    }

    return mpk_crypto_create(keyring);
}


static mpk_entry_t
entry(uint64_t number)
{
    mpk_entry_t  e;

    memset(&e, 0, sizeof(mpk_entry_t));

    e.number = number;
    e.event = MPK_EVENT_VIEWED;
    e.order = str("A-1");
    e.at = 1795421730;
    e.channel = MPK_CHANNEL_EMAIL;
    e.actor = str("customer");
    e.ip = str("203.0.113.7");
    e.user_agent = str("Mozilla/5.0 \xff\xfe");
    e.consent = str("hash");
    e.consent_language = str("en");

    return e;
}


static void
write_all(mpk_crypto_t *crypto)
{
    size_t       i;
    mpk_entry_t  e;

    memset(macs, 0, sizeof(macs));

    for (i = 0; i < ENTRIES; i++) {
        e = entry(i + 1);

        if (mpk_journal_write(crypto, &test_mem, &data_key, &e, macs[i], &records[i], macs[i + 1]) != MPK_OK) {
            exit(1);
        }
    }
}


static mpk_chain_t
verify(mpk_crypto_t *crypto, const mpk_str_t *r, size_t count, const char *order)
{
    size_t       i;
    mpk_chain_t  chain;

    mpk_chain_init(&chain, str(order));

    for (i = 0; i < count; i++) {
        (void) mpk_chain_next(&chain, crypto, &test_mem, r[i]);
    }

    mpk_chain_end(&chain, ENTRIES, macs[ENTRIES]);

    return chain;
}


static void
flip(mpk_str_t *s, size_t at)
{
    (void) mpk_dup(&test_mem, *s, s);
    ((uint8_t *) s->data)[at] ^= 1;
}


#define told(chain, what, where)  ((chain).verdict == (what) && (chain).fault == (where))

static void
test_chain(mpk_crypto_t *crypto, mpk_crypto_t *rotated, mpk_crypto_t *foreign)
{
    size_t       i;
    bool         good;
    mpk_str_t    r[ENTRIES + 1], swap;
    mpk_chain_t  chain;

    ok(verify(crypto, records, ENTRIES, "A-1").verdict == MPK_INTACT, "an untouched journal is intact");
    ok(verify(rotated, records, ENTRIES, "A-1").verdict == MPK_INTACT, "an older generation of the key still verifies");
    chain = verify(foreign, records, ENTRIES, "A-1");
    ok(told(chain, MPK_UNVERIFIABLE, 1) && mpk_str_eq(chain.kid, str("j1")), "without that key it can't be verified, and the key is named");
    ok(told(verify(crypto, records, ENTRIES, "A-2"), MPK_ALTERED, 1), "entries of another order are found");

    for (i = 0, good = true; i < records[1].len; i++) {
        memcpy(r, records, sizeof(records));
        flip(&r[1], i);
        chain = verify(crypto, r, ENTRIES, "A-1");

        /* the first three bytes are the key's id */

        good &= told(chain, MPK_ALTERED, 2)
                || (i < 3 && (told(chain, MPK_UNVERIFIABLE, 2) || told(chain, MPK_ALTERED, 3)));
    }

    ok(good, "any altered byte of an entry is found");

    for (i = 0, good = true; i < records[1].len; i++) {
        memcpy(r, records, sizeof(records));
        r[1].len = i;
        chain = verify(crypto, r, ENTRIES, "A-1");
        good &= told(chain, MPK_ALTERED, 2);
    }

    ok(good, "an entry that is cut anywhere is found");

    memcpy(r, records, sizeof(records));
    flip(&r[0], 1);
    flip(&r[2], 40);
    ok(told(verify(crypto, r, ENTRIES, "A-1"), MPK_ALTERED, 3), "an altered entry outranks one that can't be verified");

    memcpy(r, records, sizeof(records));
    swap = r[1];
    r[1] = r[2];
    r[2] = swap;
    ok(told(verify(crypto, r, ENTRIES, "A-1"), MPK_ALTERED, 2), "swapped entries are found");

    memcpy(r, records, sizeof(records));
    memset(&r[2], 0, sizeof(mpk_str_t));
    ok(told(verify(crypto, r, ENTRIES, "A-1"), MPK_MISSING_ENTRY, 3), "a missing entry is found");

    ok(told(verify(crypto, records, ENTRIES - 1, "A-1"), MPK_MISSING_ENTRY, ENTRIES), "a cut end is found");

    memcpy(r, records, sizeof(records));
    r[ENTRIES] = records[ENTRIES - 1];
    ok(told(verify(crypto, r, ENTRIES + 1, "A-1"), MPK_ALTERED, ENTRIES + 1), "an entry too many is found");

    memcpy(r, records, sizeof(records));
    memmove(r, r + 1, (ENTRIES - 1) * sizeof(mpk_str_t));
    ok(verify(crypto, r, ENTRIES - 1, "A-1").verdict != MPK_INTACT, "a cut beginning is found");
}


/* An entry by itself, as the feed has it: with the MAC of the one before. */

static void
test_prove(mpk_crypto_t *crypto, mpk_crypto_t *foreign)
{
    mpk_str_t  mac, changed;

    ok(mpk_journal_prove(crypto, str("A-1"), 1, records[0], macs[0], &mac) == MPK_OK, "the first entry, behind zeros");
    ok(mpk_journal_prove(crypto, str("A-1"), 3, records[2], macs[2], &mac) == MPK_OK, "one behind another");
    ok(mac.len == MPK_MAC_LEN && memcmp(mac.data, macs[3], MPK_MAC_LEN) == 0, "and its MAC");

    ok(mpk_journal_prove(crypto, str("A-1"), 3, records[2], macs[1], &mac) == MPK_FORGED, "not behind an entry that it does not follow");
    ok(mpk_journal_prove(crypto, str("A-1"), 2, records[2], macs[2], &mac) == MPK_FORGED, "not with another number");
    ok(mpk_journal_prove(crypto, str("A-2"), 3, records[2], macs[2], &mac) == MPK_FORGED, "not of another order");

    changed = records[2];
    flip(&changed, changed.len - 1);
    ok(mpk_journal_prove(crypto, str("A-1"), 3, changed, macs[2], &mac) == MPK_FORGED, "not with a changed byte");

    ok(mpk_journal_prove(foreign, str("A-1"), 3, records[2], macs[2], &mac) == MPK_UNKNOWN, "not without its key");
    ok(mpk_journal_prove(crypto, str("A-1"), 3, str("x"), macs[2], &mac) == MPK_MALFORMED, "and not what is none");
}


static void
test_entries(mpk_crypto_t *crypto)
{
    mpk_buf_t     out;
    mpk_entry_t   e;
    int64_t       sent;
    mpk_value_t  *array;
    const mpk_value_t  *v;
    char          agent[MPK_AGENT_MAX + 100];
    uint8_t       mac[MPK_MAC_LEN];
    mpk_str_t     record;

    array = mpk_value_new(&test_mem, MPK_VALUE_ARRAY);

    ok(mpk_journal_read(crypto, &test_mem, &data_key, str("A-1"), 1, records[0], array) == MPK_OK,
       "an entry is read");

    mpk_buf_init(&out, &test_mem, 0);
    mpk_json_write(&out, array);

    ok(mpk_str_eq(mpk_buf_done(&out),
                  str("[{\"n\":1,\"order\":\"A-1\",\"event\":\"viewed\",\"at\":\"2026-11-23T08:15:30Z\",\"channel\":\"email\","
                      "\"actor\":\"customer\",\"ip\":\"203.0.113.7\",\"user_agent\":\"Mozilla/5.0 ??\","
                      "\"consent\":{\"text\":\"hash\",\"language\":\"en\"}}]")), "with what was written, made UTF-8");

    ok(mpk_journal_read(crypto, &test_mem, &data_key, str("A-1"), 2, records[0], array) == MPK_FORGED,
       "a personal part opens for its own number only");
    ok(mpk_journal_read(crypto, &test_mem, &data_key, str("A-2"), 1, records[0], array) == MPK_FORGED,
       "and for its own order only");

    memset(agent, 'a', sizeof(agent));
    memcpy(agent + MPK_AGENT_MAX - 1, "\xc3\xa9", 2);
    e = entry(1);
    e.user_agent = (mpk_str_t) { sizeof(agent), (uint8_t *) agent };
    array = mpk_value_new(&test_mem, MPK_VALUE_ARRAY);
    ok(mpk_journal_write(crypto, &test_mem, &data_key, &e, macs[0], &record, mac) == MPK_OK
       && mpk_journal_read(crypto, &test_mem, &data_key, str("A-1"), 1, record, array) == MPK_OK
       && mpk_value_get_string(array->u.list.first, mpk_string("user_agent")).len == MPK_AGENT_MAX - 1,
       "a long user agent is cut, not within a character");

    e = entry(1);
    e.edge_at = 1795421790;
    array = mpk_value_new(&test_mem, MPK_VALUE_ARRAY);
    ok(mpk_journal_write(crypto, &test_mem, &data_key, &e, macs[0], &record, mac) == MPK_OK
       && mpk_journal_read(crypto, &test_mem, &data_key, str("A-1"), 1, record, array) == MPK_OK
       && mpk_str_eq(mpk_value_get_string(array->u.list.first, mpk_string("edge_at")), str("2026-11-23T08:16:30Z"))
       && mpk_str_eq(mpk_value_get_string(array->u.list.first, mpk_string("at")), str("2026-11-23T08:15:30Z")),
       "an edge's own time is kept beside Redis'");

    e = entry(1);
    e.event = MPK_EVENT_IMPORTED;
    e.delivered_at = 1795421700;
    e.first_viewed_at = 1795421710;
    array = mpk_value_new(&test_mem, MPK_VALUE_ARRAY);
    ok(mpk_journal_write(crypto, &test_mem, &data_key, &e, macs[0], &record, mac) == MPK_OK
       && mpk_journal_read(crypto, &test_mem, &data_key, str("A-1"), 1, record, array) == MPK_OK
       && mpk_str_eq(mpk_value_get_string(array->u.list.first, mpk_string("event")), str("imported"))
       && mpk_str_eq(mpk_value_get_string(array->u.list.first, mpk_string("delivered_at")), str("2026-11-23T08:15:00Z"))
       && mpk_str_eq(mpk_value_get_string(array->u.list.first, mpk_string("first_viewed_at")), str("2026-11-23T08:15:10Z")),
       "what the shop says of an order's past is in the entry that imports it");

    for (sent = -1; sent < 2; sent++) {
        e = entry(1);
        e.event = MPK_EVENT_CUT_OFF;
        e.sent = sent;
        e.form = (sent == 1);
        e.warned = (sent == 0);
        e.consent_product = str(sent == 0 ? "fits" : "");
        array = mpk_value_new(&test_mem, MPK_VALUE_ARRAY);
        ok(mpk_journal_write(crypto, &test_mem, &data_key, &e, macs[0], &record, mac) == MPK_OK
           && mpk_journal_read(crypto, &test_mem, &data_key, str("A-1"), 1, record, array) == MPK_OK,
           "an answer that was cut off");
        v = mpk_value_get(array->u.list.first, mpk_string("sent"));
        ok(sent < 0 ? v == NULL : v && v->type == MPK_VALUE_INT && v->u.integer == sent, "has the bytes that were sent, if they are known");
        v = mpk_value_get(array->u.list.first, mpk_string("form"));
        ok(sent == 1 ? v && v->type == MPK_VALUE_BOOL && v->u.boolean : v == NULL, "what came as a form says so");
        v = mpk_value_get(array->u.list.first, mpk_string("warning_shown"));
        ok(sent == 0 ? v && v->type == MPK_VALUE_BOOL && v->u.boolean : v == NULL, "so does what a warning was shown before");
        ok(mpk_str_eq(mpk_value_get_string(array->u.list.first, mpk_string("consent_product")), str(sent == 0 ? "fits" : "")),
           "and what was confirmed to fit");
    }

    e = entry(1);
    e.event = MPK_EVENT_EMAIL_CHANGED;
    e.correction = 2;
    e.holds_from = 1795421710;
    e.show_viewed = true;
    e.email_old = str("ann@example.com");
    e.email_new = str("anne@example.com");
    array = mpk_value_new(&test_mem, MPK_VALUE_ARRAY);
    ok(mpk_journal_write(crypto, &test_mem, &data_key, &e, macs[0], &record, mac) == MPK_OK
       && mpk_journal_read(crypto, &test_mem, &data_key, str("A-1"), 1, record, array) == MPK_OK, "a corrected email");
    v = mpk_value_get(array->u.list.first, mpk_string("correction"));
    ok(v && v->u.integer == 2 && mpk_value_yes(array->u.list.first, mpk_string("show_viewed"))
       && mpk_str_eq(mpk_value_get_string(array->u.list.first, mpk_string("holds_from")), str("2026-11-23T08:15:10Z")),
       "has its number, when it holds and what it may see");
    ok(mpk_str_eq(mpk_value_get_string(array->u.list.first, mpk_string("email_old")), str("ann@example.com"))
       && mpk_str_eq(mpk_value_get_string(array->u.list.first, mpk_string("email_new")), str("anne@example.com")), "and both addresses");
    array = mpk_value_new(&test_mem, MPK_VALUE_ARRAY);
    ok(mpk_journal_read(crypto, &test_mem, NULL, str("A-1"), 1, record, array) == MPK_OK
       && mpk_value_get(array->u.list.first, mpk_string("holds_from")) && mpk_value_get(array->u.list.first, mpk_string("email_new")) == NULL,
       "which are sealed");
}


static void
test_envelope(mpk_crypto_t *crypto, mpk_crypto_t *foreign)
{
    mpk_buf_t       wrapped, sealed;
    mpk_str_t       plain, cut;
    mpk_place_t     place, elsewhere;
    mpk_data_key_t  key, again;

    mpk_buf_init(&wrapped, &test_mem, 0);
    ok(mpk_envelope_create(crypto, &test_mem, str("A-1"), &key, &wrapped) == MPK_OK, "a data key is made");
    ok(mpk_envelope_unwrap(crypto, &test_mem, str("A-1"), mpk_buf_done(&wrapped), &again) == MPK_OK
       && memcmp(&key, &again, sizeof(key)) == 0, "and unwrapped");
    ok(mpk_envelope_unwrap(crypto, &test_mem, str("A-2"), mpk_buf_done(&wrapped), &again) == MPK_FORGED,
       "but not as another order's");
    ok(mpk_envelope_unwrap(foreign, &test_mem, str("A-1"), mpk_buf_done(&wrapped), &again) == MPK_OK,
       "nor does the journal's key matter");

    place = (mpk_place_t) { str("A-1"), str("key"), 1, 1 };
    mpk_buf_init(&sealed, &test_mem, 0);
    ok(mpk_envelope_seal(crypto, &test_mem, &key, &place, str("XXXXX-YYYYY"), &sealed) == MPK_OK, "a key is sealed");
    ok(mpk_envelope_open(crypto, &test_mem, &key, &place, mpk_buf_done(&sealed), &plain) == MPK_OK
       && mpk_str_eq(plain, str("XXXXX-YYYYY")), "and opened");

    elsewhere = place;
    elsewhere.order = str("A-2");
    ok(mpk_envelope_open(crypto, &test_mem, &key, &elsewhere, mpk_buf_done(&sealed), &plain) == MPK_FORGED, "not for another order");
    elsewhere = place;
    elsewhere.number = 2;
    ok(mpk_envelope_open(crypto, &test_mem, &key, &elsewhere, mpk_buf_done(&sealed), &plain) == MPK_FORGED, "not for another item");
    elsewhere = place;
    elsewhere.generation = 2;
    ok(mpk_envelope_open(crypto, &test_mem, &key, &elsewhere, mpk_buf_done(&sealed), &plain) == MPK_FORGED, "not for another generation");
    elsewhere = place;
    elsewhere.field = str("person");
    ok(mpk_envelope_open(crypto, &test_mem, &key, &elsewhere, mpk_buf_done(&sealed), &plain) == MPK_FORGED, "not for another field");

    cut = mpk_buf_done(&sealed);
    cut.len = MPK_SEAL_OVERHEAD - 1;
    ok(mpk_envelope_open(crypto, &test_mem, &key, &place, cut, &plain) == MPK_FORGED, "not when it is cut");
}


static void
test_hashes(mpk_crypto_t *crypto)
{
    bool      good;
    size_t    i;
    uint8_t   a[MPK_MAC_LEN], b[MPK_MAC_LEN], nonce[MPK_NONCE_LEN], copy[MPK_NONCE_LEN];
    mpk_str_t id, text;

    (void) mpk_lookup_email(crypto, str("A-1"), str("ann@example.com"), a);

    ok(mpk_lookup_email(crypto, str("A-1"), str(" \tAnn@EXAMPLE.com\r\n"), b) == MPK_OK && memcmp(a, b, MPK_MAC_LEN) == 0,
       "emails are trimmed and lower-cased");
    (void) mpk_lookup_email(crypto, str("A-1"), str("ann@xn--mller-kva.example"), a);
    ok(mpk_lookup_email(crypto, str("A-1"), str("Ann@M\xc3\xbcller.example"), b) == MPK_OK && memcmp(a, b, MPK_MAC_LEN) == 0,
       "both spellings of a domain are one");
    (void) mpk_lookup_index(crypto, str("ann@xn--mller-kva.example"), a);
    ok(mpk_lookup_index(crypto, str("ann@m\xc3\xbcller.example"), b) == MPK_OK && memcmp(a, b, MPK_MAC_LEN) == 0, "also of an account");
    (void) mpk_lookup_email(crypto, str("A-1"), str("ann@example.com"), a);
    ok(mpk_lookup_email(crypto, str("A-1"), str("a.nn@example.com"), b) == MPK_OK && memcmp(a, b, MPK_MAC_LEN) != 0, "dots count");
    ok(mpk_lookup_email(crypto, str("A-1"), str("ann+x@example.com"), b) == MPK_OK && memcmp(a, b, MPK_MAC_LEN) != 0, "plus tags count");
    ok(mpk_lookup_account(crypto, str("A-1"), str("ann@example.com"), b) == MPK_OK && memcmp(a, b, MPK_MAC_LEN) != 0,
       "an account's hash is not an email's");
    (void) mpk_lookup_account(crypto, str("A-1"), str("ann@example.com"), a);
    ok(mpk_lookup_account(crypto, str("A-1"), str(" Ann@Example.COM "), b) == MPK_OK && memcmp(a, b, MPK_MAC_LEN) == 0,
       "an account that is an email compares as one");
    (void) mpk_lookup_account(crypto, str("A-1"), str("Ann"), a);
    ok(mpk_lookup_account(crypto, str("A-1"), str("ann"), b) == MPK_OK && memcmp(a, b, MPK_MAC_LEN) != 0
       && mpk_lookup_account(crypto, str("A-1"), str(" Ann"), b) == MPK_OK && memcmp(a, b, MPK_MAC_LEN) != 0,
       "another account compares byte for byte");
    (void) mpk_lookup_email(crypto, str("A-1"), str("ann@example.com"), a);
    ok(mpk_lookup_email(crypto, str("A-2"), str("ann@example.com"), b) == MPK_OK && memcmp(a, b, MPK_MAC_LEN) != 0,
       "another order's hash of the same email proves nothing");
    (void) mpk_lookup_account(crypto, str("A-1"), str("Ann"), a);
    ok(mpk_lookup_account(crypto, str("A-2"), str("Ann"), b) == MPK_OK && memcmp(a, b, MPK_MAC_LEN) != 0
       && mpk_lookup_index(crypto, str("Ann"), b) == MPK_OK && memcmp(a, b, MPK_MAC_LEN) != 0, "nor that of the same account, nor its index");
    ok(mpk_lookup_address(crypto, str("Ann"), b) == MPK_OK && memcmp(a, b, MPK_MAC_LEN) != 0,
       "an address's hash is not an account's");
    ok(mpk_lookup_email(crypto, str("A-1"), str(""), b) == MPK_MALFORMED && mpk_lookup_email(crypto, str("A-1"), str("ann"), b) == MPK_MALFORMED
       && mpk_lookup_email(crypto, str("A-1"), str("@x"), b) == MPK_MALFORMED && mpk_lookup_email(crypto, str("A-1"), str("x@"), b) == MPK_MALFORMED,
       "what is not an email address is refused");

    id = str("0123456789012345678901");
    text = (mpk_str_t) { MPK_NONCE_LEN, nonce };

    ok(mpk_nonce_create(crypto, id, 100000, nonce) == MPK_OK && mpk_nonce_fresh(crypto, id, 100000, text), "a nonce is fresh");
    ok(mpk_nonce_fresh(crypto, id, 100000 + MPK_NONCE_TIME, text), "for an hour");
    ok(!mpk_nonce_fresh(crypto, id, 100001 + MPK_NONCE_TIME, text), "and no longer");
    ok(!mpk_nonce_fresh(crypto, id, 100000 - MPK_TOKEN_SKEW - 1, text), "one from the future is not");
    ok(!mpk_nonce_fresh(crypto, str("1123456789012345678901"), 100000, text), "one of another token is not");

    for (i = 0, good = true; i < MPK_NONCE_LEN; i++) {
        memcpy(copy, nonce, MPK_NONCE_LEN);
        copy[i] = copy[i] == 'A' ? 'B' : 'A';
        good &= !mpk_nonce_fresh(crypto, id, 100000, (mpk_str_t) { MPK_NONCE_LEN, copy });
    }

    ok(good, "one with any other character is not");
    ok(!mpk_nonce_fresh(crypto, id, 100000, (mpk_str_t) { MPK_NONCE_LEN - 1, nonce }), "a truncated one is not");
    ok(mpk_nonce_create(crypto, id, 100000, copy) == MPK_OK && memcmp(copy, nonce, MPK_NONCE_LEN) != 0, "two nonces differ");
}


int
main(void)
{
    mpk_buf_t      wrapped;
    mpk_crypto_t  *crypto, *rotated, *foreign;

    static mpk_keyring_t  k1, k2, k3;

    crypto = open_ring(&k1, "j1", j1, "spare", j2);
    rotated = open_ring(&k2, "spare", j2, "j1", j1);
    foreign = open_ring(&k3, "x", "eHh4eHh4eHh4eHh4eHgxeHh4eHh4eHh4eHh4eHh4eHg", "spare", j2);

    mpk_buf_init(&wrapped, &test_mem, 0);

    if (mpk_envelope_create(crypto, &test_mem, str("A-1"), &data_key, &wrapped) != MPK_OK) {
        return 1;
    }

    write_all(crypto);
    test_chain(crypto, rotated, foreign);
    test_prove(crypto, foreign);
    test_entries(crypto);
    test_envelope(crypto, foreign);
    test_hashes(crypto);

    mpk_crypto_free(crypto);
    mpk_crypto_free(rotated);
    mpk_crypto_free(foreign);

    return done_testing();
}
