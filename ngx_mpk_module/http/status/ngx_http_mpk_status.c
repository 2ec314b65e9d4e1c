/* mpk_status: the metrics and whether commits are taken, as JSON or for Prometheus. */

#include "ngx_http_mpk_status.h"
#include "ngx_http_mpk_answer.h"
#include "ngx_http_mpk_metrics.h"

#define NGX_HTTP_MPK_STATUS_RETRY  5       /* seconds, for a 503 */
#define NGX_HTTP_MPK_STATUS_SIZE   16384   /* bytes of most answers */


static mpk_value_t *ngx_http_mpk_status_json(ngx_http_mpk_metrics_t *m,
    mpk_mem_t *mem);
static mpk_value_t *ngx_http_mpk_status_parent(mpk_value_t *document,
    mpk_str_t name);
static void ngx_http_mpk_status_table(ngx_http_mpk_metrics_t *m,
    const ngx_http_mpk_metric_table_t *table, mpk_mem_t *mem,
    mpk_value_t *parent);
static void ngx_http_mpk_status_labels(
    const ngx_http_mpk_metric_table_t *table,
    const ngx_http_mpk_metric_row_t *row, mpk_mem_t *mem,
    mpk_value_t *object);
static void ngx_http_mpk_status_values(
    const ngx_http_mpk_metric_table_t *table,
    const ngx_http_mpk_metric_row_t *row, mpk_mem_t *mem,
    mpk_value_t *object);
static void ngx_http_mpk_status_value(ngx_http_mpk_metric_type_t type,
    int64_t n, mpk_mem_t *mem, mpk_value_t *object, mpk_str_t name);
static void ngx_http_mpk_status_histogram(
    const ngx_http_mpk_histogram_info_t *info,
    const ngx_http_mpk_histogram_t *histogram, mpk_value_t *document);


ngx_int_t
ngx_http_mpk_status_handler(ngx_http_request_t *r)
{
    mpk_buf_t                body;
    ngx_http_mpk_ctx_t      *ctx;
    ngx_http_mpk_answer_t    answer;
    ngx_http_mpk_metrics_t   m;

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

    m.mmcf = ctx->mmcf;

    if (ngx_http_mpk_stats_view(m.mmcf, r->pool, &m.view) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    mpk_buf_init(&body, &ctx->mem, NGX_HTTP_MPK_STATUS_SIZE);

    answer.status = NGX_HTTP_OK;

    if (ctx->mlcf->status == NGX_HTTP_MPK_STATUS_PROMETHEUS) {

        /* Prometheus drops the body of a 503, just when it matters */

        ngx_http_mpk_status_prometheus(&m, &body);

        return ngx_http_mpk_send_typed(r, ctx, &answer, &text, &body);
    }

    if (!m.view.ready) {
        answer.status = NGX_HTTP_SERVICE_UNAVAILABLE;
        answer.retry_after = NGX_HTTP_MPK_STATUS_RETRY;
    }

    mpk_json_write(&body, ngx_http_mpk_status_json(&m, &ctx->mem));
    mpk_buf_byte(&body, '\n');

    return ngx_http_mpk_send_typed(r, ctx, &answer, &json, &body);
}


static mpk_value_t *
ngx_http_mpk_status_json(ngx_http_mpk_metrics_t *m, mpk_mem_t *mem)
{
    ngx_uint_t                          i;
    mpk_value_t                        *document;
    const ngx_http_mpk_metric_table_t  *table;

    document = mpk_value_new(mem, MPK_VALUE_OBJECT);

    for (table = ngx_http_mpk_metric_tables; table->row; table++) {
        ngx_http_mpk_status_table(m, table, mem,
                                  ngx_http_mpk_status_parent(document,
                                                             table->parent));
    }

    for (i = 0; i < NGX_HTTP_MPK_HISTOGRAM_MAX; i++) {
        ngx_http_mpk_status_histogram(&ngx_http_mpk_histograms[i],
                                      &m->mmcf->shm->histograms[i], document);
    }

    return document;
}


/* The member of the document, or itself. */

static mpk_value_t *
ngx_http_mpk_status_parent(mpk_value_t *document, mpk_str_t name)
{
    mpk_value_t  *parent;

    if (name.len == 0) {
        return document;
    }

    parent = (mpk_value_t *) mpk_value_get(document, name);

    return parent ? parent : mpk_value_object(document, name);
}


static void
ngx_http_mpk_status_table(ngx_http_mpk_metrics_t *m,
    const ngx_http_mpk_metric_table_t *table, mpk_mem_t *mem,
    mpk_value_t *parent)
{
    ngx_int_t                   rc;
    mpk_str_t                   key;
    ngx_uint_t                  n;
    mpk_value_t                *list, *object;
    ngx_http_mpk_metric_row_t   row;

    list = table->form == NGX_HTTP_MPK_METRIC_MEMBERS ? parent
           : table->form == NGX_HTTP_MPK_METRIC_ROWS
             ? mpk_value_array(parent, table->member)
             : mpk_value_object(parent, table->member);

    for (n = 0; /* void */ ; n++) {

        row.key.len = 0;

        rc = table->row(m, table, n, &row);

        if (rc == NGX_DONE) {
            return;
        }

        if (rc == NGX_DECLINED) {
            continue;
        }

        switch (table->form) {

        case NGX_HTTP_MPK_METRIC_MEMBERS:
            ngx_http_mpk_status_labels(table, &row, mem, list);
            ngx_http_mpk_status_values(table, &row, mem, list);
            break;

        case NGX_HTTP_MPK_METRIC_KEYED:
            key = row.key.len ? row.key : row.labels[0];

            ngx_http_mpk_status_value(table->metrics[0].type, row.values[0],
                                      mem, list, key);
            break;

        case NGX_HTTP_MPK_METRIC_ROWS:
            object = mpk_value_object(list, mpk_string(""));

            ngx_http_mpk_status_labels(table, &row, mem, object);
            ngx_http_mpk_status_values(table, &row, mem, object);
            break;
        }
    }
}


static void
ngx_http_mpk_status_labels(const ngx_http_mpk_metric_table_t *table,
    const ngx_http_mpk_metric_row_t *row, mpk_mem_t *mem, mpk_value_t *object)
{
    mpk_str_t   key, label;
    ngx_uint_t  i;

    for (i = 0; table->labels[i]; i++) {

        key = (mpk_str_t) { ngx_strlen(table->labels[i]),
                            (u_char *) table->labels[i] };

        if (table->number) {
            mpk_value_int(object, key,
                          ngx_atoi((u_char *) row->labels[i].data,
                                   row->labels[i].len));
        } else if (mpk_dup(mem, row->labels[i], &label) == MPK_OK) {

            /* the next row can have its own in the same place */

            mpk_value_string(object, key, label);
        }
    }
}


static void
ngx_http_mpk_status_values(const ngx_http_mpk_metric_table_t *table,
    const ngx_http_mpk_metric_row_t *row, mpk_mem_t *mem,
    mpk_value_t *object)
{
    ngx_uint_t                    i;
    const ngx_http_mpk_metric_t  *metric;

    for (i = 0; i < NGX_HTTP_MPK_METRIC_VALUES; i++) {
        metric = &table->metrics[i];

        if (metric->member.len) {
            ngx_http_mpk_status_value(metric->type, row->values[i], mem,
                                      object, metric->member);
        }
    }
}


static void
ngx_http_mpk_status_value(ngx_http_mpk_metric_type_t type, int64_t n,
    mpk_mem_t *mem, mpk_value_t *object, mpk_str_t name)
{
    uint8_t  *p;

    switch (type) {

    case NGX_HTTP_MPK_METRIC_FLAG:
        mpk_value_bool(object, name, n != 0);
        return;

    case NGX_HTTP_MPK_METRIC_TIME:
        p = n ? mpk_alloc(mem, MPK_TIME_LEN) : NULL;

        if (p == NULL) {
            mpk_value_null(object, name);
            return;
        }

        mpk_time_format(n, p);

        mpk_value_string(object, name, (mpk_str_t) { MPK_TIME_LEN, p });
        return;

    default: /* COUNTER, GAUGE */
        mpk_value_int(object, name, n);
    }
}


/* Each bucket by itself, unlike Prometheus'; the last one's bound is null. */

static void
ngx_http_mpk_status_histogram(const ngx_http_mpk_histogram_info_t *info,
    const ngx_http_mpk_histogram_t *histogram, mpk_value_t *document)
{
    uint64_t      n, count;
    ngx_uint_t    i;
    mpk_value_t  *object, *list, *row;

    count = 0;

    object = mpk_value_object(document, info->member);
    list = mpk_value_array(object, mpk_string("buckets"));

    for (i = 0; i <= NGX_HTTP_MPK_BUCKETS; i++) {
        n = histogram->counts[i];
        count += n;

        row = mpk_value_object(list, mpk_string(""));

        if (i < NGX_HTTP_MPK_BUCKETS) {
            mpk_value_int(row, info->unit, (int64_t) info->bounds[i]);

        } else {
            mpk_value_null(row, info->unit);
        }

        mpk_value_int(row, mpk_string("count"), (int64_t) n);
    }

    mpk_value_int(object, mpk_string("count"), (int64_t) count);
    mpk_value_int(object, info->unit, (int64_t) histogram->sum);
}
