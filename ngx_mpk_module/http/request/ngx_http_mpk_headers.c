/* Request headers that nginx itself does not parse. */

#include "ngx_http_mpk_headers.h"


typedef struct {
    ngx_str_t                     name;            /* in lower case */
    ngx_uint_t                    hash;
} ngx_http_mpk_header_t;


static ngx_http_mpk_header_t  ngx_http_mpk_headers[] = {
    [NGX_HTTP_MPK_HEADER_ACCEPT] = { ngx_string("accept"), 0 },
    [NGX_HTTP_MPK_HEADER_ACCEPT_LANGUAGE] =
        { ngx_string("accept-language"), 0 },
    [NGX_HTTP_MPK_HEADER_IDEMPOTENCY_KEY] =
        { ngx_string("idempotency-key"), 0 },
    [NGX_HTTP_MPK_HEADER_ORIGIN] = { ngx_string("origin"), 0 },
    [NGX_HTTP_MPK_HEADER_SEC_FETCH_DEST] = { ngx_string("sec-fetch-dest"), 0 },
    [NGX_HTTP_MPK_HEADER_SEC_FETCH_SITE] = { ngx_string("sec-fetch-site"), 0 },
    [NGX_HTTP_MPK_HEADER_SEC_PURPOSE] = { ngx_string("sec-purpose"), 0 },
    [NGX_HTTP_MPK_HEADER_PURPOSE] = { ngx_string("purpose"), 0 },
    [NGX_HTTP_MPK_HEADER_X_PURPOSE] = { ngx_string("x-purpose"), 0 },
    [NGX_HTTP_MPK_HEADER_X_MOZ] = { ngx_string("x-moz"), 0 },
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


void
ngx_http_mpk_headers_find(ngx_http_request_t *r,
    ngx_str_t *found[NGX_HTTP_MPK_HEADER_MAX])
{
    ngx_uint_t              i, name;
    ngx_list_part_t        *part;
    ngx_table_elt_t        *h;
    ngx_http_mpk_header_t  *header;

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        for (name = 0; name < NGX_HTTP_MPK_HEADER_MAX; name++) {
            header = &ngx_http_mpk_headers[name];

            if (h[i].hash == header->hash && found[name] == NULL
                && h[i].key.len == header->name.len
                && ngx_strncasecmp(h[i].key.data, header->name.data,
                                   header->name.len)
                   == 0)
            {
                found[name] = &h[i].value;
                break;
            }
        }
    }
}
