/* Accept and Accept-Language (RFC 9110, 12.5.1 and 12.5.4): what a client prefers. */

#ifndef MPK_ACCEPT_H
#define MPK_ACCEPT_H

#include "mpk.h"


/*
 * How an Accept field ranks a media type: the higher, the more it is preferred; 0: it is
 * not acceptable.  The most specific range that the type is in counts, and the first of
 * several (RFC 9110, 12.5.1).  Of two types with the same weight the one that is named
 * ranks before the one that is only in a range: programs send application/json with a
 * range of all types behind it.
 */
unsigned mpk_accept_rank(const uint8_t *field, size_t len, mpk_str_t type);

/*
 * The index of the tag, out of tags in lower case, that an Accept-Language field gives
 * the highest weight; of elements with equal weights the first counts.  count: the
 * client accepts none of them.
 */
size_t mpk_accept_language(const uint8_t *field, size_t len, const mpk_str_t *tags,
    size_t count);

/*
 * The index of the tag, out of tags in lower case, that matches a language tag or a
 * locale ("de-AT", "de_AT.UTF-8", "de@euro"), in any case: the lookup of RFC 4647, 3.4,
 * so that "zh-Hant-TW" finds "zh-hant", or else "zh".  count: no tag matches.
 */
size_t mpk_language_find(const uint8_t *language, size_t len, const mpk_str_t *tags,
    size_t count);


#endif /* MPK_ACCEPT_H */
