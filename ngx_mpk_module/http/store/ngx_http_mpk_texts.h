/* The words of consents in Redis, by the hash that the journal has of them. */

#ifndef NGX_HTTP_MPK_TEXTS_H
#define NGX_HTTP_MPK_TEXTS_H

#include "ngx_http_mpk_batch.h"


/* Writes the words of this edge's pages, in the background, unless they are there. */
void ngx_http_mpk_texts_write(ngx_http_mpk_main_conf_t *mmcf);

/* Sends the command that reads the words with these n hashes. */
void ngx_http_mpk_texts_ask(ngx_http_mpk_batch_t *batch,
    const mpk_str_t *hashes, ngx_uint_t n);

/* The words with hash i of its reply; empty: they are not there, or are others. */
mpk_str_t ngx_http_mpk_texts_read(ngx_http_mpk_main_conf_t *mmcf,
    const ngx_mpk_redis_cmd_t *cmd, ngx_uint_t i, mpk_str_t hash);


#endif /* NGX_HTTP_MPK_TEXTS_H */
