/* The TLS handshake with Redis; nothing is sent before its certificate is verified. */

#include "ngx_mpk_redis_int.h"


#if (NGX_SSL)

static void ngx_mpk_redis_handshake_handler(ngx_connection_t *c);
static void ngx_mpk_redis_handshake_done(ngx_mpk_redis_conn_t *conn);
static ngx_uint_t ngx_mpk_redis_tls_name(ngx_mpk_redis_conn_t *conn,
    ngx_str_t *name, u_char *buf);
static ngx_int_t ngx_mpk_redis_check_name(ngx_mpk_redis_conn_t *conn,
    ngx_str_t *name, ngx_uint_t ip);


void
ngx_mpk_redis_handshake(ngx_mpk_redis_conn_t *conn)
{
    u_char             buf[NGX_SOCKADDR_STRLEN + 1];
    ngx_int_t          rc;
    ngx_str_t          name;
    ngx_connection_t  *c;

    c = conn->connection;

    conn->state = NGX_MPK_REDIS_HANDSHAKE;

    if (ngx_ssl_create_connection(conn->redis->ssl, c,
                                  NGX_SSL_BUFFER|NGX_SSL_CLIENT)
        != NGX_OK)
    {
        ngx_mpk_redis_fail(conn, NGX_LOG_ERR, 0, "no TLS connection");
        return;
    }

    /* an address is never sent as a server name (RFC 6066, section 3) */

    if (!ngx_mpk_redis_tls_name(conn, &name, buf)
        && SSL_set_tlsext_host_name(c->ssl->connection, (char *) name.data)
           == 0)
    {
        ngx_mpk_redis_fail(conn, NGX_LOG_ERR, 0, "no TLS server name");
        return;
    }

    /*
     * Only nginx core knows what is wrong with a handshake.  A server refuses a
     * client certificate after it, so core may speak until the hello is answered.
     */

    ngx_mpk_redis_mute(conn, !ngx_mpk_redis_report_due(conn));

    rc = ngx_ssl_handshake(c);

    if (rc == NGX_AGAIN) {
        c->ssl->handler = ngx_mpk_redis_handshake_handler;
        return;
    }

    ngx_mpk_redis_handshake_done(conn);
}


static void
ngx_mpk_redis_handshake_handler(ngx_connection_t *c)
{
    ngx_mpk_redis_handshake_done(c->data);
}


static void
ngx_mpk_redis_handshake_done(ngx_mpk_redis_conn_t *conn)
{
    long               rc;
    u_char             buf[NGX_SOCKADDR_STRLEN + 1];
    ngx_str_t          name;
    ngx_uint_t         ip;
    ngx_connection_t  *c;

    c = conn->connection;

    if (!c->ssl->handshaked) {
        ngx_mpk_redis_fail(conn, NGX_LOG_ERR, 0, "TLS handshake failed");
        return;
    }

    rc = SSL_get_verify_result(c->ssl->connection);

    if (rc != X509_V_OK) {
        ngx_mpk_redis_fail(conn, NGX_LOG_ERR, 0,
                           "the certificate does not verify against tls_ca= "
                           "(%l: %s)", rc, X509_verify_cert_error_string(rc));
        return;
    }

    ip = ngx_mpk_redis_tls_name(conn, &name, buf);

    if (ngx_mpk_redis_check_name(conn, &name, ip) != NGX_OK) {
        ngx_mpk_redis_fail(conn, NGX_LOG_ERR, 0,
                           "the certificate is not for \"%V\", "
                           "see tls_name=", &name);
        return;
    }

    ngx_mpk_redis_hello_start(conn);
}


/*
 * The name that the certificate must have, NUL-terminated: of the URL or tls_name=,
 * or what a cluster or Sentinel calls the node.  True: an address.
 */
static ngx_uint_t
ngx_mpk_redis_tls_name(ngx_mpk_redis_conn_t *conn, ngx_str_t *name, u_char *buf)
{
    if (conn->redis->tls_name.len) {
        *name = conn->redis->tls_name;
        return conn->redis->tls_ip;
    }

    if (conn->node->host.len) {
        *name = conn->node->host;
        return 0;
    }

    name->data = buf;
    name->len = ngx_sock_ntop(conn->peer.sockaddr, conn->peer.socklen, buf,
                              NGX_SOCKADDR_STRLEN, 0);
    buf[name->len] = '\0';

    return 1;
}


static ngx_int_t
ngx_mpk_redis_check_name(ngx_mpk_redis_conn_t *conn, ngx_str_t *name,
    ngx_uint_t ip)
{
    int    rc;
    X509  *cert;

    if (!ip) {
        return ngx_ssl_check_host(conn->connection, name);
    }

    /* ngx_ssl_check_host() knows names only */

    cert = SSL_get_peer_certificate(conn->connection->ssl->connection);
    if (cert == NULL) {
        return NGX_ERROR;
    }

    rc = X509_check_ip_asc(cert, (char *) name->data, 0);

    X509_free(cert);

    return rc == 1 ? NGX_OK : NGX_ERROR;
}

#endif
