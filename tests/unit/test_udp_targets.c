// Which probes hear of it when a UDP server of this host is gone: real sockets, and probes that are
// checked only when they are triggered.
#include "probes/life.h"
#include "probes/scheduler.h"
#include "probes/udp_targets.h"

#include "tests/test.h"
#include "tests/unit/guard.h"
#include "tests/unit/own_clock.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROBES 80 // more than a filter of ports has room for

static void target_start(struct probe *probe)
{
    probe_verdict(probe, VERDICT_PASS, "ok", "checked");
}

static struct awaited target_cancel(struct probe *probe)
{
    (void)probe;
    return (struct awaited){"nothing", 0};
}

static unsigned target_watch(const struct probe_conf *conf)
{
    (void)conf;
    return PROBE_WATCH_UDP;
}

static const struct probe_type target_type = {
    .name = "target", .start = target_start, .cancel = target_cancel, .watch = target_watch};

static struct world {
    uv_loop_t loop;
    struct scheduler *scheduler;
    struct probe_conf confs[PROBES];
    const struct probe_conf *applied[PROBES];
    int servers[PROBES];
    unsigned checks[PROBES];
    size_t wanted; // this probe's check ends the wait
} world;

static void on_verdict(void *arg, size_t index, const struct verdict *verdict)
{
    (void)arg;
    assert_int_equal(verdict->kind, VERDICT_PASS);
    world.checks[index]++;
    if (index == world.wanted) {
        uv_stop(&world.loop);
    }
}

static int bind_server(struct endpoint *out)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof any), 0);
    out->length = sizeof out->address;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&out->address, &out->length), 0);
    return fd;
}

static void set_up(void)
{
    guard_begin();
    assert_int_equal(uv_loop_init(&world.loop), 0);
    for (size_t i = 0; i < PROBES; i++) {
        struct probe_conf *conf = &world.confs[i];
        key_set_fallbacks(probe_common_keys, conf);
        snprintf(conf->name, sizeof conf->name, "probe-%zu", i);
        conf->type = &target_type;
        conf->fingerprint = i + 1;
        conf->interval_ms = 3600000;
        world.servers[i] = bind_server(&conf->target);
        world.applied[i] = conf;
    }
    world.scheduler = scheduler_new(&world.loop, on_verdict, NULL);
    assert_non_null(world.scheduler);
}

static void apply(size_t first, size_t count)
{
    char text[WATCH_TEXT_MAX];
    guard_awaits("the watch to have begun");
    assert_int_equal(scheduler_apply(world.scheduler, world.applied + first, count), 0);
    while (strcmp(scheduler_watch_text(world.scheduler, 0, text), "kernel notifications") != 0) {
        uv_run(&world.loop, UV_RUN_ONCE);
    }
    memset(world.checks, 0, sizeof world.checks); // the first probe's first check is due at once
}

// The server at an index of the probes applied goes, and its probe is checked.
static void end_server(size_t index, int *server)
{
    close(*server);
    *server = -1;
    world.wanted = index;
    guard_awaits("the check of the probe whose server went");
    uv_run(&world.loop, UV_RUN_DEFAULT);
}

static void tear_down(void)
{
    scheduler_close(world.scheduler, NULL, NULL);
    uv_run(&world.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world.loop), 0);
    for (size_t i = 0; i < PROBES; i++) {
        if (world.servers[i] >= 0) {
            close(world.servers[i]);
        }
    }
}

TEST(each_server_that_ends_has_its_own_probe_checked_and_no_other)
{
    set_up();
    apply(0, PROBES);
    for (size_t i = 1; i < PROBES; i++) {
        size_t index = i * 37 % PROBES; // in another order than theirs
        end_server(index, &world.servers[index]);
        assert_int_equal(world.checks[index], 1);
    }
    tear_down();
}

TEST(after_a_reload_it_is_the_probes_of_now_that_hear_of_it)
{
    set_up();
    apply(0, PROBES);
    apply(PROBES / 2, PROBES / 4);
    end_server(3, &world.servers[PROBES / 2 + 3]);
    assert_int_equal(world.checks[3], 1);
    close(world.servers[1]); // of a probe that is gone
    world.servers[1] = -1;
    end_server(4, &world.servers[PROBES / 2 + 4]);
    assert_int_equal(world.checks[1], 0);
    assert_int_equal(world.checks[4], 1);
    tear_down();
}

// ---- Words of the kernel's that are lost

struct one_probe {
    uv_loop_t loop;
    struct probe_host host;
    struct udp_targets targets;
    struct probe *probe;
    unsigned checks, gone;
};

static void on_checked(void *owner, size_t index, const struct verdict *verdict)
{
    struct one_probe *one = owner;
    (void)index, (void)verdict;
    one->checks++;
    uv_stop(&one->loop);
}

static void on_one_gone(void *owner)
{
    ((struct one_probe *)owner)->gone++;
}

static void open_one(struct one_probe *one)
{
    static struct probe_conf conf;
    struct udp_target *target = calloc(1, sizeof *target);
    assert_non_null(target);
    *one = (struct one_probe){.checks = 0};
    assert_int_equal(uv_loop_init(&one->loop), 0);
    one->host = (struct probe_host){.loop = &one->loop,
                                    .turns = {.owner = one, .on_free = on_one_gone},
                                    .starts = {.owner = one, .on_free = on_one_gone},
                                    .owner = one,
                                    .on_verdict = on_checked,
                                    .on_gone = on_one_gone};
    selfcheck_open(&one->host.selfcheck);
    turns_open(&one->host.turns, &one->loop);
    starts_open(&one->host.starts, &one->loop, &one->host.turns);
    key_set_fallbacks(probe_common_keys, &conf);
    conf.type = &target_type;
    conf.interval_ms = 3600000;
    close(bind_server(&conf.target));
    one->probe = probe_new(&one->host, &conf, PROBE_SPREAD - 1);
    probe_run(one->probe);
    udp_targets_init(&one->targets, &one->loop, one, on_one_gone);
    *target = (struct udp_target){&conf.target, one->probe};
    udp_targets_set(&one->targets, target, 1);
}

static void close_one(struct one_probe *one)
{
    probe_stop(one->probe);
    udp_targets_close(&one->targets);
    turns_close(&one->host.turns);
    starts_close(&one->host.starts);
    uv_run(&one->loop, UV_RUN_DEFAULT);
    assert_int_equal(one->gone, 4);
    selfcheck_close(&one->host.selfcheck);
    assert_int_equal(uv_loop_close(&one->loop), 0);
}

static void lose_a_word(struct one_probe *one)
{
    one->targets.watch.on_gone(one->targets.watch.owner, NULL);
}

TEST(words_that_are_lost_soon_after_others_are_caught_up_within_a_second)
{
    struct one_probe one;
    guard_begin();
    open_one(&one);
    guard_awaits("the check after the first loss");
    lose_a_word(&one);
    uint64_t lost_ns = uv_hrtime();
    uv_run(&one.loop, UV_RUN_DEFAULT);
    assert_int_equal(one.checks, 1);
    lose_a_word(&one);
    lose_a_word(&one);
    guard_awaits("the check after what was lost next");
    own_clock.jumps = true;
    uv_run(&one.loop, UV_RUN_DEFAULT);
    own_clock.jumps = false;
    assert_int_equal(one.checks, 2);
    assert_true(uv_hrtime() - lost_ns >= NS_PER_S);
    assert_true(uv_hrtime() - lost_ns <= 2 * NS_PER_S);
    close_one(&one);
}
