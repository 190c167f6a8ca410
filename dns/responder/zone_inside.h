// Between the files that a zone is made of, and of no use to others: zone.c is what it is read by,
// zone_make.c makes it.
#pragma once

#include "dns/responder/zone.h"

#include <stdatomic.h>

// Open addressing with linear probing; a power of two in size, and never more than half full.
struct table {
    size_t size, count;
    struct slot {
        uint64_t hash;
        struct zone_node *node; // NULL: free
    } * slots;
};

struct zone {
    atomic_size_t shares;
    struct zone_chunk *chunks;
    struct table names; // class IN
    struct table chaos; // class CH
    struct zone_node *apex;
    struct dns_name apex_name;
    size_t depth; // labels below the apex of the deepest name
    struct zone_rrset negative;
    const char *id;
};

// Zeroed; it goes with the zone. NULL: out of memory.
void *zone_take(struct zone *zone, size_t size);

// Finds or makes the node of a name: in a table of the zone's; within the zone, with all that lie
// between it and the apex; of a label below the apex. NULL: out of memory.
struct zone_node *zone_add(struct zone *zone, struct table *table, const struct dns_name *name);
struct zone_node *zone_add_name(struct zone *zone, const struct dns_name *name);
struct zone_node *zone_add_label(struct zone *zone, const char *label);

// Octets of name before the apex; SIZE_MAX: it is not in the zone.
size_t zone_prefix(const struct zone *zone, const struct dns_name *name);
