/* Platforms: names, and what a browser tells. */

#include "mpk_platform.h"
#include "test.h"


/* A copy, so that AddressSanitizer checks its end. */

static mpk_str_t
str(const char *s)
{
    mpk_str_t  out;

    if (mpk_dup(&test_mem, (mpk_str_t) { strlen(s), (const uint8_t *) s }, &out) != MPK_OK) {
        exit(1);
    }

    return out;
}


static void
test_names(void)
{
    size_t  i;

    static const struct {
        const char      *text;
        mpk_platform_t   platform;
        const char      *name;
    } names[] = {
        { "windows", MPK_PLATFORM_WINDOWS, "Windows" }, { "MacOS", MPK_PLATFORM_MACOS, "macOS" }, { "linux", MPK_PLATFORM_LINUX, "Linux" },
        { "android", MPK_PLATFORM_ANDROID, "Android" }, { "IOS", MPK_PLATFORM_IOS, "iOS" },
        { "", MPK_PLATFORM_OTHER, "" }, { "window", MPK_PLATFORM_OTHER, "window" }, { "Windows 11 PC", MPK_PLATFORM_OTHER, "Windows 11 PC" },
        { "windows ", MPK_PLATFORM_OTHER, "windows " }, { "\x17indows", MPK_PLATFORM_OTHER, "\x17indows" },
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        ok(mpk_platform_named(str(names[i].text)) == names[i].platform
           && mpk_str_eq(mpk_platform_text(str(names[i].text)), str(names[i].name)), names[i].name);
    }
}


static void
test_desktop(void)
{
    size_t  i;

    static const char  windows[] = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36";

    static const struct {
        const char      *hint;
        const char      *agent;
        mpk_platform_t   desktop;
        const char      *name;
    } browsers[] = {
        { "", windows, MPK_PLATFORM_WINDOWS, "Windows" },
        { "", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0", MPK_PLATFORM_WINDOWS, "Firefox on it" },
        { "", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:132.0) Gecko/20100101 Firefox/132.0", MPK_PLATFORM_MACOS, "a Mac with Firefox" },
        { "", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
          MPK_PLATFORM_MACOS, "a Mac with Chrome" },
        { "", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15",
          MPK_PLATFORM_OTHER, "Safari on a Mac or on an iPad" },
        { "", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/130 Version/11.1.1 Safari/605.1.15",
          MPK_PLATFORM_OTHER, "Chrome on an iPad that calls itself a Mac" },
        { "", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/132.0 Safari/605.1.15",
          MPK_PLATFORM_OTHER, "Firefox on an iPad" },
        { "", "Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1.2 Mobile/15E148 Safari/604.1",
          MPK_PLATFORM_OTHER, "an old iPad" },
        { "", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
          MPK_PLATFORM_OTHER, "an iPhone" },
        { "", "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36",
          MPK_PLATFORM_OTHER, "Android" },
        { "", "Mozilla/5.0 (Android 14; Tablet; rv:132.0) Gecko/132.0 Firefox/132.0", MPK_PLATFORM_OTHER, "a tablet" },
        { "", "Mozilla/5.0 (Windows Phone 10.0; Android 6.0.1) AppleWebKit/537.36 Edge/15", MPK_PLATFORM_OTHER, "a Windows phone" },
        { "", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox One) AppleWebKit/537.36 Edge/44", MPK_PLATFORM_OTHER, "a console" },
        { "", "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0", MPK_PLATFORM_LINUX, "Linux" },
        { "", "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36", MPK_PLATFORM_OTHER, "a Chromebook" },
        { "", "Mozilla/5.0 (Linux; Tizen 2.3) AppleWebKit/538.1 SamsungBrowser", MPK_PLATFORM_OTHER, "a television" },
        { "", "Mozilla/5.0 (X11; FreeBSD amd64; rv:132.0) Gecko/20100101 Firefox/132.0", MPK_PLATFORM_OTHER, "what is none of them" },
        { "", "curl/8.10.1", MPK_PLATFORM_OTHER, "a program" },
        { "", "", MPK_PLATFORM_OTHER, "nothing is told" },
        { "", "Windows N", MPK_PLATFORM_OTHER, "a part" },
        { "\"Windows\"", "", MPK_PLATFORM_WINDOWS, "the hint says Windows" },
        { "\"macOS\"", windows, MPK_PLATFORM_MACOS, "over User-Agent" },
        { "\"Linux\"", "Mozilla/5.0 (iPad)", MPK_PLATFORM_LINUX, "whatever that says" },
        { "\"Android\"", windows, MPK_PLATFORM_OTHER, "a phone that asks for the page of PCs" },
        { "\"iOS\"", windows, MPK_PLATFORM_OTHER, "no desktop" },
        { "\"Chrome OS\"", windows, MPK_PLATFORM_OTHER, "another system" },
        { "\"Unknown\"", windows, MPK_PLATFORM_OTHER, "unknown" },
        { "\"\"", windows, MPK_PLATFORM_OTHER, "empty" },
        { "\"", windows, MPK_PLATFORM_OTHER, "half a string" },
        { "Windows", windows, MPK_PLATFORM_OTHER, "no string" },
        { "\"Windows", windows, MPK_PLATFORM_OTHER, "without its end" },
    };

    for (i = 0; i < sizeof(browsers) / sizeof(browsers[0]); i++) {
        ok(mpk_platform_desktop(str(browsers[i].hint), str(browsers[i].agent)) == browsers[i].desktop, browsers[i].name);
    }
}


static void
test_differs(void)
{
    unsigned  a, b, differ;

    for (a = 0, differ = 0; a < MPK_PLATFORM_MAX; a++) {
        for (b = 0; b < MPK_PLATFORM_MAX; b++) {
            differ += mpk_platform_differs(a, b);
        }
    }

    ok(differ == 6 && mpk_platform_differs(MPK_PLATFORM_WINDOWS, MPK_PLATFORM_MACOS) && mpk_platform_differs(MPK_PLATFORM_LINUX, MPK_PLATFORM_WINDOWS)
       && !mpk_platform_differs(MPK_PLATFORM_LINUX, MPK_PLATFORM_LINUX), "three desktop platforms differ, and nothing else does");
}


int
main(void)
{
    test_names();
    test_desktop();
    test_differs();

    return done_testing();
}
