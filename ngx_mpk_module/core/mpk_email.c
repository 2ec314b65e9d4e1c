/* Email addresses: syntax, and the form in which they are compared. */

#include <idn2.h>

#include "mpk_email.h"
#include "mpk_escape.h"


static bool mpk_email_local(mpk_str_t local);
static bool mpk_email_quoted(mpk_str_t local);
static bool mpk_email_atext(uint8_t ch);
static mpk_status_t mpk_email_domain(mpk_str_t domain, mpk_email_t *email);
static bool mpk_email_letters(mpk_str_t domain, bool *ascii);
static bool mpk_email_labels(mpk_str_t domain);
static void mpk_email_put(mpk_email_t *email, mpk_str_t text);


mpk_status_t
mpk_email_read(mpk_str_t text, mpk_email_t *email)
{
    size_t        at;
    mpk_str_t     local, domain;
    mpk_status_t  status;

    email->len = 0;

    if (text.len > MPK_EMAIL_MAX) {
        return MPK_MALFORMED;
    }

    /* a quoted local part may have an "@", too */

    for (at = text.len; at > 0 && text.data[at - 1] != '@'; at--) { /* void */ }

    if (at == 0) {
        return MPK_MALFORMED;
    }

    local = (mpk_str_t) { at - 1, text.data };
    domain = (mpk_str_t) { text.len - at, text.data + at };

    if (!mpk_utf8_valid(text.data, text.len) || !mpk_email_local(local)) {
        return MPK_MALFORMED;
    }

    mpk_email_put(email, (mpk_str_t) { at, text.data });

    status = mpk_email_domain(domain, email);

    if (status == MPK_OK && email->len > MPK_EMAIL_MAX) {
        status = MPK_MALFORMED;
    }

    if (status != MPK_OK) {
        mpk_cleanse(email->data, at);
        email->len = 0;
    }

    return status;
}


mpk_status_t
mpk_email_compared(mpk_str_t *text, mpk_email_t *email)
{
    mpk_str_t     s;
    mpk_status_t  status;

    s = *text;

    while (s.len && s.data[0] <= ' ') {
        s.data++;
        s.len--;
    }

    while (s.len && s.data[s.len - 1] <= ' ') {
        s.len--;
    }

    status = mpk_email_read(s, email);

    if (status == MPK_OK) {
        *text = (mpk_str_t) { email->len, email->data };
    }

    return status;
}


/* A dot-string or a quoted string. */

static bool
mpk_email_local(mpk_str_t local)
{
    size_t   i;
    uint8_t  ch, last;

    if (local.len == 0 || local.len > MPK_EMAIL_LOCAL_MAX) {
        return false;
    }

    /*
     * control characters and line ends beyond ASCII (RFC 5198, 2), and what mail software
     * would decode in a header, though it must not (RFC 2047, 5)
     */

    for (i = 0; i + 1 < local.len; i++) {
        if ((local.data[i] == '=' && local.data[i + 1] == '?')
            || (local.data[i] == 0xc2 && local.data[i + 1] < 0xa0)
            || (local.data[i] == 0xe2 && local.data[i + 1] == 0x80
                && (local.data[i + 2] & 0xfe) == 0xa8))
        {
            return false;
        }
    }

    if (local.data[0] == '"') {
        return mpk_email_quoted(local);
    }

    last = '.';

    for (i = 0; i < local.len; i++) {
        ch = local.data[i];

        if (ch == '.' ? last == '.' : !mpk_email_atext(ch)) {
            return false;
        }

        last = ch;
    }

    return last != '.';
}


static bool
mpk_email_quoted(mpk_str_t local)
{
    size_t   i, end;
    uint8_t  ch;

    end = local.len - 1;

    if (end == 0 || local.data[end] != '"') {
        return false;
    }

    for (i = 1; i < end; i++) {
        ch = local.data[i];

        if (ch == '\\') {
            ch = local.data[++i];

            if (i == end || ch >= 0x80) {
                return false;
            }

        } else if (ch == '"') {
            return false;
        }

        if (ch < ' ' || ch == 0x7f) {
            return false;
        }
    }

    return true;
}


/* atext of RFC 5322, 3.2.3, with what RFC 6531 adds. */

static bool
mpk_email_atext(uint8_t ch)
{
    static const char  marks[] = "!#$%&'*+-/=?^_`{|}~";

    return (ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z')
           || (ch >= '0' && ch <= '9') || ch >= 0x80
           || memchr(marks, ch, sizeof(marks) - 1);
}


static mpk_status_t
mpk_email_domain(mpk_str_t domain, mpk_email_t *email)
{
    int           rc;
    bool          ascii;
    char          text[MPK_EMAIL_MAX + 1], *labels;
    mpk_str_t     s;
    mpk_status_t  status;

    if (!mpk_email_letters(domain, &ascii)) {
        return MPK_MALFORMED;
    }

    if (ascii) {
        mpk_email_put(email, domain);
        return mpk_email_labels(domain) ? MPK_OK : MPK_MALFORMED;
    }

    memcpy(text, domain.data, domain.len);
    text[domain.len] = '\0';

    rc = idn2_to_ascii_8z(text, &labels, IDN2_NONTRANSITIONAL);

    mpk_cleanse(text, domain.len);

    if (rc != IDN2_OK) {
        return rc == IDN2_MALLOC ? MPK_NOMEM : MPK_MALFORMED;
    }

    s = (mpk_str_t) { strlen(labels), (uint8_t *) labels };
    status = MPK_MALFORMED;

    if (mpk_email_letters(s, &ascii) && ascii && mpk_email_labels(s)) {
        mpk_email_put(email, s);
        status = MPK_OK;
    }

    mpk_cleanse(labels, s.len);
    idn2_free(labels);

    return status;
}


/*
 * Letters, digits, hyphens, dots, and what is not ASCII: libidn2 would pass on anything
 * else, a blank or a NUL among them.
 */

static bool
mpk_email_letters(mpk_str_t domain, bool *ascii)
{
    size_t   i;
    uint8_t  ch;

    *ascii = true;

    for (i = 0; i < domain.len; i++) {
        ch = domain.data[i];

        if (ch >= 0x80) {
            *ascii = false;

        } else if (!((ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z')
                     || (ch >= '0' && ch <= '9') || ch == '-' || ch == '.'))
        {
            return false;
        }
    }

    return true;
}


/* Labels of 1 to 63 bytes, without a hyphen at their ends. */

static bool
mpk_email_labels(mpk_str_t domain)
{
    size_t  i, start;

    if (domain.len > MPK_EMAIL_DOMAIN_MAX) {
        return false;
    }

    for (i = 0, start = 0; i <= domain.len; i++) {

        if (i < domain.len && domain.data[i] != '.') {
            continue;
        }

        if (i == start || i - start > MPK_EMAIL_LABEL_MAX
            || domain.data[start] == '-' || domain.data[i - 1] == '-')
        {
            return false;
        }

        start = i + 1;
    }

    return true;
}


/* Appends text with its ASCII letters in lower case. */

static void
mpk_email_put(mpk_email_t *email, mpk_str_t text)
{
    size_t   i;
    uint8_t  ch;

    for (i = 0; i < text.len; i++) {
        ch = text.data[i];

        email->data[email->len++] = (ch >= 'A' && ch <= 'Z')
                                    ? (uint8_t) (ch | 0x20) : ch;
    }
}
