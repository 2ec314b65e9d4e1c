/*
 * A master that Sentinels name.  One connection of each worker queries a Sentinel for the
 * master and stays subscribed to +switch-master; whenever the master is lost, the
 * connection moves on to the next Sentinel.
 */

#include "ngx_mpk_redis_sentinel.h"
#include "ngx_mpk_redis_conn.h"
#include "ngx_mpk_redis_log.h"
#include "ngx_mpk_redis_node.h"
#include "ngx_mpk_redis_queue.h"


#define NGX_MPK_REDIS_QUERY_PAUSE    250     /* ms between two queries */
#define NGX_MPK_REDIS_MESSAGES_POOL  1024    /* bytes */


/* worker->node is the master. */

typedef struct {
    ngx_mpk_redis_node_t   subscriber;    /* its addresses are the Sentinels */

    ngx_event_t            query;
    ngx_msec_t             queried_at;
    ngx_msec_t             named_at;      /* when the query that named the master was begun */
    unsigned               lost:1;        /* a connection to the master was lost since */

    ngx_addr_t             master;
    ngx_sockaddr_t         sockaddr;
    u_char                 text[NGX_SOCKADDR_STRLEN];
} ngx_mpk_redis_sentinel_t;


static void ngx_mpk_redis_sentinel_query_handler(ngx_event_t *ev);
static ngx_uint_t ngx_mpk_redis_sentinel_is_master(ngx_mpk_redis_conn_t *conn);
static void ngx_mpk_redis_sentinel_resolve_pending(
    ngx_mpk_redis_worker_t *worker, ngx_uint_t unreachable);
static ngx_int_t ngx_mpk_redis_sentinel_set_master(
    ngx_mpk_redis_worker_t *worker, mpk_str_t host, mpk_str_t port,
    ngx_msec_t queried_at);
static mpk_str_t ngx_mpk_redis_sentinel_word(mpk_str_t *text);


ngx_int_t
ngx_mpk_redis_sentinel_start(ngx_mpk_redis_worker_t *worker)
{
    u_char                    *p;
    ngx_cycle_t               *cycle;
    ngx_mpk_redis_t           *redis;
    ngx_mpk_redis_node_t      *node;
    ngx_mpk_redis_sentinel_t  *sentinel;

    cycle = worker->cycle;
    redis = worker->redis;

    sentinel = ngx_pcalloc(cycle->pool, sizeof(ngx_mpk_redis_sentinel_t));
    if (sentinel == NULL) {
        return NGX_ERROR;
    }

    worker->topology = sentinel;

    node = &sentinel->subscriber;

    node->worker = worker;
    node->setup = &redis->sentinel_setup;
    node->addrs = redis->addrs;
    node->naddrs = redis->naddrs;
    node->readers = 1;

    node->name.len = sizeof("Sentinel of ") - 1 + redis->name.len;

    p = ngx_pnalloc(cycle->pool, node->name.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    node->name.data = p;

    p = ngx_cpymem(p, "Sentinel of ", sizeof("Sentinel of ") - 1);
    ngx_memcpy(p, redis->name.data, redis->name.len);

    node->messages = ngx_create_pool(NGX_MPK_REDIS_MESSAGES_POOL, cycle->log);
    if (node->messages == NULL) {
        return NGX_ERROR;
    }

    node->messages_mem.alloc = ngx_mpk_redis_alloc;
    node->messages_mem.ctx = node->messages;

    sentinel->query.handler = ngx_mpk_redis_sentinel_query_handler;
    sentinel->query.data = worker;
    sentinel->query.log = cycle->log;
    sentinel->query.cancelable = 1;

    /* no address until a Sentinel names the master */

    worker->node.addrs = &sentinel->master;
    worker->node.naddrs = 0;

    if (ngx_mpk_redis_node_init(node, cycle->pool) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_mpk_redis_node_init(&worker->node, cycle->pool);
}


void
ngx_mpk_redis_sentinel_stop(ngx_mpk_redis_worker_t *worker)
{
    ngx_mpk_redis_sentinel_t  *sentinel;

    sentinel = worker->topology;

    ngx_mpk_redis_node_exit(&sentinel->subscriber);

    if (sentinel->query.timer_set) {
        ngx_del_timer(&sentinel->query);
    }

    if (sentinel->subscriber.messages) {
        ngx_destroy_pool(sentinel->subscriber.messages);
        sentinel->subscriber.messages = NULL;
    }
}


void
ngx_mpk_redis_sentinel_node_name(ngx_mpk_redis_node_t *node, ngx_str_t *name)
{
    *name = node->naddrs ? node->addrs[0].name : node->worker->redis->master;
}


/* Queries the next Sentinel, soon. */

void
ngx_mpk_redis_sentinel_query(ngx_mpk_redis_worker_t *worker)
{
    ngx_msec_t                 delay;
    ngx_mpk_redis_sentinel_t  *sentinel;

    sentinel = worker->topology;

    if (sentinel->query.timer_set) {
        return;
    }

    delay = 1;

    if ((ngx_msec_int_t) (ngx_current_msec - sentinel->queried_at)
        < 4 * NGX_MPK_REDIS_QUERY_PAUSE)
    {
        delay = NGX_MPK_REDIS_QUERY_PAUSE / 2
                + (ngx_msec_t) ngx_random() % NGX_MPK_REDIS_QUERY_PAUSE;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_CORE, worker->cycle->log, 0,
                   "mpk redis sentinel query: %V, in %M ms",
                   &worker->redis->name, delay);

    ngx_add_timer(&sentinel->query, delay);
}


/* A query in progress will do; a subscribed connection can't query, it moves on. */

static void
ngx_mpk_redis_sentinel_query_handler(ngx_event_t *ev)
{
    ngx_mpk_redis_conn_t      *conn;
    ngx_mpk_redis_worker_t    *worker;
    ngx_mpk_redis_sentinel_t  *sentinel;

    worker = ev->data;
    sentinel = worker->topology;
    conn = &sentinel->subscriber.conns[0];

    if (ngx_exiting) {
        ngx_mpk_redis_sentinel_resolve_pending(worker, 1);
        return;
    }

    if (conn->state != NGX_MPK_REDIS_READY
        && conn->state != NGX_MPK_REDIS_DOWN)
    {
        return;
    }

    sentinel->queried_at = ngx_current_msec;
    conn->addr = (conn->addr + 1) % sentinel->subscriber.naddrs;

    ngx_mpk_redis_conn_move(conn);
}


/*
 * A master that was lost and is back, while its replica is being promoted, still replies
 * as a master.  Its connections need a Sentinel that named it after they were begun.
 */
ngx_uint_t
ngx_mpk_redis_sentinel_needs_confirmation(ngx_mpk_redis_conn_t *conn)
{
    ngx_mpk_redis_worker_t    *worker;
    ngx_mpk_redis_sentinel_t  *sentinel;

    worker = conn->node->worker;
    sentinel = worker->topology;

    if (!sentinel->lost || conn->node != &worker->node
        || (ngx_msec_int_t) (sentinel->named_at - conn->connect_at) >= 0)
    {
        return 0;
    }

    /* at once: the server has replied, and commands wait */

    if (sentinel->query.timer_set) {
        ngx_del_timer(&sentinel->query);
    }

    ngx_add_timer(&sentinel->query, 1);

    return 1;
}


/* Whether the connection is one to the master that was named last. */

static ngx_uint_t
ngx_mpk_redis_sentinel_is_master(ngx_mpk_redis_conn_t *conn)
{
    ngx_mpk_redis_node_t  *node;

    node = conn->node;

    return node == &node->worker->node && node->naddrs
           && ngx_cmp_sockaddr(&conn->sockaddr.sockaddr, conn->peer.socklen,
                               node->addrs[0].sockaddr, node->addrs[0].socklen,
                               1)
              == NGX_OK;
}


void
ngx_mpk_redis_sentinel_on_ready(ngx_mpk_redis_conn_t *conn)
{
    ngx_mpk_redis_sentinel_t  *sentinel;

    sentinel = conn->node->worker->topology;

    if (conn->node == &sentinel->subscriber) {
        ngx_mpk_redis_sentinel_resolve_pending(conn->node->worker, 0);
    }
}


void
ngx_mpk_redis_sentinel_on_timeout(ngx_mpk_redis_conn_t *conn)
{
    if (ngx_mpk_redis_sentinel_is_master(conn)) {
        ngx_mpk_redis_node_reconnect(conn->node, conn);
    }
}


void
ngx_mpk_redis_sentinel_on_lost(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_state_t state)
{
    ngx_mpk_redis_worker_t    *worker;
    ngx_mpk_redis_sentinel_t  *sentinel;

    worker = conn->node->worker;
    sentinel = worker->topology;

    if (conn->node == &sentinel->subscriber) {

        if (state < NGX_MPK_REDIS_READY) {
            ngx_mpk_redis_sentinel_resolve_pending(worker, 1);
        }

        return;
    }

    if (!ngx_exiting && ngx_mpk_redis_sentinel_is_master(conn)) {
        sentinel->lost = 1;
        ngx_mpk_redis_sentinel_query(worker);
    }
}


/*
 * A Sentinel has named the master, or, with unreachable, none of them could be reached:
 * UNCONFIRMED connections become ready.
 */
static void
ngx_mpk_redis_sentinel_resolve_pending(ngx_mpk_redis_worker_t *worker,
    ngx_uint_t unreachable)
{
    ngx_uint_t                 i;
    ngx_mpk_redis_conn_t      *conn, *subscriber;
    ngx_mpk_redis_sentinel_t  *sentinel;

    sentinel = worker->topology;
    subscriber = &sentinel->subscriber.conns[0];

    for (i = 0; i < worker->node.nconns; i++) {
        conn = &worker->node.conns[i];

        if (conn->state != NGX_MPK_REDIS_UNCONFIRMED) {
            continue;
        }

        /* a connection begun after the last Sentinel was tried waits for the next round */

        if (unreachable
            && (ngx_exiting
                || (ngx_msec_int_t) (subscriber->connect_at - conn->connect_at)
                   >= 0))
        {
            ngx_mpk_redis_conn_accept_unconfirmed(conn);

        } else if (!ngx_mpk_redis_sentinel_needs_confirmation(conn)) {
            ngx_mpk_redis_conn_ready(conn);
        }
    }
}


ngx_int_t
ngx_mpk_redis_sentinel_on_master(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply)
{
    if (reply->type == NGX_MPK_REDIS_NIL) {
        return ngx_mpk_redis_log_failure(conn,
                                         "Sentinel does not know master "
                                         "\"%V\", compare the URL with "
                                         "\"sentinel monitor\" in its "
                                         "configuration",
                                         &conn->redis->master);
    }

    if (reply->type != NGX_MPK_REDIS_ARRAY || reply->count != 2
        || reply->elements[0].type != NGX_MPK_REDIS_STRING
        || reply->elements[1].type != NGX_MPK_REDIS_STRING
        || ngx_mpk_redis_sentinel_set_master(conn->node->worker,
                                             reply->elements[0].str,
                                             reply->elements[1].str,
                                             conn->connect_at)
           != NGX_OK)
    {
        return ngx_mpk_redis_log_failure(conn,
                                         "Sentinel replied with no IP address "
                                         "and port of the master; if it names "
                                         "hosts, set \"sentinel "
                                         "announce-hostnames no\"");
    }

    return NGX_OK;
}


/* message, +switch-master, "name ip port ip port": the old master, the new one */

void
ngx_mpk_redis_sentinel_on_message(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply)
{
    mpk_str_t  text, name, host, port;

    ngx_mpk_assert(conn->node->messages != NULL);

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
            (void) ngx_mpk_redis_sentinel_set_master(conn->node->worker, host,
                                                     port, ngx_current_msec);
        }
    }

    ngx_reset_pool(conn->node->messages);
}


/* NGX_ERROR: no address, or no memory.  A changed address moves all connections to it. */

static ngx_int_t
ngx_mpk_redis_sentinel_set_master(ngx_mpk_redis_worker_t *worker,
    mpk_str_t host, mpk_str_t port, ngx_msec_t queried_at)
{
    ngx_int_t                  n;
    ngx_uint_t                 i;
    ngx_addr_t                 addr, *master;
    ngx_pool_t                *pool;
    ngx_mpk_redis_conn_t      *conn;
    ngx_mpk_redis_node_t      *node;
    ngx_mpk_redis_sentinel_t  *sentinel;

    node = &worker->node;
    sentinel = worker->topology;
    master = &sentinel->master;

    n = ngx_atoi((u_char *) port.data, port.len);

    pool = ngx_create_pool(NGX_MPK_REDIS_MESSAGES_POOL, worker->cycle->log);
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

    sentinel->named_at = queried_at;

    if (node->naddrs
        && ngx_cmp_sockaddr(addr.sockaddr, addr.socklen, master->sockaddr,
                            master->socklen, 1)
           == NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NGX_OK;
    }

    ngx_memcpy(&sentinel->sockaddr, addr.sockaddr, addr.socklen);
    ngx_destroy_pool(pool);

    master->sockaddr = &sentinel->sockaddr.sockaddr;
    master->socklen = addr.socklen;
    master->name.data = sentinel->text;
    master->name.len = ngx_sock_ntop(master->sockaddr, master->socklen,
                                     sentinel->text, NGX_SOCKADDR_STRLEN, 1);

    ngx_log_error(NGX_LOG_NOTICE, worker->cycle->log, 0,
                  "mpk_redis %V: the master is %V", &node->name, &master->name);

    node->naddrs = 1;
    sentinel->lost = 0;

    /* a query now could reach a Sentinel that has not heard of the failover yet */

    if (sentinel->query.timer_set) {
        ngx_del_timer(&sentinel->query);
    }

    for (i = 0; i < node->nconns; i++) {
        conn = &node->conns[i];

        /* a worker that shuts down connects for commands only */

        if (ngx_exiting && conn->pending == 0) {
            ngx_mpk_redis_conn_close(conn);
            continue;
        }

        ngx_mpk_redis_conn_move(conn);
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
