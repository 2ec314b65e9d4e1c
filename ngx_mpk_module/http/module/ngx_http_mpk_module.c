/* Directives and configurations. */

#include "ngx_http_mpk_conf.h"
#include "ngx_http_mpk_endpoints.h"
#include "ngx_http_mpk_pages.h"
#include "ngx_http_mpk_phases.h"
#include "ngx_http_mpk_script.h"
#include "ngx_http_mpk_stats_zone.h"
#include "ngx_http_mpk_variables.h"
#include "ngx_http_mpk_worker.h"


/* As a directive's post. */
#define ngx_http_mpk_endpoint(name)                                          \
    (void *) &ngx_http_mpk_endpoints[NGX_HTTP_MPK_ENDPOINT_##name]


static void *ngx_http_mpk_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_mpk_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_mpk_create_srv_conf(ngx_conf_t *cf);
static char *ngx_http_mpk_merge_srv_conf(ngx_conf_t *cf, void *parent,
    void *child);
static void *ngx_http_mpk_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_mpk_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_http_mpk_add_location(ngx_conf_t *cf,
    ngx_http_mpk_loc_conf_t *mlcf);
static ngx_int_t ngx_http_mpk_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_mpk_postconfiguration(ngx_conf_t *cf);


static ngx_conf_enum_t  ngx_http_mpk_challenges[] = {
    { ngx_string("click"), NGX_HTTP_MPK_CHALLENGE_CLICK },
    { ngx_string("email"), NGX_HTTP_MPK_CHALLENGE_EMAIL },
    { ngx_null_string, 0 }
};


static ngx_conf_bitmask_t  ngx_http_mpk_consents[] = {
    { ngx_string("off"), NGX_HTTP_MPK_CONSENT_OFF },
    { ngx_string("on"), MPK_CONSENT_SUPPLY },
    { ngx_string("supply"), MPK_CONSENT_SUPPLY },
    { ngx_string("product"), MPK_CONSENT_PRODUCT },
    { ngx_null_string, 0 }
};


static ngx_conf_post_t  ngx_http_mpk_policy_url = { ngx_http_mpk_conf_url };
static ngx_conf_post_t  ngx_http_mpk_whole_days = { ngx_http_mpk_conf_days };


#define NGX_HTTP_MPK_OUTBOX_KEEP  (30 * 24 * 60 * 60)     /* seconds */

static time_t  ngx_http_mpk_retention_min = 24 * 60 * 60;

static ngx_http_mpk_limit_t  ngx_http_mpk_track_limit = { 10, 100, 15 * 60 };


static ngx_command_t  ngx_http_mpk_commands[] = {

    { ngx_string("mpk_redis"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_mpk_conf_redis,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("mpk_keyring"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_mpk_conf_keyring,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("mpk_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_mpk_conf_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("mpk_retention"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_mpk_conf_keep,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_mpk_main_conf_t, retention),
      &ngx_http_mpk_retention_min },

    { ngx_string("mpk_outbox_keep"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_mpk_conf_keep,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_mpk_main_conf_t, outbox_keep),
      NULL },

    { ngx_string("mpk_public_url"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_http_mpk_conf_public_url,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("mpk_reveal_path"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_http_mpk_conf_reveal_path,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("mpk_pages"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_mpk_conf_pages,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("mpk_reveal"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_http_mpk_conf_endpoint,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      ngx_http_mpk_endpoint(REVEAL) },

    { ngx_string("mpk_reveal_challenge"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_mpk_loc_conf_t, challenge),
      &ngx_http_mpk_challenges },

    { ngx_string("mpk_reveal_ttl"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_mpk_loc_conf_t, reveal_ttl),
      NULL },

    { ngx_string("mpk_reveal_grace"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_mpk_loc_conf_t, reveal_grace),
      NULL },

    { ngx_string("mpk_consent"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_mpk_conf_consent,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_mpk_loc_conf_t, consent),
      &ngx_http_mpk_consents },

    { ngx_string("mpk_policy_version"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_mpk_loc_conf_t, policy_version),
      NULL },

    { ngx_string("mpk_policy_url"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_mpk_loc_conf_t, policy_url),
      &ngx_http_mpk_policy_url },

    { ngx_string("mpk_track"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_http_mpk_conf_endpoint,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      ngx_http_mpk_endpoint(TRACK) },

    { ngx_string("mpk_track_limit"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_mpk_conf_track_limit,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("mpk_account"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_mpk_conf_account,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      ngx_http_mpk_endpoint(ACCOUNT) },

    { ngx_string("mpk_onscreen"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_mpk_conf_onscreen,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      ngx_http_mpk_endpoint(ONSCREEN) },

    { ngx_string("mpk_withdraw"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_http_mpk_conf_withdraw,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_mpk_srv_conf_t, withdraw_path),
      ngx_http_mpk_endpoint(WITHDRAW) },

    { ngx_string("mpk_claim"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_http_mpk_conf_claim,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_mpk_srv_conf_t, claim_path),
      ngx_http_mpk_endpoint(CLAIM) },

    { ngx_string("mpk_claim_access"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_http_mpk_conf_claim,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_mpk_srv_conf_t, upload_path),
      ngx_http_mpk_endpoint(CLAIM_ACCESS) },

    { ngx_string("mpk_claim_window"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_SRV_CONF_OFFSET,
      offsetof(ngx_http_mpk_srv_conf_t, claim_window),
      NULL },

    { ngx_string("mpk_held_usual"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_SRV_CONF_OFFSET,
      offsetof(ngx_http_mpk_srv_conf_t, held_usual),
      NULL },

    { ngx_string("mpk_email_change_hold"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_SRV_CONF_OFFSET,
      offsetof(ngx_http_mpk_srv_conf_t, email_hold),
      NULL },

    { ngx_string("mpk_withdrawal_window"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_SRV_CONF_OFFSET,
      offsetof(ngx_http_mpk_srv_conf_t, withdrawal_window),
      &ngx_http_mpk_whole_days },

    { ngx_string("mpk_withdraw_refuse"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_SRV_CONF_OFFSET,
      offsetof(ngx_http_mpk_srv_conf_t, withdraw_refuse),
      NULL },

    { ngx_string("mpk_api"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_http_mpk_conf_endpoint,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      ngx_http_mpk_endpoint(API) },

    { ngx_string("mpk_api_tokens"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_mpk_conf_api_tokens,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("mpk_fallthrough"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_mpk_loc_conf_t, fallthrough),
      NULL },

    { ngx_string("mpk_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_mpk_conf_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      ngx_http_mpk_endpoint(STATUS) },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_mpk_module_ctx = {
    ngx_http_mpk_preconfiguration,         /* preconfiguration */
    ngx_http_mpk_postconfiguration,        /* postconfiguration */

    ngx_http_mpk_create_main_conf,         /* create main configuration */
    ngx_http_mpk_init_main_conf,           /* init main configuration */

    ngx_http_mpk_create_srv_conf,          /* create server configuration */
    ngx_http_mpk_merge_srv_conf,           /* merge server configuration */

    ngx_http_mpk_create_loc_conf,          /* create location configuration */
    ngx_http_mpk_merge_loc_conf            /* merge location configuration */
};


ngx_module_t  ngx_http_mpk_module = {
    NGX_MODULE_V1,
    &ngx_http_mpk_module_ctx,              /* module context */
    ngx_http_mpk_commands,                 /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_mpk_init_process,             /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_mpk_exit_process,             /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_http_mpk_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_mpk_main_conf_t  *mmcf;

    mmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_mpk_main_conf_t));
    if (mmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&mmcf->pages, cf->pool, 2,
                       sizeof(ngx_http_mpk_pages_t *))
        != NGX_OK
        || ngx_array_init(&mmcf->texts, cf->pool, 8,
                          sizeof(ngx_http_mpk_text_t))
           != NGX_OK
        || ngx_array_init(&mmcf->locations, cf->pool, 8,
                          sizeof(ngx_http_mpk_location_t))
           != NGX_OK
        || ngx_array_init(&mmcf->actors, cf->pool, 4, sizeof(mpk_str_t))
           != NGX_OK)
    {
        return NULL;
    }

    mmcf->retention = NGX_CONF_UNSET;
    mmcf->outbox_keep = NGX_CONF_UNSET;

    return mmcf;
}


static char *
ngx_http_mpk_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_mpk_main_conf_t *mmcf = conf;

    ngx_conf_init_value(mmcf->retention, 0);
    ngx_conf_init_value(mmcf->outbox_keep, NGX_HTTP_MPK_OUTBOX_KEEP);

    return NGX_CONF_OK;
}


static void *
ngx_http_mpk_create_srv_conf(ngx_conf_t *cf)
{
    ngx_http_mpk_srv_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_mpk_srv_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->public_url = { 0, NULL };
     *     conf->reveal_path = { 0, NULL };
     *     conf->claim_path = { 0, NULL };
     *     conf->upload_path = { 0, NULL };
     *     conf->endpoints = 0;
     */

    conf->claim_window = NGX_CONF_UNSET;
    conf->email_hold = NGX_CONF_UNSET;
    conf->held_usual = NGX_CONF_UNSET;
    conf->withdrawal_window = NGX_CONF_UNSET;
    conf->withdraw_refuse = NGX_CONF_UNSET;

    return conf;
}


static char *
ngx_http_mpk_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_mpk_srv_conf_t *prev = parent;
    ngx_http_mpk_srv_conf_t *conf = child;

    ngx_conf_merge_str_value(conf->public_url, prev->public_url, "");
    ngx_conf_merge_str_value(conf->reveal_path, prev->reveal_path, "/r/");
    ngx_conf_merge_sec_value(conf->claim_window, prev->claim_window,
                             7 * 24 * 60 * 60);
    ngx_conf_merge_sec_value(conf->email_hold, prev->email_hold,
                             24 * 60 * 60);
    ngx_conf_merge_sec_value(conf->held_usual, prev->held_usual, 0);
    ngx_conf_merge_sec_value(conf->withdrawal_window, prev->withdrawal_window,
                             14 * 24 * 60 * 60);
    ngx_conf_merge_value(conf->withdraw_refuse, prev->withdraw_refuse, 0);

    return NGX_CONF_OK;
}


static void *
ngx_http_mpk_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_mpk_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_mpk_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->endpoint = NULL;
     *     conf->endpoint_name = { 0, NULL };
     *     conf->file = { 0, NULL };
     *     conf->line = 0;
     *     conf->consent = 0;
     *     conf->policy_version = { 0, NULL };
     *     conf->policy_url = { 0, NULL };
     *     conf->account = NULL;
     *     conf->onscreen = NULL;
     *     conf->trusted = 0;
     *     conf->api_tokens = NULL;
     *     conf->status = 0;
     */

    conf->pages = NGX_CONF_UNSET_PTR;
    conf->track_limit = NGX_CONF_UNSET_PTR;
    conf->challenge = NGX_CONF_UNSET_UINT;
    conf->reveal_ttl = NGX_CONF_UNSET;
    conf->reveal_grace = NGX_CONF_UNSET;
    conf->fallthrough = NGX_CONF_UNSET;
    conf->api_tokens_set = NGX_CONF_UNSET;

    return conf;
}


static char *
ngx_http_mpk_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_mpk_loc_conf_t *prev = parent;
    ngx_http_mpk_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    ngx_conf_merge_uint_value(conf->challenge, prev->challenge,
                              NGX_HTTP_MPK_CHALLENGE_EMAIL);
    ngx_conf_merge_sec_value(conf->reveal_ttl, prev->reveal_ttl,
                             30 * 24 * 60 * 60);
    ngx_conf_merge_sec_value(conf->reveal_grace, prev->reveal_grace, 60 * 60);
    ngx_conf_merge_bitmask_value(conf->consent, prev->consent, 0);
    ngx_conf_merge_value(conf->fallthrough, prev->fallthrough, 0);
    ngx_conf_merge_str_value(conf->policy_version, prev->policy_version, "");
    ngx_conf_merge_str_value(conf->policy_url, prev->policy_url, "");
    ngx_conf_merge_ptr_value(conf->pages, prev->pages, NULL);
    ngx_conf_merge_ptr_value(conf->track_limit, prev->track_limit,
                             &ngx_http_mpk_track_limit);

    conf->consent &= ~NGX_HTTP_MPK_CONSENT_OFF;

    if (conf->api_tokens_set == NGX_CONF_UNSET) {
        conf->api_tokens_set = prev->api_tokens_set;
        conf->api_tokens = prev->api_tokens;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* blocks of "if" and "limit_except" are no other location: links must not leave it */

    if (clcf->noname && prev->endpoint) {
        conf->endpoint = prev->endpoint;
        conf->endpoint_name = prev->endpoint_name;
        conf->account = prev->account;
        conf->onscreen = prev->onscreen;

        return NGX_CONF_OK;
    }

    /* a guard is inherited by nested locations */

    if (conf->endpoint == NULL && prev->endpoint && prev->endpoint->guard) {
        conf->endpoint = prev->endpoint;
        conf->endpoint_name = prev->endpoint_name;
        conf->file = prev->file;
        conf->line = prev->line;
    }

    if (conf->endpoint == NULL) {
        return NGX_CONF_OK;
    }

    if (conf->endpoint->id == NGX_HTTP_MPK_ENDPOINT_API
        && conf->api_tokens_set == NGX_CONF_UNSET)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"mpk_api\" needs \"mpk_api_tokens\" with a file of "
                      "bearer tokens, or \"mpk_api_tokens off\" where nginx's "
                      "own access control guards the location, in %V:%ui",
                      &conf->file, conf->line);
        return NGX_CONF_ERROR;
    }

    if (conf->pages == NULL && conf->endpoint->pages) {
        conf->pages = ngx_http_mpk_pages_load(cf, NULL);
        if (conf->pages == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_http_mpk_add_location(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_mpk_conf_check_endpoint(cf, conf);
}


static ngx_int_t
ngx_http_mpk_add_location(ngx_conf_t *cf, ngx_http_mpk_loc_conf_t *mlcf)
{
    ngx_http_mpk_location_t   *location;
    ngx_http_mpk_main_conf_t  *mmcf;

    mmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mpk_module);

    location = ngx_array_push(&mmcf->locations);
    if (location == NULL) {
        return NGX_ERROR;
    }

    location->mlcf = mlcf;
    location->mscf = ngx_http_conf_get_module_srv_conf(cf,
                                                       ngx_http_mpk_module);
    location->clcf = ngx_http_conf_get_module_loc_conf(cf,
                                                       ngx_http_core_module);

    location->mscf->endpoints |= 1 << mlcf->endpoint->id;

    return NGX_OK;
}


static ngx_int_t
ngx_http_mpk_preconfiguration(ngx_conf_t *cf)
{
    return  ngx_http_mpk_variables_init(cf);
}


static ngx_int_t
ngx_http_mpk_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_core_loc_conf_t  *clcf;
    ngx_http_mpk_main_conf_t  *mmcf;

    mmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mpk_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (mmcf->redis) {
        ngx_mpk_redis_resolver(mmcf->redis, clcf->resolver,
                               clcf->resolver_timeout == NGX_CONF_UNSET_MSEC
                               ? 30000 : clcf->resolver_timeout);
    }

    ngx_http_mpk_headers_init();
    ngx_http_mpk_script_init();

    if (ngx_http_mpk_conf_check(cf) != NGX_OK
        || ngx_http_mpk_stats_zone(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_mpk_phases_init(cf);
}
