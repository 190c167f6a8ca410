// Which probes hear of it when a UDP server of this host is gone: real sockets, and probes that are
// checked only when they are triggered.
#include "probes/probe.h"
#include "probes/scheduler.h"

#include "tests/test.h"
#include "tests/unit/guard.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PROBES 80 // more than a filter of ports has room for

static void target_start(struct probe *probe)
{
    probe_verdict(probe, VERDICT_PASS, "ok", "checked");
}

static const char *target_cancel(struct probe *probe)
{
    (void)probe;
    return "nothing";
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
