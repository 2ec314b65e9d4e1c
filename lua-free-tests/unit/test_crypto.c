/* HMAC, SHA-256, AES-256-GCM and Ed25519: the published vectors, and contexts that are reused. */

#define _GNU_SOURCE                      /* memmem() */

#include <limits.h>
#include <malloc.h>

#include "test.h"
#include "mpk_base64url.h"
#include "mpk_crypto.h"

#include <openssl/err.h>


static mpk_keyring_t  keyring;


typedef struct {
    const char  *name;
    const char  *key;
    const char  *data;
    const char  *mac;            /* shorter: truncated */
} test_hmac_t;

/* RFC 4231, sections 4.2 to 4.8, HMAC-SHA-256 */
static const test_hmac_t  hmacs[] = {
    { "RFC 4231, 1", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
      "4869205468657265",
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
    { "RFC 4231, 2", "4a656665",
      "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
    { "RFC 4231, 3", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
      "dddddddddddddddddddddddddddddddddddddddddddddddddd"
      "dddddddddddddddddddddddddddddddddddddddddddddddddd",
      "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
    { "RFC 4231, 4", "0102030405060708090a0b0c0d0e0f10111213141516171819",
      "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
      "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
      "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b" },
    { "RFC 4231, 5 (128 bits)", "0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c",
      "546573742057697468205472756e636174696f6e",
      "a3b6167473100ee06e0c796c2955552b" },
    { "RFC 4231, 6 (key of 131 bytes)", "*",
      "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a"
      "65204b6579202d2048617368204b6579204669727374",
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
    { "RFC 4231, 7 (key of 131 bytes)", "*",
      "5468697320697320612074657374207573696e672061206c6172676572207468"
      "616e20626c6f636b2d73697a65206b657920616e642061206c61726765722074"
      "68616e20626c6f636b2d73697a6520646174612e20546865206b6579206e6565"
      "647320746f20626520686173686564206265666f7265206265696e6720757365"
      "642062792074686520484d414320616c676f726974686d2e",
      "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2" },
};


typedef struct {
    const char  *name;
    const char  *key;
    const char  *iv;
    const char  *aad;
    const char  *plain;
    const char  *cipher;
    const char  *tag;
} test_gcm_t;

/* the GCM specification's (McGrew and Viega) cases for AES-256 with a nonce of 96 bits */
static const test_gcm_t  gcms[] = {
    { "GCM specification, 13",
      "0000000000000000000000000000000000000000000000000000000000000000",
      "000000000000000000000000", "", "", "",
      "530f8afbc74536b9a963b4f1c4cb738b" },
    { "GCM specification, 14",
      "0000000000000000000000000000000000000000000000000000000000000000",
      "000000000000000000000000", "",
      "00000000000000000000000000000000",
      "cea7403d4d606b6e074ec5d3baf39d18",
      "d0d1c8a799996bf0265b98b5d48ab919" },
    { "GCM specification, 15",
      "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
      "cafebabefacedbaddecaf888", "",
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
      "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
      "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
      "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
      "b094dac5d93471bdec1a502270e3cc6c" },
    { "GCM specification, 16",
      "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
      "cafebabefacedbaddecaf888",
      "feedfacedeadbeeffeedfacedeadbeefabaddad2",
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
      "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
      "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
      "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
      "76fc6ece0f4e1768cddf8853bb2d551b" },
};


typedef struct {
    const char  *name;
    const char  *secret;
    const char  *data;
    const char  *signature;
} test_ed25519_t;

/* RFC 8032, section 7.1 */
static const test_ed25519_t  ed25519s[] = {
    { "RFC 8032, test 1",
      "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      "",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
      "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b" },
    { "RFC 8032, test 2",
      "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
      "72",
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
      "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00" },
    { "RFC 8032, test 3",
      "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
      "af82",
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
      "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a" },
    { "RFC 8032, test SHA(abc)",
      "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
      "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
      "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
      "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704" },
};


static uint8_t
test_hex_digit(char ch)
{
    return (uint8_t) (ch <= '9' ? ch - '0' : ch - 'a' + 10);
}


static mpk_str_t
test_hex(const char *hex)
{
    size_t    i, len;
    uint8_t  *p;

    len = strlen(hex) / 2;
    p = mpk_alloc(&test_mem, len ? len : 1);

    if (p == NULL) {
        abort();
    }

    for (i = 0; i < len; i++) {
        p[i] = (uint8_t) (test_hex_digit(hex[2 * i]) << 4
                          | test_hex_digit(hex[2 * i + 1]));
    }

    return (mpk_str_t) { len, p };
}


static const mpk_key_t *
test_key(mpk_use_t use, mpk_str_t secret)
{
    mpk_key_t  *key;

    key = &keyring.keys[keyring.count++];

    memset(key, 0, sizeof(mpk_key_t));
    key->use = use;
    key->len = secret.len;
    memcpy(key->secret, secret.data, secret.len);

    return key;
}


static mpk_crypto_t *
test_crypto(void)
{
    mpk_crypto_t  *crypto;

    crypto = mpk_crypto_create(&keyring);
    if (crypto == NULL) {
        abort();
    }

    return crypto;
}


static bool
test_is(const uint8_t *data, mpk_str_t expected)
{
    return memcmp(data, expected.data, expected.len) == 0;
}


static void
test_macs(void)
{
    size_t            i;
    uint8_t           mac[MPK_MAC_LEN], hash[MPK_MAC_LEN], key131[131];
    mpk_str_t         data, expected, parts[3], secret;
    mpk_crypto_t     *crypto;
    const mpk_key_t  *key;

    for (i = 0; i < sizeof(hmacs) / sizeof(hmacs[0]); i++) {
        keyring.count = 0;

        if (hmacs[i].key[0] == '*') {

            /* RFC 2104: a key longer than a block is replaced with its hash */

            memset(key131, 0xaa, sizeof(key131));
            crypto = test_crypto();
            (void) mpk_crypto_hash(crypto, (mpk_str_t) { 131, key131 }, hash);
            mpk_crypto_free(crypto);

            secret = (mpk_str_t) { MPK_MAC_LEN, hash };

        } else {
            secret = test_hex(hmacs[i].key);
        }

        key = test_key(MPK_USE_TOKEN, secret);
        crypto = test_crypto();
        data = test_hex(hmacs[i].data);
        expected = test_hex(hmacs[i].mac);

        ok(mpk_crypto_mac(crypto, key, &data, 1, mac) == MPK_OK
           && test_is(mac, expected), hmacs[i].name);

        parts[0] = (mpk_str_t) { 3, data.data };
        parts[1] = (mpk_str_t) { 0, NULL };
        parts[2] = (mpk_str_t) { data.len - 3, data.data + 3 };

        memset(mac, 0, sizeof(mac));
        ok(mpk_crypto_mac(crypto, key, parts, 3, mac) == MPK_OK
           && test_is(mac, expected),
           "the same in parts, one empty, from a reused context");

        mpk_crypto_free(crypto);
    }
}


static void
test_mac_rfc7515(void)
{
    uint8_t           jwk[64], mac[MPK_MAC_LEN], text[43];
    mpk_str_t         k, data;
    mpk_crypto_t     *crypto;
    const mpk_key_t  *key;

    /* RFC 7515, A.1 */

    k = mpk_string("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Y"
                   "j0iPS4hcgUuTwjAzZr1Z9CAow");
    data = mpk_string("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2U"
                      "iLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmN"
                      "vbS9pc19yb290Ijp0cnVlfQ");

    ok(mpk_base64url_decoded_len(k.len) == 64
       && mpk_base64url_decode(jwk, k.data, k.len) == MPK_OK,
       "RFC 7515, A.1: its key decodes");

    keyring.count = 0;
    key = test_key(MPK_USE_LINK, (mpk_str_t) { 64, jwk });
    crypto = test_crypto();

    (void) mpk_crypto_mac(crypto, key, &data, 1, mac);
    mpk_base64url_encode(text, mac, MPK_MAC_LEN);
    ok(test_is(text, mpk_string("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")),
       "RFC 7515, A.1: HS256 signature");

    mpk_crypto_free(crypto);
}


static void
test_mac_reuse(void)
{
    bool              good;
    size_t            i, j;
    uint8_t           mac[MPK_MAC_LEN], macs[3][MPK_MAC_LEN];
    mpk_str_t         data, parts[2];
    mpk_crypto_t     *crypto;
    const mpk_key_t  *keys[3];

    keyring.count = 0;
    keys[0] = test_key(MPK_USE_TOKEN, mpk_string("0123456789abcdef0123456789abcdef"));
    keys[1] = test_key(MPK_USE_LOOKUP, mpk_string("0123456789abcdef0123456789abcdeg"));
    keys[2] = test_key(MPK_USE_JOURNAL, mpk_string("0123456789abcdef0123456789abcdef0"));
    crypto = test_crypto();
    data = mpk_string("the same data");

    for (i = 0; i < 3; i++) {
        (void) mpk_crypto_mac(crypto, keys[i], &data, 1, macs[i]);
    }

    ok(memcmp(macs[0], macs[1], MPK_MAC_LEN) && memcmp(macs[0], macs[2], MPK_MAC_LEN)
       && memcmp(macs[1], macs[2], MPK_MAC_LEN), "each key has its own MAC");

    good = true;

    for (j = 0; j < 100; j++) {
        i = (j * 7) % 3;
        parts[0] = (mpk_str_t) { j % 13, data.data };
        parts[1] = (mpk_str_t) { data.len - j % 13, data.data + j % 13 };

        good &= mpk_crypto_mac(crypto, keys[i], parts, 2, mac) == MPK_OK
                && memcmp(mac, macs[i], MPK_MAC_LEN) == 0;
    }

    ok(good, "reused contexts, in any order, give the same MACs");

    ok(mpk_crypto_mac(crypto, keys[0], NULL, 0, mac) == MPK_OK
       && memcmp(mac, macs[0], MPK_MAC_LEN), "a MAC of nothing");

    mpk_crypto_free(crypto);
}


static void
test_hashes(void)
{
    uint8_t        hash[MPK_MAC_LEN];
    mpk_crypto_t  *crypto;

    keyring.count = 0;
    crypto = test_crypto();

    ok(mpk_crypto_hash(crypto, mpk_string("abc"), hash) == MPK_OK
       && test_is(hash, test_hex("ba7816bf8f01cfea414140de5dae2223"
                                 "b00361a396177a9cb410ff61f20015ad")),
       "FIPS 180-4: \"abc\"");

    ok(mpk_crypto_hash(crypto, (mpk_str_t) { 0, NULL }, hash) == MPK_OK
       && test_is(hash, test_hex("e3b0c44298fc1c149afbf4c8996fb924"
                                 "27ae41e4649b934ca495991b7852b855")),
       "FIPS 180-4: the empty message");

    ok(mpk_crypto_hash(crypto, mpk_string("abcdbcdecdefdefgefghfghighijhijkijkl"
                                          "jklmklmnlmnomnopnopq"), hash) == MPK_OK
       && test_is(hash, test_hex("248d6a61d20638b8e5c026930c3e6039"
                                 "a33ce45964ff2167f6ecedd419db06c1")),
       "FIPS 180-4: two blocks");

    mpk_crypto_free(crypto);
}


static mpk_str_t
test_sealed(const test_gcm_t *gcm)
{
    mpk_buf_t  buf;
    mpk_str_t  exact;

    mpk_buf_init(&buf, &test_mem, 0);
    mpk_buf_str(&buf, test_hex(gcm->iv));
    mpk_buf_str(&buf, test_hex(gcm->cipher));
    mpk_buf_str(&buf, test_hex(gcm->tag));

    if (mpk_dup(&test_mem, mpk_buf_done(&buf), &exact) != MPK_OK) {
        abort();
    }

    return exact;
}


static bool
test_zero(const uint8_t *data, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        if (data[i]) {
            return false;
        }
    }

    return true;
}


static void
test_vectors_gcm(void)
{
    size_t            i, j;
    uint8_t          *out, *bad;
    bool              good, clean;
    mpk_str_t         sealed, key, aad, plain;
    mpk_status_t      status;
    mpk_crypto_t     *crypto;
    const mpk_key_t  *wrap;

    for (i = 0; i < sizeof(gcms) / sizeof(gcms[0]); i++) {
        key = test_hex(gcms[i].key);
        aad = test_hex(gcms[i].aad);
        plain = test_hex(gcms[i].plain);
        sealed = test_sealed(&gcms[i]);
        out = mpk_calloc(&test_mem, plain.len ? plain.len : 1);
        bad = mpk_alloc(&test_mem, sealed.len);

        if (out == NULL || bad == NULL) {
            abort();
        }

        keyring.count = 0;
        wrap = test_key(MPK_USE_WRAP, key);
        crypto = test_crypto();

        ok(mpk_crypto_open(crypto, key.data, aad, sealed, out) == MPK_OK
           && test_is(out, plain), gcms[i].name);

        memset(out, 0, plain.len);
        ok(mpk_crypto_unwrap(crypto, wrap, aad, sealed, out) == MPK_OK
           && test_is(out, plain), "the same through a wrap key");

        good = clean = true;

        for (j = 0; j < sealed.len * 8; j++) {
            memcpy(bad, sealed.data, sealed.len);
            bad[j / 8] ^= (uint8_t) (1 << j % 8);
            memset(out, 0x55, plain.len);

            status = mpk_crypto_open(crypto, key.data, aad,
                                     (mpk_str_t) { sealed.len, bad }, out);
            good &= status == MPK_FORGED;
            clean &= test_zero(out, plain.len);

            memset(out, 0x55, plain.len);
            status = mpk_crypto_unwrap(crypto, wrap, aad,
                                       (mpk_str_t) { sealed.len, bad }, out);
            good &= status == MPK_FORGED;
            clean &= test_zero(out, plain.len);
        }

        ok(good, "a sealed value with a flipped bit does not open");
        ok(clean, "a failed open leaves nothing in the output");
        ok(ERR_peek_error() == 0, "a failed open leaves nothing in OpenSSL's queue");

        ok(mpk_crypto_open(crypto, key.data, aad, sealed, out) == MPK_OK
           && test_is(out, plain)
           && mpk_crypto_unwrap(crypto, wrap, aad, sealed, out) == MPK_OK
           && test_is(out, plain), "a context works after it has refused");

        mpk_crypto_free(crypto);
    }
}


static void
test_seal(void)
{
    size_t            len;
    bool              good, fresh;
    uint8_t           key[2][MPK_DATA_KEY_LEN], *sealed, *out, *last;
    uint8_t           plain[200], wrapped[MPK_DATA_KEY_LEN + MPK_SEAL_OVERHEAD];
    mpk_str_t         aad, other;
    mpk_crypto_t     *crypto;
    const mpk_key_t  *wrap[2];

    keyring.count = 0;
    wrap[0] = test_key(MPK_USE_WRAP, mpk_string("0123456789abcdef0123456789abcdef"));
    wrap[1] = test_key(MPK_USE_WRAP, mpk_string("0123456789abcdef0123456789abcdeg"));
    crypto = test_crypto();

    aad = mpk_string("order 1, item 2");
    other = mpk_string("order 1, item 3");

    ok(mpk_crypto_random(crypto, key[0], MPK_DATA_KEY_LEN) == MPK_OK
       && mpk_crypto_random(crypto, key[1], MPK_DATA_KEY_LEN) == MPK_OK,
       "data keys are random");

    memset(plain, 'k', sizeof(plain));
    last = NULL;
    good = fresh = true;

    for (len = 0; len <= sizeof(plain); len++) {
        sealed = mpk_alloc(&test_mem, len + MPK_SEAL_OVERHEAD);
        out = mpk_alloc(&test_mem, len ? len : 1);

        if (sealed == NULL || out == NULL) {
            abort();
        }

        good &= mpk_crypto_seal(crypto, key[len % 2], aad,
                                (mpk_str_t) { len, plain }, sealed) == MPK_OK;
        good &= mpk_crypto_open(crypto, key[len % 2], aad,
                                (mpk_str_t) { len + MPK_SEAL_OVERHEAD, sealed },
                                out) == MPK_OK;
        good &= memcmp(out, plain, len) == 0;

        /* right after a success, while the context is keyed */

        good &= mpk_crypto_open(crypto, key[1 - len % 2], aad,
                                (mpk_str_t) { len + MPK_SEAL_OVERHEAD, sealed },
                                out) == MPK_FORGED;
        good &= mpk_crypto_open(crypto, key[len % 2], other,
                                (mpk_str_t) { len + MPK_SEAL_OVERHEAD, sealed },
                                out) == MPK_FORGED;

        fresh &= last == NULL || memcmp(sealed, last, 12) != 0;
        last = sealed;
    }

    ok(good, "a sealed value opens with its key and aad only, at every length");
    ok(fresh, "each seal has its own nonce");

    ok(mpk_crypto_wrap(crypto, wrap[0], aad, (mpk_str_t) { MPK_DATA_KEY_LEN, key[0] },
                       wrapped) == MPK_OK
       && mpk_crypto_unwrap(crypto, wrap[0], aad,
                            (mpk_str_t) { sizeof(wrapped), wrapped }, key[1]) == MPK_OK
       && memcmp(key[0], key[1], MPK_DATA_KEY_LEN) == 0,
       "a wrapped data key is unwrapped");

    ok(mpk_crypto_unwrap(crypto, wrap[1], aad,
                         (mpk_str_t) { sizeof(wrapped), wrapped }, key[1]) == MPK_FORGED
       && mpk_crypto_unwrap(crypto, wrap[0], other,
                            (mpk_str_t) { sizeof(wrapped), wrapped }, key[1]) == MPK_FORGED,
       "not by another wrap key, not for another order");

    for (len = 0; len < MPK_SEAL_OVERHEAD; len++) {
        if (mpk_crypto_open(crypto, key[0], aad, (mpk_str_t) { len, wrapped }, NULL)
            != MPK_FORGED)
        {
            break;
        }
    }

    ok(len == MPK_SEAL_OVERHEAD, "a value shorter than nonce and tag is forged");

    ok(mpk_crypto_open(crypto, key[0], aad, (mpk_str_t) { (size_t) INT_MAX + 1, plain }, NULL)
       == MPK_LIMIT
       && mpk_crypto_seal(crypto, key[0], aad, (mpk_str_t) { (size_t) INT_MAX + 1, plain }, NULL)
          == MPK_LIMIT
       && mpk_crypto_seal(crypto, key[0], (mpk_str_t) { (size_t) INT_MAX + 1, plain }, aad, NULL)
          == MPK_LIMIT, "no length is cut off to an int");

    mpk_crypto_free(crypto);
}


/* The context's own memory; OpenSSL's is cleansed by the same call. */
static bool
test_holds(mpk_crypto_t *crypto, const uint8_t *key)
{
    return memmem(crypto, malloc_usable_size(crypto), key, MPK_DATA_KEY_LEN)
           != NULL;
}


static void
test_forget(void)
{
    bool           held;
    uint8_t        key[MPK_DATA_KEY_LEN], sealed[4 + MPK_SEAL_OVERHEAD], out[4];
    mpk_str_t      aad;
    mpk_crypto_t  *crypto;

    keyring.count = 0;
    crypto = test_crypto();

    aad = mpk_string("order 1");
    memset(key, 'k', sizeof(key));

    if (mpk_crypto_seal(crypto, key, aad, mpk_string("text"), sealed) != MPK_OK) {
        abort();
    }

    held = test_holds(crypto, key);
    mpk_crypto_forget(crypto);

    ok(held && !test_holds(crypto, key), "a forgotten data key is gone");

    ok(mpk_crypto_open(crypto, key, aad, (mpk_str_t) { sizeof(sealed), sealed }, out)
       == MPK_OK && memcmp(out, "text", 4) == 0
       && test_holds(crypto, key), "until it is needed again");

    mpk_crypto_free(crypto);
}


static int
test_nonce_cmp(const void *a, const void *b)
{
    return memcmp(a, b, 12);
}


static void
test_random(void)
{
    size_t         i, len;
    bool           good;
    uint8_t        big[1000], nonces[3000][12], zero[64] = { 0 }, out[64 + 1];
    mpk_crypto_t  *crypto;

    keyring.count = 0;
    crypto = test_crypto();

    for (i = 0; i < 3000; i++) {
        if (mpk_crypto_random(crypto, nonces[i], 12) != MPK_OK) {
            break;
        }
    }

    ok(i == 3000, "random bytes, many times");

    qsort(nonces, 3000, 12, test_nonce_cmp);

    for (good = true, i = 1; i < 3000; i++) {
        good &= memcmp(nonces[i - 1], nonces[i], 12) != 0;
    }

    ok(good, "no random bytes are given out twice");

    for (good = true, len = 0; len <= 64; len++) {
        memset(out, 0, sizeof(out));
        good &= mpk_crypto_random(crypto, out, len) == MPK_OK;
        good &= len < 16 || memcmp(out, zero, len) != 0;
        good &= len < 16 || test_zero(out + len - 8, 8) == false;
        good &= out[len] == 0;
    }

    ok(good, "as many random bytes as asked for");

    memset(big, 0, sizeof(big));
    ok(mpk_crypto_random(crypto, big, sizeof(big)) == MPK_OK
       && !test_zero(big + sizeof(big) - 16, 16), "more than is kept ready");

    mpk_crypto_free(crypto);
}


static void
test_signatures(void)
{
    size_t            i;
    uint8_t           signature[64];
    mpk_crypto_t     *crypto;
    const mpk_key_t  *key;

    for (i = 0; i < sizeof(ed25519s) / sizeof(ed25519s[0]); i++) {
        keyring.count = 0;
        key = test_key(MPK_USE_EVIDENCE, test_hex(ed25519s[i].secret));
        crypto = test_crypto();

        ok(mpk_crypto_sign(crypto, key, test_hex(ed25519s[i].data), signature) == MPK_OK
           && test_is(signature, test_hex(ed25519s[i].signature)), ed25519s[i].name);

        mpk_crypto_free(crypto);
    }
}


static void
test_purposes(void)
{
    uint8_t           out[64];
    mpk_str_t         text, sealed;
    mpk_key_t         stranger;
    mpk_crypto_t     *crypto;
    const mpk_key_t  *token, *wrap, *evidence;

    keyring.count = 0;
    text = mpk_string("0123456789abcdef0123456789abcdef");
    token = test_key(MPK_USE_TOKEN, text);
    wrap = test_key(MPK_USE_WRAP, text);
    evidence = test_key(MPK_USE_EVIDENCE, text);
    crypto = test_crypto();
    sealed = mpk_string("0123456789abcdef0123456789abcdef0123456789abcdef");

    stranger = *token;

    ok(mpk_crypto_mac(crypto, wrap, &text, 1, out) == MPK_PURPOSE
       && mpk_crypto_mac(crypto, evidence, &text, 1, out) == MPK_PURPOSE
       && mpk_crypto_wrap(crypto, token, text, mpk_string("x"), out) == MPK_PURPOSE
       && mpk_crypto_unwrap(crypto, evidence, text, sealed, out) == MPK_PURPOSE
       && mpk_crypto_sign(crypto, token, text, out) == MPK_PURPOSE,
       "a key is usable for its use only");

    ok(mpk_crypto_mac(crypto, &stranger, &text, 1, out) == MPK_PURPOSE
       && mpk_crypto_mac(crypto, NULL, &text, 1, out) == MPK_PURPOSE
       && mpk_crypto_mac(crypto, &keyring.keys[3], &text, 1, out) == MPK_PURPOSE,
       "a key of another keyring, or none, does nothing");

    ok(mpk_crypto_keyring(crypto) == &keyring, "a context knows its keyring");

    mpk_crypto_free(crypto);
    mpk_crypto_free(NULL);

    keyring.count = 0;
    test_key(MPK_USE_WRAP, mpk_string("0123456789abcdef"));
    ok(mpk_crypto_create(&keyring) == NULL, "a wrap key of 16 bytes is refused");
}


int
main(void)
{
    test_macs();
    test_mac_rfc7515();
    test_mac_reuse();
    test_hashes();
    test_vectors_gcm();
    test_seal();
    test_forget();
    test_random();
    test_signatures();
    test_purposes();

    return done_testing();
}
