/* Nonces of the confirm page: created and verified. */

#include "mpk_base64url.h"
#include "mpk_nonce.h"
#include "mpk_token.h"

#define MPK_NONCE_TIME_LEN    8
#define MPK_NONCE_RANDOM_LEN  16
#define MPK_NONCE_HEAD_LEN    (MPK_NONCE_TIME_LEN + MPK_NONCE_RANDOM_LEN)
#define MPK_NONCE_MAC_LEN     16
#define MPK_NONCE_BYTES       (MPK_NONCE_HEAD_LEN + MPK_NONCE_MAC_LEN)


static mpk_status_t mpk_nonce_mac(mpk_crypto_t *crypto, const mpk_key_t *key,
    mpk_str_t token_id, const uint8_t *head, uint8_t mac[MPK_MAC_LEN]);


mpk_status_t
mpk_nonce_create(mpk_crypto_t *crypto, mpk_str_t token_id, int64_t now,
    uint8_t nonce[MPK_NONCE_LEN])
{
    size_t            i;
    uint8_t           bytes[MPK_NONCE_BYTES], mac[MPK_MAC_LEN];
    mpk_status_t      status;
    const mpk_key_t  *key;

    key = mpk_keyring_current(mpk_crypto_keyring(crypto), MPK_USE_TOKEN);
    if (key == NULL) {
        return MPK_UNKNOWN;
    }

    for (i = 0; i < MPK_NONCE_TIME_LEN; i++) {
        bytes[i] = (uint8_t) ((uint64_t) now >> (56 - 8 * i));
    }

    status = mpk_crypto_random(crypto, bytes + MPK_NONCE_TIME_LEN,
                               MPK_NONCE_RANDOM_LEN);
    if (status != MPK_OK) {
        return status;
    }

    status = mpk_nonce_mac(crypto, key, token_id, bytes, mac);
    if (status != MPK_OK) {
        return status;
    }

    memcpy(bytes + MPK_NONCE_HEAD_LEN, mac, MPK_NONCE_MAC_LEN);

    mpk_base64url_encode(nonce, bytes, MPK_NONCE_BYTES);

    return MPK_OK;
}


bool
mpk_nonce_fresh(mpk_crypto_t *crypto, mpk_str_t token_id, int64_t now,
    mpk_str_t nonce)
{
    size_t                i;
    uint8_t               bytes[MPK_NONCE_BYTES], mac[MPK_MAC_LEN];
    uint64_t              made;
    const mpk_key_t      *key;
    const mpk_keyring_t  *keyring;

    if (nonce.len != MPK_NONCE_LEN
        || mpk_base64url_decode(bytes, nonce.data, nonce.len) != MPK_OK)
    {
        return false;
    }

    made = 0;

    for (i = 0; i < MPK_NONCE_TIME_LEN; i++) {
        made = made << 8 | bytes[i];
    }

    if (made > (uint64_t) now + MPK_TOKEN_SKEW
        || made + MPK_NONCE_TIME < (uint64_t) now)
    {
        return false;
    }

    keyring = mpk_crypto_keyring(crypto);

    for (i = 0; i < keyring->count; i++) {
        key = &keyring->keys[i];

        if (key->use == MPK_USE_TOKEN
            && mpk_nonce_mac(crypto, key, token_id, bytes, mac) == MPK_OK
            && mpk_secret_eq((mpk_str_t) { MPK_NONCE_MAC_LEN,
                                           bytes + MPK_NONCE_HEAD_LEN },
                             (mpk_str_t) { MPK_NONCE_MAC_LEN, mac }))
        {
            return true;
        }
    }

    return false;
}


static mpk_status_t
mpk_nonce_mac(mpk_crypto_t *crypto, const mpk_key_t *key, mpk_str_t token_id,
    const uint8_t *head, uint8_t mac[MPK_MAC_LEN])
{
    mpk_str_t  parts[3];

    /* the prefix separates nonces from tokens, which the key signs, too */

    parts[0] = mpk_string("nonce:");
    parts[1] = token_id;
    parts[2] = (mpk_str_t) { MPK_NONCE_HEAD_LEN, head };

    return mpk_crypto_mac(crypto, key, parts, 3, mac);
}
