/* JWS in compact form. */

#include "mpk_base64url.h"
#include "mpk_jws.h"

#define MPK_SIGNATURE_LEN  64


static void mpk_jws_part(mpk_buf_t *out, mpk_str_t data);


mpk_status_t
mpk_jws_sign(mpk_crypto_t *crypto, const mpk_key_t *key, mpk_str_t header,
    mpk_str_t payload, mpk_buf_t *out)
{
    size_t        start;
    uint8_t       signature[MPK_SIGNATURE_LEN];
    mpk_status_t  status;

    start = out->len;

    mpk_jws_part(out, header);
    mpk_buf_byte(out, '.');
    mpk_jws_part(out, payload);

    if (out->failed) {
        return MPK_NOMEM;
    }

    status = mpk_crypto_sign(crypto, key,
                             (mpk_str_t) { out->len - start,
                                           out->data + start },
                             signature);
    if (status != MPK_OK) {
        out->len = start;
        return status;
    }

    mpk_buf_byte(out, '.');
    mpk_jws_part(out, (mpk_str_t) { MPK_SIGNATURE_LEN, signature });

    return out->failed ? MPK_NOMEM : MPK_OK;
}


mpk_status_t
mpk_jws_evidence(mpk_crypto_t *crypto, mpk_mem_t *mem,
    mpk_str_t payload, mpk_buf_t *out)
{
    mpk_buf_t         header;
    const mpk_key_t  *key;

    key = mpk_keyring_current(mpk_crypto_keyring(crypto), MPK_USE_EVIDENCE);
    if (key == NULL) {
        return MPK_UNKNOWN;
    }

    /* a kid needs no escapes */

    mpk_buf_init(&header, mem, 128);
    mpk_buf_lit(&header, "{\"alg\":\"EdDSA\",\"typ\":\"" MPK_JWS_EVIDENCE_TYP
                         "\",\"kid\":\"");
    mpk_buf_str(&header, key->kid);
    mpk_buf_lit(&header, "\"}");

    if (header.failed) {
        return MPK_NOMEM;
    }

    return mpk_jws_sign(crypto, key, mpk_buf_done(&header), payload, out);
}


static void
mpk_jws_part(mpk_buf_t *out, mpk_str_t data)
{
    uint8_t  *p;

    p = mpk_buf_room(out, mpk_base64url_encoded_len(data.len));
    if (p) {
        mpk_base64url_encode(p, data.data, data.len);
    }
}
