/* What the parts of the Redis client share: the server, a worker's connections. */

#ifndef NGX_MPK_REDIS_INT_H
#define NGX_MPK_REDIS_INT_H

#include "ngx_mpk_redis.h"
#include "ngx_mpk_redis_slots.h"

#define NGX_MPK_REDIS_BUFFER         16384   /* bytes read at once */
#define NGX_MPK_REDIS_ROUNDS         8       /* reads in one pass of the event loop */
#define NGX_MPK_REDIS_QUEUE_MAX      16384   /* commands of one connection */
#define NGX_MPK_REDIS_BACKOFF_MIN    50      /* ms */
#define NGX_MPK_REDIS_BACKOFF_MAX    1000
#define NGX_MPK_REDIS_STABLE         1000    /* ms: a connection that lived so long is retried at once */
#define NGX_MPK_REDIS_LOG_INTERVAL   10000   /* ms between two lines about the same */
#define NGX_MPK_REDIS_DOUBTS         3       /* times connect_timeout, for others to say what it is */
#define NGX_MPK_REDIS_REFUSED_TIME   5000    /* ms until a node that refused a commit may take the next */
#define NGX_MPK_REDIS_REASON_TIME    1000    /* ms until another reason is worth a line */
#define NGX_MPK_REDIS_REASON         256     /* bytes of an explanation */
#define NGX_MPK_REDIS_TEXT_MAX       160     /* bytes of Redis' own words in a log line */


/* What the URL names. */
typedef enum {
    NGX_MPK_REDIS_SERVER = 0,
    NGX_MPK_REDIS_CLUSTER,           /* some nodes of it */
    NGX_MPK_REDIS_SENTINEL           /* Sentinels, who know the master */
} ngx_mpk_redis_kind_t;


/* What a new connection asks before anything else. */
typedef enum {
    NGX_MPK_REDIS_HELLO_AUTH = 0,
    NGX_MPK_REDIS_HELLO_SELECT,
    NGX_MPK_REDIS_HELLO_NAME,
    NGX_MPK_REDIS_HELLO_ROLE,
    NGX_MPK_REDIS_HELLO_MEMORY,
    NGX_MPK_REDIS_HELLO_SERVER,
    NGX_MPK_REDIS_HELLO_PING,
    NGX_MPK_REDIS_HELLO_MASTER,
    NGX_MPK_REDIS_HELLO_SUBSCRIBE,
    NGX_MPK_REDIS_HELLO_MAX
} ngx_mpk_redis_hello_t;


/* All of it, sent in one write. */
typedef struct {
    ngx_str_t                 bytes;         /* the password is in them */
    ngx_uint_t                nsteps;
    ngx_mpk_redis_hello_t     steps[NGX_MPK_REDIS_HELLO_MAX];
} ngx_mpk_redis_greeting_t;


typedef enum {
    NGX_MPK_REDIS_DOWN = 0,
    NGX_MPK_REDIS_SEEKING,           /* Sentinel has not said yet where the master is */
    NGX_MPK_REDIS_CONNECTING,
    NGX_MPK_REDIS_HANDSHAKE,
    NGX_MPK_REDIS_HELLO,
    NGX_MPK_REDIS_DOUBTED,           /* ready, once others say that it is still the master */
    NGX_MPK_REDIS_READY,
    NGX_MPK_REDIS_DRAINING           /* takes no more commands, closes after the last answer */
} ngx_mpk_redis_state_t;


/* Who must have a commit before it is answered. */
typedef enum {
    NGX_MPK_REDIS_NONE = 0,          /* nobody else */
    NGX_MPK_REDIS_REPLICAS,
    NGX_MPK_REDIS_AOF                /* the server's own disk */
} ngx_mpk_redis_durability_t;


typedef struct ngx_mpk_redis_worker_s  ngx_mpk_redis_worker_t;
typedef struct ngx_mpk_redis_node_s    ngx_mpk_redis_node_t;
typedef struct ngx_mpk_redis_cluster_s  ngx_mpk_redis_cluster_t;


struct ngx_mpk_redis_s {
    ngx_str_t                 name;          /* the URL, as logs say it */
    ngx_mpk_redis_kind_t      kind;
    ngx_str_t                 master;        /* as Sentinels call it */
    ngx_addr_t               *addrs;         /* as the configuration found them */
    ngx_uint_t                naddrs;
    ngx_str_t                 host;          /* empty: there is nothing to resolve */
    in_port_t                 port;
    ngx_resolver_t           *resolver;      /* NULL: none */
    ngx_msec_t                resolver_timeout;
    ngx_msec_t                connect_timeout;
    ngx_msec_t                timeout;
    ngx_uint_t                connections;

    ngx_mpk_redis_durability_t  durability;
    ngx_uint_t                needed;        /* acknowledgements of a WAIT */
    ngx_msec_t                wait_timeout;  /* well within timeout */
    ngx_str_t                 wait;          /* bytes */

    ngx_mpk_redis_greeting_t  greeting;
    ngx_mpk_redis_greeting_t  sentinel;      /* what Sentinels are asked */

#if (NGX_SSL)
    ngx_ssl_t                *ssl;
    ngx_str_t                 tls_name;      /* NUL-terminated; empty: the node's own */
    unsigned                  tls_ip:1;      /* tls_name is an address */
#endif

    ngx_mpk_redis_stats_t    *stats;         /* NULL: nobody counts */
    ngx_mpk_redis_worker_t   *worker;        /* set in each worker */
};


typedef struct {
    ngx_mpk_redis_node_t     *node;
    ngx_mpk_redis_t          *redis;
    ngx_connection_t         *connection;    /* NULL: DOWN */

    /* event ident must be after 3 pointers as in ngx_connection_t */
    ngx_int_t                 ident;

    ngx_mpk_redis_state_t     state;
    ngx_queue_t               waiting;       /* commands not written at all */
    ngx_queue_t               sent;          /* the others, as answers will come */
    ngx_queue_t               held;          /* answered, their WAIT is not */
    ngx_uint_t                pending;       /* all of them */
    ngx_chain_t              *out;           /* bytes still to be written */
    ngx_chain_t             **last;

    ngx_mpk_redis_parser_t   *parser;
    mpk_mem_t                 mem;           /* connection->pool, for the hello */
    ngx_uint_t                step;
    ngx_chain_t               hello;
    ngx_buf_t                 hello_buf;

    ngx_peer_connection_t     peer;
    ngx_sockaddr_t            sockaddr;      /* the peer's */
    ngx_str_t                 sockaddr_name;
    u_char                    sockaddr_text[NGX_SOCKADDR_STRLEN];
    ngx_uint_t                addr;
    ngx_uint_t                tried;         /* addresses, since the last success */
    ngx_msec_t                begun_at;      /* the last connect() */
    ngx_msec_t                connect_deadline;
    ngx_msec_t                ready_at;
    ngx_msec_t                backoff;

    ngx_event_t               flush;
    ngx_event_t               timer;         /* never later than the next deadline */
    ngx_event_t               retry;

    ngx_mpk_redis_cmd_t       wait;          /* has no handler */
    ngx_event_t               probe;
    ngx_msec_t                probe_delay;

    ngx_log_t                 log;           /* nginx core's words, muted when repeated */
    ngx_msec_t                reported_at;
    u_char                    reason[64];    /* the reported one begins so */
    unsigned                  reported:1;    /* the log says that it is down */
    unsigned                  moving:1;      /* DRAINING for a new address, not an error */
    unsigned                  failing:1;     /* the last attempt was in vain */
    unsigned                  durable:1;     /* of the commits' lane, with WAIT */
    unsigned                  asked:1;       /* a WAIT is out */
    unsigned                  refusing:1;    /* the last WAIT was not reached */
    unsigned                  refused:1;     /* the log says so */
} ngx_mpk_redis_conn_t;


/* One server, and the worker's connections to it. */
struct ngx_mpk_redis_node_s {
    ngx_mpk_redis_worker_t   *worker;
    ngx_str_t                 name;          /* as logs say it */
    ngx_mpk_redis_greeting_t *greeting;
    ngx_addr_t               *addrs;         /* tried in turn; none: SEEKING */
    ngx_uint_t                naddrs;
    ngx_uint_t                readers;       /* connections that anything is sent on */

    ngx_mpk_redis_conn_t     *conns;         /* readers, and the commits' own */
    ngx_uint_t                nconns;
    ngx_uint_t                next;
    unsigned                  durable:1;     /* commits have one of their own */
    unsigned                  stale:1;       /* of no use: does not connect again */
    unsigned                  evicts:1;      /* by its maxmemory-policy, at the last connect */
    unsigned                  silent:1;      /* it did not answer; see _cluster_doubts() */
    ngx_msec_t                refused_at;    /* the last commit; 0: it was taken */

    /* of a cluster's node */
    ngx_queue_t               queue;
    ngx_pool_t               *pool;
    ngx_str_t                 endpoint;      /* host:port, as the cluster says it */
    ngx_str_t                 host;          /* NUL-terminated; empty: an address */
    ngx_uint_t                slots;
    ngx_msec_t                asking_at;     /* the last ASK named it */
};


struct ngx_mpk_redis_worker_s {
    ngx_mpk_redis_t          *redis;
    ngx_cycle_t              *cycle;
    ngx_mpk_redis_node_t      home;          /* the server, the master, the cluster's seeds */
    ngx_mpk_redis_cluster_t  *cluster;

    ngx_mpk_redis_node_t      watch;         /* a Sentinel, who tells of failovers */
    ngx_event_t               ask;
    ngx_msec_t                asked_at;
    ngx_msec_t                named_at;      /* the master: when who named it last was asked */
    unsigned                  lost:1;        /* and it was not reached, or silent, since then */
    ngx_pool_t               *push;          /* what it told, one at a time */
    mpk_mem_t                 push_mem;
    ngx_addr_t                master;
    ngx_sockaddr_t            master_sockaddr;
    u_char                    master_text[NGX_SOCKADDR_STRLEN];

    ngx_pool_t               *resolved;      /* where addrs are, if not in the configuration */
    ngx_resolver_ctx_t       *resolving;
    ngx_msec_t                resolve_logged;
    ngx_queue_t               done;          /* commands whose handlers wait for a call */
    ngx_event_t               done_event;
    ngx_msec_t                error_logged[NGX_MPK_REDIS_ERR_MAX];
    ngx_msec_t                hello_logged[NGX_MPK_REDIS_HELLO_MAX];
    ngx_msec_t                durable_logged;
    ngx_msec_t                trust_logged;
    u_char                    buffer[NGX_MPK_REDIS_BUFFER];
};


/* ngx_mpk_redis_node.c */

/* Makes the node's connections, in pool, and connects; it is filled in down to readers. */
ngx_int_t ngx_mpk_redis_node_init(ngx_mpk_redis_node_t *node, ngx_pool_t *pool);
void ngx_mpk_redis_node_exit(ngx_mpk_redis_node_t *node);

/* NULL: no connection of the lane takes a command. */
ngx_mpk_redis_conn_t *ngx_mpk_redis_node_pick(ngx_mpk_redis_node_t *node,
    ngx_mpk_redis_lane_t lane);


/* ngx_mpk_redis_conn.c */

void ngx_mpk_redis_connect(ngx_mpk_redis_conn_t *conn);

/*
 * Closes the connection, gives up its commands, logs once per change of state, and
 * tries the next address, or again later.  A failure at level INFO is one that
 * nobody noticed.  The caller does not touch the connection afterwards.
 */
void ngx_mpk_redis_fail(ngx_mpk_redis_conn_t *conn, ngx_uint_t level,
    ngx_err_t err, const char *fmt, ...);
void ngx_mpk_redis_close(ngx_mpk_redis_conn_t *conn);
void ngx_mpk_redis_ready(ngx_mpk_redis_conn_t *conn);

/* Makes a doubted connection ready, though nobody else could say. */
void ngx_mpk_redis_trust(ngx_mpk_redis_conn_t *conn);

/* Lets all that waits go out with the next write. */
void ngx_mpk_redis_gather(ngx_mpk_redis_conn_t *conn);
void ngx_mpk_redis_drain(ngx_mpk_redis_conn_t *conn);

/* Goes to the node's address as it is now, when what is under way is answered. */
void ngx_mpk_redis_move(ngx_mpk_redis_conn_t *conn);
void ngx_mpk_redis_reconnect(ngx_mpk_redis_conn_t *conn);
ngx_uint_t ngx_mpk_redis_give_up(ngx_mpk_redis_conn_t *conn,
    ngx_queue_t *queue, ngx_mpk_redis_result_t result);
void ngx_mpk_redis_arm(ngx_mpk_redis_conn_t *conn, ngx_msec_t deadline);
void ngx_mpk_redis_timer_handler(ngx_event_t *ev);
void ngx_mpk_redis_retry_handler(ngx_event_t *ev);


/* ngx_mpk_redis_log.c */

/* That the connection is down, once, or for another reason.  INFO: nobody noticed. */
void ngx_mpk_redis_report(ngx_mpk_redis_conn_t *conn, ngx_uint_t level,
    ngx_err_t err, const char *reason, ngx_uint_t lost, ngx_uint_t unsent);

/* An error answer, by name only: its text can hold what the command held. */
void ngx_mpk_redis_log_error(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_error_t error);

/* True at most once in NGX_MPK_REDIS_LOG_INTERVAL. */
ngx_uint_t ngx_mpk_redis_log_due(ngx_msec_t *last);

/* Whether a failure would be logged: once for each time the connection goes down. */
ngx_uint_t ngx_mpk_redis_report_due(ngx_mpk_redis_conn_t *conn);

/* Silences nginx core's own lines, which would come with every attempt. */
void ngx_mpk_redis_mute(ngx_mpk_redis_conn_t *conn, ngx_uint_t mute);


/* ngx_mpk_redis_durable.c */

/* Makes redis->wait. */
ngx_int_t ngx_mpk_redis_durable_make(ngx_conf_t *cf, ngx_mpk_redis_t *redis);

/* Makes conn the commits' own. */
ngx_int_t ngx_mpk_redis_durable_init(ngx_mpk_redis_conn_t *conn);
void ngx_mpk_redis_durable_exit(ngx_mpk_redis_conn_t *conn);

/* NULL: commits are not taken now. */
ngx_mpk_redis_conn_t *ngx_mpk_redis_durable_pick(ngx_mpk_redis_node_t *node);
void ngx_mpk_redis_durable_ready(ngx_mpk_redis_conn_t *conn);

/* A command is answered, a WAIT is. */
void ngx_mpk_redis_durable_hold(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_cmd_t *cmd);
void ngx_mpk_redis_durable_answer(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply);
void ngx_mpk_redis_durable_drain(ngx_mpk_redis_conn_t *conn);
void ngx_mpk_redis_durable_close(ngx_mpk_redis_conn_t *conn);


/* ngx_mpk_redis_resolve.c */

/* Asks for the server's name again, unless somebody does so already. */
void ngx_mpk_redis_resolve(ngx_mpk_redis_worker_t *worker);
void ngx_mpk_redis_resolve_cancel(ngx_mpk_redis_worker_t *worker);


/* ngx_mpk_redis_tls.c */

#if (NGX_SSL)
void ngx_mpk_redis_handshake(ngx_mpk_redis_conn_t *conn);
#endif


/* ngx_mpk_redis_hello.c */

/* Make redis->greeting, redis->sentinel.  An empty password: no AUTH. */
ngx_int_t ngx_mpk_redis_hello_make(ngx_conf_t *cf, ngx_mpk_redis_t *redis,
    ngx_str_t *user, ngx_str_t *password, ngx_uint_t db);
ngx_int_t ngx_mpk_redis_hello_make_sentinel(ngx_conf_t *cf,
    ngx_mpk_redis_t *redis, ngx_str_t *user, ngx_str_t *password);
void ngx_mpk_redis_hello_start(ngx_mpk_redis_conn_t *conn);

/* NGX_AGAIN: more are to come; NGX_OK: that was the last; NGX_ERROR: failed. */
ngx_int_t ngx_mpk_redis_hello_reply(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply);

/* Redis' words for a log line: cut, and printable; buf has TEXT_MAX bytes. */
ngx_str_t ngx_mpk_redis_hello_text(mpk_str_t text, u_char *buf);


/* ngx_mpk_redis_cluster.c */

ngx_int_t ngx_mpk_redis_cluster_init(ngx_mpk_redis_worker_t *worker);
void ngx_mpk_redis_cluster_exit(ngx_mpk_redis_worker_t *worker);

/* Hands a command to the node that has its key. */
void ngx_mpk_redis_cluster_send(ngx_mpk_redis_worker_t *worker,
    ngx_mpk_redis_cmd_t *cmd, ngx_uint_t argc, const mpk_str_t *argv);

/* NGX_OK: an error answer was about slots, and the command is sent on. */
ngx_int_t ngx_mpk_redis_cluster_follow(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_cmd_t *cmd);

/* Its nodes, one after the other: NULL is before the first, and after the last. */
ngx_mpk_redis_node_t *ngx_mpk_redis_cluster_next(
    ngx_mpk_redis_worker_t *worker, ngx_mpk_redis_node_t *node);

/*
 * A node that was silent, and speaks again, may not know yet that it was replaced: what
 * it would tell is old.  True if another one is to be asked first.
 */
ngx_uint_t ngx_mpk_redis_cluster_doubts(ngx_mpk_redis_node_t *node);

/* Asks for the slots again, soon. */
void ngx_mpk_redis_cluster_refresh(ngx_mpk_redis_worker_t *worker);


/* ngx_mpk_redis_sentinel.c */

ngx_int_t ngx_mpk_redis_sentinel_init(ngx_mpk_redis_worker_t *worker);
void ngx_mpk_redis_sentinel_exit(ngx_mpk_redis_worker_t *worker);

/* Asks the next one who is master, soon. */
void ngx_mpk_redis_sentinel_ask(ngx_mpk_redis_worker_t *worker);

/*
 * A master that was lost, and comes back while another is promoted, still takes itself for
 * one.  True if nobody has named it since this connection to it was begun; one is asked.
 */
ngx_uint_t ngx_mpk_redis_sentinel_doubts(ngx_mpk_redis_conn_t *conn);

/* Whether it is one to the master that was named last. */
ngx_uint_t ngx_mpk_redis_sentinel_current(ngx_mpk_redis_conn_t *conn);

/* Connections that are no longer doubted are ready; all of them, if Sentinels are silent. */
void ngx_mpk_redis_sentinel_settle(ngx_mpk_redis_worker_t *worker,
    ngx_uint_t silent);

/* The answer of one, and what it tells later.  NGX_ERROR: the connection has failed. */
ngx_int_t ngx_mpk_redis_sentinel_answer(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply);
void ngx_mpk_redis_sentinel_told(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply);


/* ngx_mpk_redis_url.c */

/* The parameters of mpk_redis. */
typedef struct {
    ngx_str_t                 user;
    ngx_str_t                 password_file;
    ngx_str_t                 sentinel_user;
    ngx_str_t                 sentinel_password_file;
    ngx_str_t                 tls_ca;
    ngx_str_t                 tls_cert;
    ngx_str_t                 tls_key;
    ngx_str_t                 tls_name;
    ngx_str_t                 connect_timeout;
    ngx_str_t                 timeout;
    ngx_str_t                 connections;
    ngx_str_t                 durability;

    ngx_str_t                 host;          /* of the URL, if it has one only */
    ngx_uint_t                db;
    unsigned                  tls:1;
} ngx_mpk_redis_params_t;

ngx_int_t ngx_mpk_redis_url(ngx_conf_t *cf, ngx_mpk_redis_t *redis,
    ngx_mpk_redis_params_t *params, ngx_str_t *url);


/* ngx_mpk_redis_stats.c */

#define ngx_mpk_redis_count(redis, what)                                     \
    if ((redis)->stats) {                                                    \
        (void) ngx_atomic_fetch_add(&(redis)->stats->what, 1);               \
    }

/* A command that no connection takes: an overflow, if too many wait. */
void ngx_mpk_redis_stats_refused(ngx_mpk_redis_node_t *node,
    ngx_mpk_redis_lane_t lane);


/* ngx_mpk_redis.c */

/* cmd is formatted. */
void ngx_mpk_redis_node_send(ngx_mpk_redis_node_t *node,
    ngx_mpk_redis_cmd_t *cmd);
void ngx_mpk_redis_queue(ngx_mpk_redis_conn_t *conn, ngx_mpk_redis_cmd_t *cmd);
ngx_int_t ngx_mpk_redis_format(ngx_mpk_redis_cmd_t *cmd, ngx_uint_t argc,
    const mpk_str_t *argv);
void ngx_mpk_redis_write(ngx_mpk_redis_conn_t *conn);
void ngx_mpk_redis_flush_handler(ngx_event_t *ev);
void ngx_mpk_redis_read_handler(ngx_event_t *rev);
void ngx_mpk_redis_write_handler(ngx_event_t *wev);
void ngx_mpk_redis_done(ngx_mpk_redis_worker_t *worker,
    ngx_mpk_redis_cmd_t *cmd, ngx_mpk_redis_result_t result);
void *ngx_mpk_redis_alloc(void *ctx, size_t size);

#define ngx_mpk_redis_cmd_of(chain)                                          \
    (ngx_queue_data(chain, ngx_mpk_redis_cmd_t, link))


#endif /* NGX_MPK_REDIS_INT_H */
