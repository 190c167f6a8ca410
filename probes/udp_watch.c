#include "probes/udp_watch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// ---- Notifications, purely

bool udp_watch_parse(const struct nlmsghdr *message, struct endpoint *out)
{
    struct inet_diag_msg body;
    if (message->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
        message->nlmsg_len < NLMSG_LENGTH(sizeof body)) {
        return false;
    }
    memcpy(&body, NLMSG_DATA(message), sizeof body);
    *out = (struct endpoint){.length = 0};
    if (body.idiag_family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)&out->address;
        in->sin_family = AF_INET;
        in->sin_port = body.id.idiag_sport;
        memcpy(&in->sin_addr, body.id.idiag_src, sizeof in->sin_addr);
        out->length = sizeof *in;
    } else if (body.idiag_family == AF_INET6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&out->address;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = body.id.idiag_sport;
        memcpy(&in6->sin6_addr, body.id.idiag_src, sizeof in6->sin6_addr);
        out->length = sizeof *in6;
    }
    return out->length > 0;
}

static bool concerns_v4(const struct in_addr *gone, const struct endpoint *target)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)&target->address;
    return target->address.ss_family == AF_INET &&
           (gone->s_addr == htonl(INADDR_ANY) || gone->s_addr == in->sin_addr.s_addr);
}

bool udp_watch_concerns(const struct endpoint *gone, const struct endpoint *target)
{
    if (endpoint_port(gone) != endpoint_port(target)) {
        return false;
    }
    if (gone->address.ss_family == AF_INET) {
        return concerns_v4(&((const struct sockaddr_in *)&gone->address)->sin_addr, target);
    }
    const struct in6_addr *address = &((const struct sockaddr_in6 *)&gone->address)->sin6_addr;
    if (IN6_IS_ADDR_UNSPECIFIED(address)) {
        return true;
    }
    if (IN6_IS_ADDR_V4MAPPED(address)) {
        struct in_addr mapped;
        memcpy(&mapped, &address->s6_addr[12], sizeof mapped);
        return concerns_v4(&mapped, target);
    }
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&target->address;
    return target->address.ss_family == AF_INET6 && IN6_ARE_ADDR_EQUAL(address, &in6->sin6_addr);
}

// ---- The canary

// Binds a UDP socket to a port of the kernel's choice, of either family. -1 if there is none.
static int bind_canary(uint16_t *port)
{
    static const int families[] = {AF_INET, AF_INET6};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        struct sockaddr_storage address = {.ss_family = (sa_family_t)families[i]};
        socklen_t length = sizeof address;
        int fd = socket(families[i], SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && bind(fd, (struct sockaddr *)&address, length) == 0 &&
            getsockname(fd, (struct sockaddr *)&address, &length) == 0) {
            struct endpoint bound = {.address = address, .length = length};
            *port = endpoint_port(&bound);
            return fd;
        }
        if (fd >= 0) {
            close(fd);
        }
    }
    return -1;
}

// ---- The socket

static void on_message(struct netlink *netlink, const struct nlmsghdr *message)
{
    struct udp_watch *watch = netlink->owner;
    struct endpoint gone;
    if (!udp_watch_parse(message, &gone)) {
        return;
    }
    watch->confirmed = true;
    watch->on_gone(watch->owner, &gone);
}

static void on_lost(struct netlink *netlink)
{
    struct udp_watch *watch = netlink->owner;
    watch->on_gone(watch->owner, NULL);
}

static void on_free(struct netlink *netlink)
{
    struct udp_watch *watch = netlink->owner;
    watch->on_free(watch->owner);
}

void udp_watch_open(struct udp_watch *watch, uv_loop_t *loop)
{
    static const struct netlink_events events = {on_message, on_lost, on_free};
    static const unsigned groups[] = {SKNLGRP_INET_UDP_DESTROY, SKNLGRP_INET6_UDP_DESTROY};
    watch->netlink.owner = watch;
    watch->netlink.events = &events;
    watch->confirmed = false;
    watch->canary_port = 0;
    int error = netlink_open(&watch->netlink, loop, NETLINK_SOCK_DIAG, groups,
                             sizeof groups / sizeof *groups);
    if (error) {
        snprintf(watch->why, sizeof watch->why, "netlink socket for destroyed UDP sockets: %s",
                 uv_strerror(error));
        return;
    }
    int canary = bind_canary(&watch->canary_port);
    if (canary < 0) {
        snprintf(watch->why, sizeof watch->why, "no UDP socket to try it with: %s",
                 strerror(errno));
        return;
    }
    snprintf(watch->why, sizeof watch->why, "the kernel has told of no destroyed UDP socket yet");
    close(canary);
}

void udp_watch_close(struct udp_watch *watch)
{
    netlink_close(&watch->netlink);
    watch->confirmed = false;
}

// Where the port lies in a notification; BPF loads it into host byte order.
#define PORT_OFFSET                                                                                \
    (NLMSG_HDRLEN + offsetof(struct inet_diag_msg, id) +                                           \
     offsetof(struct inet_diag_sockid, idiag_sport))

void udp_watch_ports(struct udp_watch *watch, const uint16_t *ports, size_t count)
{
    struct sock_filter code[UDP_WATCH_PORTS_MAX + 4];
    unsigned short length = 0;
    if (watch->netlink.socket.state != DESCRIPTOR_OPEN) {
        return;
    }
    if (count > UDP_WATCH_PORTS_MAX) {
        (void)setsockopt(watch->netlink.socket.fd, SOL_SOCKET, SO_DETACH_FILTER, NULL, 0);
        return;
    }
    code[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_H | BPF_ABS, PORT_OFFSET);
    for (size_t i = 0; i <= count; i++) {
        uint16_t port = i < count ? ports[i] : watch->canary_port;
        uint8_t to_accept = (uint8_t)(count - i + 1);
        code[length++] =
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, to_accept, 0);
    }
    code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
    code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
    struct sock_fprog program = {.len = length, .filter = code};
    // Without a filter there is just more to skip.
    (void)setsockopt(watch->netlink.socket.fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
                     sizeof program);
}
