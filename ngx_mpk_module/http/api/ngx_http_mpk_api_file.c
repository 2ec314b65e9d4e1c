/* PUT /orders/{id}: an order is filed; what is read of one, however it comes. */

#include "ngx_http_mpk_api.h"

#define NGX_HTTP_MPK_TEXT_MAX  255     /* bytes of a short text member */


typedef struct {
    mpk_str_t       name;
    size_t          max;               /* bytes */
    unsigned        required:1;
    size_t          offset;            /* of its mpk_str_t in the filing */
} ngx_http_mpk_member_t;


typedef struct {
    const mpk_mem_t     *mem;          /* of what is read, until it is sealed */
    const mpk_value_t   *body;
    mpk_value_t        **errors;

    mpk_person_t         person;
    mpk_str_t            id;           /* of an order that names itself */
    mpk_str_t            locale;
    mpk_str_t            purchased_at;
    mpk_str_t            state;

    /* of an item */
    mpk_str_t            sku;
    mpk_str_t            product;
    mpk_str_t            key;

    mpk_order_t          order;
    mpk_data_key_t       data_key;
} ngx_http_mpk_filing_t;


static void ngx_http_mpk_file_members(ngx_http_mpk_filing_t *filing,
    const mpk_value_t *object, const ngx_http_mpk_member_t *members,
    mpk_str_t array, ngx_uint_t index);
static void ngx_http_mpk_file_order(ngx_http_mpk_filing_t *filing);
static ngx_int_t ngx_http_mpk_file_seal(ngx_http_mpk_txn_t *txn,
    ngx_http_mpk_filing_t *filing);
static void ngx_http_mpk_file_digest(ngx_http_mpk_filing_t *filing,
    const mpk_value_t *items, mpk_buf_t *content);
static ngx_int_t ngx_http_mpk_file_done(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);


#define ngx_http_mpk_member(name, max, required, field)                      \
    { { sizeof(name) - 1, (const uint8_t *) name }, max, required,           \
      offsetof(ngx_http_mpk_filing_t, field) }

#define ngx_http_mpk_member_end  { { 0, NULL }, 0, 0, 0 }

/* The first one is of an order that names itself. */

static const ngx_http_mpk_member_t  ngx_http_mpk_order_members[] = {
    ngx_http_mpk_member("order", NGX_HTTP_MPK_TEXT_MAX, 1, id),
    ngx_http_mpk_member("email", MPK_EMAIL_MAX, 1, person.email),
    ngx_http_mpk_member("account", NGX_HTTP_MPK_TEXT_MAX, 0, person.account),
    ngx_http_mpk_member("customer_name", NGX_HTTP_MPK_TEXT_MAX, 0,
                        person.name),
    ngx_http_mpk_member("purchase_ip", 45, 0, person.purchase_ip),
    ngx_http_mpk_member("device_id", NGX_HTTP_MPK_TEXT_MAX, 0,
                        person.device_id),
    ngx_http_mpk_member("locale", 35, 0, locale),
    ngx_http_mpk_member("purchased_at", 40, 1, purchased_at),
    ngx_http_mpk_member("state", 9, 0, state),
    ngx_http_mpk_member_end
};

static const ngx_http_mpk_member_t  ngx_http_mpk_item_members[] = {
    ngx_http_mpk_member("sku", NGX_HTTP_MPK_TEXT_MAX, 1, sku),
    ngx_http_mpk_member("product", NGX_HTTP_MPK_TEXT_MAX, 1, product),
    ngx_http_mpk_member("key", MPK_KEY_MAX, 1, key),
    ngx_http_mpk_member_end
};


ngx_int_t
ngx_http_mpk_api_file(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_api_t  *api;
    ngx_http_mpk_txn_t  *txn;

    api = ctx->data;

    txn = ngx_http_mpk_api_txn(r, ctx, MPK_EVENT_FILED);
    if (txn == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (api->body == NULL) {
        ngx_http_mpk_api_error(ctx, mpk_string(""), "the order is missing");

    } else if (ngx_http_mpk_api_filing(txn, &ctx->mem.mem, api->body,
                                       &api->errors)
               != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (api->errors) {
        return ngx_http_mpk_api_invalid(r, ctx);
    }

    return ngx_http_mpk_run(r, ctx, txn, ngx_http_mpk_file_done);
}


ngx_int_t
ngx_http_mpk_api_filing(ngx_http_mpk_txn_t *txn, const mpk_mem_t *mem,
    const mpk_value_t *body, mpk_value_t **errors)
{
    ngx_http_mpk_filing_t  *filing;

    filing = ngx_pcalloc(txn->pool, sizeof(ngx_http_mpk_filing_t));
    if (filing == NULL) {
        return NGX_ERROR;
    }

    filing->mem = mem;
    filing->body = body;
    filing->errors = errors;

    ngx_http_mpk_file_members(filing, body,
                              &ngx_http_mpk_order_members[txn->id.len ? 1 : 0],
                              mpk_string(""), 0);
    ngx_http_mpk_file_order(filing);

    if (txn->id.len == 0) {

        if (filing->id.len && !mpk_order_id_valid(filing->id)) {
            ngx_http_mpk_api_note(mem, errors, mpk_string("/order"),
                                  "must be 1 to 64 of the characters A-Z, "
                                  "a-z, 0-9, \".\", \"_\" and \"-\"");
        }

        txn->id = ngx_http_mpk_txn_copy(txn, filing->id);
    }

    /* Redis would drop it as soon as it has it */

    if (*errors == NULL && txn->mmcf->retention
        && filing->order.purchased_at + txn->mmcf->retention <= txn->request.now)
    {
        ngx_http_mpk_api_note(mem, errors, mpk_string("/purchased_at"),
                              "is longer ago than orders are kept "
                              "(mpk_retention)");
    }

    if (*errors) {
        return NGX_OK;
    }

    txn->request.filing = &filing->order;
    txn->filing_key = &filing->data_key;

    return ngx_http_mpk_file_seal(txn, filing);
}


/* Takes the string members of an object; "items" is looked at elsewhere. */

static void
ngx_http_mpk_file_members(ngx_http_mpk_filing_t *filing,
    const mpk_value_t *object, const ngx_http_mpk_member_t *members,
    mpk_str_t array, ngx_uint_t index)
{
    mpk_str_t                     pointer, *field;
    const mpk_value_t            *value;
    const ngx_http_mpk_member_t  *member;

    for (value = object->u.list.first; value; value = value->next) {

        for (member = members; member->name.len; member++) {
            if (mpk_str_eq(member->name, value->name)) {
                break;
            }
        }

        if (member->name.len == 0
            && (array.len || !mpk_str_eq(value->name, mpk_string("items"))))
        {
            ngx_http_mpk_api_note(filing->mem, filing->errors,
                                  ngx_http_mpk_api_pointer(filing->mem, array,
                                                           index, value->name),
                                  "there is no such member");
        }
    }

    for (member = members; member->name.len; member++) {

        field = (mpk_str_t *) (void *) ((u_char *) filing + member->offset);
        *field = (mpk_str_t) { 0, (u_char *) "" };

        value = mpk_value_get(object, member->name);

        if (value && value->type == MPK_VALUE_STRING
            && value->u.string.len <= member->max
            && (value->u.string.len || !member->required))
        {
            *field = value->u.string;
            continue;
        }

        if (!member->required && (value == NULL
                                  || value->type == MPK_VALUE_NULL))
        {
            continue;
        }

        pointer = ngx_http_mpk_api_pointer(filing->mem, array, index,
                                           member->name);

        ngx_http_mpk_api_note(filing->mem, filing->errors, pointer,
            value == NULL ? "is missing"
            : value->type != MPK_VALUE_STRING ? "must be a string"
            : value->u.string.len ? "is too long" : "is empty");
    }
}


static void
ngx_http_mpk_file_order(ngx_http_mpk_filing_t *filing)
{
    size_t              bytes;
    ngx_uint_t          i;
    mpk_value_t       **errors;
    mpk_order_t        *order;
    const mpk_mem_t    *mem;
    const mpk_value_t  *items, *value;

    mem = filing->mem;
    errors = filing->errors;
    order = &filing->order;

    if (filing->purchased_at.len
        && mpk_time_read(filing->purchased_at, &order->purchased_at)
           != MPK_OK)
    {
        ngx_http_mpk_api_note(mem, errors, mpk_string("/purchased_at"),
                              "must be an RFC 3339 time, e.g. "
                              "2026-11-23T08:15:30Z");
    }

    order->state = MPK_ORDER_HELD;

    if (mpk_str_eq(filing->state, mpk_string("ready"))) {
        order->state = MPK_ORDER_READY;

    } else if (filing->state.len
               && !mpk_str_eq(filing->state, mpk_string("held")))
    {
        ngx_http_mpk_api_note(mem, errors, mpk_string("/state"),
                              "must be \"held\" or \"ready\"");
    }

    items = mpk_value_get(filing->body, mpk_string("items"));

    if (items == NULL || items->type != MPK_VALUE_ARRAY
        || items->u.list.count == 0 || items->u.list.count > MPK_ITEMS_MAX)
    {
        ngx_http_mpk_api_note(mem, errors, mpk_string("/items"),
                              "must be an array of 1 to 500 items");
        return;
    }

    order->items_count = items->u.list.count;
    bytes = 0;

    for (value = items->u.list.first, i = 0; value; value = value->next, i++) {

        if (value->type != MPK_VALUE_OBJECT) {
            ngx_http_mpk_api_note(mem, errors,
                                  ngx_http_mpk_api_pointer(mem,
                                      mpk_string("items"), i, mpk_string("")),
                                  "must be an object");
            continue;
        }

        ngx_http_mpk_file_members(filing, value, ngx_http_mpk_item_members,
                                  mpk_string("items"), i);

        bytes += filing->key.len;
    }

    if (bytes > MPK_KEYS_BYTES_MAX) {
        ngx_http_mpk_api_note(mem, errors, mpk_string("/items"),
                              "the product keys are over 256 KB in all");
    }
}


/* Hashes and seals what the order will hold, in the transaction's memory. */

static ngx_int_t
ngx_http_mpk_file_seal(ngx_http_mpk_txn_t *txn, ngx_http_mpk_filing_t *filing)
{
    u_char             *email, *account, *digest, *index;
    mpk_buf_t           wrapped, person, sealed, content;
    ngx_uint_t          i;
    mpk_item_t         *item;
    mpk_order_t        *order;
    mpk_place_t         place;
    mpk_crypto_t       *crypto;
    mpk_status_t        status;
    const mpk_mem_t    *mem;
    const mpk_value_t  *items, *value;

    mem = &txn->mem.mem;
    crypto = txn->mmcf->crypto;
    order = &filing->order;
    order->id = txn->id;

    email = mpk_alloc(mem, 4 * MPK_MAC_LEN);
    order->items = mpk_calloc(mem, order->items_count * sizeof(mpk_item_t));

    if (email == NULL || order->items == NULL) {
        return NGX_ERROR;
    }

    account = email + MPK_MAC_LEN;
    digest = account + MPK_MAC_LEN;
    index = digest + MPK_MAC_LEN;

    status = mpk_lookup_email(crypto, filing->person.email, email);

    if (status == MPK_MALFORMED) {
        ngx_http_mpk_api_note(filing->mem, filing->errors,
                              mpk_string("/email"),
                              "must be an email address");
        return NGX_OK;
    }

    if (status != MPK_OK) {
        goto failed;
    }

    order->email_hash = (mpk_str_t) { MPK_MAC_LEN, email };

    if (filing->person.account.len) {
        status = mpk_lookup_account(crypto, filing->person.account, account);
        if (status != MPK_OK) {
            goto failed;
        }

        order->account_hash = (mpk_str_t) { MPK_MAC_LEN, account };
        txn->account = account;

    } else {

        /* the customer's account, should there be one, may go by the email */

        status = mpk_lookup_account(crypto, filing->person.email, index);
        if (status != MPK_OK) {
            goto failed;
        }

        txn->account = index;
    }

    order->locale = ngx_http_mpk_txn_copy(txn, filing->locale);

    items = mpk_value_get(filing->body, mpk_string("items"));

    mpk_buf_init(&content, filing->mem, 1024);
    ngx_http_mpk_file_digest(filing, items, &content);

    status = content.failed ? MPK_NOMEM
                            : mpk_lookup_digest(crypto, mpk_buf_done(&content),
                                                digest);
    mpk_cleanse(content.data, content.len);

    if (status != MPK_OK) {
        goto failed;
    }

    order->digest = (mpk_str_t) { MPK_MAC_LEN, digest };

    mpk_buf_init(&wrapped, mem, 128);

    status = mpk_envelope_create(crypto, mem, txn->id, &filing->data_key,
                                 &wrapped);
    if (status != MPK_OK) {
        goto failed;
    }

    order->data_key = mpk_buf_done(&wrapped);

    mpk_buf_init(&person, filing->mem, 512);
    mpk_person_write(&filing->person, &person);

    mpk_buf_init(&sealed, mem, person.len + MPK_SEAL_OVERHEAD);

    place = (mpk_place_t) { txn->id, mpk_string("person"), 0, 0 };

    status = mpk_envelope_seal(crypto, mem, &filing->data_key, &place,
                               mpk_buf_done(&person), &sealed);
    if (status != MPK_OK) {
        goto failed;
    }

    order->person = mpk_buf_done(&sealed);

    for (value = items->u.list.first, i = 0; value; value = value->next, i++) {
        item = &order->items[i];

        item->sku = ngx_http_mpk_txn_copy(txn,
                        mpk_value_get_string(value, mpk_string("sku")));
        item->product = ngx_http_mpk_txn_copy(txn,
                        mpk_value_get_string(value, mpk_string("product")));

        filing->key = mpk_value_get_string(value, mpk_string("key"));

        mpk_buf_init(&sealed, mem, filing->key.len + MPK_SEAL_OVERHEAD);

        place = (mpk_place_t) { txn->id, mpk_string("key"), i + 1, 1 };

        status = mpk_envelope_seal(crypto, mem, &filing->data_key, &place,
                                   filing->key, &sealed);
        if (status != MPK_OK) {
            goto failed;
        }

        item->key = mpk_buf_done(&sealed);
    }

    return txn->mem.failed ? NGX_ERROR : NGX_OK;

failed:

    ngx_log_error(NGX_LOG_CRIT, txn->log, 0, "mpk: order can't be sealed: %s",
                  mpk_status_text(status));

    return NGX_ERROR;
}


/* The content filed, without ambiguity (R10). */

static void
ngx_http_mpk_file_digest(ngx_http_mpk_filing_t *filing,
    const mpk_value_t *items, mpk_buf_t *content)
{
    const mpk_value_t  *item;

    mpk_person_write(&filing->person, content);
    mpk_pack_str(content, filing->locale);
    mpk_pack_int(content, (uint64_t) filing->order.purchased_at);
    mpk_pack_int(content, filing->order.state);
    mpk_pack_int(content, filing->order.items_count);

    for (item = items->u.list.first; item; item = item->next) {
        mpk_pack_str(content, mpk_value_get_string(item, mpk_string("sku")));
        mpk_pack_str(content,
                     mpk_value_get_string(item, mpk_string("product")));
        mpk_pack_str(content, mpk_value_get_string(item, mpk_string("key")));
    }
}


static ngx_int_t
ngx_http_mpk_file_done(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_value_t            *facts;
    const mpk_mem_t        *mem;
    ngx_http_mpk_txn_t     *txn;
    ngx_http_mpk_answer_t   answer;

    txn = ctx->txn;

    if (txn->result != NGX_HTTP_MPK_TXN_OK
        || (txn->decision.outcome != MPK_DONE
            && txn->decision.outcome != MPK_SAME))
    {
        return ngx_http_mpk_api_refused(r, ctx);
    }

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = txn->decision.outcome == MPK_DONE ? NGX_HTTP_CREATED
                                                      : NGX_HTTP_OK;
    mem = &ctx->mem.mem;
    facts = mpk_value_object(mem, NULL, mpk_string(""));

    (void) mpk_value_string(mem, facts, mpk_string("order"), ctx->order);
    (void) mpk_value_string(mem, facts, mpk_string("state"),
                            mpk_order_state_name(txn->decision.order.state));

    return ngx_http_mpk_send_json(r, ctx, &answer, facts);
}
