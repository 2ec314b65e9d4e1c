/* What is counted, and when. */

#include "ngx_http_mpk_stats.h"


static ngx_http_mpk_shm_t *ngx_http_mpk_stats_get(void);
static ngx_uint_t ngx_http_mpk_stats_rule(ngx_uint_t event,
    ngx_uint_t outcome);


#define ngx_http_mpk_stats_add(counter, n)                                   \
    (void) ngx_atomic_fetch_add(counter, (ngx_atomic_int_t) (n))


/* 1, 5, 15 and 30 minutes; 1, 2, 4 and 8 hours; 1, 2, 4, 7 and 14 days */

#define ngx_http_mpk_stats_days                                              \
    { 60, 300, 900, 1800, 3600, 7200, 14400, 28800, 86400, 172800, 345600,   \
      604800, 1209600 }

const ngx_http_mpk_histogram_info_t  ngx_http_mpk_histograms[] = {

    [NGX_HTTP_MPK_HISTOGRAM_STORE] =
        { mpk_literal("store"), mpk_literal("us"), "mpk_store_seconds",
          "Waits for Redis: one for each transaction, one for reads that are "
          "sent together.", 1000000,
          { 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000,
            500000, 1000000, 2500000, 5000000 } },

    [NGX_HTTP_MPK_HISTOGRAM_RELEASE] =
        { mpk_literal("order_release"), mpk_literal("seconds"),
          "mpk_order_release_seconds",
          "Times from the filing of a held order to its release.", 1,
          ngx_http_mpk_stats_days },

    [NGX_HTTP_MPK_HISTOGRAM_VIEW] =
        { mpk_literal("order_first_view"), mpk_literal("seconds"),
          "mpk_order_first_view_seconds",
          "Times from an order's release to the first view of a key.", 1,
          ngx_http_mpk_stats_days },
};


uint64_t
ngx_http_mpk_stats_clock(void)
{
    struct timespec  ts;

    /* ngx_current_msec does not change within a pass of the event loop */

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}


/*
 * From the current cycle: transactions that outlive a configuration count in the next
 * one. NULL: there are no counters.
 */

static ngx_http_mpk_shm_t *
ngx_http_mpk_stats_get(void)
{
    ngx_http_mpk_main_conf_t  *mmcf;

    mmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle, ngx_http_mpk_module);

    return mmcf ? mmcf->shm : NULL;
}


void
ngx_http_mpk_stats_request(ngx_uint_t endpoint, ngx_uint_t event,
    ngx_uint_t outcome)
{
    ngx_http_mpk_shm_t  *shm;

    shm = ngx_http_mpk_stats_get();

    if (shm == NULL || endpoint >= NGX_HTTP_MPK_ENDPOINT_MAX) {
        return;
    }

    ngx_http_mpk_stats_add(&shm->requests[endpoint][event][outcome], 1);
    ngx_http_mpk_stats_refusal(event, outcome);
}


void
ngx_http_mpk_stats_refusal(ngx_uint_t event, ngx_uint_t outcome)
{
    ngx_uint_t           rule;
    ngx_http_mpk_shm_t  *shm;

    shm = ngx_http_mpk_stats_get();
    rule = ngx_http_mpk_stats_rule(event, outcome);

    if (shm && rule) {
        ngx_http_mpk_stats_add(&shm->refusals[rule], 1);
    }
}


/* The number of the rule that refused; 0: none. */

static ngx_uint_t
ngx_http_mpk_stats_rule(ngx_uint_t event, ngx_uint_t outcome)
{
    ngx_int_t  n;
    mpk_str_t  rule;

    if (outcome < MPK_OUTCOME_MAX) {
        rule = mpk_outcome_info(outcome)->rule;

        n = rule.len ? ngx_atoi((u_char *) rule.data + 1, rule.len - 1) : 0;

        return n > 0 && n <= NGX_HTTP_MPK_RULES ? n : 0;
    }

    switch (outcome) {

    case NGX_HTTP_MPK_OUTCOME_FOREIGN:
        return 4;

    case NGX_HTTP_MPK_OUTCOME_UNAVAILABLE:
    case NGX_HTTP_MPK_OUTCOME_LOST:
    case NGX_HTTP_MPK_OUTCOME_BUSY:
        return event == MPK_EVENT_VIEWED ? 2 : 0;

    default:
        return 0;
    }
}


void
ngx_http_mpk_stats_took(ngx_http_mpk_histogram_id_t id, int64_t time)
{
    ngx_uint_t           i;
    ngx_http_mpk_shm_t  *shm;

    shm = ngx_http_mpk_stats_get();

    if (shm == NULL) {
        return;
    }

    time = ngx_max(time, 0);

    for (i = 0; i < NGX_HTTP_MPK_BUCKETS; i++) {
        if (time <= (int64_t) ngx_http_mpk_histograms[id].bounds[i]) {
            break;
        }
    }

    ngx_http_mpk_stats_add(&shm->histograms[id].counts[i], 1);
    ngx_http_mpk_stats_add(&shm->histograms[id].sum, time);
}


void
ngx_http_mpk_stats_viewed(mpk_channel_t channel, ngx_uint_t repeat)
{
    ngx_http_mpk_shm_t  *shm;

    shm = ngx_http_mpk_stats_get();

    if (shm) {
        ngx_http_mpk_stats_add(repeat ? &shm->repeats[channel]
                                      : &shm->views[channel], 1);
    }
}


void
ngx_http_mpk_stats_corrected(mpk_str_t actor)
{
    ngx_uint_t             i;
    ngx_http_mpk_shm_t    *shm;
    ngx_http_mpk_actor_t  *a;

    shm = ngx_http_mpk_stats_get();

    if (shm == NULL) {
        return;
    }

    for (i = 0; i < NGX_HTTP_MPK_ACTORS && shm->actors[i].len; i++) {
        a = &shm->actors[i];

        if (mpk_str_eq(actor, (mpk_str_t) { a->len, a->name })) {
            ngx_http_mpk_stats_add(&a->corrections, 1);
            return;
        }
    }

    ngx_http_mpk_stats_add(&shm->corrections_other, 1);
}


void
ngx_http_mpk_stats_unread(mpk_status_t status)
{
    ngx_uint_t           reason;
    ngx_http_mpk_shm_t  *shm;

    switch (status) {

    case MPK_FORGED:
        reason = NGX_HTTP_MPK_UNREAD_FORGED;
        break;

    case MPK_UNKNOWN:
        reason = NGX_HTTP_MPK_UNREAD_KEY;
        break;

    case MPK_NEWER:
        reason = NGX_HTTP_MPK_UNREAD_NEWER;
        break;

    default:
        return;
    }

    shm = ngx_http_mpk_stats_get();

    if (shm) {
        ngx_http_mpk_stats_add(&shm->unread[reason], 1);
    }
}


void
ngx_http_mpk_stats_lost(uint64_t n)
{
    ngx_http_mpk_shm_t  *shm;

    shm = ngx_http_mpk_stats_get();

    if (shm) {
        ngx_http_mpk_stats_add(&shm->events_lost, n);
    }
}


void
ngx_http_mpk_stats_unproved(void)
{
    ngx_http_mpk_shm_t  *shm;

    shm = ngx_http_mpk_stats_get();

    if (shm) {
        ngx_http_mpk_stats_add(&shm->events_unproved, 1);
    }
}


void
ngx_http_mpk_stats_lines(uint64_t created, uint64_t unchanged, uint64_t failed)
{
    ngx_http_mpk_shm_t  *shm;

    shm = ngx_http_mpk_stats_get();

    if (shm == NULL) {
        return;
    }

    ngx_http_mpk_stats_add(&shm->lines[NGX_HTTP_MPK_LINES_CREATED], created);
    ngx_http_mpk_stats_add(&shm->lines[NGX_HTTP_MPK_LINES_UNCHANGED],
                           unchanged);
    ngx_http_mpk_stats_add(&shm->lines[NGX_HTTP_MPK_LINES_FAILED], failed);
}
