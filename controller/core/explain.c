#include "controller/core/explain.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define PROBE_TEXT_MAX (2 * VERDICT_CAUSE_MAX + PROBE_NAME_MAX + 64)

static bool can_look(const struct core *core, size_t probe)
{
    return !core->healths[probe].blind && (core->probes[probe].last.at_ns == 0 ||
                                           core->probes[probe].last.kind != VERDICT_UNKNOWN);
}

static bool sees_again(const struct core *core, size_t probe)
{
    return health_settles_anew(&core->healths[probe]) &&
           core->probes[probe].last.kind != VERDICT_UNKNOWN;
}

// Why there is nothing new of a probe that can't look, or could not until just now.
static const char *blind_cause(const struct core *core, size_t probe)
{
    const struct verdict *last = &core->probes[probe].last;
    if (sees_again(core, probe)) {
        return "sees again, and is not settled yet";
    }
    return last->at_ns != 0 && last->kind == VERDICT_UNKNOWN ? last->cause
                                                             : "no verdict comes from it";
}

// What the probe knows against the service; and, if it can't look, why there is no news.
static void explain_probe(const struct core *core, size_t index, char *out, size_t size)
{
    const struct core_probe *probe = &core->probes[index];
    const struct health *health = &core->healths[index];
    const char *name = core->config->probes[index].name;
    bool bad = health->settled == HEALTH_DOWN || health->settled == HEALTH_DEGRADED;
    if (bad && !can_look(core, index)) {
        snprintf(out, size, "probe %s %s %s: %s; now %s%s", name, health->blind ? "was" : "is",
                 health_name(health->settled), probe->bad,
                 sees_again(core, index) ? "" : "can't look: ", blind_cause(core, index));
        return;
    }
    const char *cause = bad                      ? probe->bad
                        : !can_look(core, index) ? blind_cause(core, index)
                        : probe->last.at_ns == 0 ? "no verdict yet"
                                                 : probe->last.cause;
    snprintf(out, size, "probe %s is %s%s%s", name, health_name(health_shown(health)),
             cause[0] != '\0' ? ": " : "", cause);
}

// A probe of an open gate that does not pass: one that can't look rather than one that the service
// can do without.
static size_t not_passing(const struct core *core, const struct service_conf *conf)
{
    const struct index_list *const lists[] = {&conf->require, &conf->any, &conf->degrade};
    size_t found = GATE_NOBODY;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        for (size_t k = 0; k < lists[i]->count; k++) {
            size_t probe = lists[i]->items[k];
            if (!can_look(core, probe)) {
                return probe;
            }
            bool passes = core->healths[probe].settled == HEALTH_UP;
            found = passes || found != GATE_NOBODY ? found : probe;
        }
    }
    return found;
}

static void explain_open(const struct core *core, size_t index, char *out, size_t size)
{
    bool held = core->gates[index].held_by != GATE_NOBODY;
    size_t probe =
        held ? core->gates[index].held_by : not_passing(core, &core->config->services[index]);
    char text[PROBE_TEXT_MAX];
    if (probe == GATE_NOBODY) {
        snprintf(out, size, "all probes pass");
        return;
    }
    const struct health *health = &core->healths[probe];
    if (health->settled == HEALTH_UP && (held || !health->blind)) {
        snprintf(out, size, "probe %s %s%s; %s", core->config->probes[probe].name,
                 sees_again(core, probe) ? "" : "can't look now: ", blind_cause(core, probe),
                 held ? "held as last known" : "what it last saw was good");
    } else {
        explain_probe(core, probe, text, sizeof text);
        snprintf(out, size, "enough probes pass; %s", text);
    }
}

static void explain_gate(const struct core *core, size_t index, char *out, size_t size)
{
    const struct gate *gate = &core->gates[index];
    char text[PROBE_TEXT_MAX];
    if (gate->probe == GATE_NOBODY) {
        explain_open(core, index, out, size);
        return;
    }
    explain_probe(core, gate->probe, text, sizeof text);
    if (gate->service != GATE_NOBODY) {
        snprintf(out, size, "depends on %s: %s", core->config->services[gate->service].name, text);
    } else {
        snprintf(out, size, "%s", text);
    }
}

static void explain_hold_down(const struct core *core, size_t index, uint64_t now_ms, char *out,
                              size_t size)
{
    const struct decision *decision = &core->services[index].decision;
    const struct service_conf *conf = &core->config->services[index];
    uint64_t left_ms = decision_hold_down_left_ms(decision, conf, now_ms);
    snprintf(out, size,
             "healthy again, waiting out hold_down of %" PRIu64 " s, %" PRIu64 " s are left",
             decision_hold_down_ms(decision, conf) / 1000, (left_ms + 999) / 1000);
}

static void explain_intent(const struct intent *intent, enum intent_kind kind, char *out,
                           size_t size)
{
    snprintf(out, size, "%s by %s%s%s", verb_setting(kind)->past,
             intent->by[0] != '\0' ? intent->by : "the ledger",
             intent->reason[0] != '\0' ? ": " : "", intent->reason);
}

static void explain_cut_off(const struct core *core, size_t index, char *out, size_t size)
{
    const struct cut_off *cut_off = &core->services[index].cut_off;
    snprintf(out, size,
             "healthy while withdrawn; announced, popgate's own route takes the place of %s, and "
             "probe %s fails: not announced again until it passes by another way, or undrain",
             core->ways[index].text, core->config->probes[cut_off->probe].name);
}

void explain_service(const struct core *core, size_t index, uint64_t now_ms, char *out, size_t size)
{
    assert(index < core->config->service_count && size > 0);
    const struct core_service *service = &core->services[index];
    char gate[PROBE_TEXT_MAX + SERVICE_NAME_MAX + 16];
    explain_gate(core, index, gate, sizeof gate);
    switch (service->decision.cause) {
    case CAUSE_START:
        snprintf(out, size, "not known healthy yet; %s", gate);
        break;
    case CAUSE_ADOPTED:
        snprintf(out, size, "left as it was, until the probes know; %s", gate);
        break;
    case CAUSE_HOLD_DOWN:
        explain_hold_down(core, index, now_ms, out, size);
        break;
    case CAUSE_UNKNOWN:
        snprintf(out, size, "unknown for longer than %s; %s",
                 core->gates[index].blind ? "unknown_grace" : "adopt_grace", gate);
        break;
    case CAUSE_HEALTHY:
    case CAUSE_DEGRADED:
    case CAUSE_UNHEALTHY:
        snprintf(out, size, "%s", gate);
        break;
    case CAUSE_DRAIN:
        explain_intent(&service->intent, INTENT_DRAIN, out, size);
        break;
    case CAUSE_ISOLATE:
        explain_intent(&service->intent, INTENT_ISOLATE, out, size);
        break;
    case CAUSE_PIN:
        explain_intent(&service->intent, INTENT_PIN, out, size);
        break;
    case CAUSE_CUT_OFF:
        explain_cut_off(core, index, out, size);
        break;
    case CAUSE_EXIT:
        snprintf(out, size, "popgated stops, on_exit = withdraw");
        break;
    }
}
