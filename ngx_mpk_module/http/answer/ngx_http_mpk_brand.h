/* What a shop makes its own by a few messages: colours and a logo. */

#ifndef NGX_HTTP_MPK_BRAND_H
#define NGX_HTTP_MPK_BRAND_H

#include "ngx_http_mpk_pages_source.h"


/* loader->style: style.css, and behind it the colours that the catalogue has. */
ngx_int_t ngx_http_mpk_brand_style(ngx_http_mpk_pages_loader_t *loader);

/* The policy's part for the shop's logo: its own site, another one, or data. */
ngx_int_t ngx_http_mpk_brand_logo(ngx_http_mpk_pages_loader_t *loader,
    mpk_str_t *policy);


#endif /* NGX_HTTP_MPK_BRAND_H */
