/* Envelope encryption: an order's data key, and what is sealed with it. */

#include "mpk_envelope.h"
#include "mpk_pack.h"


/* A place as additional authenticated data; it fits into bytes for every order id. */
typedef struct {
    mpk_str_t  str;
    uint8_t    bytes[128];
} mpk_aad_t;


static mpk_status_t mpk_envelope_aad(mpk_mem_t *mem,
    const mpk_place_t *place, mpk_aad_t *aad);


mpk_status_t
mpk_envelope_create(mpk_crypto_t *crypto, mpk_mem_t *mem,
    mpk_str_t order, mpk_data_key_t *key, mpk_buf_t *wrapped)
{
    uint8_t           *p;
    mpk_aad_t          aad;
    mpk_place_t        place;
    mpk_status_t       status;
    const mpk_key_t   *wrap;

    wrap = mpk_keyring_current(mpk_crypto_keyring(crypto), MPK_USE_WRAP);
    if (wrap == NULL) {
        return MPK_UNKNOWN;
    }

    place = (mpk_place_t) { order, mpk_string("data key"), 0, 0 };

    status = mpk_envelope_aad(mem, &place, &aad);
    if (status != MPK_OK) {
        return status;
    }

    status = mpk_crypto_random(crypto, key->bytes, MPK_DATA_KEY_LEN);
    if (status != MPK_OK) {
        return status;
    }

    mpk_pack_str(wrapped, wrap->kid);

    p = mpk_buf_room(wrapped, MPK_DATA_KEY_LEN + MPK_SEAL_OVERHEAD);
    if (p == NULL) {
        return MPK_NOMEM;
    }

    return mpk_crypto_wrap(crypto, wrap, aad.str,
                           (mpk_str_t) { MPK_DATA_KEY_LEN, key->bytes }, p);
}


mpk_status_t
mpk_envelope_unwrap(mpk_crypto_t *crypto, mpk_mem_t *mem,
    mpk_str_t order, mpk_str_t wrapped, mpk_data_key_t *key)
{
    mpk_aad_t         aad;
    mpk_str_t         kid, sealed;
    mpk_place_t       place;
    mpk_unpack_t      unpack;
    mpk_status_t      status;
    const mpk_key_t  *wrap;

    mpk_unpack_init(&unpack, wrapped);

    kid = mpk_unpack_str(&unpack);
    sealed = mpk_unpack_bytes(&unpack, MPK_DATA_KEY_LEN + MPK_SEAL_OVERHEAD);

    if (!mpk_unpack_done(&unpack)) {
        return MPK_MALFORMED;
    }

    wrap = mpk_keyring_find(mpk_crypto_keyring(crypto), MPK_USE_WRAP, kid);
    if (wrap == NULL) {
        return MPK_UNKNOWN;
    }

    place = (mpk_place_t) { order, mpk_string("data key"), 0, 0 };

    status = mpk_envelope_aad(mem, &place, &aad);
    if (status != MPK_OK) {
        return status;
    }

    return mpk_crypto_unwrap(crypto, wrap, aad.str, sealed, key->bytes);
}


mpk_status_t
mpk_envelope_seal(mpk_crypto_t *crypto, mpk_mem_t *mem,
    const mpk_data_key_t *key, const mpk_place_t *place, mpk_str_t plain,
    mpk_buf_t *sealed)
{
    uint8_t       *p;
    mpk_aad_t      aad;
    mpk_status_t   status;

    status = mpk_envelope_aad(mem, place, &aad);
    if (status != MPK_OK) {
        return status;
    }

    p = mpk_buf_room(sealed, plain.len + MPK_SEAL_OVERHEAD);
    if (p == NULL) {
        return MPK_NOMEM;
    }

    return mpk_crypto_seal(crypto, key->bytes, aad.str, plain, p);
}


mpk_status_t
mpk_envelope_open(mpk_crypto_t *crypto, mpk_mem_t *mem,
    const mpk_data_key_t *key, const mpk_place_t *place, mpk_str_t sealed,
    mpk_str_t *plain)
{
    uint8_t       *p;
    mpk_aad_t      aad;
    mpk_status_t   status;

    if (sealed.len < MPK_SEAL_OVERHEAD) {
        return MPK_FORGED;
    }

    status = mpk_envelope_aad(mem, place, &aad);
    if (status != MPK_OK) {
        return status;
    }

    p = mpk_alloc(mem, sealed.len - MPK_SEAL_OVERHEAD + 1);
    if (p == NULL) {
        return MPK_NOMEM;
    }

    status = mpk_crypto_open(crypto, key->bytes, aad.str, sealed, p);
    if (status != MPK_OK) {
        return status;
    }

    plain->data = p;
    plain->len = sealed.len - MPK_SEAL_OVERHEAD;

    return MPK_OK;
}


static mpk_status_t
mpk_envelope_aad(mpk_mem_t *mem, const mpk_place_t *place,
    mpk_aad_t *aad)
{
    mpk_buf_t  buf;

    mpk_buf_over(&buf, mem, aad->bytes, sizeof(aad->bytes));

    mpk_pack_str(&buf, place->order);
    mpk_pack_str(&buf, place->field);
    mpk_pack_int(&buf, place->number);
    mpk_pack_int(&buf, place->generation);

    aad->str = mpk_buf_done(&buf);

    return buf.failed ? MPK_NOMEM : MPK_OK;
}
