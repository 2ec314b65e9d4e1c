/* The structures that the files of the Redis client share. */

#ifndef NGX_MPK_REDIS_INT_H
#define NGX_MPK_REDIS_INT_H

#include "ngx_mpk_redis.h"
#include "ngx_mpk_assert.h"

#define NGX_MPK_REDIS_BUFFER   16384   /* bytes of one recv() */
#define NGX_MPK_REDIS_FAILURE  256     /* bytes of the reason why a connection failed */


/* The setup of a new connection: what it sends before any command. */
typedef enum {
    NGX_MPK_REDIS_STEP_AUTH = 0,
    NGX_MPK_REDIS_STEP_SELECT,
    NGX_MPK_REDIS_STEP_NAME,
    NGX_MPK_REDIS_STEP_ROLE,
    NGX_MPK_REDIS_STEP_MEMORY,
    NGX_MPK_REDIS_STEP_SERVER,
    NGX_MPK_REDIS_STEP_PING,
    NGX_MPK_REDIS_STEP_TIME,
    NGX_MPK_REDIS_STEP_RIGHTS,
    NGX_MPK_REDIS_STEP_EVALSHA,
    NGX_MPK_REDIS_STEP_MASTER,
    NGX_MPK_REDIS_STEP_SUBSCRIBE,
    NGX_MPK_REDIS_STEP_MAX
} ngx_mpk_redis_step_t;


/* All steps of a setup, sent in one write. */
typedef struct {
    ngx_str_t                 bytes;         /* contains the password */
    ngx_uint_t                nsteps;
    ngx_mpk_redis_step_t      steps[NGX_MPK_REDIS_STEP_MAX];
    const char             *(*remedy)(ngx_mpk_redis_error_t error);
} ngx_mpk_redis_setup_t;


/*
 * The states of a connection:
 *
 *     DOWN > [DISCOVERING >] CONNECTING > [HANDSHAKE >] SETUP > [UNCONFIRMED >] READY
 *
 * and from READY, after an error reply or for another address, DRAINING > DOWN.  Any
 * failure leads to DOWN.  The order matters: states are compared.
 */
typedef enum {
    NGX_MPK_REDIS_DOWN = 0,
    NGX_MPK_REDIS_DISCOVERING,       /* no Sentinel has named the master yet */
    NGX_MPK_REDIS_CONNECTING,
    NGX_MPK_REDIS_HANDSHAKE,         /* TLS */
    NGX_MPK_REDIS_SETUP,
    NGX_MPK_REDIS_UNCONFIRMED,       /* set up; others must confirm that it is a master */
    NGX_MPK_REDIS_READY,
    NGX_MPK_REDIS_DRAINING,          /* takes no more commands, closes after the last reply */
    NGX_MPK_REDIS_STATES
} ngx_mpk_redis_state_t;


/* What must acknowledge a commit before its caller gets the reply. */
typedef enum {
    NGX_MPK_REDIS_NONE = 0,
    NGX_MPK_REDIS_REPLICAS,          /* WAIT */
    NGX_MPK_REDIS_AOF                /* WAITAOF: the server's own disk */
} ngx_mpk_redis_durability_t;


/* See ngx_mpk_redis_clock.h. */
typedef struct {
    int64_t                   time;          /* the server's Unix time at "at", ms; 0: unknown */
    ngx_msec_t                at;
    ngx_msec_t                error;
    ngx_msec_t                sampled_at;
} ngx_mpk_redis_clock_t;


typedef struct ngx_mpk_redis_worker_s    ngx_mpk_redis_worker_t;
typedef struct ngx_mpk_redis_node_s      ngx_mpk_redis_node_t;
typedef struct ngx_mpk_redis_topology_s  ngx_mpk_redis_topology_t;


struct ngx_mpk_redis_s {
    ngx_str_t                 name;          /* the URL, for logs */
    const ngx_mpk_redis_topology_t  *topology;
    ngx_str_t                 master;        /* the master's name in Sentinel */
    ngx_addr_t               *addrs;         /* of the URL, resolved at configuration time */
    ngx_uint_t                naddrs;
    ngx_str_t                 host;          /* to resolve again; empty: none */
    in_port_t                 port;
    ngx_resolver_t           *resolver;      /* NULL: none */
    ngx_msec_t                resolver_timeout;
    ngx_msec_t                connect_timeout;
    ngx_msec_t                timeout;
    ngx_uint_t                connections;

    ngx_mpk_redis_durability_t  durability;
    ngx_uint_t                needed;        /* acknowledgements of a WAIT */
    ngx_msec_t                wait_timeout;  /* well below timeout */
    ngx_str_t                 wait;          /* the WAIT command, formatted */

    ngx_mpk_redis_setup_t     setup;
    ngx_mpk_redis_setup_t     sentinel_setup;

#if (NGX_SSL)
    ngx_ssl_t                *ssl;
    ngx_str_t                 tls_name;      /* NUL-terminated; empty: the node's own */
    unsigned                  tls_ip:1;      /* tls_name is an address */
#endif

    ngx_mpk_redis_stats_t    *stats;         /* NULL: do not count */
    ngx_mpk_redis_worker_t   *worker;        /* set in each worker */
};


typedef struct {
    ngx_mpk_redis_node_t     *node;
    ngx_mpk_redis_t          *redis;
    ngx_connection_t         *connection;    /* NULL in DOWN and DISCOVERING */

    /* event ident must be after 3 pointers as in ngx_connection_t */
    ngx_int_t                 ident;

    ngx_mpk_redis_state_t     state;
    ngx_queue_t               waiting;       /* commands of which no byte is written */
    ngx_queue_t               sent;          /* the others, in the order of their replies */
    ngx_queue_t               held;          /* replied to; the WAIT after them is not */
    ngx_uint_t                pending;       /* commands in all three */
    ngx_chain_t              *out;           /* bytes still to be written */
    ngx_chain_t             **last;

    ngx_mpk_redis_parser_t   *parser;
    mpk_mem_t                 mem;           /* connection->pool, for replies to the setup */
    ngx_uint_t                step;          /* of the setup, to be replied to next */
    ngx_chain_t               setup;
    ngx_buf_t                 setup_buf;

    ngx_peer_connection_t     peer;
    ngx_sockaddr_t            sockaddr;      /* the peer's */
    ngx_str_t                 sockaddr_name;
    u_char                    sockaddr_text[NGX_SOCKADDR_STRLEN];
    ngx_uint_t                addr;          /* index of the node's address in use */
    ngx_uint_t                tried;         /* addresses tried since the last success */
    ngx_msec_t                connect_at;    /* the last connect() */
    ngx_msec_t                connect_deadline;
    ngx_msec_t                ready_at;
    ngx_msec_t                backoff;

    ngx_event_t               flush;
    ngx_event_t               timer;         /* never later than the next deadline */
    ngx_event_t               retry;
    ngx_mpk_redis_cmd_t      *ping;          /* its handler was not called yet; NULL: none */

    /* of the commit lane's connection */
    ngx_mpk_redis_cmd_t       wait;          /* has no handler */
    ngx_event_t               probe;
    ngx_msec_t                probe_backoff;

    ngx_log_t                 log;           /* for nginx core; muted while lines would repeat */
    ngx_msec_t                down_logged_at;
    u_char                    down_reason[64];  /* the start of the logged reason */
    u_char                    failure[NGX_MPK_REDIS_FAILURE];  /* see _log_failure() */
    unsigned                  down_logged:1;
    unsigned                  moving:1;      /* DRAINING for another address, not after an error */
    unsigned                  failing:1;     /* the last attempt to connect failed */
    unsigned                  durable:1;     /* the commit lane's: a WAIT follows its commands */
    unsigned                  wait_pending:1;
    unsigned                  wait_failed:1; /* the last WAIT was not reached: commits are refused */
    unsigned                  wait_failure_logged:1;
} ngx_mpk_redis_conn_t;


/* A server, and the worker's connections to it. */
struct ngx_mpk_redis_node_s {
    ngx_mpk_redis_worker_t   *worker;
    ngx_str_t                 name;          /* for logs */
    ngx_mpk_redis_setup_t    *setup;
    ngx_addr_t               *addrs;         /* tried in turn; none: DISCOVERING */
    ngx_uint_t                naddrs;
    ngx_uint_t                readers;       /* connections of the read lane */

    ngx_mpk_redis_conn_t     *conns;         /* the readers, then the commit lane's if durable */
    ngx_uint_t                nconns;
    ngx_uint_t                next;          /* reader to try first */
    ngx_pool_t               *messages;      /* for the messages of a subscription; NULL: none */
    mpk_mem_t                 messages_mem;
    ngx_event_t               ping;
    ngx_mpk_redis_clock_t     clock;
    unsigned                  durable:1;     /* the commit lane has a connection of its own */
    unsigned                  retired:1;     /* no longer used: does not reconnect */
    unsigned                  evicts:1;      /* its maxmemory-policy, at the last connect */
    unsigned                  timed_out:1;   /* and may have been demoted since */
    ngx_msec_t                refused_at;    /* when it refused a commit; 0: it took the last */

    /* of a cluster's node */
    ngx_queue_t               queue;
    ngx_pool_t               *pool;
    ngx_str_t                 endpoint;      /* host:port, as the cluster announces it */
    ngx_str_t                 host;          /* NUL-terminated; empty: an address */
    ngx_uint_t                slots;
    ngx_msec_t                asking_at;     /* when an ASK named it last */
};


struct ngx_mpk_redis_worker_s {
    ngx_mpk_redis_t          *redis;
    ngx_cycle_t              *cycle;
    ngx_mpk_redis_node_t      node;          /* the server, the master, the cluster's seeds */
    void                     *topology;      /* the topology's own state */

    ngx_queue_t               finished;      /* commands whose handlers are to be called */
    ngx_event_t               finish;

    /* when each of these was logged last */
    ngx_msec_t                error_logged[NGX_MPK_REDIS_ERR_MAX];
    ngx_msec_t                step_logged[NGX_MPK_REDIS_STEP_MAX];
    ngx_msec_t                wait_logged;
    ngx_msec_t                unconfirmed_logged;
    ngx_msec_t                skew_logged;

    u_char                    buffer[NGX_MPK_REDIS_BUFFER];
};


/*
 * What differs between a server, a master behind Sentinels and a cluster; the tables are
 * in ngx_mpk_redis_topology.c.  NULL: nothing is to be done.
 */
struct ngx_mpk_redis_topology_s {

    /* the URL */
    in_port_t                 port;          /* the default */
    unsigned                  host_list:1;   /* several hosts, separated by commas */
    unsigned                  master_name:1; /* the path begins with the name of a master */
    unsigned                  databases:1;   /* the path can end with a database */

    /* setup */
    unsigned                  check_role:1;  /* ROLE must reply "master" */
    const char               *role_remedy;   /* for a log line, otherwise */
    const char               *confirmer;     /* see needs_confirmation */

    /* In a worker.  start connects; stop closes all but worker->node. */
    ngx_int_t               (*start)(ngx_mpk_redis_worker_t *worker);
    void                    (*stop)(ngx_mpk_redis_worker_t *worker);

    /* Queues a formatted command on the node that owns its key; NULL: on worker->node. */
    void                    (*send)(ngx_mpk_redis_worker_t *worker,
                                    ngx_mpk_redis_cmd_t *cmd, ngx_uint_t argc,
                                    const mpk_str_t *argv);

    /* The node that owns a key, NULL: none is known; NULL: worker->node. */
    ngx_mpk_redis_node_t   *(*find_node)(ngx_mpk_redis_worker_t *worker,
                                         mpk_str_t key);

    /* The node after node, NULL before the first and after the last; NULL: worker->node. */
    ngx_mpk_redis_node_t   *(*next_node)(ngx_mpk_redis_worker_t *worker,
                                         ngx_mpk_redis_node_t *node);

    /* The node's name in metrics: no secret, no scheme. */
    void                    (*node_name)(ngx_mpk_redis_node_t *node,
                                         ngx_str_t *name);

    /* A connection is DISCOVERING: its node has no address. */
    void                    (*discover)(ngx_mpk_redis_worker_t *worker);

    /* Sentinel's reply, in the setup, to the query for the master; NGX_ERROR: can't be used. */
    ngx_int_t               (*on_master)(ngx_mpk_redis_conn_t *conn,
                                         ngx_mpk_redis_reply_t *reply);

    /*
     * A connection is set up.  True if its node timed out or was lost, may have been
     * demoted since, and another server is being queried: the connection is UNCONFIRMED
     * until that one replies, or the time is up (accept_unconfirmed).
     */
    ngx_uint_t              (*needs_confirmation)(ngx_mpk_redis_conn_t *conn);

    void                    (*on_ready)(ngx_mpk_redis_conn_t *conn);

    /* A message of a subscription, in node->messages. */
    void                    (*on_message)(ngx_mpk_redis_conn_t *conn,
                                          ngx_mpk_redis_reply_t *reply);

    /* NGX_OK: the error reply was a redirect, and cmd is queued again. */
    ngx_int_t               (*redirect)(ngx_mpk_redis_conn_t *conn,
                                        ngx_mpk_redis_cmd_t *cmd);

    /* A command timed out; conn is closed next. */
    void                    (*on_timeout)(ngx_mpk_redis_conn_t *conn);

    /* conn is closed, and was in the state before that; all addresses were tried. */
    void                    (*on_lost)(ngx_mpk_redis_conn_t *conn,
                                       ngx_mpk_redis_state_t state);
};


#define ngx_mpk_redis_count(redis, counter)                                  \
    do {                                                                     \
        if ((redis)->stats) {                                                \
            (void) ngx_atomic_fetch_add(&(redis)->stats->counter, 1);        \
        }                                                                    \
    } while (0)


/* Whether a string is a literal, or begins with it and is longer. */

#define ngx_mpk_redis_str_is(str, literal)                                   \
    ((str)->len == sizeof(literal) - 1                                       \
     && ngx_memcmp((str)->data, literal, sizeof(literal) - 1) == 0)

#define ngx_mpk_redis_str_begins(str, literal)                               \
    ((str)->len > sizeof(literal) - 1                                        \
     && ngx_memcmp((str)->data, literal, sizeof(literal) - 1) == 0)


#endif /* NGX_MPK_REDIS_INT_H */
