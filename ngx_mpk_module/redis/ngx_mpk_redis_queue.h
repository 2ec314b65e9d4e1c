/* Commands: formatted, queued on a connection, finished; their deadlines. */

#ifndef NGX_MPK_REDIS_QUEUE_H
#define NGX_MPK_REDIS_QUEUE_H

#include "ngx_mpk_redis_int.h"

#define NGX_MPK_REDIS_QUEUE_MAX  16384    /* commands of one connection */


/* Makes the bytes of a command in cmd->pool.  NGX_ERROR: no memory. */
ngx_int_t ngx_mpk_redis_cmd_format(ngx_mpk_redis_cmd_t *cmd, ngx_uint_t argc,
    const mpk_str_t *argv);

/*
 * A formatted command of the client's own, in a new pool of the given size, which handler
 * must destroy.  NULL: no memory.
 */
ngx_mpk_redis_cmd_t *ngx_mpk_redis_cmd_create(ngx_mpk_redis_worker_t *worker,
    size_t size, ngx_mpk_redis_handler_pt handler, ngx_uint_t argc,
    const mpk_str_t *argv);

/* Calls the handler of a command that was replied to.  The handler may free it. */
void ngx_mpk_redis_cmd_reply(ngx_mpk_redis_cmd_t *cmd);

/*
 * Ends a command that gets no reply, with FAILED or LOST.  Its handler is called from
 * the event loop, not from here; it must be in no queue.
 */
void ngx_mpk_redis_cmd_finish(ngx_mpk_redis_worker_t *worker,
    ngx_mpk_redis_cmd_t *cmd, ngx_mpk_redis_result_t result);

/* Handler of worker->finish. */
void ngx_mpk_redis_finish_handler(ngx_event_t *ev);


/*
 * Finishes all commands of one of conn's queues.  Returns how many of them were
 * callers', not the client's own.
 */
ngx_uint_t ngx_mpk_redis_queue_finish(ngx_mpk_redis_conn_t *conn,
    ngx_queue_t *queue, ngx_mpk_redis_result_t result);

/* Appends the waiting commands to conn->out and starts their timeouts. */
void ngx_mpk_redis_queue_flush(ngx_mpk_redis_conn_t *conn);

/*
 * Writes conn->out; what does not fit stays there.  NGX_ERROR: err is set, and commands
 * that were written before the error count as sent.
 */
ngx_int_t ngx_mpk_redis_queue_write(ngx_mpk_redis_conn_t *conn, ngx_err_t *err);

/*
 * conn's timer has fired: finishes overdue commands that can't have been sent, and sets
 * the timer for the next.  NGX_ERROR: a command of a READY connection is overdue.
 */
ngx_int_t ngx_mpk_redis_queue_expire(ngx_mpk_redis_conn_t *conn);

/* Whether conn has no command, or a ping at most. */
ngx_uint_t ngx_mpk_redis_queue_idle(ngx_mpk_redis_conn_t *conn);

/* Sets conn's timer to deadline, unless it fires before that anyway. */
void ngx_mpk_redis_queue_timer(ngx_mpk_redis_conn_t *conn, ngx_msec_t deadline);

/* Doubles a backoff, up to a second; returns the delay, with jitter. */
ngx_msec_t ngx_mpk_redis_backoff(ngx_msec_t *backoff);

/* An allocator for mpk_mem_t; ctx is a pool. */
void *ngx_mpk_redis_alloc(void *ctx, size_t size);


#define ngx_mpk_redis_cmd_of(chain)                                          \
    (ngx_queue_data(chain, ngx_mpk_redis_cmd_t, link))

#define ngx_mpk_redis_cmd_at(q)                                              \
    (ngx_queue_data(q, ngx_mpk_redis_cmd_t, queue))


#if (NGX_MPK_ASSERT)
/* Aborts unless the connection's state, queues and counts agree. */
void ngx_mpk_redis_queue_check(ngx_mpk_redis_conn_t *conn);
#else
#define ngx_mpk_redis_queue_check(conn)
#endif


#endif /* NGX_MPK_REDIS_QUEUE_H */
