/* Whether a visitor who names an order and a billing email is its customer. */

#ifndef NGX_HTTP_MPK_LOOKUP_H
#define NGX_HTTP_MPK_LOOKUP_H

#include "ngx_http_mpk_batch.h"

#include "mpk_number.h"


struct ngx_http_mpk_lookup_s {
    /* set by the caller */
    u_char                        email[MPK_MAC_LEN]; /* mpk_lookup_email() of ctx->order */
    mpk_number_t                 *number;           /* ctx->order is the first; NULL: the only one */
    mpk_str_t                     given_email;   /* with it: the address of which email is the hash */
    unsigned                      joins:1;         /* it calls ngx_http_mpk_lookup_again() */

    /* the result; else there is no such order, or it has another email */
    unsigned                      right:1;
    unsigned                      failed:1;        /* of ngx_http_mpk_lookup_all(): Redis is away */

    /* internal */
    ngx_http_mpk_next_pt          next;
    mpk_str_t                     address;         /* IPv4, or an IPv6 /64 */
    ngx_http_mpk_batch_t         *batch;
    ngx_mpk_redis_cmd_t          *of_address;      /* wrong lookups */
    ngx_mpk_redis_cmd_t          *of_order;
    ngx_mpk_redis_cmd_t          *filed[MPK_NUMBER_IDS];
    mpk_str_t                     counted;         /* the order's name in its counter */
    u_char                        name[MPK_NUMBER_ID_LEN];
};


/*
 * Compares lookup->email with that of ctx->order, then calls next; if it is another one and
 * "number" is set, also with those of its other ids, and sets ctx->order to the right one.
 * It takes as long whether the order exists or not, whatever its size.  A wrong lookup is counted before that; where
 * the limits are reached (mpk_track_limit) or Redis is away, answers 429 or 503 instead.
 */
ngx_int_t ngx_http_mpk_lookup(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_lookup_t *lookup, ngx_http_mpk_next_pt next);

/*
 * A right lookup is not counted, but reads the counters again, behind those that were sent
 * before it: of many at the same instant, the limits permit it or not.  To save a round trip,
 * a caller adds these two commands to a batch of its own; when that was answered,
 * ngx_http_mpk_lookup_limited() answers 429, or NGX_DECLINED if the limits permit it.
 */
void ngx_http_mpk_lookup_again(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_batch_t *batch);
ngx_int_t ngx_http_mpk_lookup_limited(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);

/*
 * Compares with all ids that "number" means, at once, then calls next: for what is answered
 * alike whether it is right or not.  No limit applies, and none is counted.
 */
ngx_int_t ngx_http_mpk_lookup_all(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_lookup_t *lookup,
    ngx_http_mpk_next_pt next);


#endif /* NGX_HTTP_MPK_LOOKUP_H */
