/*
 * An order's fields and a journal entry as they lie in Redis.  As given, none is taken for
 * authentic; under a MAC that holds, each is read or refused, and what is read is written
 * back as the same bytes.
 */

#include "fuzz.h"
#include "mpk_checkout.h"
#include "mpk_journal.h"
#include "mpk_order.h"
#include "mpk_pack.h"

#define PIECES  (MPK_ORDER_FIELDS + 1)      /* and an entry */


static const char  keys[] =
    "{\"keys\":["
    "{\"kty\":\"oct\",\"use\":\"token\",\"alg\":\"HS256\",\"kid\":\"t1\",\"k\":\"dG9rZW4tdG9rZW4tdG9rZW4tdG9rZW4tdG9rZW4tdG8\"},"
    "{\"kty\":\"oct\",\"use\":\"wrap\",\"alg\":\"A256GCM\",\"kid\":\"w1\",\"k\":\"d3JhcC13cmFwLXdyYXAtd3JhcC13cmFwLXdyYXAtd3I\"},"
    "{\"kty\":\"oct\",\"use\":\"lookup\",\"alg\":\"HS256\",\"kid\":\"l1\",\"k\":\"bG9va3VwLWxvb2t1cC1sb29rdXAtbG9va3VwLWxvb2s\"},"
    "{\"kty\":\"oct\",\"use\":\"journal\",\"alg\":\"HS256\",\"kid\":\"j1\",\"k\":\"am91cm5hbC1qb3VybmFsLWpvdXJuYWwtam91cm5hbC0\"},"
    "{\"kty\":\"OKP\",\"use\":\"evidence\",\"alg\":\"EdDSA\",\"crv\":\"Ed25519\",\"kid\":\"e1\","
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\",\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"}]}";

static mpk_keyring_t    keyring;
static mpk_crypto_t    *crypto;
static mpk_data_key_t   data_key;


static mpk_str_t
done(const mpk_buf_t *buf)
{
    must(!buf->failed);

    return mpk_buf_done(buf);
}


/* The head that a holder of the key would have written, with the fuzzer's rest. */
static mpk_str_t
head(const mpk_str_t *fields)
{
    size_t            i;
    uint8_t           hash[MPK_MAC_LEN], mac[MPK_MAC_LEN];
    unsigned          present;
    mpk_buf_t         rest, covered, out;
    mpk_str_t         parts[2];
    const mpk_key_t  *key;

    mpk_buf_init(&rest, &fuzz_mem, 0);
    mpk_pack_int(&rest, 2);

    for (i = 1, present = 0; i < MPK_ORDER_WITHDRAWALS; i++) {
        present |= fields[i].data ? 1u << i : 0;
    }

    mpk_pack_int(&rest, present);

    for (i = 1; i < MPK_ORDER_WITHDRAWALS; i++) {
        if (fields[i].data) {
            must(mpk_crypto_hash(crypto, fields[i], hash) == MPK_OK);
            mpk_buf_put(&rest, hash, MPK_MAC_LEN);
        }
    }

    mpk_buf_str(&rest, fields[0]);

    if (fields[MPK_ORDER_WITHDRAWALS].data) {
        must(mpk_crypto_hash(crypto, fields[MPK_ORDER_WITHDRAWALS], hash) == MPK_OK);
        mpk_buf_put(&rest, "\10\0\0", 3);
        mpk_buf_put(&rest, hash, MPK_MAC_LEN);
    }

    mpk_buf_init(&covered, &fuzz_mem, 0);
    mpk_buf_lit(&covered, "mpk order 2");
    mpk_pack_str(&covered, mpk_string("A-1"));
    mpk_pack_int(&covered, 7);

    parts[0] = done(&covered);
    parts[1] = done(&rest);
    key = mpk_keyring_current(&keyring, MPK_USE_JOURNAL);
    must(mpk_crypto_mac(crypto, key, parts, 2, mac) == MPK_OK);

    mpk_buf_init(&out, &fuzz_mem, 0);
    mpk_buf_lit(&out, "7 ");
    mpk_pack_str(&out, mpk_string("j1"));
    mpk_buf_put(&out, mac, MPK_MAC_LEN);
    mpk_buf_str(&out, parts[1]);

    return done(&out);
}


static void
test_order(const mpk_str_t *given)
{
    size_t        i;
    unsigned      changed;
    mpk_str_t     fields[MPK_ORDER_FIELDS], again[MPK_ORDER_FIELDS];
    mpk_order_t   order;
    mpk_status_t  status;

    must(mpk_order_read(crypto, &fuzz_mem, mpk_string("A-1"), given, MPK_ORDER_ALL, &order) != MPK_OK);
    must(mpk_order_read_owner(crypto, &fuzz_mem, mpk_string("A-1"), given[0], given[1], &order) != MPK_OK);

    memcpy(fields, given, sizeof(fields));

    for (i = 1, changed = 0; i < MPK_ORDER_FIELDS; i++) {
        if (fields[i].len == 0) {
            fields[i].data = NULL;

        } else {
            changed |= 1u << i;
        }
    }

    fields[0] = head(fields);

    status = mpk_order_read(crypto, &fuzz_mem, mpk_string("A-1"), fields, MPK_ORDER_ALL, &order);
    must(status == MPK_OK || status == MPK_FORGED || status == MPK_NEWER);

    if (status != MPK_OK) {
        return;
    }

    must(order.revision == 7 && order.items_count <= MPK_ITEMS_MAX && order.claims_count <= MPK_CLAIMS_MAX);

    for (i = 0; i < order.claims_count; i++) {
        must(order.claims[i].item >= 1 && order.claims[i].item <= order.items_count);
        must(mpk_claim_state_name(order.claims[i].state).len && mpk_category_name(order.claims[i].category).len);
    }

    must(order.withdrawals_count <= MPK_WITHDRAWALS_MAX);

    for (i = 0; i < order.withdrawals_count; i++) {
        must(mpk_withdrawal_state_name(order.withdrawals[i].state).len && mpk_medium_name(order.withdrawals[i].medium).len);
    }

    if (order.state == MPK_ORDER_ERASED) {
        return;
    }

    must(mpk_order_write(crypto, &fuzz_mem, &order, changed, again) == MPK_OK);

    for (i = 0; i < MPK_ORDER_FIELDS; i++) {
        must(mpk_str_eq(fields[i], again[i]));
    }
}


static void
test_entry(mpk_str_t given)
{
    mpk_buf_t     out;
    mpk_chain_t   chain;
    mpk_place_t   place;
    mpk_value_t  *array;

    array = mpk_value_new(&fuzz_mem, MPK_VALUE_ARRAY);

    mpk_chain_init(&chain, mpk_string("A-1"));
    must(mpk_chain_next(&chain, crypto, &fuzz_mem, given) == MPK_OK);
    must(chain.verdict == MPK_ALTERED || chain.verdict == MPK_UNVERIFIABLE);

    (void) mpk_journal_read(crypto, &fuzz_mem, &data_key, mpk_string("A-1"), 1, given, array);

    /* as the clear part, then as the personal one */

    mpk_buf_init(&out, &fuzz_mem, 0);
    mpk_pack_str(&out, mpk_string("j1"));
    must(mpk_buf_room(&out, MPK_MAC_LEN));
    memset(out.data + 3, 0, MPK_MAC_LEN);
    mpk_pack_str(&out, given);
    (void) mpk_journal_read(crypto, &fuzz_mem, NULL, mpk_string("A-1"), 1, done(&out), array);

    mpk_buf_init(&out, &fuzz_mem, 0);
    mpk_pack_str(&out, mpk_string("j1"));
    must(mpk_buf_room(&out, MPK_MAC_LEN));
    memset(out.data + 3, 0, MPK_MAC_LEN);
    mpk_pack_str(&out, mpk_string("\2\1\1"));
    place = (mpk_place_t) { mpk_string("A-1"), mpk_string("entry"), 1, 0 };
    must(mpk_envelope_seal(crypto, &fuzz_mem, &data_key, &place, given, &out) == MPK_OK);
    must(mpk_journal_read(crypto, &fuzz_mem, &data_key, mpk_string("A-1"), 1, done(&out), array) != MPK_FORGED);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t          i, n, left;
    mpk_buf_t       again;
    mpk_str_t       pieces[PIECES];
    mpk_detail_t    detail;
    mpk_person_t    person;
    mpk_checkout_t  checkout;
    mpk_stated_t    stated;

    if (crypto == NULL) {
        must(mpk_keyring_read(&fuzz_mem, (const uint8_t *) keys, sizeof(keys) - 1, &keyring, NULL) == MPK_OK);

        /* its strings stay */

        fuzz_blocks = NULL;
        crypto = mpk_crypto_create(&keyring);
        must(crypto);
    }

    /* a length of two bytes before each piece but the last */

    for (i = 0; i < PIECES; i++) {
        left = size;

        if (i < PIECES - 1) {
            n = size >= 2 ? (size_t) (data[0] << 8 | data[1]) : 0;
            left = size >= 2 ? size - 2 : 0;
            data += size - left;
            size = left;
            left = n < left ? n : left;
        }

        pieces[i] = (mpk_str_t) { left, data };
        data += left;
        size -= left;
    }

    test_order(pieces);
    test_entry(pieces[PIECES - 1]);

    if (mpk_detail_read(pieces[PIECES - 1], &detail) == MPK_OK) {
        mpk_buf_init(&again, &fuzz_mem, 0);
        mpk_detail_write(&detail, &again);
        must(mpk_str_eq(done(&again), pieces[PIECES - 1]));
    }

    if (mpk_checkout_read(pieces[PIECES - 1], &checkout) == MPK_OK) {
        mpk_buf_init(&again, &fuzz_mem, 0);
        mpk_checkout_write(&checkout, &again);
        must(mpk_str_eq(done(&again), pieces[PIECES - 1]));
    }

    if (mpk_person_read(pieces[PIECES - 1], &person) == MPK_OK) {
        mpk_buf_init(&again, &fuzz_mem, 0);
        mpk_person_write(&person, &again);
        must(mpk_str_eq(done(&again), pieces[PIECES - 1]));
    }

    if (mpk_stated_read(pieces[PIECES - 1], &stated) == MPK_OK) {
        mpk_buf_init(&again, &fuzz_mem, 0);
        mpk_stated_write(&stated, &again);
        must(mpk_str_eq(done(&again), pieces[PIECES - 1]));
    }

    fuzz_free_all();

    return 0;
}
