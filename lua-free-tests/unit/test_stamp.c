/* Stamps: a time that only the edge can have signed, for one statement only. */

#include "mpk_stamp.h"
#include "test.h"

#define NOW  1795000000


static mpk_crypto_t *
crypto_of(mpk_keyring_t *keyring, const char *kids)
{
    size_t      i;
    mpk_key_t  *key;

    memset(keyring, 0, sizeof(mpk_keyring_t));

    for (i = 0; kids[i]; i++) {
        key = &keyring->keys[keyring->count++];
        key->use = kids[i] == 'L' ? MPK_USE_LOOKUP : MPK_USE_TOKEN;
        key->len = 32;
        memset(key->secret, kids[i], key->len);
    }

    return mpk_crypto_create(keyring);
}


int
main(void)
{
    size_t         i;
    bool           altered;
    uint8_t        stamp[MPK_STAMP_LEN], bad[MPK_STAMP_LEN + 1];
    mpk_str_t      what, text;
    mpk_crypto_t  *old, *rotated, *other;

    static mpk_keyring_t  k1, k2, k3;

    old = crypto_of(&k1, "a");
    rotated = crypto_of(&k2, "bLa");
    other = crypto_of(&k3, "b");

    what = mpk_string("119e738681064c8eb0ae");
    text = (mpk_str_t) { MPK_STAMP_LEN, stamp };

    ok(mpk_stamp_create(old, what, NOW, stamp) == MPK_OK, "a stamp");
    ok(mpk_stamp_read(old, what, text) == NOW, "its time");
    ok(mpk_stamp_read(rotated, what, text) == NOW, "by a key that is no longer current, too");
    ok(mpk_stamp_read(other, what, text) == 0, "not by another key");
    ok(mpk_stamp_read(old, mpk_string("119e738681064c8eb0af"), text) == 0, "not for another statement");
    ok(mpk_stamp_read(old, mpk_string(""), text) == 0, "nor for none");

    altered = true;

    for (i = 0; i < MPK_STAMP_LEN; i++) {
        memcpy(bad, stamp, MPK_STAMP_LEN);
        bad[i] = bad[i] == 'A' ? 'B' : 'A';

        if (mpk_stamp_read(old, what, (mpk_str_t) { MPK_STAMP_LEN, bad })) {
            altered = false;
        }
    }

    ok(altered, "no character of it can be changed");

    memcpy(bad, stamp, MPK_STAMP_LEN);
    bad[MPK_STAMP_LEN] = 'A';

    ok(mpk_stamp_read(old, what, (mpk_str_t) { MPK_STAMP_LEN + 1, bad }) == 0, "nor one be added");
    ok(mpk_stamp_read(old, what, (mpk_str_t) { MPK_STAMP_LEN - 1, bad }) == 0, "or left out");
    ok(mpk_stamp_read(old, what, mpk_string("")) == 0, "an empty one is none");

    bad[3] = '=';
    ok(mpk_stamp_read(old, what, (mpk_str_t) { MPK_STAMP_LEN, bad }) == 0, "nor one that is not base64url");

    mpk_crypto_free(old);
    mpk_crypto_free(rotated);
    mpk_crypto_free(other);

    return done_testing();
}
