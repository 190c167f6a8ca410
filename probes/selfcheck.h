// Tells whether this prober can see at all: a datagram and a connection to sockets of its own over
// the loopback. While that fails, a failing probe says nothing about its service.
//
// It is asked when a verdict is about to count against a service, so what it says is fresh; it
// takes some microseconds while all is well, and never longer than SELFCHECK_WAIT_MS, not more
// often than each SELFCHECK_SICK_MS. Where it never worked (a firewall on the loopback) it is not
// believed: failures would never count. Not on the loop: the kernel delivers over the loopback
// within the call.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define SELFCHECK_WAIT_MS 20
#define SELFCHECK_WELL_MS 5   // so long an answer holds
#define SELFCHECK_SICK_MS 250 // the same, for a bad one

struct selfcheck {
    int datagram; // connected to itself
    int listener;
    struct sockaddr_storage address; // of the listener
    socklen_t address_length;
    bool sick;
    bool believed;       // has been well once
    uint64_t checked_ns; // 0: never
    char why[128];       // sick
};

// Any loopback address will do, of either family: a host may have only one of them. Without any it
// is sick, and tried again.
void selfcheck_open(struct selfcheck *selfcheck);
void selfcheck_close(struct selfcheck *selfcheck);

// NULL when all is well, or what is wrong; valid until the next call.
const char *selfcheck_run(struct selfcheck *selfcheck, uint64_t now_ns);

// The same, for those who only want to know: what was well when last asked is taken to be so still.
const char *selfcheck_known(struct selfcheck *selfcheck, uint64_t now_ns);
