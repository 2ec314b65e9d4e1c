/*
 * ngx_mpk_assert(): a condition that only a bug of ours makes false.  Compiled in with
 * -DNGX_MPK_ASSERT=1, as "make debug" and "make test-asan" do; not with NGX_DEBUG, which
 * distributions set in the nginx they ship: a worker in production must not abort.
 */

#ifndef NGX_MPK_ASSERT_H
#define NGX_MPK_ASSERT_H

#include <ngx_config.h>
#include <ngx_core.h>


#ifndef NGX_MPK_ASSERT
#define NGX_MPK_ASSERT  0
#endif


#if (NGX_MPK_ASSERT)

#define ngx_mpk_assert(condition)                                            \
    do {                                                                     \
        if (!(condition)) {                                                  \
            ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,                  \
                          "assertion \"%s\" failed in %s() at %s:%d",        \
                          #condition, __func__, __FILE__, __LINE__);         \
            abort();                                                         \
        }                                                                    \
    } while (0)

#else

#define ngx_mpk_assert(condition)  ((void) sizeof(!(condition)))

#endif


#endif /* NGX_MPK_ASSERT_H */
