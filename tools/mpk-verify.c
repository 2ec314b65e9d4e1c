/*
 * mpk-verify: verifies all orders in a Redis, as after a backup was restored, with the
 * code that nginx verifies them with.  It reads only, and prints no secret.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "mpk_bucket.h"
#include "mpk_envelope.h"
#include "mpk_journal.h"
#include "mpk_pack.h"
#include "redis.h"

#define KIDS_MAX   128       /* different key ids that are counted */
#define LINE_SIZE  256       /* bytes of a line of heads */


/* What is said of an order; all but the first two are faults. */
typedef enum {
    INTACT = 0,
    ERASED,
    ALTERED,
    MISSING,
    UNVERIFIABLE,
    NEWER,
    SEALED,
    STRAY,
    RESULT_MAX
} result_t;

static const char *const  results[] = {
    [INTACT] = "intact",
    [ERASED] = "erased",
    [ALTERED] = "altered",
    [MISSING] = "missing",
    [UNVERIFIABLE] = "unverifiable",
    [NEWER] = "newer",
    [SEALED] = "sealed",
    [STRAY] = "stray",
};

_Static_assert(sizeof(results) / sizeof(results[0]) == RESULT_MAX, "a word for each result");

typedef struct {
    mpk_use_t            use;
    char                 id[MPK_KID_MAX + 1];
    unsigned long        orders;
    unsigned long        last;           /* the order that was counted last */
} kid_t;

/* The head of a journal that was kept outside Redis. */
typedef struct {
    char                *order;
    unsigned long long   number;
    char                *mac;
} head_t;

typedef struct block_s  block_t;

struct block_s {
    block_t             *next;
    _Alignas(max_align_t) unsigned char  data[];
};


static block_t         *blocks;
static block_t         *kept;
static mpk_keyring_t    keyring;
static mpk_crypto_t    *crypto;
static redis_t         *redis;
static head_t          *heads;
static size_t           heads_count;
static kid_t            kids[KIDS_MAX];
static size_t           kids_count;
static unsigned long    counts[RESULT_MAX];
static unsigned long    orders;

/* options, NULL unless given */
static const char      *user;
static const char      *password;
static const char      *database;
static redis_tls_t      tls;


static void
usage(void)
{
    fputs("usage: mpk-verify [-u USER] [-p PASSWORD_FILE] [-n DB] [-a HEADS]\n"
          "                  [-c CA] [-i CLIENT] [-s NAME] REDIS KEYRING\n"
          "\n"
          "Verifies all orders in a Redis, and prints how many are intact and what is wrong\n"
          "with the others.  It exits with 0 if nothing is, with 1 otherwise.\n"
          "\n"
          "REDIS is unix:PATH, HOST:PORT or, with TLS, rediss://HOST:PORT; of a cluster any\n"
          "node, all masters are read.  CA is a file of trusted certificates, by default the\n"
          "system's; CLIENT one with a certificate and its key; NAME what the server's\n"
          "certificate must be for, by default HOST.\n"
          "\n"
          "HEADS is a file with lines \"ORDER N:MAC\", as $mpk_order and $mpk_journal_head give\n"
          "them: with it a rollback of a whole order is found, too.\n", stderr);
    exit(2);
}


static void
die(const char *what, const char *why)
{
    fprintf(stderr, "mpk-verify: %s: %s\n", what, why);
    exit(2);
}


static void *
allocate(void *ctx, size_t size)
{
    block_t  *block;

    (void) ctx;

    block = malloc(sizeof(block_t) + size);
    if (block == NULL) {
        return NULL;
    }

    block->next = blocks;
    blocks = block;

    return block->data;
}


static void
free_all(void)
{
    block_t  *block;

    while (blocks) {
        block = blocks;
        blocks = block->next;
        free(block);
    }
}


static mpk_mem_t  mem = { allocate, NULL, false };


static char *
read_file(const char *name, size_t max, size_t *len)
{
    char  *data;
    FILE  *file;

    file = fopen(name, "r");
    data = malloc(max + 1);

    if (file == NULL || data == NULL) {
        die(name, strerror(errno));
    }

    *len = fread(data, 1, max, file);
    data[*len] = '\0';

    if (ferror(file) || !feof(file)) {
        die(name, ferror(file) ? strerror(errno) : "is too large");
    }

    fclose(file);

    return data;
}


static void
open_keyring(const char *name)
{
    char         *data;
    size_t        len;
    mpk_error_t   error;

    data = read_file(name, MPK_KEYRING_MAX, &len);

    if (mpk_keyring_read(&mem, (uint8_t *) data, len, &keyring, &error) != MPK_OK) {
        die(name, error.text);
    }

    mpk_cleanse(data, len);
    free(data);

    /* its strings stay */

    kept = blocks;
    blocks = NULL;

    crypto = mpk_crypto_create(&keyring);
    if (crypto == NULL) {
        die(name, "OpenSSL could not allocate its contexts");
    }
}


static int
compare_heads(const void *a, const void *b)
{
    return strcmp(((const head_t *) a)->order, ((const head_t *) b)->order);
}


static void
open_heads(const char *name)
{
    char     line[LINE_SIZE], order[LINE_SIZE], mac[LINE_SIZE];
    FILE    *file;
    size_t   size;
    head_t  *head;
    unsigned long long  number;

    file = fopen(name, "r");
    if (file == NULL) {
        die(name, strerror(errno));
    }

    size = 0;

    while (fgets(line, sizeof(line), file)) {

        if (sscanf(line, "%255s %llu:%255s", order, &number, mac) != 3) {
            die(name, "a line is not \"ORDER N:MAC\"");
        }

        if (heads_count == size) {
            size = size ? 2 * size : 1024;
            heads = realloc(heads, size * sizeof(head_t));
            if (heads == NULL) {
                die(name, "no memory");
            }
        }

        head = &heads[heads_count++];
        head->order = strdup(order);
        head->mac = strdup(mac);
        head->number = number;
    }

    fclose(file);

    qsort(heads, heads_count, sizeof(head_t), compare_heads);
}


static redisReply *
command(const char *format, const char *data, size_t len)
{
    redisReply  *reply;
    const char  *error;

    reply = redis_command(redis, &error, format, data, len);

    if (reply == NULL) {
        die("Redis", error);
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        die("Redis", reply->str);
    }

    return reply;
}


static void
open_redis(const char *where)
{
    char        *secret;
    size_t       len;
    redisReply  *reply;
    const char  *error;

    redis_close(redis);

    redis = redis_open(where, &tls, &error);
    if (redis == NULL) {
        die(where, error);
    }

    if (password) {
        secret = read_file(password, 4096, &len);
        secret[strcspn(secret, "\r\n")] = '\0';

        reply = user ? redis_command(redis, &error, "AUTH %s %s", user, secret)
                     : redis_command(redis, &error, "AUTH %s", secret);

        if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
            die("Redis", reply ? reply->str : error);
        }

        mpk_cleanse(secret, len);
        free(secret);
        freeReplyObject(reply);
    }

    if (database) {
        freeReplyObject(command("SELECT %b", database, strlen(database)));
    }
}


static void
count_kid(mpk_use_t use, mpk_str_t id)
{
    size_t  i;

    for (i = 0; i < kids_count; i++) {
        if (kids[i].use == use && strlen(kids[i].id) == id.len
            && memcmp(kids[i].id, id.data, id.len) == 0)
        {
            kids[i].orders += (kids[i].last != orders);
            kids[i].last = orders;
            return;
        }
    }

    if (!mpk_kid_valid(id)) {
        return;
    }

    if (kids_count == KIDS_MAX) {
        die("Redis", "orders need more than 128 keys");
    }

    kids[kids_count].use = use;
    memcpy(kids[kids_count].id, id.data, id.len);
    kids[kids_count].last = orders;
    kids[kids_count++].orders = 1;
}


/* Each entry of a journal has been written with the key that was current then. */

static void
count_entries(const redisReply *reply)
{
    size_t             i;
    mpk_unpack_t       in;
    const redisReply  *name, *value;

    for (i = 0; i + 1 < reply->elements; i += 2) {
        name = reply->element[i];
        value = reply->element[i + 1];

        if (name->len > 1 && name->str[0] == 'e' && name->str[1] >= '0' && name->str[1] <= '9') {
            mpk_unpack_init(&in, (mpk_str_t) { value->len, (uint8_t *) value->str });
            count_kid(MPK_USE_JOURNAL, mpk_unpack_str(&in));
        }
    }
}


/* Entry n of the reply of HGETALL; data == NULL: there is none. */

static mpk_str_t *
entries_of(const redisReply *reply, const mpk_order_t *order)
{
    size_t               i, n;
    char                *end;
    mpk_str_t           *entries;
    const redisReply    *name, *value;

    n = (size_t) (order->revision - order->gone);
    entries = n <= reply->elements ? mpk_calloc(&mem, (n + 1) * sizeof(mpk_str_t)) : NULL;

    for (i = 0; entries && i + 1 < reply->elements; i += 2) {
        name = reply->element[i];
        value = reply->element[i + 1];

        if (name->len < 2 || name->str[0] != 'e') {
            continue;
        }

        n = strtoul(name->str + 1, &end, 10);

        if (*end == '\0' && n > order->gone && n <= order->revision) {
            entries[n - order->gone - 1] = (mpk_str_t) { value->len, (uint8_t *) value->str };
        }
    }

    return entries;
}


static result_t
verify_journal(const redisReply *reply, mpk_order_t *order, const char *id, uint64_t *entry)
{
    size_t         i;
    head_t         key, *head;
    mpk_str_t     *entries, none;
    mpk_chain_t    chain;

    static const result_t  verdicts[] = {
        [MPK_INTACT] = INTACT,
        [MPK_ALTERED] = ALTERED,
        [MPK_MISSING_ENTRY] = MISSING,
        [MPK_UNVERIFIABLE] = UNVERIFIABLE,
        [MPK_ERASED_ENTRIES] = ERASED,
    };

    mpk_assert_rows(verdicts, MPK_VERDICT_MAX);

    none = (mpk_str_t) { 0, NULL };
    entries = entries_of(reply, order);

    key.order = (char *) (uintptr_t) id;
    head = heads_count ? bsearch(&key, heads, heads_count, sizeof(head_t), compare_heads) : NULL;

    mpk_chain_init(&chain, order->id);

    if (order->state == MPK_ORDER_ERASED) {
        mpk_chain_erased(&chain, order->gone, order->gone_mac);
    }

    for (i = 0; i < order->revision - order->gone; i++) {
        if (mpk_chain_next(&chain, crypto, &mem, entries ? entries[i] : none) != MPK_OK) {
            die(id, "could not be verified");
        }

        if (entries == NULL) {
            break;
        }

        if (head) {
            mpk_chain_anchor(&chain, (mpk_str_t) { strlen(head->mac), (uint8_t *) head->mac },
                             head->number, order->gone + i + 1, entries[i]);
        }
    }

    mpk_chain_end(&chain, order->revision, order->mac);

    *entry = chain.fault;

    if (head && head->number > order->revision && chain.fault == 0) {
        *entry = head->number;
        return MISSING;
    }

    return verdicts[chain.verdict];
}


static result_t
verify_order(const redisReply *reply, mpk_str_t id, const char *name, uint64_t *entry)
{
    size_t           i, n;
    result_t         result;
    mpk_str_t        fields[MPK_ORDER_FIELDS], field;
    mpk_order_t      order;
    mpk_unpack_t     in;
    mpk_status_t     status;
    mpk_data_key_t   key;

    memset(fields, 0, sizeof(fields));

    for (i = 0; i + 1 < reply->elements; i += 2) {
        field = (mpk_str_t) { reply->element[i]->len, (uint8_t *) reply->element[i]->str };

        for (n = 0; n < MPK_ORDER_FIELDS; n++) {
            if (mpk_str_eq(field, mpk_order_field(n))) {
                fields[n] = (mpk_str_t) { reply->element[i + 1]->len, (uint8_t *) reply->element[i + 1]->str };
            }
        }
    }

    status = fields[MPK_ORDER_HEAD].data
             ? mpk_order_read(crypto, &mem, id, fields, MPK_ORDER_ALL, &order) : MPK_FORGED;

    switch (status) {

    case MPK_OK:
        break;

    case MPK_UNKNOWN:
        return UNVERIFIABLE;

    case MPK_NEWER:
        return NEWER;

    case MPK_FORGED:
        return ALTERED;

    default:
        die(name, mpk_status_text(status));
    }

    count_kid(MPK_USE_JOURNAL, order.kid);

    if (order.state != MPK_ORDER_ERASED) {
        mpk_unpack_init(&in, order.data_key);
        count_kid(MPK_USE_WRAP, mpk_unpack_str(&in));
    }

    result = verify_journal(reply, &order, name, entry);

    if (result != INTACT) {
        return result;
    }

    status = mpk_envelope_unwrap(crypto, &mem, id, order.data_key, &key);
    mpk_cleanse(&key, sizeof(key));

    return status == MPK_OK ? INTACT : SEALED;
}


static void
verify(const redisReply *key)
{
    char         id[LINE_SIZE];
    char        *start;
    uint64_t     entry;
    mpk_str_t    name, tag;
    result_t     result;
    redisReply  *reply;

    /* mpk:{xx}:o:ID */

    start = strstr(key->str, "}:o:");

    if (start == NULL || strlen(start + 4) >= sizeof(id)) {
        return;
    }

    (void) snprintf(id, sizeof(id), "%s", start + 4);

    name = (mpk_str_t) { strlen(id), (uint8_t *) id };

    if (!mpk_order_id_valid(name)) {
        return;
    }

    reply = command("HGETALL %b", key->str, key->len);

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements) {

        tag = mpk_bucket_tag(mpk_bucket(name));
        entry = 0;
        orders++;

        count_entries(reply);

        result = (size_t) (start - key->str) != 5 + tag.len
                 || memcmp(key->str + 5, tag.data, tag.len) != 0
                 ? STRAY : verify_order(reply, name, id, &entry);

        counts[result]++;

        if (result > ERASED) {
            printf("%s %s", results[result], id);

            if (entry) {
                printf(" entry %llu", (unsigned long long) entry);
            }

            putchar('\n');
        }
    }

    freeReplyObject(reply);
    free_all();
}


static void
verify_all(void)
{
    size_t       i;
    char         cursor[32];
    redisReply  *reply, *keys;

    (void) snprintf(cursor, sizeof(cursor), "0");

    do {
        reply = command("SCAN %b MATCH mpk:{??}:o:* COUNT 1000", cursor, strlen(cursor));
        keys = reply->elements == 2 ? reply->element[1] : NULL;

        if (keys == NULL) {
            die("Redis", "SCAN has an answer of its own");
        }

        for (i = 0; i < keys->elements; i++) {
            verify(keys->element[i]);
        }

        (void) snprintf(cursor, sizeof(cursor), "%s", reply->element[0]->str);
        freeReplyObject(reply);

    } while (strcmp(cursor, "0") != 0);
}


/* Which keys are current at edges that wrote to mpk:meta lately; it is on one node of a cluster. */

static void
print_edges(void)
{
    char         *p;
    size_t        i;
    redisReply   *reply, *name, *value;
    mpk_str_t     kid, edge;
    const char   *error;

    reply = redis_command(redis, &error, "HGETALL mpk:meta");

    for (i = 0; reply && reply->type == REDIS_REPLY_ARRAY && i + 1 < reply->elements; i += 2) {
        name = reply->element[i];
        value = reply->element[i + 1];

        if (strncmp(name->str, "e:", 2) != 0 || atoll(value->str) < (long long) time(NULL) - 600) {
            continue;
        }

        edge = (mpk_str_t) { name->len - 2, (uint8_t *) name->str + 2 };

        for (p = strchr(value->str, '*'); p; p = strchr(p, '*')) {
            p++;
            kid = (mpk_str_t) { strcspn(p, " "), (uint8_t *) p };

            if (mpk_kid_valid(kid) && mpk_order_id_valid(edge)) {
                printf("edge %.*s %.*s\n", (int) edge.len, (const char *) edge.data,
                       (int) kid.len, (const char *) kid.data);
            }
        }
    }

    freeReplyObject(reply);
}


/* The reply to CLUSTER SLOTS, of which each element has a node; all slots are in it. */

static redisReply *
read_slots(const char *where)
{
    long long    covered;
    size_t       i;
    redisReply  *slots, *range;

    slots = command("CLUSTER %b", "SLOTS", 5);
    covered = 0;

    for (i = 0; slots->type == REDIS_REPLY_ARRAY && i < slots->elements; i++) {
        range = slots->element[i];

        if (range->elements < 3 || range->element[2]->elements < 3) {
            die(where, "CLUSTER SLOTS has no nodes");
        }

        covered += range->element[1]->integer - range->element[0]->integer + 1;
    }

    if (covered != 16384) {
        die(where, "slots of the cluster have no master: not all orders can be read");
    }

    return slots;
}


/* A server by itself, or all masters of its cluster: one that has several ranges of slots once. */

static void
verify_nodes(const char *where)
{
    int          known;
    char         name[300];
    size_t       i, j;
    redisReply  *info, *slots, *after, **node;

    info = command("INFO %b", "cluster", 7);

    if (info->type != REDIS_REPLY_STRING || strstr(info->str, "cluster_enabled:1") == NULL) {
        freeReplyObject(info);
        verify_all();
        print_edges();
        return;
    }

    freeReplyObject(info);

    slots = read_slots(where);

    for (i = 0; i < slots->elements; i++) {

        node = slots->element[i]->element[2]->element;

        for (j = 0, known = 0; j < i; j++) {
            known |= strcmp(slots->element[j]->element[2]->element[2]->str, node[2]->str) == 0;
        }

        if (known) {
            continue;
        }

        (void) snprintf(name, sizeof(name), strchr(node[0]->str, ':') ? "%s[%s]:%lld" : "%s%s:%lld",
                        strncmp(where, "rediss://", 9) == 0 ? "rediss://" : "",
                        node[0]->str, node[1]->integer);

        open_redis(name);
        verify_all();
        print_edges();
    }

    after = read_slots(where);

    for (i = 0; i < slots->elements; i++) {
        if (after->elements != slots->elements
            || after->element[i]->element[0]->integer != slots->element[i]->element[0]->integer
            || strcmp(after->element[i]->element[2]->element[2]->str,
                      slots->element[i]->element[2]->element[2]->str) != 0)
        {
            die(where, "slots were moved meanwhile: run it again");
        }
    }

    freeReplyObject(slots);
    freeReplyObject(after);
}


int
main(int argc, char **argv)
{
    int          i, bad;
    size_t       k;
    const char  *where, *keys;

    where = NULL;
    keys = NULL;

    for (i = 1; i < argc; i++) {

        if (argv[i][0] == '-' && i + 1 < argc) {

            switch (argv[i][1]) {

            case 'u':
                user = argv[++i];
                break;

            case 'p':
                password = argv[++i];
                break;

            case 'n':
                database = argv[++i];
                break;

            case 'a':
                open_heads(argv[++i]);
                break;

            case 'c':
                tls.ca = argv[++i];
                break;

            case 'i':
                tls.client = argv[++i];
                break;

            case 's':
                tls.name = argv[++i];
                break;

            default:
                usage();
            }

        } else if (argv[i][0] == '-' || keys) {
            usage();

        } else if (where) {
            keys = argv[i];

        } else {
            where = argv[i];
        }
    }

    if (keys == NULL) {
        usage();
    }

    open_keyring(keys);
    open_redis(where);
    verify_nodes(where);

    printf("orders %lu\n", orders);

    for (i = 0, bad = 0; i < RESULT_MAX; i++) {
        printf("%s %lu\n", results[i], counts[i]);
        bad |= i > ERASED && counts[i];
    }

    for (k = 0; k < kids_count; k++) {
        printf("key %s %s %lu\n", mpk_use_name(kids[k].use), kids[k].id, kids[k].orders);
    }

    redis_close(redis);
    mpk_crypto_free(crypto);
    mpk_cleanse(&keyring, sizeof(keyring));

    blocks = kept;
    free_all();

    return bad;
}
