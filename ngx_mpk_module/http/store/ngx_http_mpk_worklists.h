/* How many orders the worklists have, and since when: for the metrics. */

#ifndef NGX_HTTP_MPK_WORKLISTS_H
#define NGX_HTTP_MPK_WORKLISTS_H

#include "ngx_http_mpk_stats.h"


/* The end of a worklist's keys. */
extern const char *const  ngx_http_mpk_worklist_keys[NGX_HTTP_MPK_WORKLIST_MAX];

/* Starts and stops the timer that reads them, in each worker. */
void ngx_http_mpk_worklists_init_worker(ngx_http_mpk_main_conf_t *mmcf);
void ngx_http_mpk_worklists_exit_worker(void);

/* A commit has changed a list of this order's bucket: it is read within a second. */
void ngx_http_mpk_worklists_changed(ngx_http_mpk_main_conf_t *mmcf,
    mpk_str_t order);


#endif /* NGX_HTTP_MPK_WORKLISTS_H */
