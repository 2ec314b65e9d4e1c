/*
 * Phase handlers: post-read removes tokens from what is logged, precontent runs the
 * endpoint, log journals a view that was cut off.
 */

#include "ngx_http_mpk_phases.h"
#include "ngx_http_mpk_address.h"
#include "ngx_http_mpk_sent.h"
#include "ngx_http_mpk_txn.h"
#include "ngx_http_mpk_worker.h"


static ngx_int_t ngx_http_mpk_post_read_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_mpk_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_mpk_handled(ngx_http_request_t *r, ngx_int_t rc);
static void ngx_http_mpk_begin(ngx_http_request_t *r);
static void ngx_http_mpk_check_address(ngx_http_request_t *r,
    const ngx_http_mpk_endpoint_t *endpoint);
static ngx_int_t ngx_http_mpk_log_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_mpk_log_hide(ngx_http_request_t *r);
static ngx_uint_t ngx_http_mpk_contains(ngx_str_t *text, ngx_str_t *part);
static ngx_int_t ngx_http_mpk_paths_init(ngx_conf_t *cf,
    ngx_http_mpk_main_conf_t *mmcf);


ngx_int_t
ngx_http_mpk_phases_init(ngx_conf_t *cf)
{
    ngx_array_t                *log;
    ngx_http_handler_pt        *h;
    ngx_http_mpk_main_conf_t   *mmcf;
    ngx_http_core_main_conf_t  *cmcf;

    mmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mpk_module);

    if (mmcf->locations.nelts == 0) {
        return NGX_OK;
    }

    if (ngx_http_mpk_paths_init(cf, mmcf) != NGX_OK) {
        return NGX_ERROR;
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

    /* before all that log */

    log = &cmcf->phases[NGX_HTTP_LOG_PHASE].handlers;

    h = ngx_array_push(log);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h = log->elts;

    ngx_memmove(h + 1, h, (log->nelts - 1) * sizeof(ngx_http_handler_pt));

    *h = ngx_http_mpk_log_hide;

    return NGX_OK;
}


/* What comes before a token in an address of any server. */

static ngx_int_t
ngx_http_mpk_paths_init(ngx_conf_t *cf, ngx_http_mpk_main_conf_t *mmcf)
{
    mpk_str_t                   *path;
    ngx_uint_t                   i, j, n;
    ngx_http_mpk_srv_conf_t     *mscf;
    ngx_http_core_srv_conf_t   **server;
    ngx_http_core_main_conf_t   *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (ngx_array_init(&mmcf->paths, cf->pool, 4, sizeof(mpk_str_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    server = cmcf->servers.elts;

    for (i = 0; i < cmcf->servers.nelts; i++) {
        mscf = server[i]->ctx->srv_conf[ngx_http_mpk_module.ctx_index];

        const mpk_str_t  paths[] = {
            ngx_http_mpk_str(&mscf->reveal_path),
            ngx_http_mpk_str(&mscf->claim_path),
            ngx_http_mpk_str(&mscf->upload_path)
        };

        for (j = 0; j < sizeof(paths) / sizeof(paths[0]); j++) {

            path = mmcf->paths.elts;

            for (n = 0; n < mmcf->paths.nelts; n++) {
                if (mpk_str_eq(path[n], paths[j])) {
                    break;
                }
            }

            if (paths[j].len == 0 || n < mmcf->paths.nelts) {
                continue;
            }

            path = ngx_array_push(&mmcf->paths);
            if (path == NULL) {
                return NGX_ERROR;
            }

            *path = paths[j];
        }
    }

    return NGX_OK;
}


/*
 * limit_req and others log the request line and the Referer in earlier phases: removes
 * the token from both first.
 */

static ngx_int_t
ngx_http_mpk_post_read_handler(ngx_http_request_t *r)
{
    if (ngx_http_mpk_hide(r, &r->request_line, 1) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->headers_in.referer
        && ngx_http_mpk_hide(r, &r->headers_in.referer->value, 0) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
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

    if (r != r->main && !mlcf->endpoint->subrequests) {

        /* a subrequest must not get past a guard either */

        return mlcf->endpoint->guard ? NGX_HTTP_FORBIDDEN : NGX_DECLINED;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_mpk_module);

    if (ctx == NULL) {

        /* "master_process off": init_process is not called after a reload */

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

        ngx_http_mpk_check_address(r, mlcf->endpoint);

        return ngx_http_mpk_handled(r, mlcf->endpoint->handler(r));
    }

    if (ctx->passed) {
        return NGX_DECLINED;
    }

    if (ctx->waiting) {

#if (NGX_HTTP_V3)

        /* ngx_http_test_reading() does not see STOP_SENDING */

        if (r->connection->quic && r->connection->write->error
            && r == r->main)
        {
            r->connection->error = 1;
            return NGX_HTTP_CLIENT_CLOSED_REQUEST;
        }

#endif

        return NGX_AGAIN;
    }

    return ngx_http_mpk_handled(r, ctx->next(r, ctx));
}


/* A handler that gives up with a bare 500 has failed, unless it has committed. */

static ngx_int_t
ngx_http_mpk_handled(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_http_mpk_ctx_t  *ctx;

    if (rc == NGX_HTTP_INTERNAL_SERVER_ERROR) {
        ctx = ngx_http_get_module_ctx(r, ngx_http_mpk_module);

        if (ctx && ctx->revision == 0) {
            ctx->outcome = NGX_HTTP_MPK_OUTCOME_ERROR;
        }
    }

    return rc;
}


/*
 * A function of its own, so that the phase handler can tell the first call from later
 * ones.
 */

static void
ngx_http_mpk_begin(ngx_http_request_t *r)
{
    /* HTTP/2: the frame after the request may have reset the stream */

    if (r->connection->error) {
        ngx_http_finalize_request(r, NGX_HTTP_CLIENT_CLOSED_REQUEST);
        return;
    }

    ngx_http_core_run_phases(r);
}


/*
 * Warns once that customers have no address.  realip could give them one, whose directives
 * can't be seen when the configuration is read.
 */

static void
ngx_http_mpk_check_address(ngx_http_request_t *r,
    const ngx_http_mpk_endpoint_t *endpoint)
{
    static ngx_uint_t  warned;

    if (warned || endpoint->id >= NGX_HTTP_MPK_ENDPOINT_API
        || r->connection->sockaddr->sa_family != AF_UNIX)
    {
        return;
    }

    warned = 1;

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "mpk: the customer's address is \"unix:\": evidence has no IP "
                  "address, and mpk_track_limit counts all customers as one: set "
                  "\"set_real_ip_from unix:\" and \"real_ip_header\"");
}


/*
 * Journals what is known only now: a view of which not all keys have left, files that what
 * is behind the location has accepted.
 */

static ngx_int_t
ngx_http_mpk_log_handler(ngx_http_request_t *r)
{
    off_t                sent;
    ngx_http_mpk_ctx_t  *ctx;

    ctx = ngx_http_mpk_get_ctx(r);

    if (ctx == NULL || r != r->main) {
        return NGX_OK;
    }

    if (ctx->passed && ctx->mlcf->endpoint->log) {
        return ctx->mlcf->endpoint->log(r);
    }

    if (ctx->txn == NULL || ctx->txn->keys_count == 0 || ctx->txn->waiting
        || ctx->txn->result != NGX_HTTP_MPK_TXN_OK)
    {
        return NGX_OK;
    }

    sent = ngx_http_mpk_sent(r, ctx);

    if (sent != NGX_HTTP_MPK_SENT_ALL) {
        ngx_http_mpk_txn_cut_off(ctx->txn, sent);
    }

    return NGX_OK;
}


/*
 * Before the other handlers of the log phase: a request that died before post-read still
 * has its token, and so have the addresses and the variables made of them.
 */

static ngx_int_t
ngx_http_mpk_log_hide(ngx_http_request_t *r)
{
    u_char                     *uri;
    ngx_str_t                   text, unparsed;
    ngx_uint_t                  i;
    ngx_http_variable_value_t  *v;
    ngx_http_core_main_conf_t  *cmcf;

    unparsed = r->unparsed_uri;
    uri = r->uri.data;

    /* without memory nothing of them is logged */

    if (ngx_http_mpk_post_read_handler(r) != NGX_DECLINED
        || ngx_http_mpk_hide(r, &r->unparsed_uri, 1) != NGX_OK
        || ngx_http_mpk_hide(r, &r->uri, 1) != NGX_OK)
    {
        r->request_line.len = 0;
        r->unparsed_uri.len = 0;
        r->uri.len = 0;
    }

    if (r->unparsed_uri.data == unparsed.data && r->uri.data == uri
        && r->uri.len)
    {
        return NGX_OK;
    }

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    for (i = 0; i < cmcf->variables.nelts; i++) {
        v = &r->variables[i];

        if (!v->valid) {
            continue;
        }

        text.len = v->len;
        text.data = v->data;

        if (ngx_http_mpk_hide(r, &text, 0) != NGX_OK) {
            text.len = 0;

        } else if (text.data == v->data && unparsed.len
                   && text.len >= unparsed.len
                   && ngx_http_mpk_contains(&text, &unparsed))
        {
            /* the path is written in another way */

            text = r->unparsed_uri;
        }

        v->len = text.len;
        v->data = text.data;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_mpk_contains(ngx_str_t *text, ngx_str_t *part)
{
    u_char  *p, *last;

    last = text->data + text->len - part->len;

    for (p = text->data; p <= last; p++) {
        if (ngx_memcmp(p, part->data, part->len) == 0) {
            return 1;
        }
    }

    return 0;
}
