/* The life of a worker. */

#ifndef NGX_HTTP_MPK_WORKER_H
#define NGX_HTTP_MPK_WORKER_H

#include "ngx_http_mpk.h"


/* Creates what a worker needs of its own, unless it has it already. */
ngx_int_t ngx_http_mpk_init_process(ngx_cycle_t *cycle);
void ngx_http_mpk_exit_process(ngx_cycle_t *cycle);


#endif /* NGX_HTTP_MPK_WORKER_H */
