/*
 * The worker's Redis client.  Commands queued in one pass of the event loop leave
 * in one write, on one connection per worker and lane; their answers come back in
 * order, each to its own handler.
 */

#ifndef NGX_MPK_REDIS_H
#define NGX_MPK_REDIS_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>

#include "ngx_mpk_redis_resp.h"


/*
 * What became of a command.  After FAILED it was not executed; after LOST nobody
 * knows, and it must not be sent again blindly.
 */
typedef enum {
    NGX_MPK_REDIS_ANSWERED = 0,     /* cmd->reply is there, of any type but ERROR */
    NGX_MPK_REDIS_REFUSED,          /* cmd->reply is an ERROR, cmd->error its kind */
    NGX_MPK_REDIS_FAILED,           /* never sent: no connection, queue full, no memory */
    NGX_MPK_REDIS_LOST              /* sent; the connection or the time ran out first, or
                                       not enough others have it: see durability */
} ngx_mpk_redis_result_t;


/*
 * With durability= commits have a connection of their own, so that a WAIT never holds
 * up a lookup: they are ANSWERED once it is reached.  Without, lanes are the same.
 */
typedef enum {
    NGX_MPK_REDIS_READ = 0,
    NGX_MPK_REDIS_COMMIT,
    NGX_MPK_REDIS_LANES
} ngx_mpk_redis_lane_t;


/* A server as mpk_redis names it; made at configuration time, read-only afterwards. */
typedef struct ngx_mpk_redis_s      ngx_mpk_redis_t;

typedef struct ngx_mpk_redis_cmd_s  ngx_mpk_redis_cmd_t;

typedef void (*ngx_mpk_redis_handler_pt)(ngx_mpk_redis_cmd_t *cmd);

struct ngx_mpk_redis_cmd_s {
    /* set by the caller */
    ngx_pool_t                *pool;       /* replies are made in it */
    ngx_mpk_redis_handler_pt   handler;
    void                      *data;

    /* set before handler is called */
    ngx_mpk_redis_result_t     result;
    ngx_mpk_redis_error_t      error;
    ngx_mpk_redis_reply_t     *reply;

    /* the client's own */
    ngx_queue_t                queue;
    mpk_mem_t                  mem;
    ngx_chain_t                link;       /* the command's bytes, in pool */
    ngx_buf_t                  buf;
    ngx_msec_t                 deadline;
    ngx_mpk_redis_lane_t       lane;
    unsigned                   sent:1;     /* one byte at least is written */
    unsigned                   asking:1;   /* ASKING is before it, not answered yet */
    unsigned                   own:1;      /* nobody waits for it but the client */
    unsigned                   hops:4;     /* nodes of a cluster that sent it on */
    ngx_uint_t                 slot;
    ngx_msec_t                 until;      /* it is sent on no longer */
};


/*
 * The directive "mpk_redis url [name=value ...]": parses cf->args, resolves names,
 * reads password_file, makes the SSL context.  NULL: logged with [emerg], file and
 * line by ngx_conf_log_error, with the remedy.
 *
 *     redis://host[:6379][/db]     unix:/path[:db]
 *     redis+cluster://host[:6379][,host[:6379]]...
 *     redis+sentinel://host[:26379][,host[:26379]].../master[/db]
 *
 * rediss: is TLS, always verified, and needs tls_ca=.
 */
ngx_mpk_redis_t *ngx_mpk_redis_conf(ngx_conf_t *cf);

/*
 * Once the configuration is read: with a resolver the server's name is asked for again
 * while it can't be reached.  NULL: the addresses found then are all there are.
 */
void ngx_mpk_redis_resolver(ngx_mpk_redis_t *redis, ngx_resolver_t *resolver,
    ngx_msec_t timeout);

/*
 * Called from init_process and exit_process: connections are the worker's own.
 * init connects at once; exit closes what is open and calls no handler any more.
 */
ngx_int_t ngx_mpk_redis_init_worker(ngx_mpk_redis_t *redis, ngx_cycle_t *cycle);
void ngx_mpk_redis_exit_worker(ngx_mpk_redis_t *redis);

/*
 * Queues a command.  cmd and its pool belong to the caller and must live until
 * handler has been called, which happens exactly once, from the event loop, never
 * from within this function.  argv is copied into the pool.  A handler may send
 * again and may destroy the pool.  A request never passes r->pool: it may die first.
 *
 * A command waits for a connection that is being made, no longer than
 * connect_timeout; between two attempts it is FAILED at once.  In a cluster its first
 * key, argv[1] or argv[3] of a script, says which node it goes to.
 */
void ngx_mpk_redis_send(ngx_mpk_redis_t *redis, ngx_mpk_redis_lane_t lane,
    ngx_mpk_redis_cmd_t *cmd, ngx_uint_t argc, const mpk_str_t *argv);


/* Whether what is sent in the lane COMMIT waits for others than Redis itself. */
ngx_uint_t ngx_mpk_redis_durable(ngx_mpk_redis_t *redis);


/* What the clients of all workers count, in memory that they share; only ever added to. */
typedef struct {
    ngx_atomic_t               connects;   /* connections that became ready */
    ngx_atomic_t               failures;   /* connections that were lost or could not be made */
    ngx_atomic_t               lost;       /* commands whose outcome is unknown */
    ngx_atomic_t               unsent;     /* commands that were refused without being sent */
    ngx_atomic_t               overflows;  /* of those: too many were waiting */
    ngx_atomic_t               redirects;  /* MOVED and ASK followed */
    ngx_atomic_t               shortfalls; /* WAITs that were not reached */
    ngx_atomic_t               errors[NGX_MPK_REDIS_ERR_MAX];  /* error answers, by name */
} ngx_mpk_redis_stats_t;

/* Where to count; before init_worker. */
void ngx_mpk_redis_stats(ngx_mpk_redis_t *redis, ngx_mpk_redis_stats_t *stats);


/* One server as this worker sees it. */
typedef struct {
    ngx_str_t                  name;       /* host:port or socket path, never a secret */
    ngx_uint_t                 pending;    /* commands that wait or are under way */
    unsigned                   ready:1;    /* commands are taken and answered */
    unsigned                   durable:1;  /* commits are taken (the same as ready without durability=) */
    unsigned                   evicts:1;   /* its maxmemory-policy lets it throw orders away */
} ngx_mpk_redis_node_info_t;

/* How many were filled. */
ngx_uint_t ngx_mpk_redis_nodes(ngx_mpk_redis_t *redis,
    ngx_mpk_redis_node_info_t *info, ngx_uint_t max);

/* Whether a commit would be sent now. */
ngx_uint_t ngx_mpk_redis_writable(ngx_mpk_redis_t *redis);

/* When the earliest of tls_cert= and of tls_ca= expires; 0: there is none. */
void ngx_mpk_redis_certificates(ngx_mpk_redis_t *redis, time_t *client,
    time_t *ca);


#endif /* NGX_MPK_REDIS_H */
