/* JSON (RFC 8259): reading, errors, writing. */

#include "mpk_json.h"
#include "test.h"


static const mpk_json_limits_t  limits = { 1024, 4, 20 };

static mpk_error_t  error;


static mpk_status_t
get(const char *text, mpk_value_t **value)
{
    memset(&error, 0, sizeof(mpk_error_t));

    return mpk_json_read(&test_mem, (const uint8_t *) text, strlen(text),
                         &limits, value, &error);
}


static int
round_trip(const char *text, const char *expected)
{
    mpk_buf_t     out;
    mpk_value_t  *value;

    if (get(text, &value) != MPK_OK) {
        return 0;
    }

    mpk_buf_init(&out, &test_mem, 0);
    mpk_json_write(&out, value);

    return mpk_str_eq(mpk_buf_done(&out),
                      (mpk_str_t) { strlen(expected),
                                    (const uint8_t *) expected });
}


/* Memory that runs out after some allocations. */

static size_t  left;

static void *
scarce(void *ctx, size_t size)
{
    return left-- ? test_alloc(ctx, size) : NULL;
}


int
main(void)
{
    size_t        i, end = 0;
    mpk_value_t  *value, *v;
    mpk_buf_t     out;
    mpk_status_t  status;

    static mpk_mem_t  little = { scarce, NULL, false };

    static const struct {
        const char    *text;
        mpk_status_t   status;
        const char    *name;
    } refused[] = {
        { "", MPK_MALFORMED, "nothing is refused" },
        { " ", MPK_MALFORMED, "white space alone is refused" },
        { "{", MPK_MALFORMED, "an open object is refused" },
        { "[1,]", MPK_MALFORMED, "a trailing comma is refused" },
        { "{\"a\":1,}", MPK_MALFORMED, "a trailing comma of an object is refused" },
        { "{a:1}", MPK_MALFORMED, "a name without quotes is refused" },
        { "'a'", MPK_MALFORMED, "single quotes are refused" },
        { "1 2", MPK_MALFORMED, "a second value is refused" },
        { "{} x", MPK_MALFORMED, "bytes after the value are refused" },
        { "/* c */ 1", MPK_MALFORMED, "a comment is refused" },
        { "01", MPK_MALFORMED, "a leading zero is refused" },
        { "+1", MPK_MALFORMED, "a plus sign is refused" },
        { "1.0", MPK_MALFORMED, "a fraction is refused" },
        { "1e3", MPK_MALFORMED, "an exponent is refused" },
        { "9223372036854775808", MPK_MALFORMED, "a number over 63 bits is refused" },
        { "-9223372036854775809", MPK_MALFORMED, "a number under 63 bits is refused" },
        { "NaN", MPK_MALFORMED, "NaN is refused" },
        { "\"\x01\"", MPK_MALFORMED, "a control character is refused" },
        { "\"\\x\"", MPK_MALFORMED, "an unknown escape is refused" },
        { "\"\\u12\"", MPK_MALFORMED, "a short escape is refused" },
        { "\"\\u0000\"", MPK_MALFORMED, "a NUL is refused" },
        { "\"\\ud800\"", MPK_MALFORMED, "a high surrogate alone is refused" },
        { "\"\\udc00\"", MPK_MALFORMED, "a low surrogate alone is refused" },
        { "\"\\ud800\\u0041\"", MPK_MALFORMED, "a half pair is refused" },
        { "\"\\ud800\\\\dc00\"", MPK_MALFORMED, "a half pair before a backslash is refused" },
        { "\"\xff\"", MPK_MALFORMED, "invalid UTF-8 is refused" },
        { "\"\xc0\x80\"", MPK_MALFORMED, "overlong UTF-8 is refused" },
        { "\"\xed\xa0\x80\"", MPK_MALFORMED, "a surrogate in UTF-8 is refused" },
        { "\xef\xbb\xbf{}", MPK_MALFORMED, "a byte order mark is refused" },
        { "[\f1]", MPK_MALFORMED, "a form feed is no white space" },
        { "\v[]", MPK_MALFORMED, "a vertical tab is none in front" },
        { "{}\f", MPK_MALFORMED, "nor is a form feed behind" },
        { "\"\f\"", MPK_MALFORMED, "nor may it be in a string" },
        { "{\"a\":1,\"a\":2}", MPK_DUPLICATE, "a duplicate member is refused" },
        { "{\"a\":1,\"\\u0061\":2}", MPK_DUPLICATE, "also when one is escaped" },
        { "[[[[[1]]]]]", MPK_LIMIT, "nesting over the limit is refused" },
        { "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", MPK_LIMIT, "values over the limit are refused" },
    };

    /* what a parser of RFC 8259 refuses and takes; whether the value would do is another matter */

    static const char  *bad[] = {
        "[1,,2]", "[,1]", "[1,]", "[1 true]", "[1", "[1,", "[", "]", "[]]", "[[]", "[1}", "{]", "{", "}", "{}}", "[a", "[1:2]", "[x]", "[#]",
        "{\"a\"}", "{\"a\" 1}", "{\"a\":}", "{\"a\":1 \"b\":2}", "{,\"a\":1}", "{\"a\":1,,\"b\":2}", "{\"a\":1,}", "{\"a\"::1}",
        "{1:1}", "{null:1}", "{[]:1}", "{'a':0}", "{a:0}", "{\"a\":1}x", "{\"a\":\"b\"}#", "{\"a\":\"b\"}//", "{\"a\":/**/1}", "{\"a\",1}",
        "-", "[-]", "[-a]", "[--1]", "[1-]", "[- 1]", "[-01]", "[012]", "[0x1]", "[.5]", "[-.5]", "[1.]", "[1.e1]", "[1e]", "[1e+]", "[+1]",
        "[1 000]", "[1,000,]", "[Infinity]", "[-Infinity]", "[NaN]", "[\xef\xbc\x91]", "[1a]", "[-1x]",
        "nul", "[nulll]", "[tru]", "[True]", "[tru e]", "[fals", "[\"a", "\"", "[\"\\\"]", "[\"\\", "[\"\\u", "[\"\\u\"]", "[\"\\u00A\"]",
        "[\"\\uqqqq\"]", "[\"\\u00G0\"]", "[\"\\a\"]", "[\"\\'\"]", "[\"\\ \"]", "[\"\\\\\\\"]", "[\"\\\xc3\xa9\"]", "[\"a\tb\"]",
        "[\"a\nb\"]", "[\"a\rb\"]", "[\"\x1f\"]", "[\\u0020\"a\"]", "[\\n]", "['a']", "[`a`]", "abc", "[\"a\" \"b\"]", "*", "<html>",
        "[\xe2\x81\xa0]", "[\xc2\xa0]", "\xc2\x85[]", "\xe3\x80\x80[]", "\xef\xbb\xbf[]", "\xff\xfe[", "[\"\xf4\xbf\xbf\xbf\"]",
        "[\"\xe6\x97\"]", "[\"\xf8\x88\x80\x80\x80\"]", "[\"\xf0\x80\x80\x80\"]", "[\"\x81\"]",
        "[\"\\uD800\"]", "[\"\\uD800x\"]", "[\"\\uD800\\n\"]", "[\"\\uD800\\uD800\"]", "[\"\\uDFAA\"]", "[\"\\uD800\\\"]", "[\"\\uD800\\u\"]",
        "[\"\\uD800\\u1\"]", "[\"\\uD800\\u1x\"]", "// a\n1", "1 // a", "[1/**/]", "1 1", "[][]", "{}{}", "\"a\"b", "true false",
    };

    static const char  *good[] = {
        "[]", "[ ]", " [] ", "\t\r\n []\n", "{}", "{\"\":0}", "{\"a\":[]}", "{\"a\":{}}", "[[],[[]]]", "[null,1,\"1\",{}]", "[1\n]", " [1]", "[2] ",
        "true", "false", "null", "0", "-0", "-1", "42", " 1 ", "\"\"", "\"a\"", "[\"a/*b*/c/*d//e\"]", "[\"\x7f\"]", "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]",
        "[\"\\u0060\\u012a\\u12AB\"]", "[\"\\\\u0000\"]", "[\"\\\\n\"]", "[\"\\uD801\\udc37\"]", "[\"\\uDBFF\\uDFFF\"]", "[\"\\ud83d\\ude39\\ud83d\\udc8d\"]",
        "[\"\\uFFFF\"]", "[\"\\u0012\"]", "[\"\\u2028\"]", "[\"\xe2\x80\xa8\"]", "[\"\xef\xbf\xbf\"]", "[\"\xf4\x8f\xbf\xbf\"]", "[\"\xc3\xa9\"]",
        "[\"asd \"]", "[\"new\\u000Aline\"]", "{\"a\":1,\"b\":2}",
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(get(bad[i], &value) == MPK_MALFORMED && error.text[0], test_shown(bad[i]));
    }

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ok(get(good[i], &value) == MPK_OK, test_shown(good[i]));
    }

    ok(mpk_json_read(&test_mem, (const uint8_t *) "[1\0]", 4, &limits, &value, &error) == MPK_MALFORMED
       && mpk_json_read(&test_mem, (const uint8_t *) "[1]\0", 4, &limits, &value, &error) == MPK_MALFORMED
       && mpk_json_read(&test_mem, (const uint8_t *) "[\"\0\"]", 5, &limits, &value, &error) == MPK_MALFORMED, "a NUL is refused");

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        ok(get(refused[i].text, &value) == refused[i].status && error.text[0],
           refused[i].name);
    }

    ok(get("{\n\"a\": 1,\n\"b\": x\n}", &value) == MPK_MALFORMED
       && error.line == 3, "an error tells its line");
    ok(get("{\n\"a\": 1,\n\"a\": 2\n}", &value) == MPK_DUPLICATE
       && error.line == 3, "a repeated member tells its line");

    ok(round_trip("{\"a\":[1,-2,true,false,null,\"x\"],\"b\":{}}",
                  "{\"a\":[1,-2,true,false,null,\"x\"],\"b\":{}}"),
       "values are read and written in order");
    ok(round_trip("[9223372036854775807,-9223372036854775808,-0]",
                  "[9223372036854775807,-9223372036854775808,0]"),
       "64-bit integers are kept");
    ok(round_trip("\"\\\"\\\\\\/\\b\\n\\u00e9\\ud83d\\ude00\"",
                  "\"\\\"\\\\/\\u0008\\u000a\xc3\xa9\xf0\x9f\x98\x80\""),
       "escapes are read");
    ok(round_trip("\"</script>&\xe2\x80\xa8\xe2\x80\xa9\"",
                  "\"\\u003c/script\\u003e\\u0026\\u2028\\u2029\""),
       "what is written is safe inside <script>");
    ok(round_trip("  [ ]  ", "[]"), "white space around is fine");

    (void) get("{\"a\":{\"b\":\"c\"},\"n\":7}", &value);
    ok(mpk_str_eq(mpk_value_get_string(mpk_value_get(value, mpk_string("a")),
                                       mpk_string("b")), mpk_string("c")),
       "a member is found by its name");
    ok(mpk_value_get_string(value, mpk_string("n")).data == NULL,
       "a number is not a string");
    ok(mpk_value_get(mpk_value_get(value, mpk_string("n")), mpk_string("x"))
       == NULL, "a number has no members");

    value = mpk_value_new(&test_mem, MPK_VALUE_OBJECT);
    v = mpk_value_array(value, mpk_string("a"));
    mpk_value_null(v, mpk_string(""));
    mpk_value_bool(v, mpk_string(""), true);
    mpk_value_put(value, mpk_string("b"), mpk_value_new(&test_mem, MPK_VALUE_ARRAY));
    mpk_value_int(value, mpk_string("n"), 1);
    mpk_buf_init(&out, &test_mem, 0);
    mpk_json_write(&out, value);
    ok(mpk_str_eq(mpk_buf_done(&out), mpk_string("{\"a\":[null,true],\"b\":[],\"n\":1}")),
       "values are written in the order in which they were added");

    value = mpk_value_new(&test_mem, MPK_VALUE_ARRAY);
    mpk_value_string(value, mpk_string(""), mpk_string("ab"));
    mpk_value_string(value, mpk_string(""), mpk_string("c<d"));
    mpk_value_watch(value, &end);
    mpk_value_string(value, mpk_string(""), mpk_string("e"));
    mpk_value_watch(value, &end);
    mpk_buf_init(&out, &test_mem, 0);
    mpk_json_write(&out, value);
    ok(out.data[end - 1] == 'd' && out.data[end] == '"', "a string that is watched ends before its quote");

    for (i = 0; i < 4; i++) {
        left = i;
        little.failed = false;

        value = mpk_value_new(&little, MPK_VALUE_OBJECT);
        v = mpk_value_array(value, mpk_string("a"));
        mpk_value_string(v, mpk_string(""), mpk_string("s"));
        mpk_value_put(value, mpk_string("b"), v ? NULL : v);

        mpk_buf_init(&out, &test_mem, 0);
        mpk_json_write(&out, value);

        ok(little.failed == (i < 3) && out.failed == (i == 0),
           "the memory tells that a value is missing");
    }

    for (i = 0; i < 1000; i++) {
        left = i;

        status = mpk_json_read(&little,
                               (const uint8_t *) "{\"a\":[\"\\n\",{\"b\":1}]}", 20,
                               &limits, &value, &error);
        if (status != MPK_NOMEM) {
            break;
        }
    }

    ok(i > 3 && status == MPK_OK, "running out of memory anywhere is an error");

    return done_testing();
}
