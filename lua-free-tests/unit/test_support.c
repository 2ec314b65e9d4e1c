/* What support says of a claim, read from the body of a call. */

#include "mpk_support.h"
#include "mpk_json.h"
#include "test.h"

#define NOW   1795421730             /* 2026-11-23T08:15:30Z */
#define HASH  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"


static const mpk_json_limits_t  limits = { .size = 65536, .depth = 4, .values = 1000 };


static mpk_value_t *
json(const char *text)
{
    mpk_error_t   error;
    mpk_value_t  *value;

    if (mpk_json_read(&test_mem, (const uint8_t *) text, strlen(text), &limits, &value, &error) != MPK_OK) {
        printf("# %s: %s\n", text, error.text);
        exit(1);
    }

    return value;
}


/* The pointer of the only error; "": there is none. */

static mpk_str_t
pointer(const mpk_value_t *errors)
{
    if (errors && errors->u.list.count != 1) {
        return mpk_string("several");
    }

    return errors ? mpk_value_get_string(errors->u.list.first, mpk_string("pointer")) : mpk_string("");
}


static bool
is(mpk_str_t a, const char *b)
{
    return mpk_str_eq(a, (mpk_str_t) { strlen(b), (const uint8_t *) b });
}


static void
test_finding(void)
{
    bool           right;
    size_t         i;
    mpk_str_t      text;
    mpk_value_t   *errors;
    mpk_finding_t  finding;

    static const struct {
        const char     *body;
        const char     *pointer;
        mpk_finding_t   finding;
    } bodies[] = {
        { "{}", "", MPK_FINDING_NONE },
        { "{\"finding\":null}", "", MPK_FINDING_NONE },
        { "{\"finding\":{\"result\":\"defective\",\"text\":\"t\"}}", "", MPK_FINDING_DEFECTIVE },
        { "{\"finding\":{\"result\":\"not_reproduced\",\"text\":\"t\"}}", "", MPK_FINDING_NOT_REPRODUCED },
        { "{\"finding\":{\"result\":\"goodwill\",\"text\":\"t\"}}", "", MPK_FINDING_GOODWILL },
        { "{\"finding\":{\"result\":\"Defective\",\"text\":\"t\"}}", "/finding/result", MPK_FINDING_NONE },
        { "{\"finding\":{\"text\":\"t\"}}", "/finding/result", MPK_FINDING_NONE },
        { "{\"finding\":{\"result\":\"\",\"text\":\"t\"}}", "/finding/result", MPK_FINDING_NONE },
        { "{\"finding\":{\"result\":7,\"text\":\"t\"}}", "/finding/result", MPK_FINDING_NONE },
        { "{\"finding\":{\"result\":\"defective\"}}", "/finding/text", MPK_FINDING_DEFECTIVE },
        { "{\"finding\":{\"result\":\"defective\",\"text\":null}}", "/finding/text", MPK_FINDING_DEFECTIVE },
        { "{\"finding\":{\"result\":\"defective\",\"text\":\"t\",\"by\":1}}", "/finding/by", MPK_FINDING_DEFECTIVE },
    };

    for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        errors = NULL;
        right = mpk_support_finding(&test_mem, json(bodies[i].body), &finding, &text, &errors);
        ok(right == (bodies[i].pointer[0] == '\0') && is(pointer(errors), bodies[i].pointer) && finding == bodies[i].finding, bodies[i].body);
    }

    errors = NULL;
    ok(mpk_support_finding(&test_mem, NULL, &finding, &text, &errors) && finding == MPK_FINDING_NONE && text.len == 0, "an empty body has no finding");
}


static void
test_note(void)
{
    bool          right;
    char          body[8192];
    size_t        i, n;
    mpk_note_t    note;
    mpk_value_t  *errors;

    static const struct {
        const char  *body;
        const char  *pointer;
    } bodies[] = {
        { "{\"text\":\"t\"}", "" },
        { "{\"session\":\"held\"}", "" },
        { "{\"text\":null,\"files\":null,\"session\":\"declined\"}", "" },
        { "{}", "/text" },
        { "{\"files\":[]}", "/text" },
        { "{\"text\":\"t\",\"session\":\"Held\"}", "/session" },
        { "{\"files\":[1]}", "/files/0" },
        { "{\"files\":[{\"name\":\"n\",\"sha256\":\"" HASH "\"},{\"sha256\":\"" HASH "\"}]}", "/files/1/name" },
        { "{\"files\":[{\"name\":\"\",\"sha256\":\"" HASH "\"}]}", "/files/0/name" },
        { "{\"files\":[{\"name\":\"a\\nb\",\"sha256\":\"" HASH "\"}]}", "/files/0/name" },
        { "{\"files\":[{\"name\":\"a\\u007fb\",\"sha256\":\"" HASH "\"}]}", "/files/0/name" },
        { "{\"files\":[{\"name\":\"n\",\"sha256\":\"0123\"}]}", "/files/0/sha256" },
        { "{\"files\":[{\"name\":\"n\",\"sha256\":\"" HASH "0\"}]}", "/files/0/sha256" },
        { "{\"files\":[{\"name\":\"n\",\"sha256\":\"g123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}]}", "/files/0/sha256" },
    };

    for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        errors = NULL;
        right = mpk_support_note(&test_mem, json(bodies[i].body), &note, &errors);
        ok(right == (bodies[i].pointer[0] == '\0') && is(pointer(errors), bodies[i].pointer), test_shown(bodies[i].body));
    }

    errors = NULL;
    ok(mpk_support_note(&test_mem, json("{\"text\":\"t\",\"session\":\"offered\",\"files\":[{\"name\":\"a b\",\"sha256\":\"" HASH "\"},"
                                        "{\"name\":\"c\",\"sha256\":\"0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF\"}]}"),
                        &note, &errors)
       && is(note.text, "t") && note.session == MPK_SESSION_OFFERED && is(note.files, HASH "  a b\n" HASH "  c\n"),
       "files are lines, their hashes in lower case");

    for (i = MPK_NOTE_FILES_MAX; i <= MPK_NOTE_FILES_MAX + 1; i++) {
        size_t  len = (size_t) sprintf(body, "{\"files\":[");

        for (n = 0; n < i; n++) {
            len += (size_t) sprintf(body + len, "%s{\"name\":\"n\",\"sha256\":\"" HASH "\"}", n ? "," : "");
        }

        (void) sprintf(body + len, "]}");
        errors = NULL;
        right = mpk_support_note(&test_mem, json(body), &note, &errors);
        ok(right == (i == MPK_NOTE_FILES_MAX) && is(pointer(errors), right ? "" : "/files"), right ? "a note has up to 32 files" : "and no more");
    }
}


static void
test_report(void)
{
    bool          right;
    size_t        i;
    mpk_value_t  *errors;
    mpk_report_t  report;

#define report(item, category, at) \
    "{\"item\":" item ",\"name\":\"Ann\",\"category\":\"" category "\",\"description\":\"d\",\"received_at\":\"" at "\"}"

    static const struct {
        const char  *body;
        const char  *pointer;
    } bodies[] = {
        { report("1", "blocked", "2026-11-23T08:15:30Z"), "" },
        { report("500", "other", "2026-11-23T08:16:29Z"), "" },
        { report("501", "other", "2026-11-23T08:15:30Z"), "/item" },
        { report("0", "other", "2026-11-23T08:15:30Z"), "/item" },
        { report("-1", "other", "2026-11-23T08:15:30Z"), "/item" },
        { report("65537", "other", "2026-11-23T08:15:30Z"), "/item" },
        { report("1", "", "2026-11-23T08:15:30Z"), "/category" },
        { report("1", "Other", "2026-11-23T08:15:30Z"), "/category" },
        { report("1", "other", "2026-11-23T08:16:30Z"), "/received_at" },
        { report("1", "other", "2027-01-01T00:00:00Z"), "/received_at" },
        { report("1", "other", "1970-01-01T00:00:00Z"), "/received_at" },
        { report("1", "other", "2026-11-23"), "/received_at" },
        { report("1", "other", ""), "/received_at" },
    };

    for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        errors = NULL;
        right = mpk_support_report(&test_mem, json(bodies[i].body), NOW, &report, &errors);
        ok(right == (bodies[i].pointer[0] == '\0') && is(pointer(errors), bodies[i].pointer), bodies[i].body);
    }

    errors = NULL;
    ok(mpk_support_report(&test_mem, json("{\"item\":3,\"name\":\"Ann\",\"category\":\"stopped\",\"description\":\"d\",\"key\":\"k\",\"exception\":\"e\","
                                          "\"received_at\":\"2026-11-23T09:15:29+01:00\"}"), NOW, &report, &errors)
       && report.item == 3 && is(report.name, "Ann") && report.category == MPK_CATEGORY_STOPPED && is(report.description, "d")
       && is(report.key, "k") && is(report.exception, "e") && report.received_at == NOW - 1, "a report is read");
}


int
main(void)
{
    test_finding();
    test_note();
    test_report();

    return done_testing();
}
