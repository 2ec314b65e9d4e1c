/* The public functions of the client. */

#include "ngx_mpk_redis_int.h"
#include "ngx_mpk_redis_clock.h"
#include "ngx_mpk_redis_node.h"
#include "ngx_mpk_redis_queue.h"


static ngx_mpk_redis_node_t *ngx_mpk_redis_next_node(ngx_mpk_redis_t *redis,
    ngx_mpk_redis_node_t *node);


void
ngx_mpk_redis_resolver(ngx_mpk_redis_t *redis, ngx_resolver_t *resolver,
    ngx_msec_t timeout)
{
    redis->resolver = resolver;
    redis->resolver_timeout = timeout;
}


void
ngx_mpk_redis_stats(ngx_mpk_redis_t *redis, ngx_mpk_redis_stats_t *stats)
{
    redis->stats = stats;
}


ngx_int_t
ngx_mpk_redis_init_worker(ngx_mpk_redis_t *redis, ngx_cycle_t *cycle)
{
    ngx_mpk_redis_worker_t  *worker;

    worker = ngx_pcalloc(cycle->pool, sizeof(ngx_mpk_redis_worker_t));
    if (worker == NULL) {
        return NGX_ERROR;
    }

    worker->redis = redis;
    worker->cycle = cycle;

    ngx_queue_init(&worker->finished);
    worker->finish.handler = ngx_mpk_redis_finish_handler;
    worker->finish.data = worker;
    worker->finish.log = cycle->log;

    worker->node.worker = worker;
    worker->node.name = redis->name;
    worker->node.setup = &redis->setup;
    worker->node.addrs = redis->addrs;
    worker->node.naddrs = redis->naddrs;
    worker->node.readers = redis->connections;
    worker->node.durable = ngx_mpk_redis_durable(redis);

    redis->worker = worker;

    return redis->topology->start(worker);
}


void
ngx_mpk_redis_exit_worker(ngx_mpk_redis_t *redis)
{
    ngx_mpk_redis_worker_t  *worker;

    worker = redis->worker;

    if (worker == NULL) {
        return;
    }

    ngx_mpk_redis_node_exit(&worker->node);

    if (worker->topology) {
        redis->topology->stop(worker);
    }

    if (worker->finish.posted) {
        ngx_delete_posted_event(&worker->finish);
    }

    redis->worker = NULL;
}


void
ngx_mpk_redis_send(ngx_mpk_redis_t *redis, ngx_mpk_redis_lane_t lane,
    ngx_mpk_redis_cmd_t *cmd, ngx_uint_t argc, const mpk_str_t *argv)
{
    ngx_mpk_redis_worker_t  *worker;

    worker = redis->worker;

    cmd->error = NGX_MPK_REDIS_ERR_OTHER;
    cmd->reply = NULL;
    cmd->lane = lane;
    cmd->internal = 0;

    if (ngx_mpk_redis_cmd_format(cmd, argc, argv) != NGX_OK) {
        ngx_mpk_redis_cmd_finish(worker, cmd, NGX_MPK_REDIS_FAILED);
        return;
    }

    if (redis->topology->send) {
        redis->topology->send(worker, cmd, argc, argv);
        return;
    }

    ngx_mpk_redis_node_send(&worker->node, cmd);
}


int64_t
ngx_mpk_redis_time(ngx_mpk_redis_t *redis, mpk_str_t key)
{
    ngx_mpk_redis_node_t  *node;

    if (redis->worker == NULL) {
        return 0;
    }

    node = redis->topology->find_node
           ? redis->topology->find_node(redis->worker, key)
           : &redis->worker->node;

    return node ? ngx_mpk_redis_clock_now(node) : 0;
}


ngx_uint_t
ngx_mpk_redis_nodes(ngx_mpk_redis_t *redis, ngx_mpk_redis_node_info_t *info,
    ngx_uint_t max)
{
    ngx_uint_t             n;
    ngx_mpk_redis_node_t  *node;

    n = 0;

    for (node = ngx_mpk_redis_next_node(redis, NULL);
         node && n < max;
         node = ngx_mpk_redis_next_node(redis, node))
    {
        ngx_mpk_redis_node_info(node, &info[n++]);
    }

    return n;
}


ngx_uint_t
ngx_mpk_redis_writable(ngx_mpk_redis_t *redis)
{
    ngx_mpk_redis_node_t  *node;

    node = ngx_mpk_redis_next_node(redis, NULL);

    if (node == NULL && redis->worker) {

        /* a cluster whose slot map is not loaded yet: its seeds */

        return ngx_mpk_redis_node_writable(&redis->worker->node);
    }

    for ( /* void */ ; node; node = ngx_mpk_redis_next_node(redis, node)) {
        if (ngx_mpk_redis_node_writable(node)) {
            return 1;
        }
    }

    return 0;
}


/* The next node that commands are sent to: NULL is before the first and after the last. */

static ngx_mpk_redis_node_t *
ngx_mpk_redis_next_node(ngx_mpk_redis_t *redis, ngx_mpk_redis_node_t *node)
{
    if (redis->worker == NULL) {
        return NULL;
    }

    if (redis->topology->next_node) {
        return redis->topology->next_node(redis->worker, node);
    }

    return node ? NULL : &redis->worker->node;
}
