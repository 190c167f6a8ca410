// One descriptor that the loop watches: the ground under channels and netlink sockets.
#pragma once

#include "base/endpoint.h"

#include <uv.h>

// Zeroed but for the three of the owner it is free.
struct descriptor {
    int fd; // valid while open
    enum { DESCRIPTOR_FREE, DESCRIPTOR_OPEN, DESCRIPTOR_CLOSING } state;
    uv_poll_t poll;
    int events;
    void *owner;
    void (*on_event)(void *owner); // it can be read or written, or has failed
    void (*on_free)(void *owner);  // after descriptor_close(), from the loop
};

// A new socket, non-blocking and bound to the address of source, unless that is NULL or of length
// 0. Its descriptor, or a negative uv error.
int socket_from(const struct endpoint *source, int family, int kind, int protocol);

// What the kernel itself says to connecting there, without a word to the network: 0, or a negative
// uv error.
int socket_own_error(const struct endpoint *source, const struct endpoint *target);

// Whether that is an address of this host's, in this network namespace: 1 or 0, or a negative uv
// error. It asks the kernel, and sends nothing.
int socket_is_at_home(const struct endpoint *target);

// Watches fd for UV_READABLE or UV_WRITABLE; takes it over in any case. The descriptor must be
// free. 0, or a negative uv error and it is free, or closing, again.
int descriptor_open(struct descriptor *descriptor, uv_loop_t *loop, int fd, int events);

// Waits for events from now on. 0 or a negative uv error.
int descriptor_watch(struct descriptor *descriptor, int events);

// If it is open: closes fd at once, and lets it be free again.
void descriptor_close(struct descriptor *descriptor);
