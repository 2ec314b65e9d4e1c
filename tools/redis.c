/* A blocking connection to Redis. */

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "redis.h"

#define SCHEME  "rediss://"


struct redis_s {
    BIO          *bio;
    SSL          *ssl;           /* in bio; NULL: no TLS */
    redisReader  *reader;
};


static BIO *redis_unix(const char *path);
static int redis_tls(redis_t *redis, const redis_tls_t *tls, const char *host,
    const char **error);
static const char *redis_reason(const redis_t *redis);


redis_t *
redis_open(const char *where, const redis_tls_t *tls, const char **error)
{
    char     *host, *port;
    size_t    scheme;
    redis_t  *redis;

    ERR_clear_error();
    errno = 0;

    host = NULL;
    port = NULL;
    scheme = strncmp(where, SCHEME, sizeof(SCHEME) - 1) == 0 ? sizeof(SCHEME) - 1 : 0;

    redis = calloc(1, sizeof(redis_t));
    if (redis == NULL) {
        *error = "no memory";
        return NULL;
    }

    redis->reader = redisReaderCreate();
    if (redis->reader == NULL) {
        *error = "no memory";
        goto failed;
    }

    if (strncmp(where, "unix:", 5) == 0) {
        redis->bio = redis_unix(where + 5);

    } else if (!BIO_parse_hostserv(where + scheme, &host, &port, BIO_PARSE_PRIO_SERV)
               || host == NULL || port == NULL)
    {
        *error = "is not unix:PATH, HOST:PORT or rediss://HOST:PORT";
        goto failed;

    } else {
        redis->bio = BIO_new(BIO_s_connect());

        if (redis->bio) {
            BIO_set_conn_hostname(redis->bio, host);
            BIO_set_conn_port(redis->bio, port);
        }
    }

    if (redis->bio == NULL
        || (host && BIO_do_connect(redis->bio) != 1))
    {
        *error = redis_reason(redis);
        goto failed;
    }

    if (scheme && !redis_tls(redis, tls, host, error)) {
        goto failed;
    }

    OPENSSL_free(host);
    OPENSSL_free(port);

    return redis;

failed:

    OPENSSL_free(host);
    OPENSSL_free(port);
    redis_close(redis);

    return NULL;
}


static BIO *
redis_unix(const char *path)
{
    int                 fd;
    struct sockaddr_un  addr;

    memset(&addr, 0, sizeof(addr));
    addr.sun_family = AF_UNIX;

    if (strlen(path) >= sizeof(addr.sun_path)) {
        errno = ENAMETOOLONG;
        return NULL;
    }

    memcpy(addr.sun_path, path, strlen(path));

    fd = socket(AF_UNIX, SOCK_STREAM, 0);

    if (fd == -1) {
        return NULL;
    }

    if (connect(fd, (struct sockaddr *) &addr, sizeof(addr)) == -1) {
        close(fd);
        return NULL;
    }

    return BIO_new_socket(fd, BIO_CLOSE);
}


/* The certificate must be for the name, or the address (RFC 6125). */

static int
redis_tls(redis_t *redis, const redis_tls_t *tls, const char *host, const char **error)
{
    int             named;
    BIO            *bio;
    SSL_CTX        *ctx;
    const char     *name;
    unsigned char   address[sizeof(struct in6_addr)];

    name = tls->name ? tls->name : host;
    named = inet_pton(AF_INET, name, address) != 1 && inet_pton(AF_INET6, name, address) != 1;

    ctx = SSL_CTX_new(TLS_client_method());

    if (ctx == NULL
        || !SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION)
        || !(tls->ca ? SSL_CTX_load_verify_file(ctx, tls->ca)
                     : SSL_CTX_set_default_verify_paths(ctx))
        || (tls->client
            && (SSL_CTX_use_certificate_chain_file(ctx, tls->client) != 1
                || SSL_CTX_use_PrivateKey_file(ctx, tls->client, SSL_FILETYPE_PEM) != 1)))
    {
        *error = redis_reason(redis);
        SSL_CTX_free(ctx);
        return 0;
    }

    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);

    bio = BIO_new_ssl(ctx, 1);
    SSL_CTX_free(ctx);

    if (bio == NULL) {
        *error = redis_reason(redis);
        return 0;
    }

    BIO_get_ssl(bio, &redis->ssl);
    redis->bio = BIO_push(bio, redis->bio);

    if (!(named ? SSL_set_tlsext_host_name(redis->ssl, name) && SSL_set1_host(redis->ssl, name)
                : X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(redis->ssl), name))
        || BIO_do_handshake(redis->bio) != 1)
    {
        *error = redis_reason(redis);
        return 0;
    }

    return 1;
}


redisReply *
redis_command(redis_t *redis, const char **error, const char *format, ...)
{
    int       i, n, len;
    char     *request, bytes[16384];
    void     *reply;
    va_list   args;

    va_start(args, format);
    len = redisvFormatCommand(&request, format, args);
    va_end(args);

    if (len < 0) {
        *error = "no memory";
        return NULL;
    }

    for (i = 0, n = 1; i < len && n > 0; i += n) {
        ERR_clear_error();
        errno = 0;
        n = BIO_write(redis->bio, request + i, len - i);
    }

    OPENSSL_cleanse(request, (size_t) len);
    redisFreeCommand(request);

    while (n > 0) {

        if (redisReaderGetReply(redis->reader, &reply) != REDIS_OK) {
            *error = redis->reader->errstr;
            return NULL;
        }

        if (reply) {
            return reply;
        }

        ERR_clear_error();
        errno = 0;
        n = BIO_read(redis->bio, bytes, sizeof(bytes));

        if (n > 0 && redisReaderFeed(redis->reader, bytes, (size_t) n) != REDIS_OK) {
            *error = redis->reader->errstr;
            return NULL;
        }
    }

    *error = redis_reason(redis);

    return NULL;
}


static const char *
redis_reason(const redis_t *redis)
{
    long            verified;
    const char     *reason;
    unsigned long   code;

    verified = redis->ssl ? SSL_get_verify_result(redis->ssl) : X509_V_OK;

    if (verified != X509_V_OK) {
        return X509_verify_cert_error_string(verified);
    }

    if (errno) {
        return strerror(errno);
    }

    code = ERR_peek_last_error();
    reason = code ? ERR_reason_error_string(code) : NULL;

    return reason ? reason : "the connection was closed";
}


void
redis_close(redis_t *redis)
{
    if (redis == NULL) {
        return;
    }

    BIO_free_all(redis->bio);

    if (redis->reader) {
        redisReaderFree(redis->reader);
    }

    free(redis);
}
