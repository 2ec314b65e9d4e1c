/* The evidence as a page to print. */

#include "ngx_http_mpk_api.h"

#include "mpk_evidence.h"


static ngx_int_t ngx_http_mpk_print_rows(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_journal_t *journal, mpk_value_t *document);
static void ngx_http_mpk_print_row(ngx_http_mpk_ctx_t *ctx,
    const mpk_value_t *entry, mpk_value_t *row);
static void ngx_http_mpk_print_claim(const mpk_value_t *entry,
    mpk_value_t *row);
static void ngx_http_mpk_print_int(const mpk_value_t *entry, mpk_str_t name,
    mpk_value_t *row);
static void ngx_http_mpk_print_checkout(ngx_http_mpk_ctx_t *ctx,
    const mpk_value_t *document, mpk_value_t *shown);
static void ngx_http_mpk_print_consents(ngx_http_mpk_ctx_t *ctx,
    const mpk_value_t *consents, mpk_value_t *list);
static void ngx_http_mpk_print_words(mpk_str_t words, mpk_value_t *row);
static void ngx_http_mpk_print_texts(mpk_value_t *document);
static void ngx_http_mpk_print_is(mpk_value_t *parent, mpk_str_t name,
    const mpk_value_t *from, mpk_str_t member);
static void ngx_http_mpk_print_time(ngx_http_mpk_ctx_t *ctx,
    mpk_value_t *parent, mpk_str_t name, const mpk_value_t *from,
    mpk_str_t member);


ngx_int_t
ngx_http_mpk_evidence_print(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_journal_t *journal, mpk_value_t *document)
{
    mpk_value_t            *shown, *verification;
    const mpk_value_t      *v;
    ngx_http_mpk_answer_t   answer;

    ngx_http_mpk_print_is(document, mpk_string("state_is"), document,
                          mpk_string("state"));

    verification = (mpk_value_t *) mpk_value_get(document,
                                                 mpk_string("verification"));

    ngx_http_mpk_print_is(verification, mpk_string("is"), verification,
                          mpk_string("verdict"));
    ngx_http_mpk_print_is(verification, mpk_string("anchor_is"), verification,
                          mpk_string("anchor"));

    /* under names of their own: in a row, Mustache would find the document's */

    shown = mpk_value_object(document, mpk_string("shown"));

    ngx_http_mpk_print_checkout(ctx, document, shown);
    ngx_http_mpk_print_consents(ctx,
        mpk_value_get(document, mpk_string("consent")),
        mpk_value_array(shown, mpk_string("agreements")));
    ngx_http_mpk_print_consents(ctx,
        mpk_value_get(document, mpk_string("consent_product")),
        mpk_value_array(shown, mpk_string("fittings")));

    v = mpk_value_get(document, mpk_string("policy"));

    if (v && v->u.list.count) {
        v = v->u.list.last;
        mpk_value_string(shown, mpk_string("version"), v->u.string);
    }

    if (shown == NULL || verification == NULL
        || ngx_http_mpk_print_rows(ctx, journal, document) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_mpk_print_texts(document);

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = NGX_HTTP_OK;

    /* evidence keeps UTC: its readers are in several time zones */

    mpk_value_bool(document, mpk_string("utc"), 1);

    return ngx_http_mpk_send_page(r, ctx, &answer, NGX_HTTP_MPK_PAGE_EVIDENCE,
                                  document);
}


static ngx_int_t
ngx_http_mpk_print_rows(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_journal_t *journal, mpk_value_t *document)
{
    ngx_uint_t          n;
    mpk_value_t        *rows, *row;
    const mpk_value_t  *entry;

    rows = mpk_value_array(document, mpk_string("rows"));

    for (entry = journal->entries->u.list.first, n = 0; entry;
         entry = entry->next, n++)
    {
        row = mpk_value_object(rows, mpk_string(""));
        if (row == NULL) {
            return NGX_ERROR;
        }

        ngx_http_mpk_print_row(ctx, entry, row);

        mpk_value_bool(row, mpk_string("unproved"), n >= journal->proved);
    }

    return NGX_OK;
}


static void
ngx_http_mpk_print_row(ngx_http_mpk_ctx_t *ctx, const mpk_value_t *entry,
    mpk_value_t *row)
{
    mpk_buf_t           items;
    mpk_str_t           text;
    mpk_mem_t          *mem;
    ngx_uint_t          i, corrects;
    const mpk_value_t  *v;

    static const mpk_str_t  members[] = {
        mpk_literal("event"), mpk_literal("ip"), mpk_literal("user_agent"),
        mpk_literal("token_id"), mpk_literal("reason"), mpk_literal("note"),
        mpk_literal("actor"), mpk_literal("policy"), mpk_literal("request_id"),
        mpk_literal("email_old"), mpk_literal("email_new"),
        mpk_literal("holds_from"),
        mpk_literal("received_at"), mpk_literal("exception"),
        mpk_literal("finding_text"),
        mpk_literal("stated_at"), mpk_literal("refund_due")
    };

    mem = &ctx->mem;
    v = mpk_value_get(entry, mpk_string("n"));

    if (v && v->type == MPK_VALUE_INT) {
        mpk_value_int(row, mpk_string("n"), v->u.integer);
    }

    ngx_http_mpk_print_time(ctx, row, mpk_string("when"), entry,
                            mpk_string("at"));

    /* set all of them: Mustache would look up missing ones in the document */

    for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        text = mpk_value_get_string(entry, members[i]);
        mpk_value_string(row, members[i], text);
    }

    ngx_http_mpk_print_int(entry, mpk_string("sent"), row);
    ngx_http_mpk_print_claim(entry, row);

    v = mpk_value_get(entry, mpk_string("correction"));
    corrects = mpk_evidence_is(entry, MPK_EVENT_EMAIL_CHANGED)
               || mpk_evidence_is(entry, MPK_EVENT_EMAIL_KEPT);

    if (v && v->type == MPK_VALUE_INT) {
        mpk_value_int(row, mpk_string("correction"), v->u.integer);
    }

    mpk_value_bool(row, mpk_string("corrects"), v && corrects);
    mpk_value_bool(row, mpk_string("corrected"), v && !corrects);
    mpk_value_bool(row, mpk_string("show_viewed"),
                   mpk_value_yes(entry, mpk_string("show_viewed")));

    mpk_buf_init(&items, mem, 32);
    mpk_evidence_numbers(&items, entry);
    mpk_value_string(row, mpk_string("item_numbers"), mpk_buf_done(&items));

    mpk_value_bool(row, mpk_string("customer"),
                   mpk_str_eq(mpk_value_get_string(entry, mpk_string("actor")),
                              mpk_string("customer")));
    mpk_value_bool(row, mpk_string("agreed"),
                   mpk_value_get(entry, mpk_string("consent")) != NULL);

    mpk_value_bool(row, mpk_string("fitting"),
                   mpk_value_get(entry, mpk_string("consent_product")) != NULL);
    mpk_value_bool(row, mpk_string("warned"),
                   mpk_value_yes(entry, mpk_string("warning_shown")));

    ngx_http_mpk_print_is(row, mpk_string("is"), entry, mpk_string("event"));
    ngx_http_mpk_print_is(row, mpk_string("by"), entry, mpk_string("channel"));

    mpk_value_bool(mpk_value_object(row, mpk_string("passed")),
                   mpk_evidence_challenge(entry), 1);
}


/* Members of entries about claims. */

static void
ngx_http_mpk_print_claim(const mpk_value_t *entry, mpk_value_t *row)
{
    mpk_value_t        *list, *file;
    const mpk_value_t  *v;

    ngx_http_mpk_print_int(entry, mpk_string("bytes"), row);
    ngx_http_mpk_print_is(row, mpk_string("session"), entry,
                          mpk_string("session"));
    ngx_http_mpk_print_is(row, mpk_string("found"), entry,
                          mpk_string("finding"));

    if (mpk_value_get(entry, mpk_string("key_matched"))) {
        mpk_value_bool(mpk_value_object(row, mpk_string("key_was")),
                       mpk_value_yes(entry, mpk_string("key_matched"))
                       ? mpk_string("matched") : mpk_string("other"), 1);
    }

    list = mpk_value_array(row, mpk_string("files"));
    v = mpk_value_get(entry, mpk_string("files"));

    for (v = v ? v->u.list.first : NULL; v; v = v->next) {
        file = mpk_value_object(list, mpk_string(""));

        mpk_value_string(file, mpk_string("name"),
                         mpk_value_get_string(v, mpk_string("name")));
        mpk_value_string(file, mpk_string("sha256"),
                         mpk_value_get_string(v, mpk_string("sha256")));
    }
}


/* null where there is none: Mustache would look it up in the document. */

static void
ngx_http_mpk_print_int(const mpk_value_t *entry, mpk_str_t name,
    mpk_value_t *row)
{
    const mpk_value_t  *v;

    v = mpk_value_get(entry, name);

    if (v && v->type == MPK_VALUE_INT) {
        mpk_value_int(row, name, v->u.integer);

    } else {
        mpk_value_null(row, name);
    }
}


/* What was accepted at the checkout. */

static void
ngx_http_mpk_print_checkout(ngx_http_mpk_ctx_t *ctx,
    const mpk_value_t *document, mpk_value_t *shown)
{
    ngx_uint_t          i;
    mpk_value_t        *row;
    const mpk_value_t  *terms, *consents;

    static const mpk_str_t  members[] = {
        mpk_literal("version"), mpk_literal("url"), mpk_literal("ip"),
        mpk_literal("sha256")
    };

    terms = mpk_value_get(document, mpk_string("terms"));
    consents = mpk_value_get(document, mpk_string("consents"));

    mpk_value_bool(shown, mpk_string("business"),
                   mpk_value_get(document, mpk_string("buyer")) != NULL);

    if (terms) {
        row = mpk_value_object(shown, mpk_string("accepted"));

        ngx_http_mpk_print_time(ctx, row, mpk_string("when"), terms,
                                mpk_string("accepted_at"));

        for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
            mpk_value_string(row, members[i],
                             mpk_value_get_string(terms, members[i]));
        }
    }

    if (consents) {
        row = mpk_value_object(shown, mpk_string("asked"));

        ngx_http_mpk_print_time(ctx, row, mpk_string("when"), consents,
                                mpk_string("at"));
        ngx_http_mpk_print_time(ctx, row, mpk_string("confirmed"), consents,
                                mpk_string("confirmed_at"));
        mpk_value_string(row, mpk_string("ip"),
                         mpk_value_get_string(consents, mpk_string("ip")));
        mpk_value_string(row, mpk_string("text"),
                         mpk_value_get_string(consents,
                                              mpk_string("text_sha256")));
        mpk_value_bool(row, mpk_string("given"),
                       mpk_value_yes(consents, mpk_string("supply"))
                       && mpk_value_yes(consents, mpk_string("waiver")));
    }
}


static void
ngx_http_mpk_print_consents(ngx_http_mpk_ctx_t *ctx,
    const mpk_value_t *consents, mpk_value_t *list)
{
    ngx_uint_t          i;
    mpk_value_t        *row;
    const mpk_value_t  *v;

    static const mpk_str_t  members[] = {
        mpk_literal("ip"), mpk_literal("text"), mpk_literal("language")
    };

    for (v = consents ? consents->u.list.first : NULL; v; v = v->next) {

        row = mpk_value_object(list, mpk_string(""));

        ngx_http_mpk_print_time(ctx, row, mpk_string("when"), v,
                                mpk_string("at"));

        for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
            mpk_value_string(row, members[i],
                             mpk_value_get_string(v, members[i]));
        }

        ngx_http_mpk_print_words(mpk_value_get_string(v, mpk_string("words")),
                                 row);
    }
}


/* A line for each box. */

static void
ngx_http_mpk_print_words(mpk_str_t words, mpk_value_t *row)
{
    u_char       *p, *last, *end;
    mpk_value_t  *list;

    list = mpk_value_array(row, mpk_string("words"));

    p = (u_char *) words.data;
    last = p + words.len;

    while (p < last) {
        end = ngx_strlchr(p, last, '\n');
        end = end ? end : last;

        mpk_value_string(list, mpk_string(""), (mpk_str_t) { end - p, p });

        p = end + 1;
    }
}


/* Stripe's fields, each with its name. */

static void
ngx_http_mpk_print_texts(mpk_value_t *document)
{
    mpk_value_t        *list, *text;
    const mpk_value_t  *v;

    v = mpk_value_get(document, mpk_string("stripe"));
    list = mpk_value_array(document, mpk_string("texts"));

    for (v = v ? v->u.list.first : NULL; v; v = v->next) {
        text = mpk_value_object(list, mpk_string(""));

        mpk_value_string(text, mpk_string("name"), v->name);
        mpk_value_string(text, mpk_string("text"), v->u.string);
    }
}


/* Adds a true section named after a word: pages have a text for each. */

static void
ngx_http_mpk_print_is(mpk_value_t *parent, mpk_str_t name,
    const mpk_value_t *from, mpk_str_t member)
{
    mpk_str_t     word;
    mpk_value_t  *is;

    is = mpk_value_object(parent, name);
    word = mpk_value_get_string(from, member);

    mpk_value_bool(is, word, 1);
}


/* To the second, the same in every language; empty: there is none. */

static void
ngx_http_mpk_print_time(ngx_http_mpk_ctx_t *ctx, mpk_value_t *parent,
    mpk_str_t name, const mpk_value_t *from, mpk_str_t member)
{
    mpk_buf_t     text;
    mpk_str_t     time;
    mpk_value_t  *at;

    mpk_buf_init(&text, &ctx->mem, 32);
    time = mpk_value_get_string(from, member);

    if (time.len) {
        at = mpk_value_new(&ctx->mem, MPK_VALUE_OBJECT);
        mpk_value_string(at, mpk_string("at"), time);
        mpk_evidence_time(&text, at);
    }

    mpk_value_string(parent, name, mpk_buf_done(&text));
}
