/*
 * Where the module takes part in a request: tokens are hidden before anybody can
 * log them, endpoints answer before the content phase, the log phase sees whether
 * a view was cut off.
 */

#include "ngx_http_mpk.h"


static ngx_int_t ngx_http_mpk_post_read_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_mpk_cut(ngx_http_request_t *r, ngx_str_t *text,
    u_char *p);
static ngx_int_t ngx_http_mpk_handler(ngx_http_request_t *r);
static void ngx_http_mpk_begin(ngx_http_request_t *r);
static ngx_int_t ngx_http_mpk_log_handler(ngx_http_request_t *r);
static void ngx_http_mpk_body_handler(ngx_http_request_t *r);


ngx_int_t
ngx_http_mpk_phases_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_mpk_main_conf_t   *mmcf;
    ngx_http_core_main_conf_t  *cmcf;

    mmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mpk_module);

    if (mmcf->endpoints == 0) {
        return NGX_OK;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_POST_READ_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_mpk_post_read_handler;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_mpk_handler;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_LOG_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_mpk_log_handler;

    return NGX_OK;
}


/*
 * limit_req and others log the request line and the Referer long before the
 * endpoint's turn: the token is cut out of both first.
 */

static ngx_int_t
ngx_http_mpk_post_read_handler(ngx_http_request_t *r)
{
    if (ngx_http_mpk_hide(r, &r->request_line) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->headers_in.referer
        && ngx_http_mpk_hide(r, &r->headers_in.referer->value) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


/*
 * An address can be written in many ways ("/r%2f..."): where the request is for a
 * link, and the text does not say so plainly, all of the address is cut out.
 */

ngx_int_t
ngx_http_mpk_hide(ngx_http_request_t *r, ngx_str_t *text)
{
    u_char                   *p, *found;
    ngx_str_t                *path;
    ngx_uint_t                i, secret;
    ngx_http_mpk_srv_conf_t  *mscf;

    mscf = ngx_http_get_module_srv_conf(r, ngx_http_mpk_module);

    ngx_str_t  *paths[] = {
        &mscf->reveal_path, &mscf->claim_path, &mscf->upload_path
    };

    p = NULL;
    secret = 0;

    for (i = 0; i < 3; i++) {
        path = paths[i];

        if (path->len == 0) {
            continue;
        }

        found = ngx_strnstr(text->data, (char *) path->data, text->len);

        if (found && (p == NULL || found + path->len < p)) {
            p = found + path->len;
        }

        secret |= (r->uri.len > path->len
                   && ngx_strncmp(r->uri.data, path->data, path->len) == 0);
    }

    if (p == NULL) {

        if (!secret || (r->headers_in.referer
                        && text == &r->headers_in.referer->value))
        {
            return NGX_OK;
        }

        p = ngx_strlchr(text->data, text->data + text->len, '/');
        if (p == NULL) {
            return NGX_OK;
        }
    }

    return ngx_http_mpk_cut(r, text, p);
}


/* Hides what stands in text from p to the end of the path. */

static ngx_int_t
ngx_http_mpk_cut(ngx_http_request_t *r, ngx_str_t *text, u_char *p)
{
    u_char      *q, *new, *last, *end;
    ngx_uint_t   i;

    static u_char  hidden[] = "[hidden]";

    last = text->data + text->len;
    q = last;

    for (i = 0; i < 3; i++) {
        end = memchr(p, " ?#"[i], q - p);
        if (end) {
            q = end;
        }
    }

    if (q == p) {
        return NGX_OK;
    }

    new = ngx_pnalloc(r->pool, text->len + sizeof(hidden));
    if (new == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(ngx_cpymem(new, text->data, p - text->data),
                   hidden, sizeof(hidden) - 1);
    p = ngx_cpymem(p, q, last - q);

    text->data = new;
    text->len = p - new;

    return NGX_OK;
}


ngx_int_t
ngx_http_mpk_path_token(ngx_http_request_t *r, ngx_str_t *path,
    ngx_str_t *token)
{
    if (r->uri.len <= path->len
        || ngx_strncmp(r->uri.data, path->data, path->len) != 0)
    {
        return NGX_DECLINED;
    }

    token->data = r->uri.data + path->len;
    token->len = r->uri.len - path->len;

    if (memchr(token->data, '/', token->len)) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_mpk_handler(ngx_http_request_t *r)
{
    ngx_http_mpk_ctx_t       *ctx;
    ngx_http_mpk_loc_conf_t  *mlcf;

    mlcf = ngx_http_get_module_loc_conf(r, ngx_http_mpk_module);

    if (mlcf->endpoint == NULL) {
        return NGX_DECLINED;
    }

    if (r != r->main && mlcf->endpoint != ngx_http_mpk_onscreen_handler) {

        /* what guards a location is not got round by a subrequest */

        return mlcf->endpoint == ngx_http_mpk_claim_access_handler
               ? NGX_HTTP_FORBIDDEN : NGX_DECLINED;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_mpk_module);

    if (ctx == NULL) {

        /* "master_process off" does not init a process for a new configuration */

        if (ngx_http_mpk_init_process((ngx_cycle_t *) ngx_cycle) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (r->write_event_handler == ngx_http_core_run_phases
            && r == r->main)
        {
            ngx_http_mpk_post(r, ngx_http_mpk_begin);
            return NGX_AGAIN;
        }

        r->write_event_handler = ngx_http_core_run_phases;

        return mlcf->endpoint(r);
    }

    if (ctx->passed) {
        return NGX_DECLINED;
    }

    if (ctx->waiting) {
        return NGX_AGAIN;
    }

    return ctx->next(r, ctx);
}


/* Told from ngx_http_core_run_phases() by its name alone: the endpoint is to start now. */

static void
ngx_http_mpk_begin(ngx_http_request_t *r)
{
    /* in HTTP/2 the frame behind the request may have taken it back */

    if (r->connection->error) {
        ngx_http_finalize_request(r, NGX_HTTP_CLIENT_CLOSED_REQUEST);
        return;
    }

    ngx_http_core_run_phases(r);
}


/*
 * A view whose answer did not go to the kernel whole is journaled as cut off.
 * Nginx keeps what it could not send in r->out or below it.
 */

static ngx_int_t
ngx_http_mpk_log_handler(ngx_http_request_t *r)
{
    ngx_connection_t    *c;
    ngx_http_mpk_ctx_t  *ctx;

    ctx = ngx_http_mpk_get_ctx(r);

    if (ctx == NULL || ctx->txn == NULL || ctx->txn->keys_count == 0
        || ctx->txn->waiting || ctx->txn->result != NGX_HTTP_MPK_TXN_OK
        || r != r->main)
    {
        return NGX_OK;
    }

    c = r->connection;

    if (ctx->shown && r->header_sent && r->out == NULL && !c->buffered
#if (NGX_HTTP_V2)
        && (r->stream == NULL || (r->stream->queued == 0 && !c->error))
#endif
       )
    {
        return NGX_OK;
    }

    ngx_http_mpk_txn_cut_off(ctx->txn);

    return NGX_OK;
}


ngx_int_t
ngx_http_mpk_read_body(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_next_pt next)
{
    ngx_int_t  rc;

    ctx->next = next;
    ctx->waiting = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_mpk_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_DONE;
}


static void
ngx_http_mpk_body_handler(ngx_http_request_t *r)
{
    ngx_http_mpk_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_mpk_module);

    ctx->waiting = 0;

    r->preserve_body = 1;
    r->write_event_handler = ngx_http_core_run_phases;

    ngx_http_core_run_phases(r);
}
