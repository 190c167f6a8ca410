// One netlink socket on the loop: the kernel's notifications, message by message. It promises that
// what it hands over came from the kernel and lies wholly within what was received.
#pragma once

#include "probes/descriptor.h"

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct netlink;

struct netlink_events {
    void (*message)(struct netlink *netlink, const struct nlmsghdr *message);
    // The kernel had more to say than the socket had room for (ENOBUFS): messages are missing.
    void (*lost)(struct netlink *netlink);
    void (*free)(struct netlink *netlink); // after netlink_close(), from the loop
};

// Zeroed is closed and free.
struct netlink {
    struct descriptor socket;
    uint32_t asked; // the last dump's nlmsg_seq, which its answers bear
    void *owner;
    const struct netlink_events *events;
};

// Joins these multicast groups of the protocol (NETLINK_ROUTE ...). owner and events are set, and
// the socket is free. 0, or a negative uv error and it is free, or closing, again.
int netlink_open(struct netlink *netlink, uv_loop_t *loop, int protocol, const unsigned *groups,
                 size_t count);

// Asks the kernel for all there is of a kind (NLM_F_DUMP); body follows the header. 0 or a negative
// uv error.
int netlink_dump(struct netlink *netlink, uint16_t type, const void *body, size_t length);

void netlink_close(struct netlink *netlink);
