/* Product keys as people type them. */

#include "mpk_typed.h"


static size_t mpk_typed_exact(mpk_str_t text, uint8_t *out);


mpk_status_t
mpk_typed_init(mpk_mem_t *mem, mpk_str_t text, size_t max, mpk_typed_t *typed)
{
    uint8_t  *exact, *folded;

    memset(typed, 0, sizeof(mpk_typed_t));

    exact = mpk_alloc(mem, text.len + 1);
    folded = mpk_alloc(mem, text.len + 1);
    typed->scratch = mpk_alloc(mem, max + 1);
    typed->max = max;

    if (exact == NULL || folded == NULL || typed->scratch == NULL) {
        return MPK_NOMEM;
    }

    typed->exact = (mpk_str_t) { mpk_typed_exact(text, exact), exact };
    typed->folded = (mpk_str_t) { mpk_typed_fold(text, folded), folded };

    return MPK_OK;
}


void
mpk_typed_compare(mpk_typed_t *typed, size_t item, mpk_str_t key)
{
    bool       exact, alike;
    mpk_str_t  own;

    if (key.len > typed->max) {
        return;
    }

    own = (mpk_str_t) { mpk_typed_exact(key, typed->scratch), typed->scratch };
    exact = mpk_secret_eq(own, typed->exact) && own.len;

    own.len = mpk_typed_fold(key, typed->scratch);
    alike = mpk_secret_eq(own, typed->folded) && own.len;

    mpk_cleanse(typed->scratch, key.len);

    if (exact && typed->same == 0) {
        typed->same = item;
    }

    if (alike) {
        typed->alike = item;
        typed->alike_count++;
    }
}


size_t
mpk_typed_item(const mpk_typed_t *typed)
{
    return typed->same ? typed->same
           : typed->alike_count == 1 ? typed->alike : 0;
}


/* Browsers send line ends as CRLF, and people copy blanks along. */

static size_t
mpk_typed_exact(mpk_str_t text, uint8_t *out)
{
    size_t  i, n;

    n = 0;

    for (i = 0; i < text.len; i++) {
        if (text.data[i] != '\r' && (n || text.data[i] > ' ')) {
            out[n++] = text.data[i];
        }
    }

    while (n && out[n - 1] <= ' ') {
        n--;
    }

    return n;
}


size_t
mpk_typed_fold(mpk_str_t text, uint8_t *out)
{
    size_t   i, n, len;
    uint8_t  c;

    n = 0;

    for (i = 0; i < text.len; i += len) {

        len = mpk_typed_char(text.data + i, text.len - i, &c);

        if (c == 0xff) {
            memcpy(out + n, text.data + i, len);
            n += len;

        } else if (c > ' ' && c != '-' && c != 0x7f) {
            out[n++] = c >= 'A' && c <= 'Z' ? (uint8_t) (c | 0x20) : c;
        }
    }

    return n;
}


size_t
mpk_typed_char(const uint8_t *p, size_t len, uint8_t *ch)
{
    size_t    n;
    uint32_t  c;

    *ch = p[0];

    if (p[0] < 0x80) {
        return 1;
    }

    for (n = 1; n < len && n < 4 && (p[n] & 0xc0) == 0x80; n++) {
        /* void */
    }

    c = n == 2 ? (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu)
        : n == 3 ? (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu)
        : 0;

    /* the ranges include marks of direction */

    if (c == 0xad || (c >= 0x200b && c <= 0x200f) || (c >= 0x202a && c <= 0x202e)
        || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff)
    {
        *ch = 0;

    } else if ((c >= 0x2010 && c <= 0x2015) || c == 0x2212 || c == 0xfe58
               || c == 0xfe63)
    {
        *ch = '-';

    } else if (c == 0xa0 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028
               || c == 0x2029 || c == 0x202f
               || c == 0x205f || c == 0x3000)
    {
        *ch = ' ';

    } else if (c >= 0xff01 && c <= 0xff5e) {
        *ch = (uint8_t) (c - 0xff01 + '!');

    } else {
        *ch = 0xff;
    }

    return n;
}
