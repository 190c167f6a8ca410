// What plan.c needs of announcer.c: the one knows what to do about how things stand in BIRD, the
// other how they stand.
#pragma once

#include "controller/core/announcer.h"

// The service by its names, be it configured or retired.
static inline const struct service_conf *announcer_conf(const struct announcer *announcer,
                                                        size_t service)
{
    size_t configured = announcer->config->service_count;
    return service < configured ? &announcer->config->services[service]
                                : &announcer->retired[service - configured].conf;
}

// The second index of the token of an order for one of a service's protocols.
static inline size_t announcer_part(enum leg_name leg, enum family family)
{
    return (size_t)leg * FAMILIES + family;
}

// Every protocol of the leg is up, and nothing is under way.
bool leg_is_on(const struct announcer *announcer, size_t service, const struct leg *leg);
// At least one protocol of the leg is in this state.
bool leg_has_state(const struct announcer *announcer, size_t service, const struct leg *leg,
                   enum leg_state state);

void waiting_put(struct announcer *announcer, enum waiting_name name,
                 size_t service);                                         // unless it waits
size_t waiting_take(struct announcer *announcer, enum waiting_name name); // there must be one
