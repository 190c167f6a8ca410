// Which services are to be decided anew: those that need the probe whose health changed, those that
// depend on a service whose gate changed, and nobody else. Pure.
//
// They come out in the order of dependence, every service after those that it depends on, each
// once.
#pragma once

#include "controller/config/config.h"

struct affected {
    const struct config *config;
    // Who needs what, as slices of one array each: of probe i from needed_from[i] to
    // needed_from[i + 1], and the same for services that others depend on.
    size_t *needed_from, *needed_by;
    size_t *depended_from, *depended_by;
    size_t *rank;  // of each service in config's service_order
    bool *marked;  // of each service: it is in queue
    size_t *queue; // ranks, a binary heap
    size_t count;
};

// config must outlive it. False when out of memory.
bool affected_init(struct affected *affected, const struct config *config);
void affected_free(struct affected *affected);

void affected_probe(struct affected *affected, size_t probe);        // its health changed
void affected_dependents(struct affected *affected, size_t service); // its gate changed
void affected_service(struct affected *affected, size_t service);    // it itself

bool affected_any(const struct affected *affected);

// Takes the next one; false: there is none.
bool affected_take(struct affected *affected, size_t *service);
