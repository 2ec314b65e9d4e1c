/* Files that are read with the configuration. */

#include "ngx_http_mpk_file.h"

#include "ngx_mpk_secret.h"


ngx_int_t
ngx_http_mpk_file_read(ngx_conf_t *cf, ngx_str_t *name, size_t max,
    ngx_uint_t secret, ngx_str_t *content)
{
    ssize_t          n;
    size_t           size;
    ngx_file_t       file;
    const char      *remedy;
    ngx_file_info_t  fi;

    if (ngx_conf_full_name(cf->cycle, name, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memzero(&file, sizeof(ngx_file_t));

    file.name = *name;
    file.log = cf->log;

    file.fd = ngx_open_file(name->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (file.fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", name);
        return NGX_ERROR;
    }

    if (ngx_fd_info(file.fd, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_fd_info_n " \"%V\" failed", name);
        goto failed;
    }

    if (!ngx_is_file(&fi)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" is not a regular file", name);
        goto failed;
    }

    remedy = secret ? ngx_mpk_secret_exposed(file.fd, &fi, name->data) : NULL;

    if (remedy) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" holds secrets but is accessible by "
                           "others: %s", name, remedy);
        goto failed;
    }

    size = (size_t) ngx_file_size(&fi);

    if (size > max) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" has %uz bytes; the maximum is %uz",
                           name, size, max);
        goto failed;
    }

    content->data = ngx_pnalloc(cf->pool, size + 1);
    if (content->data == NULL) {
        goto failed;
    }

    n = ngx_read_file(&file, content->data, size, 0);

    if (n == NGX_ERROR || (size_t) n != size) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "reading all of \"%V\" failed", name);
        goto failed;
    }

    content->len = size;

    (void) ngx_close_file(file.fd);

    return NGX_OK;

failed:

    (void) ngx_close_file(file.fd);

    return NGX_ERROR;
}
