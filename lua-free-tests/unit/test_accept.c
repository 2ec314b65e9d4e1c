/* Accept and Accept-Language: weights and preferences. */

#include "mpk_accept.h"
#include "test.h"


static const mpk_str_t  tags[] = {
    mpk_literal("en"), mpk_literal("de"), mpk_literal("fr"), mpk_literal("pt-br"), mpk_literal("pt"),
    mpk_literal("zh-hant"), mpk_literal("zh")
};

#define COUNT  (sizeof(tags) / sizeof(tags[0]))


/* A copy of exactly the text's bytes, so that AddressSanitizer detects reads past them. */

static const uint8_t *
bytes(const char *text)
{
    mpk_str_t  out;

    if (mpk_dup(&test_mem, (mpk_str_t) { strlen(text), (const uint8_t *) text }, &out) != MPK_OK) {
        exit(1);
    }

    return out.data;
}


int
main(void)
{
    size_t  i, n;

    static const struct {
        const char  *field;
        unsigned     weight;
        const char  *name;
    } accepts[] = {
        { "application/json", 1000, "a type without a weight has the highest" },
        { "application/json;q=0.5", 500, "a weight is in thousandths" },
        { "application/json;q=0.123", 123, "with three digits" },
        { "application/json;q=0.1239", 123, "more are ignored" },
        { "application/json;q=0", 0, "0 is not acceptable" },
        { "application/json;q=1.000", 1000, "1.000 is the highest" },
        { "application/json;q=1.9", 1000, "nothing is higher" },
        { "application/json;q=", 0, "a weight without digits is 0" },
        { "application/json;q", 1000, "a \"q\" without \"=\" is no weight" },
        { "application/json;q=0.", 0, "a point without digits adds nothing" },
        { "application/json;q=x", 0, "without digits it is 0" },
        { "application/json;charset=utf-8;q=0.2", 200, "the weight may follow other parameters" },
        { "application/json ; Q=0.2", 200, "in any case, with blanks" },
        { "text/html, application/json;q=0.9, */*", 900, "any element may name the type" },
        { "APPLICATION/JSON;q=0.3", 300, "types have no case" },
        { "application/json;q=0.1, application/json;q=0.8", 100, "the first of two counts" },
        { "application/jsonp", 0, "a longer type is another one" },
        { "application/jso", 0, "so is a shorter one" },
        { "application/*;q=0.3", 300, "a range has a weight, too" },
        { "*/*;q=0.2", 200, "and that of all types" },
        { "*/*;q=0.2, application/*;q=0.3", 300, "the more specific one counts" },
        { "application/json;q=0.1, application/*;q=0.3, */*", 100, "the type itself before both" },
        { "application/json;q=0, */*", 0, "also if it is not acceptable" },
        { "text/*, text/html", 0, "other ranges do not count" },
        { "*/json, *, application/", 0, "what is no range does not" },
        { "application/json\t;\tq=0.4", 400, "white space can be tabs" },
        { "text/html,\tapplication/json;q=0.4", 400, "also between elements" },
        { "application/json;seq=0;q=0.4", 400, "another parameter that ends in a \"q\" is none" },
        { "application/json;a=\"q=0,;\";q=0.4", 400, "nor is what is quoted" },
        { "application/json;a=\"\\\";q=0\";q=0.4", 400, "with a quote in it" },
        { "application/json;a=\"", 1000, "an open quote ends with the field" },
        { "", 0, "an empty field names nothing" },
        { ",, ,", 0, "nor do empty elements" },
        { ",application/json", 1000, "which are skipped" },
    };

    static const struct {
        const char  *field;
        size_t       index;
        const char  *name;
    } languages[] = {
        { "de", 1, "a language is found" },
        { "DE-at", 1, "with its primary subtag, in any case" },
        { "pt-BR", 3, "the same tag comes before its primary subtag" },
        { "pt-PT", 4, "another region falls back to it" },
        { "de_AT", 1, "also as a locale has it" },
        { "fr;q=0.5, de;q=0.8, en;q=0.1", 1, "the highest weight wins" },
        { "fr, de", 2, "the first of equals wins" },
        { "es, de;q=0.1", 1, "languages without pages are skipped" },
        { "de;q=0, fr;q=0.001", 2, "a weight of 0 is never taken" },
        { "de;q=0", COUNT, "also when nothing else is there" },
        { "es, it", COUNT, "none may be accepted" },
        { "*", COUNT, "a wildcard names none" },
        { "d", COUNT, "a part of a tag does not match" },
        { "-", COUNT, "nor is a hyphen" },
        { "", COUNT, "an empty field accepts none" },
        { " ,de", 1, "empty elements are skipped" },
        { "\tfr;\tq=0.1,\tde", 1, "white space can be tabs" },
        { "zh-Hant-TW", 5, "RFC 4647: subtags go one by one" },
        { "zh-Hans-CN", 6, "down to the primary one" },
        { "zh-Hant-x-private", 5, "a single letter goes with what is behind it" },
        { "pt-BR-u-ca-buddhist", 3, "also in front of two subtags" },
        { "x-de", COUNT, "and is no language of its own" },
        { "de-", 1, "an empty subtag is none" },
    };

    /* whether JSON is preferred to HTML */

    static const struct {
        const char  *field;
        bool         json;
    } prefers[] = {
        { "application/json", true }, { "text/html", false }, { "text/html, application/json", false },
        { "text/html;q=0.9, application/json", true }, { "text/*, application/json;q=0.9", false },
        { "text/*;q=0.8, application/json;q=0.9", true }, { "application/*", true }, { "application/*, text/html;q=0.1", true },
        { "*/*", false }, { "application/*, text/*", false }, { "application/json, */*", true },
        { "application/json, text/plain, */*", true }, { "application/json;q=0.5, */*", false }, { "text/html, */*", false },
        { "text/html;q=0, */*", true }, { "application/json;q=0, */*;q=0.1", false }, { "application/json;q=0", false },
        { "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8", false },
    };

    static const struct {
        const char  *locale;
        size_t       index;
    } locales[] = {
        { "de_DE.UTF-8", 1 }, { "de_DE", 1 }, { "de@euro", 1 }, { "de_DE.ISO-8859-15@euro", 1 }, { "DE", 1 }, { "pt_BR.UTF-8", 3 },
        { "zh_Hant_TW.UTF-8", 5 }, { "zh-hant-tw", 5 }, { "zh_TW.Big5", 6 }, { "C", COUNT }, { "C.UTF-8", COUNT }, { "POSIX", COUNT },
        { ".UTF-8", COUNT }, { "@euro", COUNT }, { "_", COUNT }, { "__", COUNT }, { "_-_", COUNT }, { "a-b-c-d", COUNT }, { "deu", COUNT },
    };

    for (i = 0; i < sizeof(accepts) / sizeof(accepts[0]); i++) {
        n = strlen(accepts[i].field);
        ok(mpk_accept_rank(bytes(accepts[i].field), n, mpk_string("application/json")) / 4 == accepts[i].weight,
           accepts[i].name);
    }

    for (i = 0; i < sizeof(languages) / sizeof(languages[0]); i++) {
        n = strlen(languages[i].field);
        ok(mpk_accept_language(bytes(languages[i].field), n, tags, COUNT) == languages[i].index, languages[i].name);
    }

    for (i = 0; i < sizeof(prefers) / sizeof(prefers[0]); i++) {
        n = strlen(prefers[i].field);
        ok((mpk_accept_rank(bytes(prefers[i].field), n, mpk_string("application/json"))
            > mpk_accept_rank(bytes(prefers[i].field), n, mpk_string("text/html"))) == prefers[i].json, prefers[i].field);
    }

    for (i = 0; i < sizeof(locales) / sizeof(locales[0]); i++) {
        n = strlen(locales[i].locale);
        ok(mpk_language_find(bytes(locales[i].locale), n, tags, COUNT) == locales[i].index, locales[i].locale);
    }

    ok(mpk_language_find(bytes("pt_br"), 5, tags, COUNT) == 3, "a locale names a language");
    ok(mpk_language_find(bytes(""), 0, tags, COUNT) == COUNT, "an empty one names none");
    ok(mpk_language_find(bytes("de"), 2, tags, 0) == 0, "without tags none is found");

    return done_testing();
}
