#include "controller/daemon/change.h"

#include "base/clock.h"

#include "controller/core/guard.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHANGES_MAX 64

struct change {
    struct api_change what; // services points to the copy below
    size_t *services;
    struct api_ticket *ticket; // NULL: nobody waits
    struct change *next;
};

struct changes {
    struct ledger ledger; // as on disk, plus the change being saved
    const struct changes_shell *shell;
    void *arg;
    struct change *first, **end;
    size_t count;
    struct guard *guard; // of the first change, while it is asked for
    bool saving;         // the first change
    bool sync_wanted, syncing;
    uint64_t version;
    char trouble[ERROR_MAX];
};

static void work(struct changes *changes);

struct changes *changes_new(struct ledger *ledger, const struct changes_shell *shell, void *arg)
{
    struct changes *changes = calloc(1, sizeof *changes);
    if (changes == NULL) {
        return NULL;
    }
    changes->ledger = *ledger;
    *ledger = (struct ledger){0};
    changes->shell = shell;
    changes->arg = arg;
    changes->end = &changes->first;
    return changes;
}

static void pop(struct changes *changes)
{
    struct change *first = changes->first;
    changes->first = first->next;
    if (changes->first == NULL) {
        changes->end = &changes->first;
    }
    changes->count--;
    free(first->services);
    free(first);
}

void changes_free(struct changes *changes)
{
    if (changes == NULL) {
        return;
    }
    while (changes->first != NULL) {
        pop(changes);
    }
    guard_free(changes->guard);
    ledger_clear(&changes->ledger);
    free(changes);
}

static struct intent intent_of(const struct changes *changes, const struct api_change *what,
                               size_t service)
{
    struct intent intent = {.kind = verb_rows[what->verb].sets};
    if (intent.kind == INTENT_AUTO) {
        return intent;
    }
    const struct core *core = changes->shell->core(changes->arg);
    uint64_t now_ms = changes->shell->now_ns(changes->arg) / NS_PER_MS;
    intent.since_ms = now_ms;
    intent.grace_ms = what->has_grace ? what->grace_ms : core->config->services[service].grace_ms;
    const struct intent *before = &core->services[service].intent;
    if (intent.kind == INTENT_DRAIN && before->kind == INTENT_DRAIN &&
        now_ms - before->since_ms >= before->grace_ms) {
        intent.grace_ms = 0; // withdrawn already: draining again announces nothing
    }
    intent.until_ms = what->for_ms != 0 ? now_ms + what->for_ms : 0;
    snprintf(intent.reason, sizeof intent.reason, "%s", what->reason);
    snprintf(intent.by, sizeof intent.by, "%s", what->by);
    intent_to_wall(&intent, now_ms, clock_wall_ms());
    return intent;
}

static const struct verb_row *row_of(const struct change *change)
{
    return &verb_rows[change->what.verb];
}

static bool concerns(const struct change *change, size_t service)
{
    for (size_t i = 0; i < change->what.service_count; i++) {
        if (change->services[i] == service) {
            return true;
        }
    }
    return false;
}

// A change may have been overtaken while it waited: an isolation stands, whatever was asked for
// before it, its release too.
static bool still_fits(const struct changes *changes, const struct change *change, size_t service)
{
    const struct core *core = changes->shell->core(changes->arg);
    for (const struct change *later = change->next; later != NULL; later = later->next) {
        if (!row_of(change)->at_once && row_of(later)->at_once && concerns(later, service)) {
            return false;
        }
    }
    return intent_hinders(&core->services[service].intent, change->what.verb) == NULL;
}

// Returns how many services it was applied to.
static size_t apply(struct changes *changes, const struct change *change)
{
    size_t applied = 0;
    struct core *core = changes->shell->core(changes->arg);
    char text[EVENT_TEXT_MAX];
    snprintf(text, sizeof text, "%s by %s%s%s", row_of(change)->past, change->what.by,
             change->what.reason[0] != '\0' ? ": " : "", change->what.reason);
    for (size_t i = 0; i < change->what.service_count; i++) {
        size_t service = change->services[i];
        if (still_fits(changes, change, service)) {
            struct intent intent = intent_of(changes, &change->what, service);
            core_note_intent(core, service, &intent, text, changes->shell->now_ns(changes->arg));
            applied++;
        }
    }
    core_intents_noted(core, changes->shell->now_ns(changes->arg));
    changes->shell->applied(changes->arg);
    return applied;
}

static void answer(struct changes *changes, unsigned status, const char *message)
{
    if (changes->first->ticket != NULL) {
        api_answer(changes->first->ticket, status, message);
    }
    pop(changes);
}

static bool submit_text(struct changes *changes)
{
    char *text = ledger_text(&changes->ledger);
    if (text == NULL) {
        return false;
    }
    changes->shell->save(changes->arg, text, ++changes->version);
    free(text);
    return true;
}

// Brings the ledger's entries up to what the core has, so that a failed save leaves nothing behind.
static bool refresh(struct changes *changes)
{
    const struct core *core = changes->shell->core(changes->arg);
    for (size_t i = 0; i < core->config->service_count; i++) {
        if (!ledger_put(&changes->ledger, core->config->services[i].name,
                        &core->services[i].intent)) {
            return false;
        }
    }
    return true;
}

static bool save_first(struct changes *changes)
{
    const struct core *core = changes->shell->core(changes->arg);
    const struct change *change = changes->first;
    if (!refresh(changes)) {
        return false;
    }
    for (size_t i = 0; i < change->what.service_count; i++) {
        struct intent intent = intent_of(changes, &change->what, change->services[i]);
        if (still_fits(changes, change, change->services[i]) &&
            !ledger_put(&changes->ledger, core->config->services[change->services[i]].name,
                        &intent)) {
            return false;
        }
    }
    changes->saving = submit_text(changes);
    return changes->saving;
}

// Only a planned withdrawal of what is announced now needs another PoP.
static bool start_guard(struct changes *changes, char error[ERROR_MAX])
{
    const struct core *core = changes->shell->core(changes->arg);
    struct change *change = changes->first;
    size_t *guarded = calloc(change->what.service_count + 1, sizeof *guarded);
    size_t count = 0;
    for (size_t i = 0; guarded != NULL && i < change->what.service_count; i++) {
        size_t service = change->services[i];
        if (core->config->services[service].last_pop_guard &&
            core->services[service].decision.target != TARGET_WITHDRAW) {
            guarded[count++] = service;
        }
    }
    if (guarded != NULL && count > 0) {
        changes->guard = guard_new(core->config, guarded, count);
    }
    bool failed = guarded == NULL || (count > 0 && changes->guard == NULL);
    free(guarded);
    if (failed) {
        snprintf(error, ERROR_MAX, "can't look for other PoPs: out of memory");
    }
    return !failed;
}

// True when the first change may go on; false while the guard is asked, or when it was answered
// with a refusal.
static bool pass_guard(struct changes *changes)
{
    char message[ERROR_MAX];
    if (!row_of(changes->first)->guarded || changes->first->what.force) {
        return true;
    }
    if (changes->guard == NULL) {
        if (!start_guard(changes, message)) {
            answer(changes, 500, message);
            return false;
        }
        if (changes->guard == NULL) {
            return true;
        }
        core_ask_guard(changes->shell->core(changes->arg), changes->guard,
                       changes->shell->now_ns(changes->arg));
        changes->shell->applied(changes->arg);
        return false;
    }
    if (!guard_done(changes->guard)) {
        return false;
    }
    bool passes = guard_passes(changes->guard, message);
    guard_free(changes->guard);
    changes->guard = NULL;
    if (!passes) {
        answer(changes, 409, message);
    }
    return passes;
}

static void work(struct changes *changes)
{
    while (changes->first != NULL && !changes->saving && !changes->syncing) {
        size_t before = changes->count;
        if (pass_guard(changes)) {
            if (!save_first(changes)) {
                answer(changes, 500, "can't save the ledger: out of memory");
            }
        } else if (changes->count == before) {
            return;
        }
    }
    if (changes->first == NULL && changes->sync_wanted && !changes->syncing) {
        changes->sync_wanted = false;
        changes->syncing = refresh(changes) && submit_text(changes);
    }
}

void changes_submit(struct changes *changes, const struct api_change *what,
                    struct api_ticket *ticket)
{
    if (changes->count >= CHANGES_MAX) {
        api_answer(ticket, 503, "too many changes wait already; try again in a moment");
        return;
    }
    struct change *change = calloc(1, sizeof *change);
    size_t *services = calloc(what->service_count + 1, sizeof *services);
    if (change == NULL || services == NULL) {
        free(change);
        free(services);
        api_answer(ticket, 500, "out of memory");
        return;
    }
    memcpy(services, what->services, what->service_count * sizeof *services);
    *change = (struct change){.what = *what, .services = services, .ticket = ticket};
    change->what.services = services;
    *changes->end = change;
    changes->end = &change->next;
    changes->count++;
    if (row_of(change)->at_once) {
        apply(changes, change);
    }
    work(changes);
}

void changes_step(struct changes *changes)
{
    work(changes);
}

// What to say of a change that ends what none of its services has; NULL: it ends something.
static const char *ends_nothing(struct changes *changes, const struct change *change)
{
    const struct core *core = changes->shell->core(changes->arg);
    for (size_t i = 0; i < change->what.service_count; i++) {
        if (core->services[change->services[i]].intent.kind != INTENT_AUTO) {
            return NULL;
        }
    }
    return row_of(change)->nothing;
}

static void change_saved(struct changes *changes, const char *error)
{
    char message[ERROR_MAX + 96];
    const struct change *change = changes->first;
    bool at_once = row_of(change)->at_once;
    const char *nothing = ends_nothing(changes, change);
    // Until it is applied, a change is being saved: what applying leads to must not begin another.
    size_t applied = error != NULL || at_once ? 0 : apply(changes, change);
    changes->saving = false;
    if (error != NULL) {
        if (at_once) {
            snprintf(message, sizeof message, "%s now, but a restart would forget it: %s",
                     row_of(change)->past, error);
        } else {
            snprintf(message, sizeof message, "nothing was changed: %s", error);
        }
        answer(changes, 500, message);
        return;
    }
    if (!at_once && applied == 0 && change->what.service_count > 0) {
        answer(changes, 409, "nothing was changed: an isolation came first; only release ends it");
        return;
    }
    snprintf(message, sizeof message, "nothing changed: %s", nothing != NULL ? nothing : "");
    answer(changes, 200, nothing != NULL ? message : row_of(change)->past);
}

void changes_saved(struct changes *changes, uint64_t version, const char *error)
{
    if (version != changes->version) {
        return;
    }
    snprintf(changes->trouble, sizeof changes->trouble, "%s", error != NULL ? error : "");
    if (changes->saving) {
        change_saved(changes, error);
    } else if (changes->syncing) {
        changes->syncing = false;
    }
    work(changes);
}

void changes_sync(struct changes *changes)
{
    changes->sync_wanted = true;
    work(changes);
}

bool changes_idle(const struct changes *changes)
{
    return changes->first == NULL && !changes->syncing && !changes->sync_wanted;
}

const char *changes_trouble(const struct changes *changes)
{
    return changes->trouble[0] != '\0' ? changes->trouble : NULL;
}

const struct intent *changes_kept(const struct changes *changes, const char *service)
{
    const struct ledger_entry *entry = ledger_find(&changes->ledger, service);
    return entry != NULL ? &entry->intent : NULL;
}
