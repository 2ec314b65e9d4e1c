/* Filing an order: validation, hashes, sealing. */

#include "mpk_email.h"
#include "mpk_filing.h"
#include "mpk_ip.h"
#include "mpk_lookup.h"
#include "mpk_members.h"
#include "mpk_pack.h"
#include "mpk_time.h"

#define MPK_FILING_LOCALE_MAX  35    /* RFC 5646, 4.4.1 */
#define MPK_FILING_TIME_MAX    40


/* The string members of an order, as received. */
typedef struct {
    mpk_str_t               id;
    mpk_person_t            person;
    mpk_str_t               locale;
    mpk_str_t               purchased_at;
    mpk_str_t               delivered_at;
    mpk_str_t               first_viewed_at;
    mpk_str_t               state;
    mpk_str_t               buyer;
} mpk_filing_text_t;

typedef struct {
    mpk_mem_t     *mem;
    mpk_value_t  **errors;
    bool           wrong;           /* also if there was no memory for errors */
} mpk_filing_reader_t;


static mpk_status_t mpk_filing_items(mpk_filing_reader_t *reader,
    const mpk_value_t *body, mpk_filing_t *filing);
static size_t mpk_filing_fit(mpk_filing_reader_t *reader, size_t index,
    const mpk_str_t *fit);
static void mpk_filing_past(mpk_filing_reader_t *reader,
    const mpk_value_t *body, const mpk_filing_text_t *text, int64_t now,
    mpk_filing_t *filing);
static void mpk_filing_past_time(mpk_filing_reader_t *reader,
    mpk_str_t pointer, mpk_str_t text, int64_t now,
    const mpk_filing_t *filing, int64_t *at);
static void mpk_filing_wrong(mpk_filing_reader_t *reader, mpk_str_t pointer,
    mpk_str_t detail);
static mpk_status_t mpk_filing_dup_fit(mpk_mem_t *mem, const mpk_str_t *fit,
    mpk_str_t **out);
static mpk_status_t mpk_filing_hash(mpk_crypto_t *crypto, mpk_mem_t *mem,
    mpk_mem_t *scratch, const mpk_filing_t *filing, mpk_order_t *order,
    uint8_t index[MPK_MAC_LEN]);
static mpk_status_t mpk_filing_content(const mpk_filing_t *filing,
    mpk_buf_t *out);
static mpk_status_t mpk_filing_seal_one(mpk_crypto_t *crypto,
    mpk_mem_t *mem, const mpk_data_key_t *key, const mpk_place_t *place,
    mpk_str_t plain, mpk_str_t *sealed);


#define mpk_filing_member(name, max, presence, type, field)                  \
    { mpk_literal(name), MPK_VALUE_STRING, presence, max,                    \
      offsetof(type, field) }

/* The first one is skipped when the id is known already. */

static const mpk_member_t  mpk_filing_order[] = {
    mpk_filing_member("order", MPK_FILING_TEXT_MAX, MPK_REQUIRED,
                      mpk_filing_text_t, id),
    mpk_filing_member("email", MPK_EMAIL_MAX, MPK_REQUIRED,
                      mpk_filing_text_t, person.email),
    mpk_filing_member("account", MPK_FILING_TEXT_MAX, MPK_OPTIONAL,
                      mpk_filing_text_t, person.account),
    mpk_filing_member("customer_name", MPK_FILING_TEXT_MAX, MPK_OPTIONAL,
                      mpk_filing_text_t, person.name),
    mpk_filing_member("purchase_ip", MPK_IP_TEXT_MAX, MPK_OPTIONAL,
                      mpk_filing_text_t, person.purchase_ip),
    mpk_filing_member("device_id", MPK_FILING_TEXT_MAX, MPK_OPTIONAL,
                      mpk_filing_text_t, person.device_id),
    mpk_filing_member("locale", MPK_FILING_LOCALE_MAX, MPK_OPTIONAL,
                      mpk_filing_text_t, locale),
    mpk_filing_member("purchased_at", MPK_FILING_TIME_MAX, MPK_REQUIRED,
                      mpk_filing_text_t, purchased_at),
    mpk_filing_member("state", sizeof("cancelled") - 1, MPK_FILLED,
                      mpk_filing_text_t, state),
    mpk_filing_member("delivered_at", MPK_FILING_TIME_MAX, MPK_FILLED,
                      mpk_filing_text_t, delivered_at),
    mpk_filing_member("first_viewed_at", MPK_FILING_TIME_MAX, MPK_FILLED,
                      mpk_filing_text_t, first_viewed_at),
    mpk_filing_member("buyer", sizeof("consumer") - 1, MPK_FILLED,
                      mpk_filing_text_t, buyer),
    { mpk_literal("terms"), MPK_VALUE_OBJECT, MPK_OPTIONAL, 0, 0 },
    { mpk_literal("consents"), MPK_VALUE_OBJECT, MPK_OPTIONAL, 0, 0 },
    { mpk_literal("imported"), MPK_VALUE_BOOL, MPK_OPTIONAL, 0, 0 },
    { mpk_literal("items"), MPK_VALUE_NULL, MPK_OPTIONAL, 0, 0 },
};

static const mpk_member_t  mpk_filing_item[] = {
    mpk_filing_member("sku", MPK_FILING_TEXT_MAX, MPK_REQUIRED,
                      mpk_filing_item_t, sku),
    mpk_filing_member("product", MPK_FILING_TEXT_MAX, MPK_REQUIRED,
                      mpk_filing_item_t, product),
    mpk_filing_member("key", MPK_KEY_MAX, MPK_REQUIRED, mpk_filing_item_t, key),
    mpk_filing_member("platform", MPK_FILING_TEXT_MAX, MPK_OPTIONAL,
                      mpk_filing_item_t, fit[MPK_FIT_PLATFORM]),
    mpk_filing_member("edition", MPK_FILING_TEXT_MAX, MPK_OPTIONAL,
                      mpk_filing_item_t, fit[MPK_FIT_EDITION]),
    mpk_filing_member("requires", MPK_FILING_TEXT_MAX, MPK_OPTIONAL,
                      mpk_filing_item_t, fit[MPK_FIT_REQUIRES]),
    mpk_filing_member("activation_url", MPK_URL_MAX, MPK_OPTIONAL,
                      mpk_filing_item_t, fit[MPK_FIT_ACTIVATION_URL]),
    mpk_filing_member("support_url", MPK_URL_MAX, MPK_OPTIONAL,
                      mpk_filing_item_t, fit[MPK_FIT_SUPPORT_URL]),
};

mpk_assert_rows(mpk_filing_item, MPK_FILING_ITEM_MEMBERS);

static const mpk_members_t  mpk_filing_of_order =
    mpk_members(mpk_filing_order);
static const mpk_members_t  mpk_filing_of_item =
    mpk_members(mpk_filing_item);


mpk_status_t
mpk_filing_read(mpk_mem_t *mem, const mpk_value_t *body, mpk_str_t id,
    const mpk_filing_times_t *times, mpk_filing_t *filing,
    mpk_value_t **errors)
{
    mpk_email_t          email;
    mpk_status_t         status;
    mpk_members_t        members;
    mpk_filing_text_t    text;
    mpk_filing_reader_t  reader;

    memset(filing, 0, sizeof(mpk_filing_t));
    memset(&text, 0, sizeof(mpk_filing_text_t));

    *errors = NULL;
    reader = (mpk_filing_reader_t) { mem, errors, false };

    if (body->type != MPK_VALUE_OBJECT) {
        mpk_filing_wrong(&reader, mpk_string(""),
                         mpk_string("must be an object"));
        return *errors ? MPK_OK : MPK_NOMEM;
    }

    members = mpk_filing_of_order;

    if (id.len) {
        members.list++;
        members.count--;
    }

    reader.wrong = !mpk_members_read(mem, body, &members, mpk_string(""), 0,
                                     &text, errors);

    filing->id = id.len ? id : text.id;
    filing->person = text.person;
    filing->locale = text.locale;

    /* 0 is no time, in an order as in many a shop */

    if (text.purchased_at.len
        && (mpk_time_read(text.purchased_at, &filing->purchased_at) != MPK_OK
            || filing->purchased_at == 0))
    {
        mpk_filing_wrong(&reader, mpk_string("/purchased_at"),
                         mpk_string("must be an RFC 3339 time after "
                                    "1970-01-01T00:00:00Z, e.g. "
                                    "2026-11-23T08:15:30Z"));
    }

    if (filing->purchased_at > times->latest) {
        mpk_filing_wrong(&reader, mpk_string("/purchased_at"),
                         mpk_string("is in the future"));
    }

    if (text.person.purchase_ip.len && !mpk_ip_valid(text.person.purchase_ip)) {
        mpk_filing_wrong(&reader, mpk_string("/purchase_ip"),
                         mpk_string("must be one IPv4 or IPv6 address"));
    }

    filing->state = MPK_ORDER_HELD;

    if (mpk_str_eq(text.state, mpk_string("ready"))) {
        filing->state = MPK_ORDER_READY;

    } else if (text.state.len && !mpk_str_eq(text.state, mpk_string("held"))) {
        mpk_filing_wrong(&reader, mpk_string("/state"),
                         mpk_string("must be \"held\" or \"ready\""));
    }

    if (!mpk_checkout_file(mem, body, times->latest, &filing->checkout,
                           errors))
    {
        reader.wrong = true;
    }

    filing->checkout.business = mpk_str_eq(text.buyer, mpk_string("business"));

    if (text.buyer.len && !filing->checkout.business
        && !mpk_str_eq(text.buyer, mpk_string("consumer")))
    {
        mpk_filing_wrong(&reader, mpk_string("/buyer"),
                         mpk_string("must be \"consumer\" or \"business\""));
    }

    mpk_filing_past(&reader, body, &text, times->now, filing);

    status = mpk_filing_items(&reader, body, filing);
    if (status != MPK_OK) {
        return status;
    }

    if (id.len == 0 && text.id.len && !mpk_order_id_valid(text.id)) {
        mpk_filing_wrong(&reader, mpk_string("/order"),
                         mpk_string("must be 1 to 64 of the characters A-Z, "
                                    "a-z, 0-9, \".\", \"_\" and \"-\", and "
                                    "not \".\" or \"..\""));
    }

    /* these need members that are valid */

    if (!reader.wrong && times->expired
        && filing->purchased_at <= times->expired) {
        mpk_filing_wrong(&reader, mpk_string("/purchased_at"),
                         mpk_string("is longer ago than orders are kept "
                                    "(mpk_retention)"));
    }

    if (!reader.wrong) {
        status = mpk_email_read(filing->person.email, &email);

        if (status == MPK_NOMEM) {
            return status;
        }

        if (status != MPK_OK) {
            mpk_filing_wrong(&reader, mpk_string("/email"),
                             mpk_string("must be one email address and "
                                        "nothing else, e.g. "
                                        "ann@example.com"));
        }
    }

    return reader.wrong && *errors == NULL ? MPK_NOMEM : MPK_OK;
}


static mpk_status_t
mpk_filing_items(mpk_filing_reader_t *reader, const mpk_value_t *body,
    mpk_filing_t *filing)
{
    size_t              i, bytes, fits;
    mpk_str_t           array;
    const mpk_value_t  *items, *value;

    array = mpk_string("items");
    items = mpk_value_get(body, array);

    if (items == NULL || items->type != MPK_VALUE_ARRAY
        || items->u.list.count == 0 || items->u.list.count > MPK_ITEMS_MAX)
    {
        mpk_filing_wrong(reader, mpk_string("/items"),
                         mpk_string("must be an array of 1 to 500 items"));
        return MPK_OK;
    }

    filing->items_count = items->u.list.count;
    filing->items = mpk_calloc(reader->mem,
                               filing->items_count
                               * sizeof(mpk_filing_item_t));
    if (filing->items == NULL) {
        return MPK_NOMEM;
    }

    bytes = 0;
    fits = 0;

    for (value = items->u.list.first, i = 0; value; value = value->next, i++) {

        if (value->type != MPK_VALUE_OBJECT) {
            mpk_filing_wrong(reader,
                             mpk_errors_pointer(reader->mem, array, i,
                                                (mpk_str_t) { 0, NULL }),
                             mpk_string("must be an object"));
            continue;
        }

        if (!mpk_members_read(reader->mem, value, &mpk_filing_of_item, array,
                              i, &filing->items[i], reader->errors))
        {
            reader->wrong = true;
        }

        bytes += filing->items[i].key.len;
        fits += mpk_filing_fit(reader, i, filing->items[i].fit);
    }

    if (bytes > MPK_KEYS_BYTES_MAX) {
        mpk_filing_wrong(reader, mpk_string("/items"),
                         mpk_string("the product keys are over 256 KB in "
                                    "all"));
    }

    if (fits > MPK_FITS_BYTES_MAX) {
        mpk_filing_wrong(reader, mpk_string("/items"),
                         mpk_string("what the items fit is over 256 KB in "
                                    "all"));
    }

    return MPK_OK;
}


/* Checks the URLs of item index; returns the bytes of all that it fits. */

static size_t
mpk_filing_fit(mpk_filing_reader_t *reader, size_t index, const mpk_str_t *fit)
{
    size_t    bytes;
    unsigned  i;

    for (i = 0, bytes = 0; i < MPK_FIT_MAX; i++) {
        bytes += fit[i].len;

        if ((i == MPK_FIT_ACTIVATION_URL || i == MPK_FIT_SUPPORT_URL)
            && fit[i].len && !mpk_url_valid(fit[i]))
        {
            mpk_filing_wrong(reader,
                             mpk_errors_pointer(reader->mem,
                                                mpk_string("items"), index,
                                                mpk_fit_name(i)),
                             mpk_string("must be a URL that begins with "
                                        "https:// or http://"));
        }
    }

    return bytes;
}


/* What the shop says of an order of its past. */

static void
mpk_filing_past(mpk_filing_reader_t *reader, const mpk_value_t *body,
    const mpk_filing_text_t *text, int64_t now, mpk_filing_t *filing)
{
    const mpk_value_t  *value;

    value = mpk_value_get(body, mpk_string("imported"));

    filing->imported = value && value->type == MPK_VALUE_BOOL
                       && value->u.boolean;

    mpk_filing_past_time(reader, mpk_string("/delivered_at"),
                         text->delivered_at, now, filing,
                         &filing->delivered_at);
    mpk_filing_past_time(reader, mpk_string("/first_viewed_at"),
                         text->first_viewed_at, now, filing,
                         &filing->first_viewed_at);

    if (filing->first_viewed_at
        && (filing->delivered_at == 0
            || filing->first_viewed_at < filing->delivered_at))
    {
        mpk_filing_wrong(reader, mpk_string("/first_viewed_at"),
                         mpk_string("needs \"delivered_at\", at that time or "
                                    "before it"));
    }

    if (filing->delivered_at && filing->state != MPK_ORDER_READY) {
        mpk_filing_wrong(reader, mpk_string("/state"),
                         mpk_string("must be \"ready\", since the order was "
                                    "delivered"));
    }
}


static void
mpk_filing_past_time(mpk_filing_reader_t *reader, mpk_str_t pointer,
    mpk_str_t text, int64_t now, const mpk_filing_t *filing, int64_t *at)
{
    int64_t  seconds;

    if (text.len == 0) {
        return;
    }

    if (!filing->imported) {
        mpk_filing_wrong(reader, pointer,
                         mpk_string("is only for an order with \"imported\": "
                                    "true"));

    } else if (mpk_time_read(text, &seconds) != MPK_OK) {
        mpk_filing_wrong(reader, pointer,
                         mpk_string("must be an RFC 3339 time, e.g. "
                                    "2026-11-23T08:15:30Z"));

    } else if (seconds < filing->purchased_at || seconds >= now) {
        mpk_filing_wrong(reader, pointer,
                         mpk_string("must be between \"purchased_at\" and "
                                    "now"));

    } else {
        *at = seconds;
    }
}


static void
mpk_filing_wrong(mpk_filing_reader_t *reader, mpk_str_t pointer,
    mpk_str_t detail)
{
    reader->wrong = true;

    mpk_errors_add(reader->mem, reader->errors, pointer, detail);
}


mpk_status_t
mpk_filing_seal(mpk_crypto_t *crypto, mpk_mem_t *mem,
    mpk_mem_t *scratch, const mpk_filing_t *filing, mpk_order_t *order,
    mpk_data_key_t *key, uint8_t index[MPK_MAC_LEN])
{
    size_t                    i;
    mpk_buf_t                 wrapped, person, checkout;
    mpk_item_t               *item;
    mpk_place_t               place;
    mpk_status_t              status;
    const mpk_filing_item_t  *filed;

    memset(order, 0, sizeof(mpk_order_t));

    order->state = filing->state;
    order->purchased_at = filing->purchased_at;
    order->imported = filing->imported;
    order->business = filing->checkout.business;
    order->consents = mpk_checkout_consented(&filing->checkout)
                      ? MPK_CONSENT_SUPPLY : 0;
    order->delivered_at = filing->delivered_at;
    order->first_viewed_at = filing->first_viewed_at;
    order->items_count = filing->items_count;
    order->items = mpk_calloc(mem, filing->items_count * sizeof(mpk_item_t));

    if (order->items == NULL
        || mpk_dup(mem, filing->id, &order->id) != MPK_OK
        || mpk_dup(mem, filing->locale, &order->locale) != MPK_OK)
    {
        return MPK_NOMEM;
    }

    status = mpk_filing_hash(crypto, mem, scratch, filing, order, index);
    if (status != MPK_OK) {
        return status;
    }

    mpk_buf_init(&wrapped, mem, 128);

    status = mpk_envelope_create(crypto, mem, order->id, key, &wrapped);
    if (status != MPK_OK) {
        return status;
    }

    order->data_key = mpk_buf_done(&wrapped);

    mpk_buf_init(&person, scratch, 512);
    mpk_person_write(&filing->person, &person);

    if (person.failed) {
        return MPK_NOMEM;
    }

    place = (mpk_place_t) { order->id, mpk_string("person"), 0, 0 };

    status = mpk_filing_seal_one(crypto, mem, key, &place,
                                 mpk_buf_done(&person), &order->person);
    if (status != MPK_OK) {
        return status;
    }

    mpk_buf_init(&checkout, scratch, 512);
    mpk_checkout_write(&filing->checkout, &checkout);

    if (checkout.failed) {
        return MPK_NOMEM;
    }

    if (checkout.len) {
        place.field = mpk_string("checkout");

        status = mpk_filing_seal_one(crypto, mem, key, &place,
                                     mpk_buf_done(&checkout),
                                     &order->checkout);
        if (status != MPK_OK) {
            return status;
        }
    }

    for (i = 0; i < filing->items_count; i++) {
        filed = &filing->items[i];
        item = &order->items[i];

        if (mpk_dup(mem, filed->sku, &item->sku) != MPK_OK
            || mpk_dup(mem, filed->product, &item->product) != MPK_OK
            || mpk_filing_dup_fit(mem, filed->fit, &item->fit) != MPK_OK)
        {
            return MPK_NOMEM;
        }

        place = (mpk_place_t) { order->id, mpk_string("key"), i + 1, 1 };

        status = mpk_filing_seal_one(crypto, mem, key, &place, filed->key,
                                     &item->key);
        if (status != MPK_OK) {
            return status;
        }
    }

    return MPK_OK;
}


/* Copies what an item fits; *out is NULL where that is nothing. */

static mpk_status_t
mpk_filing_dup_fit(mpk_mem_t *mem, const mpk_str_t *fit, mpk_str_t **out)
{
    unsigned  i;

    *out = NULL;

    for (i = 0; i < MPK_FIT_MAX; i++) {

        if (fit[i].len == 0) {
            continue;
        }

        if (*out == NULL) {
            *out = mpk_calloc(mem, MPK_FIT_MAX * sizeof(mpk_str_t));
        }

        if (*out == NULL || mpk_dup(mem, fit[i], &(*out)[i]) != MPK_OK) {
            return MPK_NOMEM;
        }
    }

    return MPK_OK;
}


static mpk_status_t
mpk_filing_hash(mpk_crypto_t *crypto, mpk_mem_t *mem,
    mpk_mem_t *scratch, const mpk_filing_t *filing, mpk_order_t *order,
    uint8_t index[MPK_MAC_LEN])
{
    uint8_t             *email, *account, *digest;
    mpk_buf_t            content;
    mpk_status_t         status;
    const mpk_person_t  *person;

    person = &filing->person;

    email = mpk_alloc(mem, 3 * MPK_MAC_LEN);
    if (email == NULL) {
        return MPK_NOMEM;
    }

    account = email + MPK_MAC_LEN;
    digest = account + MPK_MAC_LEN;

    status = mpk_lookup_email(crypto, order->id, person->email, email);
    if (status != MPK_OK) {
        return status;
    }

    order->email_hash = (mpk_str_t) { MPK_MAC_LEN, email };

    /* without an account: it is listed under the account named as the email */

    status = mpk_lookup_index(crypto, person->account.len ? person->account
                                                          : person->email,
                              index);
    if (status != MPK_OK) {
        return status;
    }

    if (person->account.len) {
        status = mpk_lookup_account(crypto, order->id, person->account,
                                    account);
        if (status != MPK_OK) {
            return status;
        }

        order->account_hash = (mpk_str_t) { MPK_MAC_LEN, account };
    }

    mpk_buf_init(&content, scratch, 1024);
    content.secret = true;

    status = mpk_filing_content(filing, &content);

    if (status == MPK_OK) {
        status = mpk_lookup_digest(crypto, mpk_buf_done(&content), digest);
    }

    mpk_cleanse(content.data, content.len);

    if (status == MPK_OK) {
        order->digest = (mpk_str_t) { MPK_MAC_LEN, digest };
    }

    return status;
}


/*
 * All that was filed, in an unambiguous encoding: the digest is over it (R10).  Two
 * spellings of an address are the same content.
 */

static mpk_status_t
mpk_filing_content(const mpk_filing_t *filing, mpk_buf_t *out)
{
    size_t                    i, start, empty;
    mpk_email_t               email, account;
    mpk_person_t              person;
    const mpk_filing_item_t  *item;

    person = filing->person;

    if (mpk_email_compared(&person.email, &email) == MPK_NOMEM
        || mpk_email_compared(&person.account, &account) == MPK_NOMEM)
    {
        return MPK_NOMEM;
    }

    mpk_person_write(&person, out);
    mpk_pack_str(out, filing->locale);
    mpk_pack_int(out, (uint64_t) filing->purchased_at);
    mpk_pack_int(out, filing->state);
    mpk_pack_int(out, filing->items_count);

    for (i = 0; i < filing->items_count; i++) {
        item = &filing->items[i];

        mpk_pack_str(out, item->sku);
        mpk_pack_str(out, item->product);
        mpk_pack_str(out, item->key);
    }

    if (filing->imported) {
        mpk_pack_int(out, (uint64_t) filing->delivered_at);
        mpk_pack_int(out, (uint64_t) filing->first_viewed_at);
    }

    /* nothing for items that say nothing, as before there was this; no time is UINT64_MAX */

    start = out->len;
    mpk_pack_int(out, UINT64_MAX);
    empty = out->len;

    for (i = 0; i < filing->items_count; i++) {
        mpk_fit_write(filing->items[i].fit, i + 1, out);
    }

    if (out->len == empty) {
        out->len = start;
    }

    /* leaves the digest unchanged if the shop filed nothing of this */

    start = out->len;
    mpk_pack_int(out, UINT64_MAX - 1);
    mpk_pack_int(out, filing->checkout.business);
    empty = out->len;

    mpk_checkout_write(&filing->checkout, out);

    if (out->len == empty && !filing->checkout.business) {
        out->len = start;
    }

    mpk_cleanse(&email, sizeof(mpk_email_t));
    mpk_cleanse(&account, sizeof(mpk_email_t));

    return out->failed ? MPK_NOMEM : MPK_OK;
}


static mpk_status_t
mpk_filing_seal_one(mpk_crypto_t *crypto, mpk_mem_t *mem,
    const mpk_data_key_t *key, const mpk_place_t *place, mpk_str_t plain,
    mpk_str_t *sealed)
{
    mpk_buf_t     buf;
    mpk_status_t  status;

    mpk_buf_init(&buf, mem, plain.len + MPK_SEAL_OVERHEAD);

    status = mpk_envelope_seal(crypto, mem, key, place, plain, &buf);

    *sealed = mpk_buf_done(&buf);

    return status;
}
