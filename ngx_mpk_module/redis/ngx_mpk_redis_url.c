/* The URL of mpk_redis: a server, some nodes of a cluster, or Sentinels. */

#include "ngx_mpk_redis_int.h"


#define NGX_MPK_REDIS_PORT           6379
#define NGX_MPK_REDIS_SENTINEL_PORT  26379
#define NGX_MPK_REDIS_DB_MAX         65535
#define NGX_MPK_REDIS_ADDRS_MAX      64


typedef struct {
    ngx_str_t              prefix;
    ngx_mpk_redis_kind_t   kind;
    unsigned               tls:1;
} ngx_mpk_redis_scheme_t;


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


static ngx_mpk_redis_scheme_t  ngx_mpk_redis_schemes[] = {
    { ngx_string("redis://"), NGX_MPK_REDIS_SERVER, 0 },
    { ngx_string("rediss://"), NGX_MPK_REDIS_SERVER, 1 },
    { ngx_string("redis+cluster://"), NGX_MPK_REDIS_CLUSTER, 0 },
    { ngx_string("rediss+cluster://"), NGX_MPK_REDIS_CLUSTER, 1 },
    { ngx_string("redis+sentinel://"), NGX_MPK_REDIS_SENTINEL, 0 },
    { ngx_string("rediss+sentinel://"), NGX_MPK_REDIS_SENTINEL, 1 },
    { ngx_null_string, NGX_MPK_REDIS_SERVER, 0 }
};


ngx_int_t
ngx_mpk_redis_url(ngx_conf_t *cf, ngx_mpk_redis_t *redis,
    ngx_mpk_redis_params_t *params, ngx_str_t *url)
{
    u_char                  *p, *last, *slash;
    ngx_str_t                hosts, path;
    ngx_mpk_redis_scheme_t  *scheme;

    p = url->data;
    last = p + url->len;

    /* looked at first: no other message may print such a URL */

    if (ngx_strlchr(p, last, '@')) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the URL of \"mpk_redis\" must hold no user and no "
                           "password, \"nginx -T\" would print them: use "
                           "user= and password_file=");
        return NGX_ERROR;
    }

    redis->name = *url;

    if (url->len > 5 && ngx_strncmp(p, "unix:", 5) == 0) {
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
                           "\"%V\" is no URL for \"mpk_redis\": it takes "
                           "redis://host[:port][/db], "
                           "redis+cluster://host[:port],host[:port], "
                           "redis+sentinel://host[:port],host[:port]/master, "
                           "these with rediss for TLS, and unix:/path[:db]",
                           url);
        return NGX_ERROR;
    }

    redis->kind = scheme->kind;
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

    last = redis->name.data + redis->name.len;
    colon = ngx_strlchr(redis->name.data + 5, last, ':');

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

    if (redis->kind == NGX_MPK_REDIS_CLUSTER) {

        if (path->len && !(path->len == 1 && path->data[0] == '0')) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "the URL \"%V\" of \"mpk_redis\" must end with "
                               "its last node: a cluster has no database but 0",
                               &redis->name);
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    if (redis->kind == NGX_MPK_REDIS_SENTINEL) {
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

        comma = redis->kind == NGX_MPK_REDIS_SERVER
                ? NULL : ngx_strlchr(p, last, ',');

        ngx_memzero(&u, sizeof(ngx_url_t));

        u.url.data = p;
        u.url.len = (comma ? comma : last) - p;
        u.default_port = redis->kind == NGX_MPK_REDIS_SENTINEL
                         ? NGX_MPK_REDIS_SENTINEL_PORT : NGX_MPK_REDIS_PORT;

        if (ngx_mpk_redis_url_host(cf, redis, &u) != NGX_OK) {
            return NGX_ERROR;
        }

        if (comma == NULL) {
            break;
        }
    }

    if (redis->kind != NGX_MPK_REDIS_SERVER) {
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
                           "addresses, name fewer", &redis->name,
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
