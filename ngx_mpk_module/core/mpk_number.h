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
 * The ids of orders that UTF-8 text can mean: one of its words, without full stops and
 * dashes around it, also in capitals and in small letters.  The word is the last one that has a digit, or,
 * if none has, the last one.  false: there is none.
 */
bool mpk_number_read(mpk_str_t text, mpk_number_t *number);

/*
 * The name by which lookups of an order are counted, in bytes: the same for all ids that are
 * meant by one text.
 */
mpk_str_t mpk_number_counted(mpk_str_t id, uint8_t bytes[MPK_NUMBER_ID_LEN]);


#endif /* MPK_NUMBER_H */
