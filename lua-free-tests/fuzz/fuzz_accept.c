/*
 * Accept and Accept-Language: weights are in range, and the language chosen is one that
 * some element of the field, taken alone, chooses.
 */

#include "fuzz.h"
#include "mpk_accept.h"


static const mpk_str_t  tags[] = {
    mpk_literal("en"), mpk_literal("de"), mpk_literal("pt-br"), mpk_literal("pt")
};

#define COUNT  (sizeof(tags) / sizeof(tags[0]))


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t          len, found, alone;
    bool            accepted;
    unsigned        weight;
    mpk_str_t       type;
    const uint8_t  *p, *end, *last;

    type = mpk_string("text/html");

    weight = mpk_accept_weight(data, size, type);
    must(weight <= MPK_WEIGHT_MAX);

    found = mpk_accept_language(data, size, tags, COUNT);
    must(found <= COUNT);

    must(mpk_language_find(data, size, tags, COUNT) <= COUNT);
    must(mpk_accept_language(data, size, tags, 0) == 0);

    /* the language accepted is one that some element accepts alone */

    accepted = (found == COUNT);
    last = size ? data + size : data;

    for (p = data; p < last; p = end + 1) {
        end = memchr(p, ',', (size_t) (last - p));
        end = end ? end : last;
        len = (size_t) (end - p);

        alone = mpk_accept_language(p, len, tags, COUNT);

        must(alone == COUNT || found != COUNT);

        if (found != COUNT && alone == found) {
            accepted = true;
        }

        /* the first element that names the type counts, and may have "q=0" */

        if (mpk_accept_weight(p, len, type) && weight == 0) {
            must(memchr(data, '=', size));
        }
    }

    must(accepted);

    return 0;
}
