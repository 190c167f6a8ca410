// See descriptor.h.
#include "probes/descriptor.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

int socket_from(const struct endpoint *source, int family, int kind, int protocol)
{
    int on = 1;
    int fd = socket(family, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    if (fd < 0) {
        return uv_translate_sys_error(errno);
    }
    if (source != NULL && source->length > 0) {
        // Leaves the port to connect(), so that many streams from one address don't run out of
        // them.
        (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        if (bind(fd, (const struct sockaddr *)&source->address, source->length) < 0) {
            int error = uv_translate_sys_error(errno);
            close(fd);
            return error;
        }
    }
    return fd;
}

// A datagram socket connects by looking up the route, and sends nothing.
int socket_own_error(const struct endpoint *source, const struct endpoint *target)
{
    int fd = socket_from(source, target->address.ss_family, SOCK_DGRAM, 0);
    int error = fd < 0 ? fd : 0;
    if (fd >= 0) {
        bool refused = connect(fd, (const struct sockaddr *)&target->address, target->length) < 0;
        error = refused ? uv_translate_sys_error(errno) : 0;
        close(fd);
    }
    return error;
}

static bool same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    return a->ss_family == AF_INET
               ? memcmp(&((const struct sockaddr_in *)a)->sin_addr,
                        &((const struct sockaddr_in *)b)->sin_addr, sizeof(struct in_addr)) == 0
               : memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
                        &((const struct sockaddr_in6 *)b)->sin6_addr, sizeof(struct in6_addr)) == 0;
}

// Whoever speaks to an address of the host's own speaks from it.
int socket_is_at_home(const struct endpoint *target)
{
    struct sockaddr_storage source = {0};
    socklen_t length = sizeof source;
    if (address_is_loopback(&target->address)) {
        return 1;
    }
    int fd = socket_from(NULL, target->address.ss_family, SOCK_DGRAM, 0);
    if (fd < 0) {
        return fd;
    }
    bool here = connect(fd, (const struct sockaddr *)&target->address, target->length) == 0 &&
                getsockname(fd, (struct sockaddr *)&source, &length) == 0 &&
                same_address(&source, &target->address);
    close(fd);
    return here;
}

// status is of no use: libuv says UV_EBADF for any pending error of a socket, and stops watching.
static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct descriptor *descriptor = poll->data;
    (void)events;
    descriptor->on_event(descriptor->owner);
    if (status < 0 && descriptor->state == DESCRIPTOR_OPEN) {
        (void)descriptor_watch(descriptor, descriptor->events);
    }
}

int descriptor_open(struct descriptor *descriptor, uv_loop_t *loop, int fd, int events)
{
    assert(descriptor->state == DESCRIPTOR_FREE);
    int error = uv_poll_init_socket(loop, &descriptor->poll, fd);
    if (error) {
        close(fd);
        return error;
    }
    descriptor->poll.data = descriptor;
    descriptor->fd = fd;
    descriptor->state = DESCRIPTOR_OPEN;
    error = descriptor_watch(descriptor, events);
    if (error) {
        descriptor_close(descriptor);
    }
    return error;
}

int descriptor_watch(struct descriptor *descriptor, int events)
{
    assert(descriptor->state == DESCRIPTOR_OPEN);
    descriptor->events = events;
    return uv_poll_start(&descriptor->poll, events, on_poll);
}

static void on_closed(uv_handle_t *handle)
{
    struct descriptor *descriptor = handle->data;
    descriptor->state = DESCRIPTOR_FREE;
    descriptor->on_free(descriptor->owner);
}

void descriptor_close(struct descriptor *descriptor)
{
    if (descriptor->state != DESCRIPTOR_OPEN) {
        return;
    }
    descriptor->state = DESCRIPTOR_CLOSING;
    uv_close((uv_handle_t *)&descriptor->poll, on_closed);
    close(descriptor->fd);
}
