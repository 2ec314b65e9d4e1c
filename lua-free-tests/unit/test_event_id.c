/* Ids of events: members of sorted sets, and their base64url. */

#include "mpk_event_id.h"
#include "test.h"

#define MAC  "\x01:\0\xff" "abcd"


static mpk_status_t
reads(const char *text, size_t len, mpk_event_id_t *id)
{
    uint8_t  *p;

    /* the exact size, so that AddressSanitizer sees what is read beyond it */

    p = test_alloc(NULL, len);
    memcpy(p, text, len);

    return mpk_event_id_read((mpk_str_t) { len, p }, id);
}

#define read_lit(text, id)  reads(text, sizeof(text) - 1, id)


static void
test_read(void)
{
    mpk_event_id_t  id;

    ok(read_lit("MP-1001:17:claim_opened:" MAC, &id) == MPK_OK, "a member");
    ok(mpk_str_eq(id.order, mpk_string("MP-1001")) && id.number == 17
       && mpk_str_eq(id.event, mpk_string("claim_opened"))
       && mpk_str_eq(id.mac, mpk_string(MAC)), "its order, number, event and MAC, which may have any bytes");

    ok(read_lit("A:1:filed:\0\0\0\0\0\0\0\0", &id) == MPK_OK, "a MAC of zeros");
    ok(read_lit("A:9999999999:filed:" MAC, &id) == MPK_OK && id.number == 9999999999, "the greatest number");
    ok(read_lit("A:10000000000:filed:" MAC, &id) == MPK_MALFORMED, "and not one more digit");

    ok(read_lit("", &id) == MPK_MALFORMED, "nothing is none");
    ok(read_lit("A", &id) == MPK_MALFORMED, "an order alone");
    ok(read_lit("A:1:filed", &id) == MPK_MALFORMED, "without a MAC");
    ok(read_lit("A:1:filed:1234567", &id) == MPK_MALFORMED, "a short MAC");
    ok(read_lit("A:1:filed:123456789", &id) == MPK_MALFORMED, "a long MAC");
    ok(read_lit("A:0:filed:" MAC, &id) == MPK_MALFORMED, "number 0");
    ok(read_lit("A:01:filed:" MAC, &id) == MPK_MALFORMED, "a leading zero, which would be another id of the same event");
    ok(read_lit("A:1x:filed:" MAC, &id) == MPK_MALFORMED, "a letter in the number");
    ok(read_lit("A::filed:" MAC, &id) == MPK_MALFORMED, "no number");
    ok(read_lit(":1:filed:" MAC, &id) == MPK_MALFORMED, "no order");
    ok(read_lit("..:1:filed:" MAC, &id) == MPK_MALFORMED, "an order that is no id");
    ok(read_lit("A/B:1:filed:" MAC, &id) == MPK_MALFORMED, "nor is this");
    ok(read_lit("A:1::" MAC, &id) == MPK_MALFORMED, "no event");
    ok(read_lit("A:1:Filed:" MAC, &id) == MPK_MALFORMED, "an event in capitals");
    ok(read_lit("A:1:fi\nled:" MAC, &id) == MPK_MALFORMED, "a line break in it");
    ok(read_lit("A:1:abcdefghijklmnopqrstuvwxyzabcdef:" MAC, &id) == MPK_OK, "an event of 32 characters");
    ok(read_lit("A:1:abcdefghijklmnopqrstuvwxyzabcdefg:" MAC, &id) == MPK_MALFORMED, "and of 33");
}


static void
test_text(void)
{
    mpk_str_t       member, longest, text, back;
    mpk_event_id_t  id;

    member = mpk_string("MP-1001:17:claim_opened:" MAC);
    text = mpk_event_id_encode(&test_mem, member);

    ok(mpk_event_id_decode(&test_mem, text, &back, &id) == MPK_OK && mpk_str_eq(back, member), "an id comes back as its member");

    longest = mpk_string("1234567890123456789012345678901234567890123456789012345678901234"
                         ":9999999999:abcdefghijklmnopqrstuvwxyzabcdef:" MAC);
    text = mpk_event_id_encode(&test_mem, longest);

    ok(longest.len == MPK_EVENT_ID_MEMBER && text.len == MPK_EVENT_ID_MAX, "the longest is as long as the header says");
    ok(mpk_event_id_decode(&test_mem, text, &back, &id) == MPK_OK && id.order.len == 64, "and is taken");

    text.len--;
    ok(mpk_event_id_decode(&test_mem, text, &back, &id) == MPK_MALFORMED, "a part of it is not");

    ok(mpk_event_id_decode(&test_mem, mpk_string(""), &back, &id) == MPK_MALFORMED, "nothing");
    ok(mpk_event_id_decode(&test_mem, mpk_string("QS0x"), &back, &id) == MPK_MALFORMED, "the text of something else");
    ok(mpk_event_id_decode(&test_mem, mpk_string("not base64url!"), &back, &id) == MPK_MALFORMED, "no base64url");

    text.data = memset(test_alloc(NULL, MPK_EVENT_ID_MAX + 1), 'A', MPK_EVENT_ID_MAX + 1);
    text.len = MPK_EVENT_ID_MAX + 1;
    ok(mpk_event_id_decode(&test_mem, text, &back, &id) == MPK_MALFORMED, "one that is too long");
}


int
main(void)
{
    test_read();
    test_text();

    return done_testing();
}
