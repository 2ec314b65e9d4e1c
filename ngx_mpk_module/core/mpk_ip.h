/* IP addresses. */

#ifndef MPK_IP_H
#define MPK_IP_H

#include "mpk.h"

#define MPK_IP_TEXT_MAX  45      /* RFC 4291, 2.2: an IPv6 address with an IPv4 one in it */


/* True for one IPv4 address (four decimal numbers) or one IPv6 address without a zone. */
bool mpk_ip_valid(mpk_str_t text);

/*
 * The part of an IPv6 address (16 bytes) by which clients are counted: the 4 bytes of the
 * IPv4 address in it, if it is mapped (RFC 4291, 2.5.5.2) or behind NAT64 with the
 * well-known prefix (RFC 6052, 2.1), else the 8 of its /64, all of which one client can
 * have.
 */
mpk_str_t mpk_ip_counted(const uint8_t address[16]);


#endif /* MPK_IP_H */
