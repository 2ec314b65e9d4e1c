/* Product keys as people type them (R6). */

#include "mpk_typed.h"
#include "test.h"


/* A copy, so that AddressSanitizer checks its end. */

static mpk_str_t
str(const char *s)
{
    mpk_str_t  out;

    if (mpk_dup(&test_mem, (mpk_str_t) { strlen(s), (const uint8_t *) s }, &out) != MPK_OK) {
        exit(1);
    }

    return out;
}


/* The item of an order with these keys. */

static size_t
find(const char *text, const char *const *keys, size_t count)
{
    size_t       i;
    mpk_typed_t  typed;

    if (mpk_typed_init(&test_mem, str(text), 4096, &typed) != MPK_OK) {
        return 99;
    }

    for (i = 0; i < count; i++) {
        mpk_typed_compare(&typed, i + 1, str(keys[i]));
    }

    return mpk_typed_item(&typed);
}


static void
test_items(void)
{
    size_t  i;

    static const char *const  keys[] = {
        "XK7QX-BBBBB", "abc", "ABC", "-----BEGIN-----\nQUJD\nREVG\n", "---", "one", "one", "1.2", "  pad  ", "\xc3\xa4-1", "Case", "ca se"
    };

    static const struct {
        const char  *text;
        size_t       item;
        const char  *name;
    } typed[] = {
        { "XK7QX-BBBBB", 1, "a key as it is" },
        { "  XK7QX-BBBBB\r\n", 1, "with blanks around it" },
        { "xk7qx-bbbbb", 1, "in lower case" },
        { "XK7QXBBBBB", 1, "without its dash" },
        { "XK7QX BBBBB", 1, "with a blank instead" },
        { "X K 7 Q X\tB B B B B", 1, "with blanks between" },
        { "XK7QX\xe2\x80\x93" "BBBBB", 1, "with an en dash" },
        { "XK7QX\xe2\x80\x91" "BBBBB", 1, "with a non-breaking hyphen" },
        { "XK7QX\xc2\xad" "BBBBB", 1, "with a soft hyphen" },
        { "XK7QX\xc2\xa0-\xc2\xa0" "BBBBB", 1, "with no-break spaces" },
        { "\xe2\x81\xa0XK7QX\xe2\x80\xaf\xe2\x88\x92\xe3\x80\x80\xef\xbc\x8d\xef\xb9\x98\xef\xb9\xa3\xef\xbb\xbf" "BBBBB\xe2\x80\x8b", 1, "with what else there is of these" },
        { "XK7QX_BBBBB", 0, "no other character is passed over" },
        { "XK7QX.BBBBB", 0, "nor a full stop" },
        { "XK7QX-BBBB", 0, "a part of a key is none" },
        { "XK7QX-BBBBBB", 0, "nor is one with more" },
        { "XK7QX-8BBBB", 0, "nor one that looks like it" },
        { "abc", 2, "of two that differ in case only, the one that is typed" },
        { "ABC", 3, "and the other" },
        { "Abc", 0, "and none where it is neither" },
        { "case", 0, "nor where two fold to the same" },
        { "ca se", 12, "unless it is exactly one of them" },
        { "one", 6, "the first of two items with one key" },
        { "o-n-e", 0, "not typed loosely" },
        { "-----BEGIN-----\r\nQUJD\r\nREVG", 4, "a key of many lines, as a form sends it" },
        { "BEGIN QUJD REVG", 4, "and in one line" },
        { "---", 5, "a key of dashes only, as it is" },
        { "--", 0, "not as any other dashes" },
        { "", 0, "nothing is no key" },
        { " \xc2\xa0", 0, "nor are blanks" },
        { "1.2", 8, "other characters count" },
        { "12", 0, "all of them" },
        { "pad", 9, "blanks around the order's own key don't" },
        { "\xc3\x84-1", 0, "only ASCII letters have a lower case" },
        { "\xc3\xa4" "1", 10, "others are compared as they are" },
        { "XK7QX\xc2", 0, "a cut character is no blank" },
        { "XK7QX\xe2\x80", 0, "nor is another" },
    };

    for (i = 0; i < sizeof(typed) / sizeof(typed[0]); i++) {
        ok(find(typed[i].text, keys, sizeof(keys) / sizeof(keys[0])) == typed[i].item, typed[i].name);
    }

    ok(find("abc", keys, 1) == 0 && find("abc", keys, 2) == 2, "an order is searched item by item");
}


/* Each character that is passed over, and those beside the ranges, which are not. */

static void
test_skipped(void)
{
    size_t      i;
    uint8_t     out[8];
    mpk_str_t   s;

    static const char *const  kept[] = {
        "!", ",", "\xc2\x9f", "\xc2\xa1", "\xc2\xac", "\xc2\xae", "\xe2\x80\x96", "\xe2\x80\xa7", "\xe2\x80\xb0", "\xe2\x81\x9e", "\xe2\x81\xb0",
        "\xe2\x88\x91", "\xe2\x88\x93", "\xe3\x80\x81", "\xef\xbb\xbe", "\xef\xb9\x97", "\xef\xb9\x99", "\xef\xb9\xa2", "\xef\xbd\x9f", "\xe1\x80\x80"
    };

    for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        s = str(kept[i]);
        ok(mpk_typed_fold(s, out) == s.len && memcmp(out, s.data, s.len) == 0, test_shown(kept[i]));
    }

    ok(mpk_typed_fold(str("\xef\xbc\xa1\xef\xbc\x91\xef\xbc\x8c"), out) == 3 && memcmp(out, "a1,", 3) == 0, "fullwidth forms are the usual ones");

    for (i = 0; i <= ' '; i++) {
        out[0] = 'x';
        ok(mpk_typed_fold((mpk_str_t) { 1, (const uint8_t[]) { (uint8_t) i } }, out) == 0 && out[0] == 'x', "a control character is passed over");
    }
}


static size_t  left;

static void *
scarce(void *ctx, size_t size)
{
    return left-- ? test_alloc(ctx, size) : NULL;
}


int
main(void)
{
    mpk_typed_t  typed;

    static mpk_mem_t  little = { scarce, NULL, false };

    test_items();
    test_skipped();

    ok(mpk_typed_init(&test_mem, str("abcd"), 3, &typed) == MPK_OK, "keys may have a greatest length");
    mpk_typed_compare(&typed, 1, str("abcd"));
    ok(mpk_typed_item(&typed) == 0, "a longer one is not compared");
    mpk_typed_compare(&typed, 2, str("abc"));
    ok(typed.scratch[0] == 0 && typed.scratch[1] == 0 && typed.scratch[2] == 0, "nothing of a key is left in memory");

    for (left = 0; left < 3; left++) {
        size_t  n = left;

        ok(mpk_typed_init(&little, str("abc"), 3, &typed) == MPK_NOMEM, "running out of memory is an error");
        left = n;
    }

    return done_testing();
}
