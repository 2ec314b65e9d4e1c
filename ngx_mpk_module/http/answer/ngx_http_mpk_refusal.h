/* Answers to refusals of the policy. */

#ifndef NGX_HTTP_MPK_REFUSAL_H
#define NGX_HTTP_MPK_REFUSAL_H

#include "ngx_http_mpk_answer.h"


/* By the outcome of a decision, for customers and for programs. */
typedef struct {
    ngx_http_mpk_notice_t         notice;
    ngx_uint_t                    api;             /* status */
} ngx_http_mpk_refusal_t;

const ngx_http_mpk_refusal_t *ngx_http_mpk_refusal(mpk_outcome_t outcome);


#endif /* NGX_HTTP_MPK_REFUSAL_H */
