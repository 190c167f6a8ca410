// The scheduler with a thousand probes: they don't beat together, and none is forgotten.
#include "probes/probe.h"
#include "probes/scheduler.h"

#include "tests/unit/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define PROBES 1000

static unsigned starts, opens;

static int load_open(struct probe *probe)
{
    (void)probe;
    opens++;
    return 0;
}

static void load_start(struct probe *probe)
{
    starts++;
    probe_verdict(probe, VERDICT_PASS, "ok", "at once");
}

static const char *load_cancel(struct probe *probe)
{
    (void)probe;
    return "nothing";
}

static void load_close(struct probe *probe)
{
    probe_closed(probe);
}

static const struct probe_type load_type = {.name = "load",
                                            .open = load_open,
                                            .close = load_close,
                                            .start = load_start,
                                            .cancel = load_cancel};

struct world {
    uv_loop_t loop;
    struct scheduler *scheduler;
    struct probe_conf confs[PROBES];
    const struct probe_conf *applied[PROBES];
    unsigned verdicts[PROBES];
    unsigned least;   // that each probe is to have
    size_t satisfied; // probes that have them
};

static void on_verdict(void *arg, size_t index, const struct verdict *verdict)
{
    struct world *world = arg;
    assert_int_equal(verdict->kind, VERDICT_PASS);
    world->satisfied += ++world->verdicts[index] == world->least;
    if (world->satisfied == PROBES) {
        uv_stop(&world->loop);
    }
}

static void begin(struct world *world, uint64_t interval_ms)
{
    guard_begin();
    starts = opens = 0;
    assert_int_equal(uv_loop_init(&world->loop), 0);
    for (size_t i = 0; i < PROBES; i++) {
        key_set_fallbacks(probe_common_keys, &world->confs[i]);
        snprintf(world->confs[i].name, sizeof world->confs[i].name, "probe-%zu", i);
        world->confs[i].type = &load_type;
        world->confs[i].fingerprint = i + 1;
        world->confs[i].interval_ms = interval_ms;
        world->applied[i] = &world->confs[i];
    }
    world->scheduler = scheduler_new(&world->loop, on_verdict, world);
    assert_non_null(world->scheduler);
    assert_int_equal(scheduler_apply(world->scheduler, world->applied, PROBES), 0);
}

static void end(struct world *world)
{
    scheduler_close(world->scheduler, NULL, NULL);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    free(world);
}

// Of an hour, a thousand first checks take one every 3.6 seconds: this test sees the first.
static void the_first_checks_of_a_thousand_probes_are_spread_over_the_interval(void **state)
{
    (void)state;
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    begin(world, 3600000);
    for (int turn = 0; turn < 10; turn++) {
        uv_run(&world->loop, UV_RUN_NOWAIT);
    }
    assert_true(starts >= 1 && starts <= 10);
    end(world);
}

static void each_of_a_thousand_probes_has_its_turn_again_and_again(void **state)
{
    (void)state;
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    world->least = 5;
    begin(world, 20);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(opens, PROBES);
    for (size_t i = 0; i < PROBES; i++) {
        assert_true(world->verdicts[i] >= world->least);
    }
    end(world);
}

// Where fast_interval is the longer one, the interval is what counts.
static void fast_is_never_slower_than_the_interval(void **state)
{
    (void)state;
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    world->least = 3;
    begin(world, 10);
    for (size_t i = 0; i < PROBES; i++) {
        world->confs[i].fast_interval_ms = 3600000;
        scheduler_set_fast(world->scheduler, i, true);
    }
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_true(starts >= 3 * PROBES);
    end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_checks_of_a_thousand_probes_are_spread_over_the_interval),
        cmocka_unit_test(each_of_a_thousand_probes_has_its_turn_again_and_again),
        cmocka_unit_test(fast_is_never_slower_than_the_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
