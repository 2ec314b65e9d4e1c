/* What consumer groups get of the outbox: taken, verified, acknowledged. */

#include "ngx_http_mpk_feed.h"
#include "ngx_http_mpk_background.h"
#include "ngx_http_mpk_script.h"

#include "mpk_base64url.h"

#define NGX_HTTP_MPK_FEED_POOL    16384
#define NGX_HTTP_MPK_FEED_PASSES  100    /* how often buckets are asked: with count=1, each once */

/*
 * The members of the reply's events.  A record that is not there, and a MAC or a head that is
 * not needed, are empty.
 */
enum {
    NGX_HTTP_MPK_FEED_MEMBER = 0,
    NGX_HTTP_MPK_FEED_ATTEMPT,
    NGX_HTTP_MPK_FEED_RECORD,
    NGX_HTTP_MPK_FEED_BEFORE,          /* the MAC of the entry before */
    NGX_HTTP_MPK_FEED_HEAD,
    NGX_HTTP_MPK_FEED_FIELDS
};

#define NGX_HTTP_MPK_FEED_ARGS  (3 + 3 + 6)

/* At most half of what is handed out was due again. */
#define ngx_http_mpk_feed_more(feed, b)                                      \
    ((b)->new || ((b)->due && (feed)->due))


static ngx_int_t ngx_http_mpk_feed_init(ngx_http_mpk_feed_t *feed,
    const ngx_http_mpk_feed_query_t *query, const u_char *wanted);
static void ngx_http_mpk_feed_group(ngx_http_mpk_feed_t *feed);
static void ngx_http_mpk_feed_group_handler(ngx_mpk_redis_cmd_t *cmd);
static ngx_uint_t ngx_http_mpk_feed_ask(ngx_http_mpk_feed_t *feed);
static ngx_uint_t ngx_http_mpk_feed_share(ngx_uint_t total, ngx_uint_t n,
    ngx_uint_t i);
static ngx_int_t ngx_http_mpk_feed_send(ngx_http_mpk_feed_t *feed,
    ngx_http_mpk_feed_bucket_t *b, ngx_uint_t due);
static mpk_str_t ngx_http_mpk_feed_int(mpk_mem_t *mem, int64_t n);
static void ngx_http_mpk_feed_handler(ngx_mpk_redis_cmd_t *cmd);
static void ngx_http_mpk_feed_reply(ngx_http_mpk_feed_t *feed,
    ngx_http_mpk_feed_bucket_t *b);
static ngx_uint_t ngx_http_mpk_feed_event(ngx_http_mpk_feed_t *feed,
    ngx_uint_t bucket, const ngx_mpk_redis_reply_t *event);
static mpk_status_t ngx_http_mpk_feed_prove(ngx_http_mpk_feed_t *feed,
    const mpk_event_id_t *id, const ngx_mpk_redis_reply_t *event,
    mpk_str_t *mac);
static mpk_status_t ngx_http_mpk_feed_erased(ngx_http_mpk_feed_t *feed,
    const mpk_event_id_t *id, mpk_str_t head, mpk_order_t *order);
static mpk_status_t ngx_http_mpk_feed_facts(ngx_http_mpk_feed_t *feed,
    const mpk_event_id_t *id, mpk_str_t member, mpk_str_t record,
    mpk_str_t mac, int64_t attempt);
static void ngx_http_mpk_feed_unproved(ngx_http_mpk_feed_t *feed,
    ngx_uint_t bucket, const mpk_event_id_t *id, mpk_str_t member,
    mpk_status_t status);
static void ngx_http_mpk_feed_drop(ngx_http_mpk_feed_t *feed,
    ngx_uint_t bucket, mpk_str_t member, mpk_str_t how);
static void ngx_http_mpk_feed_done(ngx_http_mpk_feed_t *feed);


ngx_http_mpk_feed_t *
ngx_http_mpk_feed_take(ngx_http_mpk_main_conf_t *mmcf,
    const ngx_http_mpk_feed_query_t *query, const u_char *wanted,
    ngx_http_mpk_feed_pt handler, void *data)
{
    ngx_pool_t           *pool;
    ngx_http_mpk_feed_t  *feed;

    pool = ngx_create_pool(NGX_HTTP_MPK_FEED_POOL, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    feed = ngx_pcalloc(pool, sizeof(ngx_http_mpk_feed_t));
    if (feed == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    feed->pool = pool;
    feed->mmcf = mmcf;
    feed->handler = handler;
    feed->data = data;
    feed->started = ngx_http_mpk_stats_clock();

    ngx_http_mpk_mem_init(&feed->mem, pool);

    if (ngx_http_mpk_feed_init(feed, query, wanted) != NGX_OK) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    if (ngx_http_mpk_group_old(ngx_http_mpk_group(feed->query.group))) {
        ngx_http_mpk_feed_group(feed);

    } else if (ngx_http_mpk_feed_ask(feed) == 0) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    return feed;
}


static ngx_int_t
ngx_http_mpk_feed_init(ngx_http_mpk_feed_t *feed,
    const ngx_http_mpk_feed_query_t *query, const u_char *wanted)
{
    ngx_uint_t                   i;
    ngx_http_mpk_feed_bucket_t  *b;

    feed->query = *query;
    feed->due = (query->count + 1) / 2;

    if (mpk_dup(&feed->mem, query->group, &feed->query.group) != MPK_OK
        || mpk_dup(&feed->mem, query->from, &feed->query.from) != MPK_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < query->events_count; i++) {
        if (mpk_dup(&feed->mem, query->events[i], &feed->query.events[i])
            != MPK_OK)
        {
            return NGX_ERROR;
        }
    }

    feed->events = mpk_value_new(&feed->mem, MPK_VALUE_ARRAY);
    feed->buckets = mpk_calloc(&feed->mem, MPK_BUCKETS
                                   * sizeof(ngx_http_mpk_feed_bucket_t));

    if (feed->events == NULL || feed->buckets == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < MPK_BUCKETS; i++) {

        if (i % query->parts != query->part
            || (wanted && wanted[i] == 0))
        {
            continue;
        }

        b = &feed->buckets[feed->buckets_count++];

        b->bucket = i;
        b->feed = feed;
        b->new = 1;
    }

    return NGX_OK;
}


void
ngx_http_mpk_feed_detach(ngx_http_mpk_feed_t *feed)
{
    feed->handler = NULL;

    if (feed->waiting == 0) {
        ngx_destroy_pool(feed->pool);
    }
}


static void
ngx_http_mpk_feed_group(ngx_http_mpk_feed_t *feed)
{
    mpk_str_t             argv[NGX_HTTP_MPK_GROUP_ARGS];
    ngx_uint_t            argc;
    ngx_mpk_redis_cmd_t  *cmd;

    argc = ngx_http_mpk_group_args(ngx_http_mpk_group(feed->query.group),
                                   feed->query.from, argv);

    cmd = &feed->buckets[0].cmd;

    cmd->pool = feed->pool;
    cmd->handler = ngx_http_mpk_feed_group_handler;
    cmd->data = feed;

    feed->waiting++;

    ngx_mpk_redis_send(feed->mmcf->redis, NGX_MPK_REDIS_READ, cmd, argc, argv);
}


/* Without a reply, those buckets that have the group already can be asked all the same. */

static void
ngx_http_mpk_feed_group_handler(ngx_mpk_redis_cmd_t *cmd)
{
    ngx_http_mpk_feed_t   *feed;
    ngx_http_mpk_group_t  *group;

    feed = cmd->data;
    feed->waiting--;

    group = ngx_http_mpk_group(feed->query.group);

    ngx_http_mpk_group_read(feed->mmcf, group, cmd);

    if (feed->handler == NULL || group->full
        || ngx_http_mpk_feed_ask(feed) == 0)
    {
        ngx_http_mpk_feed_done(feed);
    }
}


/*
 * Asks the buckets that may have more, and returns how many.  Each gets a share of what is
 * missing; for a first time those are asked, too, whose share is 0.
 */

static ngx_uint_t
ngx_http_mpk_feed_ask(ngx_http_mpk_feed_t *feed)
{
    ngx_uint_t                   i, k, n, left;
    ngx_http_mpk_feed_bucket_t  *b;

    n = 0;

    for (i = 0; i < feed->buckets_count; i++) {
        n += ngx_http_mpk_feed_more(feed, &feed->buckets[i]);
    }

    left = feed->query.count - feed->taken;
    feed->first = n ? (ngx_uint_t) ngx_random() % n : 0;
    k = 0;

    for (i = 0; i < feed->buckets_count; i++) {
        b = &feed->buckets[i];
        b->asked = 0;

        if (!ngx_http_mpk_feed_more(feed, b)) {
            continue;
        }

        k++;
        b->share = ngx_http_mpk_feed_share(left, n, feed->first + k);

        if (b->share == 0 && feed->passes) {
            continue;
        }

        if (ngx_http_mpk_feed_send(feed, b,
                ngx_http_mpk_feed_share(feed->due, n, feed->first + k))
            != NGX_OK)
        {
            break;
        }

        b->asked = 1;
        feed->waiting++;
    }

    feed->passes++;

    return feed->waiting;
}


/* The part of one of n, by its number, so that all together get exactly total. */

static ngx_uint_t
ngx_http_mpk_feed_share(ngx_uint_t total, ngx_uint_t n, ngx_uint_t i)
{
    return (i + 1) * total / n - i * total / n;
}


static ngx_int_t
ngx_http_mpk_feed_send(ngx_http_mpk_feed_t *feed,
    ngx_http_mpk_feed_bucket_t *b, ngx_uint_t due)
{
    mpk_str_t              *argv, empty;
    ngx_uint_t              i, n;
    ngx_http_mpk_group_t   *group;

    if (b->argv == NULL) {
        b->argv = mpk_alloc(&feed->mem, (NGX_HTTP_MPK_FEED_ARGS
                                         + feed->query.events_count)
                                        * sizeof(mpk_str_t));
        if (b->argv == NULL) {
            return NGX_ERROR;
        }
    }

    argv = b->argv;
    empty = mpk_string("");
    group = ngx_http_mpk_group(feed->query.group);
    n = 0;

    argv[n++] = mpk_string("EVALSHA");
    argv[n++] = ngx_http_mpk_script_sha(NGX_HTTP_MPK_SCRIPT_TAKE);
    argv[n++] = mpk_string("3");
    argv[n++] = ngx_http_mpk_feed_key(&feed->mem, b->bucket, ":out", empty);
    argv[n++] = ngx_http_mpk_feed_key(&feed->mem, b->bucket, ":d:",
                                      feed->query.group);
    argv[n++] = ngx_http_mpk_feed_key(&feed->mem, b->bucket, ":p:",
                                      feed->query.group);
    argv[n++] = feed->query.group;
    argv[n++] = (mpk_str_t) { group->from_len, group->from };
    argv[n++] = ngx_http_mpk_feed_int(&feed->mem, due);
    argv[n++] = ngx_http_mpk_feed_int(&feed->mem, b->share);
    argv[n++] = ngx_http_mpk_feed_int(&feed->mem, feed->query.idle);
    argv[n++] = ngx_http_mpk_feed_key(&feed->mem, b->bucket, ":o:", empty);

    for (i = 0; i < feed->query.events_count; i++) {
        argv[n++] = feed->query.events[i];
    }

    if (feed->mem.failed) {
        return NGX_ERROR;
    }

    b->argc = n;

    ngx_memzero(&b->cmd, sizeof(ngx_mpk_redis_cmd_t));

    b->cmd.pool = feed->pool;
    b->cmd.handler = ngx_http_mpk_feed_handler;
    b->cmd.data = b;

    ngx_mpk_redis_send(feed->mmcf->redis, NGX_MPK_REDIS_READ, &b->cmd, n, argv);

    return NGX_OK;
}


mpk_str_t
ngx_http_mpk_feed_key(mpk_mem_t *mem, ngx_uint_t bucket, const char *what,
    mpk_str_t name)
{
    mpk_buf_t  buf;

    mpk_buf_init(&buf, mem, 20 + name.len);
    mpk_buf_lit(&buf, "mpk:{");
    mpk_buf_str(&buf, mpk_bucket_tag(bucket));
    mpk_buf_byte(&buf, '}');
    mpk_buf_put(&buf, what, ngx_strlen(what));
    mpk_buf_str(&buf, name);

    return mpk_buf_done(&buf);
}


static mpk_str_t
ngx_http_mpk_feed_int(mpk_mem_t *mem, int64_t n)
{
    mpk_buf_t  buf;

    mpk_buf_init(&buf, mem, NGX_INT64_LEN);
    mpk_buf_int(&buf, n);

    return mpk_buf_done(&buf);
}


static void
ngx_http_mpk_feed_handler(ngx_mpk_redis_cmd_t *cmd)
{
    ngx_uint_t                   i;
    ngx_http_mpk_feed_t         *feed;
    ngx_http_mpk_feed_bucket_t  *b;

    b = cmd->data;
    feed = b->feed;

    if (cmd->result == NGX_MPK_REDIS_REFUSED
        && cmd->error == NGX_MPK_REDIS_ERR_NOSCRIPT)
    {
        b->argv[0] = mpk_string("EVAL");
        b->argv[1] = ngx_http_mpk_script(NGX_HTTP_MPK_SCRIPT_TAKE);

        ngx_mpk_redis_send(feed->mmcf->redis, NGX_MPK_REDIS_READ, cmd,
                           b->argc, b->argv);
        return;
    }

    if (--feed->waiting) {
        return;
    }

    if (feed->handler == NULL) {
        ngx_http_mpk_feed_done(feed);
        return;
    }

    for (i = 0; i < feed->buckets_count; i++) {
        b = &feed->buckets[i];

        if (b->asked) {
            ngx_http_mpk_feed_reply(feed, b);
        }
    }

    if (feed->taken < feed->query.count && !feed->mem.failed
        && feed->passes < NGX_HTTP_MPK_FEED_PASSES
        && ngx_http_mpk_feed_ask(feed))
    {
        return;
    }

    ngx_http_mpk_feed_done(feed);
}


/* Adds the events of a reply. */

static void
ngx_http_mpk_feed_reply(ngx_http_mpk_feed_t *feed,
    ngx_http_mpk_feed_bucket_t *b)
{
    size_t                  i;
    ngx_mpk_redis_reply_t  *reply;

    reply = b->cmd.reply;
    b->due = 0;
    b->new = 0;

    if (b->cmd.result != NGX_MPK_REDIS_ANSWERED
        || reply->type != NGX_MPK_REDIS_ARRAY || reply->count < 3
        || reply->elements[0].type != NGX_MPK_REDIS_INTEGER
        || reply->elements[1].type != NGX_MPK_REDIS_INTEGER
        || reply->elements[2].type != NGX_MPK_REDIS_INTEGER)
    {
        feed->delayed++;
        return;
    }

    feed->due -= ngx_min(feed->due, (ngx_uint_t) reply->elements[0].integer);

    b->due = (reply->elements[1].integer != 0);
    b->new = (reply->elements[2].integer != 0);

    for (i = 3; i < reply->count; i++) {
        feed->taken += ngx_http_mpk_feed_event(feed, b->bucket,
                                               &reply->elements[i]);
    }

    if (reply->count > 3 && feed->mmcf->shm) {
        feed->mmcf->shm->groups_changed[b->bucket] = 1;
    }
}


/* Adds an event if it is what it should be; 1: it was added. */

static ngx_uint_t
ngx_http_mpk_feed_event(ngx_http_mpk_feed_t *feed, ngx_uint_t bucket,
    const ngx_mpk_redis_reply_t *event)
{
    size_t          i;
    int64_t         attempt;
    mpk_str_t       mac, member, record;
    mpk_status_t    status;
    mpk_event_id_t  id;

    if (event->type != NGX_MPK_REDIS_ARRAY
        || event->count != NGX_HTTP_MPK_FEED_FIELDS)
    {
        return 0;
    }

    for (i = 0; i < event->count; i++) {
        if (event->elements[i].type != NGX_MPK_REDIS_STRING) {
            return 0;
        }
    }

    member = event->elements[NGX_HTTP_MPK_FEED_MEMBER].str;
    record = event->elements[NGX_HTTP_MPK_FEED_RECORD].str;

    attempt = ngx_atoi((u_char *)
                       event->elements[NGX_HTTP_MPK_FEED_ATTEMPT].str.data,
                       event->elements[NGX_HTTP_MPK_FEED_ATTEMPT].str.len);

    if (mpk_event_id_read(member, &id) != MPK_OK) {
        ngx_http_mpk_feed_drop(feed, bucket, member,
                               mpk_string(NGX_HTTP_MPK_FEED_ACK));
        return 0;
    }

    mac = mpk_string("");

    status = ngx_http_mpk_feed_prove(feed, &id, event, &mac);

    if (status == MPK_OK) {
        status = ngx_http_mpk_feed_facts(feed, &id, member, record, mac,
                                         attempt);
    }

    if (status == MPK_OK) {
        return 1;
    }

    /* the entry has another event, and a pointer of its own */

    if (status == MPK_DUPLICATE) {
        ngx_http_mpk_feed_drop(feed, bucket, member,
                               mpk_string(NGX_HTTP_MPK_FEED_ACK));
        return 0;
    }

    if (status != MPK_NOMEM) {
        ngx_http_mpk_feed_unproved(feed, bucket, &id, member, status);
    }

    return 0;
}


/* Whether the entry follows the one before it, or is gone as it should be: *mac stays empty. */

static mpk_status_t
ngx_http_mpk_feed_prove(ngx_http_mpk_feed_t *feed, const mpk_event_id_t *id,
    const ngx_mpk_redis_reply_t *event, mpk_str_t *mac)
{
    u_char         zeros[MPK_MAC_LEN];
    mpk_str_t      record, head;
    const u_char  *before;
    mpk_order_t    order;
    mpk_status_t   status;

    record = event->elements[NGX_HTTP_MPK_FEED_RECORD].str;
    head = event->elements[NGX_HTTP_MPK_FEED_HEAD].str;

    if (record.len == 0) {

        /* nothing is left of the order: it has expired */

        if (head.len == 0) {
            return MPK_OK;
        }

        status = ngx_http_mpk_feed_erased(feed, id, head, &order);

        return status == MPK_OK && id->number > order.gone ? MPK_MISSING
                                                           : status;
    }

    ngx_memzero(zeros, sizeof(zeros));
    before = zeros;

    if (event->elements[NGX_HTTP_MPK_FEED_BEFORE].str.len == MPK_MAC_LEN) {
        before = event->elements[NGX_HTTP_MPK_FEED_BEFORE].str.data;

    } else if (id->number > 1) {

        /* of an erased order this one is left, and the MAC of the last one before it */

        status = ngx_http_mpk_feed_erased(feed, id, head, &order);

        if (status != MPK_OK) {
            return status;
        }

        if (id->number != order.gone + 1) {
            return MPK_MISSING;
        }

        before = order.gone_mac;
    }

    return mpk_journal_prove(feed->mmcf->crypto, id->order, id->number,
                             record, before, mac);
}


/* MPK_MISSING: the order is not erased. */

static mpk_status_t
ngx_http_mpk_feed_erased(ngx_http_mpk_feed_t *feed, const mpk_event_id_t *id,
    mpk_str_t head, mpk_order_t *order)
{
    mpk_str_t     fields[MPK_ORDER_FIELDS];
    mpk_status_t  status;

    ngx_memzero(fields, sizeof(fields));

    if (head.len == 0) {
        return MPK_MISSING;
    }

    fields[MPK_ORDER_HEAD] = head;

    status = mpk_order_read(feed->mmcf->crypto, &feed->mem, id->order, fields,
                            MPK_ORDER_KEYS, order);

    if (status == MPK_OK && order->state != MPK_ORDER_ERASED) {
        return MPK_MISSING;
    }

    return status;
}


static mpk_status_t
ngx_http_mpk_feed_facts(ngx_http_mpk_feed_t *feed, const mpk_event_id_t *id,
    mpk_str_t member, mpk_str_t record, mpk_str_t mac, int64_t attempt)
{
    u_char        *p;
    mpk_buf_t      head;
    mpk_value_t   *list, *facts;
    mpk_status_t   status;

    /* into the answer only if it can be read */

    list = mpk_value_new(&feed->mem, MPK_VALUE_ARRAY);

    if (record.len) {
        status = mpk_journal_read(feed->mmcf->crypto, &feed->mem, NULL,
                                  id->order, id->number, record, list);
        if (status != MPK_OK) {
            return status;
        }

        facts = list->u.list.first;

        if (!mpk_str_eq(mpk_value_get_string(facts, mpk_string("event")),
                        id->event))
        {
            return MPK_DUPLICATE;
        }

        mpk_buf_init(&head, &feed->mem, NGX_INT64_LEN + 1
                         + mpk_base64url_encoded_len(MPK_MAC_LEN));
        mpk_buf_int(&head, (int64_t) id->number);
        mpk_buf_byte(&head, ':');

        p = mpk_buf_room(&head, mpk_base64url_encoded_len(MPK_MAC_LEN));
        if (p) {
            mpk_base64url_encode(p, mac.data, MPK_MAC_LEN);
        }

        mpk_value_string(facts, mpk_string("head"), mpk_buf_done(&head));

    } else {
        facts = mpk_value_object(list, mpk_string(""));

        mpk_value_int(facts, mpk_string("n"), (int64_t) id->number);
        mpk_value_string(facts, mpk_string("order"), id->order);
        mpk_value_string(facts, mpk_string("event"), id->event);
        mpk_value_bool(facts, mpk_string("erased"), true);
    }

    mpk_value_string(facts, mpk_string("id"),
                     mpk_event_id_encode(&feed->mem, member));
    mpk_value_int(facts, mpk_string("attempt"), attempt);

    if (feed->mem.failed) {
        return MPK_NOMEM;
    }

    mpk_value_put(feed->events, mpk_string(""), facts);

    return MPK_OK;
}


/*
 * Not handed out.  What this edge can't judge comes again after idle, here or at another
 * edge; what was changed in Redis is parked: it is looked at again once it is unparked.
 */

static void
ngx_http_mpk_feed_unproved(ngx_http_mpk_feed_t *feed, ngx_uint_t bucket,
    const mpk_event_id_t *id, mpk_str_t member, mpk_status_t status)
{
    ngx_uint_t  later;

    later = (status == MPK_UNKNOWN || status == MPK_NEWER
             || status == MPK_CRYPTO);

    ngx_http_mpk_stats_unproved();

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "mpk: event %uL of order \"%*s\" was not handed out to group "
                  "\"%*s\": %s; %s", id->number, id->order.len,
                  id->order.data, feed->query.group.len,
                  feed->query.group.data,
                  status == MPK_UNKNOWN
                  ? "its journal key is not in the keyring"
                  : status == MPK_NEWER ? "it was written by a newer release"
                  : status == MPK_MISSING ? "an entry of the journal is missing"
                  : mpk_status_text(status),
                  later ? "it is tried again" : "it is parked");

    if (!later) {
        ngx_http_mpk_feed_drop(feed, bucket, member,
                               mpk_string(NGX_HTTP_MPK_FEED_PARK));
    }
}


/* In the background; if it fails, the event comes again after idle. */

static void
ngx_http_mpk_feed_drop(ngx_http_mpk_feed_t *feed, ngx_uint_t bucket,
    mpk_str_t member, mpk_str_t how)
{
    mpk_str_t                   argv[NGX_HTTP_MPK_FEED_MARK_ARGS + 1];
    ngx_uint_t                  argc;
    ngx_http_mpk_background_t  *bg;

    bg = ngx_http_mpk_background(feed->mmcf, NULL);
    if (bg == NULL) {
        return;
    }

    argc = ngx_http_mpk_feed_mark(&bg->mem, bucket, feed->query.group, how,
                                  &member, 1, argv);

    ngx_http_mpk_background_send(bg, argc, argv);
}


ngx_uint_t
ngx_http_mpk_feed_mark(mpk_mem_t *mem, ngx_uint_t bucket, mpk_str_t group,
    mpk_str_t how, const mpk_str_t *members, ngx_uint_t count, mpk_str_t *argv)
{
    ngx_uint_t  i, n;

    n = 0;

    argv[n++] = mpk_string("EVAL");
    argv[n++] = ngx_http_mpk_script(NGX_HTTP_MPK_SCRIPT_MARK);
    argv[n++] = mpk_string("2");
    argv[n++] = ngx_http_mpk_feed_key(mem, bucket, ":d:", group);
    argv[n++] = ngx_http_mpk_feed_key(mem, bucket, ":p:", group);
    argv[n++] = how;

    for (i = 0; i < count; i++) {
        argv[n++] = members[i];
    }

    return n;
}


static void
ngx_http_mpk_feed_done(ngx_http_mpk_feed_t *feed)
{
    ngx_http_mpk_group_t  *group;

    feed->time = ngx_http_mpk_stats_clock() - feed->started;

    ngx_log_debug6(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "mpk feed done, buckets:%ui delayed:%ui passes:%ui "
                   "events:%ui detached:%d us:%uL", feed->buckets_count,
                   feed->delayed, feed->passes, feed->taken,
                   feed->handler == NULL, feed->time);

    if (feed->handler == NULL) {
        ngx_destroy_pool(feed->pool);
        return;
    }

    group = ngx_http_mpk_group(feed->query.group);

    if (feed->taken) {
        group->used_at = ngx_current_msec;
    }

    feed->full = group->full;
    feed->failed = feed->mem.failed
                   || (feed->taken == 0
                       && feed->delayed == feed->buckets_count);

    if (feed->delayed < feed->buckets_count) {
        ngx_http_mpk_stats_took(NGX_HTTP_MPK_HISTOGRAM_STORE,
                                (int64_t) feed->time);
    }

    feed->handler(feed);
}
