/*
 * Email addresses: what is compared is ASCII behind the "@", has no line break, and is
 * itself the form in which it is compared.
 */

#include "fuzz.h"
#include "mpk_email.h"
#include "mpk_escape.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t        i;
    bool          domain;
    mpk_str_t     text;
    mpk_email_t   email, again;
    mpk_status_t  status;

    text = (mpk_str_t) { size, data };
    status = mpk_email_compared(&text, &email);

    if (status != MPK_OK) {
        must(status == MPK_MALFORMED);
        must(email.len == 0 && text.data == data && text.len == size);
        return 0;
    }

    must(text.data == email.data && text.len == email.len);
    must(email.len >= 3 && email.len <= MPK_EMAIL_MAX);
    must(mpk_utf8_valid(email.data, email.len));

    for (i = email.len, domain = true; i-- > 0; /* void */ ) {
        must(email.data[i] >= ' ' && email.data[i] != 0x7f);
        must(email.data[i] < 'A' || email.data[i] > 'Z');

        domain = domain && email.data[i] != '@';
        must(!domain || (email.data[i] < 0x80 && email.data[i] != ' '));
    }

    must(!domain);

    must(mpk_email_read(text, &again) == MPK_OK);
    must(mpk_str_eq((mpk_str_t) { again.len, again.data }, text));

    return 0;
}
