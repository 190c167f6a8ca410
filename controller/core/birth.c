// How a core comes to be: at a start, with what the machine remembers of before; and how what was
// adopted is given up when BIRD has it not. At a reload: reload.c.
#include "controller/core/inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ORDERS_SPARE 128

bool core_allocate(struct core *core, const struct retired *retired, size_t retired_count)
{
    const struct config *config = core->config;
    core->healths = calloc(config->probe_count + 1, sizeof *core->healths);
    core->probes = calloc(config->probe_count + 1, sizeof *core->probes);
    core->leads = calloc(config->probe_count + 1, sizeof *core->leads);
    core->ways = calloc(config->service_count + 1, sizeof *core->ways);
    core->walked = calloc(config->service_count + 1, sizeof *core->walked);
    core->gates = calloc(config->service_count + 1, sizeof *core->gates);
    core->services = calloc(config->service_count + 1, sizeof *core->services);
    core->announcer = announcer_new(config, retired, retired_count);
    core->observed = observed_new(config);
    if (core->leads != NULL) {
        core_find_leads(core);
    }
    return core->healths != NULL && core->probes != NULL && core->leads != NULL &&
           core->ways != NULL && core->walked != NULL && core->gates != NULL &&
           core->services != NULL && core->announcer != NULL && core->observed != NULL &&
           affected_init(&core->affected, config) &&
           deadlines_init(&core->deadlines, config->probe_count + config->service_count) &&
           orders_init(&core->orders, 2 * config->service_count + ORDERS_SPARE);
}

static struct birdconf *copy_of(const struct birdconf *conf)
{
    char error[ERROR_MAX];
    return birdconf_parse(conf->text, conf->length, error);
}

// What the former file has, and perhaps no service any more: of each of its services, once or once
// for each family.
static struct retired *services_of(const struct birdconf *former, size_t *count)
{
    size_t slots = former != NULL ? former->slot_count : 0;
    struct retired *retired = calloc(slots + 1, sizeof *retired);
    *count = 0;
    for (size_t i = 0; retired != NULL && i < slots; i++) {
        struct retired it = {.before = SIZE_MAX};
        struct retired *last = *count > 0 ? &retired[*count - 1] : NULL;
        if (!names_parse(former->slots[i].protocol, &it.conf)) {
            continue; // a twin
        }
        if (last != NULL && strcmp(last->conf.symbol, it.conf.symbol) == 0) {
            (void)names_parse(former->slots[i].protocol, &last->conf);
        } else {
            retired[(*count)++] = it;
        }
    }
    return retired;
}

static bool init_files(struct core *core, const struct core_start *start)
{
    struct birdconf *next = birdconf_render(start->config);
    struct birdconf *former = start->former != NULL ? copy_of(start->former) : NULL;
    if (next == NULL || (start->former != NULL && former == NULL)) {
        birdconf_free(next);
        birdconf_free(former);
        return false;
    }
    if (!include_init(&core->include, start->config, former, next)) {
        return false;
    }
    loader_init(&core->loader, &core->include, start->config->bird.configure == CONFIGURE_AUTO);
    contest_own(&core->contest, next->revision);
    if (start->former != NULL) {
        contest_own(&core->contest, start->former->revision);
    }
    return true;
}

// What the former file has on of it; file_on: in which families.
static enum target adoptable(const struct core_start *start, size_t index, bool file_on[FAMILIES])
{
    const struct service_conf *service = &start->config->services[index];
    bool legs_on[LEGS] = {false};
    for (unsigned family = 0; family < FAMILIES; family++) {
        for (unsigned leg = 0; leg < LEGS && service->has_family[family]; leg++) {
            char name[BIRD_PROTOCOL_MAX];
            names_protocol(service, family, leg, name);
            bool on =
                start->same_boot && start->former != NULL && birdconf_get(start->former, name);
            legs_on[leg] = legs_on[leg] || on;
            file_on[family] = file_on[family] || on;
        }
    }
    return legs_on[LEG_PRIMARY] ? TARGET_ANNOUNCE
           : legs_on[LEG_DRAIN] ? TARGET_DEPREFERENCE
                                : TARGET_WITHDRAW;
}

static void init_service(struct core *core, const struct core_start *start, size_t index)
{
    struct core_service *service = &core->services[index];
    uint64_t now_ms = ms_of(start->now_ns);
    decision_init(&service->decision, start->recent != NULL ? start->recent[index] : 0, now_ms);
    service->intent =
        start->intents != NULL ? start->intents[index] : (struct intent){.kind = INTENT_AUTO};
    service->tentative = adoptable(start, index, service->file_on);
    if (service->tentative > TARGET_WITHDRAW) {
        decision_adopt(&service->decision, conf_of(core, index), service->tentative, now_ms);
    }
    core_tell_announcer(core, index);
}

static struct core *core_make(const struct core_start *start)
{
    struct core *core = calloc(1, sizeof *core);
    if (core == NULL) {
        return NULL;
    }
    core->config = start->config;
    core->events = start->events;
    core->sighted_ns = start->now_ns;
    core->generation = start->generation;
    size_t count;
    struct retired *retired = services_of(start->former, &count);
    bool ok = retired != NULL && core_allocate(core, retired, count) && init_files(core, start);
    free(retired);
    if (!ok) {
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
    core_decide_all(core, start->now_ns);
    core_flush(core, start->now_ns);
    return core;
}

void core_succession_free(struct succession *succession)
{
    if (succession != NULL) {
        free(succession->probes_before);
        free(succession->services_before);
        free(succession->services_after);
        free(succession);
    }
}

void core_free(struct core *core)
{
    if (core == NULL) {
        return;
    }
    core_succession_free(core->succession);
    include_clear(&core->include);
    orders_free(&core->orders);
    affected_free(&core->affected);
    deadlines_free(&core->deadlines);
    observed_free(core->observed);
    announcer_free(core->announcer);
    free(core->services);
    free(core->probes);
    free(core->leads);
    free(core->ways);
    free(core->walked);
    free(core->healths);
    free(core->gates);
    free(core);
}

// A family that the file did not have on is new to BIRD as well; one that a reload took away since
// is gone from BIRD.
static bool bird_has_it(const struct core *core, size_t index)
{
    for (unsigned family = 0; family < FAMILIES; family++) {
        if (core->services[index].file_on[family] && conf_of(core, index)->has_family[family] &&
            !announcer_is_on(core->announcer, index, family)) {
            return false;
        }
    }
    return true;
}

void core_confirm_adoption(struct core *core, uint64_t now_ns)
{
    for (size_t i = 0; i < core->config->service_count; i++) {
        struct core_service *service = &core->services[i];
        if (service->tentative > TARGET_WITHDRAW && !bird_has_it(core, i)) {
            decision_disown(&service->decision, ms_of(now_ns));
            affected_service(&core->affected, i);
        }
        service->tentative = TARGET_WITHDRAW;
    }
    core_decide(core, now_ns);
}
