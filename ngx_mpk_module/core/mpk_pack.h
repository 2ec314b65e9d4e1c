/*
 * The binary encoding of core: integers as LEB128 (7 bits per byte, low bits first),
 * strings as length and bytes.  It is canonical, so it is used for what is stored, for
 * what MACs cover and for additional authenticated data.
 */

#ifndef MPK_PACK_H
#define MPK_PACK_H

#include "mpk.h"


void mpk_pack_long(mpk_buf_t *buf, uint64_t n);
void mpk_pack_str(mpk_buf_t *buf, mpk_str_t str);

/* Most integers are small. */
static inline void
mpk_pack_int(mpk_buf_t *buf, uint64_t n)
{
    if (n < 0x80) {
        mpk_buf_byte(buf, (uint8_t) n);

    } else {
        mpk_pack_long(buf, n);
    }
}


/* A failed read sets "failed" for good: reads return 0 and "" from then on. */
typedef struct {
    const uint8_t  *p;
    const uint8_t  *end;
    bool            failed;
} mpk_unpack_t;

void mpk_unpack_init(mpk_unpack_t *unpack, mpk_str_t in);
uint64_t mpk_unpack_long(mpk_unpack_t *unpack);
uint64_t mpk_unpack_upto(mpk_unpack_t *unpack, uint64_t max);   /* fails above max */
mpk_str_t mpk_unpack_str(mpk_unpack_t *unpack);                 /* refers to the input */
mpk_str_t mpk_unpack_bytes(mpk_unpack_t *unpack, size_t len);   /* no length precedes them */
void mpk_unpack_skip(mpk_unpack_t *unpack, uint64_t count);     /* skips integers */

static inline uint64_t
mpk_unpack_int(mpk_unpack_t *unpack)
{
    if (!unpack->failed && unpack->p < unpack->end && *unpack->p < 0x80) {
        return *unpack->p++;
    }

    return mpk_unpack_long(unpack);
}

/* True if all of the input was read and nothing failed. */
bool mpk_unpack_done(const mpk_unpack_t *unpack);


#endif /* MPK_PACK_H */
