// The present snapshot, handed from the main thread to those that answer, without locks: a reader
// says which one it holds, the writer frees what nobody holds any more (hazard pointers).
//
// A reader may hold on to a snapshot for as long as it likes: the writer never waits for it, and
// keeps at most one former snapshot for each reader.
#pragma once

#include "dns/responder/respond.h"

#include <stdatomic.h>

// service_count states, zeroed. Takes a share of zone. NULL when out of memory.
struct dns_snapshot *dns_snapshot_new(struct zone *zone, size_t service_count);
void dns_snapshot_free(struct dns_snapshot *snapshot);

struct publisher;

// A reader's place; each thread has one.
struct dns_hold {
    _Atomic(const struct dns_snapshot *) held;
    struct dns_hold *next; // the writer's
};

struct publisher *publisher_new(void);

// All readers must have left.
void publisher_free(struct publisher *publisher);

// From the writer's thread only. Before publisher_remove() the reader must have released its hold,
// for good.
void publisher_add(struct publisher *publisher, struct dns_hold *hold);
void publisher_remove(struct publisher *publisher, struct dns_hold *hold);
// Takes the snapshot over (NULL: there is none any more), and frees former ones that nobody reads
// any more.
void publisher_publish(struct publisher *publisher, struct dns_snapshot *snapshot);

// From the reader's thread: whatever was published last, valid until hold_release(). NULL: there is
// none.
const struct dns_snapshot *hold_take(struct publisher *publisher, struct dns_hold *hold);
void hold_release(struct dns_hold *hold);
