/* The scripts of commits. */

#ifndef NGX_HTTP_MPK_SCRIPT_H
#define NGX_HTTP_MPK_SCRIPT_H

#include "ngx_http_mpk.h"


typedef enum {
    NGX_HTTP_MPK_SCRIPT_COMMIT,      /* a usual commit */
    NGX_HTTP_MPK_SCRIPT_MORE,        /* one with worklists, an erasure or an expiry */
    NGX_HTTP_MPK_SCRIPT_TOUCH,       /* a write that changes nothing */
    NGX_HTTP_MPK_SCRIPT_WRONG,       /* counts a wrong challenge */
    NGX_HTTP_MPK_SCRIPTS
} ngx_http_mpk_script_id_t;


/* Hashes the scripts, once. */
void ngx_http_mpk_script_init(void);

/* The text, for EVAL; what it returns and its arguments: see there. */
mpk_str_t ngx_http_mpk_script(ngx_http_mpk_script_id_t id);

/* Its hash, for EVALSHA. */
mpk_str_t ngx_http_mpk_script_sha(ngx_http_mpk_script_id_t id);


#endif /* NGX_HTTP_MPK_SCRIPT_H */
