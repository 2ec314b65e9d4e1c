/* Email addresses: what can be mailed, and which are the same. */

#include "mpk_email.h"
#include "test.h"

#define A64   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A61   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A63   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"


/* Exactly the text's bytes, so that AddressSanitizer detects reads past them. */

static mpk_str_t
str(const char *s)
{
    mpk_str_t  out;

    if (mpk_dup(&test_mem, (mpk_str_t) { strlen(s), (const uint8_t *) s }, &out) != MPK_OK) {
        exit(1);
    }

    return out;
}


static bool
is(const mpk_email_t *email, const char *s)
{
    return mpk_str_eq((mpk_str_t) { email->len, email->data }, str(s));
}


int
main(void)
{
    size_t       i;
    mpk_str_t    text;
    mpk_email_t  email;

    static const struct {
        const char  *text;
        const char  *same;
        const char  *name;
    } good[] = {
        { "ann@example.com", "ann@example.com", "an address" },
        { "Ann.Lee+Shop@EXAMPLE.Com", "ann.lee+shop@example.com", "ASCII letters have no case; dots and plus tags stay" },
        { "a!#$%&'*+-/?=^_`{|}~b@x", "a!#$%&'*+-/?=^_`{|}~b@x", "all marks of an atom, a domain of one label" },
        { "ann@m\xc3\xbcller.example", "ann@xn--mller-kva.example", "a domain becomes A-labels" },
        { "ann@xn--mller-kva.example", "ann@xn--mller-kva.example", "which stay as they are" },
        { "ann@XN--MLLER-KVA.Example", "ann@xn--mller-kva.example", "in lower case" },
        { "ann@M\xc3\x9cLLER.example", "ann@xn--mller-kva.example", "a domain has no case beyond ASCII" },
        { "ann@mu\xcc\x88ller.example", "ann@xn--mller-kva.example", "nor two ways to write an umlaut" },
        { "ann@shop.m\xc3\xbcller.example", "ann@shop.xn--mller-kva.example", "only its labels that are not ASCII change" },
        { "ann@fa\xc3\x9f.example", "ann@xn--fa-hia.example", "a sharp s is its own letter, as in IDNA2008" },
        { "ann@\xe4\xbe\x8b\xe3\x80\x82" "example", "ann@xn--fsq.example", "an ideographic full stop separates labels" },
        { "j\xc3\xbcrgen@example.com", "j\xc3\xbcrgen@example.com", "RFC 6531: a local part of UTF-8" },
        { "J\xc3\xbcrgen@m\xc3\xbcller.example", "j\xc3\xbcrgen@xn--mller-kva.example", "with such a domain" },
        { "\"Ann Lee\"@example.com", "\"ann lee\"@example.com", "a quoted string" },
        { "\"a@b, c\\\"d\\\\\"@example.com", "\"a@b, c\\\"d\\\\\"@example.com", "with anything in it" },
        { "\"\"@example.com", "\"\"@example.com", "even nothing" },
        { A64 "@example.com", A64 "@example.com", "a local part of 64 bytes" },
        { "a@" A63 ".example", "a@" A63 ".example", "a label of 63 bytes" },
    };

    static const struct {
        const char  *text;
        const char  *name;
    } bad[] = {
        { "", "nothing" },
        { "ann", "a name" },
        { "@", "an at sign" },
        { "@example.com", "a domain" },
        { "ann@", "no domain" },
        { "a b@example.com", "a blank in the local part" },
        { "=?utf-8?q?eve=40evil.example=2C?=@example.com", "an encoded word, which mail software decodes" },
        { "\"=?utf-8?q?eve?=\"@example.com", "one in quotes" },
        { A64 "@\303\274.\303\274.\303\274.\303\274.\303\274.\303\274.\303\274.\303\274.\303\274.\303\274.\303\274.\303\274."
          "\303\274.\303\274.\303\274.\303\274.\303\274.\303\274.\303\274.\303\274.\303\274.\303\274.\303\274.\303\274.\303\274", "one that is too long in A-labels" },
        { "ann@exam ple.com", "a blank in the domain" },
        { "ann@m\xc3\xbc ller.example", "also in one that is not ASCII" },
        { " ann@example.com", "a blank in front" },
        { "ann@example.com ", "a blank behind" },
        { "ann@example.com\n", "a line break behind" },
        { "ann@example.com\r\nBcc: eve@example.com", "a header behind" },
        { "an\nn@example.com", "a line break inside" },
        { "\"an\nn\"@example.com", "also in a quoted string" },
        { "an\xc2\x85n@example.com", "a line break beyond ASCII" },
        { "an\xe2\x80\xa8n@example.com", "a line separator" },
        { "an\x7fn@example.com", "a control character" },
        { "ann@example.com,bob@example.com", "two with a comma" },
        { "ann@example.com, bob@example.com", "and a blank" },
        { "ann@example.com;bob@example.com", "two with a semicolon" },
        { "ann@example.com bob@example.com", "two with a blank" },
        { "ann@bob@example.com", "two at signs" },
        { "Ann <ann@example.com>", "a name in front" },
        { "<ann@example.com>", "brackets" },
        { "mailto:ann@example.com", "a scheme" },
        { ".ann@example.com", "a full stop at the start" },
        { "ann.@example.com", "at the end" },
        { "a..nn@example.com", "two in a row" },
        { "\"ann@example.com", "an open quote" },
        { "\"@example.com", "a quote alone" },
        { "\"an\"n@example.com", "a quoted string that ends early" },
        { "\"ann\\\"@example.com", "one whose end is escaped" },
        { "\"ann\\\xc3\xbc\"@example.com", "an escaped character that is not ASCII" },
        { "an(n)@example.com", "a comment" },
        { "ann@.example.com", "a full stop before the domain" },
        { "ann@example.com.", "behind it" },
        { "ann@example..com", "an empty label" },
        { "ann@m\xc3\xbcller..example", "also in one that is not ASCII" },
        { "ann@m\xc3\xbcller.example.", "nor a full stop behind that" },
        { "ann@-example.com", "a hyphen at the start of a label" },
        { "ann@example-.com", "at its end" },
        { "ann@exa_mple.com", "an underscore in a domain" },
        { "ann@[192.0.2.1]", "an address literal" },
        { "ann@xn--m\xc3\xbcller.example", "an A-label that is not ASCII" },
        { "ann@a\xe2\x9d\xa4.example", "a domain with what IDNA2008 has no place for" },
        { "ann@\xff.example", "no UTF-8" },
        { "\xff@example.com", "in the local part, either" },
        { "a" A64 "@example.com", "a local part of 65 bytes" },
        { "a@a" A63 ".example", "a label of 64 bytes" },
        { "a@\xc3\xbc" A63 ".example", "one of more than 63 as an A-label" },
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ok(mpk_email_read(str(good[i].text), &email) == MPK_OK && is(&email, good[i].same), good[i].name);
        ok(mpk_email_read((mpk_str_t) { email.len, email.data }, &email) == MPK_OK && is(&email, good[i].same),
           "and the form that is compared is its own");
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(mpk_email_read(str(bad[i].text), &email) == MPK_MALFORMED && email.len == 0, bad[i].name);
    }

    ok(mpk_email_read((mpk_str_t) { 12, (const uint8_t *) "ann@exa\0mple" }, &email) == MPK_MALFORMED
       && mpk_email_read((mpk_str_t) { 12, (const uint8_t *) "a\0n@exa.mple" }, &email) == MPK_MALFORMED
       && mpk_email_read((mpk_str_t) { 13, (const uint8_t *) "ann@\xc3\xbc.d\0e.f" }, &email) == MPK_MALFORMED, "a NUL");

    ok(mpk_email_read(str(A64 "@" A63 "." A63 "." A61), &email) == MPK_OK && email.len == MPK_EMAIL_MAX, "254 bytes");
    ok(mpk_email_read(str(A64 "@" A63 "." A63 "." A61 "a"), &email) == MPK_MALFORMED, "255 are too many");

    text = str(" \tAnn@M\xc3\xbcller.example\r\n");
    ok(mpk_email_compared(&text, &email) == MPK_OK && mpk_str_eq(text, str("ann@xn--mller-kva.example")),
       "white space around what somebody typed is forgiven");
    text = str(" Ann ");
    ok(mpk_email_compared(&text, &email) == MPK_MALFORMED && mpk_str_eq(text, str(" Ann ")), "what is no address stays as it is");

    return done_testing();
}
