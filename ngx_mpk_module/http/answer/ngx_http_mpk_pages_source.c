/*
 * Sources of pages: templates and message catalogues, the directory's before the built-in
 * ones.
 */

#include "ngx_http_mpk_pages_source.h"
#include "ngx_http_mpk_file.h"

#include "mpk_pages_data.h"

#define NGX_HTTP_MPK_PAGE_FILE_MAX  262144     /* bytes of one file */


ngx_int_t
ngx_http_mpk_pages_file(ngx_http_mpk_pages_loader_t *loader, mpk_str_t name,
    ngx_uint_t where, mpk_str_t *content)
{
    u_char           *p;
    ngx_str_t         path, text;
    ngx_uint_t        i;
    ngx_file_info_t   fi;

    if (loader->directory && (where & NGX_HTTP_MPK_FILE_OWN)) {

        path.len = loader->directory->len + 1 + name.len;
        path.data = ngx_pnalloc(loader->cf->pool, path.len + 1);
        if (path.data == NULL) {
            return NGX_ERROR;
        }

        p = ngx_cpymem(path.data, loader->directory->data,
                       loader->directory->len);
        *p++ = '/';
        p = ngx_cpymem(p, name.data, name.len);
        *p = '\0';

        if (ngx_file_info(path.data, &fi) != NGX_FILE_ERROR) {

            if (ngx_http_mpk_file_read(loader->cf, &path,
                                       NGX_HTTP_MPK_PAGE_FILE_MAX, 0, &text)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            content->data = text.data;
            content->len = text.len;

            return NGX_OK;
        }
    }

    if (!(where & NGX_HTTP_MPK_FILE_BUILTIN)) {
        return NGX_DECLINED;
    }

    for (i = 0; mpk_pages_data[i].name; i++) {
        if (ngx_strlen(mpk_pages_data[i].name) == name.len
            && ngx_strncmp(mpk_pages_data[i].name, name.data, name.len) == 0)
        {
            content->data = mpk_pages_data[i].data;
            content->len = mpk_pages_data[i].len;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_mpk_pages_messages(ngx_http_mpk_pages_loader_t *loader,
    ngx_http_mpk_messages_t which)
{
    mpk_buf_t     buf;
    mpk_str_t     name, source;
    ngx_int_t     rc;
    ngx_uint_t    own;
    mpk_error_t   error;
    mpk_value_t  *value, *message;

    static const mpk_json_limits_t  limits = {
        .size = NGX_HTTP_MPK_PAGE_FILE_MAX, .depth = 1, .values = 2048
    };

    loader->messages[which] = NULL;

    own = (which == NGX_HTTP_MPK_MESSAGES_OWN);

    if (own) {

        if (loader->file.len == 0) {
            return NGX_OK;
        }

        name = loader->file;

    } else {
        mpk_buf_init(&buf, &loader->mem, 32);
        mpk_buf_str(&buf, loader->tag);
        mpk_buf_lit(&buf, ".json");

        name = mpk_buf_done(&buf);
    }

    rc = ngx_http_mpk_pages_file(loader, name,
                                 own ? NGX_HTTP_MPK_FILE_OWN
                                     : NGX_HTTP_MPK_FILE_BUILTIN,
                                 &source);
    if (rc == NGX_DECLINED) {
        return NGX_OK;
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    if (mpk_json_read(&loader->mem, source.data, source.len, &limits,
                      &value, &error)
        != MPK_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, loader->cf, 0,
                           "%s%s%*s, line %uz: %s",
                           own ? (char *) loader->directory->data : "",
                           own ? "/" : "", name.len, name.data, error.line,
                           error.text);
        return NGX_ERROR;
    }

    if (value->type != MPK_VALUE_OBJECT) {
        ngx_conf_log_error(NGX_LOG_EMERG, loader->cf, 0,
                           "%*s must be one JSON object of messages",
                           name.len, name.data);
        return NGX_ERROR;
    }

    for (message = value->u.list.first; message; message = message->next) {
        if (message->type != MPK_VALUE_STRING) {
            ngx_conf_log_error(NGX_LOG_EMERG, loader->cf, 0,
                               "%*s: the message \"%*s\" must be a string",
                               name.len, name.data, message->name.len,
                               message->name.data);
            return NGX_ERROR;
        }
    }

    loader->messages[which] = value;

    return NGX_OK;
}


mpk_str_t
ngx_http_mpk_pages_message(ngx_http_mpk_pages_loader_t *loader,
    mpk_str_t name)
{
    mpk_str_t   text;
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_MPK_MESSAGES_MAX; i++) {

        text = mpk_value_get_string(loader->messages[i], name);

        if (text.data) {
            return text;
        }

        /* "lang" defaults to the name of the file */

        if (i == NGX_HTTP_MPK_MESSAGES_BUILTIN
            && mpk_str_eq(name, mpk_string("lang")))
        {
            text = loader->file.len ? loader->file : loader->tag;
            text.len = loader->tag.len;

            return text;
        }
    }

    return (mpk_str_t) { 0, NULL };
}
