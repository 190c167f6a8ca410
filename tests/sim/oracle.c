// What is decided, and when: each change of target has its cause, what improves is known to be good
// and was for long enough, and who is to be withdrawn is.
#include "tests/sim/inside.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void oracle_broken(struct oracle *oracle, const char *text, ...)
{
    if (oracle->broken[0] != '\0') {
        return;
    }
    va_list args;
    va_start(args, text);
    vsnprintf(oracle->broken, sizeof oracle->broken, text, args);
    va_end(args);
}

// ---- Transitions

static uint64_t hold_down_ms(const struct service_conf *conf, uint64_t worsenings)
{
    uint64_t ms = worsenings > 0 ? conf->hold_down_ms : 0;
    for (uint64_t i = 1; i < worsenings && ms < conf->max_hold_down_ms; i++) {
        ms *= 2;
    }
    return ms < conf->max_hold_down_ms ? ms : conf->max_hold_down_ms;
}

static bool by_evidence(enum cause cause)
{
    return cause == CAUSE_UNHEALTHY || cause == CAUSE_DEGRADED || cause == CAUSE_HEALTHY ||
           cause == CAUSE_HOLD_DOWN;
}

// Promises 1 and 8: what improves is known to be that good, and has been for hold_down.
static void check_improvement(struct oracle *oracle, const struct oracle_service *service,
                              const struct event *event, uint64_t now_ns)
{
    const struct service_conf *conf = conf_of(oracle, service);
    uint64_t since_ms =
        service->since_ms[event->to == TARGET_ANNOUNCE ? LEVEL_OPEN : LEVEL_DEGRADED];
    uint64_t now_ms = now_ns / NS_PER_MS;
    uint64_t needed_ms = hold_down_ms(conf, service->worsenings);
    if (since_ms == UINT64_MAX) {
        oracle_broken(oracle, "promise 1: %s went to %s, but its probes don't say so", conf->name,
                      target_name(event->to));
    } else if (now_ms - since_ms < needed_ms) {
        oracle_broken(oracle,
                      "promise 8: %s improved, well for %" PRIu64 " ms of %" PRIu64
                      " after withdrawal number %" PRIu64,
                      conf->name, now_ms - since_ms, needed_ms, service->worsenings);
    } else if (service->worsened_at_ns != 0 &&
               now_ns - service->worsened_at_ns < needed_ms * NS_PER_MS) {
        oracle_broken(
            oracle, "promise 8: %s improved %" PRIu64 " ms after withdrawal number %" PRIu64,
            conf->name, (now_ns - service->worsened_at_ns) / NS_PER_MS, service->worsenings);
    }
}

// An operator's word, or its end, is neither a flap nor damped.
static void check_damping(struct oracle *oracle, struct oracle_service *service,
                          const struct event *event, uint64_t now_ns)
{
    bool vague;
    bool auto_now = books_intent(service, now_ns, &vague) == INTENT_AUTO;
    if (!by_evidence(event->cause) || service->intended || vague || !auto_now) {
        return;
    }
    if (event->to > event->from) {
        check_improvement(oracle, service, event, now_ns);
    } else if (event->cause == CAUSE_HOLD_DOWN) {
        return; // at a restart it turned out that BIRD does not have it
    } else {
        service->worsenings++;
        service->worsened_at_ns = now_ns;
    }
    service->changed_at_ns = now_ns;
    service->covered = false;
}

// Promise 2: nothing is withdrawn but for what is known, or set so.
static void check_cause(struct oracle *oracle, const struct oracle_service *service,
                        const struct event *event, const struct bounds *gate, uint64_t now_ns)
{
    const struct service_conf *conf = conf_of(oracle, service);
    bool vague;
    bool intended =
        books_intent(service, now_ns, &vague) != INTENT_AUTO || service->intended || vague;
    if (event->text[0] == '\0') {
        oracle_broken(oracle, "%s changed to %s and the event has no text", conf->name,
                      target_name(event->to));
    }
    if (event->to > event->from || intended || oracle->stopping) {
        return;
    }
    enum level at_most = event->to == TARGET_WITHDRAW ? LEVEL_CLOSED : LEVEL_DEGRADED;
    switch (event->cause) {
    case CAUSE_UNHEALTHY:
    case CAUSE_DEGRADED:
        if (gate->low > at_most) {
            oracle_broken(oracle, "promise 2: %s went to %s as %s, but no verdict said so",
                          conf->name, target_name(event->to), cause_name(event->cause));
        }
        break;
    case CAUSE_UNKNOWN:
        if (conf->on_unknown == ON_UNKNOWN_HOLD && conf->depends.count == 0 &&
            (service->known || now_ns / NS_PER_MS < service->adopt_until_ms)) {
            oracle_broken(oracle, "promise 2: %s is withdrawn as unknown, with on_unknown = hold",
                          conf->name);
        }
        break;
    case CAUSE_START:
    case CAUSE_HOLD_DOWN:
        if (!service->lacked) {
            oracle_broken(oracle, "promise 2: the restart withdrew %s, which BIRD had as it was",
                          conf->name);
        }
        break;
    default:
        oracle_broken(oracle, "promise 2: %s went to %s by itself (%s)", conf->name,
                      target_name(event->to), cause_name(event->cause));
    }
}

static void check_events(struct oracle *oracle, const struct core *core,
                         const struct bounds gates[], uint64_t now_ns)
{
    for (uint64_t seq = oracle->seen_events + 1; seq < events_end(core->events); seq++) {
        const struct event *event = events_get(core->events, seq);
        oracle->seen_events = seq;
        bool of_service =
            event != NULL && (event->kind == EVENT_TRANSITION || event->kind == EVENT_OBSERVED);
        if (!of_service) {
            continue;
        }
        struct oracle_service *service = &oracle->services[scene_number(event->service)];
        if (event->kind == EVENT_OBSERVED) {
            cut_off_held(oracle, service, event);
            continue;
        }
        if (!service->configured) {
            oracle_broken(oracle, "an event of %s, which is not configured", event->service);
            return;
        }
        if (event->from != service->target) {
            oracle_broken(oracle, "%s: an event says from %s, but it was %s", event->service,
                          target_name(event->from), target_name(service->target));
        }
        check_cause(oracle, service, event, &gates[service->index], now_ns);
        check_damping(oracle, service, event, now_ns);
        service->target = event->to;
        service->target_at_ns = now_ns;
        service->back_at_ns = event->from == TARGET_WITHDRAW ? now_ns : service->back_at_ns;
        service->event = seq;
        service->acknowledged = false;
    }
}

// ---- Targets

static void check_intended(struct oracle *oracle, const struct oracle_service *service,
                           enum intent_kind kind, uint64_t now_ns)
{
    const char *name = conf_of(oracle, service)->name;
    enum target target = service->target;
    if (kind == INTENT_ISOLATE && target != TARGET_WITHDRAW) {
        oracle_broken(oracle, "promise 1: %s is isolated and at %s", name, target_name(target));
    }
    // core_tick() comes when core_next_ms() says, so one ms after is late.
    int64_t grace_ms = oracle->stopping ? -1 : (int64_t)service->intent.grace_ms;
    int64_t grace_end_ms = service->intent.since_ms + grace_ms;
    if (kind == INTENT_DRAIN && target != TARGET_WITHDRAW &&
        (oracle->stopping || (int64_t)(now_ns / NS_PER_MS) > grace_end_ms + 1)) {
        oracle_broken(oracle, "promise 1: %s is drained, its grace is over, and it is at %s", name,
                      target_name(target));
    }
    if (kind == INTENT_DRAIN && target == TARGET_ANNOUNCE) {
        oracle_broken(oracle, "promise 1: %s is drained and announced", name);
    }
    if (kind == INTENT_PIN && target != TARGET_ANNOUNCE) {
        oracle_broken(oracle, "%s is pinned and at %s", name, target_name(target));
    }
}

// Promise 1, straight from the words of intents and probes.
static void check_target(struct oracle *oracle, struct oracle_service *service,
                         const struct bounds *gate, uint64_t now_ns)
{
    const struct service_conf *conf = conf_of(oracle, service);
    bool vague;
    enum intent_kind kind = books_intent(service, now_ns, &vague);
    service->intended = kind != INTENT_AUTO || vague;
    service->covered = service->covered || service->intended;
    if (oracle->stopping && conf->on_exit == ON_EXIT_WITHDRAW) {
        if (service->target != TARGET_WITHDRAW) {
            oracle_broken(oracle, "%s is at %s although popgated stops", conf->name,
                          target_name(service->target));
        }
        return; // nothing is decided for it any more
    }
    if (oracle->stopping && kind == INTENT_PIN) {
        kind = INTENT_AUTO; // nobody would be there to end it
    }
    if (kind == INTENT_AUTO && service->intent.kind != INTENT_AUTO && !oracle->stopping) {
        books_end(service);
    }
    if (vague) {
        return;
    }
    check_intended(oracle, service, kind, now_ns);
    if (kind == INTENT_PIN) {
        return;
    }
    bool announced = service->target != TARGET_WITHDRAW;
    if (announced && !books_requires(conf, service->held_probe)) {
        service->held = false; // others suffice: what was seen of it withdraws it no later either
    }
    if (announced && service->held) {
        oracle_broken(oracle, "promise 8: %s is at %s again, which cuts it off", conf->name,
                      target_name(service->target));
    }
    bool held = conf->on_unknown == ON_UNKNOWN_HOLD && service->known;
    bool too_long =
        gate->high == LEVEL_UNKNOWN && !held && now_ns / NS_PER_MS > service->adopt_until_ms + 1;
    bool closed = gate->high == LEVEL_CLOSED || too_long;
    // Just before it is blind, a probe that degrades is unknown: which leaves as it is what was
    // adopted.
    bool degraded = gate->high == LEVEL_DEGRADED && gate->low == LEVEL_DEGRADED;
    if ((closed && service->target != TARGET_WITHDRAW) ||
        (degraded && service->target == TARGET_ANNOUNCE)) {
        oracle_broken(oracle, "promise 1: %s is at %s, but its probes say %s", conf->name,
                      target_name(service->target), closed ? "withdraw" : "depreference");
    }
}

static void note_levels(struct oracle_service *service, const struct bounds *gate, uint64_t now_ms)
{
    service->known = service->known || gate->high >= LEVEL_DEGRADED;
    for (unsigned level = LEVEL_DEGRADED; level <= LEVEL_OPEN; level++) {
        if (gate->high < level) {
            service->since_ms[level] = UINT64_MAX;
        } else if (service->since_ms[level] == UINT64_MAX) {
            service->since_ms[level] = now_ms;
        }
    }
}

static void look(struct oracle *oracle, const struct core *core, const struct model *model,
                 uint64_t now_ns, struct bounds gates[SCENE_SERVICES])
{
    books_gates(oracle, now_ns, gates);
    for (size_t i = 0; i < oracle->config->service_count; i++) {
        note_levels(at_index(oracle, i), &gates[i], now_ns / NS_PER_MS);
        books_forget(at_index(oracle, i), &oracle->config->services[i], now_ns);
    }
    books_legs(oracle, model);
    check_events(oracle, core, gates, now_ns);
}

void oracle_gathered(struct oracle *oracle, const struct core *core, const struct model *model,
                     uint64_t now_ns)
{
    struct bounds gates[SCENE_SERVICES];
    look(oracle, core, model, now_ns, gates);
}

void oracle_check(struct oracle *oracle, const struct core *core, const struct model *model,
                  struct abilities abilities, uint64_t now_ns)
{
    struct bounds gates[SCENE_SERVICES];
    if (!abilities.notices) {
        oracle->noticing_since_ns = NEVER_NS;
    } else if (oracle->noticing_since_ns == NEVER_NS) {
        oracle->noticing_since_ns = now_ns;
    }
    if (!abilities.switches) {
        oracle->able_since_ns = NEVER_NS;
    } else if (oracle->able_since_ns == NEVER_NS) {
        oracle->able_since_ns = now_ns;
    }
    look(oracle, core, model, now_ns, gates);
    for (size_t i = 0; i < oracle->config->service_count; i++) {
        struct oracle_service *service = at_index(oracle, i);
        if (core->services[i].decision.target != service->target) {
            oracle_broken(oracle, "%s is at %s without an event", conf_of(oracle, service)->name,
                          target_name(core->services[i].decision.target));
        }
        check_target(oracle, service, &gates[i], now_ns);
        seen_acknowledged(oracle, core, service, now_ns);
    }
    seen_neighbours(oracle, model, abilities, now_ns);
}
