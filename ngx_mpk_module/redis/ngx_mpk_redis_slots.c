/* The slots of a Redis Cluster. */

#include <strings.h>

#include "mpk_bucket.h"
#include "ngx_mpk_redis_slots.h"


static mpk_status_t ngx_mpk_redis_range_host(const ngx_mpk_redis_reply_t *reply,
    mpk_str_t *host);
static mpk_status_t ngx_mpk_redis_range_printable(mpk_str_t host);
static mpk_status_t ngx_mpk_redis_range_number(
    const ngx_mpk_redis_reply_t *reply, unsigned max, unsigned *number);
static mpk_status_t ngx_mpk_redis_range_digits(mpk_str_t text, unsigned max,
    unsigned *number);


unsigned
ngx_mpk_redis_slot(size_t argc, const mpk_str_t *argv)
{
    size_t          n;
    mpk_str_t       key;
    const uint8_t  *open, *close;

    /* EVAL script numkeys key, EVALSHA sha numkeys key */

    n = argv[0].len >= sizeof("EVAL") - 1
        && strncasecmp((char *) argv[0].data, "EVAL", sizeof("EVAL") - 1) == 0
        ? 3 : 1;

    if (n >= argc || argv[n].len == 0) {
        return 0;
    }

    key = argv[n];

    /* the hash tag: what is between the first braces, unless empty; else the whole key */

    open = memchr(key.data, '{', key.len);

    if (open) {
        open++;
        close = memchr(open, '}', (size_t) (key.data + key.len - open));

        if (close && close != open) {
            key.data = open;
            key.len = (size_t) (close - open);
        }
    }

    return mpk_crc16(key.data, key.len) % NGX_MPK_REDIS_SLOTS;
}


mpk_status_t
ngx_mpk_redis_range_moved(mpk_str_t text, ngx_mpk_redis_range_t *range)
{
    size_t          len;
    mpk_str_t       port;
    const uint8_t  *p, *last, *space;

    memset(range, 0, sizeof(ngx_mpk_redis_range_t));

    last = text.data + text.len;

    p = text.len ? memchr(text.data, ' ', text.len) : NULL;
    if (p == NULL) {
        return MPK_MALFORMED;
    }

    p++;

    space = memchr(p, ' ', (size_t) (last - p));

    if (space == NULL
        || ngx_mpk_redis_range_digits((mpk_str_t) { (size_t) (space - p), p },
                                      NGX_MPK_REDIS_SLOTS - 1, &range->first)
           != MPK_OK)
    {
        return MPK_MALFORMED;
    }

    range->last = range->first;

    /* an IPv6 address has colons of its own */

    p = space + 1;
    len = (size_t) (last - p);

    while (len && p[len - 1] != ':') {
        len--;
    }

    if (len == 0) {
        return MPK_MALFORMED;
    }

    range->host = (mpk_str_t) { len - 1, p };

    if (ngx_mpk_redis_range_printable(range->host) != MPK_OK) {
        return MPK_MALFORMED;
    }

    port = (mpk_str_t) { (size_t) (last - p) - len, p + len };

    return ngx_mpk_redis_range_digits(port, 65535, &range->port) == MPK_OK
           && range->port ? MPK_OK : MPK_MALFORMED;
}


/* first, last, the master as [ host, port, id, [ name, value, ... ] ], replicas */

mpk_status_t
ngx_mpk_redis_range_read(const ngx_mpk_redis_reply_t *reply,
    ngx_mpk_redis_range_t *range)
{
    size_t                        i;
    const ngx_mpk_redis_reply_t  *master, *more;

    memset(range, 0, sizeof(ngx_mpk_redis_range_t));

    if (reply->type != NGX_MPK_REDIS_ARRAY || reply->count < 3) {
        return MPK_MALFORMED;
    }

    master = &reply->elements[2];

    if (master->type != NGX_MPK_REDIS_ARRAY || master->count < 2
        || ngx_mpk_redis_range_number(&reply->elements[0],
                                      NGX_MPK_REDIS_SLOTS - 1, &range->first)
           != MPK_OK
        || ngx_mpk_redis_range_number(&reply->elements[1],
                                      NGX_MPK_REDIS_SLOTS - 1, &range->last)
           != MPK_OK
        || range->first > range->last
        || ngx_mpk_redis_range_host(&master->elements[0], &range->host)
           != MPK_OK
        || ngx_mpk_redis_range_number(&master->elements[1], 65535,
                                      &range->port)
           != MPK_OK
        || range->port == 0)
    {
        return MPK_MALFORMED;
    }

    if (master->count >= 4 && master->elements[3].type == NGX_MPK_REDIS_ARRAY) {
        more = &master->elements[3];

        for (i = 0; i + 1 < more->count; i += 2) {
            if (more->elements[i].type == NGX_MPK_REDIS_STRING
                && mpk_str_eq(more->elements[i].str, mpk_string("ip"))
                && ngx_mpk_redis_range_host(&more->elements[i + 1], &range->ip)
                   != MPK_OK)
            {
                return MPK_MALFORMED;
            }
        }
    }

    /* host names are preferred, and the node announces none */

    if (mpk_str_eq(range->host, mpk_string("?"))) {
        range->host = range->ip;
        return range->ip.len ? MPK_OK : MPK_MALFORMED;
    }

    return MPK_OK;
}


/* A name, an address, or nothing: the host of the node that replied. */

static mpk_status_t
ngx_mpk_redis_range_host(const ngx_mpk_redis_reply_t *reply, mpk_str_t *host)
{
    if (reply->type == NGX_MPK_REDIS_NIL) {
        return MPK_OK;
    }

    if (reply->type != NGX_MPK_REDIS_STRING) {
        return MPK_MALFORMED;
    }

    *host = reply->str;

    return ngx_mpk_redis_range_printable(*host);
}


/* The host is logged, and compared with certificates. */

static mpk_status_t
ngx_mpk_redis_range_printable(mpk_str_t host)
{
    size_t  i;

    for (i = 0; i < host.len; i++) {
        if (host.data[i] <= ' ' || host.data[i] >= 0x7f) {
            return MPK_MALFORMED;
        }
    }

    return host.len <= NGX_MPK_REDIS_HOST_MAX ? MPK_OK : MPK_MALFORMED;
}


static mpk_status_t
ngx_mpk_redis_range_number(const ngx_mpk_redis_reply_t *reply, unsigned max,
    unsigned *number)
{
    if (reply->type != NGX_MPK_REDIS_INTEGER
        || reply->integer < 0 || reply->integer > (int64_t) max)
    {
        return MPK_MALFORMED;
    }

    *number = (unsigned) reply->integer;

    return MPK_OK;
}


static mpk_status_t
ngx_mpk_redis_range_digits(mpk_str_t text, unsigned max, unsigned *number)
{
    size_t  i;

    *number = 0;

    for (i = 0; i < text.len; i++) {

        if (text.data[i] < '0' || text.data[i] > '9') {
            return MPK_MALFORMED;
        }

        *number = *number * 10 + (text.data[i] - '0');

        if (*number > max) {
            return MPK_MALFORMED;
        }
    }

    return text.len ? MPK_OK : MPK_MALFORMED;
}
