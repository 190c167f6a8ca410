#include "controller/core/gate.h"

#include <assert.h>

const char *gate_name(enum gate_state state)
{
    static const char *const names[] = {"closed", "unknown", "degraded", "open"};
    return names[state];
}

bool gate_equals(const struct gate *a, const struct gate *b)
{
    return a->state == b->state && a->probe == b->probe && a->service == b->service &&
           a->blind == b->blind && a->held_by == b->held_by;
}

// What one health says, before it is asked in which way the service needs it. held: it is what was
// last known.
static enum gate_state view_of(const struct health *health, int on_unknown, bool *held)
{
    static const enum gate_state views[] = {[HEALTH_UNKNOWN] = GATE_UNKNOWN,
                                            [HEALTH_DOWN] = GATE_CLOSED,
                                            [HEALTH_DEGRADED] = GATE_DEGRADED,
                                            [HEALTH_UP] = GATE_OPEN};
    *held = health->blind && on_unknown == ON_UNKNOWN_HOLD;
    return health->blind && !*held ? GATE_CLOSED : views[health->settled];
}

static void hold(struct gate *gate, size_t probe)
{
    gate->held_by = gate->held_by == GATE_NOBODY ? probe : gate->held_by;
}

static void worsen(struct gate *gate, enum gate_state state, size_t probe, size_t service)
{
    if (state < gate->state) {
        gate->state = state;
        gate->probe = probe;
        gate->service = service;
    }
}

static void require(struct gate *gate, const struct service_conf *service,
                    const struct health *healths)
{
    for (size_t i = 0; i < service->require.count; i++) {
        size_t probe = service->require.items[i];
        bool held;
        worsen(gate, view_of(&healths[probe], service->on_unknown, &held), probe, GATE_NOBODY);
        hold(gate, held ? probe : GATE_NOBODY);
    }
}

// Enough of them must be up; the culprit is the first that stands in the way.
static void require_any(struct gate *gate, const struct service_conf *service,
                        const struct health *healths)
{
    size_t at_least[GATE_OPEN + 1] = {0};
    size_t seeing[GATE_OPEN + 1] = {0}; // of those, not blind
    size_t culprit = GATE_NOBODY;
    size_t blind = GATE_NOBODY;
    enum gate_state worst = GATE_OPEN;
    for (size_t i = 0; i < service->any.count; i++) {
        size_t probe = service->any.items[i];
        bool held;
        enum gate_state view = view_of(&healths[probe], service->on_unknown, &held);
        for (unsigned level = GATE_CLOSED; level <= view; level++) {
            at_least[level]++;
            seeing[level] += !held;
        }
        if (view < worst) {
            worst = view;
            culprit = probe;
        }
        blind = held && blind == GATE_NOBODY ? probe : blind;
    }
    if (service->any.count == 0) {
        return;
    }
    enum gate_state state = GATE_OPEN;
    while (state > GATE_CLOSED && at_least[state] < service->any_min) {
        state--;
    }
    if (seeing[state] < service->any_min) {
        hold(gate, blind);
    }
    worsen(gate, state, culprit, GATE_NOBODY);
}

// These never close the gate. Until first known they make it wait; unknown for good, they are
// passed over.
static void degrade(struct gate *gate, const struct service_conf *service,
                    const struct health *healths)
{
    for (size_t i = 0; i < service->degrade.count; i++) {
        size_t probe = service->degrade.items[i];
        const struct health *health = &healths[probe];
        bool held;
        enum gate_state view = view_of(health, service->on_unknown, &held);
        if (view == GATE_UNKNOWN) {
            view = health->blind ? GATE_OPEN : GATE_UNKNOWN;
            held = false;
        } else if (view < GATE_OPEN) {
            view = GATE_DEGRADED;
        }
        worsen(gate, view, probe, GATE_NOBODY);
        hold(gate, held ? probe : GATE_NOBODY);
    }
}

static void depend(struct gate *gate, const struct service_conf *service, const struct gate *gates)
{
    for (size_t i = 0; i < service->depends.count; i++) {
        const struct gate *other = &gates[service->depends.items[i]];
        worsen(gate, other->state, other->probe, service->depends.items[i]);
        hold(gate, other->held_by);
    }
}

struct gate gate_of(const struct service_conf *service, const struct health *healths,
                    const struct gate *gates)
{
    struct gate gate = {
        .state = GATE_OPEN, .probe = GATE_NOBODY, .service = GATE_NOBODY, .held_by = GATE_NOBODY};
    require(&gate, service, healths);
    require_any(&gate, service, healths);
    degrade(&gate, service, healths);
    depend(&gate, service, gates);
    if (gate.service != GATE_NOBODY) {
        gate.blind = gates[gate.service].blind;
    } else if (gate.probe != GATE_NOBODY) {
        gate.blind = service->on_unknown == ON_UNKNOWN_WITHDRAW && healths[gate.probe].blind;
    }
    assert((gate.state == GATE_OPEN) == (gate.probe == GATE_NOBODY));
    return gate;
}
