// The scheduler: when checks start and end, and what an answer, or none, is worth.
#include "tests/unit/first_error.h"
#include "tests/unit/scheduler_fixture.h"

TEST_FIXTURE(set_up, tear_down);

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
