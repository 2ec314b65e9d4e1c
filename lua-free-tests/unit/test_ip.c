/* IP addresses: their text. */

#include "mpk_ip.h"
#include "test.h"


/* Exactly the text's bytes, so that AddressSanitizer detects reads past them. */

static mpk_str_t
str(const char *s, size_t len)
{
    mpk_str_t  out;

    if (mpk_dup(&test_mem, (mpk_str_t) { len, (const uint8_t *) s }, &out) != MPK_OK) {
        exit(1);
    }

    return out;
}


int
main(void)
{
    size_t  i;

    static const char  *good[] = {
        "203.0.113.7", "0.0.0.0", "255.255.255.255", "::", "::1", "2001:db8::7", "2001:DB8::A", "::ffff:203.0.113.7",
        "64:ff9b::203.0.113.7", "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"
    };

    static const char  *bad[] = {
        "", " ", "localhost", "203.0.113", "203.0.113.256", "203.0.113.07", "203.0.113.7 ", " 203.0.113.7", "203.0.113.7\n",
        "203.0.113.7, 10.0.0.1", "203.0.113.7,10.0.0.1", "203.0.113.7:443", "203.0.113.7/32", "[::1]", "fe80::1%eth0", "::1::", ":::",
        "12345::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "unknown", "0x7f.0.0.1", "2130706433"
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ok(mpk_ip_valid(str(good[i], strlen(good[i]))), good[i]);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(!mpk_ip_valid(str(bad[i], strlen(bad[i]))), bad[i]);
    }

    ok(!mpk_ip_valid(str("203.0.113.7\0x", 13)), "a NUL");

    return done_testing();
}
