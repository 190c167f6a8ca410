// A TLS server on a thread of its own, which lets in only who shows a certificate of its authority.
// Whatever it is asked, it answers with a token.
#pragma once

#include "tests/unit/issued.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TLS_SERVER_ANSWER                                                                          \
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"                   \
    "Content-Length: 49\r\n\r\n{\"access_token\":\"abcdefgh\",\"token_type\":\"Bearer\"}"

struct tls_server {
    SSL_CTX *context;
    int listener;
    unsigned port;
    const char *const
        *clear; // what it says in clear before TLS, line by line as it is asked; NULL: nothing
    const char *answer; // NULL: TLS_SERVER_ANSWER
    bool hangs_up;      // after the handshake, without a word
    pthread_t thread;
    atomic_uint accepted;
    atomic_bool over;
    void (*on_refused)(void); // on the server's thread, before the client can know
};

static inline int tls_server_on_verify(int good, X509_STORE_CTX *context)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx());
    const struct tls_server *server = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if (!good && server->on_refused != NULL) {
        server->on_refused();
    }
    return good;
}

// A `@` in text is the word that the request begins with: IMAP's tag. Returns the length.
static inline size_t tls_server_fill_in(const char *text, const char *request, char out[512])
{
    size_t length = 0;
    out[0] = '\0';
    for (; *text; text++) {
        int tag = *text == '@' ? (int)strcspn(request, " \r\n") : 0;
        length += (size_t)snprintf(out + length, 512 - length, "%.*s", tag ? tag : 1,
                                   tag ? request : text);
    }
    return length;
}

static inline bool tls_server_speak_in_clear(const struct tls_server *server, int client)
{
    char request[512] = "";
    char text[512];
    bool well = true;
    for (size_t i = 0; well && server->clear != NULL && server->clear[i] != NULL; i++) {
        ssize_t got = i == 0 ? 0 : recv(client, request, sizeof request - 1, 0);
        request[got > 0 ? got : 0] = '\0';
        size_t length = tls_server_fill_in(server->clear[i], request, text);
        well = got >= (i > 0) && send(client, text, length, MSG_NOSIGNAL) == (ssize_t)length;
    }
    return well;
}

static inline void tls_server_serve(const struct tls_server *server, int client)
{
    const char *answer = server->answer != NULL ? server->answer : TLS_SERVER_ANSWER;
    char request[4096];
    char text[512];
    int got = 0;
    SSL *ssl = SSL_new(server->context);
    SSL_set_fd(ssl, client);
    if (tls_server_speak_in_clear(server, client) && SSL_accept(ssl) == 1 && !server->hangs_up &&
        (got = SSL_read(ssl, request, sizeof request - 1)) > 0) {
        request[got] = '\0';
        (void)SSL_write(ssl, text, (int)tls_server_fill_in(answer, request, text));
    }
    if (!server->hangs_up) {
        (void)SSL_shutdown(ssl);
    }
    SSL_free(ssl);
    close(client);
}

static inline void *tls_server_run(void *arg)
{
    struct tls_server *server = arg;
    while (!server->over) {
        int client = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
        if (client >= 0) {
            server->accepted++;
            tls_server_serve(server, client);
        }
    }
    return NULL;
}

static inline void tls_server_listen(struct tls_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(server->listener, 8), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &length), 0);
    server->port = ntohs(address.sin_port);
}

// Speaks at most this version of TLS, and sends so many session tickets.
static inline void tls_server_begin(struct tls_server *server, const struct issued *leaf,
                                    const struct issued *root, int version, size_t tickets)
{
    server->context = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(server->context, leaf->x509), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(server->context, leaf->key), 1);
    assert_int_equal(X509_STORE_add_cert(SSL_CTX_get_cert_store(server->context), root->x509), 1);
    SSL_CTX_set_app_data(server->context, server);
    SSL_CTX_set_verify(server->context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       tls_server_on_verify);
    SSL_CTX_set_max_proto_version(server->context, version);
    SSL_CTX_set_session_id_context(server->context, (const unsigned char *)"test", 4);
    SSL_CTX_set_num_tickets(server->context, tickets);
    signal(SIGPIPE, SIG_IGN); // a client may be gone before it is answered
    server->accepted = 0;
    server->over = false;
    tls_server_listen(server);
    assert_int_equal(pthread_create(&server->thread, NULL, tls_server_run, server), 0);
}

static inline void tls_server_end(struct tls_server *server)
{
    server->over = true;
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
    SSL_CTX_free(server->context);
    server->on_refused = NULL;
    server->clear = NULL;
    server->answer = NULL;
    server->hangs_up = false;
}
