/*
 * What a browser tells of its platform: Sec-CH-UA-Platform, a newline, User-Agent.  Only
 * desktop platforms come of it; a hint decides alone.
 */

#include "fuzz.h"
#include "mpk_platform.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mpk_str_t        hint, agent, name;
    mpk_platform_t   desktop;
    const uint8_t   *end;

    end = size ? memchr(data, '\n', size) : NULL;

    hint = (mpk_str_t) { end ? (size_t) (end - data) : 0, data };
    agent = end ? (mpk_str_t) { size - hint.len - 1, end + 1 } : (mpk_str_t) { size, data };

    desktop = mpk_platform_desktop(hint, agent);

    must(desktop == MPK_PLATFORM_OTHER || desktop == MPK_PLATFORM_WINDOWS || desktop == MPK_PLATFORM_MACOS
         || desktop == MPK_PLATFORM_LINUX);
    must(!mpk_platform_differs(desktop, desktop));
    must(!mpk_platform_differs(MPK_PLATFORM_ANDROID, desktop) && !mpk_platform_differs(MPK_PLATFORM_IOS, desktop));

    if (hint.len) {
        must(desktop == mpk_platform_desktop(hint, mpk_string("")));
    }

    if (hint.len > 2 && desktop != MPK_PLATFORM_OTHER) {
        must(mpk_platform_named((mpk_str_t) { hint.len - 2, hint.data + 1 }) == desktop);
    }

    name = mpk_platform_text(agent);
    must(name.len == agent.len);

    fuzz_free_all();

    return 0;
}
