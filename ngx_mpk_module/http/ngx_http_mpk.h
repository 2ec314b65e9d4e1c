/*
 * The nginx side of the module: configurations, what a request carries along, and
 * what the files of http/ offer each other.
 */

#ifndef NGX_HTTP_MPK_H
#define NGX_HTTP_MPK_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "mpk_journal.h"
#include "mpk_lookup.h"
#include "mpk_template.h"
#include "mpk_time.h"
#include "ngx_mpk_redis.h"


/* core's memory on an nginx pool; failed tells a builder of values that it ran dry. */
typedef struct {
    mpk_mem_t                     mem;      /* first: its ctx is this structure */
    ngx_pool_t                   *pool;
    unsigned                      failed:1;
} ngx_http_mpk_mem_t;

void ngx_http_mpk_mem_init(ngx_http_mpk_mem_t *mem, ngx_pool_t *pool);


static ngx_inline mpk_str_t
ngx_http_mpk_str(const ngx_str_t *s)
{
    return (mpk_str_t) { s->len, s->data };
}


/* ------------------------------------------------------------------ pages */

typedef enum {
    NGX_HTTP_MPK_PAGE_CONFIRM = 0,
    NGX_HTTP_MPK_PAGE_KEYS,
    NGX_HTTP_MPK_PAGE_HELD,
    NGX_HTTP_MPK_PAGE_USED,
    NGX_HTTP_MPK_PAGE_EXPIRED,
    NGX_HTTP_MPK_PAGE_NOTFOUND,
    NGX_HTTP_MPK_PAGE_CANCELLED,
    NGX_HTTP_MPK_PAGE_LIMITED,
    NGX_HTTP_MPK_PAGE_REFUSED,
    NGX_HTTP_MPK_PAGE_UNAVAILABLE,
    NGX_HTTP_MPK_PAGE_CROWD,
    NGX_HTTP_MPK_PAGE_TRACK,
    NGX_HTTP_MPK_PAGE_ORDER,
    NGX_HTTP_MPK_PAGE_ACCOUNT,
    NGX_HTTP_MPK_PAGE_FRAGMENT,
    NGX_HTTP_MPK_PAGE_CLAIM,
    NGX_HTTP_MPK_PAGE_CLAIMED,
    NGX_HTTP_MPK_PAGE_LATE,
    NGX_HTTP_MPK_PAGE_UNDELIVERED,
    NGX_HTTP_MPK_PAGE_REFUNDED,
    NGX_HTTP_MPK_PAGE_DECIDED,
    NGX_HTTP_MPK_PAGE_EVIDENCE,
    NGX_HTTP_MPK_PAGE_MAX
} ngx_http_mpk_page_t;


/* The pages in one language, compiled. */
typedef struct {
    ngx_str_t                     tag;             /* "de", "pt-br" */
    mpk_template_t               *templates[NGX_HTTP_MPK_PAGE_MAX];
    mpk_time_words_t              time;
    ngx_str_t                     consent;         /* hash of the texts consented to */
} ngx_http_mpk_language_t;


/* The pages of one mpk_pages directory, or the built-in ones. */
typedef struct {
    ngx_str_t                     directory;       /* empty: built-in */
    ngx_array_t                   languages;       /* English is the first */
    ngx_str_t                     csp;             /* with the hashes of style and script */
    unsigned                      support:1;       /* the catalogue says where it is */
} ngx_http_mpk_pages_t;

ngx_http_mpk_pages_t *ngx_http_mpk_pages_load(ngx_conf_t *cf,
    ngx_str_t *directory);

/*
 * The language to answer in: the locale's, if there are pages in it (an empty one
 * names none), else what Accept-Language likes best, else English.
 */
ngx_http_mpk_language_t *ngx_http_mpk_language(ngx_http_request_t *r,
    mpk_str_t locale);

/* The language with this tag, or with its primary subtag ("de" for "de-AT"); or NULL. */
ngx_http_mpk_language_t *ngx_http_mpk_language_find(
    ngx_http_mpk_pages_t *pages, mpk_str_t tag);


/* --------------------------------------------------------- configurations */

typedef struct {
    ngx_str_t                     name;
    ngx_uint_t                    roles;           /* bits of NGX_HTTP_MPK_ROLE_* */
    u_char                        hash[MPK_MAC_LEN];
} ngx_http_mpk_api_token_t;

#define NGX_HTTP_MPK_ROLE_SHOP     1
#define NGX_HTTP_MPK_ROLE_SUPPORT  2
#define NGX_HTTP_MPK_ROLE_READ     4
#define NGX_HTTP_MPK_ROLE_ALL      7


typedef struct {
    ngx_mpk_redis_t              *redis;
    mpk_keyring_t                *keyring;
    mpk_crypto_t                 *crypto;          /* the worker's own */
    time_t                        retention;       /* seconds from purchase; 0: for good */
    ngx_uint_t                    retention_set;
    ngx_array_t                   pages;           /* ngx_http_mpk_pages_t * */
    ngx_int_t                     request_id;      /* index of $request_id */
    ngx_uint_t                    endpoints;       /* how many locations have one */
    struct ngx_http_mpk_shm_s    *shm;             /* counters, of all workers */
    size_t                        zone_size;       /* 0: not set */
    ngx_cycle_t                  *cycle;           /* whose configuration this is */
} ngx_http_mpk_main_conf_t;


typedef struct {
    ngx_str_t                     public_url;      /* scheme and host, no slash */
    ngx_str_t                     reveal_path;     /* "/r/" */
    ngx_str_t                     claim_path;      /* of mpk_claim; empty: none */
    ngx_str_t                     upload_path;     /* of mpk_claim_access; empty: none */
    time_t                        claim_window;
} ngx_http_mpk_srv_conf_t;


typedef enum {
    NGX_HTTP_MPK_CHALLENGE_CLICK = 0,
    NGX_HTTP_MPK_CHALLENGE_EMAIL
} ngx_http_mpk_challenge_t;


/* How many lookups may fail within a window, until more are refused. */
typedef struct {
    ngx_uint_t                    address;
    ngx_uint_t                    order;
    time_t                        window;
} ngx_http_mpk_limit_t;


typedef struct {
    ngx_http_handler_pt           endpoint;        /* NULL: none here */
    ngx_str_t                     endpoint_name;   /* its directive */
    ngx_uint_t                    endpoint_id;     /* as counters know it */
    ngx_str_t                     file;            /* where it stands, for errors */
    ngx_uint_t                    line;

    ngx_uint_t                    challenge;
    time_t                        reveal_ttl;
    time_t                        reveal_grace;
    ngx_flag_t                    consent;
    ngx_flag_t                    fallthrough;
    ngx_str_t                     policy_version;
    ngx_http_mpk_pages_t         *pages;

    ngx_http_complex_value_t     *account;         /* the customer's identity */
    ngx_http_complex_value_t     *onscreen;        /* the order's id */
    ngx_http_mpk_limit_t         *track_limit;

    ngx_array_t                  *api_tokens;      /* NULL: "off" */
    ngx_flag_t                    api_tokens_set;

    ngx_uint_t                    status;          /* the format of mpk_status */
} ngx_http_mpk_loc_conf_t;


extern ngx_module_t  ngx_http_mpk_module;

/* What a worker needs of its own; nothing where it has it already. */
ngx_int_t ngx_http_mpk_init_process(ngx_cycle_t *cycle);

char *ngx_http_mpk_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_mpk_conf_keyring(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_mpk_conf_public_url(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_mpk_conf_reveal_path(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_mpk_conf_endpoint(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_mpk_conf_claim(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_mpk_conf_retention(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_mpk_conf_track_limit(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_mpk_conf_account(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_mpk_conf_onscreen(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_mpk_conf_pages(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_mpk_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_mpk_conf_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_mpk_conf_handler(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_mpk_loc_conf_t *mlcf, ngx_http_handler_pt handler);
char *ngx_http_mpk_conf_api_tokens(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_http_mpk_conf_read(ngx_conf_t *cf, ngx_str_t *name,
    size_t max, ngx_uint_t secret, ngx_str_t *content);
char *ngx_http_mpk_conf_check_endpoint(ngx_conf_t *cf,
    ngx_http_mpk_loc_conf_t *conf);


/* ------------------------------------------------------------ transactions */

typedef struct ngx_http_mpk_txn_s  ngx_http_mpk_txn_t;

typedef enum {
    NGX_HTTP_MPK_TXN_OK = 0,       /* the decision holds; DONE means committed */
    NGX_HTTP_MPK_TXN_UNAVAILABLE,  /* nothing was written */
    NGX_HTTP_MPK_TXN_LOST,         /* nobody knows whether it was written */
    NGX_HTTP_MPK_TXN_BUSY,         /* others wrote each time; nothing was written */
    NGX_HTTP_MPK_TXN_ERROR         /* what is stored does not open, or no memory */
} ngx_http_mpk_txn_result_t;


typedef void (*ngx_http_mpk_txn_handler_pt)(ngx_http_mpk_txn_t *txn);

/* Adds to txn->what and txn->who what only the order as read can tell. */
typedef ngx_int_t (*ngx_http_mpk_txn_look_pt)(ngx_http_mpk_txn_t *txn);


/*
 * Read, decide, commit: one order, one event.  Has its own pool and lives on its
 * own: a request that dies detaches, and what is under way comes to its end.
 */
struct ngx_http_mpk_txn_s {
    ngx_pool_t                   *pool;
    ngx_http_mpk_mem_t            mem;
    ngx_http_mpk_main_conf_t     *mmcf;
    ngx_http_request_t           *request;         /* NULL: detached */
    ngx_http_mpk_txn_handler_pt   handler;         /* without a request: told of the end */
    void                         *data;            /* the handler's */
    ngx_log_t                    *log;

    /* set by the maker before ngx_http_mpk_txn_start() */
    mpk_str_t                     id;              /* the order's */
    mpk_request_t                 what;
    mpk_entry_t                   who;             /* what the entry tells beside the event */
    mpk_data_key_t               *filing_key;      /* for MPK_EVENT_FILED */
    const u_char                 *account;         /* FILED, ERASED: hash for the index */
    ngx_http_mpk_txn_look_pt      look;            /* at the order, before the decision */
    unsigned                      dry:1;           /* decide, write nothing */
    unsigned                      counted:1;       /* read the token's wrong challenges */

    /* results */
    ngx_http_mpk_txn_result_t     result;
    mpk_order_t                   order;           /* as read */
    mpk_decision_t                decision;
    mpk_data_key_t                data_key;        /* see ngx_http_mpk_txn_unwrap() */
    mpk_str_t                    *keys;            /* opened, one for each decision.items */
    ngx_uint_t                    keys_count;
    mpk_str_t                     page;            /* shows them; cleansed at the end */
    uint64_t                      store_time;      /* us */

    /* its own */
    mpk_str_t                     key;             /* the order's in Redis */
    ngx_mpk_redis_cmd_t           cmd;             /* one after the other */
    mpk_str_t                    *argv;
    ngx_uint_t                    argc;
    ngx_uint_t                    tries;
    uint64_t                      started;         /* us */
    mpk_record_t                  record;
    unsigned                      waiting:1;       /* for the answer to a command */
    unsigned                      decided:1;
    unsigned                      unwrapped:1;
    unsigned                      more:1;          /* the commit takes the longer script */
};


ngx_int_t ngx_http_mpk_commit_init(ngx_conf_t *cf);

/*
 * A transaction with a request dies with it, or, if a command is under way then, after
 * it.  One without calls its handler, if it has one, and dies; a handler that is taken
 * away before that makes it one that nobody waits for.
 */
ngx_http_mpk_txn_t *ngx_http_mpk_txn_create(ngx_http_mpk_main_conf_t *mmcf,
    ngx_http_request_t *r);

/* Copies into the transaction's pool: it may outlive the request. */
mpk_str_t ngx_http_mpk_txn_copy(ngx_http_mpk_txn_t *txn, mpk_str_t s);

/* It ends later, never in this call. */
void ngx_http_mpk_txn_start(ngx_http_mpk_txn_t *txn);

/* Drops one without a request that was not started. */
void ngx_http_mpk_txn_destroy(ngx_http_mpk_txn_t *txn);

/* Unwraps the order's data key once; NGX_ERROR is logged. */
ngx_int_t ngx_http_mpk_txn_unwrap(ngx_http_mpk_txn_t *txn);

/* Opens an item's product key as read into the transaction's memory. */
ngx_int_t ngx_http_mpk_txn_open(ngx_http_mpk_txn_t *txn, ngx_uint_t item,
    mpk_str_t *key);

/* Journals, in the background, that the answer of a view was cut off. */
void ngx_http_mpk_txn_cut_off(ngx_http_mpk_txn_t *view);


/* Logs why an order's data key can't be unwrapped. */
void ngx_http_mpk_unwrap_log(ngx_log_t *log, mpk_str_t order,
    mpk_status_t status);


/* ---------------------------------------------------------------- requests */

typedef struct ngx_http_mpk_ctx_s  ngx_http_mpk_ctx_t;
typedef struct ngx_http_mpk_orders_s  ngx_http_mpk_orders_t;

typedef ngx_int_t (*ngx_http_mpk_next_pt)(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);

/* What a request was about: one of mpk_event_t, or of these. */
enum {
    NGX_HTTP_MPK_EVENT_TRACKED = MPK_EVENT_MAX,
    NGX_HTTP_MPK_EVENT_LISTED,
    NGX_HTTP_MPK_EVENT_CLAIM_ACCESS,
    NGX_HTTP_MPK_EVENT_MAX
};

/* What became of it: one of mpk_outcome_t, or of these. */
enum {
    NGX_HTTP_MPK_OUTCOME_UNAVAILABLE = MPK_OUTCOME_MAX,
    NGX_HTTP_MPK_OUTCOME_LOST,
    NGX_HTTP_MPK_OUTCOME_BUSY,
    NGX_HTTP_MPK_OUTCOME_ERROR,
    NGX_HTTP_MPK_OUTCOME_FORM,
    NGX_HTTP_MPK_OUTCOME_INVALID,
    NGX_HTTP_MPK_OUTCOME_FOREIGN,
    NGX_HTTP_MPK_OUTCOME_LIMITED,
    NGX_HTTP_MPK_OUTCOME_ABORTED,
    NGX_HTTP_MPK_OUTCOME_NONE,
    NGX_HTTP_MPK_OUTCOME_MAX
};

/* As logs and counters spell them; empty for NONE. */
mpk_str_t ngx_http_mpk_event_name(ngx_uint_t event);
mpk_str_t ngx_http_mpk_outcome_name(ngx_uint_t outcome);


/* Request headers that nginx itself does not look at. */
typedef enum {
    NGX_HTTP_MPK_HEADER_ACCEPT = 0,
    NGX_HTTP_MPK_HEADER_ACCEPT_LANGUAGE,
    NGX_HTTP_MPK_HEADER_IDEMPOTENCY_KEY,
    NGX_HTTP_MPK_HEADER_ORIGIN,
    NGX_HTTP_MPK_HEADER_SEC_FETCH_SITE,
    NGX_HTTP_MPK_HEADER_SEC_PURPOSE,
    NGX_HTTP_MPK_HEADER_PURPOSE,
    NGX_HTTP_MPK_HEADER_X_PURPOSE,
    NGX_HTTP_MPK_HEADER_X_MOZ,
    NGX_HTTP_MPK_HEADER_MAX
} ngx_http_mpk_header_name_t;


/* What a request carries along; survives internal redirects, for the log's sake. */
struct ngx_http_mpk_ctx_s {
    ngx_http_mpk_mem_t            mem;
    ngx_http_mpk_txn_t           *txn;
    ngx_http_mpk_orders_t        *orders;
    ngx_http_mpk_next_pt          next;            /* called once nothing is waited for */
    void                         *data;            /* the endpoint's own */
    ngx_chain_t                  *out;             /* the answer's body */
    ngx_str_t                    *headers[NGX_HTTP_MPK_HEADER_MAX];
    ngx_str_t                     actor;           /* the API token's name */
    ngx_http_mpk_language_t      *language;        /* of pages; set before their facts */

    unsigned                      waiting:1;
    unsigned                      passed:1;        /* goes on to the upstream */
    unsigned                      json:1;          /* what Accept prefers */
    unsigned                      reader:1;        /* the token's role is read only */

    /* for the variables and counters */
    ngx_uint_t                    endpoint;
    ngx_uint_t                    event;
    ngx_uint_t                    outcome;
    mpk_str_t                     order;
    mpk_str_t                     items;
    mpk_str_t                     channel;
    mpk_str_t                     token_id;
    mpk_str_t                     claim;
    uint64_t                      revision;        /* of the order; 0: no entry of ours */
    u_char                        mac[MPK_MAC_LEN];
    uint64_t                      store_time;      /* us */
    unsigned                      stored:1;
    unsigned                      shown:1;         /* an answer with keys was sent off */
};


/* The request's context, found again after an internal redirect; NULL: none. */
ngx_http_mpk_ctx_t *ngx_http_mpk_get_ctx(ngx_http_request_t *r);
ngx_http_mpk_ctx_t *ngx_http_mpk_create_ctx(ngx_http_request_t *r);
ngx_int_t ngx_http_mpk_phases_init(ngx_conf_t *cf);
ngx_int_t ngx_http_mpk_variables_init(ngx_conf_t *cf);

/* Replaces the token part after the first path in text that tokens follow. */
ngx_int_t ngx_http_mpk_hide(ngx_http_request_t *r, ngx_str_t *text);

/* Notes what the transaction did, for the variables. */
void ngx_http_mpk_note(ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_txn_t *txn);

/* What follows path in the address; NGX_DECLINED: nothing, or more than a token. */
ngx_int_t ngx_http_mpk_path_token(ngx_http_request_t *r, ngx_str_t *path,
    ngx_str_t *token);

/* Hands the request on, for good, to what stands behind in the location. */
ngx_int_t ngx_http_mpk_pass(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx);

/* What a handler returns to wait; next is called through the phases. */
ngx_int_t ngx_http_mpk_wait(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_next_pt next);

/* What was waited for is there, after so many microseconds: next is called. */
void ngx_http_mpk_resume(ngx_http_request_t *r, uint64_t store_time);

/*
 * Goes on with a main request in handler once all that is ready now has come as far.
 * What many requests have in common then runs in a row: the code that all of a reveal
 * takes is more than a processor's instruction cache holds.
 */
void ngx_http_mpk_post(ngx_http_request_t *r, ngx_http_event_handler_pt handler);

/* Starts the transaction and waits for it. */
ngx_int_t ngx_http_mpk_run(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_txn_t *txn, ngx_http_mpk_next_pt next);

/*
 * Waits for the whole body, then calls next through the phases.  NGX_DONE or an
 * error to return from the handler.
 */
ngx_int_t ngx_http_mpk_read_body(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_next_pt next);

/* The body in one piece; NGX_DECLINED: over max bytes. */
ngx_int_t ngx_http_mpk_body(ngx_http_request_t *r, size_t max,
    mpk_str_t *body);

typedef enum {
    NGX_HTTP_MPK_BODY_NONE = 0,
    NGX_HTTP_MPK_BODY_FORM,
    NGX_HTTP_MPK_BODY_JSON,
    NGX_HTTP_MPK_BODY_NDJSON,
    NGX_HTTP_MPK_BODY_OTHER
} ngx_http_mpk_body_type_t;

ngx_http_mpk_body_type_t ngx_http_mpk_body_type(ngx_http_request_t *r);

/*
 * The fields of a form or of a JSON object; none of an empty body.  413, 415 and 400,
 * both with an error, and 500.
 */
ngx_int_t ngx_http_mpk_fields(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    size_t max, mpk_value_t **fields, mpk_error_t *error);

/* Finds the first header of each name; NULL: not there. */
void ngx_http_mpk_headers_find(ngx_http_request_t *r,
    ngx_str_t *found[NGX_HTTP_MPK_HEADER_MAX]);

/* Hashes the names once. */
void ngx_http_mpk_headers_init(void);

/* True if Accept prefers application/json to text/html. */
ngx_uint_t ngx_http_mpk_wants_json(ngx_http_request_t *r);

/* The weight (RFC 9110, 12.4.2) among an element's parameters, in thousandths. */
ngx_uint_t ngx_http_mpk_weight(u_char *p, u_char *last);

ngx_uint_t ngx_http_mpk_is_prefetch(ngx_http_request_t *r);

/* True if a browser says that another site sent the request (R4). */
ngx_uint_t ngx_http_mpk_is_foreign(ngx_http_request_t *r);

/* ip, agent, language and request id of the client, into the transaction. */
void ngx_http_mpk_who(ngx_http_request_t *r, ngx_http_mpk_txn_t *txn);


/* ----------------------------------------------------------------- answers */

/* Headers of an answer with facts; seconds, 0: none. */
typedef struct {
    ngx_uint_t                    status;
    ngx_uint_t                    retry_after;
    ngx_uint_t                    refresh;
    const char                   *allow;
} ngx_http_mpk_answer_t;

/* Each sends a whole answer, finalizes the request and gives NGX_DONE. */
ngx_int_t ngx_http_mpk_send_page(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, const ngx_http_mpk_answer_t *answer,
    ngx_http_mpk_page_t page, const mpk_value_t *facts);

/* A page that says what happened, and what to do next. */
typedef struct {
    ngx_uint_t                    status;
    ngx_http_mpk_page_t           page;
    unsigned                      track:1;         /* a link to the tracking page */
    unsigned                      retry:1;         /* a link to the same address */
    unsigned                      support:1;
    ngx_uint_t                    refresh;         /* seconds; 0: it does not reload itself */
    ngx_uint_t                    retry_after;
} ngx_http_mpk_notice_t;

/* The notice as a page, or the rest as a problem. */
ngx_int_t ngx_http_mpk_send_notice(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, const ngx_http_mpk_notice_t *notice,
    mpk_str_t type, mpk_str_t detail, mpk_str_t rule);

/* 503: Redis could not be read or written. */
ngx_int_t ngx_http_mpk_send_unavailable(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, mpk_str_t detail, mpk_str_t rule);

ngx_int_t ngx_http_mpk_send_json(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, const ngx_http_mpk_answer_t *answer,
    const mpk_value_t *facts);

/* JSON that is written already. */
ngx_int_t ngx_http_mpk_send_written(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, const ngx_http_mpk_answer_t *answer,
    mpk_buf_t *body);

/* Anything else that is written already; not for secrets in HTML. */
ngx_int_t ngx_http_mpk_send_typed(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, const ngx_http_mpk_answer_t *answer,
    ngx_str_t *type, mpk_buf_t *body);

/* The header of a 200 whose body the caller sends; length -1: nobody knows yet. */
ngx_int_t ngx_http_mpk_send_header(ngx_http_request_t *r, ngx_str_t *type,
    off_t length);

/* problem+json (RFC 9457); "errors" may be NULL: an array of {pointer, detail}. */
ngx_int_t ngx_http_mpk_send_problem(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, const ngx_http_mpk_answer_t *answer,
    mpk_str_t type, mpk_str_t detail, mpk_str_t rule, mpk_value_t *errors);

/* A time as a fact: RFC 3339 for JSON, plainer for a page; null where it is 0. */
mpk_value_t *ngx_http_mpk_value_time(ngx_http_mpk_ctx_t *ctx,
    mpk_value_t *parent, mpk_str_t name, int64_t seconds);

/* A key with all but its end hidden. */
mpk_str_t ngx_http_mpk_mask(ngx_http_mpk_mem_t *mem, mpk_str_t key);


/* --------------------------------------------------------------- endpoints */

ngx_int_t ngx_http_mpk_reveal_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_mpk_track_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_mpk_account_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_mpk_onscreen_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_mpk_claim_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_mpk_claim_access_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_mpk_api_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_mpk_status_handler(ngx_http_request_t *r);


#endif /* NGX_HTTP_MPK_H */
