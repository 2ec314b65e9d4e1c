/*
 * Bodies of support's API calls about claims: findings, notes, and reports that a customer
 * sent to support.  The caller has checked the body's own members by mpk_members_read().
 */

#ifndef MPK_SUPPORT_H
#define MPK_SUPPORT_H

#include "mpk_claim.h"
#include "mpk_value.h"

#define MPK_NOTE_FILES_MAX  32       /* of one note; each is a line in the journal */
#define MPK_FILE_NAME_MAX   255      /* bytes, as file systems have it */


typedef struct {
    mpk_str_t       text;
    mpk_str_t       files;           /* as an mpk_entry_t has them */
    mpk_session_t   session;
} mpk_note_t;

typedef struct {
    uint16_t        item;
    mpk_str_t       name;
    mpk_category_t  category;
    mpk_str_t       description;
    int64_t         received_at;
    mpk_str_t       key;             /* empty: the customer gave none */
    mpk_str_t       exception;       /* empty: it is to be in time */
} mpk_report_t;


/*
 * Each returns false if something is wrong, and adds to *errors what, unless there was no
 * memory for it (see mpk_errors.h).  Strings refer to body, or are in mem.
 */

/* The member "finding"; NONE and "" if there is none. */
bool mpk_support_finding(mpk_mem_t *mem, const mpk_value_t *body,
    mpk_finding_t *finding, mpk_str_t *text, mpk_value_t **errors);

bool mpk_support_note(mpk_mem_t *mem, const mpk_value_t *body, mpk_note_t *note,
    mpk_value_t **errors);

/* A received_at of MPK_TOKEN_SKEW or more after now is refused as in the future. */
bool mpk_support_report(mpk_mem_t *mem, const mpk_value_t *body, int64_t now,
    mpk_report_t *report, mpk_value_t **errors);


#endif /* MPK_SUPPORT_H */
