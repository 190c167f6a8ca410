#include "probes/selfcheck.h"

#include "base/clock.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FLAGS (SOCK_NONBLOCK | SOCK_CLOEXEC)

static bool trouble(struct selfcheck *selfcheck, const char *attempted, const char *why)
{
    snprintf(selfcheck->why, sizeof selfcheck->why, "%s over the loopback: %s", attempted, why);
    return false;
}

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
}

// ---- Sockets

static socklen_t loopback(int family, struct sockaddr_storage *out)
{
    *out = (struct sockaddr_storage){.ss_family = (sa_family_t)family};
    if (family == AF_INET) {
        ((struct sockaddr_in *)out)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return sizeof(struct sockaddr_in);
    }
    ((struct sockaddr_in6 *)out)->sin6_addr = in6addr_loopback;
    return sizeof(struct sockaddr_in6);
}

// A socket on a port of the kernel's choice, whose address is left in selfcheck; -1 and errno.
static int open_bound(struct selfcheck *selfcheck, int family, int type)
{
    int fd = socket(family, type | FLAGS, 0);
    if (fd < 0) {
        return -1;
    }
    selfcheck->address_length = loopback(family, &selfcheck->address);
    struct sockaddr *address = (struct sockaddr *)&selfcheck->address;
    if (bind(fd, address, selfcheck->address_length) == 0 &&
        getsockname(fd, address, &selfcheck->address_length) == 0) {
        return fd;
    }
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static bool open_family(struct selfcheck *selfcheck, int family)
{
    selfcheck->datagram = open_bound(selfcheck, family, SOCK_DGRAM);
    if (selfcheck->datagram < 0 ||
        connect(selfcheck->datagram, (const struct sockaddr *)&selfcheck->address,
                selfcheck->address_length) < 0) {
        return trouble(selfcheck, "a UDP socket of popgated's own", strerror(errno));
    }
    selfcheck->listener = open_bound(selfcheck, family, SOCK_STREAM);
    if (selfcheck->listener < 0 || listen(selfcheck->listener, 8) < 0) {
        return trouble(selfcheck, "a TCP socket of popgated's own", strerror(errno));
    }
    return true;
}

static bool open_sockets(struct selfcheck *selfcheck)
{
    static const int families[] = {AF_INET, AF_INET6};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        if (open_family(selfcheck, families[i])) {
            return true;
        }
        selfcheck_close(selfcheck);
    }
    return false;
}

void selfcheck_close(struct selfcheck *selfcheck)
{
    close_fd(&selfcheck->datagram);
    close_fd(&selfcheck->listener);
}

// ---- The check

static bool readable(int fd)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    return poll(&polled, 1, SELFCHECK_WAIT_MS) == 1;
}

static bool datagram_arrives(struct selfcheck *selfcheck, uint64_t nonce)
{
    uint64_t got = 0;
    if (send(selfcheck->datagram, &nonce, sizeof nonce, MSG_NOSIGNAL) != (ssize_t)sizeof nonce) {
        return trouble(selfcheck, "send a datagram", strerror(errno));
    }
    while (got != nonce) {
        if (recv(selfcheck->datagram, &got, sizeof got, 0) < 0 &&
            (errno != EAGAIN || !readable(selfcheck->datagram))) {
            return trouble(selfcheck, "receive a datagram",
                           errno == EAGAIN ? "it did not arrive" : strerror(errno));
        }
    }
    return true;
}

static bool connection_arrives(struct selfcheck *selfcheck)
{
    struct linger at_once = {.l_onoff = 1}; // no TIME_WAIT
    int accepted = -1;
    bool arrived = false;
    int fd = socket(selfcheck->address.ss_family, SOCK_STREAM | FLAGS, 0);
    if (fd < 0) {
        return trouble(selfcheck, "make a TCP socket", strerror(errno));
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    if (connect(fd, (const struct sockaddr *)&selfcheck->address, selfcheck->address_length) < 0 &&
        errno != EINPROGRESS) {
        trouble(selfcheck, "connect", strerror(errno));
        goto end;
    }
    if (!readable(selfcheck->listener)) {
        trouble(selfcheck, "connect", "no connection came about");
        goto end;
    }
    accepted = accept4(selfcheck->listener, NULL, NULL, FLAGS);
    arrived = accepted >= 0 || trouble(selfcheck, "accept a connection", strerror(errno));

end:
    close(fd);
    close_fd(&accepted);
    return arrived;
}

static bool reaches_itself(struct selfcheck *selfcheck, uint64_t nonce)
{
    return (selfcheck->listener >= 0 || open_sockets(selfcheck)) &&
           datagram_arrives(selfcheck, nonce) && connection_arrives(selfcheck);
}

void selfcheck_open(struct selfcheck *selfcheck)
{
    *selfcheck = (struct selfcheck){.datagram = -1, .listener = -1};
    selfcheck->believed = reaches_itself(selfcheck, 1);
}

static const char *answer(const struct selfcheck *selfcheck)
{
    return selfcheck->sick && selfcheck->believed ? selfcheck->why : NULL;
}

const char *selfcheck_run(struct selfcheck *selfcheck, uint64_t now_ns)
{
    uint64_t holds_ms = selfcheck->sick ? SELFCHECK_SICK_MS : SELFCHECK_WELL_MS;
    if (selfcheck->checked_ns != 0 && now_ns - selfcheck->checked_ns < holds_ms * NS_PER_MS) {
        return answer(selfcheck);
    }
    // The loopback may be another since the sockets were made.
    if (selfcheck->sick) {
        selfcheck_close(selfcheck);
    }
    selfcheck->checked_ns = now_ns;
    selfcheck->sick = !reaches_itself(selfcheck, now_ns);
    selfcheck->believed = selfcheck->believed || !selfcheck->sick;
    return answer(selfcheck);
}

const char *selfcheck_known(struct selfcheck *selfcheck, uint64_t now_ns)
{
    return selfcheck->sick ? selfcheck_run(selfcheck, now_ns) : NULL;
}
