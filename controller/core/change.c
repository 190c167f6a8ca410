#include "controller/core/change.h"

#include "base/clock.h"
#include "controller/core/guard.h"
#include "controller/core/ledger.h"
#include "controller/core/past.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANGES_MAX   64
#define AT_ONCE_MAX   32 // beside them: whatever else waits, there is room for an isolation
#define RETRY_SAVE_MS 1000
#define GUARDS        65536
#define CONFIRM_MS    5000 // from the request: how long BIRD's confirmation is waited for

struct waiting {
    struct change what; // services points to the copy below
    size_t *services;
    struct mark {
        bool overtaken; // something that is done at once was asked for after it
        bool written;   // it is in what was saved last
        bool left;      // it was not applied
    } * marks;          // of each service
    bool blocked;       // what was asked for before concerns one of the services
    size_t outlasted;   // services whose drain of before lasts longer
    uint64_t confirm_until_ms;
    char unsafe[ERROR_MAX]; // why it could not be saved, of what was done at once
    void *ticket;
    enum outcome outcome; // once it is answered
    char message[sizeof((struct change_effect *)NULL)->message];
    struct waiting *next;
};

struct queue {
    struct waiting *first, **end;
};

struct changes {
    struct ledger ledger; // as on disk, plus the change being saved
    // In the order of asking. Confirming: saved, and BIRD is to say that it is so.
    struct queue waiting, confirming, answered;
    size_t counts[2];        // waiting or confirming; by at_once
    struct guard *guard;     // while it is asked for
    struct waiting *guarded; // for whom
    size_t guards;           // there were
    struct waiting *saving;
    bool outdated; // a reload took away services of it since: what is written has them
    bool sync_wanted, syncing;
    char *text; // of version, to be handed out; NULL: it is
    uint64_t version;
    uint64_t retry_at_ms; // after a save that failed
    char trouble[ERROR_MAX];
};

// ---- Queues

static void queue_put(struct queue *queue, struct waiting *change)
{
    change->next = NULL;
    *queue->end = change;
    queue->end = &change->next;
}

static void queue_remove(struct queue *queue, const struct waiting *change)
{
    struct waiting **place = &queue->first;
    while (*place != change) {
        place = &(*place)->next;
    }
    *place = change->next;
    if (*place == NULL) {
        queue->end = place;
    }
}

static struct waiting *queue_take(struct queue *queue)
{
    struct waiting *first = queue->first;
    if (first != NULL) {
        queue_remove(queue, first);
    }
    return first;
}

static void waiting_free(struct waiting *change)
{
    free(change->marks);
    free(change->services);
    free(change);
}

static void queue_clear(struct queue *queue)
{
    struct waiting *change;
    while ((change = queue_take(queue)) != NULL) {
        waiting_free(change);
    }
}

struct changes *changes_new(struct ledger *ledger)
{
    struct changes *changes = calloc(1, sizeof *changes);
    if (changes == NULL) {
        return NULL;
    }
    changes->ledger = *ledger;
    *ledger = (struct ledger){0};
    changes->waiting.end = &changes->waiting.first;
    changes->confirming.end = &changes->confirming.first;
    changes->answered.end = &changes->answered.first;
    changes->retry_at_ms = UINT64_MAX;
    return changes;
}

void changes_free(struct changes *changes)
{
    if (changes == NULL) {
        return;
    }
    queue_clear(&changes->waiting);
    queue_clear(&changes->confirming);
    queue_clear(&changes->answered);
    guard_free(changes->guard);
    ledger_clear(&changes->ledger);
    free(changes->text);
    free(changes);
}

static const struct verb_row *row_of(const struct waiting *change)
{
    return &verb_rows[change->what.verb];
}

// Who waits for whom: what concerns other services waits for nobody.
static void find_blocked(struct changes *changes, const struct core *core)
{
    bool *concerned = calloc(core->config->service_count + 1, sizeof *concerned);
    for (struct waiting *it = changes->waiting.first; it != NULL; it = it->next) {
        it->blocked = concerned == NULL && it != changes->waiting.first; // out of memory
        for (size_t i = 0; concerned != NULL && i < it->what.service_count; i++) {
            it->blocked = it->blocked || concerned[it->services[i]];
            concerned[it->services[i]] = true;
        }
    }
    free(concerned);
}

// Whoever waits in queue has an answer.
__attribute__((format(printf, 6, 7))) static void
answer(struct changes *changes, const struct core *core, struct queue *queue,
       struct waiting *change, enum outcome outcome, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(change->message, sizeof change->message, format, args);
    va_end(args);
    change->outcome = outcome;
    queue_remove(queue, change);
    queue_put(&changes->answered, change);
    changes->counts[row_of(change)->at_once]--;
    find_blocked(changes, core);
}

// ---- A change and the core

static bool lasts_longer(const struct intent *intent, const struct intent *other)
{
    return other->until_ms != 0 && (intent->until_ms == 0 || intent->until_ms > other->until_ms);
}

// Draining again shortens nobody's drain, and draining announces nothing that is withdrawn: what is
// has no grace any more, and what was left of a grace is not begun anew unless that is asked for.
static void drain_over(struct intent *intent, const struct core_service *service, bool has_grace)
{
    const struct intent *before = &service->intent;
    bool again = before->kind == INTENT_DRAIN;
    uint64_t gone_ms = intent->since_ms - before->since_ms;
    if (service->decision.target == TARGET_WITHDRAW || (again && gone_ms >= before->grace_ms)) {
        intent->grace_ms = 0;
    } else if (again && !has_grace) {
        intent->grace_ms = before->grace_ms - gone_ms;
    }
    if (again && lasts_longer(before, intent)) {
        intent->until_ms = before->until_ms;
        memcpy(intent->reason, before->reason, sizeof intent->reason);
        memcpy(intent->by, before->by, sizeof intent->by);
    }
}

static struct intent intent_of(const struct core *core, const struct change *what, size_t service,
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
    if (intent.kind == INTENT_DRAIN) {
        drain_over(&intent, &core->services[service], what->has_grace);
    }
    intent_to_wall(&intent, now_ms, wall_ms);
    return intent;
}

// An isolation stands, whatever was asked for before it, its release too. False: out of memory.
static bool overtake(struct changes *changes, const struct core *core, const struct change *what)
{
    bool *concerned = calloc(core->config->service_count + 1, sizeof *concerned);
    for (size_t i = 0; concerned != NULL && i < what->service_count; i++) {
        concerned[what->services[i]] = true;
    }
    for (struct waiting *it = changes->waiting.first; concerned != NULL && it != NULL;
         it = it->next) {
        for (size_t i = 0; !row_of(it)->at_once && i < it->what.service_count; i++) {
            it->marks[i].overtaken = it->marks[i].overtaken || concerned[it->services[i]];
        }
    }
    free(concerned);
    return concerned != NULL;
}

// A change may have been overtaken while it waited.
static bool still_fits(const struct core *core, const struct waiting *change, size_t i)
{
    return !change->marks[i].overtaken &&
           intent_hinders(&core->services[change->services[i]].intent, change->what.verb) == NULL;
}

// Returns how many services it was applied to. Nothing is that the ledger has not: what stood in
// the way while that was written may have ended since.
static size_t apply(struct core *core, struct waiting *change, uint64_t now_ns, uint64_t wall_ms)
{
    size_t applied = 0;
    char text[EVENT_TEXT_MAX];
    snprintf(text, sizeof text, "%s by %s%s%s", row_of(change)->past, change->what.by,
             change->what.reason[0] != '\0' ? ": " : "", change->what.reason);
    for (size_t i = 0; i < change->what.service_count; i++) {
        size_t service = change->services[i];
        bool safe = change->marks[i].written || row_of(change)->at_once;
        change->marks[i].left = !safe || !still_fits(core, change, i);
        if (!change->marks[i].left) {
            struct intent intent =
                intent_of(core, &change->what, service, now_ns / NS_PER_MS, wall_ms);
            change->outlasted += change->what.for_ms != 0 &&
                                 intent.until_ms != now_ns / NS_PER_MS + change->what.for_ms;
            core_note_intent(core, service, &intent, text, now_ns);
            applied++;
        }
    }
    core_intents_noted(core, now_ns);
    return applied;
}

// Does the verb end what none of the services has?
static bool ends_nothing(const struct core *core, const struct waiting *change)
{
    for (size_t i = 0; i < change->what.service_count; i++) {
        if (core->services[change->services[i]].intent.kind != INTENT_AUTO) {
            return false;
        }
    }
    return row_of(change)->nothing != NULL;
}

// ---- The guard

// Only a planned withdrawal of what is announced now needs another PoP. False: out of memory.
static bool start_guard(struct changes *changes, struct core *core, struct waiting *change)
{
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
        changes->guard = guard_new(core->config, guarded, count, changes->guards++ % GUARDS);
        changes->guarded = change;
    }
    bool failed = guarded == NULL || (count > 0 && changes->guard == NULL);
    free(guarded);
    return !failed;
}

// OUTCOME_DONE: the change may go on; OUTCOME_WAITS: for the guard. Else it is refused.
static enum outcome pass_guard(struct changes *changes, struct core *core, struct waiting *change,
                               char message[ERROR_MAX], uint64_t now_ns)
{
    if (!row_of(change)->guarded || change->what.force) {
        return OUTCOME_DONE;
    }
    if (changes->guard != NULL && changes->guarded != change) {
        return OUTCOME_WAITS;
    }
    if (changes->guard == NULL) {
        if (!start_guard(changes, core, change)) {
            error_say(message, "can't look for other PoPs: out of memory");
            return OUTCOME_NO_MEMORY;
        }
        if (changes->guard == NULL) {
            return OUTCOME_DONE;
        }
        core_ask_guard(core, changes->guard, now_ns);
    }
    if (!guard_done(changes->guard)) {
        return OUTCOME_WAITS;
    }
    enum outcome outcome = guard_outcome(changes->guard, message);
    guard_free(changes->guard);
    changes->guard = NULL;
    return outcome;
}

// ---- Saving

// Brings the ledger's entries up to what the core has, so that a failed save leaves nothing behind.
static bool refresh(struct changes *changes, const struct core *core)
{
    for (size_t i = 0; i < core->config->service_count; i++) {
        if (!ledger_put(&changes->ledger, core->config->services[i].name,
                        &core->services[i].intent)) {
            return false;
        }
    }
    return true;
}

#define NO_MEMORY "can't save the ledger: out of memory"

// NULL: well; else why not.
static const char *write_text(struct changes *changes)
{
    char *text = ledger_text(&changes->ledger);
    if (text == NULL) {
        return NO_MEMORY;
    }
    if (strlen(text) > LEDGER_TEXT_MAX) {
        free(text);
        return "can't save the ledger: it would be longer than 16 MiB, and not be read again; give "
               "shorter reasons";
    }
    free(changes->text);
    changes->text = text;
    changes->version++;
    return NULL;
}

static void note_trouble(struct changes *changes, struct core *core, const char *error,
                         uint64_t now_ns)
{
    if (error != NULL && strcmp(changes->trouble, error) != 0) {
        events_add(core->events, EVENT_TROUBLE, NULL, now_ns, "%s", error)->warning = true;
    }
    changes->retry_at_ms = error != NULL ? now_ns / NS_PER_MS + RETRY_SAVE_MS : UINT64_MAX;
    snprintf(changes->trouble, sizeof changes->trouble, "%s", error != NULL ? error : "");
}

static const char *save(struct changes *changes, const struct core *core, struct waiting *change,
                        uint64_t now_ns, uint64_t wall_ms)
{
    if (!refresh(changes, core)) {
        return NO_MEMORY;
    }
    for (size_t i = 0; i < change->what.service_count; i++) {
        size_t service = change->services[i];
        struct intent intent = intent_of(core, &change->what, service, now_ns / NS_PER_MS, wall_ms);
        change->marks[i].written = still_fits(core, change, i);
        if (change->marks[i].written &&
            !ledger_put(&changes->ledger, core->config->services[service].name, &intent)) {
            return NO_MEMORY;
        }
    }
    const char *why = write_text(changes);
    changes->saving = why == NULL ? change : NULL;
    return why;
}

// ---- Confirming

static bool confirmed(const struct core *core, const struct waiting *change)
{
    for (size_t i = 0; i < change->what.service_count; i++) {
        if (!announcer_settled(core->announcer, change->services[i])) {
            return false;
        }
    }
    return true;
}

static void why_unconfirmed(const struct core *core, char out[ERROR_MAX])
{
    const struct core_link *act = &core->links[ORDER_LINK_ACT];
    if (act->state != BIRD_LINK_UP) {
        error_say(out, "it is %s: %s", act->state == BIRD_LINK_SILENT ? "silent" : "out of reach",
                  act->reason[0] != '\0' ? act->reason : "not connected yet");
    } else if (core->denied) {
        error_say(out, "it refuses our commands");
    } else if (core_gives_way(core)) {
        error_say(out, "another popgated switches the same protocols");
    } else {
        error_say(out, "no answer within %u s", CONFIRM_MS / 1000);
    }
}

static void confirm(struct changes *changes, const struct core *core, struct waiting *change,
                    uint64_t now_ns)
{
    const char *past = row_of(change)->past;
    struct queue *queue = &changes->confirming;
    char why[ERROR_MAX] = "";
    bool is_confirmed = confirmed(core, change);
    if (!is_confirmed) {
        if (now_ns / NS_PER_MS < change->confirm_until_ms) {
            return;
        }
        why_unconfirmed(core, why);
    }
    if (change->unsafe[0] != '\0') {
        char unsafe[ERROR_MAX];
        memcpy(unsafe, change->unsafe, sizeof unsafe);
        answer(changes, core, queue, change, OUTCOME_UNSAFE,
               "%s now, but a restart would forget it: %.*s%s%s", past, ERROR_MAX - 1, unsafe,
               is_confirmed ? "" : "; and BIRD has not confirmed: ", why);
    } else if (is_confirmed) {
        answer(changes, core, queue, change, OUTCOME_DONE, "%s", past);
    } else {
        answer(changes, core, queue, change, OUTCOME_UNCONFIRMED,
               "%s, but BIRD has not confirmed: %s", past, why);
    }
}

static void confirm_all(struct changes *changes, const struct core *core, uint64_t now_ns)
{
    struct waiting *next;
    for (struct waiting *it = changes->confirming.first; it != NULL; it = next) {
        next = it->next;
        confirm(changes, core, it, now_ns);
    }
}

// Why a service is left as it was; of those that are, the first.
static void why_left(const struct core *core, const struct waiting *change, char out[ERROR_MAX])
{
    size_t i = 0;
    while (!change->marks[i].left) {
        i++;
    }
    const struct core_service *service = &core->services[change->services[i]];
    const char *name = core->config->services[change->services[i]].name;
    const char *hinders = intent_hinders(&service->intent, change->what.verb);
    if (change->marks[i].overtaken) {
        error_say(out, "an isolation of %s came first; only release ends it", name);
    } else if (hinders != NULL) {
        error_say(out, "%s is %s", name, hinders);
    } else {
        error_say(out, "what stood in the way at %s has ended just now; ask again", name);
    }
}

static void say_applied(struct changes *changes, const struct core *core, struct waiting *change,
                        size_t applied)
{
    const char *past = row_of(change)->past;
    struct queue *queue = &changes->waiting;
    char why[ERROR_MAX];
    if (applied < change->what.service_count) {
        why_left(core, change, why);
    }
    if (change->what.service_count == 0) {
        answer(changes, core, queue, change, OUTCOME_HINDERED,
               "nothing was changed: a reload took the service out of the configuration");
    } else if (applied == 0) {
        answer(changes, core, queue, change, OUTCOME_HINDERED, "nothing was changed: %s", why);
    } else if (applied < change->what.service_count) {
        answer(changes, core, queue, change, OUTCOME_PARTLY, "%s, but %zu of %zu as they were: %s",
               past, change->what.service_count - applied, change->what.service_count, why);
    } else if (change->outlasted > 0) {
        answer(changes, core, queue, change, OUTCOME_DONE,
               "%s; %zu of %zu %s drained for longer already, and will be", past, change->outlasted,
               applied, change->outlasted == 1 ? "was" : "were");
    } else {
        answer(changes, core, queue, change, OUTCOME_DONE, "%s", past);
    }
}

static void change_saved(struct changes *changes, struct core *core, struct waiting *change,
                         const char *error, uint64_t now_ns, uint64_t wall_ms)
{
    const struct verb_row *row = row_of(change);
    struct queue *queue = &changes->waiting;
    if (row->at_once) {
        snprintf(change->unsafe, sizeof change->unsafe, "%s", error != NULL ? error : "");
        queue_remove(queue, change);
        queue_put(&changes->confirming, change);
        find_blocked(changes, core);
    } else if (error != NULL) {
        answer(changes, core, queue, change, OUTCOME_UNSAFE, "nothing was changed: %s", error);
    } else {
        bool nothing = ends_nothing(core, change);
        size_t applied = apply(core, change, now_ns, wall_ms);
        if (nothing && applied > 0) {
            answer(changes, core, queue, change, OUTCOME_NOTHING, "nothing changed: %s",
                   row->nothing);
        } else {
            say_applied(changes, core, change, applied);
        }
    }
}

// ---- Which comes next

static struct waiting *first_at_once(const struct changes *changes)
{
    struct waiting *change = changes->waiting.first;
    while (change != NULL && !row_of(change)->at_once) {
        change = change->next;
    }
    return change;
}

// What is done at once is on disk before anything that was asked for earlier. Of the rest, who
// waits for the guard holds up only what concerns the same services. NULL: none can be saved now.
static struct waiting *next_to_save(struct changes *changes, struct core *core, uint64_t now_ns)
{
    struct waiting *next;
    struct waiting *urgent = first_at_once(changes);
    for (struct waiting *it = changes->waiting.first; it != NULL && urgent == NULL; it = next) {
        char message[ERROR_MAX];
        next = it->next;
        if (it->blocked) {
            continue;
        }
        enum outcome outcome = pass_guard(changes, core, it, message, now_ns);
        if (outcome == OUTCOME_DONE) {
            return it;
        }
        if (outcome != OUTCOME_WAITS) {
            answer(changes, core, &changes->waiting, it, outcome, "%s", message);
            next = changes->waiting.first; // it may have blocked one before
        }
    }
    return urgent;
}

static void work(struct changes *changes, struct core *core, uint64_t now_ns, uint64_t wall_ms)
{
    struct waiting *change;
    while (changes->saving == NULL && !changes->syncing &&
           (change = next_to_save(changes, core, now_ns)) != NULL) {
        const char *why = save(changes, core, change, now_ns, wall_ms);
        if (why != NULL) {
            change_saved(changes, core, change, why, now_ns, wall_ms);
        }
    }
    confirm_all(changes, core, now_ns);
    if (changes->saving == NULL && changes->sync_wanted && !changes->syncing) {
        changes->sync_wanted = false;
        const char *why = refresh(changes, core) ? write_text(changes) : NO_MEMORY;
        changes->syncing = why == NULL;
        if (why != NULL) {
            note_trouble(changes, core, why, now_ns);
        }
    }
}

enum outcome changes_submit(struct changes *changes, struct core *core, const struct change *what,
                            void *ticket, uint64_t now_ns, uint64_t wall_ms)
{
    bool at_once = verb_rows[what->verb].at_once;
    if (changes->counts[at_once] >= (at_once ? AT_ONCE_MAX : CHANGES_MAX)) {
        return OUTCOME_BUSY;
    }
    struct waiting *change = calloc(1, sizeof *change);
    size_t *services = calloc(what->service_count + 1, sizeof *services);
    struct mark *marks = calloc(what->service_count + 1, sizeof *marks);
    if (change == NULL || services == NULL || marks == NULL ||
        (at_once && !overtake(changes, core, what))) {
        free(change);
        free(services);
        free(marks);
        return OUTCOME_NO_MEMORY;
    }
    memcpy(services, what->services, what->service_count * sizeof *services);
    *change = (struct waiting){.what = *what,
                               .services = services,
                               .marks = marks,
                               .confirm_until_ms = now_ns / NS_PER_MS + CONFIRM_MS,
                               .ticket = ticket};
    change->what.services = services;
    queue_put(&changes->waiting, change);
    changes->counts[at_once]++;
    if (at_once) {
        apply(core, change, now_ns, wall_ms);
    }
    find_blocked(changes, core);
    return OUTCOME_WAITS;
}

void changes_saved(struct changes *changes, struct core *core, uint64_t version, const char *error,
                   uint64_t now_ns, uint64_t wall_ms)
{
    if (version != changes->version) {
        return;
    }
    note_trouble(changes, core, error, now_ns);
    if (error != NULL) {
        (void)refresh(changes, core); // of what a reload may take away now, it is the only record
    }
    struct waiting *change = changes->saving;
    bool again = changes->outdated && error == NULL;
    changes->saving = NULL;
    changes->outdated = changes->syncing = false;
    if (again) {                   // with what is left of it, or without it; then it is answered
        change->what.force = true; // it has passed the guard
    } else if (change != NULL) {
        change_saved(changes, core, change, error, now_ns, wall_ms);
    }
}

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
    for (size_t i = 0; i < core->config->service_count; i++) {
        const struct ledger_entry *entry = ledger_find(found, core->config->services[i].name);
        struct intent intent = {.kind = INTENT_AUTO};
        if (entry != NULL) {
            intent = entry->intent;
            intent_from_wall(&intent, now_ns / NS_PER_MS, wall_ms);
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
            (void)ledger_put(&changes->ledger, name, &found->entries[i].intent);
        }
    }
}

void changes_sync(struct changes *changes)
{
    changes->sync_wanted = true;
}

bool changes_step(struct changes *changes, struct core *core, uint64_t now_ns, uint64_t wall_ms,
                  struct change_effect *out)
{
    if (core->ledger_dirty || now_ns / NS_PER_MS >= changes->retry_at_ms) {
        core->ledger_dirty = false;
        changes->retry_at_ms = UINT64_MAX;
        changes->sync_wanted = true;
    }
    work(changes, core, now_ns, wall_ms);
    if (changes->text != NULL) {
        *out = (struct change_effect){.kind = CHANGE_SAVES,
                                      .text = changes->text,
                                      .version = changes->version,
                                      .insists = changes->saving != NULL};
        changes->text = NULL;
        return true;
    }
    struct waiting *change = queue_take(&changes->answered);
    if (change == NULL) {
        return false;
    }
    *out = (struct change_effect){
        .kind = CHANGE_ANSWERS, .ticket = change->ticket, .outcome = change->outcome};
    memcpy(out->message, change->message, sizeof out->message);
    waiting_free(change);
    return true;
}

uint64_t changes_next_ms(const struct changes *changes)
{
    uint64_t next_ms = changes->retry_at_ms;
    for (const struct waiting *it = changes->confirming.first; it != NULL; it = it->next) {
        next_ms = it->confirm_until_ms < next_ms ? it->confirm_until_ms : next_ms;
    }
    return next_ms;
}

const char *changes_trouble(const struct changes *changes)
{
    return changes->trouble[0] != '\0' ? changes->trouble : NULL;
}

void changes_let_go(struct changes *changes, struct core *core)
{
    core->guard = NULL;
    guard_free(changes->guard);
    changes->guard = NULL;
    if (changes->saving != NULL) {
        // Whose names go with the reload have what is in force, not what may yet fail to be saved.
        (void)refresh(changes, core);
    }
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
    find_blocked(changes, core);
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
            struct intent intent = entry->intent;
            intent_from_wall(&intent, now_ns / NS_PER_MS, wall_ms);
            snprintf(text, sizeof text, "as the ledger kept it%s%s",
                     renamed ? " of the service that had its prefix before, " : "",
                     renamed ? entry->service : "");
            core_note_intent(core, i, &intent, text, now_ns);
            changes->sync_wanted = changes->sync_wanted || renamed;
        }
    }
    free(gone);
}
