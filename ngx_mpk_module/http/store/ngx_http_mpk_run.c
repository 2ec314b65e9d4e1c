/* A request's transaction: who sent the request, and the wait for Redis. */

#include "ngx_http_mpk_run.h"


static mpk_str_t ngx_http_mpk_request_id(ngx_http_request_t *r,
    ngx_http_mpk_main_conf_t *mmcf);


void
ngx_http_mpk_txn_client(ngx_http_request_t *r, ngx_http_mpk_txn_t *txn)
{
    ngx_str_t           *ip, *language;
    mpk_str_t            value;
    ngx_http_mpk_ctx_t  *ctx;

    ctx = ngx_http_mpk_get_ctx(r);

    ip = &r->connection->addr_text;
    txn->entry.ip = ngx_http_mpk_txn_copy(txn, ngx_http_mpk_str(ip));

    if (r->headers_in.user_agent) {
        value = ngx_http_mpk_str(&r->headers_in.user_agent->value);
        value.len = ngx_min(value.len, MPK_AGENT_MAX + 4);
        txn->entry.user_agent = ngx_http_mpk_txn_copy(txn, value);
    }

    language = ctx->headers[NGX_HTTP_MPK_HEADER_ACCEPT_LANGUAGE];

    if (language) {
        value = ngx_http_mpk_str(language);
        value.len = ngx_min(value.len, MPK_LANGUAGE_MAX + 4);
        txn->entry.accept_language = ngx_http_mpk_txn_copy(txn, value);
    }

    txn->entry.request_id = ngx_http_mpk_txn_copy(txn,
                              ngx_http_mpk_request_id(r, txn->mmcf));

    txn->entry.policy = ngx_http_mpk_str(&ctx->mlcf->policy_version);
    txn->entry.actor = ctx->actor.len ? ngx_http_mpk_str(&ctx->actor)
                                    : mpk_string("customer");
}


/*
 * $request_id.  nginx calls RAND_bytes() for each one, which costs more than the rest of
 * this file; if the variable was not evaluated yet, it is set here from the worker's
 * buffered random bytes.
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


ngx_int_t
ngx_http_mpk_run(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_txn_t *txn, ngx_http_mpk_next_pt next)
{
    ctx->txn = txn;

    /* the answer's body: this pool lives as long as the request and has room to spare */

    ctx->body_mem = &txn->mem;

    if (txn->mem.failed) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_mpk_txn_start(txn);

    return ngx_http_mpk_wait(r, ctx, next);
}
