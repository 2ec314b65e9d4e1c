/* The metrics in the text format of Prometheus. */

#include "ngx_http_mpk_metrics.h"

#define NGX_HTTP_MPK_METRIC_NUMBER  64     /* bytes; fits a value and the text around it */


static void ngx_http_mpk_prometheus_metric(ngx_http_mpk_metrics_t *m,
    const ngx_http_mpk_metric_table_t *table, ngx_uint_t i, mpk_buf_t *buf);
static void ngx_http_mpk_prometheus_head(mpk_buf_t *buf, const char *name,
    const char *type, const char *help);
static void ngx_http_mpk_prometheus_label(mpk_buf_t *buf, const char *name,
    mpk_str_t value);
static void ngx_http_mpk_prometheus_histogram(
    const ngx_http_mpk_histogram_info_t *info,
    const ngx_http_mpk_histogram_t *histogram, mpk_buf_t *buf);
static void ngx_http_mpk_prometheus_name(mpk_buf_t *buf,
    const ngx_http_mpk_histogram_info_t *info, const char *suffix);
static void ngx_http_mpk_prometheus_seconds(mpk_buf_t *buf,
    const ngx_http_mpk_histogram_info_t *info, uint64_t n);
static void ngx_http_mpk_prometheus_print(mpk_buf_t *buf, const char *fmt,
    ...);


void
ngx_http_mpk_status_prometheus(ngx_http_mpk_metrics_t *m, mpk_buf_t *buf)
{
    ngx_uint_t                          i;
    const ngx_http_mpk_metric_table_t  *table;

    for (table = ngx_http_mpk_metric_tables; table->row; table++) {
        for (i = 0; table->metrics[i].help || table->metrics[i].member.len;
             i++)
        {
            if (table->metrics[i].name) {
                ngx_http_mpk_prometheus_metric(m, table, i, buf);
            }
        }
    }

    for (i = 0; i < NGX_HTTP_MPK_HISTOGRAM_MAX; i++) {
        ngx_http_mpk_prometheus_histogram(&ngx_http_mpk_histograms[i],
                                          &m->mmcf->shm->histograms[i], buf);
    }
}


static void
ngx_http_mpk_prometheus_metric(ngx_http_mpk_metrics_t *m,
    const ngx_http_mpk_metric_table_t *table, ngx_uint_t i, mpk_buf_t *buf)
{
    ngx_int_t                     rc;
    ngx_uint_t                    n, k, headed;
    ngx_http_mpk_metric_row_t     row;
    const ngx_http_mpk_metric_t  *metric;

    metric = &table->metrics[i];
    headed = 0;

    for (n = 0; /* void */ ; n++) {

        rc = table->row(m, table, n, &row);

        if (rc == NGX_DONE) {
            return;
        }

        if (rc == NGX_DECLINED
            || (metric->type == NGX_HTTP_MPK_METRIC_TIME && row.values[i] == 0))
        {
            continue;
        }

        if (!headed) {
            headed = 1;
            ngx_http_mpk_prometheus_head(buf, metric->name,
                                         metric->type
                                         == NGX_HTTP_MPK_METRIC_COUNTER
                                         ? "counter" : "gauge", metric->help);
        }

        mpk_buf_put(buf, metric->name, ngx_strlen(metric->name));

        for (k = 0; table->labels[k]; k++) {
            mpk_buf_byte(buf, k ? ',' : '{');
            ngx_http_mpk_prometheus_label(buf, table->labels[k],
                                          row.labels[k]);
        }

        ngx_http_mpk_prometheus_print(buf, "%s %L\n", k ? "}" : "",
                                      row.values[i]);
    }
}


static void
ngx_http_mpk_prometheus_head(mpk_buf_t *buf, const char *name,
    const char *type, const char *help)
{
    const char **p;
    const char   *text[] = { "# HELP ", name, " ", help,
                             "\n# TYPE ", name, " ", type, "\n", NULL };

    for (p = text; *p; p++) {
        mpk_buf_put(buf, *p, ngx_strlen(*p));
    }
}


static void
ngx_http_mpk_prometheus_label(mpk_buf_t *buf, const char *name,
    mpk_str_t value)
{
    size_t  i;

    mpk_buf_put(buf, name, ngx_strlen(name));
    mpk_buf_lit(buf, "=\"");

    for (i = 0; i < value.len; i++) {

        if (value.data[i] == '\n') {
            mpk_buf_lit(buf, "\\n");
            continue;
        }

        if (value.data[i] == '"' || value.data[i] == '\\') {
            mpk_buf_byte(buf, '\\');
        }

        mpk_buf_byte(buf, value.data[i]);
    }

    mpk_buf_byte(buf, '"');
}


/* The buckets are cumulative, their bounds in seconds. */

static void
ngx_http_mpk_prometheus_histogram(const ngx_http_mpk_histogram_info_t *info,
    const ngx_http_mpk_histogram_t *histogram, mpk_buf_t *buf)
{
    uint64_t    n;
    ngx_uint_t  i;

    ngx_http_mpk_prometheus_head(buf, info->name, "histogram", info->help);

    n = 0;

    for (i = 0; i <= NGX_HTTP_MPK_BUCKETS; i++) {
        n += histogram->counts[i];

        ngx_http_mpk_prometheus_name(buf, info, "_bucket{le=\"");

        if (i < NGX_HTTP_MPK_BUCKETS) {
            ngx_http_mpk_prometheus_seconds(buf, info, info->bounds[i]);

        } else {
            mpk_buf_lit(buf, "+Inf");
        }

        ngx_http_mpk_prometheus_print(buf, "\"} %uL\n", n);
    }

    ngx_http_mpk_prometheus_name(buf, info, "_sum ");
    ngx_http_mpk_prometheus_seconds(buf, info, histogram->sum);
    mpk_buf_byte(buf, '\n');

    ngx_http_mpk_prometheus_name(buf, info, "_count ");
    ngx_http_mpk_prometheus_print(buf, "%uL\n", n);
}


static void
ngx_http_mpk_prometheus_name(mpk_buf_t *buf,
    const ngx_http_mpk_histogram_info_t *info, const char *suffix)
{
    mpk_buf_put(buf, info->name, ngx_strlen(info->name));
    mpk_buf_put(buf, suffix, ngx_strlen(suffix));
}


/* Without zeros at the end of a fraction. */

static void
ngx_http_mpk_prometheus_seconds(mpk_buf_t *buf,
    const ngx_http_mpk_histogram_info_t *info, uint64_t n)
{
    u_char  text[2 * NGX_INT64_LEN], *last;

    last = ngx_sprintf(text, "%uL", n / info->second);

    if (n % info->second) {
        last = ngx_sprintf(last, ".%06uL", n % info->second);

        while (last[-1] == '0') {
            last--;
        }
    }

    mpk_buf_put(buf, text, last - text);
}


static void
ngx_http_mpk_prometheus_print(mpk_buf_t *buf, const char *fmt, ...)
{
    u_char   *last;
    u_char    text[NGX_HTTP_MPK_METRIC_NUMBER];
    va_list   args;

    va_start(args, fmt);
    last = ngx_vslprintf(text, text + sizeof(text), fmt, args);
    va_end(args);

    mpk_buf_put(buf, text, last - text);
}
