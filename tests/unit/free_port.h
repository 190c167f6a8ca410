// Addresses and ports of this host, for servers and for where there is none.
#pragma once

#include "base/endpoint.h"
#include "tests/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static inline struct endpoint address_of(const char *host, uint16_t port)
{
    struct endpoint out = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&out.address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out.address;
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        out.length = sizeof *v4;
        return out;
    }
    assert_int_equal(inet_pton(AF_INET6, host, &v6->sin6_addr), 1);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    out.length = sizeof *v6;
    return out;
}

static inline int bound_socket(const char *host, uint16_t port, int type)
{
    struct endpoint address = address_of(host, port);
    int opened = socket(address.address.ss_family, type, 0);
    assert_true(opened >= 0);
    if (bind(opened, (const struct sockaddr *)&address.address, address.length) != 0) {
        close(opened);
        return -1;
    }
    return opened;
}

static inline bool is_free(const char *host, uint16_t port, int type)
{
    int probe = bound_socket(host, port, type);
    if (probe < 0) {
        return false;
    }
    close(probe);
    return true;
}

// Those that the kernel gives to whoever connects: a free one may be somebody's in the next moment.
static inline bool is_ephemeral(unsigned port)
{
    static unsigned first, last; // once they are known
    FILE *range = last == 0 ? fopen("/proc/sys/net/ipv4/ip_local_port_range", "re") : NULL;
    if (range == NULL || fscanf(range, "%u %u", &first, &last) != 2) { // NOLINT(cert-err34-c)
        first = last != 0 ? first : 32768;
        last = last != 0 ? last : 60999;
    }
    if (range != NULL) {
        fclose(range);
    }
    return port >= first && port <= last;
}

// Until this program ends the port is its own, among all programs that ask here.
static inline bool reserve_port(uint16_t port)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX}; // abstract: its path begins with a NUL
    int length = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "popgate-test-%u", port);
    size_t size = offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length;
    int token = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(token >= 0);
    if (bind(token, (const struct sockaddr *)&name, (socklen_t)size) != 0) {
        close(token);
        return false;
    }
    return true;
}

// Of UDP and TCP, on every address of this host.
static inline uint16_t free_port(void)
{
    enum { LOWEST = 10000, COUNT = 55000 };
    static unsigned next;
    next = next != 0 ? next : (unsigned)getpid() * 31 % COUNT; // other programs look elsewhere
    for (unsigned tried = 0; tried < 2 * COUNT; tried++) {
        uint16_t port = (uint16_t)(LOWEST + next++ % COUNT);
        // If all are, then any will do.
        if ((tried >= COUNT || !is_ephemeral(port)) && reserve_port(port) &&
            is_free("0.0.0.0", port, SOCK_STREAM) && is_free("0.0.0.0", port, SOCK_DGRAM) &&
            is_free("::", port, SOCK_STREAM) && is_free("::", port, SOCK_DGRAM)) {
            return port;
        }
    }
    fail_msg("no port is free");
    return 0;
}
