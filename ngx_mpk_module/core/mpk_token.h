/* Reveal and claim tokens: the module's strict profile of JWT (RFC 7515, 7519, 8725). */

#ifndef MPK_TOKEN_H
#define MPK_TOKEN_H

#include "mpk_crypto.h"

#define MPK_TOKEN_MAX        1024    /* bytes of a token in compact form */
#define MPK_TOKEN_ITEMS_MAX  500
#define MPK_JTI_LEN          22      /* 16 bytes in base64url */
#define MPK_TOKEN_ID_LEN     22      /* the first 16 bytes of SHA-256(jti), in base64url */
#define MPK_TOKEN_SKEW       60      /* seconds that iat and exp may be off by */


typedef enum {
    MPK_AUD_REVEAL = 0,
    MPK_AUD_CLAIM,
    MPK_AUD_MAX
} mpk_aud_t;

typedef enum {
    MPK_CHANNEL_NONE = 0,
    MPK_CHANNEL_EMAIL,
    MPK_CHANNEL_ONSCREEN,
    MPK_CHANNEL_TRACK,
    MPK_CHANNEL_ACCOUNT,
    MPK_CHANNEL_MAX
} mpk_channel_t;

/* "email", "onscreen", ...; "" for NONE. */
mpk_str_t mpk_channel_name(mpk_channel_t channel);


typedef struct {
    mpk_aud_t         aud;
    mpk_channel_t     channel;               /* NONE for aud claim */
    mpk_str_t         order;                 /* sub: [A-Za-z0-9._-]{1,64} */
    mpk_str_t         jti;                   /* MPK_JTI_LEN characters of base64url */
    int64_t           iat;                   /* seconds since 1970 */
    int64_t           exp;
    size_t            items_count;           /* 0: all */
    const uint16_t   *items;                 /* 1..500, ascending, each once */
} mpk_token_t;


/*
 * True for an order id: [A-Za-z0-9._-]{1,64}, but not "." or "..", which are no names in a
 * path (RFC 3986, 5.2.4).
 */
bool mpk_order_id_valid(mpk_str_t id);

/* True for a character of an order id. */
bool mpk_order_id_char(uint8_t ch);

/*
 * Verifies a token of the given audience: signature first, then every claim, without
 * any I/O.  A key with use "token" may sign anything, one with use "link" only aud
 * reveal with ch email.  MPK_OK and MPK_EXPIRED (authentic, exp passed) fill *token,
 * whose strings live in mem.  With any other status the token is rejected and
 * *token unchanged:
 *
 * MPK_FORGED      the MAC does not match, or alg is not HS256
 * MPK_UNKNOWN     no key with use token or link has this kid; an unknown member
 * MPK_PURPOSE     authentic, but for another iss or aud, or not for a link key to sign
 * MPK_MALFORMED   not three parts of canonical base64url, not JSON, an invalid claim,
 *                 exp <= iat, a ch with aud claim
 * MPK_MISSING     a required member is missing
 * MPK_DUPLICATE   a member occurs twice
 * MPK_LIMIT       over MPK_TOKEN_MAX, iat too far ahead, exp past the year 9999
 */
mpk_status_t mpk_token_verify(mpk_crypto_t *crypto, mpk_mem_t *mem,
    const uint8_t *data, size_t len, mpk_aud_t aud, int64_t now, mpk_token_t *token);

/*
 * Appends the compact form, signed by the current "token" key.  The same token and
 * key always give the same bytes.  MPK_LIMIT: over MPK_TOKEN_MAX (500 items do not
 * fit: leave them out, which means all).  MPK_MALFORMED: mpk_token_verify() would reject
 * it.
 */
mpk_status_t mpk_token_sign(mpk_crypto_t *crypto, mpk_mem_t *mem,
    const mpk_token_t *token, mpk_buf_t *out);

/* The id of a token in logs, the journal and the API: a hash of jti. */
mpk_status_t mpk_token_id(mpk_crypto_t *crypto, mpk_str_t jti,
    uint8_t id[MPK_TOKEN_ID_LEN]);


#endif /* MPK_TOKEN_H */
