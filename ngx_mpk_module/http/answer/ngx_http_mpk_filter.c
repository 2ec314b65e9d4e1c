/*
 * The headers that an answer with secrets needs, each once.  A filter of its own behind
 * that of add_header and expires: browsers combine two policies to the stricter of both,
 * and a second Cache-Control may permit what the first forbids.
 */

#include "ngx_http_mpk_filter.h"


typedef struct {
    ngx_str_t    name;
    ngx_str_t    value;                  /* empty: the header is only removed */
} ngx_http_mpk_header_t;


static ngx_int_t ngx_http_mpk_filter(ngx_http_request_t *r);
static void ngx_http_mpk_filter_remove(ngx_http_request_t *r, ngx_str_t *name);
static ngx_int_t ngx_http_mpk_filter_init(ngx_conf_t *cf);


/* Those without a value come from add_header, expires or, by X-Accel-Redirect, the shop. */

static ngx_http_mpk_header_t  ngx_http_mpk_filter_headers[] = {
    { ngx_string("Cache-Control"), ngx_string("no-store") },
    { ngx_string("Referrer-Policy"), ngx_string("no-referrer") },
    { ngx_string("X-Content-Type-Options"), ngx_string("nosniff") },
    { ngx_string("X-Robots-Tag"), ngx_string("noindex") },
    { ngx_string("Expires"), ngx_null_string },
    { ngx_string("Content-Disposition"), ngx_null_string },
    { ngx_string("Accept-Ranges"), ngx_null_string },
    { ngx_null_string, ngx_null_string }
};

static ngx_str_t  ngx_http_mpk_filter_policy =
    ngx_string("Content-Security-Policy");


static ngx_http_module_t  ngx_http_mpk_filter_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_mpk_filter_init,              /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_mpk_filter_module = {
    NGX_MODULE_V1,
    &ngx_http_mpk_filter_module_ctx,       /* module context */
    NULL,                                  /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_output_header_filter_pt  ngx_http_mpk_filter_next;


static ngx_int_t
ngx_http_mpk_filter(ngx_http_request_t *r)
{
    ngx_http_mpk_ctx_t     *ctx;
    ngx_http_mpk_header_t  *header;

    ctx = ngx_http_get_module_ctx(r, ngx_http_mpk_module);

    if (ctx == NULL || ctx->policy == NULL || r != r->main) {
        return ngx_http_mpk_filter_next(r);
    }

    for (header = ngx_http_mpk_filter_headers; header->name.len; header++) {
        ngx_http_mpk_filter_remove(r, &header->name);

        if (header->value.len
            && ngx_http_mpk_header_add(r, &header->name, &header->value)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    ngx_http_mpk_filter_remove(r, &ngx_http_mpk_filter_policy);

    if (ngx_http_mpk_header_add(r, &ngx_http_mpk_filter_policy, ctx->policy)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_mpk_filter_next(r);
}


static void
ngx_http_mpk_filter_remove(ngx_http_request_t *r, ngx_str_t *name)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == name->len
                && ngx_strncasecmp(h[i].key.data, name->data, name->len) == 0)
            {
                h[i].hash = 0;
            }
        }
    }
}


ngx_int_t
ngx_http_mpk_header_add(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    h->key = *name;
    h->value = *value;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    return NGX_OK;
}


static ngx_int_t
ngx_http_mpk_filter_init(ngx_conf_t *cf)
{
    ngx_http_mpk_filter_next = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_mpk_filter;

    return NGX_OK;
}
