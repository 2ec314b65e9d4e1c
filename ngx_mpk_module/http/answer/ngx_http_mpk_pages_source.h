/*
 * Sources of pages: templates and message catalogues, the directory's before the built-in
 * ones.
 */

#ifndef NGX_HTTP_MPK_PAGES_SOURCE_H
#define NGX_HTTP_MPK_PAGES_SOURCE_H

#include "ngx_http_mpk.h"

#include "mpk_value.h"


/* Catalogues, in the order of lookup. */
typedef enum {
    NGX_HTTP_MPK_MESSAGES_OWN = 0,             /* the directory's, in the language */
    NGX_HTTP_MPK_MESSAGES_BUILTIN,             /* built-in, in the language */
    NGX_HTTP_MPK_MESSAGES_OWN_EN,
    NGX_HTTP_MPK_MESSAGES_BUILTIN_EN,
    NGX_HTTP_MPK_MESSAGES_MAX
} ngx_http_mpk_messages_t;


/* Pages while they are loaded. */
typedef struct {
    ngx_conf_t            *cf;
    mpk_mem_t              mem;
    ngx_str_t             *directory;          /* NULL: built-in only */
    mpk_str_t              style;
    mpk_str_t              page;               /* replaces "page" in names of messages */
    mpk_str_t              tag;                /* of the language, in lower case */
    mpk_str_t              file;               /* its catalogue in the directory; empty: none */
    ngx_array_t            files;              /* mpk_str_t: names of the directory's */
    ngx_array_t            asked;              /* mpk_str_t: what only own templates ask for */
    mpk_value_t           *messages[NGX_HTTP_MPK_MESSAGES_MAX];
} ngx_http_mpk_pages_loader_t;


/* Where to look for a file. */
#define NGX_HTTP_MPK_FILE_OWN      1
#define NGX_HTTP_MPK_FILE_BUILTIN  2
#define NGX_HTTP_MPK_FILE_ANY      3

/* NGX_DECLINED: there is none. */
ngx_int_t ngx_http_mpk_pages_file(ngx_http_mpk_pages_loader_t *loader,
    mpk_str_t name, ngx_uint_t where, mpk_str_t *content);

/* Reads the language's catalogue, the own or the built-in one, if there is one. */
ngx_int_t ngx_http_mpk_pages_messages(ngx_http_mpk_pages_loader_t *loader,
    ngx_http_mpk_messages_t which);

/* A message in the language that is loaded; data == NULL: there is none. */
mpk_str_t ngx_http_mpk_pages_message(ngx_http_mpk_pages_loader_t *loader,
    mpk_str_t name);


#endif /* NGX_HTTP_MPK_PAGES_SOURCE_H */
