// The scheduler: when checks start and end, seen through a probe type that does what a test says,
// on a clock that knows nothing of how busy the machine is.
#include "probes/probe.h"
#include "probes/scheduler.h"
#include "probes/system_error.h"

#include "tests/unit/first_error.h"
#include "tests/unit/guard.h"
#include "tests/unit/own_clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
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

static struct script script;
static struct probe *last_probe;
static struct probe *opened[PROBES]; // the first ones

static void answer(struct state *state)
{
    assert_true(state->checking);
    state->checking = false;
    if (script.fail_code != NULL) {
        probe_verdict(state->probe, VERDICT_FAIL, script.fail_code, "failed as told");
    } else {
        probe_verdict(state->probe, VERDICT_PASS, "ok", "passed %d times", 1);
    }
}

static void on_late(uv_timer_t *timer)
{
    answer(timer->data);
}

static void on_pipe(uv_poll_t *poll, int status, int events)
{
    struct state *state = poll->data;
    char byte;
    assert_int_equal(status, 0);
    assert_true(events & UV_READABLE);
    assert_int_equal(read(state->pipe[0], &byte, 1), 1);
    answer(state);
}

static int script_open(struct probe *probe)
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

static void keep_busy(uint64_t ms)
{
    own_clock_pass_ns(ms * NS_PER_MS);
}

static void script_start(struct probe *probe)
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

static struct awaited script_cancel(struct probe *probe)
{
    struct state *state = probe_state(probe);
    assert_true(state->checking);
    state->checking = false;
    script.cancels++;
    uv_timer_stop(&state->timer);
    return (struct awaited){"word from the script", 0};
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct state *state = handle->data;
    if (--state->handles == 0) {
        script.closes++;
        probe_closed(state->probe);
    }
}

static void script_close(struct probe *probe)
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

static void on_verdict(void *arg, size_t index, const struct verdict *verdict)
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

static int set_up(void **state)
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

static void on_closed(void *arg)
{
    struct world *world = arg;
    world->closed = true;
}

// Nothing may be left open or unfinished once the scheduler has closed.
static int tear_down(void **state)
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

TEST_FIXTURE(set_up, tear_down);

static void apply(struct world *world, size_t count)
{
    assert_int_equal(scheduler_apply(world->scheduler, world->applied, count), 0);
}

// Runs until so many verdicts have been seen in all.
static void run_until(struct world *world, size_t verdicts)
{
    world->wanted = verdicts;
    guard_awaits("another verdict");
    if (world->count < verdicts) {
        uv_run(&world->loop, UV_RUN_DEFAULT);
    }
    assert_true(world->count >= verdicts);
}

static void assert_seen(const struct world *world, size_t which, enum verdict_kind kind,
                        const char *code, const char *cause_part)
{
    const struct verdict *verdict = &world->seen[which].verdict;
    if (verdict->kind != kind || strcmp(verdict->code, code) != 0 ||
        strstr(verdict->cause, cause_part) == NULL) {
        fail_msg("%s (%s): %s", verdict_name(verdict->kind), verdict->code, verdict->cause);
    }
}

// ---- Behaviour

TEST(a_probe_is_checked_again_and_again)
{
    struct world *world = *state;
    apply(world, 1);
    run_until(world, 3);
    assert_seen(world, 0, VERDICT_PASS, "ok", "passed 1 times");
    assert_seen(world, 2, VERDICT_PASS, "ok", "passed 1 times");
    assert_int_equal(script.opens, 1);
    assert_true(world->seen[1].verdict.at_ns > world->seen[0].verdict.at_ns);
}

TEST(every_probe_gets_its_turn)
{
    struct world *world = *state;
    bool had[PROBES] = {false};
    apply(world, PROBES);
    run_until(world, VERDICTS_MAX - 1);
    for (size_t i = 0; i < world->count; i++) {
        had[world->seen[i].index] = true;
    }
    assert_true(had[0] && had[1] && had[2]);
}

TEST(first_checks_are_spread_over_the_interval)
{
    struct world *world = *state;
    for (size_t i = 0; i < PROBES; i++) {
        world->confs[i].interval_ms = 3600000;
        world->confs[i].fast_interval_ms = 10;
    }
    apply(world, PROBES);
    run_until(world, 1);
    assert_int_equal(world->seen[0].index, 0);
    assert_int_equal(script.starts, 1);
    scheduler_set_fast(world->scheduler, 2, true);
    run_until(world, 2);
    assert_int_equal(world->seen[1].index, 2);
}

TEST(silence_becomes_fail_at_the_timeout)
{
    struct world *world = *state;
    script.answers = false;
    world->confs[0].timeout_ms = 50;
    apply(world, 1);
    run_until(world, 2);
    assert_seen(world, 0, VERDICT_FAIL, "timeout", "no word from the script within 50ms");
    assert_true(world->seen[0].verdict.duration_ns >= 50000000);
    assert_int_equal(script.cancels, 2);
}

TEST(a_probe_never_overlaps_itself)
{
    struct world *world = *state;
    script = (struct script){.answers_late = true, .late_ms = 35};
    apply(world, 1); // script_start() asserts it
    run_until(world, 3);
    assert_int_equal(script.cancels, 0);
}

TEST(a_pass_slower_than_max_latency_is_degraded)
{
    struct world *world = *state;
    script = (struct script){.answers_late = true, .late_ms = 20};
    world->confs[0].max_latency_ms = 5;
    apply(world, 1);
    run_until(world, 1);
    assert_seen(world, 0, VERDICT_DEGRADED, "slow", "longer than max_latency 5ms; passed: ");
}

TEST(a_slow_failure_stays_a_failure)
{
    struct world *world = *state;
    script = (struct script){.answers_late = true, .late_ms = 20, .fail_code = "rcode"};
    world->confs[0].max_latency_ms = 5;
    apply(world, 1);
    run_until(world, 1);
    assert_seen(world, 0, VERDICT_FAIL, "rcode", "failed as told");
}

TEST(when_we_are_stalled_a_silent_service_has_not_failed)
{
    struct world *world = *state;
    script = (struct script){.busy_ms = 80};
    world->confs[0].timeout_ms = 100;
    apply(world, 1);
    run_until(world, 1);
    assert_seen(world, 0, VERDICT_UNKNOWN, "stalled", "popgated itself was stalled for");
}

TEST(what_another_target_costs_excuses_no_silence)
{
    struct world *world = *state;
    script = (struct script){.works_ms = 80};
    world->confs[0].timeout_ms = 100;
    apply(world, 1);
    run_until(world, 1);
    assert_seen(world, 0, VERDICT_FAIL, "timeout", "no word from the script within 100ms, nor in");
}

TEST(what_another_target_costs_is_given_again_once)
{
    static const struct {
        uint64_t works_ms, late_ms;
        enum verdict_kind kind;
    } table[] = {{80, 60, VERDICT_PASS}, // 140 ms after it was asked
                 {5000, 40, VERDICT_PASS},
                 {5000, 400, VERDICT_FAIL}}; // never more than its timeout
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct world *world = *state;
        script = (struct script){
            .answers_late = true, .works_ms = table[i].works_ms, .late_ms = table[i].late_ms};
        world->confs[0].timeout_ms = 100;
        world->count = 0;
        apply(world, 1);
        run_until(world, 1);
        apply(world, 0);
        assert_int_equal(world->seen[0].verdict.kind, table[i].kind);
    }
}

static void on_busy_turn(uv_idle_t *idle)
{
    (void)idle; // active, it keeps the loop from ever waiting
    keep_busy(1);
}

TEST(on_a_loop_that_is_busy_but_turns_a_silent_service_has_failed)
{
    struct world *world = *state;
    static uv_idle_t idle; // outlives the test, until the loop is run down
    script.answers = false;
    world->confs[0].timeout_ms = 100;
    uv_idle_init(&world->loop, &idle);
    uv_idle_start(&idle, on_busy_turn);
    apply(world, 1);
    run_until(world, 1);
    uv_close((uv_handle_t *)&idle, NULL);
    assert_seen(world, 0, VERDICT_FAIL, "timeout", "no ");
}

TEST(when_our_timer_is_late_a_silent_service_has_not_failed)
{
    struct world *world = *state;
    script = (struct script){.busy_ms = 200};
    world->confs[0].timeout_ms = 50;
    apply(world, 1);
    run_until(world, 1);
    assert_seen(world, 0, VERDICT_UNKNOWN, "stalled", "popgated itself was stalled for");
}

static void on_check_phase(uv_check_t *check)
{
    struct state *state = probe_state(last_probe);
    if (script.starts == 1) {
        script.starts++;
        assert_int_equal(write(state->pipe[1], "x", 1), 1);
        keep_busy(60);
        uv_close((uv_handle_t *)check, NULL);
    }
}

TEST(an_answer_that_lay_unread_while_we_were_stalled_counts)
{
    struct world *world = *state;
    uv_check_t check; // it runs between reading sockets and timers
    script.answers = false;
    world->confs[0].timeout_ms = 50;
    uv_check_init(&world->loop, &check);
    uv_check_start(&check, on_check_phase);
    apply(world, 1);
    run_until(world, 1);
    assert_seen(world, 0, VERDICT_PASS, "ok", "");
}

TEST(a_probe_that_cannot_be_set_up_is_unknown_and_tried_again)
{
    struct world *world = *state;
    script.open_error = UV_EMFILE;
    apply(world, 1);
    run_until(world, 2);
    assert_seen(world, 0, VERDICT_UNKNOWN, "local", "too many open files");
    assert_int_equal(script.opens, 2);
    assert_int_equal(script.starts, 0);
    script.open_error = 0;
    run_until(world, 3);
    assert_seen(world, 2, VERDICT_PASS, "ok", "");
}

TEST(fast_brings_the_next_check_forward)
{
    struct world *world = *state;
    world->confs[0].interval_ms = 3600000;
    world->confs[0].fast_interval_ms = 10;
    apply(world, 1);
    run_until(world, 1);
    scheduler_set_fast(world->scheduler, 0, true);
    run_until(world, 3);
}

TEST(a_trigger_checks_at_once)
{
    struct world *world = *state;
    world->confs[0].interval_ms = 3600000;
    apply(world, 1);
    run_until(world, 1);
    probe_trigger(last_probe);
    run_until(world, 2);
    assert_false(world->seen[1].verdict.definitive);
}

// What it asked may have died with the server.
// Each check holds the loop for longer than a turn has for beginning them.
TEST(checks_that_are_wanted_at_once_begin_one_after_the_other)
{
    struct world *world = *state;
    for (size_t i = 0; i < PROBES; i++) {
        world->confs[i].interval_ms = 3600000;
        world->confs[i].fast_interval_ms = 10;
    }
    apply(world, PROBES);
    for (size_t i = 0; i < PROBES; i++) {
        scheduler_set_fast(world->scheduler, i, true);
    }
    while (script.starts < PROBES) {
        uv_run(&world->loop, UV_RUN_ONCE);
    }
    for (size_t i = 0; i < PROBES; i++) {
        scheduler_set_fast(world->scheduler, i, false);
    }
    script.busy_ms = 12;
    unsigned before = script.starts;
    for (size_t i = 0; i < PROBES; i++) {
        probe_trigger(opened[i]);
    }
    assert_int_equal(script.starts, before);
    for (unsigned turn = 0, last = before; script.starts < before + PROBES; turn++) {
        uv_run(&world->loop, UV_RUN_NOWAIT);
        assert_true(script.starts <= last + 1);
        last = script.starts;
    }
}

TEST(a_trigger_during_a_check_begins_it_anew)
{
    struct world *world = *state;
    script = (struct script){.answers_late = true, .late_ms = 20, .triggers_in_check = true};
    world->confs[0].interval_ms = 3600000;
    apply(world, 1);
    run_until(world, 1);
    assert_int_equal(script.starts, 2);
    assert_int_equal(script.cancels, 1);
}

TEST(a_trigger_in_a_check_that_ends_at_once_makes_one_more_after_it)
{
    struct world *world = *state;
    script.triggers_in_check = true;
    world->confs[0].interval_ms = 3600000;
    apply(world, 1);
    run_until(world, 2);
    assert_int_equal(script.starts, 2);
    assert_int_equal(script.cancels, 0);
}

TEST(a_check_is_not_begun_anew_for_ever)
{
    struct world *world = *state;
    world->confs[0].interval_ms = 3600000;
    apply(world, 1);
    run_until(world, 1);
    script = (struct script){.answers = false};
    for (int i = 0; i < 20; i++) {
        probe_trigger(last_probe);
        uv_run(&world->loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(script.starts, 1 + 8);
    assert_int_equal(world->count, 1);
}

TEST(triggers_without_end_are_not_checks_without_end)
{
    enum { MANY = 1000, FEW = 100 };
    struct world *world = *state;
    world->confs[0].interval_ms = 3600000;
    apply(world, 1);
    run_until(world, 1);
    world->count = 0;
    for (int i = 0; i < MANY; i++) {
        probe_trigger(last_probe);
        uv_run(&world->loop, UV_RUN_NOWAIT);
        world->count = 0; // there is no room for all
    }
    assert_in_range(script.starts, 1 + 2, FEW);
    own_clock_pass_ns(NS_PER_S);
    unsigned before = script.starts;
    probe_trigger(last_probe);
    run_until(world, 1);
    assert_int_equal(script.starts, before + 1);
}

// A probe that is checked once an hour, and was triggered: all checks but the first are the
// trigger's.
static void trigger_hourly(struct world *world, const char *fail_code)
{
    world->confs[0].interval_ms = world->confs[0].fast_interval_ms = 3600000;
    apply(world, 1);
    run_until(world, 1);
    script.fail_code = fail_code;
    probe_trigger(last_probe);
}

// The next check is the interval's: nothing will come before.
static void assert_hour_to_wait(struct world *world)
{
    assert_true(uv_backend_timeout(&world->loop) > 3600000 / 2);
}

TEST(after_a_trigger_failing_checks_follow_in_short_order)
{
    struct world *world = *state;
    trigger_hourly(world, "closed");
    run_until(world, 3);
    assert_false(world->seen[1].verdict.definitive);
    assert_false(world->seen[2].verdict.definitive);
    script.fail_code = "refused";
    size_t before = world->count;
    run_until(world, before + 1);
    assert_true(world->seen[before].verdict.definitive);
    assert_int_equal(world->count, before + 1);
    assert_hour_to_wait(world);
}

TEST(after_a_trigger_six_failing_checks_are_enough)
{
    struct world *world = *state;
    trigger_hourly(world, "closed");
    run_until(world, 1 + 5);
    assert_true(uv_backend_timeout(&world->loop) < 3600000 / 2);
    run_until(world, 1 + 6);
    assert_hour_to_wait(world);
    assert_int_equal(script.starts, 1 + 6);
    // The hour's own check is as any other again.
    script.fail_code = "refused";
    world->confs[0].fast_interval_ms = 10;
    scheduler_set_fast(world->scheduler, 0, true);
    run_until(world, 1 + 7);
    assert_false(world->seen[7].verdict.definitive);
}

TEST(checks_after_a_trigger_do_not_overlap)
{
    struct world *world = *state;
    trigger_hourly(world, "closed"); // script_start() asserts it
    script.answers = false;
    script.answers_late = true;
    script.late_ms = 20; // longer than any pause between them
    run_until(world, 1 + 6);
    assert_int_equal(script.starts, 1 + 6);
    assert_int_equal(script.cancels, 0);
    assert_hour_to_wait(world);
}

TEST(after_a_trigger_one_passing_check_is_enough)
{
    struct world *world = *state;
    world->confs[0].interval_ms = world->confs[0].fast_interval_ms = 3600000;
    apply(world, 1);
    run_until(world, 1);
    probe_trigger(last_probe);
    run_until(world, 2);
    script.fail_code = "refused";
    world->confs[0].fast_interval_ms = 10;
    scheduler_set_fast(world->scheduler, 0, true);
    run_until(world, 3);
    assert_false(world->seen[2].verdict.definitive);
}

TEST(a_refusal_after_a_trigger_is_definitive)
{
    struct world *world = *state;
    script.fail_code = "refused";
    world->confs[0].interval_ms = 3600000;
    apply(world, 1);
    run_until(world, 1);
    assert_false(world->seen[0].verdict.definitive);
    probe_trigger(last_probe);
    run_until(world, 2);
    assert_true(world->seen[1].verdict.definitive);
}

TEST(a_reload_leaves_unchanged_probes_alone)
{
    struct world *world = *state;
    struct probe_conf *former = malloc(2 * sizeof *former);
    struct probe_conf same = world->confs[1];
    struct probe_conf changed = world->confs[0];
    bool had[2] = {false};
    changed.fingerprint = 99;
    assert_non_null(former);
    memcpy(former, world->confs, 2 * sizeof *former);
    world->applied[0] = &former[0];
    world->applied[1] = &former[1];
    apply(world, 2);
    run_until(world, 4);
    assert_int_equal(script.opens, 2);
    world->applied[0] = &same; // the other place, too
    world->applied[1] = &changed;
    apply(world, 2);
    memset(former, 0xff, 2 * sizeof *former);
    free(former);
    size_t before = world->count;
    run_until(world, before + 6);
    for (size_t i = before; i < world->count; i++) {
        had[world->seen[i].index] = true;
    }
    assert_true(had[0] && had[1]);
    assert_int_equal(script.opens, 3);
    assert_int_equal(script.closes, 1);
    scheduler_close(world->scheduler, on_closed, world);
    world->scheduler = NULL;
    uv_run(&world->loop, UV_RUN_DEFAULT);
}

TEST(a_removed_probe_is_silent)
{
    struct world *world = *state;
    script = (struct script){.answers_late = true, .late_ms = 15};
    apply(world, PROBES);
    run_until(world, 1);
    world->applied[0] = &world->confs[1];
    apply(world, 1);
    size_t before = world->count;
    run_until(world, before + 3);
    for (size_t i = before; i < world->count; i++) {
        assert_int_equal(world->seen[i].index, 0);
    }
    assert_true(script.closes >= 1);
}

TEST(nothing_can_be_applied_and_then_something_again)
{
    struct world *world = *state;
    apply(world, 2);
    run_until(world, 2);
    apply(world, 0);
    size_t before = world->count;
    uv_run(&world->loop, UV_RUN_DEFAULT); // nothing is left to wait for
    assert_int_equal(world->count, before);
    apply(world, 1);
    run_until(world, before + 1);
}

static void close_scheduler(struct world *world)
{
    scheduler_close(world->scheduler, on_closed, world);
    world->scheduler = NULL;
}

TEST(the_scheduler_can_be_closed_from_a_verdict)
{
    struct world *world = *state;
    world->then = close_scheduler;
    apply(world, PROBES);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(world->count, 1);
    assert_true(world->closed);
}

TEST(a_check_in_progress_is_dropped_by_close)
{
    struct world *world = *state;
    script.answers = false;
    apply(world, 1);
    while (script.starts == 0) {
        uv_run(&world->loop, UV_RUN_NOWAIT);
    }
    close_scheduler(world);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(script.cancels, 1);
    assert_int_equal(world->count, 0);
}

TEST(our_own_errors_are_told_from_the_services)
{
    static const int ours[] = {
        UV_EMFILE, UV_ENFILE,        UV_ENOMEM,       UV_ENOBUFS, UV_EPERM,
        UV_EACCES, UV_EADDRNOTAVAIL, UV_EAFNOSUPPORT, UV_ENOSPC}; // epoll_ctl's, for too many
                                                                  // watches
    static const int theirs[] = {UV_ECONNREFUSED, UV_ECONNRESET,   UV_EPIPE,
                                 UV_ETIMEDOUT,    UV_EHOSTUNREACH, UV_ENETUNREACH};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        assert_true(probe_error_is_ours(ours[i]));
    }
    for (size_t i = 0; i < sizeof theirs / sizeof *theirs; i++) {
        assert_false(probe_error_is_ours(theirs[i]));
    }
}

TEST_WITH(what_a_router_or_firewall_afar_forbids_is_no_permission_of_ours, NULL, NULL)
{
    static const int icmp[] = {UV_EACCES, UV_EMSGSIZE}; // as a socket's pending error
    for (size_t i = 0; i < sizeof icmp / sizeof *icmp; i++) {
        assert_true(probe_error_is_ours(icmp[i]));
        assert_false(probe_error_is_ours(probe_error_from_afar(icmp[i])));
    }
    assert_int_equal(probe_error_from_afar(UV_ENOBUFS), UV_ENOBUFS);
    assert_int_equal(probe_error_from_afar(UV_ECONNREFUSED), UV_ECONNREFUSED);
    assert_int_equal(probe_error_from_afar(0), 0);
}

TEST(keys_that_contradict_each_other_are_refused)
{
    struct world *world = *state;
    struct probe_conf *conf = &world->confs[0];
    char error[ERROR_MAX];
    assert_int_equal(first_error(conf, error), 0);
    conf->max_latency_ms = conf->timeout_ms;
    assert_int_equal(first_error(conf, error), -1);
    assert_string_equal(error, "max_latency must be shorter than timeout");
    conf->max_latency_ms = 0;
    conf->jitter_ms = conf->interval_ms + 1;
    assert_int_equal(first_error(conf, error), -1);
    conf->jitter_ms = 0;
    assert_int_equal(endpoint_parse("192.0.2.1:53", true, &conf->target, error), 0);
    assert_int_equal(endpoint_parse("2001:db8::1", false, &conf->source, error), 0);
    assert_int_equal(first_error(conf, error), -1);
    assert_string_equal(error, "source and target must both be IPv4 or both IPv6");
}
