/* TLS with Redis: nothing is sent before its certificate is verified. */

#include "ngx_mpk_redis_tls.h"
#include "ngx_mpk_redis_log.h"


#if (NGX_SSL)
static ngx_uint_t ngx_mpk_redis_tls_name(ngx_mpk_redis_conn_t *conn,
    ngx_str_t *name, u_char *buf);
static ngx_int_t ngx_mpk_redis_tls_check_name(ngx_mpk_redis_conn_t *conn,
    ngx_str_t *name, ngx_uint_t ip);
static time_t ngx_mpk_redis_tls_not_after(X509 *cert);
#endif


#if (NGX_SSL)

ngx_int_t
ngx_mpk_redis_tls_start(ngx_mpk_redis_conn_t *conn)
{
    u_char             buf[NGX_SOCKADDR_STRLEN + 1];
    ngx_str_t          name;
    ngx_connection_t  *c;

    c = conn->connection;

    if (ngx_ssl_create_connection(conn->redis->ssl, c,
                                  NGX_SSL_BUFFER|NGX_SSL_CLIENT)
        != NGX_OK)
    {
        return ngx_mpk_redis_log_failure(conn,
                                         "TLS connection was not created");
    }

    /* an address is never sent as a server name (RFC 6066, section 3) */

    if (!ngx_mpk_redis_tls_name(conn, &name, buf)
        && SSL_set_tlsext_host_name(c->ssl->connection, (char *) name.data)
           == 0)
    {
        return ngx_mpk_redis_log_failure(conn, "TLS server name was not set");
    }

    /*
     * Only nginx core logs what failed in a handshake.  A server refuses a client
     * certificate after the handshake, so core stays unmuted until the setup is over.
     */

    ngx_mpk_redis_log_mute(conn, !ngx_mpk_redis_log_down_due(conn));

    return ngx_ssl_handshake(c) == NGX_AGAIN ? NGX_AGAIN : NGX_OK;
}


ngx_int_t
ngx_mpk_redis_tls_verify(ngx_mpk_redis_conn_t *conn)
{
    long               rc;
    u_char             buf[NGX_SOCKADDR_STRLEN + 1];
    ngx_str_t          name;
    ngx_uint_t         ip;
    ngx_connection_t  *c;

    c = conn->connection;

    if (!c->ssl->handshaked) {
        return ngx_mpk_redis_log_failure(conn, "TLS handshake failed");
    }

    rc = SSL_get_verify_result(c->ssl->connection);

    if (rc != X509_V_OK) {
        return ngx_mpk_redis_log_failure(conn,
                                         "certificate verify error: (%l:%s), "
                                         "compare tls_ca=", rc,
                                         X509_verify_cert_error_string(rc));
    }

    ip = ngx_mpk_redis_tls_name(conn, &name, buf);

    if (ngx_mpk_redis_tls_check_name(conn, &name, ip) != NGX_OK) {
        return ngx_mpk_redis_log_failure(conn,
                                         "certificate does not match \"%V\", "
                                         "set tls_name=", &name);
    }

    return NGX_OK;
}


/*
 * The name that the certificate must have, NUL-terminated: tls_name=, the URL's host, or
 * what the cluster or Sentinel announces.  True: it is an address.
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
ngx_mpk_redis_tls_check_name(ngx_mpk_redis_conn_t *conn, ngx_str_t *name,
    ngx_uint_t ip)
{
    int    rc;
    X509  *cert;

    if (!ip) {
        return ngx_ssl_check_host(conn->connection, name);
    }

    /* ngx_ssl_check_host() checks names only */

    cert = SSL_get_peer_certificate(conn->connection->ssl->connection);
    if (cert == NULL) {
        return NGX_ERROR;
    }

    rc = X509_check_ip_asc(cert, (char *) name->data, 0);

    X509_free(cert);

    return rc == 1 ? NGX_OK : NGX_ERROR;
}


static time_t
ngx_mpk_redis_tls_not_after(X509 *cert)
{
    int  days, seconds;

    if (ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert)) != 1) {
        return 0;
    }

    return time(NULL) + (time_t) days * 86400 + seconds;
}

#endif


void
ngx_mpk_redis_certificates(ngx_mpk_redis_t *redis, time_t *client, time_t *ca)
{
#if (NGX_SSL)
    int                    i;
    X509                  *cert;
    time_t                 end;
    X509_STORE            *store;
    STACK_OF(X509_OBJECT) *objects;
#endif

    *client = 0;
    *ca = 0;

#if (NGX_SSL)

    if (redis->ssl == NULL) {
        return;
    }

    cert = SSL_CTX_get0_certificate(redis->ssl->ctx);
    if (cert) {
        *client = ngx_mpk_redis_tls_not_after(cert);
    }

    store = SSL_CTX_get_cert_store(redis->ssl->ctx);
    objects = X509_STORE_get0_objects(store);

    for (i = 0; i < sk_X509_OBJECT_num(objects); i++) {

        cert = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
        if (cert == NULL) {
            continue;
        }

        end = ngx_mpk_redis_tls_not_after(cert);

        if (*ca == 0 || end < *ca) {
            *ca = end;
        }
    }

#endif
}
