/* Buffers: content is kept wherever they start and however they grow. */

#include "test.h"


static void
test_over(void)
{
    size_t     i;
    bool       same;
    uint8_t    bytes[8];
    mpk_buf_t  buf;

    mpk_buf_over(&buf, &test_mem, bytes, sizeof(bytes));

    mpk_buf_lit(&buf, "12345678");
    ok(buf.data == bytes && !buf.failed,
       "as many bytes as the caller has are the caller's");

    mpk_buf_byte(&buf, '9');
    ok(buf.data != bytes && buf.size > sizeof(bytes)
       && mpk_str_eq(mpk_buf_done(&buf), mpk_string("123456789"))
       && memcmp(bytes, "12345678", 8) == 0,
       "one more moves all of them, and writes over none");

    for (i = 0; i < 5000; i++) {
        mpk_buf_byte(&buf, (uint8_t) i);
    }

    same = buf.len == 5009;

    for (i = 0; i < 5000 && same; i++) {
        same = buf.data[9 + i] == (uint8_t) i;
    }

    ok(same && !buf.failed, "it grows on from there");
}


static void
test_bounds(void)
{
    uint8_t    bytes[8];
    mpk_buf_t  buf;

    mpk_buf_over(&buf, &test_mem, bytes, sizeof(bytes));
    buf.max = 10;

    ok(mpk_buf_grow(&buf, 10) && buf.size == 10,
       "a buffer grows up to its max");

    mpk_buf_byte(&buf, 'x');
    ok(buf.failed && buf.len == 10, "and fails at one byte more");

    mpk_buf_over(&buf, &test_mem, bytes, sizeof(bytes));
    ok(mpk_buf_grow(&buf, buf.max + 1) == NULL && buf.failed
       && mpk_buf_grow(&buf, 1) == NULL,
       "a failed buffer stays failed");
}


static void
test_secret(void)
{
    uint8_t    bytes[8], zeros[8];
    mpk_buf_t  buf;

    memset(zeros, 0, sizeof(zeros));

    mpk_buf_over(&buf, &test_mem, bytes, sizeof(bytes));
    buf.secret = true;

    mpk_buf_lit(&buf, "12345678");
    mpk_buf_byte(&buf, '9');

    ok(mpk_str_eq(mpk_buf_done(&buf), mpk_string("123456789"))
       && memcmp(bytes, zeros, 8) == 0,
       "a secret that moves leaves nothing behind");
}


static void
test_ints(void)
{
    size_t     i;
    bool       good;
    mpk_buf_t  buf;

    static const struct {
        int64_t      n;
        const char  *text;
    } ints[] = {
        { 0, "0" }, { 9, "9" }, { 10, "10" }, { -1, "-1" },
        { 1700000000, "1700000000" },
        { INT64_MAX, "9223372036854775807" },
        { INT64_MIN, "-9223372036854775808" },
    };

    good = true;

    for (i = 0; i < sizeof(ints) / sizeof(ints[0]); i++) {
        mpk_buf_init(&buf, &test_mem, 0);
        mpk_buf_int(&buf, ints[i].n);
        good = good && buf.len == strlen(ints[i].text)
               && memcmp(buf.data, ints[i].text, buf.len) == 0;
    }

    ok(good, "integers are written in decimal, the least and the greatest too");
}


int
main(void)
{
    test_over();
    test_bounds();
    test_secret();
    test_ints();

    return done_testing();
}
