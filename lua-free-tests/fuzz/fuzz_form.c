/* Forms: fields that are read, encoded and read again are the same; limits hold. */

#include <stdio.h>

#include "fuzz.h"
#include "mpk_escape.h"
#include "mpk_form.h"


static void
encode(mpk_buf_t *out, mpk_str_t text)
{
    char    hex[4];
    size_t  i;

    for (i = 0; i < text.len; i++) {
        (void) snprintf(hex, sizeof(hex), "%%%02x", text.data[i]);
        mpk_buf_put(out, hex, 3);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mpk_buf_t           out;
    mpk_value_t        *form, *again;
    mpk_error_t         error;
    const mpk_value_t  *v, *w;

    static const mpk_form_limits_t  limits = { 2048, 16 };
    static const mpk_form_limits_t  wide = { 65536, 16 };

    if (mpk_form_read(&fuzz_mem, data, size, &limits, &form, &error)
        == MPK_OK)
    {
        must(size <= 2048 && form->u.list.count <= 16);

        mpk_buf_init(&out, &fuzz_mem, 0);

        for (v = form->u.list.first; v; v = v->next) {
            must(v->type == MPK_VALUE_STRING);
            must(v->name.len);
            must(mpk_utf8_valid(v->u.string.data, v->u.string.len));
            must(memchr(v->u.string.data, '\0', v->u.string.len) == NULL);

            encode(&out, v->name);
            mpk_buf_byte(&out, '=');
            encode(&out, v->u.string);
            mpk_buf_byte(&out, '&');
        }

        must(mpk_form_read(&fuzz_mem, out.data, out.len, &wide, &again, NULL)
             == MPK_OK);

        for (v = form->u.list.first, w = again->u.list.first; v && w;
             v = v->next, w = w->next)
        {
            must(mpk_str_eq(v->name, w->name));
            must(mpk_str_eq(v->u.string, w->u.string));
        }

        must(v == NULL && w == NULL);
    }

    fuzz_free_all();

    return 0;
}
