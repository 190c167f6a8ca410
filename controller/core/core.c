#include "controller/core/core.h"

#include "base/clock.h"

#include "controller/core/explain.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SNAPSHOT_MS      1000
#define LOOK_AGAIN_MS    20
#define LOOK_AGAIN_MAX   1000
#define LOOKS_PER_SECOND 256 // in turn, of all that is quiet
#define GENERATION_SHIFT 60
#define ORDERS_SPARE     128
#define DRIFTS_LOGGED    20 // within a second
#define DRIFT_ROUNDS     10 // repaired without pause, within a second

static void flush(struct core *core, uint64_t now_ns);

static uint64_t ms_of(uint64_t ns)
{
    return ns / NS_PER_MS;
}

static const struct service_conf *conf_of(const struct core *core, size_t service)
{
    return &core->config->services[service];
}

// ---- targets ----

// The include file first: the announcer switches nothing on before the file on disk says so.
static void tell_announcer(struct core *core, size_t service)
{
    const struct service_conf *conf = conf_of(core, service);
    enum target target = core->services[service].decision.target;
    size_t off_before = core->loader.off_count;
    for (unsigned family = 0; family < FAMILIES; family++) {
        char name[BIRD_PROTOCOL_MAX];
        birdconf_protocol_name(conf, family, false, name);
        loader_set(&core->loader, name, target == TARGET_ANNOUNCE);
        birdconf_protocol_name(conf, family, true, name);
        loader_set(&core->loader, name, target == TARGET_DEPREFERENCE);
    }
    if (target != TARGET_WITHDRAW) {
        // The other leg takes over: the file is changed in whole, so that never both are off in it.
        core->loader.off_count = off_before;
    }
    announcer_set_target(core->announcer, service, target, core->loader.version);
}

static void transition(struct core *core, size_t index, enum target from, uint64_t now_ns)
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
    tell_announcer(core, index);
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

static void decide_one(struct core *core, size_t index, uint64_t now_ns)
{
    struct core_service *service = &core->services[index];
    const struct service_conf *conf = conf_of(core, index);
    struct decision *decision = &service->decision;
    end_expired(core, index, now_ns);
    enum target from = decision->target;
    if (decision_step(decision, conf, &core->gates[index], &service->intent, ms_of(now_ns))) {
        transition(core, index, from, now_ns);
    }
}

static void lower(uint64_t *next_ms, uint64_t at_ms)
{
    if (at_ms < *next_ms) {
        *next_ms = at_ms;
    }
}

static void find_next_ms(struct core *core, uint64_t now_ms)
{
    core->next_ms =
        core->links[ORDER_LINK_ASK].state == BIRD_LINK_DOWN ? UINT64_MAX : core->snapshot_at_ms;
    lower(&core->next_ms, loader_next_ms(&core->loader));
    for (size_t i = 0; i < core->config->probe_count; i++) {
        lower(&core->next_ms, health_next_ms(&core->healths[i], &core->config->probes[i]));
    }
    for (size_t i = 0; i < core->config->service_count; i++) {
        const struct core_service *service = &core->services[i];
        lower(&core->next_ms,
              decision_next_ms(&service->decision, conf_of(core, i), &service->intent, now_ms));
        if (service->look_again_ms != 0) {
            lower(&core->next_ms, service->look_again_ms);
        }
    }
}

static void decide(struct core *core, uint64_t now_ns)
{
    for (size_t i = 0; i < core->config->service_count; i++) {
        size_t index = core->config->service_order[i];
        core->gates[index] = gate_of(conf_of(core, index), core->healths, core->gates);
        if (!core->stopping || conf_of(core, index)->on_exit == ON_EXIT_KEEP) {
            decide_one(core, index, now_ns);
        }
    }
    core->evidence_ns = 0;
    core->decided_ns = now_ns;
}

// ---- life ----

static bool allocate(struct core *core)
{
    const struct config *config = core->config;
    core->healths = calloc(config->probe_count + 1, sizeof *core->healths);
    core->probes = calloc(config->probe_count + 1, sizeof *core->probes);
    core->gates = calloc(config->service_count + 1, sizeof *core->gates);
    core->services = calloc(config->service_count + 1, sizeof *core->services);
    core->announcer = announcer_new(config);
    core->observed = observed_new(config);
    return core->healths != NULL && core->probes != NULL && core->gates != NULL &&
           core->services != NULL && core->announcer != NULL && core->observed != NULL &&
           orders_init(&core->orders, 2 * config->service_count + ORDERS_SPARE);
}

static struct birdconf *copy_of(const struct birdconf *conf)
{
    char error[ERROR_MAX];
    return birdconf_parse(conf->text, conf->length, error);
}

static bool init_loader(struct core *core, const struct core_start *start)
{
    struct birdconf *next = birdconf_render(start->config);
    struct birdconf *former = start->former != NULL ? copy_of(start->former) : NULL;
    if (next == NULL || (start->former != NULL && former == NULL)) {
        birdconf_free(next);
        birdconf_free(former);
        return false;
    }
    // Of what the former file has on, only what is adopted stays; services that are gone are off.
    for (size_t i = 0; former != NULL && i < former->slot_count; i++) {
        birdconf_set(former, former->slots[i].protocol, false);
    }
    loader_init(&core->loader, former, next, start->config->bird.configure == CONFIGURE_AUTO);
    core->loader.version += start->version;
    return true;
}

static enum target adoptable(const struct core_start *start, size_t service)
{
    if (!start->same_boot || start->former == NULL) {
        return TARGET_WITHDRAW;
    }
    enum target target = TARGET_WITHDRAW;
    for (unsigned family = 0; family < FAMILIES; family++) {
        char name[BIRD_PROTOCOL_MAX];
        birdconf_protocol_name(&start->config->services[service], family, false, name);
        if (birdconf_get(start->former, name)) {
            return TARGET_ANNOUNCE;
        }
        birdconf_protocol_name(&start->config->services[service], family, true, name);
        if (birdconf_get(start->former, name)) {
            target = TARGET_DEPREFERENCE;
        }
    }
    return target;
}

static void init_service(struct core *core, const struct core_start *start, size_t index)
{
    struct core_service *service = &core->services[index];
    uint64_t now_ms = ms_of(start->now_ns);
    decision_init(&service->decision, start->recent != NULL ? start->recent[index] : 0, now_ms);
    service->intent =
        start->intents != NULL ? start->intents[index] : (struct intent){.kind = INTENT_AUTO};
    service->tentative = adoptable(start, index);
    if (service->tentative > TARGET_WITHDRAW) {
        decision_adopt(&service->decision, conf_of(core, index), service->tentative, now_ms);
    }
    tell_announcer(core, index);
}

static struct core *core_make(const struct core_start *start)
{
    struct core *core = calloc(1, sizeof *core);
    if (core == NULL) {
        return NULL;
    }
    core->config = start->config;
    core->events = start->events;
    core->generation = start->generation;
    if (!allocate(core) || !init_loader(core, start)) {
        core_free(core);
        return NULL;
    }
    for (size_t i = 0; i < core->config->probe_count; i++) {
        health_init(&core->healths[i], ms_of(start->now_ns));
    }
    for (size_t i = 0; i < core->config->service_count; i++) {
        init_service(core, start, i);
    }
    return core;
}

struct core *core_new(const struct core_start *start)
{
    struct core *core = core_make(start);
    if (core == NULL) {
        return NULL;
    }
    events_add(core->events, EVENT_START, NULL, start->now_ns,
               "popgated %s starts: pop %s, %zu service%s, %zu probe%s%s", POPGATE_VERSION,
               core->config->pop.id, core->config->service_count,
               core->config->service_count == 1 ? "" : "s", core->config->probe_count,
               core->config->probe_count == 1 ? "" : "s",
               start->same_boot ? ", taking over what BIRD announces" : "");
    decide(core, start->now_ns);
    flush(core, start->now_ns);
    return core;
}

void core_free(struct core *core)
{
    if (core == NULL) {
        return;
    }
    loader_clear(&core->loader);
    orders_free(&core->orders);
    observed_free(core->observed);
    announcer_free(core->announcer);
    free(core->services);
    free(core->probes);
    free(core->healths);
    free(core->gates);
    free(core);
}

// What a kept service rests on may be new and unknown: it stays as it is for adopt_grace, as after
// a restart.
static void take_over_service(struct core *core, size_t index, const struct core_service *before,
                              uint64_t now_ns)
{
    struct core_service *service = &core->services[index];
    *service = *before;
    if (service->decision.allowed > TARGET_WITHDRAW) {
        service->decision.adopted = true;
        service->decision.adopt_until_ms = ms_of(now_ns) + conf_of(core, index)->adopt_grace_ms;
    }
    tell_announcer(core, index);
}

static void take_over(struct core *core, const struct core *old, uint64_t now_ns)
{
    for (size_t i = 0; i < core->config->probe_count; i++) {
        const struct probe_conf *probe = &core->config->probes[i];
        for (size_t j = 0; j < old->config->probe_count; j++) {
            const struct probe_conf *before = &old->config->probes[j];
            if (strcmp(probe->name, before->name) == 0 &&
                probe->fingerprint == before->fingerprint) {
                core->healths[i] = old->healths[j];
                core->probes[i] = old->probes[j];
            }
        }
    }
    for (size_t i = 0; i < core->config->service_count; i++) {
        for (size_t j = 0; j < old->config->service_count; j++) {
            if (strcmp(conf_of(core, i)->name, conf_of(old, j)->name) == 0) {
                take_over_service(core, i, &old->services[j], now_ns);
                announcer_take_over(core->announcer, i, old->announcer, j);
            }
        }
    }
    core->drifts = old->drifts;
    core->denied = old->denied;
    announcer_file_saved(core->announcer, old->loader.saved);
    loader_saved(&core->loader, old->loader.saved);
}

static void want_snapshot(struct core *core)
{
    core->snapshot_wanted = true;
}

struct core *core_reload(const struct core *old, const struct config *config, uint64_t now_ns)
{
    struct core_start start = {.config = config,
                               .events = old->events,
                               .former = loader_file(&old->loader),
                               .version = old->loader.version,
                               .generation = old->generation + 1,
                               .now_ns = now_ns};
    struct core *core = core_make(&start);
    if (core == NULL) {
        return NULL;
    }
    memcpy(core->links, old->links, sizeof core->links);
    announcer_link(core->announcer, core->links[ORDER_LINK_ACT].state != BIRD_LINK_DOWN);
    take_over(core, old, now_ns);
    want_snapshot(core);
    events_add(core->events, EVENT_START, NULL, now_ns,
               "configuration reloaded: %zu service%s, %zu probe%s", config->service_count,
               config->service_count == 1 ? "" : "s", config->probe_count,
               config->probe_count == 1 ? "" : "s");
    decide(core, now_ns);
    flush(core, now_ns);
    return core;
}

// ---- inputs ----

// What a change of health rests on: nothing that an `unknown` verdict said makes a service down.
static const char *evidence_of(const struct core *core, size_t probe)
{
    return health_shown(&core->healths[probe]) == HEALTH_DOWN ? core->probes[probe].bad
                                                              : core->probes[probe].last.cause;
}

void core_verdict(struct core *core, size_t index, const struct verdict *verdict, uint64_t now_ns)
{
    assert(index < core->config->probe_count);
    struct core_probe *probe = &core->probes[index];
    const struct probe_conf *conf = &core->config->probes[index];
    probe->last = *verdict;
    probe->verdicts[verdict->kind]++;
    bool changed = health_observe(&core->healths[index], conf, verdict->kind, verdict->definitive,
                                  ms_of(now_ns));
    if (verdict->kind == VERDICT_FAIL ||
        (verdict->kind == VERDICT_DEGRADED && core->healths[index].settled != HEALTH_DOWN)) {
        memcpy(probe->bad, verdict->cause, sizeof probe->bad);
    }
    if (!changed) {
        lower(&core->next_ms, health_next_ms(&core->healths[index], conf)); // of crash_grace
        return;
    }
    enum health_state shown = health_shown(&core->healths[index]);
    struct event *event = events_add(
        core->events, EVENT_HEALTH, NULL, now_ns, "probe %s is %s%s%s", conf->name,
        health_name(shown), verdict->cause[0] != '\0' ? ": " : "", evidence_of(core, index));
    event->warning = shown != HEALTH_UP;
    event->evidence_ns = verdict->at_ns;
    core->evidence_ns = verdict->at_ns;
    decide(core, now_ns);
    flush(core, now_ns);
}

void core_note_intent(struct core *core, size_t service, const struct intent *intent,
                      const char *what, uint64_t now_ns)
{
    assert(service < core->config->service_count);
    core->services[service].intent = *intent;
    events_add(core->events, EVENT_INTENT, conf_of(core, service)->name, now_ns, "%s", what);
}

void core_intents_noted(struct core *core, uint64_t now_ns)
{
    core->evidence_ns = now_ns;
    decide(core, now_ns);
    flush(core, now_ns);
}

void core_intent(struct core *core, size_t service, const struct intent *intent, const char *what,
                 uint64_t now_ns)
{
    core_note_intent(core, service, intent, what, now_ns);
    core_intents_noted(core, now_ns);
}

static void link_event(struct core *core, enum order_link link, uint64_t now_ns)
{
    const struct core_link *it = &core->links[link];
    if (link != ORDER_LINK_ACT) {
        return; // both go to the same BIRD: one line is enough
    }
    if (it->state == BIRD_LINK_UP) {
        events_add(core->events, EVENT_BIRD, NULL, now_ns, "BIRD %u.%u.%u answers",
                   it->version.major, it->version.minor, it->version.patch);
    } else {
        events_add(core->events, EVENT_BIRD, NULL, now_ns, "%s", it->reason)->warning = true;
    }
}

void core_link(struct core *core, enum order_link link, enum bird_link state, const char *reason,
               const struct bird_version *version, uint64_t now_ns)
{
    struct core_link *it = &core->links[link];
    bool was_down = it->state == BIRD_LINK_DOWN;
    bool is_down = state == BIRD_LINK_DOWN;
    bool news = it->state != state || strcmp(it->reason, reason) != 0;
    it->state = state;
    it->since_ns = now_ns;
    snprintf(it->reason, sizeof it->reason, "%s", reason);
    if (version != NULL) {
        it->version = *version;
    }
    if (news) {
        link_event(core, link, now_ns);
    }
    if (link == ORDER_LINK_ACT && was_down != is_down) {
        announcer_link(core->announcer, !is_down);
        core->denied = false;
    } else if (link == ORDER_LINK_ASK && was_down != is_down) {
        observed_forget(core->observed);
        loader_link(&core->loader);
        core->snapshot_under_way = false;
    }
    want_snapshot(core);
    lower(&core->next_ms, core->snapshot_at_ms);
    flush(core, now_ns);
}

static void drift(struct core *core, const char *protocol, bool up, uint64_t now_ns)
{
    if (!core->announcer->snapshot_taken) {
        return; // how BIRD came up, not what somebody did
    }
    core->drifts++;
    loader_write_again(&core->loader); // it may have come from a file put in place of ours
    if (ms_of(now_ns) - core->drift_began_ms >= SNAPSHOT_MS) {
        core->drift_began_ms = ms_of(now_ns);
        core->drift_logged = core->drift_rounds = 0;
    }
    if (core->drift_logged++ < DRIFTS_LOGGED) {
        events_add(core->events, EVENT_DRIFT, NULL, now_ns,
                   "%s was switched %s, not by popgate; switching it back%s", protocol,
                   up ? "on" : "off",
                   core->drift_logged == DRIFTS_LOGGED
                       ? "; more of it within this second is repaired and counted, but not listed"
                       : "")
            ->warning = true;
    }
}

static void protocol_row(struct core *core, const struct bird_line *line, uint64_t now_ns)
{
    struct bird_protocol row;
    if (!bird_parse_protocol(line, &row)) {
        return;
    }
    observed_row(core->observed, &row);
    if (announcer_row(core->announcer, row.name, row.up)) {
        drift(core, row.name, row.up, now_ns);
    }
}

static void revision_line(struct core *core, const struct bird_line *line)
{
    char text[64];
    static const char ours[] = "popgate ";
    if (bird_parse_description(line, text, sizeof text) &&
        strncmp(text, ours, sizeof ours - 1) == 0) {
        snprintf(core->revision, sizeof core->revision, "%.*s", (int)sizeof core->revision - 1,
                 text + sizeof ours - 1);
    }
}

static bool is_ours(const struct core *core, uint64_t token)
{
    return token >> GENERATION_SHIFT == (core->generation & 0xf);
}

void core_line(struct core *core, uint64_t token, const struct bird_line *line, uint64_t now_ns)
{
    if (!is_ours(core, token)) {
        return; // the answer to an order from before a reload
    }
    switch (order_kind(token)) {
    case ORDER_ENABLE:
    case ORDER_DISABLE:
        announcer_reply_line(core->announcer, line->code, line->text);
        break;
    case ORDER_PROTOCOLS:
        protocol_row(core, line, now_ns);
        break;
    case ORDER_REVISION:
        revision_line(core, line);
        break;
    case ORDER_ROUTE:
        observed_line(core->observed, line);
        break;
    case ORDER_CHECK:
    case ORDER_CONFIGURE:
        loader_reply_line(&core->loader, line);
        break;
    case ORDER_KINDS:
        break;
    }
}

// BIRD has said yes to everything that this transition asked for.
static void note_acknowledged(struct core *core, size_t index, uint64_t now_ns)
{
    struct event *event = events_get(core->events, core->services[index].transition);
    if (event != NULL && event->acknowledged_ns == 0 && announcer_settled(core->announcer, index)) {
        event->acknowledged_ns = now_ns;
        observed_look(core->observed, index);
    }
}

static void switch_end(struct core *core, uint64_t token, unsigned code, const char *text,
                       bool complete, uint64_t now_ns)
{
    enum bird_outcome outcome = bird_outcome(code);
    if (!complete) {
        return; // the link went, which the announcer is told as well
    }
    announcer_reply_end(core->announcer, token, outcome);
    if (outcome != BIRD_OK && outcome != BIRD_NO_PROTOCOL) {
        if (!core->denied) {
            core->denied = true;
            events_add(core->events, EVENT_TROUBLE, NULL, now_ns,
                       "BIRD refuses to switch protocols, trying again every second: %04u %s", code,
                       text)
                ->warning = true;
        }
        return; // the snapshot in its turn sees what is still to be done
    }
    size_t first = order_a(token);
    size_t end = first + 1;
    if (first >= core->config->service_count) {
        first = 0;
        end = core->config->service_count;
    }
    for (size_t i = first; i < end; i++) {
        note_acknowledged(core, i, now_ns);
    }
    // Where repairing leads to nothing but more drift, it goes on with the snapshot in its turn.
    if (core->drift_rounds < DRIFT_ROUNDS || ms_of(now_ns) - core->drift_began_ms >= SNAPSHOT_MS) {
        want_snapshot(core);
    }
}

// What was adopted from the file stands only if BIRD has it too (a crash may have come between the
// two).
static void confirm_adoption(struct core *core, uint64_t now_ns)
{
    bool disowned = false;
    for (size_t i = 0; i < core->config->service_count; i++) {
        struct core_service *service = &core->services[i];
        enum target adopted = service->tentative;
        service->tentative = TARGET_WITHDRAW;
        bool on = announcer_is_on(core->announcer, i, LEG_PRIMARY) ||
                  announcer_is_on(core->announcer, i, LEG_DRAIN);
        if (adopted > TARGET_WITHDRAW && service->decision.allowed > TARGET_WITHDRAW && !on) {
            decision_disown(&service->decision, ms_of(now_ns));
            disowned = true;
        }
    }
    if (disowned) {
        decide(core, now_ns);
    }
}

static void snapshot_end(struct core *core, bool complete, uint64_t now_ns)
{
    core->snapshot_under_way = false;
    core->snapshot_at_ms = ms_of(now_ns) + SNAPSHOT_MS;
    if (!complete) {
        return;
    }
    core->drift_rounds += core->drifts != core->drifts_before;
    if (!observed_snapshot_end(core->observed)) {
        events_add(core->events, EVENT_TROUBLE, NULL, now_ns,
                   "out of memory for BIRD's sessions: new ones are not watched")
            ->warning = true;
    }
    if (announcer_snapshot_end(core->announcer)) {
        confirm_adoption(core, now_ns);
    }
    for (size_t i = 0; i < core->config->service_count; i++) {
        note_acknowledged(core, i, now_ns);
    }
    lower(&core->next_ms, core->snapshot_at_ms);
}

static void condition_event(struct core *core, size_t prefix, uint64_t now_ns)
{
    const struct seen_prefix *it = &core->observed->prefixes[prefix];
    enum target target = core->services[it->service].decision.target;
    struct prefix_view view = observed_view(core->observed, prefix, target);
    char text[PREFIX_TEXT_MAX];
    struct event *event = events_add(
        core->events, EVENT_OBSERVED, conf_of(core, it->service)->name, now_ns,
        "%s: %s (target %s, exported by popgate on %zu session%s%s%s%s%s)",
        prefix_text(it->prefix, text), condition_name(it->condition), target_name(target),
        view.announced, view.announced == 1 ? "" : "s", view.other_name != NULL ? ", from " : "",
        view.other_name != NULL ? view.other_name : "", view.other_name != NULL ? " on " : "",
        view.other_session != NULL ? view.other_session : "");
    event->warning = it->condition != CONDITION_AS_MEANT;
}

static void look_up_end(struct core *core, uint64_t token, bool complete, uint64_t now_ns)
{
    size_t index = observed_service(core->observed, token);
    struct core_service *service = &core->services[index];
    uint64_t acted = announcer_acted(core->announcer, index);
    size_t prefix = observed_end(core->observed, token, complete, acted);
    if (!complete) {
        return;
    }
    enum target target = service->decision.target;
    bool settled = announcer_settled(core->announcer, index);
    if (settled && observed_step(core->observed, prefix, target, ms_of(now_ns))) {
        condition_event(core, prefix, now_ns);
    }
    if (observed_view(core->observed, prefix, target).condition != CONDITION_AS_MEANT) {
        service->seen = false;
        if (service->look_again_ms == 0) {
            uint64_t pause_ms =
                service->look_pause_ms < LOOK_AGAIN_MS ? LOOK_AGAIN_MS : service->look_pause_ms;
            service->look_again_ms = ms_of(now_ns) + pause_ms;
            service->look_pause_ms = 2 * pause_ms < LOOK_AGAIN_MAX ? 2 * pause_ms : LOOK_AGAIN_MAX;
            lower(&core->next_ms, service->look_again_ms);
        }
    } else if (!service->seen && settled && observed_as_meant(core->observed, index, target)) {
        service->seen = true;
        service->seen_through = true;
        service->look_again_ms = 0;
        struct event *event = events_get(core->events, service->transition);
        if (event != NULL && event->observed_ns == 0) {
            event->observed_ns = now_ns;
        }
    }
}

void core_end(struct core *core, uint64_t token, enum bird_end end, unsigned code, const char *text,
              uint64_t now_ns)
{
    if (!is_ours(core, token)) {
        return;
    }
    bool complete = end == BIRD_END_REPLY;
    switch (order_kind(token)) {
    case ORDER_ENABLE:
    case ORDER_DISABLE:
        switch_end(core, token, code, text, complete, now_ns);
        break;
    case ORDER_PROTOCOLS:
        snapshot_end(core, complete && bird_outcome(code) == BIRD_OK, now_ns);
        break;
    case ORDER_REVISION:
        if (complete && (bird_outcome(code) == BIRD_OK || bird_outcome(code) == BIRD_NO_PROTOCOL)) {
            loader_revision(&core->loader, core->revision, ms_of(now_ns));
        }
        core->revision[0] = '\0';
        break;
    case ORDER_ROUTE:
        look_up_end(core, token, complete, now_ns);
        break;
    case ORDER_CHECK:
    case ORDER_CONFIGURE:
        loader_reply_end(&core->loader, order_kind(token), complete, code, ms_of(now_ns));
        want_snapshot(core);
        break;
    case ORDER_KINDS:
        break;
    }
    flush(core, now_ns);
}

void core_echo(struct core *core, const char *text, uint64_t now_ns)
{
    static const char command[] = "CLI"; // `debug commands`: somebody's, or our own question
    if (strncmp(text, command, sizeof command - 1) == 0) {
        return;
    }
    bool about_us = strstr(text, "popgate") != NULL || strstr(text, "econfigur") != NULL;
    if (about_us) {
        want_snapshot(core);
    } else if (core->snapshot_at_ms > ms_of(now_ns) + LOOK_AGAIN_MS) {
        core->snapshot_at_ms = ms_of(now_ns) + LOOK_AGAIN_MS; // a session, perhaps
        lower(&core->next_ms, core->snapshot_at_ms);
    }
    flush(core, now_ns);
}

void core_file_saved(struct core *core, uint64_t version, const char *error, uint64_t now_ns)
{
    bool failed = error != NULL;
    if (failed && !core->file_trouble) {
        events_add(core->events, EVENT_TROUBLE, NULL, now_ns,
                   "%s; until it is written, a restart of BIRD brings up what the old file says",
                   error)
            ->warning = true;
    } else if (!failed && core->file_trouble) {
        events_add(core->events, EVENT_TROUBLE, NULL, now_ns, "the include file is written again");
    }
    core->file_trouble = failed;
    if (!failed) {
        loader_saved(&core->loader, version);
    }
    // Not being able to write is trouble of our own: it does not keep a healthy service off the
    // air.
    announcer_file_saved(core->announcer, version);
    flush(core, now_ns);
}

void core_file_foreign(struct core *core, uint64_t now_ns)
{
    loader_write_again(&core->loader);
    events_add(core->events, EVENT_DRIFT, NULL, now_ns,
               "the include file was changed, not by popgate; writing it again")
        ->warning = true;
    core->drifts++;
    want_snapshot(core);
    flush(core, now_ns);
}

void core_tick(struct core *core, uint64_t now_ns)
{
    uint64_t now_ms = ms_of(now_ns);
    for (size_t i = 0; i < core->config->probe_count; i++) {
        if (health_tick(&core->healths[i], &core->config->probes[i], now_ms)) {
            enum health_state shown = health_shown(&core->healths[i]);
            const char *evidence = evidence_of(core, i);
            events_add(core->events, EVENT_HEALTH, NULL, now_ns, "probe %s is %s: %s%s",
                       core->config->probes[i].name, health_name(shown),
                       shown == HEALTH_UNKNOWN ? "nothing known for unknown_grace; last verdict: "
                                               : "",
                       evidence[0] != '\0' ? evidence : "none yet")
                ->warning = true;
        }
    }
    for (size_t i = 0; i < core->config->service_count; i++) {
        struct core_service *service = &core->services[i];
        if (service->look_again_ms != 0 && now_ms >= service->look_again_ms) {
            service->look_again_ms = 0;
            observed_look(core->observed, i);
        }
    }
    if (now_ms >= core->snapshot_at_ms) {
        core->snapshot_at_ms = now_ms + SNAPSHOT_MS;
        core->snapshot_in_turn = true;
        want_snapshot(core);
        observed_look_in_turn(core->observed, LOOKS_PER_SECOND);
    }
    decide(core, now_ns);
    flush(core, now_ns);
}

void core_stop(struct core *core, uint64_t now_ns)
{
    core->stopping = true;
    core->evidence_ns = now_ns;
    for (size_t i = 0; i < core->config->service_count; i++) {
        struct decision *decision = &core->services[i].decision;
        enum target from = decision->target;
        if (conf_of(core, i)->on_exit == ON_EXIT_KEEP || from == TARGET_WITHDRAW) {
            continue;
        }
        decision->target = TARGET_WITHDRAW;
        decision->cause = CAUSE_EXIT;
        decision->since_ms = ms_of(now_ns);
        transition(core, i, from, now_ns);
    }
    flush(core, now_ns);
}

bool core_quiet(const struct core *core)
{
    if (core->links[ORDER_LINK_ACT].state == BIRD_LINK_DOWN) {
        return true;
    }
    for (size_t i = 0; i < core->config->service_count; i++) {
        if (conf_of(core, i)->on_exit == ON_EXIT_WITHDRAW &&
            !announcer_settled(core->announcer, i)) {
            return false;
        }
    }
    return true;
}

// ---- outputs ----

static void ask_snapshot(struct core *core)
{
    if (!core->snapshot_wanted || core->snapshot_under_way ||
        core->links[ORDER_LINK_ASK].state == BIRD_LINK_DOWN || orders_room(&core->orders) < 2) {
        return;
    }
    core->snapshot_wanted = false;
    core->snapshot_under_way = true;
    core->drifts_before = core->drifts;
    announcer_snapshot_begin(core->announcer, core->snapshot_in_turn);
    core->snapshot_in_turn = false;
    observed_snapshot_begin(core->observed);
    orders_put(&core->orders, ORDER_LINK_ASK, false, order_token(ORDER_PROTOCOLS, 0, 0),
               "show protocols");
    orders_put(&core->orders, ORDER_LINK_ASK, false, order_token(ORDER_REVISION, 0, 0),
               "show protocols all \"popgate?_pipe\"");
}

static void report_loading(struct core *core, uint64_t now_ns)
{
    char text[EVENT_TEXT_MAX];
    bool warning = true;
    const struct loader *loader = &core->loader;
    if (loader->state == LOAD_LOADED) {
        snprintf(text, sizeof text, "BIRD has loaded the include file, revision %s",
                 loader->loaded);
        warning = false;
    } else if (loader->state == LOAD_REFUSED) {
        snprintf(text, sizeof text,
                 "BIRD refuses its configuration, the former include file is back; trying again "
                 "every 5 s: %.200s",
                 loader->message);
    } else if (loader->state == LOAD_NOT_INCLUDED) {
        snprintf(text, sizeof text,
                 "BIRD has not read popgate's file: put `include \"%s/bird*.conf\";` into "
                 "bird.conf, then birdc configure",
                 core->config->pop.runtime_dir);
    } else if (loader->state == LOAD_BY_HAND) {
        snprintf(text, sizeof text,
                 "the include file is new (configure = manual): run birdc configure");
    } else {
        return;
    }
    if (strcmp(core->reported, text) != 0) {
        snprintf(core->reported, sizeof core->reported, "%s", text);
        events_add(core->events, EVENT_CONFIGURE, NULL, now_ns, "%s", text)->warning = warning;
    }
}

static void flush(struct core *core, uint64_t now_ns)
{
    announcer_plan(core->announcer, &core->orders);
    if (core->links[ORDER_LINK_ASK].state == BIRD_LINK_DOWN) {
        return;
    }
    ask_snapshot(core);
    if (loader_step(&core->loader, &core->orders, ms_of(now_ns))) {
        report_loading(core, now_ns);
        lower(&core->next_ms, loader_next_ms(&core->loader));
    }
    observed_plan(core->observed, &core->orders, core->announcer->actions);
}

bool core_order(struct core *core, struct order *out)
{
    if (core->orders.count == 0) {
        announcer_plan(core->announcer, &core->orders); // what there was no room for
    }
    if (!orders_take(&core->orders, out)) {
        return false;
    }
    out->token |= (uint64_t)(core->generation & 0xf) << GENERATION_SHIFT;
    return true;
}

const struct birdconf *core_file(const struct core *core, uint64_t *version)
{
    *version = core->loader.version;
    return loader_file(&core->loader);
}

size_t core_switched_off(struct core *core, size_t slots[LOADER_OFF_MAX])
{
    struct loader *loader = &core->loader;
    size_t count = loader->off_count <= LOADER_OFF_MAX ? loader->off_count : 0;
    memcpy(slots, loader->off, count * sizeof *slots);
    loader->off_count = 0;
    return count;
}

uint64_t core_next_ms(struct core *core)
{
    if (core->decided_ns != 0) {
        find_next_ms(core, ms_of(core->decided_ns));
        core->decided_ns = 0;
    }
    return core->next_ms;
}

bool core_probe_unsettled(const struct core *core, size_t probe)
{
    return health_unsettled(&core->healths[probe]);
}
