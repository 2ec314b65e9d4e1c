/* Redis' protocol: replies in pieces of any size and within limits, commands, error names. */

#include <hiredis/hiredis.h>

#include "ngx_mpk_redis_resp.h"
#include "test.h"


#define MANY  32


static size_t  allocated;


static void *
counting_alloc(void *ctx, size_t size)
{
    allocated += size;

    return test_alloc(ctx, size);
}


static void *
failing_alloc(void *ctx, size_t size)
{
    size_t  *left;

    left = ctx;

    if (*left == 0) {
        return NULL;
    }

    (*left)--;

    return test_alloc(NULL, size);
}


static mpk_mem_t  counting_mem = { counting_alloc, NULL, false };


/* A reply as text, to compare with one line. */
static void
show(mpk_buf_t *buf, const ngx_mpk_redis_reply_t *reply)
{
    size_t  i;

    static const char  marks[] = "~$+-:*";

    mpk_buf_byte(buf, (uint8_t) marks[reply->type]);

    switch (reply->type) {

    case NGX_MPK_REDIS_NIL:
        break;

    case NGX_MPK_REDIS_INTEGER:
        mpk_buf_int(buf, reply->integer);
        break;

    case NGX_MPK_REDIS_ARRAY:
        mpk_buf_byte(buf, '(');

        for (i = 0; i < reply->count; i++) {
            show(buf, &reply->elements[i]);
        }

        mpk_buf_byte(buf, ')');
        break;

    default:
        mpk_buf_str(buf, reply->str);
    }

    mpk_buf_byte(buf, ' ');
}


/* Parses all replies of an input, fed in pieces; returns the last status. */
static mpk_status_t
parse(mpk_mem_t *mem, const void *data, size_t len, size_t portion,
    mpk_buf_t *shown)
{
    size_t                   n, used;
    uint8_t                 *copy;
    mpk_status_t             status;
    ngx_mpk_redis_reply_t   *reply;
    ngx_mpk_redis_parser_t  *parser;

    mpk_buf_init(shown, &test_mem, 0);

    parser = ngx_mpk_redis_parser_create();
    status = MPK_OK;

    for (used = 0; used < len && status == MPK_OK; used += n) {
        n = len - used < portion ? len - used : portion;

        /* a copy of exact size, so that AddressSanitizer detects reads past it */

        copy = malloc(n);
        memcpy(copy, (const uint8_t *) data + used, n);
        status = ngx_mpk_redis_parser_feed(parser, copy, n);
        free(copy);

        while (status == MPK_OK) {
            ngx_mpk_redis_parser_set_mem(parser, mem);
            status = ngx_mpk_redis_parser_next(parser, &reply);

            if (reply == NULL) {
                break;
            }

            show(shown, reply);
        }
    }

    if (status != MPK_OK) {

        if (ngx_mpk_redis_parser_feed(parser, (const uint8_t *) "+OK\r\n", 5)
            != status
            || ngx_mpk_redis_parser_next(parser, &reply) != status
            || reply != NULL)
        {
            mpk_buf_lit(shown, "an error was not for good ");
        }
    }

    ngx_mpk_redis_parser_free(parser);

    return status;
}


static void
test_replies(void)
{
    size_t     i, portion;
    bool       good;
    mpk_buf_t  shown;

    static const struct {
        const char  *input;
        const char  *shown;
        const char  *name;
    } cases[] = {
        { "+OK\r\n", "+OK ", "a status" },
        { "-ERR no\r\n", "-ERR no ", "an error" },
        { ":42\r\n:-9223372036854775808\r\n:9223372036854775807\r\n",
          ":42 :-9223372036854775808 :9223372036854775807 ", "integers" },
        { "$5\r\nhello\r\n", "$hello ", "a string" },
        { "$0\r\n\r\n", "$ ", "an empty string" },
        { "$4\r\n\r\n\r\n\r\n", "$\r\n\r\n ", "a string of line ends" },
        { "$-1\r\n*-1\r\n", "~ ~ ", "both kinds of nil" },
        { "*0\r\n", "*() ", "an empty array" },
        { "*3\r\n$1\r\na\r\n*2\r\n:1\r\n*-1\r\n$-1\r\n",
          "*($a *(:1 ~ ) ~ ) ", "arrays in arrays" },
        { "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
          "*(*(*(*(*(*(*(:1 ) ) ) ) ) ) ) ", "arrays to the depth allowed" },
        { "+a\r\n+b\r\n$1\r\nc\r\n+d", "+a +b $c ", "replies one after the other" },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        good = true;

        for (portion = 1; portion <= MANY; portion++) {
            good = good
                   && parse(&test_mem, cases[i].input, strlen(cases[i].input),
                            portion, &shown) == MPK_OK
                   && mpk_str_eq(mpk_buf_done(&shown),
                                 (mpk_str_t) { strlen(cases[i].shown),
                                     (const uint8_t *) cases[i].shown });
        }

        ok(good, cases[i].name);
    }
}


static void
test_refused(void)
{
    size_t     i, portion;
    bool       good;
    mpk_buf_t  shown;

    static const struct {
        const char    *input;
        mpk_status_t   status;
        const char    *name;
    } cases[] = {
        { "HTTP/1.1 400 Bad Request\r\n", MPK_MALFORMED, "another protocol" },
        { "%1\r\n+a\r\n+b\r\n", MPK_MALFORMED, "RESP3's map" },
        { "_\r\n", MPK_MALFORMED, "RESP3's null" },
        { ",1.5\r\n", MPK_MALFORMED, "RESP3's double" },
        { "#t\r\n", MPK_MALFORMED, "RESP3's boolean" },
        { "=5\r\ntxt:a\r\n", MPK_MALFORMED, "RESP3's verbatim string" },
        { ":1x\r\n", MPK_MALFORMED, "an integer with a letter" },
        { ":9223372036854775808\r\n", MPK_MALFORMED, "an integer over 64 bits" },
        { "$x\r\n", MPK_MALFORMED, "a length that is not a number" },
        { "$-2\r\n", MPK_MALFORMED, "a negative length" },
        { "*-2\r\n", MPK_MALFORMED, "a negative count" },
        { "$2\r\nabcd", MPK_MALFORMED, "a string without its line end" },
        { "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", MPK_LIMIT,
          "arrays too deep" },
        { "*100000000\r\n", MPK_LIMIT, "a hundred million elements" },
        { "*2\r\n*40000\r\n", MPK_OK, "40000 elements are within the cap" },
        { "*2\r\n*0\r\n*65535\r\n", MPK_LIMIT, "elements of all arrays count" },
        { "$536870913\r\n", MPK_LIMIT, "more than half a gigabyte" },
        { "$536870912\r\nabc", MPK_OK, "half a gigabyte is skipped" },
        { "$8388609\r\n", MPK_OK, "one byte over the cap, too" },
        { "$8388608\r\n", MPK_OK, "the cap itself" },
        { "*2\r\n$3\r\nabc\r\n$8388606\r\n", MPK_OK, "strings of all elements count" },
        { "*2\r\n$3\r\nabc\r\n$8388605\r\n", MPK_OK, "all elements at the cap" },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        good = true;

        for (portion = 1; portion <= MANY; portion++) {
            allocated = 0;

            /* an array is allocated as a whole: 40001 elements and nothing more */

            good = good
                   && parse(&counting_mem, cases[i].input,
                            strlen(cases[i].input), portion, &shown)
                      == cases[i].status
                   && shown.len == 0
                   && allocated < 40010 * sizeof(ngx_mpk_redis_reply_t);

            if (cases[i].status == MPK_OK) {
                continue;
            }

            good = good && allocated < 16 * sizeof(ngx_mpk_redis_reply_t);
        }

        ok(good, cases[i].name);
    }
}


/* Limits are per reply. */
static void
test_caps_per_reply(void)
{
    size_t     i;
    mpk_buf_t  in, shown;

    mpk_buf_init(&in, &test_mem, 0);

    for (i = 0; i < 3; i++) {
        mpk_buf_lit(&in, "*1\r\n$3000000\r\n");
        memset(mpk_buf_room(&in, 3000000), 'x', 3000000);
        mpk_buf_lit(&in, "\r\n");
    }

    ok(parse(&test_mem, in.data, in.len, 16384, &shown) == MPK_OK
       && shown.len == 3 * (3000000 + 6), "three replies of 3 MB");

    mpk_buf_init(&in, &test_mem, 0);

    for (i = 0; i < 3 * 60000; i++) {

        if (i % 60000 == 0) {
            mpk_buf_lit(&in, "*60000\r\n");
        }

        mpk_buf_lit(&in, ":1\r\n");
    }

    ok(parse(&test_mem, in.data, in.len, 16384, &shown) == MPK_OK
       && shown.len == 3 * (3 * 60000 + 4), "three replies of 60000 elements");
}


static void
test_lines(void)
{
    mpk_buf_t  in, shown;

    mpk_buf_init(&in, &test_mem, 0);
    mpk_buf_byte(&in, '+');
    memset(mpk_buf_room(&in, NGX_MPK_REDIS_LINE_MAX), 'x', NGX_MPK_REDIS_LINE_MAX);

    ok(parse(&test_mem, in.data, in.len, 100, &shown) == MPK_OK,
       "a line of the greatest length, still open");

    mpk_buf_lit(&in, "\r\n");

    ok(parse(&test_mem, in.data, in.len - 1, 100, &shown) == MPK_OK,
       "a line of the greatest length, of which the LF is missing");
    ok(parse(&test_mem, in.data, in.len, 100, &shown) == MPK_OK && shown.len,
       "a line of the greatest length, in portions");
    ok(parse(&test_mem, in.data, in.len, in.len, &shown) == MPK_OK && shown.len,
       "a line of the greatest length, at once");

    in.data[in.len - 2] = 'x';
    in.data[in.len - 1] = '\r';
    mpk_buf_lit(&in, "\n");

    ok(parse(&test_mem, in.data, in.len - 1, 100, &shown) == MPK_LIMIT,
       "a line one byte longer is not waited for");
    ok(parse(&test_mem, in.data, in.len, 100, &shown) == MPK_LIMIT
       && shown.len == 0, "a line one byte longer, in portions");
    ok(parse(&test_mem, in.data, in.len, in.len, &shown) == MPK_LIMIT
       && shown.len == 0, "a line one byte longer, at once");
}


static void
test_memory(void)
{
    size_t     n, left;
    bool       good;
    mpk_buf_t  shown;
    mpk_mem_t  mem;

    static const char  input[] = "*2\r\n$1\r\na\r\n+b\r\n";

    mem.alloc = failing_alloc;
    mem.ctx = &left;
    good = true;

    for (n = 0; n < 4; n++) {
        left = n;
        good = good
               && parse(&mem, input, sizeof(input) - 1, 3, &shown) == MPK_NOMEM;
    }

    ok(good, "running out of memory at any step is MPK_NOMEM");

    left = 4;
    ok(parse(&mem, input, sizeof(input) - 1, 3, &shown) == MPK_OK,
       "four allocations are enough for it");
}


static void
test_dropped(void)
{
    bool                     good;
    ngx_mpk_redis_reply_t   *reply;
    ngx_mpk_redis_parser_t  *parser;

    static const char  input[] = "*2\r\n$1\r\na\r\n*1\r\n:1\r\n+b\r\n-x";

    parser = ngx_mpk_redis_parser_create();

    (void) ngx_mpk_redis_parser_feed(parser, (const uint8_t *) input,
                                     sizeof(input) - 1);

    ngx_mpk_redis_parser_set_mem(parser, NULL);

    good = ngx_mpk_redis_parser_next(parser, &reply) == MPK_OK
           && reply != NULL && reply->type == NGX_MPK_REDIS_NIL;

    ngx_mpk_redis_parser_set_mem(parser, &test_mem);

    good = good
           && ngx_mpk_redis_parser_next(parser, &reply) == MPK_OK
           && reply != NULL && reply->type == NGX_MPK_REDIS_STATUS;

    ok(good, "a dropped reply does not disturb the next one");

    ok(ngx_mpk_redis_parser_next(parser, &reply) == MPK_OK && reply == NULL
       && ngx_mpk_redis_parser_buffered(parser) > 0,
       "bytes of an incomplete reply are reported");

    (void) ngx_mpk_redis_parser_feed(parser, (const uint8_t *) "\r\n", 2);

    ok(ngx_mpk_redis_parser_next(parser, &reply) == MPK_OK && reply != NULL
       && ngx_mpk_redis_parser_buffered(parser) == 0,
       "nothing is left after the last reply");

    ngx_mpk_redis_parser_free(parser);
    ngx_mpk_redis_parser_free(NULL);

    parser = ngx_mpk_redis_parser_create();
    (void) ngx_mpk_redis_parser_feed(parser,
                                     (const uint8_t *) "*100000000\r\n", 12);

    ok(ngx_mpk_redis_parser_next(parser, &reply) == MPK_LIMIT && reply == NULL,
       "limits hold for a reply that is dropped");

    ngx_mpk_redis_parser_free(parser);
}


/* A reply over the cap fails alone: what comes before and after it is read. */

static void
test_large(void)
{
    bool                     good;
    size_t                   n, at, len, portion, i;
    uint8_t                 *data;
    mpk_status_t             status;
    ngx_mpk_redis_type_t     types[4];
    ngx_mpk_redis_reply_t   *reply;
    ngx_mpk_redis_parser_t  *parser;

    static const size_t  portions[] = { 16384, 16383, 1000, 9 * 1024 * 1024, 40 * 1024 * 1024 };
    static const struct {
        size_t       first;      /* lengths of two strings of an array */
        size_t       second;
        bool         large;
        const char  *name;
    } cases[] = {
        { 8 * 1024 * 1024, 0, false, "a reply at the cap is read" },
        { 8 * 1024 * 1024 + 1, 0, true, "a string over the cap is an error" },
        { 8 * 1024 * 1024 - 4, 5, true, "strings that are over it together" },
        { 5, 8 * 1024 * 1024 - 4, true, "in the other order, too" },
        { 8 * 1024 * 1024, 8 * 1024 * 1024 + 7, true, "or twice the cap" },
        { 8 * 1024 * 1024 + 1, 8 * 1024 * 1024 + 1, true, "or two that are" },
    };

    data = malloc(18 * 1024 * 1024);

    if (data == NULL) {
        exit(1);
    }

    for (n = 0; n < sizeof(cases) / sizeof(cases[0]); n++) {

        len = (size_t) sprintf((char *) data, ":7\r\n*2\r\n$%zu\r\n", cases[n].first);
        memset(data + len, 'x', cases[n].first);
        len += cases[n].first;
        len += (size_t) sprintf((char *) data + len, "\r\n$%zu\r\n", cases[n].second);
        memset(data + len, '\r', cases[n].second);
        len += cases[n].second;
        len += (size_t) sprintf((char *) data + len, "\r\n+OK\r\n");

        for (portion = 0, good = true; portion < sizeof(portions) / sizeof(portions[0]); portion++) {

            parser = ngx_mpk_redis_parser_create();
            ngx_mpk_redis_parser_set_mem(parser, &counting_mem);
            allocated = 0;
            i = 0;

            for (at = 0; at < len; at += portions[portion]) {
                status = ngx_mpk_redis_parser_feed(parser, data + at,
                                                   len - at < portions[portion] ? len - at : portions[portion]);
                good &= (status == MPK_OK);

                while (ngx_mpk_redis_parser_next(parser, &reply) == MPK_OK && reply && i < 4) {
                    types[i++] = reply->type;

                    if (i == 2 && cases[n].large) {
                        good &= (ngx_mpk_redis_error_find(reply->str) == NGX_MPK_REDIS_ERR_TOOLARGE);
                    }
                }
            }

            good &= (i == 3 && types[0] == NGX_MPK_REDIS_INTEGER && types[2] == NGX_MPK_REDIS_STATUS
                     && types[1] == (cases[n].large ? NGX_MPK_REDIS_ERROR : NGX_MPK_REDIS_ARRAY)
                     && ngx_mpk_redis_parser_buffered(parser) == 0
                     && allocated < NGX_MPK_REDIS_BYTES_MAX + 4096);

            ngx_mpk_redis_parser_free(parser);
            test_free_all();
        }

        ok(good, cases[n].name);
    }

    free(data);
}


/* hiredis' own formatter says what a command must look like. */
static void
test_commands(void)
{
    char       *expected;
    bool        good;
    size_t      i, j, len, lens[MANY];
    uint8_t    *data;
    mpk_str_t   argv[MANY];
    const char *args[MANY];

    static char  bytes[100001];

    memset(bytes, '\r', sizeof(bytes));

    static const size_t  lengths[] = { 0, 1, 9, 10, 99, 100, 1000, 100000 };

    good = true;

    for (i = 0; i < 12; i++) {

        for (j = 0; j <= i; j++) {
            lens[j] = lengths[(i + j) % 8];
            args[j] = bytes;
            argv[j] = (mpk_str_t) { lens[j], (const uint8_t *) bytes };
        }

        len = ngx_mpk_redis_command_len(i + 1, argv);
        data = malloc(len);

        good = good
               && ngx_mpk_redis_command_write(data, i + 1, argv) == data + len
               && redisFormatCommandArgv(&expected, (int) i + 1, args, lens)
                  == (int) len
               && memcmp(data, expected, len) == 0;

        redisFreeCommand(expected);
        free(data);
    }

    ok(good, "commands are the bytes that hiredis would write");
}


static void
test_errors(void)
{
    bool                   good;
    size_t                 len;
    unsigned               i;
    mpk_buf_t              text;
    ngx_mpk_redis_error_t  error;

    static const char  *names[NGX_MPK_REDIS_ERR_MAX] = {
        [NGX_MPK_REDIS_ERR_NOSCRIPT] = "NOSCRIPT",
        [NGX_MPK_REDIS_ERR_LOADING] = "LOADING",
        [NGX_MPK_REDIS_ERR_READONLY] = "READONLY",
        [NGX_MPK_REDIS_ERR_MOVED] = "MOVED",
        [NGX_MPK_REDIS_ERR_ASK] = "ASK",
        [NGX_MPK_REDIS_ERR_CLUSTERDOWN] = "CLUSTERDOWN",
        [NGX_MPK_REDIS_ERR_MASTERDOWN] = "MASTERDOWN",
        [NGX_MPK_REDIS_ERR_TRYAGAIN] = "TRYAGAIN",
        [NGX_MPK_REDIS_ERR_OOM] = "OOM",
        [NGX_MPK_REDIS_ERR_MISCONF] = "MISCONF",
        [NGX_MPK_REDIS_ERR_NOREPLICAS] = "NOREPLICAS",
        [NGX_MPK_REDIS_ERR_NOAUTH] = "NOAUTH",
        [NGX_MPK_REDIS_ERR_WRONGPASS] = "WRONGPASS",
        [NGX_MPK_REDIS_ERR_NOPERM] = "NOPERM",
        [NGX_MPK_REDIS_ERR_BUSY] = "BUSY",
        [NGX_MPK_REDIS_ERR_TOOLARGE] = "TOOLARGE",
    };

    good = true;

    for (i = 1; i < NGX_MPK_REDIS_ERR_MAX; i++) {
        error = (ngx_mpk_redis_error_t) i;
        len = strlen(names[i]);

        mpk_buf_init(&text, &test_mem, 0);
        mpk_buf_put(&text, names[i], len);

        good = good && ngx_mpk_redis_error_find(mpk_buf_done(&text)) == error;

        mpk_buf_lit(&text, " and why");
        good = good && ngx_mpk_redis_error_find(mpk_buf_done(&text)) == error;

        text.data[len] = 'X';
        good = good
               && ngx_mpk_redis_error_find(mpk_buf_done(&text))
                  == NGX_MPK_REDIS_ERR_OTHER;
    }

    ok(good, "each error is found by its whole first word");

    ok(ngx_mpk_redis_error_find(mpk_string("")) == NGX_MPK_REDIS_ERR_OTHER
       && ngx_mpk_redis_error_find(mpk_string("ERR unknown")) == NGX_MPK_REDIS_ERR_OTHER
       && ngx_mpk_redis_error_find(mpk_string(" OOM")) == NGX_MPK_REDIS_ERR_OTHER
       && ngx_mpk_redis_error_find(mpk_string("oom")) == NGX_MPK_REDIS_ERR_OTHER,
       "an unknown error is OTHER");

    good = true;

    for (i = 0; i < NGX_MPK_REDIS_ERR_MAX; i++) {
        good = good
               && (ngx_mpk_redis_error_info((ngx_mpk_redis_error_t) i)->remedy
                   != NULL) == (i != NGX_MPK_REDIS_ERR_NOSCRIPT);
    }

    ok(good, "each error but NOSCRIPT has a remedy");

    ok(ngx_mpk_redis_error_info(NGX_MPK_REDIS_ERR_READONLY)->reconnect
       && ngx_mpk_redis_error_info(NGX_MPK_REDIS_ERR_LOADING)->reconnect
       && ngx_mpk_redis_error_info(NGX_MPK_REDIS_ERR_MASTERDOWN)->reconnect
       && ngx_mpk_redis_error_info(NGX_MPK_REDIS_ERR_NOAUTH)->reconnect
       && !ngx_mpk_redis_error_info(NGX_MPK_REDIS_ERR_NOSCRIPT)->reconnect
       && !ngx_mpk_redis_error_info(NGX_MPK_REDIS_ERR_OOM)->reconnect,
       "errors of the server's role end the connection, errors of a command do not");

    ok(ngx_mpk_redis_error_info(NGX_MPK_REDIS_ERR_MAX)
       == ngx_mpk_redis_error_info(NGX_MPK_REDIS_ERR_OTHER),
       "no row is read past the table");
}


int
main(void)
{
    test_replies();
    test_refused();
    test_caps_per_reply();
    test_lines();
    test_memory();
    test_dropped();
    test_large();
    test_commands();
    test_errors();

    return done_testing();
}
