/* Numbers of orders as people type them. */

#include "mpk_token.h"
#include "mpk_number.h"
#include "test.h"


/* The ids that a text can mean, with blanks between them. */

static const char *
means(const char *text)
{
    size_t            i;
    mpk_str_t         copy;
    mpk_number_t       typed;
    static char       out[4 * MPK_NUMBER_ID_LEN + 8];

    /* exactly its bytes, so that AddressSanitizer detects reads past them */

    if (mpk_dup(&test_mem, (mpk_str_t) { strlen(text), (const uint8_t *) text }, &copy) != MPK_OK) {
        exit(1);
    }

    out[0] = '\0';

    if (!mpk_number_read(copy, &typed)) {
        return "nothing";
    }

    for (i = 0; i < typed.count; i++) {
        snprintf(out + strlen(out), sizeof(out) - strlen(out), "%s%.*s", i ? " " : "", (int) typed.ids[i].len, typed.ids[i].data);
    }

    return out;
}


static void
is(const char *text, const char *ids, const char *name)
{
    const char  *got;

    got = means(text);
    ok(strcmp(got, ids) == 0, name);

    if (strcmp(got, ids) != 0) {
        printf("# \"%s\" means %s\n", text, got);
    }
}


static bool
counted(const char *id, const char *as)
{
    uint8_t    bytes[MPK_NUMBER_ID_LEN];
    mpk_str_t  name;

    name = mpk_number_counted((mpk_str_t) { strlen(id), (const uint8_t *) id }, bytes);

    return name.len == strlen(as) && memcmp(name.data, as, name.len) == 0;
}


int
main(void)
{
    char  text[MPK_NUMBER_MAX + 2], name[64];

    is("1234", "1234", "a number");
    is("A-1", "A-1 a-1", "letters are tried in both cases");
    is("a-1", "a-1 A-1", "what was typed first");
    is("Ord-1", "Ord-1 ORD-1 ord-1", "in capitals, then in small letters");
    is(" #1234\t", "1234", "blanks and a number sign around it");
    is("Order no. A-17", "A-17 a-17", "words around it: the last one with a digit");
    is("A-17 is my order", "A-17 a-17", "also behind it");
    is("my order", "order ORDER", "the last word, if none has a digit");
    is("1 2", "2", "of two numbers the last");
    is("A-17.", "A-17. A-17 a-17", "a full stop behind it");
    is("(A-17)", "A-17 a-17", "brackets");
    is("-17-", "-17- 17", "dashes");
    is("A\xc2\xa0" "17", "17", "a no-break space is a blank");
    is("A\xe2\x80\x91" "17", "A-17 a-17", "a no-break hyphen");
    is("A\xe2\x80\x93" "17", "A-17 a-17", "an en dash");
    is("A\xe2\x88\x92" "17", "A-17 a-17", "a minus");
    is("A\xef\xbc\x8d\xef\xbc\x91\xef\xbc\x97", "A-17 a-17", "fullwidth digits and dash");
    is("\xef\xbc\xa1-1", "A-1 a-1", "fullwidth letters");
    is("A\xc2\xad-1\xe2\x80\x8b", "A-1 a-1", "a soft hyphen and a zero-width space are nothing");
    is("\xe2\x84\x96" "17", "17", "a numero sign");
    is("J\xc3\xbcrgen-1", "rgen-1 RGEN-1", "a letter beyond ASCII ends a word");
    is("", "nothing", "no text");
    is("...", "...", "an id that is all punctuation");
    is(".", "nothing", "no id");
    is("\xff\xfe", "nothing", "no text at all");
    is("1\xe2\x80", "1", "a character that is cut off");

    memset(text, 'x', sizeof(text));
    text[64] = '\0';
    ok(strlen(means(text)) == 2 * 64 + 1, "an id as long as it may be");
    text[64] = 'x';
    text[65] = '\0';
    ok(strcmp(means(text), "nothing") == 0, "and a longer one, which is none");

    memset(text, ' ', sizeof(text));
    text[MPK_NUMBER_MAX - 1] = '1';
    text[MPK_NUMBER_MAX] = '\0';
    ok(strcmp(means(text), "1") == 0, "a text as long as it may be");
    text[MPK_NUMBER_MAX] = '2';
    text[MPK_NUMBER_MAX + 1] = '\0';
    ok(strcmp(means(text), "nothing") == 0, "and a longer one");

    ok(counted("A-1", "A-1") && counted("a-1", "A-1") && counted("-a-1..", "A-1"), "what can be meant by one text is counted as one");
    ok(!counted("A-2", "A-1"), "and other numbers are not");

    snprintf(name, sizeof(name), "...");
    ok(counted(name, "..."), "an id without letters and digits is counted as itself");

    return done_testing();
}
