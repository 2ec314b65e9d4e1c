/* Platforms. */

#include "mpk_platform.h"


/* As people write them; the shop does so in lower case. */

static const mpk_str_t  mpk_platform_names[] = {
    [MPK_PLATFORM_OTHER] = mpk_literal(""),
    [MPK_PLATFORM_WINDOWS] = mpk_literal("Windows"),
    [MPK_PLATFORM_MACOS] = mpk_literal("macOS"),
    [MPK_PLATFORM_LINUX] = mpk_literal("Linux"),
    [MPK_PLATFORM_ANDROID] = mpk_literal("Android"),
    [MPK_PLATFORM_IOS] = mpk_literal("iOS"),
};

mpk_assert_rows(mpk_platform_names, MPK_PLATFORM_MAX);


static bool mpk_platform_is(mpk_str_t text, mpk_str_t name);
static uint8_t mpk_platform_lower(uint8_t c);


mpk_platform_t
mpk_platform_named(mpk_str_t text)
{
    unsigned  i;

    for (i = MPK_PLATFORM_OTHER + 1; i < MPK_PLATFORM_MAX; i++) {
        if (mpk_platform_is(text, mpk_platform_names[i])) {
            return i;
        }
    }

    return MPK_PLATFORM_OTHER;
}


mpk_str_t
mpk_platform_text(mpk_str_t text)
{
    mpk_platform_t  platform;

    platform = mpk_platform_named(text);

    return platform == MPK_PLATFORM_OTHER ? text : mpk_platform_names[platform];
}


static bool
mpk_platform_is(mpk_str_t text, mpk_str_t name)
{
    size_t  i;

    if (text.len != name.len) {
        return false;
    }

    for (i = 0; i < text.len; i++) {
        if (mpk_platform_lower(text.data[i]) != mpk_platform_lower(name.data[i]))
        {
            return false;
        }
    }

    return true;
}


static uint8_t
mpk_platform_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}
