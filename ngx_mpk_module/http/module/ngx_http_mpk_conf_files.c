/* Files that hold secrets: the keyring and the tokens of the API. */

#include "ngx_http_mpk_conf.h"
#include "ngx_http_mpk_api.h"
#include "ngx_http_mpk_file.h"

#define NGX_HTTP_MPK_API_TOKENS_MAX  65536     /* bytes of the file */


static void ngx_http_mpk_conf_cleanse(void *data);
static char *ngx_http_mpk_conf_api_token(ngx_conf_t *cf, ngx_str_t *file,
    ngx_uint_t line, mpk_str_t text, ngx_array_t *tokens);


static const struct {
    mpk_str_t                     name;
    ngx_uint_t                    role;
} ngx_http_mpk_conf_roles[] = {
    { mpk_literal("shop"), NGX_HTTP_MPK_ROLE_SHOP },
    { mpk_literal("support"), NGX_HTTP_MPK_ROLE_SUPPORT },
    { mpk_literal("read"), NGX_HTTP_MPK_ROLE_READ },
    { mpk_literal("feed"), NGX_HTTP_MPK_ROLE_FEED },
    { mpk_literal("courier"), NGX_HTTP_MPK_ROLE_COURIER },
    { mpk_literal(""), 0 }
};


char *
ngx_http_mpk_conf_keyring(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_mpk_main_conf_t *mmcf = conf;

    ngx_str_t           *value, name, content;
    mpk_error_t          error;
    mpk_status_t         status;
    mpk_mem_t            mem;
    ngx_pool_cleanup_t  *cln;

    if (mmcf->keyring) {
        return "is duplicate";
    }

    value = cf->args->elts;
    name = value[1];

    if (ngx_http_mpk_file_read(cf, &name, MPK_KEYRING_MAX, 1, &content)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, sizeof(mpk_keyring_t));
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_mpk_conf_cleanse;

    ngx_memzero(cln->data, sizeof(mpk_keyring_t));
    ngx_http_mpk_mem_init(&mem, cf->pool);

    status = mpk_keyring_read(&mem, content.data, content.len, cln->data,
                              &error);

    mpk_cleanse(content.data, content.len);

    if (status == MPK_OK) {
        mmcf->keyring = cln->data;
        return NGX_CONF_OK;
    }

    if (error.line) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "keyring \"%V\", line %uz: %s",
                           &name, error.line, error.text);
    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "keyring \"%V\": %s",
                           &name, error.text);
    }

    return NGX_CONF_ERROR;
}


static void
ngx_http_mpk_conf_cleanse(void *data)
{
    mpk_cleanse(data, sizeof(mpk_keyring_t));
}


char *
ngx_http_mpk_conf_api_tokens(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_mpk_loc_conf_t *mlcf = conf;

    ngx_str_t   *value, name, content;
    mpk_str_t    text;
    ngx_uint_t   line;
    u_char      *p, *last, *end;

    if (mlcf->api_tokens_set != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;
    mlcf->api_tokens_set = 1;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    name = value[1];

    if (ngx_http_mpk_file_read(cf, &name, NGX_HTTP_MPK_API_TOKENS_MAX, 1,
                               &content)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    mlcf->api_tokens = ngx_array_create(cf->pool, 4,
                                        sizeof(ngx_http_mpk_api_token_t));
    if (mlcf->api_tokens == NULL) {
        return NGX_CONF_ERROR;
    }

    last = content.data + content.len;
    line = 1;

    for (p = content.data; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, '\n');
        if (end == NULL) {
            end = last;
        }

        text.data = p;
        text.len = end - p;

        if (text.len && text.data[text.len - 1] == '\r') {
            text.len--;
        }

        if (text.len && text.data[0] != '#'
            && ngx_http_mpk_conf_api_token(cf, &name, line, text,
                                           mlcf->api_tokens)
               != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }

        line++;
    }

    if (mlcf->api_tokens->nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" has no token: write a line "
                           "\"name:sha256-of-token:role\"", &name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_mpk_conf_api_token(ngx_conf_t *cf, ngx_str_t *file, ngx_uint_t line,
    mpk_str_t text, ngx_array_t *tokens)
{
    u_char                    *p, *last, *hash, *role, *comma;
    mpk_str_t                 *actor;
    ngx_int_t                  n;
    ngx_uint_t                 i;
    ngx_http_mpk_api_token_t  *token, *t;
    ngx_http_mpk_main_conf_t  *mmcf;

    p = (u_char *) text.data;
    last = p + text.len;

    hash = ngx_strlchr(p, last, ':');

    if (hash == NULL || hash == p || hash - p > 64
        || last - hash < 1 + 64)
    {
        goto invalid;
    }

    t = tokens->elts;

    for (i = 0; i < tokens->nelts; i++) {
        if (t[i].name.len == (size_t) (hash - p)
            && ngx_strncmp(t[i].name.data, p, hash - p) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "%V:%ui: duplicate name \"%V\"",
                               file, line, &t[i].name);
            return NGX_CONF_ERROR;
        }
    }

    token = ngx_array_push(tokens);
    if (token == NULL) {
        return NGX_CONF_ERROR;
    }

    token->name.data = p;
    token->name.len = hash - p;

    for (i = 0; i < token->name.len; i++) {
        if (p[i] <= ' ' || p[i] >= 0x7f || p[i] == '"' || p[i] == '\\') {
            goto invalid;
        }
    }

    mmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mpk_module);

    actor = ngx_array_push(&mmcf->actors);
    if (actor == NULL) {
        return NGX_CONF_ERROR;
    }

    *actor = ngx_http_mpk_str(&token->name);

    hash++;

    for (i = 0; i < MPK_MAC_LEN; i++) {
        n = ngx_hextoi(hash + i * 2, 2);
        if (n == NGX_ERROR) {
            goto invalid;
        }

        token->hash[i] = (u_char) n;
    }

    t = tokens->elts;

    for (i = 0; i + 1 < tokens->nelts; i++) {
        if (ngx_memcmp(t[i].hash, token->hash, MPK_MAC_LEN) == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "%V:%ui: \"%V\" has the token of \"%V\": make a "
                               "token of its own, else calls of both count as "
                               "those of one",
                               file, line, &token->name, &t[i].name);
            return NGX_CONF_ERROR;
        }
    }

    role = hash + 64;

    if (role == last) {
        token->roles = NGX_HTTP_MPK_ROLE_ALL;
        return NGX_CONF_OK;
    }

    if (*role++ != ':') {
        goto invalid;
    }

    token->roles = 0;

    for ( ;; ) {
        comma = ngx_strlchr(role, last, ',');

        text.data = role;
        text.len = (comma ? comma : last) - role;

        for (i = 0; ngx_http_mpk_conf_roles[i].name.len; i++) {
            if (mpk_str_eq(text, ngx_http_mpk_conf_roles[i].name)) {
                break;
            }
        }

        if (ngx_http_mpk_conf_roles[i].name.len == 0) {
            goto invalid;
        }

        token->roles |= ngx_http_mpk_conf_roles[i].role;

        if (comma == NULL) {
            break;
        }

        role = comma + 1;
    }

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "%V:%ui: a line must be \"name:sha256-of-token\" or "
                       "\"name:sha256-of-token:role\", the hash in 64 hex "
                       "digits, the role \"shop\", \"support\", \"read\", "
                       "\"feed\" or \"courier\", or several with commas "
                       "between them",
                       file, line);

    return NGX_CONF_ERROR;
}
