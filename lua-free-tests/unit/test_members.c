/* The members of an object in a body. */

#include "mpk_json.h"
#include "mpk_members.h"
#include "test.h"


typedef struct {
    mpk_str_t  text;
    mpk_str_t  note;
} into_t;

static const mpk_member_t  list[] = {
    { mpk_literal("text"), MPK_VALUE_STRING, MPK_REQUIRED, 4, offsetof(into_t, text) },
    { mpk_literal("note"), MPK_VALUE_STRING, MPK_OPTIONAL, 4, offsetof(into_t, note) },
    { mpk_literal("sure"), MPK_VALUE_BOOL, MPK_OPTIONAL, 0, 0 },
    { mpk_literal("ttl"), MPK_VALUE_INT, MPK_OPTIONAL, 0, 0 },
    { mpk_literal("list"), MPK_VALUE_ARRAY, MPK_OPTIONAL, 0, 0 },
    { mpk_literal("person"), MPK_VALUE_OBJECT, MPK_OPTIONAL, 0, 0 },
    { mpk_literal("any"), MPK_VALUE_NULL, MPK_OPTIONAL, 0, 0 },
};

static const mpk_members_t  members = mpk_members(list);
static const mpk_members_t  none = { NULL, 0 };


static mpk_str_t
str(const char *s)
{
    return (mpk_str_t) { strlen(s), (const uint8_t *) s };
}


static const mpk_value_t *
parse(const char *json)
{
    mpk_value_t  *value;

    static const mpk_json_limits_t  limits = { 4096, 4, 100 };

    if (mpk_json_read(&test_mem, (const uint8_t *) json, strlen(json), &limits, &value, NULL) != MPK_OK) {
        printf("# not JSON: %s\n", json);
        exit(1);
    }

    return value;
}


/* The errors of an object, as "pointer detail, pointer detail". */

static mpk_str_t
errors(const char *json, mpk_str_t array, size_t index, into_t *into)
{
    bool                right;
    mpk_buf_t           text;
    mpk_value_t        *wrong;
    const mpk_value_t  *v;

    wrong = NULL;
    right = mpk_members_read(&test_mem, json ? parse(json) : NULL, &members, array, index, into, &wrong);

    mpk_buf_init(&text, &test_mem, 64);

    if (right != (wrong == NULL)) {
        mpk_buf_lit(&text, "a result that does not go with the errors");
    }

    for (v = wrong ? wrong->u.list.first : NULL; v; v = v->next) {
        mpk_buf_str(&text, mpk_value_get_string(v, mpk_string("pointer")));
        mpk_buf_byte(&text, ' ');
        mpk_buf_str(&text, mpk_value_get_string(v, mpk_string("detail")));
        mpk_buf_str(&text, v->next ? mpk_string(", ") : mpk_string(""));
    }

    return mpk_buf_done(&text);
}


static void *
nothing(void *ctx, size_t size)
{
    (void) ctx;
    (void) size;

    return NULL;
}


int
main(void)
{
    size_t        i;
    into_t        into;
    mpk_mem_t     scarce;
    mpk_value_t  *wrong;

    static const struct {
        const char  *json;
        const char  *errors;
    } bodies[] = {
        { "{\"text\":\"abcd\"}", "" },
        { "{\"text\":\"a\",\"note\":\"\",\"sure\":false,\"ttl\":-1,\"list\":[],\"person\":{},\"any\":7}", "" },
        { "{\"text\":\"a\",\"note\":null,\"sure\":null,\"ttl\":null,\"list\":null,\"person\":null,\"any\":null}", "" },
        { "{}", "/text is missing" },
        { NULL, "/text is missing" },
        { "{\"text\":null}", "/text must be a string" },
        { "{\"text\":\"\"}", "/text is empty" },
        { "{\"text\":\"abcde\"}", "/text is too long" },
        { "{\"text\":\"a\",\"note\":7}", "/note must be a string" },
        { "{\"text\":\"a\",\"sure\":\"yes\"}", "/sure must be true or false" },
        { "{\"text\":\"a\",\"ttl\":\"60\"}", "/ttl must be an integer" },
        { "{\"text\":\"a\",\"list\":{}}", "/list must be an array" },
        { "{\"text\":\"a\",\"person\":[]}", "/person must be an object" },
        { "{\"text\":\"a\",\"TTL\":60}", "/TTL there is no such member" },
        { "{\"text\":\"a\",\"\":60}", "/ there is no such member" },
        { "{\"text\":\"a\",\"a/b~1\":60}", "/a~1b~01 there is no such member" },
        { "{\"x\":1,\"note\":7}", "/x there is no such member, /text is missing, /note must be a string" },
    };

    for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        ok(mpk_str_eq(errors(bodies[i].json, mpk_string(""), 0, NULL), str(bodies[i].errors)),
           bodies[i].json ? bodies[i].json : "no body");
    }

    ok(mpk_str_eq(errors("{\"text\":7}", mpk_string("items"), 3, NULL), str("/items/3/text must be a string")),
       "an element's pointer has its array and its index");
    ok(mpk_str_eq(errors("{\"text\":7}", mpk_string("terms"), MPK_NO_INDEX, NULL), str("/terms/text must be a string")),
       "that of a member of an object has the object");

    (void) errors("{\"text\":\"abc\",\"note\":\"abcde\"}", mpk_string(""), 0, &into);
    ok(mpk_str_eq(into.text, str("abc")) && into.note.len == 0, "strings are given, but not what is wrong");

    wrong = NULL;
    ok(mpk_members_read(&test_mem, parse("{}"), &none, mpk_string(""), 0, NULL, &wrong)
       && !mpk_members_read(&test_mem, parse("{\"a\":1}"), &none, mpk_string(""), 0, NULL, &wrong),
       "where there may be nothing, an empty object is");

    scarce = (mpk_mem_t) { nothing, NULL, false };
    wrong = NULL;
    ok(!mpk_members_read(&scarce, parse("{\"x\":1}"), &members, mpk_string(""), 0, NULL, &wrong) && wrong == NULL,
       "without memory for errors it is wrong all the same");

    return done_testing();
}
