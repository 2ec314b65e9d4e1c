/*
 * What a new connection asks Redis before any command: who we are, and whether
 * this server is one that orders can be kept in.
 */

#include "ngx_mpk_redis_int.h"


typedef struct {
    const char  *name;
    unsigned     required:1;    /* the connection is of no use without it */
    unsigned     secret:1;      /* an old server's error repeats the arguments */
} ngx_mpk_redis_step_t;


/* One command of a greeting. */
typedef struct {
    ngx_mpk_redis_hello_t  step;
    size_t                 argc;
    mpk_str_t              argv[3];
} ngx_mpk_redis_asked_t;


static ngx_mpk_redis_asked_t *ngx_mpk_redis_hello_auth(
    ngx_mpk_redis_asked_t *asked, ngx_str_t *user, ngx_str_t *password);
static ngx_int_t ngx_mpk_redis_hello_bytes(ngx_conf_t *cf,
    ngx_mpk_redis_greeting_t *greeting, ngx_mpk_redis_asked_t *asked,
    ngx_mpk_redis_asked_t *last);
static const char *ngx_mpk_redis_hello_remedy(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_error_t error);
static ngx_int_t ngx_mpk_redis_hello_error(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_hello_t step, mpk_str_t text);
static ngx_int_t ngx_mpk_redis_hello_role(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply);
static void ngx_mpk_redis_hello_memory(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply);
static void ngx_mpk_redis_hello_server(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply);
static mpk_str_t ngx_mpk_redis_hello_info(ngx_mpk_redis_reply_t *reply,
    mpk_str_t name);


static const ngx_mpk_redis_step_t
    ngx_mpk_redis_steps[NGX_MPK_REDIS_HELLO_MAX] =
{
    [NGX_MPK_REDIS_HELLO_AUTH] = { "AUTH", 1, 1 },
    [NGX_MPK_REDIS_HELLO_SELECT] = { "SELECT", 1, 0 },
    [NGX_MPK_REDIS_HELLO_NAME] = { "CLIENT SETNAME", 0, 0 },
    [NGX_MPK_REDIS_HELLO_ROLE] = { "ROLE", 0, 0 },
    [NGX_MPK_REDIS_HELLO_MEMORY] = { "INFO memory", 0, 0 },
    [NGX_MPK_REDIS_HELLO_SERVER] = { "INFO server", 0, 0 },
    [NGX_MPK_REDIS_HELLO_PING] = { "PING", 0, 0 },
    [NGX_MPK_REDIS_HELLO_MASTER] = { "SENTINEL", 1, 0 },
    [NGX_MPK_REDIS_HELLO_SUBSCRIBE] = { "SUBSCRIBE", 1, 0 },
};


ngx_int_t
ngx_mpk_redis_hello_make(ngx_conf_t *cf, ngx_mpk_redis_t *redis,
    ngx_str_t *user, ngx_str_t *password, ngx_uint_t db)
{
    u_char                   number[NGX_INT_T_LEN];
    ngx_mpk_redis_asked_t    asked[NGX_MPK_REDIS_HELLO_MAX];
    ngx_mpk_redis_asked_t   *a;

    a = ngx_mpk_redis_hello_auth(asked, user, password);

    if (db) {
        *a++ = (ngx_mpk_redis_asked_t) {
            NGX_MPK_REDIS_HELLO_SELECT, 2,
            { mpk_string("SELECT"),
              { (size_t) (ngx_sprintf(number, "%ui", db) - number), number } }
        };
    }

    *a++ = (ngx_mpk_redis_asked_t) {
        NGX_MPK_REDIS_HELLO_NAME, 3,
        { mpk_string("CLIENT"), mpk_string("SETNAME"), mpk_string("ngx_mpk") }
    };

    /* replicas of a cluster say themselves who has a slot */

    if (redis->kind != NGX_MPK_REDIS_CLUSTER) {
        *a++ = (ngx_mpk_redis_asked_t) {
            NGX_MPK_REDIS_HELLO_ROLE, 1, { mpk_string("ROLE") }
        };
    }

    *a++ = (ngx_mpk_redis_asked_t) {
        NGX_MPK_REDIS_HELLO_MEMORY, 2,
        { mpk_string("INFO"), mpk_string("memory") }
    };

    if (redis->durability == NGX_MPK_REDIS_AOF) {
        *a++ = (ngx_mpk_redis_asked_t) {
            NGX_MPK_REDIS_HELLO_SERVER, 2,
            { mpk_string("INFO"), mpk_string("server") }
        };
    }

    /* unlike those before it, PING tells that the data is still being loaded */

    *a++ = (ngx_mpk_redis_asked_t) {
        NGX_MPK_REDIS_HELLO_PING, 1, { mpk_string("PING") }
    };

    return ngx_mpk_redis_hello_bytes(cf, &redis->greeting, asked, a);
}


ngx_int_t
ngx_mpk_redis_hello_make_sentinel(ngx_conf_t *cf, ngx_mpk_redis_t *redis,
    ngx_str_t *user, ngx_str_t *password)
{
    ngx_mpk_redis_asked_t   asked[NGX_MPK_REDIS_HELLO_MAX];
    ngx_mpk_redis_asked_t  *a;

    a = ngx_mpk_redis_hello_auth(asked, user, password);

    *a++ = (ngx_mpk_redis_asked_t) {
        NGX_MPK_REDIS_HELLO_MASTER, 3,
        { mpk_string("SENTINEL"), mpk_string("get-master-addr-by-name"),
          { redis->master.len, redis->master.data } }
    };

    /* the last: a subscriber may ask nothing more */

    *a++ = (ngx_mpk_redis_asked_t) {
        NGX_MPK_REDIS_HELLO_SUBSCRIBE, 2,
        { mpk_string("SUBSCRIBE"), mpk_string("+switch-master") }
    };

    return ngx_mpk_redis_hello_bytes(cf, &redis->sentinel, asked, a);
}


static ngx_mpk_redis_asked_t *
ngx_mpk_redis_hello_auth(ngx_mpk_redis_asked_t *asked, ngx_str_t *user,
    ngx_str_t *password)
{
    if (password->len == 0) {
        return asked;
    }

    asked->step = NGX_MPK_REDIS_HELLO_AUTH;
    asked->argc = 0;
    asked->argv[asked->argc++] = mpk_string("AUTH");

    if (user->len) {
        asked->argv[asked->argc++] = (mpk_str_t) { user->len, user->data };
    }

    asked->argv[asked->argc++] = (mpk_str_t) { password->len, password->data };

    return asked + 1;
}


static ngx_int_t
ngx_mpk_redis_hello_bytes(ngx_conf_t *cf, ngx_mpk_redis_greeting_t *greeting,
    ngx_mpk_redis_asked_t *asked, ngx_mpk_redis_asked_t *last)
{
    size_t                  len;
    u_char                 *p;
    ngx_mpk_redis_asked_t  *a;

    len = 0;

    for (a = asked; a < last; a++) {
        len += ngx_mpk_redis_command_len(a->argc, a->argv);
        greeting->steps[greeting->nsteps++] = a->step;
    }

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    greeting->bytes.len = len;
    greeting->bytes.data = p;

    for (a = asked; a < last; a++) {
        p = ngx_mpk_redis_command_write(p, a->argc, a->argv);
    }

    return NGX_OK;
}


void
ngx_mpk_redis_hello_start(ngx_mpk_redis_conn_t *conn)
{
    ngx_buf_t         *b;
    ngx_connection_t  *c;

    c = conn->connection;

    conn->state = NGX_MPK_REDIS_HELLO;
    conn->step = 0;

    conn->mem.alloc = ngx_mpk_redis_alloc;
    conn->mem.ctx = c->pool;

    conn->parser = ngx_mpk_redis_parser_create();
    if (conn->parser == NULL) {
        ngx_mpk_redis_fail(conn, NGX_LOG_ERR, 0, "no memory");
        return;
    }

    c->read->handler = ngx_mpk_redis_read_handler;
    c->write->handler = ngx_mpk_redis_write_handler;

    b = &conn->hello_buf;

    ngx_memzero(b, sizeof(ngx_buf_t));

    b->start = conn->node->greeting->bytes.data;
    b->pos = b->start;
    b->last = b->start + conn->node->greeting->bytes.len;
    b->end = b->last;
    b->memory = 1;
    b->flush = 1;

    conn->hello.buf = b;
    conn->hello.next = NULL;

    conn->out = &conn->hello;

    /* what TLS has read already gives no event */

    ngx_post_event(c->read, &ngx_posted_events);

    ngx_mpk_redis_write(conn);
}


ngx_int_t
ngx_mpk_redis_hello_reply(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply)
{
    ngx_int_t              rc;
    ngx_mpk_redis_hello_t  step;

    step = conn->node->greeting->steps[conn->step++];

    if (reply->type == NGX_MPK_REDIS_ERROR) {
        rc = ngx_mpk_redis_hello_error(conn, step, reply->str);

    } else if (step == NGX_MPK_REDIS_HELLO_ROLE) {
        rc = ngx_mpk_redis_hello_role(conn, reply);

    } else if (step == NGX_MPK_REDIS_HELLO_MASTER) {
        rc = ngx_mpk_redis_sentinel_answer(conn, reply);

    } else {

        if (step == NGX_MPK_REDIS_HELLO_MEMORY) {
            ngx_mpk_redis_hello_memory(conn, reply);

        } else if (step == NGX_MPK_REDIS_HELLO_SERVER) {
            ngx_mpk_redis_hello_server(conn, reply);
        }

        rc = NGX_OK;
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    return conn->step == conn->node->greeting->nsteps ? NGX_OK : NGX_AGAIN;
}


static ngx_int_t
ngx_mpk_redis_hello_error(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_hello_t step, mpk_str_t text)
{
    u_char                             buf[NGX_MPK_REDIS_TEXT_MAX];
    ngx_str_t                          words;
    ngx_uint_t                         tolerable;
    ngx_mpk_redis_error_t              error;
    const ngx_mpk_redis_step_t        *what;
    const ngx_mpk_redis_error_info_t  *info;

    what = &ngx_mpk_redis_steps[step];
    error = ngx_mpk_redis_error_find(text);
    info = ngx_mpk_redis_error_info(error);

    ngx_mpk_redis_count(conn->redis, errors[error]);

    if (what->secret) {

        if (error == NGX_MPK_REDIS_ERR_OTHER) {
            error = NGX_MPK_REDIS_ERR_WRONGPASS;
        }

        ngx_mpk_redis_fail(conn, NGX_LOG_ERR, 0, "%s was refused: %s",
                           what->name, ngx_mpk_redis_hello_remedy(conn, error));
        return NGX_ERROR;
    }

    words = ngx_mpk_redis_hello_text(text, buf);

    if (step == NGX_MPK_REDIS_HELLO_PING) {

        /* MISCONF and the like: reading works */

        tolerable = !info->reconnect;

    } else {
        tolerable = !what->required
                    && (error == NGX_MPK_REDIS_ERR_NOPERM
                        || (text.len > 4
                            && ngx_strncmp(text.data, "ERR ", 4) == 0));
    }

    if (!tolerable) {
        ngx_mpk_redis_fail(conn, NGX_LOG_ERR, 0,
                           "%s was refused with \"%V\"%s%s",
                           what->name, &words,
                           error == NGX_MPK_REDIS_ERR_OTHER ? "" : ": ",
                           error == NGX_MPK_REDIS_ERR_OTHER
                           || info->remedy == NULL
                           ? "" : ngx_mpk_redis_hello_remedy(conn, error));
        return NGX_ERROR;
    }

    if (ngx_mpk_redis_log_due(&conn->node->worker->hello_logged[step])) {
        ngx_log_error(NGX_LOG_WARN, conn->node->worker->cycle->log, 0,
                      "mpk_redis %V: %s was refused with \"%V\", going on "
                      "without it", &conn->node->name, what->name, &words);
    }

    return NGX_OK;
}


static const char *
ngx_mpk_redis_hello_remedy(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_error_t error)
{
    if (conn->node != &conn->node->worker->watch) {
        return ngx_mpk_redis_error_info(error)->remedy;
    }

    switch (error) {

    case NGX_MPK_REDIS_ERR_NOAUTH:
        return "Sentinel wants a password of its own, give it with "
               "sentinel_password_file=";

    case NGX_MPK_REDIS_ERR_WRONGPASS:
        return "compare sentinel_user= and sentinel_password_file= with "
               "Sentinel's ACL";

    case NGX_MPK_REDIS_ERR_NOPERM:
        return "let the ACL of Sentinel's user have "
               "+sentinel|get-master-addr-by-name, +subscribe and "
               "&+switch-master";

    default:
        return ngx_mpk_redis_error_info(error)->remedy;
    }
}


static ngx_int_t
ngx_mpk_redis_hello_role(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply)
{
    u_char     buf[NGX_MPK_REDIS_TEXT_MAX];
    ngx_str_t  words;

    if (reply->type != NGX_MPK_REDIS_ARRAY
        || reply->count == 0
        || reply->elements[0].type != NGX_MPK_REDIS_STRING)
    {
        ngx_mpk_redis_fail(conn, NGX_LOG_ERR, 0,
                           "ROLE was answered as Redis never does");
        return NGX_ERROR;
    }

    if (!mpk_str_eq(reply->elements[0].str, mpk_string("master"))) {
        words = ngx_mpk_redis_hello_text(reply->elements[0].str, buf);

        ngx_mpk_redis_fail(conn, NGX_LOG_ERR, 0, "its role is \"%V\", %s",
                           &words,
                           conn->redis->kind == NGX_MPK_REDIS_SENTINEL
                           ? "Sentinel is asked again"
                           : "let mpk_redis name the master");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_mpk_redis_hello_memory(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply)
{
    u_char     buf[NGX_MPK_REDIS_TEXT_MAX];
    ngx_str_t  words;
    mpk_str_t  policy;

    policy = ngx_mpk_redis_hello_info(reply, mpk_string("maxmemory_policy:"));

    if (policy.data == NULL) {
        return;
    }

    conn->node->evicts = !mpk_str_eq(policy, mpk_string("noeviction"));

    if (!conn->node->evicts
        || !ngx_mpk_redis_log_due(
                &conn->node->worker->hello_logged[NGX_MPK_REDIS_HELLO_MEMORY]))
    {
        return;
    }

    words = ngx_mpk_redis_hello_text(policy, buf);

    ngx_log_error(NGX_LOG_ERR, conn->node->worker->cycle->log, 0,
                  "mpk_redis %V: its maxmemory-policy \"%V\" lets Redis throw "
                  "orders away, set \"maxmemory-policy noeviction\"",
                  &conn->node->name, &words);
}


/*
 * Redis 7.4.0 to 7.4.2, and Valkey since 8.0: in the second after a sync WAITAOF takes
 * what is written for synced, unless each write is.
 */

static void
ngx_mpk_redis_hello_server(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply)
{
    u_char       buf[NGX_MPK_REDIS_TEXT_MAX];
    ngx_int_t    major;
    ngx_str_t    words;
    mpk_str_t    version;
    ngx_uint_t   early;
    const char  *name;

    version = ngx_mpk_redis_hello_info(reply, mpk_string("valkey_version:"));

    if (version.data) {
        name = "Valkey";
        major = version.len > 1 && version.data[1] == '.'
                ? version.data[0] - '0' : 10;
        early = (major >= 8);

    } else {
        name = "Redis";
        version = ngx_mpk_redis_hello_info(reply, mpk_string("redis_version:"));
        early = (version.len == 5
                 && ngx_strncmp(version.data, "7.4.", 4) == 0
                 && version.data[4] <= '2');
    }

    if (!early
        || !ngx_mpk_redis_log_due(
                &conn->node->worker->hello_logged[NGX_MPK_REDIS_HELLO_SERVER]))
    {
        return;
    }

    words = ngx_mpk_redis_hello_text(version, buf);

    ngx_log_error(NGX_LOG_WARN, conn->node->worker->cycle->log, 0,
                  "mpk_redis %V: WAITAOF of %s %V does not wait for the disk, "
                  "unless redis.conf says \"appendfsync always\"",
                  &conn->node->name, name, &words);
}


/* The value of a line of INFO; data is NULL if there is none. */

static mpk_str_t
ngx_mpk_redis_hello_info(ngx_mpk_redis_reply_t *reply, mpk_str_t name)
{
    mpk_str_t       value;
    const uint8_t  *p, *last, *eol;

    value.len = 0;
    value.data = NULL;

    if (reply->type != NGX_MPK_REDIS_STRING) {
        return value;
    }

    last = reply->str.data + reply->str.len;

    for (p = reply->str.data; p < last; p = eol + 1) {

        eol = memchr(p, '\n', (size_t) (last - p));
        if (eol == NULL) {
            break;
        }

        if ((size_t) (eol - p) > name.len
            && memcmp(p, name.data, name.len) == 0)
        {
            value.data = p + name.len;
            value.len = (size_t) (eol - value.data);

            if (value.len && value.data[value.len - 1] == '\r') {
                value.len--;
            }

            break;
        }
    }

    return value;
}


ngx_str_t
ngx_mpk_redis_hello_text(mpk_str_t text, u_char *buf)
{
    size_t     i;
    ngx_str_t  words;

    words.len = ngx_min(text.len, NGX_MPK_REDIS_TEXT_MAX);
    words.data = buf;

    for (i = 0; i < words.len; i++) {
        buf[i] = text.data[i] >= 0x20 && text.data[i] < 0x7f ? text.data[i]
                                                             : '.';
    }

    return words;
}
