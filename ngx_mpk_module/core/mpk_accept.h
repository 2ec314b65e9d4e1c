/* Accept and Accept-Language (RFC 9110, 12.5.1 and 12.5.4): what a client prefers. */

#ifndef MPK_ACCEPT_H
#define MPK_ACCEPT_H

#include "mpk.h"

#define MPK_WEIGHT_MAX  1000     /* q=1 */


/*
 * The weight (RFC 9110, 12.4.2) that an Accept field gives the media type, in
 * thousandths: 0 to MPK_WEIGHT_MAX, and MPK_WEIGHT_MAX where it gives none.  The first
 * element that names the type counts; 0: no element does.  Media ranges (with a "*") are
 * ignored.
 */
unsigned mpk_accept_weight(const uint8_t *field, size_t len, mpk_str_t type);

/*
 * The index of the tag, out of tags in lower case, that an Accept-Language field gives
 * the highest weight; of elements with equal weights the first counts.  count: the
 * client accepts none of them.
 */
size_t mpk_accept_language(const uint8_t *field, size_t len, const mpk_str_t *tags,
    size_t count);

/*
 * The index of the tag that matches a language tag or a locale ("de-AT", "de_AT"), in
 * any case: the same tag, or else its primary subtag ("de").  count: no tag matches.
 */
size_t mpk_language_find(const uint8_t *language, size_t len, const mpk_str_t *tags,
    size_t count);


#endif /* MPK_ACCEPT_H */
