// What the oracle's files share; nobody else includes it: oracle.c (what is decided, and when),
// seen.c (what BIRD has and neighbours see), cut_off.c (who is cut off by being announced), quiet.c
// (what must be so at an end).
#pragma once

#include "tests/sim/oracle.h"

#define REPAIR_WITHIN_NS (4000 * NS_PER_MS) // a snapshot a second, slow answers, the repair

static inline const struct service_conf *conf_of(const struct oracle *oracle,
                                                 const struct oracle_service *service)
{
    return &oracle->config->services[service->index];
}

static inline struct oracle_service *at_index(struct oracle *oracle, size_t index)
{
    return &oracle->services[oracle->names[index]];
}

static inline unsigned legs_of(const struct oracle *oracle, const struct oracle_service *service)
{
    unsigned legs = 0;
    for (unsigned family = 0; family < FAMILIES; family++) {
        bool has = conf_of(oracle, service)->has_family[family];
        legs |= has ? books_leg(family, false) | books_leg(family, true) : 0;
    }
    return legs;
}

// What neighbours have of each service, now and since when; used: the addresses of the plot that
// are in the configuration, the others are withdrawn.
void seen_neighbours(struct oracle *oracle, const struct model *model, struct abilities abilities,
                     uint64_t now_ns);
bool seen_agrees(const struct model *model, unsigned plot, unsigned used, enum target target);
void seen_acknowledged(struct oracle *oracle, const struct core *core,
                       struct oracle_service *service, uint64_t now_ns);

// An event that says who is held, or is not any more.
void cut_off_held(struct oracle *oracle, struct oracle_service *service, const struct event *event);
// cut_off: as oracle_check_quiet() has it.
bool cut_off_fails(struct oracle *oracle, const struct oracle_service *service,
                   const enum level levels[], const unsigned cut_off[]);
bool cut_off_open(struct oracle *oracle, size_t index, const unsigned cut_off[]);
