/* The scripts of commits and of the feed. */

#ifndef NGX_HTTP_MPK_SCRIPT_H
#define NGX_HTTP_MPK_SCRIPT_H

#include "ngx_http_mpk.h"


/*
 * The score of an event that was handed out: when it is due again, in ms, times 1024, and its
 * attempts, which a double holds exactly.  A parked one is due 2^42 ms, 139 years, after it was
 * parked.
 */
#define NGX_HTTP_MPK_FEED_ATTEMPTS    1024
#define NGX_HTTP_MPK_FEED_PARKED      4398046511104

#define NGX_HTTP_MPK_SCRIPT_ATTEMPTS                                         \
    ngx_http_mpk_script_number(NGX_HTTP_MPK_FEED_ATTEMPTS)
#define NGX_HTTP_MPK_SCRIPT_PARKED                                           \
    ngx_http_mpk_script_number(NGX_HTTP_MPK_FEED_PARKED)

#define ngx_http_mpk_script_number(n)  ngx_http_mpk_script_text(n)
#define ngx_http_mpk_script_text(n)    #n

/* Nothing new is handed out in a bucket with so many events that were not acknowledged. */
#define NGX_HTTP_MPK_SCRIPT_HANDED    "10000"

/* Entries that are read at once in search of those that are wanted. */
#define NGX_HTTP_MPK_SCRIPT_READ      "256"


typedef enum {
    NGX_HTTP_MPK_SCRIPT_COMMIT,      /* a usual commit */
    NGX_HTTP_MPK_SCRIPT_MORE,        /* one with worklists, an erasure or an expiry */
    NGX_HTTP_MPK_SCRIPT_TOUCH,       /* a write that changes nothing */
    NGX_HTTP_MPK_SCRIPT_WRONG,       /* counts a wrong challenge */
    NGX_HTTP_MPK_SCRIPT_TAKE,        /* hands out a bucket's events to a group */
    NGX_HTTP_MPK_SCRIPT_MARK,        /* acknowledges, delays or parks some */
    NGX_HTTP_MPK_SCRIPTS
} ngx_http_mpk_script_id_t;


/* Hashes the scripts, once. */
void ngx_http_mpk_script_init(void);

/* The text, for EVAL; what it returns and its arguments: see there. */
mpk_str_t ngx_http_mpk_script(ngx_http_mpk_script_id_t id);

/* Its hash, for EVALSHA. */
mpk_str_t ngx_http_mpk_script_sha(ngx_http_mpk_script_id_t id);


#endif /* NGX_HTTP_MPK_SCRIPT_H */
