/* Product keys as people type them. */

#include "mpk_typed.h"


static size_t mpk_typed_exact(mpk_str_t text, uint8_t *out);
static size_t mpk_typed_skip(const uint8_t *p, size_t len);


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

    for (i = 0; i < text.len; i += len ? len : 1) {

        len = mpk_typed_skip(text.data + i, text.len - i);

        if (len == 0) {
            c = text.data[i];
            out[n++] = c >= 'A' && c <= 'Z' ? (uint8_t) (c | 0x20) : c;
        }
    }

    return n;
}


/*
 * The length of a blank, a dash or an invisible character, in UTF-8; 0: it is none.  Of
 * U+2000 to U+2015 and U+2028 to U+202F: spaces, marks of direction, hyphens and dashes.
 */

static size_t
mpk_typed_skip(const uint8_t *p, size_t len)
{
    if (p[0] <= ' ' || p[0] == '-' || p[0] == 0x7f) {
        return 1;
    }

    /* no-break space, soft hyphen */

    if (len >= 2 && p[0] == 0xc2 && (p[1] == 0xa0 || p[1] == 0xad)) {
        return 2;
    }

    if (len < 3) {
        return 0;
    }

    if ((p[0] == 0xe2 && p[1] == 0x80
         && ((p[2] >= 0x80 && p[2] <= 0x95) || (p[2] >= 0xa8 && p[2] <= 0xaf)))
        || (p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0x9f && p[2] <= 0xaf)
        || (p[0] == 0xe2 && p[1] == 0x88 && p[2] == 0x92)      /* minus */
        || (p[0] == 0xe3 && p[1] == 0x80 && p[2] == 0x80)      /* ideographic */
        || (p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf)      /* byte order */
        || (p[0] == 0xef && p[1] == 0xb9 && (p[2] == 0x98 || p[2] == 0xa3))
        || (p[0] == 0xef && p[1] == 0xbc && p[2] == 0x8d))     /* fullwidth */
    {
        return 3;
    }

    return 0;
}
