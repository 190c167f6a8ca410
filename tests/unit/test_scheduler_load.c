// The scheduler with a thousand probes: they don't beat together, and none is forgotten.
#include "probes/probe.h"
#include "probes/scheduler.h"

#include "tests/unit/guard.h"
#include "tests/unit/own_clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBES 1000

static unsigned starts, opens, closes;

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

static struct awaited load_cancel(struct probe *probe)
{
    (void)probe;
    return (struct awaited){"nothing", 0};
}

static void load_close(struct probe *probe)
{
    closes++;
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
    bool settled;
};

static void on_verdict(void *arg, size_t index, const struct verdict *verdict)
{
    struct world *world = arg;
    assert_int_equal(verdict->kind, VERDICT_PASS);
    assert_true(index < PROBES);
    world->satisfied += ++world->verdicts[index] == world->least;
    if (world->satisfied == PROBES) {
        uv_stop(&world->loop);
    }
}

static void begin(struct world *world, uint64_t interval_ms)
{
    guard_begin();
    own_clock.jumps = true;
    starts = opens = closes = 0;
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
TEST(the_first_checks_of_a_thousand_probes_are_spread_over_the_interval)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    begin(world, 3600000);
    for (int turn = 0; turn < 10; turn++) {
        uv_run(&world->loop, UV_RUN_NOWAIT);
    }
    assert_true(starts >= 1 && starts <= 10);
    end(world);
}

TEST(each_of_a_thousand_probes_has_its_turn_again_and_again)
{
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
TEST(fast_is_never_slower_than_the_interval)
{
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

// ---- Another thousand

static void on_settled(void *arg)
{
    ((struct world *)arg)->settled = true;
}

// Every second probe goes on, in another place; for each of the others there is a new one.
struct change {
    struct world *world;
    struct probe_conf *confs;
    const struct probe_conf *applied[PROBES];
    struct scheduler_plan *plan;
};

static void make_plan(void *arg)
{
    struct change *change = arg;
    change->plan = scheduler_plan(change->world->scheduler, change->world->applied, PROBES,
                                  change->applied, PROBES);
}

static struct change plan_change(struct world *world)
{
    struct change change = {.world = world, .confs = calloc(PROBES, sizeof *change.confs)};
    uv_thread_t thread;
    assert_non_null(change.confs);
    for (size_t i = 0; i < PROBES; i++) {
        change.confs[i] = world->confs[PROBES - 1 - i];
        change.confs[i].fingerprint += i % 2 ? PROBES : 0;
        change.applied[i] = &change.confs[i];
    }
    assert_int_equal(uv_thread_create(&thread, make_plan, &change), 0);
    uv_thread_join(&thread);
    assert_non_null(change.plan);
    return change;
}

TEST(a_few_probes_end_and_begin_in_each_turn_and_nobody_hears_of_those_that_end)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    world->least = 1;
    begin(world, 10);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    struct change change = plan_change(world);
    memset(world->verdicts, 0, sizeof world->verdicts);
    world->satisfied = 0;
    world->least = 3;
    scheduler_carry_out(world->scheduler, change.plan, on_settled, world);
    for (size_t i = 0; i < PROBES; i++) {
        scheduler_set_fast(world->scheduler, i, true); // also those that have not begun yet
    }
    own_clock_pass_ns(20 *
                      NS_PER_MS); // then every probe's next check is due, also of those that end
    unsigned turns = 0;
    for (; !world->settled; turns++) {
        unsigned before = closes;
        uv_run(&world->loop, UV_RUN_NOWAIT);
        assert_true(closes - before <= PROBES / 20);
    }
    assert_true(turns >= 20);
    assert_int_equal(closes, PROBES / 2);
    memset(world->confs, 0xff, sizeof world->confs); // nobody looks at them any more
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(world->satisfied, PROBES);
    assert_int_equal(opens, PROBES + PROBES / 2);
    end(world);
    free(change.confs);
}

TEST(a_scheduler_closes_while_probes_end_and_begin)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    world->least = 1;
    begin(world, 10);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    struct change change = plan_change(world);
    scheduler_plan_free(change.plan); // one that came to nothing
    free(change.confs);
    change = plan_change(world);
    scheduler_carry_out(world->scheduler, change.plan, on_settled, world);
    uv_run(&world->loop, UV_RUN_NOWAIT);
    assert_false(world->settled);
    end(world);
    assert_int_equal(closes, opens);
    free(change.confs);
}
