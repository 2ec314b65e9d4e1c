/* Pages: their templates and messages in each language, compiled. */

#ifndef NGX_HTTP_MPK_PAGES_H
#define NGX_HTTP_MPK_PAGES_H

#include "ngx_http_mpk_ctx.h"

#include "mpk_template.h"
#include "mpk_time.h"


typedef enum {
    NGX_HTTP_MPK_PAGE_CONFIRM = 0,
    NGX_HTTP_MPK_PAGE_KEYS,
    NGX_HTTP_MPK_PAGE_HELD,
    NGX_HTTP_MPK_PAGE_USED,
    NGX_HTTP_MPK_PAGE_EXPIRED,
    NGX_HTTP_MPK_PAGE_NOTFOUND,
    NGX_HTTP_MPK_PAGE_CANCELLED,
    NGX_HTTP_MPK_PAGE_LIMITED,
    NGX_HTTP_MPK_PAGE_EXHAUSTED,
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
    NGX_HTTP_MPK_PAGE_REPLY,
    NGX_HTTP_MPK_PAGE_ANSWERED,
    NGX_HTTP_MPK_PAGE_SUSPENDED,
    NGX_HTTP_MPK_PAGE_WITHHELD,
    NGX_HTTP_MPK_PAGE_WITHDRAWN,
    NGX_HTTP_MPK_PAGE_WITHDRAW,
    NGX_HTTP_MPK_PAGE_STATEMENT,
    NGX_HTTP_MPK_PAGE_RECEIPT,
    NGX_HTTP_MPK_PAGE_EVIDENCE,
    NGX_HTTP_MPK_PAGE_MAX
} ngx_http_mpk_page_t;


struct ngx_http_mpk_language_s {
    ngx_str_t                     tag;             /* in lower case: "de", "pt-br" */
    mpk_str_t                     file;            /* of the directory; empty: built-in only */
    mpk_template_t               *templates[NGX_HTTP_MPK_PAGE_MAX];
    mpk_time_words_t              time;
    ngx_str_t                     consent;         /* hash of the texts consented to */
    ngx_str_t                     product;         /* of the text that says that it fits */
    mpk_str_t                     rights;          /* the sentence on statutory rights */
    mpk_str_t                     withdraw;        /* "Withdraw from contract here" */
    mpk_str_t                     statement;       /* the sentence that does so */
    mpk_str_t                     support_url;     /* empty: none */
    mpk_str_t                     support_email;
};


/* The pages of one mpk_pages directory, or the built-in ones. */
struct ngx_http_mpk_pages_s {
    ngx_str_t                     directory;       /* empty: built-in */
    ngx_array_t                   languages;       /* English is the first */
    mpk_str_t                    *tags;            /* of each of them */
    ngx_str_t                     csp;             /* with the hashes of style and script */
    unsigned                      support:1;       /* the catalogue has an address of it */
};


/*
 * Loads the pages of a directory, or the built-in ones if it is NULL; each only once.
 * NULL: an error, which was logged.
 */
ngx_http_mpk_pages_t *ngx_http_mpk_pages_load(ngx_conf_t *cf,
    ngx_str_t *directory);


#endif /* NGX_HTTP_MPK_PAGES_H */
