// A PoP whose responder is under test: popgated on the router with addresses of its own for it, and
// a client on the upstream, with a route there. What its services depend on are TCP servers, which
// a test crashes and recovers at will; a bad one that only degrades among them.
#pragma once

#include "tests/lab/dns.h"
#include "tests/lab/pop.h"

#define ANSWERING_V4   "192.0.2.53"
#define ANSWERING_V6   "2001:db8::53"
#define ANSWERING_ZONE "pop.example.net"

// [responder] up to the keys that a test adds; then the service "web", which needs one server and
// is degraded without another. Both have to follow, in this order.
#define ANSWERING_LISTEN "listen = " ANSWERING_V4 ":53 [" ANSWERING_V6 "]:53\n"
#define ANSWERING_RESPONDER                                                                        \
    "[responder]\nzone = " ANSWERING_ZONE "\n" ANSWERING_LISTEN "rate_limit = 0\n"
#define ANSWERING_WEB_V4 "198.51.100.80/32"
#define ANSWERING_PROBE_KEYS                                                                       \
    "interval = 100ms\nfast_interval = 20ms\ntimeout = 2s\nrise = 1\nfall = 1\n"
#define ANSWERING_SERVICE                                                                          \
    "[probe web-tcp]\ntype = tcp\ntarget = 127.0.0.1:8080\n" ANSWERING_PROBE_KEYS                  \
    "[probe spare-tcp]\ntype = tcp\ntarget = 127.0.0.1:8081\n" ANSWERING_PROBE_KEYS                \
    "[service web]\nprefixes = " ANSWERING_WEB_V4 "\nrequire = web-tcp\ndegrade = spare-tcp\n"     \
    "last_pop_guard = off\nhold_down = 0ms\nmax_hold_down = 0ms\ngrace = 600ms\n"

// The four ways to ask.
enum answering_way { WAY_UDP4, WAY_UDP6, WAY_TCP4, WAY_TCP6, ANSWERING_WAYS };
extern const char *const answering_ways[ANSWERING_WAYS]; // "UDP over IPv4", ...

struct answering {
    struct pop pop;
    struct lab_tcp_server *web, *spare;
    struct lab_server ways[ANSWERING_WAYS]; // from the upstream
};

// Everything but popgated.
struct answering answering_make(void);

// popgated with these sections; waits till the responder answers. The service is announced then,
// if there is one.
void answering_run(struct answering *answering, const char *sections);
