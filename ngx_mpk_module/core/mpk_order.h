/*
 * An order as the rules see it, and as it lies in Redis: a hash of four fields.
 *
 *   h  the head: all that an event may change.  It begins with the revision (how many
 *      entries its journal has) and a blank, by which the script knows that nobody
 *      wrote in between, and ends with the ids of its journal entries in the bucket's
 *      stream, a blank behind each, where the script adds the next one.
 *   f  what filing fixed: times, keyed hashes, the wrapped data key, the person
 *   i  the items: SKU, product, sealed key
 *   c  its claims, if there are any
 *
 * Of an order that was erased there is h alone.
 */

#ifndef MPK_ORDER_H
#define MPK_ORDER_H

#include "mpk_claim.h"
#include "mpk_token.h"

#define MPK_ITEMS_MAX       500
#define MPK_KEY_MAX         4096            /* bytes of one product key */
#define MPK_KEYS_BYTES_MAX  (256 * 1024)    /* of an order's product keys */
#define MPK_LINKS_MAX       256             /* tokens that one order remembers */
#define MPK_ID_LEN          16              /* a token id or nonce, as stored */
#define MPK_ORDER_FIELDS    4               /* h, f, i, c */


typedef enum {
    MPK_ORDER_ABSENT = 0,
    MPK_ORDER_HELD,
    MPK_ORDER_READY,
    MPK_ORDER_CANCELLED,
    MPK_ORDER_ERASED,
    MPK_ORDER_STATE_MAX
} mpk_order_state_t;

typedef enum {
    MPK_ITEM_NEW = 0,            /* never shown */
    MPK_ITEM_VIEWED,
    MPK_ITEM_REFUNDED,           /* never shown again (R7) */
    MPK_ITEM_STATE_MAX
} mpk_item_state_t;


typedef struct {
    /* field h */
    mpk_item_state_t    state;
    uint64_t            generation;         /* 1: as filed; a replacement has the next */
    uint64_t            since;              /* the revision that brought this generation */
    int64_t             viewed_at;

    /* field i */
    mpk_str_t           sku;
    mpk_str_t           product;
    mpk_str_t           key;                /* sealed */
} mpk_item_t;


/* A token that the order remembers: handed out, opened or used. */
typedef struct {
    uint8_t             id[MPK_ID_LEN];
    int64_t             iat;
    int64_t             exp;
    bool                delivered;          /* minted or registered for an email */
    uint64_t            opened;             /* journaled GETs */
    int64_t             used_at;            /* 0: not used */
    uint64_t            used_revision;
    uint8_t             nonce[MPK_ID_LEN];  /* hash of the confirmation's nonce */
    size_t              items_count;        /* 0: all */
    const uint16_t     *items;
} mpk_link_t;


typedef struct {
    mpk_str_t           id;
    uint64_t            revision;           /* 0: absent */
    mpk_order_state_t   state;

    int64_t             filed_at;
    int64_t             released_at;        /* 0: not yet, as with all times */
    int64_t             cancelled_at;
    mpk_str_t           cancel_reason;
    int64_t             delivered_at;
    mpk_channel_t       delivered_by;
    int64_t             first_viewed_at;
    uint64_t            views;
    uint8_t             mac[MPK_MAC_LEN];   /* of the newest journal entry */
    mpk_str_t           entries;            /* ids in the stream, a blank behind each */

    int64_t             erased_at;
    uint64_t            gone;               /* entries that were erased, from the first on */
    uint8_t             gone_mac[MPK_MAC_LEN]; /* of the last of them */

    int64_t             purchased_at;
    mpk_str_t           locale;
    mpk_str_t           email_hash;         /* MPK_MAC_LEN bytes each */
    mpk_str_t           account_hash;       /* empty: filed without an account */
    mpk_str_t           digest;             /* of the content filed (R10) */
    mpk_str_t           data_key;           /* wrapped */
    mpk_str_t           person;             /* sealed: see mpk_person_t */

    size_t              items_count;
    mpk_item_t         *items;
    size_t              links_count;
    mpk_link_t         *links;
    size_t              claims_count;
    mpk_claim_t        *claims;             /* claim n is claims[n - 1] */
} mpk_order_t;


/* Personal data of an order, opened. */
typedef struct {
    mpk_str_t           email;
    mpk_str_t           account;
    mpk_str_t           name;
    mpk_str_t           purchase_ip;
    mpk_str_t           device_id;
} mpk_person_t;


/*
 * Reads an order from the values of h, f, i and c (data == NULL: no such field)
 * into mem; strings refer to the values.  h absent: MPK_OK with state ABSENT and
 * revision 0.  MPK_MALFORMED: not what mpk_order_write_* made.
 */
mpk_status_t mpk_order_read(const mpk_mem_t *mem, mpk_str_t id,
    const mpk_str_t fields[MPK_ORDER_FIELDS], mpk_order_t *order);

/*
 * The keyed hash of the billing email alone, from the value of f.  MPK_MALFORMED: no
 * such field, or not what mpk_order_write_filed() made.
 */
mpk_status_t mpk_order_read_owner(mpk_str_t filed, mpk_str_t *email_hash);

/* Append the fields' values. */
void mpk_order_write_head(const mpk_order_t *order, mpk_buf_t *out);
void mpk_order_write_filed(const mpk_order_t *order, mpk_buf_t *out);
void mpk_order_write_items(const mpk_order_t *order, mpk_buf_t *out);

void mpk_person_write(const mpk_person_t *person, mpk_buf_t *out);
mpk_status_t mpk_person_read(mpk_str_t in, mpk_person_t *person);

/* The link with a token id, or NULL. */
mpk_link_t *mpk_order_link(const mpk_order_t *order, const uint8_t id[MPK_ID_LEN]);

mpk_str_t mpk_order_state_name(mpk_order_state_t state);
mpk_str_t mpk_item_state_name(mpk_item_state_t state);


#endif /* MPK_ORDER_H */
