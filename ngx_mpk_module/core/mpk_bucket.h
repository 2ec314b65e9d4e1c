/* The 64 buckets that orders are spread over, and their Redis Cluster hash tags. */

#ifndef MPK_BUCKET_H
#define MPK_BUCKET_H

#include "mpk.h"

#define MPK_BUCKETS  64


/* The CRC16 of Redis Cluster: CCITT, polynomial 0x1021, initial value 0 (XMODEM). */
uint16_t mpk_crc16(const uint8_t *data, size_t len);

/* The bucket of an order (or of an account hash, an address, ...): 0..63. */
unsigned mpk_bucket(mpk_str_t name);

/* A bucket's hash tag, without braces; its slot is in 256 * bucket .. 256 * bucket + 255. */
mpk_str_t mpk_bucket_tag(unsigned bucket);


#endif /* MPK_BUCKET_H */
