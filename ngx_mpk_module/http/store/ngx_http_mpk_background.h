/* What no request waits for: commands of their own, and tasks that an edge repeats. */

#ifndef NGX_HTTP_MPK_BACKGROUND_H
#define NGX_HTTP_MPK_BACKGROUND_H

#include "ngx_http_mpk.h"


typedef struct ngx_http_mpk_background_s  ngx_http_mpk_background_t;

typedef void (*ngx_http_mpk_background_pt)(ngx_http_mpk_background_t *bg);

/* A command; its arguments can be made in mem. */
struct ngx_http_mpk_background_s {
    ngx_mpk_redis_cmd_t          cmd;
    mpk_mem_t                    mem;
    ngx_http_mpk_main_conf_t    *mmcf;
    ngx_http_mpk_background_pt   handler;
    ngx_uint_t                   number;          /* the caller's */
    ngx_uint_t                   version;         /* the caller's */
};

/* handler: may be NULL; what it is called with is freed after it.  NULL: no memory. */
ngx_http_mpk_background_t *ngx_http_mpk_background(
    ngx_http_mpk_main_conf_t *mmcf, ngx_http_mpk_background_pt handler);
void ngx_http_mpk_background_send(ngx_http_mpk_background_t *bg,
    ngx_uint_t argc, const mpk_str_t *argv);


/* A task that is run once in each interval; with last, by whichever worker comes first. */
typedef struct {
    void                       (*run)(ngx_http_mpk_main_conf_t *mmcf);
    ngx_msec_t                   interval;
    ngx_atomic_t                *last;            /* shared: ngx_current_msec of the last run;
                                                     NULL: this worker runs it */

    /* event ident must be after 3 pointers as in ngx_connection_t */
    ngx_int_t                    ident;

    ngx_http_mpk_main_conf_t    *mmcf;
    ngx_event_t                  timer;
} ngx_http_mpk_task_t;

/* In a worker; the caller has set run, interval, last and mmcf. */
void ngx_http_mpk_task_start(ngx_http_mpk_task_t *task, ngx_msec_t delay);
void ngx_http_mpk_task_stop(ngx_http_mpk_task_t *task);


#endif /* NGX_HTTP_MPK_BACKGROUND_H */
