/*
 * Templates against the official Mustache spec: vectors/mustache.json holds its
 * cases (MIT licence), except lambdas, recursion and the indentation of partials,
 * which pages do not need.
 */

#include "mpk_json.h"
#include "mpk_template.h"
#include "test.h"


static mpk_status_t
partial(void *ctx, mpk_str_t name, mpk_str_t *source, mpk_error_t *error)
{
    (void) error;

    *source = mpk_value_get_string(ctx, name);

    return source->data ? MPK_OK : MPK_UNKNOWN;
}


static mpk_status_t
compile(const char *source, mpk_template_t **template, mpk_error_t *error)
{
    memset(error, 0, sizeof(mpk_error_t));

    return mpk_template_compile(&test_mem, mpk_string("page"),
                                (mpk_str_t) { strlen(source),
                                              (const uint8_t *) source },
                                NULL, NULL, template, error);
}


static mpk_status_t
endless(void *ctx, mpk_str_t name, mpk_str_t *source, mpk_error_t *error)
{
    (void) ctx;
    (void) name;
    (void) error;

    *source = mpk_string("{{>again}}");

    return MPK_OK;
}


static void
test_spec(const char *directory)
{
    FILE               *file;
    char                path[512], text[160];
    size_t              len;
    mpk_buf_t           out;
    mpk_str_t           name;
    mpk_error_t         error;
    mpk_value_t        *cases;
    mpk_template_t     *template;
    const mpk_value_t  *c;

    static uint8_t                  data[131072];
    static const mpk_json_limits_t  limits = { sizeof(data), 16, 8192 };

    (void) snprintf(path, sizeof(path), "%s/mustache.json", directory);

    file = fopen(path, "rb");
    len = file ? fread(data, 1, sizeof(data), file) : 0;

    if (file) {
        (void) fclose(file);
    }

    ok(len && mpk_json_read(&test_mem, data, len, &limits, &cases, &error)
              == MPK_OK, "the spec's cases can be read");

    if (len == 0) {
        return;
    }

    for (c = cases->u.list.first; c; c = c->next) {

        name = mpk_value_get_string(c, mpk_string("name"));
        mpk_buf_init(&out, &test_mem, 0);

        if (mpk_template_compile(&test_mem, name,
                mpk_value_get_string(c, mpk_string("template")), partial,
                (void *) mpk_value_get(c, mpk_string("partials")), &template,
                &error)
            == MPK_OK)
        {
            mpk_template_render(template,
                                mpk_value_get(c, mpk_string("data")), &out,
                                NULL);
        } else {
            mpk_buf_lit(&out, "does not compile");
        }

        (void) snprintf(text, sizeof(text), "%.*s", (int) name.len,
                        (const char *) name.data);

        ok(mpk_str_eq(mpk_buf_done(&out),
                      mpk_value_get_string(c, mpk_string("expected"))), text);
    }
}


int
main(int argc, char **argv)
{
    char             text[MPK_CUT_MIN + 100];
    size_t           end = 0;
    mpk_cuts_t       cuts;
    size_t           i;
    mpk_buf_t        out;
    mpk_value_t     *facts;
    mpk_error_t      error;
    mpk_template_t  *template;

    static const struct {
        const char  *source;
        size_t       line;
        const char  *name;
    } broken[] = {
        { "a\n{{#b}}\nc", 2, "a section that is never closed is refused "
                             "with its line" },
        { "a\n\n{{/b}}", 3, "an end without a section is refused" },
        { "{{#a}}\n{{#b}}\n{{/a}}{{/b}}", 3, "sections that overlap are "
                                             "refused" },
        { "a\nb {{c", 2, "a tag that is never closed is refused" },
        { "{{}}", 1, "an empty name is refused" },
        { "{{a b}}", 1, "a name with a space is refused" },
        { "{{a..b}}", 1, "a name with an empty part is refused" },
        { "{{=a}}", 1, "bad delimiters are refused" },
        { "{{= a =}}", 1, "a single delimiter is refused" },
        { "{{{a}}", 1, "an unbalanced {{{ is refused" },
    };

    test_spec(argc > 1 ? argv[1] : ".");

    for (i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        ok(compile(broken[i].source, &template, &error) == MPK_MALFORMED
           && error.line == broken[i].line
           && strncmp(error.text, "page: ", 6) == 0, broken[i].name);
    }

    ok(mpk_template_compile(&test_mem, mpk_string("page"),
                            mpk_string("{{>again}}"), endless, NULL, &template,
                            &error)
       == MPK_LIMIT, "a partial that contains itself is refused");

    ok(compile("{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}"
               "{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}", &template, &error)
       == MPK_LIMIT, "sections that nest deeper than the stack are refused");

    facts = mpk_value_new(&test_mem, MPK_VALUE_OBJECT);
    mpk_value_string(facts, mpk_string("a"), mpk_string("<&>\"'\r"));

    mpk_buf_init(&out, &test_mem, 0);
    (void) compile("{{a}}", &template, &error);
    mpk_template_render(template, facts, &out, NULL);

    ok(mpk_str_eq(mpk_buf_done(&out),
                  mpk_string("&lt;&amp;&gt;&quot;&#39;&#13;")),
       "a value can't leave its place in the page");

    memset(text, 'x', sizeof(text));
    memcpy(text, "{{a}}", 5);
    memcpy(text + sizeof(text) - 5, "{{a}}", 5);

    ok(mpk_template_compile(&test_mem, mpk_string("t"), (mpk_str_t) { sizeof(text), (uint8_t *) text }, NULL, NULL,
                            &template, &error) == MPK_OK, "a template with a long literal");

    mpk_buf_init(&out, &test_mem, 0);
    mpk_value_watch(facts, &end);
    mpk_template_render(template, facts, &out, &cuts);

    ok(end == 29, "a string that is watched ends where it is written first");

    ok(cuts.count == 1 && cuts.list[0].literal.len == sizeof(text) - 10 && cuts.list[0].literal.data[0] == 'x'
       && cuts.list[0].at == 29 && out.len == 2 * 29, "a long literal stays where it is, and its place is noted");

    mpk_buf_init(&out, &test_mem, 0);
    mpk_template_render(template, facts, &out, NULL);
    ok(out.len == 2 * 29 + sizeof(text) - 10, "without cuts it is copied");

    memset(text, 'x', 5);
    end = 0;
    (void) mpk_template_compile(&test_mem, mpk_string("t"), (mpk_str_t) { sizeof(text), (uint8_t *) text }, NULL, NULL, &template,
                                &error);
    mpk_buf_init(&out, &test_mem, 0);
    mpk_template_render(template, facts, &out, &cuts);
    ok(cuts.count == 1 && out.len == 29 && end == sizeof(text) - 5 + 29, "the literals before it count, copied or not");

    mpk_buf_init(&out, &test_mem, 0);
    out.max = 10;
    (void) compile("{{a}}{{a}}{{a}}", &template, &error);
    mpk_template_render(template, facts, &out, NULL);

    ok(out.failed, "a page over the buffer's limit fails");

    return done_testing();
}
