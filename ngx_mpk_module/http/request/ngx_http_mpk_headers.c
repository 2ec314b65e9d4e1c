/* Request headers that nginx itself does not parse. */

#include "ngx_http_mpk_headers.h"


typedef struct {
    ngx_str_t                     name;            /* in lower case */
    ngx_uint_t                    hash;
    ngx_uint_t                    list;            /* lines are one list (RFC 9110, 5.3) */
} ngx_http_mpk_header_t;


static ngx_int_t ngx_http_mpk_headers_join(ngx_http_request_t *r,
    mpk_mem_t *mem, ngx_http_mpk_header_t *header, ngx_str_t **joined);
static ngx_uint_t ngx_http_mpk_headers_is(ngx_table_elt_t *h,
    ngx_http_mpk_header_t *header);


static ngx_http_mpk_header_t  ngx_http_mpk_headers[] = {
    [NGX_HTTP_MPK_HEADER_ACCEPT] = { ngx_string("accept"), 0, 1 },
    [NGX_HTTP_MPK_HEADER_ACCEPT_LANGUAGE] =
        { ngx_string("accept-language"), 0, 1 },
    [NGX_HTTP_MPK_HEADER_IDEMPOTENCY_KEY] =
        { ngx_string("idempotency-key"), 0, 0 },
    [NGX_HTTP_MPK_HEADER_ORIGIN] = { ngx_string("origin"), 0, 0 },
    [NGX_HTTP_MPK_HEADER_SEC_CH_UA_PLATFORM] =
        { ngx_string("sec-ch-ua-platform"), 0, 0 },
    [NGX_HTTP_MPK_HEADER_SEC_FETCH_DEST] =
        { ngx_string("sec-fetch-dest"), 0, 0 },
    [NGX_HTTP_MPK_HEADER_SEC_FETCH_SITE] =
        { ngx_string("sec-fetch-site"), 0, 0 },
    [NGX_HTTP_MPK_HEADER_SEC_PURPOSE] = { ngx_string("sec-purpose"), 0, 1 },
    [NGX_HTTP_MPK_HEADER_PURPOSE] = { ngx_string("purpose"), 0, 1 },
    [NGX_HTTP_MPK_HEADER_X_PURPOSE] = { ngx_string("x-purpose"), 0, 1 },
    [NGX_HTTP_MPK_HEADER_X_MOZ] = { ngx_string("x-moz"), 0, 1 },
};

_Static_assert(sizeof(ngx_http_mpk_headers) / sizeof(ngx_http_mpk_headers[0])
               == NGX_HTTP_MPK_HEADER_MAX, "a name for each header");


void
ngx_http_mpk_headers_init(void)
{
    ngx_uint_t              i;
    ngx_http_mpk_header_t  *header;

    for (i = 0; i < NGX_HTTP_MPK_HEADER_MAX; i++) {
        header = &ngx_http_mpk_headers[i];
        header->hash = ngx_hash_key(header->name.data, header->name.len);
    }
}


ngx_int_t
ngx_http_mpk_headers_find(ngx_http_request_t *r, mpk_mem_t *mem,
    ngx_str_t *found[NGX_HTTP_MPK_HEADER_MAX])
{
    ngx_uint_t              i, name, several;
    ngx_list_part_t        *part;
    ngx_table_elt_t        *h;
    ngx_http_mpk_header_t  *header;

    part = &r->headers_in.headers.part;
    h = part->elts;

    several = 0;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        for (name = 0; name < NGX_HTTP_MPK_HEADER_MAX; name++) {
            header = &ngx_http_mpk_headers[name];

            if (!ngx_http_mpk_headers_is(&h[i], header)) {
                continue;
            }

            if (found[name] == NULL) {
                found[name] = &h[i].value;

            } else if (header->list) {
                several |= 1 << name;
            }

            break;
        }
    }

    for (name = 0; several >> name; name++) {

        if (several & (1 << name)
            && ngx_http_mpk_headers_join(r, mem, &ngx_http_mpk_headers[name],
                                         &found[name])
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* Makes one list of all lines. */

static ngx_int_t
ngx_http_mpk_headers_join(ngx_http_request_t *r, mpk_mem_t *mem,
    ngx_http_mpk_header_t *header, ngx_str_t **joined)
{
    mpk_buf_t         list;
    ngx_str_t        *value;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    value = mpk_alloc(mem, sizeof(ngx_str_t));
    if (value == NULL) {
        return NGX_ERROR;
    }

    mpk_buf_init(&list, mem, 256);

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (!ngx_http_mpk_headers_is(&h[i], header)) {
                continue;
            }

            if (list.len) {
                mpk_buf_lit(&list, ", ");
            }

            mpk_buf_put(&list, h[i].value.data, h[i].value.len);
        }
    }

    if (list.failed) {
        return NGX_ERROR;
    }

    value->data = list.data;
    value->len = list.len;

    *joined = value;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_mpk_headers_is(ngx_table_elt_t *h, ngx_http_mpk_header_t *header)
{
    return h->hash == header->hash
           && h->key.len == header->name.len
           && ngx_strncasecmp(h->key.data, header->name.data,
                              header->name.len)
              == 0;
}
