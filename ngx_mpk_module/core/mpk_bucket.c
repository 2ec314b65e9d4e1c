/* The 64 buckets that orders are spread over, and their Redis Cluster hash tags. */

#include "mpk_bucket.h"


/*
 * For each range of 256 slots the first of the shortest tags whose slot lies in it.
 * They are part of the keys in Redis: the table must never change.
 */
static const char  mpk_bucket_tags[MPK_BUCKETS][3] = {
    "bh", "bd", "by", "bq", "aa", "ai", "ap", "ax",
    "c2", "ds", "b9", "b1", "fh", "fd", "a0", "a8",
    "bi", "ba", "bx", "bp", "ad", "ah", "aq", "ay",
    "c3", "dr", "b8", "b0", "fi", "fa", "a1", "a9",
    "bj", "bb", "ca", "bs", "ac", "ak", "ar", "az",
    "c0", "c8", "dh", "b3", "fj", "fb", "a2", "fs",
    "bk", "bc", "bz", "br", "ab", "aj", "as", "f2",
    "c1", "c9", "di", "b2", "fk", "fc", "a3", "fr",
};


/* CRC16 of a nibble: 32 bytes, to use little of the CPU cache. */
static const uint16_t  mpk_crc16_nibbles[16] = {
    0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7,
    0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef
};


uint16_t
mpk_crc16(const uint8_t *data, size_t len)
{
    uint16_t  crc;

    crc = 0;

    while (len--) {
        crc = (uint16_t) (crc << 4
                          ^ mpk_crc16_nibbles[crc >> 12 ^ *data >> 4]);
        crc = (uint16_t) (crc << 4
                          ^ mpk_crc16_nibbles[crc >> 12 ^ (*data & 0x0f)]);
        data++;
    }

    return crc;
}


unsigned
mpk_bucket(mpk_str_t name)
{
    return mpk_crc16(name.data, name.len) % MPK_BUCKETS;
}


mpk_str_t
mpk_bucket_tag(unsigned bucket)
{
    return (mpk_str_t) { sizeof(mpk_bucket_tags[0]) - 1,
                         (const uint8_t *) mpk_bucket_tags[bucket] };
}
