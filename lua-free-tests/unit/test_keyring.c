/* The keyring: errors and their texts, lookups, and the files that mpk-keyring writes. */

#define _XOPEN_SOURCE 700

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "test.h"
#include "mpk_crypto.h"


#define KEY(use, alg, kid, k)                                                 \
    "{\"kty\":\"oct\",\"use\":\"" use "\",\"alg\":\"" alg "\",\"kid\":\"" kid \
    "\",\"k\":\"" k "\"}"

#define K1  "token-secret-token-secret-token-secret-tokA"
#define K2  "wrap-secret-wrap-secret-wrap-secret-wrap-sA"
#define K3  "lookup-secret-lookup-secret-lookup-secret-A"
#define K4  "journal-secret-journal-secret-journal-secrA"
#define K5  "link-secret-link-secret-link-secret-link-sA"
#define K6  "other-secret-other-secret-other-secret-othA"

/* RFC 8037, A.1: the key of RFC 8032's first test */
#define D1  "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
#define X1  "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"

#define TOKEN     KEY("token", "HS256", "t1", K1)
#define WRAP      KEY("wrap", "A256GCM", "w1", K2)
#define LOOKUP    KEY("lookup", "HS256", "l1", K3)
#define JOURNAL   KEY("journal", "HS256", "j1", K4)
#define LINK      KEY("link", "HS256", "k1", K5)
#define OKP(crv, x, d)                                                        \
    "{\"kty\":\"OKP\",\"use\":\"evidence\",\"alg\":\"EdDSA\",\"crv\":\"" crv  \
    "\",\"kid\":\"e1\",\"x\":\"" x "\",\"d\":\"" d "\"}"
#define EVIDENCE  OKP("Ed25519", X1, D1)

#define SET(keys)   "{\"keys\":[" keys "]}"
#define REST        "," WRAP "," LOOKUP "," JOURNAL "," EVIDENCE
#define WITH(key)   SET(TOKEN REST "," key)
#define FIRST(key)  SET(key REST)


typedef struct {
    const char    *name;
    const char    *text;
    mpk_status_t   status;
    const char    *says;
} test_case_t;


static const test_case_t  cases[] = {
    { "nothing at all", "", MPK_MALFORMED, "not JSON" },
    { "not JSON", "{\"keys\":[\n\n{]}", MPK_MALFORMED, "not JSON" },
    { "something after the set", FIRST(TOKEN) "x", MPK_MALFORMED, "not JSON" },
    { "an array instead of a set", "[]", MPK_MALFORMED, "not a JWK Set" },
    { "a set without keys", "{}", MPK_MISSING, "mpk-keyring new FILE" },
    { "keys that are no array", "{\"keys\":{}}", MPK_MALFORMED, "not an array" },
    { "a member beside keys", "{\"keys\":[],\"note\":1}", MPK_UNKNOWN,
      "unknown member \"note\"" },
    { "keys twice", "{\"keys\":[],\"keys\":[]}", MPK_DUPLICATE, "twice" },
    { "a key that is no object", SET("1"), MPK_MALFORMED, "key 1 is not an object" },
    { "a key without kid", SET(TOKEN ",{\"kty\":\"oct\"}"), MPK_MISSING,
      "key 2 has no \"kid\"" },
    { "a kid that is no string", SET("{\"kid\":7}"), MPK_MISSING, "key 1 has no \"kid\"" },
    { "an empty kid", FIRST(KEY("token", "HS256", "", K1)), MPK_LIMIT,
      "1 to 32 characters" },
    { "a long kid",
      FIRST(KEY("token", "HS256", "123456789012345678901234567890123", K1)),
      MPK_LIMIT, "key 1: \"kid\" must have 1 to 32 characters" },
    { "a kid with a slash", FIRST(KEY("token", "HS256", "../t1", K1)),
      MPK_MALFORMED, "letters, digits" },
    { "an escape", FIRST(KEY("token", "HS256", "t\\u0031", K1)), MPK_MALFORMED,
      "backslash" },
    { "a member twice", FIRST("{\"kid\":\"t\",\"kid\":\"t\"}"), MPK_DUPLICATE,
      "twice" },
    { "a member that is not known",
      FIRST("{\"kty\":\"oct\",\"use\":\"token\",\"alg\":\"HS256\",\"kid\":\"t1\","
            "\"k\":\"" K1 "\",\"note\":\"\"}"),
      MPK_UNKNOWN, "key \"t1\": unknown member \"note\"" },
    { "a staged key alone", FIRST("{\"kty\":\"oct\",\"use\":\"token\",\"alg\":\"HS256\",\"kid\":\"t1\",\"staged\":true,\"k\":\"" K1 "\"}"),
      MPK_MISSING, "no current key with use \"token\": run \"mpk-keyring promote FILE token\"" },
    { "a staged link key", WITH("{\"kty\":\"oct\",\"use\":\"link\",\"alg\":\"HS256\",\"kid\":\"k1\",\"staged\":true,\"k\":\"" K5 "\"}"),
      MPK_MALFORMED, "can't be staged" },
    { "a staged second lookup key", WITH("{\"kty\":\"oct\",\"use\":\"lookup\",\"alg\":\"HS256\",\"kid\":\"l2\",\"staged\":true,\"k\":\"" K6 "\"}"),
      MPK_DUPLICATE, "a second key with use \"lookup\"" },
    { "staged, false", FIRST("{\"kid\":\"t1\",\"staged\":false}"), MPK_MALFORMED,
      "key \"t1\": \"staged\" can only be true" },
    { "staged, a word", FIRST("{\"kid\":\"t1\",\"staged\":\"true\"}"), MPK_MALFORMED,
      "\"staged\" can only be true" },
    { "an iat that is not a number",
      FIRST("{\"kid\":\"t1\",\"iat\":\"1700000000\"}"), MPK_MALFORMED,
      "key \"t1\": \"iat\" must be the Unix time" },
    { "an iat before 1970", FIRST("{\"kid\":\"t1\",\"iat\":-1}"), MPK_MALFORMED,
      "\"iat\" must be the Unix time" },
    { "an iat of zero", FIRST("{\"kid\":\"t1\",\"iat\":0}"), MPK_MALFORMED,
      "\"iat\" must be the Unix time" },
    { "an iat with a fraction", FIRST("{\"kid\":\"t1\",\"iat\":1700000000.5}"),
      MPK_MALFORMED, "" },
    { "an iat in milliseconds", FIRST("{\"kid\":\"t1\",\"iat\":1700000000000}"),
      MPK_MALFORMED, "\"iat\" must be the Unix time" },
    { "an iat twice", FIRST("{\"kid\":\"t1\",\"iat\":1,\"iat\":2}"),
      MPK_DUPLICATE, "twice" },
    { "a member that is no string", FIRST("{\"kid\":\"t1\",\"k\":1}"),
      MPK_MALFORMED, "\"k\" is not a string" },
    { "no use", FIRST("{\"kid\":\"t1\",\"k\":\"" K1 "\"}"), MPK_MISSING,
      "has no \"use\"" },
    { "an unknown use", FIRST(KEY("sig", "HS256", "t1", K1)), MPK_UNKNOWN,
      "unknown use \"sig\"" },
    { "a wrong kty",
      FIRST("{\"kty\":\"RSA\",\"use\":\"token\",\"alg\":\"HS256\",\"kid\":\"t1\","
            "\"k\":\"" K1 "\"}"), MPK_MALFORMED, "\"kty\":\"oct\"" },
    { "no kty", FIRST("{\"use\":\"token\",\"alg\":\"HS256\",\"kid\":\"t1\",\"k\":\"" K1 "\"}"),
      MPK_MALFORMED, "\"kty\":\"oct\"" },
    { "a wrong alg", FIRST(KEY("token", "HS512", "t1", K1)), MPK_MALFORMED,
      "\"alg\":\"HS256\"" },
    { "alg none", FIRST(KEY("token", "none", "t1", K1)), MPK_MALFORMED,
      "\"alg\":\"HS256\"" },
    { "an HMAC alg for wrap", SET(TOKEN "," KEY("wrap", "HS256", "w1", K2)),
      MPK_MALFORMED, "\"alg\":\"A256GCM\"" },
    { "no secret",
      FIRST("{\"kty\":\"oct\",\"use\":\"token\",\"alg\":\"HS256\",\"kid\":\"t1\"}"),
      MPK_MISSING, "has no \"k\"" },
    { "a short secret", FIRST(KEY("token", "HS256", "t1", "c2hvcnQ")), MPK_LIMIT,
      "32 to 64 bytes" },
    { "a secret of 31 bytes",
      FIRST(KEY("token", "HS256", "t1", "token-secret-token-secret-token-secret-toA")),
      MPK_LIMIT, "it is 31" },
    { "a secret of 65 bytes", FIRST(KEY("token", "HS256", "t1", K1 K1 "A")),
      MPK_LIMIT, "it is 65" },
    { "a wrap secret of 33 bytes",
      SET(TOKEN "," KEY("wrap", "A256GCM", "w1", K2 "A")), MPK_LIMIT,
      "exactly 32 bytes" },
    { "a padded secret", FIRST(KEY("token", "HS256", "t1", K1 "=")), MPK_MALFORMED,
      "not base64url" },
    { "a secret in the other alphabet",
      FIRST(KEY("token", "HS256", "t1", "token+secret-token-secret-token-secret-tokA")),
      MPK_MALFORMED, "not base64url" },
    { "a secret with unused bits set",
      FIRST(KEY("token", "HS256", "t1", "token-secret-token-secret-token-secret-tokB")),
      MPK_MALFORMED, "not base64url" },
    { "a secret of one byte repeated",
      FIRST(KEY("token", "HS256", "t1", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
      MPK_MALFORMED, "one byte repeated" },
    { "an RSA public key in an HMAC key",
      FIRST("{\"kty\":\"oct\",\"use\":\"token\",\"alg\":\"HS256\",\"kid\":\"t1\","
            "\"k\":\"" K1 "\",\"n\":\"AQAB\"}"), MPK_UNKNOWN, "unknown member \"n\"" },
    { "a curve in an oct key",
      FIRST("{\"kty\":\"oct\",\"use\":\"token\",\"alg\":\"HS256\",\"kid\":\"t1\","
            "\"k\":\"" K1 "\",\"crv\":\"Ed25519\"}"), MPK_UNKNOWN,
      "\"crv\" is not for a key" },
    { "another curve", SET(TOKEN "," OKP("X25519", X1, D1)), MPK_MALFORMED,
      "\"crv\":\"Ed25519\"" },
    { "a short d", SET(TOKEN "," OKP("Ed25519", X1, "AAAA")), MPK_LIMIT,
      "\"d\" must be exactly 32 bytes" },
    { "a short x", SET(TOKEN "," OKP("Ed25519", "AAAA", D1)), MPK_MALFORMED,
      "\"x\" must be exactly 32 bytes" },
    { "an x that does not match d", SET(TOKEN "," OKP("Ed25519", K1, D1)), MPK_FORGED,
      "does not match" },
    { "an evidence key with a k",
      SET("{\"kty\":\"OKP\",\"use\":\"evidence\",\"alg\":\"EdDSA\",\"crv\":\"Ed25519\","
          "\"kid\":\"e1\",\"x\":\"" X1 "\",\"d\":\"" D1 "\",\"k\":\"" K1 "\"}"),
      MPK_UNKNOWN, "\"k\" is not for a key" },
    { "a kid twice", WITH(KEY("link", "HS256", "t1", K5)), MPK_DUPLICATE,
      "two keys have the kid \"t1\"" },
    { "a secret twice", WITH(KEY("link", "HS256", "k1", K1)), MPK_DUPLICATE,
      "key \"k1\" has the same secret as key \"t1\"" },
    { "a secret twice, once with zeros after it (one HMAC key)",
      WITH(KEY("link", "HS256", "k1", K1 "A")), MPK_DUPLICATE, "same secret" },
    { "a second lookup key", WITH(KEY("lookup", "HS256", "l2", K6)), MPK_DUPLICATE,
      "key \"l2\": a second key with use \"lookup\": keep exactly one" },
    { "no keys", SET(""), MPK_MISSING,
      "no key with use \"token\": run \"mpk-keyring add FILE token\"" },
    { "no wrap key", SET(TOKEN "," LOOKUP "," JOURNAL "," EVIDENCE), MPK_MISSING,
      "mpk-keyring add FILE wrap" },
    { "no lookup key", SET(TOKEN "," WRAP "," JOURNAL "," EVIDENCE), MPK_MISSING,
      "mpk-keyring add FILE lookup" },
    { "no journal key", SET(TOKEN "," WRAP "," LOOKUP "," EVIDENCE), MPK_MISSING,
      "mpk-keyring add FILE journal" },
    { "no evidence key", SET(TOKEN "," WRAP "," LOOKUP "," JOURNAL), MPK_MISSING,
      "mpk-keyring add FILE evidence" },
    { "a secret where a use belongs", FIRST(KEY(K1, "HS256", "t1", K2)),
      MPK_UNKNOWN, "unknown use:" },
};


static mpk_keyring_t  keyring;


static mpk_status_t
test_read(const char *text, mpk_error_t *error)
{
    mpk_str_t     exact;
    mpk_status_t  status;

    /* an exact copy, freed as soon as the keyring is read */

    exact.len = strlen(text);
    exact.data = memcpy(malloc(exact.len + 1), text, exact.len);

    memset(&keyring, 0xee, sizeof(keyring));
    memset(error, 0, sizeof(*error));

    status = mpk_keyring_read(&test_mem, exact.data, exact.len, &keyring, error);

    free((void *) (uintptr_t) exact.data);

    return status;
}


static bool
test_zero(const void *data, size_t len)
{
    size_t          i;
    const uint8_t  *p;

    p = data;

    for (i = 0; i < len; i++) {
        if (p[i]) {
            return false;
        }
    }

    return true;
}


static void
test_refusals(void)
{
    size_t        i, j;
    mpk_error_t   error;
    mpk_status_t  status;
    const char   *secrets[] = { K1, K2, K3, K4, K5, K6, D1, "c2hvcnQ" };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        status = test_read(cases[i].text, &error);

        ok(status == cases[i].status && strstr(error.text, cases[i].says),
           cases[i].name);

        if (status != cases[i].status || !strstr(error.text, cases[i].says)) {
            printf("# %s: %s\n", mpk_status_text(status), error.text);
        }

        for (j = 0; j < sizeof(secrets) / sizeof(secrets[0]); j++) {
            if (strstr(error.text, secrets[j])) {
                break;
            }
        }

        ok(j == sizeof(secrets) / sizeof(secrets[0]),
           "no secret in the error's text");
        ok(test_zero(&keyring, sizeof(keyring)), "nothing is left in the keyring");
    }

    (void) test_read("{\"keys\":[\n\n{]}", &error);
    ok(error.line == 3, "a syntax error is reported with its line");
}


static void
test_keys(void)
{
    mpk_error_t       error;
    const mpk_key_t  *key;
    const char       *two = SET(TOKEN "," KEY("token", "HS256", "t0", K6) REST "," LINK);

    ok(test_read(two, &error) == MPK_OK && keyring.count == 7,
       "a keyring with two generations and a link key is read");

    key = mpk_keyring_current(&keyring, MPK_USE_TOKEN);
    ok(key && mpk_str_eq(key->kid, mpk_string("t1")),
       "the first key of a use is the current one");

    key = mpk_keyring_find(&keyring, MPK_USE_TOKEN, mpk_string("t0"));
    ok(key && mpk_str_eq(key->kid, mpk_string("t0")) && key->len == 32
       && memcmp(key->secret, "\xa2\xd8\x5e", 3) == 0,
       "an older one is found by its kid");

    ok(mpk_keyring_find(&keyring, MPK_USE_TOKEN, mpk_string("k1")) == NULL
       && mpk_keyring_find(&keyring, MPK_USE_LINK, mpk_string("t1")) == NULL,
       "a kid of another use is not found");

    ok(mpk_keyring_find(&keyring, MPK_USE_TOKEN, mpk_string("t")) == NULL
       && mpk_keyring_find(&keyring, MPK_USE_TOKEN, mpk_string("t11")) == NULL
       && mpk_keyring_find(&keyring, MPK_USE_TOKEN, mpk_string("")) == NULL
       && mpk_keyring_find(&keyring, MPK_USE_TOKEN, mpk_string("../t1")) == NULL,
       "no kid but the whole one is found");

    key = mpk_keyring_current(&keyring, MPK_USE_EVIDENCE);
    ok(key && memcmp(key->public, "\xd7\x5a\x98\x01", 4) == 0
       && memcmp(key->secret, "\x9d\x61\xb1\x9d", 4) == 0,
       "the evidence key has both halves");

    ok(test_read(FIRST(TOKEN), &error) == MPK_OK
       && mpk_keyring_current(&keyring, MPK_USE_LINK) == NULL,
       "a link key is not required");

    ok(test_read(FIRST(KEY("token", "HS256", "t1", K1 "token-secret-token-secret-token"
                           "-secret-tokA")), &error) == MPK_OK
       && keyring.keys[0].len == MPK_SECRET_MAX,
       "64 bytes are 86 characters");
}


static void
test_words(void)
{
    size_t      i;
    const char  *names[] = { "token", "link", "wrap", "lookup", "journal", "evidence" };

    for (i = 0; i < MPK_USE_MAX; i++) {
        if (strcmp(mpk_use_name((mpk_use_t) i), names[i]) != 0) {
            break;
        }
    }

    ok(i == MPK_USE_MAX, "each use has its word");
}


static void
test_many(void)
{
    int           n;
    char          text[16384], *p;
    size_t        count;
    mpk_error_t   error;

    for (count = MPK_KEYS_MAX; count <= MPK_KEYS_MAX + 1; count++) {
        p = text + sprintf(text, "{\"keys\":[" TOKEN REST);

        for (n = 5; n < (int) count; n++) {
            p += sprintf(p, "," KEY("token", "HS256", "t-%02d",
                                    "generation-%02d-secret-token-secret-token-toA"),
                         n, n);
        }

        strcpy(p, "]}");

        if (count == MPK_KEYS_MAX) {
            ok(test_read(text, &error) == MPK_OK && keyring.count == MPK_KEYS_MAX,
               "as many keys as there is room for");
        } else {
            ok(test_read(text, &error) == MPK_LIMIT
               && strstr(error.text, "more than 64 keys"), "one more is refused");
        }
    }
}


typedef struct {
    size_t   used;
    _Alignas(max_align_t) uint8_t  data[65536];
} test_arena_t;


static void *
test_arena_alloc(void *ctx, size_t size)
{
    void          *p;
    test_arena_t  *arena;

    arena = ctx;
    size = (size + 15) & ~(size_t) 15;

    if (size > sizeof(arena->data) - arena->used) {
        return NULL;
    }

    p = arena->data + arena->used;
    arena->used += size;

    return p;
}


static bool
test_holds(const test_arena_t *arena, const void *what, size_t len)
{
    size_t  i;

    for (i = 0; i + len <= arena->used; i++) {
        if (memcmp(arena->data + i, what, len) == 0) {
            return true;
        }
    }

    return false;
}


static void
test_copies(void)
{
    size_t         i;
    bool           good;
    mpk_mem_t      mem;
    mpk_error_t    error;
    const char    *text, *secrets[] = { K1, K2, K3, K4, K5, D1 };

    static test_arena_t  arena;

    text = WITH(LINK);
    mem = (mpk_mem_t) { test_arena_alloc, &arena, false };

    good = mpk_keyring_read(&mem, (const uint8_t *) text, strlen(text), &keyring,
                            &error) == MPK_OK
           && test_holds(&arena, "t1", 2);

    for (i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        good &= !test_holds(&arena, secrets[i], 16);
    }

    for (i = 0; i < keyring.count; i++) {
        good &= !test_holds(&arena, keyring.keys[i].secret, 8);
    }

    ok(good, "no secret is copied to the caller's memory");
}


typedef struct {
    size_t  left;
} test_scarce_t;


static void *
test_scarce_alloc(void *ctx, size_t size)
{
    test_scarce_t  *scarce;

    scarce = ctx;

    if (scarce->left == 0) {
        return NULL;
    }

    scarce->left--;

    return test_alloc(NULL, size);
}


static void
test_memory(void)
{
    bool           good;
    size_t         n;
    mpk_mem_t      mem;
    mpk_error_t    error;
    mpk_status_t   status;
    const char    *text;
    test_scarce_t  scarce;

    text = FIRST(TOKEN);
    mem = (mpk_mem_t) { test_scarce_alloc, &scarce, false };
    good = true;

    for (n = 0; n < 10000; n++) {
        scarce.left = n;
        status = mpk_keyring_read(&mem, (const uint8_t *) text, strlen(text), &keyring,
                                  &error);
        if (status == MPK_OK) {
            break;
        }

        good &= status == MPK_NOMEM && test_zero(&keyring, sizeof(keyring));
    }

    ok(n > 5 && n < 10000 && good, "running out of memory anywhere is MPK_NOMEM");
}


static bool
test_run(const char *script, const char *arguments)
{
    int   n;
    char  command[2048];

    n = snprintf(command, sizeof(command), "sh '%s' %s 2>/dev/null", script, arguments);

    return n > 0 && n < (int) sizeof(command) && system(command) == 0;
}


static size_t
test_file(const char *path, char *text, size_t size)
{
    FILE    *file;
    size_t   n;

    file = fopen(path, "r");
    if (file == NULL) {
        return 0;
    }

    n = fread(text, 1, size - 1, file);
    text[n] = '\0';
    (void) fclose(file);

    return n;
}


static void
test_script(const char *vectors)
{
    char          script[1024], text[16384], before[16384], *dir;
    char          template[] = "mpk-keyring-test.XXXXXX";
    size_t        i;
    mpk_str_t     kid;
    mpk_error_t   error;
    struct stat   info;
    int64_t       begun;
    const char   *uses[] = { "token", "link", "wrap", "journal", "evidence" };
    mpk_use_t     use[] = { MPK_USE_TOKEN, MPK_USE_LINK, MPK_USE_WRAP,
                            MPK_USE_JOURNAL, MPK_USE_EVIDENCE };
    char          arguments[64];

    begun = time(NULL);

    (void) snprintf(script, sizeof(script), "%s/../../bin/mpk-keyring", vectors);
    dir = realpath(script, NULL);

    if (dir == NULL || strchr(dir, '\'') || strlen(dir) >= sizeof(script)) {
        ok(0, "mpk-keyring is where it should be");
        free(dir);
        return;
    }

    strcpy(script, dir);
    free(dir);

    dir = getenv("TMPDIR");

    if (chdir(dir ? dir : "/tmp") != 0 || mkdtemp(template) == NULL
        || chdir(template) != 0)
    {
        ok(0, "there is a temporary directory");
        return;
    }

    ok(test_run(script, "new keys"), "mpk-keyring new");
    (void) test_file("keys", text, sizeof(text));
    ok(test_read(text, &error) == MPK_OK && keyring.count == 5,
       "makes a keyring with one key of each required use");
    ok(stat("keys", &info) == 0 && (info.st_mode & 07777) == 0600,
       "that nobody else may read");

    (void) test_file("keys", before, sizeof(before));
    ok(!test_run(script, "new keys") && test_file("keys", text, sizeof(text))
       && strcmp(text, before) == 0, "mpk-keyring new never overwrites");

    ok(!test_run(script, "rotate keys link"), "no generations without keys");
    ok(test_run(script, "add keys link") && test_file("keys", text, sizeof(text))
       && test_read(text, &error) == MPK_OK
       && mpk_keyring_current(&keyring, MPK_USE_LINK), "mpk-keyring add FILE link");
    ok(!test_run(script, "add keys link"), "only once");

    (void) test_file("keys", before, sizeof(before));
    ok(!test_run(script, "rotate keys lookup") && !test_run(script, "add keys lookup")
       && test_file("keys", text, sizeof(text)) && strcmp(text, before) == 0,
       "never a second lookup key");

    ok(chmod("keys", 0640) == 0, "a keyring with another mode");

    for (i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
        (void) test_file("keys", text, sizeof(text));
        (void) test_read(text, &error);
        kid = mpk_keyring_current(&keyring, use[i])->kid;

        (void) snprintf(arguments, sizeof(arguments), "rotate keys %s", uses[i]);
        ok(test_run(script, arguments) && test_file("keys", text, sizeof(text))
           && test_read(text, &error) == MPK_OK && keyring.count == 7 + i
           && !mpk_str_eq(kid, mpk_keyring_current(&keyring, use[i])->kid)
           && mpk_keyring_find(&keyring, use[i], kid),
           "mpk-keyring rotate puts a new key in front and keeps the old one");
    }

    for (i = 0; i < keyring.count; i++) {
        ok(keyring.keys[i].created >= begun
           && keyring.keys[i].created <= (int64_t) time(NULL),
           "each key tells when it was made");
    }

    ok(stat("keys", &info) == 0 && (info.st_mode & 07777) == 0640,
       "and keeps the mode");

    ok(test_run(script, "public keys >public") && test_file("public", text, sizeof(text)),
       "mpk-keyring public");

    for (i = 0; i < keyring.count; i++) {
        kid = keyring.keys[i].kid;

        ok((strstr(text, memcpy(memset(before, 0, 64), kid.data, kid.len)) != NULL)
           == (keyring.keys[i].use == MPK_USE_EVIDENCE),
           "prints the evidence keys and no other");
    }

    ok(strstr(text, "\"d\"") == NULL && strstr(text, "\"k\"") == NULL
       && strstr(text, "\"x\""), "and their public halves only");

    ok(symlink("keys", "link") == 0 && test_run(script, "rotate link token")
       && lstat("link", &info) == 0 && S_ISLNK(info.st_mode),
       "a keyring behind a link stays behind it");

    ok(mkdir("keys.new", 0700) == 0 && !test_run(script, "rotate keys token"),
       "two at work on one file do not lose a key");

    (void) rmdir("keys.new");
    (void) unlink("link");
    (void) unlink("public");
    (void) unlink("keys");

    ok(chdir("..") == 0 && rmdir(template) == 0, "and nothing else is left behind");
}


int
main(int argc, char **argv)
{
    test_refusals();
    test_keys();
    test_words();
    test_many();
    test_copies();
    test_memory();
    test_script(argc > 1 ? argv[1] : "lua-free-tests/vectors");

    return done_testing();
}
