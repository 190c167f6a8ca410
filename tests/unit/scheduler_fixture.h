// A scheduler of up to three probes whose type does what a test says, on a clock that knows nothing
// of how busy the machine is.
#pragma once

#include "probes/probe.h"
#include "probes/scheduler.h"

#include "tests/unit/guard.h"
#include "tests/unit/own_clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROBES       3
#define VERDICTS_MAX 16

// ---- A probe type under the test's control

struct script {
    int open_error;
    bool answers;           // at once
    bool answers_late;      // in a later turn of the loop, after late_ms
    bool triggers_in_check; // once
    uint64_t late_ms, busy_ms, works_ms;
    const char *fail_code; // fails instead of passing
    unsigned opens, closes, starts, cancels;
};

struct state {
    struct probe *probe;
    bool checking;
    uv_timer_t timer;
    uv_poll_t poll;
    int pipe[2];
    unsigned handles;
};

static __attribute__((unused)) struct script script;
static __attribute__((unused)) struct probe *last_probe;
static __attribute__((unused)) struct probe *opened[PROBES]; // the first ones

static inline void answer(struct state *state)
{
    assert_true(state->checking);
    state->checking = false;
    if (script.fail_code != NULL) {
        probe_verdict(state->probe, VERDICT_FAIL, script.fail_code, "failed as told");
    } else {
        probe_verdict(state->probe, VERDICT_PASS, "ok", "passed %d times", 1);
    }
}

static inline void on_late(uv_timer_t *timer)
{
    answer(timer->data);
}

static inline void on_pipe(uv_poll_t *poll, int status, int events)
{
    struct state *state = poll->data;
    char byte;
    assert_int_equal(status, 0);
    assert_true(events & UV_READABLE);
    assert_int_equal(read(state->pipe[0], &byte, 1), 1);
    answer(state);
}

static inline int script_open(struct probe *probe)
{
    struct state *state = probe_state(probe);
    script.opens++;
    last_probe = probe;
    if (script.opens <= PROBES) {
        opened[script.opens - 1] = probe;
    }
    if (script.open_error) {
        return script.open_error;
    }
    state->probe = probe;
    assert_int_equal(pipe(state->pipe), 0);
    uv_timer_init(probe_loop(probe), &state->timer);
    uv_poll_init(probe_loop(probe), &state->poll, state->pipe[0]);
    uv_poll_start(&state->poll, UV_READABLE, on_pipe);
    state->timer.data = state;
    state->poll.data = state;
    return 0;
}

static inline void keep_busy(uint64_t ms)
{
    own_clock_pass_ns(ms * NS_PER_MS);
}

static inline void script_start(struct probe *probe)
{
    struct state *state = probe_state(probe);
    assert_false(state->checking);
    state->checking = true;
    script.starts++;
    if (script.triggers_in_check) {
        script.triggers_in_check = false;
        probe_trigger(probe);
    }
    keep_busy(script.busy_ms);
    own_clock_work_ns(script.works_ms * NS_PER_MS);
    if (script.answers) {
        answer(state);
    } else if (script.answers_late) {
        uv_update_time(probe_loop(probe));
        uv_timer_start(&state->timer, on_late, script.late_ms, 0);
    }
}

static inline struct awaited script_cancel(struct probe *probe)
{
    struct state *state = probe_state(probe);
    assert_true(state->checking);
    state->checking = false;
    script.cancels++;
    uv_timer_stop(&state->timer);
    return (struct awaited){"word from the script", 0};
}

static inline void on_handle_closed(uv_handle_t *handle)
{
    struct state *state = handle->data;
    if (--state->handles == 0) {
        script.closes++;
        probe_closed(state->probe);
    }
}

static inline void script_close(struct probe *probe)
{
    struct state *state = probe_state(probe);
    state->handles = 2;
    uv_close((uv_handle_t *)&state->timer, on_handle_closed);
    uv_close((uv_handle_t *)&state->poll, on_handle_closed);
    close(state->pipe[0]);
    close(state->pipe[1]);
}

static const struct probe_type script_type = {
    .name = "script",
    .state_size = sizeof(struct state),
    .open = script_open,
    .close = script_close,
    .start = script_start,
    .cancel = script_cancel,
};

// ---- The test's side

struct seen {
    size_t index;
    struct verdict verdict;
};

struct world {
    uv_loop_t loop;
    struct scheduler *scheduler;
    struct probe_conf confs[PROBES];
    const struct probe_conf *applied[PROBES];
    struct seen seen[VERDICTS_MAX];
    size_t count, wanted;
    void (*then)(struct world *world); // in each verdict
    bool closed;
};

static inline void on_verdict(void *arg, size_t index, const struct verdict *verdict)
{
    struct world *world = arg;
    assert_true(world->count < VERDICTS_MAX);
    world->seen[world->count++] = (struct seen){index, *verdict};
    if (world->then != NULL) {
        world->then(world);
    }
    if (world->count == world->wanted) {
        uv_stop(&world->loop);
    }
}

static inline int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    guard_begin();
    own_clock.jumps = true;
    script = (struct script){.answers = true};
    last_probe = NULL;
    assert_int_equal(uv_loop_init(&world->loop), 0);
    for (size_t i = 0; i < PROBES; i++) {
        struct probe_conf *conf = &world->confs[i];
        key_set_fallbacks(probe_common_keys, conf);
        snprintf(conf->name, sizeof conf->name, "probe-%zu", i);
        conf->type = &script_type;
        conf->fingerprint = i + 1;
        conf->interval_ms = 10;
        conf->timeout_ms = 20000;
        world->applied[i] = conf;
    }
    world->scheduler = scheduler_new(&world->loop, on_verdict, world);
    assert_non_null(world->scheduler);
    *state = world;
    return 0;
}

static inline void on_closed(void *arg)
{
    struct world *world = arg;
    world->closed = true;
}

// Nothing may be left open or unfinished once the scheduler has closed.
static inline int tear_down(void **state)
{
    struct world *world = *state;
    world->then = NULL;
    size_t before = world->count;
    if (world->scheduler != NULL) {
        scheduler_close(world->scheduler, on_closed, world);
    }
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_true(world->closed);
    assert_int_equal(world->count, before);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    free(world);
    return 0;
}

static inline void apply(struct world *world, size_t count)
{
    assert_int_equal(scheduler_apply(world->scheduler, world->applied, count), 0);
}

// Runs until so many verdicts have been seen in all.
static inline void run_until(struct world *world, size_t verdicts)
{
    world->wanted = verdicts;
    guard_awaits("another verdict");
    if (world->count < verdicts) {
        uv_run(&world->loop, UV_RUN_DEFAULT);
    }
    assert_true(world->count >= verdicts);
}

static inline void assert_seen(const struct world *world, size_t which, enum verdict_kind kind,
                               const char *code, const char *cause_part)
{
    const struct verdict *verdict = &world->seen[which].verdict;
    if (verdict->kind != kind || strcmp(verdict->code, code) != 0 ||
        strstr(verdict->cause, cause_part) == NULL) {
        fail_msg("%s (%s): %s", verdict_name(verdict->kind), verdict->code, verdict->cause);
    }
}
