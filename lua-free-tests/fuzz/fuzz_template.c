/* Templates: any source compiles or is refused; rendering twice gives the same. */

#include "fuzz.h"
#include "mpk_json.h"
#include "mpk_template.h"


static mpk_status_t
partial(void *ctx, mpk_str_t name, mpk_str_t *source, mpk_error_t *error)
{
    (void) error;

    if (name.len == 1 && name.data[0] == 'p') {
        *source = *(mpk_str_t *) ctx;
        return MPK_OK;
    }

    if (name.len == 1 && name.data[0] == 'q') {
        *source = mpk_string("{{#a}}{{b}}{{/a}}\n");
        return MPK_OK;
    }

    return name.len == 1 && name.data[0] == 'e' ? MPK_MISSING : MPK_UNKNOWN;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mpk_buf_t        first, second;
    mpk_str_t        source;
    mpk_error_t      error;
    mpk_value_t     *facts;
    mpk_template_t  *one, *two;

    static const char               json[] =
        "{\"a\":[{\"b\":\"<&>\"},{\"b\":2},3,\"x\"],\"b\":true,\"c\":{\"d\":"
        "{\"e\":\"f\"}},\"n\":null,\"s\":\"\",\"z\":[]}";
    static const mpk_json_limits_t  limits = { sizeof(json), 8, 64 };

    if (size > 2048) {
        return 0;
    }

    source = (mpk_str_t) { size, data };

    must(mpk_json_read(&fuzz_mem, (const uint8_t *) json, sizeof(json) - 1,
                       &limits, &facts, NULL) == MPK_OK);

    if (mpk_template_compile(&fuzz_mem, mpk_string("t"), source, partial,
                             &source, &one, &error)
        == MPK_OK)
    {
        must(mpk_template_compile(&fuzz_mem, mpk_string("t"), source, partial,
                                  &source, &two, NULL) == MPK_OK);

        mpk_buf_init(&first, &fuzz_mem, 0);
        mpk_buf_init(&second, &fuzz_mem, 0);
        first.max = second.max = 65536;

        mpk_template_render(one, facts, &first, NULL);
        mpk_template_render(two, facts, &second, NULL);

        must(first.failed == second.failed);
        must(mpk_str_eq(mpk_buf_done(&first), mpk_buf_done(&second)));

    } else {
        must(memchr(error.text, '\0', sizeof(error.text)) != NULL);
    }

    fuzz_free_all();

    return 0;
}
