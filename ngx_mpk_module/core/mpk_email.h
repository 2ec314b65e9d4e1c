/* Email addresses: what can be mailed, and which are the same. */

#ifndef MPK_EMAIL_H
#define MPK_EMAIL_H

#include "mpk.h"

#define MPK_EMAIL_MAX         254    /* bytes: RFC 5321, 4.5.3.1.3, without the brackets */
#define MPK_EMAIL_LOCAL_MAX   64     /* RFC 5321, 4.5.3.1.1 */
#define MPK_EMAIL_DOMAIN_MAX  255    /* of the A-labels: RFC 5321, 4.5.3.1.2 */
#define MPK_EMAIL_LABEL_MAX   63     /* RFC 1035, 2.3.4 */


/* An address in the one form in which addresses are compared. */
typedef struct {
    size_t   len;
    uint8_t  data[MPK_EMAIL_LOCAL_MAX + 1 + MPK_EMAIL_DOMAIN_MAX];
} mpk_email_t;


/*
 * Reads a mailbox as RFC 5321, 4.1.2 and RFC 6531, 3.3 have it, with a domain name: no
 * address literal, and no "=?", which mail software decodes in headers.  The domain becomes lower-case A-labels (IDNA2008 with the mappings of
 * UTS 46), ASCII letters of the local part become lower-case.  Nothing else is changed:
 * dots and plus tags are up to the mail provider.
 *
 * MPK_MALFORMED: it is no such address; MPK_NOMEM.
 */
mpk_status_t mpk_email_read(mpk_str_t text, mpk_email_t *email);

/*
 * The same for text that somebody typed: white space around an address is dropped.  An
 * address is replaced in *text, which then refers to email; anything else is left as it is.
 */
mpk_status_t mpk_email_compared(mpk_str_t *text, mpk_email_t *email);


#endif /* MPK_EMAIL_H */
