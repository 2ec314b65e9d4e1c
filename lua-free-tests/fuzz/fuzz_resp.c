/*
 * Redis' replies: the same input gives the same replies for any pieces, nothing over the
 * limits is allocated, and replies that are written again are the bytes that were read.
 *
 * The first byte selects the sizes of the pieces, the rest comes from the socket.
 */

#include <stdlib.h>

#include "ngx_mpk_redis_resp.h"
#include "ngx_mpk_redis_slots.h"


#define ARENA  (64 * 1024 * 1024)

#define must(condition)                                                      \
    if (!(condition)) { __builtin_trap(); }


typedef struct block_s  block_t;

struct block_s {
    block_t  *next;
    _Alignas(max_align_t) unsigned char  data[];
};


static block_t  *blocks;
static size_t    used;


static void *
block_alloc(void *ctx, size_t size)
{
    block_t  *block;

    (void) ctx;

    used += size;
    must(used < ARENA);

    block = malloc(sizeof(block_t) + size);
    if (block == NULL) {
        return NULL;
    }

    block->next = blocks;
    blocks = block;

    return block->data;
}


static mpk_mem_t  mem = { block_alloc, NULL, false };


static void
block_free_all(void)
{
    block_t  *block;

    while (blocks) {
        block = blocks;
        blocks = block->next;
        free(block);
    }

    used = 0;
}


/* Writes a reply as Redis would, and adds up what is limited. */
static void
write_reply(mpk_buf_t *buf, const ngx_mpk_redis_reply_t *reply, size_t depth,
    size_t *elements, size_t *bytes)
{
    size_t                 i;
    ngx_mpk_redis_range_t  range;

    *bytes += reply->str.len;

    switch (reply->type) {

    case NGX_MPK_REDIS_NIL:
        mpk_buf_lit(buf, "$-1");
        break;

    case NGX_MPK_REDIS_STRING:
        mpk_buf_byte(buf, '$');
        mpk_buf_int(buf, (int64_t) reply->str.len);
        mpk_buf_lit(buf, "\r\n");
        mpk_buf_str(buf, reply->str);
        break;

    case NGX_MPK_REDIS_STATUS:
    case NGX_MPK_REDIS_ERROR:
        must(reply->str.len <= NGX_MPK_REDIS_LINE_MAX);
        mpk_buf_byte(buf, reply->type == NGX_MPK_REDIS_STATUS ? '+' : '-');
        mpk_buf_str(buf, reply->str);

        if (reply->type == NGX_MPK_REDIS_ERROR) {
            must(ngx_mpk_redis_error_find(reply->str) < NGX_MPK_REDIS_ERR_MAX);

            if (ngx_mpk_redis_range_moved(reply->str, &range) == MPK_OK) {
                must(range.host.data + range.host.len < reply->str.data + reply->str.len);
                must(range.last < NGX_MPK_REDIS_SLOTS && range.port - 1 < 65535);
            }
        }

        break;

    case NGX_MPK_REDIS_INTEGER:
        mpk_buf_byte(buf, ':');
        mpk_buf_int(buf, reply->integer);
        break;

    case NGX_MPK_REDIS_ARRAY:
        must(depth < NGX_MPK_REDIS_DEPTH_MAX);
        must((reply->count == 0) == (reply->elements == NULL));

        if (ngx_mpk_redis_range_read(reply, &range) == MPK_OK) {
            must(range.first <= range.last && range.last < NGX_MPK_REDIS_SLOTS);
            must(range.host.len <= NGX_MPK_REDIS_HOST_MAX && range.port - 1 < 65535);
        }

        *elements += reply->count;

        mpk_buf_byte(buf, '*');
        mpk_buf_int(buf, (int64_t) reply->count);
        mpk_buf_lit(buf, "\r\n");

        for (i = 0; i < reply->count; i++) {
            write_reply(buf, &reply->elements[i], depth + 1, elements, bytes);
        }

        return;
    }

    mpk_buf_lit(buf, "\r\n");
}


static bool
parse(const uint8_t *data, size_t len, size_t portion, bool drop,
    mpk_buf_t *buf, size_t *count)
{
    size_t                   n, elements, bytes;
    mpk_status_t             status;
    ngx_mpk_redis_reply_t   *reply;
    ngx_mpk_redis_parser_t  *parser;

    mpk_buf_init(buf, &mem, 0);
    *count = 0;

    parser = ngx_mpk_redis_parser_create();
    must(parser != NULL);

    status = MPK_OK;

    while (len && status == MPK_OK) {
        n = portion && portion < len ? portion : len;

        status = ngx_mpk_redis_parser_feed(parser, data, n);

        data += n;
        len -= n;

        while (status == MPK_OK) {
            ngx_mpk_redis_parser_set_mem(parser, drop ? NULL : &mem);

            status = ngx_mpk_redis_parser_next(parser, &reply);
            must(status == MPK_OK || reply == NULL);

            if (reply == NULL) {
                break;
            }

            (*count)++;

            elements = 0;
            bytes = 0;

            if (!drop) {
                write_reply(buf, reply, 0, &elements, &bytes);
            }

            must(elements <= NGX_MPK_REDIS_ELEMENTS_MAX);
            must(bytes <= NGX_MPK_REDIS_BYTES_MAX);
        }
    }

    must(status == MPK_OK || status == MPK_MALFORMED || status == MPK_LIMIT);

    ngx_mpk_redis_parser_free(parser);

    return status == MPK_OK;
}


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    bool       good, again;
    size_t     count, n;
    mpk_buf_t  whole, parts;

    if (len == 0) {
        return 0;
    }

    good = parse(data + 1, len - 1, 0, false, &whole, &count);
    again = parse(data + 1, len - 1, (size_t) data[0] + 1, false, &parts, &n);

    must(good == again && count == n);
    must(mpk_str_eq(mpk_buf_done(&whole), mpk_buf_done(&parts)));

    must(parse(data + 1, len - 1, 0, true, &parts, &n) == good && count == n);

    must(whole.len <= len - 1);

    for (n = 0; n < whole.len; n++) {

        /* a nil has two forms */

        must(whole.data[n] == data[1 + n]
             || (data[1 + n] == '*' && whole.len - n >= 5
                 && memcmp(&whole.data[n], "$-1\r\n", 5) == 0));
    }

    block_free_all();

    return 0;
}
