/* Setters of the directives, and the check of a location. */

#ifndef NGX_HTTP_MPK_CONF_H
#define NGX_HTTP_MPK_CONF_H

#include "ngx_http_mpk.h"


#define NGX_HTTP_MPK_CONSENT_OFF  4u         /* beside MPK_CONSENT_..., until it is merged */


/*
 * ngx_http_mpk_conf.c; cmd->post of an endpoint's directive is the endpoint.  _url is a post
 * of a string slot, for a URL that pages link to.
 */

char *ngx_http_mpk_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_mpk_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_mpk_conf_keep(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_mpk_conf_public_url(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_mpk_conf_reveal_path(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_mpk_conf_pages(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_mpk_conf_url(ngx_conf_t *cf, void *post, void *data);
char *ngx_http_mpk_conf_days(ngx_conf_t *cf, void *post, void *data);
char *ngx_http_mpk_conf_consent(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_mpk_conf_track_limit(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

char *ngx_http_mpk_conf_endpoint(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_mpk_conf_account(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_mpk_conf_onscreen(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_mpk_conf_withdraw(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_mpk_conf_claim(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_mpk_conf_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


/* ngx_http_mpk_conf_check.c; both log what is wrong */

/* Checks what the location's endpoint needs; called when the location is merged. */
char *ngx_http_mpk_conf_check_endpoint(ngx_conf_t *cf,
    ngx_http_mpk_loc_conf_t *conf);

/* Checks all locations with an endpoint together; called after nginx has sorted them. */
ngx_int_t ngx_http_mpk_conf_check(ngx_conf_t *cf);


/* ngx_http_mpk_conf_asserted.c */

/*
 * NULL: each variable of the value is what the upstream or TLS asserts; else what is
 * wrong, as the end of a sentence that begins with "which".  Called when all variables
 * are known.
 */
const char *ngx_http_mpk_conf_asserted(ngx_conf_t *cf, ngx_str_t *value);


/* ngx_http_mpk_conf_files.c */

char *ngx_http_mpk_conf_keyring(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_mpk_conf_api_tokens(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


#endif /* NGX_HTTP_MPK_CONF_H */
