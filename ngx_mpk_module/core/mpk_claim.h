/*
 * Claims: customers' reports of keys that fail, and what support decided.  Stored in
 * the order's field c, with their personal part sealed.
 */

#ifndef MPK_CLAIM_H
#define MPK_CLAIM_H

#include "mpk_pack.h"

#define MPK_CLAIMS_MAX      64              /* per order, decided ones included */
#define MPK_CLAIM_ID_LEN    16              /* of the token that the claim was opened with */
#define MPK_CLAIM_NAME_MAX  255             /* bytes of the customer's name */
#define MPK_CLAIM_TEXT_MAX  4000            /* bytes of a description or a note */
#define MPK_CLAIM_UPLOADS_MAX  50           /* that are journaled of a claim nobody asked about */


typedef enum {
    MPK_CLAIM_OPEN = 0,
    MPK_CLAIM_NEEDS_INFO,            /* support asked the customer for more */
    MPK_CLAIM_REPLACED,
    MPK_CLAIM_REFUNDED,
    MPK_CLAIM_REJECTED,
    MPK_CLAIM_STATE_MAX
} mpk_claim_state_t;

/* What the customer says is wrong. */
typedef enum {
    MPK_CATEGORY_NOT_ACCEPTED = 0,
    MPK_CATEGORY_ALREADY_USED,
    MPK_CATEGORY_BLOCKED,
    MPK_CATEGORY_WRONG_PRODUCT,
    MPK_CATEGORY_STOPPED,
    MPK_CATEGORY_OTHER,
    MPK_CATEGORY_MAX
} mpk_category_t;

/* Why support rejected a claim (R7). */
typedef enum {
    MPK_REASON_NONE = 0,
    MPK_REASON_WRONG_PRODUCT,
    MPK_REASON_INCOMPATIBLE,
    MPK_REASON_PRODUCT_USE,
    MPK_REASON_NOT_DEFECTIVE,
    MPK_REASON_LATE,
    MPK_REASON_OTHER,
    MPK_REASON_MAX
} mpk_reason_t;

/* What the investigation of a claim found (R7). */
typedef enum {
    MPK_FINDING_NONE = 0,
    MPK_FINDING_DEFECTIVE,
    MPK_FINDING_NOT_REPRODUCED,
    MPK_FINDING_GOODWILL,            /* the shop gives without having found a defect */
    MPK_FINDING_MAX
} mpk_finding_t;

/* A remote session in which support looks at the customer's computer. */
typedef enum {
    MPK_SESSION_NONE = 0,
    MPK_SESSION_OFFERED,
    MPK_SESSION_HELD,
    MPK_SESSION_DECLINED,
    MPK_SESSION_MAX
} mpk_session_t;


typedef struct {
    uint16_t            item;
    uint64_t            generation;         /* of the key that was reported */
    mpk_claim_state_t   state;
    mpk_category_t      category;
    mpk_reason_t        reason;
    int64_t             opened_at;          /* seconds, as all times */
    int64_t             decided_at;         /* by the latest decision; 0: none yet */
    uint8_t             token_id[MPK_CLAIM_ID_LEN];
    mpk_str_t           digest;             /* of the latest decision's content (R10) */
    mpk_str_t           old_key;            /* REPLACED: the defective key, sealed */
    mpk_str_t           detail;             /* sealed: see mpk_detail_t */

    /* few have these; releases that do not know them can't read the claims */
    mpk_finding_t       finding;            /* of the decision */
    int64_t             received_at;        /* support opened it, who had the report then; or 0 */
    int64_t             answered_at;        /* the customer's latest answer to support; or 0 */
    uint64_t            uploads;            /* that were journaled */
    mpk_str_t           noted;              /* digest of support's latest note (R10) */
} mpk_claim_t;

/* The personal part of a claim, in clear. */
typedef struct {
    mpk_str_t           name;
    mpk_str_t           description;
    mpk_str_t           note;               /* from support to the customer */
    mpk_str_t           finding;            /* what was found, in words */
    mpk_str_t           exception;          /* why a late one was taken */
    mpk_str_t           answer;             /* the customer's latest */
} mpk_detail_t;


/* True until support has decided. */
bool mpk_claim_undecided(const mpk_claim_t *claim);

/* Whether support waits for an answer in words, also if files have come meanwhile. */
bool mpk_claim_asked(const mpk_claim_t *claim);

/* Whether any claim has an optional member. */
bool mpk_claims_rare(const mpk_claim_t *claims, size_t count);

/*
 * Reads the value of field c into mem; strings refer to the value.  data == NULL (no
 * such field): no claims.  rare: what mpk_claims_rare() said of them.  MPK_MALFORMED: not
 * written by mpk_claims_write(); MPK_NEWER.
 */
mpk_status_t mpk_claims_read(mpk_mem_t *mem, mpk_str_t value,
    size_t items_max, bool rare, mpk_claim_t **claims, size_t *count);
void mpk_claims_write(const mpk_claim_t *claims, size_t count, mpk_buf_t *out);

void mpk_detail_write(const mpk_detail_t *detail, mpk_buf_t *out);
mpk_status_t mpk_detail_read(mpk_str_t in, mpk_detail_t *detail);

mpk_str_t mpk_claim_state_name(mpk_claim_state_t state);
mpk_str_t mpk_category_name(mpk_category_t category);
mpk_str_t mpk_reason_name(mpk_reason_t reason);           /* "" for NONE, as below */
mpk_str_t mpk_finding_name(mpk_finding_t finding);
mpk_str_t mpk_session_name(mpk_session_t session);

/* Find a value by its name; false: there is none. */
bool mpk_category_find(mpk_str_t name, mpk_category_t *category);
bool mpk_reason_find(mpk_str_t name, mpk_reason_t *reason);
bool mpk_finding_find(mpk_str_t name, mpk_finding_t *finding);
bool mpk_session_find(mpk_str_t name, mpk_session_t *session);


#endif /* MPK_CLAIM_H */
