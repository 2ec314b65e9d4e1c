/* What the headers of a request say about it. */

#include "ngx_http_mpk_request.h"


static ngx_uint_t ngx_http_mpk_accept_q(ngx_str_t *accept, const char *type);


ngx_uint_t
ngx_http_mpk_wants_json(ngx_http_request_t *r)
{
    ngx_str_t   *accept;
    ngx_uint_t   json;

    accept = ngx_http_mpk_get_ctx(r)->headers[NGX_HTTP_MPK_HEADER_ACCEPT];
    if (accept == NULL) {
        return 0;
    }

    json = ngx_http_mpk_accept_q(accept, "application/json");

    return json && json > ngx_http_mpk_accept_q(accept, "text/html");
}


/* The weight of a media type; ranges like text/<*> do not count. */

static ngx_uint_t
ngx_http_mpk_accept_q(ngx_str_t *accept, const char *type)
{
    u_char  *p, *last, *end;
    size_t   len;

    len = ngx_strlen(type);
    p = accept->data;
    last = p + accept->len;

    for ( /* void */ ; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, ',');
        if (end == NULL) {
            end = last;
        }

        while (p < end && *p == ' ') {
            p++;
        }

        if ((size_t) (end - p) < len
            || ngx_strncasecmp(p, (u_char *) type, len) != 0
            || (p + len < end && p[len] != ';' && p[len] != ' '))
        {
            continue;
        }

        return ngx_http_mpk_weight(p + len, end);
    }

    return 0;
}


ngx_uint_t
ngx_http_mpk_weight(u_char *p, u_char *last)
{
    ngx_uint_t  i, n, scale;

    p = ngx_strlcasestrn(p, last, (u_char *) "q=", 2 - 1);

    if (p == NULL) {
        return 1000;
    }

    p += 2;

    n = (p < last && *p == '1') ? 1000 : 0;
    p++;

    if (p < last && *p == '.') {
        p++;

        for (i = 0, scale = 100; i < 3 && p < last; i++, scale /= 10) {

            if (*p < '0' || *p > '9') {
                break;
            }

            n += (*p++ - '0') * scale;
        }
    }

    return ngx_min(n, 1000);
}


ngx_uint_t
ngx_http_mpk_is_prefetch(ngx_http_request_t *r)
{
    ngx_str_t           *value;
    ngx_uint_t           name, i;
    ngx_http_mpk_ctx_t  *ctx;

    static ngx_str_t  purposes[] = {
        ngx_string("prefetch"), ngx_string("prerender"), ngx_string("preview")
    };

    ctx = ngx_http_mpk_get_ctx(r);

    for (name = NGX_HTTP_MPK_HEADER_SEC_PURPOSE;
         name <= NGX_HTTP_MPK_HEADER_X_MOZ;
         name++)
    {
        value = ctx->headers[name];
        if (value == NULL) {
            continue;
        }

        for (i = 0; i < sizeof(purposes) / sizeof(ngx_str_t); i++) {
            if (ngx_strlcasestrn(value->data, value->data + value->len,
                                 purposes[i].data, purposes[i].len - 1))
            {
                return 1;
            }
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_mpk_is_foreign(ngx_http_request_t *r)
{
    ngx_str_t           *site, *origin, *url;
    ngx_http_mpk_ctx_t  *ctx;

    ctx = ngx_http_mpk_get_ctx(r);
    site = ctx->headers[NGX_HTTP_MPK_HEADER_SEC_FETCH_SITE];

    if (site && ngx_http_mpk_is(site, "cross-site")) {
        return 1;
    }

    origin = ctx->headers[NGX_HTTP_MPK_HEADER_ORIGIN];

    if (origin == NULL || ngx_http_mpk_is(origin, "null")) {
        return 0;
    }

    url = &ctx->mscf->public_url;

    return origin->len != url->len
           || ngx_strncasecmp(origin->data, url->data, origin->len) != 0;
}
