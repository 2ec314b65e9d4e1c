/* The id of an event of the feed. */

#include "mpk_base64url.h"
#include "mpk_event_id.h"
#include "mpk_token.h"


static mpk_str_t mpk_event_id_part(mpk_str_t *rest);


mpk_status_t
mpk_event_id_read(mpk_str_t member, mpk_event_id_t *id)
{
    size_t     i;
    uint8_t    ch;
    mpk_str_t  number;

    id->order = mpk_event_id_part(&member);
    number = mpk_event_id_part(&member);
    id->event = mpk_event_id_part(&member);
    id->mac = member;
    id->number = 0;

    if (!mpk_order_id_valid(id->order)
        || number.len == 0 || number.len > MPK_EVENT_ID_NUMBER
        || number.data[0] == '0'
        || id->event.len == 0 || id->event.len > MPK_EVENT_ID_EVENT
        || id->mac.len != MPK_EVENT_ID_MAC)
    {
        return MPK_MALFORMED;
    }

    for (i = 0; i < number.len; i++) {
        ch = number.data[i];

        if (ch < '0' || ch > '9') {
            return MPK_MALFORMED;
        }

        id->number = id->number * 10 + (ch - '0');
    }

    for (i = 0; i < id->event.len; i++) {
        ch = id->event.data[i];

        if ((ch < 'a' || ch > 'z') && ch != '_') {
            return MPK_MALFORMED;
        }
    }

    return MPK_OK;
}


/* Takes the text before the next colon, or all of it. */

static mpk_str_t
mpk_event_id_part(mpk_str_t *rest)
{
    mpk_str_t       part;
    const uint8_t  *colon;

    part = *rest;

    colon = rest->len ? memchr(rest->data, ':', rest->len) : NULL;

    if (colon == NULL) {
        rest->len = 0;
        return part;
    }

    part.len = (size_t) (colon - rest->data);

    rest->data += part.len + 1;
    rest->len -= part.len + 1;

    return part;
}


mpk_str_t
mpk_event_id_encode(mpk_mem_t *mem, mpk_str_t member)
{
    size_t    len;
    uint8_t  *p;

    len = mpk_base64url_encoded_len(member.len);

    p = mpk_alloc(mem, len);
    if (p == NULL) {
        return mpk_string("");
    }

    mpk_base64url_encode(p, member.data, member.len);

    return (mpk_str_t) { len, p };
}


mpk_status_t
mpk_event_id_decode(mpk_mem_t *mem, mpk_str_t text, mpk_str_t *member,
    mpk_event_id_t *id)
{
    uint8_t  *p;

    if (text.len == 0 || text.len > MPK_EVENT_ID_MAX) {
        return MPK_MALFORMED;
    }

    p = mpk_alloc(mem, MPK_EVENT_ID_MEMBER + 1);
    if (p == NULL) {
        return MPK_NOMEM;
    }

    if (mpk_base64url_decode(p, text.data, text.len) != MPK_OK) {
        return MPK_MALFORMED;
    }

    *member = (mpk_str_t) { mpk_base64url_decoded_len(text.len), p };

    return mpk_event_id_read(*member, id);
}
