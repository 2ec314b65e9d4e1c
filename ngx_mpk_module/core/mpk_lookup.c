/* Keyed hashes for lookups in Redis. */

#include "mpk_lookup.h"


static bool mpk_lookup_lower(mpk_str_t *email, uint8_t lower[MPK_EMAIL_MAX]);
static mpk_status_t mpk_lookup_hash(mpk_crypto_t *crypto, mpk_str_t kind,
    mpk_str_t order, mpk_str_t value, uint8_t hash[MPK_MAC_LEN]);


bool
mpk_email_valid(mpk_str_t email)
{
    bool     valid;
    uint8_t  lower[MPK_EMAIL_MAX];

    valid = mpk_lookup_lower(&email, lower);

    mpk_cleanse(lower, sizeof(lower));

    return valid;
}


mpk_status_t
mpk_lookup_email(mpk_crypto_t *crypto, mpk_str_t order, mpk_str_t email,
    uint8_t hash[MPK_MAC_LEN])
{
    uint8_t       lower[MPK_EMAIL_MAX];
    mpk_status_t  status;

    if (!mpk_lookup_lower(&email, lower)) {
        return MPK_MALFORMED;
    }

    status = mpk_lookup_hash(crypto, mpk_string("email:"), order, email, hash);

    mpk_cleanse(lower, email.len);

    return status;
}


mpk_status_t
mpk_lookup_account(mpk_crypto_t *crypto, mpk_str_t order, mpk_str_t account,
    uint8_t hash[MPK_MAC_LEN])
{
    uint8_t       lower[MPK_EMAIL_MAX];
    mpk_status_t  status;

    (void) mpk_lookup_lower(&account, lower);

    status = mpk_lookup_hash(crypto, mpk_string("account:"), order, account, hash);

    mpk_cleanse(lower, sizeof(lower));

    return status;
}


mpk_status_t
mpk_lookup_index(mpk_crypto_t *crypto, mpk_str_t account,
    uint8_t hash[MPK_MAC_LEN])
{
    /* no order has an empty id */

    return mpk_lookup_account(crypto, mpk_string(""), account, hash);
}


/* Trims and lower-cases an email address; false: it is not one. */

static bool
mpk_lookup_lower(mpk_str_t *email, uint8_t lower[MPK_EMAIL_MAX])
{
    size_t          i;
    uint8_t         ch;
    mpk_str_t       s;
    const uint8_t  *at;

    s = *email;

    while (s.len && s.data[0] <= ' ') {
        s.data++;
        s.len--;
    }

    while (s.len && s.data[s.len - 1] <= ' ') {
        s.len--;
    }

    if (s.len == 0 || s.len > MPK_EMAIL_MAX) {
        return false;
    }

    at = memchr(s.data, '@', s.len);

    if (at == NULL || at == s.data || at == s.data + s.len - 1) {
        return false;
    }

    for (i = 0; i < s.len; i++) {
        ch = s.data[i];
        lower[i] = (ch >= 'A' && ch <= 'Z') ? (uint8_t) (ch | 0x20) : ch;
    }

    *email = (mpk_str_t) { s.len, lower };

    return true;
}


mpk_status_t
mpk_lookup_address(mpk_crypto_t *crypto, mpk_str_t address,
    uint8_t hash[MPK_MAC_LEN])
{
    return mpk_lookup_hash(crypto, mpk_string("address:"), mpk_string(""),
                           address, hash);
}


mpk_status_t
mpk_lookup_digest(mpk_crypto_t *crypto, mpk_str_t content,
    uint8_t hash[MPK_MAC_LEN])
{
    return mpk_lookup_hash(crypto, mpk_string("digest:"), mpk_string(""),
                           content, hash);
}


/* Neither a kind nor the id of an order contains another colon. */

static mpk_status_t
mpk_lookup_hash(mpk_crypto_t *crypto, mpk_str_t kind, mpk_str_t order,
    mpk_str_t value, uint8_t hash[MPK_MAC_LEN])
{
    mpk_str_t         parts[4];
    const mpk_key_t  *key;

    key = mpk_keyring_current(mpk_crypto_keyring(crypto), MPK_USE_LOOKUP);
    if (key == NULL) {
        return MPK_UNKNOWN;
    }

    parts[0] = kind;
    parts[1] = order;
    parts[2] = mpk_string(":");
    parts[3] = value;

    return mpk_crypto_mac(crypto, key, parts, 4, hash);
}
