/* Tokens in addresses: read, and hidden in any encoding. */

#include "mpk_address.h"
#include "test.h"


static const mpk_str_t  paths[] = {
    mpk_literal("/r/"), mpk_literal(""), mpk_literal("/claim/")
};


static mpk_str_t
str(const char *s)
{
    mpk_str_t  out;

    if (mpk_dup(&test_mem, (mpk_str_t) { strlen(s), (const uint8_t *) s }, &out) != MPK_OK) {
        exit(1);
    }

    return out;
}


static int
hides(const char *uri, const char *text, const char *hidden)
{
    mpk_str_t  in, out;

    in = str(text);

    return mpk_address_hide(&test_mem, in.data, in.len, str(uri), paths, 3, &out) == MPK_OK
           && mpk_str_eq(out, str(hidden));
}


static void *
no_memory(void *ctx, size_t size)
{
    (void) ctx;
    (void) size;

    return NULL;
}


int
main(void)
{
    char       text[64];
    size_t     i;
    mpk_str_t  token, uri, out;

    static const char *const  stray[] = {
        "/", ".", ",", ")", ">", "]", "\"", "'", ";", ":", "!", " ", "\xc2\xa0", ">.", ").", "/.", " >"
    };
    static mpk_mem_t  none = { no_memory, NULL, false };

    uri = str("/r/abc");
    ok(mpk_address_token(uri.data, uri.len, paths[0], &token) && mpk_str_eq(token, str("abc")),
       "a token follows its path");
    ok(!mpk_address_token(uri.data, 3, paths[0], &token), "an empty token is refused");
    ok(!mpk_address_token(uri.data, 2, paths[0], &token), "nor is less than the path");
    ok(!mpk_address_token(uri.data, uri.len, paths[2], &token), "another path has none");
    ok(!mpk_address_token(uri.data, uri.len, paths[1], &token), "nor has an empty one");
    uri = str("/r/abc/d");
    ok(mpk_address_token(uri.data, uri.len, paths[0], &token) && mpk_str_eq(token, str("abc/d")), "all that follows is the token");

    for (i = 0; i < sizeof(stray) / sizeof(stray[0]); i++) {
        (void) snprintf(text, sizeof(text), "/r/abc%s", stray[i]);
        uri = str(text);
        ok(mpk_address_token(uri.data, uri.len, paths[0], &token) && mpk_str_eq(token, str("abc")), stray[i]);
    }

    uri = str("/r/...");
    ok(mpk_address_token(uri.data, uri.len, paths[0], &token) && token.len == 0, "nothing else is no token");
    uri = str("/r/abc.........");
    ok(mpk_address_token(uri.data, uri.len, paths[0], &token) && mpk_str_eq(token, str("abc.")), "eight bytes are cut off at most");

    ok(hides("/r/abc", "GET /r/abc HTTP/1.1", "GET /r/[hidden] HTTP/1.1"), "a request line");
    ok(hides("/r/abc", "GET /r/abc?x=1 HTTP/1.1", "GET /r/[hidden]?x=1 HTTP/1.1"), "up to a query");
    ok(hides("/r/abc", "/r/abc#x?y", "/r/[hidden]#x?y"), "up to a fragment");
    ok(hides("/r/abc", "/r/abc", "/r/[hidden]"), "a path alone");
    ok(hides("/claim/abc", "/claim/abc/more", "/claim/[hidden]"), "all segments behind another path");
    ok(hides("", "https://x/r/abc", "https://x/r/[hidden]"), "a Referer");
    ok(hides("", "https://x/claim/r/abc", "https://x/claim/[hidden]"), "from behind the first path found");
    ok(hides("", "https://x/r/claim/abc", "https://x/r/[hidden]"), "whichever it is");
    ok(hides("/r/", "GET /r/ HTTP/1.1", "GET /r/ HTTP/1.1"), "nothing, where nothing follows");
    ok(hides("/other", "GET /other HTTP/1.1", "GET /other HTTP/1.1"), "nothing of another address");
    ok(hides("", "", ""), "nothing of nothing");
    ok(hides("/", "/r", "/r"), "nothing of less than a path");

    ok(hides("/r/abc", "GET /r%2fabc HTTP/1.1", "GET [hidden] HTTP/1.1"), "an address that is encoded differently");
    ok(hides("/r/abc", "GET //x/..%2fr%2fabc?a HTTP/1.1", "GET [hidden]?a HTTP/1.1"), "up to its query");
    ok(hides("/r/abc", "GET x HTTP/1.1", "GET x HTTP[hidden]"), "from the first slash, wherever it is");
    ok(hides("/r/abc", "x", "x"), "nothing without a slash");
    ok(hides("", "https://x/r%2fabc", "https://x/r%2fabc"), "not in another request's address");
    ok(hides("/r/", "GET /r%2f HTTP/1.1", "GET /r%2f HTTP/1.1"), "not where the request has no token");

    uri = str("/r/abc");
    ok(mpk_address_hide(&none, uri.data, uri.len, uri, paths, 3, &out) == MPK_NOMEM, "running out of memory is MPK_NOMEM");
    ok(mpk_address_hide(&none, uri.data, 3, uri, paths, 3, &out) == MPK_OK && out.data == uri.data,
       "and nothing is allocated where nothing is hidden");

    return done_testing();
}
