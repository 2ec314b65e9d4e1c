/*
 * An order as the shop files it (PUT /orders/{id}, or a line of a file of orders):
 * validated, then sealed as it will be stored.
 */

#ifndef MPK_FILING_H
#define MPK_FILING_H

#include "mpk_checkout.h"
#include "mpk_envelope.h"
#include "mpk_order.h"
#include "mpk_value.h"

#define MPK_FILING_TEXT_MAX  255     /* bytes of a short text member */
#define MPK_FITS_BYTES_MAX   (256 * 1024)    /* of what all items of an order fit */

/* Seconds: a shop's clock can be wrong, and local times are sent as if they were UTC. */
#define MPK_FILING_AHEAD     (24 * 60 * 60)


typedef struct {
    mpk_str_t              sku;
    mpk_str_t              product;
    mpk_str_t              key;              /* in clear */
    mpk_str_t              fit[MPK_FIT_MAX]; /* empty: not said */
} mpk_filing_item_t;

typedef struct {
    mpk_str_t              id;
    mpk_person_t           person;           /* email set; account may be empty */
    mpk_str_t              locale;           /* may be empty */
    int64_t                purchased_at;     /* seconds */
    mpk_order_state_t      state;            /* HELD or READY */
    mpk_checkout_t         checkout;
    size_t                 items_count;      /* 1..MPK_ITEMS_MAX */
    mpk_filing_item_t     *items;

    /* an order of the shop's past: on its word */
    bool                   imported;
    int64_t                delivered_at;     /* 0: it was not */
    int64_t                first_viewed_at;
} mpk_filing_t;


/* Members of an item, see docs/openapi.yaml. */
#define MPK_FILING_ITEM_MEMBERS  (3 + MPK_FIT_MAX)


/* What the times of a filing are compared with, in seconds. */
typedef struct {
    int64_t                expired;          /* a purchase then or before is refused; 0: none is */
    int64_t                now;
    int64_t                latest;           /* what is after this is in the future */
} mpk_filing_times_t;


/*
 * Reads a filing from body; strings refer to it.  id is the order's; if it is empty, the
 * member "order" is required and gives it.
 *
 * MPK_OK: filing is complete and *errors is NULL, or *errors says what is wrong (see
 * mpk_errors.h) and filing must not be used.  The only other result is MPK_NOMEM.
 */
mpk_status_t mpk_filing_read(mpk_mem_t *mem, const mpk_value_t *body, mpk_str_t id,
    const mpk_filing_times_t *times, mpk_filing_t *filing, mpk_value_t **errors);

/*
 * Hashes and seals a filing into order, in mem, for MPK_EVENT_FILED or MPK_EVENT_IMPORTED.
 * key gets the new data key; mpk_cleanse() it afterwards.  Plain text is written to scratch only, which
 * may be dropped on return.
 *
 * index gets the hash of the account that the order is listed under: the filing's, or,
 * if it has none, the account that is named as its email.
 *
 * Errors: MPK_NOMEM, MPK_CRYPTO, MPK_UNKNOWN (no lookup or wrap key).
 */
mpk_status_t mpk_filing_seal(mpk_crypto_t *crypto, mpk_mem_t *mem,
    mpk_mem_t *scratch, const mpk_filing_t *filing, mpk_order_t *order,
    mpk_data_key_t *key, uint8_t index[MPK_MAC_LEN]);


#endif /* MPK_FILING_H */
