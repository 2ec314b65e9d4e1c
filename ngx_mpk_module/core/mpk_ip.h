/* IP addresses. */

#ifndef MPK_IP_H
#define MPK_IP_H

#include "mpk.h"

#define MPK_IP_TEXT_MAX  45      /* RFC 4291, 2.2: an IPv6 address with an IPv4 one in it */


/* True for one IPv4 address (four decimal numbers) or one IPv6 address without a zone. */
bool mpk_ip_valid(mpk_str_t text);


#endif /* MPK_IP_H */
