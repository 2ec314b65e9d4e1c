/* Keyed hashes for lookups in Redis. */

#include "mpk_email.h"
#include "mpk_lookup.h"


static mpk_status_t mpk_lookup_hash(mpk_crypto_t *crypto, mpk_str_t kind,
    mpk_str_t order, mpk_str_t value, uint8_t hash[MPK_MAC_LEN]);


mpk_status_t
mpk_lookup_email(mpk_crypto_t *crypto, mpk_str_t order, mpk_str_t email,
    uint8_t hash[MPK_MAC_LEN])
{
    mpk_email_t   compared;
    mpk_status_t  status;

    status = mpk_email_compared(&email, &compared);

    if (status == MPK_OK) {
        status = mpk_lookup_hash(crypto, mpk_string("email:"), order, email, hash);
        mpk_cleanse(&compared, sizeof(mpk_email_t));
    }

    return status;
}


mpk_status_t
mpk_lookup_account(mpk_crypto_t *crypto, mpk_str_t order, mpk_str_t account,
    uint8_t hash[MPK_MAC_LEN])
{
    mpk_email_t   compared;
    mpk_status_t  status;

    if (mpk_email_compared(&account, &compared) == MPK_NOMEM) {
        return MPK_NOMEM;
    }

    status = mpk_lookup_hash(crypto, mpk_string("account:"), order, account, hash);

    mpk_cleanse(&compared, sizeof(mpk_email_t));

    return status;
}


mpk_status_t
mpk_lookup_index(mpk_crypto_t *crypto, mpk_str_t account,
    uint8_t hash[MPK_MAC_LEN])
{
    /* no order has an empty id */

    return mpk_lookup_account(crypto, mpk_string(""), account, hash);
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
