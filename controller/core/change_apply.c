// What a change makes of its services' intents: whom it fits yet, what is asked for exactly, and
// what an isolation overtakes.
#include "controller/core/change_inside.h"

#include "base/clock.h"
#include "controller/core/past.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool lasts_longer(const struct intent *intent, const struct intent *other)
{
    return other->until_ms != 0 && (intent->until_ms == 0 || intent->until_ms > other->until_ms);
}

static void take_reason(struct intent *intent, const struct intent *before)
{
    memcpy(intent->reason, before->reason, sizeof intent->reason);
    memcpy(intent->by, before->by, sizeof intent->by);
}

// Who wants again what is so, and gives no reason, takes nobody's away, nor whose it is. popgated's
// own, that the ledger could not be read, is none once an operator wants it.
static bool keeps_reason(const struct intent *before, const struct intent *intent)
{
    return intent->kind == before->kind && intent->reason[0] == '\0' && before->reason[0] != '\0' &&
           !past_drained(before);
}

// Draining again shortens nobody's drain, and draining announces nothing that is withdrawn: what is
// has no grace any more, and what was left of a grace is not begun anew unless that is asked for.
static void drain_over(struct intent *intent, const struct core_service *service, bool has_grace)
{
    const struct intent *before = &service->intent;
    bool again = before->kind == INTENT_DRAIN;
    uint64_t left_ms = intent_grace_left_ms(before, intent->since_ms);
    if (service->decision.target == TARGET_WITHDRAW || (again && left_ms == 0)) {
        intent->grace_ms = 0;
    } else if (again && !has_grace) {
        intent->grace_ms = left_ms;
    }
    if (again && lasts_longer(before, intent)) {
        intent->until_ms = before->until_ms;
        take_reason(intent, before);
    }
}

struct intent change_intent(const struct core *core, const struct change *what, size_t service,
                            uint64_t now_ms, uint64_t wall_ms)
{
    struct intent intent = {.kind = verb_rows[what->verb].sets};
    if (intent.kind == INTENT_AUTO) {
        return intent;
    }
    intent.since_ms = now_ms;
    intent.grace_ms = what->has_grace ? what->grace_ms : core->config->services[service].grace_ms;
    intent.until_ms = what->for_ms != 0 ? now_ms + what->for_ms : 0;
    snprintf(intent.reason, sizeof intent.reason, "%s", what->reason);
    snprintf(intent.by, sizeof intent.by, "%s", what->by);
    if (keeps_reason(&core->services[service].intent, &intent)) {
        take_reason(&intent, &core->services[service].intent);
    }
    if (intent.kind == INTENT_DRAIN) {
        drain_over(&intent, &core->services[service], what->has_grace);
    }
    intent_to_wall(&intent, now_ms, wall_ms);
    return intent;
}

bool changes_overtake(struct changes *changes, const struct core *core, const struct change *what)
{
    bool *concerned = calloc(core->config->service_count + 1, sizeof *concerned);
    for (size_t i = 0; concerned != NULL && i < what->service_count; i++) {
        concerned[what->services[i]] = true;
    }
    for (struct waiting *it = changes->waiting.first; concerned != NULL && it != NULL;
         it = it->next) {
        for (size_t i = 0; !row_of(it)->at_once && i < it->what.service_count; i++) {
            it->marks[i].overtaken = it->marks[i].overtaken || concerned[it->services[i]];
            changes->outdated |= it == changes->saving && concerned[it->services[i]];
        }
    }
    free(concerned);
    return concerned != NULL;
}

bool change_fits(const struct core *core, const struct waiting *change, size_t i)
{
    return !change->marks[i].overtaken &&
           intent_hinders(&core->services[change->services[i]].intent, change->what.verb) == NULL;
}

static bool ends_nothing(const struct core *core, const struct waiting *change, size_t i)
{
    const struct core_service *service = &core->services[change->services[i]];
    return row_of(change)->nothing != NULL && service->intent.kind == INTENT_AUTO &&
           !service->decision.cut_off;
}

size_t change_apply(struct core *core, struct waiting *change, uint64_t now_ns, uint64_t wall_ms)
{
    size_t applied = 0;
    char text[EVENT_TEXT_MAX];
    snprintf(text, sizeof text, "%s by %s%s%s", row_of(change)->past, change->what.by,
             change->what.reason[0] != '\0' ? ": " : "", change->what.reason);
    for (size_t i = 0; i < change->what.service_count; i++) {
        size_t service = change->services[i];
        bool safe = change->marks[i].written || row_of(change)->at_once;
        change->marks[i].left = !safe || !change_fits(core, change, i);
        applied += !change->marks[i].left;
        if (!change->marks[i].left && !ends_nothing(core, change, i)) {
            struct intent intent =
                change_intent(core, &change->what, service, now_ns / NS_PER_MS, wall_ms);
            change->outlasted += change->what.for_ms != 0 &&
                                 intent.until_ms != now_ns / NS_PER_MS + change->what.for_ms;
            core_note_intent(core, service, &intent, text, now_ns);
        }
    }
    core_intents_noted(core, now_ns);
    return applied;
}

bool change_ends_nothing(const struct core *core, const struct waiting *change)
{
    size_t i = 0;
    while (i < change->what.service_count && ends_nothing(core, change, i)) {
        i++;
    }
    return i == change->what.service_count;
}
