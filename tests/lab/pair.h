// Two PoPs that announce the same address to one upstream, and what the rest of the world sees of
// them: fra1 and ams1, each a router with BIRD and popgated, whose responder is behind the address.
// The upstream is a BIRD that honours GRACEFUL_SHUTDOWN (RFC 8326) and puts its best path into the
// kernel, so that a client there reaches whichever PoP that is.
#pragma once

#include "tests/lab/dns_load.h"
#include "tests/lab/pop.h"

#define PAIR_POPS    2
#define PAIR_SERVICE "identity" // both prefixes, up while the responder answers

struct pair {
    struct pop pops[PAIR_POPS]; // without tap
    struct lab_node *upstream;
    struct lab_bird *upstream_bird;
    struct lab_server client; // at the upstream: asks POP_V4's address over UDP
};

extern const char *const pair_names[PAIR_POPS]; // "fra1", "ams1"

// Runs all of it; returns when the upstream has both PoPs' paths of both prefixes.
struct pair pair_make(void);

// Which PoP the upstream's best path to POP_V4 leads to.
size_t pair_best(const struct pair *pair);
