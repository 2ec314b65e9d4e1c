/*
 * A blocking connection to Redis: OpenSSL's BIO carries it, with TLS or without; hiredis
 * formats and parses.  (Debian 12 has a hiredis without TLS.)
 */

#ifndef MPK_TOOLS_REDIS_H
#define MPK_TOOLS_REDIS_H

#include <hiredis/hiredis.h>


typedef struct redis_s  redis_t;

/* How a server is reached; NULL: not given. */
typedef struct {
    const char  *ca;             /* file of trusted certificates; NULL: the system's */
    const char  *client;         /* file with a certificate and its key */
    const char  *name;           /* of the certificate; NULL: the host's */
} redis_tls_t;


/*
 * Connects to "unix:PATH", "HOST:PORT" or, with TLS, "rediss://HOST:PORT"; an IPv6 address
 * has brackets.  NULL: *error says why.
 */
redis_t *redis_open(const char *where, const redis_tls_t *tls, const char **error);

/*
 * Sends a command, its format as of redisCommand(), and waits for the reply, which the
 * caller frees.  NULL: *error says why, and the connection is of no more use.
 */
redisReply *redis_command(redis_t *redis, const char **error, const char *format, ...);

void redis_close(redis_t *redis);


#endif /* MPK_TOOLS_REDIS_H */
