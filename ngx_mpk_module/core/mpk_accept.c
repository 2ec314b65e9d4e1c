/* Accept and Accept-Language: lists of elements with weights. */

#include "mpk_accept.h"


/* An element of the list: its value, and its parameters up to the next comma. */
typedef struct {
    mpk_str_t       value;
    mpk_str_t       params;
} mpk_accept_element_t;


static bool mpk_accept_next(mpk_str_t *rest, mpk_accept_element_t *element);
static unsigned mpk_accept_params_weight(mpk_str_t params);
static bool mpk_accept_same(mpk_str_t tag, const uint8_t *language,
    size_t len);
static uint8_t mpk_accept_lower(uint8_t ch);


unsigned
mpk_accept_weight(const uint8_t *field, size_t len, mpk_str_t type)
{
    size_t                i;
    mpk_str_t             rest;
    mpk_accept_element_t  element;

    rest = (mpk_str_t) { len, field };

    while (mpk_accept_next(&rest, &element)) {

        if (element.value.len != type.len) {
            continue;
        }

        for (i = 0; i < type.len; i++) {
            if (mpk_accept_lower(element.value.data[i]) != type.data[i]) {
                break;
            }
        }

        if (i == type.len) {
            return mpk_accept_params_weight(element.params);
        }
    }

    return 0;
}


size_t
mpk_accept_language(const uint8_t *field, size_t len, const mpk_str_t *tags,
    size_t count)
{
    size_t                i, found;
    unsigned              weight, best;
    mpk_str_t             rest;
    mpk_accept_element_t  element;

    rest = (mpk_str_t) { len, field };

    best = 0;
    found = count;

    while (mpk_accept_next(&rest, &element)) {

        weight = mpk_accept_params_weight(element.params);

        if (weight <= best) {
            continue;
        }

        i = mpk_language_find(element.value.data, element.value.len, tags,
                              count);
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
    size_t  i, primary, found;

    for (primary = 0; primary < len; primary++) {
        if (language[primary] == '-' || language[primary] == '_') {
            break;
        }
    }

    found = count;

    for (i = 0; i < count; i++) {

        if (mpk_accept_same(tags[i], language, len)) {
            return i;
        }

        if (mpk_accept_same(tags[i], language, primary)) {
            found = i;
        }
    }

    return found;
}


/* A locale ("de_AT") has "_" where a language tag has "-". */

static bool
mpk_accept_same(mpk_str_t tag, const uint8_t *language, size_t len)
{
    size_t   i;
    uint8_t  ch;

    if (len != tag.len) {
        return false;
    }

    for (i = 0; i < len; i++) {
        ch = language[i] == '_' ? '-' : mpk_accept_lower(language[i]);

        if (ch != tag.data[i]) {
            return false;
        }
    }

    return true;
}


/* Takes the next element from rest; false: there is none. */

static bool
mpk_accept_next(mpk_str_t *rest, mpk_accept_element_t *element)
{
    const uint8_t  *p, *end, *last;

    if (rest->len == 0) {
        return false;
    }

    p = rest->data;
    last = p + rest->len;

    end = memchr(p, ',', rest->len);
    if (end == NULL) {
        end = last;
    }

    rest->data = end < last ? end + 1 : last;
    rest->len = (size_t) (last - rest->data);

    while (p < end && *p == ' ') {
        p++;
    }

    element->value.data = p;

    while (p < end && *p != ';' && *p != ' ') {
        p++;
    }

    element->value.len = (size_t) (p - element->value.data);
    element->params = (mpk_str_t) { (size_t) (end - p), p };

    return true;
}


/* The weight among an element's parameters. */

static unsigned
mpk_accept_params_weight(mpk_str_t params)
{
    unsigned        weight, scale;
    const uint8_t  *p, *last;

    p = params.data;
    last = p + params.len;

    while (last - p >= 2 && !(mpk_accept_lower(p[0]) == 'q' && p[1] == '=')) {
        p++;
    }

    if (last - p < 2) {
        return MPK_WEIGHT_MAX;
    }

    p += 2;

    weight = (p < last && *p == '1') ? MPK_WEIGHT_MAX : 0;

    if (last - p < 2 || p[1] != '.') {
        return weight;
    }

    p += 2;

    for (scale = 100; scale && p < last && *p >= '0' && *p <= '9'; scale /= 10)
    {
        weight += (unsigned) (*p++ - '0') * scale;
    }

    return weight < MPK_WEIGHT_MAX ? weight : MPK_WEIGHT_MAX;
}


static uint8_t
mpk_accept_lower(uint8_t ch)
{
    return (ch >= 'A' && ch <= 'Z') ? (uint8_t) (ch | 0x20) : ch;
}
