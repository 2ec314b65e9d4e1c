/*
 * A product key as typed, a newline, a key of the order: what is the same is found, and what
 * is found differs in case, blanks and dashes only.
 */

#include "fuzz.h"
#include "mpk_typed.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t          i, len;
    uint8_t        *folded;
    mpk_str_t       text, key;
    mpk_typed_t     typed;
    const uint8_t  *end;

    end = size ? memchr(data, '\n', size) : NULL;

    text = (mpk_str_t) { end ? (size_t) (end - data) : size, data };
    key = end ? (mpk_str_t) { size - text.len - 1, end + 1 } : (mpk_str_t) { 0, data };

    must(mpk_typed_init(&fuzz_mem, text, size, &typed) == MPK_OK);
    must(typed.exact.len <= text.len && typed.folded.len <= text.len);

    mpk_typed_compare(&typed, 1, key);
    i = mpk_typed_item(&typed);
    must(i <= 1);

    folded = fuzz_alloc(NULL, key.len + 1);
    len = mpk_typed_fold(key, folded);

    if (i && typed.same == 0) {
        must(len && mpk_str_eq((mpk_str_t) { len, folded }, typed.folded));
    }

    /* what is folded has neither capitals nor ASCII blanks and dashes */

    for (i = 0; i < typed.folded.len; i++) {
        must(typed.folded.data[i] > ' ' && typed.folded.data[i] != '-'
             && !(typed.folded.data[i] >= 'A' && typed.folded.data[i] <= 'Z'));
    }

    /* as it is */

    must(mpk_typed_init(&fuzz_mem, key, key.len, &typed) == MPK_OK);
    mpk_typed_compare(&typed, 7, key);
    must(mpk_typed_item(&typed) == (typed.exact.len || len ? 7u : 0u));

    fuzz_free_all();

    return 0;
}
