/* Numbers of orders as people type them. */

#include "mpk_number.h"
#include "mpk_token.h"
#include "mpk_typed.h"


static mpk_str_t mpk_number_word(mpk_str_t text, uint8_t *bytes);
static mpk_str_t mpk_number_bare(mpk_str_t id);
static void mpk_number_add(mpk_number_t *number, mpk_str_t id, uint8_t first, uint8_t last);


bool
mpk_number_read(mpk_str_t text, mpk_number_t *number)
{
    uint8_t    bytes[MPK_NUMBER_MAX];
    mpk_str_t  word, bare;

    memset(number, 0, sizeof(mpk_number_t));

    if (text.len > MPK_NUMBER_MAX) {
        return false;
    }

    word = mpk_number_word(text, bytes);
    bare = mpk_number_bare(word);

    mpk_number_add(number, word, 0, 0);
    mpk_number_add(number, bare, 0, 0);
    mpk_number_add(number, bare, 'a', 'z');
    mpk_number_add(number, bare, 'A', 'Z');

    return number->count != 0;
}


mpk_str_t
mpk_number_counted(mpk_str_t id, uint8_t bytes[MPK_NUMBER_ID_LEN])
{
    mpk_number_t  number;

    number.count = 0;

    mpk_number_add(&number, mpk_number_bare(id), 'a', 'z');

    if (number.count == 0) {
        return id;
    }

    memcpy(bytes, number.bytes[0], number.ids[0].len);

    return (mpk_str_t) { number.ids[0].len, bytes };
}


/* Finds the word to look up; it is written to bytes, which has room for the whole text. */

static mpk_str_t
mpk_number_word(mpk_str_t text, uint8_t *bytes)
{
    bool       digit, digits;
    size_t     i, n, start;
    uint8_t    ch;
    mpk_str_t  word, found;

    found = (mpk_str_t) { 0, bytes };
    digit = false;
    digits = false;
    n = 0;
    start = 0;

    for (i = 0; i <= text.len; /* void */) {
        ch = ' ';
        i += i < text.len ? mpk_typed_char(text.data + i, text.len - i, &ch)
                          : 1;

        if (ch == 0) {
            continue;
        }

        if (mpk_order_id_char(ch)) {
            digit |= ch >= '0' && ch <= '9';
            bytes[n++] = ch;
            continue;
        }

        word = (mpk_str_t) { n - start, bytes + start };

        if (mpk_order_id_valid(word) && digit >= digits) {
            found = word;
            digits = digit;
        }

        digit = false;
        start = n;
    }

    return found;
}


/* Strips the punctuation around an id. */

static mpk_str_t
mpk_number_bare(mpk_str_t id)
{
    while (id.len && memchr("._-", id.data[0], 3)) {
        id.data++;
        id.len--;
    }

    while (id.len && memchr("._-", id.data[id.len - 1], 3)) {
        id.len--;
    }

    return id;
}


/* Adds an id with the case of letters from first to last changed, unless it is there already. */

static void
mpk_number_add(mpk_number_t *number, mpk_str_t id, uint8_t first, uint8_t last)
{
    size_t    i;
    uint8_t  *p;

    if (!mpk_order_id_valid(id)) {
        return;
    }

    p = number->bytes[number->count];

    for (i = 0; i < id.len; i++) {
        p[i] = id.data[i] >= first && id.data[i] <= last ? id.data[i] ^ 0x20
                                                         : id.data[i];
    }

    id.data = p;

    for (i = 0; i < number->count; i++) {
        if (mpk_str_eq(number->ids[i], id)) {
            return;
        }
    }

    number->ids[number->count++] = id;
}
