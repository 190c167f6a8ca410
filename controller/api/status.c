#include "controller/api/status.h"

#include "base/clock.h"

#include "base/json_writer.h"
#include "controller/core/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_EXPLAIN 20 // of one service

#ifndef POPGATE_VERSION
#define POPGATE_VERSION "unknown"
#endif

static uint64_t now_ms_of(const struct status_view *view)
{
    return view->now_ns / NS_PER_MS;
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

// A past time of the monotonic clock, as a timestamp and as an age.
static void past(struct json_writer *writer, const struct status_view *view, const char *key,
                 const char *age_key, uint64_t at_ms)
{
    uint64_t age_ms = less(now_ms_of(view), at_ms);
    jw_time(writer, key, less(view->now_wall_ms, age_ms));
    jw_uint(writer, age_key, age_ms);
}

// ---- BIRD ----

static void link_one(struct json_writer *writer, const struct status_view *view, const char *key,
                     const struct core_link *link)
{
    static const char *const names[] = {
        [BIRD_LINK_DOWN] = "down", [BIRD_LINK_UP] = "up", [BIRD_LINK_SILENT] = "silent"};
    jw_open(writer, key, '{');
    jw_string(writer, "state", names[link->state]);
    past(writer, view, "since", "age_ms", link->since_ns / NS_PER_MS);
    jw_string(writer, "reason", link->reason);
    jw_close(writer, '}');
}

static void bird(struct json_writer *writer, const struct status_view *view)
{
    const struct core *core = view->core;
    const struct core_link *link = &core->links[ORDER_LINK_ACT];
    char version[48] = "";
    if (link->version.major != 0) {
        snprintf(version, sizeof version, "%u.%u.%u", link->version.major, link->version.minor,
                 link->version.patch);
    }
    jw_open(writer, "bird", '{');
    jw_string(writer, "version", version[0] != '\0' ? version : NULL);
    link_one(writer, view, "link", link);
    link_one(writer, view, "asking", &core->links[ORDER_LINK_ASK]);
    jw_bool(writer, "denied", core->denied);
    jw_uint(writer, "established", observed_established(core->observed));
    jw_uint(writer, "min_sessions", core->config->bird.min_sessions);
    jw_bool(writer, "too_many_sessions", core->observed->too_many_sessions);
    jw_open(writer, "sessions", '[');
    for (size_t i = 0; i < core->observed->session_count; i++) {
        jw_open(writer, NULL, '{');
        jw_string(writer, "name", core->observed->sessions[i].name);
        jw_bool(writer, "established", core->observed->sessions[i].established);
        jw_close(writer, '}');
    }
    jw_close(writer, ']');
    jw_close(writer, '}');
}

static void include(struct json_writer *writer, const struct status_view *view)
{
    const struct loader *loader = &view->core->loader;
    char line[sizeof view->core->config->pop.runtime_dir + 32];
    snprintf(line, sizeof line, "include \"%s/bird*.conf\";", view->core->config->pop.runtime_dir);
    jw_open(writer, "include", '{');
    jw_string(writer, "state", load_name(loader->state));
    jw_string(writer, "message", loader->message);
    jw_string(writer, "line", line); // that bird.conf needs
    jw_bool(writer, "saved", include_is_saved(&view->core->include));
    jw_close(writer, '}');
}

static void problems(struct json_writer *writer, const struct status_view *view, size_t service)
{
    const struct core *core = view->core;
    struct problem *found = calloc(PROBLEMS_MAX, sizeof *found);
    if (found == NULL) {
        writer->failed = true;
        return;
    }
    size_t count = problems_find(core, &view->own, service, now_ms_of(view), found, PROBLEMS_MAX);
    jw_uint(writer, "problem_count", count);
    jw_open(writer, "problems", '[');
    for (size_t i = 0; i < count && i < PROBLEMS_MAX; i++) {
        const struct problem *problem = &found[i];
        jw_open(writer, NULL, '{');
        jw_string(writer, "severity", severity_name(problem->severity));
        jw_string(writer, "code", problem->code);
        jw_string(writer, "service",
                  problem->service != PROBLEM_OF_NONE
                      ? core->config->services[problem->service].name
                      : NULL);
        if (problem->since_ms != 0) {
            past(writer, view, "since", "age_ms", problem->since_ms);
        }
        jw_string(writer, "text", problem->text);
        jw_string(writer, "advice", problem->advice[0] != '\0' ? problem->advice : NULL);
        jw_close(writer, '}');
    }
    jw_close(writer, ']');
    free(found);
}

// What both answers begin with.
static void head(struct json_writer *writer, const struct status_view *view, size_t service)
{
    const struct config *config = view->core->config;
    jw_string(writer, "pop", config->pop.id);
    jw_string(writer, "region", config->pop.region);
    jw_string(writer, "version", POPGATE_VERSION);
    jw_time(writer, "time", view->now_wall_ms);
    jw_uint(writer, "uptime_ms", less(view->now_ns, view->started_ns) / NS_PER_MS);
    jw_bool(writer, "stopping", view->core->stopping);
    bird(writer, view);
    include(writer, view);
    jw_string(writer, "ledger_trouble", view->own.ledger);
    jw_string(writer, "prober_trouble", view->own.prober);
    problems(writer, view, service);
    jw_uint(writer, "drifts", view->core->drifts);
}

// ---- the responder ----

static void channel_one(struct json_writer *writer, const struct dns_totals *totals,
                        enum dns_channel channel)
{
    char rcode[DNS_TYPE_TEXT_MAX];
    jw_open(writer, dns_channel_name(channel), '{');
    for (unsigned count = 0; count < DNS_COUNTS; count++) {
        jw_uint(writer, dns_count_name(count), totals->counts[channel][count]);
    }
    jw_open(writer, "rcodes", '{');
    for (unsigned i = 0; i < DNS_RCODES; i++) {
        if (totals->rcodes[channel][i] > 0) {
            jw_uint(writer, dns_rcode_text((uint16_t)i, rcode), totals->rcodes[channel][i]);
        }
    }
    jw_close(writer, '}');
    jw_open(writer, "kinds", '{');
    for (unsigned kind = 0; kind < DNS_KINDS; kind++) {
        jw_uint(writer, dns_kind_name(kind), totals->kinds[channel][kind]);
    }
    jw_close(writer, '}');
    jw_close(writer, '}');
}

static void responder(struct json_writer *writer, const struct status_view *view)
{
    const struct config *config = view->core->config;
    struct dns_totals totals = {.tcp_open = 0};
    char zone[DNS_NAME_TEXT_MAX];
    char source[COOKIE_SOURCE_MAX];
    if (config->responder.listen_count == 0) {
        jw_null(writer, "responder");
        return;
    }
    if (view->totals != NULL) {
        view->totals(view->arg, &totals);
    }
    jw_open(writer, "responder", '{');
    jw_string(writer, "id", config->responder.id);
    jw_string(writer, "zone",
              config->zone.apex != NULL ? dns_name_text(config->zone.apex, zone) : NULL);
    jw_string(writer, "cookie_secret", config_cookie_source(config, source));
    jw_uint(writer, "threads", config->responder.threads);
    jw_open(writer, "listen", '[');
    for (size_t i = 0; i < config->responder.listen_count; i++) {
        char text[ENDPOINT_TEXT_MAX];
        struct endpoint endpoint = {.address = config->responder.listen[i].address,
                                    .length = config->responder.listen[i].length};
        jw_string(writer, NULL, endpoint_text(&endpoint, text));
    }
    jw_close(writer, ']');
    jw_uint(writer, "tcp_open", totals.tcp_open);
    jw_open(writer, "channels", '{');
    for (unsigned channel = 0; channel < DNS_CHANNELS; channel++) {
        channel_one(writer, &totals, channel);
    }
    jw_close(writer, '}');
    jw_close(writer, '}');
}

// ---- probes ----

static void verdict_of(struct json_writer *writer, const struct status_view *view,
                       const struct core_probe *probe)
{
    if (probe->last.at_ns == 0) {
        jw_null(writer, "verdict");
        return;
    }
    jw_open(writer, "verdict", '{');
    jw_string(writer, "kind", verdict_name(probe->last.kind));
    jw_string(writer, "code", probe->last.code);
    jw_string(writer, "cause", probe->last.cause);
    jw_ms(writer, "duration_ms", probe->last.duration_ns);
    jw_bool(writer, "definitive", probe->last.definitive);
    past(writer, view, "at", "age_ms", probe->last.at_ns / NS_PER_MS);
    jw_close(writer, '}');
}

static void probe_one(struct json_writer *writer, const struct status_view *view, size_t index)
{
    const struct probe_conf *conf = &view->core->config->probes[index];
    const struct core_probe *probe = &view->core->probes[index];
    const struct health *health = &view->core->healths[index];
    char target[ENDPOINT_TEXT_MAX];
    char watch[WATCH_TEXT_MAX];
    const struct status_prober *prober = view->prober;
    time_t not_after = prober != NULL ? prober->not_after(view->arg, index) : 0;
    jw_open(writer, NULL, '{');
    jw_string(writer, "name", conf->name);
    jw_string(writer, "type", conf->type->name);
    jw_string(writer, "target",
              conf->target.length > 0 ? endpoint_text(&conf->target, target) : NULL);
    jw_string(writer, "health", health_name(health_shown(health)));
    past(writer, view, "since", "age_ms", health->since_ms);
    jw_bool(writer, "blind", health->blind);
    jw_bool(writer, "unsettled", health_unsettled(health));
    jw_string(writer, "watch", prober != NULL ? prober->watch(view->arg, index, watch) : NULL);
    if (not_after > 0) {
        jw_time(writer, "not_after", (uint64_t)not_after * 1000);
    } else {
        jw_null(writer, "not_after");
    }
    verdict_of(writer, view, probe);
    jw_open(writer, "verdicts", '{');
    for (unsigned kind = VERDICT_UNKNOWN; kind <= VERDICT_PASS; kind++) {
        jw_uint(writer, verdict_name(kind), probe->verdicts[kind]);
    }
    jw_close(writer, '}');
    jw_close(writer, '}');
}

// ---- services ----

static void intent_of(struct json_writer *writer, const struct status_view *view,
                      const struct intent *intent)
{
    uint64_t now_ms = now_ms_of(view);
    jw_open(writer, "intent", '{');
    jw_string(writer, "kind", intent_name(intent->kind));
    if (intent->kind != INTENT_AUTO) {
        jw_string(writer, "reason", intent->reason);
        jw_string(writer, "by", intent->by);
        jw_time(writer, "since", intent->since_wall_ms);
        jw_uint(writer, "age_ms", less(now_ms, intent->since_ms));
        if (intent->until_ms != 0) {
            jw_time(writer, "until", intent->until_wall_ms);
            jw_uint(writer, "left_ms", less(intent->until_ms, now_ms));
        }
    }
    if (intent->kind == INTENT_DRAIN) {
        jw_uint(writer, "grace_ms", intent->grace_ms);
        jw_uint(writer, "grace_left_ms", less(intent->since_ms + intent->grace_ms, now_ms));
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

static void prefix_one(struct json_writer *writer, const struct core *core, size_t index,
                       const struct prefix_view *seen)
{
    char text[PREFIX_TEXT_MAX];
    jw_open(writer, NULL, '{');
    jw_string(writer, "prefix", prefix_text(core->observed->prefixes[index].prefix, text));
    jw_string(writer, "condition", condition_name(core_condition(core, index, seen)));
    jw_bool(writer, "announced", seen->announced >= core->config->bird.min_sessions);
    jw_uint(writer, "sessions", seen->announced);
    jw_uint(writer, "sessions_unknown", seen->unknown);
    if (seen->other_name != NULL) {
        jw_uint(writer, "other_sessions", seen->other);
        jw_string(writer, "other", seen->other_name);
        jw_string(writer, "other_session", seen->other_session);
    }
    jw_close(writer, '}');
}

// Prefixes whose being as meant is odd or not, until left is used up.
static void prefixes_where(struct json_writer *writer, const struct core *core, size_t index,
                           bool odd, size_t *left)
{
    const struct observed *observed = core->observed;
    enum target target = core->services[index].decision.target;
    for (size_t i = observed->first[index]; i < observed->first[index + 1] && *left > 0; i++) {
        struct prefix_view seen = observed_view(observed, i, target);
        if ((core_condition(core, i, &seen) != CONDITION_AS_MEANT) == odd) {
            prefix_one(writer, core, i, &seen);
            (*left)--;
        }
    }
}

static void prefixes(struct json_writer *writer, const struct core *core, size_t index, bool full)
{
    const struct observed *observed = core->observed;
    size_t count = observed->first[index + 1] - observed->first[index];
    size_t conditions[CONDITION_LATE + 1] = {0};
    size_t fewest = SIZE_MAX;
    size_t most = 0;
    for (size_t i = observed->first[index]; i < observed->first[index + 1]; i++) {
        struct prefix_view seen = observed_view(observed, i, core->services[index].decision.target);
        conditions[core_condition(core, i, &seen)]++;
        fewest = seen.announced < fewest ? seen.announced : fewest;
        most = seen.announced > most ? seen.announced : most;
    }
    jw_uint(writer, "sessions_min", count > 0 ? fewest : 0);
    jw_uint(writer, "sessions_max", most);
    jw_uint(writer, "prefix_count", count);
    jw_open(writer, "conditions", '{');
    for (unsigned condition = 0; condition <= CONDITION_LATE; condition++) {
        jw_uint(writer, condition_name(condition), conditions[condition]);
    }
    jw_close(writer, '}');
    size_t left = full ? SIZE_MAX : STATUS_PREFIXES;
    jw_open(writer, "prefixes", '[');
    prefixes_where(writer, core, index, true, &left);
    prefixes_where(writer, core, index, false, &left);
    jw_close(writer, ']');
}

static void service_one(struct json_writer *writer, const struct status_view *view, const char *key,
                        size_t index, bool full)
{
    const struct core *core = view->core;
    const struct service_conf *conf = &core->config->services[index];
    const struct core_service *service = &core->services[index];
    const struct decision *decision = &service->decision;
    char why[EVENT_TEXT_MAX];
    explain_service(core, index, now_ms_of(view), why, sizeof why);
    jw_open(writer, key, '{');
    jw_string(writer, "name", conf->name);
    jw_string(writer, "target", target_name(decision->target));
    past(writer, view, "since", "age_ms", decision->since_ms);
    jw_string(writer, "cause", cause_name(decision->cause));
    jw_string(writer, "why", why);
    jw_string(writer, "allowed", target_name(decision->allowed));
    jw_uint(writer, "hold_down_left_ms",
            decision_hold_down_left_ms(decision, conf, now_ms_of(view)));
    jw_uint(writer, "recent_withdrawals", decision->recent);
    intent_of(writer, view, &service->intent);
    gate_one(writer, core, &core->gates[index]);
    needs(writer, core->config, conf);
    // What was seen before BIRD went out of sight is not what is seen.
    jw_bool(writer, "seen",
            service->seen && core->links[ORDER_LINK_ACT].state == BIRD_LINK_UP &&
                core->links[ORDER_LINK_ASK].state == BIRD_LINK_UP);
    jw_bool(writer, "settled", announcer_settled(core->announcer, index));
    jw_bool(writer, "lacks_protocol", announcer_lacks_protocol(core->announcer, index));
    protocols(writer, core, index);
    prefixes(writer, core, index, full);
    jw_close(writer, '}');
}

char *status_all(const struct status_view *view, bool full, size_t *length)
{
    struct json_writer writer = {0};
    jw_open(&writer, NULL, '{');
    head(&writer, view, PROBLEM_OF_NONE);
    responder(&writer, view);
    jw_open(&writer, "services", '[');
    for (size_t i = 0; i < view->core->config->service_count; i++) {
        service_one(&writer, view, NULL, i, full);
    }
    jw_close(&writer, ']');
    jw_open(&writer, "probes", '[');
    for (size_t i = 0; i < view->core->config->probe_count; i++) {
        probe_one(&writer, view, i);
    }
    jw_close(&writer, ']');
    jw_close(&writer, '}');
    return jw_finish(&writer, length);
}

// ---- events ----

static void reaction(struct json_writer *writer, const char *key, uint64_t from_ns, uint64_t at_ns)
{
    if (at_ns != 0) {
        jw_ms(writer, key, less(at_ns, from_ns));
    }
}

static void event_one(struct json_writer *writer, const struct status_view *view,
                      const struct event *event)
{
    uint64_t from_ns = event->evidence_ns != 0 ? event->evidence_ns : event->at_ns;
    jw_open(writer, NULL, '{');
    jw_uint(writer, "seq", event->seq);
    jw_string(writer, "kind", event_name(event->kind));
    jw_bool(writer, "warning", event->warning);
    past(writer, view, "at", "age_ms", event->at_ns / NS_PER_MS);
    jw_uint(writer, "at_monotonic_ns", event->at_ns);
    jw_string(writer, "service", event->service[0] != '\0' ? event->service : NULL);
    if (event->kind == EVENT_TRANSITION) {
        jw_string(writer, "from", target_name(event->from));
        jw_string(writer, "to", target_name(event->to));
        jw_string(writer, "cause", cause_name(event->cause));
        if (event->evidence_ns != 0) {
            reaction(writer, "decided_ms", from_ns, event->at_ns);
        }
        reaction(writer, "acknowledged_ms", from_ns, event->acknowledged_ns);
        reaction(writer, "observed_ms", from_ns, event->observed_ns);
    }
    jw_string(writer, "text", event->text);
    jw_close(writer, '}');
}

static bool is_about(const struct event *event, const char *service)
{
    return service == NULL || strcmp(event->service, service) == 0;
}

static void events_from(struct json_writer *writer, const struct status_view *view, uint64_t since,
                        const char *service)
{
    struct events *events = view->core->events;
    jw_open(writer, "events", '[');
    for (uint64_t seq = since; seq < events_end(events); seq++) {
        const struct event *event = events_get(events, seq);
        if (is_about(event, service)) {
            event_one(writer, view, event);
        }
    }
    jw_close(writer, ']');
}

char *status_events(const struct status_view *view, uint64_t since, const char *service,
                    size_t *length)
{
    struct events *events = view->core->events;
    uint64_t first = events_first(events);
    struct json_writer writer = {0};
    jw_open(&writer, NULL, '{');
    jw_uint(&writer, "next", events_end(events));
    jw_uint(&writer, "lost", since != 0 ? less(first, since) : 0);
    events_from(&writer, view, since > first ? since : first, service);
    jw_close(&writer, '}');
    return jw_finish(&writer, length);
}

// The number from which on there are EVENTS_EXPLAIN of the service, or all that are kept.
static uint64_t last_events(struct events *events, const char *service)
{
    uint64_t seq = events_end(events);
    for (size_t found = 0; seq > events_first(events) && found < EVENTS_EXPLAIN;) {
        seq--;
        found += is_about(events_get(events, seq), service);
    }
    return seq;
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
static bool matters_to(const struct core *core, size_t service, size_t probe)
{
    const struct service_conf *conf = &core->config->services[service];
    return lists(&conf->require, probe) || lists(&conf->any, probe) ||
           lists(&conf->degrade, probe) || core->gates[service].probe == probe;
}

char *status_service(const struct status_view *view, size_t service, size_t *length)
{
    const struct core *core = view->core;
    const char *name = core->config->services[service].name;
    struct json_writer writer = {0};
    jw_open(&writer, NULL, '{');
    head(&writer, view, service);
    service_one(&writer, view, "service", service, true);
    jw_open(&writer, "probes", '[');
    for (size_t i = 0; i < core->config->probe_count; i++) {
        if (matters_to(core, service, i)) {
            probe_one(&writer, view, i);
        }
    }
    jw_close(&writer, ']');
    events_from(&writer, view, last_events(core->events, name), name);
    jw_close(&writer, '}');
    return jw_finish(&writer, length);
}
