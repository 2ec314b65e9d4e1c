/* What is counted, and when. */

#include "ngx_http_mpk_stats.h"


static ngx_uint_t ngx_http_mpk_stats_rule(ngx_uint_t event,
    ngx_uint_t outcome);


#define ngx_http_mpk_redis_counter(name, help)                               \
    { mpk_literal(#name), offsetof(ngx_mpk_redis_stats_t, name), help }

const ngx_http_mpk_redis_counter_t  ngx_http_mpk_redis_counters[] = {

    ngx_http_mpk_redis_counter(connects, "Connections that became ready."),

    ngx_http_mpk_redis_counter(failures,
        "Connections that were lost or could not be made."),

    ngx_http_mpk_redis_counter(lost, "Commands whose outcome is unknown."),

    ngx_http_mpk_redis_counter(unsent,
        "Commands that were refused without being sent."),

    ngx_http_mpk_redis_counter(overflows,
        "Commands that were refused because too many were waiting."),

    ngx_http_mpk_redis_counter(redirects, "MOVED and ASK that were followed."),

    ngx_http_mpk_redis_counter(shortfalls,
        "WAITs that were not reached: see durability."),

    { mpk_literal(""), 0, NULL }
};


const uint32_t  ngx_http_mpk_buckets[NGX_HTTP_MPK_BUCKETS] = {
    500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000,
    1000000, 2500000, 5000000
};

const char *const  ngx_http_mpk_bucket_names[NGX_HTTP_MPK_BUCKETS] = {
    "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1",
    "0.25", "0.5", "1", "2.5", "5"
};


static const struct {
    ngx_http_handler_pt    handler;
    mpk_str_t              name;
} ngx_http_mpk_endpoints[NGX_HTTP_MPK_ENDPOINT_MAX] = {

    [NGX_HTTP_MPK_ENDPOINT_REVEAL] =
        { ngx_http_mpk_reveal_handler, mpk_literal("reveal") },

    [NGX_HTTP_MPK_ENDPOINT_TRACK] =
        { ngx_http_mpk_track_handler, mpk_literal("track") },

    [NGX_HTTP_MPK_ENDPOINT_ACCOUNT] =
        { ngx_http_mpk_account_handler, mpk_literal("account") },

    [NGX_HTTP_MPK_ENDPOINT_ONSCREEN] =
        { ngx_http_mpk_onscreen_handler, mpk_literal("onscreen") },

    [NGX_HTTP_MPK_ENDPOINT_CLAIM] =
        { ngx_http_mpk_claim_handler, mpk_literal("claim") },

    [NGX_HTTP_MPK_ENDPOINT_CLAIM_ACCESS] =
        { ngx_http_mpk_claim_access_handler, mpk_literal("claim_access") },

    [NGX_HTTP_MPK_ENDPOINT_API] =
        { ngx_http_mpk_api_handler, mpk_literal("api") },
};


uint64_t
ngx_http_mpk_stats_clock(void)
{
    struct timespec  ts;

    /* ngx_current_msec stands still within a pass of the event loop */

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}


/* By way of the cycle, so that what outlives a configuration counts in the next one. */

ngx_http_mpk_shm_t *
ngx_http_mpk_stats_get(void)
{
    ngx_http_mpk_main_conf_t  *mmcf;

    mmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle, ngx_http_mpk_module);

    return mmcf ? mmcf->shm : NULL;
}


void
ngx_http_mpk_stats_request(ngx_http_mpk_ctx_t *ctx)
{
    ngx_uint_t           rule;
    ngx_http_mpk_shm_t  *shm;

    shm = ngx_http_mpk_stats_get();

    if (shm == NULL || ctx->endpoint == NGX_HTTP_MPK_ENDPOINT_MAX) {
        return;
    }

    (void) ngx_atomic_fetch_add(
               &shm->requests[ctx->endpoint][ctx->event][ctx->outcome], 1);

    rule = ngx_http_mpk_stats_rule(ctx->event, ctx->outcome);

    if (rule) {
        (void) ngx_atomic_fetch_add(&shm->refusals[rule], 1);
    }
}


/* The number of the rule that refuses; 0: none does. */

static ngx_uint_t
ngx_http_mpk_stats_rule(ngx_uint_t event, ngx_uint_t outcome)
{
    mpk_str_t  rule;

    if (outcome < MPK_OUTCOME_MAX) {
        rule = mpk_outcome_info(outcome)->rule;

        return rule.len == 0 ? 0 : rule.len == 2 ? rule.data[1] - '0' : 10;
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


ngx_atomic_uint_t
ngx_http_mpk_stats_outcome(ngx_http_mpk_shm_t *shm, ngx_uint_t outcome)
{
    ngx_uint_t         i, j;
    ngx_atomic_uint_t  n;

    n = 0;

    for (i = 0; i < NGX_HTTP_MPK_ENDPOINT_MAX; i++) {
        for (j = 0; j < NGX_HTTP_MPK_EVENT_MAX; j++) {
            n += shm->requests[i][j][outcome];
        }
    }

    return n;
}


void
ngx_http_mpk_stats_store(uint64_t time)
{
    ngx_uint_t           i;
    ngx_http_mpk_shm_t  *shm;

    shm = ngx_http_mpk_stats_get();

    if (shm == NULL) {
        return;
    }

    for (i = 0; i < NGX_HTTP_MPK_BUCKETS; i++) {
        if (time <= ngx_http_mpk_buckets[i]) {
            break;
        }
    }

    (void) ngx_atomic_fetch_add(&shm->store[i], 1);
    (void) ngx_atomic_fetch_add(&shm->store_time, (ngx_atomic_int_t) time);
}


/*
 * Views are counted here, since a view is in the journal whether or not its request has
 * lived to see it.
 */

void
ngx_http_mpk_stats_txn(ngx_http_mpk_txn_t *txn)
{
    ngx_uint_t           rule;
    mpk_decision_t      *decision;
    ngx_http_mpk_shm_t  *shm;

    shm = ngx_http_mpk_stats_get();

    if (shm == NULL) {
        return;
    }

    /* not what Redis was never asked */

    if (txn->decided || txn->cmd.result != NGX_MPK_REDIS_FAILED) {
        ngx_http_mpk_stats_store(txn->store_time);
    }

    if (txn->result != NGX_HTTP_MPK_TXN_OK || txn->dry) {
        return;
    }

    decision = &txn->decision;

    if (decision->outcome == MPK_DONE) {

        if (decision->event == MPK_EVENT_VIEWED) {
            (void) ngx_atomic_fetch_add(&shm->views[txn->what.channel], 1);

        } else if (decision->event == MPK_EVENT_REPEATED) {
            (void) ngx_atomic_fetch_add(&shm->repeats[txn->what.channel], 1);
        }
    }

    /* a line of a file is refused on its own */

    if (txn->handler) {
        rule = ngx_http_mpk_stats_rule(decision->event, decision->outcome);

        if (rule) {
            (void) ngx_atomic_fetch_add(&shm->refusals[rule], 1);
        }
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

    (void) ngx_atomic_fetch_add(&shm->lines[NGX_HTTP_MPK_LINES_CREATED],
                                (ngx_atomic_int_t) created);
    (void) ngx_atomic_fetch_add(&shm->lines[NGX_HTTP_MPK_LINES_UNCHANGED],
                                (ngx_atomic_int_t) unchanged);
    (void) ngx_atomic_fetch_add(&shm->lines[NGX_HTTP_MPK_LINES_FAILED],
                                (ngx_atomic_int_t) failed);
}


ngx_uint_t
ngx_http_mpk_stats_endpoint(ngx_http_handler_pt handler)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_MPK_ENDPOINT_MAX; i++) {
        if (ngx_http_mpk_endpoints[i].handler == handler) {
            break;
        }
    }

    return i;
}


mpk_str_t
ngx_http_mpk_endpoint_name(ngx_uint_t endpoint)
{
    return ngx_http_mpk_endpoints[endpoint].name;
}


mpk_str_t
ngx_http_mpk_stats_word(mpk_str_t word)
{
    return word.len ? word : mpk_string("none");
}


mpk_str_t
ngx_http_mpk_lines_name(ngx_uint_t result)
{
    static const mpk_str_t  names[NGX_HTTP_MPK_LINES_MAX] = {
        [NGX_HTTP_MPK_LINES_CREATED] = mpk_literal("created"),
        [NGX_HTTP_MPK_LINES_UNCHANGED] = mpk_literal("unchanged"),
        [NGX_HTTP_MPK_LINES_FAILED] = mpk_literal("failed"),
    };

    return names[result];
}
