/* The binary encoding of core: LEB128 integers, strings with their length. */

#include "mpk_pack.h"


void
mpk_pack_long(mpk_buf_t *buf, uint64_t n)
{
    size_t    len;
    uint8_t   bytes[10];

    len = 0;

    while (n > 0x7f) {
        bytes[len++] = (uint8_t) (n | 0x80);
        n >>= 7;
    }

    bytes[len++] = (uint8_t) n;

    mpk_buf_put(buf, bytes, len);
}


void
mpk_pack_str(mpk_buf_t *buf, mpk_str_t str)
{
    mpk_pack_int(buf, str.len);
    mpk_buf_str(buf, str);
}


void
mpk_unpack_init(mpk_unpack_t *unpack, mpk_str_t in)
{
    unpack->p = in.data;
    unpack->end = in.len ? in.data + in.len : in.data;
    unpack->failed = false;
}


uint64_t
mpk_unpack_long(mpk_unpack_t *unpack)
{
    uint8_t   byte;
    uint64_t  n;
    unsigned  shift;

    n = 0;

    for (shift = 0; shift < 64; shift += 7) {

        if (unpack->failed || unpack->p == unpack->end) {
            break;
        }

        byte = *unpack->p++;

        /* the tenth byte has room for one bit */

        if (shift == 63 && byte > 1) {
            break;
        }

        n |= (uint64_t) (byte & 0x7f) << shift;

        if (byte < 0x80) {

            if (byte == 0 && shift) {
                break;
            }

            return n;
        }
    }

    unpack->failed = true;
    return 0;
}


uint64_t
mpk_unpack_upto(mpk_unpack_t *unpack, uint64_t max)
{
    uint64_t  n;

    n = mpk_unpack_int(unpack);

    if (n > max) {
        unpack->failed = true;
        return 0;
    }

    return n;
}


void
mpk_unpack_skip(mpk_unpack_t *unpack, uint64_t count)
{
    const uint8_t  *p;

    p = unpack->p;

    while (count && p < unpack->end) {
        count -= *p++ < 0x80;
    }

    unpack->p = p;
    unpack->failed |= count != 0;
}


mpk_str_t
mpk_unpack_str(mpk_unpack_t *unpack)
{
    return mpk_unpack_bytes(unpack,
                            (size_t) mpk_unpack_upto(unpack, SIZE_MAX));
}


mpk_str_t
mpk_unpack_bytes(mpk_unpack_t *unpack, size_t len)
{
    mpk_str_t  str;

    if (unpack->failed || len > (size_t) (unpack->end - unpack->p)) {
        unpack->failed = true;
        return (mpk_str_t) { 0, NULL };
    }

    str.len = len;
    str.data = unpack->p;

    unpack->p += len;

    return str;
}


bool
mpk_unpack_done(const mpk_unpack_t *unpack)
{
    return !unpack->failed && unpack->p == unpack->end;
}
