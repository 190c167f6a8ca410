// What a tap remembers: every event in order, and the last one of each prefix. Not thread-safe.
#pragma once

#include "tests/lab/tap.h"

// Zero it to begin.
struct rib {
    struct tap_event *events;
    size_t event_count, event_capacity;
    struct rib_route {
        struct bgp_prefix prefix;
        bool used, present;
        uint64_t announced_ns, withdrawn_ns;     // last, 0: never
        const struct bgp_attributes *attributes; // of the last announcement
    } * routes;                                  // an open hash table; routes are never taken out
    size_t route_count, route_capacity;
    size_t present_count;
    struct attributes_node {
        struct bgp_attributes attributes;
        struct attributes_node *next;
    } * attributes;
};

// A copy that lives as long as the rib.
const struct bgp_attributes *rib_keep(struct rib *rib, const struct bgp_attributes *attributes);

void rib_add(struct rib *rib, const struct tap_event *event);

// Adds a TAP_LOST for every route that is present.
void rib_lose_all(struct rib *rib, uint64_t ns);

// NULL if the prefix was never heard of.
const struct rib_route *rib_find(const struct rib *rib, const struct bgp_prefix *prefix);

void rib_free(struct rib *rib);
