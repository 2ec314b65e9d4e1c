/* Claims as stored in an order's field c, and the names of their states and reasons. */

#include "mpk_claim.h"

#define MPK_CLAIM_VERSION  1

/* Tags of optional members, stored after the claims; their values never change. */
enum {
    MPK_CLAIM_TAG_FINDING = 1,
    MPK_CLAIM_TAG_RECEIVED,
    MPK_CLAIM_TAG_ANSWERED,
    MPK_CLAIM_TAG_UPLOADS,
    MPK_CLAIM_TAG_NOTED
};


static mpk_status_t mpk_claims_read_rare(mpk_unpack_t *in, mpk_claim_t *claims,
    size_t count);
static void mpk_claim_write_rare(const mpk_claim_t *claim, size_t number,
    mpk_buf_t *out);
static void mpk_claim_write_int(size_t number, unsigned tag, uint64_t value,
    mpk_buf_t *out);
static bool mpk_claim_word_find(const mpk_str_t *words, size_t max,
    mpk_str_t name, size_t *found);


static const mpk_str_t  mpk_claim_states[] = {
    [MPK_CLAIM_OPEN] = mpk_literal("open"),
    [MPK_CLAIM_NEEDS_INFO] = mpk_literal("needs_info"),
    [MPK_CLAIM_REPLACED] = mpk_literal("replaced"),
    [MPK_CLAIM_REFUNDED] = mpk_literal("refunded"),
    [MPK_CLAIM_REJECTED] = mpk_literal("rejected"),
};

mpk_assert_rows(mpk_claim_states, MPK_CLAIM_STATE_MAX);

static const mpk_str_t  mpk_categories[] = {
    [MPK_CATEGORY_NOT_ACCEPTED] = mpk_literal("not_accepted"),
    [MPK_CATEGORY_ALREADY_USED] = mpk_literal("already_used"),
    [MPK_CATEGORY_BLOCKED] = mpk_literal("blocked"),
    [MPK_CATEGORY_WRONG_PRODUCT] = mpk_literal("wrong_product"),
    [MPK_CATEGORY_STOPPED] = mpk_literal("stopped"),
    [MPK_CATEGORY_OTHER] = mpk_literal("other"),
};

mpk_assert_rows(mpk_categories, MPK_CATEGORY_MAX);

static const mpk_str_t  mpk_reasons[] = {
    [MPK_REASON_NONE] = mpk_literal(""),
    [MPK_REASON_WRONG_PRODUCT] = mpk_literal("wrong_product"),
    [MPK_REASON_INCOMPATIBLE] = mpk_literal("incompatible"),
    [MPK_REASON_PRODUCT_USE] = mpk_literal("product_use"),
    [MPK_REASON_NOT_DEFECTIVE] = mpk_literal("not_defective"),
    [MPK_REASON_LATE] = mpk_literal("late"),
    [MPK_REASON_OTHER] = mpk_literal("other"),
};

mpk_assert_rows(mpk_reasons, MPK_REASON_MAX);

static const mpk_str_t  mpk_findings[] = {
    [MPK_FINDING_NONE] = mpk_literal(""),
    [MPK_FINDING_DEFECTIVE] = mpk_literal("defective"),
    [MPK_FINDING_NOT_REPRODUCED] = mpk_literal("not_reproduced"),
    [MPK_FINDING_GOODWILL] = mpk_literal("goodwill"),
};

mpk_assert_rows(mpk_findings, MPK_FINDING_MAX);

static const mpk_str_t  mpk_sessions[] = {
    [MPK_SESSION_NONE] = mpk_literal(""),
    [MPK_SESSION_OFFERED] = mpk_literal("offered"),
    [MPK_SESSION_HELD] = mpk_literal("held"),
    [MPK_SESSION_DECLINED] = mpk_literal("declined"),
};

mpk_assert_rows(mpk_sessions, MPK_SESSION_MAX);


bool
mpk_claim_undecided(const mpk_claim_t *claim)
{
    return claim->state == MPK_CLAIM_OPEN
           || claim->state == MPK_CLAIM_NEEDS_INFO;
}


bool
mpk_claim_asked(const mpk_claim_t *claim)
{
    return claim->state == MPK_CLAIM_NEEDS_INFO
           || (claim->state == MPK_CLAIM_OPEN
               && claim->decided_at > claim->answered_at);
}


mpk_status_t
mpk_claims_read(mpk_mem_t *mem, mpk_str_t value, size_t items_max, bool rare,
    mpk_claim_t **claims, size_t *count)
{
    size_t         i;
    mpk_str_t      id;
    mpk_claim_t   *claim;
    mpk_unpack_t   in;

    *claims = NULL;
    *count = 0;

    if (value.data == NULL) {
        return rare ? MPK_MALFORMED : MPK_OK;
    }

    mpk_unpack_init(&in, value);

    if (mpk_unpack_int(&in) != MPK_CLAIM_VERSION) {
        return MPK_MALFORMED;
    }

    *count = mpk_unpack_upto(&in, MPK_CLAIMS_MAX);

    *claims = mpk_calloc(mem, *count * sizeof(mpk_claim_t) + 1);
    if (*claims == NULL) {
        return MPK_NOMEM;
    }

    for (i = 0; i < *count; i++) {
        claim = &(*claims)[i];

        claim->item = (uint16_t) mpk_unpack_upto(&in, items_max);
        claim->generation = mpk_unpack_int(&in);
        claim->state = mpk_unpack_upto(&in, MPK_CLAIM_STATE_MAX - 1);
        claim->category = mpk_unpack_upto(&in, MPK_CATEGORY_MAX - 1);
        claim->reason = mpk_unpack_upto(&in, MPK_REASON_MAX - 1);
        claim->opened_at = (int64_t) mpk_unpack_upto(&in, INT64_MAX);
        claim->decided_at = (int64_t) mpk_unpack_upto(&in, INT64_MAX);
        id = mpk_unpack_bytes(&in, MPK_CLAIM_ID_LEN);
        claim->digest = mpk_unpack_str(&in);
        claim->old_key = mpk_unpack_str(&in);
        claim->detail = mpk_unpack_str(&in);

        if (in.failed || claim->item == 0) {
            return MPK_MALFORMED;
        }

        memcpy(claim->token_id, id.data, MPK_CLAIM_ID_LEN);
    }

    if (rare) {
        return mpk_claims_read_rare(&in, *claims, *count);
    }

    return mpk_unpack_done(&in) ? MPK_OK : MPK_MALFORMED;
}


/* Reads (claim number, tag, value) to the end of the field, in ascending order. */

static mpk_status_t
mpk_claims_read_rare(mpk_unpack_t *in, mpk_claim_t *claims, size_t count)
{
    bool          there;
    uint64_t      n, tag, at, last;
    mpk_claim_t  *claim;

    last = 0;

    do {
        n = mpk_unpack_upto(in, count);
        tag = mpk_unpack_upto(in, UINT32_MAX);

        at = n << 32 | tag;

        if (in->failed || n == 0 || at <= last) {
            return MPK_MALFORMED;
        }

        claim = &claims[n - 1];

        switch (tag) {

        case MPK_CLAIM_TAG_FINDING:
            claim->finding = mpk_unpack_upto(in, MPK_FINDING_MAX - 1);
            there = claim->finding != MPK_FINDING_NONE;
            break;

        case MPK_CLAIM_TAG_RECEIVED:
            claim->received_at = (int64_t) mpk_unpack_upto(in, INT64_MAX);
            there = claim->received_at != 0;
            break;

        case MPK_CLAIM_TAG_ANSWERED:
            claim->answered_at = (int64_t) mpk_unpack_upto(in, INT64_MAX);
            there = claim->answered_at != 0;
            break;

        case MPK_CLAIM_TAG_UPLOADS:
            claim->uploads = mpk_unpack_int(in);
            there = claim->uploads != 0;
            break;

        case MPK_CLAIM_TAG_NOTED:
            claim->noted = mpk_unpack_str(in);
            there = claim->noted.len != 0;
            break;

        default:
            return tag ? MPK_NEWER : MPK_MALFORMED;
        }

        if (!there) {
            return MPK_MALFORMED;
        }

        last = at;

    } while (!mpk_unpack_done(in));

    return MPK_OK;
}


bool
mpk_claims_rare(const mpk_claim_t *claims, size_t count)
{
    size_t  i;

    for (i = 0; i < count; i++) {
        if (claims[i].finding || claims[i].received_at || claims[i].answered_at
            || claims[i].uploads || claims[i].noted.len)
        {
            return true;
        }
    }

    return false;
}


void
mpk_claims_write(const mpk_claim_t *claims, size_t count, mpk_buf_t *out)
{
    size_t              i;
    const mpk_claim_t  *claim;

    mpk_pack_int(out, MPK_CLAIM_VERSION);
    mpk_pack_int(out, count);

    for (i = 0; i < count; i++) {
        claim = &claims[i];

        mpk_pack_int(out, claim->item);
        mpk_pack_int(out, claim->generation);
        mpk_pack_int(out, claim->state);
        mpk_pack_int(out, claim->category);
        mpk_pack_int(out, claim->reason);
        mpk_pack_int(out, (uint64_t) claim->opened_at);
        mpk_pack_int(out, (uint64_t) claim->decided_at);
        mpk_buf_put(out, claim->token_id, MPK_CLAIM_ID_LEN);
        mpk_pack_str(out, claim->digest);
        mpk_pack_str(out, claim->old_key);
        mpk_pack_str(out, claim->detail);
    }

    for (i = 0; i < count; i++) {
        mpk_claim_write_rare(&claims[i], i + 1, out);
    }
}


static void
mpk_claim_write_rare(const mpk_claim_t *claim, size_t number, mpk_buf_t *out)
{
    mpk_claim_write_int(number, MPK_CLAIM_TAG_FINDING, claim->finding, out);
    mpk_claim_write_int(number, MPK_CLAIM_TAG_RECEIVED,
                        (uint64_t) claim->received_at, out);
    mpk_claim_write_int(number, MPK_CLAIM_TAG_ANSWERED,
                        (uint64_t) claim->answered_at, out);
    mpk_claim_write_int(number, MPK_CLAIM_TAG_UPLOADS, claim->uploads, out);

    if (claim->noted.len) {
        mpk_pack_int(out, number);
        mpk_pack_int(out, MPK_CLAIM_TAG_NOTED);
        mpk_pack_str(out, claim->noted);
    }
}


static void
mpk_claim_write_int(size_t number, unsigned tag, uint64_t value,
    mpk_buf_t *out)
{
    if (value) {
        mpk_pack_int(out, number);
        mpk_pack_int(out, tag);
        mpk_pack_int(out, value);
    }
}


/* Trailing empty strings are left out, except the first three. */

#define MPK_DETAIL_LEAST  3

void
mpk_detail_write(const mpk_detail_t *detail, mpk_buf_t *out)
{
    size_t  i, n;

    const mpk_str_t  strings[] = {
        detail->name, detail->description, detail->note,
        detail->finding, detail->exception, detail->answer
    };

    n = sizeof(strings) / sizeof(strings[0]);

    while (n > MPK_DETAIL_LEAST && strings[n - 1].len == 0) {
        n--;
    }

    for (i = 0; i < n; i++) {
        mpk_pack_str(out, strings[i]);
    }
}


mpk_status_t
mpk_detail_read(mpk_str_t value, mpk_detail_t *detail)
{
    size_t        i, n;
    mpk_unpack_t  in;

    mpk_str_t *const  strings[] = {
        &detail->name, &detail->description, &detail->note,
        &detail->finding, &detail->exception, &detail->answer
    };

    mpk_unpack_init(&in, value);

    n = 0;

    for (i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {

        if (i < MPK_DETAIL_LEAST || !mpk_unpack_done(&in)) {
            *strings[i] = mpk_unpack_str(&in);
            n = i;

        } else {
            *strings[i] = mpk_string("");
        }
    }

    return mpk_unpack_done(&in)
           && (n < MPK_DETAIL_LEAST || strings[n]->len) ? MPK_OK
                                                        : MPK_MALFORMED;
}


mpk_str_t
mpk_claim_state_name(mpk_claim_state_t state)
{
    return mpk_claim_states[state];
}


mpk_str_t
mpk_category_name(mpk_category_t category)
{
    return mpk_categories[category];
}


mpk_str_t
mpk_reason_name(mpk_reason_t reason)
{
    return mpk_reasons[reason];
}


mpk_str_t
mpk_finding_name(mpk_finding_t finding)
{
    return mpk_findings[finding];
}


mpk_str_t
mpk_session_name(mpk_session_t session)
{
    return mpk_sessions[session];
}


bool
mpk_category_find(mpk_str_t name, mpk_category_t *category)
{
    size_t  n;

    if (!mpk_claim_word_find(mpk_categories, MPK_CATEGORY_MAX, name, &n)) {
        return false;
    }

    *category = (mpk_category_t) n;

    return true;
}


bool
mpk_reason_find(mpk_str_t name, mpk_reason_t *reason)
{
    size_t  n;

    if (!mpk_claim_word_find(mpk_reasons, MPK_REASON_MAX, name, &n)) {
        return false;
    }

    *reason = (mpk_reason_t) n;

    return true;
}


bool
mpk_finding_find(mpk_str_t name, mpk_finding_t *finding)
{
    size_t  n;

    if (!mpk_claim_word_find(mpk_findings, MPK_FINDING_MAX, name, &n)) {
        return false;
    }

    *finding = (mpk_finding_t) n;

    return true;
}


bool
mpk_session_find(mpk_str_t name, mpk_session_t *session)
{
    size_t  n;

    if (!mpk_claim_word_find(mpk_sessions, MPK_SESSION_MAX, name, &n)) {
        return false;
    }

    *session = (mpk_session_t) n;

    return true;
}


/* An empty name is never found: in some lists it stands for NONE. */

static bool
mpk_claim_word_find(const mpk_str_t *words, size_t max, mpk_str_t name,
    size_t *found)
{
    size_t  i;

    for (i = 0; name.len && i < max; i++) {
        if (mpk_str_eq(words[i], name)) {
            *found = i;
            return true;
        }
    }

    return false;
}
