// A BGP tap: a neighbour that writes down, to the nanosecond, what a router tells it.
//
// A tap is a minimal BGP-4 speaker in a node's network, on a thread of its own. It keeps one
// session with IPv4 and IPv6 unicast, reconnects by itself, and logs each prefix of each UPDATE
// with the time at which recv() returned. It can announce routes too: as another PoP would, or a
// full table.
#pragma once

#include "tests/lab/bgp.h"
#include "tests/lab/lab.h"

struct tap;

struct tap_options {
    const char *local, *peer; // addresses, both v4 or both v6
    const char *other;        // ours of the other family: next hop of its routes; may be NULL
    uint32_t as, router_as;   // equal: iBGP
    bool passive;             // wait for the router to connect, instead of connecting
};

enum tap_event_kind {
    TAP_ANNOUNCED,
    TAP_WITHDRAWN,
    TAP_LOST, // announced until the session ended
};

struct tap_event {
    uint64_t ns; // CLOCK_MONOTONIC, when its bytes were in hand
    enum tap_event_kind kind;
    struct bgp_prefix prefix;
    const struct bgp_attributes
        *attributes; // of TAP_ANNOUNCED, else NULL; lives as long as the tap
};

// Begins at once; wait for tap_established().
struct tap *tap_start(struct lab_node *node, const struct tap_options *options);

bool tap_established(struct tap *tap);
uint64_t tap_established_at_ns(struct tap *tap); // the present session, 0 without one

// Ends the session (Cease) and stays away until tap_reconnect().
void tap_drop_session(struct tap *tap);
void tap_reconnect(struct tap *tap);

// ---- What the router told us. Prefixes are written like "192.0.2.53/32".

bool tap_has(struct tap *tap, const char *prefix);

// The attributes of the route we have, or NULL. They stay as they are: a new announcement has new
// ones.
const struct bgp_attributes *tap_route(struct tap *tap, const char *prefix);
bool tap_has_community(struct tap *tap, const char *prefix, uint32_t high, uint32_t low);

// When the prefix was last announced; when it was last withdrawn or lost. 0: never.
uint64_t tap_announced_at_ns(struct tap *tap, const char *prefix);
uint64_t tap_withdrawn_at_ns(struct tap *tap, const char *prefix);

size_t tap_route_count(struct tap *tap); // that we have now
size_t tap_event_count(struct tap *tap); // so far; serves as a mark for tap_events()

// Events of prefix (NULL: of all) from mark on. Fills up to size of them into out; returns how many
// there are.
size_t tap_events(struct tap *tap, size_t mark, const char *prefix, struct tap_event *out,
                  size_t size);

// ---- What we tell the router, while the session is established. A new session starts empty.

// attributes may be NULL. The AS path's beginning and the next hop are filled in.
void tap_announce(struct tap *tap, const char *prefix, const struct bgp_attributes *attributes);
void tap_withdraw(struct tap *tap, const char *prefix);

// Announces 20.0.0.0/24, 20.0.1.0/24 ... with some hundreds of different paths. At most
// TAP_FEED_MAX. Returns at once; tap_flushed() tells when all is written.
#define TAP_FEED_MAX 1000000
void tap_feed(struct tap *tap, size_t count);
bool tap_flushed(struct tap *tap);
