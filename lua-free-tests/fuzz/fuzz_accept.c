/*
 * Accept and Accept-Language: ranks are in range, and the language chosen is one that
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
    unsigned        rank;
    mpk_str_t       type;
    const uint8_t  *p, *end, *last;

    type = mpk_string("text/html");

    rank = mpk_accept_rank(data, size, type);
    must(rank == 0 || (rank >= 4 + 1 && rank <= 4 * 1000 + 3));

    found = mpk_accept_language(data, size, tags, COUNT);
    must(found <= COUNT);

    must(mpk_language_find(data, size, tags, COUNT) <= COUNT);
    must(mpk_accept_language(data, size, tags, 0) == 0);

    /* a quoted string can have commas */

    if (size == 0 || memchr(data, '"', size)) {
        return 0;
    }

    /* the language accepted is one that some element accepts alone */

    accepted = (found == COUNT);
    last = data + size;

    for (p = data; p < last; p = end + 1) {
        end = memchr(p, ',', (size_t) (last - p));
        end = end ? end : last;
        len = (size_t) (end - p);

        alone = mpk_accept_language(p, len, tags, COUNT);

        must(alone == COUNT || found != COUNT);

        if (found != COUNT && alone == found) {
            accepted = true;
        }

        /* a more specific element, or one before, may have "q=0" */

        if (mpk_accept_rank(p, len, type) && rank == 0) {
            must(memchr(data, '=', size));
        }
    }

    must(accepted);

    return 0;
}
