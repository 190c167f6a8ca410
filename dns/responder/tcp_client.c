// One connection of DNS over TCP, and who is there (see tcp_inside.h).
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
#include "base/bytes.h"
#include "dns/responder/tcp_inside.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define LAST_TURNS 64

// ---- Who is there

static uint64_t prefix_of(const union tcp_address *address)
{
    if (!tcp_is_v6(address)) {
        return ntohl(address->v4.sin_addr.s_addr);
    }
    uint64_t prefix;
    memcpy(&prefix, &address->v6.sin6_addr, sizeof prefix);
    return be64toh(prefix);
}

static struct tcp_client **bucket_of(struct tcp_server *server, uint64_t prefix)
{
    uint64_t hash;
    crypto_shorthash((uint8_t *)&hash, (const uint8_t *)&prefix, sizeof prefix, server->key);
    return &server->buckets[hash % TCP_BUCKETS];
}

static bool alike(const struct tcp_client *client, uint64_t prefix, bool v6)
{
    return client->prefix == prefix && tcp_is_v6(&client->address) == v6;
}

size_t tcp_clients_alike(struct tcp_server *server, const union tcp_address *address)
{
    uint64_t prefix = prefix_of(address);
    size_t found = 0;
    for (struct tcp_client *at = *bucket_of(server, prefix); at != NULL; at = at->alike) {
        found += alike(at, prefix, tcp_is_v6(address));
    }
    return found;
}

static void ring_remove(struct tcp_client *client)
{
    client->prev->next = client->next;
    client->next->prev = client->prev;
}

static void ring_append(struct tcp_client *ring, struct tcp_client *client)
{
    client->prev = ring->prev;
    client->next = ring;
    ring->prev->next = client;
    ring->prev = client;
}

static void add_client(struct tcp_server *server, struct tcp_client *client)
{
    struct tcp_client **bucket = bucket_of(server, client->prefix);
    client->alike = *bucket;
    *bucket = client;
    ring_append(&server->clients, client);
    atomic_fetch_add_explicit(&server->open, 1, memory_order_relaxed);
}

static void remove_client(struct tcp_client *client)
{
    struct tcp_client **at = bucket_of(client->server, client->prefix);
    while (*at != client) {
        at = &(*at)->alike;
    }
    *at = client->alike;
    ring_remove(client);
    atomic_fetch_sub_explicit(&client->server->open, 1, memory_order_relaxed);
}

// It got something done.
static void touch(struct tcp_client *client)
{
    client->since_ms = uv_now(&client->server->loop);
    ring_remove(client);
    ring_append(&client->server->clients, client);
}

static void on_client_closed(uv_handle_t *handle)
{
    struct tcp_client *client = handle->data;
    free(client->input);
    free(client->output);
    free(client);
}

void tcp_client_close(struct tcp_client *client)
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
        ssize_t result = send(socket, bytes + sent, length - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
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
        if (kept == NULL) {
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
static bool send_kept(struct tcp_client *client)
{
    if (client->output == NULL) {
        return true;
    }
    ssize_t sent = send_some(client->socket, client->output + client->output_sent,
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
static bool flush(struct tcp_client *client, size_t *length)
{
    ssize_t sent = send_some(client->socket, client->server->output, *length);
    if (sent < 0) {
        return false;
    }
    size_t rest = *length - (size_t)sent;
    *length = 0;
    client->output_sent = 0;
    return keep(&client->output, &client->output_length, client->server->output + sent, rest);
}

// One query's answer, with its length before it. 0: that was not a query.
static size_t answer(struct tcp_client *client, const struct dns_snapshot *snapshot,
                     const uint8_t *query, size_t length, uint8_t *out)
{
    struct tcp_server *server = client->server;
    struct dns_counters *counters = &server->counters[tcp_is_v6(&client->address)];
    uint64_t idle_ds = atomic_load_explicit(&server->idle_ms, memory_order_relaxed) / 100;
    struct dns_asker asker = {
        .address = &client->address.any,
        .transport = DNS_TCP,
        .now_s = (uint32_t)time(NULL),
        .turn = dice_throw(&server->dice),
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
    size_t written =
        dns_respond(snapshot, &asker, &request, false, out + 2, DNS_MESSAGE_MAX, &outcome);
    dns_count_outcome(counters, &outcome);
    put_u16(out, (uint16_t)written);
    return 2 + written;
}

// Answers the whole queries among the first `have` octets of the server's input, unless the client
// stops taking answers. Returns how many octets are done with, or -1: the connection is to end.
static ssize_t answer_all(struct tcp_client *client, const struct dns_snapshot *snapshot,
                          size_t have)
{
    struct tcp_server *server = client->server;
    size_t done = 0, written = 0;
    while (have - done >= 2 && client->output == NULL) {
        const uint8_t *at = server->input + done;
        size_t length = get_u16(at);
        if (have - done - 2 < length) {
            break;
        }
        size_t answered = answer(client, snapshot, at + 2, length, server->output + written);
        written += answered;
        done += 2 + length;
        if ((answered == 0 || written >= TCP_OUTPUT_FLUSH) && !flush(client, &written)) {
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
static bool receive(struct tcp_client *client, size_t *have, bool *ended)
{
    assert(*have < TCP_MESSAGE_MAX);
    ssize_t received =
        recv(client->socket, client->server->input + *have, TCP_RECEIVE_MAX, MSG_DONTWAIT);
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
static bool turn(struct tcp_client *client)
{
    struct tcp_server *server = client->server;
    bool was_sending = client->output;
    if (!send_kept(client)) {
        return false;
    }
    if (client->output != NULL) {
        return true;
    }
    size_t have = client->input_length;
    bool ended = false;
    if (client->input != NULL) {
        memcpy(server->input, client->input, have);
    }
    if (!was_sending && !receive(client, &have, &ended)) {
        return false;
    }
    const struct dns_snapshot *snapshot = hold_take(server->publisher, &server->hold);
    ssize_t done = snapshot != NULL ? answer_all(client, snapshot, have) : -1;
    hold_release(&server->hold);
    return done >= 0 && !ended &&
           keep(&client->input, &client->input_length, server->input + done, have - (size_t)done);
}

static void on_client(uv_poll_t *poll, int status, int events)
{
    struct tcp_client *client = poll->data;
    bool was_sending = client->output;
    (void)events; // what is waited for follows from client->output
    if (status < 0 || !turn(client)) {
        tcp_client_close(client);
        return;
    }
    bool is_sending = client->output;
    if (is_sending != was_sending &&
        uv_poll_start(poll, is_sending ? UV_WRITABLE : UV_READABLE, on_client) != 0) {
        tcp_client_close(client);
    }
}

// ---- Its begin and its end

void tcp_client_open(struct tcp_server *server, int socket, const union tcp_address *address)
{
    struct tcp_client *client = calloc(1, sizeof *client);
    if (client == NULL || uv_poll_init(&server->loop, &client->poll, socket) != 0) {
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
    if (uv_poll_start(&client->poll, UV_READABLE, on_client) != 0) {
        tcp_client_close(client);
    }
}

static bool has_sent(const struct tcp_client *client)
{
    int waiting = 0;
    return ioctl(client->socket, FIONREAD, &waiting) == 0 && waiting > 0;
}

// A few turns more, for as long as what it has sent fills them.
void tcp_client_finish(struct tcp_client *client)
{
    for (unsigned left = LAST_TURNS; left > 0 && has_sent(client); left--) {
        if (!turn(client)) {
            break;
        }
    }
    tcp_client_close(client);
}
