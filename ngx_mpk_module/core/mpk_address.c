/* Tokens in addresses. */

#include "mpk_address.h"


static bool mpk_address_begins(mpk_str_t uri, mpk_str_t path);
static const uint8_t *mpk_address_find(mpk_str_t text, mpk_str_t path);
static size_t mpk_address_end(mpk_str_t text, size_t from);


bool
mpk_address_token(const uint8_t *uri, size_t len, mpk_str_t path,
    mpk_str_t *token)
{
    size_t  n;

    /* the last two: a no-break space */

    static const uint8_t  stray[] = "/.,;:!?)]}>\"' \xc2\xa0";

    if (!mpk_address_begins((mpk_str_t) { len, uri }, path)) {
        return false;
    }

    token->data = uri + path.len;
    token->len = len - path.len;

    for (n = 0; n < MPK_ADDRESS_STRAY && token->len; n++) {
        if (memchr(stray, token->data[token->len - 1], sizeof(stray) - 1)
            == NULL)
        {
            break;
        }

        token->len--;
    }

    return true;
}


mpk_status_t
mpk_address_hide(mpk_mem_t *mem, const uint8_t *text, size_t len,
    mpk_str_t uri, const mpk_str_t *paths, size_t count, mpk_str_t *out)
{
    bool            secret;
    size_t          i, from, to;
    mpk_buf_t       buf;
    const uint8_t  *p, *found;

    *out = (mpk_str_t) { len, text };

    p = NULL;
    secret = false;

    for (i = 0; i < count; i++) {

        if (paths[i].len == 0) {
            continue;
        }

        found = mpk_address_find(*out, paths[i]);

        if (found && (p == NULL || found + paths[i].len < p)) {
            p = found + paths[i].len;
        }

        secret |= mpk_address_begins(uri, paths[i]);
    }

    if (p == NULL && secret && len) {
        p = memchr(text, '/', len);

        /* of a request line that was hidden before, only "HTTP/1.1" has one */

        if (p && mpk_address_find((mpk_str_t) { (size_t) (p - text), text },
                                  mpk_string("[hidden]")))
        {
            p = NULL;
        }
    }

    if (p == NULL) {
        return MPK_OK;
    }

    from = (size_t) (p - text);
    to = mpk_address_end(*out, from);

    if (from == to) {
        return MPK_OK;
    }

    mpk_buf_init(&buf, mem, len + sizeof("[hidden]"));

    mpk_buf_put(&buf, text, from);
    mpk_buf_lit(&buf, "[hidden]");
    mpk_buf_put(&buf, text + to, len - to);

    *out = mpk_buf_done(&buf);

    return buf.failed ? MPK_NOMEM : MPK_OK;
}


/* True if uri begins with path, and has more behind it. */

static bool
mpk_address_begins(mpk_str_t uri, mpk_str_t path)
{
    return uri.len > path.len && path.len
           && memcmp(uri.data, path.data, path.len) == 0;
}


static const uint8_t *
mpk_address_find(mpk_str_t text, mpk_str_t path)
{
    const uint8_t  *p, *last;

    if (text.len < path.len) {
        return NULL;
    }

    last = text.data + text.len - path.len;

    for (p = text.data; p <= last; p++) {

        p = memchr(p, path.data[0], (size_t) (last - p) + 1);

        if (p == NULL || memcmp(p, path.data, path.len) == 0) {
            return p;
        }
    }

    return NULL;
}


/* The end of the path that goes on at from. */

static size_t
mpk_address_end(mpk_str_t text, size_t from)
{
    size_t  i;

    for (i = from; i < text.len; i++) {
        if (text.data[i] == ' ' || text.data[i] == '?' || text.data[i] == '#')
        {
            break;
        }
    }

    return i;
}
