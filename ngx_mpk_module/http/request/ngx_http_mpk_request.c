/* What the headers of a request say about it. */

#include "ngx_http_mpk_request.h"

#include "mpk_accept.h"
#include "mpk_form.h"


ngx_int_t
ngx_http_mpk_arg(ngx_http_request_t *r, const char *name, ngx_str_t *value)
{
    mpk_str_t            decoded;
    ngx_http_mpk_ctx_t  *ctx;

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), value) != NGX_OK) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_mpk_get_ctx(r);

    if (mpk_form_decode(&ctx->mem, ngx_http_mpk_str(value), &decoded, NULL)
        == MPK_OK)
    {
        value->data = (u_char *) decoded.data;
        value->len = decoded.len;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_mpk_wants_json(ngx_http_request_t *r)
{
    ngx_str_t  *accept;

    accept = ngx_http_mpk_get_ctx(r)->headers[NGX_HTTP_MPK_HEADER_ACCEPT];

    return accept
           && mpk_accept_rank(accept->data, accept->len,
                              mpk_string("application/json"))
              > mpk_accept_rank(accept->data, accept->len,
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
