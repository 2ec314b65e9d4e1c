/* The slots of a Redis Cluster: of keys, in redirects, in CLUSTER SLOTS; the 64 tags' own. */

#include "mpk_bucket.h"
#include "ngx_mpk_redis_slots.h"
#include "test.h"


static unsigned
slot(const char *name, const char *one, const char *two, const char *three)
{
    size_t       argc;
    mpk_str_t    argv[4];
    const char  *words[] = { name, one, two, three };

    for (argc = 0; argc < 4 && words[argc]; argc++) {
        argv[argc] = (mpk_str_t) { strlen(words[argc]),
                                   (const uint8_t *) words[argc] };
    }

    return ngx_mpk_redis_slot(argc, argv);
}


static void
test_keys(void)
{
    /* the specification's examples, and what CLUSTER KEYSLOT says */

    ok(mpk_crc16((const uint8_t *) "123456789", 9) == 0x31c3, "CRC16 of the specification");
    ok(slot("GET", "foo", NULL, NULL) == 12182, "a key's slot");
    ok(slot("GET", "{user1000}.following", NULL, NULL)
       == slot("GET", "{user1000}.followers", NULL, NULL), "what is in braces counts alone");
    ok(slot("GET", "user1000", NULL, NULL) == slot("GET", "{user1000}.x", NULL, NULL), "as if it were the key");
    ok(slot("GET", "foo{}{bar}", NULL, NULL) == 8363, "empty braces count for nothing");
    ok(slot("GET", "foo{{bar}}zap", NULL, NULL) == slot("GET", "{bar", NULL, NULL), "the first brace opens");
    ok(slot("GET", "foo{bar}{zap}", NULL, NULL) == slot("GET", "bar", NULL, NULL), "the first pair counts");
    ok(slot("GET", "foo{bar", NULL, NULL) != slot("GET", "bar", NULL, NULL), "a brace that is not closed does not");
    ok(slot("EVALSHA", "sha", "2", "foo") == 12182, "a script's first key");
    ok(slot("eval", "return 1", "1", "foo") == 12182, "in either case");
    ok(slot("PING", NULL, NULL, NULL) == 0 && slot("GET", "", NULL, NULL) == 0
       && slot("EVAL", "return 1", "0", NULL) == 0, "no key: the first slot");
}


/* Buckets are spread evenly over any number of nodes with equal shares of the slots */

static void
test_tags(void)
{
    unsigned   i, k, masters, least, most, count[64], own;
    mpk_str_t  tag;

    static const unsigned  sizes[] = { 3, 6, 16, 64 };

    own = 0;

    for (i = 0; i < MPK_BUCKETS; i++) {
        tag = mpk_bucket_tag(i);
        own += mpk_crc16(tag.data, tag.len) % NGX_MPK_REDIS_SLOTS / 256 == i;
    }

    ok(own == MPK_BUCKETS, "each of the 64 tags has 256 slots of its own");

    for (k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
        masters = sizes[k];
        memset(count, 0, sizeof(count));

        for (i = 0; i < MPK_BUCKETS; i++) {
            tag = mpk_bucket_tag(i);
            count[mpk_crc16(tag.data, tag.len) % NGX_MPK_REDIS_SLOTS * masters
                  / NGX_MPK_REDIS_SLOTS]++;
        }

        least = MPK_BUCKETS;
        most = 0;

        for (i = 0; i < masters; i++) {
            least = count[i] < least ? count[i] : least;
            most = count[i] > most ? count[i] : most;
        }

        printf("# %u masters: %u to %u buckets each\n", masters, least, most);
        ok(most - least <= (MPK_BUCKETS % masters ? 1 : 0), "they spread evenly over the masters");
    }
}


static bool
moved(const char *text, unsigned first, const char *host, unsigned port)
{
    ngx_mpk_redis_range_t  range;

    return ngx_mpk_redis_range_moved((mpk_str_t) { strlen(text), (const uint8_t *) text }, &range)
           == MPK_OK
           && range.first == first && range.last == first && range.port == port
           && mpk_str_eq(range.host, (mpk_str_t) { strlen(host), (const uint8_t *) host });
}


static void
test_moved(void)
{
    size_t                 i;
    mpk_str_t              text;
    ngx_mpk_redis_range_t  range;

    static const char  *bad[] = {
        "", "MOVED", "MOVED ", "MOVED 1", "MOVED 1 ", "MOVED x 127.0.0.1:1", "MOVED 16384 127.0.0.1:1",
        "MOVED 99999999999999999999 127.0.0.1:1", "MOVED -1 127.0.0.1:1", "MOVED  1 127.0.0.1:1",
        "MOVED 1 127.0.0.1", "MOVED 1 127.0.0.1:", "MOVED 1 127.0.0.1:0", "MOVED 1 127.0.0.1:65536",
        "MOVED 1 127.0.0.1:12x", "MOVED 1 a\tb:1"
    };

    ok(moved("MOVED 3999 127.0.0.1:6381", 3999, "127.0.0.1", 6381), "MOVED");
    ok(moved("ASK 0 10.0.0.1:1", 0, "10.0.0.1", 1), "ASK, the first slot");
    ok(moved("MOVED 16383 ::1:65535", 16383, "::1", 65535), "IPv6, the last slot");
    ok(moved("MOVED 1 redis-1.example:6379", 1, "redis-1.example", 6379), "a name");
    ok(moved("MOVED 1 :6379", 1, "", 6379), "the same host");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        text = (mpk_str_t) { strlen(bad[i]), (const uint8_t *) bad[i] };
        ok(ngx_mpk_redis_range_moved(text, &range) == MPK_MALFORMED, bad[i]);
    }
}


/* One range of CLUSTER SLOTS, as Redis writes it. */
static mpk_status_t
range_of(const char *bytes, ngx_mpk_redis_range_t *range)
{
    mpk_status_t             status;
    ngx_mpk_redis_reply_t   *reply;
    ngx_mpk_redis_parser_t  *parser;

    parser = ngx_mpk_redis_parser_create();
    ngx_mpk_redis_parser_set_mem(parser, &test_mem);

    status = ngx_mpk_redis_parser_feed(parser, (const uint8_t *) bytes, strlen(bytes));

    if (status == MPK_OK) {
        status = ngx_mpk_redis_parser_next(parser, &reply);
    }

    status = status == MPK_OK && reply ? ngx_mpk_redis_range_read(reply, range) : MPK_NOMEM;

    ngx_mpk_redis_parser_free(parser);

    return status;
}


static void
test_ranges(void)
{
    size_t                 i;
    ngx_mpk_redis_range_t  range;

    static const char  *bad[] = {
        ":1\r\n", "*0\r\n", "*2\r\n:0\r\n:5\r\n",
        "*3\r\n:0\r\n:5\r\n+OK\r\n", "*3\r\n:0\r\n:5\r\n*0\r\n",
        "*3\r\n:6\r\n:5\r\n*2\r\n$2\r\n::\r\n:1\r\n",
        "*3\r\n:-1\r\n:5\r\n*2\r\n$2\r\n::\r\n:1\r\n",
        "*3\r\n:0\r\n:16384\r\n*2\r\n$2\r\n::\r\n:1\r\n",
        "*3\r\n:0\r\n:5\r\n*2\r\n$2\r\n::\r\n:0\r\n",
        "*3\r\n:0\r\n:5\r\n*2\r\n$2\r\n::\r\n:65536\r\n",
        "*3\r\n:0\r\n:5\r\n*2\r\n:1\r\n:1\r\n",
        "*3\r\n:0\r\n:5\r\n*2\r\n$2\r\n::\r\n$1\r\n1\r\n",
        "*3\r\n$1\r\n0\r\n:5\r\n*2\r\n$2\r\n::\r\n:1\r\n",
        "*3\r\n:0\r\n:0\r\n*2\r\n$1\r\n?\r\n:1\r\n",
        "*3\r\n:0\r\n:0\r\n*2\r\n$3\r\na\nb\r\n:1\r\n",
    };

    ok(range_of("*4\r\n:0\r\n:5460\r\n*4\r\n$9\r\n127.0.0.1\r\n:7000\r\n$2\r\nid\r\n*0\r\n"
                "*3\r\n$9\r\n127.0.0.1\r\n:7003\r\n$2\r\nid\r\n", &range) == MPK_OK
       && range.first == 0 && range.last == 5460 && range.port == 7000
       && mpk_str_eq(range.host, mpk_string("127.0.0.1")) && range.ip.len == 0, "a range, its master");

    ok(range_of("*3\r\n:0\r\n:0\r\n*4\r\n$1\r\nh\r\n:1\r\n$2\r\nid\r\n*4\r\n$1\r\na\r\n$1\r\nb\r\n"
                "$2\r\nip\r\n$7\r\n1.2.3.4\r\n", &range) == MPK_OK
       && mpk_str_eq(range.host, mpk_string("h")) && mpk_str_eq(range.ip, mpk_string("1.2.3.4")),
       "a name, and its address");

    ok(range_of("*3\r\n:0\r\n:0\r\n*2\r\n$-1\r\n:1\r\n", &range) == MPK_OK && range.host.len == 0, "no host");
    ok(range_of("*3\r\n:0\r\n:0\r\n*2\r\n$0\r\n\r\n:1\r\n", &range) == MPK_OK && range.host.len == 0, "an empty one");
    ok(range_of("*3\r\n:0\r\n:0\r\n*4\r\n$1\r\n?\r\n:1\r\n$2\r\nid\r\n*2\r\n$2\r\nip\r\n$7\r\n1.2.3.4\r\n", &range)
       == MPK_OK && mpk_str_eq(range.host, mpk_string("1.2.3.4")), "no name where one is preferred: its address");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(range_of(bad[i], &range) == MPK_MALFORMED, "an invalid range");
    }
}


int
main(void)
{
    test_keys();
    test_tags();
    test_moved();
    test_ranges();

    return done_testing();
}
