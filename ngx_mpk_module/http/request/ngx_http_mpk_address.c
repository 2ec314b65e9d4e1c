/* Tokens in the address of a request. */

#include "ngx_http_mpk_address.h"
#include "ngx_http_mpk_mem.h"

#include "mpk_address.h"


ngx_int_t
ngx_http_mpk_hide(ngx_http_request_t *r, ngx_str_t *text)
{
    mpk_str_t                 uri, hidden;
    mpk_mem_t                 mem;
    ngx_http_mpk_srv_conf_t  *mscf;

    mscf = ngx_http_get_module_srv_conf(r, ngx_http_mpk_module);

    mpk_str_t  paths[] = {
        ngx_http_mpk_str(&mscf->reveal_path),
        ngx_http_mpk_str(&mscf->claim_path),
        ngx_http_mpk_str(&mscf->upload_path)
    };

    uri = ngx_http_mpk_str(&r->uri);

    /* a Referer is another request's address */

    if (r->headers_in.referer && text == &r->headers_in.referer->value) {
        uri.len = 0;
    }

    ngx_http_mpk_mem_init(&mem, r->pool);

    if (mpk_address_hide(&mem, text->data, text->len, uri, paths, 3,
                         &hidden)
        != MPK_OK)
    {
        return NGX_ERROR;
    }

    text->len = hidden.len;
    text->data = (u_char *) hidden.data;

    return NGX_OK;
}


ngx_int_t
ngx_http_mpk_path_token(ngx_http_request_t *r, ngx_str_t *path,
    ngx_str_t *token)
{
    mpk_str_t  found;

    if (!mpk_address_token(r->uri.data, r->uri.len, ngx_http_mpk_str(path),
                           &found))
    {
        return NGX_DECLINED;
    }

    token->len = found.len;
    token->data = (u_char *) found.data;

    return NGX_OK;
}
