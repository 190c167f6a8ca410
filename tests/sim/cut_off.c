// Who is cut off: a service that our own route hides from its probes while it is announced. What
// was told of the ways that lead there, and whom popgated may hold for that.
#include "tests/sim/inside.h"

#include <string.h>

static bool has(const struct index_list *list, size_t probe)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i] == probe) {
            return true;
        }
    }
    return false;
}

bool books_requires(const struct service_conf *conf, size_t probe)
{
    return has(&conf->require, probe);
}

struct oracle_service *books_led_to(struct oracle *oracle, size_t probe, unsigned place)
{
    unsigned owner = place != NOBODY ? oracle->owner[place / PLOT_PREFIXES] : NOBODY;
    struct oracle_service *service = owner != NOBODY ? &oracle->services[owner] : NULL;
    return service != NULL && (service->used & (1U << place % PLOT_PREFIXES)) != 0 &&
                   (has(&oracle->config->services[service->index].require, probe) ||
                    has(&oracle->config->services[service->index].any, probe))
               ? service
               : NULL;
}

void oracle_way(struct oracle *oracle, size_t probe, unsigned place, enum verdict_kind kind,
                enum way_kind way)
{
    struct oracle_service *service = books_led_to(oracle, probe, place);
    if (service == NULL) {
        oracle_broken(oracle, "the way of p%zu was asked for, which leads to no service", probe);
    } else if (kind == VERDICT_FAIL) {
        oracle->probes[probe].blackholed = way == WAY_BLACKHOLE;
    } else {
        service->passed_by = way;
        service->passed_probe = probe;
    }
}

// Promise 8: who was seen to be cut off by being announced is held, and nobody else.
void cut_off_held(struct oracle *oracle, struct oracle_service *service, const struct event *event)
{
    bool holds = strstr(event->text, "takes the place of") != NULL;
    if (!holds && strstr(event->text, "does not take") == NULL) {
        return; // of something else
    }
    // With others that suffice it may have been announced meanwhile.
    bool again = service->held && !books_requires(conf_of(oracle, service), service->held_probe);
    bool right = holds ? oracle->probes[service->passed_probe].blackholed &&
                             service->passed_by == WAY_ROUTE &&
                             service->target == TARGET_WITHDRAW && (!service->held || again)
                       : service->held && service->passed_by == WAY_LOCAL;
    if (!right) {
        oracle_broken(oracle, "promise 8: %s is %s although that was not seen", event->service,
                      holds ? "held as cut off" : "not held any more");
    }
    service->held = holds;
    service->held_probe = service->passed_probe;
}

// The probes of those that are cut off by being announced would close its gate.
bool cut_off_fails(struct oracle *oracle, const struct oracle_service *service,
                   const enum level levels[], const unsigned cut_off[])
{
    enum level then[SCENE_PROBES];
    for (size_t i = 0; i < oracle->config->probe_count; i++) {
        then[i] = books_led_to(oracle, i, cut_off[i]) == service ? LEVEL_CLOSED : levels[i];
    }
    return books_gate(oracle->config, service->index, then) == LEVEL_CLOSED;
}

// Of several of which some are enough, it depends on which were seen to be cut off together.
bool cut_off_open(struct oracle *oracle, size_t index, const unsigned cut_off[])
{
    const struct service_conf *conf = &oracle->config->services[index];
    bool any = false;
    for (size_t i = 0; i < conf->any.count; i++) {
        size_t probe = conf->any.items[i];
        const struct oracle_service *led_to = books_led_to(oracle, probe, cut_off[probe]);
        any = any || (led_to != NULL && led_to->index == index);
    }
    for (size_t i = 0; i < conf->depends.count; i++) {
        any = any || cut_off_open(oracle, conf->depends.items[i], cut_off);
    }
    return any;
}
