/* The files of an mpk_pages directory: a name that nothing uses is refused. */

#ifndef NGX_HTTP_MPK_PAGES_DIRECTORY_H
#define NGX_HTTP_MPK_PAGES_DIRECTORY_H

#include "ngx_http_mpk_pages_source.h"


/*
 * Lists the directory's templates, catalogues, style and script in loader->files, and
 * checks their names.  NGX_ERROR: one can't be used; it was logged.
 */
ngx_int_t ngx_http_mpk_pages_directory(ngx_http_mpk_pages_loader_t *loader);

/* Whether a name ends so, in any case. */
ngx_uint_t ngx_http_mpk_pages_suffix(mpk_str_t name, const char *suffix);

/*
 * Remembers what a template asked for: a message, or a file whose name begins with "_".
 * Called before the two below.
 */
ngx_int_t ngx_http_mpk_pages_ask(ngx_http_mpk_pages_loader_t *loader,
    mpk_str_t name);

/* Checks that each message of the directory's catalogue in the language has a use. */
ngx_int_t ngx_http_mpk_pages_check_messages(
    ngx_http_mpk_pages_loader_t *loader);

/* Checks that each file that templates can include is included. */
ngx_int_t ngx_http_mpk_pages_check_files(ngx_http_mpk_pages_loader_t *loader);


#endif /* NGX_HTTP_MPK_PAGES_DIRECTORY_H */
