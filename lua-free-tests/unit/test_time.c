/* Times: RFC 3339 there and back, and in the words of a language. */

#include "test.h"
#include "mpk_time.h"


#define str(s)  ((mpk_str_t) { sizeof(s) - 1, (const uint8_t *) (s) })


typedef struct {
    const char  *text;
    int64_t      seconds;        /* -1: refused */
} test_time_t;

/* RFC 3339, section 5.8, and the edges of the calendar */
static const test_time_t  times[] = {
    { "1970-01-01T00:00:00Z", 0 },
    { "1985-04-12T23:20:50.52Z", 482196050 },
    { "1996-12-19T16:39:57-08:00", 851042397 },
    { "1990-12-31T23:59:60Z", 662687999 },
    { "1937-01-01T12:00:27.87+00:20", -1 },
    { "2000-02-29T12:00:00Z", 951825600 },
    { "2024-02-29t00:00:00z", 1709164800 },
    { "2100-02-28T23:59:59Z", 4107542399 },
    { "9999-12-31T23:59:59Z", 253402300799 },
    { "2023-02-29T00:00:00Z", -1 },
    { "2100-02-29T00:00:00Z", -1 },
    { "2026-13-01T00:00:00Z", -1 },
    { "2026-00-10T00:00:00Z", -1 },
    { "2026-04-31T00:00:00Z", -1 },
    { "2026-01-01T24:00:00Z", -1 },
    { "2026-01-01T00:00:00", -1 },
    { "2026-01-01", -1 },
    { "2026-01-01T00:00:00Z ", -1 },
    { "1969-12-31T23:59:59Z", -1 },
    { "", -1 },
};


static void
test_read(void)
{
    char      name[128];
    size_t    i;
    int64_t   seconds;
    uint8_t  *copy, text[MPK_TIME_LEN];
    size_t    len;

    for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        len = strlen(times[i].text);

        /* a copy of exact size, for AddressSanitizer */

        copy = malloc(len + !len);
        memcpy(copy, times[i].text, len);

        seconds = -1;
        if (mpk_time_read((mpk_str_t) { len, copy }, &seconds) != MPK_OK) {
            seconds = -1;
        }

        free(copy);

        (void) snprintf(name, sizeof(name), "\"%s\" is read", times[i].text);
        ok(seconds == times[i].seconds, name);
    }

    mpk_time_format(482196050, text);
    ok(memcmp(text, "1985-04-12T23:20:50Z", MPK_TIME_LEN) == 0, "a time is written");

    for (seconds = 0; seconds < 253402300799; seconds += 86399 * 517) {
        int64_t  again;

        mpk_time_format(seconds, text);

        if (mpk_time_read((mpk_str_t) { MPK_TIME_LEN, text }, &again) != MPK_OK || again != seconds) {
            break;
        }
    }

    ok(seconds >= 253402300799, "formatted times read back, in all years");
}


static bool
test_says(const char *format, const char *months, int64_t seconds, const char *want)
{
    mpk_buf_t         out;
    mpk_time_words_t  words;

    if (mpk_time_words_read((mpk_str_t) { strlen(format), (const uint8_t *) format },
                            mpk_string("1er"),
                            (mpk_str_t) { strlen(months), (const uint8_t *) months }, &words)
        != MPK_OK)
    {
        return want == NULL;
    }

    mpk_buf_init(&out, &test_mem, 8);
    mpk_time_words(seconds, &words, &out);

    return want && mpk_str_eq(mpk_buf_done(&out), (mpk_str_t) { strlen(want), (const uint8_t *) want });
}


int
main(void)
{
    const char  *en = "January February March April May June July August September October November December";

    test_read();

    ok(test_says("%d %B %Y, %H:%M UTC", en, 1772337906 + 86400, "2 March 2026, 04:05 UTC"), "a time in words");
    ok(test_says("%d %B", en, 1772337906, "1er March"), "the first of a month, as a language has it");
    ok(test_says("%d. %B", "a b c d e f g h i j k l", 253402300799, "31. l"), "the last day of a year");
    ok(test_says("", en, 0, ""), "an empty format says nothing");
    ok(test_says("%B%B", en, 0, "JanuaryJanuary"), "a conversion may stand twice");
    ok(test_says("%y", en, 0, NULL), "another conversion is refused");
    ok(test_says("100 %", en, 0, NULL), "a percent sign at the end is refused");
    ok(test_says("%d", "a b c d e f g h i j k", 0, NULL), "eleven months are refused");
    ok(test_says("%d", "a b c d e f g h i j k l m", 0, NULL), "thirteen, too");
    ok(test_says("%d", "a  b c d e f g h i j k l", 0, NULL), "and two spaces");
    ok(test_says("%d", "", 0, NULL), "and none at all");

    return done_testing();
}
