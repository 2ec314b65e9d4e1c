/*
 * What all of core/ is built on: strings, status codes, memory, a growing buffer.
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


/* A slice of memory that it does not own; not NUL-terminated. */
typedef struct {
    size_t          len;
    const uint8_t  *data;
} mpk_str_t;

/* A string literal, as an initializer and as an expression. */
#define mpk_literal(literal)                                                 \
    { sizeof(literal) - 1, (const uint8_t *) (literal) }

#define mpk_string(literal)                                                  \
    ((mpk_str_t) { sizeof(literal) - 1, (const uint8_t *) (literal) })


/* Fails to compile when an enum has got a value that the table has no row for. */
#define mpk_assert_rows(table, max)                                          \
    _Static_assert(sizeof(table) / sizeof((table)[0]) == (max),              \
                   #table " needs a row for each value")


typedef enum {
    MPK_OK = 0,
    MPK_NOMEM,           /* the caller's memory is exhausted */
    MPK_CRYPTO,          /* OpenSSL failed: a bug or a broken installation */
    MPK_MALFORMED,       /* syntax error */
    MPK_LIMIT,           /* well-formed, but over a limit */
    MPK_DUPLICATE,       /* a member, key or id occurs twice */
    MPK_UNKNOWN,         /* an unknown member, key or name */
    MPK_MISSING,         /* something required is missing */
    MPK_FORGED,          /* a MAC, tag or signature does not match */
    MPK_EXPIRED,         /* authentic, but past its time */
    MPK_PURPOSE,         /* authentic, but issued for another use */
    MPK_NEWER,           /* written by a newer release */
    MPK_STATUS_MAX
} mpk_status_t;

/* The text of a status, for logs.  Never NULL. */
const char *mpk_status_text(mpk_status_t status);


/* An error in a file or a request, for its author. */
typedef struct {
    size_t  line;        /* from 1; 0: unknown */
    char    text[224];   /* NUL-terminated: what is wrong and how to fix it */
} mpk_error_t;

/* Fills error (which may be NULL) and returns status, for "return mpk_fail(...)". */
mpk_status_t mpk_fail(mpk_error_t *error, mpk_status_t status, size_t line,
    const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 4, 5)))
#endif
    ;


/*
 * The caller's memory: alloc returns memory aligned for any type, or NULL.  Core
 * frees nothing; the caller frees it all at once (an nginx pool).
 */
typedef struct {
    void  *(*alloc)(void *ctx, size_t size);
    void   *ctx;
    bool    failed;              /* an allocation failed; never reset here */
} mpk_mem_t;

void *mpk_alloc(mpk_mem_t *mem, size_t size);      /* NULL: failed */
void *mpk_calloc(mpk_mem_t *mem, size_t size);     /* zeroed */
mpk_status_t mpk_dup(mpk_mem_t *mem, mpk_str_t in, mpk_str_t *out);


/*
 * A growing buffer in the caller's memory.  When an allocation fails, or the
 * length would exceed max, "failed" is set and stays set: appends do nothing
 * from then on, and the caller checks it once, at the end.
 */
typedef struct {
    uint8_t          *data;
    size_t            len;
    size_t            size;
    size_t            max;
    mpk_mem_t        *mem;
    bool              failed;
    bool              secret;            /* cleanse the old bytes when it grows */
} mpk_buf_t;

void mpk_buf_init(mpk_buf_t *buf, mpk_mem_t *mem, size_t size);

/* The same, but starts with size bytes of the caller's and allocates only to grow. */
void mpk_buf_over(mpk_buf_t *buf, mpk_mem_t *mem, uint8_t *bytes, size_t size);

void mpk_buf_int(mpk_buf_t *buf, int64_t n);             /* decimal */

/* mpk_buf_room() for a buffer that is full. */
uint8_t *mpk_buf_grow(mpk_buf_t *buf, size_t len);

/* Appends len bytes for the caller to fill; NULL: failed, or len is 0. */
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

/* Compares in constant time: nothing but the lengths leaks. */
bool mpk_secret_eq(mpk_str_t a, mpk_str_t b);

/* Zeroes a secret; the compiler does not optimize it away. */
void mpk_cleanse(void *data, size_t len);


#endif /* MPK_H */
