// What changes and their ledger make of another configuration, or of another ledger: the same
// services under other indices, services that are gone, back, or under a new name.
#include "controller/core/change_inside.h"

#include "base/clock.h"
#include "controller/core/guard.h"
#include "controller/core/past.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool found_stands(const struct intent *now, const struct intent *found)
{
    if (past_drained(now)) {
        return true;
    }
    return (found->kind == INTENT_ISOLATE && now->kind != INTENT_ISOLATE) ||
           (found->kind == INTENT_DRAIN && now->kind == INTENT_AUTO);
}

void changes_found(struct changes *changes, struct core *core, const struct ledger *found,
                   uint64_t now_ns, uint64_t wall_ms)
{
    changes_follow_clock(changes, core, now_ns, wall_ms);
    for (size_t i = 0; i < core->config->service_count; i++) {
        const struct ledger_entry *entry = ledger_find(found, core->config->services[i].name);
        struct intent intent = {.kind = INTENT_AUTO};
        if (entry != NULL) {
            intent = entry->intent;
            (void)intent_from_wall(&intent, now_ns / NS_PER_MS, wall_ms);
        }
        if (found_stands(&core->services[i].intent, &intent)) {
            core_note_intent(core, i, &intent, "as the ledger has it, which is there now", now_ns);
        }
    }
    core_intents_noted(core, now_ns);
    for (size_t i = 0; i < found->count; i++) {
        const char *name = found->entries[i].service;
        if (config_service(core->config, name) == SIZE_MAX &&
            ledger_find(&changes->ledger, name) == NULL) {
            struct intent intent = found->entries[i].intent;
            (void)intent_from_wall(&intent, now_ns / NS_PER_MS, wall_ms);
            (void)ledger_put(&changes->ledger, name, &intent);
        }
    }
}

void changes_let_go(struct changes *changes, struct core *core)
{
    core->guard = NULL;
    guard_free(changes->guard);
    changes->guard = NULL;
    // Whose names go with the reload have what is in force: not what may yet fail to be saved, nor
    // what was in force at a reload before.
    (void)changes_refresh(changes, core);
}

// Returns whether the change lost some of them.
static bool rename_services(struct waiting *change, const struct config *config,
                            const struct config *before)
{
    size_t kept = 0;
    size_t count = change->what.service_count;
    for (size_t i = 0; i < count; i++) {
        size_t service = config_service(config, before->services[change->services[i]].name);
        if (service != SIZE_MAX) {
            change->services[kept] = service;
            change->marks[kept++] = change->marks[i];
        }
    }
    change->what.service_count = kept;
    return kept < count;
}

static void rename_all(struct changes *changes, const struct core *core,
                       const struct config *before)
{
    for (struct waiting *it = changes->waiting.first; it != NULL; it = it->next) {
        bool lost = rename_services(it, core->config, before);
        // What is done at once is in force, and so it is to be written for what is gone, too.
        bool asked = it == changes->saving && !row_of(it)->at_once;
        changes->outdated = changes->outdated || (asked && lost);
    }
    for (struct waiting *it = changes->confirming.first; it != NULL; it = it->next) {
        (void)rename_services(it, core->config, before);
    }
    changes_find_blocked(changes, core);
}

// Has it a prefix of the other?
static bool shares_prefix(const struct service_conf *service, const struct service_conf *other)
{
    for (size_t i = 0; i < service->prefix_count; i++) {
        for (size_t j = 0; j < other->prefix_count; j++) {
            if (prefix_equal(&service->prefixes[i], &other->prefixes[j])) {
                return true;
            }
        }
    }
    return false;
}

// Of services that are gone with this reload, where they were and what the ledger has.
struct gone {
    const struct service_conf *service;
    const struct ledger_entry *entry;
};

// How many; *out is the caller's. None when out of memory.
static size_t find_gone(const struct changes *changes, const struct config *config,
                        const struct config *before, struct gone **out)
{
    size_t count = 0;
    *out = calloc(changes->ledger.count + 1, sizeof **out);
    for (size_t i = 0; *out != NULL && i < changes->ledger.count; i++) {
        const struct ledger_entry *entry = &changes->ledger.entries[i];
        size_t service = config_service(before, entry->service);
        if (service != SIZE_MAX && config_service(config, entry->service) == SIZE_MAX &&
            entry->intent.kind != INTENT_PIN) {
            (*out)[count++] = (struct gone){&before->services[service], entry};
        }
    }
    return count;
}

// A service under a new name: its prefix was another's, which is gone.
static const struct ledger_entry *entry_before(const struct service_conf *service,
                                               const struct gone *gone, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (shares_prefix(service, gone[i].service)) {
            return gone[i].entry;
        }
    }
    return NULL;
}

void changes_take_over(struct changes *changes, struct core *core, const struct config *before,
                       uint64_t now_ns, uint64_t wall_ms)
{
    struct gone *gone;
    changes_follow_clock(changes, core, now_ns, wall_ms);
    rename_all(changes, core, before);
    size_t gone_count = find_gone(changes, core->config, before, &gone);
    for (size_t i = 0; i < core->config->service_count; i++) {
        const char *name = core->config->services[i].name;
        if (config_service(before, name) != SIZE_MAX) {
            continue;
        }
        const struct ledger_entry *entry = ledger_find(&changes->ledger, name);
        bool renamed = entry == NULL;
        if (renamed) {
            entry = entry_before(&core->config->services[i], gone, gone_count);
        }
        if (entry != NULL) {
            char text[EVENT_TEXT_MAX];
            snprintf(text, sizeof text, "as the ledger kept it%s%s",
                     renamed ? " of the service that had its prefix before, " : "",
                     renamed ? entry->service : "");
            core_note_intent(core, i, &entry->intent, text, now_ns);
            changes->sync_wanted = changes->sync_wanted || renamed;
        }
    }
    free(gone);
}
