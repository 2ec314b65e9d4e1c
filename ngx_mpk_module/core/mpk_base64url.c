/* base64url without padding; the decoder accepts exactly one encoding of each value. */

#include "mpk_base64url.h"


#define MPK_BASE64URL_BAD  0xff


static const char  mpk_base64url_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";


/* 0..63, or MPK_BASE64URL_BAD */
static const uint8_t  mpk_base64url_values[256] = {
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,  62, 255, 255,
     52,  53,  54,  55,  56,  57,  58,  59,  60,  61, 255, 255, 255, 255, 255, 255,
    255,   0,   1,   2,   3,   4,   5,   6,   7,   8,   9,  10,  11,  12,  13,  14,
     15,  16,  17,  18,  19,  20,  21,  22,  23,  24,  25, 255, 255, 255, 255,  63,
    255,  26,  27,  28,  29,  30,  31,  32,  33,  34,  35,  36,  37,  38,  39,  40,
     41,  42,  43,  44,  45,  46,  47,  48,  49,  50,  51, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
};


void
mpk_base64url_encode(uint8_t *out, const uint8_t *data, size_t len)
{
    uint32_t  n;

    while (len >= 3) {
        n = ((uint32_t) data[0] << 16) | ((uint32_t) data[1] << 8) | data[2];

        *out++ = (uint8_t) mpk_base64url_alphabet[n >> 18];
        *out++ = (uint8_t) mpk_base64url_alphabet[(n >> 12) & 63];
        *out++ = (uint8_t) mpk_base64url_alphabet[(n >> 6) & 63];
        *out++ = (uint8_t) mpk_base64url_alphabet[n & 63];

        data += 3;
        len -= 3;
    }

    if (len == 2) {
        *out++ = (uint8_t) mpk_base64url_alphabet[data[0] >> 2];
        *out++ = (uint8_t) mpk_base64url_alphabet[((data[0] & 3) << 4) | (data[1] >> 4)];
        *out = (uint8_t) mpk_base64url_alphabet[(data[1] & 15) << 2];

    } else if (len == 1) {
        *out++ = (uint8_t) mpk_base64url_alphabet[data[0] >> 2];
        *out = (uint8_t) mpk_base64url_alphabet[(data[0] & 3) << 4];
    }
}


mpk_status_t
mpk_base64url_decode(uint8_t *out, const uint8_t *data, size_t len)
{
    unsigned  a, b, c, d, bad;

    if (len % 4 == 1) {
        return MPK_MALFORMED;
    }

    bad = 0;

    while (len >= 4) {
        a = mpk_base64url_values[data[0]];
        b = mpk_base64url_values[data[1]];
        c = mpk_base64url_values[data[2]];
        d = mpk_base64url_values[data[3]];

        bad |= a | b | c | d;

        *out++ = (uint8_t) ((a << 2) | (b >> 4));
        *out++ = (uint8_t) ((b << 4) | (c >> 2));
        *out++ = (uint8_t) ((c << 6) | d);

        data += 4;
        len -= 4;
    }

    if (len == 3) {
        a = mpk_base64url_values[data[0]];
        b = mpk_base64url_values[data[1]];
        c = mpk_base64url_values[data[2]];

        /* unused bits must be 0, or several texts would decode to the same bytes */
        bad |= a | b | c | ((c & 3) ? MPK_BASE64URL_BAD : 0);

        *out++ = (uint8_t) ((a << 2) | (b >> 4));
        *out = (uint8_t) ((b << 4) | (c >> 2));

    } else if (len == 2) {
        a = mpk_base64url_values[data[0]];
        b = mpk_base64url_values[data[1]];

        bad |= a | b | ((b & 15) ? MPK_BASE64URL_BAD : 0);

        *out = (uint8_t) ((a << 2) | (b >> 4));
    }

    return bad > 63 ? MPK_MALFORMED : MPK_OK;
}
