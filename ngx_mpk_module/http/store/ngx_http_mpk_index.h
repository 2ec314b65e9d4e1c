/* Lists of orders, by account and by what is to be done: they forget expired orders. */

#ifndef NGX_HTTP_MPK_INDEX_H
#define NGX_HTTP_MPK_INDEX_H

#include "ngx_http_mpk_batch.h"

#define NGX_HTTP_MPK_INDEX_ARGS  8


/*
 * Builds the command that adds an order to the index of an account, and with
 * mpk_retention drops what has expired; bought: seconds.  The number of arguments.
 */
ngx_uint_t ngx_http_mpk_index_add(ngx_http_mpk_main_conf_t *mmcf,
    mpk_mem_t *mem, mpk_str_t key, mpk_str_t order, int64_t bought,
    mpk_str_t argv[NGX_HTTP_MPK_INDEX_ARGS]);

/* With mpk_retention: adds to the batch the command that drops what has expired. */
void ngx_http_mpk_index_expire(ngx_http_mpk_main_conf_t *mmcf,
    ngx_http_mpk_batch_t *batch, mpk_str_t key);


#endif /* NGX_HTTP_MPK_INDEX_H */
