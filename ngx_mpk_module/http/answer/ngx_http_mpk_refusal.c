/* Answers to refusals of the policy. */

#include "ngx_http_mpk_refusal.h"

/*
 * A customer's link is gone (410) or unknown (404); for the API the order exists, and its
 * state conflicts with the call (409).
 */

static const ngx_http_mpk_refusal_t  ngx_http_mpk_refusals[MPK_OUTCOME_MAX] = {

    [MPK_ABSENT] = {
        { .status = 404, .page = NGX_HTTP_MPK_PAGE_NOTFOUND, .support = 1 },
        404 },

    [MPK_HELD] = {
        { .status = 409, .page = NGX_HTTP_MPK_PAGE_HELD, .refresh = 1,
          .support = 1 },
        409 },

    [MPK_CANCELLED] = {
        { .status = 410, .page = NGX_HTTP_MPK_PAGE_CANCELLED, .support = 1 },
        409 },

    [MPK_USED] = {
        { .status = 410, .page = NGX_HTTP_MPK_PAGE_USED, .track = 1,
          .support = 1, .rights = 1 },
        409 },

    [MPK_TOKEN_EXPIRED] = {
        { .status = 410, .page = NGX_HTTP_MPK_PAGE_EXPIRED, .track = 1,
          .support = 1 },
        409 },

    [MPK_REVOKED] = {
        { .status = 410, .page = NGX_HTTP_MPK_PAGE_EXPIRED, .track = 1,
          .support = 1 },
        409 },

    [MPK_NO_LINK] = {
        { .status = 404, .page = NGX_HTTP_MPK_PAGE_NOTFOUND, .support = 1 },
        404 },

    [MPK_CLOSED] = {
        { .status = 429, .page = NGX_HTTP_MPK_PAGE_LIMITED, .track = 1,
          .support = 1, .retry_after = MPK_CHALLENGES_TIME },
        409 },

    [MPK_NO_ITEM] = {
        { .status = 404, .page = NGX_HTTP_MPK_PAGE_NOTFOUND, .support = 1 },
        422 },

    /* the caller sets retry_after, if there is a time */

    [MPK_EXHAUSTED] = {
        { .status = 429, .page = NGX_HTTP_MPK_PAGE_EXHAUSTED, .support = 1 },
        429 },

    [MPK_ERASED] = {
        { .status = 404, .page = NGX_HTTP_MPK_PAGE_NOTFOUND, .support = 1 },
        409 },

    [MPK_REFUNDED] = {
        { .status = 410, .page = NGX_HTTP_MPK_PAGE_REFUNDED, .track = 1,
          .support = 1, .rights = 1 },
        409 },

    [MPK_UNDELIVERED] = {
        { .status = 409, .page = NGX_HTTP_MPK_PAGE_UNDELIVERED, .track = 1,
          .support = 1 },
        409 },

    [MPK_LATE] = {
        { .status = 403, .page = NGX_HTTP_MPK_PAGE_LATE, .support = 1,
          .rights = 1 },
        409 },

    [MPK_SUSPENDED] = {
        { .status = 409, .page = NGX_HTTP_MPK_PAGE_SUSPENDED, .support = 1 },
        409 },

    [MPK_WITHHELD] = {
        { .status = 410, .page = NGX_HTTP_MPK_PAGE_WITHHELD, .support = 1 },
        409 },

    [MPK_WITHDRAWN] = {
        { .status = 410, .page = NGX_HTTP_MPK_PAGE_WITHDRAWN, .track = 1,
          .support = 1 },
        409 },

    [MPK_NO_WITHDRAWAL] = {
        { .status = 404, .page = NGX_HTTP_MPK_PAGE_NOTFOUND, .support = 1 },
        404 },

    [MPK_NO_CLAIM] = {
        { .status = 403, .page = NGX_HTTP_MPK_PAGE_DECIDED, .track = 1,
          .support = 1, .rights = 1 },
        404 },
};


static const ngx_http_mpk_refusal_t  ngx_http_mpk_refusal_other = {
    { .status = 409, .page = NGX_HTTP_MPK_PAGE_DECIDED, .support = 1,
      .rights = 1 },
    409
};


const ngx_http_mpk_refusal_t *
ngx_http_mpk_refusal(mpk_outcome_t outcome)
{
    const ngx_http_mpk_refusal_t  *refusal;

    refusal = &ngx_http_mpk_refusals[outcome];

    return refusal->api ? refusal : &ngx_http_mpk_refusal_other;
}
