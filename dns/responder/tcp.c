// DNS over TCP (see tcp.h): the thread, who listens, and time.
#include "dns/responder/tcp_inside.h"
#include "dns/responder/thread.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPT_MAX  64   // in one turn
#define BACKLOG_MAX 4096 // more can't wait (net.core.somaxconn)
#define TICK_MS     100  // how exact the limits of time are

// ---- Time

static void on_listener(uv_poll_t *poll, int status, int events);

// False: not now, for want of memory or the like.
static bool poll_listener(struct tcp_listener *listener)
{
    if (!listener->polled) {
        listener->polled =
            uv_poll_init(&listener->server->loop, &listener->poll, listener->socket) == 0;
        listener->poll.data = listener;
    }
    return listener->polled && uv_poll_start(&listener->poll, UV_READABLE, on_listener) == 0;
}

static bool resume_listeners(struct tcp_server *server)
{
    bool all = true;
    for (struct tcp_listener *listener = server->listeners; listener != NULL;
         listener = listener->next) {
        if (listener->paused) {
            listener->paused = !poll_listener(listener);
            all &= !listener->paused;
        }
    }
    return all;
}

static void on_tick(uv_timer_t *timer)
{
    struct tcp_server *server = timer->data;
    uint64_t now_ms = uv_now(&server->loop);
    uint64_t idle_ms = atomic_load_explicit(&server->idle_ms, memory_order_relaxed);
    uint64_t total_ms = atomic_load_explicit(&server->total_ms, memory_order_relaxed);
    for (struct tcp_client *at = server->clients.next, *next; at != &server->clients; at = next) {
        next = at->next;
        if (now_ms - at->since_ms >= idle_ms || now_ms - at->opened_ms >= total_ms) {
            tcp_tally(server, tcp_is_v6(&at->address), DNS_COUNT_TIMED_OUT);
            tcp_client_close(at);
        }
    }
    if (resume_listeners(server) && server->clients.next == &server->clients) {
        uv_timer_stop(timer); // nobody there, nothing to do
    }
}

static void need_tick(struct tcp_server *server)
{
    if (!uv_is_active((uv_handle_t *)&server->tick)) {
        uv_timer_start(&server->tick, on_tick, TICK_MS, TICK_MS);
    }
}

// ---- Listening

static void admit(struct tcp_server *server, int socket, const union tcp_address *address)
{
    bool v6 = tcp_is_v6(address);
    if (tcp_clients_alike(server, address) >=
        atomic_load_explicit(&server->clients_per_prefix, memory_order_relaxed)) {
        tcp_tally(server, v6, DNS_COUNT_REFUSED);
        close(socket);
        return;
    }
    if (tcp_server_open(server) >=
        atomic_load_explicit(&server->clients_max, memory_order_relaxed)) {
        struct tcp_client *idlest = server->clients.next;
        tcp_tally(server, tcp_is_v6(&idlest->address), DNS_COUNT_EVICTED);
        tcp_client_close(idlest);
    }
    tcp_tally(server, v6, DNS_COUNT_ACCEPTED);
    tcp_client_open(server, socket, address);
    need_tick(server);
}

// Without descriptors or memory, the connection would stay where it is and wake us again at once.
static void pause_listener(struct tcp_listener *listener)
{
    tcp_tally(listener->server, listener->v6, DNS_COUNT_UNACCEPTED);
    if (listener->polled) {
        uv_poll_stop(&listener->poll);
    }
    listener->paused = true;
    need_tick(listener->server);
}

// At most `most` of those who wait.
static void accept_some(struct tcp_listener *listener, size_t most)
{
    for (size_t i = 0; i < most; i++) {
        union tcp_address address = {.any.sa_family = AF_UNSPEC};
        socklen_t length = sizeof address;
        int socket = accept4(listener->socket, &address.any, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (socket >= 0) {
            admit(listener->server, socket, &address);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            pause_listener(listener);
            return;
        } // else it concerns only that connection: accept(2), "Error handling"
    }
}

static void on_listener(uv_poll_t *poll, int status, int events)
{
    (void)events;
    struct tcp_listener *listener = poll->data;
    if (status < 0) {
        pause_listener(listener);
        return;
    }
    accept_some(listener, ACCEPT_MAX);
}

static void on_listener_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void close_listener(struct tcp_listener *listener)
{
    int socket = listener->socket;
    if (listener->polled) {
        uv_close((uv_handle_t *)&listener->poll, on_listener_closed);
    } else {
        free(listener);
    }
    close(socket);
}

static void admit_listeners(struct tcp_server *server)
{
    struct tcp_listener *listener =
        atomic_exchange_explicit(&server->arrived, NULL, memory_order_acquire);
    while (listener != NULL) {
        struct tcp_listener *next = listener->next;
        listener->next = server->listeners;
        server->listeners = listener;
        if (!poll_listener(listener)) {
            pause_listener(listener);
        }
        listener = next;
    }
}

static void dismiss_listeners(struct tcp_server *server)
{
    for (struct tcp_listener **at = &server->listeners; *at != NULL;) {
        struct tcp_listener *listener = *at;
        if (atomic_load_explicit(&listener->leaving, memory_order_acquire)) {
            *at = listener->next;
            accept_some(listener, BACKLOG_MAX);
            close_listener(listener);
            atomic_fetch_sub_explicit(&server->leaving, 1, memory_order_release);
        } else {
            at = &listener->next;
        }
    }
}

// ---- The thread

static void close_all(struct tcp_server *server)
{
    while (server->listeners != NULL) {
        struct tcp_listener *listener = server->listeners;
        server->listeners = listener->next;
        accept_some(listener, BACKLOG_MAX);
        close_listener(listener);
    }
    while (server->clients.next != &server->clients) {
        tcp_client_finish(server->clients.next);
    }
    uv_close((uv_handle_t *)&server->tick, NULL);
    uv_close((uv_handle_t *)&server->wake, NULL);
}

static void on_wake(uv_async_t *wake)
{
    struct tcp_server *server = wake->data;
    // First: a listener that arrived before the end was called for must not be missed.
    bool stopping = atomic_load_explicit(&server->stopping, memory_order_acquire);
    admit_listeners(server);
    dismiss_listeners(server);
    if (stopping) {
        close_all(server);
    }
}

static void *run(void *arg)
{
    struct tcp_server *server = arg;
    dns_thread_begin("dns-tcp");
    uv_run(&server->loop, UV_RUN_DEFAULT); // until every handle is closed
    return NULL;
}

// ---- From the main thread

struct tcp_server *tcp_server_start(const struct tcp_limits *limits, struct publisher *publisher)
{
    struct tcp_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        return NULL;
    }
    server->publisher = publisher;
    server->clients.prev = server->clients.next = &server->clients;
    tcp_server_set_limits(server, limits);
    if (getrandom(server->key, sizeof server->key, 0) != (ssize_t)sizeof server->key ||
        !dice_seed(&server->dice)) {
        goto err_server;
    }
    int error = uv_loop_init(&server->loop);
    if (error != 0) {
        goto err_loop;
    }
    error = uv_async_init(&server->loop, &server->wake, on_wake);
    if (error != 0) {
        goto err_async;
    }
    uv_timer_init(&server->loop, &server->tick);
    server->wake.data = server->tick.data = server;
    publisher_add(publisher, &server->hold);
    if (dns_thread_start(&server->thread, run, server) != 0) {
        error = -errno;
        goto err_hold;
    }
    return server;

err_hold:
    publisher_remove(publisher, &server->hold);
    uv_close((uv_handle_t *)&server->tick, NULL);
    uv_close((uv_handle_t *)&server->wake, NULL);
    uv_run(&server->loop, UV_RUN_DEFAULT);
err_async:
    uv_loop_close(&server->loop);
err_loop:
    errno = -error; // libuv's are the system's, negated
err_server:
    free(server);
    return NULL;
}

static uint64_t half_of_descriptors(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur / 2 : UINT64_MAX;
}

void tcp_server_set_limits(struct tcp_server *server, const struct tcp_limits *limits)
{
    assert(limits->clients > 0 && limits->clients_per_prefix > 0);
    uint64_t half = half_of_descriptors();
    uint64_t clients = limits->clients < half ? limits->clients : half;
    atomic_store_explicit(&server->idle_ms, limits->idle_ms, memory_order_relaxed);
    atomic_store_explicit(&server->total_ms, limits->total_ms, memory_order_relaxed);
    atomic_store_explicit(&server->clients_max, clients, memory_order_relaxed);
    atomic_store_explicit(&server->clients_per_prefix, limits->clients_per_prefix,
                          memory_order_relaxed);
}

int tcp_server_listen(struct tcp_server *server, int socket)
{
    struct tcp_listener *listener = calloc(1, sizeof *listener);
    int family = AF_UNSPEC;
    socklen_t length = sizeof family;
    if (listener == NULL || getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &length) != 0) {
        free(listener);
        close(socket);
        return -1;
    }
    listener->server = server;
    listener->socket = socket;
    listener->v6 = family == AF_INET6;
    listener->former = server->known;
    server->known = listener;
    // The only one that adds; the thread takes all.
    listener->next = atomic_load_explicit(&server->arrived, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&server->arrived, &listener->next, listener,
                                                  memory_order_release, memory_order_relaxed)) {
    }
    uv_async_send(&server->wake);
    return 0;
}

void tcp_server_unlisten(struct tcp_server *server, int socket)
{
    struct tcp_listener **at = &server->known;
    while (*at != NULL && (*at)->socket != socket) {
        at = &(*at)->former;
    }
    assert(*at);
    struct tcp_listener *listener = *at;
    *at = listener->former;
    atomic_fetch_add_explicit(&server->leaving, 1, memory_order_relaxed);
    atomic_store_explicit(&listener->leaving, true, memory_order_release); // the thread's to free
    uv_async_send(&server->wake);
}

bool tcp_server_unlistening(const struct tcp_server *server)
{
    return atomic_load_explicit(&server->leaving, memory_order_acquire) > 0;
}

const struct dns_counters *tcp_server_counters(const struct tcp_server *server, bool v6)
{
    return &server->counters[v6];
}

size_t tcp_server_open(const struct tcp_server *server)
{
    return atomic_load_explicit(&server->open, memory_order_relaxed);
}

void tcp_server_stop(struct tcp_server *server)
{
    atomic_store_explicit(&server->stopping, true, memory_order_release);
    uv_async_send(&server->wake);
    pthread_join(server->thread, NULL);
    uv_loop_close(&server->loop);
    publisher_remove(server->publisher, &server->hold);
    free(server);
}
