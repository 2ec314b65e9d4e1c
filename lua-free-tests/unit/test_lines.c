/* Pieces split into lines. */

#include "mpk_lines.h"
#include "test.h"


static mpk_lines_t  lines;
static char         seen[256];


/* The lines of text, in pieces of so many bytes, as "number:line|". */
static const char *
split(const char *text, size_t piece, size_t max)
{
    bool           last;
    char          *p;
    size_t         len;
    mpk_str_t      in, line;
    mpk_status_t   status;
    unsigned char *copy;

    p = seen;
    *p = '\0';
    len = strlen(text);

    mpk_lines_init(&lines, &test_mem, max);

    do {
        in.len = len < piece ? len : piece;
        last = (in.len == len);

        /* a block of its own, freed before the next piece */

        copy = malloc(in.len + 1);
        if (copy == NULL) {
            return "";
        }

        memcpy(copy, text, in.len);
        in.data = copy;

        text += in.len;
        len -= in.len;

        while ((status = mpk_lines_next(&lines, &in, last, &line))
               != MPK_MISSING)
        {
            if (status == MPK_OK) {
                p += sprintf(p, "%d:%.*s|", (int) lines.number,
                             (int) line.len, (const char *) line.data);

            } else {
                p += sprintf(p, "%d!%d|", (int) lines.number, (int) status);
            }
        }

        free(copy);

    } while (!last);

    return seen;
}


/* Fails after so many allocations. */

static int  left;

static void *
short_alloc(void *ctx, size_t size)
{
    return left-- > 0 ? test_alloc(ctx, size) : NULL;
}

static mpk_mem_t  short_mem = { short_alloc, NULL, false };


int
main(void)
{
    size_t      i, n, max;
    mpk_str_t   in, line;
    char        name[128];

    static const struct {
        const char  *text;
        const char  *lines;
        const char  *name;
    } cases[] = {
        { "", "", "no bytes are no line" },
        { "a", "1:a|", "the last line may lack its end" },
        { "a\n", "1:a|", "an end ends a line and begins none" },
        { "ab\ncd\n", "1:ab|2:cd|", "each line is given" },
        { "ab\r\ncd\r\n", "1:ab|2:cd|", "\"\\r\\n\" is an end, too" },
        { "\n\r\na\n\n\nb", "3:a|6:b|", "empty lines are skipped and counted" },
        { "\n\r\n\r", "", "nothing but empty lines are no line" },
        { "a\rb\n", "1:a\rb|", "a \"\\r\" within a line is its own" },
        { "12345678\n", "1:12345678|", "a line may have max bytes" },
        { "12345678\r\nx", "1:12345678|2:x|", "its end is not counted" },
        { "12345678", "1:12345678|", "nor is the end of all" },
        { "123456789\nx", "1!4|2:x|", "a line of more is skipped, the next one is not" },
        { "123456789\r\nx", "1!4|2:x|", "also with \"\\r\\n\"" },
        { "x\n12345678901234567890\ny\n", "1:x|2!4|3:y|", "however long it is" },
        { "12345678901234567890", "1!4|", "also where it has no end" },
        { "12345678\r\r\nx", "1!4|2:x|", "a second \"\\r\" is the line's" },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (n = 1; n < 32; n = n < 5 ? n + 1 : n * 2) {
            sprintf(name, "%s (in pieces of %zu)", cases[i].name, n);
            ok(strcmp(split(cases[i].text, n, 8), cases[i].lines) == 0, name);
        }
    }

    /* a line's memory grows to what it needs, up to max and one byte */

    mpk_lines_init(&lines, &test_mem, 10000);

    for (i = 0, max = 0; i < 10000; i++) {
        in = mpk_string("x");
        (void) mpk_lines_next(&lines, &in, false, &line);
        max = lines.size > max ? lines.size : max;
    }

    in = mpk_string("\n");
    ok(mpk_lines_next(&lines, &in, false, &line) == MPK_OK
       && line.len == 10000, "a line may come byte by byte");
    ok(max == 10001, "no more is kept than max and its end");

    in = mpk_string("");
    ok(mpk_lines_next(&lines, &in, false, &line) == MPK_MISSING
       && lines.data[0] == 0 && lines.data[9999] == 0,
       "the line returned before is cleansed");

    in = mpk_string("secret");
    (void) mpk_lines_next(&lines, &in, false, &line);
    mpk_lines_forget(&lines);
    ok(lines.data[0] == 0 && lines.data[5] == 0, "so are forgotten bytes");

    mpk_lines_init(&lines, &short_mem, 10000);
    in = mpk_string("a\nb");
    ok(mpk_lines_next(&lines, &in, false, &line) == MPK_OK,
       "a line in one piece allocates nothing");
    ok(mpk_lines_next(&lines, &in, false, &line) == MPK_NOMEM,
       "one that must be kept fails without");

    return done_testing();
}
