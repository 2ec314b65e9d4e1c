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


static bool mpk_platform_is_desktop(mpk_platform_t platform);
static bool mpk_platform_has(mpk_str_t agent, mpk_str_t word);
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


mpk_platform_t
mpk_platform_desktop(mpk_str_t hint, mpk_str_t agent)
{
    size_t          i;
    mpk_platform_t  platform;

    static const mpk_str_t  others[] = {
        mpk_literal("Android"), mpk_literal("Mobile"), mpk_literal("Tablet"),
        mpk_literal("Phone"), mpk_literal("iPad"), mpk_literal("TV"),
        mpk_literal("CrOS"), mpk_literal("Xbox"), mpk_literal("Tizen")
    };

    /* a string of RFC 8941, 3.3.3 */

    if (hint.len) {

        if (hint.len < 2 || hint.data[0] != '"'
            || hint.data[hint.len - 1] != '"')
        {
            return MPK_PLATFORM_OTHER;
        }

        platform = mpk_platform_named((mpk_str_t) { hint.len - 2,
                                                    hint.data + 1 });

        return mpk_platform_is_desktop(platform) ? platform
                                                 : MPK_PLATFORM_OTHER;
    }

    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (mpk_platform_has(agent, others[i])) {
            return MPK_PLATFORM_OTHER;
        }
    }

    if (mpk_platform_has(agent, mpk_string("Windows NT"))) {
        return MPK_PLATFORM_WINDOWS;
    }

    if (mpk_platform_has(agent, mpk_string("Macintosh"))) {
        return mpk_platform_has(agent, mpk_string(" Firefox/"))
               || mpk_platform_has(agent, mpk_string(" Chrome/"))
               ? MPK_PLATFORM_MACOS : MPK_PLATFORM_OTHER;
    }

    return mpk_platform_has(agent, mpk_string("X11;"))
           && mpk_platform_has(agent, mpk_string("Linux"))
           ? MPK_PLATFORM_LINUX : MPK_PLATFORM_OTHER;
}


bool
mpk_platform_differs(mpk_platform_t item, mpk_platform_t desktop)
{
    return mpk_platform_is_desktop(item) && mpk_platform_is_desktop(desktop)
           && item != desktop;
}


static bool
mpk_platform_is_desktop(mpk_platform_t platform)
{
    return platform == MPK_PLATFORM_WINDOWS || platform == MPK_PLATFORM_MACOS
           || platform == MPK_PLATFORM_LINUX;
}


static bool
mpk_platform_has(mpk_str_t agent, mpk_str_t word)
{
    size_t  i;

    for (i = 0; i + word.len <= agent.len; i++) {
        if (memcmp(agent.data + i, word.data, word.len) == 0) {
            return true;
        }
    }

    return false;
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
