/* Which language a customer reads: the order's, or what the browser asks for. */

#include "ngx_http_mpk_language.h"
#include "ngx_http_mpk_request.h"


static ngx_http_mpk_language_t *ngx_http_mpk_language_accepted(
    ngx_http_mpk_pages_t *pages, ngx_str_t *accept);
static ngx_uint_t ngx_http_mpk_language_is(ngx_str_t *tag, mpk_str_t asked,
    size_t len);


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
        language = ngx_http_mpk_language_accepted(pages, accept);
        if (language) {
            return language;
        }
    }

    return pages->languages.elts;
}


ngx_http_mpk_language_t *
ngx_http_mpk_language_find(ngx_http_mpk_pages_t *pages, mpk_str_t tag)
{
    size_t                    primary;
    ngx_uint_t                i;
    ngx_http_mpk_language_t  *language, *found;

    for (primary = 0; primary < tag.len; primary++) {
        if (tag.data[primary] == '-' || tag.data[primary] == '_') {
            break;
        }
    }

    language = pages->languages.elts;
    found = NULL;

    for (i = 0; i < pages->languages.nelts; i++) {

        if (ngx_http_mpk_language_is(&language[i].tag, tag, tag.len)) {
            return &language[i];
        }

        if (ngx_http_mpk_language_is(&language[i].tag, tag, primary)) {
            found = &language[i];
        }
    }

    return found;
}


/* A locale ("de_AT") writes "_" where a language tag has "-". */

static ngx_uint_t
ngx_http_mpk_language_is(ngx_str_t *tag, mpk_str_t asked, size_t len)
{
    size_t  i;
    u_char  ch;

    if (len != tag->len) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        ch = asked.data[i] == '_' ? '-' : ngx_tolower(asked.data[i]);

        if (ch != tag->data[i]) {
            return 0;
        }
    }

    return 1;
}


/* RFC 9110, 12.5.4: the highest weight wins, the first of equals. */

static ngx_http_mpk_language_t *
ngx_http_mpk_language_accepted(ngx_http_mpk_pages_t *pages, ngx_str_t *accept)
{
    u_char                   *p, *last, *end, *tag;
    ngx_uint_t                weight, best;
    ngx_http_mpk_language_t  *language, *found;

    p = accept->data;
    last = p + accept->len;

    best = 0;
    found = NULL;

    for ( /* void */ ; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, ',');
        if (end == NULL) {
            end = last;
        }

        while (p < end && *p == ' ') {
            p++;
        }

        tag = p;

        while (p < end && *p != ';' && *p != ' ') {
            p++;
        }

        weight = ngx_http_mpk_weight(p, end);

        if (weight <= best) {
            continue;
        }

        language = ngx_http_mpk_language_find(pages,
                                              (mpk_str_t) { p - tag, tag });
        if (language) {
            found = language;
            best = weight;
        }
    }

    return found;
}
