/* Forms, HTML escaping and UTF-8. */

#include "mpk_escape.h"
#include "mpk_form.h"
#include "test.h"


static const mpk_form_limits_t  limits = { 64, 3 };

static mpk_value_t  *form;


static mpk_status_t
get(const char *text)
{
    return mpk_form_read(&test_mem, (const uint8_t *) text, strlen(text),
                         &limits, &form, NULL);
}


static int
has(const char *name, const char *value)
{
    return mpk_str_eq(mpk_value_get_string(form,
                          (mpk_str_t) { strlen(name), (const uint8_t *) name }),
                      (mpk_str_t) { strlen(value), (const uint8_t *) value });
}


int
main(void)
{
    size_t     i;
    mpk_buf_t  out;

    static const struct {
        const char  *text;
        bool         valid;
        const char  *name;
    } utf8[] = {
        { "abc", true, "ASCII is UTF-8" },
        { "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", true, "so are 2, 3 and 4 bytes" },
        { "\xf4\x8f\xbf\xbf", true, "so is the last code point" },
        { "\xf4\x90\x80\x80", false, "a higher one is not" },
        { "\xc0\xaf", false, "an overlong form of 2 bytes is not" },
        { "\xe0\x80\xaf", false, "an overlong form of 3 bytes is not" },
        { "\xf0\x80\x80\xaf", false, "an overlong form of 4 bytes is not" },
        { "\xed\xa0\x80", false, "a surrogate is not" },
        { "\xc3", false, "a truncated form is not" },
        { "\xe2\x82", false, "a truncated form of 3 bytes is not" },
        { "\xf0\x9f\x98", false, "a truncated form of 4 bytes is not" },
        { "\x80", false, "a stray continuation byte is not" },
        { "\xe2\x28\xa1", false, "a byte that is not a continuation is not" },
        { "\xff", false, "0xff is not" },
    };

    for (i = 0; i < sizeof(utf8) / sizeof(utf8[0]); i++) {
        ok(mpk_utf8_valid((const uint8_t *) utf8[i].text, strlen(utf8[i].text))
           == utf8[i].valid, utf8[i].name);
    }

    mpk_buf_init(&out, &test_mem, 0);
    mpk_escape_html(&out, mpk_string("<a href=\"x\">'&\r\n"));
    ok(mpk_str_eq(mpk_buf_done(&out),
                  mpk_string("&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#13;\n")),
       "HTML metacharacters are escaped");

    ok(get("a=1&b=x+y&c=%C3%A9%2B") == MPK_OK && has("a", "1")
       && has("b", "x y") && has("c", "\xc3\xa9+"), "fields are decoded");
    ok(get("") == MPK_OK && form->u.list.count == 0, "a form may be empty");
    ok(get("a&b=&=x&&") == MPK_OK && has("a", "") && has("b", "")
       && form->u.list.count == 2, "a field may be empty, its name may not");
    ok(get("a=b=c") == MPK_OK && has("a", "b=c"), "the first \"=\" ends the name");

    ok(get("a=%") == MPK_MALFORMED, "a lone % is refused");
    ok(get("a=%4") == MPK_MALFORMED, "a % with one digit is refused");
    ok(get("a=%zz") == MPK_MALFORMED, "a % with no digits is refused");
    ok(get("a=%00") == MPK_MALFORMED, "a NUL is refused");
    ok(get("a=%ff") == MPK_MALFORMED, "invalid UTF-8 is refused");
    ok(get("%ff=a") == MPK_MALFORMED, "also in a name");
    ok(get("a=1&a=2") == MPK_DUPLICATE, "a duplicate field is refused");
    ok(get("a=1&%61=2") == MPK_DUPLICATE, "also when one is encoded");
    ok(get("a=1&b=1&c=1&d=1") == MPK_LIMIT, "fields over the limit are refused");
    ok(get("a=1234567890123456789012345678901234567890123456789012345678901234")
       == MPK_LIMIT, "bytes over the limit are refused");

    return done_testing();
}
