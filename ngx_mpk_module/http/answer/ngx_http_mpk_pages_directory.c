/* The files of an mpk_pages directory: a name that nothing uses is refused. */

#include "ngx_http_mpk_pages_directory.h"

#include "mpk_pages_data.h"

#define NGX_HTTP_MPK_TAG_MAX  35     /* bytes of a language tag (RFC 5646, 4.4.1) */


/* What is wrong with a file that is not known. */
typedef struct {
    const char   *suffix;
    const char   *wrong;
} ngx_http_mpk_pages_kind_t;


static ngx_int_t ngx_http_mpk_pages_add_file(
    ngx_http_mpk_pages_loader_t *loader, mpk_str_t name);
static ngx_uint_t ngx_http_mpk_pages_builtin(mpk_str_t name);
static ngx_uint_t ngx_http_mpk_pages_tag(mpk_str_t name);
static ngx_uint_t ngx_http_mpk_pages_asked(ngx_http_mpk_pages_loader_t *loader,
    mpk_str_t name);


static const ngx_http_mpk_pages_kind_t  ngx_http_mpk_pages_kinds[] = {
    { ".json", "must be named after a language tag, e.g. \"pt-BR.json\"" },
    { ".mustache", "replaces no template: correct its name, or begin it with "
                   "\"_\" if templates include it" },
    { ".css", "is not used: the style is \"style.css\"" },
    { ".js", "is not used: the scripts are \"script.js\" and \"times.js\"" },
    { NULL, NULL }
};


ngx_int_t
ngx_http_mpk_pages_directory(ngx_http_mpk_pages_loader_t *loader)
{
    mpk_str_t   name;
    ngx_dir_t   dir;
    ngx_int_t   rc;
    ngx_conf_t *cf;

    cf = loader->cf;

    if (ngx_open_dir(loader->directory, &dir) == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_dir_n " \"%V\" failed",
                           loader->directory);
        return NGX_ERROR;
    }

    rc = NGX_OK;

    while (rc == NGX_OK && ngx_read_dir(&dir) == NGX_OK) {

        name = (mpk_str_t) { ngx_de_namelen(&dir), ngx_de_name(&dir) };

        /* hidden files are those of editors and of file systems */

        if (name.data[0] != '.') {
            rc = ngx_http_mpk_pages_add_file(loader, name);
        }
    }

    (void) ngx_close_dir(&dir);

    return rc;
}


static ngx_int_t
ngx_http_mpk_pages_add_file(ngx_http_mpk_pages_loader_t *loader,
    mpk_str_t name)
{
    u_char                           *p;
    mpk_str_t                        *file;
    const ngx_http_mpk_pages_kind_t  *kind;

    for (kind = ngx_http_mpk_pages_kinds; kind->suffix; kind++) {
        if (ngx_http_mpk_pages_suffix(name, kind->suffix)) {
            break;
        }
    }

    if (kind->suffix == NULL) {
        return NGX_OK;
    }

    if (kind == &ngx_http_mpk_pages_kinds[0]
        ? !ngx_http_mpk_pages_tag(name)
        : (!ngx_http_mpk_pages_builtin(name)
           && !(name.data[0] == '_'
                && ngx_http_mpk_pages_suffix(name, ".mustache"))))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, loader->cf, 0, "\"%V/%*s\" %s",
                           loader->directory, name.len, name.data,
                           kind->wrong);
        return NGX_ERROR;
    }

    file = ngx_array_push(&loader->files);
    p = ngx_pnalloc(loader->cf->pool, name.len);

    if (file == NULL || p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, name.data, name.len);

    *file = (mpk_str_t) { name.len, p };

    return NGX_OK;
}


ngx_uint_t
ngx_http_mpk_pages_suffix(mpk_str_t name, const char *suffix)
{
    size_t  len;

    len = ngx_strlen(suffix);

    return name.len > len
           && ngx_strncasecmp((u_char *) name.data + name.len - len,
                              (u_char *) suffix, len)
              == 0;
}


static ngx_uint_t
ngx_http_mpk_pages_builtin(mpk_str_t name)
{
    ngx_uint_t  i;

    for (i = 0; mpk_pages_data[i].name; i++) {
        if (ngx_strlen(mpk_pages_data[i].name) == name.len
            && ngx_strncmp(mpk_pages_data[i].name, name.data, name.len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/*
 * Whether a catalogue's name is a language tag (RFC 5646): "de", "pt-BR", "es-419",
 * "zh-Hant-TW".  Languages of more than three letters are reserved.
 */

static ngx_uint_t
ngx_http_mpk_pages_tag(mpk_str_t name)
{
    size_t          len;
    ngx_uint_t      first;
    const uint8_t  *p, *begin, *last;

    p = name.data;
    last = p + name.len - (sizeof(".json") - 1);

    if (last - p > NGX_HTTP_MPK_TAG_MAX) {
        return 0;
    }

    for (first = 1; /* void */ ; first = 0, p++) {

        for (begin = p; p < last && *p != '-'; p++) {
            if (!((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z')
                && (first || *p < '0' || *p > '9'))
            {
                return 0;
            }
        }

        len = (size_t) (p - begin);

        if (first ? len < 2 || len > 3 : len < 1 || len > 8) {
            return 0;
        }

        if (p == last) {
            return 1;
        }
    }
}


ngx_int_t
ngx_http_mpk_pages_ask(ngx_http_mpk_pages_loader_t *loader, mpk_str_t name)
{
    mpk_str_t  *asked;

    if (ngx_http_mpk_pages_asked(loader, name)) {
        return NGX_OK;
    }

    asked = ngx_array_push(&loader->asked);
    if (asked == NULL) {
        return NGX_ERROR;
    }

    *asked = name;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_mpk_pages_asked(ngx_http_mpk_pages_loader_t *loader, mpk_str_t name)
{
    mpk_str_t   *asked;
    ngx_uint_t   i;

    if (mpk_value_get(loader->messages[NGX_HTTP_MPK_MESSAGES_BUILTIN_EN],
                      name))
    {
        return 1;
    }

    asked = loader->asked.elts;

    for (i = 0; i < loader->asked.nelts; i++) {
        if (mpk_str_eq(asked[i], name)) {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_http_mpk_pages_check_messages(ngx_http_mpk_pages_loader_t *loader)
{
    mpk_value_t  *own, *message;

    own = loader->messages[NGX_HTTP_MPK_MESSAGES_OWN];

    for (message = own ? own->u.list.first : NULL; message;
         message = message->next)
    {
        if (!ngx_http_mpk_pages_asked(loader, message->name)) {
            ngx_conf_log_error(NGX_LOG_EMERG, loader->cf, 0,
                               "\"%V/%*s\": no page has the message \"%*s\": "
                               "correct its name or remove it",
                               loader->directory, loader->file.len,
                               loader->file.data, message->name.len,
                               message->name.data);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_mpk_pages_check_files(ngx_http_mpk_pages_loader_t *loader)
{
    mpk_str_t   *file, name;
    ngx_uint_t   i;

    file = loader->files.elts;

    for (i = 0; i < loader->files.nelts; i++) {

        if (file[i].data[0] != '_' || ngx_http_mpk_pages_builtin(file[i])) {
            continue;
        }

        name = file[i];
        name.len -= sizeof(".mustache") - 1;

        if (!ngx_http_mpk_pages_asked(loader, name)) {
            ngx_conf_log_error(NGX_LOG_EMERG, loader->cf, 0,
                               "\"%V/%*s\": no template includes it: correct "
                               "its name or remove it", loader->directory,
                               file[i].len, file[i].data);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
