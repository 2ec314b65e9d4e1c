/* What the two halves of tokens share: the signed form, and the claims in it. */

#ifndef MPK_TOKEN_INT_H
#define MPK_TOKEN_INT_H

#include "mpk_token.h"

#define MPK_TOKEN_JTI_BYTES  16    /* of a token id, before base64url */


/*
 * Reads a payload, in whatever spelling of JSON; strings refer to it or to mem.  The
 * first reason found: MPK_MALFORMED, MPK_UNKNOWN, MPK_MISSING, MPK_PURPOSE, MPK_NOMEM,
 * or what mpk_json_read() and mpk_token_check() give.
 */
mpk_status_t mpk_token_payload_read(const mpk_mem_t *mem, mpk_str_t json,
    mpk_token_t *token);

/* Writes it.  Nothing in a checked token needs escaping. */
void mpk_token_payload_write(const mpk_token_t *token, mpk_buf_t *buf);

/* What makes a token whole by itself, whoever signs or reads it. */
mpk_status_t mpk_token_check(const mpk_token_t *token);


#endif /* MPK_TOKEN_INT_H */
