/* What unit tests need: ok(condition, name), memory that is freed at exit, the plan. */

#ifndef TEST_H
#define TEST_H

#include <stdio.h>
#include <stdlib.h>
#include "mpk.h"


typedef struct test_block_s  test_block_t;

struct test_block_s {
    test_block_t  *next;
    _Alignas(max_align_t) unsigned char  data[];
};

static test_block_t  *test_blocks;
static unsigned       test_count, test_failed;


/* Each allocation is a block of its own, so that AddressSanitizer checks its bounds. */
static void *
test_alloc(void *ctx, size_t size)
{
    test_block_t  *block;

    (void) ctx;

    block = malloc(sizeof(test_block_t) + size);
    if (block == NULL) {
        return NULL;
    }

    block->next = test_blocks;
    test_blocks = block;

    return block->data;
}


__attribute__((unused))
static mpk_mem_t  test_mem = { test_alloc, NULL, false };


static void
test_free_all(void)
{
    test_block_t  *block;

    while (test_blocks) {
        block = test_blocks;
        test_blocks = block->next;
        free(block);
    }
}


/* Text as the name of a test: what is not printable ASCII as \xNN, valid until exit. */

__attribute__((unused))
static const char *
test_shown(const char *text)
{
    char        *shown, *p;
    const char  *t;

    shown = test_alloc(NULL, 4 * strlen(text) + 1);
    p = shown;

    for (t = text; *t; t++) {
        p += sprintf(p, *t >= ' ' && *t < 0x7f && *t != '#' ? "%c" : "\\x%02x", (unsigned char) *t);
    }

    *p = '\0';

    return shown;
}


static void
test_ok(int good, const char *file, int line, const char *name)
{
    test_count++;

    printf("%sok %u - %s\n", good ? "" : "not ", test_count, name);

    if (!good) {
        test_failed++;
        printf("#   failed at %s:%d\n", file, line);
    }
}

#define ok(condition, name)  test_ok((condition) ? 1 : 0, __FILE__, __LINE__, name)


/* TAP's plan; the exit code of main(). */
static int
done_testing(void)
{
    test_free_all();
    printf("1..%u\n", test_count);

    return test_failed ? 1 : 0;
}


#endif /* TEST_H */
