/* The shop's branding, set in its message catalogue: colours and a logo. */

#include "ngx_http_mpk_brand.h"

/* the same condition as in style.css */
#define NGX_HTTP_MPK_DARK  "@media screen and (prefers-color-scheme: dark)"


ngx_int_t
ngx_http_mpk_brand_style(ngx_http_mpk_pages_loader_t *loader)
{
    size_t      n;
    mpk_buf_t   buf;
    mpk_str_t   style, color;
    ngx_uint_t  i;

    static const struct {
        mpk_str_t    message;
        mpk_str_t    before;
        mpk_str_t    after;
    } colors[] = {
        { mpk_literal("color.accent"),
          mpk_literal(":root{--accent: "), mpk_literal("}\n") },
        { mpk_literal("color.on_accent"),
          mpk_literal(":root{--on-accent: "), mpk_literal("}\n") },
        { mpk_literal("color.accent_dark"),
          mpk_literal(NGX_HTTP_MPK_DARK "{ :root{--accent: "),
          mpk_literal("} }\n") },
        { mpk_literal("color.on_accent_dark"),
          mpk_literal(NGX_HTTP_MPK_DARK "{ :root{--on-accent: "),
          mpk_literal("} }\n") },
    };

    if (ngx_http_mpk_pages_file(loader, mpk_string("style.css"),
                                NGX_HTTP_MPK_FILE_ANY, &style)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    mpk_buf_init(&buf, &loader->mem, style.len + 512);
    mpk_buf_str(&buf, style);

    for (i = 0; i < sizeof(colors) / sizeof(colors[0]); i++) {

        color = ngx_http_mpk_pages_message(loader, colors[i].message);

        if (color.len == 0) {
            continue;
        }

        for (n = 0; n < color.len; n++) {
            if (ngx_strchr("#(),.% -", color.data[n]) == NULL
                && !(color.data[n] >= '0' && color.data[n] <= '9')
                && !((color.data[n] | 0x20) >= 'a'
                     && (color.data[n] | 0x20) <= 'z'))
            {
                ngx_conf_log_error(NGX_LOG_EMERG, loader->cf, 0,
                                   "en.json: \"%*s\" is not a CSS colour, "
                                   "e.g. \"#1f4fc9\"", colors[i].message.len,
                                   colors[i].message.data);
                return NGX_ERROR;
            }
        }

        mpk_buf_str(&buf, colors[i].before);
        mpk_buf_str(&buf, color);
        mpk_buf_str(&buf, colors[i].after);
    }

    loader->style = mpk_buf_done(&buf);

    return buf.failed ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_http_mpk_brand_logo(ngx_http_mpk_pages_loader_t *loader,
    mpk_str_t *policy)
{
    size_t     i, begin;
    mpk_buf_t  buf;
    mpk_str_t  logo;

    logo = ngx_http_mpk_pages_message(loader, mpk_string("shop.logo"));

    *policy = mpk_string("");

    if (logo.len == 0) {
        return NGX_OK;
    }

    if (logo.data[0] == '/') {
        *policy = mpk_string("img-src 'self'; ");
        return NGX_OK;
    }

    if (ngx_http_mpk_begins(&logo, "data:image/")
        && logo.len > sizeof("data:image/") - 1)
    {
        *policy = mpk_string("img-src data:; ");
        return NGX_OK;
    }

    if (ngx_http_mpk_begins(&logo, "https://")) {

        begin = sizeof("https://") - 1;

        for (i = begin; i < logo.len && logo.data[i] != '/'; i++) {
            if (logo.data[i] <= ' ' || logo.data[i] == ';'
                || logo.data[i] == ',' || logo.data[i] >= 0x7f)
            {
                goto invalid;
            }
        }

        if (i == begin) {
            goto invalid;
        }

        mpk_buf_init(&buf, &loader->mem, i + 16);
        mpk_buf_lit(&buf, "img-src ");
        mpk_buf_put(&buf, logo.data, i);
        mpk_buf_lit(&buf, "; ");

        *policy = mpk_buf_done(&buf);

        return buf.failed ? NGX_ERROR : NGX_OK;
    }

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, loader->cf, 0,
                       "en.json: \"shop.logo\" must be a path, an https:// "
                       "address or a data:image/ one");
    return NGX_ERROR;
}
