/* What counts as a yes: a consent must be unmistakable. */

#include "mpk_json.h"
#include "test.h"


static bool
yes(const char *json)
{
    mpk_value_t  *value;

    static const mpk_json_limits_t  limits = { 4096, 4, 100 };

    if (mpk_json_read(&test_mem, (const uint8_t *) json, strlen(json), &limits, &value, NULL) != MPK_OK) {
        printf("# not JSON: %s\n", json);
        exit(1);
    }

    return mpk_value_yes(value, mpk_string("x"));
}


int
main(void)
{
    size_t  i;

    static const char  *good[] = {
        "{\"x\":true}", "{\"x\":1}", "{\"x\":\"true\"}", "{\"x\":\"yes\"}", "{\"x\":\"on\"}", "{\"x\":\"1\"}",
    };

    static const char  *bad[] = {
        "{}", "[]", "{\"y\":true}", "{\"x\":null}", "{\"x\":false}", "{\"x\":0}", "{\"x\":2}", "{\"x\":-1}", "{\"x\":[]}", "{\"x\":[true]}",
        "{\"x\":{}}", "{\"x\":{\"x\":true}}", "{\"x\":\"\"}", "{\"x\":\"false\"}", "{\"x\":\"0\"}", "{\"x\":\"no\"}", "{\"x\":\"off\"}",
        "{\"x\":\"TRUE\"}", "{\"x\":\"True\"}", "{\"x\":\"Yes\"}", "{\"x\":\"YES\"}", "{\"x\":\"On\"}", "{\"x\":\"ON\"}", "{\"x\":\"\\u0011\"}",
        "{\"x\":\"y\"}", "{\"x\":\"t\"}", "{\"x\":\"ok\"}", "{\"x\":\"10\"}", "{\"x\":\"01\"}", "{\"x\":\"11\"}", "{\"x\":\" 1\"}",
        "{\"x\":\"1 \"}", "{\"x\":\"true \"}", "{\"x\":\"truely\"}", "{\"x\":\"yess\"}", "{\"x\":\"one\"}", "{\"x\":\"null\"}",
        "{\"x\":\"tru\"}", "{\"x\":\"o\"}", "{\"x\":\"\\uff11\"}", "{\"x\":\"checked\"}",
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ok(yes(good[i]), good[i]);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(!yes(bad[i]), test_shown(bad[i]));
    }

    ok(!mpk_value_yes(NULL, mpk_string("x")), "nothing says no");

    return done_testing();
}
