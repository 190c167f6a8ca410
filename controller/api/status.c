#include "controller/api/status_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef POPGATE_VERSION
#define POPGATE_VERSION "unknown"
#endif

// ---- BIRD

static void link_one(struct json_writer *writer, const struct status_view *view, const char *key,
                     const struct core_link *link)
{
    static const char *const names[] = {
        [BIRD_LINK_DOWN] = "down", [BIRD_LINK_UP] = "up", [BIRD_LINK_SILENT] = "silent"};
    jw_open(writer, key, '{');
    jw_string(writer, "state", names[link->state]);
    status_past(writer, view, "since", "age_ms", link->since_ns / NS_PER_MS);
    jw_string(writer, "reason", link->reason);
    jw_close(writer, '}');
}

// What BIRD said of it in detail; capabilities and times only of a session that is established.
static void session_detail(struct json_writer *writer, const struct status_view *view,
                           const struct session *session)
{
    const struct bird_bgp *bgp = &session->bgp;
    jw_string(writer, "neighbor", bgp->neighbor[0] != '\0' ? bgp->neighbor : NULL);
    jw_uint(writer, "neighbor_as", bgp->neighbor_as);
    jw_uint(writer, "local_as", bgp->local_as);
    jw_string(writer, "kind", bgp->neighbor_as == bgp->local_as ? "internal" : "external");
    jw_open(writer, "families", '[');
    if (bgp->ipv4) {
        jw_string(writer, NULL, "ipv4");
    }
    if (bgp->ipv6) {
        jw_string(writer, NULL, "ipv6");
    }
    jw_close(writer, ']');
    if (bgp->open) {
        jw_uint(writer, "hold_time_s", bgp->hold_s);
        jw_uint(writer, "graceful_restart_s", session_restart_s(session));
        jw_uint(writer, "long_lived_s", session_stale_s(session));
        jw_uint(writer, "neighbor_graceful_restart_s", bgp->theirs.restart_s);
        jw_uint(writer, "neighbor_long_lived_s", bgp->theirs.stale_s);
    }
    jw_string(writer, "bfd", session->bfd[0] != '\0' ? session->bfd : NULL);
    jw_uint(writer, "detail_age_ms", status_less(status_now_ms(view), session->bgp_at_ms));
}

static void session_one(struct json_writer *writer, const struct status_view *view,
                        const struct session *session)
{
    bool seen = core_sees(view->core, status_now_ms(view)) &&
                (session->there || view->core->observed->sessions.known);
    enum session_state state = seen ? session_state(session) : SESSION_UNSEEN;
    jw_open(writer, NULL, '{');
    jw_string(writer, "name", session->name);
    jw_string(writer, "state", session_state_name(state));
    jw_bool(writer, "established", state == SESSION_ESTABLISHED);
    jw_string(writer, "says", seen && session->there ? session->says : NULL);
    if (state != SESSION_UNSEEN && state == session->state) {
        status_past(writer, view, "since", "age_ms", session->since_ms);
    }
    if (seen && session->there && session->bgp_known && session->bgp.neighbor_as != 0) {
        session_detail(writer, view, session);
    }
    jw_close(writer, '}');
}

static void bird(struct json_writer *writer, const struct status_view *view)
{
    const struct core *core = view->core;
    const struct sessions *sessions = &core->observed->sessions;
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
    jw_uint(writer, "established", core_established(core, status_now_ms(view)));
    jw_uint(writer, "min_sessions", core->config->bird.min_sessions);
    jw_bool(writer, "too_many_sessions", sessions->too_many);
    jw_open(writer, "sessions", '[');
    for (size_t i = 0; i < sessions->count; i++) {
        if (session_is_one(&sessions->all[i])) {
            session_one(writer, view, &sessions->all[i]);
        }
    }
    jw_close(writer, ']');
    jw_close(writer, '}');
}

static void include(struct json_writer *writer, const struct status_view *view)
{
    const struct loader *loader = &view->core->loader;
    char line[BIRDCONF_LINE_MAX];
    birdconf_include_line(view->core->config->pop.runtime_dir, line);
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
    size_t count =
        problems_find(core, &view->own, service, status_now_ms(view), found, PROBLEMS_MAX);
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
            status_past(writer, view, "since", "age_ms", problem->since_ms);
        }
        jw_string(writer, "text", problem->text);
        jw_string(writer, "advice", problem->advice[0] != '\0' ? problem->advice : NULL);
        jw_close(writer, '}');
    }
    jw_close(writer, ']');
    free(found);
}

static void loop(struct json_writer *writer, const struct status_view *view)
{
    struct status_turns turns = {0};
    if (view->prober != NULL) {
        turns = view->prober->longest_turns(view->arg);
    }
    jw_open(writer, "loop", '{');
    jw_uint(writer, "longest_turn_us", turns.ever_ns / NS_PER_US);
    jw_uint(writer, "longest_turn_in_10s_us", turns.recent_ns / NS_PER_US);
    jw_uint(writer, "longest_turn_in_reload_us", turns.in_reload_ns / NS_PER_US);
    jw_close(writer, '}');
}

// What both answers begin with.
static void head(struct json_writer *writer, const struct status_view *view, size_t service)
{
    const struct config *config = view->core->config;
    jw_string(writer, "pop", config->pop.id);
    jw_string(writer, "region", config->pop.region);
    jw_string(writer, "version", POPGATE_VERSION);
    jw_time(writer, "time", view->now_wall_ms);
    jw_uint(writer, "uptime_ms", status_less(view->now_ns, view->started_ns) / NS_PER_MS);
    jw_bool(writer, "stopping", view->core->stopping);
    bird(writer, view);
    include(writer, view);
    jw_string(writer, "ledger_trouble", view->own.ledger);
    jw_string(writer, "prober_trouble", view->own.prober);
    loop(writer, view);
    problems(writer, view, service);
    jw_uint(writer, "drifts", view->core->drifts);
}

// ---- The responder

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

// ---- Probes

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
    status_past(writer, view, "at", "age_ms", probe->last.at_ns / NS_PER_MS);
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
    status_past(writer, view, "since", "age_ms", health->since_ms);
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

// ---- The answers

char *status_all(const struct status_view *view, bool full, size_t *length)
{
    struct json_writer writer = {0};
    jw_open(&writer, NULL, '{');
    head(&writer, view, PROBLEM_OF_NONE);
    responder(&writer, view);
    jw_open(&writer, "services", '[');
    for (size_t i = 0; i < view->core->config->service_count; i++) {
        status_one_service(&writer, view, NULL, i, full);
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

char *status_events(const struct status_view *view, uint64_t since, const char *service,
                    size_t *length)
{
    struct events *events = view->core->events;
    uint64_t first = events_first(events);
    struct json_writer writer = {0};
    jw_open(&writer, NULL, '{');
    jw_uint(&writer, "next", events_end(events));
    jw_uint(&writer, "lost", since != 0 ? status_less(first, since) : 0);
    status_events_from(&writer, view, since > first ? since : first, service);
    jw_close(&writer, '}');
    return jw_finish(&writer, length);
}

char *status_service(const struct status_view *view, size_t service, size_t *length)
{
    const struct core *core = view->core;
    const char *name = core->config->services[service].name;
    struct json_writer writer = {0};
    jw_open(&writer, NULL, '{');
    head(&writer, view, service);
    status_one_service(&writer, view, "service", service, true);
    jw_open(&writer, "probes", '[');
    for (size_t i = 0; i < core->config->probe_count; i++) {
        if (status_matters(core, service, i)) {
            probe_one(&writer, view, i);
        }
    }
    jw_close(&writer, ']');
    status_events_from(&writer, view, status_last_events(core->events, name), name);
    jw_close(&writer, '}');
    return jw_finish(&writer, length);
}
