// One socket that talks to a target, watched by the loop: the ground under the probe types that
// speak over sockets of their own. A channel is used for one conversation after another, never two
// at once.
//
// Nothing blocks. On an event the owner asks the socket what happened (channel_connected(),
// channel_receive(), channel_send()): epoll's word for it is not needed.
#pragma once

#include "probes/descriptor.h"

struct channel;

typedef void (*channel_cb)(struct channel *channel);

// Zeroed is closed and free.
struct channel {
    struct descriptor socket;
    void *owner;
    channel_cb on_event, on_free; // on_free may be NULL
};

// Opens a socket of kind SOCK_DGRAM or SOCK_STREAM to target, from source unless its length is 0,
// and waits for events as descriptor_watch() does; a stream is connected when it becomes writable
// and channel_connected() is 0. The channel must be free. 0, or a negative uv error and the channel
// is free, or closing, again.
int channel_open(struct channel *channel, uv_loop_t *loop, int kind, const struct endpoint *source,
                 const struct endpoint *target, int events);

// What became of connecting a stream: 0, or a negative uv error. A socket that met itself (its own
// port was the target's, and nothing listens there) counts as refused.
int channel_connected(const struct channel *channel);

// Sends or receives without blocking: bytes, or a negative uv error (UV_EAGAIN: nothing now).
// Receive: 0 at the end of a stream, or for an empty datagram.
ssize_t channel_send(struct channel *channel, const void *bytes, size_t length);
ssize_t channel_receive(struct channel *channel, void *bytes, size_t size);

// Drops the conversation, if there is one: the socket is closed at once, and on_free (may be NULL)
// is called, from the loop, when the channel can be used again. What has arrived is read first, so
// that the peer sees an orderly end and no reset: many a server logs a reset as an error, once each
// check. The price is a local port in TIME_WAIT for a minute.
void channel_close(struct channel *channel);
