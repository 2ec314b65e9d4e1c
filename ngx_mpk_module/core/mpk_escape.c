/* Escaping for HTML, and validation of UTF-8. */

#include "mpk_escape.h"


/* CR is escaped since HTML parsers turn CR LF into LF, which would change a key. */
static const char *const  mpk_escape_entities[256] = {
    ['&'] = "&amp;",
    ['<'] = "&lt;",
    ['>'] = "&gt;",
    ['"'] = "&quot;",
    ['\''] = "&#39;",
    ['\r'] = "&#13;",
};


void
mpk_escape_html(mpk_buf_t *buf, mpk_str_t text)
{
    size_t       i, start;
    const char  *entity;

    start = 0;

    for (i = 0; i < text.len; i++) {
        entity = mpk_escape_entities[text.data[i]];

        if (entity == NULL) {
            continue;
        }

        mpk_buf_put(buf, text.data + start, i - start);
        mpk_buf_put(buf, entity, strlen(entity));

        start = i + 1;
    }

    mpk_buf_put(buf, text.data + start, text.len - start);
}


bool
mpk_utf8_valid(const uint8_t *data, size_t len)
{
    size_t    i, n;
    uint8_t   ch, low, high;

    for (i = 0; i < len; i += n + 1) {
        ch = data[i];

        /* the second byte's range excludes overlong forms and surrogates */

        low = 0x80;
        high = 0xbf;

        if (ch < 0x80) {
            n = 0;
            continue;

        } else if (ch >= 0xc2 && ch <= 0xdf) {
            n = 1;

        } else if (ch >= 0xe0 && ch <= 0xef) {
            n = 2;
            low = ch == 0xe0 ? 0xa0 : 0x80;
            high = ch == 0xed ? 0x9f : 0xbf;

        } else if (ch >= 0xf0 && ch <= 0xf4) {
            n = 3;
            low = ch == 0xf0 ? 0x90 : 0x80;
            high = ch == 0xf4 ? 0x8f : 0xbf;

        } else {
            return false;
        }

        if (n > len - i - 1 || data[i + 1] < low || data[i + 1] > high) {
            return false;
        }

        if ((n > 1 && (data[i + 2] & 0xc0) != 0x80)
            || (n > 2 && (data[i + 3] & 0xc0) != 0x80))
        {
            return false;
        }
    }

    return true;
}
