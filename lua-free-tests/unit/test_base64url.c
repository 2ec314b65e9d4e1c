/* base64url: RFC 4648's vectors without padding, and one encoding per value. */

#include "test.h"
#include "mpk_base64url.h"


typedef struct {
    const char  *plain;
    const char  *text;
} test_vector_t;

/* RFC 4648, section 10, padding dropped as RFC 7515, appendix C has it */
static const test_vector_t  vectors[] = {
    { "", "" },
    { "f", "Zg" },
    { "fo", "Zm8" },
    { "foo", "Zm9v" },
    { "foob", "Zm9vYg" },
    { "fooba", "Zm9vYmE" },
    { "foobar", "Zm9vYmFy" },
};

static const char  *refused[] = {
    "A", "AAAAA",                           /* no such length */
    "Zg==", "Zm8=", "=", "====",            /* padding */
    "Zh", "Zn", "Zm9", "Zm-",               /* unused bits set */
    "Zm+v", "Zm/v",                         /* the other alphabet */
    "Zm9 ", " Zm9v", "Zm9v\n", "Zm\r\n",    /* white space */
    "Zm9.", "Zm9\x80", "\xff\xff\xff\xff", "Zm9v\xc3\xa9__",
};


/* Decodes from and to blocks of exact size.  True: accepted, and encodes to the same text. */
static bool
test_decodes(const uint8_t *text, size_t len, mpk_status_t *status)
{
    bool      same;
    size_t    n;
    uint8_t  *in, *plain, *again;

    n = mpk_base64url_decoded_len(len);
    in = malloc(len ? len : 1);
    plain = malloc(n ? n : 1);
    again = malloc(len ? len : 1);

    if (in == NULL || plain == NULL || again == NULL) {
        abort();
    }

    memcpy(in, text, len);
    same = false;

    *status = mpk_base64url_decode(plain, in, len);

    if (*status == MPK_OK) {
        mpk_base64url_encode(again, plain, n);
        same = (mpk_base64url_encoded_len(n) == len
                && memcmp(again, in, len) == 0);
    }

    free(in);
    free(plain);
    free(again);

    return same;
}


int
main(void)
{
    bool           good, same;
    size_t         i, len;
    uint8_t        text[16], plain[16], four[4], zero[3];
    unsigned       n, accepted;
    mpk_status_t   status;
    const uint8_t  raw[] = { 0xfb, 0xff, 0xfe };

    for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        len = strlen(vectors[i].plain);

        mpk_base64url_encode(text, (const uint8_t *) vectors[i].plain, len);
        ok(mpk_base64url_encoded_len(len) == strlen(vectors[i].text)
           && memcmp(text, vectors[i].text, strlen(vectors[i].text)) == 0,
           "RFC 4648: encoded");

        status = mpk_base64url_decode(plain, (const uint8_t *) vectors[i].text,
                                      strlen(vectors[i].text));
        ok(status == MPK_OK
           && mpk_base64url_decoded_len(strlen(vectors[i].text)) == len
           && memcmp(plain, vectors[i].plain, len) == 0,
           "RFC 4648: decoded");
    }

    mpk_base64url_encode(text, raw, 3);
    ok(memcmp(text, "-__-", 4) == 0, "62 and 63 are \"-\" and \"_\"");

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        test_decodes((const uint8_t *) refused[i], strlen(refused[i]), &status);
        ok(status == MPK_MALFORMED, "refused: bad length, padding, bits or alphabet");
    }

    test_decodes((const uint8_t *) "A\0AA", 4, &status);
    ok(status == MPK_MALFORMED, "a NUL is refused");

    good = true;

    for (n = 0; n < 256 * 4; n++) {
        memcpy(four, "AAAA", 4);
        four[n % 4] = (uint8_t) (n / 4);

        test_decodes(four, 4, &status);

        same = n / 4 && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrst"
                               "uvwxyz0123456789-_", (int) (n / 4)) != NULL;
        good &= same == (status == MPK_OK);
    }

    ok(good, "each of the 64 characters and no other is taken at each place");

    /* exactly as many texts of two and three characters decode as there are values */

    for (len = 2; len <= 3; len++) {
        good = true;
        accepted = 0;

        for (n = 0; n < (len == 2 ? 64U * 64 : 64U * 64 * 64); n++) {
            zero[0] = (uint8_t) (n & 63);
            zero[1] = (uint8_t) ((n >> 6) & 63);
            zero[2] = (uint8_t) ((n >> 12) & 63);

            for (i = 0; i < len; i++) {
                four[i] = (uint8_t) "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
                                    "qrstuvwxyz0123456789-_"[zero[i]];
            }

            same = test_decodes(four, len, &status);

            if (status == MPK_OK) {
                accepted++;
                good &= same;
            }
        }

        ok(good, "only the encoder's output decodes");
        ok(accepted == (len == 2 ? 256U : 65536U), "each value has one text");
    }

    return done_testing();
}
