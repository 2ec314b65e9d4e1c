/* Tokens in the address of a request. */

#include "ngx_http_mpk_address.h"


static ngx_int_t ngx_http_mpk_cut(ngx_http_request_t *r, ngx_str_t *text,
    u_char *p);


/*
 * An address can be written in many ways ("/r%2f..."): where the request is for a
 * link, and the text does not say so plainly, all of the address is cut out.
 */

ngx_int_t
ngx_http_mpk_hide(ngx_http_request_t *r, ngx_str_t *text)
{
    u_char                   *p, *found;
    ngx_str_t                *path;
    ngx_uint_t                i, secret;
    ngx_http_mpk_srv_conf_t  *mscf;

    mscf = ngx_http_get_module_srv_conf(r, ngx_http_mpk_module);

    ngx_str_t  *paths[] = {
        &mscf->reveal_path, &mscf->claim_path, &mscf->upload_path
    };

    p = NULL;
    secret = 0;

    for (i = 0; i < 3; i++) {
        path = paths[i];

        if (path->len == 0) {
            continue;
        }

        found = ngx_strnstr(text->data, (char *) path->data, text->len);

        if (found && (p == NULL || found + path->len < p)) {
            p = found + path->len;
        }

        secret |= (r->uri.len > path->len
                   && ngx_strncmp(r->uri.data, path->data, path->len) == 0);
    }

    if (p == NULL) {

        if (!secret || (r->headers_in.referer
                        && text == &r->headers_in.referer->value))
        {
            return NGX_OK;
        }

        p = ngx_strlchr(text->data, text->data + text->len, '/');
        if (p == NULL) {
            return NGX_OK;
        }
    }

    return ngx_http_mpk_cut(r, text, p);
}


/* Hides what stands in text from p to the end of the path. */

static ngx_int_t
ngx_http_mpk_cut(ngx_http_request_t *r, ngx_str_t *text, u_char *p)
{
    u_char      *q, *new, *last, *end;
    ngx_uint_t   i;

    static u_char  hidden[] = "[hidden]";

    last = text->data + text->len;
    q = last;

    for (i = 0; i < 3; i++) {
        end = memchr(p, " ?#"[i], q - p);
        if (end) {
            q = end;
        }
    }

    if (q == p) {
        return NGX_OK;
    }

    new = ngx_pnalloc(r->pool, text->len + sizeof(hidden));
    if (new == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(ngx_cpymem(new, text->data, p - text->data),
                   hidden, sizeof(hidden) - 1);
    p = ngx_cpymem(p, q, last - q);

    text->data = new;
    text->len = p - new;

    return NGX_OK;
}


ngx_int_t
ngx_http_mpk_path_token(ngx_http_request_t *r, ngx_str_t *path,
    ngx_str_t *token)
{
    if (r->uri.len <= path->len
        || ngx_strncmp(r->uri.data, path->data, path->len) != 0)
    {
        return NGX_DECLINED;
    }

    token->data = r->uri.data + path->len;
    token->len = r->uri.len - path->len;

    if (memchr(token->data, '/', token->len)) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}
