// Snapshots from one writer to many readers (see publish.h).
//
// What makes it safe is one order of all that happens to `present` and to the holds (memory_order_
// seq_cst, on both sides): a reader writes down what it is going to read, and then looks whether
// that is still the present one; the writer first replaces the present one, and then looks at what
// the readers wrote down. Whichever of the two comes first in that order, either the reader sees
// that it is late and tries again, or the writer sees that the snapshot is held and keeps it.
//
// That the reader sees the same address twice although it was freed and given to a newer snapshot
// in between does no harm: it then holds the newer one.

#include "dns/responder/publish.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct publisher {
    _Atomic(struct dns_snapshot *) present;
    // The writer's alone:
    struct dns_hold *holds;
    struct dns_snapshot *former; // replaced, but held when last looked at
};

struct dns_snapshot *dns_snapshot_new(struct zone *zone, size_t service_count)
{
    assert(zone);
    struct dns_snapshot *snapshot =
        calloc(1, sizeof *snapshot + service_count * sizeof *snapshot->services);
    if (snapshot == NULL) {
        return NULL;
    }
    snapshot->zone = zone_share(zone);
    snapshot->service_count = service_count;
    return snapshot;
}

void dns_snapshot_free(struct dns_snapshot *snapshot)
{
    if (snapshot == NULL) {
        return;
    }
    zone_free(snapshot->zone);
    explicit_bzero(&snapshot->cookies, sizeof snapshot->cookies);
    free(snapshot);
}

struct publisher *publisher_new(void)
{
    return calloc(1, sizeof(struct publisher));
}

static bool is_held(const struct publisher *publisher, const struct dns_snapshot *snapshot)
{
    for (struct dns_hold *hold = publisher->holds; hold != NULL; hold = hold->next) {
        if (atomic_load(&hold->held) == snapshot) {
            return true;
        }
    }
    return false;
}

static void free_unheld(struct publisher *publisher)
{
    struct dns_snapshot **at = &publisher->former;
    while (*at != NULL) {
        struct dns_snapshot *snapshot = *at;
        if (is_held(publisher, snapshot)) {
            at = &snapshot->former;
        } else {
            *at = snapshot->former;
            dns_snapshot_free(snapshot);
        }
    }
}

void publisher_free(struct publisher *publisher)
{
    if (publisher == NULL) {
        return;
    }
    assert(!publisher->holds);
    free_unheld(publisher);
    dns_snapshot_free(atomic_load(&publisher->present));
    free(publisher);
}

void publisher_add(struct publisher *publisher, struct dns_hold *hold)
{
    hold->next = publisher->holds;
    publisher->holds = hold;
}

void publisher_remove(struct publisher *publisher, struct dns_hold *hold)
{
    assert(!atomic_load(&hold->held));
    struct dns_hold **at = &publisher->holds;
    while (*at != hold) {
        assert(*at);
        at = &(*at)->next;
    }
    *at = hold->next;
}

void publisher_publish(struct publisher *publisher, struct dns_snapshot *snapshot)
{
    struct dns_snapshot *former = atomic_exchange(&publisher->present, snapshot);
    if (former != NULL) {
        former->former = publisher->former;
        publisher->former = former;
    }
    free_unheld(publisher);
}

const struct dns_snapshot *hold_take(struct publisher *publisher, struct dns_hold *hold)
{
    const struct dns_snapshot *seen = atomic_load(&publisher->present);
    for (;;) {
        atomic_store(&hold->held, seen);
        const struct dns_snapshot *again = atomic_load(&publisher->present);
        if (again == seen) {
            return seen;
        }
        seen = again;
    }
}

void hold_release(struct dns_hold *hold)
{
    // All that was read of the snapshot was read before this.
    atomic_store_explicit(&hold->held, NULL, memory_order_release);
}
