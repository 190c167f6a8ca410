#include "probes/netlink.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_SIZE  32768 // what the kernel fills in one go of a dump
#define RECEIVES_MAX 32    // in one turn of the loop
#define BODY_MAX     64

static void take_messages(struct netlink *netlink, const uint8_t *bytes, size_t length)
{
    while (netlink->socket.state == DESCRIPTOR_OPEN && length >= sizeof(struct nlmsghdr)) {
        const struct nlmsghdr *message = (const struct nlmsghdr *)bytes;
        if (message->nlmsg_len < sizeof *message || message->nlmsg_len > length) {
            return;
        }
        size_t step = NLMSG_ALIGN((size_t)message->nlmsg_len);
        netlink->events->message(netlink, message);
        bytes += step < length ? step : length;
        length -= step < length ? step : length;
    }
}

static bool receive(struct netlink *netlink)
{
    static _Alignas(struct nlmsghdr) uint8_t buffer[BUFFER_SIZE];
    struct sockaddr_nl from = {0};
    struct iovec part = {.iov_base = buffer, .iov_len = sizeof buffer};
    struct msghdr header = {
        .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1};
    ssize_t length = recvmsg(netlink->socket.fd, &header, 0);
    if (length < 0) {
        bool lost = errno == ENOBUFS;
        if (lost) {
            netlink->events->lost(netlink);
        }
        return lost;
    }
    if (from.nl_pid != 0) {
        return true; // some process, not the kernel
    }
    if (header.msg_flags & MSG_TRUNC) {
        netlink->events->lost(netlink);
        return true;
    }
    take_messages(netlink, buffer, (size_t)length);
    return true;
}

static void on_event(void *owner)
{
    struct netlink *netlink = owner;
    for (int i = 0; i < RECEIVES_MAX && netlink->socket.state == DESCRIPTOR_OPEN; i++) {
        if (!receive(netlink)) {
            break;
        }
    }
}

static void on_free(void *owner)
{
    struct netlink *netlink = owner;
    netlink->events->free(netlink);
}

static int open_socket(int protocol, const unsigned *groups, size_t count)
{
    struct sockaddr_nl local = {.nl_family = AF_NETLINK};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    if (fd < 0) {
        return uv_translate_sys_error(errno);
    }
    if (bind(fd, (const struct sockaddr *)&local, sizeof local) < 0) {
        goto err;
    }
    for (size_t i = 0; i < count; i++) {
        if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i], sizeof groups[i]) < 0) {
            goto err;
        }
    }
    return fd;

err:;
    int error = uv_translate_sys_error(errno);
    close(fd);
    return error;
}

int netlink_open(struct netlink *netlink, uv_loop_t *loop, int protocol, const unsigned *groups,
                 size_t count)
{
    assert(netlink->events);
    int fd = open_socket(protocol, groups, count);
    if (fd < 0) {
        return fd;
    }
    netlink->socket.owner = netlink;
    netlink->socket.on_event = on_event;
    netlink->socket.on_free = on_free;
    return descriptor_open(&netlink->socket, loop, fd, UV_READABLE);
}

int netlink_dump(struct netlink *netlink, uint16_t type, const void *body, size_t length)
{
    assert(netlink->socket.state == DESCRIPTOR_OPEN && length <= BODY_MAX);
    struct {
        struct nlmsghdr header;
        uint8_t body[BODY_MAX];
    } request = {.header = {.nlmsg_len = (uint32_t)NLMSG_LENGTH(length),
                            .nlmsg_type = type,
                            .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                            .nlmsg_seq = ++netlink->asked}};
    memcpy(request.body, body, length);
    ssize_t sent = send(netlink->socket.fd, &request, request.header.nlmsg_len, 0);
    return sent < 0 ? uv_translate_sys_error(errno) : 0;
}

void netlink_close(struct netlink *netlink)
{
    descriptor_close(&netlink->socket);
}
