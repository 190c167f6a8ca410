#include "controller/explain.h"

#include <inttypes.h>
#include <stdio.h>

static void explain_gate(const struct core *core, const struct gate *gate, char *out, size_t size)
{
    char through[SERVICE_NAME_MAX + 24] = "";
    if (gate->service != GATE_NOBODY) {
        snprintf(through, sizeof through,
                 "depends on %s: ", core->config->services[gate->service].name);
    }
    if (gate->probe == GATE_NOBODY) {
        snprintf(out, size, "%s%s", through,
                 gate->held ? "probes can't look now; held as last known" : "all probes pass");
        return;
    }
    const struct core_probe *probe = &core->probes[gate->probe];
    const char *name = core->config->probes[gate->probe].name;
    enum health_state health = health_shown(&core->healths[gate->probe]);
    if (probe->last.cause[0] == '\0') {
        snprintf(out, size, "%sprobe %s is %s: no verdict yet", through, name, health_name(health));
    } else {
        snprintf(out, size, "%sprobe %s is %s: %s", through, name, health_name(health),
                 probe->last.cause);
    }
}

static void explain_intent(const struct intent *intent, const char *verb, char *out, size_t size)
{
    snprintf(out, size, "%s by %s%s%s", verb, intent->by[0] != '\0' ? intent->by : "the ledger",
             intent->reason[0] != '\0' ? ": " : "", intent->reason);
}

void explain_service(const struct core *core, size_t index, char *out, size_t size)
{
    const struct core_service *service = &core->services[index];
    char gate[VERDICT_CAUSE_MAX + 180];
    explain_gate(core, &core->gates[index], gate, sizeof gate);
    switch (service->decision.cause) {
    case CAUSE_START:
        snprintf(out, size, "not known healthy since start; %s", gate);
        break;
    case CAUSE_ADOPTED:
        snprintf(out, size, "as BIRD had it at the restart, until the probes know; %s", gate);
        break;
    case CAUSE_HOLD_DOWN:
        snprintf(out, size, "healthy again, waiting out hold_down of %" PRIu64 " s",
                 decision_hold_down_ms(&service->decision, &core->config->services[index]) / 1000);
        break;
    case CAUSE_UNKNOWN:
        snprintf(out, size, "unknown for longer than unknown_grace; %s", gate);
        break;
    case CAUSE_HEALTHY:
    case CAUSE_DEGRADED:
    case CAUSE_UNHEALTHY:
        snprintf(out, size, "%s", gate);
        break;
    case CAUSE_DRAIN:
        explain_intent(&service->intent, "drained", out, size);
        break;
    case CAUSE_ISOLATE:
        explain_intent(&service->intent, "isolated", out, size);
        break;
    case CAUSE_PIN:
        explain_intent(&service->intent, "pinned", out, size);
        break;
    case CAUSE_EXIT:
        snprintf(out, size, "popgated stops, on_exit = withdraw");
        break;
    }
}
