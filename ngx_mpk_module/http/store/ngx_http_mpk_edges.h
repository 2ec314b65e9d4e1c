/* Edges tell each other which keys they have loaded. */

#ifndef NGX_HTTP_MPK_EDGES_H
#define NGX_HTTP_MPK_EDGES_H

#include "ngx_http_mpk.h"


/* Starts and stops a worker's timer. */
void ngx_http_mpk_edges_init_worker(ngx_http_mpk_main_conf_t *mmcf);
void ngx_http_mpk_edges_exit_worker(void);


#endif /* NGX_HTTP_MPK_EDGES_H */
