/* The tables of metrics: their names, and where their rows come from. */

#include "ngx_http_mpk_metrics.h"
#include "ngx_http_mpk_feed_lag.h"


#define ngx_http_mpk_row(name)                                               \
    static ngx_int_t ngx_http_mpk_row_##name(ngx_http_mpk_metrics_t *m,      \
        const ngx_http_mpk_metric_table_t *table, ngx_uint_t n,              \
        ngx_http_mpk_metric_row_t *row)

ngx_http_mpk_row(build);
ngx_http_mpk_row(worker);
ngx_http_mpk_row(requests);
ngx_http_mpk_row(failures);
ngx_http_mpk_row(counters);
ngx_http_mpk_row(actors);
ngx_http_mpk_row(outbox);
ngx_http_mpk_row(worklists);
ngx_http_mpk_row(groups);
ngx_http_mpk_row(edges);
ngx_http_mpk_row(lacks);
ngx_http_mpk_row(redis);
ngx_http_mpk_row(workers);
ngx_http_mpk_row(nodes);
ngx_http_mpk_row(keys);
ngx_http_mpk_row(certificates);

static mpk_str_t ngx_http_mpk_label_channel(ngx_uint_t channel);
static mpk_str_t ngx_http_mpk_label_rule(ngx_uint_t rule);
static mpk_str_t ngx_http_mpk_label_error(ngx_uint_t error);


#define ngx_http_mpk_metric(type, member, name, help)                        \
    { NGX_HTTP_MPK_METRIC_##type, mpk_literal(member), name, help }

#define ngx_http_mpk_counters(counters, begin, max, name)                    \
    .row = ngx_http_mpk_row_counters,                                        \
    .offset = offsetof(ngx_http_mpk_shm_t, counters),                        \
    .first = begin, .end = max, .label = name


const ngx_http_mpk_metric_table_t  ngx_http_mpk_metric_tables[] = {

    { .form = NGX_HTTP_MPK_METRIC_MEMBERS, .labels = { "version" },
      .row = ngx_http_mpk_row_build,
      .metrics = {
          ngx_http_mpk_metric(GAUGE, "", "mpk_build_info",
              "The module's version; always 1.") } },

    { .form = NGX_HTTP_MPK_METRIC_MEMBERS,
      .row = ngx_http_mpk_row_worker,
      .metrics = {
          ngx_http_mpk_metric(FLAG, "ready", "mpk_ready",
              "Whether the worker that answers takes commits."),
          ngx_http_mpk_metric(GAUGE, "", "mpk_workers",
              "Workers that have reported within the last seconds."),
          ngx_http_mpk_metric(GAUGE, "", "mpk_workers_ready",
              "Workers that take commits.") } },

    { .member = mpk_literal("requests"), .form = NGX_HTTP_MPK_METRIC_ROWS,
      .labels = { "endpoint", "event", "outcome" },
      .row = ngx_http_mpk_row_requests,
      .metrics = {
          ngx_http_mpk_metric(COUNTER, "count", "mpk_requests_total",
              "Requests, by endpoint, event and outcome.") } },

    { .member = mpk_literal("failures"), .labels = { "outcome" },
      .row = ngx_http_mpk_row_failures,
      .metrics = {
          ngx_http_mpk_metric(COUNTER, "", "mpk_failures_total",
              "Requests that failed because of Redis or of what is stored "
              "there.") } },

    { .member = mpk_literal("refusals"), .labels = { "rule" },
      ngx_http_mpk_counters(refusals, 1, NGX_HTTP_MPK_RULES + 1,
                            ngx_http_mpk_label_rule),
      .metrics = {
          ngx_http_mpk_metric(COUNTER, "", "mpk_refusals_total",
              "Refusals, by rule of the policy.") } },

    { .member = mpk_literal("views"), .labels = { "channel" },
      ngx_http_mpk_counters(views, MPK_CHANNEL_NONE + 1, MPK_CHANNEL_MAX,
                            ngx_http_mpk_label_channel),
      .metrics = {
          ngx_http_mpk_metric(COUNTER, "", "mpk_views_total",
              "Views of keys that were journaled.") } },

    { .member = mpk_literal("repeats"), .labels = { "channel" },
      ngx_http_mpk_counters(repeats, MPK_CHANNEL_NONE + 1, MPK_CHANNEL_MAX,
                            ngx_http_mpk_label_channel),
      .metrics = {
          ngx_http_mpk_metric(COUNTER, "", "mpk_repeats_total",
              "Repeats of a view within mpk_reveal_grace.") } },

    { .member = mpk_literal("ndjson_lines"), .labels = { "result" },
      ngx_http_mpk_counters(lines, 0, NGX_HTTP_MPK_LINES_MAX,
                            ngx_http_mpk_lines_name),
      .metrics = {
          ngx_http_mpk_metric(COUNTER, "", "mpk_ndjson_lines_total",
              "Lines of POST /orders, by result.") } },

    { .member = mpk_literal("orders_unread"), .labels = { "reason" },
      ngx_http_mpk_counters(unread, 0, NGX_HTTP_MPK_UNREAD_MAX,
                            ngx_http_mpk_unread_name),
      .metrics = {
          ngx_http_mpk_metric(COUNTER, "", "mpk_orders_unread_total",
              "Reads of orders of which nothing was shown, by reason.") } },

    { .member = mpk_literal("email_changes"), .labels = { "actor" },
      .row = ngx_http_mpk_row_actors,
      .metrics = {
          ngx_http_mpk_metric(COUNTER, "", "mpk_email_changes_total",
              "Changes of an order's email address, by API token.") } },

    { .form = NGX_HTTP_MPK_METRIC_MEMBERS,
      .row = ngx_http_mpk_row_outbox,
      .metrics = {
          ngx_http_mpk_metric(COUNTER, "events_lost", "mpk_events_lost_total",
              "Events that were trimmed before a group had acknowledged "
              "them."),
          ngx_http_mpk_metric(COUNTER, "events_unproved",
              "mpk_events_unproved_total",
              "Events that were not handed out, since their entry could not "
              "be proved.") } },

    { .form = NGX_HTTP_MPK_METRIC_MEMBERS,
      .row = ngx_http_mpk_row_worklists,
      .metrics = {
          ngx_http_mpk_metric(GAUGE, "suspended_orders",
              "mpk_suspended_orders",
              "Orders that are suspended, all or in part."),
          ngx_http_mpk_metric(GAUGE, "suspended_oldest_seconds",
              "mpk_suspended_oldest_seconds",
              "For how long the oldest of them has been."),
          ngx_http_mpk_metric(GAUGE, "held_orders", "mpk_held_orders",
              "Orders that wait for their release."),
          ngx_http_mpk_metric(GAUGE, "held_oldest_seconds",
              "mpk_held_oldest_seconds",
              "For how long the oldest of them has."),
          ngx_http_mpk_metric(GAUGE, "withdrawals_open",
              "mpk_withdrawals_open",
              "Withdrawals that wait for a decision, unmatched ones "
              "included."),
          ngx_http_mpk_metric(GAUGE, "withdrawals_oldest_seconds",
              "mpk_withdrawals_oldest_seconds",
              "For how long the oldest of them has been waiting.") } },

    { .member = mpk_literal("groups"), .form = NGX_HTTP_MPK_METRIC_ROWS,
      .labels = { "group" },
      .row = ngx_http_mpk_row_groups,
      .metrics = {
          ngx_http_mpk_metric(GAUGE, "oldest_seconds",
              "mpk_group_oldest_seconds",
              "For how long the oldest event waits for a consumer of the "
              "group."),
          ngx_http_mpk_metric(GAUGE, "lag", "mpk_group_lag",
              "Events that were not handed out to the group yet."),
          ngx_http_mpk_metric(GAUGE, "pending", "mpk_group_pending",
              "Events that a consumer has and has not acknowledged."),
          ngx_http_mpk_metric(GAUGE, "delayed", "mpk_group_delayed",
              "Events that a consumer has put off."),
          ngx_http_mpk_metric(GAUGE, "parked", "mpk_group_parked",
              "Events that a consumer has given up.") } },

    { .form = NGX_HTTP_MPK_METRIC_MEMBERS,
      .row = ngx_http_mpk_row_edges,
      .metrics = {
          ngx_http_mpk_metric(GAUGE, "keyring_incomplete",
              "mpk_keyring_incomplete",
              "Keys that other edges use and that this edge's keyring "
              "lacks.") } },

    { .member = mpk_literal("keys_lacking"),
      .form = NGX_HTTP_MPK_METRIC_ROWS, .labels = { "edge", "kid" },
      .row = ngx_http_mpk_row_lacks,
      .metrics = {
          ngx_http_mpk_metric(GAUGE, "", "mpk_key_lacking",
              "1 for a key of this edge's keyring that another edge has "
              "not loaded.") } },

    { .parent = mpk_literal("redis"), .form = NGX_HTTP_MPK_METRIC_MEMBERS,
      .row = ngx_http_mpk_row_redis,
      .metrics = {
          ngx_http_mpk_metric(COUNTER, "connects", "mpk_redis_connects_total",
              "Connections that became ready."),
          ngx_http_mpk_metric(COUNTER, "failures", "mpk_redis_failures_total",
              "Connections that were lost or could not be established."),
          ngx_http_mpk_metric(COUNTER, "lost", "mpk_redis_lost_total",
              "Commands whose outcome is unknown."),
          ngx_http_mpk_metric(COUNTER, "unsent", "mpk_redis_unsent_total",
              "Commands that were refused without being sent."),
          ngx_http_mpk_metric(COUNTER, "overflows", "mpk_redis_overflows_total",
              "Commands that were refused because too many were waiting."),
          ngx_http_mpk_metric(COUNTER, "redirects", "mpk_redis_redirects_total",
              "MOVED and ASK redirects that were followed."),
          ngx_http_mpk_metric(COUNTER, "shortfalls",
              "mpk_redis_shortfalls_total",
              "WAITs that too few replicas answered: see durability.") } },

    { .parent = mpk_literal("redis"), .member = mpk_literal("errors"),
      .labels = { "error" },
      ngx_http_mpk_counters(redis.errors, 0, NGX_MPK_REDIS_ERR_MAX,
                            ngx_http_mpk_label_error),
      .metrics = {
          ngx_http_mpk_metric(COUNTER, "", "mpk_redis_errors_total",
              "Error replies of Redis.") } },

    { .parent = mpk_literal("redis"), .member = mpk_literal("workers"),
      .form = NGX_HTTP_MPK_METRIC_ROWS, .labels = { "worker" }, .number = 1,
      .row = ngx_http_mpk_row_workers,
      .metrics = {
          ngx_http_mpk_metric(GAUGE, "queue", "mpk_redis_queue_depth",
              "Commands that wait or are in flight."),
          ngx_http_mpk_metric(FLAG, "ready", NULL, NULL) } },

    { .parent = mpk_literal("redis"), .member = mpk_literal("nodes"),
      .form = NGX_HTTP_MPK_METRIC_ROWS, .labels = { "node" },
      .row = ngx_http_mpk_row_nodes,
      .metrics = {
          ngx_http_mpk_metric(GAUGE, "ready", "mpk_redis_node_ready",
              "Workers that have a ready connection to this server."),
          ngx_http_mpk_metric(GAUGE, "commits", "mpk_redis_node_commits",
              "Workers that send commits to this server."),
          ngx_http_mpk_metric(GAUGE, "evicts", "mpk_redis_node_evicts",
              "Workers that found a maxmemory-policy on this server that "
              "allows eviction: orders would be lost."),
          ngx_http_mpk_metric(GAUGE, "clock_skew", "mpk_clock_skew_seconds",
              "How far this machine's clock is ahead of this server's, by "
              "which orders go; negative: behind.") } },

    { .member = mpk_literal("keys_created_at"), .labels = { "use" },
      .row = ngx_http_mpk_row_keys,
      .metrics = {
          ngx_http_mpk_metric(TIME, "", "mpk_key_created_timestamp_seconds",
              "When the keyring's current key of this use was created.") } },

    { .member = mpk_literal("redis_certificates_expire_at"),
      .labels = { "certificate" },
      .row = ngx_http_mpk_row_certificates,
      .metrics = {
          ngx_http_mpk_metric(TIME, "",
              "mpk_redis_certificate_expiry_timestamp_seconds",
              "When the first certificate of tls_cert or of tls_ca "
              "expires.") } },

    { .row = NULL }
};


ngx_http_mpk_row(build)
{
    row->labels[0] = mpk_string(NGX_HTTP_MPK_VERSION);
    row->values[0] = 1;

    return n == 0 ? NGX_OK : NGX_DONE;
}


ngx_http_mpk_row(worker)
{
    row->values[0] = m->view.ready;
    row->values[1] = m->view.workers.nelts;
    row->values[2] = m->view.writable;

    return n == 0 ? NGX_OK : NGX_DONE;
}


/* Of all combinations, those that occurred. */

ngx_http_mpk_row(requests)
{
    mpk_str_t   word;
    ngx_uint_t  endpoint, event, outcome;

    outcome = n % NGX_HTTP_MPK_OUTCOME_MAX;
    event = n / NGX_HTTP_MPK_OUTCOME_MAX % NGX_HTTP_MPK_EVENT_MAX;
    endpoint = n / NGX_HTTP_MPK_OUTCOME_MAX / NGX_HTTP_MPK_EVENT_MAX;

    if (endpoint == NGX_HTTP_MPK_ENDPOINT_MAX) {
        return NGX_DONE;
    }

    row->values[0] = m->mmcf->shm->requests[endpoint][event][outcome];

    if (row->values[0] == 0) {
        return NGX_DECLINED;
    }

    row->labels[0] = ngx_http_mpk_endpoint_name(endpoint);

    word = ngx_http_mpk_event_name(event);
    row->labels[1] = word.len ? word : mpk_string("none");

    word = ngx_http_mpk_outcome_name(outcome);
    row->labels[2] = word.len ? word : mpk_string("none");

    return NGX_OK;
}


ngx_http_mpk_row(failures)
{
    ngx_uint_t  i, j, outcome;

    outcome = NGX_HTTP_MPK_OUTCOME_UNAVAILABLE + n;

    if (outcome > NGX_HTTP_MPK_OUTCOME_ERROR) {
        return NGX_DONE;
    }

    row->labels[0] = ngx_http_mpk_outcome_name(outcome);
    row->values[0] = 0;

    for (i = 0; i < NGX_HTTP_MPK_ENDPOINT_MAX; i++) {
        for (j = 0; j < NGX_HTTP_MPK_EVENT_MAX; j++) {
            row->values[0] += m->mmcf->shm->requests[i][j][outcome];
        }
    }

    return NGX_OK;
}


/* Also those that are 0, so that the first event is an increase. */

ngx_http_mpk_row(counters)
{
    const ngx_atomic_t  *counters;

    n += table->first;

    if (n == table->end) {
        return NGX_DONE;
    }

    counters = (const ngx_atomic_t *) (void *)
               ((u_char *) m->mmcf->shm + table->offset);

    row->labels[0] = table->label(n);
    row->values[0] = counters[n];

    return NGX_OK;
}


/* Also those that are 0, as counters. */

ngx_http_mpk_row(actors)
{
    const ngx_http_mpk_actor_t  *actor;

    if (n == NGX_HTTP_MPK_ACTORS) {
        row->labels[0] = mpk_string("other");
        row->values[0] = m->mmcf->shm->corrections_other;

        return row->values[0] ? NGX_OK : NGX_DECLINED;
    }

    if (n > NGX_HTTP_MPK_ACTORS) {
        return NGX_DONE;
    }

    actor = &m->mmcf->shm->actors[n];

    row->labels[0] = (mpk_str_t) { actor->len, actor->name };
    row->values[0] = actor->corrections;

    return actor->len ? NGX_OK : NGX_DECLINED;
}


ngx_http_mpk_row(outbox)
{
    row->values[0] = m->mmcf->shm->events_lost;
    row->values[1] = m->mmcf->shm->events_unproved;

    return n == 0 ? NGX_OK : NGX_DONE;
}


/* Of each list two values, in the order of ngx_http_mpk_worklist_id_t. */

ngx_http_mpk_row(worklists)
{
    time_t                          oldest, at;
    ngx_uint_t                      i, k;
    const ngx_http_mpk_worklist_t  *list;

    for (i = 0; i < NGX_HTTP_MPK_WORKLIST_MAX; i++) {
        row->values[2 * i] = 0;
        oldest = 0;

        for (k = 0; k < MPK_BUCKETS; k++) {
            list = &m->mmcf->shm->worklists[i][k];
            at = list->oldest;

            row->values[2 * i] += list->count;

            if (at && (oldest == 0 || at < oldest)) {
                oldest = at;
            }
        }

        row->values[2 * i + 1] = oldest ? ngx_max(ngx_time() - oldest, 0) : 0;
    }

    return n == 0 ? NGX_OK : NGX_DONE;
}


ngx_http_mpk_row(groups)
{
    size_t              len;
    ngx_http_mpk_lag_t  lag;

    if (!ngx_http_mpk_lag_sum(m->mmcf, n, m->group, &len, &lag)) {
        return NGX_DONE;
    }

    row->labels[0] = (mpk_str_t) { len, m->group };
    row->values[0] = lag.oldest ? ngx_max(ngx_time() - (time_t) lag.oldest, 0)
                                : 0;
    row->values[1] = lag.lag;
    row->values[2] = lag.pending;
    row->values[3] = lag.delayed;
    row->values[4] = lag.parked;

    return NGX_OK;
}


ngx_http_mpk_row(edges)
{
    row->values[0] = m->mmcf->shm->keyring_incomplete;

    return n == 0 ? NGX_OK : NGX_DONE;
}


ngx_http_mpk_row(lacks)
{
    ngx_http_mpk_lack_t  *lack, *copy;

    if (n >= m->mmcf->shm->lacks_count) {
        return NGX_DONE;
    }

    lack = &m->mmcf->shm->lacks[n];
    copy = &m->lack;

    *copy = *lack;
    ngx_memory_barrier();

    if ((copy->version & 1) || copy->version != lack->version) {
        return NGX_DECLINED;
    }

    row->labels[0] = (mpk_str_t) { copy->edge_len, copy->edge };
    row->labels[1] = (mpk_str_t) { copy->kid_len, copy->kid };
    row->values[0] = 1;

    return NGX_OK;
}


ngx_http_mpk_row(redis)
{
    const ngx_mpk_redis_stats_t  *redis;

    redis = &m->mmcf->shm->redis;

    row->values[0] = redis->connects;
    row->values[1] = redis->failures;
    row->values[2] = redis->lost;
    row->values[3] = redis->unsent;
    row->values[4] = redis->overflows;
    row->values[5] = redis->redirects;
    row->values[6] = redis->shortfalls;

    return n == 0 ? NGX_OK : NGX_DONE;
}


ngx_http_mpk_row(workers)
{
    u_char                            *last;
    const ngx_http_mpk_worker_view_t  *worker;

    if (n == m->view.workers.nelts) {
        return NGX_DONE;
    }

    worker = m->view.workers.elts;
    last = ngx_sprintf(m->label, "%ui", worker[n].worker);

    row->labels[0] = (mpk_str_t) { last - m->label, m->label };
    row->values[0] = worker[n].pending;
    row->values[1] = worker[n].writable;

    return NGX_OK;
}


ngx_http_mpk_row(nodes)
{
    const ngx_http_mpk_node_view_t  *node;

    if (n == m->view.nodes.nelts) {
        return NGX_DONE;
    }

    node = m->view.nodes.elts;

    row->labels[0] = ngx_http_mpk_str(&node[n].name);
    row->values[0] = node[n].ready;
    row->values[1] = node[n].durable;
    row->values[2] = node[n].evicts;
    row->values[3] = node[n].skew / 1000;

    return NGX_OK;
}


ngx_http_mpk_row(keys)
{
    const char       *name;
    const mpk_key_t  *key;

    if (n == MPK_USE_MAX || m->mmcf->keyring == NULL) {
        return NGX_DONE;
    }

    key = mpk_keyring_current(m->mmcf->keyring, n);

    if (key == NULL) {
        return NGX_DECLINED;
    }

    name = mpk_use_name(n);

    row->labels[0] = (mpk_str_t) { ngx_strlen(name), (u_char *) name };
    row->values[0] = key->created;

    return NGX_OK;
}


ngx_http_mpk_row(certificates)
{
    time_t  client, ca;

    ngx_mpk_redis_certificates(m->mmcf->redis, &client, &ca);

    row->labels[0] = n ? mpk_string("tls_ca") : mpk_string("tls_cert");
    row->key = n ? mpk_string("ca") : mpk_string("client");
    row->values[0] = n ? ca : client;

    return n < 2 ? NGX_OK : NGX_DONE;
}


static mpk_str_t
ngx_http_mpk_label_channel(ngx_uint_t channel)
{
    return  mpk_channel_name(channel);
}


static mpk_str_t
ngx_http_mpk_label_rule(ngx_uint_t rule)
{
    static const mpk_str_t  rules[] = {
        mpk_literal(""), mpk_literal("R1"), mpk_literal("R2"),
        mpk_literal("R3"), mpk_literal("R4"), mpk_literal("R5"),
        mpk_literal("R6"), mpk_literal("R7"), mpk_literal("R8"),
        mpk_literal("R9"), mpk_literal("R10"), mpk_literal("R11"),
        mpk_literal("R12")
    };

    _Static_assert(sizeof(rules) / sizeof(rules[0]) == NGX_HTTP_MPK_RULES + 1,
                   "a name for each rule");

    return rules[rule];
}


static mpk_str_t
ngx_http_mpk_label_error(ngx_uint_t error)
{
    mpk_str_t  name;

    name = ngx_mpk_redis_error_info(error)->name;

    return name.len ? name : mpk_string("other");
}
