/*
 * Looks an order up by its number and billing email.  Failed lookups look the same whether
 * the order exists or not, and are limited.
 */

#include "ngx_http_mpk_lookup.h"
#include "ngx_http_mpk_answer.h"
#include "ngx_http_mpk_keys.h"
#include "ngx_http_mpk_limit.h"
#include "ngx_http_mpk_sealed.h"
#include "ngx_http_mpk_time.h"

#include "mpk_base64url.h"
#include "mpk_ip.h"


/* The limit that is reached. */
typedef enum {
    NGX_HTTP_MPK_LOOKUP_NONE = 0,
    NGX_HTTP_MPK_LOOKUP_ADDRESS,
    NGX_HTTP_MPK_LOOKUP_ORDER
} ngx_http_mpk_lookup_limit_t;


static ngx_int_t ngx_http_mpk_lookup_address(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, mpk_str_t *address);
static ngx_mpk_redis_cmd_t *ngx_http_mpk_lookup_read(
    ngx_http_mpk_batch_t *batch, mpk_str_t order);
static ngx_int_t ngx_http_mpk_lookup_found(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_lookup_all_found(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_lookup_compare(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_mpk_redis_cmd_t *cmd, mpk_str_t id,
    const u_char email[MPK_MAC_LEN]);
static ngx_int_t ngx_http_mpk_lookup_meant(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_uint_t n);
static void ngx_http_mpk_lookup_forgive_order(ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_lookup_right(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_lookup_wrong(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_http_mpk_lookup_limit_t ngx_http_mpk_lookup_over(
    ngx_http_mpk_ctx_t *ctx, int64_t own);
static ngx_int_t ngx_http_mpk_lookup_refuse(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_lookup_limit_t over);
static ngx_int_t ngx_http_mpk_lookup_failed(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);


/*
 * Reads the counters of wrong lookups together with the order's owner; the rest only
 * after all were checked.
 */

ngx_int_t
ngx_http_mpk_lookup(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_lookup_t *lookup, ngx_http_mpk_next_pt next)
{
    ngx_http_mpk_batch_t  *batch;

    ctx->lookup = lookup;
    lookup->next = next;
    lookup->counted = mpk_number_counted(ctx->order, lookup->name);

    if (ngx_http_mpk_lookup_address(r, ctx, &lookup->address) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    batch = ngx_http_mpk_batch_create(r, ctx, 3);
    if (batch == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_mpk_lookup_again(ctx, batch);

    lookup->filed[0] = ngx_http_mpk_lookup_read(batch, ctx->order);

    return ngx_http_mpk_batch_run(r, ctx, batch, ngx_http_mpk_lookup_found);
}


/* Whose order it is. */

static ngx_mpk_redis_cmd_t *
ngx_http_mpk_lookup_read(ngx_http_mpk_batch_t *batch, mpk_str_t order)
{
    mpk_str_t  argv[4];

    argv[0] = mpk_string("HMGET");
    argv[1] = ngx_http_mpk_key(&batch->mem, order, ":o:", order);
    argv[2] = mpk_order_field(MPK_ORDER_HEAD);
    argv[3] = mpk_order_field(MPK_ORDER_FILED);

    return ngx_http_mpk_batch_add(batch, 4, argv);
}


static ngx_int_t
ngx_http_mpk_lookup_address(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    mpk_str_t *address)
{
    u_char            hash[MPK_MAC_LEN], *p;
    mpk_str_t         counted;
    struct sockaddr  *sa;

    sa = r->connection->sockaddr;

    switch (sa->sa_family) {

#if (NGX_HAVE_INET6)
    case AF_INET6:
        counted = mpk_ip_counted(
                      ((struct sockaddr_in6 *) sa)->sin6_addr.s6_addr);
        break;
#endif

    case AF_INET:
        counted.data = (u_char *) &((struct sockaddr_in *) sa)->sin_addr;
        counted.len = 4;
        break;

    default: /* AF_UNIX: one counter for all */
        counted = mpk_string("");
    }

    /* an address is personal data: Redis gets a keyed hash */

    p = ngx_pnalloc(r->pool, mpk_base64url_encoded_len(16));

    if (p == NULL
        || mpk_lookup_address(ctx->mmcf->crypto, counted, hash) != MPK_OK)
    {
        return NGX_ERROR;
    }

    mpk_base64url_encode(p, hash, 16);

    *address = (mpk_str_t) { mpk_base64url_encoded_len(16), p };

    return NGX_OK;
}


static ngx_int_t
ngx_http_mpk_lookup_found(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_uint_t                    i;
    ngx_http_mpk_batch_t         *batch;
    ngx_http_mpk_limit_t         *limit;
    ngx_http_mpk_lookup_t        *lookup;
    ngx_http_mpk_lookup_limit_t   over;

    lookup = ctx->lookup;
    limit = ctx->mlcf->track_limit;

    if (lookup->batch->failed) {
        return ngx_http_mpk_lookup_failed(r, ctx);
    }

    over = ngx_http_mpk_lookup_over(ctx, 0);
    if (over) {
        return ngx_http_mpk_lookup_refuse(r, ctx, over);
    }

    switch (ngx_http_mpk_lookup_compare(r, ctx, lookup->filed[0], ctx->order,
                                        lookup->email))
    {
    case NGX_OK:
        lookup->right = 1;
        break;

    case NGX_DECLINED:
        break;

    default: /* NGX_ERROR */
        return ngx_http_mpk_lookup_failed(r, ctx);
    }

    if (lookup->right && lookup->joins) {
        return lookup->next(r, ctx);
    }

    batch = ngx_http_mpk_batch_create(r, ctx, 2 + MPK_NUMBER_IDS);
    if (batch == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (lookup->right) {
        ngx_http_mpk_lookup_again(ctx, batch);

        return ngx_http_mpk_batch_run(r, ctx, batch, ngx_http_mpk_lookup_right);
    }

    /* a wrong lookup is counted before it is answered */

    lookup->batch = batch;
    lookup->of_address = ngx_http_mpk_limit_count(batch, lookup->address,
                                                  ":l:a:", lookup->address,
                                                  limit->window);
    lookup->of_order = ngx_http_mpk_limit_count(batch, lookup->counted,
                                                ":l:o:", lookup->counted,
                                                limit->window);

    for (i = 1; lookup->number && i < lookup->number->count; i++) {
        lookup->filed[i] = ngx_http_mpk_lookup_read(batch,
                                                    lookup->number->ids[i]);
    }

    return ngx_http_mpk_batch_run(r, ctx, batch, ngx_http_mpk_lookup_wrong);
}


/*
 * Whether an order that was read has this email: NGX_OK or NGX_DECLINED, as slowly if it
 * does not exist; NGX_ERROR: it could not be read.
 */

static ngx_int_t
ngx_http_mpk_lookup_compare(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_mpk_redis_cmd_t *cmd, mpk_str_t id, const u_char email[MPK_MAC_LEN])
{
    mpk_str_t     fields[2], holds;
    mpk_order_t   order;
    mpk_status_t  status;

    static u_char  nobody[MPK_MAC_LEN];

    if (ngx_http_mpk_reply_fields(cmd->reply, 2, fields) != NGX_OK) {
        return NGX_ERROR;
    }

    holds = (mpk_str_t) { MPK_MAC_LEN, nobody };

    status = mpk_order_read_owner(ctx->mmcf->crypto, &ctx->mem, id, fields[0],
                                  fields[1], &order);
    if (status == MPK_OK) {
        holds = mpk_order_email(&order, ngx_http_mpk_time(ctx->mmcf, id));

    } else if (status != MPK_MISSING) {
        ngx_http_mpk_order_unread(r->connection->log, &order, status);
    }

    return mpk_secret_eq(holds, (mpk_str_t) { MPK_MAC_LEN, email })
           ? NGX_OK : NGX_DECLINED;
}


void
ngx_http_mpk_lookup_again(ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_batch_t *batch)
{
    ngx_http_mpk_lookup_t  *lookup;

    lookup = ctx->lookup;
    lookup->batch = batch;

    lookup->of_address = ngx_http_mpk_limit_read(batch, lookup->address,
                                                 ":l:a:", lookup->address);
    lookup->of_order = ngx_http_mpk_limit_read(batch, lookup->counted, ":l:o:",
                                               lookup->counted);
}


static ngx_int_t
ngx_http_mpk_lookup_right(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_int_t  rc;

    if (ctx->lookup->batch->failed) {
        return ngx_http_mpk_lookup_failed(r, ctx);
    }

    rc = ngx_http_mpk_lookup_limited(r, ctx);

    return rc == NGX_DECLINED ? ctx->lookup->next(r, ctx) : rc;
}


static ngx_int_t
ngx_http_mpk_lookup_wrong(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_uint_t                    i;
    ngx_http_mpk_lookup_t        *lookup;
    ngx_http_mpk_lookup_limit_t   over;

    lookup = ctx->lookup;

    if (lookup->batch->failed) {
        return ngx_http_mpk_lookup_failed(r, ctx);
    }

    over = ngx_http_mpk_lookup_over(ctx, 1);

    if (over != NGX_HTTP_MPK_LOOKUP_NONE) {

        /* one address alone can't close an order to all others */

        if (over == NGX_HTTP_MPK_LOOKUP_ADDRESS) {
            ngx_http_mpk_lookup_forgive_order(ctx);
        }

        return ngx_http_mpk_lookup_refuse(r, ctx, over);
    }

    for (i = 1; lookup->number && i < lookup->number->count; i++) {
        if (ngx_http_mpk_lookup_meant(r, ctx, i) == NGX_ERROR) {
            return ngx_http_mpk_lookup_failed(r, ctx);
        }
    }

    if (lookup->right) {
        ngx_http_mpk_lookup_forgive_order(ctx);
        ngx_http_mpk_limit_forgive(ctx->mmcf, lookup->address, ":l:a:",
                                   lookup->address);
    }

    return lookup->next(r, ctx);
}


static void
ngx_http_mpk_lookup_forgive_order(ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_limit_forgive(ctx->mmcf, ctx->lookup->counted, ":l:o:",
                               ctx->lookup->counted);
}


/* Whether the order's number was meant as its id n. */

static ngx_int_t
ngx_http_mpk_lookup_meant(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_uint_t n)
{
    u_char                  email[MPK_MAC_LEN];
    ngx_int_t               rc;
    mpk_str_t               id;
    ngx_http_mpk_lookup_t  *lookup;

    lookup = ctx->lookup;
    id = lookup->number->ids[n];

    if (mpk_lookup_email(ctx->mmcf->crypto, id, lookup->given_email, email)
        != MPK_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_mpk_lookup_compare(r, ctx, lookup->filed[n], id, email);

    if (rc == NGX_OK && !lookup->right) {
        lookup->right = 1;
        ctx->order = id;
        ngx_memcpy(lookup->email, email, MPK_MAC_LEN);
    }

    return rc;
}


/* Which limit others have reached; own: how many of the count are this lookup's. */

static ngx_http_mpk_lookup_limit_t
ngx_http_mpk_lookup_over(ngx_http_mpk_ctx_t *ctx, int64_t own)
{
    ngx_http_mpk_limit_t   *limit;
    ngx_http_mpk_lookup_t  *lookup;

    lookup = ctx->lookup;
    limit = ctx->mlcf->track_limit;

    if (ngx_http_mpk_limit_value(lookup->of_address) - own
        >= (int64_t) limit->address)
    {
        return NGX_HTTP_MPK_LOOKUP_ADDRESS;
    }

    if (ngx_http_mpk_limit_value(lookup->of_order) - own
        >= (int64_t) limit->order)
    {
        return NGX_HTTP_MPK_LOOKUP_ORDER;
    }

    return NGX_HTTP_MPK_LOOKUP_NONE;
}


ngx_int_t
ngx_http_mpk_lookup_limited(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_lookup_limit_t  over;

    over = ngx_http_mpk_lookup_over(ctx, 0);

    return over ? ngx_http_mpk_lookup_refuse(r, ctx, over) : NGX_DECLINED;
}


static ngx_int_t
ngx_http_mpk_lookup_refuse(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_lookup_limit_t over)
{
    ngx_http_mpk_notice_t  crowd;

    ctx->outcome = NGX_HTTP_MPK_OUTCOME_LIMITED;

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "mpk: too many failed lookups %s, answering 429: see "
                  "mpk_track_limit",
                  over == NGX_HTTP_MPK_LOOKUP_ADDRESS
                  ? "from this address" : "of this order");

    ngx_memzero(&crowd, sizeof(ngx_http_mpk_notice_t));

    crowd.status = NGX_HTTP_TOO_MANY_REQUESTS;
    crowd.page = NGX_HTTP_MPK_PAGE_CROWD;
    crowd.support = 1;
    crowd.retry_after = ctx->mlcf->track_limit->window;

    return ngx_http_mpk_send_notice(r, ctx, &crowd, mpk_string("limited"),
               mpk_string("Too many lookups failed; try again later."),
               mpk_string(""));
}


static ngx_int_t
ngx_http_mpk_lookup_failed(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    return ngx_http_mpk_send_unavailable(r, ctx,
               mpk_string("Orders can't be read right now; send the same "
                          "again in a moment."),
               mpk_string(""));
}


ngx_int_t
ngx_http_mpk_lookup_all(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_lookup_t *lookup, ngx_http_mpk_next_pt next)
{
    ngx_uint_t             i;
    ngx_http_mpk_batch_t  *batch;

    ctx->lookup = lookup;
    lookup->next = next;

    batch = ngx_http_mpk_batch_create(r, ctx, MPK_NUMBER_IDS);
    if (batch == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    lookup->batch = batch;

    for (i = 0; i < lookup->number->count; i++) {
        lookup->filed[i] = ngx_http_mpk_lookup_read(batch,
                                                    lookup->number->ids[i]);
    }

    return ngx_http_mpk_batch_run(r, ctx, batch, ngx_http_mpk_lookup_all_found);
}


static ngx_int_t
ngx_http_mpk_lookup_all_found(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_uint_t              i;
    ngx_http_mpk_lookup_t  *lookup;

    lookup = ctx->lookup;
    lookup->failed = lookup->batch->failed;

    for (i = 0; !lookup->failed && i < lookup->number->count; i++) {
        if (ngx_http_mpk_lookup_meant(r, ctx, i) == NGX_ERROR) {
            lookup->failed = 1;
        }
    }

    return lookup->next(r, ctx);
}
