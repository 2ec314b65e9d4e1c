/* One key of a keyring, and how errors call it.  For mpk_keyring.c. */

#ifndef MPK_JWK_H
#define MPK_JWK_H

#include "mpk_keyring.h"
#include "mpk_value.h"

#define MPK_JWK_LABEL  (MPK_KID_MAX + 24)    /* characters of a label, NUL included */
#define MPK_JWK_WORD   20                    /* of a quoted word: no secret is so short */


/*
 * Reads the key that stands number-th in the file (from 1).  Everything about it
 * alone is checked; what must hold between keys is not.  The secret's bytes are in
 * key only; on failure, key holds what was read so far.
 */
mpk_status_t mpk_jwk_read(const mpk_mem_t *mem, const mpk_value_t *value,
    size_t number, mpk_key_t *key, mpk_error_t *error);

/* Writes key "kid" to label, or its number as long as kid is empty. */
void mpk_jwk_label(char label[MPK_JWK_LABEL], size_t number, mpk_str_t kid);

/* Writes a space and the name in quotes; nothing if it is no short plain word. */
void mpk_jwk_word(char word[MPK_JWK_WORD], mpk_str_t name);


#endif /* MPK_JWK_H */
