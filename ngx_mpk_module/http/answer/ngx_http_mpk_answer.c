/* Answers: pages, JSON and problems, with the headers that a secret needs. */

#include "ngx_http_mpk_answer.h"
#include "ngx_http_mpk_filter.h"
#include "ngx_http_mpk_language.h"

#include "mpk_escape.h"

#define NGX_HTTP_MPK_STAY       "mpk_stay=1"
#define NGX_HTTP_MPK_RETRY      5        /* seconds, for a 503 */
#define NGX_HTTP_MPK_PAGE_SIZE  1152     /* bytes; fits most pages without their long literals */


static void ngx_http_mpk_notice_wait(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, const ngx_http_mpk_notice_t *notice,
    mpk_value_t *facts, ngx_http_mpk_answer_t *answer);
static ngx_int_t ngx_http_mpk_send(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, const ngx_http_mpk_answer_t *answer,
    ngx_str_t *type, ngx_str_t *csp, mpk_buf_t *body, mpk_cuts_t *cuts);
static void ngx_http_mpk_output(ngx_http_request_t *r);
static ngx_int_t ngx_http_mpk_set_headers(ngx_http_request_t *r,
    const ngx_http_mpk_answer_t *answer, ngx_str_t *type, ngx_str_t *csp);
static ngx_int_t ngx_http_mpk_set_encoded(ngx_http_request_t *r);
static ngx_chain_t *ngx_http_mpk_chain(ngx_http_request_t *r,
    mpk_buf_t *body, mpk_cuts_t *cuts);
static ngx_chain_t **ngx_http_mpk_chain_add(ngx_http_request_t *r,
    ngx_chain_t **last, const u_char *data, size_t len);
static ngx_int_t ngx_http_mpk_add_seconds(ngx_http_request_t *r,
    ngx_str_t *name, ngx_uint_t seconds);
static void ngx_http_mpk_answer_body(ngx_http_mpk_ctx_t *ctx,
    mpk_buf_t *body, size_t size);


static ngx_str_t  ngx_http_mpk_csp_none =
    ngx_string("default-src 'none'; frame-ancestors 'none'");


ngx_int_t
ngx_http_mpk_send_page(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    const ngx_http_mpk_answer_t *answer, ngx_http_mpk_page_t page,
    const mpk_value_t *facts)
{
    mpk_buf_t   body;
    mpk_cuts_t  cuts;

    static ngx_str_t  type = ngx_string("text/html; charset=utf-8");

    ngx_http_mpk_answer_body(ctx, &body, NGX_HTTP_MPK_PAGE_SIZE);
    mpk_template_render(ctx->language->templates[page], facts, &body, &cuts);

    return ngx_http_mpk_send(r, ctx, answer, &type, &ctx->mlcf->pages->csp, &body,
                             &cuts);
}


ngx_int_t
ngx_http_mpk_send_json(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    const ngx_http_mpk_answer_t *answer, const mpk_value_t *facts)
{
    mpk_buf_t  body;

    ngx_http_mpk_answer_body(ctx, &body, 1024);
    mpk_json_write(&body, facts);
    mpk_buf_byte(&body, '\n');

    return ngx_http_mpk_send_written(r, ctx, answer, &body);
}


ngx_int_t
ngx_http_mpk_send_written(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    const ngx_http_mpk_answer_t *answer, mpk_buf_t *body)
{
    static ngx_str_t  json = ngx_string("application/json");
    static ngx_str_t  problem = ngx_string("application/problem+json");

    return ngx_http_mpk_send(r, ctx, answer,
                             answer->status < 300 ? &json : &problem,
                             &ngx_http_mpk_csp_none, body, NULL);
}


ngx_int_t
ngx_http_mpk_send_typed(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    const ngx_http_mpk_answer_t *answer, ngx_str_t *type, mpk_buf_t *body)
{
    return ngx_http_mpk_send(r, ctx, answer, type, &ngx_http_mpk_csp_none,
                             body, NULL);
}


ngx_int_t
ngx_http_mpk_send_problem(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    const ngx_http_mpk_answer_t *answer, mpk_str_t type, mpk_str_t detail,
    mpk_str_t rule, mpk_value_t *errors)
{
    mpk_value_t  *problem;

    problem = ngx_http_mpk_problem(ctx, answer->status, type, detail, rule);

    mpk_value_put(problem, mpk_string("errors"), errors);

    return ngx_http_mpk_send_json(r, ctx, answer, problem);
}


mpk_value_t *
ngx_http_mpk_problem(ngx_http_mpk_ctx_t *ctx, ngx_uint_t status,
    mpk_str_t type, mpk_str_t detail, mpk_str_t rule)
{
    mpk_buf_t     urn;
    mpk_mem_t    *mem;
    ngx_uint_t    i;
    mpk_value_t  *problem;

    static const struct {
        ngx_uint_t    status;
        mpk_str_t     title;
    } titles[] = {
        { 400, mpk_literal("Bad Request") },
        { 401, mpk_literal("Unauthorized") },
        { 403, mpk_literal("Forbidden") },
        { 404, mpk_literal("Not Found") },
        { 405, mpk_literal("Method Not Allowed") },
        { 409, mpk_literal("Conflict") },
        { 410, mpk_literal("Gone") },
        { 413, mpk_literal("Content Too Large") },
        { 415, mpk_literal("Unsupported Media Type") },
        { 422, mpk_literal("Unprocessable Content") },
        { 429, mpk_literal("Too Many Requests") },
        { 500, mpk_literal("Internal Server Error") },
        { 503, mpk_literal("Service Unavailable") },
    };

    mem = &ctx->mem;
    problem = mpk_value_new(mem, MPK_VALUE_OBJECT);

    mpk_buf_init(&urn, mem, 64);
    mpk_buf_lit(&urn, "urn:mpk:");
    mpk_buf_str(&urn, type);

    mpk_value_string(problem, mpk_string("type"), mpk_buf_done(&urn));

    for (i = 0; i < sizeof(titles) / sizeof(titles[0]); i++) {
        if (titles[i].status == status) {
            mpk_value_string(problem, mpk_string("title"), titles[i].title);
        }
    }

    mpk_value_int(problem, mpk_string("status"), (int64_t) status);
    mpk_value_string(problem, mpk_string("detail"), detail);

    if (rule.len) {
        mpk_value_string(problem, mpk_string("rule"), rule);
    }

    return problem;
}


ngx_int_t
ngx_http_mpk_send_notice(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    const ngx_http_mpk_notice_t *notice, mpk_str_t type, mpk_str_t detail,
    mpk_str_t rule)
{
    mpk_value_t            *facts;
    ngx_http_mpk_answer_t   answer;

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));

    answer.status = notice->status;
    answer.retry_after = notice->retry_after;

    ctx->language = ngx_http_mpk_language(ctx, ctx->locale);

    facts = ctx->json ? ngx_http_mpk_problem(ctx, notice->status, type, detail,
                                             rule)
                      : mpk_value_new(&ctx->mem, MPK_VALUE_OBJECT);

    if (notice->rights) {
        ngx_http_mpk_value_rights(ctx, facts);
    }

    if (ctx->used_at) {
        ngx_http_mpk_value_time(ctx, facts, mpk_string("used_at"),
                                ctx->used_at);
    }

    if (ctx->claim_until) {
        ngx_http_mpk_value_time(ctx, facts, mpk_string("claim_until"),
                                ctx->claim_until);
    }

    if (ctx->json) {
        return ngx_http_mpk_send_json(r, ctx, &answer, facts);
    }

    if (notice->refresh) {
        ngx_http_mpk_notice_wait(r, ctx, notice, facts, &answer);
    }

    if (ctx->order.len) {
        mpk_value_string(facts, mpk_string("order"), ctx->order);
    }

    mpk_value_bool(facts, mpk_string("track"), notice->track);
    mpk_value_bool(facts, mpk_string("retry"), notice->retry);
    mpk_value_bool(facts, mpk_string("support"),
                   notice->support && ctx->mlcf->pages->support);

    return ngx_http_mpk_send_page(r, ctx, &answer, notice->page, facts);
}


/*
 * Adds how long the review usually takes, and reloads the page unless its address has the
 * argument by which a visitor stops that (WCAG 2.2.1).  r->unparsed_uri is checked, not
 * r->args: after X-Accel-Redirect the latter is not what the client sent.
 */

static void
ngx_http_mpk_notice_wait(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    const ngx_http_mpk_notice_t *notice, mpk_value_t *facts,
    ngx_http_mpk_answer_t *answer)
{
    time_t      usual;
    u_char     *p, *last;
    ngx_str_t   args;
    mpk_buf_t   stay;

    static const struct {
        time_t     from;             /* twice the unit: what is said is a plural */
        time_t     unit;
        mpk_str_t  name;
    } units[] = {
        { 2 * 86400, 86400, mpk_literal("usual_days") },
        { 2 * 3600, 3600, mpk_literal("usual_hours") },
        { 1, 60, mpk_literal("usual_minutes") },
    }, *unit;

    mpk_value_bool(facts, mpk_string("check"), 1);

    usual = ctx->mscf->held_usual;

    if (usual) {
        for (unit = units; usual < unit->from; unit++) { /* void */ }

        mpk_value_int(facts, unit->name, (usual + unit->unit - 1) / unit->unit);
    }

    last = r->unparsed_uri.data + r->unparsed_uri.len;
    p = ngx_strlchr(r->unparsed_uri.data, last, '?');

    args.data = p ? p + 1 : last;
    args.len = last - args.data;

    if (ngx_strnstr(args.data, NGX_HTTP_MPK_STAY, args.len)) {
        return;
    }

    answer->refresh = notice->refresh;

    mpk_buf_init(&stay, &ctx->mem, args.len + sizeof("?&" NGX_HTTP_MPK_STAY));
    mpk_buf_byte(&stay, '?');

    if (args.len) {
        mpk_buf_put(&stay, args.data, args.len);
        mpk_buf_byte(&stay, '&');
    }

    mpk_buf_lit(&stay, NGX_HTTP_MPK_STAY);

    mpk_value_bool(facts, mpk_string("refresh"), 1);
    mpk_value_string(facts, mpk_string("stay"), mpk_buf_done(&stay));
}


ngx_int_t
ngx_http_mpk_send_foreign(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    mpk_str_t rule)
{
    static const ngx_http_mpk_notice_t  foreign = {
        .status = NGX_HTTP_FORBIDDEN, .page = NGX_HTTP_MPK_PAGE_REFUSED,
        .support = 1
    };

    ctx->outcome = NGX_HTTP_MPK_OUTCOME_FOREIGN;

    return ngx_http_mpk_send_notice(r, ctx, &foreign, mpk_string("foreign"),
               mpk_string("The request does not come from the form's page."),
               rule);
}


ngx_int_t
ngx_http_mpk_send_unavailable(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    mpk_str_t detail, mpk_str_t rule)
{
    static const ngx_http_mpk_notice_t  unavailable = {
        .status = NGX_HTTP_SERVICE_UNAVAILABLE,
        .page = NGX_HTTP_MPK_PAGE_UNAVAILABLE, .retry = 1, .support = 1,
        .retry_after = NGX_HTTP_MPK_RETRY
    };

    /* keep the outcome of a transaction: it is more precise */

    if (ctx->outcome == NGX_HTTP_MPK_OUTCOME_NONE) {
        ctx->outcome = NGX_HTTP_MPK_OUTCOME_UNAVAILABLE;
    }

    return ngx_http_mpk_send_notice(r, ctx, &unavailable,
                                    mpk_string("unavailable"), detail, rule);
}


static ngx_int_t
ngx_http_mpk_send(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    const ngx_http_mpk_answer_t *answer, ngx_str_t *type, ngx_str_t *csp,
    mpk_buf_t *body, mpk_cuts_t *cuts)
{
    size_t     i;
    ngx_int_t  rc;

    if (ctx->secret) {
        *ctx->secret = mpk_buf_done(body);
    }

    if (body->failed || ctx->mem.failed) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->request_body == NULL) {
        rc = ngx_http_discard_request_body(r);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (ngx_http_mpk_set_headers(r, answer, type, csp) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.content_length_n = body->len;

    for (i = 0; cuts && i < cuts->count; i++) {
        r->headers_out.content_length_n += cuts->list[i].literal.len;
    }

    if (ctx->work && ngx_http_mpk_work_done(r, ctx, body) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->out = ngx_http_mpk_chain(r, body, cuts);
    if (ctx->out == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->shown = (ctx->secret != NULL);

    if (r == r->main) {
        ngx_http_mpk_post(r, ngx_http_mpk_output);

    } else {
        ngx_http_mpk_output(r);
    }

    return NGX_DONE;
}


static void
ngx_http_mpk_output(ngx_http_request_t *r)
{
    off_t                length;
    ngx_int_t            rc;
    ngx_http_mpk_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_mpk_module);

    length = r->headers_out.content_length_n;

    rc = ngx_http_send_header(r);

    ctx->filtered = (r->headers_out.content_length_n != length);

    if (rc != NGX_ERROR && rc <= NGX_OK && !r->header_only) {
        rc = ngx_http_output_filter(r, ctx->out);
    }

    /* nginx sends the rest after the request is finalized */

    ngx_http_finalize_request(r, rc);
}


ngx_int_t
ngx_http_mpk_send_header(ngx_http_request_t *r, ngx_str_t *type, off_t length)
{
    ngx_http_mpk_answer_t  answer;

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = NGX_HTTP_OK;

    if (ngx_http_mpk_set_headers(r, &answer, type, &ngx_http_mpk_csp_none)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    r->headers_out.content_length_n = length;

    return ngx_http_send_header(r);
}


static ngx_int_t
ngx_http_mpk_set_headers(ngx_http_request_t *r,
    const ngx_http_mpk_answer_t *answer, ngx_str_t *type, ngx_str_t *csp)
{
    ngx_str_t            value;
    ngx_http_mpk_ctx_t  *ctx;

    static ngx_str_t  retry_after = ngx_string("Retry-After");
    static ngx_str_t  refresh = ngx_string("Refresh");
    static ngx_str_t  allow = ngx_string("Allow");
    static ngx_str_t  authenticate = ngx_string("WWW-Authenticate");
    static ngx_str_t  bearer = ngx_string("Bearer");

    r->headers_out.status = answer->status;
    r->headers_out.content_type = *type;
    r->headers_out.content_type_len = type->len;
    r->headers_out.content_type_lowcase = NULL;
    ngx_str_null(&r->headers_out.charset);

    r->allow_ranges = 0;

    /* a filter sends this policy, and what else a secret needs */

    ctx = ngx_http_get_module_ctx(r, ngx_http_mpk_module);
    ctx->policy = csp;

    if (ngx_http_mpk_set_encoded(r) != NGX_OK) {
        return NGX_ERROR;
    }

    if (answer->retry_after
        && ngx_http_mpk_add_seconds(r, &retry_after, answer->retry_after)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (answer->refresh
        && ngx_http_mpk_add_seconds(r, &refresh, answer->refresh) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (answer->allow) {
        value.data = (u_char *) answer->allow;
        value.len = ngx_strlen(answer->allow);

        if (ngx_http_mpk_header_add(r, &allow, &value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (answer->status == NGX_HTTP_UNAUTHORIZED
        && ngx_http_mpk_header_add(r, &authenticate, &bearer) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* otherwise a 304 or 412 could replace an answer whose view is already journaled */

    r->disable_not_modified = 1;

    return NGX_OK;
}


/*
 * A compressed secret beside reflected input leaks its length (BREACH): gzip, brotli and
 * others leave alone what has an encoding; with a hash of 0 it is not sent.
 */

static ngx_int_t
ngx_http_mpk_set_encoded(ngx_http_request_t *r)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));
    ngx_str_set(&h->key, "Content-Encoding");
    ngx_str_set(&h->value, "identity");

    r->headers_out.content_encoding = h;

    return NGX_OK;
}


/* Builds the chain of the body, with the long literals in between. */

static ngx_chain_t *
ngx_http_mpk_chain(ngx_http_request_t *r, mpk_buf_t *body, mpk_cuts_t *cuts)
{
    size_t        i, at;
    mpk_cut_t    *cut;
    ngx_chain_t  *out, **last, **link;

    out = NULL;
    last = &out;
    at = 0;

    for (i = 0; cuts && i < cuts->count; i++) {
        cut = &cuts->list[i];

        if (cut->at > at) {
            last = ngx_http_mpk_chain_add(r, last, body->data + at, cut->at - at);
            if (last == NULL) {
                return NULL;
            }

            at = cut->at;
        }

        last = ngx_http_mpk_chain_add(r, last, cut->literal.data, cut->literal.len);
        if (last == NULL) {
            return NULL;
        }
    }

    link = ngx_http_mpk_chain_add(r, last, body->data + at, body->len - at);
    if (link == NULL) {
        return NULL;
    }

    /* a subrequest has no last_buf: an empty buffer must be a special one nevertheless */

    (*last)->buf->last_buf = (r == r->main);
    (*last)->buf->sync = (r != r->main && !(*last)->buf->memory);
    (*last)->buf->last_in_chain = 1;

    return out;
}


/* Appends a link; returns where the next one goes. */

static ngx_chain_t **
ngx_http_mpk_chain_add(ngx_http_request_t *r, ngx_chain_t **last,
    const u_char *data, size_t len)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    b = ngx_calloc_buf(r->pool);
    cl = ngx_alloc_chain_link(r->pool);

    if (b == NULL || cl == NULL) {
        return NULL;
    }

    b->pos = (u_char *) data;
    b->last = b->pos + len;
    b->start = b->pos;
    b->end = b->last;
    b->memory = (len != 0);

    cl->buf = b;
    cl->next = NULL;
    *last = cl;

    return &cl->next;
}


static void
ngx_http_mpk_answer_body(ngx_http_mpk_ctx_t *ctx, mpk_buf_t *body, size_t size)
{
    mpk_buf_init(body, ctx->body_mem, size);

    body->secret = (ctx->secret != NULL);
}


static ngx_int_t
ngx_http_mpk_add_seconds(ngx_http_request_t *r, ngx_str_t *name,
    ngx_uint_t seconds)
{
    ngx_str_t  value;

    value.data = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = ngx_sprintf(value.data, "%ui", seconds) - value.data;

    return ngx_http_mpk_header_add(r, name, &value);
}


void
ngx_http_mpk_value_time(ngx_http_mpk_ctx_t *ctx, mpk_value_t *parent,
    mpk_str_t name, int64_t seconds)
{
    u_char     *p;
    mpk_buf_t   words, text;

    if (seconds == 0) {
        mpk_value_null(parent, name);
        return;
    }

    mpk_buf_init(&text, &ctx->mem, 96);

    if (!ctx->json) {
        mpk_buf_lit(&text, "<time datetime=\"");
    }

    p = mpk_buf_room(&text, MPK_TIME_LEN);
    if (p) {
        mpk_time_format(seconds, p);
    }

    if (ctx->json) {
        mpk_value_string(parent, name, mpk_buf_done(&text));
        return;
    }

    mpk_buf_init(&words, &ctx->mem, 48);
    mpk_time_words(seconds, &ctx->language->time, &words);

    mpk_buf_lit(&text, "\">");
    mpk_escape_html(&text, mpk_buf_done(&words));
    mpk_buf_lit(&text, "</time>");

    mpk_value_markup(parent, name, mpk_buf_done(&text));
}


void
ngx_http_mpk_value_rights(ngx_http_mpk_ctx_t *ctx, mpk_value_t *facts)
{
    mpk_value_t  *support;

    mpk_value_string(facts, mpk_string("rights"), ctx->language->rights);
    ngx_http_mpk_value_policy(ctx, facts);

    /* _foot.mustache has the support links of pages */

    if (!ctx->json || !ctx->mlcf->pages->support) {
        return;
    }

    support = mpk_value_object(facts, mpk_string("support"));

    mpk_value_text(support, mpk_string("url"), ctx->language->support_url);
    mpk_value_text(support, mpk_string("email"), ctx->language->support_email);
}


void
ngx_http_mpk_value_policy(ngx_http_mpk_ctx_t *ctx, mpk_value_t *facts)
{
    if (ctx->mlcf->policy_url.len) {
        mpk_value_string(facts, mpk_string("policy_url"),
                         ngx_http_mpk_str(&ctx->mlcf->policy_url));
    }
}
