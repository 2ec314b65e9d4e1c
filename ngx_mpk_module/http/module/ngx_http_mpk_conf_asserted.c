/*
 * Which variables may name a customer or an order: those that the upstream or TLS asserts.
 * "set", "map", a capture and the like can hold what the client chose.
 */

#include "ngx_http_mpk_conf.h"


/* of "ssl_verify_client" */
#define NGX_HTTP_MPK_CONF_SSL_ON        1
#define NGX_HTTP_MPK_CONF_SSL_OPTIONAL  2


static ngx_uint_t ngx_http_mpk_conf_variable(u_char **p, u_char *last,
    ngx_str_t *name);
static const char *ngx_http_mpk_conf_variable_asserted(ngx_conf_t *cf,
    ngx_str_t *name);
static const char *ngx_http_mpk_conf_certificate_unverified(ngx_conf_t *cf);
static const char *ngx_http_mpk_conf_token_unverified(ngx_conf_t *cf);
static ngx_http_variable_t *ngx_http_mpk_conf_variable_find(ngx_conf_t *cf,
    ngx_str_t *name);
static ngx_http_get_variable_pt ngx_http_mpk_conf_auth_request(ngx_conf_t *cf);


typedef struct {
    ngx_str_t     prefix;              /* of the variables' names */
    ngx_str_t     other;               /* has the same get handler; empty: they have no own one */
    const char *(*unverified)(ngx_conf_t *cf);     /* NULL: there is nothing to verify */
} ngx_http_mpk_asserted_t;

static ngx_http_mpk_asserted_t  ngx_http_mpk_asserted[] = {
    { ngx_string("upstream_http_"), ngx_null_string, NULL },
    { ngx_string("upstream_cookie_"), ngx_null_string, NULL },
    { ngx_string("upstream_trailer_"), ngx_null_string, NULL },
    { ngx_string("ssl_client_"), ngx_string("ssl_client_verify"),
      ngx_http_mpk_conf_certificate_unverified },
    { ngx_string("jwt_claim_"), ngx_null_string,
      ngx_http_mpk_conf_token_unverified },
    { ngx_string("oidc_claim_"), ngx_null_string,
      ngx_http_mpk_conf_token_unverified },
    { ngx_null_string, ngx_null_string, NULL }
};

static const char  ngx_http_mpk_chosen[] = "can be what the client chooses";


const char *
ngx_http_mpk_conf_asserted(ngx_conf_t *cf, ngx_str_t *value)
{
    u_char      *p, *last;
    ngx_str_t    name;
    ngx_uint_t   n;
    const char  *wrong;

    p = value->data;
    last = p + value->len;

    for (n = 0; ngx_http_mpk_conf_variable(&p, last, &name); n++) {

        wrong = ngx_http_mpk_conf_variable_asserted(cf, &name);

        if (wrong) {
            return wrong;
        }
    }

    return n ? NULL : "is the same for every client";
}


/* The next variable of a value, as "$name" or "${name}", from *p on; 0: there is none. */

static ngx_uint_t
ngx_http_mpk_conf_variable(u_char **p, u_char *last, ngx_str_t *name)
{
    u_char  *s;

    s = ngx_strlchr(*p, last, '$');
    if (s == NULL) {
        return 0;
    }

    s++;

    if (s < last && *s == '{') {
        s++;
    }

    name->data = s;

    while (s < last
           && ((*s >= '0' && *s <= '9') || *s == '_'
               || ((*s | 0x20) >= 'a' && (*s | 0x20) <= 'z')))
    {
        s++;
    }

    name->len = s - name->data;
    *p = s;

    return 1;
}


/* NULL: the client can't choose the variable's value; else why it could. */

static const char *
ngx_http_mpk_conf_variable_asserted(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_http_variable_t      *v, *other;
    ngx_http_mpk_asserted_t  *known;

    v = ngx_http_mpk_conf_variable_find(cf, name);

    if (v && v->get_handler
        && v->get_handler == ngx_http_mpk_conf_auth_request(cf))
    {
        return NULL;
    }

    for (known = ngx_http_mpk_asserted; known->prefix.len; known++) {
        if (name->len > known->prefix.len
            && ngx_strncasecmp(name->data, known->prefix.data,
                               known->prefix.len)
               == 0)
        {
            break;
        }
    }

    if (known->prefix.len == 0) {
        return ngx_http_mpk_chosen;
    }

    /* "set" and "map" can define a variable of such a name */

    if (v) {
        other = ngx_http_mpk_conf_variable_find(cf, &known->other);

        if (other == NULL || v->get_handler != other->get_handler) {
            return ngx_http_mpk_chosen;
        }
    }

    return known->unverified ? known->unverified(cf) : NULL;
}


/* Without a verification the client signs its certificate itself. */

static const char *
ngx_http_mpk_conf_certificate_unverified(ngx_conf_t *cf)
{
#if (NGX_HTTP_SSL)
    ngx_http_ssl_srv_conf_t  *sscf;

    sscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_ssl_module);

    if (sscf->verify >= NGX_HTTP_MPK_CONF_SSL_ON
        && sscf->verify <= NGX_HTTP_MPK_CONF_SSL_OPTIONAL)
    {
        return NULL;
    }
#endif

    return "nobody verifies without \"ssl_verify_client on\" or \"optional\" in "
           "the server";
}


/* A login that "satisfy any" makes optional can leave the claims of a forged token. */

static const char *
ngx_http_mpk_conf_token_unverified(ngx_conf_t *cf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    return clcf->satisfy == NGX_HTTP_SATISFY_ANY
           ? "nobody need have verified under \"satisfy any\"" : NULL;
}


/* The variable of that very name; NULL: there is none, or it is one of a prefix. */

static ngx_http_variable_t *
ngx_http_mpk_conf_variable_find(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_uint_t                  i;
    ngx_hash_key_t             *key;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    key = cmcf->variables_keys->keys.elts;

    for (i = 0; i < cmcf->variables_keys->keys.nelts; i++) {
        if (key[i].key.len == name->len
            && ngx_strncasecmp(key[i].key.data, name->data, name->len) == 0)
        {
            return key[i].value;
        }
    }

    return NULL;
}


/*
 * The get handler of variables that "auth_request_set" defines; NULL: this nginx has no
 * such directive.  The handler is private to its module, so it is taken from a variable
 * that is defined in the same way, in a configuration of no location.
 */

static ngx_http_get_variable_pt
ngx_http_mpk_conf_auth_request(ngx_conf_t *cf)
{
    void                 *conf;
    ngx_str_t             args[3];
    ngx_conf_t            probe;
    ngx_uint_t            i;
    ngx_array_t           list;
    ngx_module_t         *module;
    ngx_command_t        *cmd;
    ngx_http_module_t    *ctx;
    ngx_http_variable_t  *v;

    static ngx_str_t  name = ngx_string("mpk_auth_request");
    static u_char     dollar_name[] = "$mpk_auth_request";

    v = ngx_http_mpk_conf_variable_find(cf, &name);
    if (v) {
        return v->get_handler;
    }

    for (i = 0; cf->cycle->modules[i]; i++) {
        if (ngx_strcmp(cf->cycle->modules[i]->name,
                       "ngx_http_auth_request_module")
            == 0)
        {
            break;
        }
    }

    module = cf->cycle->modules[i];
    if (module == NULL) {
        return NULL;
    }

    for (cmd = module->commands; cmd->name.len; cmd++) {
        if (ngx_http_mpk_is(&cmd->name, "auth_request_set")) {
            break;
        }
    }

    ctx = module->ctx;

    if (cmd->name.len == 0 || ctx->create_loc_conf == NULL) {
        return NULL;
    }

    conf = ctx->create_loc_conf(cf);
    if (conf == NULL) {
        return NULL;
    }

    args[0] = cmd->name;
    args[1].len = sizeof(dollar_name) - 1;
    args[1].data = dollar_name;
    ngx_str_set(&args[2], "");

    ngx_memzero(&list, sizeof(ngx_array_t));
    list.elts = args;
    list.nelts = 3;

    probe = *cf;
    probe.args = &list;

    if (cmd->set(&probe, cmd, conf) != NGX_CONF_OK) {
        return NULL;
    }

    v = ngx_http_mpk_conf_variable_find(cf, &name);

    return v ? v->get_handler : NULL;
}
