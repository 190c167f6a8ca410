// Services in nodes: see service.h. The in-process servers run one thread each, which owns its
// connections; the test speaks to it through a mode, a counter and an eventfd.
#include "tests/lab/service.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define START_MS 10000
#define BACKLOG  4096

// ---- Unbound

// One line of unbound's configuration per item of a list.
static void write_each(FILE *out, const char *key, const char *quote, const char *list,
                       const char *separator)
{
    char *copy = strdup(list), *rest = copy, *item;

    if (copy == NULL) {
        lab_fail("out of memory");
    }
    while ((item = strsep(&rest, separator)) != NULL) {
        if (item[0] != '\0') {
            fprintf(out, "  %s: %s%s%s\n", key, quote, item, quote);
        }
    }
    free(copy);
}

static void write_unbound_conf(const struct lab_node *node, const struct lab_unbound *unbound)
{
    char path[LAB_PATH_MAX];
    FILE *out = fopen(lab_path(node, "unbound.conf", path), "we");

    if (out == NULL) {
        lab_fail("write %s: %s", path, strerror(errno));
    }
    fprintf(out,
            "server:\n"
            "  username: \"\"\n  chroot: \"\"\n  directory: \"%s\"\n  pidfile: \"\"\n"
            "  use-syslog: no\n  verbosity: 1\n  num-threads: 1\n"
            "  module-config: \"iterator\"\n"
            "  do-not-query-address: 0.0.0.0/0\n  do-not-query-address: ::/0\n"
            "  do-not-query-localhost: yes\n"
            "  access-control: 0.0.0.0/0 allow\n  access-control: ::/0 allow\n"
            "  identity: \"%s\"\n  port: %u\n  local-zone: \"%s\" static\n",
            lab_dir(node), lab_name(node), unbound->port != 0 ? unbound->port : 53U, unbound->zone);
    write_each(out, "interface", "", unbound->listen, " ");
    write_each(out, "local-data", "'", unbound->local_data, "\n");
    fprintf(out, "%s\nremote-control:\n  control-enable: no\n",
            unbound->extra != NULL ? unbound->extra : "");
    if (fclose(out) != 0) {
        lab_fail("write %s: %s", path, strerror(errno));
    }
}

static void wait_till_it_serves(struct lab_process *unbound)
{
    LAB_WAIT(lab_log_contains(unbound, "start of service") || !lab_running(unbound),
             "unbound to serve", START_MS);
    if (!lab_running(unbound)) {
        lab_fail("start unbound: it ended with status %d, see its log", lab_wait_exit(unbound, 0));
    }
}

struct lab_process *lab_unbound_start(struct lab_node *node, const struct lab_unbound *unbound)
{
    char path[LAB_PATH_MAX];
    struct lab_command command = {
        .name = "unbound",
        .argv = LAB_ARGV("unbound", "-d", "-p", "-c", lab_path(node, "unbound.conf", path)),
    };

    write_unbound_conf(node, unbound);
    struct lab_process *process = lab_spawn(node, &command);
    wait_till_it_serves(process);
    return process;
}

void lab_unbound_restart(struct lab_process *unbound)
{
    lab_kill(unbound);
    lab_respawn(unbound);
    wait_till_it_serves(unbound);
}

void lab_unbound_reload(struct lab_node *node, struct lab_process *process,
                        const struct lab_unbound *unbound)
{
    write_unbound_conf(node, unbound);
    lab_signal(process, SIGHUP);
}

// ---- Nginx

static void write_nginx_conf(const struct lab_node *node, const char *http)
{
    char text[16384];

    if ((size_t)snprintf(text, sizeof text,
                         "daemon off; user root; worker_processes 1; pid run/nginx.pid;\n"
                         "error_log stderr notice; events { worker_connections 512; }\n"
                         "http {\n"
                         "  access_log off;\n"
                         "  client_body_temp_path run/body; proxy_temp_path run/proxy;\n"
                         "  fastcgi_temp_path run/fastcgi; uwsgi_temp_path run/uwsgi;\n"
                         "  scgi_temp_path run/scgi;\n"
                         "%s\n}\n",
                         http) >= sizeof text) {
        lab_fail("start nginx: the configuration is too long");
    }
    lab_write(node, "nginx.conf", text);
}

static void wait_till_nginx_serves(struct lab_process *nginx)
{
    LAB_WAIT(lab_log_contains(nginx, "start worker process ") || !lab_running(nginx),
             "nginx to serve", START_MS);
    if (!lab_running(nginx)) {
        lab_fail("start nginx: it ended with status %d, see its log", lab_wait_exit(nginx, 0));
    }
}

struct lab_process *lab_nginx_start(struct lab_node *node, const char *http)
{
    char path[LAB_PATH_MAX];
    struct lab_command command = {
        .name = "nginx",
        .argv = LAB_ARGV("nginx", "-p", lab_dir(node), "-e", "stderr", "-c",
                         lab_path(node, "nginx.conf", path)),
    };

    write_nginx_conf(node, http);
    struct lab_process *process = lab_spawn(node, &command);
    wait_till_nginx_serves(process);
    return process;
}

void lab_nginx_restart(struct lab_node *node, struct lab_process *nginx, const char *http)
{
    if (lab_running(nginx)) {
        // The master's workers would outlive its SIGKILL.
        lab_signal(nginx, SIGQUIT);
        (void)lab_wait_exit(nginx, START_MS);
    }
    if (http != NULL) {
        write_nginx_conf(node, http);
    }
    lab_respawn(nginx);
    wait_till_nginx_serves(nginx);
}

// ---- Both kinds of server

static struct sockaddr_storage parse_address(const char *text, uint16_t port, socklen_t *length)
{
    struct sockaddr_storage storage = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&storage;

    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        *length = sizeof *v4;
    } else {
        storage = (struct sockaddr_storage){.ss_family = AF_INET6};
        v6->sin6_port = htons(port);
        *length = sizeof *v6;
        if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1) {
            lab_fail("start a server: \"%s\" is no address", text);
        }
    }
    return storage;
}

static int bound_socket(const struct lab_node *node, int type, const char *address, uint16_t port)
{
    socklen_t length = 0;
    int on = 1;
    struct sockaddr_storage local = parse_address(address, port, &length);
    int fd = lab_socket(node, local.ss_family, type | SOCK_NONBLOCK);

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)&local, length) != 0 ||
        (type == SOCK_STREAM && listen(fd, BACKLOG) != 0)) {
        lab_fail("listen on %s port %u in node %s: %s", address, port, lab_name(node),
                 strerror(errno));
    }
    return fd;
}

static void start_thread(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
    if (pthread_create(thread, NULL, run, arg) != 0) {
        lab_fail("start a server's thread: %s", strerror(errno));
    }
}

static void end_thread(pthread_t thread, int end)
{
    uint64_t one = 1;

    (void)!write(end, &one, sizeof one);
    pthread_join(thread, NULL);
    close(end);
}

static int end_signal(void)
{
    int end = eventfd(0, EFD_CLOEXEC);

    if (end < 0) {
        lab_fail("make an eventfd: %s", strerror(errno));
    }
    return end;
}

// ---- TCP

struct connection {
    int fd; // -1: the place is free
    enum lab_tcp_mode mode;
    size_t next; // free place
};

struct lab_tcp_server {
    const struct lab_node *node;
    char address[INET6_ADDRSTRLEN];
    uint16_t port;
    char *greeting;
    bool running;
    int end; // eventfd
    pthread_t thread;
    pthread_mutex_t lock; // of the next three
    enum lab_tcp_mode mode;
    size_t accepted, held;

    // The thread's own.
    int poll, listener;
    struct connection *connections;
    size_t size, free; // places; the first free one, size: there is none
};

// What epoll says besides the connections' places.
#define EVENT_END      UINT64_MAX
#define EVENT_LISTENER (UINT64_MAX - 1)

static void reset(int fd)
{
    struct linger at_once = {.l_onoff = 1};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

static void watch(const struct lab_tcp_server *server, int fd, uint64_t event)
{
    struct epoll_event wanted = {.events = EPOLLIN, .data.u64 = event};

    if (epoll_ctl(server->poll, EPOLL_CTL_ADD, fd, &wanted) != 0) {
        lab_fail("watch a connection: %s", strerror(errno));
    }
}

static size_t new_place(struct lab_tcp_server *server)
{
    if (server->free == server->size) {
        size_t size = 2 * server->size + 64;
        server->connections = realloc(server->connections, size * sizeof *server->connections);
        if (server->connections == NULL) {
            lab_fail("out of memory");
        }
        for (size_t i = server->size; i < size; i++) {
            server->connections[i] = (struct connection){.fd = -1, .next = i + 1};
        }
        server->size = size;
    }
    size_t place = server->free;
    server->free = server->connections[place].next;
    return place;
}

static void tcp_accept(struct lab_tcp_server *server)
{
    int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0) {
        return;
    }
    pthread_mutex_lock(&server->lock);
    enum lab_tcp_mode mode = server->mode;
    server->accepted++;
    server->held += mode != LAB_TCP_RESET;
    pthread_mutex_unlock(&server->lock);
    if (mode == LAB_TCP_RESET) {
        reset(fd);
        close(fd);
        return;
    }
    if (mode == LAB_TCP_CLOSE) {
        shutdown(fd, SHUT_WR); // closing with the client's bytes unread would be a reset
    }
    if (mode == LAB_TCP_GREET) {
        (void)send(fd, server->greeting, strlen(server->greeting), MSG_NOSIGNAL);
    }
    size_t place = new_place(server);
    server->connections[place].fd = fd;
    server->connections[place].mode = mode;
    watch(server, fd, place);
}

// Takes what came; drops the connection when the client has gone.
static void tcp_read(struct lab_tcp_server *server, size_t place)
{
    char bytes[4096];
    struct connection *connection = &server->connections[place];
    ssize_t got = recv(connection->fd, bytes, sizeof bytes, MSG_DONTWAIT);

    if (got > 0 && connection->mode != LAB_TCP_RESET_ON_READ) {
        if (connection->mode == LAB_TCP_ECHO) {
            (void)send(connection->fd, bytes, (size_t)got, MSG_NOSIGNAL);
        }
        return;
    }
    if (got > 0) {
        reset(connection->fd);
    }
    close(connection->fd);
    *connection = (struct connection){.fd = -1, .next = server->free};
    server->free = place;
    pthread_mutex_lock(&server->lock);
    server->held--;
    pthread_mutex_unlock(&server->lock);
}

static void tcp_end(struct lab_tcp_server *server)
{
    close(server->listener);
    for (size_t i = 0; i < server->size; i++) {
        if (server->connections[i].fd >= 0) {
            close(server->connections[i].fd);
        }
    }
    close(server->poll);
    free(server->connections);
    pthread_mutex_lock(&server->lock);
    server->held = 0;
    pthread_mutex_unlock(&server->lock);
}

static void *tcp_main(void *arg)
{
    struct lab_tcp_server *server = arg;

    for (;;) {
        struct epoll_event events[64];
        int count = epoll_wait(server->poll, events, 64, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.u64 == EVENT_END) {
                tcp_end(server);
                return NULL;
            }
            if (events[i].data.u64 == EVENT_LISTENER) {
                tcp_accept(server);
            } else {
                tcp_read(server, events[i].data.u64);
            }
        }
    }
}

void lab_tcp_server_recover(struct lab_tcp_server *server)
{
    server->listener = bound_socket(server->node, SOCK_STREAM, server->address, server->port);
    server->end = end_signal();
    server->connections = NULL;
    server->size = server->free = 0;
    server->poll = epoll_create1(EPOLL_CLOEXEC);
    if (server->poll < 0) {
        lab_fail("make an epoll descriptor: %s", strerror(errno));
    }
    watch(server, server->end, EVENT_END);
    watch(server, server->listener, EVENT_LISTENER);
    start_thread(&server->thread, tcp_main, server);
    server->running = true;
}

void lab_tcp_server_crash(struct lab_tcp_server *server)
{
    if (server->running) {
        end_thread(server->thread, server->end);
        server->running = false;
    }
}

static void tcp_server_end(void *arg)
{
    struct lab_tcp_server *server = arg;

    lab_tcp_server_crash(server);
    pthread_mutex_destroy(&server->lock);
    free(server->greeting);
    free(server);
}

struct lab_tcp_server *lab_tcp_server_start(struct lab_node *node, const char *address,
                                            uint16_t port, enum lab_tcp_mode mode,
                                            const char *greeting)
{
    struct lab_tcp_server *server = calloc(1, sizeof *server);

    if (server == NULL || (server->greeting = strdup(greeting != NULL ? greeting : "")) == NULL) {
        lab_fail("out of memory");
    }
    server->node = node;
    server->port = port;
    server->mode = mode;
    snprintf(server->address, sizeof server->address, "%s", address);
    pthread_mutex_init(&server->lock, NULL);
    lab_at_clear(tcp_server_end, server);
    lab_tcp_server_recover(server);
    return server;
}

void lab_tcp_server_set(struct lab_tcp_server *server, enum lab_tcp_mode mode)
{
    pthread_mutex_lock(&server->lock);
    server->mode = mode;
    pthread_mutex_unlock(&server->lock);
}

size_t lab_tcp_server_accepted(struct lab_tcp_server *server)
{
    pthread_mutex_lock(&server->lock);
    size_t accepted = server->accepted;
    pthread_mutex_unlock(&server->lock);
    return accepted;
}

size_t lab_tcp_server_held(struct lab_tcp_server *server)
{
    pthread_mutex_lock(&server->lock);
    size_t held = server->held;
    pthread_mutex_unlock(&server->lock);
    return held;
}

// ---- UDP

struct lab_udp_server {
    int fd, end;
    pthread_t thread;
    lab_udp_answer_cb answer;
    void *arg;
};

static void *udp_main(void *arg)
{
    struct lab_udp_server *server = arg;
    struct pollfd polled[] = {{.fd = server->end, .events = POLLIN},
                              {.fd = server->fd, .events = POLLIN}};
    uint8_t query[65536], answer[65536];

    while (poll(polled, 2, -1) > 0 && polled[0].revents == 0) {
        struct sockaddr_storage client;
        socklen_t client_length = sizeof client;
        ssize_t got = recvfrom(server->fd, query, sizeof query, MSG_DONTWAIT,
                               (struct sockaddr *)&client, &client_length);

        if (got >= 0) {
            size_t length = server->answer(server->arg, query, (size_t)got, answer, sizeof answer);

            if (length > 0) {
                (void)sendto(server->fd, answer, length, 0, (struct sockaddr *)&client,
                             client_length);
            }
        }
    }
    return NULL;
}

static void udp_server_end(void *arg)
{
    struct lab_udp_server *server = arg;

    end_thread(server->thread, server->end);
    close(server->fd);
    free(server);
}

struct lab_udp_server *lab_udp_server_start(struct lab_node *node, const char *address,
                                            uint16_t port, lab_udp_answer_cb answer, void *arg)
{
    struct lab_udp_server *server = calloc(1, sizeof *server);

    if (server == NULL) {
        lab_fail("out of memory");
    }
    server->answer = answer;
    server->arg = arg;
    server->fd = bound_socket(node, SOCK_DGRAM, address, port);
    server->end = end_signal();
    start_thread(&server->thread, udp_main, server);
    lab_at_clear(udp_server_end, server);
    return server;
}
