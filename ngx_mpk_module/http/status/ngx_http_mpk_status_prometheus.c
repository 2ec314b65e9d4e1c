/* Counters in the text format of Prometheus. */

#include "ngx_http_mpk_stats.h"

#define NGX_HTTP_MPK_METRIC_MAX  256   /* bytes of a line, a server's name not counted */


static void ngx_http_mpk_metric_head(mpk_buf_t *buf, const char *name,
    const char *type, const char *help);
static void ngx_http_mpk_metric(mpk_buf_t *buf, const char *fmt, ...);
static void ngx_http_mpk_metric_requests(ngx_http_mpk_shm_t *shm,
    mpk_buf_t *buf);
static void ngx_http_mpk_metric_tables(ngx_http_mpk_shm_t *shm,
    mpk_buf_t *buf);
static void ngx_http_mpk_metric_store(ngx_http_mpk_shm_t *shm, mpk_buf_t *buf);
static void ngx_http_mpk_metric_redis(ngx_http_mpk_shm_t *shm, mpk_buf_t *buf);
static void ngx_http_mpk_metric_workers(ngx_http_mpk_view_t *view,
    mpk_buf_t *buf);
static void ngx_http_mpk_metric_nodes(ngx_http_mpk_view_t *view,
    mpk_buf_t *buf);
static void ngx_http_mpk_metric_node(mpk_buf_t *buf, const char *name,
    ngx_str_t *node, ngx_uint_t value);
static void ngx_http_mpk_metric_times(ngx_http_mpk_main_conf_t *mmcf,
    mpk_buf_t *buf);


void
ngx_http_mpk_status_prometheus(ngx_http_mpk_main_conf_t *mmcf,
    ngx_http_mpk_view_t *view, mpk_buf_t *buf)
{
    ngx_http_mpk_metric_head(buf, "mpk_ready", "gauge",
                             "Whether the worker that answers takes commits.");
    ngx_http_mpk_metric(buf, "mpk_ready %ui\n", view->ready);

    ngx_http_mpk_metric_requests(mmcf->shm, buf);
    ngx_http_mpk_metric_tables(mmcf->shm, buf);
    ngx_http_mpk_metric_store(mmcf->shm, buf);
    ngx_http_mpk_metric_redis(mmcf->shm, buf);
    ngx_http_mpk_metric_workers(view, buf);
    ngx_http_mpk_metric_nodes(view, buf);
    ngx_http_mpk_metric_times(mmcf, buf);
}


static void
ngx_http_mpk_metric_head(mpk_buf_t *buf, const char *name, const char *type,
    const char *help)
{
    ngx_http_mpk_metric(buf, "# HELP %s %s\n", name, help);
    ngx_http_mpk_metric(buf, "# TYPE %s %s\n", name, type);
}


static void
ngx_http_mpk_metric(mpk_buf_t *buf, const char *fmt, ...)
{
    u_char   *last;
    u_char    line[NGX_HTTP_MPK_METRIC_MAX];
    va_list   args;

    va_start(args, fmt);
    last = ngx_vslprintf(line, line + NGX_HTTP_MPK_METRIC_MAX, fmt, args);
    va_end(args);

    mpk_buf_put(buf, line, last - line);
}


/* Of the many that there could be, those that there were. */

static void
ngx_http_mpk_metric_requests(ngx_http_mpk_shm_t *shm, mpk_buf_t *buf)
{
    mpk_str_t          endpoint, event, outcome;
    ngx_uint_t         i, j, k;
    ngx_atomic_uint_t  n;

    ngx_http_mpk_metric_head(buf, "mpk_requests_total", "counter",
                             "Requests, by what they were and what came of "
                             "them.");

    for (i = 0; i < NGX_HTTP_MPK_ENDPOINT_MAX; i++) {
        for (j = 0; j < NGX_HTTP_MPK_EVENT_MAX; j++) {
            for (k = 0; k < NGX_HTTP_MPK_OUTCOME_MAX; k++) {

                n = shm->requests[i][j][k];

                if (n == 0) {
                    continue;
                }

                endpoint = ngx_http_mpk_endpoint_name(i);
                event = ngx_http_mpk_stats_word(ngx_http_mpk_event_name(j));
                outcome = ngx_http_mpk_stats_word(
                              ngx_http_mpk_outcome_name(k));

                ngx_http_mpk_metric(buf,
                                    "mpk_requests_total{endpoint=\"%*s\","
                                    "event=\"%*s\",outcome=\"%*s\"} %uA\n",
                                    endpoint.len, endpoint.data,
                                    event.len, event.data,
                                    outcome.len, outcome.data, n);
            }
        }
    }
}


static void
ngx_http_mpk_metric_tables(ngx_http_mpk_shm_t *shm, mpk_buf_t *buf)
{
    mpk_str_t   name;
    ngx_uint_t  i;

    /* there from the start, so that the first one is an increase */

    ngx_http_mpk_metric_head(buf, "mpk_failures_total", "counter",
                             "Requests that Redis or what is stored there "
                             "has failed.");

    for (i = NGX_HTTP_MPK_OUTCOME_UNAVAILABLE;
         i <= NGX_HTTP_MPK_OUTCOME_ERROR;
         i++)
    {
        name = ngx_http_mpk_outcome_name(i);
        ngx_http_mpk_metric(buf, "mpk_failures_total{outcome=\"%*s\"} %uA\n",
                            name.len, name.data,
                            ngx_http_mpk_stats_outcome(shm, i));
    }

    ngx_http_mpk_metric_head(buf, "mpk_refusals_total", "counter",
                             "What a rule of the policy has refused.");

    for (i = 1; i <= NGX_HTTP_MPK_RULES; i++) {
        ngx_http_mpk_metric(buf, "mpk_refusals_total{rule=\"R%ui\"} %uA\n", i,
                            shm->refusals[i]);
    }

    ngx_http_mpk_metric_head(buf, "mpk_views_total", "counter",
                             "Views of keys that are in the journal.");

    for (i = MPK_CHANNEL_NONE + 1; i < MPK_CHANNEL_MAX; i++) {
        name = mpk_channel_name(i);
        ngx_http_mpk_metric(buf, "mpk_views_total{channel=\"%*s\"} %uA\n",
                            name.len, name.data, shm->views[i]);
    }

    ngx_http_mpk_metric_head(buf, "mpk_repeats_total", "counter",
                             "Views that repeat one within its grace.");

    for (i = MPK_CHANNEL_NONE + 1; i < MPK_CHANNEL_MAX; i++) {
        name = mpk_channel_name(i);
        ngx_http_mpk_metric(buf, "mpk_repeats_total{channel=\"%*s\"} %uA\n",
                            name.len, name.data, shm->repeats[i]);
    }

    ngx_http_mpk_metric_head(buf, "mpk_ndjson_lines_total", "counter",
                             "Lines of files of orders.");

    for (i = 0; i < NGX_HTTP_MPK_LINES_MAX; i++) {
        name = ngx_http_mpk_lines_name(i);
        ngx_http_mpk_metric(buf, "mpk_ndjson_lines_total{result=\"%*s\"} %uA\n",
                            name.len, name.data, shm->lines[i]);
    }
}


static void
ngx_http_mpk_metric_store(ngx_http_mpk_shm_t *shm, mpk_buf_t *buf)
{
    ngx_uint_t         i;
    ngx_atomic_uint_t  n, time;

    ngx_http_mpk_metric_head(buf, "mpk_store_seconds", "histogram",
                             "Waits for Redis: one for each transaction, one "
                             "for reads that are sent together.");
    n = 0;

    for (i = 0; i < NGX_HTTP_MPK_BUCKETS; i++) {
        n += shm->store[i];
        ngx_http_mpk_metric(buf, "mpk_store_seconds_bucket{le=\"%s\"} %uA\n",
                            ngx_http_mpk_bucket_names[i], n);
    }

    n += shm->store[i];
    time = shm->store_time;

    ngx_http_mpk_metric(buf, "mpk_store_seconds_bucket{le=\"+Inf\"} %uA\n", n);
    ngx_http_mpk_metric(buf, "mpk_store_seconds_sum %uA.%06uA\n",
                        time / 1000000, time % 1000000);
    ngx_http_mpk_metric(buf, "mpk_store_seconds_count %uA\n", n);
}


static void
ngx_http_mpk_metric_redis(ngx_http_mpk_shm_t *shm, mpk_buf_t *buf)
{
    u_char                               name[64];
    mpk_str_t                            error;
    ngx_uint_t                           i;
    ngx_atomic_t                        *n;
    const ngx_http_mpk_redis_counter_t  *counter;

    for (counter = ngx_http_mpk_redis_counters; counter->help; counter++) {

        (void) ngx_snprintf(name, sizeof(name), "mpk_redis_%*s_total%Z",
                            counter->name.len, counter->name.data);

        n = (ngx_atomic_t *) (void *) ((u_char *) &shm->redis
                                       + counter->offset);

        ngx_http_mpk_metric_head(buf, (char *) name, "counter",
                                 counter->help);
        ngx_http_mpk_metric(buf, "%s %uA\n", name, *n);
    }

    ngx_http_mpk_metric_head(buf, "mpk_redis_errors_total", "counter",
                             "Errors that Redis answered.");

    for (i = 0; i < NGX_MPK_REDIS_ERR_MAX; i++) {
        error = ngx_mpk_redis_error_info(i)->name;

        if (error.len == 0) {
            error = mpk_string("other");
        }

        ngx_http_mpk_metric(buf, "mpk_redis_errors_total{error=\"%*s\"} %uA\n",
                            error.len, error.data, shm->redis.errors[i]);
    }
}


static void
ngx_http_mpk_metric_workers(ngx_http_mpk_view_t *view, mpk_buf_t *buf)
{
    ngx_uint_t                   i;
    ngx_http_mpk_worker_view_t  *worker;

    ngx_http_mpk_metric_head(buf, "mpk_workers", "gauge",
                             "Workers that have told of themselves lately.");
    ngx_http_mpk_metric(buf, "mpk_workers %ui\n", view->workers.nelts);

    ngx_http_mpk_metric_head(buf, "mpk_workers_ready", "gauge",
                             "Workers that take commits.");
    ngx_http_mpk_metric(buf, "mpk_workers_ready %ui\n", view->writable);

    ngx_http_mpk_metric_head(buf, "mpk_redis_queue_depth", "gauge",
                             "Commands that wait or are under way.");

    worker = view->workers.elts;

    for (i = 0; i < view->workers.nelts; i++) {
        ngx_http_mpk_metric(buf, "mpk_redis_queue_depth{worker=\"%ui\"} %ui\n",
                            worker[i].worker, worker[i].pending);
    }
}


static void
ngx_http_mpk_metric_nodes(ngx_http_mpk_view_t *view, mpk_buf_t *buf)
{
    ngx_uint_t                 i;
    ngx_http_mpk_node_view_t  *node;

    node = view->nodes.elts;

    ngx_http_mpk_metric_head(buf, "mpk_redis_node_ready", "gauge",
                             "Workers for which this server answers.");

    for (i = 0; i < view->nodes.nelts; i++) {
        ngx_http_mpk_metric_node(buf, "mpk_redis_node_ready", &node[i].name,
                                 node[i].ready);
    }

    ngx_http_mpk_metric_head(buf, "mpk_redis_node_commits", "gauge",
                             "Workers for which this server takes commits.");

    for (i = 0; i < view->nodes.nelts; i++) {
        ngx_http_mpk_metric_node(buf, "mpk_redis_node_commits", &node[i].name,
                                 node[i].durable);
    }

    ngx_http_mpk_metric_head(buf, "mpk_redis_node_evicts", "gauge",
                             "Workers that found a maxmemory-policy by which "
                             "this server throws orders away.");

    for (i = 0; i < view->nodes.nelts; i++) {
        ngx_http_mpk_metric_node(buf, "mpk_redis_node_evicts", &node[i].name,
                                 node[i].evicts);
    }
}


static void
ngx_http_mpk_metric_node(mpk_buf_t *buf, const char *name, ngx_str_t *node,
    ngx_uint_t value)
{
    size_t  i;

    ngx_http_mpk_metric(buf, "%s{node=\"", name);

    for (i = 0; i < node->len; i++) {

        switch (node->data[i]) {

        case '"':
        case '\\':
            mpk_buf_byte(buf, '\\');
            mpk_buf_byte(buf, node->data[i]);
            break;

        case '\n':
            mpk_buf_lit(buf, "\\n");
            break;

        default:
            mpk_buf_byte(buf, node->data[i]);
        }
    }

    ngx_http_mpk_metric(buf, "\"} %ui\n", value);
}


static void
ngx_http_mpk_metric_times(ngx_http_mpk_main_conf_t *mmcf, mpk_buf_t *buf)
{
    time_t            client, ca;
    mpk_use_t         use;
    ngx_uint_t        headed;
    const mpk_key_t  *key;

    headed = 0;

    for (use = 0; use < MPK_USE_MAX && mmcf->keyring; use++) {
        key = mpk_keyring_current(mmcf->keyring, use);

        if (key == NULL || key->created == 0) {
            continue;
        }

        if (!headed) {
            headed = 1;
            ngx_http_mpk_metric_head(buf, "mpk_key_created_timestamp_seconds",
                                     "gauge", "When the current key of the "
                                     "keyring for that use was made.");
        }

        ngx_http_mpk_metric(buf, "mpk_key_created_timestamp_seconds"
                            "{use=\"%s\"} %T\n", mpk_use_name(use),
                            (time_t) key->created);
    }

    ngx_mpk_redis_certificates(mmcf->redis, &client, &ca);

    if (client == 0 && ca == 0) {
        return;
    }

    ngx_http_mpk_metric_head(buf,
                             "mpk_redis_certificate_expiry_timestamp_seconds",
                             "gauge", "When the first of tls_cert and of "
                             "tls_ca expires.");

    if (client) {
        ngx_http_mpk_metric(buf,
            "mpk_redis_certificate_expiry_timestamp_seconds"
            "{certificate=\"tls_cert\"} %T\n", client);
    }

    if (ca) {
        ngx_http_mpk_metric(buf,
            "mpk_redis_certificate_expiry_timestamp_seconds"
            "{certificate=\"tls_ca\"} %T\n", ca);
    }
}
