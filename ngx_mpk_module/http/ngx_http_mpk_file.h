/* Files that are read with the configuration. */

#ifndef NGX_HTTP_MPK_FILE_H
#define NGX_HTTP_MPK_FILE_H

#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Reads a file of up to max bytes into cf->pool; name becomes the full name.  A file
 * with secrets must not be accessible by others.  NGX_ERROR is logged.
 */
ngx_int_t ngx_http_mpk_file_read(ngx_conf_t *cf, ngx_str_t *name, size_t max,
    ngx_uint_t secret, ngx_str_t *content);


#endif /* NGX_HTTP_MPK_FILE_H */
