/*
 * The metrics of mpk_status: one set of tables, rendered as JSON and for Prometheus.
 * Only the histograms are rendered separately by each.
 */

#ifndef NGX_HTTP_MPK_METRICS_H
#define NGX_HTTP_MPK_METRICS_H

#include "ngx_http_mpk_stats_zone.h"

#define NGX_HTTP_MPK_METRIC_LABELS  3
#define NGX_HTTP_MPK_METRIC_VALUES  8


typedef enum {
    NGX_HTTP_MPK_METRIC_COUNTER = 0,
    NGX_HTTP_MPK_METRIC_GAUGE,
    NGX_HTTP_MPK_METRIC_FLAG,          /* a gauge of 0 or 1; in JSON a boolean */
    NGX_HTTP_MPK_METRIC_TIME           /* a gauge in seconds, in JSON RFC 3339; 0: none */
} ngx_http_mpk_metric_type_t;


typedef struct {
    ngx_http_mpk_metric_type_t    type;
    mpk_str_t                     member;          /* in JSON; empty: not there */
    const char                   *name;            /* for Prometheus; NULL: not there */
    const char                   *help;
} ngx_http_mpk_metric_t;


/* Where rows get their values. */
typedef struct {
    ngx_http_mpk_main_conf_t     *mmcf;
    ngx_http_mpk_view_t           view;
    u_char                        label[NGX_INT_T_LEN];    /* a number as the row's label */
    ngx_http_mpk_lack_t           lack;            /* the row's */
    u_char                        group[NGX_HTTP_MPK_GROUP_NAME];  /* the row's */
} ngx_http_mpk_metrics_t;


typedef struct {
    mpk_str_t                     labels[NGX_HTTP_MPK_METRIC_LABELS];
    mpk_str_t                     key;             /* in JSON; empty: the first label */
    int64_t                       values[NGX_HTTP_MPK_METRIC_VALUES];
} ngx_http_mpk_metric_row_t;


/* The form of a table in JSON. */
typedef enum {
    NGX_HTTP_MPK_METRIC_KEYED = 0,     /* an object: key and value of each row */
    NGX_HTTP_MPK_METRIC_MEMBERS,       /* one row: labels and values are members of the parent */
    NGX_HTTP_MPK_METRIC_ROWS           /* an array of objects: labels and values */
} ngx_http_mpk_metric_form_t;


typedef struct ngx_http_mpk_metric_table_s  ngx_http_mpk_metric_table_t;

struct ngx_http_mpk_metric_table_s {
    mpk_str_t                     parent;          /* member of the document; empty: itself */
    mpk_str_t                     member;          /* member of the parent */
    ngx_http_mpk_metric_form_t    form;
    const char                   *labels[NGX_HTTP_MPK_METRIC_LABELS + 1];
    unsigned                      number:1;        /* the label is one */
    ngx_http_mpk_metric_t         metrics[NGX_HTTP_MPK_METRIC_VALUES + 1];

    /* Fills row n; NGX_DECLINED: there is no such row, NGX_DONE: nor any after it. */
    ngx_int_t                   (*row)(ngx_http_mpk_metrics_t *m,
                                       const ngx_http_mpk_metric_table_t *table,
                                       ngx_uint_t n,
                                       ngx_http_mpk_metric_row_t *row);

    /* of rows that are an array of counters */
    size_t                        offset;          /* in the shared memory */
    ngx_uint_t                    first;
    ngx_uint_t                    end;
    mpk_str_t                   (*label)(ngx_uint_t i);
};


/* Terminated by one without .row. */
extern const ngx_http_mpk_metric_table_t  ngx_http_mpk_metric_tables[];


/* Appends them in the text format of Prometheus. */
void ngx_http_mpk_status_prometheus(ngx_http_mpk_metrics_t *m,
    mpk_buf_t *buf);


#endif /* NGX_HTTP_MPK_METRICS_H */
