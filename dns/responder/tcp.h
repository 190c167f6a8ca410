// DNS over TCP (RFC 7766) for any number of listeners, on one thread with a loop of its own: many
// slow clients cost nobody else anything.
//
// Queries of a connection may come in any pieces and any number at once; each is answered as it is
// complete. A connection is closed when it was idle for idle_ms, when a query or an answer takes
// longer than that to go through, after total_ms in any case, and when it sends what is no query.
// When there are too many, the one that has been idle longest makes room.
//
// An idle connection costs a descriptor and some 400 octets, besides the kernel's part. One whose
// client does not read its answers keeps at most 80 KiB of them, and is not read from meanwhile.
#pragma once

#include "dns/responder/counters.h"
#include "dns/responder/publish.h"

struct tcp_limits {
    uint64_t idle_ms, total_ms;
    size_t clients;            // connections; at most half of the process's descriptors count
    size_t clients_per_prefix; // of one client (IPv4: address, IPv6: /64)
};

struct tcp_server;

// Runs the thread. NULL and errno when it can't be had.
struct tcp_server *tcp_server_start(const struct tcp_limits *limits, struct publisher *publisher);
void tcp_server_set_limits(struct tcp_server *server, const struct tcp_limits *limits);

// Takes over a listening, non-blocking socket (0, or -1 and errno: it is closed then), or closes
// it, once who has connected already is accepted; connections stay. From the main thread.
int tcp_server_listen(struct tcp_server *server, int socket);
void tcp_server_unlisten(struct tcp_server *server, int socket);
bool tcp_server_unlistening(const struct tcp_server *server); // some are still to be closed

const struct dns_counters *tcp_server_counters(const struct tcp_server *server, bool v6);
size_t tcp_server_open(const struct tcp_server *server);

// Answers what connections have sent already, closes them, ends, joins and frees.
void tcp_server_stop(struct tcp_server *server);
