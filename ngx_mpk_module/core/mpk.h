/*
 * The ground of core/: strings, status, the caller's memory, a growing buffer.
 *
 * core/ is plain C11: no nginx header, no global state, no I/O.  Input comes
 * as (const uint8_t *, size_t) and needs no terminating NUL.
 */

#ifndef MPK_H
#define MPK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>


/* A slice of somebody else's bytes.  Not NUL-terminated. */
typedef struct {
    size_t          len;
    const uint8_t  *data;
} mpk_str_t;

/* A literal as an initializer, and as a value. */
#define mpk_literal(literal)                                                 \
    { sizeof(literal) - 1, (const uint8_t *) (literal) }

#define mpk_string(literal)                                                  \
    ((mpk_str_t) { sizeof(literal) - 1, (const uint8_t *) (literal) })


/* A table with a row for each value of an enum: true, at compile time, if none is new. */
#define mpk_assert_rows(table, max)                                          \
    _Static_assert(sizeof(table) / sizeof((table)[0]) == (max),              \
                   #table " needs a row for each value")


typedef enum {
    MPK_OK = 0,
    MPK_NOMEM,           /* the caller's memory is exhausted */
    MPK_CRYPTO,          /* OpenSSL failed: a bug or a broken installation */
    MPK_MALFORMED,       /* does not follow its grammar */
    MPK_LIMIT,           /* follows it, but is over a limit */
    MPK_DUPLICATE,       /* a member, key or id stands twice */
    MPK_UNKNOWN,         /* a member, key or name that is not known here */
    MPK_MISSING,         /* something required is not there */
    MPK_FORGED,          /* a MAC, tag or signature does not match */
    MPK_EXPIRED,         /* authentic, but past its time */
    MPK_PURPOSE,         /* authentic, but made for another use */
    MPK_STATUS_MAX
} mpk_status_t;

/* A status in words, for logs.  Never NULL. */
const char *mpk_status_text(mpk_status_t status);


/* What is wrong with an input that a person wrote, and where. */
typedef struct {
    size_t  line;        /* from 1; 0 where lines mean nothing */
    char    text[224];   /* NUL-terminated: what is wrong and what to do */
} mpk_error_t;

/* Fills error (which may be NULL) and returns status, for "return mpk_fail(...)". */
mpk_status_t mpk_fail(mpk_error_t *error, mpk_status_t status, size_t line,
    const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 4, 5)))
#endif
    ;


/*
 * The caller's memory: alloc returns memory aligned for any type, or NULL.
 * Nothing is freed piecewise; the caller drops it as a whole (an nginx pool).
 */
typedef struct {
    void  *(*alloc)(void *ctx, size_t size);
    void   *ctx;
} mpk_mem_t;

void *mpk_alloc(const mpk_mem_t *mem, size_t size);      /* NULL: exhausted */
void *mpk_calloc(const mpk_mem_t *mem, size_t size);     /* zeroed */
mpk_status_t mpk_dup(const mpk_mem_t *mem, mpk_str_t in, mpk_str_t *out);


/*
 * A growing buffer in the caller's memory.  A failed allocation or a length
 * over max makes it fail for good: appends are no-ops from then on, and the
 * caller looks at "failed" once, at the end.
 */
typedef struct {
    uint8_t          *data;
    size_t            len;
    size_t            size;
    size_t            max;
    const mpk_mem_t  *mem;
    bool              failed;
    bool              secret;            /* what it grows out of is cleansed */
} mpk_buf_t;

void mpk_buf_init(mpk_buf_t *buf, const mpk_mem_t *mem, size_t size);

/* The same, but it begins in size bytes of the caller's. */
void mpk_buf_over(mpk_buf_t *buf, const mpk_mem_t *mem, uint8_t *bytes, size_t size);

void mpk_buf_int(mpk_buf_t *buf, int64_t n);             /* decimal */

/* Reserves and counts len bytes behind the buffer's size; NULL: failed, or len is 0. */
uint8_t *mpk_buf_grow(mpk_buf_t *buf, size_t len);

/* Reserves and counts len bytes; NULL: failed, or len is 0. */
static inline uint8_t *
mpk_buf_room(mpk_buf_t *buf, size_t len)
{
    uint8_t  *p;

    if (len == 0 || len > buf->size - buf->len || buf->failed) {
        return mpk_buf_grow(buf, len);
    }

    p = buf->data + buf->len;
    buf->len += len;

    return p;
}


static inline void
mpk_buf_put(mpk_buf_t *buf, const void *data, size_t len)
{
    uint8_t  *p;

    p = mpk_buf_room(buf, len);
    if (p) {
        memcpy(p, data, len);
    }
}


static inline void
mpk_buf_str(mpk_buf_t *buf, mpk_str_t str)
{
    mpk_buf_put(buf, str.data, str.len);
}


static inline void
mpk_buf_byte(mpk_buf_t *buf, uint8_t byte)
{
    mpk_buf_put(buf, &byte, 1);
}

#define mpk_buf_lit(buf, literal)                                            \
    mpk_buf_put(buf, literal, sizeof(literal) - 1)

static inline mpk_str_t
mpk_buf_done(const mpk_buf_t *buf)
{
    return (mpk_str_t) { buf->len, buf->data };
}


static inline bool
mpk_str_eq(mpk_str_t a, mpk_str_t b)
{
    return a.len == b.len
           && (a.len == 0 || (a.data[0] == b.data[0]
                              && memcmp(a.data, b.data, a.len) == 0));
}

/* Equal bytes, in a time that tells nothing but the lengths. */
bool mpk_secret_eq(mpk_str_t a, mpk_str_t b);

/* Overwrites a secret; not optimised away. */
void mpk_cleanse(void *data, size_t len);


#endif /* MPK_H */
