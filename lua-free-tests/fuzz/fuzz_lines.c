/* Lines: the same ones for any pieces; none is empty or over max. */

#include "fuzz.h"
#include "mpk_lines.h"

#define MAX  24


/* Splits text into pieces whose sizes are those in "sizes", in turn. */
static void
split(mpk_str_t text, mpk_str_t sizes, mpk_buf_t *out)
{
    bool          last;
    size_t        i, len;
    uint8_t      *copy;
    mpk_str_t     in, line;
    mpk_lines_t   lines;
    mpk_status_t  status;

    mpk_lines_init(&lines, &fuzz_mem, MAX);

    i = 0;

    do {
        len = sizes.len ? sizes.data[i++ % sizes.len] : text.len;

        if (len > text.len || i > 4096) {
            len = text.len;
        }

        last = (len == text.len);

        copy = malloc(len);
        must(copy || len == 0);

        if (len) {
            memcpy(copy, text.data, len);
            text.data += len;
            text.len -= len;
        }

        in = (mpk_str_t) { len, copy };

        while ((status = mpk_lines_next(&lines, &in, last, &line))
               != MPK_MISSING)
        {
            mpk_buf_int(out, (int64_t) lines.number);

            if (status == MPK_OK) {
                must(line.len && line.len <= MAX);
                must(memchr(line.data, '\n', line.len) == NULL);
                mpk_buf_byte(out, ':');
                mpk_buf_str(out, line);

            } else {
                must(status == MPK_LIMIT);
                mpk_buf_byte(out, '!');
            }

            mpk_buf_byte(out, '\n');
        }

        must(in.len == 0);
        must(lines.len <= MAX + 1);

        free(copy);

    } while (!last);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t     n;
    mpk_buf_t  whole, pieces;
    mpk_str_t  text, sizes;

    n = size ? data[0] % 8 : 0;

    if (size < n + 1) {
        return 0;
    }

    sizes = (mpk_str_t) { n, data + 1 };
    text = (mpk_str_t) { size - 1 - n, data + 1 + n };

    mpk_buf_init(&whole, &fuzz_mem, 0);
    mpk_buf_init(&pieces, &fuzz_mem, 0);

    split(text, (mpk_str_t) { 0, NULL }, &whole);
    split(text, sizes, &pieces);

    must(mpk_str_eq(mpk_buf_done(&whole), mpk_buf_done(&pieces)));

    fuzz_free_all();

    return 0;
}
