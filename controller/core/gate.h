// A service's gate: the health of the probes and services that it depends on, made one. Pure.
#pragma once

#include "controller/config/config.h"
#include "controller/core/health.h"

// Ordered from worst to best, so that the worst of several is their minimum.
enum gate_state {
    GATE_CLOSED,   // known not to work
    GATE_UNKNOWN,  // something needed has never been known
    GATE_DEGRADED, // works, but others should be preferred
    GATE_OPEN,     // known to work
};

const char *gate_name(enum gate_state state); // "closed", "unknown", "degraded", "open"

#define GATE_NOBODY SIZE_MAX

struct gate {
    size_t probe;   // that decided, or GATE_NOBODY
    size_t service; // depended on, that decided, or GATE_NOBODY
    enum gate_state state;
    bool blind;     // the probe that decided is not known to be bad, it can't look
    size_t held_by; // a probe that it rests on though it is blind now (on_unknown = hold), or
                    // GATE_NOBODY
};

bool gate_equals(const struct gate *a, const struct gate *b);

// The gate of one service. healths has one entry per probe of the configuration; gates one per
// service, those of `depends` already computed (config's service_order).
struct gate gate_of(const struct service_conf *service, const struct health *healths,
                    const struct gate *gates);
