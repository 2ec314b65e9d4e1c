/*
 * An order in memory, and its encoding in Redis: fields of a hash.
 *
 *   h  the head: all that an event may change.  It begins with the revision (the number
 *      of its journal entries), a blank, the id of a "journal" key, and a MAC over the
 *      order's id, the revision and the rest of h.  The rest has the SHA-256 of each of
 *      the other fields, so that the MAC covers them, too.  A commit compares h up to and
 *      including the MAC, to detect that another event was committed.
 *   f  what was fixed when it was filed: time of purchase, keyed hashes, the wrapped data
 *      key, the person, what was accepted at the checkout
 *   i  the items: SKU, product, what it fits
 *   c  its claims, if there are any
 *   k  the items' sealed keys: read only where one is needed
 *   w  its withdrawals, if there are any: read only where they are shown or changed; what is
 *      withdrawn is in the head
 *
 * An erased order has only h.  Entry n of the journal is the field "e" n, see
 * mpk_journal.h.  Any version begins with revision, key id, MAC and its number.
 */

#ifndef MPK_ORDER_H
#define MPK_ORDER_H

#include "mpk_claim.h"
#include "mpk_correction.h"
#include "mpk_fit.h"
#include "mpk_token.h"
#include "mpk_withdrawal.h"

#define MPK_ITEMS_MAX       500
#define MPK_KEY_MAX         4096            /* bytes of one product key */
#define MPK_KEYS_BYTES_MAX  (256 * 1024)    /* of all product keys of an order */
#define MPK_LINKS_MAX       256             /* links that were handed out, used or revoked */
#define MPK_ID_LEN          16              /* a token id or nonce, as stored */
#define MPK_PAUSES_MAX      8               /* suspensions that ended, each with its times */

/* The fields, in the order in which they are read and written. */
#define MPK_ORDER_HEAD      0
#define MPK_ORDER_FILED     1
#define MPK_ORDER_ITEMS     2
#define MPK_ORDER_CLAIMS    3
#define MPK_ORDER_KEYS      4
#define MPK_ORDER_WITHDRAWALS  5
#define MPK_ORDER_FIELDS    6

/* Which of them are read, as bits (1 << field); what most events need, and all. */
#define MPK_ORDER_USUAL     (1u << MPK_ORDER_HEAD | 1u << MPK_ORDER_FILED             \
                             | 1u << MPK_ORDER_ITEMS | 1u << MPK_ORDER_CLAIMS)
#define MPK_ORDER_ALL       ((1u << MPK_ORDER_FIELDS) - 1)


/* All are stored: add at the end, and never change a value. */

typedef enum {
    MPK_ORDER_ABSENT = 0,
    MPK_ORDER_HELD,
    MPK_ORDER_READY,
    MPK_ORDER_CANCELLED,
    MPK_ORDER_ERASED,
    MPK_ORDER_WITHDRAWN,
    MPK_ORDER_STATE_MAX
} mpk_order_state_t;

typedef enum {
    MPK_ITEM_NEW = 0,            /* never shown */
    MPK_ITEM_VIEWED,
    MPK_ITEM_REFUNDED,           /* never shown again (R7) */
    MPK_ITEM_WITHDRAWN,          /* nor these (R12) */
    MPK_ITEM_STATE_MAX
} mpk_item_state_t;

/* What a customer agrees to before the first view of a key, as bits; stored. */
#define MPK_CONSENT_SUPPLY   1u    /* supply at once, and the loss of the right to withdraw */
#define MPK_CONSENT_PRODUCT  2u    /* the product fits; only of items that say what they fit */

/* Why an order is suspended (R11). */
typedef enum {
    MPK_SUSPENSION_NONE = 0,
    MPK_SUSPENSION_DISPUTE,
    MPK_SUSPENSION_FRAUD,
    MPK_SUSPENSION_OTHER,
    MPK_SUSPENSION_MAX
} mpk_suspension_t;


typedef struct {
    /* field h */
    mpk_item_state_t    state;
    uint64_t            generation;         /* 1: as filed; plus 1 with each replacement */
    uint64_t            since;              /* the revision since which it has this key */
    int64_t             viewed_at;
    bool                suspended;          /* not shown until the order is resumed (R11) */
    size_t              viewed_under;       /* the correction that held at its first view */

    /* field i */
    mpk_str_t           sku;
    mpk_str_t           product;
    mpk_str_t          *fit;                /* MPK_FIT_MAX of them, some empty; NULL: none */

    /* field k */
    mpk_str_t           key;                /* sealed; empty: not read */
} mpk_item_t;


/* A time in which the order was suspended: seconds. */
typedef struct {
    int64_t             from;
    int64_t             to;
} mpk_pause_t;


/* A token of the order that was handed out, used or revoked. */
typedef struct {
    uint8_t             id[MPK_ID_LEN];
    int64_t             iat;
    int64_t             exp;
    bool                delivered;          /* minted or registered, to be sent by email */
    bool                revoked;
    int64_t             used_at;            /* 0: not used */
    uint64_t            used_revision;
    uint64_t            repeats;            /* of that use */
    uint8_t             nonce[MPK_ID_LEN];  /* hash of the confirmation's nonce */
    size_t              items_count;        /* 0: all */
    const uint16_t     *items;
} mpk_link_t;


typedef struct {
    mpk_str_t           id;
    uint64_t            revision;           /* 0: absent */
    mpk_order_state_t   state;

    bool                imported;           /* times before it was filed: the shop's word */
    bool                fits;               /* as read: the shop said what items fit */
    bool                accepted;           /* as read: and what was accepted at the checkout */
    bool                business;           /* the buyer is no consumer */
    unsigned            consents;           /* given at the checkout: MPK_CONSENT_SUPPLY */
    bool                claims_rare;        /* as read: see mpk_claims_rare() */
    int64_t             filed_at;
    int64_t             released_at;        /* seconds; 0: not yet, as for all times */
    int64_t             cancelled_at;
    mpk_str_t           cancel_reason;
    int64_t             delivered_at;
    mpk_channel_t       delivered_by;       /* NONE, and delivered: the shop's word */
    int64_t             first_viewed_at;
    uint64_t            views;
    uint8_t             mac[MPK_MAC_LEN];   /* of the newest journal entry */

    int64_t             at;                 /* of the newest journal entry */

    uint64_t            day;                /* days since 1970; what it had of: */
    uint64_t            day_views;          /* views and repeats */
    uint64_t            day_opened;         /* journaled GETs */
    int64_t             floor;              /* unknown links that expire by then were used */

    mpk_str_t           kid;                /* of the key of the head's MAC */
    mpk_str_t           guard;              /* the head as read, up to its MAC */
    uint8_t             hashes[MPK_ORDER_FIELDS][MPK_MAC_LEN];  /* zeros: no such field */

    int64_t             suspended_at;       /* since when some item is; 0: none is */
    mpk_suspension_t    suspension;
    uint8_t             suspend_digest[MPK_MAC_LEN]; /* of the latest call's content (R10) */
    uint8_t             resume_digest[MPK_MAC_LEN];
    size_t              pauses_count;
    mpk_pause_t         pauses[MPK_PAUSES_MAX]; /* ascending */

    size_t              corrections_count;
    mpk_correction_t   *corrections;        /* of the billing email; ascending */

    int64_t             withdrawn_at;       /* when the last item was; 0: not all are */

    int64_t             erased_at;
    uint64_t            gone;               /* how many first entries were erased */
    uint8_t             gone_mac[MPK_MAC_LEN]; /* of the last of them */

    int64_t             purchased_at;
    mpk_str_t           locale;
    mpk_str_t           email_hash;         /* as filed: see mpk_order_email(); MPK_MAC_LEN bytes each */
    mpk_str_t           account_hash;       /* empty: filed without an account */
    mpk_str_t           digest;             /* of what was filed (R10) */
    mpk_str_t           data_key;           /* wrapped */
    mpk_str_t           person;             /* sealed: see mpk_person_t */
    mpk_str_t           checkout;           /* sealed: see mpk_checkout.h; empty: nothing */

    size_t              items_count;
    mpk_item_t         *items;
    size_t              links_count;
    mpk_link_t         *links;
    size_t              claims_count;
    mpk_claim_t        *claims;             /* claim n is claims[n - 1] */
    size_t              withdrawals_count;  /* 0 also: not read */
    mpk_withdrawal_t   *withdrawals;
} mpk_order_t;


/* Personal data of an order, in clear. */
typedef struct {
    mpk_str_t           email;
    mpk_str_t           account;
    mpk_str_t           name;
    mpk_str_t           purchase_ip;
    mpk_str_t           device_id;
} mpk_person_t;


/* The name of a field in Redis. */
mpk_str_t mpk_order_field(size_t field);

/*
 * Reads an order from those values whose bits are set, MPK_ORDER_USUAL at least (data ==
 * NULL: no such field), into mem; strings refer to the values.  Without h: MPK_OK, with
 * state ABSENT and revision 0.
 *
 * MPK_FORGED: not what mpk_order_write() wrote for this id; MPK_UNKNOWN: the key of its MAC
 * is not in the keyring, order->kid is its id; MPK_NEWER.  Nothing else in *order may be
 * used then.
 */
mpk_status_t mpk_order_read(mpk_crypto_t *crypto, mpk_mem_t *mem, mpk_str_t id,
    const mpk_str_t fields[MPK_ORDER_FIELDS], unsigned read, mpk_order_t *order);

/*
 * Reads only the values of h and f: whose it is.  As above; MPK_MISSING: there is no such
 * order, or it was erased.
 */
mpk_status_t mpk_order_read_owner(mpk_crypto_t *crypto, mpk_mem_t *mem,
    mpk_str_t id, mpk_str_t head, mpk_str_t filed, mpk_order_t *order);

/*
 * Writes the head and those of the other fields whose bit (1 << field) is in changed; the
 * others get data == NULL.  The key of the MAC is the current one.
 */
mpk_status_t mpk_order_write(mpk_crypto_t *crypto, mpk_mem_t *mem,
    mpk_order_t *order, unsigned changed, mpk_str_t fields[MPK_ORDER_FIELDS]);

void mpk_person_write(const mpk_person_t *person, mpk_buf_t *out);
mpk_status_t mpk_person_read(mpk_str_t in, mpk_person_t *person);

/*
 * Opens the personal data into mem, with the email address of a correction, by its number
 * (0: as filed).  MPK_FORGED, MPK_MALFORMED.
 */
mpk_status_t mpk_person_open(mpk_crypto_t *crypto, mpk_mem_t *mem,
    const mpk_data_key_t *key, const mpk_order_t *order, size_t number,
    mpk_person_t *person);

/* The number of the correction in force; 0: the billing email is as filed. */
static inline size_t
mpk_order_correction(const mpk_order_t *order, int64_t now)
{
    return mpk_correction_holds(order->corrections, order->corrections_count,
                                now);
}

/* The number of the pending correction; 0: none is pending. */
static inline size_t
mpk_order_correction_pending(const mpk_order_t *order, int64_t now)
{
    return mpk_correction_pending(order->corrections,
                                  order->corrections_count, now);
}

/* The keyed hash of the billing email in force: a customer who gives it is the buyer. */
mpk_str_t mpk_order_email(const mpk_order_t *order, int64_t now);

/*
 * Whether an item's key is not shown: it was viewed under another address than the one
 * that holds, and the shop has not said that this one may see it.
 */
bool mpk_order_withheld(const mpk_order_t *order, const mpk_item_t *item,
    int64_t now);

/* When the latest correction was requested or came into force; 0: there is none. */
int64_t mpk_order_corrected_at(const mpk_order_t *order, int64_t now);

/* What an item fits, of one kind; empty: the shop has not said. */
static inline mpk_str_t
mpk_item_fit(const mpk_item_t *item, mpk_fit_t fit)
{
    return item->fit ? item->fit[fit] : mpk_string("");
}

/* Whether there is anything to read of what it fits. */
static inline bool
mpk_item_says_fit(const mpk_item_t *item)
{
    return mpk_item_fit(item, MPK_FIT_PLATFORM).len
           || mpk_item_fit(item, MPK_FIT_EDITION).len
           || mpk_item_fit(item, MPK_FIT_REQUIRES).len;
}

/* The link with a token id, or NULL. */
mpk_link_t *mpk_order_link(const mpk_order_t *order, const uint8_t id[MPK_ID_LEN]);

/*
 * When a time limit of the order ends that began at "from" and would end at "until": it
 * stands still while the order is suspended (R11).  All are seconds.
 */
int64_t mpk_order_until(const mpk_order_t *order, int64_t from, int64_t until,
    int64_t now);

mpk_str_t mpk_order_state_name(mpk_order_state_t state);
mpk_str_t mpk_item_state_name(mpk_item_state_t state);

mpk_str_t mpk_suspension_name(mpk_suspension_t suspension);
bool mpk_suspension_find(mpk_str_t name, mpk_suspension_t *suspension);


#endif /* MPK_ORDER_H */
