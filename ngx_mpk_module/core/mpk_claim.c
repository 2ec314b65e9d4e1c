/* Claims as stored in an order's field c, and the names of their states and reasons. */

#include "mpk_claim.h"

#define MPK_CLAIM_VERSION  1


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


bool
mpk_claim_undecided(const mpk_claim_t *claim)
{
    return claim->state == MPK_CLAIM_OPEN
           || claim->state == MPK_CLAIM_NEEDS_INFO;
}


mpk_status_t
mpk_claims_read(mpk_mem_t *mem, mpk_str_t value, size_t items_max,
    mpk_claim_t **claims, size_t *count)
{
    size_t         i;
    mpk_str_t      id;
    mpk_claim_t   *claim;
    mpk_unpack_t   in;

    *claims = NULL;
    *count = 0;

    if (value.data == NULL) {
        return MPK_OK;
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

    return mpk_unpack_done(&in) ? MPK_OK : MPK_MALFORMED;
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
}


void
mpk_detail_write(const mpk_detail_t *detail, mpk_buf_t *out)
{
    mpk_pack_str(out, detail->name);
    mpk_pack_str(out, detail->description);
    mpk_pack_str(out, detail->note);
}


mpk_status_t
mpk_detail_read(mpk_str_t value, mpk_detail_t *detail)
{
    mpk_unpack_t  in;

    mpk_unpack_init(&in, value);

    detail->name = mpk_unpack_str(&in);
    detail->description = mpk_unpack_str(&in);
    detail->note = mpk_unpack_str(&in);

    return mpk_unpack_done(&in) ? MPK_OK : MPK_MALFORMED;
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


bool
mpk_category_find(mpk_str_t name, mpk_category_t *category)
{
    size_t  i;

    for (i = 0; i < MPK_CATEGORY_MAX; i++) {
        if (mpk_str_eq(mpk_categories[i], name)) {
            *category = (mpk_category_t) i;
            return true;
        }
    }

    return false;
}


bool
mpk_reason_find(mpk_str_t name, mpk_reason_t *reason)
{
    size_t  i;

    for (i = MPK_REASON_NONE + 1; i < MPK_REASON_MAX; i++) {
        if (mpk_str_eq(mpk_reasons[i], name)) {
            *reason = (mpk_reason_t) i;
            return true;
        }
    }

    return false;
}
