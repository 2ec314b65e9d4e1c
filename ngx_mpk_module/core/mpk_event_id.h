/*
 * The id of an event of the feed: of a journal entry, its order, number and event, and the
 * first bytes of its MAC, since after a failover another entry can get the number.  Redis
 * has it as the member "order:number:event:MAC" of sorted sets; clients as base64url of
 * that, which they need not understand.
 */

#ifndef MPK_EVENT_ID_H
#define MPK_EVENT_ID_H

#include "mpk.h"

#define MPK_EVENT_ID_MAC     8       /* bytes of the MAC */
#define MPK_EVENT_ID_EVENT   32      /* characters of an event's name */
#define MPK_EVENT_ID_NUMBER  10      /* digits of an entry's number */

/* bytes of a member, and characters of an id: an order's id has at most 64 */
#define MPK_EVENT_ID_MEMBER                                                  \
    (64 + 1 + MPK_EVENT_ID_NUMBER + 1 + MPK_EVENT_ID_EVENT + 1 + MPK_EVENT_ID_MAC)
#define MPK_EVENT_ID_MAX     ((MPK_EVENT_ID_MEMBER * 4 + 2) / 3)


typedef struct {
    mpk_str_t   order;
    uint64_t    number;
    mpk_str_t   event;               /* a name, perhaps of a newer release */
    mpk_str_t   mac;                 /* zeros: the entry was gone before it was handed out */
} mpk_event_id_t;


/* Takes a member apart; id refers to it.  MPK_MALFORMED: it is none. */
mpk_status_t mpk_event_id_read(mpk_str_t member, mpk_event_id_t *id);

/* The id of a member, in mem; empty: no memory. */
mpk_str_t mpk_event_id_encode(mpk_mem_t *mem, mpk_str_t member);

/* The member of an id, and its parts.  MPK_MALFORMED: it is none; MPK_NOMEM. */
mpk_status_t mpk_event_id_decode(mpk_mem_t *mem, mpk_str_t text,
    mpk_str_t *member, mpk_event_id_t *id);


#endif /* MPK_EVENT_ID_H */
