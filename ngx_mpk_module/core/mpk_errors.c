/* What is wrong with a request's content. */

#include "mpk_errors.h"


void
mpk_errors_add(mpk_mem_t *mem, mpk_value_t **errors, mpk_str_t pointer,
    mpk_str_t detail)
{
    mpk_value_t  *error;

    if (*errors == NULL) {
        *errors = mpk_value_new(mem, MPK_VALUE_ARRAY);
    }

    if (*errors == NULL || (*errors)->u.list.count == MPK_ERRORS_MAX) {
        return;
    }

    error = mpk_value_object(*errors, mpk_string(""));

    mpk_value_string(error, mpk_string("pointer"), pointer);
    mpk_value_string(error, mpk_string("detail"), detail);
}


mpk_str_t
mpk_errors_pointer(mpk_mem_t *mem, mpk_str_t parent, size_t index,
    mpk_str_t member)
{
    size_t     i;
    mpk_buf_t  buf;

    mpk_buf_init(&buf, mem, 64);

    if (parent.len) {
        mpk_buf_byte(&buf, '/');
        mpk_buf_str(&buf, parent);
    }

    if (parent.len && index != MPK_NO_INDEX) {
        mpk_buf_byte(&buf, '/');
        mpk_buf_int(&buf, (int64_t) index);
    }

    if (member.data) {
        mpk_buf_byte(&buf, '/');
    }

    for (i = 0; i < member.len; i++) {
        if (member.data[i] == '~') {
            mpk_buf_lit(&buf, "~0");

        } else if (member.data[i] == '/') {
            mpk_buf_lit(&buf, "~1");

        } else {
            mpk_buf_byte(&buf, member.data[i]);
        }
    }

    return mpk_buf_done(&buf);
}
