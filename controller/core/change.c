#include "controller/core/change_inside.h"

#include "base/clock.h"
#include "controller/core/guard.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANGES_MAX   64
#define AT_ONCE_MAX   32 // beside them: whatever else waits, there is room for an isolation
#define RETRY_SAVE_MS 1000
#define GUARDS        65536
#define STEP_MS       UINT64_C(1000) // of the wall clock, to either side: less is nothing
#define CONFIRM_MS    5000           // from the request: how long BIRD's confirmation is waited for

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

struct changes *changes_new(struct ledger *ledger, uint64_t now_ns, uint64_t wall_ms)
{
    struct changes *changes = calloc(1, sizeof *changes);
    if (changes == NULL) {
        return NULL;
    }
    changes->ledger = *ledger;
    *ledger = (struct ledger){0};
    changes->ahead_ms = wall_ms - now_ns / NS_PER_MS;
    for (size_t i = 0; i < changes->ledger.count; i++) {
        struct intent *intent = &changes->ledger.entries[i].intent;
        changes->sync_wanted |= intent_from_wall(intent, now_ns / NS_PER_MS, wall_ms);
    }
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

void changes_find_blocked(struct changes *changes, const struct core *core)
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
    changes_find_blocked(changes, core);
}

// ---- The clocks

static bool follow(struct intent *intent, uint64_t now_ms, uint64_t wall_ms)
{
    bool timed = intent_is_timed(intent);
    if (timed) {
        intent_to_wall(intent, now_ms, wall_ms);
    }
    return timed;
}

void changes_follow_clock(struct changes *changes, struct core *core, uint64_t now_ns,
                          uint64_t wall_ms)
{
    uint64_t now_ms = now_ns / NS_PER_MS;
    uint64_t moved_ms = wall_ms - now_ms - changes->ahead_ms;
    if (moved_ms + STEP_MS <= 2 * STEP_MS) {
        return;
    }
    changes->ahead_ms += moved_ms;
    for (size_t i = 0; i < core->config->service_count; i++) {
        core->ledger_dirty |= follow(&core->services[i].intent, now_ms, wall_ms);
    }
    for (size_t i = 0; i < changes->ledger.count; i++) { // of services that aren't configured, too
        core->ledger_dirty |= follow(&changes->ledger.entries[i].intent, now_ms, wall_ms);
    }
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

bool changes_refresh(struct changes *changes, const struct core *core)
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
    if (!changes_refresh(changes, core)) {
        return NO_MEMORY;
    }
    for (size_t i = 0; i < change->what.service_count; i++) {
        size_t service = change->services[i];
        struct intent intent =
            change_intent(core, &change->what, service, now_ns / NS_PER_MS, wall_ms);
        change->marks[i].written = change_fits(core, change, i);
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

static bool share_service(const struct waiting *change, const struct waiting *other)
{
    for (size_t i = 0; i < change->what.service_count; i++) {
        for (size_t j = 0; j < other->what.service_count; j++) {
            if (change->services[i] == other->services[j]) {
                return true;
            }
        }
    }
    return false;
}

// A save ended, of that change or of what there is (NULL). What fails may be on disk all the same:
// a release of what is being confirmed. It is written over at once, and until then that is not
// safe.
static void note_safety(struct changes *changes, const struct waiting *saved, const char *error)
{
    bool undoes = error != NULL && saved != NULL && !row_of(saved)->at_once;
    for (struct waiting *it = changes->confirming.first; it != NULL; it = it->next) {
        if (undoes && share_service(it, saved)) {
            snprintf(it->unsafe, sizeof it->unsafe, "%s", error);
        } else if (error == NULL && !changes->outdated) {
            it->unsafe[0] = '\0';
        }
    }
    changes->sync_wanted = changes->sync_wanted || undoes;
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
        changes_find_blocked(changes, core);
    } else if (error != NULL) {
        answer(changes, core, queue, change, OUTCOME_UNSAFE, "nothing was changed: %s", error);
    } else {
        bool nothing = change_ends_nothing(core, change);
        size_t applied = change_apply(core, change, now_ns, wall_ms);
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
        const char *why = changes_refresh(changes, core) ? write_text(changes) : NO_MEMORY;
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
        (at_once && !changes_overtake(changes, core, what))) {
        free(change);
        free(services);
        free(marks);
        return OUTCOME_NO_MEMORY;
    }
    changes_follow_clock(changes, core, now_ns, wall_ms);
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
        change_apply(core, change, now_ns, wall_ms);
    }
    changes_find_blocked(changes, core);
    return OUTCOME_WAITS;
}

void changes_saved(struct changes *changes, struct core *core, uint64_t version, const char *error,
                   uint64_t now_ns, uint64_t wall_ms)
{
    if (version != changes->version) {
        return;
    }
    changes_follow_clock(changes, core, now_ns, wall_ms);
    note_trouble(changes, core, error, now_ns);
    if (error != NULL) {
        (void)changes_refresh(changes,
                              core); // of what a reload may take away now, it is the only record
    }
    struct waiting *change = changes->saving;
    bool again = changes->outdated && error == NULL;
    note_safety(changes, change, error);
    changes->saving = NULL;
    changes->outdated = changes->syncing = false;
    if (again) {                   // with what is left of it, or without it; then it is answered
        change->what.force = true; // it has passed the guard
    } else if (change != NULL) {
        change_saved(changes, core, change, error, now_ns, wall_ms);
    }
}

void changes_sync(struct changes *changes)
{
    changes->sync_wanted = true;
}

bool changes_step(struct changes *changes, struct core *core, uint64_t now_ns, uint64_t wall_ms,
                  struct change_effect *out)
{
    changes_follow_clock(changes, core, now_ns, wall_ms);
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
