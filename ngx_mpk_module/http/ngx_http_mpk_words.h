/* Names of events, outcomes, endpoints and results, as in logs, counters and variables. */

#ifndef NGX_HTTP_MPK_WORDS_H
#define NGX_HTTP_MPK_WORDS_H

#include <ngx_config.h>
#include <ngx_core.h>

#include "mpk_policy.h"


/* What a request was about: a mpk_event_t, or one of these. */
enum {
    NGX_HTTP_MPK_EVENT_TRACKED = MPK_EVENT_MAX,
    NGX_HTTP_MPK_EVENT_LISTED,
    NGX_HTTP_MPK_EVENT_CLAIM_ACCESS,
    NGX_HTTP_MPK_EVENT_READ,
    NGX_HTTP_MPK_EVENT_FEED,
    NGX_HTTP_MPK_EVENT_MAX
};

/* What became of it: a mpk_outcome_t, or one of these. */
enum {
    NGX_HTTP_MPK_OUTCOME_UNAVAILABLE = MPK_OUTCOME_MAX,
    NGX_HTTP_MPK_OUTCOME_LOST,
    NGX_HTTP_MPK_OUTCOME_BUSY,
    NGX_HTTP_MPK_OUTCOME_ERROR,
    NGX_HTTP_MPK_OUTCOME_FORM,
    NGX_HTTP_MPK_OUTCOME_INVALID,
    NGX_HTTP_MPK_OUTCOME_FOREIGN,
    NGX_HTTP_MPK_OUTCOME_UNAUTHORIZED,
    NGX_HTTP_MPK_OUTCOME_FORBIDDEN,
    NGX_HTTP_MPK_OUTCOME_METHOD,
    NGX_HTTP_MPK_OUTCOME_BODY,
    NGX_HTTP_MPK_OUTCOME_MEDIA_TYPE,
    NGX_HTTP_MPK_OUTCOME_LIMITED,
    NGX_HTTP_MPK_OUTCOME_ABORTED,
    NGX_HTTP_MPK_OUTCOME_NONE,
    NGX_HTTP_MPK_OUTCOME_MAX
};

/* The endpoints of locations. */
typedef enum {
    NGX_HTTP_MPK_ENDPOINT_REVEAL = 0,
    NGX_HTTP_MPK_ENDPOINT_TRACK,
    NGX_HTTP_MPK_ENDPOINT_ACCOUNT,
    NGX_HTTP_MPK_ENDPOINT_ONSCREEN,
    NGX_HTTP_MPK_ENDPOINT_CLAIM,
    NGX_HTTP_MPK_ENDPOINT_CLAIM_ACCESS,
    NGX_HTTP_MPK_ENDPOINT_WITHDRAW,
    NGX_HTTP_MPK_ENDPOINT_API,
    NGX_HTTP_MPK_ENDPOINT_MAX,         /* how many are counted */
    NGX_HTTP_MPK_ENDPOINT_STATUS = NGX_HTTP_MPK_ENDPOINT_MAX
} ngx_http_mpk_endpoint_id_t;

/* Why an order can't be read. */
typedef enum {
    NGX_HTTP_MPK_UNREAD_FORGED = 0,
    NGX_HTTP_MPK_UNREAD_KEY,
    NGX_HTTP_MPK_UNREAD_NEWER,
    NGX_HTTP_MPK_UNREAD_MAX
} ngx_http_mpk_unread_t;

/* Lists of orders that wait for the shop or its support. */
typedef enum {
    NGX_HTTP_MPK_WORKLIST_SUSPENDED = 0,
    NGX_HTTP_MPK_WORKLIST_HELD,
    NGX_HTTP_MPK_WORKLIST_WITHDRAWALS,   /* which support judges */
    NGX_HTTP_MPK_WORKLIST_MAX
} ngx_http_mpk_worklist_id_t;

/* What became of a line of POST /orders. */
typedef enum {
    NGX_HTTP_MPK_LINES_CREATED = 0,
    NGX_HTTP_MPK_LINES_UNCHANGED,
    NGX_HTTP_MPK_LINES_FAILED,
    NGX_HTTP_MPK_LINES_MAX
} ngx_http_mpk_lines_t;


/* Empty for MPK_EVENT_NONE and NGX_HTTP_MPK_OUTCOME_NONE. */
mpk_str_t ngx_http_mpk_event_name(ngx_uint_t event);
mpk_str_t ngx_http_mpk_outcome_name(ngx_uint_t outcome);

mpk_str_t ngx_http_mpk_endpoint_name(ngx_uint_t endpoint);
mpk_str_t ngx_http_mpk_lines_name(ngx_uint_t result);
mpk_str_t ngx_http_mpk_unread_name(ngx_uint_t reason);


#endif /* NGX_HTTP_MPK_WORDS_H */
