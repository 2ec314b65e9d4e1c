/*
 * Numbers of orders as people type them: what comes of it are different ids, which are all
 * counted as one, and an id by itself means itself first.
 */

#include "fuzz.h"
#include "mpk_token.h"
#include "mpk_number.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t       i, j;
    uint8_t      first[MPK_NUMBER_ID_LEN], bytes[MPK_NUMBER_ID_LEN];
    mpk_str_t    text, counted;
    mpk_number_t  typed;

    text = (mpk_str_t) { size, data };

    if (!mpk_number_read(text, &typed)) {
        must(size > MPK_NUMBER_MAX || !mpk_order_id_valid(text));
        return 0;
    }

    must(typed.count >= 1 && typed.count <= MPK_NUMBER_IDS);

    counted = mpk_number_counted(typed.ids[0], first);

    for (i = 0; i < typed.count; i++) {
        must(mpk_order_id_valid(typed.ids[i]));
        must(mpk_str_eq(mpk_number_counted(typed.ids[i], bytes), counted));

        for (j = 0; j < i; j++) {
            must(!mpk_str_eq(typed.ids[i], typed.ids[j]));
        }
    }

    if (mpk_order_id_valid(text)) {
        must(mpk_str_eq(typed.ids[0], text));
    }

    return 0;
}
