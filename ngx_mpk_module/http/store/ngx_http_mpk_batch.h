/* Commands that a request sends together and waits for together. */

#ifndef NGX_HTTP_MPK_BATCH_H
#define NGX_HTTP_MPK_BATCH_H

#include "ngx_http_mpk_ctx.h"


/*
 * Has a pool of its own: when the request dies it detaches, and the replies are
 * dropped as they arrive.
 */
struct ngx_http_mpk_batch_s {
    ngx_pool_t                   *pool;
    mpk_mem_t                     mem;
    ngx_http_request_t           *request;         /* NULL: detached */
    ngx_mpk_redis_t              *redis;
    ngx_mpk_redis_cmd_t          *cmds;
    ngx_uint_t                    size;
    ngx_uint_t                    count;
    ngx_uint_t                    waiting;
    uint64_t                      started;         /* us */
    unsigned                      failed:1;        /* a command failed or was refused */
};


/* The request's next one: the commands of the one before were answered, its replies stay. */
ngx_http_mpk_batch_t *ngx_http_mpk_batch_create(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_uint_t size);

/* Sends a command; NULL: batch->failed is set. */
ngx_mpk_redis_cmd_t *ngx_http_mpk_batch_add(ngx_http_mpk_batch_t *batch,
    ngx_uint_t argc, const mpk_str_t *argv);

/* The same for a write that durability= waits for. */
ngx_mpk_redis_cmd_t *ngx_http_mpk_batch_commit(ngx_http_mpk_batch_t *batch,
    ngx_uint_t argc, const mpk_str_t *argv);

/* Calls next when all were answered; it must check batch->failed. */
ngx_int_t ngx_http_mpk_batch_run(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_batch_t *batch,
    ngx_http_mpk_next_pt next);


#endif /* NGX_HTTP_MPK_BATCH_H */
