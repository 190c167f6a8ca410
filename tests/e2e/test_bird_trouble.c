// Whatever happens to BIRD or its files, what is announced stays what it ought to be.
#include "tests/lab/pop.h"

#include "controller/core/birdconf.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

static struct pop usual_pop(void)
{
    struct pop pop = pop_make(&(struct pop_options){0});

    pop_run(&pop, POP_USUAL);
    POP_WAIT_ANNOUNCED(&pop);
    return pop;
}

// What is in a file of the node's directory: malloc'd.
static char *contents(const struct pop *pop, const char *file)
{
    char path[LAB_PATH_MAX];
    char *text = calloc(1, 1 << 16);
    int fd = open(lab_path(pop->node, file, path), O_RDONLY | O_CLOEXEC);

    if (text == NULL || fd < 0 || read(fd, text, (1 << 16) - 1) < 0) {
        lab_fail("read %s", path);
    }
    close(fd);
    return text;
}

static bool file_is(const struct pop *pop, const char *file, const char *expected)
{
    char *text = contents(pop, file);
    bool same = strcmp(text, expected) == 0;

    free(text);
    return same;
}

static bool configures(const struct pop *pop)
{
    POP_WAIT_SAYS(pop, "include saved", "true"); // until then, a withdrawal is ahead of the file
    const char *reply = lab_birdc(pop->bird, "configure");

    return strstr(reply, "0003 ") != NULL || strstr(reply, "0004 ") != NULL;
}

// ---- Commands of an operator at BIRD

// The whole history is looked at, so that nothing sent late is missed.
LAB_TEST(a_configure_changes_nothing_in_any_state)
{
    struct pop pop = usual_pop();

    assert_true(configures(&pop));
    POP_HISTORY(&pop, 0, "A");
    POP_COMMAND(&pop, 0, "drain", "dns", "--grace", "1h", "--wait");
    assert_true(configures(&pop));
    POP_HISTORY(&pop, 0, "AG");
    POP_COMMAND(&pop, 0, "drain", "dns", "--now", "--wait");
    assert_true(configures(&pop));
    POP_HISTORY(&pop, 0, "AGW");
    POP_COMMAND(&pop, 0, "undrain", "dns", "--wait");
    assert_true(configures(&pop));
    POP_HISTORY(&pop, 0, "AGWA");
    lab_kill(pop.unbound);
    POP_WAIT_WITHDRAWN(&pop);
    assert_true(configures(&pop));
    POP_HISTORY(&pop, 0, "AGWAW");
    assert_true(pop_says(&pop, "drifts", "0"));
}

static void assert_repaired(const struct pop *pop, const char *command, const char *drifts)
{
    lab_birdc(pop->bird, command);
    LAB_WAIT(pop_says(pop, "drifts", drifts), "the drift to be counted", POP_WAIT_MS);
    POP_WAIT_ANNOUNCED(pop);
    LAB_WAIT(pop_says(pop, "services dns settled", "true"), "it to be repaired", POP_WAIT_MS);
}

LAB_TEST(what_somebody_switches_is_switched_back_and_counted)
{
    struct pop pop = usual_pop();

    POP_WAIT_SAYS(&pop, "services dns seen", "true");
    assert_repaired(&pop, "disable popgate_dns_v4", "1");
    assert_repaired(&pop, "disable popgate_dns_v6", "2");
    size_t mark = pop_mark(&pop);
    assert_repaired(&pop, "enable popgate_dns_v4_drain", "3");
    LAB_WAIT(strstr(lab_birdc(pop.bird, "show protocols popgate_dns_v4_drain"), "down") != NULL,
             "the twin to be off", POP_WAIT_MS);
    POP_HISTORY(&pop, mark, "");
    assert_true(pop_has_event(&pop, "popgate_dns_v4_drain was switched on, not by popgate"));
}

LAB_TEST(a_withdrawn_prefix_that_somebody_enables_is_withdrawn_again)
{
    struct pop pop = usual_pop();

    lab_kill(pop.unbound);
    POP_WAIT_WITHDRAWN(&pop);
    POP_WAIT_SAYS(&pop, "services dns settled", "true");
    lab_birdc(pop.bird, "enable \"popgate_dns_v?\"");
    LAB_WAIT(pop_says(&pop, "drifts", "2"), "both drifts to be counted", POP_WAIT_MS);
    POP_WAIT_WITHDRAWN(&pop);
    POP_WAIT_SAYS(&pop, "services dns settled", "true");
    lab_barrier(pop.bird, pop.tap);
    assert_true(pop_withdrawn(&pop));
}

LAB_TEST(a_pipe_that_somebody_disables_is_enabled_again)
{
    struct pop pop = usual_pop();

    lab_birdc(pop.bird, "disable \"popgate?_pipe\"");
    LAB_WAIT(tap_withdrawn_at_ns(pop.tap, POP_V4) > 0 && tap_withdrawn_at_ns(pop.tap, POP_V6) > 0,
             "the pipes to go", POP_WAIT_MS);
    POP_WAIT_ANNOUNCED(&pop);
    LAB_WAIT(!pop_says(&pop, "drifts", "0"), "the drift to be counted", POP_WAIT_MS);
}

// Somebody restores yesterday's file from a backup.
LAB_TEST(a_stale_include_file_is_overruled_and_replaced)
{
    struct pop pop = usual_pop();

    POP_WAIT_SAYS(&pop, "include saved", "true");
    char *announced = contents(&pop, "run/bird.conf");
    lab_kill(pop.unbound);
    POP_WAIT_WITHDRAWN(&pop);
    POP_WAIT_SAYS(&pop, "services dns settled", "true");
    LAB_WAIT(!file_is(&pop, "run/bird.conf", announced), "the file to follow", POP_WAIT_MS);
    POP_WAIT_SAYS(&pop, "include saved", "true");
    char *withdrawn = contents(&pop, "run/bird.conf");

    lab_write(pop.node, "run/bird.conf", announced);
    assert_true(configures(&pop));
    LAB_WAIT(!pop_says(&pop, "drifts", "0"), "the drift to be counted", POP_WAIT_MS);
    POP_WAIT_WITHDRAWN(&pop);
    LAB_WAIT(file_is(&pop, "run/bird.conf", withdrawn), "the file to be put right", POP_WAIT_MS);
    assert_true(configures(&pop));
    lab_barrier(pop.bird, pop.tap);
    assert_true(pop_withdrawn(&pop));
    free(announced);
    free(withdrawn);
}

// ---- BIRD comes and goes

LAB_TEST(a_restarted_bird_announces_what_it_did_before)
{
    struct pop pop = usual_pop();

    lab_bird_kill(pop.bird);
    POP_WAIT_SAYS(&pop, "bird link state", "down");
    assert_true(pop_says(&pop, "services dns seen", "false"));
    lab_bird_restart(pop.bird);
    POP_WAIT_ANNOUNCED(&pop);
    POP_WAIT_SAYS(&pop, "services dns seen", "true");
    POP_HISTORY(&pop, 0, "ALA");
    assert_true(pop_says(&pop, "drifts", "0"));
}

LAB_TEST(a_restarted_bird_does_not_announce_what_died_meanwhile)
{
    struct pop pop = usual_pop();

    lab_bird_kill(pop.bird);
    lab_kill(pop.unbound);
    POP_WAIT_SAYS(&pop, "services dns target", "withdraw");
    POP_WAIT_SAYS(&pop, "include saved", "true");
    lab_bird_restart(pop.bird);
    LAB_WAIT(lab_bird_established(pop.bird, "upstream"), "the session", POP_WAIT_MS);
    POP_WAIT_SAYS(&pop, "services dns seen", "true");
    POP_HISTORY(&pop, 0, "AL");
}

LAB_TEST(a_bird_that_starts_after_popgated_is_found)
{
    struct pop pop = pop_make(&(struct pop_options){0});

    lab_bird_kill(pop.bird);
    pop_run(&pop, POP_USUAL);
    POP_WAIT_SAYS(&pop, "services dns target", "announce");
    assert_true(pop_says(&pop, "bird link state", "down"));
    assert_true(pop_says_part(&pop, "bird link reason", "bird.ctl"));
    lab_bird_restart(pop.bird);
    POP_WAIT_ANNOUNCED(&pop);
    POP_WAIT_SAYS(&pop, "bird link state", "up");
}

LAB_TEST(a_bird_that_has_never_met_popgated_starts_and_is_then_configured)
{
    char path[LAB_PATH_MAX];
    struct pop pop = pop_make(&(struct pop_options){0});

    assert_int_equal(access(lab_path(pop.node, "run/bird.conf", path), F_OK), -1);
    assert_null(strstr(lab_birdc(pop.bird, "show protocols"), "popgate"));
    pop_run(&pop, POP_USUAL);
    POP_WAIT_ANNOUNCED(&pop);
    POP_WAIT_SAYS(&pop, "include state", "loaded");
}

static void unmount_boot_id(void *arg)
{
    (void)arg;
    umount2(BOOT_ID, MNT_DETACH);
}

// The machine has booted since: it has another id.
static void reboot_machine(const struct pop *pop)
{
    char path[LAB_PATH_MAX];

    lab_write(pop->node, "boot_id", "5c0ffee5-0000-4000-8000-000000000000\n");
    if (mount(lab_path(pop->node, "boot_id", path), BOOT_ID, NULL, MS_BIND, NULL) != 0) {
        lab_fail("put another boot id over " BOOT_ID);
    }
    lab_at_clear(unmount_boot_id, NULL);
}

// The runtime directory may be on a disk: the file that says "announce" is still there.
LAB_TEST(after_a_reboot_nothing_is_announced_until_it_is_known_healthy)
{
    struct pop pop = usual_pop();

    POP_WAIT_SAYS(&pop, "include saved", "true");
    lab_popgated_kill(pop.popgated);
    lab_bird_kill(pop.bird);
    lab_kill(pop.unbound);
    reboot_machine(&pop);
    POP_WAIT_WITHDRAWN(&pop); // lost with the session
    size_t mark = tap_event_count(pop.tap);

    lab_popgated_restart(pop.popgated); // as the unit orders it: before BIRD
    POP_WAIT_SAYS(&pop, "include saved", "true");
    lab_bird_restart(pop.bird);
    LAB_WAIT(lab_bird_established(pop.bird, "upstream"), "the session", POP_WAIT_MS);
    POP_WAIT_SAYS(&pop, "services dns seen", "true");
    POP_HISTORY(&pop, mark, "");
    lab_unbound_restart(pop.unbound);
    POP_WAIT_ANNOUNCED(&pop);
    POP_HISTORY(&pop, mark, "A");
}

// Out of order, BIRD first: it announces what the old file says, and is stopped from it. Within a
// boot popgated would wait for the probes.
LAB_TEST(after_a_reboot_what_bird_announces_is_not_taken_over)
{
    struct pop pop = usual_pop();

    POP_WAIT_SAYS(&pop, "include saved", "true");
    lab_popgated_kill(pop.popgated);
    lab_stop(pop.unbound); // the probes will have no verdict for long
    reboot_machine(&pop);
    lab_popgated_restart(pop.popgated);
    POP_WAIT_WITHDRAWN(&pop);
    assert_true(pop_says(&pop, "services dns cause", "start"));
    lab_cont(pop.unbound);
    POP_WAIT_ANNOUNCED(&pop);
}

LAB_TEST(a_bird_that_hangs_withdraws_as_soon_as_it_wakes)
{
    struct pop pop = usual_pop();

    lab_stop(lab_bird_process(pop.bird));
    lab_kill(pop.unbound);
    POP_WAIT_SAYS(&pop, "bird link state", "silent");
    POP_WAIT_SAYS(&pop, "services dns target", "withdraw");
    assert_true(pop_announced(&pop));
    assert_true(pop_says(&pop, "services dns seen", "false"));
    assert_true(pop_says(&pop, "services dns settled", "false"));
    lab_cont(lab_bird_process(pop.bird));
    POP_WAIT_WITHDRAWN(&pop);
    POP_WAIT_SAYS(&pop, "bird link state", "up");
    POP_WAIT_SAYS(&pop, "services dns seen", "true");
    POP_HISTORY(&pop, 0, "AW");
}

// With nothing to switch nothing else would tell; the prefix is gone at the neighbours' hold time.
LAB_TEST(a_bird_that_hangs_with_nothing_to_switch_is_critical_all_the_same)
{
    struct pop pop = usual_pop();

    POP_WAIT_SAYS(&pop, "services dns seen", "true");
    POP_COMMAND(&pop, 0, "check");
    lab_stop(lab_bird_process(pop.bird));
    LAB_WAIT(lab_popgate(pop.node, pop_output, LAB_ARGV("check")) == 2, "check to be critical",
             POP_WAIT_MS);
    assert_non_null(strstr(pop_output, "BIRD has answered no question for "));
    assert_non_null(strstr(pop_output, "announced=0;"));
    lab_cont(lab_bird_process(pop.bird));
    LAB_WAIT(lab_popgate(pop.node, pop_output, LAB_ARGV("check")) == 0, "check to be OK again",
             POP_WAIT_MS);
}

// ---- Permission

// Nothing would withdraw it after that: whoever stopped popgated must hear of it, and the
// fail-safe.
LAB_TEST(a_stop_that_bird_has_not_confirmed_is_no_success)
{
    struct pop pop = usual_pop();

    lab_stop(lab_bird_process(pop.bird));
    assert_int_equal(lab_popgated_stop(pop.popgated), 1);
    lab_cont(lab_bird_process(pop.bird));
}

LAB_TEST(a_stop_waits_for_a_bird_that_was_hung_to_confirm)
{
    struct pop pop = usual_pop();

    lab_stop(lab_bird_process(pop.bird));
    lab_signal(lab_popgated_process(pop.popgated), SIGTERM);
    lab_cont(lab_bird_process(pop.bird));
    assert_int_equal(lab_popgated_stop(pop.popgated), 0);
    POP_WAIT_WITHDRAWN(&pop);
}

// BIRD 3 can die of a question whose asker is gone. Nothing is to be withdrawn, and a second was
// all that an answer had.
LAB_TEST(a_stop_waits_for_the_answers_of_a_bird_that_was_hung)
{
    struct pop pop = pop_make(&(struct pop_options){0});

    pop_run(&pop, POP_USUAL "on_exit = keep\n");
    POP_WAIT_ANNOUNCED(&pop);
    lab_stop(lab_bird_process(pop.bird));
    POP_WAIT_SAYS(&pop, "bird asking state", "silent");
    lab_signal(lab_popgated_process(pop.popgated), SIGTERM);
    sleep(2);
    assert_true(lab_running(lab_popgated_process(pop.popgated)));
    lab_cont(lab_bird_process(pop.bird));
    assert_int_equal(lab_popgated_stop(pop.popgated), 0);
    POP_HISTORY(&pop, 0, "A");
}

// Of a planned restart the manager knows nothing, and would end it in the middle of that.
LAB_TEST(who_waits_for_answers_at_his_end_tells_the_watchdog_that_he_lives)
{
    char socket_path[LAB_PATH_MAX];
    struct pop pop = pop_make(&(struct pop_options){0});

    setenv("WATCHDOG_USEC", "200000", 1);
    pop_run(&pop, POP_USUAL);
    unsetenv("WATCHDOG_USEC");
    POP_WAIT_ANNOUNCED(&pop);
    lab_stop(lab_bird_process(pop.bird));
    POP_WAIT_SAYS(&pop, "bird asking state", "silent");
    lab_path(pop.node, "run/popgate.sock", socket_path);
    lab_signal(lab_popgated_process(pop.popgated), SIGUSR1);
    LAB_WAIT(access(socket_path, F_OK) != 0, "the end to begin", POP_WAIT_MS);
    size_t told = lab_popgated_notified(pop.popgated, "WATCHDOG=1");
    LAB_WAIT(lab_popgated_notified(pop.popgated, "WATCHDOG=1") > told + 3,
             "the watchdog to be told", POP_WAIT_MS);
    lab_cont(lab_bird_process(pop.bird));
    assert_int_equal(lab_wait_exit(lab_popgated_process(pop.popgated), POP_WAIT_MS), 75);
}

LAB_TEST(a_socket_without_permission_is_said_and_used_once_it_may_be)
{
    char config[LAB_CONFIG_MAX];
    struct pop pop = pop_make(&(struct pop_options){0});
    const char *socket = lab_bird_socket(pop.bird);

    if (!lab_has_users()) {
        skip();
    }
    assert_int_equal(chmod(socket, 0666), 0);
    pop.popgated = lab_popgated_start_as(
        pop.node, lab_popgated_config(pop.node, pop.bird, POP_AS, POP_USUAL, config), LAB_NOBODY);
    POP_WAIT_ANNOUNCED(&pop);
    lab_popgated_kill(pop.popgated);
    assert_int_equal(chmod(socket, 0660), 0);
    lab_kill(pop.unbound);
    lab_popgated_restart(pop.popgated);

    LAB_WAIT(pop_says_part(&pop, "bird link reason", "permission denied"),
             "popgated to say what is wrong", POP_WAIT_MS);
    POP_WAIT_SAYS(&pop, "services dns target", "withdraw");
    assert_true(pop_says(&pop, "services dns seen", "false"));
    POP_COMMAND(&pop, 0, "status");
    assert_non_null(strstr(pop_output, "permission denied"));
    assert_true(pop_announced(&pop)); // it can't be helped, but it is not called withdrawn

    assert_int_equal(chmod(socket, 0666), 0);
    POP_WAIT_WITHDRAWN(&pop);
    POP_WAIT_SAYS(&pop, "services dns seen", "true");
}

// ---- Bird.conf

LAB_TEST(a_missing_include_line_is_said_and_its_coming_is_noticed)
{
    struct pop pop = pop_make(&(struct pop_options){.no_include = true});
    char run[LAB_PATH_MAX], line[BIRDCONF_LINE_MAX], with_line[LAB_CONFIG_MAX];

    pop_run(&pop, POP_USUAL);
    snprintf(run, sizeof run, "%s/run", lab_dir(pop.node));
    birdconf_include_line(run, line);
    POP_WAIT_SAYS(&pop, "include state", "not-included");
    assert_true(pop_has_event(&pop, line));
    POP_COMMAND(&pop, 0, "status");
    assert_non_null(strstr(pop_output, "include \""));
    POP_COMMAND(&pop, 0, "explain", "dns");
    assert_null(strstr(pop_output, "as meant")); // as it was before the target changed
    POP_HISTORY(&pop, 0, "");

    snprintf(with_line, sizeof with_line, "%.*s\n%s\n", (int)(sizeof with_line - sizeof line - 3),
             pop.bird_conf, line);
    lab_bird_write(pop.bird, with_line);
    assert_true(configures(&pop));
    POP_WAIT_ANNOUNCED(&pop);
    POP_WAIT_SAYS(&pop, "include state", "loaded");
    POP_HISTORY(&pop, 0, "A");
}

LAB_TEST(a_broken_bird_conf_does_not_stop_a_withdrawal_nor_a_return)
{
    struct pop pop = usual_pop();

    lab_bird_write(pop.bird, "protocol bgp half_written {\n  neighbor");
    lab_kill(pop.unbound);
    POP_WAIT_WITHDRAWN(&pop);
    lab_unbound_restart(pop.unbound);
    POP_WAIT_ANNOUNCED(&pop);
    assert_false(configures(&pop));
    POP_HISTORY(&pop, 0, "AWA");
}

// A new revision can't be loaded then: BIRD's former file must be there should BIRD restart.
LAB_TEST(a_broken_bird_conf_brings_the_former_include_file_back)
{
    struct pop pop = usual_pop();

    POP_WAIT_SAYS(&pop, "include saved", "true");
    char *former = contents(&pop, "run/bird.conf");
    lab_popgated_kill(pop.popgated);
    lab_bird_write(pop.bird, "protocol bgp half_written {\n  neighbor");
    pop_write(&pop, POP_USUAL "communities = 64512:7\n");
    lab_popgated_restart(pop.popgated);

    POP_WAIT_SAYS(&pop, "include state", "refused");
    assert_true(pop_says_part(&pop, "include message", "bird.conf:"));
    assert_true(pop_says_part(&pop, "include message", "syntax error"));
    LAB_WAIT(file_is(&pop, "run/bird.conf", former), "the former file to be back", POP_WAIT_MS);
    POP_COMMAND(&pop, 0, "status");
    assert_non_null(strstr(pop_output, "syntax error"));
    POP_HISTORY(&pop, 0, "A");

    lab_bird_write(pop.bird, pop.bird_conf);
    POP_WAIT_SAYS(&pop, "include state", "loaded");
    LAB_WAIT(tap_has_community(pop.tap, POP_V4, POP_AS, 7) &&
                 tap_has_community(pop.tap, POP_V6, POP_AS, 7),
             "the new community", POP_WAIT_MS);
    POP_HISTORY(&pop, 0, "AA");
    free(former);
}

// Ours would confirm it; and once it is undone, bring it back.
LAB_TEST(somebodys_open_configure_timeout_is_his_to_settle)
{
    struct pop pop = usual_pop();

    POP_WAIT_SAYS(&pop, "include state", "loaded");
    lab_birdc(pop.bird, "configure timeout 300");
    pop_reload(&pop, POP_USUAL "communities = 64512:7\n");
    POP_WAIT_SAYS(&pop, "include state", "unconfirmed");
    assert_non_null(strstr(lab_birdc(pop.bird, "configure status"), "Configuration unconfirmed"));
    POP_COMMAND(&pop, 0, "status");
    assert_non_null(strstr(pop_output, "configure timeout"));
    POP_HISTORY(&pop, 0, "A");

    lab_birdc(pop.bird, "configure confirm");
    assert_true(configures(&pop));
    POP_WAIT_SAYS(&pop, "include state", "loaded");
    LAB_WAIT(tap_has_community(pop.tap, POP_V4, POP_AS, 7) &&
                 tap_has_community(pop.tap, POP_V6, POP_AS, 7),
             "the new community", POP_WAIT_MS);
}

// ---- Another popgated

// `popgate` of the second one must end with this status; what it wrote is in pop_output.
#define SECOND(pop, status, ...) second((pop), (status), LAB_ARGV(__VA_ARGS__))
static bool second(const struct pop *pop, int status, const char *const words[])
{
    char socket_path[LAB_PATH_MAX];
    const char *argv[16] = {lab_popgate_program(), "--socket",
                            lab_path(pop->node, "run2/popgate.sock", socket_path)};
    for (size_t i = 0; words[i] != NULL; i++) {
        argv[3 + i] = words[i];
    }
    return lab_run(pop->node, argv, pop_output, LAB_OUTPUT_MAX) == status;
}

// With the same service, which it never finds healthy, and without a line in bird.conf.
static void start_second(const struct pop *pop)
{
    char config[LAB_CONFIG_MAX], file[LAB_PATH_MAX];
    const char *dir = lab_dir(pop->node);
    snprintf(config, sizeof config,
             "[pop]\nid = second\nstate_dir = %s/state2\nruntime_dir = %s/run2\n"
             "[bird]\nsocket = %s\nlocal_as = %u\n"
             "[probe dead]\ntype = tcp\ntarget = 127.0.0.1:9\n"
             "[service dns]\nprefixes = " POP_V4 " " POP_V6 "\nrequire = dead\n"
             "last_pop_guard = off\n",
             dir, dir, lab_bird_socket(pop->bird), POP_AS);
    lab_write(pop->node, "second.conf", config);
    lab_run(pop->node, LAB_ARGV("mkdir", "-p", lab_path(pop->node, "run2", file)), NULL, 0);
    lab_run(pop->node, LAB_ARGV("mkdir", "-p", lab_path(pop->node, "state2", file)), NULL, 0);
    struct lab_command command = {.name = "second",
                                  .argv = LAB_ARGV(lab_popgated_program(), "--config",
                                                   lab_path(pop->node, "second.conf", file))};
    lab_spawn(pop->node, &command);
}

static bool second_gives_way(const struct pop *pop)
{
    return SECOND(pop, 2, "check") &&
           strstr(pop_output, "another popgated switches the same protocols") != NULL;
}

LAB_TEST(of_two_popgated_on_one_bird_the_one_whose_file_is_not_read_gives_way)
{
    struct pop pop = usual_pop();
    char with_line[LAB_CONFIG_MAX];

    POP_WAIT_SAYS(&pop, "services dns seen", "true");
    size_t before = tap_event_count(pop.tap);
    start_second(&pop);
    LAB_WAIT(second_gives_way(&pop), "the second popgated to give way", POP_WAIT_MS);
    assert_true(tap_event_count(pop.tap) - before <= 20); // two prefixes, off and on, a few times
    POP_WAIT_ANNOUNCED(&pop);
    POP_WAIT_SAYS(&pop, "services dns seen", "true");
    size_t mark = pop_mark(&pop);

    lab_kill(pop.unbound);
    POP_WAIT_WITHDRAWN(&pop);
    lab_unbound_restart(pop.unbound);
    POP_WAIT_ANNOUNCED(&pop);
    POP_WAIT_SAYS(&pop, "services dns seen", "true");
    POP_HISTORY(&pop, mark, "WA"); // nobody else's doing
    assert_true(second_gives_way(&pop));

    lab_popgated_kill(pop.popgated);
    char *line = strstr(pop.bird_conf, "/run/bird*.conf");
    snprintf(with_line, sizeof with_line, "%.*s/run2/bird*.conf%s", (int)(line - pop.bird_conf),
             pop.bird_conf, line + strlen("/run/bird*.conf"));
    lab_bird_write(pop.bird, with_line);
    lab_birdc(pop.bird, "configure");
    POP_WAIT_WITHDRAWN(&pop);
    LAB_WAIT(
        SECOND(&pop, 0, "pin", "dns", "--for", "1h", "--reason", "it is the only one", "--wait"),
        "the second popgated to go on", POP_WAIT_MS);
    POP_WAIT_ANNOUNCED(&pop);
    assert_false(second_gives_way(&pop));
}
