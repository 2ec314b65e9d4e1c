/* Picks the language of a page: the order's, else the one that the browser prefers. */

#include "ngx_http_mpk_language.h"

#include "mpk_accept.h"


static ngx_http_mpk_language_t *ngx_http_mpk_language_at(
    ngx_http_mpk_pages_t *pages, size_t i);


ngx_http_mpk_language_t *
ngx_http_mpk_language(ngx_http_mpk_ctx_t *ctx, mpk_str_t locale)
{
    ngx_str_t                *accept;
    ngx_http_mpk_pages_t     *pages;
    ngx_http_mpk_language_t  *language;

    pages = ctx->mlcf->pages;

    language = ngx_http_mpk_language_find(pages, locale);
    if (language) {
        return language;
    }

    accept = ctx->headers[NGX_HTTP_MPK_HEADER_ACCEPT_LANGUAGE];

    if (accept) {
        language = ngx_http_mpk_language_at(pages,
                       mpk_accept_language(accept->data, accept->len,
                                           pages->tags,
                                           pages->languages.nelts));
        if (language) {
            return language;
        }
    }

    return pages->languages.elts;
}


ngx_http_mpk_language_t *
ngx_http_mpk_language_find(ngx_http_mpk_pages_t *pages, mpk_str_t tag)
{
    return ngx_http_mpk_language_at(pages,
               mpk_language_find(tag.data, tag.len, pages->tags,
                                 pages->languages.nelts));
}


static ngx_http_mpk_language_t *
ngx_http_mpk_language_at(ngx_http_mpk_pages_t *pages, size_t i)
{
    ngx_http_mpk_language_t  *language;

    language = pages->languages.elts;

    return i < pages->languages.nelts ? &language[i] : NULL;
}
