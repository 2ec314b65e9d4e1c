/* JSON (RFC 8259): read with yajl under limits into a value tree; written from one. */

#ifndef MPK_JSON_H
#define MPK_JSON_H

#include "mpk_value.h"


typedef struct {
    size_t  size;        /* bytes of input */
    size_t  depth;       /* of nested arrays and objects */
    size_t  values;      /* in all, names of members not counted */
} mpk_json_limits_t;


/*
 * Reads exactly one JSON value from the whole input.  Strings without escapes
 * may refer into data, which must outlive the tree.
 *
 * Refused: invalid JSON or UTF-8, bytes after the value, a number that is not an
 * int64 (MPK_MALFORMED; fractions are not needed), a member that occurs twice in one
 * object (MPK_DUPLICATE), anything over limits (MPK_LIMIT).  error gets the line and
 * the reason.
 */
mpk_status_t mpk_json_read(mpk_mem_t *mem, const uint8_t *data, size_t len,
    const mpk_json_limits_t *limits, mpk_value_t **out, mpk_error_t *error);

/* Appends value as JSON, members in order.  A NULL value makes buf fail. */
void mpk_json_write(mpk_buf_t *buf, const mpk_value_t *value);

/* Appends string as a JSON string, quotes included; also safe inside <script>. */
void mpk_json_write_string(mpk_buf_t *buf, mpk_str_t string);


#endif /* MPK_JSON_H */
