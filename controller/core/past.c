#include "controller/core/past.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// In the place of a user, who has a uid in brackets.
#define NOBODY "popgated"

bool past_drained(const struct intent *intent)
{
    return intent->kind == INTENT_DRAIN && strcmp(intent->by, NOBODY) == 0;
}

// Everything that a damaged ledger may have held is drained: better too little traffic than too
// much.
static bool drain_all(struct ledger *ledger, const struct config *config, const char *why,
                      uint64_t wall_ms)
{
    for (size_t i = 0; i < config->service_count; i++) {
        struct intent intent = {.kind = INTENT_DRAIN, .since_wall_ms = wall_ms};
        snprintf(intent.reason, sizeof intent.reason, "%.*s", (int)sizeof intent.reason - 1, why);
        snprintf(intent.by, sizeof intent.by, "%s", NOBODY);
        if (!ledger_put(ledger, config->services[i].name, &intent)) {
            return false;
        }
    }
    return true;
}

static void trouble(struct events *events, uint64_t now_ns, const char *what, const char *so)
{
    events_add(events, EVENT_TROUBLE, NULL, now_ns, "%s; %s", what, so)->warning = true;
}

static void find_intent(const struct past *past, const char *service, struct intent *intent,
                        uint64_t now_ms, uint64_t wall_ms)
{
    const struct ledger_entry *entry = ledger_find(&past->ledger, service);
    if (entry != NULL) {
        *intent = entry->intent;
        (void)intent_from_wall(intent, now_ms, wall_ms);
    }
}

static void recall(const struct past *past, const struct config *config)
{
    for (size_t i = 0; i < past->memory.count; i++) {
        size_t service = config_service(config, past->memory.entries[i].service);
        if (service != SIZE_MAX) {
            past->recent[service] = past->memory.entries[i].recent;
        }
    }
}

// Was it renamed? Then it is announced although somebody drained it.
static void tell_unknown(const struct past *past, const struct config *config,
                         struct events *events, uint64_t now_ns)
{
    char names[EVENT_TEXT_MAX / 2] = "";
    size_t length = 0;
    for (size_t i = 0; i < past->ledger.count; i++) {
        const struct ledger_entry *entry = &past->ledger.entries[i];
        if (config_service(config, entry->service) == SIZE_MAX &&
            length + SERVICE_NAME_MAX + 16 < sizeof names) {
            length += (size_t)snprintf(names + length, sizeof names - length, "%s%s (%s)",
                                       length > 0 ? ", " : "", entry->service,
                                       intent_name(entry->intent.kind));
        }
    }
    if (length > 0) {
        events_add(events, EVENT_TROUBLE, NULL, now_ns,
                   "the ledger has services that the configuration has not: %s; if they have other "
                   "names now, those are not held",
                   names)
            ->warning = true;
    }
}

bool past_make(struct past *past, const struct config *config, struct events *events,
               uint64_t now_ns, uint64_t wall_ms)
{
    past->intents = calloc(config->service_count + 1, sizeof *past->intents);
    past->recent = calloc(config->service_count + 1, sizeof *past->recent);
    past->ledger_damaged = past->ledger_trouble[0] != '\0';
    if (past->intents == NULL || past->recent == NULL) {
        return false;
    }
    if (past->ledger_damaged) {
        trouble(events, now_ns, past->ledger_trouble,
                "every service is drained until somebody undrains it");
        if (!drain_all(&past->ledger, config, past->ledger_trouble, wall_ms)) {
            return false;
        }
    }
    if (past->former == NULL && past->former_trouble[0] != '\0') {
        trouble(events, now_ns, past->former_trouble, "it is replaced, and nothing is taken over");
    }
    for (size_t i = 0; i < config->service_count; i++) {
        find_intent(past, config->services[i].name, &past->intents[i], now_ns / NS_PER_MS, wall_ms);
    }
    if (past->boot_unknown) {
        trouble(
            events, now_ns,
            "can't read this boot's id, /proc/sys/kernel/random/boot_id (does the unit say "
            "ProcSubset=pid?)",
            "every restart counts as a reboot: what is announced is withdrawn until it is known "
            "healthy");
    }
    tell_unknown(past, config, events, now_ns);
    recall(past, config);
    return true;
}

void past_clear(struct past *past)
{
    ledger_clear(&past->ledger);
    boot_memory_clear(&past->memory);
    birdconf_free(past->former);
    free(past->intents);
    free(past->recent);
    *past = (struct past){.same_boot = false};
}
