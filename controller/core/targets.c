// What every service's prefixes should be: health to gate to decision, and what a new target leads
// to.
#include "controller/core/inside.h"

#include "controller/core/explain.h"

void core_tell_announcer(struct core *core, size_t service)
{
    enum target target = core->services[service].decision.target;
    include_set(&core->include, service, target);
    announcer_set_target(core->announcer, service, target, core->include.wanted);
}

void core_transition(struct core *core, size_t index, enum target from, uint64_t now_ns)
{
    struct core_service *service = &core->services[index];
    char why[EVENT_TEXT_MAX];
    explain_service(core, index, ms_of(now_ns), why, sizeof why);
    struct event *event =
        events_add(core->events, EVENT_TRANSITION, conf_of(core, index)->name, now_ns, "%s", why);
    event->from = from;
    event->to = service->decision.target;
    event->cause = service->decision.cause;
    event->evidence_ns = core->evidence_ns;
    event->warning = event->to < from;
    service->transition = event->seq;
    service->seen = false;
    service->seen_through = false;
    service->look_pause_ms = LOOK_AGAIN_MS;
    service->look_again_ms = ms_of(now_ns) + LOOK_AGAIN_MS;
    if (event->to < from) {
        contest_withdraws(&core->contest);
    }
    core_tell_announcer(core, index);
}

static void end_expired(struct core *core, size_t index, uint64_t now_ns)
{
    struct core_service *service = &core->services[index];
    if (!intent_expired(&service->intent, ms_of(now_ns))) {
        return;
    }
    events_add(core->events, EVENT_INTENT, conf_of(core, index)->name, now_ns,
               "%s ended: its time (--for) is over", intent_name(service->intent.kind));
    service->intent = (struct intent){.kind = INTENT_AUTO};
    core->ledger_dirty = true;
}

void core_set_deadline(struct core *core, size_t index)
{
    const struct core_service *service = &core->services[index];
    uint64_t at_ms = service->look_again_ms != 0 ? service->look_again_ms : DEADLINE_NEVER;
    if (core_decides(core, index)) {
        uint64_t decide_ms = decision_next_ms(&service->decision, conf_of(core, index),
                                              &service->intent, service->decided_ms);
        at_ms = decide_ms < at_ms ? decide_ms : at_ms;
    }
    deadlines_set(&core->deadlines, core->config->probe_count + index, at_ms);
}

bool core_decides(const struct core *core, size_t service)
{
    return !core->stopping || core->restarts || conf_of(core, service)->on_exit == ON_EXIT_KEEP;
}

const struct intent *core_intent_of(const struct core *core, size_t service, struct intent *room)
{
    const struct intent *intent = &core->services[service].intent;
    if (!core->stopping || core->restarts) {
        return intent;
    }
    *room = intent_at_stop(intent);
    return room;
}

static void decide_one(struct core *core, size_t index, uint64_t now_ns)
{
    struct core_service *service = &core->services[index];
    const struct service_conf *conf = conf_of(core, index);
    struct decision *decision = &service->decision;
    end_expired(core, index, now_ns);
    service->decided_ms = ms_of(now_ns);
    enum target from = decision->target;
    enum target allowed = decision->allowed;
    struct intent room;
    const struct intent *intent = core_intent_of(core, index, &room);
    decision->cut_off = core_is_cut_off(core, index);
    if (decision_step(decision, conf, &core->gates[index], intent, ms_of(now_ns))) {
        core_transition(core, index, from, now_ns);
        if (decision->target == TARGET_WITHDRAW) {
            core_suspect(core, index, now_ns);
        }
    }
    if (decision->allowed != allowed) {
        service->tentative = TARGET_WITHDRAW; // evidence has decided: no longer what was adopted
    }
    if (decision->allowed > TARGET_WITHDRAW && service->cut_off.state == CUT_OFF_HELD) {
        core_try_again(core, index); // enough others pass: what was seen of it withdraws nobody
    }
}

void core_decide(struct core *core, uint64_t now_ns)
{
    size_t index;
    while (affected_take(&core->affected, &index)) {
        struct gate gate = gate_of(conf_of(core, index), core->healths, core->gates);
        if (!gate_equals(&gate, &core->gates[index])) {
            core->gates[index] = gate;
            affected_dependents(&core->affected, index);
        }
        if (core_decides(core, index)) {
            decide_one(core, index, now_ns);
        }
        core_set_deadline(core, index);
    }
    core->evidence_ns = 0;
}

void core_decide_all(struct core *core, uint64_t now_ns)
{
    for (size_t i = 0; i < core->config->probe_count; i++) {
        deadlines_set(&core->deadlines, i,
                      health_next_ms(&core->healths[i], &core->config->probes[i]));
    }
    for (size_t i = 0; i < core->config->service_count; i++) {
        affected_service(&core->affected, i);
    }
    core_decide(core, now_ns);
}
