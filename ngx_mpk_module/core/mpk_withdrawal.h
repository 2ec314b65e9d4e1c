/*
 * Withdrawals: statements by which customers withdraw from the contract, and what became of
 * them (R12).  Stored in the order's field w, with their personal part sealed.
 */

#ifndef MPK_WITHDRAWAL_H
#define MPK_WITHDRAWAL_H

#include "mpk_pack.h"

#define MPK_WITHDRAWALS_MAX     64       /* per order; later ones: see MPK_CROWDED */
#define MPK_WITHDRAWAL_ID_LEN   16       /* tells a statement that is sent again */
#define MPK_WITHDRAWAL_NAME_MAX 200      /* bytes, as all of these */
#define MPK_WITHDRAWAL_TEXT_MAX 2000     /* a note, or why it was rejected */

/* The shop repays within so many seconds of the statement (Directive 2011/83/EU, article 13). */
#define MPK_WITHDRAWAL_REFUND   (14 * 86400)


/* All are stored: add at the end, and never change a value. */

typedef enum {
    MPK_WITHDRAWAL_OPEN = 0,         /* support judges what was not granted */
    MPK_WITHDRAWAL_GRANTED,          /* all of it, at once */
    MPK_WITHDRAWAL_ACCEPTED,         /* by support */
    MPK_WITHDRAWAL_REJECTED,
    MPK_WITHDRAWAL_STATE_MAX
} mpk_withdrawal_state_t;

/* How the statement was received. */
typedef enum {
    MPK_MEDIUM_PAGE = 0,
    MPK_MEDIUM_EMAIL,
    MPK_MEDIUM_LETTER,
    MPK_MEDIUM_OTHER,
    MPK_MEDIUM_MAX
} mpk_medium_t;

/* Why a withdrawal of an item was not granted at once. */
typedef enum {
    MPK_WHY_NONE = 0,                /* it was */
    MPK_WHY_CANCELLED,               /* the order was cancelled before */
    MPK_WHY_BUSINESS,                /* the buyer is a business */
    MPK_WHY_LATE,                    /* stated after the window */
    MPK_WHY_VIEWED,                  /* a key of it was viewed */
    MPK_WHY_REPLACED,                /* it has another key than it was sold with */
    MPK_WHY_SUSPENDED,
    MPK_WHY_EARLY,                   /* stated before the purchase: a wrong date, most likely */
    MPK_WHY_MAX
} mpk_why_t;


typedef struct {
    uint8_t                  id[MPK_WITHDRAWAL_ID_LEN];
    mpk_withdrawal_state_t   state;
    mpk_medium_t             medium;
    mpk_why_t                why;            /* of the first item that was not granted */
    int64_t                  stated_at;      /* first received; seconds, as all times */
    int64_t                  decided_at;     /* by support; 0: it was not */
    size_t                   granted_count;  /* at once */
    const uint16_t          *granted;
    size_t                   items_count;    /* the others */
    const uint16_t          *items;
    mpk_str_t                digest;         /* of support's decision (R10) */
    mpk_str_t                detail;         /* sealed: see mpk_stated_t */
} mpk_withdrawal_t;

/* The personal part of a withdrawal, in clear. */
typedef struct {
    mpk_str_t                name;
    mpk_str_t                email;          /* where the receipt goes; may be empty */
    mpk_str_t                note;           /* from who recorded it */
    mpk_str_t                reason;         /* why it was rejected */
} mpk_stated_t;


/*
 * Reads the value of field w into mem; strings refer to the value.  data == NULL (no such
 * field): none.  MPK_MALFORMED: not written by mpk_withdrawals_write().
 */
mpk_status_t mpk_withdrawals_read(mpk_mem_t *mem, mpk_str_t value,
    size_t items_max, mpk_withdrawal_t **withdrawals, size_t *count);
void mpk_withdrawals_write(const mpk_withdrawal_t *withdrawals, size_t count,
    mpk_buf_t *out);

void mpk_stated_write(const mpk_stated_t *stated, mpk_buf_t *out);
mpk_status_t mpk_stated_read(mpk_str_t in, mpk_stated_t *stated);

/*
 * When the withdrawal period ends: so many calendar days (UTC) after the day of purchase, plus
 * one day, so that it has ended in every time zone.  Statements before that are in time.
 */
int64_t mpk_withdrawal_until(int64_t purchased_at, int64_t days);

mpk_str_t mpk_withdrawal_state_name(mpk_withdrawal_state_t state);
mpk_str_t mpk_medium_name(mpk_medium_t medium);
mpk_str_t mpk_why_name(mpk_why_t why);                    /* "" for NONE */

/* Finds a medium by its name; false: there is none. */
bool mpk_medium_find(mpk_str_t name, mpk_medium_t *medium);


#endif /* MPK_WITHDRAWAL_H */
