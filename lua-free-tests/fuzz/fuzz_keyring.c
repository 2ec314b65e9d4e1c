/*
 * Keyrings.  No error contains a secret of the input; a keyring that is refused is zeroed;
 * one that is accepted is as the header says, works, and reads the same when it is
 * written out again.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "mpk_base64url.h"
#include "mpk_crypto.h"

#define check(condition)  do { if (!(condition)) abort(); } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


typedef struct fuzz_block_s  fuzz_block_t;

struct fuzz_block_s {
    fuzz_block_t  *next;
    _Alignas(max_align_t) unsigned char  data[];
};

static fuzz_block_t  *blocks;


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


static size_t
fuzz_occurrences(const uint8_t *data, size_t size, const uint8_t *what, size_t len)
{
    size_t  i, n;

    for (i = n = 0; i + len <= size; i++) {
        n += memcmp(data + i, what, len) == 0;
    }

    return n;
}


/* A secret: 20 characters of a "k" or "d" that occur nowhere else in the input. */
static void
fuzz_error(const mpk_error_t *error, const uint8_t *data, size_t size)
{
    char    secret[21];
    size_t  i;

    check(memchr(error->text, '\0', sizeof(error->text)));
    check(error->text[0] != '\0');

    for (i = 0; i + 5 + 20 < size; i++) {
        if (memcmp(data + i, "\"k\":\"", 5) != 0 && memcmp(data + i, "\"d\":\"", 5) != 0) {
            continue;
        }

        memcpy(secret, data + i + 5, 20);
        secret[20] = '\0';

        if (strlen(secret) == 20
            && fuzz_occurrences(data, size, data + i + 5, 20) == 1)
        {
            check(strstr(error->text, secret) == NULL);
        }
    }
}


static void
fuzz_member(mpk_buf_t *out, const char *name, const uint8_t *data, size_t len)
{
    mpk_buf_lit(out, ",\"");
    mpk_buf_put(out, name, strlen(name));
    mpk_buf_lit(out, "\":\"");
    mpk_base64url_encode(mpk_buf_room(out, mpk_base64url_encoded_len(len)), data, len);
    mpk_buf_lit(out, "\"");
}


static void
fuzz_write(mpk_buf_t *out, const mpk_keyring_t *keyring)
{
    size_t            i;
    const char       *alg;
    const mpk_key_t  *key;

    mpk_buf_lit(out, "{\"keys\":[");

    for (i = 0; i < keyring->count; i++) {
        key = &keyring->keys[i];

        alg = key->use == MPK_USE_WRAP ? "A256GCM"
              : key->use == MPK_USE_EVIDENCE ? "EdDSA" : "HS256";

        if (i) {
            mpk_buf_byte(out, ',');
        }

        mpk_buf_lit(out, "{\"kid\":\"");
        mpk_buf_str(out, key->kid);
        mpk_buf_lit(out, "\",\"use\":\"");
        mpk_buf_put(out, mpk_use_name(key->use), strlen(mpk_use_name(key->use)));
        mpk_buf_lit(out, "\",\"alg\":\"");
        mpk_buf_put(out, alg, strlen(alg));

        if (key->use == MPK_USE_EVIDENCE) {
            mpk_buf_lit(out, "\",\"kty\":\"OKP\",\"crv\":\"Ed25519\"");
            fuzz_member(out, "x", key->public, 32);
            fuzz_member(out, "d", key->secret, key->len);

        } else {
            mpk_buf_lit(out, "\",\"kty\":\"oct\"");
            fuzz_member(out, "k", key->secret, key->len);
        }

        mpk_buf_byte(out, '}');
    }

    mpk_buf_lit(out, "]}");
}


static void
fuzz_promises(const mpk_keyring_t *keyring)
{
    size_t            i, j, uses[MPK_USE_MAX] = { 0 };
    uint8_t           out[64];
    mpk_str_t         data;
    mpk_status_t      status;
    mpk_crypto_t     *crypto;
    const mpk_key_t  *key;

    check(keyring->count <= MPK_KEYS_MAX);

    crypto = mpk_crypto_create(keyring);
    check(crypto);

    data = mpk_string("data");

    for (i = 0; i < keyring->count; i++) {
        key = &keyring->keys[i];

        check((unsigned) key->use < MPK_USE_MAX);
        check(key->kid.len >= 1 && key->kid.len <= MPK_KID_MAX);
        check(key->len >= MPK_SECRET_MIN && key->len <= MPK_SECRET_MAX);
        check(mpk_keyring_find(keyring, key->use, key->kid) == key);
        check((mpk_keyring_current(keyring, key->use) == key) == (uses[key->use] == 0));
        check((key->header.len != 0)
              == (key->use == MPK_USE_TOKEN || key->use == MPK_USE_LINK));

        uses[key->use]++;

        for (j = 0; j < i; j++) {
            check(!mpk_str_eq(key->kid, keyring->keys[j].kid));
            check(memcmp(key->secret, keyring->keys[j].secret, MPK_SECRET_MAX) != 0);
        }

        switch (key->use) {

        case MPK_USE_WRAP:
            check(key->len == 32);
            status = mpk_crypto_wrap(crypto, key, data, data, out);
            break;

        case MPK_USE_EVIDENCE:
            check(key->len == 32);
            status = mpk_crypto_sign(crypto, key, data, out);
            break;

        default:
            status = mpk_crypto_mac(crypto, key, &data, 1, out);
            break;
        }

        check(status == MPK_OK);
    }

    check(uses[MPK_USE_TOKEN] && uses[MPK_USE_WRAP] && uses[MPK_USE_JOURNAL]
          && uses[MPK_USE_EVIDENCE] && uses[MPK_USE_LOOKUP] == 1);

    mpk_crypto_free(crypto);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t          i;
    mpk_buf_t       buf;
    mpk_error_t     error;
    mpk_status_t    status;
    const uint8_t  *p;

    static mpk_keyring_t  keyring, again;

    memset(&error, 0, sizeof(error));
    memset(&keyring, 0xee, sizeof(keyring));

    status = mpk_keyring_read(&mem, data, size, &keyring, &error);

    if (status != MPK_OK) {
        fuzz_error(&error, data, size);

        p = (const uint8_t *) &keyring;

        for (i = 0; i < sizeof(keyring); i++) {
            check(p[i] == 0);
        }

        fuzz_free_all();
        return 0;
    }

    fuzz_promises(&keyring);

    mpk_buf_init(&buf, &mem, 0);
    fuzz_write(&buf, &keyring);

    /* the caller may drop the file's text */

    check(mpk_keyring_read(&mem, buf.data, buf.len, &again, &error) == MPK_OK);
    mpk_cleanse(buf.data, buf.len);

    check(again.count == keyring.count);

    for (i = 0; i < again.count; i++) {
        check(again.keys[i].use == keyring.keys[i].use);
        check(again.keys[i].len == keyring.keys[i].len);
        check(mpk_str_eq(again.keys[i].kid, keyring.keys[i].kid));
        check(mpk_str_eq(again.keys[i].header, keyring.keys[i].header));
        check(memcmp(again.keys[i].secret, keyring.keys[i].secret, MPK_SECRET_MAX) == 0);
        check(memcmp(again.keys[i].public, keyring.keys[i].public, 32) == 0);
    }

    fuzz_free_all();

    return 0;
}
