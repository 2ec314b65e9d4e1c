/* The shop's branding, set in its message catalogue: colours and a logo. */

#ifndef NGX_HTTP_MPK_BRAND_H
#define NGX_HTTP_MPK_BRAND_H

#include "ngx_http_mpk_pages_source.h"


/* Sets loader->style: style.css followed by the catalogue's colours. */
ngx_int_t ngx_http_mpk_brand_style(ngx_http_mpk_pages_loader_t *loader);

/* The Content-Security-Policy's part for the logo: the same site, another one, or data. */
ngx_int_t ngx_http_mpk_brand_logo(ngx_http_mpk_pages_loader_t *loader,
    mpk_str_t *policy);


#endif /* NGX_HTTP_MPK_BRAND_H */
