/* Journal entries: written, read, and their chain verified. */

#include <stddef.h>

#include "mpk_base64url.h"
#include "mpk_escape.h"
#include "mpk_journal.h"
#include "mpk_pack.h"
#include "mpk_time.h"

#define MPK_JOURNAL_VERSION  2
#define MPK_MAC_TEXT_LEN     mpk_base64url_encoded_len(MPK_MAC_LEN)
#define MPK_REQUEST_ID_LEN   16      /* bytes of nginx's $request_id */
#define MPK_FILE_NAME        66      /* where its name begins in the line of a file */


/* Tags of members in clear; they never change. */
enum {
    MPK_CLEAR_CHANNEL = 1,
    MPK_CLEAR_ITEMS,
    MPK_CLEAR_GENERATIONS,
    MPK_CLEAR_TOKEN_ID,
    MPK_CLEAR_CLAIM,
    MPK_CLEAR_CATEGORY,
    MPK_CLEAR_REASON,
    MPK_CLEAR_ACTOR,
    MPK_CLEAR_REQUEST_ID,
    MPK_CLEAR_REQUEST,               /* an id that is not nginx's */
    MPK_CLEAR_EDGE_AT,
    MPK_CLEAR_DELIVERED_AT,
    MPK_CLEAR_FIRST_VIEWED_AT,
    MPK_CLEAR_SENT,
    MPK_CLEAR_FORM,
    MPK_CLEAR_WARNED,
    MPK_CLEAR_CORRECTION,
    MPK_CLEAR_HOLDS_FROM,
    MPK_CLEAR_SHOW_VIEWED,
    MPK_CLEAR_FINDING,
    MPK_CLEAR_SESSION,
    MPK_CLEAR_RECEIVED_AT,
    MPK_CLEAR_KEY_MATCHED,
    MPK_CLEAR_BYTES,
    MPK_CLEAR_WITHDRAWAL,
    MPK_CLEAR_STATED_AT,
    MPK_CLEAR_REFUND_DUE,
    MPK_CLEAR_LEFT,
    MPK_CLEAR_MEDIUM,
    MPK_CLEAR_MAX
};

/* Members of the personal part are strings; a member's tag is its row, from 1. */
typedef struct {
    mpk_str_t  name;
    size_t     offset;
    size_t     max;                  /* bytes kept; 0: all */
} mpk_personal_t;

static const mpk_personal_t  mpk_personal[] = {
    { mpk_literal("ip"), offsetof(mpk_entry_t, ip), 0 },
    { mpk_literal("user_agent"), offsetof(mpk_entry_t, user_agent), MPK_AGENT_MAX },
    { mpk_literal("accept_language"), offsetof(mpk_entry_t, accept_language), MPK_LANGUAGE_MAX },
    { mpk_literal("challenge"), offsetof(mpk_entry_t, challenge), 0 },
    { mpk_literal("consent"), offsetof(mpk_entry_t, consent), 0 },
    { mpk_literal("language"), offsetof(mpk_entry_t, consent_language), 0 },
    { mpk_literal("policy"), offsetof(mpk_entry_t, policy), 0 },
    { mpk_literal("name"), offsetof(mpk_entry_t, name), 0 },
    { mpk_literal("note"), offsetof(mpk_entry_t, note), 0 },
    { mpk_literal("consent_product"), offsetof(mpk_entry_t, consent_product), 0 },
    { mpk_literal("email_old"), offsetof(mpk_entry_t, email_old), 0 },
    { mpk_literal("email_new"), offsetof(mpk_entry_t, email_new), 0 },
    { mpk_literal("finding_text"), offsetof(mpk_entry_t, finding_text), 0 },
    { mpk_literal("exception"), offsetof(mpk_entry_t, exception), 0 },
    { mpk_literal("files"), offsetof(mpk_entry_t, files), 0 },
    { mpk_literal("email"), offsetof(mpk_entry_t, email), 0 },
};

#define MPK_PERSONAL_MAX  (sizeof(mpk_personal) / sizeof(mpk_personal[0]))


/* An entry as stored, taken apart. */
typedef struct {
    mpk_str_t  kid;
    mpk_str_t  mac;
    mpk_str_t  rest;                 /* what the MAC covers */
    mpk_str_t  clear;
    mpk_str_t  sealed;
} mpk_record_t;


static void mpk_journal_write_clear(const mpk_entry_t *entry, mpk_buf_t *out);
static void mpk_journal_write_request(mpk_str_t id, mpk_buf_t *out);
static void mpk_journal_write_personal(mpk_mem_t *mem,
    const mpk_entry_t *entry, mpk_buf_t *out);
static void mpk_journal_member(mpk_buf_t *out, unsigned tag, mpk_str_t value);
static void mpk_journal_member_time(mpk_buf_t *out, unsigned tag, int64_t at);
static mpk_str_t mpk_journal_text(mpk_mem_t *mem, mpk_str_t text,
    size_t max);
static mpk_status_t mpk_journal_parse(mpk_str_t value, mpk_record_t *record);
static mpk_status_t mpk_journal_mac(mpk_crypto_t *crypto,
    const mpk_key_t *key, const uint8_t before[MPK_MAC_LEN], mpk_str_t order,
    uint64_t number, mpk_str_t rest, uint8_t mac[MPK_MAC_LEN]);
static mpk_status_t mpk_journal_read_clear(mpk_mem_t *mem, mpk_str_t clear,
    mpk_value_t *object);
static mpk_status_t mpk_journal_read_member(mpk_mem_t *mem,
    mpk_unpack_t *in, uint64_t tag, size_t *items, mpk_value_t *object);
static mpk_str_t mpk_journal_time(mpk_mem_t *mem, int64_t seconds);
static mpk_status_t mpk_journal_read_personal(mpk_str_t personal,
    mpk_value_t *object);
static void mpk_journal_read_files(mpk_str_t files, mpk_value_t *list);
static void mpk_chain_fault(mpk_chain_t *chain, mpk_verdict_t verdict,
    uint64_t number);


mpk_status_t
mpk_journal_write(mpk_crypto_t *crypto, mpk_mem_t *mem,
    const mpk_data_key_t *data_key, const mpk_entry_t *entry,
    const uint8_t before[MPK_MAC_LEN], mpk_str_t *record,
    uint8_t mac[MPK_MAC_LEN])
{
    size_t            start;
    uint8_t          *p, bytes[256], more[512];
    mpk_buf_t         clear, personal, out;
    mpk_place_t       place;
    mpk_status_t      status;
    const mpk_key_t  *key;

    key = mpk_keyring_current(mpk_crypto_keyring(crypto), MPK_USE_JOURNAL);
    if (key == NULL) {
        return MPK_UNKNOWN;
    }

    mpk_buf_over(&clear, mem, bytes, sizeof(bytes));
    mpk_journal_write_clear(entry, &clear);

    mpk_buf_over(&personal, mem, more, sizeof(more));
    personal.secret = true;
    mpk_journal_write_personal(mem, entry, &personal);

    mpk_buf_init(&out, mem, 64 + MPK_KID_MAX + clear.len + personal.len
                            + MPK_SEAL_OVERHEAD);

    mpk_pack_str(&out, key->kid);

    p = mpk_buf_room(&out, MPK_MAC_LEN);
    if (p) {
        memset(p, 0, MPK_MAC_LEN);
    }

    start = out.len;

    mpk_pack_str(&out, mpk_buf_done(&clear));

    place = (mpk_place_t) { entry->order, mpk_string("entry"),
                            entry->number, 0 };

    status = (clear.failed || personal.failed || out.failed) ? MPK_NOMEM
             : mpk_envelope_seal(crypto, mem, data_key, &place,
                                 mpk_buf_done(&personal), &out);

    mpk_cleanse(personal.data, personal.len);

    if (status == MPK_OK) {
        status = mpk_journal_mac(crypto, key, before, entry->order,
                                 entry->number,
                                 (mpk_str_t) { out.len - start,
                                               out.data + start },
                                 mac);
    }

    if (status != MPK_OK) {
        return status;
    }

    memcpy(out.data + start - MPK_MAC_LEN, mac, MPK_MAC_LEN);

    *record = mpk_buf_done(&out);

    return MPK_OK;
}


static void
mpk_journal_write_clear(const mpk_entry_t *entry, mpk_buf_t *out)
{
    bool      replaced;
    size_t    i;
    uint8_t   id[MPK_ID_LEN];
    uint64_t  generation;

    mpk_pack_int(out, MPK_JOURNAL_VERSION);
    mpk_pack_int(out, entry->event);
    mpk_pack_int(out, (uint64_t) entry->at);

    if (entry->channel) {
        mpk_pack_int(out, MPK_CLEAR_CHANNEL);
        mpk_pack_int(out, entry->channel);
    }

    replaced = false;

    if (entry->items_count) {
        mpk_pack_int(out, MPK_CLEAR_ITEMS);
        mpk_pack_int(out, entry->items_count);
    }

    for (i = 0; i < entry->items_count; i++) {
        mpk_pack_int(out, entry->items[i]);

        replaced |= entry->generations
                    && entry->generations[entry->items[i] - 1].generation > 1;
    }

    /* absent: all are of the first generation */

    if (replaced) {
        mpk_pack_int(out, MPK_CLEAR_GENERATIONS);

        for (i = 0; i < entry->items_count; i++) {
            generation = entry->generations[entry->items[i] - 1].generation;
            mpk_pack_int(out, generation);
        }
    }

    if (entry->token_id.len == MPK_TOKEN_ID_LEN
        && mpk_base64url_decode(id, entry->token_id.data, MPK_TOKEN_ID_LEN)
           == MPK_OK)
    {
        mpk_pack_int(out, MPK_CLEAR_TOKEN_ID);
        mpk_buf_put(out, id, MPK_ID_LEN);
    }

    if (entry->claim) {
        mpk_pack_int(out, MPK_CLEAR_CLAIM);
        mpk_pack_int(out, entry->claim);
    }

    mpk_journal_member(out, MPK_CLEAR_CATEGORY, entry->category);
    mpk_journal_member(out, MPK_CLEAR_REASON, entry->reason);

    /* absent: most entries are a customer's */

    if (!mpk_str_eq(entry->actor, mpk_string("customer"))) {
        mpk_journal_member(out, MPK_CLEAR_ACTOR, entry->actor);
    }

    mpk_journal_write_request(entry->request_id, out);

    mpk_journal_member_time(out, MPK_CLEAR_EDGE_AT, entry->edge_at);
    mpk_journal_member_time(out, MPK_CLEAR_DELIVERED_AT, entry->delivered_at);
    mpk_journal_member_time(out, MPK_CLEAR_FIRST_VIEWED_AT,
                            entry->first_viewed_at);

    if (entry->event == MPK_EVENT_CUT_OFF && entry->sent >= 0) {
        mpk_pack_int(out, MPK_CLEAR_SENT);
        mpk_pack_int(out, (uint64_t) entry->sent);
    }

    if (entry->form) {
        mpk_pack_int(out, MPK_CLEAR_FORM);
        mpk_pack_int(out, 1);
    }

    if (entry->warned) {
        mpk_pack_int(out, MPK_CLEAR_WARNED);
        mpk_pack_int(out, 1);
    }

    if (entry->correction) {
        mpk_pack_int(out, MPK_CLEAR_CORRECTION);
        mpk_pack_int(out, entry->correction);
    }

    mpk_journal_member_time(out, MPK_CLEAR_HOLDS_FROM, entry->holds_from);

    if (entry->show_viewed) {
        mpk_pack_int(out, MPK_CLEAR_SHOW_VIEWED);
        mpk_pack_int(out, 1);
    }

    mpk_journal_member(out, MPK_CLEAR_FINDING, entry->finding);
    mpk_journal_member(out, MPK_CLEAR_SESSION, entry->session);
    mpk_journal_member_time(out, MPK_CLEAR_RECEIVED_AT, entry->received_at);

    if (entry->key_given) {
        mpk_pack_int(out, MPK_CLEAR_KEY_MATCHED);
        mpk_pack_int(out, entry->key_matched);
    }

    if (entry->bytes) {
        mpk_pack_int(out, MPK_CLEAR_BYTES);
        mpk_pack_int(out, entry->bytes);
    }

    if (entry->withdrawal) {
        mpk_pack_int(out, MPK_CLEAR_WITHDRAWAL);
        mpk_pack_int(out, entry->withdrawal);
    }

    mpk_journal_member_time(out, MPK_CLEAR_STATED_AT, entry->stated_at);
    mpk_journal_member_time(out, MPK_CLEAR_REFUND_DUE, entry->refund_due);

    if (entry->left_count) {
        mpk_pack_int(out, MPK_CLEAR_LEFT);
        mpk_pack_int(out, entry->left_count);

        for (i = 0; i < entry->left_count; i++) {
            mpk_pack_int(out, entry->left[i]);
        }
    }

    mpk_journal_member(out, MPK_CLEAR_MEDIUM, entry->medium);
}


void
mpk_journal_file(mpk_buf_t *files, mpk_str_t sha256, mpk_str_t name)
{
    mpk_buf_str(files, sha256);
    mpk_buf_lit(files, "  ");
    mpk_buf_str(files, name);
    mpk_buf_byte(files, '\n');
}


/* nginx's ids take half as many bytes as they have digits. */

static void
mpk_journal_write_request(mpk_str_t id, mpk_buf_t *out)
{
    size_t   i;
    uint8_t  ch, bytes[MPK_REQUEST_ID_LEN];

    memset(bytes, 0, sizeof(bytes));

    for (i = 0; i < id.len && i < 2 * MPK_REQUEST_ID_LEN; i++) {
        ch = id.data[i];

        if (ch >= '0' && ch <= '9') {
            ch -= '0';

        } else if (ch >= 'a' && ch <= 'f') {
            ch = (uint8_t) (ch - 'a' + 10);

        } else {
            break;
        }

        bytes[i / 2] = (uint8_t) (bytes[i / 2] << 4 | ch);
    }

    if (i == id.len && i == 2 * MPK_REQUEST_ID_LEN) {
        mpk_pack_int(out, MPK_CLEAR_REQUEST_ID);
        mpk_buf_put(out, bytes, MPK_REQUEST_ID_LEN);
        return;
    }

    mpk_journal_member(out, MPK_CLEAR_REQUEST, id);
}


static void
mpk_journal_write_personal(mpk_mem_t *mem, const mpk_entry_t *entry,
    mpk_buf_t *out)
{
    size_t      i;
    mpk_str_t  *value;

    for (i = 0; i < MPK_PERSONAL_MAX; i++) {
        value = (mpk_str_t *) (void *) ((uint8_t *) entry
                                        + mpk_personal[i].offset);

        mpk_journal_member(out, (unsigned) i + 1,
                           mpk_personal[i].max
                           ? mpk_journal_text(mem, *value, mpk_personal[i].max)
                           : *value);
    }
}


static void
mpk_journal_member(mpk_buf_t *out, unsigned tag, mpk_str_t value)
{
    if (value.len) {
        mpk_pack_int(out, tag);
        mpk_pack_str(out, value);
    }
}


static void
mpk_journal_member_time(mpk_buf_t *out, unsigned tag, int64_t at)
{
    if (at > 0) {
        mpk_pack_int(out, tag);
        mpk_pack_int(out, (uint64_t) at);
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
mpk_journal_parse(mpk_str_t value, mpk_record_t *record)
{
    mpk_unpack_t  in;

    mpk_unpack_init(&in, value);

    record->kid = mpk_unpack_str(&in);
    record->mac = mpk_unpack_bytes(&in, MPK_MAC_LEN);
    record->rest = (mpk_str_t) { (size_t) (in.end - in.p), in.p };
    record->clear = mpk_unpack_str(&in);
    record->sealed = (mpk_str_t) { (size_t) (in.end - in.p), in.p };

    return in.failed || !mpk_kid_valid(record->kid) ? MPK_MALFORMED : MPK_OK;
}


static mpk_status_t
mpk_journal_mac(mpk_crypto_t *crypto, const mpk_key_t *key,
    const uint8_t before[MPK_MAC_LEN], mpk_str_t order, uint64_t number,
    mpk_str_t rest, uint8_t mac[MPK_MAC_LEN])
{
    uint8_t    bytes[160];
    mpk_buf_t  head;
    mpk_str_t  parts[2];

    if (!mpk_order_id_valid(order)) {
        return MPK_MALFORMED;
    }

    /* it fits: an id has 64 bytes at most */

    mpk_buf_over(&head, NULL, bytes, sizeof(bytes));

    mpk_buf_lit(&head, "mpk entry 2");
    mpk_buf_put(&head, before, MPK_MAC_LEN);
    mpk_pack_int(&head, number);
    mpk_pack_str(&head, order);

    parts[0] = mpk_buf_done(&head);
    parts[1] = rest;

    return mpk_crypto_mac(crypto, key, parts, 2, mac);
}


mpk_status_t
mpk_journal_prove(mpk_crypto_t *crypto, mpk_str_t order, uint64_t number,
    mpk_str_t value, const uint8_t before[MPK_MAC_LEN], mpk_str_t *mac)
{
    uint8_t           expected[MPK_MAC_LEN];
    mpk_record_t      record;
    mpk_status_t      status;
    const mpk_key_t  *key;

    if (mpk_journal_parse(value, &record) != MPK_OK) {
        return MPK_MALFORMED;
    }

    *mac = record.mac;

    key = mpk_keyring_find(mpk_crypto_keyring(crypto), MPK_USE_JOURNAL,
                           record.kid);
    if (key == NULL) {
        return MPK_UNKNOWN;
    }

    status = mpk_journal_mac(crypto, key, before, order, number, record.rest,
                             expected);
    if (status != MPK_OK) {
        return status;
    }

    return mpk_secret_eq((mpk_str_t) { MPK_MAC_LEN, expected }, record.mac)
           ? MPK_OK : MPK_FORGED;
}


mpk_status_t
mpk_journal_read(mpk_crypto_t *crypto, mpk_mem_t *mem,
    const mpk_data_key_t *data_key, mpk_str_t order, uint64_t number,
    mpk_str_t value, mpk_value_t *array)
{
    mpk_str_t      personal;
    mpk_place_t    place;
    mpk_value_t   *object;
    mpk_record_t   record;
    mpk_status_t   status;

    object = mpk_value_object(array, mpk_string(""));
    if (object == NULL) {
        return MPK_NOMEM;
    }

    mpk_value_int(object, mpk_string("n"), (int64_t) number);
    mpk_value_string(object, mpk_string("order"), order);

    status = mpk_journal_parse(value, &record);

    if (status == MPK_OK) {
        status = mpk_journal_read_clear(mem, record.clear, object);
    }

    if (status != MPK_OK || data_key == NULL) {
        return status;
    }

    place = (mpk_place_t) { order, mpk_string("entry"), number, 0 };

    status = mpk_envelope_open(crypto, mem, data_key, &place, record.sealed,
                               &personal);

    return status == MPK_OK ? mpk_journal_read_personal(personal, object)
                            : status;
}


static mpk_status_t
mpk_journal_read_clear(mpk_mem_t *mem, mpk_str_t clear, mpk_value_t *object)
{
    size_t        items;
    int64_t       at;
    uint64_t      version, event, tag;
    mpk_unpack_t  in;
    mpk_status_t  status;

    mpk_unpack_init(&in, clear);

    version = mpk_unpack_int(&in);
    event = mpk_unpack_int(&in);

    if (version > MPK_JOURNAL_VERSION || event >= MPK_EVENT_MAX) {
        return MPK_NEWER;
    }

    at = (int64_t) mpk_unpack_upto(&in, INT64_MAX);

    if (in.failed || version != MPK_JOURNAL_VERSION) {
        return MPK_MALFORMED;
    }

    mpk_value_string(object, mpk_string("event"),
                     mpk_event_name((mpk_event_t) event));
    mpk_value_string(object, mpk_string("at"), mpk_journal_time(mem, at));

    items = 0;

    while (!mpk_unpack_done(&in)) {
        tag = mpk_unpack_int(&in);

        if (in.failed) {
            return MPK_MALFORMED;
        }

        status = mpk_journal_read_member(mem, &in, tag, &items, object);
        if (status != MPK_OK) {
            return status;
        }
    }

    if (mpk_value_get(object, mpk_string("actor")) == NULL) {
        mpk_value_string(object, mpk_string("actor"), mpk_string("customer"));
    }

    return MPK_OK;
}


/* *items: the number of items, of which the generations are. */

static mpk_status_t
mpk_journal_read_member(mpk_mem_t *mem, mpk_unpack_t *in, uint64_t tag,
    size_t *items, mpk_value_t *object)
{
    size_t        i, count;
    uint8_t      *p;
    uint64_t      n;
    mpk_str_t     bytes;
    mpk_value_t  *list;

    static const mpk_str_t  names[] = {
        [0] = mpk_literal(""),
        [MPK_CLEAR_CHANNEL] = mpk_literal("channel"),
        [MPK_CLEAR_ITEMS] = mpk_literal("items"),
        [MPK_CLEAR_GENERATIONS] = mpk_literal("generations"),
        [MPK_CLEAR_TOKEN_ID] = mpk_literal("token_id"),
        [MPK_CLEAR_CLAIM] = mpk_literal("claim"),
        [MPK_CLEAR_CATEGORY] = mpk_literal("category"),
        [MPK_CLEAR_REASON] = mpk_literal("reason"),
        [MPK_CLEAR_ACTOR] = mpk_literal("actor"),
        [MPK_CLEAR_REQUEST_ID] = mpk_literal("request_id"),
        [MPK_CLEAR_REQUEST] = mpk_literal("request_id"),
        [MPK_CLEAR_EDGE_AT] = mpk_literal("edge_at"),
        [MPK_CLEAR_DELIVERED_AT] = mpk_literal("delivered_at"),
        [MPK_CLEAR_FIRST_VIEWED_AT] = mpk_literal("first_viewed_at"),
        [MPK_CLEAR_SENT] = mpk_literal("sent"),
        [MPK_CLEAR_FORM] = mpk_literal("form"),
        [MPK_CLEAR_WARNED] = mpk_literal("warning_shown"),
        [MPK_CLEAR_CORRECTION] = mpk_literal("correction"),
        [MPK_CLEAR_HOLDS_FROM] = mpk_literal("holds_from"),
        [MPK_CLEAR_SHOW_VIEWED] = mpk_literal("show_viewed"),
        [MPK_CLEAR_FINDING] = mpk_literal("finding"),
        [MPK_CLEAR_SESSION] = mpk_literal("session"),
        [MPK_CLEAR_RECEIVED_AT] = mpk_literal("received_at"),
        [MPK_CLEAR_KEY_MATCHED] = mpk_literal("key_matched"),
        [MPK_CLEAR_BYTES] = mpk_literal("bytes"),
        [MPK_CLEAR_WITHDRAWAL] = mpk_literal("withdrawal"),
        [MPK_CLEAR_STATED_AT] = mpk_literal("stated_at"),
        [MPK_CLEAR_REFUND_DUE] = mpk_literal("refund_due"),
        [MPK_CLEAR_LEFT] = mpk_literal("left_open"),
        [MPK_CLEAR_MEDIUM] = mpk_literal("medium"),
    };

    mpk_assert_rows(names, MPK_CLEAR_MAX);

    if (tag == 0 || tag >= MPK_CLEAR_MAX) {
        return MPK_NEWER;
    }

    switch (tag) {

    case MPK_CLEAR_CHANNEL:
        n = mpk_unpack_upto(in, MPK_CHANNEL_MAX - 1);
        mpk_value_string(object, names[tag],
                         mpk_channel_name((mpk_channel_t) n));
        break;

    case MPK_CLEAR_ITEMS:
    case MPK_CLEAR_GENERATIONS:
    case MPK_CLEAR_LEFT:
        count = *items;

        if (tag != MPK_CLEAR_GENERATIONS) {
            count = mpk_unpack_upto(in, MPK_ITEMS_MAX);
        }

        if (tag == MPK_CLEAR_ITEMS) {
            *items = count;
        }

        list = mpk_value_array(object, names[tag]);

        for (i = 0; i < count; i++) {
            mpk_value_int(list, mpk_string(""),
                          (int64_t) mpk_unpack_upto(in, INT64_MAX));
        }

        break;

    case MPK_CLEAR_CLAIM:
    case MPK_CLEAR_SENT:
    case MPK_CLEAR_CORRECTION:
    case MPK_CLEAR_BYTES:
    case MPK_CLEAR_WITHDRAWAL:
        mpk_value_int(object, names[tag],
                      (int64_t) mpk_unpack_upto(in, INT64_MAX));
        break;

    case MPK_CLEAR_FORM:
    case MPK_CLEAR_WARNED:
    case MPK_CLEAR_SHOW_VIEWED:
    case MPK_CLEAR_KEY_MATCHED:
        mpk_value_bool(object, names[tag], mpk_unpack_upto(in, 1) == 1);
        break;

    case MPK_CLEAR_EDGE_AT:
    case MPK_CLEAR_DELIVERED_AT:
    case MPK_CLEAR_FIRST_VIEWED_AT:
    case MPK_CLEAR_HOLDS_FROM:
    case MPK_CLEAR_RECEIVED_AT:
    case MPK_CLEAR_STATED_AT:
    case MPK_CLEAR_REFUND_DUE:
        mpk_value_string(object, names[tag],
                         mpk_journal_time(mem, (int64_t)
                                          mpk_unpack_upto(in, INT64_MAX)));
        break;

    case MPK_CLEAR_TOKEN_ID:
        bytes = mpk_unpack_bytes(in, MPK_ID_LEN);
        p = mpk_alloc(mem, MPK_TOKEN_ID_LEN);

        if (p == NULL || bytes.data == NULL) {
            return p ? MPK_MALFORMED : MPK_NOMEM;
        }

        mpk_base64url_encode(p, bytes.data, MPK_ID_LEN);
        mpk_value_string(object, names[tag],
                         (mpk_str_t) { MPK_TOKEN_ID_LEN, p });
        break;

    case MPK_CLEAR_REQUEST_ID:
        bytes = mpk_unpack_bytes(in, MPK_REQUEST_ID_LEN);
        p = mpk_alloc(mem, 2 * MPK_REQUEST_ID_LEN);

        if (p == NULL || bytes.data == NULL) {
            return p ? MPK_MALFORMED : MPK_NOMEM;
        }

        for (i = 0; i < 2 * MPK_REQUEST_ID_LEN; i++) {
            p[i] = (uint8_t) "0123456789abcdef"[(i % 2 ? bytes.data[i / 2]
                                                 : bytes.data[i / 2] >> 4)
                                                & 15];
        }

        mpk_value_string(object, names[tag],
                         (mpk_str_t) { 2 * MPK_REQUEST_ID_LEN, p });
        break;

    default:
        bytes = mpk_unpack_str(in);

        if (!mpk_utf8_valid(bytes.data, bytes.len)) {
            return MPK_MALFORMED;
        }

        mpk_value_string(object, names[tag], bytes);
    }

    return in->failed ? MPK_MALFORMED : MPK_OK;
}


/* Empty without memory, of which the object's own then knows. */

static mpk_str_t
mpk_journal_time(mpk_mem_t *mem, int64_t seconds)
{
    uint8_t  *p;

    p = mpk_alloc(mem, MPK_TIME_LEN);
    if (p == NULL) {
        return mpk_string("");
    }

    mpk_time_format(seconds, p);

    return (mpk_str_t) { MPK_TIME_LEN, p };
}


static mpk_status_t
mpk_journal_read_personal(mpk_str_t personal, mpk_value_t *object)
{
    uint64_t               tag;
    mpk_str_t              value;
    mpk_value_t           *consent;
    mpk_unpack_t           in;
    const mpk_personal_t  *member;

    mpk_unpack_init(&in, personal);

    consent = NULL;

    while (!mpk_unpack_done(&in)) {
        tag = mpk_unpack_int(&in);
        value = mpk_unpack_str(&in);

        if (in.failed || !mpk_utf8_valid(value.data, value.len)) {
            return MPK_MALFORMED;
        }

        if (tag == 0 || tag > MPK_PERSONAL_MAX) {
            return MPK_NEWER;
        }

        member = &mpk_personal[tag - 1];

        if (member->offset == offsetof(mpk_entry_t, consent)) {
            consent = mpk_value_object(object, member->name);
            mpk_value_string(consent, mpk_string("text"), value);

        } else if (member->offset == offsetof(mpk_entry_t, consent_language)) {
            mpk_value_string(consent, member->name, value);

        } else if (member->offset == offsetof(mpk_entry_t, files)) {
            mpk_journal_read_files(value,
                                   mpk_value_array(object, member->name));

        } else {
            mpk_value_string(object, member->name, value);
        }
    }

    return MPK_OK;
}


/* A line that mpk_journal_file() did not write is shown as a name alone. */

static void
mpk_journal_read_files(mpk_str_t files, mpk_value_t *list)
{
    size_t         len, hash;
    mpk_str_t      name;
    mpk_value_t   *file;
    const uint8_t  *end;

    while (files.len) {
        end = memchr(files.data, '\n', files.len);
        len = end ? (size_t) (end - files.data) : files.len;
        hash = len >= MPK_FILE_NAME ? MPK_FILE_NAME - 2 : 0;

        name = (mpk_str_t) { len, files.data };

        if (hash) {
            name.data += MPK_FILE_NAME;
            name.len -= MPK_FILE_NAME;
        }

        file = mpk_value_object(list, mpk_string(""));

        mpk_value_string(file, mpk_string("name"), name);
        mpk_value_string(file, mpk_string("sha256"),
                         (mpk_str_t) { hash, files.data });

        len += end != NULL;
        files.data += len;
        files.len -= len;
    }
}


mpk_str_t
mpk_verdict_name(mpk_verdict_t verdict)
{
    static const mpk_str_t  names[] = {
        [MPK_INTACT] = mpk_literal("intact"),
        [MPK_ALTERED] = mpk_literal("altered"),
        [MPK_MISSING_ENTRY] = mpk_literal("missing"),
        [MPK_UNVERIFIABLE] = mpk_literal("unverifiable"),
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
mpk_chain_next(mpk_chain_t *chain, mpk_crypto_t *crypto, mpk_mem_t *mem,
    mpk_str_t value)
{
    uint8_t           mac[MPK_MAC_LEN];
    mpk_record_t      record;
    mpk_status_t      status;
    const mpk_key_t  *key;

    chain->number++;

    if (value.data == NULL) {
        mpk_chain_fault(chain, MPK_MISSING_ENTRY, chain->number);
        chain->broken = true;
        return MPK_OK;
    }

    if (mpk_journal_parse(value, &record) != MPK_OK) {
        mpk_chain_fault(chain, MPK_ALTERED, chain->number);
        chain->broken = true;
        return MPK_OK;
    }

    key = mpk_keyring_find(mpk_crypto_keyring(crypto), MPK_USE_JOURNAL,
                           record.kid);

    if (key == NULL) {
        if (chain->kid.len == 0
            && mpk_dup(mem, record.kid, &chain->kid) != MPK_OK)
        {
            return MPK_NOMEM;
        }

        mpk_chain_fault(chain, MPK_UNVERIFIABLE, chain->number);

    } else if (!chain->broken) {
        status = mpk_journal_mac(crypto, key, chain->mac, chain->order,
                                 chain->number, record.rest, mac);
        if (status != MPK_OK) {
            return status;
        }

        if (!mpk_secret_eq((mpk_str_t) { MPK_MAC_LEN, mac }, record.mac)) {
            mpk_chain_fault(chain, MPK_ALTERED, chain->number);
        }
    }

    /* after a missing entry, whose MAC is unknown, the chain restarts from this one */

    memcpy(chain->mac, record.mac.data, MPK_MAC_LEN);
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
    uint64_t anchor_number, uint64_t number, mpk_str_t value)
{
    uint8_t       text[MPK_MAC_TEXT_LEN];
    mpk_record_t  record;

    if (number != anchor_number || value.data == NULL) {
        return;
    }

    if (mpk_journal_parse(value, &record) == MPK_OK) {
        mpk_base64url_encode(text, record.mac.data, MPK_MAC_LEN);

        if (mpk_secret_eq((mpk_str_t) { MPK_MAC_TEXT_LEN, text }, anchor_mac)) {
            return;
        }
    }

    mpk_chain_fault(chain, MPK_ALTERED, number);
}


/* The verdict is the fault at the lowest entry; any other outranks "unverifiable". */

static void
mpk_chain_fault(mpk_chain_t *chain, mpk_verdict_t verdict, uint64_t number)
{
    if (chain->verdict == MPK_INTACT
        || (chain->verdict == MPK_UNVERIFIABLE && verdict != MPK_UNVERIFIABLE)
        || (number < chain->fault && verdict != MPK_UNVERIFIABLE))
    {
        chain->verdict = verdict;
        chain->fault = number;
    }
}
