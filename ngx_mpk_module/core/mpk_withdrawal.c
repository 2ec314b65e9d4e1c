/* Withdrawals as stored in an order's field w, and the names of their states. */

#include "mpk_withdrawal.h"

#define MPK_WITHDRAWAL_VERSION  1
#define MPK_WITHDRAWAL_DAY      86400      /* seconds */


static const uint16_t *mpk_withdrawal_read_items(mpk_mem_t *mem,
    mpk_unpack_t *in, size_t max, size_t *count);
static void mpk_withdrawal_write_items(const uint16_t *items, size_t count,
    mpk_buf_t *out);


static const mpk_str_t  mpk_withdrawal_states[] = {
    [MPK_WITHDRAWAL_OPEN] = mpk_literal("open"),
    [MPK_WITHDRAWAL_GRANTED] = mpk_literal("granted"),
    [MPK_WITHDRAWAL_ACCEPTED] = mpk_literal("accepted"),
    [MPK_WITHDRAWAL_REJECTED] = mpk_literal("rejected"),
};

mpk_assert_rows(mpk_withdrawal_states, MPK_WITHDRAWAL_STATE_MAX);

static const mpk_str_t  mpk_media[] = {
    [MPK_MEDIUM_PAGE] = mpk_literal("page"),
    [MPK_MEDIUM_EMAIL] = mpk_literal("email"),
    [MPK_MEDIUM_LETTER] = mpk_literal("letter"),
    [MPK_MEDIUM_OTHER] = mpk_literal("other"),
};

mpk_assert_rows(mpk_media, MPK_MEDIUM_MAX);

static const mpk_str_t  mpk_whys[] = {
    [MPK_WHY_NONE] = mpk_literal(""),
    [MPK_WHY_CANCELLED] = mpk_literal("cancelled"),
    [MPK_WHY_BUSINESS] = mpk_literal("business"),
    [MPK_WHY_LATE] = mpk_literal("late"),
    [MPK_WHY_VIEWED] = mpk_literal("viewed"),
    [MPK_WHY_REPLACED] = mpk_literal("replaced"),
    [MPK_WHY_SUSPENDED] = mpk_literal("suspended"),
    [MPK_WHY_EARLY] = mpk_literal("early"),
};

mpk_assert_rows(mpk_whys, MPK_WHY_MAX);


mpk_status_t
mpk_withdrawals_read(mpk_mem_t *mem, mpk_str_t value, size_t items_max,
    mpk_withdrawal_t **withdrawals, size_t *count)
{
    size_t             i;
    mpk_str_t          id;
    mpk_unpack_t       in;
    mpk_withdrawal_t  *w;

    *withdrawals = NULL;
    *count = 0;

    if (value.data == NULL) {
        return MPK_OK;
    }

    mpk_unpack_init(&in, value);

    if (mpk_unpack_int(&in) != MPK_WITHDRAWAL_VERSION) {
        return MPK_MALFORMED;
    }

    *count = mpk_unpack_upto(&in, MPK_WITHDRAWALS_MAX);

    *withdrawals = mpk_calloc(mem, *count * sizeof(mpk_withdrawal_t) + 1);
    if (*withdrawals == NULL) {
        return MPK_NOMEM;
    }

    for (i = 0; i < *count; i++) {
        w = &(*withdrawals)[i];

        id = mpk_unpack_bytes(&in, MPK_WITHDRAWAL_ID_LEN);
        w->state = mpk_unpack_upto(&in, MPK_WITHDRAWAL_STATE_MAX - 1);
        w->medium = mpk_unpack_upto(&in, MPK_MEDIUM_MAX - 1);
        w->why = mpk_unpack_upto(&in, MPK_WHY_MAX - 1);
        w->stated_at = (int64_t) mpk_unpack_upto(&in, INT64_MAX);
        w->decided_at = (int64_t) mpk_unpack_upto(&in, INT64_MAX);
        w->granted = mpk_withdrawal_read_items(mem, &in, items_max,
                                               &w->granted_count);
        w->items = mpk_withdrawal_read_items(mem, &in, items_max,
                                             &w->items_count);
        w->digest = mpk_unpack_str(&in);
        w->detail = mpk_unpack_str(&in);

        if (w->granted == NULL || w->items == NULL) {
            return MPK_NOMEM;
        }

        if (in.failed) {
            return MPK_MALFORMED;
        }

        memcpy(w->id, id.data, MPK_WITHDRAWAL_ID_LEN);
    }

    return mpk_unpack_done(&in) ? MPK_OK : MPK_MALFORMED;
}


/* NULL: no memory. */

static const uint16_t *
mpk_withdrawal_read_items(mpk_mem_t *mem, mpk_unpack_t *in, size_t max,
    size_t *count)
{
    size_t     i;
    uint16_t  *items;

    *count = mpk_unpack_upto(in, max);

    items = mpk_calloc(mem, *count * sizeof(uint16_t) + 1);

    for (i = 0; items && i < *count; i++) {
        items[i] = (uint16_t) mpk_unpack_upto(in, max);

        if (items[i] == 0) {
            in->failed = true;
        }
    }

    return items;
}


void
mpk_withdrawals_write(const mpk_withdrawal_t *withdrawals, size_t count,
    mpk_buf_t *out)
{
    size_t                   i;
    const mpk_withdrawal_t  *w;

    mpk_pack_int(out, MPK_WITHDRAWAL_VERSION);
    mpk_pack_int(out, count);

    for (i = 0; i < count; i++) {
        w = &withdrawals[i];

        mpk_buf_put(out, w->id, MPK_WITHDRAWAL_ID_LEN);
        mpk_pack_int(out, w->state);
        mpk_pack_int(out, w->medium);
        mpk_pack_int(out, w->why);
        mpk_pack_int(out, (uint64_t) w->stated_at);
        mpk_pack_int(out, (uint64_t) w->decided_at);
        mpk_withdrawal_write_items(w->granted, w->granted_count, out);
        mpk_withdrawal_write_items(w->items, w->items_count, out);
        mpk_pack_str(out, w->digest);
        mpk_pack_str(out, w->detail);
    }
}


static void
mpk_withdrawal_write_items(const uint16_t *items, size_t count,
    mpk_buf_t *out)
{
    size_t  i;

    mpk_pack_int(out, count);

    for (i = 0; i < count; i++) {
        mpk_pack_int(out, items[i]);
    }
}


void
mpk_stated_write(const mpk_stated_t *stated, mpk_buf_t *out)
{
    mpk_pack_str(out, stated->name);
    mpk_pack_str(out, stated->email);
    mpk_pack_str(out, stated->note);
    mpk_pack_str(out, stated->reason);
}


mpk_status_t
mpk_stated_read(mpk_str_t value, mpk_stated_t *stated)
{
    mpk_unpack_t  in;

    mpk_unpack_init(&in, value);

    stated->name = mpk_unpack_str(&in);
    stated->email = mpk_unpack_str(&in);
    stated->note = mpk_unpack_str(&in);
    stated->reason = mpk_unpack_str(&in);

    return mpk_unpack_done(&in) ? MPK_OK : MPK_MALFORMED;
}


int64_t
mpk_withdrawal_until(int64_t purchased_at, int64_t days)
{
    int64_t  day;

    day = purchased_at / MPK_WITHDRAWAL_DAY;

    return (day + days + 2) * MPK_WITHDRAWAL_DAY;
}


mpk_str_t
mpk_withdrawal_state_name(mpk_withdrawal_state_t state)
{
    return mpk_withdrawal_states[state];
}


mpk_str_t
mpk_medium_name(mpk_medium_t medium)
{
    return mpk_media[medium];
}


mpk_str_t
mpk_why_name(mpk_why_t why)
{
    return mpk_whys[why];
}


bool
mpk_medium_find(mpk_str_t name, mpk_medium_t *medium)
{
    size_t  i;

    for (i = 0; i < MPK_MEDIUM_MAX; i++) {
        if (mpk_str_eq(mpk_media[i], name)) {
            *medium = (mpk_medium_t) i;
            return true;
        }
    }

    return false;
}
