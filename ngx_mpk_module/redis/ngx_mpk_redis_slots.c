/* The slots of a cluster: of a command, in MOVED and ASK, in CLUSTER SLOTS' answer. */

#include "ngx_mpk_redis_int.h"

#include "mpk_bucket.h"


#define NGX_MPK_REDIS_HOST_MAX  255    /* bytes */


static ngx_int_t ngx_mpk_redis_slot_host(ngx_mpk_redis_reply_t *reply,
    ngx_str_t *host);
static ngx_int_t ngx_mpk_redis_slot_int(ngx_mpk_redis_reply_t *reply,
    ngx_int_t max);


ngx_uint_t
ngx_mpk_redis_slot(ngx_uint_t argc, const mpk_str_t *argv)
{
    mpk_str_t       key;
    ngx_uint_t      n;
    const uint8_t  *open, *close;

    /* EVAL script numkeys key, EVALSHA sha numkeys key */

    n = argv[0].len >= 4 && ngx_strncasecmp((u_char *) argv[0].data,
                                            (u_char *) "EVAL", 4) == 0
        ? 3 : 1;

    if (n >= argc) {
        return 0;
    }

    key = argv[n];

    /* what is in the first braces that hold anything, or else all of it */

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


ngx_int_t
ngx_mpk_redis_slot_moved(mpk_str_t text, ngx_uint_t *slot, ngx_str_t *host,
    in_port_t *port)
{
    u_char     *p, *last, *end;
    ngx_int_t   n;

    last = (u_char *) text.data + text.len;

    p = ngx_strlchr((u_char *) text.data, last, ' ');
    if (p == NULL) {
        return NGX_ERROR;
    }

    end = ngx_strlchr(++p, last, ' ');
    if (end == NULL) {
        return NGX_ERROR;
    }

    n = ngx_atoi(p, end - p);

    if (n == NGX_ERROR || n >= NGX_MPK_REDIS_SLOTS) {
        return NGX_ERROR;
    }

    *slot = (ngx_uint_t) n;

    /* an IPv6 address has colons of its own */

    host->data = end + 1;

    for (p = last; p > host->data && p[-1] != ':'; p--) { /* void */ }

    n = ngx_atoi(p, last - p);

    if (p == host->data || n < 1 || n > 65535) {
        return NGX_ERROR;
    }

    *port = (in_port_t) n;
    host->len = p - 1 - host->data;

    return host->len <= NGX_MPK_REDIS_HOST_MAX ? NGX_OK : NGX_ERROR;
}


/* first, last, the master as [ host, port, id, [ name, value, ... ] ], replicas */
ngx_int_t
ngx_mpk_redis_slot_range(ngx_mpk_redis_reply_t *reply,
    ngx_mpk_redis_range_t *range)
{
    size_t                  i;
    ngx_int_t               first, last, port;
    ngx_mpk_redis_reply_t  *master, *more;

    if (reply->type != NGX_MPK_REDIS_ARRAY || reply->count < 3) {
        return NGX_ERROR;
    }

    first = ngx_mpk_redis_slot_int(&reply->elements[0], NGX_MPK_REDIS_SLOTS - 1);
    last = ngx_mpk_redis_slot_int(&reply->elements[1], NGX_MPK_REDIS_SLOTS - 1);

    master = &reply->elements[2];

    if (first == NGX_ERROR || last == NGX_ERROR || first > last
        || master->type != NGX_MPK_REDIS_ARRAY || master->count < 2)
    {
        return NGX_ERROR;
    }

    port = ngx_mpk_redis_slot_int(&master->elements[1], 65535);

    if (port < 1
        || ngx_mpk_redis_slot_host(&master->elements[0], &range->host)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    range->first = (ngx_uint_t) first;
    range->last = (ngx_uint_t) last;
    range->port = (in_port_t) port;

    ngx_str_null(&range->ip);

    if (master->count < 4 || master->elements[3].type != NGX_MPK_REDIS_ARRAY) {
        return NGX_OK;
    }

    more = &master->elements[3];

    for (i = 0; i + 1 < more->count; i += 2) {
        if (more->elements[i].type == NGX_MPK_REDIS_STRING
            && mpk_str_eq(more->elements[i].str, mpk_string("ip")))
        {
            return ngx_mpk_redis_slot_host(&more->elements[i + 1], &range->ip);
        }
    }

    return NGX_OK;
}


/* Redis says nothing, or "?", where it does not know how clients reach it. */
static ngx_int_t
ngx_mpk_redis_slot_host(ngx_mpk_redis_reply_t *reply, ngx_str_t *host)
{
    ngx_str_null(host);

    if (reply->type == NGX_MPK_REDIS_NIL) {
        return NGX_OK;
    }

    if (reply->type != NGX_MPK_REDIS_STRING
        || reply->str.len > NGX_MPK_REDIS_HOST_MAX)
    {
        return NGX_ERROR;
    }

    if (!mpk_str_eq(reply->str, mpk_string("?"))) {
        host->data = (u_char *) reply->str.data;
        host->len = reply->str.len;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_mpk_redis_slot_int(ngx_mpk_redis_reply_t *reply, ngx_int_t max)
{
    if (reply->type != NGX_MPK_REDIS_INTEGER
        || reply->integer < 0 || reply->integer > max)
    {
        return NGX_ERROR;
    }

    return (ngx_int_t) reply->integer;
}
