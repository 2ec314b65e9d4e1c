/* HMAC, SHA-256, AES-256-GCM, Ed25519 and random bytes from OpenSSL, with reused contexts. */

#include <limits.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "mpk_crypto.h"


#define MPK_GCM_NONCE   12
#define MPK_GCM_TAG     16
#define MPK_RANDOM_LEN  1024         /* RAND_bytes() costs per call, not per byte */

_Static_assert(MPK_SEAL_OVERHEAD == MPK_GCM_NONCE + MPK_GCM_TAG,
               "MPK_SEAL_OVERHEAD is nonce and tag");


/* The OpenSSL objects of a key; NULL: its use does not need it. */
typedef struct {
    EVP_MAC_CTX           *mac;
    EVP_CIPHER_CTX        *wrap;
    EVP_PKEY              *pkey;
} mpk_crypto_key_t;


struct mpk_crypto_s {
    const mpk_keyring_t   *keyring;
    EVP_MAC               *hmac;
    EVP_MD                *sha256;
    EVP_CIPHER            *gcm;
    EVP_MD_CTX            *hash;
    EVP_CIPHER_CTX        *data;
    mpk_crypto_key_t       keys[MPK_KEYS_MAX];
    bool                   data_ready;       /* data is keyed with data_key */
    uint8_t                data_key[MPK_DATA_KEY_LEN];
    size_t                 random_left;      /* unused bytes at the end of random */
    uint8_t                random[MPK_RANDOM_LEN];
};


static mpk_status_t mpk_crypto_init(mpk_crypto_t *crypto);
static mpk_status_t mpk_crypto_key_init(mpk_crypto_t *crypto,
    const mpk_key_t *key, mpk_crypto_key_t *objects);
static mpk_crypto_key_t *mpk_crypto_key(mpk_crypto_t *crypto,
    const mpk_key_t *key);
static const uint8_t *mpk_crypto_data(mpk_crypto_t *crypto,
    const uint8_t *key);
static mpk_status_t mpk_crypto_encrypt(mpk_crypto_t *crypto,
    EVP_CIPHER_CTX *ctx, const uint8_t *key, mpk_str_t aad, mpk_str_t plain,
    uint8_t *out);
static mpk_status_t mpk_crypto_decrypt(EVP_CIPHER_CTX *ctx,
    const uint8_t *key, mpk_str_t aad, mpk_str_t sealed, uint8_t *out);
static mpk_status_t mpk_crypto_failed(void);


mpk_crypto_t *
mpk_crypto_create(const mpk_keyring_t *keyring)
{
    mpk_crypto_t  *crypto;

    crypto = calloc(1, sizeof(mpk_crypto_t));
    if (crypto == NULL) {
        return NULL;
    }

    crypto->keyring = keyring;

    if (mpk_crypto_init(crypto) != MPK_OK) {
        mpk_crypto_free(crypto);
        return NULL;
    }

    return crypto;
}


void
mpk_crypto_free(mpk_crypto_t *crypto)
{
    size_t             i;
    mpk_crypto_key_t  *objects;

    if (crypto == NULL) {
        return;
    }

    /* OpenSSL cleanses the keys in these */

    for (i = 0; i < MPK_KEYS_MAX; i++) {
        objects = &crypto->keys[i];

        EVP_MAC_CTX_free(objects->mac);
        EVP_CIPHER_CTX_free(objects->wrap);
        EVP_PKEY_free(objects->pkey);
    }

    EVP_CIPHER_CTX_free(crypto->data);
    EVP_MD_CTX_free(crypto->hash);
    EVP_CIPHER_free(crypto->gcm);
    EVP_MD_free(crypto->sha256);
    EVP_MAC_free(crypto->hmac);

    mpk_cleanse(crypto, sizeof(mpk_crypto_t));
    free(crypto);
}


const mpk_keyring_t *
mpk_crypto_keyring(const mpk_crypto_t *crypto)
{
    return crypto->keyring;
}


mpk_status_t
mpk_crypto_mac(mpk_crypto_t *crypto, const mpk_key_t *key,
    const mpk_str_t *parts, size_t count, uint8_t mac[MPK_MAC_LEN])
{
    size_t             i, len;
    mpk_crypto_key_t  *objects;

    objects = mpk_crypto_key(crypto, key);

    if (objects == NULL || objects->mac == NULL) {
        return MPK_PURPOSE;
    }

    /* no key: restarts with the one that is set */

    if (EVP_MAC_init(objects->mac, NULL, 0, NULL) != 1) {
        return mpk_crypto_failed();
    }

    for (i = 0; i < count; i++) {
        if (parts[i].len
            && EVP_MAC_update(objects->mac, parts[i].data, parts[i].len) != 1)
        {
            return mpk_crypto_failed();
        }
    }

    if (EVP_MAC_final(objects->mac, mac, &len, MPK_MAC_LEN) != 1
        || len != MPK_MAC_LEN)
    {
        return mpk_crypto_failed();
    }

    return MPK_OK;
}


mpk_status_t
mpk_crypto_hash(mpk_crypto_t *crypto, mpk_str_t data,
    uint8_t hash[MPK_MAC_LEN])
{
    unsigned  len;

    /* no digest: restarts with the one that is set */

    if (EVP_DigestInit_ex2(crypto->hash, NULL, NULL) != 1
        || (data.len
            && EVP_DigestUpdate(crypto->hash, data.data, data.len) != 1)
        || EVP_DigestFinal_ex(crypto->hash, hash, &len) != 1
        || len != MPK_MAC_LEN)
    {
        return mpk_crypto_failed();
    }

    return MPK_OK;
}


mpk_status_t
mpk_crypto_random(mpk_crypto_t *crypto, uint8_t *out, size_t len)
{
    uint8_t  *p;

    if (len > INT_MAX) {
        return MPK_LIMIT;
    }

    if (len > MPK_RANDOM_LEN) {
        return RAND_bytes(out, (int) len) == 1 ? MPK_OK : mpk_crypto_failed();
    }

    if (len > crypto->random_left) {
        crypto->random_left = 0;

        if (RAND_bytes(crypto->random, MPK_RANDOM_LEN) != 1) {
            return mpk_crypto_failed();
        }

        crypto->random_left = MPK_RANDOM_LEN;
    }

    p = crypto->random + MPK_RANDOM_LEN - crypto->random_left;
    crypto->random_left -= len;

    if (len) {
        memcpy(out, p, len);
        mpk_cleanse(p, len);
    }

    return MPK_OK;
}


mpk_status_t
mpk_crypto_seal(mpk_crypto_t *crypto, const uint8_t key[MPK_DATA_KEY_LEN],
    mpk_str_t aad, mpk_str_t plain, uint8_t *out)
{
    mpk_status_t  status;

    status = mpk_crypto_encrypt(crypto, crypto->data,
                                mpk_crypto_data(crypto, key), aad, plain, out);

    crypto->data_ready = (status == MPK_OK);

    return status;
}


mpk_status_t
mpk_crypto_open(mpk_crypto_t *crypto, const uint8_t key[MPK_DATA_KEY_LEN],
    mpk_str_t aad, mpk_str_t sealed, uint8_t *out)
{
    mpk_status_t  status;

    status = mpk_crypto_decrypt(crypto->data, mpk_crypto_data(crypto, key),
                                aad, sealed, out);

    crypto->data_ready = (status == MPK_OK);

    return status;
}


void
mpk_crypto_forget(mpk_crypto_t *crypto)
{
    static const uint8_t  none[MPK_DATA_KEY_LEN];

    mpk_cleanse(crypto->data_key, MPK_DATA_KEY_LEN);
    crypto->data_ready = false;

    if (EVP_EncryptInit_ex2(crypto->data, NULL, none, NULL, NULL) != 1) {
        ERR_clear_error();
    }
}


mpk_status_t
mpk_crypto_wrap(mpk_crypto_t *crypto, const mpk_key_t *key, mpk_str_t aad,
    mpk_str_t plain, uint8_t *out)
{
    mpk_crypto_key_t  *objects;

    objects = mpk_crypto_key(crypto, key);

    if (objects == NULL || objects->wrap == NULL) {
        return MPK_PURPOSE;
    }

    return mpk_crypto_encrypt(crypto, objects->wrap, NULL, aad, plain, out);
}


mpk_status_t
mpk_crypto_unwrap(mpk_crypto_t *crypto, const mpk_key_t *key, mpk_str_t aad,
    mpk_str_t wrapped, uint8_t *out)
{
    mpk_crypto_key_t  *objects;

    objects = mpk_crypto_key(crypto, key);

    if (objects == NULL || objects->wrap == NULL) {
        return MPK_PURPOSE;
    }

    return mpk_crypto_decrypt(objects->wrap, NULL, aad, wrapped, out);
}


mpk_status_t
mpk_crypto_sign(mpk_crypto_t *crypto, const mpk_key_t *key, mpk_str_t data,
    uint8_t signature[64])
{
    int                good;
    size_t             len;
    EVP_MD_CTX        *ctx;
    mpk_crypto_key_t  *objects;

    objects = mpk_crypto_key(crypto, key);

    if (objects == NULL || objects->pkey == NULL) {
        return MPK_PURPOSE;
    }

    ctx = EVP_MD_CTX_new();
    len = 64;

    good = (ctx
            && EVP_DigestSignInit(ctx, NULL, NULL, NULL, objects->pkey) == 1
            && EVP_DigestSign(ctx, signature, &len,
                              data.len ? data.data : (const uint8_t *) "",
                              data.len) == 1
            && len == 64);

    EVP_MD_CTX_free(ctx);

    return good ? MPK_OK : mpk_crypto_failed();
}


static mpk_status_t
mpk_crypto_init(mpk_crypto_t *crypto)
{
    size_t        i;
    mpk_status_t  status;

    crypto->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    crypto->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    crypto->gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    crypto->hash = EVP_MD_CTX_new();
    crypto->data = EVP_CIPHER_CTX_new();

    if (crypto->hmac == NULL || crypto->sha256 == NULL || crypto->gcm == NULL
        || crypto->hash == NULL || crypto->data == NULL
        || EVP_DigestInit_ex2(crypto->hash, crypto->sha256, NULL) != 1
        || EVP_EncryptInit_ex2(crypto->data, crypto->gcm, NULL, NULL, NULL) != 1)
    {
        return mpk_crypto_failed();
    }

    for (i = 0; i < crypto->keyring->count; i++) {
        status = mpk_crypto_key_init(crypto, &crypto->keyring->keys[i],
                                        &crypto->keys[i]);
        if (status != MPK_OK) {
            return status;
        }
    }

    return MPK_OK;
}


static mpk_status_t
mpk_crypto_key_init(mpk_crypto_t *crypto, const mpk_key_t *key,
    mpk_crypto_key_t *objects)
{
    char        digest[] = "SHA256";
    OSSL_PARAM  params[2];

    switch (key->use) {

    case MPK_USE_WRAP:
        objects->wrap = EVP_CIPHER_CTX_new();

        if (key->len != MPK_DATA_KEY_LEN || objects->wrap == NULL
            || EVP_EncryptInit_ex2(objects->wrap, crypto->gcm, key->secret, NULL,
                                   NULL) != 1)
        {
            return mpk_crypto_failed();
        }

        return MPK_OK;

    case MPK_USE_EVIDENCE:
        objects->pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL,
                                                   key->secret, key->len);

        return objects->pkey ? MPK_OK : mpk_crypto_failed();

    default:
        params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
                                                     digest, 0);
        params[1] = OSSL_PARAM_construct_end();

        objects->mac = EVP_MAC_CTX_new(crypto->hmac);

        if (objects->mac == NULL
            || EVP_MAC_init(objects->mac, key->secret, key->len, params) != 1)
        {
            return mpk_crypto_failed();
        }

        return MPK_OK;
    }
}


/* The OpenSSL objects of a key; NULL: it is not of the context's keyring. */
static mpk_crypto_key_t *
mpk_crypto_key(mpk_crypto_t *crypto, const mpk_key_t *key)
{
    uintptr_t  offset;

    if (key == NULL) {
        return NULL;
    }

    offset = (uintptr_t) key - (uintptr_t) crypto->keyring->keys;

    if (offset % sizeof(mpk_key_t)
        || offset / sizeof(mpk_key_t) >= crypto->keyring->count)
    {
        return NULL;
    }

    return &crypto->keys[offset / sizeof(mpk_key_t)];
}


/*
 * The key to initialize crypto->data with; NULL: it is keyed with it already.  The key
 * schedule costs as much as the rest of a seal, and consecutive calls are mostly about
 * one order.
 */
static const uint8_t *
mpk_crypto_data(mpk_crypto_t *crypto, const uint8_t *key)
{
    if (crypto->data_ready
        && CRYPTO_memcmp(crypto->data_key, key, MPK_DATA_KEY_LEN) == 0)
    {
        return NULL;
    }

    memcpy(crypto->data_key, key, MPK_DATA_KEY_LEN);

    return key;
}


/*
 * GCM has one key schedule for both directions, so one context seals and opens.  A NULL
 * key keeps the one that is set.
 */
static mpk_status_t
mpk_crypto_encrypt(mpk_crypto_t *crypto, EVP_CIPHER_CTX *ctx,
    const uint8_t *key, mpk_str_t aad, mpk_str_t plain, uint8_t *out)
{
    int           len;
    uint8_t      *cipher;
    mpk_status_t  status;

    if (plain.len > INT_MAX - MPK_SEAL_OVERHEAD || aad.len > INT_MAX) {
        return MPK_LIMIT;
    }

    status = mpk_crypto_random(crypto, out, MPK_GCM_NONCE);
    if (status != MPK_OK) {
        return status;
    }

    cipher = out + MPK_GCM_NONCE;

    if (EVP_EncryptInit_ex2(ctx, NULL, key, out, NULL) != 1
        || (aad.len
            && EVP_EncryptUpdate(ctx, NULL, &len, aad.data, (int) aad.len) != 1)
        || (plain.len
            && EVP_EncryptUpdate(ctx, cipher, &len, plain.data,
                                 (int) plain.len) != 1)
        || EVP_EncryptFinal_ex(ctx, cipher + plain.len, &len) != 1
        || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, MPK_GCM_TAG,
                               cipher + plain.len)
           != 1)
    {
        return mpk_crypto_failed();
    }

    return MPK_OK;
}


static mpk_status_t
mpk_crypto_decrypt(EVP_CIPHER_CTX *ctx, const uint8_t *key, mpk_str_t aad,
    mpk_str_t sealed, uint8_t *out)
{
    int             len;
    size_t          n;
    uint8_t         tag[MPK_GCM_TAG], none[MPK_GCM_TAG];
    const uint8_t  *cipher;

    if (sealed.len > INT_MAX || aad.len > INT_MAX) {
        return MPK_LIMIT;
    }

    if (sealed.len < MPK_SEAL_OVERHEAD) {
        return MPK_FORGED;
    }

    n = sealed.len - MPK_SEAL_OVERHEAD;
    cipher = sealed.data + MPK_GCM_NONCE;

    memcpy(tag, cipher + n, MPK_GCM_TAG);

    if (EVP_DecryptInit_ex2(ctx, NULL, key, sealed.data, NULL) != 1
        || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, MPK_GCM_TAG, tag)
           != 1
        || (aad.len
            && EVP_DecryptUpdate(ctx, NULL, &len, aad.data, (int) aad.len) != 1)
        || (n && EVP_DecryptUpdate(ctx, out, &len, cipher, (int) n) != 1))
    {
        mpk_cleanse(out, n);
        return mpk_crypto_failed();
    }

    if (EVP_DecryptFinal_ex(ctx, none, &len) != 1) {
        mpk_cleanse(out, n);
        ERR_clear_error();
        return MPK_FORGED;
    }

    return MPK_OK;
}


/* nginx would blame errors left in OpenSSL's queue on a TLS connection. */
static mpk_status_t
mpk_crypto_failed(void)
{
    ERR_clear_error();

    return MPK_CRYPTO;
}
