// The socket behind probes/channel.h. libuv's own streams and datagrams are not used: they send and
// receive in other turns of the loop than they are asked to, and hide a datagram socket's errors.
#include "probes/channel.h"

#include "probes/system_error.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DRAIN_MAX 16 // reads

// The socket's pending error: 0 or a negative uv error.
static int socket_error(int fd)
{
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0) {
        return uv_translate_sys_error(errno);
    }
    return probe_error_from_afar(uv_translate_sys_error(error));
}

// A refusal of this host's own is there as soon as it is asked, and needs no wait for the loop.
static int connect_socket(int kind, const struct endpoint *source, const struct endpoint *target)
{
    int error = 0;
    int fd = socket_from(source, target->address.ss_family, kind, 0);
    if (fd < 0) {
        return fd;
    }
    if (connect(fd, (const struct sockaddr *)&target->address, target->length) < 0) {
        error = errno == EINPROGRESS ? socket_error(fd) : uv_translate_sys_error(errno);
    }
    if (error) {
        close(fd);
        return error;
    }
    return fd;
}

static void on_event(void *owner)
{
    struct channel *channel = owner;
    channel->on_event(channel);
}

static void on_free(void *owner)
{
    struct channel *channel = owner;
    if (channel->on_free != NULL) {
        channel->on_free(channel);
    }
}

int channel_open(struct channel *channel, uv_loop_t *loop, int kind, const struct endpoint *source,
                 const struct endpoint *target, int events)
{
    int fd = connect_socket(kind, source, target);
    if (fd < 0) {
        return fd;
    }
    channel->socket.owner = channel;
    channel->socket.on_event = on_event;
    channel->socket.on_free = on_free;
    return descriptor_open(&channel->socket, loop, fd, events);
}

static bool met_itself(int fd)
{
    struct sockaddr_storage here = {0};
    struct sockaddr_storage there = {0};
    socklen_t here_length = sizeof here;
    socklen_t there_length = sizeof there;
    return getsockname(fd, (struct sockaddr *)&here, &here_length) == 0 &&
           getpeername(fd, (struct sockaddr *)&there, &there_length) == 0 &&
           here_length == there_length && memcmp(&here, &there, here_length) == 0;
}

int channel_connected(const struct channel *channel)
{
    int error = socket_error(channel->socket.fd);
    return error != 0 ? error : met_itself(channel->socket.fd) ? UV_ECONNREFUSED : 0;
}

ssize_t channel_send(struct channel *channel, const void *bytes, size_t length)
{
    int pending =
        socket_error(channel->socket.fd); // else send() would say it as if it were its own
    if (pending) {
        return pending;
    }
    ssize_t sent = send(channel->socket.fd, bytes, length, MSG_NOSIGNAL);
    return sent < 0 ? uv_translate_sys_error(errno) : sent;
}

ssize_t channel_receive(struct channel *channel, void *bytes, size_t size)
{
    ssize_t received = recv(channel->socket.fd, bytes, size, 0);
    return received < 0 ? probe_error_from_afar(uv_translate_sys_error(errno)) : received;
}

void channel_close(struct channel *channel)
{
    char dropped[4096];
    if (channel->socket.state != DESCRIPTOR_OPEN) {
        return;
    }
    for (int i = 0; i < DRAIN_MAX; i++) {
        if (recv(channel->socket.fd, dropped, sizeof dropped, 0) <= 0) {
            break;
        }
    }
    descriptor_close(&channel->socket);
}
