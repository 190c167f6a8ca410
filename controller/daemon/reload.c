// See reload.h. What is written to struct build while the worker has it, the worker writes; before
// and after that, the loop.
#include "controller/daemon/reload.h"

#include "base/array.h"
#include "base/clock.h"
#include "controller/config/load.h"
#include "controller/config/values.h"
#include "controller/daemon/log.h"
#include "controller/daemon/notify.h"

#include "probes/turns.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICKETS_MAX    16
#define LINES_PER_TURN 16 // told to the log

enum state {
    STATE_IDLE,
    STATE_BUILDING,
    STATE_TELLING,
    STATE_READY,
    STATE_SETTLING,
    STATE_FREEING
};

struct line {
    bool error;
    char *text; // NULL: there was no memory for it
};

struct build {
    struct setup present; // in use; only to be compared with
    struct line *lines;
    size_t line_count, told, errors;
    char why[512 + 64]; // it failed; empty: it did not
    struct reload_next next;
};

struct tickets {
    void *items[TICKETS_MAX];
    size_t count;
};

struct reload {
    uv_loop_t *loop;
    const char *path;
    struct scheduler *scheduler;
    const struct reload_shell *shell;
    void *arg;
    enum state state;
    bool wanted;  // one more
    bool settled; // probes look no more at what is to be freed
    bool closing;
    struct tickets now, later; // for the one under way, and for the one afterwards
    uv_work_t work;
    uv_idle_t tell;
    struct build build;
    uint64_t longest_turn_ns;
};

// ---- On the worker: build

static void hear(void *arg, bool error, const char *text)
{
    struct build *build = arg;
    struct line *lines = array_room(build->lines, build->line_count, sizeof *lines);
    build->errors += error;
    if (error && build->errors == 1) {
        snprintf(build->why, sizeof build->why, "%.511s", text);
    }
    if (lines != NULL) {
        build->lines = lines;
        lines[build->line_count++] = (struct line){error, strdup(text)};
    }
}

// One line has room for one error.
static void mention_more(struct build *build, const char *path)
{
    size_t length = strlen(build->why);
    if (build->errors > 1) {
        snprintf(build->why + length, sizeof build->why - length,
                 " (and %zu more: popgated --check-config %s)", build->errors - 1, path);
    }
}

// What is held open for life can't change under the daemon.
static const char *needs_restart(const struct config *old, const struct config *new)
{
    if (strcmp(old->bird.socket, new->bird.socket) != 0) {
        return "[bird] socket is new: that takes a restart (systemctl restart popgated)";
    }
    if (strcmp(old->pop.state_dir, new->pop.state_dir) != 0 ||
        strcmp(old->pop.runtime_dir, new->pop.runtime_dir) != 0) {
        return "[pop] state_dir or runtime_dir is new: that takes a restart (systemctl restart "
               "popgated)";
    }
    for (size_t i = 0; i < old->responder.listen_count; i++) {
        for (size_t j = 0; j < new->responder.listen_count; j++) {
            if (listen_overlaps(&old->responder.listen[i], &new->responder.listen[j])) {
                return "[responder] listen goes from an address to the wildcard or back, and "
                       "popgated itself has the port: that takes a restart (systemctl restart "
                       "popgated)";
            }
        }
    }
    char old_http[ENDPOINT_TEXT_MAX];
    char new_http[ENDPOINT_TEXT_MAX];
    if (strcmp(old->control.group, new->control.group) != 0 ||
        strcmp(endpoint_text(&old->control.http, old_http),
               endpoint_text(&new->control.http, new_http)) != 0) {
        return "[control] is new: that takes a restart (systemctl restart popgated)";
    }
    return NULL;
}

static const struct probe_conf **probes_of(const struct config *config)
{
    const struct probe_conf **probes = calloc(config->probe_count + 1, sizeof *probes);
    for (size_t i = 0; probes != NULL && i < config->probe_count; i++) {
        probes[i] = &config->probes[i];
    }
    return probes;
}

static struct scheduler_plan *plan_of(struct scheduler *scheduler, const struct config *old,
                                      const struct config *new)
{
    const struct probe_conf **former = probes_of(old);
    const struct probe_conf **probes = probes_of(new);
    struct scheduler_plan *plan =
        former != NULL && probes != NULL
            ? scheduler_plan(scheduler, former, old->probe_count, probes, new->probe_count)
            : NULL;
    free(former);
    free(probes);
    return plan;
}

// What is made of the configuration, which is sound.
static void build_from(struct build *build, struct scheduler *scheduler)
{
    char error[ERROR_MAX];
    const struct setup *present = &build->present;
    struct reload_next *next = &build->next;
    struct setup *setup = &next->setup;
    const char *why = needs_restart(present->config, setup->config);
    if (why != NULL) {
        snprintf(build->why, sizeof build->why, "%s", why);
        return;
    }
    setup->identity = identity_new(setup->config, present->identity, error);
    if (setup->identity == NULL) {
        snprintf(build->why, sizeof build->why, "%s", error);
        return;
    }
    setup->remembered = calloc(setup->config->service_count + 1, sizeof *setup->remembered);
    setup->core = core_prepare(present->core, setup->config);
    next->plan = plan_of(scheduler, present->config, setup->config);
    next->before = config_services_in(setup->config, present->config);
    if (setup->remembered == NULL || setup->core == NULL || next->plan == NULL ||
        next->before == NULL) {
        snprintf(build->why, sizeof build->why, "out of memory");
    }
}

static void build_in_worker(uv_work_t *work)
{
    struct reload *reload = work->data;
    struct build *build = &reload->build;
    build->next.setup.config = config_load_text(reload->path, hear, build, &build->next.text);
    if (build->next.setup.config != NULL) {
        build_from(build, reload->scheduler);
    } else {
        mention_more(build, reload->path);
    }
}

// ---- On the worker: free

static void build_clear(struct build *build)
{
    struct reload_next *next = &build->next;
    core_free(next->setup.core);
    identity_free(next->setup.identity);
    config_free(next->setup.config);
    free(next->setup.remembered);
    scheduler_plan_free(next->plan);
    free(next->before);
    free(next->text);
    for (size_t i = 0; i < build->line_count; i++) {
        free(build->lines[i].text);
    }
    free(build->lines);
    *build = (struct build){.line_count = 0};
}

static void free_in_worker(uv_work_t *work)
{
    build_clear(&((struct reload *)work->data)->build);
}

// ---- On the loop

static void queue(struct reload *reload, uv_work_cb in_worker, uv_after_work_cb on_loop)
{
    int status = uv_queue_work(reload->loop, &reload->work, in_worker, on_loop);
    assert(status == 0); // fails only without a work function
    (void)status;
}

static void on_freed(uv_work_t *work, int status)
{
    struct reload *reload = work->data;
    (void)status;
    reload->state = STATE_IDLE;
    if (reload->closing) {
        return; // and the scheduler may be gone already
    }
    reload->longest_turn_ns = turns_marked_ns(scheduler_turns(reload->scheduler));
    reload_go_on(reload);
}

static void free_build(struct reload *reload)
{
    reload->state = STATE_FREEING;
    queue(reload, free_in_worker, on_freed);
}

static void end(struct reload *reload, const char *why)
{
    struct tickets tickets = reload->now;
    reload->now.count = 0;
    for (size_t i = 0; i < tickets.count; i++) {
        reload->shell->answer(reload->arg, tickets.items[i],
                              why == NULL ? OUTCOME_DONE : OUTCOME_INVALID,
                              why == NULL ? "reloaded" : why);
    }
    if (!reload->wanted) {
        notify_state("READY=1");
    }
    reload->shell->ended(reload->arg, why);
}

static void fail(struct reload *reload)
{
    char why[sizeof reload->build.why];
    memcpy(why, reload->build.why, sizeof why); // which the worker clears
    free_build(reload);
    end(reload, why);
}

// Probes look no more at the configuration that was in use before.
static void on_settled(void *arg)
{
    struct reload *reload = arg;
    reload->settled = true;
    if (reload->state == STATE_SETTLING) {
        free_build(reload);
    }
}

static void swap(struct reload *reload)
{
    char error[ERROR_MAX];
    reload->settled = false;
    if (!reload->shell->swap(reload->arg, &reload->build.next, on_settled, reload, error)) {
        snprintf(reload->build.why, sizeof reload->build.why, "%s", error);
        fail(reload);
        return;
    }
    reload->state = STATE_SETTLING;
    if (reload->settled) {
        free_build(reload);
    }
    end(reload, NULL);
}

static void on_tell(uv_idle_t *idle)
{
    struct reload *reload = idle->data;
    struct build *build = &reload->build;
    for (unsigned i = 0; i < LINES_PER_TURN && build->told < build->line_count; i++) {
        const struct line *line = &build->lines[build->told++];
        log_line(line->error ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, "%s",
                 line->text != NULL ? line->text : "out of memory");
    }
    if (build->told < build->line_count) {
        return;
    }
    uv_idle_stop(&reload->tell);
    if (build->why[0] != '\0') {
        fail(reload);
    } else {
        reload->state = STATE_READY;
        reload_go_on(reload);
    }
}

static void on_built(uv_work_t *work, int status)
{
    struct reload *reload = work->data;
    (void)status;
    reload->state = STATE_TELLING;
    if (!reload->closing) {
        uv_idle_start(&reload->tell, on_tell);
    }
}

static void begin(struct reload *reload)
{
    reload->wanted = false;
    reload->now = reload->later;
    reload->later.count = 0;
    reload->state = STATE_BUILDING;
    turns_mark(scheduler_turns(reload->scheduler));
    reload->build = (struct build){.present = reload->shell->present(reload->arg)};
    queue(reload, build_in_worker, on_built);
}

void reload_go_on(struct reload *reload)
{
    if (reload->closing) {
        return;
    }
    if (reload->state == STATE_IDLE && reload->wanted) {
        begin(reload);
    } else if (reload->state == STATE_READY && reload->shell->may_swap(reload->arg)) {
        swap(reload);
    }
}

static void tell_reloading(void)
{
    char state[64];
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%llu",
             (unsigned long long)(clock_monotonic_ns() / NS_PER_US));
    notify_state(state);
}

bool reload_ask(struct reload *reload, void *ticket)
{
    if (ticket != NULL && reload->later.count == TICKETS_MAX) {
        return false;
    }
    if (ticket != NULL) {
        reload->later.items[reload->later.count++] = ticket;
    }
    reload->wanted = true;
    tell_reloading();
    reload_go_on(reload);
    return true;
}

uint64_t reload_longest_turn_ns(const struct reload *reload)
{
    return reload->longest_turn_ns;
}

struct reload *reload_new(uv_loop_t *loop, const char *path, struct scheduler *scheduler,
                          const struct reload_shell *shell, void *arg)
{
    struct reload *reload = calloc(1, sizeof *reload);
    if (reload == NULL) {
        return NULL;
    }
    *reload = (struct reload){
        .loop = loop, .path = path, .scheduler = scheduler, .shell = shell, .arg = arg};
    reload->work.data = reload;
    uv_idle_init(loop, &reload->tell);
    reload->tell.data = reload;
    return reload;
}

void reload_close(struct reload *reload)
{
    reload->closing = true;
    reload->now.count = reload->later.count = 0;
    uv_close((uv_handle_t *)&reload->tell, NULL);
}

void reload_free(struct reload *reload)
{
    if (reload != NULL) {
        build_clear(&reload->build);
        free(reload);
    }
}
