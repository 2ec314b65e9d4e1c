/*
 * Finds the item of an order by a product key that a person typed or pasted (R6).  An exact
 * match comes first; otherwise both keys are folded: ASCII letters to lower case, blanks and
 * dashes dropped, including those that phones, mail clients and word processors insert.
 */

#ifndef MPK_TYPED_H
#define MPK_TYPED_H

#include "mpk.h"


typedef struct {
    mpk_str_t    exact;              /* without CR, and without blanks around it */
    mpk_str_t    folded;
    uint8_t     *scratch;            /* for keys of up to "max" bytes, one after the other */
    size_t       max;

    size_t       same;               /* the first item with exactly this key; 0: none yet */
    size_t       alike;              /* the latest whose key folds to the same */
    size_t       alike_count;
} mpk_typed_t;


/* Prepares to compare a text with keys of up to max bytes; MPK_NOMEM. */
mpk_status_t mpk_typed_init(mpk_mem_t *mem, mpk_str_t text, size_t max,
    mpk_typed_t *typed);

/*
 * Compares with the key of the next item, in constant time, and cleanses its copy.  A key
 * longer than max bytes never matches.
 */
void mpk_typed_compare(mpk_typed_t *typed, size_t item, mpk_str_t key);

/*
 * The result, after all items were compared: the first exact match, or else the only item
 * whose folded key is equal; 0: none, or more than one.
 */
size_t mpk_typed_item(const mpk_typed_t *typed);

/*
 * Reads one character of UTF-8 text, of len > 0 bytes, as ASCII: any dash is "-", any blank
 * " ", fullwidth forms are the usual ones, what is invisible is 0, and all else beyond ASCII
 * is 0xff.  Returns how many bytes it has.
 */
size_t mpk_typed_char(const uint8_t *p, size_t len, uint8_t *ch);

/* Folds a text into out, which has room for as many bytes; the length. */
size_t mpk_typed_fold(mpk_str_t text, uint8_t *out);


#endif /* MPK_TYPED_H */
