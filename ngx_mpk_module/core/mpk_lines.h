/* Lines out of pieces: what comes in any portions is given line by line. */

#ifndef MPK_LINES_H
#define MPK_LINES_H

#include "mpk.h"


typedef struct {
    uint64_t          number;    /* of the line given last, from 1; empty ones count */

    /* its own */
    const mpk_mem_t  *mem;
    size_t            max;
    uint8_t          *data;      /* the start of a line whose end is to come */
    size_t            len;
    size_t            size;
    bool              given;     /* data is the line given last */
    bool              over;      /* the line is over max: its rest is skipped */
} mpk_lines_t;


/* max: bytes of a line, its end not counted.  Twice that is taken of mem at most. */
void mpk_lines_init(mpk_lines_t *lines, const mpk_mem_t *mem, size_t max);

/*
 * Takes from the front of in what it needs for the next line that is not empty, and
 * gives it without its "\n" or "\r\n".  The line refers to in or to memory that is
 * good until the next call.  last: nothing comes after in, so that its end is the
 * end of a line, too.
 *
 * MPK_MISSING: in is used up, and no line has come to its end; MPK_LIMIT: the line
 * is over max, and was skipped; MPK_NOMEM.
 */
mpk_status_t mpk_lines_next(mpk_lines_t *lines, mpk_str_t *in, bool last,
    mpk_str_t *line);

/* Overwrites what is kept: lines hold secrets. */
void mpk_lines_forget(mpk_lines_t *lines);


#endif /* MPK_LINES_H */
