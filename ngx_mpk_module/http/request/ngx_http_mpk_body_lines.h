/* The lines of a request's body, read no faster than they are used. */

#ifndef NGX_HTTP_MPK_BODY_LINES_H
#define NGX_HTTP_MPK_BODY_LINES_H

#include "ngx_http_mpk_ctx.h"

#include "mpk_lines.h"


typedef struct {
    mpk_lines_t          split;      /* split.number: of the line returned last */
    size_t               taken;      /* bytes in this pass: the caller resets it */

    /* internal */
    ngx_http_request_t  *request;
    ngx_chain_t         *in;         /* buffers read; the first one is being split */
    off_t                at;         /* offset in the first one, if it is a file */
    u_char              *buffer;     /* for data of a file */
    mpk_str_t            piece;      /* the rest of the first buffer */
    unsigned             shared:1;   /* the buffers are not ours to reuse */
    unsigned             last:1;     /* piece is the last one */
} ngx_http_mpk_body_lines_t;


/* Prepares *bl for the body of r; max: bytes of a line. */
void ngx_http_mpk_body_lines_init(ngx_http_mpk_body_lines_t *bl,
    ngx_http_request_t *r, mpk_mem_t *mem, size_t max);

/*
 * Reads the body unbuffered, and calls the handler when its first part has arrived; the
 * handler calls ..._begin() before it asks for lines.  Returns as
 * ngx_http_read_client_request_body() does.
 */
ngx_int_t ngx_http_mpk_body_lines_read(ngx_http_mpk_body_lines_t *bl,
    ngx_http_client_body_handler_pt handler);
void ngx_http_mpk_body_lines_begin(ngx_http_mpk_body_lines_t *bl);

/*
 * Sets *line, valid until the next call; *status is MPK_OK, or MPK_LIMIT for a line over
 * max, which is skipped.  NGX_AGAIN: no more has arrived; NGX_BUSY: enough for this
 * pass, come back after other requests; NGX_DONE: there are no more lines; NGX_ERROR or
 * a status of HTTP: the body can't be read.
 */
ngx_int_t ngx_http_mpk_body_lines_next(ngx_http_mpk_body_lines_t *bl,
    mpk_status_t *status, mpk_str_t *line);

/* Releases the buffers and cleanses them: lines hold secrets. */
void ngx_http_mpk_body_lines_forget(ngx_http_mpk_body_lines_t *bl);


#endif /* NGX_HTTP_MPK_BODY_LINES_H */
