/* The directive mpk_redis: its URL, its parameters, the files that they name. */

#include "ngx_mpk_redis_int.h"
#include "ngx_mpk_redis_durable.h"
#include "ngx_mpk_redis_setup.h"
#include "ngx_mpk_redis_topology.h"
#include "ngx_mpk_secret.h"


#define NGX_MPK_REDIS_CONNECTIONS_MAX  64
#define NGX_MPK_REDIS_REPLICAS_MAX     16
#define NGX_MPK_REDIS_WAIT_MIN         10      /* ms */
#define NGX_MPK_REDIS_TIMEOUT_LOW      50      /* ms; fork() of a snapshot alone takes as long */
#define NGX_MPK_REDIS_TIMEOUT_AOF      3000    /* ms; a sync a second, and half of it is waited */
#define NGX_MPK_REDIS_PASSWORD_MAX     1024    /* bytes of the file's first line */
#define NGX_MPK_REDIS_DB_MAX           65535
#define NGX_MPK_REDIS_ADDRS_MAX        64


/* The parameters of mpk_redis, and what the URL adds to them. */
typedef struct {
    ngx_str_t   user;
    ngx_str_t   password_file;
    ngx_str_t   sentinel_user;
    ngx_str_t   sentinel_password_file;
    ngx_str_t   tls_ca;
    ngx_str_t   tls_cert;
    ngx_str_t   tls_key;
    ngx_str_t   tls_name;
    ngx_str_t   connect_timeout;
    ngx_str_t   timeout;
    ngx_str_t   connections;
    ngx_str_t   durability;

    ngx_str_t   host;           /* of the URL of a single server */
    ngx_uint_t  db;
    mpk_str_t   rights;
    unsigned    tls:1;
} ngx_mpk_redis_params_t;


typedef struct {
    ngx_str_t   name;
    size_t      offset;
} ngx_mpk_redis_param_t;


typedef struct {
    ngx_str_t                        prefix;
    const ngx_mpk_redis_topology_t  *topology;
    unsigned                         tls:1;
} ngx_mpk_redis_scheme_t;


static ngx_int_t ngx_mpk_redis_conf_param(ngx_conf_t *cf,
    ngx_mpk_redis_params_t *params, ngx_str_t *value);
static ngx_int_t ngx_mpk_redis_conf_values(ngx_conf_t *cf,
    ngx_mpk_redis_t *redis, ngx_mpk_redis_params_t *params);
static ngx_int_t ngx_mpk_redis_conf_time(ngx_conf_t *cf, const char *name,
    ngx_str_t *value, ngx_msec_t *msec);
static ngx_int_t ngx_mpk_redis_conf_durability(ngx_conf_t *cf,
    ngx_mpk_redis_t *redis, ngx_str_t *value);
static ngx_int_t ngx_mpk_redis_url(ngx_conf_t *cf, ngx_mpk_redis_t *redis,
    ngx_mpk_redis_params_t *params);
static ngx_int_t ngx_mpk_redis_url_path(ngx_conf_t *cf, ngx_mpk_redis_t *redis,
    ngx_mpk_redis_params_t *params, ngx_str_t *path);
static ngx_int_t ngx_mpk_redis_url_unix(ngx_conf_t *cf, ngx_mpk_redis_t *redis,
    ngx_mpk_redis_params_t *params);
static ngx_int_t ngx_mpk_redis_url_db(ngx_conf_t *cf, ngx_mpk_redis_t *redis,
    ngx_mpk_redis_params_t *params, ngx_str_t *db);
static ngx_int_t ngx_mpk_redis_url_hosts(ngx_conf_t *cf, ngx_mpk_redis_t *redis,
    ngx_mpk_redis_params_t *params, ngx_str_t *hosts);
static ngx_int_t ngx_mpk_redis_url_host(ngx_conf_t *cf, ngx_mpk_redis_t *redis,
    ngx_url_t *u);
static ngx_int_t ngx_mpk_redis_conf_tls(ngx_conf_t *cf, ngx_mpk_redis_t *redis,
    ngx_mpk_redis_params_t *params);
static ngx_int_t ngx_mpk_redis_conf_setup(ngx_conf_t *cf,
    ngx_mpk_redis_t *redis, ngx_mpk_redis_params_t *params);
static ngx_int_t ngx_mpk_redis_conf_password(ngx_conf_t *cf, const char *prefix,
    ngx_str_t *user, ngx_str_t *file, ngx_str_t *password);


static const ngx_mpk_redis_param_t  ngx_mpk_redis_params[] = {
    { ngx_string("user"), offsetof(ngx_mpk_redis_params_t, user) },
    { ngx_string("password_file"),
      offsetof(ngx_mpk_redis_params_t, password_file) },
    { ngx_string("sentinel_user"),
      offsetof(ngx_mpk_redis_params_t, sentinel_user) },
    { ngx_string("sentinel_password_file"),
      offsetof(ngx_mpk_redis_params_t, sentinel_password_file) },
    { ngx_string("tls_ca"), offsetof(ngx_mpk_redis_params_t, tls_ca) },
    { ngx_string("tls_cert"), offsetof(ngx_mpk_redis_params_t, tls_cert) },
    { ngx_string("tls_key"), offsetof(ngx_mpk_redis_params_t, tls_key) },
    { ngx_string("tls_name"), offsetof(ngx_mpk_redis_params_t, tls_name) },
    { ngx_string("connect_timeout"),
      offsetof(ngx_mpk_redis_params_t, connect_timeout) },
    { ngx_string("timeout"), offsetof(ngx_mpk_redis_params_t, timeout) },
    { ngx_string("connections"),
      offsetof(ngx_mpk_redis_params_t, connections) },
    { ngx_string("durability"), offsetof(ngx_mpk_redis_params_t, durability) },
    { ngx_null_string, 0 }
};


static const ngx_mpk_redis_scheme_t  ngx_mpk_redis_schemes[] = {
    { ngx_string("redis://"), &ngx_mpk_redis_topology_server, 0 },
    { ngx_string("rediss://"), &ngx_mpk_redis_topology_server, 1 },
    { ngx_string("redis+cluster://"), &ngx_mpk_redis_topology_cluster, 0 },
    { ngx_string("rediss+cluster://"), &ngx_mpk_redis_topology_cluster, 1 },
    { ngx_string("redis+sentinel://"), &ngx_mpk_redis_topology_sentinel, 0 },
    { ngx_string("rediss+sentinel://"), &ngx_mpk_redis_topology_sentinel, 1 },
    { ngx_null_string, NULL, 0 }
};


ngx_mpk_redis_t *
ngx_mpk_redis_conf(ngx_conf_t *cf, mpk_str_t rights)
{
    ngx_str_t               *value;
    ngx_uint_t               i;
    ngx_mpk_redis_t         *redis;
    ngx_mpk_redis_params_t   params;

    redis = ngx_pcalloc(cf->pool, sizeof(ngx_mpk_redis_t));
    if (redis == NULL) {
        return NULL;
    }

    ngx_memzero(&params, sizeof(ngx_mpk_redis_params_t));

    params.rights = rights;

    value = cf->args->elts;

    redis->name = value[1];

    for (i = 2; i < cf->args->nelts; i++) {
        if (ngx_mpk_redis_conf_param(cf, &params, &value[i]) != NGX_OK) {
            return NULL;
        }
    }

    if (ngx_mpk_redis_conf_values(cf, redis, &params) != NGX_OK
        || ngx_mpk_redis_url(cf, redis, &params) != NGX_OK
        || ngx_mpk_redis_conf_tls(cf, redis, &params) != NGX_OK
        || ngx_mpk_redis_conf_setup(cf, redis, &params) != NGX_OK)
    {
        return NULL;
    }

    return redis;
}


/* Never prints a value: it could be a misplaced password. */

static ngx_int_t
ngx_mpk_redis_conf_param(ngx_conf_t *cf, ngx_mpk_redis_params_t *params,
    ngx_str_t *value)
{
    u_char                 *p;
    ngx_str_t               name, *param;
    const ngx_mpk_redis_param_t  *known;

    p = ngx_strlchr(value->data, value->data + value->len, '=');

    if (p == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter of \"mpk_redis\": it has no "
                           "\"=\", write name=value");
        return NGX_ERROR;
    }

    name.data = value->data;
    name.len = p - value->data;

    for (known = ngx_mpk_redis_params; known->name.len; known++) {

        if (name.len != known->name.len
            || ngx_strncmp(name.data, known->name.data, name.len) != 0)
        {
            continue;
        }

        param = (ngx_str_t *) ((char *) params + known->offset);

        if (param->data) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V=\" is duplicate in \"mpk_redis\"", &name);
            return NGX_ERROR;
        }

        param->data = p + 1;
        param->len = value->data + value->len - param->data;

        if (param->len == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V=\" in \"mpk_redis\" is empty, set a value "
                               "or remove it", &name);
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    if (ngx_mpk_redis_str_is(&name, "password")) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"mpk_redis\" has no password=, \"nginx -T\" would "
                           "print it: put the password in a file and set "
                           "password_file=");
        return NGX_ERROR;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown parameter \"%V=\" in \"mpk_redis\", must be "
                       "one of user=, password_file=, sentinel_user=, "
                       "sentinel_password_file=, tls_ca=, tls_cert=, "
                       "tls_key=, tls_name=, connect_timeout=, timeout=, "
                       "connections=, durability=", &name);

    return NGX_ERROR;
}


static ngx_int_t
ngx_mpk_redis_conf_values(ngx_conf_t *cf, ngx_mpk_redis_t *redis,
    ngx_mpk_redis_params_t *params)
{
    ngx_int_t  n;

    redis->connect_timeout = 250;
    redis->timeout = 1000;
    redis->connections = 1;

    if (ngx_mpk_redis_conf_time(cf, "connect_timeout",
                                &params->connect_timeout,
                                &redis->connect_timeout)
        != NGX_OK
        || ngx_mpk_redis_conf_time(cf, "timeout", &params->timeout,
                                   &redis->timeout)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (redis->timeout < NGX_MPK_REDIS_TIMEOUT_LOW) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"timeout=%V\" in \"mpk_redis\" is too short for a "
                           "Redis that forks or is busy for a moment: use %dms "
                           "or more", &params->timeout,
                           NGX_MPK_REDIS_TIMEOUT_LOW);
    }

    if (params->connections.len) {
        n = ngx_atoi(params->connections.data, params->connections.len);

        if (n < 1 || n > NGX_MPK_REDIS_CONNECTIONS_MAX) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"connections=%V\" in \"mpk_redis\" must be "
                               "1 to %d, for each worker",
                               &params->connections,
                               NGX_MPK_REDIS_CONNECTIONS_MAX);
            return NGX_ERROR;
        }

        redis->connections = (ngx_uint_t) n;
    }

    return ngx_mpk_redis_conf_durability(cf, redis, &params->durability);
}


static ngx_int_t
ngx_mpk_redis_conf_durability(ngx_conf_t *cf, ngx_mpk_redis_t *redis,
    ngx_str_t *value)
{
    ngx_int_t  n;

    if (value->len == 0 || ngx_mpk_redis_str_is(value, "none")) {
        return NGX_OK;
    }

    if (ngx_mpk_redis_str_is(value, "aof")) {
        redis->durability = NGX_MPK_REDIS_AOF;
        n = 1;

        if (redis->timeout < NGX_MPK_REDIS_TIMEOUT_AOF) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "\"durability=aof\" in \"mpk_redis\" waits for "
                               "half of timeout=, but Redis syncs once a second "
                               "or later: set \"timeout=%ds\" or more",
                               NGX_MPK_REDIS_TIMEOUT_AOF / 1000);
        }

    } else {
        redis->durability = NGX_MPK_REDIS_REPLICAS;
        n = NGX_ERROR;

        if (ngx_mpk_redis_str_begins(value, "replicas=")) {
            n = ngx_atoi(value->data + sizeof("replicas=") - 1,
                         value->len - (sizeof("replicas=") - 1));
        }
    }

    if (n < 1 || n > NGX_MPK_REDIS_REPLICAS_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"durability=%V\" in \"mpk_redis\" must be "
                           "\"none\", \"replicas=\" with 1 to %d, or \"aof\"",
                           value, NGX_MPK_REDIS_REPLICAS_MAX);
        return NGX_ERROR;
    }

    redis->needed = (ngx_uint_t) n;

    /* Redis must reply to a WAIT before the client times out */

    redis->wait_timeout = redis->timeout / 2;

    if (redis->wait_timeout < NGX_MPK_REDIS_WAIT_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"durability=%V\" in \"mpk_redis\" waits for half "
                           "of timeout=, which must be %dms or more",
                           value, 2 * NGX_MPK_REDIS_WAIT_MIN);
        return NGX_ERROR;
    }

    return ngx_mpk_redis_durable_conf(cf, redis);
}


static ngx_int_t
ngx_mpk_redis_conf_time(ngx_conf_t *cf, const char *name, ngx_str_t *value,
    ngx_msec_t *msec)
{
    ngx_int_t  n;

    if (value->len == 0) {
        return NGX_OK;
    }

    n = ngx_parse_time(value, 0);

    if (n == NGX_ERROR || n == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%s=%V\" in \"mpk_redis\" must be a time above "
                           "zero, e.g. 250ms or 1s", name, value);
        return NGX_ERROR;
    }

    *msec = (ngx_msec_t) n;

    return NGX_OK;
}


static ngx_int_t
ngx_mpk_redis_url(ngx_conf_t *cf, ngx_mpk_redis_t *redis,
    ngx_mpk_redis_params_t *params)
{
    u_char                        *p, *last, *slash;
    ngx_str_t                     *url, hosts, path;
    const ngx_mpk_redis_scheme_t  *scheme;

    url = &redis->name;

    p = url->data;
    last = p + url->len;

    /* comes first: all other messages print the URL */

    if (ngx_strlchr(p, last, '@')) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the URL of \"mpk_redis\" must contain no user and "
                           "no password, \"nginx -T\" would print them: use "
                           "user= and password_file=");
        return NGX_ERROR;
    }

    if (ngx_mpk_redis_str_begins(url, "unix:")) {
        return ngx_mpk_redis_url_unix(cf, redis, params);
    }

    for (scheme = ngx_mpk_redis_schemes; scheme->prefix.len; scheme++) {
        if (url->len > scheme->prefix.len
            && ngx_strncmp(p, scheme->prefix.data, scheme->prefix.len) == 0)
        {
            break;
        }
    }

    if (scheme->prefix.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URL \"%V\" in \"mpk_redis\", must be "
                           "redis://host[:port][/db], "
                           "redis+cluster://host[:port],host[:port], "
                           "redis+sentinel://host[:port],host[:port]/master, "
                           "these with rediss for TLS, or unix:/path[:db]",
                           url);
        return NGX_ERROR;
    }

    redis->topology = scheme->topology;
    params->tls = scheme->tls;

    p += scheme->prefix.len;
    slash = ngx_strlchr(p, last, '/');

    hosts.data = p;
    hosts.len = (slash ? slash : last) - p;

    path.data = slash ? slash + 1 : last;
    path.len = last - path.data;

    if (ngx_mpk_redis_url_path(cf, redis, params, &path) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_mpk_redis_url_hosts(cf, redis, params, &hosts);
}


static ngx_int_t
ngx_mpk_redis_url_unix(ngx_conf_t *cf, ngx_mpk_redis_t *redis,
    ngx_mpk_redis_params_t *params)
{
    u_char     *last, *colon;
    ngx_str_t   db;
    ngx_url_t   u;

    redis->topology = &ngx_mpk_redis_topology_server;

    last = redis->name.data + redis->name.len;
    colon = ngx_strlchr(redis->name.data + sizeof("unix:") - 1, last, ':');

    if (colon) {
        db.data = colon + 1;
        db.len = last - db.data;

        if (ngx_mpk_redis_url_db(cf, redis, params, &db) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url.data = redis->name.data;
    u.url.len = (colon ? colon : last) - redis->name.data;

    return ngx_mpk_redis_url_host(cf, redis, &u);
}


/* [db] of a server, master[/db] of Sentinels, nothing of a cluster. */

static ngx_int_t
ngx_mpk_redis_url_path(ngx_conf_t *cf, ngx_mpk_redis_t *redis,
    ngx_mpk_redis_params_t *params, ngx_str_t *path)
{
    u_char     *slash;
    ngx_str_t   db;

    db = *path;

    if (!redis->topology->databases) {

        if (path->len && !ngx_mpk_redis_str_is(path, "0")) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "the URL \"%V\" of \"mpk_redis\" must end with "
                               "its last node: a cluster has no database but 0",
                               &redis->name);
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    if (redis->topology->master_name) {
        slash = ngx_strlchr(path->data, path->data + path->len, '/');

        redis->master = *path;
        db.len = 0;

        if (slash) {
            redis->master.len = slash - path->data;
            db.data = slash + 1;
            db.len = path->len - redis->master.len - 1;
        }

        if (redis->master.len == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "the URL \"%V\" of \"mpk_redis\" must end with "
                               "the master's name in sentinel.conf, as "
                               "\"/mymaster\"", &redis->name);
            return NGX_ERROR;
        }
    }

    return db.len ? ngx_mpk_redis_url_db(cf, redis, params, &db) : NGX_OK;
}


static ngx_int_t
ngx_mpk_redis_url_db(ngx_conf_t *cf, ngx_mpk_redis_t *redis,
    ngx_mpk_redis_params_t *params, ngx_str_t *db)
{
    ngx_int_t  n;

    n = ngx_atoi(db->data, db->len);

    if (n == NGX_ERROR || n > NGX_MPK_REDIS_DB_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the URL \"%V\" of \"mpk_redis\" must end with its "
                           "server or with the number of a database",
                           &redis->name);
        return NGX_ERROR;
    }

    params->db = (ngx_uint_t) n;

    return NGX_OK;
}


static ngx_int_t
ngx_mpk_redis_url_hosts(ngx_conf_t *cf, ngx_mpk_redis_t *redis,
    ngx_mpk_redis_params_t *params, ngx_str_t *hosts)
{
    u_char     *p, *last, *comma;
    ngx_url_t   u;

    last = hosts->data + hosts->len;

    for (p = hosts->data; /* void */ ; p = comma + 1) {

        comma = redis->topology->host_list ? ngx_strlchr(p, last, ',') : NULL;

        ngx_memzero(&u, sizeof(ngx_url_t));

        u.url.data = p;
        u.url.len = (comma ? comma : last) - p;
        u.default_port = redis->topology->port;

        if (ngx_mpk_redis_url_host(cf, redis, &u) != NGX_OK) {
            return NGX_ERROR;
        }

        if (comma == NULL) {
            break;
        }
    }

    if (redis->topology->host_list) {
        return NGX_OK;
    }

    params->host = u.host;

    if (ngx_inet_addr(u.host.data, u.host.len) == INADDR_NONE
        && (u.host.len == 0 || u.host.data[0] != '['))
    {
        redis->host = u.host;
        redis->port = u.port;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_mpk_redis_url_host(ngx_conf_t *cf, ngx_mpk_redis_t *redis, ngx_url_t *u)
{
    ngx_addr_t  *addrs;

    if (ngx_parse_url(cf->pool, u) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s in the URL \"%V\" of \"mpk_redis\"",
                           u->err ? u->err : "no memory", &redis->name);
        return NGX_ERROR;
    }

    if (redis->naddrs + u->naddrs > NGX_MPK_REDIS_ADDRS_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the URL \"%V\" of \"mpk_redis\" has more than %d "
                           "addresses, list fewer", &redis->name,
                           NGX_MPK_REDIS_ADDRS_MAX);
        return NGX_ERROR;
    }

    addrs = ngx_palloc(cf->pool,
                       (redis->naddrs + u->naddrs) * sizeof(ngx_addr_t));
    if (addrs == NULL) {
        return NGX_ERROR;
    }

    if (redis->naddrs) {
        ngx_memcpy(addrs, redis->addrs, redis->naddrs * sizeof(ngx_addr_t));
    }

    ngx_memcpy(addrs + redis->naddrs, u->addrs, u->naddrs * sizeof(ngx_addr_t));

    redis->addrs = addrs;
    redis->naddrs += u->naddrs;

    return NGX_OK;
}


static ngx_int_t
ngx_mpk_redis_conf_tls(ngx_conf_t *cf, ngx_mpk_redis_t *redis,
    ngx_mpk_redis_params_t *params)
{
#if (NGX_SSL)
    u_char              *p;
    in_addr_t            inaddr;
    ngx_str_t            name;
    ngx_pool_cleanup_t  *cln;
#endif

    if (!params->tls) {

        if (params->tls_ca.len || params->tls_cert.len
            || params->tls_key.len || params->tls_name.len)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"mpk_redis\" has tls_ parameters, but its URL "
                               "\"%V\" is not for TLS: use rediss://",
                               &redis->name);
            return NGX_ERROR;
        }

        return NGX_OK;
    }

#if (NGX_SSL)

    if (params->tls_ca.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"mpk_redis %V\" needs tls_ca=file, the CA "
                           "certificates: Redis' certificate is always "
                           "verified", &redis->name);
        return NGX_ERROR;
    }

    if ((params->tls_cert.len == 0) != (params->tls_key.len == 0)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"mpk_redis\" needs tls_cert= and tls_key= "
                           "together, or neither");
        return NGX_ERROR;
    }

    redis->ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    if (redis->ssl == NULL) {
        return NGX_ERROR;
    }

    redis->ssl->log = cf->log;

    if (ngx_ssl_create(redis->ssl, NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3, NULL)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        ngx_ssl_cleanup_ctx(redis->ssl);
        return NGX_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = redis->ssl;

    if (ngx_ssl_trusted_certificate(cf, redis->ssl, &params->tls_ca, 9)
        != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"tls_ca=%V\" of \"mpk_redis\" must be a readable "
                           "PEM file of certificates", &params->tls_ca);
        return NGX_ERROR;
    }

    if (params->tls_cert.len
        && ngx_ssl_certificate(cf, redis->ssl, &params->tls_cert,
                               &params->tls_key, NULL)
           != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"tls_cert=%V\" and \"tls_key=%V\" of "
                           "\"mpk_redis\" must be readable PEM files that "
                           "match",
                           &params->tls_cert, &params->tls_key);
        return NGX_ERROR;
    }

    name = params->tls_name.len ? params->tls_name : params->host;

    if (name.len == 0) {
        return NGX_OK;
    }

    if (name.len > 2 && name.data[0] == '[') {
        name.data++;
        name.len -= 2;
    }

    p = ngx_pnalloc(cf->pool, name.len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    redis->tls_name.len = name.len;
    redis->tls_name.data = p;

    (void) ngx_cpystrn(p, name.data, name.len + 1);

    inaddr = ngx_inet_addr(name.data, name.len);

    redis->tls_ip = (inaddr != INADDR_NONE)
                    || ngx_strlchr(name.data, name.data + name.len, ':')
                       != NULL;

    return NGX_OK;

#else

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"mpk_redis %V\" needs nginx built with SSL",
                       &redis->name);
    return NGX_ERROR;

#endif
}


static ngx_int_t
ngx_mpk_redis_conf_setup(ngx_conf_t *cf, ngx_mpk_redis_t *redis,
    ngx_mpk_redis_params_t *params)
{
    ngx_str_t  password;

    ngx_str_null(&password);

    if (ngx_mpk_redis_conf_password(cf, "", &params->user,
                                    &params->password_file, &password)
        != NGX_OK
        || ngx_mpk_redis_setup_conf(cf, redis, &params->user, &password,
                                    params->db, params->rights)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!redis->topology->master_name) {

        if (params->sentinel_user.len || params->sentinel_password_file.len) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"mpk_redis\" has sentinel_ parameters, but "
                               "its URL \"%V\" names no Sentinels: use "
                               "redis+sentinel://", &redis->name);
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    ngx_str_null(&password);

    if (ngx_mpk_redis_conf_password(cf, "sentinel_", &params->sentinel_user,
                                    &params->sentinel_password_file, &password)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_mpk_redis_setup_conf_sentinel(cf, redis, &params->sentinel_user,
                                             &password);
}


static ngx_int_t
ngx_mpk_redis_conf_password(ngx_conf_t *cf, const char *prefix,
    ngx_str_t *user, ngx_str_t *file, ngx_str_t *password)
{
    size_t            len;
    u_char           *line;
    u_char            buf[NGX_MPK_REDIS_PASSWORD_MAX + 2];
    ssize_t           n;
    ngx_fd_t          fd;
    ngx_int_t         rc;
    const char       *wrong, *remedy;
    ngx_file_info_t   fi;

    if (file->len == 0) {

        if (user->len) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"mpk_redis\" has %suser=, it needs "
                               "%spassword_file= too", prefix, prefix);
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    if (ngx_conf_full_name(cf->cycle, file, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    fd = ngx_open_file(file->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "\"%spassword_file=%V\" of \"mpk_redis\" can't be "
                           "opened", prefix, file);
        return NGX_ERROR;
    }

    rc = NGX_ERROR;
    wrong = NULL;
    remedy = NULL;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR || !ngx_is_file(&fi)) {
        wrong = "must be a regular file";
        goto done;
    }

    remedy = ngx_mpk_secret_exposed(fd, &fi, file->data);

    if (remedy) {
        wrong = "is accessible by others: ";
        goto done;
    }

    n = ngx_read_fd(fd, buf, sizeof(buf));

    if (n == -1) {
        wrong = "can't be read";
        goto done;
    }

    line = ngx_strlchr(buf, buf + n, '\n');
    len = line ? (size_t) (line - buf) : (size_t) n;

    if (len && buf[len - 1] == '\r') {
        len--;
    }

    if (len == 0) {
        wrong = "must have the password on its first line, which is empty";
        goto done;
    }

    if (len > NGX_MPK_REDIS_PASSWORD_MAX) {
        wrong = "has a first line that is too long for a password";
        goto done;
    }

    password->data = ngx_pnalloc(cf->pool, len);
    if (password->data == NULL) {
        goto done;
    }

    ngx_memcpy(password->data, buf, len);
    password->len = len;

    rc = NGX_OK;

done:

    if (wrong) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%spassword_file=%V\" of \"mpk_redis\" %s%s",
                           prefix, file, wrong, remedy ? remedy : "");
    }

    ngx_explicit_memzero(buf, sizeof(buf));
    (void) ngx_close_file(fd);

    return rc;
}
