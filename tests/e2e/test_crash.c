// popgated is killed at any moment: nobody notices, and nothing wrong is ever announced for it.
#include "tests/lab/pop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WEB_V4 "198.51.100.80/32"
#define WEB_V6 "2001:db8:80::/48"

// Short, so that the state of a hundred flaps settles soon.
#define SHORT_TIMING "hold_down = 20ms\nmax_hold_down = 100ms\ngrace = 50ms\n"

// ---- One crash

LAB_TEST(a_crash_and_restart_while_healthy_send_nothing)
{
    struct pop pop = pop_make(&(struct pop_options){0});

    pop_run(&pop, POP_USUAL);
    POP_WAIT_ANNOUNCED(&pop);
    POP_WAIT_SAYS(&pop, "include saved", "true");
    lab_popgated_kill(pop.popgated);
    lab_popgated_restart(pop.popgated);
    POP_WAIT_SAYS(&pop, "services dns cause", "healthy");
    POP_WAIT_SAYS(&pop, "services dns seen", "true");
    POP_HISTORY(&pop, 0, "A");
    assert_true(pop_says(&pop, "drifts", "0"));
}

LAB_TEST(what_died_while_popgated_was_down_is_withdrawn_when_it_is_back)
{
    struct pop pop = pop_make(&(struct pop_options){0});

    pop_run(&pop, POP_USUAL);
    POP_WAIT_ANNOUNCED(&pop);
    POP_WAIT_SAYS(&pop, "include saved", "true");
    lab_popgated_kill(pop.popgated);
    lab_kill(pop.unbound);
    assert_true(pop_announced(&pop));
    lab_popgated_restart(pop.popgated);
    POP_WAIT_WITHDRAWN(&pop);
    POP_HISTORY(&pop, 0, "AW");
}

LAB_TEST(a_drain_outlives_a_crash)
{
    struct pop pop = pop_make(&(struct pop_options){0});

    pop_run(&pop, POP_USUAL);
    POP_WAIT_ANNOUNCED(&pop);
    POP_COMMAND(&pop, 0, "drain", "dns", "--grace", "1h", "--for", "2h", "--reason", "a reason");
    lab_popgated_kill(pop.popgated); // acknowledged is safe, whatever BIRD has been told yet
    lab_popgated_restart(pop.popgated);
    POP_WAIT_DRAINING(&pop);
    POP_HISTORY(&pop, 0, "AG");
    assert_true(pop_says(&pop, "services dns intent reason", "a reason"));
    assert_true(strtoll(pop_status(&pop, "services dns intent left_ms"), NULL, 10) > 0);

    POP_COMMAND(&pop, 0, "drain", "dns", "--now");
    lab_popgated_kill(pop.popgated);
    lab_popgated_restart(pop.popgated);
    POP_WAIT_WITHDRAWN(&pop);
    POP_WAIT_SAYS(&pop, "services dns allowed", "announce");
    POP_HISTORY(&pop, 0, "AGW");
}

LAB_TEST(a_broken_file_at_a_restart_is_no_outage_what_worked_last_is_used)
{
    char path[LAB_PATH_MAX];
    struct pop pop = pop_make(&(struct pop_options){0});

    pop_run(&pop, POP_USUAL);
    POP_WAIT_ANNOUNCED(&pop);
    LAB_WAIT(access(lab_path(pop.node, "state/popgate.conf.worked", path), R_OK) == 0,
             "what works to be kept", POP_WAIT_MS);
    pop_write(&pop, POP_USUAL "a_typo = 1\n");
    lab_popgated_kill(pop.popgated);
    lab_popgated_restart(pop.popgated);
    POP_WAIT_SAYS(&pop, "services dns cause", "healthy");
    POP_WAIT_SAYS(&pop, "services dns seen", "true");
    POP_COMMAND(&pop, 1, "check");
    assert_non_null(strstr(pop_output, "popgate.conf.worked"));
    assert_non_null(strstr(pop_output, "a_typo"));
    POP_COMMAND(&pop, 1, "reload");
    pop_write(&pop, POP_USUAL);
    POP_COMMAND(&pop, 0, "reload");
    POP_COMMAND(&pop, 0, "check");
    POP_HISTORY(&pop, 0, "A");
}

// With a new runtime directory, as after a reboot.
LAB_TEST(a_drain_outlives_a_reboot)
{
    char path[LAB_PATH_MAX];
    struct pop pop = pop_make(&(struct pop_options){0});

    pop_run(&pop, POP_USUAL);
    POP_WAIT_ANNOUNCED(&pop);
    POP_COMMAND(&pop, 0, "drain", "dns", "--now", "--wait");
    lab_popgated_kill(pop.popgated);
    lab_bird_kill(pop.bird);
    assert_int_equal(
        lab_run(pop.node,
                LAB_ARGV("find", lab_path(pop.node, "run", path), "-type", "f,s", "-delete"), NULL,
                0),
        0);
    lab_bird_restart(pop.bird);
    lab_popgated_restart(pop.popgated);
    LAB_WAIT(lab_bird_established(pop.bird, "upstream"), "the session", POP_WAIT_MS);
    POP_WAIT_SAYS(&pop, "services dns allowed", "announce");
    POP_WAIT_SAYS(&pop, "services dns seen", "true");
    POP_HISTORY(&pop, 0, "AW");
    POP_COMMAND(&pop, 0, "undrain", "dns");
    POP_WAIT_ANNOUNCED(&pop);
}

// ---- A hundred crashes

#define CRASHES 100

static const char sections[] = POP_PROBES POP_SERVICE SHORT_TIMING
    "[probe web]\ntype = tcp\ntarget = 192.0.2.53:80\n"
    "interval = 50ms\nfast_interval = 20ms\ntimeout = 2s\nrise = 2\nfall = 2\n"
    "[service web]\nprefixes = " WEB_V4 " " WEB_V6
    "\nrequire = web\nlast_pop_guard = off\n" SHORT_TIMING;

// What is true of the services, and what operators were told is done.
struct truth {
    bool dns_up, web_up, dns_drained, web_drained;
};

struct world {
    struct pop pop;
    struct lab_tcp_server *web;
    struct truth truth;
    unsigned seed;
};

static unsigned roll(struct world *world, unsigned sides)
{
    return (unsigned)rand_r(&world->seed) % sides;
}

// A few of the moments at which a process can die: while it starts, connects, writes, waits.
static void pause_at_random(struct world *world)
{
    struct timespec time = {.tv_nsec = (long)roll(world, 30) * 1000000};

    nanosleep(&time, NULL);
}

static void flip_web(struct world *world)
{
    world->truth.web_up = !world->truth.web_up;
    if (world->truth.web_up) {
        lab_tcp_server_recover(world->web);
    } else {
        lab_tcp_server_crash(world->web);
    }
}

static void flip_dns(struct world *world)
{
    world->truth.dns_up = !world->truth.dns_up;
    if (world->truth.dns_up) {
        lab_unbound_restart(world->pop.unbound);
    } else {
        lab_kill(world->pop.unbound);
    }
}

static void flip_drain(struct world *world, const char *service, bool *drained)
{
    POP_COMMAND(&world->pop, 0, *drained ? "undrain" : "drain", service);
    *drained = !*drained;
}

static void do_something(struct world *world)
{
    switch (roll(world, 6)) {
    case 0:
        flip_dns(world);
        break;
    case 1:
    case 2:
        flip_web(world);
        break;
    case 3:
        flip_drain(world, "dns", &world->truth.dns_drained);
        break;
    case 4:
        flip_drain(world, "web", &world->truth.web_drained);
        break;
    default:
        lab_birdc(world->pop.bird, "configure");
    }
}

static bool as_it_ought_to_be(const struct world *world)
{
    const struct truth *truth = &world->truth;
    struct tap *tap = world->pop.tap;
    bool dns = truth->dns_up && !truth->dns_drained;
    bool web = truth->web_up && !truth->web_drained;

    return tap_has(tap, POP_V4) == dns && tap_has(tap, POP_V6) == dns &&
           tap_has(tap, WEB_V4) == web && tap_has(tap, WEB_V6) == web;
}

static bool settled(const struct world *world)
{
    return as_it_ought_to_be(world) && !tap_has_community(world->pop.tap, POP_V4, 65535, 0) &&
           !tap_has_community(world->pop.tap, WEB_V4, 65535, 0) &&
           pop_says(&world->pop, "services dns seen", "true") &&
           pop_says(&world->pop, "services web seen", "true") &&
           pop_says(&world->pop, "include saved", "true");
}

// popgated is not back yet when the world goes on: some of it happens while nobody looks.
static void crash_once(struct world *world)
{
    do_something(world);
    pause_at_random(world);
    lab_popgated_kill(world->pop.popgated);
    if (roll(world, 3) == 0) {
        flip_web(world);
    }
    lab_popgated_restart(world->pop.popgated);
    if (roll(world, 4) == 0) { // again, before it has settled
        pause_at_random(world);
        lab_popgated_kill(world->pop.popgated);
        lab_popgated_restart(world->pop.popgated);
    }
}

// A service that is down or drained, and was so before the crash, is not announced even for an
// instant.
static void assert_nothing_forbidden(const struct world *world, const struct truth *before,
                                     size_t mark)
{
    const struct truth *now = &world->truth;
    struct tap_event event;

    if ((before->dns_drained && now->dns_drained) || (!before->dns_up && !now->dns_up)) {
        assert_int_equal(tap_events(world->pop.tap, mark, POP_V4, &event, 1), 0);
    }
    if (before->web_drained && now->web_drained) {
        assert_int_equal(tap_events(world->pop.tap, mark, WEB_V4, &event, 1), 0);
    }
}

LAB_TEST(a_hundred_crashes_leave_no_wrong_announcement)
{
    const char *seed = getenv("SEED");
    struct world world = {.pop = pop_make(&(struct pop_options){0}),
                          .truth = {.dns_up = true, .web_up = true},
                          .seed = seed != NULL ? (unsigned)strtoul(seed, NULL, 10)
                                               : (unsigned)time(NULL)};

    printf("the seed is SEED=%u\n", world.seed);
    world.web = lab_tcp_server_start(world.pop.node, "192.0.2.53", 80, LAB_TCP_SILENT, NULL);
    pop_run(&world.pop, sections);
    LAB_WAIT(settled(&world), "the first announcements", POP_WAIT_MS);
    for (int i = 0; i < CRASHES; i++) {
        struct truth before = world.truth;
        size_t mark = pop_mark(&world.pop);

        crash_once(&world);
        LAB_WAIT(settled(&world), "what is announced to be what ought to be", POP_WAIT_MS);
        lab_barrier(world.pop.bird, world.pop.tap);
        assert_true(as_it_ought_to_be(&world));
        assert_nothing_forbidden(&world, &before, mark);
    }
}
