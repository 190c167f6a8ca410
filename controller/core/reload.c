// One core after another, when the configuration changes: what the old one knows goes to where it
// belongs in the new one. What takes time, memory or comparing of names is done in core_prepare(),
// so that core_take_over() only copies.
#include "controller/core/inside.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

// SIZE_MAX: there is none.
struct succession {
    size_t *probes_before;   // of each probe, its index in the core before, if it is the same there
    size_t *services_before; // of each service
    size_t *services_after;  // of each service of the core before, its index in this one
};

void core_succession_free(struct succession *succession)
{
    if (succession != NULL) {
        free(succession->probes_before);
        free(succession->services_before);
        free(succession->services_after);
        free(succession);
    }
}

static size_t same_probe(const struct config *config, const struct probe_conf *probe)
{
    size_t index = config_probe(config, probe->name);
    bool same = index != SIZE_MAX && config->probes[index].fingerprint == probe->fingerprint;
    return same ? index : SIZE_MAX;
}

static struct succession *find_succession(const struct config *old, const struct config *new)
{
    struct succession *succession = calloc(1, sizeof *succession);
    if (succession == NULL) {
        return NULL;
    }
    succession->probes_before = calloc(new->probe_count + 1, sizeof(size_t));
    succession->services_before = calloc(new->service_count + 1, sizeof(size_t));
    succession->services_after = calloc(old->service_count + 1, sizeof(size_t));
    if (succession->probes_before == NULL || succession->services_before == NULL ||
        succession->services_after == NULL) {
        core_succession_free(succession);
        return NULL;
    }
    for (size_t i = 0; i < new->probe_count; i++) {
        succession->probes_before[i] = same_probe(old, &new->probes[i]);
    }
    for (size_t i = 0; i < new->service_count; i++) {
        succession->services_before[i] = config_service(old, new->services[i].name);
    }
    for (size_t i = 0; i < old->service_count; i++) {
        succession->services_after[i] = config_service(new, old->services[i].name);
    }
    return succession;
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
    if (!include_prepare(&core->include, config, next, &old->include,
                         core->succession->services_before) ||
        !core_allocate(core)) {
        core_free(core);
        return NULL;
    }
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

// What a kept service rests on may be new and unknown: it stays as it is for adopt_grace, as after
// a restart.
static void take_over_service(struct core *core, size_t index, const struct core *old,
                              size_t before, uint64_t now_ns)
{
    struct core_service *service = &core->services[index];
    *service = old->services[before];
    if (service->decision.allowed > TARGET_WITHDRAW) {
        service->decision.adopted = true;
        service->decision.adopt_until_ms = ms_of(now_ns) + conf_of(core, index)->adopt_grace_ms;
    }
    include_keep(&core->include, index, service->decision.target);
    announcer_set_target(core->announcer, index, service->decision.target, core->include.wanted);
    announcer_take_over(core->announcer, index, old->announcer, before);
}

static void take_over_services(struct core *core, const struct core *old, uint64_t now_ns)
{
    for (size_t i = 0; i < core->config->service_count; i++) {
        size_t before = core->succession->services_before[i];
        if (before != SIZE_MAX) {
            take_over_service(core, i, old, before, now_ns);
        } else {
            decision_init(&core->services[i].decision, 0, ms_of(now_ns));
            core_tell_announcer(core, i);
        }
    }
}

void core_take_over(struct core *core, struct core *old, uint64_t now_ns)
{
    const struct config *config = core->config;
    assert(core->succession != NULL && old->guard == NULL);
    core->events = old->events;
    core->generation = old->generation + 1;
    memcpy(core->links, old->links, sizeof core->links);
    core->drifts = old->drifts;
    core->denied = old->denied;
    include_take_over(&core->include, &old->include, core->succession->services_before,
                      core->succession->services_after);
    loader_init(&core->loader, &core->include, config->bird.configure == CONFIGURE_AUTO);
    announcer_link(core->announcer, core->links[ORDER_LINK_ACT].state != BIRD_LINK_DOWN);
    take_over_probes(core, old, now_ns);
    take_over_services(core, old, now_ns);
    core_succession_free(core->succession);
    core->succession = NULL;
    core_want_snapshot(core);
    events_add(core->events, EVENT_START, NULL, now_ns,
               "configuration reloaded: %zu service%s, %zu probe%s", config->service_count,
               config->service_count == 1 ? "" : "s", config->probe_count,
               config->probe_count == 1 ? "" : "s");
    core_decide_all(core, now_ns);
    core_flush(core, now_ns);
}
