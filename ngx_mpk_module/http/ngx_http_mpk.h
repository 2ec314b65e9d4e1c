/* Included by everything in http/: the module and its configurations. */

#ifndef NGX_HTTP_MPK_H
#define NGX_HTTP_MPK_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_mpk_mem.h"
#include "ngx_http_mpk_words.h"
#include "ngx_mpk_assert.h"
#include "ngx_mpk_redis.h"

#include "mpk_fit.h"
#include "mpk_journal.h"
#include "mpk_lookup.h"

#define NGX_HTTP_MPK_VERSION  "0.2.0"


typedef struct ngx_http_mpk_pages_s  ngx_http_mpk_pages_t;
typedef struct ngx_http_mpk_shm_s  ngx_http_mpk_shm_t;


/* A location's endpoint. */
typedef struct {
    ngx_http_mpk_endpoint_id_t    id;
    ngx_http_handler_pt           handler;
    ngx_http_handler_pt           log;             /* of a request that went on to the location; may be NULL */
    unsigned                      subrequests:1;   /* also runs in them */
    unsigned                      guard:1;         /* also for nested locations; refuses subrequests */
    unsigned                      pages:1;         /* needs pages and mpk_public_url */
} ngx_http_mpk_endpoint_t;


/* The words of a consent: a line for each box. */
typedef struct {
    ngx_str_t                     hash;            /* SHA-256, in base64 */
    mpk_str_t                     words;
} ngx_http_mpk_text_t;


typedef struct {
    ngx_mpk_redis_t              *redis;
    mpk_keyring_t                *keyring;
    mpk_crypto_t                 *crypto;          /* the worker's own */
    time_t                        retention;       /* seconds from purchase; 0: forever */
    time_t                        outbox_keep;     /* seconds; 0: forever */
    ngx_array_t                   pages;           /* ngx_http_mpk_pages_t * */
    ngx_array_t                   texts;           /* ngx_http_mpk_text_t: each once */
    ngx_int_t                     request_id;      /* index of $request_id */
    ngx_array_t                   locations;       /* ngx_http_mpk_location_t: with an endpoint */
    ngx_array_t                   paths;           /* mpk_str_t: before tokens, of all servers */
    ngx_http_mpk_shm_t           *shm;             /* counters of all workers */
    ngx_array_t                   actors;          /* mpk_str_t: API tokens' names */
    size_t                        zone_size;       /* 0: not set */
    ngx_cycle_t                  *cycle;           /* the cycle of this configuration */
} ngx_http_mpk_main_conf_t;


typedef struct {
    ngx_str_t                     public_url;      /* scheme and host, no slash */
    ngx_str_t                     reveal_path;     /* "/r/" */
    ngx_str_t                     claim_path;      /* of mpk_claim; empty: none */
    ngx_str_t                     upload_path;     /* of mpk_claim_access; empty: none */
    ngx_str_t                     withdraw_path;   /* of mpk_withdraw; empty: none */
    time_t                        claim_window;
    time_t                        email_hold;      /* mpk_email_change_hold */
    time_t                        held_usual;      /* 0: pages do not say */
    time_t                        withdrawal_window; /* whole days */
    ngx_flag_t                    withdraw_refuse;
    ngx_uint_t                    endpoints;       /* bits: which it has, by id */
} ngx_http_mpk_srv_conf_t;


typedef enum {
    NGX_HTTP_MPK_CHALLENGE_CLICK = 0,
    NGX_HTTP_MPK_CHALLENGE_EMAIL
} ngx_http_mpk_challenge_t;


/* How many lookups may fail within a window until more are refused. */
typedef struct {
    ngx_uint_t                    address;
    ngx_uint_t                    order;
    time_t                        window;
} ngx_http_mpk_limit_t;


typedef struct {
    const ngx_http_mpk_endpoint_t  *endpoint;      /* NULL: none here */
    ngx_str_t                     endpoint_name;   /* its directive */
    ngx_str_t                     file;            /* where the directive is, for errors */
    ngx_uint_t                    line;

    ngx_uint_t                    challenge;
    time_t                        reveal_ttl;
    time_t                        reveal_grace;
    ngx_uint_t                    consent;         /* MPK_CONSENT_... */
    ngx_flag_t                    fallthrough;
    ngx_str_t                     policy_version;
    ngx_str_t                     policy_url;      /* empty: none */
    ngx_http_mpk_pages_t         *pages;

    ngx_http_complex_value_t     *account;         /* the customer's identity */
    ngx_http_complex_value_t     *onscreen;        /* the order's id */
    ngx_uint_t                    trusted;         /* whichever variables these have */
    ngx_http_mpk_limit_t         *track_limit;

    ngx_array_t                  *api_tokens;      /* NULL: "off" */
    ngx_flag_t                    api_tokens_set;

    ngx_uint_t                    status;          /* the format of mpk_status */
} ngx_http_mpk_loc_conf_t;


/* A location that has an endpoint, for checks of the configuration. */
typedef struct {
    ngx_http_mpk_srv_conf_t      *mscf;
    ngx_http_mpk_loc_conf_t      *mlcf;
    ngx_http_core_loc_conf_t     *clcf;
} ngx_http_mpk_location_t;


extern ngx_module_t  ngx_http_mpk_module;


/* Whether a string (ngx_str_t, mpk_str_t) equals a literal or begins with it. */

#define ngx_http_mpk_is(s, literal)                                          \
    ((s)->len == sizeof(literal) - 1                                         \
     && ngx_memcmp((s)->data, literal, sizeof(literal) - 1) == 0)

#define ngx_http_mpk_begins(s, literal)                                      \
    ((s)->len >= sizeof(literal) - 1                                         \
     && ngx_memcmp((s)->data, literal, sizeof(literal) - 1) == 0)


#endif /* NGX_HTTP_MPK_H */
