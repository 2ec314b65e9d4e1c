/* What the headers of a request say about it. */

#include "ngx_http_mpk_request.h"

#include "mpk_accept.h"


ngx_uint_t
ngx_http_mpk_wants_json(ngx_http_request_t *r)
{
    unsigned    json;
    ngx_str_t  *accept;

    accept = ngx_http_mpk_get_ctx(r)->headers[NGX_HTTP_MPK_HEADER_ACCEPT];
    if (accept == NULL) {
        return 0;
    }

    json = mpk_accept_weight(accept->data, accept->len,
                             mpk_string("application/json"));

    return json && json > mpk_accept_weight(accept->data, accept->len,
                                            mpk_string("text/html"));
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
ngx_http_mpk_is_embedded(ngx_http_request_t *r)
{
    ngx_str_t  *dest;

    dest = ngx_http_mpk_get_ctx(r)->headers[NGX_HTTP_MPK_HEADER_SEC_FETCH_DEST];

    return dest && !ngx_http_mpk_is(dest, "document");
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
