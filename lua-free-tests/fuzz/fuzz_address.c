/*
 * Tokens in addresses: a request line or a Referer, a newline, and the decoded URI.
 * Hiding twice changes nothing more, and nothing but the token is changed.
 */

#include "fuzz.h"
#include "mpk_address.h"


static const mpk_str_t  paths[] = {
    mpk_literal("/r/"), mpk_literal(""), mpk_literal("/claim/")
};


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t          i, len, before, behind, rest;
    mpk_str_t       uri, token, out, again;
    const uint8_t  *end;

    end = size ? memchr(data, '\n', size) : NULL;
    len = end ? (size_t) (end - data) : size;

    uri = (mpk_str_t) { 0, data };

    if (end) {
        uri = (mpk_str_t) { size - len - 1, end + 1 };
    }

    must(mpk_address_hide(&fuzz_mem, data, len, uri, paths, 3, &out) == MPK_OK);

    if (out.data == data) {
        must(out.len == len);

    } else {

        /* the same before and after the token */

        for (before = 0; before < len && before < out.len; before++) {
            if (data[before] != out.data[before]) {
                break;
            }
        }

        for (behind = 0; behind < len && behind < out.len; behind++) {
            if (data[len - 1 - behind] != out.data[out.len - 1 - behind]) {
                break;
            }
        }

        must(before + behind + sizeof("[hidden]") - 1 >= out.len);
        must(out.len >= sizeof("[hidden]") - 1);
    }

    must(mpk_address_hide(&fuzz_mem, out.data, out.len, (mpk_str_t) { 0, data },
                          paths, 3, &again)
         == MPK_OK);
    must(mpk_str_eq(out, again));

    /* a token that the text shows plainly is hidden */

    for (i = 0; i < 3; i++) {

        if (!mpk_address_token(data, len, paths[i], &token)) {
            continue;
        }

        must(paths[i].len && token.len + paths[i].len <= len && token.len + paths[i].len + MPK_ADDRESS_STRAY >= len);

        rest = len - paths[i].len;

        if (memchr(" ?#", token.data[0], 3) == NULL
            && (rest < 8 || memcmp(token.data, "[hidden]", 8) != 0))
        {
            must(!mpk_str_eq(out, (mpk_str_t) { len, data }));
        }
    }

    fuzz_free_all();

    return 0;
}
