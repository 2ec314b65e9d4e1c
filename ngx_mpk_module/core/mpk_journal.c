/* Journal entries: written, read, and their chain verified. */

#include "mpk_base64url.h"
#include "mpk_escape.h"
#include "mpk_journal.h"
#include "mpk_pack.h"
#include "mpk_time.h"

#define MPK_MAC_TEXT_LEN  mpk_base64url_encoded_len(MPK_MAC_LEN)


static void mpk_journal_write_clear(const mpk_entry_t *entry, mpk_buf_t *out);
static void mpk_journal_write_personal(mpk_mem_t *mem,
    const mpk_entry_t *entry, mpk_buf_t *out);
static void mpk_journal_member(mpk_buf_t *out, mpk_str_t name,
    mpk_str_t value);
static mpk_str_t mpk_journal_text(mpk_mem_t *mem, mpk_str_t text,
    size_t max);
static mpk_status_t mpk_journal_mac(mpk_crypto_t *crypto,
    mpk_mem_t *mem, const mpk_key_t *key,
    const uint8_t before[MPK_MAC_LEN], mpk_str_t order, uint64_t number,
    const mpk_record_t *record, uint8_t mac[MPK_MAC_LEN]);
static mpk_status_t mpk_journal_members(mpk_mem_t *mem, mpk_str_t json,
    mpk_value_t *object);
static void mpk_chain_fault(mpk_chain_t *chain, mpk_verdict_t verdict,
    uint64_t number);


static const mpk_json_limits_t  mpk_journal_limits = {
    .size = 64 * 1024, .depth = 3, .values = 2 * MPK_ITEMS_MAX + 32
};


mpk_status_t
mpk_journal_write(mpk_crypto_t *crypto, mpk_mem_t *mem,
    const mpk_data_key_t *data_key, const mpk_entry_t *entry,
    const uint8_t before[MPK_MAC_LEN], mpk_record_t *record,
    uint8_t mac[MPK_MAC_LEN])
{
    uint8_t          *p, bytes[512];
    mpk_buf_t         clear, personal, sealed, text;
    mpk_place_t       place;
    mpk_status_t      status;
    const mpk_key_t  *key;

    key = mpk_keyring_current(mpk_crypto_keyring(crypto), MPK_USE_JOURNAL);
    if (key == NULL) {
        return MPK_UNKNOWN;
    }

    mpk_buf_over(&personal, mem, bytes, sizeof(bytes));
    personal.secret = true;
    mpk_journal_write_personal(mem, entry, &personal);

    mpk_buf_init(&sealed, mem, personal.len + MPK_SEAL_OVERHEAD);

    place = (mpk_place_t) { entry->order, mpk_string("entry"),
                            entry->number, 0 };

    status = personal.failed ? MPK_NOMEM
             : mpk_envelope_seal(crypto, mem, data_key, &place,
                                 mpk_buf_done(&personal), &sealed);

    mpk_cleanse(personal.data, personal.len);

    if (status != MPK_OK) {
        return status;
    }

    mpk_buf_init(&clear, mem, 256);
    mpk_journal_write_clear(entry, &clear);

    mpk_buf_init(&text, mem, key->kid.len + 1 + MPK_MAC_TEXT_LEN);

    if (clear.failed || text.failed) {
        return MPK_NOMEM;
    }

    record->clear = mpk_buf_done(&clear);
    record->sealed = mpk_buf_done(&sealed);

    status = mpk_journal_mac(crypto, mem, key, before, entry->order,
                             entry->number, record, mac);
    if (status != MPK_OK) {
        return status;
    }

    mpk_buf_str(&text, key->kid);
    mpk_buf_byte(&text, '.');

    p = mpk_buf_room(&text, MPK_MAC_TEXT_LEN);
    mpk_base64url_encode(p, mac, MPK_MAC_LEN);

    record->mac = mpk_buf_done(&text);

    return MPK_OK;
}


static void
mpk_journal_write_clear(const mpk_entry_t *entry, mpk_buf_t *out)
{
    bool      replaced;
    size_t    i;
    uint8_t  *p;

    mpk_buf_lit(out, "{\"n\":");
    mpk_buf_int(out, (int64_t) entry->number);

    mpk_journal_member(out, mpk_string("order"), entry->order);
    mpk_journal_member(out, mpk_string("event"), mpk_event_name(entry->event));

    mpk_buf_lit(out, ",\"at\":\"");
    p = mpk_buf_room(out, MPK_TIME_LEN);
    if (p) {
        mpk_time_format(entry->at, p);
    }

    mpk_buf_byte(out, '"');

    mpk_journal_member(out, mpk_string("channel"),
                       mpk_channel_name(entry->channel));

    replaced = false;

    for (i = 0; i < entry->items_count; i++) {
        mpk_buf_str(out, i ? mpk_string(",") : mpk_string(",\"items\":["));
        mpk_buf_int(out, entry->items[i]);

        if (entry->generations
            && entry->generations[entry->items[i] - 1].generation > 1)
        {
            replaced = true;
        }
    }

    if (entry->items_count) {
        mpk_buf_byte(out, ']');
    }

    /* absent: all are of the first generation */

    if (replaced) {
        for (i = 0; i < entry->items_count; i++) {
            mpk_buf_str(out, i ? mpk_string(",")
                               : mpk_string(",\"generations\":["));
            mpk_buf_int(out, (int64_t)
                        entry->generations[entry->items[i] - 1].generation);
        }

        mpk_buf_byte(out, ']');
    }

    mpk_journal_member(out, mpk_string("token_id"), entry->token_id);

    if (entry->claim) {
        mpk_buf_lit(out, ",\"claim\":");
        mpk_buf_int(out, (int64_t) entry->claim);
    }

    mpk_journal_member(out, mpk_string("category"), entry->category);
    mpk_journal_member(out, mpk_string("reason"), entry->reason);
    mpk_journal_member(out, mpk_string("actor"), entry->actor);
    mpk_journal_member(out, mpk_string("request_id"), entry->request_id);

    mpk_buf_byte(out, '}');
}


static void
mpk_journal_write_personal(mpk_mem_t *mem, const mpk_entry_t *entry,
    mpk_buf_t *out)
{
    /* "ip" is always there: the members after it begin with a comma */

    mpk_buf_lit(out, "{\"ip\":");
    mpk_json_write_string(out, entry->ip);

    mpk_journal_member(out, mpk_string("user_agent"),
                       mpk_journal_text(mem, entry->user_agent,
                                        MPK_AGENT_MAX));
    mpk_journal_member(out, mpk_string("accept_language"),
                       mpk_journal_text(mem, entry->accept_language,
                                        MPK_LANGUAGE_MAX));
    mpk_journal_member(out, mpk_string("challenge"), entry->challenge);

    if (entry->consent.len) {
        mpk_buf_lit(out, ",\"consent\":{\"text\":");
        mpk_json_write_string(out, entry->consent);
        mpk_journal_member(out, mpk_string("language"),
                           entry->consent_language);
        mpk_buf_byte(out, '}');
    }

    mpk_journal_member(out, mpk_string("policy"), entry->policy);
    mpk_journal_member(out, mpk_string("name"), entry->name);
    mpk_journal_member(out, mpk_string("note"), entry->note);

    mpk_buf_byte(out, '}');
}


static void
mpk_journal_member(mpk_buf_t *out, mpk_str_t name, mpk_str_t value)
{
    if (value.len) {
        mpk_buf_lit(out, ",\"");
        mpk_buf_str(out, name);
        mpk_buf_lit(out, "\":");
        mpk_json_write_string(out, value);
    }
}


/* Header fields may be any bytes: invalid UTF-8 is kept as "?". */

static mpk_str_t
mpk_journal_text(mpk_mem_t *mem, mpk_str_t text, size_t max)
{
    size_t    i;
    uint8_t  *p;

    if (text.len > max) {
        text.len = max;

        while (text.len && (text.data[text.len] & 0xc0) == 0x80) {
            text.len--;
        }
    }

    if (text.len == 0 || mpk_utf8_valid(text.data, text.len)) {
        return text;
    }

    p = mpk_alloc(mem, text.len);
    if (p == NULL) {
        return (mpk_str_t) { 0, NULL };
    }

    for (i = 0; i < text.len; i++) {
        p[i] = text.data[i] < 0x80 ? text.data[i] : '?';
    }

    return (mpk_str_t) { text.len, p };
}


static mpk_status_t
mpk_journal_mac(mpk_crypto_t *crypto, mpk_mem_t *mem,
    const mpk_key_t *key, const uint8_t before[MPK_MAC_LEN], mpk_str_t order,
    uint64_t number, const mpk_record_t *record, uint8_t mac[MPK_MAC_LEN])
{
    uint8_t    bytes[128];
    mpk_buf_t  head;
    mpk_str_t  parts[3];

    mpk_buf_over(&head, mem, bytes, sizeof(bytes));

    mpk_buf_put(&head, before, MPK_MAC_LEN);
    mpk_pack_int(&head, number);
    mpk_pack_str(&head, order);
    mpk_pack_int(&head, record->clear.len);

    if (head.failed) {
        return MPK_NOMEM;
    }

    parts[0] = mpk_buf_done(&head);
    parts[1] = record->clear;
    parts[2] = record->sealed;

    return mpk_crypto_mac(crypto, key, parts, 3, mac);
}


mpk_status_t
mpk_journal_read(mpk_crypto_t *crypto, mpk_mem_t *mem,
    const mpk_data_key_t *data_key, mpk_str_t order, uint64_t number,
    const mpk_record_t *record, mpk_value_t *array)
{
    mpk_str_t      personal;
    mpk_place_t    place;
    mpk_value_t   *object;
    mpk_status_t   status;

    object = mpk_value_object(array, mpk_string(""));
    if (object == NULL) {
        return MPK_NOMEM;
    }

    status = mpk_journal_members(mem, record->clear, object);
    if (status != MPK_OK || data_key == NULL) {
        return status;
    }

    place = (mpk_place_t) { order, mpk_string("entry"), number, 0 };

    status = mpk_envelope_open(crypto, mem, data_key, &place, record->sealed,
                               &personal);
    if (status != MPK_OK) {
        return status;
    }

    return mpk_journal_members(mem, personal, object);
}


/* Moves the members of an object in JSON to another object. */

static mpk_status_t
mpk_journal_members(mpk_mem_t *mem, mpk_str_t json, mpk_value_t *object)
{
    mpk_value_t   *value;
    mpk_status_t   status;

    status = mpk_json_read(mem, json.data, json.len, &mpk_journal_limits,
                           &value, NULL);
    if (status != MPK_OK) {
        return status;
    }

    if (value->type != MPK_VALUE_OBJECT) {
        return MPK_MALFORMED;
    }

    if (value->u.list.first == NULL) {
        return MPK_OK;
    }

    if (object->u.list.last) {
        object->u.list.last->next = value->u.list.first;

    } else {
        object->u.list.first = value->u.list.first;
    }

    object->u.list.last = value->u.list.last;
    object->u.list.count += value->u.list.count;

    return MPK_OK;
}


mpk_str_t
mpk_verdict_name(mpk_verdict_t verdict)
{
    static const mpk_str_t  names[] = {
        [MPK_INTACT] = mpk_literal("intact"),
        [MPK_ALTERED] = mpk_literal("altered"),
        [MPK_MISSING_ENTRY] = mpk_literal("missing"),
        [MPK_EXPIRED_ENTRY] = mpk_literal("expired"),
        [MPK_ERASED_ENTRIES] = mpk_literal("erased"),
    };

    mpk_assert_rows(names, MPK_VERDICT_MAX);

    return names[verdict];
}


void
mpk_chain_init(mpk_chain_t *chain, mpk_str_t order)
{
    memset(chain, 0, sizeof(mpk_chain_t));

    chain->order = order;
}


void
mpk_chain_erased(mpk_chain_t *chain, uint64_t gone,
    const uint8_t mac[MPK_MAC_LEN])
{
    chain->number = gone;
    chain->erased = true;

    memcpy(chain->mac, mac, MPK_MAC_LEN);
}


mpk_status_t
mpk_chain_next(mpk_chain_t *chain, mpk_crypto_t *crypto,
    mpk_mem_t *mem, const mpk_record_t *record)
{
    uint8_t           mac[MPK_MAC_LEN], stored[MPK_MAC_LEN];
    mpk_str_t         kid, text;
    mpk_status_t      status;
    const uint8_t    *dot;
    const mpk_key_t  *key;

    chain->number++;

    if (record->clear.data == NULL) {
        mpk_chain_fault(chain, record->expired ? MPK_EXPIRED_ENTRY
                                               : MPK_MISSING_ENTRY,
                        chain->number);
        chain->broken = true;
        return MPK_OK;
    }

    dot = NULL;

    if (record->mac.len > MPK_MAC_TEXT_LEN) {
        dot = record->mac.data + record->mac.len - MPK_MAC_TEXT_LEN - 1;
    }

    if (dot == NULL || *dot != '.') {
        mpk_chain_fault(chain, MPK_ALTERED, chain->number);
        chain->broken = true;
        return MPK_OK;
    }

    kid.data = record->mac.data;
    kid.len = (size_t) (dot - kid.data);

    text.data = dot + 1;
    text.len = MPK_MAC_TEXT_LEN;

    key = mpk_keyring_find(mpk_crypto_keyring(crypto), MPK_USE_JOURNAL, kid);

    if (key == NULL
        || mpk_base64url_decode(stored, text.data, text.len) != MPK_OK)
    {
        mpk_chain_fault(chain, MPK_ALTERED, chain->number);
        chain->broken = true;
        return MPK_OK;
    }

    /* after a missing entry its MAC is unknown: restart the chain from this one */

    if (!chain->broken) {
        status = mpk_journal_mac(crypto, mem, key, chain->mac, chain->order,
                                 chain->number, record, mac);
        if (status != MPK_OK) {
            return status;
        }

        if (!mpk_secret_eq((mpk_str_t) { MPK_MAC_LEN, mac },
                           (mpk_str_t) { MPK_MAC_LEN, stored }))
        {
            mpk_chain_fault(chain, MPK_ALTERED, chain->number);
        }
    }

    memcpy(chain->mac, stored, MPK_MAC_LEN);
    chain->broken = false;

    return MPK_OK;
}


void
mpk_chain_end(mpk_chain_t *chain, uint64_t revision,
    const uint8_t mac[MPK_MAC_LEN])
{
    if (chain->number < revision) {
        mpk_chain_fault(chain, MPK_MISSING_ENTRY, chain->number + 1);
        return;
    }

    if (chain->number > revision) {
        mpk_chain_fault(chain, MPK_ALTERED, revision + 1);
        return;
    }

    if (!chain->broken
        && !mpk_secret_eq((mpk_str_t) { MPK_MAC_LEN, chain->mac },
                          (mpk_str_t) { MPK_MAC_LEN, mac }))
    {
        mpk_chain_fault(chain, MPK_ALTERED, chain->number);
    }

    if (chain->erased && chain->verdict == MPK_INTACT) {
        chain->verdict = MPK_ERASED_ENTRIES;
    }
}


void
mpk_chain_anchor(mpk_chain_t *chain, mpk_str_t anchor_mac,
    uint64_t anchor_number, uint64_t number, const mpk_record_t *record)
{
    mpk_str_t  text;

    if (number != anchor_number || record->clear.data == NULL) {
        return;
    }

    text = record->mac;

    if (text.len > MPK_MAC_TEXT_LEN) {
        text.data += text.len - MPK_MAC_TEXT_LEN;
        text.len = MPK_MAC_TEXT_LEN;
    }

    if (!mpk_secret_eq(text, anchor_mac)) {
        mpk_chain_fault(chain, MPK_ALTERED, number);
    }
}


/* The verdict is the fault at the lowest entry; any other fault outranks "expired". */

static void
mpk_chain_fault(mpk_chain_t *chain, mpk_verdict_t verdict, uint64_t number)
{
    if (chain->verdict == MPK_INTACT
        || (chain->verdict == MPK_EXPIRED_ENTRY
            && verdict != MPK_EXPIRED_ENTRY)
        || (number < chain->fault && verdict != MPK_EXPIRED_ENTRY))
    {
        chain->verdict = verdict;
        chain->fault = number;
    }
}
