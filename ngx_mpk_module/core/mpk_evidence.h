/*
 * Evidence for a payment dispute: an order's journal entries as readable text, and the
 * text fields of Stripe's dispute evidence that can be filled from them.  Nothing is
 * claimed that the entries do not show.
 */

#ifndef MPK_EVIDENCE_H
#define MPK_EVIDENCE_H

#include "mpk_checkout.h"
#include "mpk_policy.h"

#define MPK_EVIDENCE_TEXT_MAX  20000   /* Stripe's limit, in characters; here bytes */


/* The words of a consent: a line for each box. */
typedef struct {
    mpk_str_t            hash;         /* as journaled */
    mpk_str_t            words;
} mpk_evidence_text_t;

typedef struct {
    const mpk_value_t   *entries;      /* an array filled by mpk_journal_read() */
    size_t               verified;     /* how many of them, from the first on, verified */
    const mpk_person_t  *person;       /* NULL: erased, or can't be opened */
    size_t               items_count;
    const mpk_item_t    *items;
    int64_t              purchased_at; /* seconds */
    size_t               correction;   /* of the billing email, which holds; 0: as filed */
    const mpk_checkout_t *checkout;    /* NULL: as person */
    size_t               texts_count;
    const mpk_evidence_text_t *texts;  /* those whose words are known */
} mpk_evidence_t;


/*
 * Adds to document: "policy", the versions; "consent", an array of {n, at, ip, text, words,
 * language}, and "consent_product", of {n, at, ip, text, words}; "stripe"; "activity".  Only verified entries are used, except in "activity",
 * which says from where on they are not.
 */
mpk_status_t mpk_evidence_add(mpk_mem_t *mem, const mpk_evidence_t *evidence,
    mpk_value_t *document);


/* The parts of it. */

/* Appends an entry as one line, without a newline. */
void mpk_evidence_line(mpk_buf_t *out, const mpk_value_t *entry);

/*
 * Appends the lines of the entries, oldest first, in at most max bytes.  If they do not
 * fit, the first and the last view are kept, then views and deliveries, and a last line
 * says how many lines were left out.
 */
mpk_status_t mpk_evidence_lines(mpk_mem_t *mem, const mpk_value_t *const *entries,
    size_t count, size_t max, mpk_buf_t *out);

/*
 * Append in words: the time, the items ("items 1, 3-5"), their numbers only, the
 * channel.
 */
void mpk_evidence_time(mpk_buf_t *out, const mpk_value_t *entry);
void mpk_evidence_items(mpk_buf_t *out, const mpk_value_t *entry);
void mpk_evidence_numbers(mpk_buf_t *out, const mpk_value_t *entry);
void mpk_evidence_channel(mpk_buf_t *out, const mpk_value_t *entry);

/* Appends the words of a consent, each of its lines in quotes. */
void mpk_evidence_quote(mpk_buf_t *out, mpk_str_t words);

/* Append text as part of a line: control and bidirectional characters become "?". */
void mpk_evidence_member(mpk_buf_t *out, const mpk_value_t *entry, mpk_str_t name);
void mpk_evidence_text(mpk_buf_t *out, mpk_str_t text);

/*
 * The challenge that the entry's confirmation passed; "request" for a click that did not
 * come as a form, so that nobody is said to have pressed a button.
 */
mpk_str_t mpk_evidence_challenge(const mpk_value_t *entry);

bool mpk_evidence_is(const mpk_value_t *entry, mpk_event_t event);


#endif /* MPK_EVIDENCE_H */
