/*
 * The shared memory of the counters, and what each worker reports there of Redis: once
 * a second, so that any worker can answer for all.
 */

#include "ngx_http_mpk_stats_zone.h"

#define NGX_HTTP_MPK_ZONE_SIZE    (256 * 1024)
#define NGX_HTTP_MPK_ZONE_CPU     (8 * 1024)   /* bytes a CPU: a slot and a reserve */
#define NGX_HTTP_MPK_SLOTS_MAX    1024         /* NGX_MAX_PROCESSES */
#define NGX_HTTP_MPK_FIRST        100          /* ms until a worker's first report */
#define NGX_HTTP_MPK_INTERVAL     1000         /* ms between two of them */
#define NGX_HTTP_MPK_STALE        5000         /* ms until a report is ignored */


static ngx_int_t ngx_http_mpk_stats_zone_init(ngx_shm_zone_t *zone, void *data);
static void ngx_http_mpk_stats_zone_actors(ngx_array_t *actors,
    ngx_http_mpk_shm_t *shm);
static ngx_int_t ngx_http_mpk_stats_zone_make(ngx_shm_zone_t *zone,
    ngx_http_mpk_shm_t **shm);
static void ngx_http_mpk_stats_timer_handler(ngx_event_t *ev);
static void ngx_http_mpk_stats_publish(ngx_http_mpk_main_conf_t *mmcf);
static ngx_int_t ngx_http_mpk_stats_slot(ngx_http_mpk_slot_t *slot,
    ngx_http_mpk_slot_t *copy);
static ngx_int_t ngx_http_mpk_stats_view_node(ngx_pool_t *pool,
    ngx_http_mpk_view_t *view, ngx_http_mpk_node_t *node);


_Static_assert(sizeof(ngx_http_mpk_shm_t)
               <= NGX_HTTP_MPK_ZONE_MIN - 2 * NGX_HTTP_MPK_ZONE_CPU,
               "the smallest zone has room for all counters");

static ngx_event_t       ngx_http_mpk_stats_timer;
static ngx_connection_t  ngx_http_mpk_stats_dumb;


ngx_int_t
ngx_http_mpk_stats_zone(ngx_conf_t *cf)
{
    size_t                     size;
    ngx_shm_zone_t            *zone;
    ngx_http_mpk_main_conf_t  *mmcf;

    static ngx_str_t  name = ngx_string("ngx_http_mpk_module");

    mmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mpk_module);

    if (mmcf->locations.nelts == 0) {
        return NGX_OK;
    }

    size = mmcf->zone_size;

    if (size == 0) {
        size = ngx_max(NGX_HTTP_MPK_ZONE_SIZE,
                       NGX_HTTP_MPK_ZONE_MIN
                       + ngx_ncpu * NGX_HTTP_MPK_ZONE_CPU);
    }

    zone = ngx_shared_memory_add(cf, &name, size, &ngx_http_mpk_module);
    if (zone == NULL) {
        return NGX_ERROR;
    }

    mmcf->cycle = cf->cycle;

    zone->init = ngx_http_mpk_stats_zone_init;
    zone->data = mmcf;

    return NGX_OK;
}


static ngx_int_t
ngx_http_mpk_stats_zone_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_core_conf_t           *ccf;
    ngx_slab_pool_t           *pool;
    ngx_http_mpk_shm_t        *shm;
    ngx_http_mpk_main_conf_t  *mmcf;

    mmcf = zone->data;
    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (data || zone->shm.exists) {
        shm = pool->data;

    } else if (ngx_http_mpk_stats_zone_make(zone, &shm) != NGX_OK) {
        return NGX_ERROR;
    }

    /* worker_processes is known only now */

    ccf = (ngx_core_conf_t *) ngx_get_conf(mmcf->cycle->conf_ctx,
                                           ngx_core_module);

    if ((ngx_uint_t) ccf->worker_processes > shm->slots_count) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                      "\"mpk_zone\" of %uzk has room for %ui workers, but "
                      "\"worker_processes\" is %i: set \"mpk_zone %uzk;\"",
                      zone->shm.size / 1024, shm->slots_count,
                      ccf->worker_processes,
                      (NGX_HTTP_MPK_ZONE_MIN
                       + ccf->worker_processes * NGX_HTTP_MPK_ZONE_CPU) / 1024);
        return NGX_ERROR;
    }

    ngx_http_mpk_stats_zone_actors(&mmcf->actors, shm);

    mmcf->shm = shm;

    return NGX_OK;
}


/* Gives each API token a counter, once; workers of the configuration before only read them. */

static void
ngx_http_mpk_stats_zone_actors(ngx_array_t *actors, ngx_http_mpk_shm_t *shm)
{
    mpk_str_t             *name;
    ngx_uint_t             i, n;
    ngx_http_mpk_actor_t  *actor;

    name = actors->elts;

    for (i = 0; i < actors->nelts; i++) {

        for (n = 0; n < NGX_HTTP_MPK_ACTORS; n++) {
            actor = &shm->actors[n];

            if (actor->len == 0) {
                ngx_memcpy(actor->name, name[i].data, name[i].len);
                ngx_memory_barrier();
                actor->len = name[i].len;
                break;
            }

            if (mpk_str_eq(name[i], (mpk_str_t) { actor->len, actor->name })) {
                break;
            }
        }
    }
}


static ngx_int_t
ngx_http_mpk_stats_zone_make(ngx_shm_zone_t *zone, ngx_http_mpk_shm_t **shm)
{
    size_t            size, n;
    ngx_slab_pool_t  *pool;

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    pool->log_nomem = 0;

    size = pool->pfree * ngx_pagesize;
    n = 0;

    if (size > sizeof(ngx_http_mpk_shm_t)) {
        n = 1 + (size - sizeof(ngx_http_mpk_shm_t))
                / sizeof(ngx_http_mpk_slot_t);
        n = ngx_min(n, NGX_HTTP_MPK_SLOTS_MAX);
    }

    *shm = n ? ngx_slab_calloc(pool, sizeof(ngx_http_mpk_shm_t)
                                     + (n - 1) * sizeof(ngx_http_mpk_slot_t))
             : NULL;

    if (*shm == NULL) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                      "\"mpk_zone\" of %uzk is too small for the counters: use "
                      "256k or more", zone->shm.size / 1024);
        return NGX_ERROR;
    }

    (*shm)->slots_count = n;

    pool->data = *shm;

    return NGX_OK;
}


void
ngx_http_mpk_stats_init_worker(ngx_http_mpk_main_conf_t *mmcf)
{
    ngx_event_t  *ev;

    if (mmcf->shm == NULL) {
        return;
    }

    ngx_mpk_redis_stats(mmcf->redis, &mmcf->shm->redis);

    ev = &ngx_http_mpk_stats_timer;

    if (ev->timer_set) {
        return;
    }

    ngx_http_mpk_stats_dumb.fd = (ngx_socket_t) -1;

    ev->handler = ngx_http_mpk_stats_timer_handler;
    ev->data = &ngx_http_mpk_stats_dumb;
    ev->log = ngx_cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, NGX_HTTP_MPK_FIRST);
}


void
ngx_http_mpk_stats_exit_worker(void)
{
    if (ngx_http_mpk_stats_timer.timer_set) {
        ngx_del_timer(&ngx_http_mpk_stats_timer);
    }
}


static void
ngx_http_mpk_stats_timer_handler(ngx_event_t *ev)
{
    ngx_http_mpk_main_conf_t  *mmcf;

    if (ngx_exiting) {
        return;
    }

    mmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle, ngx_http_mpk_module);

    if (mmcf && mmcf->shm) {
        ngx_http_mpk_stats_publish(mmcf);
    }

    ev->log = ngx_cycle->log;

    ngx_add_timer(ev, NGX_HTTP_MPK_INTERVAL);
}


static void
ngx_http_mpk_stats_publish(ngx_http_mpk_main_conf_t *mmcf)
{
    size_t                      len;
    ngx_uint_t                  i, n;
    ngx_http_mpk_node_t        *node;
    ngx_http_mpk_slot_t        *slot;
    ngx_mpk_redis_node_info_t   info[NGX_HTTP_MPK_NODES];

    /* a worker that is shutting down must not overwrite its successor's slot */

    if (ngx_exiting || ngx_worker >= mmcf->shm->slots_count) {
        return;
    }

    slot = &mmcf->shm->slots[ngx_worker];

    n = ngx_mpk_redis_nodes(mmcf->redis, info, NGX_HTTP_MPK_NODES);

    slot->version |= 1;
    ngx_memory_barrier();

    slot->pid = ngx_pid;
    slot->at = ngx_current_msec;
    slot->writable = ngx_mpk_redis_writable(mmcf->redis);
    slot->pending = 0;

    for (i = 0; i < n; i++) {
        node = &slot->nodes[i];
        len = ngx_min(info[i].name.len, NGX_HTTP_MPK_NODE_NAME);

        ngx_memcpy(node->name, info[i].name.data, len);

        node->len = (uint16_t) len;
        node->pending = (uint32_t) info[i].pending;
        node->ready = info[i].ready;
        node->durable = info[i].durable;
        node->evicts = info[i].evicts;
        node->skew = info[i].skew;

        slot->pending += info[i].pending;
    }

    slot->nodes_count = n;

    ngx_memory_barrier();
    slot->version++;
}


ngx_int_t
ngx_http_mpk_stats_view(ngx_http_mpk_main_conf_t *mmcf, ngx_pool_t *pool,
    ngx_http_mpk_view_t *view)
{
    ngx_uint_t                   i, n;
    ngx_http_mpk_slot_t         *slot;
    ngx_http_mpk_worker_view_t  *worker;

    ngx_memzero(view, sizeof(ngx_http_mpk_view_t));

    slot = ngx_palloc(pool, sizeof(ngx_http_mpk_slot_t));

    if (slot == NULL
        || ngx_array_init(&view->workers, pool, 8,
                          sizeof(ngx_http_mpk_worker_view_t))
           != NGX_OK
        || ngx_array_init(&view->nodes, pool, 8,
                          sizeof(ngx_http_mpk_node_view_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_mpk_stats_publish(mmcf);

    view->ready = ngx_mpk_redis_writable(mmcf->redis);

    for (i = 0; i < mmcf->shm->slots_count; i++) {

        if (ngx_http_mpk_stats_slot(&mmcf->shm->slots[i], slot) != NGX_OK) {
            continue;
        }

        worker = ngx_array_push(&view->workers);
        if (worker == NULL) {
            return NGX_ERROR;
        }

        worker->worker = i;
        worker->pending = slot->pending;
        worker->writable = slot->writable;

        view->writable += slot->writable;

        for (n = 0; n < slot->nodes_count; n++) {
            if (ngx_http_mpk_stats_view_node(pool, view, &slot->nodes[n])
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


/* Copies a slot; NGX_DECLINED: unused, stale, a dead worker's, or being written. */

static ngx_int_t
ngx_http_mpk_stats_slot(ngx_http_mpk_slot_t *slot, ngx_http_mpk_slot_t *copy)
{
    ngx_atomic_uint_t  version;

    if (slot->pid == 0) {
        return NGX_DECLINED;
    }

    version = slot->version;
    ngx_memory_barrier();

    ngx_memcpy(copy, slot, sizeof(ngx_http_mpk_slot_t));

    ngx_memory_barrier();

    if ((version & 1) || slot->version != version
        || (ngx_msec_int_t) (ngx_current_msec - copy->at) > NGX_HTTP_MPK_STALE
        || (kill(copy->pid, 0) == -1 && ngx_errno == NGX_ESRCH))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_mpk_stats_view_node(ngx_pool_t *pool, ngx_http_mpk_view_t *view,
    ngx_http_mpk_node_t *node)
{
    ngx_uint_t                 i;
    ngx_http_mpk_node_view_t  *v;

    v = view->nodes.elts;

    for (i = 0; i < view->nodes.nelts; i++) {
        if (v[i].name.len == node->len
            && ngx_memcmp(v[i].name.data, node->name, node->len) == 0)
        {
            v = &v[i];
            goto found;
        }
    }

    v = ngx_array_push(&view->nodes);
    if (v == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(v, sizeof(ngx_http_mpk_node_view_t));

    v->name.len = node->len;
    v->name.data = ngx_pnalloc(pool, node->len + 1);
    if (v->name.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(v->name.data, node->name, node->len);

found:

    v->ready += node->ready;
    v->durable += node->durable;
    v->evicts += node->evicts;

    if (ngx_abs(node->skew) > ngx_abs(v->skew)) {
        v->skew = node->skew;
    }

    return NGX_OK;
}
