/* Times: seconds since 1970, RFC 3339 in the API, words on pages. */

#ifndef MPK_TIME_H
#define MPK_TIME_H

#include "mpk.h"

#define MPK_TIME_LEN  20                  /* 2026-11-23T08:15:30Z */
#define MPK_TIME_MAX  253402300799        /* 9999-12-31T23:59:59Z */


/* Writes MPK_TIME_LEN characters, UTC; seconds outside 0..MPK_TIME_MAX are clamped. */
void mpk_time_format(int64_t seconds, uint8_t out[MPK_TIME_LEN]);

/*
 * Reads an RFC 3339 date-time with "Z" or a numeric offset; a fraction is dropped,
 * second 60 counts as 59.  MPK_MALFORMED: anything else, or before 1970.
 */
mpk_status_t mpk_time_read(mpk_str_t text, int64_t *seconds);

/* How a language writes a time: %d (no leading zero), %B, %Y, %H and %M of strftime(3). */
typedef struct {
    mpk_str_t     format;
    mpk_str_t     first;                  /* %d of the first of a month */
    mpk_str_t     months[12];
} mpk_time_words_t;

/*
 * Reads a format, how the first of a month is written, and the names of the months separated
 * by single spaces.  MPK_MALFORMED: another conversion, or not twelve names.
 */
mpk_status_t mpk_time_words_read(mpk_str_t format, mpk_str_t first,
    mpk_str_t months, mpk_time_words_t *words);

/* Appends a time, UTC, in words. */
void mpk_time_words(int64_t seconds, const mpk_time_words_t *words, mpk_buf_t *out);


#endif /* MPK_TIME_H */
