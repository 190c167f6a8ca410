// The socket behind probes/channel.h. libuv's own streams and datagrams are not used: they send and
// receive in other turns of the loop than they are asked to, and hide a datagram socket's errors.
#include "probes/channel.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DRAIN_MAX 16 // reads

static int open_socket(int kind, const struct endpoint *source, const struct endpoint *target)
{
    const int on = 1;
    int fd = socket(target->address.ss_family, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return uv_translate_sys_error(errno);
    }
    if (source->length > 0) {
        // Leaves the port to connect(), so that many streams from one address don't run out of
        // them.
        (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        if (bind(fd, (const struct sockaddr *)&source->address, source->length) < 0) {
            goto err;
        }
    }
    if (connect(fd, (const struct sockaddr *)&target->address, target->length) < 0 &&
        errno != EINPROGRESS) {
        goto err;
    }
    return fd;

err:;
    int error = uv_translate_sys_error(errno);
    close(fd);
    return error;
}

// status is of no use: libuv says UV_EBADF for any pending error of the socket, and stops watching.
static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct channel *channel = poll->data;
    (void)events;
    channel->on_event(channel);
    if (status < 0 && channel->state == CHANNEL_OPEN) {
        (void)channel_watch(channel, channel->events);
    }
}

int channel_open(struct channel *channel, uv_loop_t *loop, int kind, const struct endpoint *source,
                 const struct endpoint *target, int events)
{
    assert(channel->state == CHANNEL_FREE);
    int fd = open_socket(kind, source, target);
    if (fd < 0) {
        return fd;
    }
    int error = uv_poll_init_socket(loop, &channel->poll, fd);
    if (error) {
        close(fd);
        return error;
    }
    channel->poll.data = channel;
    channel->fd = fd;
    channel->state = CHANNEL_OPEN;
    error = channel_watch(channel, events);
    if (error) {
        channel_close(channel);
    }
    return error;
}

int channel_watch(struct channel *channel, int events)
{
    assert(channel->state == CHANNEL_OPEN);
    channel->events = events;
    return uv_poll_start(&channel->poll, events, on_poll);
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
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(channel->fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0) {
        error = errno;
    }
    if (error) {
        return uv_translate_sys_error(error);
    }
    return met_itself(channel->fd) ? UV_ECONNREFUSED : 0;
}

ssize_t channel_send(struct channel *channel, const void *bytes, size_t length)
{
    ssize_t sent = send(channel->fd, bytes, length, MSG_NOSIGNAL);
    return sent < 0 ? uv_translate_sys_error(errno) : sent;
}

ssize_t channel_receive(struct channel *channel, void *bytes, size_t size)
{
    ssize_t received = recv(channel->fd, bytes, size, 0);
    return received < 0 ? uv_translate_sys_error(errno) : received;
}

static void on_closed(uv_handle_t *handle)
{
    struct channel *channel = handle->data;
    channel->state = CHANNEL_FREE;
    if (channel->on_free) {
        channel->on_free(channel);
    }
}

void channel_close(struct channel *channel)
{
    char dropped[4096];
    if (channel->state != CHANNEL_OPEN) {
        return;
    }
    for (int i = 0; i < DRAIN_MAX; i++) {
        if (recv(channel->fd, dropped, sizeof dropped, 0) <= 0) {
            break;
        }
    }
    channel->state = CHANNEL_CLOSING;
    uv_close((uv_handle_t *)&channel->poll, on_closed);
    close(channel->fd);
}
