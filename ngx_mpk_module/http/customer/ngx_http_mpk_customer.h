/* The endpoints for customers. */

#ifndef NGX_HTTP_MPK_CUSTOMER_H
#define NGX_HTTP_MPK_CUSTOMER_H

#include "ngx_http_mpk.h"


ngx_int_t ngx_http_mpk_reveal_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_mpk_track_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_mpk_account_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_mpk_onscreen_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_mpk_claim_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_mpk_withdraw_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_mpk_claim_access_handler(ngx_http_request_t *r);

/* In the log phase: journals that files came, if they were accepted. */
ngx_int_t ngx_http_mpk_claim_access_log(ngx_http_request_t *r);


#endif /* NGX_HTTP_MPK_CUSTOMER_H */
