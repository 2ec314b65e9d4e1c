/* How many orders the worklists have, and since when: for the metrics. */

#ifndef NGX_HTTP_MPK_WORKLISTS_H
#define NGX_HTTP_MPK_WORKLISTS_H

#include "ngx_http_mpk_stats.h"


/* The end of a worklist's keys. */
extern const char *const  ngx_http_mpk_worklist_keys[NGX_HTTP_MPK_WORKLIST_MAX];

/* Starts and stops the timer that reads them, in each worker. */
void ngx_http_mpk_worklists_init_worker(ngx_http_mpk_main_conf_t *mmcf);
void ngx_http_mpk_worklists_exit_worker(void);

/*
 * Drops an entry that should not be there, in the background: not if it was added anew
 * since it was read.  what: the end of the list's key; at: the entry's time, ms.
 */
void ngx_http_mpk_worklists_drop(ngx_http_mpk_main_conf_t *mmcf,
    mpk_str_t order, const char *what, mpk_str_t member, int64_t at);

/* A commit has changed a list of this order's bucket: it is read within a second. */
void ngx_http_mpk_worklists_changed(ngx_http_mpk_main_conf_t *mmcf,
    mpk_str_t order);


#endif /* NGX_HTTP_MPK_WORKLISTS_H */
