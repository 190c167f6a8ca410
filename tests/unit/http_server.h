// An HTTP server on the test's own loop: it answers what the test says, or keeps its clients
// waiting.
#pragma once

#include "base/keys.h"
#include "tests/test.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define HTTP_SERVER_CLIENTS 8

struct http_server;

struct http_client {
    struct http_server *server;
    uv_poll_t poll;
    int fd; // -1: none
};

struct http_server {
    // What is written when this request has come; NULL: nothing.
    const char *(*answer)(const char *request);
    const char *flood; // NULL, or what is written after the answer for ever
    char url[64];      // "http://127.0.0.1:8080"
    size_t asked;      // requests so far
    size_t accepted;   // connections so far
    uv_poll_t poll;
    int fd;
    struct http_client clients[HTTP_SERVER_CLIENTS];
};

static inline void http_client_end(struct http_client *client)
{
    if (client->fd >= 0) {
        uv_close((uv_handle_t *)&client->poll, NULL);
        close(client->fd);
        client->fd = -1;
    }
}

static inline void http_client_say(const struct http_client *client, const char *text)
{
    (void)send(client->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static inline void http_on_client(uv_poll_t *poll, int status, int events)
{
    struct http_client *client = poll->data;
    struct http_server *server = client->server;
    char request[4096];
    if (events & UV_WRITABLE) {
        http_client_say(client, server->flood);
    }
    if (status == 0 && !(events & UV_READABLE)) {
        return;
    }
    ssize_t length = recv(client->fd, request, sizeof request - 1, MSG_DONTWAIT);
    if (length <= 0) {
        http_client_end(client);
        return;
    }
    request[length] = '\0';
    server->asked++;
    const char *answer = server->answer(request);
    if (answer != NULL) {
        http_client_say(client, answer);
    }
    if (server->flood != NULL) {
        uv_poll_start(poll, UV_READABLE | UV_WRITABLE, http_on_client);
    }
}

// The places are taken in turn: one that is left is still closing until the loop's next turn.
static inline void http_on_connection(uv_poll_t *poll, int status, int events)
{
    struct http_server *server = poll->data;
    struct http_client *client = &server->clients[server->accepted % HTTP_SERVER_CLIENTS];
    (void)status;
    (void)events;
    assert_int_equal(client->fd, -1);
    client->fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);
    assert_true(client->fd >= 0);
    server->accepted++;
    client->server = server;
    assert_int_equal(uv_poll_init(poll->loop, &client->poll, client->fd), 0);
    client->poll.data = client;
    uv_poll_start(&client->poll, UV_READABLE, http_on_client);
}

// Listens on a port of the kernel's choice at address; the caller sets answer.
static inline void http_server_open(struct http_server *server, uv_loop_t *loop,
                                    const char *address)
{
    struct sockaddr_in6 bound = {.sin6_family = AF_INET6};
    bool v6 = strchr(address, ':') != NULL;
    socklen_t length = v6 ? sizeof bound : sizeof(struct sockaddr_in);
    memset(server, 0, sizeof *server);
    for (size_t i = 0; i < HTTP_SERVER_CLIENTS; i++) {
        server->clients[i].fd = -1;
    }
    if (v6) {
        assert_int_equal(inet_pton(AF_INET6, address, &bound.sin6_addr), 1);
    } else {
        struct sockaddr_in *in = (struct sockaddr_in *)&bound;
        in->sin_family = AF_INET;
        assert_int_equal(inet_pton(AF_INET, address, &in->sin_addr), 1);
    }
    server->fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(server->fd >= 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&bound, length), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&bound, &length), 0);
    assert_int_equal(listen(server->fd, HTTP_SERVER_CLIENTS), 0);
    snprintf(server->url, sizeof server->url, v6 ? "http://[%s]:%u" : "http://%s:%u", address,
             ntohs(bound.sin6_port)); // at the same place in both families
    assert_int_equal(uv_poll_init(loop, &server->poll, server->fd), 0);
    server->poll.data = server;
    uv_poll_start(&server->poll, UV_READABLE, http_on_connection);
}

// Nothing listens any more, and every connection ends.
static inline void http_server_close(struct http_server *server)
{
    uv_close((uv_handle_t *)&server->poll, NULL);
    close(server->fd);
    for (size_t i = 0; i < HTTP_SERVER_CLIENTS; i++) {
        http_client_end(&server->clients[i]);
    }
}
