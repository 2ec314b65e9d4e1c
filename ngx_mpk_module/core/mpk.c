/* Status texts, memory, the growing buffer, secrets. */

#include <stdarg.h>
#include <stdio.h>

#include <openssl/crypto.h>

#include "mpk.h"


#define MPK_BUF_MAX  (64 * 1024 * 1024)


static const char *const  mpk_status_texts[] = {
    [MPK_OK] = "ok",
    [MPK_NOMEM] = "out of memory",
    [MPK_CRYPTO] = "OpenSSL failed",
    [MPK_MALFORMED] = "malformed",
    [MPK_LIMIT] = "over a limit",
    [MPK_DUPLICATE] = "duplicate",
    [MPK_UNKNOWN] = "unknown",
    [MPK_MISSING] = "missing",
    [MPK_FORGED] = "authentication failed",
    [MPK_EXPIRED] = "expired",
    [MPK_PURPOSE] = "issued for another use",
    [MPK_NEWER] = "written by a newer release",
};

mpk_assert_rows(mpk_status_texts, MPK_STATUS_MAX);


const char *
mpk_status_text(mpk_status_t status)
{
    if ((unsigned) status >= MPK_STATUS_MAX) {
        return "unknown status";
    }

    return mpk_status_texts[status];
}


mpk_status_t
mpk_fail(mpk_error_t *error, mpk_status_t status, size_t line,
    const char *format, ...)
{
    va_list  args;

    if (error) {
        error->line = line;

        va_start(args, format);
        (void) vsnprintf(error->text, sizeof(error->text), format, args);
        va_end(args);
    }

    return status;
}


void *
mpk_alloc(mpk_mem_t *mem, size_t size)
{
    void  *p;

    p = mem->alloc(mem->ctx, size);
    if (p == NULL) {
        mem->failed = true;
    }

    return p;
}


void *
mpk_calloc(mpk_mem_t *mem, size_t size)
{
    void  *p;

    p = mpk_alloc(mem, size);
    if (p) {
        memset(p, 0, size);
    }

    return p;
}


mpk_status_t
mpk_dup(mpk_mem_t *mem, mpk_str_t in, mpk_str_t *out)
{
    uint8_t  *p;

    p = mpk_alloc(mem, in.len ? in.len : 1);
    if (p == NULL) {
        return MPK_NOMEM;
    }

    if (in.len) {
        memcpy(p, in.data, in.len);
    }

    out->len = in.len;
    out->data = p;

    return MPK_OK;
}


void
mpk_buf_init(mpk_buf_t *buf, mpk_mem_t *mem, size_t size)
{
    buf->data = NULL;
    buf->len = 0;
    buf->size = 0;
    buf->max = MPK_BUF_MAX;
    buf->mem = mem;
    buf->failed = false;
    buf->secret = false;

    if (size) {
        buf->data = mpk_alloc(mem, size);

        if (buf->data == NULL) {
            buf->failed = true;
            return;
        }

        buf->size = size;
    }
}


void
mpk_buf_over(mpk_buf_t *buf, mpk_mem_t *mem, uint8_t *bytes, size_t size)
{
    mpk_buf_init(buf, mem, 0);

    buf->data = bytes;
    buf->size = size;
}


uint8_t *
mpk_buf_grow(mpk_buf_t *buf, size_t len)
{
    size_t    size;
    uint8_t  *p;

    if (buf->failed || len == 0) {
        return NULL;
    }

    if (len > buf->max - buf->len) {
        buf->failed = true;
        return NULL;
    }

    if (len > buf->size - buf->len) {
        size = buf->size < 128 ? 256 : buf->size * 2;

        while (size < buf->len + len) {
            size *= 2;
        }

        if (size > buf->max) {
            size = buf->max;
        }

        p = mpk_alloc(buf->mem, size);
        if (p == NULL) {
            buf->failed = true;
            return NULL;
        }

        if (buf->len) {
            memcpy(p, buf->data, buf->len);

            if (buf->secret) {
                mpk_cleanse(buf->data, buf->len);
            }
        }

        buf->data = p;
        buf->size = size;
    }

    p = buf->data + buf->len;
    buf->len += len;

    return p;
}


void
mpk_buf_int(mpk_buf_t *buf, int64_t n)
{
    uint64_t  u;
    uint8_t   digits[20], *p;

    if (n >= 0 && n < 10) {
        mpk_buf_byte(buf, (uint8_t) ('0' + n));
        return;
    }

    u = n < 0 ? 0 - (uint64_t) n : (uint64_t) n;
    p = digits + sizeof(digits);

    do {
        *--p = (uint8_t) ('0' + u % 10);
        u /= 10;
    } while (u);

    if (n < 0) {
        mpk_buf_byte(buf, '-');
    }

    mpk_buf_put(buf, p, (size_t) (digits + sizeof(digits) - p));
}


bool
mpk_secret_eq(mpk_str_t a, mpk_str_t b)
{
    return a.len == b.len
           && (a.len == 0 || CRYPTO_memcmp(a.data, b.data, a.len) == 0);
}


void
mpk_cleanse(void *data, size_t len)
{
    OPENSSL_cleanse(data, len);
}
