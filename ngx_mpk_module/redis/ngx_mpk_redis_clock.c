/*
 * The clock of a server: its last good reply to TIME, and the monotonic time since.  The
 * reply was made somewhere between its command and its arrival, so that half of that is
 * how far it can be off.
 */

#include "ngx_mpk_redis_clock.h"
#include "ngx_mpk_redis_log.h"

#include "mpk_time.h"

#define NGX_MPK_REDIS_CLOCK_AGE   60000    /* ms after which any sample is better */
#define NGX_MPK_REDIS_CLOCK_OLD   10000
#define NGX_MPK_REDIS_CLOCK_FINE  100      /* ms: ngx_current_msec is not exact, either */
#define NGX_MPK_REDIS_CLOCK_SKEW  2000     /* ms from which on a skew is logged */


static int64_t ngx_mpk_redis_clock_number(ngx_mpk_redis_reply_t *reply);
static void ngx_mpk_redis_clock_log(ngx_mpk_redis_node_t *node);


void
ngx_mpk_redis_clock_sample(ngx_mpk_redis_node_t *node,
    ngx_mpk_redis_reply_t *reply, ngx_msec_t sent, ngx_uint_t made)
{
    int64_t                 seconds, micros, time, apart;
    ngx_msec_t              error;
    ngx_mpk_redis_clock_t  *clock;

    if (reply->type != NGX_MPK_REDIS_ARRAY || reply->count != 2) {
        return;
    }

    seconds = ngx_mpk_redis_clock_number(&reply->elements[0]);
    micros = ngx_mpk_redis_clock_number(&reply->elements[1]);

    if (seconds <= 0 || seconds > MPK_TIME_MAX || micros < 0
        || micros > 999999)
    {
        return;
    }

    clock = &node->clock;
    clock->sampled_at = ngx_current_msec;

    error = (ngx_current_msec - sent) / 2;
    time = seconds * 1000 + micros / 1000 + (int64_t) error;

    apart = time - ngx_mpk_redis_clock_now(node);

    /*
     * A better sample that agrees with the last one advances the clock but does not turn it
     * back: lists are sorted by it.  One that contradicts it: the server's clock was set.
     */

    if (made || (error <= clock->error && apart >= 0)
        || ngx_current_msec - clock->at > NGX_MPK_REDIS_CLOCK_AGE
        || ngx_abs(apart) > (int64_t) (error + clock->error
                                       + NGX_MPK_REDIS_CLOCK_FINE))
    {
        clock->time = time;
        clock->at = ngx_current_msec;
        clock->error = error;
    }

    ngx_mpk_redis_clock_log(node);
}


static int64_t
ngx_mpk_redis_clock_number(ngx_mpk_redis_reply_t *reply)
{
    return reply->type == NGX_MPK_REDIS_STRING
           ? (int64_t) ngx_atotm((u_char *) reply->str.data, reply->str.len)
           : NGX_ERROR;
}


int64_t
ngx_mpk_redis_clock_now(const ngx_mpk_redis_node_t *node)
{
    return node->clock.time ? node->clock.time
                              + (int64_t) (ngx_current_msec - node->clock.at)
                            : 0;
}


ngx_uint_t
ngx_mpk_redis_clock_old(const ngx_mpk_redis_node_t *node)
{
    return node->clock.time
           && ngx_current_msec - node->clock.sampled_at
              > NGX_MPK_REDIS_CLOCK_OLD;
}


int64_t
ngx_mpk_redis_clock_skew(const ngx_mpk_redis_node_t *node)
{
    ngx_time_t  *tp;

    if (node->clock.time == 0) {
        return 0;
    }

    tp = ngx_timeofday();

    return (int64_t) tp->sec * 1000 + (int64_t) tp->msec
           - ngx_mpk_redis_clock_now(node);
}


static void
ngx_mpk_redis_clock_log(ngx_mpk_redis_node_t *node)
{
    int64_t                  skew;
    ngx_mpk_redis_worker_t  *worker;

    worker = node->worker;
    skew = ngx_mpk_redis_clock_skew(node);

    if (skew < NGX_MPK_REDIS_CLOCK_SKEW + (int64_t) node->clock.error
        && skew > -NGX_MPK_REDIS_CLOCK_SKEW - (int64_t) node->clock.error)
    {
        return;
    }

    if (ngx_mpk_redis_log_due(&worker->skew_logged)) {
        ngx_log_error(NGX_LOG_WARN, worker->cycle->log, 0,
                      "mpk_redis %V: this machine's clock is %L s %s this "
                      "server's, by which orders go: synchronize both with "
                      "NTP", &node->name,
                      (skew < 0 ? -skew : skew) / 1000,
                      skew < 0 ? "behind" : "ahead of");
    }
}
