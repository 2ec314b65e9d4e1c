/* Corrections of the billing email: when they hold, and how they are stored. */

#include "mpk_correction.h"


/* Flags of a stored correction. */
#define MPK_CORRECTION_STOPPED  1u
#define MPK_CORRECTION_VIEWED   2u


size_t
mpk_correction_holds(const mpk_correction_t *list, size_t count, int64_t now)
{
    while (count && (list[count - 1].stopped || list[count - 1].from > now)) {
        count--;
    }

    return count;
}


/* A new correction stops the pending one, so only the last can be pending. */

size_t
mpk_correction_pending(const mpk_correction_t *list, size_t count,
    int64_t now)
{
    return count && !list[count - 1].stopped && list[count - 1].from > now
           ? count : 0;
}


mpk_status_t
mpk_corrections_read(mpk_mem_t *mem, mpk_unpack_t *in,
    mpk_correction_t **list, size_t *count)
{
    size_t             i, n;
    uint64_t           flags;
    mpk_correction_t  *c;

    n = mpk_unpack_upto(in, MPK_CORRECTIONS_MAX);

    c = mpk_calloc(mem, n * sizeof(mpk_correction_t) + 1);
    if (c == NULL) {
        return MPK_NOMEM;
    }

    *list = c;
    *count = n;

    for (i = 0; i < n; i++) {
        c[i].at = (int64_t) mpk_unpack_upto(in, INT64_MAX);
        c[i].from = (int64_t) mpk_unpack_upto(in, INT64_MAX);
        flags = mpk_unpack_upto(in, MPK_CORRECTION_STOPPED
                                    | MPK_CORRECTION_VIEWED);
        c[i].stopped = (flags & MPK_CORRECTION_STOPPED) != 0;
        c[i].show_viewed = (flags & MPK_CORRECTION_VIEWED) != 0;
        c[i].hash = mpk_unpack_bytes(in, MPK_MAC_LEN);
        c[i].email = mpk_unpack_str(in);
    }

    return in->failed || n == 0 ? MPK_MALFORMED : MPK_OK;
}


void
mpk_corrections_write(const mpk_correction_t *list, size_t count,
    mpk_buf_t *out)
{
    size_t  i;

    mpk_pack_int(out, count);

    for (i = 0; i < count; i++) {
        mpk_pack_int(out, (uint64_t) list[i].at);
        mpk_pack_int(out, (uint64_t) list[i].from);
        mpk_pack_int(out, (list[i].stopped ? MPK_CORRECTION_STOPPED : 0)
                          | (list[i].show_viewed ? MPK_CORRECTION_VIEWED : 0));
        mpk_buf_str(out, list[i].hash);
        mpk_pack_str(out, list[i].email);
    }
}


mpk_status_t
mpk_correction_seal(mpk_crypto_t *crypto, mpk_mem_t *mem,
    const mpk_data_key_t *key, mpk_str_t order, size_t number,
    mpk_str_t email, mpk_str_t *sealed)
{
    mpk_buf_t     buf;
    mpk_place_t   place;
    mpk_status_t  status;

    place = (mpk_place_t) { order, mpk_string("email"), number, 0 };

    mpk_buf_init(&buf, mem, email.len + MPK_SEAL_OVERHEAD);

    status = mpk_envelope_seal(crypto, mem, key, &place, email, &buf);

    *sealed = mpk_buf_done(&buf);

    return status;
}


mpk_status_t
mpk_correction_open(mpk_crypto_t *crypto, mpk_mem_t *mem,
    const mpk_data_key_t *key, mpk_str_t order, size_t number,
    mpk_str_t sealed, mpk_str_t *email)
{
    mpk_place_t  place;

    place = (mpk_place_t) { order, mpk_string("email"), number, 0 };

    return mpk_envelope_open(crypto, mem, key, &place, sealed, email);
}
