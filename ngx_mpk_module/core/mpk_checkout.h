/*
 * What the customer accepted at the checkout, on the shop's word: the terms, and the
 * consents if the checkout asked for them.  Filed with the order, and sealed.
 */

#ifndef MPK_CHECKOUT_H
#define MPK_CHECKOUT_H

#include "mpk_value.h"

#define MPK_VERSION_MAX  255         /* bytes of the terms' version */


typedef struct {
    mpk_str_t    version;            /* empty: no terms were filed */
    mpk_str_t    url;
    int64_t      accepted_at;        /* seconds, as all times */
    mpk_str_t    ip;
    mpk_str_t    sha256;             /* of the document, in lower case; empty: not said */
} mpk_terms_t;

typedef struct {
    int64_t      at;                 /* 0: none were filed */
    bool         supply;
    bool         waiver;
    mpk_str_t    ip;
    mpk_str_t    text_sha256;        /* of the words, in lower case */
    int64_t      confirmed_at;       /* on a durable medium; 0: not said */
} mpk_consents_t;

typedef struct {
    bool            business;        /* the buyer is no consumer; not written, see mpk_order_t */
    mpk_terms_t     terms;
    mpk_consents_t  consents;
} mpk_checkout_t;


/*
 * Reads the members "terms" and "consents" of a filing; times after latest are in the
 * future.  Strings refer to body, or are in mem.  false: something is wrong, and *errors
 * says what, unless there was no memory for it (see mpk_errors.h).
 */
bool mpk_checkout_file(mpk_mem_t *mem, const mpk_value_t *body, int64_t latest,
    mpk_checkout_t *checkout, mpk_value_t **errors);

/* Both consents were given. */
bool mpk_checkout_consented(const mpk_checkout_t *checkout);

/*
 * Writes terms and consents, if they were filed.  Reading leaves "business" as it is;
 * MPK_MALFORMED: mpk_checkout_write() did not write them.
 */
void mpk_checkout_write(const mpk_checkout_t *checkout, mpk_buf_t *out);
mpk_status_t mpk_checkout_read(mpk_str_t in, mpk_checkout_t *checkout);

/* Adds "terms" and "consents" to facts if they were filed, and "buyer" if it is a business. */
void mpk_checkout_show(mpk_mem_t *mem, const mpk_checkout_t *checkout,
    mpk_value_t *facts);


#endif /* MPK_CHECKOUT_H */
