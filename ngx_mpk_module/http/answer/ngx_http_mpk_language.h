/* The language of an answer. */

#ifndef NGX_HTTP_MPK_LANGUAGE_H
#define NGX_HTTP_MPK_LANGUAGE_H

#include "ngx_http_mpk_pages.h"


/*
 * The locale's language, if there are pages in it (an empty one names none), else the
 * one that Accept-Language prefers, else English.
 */
ngx_http_mpk_language_t *ngx_http_mpk_language(ngx_http_mpk_ctx_t *ctx,
    mpk_str_t locale);

/* The language with this tag, or with its primary subtag ("de" for "de-AT"); or NULL. */
ngx_http_mpk_language_t *ngx_http_mpk_language_find(
    ngx_http_mpk_pages_t *pages, mpk_str_t tag);


#endif /* NGX_HTTP_MPK_LANGUAGE_H */
