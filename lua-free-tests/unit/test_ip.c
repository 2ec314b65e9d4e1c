/* IP addresses: their text, and how they are counted. */

#include <arpa/inet.h>

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


/* True if an address is counted by this one's bytes. */

static bool
counts(const char *address, const char *as)
{
    size_t     len;
    uint8_t    six[16], bytes[16], *copy;
    mpk_str_t  counted;

    len = strchr(as, ':') ? 8 : 4;
    copy = test_alloc(NULL, 16);

    if (inet_pton(AF_INET6, address, six) != 1 || inet_pton(len == 8 ? AF_INET6 : AF_INET, as, bytes) != 1) {
        return false;
    }

    memcpy(copy, six, 16);
    counted = mpk_ip_counted(copy);

    return mpk_str_eq(counted, (mpk_str_t) { len, bytes });
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
        ok(!mpk_ip_valid(str(bad[i], strlen(bad[i]))), test_shown(bad[i]));
    }

    ok(!mpk_ip_valid(str("203.0.113.7\0x", 13)), "a NUL");

    ok(counts("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"), "an IPv6 address counts as its /64");
    ok(counts("::ffff:203.0.113.7", "203.0.113.7"), "a mapped one as the IPv4 address");
    ok(counts("64:ff9b::203.0.113.7", "203.0.113.7"), "so does one behind NAT64");
    ok(counts("64:ff9b::", "0.0.0.0"), "to the first");
    ok(counts("64:ff9b:1::203.0.113.7", "64:ff9b:1::"), "but not with a prefix for local use");
    ok(counts("64:ff9b:0:0:0:1::", "64:ff9b::"), "nor outside of the /96");
    ok(counts("::203.0.113.7", "::"), "nor without a prefix");

    return done_testing();
}
