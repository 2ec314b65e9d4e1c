/*
 * What a dispute is answered with: an order's entries as text for people, and the
 * text fields of Stripe's dispute evidence that they can fill.  Nothing is said that
 * the entries do not show.
 */

#ifndef MPK_EVIDENCE_H
#define MPK_EVIDENCE_H

#include "mpk_policy.h"
#include "mpk_value.h"

#define MPK_EVIDENCE_TEXT_MAX  20000   /* characters of a text that Stripe takes; bytes here */


typedef struct {
    const mpk_value_t   *entries;      /* an array, as mpk_journal_read() fills it */
    size_t               verified;     /* so many of them, from the first on, are proved */
    const mpk_person_t  *person;       /* NULL: erased, or it does not open */
    size_t               items_count;
    const mpk_item_t    *items;
} mpk_evidence_t;


/*
 * Adds what was recorded to document: "policy", the versions; "consent", an array of
 * {n, at, ip, text, language}; "stripe"; "activity".  But for "activity", which says where
 * that is so, all of it comes from entries that are proved.
 */
mpk_status_t mpk_evidence_add(const mpk_mem_t *mem, const mpk_evidence_t *evidence,
    mpk_value_t *document);


/* The parts that it is made of. */

/* Appends an entry as one line, without its end. */
void mpk_evidence_line(mpk_buf_t *out, const mpk_value_t *entry);

/*
 * Appends the lines of the entries, oldest first, within max bytes.  Where that is
 * too little, views and deliveries stay before all else, and a last line says how many
 * were left out.
 */
mpk_status_t mpk_evidence_lines(const mpk_mem_t *mem, const mpk_value_t *const *entries,
    size_t count, size_t max, mpk_buf_t *out);

/*
 * Append, in words: a time, the items ("items 1, 3-5"), their numbers alone, how the
 * customer came to a view.
 */
void mpk_evidence_time(mpk_buf_t *out, const mpk_value_t *entry);
void mpk_evidence_items(mpk_buf_t *out, const mpk_value_t *entry);
void mpk_evidence_numbers(mpk_buf_t *out, const mpk_value_t *entry);
void mpk_evidence_channel(mpk_buf_t *out, const mpk_value_t *entry);

/* Appends a member as part of a line: what would end or turn the line becomes "?". */
void mpk_evidence_member(mpk_buf_t *out, const mpk_value_t *entry, mpk_str_t name);
void mpk_evidence_text(mpk_buf_t *out, mpk_str_t text);

bool mpk_evidence_is(const mpk_value_t *entry, mpk_event_t event);


#endif /* MPK_EVIDENCE_H */
