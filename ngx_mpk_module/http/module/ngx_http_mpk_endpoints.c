/* The endpoints that directives set in a location. */

#include "ngx_http_mpk_endpoints.h"
#include "ngx_http_mpk_api.h"
#include "ngx_http_mpk_customer.h"
#include "ngx_http_mpk_status.h"


#define ngx_http_mpk_endpoint(name, ...)                                     \
    [NGX_HTTP_MPK_ENDPOINT_##name] = { .id = NGX_HTTP_MPK_ENDPOINT_##name,   \
                                       .handler = __VA_ARGS__ }

const ngx_http_mpk_endpoint_t  ngx_http_mpk_endpoints[] = {

    ngx_http_mpk_endpoint(REVEAL, ngx_http_mpk_reveal_handler, .pages = 1),

    ngx_http_mpk_endpoint(TRACK, ngx_http_mpk_track_handler, .pages = 1),

    ngx_http_mpk_endpoint(ACCOUNT, ngx_http_mpk_account_handler, .pages = 1),

    ngx_http_mpk_endpoint(ONSCREEN, ngx_http_mpk_onscreen_handler,
                          .subrequests = 1, .pages = 1),

    ngx_http_mpk_endpoint(CLAIM, ngx_http_mpk_claim_handler, .pages = 1),

    ngx_http_mpk_endpoint(CLAIM_ACCESS, ngx_http_mpk_claim_access_handler,
                          .log = ngx_http_mpk_claim_access_log,
                          .guard = 1, .pages = 1),

    ngx_http_mpk_endpoint(WITHDRAW, ngx_http_mpk_withdraw_handler, .pages = 1),

    ngx_http_mpk_endpoint(API, ngx_http_mpk_api_handler, .pages = 1),

    ngx_http_mpk_endpoint(STATUS, ngx_http_mpk_status_handler, .pages = 0),
};


_Static_assert(sizeof(ngx_http_mpk_endpoints) / sizeof(ngx_http_mpk_endpoints[0])
               == NGX_HTTP_MPK_ENDPOINT_STATUS + 1,
               "an endpoint for each id");
