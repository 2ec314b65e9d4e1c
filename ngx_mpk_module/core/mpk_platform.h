/* Platforms: as the shop names them, and as far as a browser tells its own. */

#ifndef MPK_PLATFORM_H
#define MPK_PLATFORM_H

#include "mpk.h"


typedef enum {
    MPK_PLATFORM_OTHER = 0,      /* any text, or unknown */
    MPK_PLATFORM_WINDOWS,
    MPK_PLATFORM_MACOS,
    MPK_PLATFORM_LINUX,
    MPK_PLATFORM_ANDROID,
    MPK_PLATFORM_IOS,
    MPK_PLATFORM_MAX
} mpk_platform_t;

/* The platform that an item's "platform" names ("windows"): exactly, in any case. */
mpk_platform_t mpk_platform_named(mpk_str_t text);

/* The name of that platform as people write it ("Windows"), or text itself. */
mpk_str_t mpk_platform_text(mpk_str_t text);

/*
 * The desktop platform that a browser runs on.  hint is the value of Sec-CH-UA-Platform (User-Agent
 * Client Hints, 3.6), which decides where it is sent; else User-Agent does.  Whatever may be a
 * phone, a tablet or a television is OTHER: an iPad calls itself a Mac, so that a Mac is believed
 * only of a browser that no iPad has.
 */
mpk_platform_t mpk_platform_desktop(mpk_str_t hint, mpk_str_t agent);

/* Whether something for "item" is looked at on another platform: both are desktops. */
bool mpk_platform_differs(mpk_platform_t item, mpk_platform_t desktop);


#endif /* MPK_PLATFORM_H */
