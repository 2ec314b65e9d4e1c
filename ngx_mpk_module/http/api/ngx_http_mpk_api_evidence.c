/*
 * GET /orders/{id}/evidence: everything a dispute needs, as one signed document or as a
 * page to print.
 */

#include "ngx_http_mpk_api.h"
#include "ngx_http_mpk_card.h"
#include "ngx_http_mpk_card_withdrawals.h"
#include "ngx_http_mpk_language.h"
#include "ngx_http_mpk_request.h"
#include "ngx_http_mpk_sealed.h"
#include "ngx_http_mpk_texts.h"
#include "ngx_http_mpk_time.h"

#include "mpk_base64url.h"
#include "mpk_evidence.h"
#include "mpk_jws.h"

#define NGX_HTTP_MPK_EVIDENCE_TEXTS  32    /* words of consents; of others the hash is given */


/* A document in the making: api->data. */
typedef struct {
    ngx_http_mpk_journal_t        journal;
    ngx_uint_t                    texts_count;
    mpk_evidence_text_t           texts[NGX_HTTP_MPK_EVIDENCE_TEXTS];
} ngx_http_mpk_evidence_t;


static ngx_int_t ngx_http_mpk_evidence_read(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static void ngx_http_mpk_evidence_texts(ngx_http_mpk_evidence_t *made);
static void ngx_http_mpk_evidence_text(ngx_http_mpk_evidence_t *made,
    mpk_str_t hash);
static ngx_int_t ngx_http_mpk_evidence_done(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_evidence_page(ngx_http_request_t *r);
static ngx_int_t ngx_http_mpk_evidence_order(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, ngx_http_mpk_order_t *order,
    mpk_person_t **person, mpk_checkout_t *checkout, mpk_value_t *document);
static void ngx_http_mpk_evidence_person(const mpk_person_t *person,
    mpk_value_t *document);
static void ngx_http_mpk_evidence_verification(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, ngx_http_mpk_journal_t *journal,
    mpk_value_t *document);
static ngx_int_t ngx_http_mpk_evidence_signed(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, const mpk_value_t *document);


ngx_int_t
ngx_http_mpk_api_evidence(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    if (ngx_http_mpk_evidence_page(r) == NGX_ERROR) {
        ngx_http_mpk_api_error(ctx, mpk_string("?format"),
                               "must be \"json\" or \"html\"");
        return ngx_http_mpk_api_invalid(r, ctx);
    }

    return ngx_http_mpk_journal_ask(r, ctx, ngx_http_mpk_evidence_read);
}


/* Reads the journal, then the words of its consents from Redis. */

static ngx_int_t
ngx_http_mpk_evidence_read(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_uint_t                i;
    mpk_str_t                 hashes[NGX_HTTP_MPK_EVIDENCE_TEXTS];
    ngx_http_mpk_api_t       *api;
    ngx_http_mpk_batch_t     *batch;
    ngx_http_mpk_evidence_t  *made;

    made = ngx_pcalloc(r->pool, sizeof(ngx_http_mpk_evidence_t));

    if (made == NULL
        || ngx_http_mpk_journal_read(r, ctx, &ctx->orders->list[0],
                                     &made->journal)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    api = ctx->data;
    api->data = made;

    ngx_http_mpk_evidence_texts(made);

    if (made->texts_count == 0) {
        return ngx_http_mpk_evidence_done(r, ctx);
    }

    batch = ngx_http_mpk_batch_create(r, ctx, 1);
    if (batch == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    for (i = 0; i < made->texts_count; i++) {
        hashes[i] = made->texts[i].hash;
    }

    ngx_http_mpk_texts_ask(batch, hashes, made->texts_count);

    return ngx_http_mpk_batch_run(r, ctx, batch, ngx_http_mpk_evidence_done);
}


/* The hashes of the consents that are proved. */

static void
ngx_http_mpk_evidence_texts(ngx_http_mpk_evidence_t *made)
{
    ngx_uint_t          n;
    const mpk_value_t  *v;

    for (v = made->journal.entries->u.list.first, n = 0;
         v && n < made->journal.proved; v = v->next, n++)
    {
        ngx_http_mpk_evidence_text(made,
            mpk_value_get_string(mpk_value_get(v, mpk_string("consent")),
                                 mpk_string("text")));
        ngx_http_mpk_evidence_text(made,
            mpk_value_get_string(v, mpk_string("consent_product")));
    }
}


static void
ngx_http_mpk_evidence_text(ngx_http_mpk_evidence_t *made, mpk_str_t hash)
{
    ngx_uint_t  i;

    if (hash.len == 0 || made->texts_count == NGX_HTTP_MPK_EVIDENCE_TEXTS) {
        return;
    }

    for (i = 0; i < made->texts_count; i++) {
        if (mpk_str_eq(made->texts[i].hash, hash)) {
            return;
        }
    }

    made->texts[made->texts_count++].hash = hash;
}


static ngx_int_t
ngx_http_mpk_evidence_done(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_mem_t                *mem;
    ngx_uint_t                i;
    mpk_value_t              *document;
    mpk_person_t             *person;
    mpk_checkout_t            checkout;
    mpk_evidence_t            evidence;
    ngx_http_mpk_api_t       *api;
    ngx_http_mpk_order_t     *order;
    ngx_http_mpk_journal_t   *journal;
    ngx_http_mpk_evidence_t  *made;

    api = ctx->data;
    made = api->data;
    mem = &ctx->mem;
    order = &ctx->orders->list[0];
    journal = &made->journal;

    for (i = 0; i < made->texts_count; i++) {
        made->texts[i].words = ngx_http_mpk_texts_read(ctx->mmcf,
                                   &ctx->batch->cmds[0], i,
                                   made->texts[i].hash);
    }

    if (ngx_http_mpk_evidence_page(r) == NGX_OK) {
        ctx->json = 0;
        ctx->language = ngx_http_mpk_language(ctx, order->order.locale);
    }

    document = mpk_value_new(mem, MPK_VALUE_OBJECT);

    if (ctx->mscf->public_url.len) {
        mpk_value_string(document, mpk_string("issuer"),
                         ngx_http_mpk_str(&ctx->mscf->public_url));
    }

    ngx_http_mpk_value_time(ctx, document, mpk_string("issued_at"),
                            ngx_http_mpk_time(ctx->mmcf, ctx->order));

    if (ngx_http_mpk_evidence_order(r, ctx, order, &person, &checkout,
                                    document)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_mpk_evidence_verification(ctx, order, journal, document);

    mpk_value_put(document, mpk_string("entries"), journal->entries);

    ngx_memzero(&evidence, sizeof(mpk_evidence_t));

    evidence.entries = journal->entries;
    evidence.verified = journal->proved;
    evidence.person = person;
    evidence.items = order->order.items;
    evidence.items_count = order->order.items_count;
    evidence.purchased_at = order->order.purchased_at;
    evidence.correction = mpk_order_correction(&order->order,
                              ngx_http_mpk_time(ctx->mmcf, order->id));
    evidence.checkout = person ? &checkout : NULL;
    evidence.texts = made->texts;
    evidence.texts_count = made->texts_count;

    if (document == NULL
        || mpk_evidence_add(mem, &evidence, document) != MPK_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ctx->json ? ngx_http_mpk_evidence_signed(r, ctx, document)
                     : ngx_http_mpk_evidence_print(r, ctx, journal, document);
}


/* ?format=; NGX_OK: html, NGX_DECLINED: json. */

static ngx_int_t
ngx_http_mpk_evidence_page(ngx_http_request_t *r)
{
    ngx_str_t  format;

    if (ngx_http_mpk_arg(r, "format", &format) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (ngx_http_mpk_is(&format, "html")) {
        return NGX_OK;
    }

    if (ngx_http_mpk_is(&format, "json")) {
        return NGX_DECLINED;
    }

    return NGX_ERROR;
}


/* Adds the order and its buyer; *person is NULL if the personal data can't be decrypted. */

static ngx_int_t
ngx_http_mpk_evidence_order(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, mpk_person_t **person,
    mpk_checkout_t *checkout, mpk_value_t *document)
{
    *person = NULL;
    ngx_memzero(checkout, sizeof(mpk_checkout_t));

    if (order->status != MPK_OK) {
        mpk_value_string(document, mpk_string("order"), order->id);
        return NGX_OK;
    }

    if (!order->unwrapped) {
        mpk_value_string(document, mpk_string("order"), order->id);
        mpk_value_string(document, mpk_string("state"),
                         mpk_order_state_name(order->order.state));
        return NGX_OK;
    }

    if (ngx_http_mpk_card(ctx, order, 1, document) != NGX_OK) {
        return NGX_ERROR;
    }

    /* a case that can't be decrypted is logged; the rest is still shown */

    (void) ngx_http_mpk_card_claims(ctx, order, NGX_HTTP_MPK_CLAIMS_SUPPORT,
                                    document);
    (void) ngx_http_mpk_card_withdrawals(ctx, order,
                                         NGX_HTTP_MPK_CLAIMS_SUPPORT,
                                         document);

    *person = ngx_pcalloc(r->pool, sizeof(mpk_person_t));
    if (*person == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_mpk_order_person(ctx, order, *person) != NGX_OK
        || ngx_http_mpk_order_checkout(ctx, order, checkout) != NGX_OK)
    {
        *person = NULL;
        return NGX_OK;
    }

    ngx_http_mpk_evidence_person(*person, document);
    mpk_checkout_show(&ctx->mem, checkout, document);

    return NGX_OK;
}


static void
ngx_http_mpk_evidence_person(const mpk_person_t *person, mpk_value_t *document)
{
    ngx_uint_t    i;
    mpk_value_t  *facts;

    const struct {
        mpk_str_t     name;
        mpk_str_t     value;
    } members[] = {
        { mpk_string("email"), person->email },
        { mpk_string("account"), person->account },
        { mpk_string("name"), person->name },
        { mpk_string("purchase_ip"), person->purchase_ip },
        { mpk_string("device_id"), person->device_id }
    };

    facts = mpk_value_object(document, mpk_string("person"));

    for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (members[i].value.len) {
            mpk_value_string(facts, members[i].name, members[i].value);
        }
    }
}


static void
ngx_http_mpk_evidence_verification(ngx_http_mpk_ctx_t *ctx,
    ngx_http_mpk_order_t *order, ngx_http_mpk_journal_t *journal,
    mpk_value_t *document)
{
    u_char       *p;
    mpk_buf_t     head;
    mpk_mem_t    *mem;
    mpk_value_t  *facts;

    static const mpk_str_t  anchors[] = {
        [NGX_HTTP_MPK_ANCHOR_NONE] = mpk_literal("none"),
        [NGX_HTTP_MPK_ANCHOR_AGREES] = mpk_literal("agrees"),
        [NGX_HTTP_MPK_ANCHOR_DIFFERS] = mpk_literal("differs"),
        [NGX_HTTP_MPK_ANCHOR_ABSENT] = mpk_literal("absent"),
    };

    mem = &ctx->mem;
    facts = mpk_value_object(document, mpk_string("verification"));

    ngx_http_mpk_journal_verdict(journal, facts);

    mpk_value_string(facts, mpk_string("anchor"), anchors[journal->anchor]);

    if (order->status != MPK_OK) {
        return;
    }

    mpk_buf_init(&head, mem, 80);
    mpk_buf_int(&head, (int64_t) order->order.revision);
    mpk_buf_byte(&head, ':');

    p = mpk_buf_room(&head, mpk_base64url_encoded_len(MPK_MAC_LEN));
    if (p) {
        mpk_base64url_encode(p, order->order.mac, MPK_MAC_LEN);
    }

    mpk_value_string(facts, mpk_string("head"), mpk_buf_done(&head));
}


/* Signs the bytes of "evidence" exactly as they are in the answer. */

static ngx_int_t
ngx_http_mpk_evidence_signed(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    const mpk_value_t *document)
{
    mpk_buf_t               written, body;
    mpk_mem_t              *mem;
    mpk_status_t            status;
    ngx_http_mpk_answer_t   answer;

    mem = &ctx->mem;

    mpk_buf_init(&written, mem, 8192);
    mpk_json_write(&written, document);

    /* in clear and in base64url */

    mpk_buf_init(&body, mem, written.len * 7 / 3 + 512);

    mpk_buf_lit(&body, "{\"evidence\":");
    mpk_buf_str(&body, mpk_buf_done(&written));
    mpk_buf_lit(&body, ",\"jws\":\"");

    if (written.failed || ctx->mem.failed) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    status = mpk_jws_evidence(ctx->mmcf->crypto, mem,
                              mpk_buf_done(&written), &body);
    if (status != MPK_OK) {
        ngx_log_error(NGX_LOG_CRIT, r->connection->log, 0,
                      "mpk: evidence could not be signed: %s; the request fails",
                      mpk_status_text(status));
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    mpk_buf_lit(&body, "\"}\n");

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = NGX_HTTP_OK;

    return ngx_http_mpk_send_written(r, ctx, &answer, &body);
}
