#include "controller/daemon/route.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX 4096 // a route of many next hops has more, and says nothing then

struct question {
    struct nlmsghdr header;
    struct rtmsg route;
    struct rtattr attribute;
    uint8_t address[sizeof(struct in6_addr)];
};

// ---- The answer

struct hop {
    int family;
    const void *gateway; // NULL: the neighbour itself, or several
    uint32_t interface;  // 0: not said
};

static uint32_t number(const struct rtattr *attribute)
{
    uint32_t value = 0;
    if (RTA_PAYLOAD(attribute) >= sizeof value) {
        memcpy(&value, RTA_DATA(attribute), sizeof value);
    }
    return value;
}

static size_t address_length(int family)
{
    return family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
}

// A gateway of another family than the route's (RFC 8950).
static void read_via(const struct rtattr *attribute, struct hop *hop)
{
    const struct rtvia *via = RTA_DATA(attribute);
    if (RTA_PAYLOAD(attribute) >= sizeof *via + sizeof(struct in6_addr) &&
        via->rtvia_family == AF_INET6) {
        *hop = (struct hop){AF_INET6, via->rtvia_addr, hop->interface};
    }
}

static void write_text(const struct rtmsg *route, const void *prefix, const struct hop *hop,
                       struct way *way)
{
    static const uint8_t any[sizeof(struct in6_addr)];
    char address[INET6_ADDRSTRLEN] = "";
    char gateway[INET6_ADDRSTRLEN] = "";
    char name[IF_NAMESIZE] = "";
    char interface[IF_NAMESIZE + 8] = "";
    char by[24];
    inet_ntop(route->rtm_family, prefix != NULL ? prefix : any, address, sizeof address);
    const char *via = hop->gateway == NULL               ? ""
                      : hop->family == route->rtm_family ? " via "
                                                         : " via inet6 ";
    if (hop->gateway != NULL) {
        inet_ntop(hop->family, hop->gateway, gateway, sizeof gateway);
    }
    if (hop->interface != 0 && if_indextoname(hop->interface, name) != NULL) {
        snprintf(interface, sizeof interface, " dev %s", name);
    }
    snprintf(by, sizeof by, "%u", (unsigned)route->rtm_protocol);
    const char *protocol = route->rtm_protocol == RTPROT_BIRD     ? "bird"
                           : route->rtm_protocol == RTPROT_KERNEL ? "kernel"
                           : route->rtm_protocol == RTPROT_BOOT   ? "boot"
                           : route->rtm_protocol == RTPROT_STATIC ? "static"
                                                                  : by;
    snprintf(way->text, sizeof way->text, "%s/%u%s%s%s proto %s metric %u", address,
             (unsigned)route->rtm_dst_len, via, gateway, interface, protocol,
             (unsigned)way->metric);
}

static void read_route(const struct nlmsghdr *message, struct way *way)
{
    const struct rtmsg *route = NLMSG_DATA(message);
    const void *prefix = NULL;
    struct hop hop = {.family = route->rtm_family};
    int left = (int)RTM_PAYLOAD(message);
    for (const struct rtattr *it = RTM_RTA(route); RTA_OK(it, left); it = RTA_NEXT(it, left)) {
        bool is_address = RTA_PAYLOAD(it) >= address_length(route->rtm_family);
        if (it->rta_type == RTA_DST && is_address) {
            prefix = RTA_DATA(it);
        } else if (it->rta_type == RTA_GATEWAY && is_address) {
            hop.gateway = RTA_DATA(it);
        } else if (it->rta_type == RTA_VIA) {
            read_via(it, &hop);
        } else if (it->rta_type == RTA_OIF) {
            hop.interface = number(it);
        } else if (it->rta_type == RTA_PRIORITY) {
            way->metric = number(it);
        }
    }
    way->kind = route->rtm_type == RTN_LOCAL       ? WAY_LOCAL
                : route->rtm_type == RTN_UNICAST   ? WAY_ROUTE
                : route->rtm_type == RTN_BLACKHOLE ? WAY_BLACKHOLE
                                                   : WAY_UNKNOWN;
    way->length = route->rtm_dst_len;
    way->by_bird = route->rtm_protocol == RTPROT_BIRD;
    write_text(route, prefix, &hop, way);
}

// A blackhole is not shown, but is what the kernel says of each attempt to send there (fib_props[]
// in net/ipv4/fib_semantics.c, ip6_rt_type_to_error() in net/ipv6/route.c).
static void read_error(const struct nlmsghdr *message, struct way *way)
{
    const struct nlmsgerr *body = NLMSG_DATA(message);
    way->kind = body->error == -EINVAL ? WAY_BLACKHOLE : WAY_UNKNOWN;
    snprintf(way->text, sizeof way->text, "%s",
             way->kind == WAY_BLACKHOLE ? "a blackhole" : "no route");
}

void route_read(const void *answer, size_t length, struct way *out)
{
    const struct nlmsghdr *message = answer;
    *out = (struct way){.kind = WAY_UNKNOWN};
    if (length < sizeof *message || !NLMSG_OK(message, length)) {
        return;
    }
    if (message->nlmsg_type == RTM_NEWROUTE &&
        message->nlmsg_len >= NLMSG_LENGTH(sizeof(struct rtmsg))) {
        read_route(message, out);
    } else if (message->nlmsg_type == NLMSG_ERROR &&
               message->nlmsg_len >= NLMSG_LENGTH(sizeof(struct nlmsgerr))) {
        read_error(message, out);
    }
}

// ---- The question

static struct question question_of(const struct endpoint *target)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)&target->address;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&target->address;
    bool v4 = target->address.ss_family == AF_INET;
    size_t length = address_length(target->address.ss_family);
    struct question question = {
        .header = {.nlmsg_len = (uint32_t)NLMSG_LENGTH(sizeof(struct rtmsg) + RTA_LENGTH(length)),
                   .nlmsg_type = RTM_GETROUTE,
                   .nlmsg_flags = NLM_F_REQUEST},
        .route = {.rtm_family = (unsigned char)target->address.ss_family,
                  .rtm_dst_len = (unsigned char)(length * 8),
                  .rtm_flags = RTM_F_FIB_MATCH},
        .attribute = {.rta_len = (unsigned short)RTA_LENGTH(length), .rta_type = RTA_DST}};
    memcpy(question.address, v4 ? (const void *)&in->sin_addr : (const void *)&in6->sin6_addr,
           length);
    return question;
}

void route_to(const struct endpoint *target, struct way *out)
{
    struct question question = question_of(target);
    _Alignas(struct nlmsghdr) char answer[ANSWER_MAX];
    *out = (struct way){.kind = WAY_UNKNOWN};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (fd < 0) {
        return;
    }
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    if (sendto(fd, &question, question.header.nlmsg_len, 0, (const struct sockaddr *)&kernel,
               sizeof kernel) == (ssize_t)question.header.nlmsg_len) {
        ssize_t got = recv(fd, answer, sizeof answer, MSG_TRUNC);
        if (got > 0 && (size_t)got <= sizeof answer) {
            route_read(answer, (size_t)got, out);
        }
    }
    close(fd);
}
