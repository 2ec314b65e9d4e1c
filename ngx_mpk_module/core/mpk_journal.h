/*
 * The journal: what happened to an order.  A keyed MAC chains each entry to the one
 * before; the personal part is sealed with the order's data key.
 *
 * Entry n is the value of the field "e" n of the order's hash: the id of a "journal" key;
 * the MAC, over the MAC of the entry before, n, the order's id and the rest; the clear
 * part; the sealed part.  Both parts are members, each a tag and its value, in the order
 * of their tags; absent ones are not written.
 */

#ifndef MPK_JOURNAL_H
#define MPK_JOURNAL_H

#include "mpk_envelope.h"
#include "mpk_json.h"
#include "mpk_policy.h"

#define MPK_AGENT_MAX     512    /* bytes kept of a User-Agent */
#define MPK_LANGUAGE_MAX  128    /* of an Accept-Language */


typedef struct {
    /* in clear */
    uint64_t            number;          /* 1..; the order's revision */
    mpk_event_t         event;
    mpk_str_t           order;
    int64_t             at;
    int64_t             edge_at;         /* by the edge's own clock; 0: no other time */
    mpk_channel_t       channel;
    mpk_str_t           token_id;        /* MPK_TOKEN_ID_LEN characters, or empty */
    size_t              items_count;
    const uint16_t     *items;
    const mpk_item_t   *generations;     /* the order's items; NULL: write none */
    mpk_str_t           actor;           /* an API token's name, or "customer" */
    mpk_str_t           request_id;
    mpk_str_t           reason;
    size_t              claim;           /* number of the claim; 0: none */
    mpk_str_t           category;        /* the claim's */
    int64_t             delivered_at;    /* IMPORTED, on the shop's word; 0: it was not */
    int64_t             first_viewed_at;
    int64_t             sent;            /* CUT_OFF: bytes of the body that left; negative: unknown */
    bool                form;            /* confirmed by an HTML form, not by JSON */
    bool                warned;          /* that an item is for another platform */
    size_t              correction;      /* of the billing email: its number, or the one that held */
    int64_t             holds_from;      /* EMAIL_CHANGED */
    bool                show_viewed;
    mpk_str_t           finding;         /* of a decision on a claim */
    mpk_str_t           session;         /* CLAIM_NOTE */
    int64_t             received_at;     /* CLAIM_OPENED by support, who had the report then */
    bool                key_given;       /* and whether there was a key, and it was the item's */
    bool                key_matched;
    uint64_t            bytes;           /* CLAIM_FILES: of the upload */
    size_t              withdrawal;      /* number of the withdrawal; 0: none */
    int64_t             stated_at;       /* when the statement was first received */
    int64_t             refund_due;      /* WITHDRAWN */
    size_t              left_count;      /* WITHDRAWN: items that were stated, too, and are open */
    const uint16_t     *left;
    mpk_str_t           medium;          /* by which the statement came */

    /* sealed */
    mpk_str_t           ip;
    mpk_str_t           user_agent;      /* cut at MPK_AGENT_MAX, made UTF-8 */
    mpk_str_t           accept_language;
    mpk_str_t           challenge;
    mpk_str_t           consent;         /* hash of the text consented to */
    mpk_str_t           consent_language;
    mpk_str_t           policy;
    mpk_str_t           name;            /* the claimant's */
    mpk_str_t           note;
    mpk_str_t           consent_product; /* hash of the text that says that it fits */
    mpk_str_t           email_old;       /* EMAIL_CHANGED, EMAIL_KEPT */
    mpk_str_t           email_new;
    mpk_str_t           finding_text;
    mpk_str_t           exception;       /* why a late claim was taken */
    mpk_str_t           files;           /* of a note: a line for each, see mpk_journal_file() */
    mpk_str_t           email;           /* where the receipt of a withdrawal goes */
} mpk_entry_t;


/*
 * Appends a file to an entry's files: the SHA-256 in hexadecimal, two blanks, the name, a
 * newline.  The name must have no newline.
 */
void mpk_journal_file(mpk_buf_t *files, mpk_str_t sha256, mpk_str_t name);

/* Writes the entry that follows the one with MAC "before" (zeros: none); mac gets its own. */
mpk_status_t mpk_journal_write(mpk_crypto_t *crypto, mpk_mem_t *mem,
    const mpk_data_key_t *key, const mpk_entry_t *entry,
    const uint8_t before[MPK_MAC_LEN], mpk_str_t *record,
    uint8_t mac[MPK_MAC_LEN]);

/*
 * Appends an object to array: the entry's number and order, and its clear and personal
 * members.  key may be NULL: the personal part is left out.  MPK_FORGED: it can't be
 * opened; MPK_MALFORMED; MPK_NEWER.  What could be read is there all the same.
 */
mpk_status_t mpk_journal_read(mpk_crypto_t *crypto, mpk_mem_t *mem,
    const mpk_data_key_t *key, mpk_str_t order, uint64_t number,
    mpk_str_t record, mpk_value_t *array);

/*
 * Whether a record is entry "number" of the order, and follows the entry with MAC "before"
 * (zeros: it is the first).  mac: its own, within the record.  MPK_FORGED: it is not;
 * MPK_UNKNOWN: the key of its MAC is not in the keyring; MPK_MALFORMED.
 */
mpk_status_t mpk_journal_prove(mpk_crypto_t *crypto, mpk_str_t order,
    uint64_t number, mpk_str_t record, const uint8_t before[MPK_MAC_LEN],
    mpk_str_t *mac);


typedef enum {
    MPK_INTACT = 0,
    MPK_ALTERED,         /* the MAC of an entry does not match */
    MPK_MISSING_ENTRY,   /* an entry is missing */
    MPK_UNVERIFIABLE,    /* the key of an entry's MAC is not in the keyring */
    MPK_ERASED_ENTRIES,  /* the order's data was erased, its entries with it */
    MPK_VERDICT_MAX
} mpk_verdict_t;

mpk_str_t mpk_verdict_name(mpk_verdict_t verdict);


/* Verification takes the records in order. */
typedef struct {
    mpk_str_t           order;
    uint64_t            number;          /* of the newest record seen */
    uint8_t             mac[MPK_MAC_LEN];
    bool                broken;          /* mac is unknown: that record is missing */
    bool                erased;
    mpk_str_t           kid;             /* UNVERIFIABLE: the id of the first missing key */
    mpk_verdict_t       verdict;         /* the first fault */
    uint64_t            fault;           /* the entry it was found at */
} mpk_chain_t;

void mpk_chain_init(mpk_chain_t *chain, mpk_str_t order);

/* The first "gone" entries were erased; the next one is chained to this MAC. */
void mpk_chain_erased(mpk_chain_t *chain, uint64_t gone,
    const uint8_t mac[MPK_MAC_LEN]);

/* record.data == NULL: it is missing.  The entry behind such a gap can't be proved. */
mpk_status_t mpk_chain_next(mpk_chain_t *chain, mpk_crypto_t *crypto,
    mpk_mem_t *mem, mpk_str_t record);

/* Compares with the order: its number of entries, and the MAC of the last one. */
void mpk_chain_end(mpk_chain_t *chain, uint64_t revision,
    const uint8_t mac[MPK_MAC_LEN]);

/*
 * Compares a record with an anchor that was kept outside Redis: the number of an entry
 * and its MAC in base64url.
 */
void mpk_chain_anchor(mpk_chain_t *chain, mpk_str_t anchor_mac,
    uint64_t anchor_number, uint64_t number, mpk_str_t record);


#endif /* MPK_JOURNAL_H */
