/* The life of a worker. */

#include "ngx_http_mpk_worker.h"
#include "ngx_http_mpk_edges.h"
#include "ngx_http_mpk_feed_lag.h"
#include "ngx_http_mpk_outbox.h"
#include "ngx_http_mpk_stats_zone.h"
#include "ngx_http_mpk_worklists.h"


ngx_int_t
ngx_http_mpk_init_process(ngx_cycle_t *cycle)
{
    ngx_http_mpk_main_conf_t  *mmcf;

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    mmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_mpk_module);

    if (mmcf == NULL || mmcf->redis == NULL || mmcf->keyring == NULL
        || mmcf->crypto)
    {
        return NGX_OK;
    }

    mmcf->crypto = mpk_crypto_create(mmcf->keyring);
    if (mmcf->crypto == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "mpk: OpenSSL could not allocate its contexts: the worker can't "
                      "start");
        return NGX_ERROR;
    }

    ngx_http_mpk_stats_init_worker(mmcf);
    ngx_http_mpk_outbox_init_worker(mmcf);
    ngx_http_mpk_worklists_init_worker(mmcf);
    ngx_http_mpk_lag_init_worker(mmcf);
    ngx_http_mpk_edges_init_worker(mmcf);

    return ngx_mpk_redis_init_worker(mmcf->redis, cycle);
}


void
ngx_http_mpk_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_mpk_main_conf_t  *mmcf;

    mmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_mpk_module);

    if (mmcf == NULL || mmcf->crypto == NULL) {
        return;
    }

    ngx_http_mpk_stats_exit_worker();
    ngx_http_mpk_outbox_exit_worker();
    ngx_http_mpk_worklists_exit_worker();
    ngx_http_mpk_lag_exit_worker();
    ngx_http_mpk_edges_exit_worker();
    ngx_mpk_redis_exit_worker(mmcf->redis);
    mpk_crypto_free(mmcf->crypto);
}
