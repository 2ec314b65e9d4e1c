/* JWS in compact form (RFC 7515) with EdDSA (RFC 8037), for others to verify. */

#ifndef MPK_JWS_H
#define MPK_JWS_H

#include "mpk_crypto.h"

#define MPK_JWS_EVIDENCE_TYP  "mpk-evidence+json"


/* Appends the JWS of payload with header, a JSON text, signed with an Ed25519 key. */
mpk_status_t mpk_jws_sign(mpk_crypto_t *crypto, const mpk_key_t *key,
    mpk_str_t header, mpk_str_t payload, mpk_buf_t *out);

/* The same with the current evidence key and a header that names its kid. */
mpk_status_t mpk_jws_evidence(mpk_crypto_t *crypto, mpk_mem_t *mem,
    mpk_str_t payload, mpk_buf_t *out);


#endif /* MPK_JWS_H */
