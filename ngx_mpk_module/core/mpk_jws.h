/* Signatures for others to verify: JWS in compact form (RFC 7515), EdDSA (RFC 8037). */

#ifndef MPK_JWS_H
#define MPK_JWS_H

#include "mpk_crypto.h"

#define MPK_JWS_EVIDENCE_TYP  "mpk-evidence+json"


/* Appends the compact form of payload under header, a JSON text, with an Ed25519 key. */
mpk_status_t mpk_jws_sign(mpk_crypto_t *crypto, const mpk_key_t *key,
    mpk_str_t header, mpk_str_t payload, mpk_buf_t *out);

/* The same with the current evidence key, which the header names by its kid. */
mpk_status_t mpk_jws_evidence(mpk_crypto_t *crypto, const mpk_mem_t *mem,
    mpk_str_t payload, mpk_buf_t *out);


#endif /* MPK_JWS_H */
