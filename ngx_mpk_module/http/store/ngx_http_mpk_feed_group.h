/* Consumer groups: their names, and the place in the streams where each began. */

#ifndef NGX_HTTP_MPK_FEED_GROUP_H
#define NGX_HTTP_MPK_FEED_GROUP_H

#include "ngx_http_mpk_stats.h"

#define NGX_HTTP_MPK_GROUP_FROM  20      /* digits, and more */


/* A group as this worker knows it. */
typedef struct {
    u_char                        name[NGX_HTTP_MPK_GROUP_NAME];
    size_t                        len;
    u_char                        from[NGX_HTTP_MPK_GROUP_FROM];   /* ms; 0: all there is */
    size_t                        from_len;        /* 0: not known */
    ngx_msec_t                    read_at;         /* from mpk:meta */
    ngx_msec_t                    used_at;         /* when it had events last, or was made */
    unsigned                      full:1;          /* there are too many groups for it */
} ngx_http_mpk_group_t;


/* 1 to 32 characters of an order's id. */
ngx_uint_t ngx_http_mpk_group_valid(mpk_str_t name);

/* The worker's own record of a group; the one that was not used for longest is forgotten. */
ngx_http_mpk_group_t *ngx_http_mpk_group(mpk_str_t name);

/* Whether mpk:meta is to be read again: it is made of what is known here if it was lost. */
ngx_uint_t ngx_http_mpk_group_old(const ngx_http_mpk_group_t *group);

/*
 * The arguments of a command that reads where the group began or, if it is new, has it
 * begin at from ("start", "now", or ms); its reply is for ngx_http_mpk_group_read().
 */
#define NGX_HTTP_MPK_GROUP_ARGS  8

ngx_uint_t ngx_http_mpk_group_args(const ngx_http_mpk_group_t *group,
    mpk_str_t from, mpk_str_t *argv);

void ngx_http_mpk_group_read(ngx_http_mpk_main_conf_t *mmcf,
    ngx_http_mpk_group_t *group, const ngx_mpk_redis_cmd_t *cmd);


#endif /* NGX_HTTP_MPK_FEED_GROUP_H */
