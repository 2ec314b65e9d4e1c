/* Accept and Accept-Language: lists of elements with weights. */

#include "mpk_accept.h"

#define MPK_WEIGHT_MAX  1000     /* q=1, in thousandths */

/* How specific a media range is. */
#define MPK_RANGES      4        /* and their number */
#define MPK_RANGE_TYPE  3
#define MPK_RANGE_SUB   2        /* text/ and an asterisk */
#define MPK_RANGE_ALL   1


static unsigned mpk_accept_range(mpk_str_t range, mpk_str_t type);
static unsigned mpk_accept_weight(mpk_str_t params);
static unsigned mpk_accept_number(mpk_str_t text);
static bool mpk_accept_part(mpk_str_t *rest, uint8_t separator,
    mpk_str_t *part);
static bool mpk_accept_same(mpk_str_t lower, const uint8_t *text, size_t len);
static bool mpk_accept_between(uint8_t ch);
static uint8_t mpk_accept_lower(uint8_t ch);


unsigned
mpk_accept_rank(const uint8_t *field, size_t len, mpk_str_t type)
{
    unsigned   range, best, weight;
    mpk_str_t  rest, element, name;

    rest = (mpk_str_t) { len, field };

    best = 0;
    weight = 0;

    while (mpk_accept_part(&rest, ',', &element)) {

        if (!mpk_accept_part(&element, ';', &name)) {
            continue;
        }

        range = mpk_accept_range(name, type);

        if (range > best) {
            best = range;
            weight = mpk_accept_weight(element);
        }
    }

    return weight ? weight * MPK_RANGES + best : 0;
}


/* How specific a media range is that the type is in; 0: it is not in it. */

static unsigned
mpk_accept_range(mpk_str_t range, mpk_str_t type)
{
    size_t          sub;
    const uint8_t  *slash;

    if (mpk_accept_same(type, range.data, range.len)) {
        return MPK_RANGE_TYPE;
    }

    if (mpk_str_eq(range, mpk_string("*/*"))) {
        return MPK_RANGE_ALL;
    }

    slash = memchr(type.data, '/', type.len);
    sub = slash ? (size_t) (slash - type.data) + 1 : type.len;

    return range.len == sub + 1 && range.data[sub] == '*'
           && mpk_accept_same((mpk_str_t) { sub, type.data }, range.data, sub)
           ? MPK_RANGE_SUB : 0;
}


size_t
mpk_accept_language(const uint8_t *field, size_t len, const mpk_str_t *tags,
    size_t count)
{
    size_t     i, found;
    unsigned   weight, best;
    mpk_str_t  rest, element, name;

    rest = (mpk_str_t) { len, field };

    best = 0;
    found = count;

    while (mpk_accept_part(&rest, ',', &element)) {

        if (!mpk_accept_part(&element, ';', &name)) {
            continue;
        }

        weight = mpk_accept_weight(element);

        if (weight <= best) {
            continue;
        }

        i = mpk_language_find(name.data, name.len, tags, count);

        if (i < count) {
            found = i;
            best = weight;
        }
    }

    return found;
}


size_t
mpk_language_find(const uint8_t *language, size_t len, const mpk_str_t *tags,
    size_t count)
{
    size_t  i, end;

    /* a locale's encoding and modifier */

    for (end = 0; end < len; end++) {
        if (language[end] == '.' || language[end] == '@') {
            break;
        }
    }

    while (end) {

        for (i = 0; i < count; i++) {
            if (mpk_accept_same(tags[i], language, end)) {
                return i;
            }
        }

        /* the last subtag goes, with a single letter or digit in front of it */

        while (end && !mpk_accept_between(language[end - 1])) {
            end--;
        }

        end -= end ? 1 : 0;

        if (end > 1 && mpk_accept_between(language[end - 2])) {
            end -= 2;
        }
    }

    return count;
}


/*
 * Takes the text up to the separator, or to the end, from rest, without white space
 * around it; false: rest is empty.  A separator in a quoted string is none.
 */

static bool
mpk_accept_part(mpk_str_t *rest, uint8_t separator, mpk_str_t *part)
{
    bool            quoted;
    size_t          i;
    const uint8_t  *p;

    if (rest->len == 0) {
        return false;
    }

    p = rest->data;
    quoted = false;

    for (i = 0; i < rest->len; i++) {

        if (p[i] == '"') {
            quoted = !quoted;

        } else if (quoted && p[i] == '\\' && i + 1 < rest->len) {
            i++;

        } else if (!quoted && p[i] == separator) {
            break;
        }
    }

    *part = (mpk_str_t) { i, p };

    i += i < rest->len ? 1 : 0;

    rest->data += i;
    rest->len -= i;

    while (part->len && (part->data[0] == ' ' || part->data[0] == '\t')) {
        part->data++;
        part->len--;
    }

    while (part->len && (part->data[part->len - 1] == ' '
                         || part->data[part->len - 1] == '\t'))
    {
        part->len--;
    }

    return true;
}


/* The weight among an element's parameters (RFC 9110, 12.4.2). */

static unsigned
mpk_accept_weight(mpk_str_t params)
{
    mpk_str_t  param;

    while (mpk_accept_part(&params, ';', &param)) {
        if (param.len >= 2 && mpk_accept_lower(param.data[0]) == 'q'
            && param.data[1] == '=')
        {
            return mpk_accept_number((mpk_str_t) { param.len - 2,
                                                   param.data + 2 });
        }
    }

    return MPK_WEIGHT_MAX;
}


static unsigned
mpk_accept_number(mpk_str_t text)
{
    size_t    i;
    unsigned  weight, scale;

    weight = (text.len && text.data[0] == '1') ? MPK_WEIGHT_MAX : 0;

    if (text.len < 2 || text.data[1] != '.') {
        return weight;
    }

    for (i = 2, scale = 100; scale && i < text.len; i++, scale /= 10) {

        if (text.data[i] < '0' || text.data[i] > '9') {
            break;
        }

        weight += (unsigned) (text.data[i] - '0') * scale;
    }

    return weight < MPK_WEIGHT_MAX ? weight : MPK_WEIGHT_MAX;
}


/* A locale ("de_AT") has "_" where a language tag has "-". */

static bool
mpk_accept_same(mpk_str_t lower, const uint8_t *text, size_t len)
{
    size_t   i;
    uint8_t  ch;

    if (len != lower.len) {
        return false;
    }

    for (i = 0; i < len; i++) {
        ch = text[i] == '_' ? '-' : mpk_accept_lower(text[i]);

        if (ch != lower.data[i]) {
            return false;
        }
    }

    return true;
}


static bool
mpk_accept_between(uint8_t ch)
{
    return ch == '-' || ch == '_';
}


static uint8_t
mpk_accept_lower(uint8_t ch)
{
    return (ch >= 'A' && ch <= 'Z') ? (uint8_t) (ch | 0x20) : ch;
}
