/*
 * The setup of a new connection, sent before any command: AUTH, SELECT, and whether orders
 * can be kept on this server.
 */

#include "ngx_mpk_redis_setup.h"
#include "ngx_mpk_redis_clock.h"
#include "ngx_mpk_redis_log.h"
#include "ngx_mpk_redis_queue.h"


typedef ngx_int_t (*ngx_mpk_redis_step_pt)(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply);


typedef struct {
    const char             *name;
    unsigned                required:1;    /* without it the connection can't be used */
    unsigned                secret:1;      /* old servers repeat the arguments in the error */
    ngx_mpk_redis_step_pt   handler;       /* of a reply that is no error; NULL: any will do */
} ngx_mpk_redis_step_info_t;


/* One command of a setup. */
typedef struct {
    ngx_mpk_redis_step_t    step;
    size_t                  argc;
    mpk_str_t               argv[3];
} ngx_mpk_redis_step_cmd_t;


static ngx_mpk_redis_step_cmd_t *ngx_mpk_redis_setup_auth(
    ngx_mpk_redis_step_cmd_t *cmd, ngx_str_t *user, ngx_str_t *password);
static ngx_int_t ngx_mpk_redis_setup_format(ngx_conf_t *cf,
    ngx_mpk_redis_setup_t *setup, ngx_mpk_redis_step_cmd_t *cmds,
    ngx_mpk_redis_step_cmd_t *last);
static ngx_int_t ngx_mpk_redis_setup_error(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_step_t step, mpk_str_t text);
static const char *ngx_mpk_redis_setup_remedy(ngx_mpk_redis_error_t error);
static const char *ngx_mpk_redis_setup_remedy_sentinel(
    ngx_mpk_redis_error_t error);
static ngx_int_t ngx_mpk_redis_setup_role(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply);
static ngx_int_t ngx_mpk_redis_setup_memory(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply);
static ngx_int_t ngx_mpk_redis_setup_server(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply);
static ngx_int_t ngx_mpk_redis_setup_time(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply);
static ngx_int_t ngx_mpk_redis_setup_master(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply);
static mpk_str_t ngx_mpk_redis_setup_info(ngx_mpk_redis_reply_t *reply,
    mpk_str_t name);


static const ngx_mpk_redis_step_info_t  ngx_mpk_redis_steps[] = {
    [NGX_MPK_REDIS_STEP_AUTH] = { "AUTH", 1, 1, NULL },
    [NGX_MPK_REDIS_STEP_SELECT] = { "SELECT", 1, 0, NULL },
    [NGX_MPK_REDIS_STEP_NAME] = { "CLIENT SETNAME", 0, 0, NULL },
    [NGX_MPK_REDIS_STEP_ROLE] = { "ROLE", 0, 0, ngx_mpk_redis_setup_role },
    [NGX_MPK_REDIS_STEP_MEMORY] =
        { "INFO memory", 0, 0, ngx_mpk_redis_setup_memory },
    [NGX_MPK_REDIS_STEP_SERVER] =
        { "INFO server", 0, 0, ngx_mpk_redis_setup_server },
    [NGX_MPK_REDIS_STEP_PING] = { "PING", 0, 0, NULL },
    [NGX_MPK_REDIS_STEP_TIME] = { "TIME", 0, 0, ngx_mpk_redis_setup_time },
    [NGX_MPK_REDIS_STEP_RIGHTS] =
        { "EVAL of the commands in use", 0, 0, NULL },
    [NGX_MPK_REDIS_STEP_EVALSHA] = { "EVALSHA", 1, 0, NULL },
    [NGX_MPK_REDIS_STEP_MASTER] =
        { "SENTINEL", 1, 0, ngx_mpk_redis_setup_master },
    [NGX_MPK_REDIS_STEP_SUBSCRIBE] = { "SUBSCRIBE", 1, 0, NULL },
};

mpk_assert_rows(ngx_mpk_redis_steps, NGX_MPK_REDIS_STEP_MAX);


ngx_int_t
ngx_mpk_redis_setup_conf(ngx_conf_t *cf, ngx_mpk_redis_t *redis,
    ngx_str_t *user, ngx_str_t *password, ngx_uint_t db, mpk_str_t rights)
{
    u_char                     number[NGX_INT_T_LEN];
    ngx_mpk_redis_step_cmd_t   cmds[NGX_MPK_REDIS_STEP_MAX];
    ngx_mpk_redis_step_cmd_t  *cmd;

    cmd = ngx_mpk_redis_setup_auth(cmds, user, password);

    if (db) {
        *cmd++ = (ngx_mpk_redis_step_cmd_t) {
            NGX_MPK_REDIS_STEP_SELECT, 2,
            { mpk_string("SELECT"),
              { (size_t) (ngx_sprintf(number, "%ui", db) - number), number } }
        };
    }

    *cmd++ = (ngx_mpk_redis_step_cmd_t) {
        NGX_MPK_REDIS_STEP_NAME, 3,
        { mpk_string("CLIENT"), mpk_string("SETNAME"), mpk_string("ngx_mpk") }
    };

    if (redis->topology->check_role) {
        *cmd++ = (ngx_mpk_redis_step_cmd_t) {
            NGX_MPK_REDIS_STEP_ROLE, 1, { mpk_string("ROLE") }
        };
    }

    *cmd++ = (ngx_mpk_redis_step_cmd_t) {
        NGX_MPK_REDIS_STEP_MEMORY, 2,
        { mpk_string("INFO"), mpk_string("memory") }
    };

    if (redis->durability == NGX_MPK_REDIS_AOF) {
        *cmd++ = (ngx_mpk_redis_step_cmd_t) {
            NGX_MPK_REDIS_STEP_SERVER, 2,
            { mpk_string("INFO"), mpk_string("server") }
        };
    }

    /* unlike the commands before it, PING is refused while the data is being loaded */

    *cmd++ = (ngx_mpk_redis_step_cmd_t) {
        NGX_MPK_REDIS_STEP_PING, 1, { mpk_string("PING") }
    };

    *cmd++ = (ngx_mpk_redis_step_cmd_t) {
        NGX_MPK_REDIS_STEP_TIME, 1, { mpk_string("TIME") }
    };

    *cmd++ = (ngx_mpk_redis_step_cmd_t) {
        NGX_MPK_REDIS_STEP_RIGHTS, 3,
        { mpk_string("EVAL"), rights, mpk_string("0") }
    };

    /* of no script: the error is the right reply */

    *cmd++ = (ngx_mpk_redis_step_cmd_t) {
        NGX_MPK_REDIS_STEP_EVALSHA, 3,
        { mpk_string("EVALSHA"),
          mpk_string("0000000000000000000000000000000000000000"),
          mpk_string("0") }
    };

    redis->setup.remedy = ngx_mpk_redis_setup_remedy;

    return ngx_mpk_redis_setup_format(cf, &redis->setup, cmds, cmd);
}


ngx_int_t
ngx_mpk_redis_setup_conf_sentinel(ngx_conf_t *cf, ngx_mpk_redis_t *redis,
    ngx_str_t *user, ngx_str_t *password)
{
    ngx_mpk_redis_step_cmd_t   cmds[NGX_MPK_REDIS_STEP_MAX];
    ngx_mpk_redis_step_cmd_t  *cmd;

    cmd = ngx_mpk_redis_setup_auth(cmds, user, password);

    *cmd++ = (ngx_mpk_redis_step_cmd_t) {
        NGX_MPK_REDIS_STEP_MASTER, 3,
        { mpk_string("SENTINEL"), mpk_string("get-master-addr-by-name"),
          { redis->master.len, redis->master.data } }
    };

    /* comes last: a subscriber may send nothing else */

    *cmd++ = (ngx_mpk_redis_step_cmd_t) {
        NGX_MPK_REDIS_STEP_SUBSCRIBE, 2,
        { mpk_string("SUBSCRIBE"), mpk_string("+switch-master") }
    };

    redis->sentinel_setup.remedy = ngx_mpk_redis_setup_remedy_sentinel;

    return ngx_mpk_redis_setup_format(cf, &redis->sentinel_setup, cmds, cmd);
}


static ngx_mpk_redis_step_cmd_t *
ngx_mpk_redis_setup_auth(ngx_mpk_redis_step_cmd_t *cmd, ngx_str_t *user,
    ngx_str_t *password)
{
    if (password->len == 0) {
        return cmd;
    }

    cmd->step = NGX_MPK_REDIS_STEP_AUTH;
    cmd->argc = 0;
    cmd->argv[cmd->argc++] = mpk_string("AUTH");

    if (user->len) {
        cmd->argv[cmd->argc++] = (mpk_str_t) { user->len, user->data };
    }

    cmd->argv[cmd->argc++] = (mpk_str_t) { password->len, password->data };

    return cmd + 1;
}


static ngx_int_t
ngx_mpk_redis_setup_format(ngx_conf_t *cf, ngx_mpk_redis_setup_t *setup,
    ngx_mpk_redis_step_cmd_t *cmds, ngx_mpk_redis_step_cmd_t *last)
{
    size_t                     len;
    u_char                    *p;
    ngx_mpk_redis_step_cmd_t  *cmd;

    len = 0;

    for (cmd = cmds; cmd < last; cmd++) {
        len += ngx_mpk_redis_command_len(cmd->argc, cmd->argv);
        setup->steps[setup->nsteps++] = cmd->step;
    }

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    setup->bytes.len = len;
    setup->bytes.data = p;

    for (cmd = cmds; cmd < last; cmd++) {
        p = ngx_mpk_redis_command_write(p, cmd->argc, cmd->argv);
    }

    return NGX_OK;
}


ngx_int_t
ngx_mpk_redis_setup_start(ngx_mpk_redis_conn_t *conn)
{
    ngx_buf_t              *b;
    ngx_mpk_redis_setup_t  *setup;

    ngx_mpk_assert(conn->parser == NULL && conn->out == NULL);

    setup = conn->node->setup;

    ngx_log_debug2(NGX_LOG_DEBUG_EVENT, &conn->log, 0,
                   "mpk redis setup: %V, steps: %ui",
                   &conn->node->name, setup->nsteps);

    conn->step = 0;

    conn->mem.alloc = ngx_mpk_redis_alloc;
    conn->mem.ctx = conn->connection->pool;

    conn->parser = ngx_mpk_redis_parser_create();
    if (conn->parser == NULL) {
        return NGX_ERROR;
    }

    b = &conn->setup_buf;

    ngx_memzero(b, sizeof(ngx_buf_t));

    b->start = setup->bytes.data;
    b->pos = b->start;
    b->last = b->start + setup->bytes.len;
    b->end = b->last;
    b->memory = 1;
    b->flush = 1;

    conn->setup.buf = b;
    conn->setup.next = NULL;

    conn->out = &conn->setup;

    return NGX_OK;
}


ngx_int_t
ngx_mpk_redis_setup_reply(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply)
{
    ngx_int_t               rc;
    ngx_mpk_redis_step_t    step;
    ngx_mpk_redis_step_pt   handler;
    ngx_mpk_redis_setup_t  *setup;

    setup = conn->node->setup;

    ngx_mpk_assert(conn->step < setup->nsteps);

    step = setup->steps[conn->step++];

    ngx_log_debug3(NGX_LOG_DEBUG_EVENT, &conn->log, 0,
                   "mpk redis setup: %V, %s%s",
                   &conn->node->name, ngx_mpk_redis_steps[step].name,
                   reply->type == NGX_MPK_REDIS_ERROR ? " refused" : "");

    if (reply->type == NGX_MPK_REDIS_ERROR) {
        rc = ngx_mpk_redis_setup_error(conn, step, reply->str);

    } else {
        handler = ngx_mpk_redis_steps[step].handler;
        rc = handler ? handler(conn, reply) : NGX_OK;
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    return conn->step == setup->nsteps ? NGX_OK : NGX_AGAIN;
}


/* NGX_OK: the connection can be used without this step. */

static ngx_int_t
ngx_mpk_redis_setup_error(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_step_t step, mpk_str_t text)
{
    u_char                            buf[NGX_MPK_REDIS_TEXT_MAX];
    ngx_str_t                         line;
    ngx_uint_t                        optional;
    const char                       *remedy;
    ngx_mpk_redis_error_t             error;
    const ngx_mpk_redis_step_info_t  *info;

    info = &ngx_mpk_redis_steps[step];
    error = ngx_mpk_redis_error_find(text);

    if (step == NGX_MPK_REDIS_STEP_EVALSHA
        && error == NGX_MPK_REDIS_ERR_NOSCRIPT)
    {
        return NGX_OK;
    }

    ngx_mpk_redis_count(conn->redis, errors[error]);

    if (info->secret) {
        remedy = conn->node->setup->remedy(error);

        if (error == NGX_MPK_REDIS_ERR_OTHER || remedy == NULL) {
            remedy = conn->node->setup->remedy(NGX_MPK_REDIS_ERR_WRONGPASS);
        }

        return ngx_mpk_redis_log_failure(conn, "%s was refused: %s", info->name,
                                         remedy);
    }

    line = ngx_mpk_redis_log_text(text, buf);

    switch (step) {

    case NGX_MPK_REDIS_STEP_PING:

        /* with MISCONF and the like, reads still work */

        optional = !ngx_mpk_redis_error_info(error)->reconnect;
        break;

    case NGX_MPK_REDIS_STEP_RIGHTS:
    case NGX_MPK_REDIS_STEP_EVALSHA:
        optional = !ngx_mpk_redis_error_info(error)->reconnect
                   && error != NGX_MPK_REDIS_ERR_NOPERM;
        break;

    default:
        optional = !info->required
                   && (error == NGX_MPK_REDIS_ERR_NOPERM
                       || ngx_mpk_redis_str_begins(&text, "ERR "));
    }

    if (!optional) {
        remedy = error == NGX_MPK_REDIS_ERR_OTHER
                 ? NULL : conn->node->setup->remedy(error);

        return ngx_mpk_redis_log_failure(conn,
                                         "%s was refused with \"%V\"%s%s",
                                         info->name, &line,
                                         remedy ? ": " : "",
                                         remedy ? remedy : "");
    }

    if (ngx_mpk_redis_log_due(&conn->node->worker->step_logged[step])) {
        ngx_log_error(NGX_LOG_WARN, conn->node->worker->cycle->log, 0,
                      "mpk_redis %V: %s was refused with \"%V\", continuing "
                      "without it", &conn->node->name, info->name, &line);
    }

    return NGX_OK;
}


static const char *
ngx_mpk_redis_setup_remedy(ngx_mpk_redis_error_t error)
{
    return ngx_mpk_redis_error_info(error)->remedy;
}


static const char *
ngx_mpk_redis_setup_remedy_sentinel(ngx_mpk_redis_error_t error)
{
    switch (error) {

    case NGX_MPK_REDIS_ERR_NOAUTH:
        return "Sentinel requires a password, set sentinel_password_file=";

    case NGX_MPK_REDIS_ERR_WRONGPASS:
        return "compare sentinel_user= and sentinel_password_file= with "
               "Sentinel's ACL";

    case NGX_MPK_REDIS_ERR_NOPERM:
        return "grant the Sentinel user +sentinel|get-master-addr-by-name, "
               "+subscribe and &+switch-master";

    default:
        return ngx_mpk_redis_error_info(error)->remedy;
    }
}


static ngx_int_t
ngx_mpk_redis_setup_role(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply)
{
    u_char     buf[NGX_MPK_REDIS_TEXT_MAX];
    ngx_str_t  line;

    if (reply->type != NGX_MPK_REDIS_ARRAY
        || reply->count == 0
        || reply->elements[0].type != NGX_MPK_REDIS_STRING)
    {
        return ngx_mpk_redis_log_failure(conn, "unexpected reply to ROLE");
    }

    if (!mpk_str_eq(reply->elements[0].str, mpk_string("master"))) {
        line = ngx_mpk_redis_log_text(reply->elements[0].str, buf);

        return ngx_mpk_redis_log_failure(conn,
                                         "role is \"%V\" instead of "
                                         "\"master\", %s", &line,
                                         conn->redis->topology->role_remedy);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_mpk_redis_setup_memory(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply)
{
    u_char                   buf[NGX_MPK_REDIS_TEXT_MAX];
    ngx_str_t                line;
    mpk_str_t                policy;
    ngx_mpk_redis_worker_t  *worker;

    worker = conn->node->worker;

    policy = ngx_mpk_redis_setup_info(reply, mpk_string("maxmemory_policy:"));

    if (policy.data == NULL) {
        return NGX_OK;
    }

    conn->node->evicts = !mpk_str_eq(policy, mpk_string("noeviction"));

    if (conn->node->evicts
        && ngx_mpk_redis_log_due(
                            &worker->step_logged[NGX_MPK_REDIS_STEP_MEMORY]))
    {
        line = ngx_mpk_redis_log_text(policy, buf);

        ngx_log_error(NGX_LOG_ERR, worker->cycle->log, 0,
                      "mpk_redis %V: maxmemory-policy \"%V\" allows eviction, "
                      "orders would be lost: set \"maxmemory-policy "
                      "noeviction\"", &conn->node->name, &line);
    }

    return NGX_OK;
}


/*
 * Redis 7.4.0 to 7.4.2, and Valkey since 8.0: in the second after an fsync, WAITAOF counts
 * what is written as synced, unless each write is.
 */

static ngx_int_t
ngx_mpk_redis_setup_server(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply)
{
    u_char                   buf[NGX_MPK_REDIS_TEXT_MAX];
    ngx_int_t                major;
    ngx_str_t                line;
    mpk_str_t                version;
    ngx_uint_t               early;
    const char              *name;
    ngx_mpk_redis_worker_t  *worker;

    worker = conn->node->worker;

    version = ngx_mpk_redis_setup_info(reply, mpk_string("valkey_version:"));

    if (version.data) {
        name = "Valkey";
        major = version.len > 1 && version.data[1] == '.'
                ? version.data[0] - '0' : 10;
        early = (major >= 8);

    } else {
        name = "Redis";
        version = ngx_mpk_redis_setup_info(reply, mpk_string("redis_version:"));
        early = (version.len == sizeof("7.4.0") - 1
                 && ngx_mpk_redis_str_begins(&version, "7.4.")
                 && version.data[version.len - 1] <= '2');
    }

    if (early
        && ngx_mpk_redis_log_due(
                            &worker->step_logged[NGX_MPK_REDIS_STEP_SERVER]))
    {
        line = ngx_mpk_redis_log_text(version, buf);

        ngx_log_error(NGX_LOG_WARN, worker->cycle->log, 0,
                      "mpk_redis %V: WAITAOF of %s %V can reply before the "
                      "data is on disk, set \"appendfsync always\" or use "
                      "another version", &conn->node->name, name, &line);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_mpk_redis_setup_time(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply)
{
    ngx_mpk_redis_clock_sample(conn->node, reply, conn->connect_at, 1);

    return NGX_OK;
}


static ngx_int_t
ngx_mpk_redis_setup_master(ngx_mpk_redis_conn_t *conn,
    ngx_mpk_redis_reply_t *reply)
{
    return conn->redis->topology->on_master(conn, reply);
}


/* The value of a line of INFO; data is NULL if the line is missing. */

static mpk_str_t
ngx_mpk_redis_setup_info(ngx_mpk_redis_reply_t *reply, mpk_str_t name)
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
