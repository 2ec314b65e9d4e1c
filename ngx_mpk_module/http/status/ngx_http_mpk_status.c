/* mpk_status: what was counted, and whether commits are taken, as JSON or for Prometheus. */

#include "ngx_http_mpk_stats.h"

#define NGX_HTTP_MPK_STATUS_RETRY  5       /* seconds, for a 503 */
#define NGX_HTTP_MPK_STATUS_SIZE   16384   /* bytes of most answers */


typedef enum {
    NGX_HTTP_MPK_STATUS_PROMETHEUS = 0,
    NGX_HTTP_MPK_STATUS_JSON
} ngx_http_mpk_status_t;


static mpk_value_t *ngx_http_mpk_status_json(ngx_http_mpk_main_conf_t *mmcf,
    ngx_http_mpk_view_t *view, const mpk_mem_t *mem);
static void ngx_http_mpk_status_requests(ngx_http_mpk_shm_t *shm,
    const mpk_mem_t *mem, mpk_value_t *facts);
static void ngx_http_mpk_status_tables(ngx_http_mpk_shm_t *shm,
    const mpk_mem_t *mem, mpk_value_t *facts);
static void ngx_http_mpk_status_store(ngx_http_mpk_shm_t *shm,
    const mpk_mem_t *mem, mpk_value_t *facts);
static void ngx_http_mpk_status_redis(ngx_http_mpk_shm_t *shm,
    ngx_http_mpk_view_t *view, const mpk_mem_t *mem, mpk_value_t *facts);
static void ngx_http_mpk_status_times(ngx_http_mpk_main_conf_t *mmcf,
    const mpk_mem_t *mem, mpk_value_t *facts);
static void ngx_http_mpk_status_time(const mpk_mem_t *mem,
    mpk_value_t *parent, mpk_str_t name, time_t time);


char *
ngx_http_mpk_conf_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_mpk_loc_conf_t *mlcf = conf;

    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "prometheus") == 0) {
        mlcf->status = NGX_HTTP_MPK_STATUS_PROMETHEUS;

    } else if (ngx_strcmp(value[1].data, "json") == 0) {
        mlcf->status = NGX_HTTP_MPK_STATUS_JSON;

    } else {
        return "must be \"prometheus\" or \"json\"";
    }

    return ngx_http_mpk_conf_handler(cf, cmd, mlcf,
                                     ngx_http_mpk_status_handler);
}


ngx_int_t
ngx_http_mpk_status_handler(ngx_http_request_t *r)
{
    mpk_buf_t                  body;
    ngx_http_mpk_ctx_t        *ctx;
    ngx_http_mpk_view_t        view;
    ngx_http_mpk_answer_t      answer;
    ngx_http_mpk_loc_conf_t   *mlcf;
    ngx_http_mpk_main_conf_t  *mmcf;

    static ngx_str_t  json = ngx_string("application/json");
    static ngx_str_t  text =
        ngx_string("text/plain; version=0.0.4; charset=utf-8");

    ctx = ngx_http_mpk_create_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        answer.status = NGX_HTTP_NOT_ALLOWED;
        answer.allow = "GET, HEAD";

        return ngx_http_mpk_send_problem(r, ctx, &answer,
                                         mpk_string("method"),
                                         mpk_string("Use GET."),
                                         mpk_string(""), NULL);
    }

    mmcf = ngx_http_get_module_main_conf(r, ngx_http_mpk_module);
    mlcf = ngx_http_get_module_loc_conf(r, ngx_http_mpk_module);

    if (ngx_http_mpk_stats_view(mmcf, r->pool, &view) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    mpk_buf_init(&body, &ctx->mem.mem, NGX_HTTP_MPK_STATUS_SIZE);

    answer.status = NGX_HTTP_OK;

    if (mlcf->status == NGX_HTTP_MPK_STATUS_PROMETHEUS) {

        /* Prometheus drops what comes with a 503, just when it matters */

        ngx_http_mpk_status_prometheus(mmcf, &view, &body);

        return ngx_http_mpk_send_typed(r, ctx, &answer, &text, &body);
    }

    if (!view.ready) {
        answer.status = NGX_HTTP_SERVICE_UNAVAILABLE;
        answer.retry_after = NGX_HTTP_MPK_STATUS_RETRY;
    }

    mpk_json_write(&body, ngx_http_mpk_status_json(mmcf, &view,
                                                   &ctx->mem.mem));
    mpk_buf_byte(&body, '\n');

    return ngx_http_mpk_send_typed(r, ctx, &answer, &json, &body);
}


static mpk_value_t *
ngx_http_mpk_status_json(ngx_http_mpk_main_conf_t *mmcf,
    ngx_http_mpk_view_t *view, const mpk_mem_t *mem)
{
    mpk_value_t  *facts;

    facts = mpk_value_object(mem, NULL, mpk_string(""));
    if (facts == NULL) {
        return NULL;
    }

    (void) mpk_value_bool(mem, facts, mpk_string("ready"), view->ready);

    ngx_http_mpk_status_requests(mmcf->shm, mem, facts);
    ngx_http_mpk_status_tables(mmcf->shm, mem, facts);
    ngx_http_mpk_status_store(mmcf->shm, mem, facts);
    ngx_http_mpk_status_redis(mmcf->shm, view, mem, facts);
    ngx_http_mpk_status_times(mmcf, mem, facts);

    return facts;
}


static void
ngx_http_mpk_status_requests(ngx_http_mpk_shm_t *shm, const mpk_mem_t *mem,
    mpk_value_t *facts)
{
    uint64_t      n;
    ngx_uint_t    i, j, k;
    mpk_value_t  *list, *row;

    list = mpk_value_array(mem, facts, mpk_string("requests"));

    for (i = 0; i < NGX_HTTP_MPK_ENDPOINT_MAX; i++) {
        for (j = 0; j < NGX_HTTP_MPK_EVENT_MAX; j++) {
            for (k = 0; k < NGX_HTTP_MPK_OUTCOME_MAX; k++) {

                n = shm->requests[i][j][k];

                if (n == 0) {
                    continue;
                }

                row = mpk_value_object(mem, list, mpk_string(""));

                (void) mpk_value_string(mem, row, mpk_string("endpoint"),
                                        ngx_http_mpk_endpoint_name(i));
                (void) mpk_value_string(mem, row, mpk_string("event"),
                           ngx_http_mpk_stats_word(ngx_http_mpk_event_name(j)));
                (void) mpk_value_string(mem, row, mpk_string("outcome"),
                           ngx_http_mpk_stats_word(
                               ngx_http_mpk_outcome_name(k)));
                (void) mpk_value_int(mem, row, mpk_string("count"),
                                     (int64_t) n);
            }
        }
    }
}


static void
ngx_http_mpk_status_tables(ngx_http_mpk_shm_t *shm, const mpk_mem_t *mem,
    mpk_value_t *facts)
{
    ngx_uint_t    i;
    mpk_value_t  *table;

    static const mpk_str_t  rules[NGX_HTTP_MPK_RULES + 1] = {
        mpk_literal(""), mpk_literal("R1"), mpk_literal("R2"),
        mpk_literal("R3"), mpk_literal("R4"), mpk_literal("R5"),
        mpk_literal("R6"), mpk_literal("R7"), mpk_literal("R8"),
        mpk_literal("R9"), mpk_literal("R10")
    };

    table = mpk_value_object(mem, facts, mpk_string("failures"));

    for (i = NGX_HTTP_MPK_OUTCOME_UNAVAILABLE;
         i <= NGX_HTTP_MPK_OUTCOME_ERROR;
         i++)
    {
        (void) mpk_value_int(mem, table, ngx_http_mpk_outcome_name(i),
                             (int64_t) ngx_http_mpk_stats_outcome(shm, i));
    }

    table = mpk_value_object(mem, facts, mpk_string("refusals"));

    for (i = 1; i <= NGX_HTTP_MPK_RULES; i++) {
        (void) mpk_value_int(mem, table, rules[i], (int64_t) shm->refusals[i]);
    }

    table = mpk_value_object(mem, facts, mpk_string("views"));

    for (i = MPK_CHANNEL_NONE + 1; i < MPK_CHANNEL_MAX; i++) {
        (void) mpk_value_int(mem, table, mpk_channel_name(i),
                             (int64_t) shm->views[i]);
    }

    table = mpk_value_object(mem, facts, mpk_string("repeats"));

    for (i = MPK_CHANNEL_NONE + 1; i < MPK_CHANNEL_MAX; i++) {
        (void) mpk_value_int(mem, table, mpk_channel_name(i),
                             (int64_t) shm->repeats[i]);
    }

    table = mpk_value_object(mem, facts, mpk_string("ndjson_lines"));

    for (i = 0; i < NGX_HTTP_MPK_LINES_MAX; i++) {
        (void) mpk_value_int(mem, table, ngx_http_mpk_lines_name(i),
                             (int64_t) shm->lines[i]);
    }
}


/* Each bucket by itself, unlike Prometheus'; the last one's bound is null. */

static void
ngx_http_mpk_status_store(ngx_http_mpk_shm_t *shm, const mpk_mem_t *mem,
    mpk_value_t *facts)
{
    uint64_t      n, count;
    ngx_uint_t    i;
    mpk_value_t  *store, *list, *row;

    count = 0;

    store = mpk_value_object(mem, facts, mpk_string("store"));
    list = mpk_value_array(mem, store, mpk_string("buckets"));

    for (i = 0; i <= NGX_HTTP_MPK_BUCKETS; i++) {
        n = shm->store[i];
        count += n;

        row = mpk_value_object(mem, list, mpk_string(""));

        if (i < NGX_HTTP_MPK_BUCKETS) {
            (void) mpk_value_int(mem, row, mpk_string("us"),
                                 (int64_t) ngx_http_mpk_buckets[i]);
        } else {
            (void) mpk_value_null(mem, row, mpk_string("us"));
        }

        (void) mpk_value_int(mem, row, mpk_string("count"), (int64_t) n);
    }

    (void) mpk_value_int(mem, store, mpk_string("count"), (int64_t) count);
    (void) mpk_value_int(mem, store, mpk_string("us"),
                         (int64_t) shm->store_time);
}


static void
ngx_http_mpk_status_redis(ngx_http_mpk_shm_t *shm, ngx_http_mpk_view_t *view,
    const mpk_mem_t *mem, mpk_value_t *facts)
{
    mpk_str_t                            name;
    ngx_uint_t                           i;
    mpk_value_t                         *redis, *list, *row;
    ngx_http_mpk_node_view_t            *node;
    ngx_http_mpk_worker_view_t          *worker;
    const ngx_http_mpk_redis_counter_t  *counter;

    redis = mpk_value_object(mem, facts, mpk_string("redis"));

    for (counter = ngx_http_mpk_redis_counters; counter->help; counter++) {
        (void) mpk_value_int(mem, redis, counter->name,
                   (int64_t) *(ngx_atomic_t *) (void *)
                             ((u_char *) &shm->redis + counter->offset));
    }

    list = mpk_value_object(mem, redis, mpk_string("errors"));

    for (i = 0; i < NGX_MPK_REDIS_ERR_MAX; i++) {
        name = ngx_mpk_redis_error_info(i)->name;

        (void) mpk_value_int(mem, list, name.len ? name : mpk_string("other"),
                             (int64_t) shm->redis.errors[i]);
    }

    list = mpk_value_array(mem, redis, mpk_string("workers"));
    worker = view->workers.elts;

    for (i = 0; i < view->workers.nelts; i++) {
        row = mpk_value_object(mem, list, mpk_string(""));

        (void) mpk_value_int(mem, row, mpk_string("worker"),
                             (int64_t) worker[i].worker);
        (void) mpk_value_int(mem, row, mpk_string("queue"),
                             (int64_t) worker[i].pending);
        (void) mpk_value_bool(mem, row, mpk_string("ready"),
                              worker[i].writable);
    }

    list = mpk_value_array(mem, redis, mpk_string("nodes"));
    node = view->nodes.elts;

    for (i = 0; i < view->nodes.nelts; i++) {
        row = mpk_value_object(mem, list, mpk_string(""));

        (void) mpk_value_string(mem, row, mpk_string("node"),
                                (mpk_str_t) { node[i].name.len,
                                              node[i].name.data });
        (void) mpk_value_int(mem, row, mpk_string("ready"),
                             (int64_t) node[i].ready);
        (void) mpk_value_int(mem, row, mpk_string("commits"),
                             (int64_t) node[i].durable);
        (void) mpk_value_int(mem, row, mpk_string("evicts"),
                             (int64_t) node[i].evicts);
    }
}


static void
ngx_http_mpk_status_times(ngx_http_mpk_main_conf_t *mmcf, const mpk_mem_t *mem,
    mpk_value_t *facts)
{
    time_t            client, ca;
    mpk_use_t         use;
    const char       *name;
    mpk_value_t      *table;
    const mpk_key_t  *key;

    table = mpk_value_object(mem, facts, mpk_string("keys_created_at"));

    for (use = 0; use < MPK_USE_MAX && mmcf->keyring; use++) {
        key = mpk_keyring_current(mmcf->keyring, use);

        if (key) {
            name = mpk_use_name(use);
            ngx_http_mpk_status_time(mem, table,
                                     (mpk_str_t) { ngx_strlen(name),
                                                   (u_char *) name },
                                     (time_t) key->created);
        }
    }

    ngx_mpk_redis_certificates(mmcf->redis, &client, &ca);

    table = mpk_value_object(mem, facts,
                             mpk_string("redis_certificates_expire_at"));

    ngx_http_mpk_status_time(mem, table, mpk_string("client"), client);
    ngx_http_mpk_status_time(mem, table, mpk_string("ca"), ca);
}


static void
ngx_http_mpk_status_time(const mpk_mem_t *mem, mpk_value_t *parent,
    mpk_str_t name, time_t time)
{
    uint8_t  *p;

    p = time ? mpk_alloc(mem, MPK_TIME_LEN) : NULL;

    if (p == NULL) {
        (void) mpk_value_null(mem, parent, name);
        return;
    }

    mpk_time_format(time, p);

    (void) mpk_value_string(mem, parent, name,
                            (mpk_str_t) { MPK_TIME_LEN, p });
}
