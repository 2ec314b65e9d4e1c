/* The outbox: a stream in each bucket, trimmed by age. */

#ifndef NGX_HTTP_MPK_OUTBOX_H
#define NGX_HTTP_MPK_OUTBOX_H

#include "ngx_http_mpk.h"


/* Starts and stops a worker's timer. */
void ngx_http_mpk_outbox_init_worker(ngx_http_mpk_main_conf_t *mmcf);
void ngx_http_mpk_outbox_exit_worker(void);


#endif /* NGX_HTTP_MPK_OUTBOX_H */
