// The core's inputs from probes, operators, the disk and the clock, and its outputs.
#include "controller/core/inside.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

// ---- Inputs

// What a change of health rests on: nothing that an `unknown` verdict said makes a service down.
static const char *evidence_of(const struct core *core, size_t probe)
{
    return health_shown(&core->healths[probe]) == HEALTH_DOWN ? core->probes[probe].bad
                                                              : core->probes[probe].last.cause;
}

static void health_changed(struct core *core, size_t index, const struct verdict *verdict,
                           uint64_t now_ns)
{
    enum health_state shown = health_shown(&core->healths[index]);
    struct event *event =
        events_add(core->events, EVENT_HEALTH, NULL, now_ns, "probe %s is %s%s%s",
                   core->config->probes[index].name, health_name(shown),
                   verdict->cause[0] != '\0' ? ": " : "", evidence_of(core, index));
    event->warning = shown != HEALTH_UP;
    event->evidence_ns = verdict->at_ns;
    core->evidence_ns = verdict->at_ns;
    affected_probe(&core->affected, index);
}

void core_verdict(struct core *core, size_t index, const struct verdict *verdict, uint64_t now_ns)
{
    assert(index < core->config->probe_count);
    struct core_probe *probe = &core->probes[index];
    const struct probe_conf *conf = &core->config->probes[index];
    probe->last = *verdict;
    probe->verdicts[verdict->kind]++;
    probe->blackholed = probe->blackholed && verdict->kind == VERDICT_FAIL;
    bool changed = health_observe(&core->healths[index], conf, verdict->kind, verdict->definitive,
                                  ms_of(now_ns));
    if (verdict->kind == VERDICT_FAIL ||
        (verdict->kind == VERDICT_DEGRADED && core->healths[index].settled != HEALTH_DOWN)) {
        memcpy(probe->bad, verdict->cause, sizeof probe->bad);
    }
    deadlines_set(&core->deadlines, index, health_next_ms(&core->healths[index], conf));
    if (changed) {
        health_changed(core, index, verdict, now_ns);
    }
    if (verdict->kind == VERDICT_PASS || verdict->kind == VERDICT_DEGRADED) {
        core_passed_on(core, index, now_ns);
    }
    if (affected_any(&core->affected)) { // also by the way to its target
        core_decide(core, now_ns);
        core_flush(core, now_ns);
    }
}

void core_note_intent(struct core *core, size_t service, const struct intent *intent,
                      const char *what, uint64_t now_ns)
{
    assert(service < core->config->service_count);
    core->services[service].intent = *intent;
    if (intent->kind == INTENT_ISOLATE) {
        announcer_doubt(core->announcer, service); // containment rests on no belief
    } else if (intent->kind == INTENT_AUTO) {
        core_try_again(core, service); // whoever says so may have mended it
    }
    affected_service(&core->affected, service);
    events_add(core->events, EVENT_INTENT, conf_of(core, service)->name, now_ns, "%s", what);
}

void core_intents_noted(struct core *core, uint64_t now_ns)
{
    core->evidence_ns = now_ns;
    core_decide(core, now_ns);
    core_flush(core, now_ns);
}

void core_ask_guard(struct core *core, struct guard *guard, uint64_t now_ns)
{
    assert(core->guard == NULL);
    core->guard = guard;
    core_flush(core, now_ns);
}

void core_file_saved(struct core *core, uint64_t version, const char *error, uint64_t now_ns)
{
    bool had_failed = core->include.trouble[0] != '\0';
    include_saved(&core->include, version, error, ms_of(now_ns));
    if (error != NULL && !had_failed) {
        events_add(core->events, EVENT_TROUBLE, NULL, now_ns,
                   "%s; until it is written, a restart of BIRD brings up what the old file says",
                   error)
            ->warning = true;
    } else if (error == NULL && had_failed) {
        events_add(core->events, EVENT_TROUBLE, NULL, now_ns, "the include file is written again");
    }
    core_flush(core, now_ns);
}

void core_file_foreign(struct core *core, uint64_t now_ns)
{
    include_write_again(&core->include);
    events_add(core->events, EVENT_DRIFT, NULL, now_ns,
               "the include file was changed, not by popgate; writing it again")
        ->warning = true;
    core->drifts++;
    core_want_snapshot(core);
    core_flush(core, now_ns);
}

void core_tick_probe(struct core *core, size_t index, uint64_t now_ns)
{
    const struct probe_conf *conf = &core->config->probes[index];
    struct health *health = &core->healths[index];
    if (health_tick(health, conf, ms_of(now_ns))) {
        enum health_state shown = health_shown(health);
        const char *evidence = evidence_of(core, index);
        events_add(core->events, EVENT_HEALTH, NULL, now_ns, "probe %s is %s: %s%s", conf->name,
                   health_name(shown),
                   shown == HEALTH_UNKNOWN ? "nothing known for unknown_grace; last verdict: " : "",
                   evidence[0] != '\0' ? evidence : "none yet")
            ->warning = true;
        affected_probe(&core->affected, index);
    }
    deadlines_set(&core->deadlines, index, health_next_ms(health, conf));
}

static void tick_service(struct core *core, size_t index, uint64_t now_ms)
{
    struct core_service *service = &core->services[index];
    if (service->look_again_ms != 0 && now_ms >= service->look_again_ms) {
        service->look_again_ms = 0;
        observed_look_again(core->observed, index, service->decision.target,
                            service->look_pause_ms < LOOK_AGAIN_MAX ? LOOK_CHANGED : LOOK_REST);
    }
    affected_service(&core->affected, index); // decides, and sets the deadline
}

void core_tick(struct core *core, uint64_t now_ns)
{
    uint64_t now_ms = ms_of(now_ns);
    size_t probes = core->config->probe_count;
    size_t due;
    while ((due = deadlines_due(&core->deadlines, now_ms)) != DEADLINES_NONE) {
        if (due < probes) {
            core_tick_probe(core, due, now_ns);
        } else {
            tick_service(core, due - probes, now_ms);
        }
    }
    core_look_tick(core, now_ms);
    core_decide(core, now_ns);
    core_flush(core, now_ns);
}

void core_restart(struct core *core, uint64_t now_ns)
{
    core->stopping = core->restarts = true;
    core_flush(core, now_ns);
}

void core_stop(struct core *core, uint64_t now_ns)
{
    core->stopping = true;
    core->restarts = false;
    core->evidence_ns = now_ns;
    for (size_t i = 0; i < core->config->service_count; i++) {
        struct decision *decision = &core->services[i].decision;
        enum target from = decision->target;
        affected_service(&core->affected, i); // its intent is not what it was
        if (!core_decides(core, i) && decision_exit(decision, ms_of(now_ns))) {
            core_transition(core, i, from, now_ns);
        }
        core_set_deadline(core, i);
    }
    core_decide(core, now_ns);
    core_flush(core, now_ns);
}

// What is retired is to be withdrawn as well.
static bool is_left(const struct core *core, size_t service)
{
    return (service >= core->config->service_count || !core_decides(core, service) ||
            core->services[service].decision.target == TARGET_WITHDRAW) &&
           !announcer_settled(core->announcer, service);
}

size_t core_unconfirmed(const struct core *core, const char **first)
{
    size_t count = 0;
    size_t configured = core->config->service_count;
    for (size_t i = core->announcer->service_count; i-- > 0;) {
        if (is_left(core, i)) {
            *first = i < configured ? conf_of(core, i)->name
                                    : core->announcer->retired[i - configured].conf.symbol;
            count++;
        }
    }
    return count;
}

bool core_quiet(const struct core *core)
{
    const char *first;
    for (size_t i = 0; i < core->config->service_count && !core->denied; i++) {
        if (announcer_is_between(core->announcer, i)) {
            return false;
        }
    }
    return core_unconfirmed(core, &first) == 0;
}

// ---- Outputs

static void report_loading(struct core *core, uint64_t now_ns)
{
    char text[EVENT_TEXT_MAX], line[BIRDCONF_LINE_MAX];
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
    } else if (loader->state == LOAD_NOT_INCLUDED && core->config->service_count > 0) {
        snprintf(text, sizeof text,
                 "BIRD has not read popgate's file: put `%s` into bird.conf, then birdc configure",
                 birdconf_include_line(core->config->pop.runtime_dir, line));
    } else if (loader->state == LOAD_BY_HAND) {
        snprintf(text, sizeof text,
                 "the include file is new (configure = manual): run birdc configure");
    } else if (loader->state == LOAD_UNCONFIRMED) {
        snprintf(text, sizeof text,
                 "the include file is new, but somebody's `configure timeout` waits to be "
                 "confirmed, and loading it now would do so: when that is settled, run birdc "
                 "configure");
    } else {
        return;
    }
    if (strcmp(core->reported, text) != 0) {
        snprintf(core->reported, sizeof core->reported, "%s", text);
        events_add(core->events, EVENT_CONFIGURE, NULL, now_ns, "%s", text)->warning = warning;
    }
}

// Also while BIRD can't be asked: then the guard learns at once that there is no answer.
static void ask_guard(struct core *core)
{
    if (core->guard != NULL && guard_done(core->guard)) {
        core->guard = NULL;
    }
    if (core->guard != NULL) {
        guard_plan(core->guard, &core->orders);
    }
}

void core_contest_news(struct core *core, bool news, uint64_t now_ns)
{
    bool stands = core->contest.state != CONTEST_NONE;
    if (news && stands) {
        events_add(core->events, EVENT_TROUBLE, NULL, now_ns,
                   "another popgated switches the same protocols: BIRD has loaded the include file "
                   "%s, which is none of ours, and what is switched off or on from here is "
                   "switched back at once; until that is over only withdrawals go from here",
                   core->contest.other)
            ->warning = true;
    } else if (news) {
        events_add(core->events, EVENT_TROUBLE, NULL, now_ns,
                   "no other popgated switches our protocols any more; going on");
    }
    if (news) {
        core_want_snapshot(core); // what is to be switched
    }
}

static void plan(struct core *core)
{
    if (!core_gives_way(core)) {
        announcer_plan(core->announcer, &core->orders, core->include.tried);
    }
}

void core_flush(struct core *core, uint64_t now_ns)
{
    core_contest_news(core, contest_tick(&core->contest, ms_of(now_ns)), now_ns);
    plan(core);
    ask_guard(core);
    if (core->links[ORDER_LINK_ASK].state == BIRD_LINK_DOWN) {
        return;
    }
    core_look_ask(core, now_ns);
    if (loader_step(&core->loader, &core->orders, ms_of(now_ns))) {
        report_loading(core, now_ns);
    }
    // A link is not to be closed under an answer (bird-facts 23).
    if (!core->stopping && !announcer_holds_back(core->announcer)) {
        observed_plan(core->observed, &core->orders, core->announcer->actions,
                      announcer_is_busy(core->announcer), now_ns);
    }
    if (!core->stopping && core_sees(core, ms_of(now_ns)) && !announcer_is_busy(core->announcer)) {
        sessions_plan(&core->observed->sessions, &core->orders,
                      budget_is_dear(&core->observed->budget), ms_of(now_ns));
    }
}

bool core_order(struct core *core, struct order *out)
{
    if (core->orders.count == 0) {
        plan(core); // what there was no room for
    }
    if (!orders_take(&core->orders, out)) {
        return false;
    }
    out->token |= generation_of(core);
    return true;
}

const struct birdconf *core_file(const struct core *core)
{
    return include_file(&core->include);
}

uint64_t core_next_ms(const struct core *core)
{
    bool asks = core->links[ORDER_LINK_ASK].state != BIRD_LINK_DOWN && !core->stopping &&
                !announcer_holds_back(core->announcer);
    uint64_t look_ns = asks ? observed_next_ns(core->observed) : UINT64_MAX;
    uint64_t times_ms[] = {look_ns != UINT64_MAX ? ms_of(look_ns) + 1 : UINT64_MAX,
                           core_look_next_ms(core), loader_next_ms(&core->loader),
                           include_next_ms(&core->include), contest_next_ms(&core->contest)};
    uint64_t next_ms = deadlines_next_ms(&core->deadlines);
    for (size_t i = 0; i < sizeof times_ms / sizeof *times_ms; i++) {
        next_ms = times_ms[i] < next_ms ? times_ms[i] : next_ms;
    }
    return next_ms;
}

bool core_is_out_of_sight(const struct core *core, uint64_t now_ms)
{
    return now_ms >= ms_of(core->sighted_ns) + CORE_SIGHT_MS;
}

bool core_sees(const struct core *core, uint64_t now_ms)
{
    return core->links[ORDER_LINK_ASK].state == BIRD_LINK_UP && !core_is_out_of_sight(core, now_ms);
}

struct prefix_view core_view(const struct core *core, size_t index, uint64_t now_ms)
{
    size_t service = core->observed->prefixes[index].service;
    if (!core_sees(core, now_ms)) {
        return (struct prefix_view){.condition = CONDITION_UNKNOWN,
                                    .unknown = sessions_established(&core->observed->sessions)};
    }
    return observed_view(core->observed, index, core->services[service].decision.target);
}

size_t core_established(const struct core *core, uint64_t now_ms)
{
    return core_sees(core, now_ms) ? sessions_established(&core->observed->sessions) : 0;
}

enum condition core_condition(const struct core *core, size_t index, const struct prefix_view *seen,
                              uint64_t now_ms)
{
    if (!core_sees(core, now_ms)) {
        return CONDITION_UNKNOWN;
    }
    const struct seen_prefix *prefix = &core->observed->prefixes[index];
    bool news = prefix->condition == CONDITION_AS_MEANT && seen->condition != CONDITION_AS_MEANT;
    if (!news) {
        return prefix->condition;
    }
    // Or it was as meant by the target before.
    return core->services[prefix->service].seen_through ? seen->condition : CONDITION_PENDING;
}

bool core_is_seen(const struct core *core, size_t service, uint64_t now_ms)
{
    return core->services[service].seen && core->links[ORDER_LINK_ACT].state == BIRD_LINK_UP &&
           core_sees(core, now_ms) && !observed_is_stale(core->observed, service);
}

bool core_gives_way(const struct core *core)
{
    return core->contest.state == CONTEST_STANDS && !core->stopping;
}

bool core_probe_unsettled(const struct core *core, size_t probe)
{
    return health_unsettled(&core->healths[probe]);
}
