/* $mpk_event, $mpk_outcome and others, for logs; never a secret. */

#include "ngx_http_mpk_variables.h"
#include "ngx_http_mpk_address.h"
#include "ngx_http_mpk_ctx.h"

#include "mpk_base64url.h"


static ngx_int_t ngx_http_mpk_variable_str(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_mpk_variable_word(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_mpk_variable_head(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_mpk_variable_store_time(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_mpk_variable_uri(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


static ngx_http_variable_t  ngx_http_mpk_variables[] = {

    { ngx_string("mpk_event"), NULL, ngx_http_mpk_variable_word,
      offsetof(ngx_http_mpk_ctx_t, event), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("mpk_outcome"), NULL, ngx_http_mpk_variable_word,
      offsetof(ngx_http_mpk_ctx_t, outcome), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("mpk_order"), NULL, ngx_http_mpk_variable_str,
      offsetof(ngx_http_mpk_ctx_t, order), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("mpk_items"), NULL, ngx_http_mpk_variable_str,
      offsetof(ngx_http_mpk_ctx_t, items), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("mpk_channel"), NULL, ngx_http_mpk_variable_str,
      offsetof(ngx_http_mpk_ctx_t, channel), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("mpk_token_id"), NULL, ngx_http_mpk_variable_str,
      offsetof(ngx_http_mpk_ctx_t, token_id), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("mpk_claim"), NULL, ngx_http_mpk_variable_str,
      offsetof(ngx_http_mpk_ctx_t, claim), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("mpk_journal_head"), NULL, ngx_http_mpk_variable_head,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("mpk_store_time"), NULL, ngx_http_mpk_variable_store_time,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("mpk_uri"), NULL, ngx_http_mpk_variable_uri,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_mpk_variables_init(ngx_conf_t *cf)
{
    ngx_http_variable_t       *var, *v;
    ngx_http_mpk_main_conf_t  *mmcf;

    static ngx_str_t  request_id = ngx_string("request_id");

    for (v = ngx_http_mpk_variables; v->name.len; v++) {

        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    mmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mpk_module);

    mmcf->request_id = ngx_http_get_variable_index(cf, &request_id);

    return mmcf->request_id == NGX_ERROR ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_http_mpk_variable_str(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    mpk_str_t           *s;
    ngx_http_mpk_ctx_t  *ctx;

    ctx = ngx_http_mpk_get_ctx(r);

    s = ctx ? (mpk_str_t *) ((u_char *) ctx + data) : NULL;

    if (s == NULL || s->len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->len = s->len;
    v->data = (u_char *) s->data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_mpk_variable_word(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    mpk_str_t            word;
    ngx_http_mpk_ctx_t  *ctx;

    ctx = ngx_http_mpk_get_ctx(r);

    if (ctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    word = data == offsetof(ngx_http_mpk_ctx_t, event)
           ? ngx_http_mpk_event_name(ctx->event)
           : ngx_http_mpk_outcome_name(ctx->outcome);

    if (word.len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->len = word.len;
    v->data = (u_char *) word.data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


/* n:MAC of the journal entry that this request committed. */

static ngx_int_t
ngx_http_mpk_variable_head(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char              *p, *last;
    ngx_http_mpk_ctx_t  *ctx;

    ctx = ngx_http_mpk_get_ctx(r);

    if (ctx == NULL || ctx->revision == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_INT64_LEN + 1
                             + mpk_base64url_encoded_len(MPK_MAC_LEN));
    if (p == NULL) {
        return NGX_ERROR;
    }

    last = ngx_sprintf(p, "%uL:", ctx->revision);
    mpk_base64url_encode(last, ctx->mac, MPK_MAC_LEN);

    v->len = last + mpk_base64url_encoded_len(MPK_MAC_LEN) - p;
    v->data = p;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


/* Seconds, with milliseconds, that the request waited for Redis. */

static ngx_int_t
ngx_http_mpk_variable_store_time(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char              *p;
    ngx_msec_t           ms;
    ngx_http_mpk_ctx_t  *ctx;

    ctx = ngx_http_mpk_get_ctx(r);

    if (ctx == NULL || !ctx->stored) {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_TIME_T_LEN + 4);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ms = ctx->store_time / 1000;

    v->len = ngx_sprintf(p, "%T.%03M", (time_t) ms / 1000, ms % 1000) - p;
    v->data = p;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_mpk_variable_uri(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t  uri;

    uri = r->unparsed_uri;

    if (ngx_http_mpk_hide(r, &uri, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    v->len = uri.len;
    v->data = uri.data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}
