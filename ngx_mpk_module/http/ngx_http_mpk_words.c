/* Names of events, outcomes, endpoints and results, as in logs, counters and variables. */

#include "ngx_http_mpk_words.h"


mpk_str_t
ngx_http_mpk_event_name(ngx_uint_t event)
{
    static const mpk_str_t  names[] = {
        [NGX_HTTP_MPK_EVENT_TRACKED - MPK_EVENT_MAX] = mpk_literal("tracked"),
        [NGX_HTTP_MPK_EVENT_LISTED - MPK_EVENT_MAX] = mpk_literal("listed"),
        [NGX_HTTP_MPK_EVENT_CLAIM_ACCESS - MPK_EVENT_MAX] =
            mpk_literal("claim_access"),
        [NGX_HTTP_MPK_EVENT_READ - MPK_EVENT_MAX] = mpk_literal("read"),
        [NGX_HTTP_MPK_EVENT_FEED - MPK_EVENT_MAX] = mpk_literal("feed"),
    };

    _Static_assert(sizeof(names) / sizeof(names[0])
                   == NGX_HTTP_MPK_EVENT_MAX - MPK_EVENT_MAX,
                   "a name for each event");

    return event < MPK_EVENT_MAX ? mpk_event_name(event)
                                 : names[event - MPK_EVENT_MAX];
}


mpk_str_t
ngx_http_mpk_outcome_name(ngx_uint_t outcome)
{
    static const mpk_str_t  names[] = {
        [NGX_HTTP_MPK_OUTCOME_UNAVAILABLE - MPK_OUTCOME_MAX] =
            mpk_literal("unavailable"),
        [NGX_HTTP_MPK_OUTCOME_LOST - MPK_OUTCOME_MAX] = mpk_literal("lost"),
        [NGX_HTTP_MPK_OUTCOME_BUSY - MPK_OUTCOME_MAX] = mpk_literal("busy"),
        [NGX_HTTP_MPK_OUTCOME_ERROR - MPK_OUTCOME_MAX] = mpk_literal("error"),
        [NGX_HTTP_MPK_OUTCOME_FORM - MPK_OUTCOME_MAX] = mpk_literal("form"),
        [NGX_HTTP_MPK_OUTCOME_INVALID - MPK_OUTCOME_MAX] =
            mpk_literal("invalid"),
        [NGX_HTTP_MPK_OUTCOME_FOREIGN - MPK_OUTCOME_MAX] =
            mpk_literal("foreign"),
        [NGX_HTTP_MPK_OUTCOME_UNAUTHORIZED - MPK_OUTCOME_MAX] =
            mpk_literal("unauthorized"),
        [NGX_HTTP_MPK_OUTCOME_FORBIDDEN - MPK_OUTCOME_MAX] =
            mpk_literal("forbidden"),
        [NGX_HTTP_MPK_OUTCOME_METHOD - MPK_OUTCOME_MAX] = mpk_literal("method"),
        [NGX_HTTP_MPK_OUTCOME_BODY - MPK_OUTCOME_MAX] = mpk_literal("body"),
        [NGX_HTTP_MPK_OUTCOME_MEDIA_TYPE - MPK_OUTCOME_MAX] =
            mpk_literal("media_type"),
        [NGX_HTTP_MPK_OUTCOME_LIMITED - MPK_OUTCOME_MAX] =
            mpk_literal("limited"),
        [NGX_HTTP_MPK_OUTCOME_ABORTED - MPK_OUTCOME_MAX] =
            mpk_literal("aborted"),
        [NGX_HTTP_MPK_OUTCOME_NONE - MPK_OUTCOME_MAX] = mpk_literal(""),
    };

    _Static_assert(sizeof(names) / sizeof(names[0])
                   == NGX_HTTP_MPK_OUTCOME_MAX - MPK_OUTCOME_MAX,
                   "a name for each outcome");

    return outcome < MPK_OUTCOME_MAX ? mpk_outcome_info(outcome)->name
                                     : names[outcome - MPK_OUTCOME_MAX];
}


mpk_str_t
ngx_http_mpk_endpoint_name(ngx_uint_t endpoint)
{
    static const mpk_str_t  names[] = {
        [NGX_HTTP_MPK_ENDPOINT_REVEAL] = mpk_literal("reveal"),
        [NGX_HTTP_MPK_ENDPOINT_TRACK] = mpk_literal("track"),
        [NGX_HTTP_MPK_ENDPOINT_ACCOUNT] = mpk_literal("account"),
        [NGX_HTTP_MPK_ENDPOINT_ONSCREEN] = mpk_literal("onscreen"),
        [NGX_HTTP_MPK_ENDPOINT_CLAIM] = mpk_literal("claim"),
        [NGX_HTTP_MPK_ENDPOINT_CLAIM_ACCESS] = mpk_literal("claim_access"),
        [NGX_HTTP_MPK_ENDPOINT_WITHDRAW] = mpk_literal("withdraw"),
        [NGX_HTTP_MPK_ENDPOINT_API] = mpk_literal("api"),
    };

    _Static_assert(sizeof(names) / sizeof(names[0])
                   == NGX_HTTP_MPK_ENDPOINT_MAX,
                   "a name for each endpoint that is counted");

    return names[endpoint];
}


mpk_str_t
ngx_http_mpk_lines_name(ngx_uint_t result)
{
    static const mpk_str_t  names[] = {
        [NGX_HTTP_MPK_LINES_CREATED] = mpk_literal("created"),
        [NGX_HTTP_MPK_LINES_UNCHANGED] = mpk_literal("unchanged"),
        [NGX_HTTP_MPK_LINES_FAILED] = mpk_literal("failed"),
    };

    _Static_assert(sizeof(names) / sizeof(names[0]) == NGX_HTTP_MPK_LINES_MAX,
                   "a name for each result");

    return names[result];
}


mpk_str_t
ngx_http_mpk_unread_name(ngx_uint_t reason)
{
    static const mpk_str_t  names[] = {
        [NGX_HTTP_MPK_UNREAD_FORGED] = mpk_literal("not_authentic"),
        [NGX_HTTP_MPK_UNREAD_KEY] = mpk_literal("unknown_key"),
        [NGX_HTTP_MPK_UNREAD_NEWER] = mpk_literal("newer_release"),
    };

    _Static_assert(sizeof(names) / sizeof(names[0]) == NGX_HTTP_MPK_UNREAD_MAX,
                   "a name for each reason");

    return names[reason];
}
