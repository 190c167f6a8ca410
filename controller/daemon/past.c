#include "controller/daemon/past.h"

#include "base/clock.h"
#include "controller/daemon/state_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Everything that a damaged ledger may have held is drained: better too little traffic than too
// much.
static bool drain_all(struct ledger *ledger, const struct config *config, const char *why)
{
    for (size_t i = 0; i < config->service_count; i++) {
        struct intent intent = {.kind = INTENT_DRAIN, .since_wall_ms = clock_wall_ms()};
        snprintf(intent.reason, sizeof intent.reason, "%.*s", (int)sizeof intent.reason - 1, why);
        snprintf(intent.by, sizeof intent.by, "popgated");
        if (!ledger_put(ledger, config->services[i].name, &intent)) {
            return false;
        }
    }
    return true;
}

static bool read_ledger(struct past *past, const struct config *config, struct events *events,
                        uint64_t now_ns)
{
    char message[ERROR_MAX];
    enum ledger_found found = ledger_read(config->pop.state_dir, &past->ledger, message);
    if (found == LEDGER_OK || found == LEDGER_NONE) {
        return true;
    }
    past->ledger_damaged = true;
    events_add(events, EVENT_TROUBLE, NULL, now_ns,
               "%s; every service is drained until somebody undrains it", message)
        ->warning = true;
    return drain_all(&past->ledger, config, message);
}

static void read_former(struct past *past, const struct config *config, struct events *events,
                        uint64_t now_ns)
{
    char error[ERROR_MAX];
    past->former = birdconf_read(config->pop.runtime_dir, error);
    if (past->former == NULL && error[0] != '\0') {
        events_add(events, EVENT_TROUBLE, NULL, now_ns,
                   "%s; it is replaced, and nothing is taken over", error)
            ->warning = true;
    }
}

static void find_intent(struct past *past, const char *service, struct intent *intent,
                        uint64_t now_ns)
{
    const struct ledger_entry *entry = ledger_find(&past->ledger, service);
    if (entry != NULL) {
        *intent = entry->intent;
        intent_from_wall(intent, now_ns / NS_PER_MS, clock_wall_ms());
    }
}

static void recall(const struct boot_memory *memory, const char *service, uint64_t *recent)
{
    for (size_t i = 0; i < memory->count; i++) {
        if (strcmp(memory->entries[i].service, service) == 0) {
            *recent = memory->entries[i].recent;
        }
    }
}

bool past_read(struct past *past, const struct config *config, struct events *events,
               char boot_id[64], uint64_t now_ns)
{
    struct boot_memory memory = {.entries = NULL};
    *past = (struct past){.same_boot = false};
    past->intents = calloc(config->service_count + 1, sizeof *past->intents);
    past->recent = calloc(config->service_count + 1, sizeof *past->recent);
    if (past->intents == NULL || past->recent == NULL) {
        return false;
    }
    if (!read_ledger(past, config, events, now_ns)) {
        return false;
    }
    read_former(past, config, events, now_ns);
    past->same_boot =
        boot_id_read(boot_id) && boot_memory_read(config->pop.runtime_dir, boot_id, &memory);
    for (size_t i = 0; i < config->service_count; i++) {
        find_intent(past, config->services[i].name, &past->intents[i], now_ns);
        recall(&memory, config->services[i].name, &past->recent[i]);
    }
    boot_memory_clear(&memory);
    return true;
}

void past_clear(struct past *past)
{
    ledger_clear(&past->ledger);
    birdconf_free(past->former);
    free(past->intents);
    free(past->recent);
    *past = (struct past){.same_boot = false};
}
