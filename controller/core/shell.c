#include "controller/core/shell.h"

#include "base/clock.h"

#include "controller/core/ledger.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Between two saves a file rests so many times as long as the first took, and no longer than this.
#define REST_SHARE  4
#define REST_MAX_MS 50

static bool idle(const struct shell *shell, enum shell_file file)
{
    return shell->effects->idle(shell->arg, file);
}

static void save(struct shell *shell, const struct shell_save *what, uint64_t now_ns)
{
    shell->began_ns[what->file] = now_ns;
    shell->effects->save(shell->arg, what);
}

static void rest(struct shell *shell, enum shell_file file, uint64_t now_ns)
{
    uint64_t rest_ms = (now_ns - shell->began_ns[file]) * REST_SHARE / NS_PER_MS;
    shell->rest_ms[file] = now_ns / NS_PER_MS + (rest_ms < REST_MAX_MS ? rest_ms : REST_MAX_MS);
}

static bool rests(const struct shell *shell, enum shell_file file, uint64_t now_ns)
{
    return now_ns / NS_PER_MS < shell->rest_ms[file] && !shell->stopping;
}

static void send_orders(struct shell *shell, uint64_t now_ns)
{
    const struct shell_effects *effects = shell->effects;
    struct order order;
    bool withdrawing = false;
    while (effects->room(shell->arg) && core_order(shell->core, &order)) {
        withdrawing = withdrawing || order.urgent;
        if (!effects->send(shell->arg, &order)) {
            core_end(shell->core, order.token, BIRD_END_LOST, 0, "", now_ns);
            shell->again = true; // the guard may have its answer
        }
    }
    if (withdrawing) {
        effects->withdrawn(shell->arg);
    }
}

// What was withdrawn is off in the file within microseconds, so that nobody's `configure` brings it
// back; the file is then replaced in whole, be it after a rest.
static void patch_include(struct shell *shell)
{
    size_t slots[INCLUDE_PATCH_MAX];
    size_t count = include_take_patch(&shell->core->include, slots);
    if (count > 0) {
        shell->effects->patch(shell->arg, core_file(shell->core), slots, count);
    }
}

static void save_include(struct shell *shell, uint64_t now_ns)
{
    struct include *include = &shell->core->include;
    bool wanted = announcer_wants_file(shell->core->announcer); // before it switches on
    if (idle(shell, SHELL_INCLUDE) && (wanted || !rests(shell, SHELL_INCLUDE, now_ns)) &&
        include_submit(include, now_ns / NS_PER_MS)) {
        const struct birdconf *file = include_file(include);
        save(shell,
             &(struct shell_save){.file = SHELL_INCLUDE,
                                  .text = file != NULL ? file->text : NULL,
                                  .length = file != NULL ? file->length : 0,
                                  .version = include->submitted},
             now_ns);
    }
}

// What the operators' changes lead to: the ledger is saved, who asked is answered.
static void work_changes(struct shell *shell, uint64_t now_ns, uint64_t wall_ms)
{
    struct change_effect effect;
    while (changes_step(shell->changes, shell->core, now_ns, wall_ms, &effect)) {
        if (effect.kind == CHANGE_SAVES) {
            save(shell,
                 &(struct shell_save){.file = SHELL_LEDGER,
                                      .text = effect.text,
                                      .length = strlen(effect.text),
                                      .version = effect.version,
                                      .insists = effect.insists},
                 now_ns);
            free(effect.text);
        } else {
            shell->effects->answer(shell->arg, effect.ticket, effect.outcome, effect.message);
        }
    }
    send_orders(shell, now_ns); // the guard's questions
}

// More than there is room for came at once: that is an event, too, for which the oldest left goes.
static void tell_lost(struct shell *shell, uint64_t now_ns)
{
    uint64_t first = events_first(shell->events);
    if (shell->logged + 1 < first) {
        events_add(shell->events, EVENT_TROUBLE, NULL, now_ns,
                   "%" PRIu64 " events came at once with others and were not kept, nor logged",
                   first - shell->logged)
            ->warning = true;
        shell->logged = first;
    }
}

static void log_new(struct shell *shell, uint64_t now_ns)
{
    tell_lost(shell, now_ns);
    uint64_t end = events_end(shell->events);
    for (uint64_t seq = shell->logged + 1; seq < end; seq++) {
        const struct event *event = events_get(shell->events, seq);
        if (event != NULL) {
            shell->effects->log(shell->arg, event, seq + 1 < end);
        }
        shell->logged = seq;
        shell->memory_due = true;
    }
}

static bool is_remembered(const struct shell *shell)
{
    for (size_t i = 0; i < shell->core->config->service_count; i++) {
        if (shell->remembered[i] != shell->core->services[i].decision.recent) {
            return false;
        }
    }
    return true;
}

// False: out of memory.
static bool remember(struct shell *shell, uint64_t now_ns)
{
    const struct config *config = shell->core->config;
    struct boot_memory memory = {.count = config->service_count};
    memory.entries = calloc(memory.count + 1, sizeof *memory.entries);
    for (size_t i = 0; memory.entries != NULL && i < memory.count; i++) {
        snprintf(memory.entries[i].service, sizeof memory.entries[i].service, "%s",
                 config->services[i].name);
        memory.entries[i].recent = shell->core->services[i].decision.recent;
    }
    char *text = memory.entries != NULL ? boot_memory_text(&memory, shell->boot_id) : NULL;
    if (text != NULL) {
        for (size_t i = 0; i < memory.count; i++) {
            shell->remembered[i] = memory.entries[i].recent;
        }
        save(shell,
             &(struct shell_save){.file = SHELL_MEMORY, .text = text, .length = strlen(text)},
             now_ns);
    }
    free(memory.entries);
    free(text);
    return text != NULL;
}

static void save_memory(struct shell *shell, uint64_t now_ns)
{
    if (shell->memory_due && idle(shell, SHELL_MEMORY) && !rests(shell, SHELL_MEMORY, now_ns)) {
        shell->memory_due = !is_remembered(shell) && !remember(shell, now_ns);
    }
}

// When a rest is over after which there is something to save; UINT64_MAX: there is none.
static uint64_t save_at_ms(const struct shell *shell, uint64_t now_ns)
{
    const struct include *include = &shell->core->include;
    bool due[SHELL_FILES] = {[SHELL_INCLUDE] = include->submitted != include->wanted,
                             [SHELL_MEMORY] = shell->memory_due};
    uint64_t at_ms = UINT64_MAX;
    for (unsigned file = 0; file < SHELL_FILES; file++) {
        if (due[file] && rests(shell, file, now_ns) && shell->rest_ms[file] < at_ms) {
            at_ms = shell->rest_ms[file];
        }
    }
    return at_ms;
}

static void arm(struct shell *shell, uint64_t now_ns)
{
    uint64_t times_ms[] = {changes_next_ms(shell->changes), save_at_ms(shell, now_ns)};
    uint64_t next_ms = core_next_ms(shell->core);
    for (size_t i = 0; i < sizeof times_ms / sizeof *times_ms; i++) {
        next_ms = times_ms[i] < next_ms ? times_ms[i] : next_ms;
    }
    if (next_ms != shell->wake_ms) {
        shell->wake_ms = next_ms;
        shell->effects->wake(shell->arg, next_ms);
    }
}

// What failed to be saved is tried again as long as the stop lasts: the include file is what a
// restart of BIRD brings up, with nobody there to mend it.
static bool all_saved(const struct shell *shell)
{
    for (unsigned file = 0; file < SHELL_FILES; file++) {
        if (!idle(shell, file)) {
            return false;
        }
    }
    return include_is_saved(&shell->core->include);
}

void shell_work(struct shell *shell, uint64_t now_ns, uint64_t wall_ms)
{
    if (shell->ended) {
        return;
    }
    if (shell->working) {
        shell->again = true;
        return;
    }
    shell->working = true;
    do {
        shell->again = false;
        send_orders(shell, now_ns); // first: a withdrawal waits for nothing else
        patch_include(shell);
        shell->effects->publish(shell->arg);
        save_include(shell, now_ns);
        work_changes(shell, now_ns, wall_ms);
    } while (shell->again);
    log_new(shell, now_ns);
    save_memory(shell, now_ns);
    arm(shell, now_ns);
    shell->working = false;
    shell->effects->reload(shell->arg);
    if (shell->stopping && !shell->ended && core_quiet(shell->core) && all_saved(shell)) {
        shell->ended = true;
        shell->effects->end(shell->arg);
    }
}

bool shell_may_swap(const struct shell *shell)
{
    return !shell->stopping && !shell->working;
}

void shell_swap(struct shell *shell, struct core *next, uint64_t *remembered, const size_t *before,
                uint64_t now_ns, uint64_t wall_ms)
{
    struct core *old = shell->core;
    assert(shell_may_swap(shell));
    changes_let_go(shell->changes, old);
    core_take_over(next, old, now_ns);
    changes_take_over(shell->changes, next, old->config, now_ns, wall_ms);
    core_go_on(next, now_ns);
    for (size_t i = 0; i < next->config->service_count; i++) {
        remembered[i] = before[i] != SIZE_MAX ? shell->remembered[before[i]] : UINT64_MAX;
    }
    shell->core = next;
    shell->remembered = remembered;
    shell->memory_due = true;
}

void shell_tick(struct shell *shell, uint64_t now_ns, uint64_t wall_ms)
{
    shell->wake_ms = 0;
    core_tick(shell->core, now_ns);
    shell_work(shell, now_ns, wall_ms);
}

// What could not be saved is tried again when there is news; that it could not is news only once.
static void memory_saved(struct shell *shell, const char *error, uint64_t now_ns)
{
    for (size_t i = 0; error != NULL && i < shell->core->config->service_count; i++) {
        shell->remembered[i] = UINT64_MAX;
    }
    if (error != NULL && !shell->memory_trouble) {
        events_add(shell->events, EVENT_TROUBLE, NULL, now_ns, "%s", error)->warning = true;
    }
    shell->memory_trouble = error != NULL;
}

void shell_saved(struct shell *shell, enum shell_file file, uint64_t version, const char *error,
                 uint64_t now_ns, uint64_t wall_ms)
{
    rest(shell, file, now_ns);
    switch (file) {
    case SHELL_INCLUDE:
        core_file_saved(shell->core, version, error, now_ns);
        break;
    case SHELL_LEDGER:
        changes_saved(shell->changes, shell->core, version, error, now_ns, wall_ms);
        break;
    case SHELL_MEMORY:
        memory_saved(shell, error, now_ns);
        break;
    case SHELL_FILES:
        assert(false);
    }
    shell_work(shell, now_ns, wall_ms);
}

void shell_stop(struct shell *shell, uint64_t now_ns, uint64_t wall_ms)
{
    shell->stopping = true;
    core_stop(shell->core, now_ns);
    shell_work(shell, now_ns, wall_ms);
}

void shell_restart(struct shell *shell, uint64_t now_ns, uint64_t wall_ms)
{
    shell->stopping = true;
    core_restart(shell->core, now_ns);
    shell_work(shell, now_ns, wall_ms);
}
