// Between the files of DNS over TCP, and of no use to others: tcp.c listens and keeps time,
// tcp_client.c has the connections.
#pragma once

#include "dns/responder/dice.h"
#include "dns/responder/tcp.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sodium/crypto_shorthash.h>
#include <uv.h>

#define TCP_MESSAGE_MAX  (2 + DNS_MESSAGE_MAX) // with its length before it (RFC 1035 section 4.2.2)
#define TCP_RECEIVE_MAX  16384                 // in one turn, so that everybody gets his
#define TCP_OUTPUT_FLUSH 16384                 // sent as soon as it is this much
#define TCP_BUCKETS      1024

union tcp_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct tcp_client {
    uv_poll_t poll;
    struct tcp_server *server;
    struct tcp_client *prev, *next; // in server->clients
    struct tcp_client *alike;       // the next one in the same bucket
    uint64_t prefix;
    uint64_t opened_ms;
    uint64_t since_ms; // when it came, a query was whole, or all answers were sent
    int socket;
    union tcp_address address;
    uint8_t *input; // NULL: nothing
    uint8_t *output;
    uint32_t input_length;
    uint32_t output_length, output_sent;
};

struct tcp_listener {
    uv_poll_t poll;
    struct tcp_server *server;
    int socket;
    bool v6;
    bool polled;                 // the loop has the handle
    bool paused;                 // polling or accept(2) failed: until the next tick
    struct tcp_listener *next;   // in server->listeners or ->arrived
    struct tcp_listener *former; // in server->known: the main thread's
    _Atomic bool leaving;
};

struct tcp_server {
    uv_loop_t loop;
    uv_async_t wake;
    uv_timer_t tick;
    pthread_t thread;
    struct publisher *publisher;
    struct dns_hold hold;
    struct dice dice;
    uint8_t key[crypto_shorthash_KEYBYTES];

    // Written by the main thread, read by the other.
    _Atomic uint64_t idle_ms, total_ms, clients_max, clients_per_prefix;
    _Atomic(struct tcp_listener *) arrived;
    _Atomic bool stopping;
    struct tcp_listener *known;

    // The other way round.
    struct dns_counters counters[2]; // [v6]
    _Atomic size_t open;
    _Atomic size_t leaving; // listeners; counted by the main thread, and off by the other

    // The thread's own.
    struct tcp_listener *listeners;
    struct tcp_client clients; // a ring; this one is only its begin
    struct tcp_client *buckets[TCP_BUCKETS];
    uint8_t input[TCP_MESSAGE_MAX + TCP_RECEIVE_MAX];
    uint8_t output[TCP_OUTPUT_FLUSH + TCP_MESSAGE_MAX];
};

static inline bool tcp_is_v6(const union tcp_address *address)
{
    return address->any.sa_family == AF_INET6;
}

static inline void tcp_tally(struct tcp_server *server, bool v6, enum dns_count what)
{
    count_one(&server->counters[v6].counts[what]);
}

// How many connections there are of the one client that address belongs to.
size_t tcp_clients_alike(struct tcp_server *server, const union tcp_address *address);

// A connection begins; takes over the socket. Without memory or the like, it is closed.
void tcp_client_open(struct tcp_server *server, int socket, const union tcp_address *address);

// It ends: at once, or when what it has sent already is answered.
void tcp_client_close(struct tcp_client *client);
void tcp_client_finish(struct tcp_client *client);
