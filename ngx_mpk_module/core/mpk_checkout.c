/* What the customer accepted at the checkout: validation, encoding, JSON. */

#include "mpk_checkout.h"
#include "mpk_fit.h"
#include "mpk_ip.h"
#include "mpk_members.h"
#include "mpk_time.h"

#define MPK_CHECKOUT_TIME_MAX  40    /* bytes of a time */

/* Tags of the encoding; they never change. */
enum {
    MPK_CHECKOUT_TERMS = 1,
    MPK_CHECKOUT_CONSENTS
};


/* The string members of both, as received. */
typedef struct {
    mpk_str_t      version;
    mpk_str_t      url;
    mpk_str_t      at;
    mpk_str_t      ip;
    mpk_str_t      sha256;
    mpk_str_t      confirmed_at;
} mpk_checkout_text_t;

typedef struct {
    mpk_mem_t     *mem;
    mpk_value_t  **errors;
    mpk_str_t      object;           /* "terms" or "consents" */
    int64_t        latest;
    bool           wrong;
} mpk_checkout_reader_t;


static const mpk_value_t *mpk_checkout_object(mpk_checkout_reader_t *reader,
    const mpk_value_t *body, mpk_str_t name, const mpk_members_t *members,
    mpk_checkout_text_t *text);
static int64_t mpk_checkout_time(mpk_checkout_reader_t *reader,
    mpk_str_t member, mpk_str_t text);
static void mpk_checkout_ip(mpk_checkout_reader_t *reader, mpk_str_t text);
static mpk_str_t mpk_checkout_sha256(mpk_checkout_reader_t *reader,
    mpk_str_t member, mpk_str_t text);
static bool mpk_checkout_yes(const mpk_value_t *object, mpk_str_t name);
static void mpk_checkout_wrong(mpk_checkout_reader_t *reader,
    mpk_str_t member, mpk_str_t detail);
static int64_t mpk_checkout_unpack_time(mpk_unpack_t *in);
static void mpk_checkout_show_time(mpk_mem_t *mem, mpk_value_t *facts,
    mpk_str_t name, int64_t seconds);


#define mpk_checkout_member(name, max, presence, field)                      \
    { mpk_literal(name), MPK_VALUE_STRING, presence, max,                    \
      offsetof(mpk_checkout_text_t, field) }

static const mpk_member_t  mpk_checkout_terms_list[] = {
    mpk_checkout_member("version", MPK_VERSION_MAX, MPK_REQUIRED, version),
    mpk_checkout_member("url", MPK_URL_MAX, MPK_REQUIRED, url),
    mpk_checkout_member("accepted_at", MPK_CHECKOUT_TIME_MAX, MPK_REQUIRED, at),
    mpk_checkout_member("ip", MPK_IP_TEXT_MAX, MPK_REQUIRED, ip),
    mpk_checkout_member("sha256", MPK_SHA256_TEXT, MPK_FILLED, sha256),
};

static const mpk_member_t  mpk_checkout_consents_list[] = {
    { mpk_literal("supply"), MPK_VALUE_BOOL, MPK_REQUIRED, 0, 0 },
    { mpk_literal("waiver"), MPK_VALUE_BOOL, MPK_REQUIRED, 0, 0 },
    mpk_checkout_member("at", MPK_CHECKOUT_TIME_MAX, MPK_REQUIRED, at),
    mpk_checkout_member("ip", MPK_IP_TEXT_MAX, MPK_REQUIRED, ip),
    mpk_checkout_member("text_sha256", MPK_SHA256_TEXT, MPK_REQUIRED, sha256),
    mpk_checkout_member("confirmed_at", MPK_CHECKOUT_TIME_MAX, MPK_FILLED,
                        confirmed_at),
};

static const mpk_members_t  mpk_checkout_terms =
    mpk_members(mpk_checkout_terms_list);
static const mpk_members_t  mpk_checkout_consents =
    mpk_members(mpk_checkout_consents_list);


bool
mpk_checkout_file(mpk_mem_t *mem, const mpk_value_t *body, int64_t latest,
    mpk_checkout_t *checkout, mpk_value_t **errors)
{
    mpk_terms_t            *terms;
    mpk_consents_t         *consents;
    mpk_checkout_text_t     text;
    const mpk_value_t      *object;
    mpk_checkout_reader_t   reader;

    memset(checkout, 0, sizeof(mpk_checkout_t));

    reader = (mpk_checkout_reader_t) { mem, errors, { 0, NULL }, latest, false };
    terms = &checkout->terms;
    consents = &checkout->consents;

    object = mpk_checkout_object(&reader, body, mpk_string("terms"),
                                 &mpk_checkout_terms, &text);
    if (object) {
        terms->version = text.version;
        terms->url = text.url;
        terms->accepted_at = mpk_checkout_time(&reader,
                                               mpk_string("accepted_at"),
                                               text.at);
        terms->ip = text.ip;
        terms->sha256 = mpk_checkout_sha256(&reader, mpk_string("sha256"),
                                            text.sha256);

        mpk_checkout_ip(&reader, text.ip);

        if (text.url.len && !mpk_url_valid(text.url)) {
            mpk_checkout_wrong(&reader, mpk_string("url"),
                               mpk_string("must be a URL that begins with "
                                          "https:// or http://"));
        }
    }

    object = mpk_checkout_object(&reader, body, mpk_string("consents"),
                                 &mpk_checkout_consents, &text);
    if (object) {
        consents->supply = mpk_checkout_yes(object, mpk_string("supply"));
        consents->waiver = mpk_checkout_yes(object, mpk_string("waiver"));
        consents->at = mpk_checkout_time(&reader, mpk_string("at"), text.at);
        consents->ip = text.ip;
        consents->text_sha256 = mpk_checkout_sha256(&reader,
                                                    mpk_string("text_sha256"),
                                                    text.sha256);
        consents->confirmed_at = mpk_checkout_time(&reader,
                                                   mpk_string("confirmed_at"),
                                                   text.confirmed_at);

        mpk_checkout_ip(&reader, text.ip);

        if (consents->confirmed_at && consents->confirmed_at < consents->at) {
            mpk_checkout_wrong(&reader, mpk_string("confirmed_at"),
                               mpk_string("must not be before \"at\""));
        }
    }

    return !reader.wrong;
}


/* Reads the strings of this member, an object, into text; NULL: it is missing or not an object. */

static const mpk_value_t *
mpk_checkout_object(mpk_checkout_reader_t *reader, const mpk_value_t *body,
    mpk_str_t name, const mpk_members_t *members, mpk_checkout_text_t *text)
{
    const mpk_value_t  *object;

    memset(text, 0, sizeof(mpk_checkout_text_t));

    reader->object = name;
    object = mpk_value_get(body, name);

    if (object == NULL || object->type != MPK_VALUE_OBJECT) {
        return NULL;
    }

    if (!mpk_members_read(reader->mem, object, members, name, MPK_NO_INDEX,
                          text, reader->errors))
    {
        reader->wrong = true;
    }

    return object;
}


/* an order stores "no time" as 0, and so do many shops */

static int64_t
mpk_checkout_time(mpk_checkout_reader_t *reader, mpk_str_t member,
    mpk_str_t text)
{
    int64_t  seconds;

    if (text.len == 0) {
        return 0;
    }

    if (mpk_time_read(text, &seconds) != MPK_OK || seconds == 0) {
        mpk_checkout_wrong(reader, member,
                           mpk_string("must be an RFC 3339 time after "
                                      "1970-01-01T00:00:00Z, e.g. "
                                      "2026-11-23T08:15:30Z"));
        return 0;
    }

    if (seconds > reader->latest) {
        mpk_checkout_wrong(reader, member, mpk_string("is in the future"));
    }

    return seconds;
}


static void
mpk_checkout_ip(mpk_checkout_reader_t *reader, mpk_str_t text)
{
    if (text.len && !mpk_ip_valid(text)) {
        mpk_checkout_wrong(reader, mpk_string("ip"),
                           mpk_string("must be one IPv4 or IPv6 address"));
    }
}


static mpk_str_t
mpk_checkout_sha256(mpk_checkout_reader_t *reader, mpk_str_t member,
    mpk_str_t text)
{
    mpk_str_t  hash;

    hash = mpk_string("");

    if (text.len && !mpk_sha256_read(reader->mem, text, &hash)) {
        mpk_checkout_wrong(reader, member,
                           mpk_string("must be 64 hexadecimal digits"));
    }

    return hash;
}


static bool
mpk_checkout_yes(const mpk_value_t *object, mpk_str_t name)
{
    const mpk_value_t  *value;

    value = mpk_value_get(object, name);

    return value && value->type == MPK_VALUE_BOOL && value->u.boolean;
}


static void
mpk_checkout_wrong(mpk_checkout_reader_t *reader, mpk_str_t member,
    mpk_str_t detail)
{
    reader->wrong = true;

    mpk_errors_add(reader->mem, reader->errors,
                   mpk_errors_pointer(reader->mem, reader->object,
                                      MPK_NO_INDEX, member),
                   detail);
}


bool
mpk_checkout_consented(const mpk_checkout_t *checkout)
{
    return checkout->consents.supply && checkout->consents.waiver;
}


void
mpk_checkout_write(const mpk_checkout_t *checkout, mpk_buf_t *out)
{
    const mpk_terms_t     *terms;
    const mpk_consents_t  *consents;

    terms = &checkout->terms;
    consents = &checkout->consents;

    if (terms->version.len) {
        mpk_pack_int(out, MPK_CHECKOUT_TERMS);
        mpk_pack_str(out, terms->version);
        mpk_pack_str(out, terms->url);
        mpk_pack_int(out, (uint64_t) terms->accepted_at);
        mpk_pack_str(out, terms->ip);
        mpk_pack_str(out, terms->sha256);
    }

    if (consents->at) {
        mpk_pack_int(out, MPK_CHECKOUT_CONSENTS);
        mpk_pack_int(out, consents->supply | (uint64_t) consents->waiver << 1);
        mpk_pack_int(out, (uint64_t) consents->at);
        mpk_pack_str(out, consents->ip);
        mpk_pack_str(out, consents->text_sha256);
        mpk_pack_int(out, (uint64_t) consents->confirmed_at);
    }
}


mpk_status_t
mpk_checkout_read(mpk_str_t value, mpk_checkout_t *checkout)
{
    uint64_t         tag, last, given;
    mpk_terms_t     *terms;
    mpk_unpack_t     in;
    mpk_consents_t  *consents;

    terms = &checkout->terms;
    consents = &checkout->consents;

    memset(terms, 0, sizeof(mpk_terms_t));
    memset(consents, 0, sizeof(mpk_consents_t));

    mpk_unpack_init(&in, value);

    for (last = 0; !mpk_unpack_done(&in); last = tag) {

        tag = mpk_unpack_upto(&in, MPK_CHECKOUT_CONSENTS);

        if (in.failed || tag <= last) {
            return MPK_MALFORMED;
        }

        if (tag == MPK_CHECKOUT_TERMS) {
            terms->version = mpk_unpack_str(&in);
            terms->url = mpk_unpack_str(&in);
            terms->accepted_at = mpk_checkout_unpack_time(&in);
            terms->ip = mpk_unpack_str(&in);
            terms->sha256 = mpk_unpack_str(&in);

            if (terms->version.len == 0) {
                return MPK_MALFORMED;
            }

            continue;
        }

        given = mpk_unpack_upto(&in, 3);
        consents->supply = (given & 1) != 0;
        consents->waiver = (given & 2) != 0;
        consents->at = mpk_checkout_unpack_time(&in);
        consents->ip = mpk_unpack_str(&in);
        consents->text_sha256 = mpk_unpack_str(&in);
        consents->confirmed_at = mpk_checkout_unpack_time(&in);

        if (consents->at == 0) {
            return MPK_MALFORMED;
        }
    }

    return MPK_OK;
}


static int64_t
mpk_checkout_unpack_time(mpk_unpack_t *in)
{
    return (int64_t) mpk_unpack_upto(in, INT64_MAX);
}


void
mpk_checkout_show(mpk_mem_t *mem, const mpk_checkout_t *checkout,
    mpk_value_t *facts)
{
    mpk_value_t           *object;
    const mpk_terms_t     *terms;
    const mpk_consents_t  *consents;

    terms = &checkout->terms;
    consents = &checkout->consents;

    if (checkout->business) {
        mpk_value_string(facts, mpk_string("buyer"), mpk_string("business"));
    }

    if (terms->version.len) {
        object = mpk_value_object(facts, mpk_string("terms"));

        mpk_value_string(object, mpk_string("version"), terms->version);
        mpk_value_string(object, mpk_string("url"), terms->url);
        mpk_checkout_show_time(mem, object, mpk_string("accepted_at"),
                               terms->accepted_at);
        mpk_value_string(object, mpk_string("ip"), terms->ip);

        if (terms->sha256.len) {
            mpk_value_string(object, mpk_string("sha256"), terms->sha256);
        }
    }

    if (consents->at) {
        object = mpk_value_object(facts, mpk_string("consents"));

        mpk_value_bool(object, mpk_string("supply"), consents->supply);
        mpk_value_bool(object, mpk_string("waiver"), consents->waiver);
        mpk_checkout_show_time(mem, object, mpk_string("at"), consents->at);
        mpk_value_string(object, mpk_string("ip"), consents->ip);
        mpk_value_string(object, mpk_string("text_sha256"),
                         consents->text_sha256);
        mpk_checkout_show_time(mem, object, mpk_string("confirmed_at"),
                               consents->confirmed_at);
    }
}


static void
mpk_checkout_show_time(mpk_mem_t *mem, mpk_value_t *facts, mpk_str_t name,
    int64_t seconds)
{
    uint8_t  *text;

    if (seconds == 0) {
        return;
    }

    text = mpk_alloc(mem, MPK_TIME_LEN);
    if (text) {
        mpk_time_format(seconds, text);
        mpk_value_string(facts, name, (mpk_str_t) { MPK_TIME_LEN, text });
    }
}
