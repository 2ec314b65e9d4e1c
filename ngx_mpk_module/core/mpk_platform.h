/* Platforms, as the shop names them. */

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


#endif /* MPK_PLATFORM_H */
