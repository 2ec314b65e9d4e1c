/* What a request says: its body, what it accepts, where it comes from, who sent it. */

#include "ngx_http_mpk.h"
#include "mpk_form.h"

#define NGX_HTTP_MPK_FIELDS  32     /* of a form */


typedef struct {
    ngx_str_t                     name;            /* in lower case */
    ngx_uint_t                    hash;
} ngx_http_mpk_header_t;


static ngx_uint_t ngx_http_mpk_accept_q(ngx_str_t *accept, const char *type);
static mpk_str_t ngx_http_mpk_request_id(ngx_http_request_t *r,
    ngx_http_mpk_main_conf_t *mmcf);


static ngx_http_mpk_header_t  ngx_http_mpk_headers[NGX_HTTP_MPK_HEADER_MAX] = {
    [NGX_HTTP_MPK_HEADER_ACCEPT] = { ngx_string("accept"), 0 },
    [NGX_HTTP_MPK_HEADER_ACCEPT_LANGUAGE] =
        { ngx_string("accept-language"), 0 },
    [NGX_HTTP_MPK_HEADER_IDEMPOTENCY_KEY] =
        { ngx_string("idempotency-key"), 0 },
    [NGX_HTTP_MPK_HEADER_ORIGIN] = { ngx_string("origin"), 0 },
    [NGX_HTTP_MPK_HEADER_SEC_FETCH_SITE] = { ngx_string("sec-fetch-site"), 0 },
    [NGX_HTTP_MPK_HEADER_SEC_PURPOSE] = { ngx_string("sec-purpose"), 0 },
    [NGX_HTTP_MPK_HEADER_PURPOSE] = { ngx_string("purpose"), 0 },
    [NGX_HTTP_MPK_HEADER_X_PURPOSE] = { ngx_string("x-purpose"), 0 },
    [NGX_HTTP_MPK_HEADER_X_MOZ] = { ngx_string("x-moz"), 0 },
};


ngx_int_t
ngx_http_mpk_body(ngx_http_request_t *r, size_t max, mpk_str_t *body)
{
    u_char       *p;
    size_t        size;
    ssize_t       n;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    body->len = 0;
    body->data = (u_char *) "";

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        return NGX_OK;
    }

    size = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        size += ngx_buf_size(cl->buf);
    }

    if (size > max) {
        return NGX_DECLINED;
    }

    cl = r->request_body->bufs;

    if (cl->next == NULL && ngx_buf_in_memory(cl->buf)) {
        body->data = cl->buf->pos;
        body->len = size;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, size + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;
    body->len = size;

    for ( /* void */ ; cl; cl = cl->next) {
        b = cl->buf;

        if (ngx_buf_in_memory(b)) {
            p = ngx_cpymem(p, b->pos, b->last - b->pos);
            continue;
        }

        /* the end of a chunked body is a buffer with nothing in it */

        if (!b->in_file) {
            continue;
        }

        size = (size_t) (b->file_last - b->file_pos);

        n = ngx_read_file(b->file, p, size, b->file_pos);

        if (n == NGX_ERROR || (size_t) n != size) {
            return NGX_ERROR;
        }

        p += size;
    }

    return NGX_OK;
}


ngx_http_mpk_body_type_t
ngx_http_mpk_body_type(ngx_http_request_t *r)
{
    size_t       len;
    ngx_str_t   *type;
    ngx_uint_t   i;

    static struct {
        ngx_str_t                 name;
        ngx_http_mpk_body_type_t  type;
    } types[] = {
        { ngx_string("application/x-www-form-urlencoded"),
          NGX_HTTP_MPK_BODY_FORM },
        { ngx_string("application/json"), NGX_HTTP_MPK_BODY_JSON },
        { ngx_string("application/x-ndjson"), NGX_HTTP_MPK_BODY_NDJSON },
        { ngx_string("application/ndjson"), NGX_HTTP_MPK_BODY_NDJSON },
        { ngx_string("application/jsonl"), NGX_HTTP_MPK_BODY_NDJSON }
    };

    if (r->headers_in.content_type == NULL) {
        return NGX_HTTP_MPK_BODY_NONE;
    }

    type = &r->headers_in.content_type->value;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        len = types[i].name.len;

        if (type->len >= len
            && (type->len == len || type->data[len] == ';'
                || type->data[len] == ' ')
            && (ngx_memcmp(types[i].name.data, type->data, len) == 0
                || ngx_strncasecmp(types[i].name.data, type->data, len) == 0))
        {
            return types[i].type;
        }
    }

    return NGX_HTTP_MPK_BODY_OTHER;
}


ngx_int_t
ngx_http_mpk_fields(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx, size_t max,
    mpk_value_t **fields, mpk_error_t *error)
{
    mpk_str_t          body;
    ngx_int_t          rc;
    mpk_status_t       status;
    mpk_form_limits_t  form;
    mpk_json_limits_t  json;

    *fields = NULL;

    rc = ngx_http_mpk_body(r, max, &body);

    if (rc == NGX_DECLINED) {
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    switch (ngx_http_mpk_body_type(r)) {

    case NGX_HTTP_MPK_BODY_FORM:
        form = (mpk_form_limits_t) { .size = max,
                                     .fields = NGX_HTTP_MPK_FIELDS };

        status = mpk_form_read(&ctx->mem.mem, body.data, body.len, &form,
                               fields, error);
        break;

    case NGX_HTTP_MPK_BODY_JSON:
        json = (mpk_json_limits_t) { .size = max, .depth = 2,
                                     .values = NGX_HTTP_MPK_FIELDS };

        status = mpk_json_read(&ctx->mem.mem, body.data, body.len, &json,
                               fields, error);

        if (status == MPK_OK && (*fields)->type != MPK_VALUE_OBJECT) {
            status = mpk_fail(error, MPK_MALFORMED, 0,
                              "the body must be a JSON object");
        }

        break;

    default:

        if (body.len == 0) {
            return NGX_OK;
        }

        (void) mpk_fail(error, MPK_MALFORMED, 0,
                        "the body must be a form or application/json");

        return NGX_HTTP_UNSUPPORTED_MEDIA_TYPE;
    }

    if (status == MPK_NOMEM) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (status != MPK_OK) {
        *fields = NULL;
        return NGX_HTTP_BAD_REQUEST;
    }

    return NGX_OK;
}


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


ngx_uint_t
ngx_http_mpk_wants_json(ngx_http_request_t *r)
{
    ngx_str_t   *accept;
    ngx_uint_t   json;

    accept = ngx_http_mpk_get_ctx(r)->headers[NGX_HTTP_MPK_HEADER_ACCEPT];
    if (accept == NULL) {
        return 0;
    }

    json = ngx_http_mpk_accept_q(accept, "application/json");

    return json && json > ngx_http_mpk_accept_q(accept, "text/html");
}


/* The weight of a media type; ranges like text/<*> do not count. */

static ngx_uint_t
ngx_http_mpk_accept_q(ngx_str_t *accept, const char *type)
{
    u_char  *p, *last, *end;
    size_t   len;

    len = ngx_strlen(type);
    p = accept->data;
    last = p + accept->len;

    for ( /* void */ ; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, ',');
        if (end == NULL) {
            end = last;
        }

        while (p < end && *p == ' ') {
            p++;
        }

        if ((size_t) (end - p) < len
            || ngx_strncasecmp(p, (u_char *) type, len) != 0
            || (p + len < end && p[len] != ';' && p[len] != ' '))
        {
            continue;
        }

        return ngx_http_mpk_weight(p + len, end);
    }

    return 0;
}


ngx_uint_t
ngx_http_mpk_weight(u_char *p, u_char *last)
{
    ngx_uint_t  i, n, scale;

    p = ngx_strlcasestrn(p, last, (u_char *) "q=", 2 - 1);

    if (p == NULL) {
        return 1000;
    }

    p += 2;

    n = (p < last && *p == '1') ? 1000 : 0;
    p++;

    if (p < last && *p == '.') {
        p++;

        for (i = 0, scale = 100; i < 3 && p < last; i++, scale /= 10) {

            if (*p < '0' || *p > '9') {
                break;
            }

            n += (*p++ - '0') * scale;
        }
    }

    return ngx_min(n, 1000);
}


ngx_uint_t
ngx_http_mpk_is_prefetch(ngx_http_request_t *r)
{
    ngx_str_t           *value;
    ngx_uint_t           name, i;
    ngx_http_mpk_ctx_t  *ctx;

    static ngx_str_t  purposes[] = {
        ngx_string("prefetch"), ngx_string("prerender"), ngx_string("preview")
    };

    ctx = ngx_http_mpk_get_ctx(r);

    for (name = NGX_HTTP_MPK_HEADER_SEC_PURPOSE;
         name <= NGX_HTTP_MPK_HEADER_X_MOZ;
         name++)
    {
        value = ctx->headers[name];
        if (value == NULL) {
            continue;
        }

        for (i = 0; i < sizeof(purposes) / sizeof(ngx_str_t); i++) {
            if (ngx_strlcasestrn(value->data, value->data + value->len,
                                 purposes[i].data, purposes[i].len - 1))
            {
                return 1;
            }
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_mpk_is_foreign(ngx_http_request_t *r)
{
    ngx_str_t                *site, *origin;
    ngx_http_mpk_ctx_t       *ctx;
    ngx_http_mpk_srv_conf_t  *mscf;

    ctx = ngx_http_mpk_get_ctx(r);
    site = ctx->headers[NGX_HTTP_MPK_HEADER_SEC_FETCH_SITE];

    if (site && site->len == 10
        && ngx_strncmp(site->data, "cross-site", 10) == 0)
    {
        return 1;
    }

    origin = ctx->headers[NGX_HTTP_MPK_HEADER_ORIGIN];

    if (origin == NULL
        || (origin->len == 4 && ngx_strncmp(origin->data, "null", 4) == 0))
    {
        return 0;
    }

    mscf = ngx_http_get_module_srv_conf(r, ngx_http_mpk_module);

    return origin->len != mscf->public_url.len
           || ngx_strncasecmp(origin->data, mscf->public_url.data, origin->len)
              != 0;
}


void
ngx_http_mpk_who(ngx_http_request_t *r, ngx_http_mpk_txn_t *txn)
{
    ngx_str_t                *ip, *language;
    mpk_str_t                 value;
    ngx_http_mpk_ctx_t       *ctx;
    ngx_http_mpk_loc_conf_t  *mlcf;

    ctx = ngx_http_mpk_get_ctx(r);
    mlcf = ngx_http_get_module_loc_conf(r, ngx_http_mpk_module);

    ip = &r->connection->addr_text;
    txn->who.ip = ngx_http_mpk_txn_copy(txn, ngx_http_mpk_str(ip));

    if (r->headers_in.user_agent) {
        value = ngx_http_mpk_str(&r->headers_in.user_agent->value);
        value.len = ngx_min(value.len, MPK_AGENT_MAX + 4);
        txn->who.user_agent = ngx_http_mpk_txn_copy(txn, value);
    }

    language = ctx->headers[NGX_HTTP_MPK_HEADER_ACCEPT_LANGUAGE];

    if (language) {
        value = ngx_http_mpk_str(language);
        value.len = ngx_min(value.len, MPK_LANGUAGE_MAX + 4);
        txn->who.accept_language = ngx_http_mpk_txn_copy(txn, value);
    }

    txn->who.request_id = ngx_http_mpk_txn_copy(txn,
                              ngx_http_mpk_request_id(r, txn->mmcf));

    txn->who.policy = ngx_http_mpk_str(&mlcf->policy_version);
    txn->who.actor = ctx->actor.len ? ngx_http_mpk_str(&ctx->actor)
                                    : mpk_string("customer");
}


/*
 * $request_id, as an access log may have it.  Nginx would ask OpenSSL for each one
 * alone, which costs more than all else in this file; if nobody has asked for it
 * yet, it is made here, of the random bytes that the worker has in store.
 */

static mpk_str_t
ngx_http_mpk_request_id(ngx_http_request_t *r, ngx_http_mpk_main_conf_t *mmcf)
{
    u_char                      random[16];
    ngx_http_variable_value_t  *id;

    id = &r->variables[mmcf->request_id];

    if (!id->valid && !id->not_found) {

        id->data = ngx_pnalloc(r->pool, 2 * sizeof(random));

        if (id->data == NULL
            || mpk_crypto_random(mmcf->crypto, random, sizeof(random))
               != MPK_OK)
        {
            return mpk_string("");
        }

        (void) ngx_hex_dump(id->data, random, sizeof(random));

        id->len = 2 * sizeof(random);
        id->valid = 1;
        id->no_cacheable = 0;
    }

    return (mpk_str_t) { id->len, id->data };
}
