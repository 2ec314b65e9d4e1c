/*
 * What can be seen only when all directives were read: what an endpoint needs, and where
 * links lead.
 */

#include "ngx_http_mpk_conf.h"
#include "ngx_http_mpk_pages.h"


/* An address with a token; the module's tokens are JWTs (RFC 7519) of some hundred bytes. */
#define NGX_HTTP_MPK_CONF_TOKEN  "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl"

#define ngx_http_mpk_conf_bit(id)  (1 << NGX_HTTP_MPK_ENDPOINT_##id)

/* Those that can lead to a key. */
#define NGX_HTTP_MPK_CONF_CONSENT                                            \
    (ngx_http_mpk_conf_bit(REVEAL)|ngx_http_mpk_conf_bit(TRACK)              \
     |ngx_http_mpk_conf_bit(ACCOUNT)|ngx_http_mpk_conf_bit(ONSCREEN))

/* Those that answer the address of their location alone. */
#define NGX_HTTP_MPK_CONF_EXACT                                              \
    (ngx_http_mpk_conf_bit(TRACK)|ngx_http_mpk_conf_bit(ACCOUNT)             \
     |ngx_http_mpk_conf_bit(WITHDRAW))

/* Those that hand out links. */
#define NGX_HTTP_MPK_CONF_LINKS                                              \
    (ngx_http_mpk_conf_bit(TRACK)|ngx_http_mpk_conf_bit(ACCOUNT)             \
     |ngx_http_mpk_conf_bit(ONSCREEN)|ngx_http_mpk_conf_bit(API))


/* Where tokens are in addresses, and which endpoint must get them. */
typedef struct {
    ngx_http_mpk_endpoint_id_t  id;
    ngx_str_t                   directive;
    size_t                      path;              /* in ngx_http_mpk_srv_conf_t */
    ngx_uint_t                  links;             /* endpoints that hand out such addresses */
} ngx_http_mpk_conf_path_t;


static char *ngx_http_mpk_conf_check_identity(ngx_conf_t *cf,
    ngx_http_mpk_loc_conf_t *conf);
static ngx_int_t ngx_http_mpk_conf_check_path(ngx_conf_t *cf,
    const ngx_http_mpk_conf_path_t *path, ngx_http_mpk_location_t *location);
static ngx_uint_t ngx_http_mpk_conf_serves(ngx_conf_t *cf,
    const ngx_http_mpk_conf_path_t *path, ngx_http_core_srv_conf_t *server);
static void ngx_http_mpk_conf_warn(ngx_conf_t *cf,
    ngx_http_mpk_location_t *location);
static void ngx_http_mpk_conf_warn_consent(ngx_conf_t *cf,
    ngx_http_mpk_location_t *location);
static ngx_uint_t ngx_http_mpk_conf_find(ngx_http_core_loc_conf_t *clcf,
    ngx_str_t *uri, ngx_http_core_loc_conf_t **found);
static ngx_http_core_loc_conf_t *ngx_http_mpk_conf_find_static(
    ngx_http_location_tree_node_t *node, ngx_str_t *uri);


static const ngx_http_mpk_conf_path_t  ngx_http_mpk_conf_paths[] = {

    { NGX_HTTP_MPK_ENDPOINT_REVEAL, ngx_string("mpk_reveal"),
      offsetof(ngx_http_mpk_srv_conf_t, reveal_path),
      NGX_HTTP_MPK_CONF_LINKS|ngx_http_mpk_conf_bit(REVEAL) },

    { NGX_HTTP_MPK_ENDPOINT_CLAIM, ngx_string("mpk_claim"),
      offsetof(ngx_http_mpk_srv_conf_t, claim_path),
      ngx_http_mpk_conf_bit(CLAIM) },

    { NGX_HTTP_MPK_ENDPOINT_CLAIM_ACCESS, ngx_string("mpk_claim_access"),
      offsetof(ngx_http_mpk_srv_conf_t, upload_path),
      ngx_http_mpk_conf_bit(CLAIM_ACCESS) }
};


char *
ngx_http_mpk_conf_check_endpoint(ngx_conf_t *cf, ngx_http_mpk_loc_conf_t *conf)
{
    const char                *missing;
    ngx_http_mpk_main_conf_t  *mmcf;
    ngx_http_mpk_srv_conf_t   *mscf;
    ngx_http_core_loc_conf_t  *clcf;

    mmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mpk_module);
    mscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_mpk_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    missing = NULL;

    if (conf->onscreen && !clcf->internal) {
        missing = "\"internal\" in its location: it shows keys to whom the "
                  "upstream sends there, and to nobody else";

    } else if (mmcf->keyring == NULL) {
        missing = "\"mpk_keyring\" in the http block; \"mpk-keyring new FILE\" "
                  "makes a keyring";

    } else if (mmcf->redis == NULL) {
        missing = "\"mpk_redis\" in the http block, "
                  "e.g. \"mpk_redis unix:/run/redis/redis.sock\"";

    } else if (mscf->public_url.len == 0 && conf->endpoint->pages) {
        missing = "\"mpk_public_url\" in the server or http block, "
                  "e.g. \"mpk_public_url https://shop.example\"";

    } else if (conf->endpoint->id == NGX_HTTP_MPK_ENDPOINT_WITHDRAW
               && !conf->pages->support)
    {
        missing = "\"shop.support_email\" or \"shop.support_url\" in a "
                  "catalogue of \"mpk_pages\": it is where customers turn "
                  "when a statement can't be recorded";
    }

    if (missing) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%V\" needs %s, in %V:%ui", &conf->endpoint_name,
                      missing, &conf->file, conf->line);
        return NGX_CONF_ERROR;
    }

    return ngx_http_mpk_conf_check_identity(cf, conf);
}


static char *
ngx_http_mpk_conf_check_identity(ngx_conf_t *cf, ngx_http_mpk_loc_conf_t *conf)
{
    const char                *wrong;
    ngx_http_complex_value_t  *identity;

    identity = conf->account ? conf->account : conf->onscreen;

    if (identity == NULL || conf->trusted) {
        return NGX_CONF_OK;
    }

    wrong = ngx_http_mpk_conf_asserted(cf, &identity->value);

    if (wrong == NULL) {
        return NGX_CONF_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"%V\" takes \"%V\", which %s: take what the upstream or TLS "
                  "asserts, e.g. a variable of \"auth_request_set\", "
                  "\"$upstream_http_...\" or \"$ssl_client_...\", or add "
                  "\"trusted\" if no client can choose it, in %V:%ui",
                  &conf->endpoint_name, &identity->value, wrong, &conf->file,
                  conf->line);

    return NGX_CONF_ERROR;
}


ngx_int_t
ngx_http_mpk_conf_check(ngx_conf_t *cf)
{
    ngx_uint_t                 i, n;
    ngx_http_mpk_location_t   *location;
    ngx_http_mpk_main_conf_t  *mmcf;

    mmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mpk_module);

    location = mmcf->locations.elts;

    for (i = 0; i < mmcf->locations.nelts; i++) {
        for (n = 0; n < sizeof(ngx_http_mpk_conf_paths)
                        / sizeof(ngx_http_mpk_conf_paths[0]); n++)
        {
            if (ngx_http_mpk_conf_check_path(cf, &ngx_http_mpk_conf_paths[n],
                                             &location[i])
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }

        ngx_http_mpk_conf_warn(cf, &location[i]);
    }

    return NGX_OK;
}


/*
 * Addresses that a location hands out or answers must reach their endpoint: in the same
 * server, or, if that has no such endpoint, in another one with the same public URL.
 */

static ngx_int_t
ngx_http_mpk_conf_check_path(ngx_conf_t *cf,
    const ngx_http_mpk_conf_path_t *path, ngx_http_mpk_location_t *location)
{
    ngx_str_t                  *text;
    ngx_uint_t                  i, found;
    ngx_http_mpk_srv_conf_t    *mscf, *other;
    ngx_http_core_srv_conf_t  **server;
    ngx_http_core_main_conf_t  *cmcf;

    if (!(path->links & (1 << location->mlcf->endpoint->id))) {
        return NGX_OK;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    server = cmcf->servers.elts;
    found = 0;

    for (i = 0; i < cmcf->servers.nelts; i++) {
        other = server[i]->ctx->srv_conf[ngx_http_mpk_module.ctx_index];
        found |= other->endpoints;
    }

    /* an nginx with the API alone mints links for those that answer them */

    if (location->mlcf->endpoint->id == NGX_HTTP_MPK_ENDPOINT_API
        && !(found & (1 << path->id)))
    {
        return NGX_OK;
    }

    mscf = location->mscf;
    text = (ngx_str_t *) (void *) ((u_char *) mscf + path->path);

    for (i = 0; i < cmcf->servers.nelts; i++) {

        other = server[i]->ctx->srv_conf[ngx_http_mpk_module.ctx_index];

        if (other != mscf
            && ((mscf->endpoints & (1 << path->id))
                || !mpk_str_eq(ngx_http_mpk_str(&other->public_url),
                               ngx_http_mpk_str(&mscf->public_url))
                || !mpk_str_eq(ngx_http_mpk_str(&other->reveal_path),
                               ngx_http_mpk_str(&mscf->reveal_path))))
        {
            continue;
        }

        if (ngx_http_mpk_conf_serves(cf, path, server[i])) {
            return NGX_OK;
        }
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"%V\" needs a location with \"%V on\" that gets the links "
                  "below \"%V\", else the upstream gets their tokens: write "
                  "\"location ^~ %V {\", in %V:%ui",
                  &location->mlcf->endpoint_name, &path->directive, text, text,
                  &location->mlcf->file, location->mlcf->line);

    return NGX_ERROR;
}


/* Whether an address with a token reaches its endpoint in this server. */

static ngx_uint_t
ngx_http_mpk_conf_serves(ngx_conf_t *cf, const ngx_http_mpk_conf_path_t *path,
    ngx_http_core_srv_conf_t *server)
{
    u_char                    *p;
    ngx_str_t                  uri, *text;
    ngx_http_mpk_srv_conf_t   *mscf;
    ngx_http_mpk_loc_conf_t   *mlcf;
    ngx_http_core_loc_conf_t  *clcf;

    mscf = server->ctx->srv_conf[ngx_http_mpk_module.ctx_index];
    clcf = server->ctx->loc_conf[ngx_http_core_module.ctx_index];

    text = (ngx_str_t *) (void *) ((u_char *) mscf + path->path);

    uri.len = text->len + sizeof(NGX_HTTP_MPK_CONF_TOKEN) - 1;
    uri.data = ngx_pnalloc(cf->temp_pool, uri.len + 1);
    if (uri.data == NULL) {
        return 0;
    }

    p = ngx_cpymem(uri.data, text->data, text->len);
    ngx_memcpy(p, NGX_HTTP_MPK_CONF_TOKEN, sizeof(NGX_HTTP_MPK_CONF_TOKEN));

    (void) ngx_http_mpk_conf_find(clcf, &uri, &clcf);

    mlcf = clcf->loc_conf ? clcf->loc_conf[ngx_http_mpk_module.ctx_index]
                          : NULL;

    return mlcf && mlcf->endpoint && mlcf->endpoint->id == path->id;
}


/*
 * Finds the location of an address, as ngx_http_core_find_location() does; 1: a regular
 * expression matched, so that none of an outer level is tried.
 */

static ngx_uint_t
ngx_http_mpk_conf_find(ngx_http_core_loc_conf_t *clcf, ngx_str_t *uri,
    ngx_http_core_loc_conf_t **found)
{
    ngx_http_core_loc_conf_t  *inclusive;
#if (NGX_PCRE)
    ngx_http_core_loc_conf_t **regex;
#endif

    *found = clcf;

    inclusive = ngx_http_mpk_conf_find_static(clcf->static_locations, uri);

    if (inclusive && ngx_http_mpk_conf_find(inclusive, uri, found)) {
        return 1;
    }

#if (NGX_PCRE)

    if (clcf->regex_locations == NULL || (inclusive && inclusive->noregex)) {
        return 0;
    }

    for (regex = clcf->regex_locations; *regex; regex++) {
        if (ngx_regex_exec((*regex)->regex->regex, uri, NULL, 0) >= 0) {
            (void) ngx_http_mpk_conf_find(*regex, uri, found);
            return 1;
        }
    }

#endif

    return 0;
}


/* The longest prefix; the tree is described in ngx_http_core_module.h. */

static ngx_http_core_loc_conf_t *
ngx_http_mpk_conf_find_static(ngx_http_location_tree_node_t *node,
    ngx_str_t *uri)
{
    size_t                     len, n;
    u_char                    *p;
    ngx_int_t                  rc;
    ngx_http_core_loc_conf_t  *found;

    p = uri->data;
    len = uri->len;
    found = NULL;

    while (node) {

        n = ngx_min(len, (size_t) node->len);
        rc = ngx_filename_cmp(p, node->name, n);

        if (rc == 0 && len > (size_t) node->len && node->inclusive) {
            found = node->inclusive;
            p += n;
            len -= n;
            node = node->tree;

        } else if (rc < 0 || (rc == 0 && len <= (size_t) node->len)) {
            node = node->left;

        } else {
            node = node->right;
        }
    }

    return found;
}


/* What works, but hardly as it was meant. */

static void
ngx_http_mpk_conf_warn(ngx_conf_t *cf, ngx_http_mpk_location_t *location)
{
    ngx_http_mpk_loc_conf_t   *mlcf;
    ngx_http_mpk_main_conf_t  *mmcf;
    ngx_http_core_loc_conf_t  *clcf;

    mmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mpk_module);
    mlcf = location->mlcf;
    clcf = location->clcf;

    if (!clcf->exact_match
        && (NGX_HTTP_MPK_CONF_EXACT & (1 << mlcf->endpoint->id)))
    {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"%V\" answers \"%V\" alone, and no longer address: write "
                      "\"location = %V {\", in %V:%ui",
                      &mlcf->endpoint_name, &clcf->name, &clcf->name,
                      &mlcf->file, mlcf->line);
    }

    if (mlcf->fallthrough && clcf->handler == NULL) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"mpk_fallthrough\" beside \"%V\" passes requests on, but "
                      "the location has no \"proxy_pass\" or the like, in %V:%ui",
                      &mlcf->endpoint_name, &mlcf->file, mlcf->line);
    }

    if (mlcf->endpoint->id == NGX_HTTP_MPK_ENDPOINT_API
        && mmcf->retention && mlcf->reveal_ttl > mmcf->retention)
    {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "links of \"%V\" are valid for %T seconds, longer than "
                      "orders are kept: set \"mpk_reveal_ttl\" to at most the "
                      "%T seconds of \"mpk_retention\", in %V:%ui",
                      &mlcf->endpoint_name, mlcf->reveal_ttl, mmcf->retention,
                      &mlcf->file, mlcf->line);
    }

    if (NGX_HTTP_MPK_CONF_CONSENT & (1 << mlcf->endpoint->id)) {
        ngx_http_mpk_conf_warn_consent(cf, location);
    }
}


static void
ngx_http_mpk_conf_warn_consent(ngx_conf_t *cf,
    ngx_http_mpk_location_t *location)
{
    ngx_uint_t                 i;
    ngx_http_mpk_location_t   *other;
    ngx_http_mpk_loc_conf_t   *mlcf;
    ngx_http_mpk_main_conf_t  *mmcf;

    mmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mpk_module);
    other = mmcf->locations.elts;

    for (i = 0; i < mmcf->locations.nelts; i++) {

        mlcf = other[i].mlcf;

        if (other[i].mscf != location->mscf
            || !(mlcf->consent & ~location->mlcf->consent)
            || !(NGX_HTTP_MPK_CONF_CONSENT & (1 << mlcf->endpoint->id)))
        {
            continue;
        }

        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"%V\" does not ask for all that \"%V\" in %V:%ui asks "
                      "for: set \"mpk_consent\" in the server, in %V:%ui",
                      &location->mlcf->endpoint_name, &mlcf->endpoint_name,
                      &mlcf->file, mlcf->line, &location->mlcf->file,
                      location->mlcf->line);
        return;
    }
}
