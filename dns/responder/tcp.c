// DNS over TCP (see tcp.h).
//
// A connection waits for one thing at a time: for the client to send, or, when the client does not
// take his answers, for room to send. One turn() takes what there is, answers each whole query of
// it, and keeps what it could not finish:
//
//     received ──▶ server.input ──query──▶ server.output ──▶ sent
//                    ▲     │ the begin of a query,    │ what the client
//                    │     ▼ or what must wait        ▼ does not take
//                  client.input                     client.output
//
// The big buffers are the server's, for only one connection has its turn at a time.
//
// Lists: `clients` has all connections, the one first that got nothing done for the longest time;
// it is where to look for who is idle and who is to be evicted. `buckets` have them by a keyed hash
// of their prefix, to count those of one client.

#include "dns/responder/tcp.h"
#include "base/bytes.h"
#include "dns/responder/thread.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <sodium/crypto_shorthash.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#define MESSAGE_MAX  (2 + DNS_MESSAGE_MAX) // with its length before it (RFC 1035 section 4.2.2)
#define RECEIVE_MAX  16384                 // in one turn, so that everybody gets his
#define OUTPUT_FLUSH 16384                 // sent as soon as it is this much
#define ACCEPT_MAX   64                    // in one turn
#define BACKLOG_MAX  4096                  // more can't wait (net.core.somaxconn)
#define LAST_TURNS   64
#define BUCKETS      1024
#define TICK_MS      100 // how exact the limits of time are

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct client {
    uv_poll_t poll;
    struct tcp_server *server;
    struct client *prev, *next; // in server->clients
    struct client *alike;       // the next one in the same bucket
    uint64_t prefix;
    uint64_t opened_ms;
    uint64_t since_ms; // when it came, a query was whole, or all answers were sent
    int socket;
    union address address;
    uint8_t *input; // NULL: nothing
    uint8_t *output;
    uint32_t input_length;
    uint32_t output_length, output_sent;
};

struct listener {
    uv_poll_t poll;
    struct tcp_server *server;
    int socket;
    bool v6;
    bool polled;             // the loop has the handle
    bool paused;             // polling or accept(2) failed: until the next tick
    struct listener *next;   // in server->listeners or ->arrived
    struct listener *former; // in server->known: the main thread's
    _Atomic bool leaving;
};

struct tcp_server {
    uv_loop_t loop;
    uv_async_t wake;
    uv_timer_t tick;
    pthread_t thread;
    struct publisher *publisher;
    struct dns_hold hold;
    unsigned turn;
    uint8_t key[crypto_shorthash_KEYBYTES];

    // Written by the main thread, read by the other.
    _Atomic uint64_t idle_ms, total_ms, clients_max, clients_per_prefix;
    _Atomic(struct listener *) arrived;
    _Atomic bool stopping;
    struct listener *known;

    // The other way round.
    struct dns_counters counters[2]; // [v6]
    _Atomic size_t open;
    _Atomic size_t leaving; // listeners; counted by the main thread, and off by the other

    // The thread's own.
    struct listener *listeners;
    struct client clients; // a ring; this one is only its begin
    struct client *buckets[BUCKETS];
    uint8_t input[MESSAGE_MAX + RECEIVE_MAX];
    uint8_t output[OUTPUT_FLUSH + MESSAGE_MAX];
};

static bool is_v6(const union address *address)
{
    return address->any.sa_family == AF_INET6;
}

static void tally(struct tcp_server *server, bool v6, enum dns_count what)
{
    count_one(&server->counters[v6].counts[what]);
}

// ---- Who is there

static uint64_t prefix_of(const union address *address)
{
    if (!is_v6(address)) {
        return ntohl(address->v4.sin_addr.s_addr);
    }
    uint64_t prefix;
    memcpy(&prefix, &address->v6.sin6_addr, sizeof prefix);
    return be64toh(prefix);
}

static struct client **bucket_of(struct tcp_server *server, uint64_t prefix)
{
    uint64_t hash;
    crypto_shorthash((uint8_t *)&hash, (const uint8_t *)&prefix, sizeof prefix, server->key);
    return &server->buckets[hash % BUCKETS];
}

static bool alike(const struct client *client, uint64_t prefix, bool v6)
{
    return client->prefix == prefix && is_v6(&client->address) == v6;
}

static size_t count_alike(struct tcp_server *server, const union address *address)
{
    const uint64_t prefix = prefix_of(address);
    size_t found = 0;
    for (struct client *at = *bucket_of(server, prefix); at; at = at->alike) {
        found += alike(at, prefix, is_v6(address));
    }
    return found;
}

static void ring_remove(struct client *client)
{
    client->prev->next = client->next;
    client->next->prev = client->prev;
}

static void ring_append(struct client *ring, struct client *client)
{
    client->prev = ring->prev;
    client->next = ring;
    ring->prev->next = client;
    ring->prev = client;
}

static void add_client(struct tcp_server *server, struct client *client)
{
    struct client **bucket = bucket_of(server, client->prefix);
    client->alike = *bucket;
    *bucket = client;
    ring_append(&server->clients, client);
    atomic_fetch_add_explicit(&server->open, 1, memory_order_relaxed);
}

static void remove_client(struct client *client)
{
    struct client **at = bucket_of(client->server, client->prefix);
    while (*at != client) {
        at = &(*at)->alike;
    }
    *at = client->alike;
    ring_remove(client);
    atomic_fetch_sub_explicit(&client->server->open, 1, memory_order_relaxed);
}

// It got something done.
static void touch(struct client *client)
{
    client->since_ms = uv_now(&client->server->loop);
    ring_remove(client);
    ring_append(&client->server->clients, client);
}

static void on_client_closed(uv_handle_t *handle)
{
    struct client *client = handle->data;
    free(client->input);
    free(client->output);
    free(client);
}

static void close_client(struct client *client)
{
    remove_client(client);
    uv_close((uv_handle_t *)&client->poll, on_client_closed);
    close(client->socket); // only now that the loop has let go of it
}

// ---- One connection's turn

// Sends; returns how many octets, or -1 when the connection is broken.
static ssize_t send_some(int socket, const uint8_t *bytes, size_t length)
{
    size_t sent = 0;
    while (sent < length) {
        const ssize_t result =
            send(socket, bytes + sent, length - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (result >= 0) {
            sent += (size_t)result;
        } else if (errno == EAGAIN || errno == ENOBUFS) {
            break;
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return (ssize_t)sent;
}

// Replaces what the client has in *at by a copy of bytes. False: out of memory.
static bool keep(uint8_t **at, uint32_t *length, const uint8_t *bytes, size_t new_length)
{
    uint8_t *kept = NULL;
    if (new_length > 0) {
        kept = malloc(new_length);
        if (!kept) {
            return false;
        }
        memcpy(kept, bytes, new_length);
    }
    free(*at);
    *at = kept;
    *length = (uint32_t)new_length;
    return true;
}

// What an earlier turn left. False: broken.
static bool send_kept(struct client *client)
{
    if (!client->output) {
        return true;
    }
    const ssize_t sent = send_some(client->socket, client->output + client->output_sent,
                                   client->output_length - client->output_sent);
    if (sent < 0) {
        return false;
    }
    client->output_sent += (uint32_t)sent;
    if (client->output_sent == client->output_length) {
        free(client->output);
        client->output = NULL;
        touch(client);
    }
    return true;
}

// Sends the server's output, and keeps the rest. False: broken, or out of memory.
static bool flush(struct client *client, size_t *length)
{
    const ssize_t sent = send_some(client->socket, client->server->output, *length);
    if (sent < 0) {
        return false;
    }
    const size_t rest = *length - (size_t)sent;
    *length = 0;
    client->output_sent = 0;
    return keep(&client->output, &client->output_length, client->server->output + sent, rest);
}

// One query's answer, with its length before it. 0: that was not a query.
static size_t answer(struct client *client, const struct dns_snapshot *snapshot,
                     const uint8_t *query, size_t length, uint8_t *out)
{
    struct tcp_server *server = client->server;
    struct dns_counters *counters = &server->counters[is_v6(&client->address)];
    const uint64_t idle_ds = atomic_load_explicit(&server->idle_ms, memory_order_relaxed) / 100;
    const struct dns_asker asker = {
        .address = &client->address.any,
        .transport = DNS_TCP,
        .now_s = (uint32_t)time(NULL),
        .turn = server->turn++,
        .keepalive_ds = (uint16_t)(idle_ds < UINT16_MAX ? idle_ds : UINT16_MAX),
    };
    struct dns_request request;
    count_one(&counters->counts[DNS_COUNT_RECEIVED]);
    if (!dns_request_read(snapshot, &asker, query, length, &request)) {
        count_one(&counters->counts[DNS_COUNT_IGNORED]);
        return 0;
    }
    dns_count_request(counters, &request);
    struct dns_outcome outcome;
    const size_t written =
        dns_respond(snapshot, &asker, &request, false, out + 2, DNS_MESSAGE_MAX, &outcome);
    dns_count_outcome(counters, &outcome);
    put_u16(out, (uint16_t)written);
    return 2 + written;
}

// Answers the whole queries among the first `have` octets of the server's input, unless the client
// stops taking answers. Returns how many octets are done with, or -1: the connection is to end.
static ssize_t answer_all(struct client *client, const struct dns_snapshot *snapshot, size_t have)
{
    struct tcp_server *server = client->server;
    size_t done = 0, written = 0;
    while (have - done >= 2 && !client->output) {
        const uint8_t *at = server->input + done;
        const size_t length = get_u16(at);
        if (have - done - 2 < length) {
            break;
        }
        const size_t answered = answer(client, snapshot, at + 2, length, server->output + written);
        written += answered;
        done += 2 + length;
        if ((answered == 0 || written >= OUTPUT_FLUSH) && !flush(client, &written)) {
            return -1;
        }
        if (answered == 0) {
            return -1;
        }
    }
    if (written > 0 && !flush(client, &written)) {
        return -1;
    }
    if (done > 0) {
        touch(client);
    }
    return (ssize_t)done;
}

// Adds to the server's input what the client sent. False: broken. ended: it sends nothing more.
static bool receive(struct client *client, size_t *have, bool *ended)
{
    assert(*have < MESSAGE_MAX);
    const ssize_t received =
        recv(client->socket, client->server->input + *have, RECEIVE_MAX, MSG_DONTWAIT);
    if (received < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    *have += (size_t)received;
    *ended = received == 0;
    return true;
}

// False: the connection is to be closed. Who ends after his queries gets his answers first: as long
// as there are any that he does not take, nothing is received, his end neither. Nor is it in the
// turn in which he took the last of them: what is kept then may be whole queries, which would add
// up beyond the input's room.
static bool turn(struct client *client)
{
    struct tcp_server *server = client->server;
    const bool was_sending = client->output;
    if (!send_kept(client)) {
        return false;
    }
    if (client->output) {
        return true;
    }
    size_t have = client->input_length;
    bool ended = false;
    if (client->input) {
        memcpy(server->input, client->input, have);
    }
    if (!was_sending && !receive(client, &have, &ended)) {
        return false;
    }
    const struct dns_snapshot *snapshot = hold_take(server->publisher, &server->hold);
    const ssize_t done = snapshot ? answer_all(client, snapshot, have) : -1;
    hold_release(&server->hold);
    return done >= 0 && !ended &&
           keep(&client->input, &client->input_length, server->input + done, have - (size_t)done);
}

static void on_client(uv_poll_t *poll, int status, int events)
{
    struct client *client = poll->data;
    const bool was_sending = client->output;
    (void)events; // what is waited for follows from client->output
    if (status < 0 || !turn(client)) {
        close_client(client);
        return;
    }
    const bool is_sending = client->output;
    if (is_sending != was_sending &&
        uv_poll_start(poll, is_sending ? UV_WRITABLE : UV_READABLE, on_client) != 0) {
        close_client(client);
    }
}

// ---- Time

static void on_listener(uv_poll_t *poll, int status, int events);

// False: not now, for want of memory or the like.
static bool poll_listener(struct listener *listener)
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
    for (struct listener *listener = server->listeners; listener; listener = listener->next) {
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
    const uint64_t now_ms = uv_now(&server->loop);
    const uint64_t idle_ms = atomic_load_explicit(&server->idle_ms, memory_order_relaxed);
    const uint64_t total_ms = atomic_load_explicit(&server->total_ms, memory_order_relaxed);
    for (struct client *at = server->clients.next, *next; at != &server->clients; at = next) {
        next = at->next;
        if (now_ms - at->since_ms >= idle_ms || now_ms - at->opened_ms >= total_ms) {
            tally(server, is_v6(&at->address), DNS_COUNT_TIMED_OUT);
            close_client(at);
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

// Takes over the socket.
static void open_client(struct tcp_server *server, int socket, const union address *address)
{
    struct client *client = calloc(1, sizeof *client);
    if (!client || uv_poll_init(&server->loop, &client->poll, socket) != 0) {
        free(client);
        close(socket);
        return;
    }
    client->poll.data = client;
    client->server = server;
    client->socket = socket;
    client->address = *address;
    client->prefix = prefix_of(address);
    client->opened_ms = client->since_ms = uv_now(&server->loop);
    add_client(server, client);
    need_tick(server);
    if (uv_poll_start(&client->poll, UV_READABLE, on_client) != 0) {
        close_client(client);
    }
}

static void admit(struct tcp_server *server, int socket, const union address *address)
{
    const bool v6 = is_v6(address);
    if (count_alike(server, address) >=
        atomic_load_explicit(&server->clients_per_prefix, memory_order_relaxed)) {
        tally(server, v6, DNS_COUNT_REFUSED);
        close(socket);
        return;
    }
    if (tcp_server_open(server) >=
        atomic_load_explicit(&server->clients_max, memory_order_relaxed)) {
        struct client *idlest = server->clients.next;
        tally(server, is_v6(&idlest->address), DNS_COUNT_EVICTED);
        close_client(idlest);
    }
    tally(server, v6, DNS_COUNT_ACCEPTED);
    open_client(server, socket, address);
}

// Without descriptors or memory, the connection would stay where it is and wake us again at once.
static void pause_listener(struct listener *listener)
{
    tally(listener->server, listener->v6, DNS_COUNT_UNACCEPTED);
    if (listener->polled) {
        uv_poll_stop(&listener->poll);
    }
    listener->paused = true;
    need_tick(listener->server);
}

// At most `most` of those who wait.
static void accept_some(struct listener *listener, size_t most)
{
    for (size_t i = 0; i < most; i++) {
        union address address = {.any.sa_family = AF_UNSPEC};
        socklen_t length = sizeof address;
        const int socket =
            accept4(listener->socket, &address.any, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
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
    struct listener *listener = poll->data;
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

static void close_listener(struct listener *listener)
{
    const int socket = listener->socket;
    if (listener->polled) {
        uv_close((uv_handle_t *)&listener->poll, on_listener_closed);
    } else {
        free(listener);
    }
    close(socket);
}

static void admit_listeners(struct tcp_server *server)
{
    struct listener *listener =
        atomic_exchange_explicit(&server->arrived, NULL, memory_order_acquire);
    while (listener) {
        struct listener *next = listener->next;
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
    for (struct listener **at = &server->listeners; *at;) {
        struct listener *listener = *at;
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

static bool has_sent(const struct client *client)
{
    int waiting = 0;
    return ioctl(client->socket, FIONREAD, &waiting) == 0 && waiting > 0;
}

// A few turns more, for as long as what it has sent fills them.
static void finish_client(struct client *client)
{
    for (unsigned left = LAST_TURNS; left > 0 && has_sent(client); left--) {
        if (!turn(client)) {
            break;
        }
    }
    close_client(client);
}

static void close_all(struct tcp_server *server)
{
    while (server->listeners) {
        struct listener *listener = server->listeners;
        server->listeners = listener->next;
        accept_some(listener, BACKLOG_MAX);
        close_listener(listener);
    }
    while (server->clients.next != &server->clients) {
        finish_client(server->clients.next);
    }
    uv_close((uv_handle_t *)&server->tick, NULL);
    uv_close((uv_handle_t *)&server->wake, NULL);
}

static void on_wake(uv_async_t *wake)
{
    struct tcp_server *server = wake->data;
    // First: a listener that arrived before the end was called for must not be missed.
    const bool stopping = atomic_load_explicit(&server->stopping, memory_order_acquire);
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
    if (!server) {
        return NULL;
    }
    server->publisher = publisher;
    server->clients.prev = server->clients.next = &server->clients;
    tcp_server_set_limits(server, limits);
    if (getrandom(server->key, sizeof server->key, 0) != (ssize_t)sizeof server->key) {
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
    const uint64_t half = half_of_descriptors();
    const uint64_t clients = limits->clients < half ? limits->clients : half;
    atomic_store_explicit(&server->idle_ms, limits->idle_ms, memory_order_relaxed);
    atomic_store_explicit(&server->total_ms, limits->total_ms, memory_order_relaxed);
    atomic_store_explicit(&server->clients_max, clients, memory_order_relaxed);
    atomic_store_explicit(&server->clients_per_prefix, limits->clients_per_prefix,
                          memory_order_relaxed);
}

int tcp_server_listen(struct tcp_server *server, int socket)
{
    struct listener *listener = calloc(1, sizeof *listener);
    int family = AF_UNSPEC;
    socklen_t length = sizeof family;
    if (!listener || getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &length) != 0) {
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
    struct listener **at = &server->known;
    while (*at && (*at)->socket != socket) {
        at = &(*at)->former;
    }
    assert(*at);
    struct listener *listener = *at;
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
