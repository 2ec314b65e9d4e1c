/* Tokens in the address of a request. */

#include "ngx_http_mpk_address.h"
#include "ngx_http_mpk_mem.h"

#include "mpk_address.h"


ngx_int_t
ngx_http_mpk_hide(ngx_http_request_t *r, ngx_str_t *text, ngx_uint_t own)
{
    mpk_str_t                  hidden;
    mpk_mem_t                  mem;
    ngx_http_mpk_main_conf_t  *mmcf;

    mmcf = ngx_http_get_module_main_conf(r, ngx_http_mpk_module);

    ngx_http_mpk_mem_init(&mem, r->pool);

    /* the address of another server's link can come here, too: a redirect to https */

    if (mpk_address_hide(&mem, text->data, text->len,
                         own ? ngx_http_mpk_str(&r->uri) : mpk_string(""),
                         mmcf->paths.elts, mmcf->paths.nelts, &hidden)
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
