/* The number of an order as people type it. */

#ifndef MPK_NUMBER_H
#define MPK_NUMBER_H

#include "mpk.h"

#define MPK_NUMBER_MAX     256    /* bytes of which an order's number is looked for */
#define MPK_NUMBER_IDS     4
#define MPK_NUMBER_ID_LEN  64     /* bytes of an order id */


typedef struct {
    size_t     count;                /* 1..MPK_NUMBER_IDS */
    mpk_str_t  ids[MPK_NUMBER_IDS];   /* different ones; the first is nearest to what was typed */
    uint8_t    bytes[MPK_NUMBER_IDS][MPK_NUMBER_ID_LEN];
} mpk_number_t;


/*
 * Lists the order ids that a visitor may have meant by this UTF-8 text: its last word with a
 * digit (or, without any digit, its last word) as typed, without punctuation around it, in
 * capitals, and in small letters.  false: the text has no such word.
 */
bool mpk_number_read(mpk_str_t text, mpk_number_t *number);

/*
 * The name under which lookups of this id are counted: the same for all ids that one text
 * may mean.  It is written to bytes.
 */
mpk_str_t mpk_number_counted(mpk_str_t id, uint8_t bytes[MPK_NUMBER_ID_LEN]);


#endif /* MPK_NUMBER_H */
