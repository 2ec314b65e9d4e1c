/*
 * The worker's Redis client.  Commands queued in one pass of the event loop leave in one
 * write, on one connection per worker, node and lane; replies come back in order, each to
 * its command's handler.
 */

#ifndef NGX_MPK_REDIS_H
#define NGX_MPK_REDIS_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>

#include "ngx_mpk_assert.h"
#include "ngx_mpk_redis_resp.h"


/*
 * What became of a command.  After FAILED it was not executed; after LOST the outcome is
 * unknown, and the command must not be sent again blindly.
 */
typedef enum {
    NGX_MPK_REDIS_ANSWERED = 0,     /* cmd->reply is set, of any type but ERROR */
    NGX_MPK_REDIS_REFUSED,          /* cmd->reply is an ERROR, cmd->error its kind */
    NGX_MPK_REDIS_FAILED,           /* never sent: no connection, queue full, no memory */
    NGX_MPK_REDIS_LOST              /* sent; then the connection failed, the timeout expired,
                                       or durability= was not reached */
} ngx_mpk_redis_result_t;


/*
 * With durability= commits have a connection of their own, so that a WAIT never delays a
 * lookup: they are ANSWERED once the WAIT is reached.  Without it, the lanes are the same.
 */
typedef enum {
    NGX_MPK_REDIS_READ = 0,
    NGX_MPK_REDIS_COMMIT
} ngx_mpk_redis_lane_t;


/* An mpk_redis directive; made at configuration time, read-only afterwards. */
typedef struct ngx_mpk_redis_s      ngx_mpk_redis_t;

typedef struct ngx_mpk_redis_cmd_s  ngx_mpk_redis_cmd_t;

typedef void (*ngx_mpk_redis_handler_pt)(ngx_mpk_redis_cmd_t *cmd);

struct ngx_mpk_redis_cmd_s {
    /* set by the caller, who zeroes the structure before its first use */
    ngx_pool_t                *pool;       /* replies are made in it */
    ngx_mpk_redis_handler_pt   handler;
    void                      *data;
    unsigned                   background:1;   /* nobody waits for it: not counted if it fails */

    /* set before handler is called */
    ngx_mpk_redis_result_t     result;
    ngx_mpk_redis_error_t      error;
    ngx_mpk_redis_reply_t     *reply;

    /* private to the client */
    ngx_queue_t                queue;
    mpk_mem_t                  mem;
    ngx_chain_t                link;       /* the command's bytes, in pool */
    ngx_buf_t                  buf;
    ngx_msec_t                 deadline;
    ngx_mpk_redis_lane_t       lane;
    unsigned                   sent:1;     /* at least one byte is written */
    unsigned                   asking:1;   /* sent after an ASKING that is not replied to */
    unsigned                   internal:1; /* the client's own: not counted as lost */
    unsigned                   redirects:4;
    ngx_uint_t                 slot;
    ngx_msec_t                 retry_deadline;  /* not held or routed again after this */
#if (NGX_MPK_ASSERT)
    unsigned                   owned:1;    /* by the client, until handler is called */
#endif
#if (NGX_DEBUG)
    ngx_str_t                  name;       /* for debug lines, e.g. "HMGET" */
#endif
};


/*
 * The directive "mpk_redis url [name=value ...]": parses cf->args, resolves names, reads
 * password_file, makes the SSL context.  NULL: logged with [emerg], file and line by
 * ngx_conf_log_error, with the remedy.
 *
 *     redis://host[:6379][/db]     unix:/path[:db]
 *     redis+cluster://host[:6379][,host[:6379]]...
 *     redis+sentinel://host[:26379][,host[:26379]].../master[/db]
 *
 * rediss: is TLS, always verified, and needs tls_ca=.
 *
 * rights: a script that is run when a connection is made.  If it returns the error NOPERM,
 * the connection is not used.
 */
ngx_mpk_redis_t *ngx_mpk_redis_conf(ngx_conf_t *cf, mpk_str_t rights);

/*
 * Sets the resolver with which a single server's name is resolved again while the server
 * can't be reached; called once the configuration is read.  NULL: it never is.
 */
void ngx_mpk_redis_resolver(ngx_mpk_redis_t *redis, ngx_resolver_t *resolver,
    ngx_msec_t timeout);

/*
 * Called from init_process and exit_process: connections belong to the worker.  init
 * connects at once; exit closes all connections and calls no handler.
 */
ngx_int_t ngx_mpk_redis_init_worker(ngx_mpk_redis_t *redis, ngx_cycle_t *cycle);
void ngx_mpk_redis_exit_worker(ngx_mpk_redis_t *redis);

/*
 * Queues a command.  cmd and its pool belong to the caller and must live until handler
 * is called, which happens exactly once, from the event loop, never from within this
 * function.  argv is copied into the pool.  A handler may send again and may destroy the
 * pool.  r->pool must not be passed: the request can end first.
 *
 * While a connection is being made, the command waits for at most connect_timeout;
 * between two attempts it is FAILED at once.  In a cluster, the first key selects the
 * node: argv[1], or argv[3] of a script.
 */
void ngx_mpk_redis_send(ngx_mpk_redis_t *redis, ngx_mpk_redis_lane_t lane,
    ngx_mpk_redis_cmd_t *cmd, ngx_uint_t argc, const mpk_str_t *argv);


/*
 * The Unix time, ms, by the clock of the server that stores a key; 0: not known, since no
 * connection has been made yet, or TIME is refused.
 */
int64_t ngx_mpk_redis_time(ngx_mpk_redis_t *redis, mpk_str_t key);

/* Whether durability= is set: commits wait for more than Redis' reply. */
ngx_uint_t ngx_mpk_redis_durable(ngx_mpk_redis_t *redis);


/* Counters of the clients of all workers, in shared memory; they only grow. */
typedef struct {
    ngx_atomic_t               connects;   /* connections that became ready */
    ngx_atomic_t               failures;   /* connections that were lost or not made */
    ngx_atomic_t               lost;       /* commands whose outcome is unknown */
    ngx_atomic_t               unsent;     /* commands that failed without being sent */
    ngx_atomic_t               overflows;  /* of those: the queue was full */
    ngx_atomic_t               redirects;  /* MOVED and ASK followed */
    ngx_atomic_t               shortfalls; /* WAITs that were not reached */
    ngx_atomic_t               errors[NGX_MPK_REDIS_ERR_MAX];  /* error replies, by name */
} ngx_mpk_redis_stats_t;

/* Sets the counters to use; called before init_worker. */
void ngx_mpk_redis_stats(ngx_mpk_redis_t *redis, ngx_mpk_redis_stats_t *stats);


/* A server as this worker sees it. */
typedef struct {
    ngx_str_t                  name;       /* host:port or socket path, never a secret */
    ngx_uint_t                 pending;    /* commands queued or in flight */
    int64_t                    skew;       /* ms that this machine's clock is ahead */
    unsigned                   ready:1;    /* a connection is ready */
    unsigned                   durable:1;  /* commits are accepted */
    unsigned                   evicts:1;   /* its maxmemory-policy allows eviction */
} ngx_mpk_redis_node_info_t;

/* Fills up to max elements of info; returns how many. */
ngx_uint_t ngx_mpk_redis_nodes(ngx_mpk_redis_t *redis,
    ngx_mpk_redis_node_info_t *info, ngx_uint_t max);

/* Whether a commit would be sent now. */
ngx_uint_t ngx_mpk_redis_writable(ngx_mpk_redis_t *redis);

/* When the earliest of tls_cert= and of tls_ca= expires; 0: there is none. */
void ngx_mpk_redis_certificates(ngx_mpk_redis_t *redis, time_t *client,
    time_t *ca);


#endif /* NGX_MPK_REDIS_H */
