/*
 * mpk_reveal: from a signed link to the key on the screen.  GET shows the confirm
 * page and uses nothing up; POST gives the token's one view.
 */

#include "ngx_http_mpk.h"
#include "mpk_base64url.h"
#include "mpk_form.h"
#include "mpk_nonce.h"

#define NGX_HTTP_MPK_BODY_MAX    16384     /* bytes of a confirmation */
#define NGX_HTTP_MPK_RETRY       5         /* seconds, for a 503 */
#define NGX_HTTP_MPK_REFRESH     30        /* seconds between looks at a held order */
#define NGX_HTTP_MPK_GROUP       5         /* characters of a key without separators */
#define NGX_HTTP_MPK_GROUPED     128       /* bytes of a key; a longer one is text */


typedef struct {
    mpk_token_t                   token;
    mpk_status_t                  status;          /* OK or EXPIRED */
    u_char                        id[MPK_TOKEN_ID_LEN];
    u_char                        id_bytes[MPK_ID_LEN];
    u_char                        email[MPK_MAC_LEN];
    unsigned                      prefetch:1;
    unsigned                      nonce_given:1;
} ngx_http_mpk_reveal_t;


/* How a refusal looks: its page, and what the page offers next. */
typedef struct {
    ngx_uint_t                    status;
    ngx_http_mpk_page_t           page;
    unsigned                      track:1;
    unsigned                      retry:1;
    unsigned                      support:1;
    ngx_uint_t                    refresh;
    ngx_uint_t                    retry_after;
} ngx_http_mpk_notice_t;


static ngx_int_t ngx_http_mpk_reveal_token(ngx_http_request_t *r,
    ngx_str_t *token);
static ngx_int_t ngx_http_mpk_reveal_get(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_reveal_opened(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_reveal_confirm(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, mpk_outcome_t outcome);
static ngx_int_t ngx_http_mpk_reveal_post(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_reveal_nonce(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, const mpk_value_t *fields,
    ngx_http_mpk_txn_t *txn);
static ngx_int_t ngx_http_mpk_reveal_viewed(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_reveal_keys(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static void ngx_http_mpk_reveal_groups(ngx_http_mpk_mem_t *mem,
    mpk_value_t *item, mpk_str_t key);
static ngx_int_t ngx_http_mpk_reveal_notice(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, mpk_outcome_t outcome);
static ngx_int_t ngx_http_mpk_reveal_failed(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx);
static ngx_int_t ngx_http_mpk_reveal_send(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, const ngx_http_mpk_notice_t *notice,
    mpk_str_t type, mpk_str_t detail, mpk_str_t rule);
static ngx_http_mpk_txn_t *ngx_http_mpk_reveal_txn(ngx_http_request_t *r,
    ngx_http_mpk_ctx_t *ctx, mpk_event_t event);


static const ngx_http_mpk_notice_t  ngx_http_mpk_notices[MPK_OUTCOME_MAX] = {

    [MPK_ABSENT] = { .status = 404, .page = NGX_HTTP_MPK_PAGE_NOTFOUND,
                     .support = 1 },
    [MPK_HELD] = { .status = 409, .page = NGX_HTTP_MPK_PAGE_HELD,
                   .refresh = NGX_HTTP_MPK_REFRESH,
                   .retry_after = NGX_HTTP_MPK_REFRESH },
    [MPK_CANCELLED] = { .status = 410, .page = NGX_HTTP_MPK_PAGE_CANCELLED,
                        .support = 1 },
    [MPK_USED] = { .status = 410, .page = NGX_HTTP_MPK_PAGE_USED,
                   .track = 1, .support = 1 },
    [MPK_LAPSED] = { .status = 410, .page = NGX_HTTP_MPK_PAGE_EXPIRED,
                     .track = 1, .support = 1 },
    [MPK_CLOSED] = { .status = 429, .page = NGX_HTTP_MPK_PAGE_LIMITED,
                     .track = 1, .support = 1,
                     .retry_after = MPK_CHALLENGES_TIME },
    [MPK_NO_ITEM] = { .status = 404, .page = NGX_HTTP_MPK_PAGE_NOTFOUND,
                      .support = 1 },
    [MPK_CROWDED] = { .status = 503, .page = NGX_HTTP_MPK_PAGE_UNAVAILABLE,
                      .retry = 1, .support = 1, .retry_after = 3600 },
};

static const ngx_http_mpk_notice_t  ngx_http_mpk_notice_foreign = {
    .status = 403, .page = NGX_HTTP_MPK_PAGE_REFUSED, .support = 1
};

static const ngx_http_mpk_notice_t  ngx_http_mpk_notice_unavailable = {
    .status = 503, .page = NGX_HTTP_MPK_PAGE_UNAVAILABLE, .retry = 1,
    .support = 1, .retry_after = NGX_HTTP_MPK_RETRY
};


ngx_int_t
ngx_http_mpk_reveal_handler(ngx_http_request_t *r)
{
    ngx_str_t                  text;
    ngx_http_mpk_ctx_t        *ctx;
    ngx_http_mpk_reveal_t     *reveal;
    ngx_http_mpk_main_conf_t  *mmcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_POST))
        || ngx_http_mpk_reveal_token(r, &text) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ctx = ngx_http_mpk_create_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    reveal = ngx_pcalloc(r->pool, sizeof(ngx_http_mpk_reveal_t));
    if (reveal == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->data = reveal;
    ctx->json = ngx_http_mpk_wants_json(r);
    ctx->event = (r->method & NGX_HTTP_POST) ? mpk_event_name(MPK_EVENT_VIEWED)
                                             : mpk_event_name(MPK_EVENT_OPENED);

    mmcf = ngx_http_get_module_main_conf(r, ngx_http_mpk_module);

    reveal->status = mpk_token_verify(mmcf->crypto, &ctx->mem.mem, text.data,
                                      text.len, MPK_AUD_REVEAL, ngx_time(),
                                      &reveal->token);

    if (reveal->status != MPK_OK && reveal->status != MPK_EXPIRED) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "mpk: reveal link refused: %s",
                      mpk_status_text(reveal->status));
        return ngx_http_mpk_reveal_notice(r, ctx, MPK_ABSENT);
    }

    if (mpk_token_id(mmcf->crypto, reveal->token.jti, reveal->id) != MPK_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    (void) mpk_base64url_decode(reveal->id_bytes, reveal->id,
                                MPK_TOKEN_ID_LEN);

    ctx->order = reveal->token.order;
    ctx->channel = mpk_channel_name(reveal->token.channel);
    ctx->token_id = (mpk_str_t) { MPK_TOKEN_ID_LEN, reveal->id };

    reveal->prefetch = ngx_http_mpk_is_prefetch(r);

    if (!(r->method & NGX_HTTP_POST)) {
        return ngx_http_mpk_reveal_get(r, ctx);
    }

    if (reveal->prefetch || ngx_http_mpk_is_foreign(r)) {
        return ngx_http_mpk_reveal_send(r, ctx, &ngx_http_mpk_notice_foreign,
                   mpk_string("foreign"),
                   mpk_string("The request does not come from the confirm "
                              "page."), mpk_string("R4"));
    }

    return ngx_http_mpk_read_body(r, ctx, ngx_http_mpk_reveal_post);
}


/* What follows mpk_reveal_path; NGX_DECLINED: nothing, or more than a token. */

static ngx_int_t
ngx_http_mpk_reveal_token(ngx_http_request_t *r, ngx_str_t *token)
{
    ngx_str_t                *path;
    ngx_http_mpk_srv_conf_t  *mscf;

    mscf = ngx_http_get_module_srv_conf(r, ngx_http_mpk_module);

    path = &mscf->reveal_path;

    if (r->uri.len <= path->len
        || ngx_strncmp(r->uri.data, path->data, path->len) != 0)
    {
        return NGX_DECLINED;
    }

    token->data = r->uri.data + path->len;
    token->len = r->uri.len - path->len;

    if (ngx_strlchr(token->data, token->data + token->len, '/')) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_http_mpk_txn_t *
ngx_http_mpk_reveal_txn(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    mpk_event_t event)
{
    mpk_token_t               *token;
    ngx_http_mpk_txn_t        *txn;
    ngx_http_mpk_reveal_t     *reveal;
    ngx_http_mpk_loc_conf_t   *mlcf;
    ngx_http_mpk_main_conf_t  *mmcf;

    mmcf = ngx_http_get_module_main_conf(r, ngx_http_mpk_module);
    mlcf = ngx_http_get_module_loc_conf(r, ngx_http_mpk_module);

    txn = ngx_http_mpk_txn_create(mmcf, r);
    if (txn == NULL) {
        return NULL;
    }

    reveal = ctx->data;
    token = &reveal->token;

    txn->id = ngx_http_mpk_txn_copy(txn, token->order);

    txn->what.event = event;
    txn->what.grace = mlcf->reveal_grace;
    txn->what.iat = token->iat;
    txn->what.exp = token->exp;
    txn->what.channel = token->channel;
    txn->what.items_count = token->items_count;
    txn->what.items = (uint16_t *) (void *) ngx_http_mpk_txn_copy(txn,
                          (mpk_str_t) { token->items_count * sizeof(uint16_t),
                                        (u_char *) token->items }).data;

    ngx_memcpy(txn->what.token_id, reveal->id_bytes, MPK_ID_LEN);

    txn->what.consent_asked = mlcf->consent;

    txn->who.token_id = ngx_http_mpk_txn_copy(txn, ctx->token_id);

    ngx_http_mpk_who(r, txn);

    return txn;
}


static ngx_int_t
ngx_http_mpk_reveal_get(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_txn_t     *txn;
    ngx_http_mpk_reveal_t  *reveal;

    reveal = ctx->data;

    txn = ngx_http_mpk_reveal_txn(r, ctx, MPK_EVENT_OPENED);
    if (txn == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    txn->dry = (reveal->prefetch || (r->method & NGX_HTTP_HEAD));

    return ngx_http_mpk_run(r, ctx, txn, ngx_http_mpk_reveal_opened);
}


static ngx_int_t
ngx_http_mpk_reveal_opened(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_outcome_t        outcome;
    ngx_http_mpk_txn_t  *txn;

    txn = ctx->txn;

    /* that a link was opened is worth an entry, but not a customer's page */

    if (!txn->decided) {
        return ngx_http_mpk_reveal_failed(r, ctx);
    }

    outcome = txn->decision.outcome;

    if (outcome == MPK_DONE || outcome == MPK_SAME) {
        return ngx_http_mpk_reveal_confirm(r, ctx, outcome);
    }

    return ngx_http_mpk_reveal_notice(r, ctx, outcome);
}


/* The confirm page; outcome tells what was wrong with a confirmation. */

static ngx_int_t
ngx_http_mpk_reveal_confirm(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    mpk_outcome_t outcome)
{
    u_char                    *nonce;
    ngx_uint_t                 i;
    mpk_value_t               *facts, *list, *errors, *e;
    mpk_decision_t            *decision;
    const mpk_mem_t           *mem;
    ngx_http_mpk_reveal_t     *reveal;
    ngx_http_mpk_answer_t      answer;
    ngx_http_mpk_loc_conf_t   *mlcf;
    ngx_http_mpk_main_conf_t  *mmcf;
    const mpk_outcome_info_t  *info;

    reveal = ctx->data;
    decision = &ctx->txn->decision;
    mem = &ctx->mem.mem;

    mmcf = ngx_http_get_module_main_conf(r, ngx_http_mpk_module);
    mlcf = ngx_http_get_module_loc_conf(r, ngx_http_mpk_module);

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = NGX_HTTP_OK;

    if (outcome != MPK_DONE && outcome != MPK_SAME) {

        answer.status = 422;

        if (ctx->json) {
            info = mpk_outcome_info(outcome);

            errors = mpk_value_array(mem, NULL, mpk_string("errors"));
            e = mpk_value_object(mem, errors, mpk_string(""));
            (void) mpk_value_string(mem, e, mpk_string("pointer"),
                       outcome == MPK_CHALLENGE ? mpk_string("/email")
                       : outcome == MPK_STALE ? mpk_string("/nonce")
                       : mpk_string("/consent_supply"));
            (void) mpk_value_string(mem, e, mpk_string("detail"),
                                    info->detail);

            return ngx_http_mpk_send_problem(r, ctx, &answer, info->name,
                                             info->detail, info->rule,
                                             errors);
        }
    }

    nonce = ngx_pnalloc(r->pool, MPK_NONCE_LEN);

    if (nonce == NULL
        || mpk_nonce_create(mmcf->crypto, ctx->token_id, ngx_time(),
                                     nonce)
           != MPK_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    facts = mpk_value_object(mem, NULL, mpk_string(""));

    (void) mpk_value_string(mem, facts, mpk_string("order"), ctx->order);

    list = mpk_value_array(mem, facts, mpk_string("products"));

    for (i = 0; i < decision->items_count; i++) {
        (void) mpk_value_string(mem, list, mpk_string(""),
                   decision->order.items[decision->items[i] - 1].product);
    }

    (void) mpk_value_string(mem, facts, mpk_string("challenge"),
                            mlcf->challenge == NGX_HTTP_MPK_CHALLENGE_EMAIL
                            && reveal->token.channel == MPK_CHANNEL_EMAIL
                            ? mpk_string("email") : mpk_string("click"));
    (void) mpk_value_bool(mem, facts, mpk_string("consent"),
                          decision->consent);
    (void) mpk_value_string(mem, facts, mpk_string("nonce"),
                            (mpk_str_t) { MPK_NONCE_LEN, nonce });
    (void) ngx_http_mpk_value_time(ctx, facts, mpk_string("expires_at"),
                                   reveal->token.exp);

    if (ctx->json) {
        return ngx_http_mpk_send_json(r, ctx, &answer, facts);
    }

    (void) mpk_value_bool(mem, facts, mpk_string("many"),
                          decision->items_count > 1);
    (void) mpk_value_bool(mem, facts, mpk_string("track"), 1);
    (void) mpk_value_bool(mem, facts, mpk_string("support"),
                          mlcf->pages->support);
    (void) mpk_value_bool(mem, facts, mpk_string("challenge_email"),
                          mlcf->challenge == NGX_HTTP_MPK_CHALLENGE_EMAIL
                          && reveal->token.channel == MPK_CHANNEL_EMAIL);
    (void) mpk_value_bool(mem, facts, mpk_string("error"),
                          answer.status == 422);
    (void) mpk_value_bool(mem, facts, mpk_string("error_email"),
                          outcome == MPK_CHALLENGE);
    (void) mpk_value_bool(mem, facts, mpk_string("error_consent"),
                          outcome == MPK_CONSENT);
    (void) mpk_value_bool(mem, facts, mpk_string("error_nonce"),
                          outcome == MPK_STALE);

    return ngx_http_mpk_send_page(r, ctx, &answer, NGX_HTTP_MPK_PAGE_CONFIRM,
                                  facts);
}


static ngx_int_t
ngx_http_mpk_reveal_post(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    mpk_str_t                  body, email, consent[2];
    ngx_int_t                  rc;
    mpk_error_t                error;
    mpk_value_t               *fields;
    mpk_status_t               status;
    ngx_http_mpk_txn_t        *txn;
    ngx_http_mpk_reveal_t     *reveal;
    ngx_http_mpk_answer_t      answer;
    ngx_http_mpk_loc_conf_t   *mlcf;
    ngx_http_mpk_main_conf_t  *mmcf;
    const mpk_value_t         *supply, *waiver;

    static const mpk_json_limits_t  json_limits = {
        .size = NGX_HTTP_MPK_BODY_MAX, .depth = 2, .values = 32
    };
    static const mpk_form_limits_t  form_limits = {
        .size = NGX_HTTP_MPK_BODY_MAX, .fields = 32
    };

    reveal = ctx->data;

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));

    rc = ngx_http_mpk_body(r, NGX_HTTP_MPK_BODY_MAX, &body);

    if (rc == NGX_DECLINED) {
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    fields = NULL;
    status = MPK_OK;

    switch (ngx_http_mpk_body_type(r)) {

    case NGX_HTTP_MPK_BODY_FORM:
        status = mpk_form_read(&ctx->mem.mem, body.data, body.len,
                               &form_limits, &fields, &error);
        break;

    case NGX_HTTP_MPK_BODY_JSON:
        status = mpk_json_read(&ctx->mem.mem, body.data, body.len,
                               &json_limits, &fields, &error);

        if (status == MPK_OK && fields->type != MPK_VALUE_OBJECT) {
            status = mpk_fail(&error, MPK_MALFORMED, 0,
                              "the body must be a JSON object");
        }

        break;

    default:

        if (body.len == 0) {
            break;
        }

        answer.status = NGX_HTTP_UNSUPPORTED_MEDIA_TYPE;
        ctx->outcome = mpk_string("invalid");

        return ngx_http_mpk_send_problem(r, ctx, &answer,
                   mpk_string("media_type"),
                   mpk_string("The body must be a form or application/json."),
                   mpk_string(""), NULL);
    }

    if (status != MPK_OK) {
        answer.status = NGX_HTTP_BAD_REQUEST;
        ctx->outcome = mpk_string("invalid");

        return ngx_http_mpk_send_problem(r, ctx, &answer,
                   mpk_string("body"),
                   (mpk_str_t) { ngx_strlen(error.text),
                                 (u_char *) error.text },
                   mpk_string(""), NULL);
    }

    txn = ngx_http_mpk_reveal_txn(r, ctx, MPK_EVENT_VIEWED);
    if (txn == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    mmcf = ngx_http_get_module_main_conf(r, ngx_http_mpk_module);
    mlcf = ngx_http_get_module_loc_conf(r, ngx_http_mpk_module);

    if (ngx_http_mpk_reveal_nonce(r, ctx, fields, txn) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    txn->what.challenge_email =
        mlcf->challenge == NGX_HTTP_MPK_CHALLENGE_EMAIL
        && reveal->token.channel == MPK_CHANNEL_EMAIL;

    if (txn->what.challenge_email) {

        txn->counted = 1;
        txn->who.challenge = mpk_string("email");

        email = mpk_value_get_string(fields, mpk_string("email"));

        if (mpk_lookup_email(mmcf->crypto, email, reveal->email) == MPK_OK) {
            txn->what.email_hash = reveal->email;
        }

    } else {
        txn->who.challenge = mpk_string("click");
    }

    consent[0] = mpk_value_get_string(fields, mpk_string("consent_supply"));
    consent[1] = mpk_value_get_string(fields, mpk_string("consent_waiver"));

    supply = mpk_value_get(fields, mpk_string("consent_supply"));
    waiver = mpk_value_get(fields, mpk_string("consent_waiver"));

    txn->what.consent_given =
        (consent[0].len
         || (supply && supply->type == MPK_VALUE_BOOL && supply->u.boolean))
        && (consent[1].len
            || (waiver && waiver->type == MPK_VALUE_BOOL
                && waiver->u.boolean));

    if (mlcf->consent && txn->what.consent_given) {
        txn->who.consent = ngx_http_mpk_str(&mlcf->pages->consent);
        txn->who.consent_language = ngx_http_mpk_str(&mlcf->pages->language);
    }

    return ngx_http_mpk_run(r, ctx, txn, ngx_http_mpk_reveal_viewed);
}


/* The confirmation's nonce, or an Idempotency-Key, as the order remembers it. */

static ngx_int_t
ngx_http_mpk_reveal_nonce(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    const mpk_value_t *fields, ngx_http_mpk_txn_t *txn)
{
    u_char                     hash[MPK_MAC_LEN];
    mpk_buf_t                  buf;
    mpk_str_t                  nonce;
    ngx_table_elt_t           *h;
    ngx_http_mpk_main_conf_t  *mmcf;

    static ngx_str_t  idempotency = ngx_string("idempotency-key");

    mmcf = ngx_http_get_module_main_conf(r, ngx_http_mpk_module);

    mpk_buf_init(&buf, &ctx->mem.mem, 128);

    nonce = mpk_value_get_string(fields, mpk_string("nonce"));

    if (nonce.len) {
        txn->what.nonce_fresh = mpk_nonce_fresh(mmcf->crypto, ctx->token_id,
                                                ngx_time(), nonce);
        mpk_buf_lit(&buf, "nonce:");
        mpk_buf_str(&buf, nonce);

    } else {
        h = ngx_http_mpk_header(r, &idempotency);

        if (h && h->value.len && h->value.len <= 255) {
            txn->what.nonce_fresh = 1;

            mpk_buf_lit(&buf, "key:");
            mpk_buf_put(&buf, h->value.data, h->value.len);
        }
    }

    if (buf.failed
        || mpk_crypto_hash(mmcf->crypto, mpk_buf_done(&buf), hash) != MPK_OK)
    {
        return NGX_ERROR;
    }

    ngx_memcpy(txn->what.nonce, hash, MPK_ID_LEN);

    return NGX_OK;
}


static ngx_int_t
ngx_http_mpk_reveal_viewed(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_http_mpk_txn_t  *txn;

    txn = ctx->txn;

    if (txn->result != NGX_HTTP_MPK_TXN_OK) {
        return ngx_http_mpk_reveal_failed(r, ctx);
    }

    switch (txn->decision.outcome) {

    case MPK_DONE:
        return ngx_http_mpk_reveal_keys(r, ctx);

    case MPK_CHALLENGE:
        ngx_http_mpk_txn_wrong(txn);

        /* fall through */

    case MPK_STALE:
    case MPK_CONSENT:
        return ngx_http_mpk_reveal_confirm(r, ctx, txn->decision.outcome);

    default:
        return ngx_http_mpk_reveal_notice(r, ctx, txn->decision.outcome);
    }
}


/* The view is committed: the one place that shows keys. */

static ngx_int_t
ngx_http_mpk_reveal_keys(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    ngx_uint_t                i;
    mpk_item_t               *item;
    mpk_value_t              *facts, *list, *v;
    mpk_decision_t           *decision;
    const mpk_mem_t          *mem;
    ngx_http_mpk_txn_t       *txn;
    ngx_http_mpk_answer_t     answer;
    ngx_http_mpk_loc_conf_t  *mlcf;

    txn = ctx->txn;
    decision = &txn->decision;
    mem = &ctx->mem.mem;

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));
    answer.status = NGX_HTTP_OK;

    facts = mpk_value_object(mem, NULL, mpk_string(""));

    (void) mpk_value_string(mem, facts, mpk_string("order"), ctx->order);
    (void) mpk_value_string(mem, facts, mpk_string("channel"), ctx->channel);
    (void) ngx_http_mpk_value_time(ctx, facts, mpk_string("viewed_at"),
                                   txn->what.now);
    (void) mpk_value_bool(mem, facts, mpk_string("repeat"),
                          decision->event == MPK_EVENT_REPEATED);

    if (!ctx->json) {
        mlcf = ngx_http_get_module_loc_conf(r, ngx_http_mpk_module);

        (void) mpk_value_bool(mem, facts, mpk_string("many"),
                              decision->items_count > 1);
        (void) mpk_value_bool(mem, facts, mpk_string("track"), 1);
        (void) mpk_value_bool(mem, facts, mpk_string("support"),
                              mlcf->pages->support);
    }

    list = mpk_value_array(mem, facts, mpk_string("items"));

    for (i = 0; i < decision->items_count; i++) {
        item = &decision->order.items[decision->items[i] - 1];

        v = mpk_value_object(mem, list, mpk_string(""));

        (void) mpk_value_int(mem, v, mpk_string("item"), decision->items[i]);
        (void) mpk_value_string(mem, v, mpk_string("sku"), item->sku);
        (void) mpk_value_string(mem, v, mpk_string("product"), item->product);
        (void) mpk_value_string(mem, v, mpk_string("key"), txn->keys[i]);

        if (!ctx->json) {
            ngx_http_mpk_reveal_groups(&ctx->mem, v, txn->keys[i]);
        }
    }

    if (ctx->json) {
        return ngx_http_mpk_send_json(r, ctx, &answer, facts);
    }

    return ngx_http_mpk_send_page(r, ctx, &answer, NGX_HTTP_MPK_PAGE_KEYS,
                                  facts);
}


/*
 * A key in groups for reading: at its own dashes, or by five where it has none.
 * Text of any other kind has no groups.
 */

static void
ngx_http_mpk_reveal_groups(ngx_http_mpk_mem_t *mem, mpk_value_t *item,
    mpk_str_t key)
{
    size_t        i, start;
    ngx_uint_t    dashes;
    mpk_value_t  *groups;

    if (key.len > NGX_HTTP_MPK_GROUPED) {
        return;
    }

    dashes = 0;

    for (i = 0; i < key.len; i++) {

        if (key.data[i] == '-') {
            dashes++;

        } else if (key.data[i] <= ' ' || key.data[i] >= 0x7f) {
            return;
        }
    }

    groups = mpk_value_array(&mem->mem, item, mpk_string("groups"));

    for (start = 0, i = 0; i < key.len; i++) {

        if (dashes ? key.data[i] == '-' : (i - start == NGX_HTTP_MPK_GROUP - 1))
        {
            (void) mpk_value_string(&mem->mem, groups, mpk_string(""),
                       (mpk_str_t) { i + 1 - start, key.data + start });
            start = i + 1;
        }
    }

    if (start < key.len) {
        (void) mpk_value_string(&mem->mem, groups, mpk_string(""),
                   (mpk_str_t) { key.len - start, key.data + start });
    }
}


static ngx_int_t
ngx_http_mpk_reveal_notice(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    mpk_outcome_t outcome)
{
    ngx_http_mpk_loc_conf_t   *mlcf;
    const mpk_outcome_info_t  *info;

    info = mpk_outcome_info(outcome);

    mlcf = ngx_http_get_module_loc_conf(r, ngx_http_mpk_module);

    /* without a transaction, it was the link that was refused */

    if (outcome == MPK_ABSENT && mlcf->fallthrough && ctx->txn) {
        return ngx_http_mpk_pass(r, ctx);
    }

    if (ctx->outcome.len == 0) {
        ctx->outcome = info->name;
    }

    return ngx_http_mpk_reveal_send(r, ctx, &ngx_http_mpk_notices[outcome],
                                    info->name, info->detail, info->rule);
}


static ngx_int_t
ngx_http_mpk_reveal_failed(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx)
{
    return ngx_http_mpk_reveal_send(r, ctx, &ngx_http_mpk_notice_unavailable,
               mpk_string("unavailable"),
               mpk_string("The view can't be recorded right now, so no key is "
                          "shown; send the same again in a moment."),
               mpk_string("R2"));
}


static ngx_int_t
ngx_http_mpk_reveal_send(ngx_http_request_t *r, ngx_http_mpk_ctx_t *ctx,
    const ngx_http_mpk_notice_t *notice, mpk_str_t type, mpk_str_t detail,
    mpk_str_t rule)
{
    mpk_link_t               *link;
    mpk_value_t              *facts;
    const mpk_mem_t          *mem;
    ngx_http_mpk_answer_t     answer;
    ngx_http_mpk_loc_conf_t  *mlcf;

    mlcf = ngx_http_get_module_loc_conf(r, ngx_http_mpk_module);

    ngx_memzero(&answer, sizeof(ngx_http_mpk_answer_t));

    answer.status = notice->status;
    answer.retry_after = notice->retry_after;

    if (ctx->json) {
        return ngx_http_mpk_send_problem(r, ctx, &answer, type, detail, rule,
                                         NULL);
    }

    mem = &ctx->mem.mem;
    facts = mpk_value_object(mem, NULL, mpk_string(""));

    if (ctx->order.len) {
        (void) mpk_value_string(mem, facts, mpk_string("order"), ctx->order);
    }

    (void) mpk_value_bool(mem, facts, mpk_string("track"), notice->track);
    (void) mpk_value_bool(mem, facts, mpk_string("retry"), notice->retry);
    (void) mpk_value_bool(mem, facts, mpk_string("support"),
                          notice->support && mlcf->pages->support);

    if (notice->refresh) {
        (void) mpk_value_int(mem, facts, mpk_string("refresh"),
                             notice->refresh);
    }

    link = ctx->txn ? ctx->txn->decision.link : NULL;

    if (link && link->used_at) {
        (void) ngx_http_mpk_value_time(ctx, facts,
                                       mpk_string("used_at"), link->used_at);
    }

    return ngx_http_mpk_send_page(r, ctx, &answer, notice->page, facts);
}
