/* Stamps: created and verified. */

#include "mpk_base64url.h"
#include "mpk_stamp.h"

#define MPK_STAMP_TIME_LEN  8
#define MPK_STAMP_MAC_LEN   16
#define MPK_STAMP_BYTES     (MPK_STAMP_TIME_LEN + MPK_STAMP_MAC_LEN)


static mpk_status_t mpk_stamp_mac(mpk_crypto_t *crypto, const mpk_key_t *key,
    mpk_str_t what, const uint8_t *time, uint8_t mac[MPK_MAC_LEN]);


mpk_status_t
mpk_stamp_create(mpk_crypto_t *crypto, mpk_str_t what, int64_t at,
    uint8_t stamp[MPK_STAMP_LEN])
{
    size_t            i;
    uint8_t           bytes[MPK_STAMP_BYTES], mac[MPK_MAC_LEN];
    mpk_status_t      status;
    const mpk_key_t  *key;

    key = mpk_keyring_current(mpk_crypto_keyring(crypto), MPK_USE_TOKEN);
    if (key == NULL) {
        return MPK_UNKNOWN;
    }

    for (i = 0; i < MPK_STAMP_TIME_LEN; i++) {
        bytes[i] = (uint8_t) ((uint64_t) at >> (56 - 8 * i));
    }

    status = mpk_stamp_mac(crypto, key, what, bytes, mac);
    if (status != MPK_OK) {
        return status;
    }

    memcpy(bytes + MPK_STAMP_TIME_LEN, mac, MPK_STAMP_MAC_LEN);

    mpk_base64url_encode(stamp, bytes, MPK_STAMP_BYTES);

    return MPK_OK;
}


int64_t
mpk_stamp_read(mpk_crypto_t *crypto, mpk_str_t what, mpk_str_t stamp)
{
    size_t                i;
    uint8_t               bytes[MPK_STAMP_BYTES], mac[MPK_MAC_LEN];
    uint64_t              at;
    const mpk_key_t      *key;
    const mpk_keyring_t  *keyring;

    if (stamp.len != MPK_STAMP_LEN
        || mpk_base64url_decode(bytes, stamp.data, stamp.len) != MPK_OK)
    {
        return 0;
    }

    at = 0;

    for (i = 0; i < MPK_STAMP_TIME_LEN; i++) {
        at = at << 8 | bytes[i];
    }

    keyring = mpk_crypto_keyring(crypto);

    for (i = 0; i < keyring->count; i++) {
        key = &keyring->keys[i];

        if (key->use == MPK_USE_TOKEN
            && mpk_stamp_mac(crypto, key, what, bytes, mac) == MPK_OK
            && mpk_secret_eq((mpk_str_t) { MPK_STAMP_MAC_LEN,
                                           bytes + MPK_STAMP_TIME_LEN },
                             (mpk_str_t) { MPK_STAMP_MAC_LEN, mac }))
        {
            return (int64_t) at;
        }
    }

    return 0;
}


static mpk_status_t
mpk_stamp_mac(mpk_crypto_t *crypto, const mpk_key_t *key, mpk_str_t what,
    const uint8_t *time, uint8_t mac[MPK_MAC_LEN])
{
    mpk_str_t  parts[3];

    /* the prefix separates stamps from tokens and nonces, which the key signs, too */

    parts[0] = mpk_string("stamp:");
    parts[1] = what;
    parts[2] = (mpk_str_t) { MPK_STAMP_TIME_LEN, time };

    return mpk_crypto_mac(crypto, key, parts, 3, mac);
}
