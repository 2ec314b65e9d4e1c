/* The id of an event as a consumer sends it: one that is taken is the only text of its member. */

#include "fuzz.h"
#include "mpk_event_id.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mpk_str_t       text, member, again;
    mpk_event_id_t  id;

    text = (mpk_str_t) { size, data };

    if (mpk_event_id_decode(&fuzz_mem, text, &member, &id) == MPK_OK) {

        must(member.len <= MPK_EVENT_ID_MEMBER && size <= MPK_EVENT_ID_MAX);
        must(id.order.len && id.order.len <= 64 && id.number >= 1 && id.number <= 9999999999);
        must(id.event.len && id.event.len <= MPK_EVENT_ID_EVENT && id.mac.len == MPK_EVENT_ID_MAC);

        again = mpk_event_id_encode(&fuzz_mem, member);
        must(mpk_str_eq(again, text));
    }

    if (mpk_event_id_read(text, &id) == MPK_OK) {
        again = mpk_event_id_encode(&fuzz_mem, text);
        must(mpk_event_id_decode(&fuzz_mem, again, &member, &id) == MPK_OK && mpk_str_eq(member, text));
    }

    fuzz_free_all();

    return 0;
}
