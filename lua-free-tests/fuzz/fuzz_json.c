/* JSON: values that are read, written and read again are the same; limits hold. */

#include "fuzz.h"
#include "mpk_escape.h"
#include "mpk_json.h"


static size_t
count(const mpk_value_t *value)
{
    size_t              n;
    const mpk_value_t  *v;

    n = 1;

    if (value->type == MPK_VALUE_ARRAY || value->type == MPK_VALUE_OBJECT) {
        for (v = value->u.list.first; v; v = v->next) {
            n += count(v);
        }
    }

    if (value->type == MPK_VALUE_STRING) {
        must(mpk_utf8_valid(value->u.string.data, value->u.string.len));
        must(memchr(value->u.string.data, '\0', value->u.string.len) == NULL);
    }

    return n;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mpk_buf_t     first, second;
    mpk_error_t   error;
    mpk_value_t  *value, *again;

    static const mpk_json_limits_t  limits = { 4096, 6, 64 };
    static const mpk_json_limits_t  wide = { 65536, 6, 64 };

    if (mpk_json_read(&fuzz_mem, data, size, &limits, &value, &error)
        == MPK_OK)
    {
        must(size <= 4096);
        must(count(value) <= 64);

        mpk_buf_init(&first, &fuzz_mem, 0);
        mpk_json_write(&first, value);

        must(mpk_json_read(&fuzz_mem, first.data, first.len, &wide, &again,
                           NULL) == MPK_OK);

        mpk_buf_init(&second, &fuzz_mem, 0);
        mpk_json_write(&second, again);

        must(mpk_str_eq(mpk_buf_done(&first), mpk_buf_done(&second)));

    } else {
        must(memchr(error.text, '\0', sizeof(error.text)) != NULL);
    }

    fuzz_free_all();

    return 0;
}
