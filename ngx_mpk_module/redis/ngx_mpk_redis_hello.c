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


static ngx_int_t ngx_mpk_redis_hello_error(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_hello_t step, mpk_str_t text);
static ngx_int_t ngx_mpk_redis_hello_role(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply);
static void ngx_mpk_redis_hello_memory(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply);


static const ngx_mpk_redis_step_t
    ngx_mpk_redis_steps[NGX_MPK_REDIS_HELLO_MAX] =
{
    [NGX_MPK_REDIS_HELLO_AUTH] = { "AUTH", 1, 1 },
    [NGX_MPK_REDIS_HELLO_SELECT] = { "SELECT", 1, 0 },
    [NGX_MPK_REDIS_HELLO_NAME] = { "CLIENT SETNAME", 0, 0 },
    [NGX_MPK_REDIS_HELLO_ROLE] = { "ROLE", 0, 0 },
    [NGX_MPK_REDIS_HELLO_MEMORY] = { "INFO memory", 0, 0 },
    [NGX_MPK_REDIS_HELLO_PING] = { "PING", 0, 0 },
};


ngx_int_t
ngx_mpk_redis_hello_make(ngx_conf_t *cf, ngx_mpk_redis_t *redis,
    ngx_str_t *user, ngx_str_t *password, ngx_uint_t db)
{
    size_t                  len;
    u_char                 *p;
    u_char                  number[NGX_INT_T_LEN];
    mpk_str_t               argv[NGX_MPK_REDIS_HELLO_MAX][3];
    ngx_uint_t              i, n, argc[NGX_MPK_REDIS_HELLO_MAX];
    ngx_mpk_redis_hello_t  *steps;

    n = 0;
    steps = redis->steps;

    if (password->len) {
        steps[n] = NGX_MPK_REDIS_HELLO_AUTH;
        argc[n] = 0;
        argv[n][argc[n]++] = mpk_string("AUTH");

        if (user->len) {
            argv[n][argc[n]++] = (mpk_str_t) { user->len, user->data };
        }

        argv[n][argc[n]++] = (mpk_str_t) { password->len, password->data };
        n++;
    }

    if (db) {
        steps[n] = NGX_MPK_REDIS_HELLO_SELECT;
        argc[n] = 2;
        argv[n][0] = mpk_string("SELECT");
        argv[n][1] = (mpk_str_t) {
            (size_t) (ngx_sprintf(number, "%ui", db) - number), number
        };
        n++;
    }

    steps[n] = NGX_MPK_REDIS_HELLO_NAME;
    argc[n] = 3;
    argv[n][0] = mpk_string("CLIENT");
    argv[n][1] = mpk_string("SETNAME");
    argv[n][2] = mpk_string("ngx_mpk");
    n++;

    steps[n] = NGX_MPK_REDIS_HELLO_ROLE;
    argc[n] = 1;
    argv[n][0] = mpk_string("ROLE");
    n++;

    steps[n] = NGX_MPK_REDIS_HELLO_MEMORY;
    argc[n] = 2;
    argv[n][0] = mpk_string("INFO");
    argv[n][1] = mpk_string("memory");
    n++;

    /* unlike those before it, PING tells that the data is still being loaded */

    steps[n] = NGX_MPK_REDIS_HELLO_PING;
    argc[n] = 1;
    argv[n][0] = mpk_string("PING");
    n++;

    redis->nsteps = n;

    len = 0;

    for (i = 0; i < n; i++) {
        len += ngx_mpk_redis_command_len(argc[i], argv[i]);
    }

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    redis->hello.len = len;
    redis->hello.data = p;

    for (i = 0; i < n; i++) {
        p = ngx_mpk_redis_command_write(p, argc[i], argv[i]);
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

    b->start = conn->redis->hello.data;
    b->pos = b->start;
    b->last = b->start + conn->redis->hello.len;
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

    step = conn->redis->steps[conn->step++];

    if (reply->type == NGX_MPK_REDIS_ERROR) {
        rc = ngx_mpk_redis_hello_error(conn, step, reply->str);

    } else if (step == NGX_MPK_REDIS_HELLO_ROLE) {
        rc = ngx_mpk_redis_hello_role(conn, reply);

    } else {

        if (step == NGX_MPK_REDIS_HELLO_MEMORY) {
            ngx_mpk_redis_hello_memory(conn, reply);
        }

        rc = NGX_OK;
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    return conn->step == conn->redis->nsteps ? NGX_OK : NGX_AGAIN;
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

    if (what->secret) {

        if (error == NGX_MPK_REDIS_ERR_OTHER) {
            info = ngx_mpk_redis_error_info(NGX_MPK_REDIS_ERR_WRONGPASS);
        }

        ngx_mpk_redis_fail(conn, NGX_LOG_ERR, 0, "%s was refused: %s",
                           what->name, info->remedy);
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
                           || info->remedy == NULL ? "" : info->remedy);
        return NGX_ERROR;
    }

    if (ngx_mpk_redis_log_due(&conn->worker->hello_logged[step])) {
        ngx_log_error(NGX_LOG_WARN, conn->worker->cycle->log, 0,
                      "mpk_redis %V: %s was refused with \"%V\", going on "
                      "without it", &conn->redis->name, what->name, &words);
    }

    return NGX_OK;
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

        ngx_mpk_redis_fail(conn, NGX_LOG_ERR, 0,
                           "its role is \"%V\", let mpk_redis name the master",
                           &words);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_mpk_redis_hello_memory(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply)
{
    u_char          buf[NGX_MPK_REDIS_TEXT_MAX];
    ngx_str_t       words;
    mpk_str_t       policy;
    const uint8_t  *p, *last, *eol;

    static const mpk_str_t  name = { 17, (const uint8_t *) "maxmemory_policy:" };

    if (reply->type != NGX_MPK_REDIS_STRING) {
        return;
    }

    last = reply->str.data + reply->str.len;

    for (p = reply->str.data; p < last; p = eol + 1) {

        eol = memchr(p, '\n', (size_t) (last - p));
        if (eol == NULL) {
            return;
        }

        if ((size_t) (eol - p) > name.len
            && memcmp(p, name.data, name.len) == 0)
        {
            break;
        }
    }

    if (p >= last) {
        return;
    }

    policy.data = p + name.len;
    policy.len = (size_t) (eol - policy.data);

    if (policy.len && policy.data[policy.len - 1] == '\r') {
        policy.len--;
    }

    if (mpk_str_eq(policy, mpk_string("noeviction"))
        || !ngx_mpk_redis_log_due(
                &conn->worker->hello_logged[NGX_MPK_REDIS_HELLO_MEMORY]))
    {
        return;
    }

    words = ngx_mpk_redis_hello_text(policy, buf);

    ngx_log_error(NGX_LOG_ERR, conn->worker->cycle->log, 0,
                  "mpk_redis %V: its maxmemory-policy \"%V\" lets Redis throw "
                  "orders away, set \"maxmemory-policy noeviction\"",
                  &conn->redis->name, &words);
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
