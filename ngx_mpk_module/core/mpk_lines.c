/* Splits pieces into lines; only a line that spans pieces is copied. */

#include "mpk_lines.h"

#define MPK_LINES_SIZE  4096     /* initial size of the copy */


static mpk_status_t mpk_lines_keep(mpk_lines_t *lines, mpk_str_t piece);


void
mpk_lines_init(mpk_lines_t *lines, mpk_mem_t *mem, size_t max)
{
    memset(lines, 0, sizeof(mpk_lines_t));

    lines->mem = mem;
    lines->max = max;
}


mpk_status_t
mpk_lines_next(mpk_lines_t *lines, mpk_str_t *in, bool last, mpk_str_t *line)
{
    bool            over;
    size_t          taken;
    mpk_str_t       piece;
    mpk_status_t    status;
    const uint8_t  *end;

    if (lines->given) {
        mpk_lines_forget(lines);
    }

    while (in->len || last) {

        end = in->len ? memchr(in->data, '\n', in->len) : NULL;

        piece.data = in->data;
        piece.len = end ? (size_t) (end - in->data) : in->len;

        taken = end ? piece.len + 1 : piece.len;

        if (taken) {
            in->data += taken;
            in->len -= taken;
        }

        if (lines->len || lines->over || (end == NULL && !last)) {

            status = mpk_lines_keep(lines, piece);
            if (status != MPK_OK) {
                return status;
            }

            piece = (mpk_str_t) { lines->len, lines->data };
        }

        if (end == NULL && (!last || (piece.len == 0 && !lines->over))) {
            return MPK_MISSING;
        }

        over = lines->over;

        lines->over = false;
        lines->given = (lines->len != 0);
        lines->number++;

        if (piece.len && piece.data[piece.len - 1] == '\r') {
            piece.len--;
        }

        if (over || piece.len > lines->max) {
            return MPK_LIMIT;
        }

        if (piece.len) {
            *line = piece;
            return MPK_OK;
        }

        mpk_lines_forget(lines);
    }

    return MPK_MISSING;
}


static mpk_status_t
mpk_lines_keep(mpk_lines_t *lines, mpk_str_t piece)
{
    size_t    size;
    uint8_t  *p;

    if (lines->over || piece.len == 0) {
        return MPK_OK;
    }

    /* one byte more, for a "\r" before the end */

    if (piece.len > lines->max + 1 - lines->len) {
        mpk_lines_forget(lines);
        lines->over = true;
        return MPK_OK;
    }

    if (piece.len > lines->size - lines->len) {

        size = lines->size ? lines->size * 2 : MPK_LINES_SIZE;

        while (size < lines->len + piece.len) {
            size *= 2;
        }

        if (size > lines->max + 1) {
            size = lines->max + 1;
        }

        p = mpk_alloc(lines->mem, size);
        if (p == NULL) {
            return MPK_NOMEM;
        }

        if (lines->len) {
            memcpy(p, lines->data, lines->len);
            mpk_cleanse(lines->data, lines->len);
        }

        lines->data = p;
        lines->size = size;
    }

    memcpy(lines->data + lines->len, piece.data, piece.len);
    lines->len += piece.len;

    return MPK_OK;
}


void
mpk_lines_forget(mpk_lines_t *lines)
{
    if (lines->len) {
        mpk_cleanse(lines->data, lines->len);
    }

    lines->len = 0;
    lines->given = false;
}
