/* What an item fits: how it is written, and which URLs are links. */

#include "mpk_fit.h"
#include "test.h"


static mpk_str_t
str(const char *s)
{
    return (mpk_str_t) { strlen(s), (const uint8_t *) s };
}


/* A copy without a byte behind it, so that AddressSanitizer checks its end. */

static bool
valid(const char *url)
{
    mpk_str_t  copy;

    if (mpk_dup(&test_mem, str(url), &copy) != MPK_OK) {
        exit(1);
    }

    return mpk_url_valid(copy);
}


static void
test_urls(void)
{
    size_t  i;
    char    one[] = "https://example.com/x";

    static const char  *good[] = {
        "https://example.com", "http://example.com/", "HTTPS://example.com", "hTTp://1", "https://a/b@c", "https://a?b@c#@",
        "https://[2001:db8::1]:8443/activate?product=a&lang=de#top", "https://xn--bcher-kva.example/%C3%BC",
    };

    static const char  *bad[] = {
        "", "h", "https:/", "https://", "http://", "https:///x", "https://?x", "https://#x", "https://:80/", "https://.x", "https://-x",
        "https://@x", "ftp://example.com", "javascript:alert(1)", "data:text/html,x", "//example.com", "/activate", "example.com",
        "https//example.com", "httpss://example.com", "http@//example.com", "https\x1a//example.com", "https:\x0f\x0f" "example.com",
        "https://shop.example@evil.example/", "https://ann:secret@example.com", " https://example.com", "https://example.com ",
        "https://b\xc3\xbc" "cher.example/",
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ok(valid(good[i]), good[i]);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(!valid(bad[i]), "no link");
    }

    for (i = 1; i < 256; i++) {
        one[sizeof(one) - 2] = (char) i;

        if (valid(one) != (i > ' ' && i < 0x7f && !strchr("\"<>\\^`{|}", (int) i))) {
            ok(0, "a byte that no URL has is refused");
        }
    }

    ok(!mpk_url_valid((mpk_str_t) { 10, (const uint8_t *) "https://a\0" }), "nor a NUL");
}


static void
test_write(void)
{
    mpk_buf_t  out;

    static const mpk_str_t  fit[MPK_FIT_MAX] = {
        [MPK_FIT_PLATFORM] = mpk_literal("macos"), [MPK_FIT_SUPPORT_URL] = mpk_literal("u"),
    };

    mpk_buf_init(&out, &test_mem, 0);
    mpk_fit_write(NULL, 1, &out);
    ok(out.len == 0, "nothing is written of an item that says nothing");
    mpk_fit_write(fit, 3, &out);
    ok(mpk_str_eq(mpk_buf_done(&out), str("\3\1\5macos\3\5\1u")), "each text is, with the item and a tag that never changes");
}


int
main(void)
{
    test_urls();
    test_write();

    return done_testing();
}
