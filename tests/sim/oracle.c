#include "tests/sim/oracle.h"

#include "controller/core/explain.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_MS UINT64_C(1000000)
#define REPAIR_WITHIN_NS                                                                           \
    (4000 * NS_PER_MS) // a snapshot a second, a slow answer to it, and the repair

__attribute__((format(printf, 2, 3))) static void broken(struct oracle *oracle, const char *text,
                                                         ...)
{
    if (oracle->broken[0] != '\0') {
        return;
    }
    va_list args;
    va_start(args, text);
    vsnprintf(oracle->broken, sizeof oracle->broken, text, args);
    va_end(args);
}

void oracle_start(struct oracle *oracle, const struct config *config, const struct core *core,
                  bool first, uint64_t now_ns)
{
    oracle->config = config;
    memset(oracle->probes, 0, sizeof oracle->probes);
    if (first) {
        memset(oracle->services, 0, sizeof oracle->services);
    }
    for (size_t i = 0; i < config->service_count; i++) {
        struct oracle_service *service = &oracle->services[i];
        service->target = core->services[i].decision.target;
        // What the boot remembers of withdrawals may be one behind: it is written after BIRD was
        // told.
        if (core->services[i].decision.recent < service->worsenings) {
            service->worsenings = core->services[i].decision.recent;
        }
    }
    oracle->seen_events = events_end(core->events) - 1;
    oracle->disturbed_at_ns = now_ns;
}

void oracle_disturbed(struct oracle *oracle, uint64_t now_ns)
{
    oracle->disturbed_at_ns = now_ns;
}

void oracle_verdict(struct oracle *oracle, size_t index, enum verdict_kind kind)
{
    struct oracle_probe *probe = &oracle->probes[index];
    const struct probe_conf *conf = &oracle->config->probes[index];
    if (kind == VERDICT_UNKNOWN) {
        return;
    }
    probe->fails = kind == VERDICT_FAIL ? probe->fails + 1 : 0;
    probe->passes = kind == VERDICT_PASS ? probe->passes + 1 : 0;
    probe->alive = kind == VERDICT_FAIL ? 0 : probe->alive + 1;
    probe->degraded = kind != VERDICT_PASS || (probe->degraded && probe->passes < conf->rise);
    probe->down = probe->fails >= conf->fall || (probe->down && probe->alive < conf->rise);
}

static bool closure_has_trouble(const struct oracle *oracle, size_t index)
{
    const struct service_conf *conf = &oracle->config->services[index];
    const struct index_list *lists[] = {&conf->require, &conf->any, &conf->degrade};
    for (size_t i = 0; i < 3; i++) {
        for (size_t j = 0; j < lists[i]->count; j++) {
            const struct oracle_probe *probe = &oracle->probes[lists[i]->items[j]];
            if (probe->down || probe->degraded || probe->fails > 0) {
                return true;
            }
        }
    }
    for (size_t i = 0; i < conf->depends.count; i++) {
        if (closure_has_trouble(oracle, conf->depends.items[i])) {
            return true;
        }
    }
    return false;
}

static uint64_t hold_down_ns(const struct service_conf *conf, uint64_t worsenings)
{
    uint64_t ms = conf->hold_down_ms;
    for (uint64_t i = 1; i < worsenings && ms < conf->max_hold_down_ms; i++) {
        ms *= 2;
    }
    return (ms < conf->max_hold_down_ms ? ms : conf->max_hold_down_ms) * NS_PER_MS;
}

static bool by_evidence(enum cause cause)
{
    return cause == CAUSE_UNHEALTHY || cause == CAUSE_DEGRADED || cause == CAUSE_HEALTHY ||
           cause == CAUSE_HOLD_DOWN;
}

// Promise 8, by the times between changes alone.
static void check_damping(struct oracle *oracle, size_t index, const struct event *event,
                          uint64_t now_ns)
{
    struct oracle_service *service = &oracle->services[index];
    const struct service_conf *conf = &oracle->config->services[index];
    // An operator's word, or its end, is neither a flap nor damped.
    if (!by_evidence(event->cause) || service->intended) {
        return;
    }
    if (now_ns - service->changed_at_ns >= conf->max_hold_down_ms * NS_PER_MS) {
        service->worsenings =
            service->target == TARGET_ANNOUNCE || service->worsenings == 0 ? 0 : 1;
    }
    if (event->to < event->from && event->cause == CAUSE_HOLD_DOWN) {
        return; // at a restart it turned out that BIRD does not have it
    }
    if (event->to < event->from) {
        service->worsenings++;
        service->worsened_at_ns = now_ns;
    } else if (service->worsenings > 0 && service->worsened_at_ns != 0 &&
               now_ns - service->worsened_at_ns < hold_down_ns(conf, service->worsenings)) {
        broken(oracle, "promise 8: %s improved %" PRIu64 " ms after withdrawal number %" PRIu64,
               conf->name, (now_ns - service->worsened_at_ns) / NS_PER_MS, service->worsenings);
    }
    service->changed_at_ns = now_ns;
}

static void check_cause(struct oracle *oracle, size_t index, const struct event *event)
{
    const struct service_conf *conf = &oracle->config->services[index];
    if (event->text[0] == '\0') {
        broken(oracle, "%s changed to %s and the event has no text", conf->name,
               target_name(event->to));
    }
    if ((event->cause == CAUSE_UNHEALTHY || event->cause == CAUSE_DEGRADED) &&
        event->to < event->from && !closure_has_trouble(oracle, index)) {
        broken(oracle, "promise 2: %s went to %s as %s, but no verdict said so", conf->name,
               target_name(event->to), cause_name(event->cause));
    }
    if (event->cause == CAUSE_UNKNOWN && conf->on_unknown == ON_UNKNOWN_HOLD &&
        event->to < event->from &&
        conf->depends.count == 0) { // what it depends on has its own setting
        broken(oracle, "promise 2: %s is withdrawn as unknown, with on_unknown = hold", conf->name);
    }
}

static size_t service_named(const struct config *config, const char *name)
{
    size_t i = 0;
    while (i < config->service_count && strcmp(config->services[i].name, name) != 0) {
        i++;
    }
    return i;
}

static void check_events(struct oracle *oracle, const struct core *core, uint64_t now_ns)
{
    for (uint64_t seq = oracle->seen_events + 1; seq < events_end(core->events); seq++) {
        const struct event *event = events_get(core->events, seq);
        oracle->seen_events = seq;
        size_t index = service_named(oracle->config, event->service);
        if (event->kind != EVENT_TRANSITION || index == oracle->config->service_count) {
            continue;
        }
        struct oracle_service *service = &oracle->services[index];
        if (event->from != service->target) {
            broken(oracle, "%s: an event says from %s, but it was %s", event->service,
                   target_name(event->from), target_name(service->target));
        }
        check_cause(oracle, index, event);
        check_damping(oracle, index, event, now_ns);
        service->target = event->to;
    }
}

// Promise 1 and the intents, straight from their words.
static void check_target(struct oracle *oracle, const struct core *core, size_t index,
                         uint64_t now_ns)
{
    const struct core_service *service = &core->services[index];
    const struct intent *intent = &service->intent;
    const char *name = oracle->config->services[index].name;
    enum target target = service->decision.target;
    uint64_t now_ms = now_ns / NS_PER_MS;
    if (target != oracle->services[index].target) {
        broken(oracle, "%s is at %s without an event", name, target_name(target));
    }
    oracle->services[index].intended = intent->kind != INTENT_AUTO;
    if (intent->kind == INTENT_ISOLATE && target != TARGET_WITHDRAW) {
        broken(oracle, "promise 1: %s is isolated and at %s", name, target_name(target));
    }
    // core_tick() comes when core_next_ms() says, so one ms after is late.
    if (intent->kind == INTENT_DRAIN && target != TARGET_WITHDRAW &&
        now_ms > intent->since_ms + intent->grace_ms + 1) {
        broken(oracle, "promise 1: %s is drained, its grace is over, and it is at %s", name,
               target_name(target));
    }
    if (intent->kind == INTENT_DRAIN && target == TARGET_ANNOUNCE) {
        broken(oracle, "promise 1: %s is drained and announced", name);
    }
    if (intent->kind == INTENT_PIN && target != TARGET_ANNOUNCE) {
        broken(oracle, "%s is pinned and at %s", name, target_name(target));
    }
    if (intent->until_ms != 0 && now_ms > intent->until_ms + 1) {
        broken(oracle, "promise 1: %s of %s outlives its --for", intent_name(intent->kind), name);
    }
    for (size_t i = 0; i < oracle->config->services[index].require.count; i++) {
        size_t probe = oracle->config->services[index].require.items[i];
        if (oracle->probes[probe].down && oracle->probes[probe].fails > 0 &&
            target != TARGET_WITHDRAW && intent->kind != INTENT_PIN) {
            broken(oracle, "promise 1: %s is at %s although probe %s is down", name,
                   target_name(target), oracle->config->probes[probe].name);
        }
    }
}

static bool matches(enum view view, enum target target, bool established)
{
    switch (target) {
    case TARGET_ANNOUNCE:
        return view == VIEW_PRIMARY || !established;
    case TARGET_DEPREFERENCE:
        return view == VIEW_DRAIN || !established;
    case TARGET_WITHDRAW:
        break;
    }
    return view != VIEW_PRIMARY && view != VIEW_DRAIN;
}

static bool neighbours_agree(const struct model *model, size_t index, enum target target)
{
    for (size_t i = 0; i < model->prefix_count; i++) {
        for (size_t session = 0; session < MODEL_SESSIONS && model->prefixes[i].service == index;
             session++) {
            if (!matches(model->prefixes[i].seen[session], target, model->established[session])) {
                return false;
            }
        }
    }
    return true;
}

static bool everywhere_visible(const struct model *model, size_t index)
{
    for (size_t i = 0; i < model->prefix_count; i++) {
        for (size_t session = 0; session < MODEL_SESSIONS && model->prefixes[i].service == index;
             session++) {
            enum view view = model->prefixes[i].seen[session];
            if (model->established[session] && view != VIEW_PRIMARY && view != VIEW_DRAIN) {
                return false;
            }
        }
    }
    return true;
}

// Between announced and depreferenced there is never a gap (bird-facts 5).
static void check_gap(struct oracle *oracle, const struct core *core, const struct model *model,
                      size_t index, bool can_act, uint64_t now_ns)
{
    struct oracle_service *service = &oracle->services[index];
    bool visible = everywhere_visible(model, index);
    if (service->visible && !visible && can_act &&
        core->services[index].decision.target != TARGET_WITHDRAW &&
        now_ns - oracle->disturbed_at_ns > REPAIR_WITHIN_NS) {
        broken(oracle, "%s vanished on its way to %s", oracle->config->services[index].name,
               target_name(core->services[index].decision.target));
    }
    service->visible = visible;
}

// Promise 4: what is not as decided is repaired soon, when nobody disturbs.
static void check_neighbours(struct oracle *oracle, const struct core *core,
                             const struct model *model, size_t index, bool can_act, uint64_t now_ns)
{
    struct oracle_service *service = &oracle->services[index];
    if (!can_act || neighbours_agree(model, index, core->services[index].decision.target)) {
        service->wrong_since_ns = 0;
        return;
    }
    if (service->wrong_since_ns < oracle->disturbed_at_ns) {
        service->wrong_since_ns = now_ns;
    }
    if (now_ns - service->wrong_since_ns > REPAIR_WITHIN_NS) {
        broken(oracle, "promise 4: for %" PRIu64 " ms neighbours have seen %s otherwise than at %s",
               (now_ns - service->wrong_since_ns) / NS_PER_MS, oracle->config->services[index].name,
               target_name(core->services[index].decision.target));
    }
}

void oracle_check(struct oracle *oracle, const struct core *core, const struct model *model,
                  bool can_act, uint64_t now_ns)
{
    check_events(oracle, core, now_ns);
    for (size_t i = 0; i < oracle->config->service_count; i++) {
        check_target(oracle, core, i, now_ns);
        check_neighbours(oracle, core, model, i, can_act, now_ns);
        check_gap(oracle, core, model, i, can_act, now_ns);
    }
}

static enum target expected_by_health(const struct config *config, size_t index,
                                      const enum verdict_kind truth[])
{
    const struct service_conf *conf = &config->services[index];
    enum verdict_kind worst = VERDICT_PASS;
    for (size_t i = 0; i < conf->require.count; i++) {
        enum verdict_kind kind = truth[conf->require.items[i]];
        worst = kind < worst ? kind : worst;
    }
    uint64_t up = 0;
    uint64_t alive = 0;
    for (size_t i = 0; i < conf->any.count; i++) {
        up += truth[conf->any.items[i]] == VERDICT_PASS;
        alive += truth[conf->any.items[i]] != VERDICT_FAIL;
    }
    if (conf->any.count > 0 && up < conf->any_min) {
        worst = alive < conf->any_min      ? VERDICT_FAIL
                : worst < VERDICT_DEGRADED ? worst
                                           : VERDICT_DEGRADED;
    }
    for (size_t i = 0; i < conf->degrade.count; i++) {
        if (truth[conf->degrade.items[i]] != VERDICT_PASS && worst == VERDICT_PASS) {
            worst = VERDICT_DEGRADED;
        }
    }
    enum target target = worst == VERDICT_PASS       ? TARGET_ANNOUNCE
                         : worst == VERDICT_DEGRADED ? TARGET_DEPREFERENCE
                                                     : TARGET_WITHDRAW;
    for (size_t i = 0; i < conf->depends.count; i++) {
        enum target other = expected_by_health(config, conf->depends.items[i], truth);
        target = other < target ? other : target;
    }
    return target;
}

// Promise 5: what status says was seen is what neighbours have.
static void check_observed(struct oracle *oracle, const struct core *core,
                           const struct model *model)
{
    for (size_t i = 0; i < model->prefix_count; i++) {
        enum target target = core->services[model->prefixes[i].service].decision.target;
        struct prefix_view view = observed_view(core->observed, i, target);
        size_t ours = 0;
        size_t others = 0;
        for (size_t session = 0; session < MODEL_SESSIONS; session++) {
            enum view seen = model->prefixes[i].seen[session];
            ours += seen == VIEW_PRIMARY || seen == VIEW_DRAIN;
            others += seen == VIEW_OTHER;
        }
        if (view.announced != ours || view.other != others) {
            broken(oracle,
                   "promise 5: %s is on %zu sessions (%zu of others), status says %zu (%zu)",
                   model->prefixes[i].text, ours, others, view.announced, view.other);
        }
    }
}

// Promise 4: the file on disk says of each protocol what BIRD does.
static void check_file(struct oracle *oracle, const struct model *model)
{
    char error[ERROR_MAX];
    struct birdconf *conf = birdconf_parse(model->disk, model->disk_length, error);
    for (size_t i = 0; conf != NULL && i < model->protocol_count; i++) {
        if (birdconf_get(conf, model->protocols[i].name) != model->protocols[i].enabled) {
            broken(oracle, "promise 4: %s is %s in BIRD, the include file says otherwise",
                   model->protocols[i].name, model->protocols[i].enabled ? "on" : "off");
        }
    }
    birdconf_free(conf);
}

void oracle_check_quiet(struct oracle *oracle, const struct core *core, const struct model *model,
                        const enum verdict_kind truth[], uint64_t now_ns)
{
    uint64_t now_ms = now_ns / NS_PER_MS;
    for (size_t i = 0; i < oracle->config->service_count; i++) {
        const struct core_service *service = &core->services[i];
        enum target expected = expected_by_health(oracle->config, i, truth);
        enum target cap = TARGET_ANNOUNCE;
        if (service->intent.kind == INTENT_DRAIN) {
            cap = now_ms < service->intent.since_ms + service->intent.grace_ms ? TARGET_DEPREFERENCE
                                                                               : TARGET_WITHDRAW;
        } else if (service->intent.kind == INTENT_ISOLATE) {
            cap = TARGET_WITHDRAW;
        }
        expected = expected < cap ? expected : cap;
        expected = service->intent.kind == INTENT_PIN ? TARGET_ANNOUNCE : expected;
        if (service->decision.target != expected) {
            char why[EVENT_TEXT_MAX];
            explain_service(core, i, now_ms, why, sizeof why);
            broken(oracle, "after quiet %s is at %s (%s), should be at %s",
                   oracle->config->services[i].name, target_name(service->decision.target), why,
                   target_name(expected));
        }
        if (!neighbours_agree(model, i, expected)) {
            broken(oracle, "after quiet neighbours see %s otherwise than at %s",
                   oracle->config->services[i].name, target_name(expected));
        }
    }
    if (core->loader.state != LOAD_LOADED) {
        broken(oracle, "after quiet the include file is %s: %s", load_name(core->loader.state),
               core->loader.message);
    }
    const struct birdconf *file = core_file(core);
    if (file->length != model->disk_length || memcmp(file->text, model->disk, file->length) != 0) {
        broken(oracle, "after quiet the include file does not mirror the state");
    }
    check_observed(oracle, core, model);
    check_file(oracle, model);
}
