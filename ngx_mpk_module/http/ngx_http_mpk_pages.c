/*
 * Pages: templates and messages, the built-in ones or a directory's over them,
 * compiled when the configuration is read.  See ../pages/README.md.
 */

#include "ngx_http_mpk.h"
#include "mpk_escape.h"
#include "mpk_pages_data.h"

#include <openssl/sha.h>

#define NGX_HTTP_MPK_PAGE_FILE_MAX  262144     /* bytes of one file */


typedef struct {
    ngx_conf_t            *cf;
    ngx_http_mpk_mem_t     mem;
    ngx_str_t             *directory;          /* NULL: built-in only */
    mpk_str_t              page;               /* what "page." stands for */
    mpk_value_t           *messages;           /* built-in */
    mpk_value_t           *overrides;          /* the directory's; NULL: none */
} ngx_http_mpk_pages_loader_t;


static ngx_int_t ngx_http_mpk_pages_compile(
    ngx_http_mpk_pages_loader_t *loader, ngx_http_mpk_pages_t *pages);
static ngx_int_t ngx_http_mpk_pages_hashes(
    ngx_http_mpk_pages_loader_t *loader, ngx_http_mpk_pages_t *pages);
static ngx_int_t ngx_http_mpk_pages_messages(
    ngx_http_mpk_pages_loader_t *loader);
static mpk_status_t ngx_http_mpk_pages_partial(void *ctx, mpk_str_t name,
    mpk_str_t *source, mpk_error_t *error);
static mpk_str_t ngx_http_mpk_pages_message(
    ngx_http_mpk_pages_loader_t *loader, mpk_str_t name);
static ngx_int_t ngx_http_mpk_pages_file(ngx_http_mpk_pages_loader_t *loader,
    mpk_str_t name, ngx_uint_t builtin, mpk_str_t *content);
static ngx_int_t ngx_http_mpk_pages_hash(ngx_conf_t *cf, mpk_str_t text,
    ngx_str_t *hash);


typedef struct {
    mpk_str_t    name;
    mpk_str_t    template;
} ngx_http_mpk_page_source_t;

#define ngx_http_mpk_page(name, template)                                    \
    { { sizeof(name) - 1, (const uint8_t *) name },                          \
      { sizeof(template) - 1, (const uint8_t *) template } }

static const ngx_http_mpk_page_source_t
    ngx_http_mpk_page_sources[NGX_HTTP_MPK_PAGE_MAX] =
{
    [NGX_HTTP_MPK_PAGE_CONFIRM] =
        ngx_http_mpk_page("confirm", "confirm.mustache"),
    [NGX_HTTP_MPK_PAGE_KEYS] = ngx_http_mpk_page("keys", "keys.mustache"),
    [NGX_HTTP_MPK_PAGE_HELD] = ngx_http_mpk_page("held", "notice.mustache"),
    [NGX_HTTP_MPK_PAGE_USED] = ngx_http_mpk_page("used", "notice.mustache"),
    [NGX_HTTP_MPK_PAGE_EXPIRED] =
        ngx_http_mpk_page("expired", "notice.mustache"),
    [NGX_HTTP_MPK_PAGE_NOTFOUND] =
        ngx_http_mpk_page("notfound", "notice.mustache"),
    [NGX_HTTP_MPK_PAGE_CANCELLED] =
        ngx_http_mpk_page("cancelled", "notice.mustache"),
    [NGX_HTTP_MPK_PAGE_LIMITED] =
        ngx_http_mpk_page("limited", "notice.mustache"),
    [NGX_HTTP_MPK_PAGE_REFUSED] =
        ngx_http_mpk_page("refused", "notice.mustache"),
    [NGX_HTTP_MPK_PAGE_UNAVAILABLE] =
        ngx_http_mpk_page("unavailable", "notice.mustache"),
};


ngx_http_mpk_pages_t *
ngx_http_mpk_pages_load(ngx_conf_t *cf, ngx_str_t *directory)
{
    ngx_uint_t                    i;
    ngx_file_info_t               fi;
    ngx_http_mpk_pages_t         *pages, **known;
    ngx_http_mpk_main_conf_t     *mmcf;
    ngx_http_mpk_pages_loader_t   loader;

    mmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mpk_module);

    known = mmcf->pages.elts;

    for (i = 0; i < mmcf->pages.nelts; i++) {

        if (directory
            ? (known[i]->directory.len == directory->len
               && ngx_strncmp(known[i]->directory.data, directory->data,
                              directory->len) == 0)
            : known[i]->directory.len == 0)
        {
            return known[i];
        }
    }

    if (directory
        && (ngx_file_info(directory->data, &fi) == NGX_FILE_ERROR
            || !ngx_is_dir(&fi)))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is no directory with pages", directory);
        return NULL;
    }

    ngx_memzero(&loader, sizeof(ngx_http_mpk_pages_loader_t));

    loader.cf = cf;
    loader.directory = directory;
    ngx_http_mpk_mem_init(&loader.mem, cf->pool);

    pages = ngx_pcalloc(cf->pool, sizeof(ngx_http_mpk_pages_t));
    if (pages == NULL) {
        return NULL;
    }

    if (directory) {
        pages->directory = *directory;
    }

    if (ngx_http_mpk_pages_messages(&loader) != NGX_OK
        || ngx_http_mpk_pages_compile(&loader, pages) != NGX_OK
        || ngx_http_mpk_pages_hashes(&loader, pages) != NGX_OK)
    {
        return NULL;
    }

    known = ngx_array_push(&mmcf->pages);
    if (known == NULL) {
        return NULL;
    }

    *known = pages;

    return pages;
}


static ngx_int_t
ngx_http_mpk_pages_compile(ngx_http_mpk_pages_loader_t *loader,
    ngx_http_mpk_pages_t *pages)
{
    mpk_str_t                          source;
    ngx_uint_t                         i;
    mpk_error_t                        error;
    const ngx_http_mpk_page_source_t  *page;

    for (i = 0; i < NGX_HTTP_MPK_PAGE_MAX; i++) {
        page = &ngx_http_mpk_page_sources[i];

        loader->page = page->name;

        if (ngx_http_mpk_pages_file(loader, page->template, 1, &source)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (mpk_template_compile(&loader->mem.mem, page->template, source,
                                 ngx_http_mpk_pages_partial, loader,
                                 &pages->templates[i], &error)
            != MPK_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, loader->cf, 0,
                               "pages%s%V: line %uz: %s",
                               loader->directory ? " in " : "",
                               &pages->directory, error.line, error.text);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* The style and the script stand inline; the policy allows just these two. */

static ngx_int_t
ngx_http_mpk_pages_hashes(ngx_http_mpk_pages_loader_t *loader,
    ngx_http_mpk_pages_t *pages)
{
    u_char     *p;
    mpk_buf_t   consent;
    mpk_str_t   style, script, message;
    ngx_str_t   style_hash, script_hash;

    if (ngx_http_mpk_pages_file(loader, mpk_string("style.css"), 1, &style)
        != NGX_OK
        || ngx_http_mpk_pages_hash(loader->cf, style, &style_hash) != NGX_OK
        || ngx_http_mpk_pages_file(loader, mpk_string("script.js"), 1,
                                   &script)
           != NGX_OK
        || ngx_http_mpk_pages_hash(loader->cf, script, &script_hash)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(loader->cf->pool, 256);
    if (p == NULL) {
        return NGX_ERROR;
    }

    pages->csp.data = p;
    pages->csp.len = ngx_sprintf(p, "default-src 'none'; "
                                 "style-src 'sha256-%V'; "
                                 "script-src 'sha256-%V'; "
                                 "form-action 'self'; base-uri 'none'; "
                                 "frame-ancestors 'none'",
                                 &style_hash, &script_hash)
                     - p;

    /* what the customer consents to, as it is read on the page */

    mpk_buf_init(&consent, &loader->mem.mem, 512);

    message = ngx_http_mpk_pages_message(loader, mpk_string("consent.supply"));
    mpk_buf_str(&consent, message);
    mpk_buf_byte(&consent, '\n');

    message = ngx_http_mpk_pages_message(loader, mpk_string("consent.waiver"));
    mpk_buf_str(&consent, message);

    pages->support =
        ngx_http_mpk_pages_message(loader, mpk_string("shop.support_url")).len
        || ngx_http_mpk_pages_message(loader,
                                      mpk_string("shop.support_email")).len;

    message = ngx_http_mpk_pages_message(loader, mpk_string("lang"));

    pages->language.len = message.len;
    pages->language.data = (u_char *) message.data;

    return ngx_http_mpk_pages_hash(loader->cf, mpk_buf_done(&consent),
                                   &pages->consent);
}


static ngx_int_t
ngx_http_mpk_pages_messages(ngx_http_mpk_pages_loader_t *loader)
{
    mpk_str_t      source;
    ngx_int_t      rc;
    ngx_uint_t     builtin;
    mpk_error_t    error;
    mpk_value_t   *value, *message;

    static const mpk_json_limits_t  limits = {
        .size = NGX_HTTP_MPK_PAGE_FILE_MAX, .depth = 1, .values = 2048
    };

    for (builtin = 2; builtin--; /* void */ ) {

        rc = ngx_http_mpk_pages_file(loader, mpk_string("en.json"), builtin,
                                     &source);
        if (rc == NGX_DECLINED) {
            break;
        }

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }

        if (mpk_json_read(&loader->mem.mem, source.data, source.len, &limits,
                          &value, &error)
            != MPK_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, loader->cf, 0,
                               "%s%sen.json, line %uz: %s",
                               builtin ? "" : (char *) loader->directory->data,
                               builtin ? "" : "/", error.line, error.text);
            return NGX_ERROR;
        }

        if (value->type != MPK_VALUE_OBJECT) {
            ngx_conf_log_error(NGX_LOG_EMERG, loader->cf, 0,
                               "en.json must be one JSON object of messages");
            return NGX_ERROR;
        }

        for (message = value->u.list.first; message; message = message->next) {
            if (message->type != MPK_VALUE_STRING) {
                ngx_conf_log_error(NGX_LOG_EMERG, loader->cf, 0,
                                   "en.json: the message \"%*s\" must be a "
                                   "string", message->name.len,
                                   message->name.data);
                return NGX_ERROR;
            }
        }

        *(builtin ? &loader->messages : &loader->overrides) = value;
    }

    return NGX_OK;
}


/* A template's partial: a file where its name begins with "_", else a message. */

static mpk_status_t
ngx_http_mpk_pages_partial(void *ctx, mpk_str_t name, mpk_str_t *source,
    mpk_error_t *error)
{
    ngx_http_mpk_pages_loader_t *loader = ctx;

    mpk_buf_t  buf;
    mpk_str_t  text;

    mpk_buf_init(&buf, &loader->mem.mem, 64);

    if (name.len && name.data[0] == '_') {

        if (mpk_str_eq(name, mpk_string("_style"))) {
            mpk_buf_lit(&buf, "style.css");

        } else if (mpk_str_eq(name, mpk_string("_script"))) {
            mpk_buf_lit(&buf, "script.js");

        } else {
            mpk_buf_str(&buf, name);
            mpk_buf_lit(&buf, ".mustache");
        }

        if (ngx_http_mpk_pages_file(loader, mpk_buf_done(&buf), 1, source)
            != NGX_OK)
        {
            return mpk_fail(error, MPK_MISSING, 0, "%.*s: there is no such "
                            "file", (int) buf.len, (char *) buf.data);
        }

        return MPK_OK;
    }

    if (name.len > 5 && ngx_strncmp(name.data, "page.", 5) == 0) {
        mpk_buf_str(&buf, loader->page);
        mpk_buf_put(&buf, name.data + 4, name.len - 4);
        name = mpk_buf_done(&buf);
    }

    text = ngx_http_mpk_pages_message(loader, name);

    if (text.data == NULL) {
        return mpk_fail(error, MPK_MISSING, 0, "the message \"%.*s\" is not "
                        "in en.json", (int) name.len, (char *) name.data);
    }

    mpk_buf_init(&buf, &loader->mem.mem, text.len + 16);
    mpk_escape_html(&buf, text);

    *source = mpk_buf_done(&buf);

    return buf.failed ? MPK_NOMEM : MPK_OK;
}


static mpk_str_t
ngx_http_mpk_pages_message(ngx_http_mpk_pages_loader_t *loader,
    mpk_str_t name)
{
    mpk_str_t  text;

    text = mpk_value_get_string(loader->overrides, name);

    if (text.data == NULL) {
        text = mpk_value_get_string(loader->messages, name);
    }

    return text;
}


/*
 * The directory's file, or the built-in one if builtin is set.  NGX_DECLINED:
 * there is none.
 */

static ngx_int_t
ngx_http_mpk_pages_file(ngx_http_mpk_pages_loader_t *loader, mpk_str_t name,
    ngx_uint_t builtin, mpk_str_t *content)
{
    u_char           *p;
    ngx_str_t         path, text;
    ngx_uint_t        i;
    ngx_file_info_t   fi;

    /* the built-in messages stay under a directory's: builtin alone is asked for */

    if (loader->directory
        && !(builtin && mpk_str_eq(name, mpk_string("en.json"))))
    {
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

            if (ngx_http_mpk_conf_read(loader->cf, &path,
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

    if (!builtin) {
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


static ngx_int_t
ngx_http_mpk_pages_hash(ngx_conf_t *cf, mpk_str_t text, ngx_str_t *hash)
{
    u_char     digest[SHA256_DIGEST_LENGTH];
    ngx_str_t  src;

    if (SHA256(text.data, text.len, digest) == NULL) {
        return NGX_ERROR;
    }

    src.data = digest;
    src.len = SHA256_DIGEST_LENGTH;

    hash->data = ngx_pnalloc(cf->pool,
                             ngx_base64_encoded_length(SHA256_DIGEST_LENGTH));
    if (hash->data == NULL) {
        return NGX_ERROR;
    }

    ngx_encode_base64(hash, &src);

    return NGX_OK;
}
