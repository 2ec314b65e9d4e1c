/*
 * Corrections of an order's billing email: each holds from a time on, unless it was stopped
 * before.  Stored in the order's head, with the address sealed.
 */

#ifndef MPK_CORRECTION_H
#define MPK_CORRECTION_H

#include "mpk_envelope.h"
#include "mpk_pack.h"

#define MPK_CORRECTIONS_MAX  10      /* per order, all kept: each has an entry in an index */
#define MPK_CORRECTIONS_HELD  8      /* after so many only the shop's own, which hold at once */


/* Numbered by its position in the order's list, from 1; 0 stands for the address as filed. */
typedef struct {
    int64_t      at;                 /* when it was asked for; seconds */
    int64_t      from;               /* when it holds */
    bool         stopped;            /* before that: it never holds */
    bool         show_viewed;        /* what was viewed under another address, too */
    mpk_str_t    hash;               /* of the address: see mpk_lookup_email() */
    mpk_str_t    email;              /* sealed */
} mpk_correction_t;


/* The number of the correction in force; 0: the address as filed. */
size_t mpk_correction_holds(const mpk_correction_t *list, size_t count,
    int64_t now);

/* The number of the pending correction; 0: none is pending. */
size_t mpk_correction_pending(const mpk_correction_t *list, size_t count,
    int64_t now);

/* Reads a list into mem; strings refer to the value. */
mpk_status_t mpk_corrections_read(mpk_mem_t *mem, mpk_unpack_t *in,
    mpk_correction_t **list, size_t *count);
void mpk_corrections_write(const mpk_correction_t *list, size_t count,
    mpk_buf_t *out);

/* Seals the address of correction "number" of an order, and opens it; see mpk_envelope.h. */
mpk_status_t mpk_correction_seal(mpk_crypto_t *crypto, mpk_mem_t *mem,
    const mpk_data_key_t *key, mpk_str_t order, size_t number,
    mpk_str_t email, mpk_str_t *sealed);
mpk_status_t mpk_correction_open(mpk_crypto_t *crypto, mpk_mem_t *mem,
    const mpk_data_key_t *key, mpk_str_t order, size_t number,
    mpk_str_t sealed, mpk_str_t *email);


#endif /* MPK_CORRECTION_H */
