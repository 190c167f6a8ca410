// Which ways the kernel is asked for, and what is made of them: see cut_off.h.
#include "controller/core/inside.h"

#include <netinet/in.h>
#include <string.h>

// ---- Whose target lies in whose prefix

static bool as_prefix(const struct endpoint *endpoint, struct prefix *out)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)&endpoint->address;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&endpoint->address;
    *out = (struct prefix){.family = FAMILY_V4};
    if (endpoint->length == 0) {
        return false;
    }
    if (endpoint->address.ss_family == AF_INET) {
        out->length = 32;
        memcpy(out->address, &in->sin_addr, sizeof in->sin_addr);
    } else {
        out->family = FAMILY_V6;
        out->length = 128;
        memcpy(out->address, &in6->sin6_addr, sizeof in6->sin6_addr);
    }
    return true;
}

// The most specific prefix is the one whose route counts.
static void find_lead(struct core *core, size_t service, size_t probe)
{
    const struct service_conf *conf = conf_of(core, service);
    struct lead *lead = &core->leads[probe];
    struct prefix target;
    if (!as_prefix(&core->config->probes[probe].target, &target)) {
        return;
    }
    for (size_t i = 0; i < conf->prefix_count; i++) {
        const struct prefix *prefix = &conf->prefixes[i];
        if (prefix_covers(prefix, &target) &&
            (lead->prefix == NULL || prefix->length > lead->prefix->length)) {
            *lead = (struct lead){.service = service, .prefix = prefix};
        }
    }
}

void core_find_leads(struct core *core)
{
    for (size_t i = 0; i < core->config->service_count; i++) {
        const struct service_conf *conf = conf_of(core, i);
        const struct index_list *const lists[] = {&conf->require, &conf->any};
        for (size_t which = 0; which < sizeof lists / sizeof *lists; which++) {
            for (size_t k = 0; k < lists[which]->count; k++) {
                find_lead(core, i, lists[which]->items[k]);
            }
        }
    }
}

// ---- Asking

// Who refused was reached: a crash, whose withdrawal is not to wait for a question.
static bool was_reached(const struct verdict *verdict)
{
    return verdict->definitive || strcmp(verdict->code, "refused") == 0;
}

bool core_asks_way(const struct core *core, size_t probe, const struct verdict *verdict,
                   uint64_t now_ns)
{
    const struct lead *lead = &core->leads[probe];
    if (lead->prefix == NULL || verdict->kind == VERDICT_UNKNOWN) {
        return false;
    }
    const struct core_service *service = &core->services[lead->service];
    if (verdict->kind != VERDICT_FAIL) {
        return service->cut_off.state != CUT_OFF_NOT && core->probes[probe].cut_off;
    }
    return service->decision.target != TARGET_WITHDRAW && !was_reached(verdict) &&
           cut_off_is_soon(&core->config->probes[probe],
                           ms_of(now_ns) - service->decision.since_ms);
}

static void tell(struct core *core, size_t index, const struct way *way, uint64_t now_ns)
{
    const struct core_service *service = &core->services[index];
    const char *probe = core->config->probes[service->cut_off.probe].name;
    if (service->cut_off.state == CUT_OFF_HELD) {
        events_add(core->events, EVENT_OBSERVED, conf_of(core, index)->name, now_ns,
                   "announced, popgate's own route takes the place of %s, by which probe %s passes "
                   "now that it is withdrawn: it stays so until it is reached otherwise, or "
                   "undrained",
                   way->text, probe)
            ->warning = true;
    } else {
        events_add(core->events, EVENT_OBSERVED, conf_of(core, index)->name, now_ns,
                   "probe %s passes by a way whose place popgate's own route does not take (%s)",
                   probe, way->text);
    }
}

// Who is held for one of several may count on a probe of which something else is known now.
static void decide_held(struct core *core)
{
    for (size_t i = 0; i < core->config->service_count; i++) {
        const struct service_conf *conf = conf_of(core, i);
        if (core->services[i].cut_off.state == CUT_OFF_HELD &&
            (conf->any.count > 0 || conf->depends.count > 0)) {
            affected_service(&core->affected, i);
        }
    }
}

static void judged(struct core *core, size_t index)
{
    affected_service(&core->affected, index);
    decide_held(core);
}

void core_way(struct core *core, size_t probe, const struct verdict *verdict, const struct way *way,
              uint64_t now_ns)
{
    assert(core_asks_way(core, probe, verdict, now_ns));
    const struct lead *lead = &core->leads[probe];
    struct core_service *service = &core->services[lead->service];
    if (verdict->kind == VERDICT_FAIL) {
        core->probes[probe].blackholed = way->kind == WAY_BLACKHOLE;
        return;
    }
    bool announced = service->decision.target != TARGET_WITHDRAW;
    if (service->cut_off.state == CUT_OFF_SUSPECTED && !announced &&
        way_is_covered(way, lead->prefix)) {
        service->cut_off.probe = probe; // another that is suspected may be dead by itself
    }
    if (probe != service->cut_off.probe) {
        bool still = announced || way->kind == WAY_UNKNOWN || way_is_covered(way, lead->prefix);
        core->probes[probe].cut_off = still;
        if (!still) {
            judged(core, lead->service);
        }
        return;
    }
    bool changed = cut_off_judge(&service->cut_off, &core->config->probes[probe], way, lead->prefix,
                                 announced, ms_of(now_ns), &core->ways[lead->service]);
    core->probes[probe].cut_off &= service->cut_off.state != CUT_OFF_NOT;
    if (changed) {
        // It is held from the next decision on; but no more at once, also where none comes.
        service->decision.cut_off &= service->cut_off.state == CUT_OFF_HELD;
        tell(core, lead->service, way, now_ns);
        judged(core, lead->service);
    }
}

static bool is_led_to(const struct core *core, size_t index, size_t probe)
{
    return core->leads[probe].prefix != NULL && core->leads[probe].service == index;
}

static bool cuts_off(const struct core *core, size_t index, size_t probe)
{
    return core->probes[probe].cut_off && is_led_to(core, index, probe);
}

// It closes its own gate, whatever else passes: announced, it would lose too many of its own
// probes.
static bool is_closed_by_itself(const struct core *core, size_t index)
{
    const struct service_conf *conf = conf_of(core, index);
    bool closes = false;
    size_t others = 0;
    for (size_t i = 0; i < conf->require.count; i++) {
        closes = closes || cuts_off(core, index, conf->require.items[i]);
    }
    for (size_t i = 0; i < conf->any.count; i++) {
        others += !cuts_off(core, index, conf->any.items[i]);
    }
    return closes || (conf->any.count > 0 && others < conf->any_min);
}

// It passes as long as another service is withdrawn that may come back, or it is not known yet
// whether it passes on now that it has. Who is held may not count on it: two of which each counts
// on the probe that the other one cuts off would come back together, and go together, for ever.
static bool is_lent(const struct core *core, size_t index, size_t probe)
{
    const struct lead *lead = &core->leads[probe];
    if (!core->probes[probe].cut_off || lead->prefix == NULL || lead->service == index) {
        return false;
    }
    const struct core_service *holder = &core->services[lead->service];
    return holder->cut_off.state == CUT_OFF_HELD ? !is_closed_by_itself(core, lead->service)
                                                 : holder->decision.target != TARGET_WITHDRAW;
}

// Would the gate of `of` close if the service were announced? Not if enough others of `any` are
// left. A gate that several depend on is asked once: that it would not, or nobody would ask on.
static bool would_close(struct core *core, size_t index, size_t of)
{
    const struct service_conf *conf = conf_of(core, of);
    bool closes = false;
    size_t left = 0;
    if (core->walked[of] == core->walks) {
        return false;
    }
    core->walked[of] = core->walks;
    for (size_t i = 0; i < conf->require.count; i++) {
        size_t probe = conf->require.items[i];
        closes = closes || cuts_off(core, index, probe) || is_lent(core, index, probe);
    }
    for (size_t i = 0; i < conf->any.count; i++) {
        size_t probe = conf->any.items[i];
        bool passes = !cuts_off(core, index, probe) && !is_lent(core, index, probe);
        left += passes && core->healths[probe].settled != HEALTH_DOWN;
    }
    for (size_t i = 0; i < conf->depends.count; i++) {
        closes = closes || would_close(core, index, conf->depends.items[i]);
    }
    return closes || (conf->any.count > 0 && left < conf->any_min);
}

bool core_is_cut_off(struct core *core, size_t index)
{
    core->walks++;
    return core->services[index].cut_off.state == CUT_OFF_HELD && would_close(core, index, index);
}

void core_passed_on(struct core *core, size_t probe, uint64_t now_ns)
{
    const struct lead *lead = &core->leads[probe];
    if (!core->probes[probe].cut_off || lead->prefix == NULL) {
        return;
    }
    const struct core_service *service = &core->services[lead->service];
    if (service->cut_off.state == CUT_OFF_NOT && service->decision.target != TARGET_WITHDRAW &&
        !cut_off_is_soon(&core->config->probes[probe],
                         ms_of(now_ns) - service->decision.since_ms)) {
        core->probes[probe].cut_off = false;
        decide_held(core);
    }
}

// ---- What becomes of it

// A gate names one probe; of several that are too few, it may be another one than was cut off.
void core_suspect(struct core *core, size_t index, uint64_t now_ns)
{
    struct core_service *service = &core->services[index];
    const struct service_conf *conf = conf_of(core, index);
    const struct index_list *const lists[] = {&conf->require, &conf->any};
    if (service->decision.cause != CAUSE_UNHEALTHY || service->decision.cut_off) {
        return; // held already: a pin announced it all the same
    }
    service->cut_off = (struct cut_off){.state = CUT_OFF_NOT};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        for (size_t k = 0; k < lists[i]->count; k++) {
            size_t probe = lists[i]->items[k];
            if (!is_led_to(core, index, probe)) {
                continue;
            }
            core->probes[probe].cut_off = core->probes[probe].blackholed;
            if (core->probes[probe].cut_off && service->cut_off.state == CUT_OFF_NOT) {
                service->cut_off = (struct cut_off){
                    .state = CUT_OFF_SUSPECTED, .probe = probe, .since_ms = ms_of(now_ns)};
            }
        }
    }
}

void core_try_again(struct core *core, size_t index)
{
    core->services[index].cut_off = (struct cut_off){.state = CUT_OFF_NOT};
    core->services[index].decision.cut_off = false;
}

void core_keep_cut_off(struct core *core, const struct core *old)
{
    const struct succession *succession = core->succession;
    for (size_t i = 0; i < core->config->service_count; i++) {
        core_try_again(core, i);
    }
    for (size_t i = 0; i < core->config->probe_count; i++) {
        const struct lead *lead = &core->leads[i];
        size_t before =
            lead->prefix != NULL ? succession->services_before[lead->service] : SIZE_MAX;
        const struct cut_off *was = before != SIZE_MAX ? &old->services[before].cut_off : NULL;
        size_t probe = succession->probes_before[i];
        if (was == NULL || was->state != CUT_OFF_HELD || probe == SIZE_MAX) {
            continue;
        }
        core->probes[i].cut_off = old->probes[probe].cut_off;
        if (was->probe == probe) {
            core->services[lead->service].cut_off = *was;
            core->ways[lead->service] = old->ways[before];
            core->services[lead->service].cut_off.probe = i;
            core->services[lead->service].decision.cut_off = old->services[before].decision.cut_off;
        }
    }
}
