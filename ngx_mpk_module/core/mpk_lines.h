/* Splits input that arrives in pieces of any size into lines. */

#ifndef MPK_LINES_H
#define MPK_LINES_H

#include "mpk.h"


typedef struct {
    uint64_t          number;    /* of the line returned last, from 1; empty ones count */

    /* internal */
    mpk_mem_t        *mem;
    size_t            max;
    uint8_t          *data;      /* the start of an incomplete line */
    size_t            len;
    size_t            size;
    bool              given;     /* data is the line returned last */
    bool              over;      /* the line is over max: skip the rest of it */
} mpk_lines_t;


/* max: bytes of a line without its end.  At most twice as much is allocated. */
void mpk_lines_init(mpk_lines_t *lines, mpk_mem_t *mem, size_t max);

/*
 * Consumes from the front of in up to the end of the next line that is not empty, and
 * returns the line without its "\n" or "\r\n".  It refers to in or to memory that is
 * valid until the next call.  last: in is the end of the input, and so of its last line.
 *
 * MPK_MISSING: in was consumed without reaching the end of a line; MPK_LIMIT: the line
 * is over max, and is skipped; MPK_NOMEM.
 */
mpk_status_t mpk_lines_next(mpk_lines_t *lines, mpk_str_t *in, bool last,
    mpk_str_t *line);

/* Cleanses the bytes that are kept: lines hold secrets. */
void mpk_lines_forget(mpk_lines_t *lines);


#endif /* MPK_LINES_H */
