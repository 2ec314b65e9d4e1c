/* application/x-www-form-urlencoded bodies, read under limits. */

#include "mpk_escape.h"
#include "mpk_form.h"


static int mpk_form_hex(uint8_t ch);


mpk_status_t
mpk_form_read(mpk_mem_t *mem, const uint8_t *data, size_t len,
    const mpk_form_limits_t *limits, mpk_value_t **out, mpk_error_t *error)
{
    mpk_str_t       field, name, value;
    mpk_value_t    *form;
    mpk_status_t    status;
    const uint8_t  *end, *last, *equals;

    if (len > limits->size) {
        return mpk_fail(error, MPK_LIMIT, 0,
                        "the form is over %zu bytes", limits->size);
    }

    form = mpk_value_new(mem, MPK_VALUE_OBJECT);
    if (form == NULL) {
        return MPK_NOMEM;
    }

    last = len ? data + len : data;

    while (data < last) {

        end = memchr(data, '&', (size_t) (last - data));
        if (end == NULL) {
            end = last;
        }

        field = (mpk_str_t) { (size_t) (end - data), data };
        data = end < last ? end + 1 : last;

        equals = field.len ? memchr(field.data, '=', field.len) : NULL;

        name = field;
        value = (mpk_str_t) { 0, field.data };

        if (equals) {
            name.len = (size_t) (equals - field.data);
            value.data = equals + 1;
            value.len = field.len - name.len - 1;
        }

        if (name.len == 0) {
            continue;
        }

        status = mpk_form_decode(mem, name, &name, error);

        if (status == MPK_OK) {
            status = mpk_form_decode(mem, value, &value, error);
        }

        if (status != MPK_OK) {
            return status;
        }

        if (mpk_value_get(form, name)) {
            return mpk_fail(error, MPK_DUPLICATE, 0,
                            "the form has a field twice");
        }

        if (form->u.list.count == limits->fields) {
            return mpk_fail(error, MPK_LIMIT, 0,
                            "the form has more than %zu fields", limits->fields);
        }

        mpk_value_string(form, name, value);
    }

    if (mem->failed) {
        return MPK_NOMEM;
    }

    *out = form;

    return MPK_OK;
}


mpk_status_t
mpk_form_decode(mpk_mem_t *mem, mpk_str_t in, mpk_str_t *out,
    mpk_error_t *error)
{
    int       high, low;
    size_t    i;
    uint8_t  *p, *start;

    start = mpk_alloc(mem, in.len + 1);
    if (start == NULL) {
        return MPK_NOMEM;
    }

    p = start;

    for (i = 0; i < in.len; i++) {

        if (in.data[i] == '+') {
            *p++ = ' ';
            continue;
        }

        if (in.data[i] != '%') {
            *p++ = in.data[i];
            continue;
        }

        high = in.len - i > 2 ? mpk_form_hex(in.data[i + 1]) : -1;
        low = in.len - i > 2 ? mpk_form_hex(in.data[i + 2]) : -1;

        if (high < 0 || low < 0) {
            return mpk_fail(error, MPK_MALFORMED, 0,
                            "the form has a \"%%\" without two hex digits");
        }

        *p++ = (uint8_t) (high << 4 | low);
        i += 2;
    }

    out->data = start;
    out->len = (size_t) (p - start);

    if (memchr(start, '\0', out->len)
        || !mpk_utf8_valid(start, out->len))
    {
        return mpk_fail(error, MPK_MALFORMED, 0,
                        "the form is not UTF-8, or has a NUL");
    }

    return MPK_OK;
}


static int
mpk_form_hex(uint8_t ch)
{
    if (ch >= '0' && ch <= '9') {
        return ch - '0';
    }

    ch |= 0x20;

    return (ch >= 'a' && ch <= 'f') ? ch - 'a' + 10 : -1;
}
