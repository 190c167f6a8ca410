// One service of a status: intent, gate, protocols, prefixes.
#include "controller/api/status_parts.h"

#include "controller/core/explain.h"

#include <stdlib.h>
#include <string.h>

static void intent_of(struct json_writer *writer, const struct status_view *view,
                      const struct intent *intent)
{
    uint64_t now_ms = status_now_ms(view);
    jw_open(writer, "intent", '{');
    jw_string(writer, "kind", intent_name(intent->kind));
    if (intent->kind != INTENT_AUTO) {
        jw_string(writer, "reason", intent->reason);
        jw_string(writer, "by", intent->by);
        jw_time(writer, "since", intent->since_wall_ms);
        jw_uint(writer, "age_ms", intent_age_ms(intent, now_ms));
        if (intent->until_ms != 0) {
            jw_time(writer, "until", intent->until_wall_ms);
            jw_uint(writer, "left_ms", status_less(intent->until_ms, now_ms));
        }
    }
    if (intent->kind == INTENT_DRAIN) {
        jw_uint(writer, "grace_ms", intent->grace_ms);
        jw_uint(writer, "grace_left_ms", intent_grace_left_ms(intent, now_ms));
    }
    jw_close(writer, '}');
}

static void gate_one(struct json_writer *writer, const struct core *core, const struct gate *gate)
{
    const struct config *config = core->config;
    jw_open(writer, "gate", '{');
    jw_string(writer, "state", gate_name(gate->state));
    jw_bool(writer, "held", gate->held_by != GATE_NOBODY);
    jw_string(writer, "held_by",
              gate->held_by != GATE_NOBODY ? config->probes[gate->held_by].name : NULL);
    jw_string(writer, "probe",
              gate->probe != GATE_NOBODY ? config->probes[gate->probe].name : NULL);
    jw_string(writer, "service",
              gate->service != GATE_NOBODY ? config->services[gate->service].name : NULL);
    jw_close(writer, '}');
}

static void names(struct json_writer *writer, const char *key, const struct index_list *list,
                  const char *first_name, size_t stride)
{
    jw_open(writer, key, '[');
    for (size_t i = 0; i < list->count; i++) {
        jw_string(writer, NULL, first_name + list->items[i] * stride);
    }
    jw_close(writer, ']');
}

static void needs(struct json_writer *writer, const struct config *config,
                  const struct service_conf *conf)
{
    const char *probe = config->probe_count > 0 ? config->probes[0].name : "";
    names(writer, "require", &conf->require, probe, sizeof *config->probes);
    names(writer, "any", &conf->any, probe, sizeof *config->probes);
    jw_uint(writer, "any_min", conf->any_min);
    names(writer, "degrade", &conf->degrade, probe, sizeof *config->probes);
    names(writer, "depends", &conf->depends, config->services[0].name, sizeof *config->services);
}

static void protocols(struct json_writer *writer, const struct core *core, size_t index)
{
    static const char *const states[] = {[LEG_UNSEEN] = "unseen",
                                         [LEG_ABSENT] = "absent",
                                         [LEG_OFF] = "off",
                                         [LEG_STARTING] = "starting",
                                         [LEG_ON] = "on"};
    const struct service_conf *conf = &core->config->services[index];
    jw_open(writer, "protocols", '{');
    for (unsigned leg = 0; leg < LEGS; leg++) {
        for (unsigned family = 0; family < FAMILIES; family++) {
            if (conf->has_family[family]) {
                char name[BIRD_PROTOCOL_MAX];
                names_protocol(conf, family, leg, name);
                jw_string(writer, name,
                          states[core->announcer->services[index].legs[leg].state[family]]);
            }
        }
    }
    jw_close(writer, '}');
}

static void altered(struct json_writer *writer, const struct core *core, size_t index,
                    const struct prefix_view *seen)
{
    size_t service = core->observed->prefixes[index].service;
    char text[CARRIED_TEXT_MAX];
    jw_uint(writer, "altered_sessions", seen->altered);
    jw_string(writer, "altered_session", seen->altered_session);
    jw_string(
        writer, "lacks",
        observed_lacks(core->observed, index, core->services[service].decision.target, seen, text));
}

static void prefix_one(struct json_writer *writer, const struct status_view *view, size_t index,
                       const struct prefix_view *seen)
{
    const struct core *core = view->core;
    char text[PREFIX_TEXT_MAX];
    jw_open(writer, NULL, '{');
    jw_string(writer, "prefix", prefix_text(core->observed->prefixes[index].prefix, text));
    jw_string(writer, "condition",
              condition_name(core_condition(core, index, seen, status_now_ms(view))));
    // Where no session is needed, BIRD has our route.
    uint64_t needed = core->config->bird.min_sessions;
    bool there =
        needed > 0 ||
        (core_condition(core, index, seen, status_now_ms(view)) == CONDITION_AS_MEANT &&
         core->services[core->observed->prefixes[index].service].decision.target > TARGET_WITHDRAW);
    jw_bool(writer, "announced", there && seen->announced >= needed);
    jw_uint(writer, "sessions", seen->announced);
    jw_uint(writer, "sessions_unknown", seen->unknown);
    if (seen->since_ms != 0) {
        status_past(writer, view, "seen_at", "seen_age_ms", seen->since_ms);
    }
    jw_uint(writer, "sessions_uncarried", seen->uncarried);
    jw_string(writer, "lacking", seen->lacking);
    if (seen->other_name != NULL) {
        jw_uint(writer, "other_sessions", seen->other);
        jw_string(writer, "other", seen->other_name);
        jw_string(writer, "other_session", seen->other_session);
    }
    if (seen->altered > 0) {
        altered(writer, core, index, seen);
    }
    jw_close(writer, '}');
}

// Prefixes whose being as meant is odd or not, until left is used up.
static void prefixes_where(struct json_writer *writer, const struct status_view *view, size_t index,
                           bool odd, size_t *left)
{
    const struct core *core = view->core;
    const struct observed *observed = core->observed;
    for (size_t i = observed->first[index]; i < observed->first[index + 1] && *left > 0; i++) {
        struct prefix_view seen = core_view(core, i, status_now_ms(view));
        if ((core_condition(core, i, &seen, status_now_ms(view)) != CONDITION_AS_MEANT) == odd) {
            prefix_one(writer, view, i, &seen);
            (*left)--;
        }
    }
}

static void prefixes(struct json_writer *writer, const struct status_view *view, size_t index,
                     bool full)
{
    const struct core *core = view->core;
    const struct observed *observed = core->observed;
    size_t count = observed->first[index + 1] - observed->first[index];
    size_t conditions[CONDITIONS] = {0};
    size_t fewest = SIZE_MAX;
    size_t most = 0;
    for (size_t i = observed->first[index]; i < observed->first[index + 1]; i++) {
        struct prefix_view seen = core_view(core, i, status_now_ms(view));
        conditions[core_condition(core, i, &seen, status_now_ms(view))]++;
        fewest = seen.announced < fewest ? seen.announced : fewest;
        most = seen.announced > most ? seen.announced : most;
    }
    jw_uint(writer, "sessions_min", count > 0 ? fewest : 0);
    jw_uint(writer, "sessions_max", most);
    jw_uint(writer, "prefix_count", count);
    jw_open(writer, "conditions", '{');
    for (unsigned condition = 0; condition < CONDITIONS; condition++) {
        jw_uint(writer, condition_name(condition), conditions[condition]);
    }
    jw_close(writer, '}');
    size_t left = full ? SIZE_MAX : STATUS_PREFIXES;
    jw_open(writer, "prefixes", '[');
    prefixes_where(writer, view, index, true, &left);
    prefixes_where(writer, view, index, false, &left);
    jw_close(writer, ']');
}

void status_one_service(struct json_writer *writer, const struct status_view *view, const char *key,
                        size_t index, bool full)
{
    const struct core *core = view->core;
    const struct service_conf *conf = &core->config->services[index];
    const struct core_service *service = &core->services[index];
    const struct decision *decision = &service->decision;
    char why[EVENT_TEXT_MAX];
    explain_service(core, index, status_now_ms(view), why, sizeof why);
    jw_open(writer, key, '{');
    jw_string(writer, "name", conf->name);
    jw_string(writer, "target", target_name(decision->target));
    status_past(writer, view, "since", "age_ms", decision->since_ms);
    jw_string(writer, "cause", cause_name(decision->cause));
    jw_string(writer, "why", why);
    jw_string(writer, "allowed", target_name(decision->allowed));
    jw_uint(writer, "hold_down_left_ms",
            decision_hold_down_left_ms(decision, conf, status_now_ms(view)));
    jw_uint(writer, "recent_withdrawals", decision->recent);
    intent_of(writer, view, &service->intent);
    gate_one(writer, core, &core->gates[index]);
    needs(writer, core->config, conf);
    jw_bool(writer, "seen", core_is_seen(core, index, status_now_ms(view)));
    jw_bool(writer, "settled", announcer_settled(core->announcer, index));
    jw_bool(writer, "lacks_protocol", announcer_lacks_protocol(core->announcer, index));
    protocols(writer, core, index);
    prefixes(writer, view, index, full);
    jw_close(writer, '}');
}

static bool lists(const struct index_list *list, size_t index)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i] == index) {
            return true;
        }
    }
    return false;
}

// Its own, and the one that decides through a service that it depends on.
bool status_matters(const struct core *core, size_t service, size_t probe)
{
    const struct service_conf *conf = &core->config->services[service];
    return lists(&conf->require, probe) || lists(&conf->any, probe) ||
           lists(&conf->degrade, probe) || core->gates[service].probe == probe;
}
