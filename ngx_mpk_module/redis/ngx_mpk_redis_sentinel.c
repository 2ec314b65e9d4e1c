/*
 * Sentinels, who know the master: asked by a connection of its own, which then listens
 * for failovers, and the next of them whenever the master can't be reached.
 */

#include "ngx_mpk_redis_int.h"


#define NGX_MPK_REDIS_ASK_PAUSE  250     /* ms, between two questions */
#define NGX_MPK_REDIS_PUSH_POOL  1024    /* bytes */


static void ngx_mpk_redis_sentinel_ask_handler(ngx_event_t *ev);
static ngx_int_t ngx_mpk_redis_sentinel_take(ngx_mpk_redis_worker_t *worker,
    mpk_str_t host, mpk_str_t port, ngx_msec_t asked_at);
static mpk_str_t ngx_mpk_redis_sentinel_word(mpk_str_t *text);


ngx_int_t
ngx_mpk_redis_sentinel_init(ngx_mpk_redis_worker_t *worker)
{
    u_char                *p;
    ngx_cycle_t           *cycle;
    ngx_mpk_redis_t       *redis;
    ngx_mpk_redis_node_t  *watch;

    cycle = worker->cycle;
    redis = worker->redis;
    watch = &worker->watch;

    watch->worker = worker;
    watch->greeting = &redis->sentinel;
    watch->addrs = redis->addrs;
    watch->naddrs = redis->naddrs;
    watch->readers = 1;

    watch->name.len = redis->name.len + sizeof("Sentinel of ") - 1;

    p = ngx_pnalloc(cycle->pool, watch->name.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    watch->name.data = p;

    p = ngx_cpymem(p, "Sentinel of ", sizeof("Sentinel of ") - 1);
    ngx_memcpy(p, redis->name.data, redis->name.len);

    worker->push = ngx_create_pool(NGX_MPK_REDIS_PUSH_POOL, cycle->log);
    if (worker->push == NULL) {
        return NGX_ERROR;
    }

    worker->push_mem.alloc = ngx_mpk_redis_alloc;
    worker->push_mem.ctx = worker->push;

    worker->ask.handler = ngx_mpk_redis_sentinel_ask_handler;
    worker->ask.data = worker;
    worker->ask.log = cycle->log;
    worker->ask.cancelable = 1;

    worker->home.addrs = &worker->master;
    worker->home.naddrs = 0;

    if (ngx_mpk_redis_node_init(watch, cycle->pool) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_mpk_redis_node_init(&worker->home, cycle->pool);
}


void
ngx_mpk_redis_sentinel_exit(ngx_mpk_redis_worker_t *worker)
{
    ngx_mpk_redis_node_exit(&worker->watch);

    if (worker->ask.timer_set) {
        ngx_del_timer(&worker->ask);
    }

    if (worker->push) {
        ngx_destroy_pool(worker->push);
        worker->push = NULL;
    }
}


void
ngx_mpk_redis_sentinel_ask(ngx_mpk_redis_worker_t *worker)
{
    ngx_msec_t  delay;

    if (worker->ask.timer_set) {
        return;
    }

    delay = 1;

    if ((ngx_msec_int_t) (ngx_current_msec - worker->asked_at)
        < 4 * NGX_MPK_REDIS_ASK_PAUSE)
    {
        delay = NGX_MPK_REDIS_ASK_PAUSE / 2
                + (ngx_msec_t) ngx_random() % NGX_MPK_REDIS_ASK_PAUSE;
    }

    ngx_add_timer(&worker->ask, delay);
}


/* One that is being asked already will tell; one that listens is asked no more. */
static void
ngx_mpk_redis_sentinel_ask_handler(ngx_event_t *ev)
{
    ngx_mpk_redis_conn_t    *conn;
    ngx_mpk_redis_worker_t  *worker;

    worker = ev->data;
    conn = &worker->watch.conns[0];

    if (ngx_exiting) {
        ngx_mpk_redis_sentinel_settle(worker, 1);
        return;
    }

    if (conn->state != NGX_MPK_REDIS_READY
        && conn->state != NGX_MPK_REDIS_DOWN)
    {
        return;
    }

    worker->asked_at = ngx_current_msec;
    conn->addr = (conn->addr + 1) % worker->watch.naddrs;

    ngx_mpk_redis_move(conn);
}


ngx_uint_t
ngx_mpk_redis_sentinel_doubts(ngx_mpk_redis_conn_t *conn)
{
    ngx_mpk_redis_worker_t  *worker;

    worker = conn->node->worker;

    if (!worker->lost || conn->node != &worker->home
        || (ngx_msec_int_t) (worker->named_at - conn->begun_at) >= 0)
    {
        return 0;
    }

    /* at once: it has answered, and commands wait */

    if (worker->ask.timer_set) {
        ngx_del_timer(&worker->ask);
    }

    ngx_add_timer(&worker->ask, 1);

    return 1;
}


ngx_uint_t
ngx_mpk_redis_sentinel_current(ngx_mpk_redis_conn_t *conn)
{
    ngx_mpk_redis_worker_t  *worker;

    worker = conn->node->worker;

    return conn->redis->kind == NGX_MPK_REDIS_SENTINEL
           && conn->node == &worker->home && worker->home.naddrs
           && ngx_cmp_sockaddr(&conn->sockaddr.sockaddr, conn->peer.socklen,
                               worker->master.sockaddr,
                               worker->master.socklen, 1)
              == NGX_OK;
}


void
ngx_mpk_redis_sentinel_settle(ngx_mpk_redis_worker_t *worker,
    ngx_uint_t silent)
{
    ngx_uint_t             i;
    ngx_mpk_redis_conn_t  *conn, *watch;

    watch = &worker->watch.conns[0];

    for (i = 0; i < worker->home.nconns; i++) {
        conn = &worker->home.conns[i];

        if (conn->state != NGX_MPK_REDIS_DOUBTED) {
            continue;
        }

        /* one that was begun since the last of them was tried waits for the next round */

        if (silent
            && (ngx_exiting
                || (ngx_msec_int_t) (watch->begun_at - conn->begun_at) >= 0))
        {
            ngx_mpk_redis_trust(conn);

        } else if (!ngx_mpk_redis_sentinel_doubts(conn)) {
            ngx_mpk_redis_ready(conn);
        }
    }
}


ngx_int_t
ngx_mpk_redis_sentinel_answer(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply)
{
    if (reply->type == NGX_MPK_REDIS_NIL) {
        ngx_mpk_redis_fail(conn, NGX_LOG_ERR, 0,
                           "it knows no master \"%V\", compare the URL with "
                           "\"sentinel monitor\" in its configuration",
                           &conn->redis->master);
        return NGX_ERROR;
    }

    if (reply->type != NGX_MPK_REDIS_ARRAY || reply->count != 2
        || reply->elements[0].type != NGX_MPK_REDIS_STRING
        || reply->elements[1].type != NGX_MPK_REDIS_STRING
        || ngx_mpk_redis_sentinel_take(conn->node->worker,
                                       reply->elements[0].str,
                                       reply->elements[1].str,
                                       conn->begun_at)
           != NGX_OK)
    {
        ngx_mpk_redis_fail(conn, NGX_LOG_ERR, 0,
                           "the master's address is none: with names in it, "
                           "set \"sentinel announce-hostnames no\"");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* message, +switch-master, "name ip port ip port": the old one, the new one */
void
ngx_mpk_redis_sentinel_told(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply)
{
    mpk_str_t                text, name, host, port;
    ngx_mpk_redis_worker_t  *worker;

    worker = conn->node->worker;

    if (reply->type == NGX_MPK_REDIS_ARRAY && reply->count == 3
        && reply->elements[2].type == NGX_MPK_REDIS_STRING)
    {
        text = reply->elements[2].str;
        name = ngx_mpk_redis_sentinel_word(&text);

        (void) ngx_mpk_redis_sentinel_word(&text);
        (void) ngx_mpk_redis_sentinel_word(&text);

        host = ngx_mpk_redis_sentinel_word(&text);
        port = ngx_mpk_redis_sentinel_word(&text);

        if (mpk_str_eq(name, (mpk_str_t) { conn->redis->master.len,
                                           conn->redis->master.data }))
        {
            (void) ngx_mpk_redis_sentinel_take(worker, host, port,
                                               ngx_current_msec);
        }
    }

    ngx_reset_pool(worker->push);
}


static ngx_int_t
ngx_mpk_redis_sentinel_take(ngx_mpk_redis_worker_t *worker, mpk_str_t host,
    mpk_str_t port, ngx_msec_t asked_at)
{
    ngx_int_t              n;
    ngx_uint_t             i;
    ngx_addr_t             addr;
    ngx_pool_t            *pool;
    ngx_mpk_redis_conn_t  *conn;
    ngx_mpk_redis_node_t  *home;

    home = &worker->home;
    n = ngx_atoi((u_char *) port.data, port.len);

    pool = ngx_create_pool(NGX_MPK_REDIS_PUSH_POOL, worker->cycle->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    if (n < 1 || n > 65535
        || ngx_parse_addr(pool, &addr, (u_char *) host.data, host.len)
           != NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    ngx_inet_set_port(addr.sockaddr, (in_port_t) n);

    worker->named_at = asked_at;

    if (home->naddrs
        && ngx_cmp_sockaddr(addr.sockaddr, addr.socklen,
                            worker->master.sockaddr, worker->master.socklen, 1)
           == NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NGX_OK;
    }

    ngx_memcpy(&worker->master_sockaddr, addr.sockaddr, addr.socklen);
    ngx_destroy_pool(pool);

    worker->master.sockaddr = &worker->master_sockaddr.sockaddr;
    worker->master.socklen = addr.socklen;
    worker->master.name.data = worker->master_text;
    worker->master.name.len = ngx_sock_ntop(worker->master.sockaddr,
                                            worker->master.socklen,
                                            worker->master_text,
                                            NGX_SOCKADDR_STRLEN, 1);

    ngx_log_error(NGX_LOG_NOTICE, worker->cycle->log, 0,
                  "mpk_redis %V: the master is %V", &home->name,
                  &worker->master.name);

    home->naddrs = 1;
    worker->lost = 0;

    /* another Sentinel may not have heard of it yet */

    if (worker->ask.timer_set) {
        ngx_del_timer(&worker->ask);
    }

    for (i = 0; i < home->nconns; i++) {
        conn = &home->conns[i];

        /* a worker that shuts down connects for commands only */

        if (ngx_exiting && conn->pending == 0) {
            ngx_mpk_redis_close(conn);
            continue;
        }

        ngx_mpk_redis_move(conn);
    }

    return NGX_OK;
}


static mpk_str_t
ngx_mpk_redis_sentinel_word(mpk_str_t *text)
{
    size_t     len;
    mpk_str_t  word;

    for (len = 0; len < text->len && text->data[len] != ' '; len++) {
        /* void */
    }

    word.data = text->data;
    word.len = len;

    len += len < text->len ? 1 : 0;

    text->data += len;
    text->len -= len;

    return word;
}
