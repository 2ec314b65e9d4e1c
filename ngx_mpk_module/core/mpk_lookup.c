/* Keyed hashes (use "lookup"): Redis can compare and find, but not read. */

#include "mpk_lookup.h"


static mpk_status_t mpk_lookup_hash(mpk_crypto_t *crypto, mpk_str_t kind,
    mpk_str_t value, uint8_t hash[MPK_MAC_LEN]);


mpk_status_t
mpk_lookup_email(mpk_crypto_t *crypto, mpk_str_t email,
    uint8_t hash[MPK_MAC_LEN])
{
    size_t          i;
    uint8_t         lower[MPK_EMAIL_MAX], ch;
    mpk_status_t    status;
    const uint8_t  *at;

    while (email.len && email.data[0] <= ' ') {
        email.data++;
        email.len--;
    }

    while (email.len && email.data[email.len - 1] <= ' ') {
        email.len--;
    }

    if (email.len == 0 || email.len > MPK_EMAIL_MAX) {
        return MPK_MALFORMED;
    }

    at = memchr(email.data, '@', email.len);

    if (at == NULL || at == email.data
        || at == email.data + email.len - 1)
    {
        return MPK_MALFORMED;
    }

    for (i = 0; i < email.len; i++) {
        ch = email.data[i];
        lower[i] = (ch >= 'A' && ch <= 'Z') ? (uint8_t) (ch | 0x20) : ch;
    }

    status = mpk_lookup_hash(crypto, mpk_string("email"),
                             (mpk_str_t) { email.len, lower }, hash);

    mpk_cleanse(lower, email.len);

    return status;
}


mpk_status_t
mpk_lookup_account(mpk_crypto_t *crypto, mpk_str_t account,
    uint8_t hash[MPK_MAC_LEN])
{
    return mpk_lookup_hash(crypto, mpk_string("account"), account, hash);
}


mpk_status_t
mpk_lookup_digest(mpk_crypto_t *crypto, mpk_str_t content,
    uint8_t hash[MPK_MAC_LEN])
{
    return mpk_lookup_hash(crypto, mpk_string("digest"), content, hash);
}


static mpk_status_t
mpk_lookup_hash(mpk_crypto_t *crypto, mpk_str_t kind, mpk_str_t value,
    uint8_t hash[MPK_MAC_LEN])
{
    mpk_str_t         parts[3];
    const mpk_key_t  *key;

    key = mpk_keyring_current(mpk_crypto_keyring(crypto), MPK_USE_LOOKUP);
    if (key == NULL) {
        return MPK_UNKNOWN;
    }

    parts[0] = kind;
    parts[1] = mpk_string(":");
    parts[2] = value;

    return mpk_crypto_mac(crypto, key, parts, 3, hash);
}
