// One core after another, when the configuration changes: what the old one knows goes to where it
// belongs in the new one. What takes time, memory or comparing of names is done in core_prepare(),
// so that core_take_over() only copies.
#include "controller/core/inside.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static size_t same_probe(const struct config *config, const struct probe_conf *probe)
{
    size_t index = config_probe(config, probe->name);
    bool same = index != SIZE_MAX && config->probes[index].asks == probe->asks;
    return same ? index : SIZE_MAX;
}

static struct succession *find_succession(const struct config *old, const struct config *new)
{
    struct succession *succession = calloc(1, sizeof *succession);
    if (succession == NULL) {
        return NULL;
    }
    succession->probes_before = calloc(new->probe_count + 1, sizeof(size_t));
    succession->services_before = config_services_in(new, old);
    succession->services_after = config_services_in(old, new);
    if (succession->probes_before == NULL || succession->services_before == NULL ||
        succession->services_after == NULL) {
        core_succession_free(succession);
        return NULL;
    }
    for (size_t i = 0; i < new->probe_count; i++) {
        succession->probes_before[i] = same_probe(old, &new->probes[i]);
    }
    return succession;
}

static bool same_prefixes(const struct service_conf *a, const struct service_conf *b)
{
    bool same = a->prefix_count == b->prefix_count;
    for (size_t i = 0; same && i < a->prefix_count; i++) {
        same = prefix_equal(&a->prefixes[i], &b->prefixes[i]);
    }
    return same;
}

// The revisions are equal: so are attributes and tables.
static bool same_places(const struct config *old, const struct config *new)
{
    bool same = old->service_count == new->service_count &&
                old->bird.configure == new->bird.configure &&
                old->bird.session_count == new->bird.session_count;
    for (size_t i = 0; same && i < new->bird.session_count; i++) {
        same = strcmp(old->bird.sessions[i], new->bird.sessions[i]) == 0;
    }
    for (size_t i = 0; same && i < new->service_count; i++) {
        same = strcmp(old->services[i].name, new->services[i].name) == 0 &&
               same_prefixes(&old->services[i], &new->services[i]);
    }
    return same;
}

// The service, in the families that it has not any more; after: its index in config, if it is
// there.
static bool lost_families(const struct service_conf *service, const struct config *config,
                          size_t after, struct service_conf *out)
{
    bool any = false;
    memcpy(out->symbol, service->symbol, sizeof out->symbol);
    for (unsigned family = 0; family < FAMILIES; family++) {
        out->has_family[family] =
            service->has_family[family] &&
            (after == SIZE_MAX || !config->services[after].has_family[family]);
        any = any || out->has_family[family];
    }
    return any;
}

// What BIRD may have of services that old had, and of what was retired by then and not gone.
static struct retired *retire(const struct core *core, const struct core *old, size_t *count)
{
    const struct announcer *announcer = old->announcer;
    size_t services = old->config->service_count;
    struct retired *retired = calloc(announcer->service_count + 1, sizeof *retired);
    *count = 0;
    for (size_t i = 0; retired != NULL && i < services; i++) {
        retired[*count] = (struct retired){.before = i};
        *count += lost_families(&old->config->services[i], core->config,
                                core->succession->services_after[i], &retired[*count].conf);
    }
    for (size_t i = services; retired != NULL && i < announcer->service_count; i++) {
        if (!announcer->retired[i - services].gone) {
            retired[*count] = announcer->retired[i - services];
            retired[(*count)++].before = i;
        }
    }
    return retired;
}

// The kernel gives a page when it is first written to: not when the core takes over.
static void touch(struct core *core)
{
    memset(core->healths, 0, core->config->probe_count * sizeof *core->healths);
    memset(core->probes, 0, core->config->probe_count * sizeof *core->probes);
    memset(core->gates, 0, core->config->service_count * sizeof *core->gates);
    memset(core->services, 0, core->config->service_count * sizeof *core->services);
}

struct core *core_prepare(const struct core *old, const struct config *config)
{
    struct core *core = calloc(1, sizeof *core);
    struct birdconf *next = birdconf_render(config);
    if (core == NULL || next == NULL) {
        free(core);
        birdconf_free(next);
        return NULL;
    }
    core->config = config;
    core->succession = find_succession(old->config, config);
    if (core->succession == NULL) {
        birdconf_free(next);
        core_free(core);
        return NULL;
    }
    size_t count;
    struct retired *retired = retire(core, old, &count);
    bool ok = include_prepare(&core->include, config, next, &old->include,
                              core->succession->services_before) &&
              retired != NULL && core_allocate(core, retired, count);
    free(retired);
    if (!ok) {
        core_free(core);
        return NULL;
    }
    core->succession->same_to_bird = strcmp(next->revision, old->include.next->revision) == 0 &&
                                     same_places(old->config, config);
    touch(core);
    return core;
}

static void take_over_probes(struct core *core, const struct core *old, uint64_t now_ns)
{
    for (size_t i = 0; i < core->config->probe_count; i++) {
        size_t before = core->succession->probes_before[i];
        if (before != SIZE_MAX) {
            core->healths[i] = old->healths[before];
            core->probes[i] = old->probes[before];
        } else {
            health_init(&core->healths[i], ms_of(now_ns));
        }
    }
}

static void take_over_services(struct core *core, const struct core *old, uint64_t now_ns)
{
    for (size_t i = 0; i < core->config->service_count; i++) {
        size_t before = core->succession->services_before[i];
        if (before != SIZE_MAX) {
            core->services[i] = old->services[before];
            decision_keep(&core->services[i].decision, conf_of(core, i), ms_of(now_ns));
        } else {
            decision_init(&core->services[i].decision, 0, ms_of(now_ns));
        }
    }
}

// What BIRD has and is asked goes on as it is, answers under way included: old gets in exchange
// what was prepared.
static void keep_bird(struct core *core, struct core *old)
{
    struct announcer *announcer = core->announcer;
    struct observed *observed = core->observed;
    struct include include = core->include;
    struct orders orders = core->orders;
    core->announcer = old->announcer;
    core->observed = old->observed;
    core->include = old->include;
    core->orders = old->orders;
    old->announcer = announcer;
    old->observed = observed;
    old->include = include;
    old->orders = orders;
    announcer_move(core->announcer, core->config);
    observed_move(core->observed, core->config);
    core->include.config = core->config;
    core->loader = old->loader;
    core->loader.include = &core->include;
    core->generation = old->generation;
    core->looking = old->looking;
    memcpy(core->reported, old->reported, sizeof core->reported);
    memcpy(core->revision, old->revision, sizeof core->revision);
}

// BIRD is to be told something new: answers to orders from before count no more.
static void begin_with_bird(struct core *core, struct core *old)
{
    const struct succession *succession = core->succession;
    core->generation = old->generation + 1;
    include_take_over(&core->include, &old->include, succession->services_before,
                      succession->services_after);
    loader_init(&core->loader, &core->include, core->config->bird.configure == CONFIGURE_AUTO);
    announcer_link(core->announcer, core->links[ORDER_LINK_ACT].state != BIRD_LINK_DOWN);
    sessions_take_over(&core->observed->sessions, core->config, &old->observed->sessions);
    for (size_t i = 0; i < core->config->service_count; i++) {
        size_t before = succession->services_before[i];
        enum target target = core->services[i].decision.target;
        if (before == SIZE_MAX) {
            core_tell_announcer(core, i);
            continue;
        }
        include_keep(&core->include, i, target);
        announcer_set_target(core->announcer, i, target, core->include.wanted);
        announcer_take_over(core->announcer, i, old->announcer, before);
    }
    announcer_take_over_retired(core->announcer, old->announcer);
    core_want_snapshot(core);
}

void core_take_over(struct core *core, struct core *old, uint64_t now_ns)
{
    const struct config *config = core->config;
    assert(core->succession != NULL && old->guard == NULL);
    core->events = old->events;
    memcpy(core->links, old->links, sizeof core->links);
    core->drifts = old->drifts;
    core->denied = old->denied;
    core->sighted_ns = old->sighted_ns;
    core->contest = old->contest;
    core_contest_news(core, contest_own(&core->contest, core->include.next->revision), now_ns);
    take_over_probes(core, old, now_ns);
    take_over_services(core, old, now_ns);
    core_keep_cut_off(core, old);
    if (core->succession->same_to_bird) {
        keep_bird(core, old);
    } else {
        begin_with_bird(core, old);
    }
    core_succession_free(core->succession);
    core->succession = NULL;
    events_add(core->events, EVENT_START, NULL, now_ns,
               "configuration reloaded: %zu service%s, %zu probe%s", config->service_count,
               config->service_count == 1 ? "" : "s", config->probe_count,
               config->probe_count == 1 ? "" : "s");
}

void core_go_on(struct core *core, uint64_t now_ns)
{
    for (size_t i = 0; i < core->config->probe_count; i++) {
        core_tick_probe(core, i, now_ns); // its timing may be new, and be over by now
    }
    core_decide_all(core, now_ns);
    core_flush(core, now_ns);
}
