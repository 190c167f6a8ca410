// The responder as a whole: its sockets, its threads, and the snapshot that they answer from.
// Everything here is called from the main thread; nothing here waits for a client, a lock or a
// thread that might, but for responder_free().
#pragma once

#include "base/endpoint.h"
#include "dns/responder/counters.h"
#include "dns/responder/tcp.h"

#define RESPONDER_THREADS_MAX 64

struct responder_conf {
    const struct endpoint *listen; // each: UDP on `threads` threads, and TCP
    size_t listen_count;
    unsigned threads;
    struct tcp_limits tcp;
};

struct responder;

// inherited: sockets from systemd, already bound (sd_listen_fds(3)), used for the addresses that
// they have, whenever conf names these; taken over. What comes to an address while conf does not
// name it waits in its socket, as it does before a start, and is answered when conf does: most who
// asked are gone by then, but those who asked during a quick change are not. NULL when out of
// memory: they are closed.
struct responder *responder_new(const int *inherited, size_t inherited_count);

// Listens where conf says and no more where only the former conf did; sockets of both are not
// touched, so that no query is lost. Addresses need not be there yet (IP_FREEBIND). 0, or -1 and
// what could not be had; then all is as it was. With 0, error may hold a remark worth a warning in
// the log, else it is empty.
//
// Fewer threads than before: the kernel gives queries to the first ones only, and the others sleep;
// their sockets stay, for closing one of a group loses what the kernel gives it meanwhile. Where
// systemd's socket lets no other join (it is another user's, or we lack the capability that its
// port takes), its thread remains the only one.
//
// An address that was given up is free again a moment later, when its threads have answered what
// they had received. It can be had again meanwhile too; until these have ended, some of the new
// queries reach them, and the last of those may be lost.
int responder_listen(struct responder *responder, const struct responder_conf *conf,
                     char error[ERROR_MAX]);

// Answers come from it from now on (NULL: there are none); takes it over. Best before
// responder_listen(): until the first one, queries get no answer.
void responder_publish(struct responder *responder, struct dns_snapshot *snapshot);

// Never less than before, for the threads that ended count too.
void responder_totals(const struct responder *responder, struct dns_totals *out);

// Answers what was received, ends all threads and closes all sockets. NULL is fine.
void responder_free(struct responder *responder);
