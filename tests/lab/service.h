// Services in nodes: unbound as it is run on a PoP, and small servers that misbehave when told to.
//
// Any other service is a configuration file (lab_write()), a command (lab_spawn()) and a LAB_WAIT()
// for what its log says when it is ready.
#pragma once

#include "tests/lab/lab.h"

#include <netinet/in.h>

struct lab_unbound {
    const char *listen;     // addresses, e.g. "192.0.2.53 2001:db8::53"
    uint16_t port;          // 0: 53
    const char *zone;       // e.g. "example.net."
    const char *local_data; // records, one per line, e.g. "www.example.net. A 192.0.2.80"
    const char *extra;      // more of the server: clause; may be NULL
};

// Runs unbound and waits till it serves. It answers from the zone only, id.server CH TXT with the
// node's name, and never asks anyone.
struct lab_process *lab_unbound_start(struct lab_node *node, const struct lab_unbound *unbound);

// Once more, after lab_kill() too; waits till it serves.
void lab_unbound_restart(struct lab_process *unbound);

// Gives the running one another configuration (SIGHUP): it keeps its sockets. Returns at once.
void lab_unbound_reload(struct lab_node *node, struct lab_process *process,
                        const struct lab_unbound *unbound);

// Runs nginx with one worker and waits till it serves. http is what stands in its http {} block;
// its directory is the node's.
struct lab_process *lab_nginx_start(struct lab_node *node, const char *http);

// Ends it in order, if it runs, and runs it once more, with another http {} block (NULL: the same);
// waits till it serves.
void lab_nginx_restart(struct lab_node *node, struct lab_process *nginx, const char *http);

// An authoritative server, NSD or Knot DNS.
struct lab_authority {
    const char *listen;  // addresses, as unbound's
    uint16_t port;       // 0: 53
    const char *zone;    // e.g. "example.net"
    const char *records; // lines of the zone file after SOA and NS, e.g. "www A 192.0.2.80"
    const char *file;    // the whole zone file instead; may be NULL
    const char *nsid;    // RFC 5001, a word; may be NULL
    unsigned workers;    // processes (NSD) or UDP threads (Knot); 0: 1
};

// Runs the server and waits till it serves. id.server CH TXT is answered with the node's name.
struct lab_process *lab_nsd_start(struct lab_node *node, const struct lab_authority *authority);
struct lab_process *lab_knot_start(struct lab_node *node, const struct lab_authority *authority);

// Once more, after lab_kill() too; waits till it serves.
void lab_authority_restart(struct lab_process *process);

// The process, which runs, and then all its descendants, such as the workers of a server; returns
// how many.
#define LAB_FAMILY_MAX 32
size_t lab_family(const struct lab_process *process, pid_t out[LAB_FAMILY_MAX]);

// Ends it with SIGKILL, and every process that it has started.
void lab_kill_group(struct lab_process *process);

// Sends a signal to it, and to every process that it has started.
void lab_signal_group(struct lab_process *process, int signal);

// ---- TCP

struct lab_tcp_server;

enum lab_tcp_mode {
    LAB_TCP_GREET,         // says the greeting, then holds the connection
    LAB_TCP_ECHO,          // sends back what comes
    LAB_TCP_SILENT,        // accepts and never says anything
    LAB_TCP_CLOSE,         // accepts and closes
    LAB_TCP_RESET,         // accepts and resets
    LAB_TCP_RESET_ON_READ, // resets when the client has said something
};

// address is "192.0.2.80" or "2001:db8::80". The greeting may be NULL.
struct lab_tcp_server *lab_tcp_server_start(struct lab_node *node, const char *address,
                                            uint16_t port, enum lab_tcp_mode mode,
                                            const char *greeting);
void lab_tcp_server_set(struct lab_tcp_server *server, enum lab_tcp_mode mode); // new connections
size_t lab_tcp_server_accepted(struct lab_tcp_server *server);
size_t lab_tcp_server_held(struct lab_tcp_server *server); // connections that are open now

// Closes the listener and every connection, as a crash does; start again to listen again.
void lab_tcp_server_crash(struct lab_tcp_server *server);
void lab_tcp_server_recover(struct lab_tcp_server *server);

// ---- UDP

struct lab_udp_server;

// Writes the answer to a query, on the server's thread, and returns its length; 0: no answer.
typedef size_t (*lab_udp_answer_cb)(void *arg, const uint8_t *query, size_t length, uint8_t *answer,
                                    size_t size);

struct lab_udp_server *lab_udp_server_start(struct lab_node *node, const char *address,
                                            uint16_t port, lab_udp_answer_cb answer, void *arg);
