/* Accept and Accept-Language: weights and preferences. */

#include "mpk_accept.h"
#include "test.h"


static const mpk_str_t  tags[] = {
    mpk_literal("en"), mpk_literal("de"), mpk_literal("fr"), mpk_literal("pt-br"), mpk_literal("pt")
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
        { "application/*, */*", 0, "ranges do not count" },
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
    };

    for (i = 0; i < sizeof(accepts) / sizeof(accepts[0]); i++) {
        n = strlen(accepts[i].field);
        ok(mpk_accept_weight(bytes(accepts[i].field), n, mpk_string("application/json")) == accepts[i].weight,
           accepts[i].name);
    }

    for (i = 0; i < sizeof(languages) / sizeof(languages[0]); i++) {
        n = strlen(languages[i].field);
        ok(mpk_accept_language(bytes(languages[i].field), n, tags, COUNT) == languages[i].index, languages[i].name);
    }

    ok(mpk_language_find(bytes("pt_br"), 5, tags, COUNT) == 3, "a locale names a language");
    ok(mpk_language_find(bytes(""), 0, tags, COUNT) == COUNT, "an empty one names none");
    ok(mpk_language_find(bytes("de"), 2, tags, 0) == 0, "without tags none is found");

    return done_testing();
}
