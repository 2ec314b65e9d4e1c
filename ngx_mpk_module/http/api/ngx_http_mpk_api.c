/* mpk_api: authentication, routing and the body of a call. */

#include "ngx_http_mpk_api.h"
#include "ngx_http_mpk_body.h"

#include "mpk_email.h"
#include "mpk_filing.h"

#define NGX_HTTP_MPK_TEXT_MAX  2000    /* bytes of a note on an order, or of a word */


typedef struct {
    ngx_str_t                     suffix;          /* after orders/{id} */
    ngx_uint_t                    method;
    ngx_uint_t                    roles;
    ngx_uint_t                    event;
    ngx_uint_t                    body;            /* whether it is read */
    const mpk_members_t          *members;         /* of the body; NULL: the handler checks */
    ngx_http_mpk_next_pt          handler;
} ngx_http_mpk_api_route_t;

/* The path of a call. */
typedef struct {
    const ngx_http_mpk_api_route_t  *routes;       /* NULL: it is none of the API's */
    ngx_uint_t                    of_order;        /* of one order, or of none by mistake */
    mpk_str_t                     id;
    mpk_str_t                     part;
    ngx_str_t                     suffix;
} ngx_http_mpk_api_path_t;


static void ngx_http_mpk_api_path(ngx_http_request_t *r,
    ngx_http_mpk_api_path_t *path);
static ngx_uint_t ngx_http_mpk_api_misnamed(ngx_http_request_t *r,
    const ngx_http_mpk_api_path_t *path);
static ngx_int_t ngx_http_mpk_api_no_id(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static mpk_str_t ngx_http_mpk_api_part(ngx_http_request_t *r,
    ngx_str_t *suffix);
static const ngx_http_mpk_api_route_t *ngx_http_mpk_api_route(
    ngx_http_request_t *r, const ngx_http_mpk_api_route_t *routes,
    ngx_str_t *suffix, const char **allow);
static ngx_int_t ngx_http_mpk_api_auth(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_uint_t roles);
static ngx_int_t ngx_http_mpk_api_body(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);


/* The members of each call's body, as docs/openapi.yaml has them. */

#define ngx_http_mpk_api_text(name, presence, max)                           \
    { mpk_literal(name), MPK_VALUE_STRING, presence, max, 0 }

static const mpk_member_t  ngx_http_mpk_cancel_list[] = {
    ngx_http_mpk_api_text("reason", MPK_REQUIRED, NGX_HTTP_MPK_TEXT_MAX),
    ngx_http_mpk_api_text("note", MPK_OPTIONAL, NGX_HTTP_MPK_TEXT_MAX),
    { mpk_literal("not_sent"), MPK_VALUE_BOOL, MPK_OPTIONAL, 0, 0 }
};

static const mpk_member_t  ngx_http_mpk_suspend_list[] = {
    ngx_http_mpk_api_text("reason", MPK_REQUIRED, NGX_HTTP_MPK_TEXT_MAX),
    ngx_http_mpk_api_text("note", MPK_OPTIONAL, NGX_HTTP_MPK_TEXT_MAX),
    { mpk_literal("items"), MPK_VALUE_ARRAY, MPK_OPTIONAL, 0, 0 }
};

static const mpk_member_t  ngx_http_mpk_resume_list[] = {
    ngx_http_mpk_api_text("note", MPK_REQUIRED, NGX_HTTP_MPK_TEXT_MAX)
};

static const mpk_member_t  ngx_http_mpk_email_list[] = {
    ngx_http_mpk_api_text("email", MPK_REQUIRED, MPK_FILING_TEXT_MAX),
    ngx_http_mpk_api_text("note", MPK_REQUIRED, NGX_HTTP_MPK_TEXT_MAX),
    { mpk_literal("show_viewed"), MPK_VALUE_BOOL, MPK_OPTIONAL, 0, 0 }
};

static const mpk_member_t  ngx_http_mpk_links_list[] = {
    { mpk_literal("items"), MPK_VALUE_ARRAY, MPK_OPTIONAL, 0, 0 },
    { mpk_literal("ttl"), MPK_VALUE_INT, MPK_OPTIONAL, 0, 0 },
    ngx_http_mpk_api_text("token_id", MPK_OPTIONAL, NGX_HTTP_MPK_TEXT_MAX)
};

static const mpk_member_t  ngx_http_mpk_needs_info_list[] = {
    ngx_http_mpk_api_text("message", MPK_REQUIRED, MPK_CLAIM_TEXT_MAX)
};

#define ngx_http_mpk_api_finding                                             \
    { mpk_literal("finding"), MPK_VALUE_OBJECT, MPK_OPTIONAL, 0, 0 }

static const mpk_member_t  ngx_http_mpk_replace_list[] = {
    ngx_http_mpk_api_text("key", MPK_REQUIRED, MPK_KEY_MAX),
    ngx_http_mpk_api_text("note", MPK_OPTIONAL, MPK_CLAIM_TEXT_MAX),
    ngx_http_mpk_api_finding
};

static const mpk_member_t  ngx_http_mpk_refund_list[] = {
    ngx_http_mpk_api_text("reason", MPK_REQUIRED, MPK_CLAIM_TEXT_MAX),
    ngx_http_mpk_api_finding
};

static const mpk_member_t  ngx_http_mpk_reject_list[] = {
    ngx_http_mpk_api_text("reason", MPK_REQUIRED, NGX_HTTP_MPK_TEXT_MAX),
    ngx_http_mpk_api_text("note", MPK_OPTIONAL, MPK_CLAIM_TEXT_MAX),
    ngx_http_mpk_api_finding
};

static const mpk_member_t  ngx_http_mpk_report_list[] = {
    { mpk_literal("item"), MPK_VALUE_INT, MPK_REQUIRED, 0, 0 },
    ngx_http_mpk_api_text("name", MPK_REQUIRED, MPK_CLAIM_NAME_MAX),
    ngx_http_mpk_api_text("category", MPK_REQUIRED, NGX_HTTP_MPK_TEXT_MAX),
    ngx_http_mpk_api_text("description", MPK_REQUIRED, MPK_CLAIM_TEXT_MAX),
    ngx_http_mpk_api_text("received_at", MPK_REQUIRED, NGX_HTTP_MPK_TEXT_MAX),
    ngx_http_mpk_api_text("key", MPK_FILLED, 2 * MPK_KEY_MAX),
    ngx_http_mpk_api_text("exception", MPK_FILLED, MPK_CLAIM_TEXT_MAX)
};

static const mpk_member_t  ngx_http_mpk_note_list[] = {
    ngx_http_mpk_api_text("text", MPK_FILLED, MPK_CLAIM_TEXT_MAX),
    { mpk_literal("files"), MPK_VALUE_ARRAY, MPK_OPTIONAL, 0, 0 },
    ngx_http_mpk_api_text("session", MPK_FILLED, NGX_HTTP_MPK_TEXT_MAX)
};

static const mpk_member_t  ngx_http_mpk_withdraw_list[] = {
    { mpk_literal("items"), MPK_VALUE_ARRAY, MPK_OPTIONAL, 0, 0 },
    ngx_http_mpk_api_text("name", MPK_REQUIRED, MPK_WITHDRAWAL_NAME_MAX),
    ngx_http_mpk_api_text("email", MPK_OPTIONAL, MPK_EMAIL_MAX),
    ngx_http_mpk_api_text("received_at", MPK_OPTIONAL, NGX_HTTP_MPK_TEXT_MAX),
    ngx_http_mpk_api_text("medium", MPK_OPTIONAL, NGX_HTTP_MPK_TEXT_MAX),
    ngx_http_mpk_api_text("note", MPK_OPTIONAL, MPK_WITHDRAWAL_TEXT_MAX)
};

static const mpk_member_t  ngx_http_mpk_withdraw_accept_list[] = {
    ngx_http_mpk_api_text("note", MPK_OPTIONAL, MPK_WITHDRAWAL_TEXT_MAX)
};

static const mpk_member_t  ngx_http_mpk_withdraw_reject_list[] = {
    ngx_http_mpk_api_text("reason", MPK_REQUIRED, MPK_WITHDRAWAL_TEXT_MAX)
};

static const mpk_member_t  ngx_http_mpk_statement_close_list[] = {
    ngx_http_mpk_api_text("note", MPK_REQUIRED, MPK_WITHDRAWAL_TEXT_MAX)
};

static const mpk_member_t  ngx_http_mpk_ack_list[] = {
    ngx_http_mpk_api_text("group", MPK_REQUIRED, NGX_HTTP_MPK_TEXT_MAX),
    { mpk_literal("ids"), MPK_VALUE_ARRAY, MPK_OPTIONAL, 0, 0 },
    ngx_http_mpk_api_text("id", MPK_FILLED, NGX_HTTP_MPK_TEXT_MAX),
    { mpk_literal("retry_after"), MPK_VALUE_INT, MPK_OPTIONAL, 0, 0 },
    { mpk_literal("park"), MPK_VALUE_BOOL, MPK_OPTIONAL, 0, 0 }
};

static const mpk_member_t  ngx_http_mpk_unpark_list[] = {
    ngx_http_mpk_api_text("group", MPK_REQUIRED, NGX_HTTP_MPK_TEXT_MAX),
    { mpk_literal("ids"), MPK_VALUE_ARRAY, MPK_REQUIRED, 0, 0 }
};

static const mpk_members_t  ngx_http_mpk_nothing = { NULL, 0 };
static const mpk_members_t  ngx_http_mpk_cancel =
    mpk_members(ngx_http_mpk_cancel_list);
static const mpk_members_t  ngx_http_mpk_suspending =
    mpk_members(ngx_http_mpk_suspend_list);
static const mpk_members_t  ngx_http_mpk_resuming =
    mpk_members(ngx_http_mpk_resume_list);
static const mpk_members_t  ngx_http_mpk_email =
    mpk_members(ngx_http_mpk_email_list);
static const mpk_members_t  ngx_http_mpk_links =
    mpk_members(ngx_http_mpk_links_list);
static const mpk_members_t  ngx_http_mpk_report =
    mpk_members(ngx_http_mpk_report_list);
static const mpk_members_t  ngx_http_mpk_note =
    mpk_members(ngx_http_mpk_note_list);
static const mpk_members_t  ngx_http_mpk_needs_info =
    mpk_members(ngx_http_mpk_needs_info_list);
static const mpk_members_t  ngx_http_mpk_replace =
    mpk_members(ngx_http_mpk_replace_list);
static const mpk_members_t  ngx_http_mpk_refund =
    mpk_members(ngx_http_mpk_refund_list);
static const mpk_members_t  ngx_http_mpk_reject =
    mpk_members(ngx_http_mpk_reject_list);
static const mpk_members_t  ngx_http_mpk_withdraw =
    mpk_members(ngx_http_mpk_withdraw_list);
static const mpk_members_t  ngx_http_mpk_withdraw_accept =
    mpk_members(ngx_http_mpk_withdraw_accept_list);
static const mpk_members_t  ngx_http_mpk_withdraw_reject =
    mpk_members(ngx_http_mpk_withdraw_reject_list);
static const mpk_members_t  ngx_http_mpk_statement_closing =
    mpk_members(ngx_http_mpk_statement_close_list);
static const mpk_members_t  ngx_http_mpk_acknowledging =
    mpk_members(ngx_http_mpk_ack_list);
static const mpk_members_t  ngx_http_mpk_unparking =
    mpk_members(ngx_http_mpk_unpark_list);


static const ngx_http_mpk_api_route_t  ngx_http_mpk_api_routes[] = {

    { ngx_string(""), NGX_HTTP_PUT,
      NGX_HTTP_MPK_ROLE_SHOP, MPK_EVENT_FILED, 1,
      NULL, ngx_http_mpk_api_file },

    { ngx_string(""), NGX_HTTP_GET|NGX_HTTP_HEAD,
      NGX_HTTP_MPK_ROLE_SHOP|NGX_HTTP_MPK_ROLE_SUPPORT|NGX_HTTP_MPK_ROLE_READ,
      NGX_HTTP_MPK_EVENT_READ, 0,
      NULL, ngx_http_mpk_api_show },

    { ngx_string("/release"), NGX_HTTP_POST,
      NGX_HTTP_MPK_ROLE_SHOP, MPK_EVENT_RELEASED, 1,
      &ngx_http_mpk_nothing, ngx_http_mpk_api_release },

    { ngx_string("/cancel"), NGX_HTTP_POST,
      NGX_HTTP_MPK_ROLE_SHOP, MPK_EVENT_CANCELLED, 1,
      &ngx_http_mpk_cancel, ngx_http_mpk_api_cancel },

    { ngx_string("/suspend"), NGX_HTTP_POST,
      NGX_HTTP_MPK_ROLE_SHOP|NGX_HTTP_MPK_ROLE_SUPPORT, MPK_EVENT_SUSPENDED, 1,
      &ngx_http_mpk_suspending, ngx_http_mpk_api_suspend },

    { ngx_string("/resume"), NGX_HTTP_POST,
      NGX_HTTP_MPK_ROLE_SHOP|NGX_HTTP_MPK_ROLE_SUPPORT, MPK_EVENT_RESUMED, 1,
      &ngx_http_mpk_resuming, ngx_http_mpk_api_resume },

    { ngx_string("/email"), NGX_HTTP_PUT,
      NGX_HTTP_MPK_ROLE_SHOP|NGX_HTTP_MPK_ROLE_SUPPORT,
      MPK_EVENT_EMAIL_CHANGED, 1,
      &ngx_http_mpk_email, ngx_http_mpk_api_email },

    { ngx_string("/links"), NGX_HTTP_POST,
      NGX_HTTP_MPK_ROLE_SHOP, MPK_EVENT_LINK_MINTED, 1,
      &ngx_http_mpk_links, ngx_http_mpk_api_links },

    { ngx_string("/links/"), NGX_HTTP_DELETE,
      NGX_HTTP_MPK_ROLE_SHOP, MPK_EVENT_LINK_REVOKED, 1,
      &ngx_http_mpk_nothing, ngx_http_mpk_api_revoke },

    { ngx_string("/journal"), NGX_HTTP_GET|NGX_HTTP_HEAD,
      NGX_HTTP_MPK_ROLE_SHOP|NGX_HTTP_MPK_ROLE_SUPPORT, NGX_HTTP_MPK_EVENT_READ, 0,
      NULL, ngx_http_mpk_api_journal },

    { ngx_string("/evidence"), NGX_HTTP_GET|NGX_HTTP_HEAD,
      NGX_HTTP_MPK_ROLE_SUPPORT, NGX_HTTP_MPK_EVENT_READ, 0,
      NULL, ngx_http_mpk_api_evidence },

    { ngx_string(""), NGX_HTTP_DELETE,
      NGX_HTTP_MPK_ROLE_SHOP, MPK_EVENT_ERASED, 1,
      &ngx_http_mpk_nothing, ngx_http_mpk_api_erase },

    { ngx_string("/claims"), NGX_HTTP_POST,
      NGX_HTTP_MPK_ROLE_SUPPORT, MPK_EVENT_CLAIM_OPENED, 1,
      &ngx_http_mpk_report, ngx_http_mpk_api_report },

    /* without the claim's number: see ngx_http_mpk_api_part() */

    { ngx_string("/claims/note"), NGX_HTTP_POST,
      NGX_HTTP_MPK_ROLE_SUPPORT, MPK_EVENT_CLAIM_NOTE, 1,
      &ngx_http_mpk_note, ngx_http_mpk_api_note },

    { ngx_string("/claims/needs_info"), NGX_HTTP_POST,
      NGX_HTTP_MPK_ROLE_SUPPORT, MPK_EVENT_CLAIM_NEEDS_INFO, 1,
      &ngx_http_mpk_needs_info, ngx_http_mpk_api_needs_info },

    { ngx_string("/claims/replace"), NGX_HTTP_POST,
      NGX_HTTP_MPK_ROLE_SHOP|NGX_HTTP_MPK_ROLE_SUPPORT, MPK_EVENT_CLAIM_REPLACED, 1,
      &ngx_http_mpk_replace, ngx_http_mpk_api_replace },

    { ngx_string("/claims/refund"), NGX_HTTP_POST,
      NGX_HTTP_MPK_ROLE_SHOP|NGX_HTTP_MPK_ROLE_SUPPORT, MPK_EVENT_CLAIM_REFUNDED, 1,
      &ngx_http_mpk_refund, ngx_http_mpk_api_refund },

    { ngx_string("/claims/reject"), NGX_HTTP_POST,
      NGX_HTTP_MPK_ROLE_SUPPORT, MPK_EVENT_CLAIM_REJECTED, 1,
      &ngx_http_mpk_reject, ngx_http_mpk_api_reject },

    { ngx_string("/withdrawals"), NGX_HTTP_POST,
      NGX_HTTP_MPK_ROLE_SUPPORT, MPK_EVENT_WITHDRAWAL_STATED, 1,
      &ngx_http_mpk_withdraw, ngx_http_mpk_api_withdraw },

    { ngx_string("/withdrawals/accept"), NGX_HTTP_POST,
      NGX_HTTP_MPK_ROLE_SUPPORT, MPK_EVENT_WITHDRAWN, 1,
      &ngx_http_mpk_withdraw_accept, ngx_http_mpk_api_withdraw_accept },

    { ngx_string("/withdrawals/reject"), NGX_HTTP_POST,
      NGX_HTTP_MPK_ROLE_SUPPORT, MPK_EVENT_WITHDRAWAL_REJECTED, 1,
      &ngx_http_mpk_withdraw_reject, ngx_http_mpk_api_withdraw_reject },

    { ngx_null_string, 0, 0, 0, 0, NULL, NULL }
};

static const ngx_http_mpk_api_route_t  ngx_http_mpk_api_orders_routes[] = {

    { ngx_string(""), NGX_HTTP_POST,
      NGX_HTTP_MPK_ROLE_SHOP, MPK_EVENT_FILED, 0,
      NULL, ngx_http_mpk_api_ndjson },

    { ngx_string(""), NGX_HTTP_GET|NGX_HTTP_HEAD,
      NGX_HTTP_MPK_ROLE_SHOP|NGX_HTTP_MPK_ROLE_SUPPORT, NGX_HTTP_MPK_EVENT_LISTED, 0,
      NULL, ngx_http_mpk_api_worklist },

    { ngx_null_string, 0, 0, 0, 0, NULL, NULL }
};

static const ngx_http_mpk_api_route_t  ngx_http_mpk_api_withdrawals_routes[] = {

    { ngx_string(""), NGX_HTTP_GET|NGX_HTTP_HEAD,
      NGX_HTTP_MPK_ROLE_SUPPORT, NGX_HTTP_MPK_EVENT_LISTED, 0,
      NULL, ngx_http_mpk_api_withdrawals },

    { ngx_string("/close"), NGX_HTTP_POST,
      NGX_HTTP_MPK_ROLE_SUPPORT, NGX_HTTP_MPK_EVENT_LISTED, 1,
      &ngx_http_mpk_statement_closing, ngx_http_mpk_api_statement_close },

    { ngx_null_string, 0, 0, 0, 0, NULL, NULL }
};

static const ngx_http_mpk_api_route_t  ngx_http_mpk_api_claims_routes[] = {

    { ngx_string(""), NGX_HTTP_GET|NGX_HTTP_HEAD,
      NGX_HTTP_MPK_ROLE_SUPPORT, NGX_HTTP_MPK_EVENT_LISTED, 0,
      NULL, ngx_http_mpk_api_claims },

    { ngx_null_string, 0, 0, 0, 0, NULL, NULL }
};

#define NGX_HTTP_MPK_ROLE_EVENTS  (NGX_HTTP_MPK_ROLE_FEED|NGX_HTTP_MPK_ROLE_COURIER)

static const ngx_http_mpk_api_route_t  ngx_http_mpk_api_events_routes[] = {

    { ngx_string(""), NGX_HTTP_GET,
      NGX_HTTP_MPK_ROLE_EVENTS, NGX_HTTP_MPK_EVENT_FEED, 0,
      NULL, ngx_http_mpk_api_events },

    { ngx_string("/ack"), NGX_HTTP_POST,
      NGX_HTTP_MPK_ROLE_EVENTS, NGX_HTTP_MPK_EVENT_FEED, 1,
      &ngx_http_mpk_acknowledging, ngx_http_mpk_api_events_ack },

    { ngx_string("/unpark"), NGX_HTTP_POST,
      NGX_HTTP_MPK_ROLE_EVENTS, NGX_HTTP_MPK_EVENT_FEED, 1,
      &ngx_http_mpk_unparking, ngx_http_mpk_api_events_unpark },

    { ngx_string("/parked"), NGX_HTTP_GET|NGX_HTTP_HEAD,
      NGX_HTTP_MPK_ROLE_EVENTS, NGX_HTTP_MPK_EVENT_FEED, 0,
      NULL, ngx_http_mpk_api_events_parked },

    { ngx_string("/groups"), NGX_HTTP_GET|NGX_HTTP_HEAD,
      NGX_HTTP_MPK_ROLE_EVENTS, NGX_HTTP_MPK_EVENT_FEED, 0,
      NULL, ngx_http_mpk_api_events_groups },

    { ngx_null_string, 0, 0, 0, 0, NULL, NULL }
};


ngx_int_t
ngx_http_mpk_api_handler(ngx_http_request_t *r)
{
    ngx_int_t                        n;
    const char                      *allow;
    ngx_http_mpk_api_t              *api;
    ngx_http_mpk_ctx_t              *ctx;
    ngx_http_mpk_answer_t            answer;
    ngx_http_mpk_api_path_t          path;
    const ngx_http_mpk_api_route_t  *route;

    ngx_http_mpk_api_path(r, &path);

    route = NULL;
    allow = NULL;

    if (path.routes) {
        route = ngx_http_mpk_api_route(r, path.routes, &path.suffix, &allow);
    }

    if (route == NULL && allow == NULL && !ngx_http_mpk_api_misnamed(r, &path))
    {
        return NGX_DECLINED;
    }

    ctx = ngx_http_mpk_create_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->json = 1;

    api = ngx_pcalloc(r->pool, sizeof(ngx_http_mpk_api_t));
    if (api == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->data = api;
    ctx->event = route ? route->event : MPK_EVENT_NONE;

    switch (ngx_http_mpk_api_auth(r, ctx, route ? route->roles
                                                : NGX_HTTP_MPK_ROLE_ALL))
    {
    case NGX_OK:
        break;

    case NGX_DECLINED:
        return ngx_http_mpk_api_problem(r, ctx, NGX_HTTP_FORBIDDEN,
                   NGX_HTTP_MPK_OUTCOME_FORBIDDEN,
                   "The token's role does not allow this.");

    default: /* NGX_ERROR */
        return ngx_http_mpk_api_problem(r, ctx, NGX_HTTP_UNAUTHORIZED,
                   NGX_HTTP_MPK_OUTCOME_UNAUTHORIZED,
                   "Send \"Authorization: Bearer\" with a token of this "
                   "API.");
    }

    if (route == NULL && allow) {
        ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
        answer.status = NGX_HTTP_NOT_ALLOWED;
        answer.allow = allow;

        ctx->outcome = NGX_HTTP_MPK_OUTCOME_METHOD;

        return ngx_http_mpk_send_problem(r, ctx, &answer,
                   ngx_http_mpk_outcome_name(ctx->outcome),
                   mpk_string("This resource does not have the method."),
                   mpk_string(""), NULL);
    }

    if (route == NULL || (path.of_order && !mpk_order_id_valid(path.id))) {
        return ngx_http_mpk_api_no_id(r, ctx);
    }

    api->order = path.id;
    api->part = path.part;

    n = ngx_atoi((u_char *) path.part.data, path.part.len);
    api->claim = n > 0 ? n : 0;

    ctx->order = api->order;

    if (route->body) {
        api->data = (void *) route;

        return ngx_http_mpk_read_body(r, ctx, NGX_HTTP_MPK_API_BODY_MAX,
                                      ngx_http_mpk_api_body);
    }

    return route->handler(r, ctx);
}


/* Splits the path; without routes it is none of the API's. */

static void
ngx_http_mpk_api_path(ngx_http_request_t *r, ngx_http_mpk_api_path_t *path)
{
    u_char                    *p, *last;
    ngx_str_t                  rest;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    ngx_memzero(path, sizeof(ngx_http_mpk_api_path_t));

    p = r->uri.data + clcf->name.len;
    last = r->uri.data + r->uri.len;

    if (p < last && *p == '/') {
        p++;
    }

    rest.data = p;
    rest.len = last - p;

    if (ngx_http_mpk_is(&rest, "claims")) {
        path->routes = ngx_http_mpk_api_claims_routes;
        return;
    }

    if (ngx_http_mpk_is(&rest, "withdrawals")) {
        path->routes = ngx_http_mpk_api_withdrawals_routes;
        return;
    }

    if (ngx_http_mpk_begins(&rest, "withdrawals/")) {
        p += sizeof("withdrawals/") - 1;

        path->routes = ngx_http_mpk_api_withdrawals_routes;
        path->suffix.data = ngx_strlchr(p, last, '/');
        path->suffix.data = path->suffix.data ? path->suffix.data : last;
        path->suffix.len = last - path->suffix.data;
        path->part = (mpk_str_t) { path->suffix.data - p, p };

        /* "withdrawals/ID" alone is none, and an id is one of a receipt */

        if (path->suffix.len == 0 || !mpk_order_id_valid(path->part)) {
            path->routes = NULL;
        }

        return;
    }

    if (ngx_http_mpk_is(&rest, "orders")) {
        path->routes = ngx_http_mpk_api_orders_routes;
        return;
    }

    if (ngx_http_mpk_is(&rest, "events")
        || ngx_http_mpk_begins(&rest, "events/"))
    {
        path->routes = ngx_http_mpk_api_events_routes;
        path->suffix.data = p + sizeof("events") - 1;
        path->suffix.len = last - path->suffix.data;
        return;
    }

    path->of_order = rest.len == 0 || ngx_http_mpk_begins(&rest, "orders/");

    if (rest.len <= sizeof("orders/") - 1 || !path->of_order) {
        return;
    }

    p += sizeof("orders/") - 1;

    path->suffix.data = ngx_strlchr(p, last, '/');
    path->suffix.data = path->suffix.data ? path->suffix.data : last;
    path->suffix.len = last - path->suffix.data;

    path->routes = ngx_http_mpk_api_routes;
    path->id = (mpk_str_t) { path->suffix.data - p, p };
    path->part = ngx_http_mpk_api_part(r, &path->suffix);
}


/*
 * Whether a path of no call comes from an order number that is not a valid id.  nginx has
 * decoded its "%2F", and has resolved "." and ".." as parts of the path.
 */

static ngx_uint_t
ngx_http_mpk_api_misnamed(ngx_http_request_t *r,
    const ngx_http_mpk_api_path_t *path)
{
    u_char  *uri, *last;

    if (!path->of_order) {
        return 0;
    }

    uri = r->unparsed_uri.data;
    last = ngx_strlchr(uri, uri + r->unparsed_uri.len, '?');

    if (last == NULL) {
        last = uri + r->unparsed_uri.len;
    }

    if (path->routes == NULL) {
        return (r->method & NGX_HTTP_PUT)
               && ngx_strlcasestrn(uri, last, (u_char *) "orders/",
                                   sizeof("orders/") - 2);
    }

    return r->content_handler == NULL
           || ngx_strlcasestrn(uri, last, (u_char *) "%2f",
                               sizeof("%2f") - 2);
}


static ngx_int_t
ngx_http_mpk_api_no_id(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    static const char  detail[] =
        "No call has this path. An order id is 1 to 64 of the characters A-Z, "
        "a-z, 0-9, \".\", \"_\" and \"-\", and not \".\" or \"..\". Give an "
        "order whose number has others, such as \"/\", an id without them.";

    if (r->method & NGX_HTTP_PUT) {
        ctx->event = MPK_EVENT_FILED;
        ngx_http_mpk_api_error(ctx, mpk_string("{id}"), detail);
        return ngx_http_mpk_api_invalid(r, ctx);
    }

    if (ctx->mlcf->fallthrough) {
        ctx->outcome = MPK_ABSENT;
        return ngx_http_mpk_pass(r, ctx);
    }

    return ngx_http_mpk_api_problem(r, ctx, NGX_HTTP_NOT_FOUND, MPK_ABSENT,
                                    detail);
}


/*
 * Turns "/claims/3/replace" into "/claims/replace", withdrawals alike, "/links/ID" into
 * "/links/": the variable part is returned, empty for other paths.
 */

static mpk_str_t
ngx_http_mpk_api_part(ngx_http_request_t *r, ngx_str_t *suffix)
{
    u_char     *p, *slash, *last;
    mpk_str_t   part;
    ngx_str_t   cases;

    static ngx_str_t  claims = ngx_string("/claims/");
    static ngx_str_t  withdrawals = ngx_string("/withdrawals/");
    static ngx_str_t  links = ngx_string("/links/");

    last = suffix->data + suffix->len;
    part = mpk_string("");

    if (suffix->len > links.len
        && ngx_strncmp(suffix->data, links.data, links.len) == 0)
    {
        part.data = suffix->data + links.len;
        part.len = last - part.data;

        *suffix = links;

        return part;
    }

    if (ngx_http_mpk_begins(suffix, "/claims/")) {
        cases = claims;

    } else if (ngx_http_mpk_begins(suffix, "/withdrawals/")) {
        cases = withdrawals;

    } else {
        return part;
    }

    p = suffix->data + cases.len;

    slash = ngx_strlchr(p, last, '/');
    if (slash == NULL) {
        return part;
    }

    part.data = p;
    part.len = slash - p;

    p = ngx_pnalloc(r->pool, suffix->len);
    if (p == NULL) {
        return mpk_string("");
    }

    suffix->data = p;
    p = ngx_cpymem(p, cases.data, cases.len - 1);
    p = ngx_cpymem(p, slash, last - slash);
    suffix->len = p - suffix->data;

    return part;
}


/* NULL: *allow is the list of the path's methods, or NULL if the path is unknown. */

static const ngx_http_mpk_api_route_t *
ngx_http_mpk_api_route(ngx_http_request_t *r,
    const ngx_http_mpk_api_route_t *routes, ngx_str_t *suffix,
    const char **allow)
{
    const ngx_http_mpk_api_route_t  *route;

    *allow = NULL;

    for (route = routes; route->handler; route++) {

        if (route->suffix.len != suffix->len
            || ngx_strncmp(route->suffix.data, suffix->data, suffix->len) != 0)
        {
            continue;
        }

        if (route->method & r->method) {
            return route;
        }

        *allow = suffix->len == 0 && routes == ngx_http_mpk_api_routes
                 ? "DELETE, GET, HEAD, PUT"
                 : routes == ngx_http_mpk_api_orders_routes ? "GET, HEAD, POST"
                 : (route->method & NGX_HTTP_POST) ? "POST"
                 : (route->method & NGX_HTTP_PUT) ? "PUT"
                 : (route->method & NGX_HTTP_DELETE) ? "DELETE"
                 : (route->method & NGX_HTTP_HEAD) ? "GET, HEAD" : "GET";
    }

    return NULL;
}


/* NGX_ERROR: no valid token; NGX_DECLINED: its role does not allow the call. */

static ngx_int_t
ngx_http_mpk_api_auth(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_uint_t roles)
{
    u_char                     hash[MPK_MAC_LEN];
    mpk_str_t                  token;
    ngx_str_t                 *value;
    ngx_uint_t                 i;
    ngx_http_mpk_api_t        *api;
    ngx_http_mpk_api_token_t  *t, *found;

    static ngx_str_t  scheme = ngx_string("Bearer ");

    api = ctx->data;
    api->roles = NGX_HTTP_MPK_ROLE_ALL;

    if (ctx->mlcf->api_tokens == NULL) {
        ngx_str_set(&ctx->actor, "api");
        return NGX_OK;
    }

    if (r->headers_in.authorization == NULL) {
        return NGX_ERROR;
    }

    value = &r->headers_in.authorization->value;

    if (value->len <= scheme.len
        || ngx_strncasecmp(value->data, scheme.data, scheme.len) != 0)
    {
        return NGX_ERROR;
    }

    token.data = value->data + scheme.len;
    token.len = value->len - scheme.len;

    /* RFC 9110, 11.4: any number of blanks */

    while (token.len && token.data[0] == ' ') {
        token.data++;
        token.len--;
    }

    if (mpk_crypto_hash(ctx->mmcf->crypto, token, hash) != MPK_OK) {
        return NGX_ERROR;
    }

    t = ctx->mlcf->api_tokens->elts;
    found = NULL;

    for (i = 0; i < ctx->mlcf->api_tokens->nelts; i++) {
        if (mpk_secret_eq((mpk_str_t) { MPK_MAC_LEN, t[i].hash },
                          (mpk_str_t) { MPK_MAC_LEN, hash }))
        {
            found = &t[i];
        }
    }

    if (found == NULL) {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "mpk: unknown API token, answering 401");
        return NGX_ERROR;
    }

    api->roles = found->roles;
    ctx->actor = found->name;
    ctx->reader = !(found->roles & (NGX_HTTP_MPK_ROLE_SHOP
                                    |NGX_HTTP_MPK_ROLE_SUPPORT));

    if (!(found->roles & roles)) {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "mpk: the role of API token \"%V\" does not allow this call, "
                      "answering 403",
                      &found->name);

        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_mpk_api_body(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_str_t                        body;
    ngx_int_t                        rc;
    mpk_error_t                      error;
    mpk_value_t                     *value;
    ngx_http_mpk_api_t              *api;
    const ngx_http_mpk_api_route_t  *route;

    api = ctx->data;

    route = api->data;
    api->data = NULL;

    rc = ngx_http_mpk_body(r, NGX_HTTP_MPK_API_BODY_MAX, &body);

    if (rc == NGX_DECLINED) {
        return ngx_http_mpk_api_problem(r, ctx,
                                        NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                        NGX_HTTP_MPK_OUTCOME_BODY,
                                        "The body is over 1 MB.");
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    value = NULL;

    if (body.len && ngx_http_mpk_body_type(r) != NGX_HTTP_MPK_BODY_JSON) {
        return ngx_http_mpk_api_problem(r, ctx,
                                        NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                        NGX_HTTP_MPK_OUTCOME_MEDIA_TYPE,
                                        "Send the body as "
                                        "\"Content-Type: application/json\".");
    }

    if (body.len
        && mpk_json_read(&ctx->mem, body.data, body.len,
                         &ngx_http_mpk_api_limits, &value, &error)
           != MPK_OK)
    {
        return ngx_http_mpk_api_problem(r, ctx, NGX_HTTP_BAD_REQUEST,
                                        NGX_HTTP_MPK_OUTCOME_BODY,
                                        error.text);
    }

    if (value && value->type != MPK_VALUE_OBJECT) {
        return ngx_http_mpk_api_problem(r, ctx, NGX_HTTP_BAD_REQUEST,
                                        NGX_HTTP_MPK_OUTCOME_BODY,
                                        "The body must be a JSON object.");
    }

    if (route->members
        && !mpk_members_read(&ctx->mem, value, route->members, mpk_string(""),
                             0, NULL, &api->errors))
    {
        return ngx_http_mpk_api_invalid(r, ctx);
    }

    api->body = value;

    return route->handler(r, ctx);
}
