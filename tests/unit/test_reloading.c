// Reloads: built aside, swapped when they may be, one more for all who asked meanwhile; and what is
// left when one fails or is cut short.
#include "controller/daemon/reload.h"

#include "base/clock.h"

#include "tests/unit/guard.h"
#include "tests/unit/put_intent.h"
#include "tests/unit/small_config.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define HEAD    "[pop]\nid = fra1\n[bird]\nlocal_as = 64512\n"
#define DNS     "[service dns]\nprefixes = 192.0.2.1/32\nrequire = a\n"
#define WEB     "[service web]\nprefixes = 192.0.2.2/32\nrequire = a\n"
#define PROBE_A "[probe a]\ntype = tcp\ntarget = 127.0.0.1:1\nrise = 1\n"

#define TICKETS 32

static struct world {
    char path[64];
    uv_loop_t loop;
    struct scheduler *scheduler;
    struct reload *reload;
    struct setup present;
    struct events *events;
    bool may_swap, refuses;
    const char *written_at_swap;
    unsigned asked; // whether it may swap
    unsigned swaps, ends, failures;
    char why[600];
    unsigned answers[TICKETS]; // of the ticket of each number
    enum outcome outcomes[TICKETS];
} world;

static struct setup present(void *arg)
{
    (void)arg;
    return world.present;
}

static bool may_swap(void *arg)
{
    (void)arg;
    world.asked++;
    return world.may_swap;
}

static void write_config(const char *text)
{
    FILE *file = fopen(world.path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static bool swap(void *arg, struct reload_next *next, void (*on_settled)(void *arg),
                 void *settled_arg, char error[ERROR_MAX])
{
    (void)arg;
    if (world.refuses) {
        error_say(error, "the address is taken");
        return false;
    }
    struct setup old = world.present;
    scheduler_carry_out(world.scheduler, next->plan, on_settled, settled_arg);
    next->plan = NULL;
    identity_take_over(next->setup.identity, old.identity);
    core_take_over(next->setup.core, old.core, uv_hrtime());
    core_go_on(next->setup.core, uv_hrtime());
    world.present = next->setup;
    next->setup = old;
    world.swaps++;
    if (world.written_at_swap != NULL) {
        write_config(world.written_at_swap);
    }
    return true;
}

static void ended(void *arg, const char *why)
{
    (void)arg;
    world.ends++;
    world.failures += why != NULL;
    snprintf(world.why, sizeof world.why, "%s", why != NULL ? why : "");
}

static void answer(void *arg, void *ticket, enum outcome outcome, const char *message)
{
    (void)arg;
    size_t number = (size_t)((unsigned *)ticket - world.answers);
    assert_non_null(message);
    world.answers[number]++;
    world.outcomes[number] = outcome;
}

static void on_verdict(void *arg, size_t index, const struct verdict *verdict)
{
    (void)arg;
    (void)index;
    (void)verdict;
}

static void *ticket(size_t number)
{
    return &world.answers[number];
}

static int begin(void **state)
{
    static const struct reload_shell shell = {present, may_swap, swap, ended, answer};
    char error[ERROR_MAX];
    (void)state;
    guard_begin();
    world = (struct world){.path = "/tmp/popgate_test_XXXXXX", .may_swap = true};
    close(mkstemp(world.path));
    write_config(HEAD PROBE_A DNS);
    world.events = calloc(1, sizeof *world.events);
    world.present.config = config_load(world.path, small_config_problem, NULL);
    assert_non_null(world.present.config);
    struct core_start start = {
        .config = world.present.config, .events = world.events, .now_ns = uv_hrtime()};
    world.present.core = core_new(&start);
    world.present.identity = identity_new(world.present.config, NULL, error);
    uv_loop_init(&world.loop);
    world.scheduler = scheduler_new(&world.loop, on_verdict, NULL);
    const struct probe_conf *probes[] = {&world.present.config->probes[0]};
    assert_int_equal(scheduler_apply(world.scheduler, probes, 1), 0);
    world.reload = reload_new(&world.loop, world.path, world.scheduler, &shell, NULL);
    assert_non_null(world.reload);
    return 0;
}

static void close_all(void)
{
    reload_close(world.reload);
    scheduler_close(world.scheduler, NULL, NULL);
    uv_run(&world.loop, UV_RUN_DEFAULT);
    reload_free(world.reload);
    world.reload = NULL;
}

static int finish(void **state)
{
    (void)state;
    if (world.reload != NULL) {
        close_all();
    }
    assert_int_equal(uv_loop_close(&world.loop), 0);
    core_free(world.present.core);
    identity_free(world.present.identity);
    config_free(world.present.config);
    free(world.present.remembered);
    free(world.events);
    unlink(world.path);
    return 0;
}

TEST_FIXTURE(begin, finish);

// Until so many have ended.
static void run_until(unsigned ends)
{
    guard_awaits("a reload to end");
    while (world.ends < ends) {
        uv_run(&world.loop, UV_RUN_ONCE);
    }
}

static void run_until_ready(void)
{
    guard_awaits("a reload to be ready");
    while (world.asked == 0) {
        uv_run(&world.loop, UV_RUN_ONCE);
    }
}

// ---- Well

TEST(a_reload_takes_over_and_who_asked_is_answered_once)
{
    write_config(HEAD PROBE_A DNS WEB);
    assert_true(reload_ask(world.reload, ticket(0)));
    assert_int_equal(world.answers[0], 0);
    run_until(1);
    assert_int_equal(world.swaps, 1);
    assert_int_equal(world.answers[0], 1);
    assert_int_equal(world.outcomes[0], OUTCOME_DONE);
    assert_int_equal(world.present.config->service_count, 2);
}

TEST(nobody_needs_to_wait_for_one)
{
    assert_true(reload_ask(world.reload, NULL)); // a signal
    run_until(1);
    assert_int_equal(world.swaps, 1);
}

TEST(who_asks_while_one_is_built_shares_one_more_which_sees_the_file_as_it_is_then)
{
    world.written_at_swap = HEAD PROBE_A DNS WEB;
    assert_true(reload_ask(world.reload, ticket(0)));
    assert_true(reload_ask(world.reload, ticket(1)));
    assert_true(reload_ask(world.reload, NULL));
    assert_true(reload_ask(world.reload, ticket(2)));
    run_until(1);
    assert_int_equal(world.answers[0], 1);
    assert_int_equal(world.answers[1] + world.answers[2], 0);
    run_until(2);
    assert_int_equal(world.answers[1], 1);
    assert_int_equal(world.answers[2], 1);
    for (unsigned turn = 0; turn < 20; turn++) {
        uv_run(&world.loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(world.swaps, 2);
    assert_int_equal(world.present.config->service_count, 2);
    assert_int_equal(world.answers[0], 1);
}

TEST(too_many_who_wait_are_refused)
{
    size_t taken = 0;
    assert_true(reload_ask(world.reload, NULL));
    while (taken < TICKETS && reload_ask(world.reload, ticket(taken))) {
        taken++;
    }
    assert_in_range(taken, 1, TICKETS - 1);
    run_until(2);
    for (size_t i = 0; i < TICKETS; i++) {
        assert_int_equal(world.answers[i], i < taken);
    }
}

TEST(what_happens_while_one_is_built_is_not_lost)
{
    struct verdict verdict = {.kind = VERDICT_PASS, .at_ns = uv_hrtime()};
    struct intent drain = {.kind = INTENT_DRAIN, .grace_ms = 1};
    write_config(HEAD PROBE_A WEB DNS);
    assert_true(reload_ask(world.reload, NULL));
    core_verdict(world.present.core, 0, &verdict, uv_hrtime());
    put_intent(world.present.core, 0, &drain, "drained", uv_hrtime());
    run_until(1);
    const struct core *core = world.present.core;
    size_t dns = config_service(core->config, "dns");
    assert_int_equal(dns, 1);
    assert_int_equal(core->services[dns].intent.kind, INTENT_DRAIN);
    assert_int_equal(core->services[config_service(core->config, "web")].intent.kind, INTENT_AUTO);
    assert_int_equal(core->probes[0].verdicts[VERDICT_PASS], 1);
    assert_int_equal(core->healths[0].settled, HEALTH_UP);
}

TEST(the_swap_waits_until_it_may_be)
{
    world.may_swap = false;
    assert_true(reload_ask(world.reload, ticket(0)));
    run_until_ready();
    for (unsigned turn = 0; turn < 20; turn++) {
        uv_run(&world.loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(world.swaps + world.ends, 0);
    world.may_swap = true;
    reload_go_on(world.reload);
    assert_int_equal(world.swaps, 1);
    assert_int_equal(world.answers[0], 1);
}

// ---- Badly

TEST(a_file_with_mistakes_changes_nothing_and_the_first_is_told)
{
    struct setup before = world.present;
    write_config(HEAD PROBE_A DNS "hold_dwon = 1s\n[service web]\nprefixes = 10.0.0.1/8\n");
    assert_true(reload_ask(world.reload, ticket(0)));
    run_until(1);
    assert_int_equal(world.swaps, 0);
    assert_int_equal(world.outcomes[0], OUTCOME_INVALID);
    assert_memory_equal(&world.present, &before, sizeof before);
    assert_non_null(strstr(world.why, ":12: unknown key `hold_dwon`"));
    assert_non_null(strstr(world.why, "more: popgated --check-config"));
    write_config(HEAD PROBE_A DNS); // and the next may be well
    assert_true(reload_ask(world.reload, ticket(1)));
    run_until(2);
    assert_int_equal(world.swaps, 1);
    assert_int_equal(world.outcomes[1], OUTCOME_DONE);
}

TEST(what_takes_a_restart_is_refused)
{
    write_config(
        "[pop]\nid = fra1\nstate_dir = /elsewhere\n[bird]\nlocal_as = 64512\n" PROBE_A DNS);
    assert_true(reload_ask(world.reload, ticket(0)));
    run_until(1);
    assert_int_equal(world.swaps, 0);
    assert_non_null(strstr(world.why, "state_dir"));
    assert_non_null(strstr(world.why, "takes a restart"));
}

TEST(a_swap_that_is_refused_changes_nothing)
{
    struct setup before = world.present;
    world.refuses = true;
    assert_true(reload_ask(world.reload, ticket(0)));
    run_until(1);
    assert_string_equal(world.why, "the address is taken");
    assert_int_equal(world.outcomes[0], OUTCOME_INVALID);
    assert_memory_equal(&world.present, &before, sizeof before);
}

// ---- Cut short

TEST(a_stop_while_one_is_built_drops_it_unanswered)
{
    assert_true(reload_ask(world.reload, ticket(0)));
    assert_true(reload_ask(world.reload, ticket(1)));
    close_all();
    assert_int_equal(world.swaps + world.ends, 0);
    assert_int_equal(world.answers[0] + world.answers[1], 0);
}

TEST(a_stop_while_one_waits_for_its_swap_drops_it)
{
    world.may_swap = false;
    assert_true(reload_ask(world.reload, ticket(0)));
    run_until_ready();
    close_all();
    assert_int_equal(world.swaps + world.answers[0], 0);
}

TEST(a_stop_after_a_swap_frees_what_was_in_use_before)
{
    assert_true(reload_ask(world.reload, NULL));
    run_until(1);
    close_all(); // the worker may be at it
    assert_int_equal(world.swaps, 1);
}

TEST(a_stop_while_probes_begin_and_end_leaves_nothing_behind)
{
    char text[8192] = HEAD DNS;
    size_t length = strlen(text);
    for (unsigned i = 0; i < 100; i++) {
        length += (size_t)snprintf(text + length, sizeof text - length,
                                   "[probe %c%u]\ntype = tcp\ntarget = 127.0.0.1:1\n",
                                   i == 0 ? 'a' : 'x', i);
    }
    char *zero = strstr(text, "[probe a0]");
    memcpy(zero, "[probe a] ", strlen("[probe a] "));
    write_config(text);
    assert_true(reload_ask(world.reload, NULL));
    while (world.swaps == 0) {
        uv_run(&world.loop, UV_RUN_ONCE);
    }
    close_all();
}

// ---- The service manager

static void expect_notice(int fd, const char *notice)
{
    char text[256];
    guard_awaits(notice);
    ssize_t length = recv(fd, text, sizeof text - 1, 0);
    assert_true(length > 0);
    text[length] = '\0';
    if (strncmp(text, notice, strlen(notice)) != 0) {
        fail_msg("\"%s\" instead of \"%s\"", text, notice);
    }
}

TEST(the_service_manager_hears_when_it_begins_and_when_all_are_done)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char byte;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s.notify", world.path);
    unlink(address.sun_path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    assert_true(reload_ask(world.reload, NULL));
    assert_true(reload_ask(world.reload, NULL)); // one more
    run_until(1);
    expect_notice(fd, "RELOADING=1\nMONOTONIC_USEC=");
    expect_notice(fd, "RELOADING=1\nMONOTONIC_USEC=");
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1); // not ready yet
    run_until(2);
    expect_notice(fd, "READY=1");
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    unsetenv("NOTIFY_SOCKET");
    unlink(address.sun_path);
    close(fd);
}
