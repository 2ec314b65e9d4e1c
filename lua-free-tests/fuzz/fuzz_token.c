/*
 * Tokens.  The first byte of the input gives the type of the rest:
 *
 *   r  a token from the network
 *   p  a payload, signed properly, to reach the code behind the MAC
 *   h  a header, a newline, a payload, both signed properly
 *   m  a list of (offset, xor) pairs that alter a good token
 *
 * A token that is accepted, signed again and read must be the same, and signed once more
 * give the same bytes.  A token that no key signed must never be accepted.
 */

#include <stdint.h>
#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "mpk_base64url.h"
#include "mpk_token.h"

#define NOW  1795421730

#define check(condition)  do { if (!(condition)) abort(); } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static const char  keys[] =
    "{\"keys\":["
    "{\"kty\":\"oct\",\"use\":\"token\",\"alg\":\"HS256\",\"kid\":\"t1\","
    "\"k\":\"token-secret-token-secret-token-secret-tokA\"},"
    "{\"kty\":\"oct\",\"use\":\"token\",\"alg\":\"HS256\",\"kid\":\"t0\","
    "\"k\":\"older-secret-older-secret-older-secret-oldA\"},"
    "{\"kty\":\"oct\",\"use\":\"link\",\"alg\":\"HS256\",\"kid\":\"k1\","
    "\"k\":\"link-secret-link-secret-link-secret-link-sA\"},"
    "{\"kty\":\"oct\",\"use\":\"wrap\",\"alg\":\"A256GCM\",\"kid\":\"w1\","
    "\"k\":\"wrap-secret-wrap-secret-wrap-secret-wrap-sA\"},"
    "{\"kty\":\"oct\",\"use\":\"lookup\",\"alg\":\"HS256\",\"kid\":\"l1\","
    "\"k\":\"lookup-secret-lookup-secret-lookup-secret-A\"},"
    "{\"kty\":\"oct\",\"use\":\"journal\",\"alg\":\"HS256\",\"kid\":\"j1\","
    "\"k\":\"journal-secret-journal-secret-journal-secrA\"},"
    "{\"kty\":\"OKP\",\"use\":\"evidence\",\"alg\":\"EdDSA\",\"crv\":\"Ed25519\","
    "\"kid\":\"e1\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\","
    "\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"}"
    "]}";


typedef struct fuzz_block_s  fuzz_block_t;

struct fuzz_block_s {
    fuzz_block_t  *next;
    _Alignas(max_align_t) unsigned char  data[];
};

static fuzz_block_t   *blocks;
static mpk_keyring_t   keyring;
static mpk_crypto_t   *crypto;


static void *
fuzz_alloc(void *ctx, size_t size)
{
    fuzz_block_t  *block;

    (void) ctx;

    block = malloc(sizeof(fuzz_block_t) + size);
    check(block);

    block->next = blocks;
    blocks = block;

    return block->data;
}

static mpk_mem_t  mem = { fuzz_alloc, NULL, false };


static void
fuzz_free_all(void)
{
    fuzz_block_t  *block;

    while (blocks) {
        block = blocks;
        blocks = block->next;
        free(block);
    }
}


static void
fuzz_segment(mpk_buf_t *buf, const uint8_t *data, size_t len)
{
    if (len) {
        mpk_base64url_encode(mpk_buf_room(buf, mpk_base64url_encoded_len(len)), data, len);
    }
}


static mpk_str_t
fuzz_exact(const mpk_buf_t *buf)
{
    mpk_str_t  exact;

    check(!buf->failed);
    check(mpk_dup(&mem, mpk_buf_done(buf), &exact) == MPK_OK);

    return exact;
}


static mpk_str_t
fuzz_sign(const mpk_key_t *key, const uint8_t *header, size_t header_len,
    const uint8_t *payload, size_t payload_len)
{
    uint8_t    mac[MPK_MAC_LEN];
    mpk_buf_t  buf;
    mpk_str_t  input;

    mpk_buf_init(&buf, &mem, 2048);
    fuzz_segment(&buf, header, header_len);
    mpk_buf_byte(&buf, '.');
    fuzz_segment(&buf, payload, payload_len);

    input = mpk_buf_done(&buf);
    check(mpk_crypto_mac(crypto, key, &input, 1, mac) == MPK_OK);

    mpk_buf_byte(&buf, '.');
    fuzz_segment(&buf, mac, MPK_MAC_LEN);

    return fuzz_exact(&buf);
}


/* Verified independently: the MAC is by some token or link key. */
static void
fuzz_check_mac(mpk_str_t text)
{
    bool        found;
    size_t      i, len;
    uint8_t     mac[MPK_MAC_LEN], sig[43];
    unsigned    mac_len;
    mpk_key_t  *key;

    check(text.len > 44);

    len = text.len - 44;
    found = false;

    for (i = 0; i < keyring.count; i++) {
        key = &keyring.keys[i];

        if (key->use != MPK_USE_TOKEN && key->use != MPK_USE_LINK) {
            continue;
        }

        check(HMAC(EVP_sha256(), key->secret, (int) key->len, text.data, len, mac,
                   &mac_len));
        mpk_base64url_encode(sig, mac, MPK_MAC_LEN);
        found |= memcmp(sig, text.data + len + 1, 43) == 0;
    }

    check(found && text.data[len] == '.');
}


/* Verifies a token for aud; if it is accepted, checks all that must then hold. */
static bool
fuzz_verify(mpk_str_t text, mpk_aud_t aud)
{
    size_t        i;
    mpk_buf_t     buf, again;
    mpk_token_t   token, other;
    mpk_status_t  status;

    status = mpk_token_verify(crypto, &mem, text.data, text.len, aud, NOW, &token);

    if (status != MPK_OK && status != MPK_EXPIRED) {
        return false;
    }

    fuzz_check_mac(text);

    check(text.len <= MPK_TOKEN_MAX);
    check(token.aud == aud);
    check((aud == MPK_AUD_REVEAL) == (token.channel != MPK_CHANNEL_NONE));
    check(mpk_order_id_valid(token.order));
    check(token.jti.len == MPK_JTI_LEN);
    check(token.iat >= 0 && token.iat < token.exp && token.iat <= NOW + MPK_TOKEN_SKEW);
    check((token.exp + MPK_TOKEN_SKEW <= NOW) == (status == MPK_EXPIRED));

    for (i = 0; i < token.items_count; i++) {
        check(token.items[i] >= 1 && token.items[i] <= MPK_TOKEN_ITEMS_MAX);
        check(i == 0 || token.items[i] > token.items[i - 1]);
    }

    mpk_buf_init(&buf, &mem, 0);
    status = mpk_token_sign(crypto, &mem, &token, &buf);

    /* signed with our kid, a token with a shorter one may become too long */

    if (status == MPK_LIMIT) {
        check(text.len > MPK_TOKEN_MAX - 64);
        return true;
    }

    check(status == MPK_OK);

    status = mpk_token_verify(crypto, &mem, buf.data, buf.len, aud, NOW, &other);
    check(status == MPK_OK || status == MPK_EXPIRED);

    check(mpk_str_eq(token.order, other.order) && mpk_str_eq(token.jti, other.jti));
    check(token.iat == other.iat && token.exp == other.exp);
    check(token.channel == other.channel && token.items_count == other.items_count);

    for (i = 0; i < token.items_count; i++) {
        check(token.items[i] == other.items[i]);
    }

    mpk_buf_init(&again, &mem, 0);
    check(mpk_token_sign(crypto, &mem, &other, &again) == MPK_OK);
    check(mpk_str_eq(mpk_buf_done(&buf), mpk_buf_done(&again)));

    return true;
}


static void
fuzz_either(mpk_str_t text)
{
    check(!(fuzz_verify(text, MPK_AUD_REVEAL) && fuzz_verify(text, MPK_AUD_CLAIM)));
}


static void
fuzz_mutated(const uint8_t *data, size_t size)
{
    size_t           i, at;
    uint8_t         *copy;
    mpk_buf_t        buf;
    mpk_str_t        good, bad;
    mpk_token_t      token;
    const uint16_t   items[] = { 1, 2, 300 };

    token = (mpk_token_t) { MPK_AUD_REVEAL, MPK_CHANNEL_EMAIL, mpk_string("A-1"),
                            mpk_string("AAECAwQFBgcICQoLDA0ODw"), NOW - 10, NOW + 10, 3,
                            items };

    mpk_buf_init(&buf, &mem, 0);
    check(mpk_token_sign(crypto, &mem, &token, &buf) == MPK_OK);
    good = fuzz_exact(&buf);

    copy = buf.data;

    for (i = 0; i + 2 < size; i += 3) {
        at = ((size_t) data[i] << 8 | data[i + 1]) % good.len;
        copy[at] ^= data[i + 2];
    }

    bad = (mpk_str_t) { good.len, copy };
    check(fuzz_verify(bad, MPK_AUD_REVEAL) == mpk_str_eq(good, bad));
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t            i;
    mpk_str_t         text;
    mpk_error_t       error;
    const uint8_t    *newline;
    const char       *header = "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"t1\"}";
    const mpk_key_t  *key;

    if (crypto == NULL) {
        check(mpk_keyring_read(&mem, (const uint8_t *) keys, sizeof(keys) - 1, &keyring,
                               &error) == MPK_OK);
        for (i = 0; i < keyring.count; i++) {
            /* not freed after each input */
            text = keyring.keys[i].kid;
            keyring.keys[i].kid.data = memcpy(malloc(text.len), text.data, text.len);

            text = keyring.keys[i].header;
            if (text.len) {
                keyring.keys[i].header.data = memcpy(malloc(text.len), text.data, text.len);
            }
        }

        crypto = mpk_crypto_create(&keyring);
        check(crypto);
    }

    if (size == 0) {
        return -1;
    }

    switch (data[0]) {

    case 'r':
        check(mpk_dup(&mem, (mpk_str_t) { size - 1, data + 1 }, &text) == MPK_OK);
        fuzz_either(text);
        break;

    case 'p':
        text = fuzz_sign(&keyring.keys[0], (const uint8_t *) header, strlen(header),
                         data + 1, size - 1);
        fuzz_either(text);
        break;

    case 'h':
        newline = memchr(data, '\n', size);
        if (newline == NULL) {
            break;
        }

        for (i = 0; i < keyring.count; i++) {
            key = &keyring.keys[i];

            if (key->use == MPK_USE_WRAP || key->use == MPK_USE_EVIDENCE) {
                continue;
            }

            text = fuzz_sign(key, data + 1, (size_t) (newline - data) - 1, newline + 1,
                             (size_t) (data + size - newline) - 1);

            if (key->use == MPK_USE_LOOKUP || key->use == MPK_USE_JOURNAL) {
                check(!fuzz_verify(text, MPK_AUD_REVEAL));
                check(!fuzz_verify(text, MPK_AUD_CLAIM));

            } else if (key->use == MPK_USE_LINK) {
                check(!fuzz_verify(text, MPK_AUD_CLAIM));
                (void) fuzz_verify(text, MPK_AUD_REVEAL);

            } else {
                fuzz_either(text);
            }
        }

        break;

    case 'm':
        fuzz_mutated(data + 1, size - 1);
        break;

    default:
        return -1;
    }

    fuzz_free_all();

    return 0;
}
