/* Setters of directives that validate their arguments. */

#include "ngx_http_mpk_conf.h"
#include "ngx_http_mpk_pages.h"
#include "ngx_http_mpk_rights.h"
#include "ngx_http_mpk_stats_zone.h"
#include "ngx_http_mpk_status.h"

#define NGX_HTTP_MPK_DAY       (24 * 60 * 60)               /* seconds */
#define NGX_HTTP_MPK_DAYS_MAX  (3650 * NGX_HTTP_MPK_DAY)


static char *ngx_http_mpk_conf_plain(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_mpk_loc_conf_t *mlcf);
static char *ngx_http_mpk_conf_location(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_mpk_loc_conf_t *mlcf);
static char *ngx_http_mpk_conf_identity(ngx_conf_t *cf,
    ngx_http_mpk_loc_conf_t *mlcf, ngx_http_complex_value_t **target);
static ngx_int_t ngx_http_mpk_conf_port(ngx_str_t *host,
    ngx_int_t scheme_port);
static ngx_int_t ngx_http_mpk_conf_loopback(ngx_str_t *host);


char *
ngx_http_mpk_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_mpk_main_conf_t *mmcf = conf;

    if (mmcf->redis) {
        return "is duplicate";
    }

    mmcf->redis = ngx_mpk_redis_conf(cf, ngx_http_mpk_rights);

    return mmcf->redis ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_http_mpk_conf_public_url(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_mpk_srv_conf_t *mscf = conf;

    u_char      *p, *last;
    ngx_str_t   *value, host;
    ngx_uint_t   tls;

    if (mscf->public_url.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    last = value[1].data + value[1].len;

    for (p = value[1].data; p < last; p++) {
        *p = ngx_tolower(*p);
    }

    tls = ngx_http_mpk_begins(&value[1], "https://");

    if (!tls && !ngx_http_mpk_begins(&value[1], "http://")) {
        return "must begin with \"https://\" and name the shop's host";
    }

    host.data = value[1].data + (tls ? sizeof("https://") - 1
                                     : sizeof("http://") - 1);
    host.len = last - host.data;

    for (p = host.data; p < last; p++) {

        if (*p == '/' || *p == '?' || *p == '#' || *p == '@' || *p <= ' '
            || *p == '"' || *p == '<' || *p == '>' || *p >= 0x7f)
        {
            return "must be scheme and host, without a path, e.g. "
                   "\"https://shop.example\"";
        }
    }

    if (ngx_http_mpk_conf_port(&host, tls ? 443 : 80) != NGX_OK) {
        return "must have a host, and a port of 1 to 65535 or none, e.g. "
               "\"https://shop.example:8443\"";
    }

    if (!tls && !ngx_http_mpk_conf_loopback(&host)) {
        return "must begin with \"https://\": keys must not travel in clear";
    }

    mscf->public_url.data = value[1].data;
    mscf->public_url.len = host.data + host.len - value[1].data;

    return NGX_CONF_OK;
}


/*
 * Writes the port as browsers do in Origin (RFC 6454, 6.1): without leading zeros, and
 * none if it is the scheme's own.
 */

static ngx_int_t
ngx_http_mpk_conf_port(ngx_str_t *host, ngx_int_t scheme_port)
{
    u_char     *p, *last;
    ngx_int_t   port;

    p = host->data;
    last = p + host->len;

    if (p < last && *p == '[') {
        p = ngx_strlchr(p, last, ']');

        if (p == NULL || (p + 1 < last && p[1] != ':')) {
            return NGX_ERROR;
        }
    }

    p = ngx_strlchr(p, last, ':');

    if (p == host->data || host->len == 0) {
        return NGX_ERROR;
    }

    if (p == NULL) {
        return NGX_OK;
    }

    host->len = p - host->data;

    if (p + 1 == last) {
        return NGX_OK;
    }

    port = ngx_atoi(p + 1, last - p - 1);

    if (port == NGX_ERROR || port == 0 || port > 65535) {
        return NGX_ERROR;
    }

    if (port != scheme_port) {
        host->len = ngx_sprintf(p + 1, "%i", port) - host->data;
    }

    return NGX_OK;
}


char *
ngx_http_mpk_conf_url(ngx_conf_t *cf, void *post, void *data)
{
    ngx_str_t *url = data;

    if (!mpk_url_valid(ngx_http_mpk_str(url)) || url->len > MPK_URL_MAX
        || ngx_strlchr(url->data, url->data + url->len, '$'))
    {
        return "must be a URL in ASCII that begins with \"https://\" or "
               "\"http://\", without a user's name and without variables";
    }

    return NGX_CONF_OK;
}


char *
ngx_http_mpk_conf_days(ngx_conf_t *cf, void *post, void *data)
{
    time_t *seconds = data;

    if (*seconds < NGX_HTTP_MPK_DAY || *seconds > NGX_HTTP_MPK_DAYS_MAX
        || *seconds % NGX_HTTP_MPK_DAY)
    {
        return "must be a number of days, 1d to 3650d, e.g. \"14d\"";
    }

    return NGX_CONF_OK;
}


char *
ngx_http_mpk_conf_consent(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_mpk_loc_conf_t *mlcf = conf;

    char  *rv;

    if (mlcf->consent) {
        return "is duplicate";
    }

    rv = ngx_conf_set_bitmask_slot(cf, cmd, conf);

    if (rv == NGX_CONF_OK && mlcf->consent > NGX_HTTP_MPK_CONSENT_OFF) {
        return "has \"off\" beside another value";
    }

    return rv;
}


static ngx_int_t
ngx_http_mpk_conf_loopback(ngx_str_t *host)
{
    ngx_uint_t  i;

    static ngx_str_t  names[] = {
        ngx_string("localhost"), ngx_string("127.0.0.1"), ngx_string("[::1]")
    };

    for (i = 0; i < sizeof(names) / sizeof(ngx_str_t); i++) {

        if (host->len >= names[i].len
            && ngx_strncmp(host->data, names[i].data, names[i].len) == 0
            && (host->len == names[i].len
                || host->data[names[i].len] == ':'))
        {
            return 1;
        }
    }

    return 0;
}


char *
ngx_http_mpk_conf_reveal_path(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_mpk_srv_conf_t *mscf = conf;

    ngx_str_t  *value;

    if (mscf->reveal_path.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].data[0] != '/'
        || value[1].data[value[1].len - 1] != '/'
        || value[1].len < 3
        || ngx_strlchr(value[1].data, value[1].data + value[1].len, '%')
        || ngx_strlchr(value[1].data, value[1].data + value[1].len, '?'))
    {
        return "must begin and end with \"/\", e.g. \"/r/\"";
    }

    mscf->reveal_path = value[1];

    return NGX_CONF_OK;
}


/* "mpk_reveal on", "mpk_api on" */

char *
ngx_http_mpk_conf_endpoint(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_strcasecmp(value[1].data, (u_char *) "off") == 0) {
        return NGX_CONF_OK;
    }

    if (ngx_strcasecmp(value[1].data, (u_char *) "on") != 0) {
        return "must be \"on\" or \"off\"";
    }

    return ngx_http_mpk_conf_plain(cf, cmd, conf);
}


/* Makes it the endpoint of a location whose name is the beginning of addresses. */

static char *
ngx_http_mpk_conf_plain(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_mpk_loc_conf_t *mlcf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->named || clcf->noname
#if (NGX_PCRE)
        || clcf->regex
#endif
       )
    {
        return "needs a location with a plain prefix, "
               "e.g. \"location /r/ {\"";
    }

    return ngx_http_mpk_conf_location(cf, cmd, mlcf);
}


/* Makes it the location's endpoint. */

static char *
ngx_http_mpk_conf_location(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_mpk_loc_conf_t *mlcf)
{
    if (mlcf->endpoint == cmd->post) {
        return "is duplicate";
    }

    if (mlcf->endpoint) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" and \"%V\" can't share a location",
                           &cmd->name, &mlcf->endpoint_name);
        return NGX_CONF_ERROR;
    }

    mlcf->endpoint = cmd->post;
    mlcf->endpoint_name = cmd->name;
    mlcf->file = cf->conf_file->file.name;
    mlcf->line = cf->conf_file->line;

    return NGX_CONF_OK;
}


/* Links point to the location's name, which is stored at cmd->offset. */

char *
ngx_http_mpk_conf_claim(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                      *rv;
    ngx_str_t                 *path, *name;
    ngx_http_mpk_loc_conf_t   *mlcf;
    ngx_http_mpk_srv_conf_t   *mscf;
    ngx_http_core_loc_conf_t  *clcf;

    mlcf = conf;

    rv = ngx_http_mpk_conf_endpoint(cf, cmd, conf);

    if (rv != NGX_CONF_OK || mlcf->endpoint != cmd->post) {
        return rv;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    mscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_mpk_module);

    name = &clcf->name;
    path = (ngx_str_t *) (void *) ((u_char *) mscf + cmd->offset);

    if (name->len < 3 || name->data[name->len - 1] != '/') {
        return "needs a location that ends with \"/\", "
               "e.g. \"location /claim/ {\"";
    }

    if (path->len) {
        return "is in another location of this server already: links can "
               "point to one only";
    }

    *path = *name;

    return NGX_CONF_OK;
}


/* The order page links to the first such location of a server. */

char *
ngx_http_mpk_conf_withdraw(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                      *rv;
    ngx_http_mpk_loc_conf_t   *mlcf;
    ngx_http_mpk_srv_conf_t   *mscf;
    ngx_http_core_loc_conf_t  *clcf;

    mlcf = conf;

    rv = ngx_http_mpk_conf_endpoint(cf, cmd, conf);

    if (rv != NGX_CONF_OK || mlcf->endpoint != cmd->post) {
        return rv;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    mscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_mpk_module);

    if (mscf->withdraw_path.len == 0) {
        mscf->withdraw_path = clcf->name;
    }

    return NGX_CONF_OK;
}


/* A time_t; 0: off.  cmd->post: a time_t below which there is a warning. */

char *
ngx_http_mpk_conf_keep(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    time_t     *keep;
    ngx_str_t  *value;

    keep = (time_t *) ((u_char *) conf + cmd->offset);

    if (*keep != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        *keep = 0;
        return NGX_CONF_OK;
    }

    *keep = ngx_parse_time(&value[1], 1);

    if (*keep == (time_t) NGX_ERROR || *keep == 0) {
        return "must be a time, e.g. \"2y\", or \"off\"";
    }

    if (cmd->post && *keep < *(time_t *) cmd->post) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"%V %V\" removes orders before most customers "
                           "have seen their keys: use %T seconds or more",
                           &cmd->name, &value[1], *(time_t *) cmd->post);
    }

    return NGX_CONF_OK;
}


char *
ngx_http_mpk_conf_account(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_mpk_loc_conf_t *mlcf = conf;

    char  *rv;

    rv = ngx_http_mpk_conf_identity(cf, mlcf, &mlcf->account);

    return rv == NGX_CONF_OK ? ngx_http_mpk_conf_plain(cf, cmd, mlcf) : rv;
}


/* Whether the location is "internal" is checked when it is merged. */

char *
ngx_http_mpk_conf_onscreen(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_mpk_loc_conf_t *mlcf = conf;

    char  *rv;

    rv = ngx_http_mpk_conf_identity(cf, mlcf, &mlcf->onscreen);

    return rv == NGX_CONF_OK ? ngx_http_mpk_conf_location(cf, cmd, mlcf) : rv;
}


/* A value, and "trusted"; what it is made of is checked when all variables are known. */

static char *
ngx_http_mpk_conf_identity(ngx_conf_t *cf, ngx_http_mpk_loc_conf_t *mlcf,
    ngx_http_complex_value_t **target)
{
    ngx_str_t                         *value;
    ngx_http_compile_complex_value_t   ccv;

    if (*target) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 3) {

        if (!ngx_http_mpk_is(&value[2], "trusted")) {
            return "has an invalid parameter: it may only be \"trusted\"";
        }

        mlcf->trusted = 1;
    }

    *target = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (*target == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[1];
    ccv.complex_value = *target;

    return ngx_http_compile_complex_value(&ccv) == NGX_OK ? NGX_CONF_OK
                                                          : NGX_CONF_ERROR;
}


char *
ngx_http_mpk_conf_track_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_mpk_loc_conf_t *mlcf = conf;

    u_char                *p;
    ngx_int_t              n;
    ngx_str_t             *value, s;
    ngx_uint_t             i;
    ngx_http_mpk_limit_t  *limit;

    if (mlcf->track_limit != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    limit = ngx_palloc(cf->pool, sizeof(ngx_http_mpk_limit_t));
    if (limit == NULL) {
        return NGX_CONF_ERROR;
    }

    *limit = (ngx_http_mpk_limit_t) { 10, 100, 15 * 60 };

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        p = ngx_strlchr(value[i].data, value[i].data + value[i].len, '=');

        s.data = p ? p + 1 : value[i].data;
        s.len = value[i].data + value[i].len - s.data;

        if (ngx_http_mpk_begins(&value[i], "address=")) {
            n = ngx_atoi(s.data, s.len);
            limit->address = n;

        } else if (ngx_http_mpk_begins(&value[i], "order=")) {
            n = ngx_atoi(s.data, s.len);
            limit->order = n;

        } else if (ngx_http_mpk_begins(&value[i], "window=")) {
            n = ngx_parse_time(&s, 1);
            limit->window = n;

        } else {
            n = NGX_ERROR;
        }

        if (n == NGX_ERROR || n == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" must be \"address=\" or \"order=\" with "
                               "a number of failed lookups, or \"window=\" "
                               "with a time", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    mlcf->track_limit = limit;

    return NGX_CONF_OK;
}


char *
ngx_http_mpk_conf_pages(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_mpk_loc_conf_t *mlcf = conf;

    ngx_str_t  *value;

    if (mlcf->pages != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_conf_full_name(cf->cycle, &value[1], 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    mlcf->pages = ngx_http_mpk_pages_load(cf, &value[1]);

    return mlcf->pages ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_http_mpk_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_mpk_main_conf_t *mmcf = conf;

    ssize_t     size;
    ngx_str_t  *value;

    if (mmcf->zone_size) {
        return "is duplicate";
    }

    value = cf->args->elts;
    size = ngx_parse_size(&value[1]);

    if (size == NGX_ERROR) {
        return "must be a size, e.g. \"256k\"";
    }

    if (size < NGX_HTTP_MPK_ZONE_MIN) {
        return "is too small for the counters: use 192k or more, 5k of it for "
               "each worker";
    }

    mmcf->zone_size = (size_t) size;

    return NGX_CONF_OK;
}


char *
ngx_http_mpk_conf_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_mpk_loc_conf_t *mlcf = conf;

    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "prometheus") == 0) {
        mlcf->status = NGX_HTTP_MPK_STATUS_PROMETHEUS;

    } else if (ngx_strcmp(value[1].data, "json") == 0) {
        mlcf->status = NGX_HTTP_MPK_STATUS_JSON;

    } else {
        return "must be \"prometheus\" or \"json\"";
    }

    return ngx_http_mpk_conf_location(cf, cmd, mlcf);
}
