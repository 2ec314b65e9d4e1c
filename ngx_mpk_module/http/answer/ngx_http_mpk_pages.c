/*
 * Compiles the pages when the configuration is read: the built-in templates and messages,
 * overridden by those of an mpk_pages directory.  See pages/README.md.
 */

#include "ngx_http_mpk_pages.h"
#include "ngx_http_mpk_brand.h"
#include "ngx_http_mpk_pages_directory.h"

#include "mpk_escape.h"
#include "mpk_pages_data.h"

#include <openssl/sha.h>

#define NGX_HTTP_MPK_TEXT_MAX  4096    /* bytes of a consent's words: evidence quotes them */


static ngx_int_t ngx_http_mpk_pages_languages(
    ngx_http_mpk_pages_loader_t *loader, ngx_http_mpk_pages_t *pages);
static ngx_int_t ngx_http_mpk_pages_add_languages(
    ngx_http_mpk_pages_loader_t *loader, ngx_http_mpk_pages_t *pages);
static ngx_int_t ngx_http_mpk_pages_add_language(
    ngx_http_mpk_pages_loader_t *loader, ngx_http_mpk_pages_t *pages,
    mpk_str_t file, ngx_uint_t own);
static ngx_int_t ngx_http_mpk_pages_language(
    ngx_http_mpk_pages_loader_t *loader, ngx_http_mpk_language_t *language);
static ngx_int_t ngx_http_mpk_pages_compile(
    ngx_http_mpk_pages_loader_t *loader, ngx_http_mpk_language_t *language);
static ngx_int_t ngx_http_mpk_pages_policy(
    ngx_http_mpk_pages_loader_t *loader, ngx_http_mpk_pages_t *pages);
static mpk_status_t ngx_http_mpk_pages_partial(void *ctx, mpk_str_t name,
    mpk_str_t *source, mpk_error_t *error);
static ngx_int_t ngx_http_mpk_pages_text(ngx_http_mpk_pages_loader_t *loader,
    mpk_str_t words, ngx_str_t *hash);
static ngx_int_t ngx_http_mpk_pages_hash(ngx_conf_t *cf, mpk_str_t text,
    ngx_str_t *hash);


typedef struct {
    mpk_str_t    name;
    mpk_str_t    template;
} ngx_http_mpk_page_source_t;

#define ngx_http_mpk_page(name, template)                                    \
    { mpk_literal(name), mpk_literal(template) }

static const ngx_http_mpk_page_source_t
    ngx_http_mpk_page_sources[] =
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
    [NGX_HTTP_MPK_PAGE_EXHAUSTED] =
        ngx_http_mpk_page("exhausted", "notice.mustache"),
    [NGX_HTTP_MPK_PAGE_REFUSED] =
        ngx_http_mpk_page("refused", "notice.mustache"),
    [NGX_HTTP_MPK_PAGE_UNAVAILABLE] =
        ngx_http_mpk_page("unavailable", "notice.mustache"),
    [NGX_HTTP_MPK_PAGE_CROWD] = ngx_http_mpk_page("crowd", "notice.mustache"),
    [NGX_HTTP_MPK_PAGE_TRACK] = ngx_http_mpk_page("track", "track.mustache"),
    [NGX_HTTP_MPK_PAGE_ORDER] = ngx_http_mpk_page("order", "order.mustache"),
    [NGX_HTTP_MPK_PAGE_ACCOUNT] =
        ngx_http_mpk_page("account", "account.mustache"),
    [NGX_HTTP_MPK_PAGE_FRAGMENT] =
        ngx_http_mpk_page("fragment", "fragment.mustache"),
    [NGX_HTTP_MPK_PAGE_CLAIM] = ngx_http_mpk_page("claim", "claim.mustache"),
    [NGX_HTTP_MPK_PAGE_CLAIMED] =
        ngx_http_mpk_page("claimed", "claimed.mustache"),
    [NGX_HTTP_MPK_PAGE_LATE] = ngx_http_mpk_page("late", "notice.mustache"),
    [NGX_HTTP_MPK_PAGE_UNDELIVERED] =
        ngx_http_mpk_page("undelivered", "notice.mustache"),
    [NGX_HTTP_MPK_PAGE_REFUNDED] =
        ngx_http_mpk_page("refunded", "notice.mustache"),
    [NGX_HTTP_MPK_PAGE_DECIDED] =
        ngx_http_mpk_page("decided", "notice.mustache"),
    [NGX_HTTP_MPK_PAGE_REPLY] = ngx_http_mpk_page("reply", "reply.mustache"),
    [NGX_HTTP_MPK_PAGE_ANSWERED] =
        ngx_http_mpk_page("answered", "notice.mustache"),
    [NGX_HTTP_MPK_PAGE_SUSPENDED] =
        ngx_http_mpk_page("suspended", "notice.mustache"),
    [NGX_HTTP_MPK_PAGE_WITHHELD] =
        ngx_http_mpk_page("withheld", "notice.mustache"),
    [NGX_HTTP_MPK_PAGE_WITHDRAWN] =
        ngx_http_mpk_page("withdrawn", "notice.mustache"),
    [NGX_HTTP_MPK_PAGE_WITHDRAW] =
        ngx_http_mpk_page("withdraw", "withdraw.mustache"),
    [NGX_HTTP_MPK_PAGE_STATEMENT] =
        ngx_http_mpk_page("statement", "statement.mustache"),
    [NGX_HTTP_MPK_PAGE_RECEIPT] =
        ngx_http_mpk_page("receipt", "receipt.mustache"),
    [NGX_HTTP_MPK_PAGE_EVIDENCE] =
        ngx_http_mpk_page("evidence", "evidence.mustache"),
};

_Static_assert(sizeof(ngx_http_mpk_page_sources)
               / sizeof(ngx_http_mpk_page_sources[0])
               == NGX_HTTP_MPK_PAGE_MAX, "a source for each page");


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
                           "\"%V\" is not a directory", directory);
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

    if (ngx_http_mpk_pages_languages(&loader, pages) != NGX_OK) {
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
ngx_http_mpk_pages_languages(ngx_http_mpk_pages_loader_t *loader,
    ngx_http_mpk_pages_t *pages)
{
    ngx_uint_t                i;
    ngx_conf_t               *cf;
    ngx_http_mpk_language_t  *language;

    cf = loader->cf;

    if (ngx_array_init(&loader->files, cf->temp_pool, 8, sizeof(mpk_str_t))
        != NGX_OK
        || ngx_array_init(&loader->asked, cf->temp_pool, 8, sizeof(mpk_str_t))
           != NGX_OK
        || ngx_array_init(&pages->languages, cf->pool, 8,
                          sizeof(ngx_http_mpk_language_t))
           != NGX_OK
        || (loader->directory
            && ngx_http_mpk_pages_directory(loader) != NGX_OK)
        || ngx_http_mpk_pages_add_languages(loader, pages) != NGX_OK)
    {
        return NGX_ERROR;
    }

    language = pages->languages.elts;

    pages->tags = ngx_palloc(cf->pool,
                             pages->languages.nelts * sizeof(mpk_str_t));
    if (pages->tags == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < pages->languages.nelts; i++) {

        loader->tag = ngx_http_mpk_str(&language[i].tag);
        loader->file = language[i].file;
        pages->tags[i] = loader->tag;

        if (ngx_http_mpk_pages_messages(loader, NGX_HTTP_MPK_MESSAGES_OWN)
            != NGX_OK
            || ngx_http_mpk_pages_messages(loader,
                                           NGX_HTTP_MPK_MESSAGES_BUILTIN)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (i == 0) {
            loader->messages[NGX_HTTP_MPK_MESSAGES_OWN_EN] =
                loader->messages[NGX_HTTP_MPK_MESSAGES_OWN];
            loader->messages[NGX_HTTP_MPK_MESSAGES_BUILTIN_EN] =
                loader->messages[NGX_HTTP_MPK_MESSAGES_BUILTIN];

            if (ngx_http_mpk_pages_policy(loader, pages) != NGX_OK) {
                return NGX_ERROR;
            }
        }

        if (ngx_http_mpk_pages_language(loader, &language[i]) != NGX_OK
            || ngx_http_mpk_pages_check_messages(loader) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_http_mpk_pages_check_files(loader);
}


/* English first: messages that another language lacks fall back to it. */

static ngx_int_t
ngx_http_mpk_pages_add_languages(ngx_http_mpk_pages_loader_t *loader,
    ngx_http_mpk_pages_t *pages)
{
    mpk_str_t   *file, name;
    ngx_uint_t   i;

    if (ngx_http_mpk_pages_add_language(loader, pages, mpk_string("en.json"),
                                        0)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; mpk_pages_data[i].name; i++) {

        name = (mpk_str_t) { ngx_strlen(mpk_pages_data[i].name),
                             (u_char *) mpk_pages_data[i].name };

        if (ngx_http_mpk_pages_suffix(name, ".json")
            && ngx_http_mpk_pages_add_language(loader, pages, name, 0)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    file = loader->files.elts;

    for (i = 0; i < loader->files.nelts; i++) {
        if (ngx_http_mpk_pages_suffix(file[i], ".json")
            && ngx_http_mpk_pages_add_language(loader, pages, file[i], 1)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* Adds the language of a catalogue, the directory's or a built-in one. */

static ngx_int_t
ngx_http_mpk_pages_add_language(ngx_http_mpk_pages_loader_t *loader,
    ngx_http_mpk_pages_t *pages, mpk_str_t file, ngx_uint_t own)
{
    size_t                    len;
    ngx_uint_t                i;
    ngx_http_mpk_language_t  *language;

    len = file.len - (sizeof(".json") - 1);
    language = pages->languages.elts;

    for (i = 0; i < pages->languages.nelts; i++, language++) {
        if (language->tag.len == len
            && ngx_strncasecmp(language->tag.data, (u_char *) file.data, len)
               == 0)
        {
            break;
        }
    }

    if (i == pages->languages.nelts) {

        language = ngx_array_push(&pages->languages);
        if (language == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(language, sizeof(ngx_http_mpk_language_t));

        language->tag.len = len;
        language->tag.data = ngx_pnalloc(loader->cf->pool, len);
        if (language->tag.data == NULL) {
            return NGX_ERROR;
        }

        ngx_strlow(language->tag.data, (u_char *) file.data, len);
    }

    if (!own) {
        return NGX_OK;
    }

    if (language->file.len) {
        ngx_conf_log_error(NGX_LOG_EMERG, loader->cf, 0,
                           "\"%V\" has two catalogues of one language, "
                           "\"%*s\" and \"%*s\": remove one",
                           loader->directory, language->file.len,
                           language->file.data, file.len, file.data);
        return NGX_ERROR;
    }

    language->file = file;

    return NGX_OK;
}


static ngx_int_t
ngx_http_mpk_pages_language(ngx_http_mpk_pages_loader_t *loader,
    ngx_http_mpk_language_t *language)
{
    mpk_buf_t  consent;

    if (mpk_time_words_read(
            ngx_http_mpk_pages_message(loader, mpk_string("date")),
            ngx_http_mpk_pages_message(loader, mpk_string("date.first")),
            ngx_http_mpk_pages_message(loader, mpk_string("months")),
            &language->time)
        != MPK_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, loader->cf, 0,
                           "%V.json: \"months\" must have twelve names with "
                           "one space between two, and \"date\" no other "
                           "conversions than %%d, %%B, %%Y, %%H and %%M",
                           &language->tag);
        return NGX_ERROR;
    }

    language->rights =
        ngx_http_mpk_pages_message(loader, mpk_string("policy.rights"));
    language->withdraw =
        ngx_http_mpk_pages_message(loader, mpk_string("withdraw.title"));
    language->statement =
        ngx_http_mpk_pages_message(loader, mpk_string("statement.words"));
    language->support_url =
        ngx_http_mpk_pages_message(loader, mpk_string("shop.support_url"));
    language->support_email =
        ngx_http_mpk_pages_message(loader, mpk_string("shop.support_email"));

    /* the texts of consent, as the page shows them */

    mpk_buf_init(&consent, &loader->mem, 512);

    mpk_buf_str(&consent, ngx_http_mpk_pages_message(loader,
                              mpk_string("consent.supply")));
    mpk_buf_byte(&consent, '\n');
    mpk_buf_str(&consent, ngx_http_mpk_pages_message(loader,
                              mpk_string("consent.waiver")));

    if (consent.failed
        || ngx_http_mpk_pages_text(loader, mpk_buf_done(&consent),
                                   &language->consent)
           != NGX_OK
        || ngx_http_mpk_pages_text(loader,
               ngx_http_mpk_pages_message(loader,
                                          mpk_string("consent.product")),
               &language->product)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_mpk_pages_compile(loader, language);
}


/* Hashes the words of a consent, and keeps them to be written to Redis. */

static ngx_int_t
ngx_http_mpk_pages_text(ngx_http_mpk_pages_loader_t *loader, mpk_str_t words,
    ngx_str_t *hash)
{
    ngx_uint_t                 i;
    ngx_http_mpk_text_t       *text;
    ngx_http_mpk_main_conf_t  *mmcf;

    if (words.len > NGX_HTTP_MPK_TEXT_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, loader->cf, 0,
                           "the texts of consent in \"%*s\" have over "
                           ngx_value(NGX_HTTP_MPK_TEXT_MAX) " bytes: shorten "
                           "them", loader->tag.len, loader->tag.data);
        return NGX_ERROR;
    }

    if (ngx_http_mpk_pages_hash(loader->cf, words, hash) != NGX_OK) {
        return NGX_ERROR;
    }

    mmcf = ngx_http_conf_get_module_main_conf(loader->cf, ngx_http_mpk_module);

    text = mmcf->texts.elts;

    for (i = 0; i < mmcf->texts.nelts; i++) {
        if (ngx_memcmp(text[i].hash.data, hash->data, hash->len) == 0) {
            return NGX_OK;
        }
    }

    text = ngx_array_push(&mmcf->texts);
    if (text == NULL) {
        return NGX_ERROR;
    }

    text->hash = *hash;
    text->words = words;

    return NGX_OK;
}


static ngx_int_t
ngx_http_mpk_pages_compile(ngx_http_mpk_pages_loader_t *loader,
    ngx_http_mpk_language_t *language)
{
    mpk_str_t                          source;
    ngx_uint_t                         i;
    mpk_error_t                        error;
    const ngx_http_mpk_page_source_t  *page;

    for (i = 0; i < NGX_HTTP_MPK_PAGE_MAX; i++) {
        page = &ngx_http_mpk_page_sources[i];

        loader->page = page->name;

        if (ngx_http_mpk_pages_file(loader, page->template,
                                    NGX_HTTP_MPK_FILE_ANY, &source)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (mpk_template_compile(&loader->mem, page->template, source,
                                 ngx_http_mpk_pages_partial, loader,
                                 &language->templates[i], &error)
            != MPK_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, loader->cf, 0,
                               "pages%s%s in \"%V\": line %uz: %s",
                               loader->directory ? " in " : "",
                               loader->directory
                               ? (char *) loader->directory->data : "",
                               &language->tag, error.line, error.text);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* Style and scripts are inline; the Content-Security-Policy allows these alone. */

static ngx_int_t
ngx_http_mpk_pages_policy(ngx_http_mpk_pages_loader_t *loader,
    ngx_http_mpk_pages_t *pages)
{
    u_char     *p;
    mpk_str_t   script, times, logo;
    ngx_str_t   style_hash, script_hash, times_hash;

    if (ngx_http_mpk_brand_style(loader) != NGX_OK
        || ngx_http_mpk_pages_hash(loader->cf, loader->style, &style_hash)
           != NGX_OK
        || ngx_http_mpk_pages_file(loader, mpk_string("script.js"),
                                   NGX_HTTP_MPK_FILE_ANY, &script)
           != NGX_OK
        || ngx_http_mpk_pages_hash(loader->cf, script, &script_hash)
           != NGX_OK
        || ngx_http_mpk_pages_file(loader, mpk_string("times.js"),
                                   NGX_HTTP_MPK_FILE_ANY, &times)
           != NGX_OK
        || ngx_http_mpk_pages_hash(loader->cf, times, &times_hash) != NGX_OK
        || ngx_http_mpk_brand_logo(loader, &logo) != NGX_OK)
    {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(loader->cf->pool, 384 + logo.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    pages->csp.data = p;
    pages->csp.len = ngx_sprintf(p, "default-src 'none'; "
                                 "style-src 'sha256-%V'; "
                                 "script-src 'sha256-%V' 'sha256-%V'; %*s"
                                 "form-action 'self'; base-uri 'none'; "
                                 "frame-ancestors 'none'",
                                 &style_hash, &script_hash, &times_hash,
                                 logo.len, logo.data)
                     - p;

    pages->support =
        ngx_http_mpk_pages_message(loader, mpk_string("shop.support_url")).len
        || ngx_http_mpk_pages_message(loader,
                                      mpk_string("shop.support_email")).len;

    return NGX_OK;
}


/* Resolves a partial: a file if its name begins with "_", else a message. */

static mpk_status_t
ngx_http_mpk_pages_partial(void *ctx, mpk_str_t name, mpk_str_t *source,
    mpk_error_t *error)
{
    ngx_http_mpk_pages_loader_t *loader = ctx;

    mpk_buf_t  buf;
    mpk_str_t  text;

    mpk_buf_init(&buf, &loader->mem, 64);

    if (mpk_str_eq(name, mpk_string("_style"))) {
        *source = loader->style;
        return MPK_OK;
    }

    if (mpk_str_eq(name, mpk_string("_brand"))
        && ngx_http_mpk_pages_message(loader, mpk_string("shop.logo")).len)
    {
        name = mpk_string("_logo");
    }

    if (name.len && name.data[0] == '_') {

        if (ngx_http_mpk_pages_ask(loader, name) != NGX_OK) {
            return MPK_NOMEM;
        }

        if (mpk_str_eq(name, mpk_string("_script"))) {
            mpk_buf_lit(&buf, "script.js");

        } else if (mpk_str_eq(name, mpk_string("_times"))) {
            mpk_buf_lit(&buf, "times.js");

        } else {
            mpk_buf_str(&buf, name);
            mpk_buf_lit(&buf, ".mustache");
        }

        if (ngx_http_mpk_pages_file(loader, mpk_buf_done(&buf),
                                    NGX_HTTP_MPK_FILE_ANY, source)
            != NGX_OK)
        {
            return mpk_fail(error, MPK_MISSING, 0, "%.*s: there is no such "
                            "file", (int) buf.len, (char *) buf.data);
        }

        return MPK_OK;
    }

    if (ngx_http_mpk_begins(&name, "page.")) {
        mpk_buf_str(&buf, loader->page);
        mpk_buf_put(&buf, name.data + sizeof("page") - 1,
                    name.len - (sizeof("page") - 1));
        name = mpk_buf_done(&buf);
    }

    if (ngx_http_mpk_pages_ask(loader, name) != NGX_OK) {
        return MPK_NOMEM;
    }

    text = ngx_http_mpk_pages_message(loader, name);

    if (text.data == NULL) {
        return mpk_fail(error, MPK_MISSING, 0, "the message \"%.*s\" is not "
                        "in en.json", (int) name.len, (char *) name.data);
    }

    mpk_buf_init(&buf, &loader->mem, text.len + 16);
    mpk_escape_html(&buf, text);

    *source = mpk_buf_done(&buf);

    return buf.failed ? MPK_NOMEM : MPK_OK;
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
