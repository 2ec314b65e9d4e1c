/* What no request waits for. */

#include "ngx_http_mpk_background.h"

#define NGX_HTTP_MPK_BACKGROUND_POOL  1024    /* bytes */


static void ngx_http_mpk_background_handler(ngx_mpk_redis_cmd_t *cmd);
static void ngx_http_mpk_task_handler(ngx_event_t *ev);


ngx_http_mpk_background_t *
ngx_http_mpk_background(ngx_http_mpk_main_conf_t *mmcf,
    ngx_http_mpk_background_pt handler)
{
    ngx_pool_t                 *pool;
    ngx_http_mpk_background_t  *bg;

    pool = ngx_create_pool(NGX_HTTP_MPK_BACKGROUND_POOL, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    bg = ngx_pcalloc(pool, sizeof(ngx_http_mpk_background_t));
    if (bg == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    ngx_http_mpk_mem_init(&bg->mem, pool);

    bg->mmcf = mmcf;
    bg->handler = handler;
    bg->cmd.pool = pool;
    bg->cmd.background = 1;
    bg->cmd.handler = ngx_http_mpk_background_handler;
    bg->cmd.data = bg;

    return bg;
}


void
ngx_http_mpk_background_send(ngx_http_mpk_background_t *bg, ngx_uint_t argc,
    const mpk_str_t *argv)
{
    /* a truncated key name would address the wrong key */

    if (bg->mem.failed) {
        ngx_destroy_pool(bg->cmd.pool);
        return;
    }

    ngx_mpk_redis_send(bg->mmcf->redis, NGX_MPK_REDIS_READ, &bg->cmd, argc,
                       argv);
}


static void
ngx_http_mpk_background_handler(ngx_mpk_redis_cmd_t *cmd)
{
    ngx_http_mpk_background_t  *bg;

    bg = cmd->data;

    if (bg->handler) {
        bg->handler(bg);
    }

    ngx_destroy_pool(cmd->pool);
}


void
ngx_http_mpk_task_start(ngx_http_mpk_task_t *task, ngx_msec_t delay)
{
    task->ident = -1;

    task->timer.handler = ngx_http_mpk_task_handler;
    task->timer.data = task;
    task->timer.log = ngx_cycle->log;
    task->timer.cancelable = 1;

    ngx_add_timer(&task->timer, delay);
}


void
ngx_http_mpk_task_stop(ngx_http_mpk_task_t *task)
{
    if (task->timer.timer_set) {
        ngx_del_timer(&task->timer);
    }
}


static void
ngx_http_mpk_task_handler(ngx_event_t *ev)
{
    ngx_atomic_uint_t     last;
    ngx_http_mpk_task_t  *task;

    task = ev->data;

    if (ngx_exiting) {
        return;
    }

    ngx_add_timer(ev, task->interval);

    if (task->last == NULL) {
        task->run(task->mmcf);
        return;
    }

    /* the timers of the others may fire a little earlier */

    last = *task->last;

    if (last
        && (ngx_msec_int_t) (ngx_current_msec - (ngx_msec_t) last)
           < (ngx_msec_int_t) (task->interval / 2))
    {
        return;
    }

    if (ngx_atomic_cmp_set(task->last, last, ngx_current_msec | 1)) {
        task->run(task->mmcf);
    }
}
