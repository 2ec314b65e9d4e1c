/* What the Redis user must be allowed to do. */

#ifndef NGX_HTTP_MPK_RIGHTS_H
#define NGX_HTTP_MPK_RIGHTS_H

#include "ngx_http_mpk.h"


/*
 * A script without keys that tries each command once, on a key that does not exist, and
 * leaves nothing behind.  It returns the error NOPERM for one that is not allowed.
 */
extern const mpk_str_t  ngx_http_mpk_rights;


#endif /* NGX_HTTP_MPK_RIGHTS_H */
