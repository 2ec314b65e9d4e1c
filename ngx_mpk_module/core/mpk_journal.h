/*
 * The journal: what happened to an order, each entry chained to the one before by
 * a keyed MAC, its personal part sealed with the order's data key.
 *
 * In the bucket's stream an entry has three fields: "e", JSON in clear; "x", the
 * personal part, sealed JSON; "m", kid.MAC, the MAC in base64url over the MAC
 * before, the entry's number, the order and the bytes of e and x.
 */

#ifndef MPK_JOURNAL_H
#define MPK_JOURNAL_H

#include "mpk_envelope.h"
#include "mpk_json.h"
#include "mpk_policy.h"

#define MPK_AGENT_MAX     512    /* bytes of a User-Agent that are kept */
#define MPK_LANGUAGE_MAX  128    /* of an Accept-Language */


typedef struct {
    /* in clear */
    uint64_t            number;          /* 1..; the order's revision */
    mpk_event_t         event;
    mpk_str_t           order;
    int64_t             at;
    mpk_channel_t       channel;
    mpk_str_t           token_id;        /* MPK_TOKEN_ID_LEN characters, or empty */
    size_t              items_count;
    const uint16_t     *items;
    const mpk_item_t   *generations;     /* the order's items; NULL: no generations */
    mpk_str_t           actor;           /* an API token's name, or "customer" */
    mpk_str_t           request_id;
    mpk_str_t           reason;
    size_t              claim;           /* its number; 0: none */
    mpk_str_t           category;        /* the claim's */

    /* sealed */
    mpk_str_t           ip;
    mpk_str_t           user_agent;      /* cut at MPK_AGENT_MAX, made UTF-8 */
    mpk_str_t           accept_language;
    mpk_str_t           challenge;
    mpk_str_t           consent;         /* hash of the text consented to */
    mpk_str_t           consent_language;
    mpk_str_t           policy;
    mpk_str_t           name;            /* of who makes the claim */
    mpk_str_t           note;
} mpk_entry_t;


/* An entry as stored; data == NULL in clear: not found in the stream. */
typedef struct {
    mpk_str_t           clear;
    mpk_str_t           sealed;
    mpk_str_t           mac;
    bool                expired;         /* not found, and old enough to be trimmed */
} mpk_record_t;


/* Writes an entry after the one with MAC "before" (zeros for the first); mac is its own. */
mpk_status_t mpk_journal_write(mpk_crypto_t *crypto, const mpk_mem_t *mem,
    const mpk_data_key_t *key, const mpk_entry_t *entry,
    const uint8_t before[MPK_MAC_LEN], mpk_record_t *record,
    uint8_t mac[MPK_MAC_LEN]);

/*
 * Appends the entry's clear and personal members to array, as one object.  key may
 * be NULL: the personal part stays closed.  MPK_FORGED: the personal part does not open.
 */
mpk_status_t mpk_journal_read(mpk_crypto_t *crypto, const mpk_mem_t *mem,
    const mpk_data_key_t *key, mpk_str_t order, uint64_t number,
    const mpk_record_t *record, mpk_value_t *array);


typedef enum {
    MPK_INTACT = 0,
    MPK_ALTERED,         /* an entry's bytes are not what the chain says */
    MPK_MISSING_ENTRY,   /* an entry is not there */
    MPK_EXPIRED_ENTRY,   /* it is older than entries are kept */
    MPK_ERASED_ENTRIES,  /* the order's data was erased, its entries with it */
    MPK_VERDICT_MAX
} mpk_verdict_t;

mpk_str_t mpk_verdict_name(mpk_verdict_t verdict);


/* Verification goes through the records in order. */
typedef struct {
    mpk_str_t           order;
    uint64_t            number;          /* of the newest record seen */
    uint8_t             mac[MPK_MAC_LEN];
    bool                broken;          /* mac is not known: the record is missing */
    bool                erased;
    mpk_verdict_t       verdict;         /* the first fault */
    uint64_t            fault;           /* the entry it was found at */
} mpk_chain_t;

void mpk_chain_init(mpk_chain_t *chain, mpk_str_t order);

/* The first "gone" entries were erased; what follows them is chained to this MAC. */
void mpk_chain_erased(mpk_chain_t *chain, uint64_t gone,
    const uint8_t mac[MPK_MAC_LEN]);

mpk_status_t mpk_chain_next(mpk_chain_t *chain, mpk_crypto_t *crypto,
    const mpk_mem_t *mem, const mpk_record_t *record);

/* The end: the order says how many entries there are, and the newest one's MAC. */
void mpk_chain_end(mpk_chain_t *chain, uint64_t revision,
    const uint8_t mac[MPK_MAC_LEN]);

/*
 * Compares record "number" with an anchor kept outside Redis; the MAC as in the
 * journal's head, in base64url.
 */
void mpk_chain_anchor(mpk_chain_t *chain, mpk_str_t anchor_mac,
    uint64_t anchor_number, uint64_t number, const mpk_record_t *record);


#endif /* MPK_JOURNAL_H */
