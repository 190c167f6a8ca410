// Tells of each UDP socket of this host that is gone, a crashed server's for one: the kernel's
// socket-destroy notifications (NETLINK_SOCK_DIAG, sock_diag(7)), which need no privilege.
//
// The watch is believed only once it has been seen to work: as it opens it closes a UDP socket of
// its own, and waits to be told.
#pragma once

#include "base/keys.h"
#include "probes/netlink.h"

#define UDP_WATCH_WHY_MAX   96
#define UDP_WATCH_PORTS_MAX 64

struct udp_watch {
    struct netlink netlink;
    bool confirmed;              // the kernel does tell
    uint16_t canary_port;        // of the socket of our own
    char why[UDP_WATCH_WHY_MAX]; // not confirmed
    void *owner;
    // gone: the address and port that the socket was bound to; NULL: some were missed.
    void (*on_gone)(void *owner, const struct endpoint *gone);
    void (*on_free)(void *owner);
};

// Opens a free watch; why says it, if it can't be had.
void udp_watch_open(struct udp_watch *watch, uv_loop_t *loop);
void udp_watch_close(struct udp_watch *watch);

// Lets the kernel wake us for sockets of these ports only (host byte order): a resolver on this
// host closes thousands a second. More than UDP_WATCH_PORTS_MAX are not filtered.
void udp_watch_ports(struct udp_watch *watch, const uint16_t *ports, size_t count);

// The socket that a notification is about; false if it is none. Pure.
bool udp_watch_parse(const struct nlmsghdr *message, struct endpoint *out);

// Can a socket bound to gone have been one that answers on target? A wildcard can, and so can an
// IPv6 wildcard for an IPv4 target. Pure.
bool udp_watch_concerns(const struct endpoint *gone, const struct endpoint *target);
