/* What fuzzers need: memory that is freed after each input, and must(). */

#ifndef FUZZ_H
#define FUZZ_H

#include <stdlib.h>

#include "mpk.h"

#define must(condition)                                                      \
    if (!(condition)) { __builtin_trap(); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


typedef struct fuzz_block_s  fuzz_block_t;

struct fuzz_block_s {
    fuzz_block_t  *next;
    _Alignas(max_align_t) unsigned char  data[];
};

static fuzz_block_t  *fuzz_blocks;


/* Each allocation is a block of its own, so that AddressSanitizer checks its bounds. */
static void *
fuzz_alloc(void *ctx, size_t size)
{
    fuzz_block_t  *block;

    (void) ctx;

    block = malloc(sizeof(fuzz_block_t) + size);
    if (block == NULL) {
        return NULL;
    }

    block->next = fuzz_blocks;
    fuzz_blocks = block;

    return block->data;
}


__attribute__((unused))
static mpk_mem_t  fuzz_mem = { fuzz_alloc, NULL, false };


static inline void
fuzz_free_all(void)
{
    fuzz_block_t  *block;

    while (fuzz_blocks) {
        block = fuzz_blocks;
        fuzz_blocks = block->next;
        free(block);
    }
}


#endif /* FUZZ_H */
