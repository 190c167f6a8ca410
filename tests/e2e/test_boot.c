// What a systemd that runs does with popgate's units: whatever ends popgated or BIRD, what the
// upstream sees is what docs/design.md says of a start and a stop.
#include "tests/lab/booted.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What the upstream saw of both prefixes since mark: A, W, L as pop.h has them.
static void saw(const struct booted *pop, size_t mark, const char *letters)
{
    static const char names[] = {[TAP_ANNOUNCED] = 'A', [TAP_WITHDRAWN] = 'W', [TAP_LOST] = 'L'};
    struct tap_event events[16];
    char seen[17] = "";
    size_t count = tap_events(pop->tap, mark, POP_V4, events, 16);

    for (size_t i = 0; i < count && i < 16; i++) {
        seen[i] = names[events[i].kind];
    }
    assert_string_equal(seen, letters);
}

static bool says(const struct booted *pop, const char *text)
{
    (void)boot_run(pop->boot, LAB_ARGV("popgate", "status"), pop_output, sizeof pop_output);
    return strstr(pop_output, text) != NULL;
}

static bool has_started(const struct booted *pop)
{
    return booted_is(pop, "popgated", "SubState", "running");
}

static int main_pid(const struct booted *pop)
{
    return (int)strtol(boot_shows(pop->boot, "popgated", "MainPID"), NULL, 10);
}

BOOT_TEST(installed_enabled_and_started_as_the_readme_says_the_service_is_announced)
{
    struct booted pop = booted_pop();

    assert_true(has_started(&pop));
    assert_true(booted_is(&pop, "popgated", "NRestarts", "0"));
    BOOTED_RUN(&pop, 0, "popgate", "check");
    BOOTED_RUN(&pop, 0, "popgate", "reload", "--wait");
    BOOTED_RUN(&pop, 0, "systemctl", "reload", "popgated");
    saw(&pop, 0, "A");
    BOOTED_RUN(&pop, 0, "systemctl", "stop", "popgated");
    assert_false(tap_has(pop.tap, POP_V4));
    assert_true(booted_is(&pop, "popgated", "ActiveState", "inactive"));
    saw(&pop, 0, "AW");
}

BOOT_TEST(a_killed_popgated_is_restarted_and_the_upstream_sees_nothing)
{
    struct booted pop = booted_pop();
    int pid = main_pid(&pop);

    BOOTED_RUN(&pop, 0, "systemctl", "kill", "--kill-whom=main", "--signal=KILL", "popgated");
    LAB_WAIT(has_started(&pop) && main_pid(&pop) != pid, "another popgated", BOOTED_WAIT_MS);
    LAB_WAIT(boot_run(pop.boot, LAB_ARGV("popgate", "check"), pop_output, sizeof pop_output) == 0,
             "it to have seen that all is well", BOOTED_WAIT_MS);
    saw(&pop, 0, "A");
}

BOOT_TEST(a_stopped_process_is_ended_by_the_watchdog_and_the_upstream_sees_nothing)
{
    struct booted pop = booted_pop();
    int pid = main_pid(&pop);

    BOOTED_RUN(&pop, 0, "systemctl", "kill", "--kill-whom=main", "--signal=STOP", "popgated");
    LAB_WAIT(has_started(&pop) && main_pid(&pop) != pid, "another popgated", BOOTED_WAIT_MS);
    assert_true(booted_log_has(&pop, "Watchdog timeout"));
    saw(&pop, 0, "A");
}

BOOT_TEST(a_killed_or_restarted_bird_announces_again_what_is_healthy)
{
    struct booted pop = booted_pop();

    BOOTED_RUN(&pop, 0, "systemctl", "restart", "bird");
    BOOTED_WAIT_ANNOUNCED(&pop);
    BOOTED_RUN(&pop, 0, "systemctl", "kill", "--signal=ABRT", "bird");
    LAB_WAIT(!tap_has(pop.tap, POP_V4), "the session to be lost", BOOTED_WAIT_MS);
    BOOTED_WAIT_ANNOUNCED(&pop);
    assert_true(booted_is(&pop, "popgated", "NRestarts", "0"));
}

BOOT_TEST(what_a_hanging_bird_keeps_announced_at_a_stop_the_fail_safe_withdraws)
{
    struct booted pop = booted_pop();

    BOOTED_RUN(&pop, 0, "systemctl", "kill", "--signal=STOP", "bird");
    BOOTED_RUN(&pop, 0, "systemctl", "stop", "popgated");
    assert_true(tap_has(pop.tap, POP_V4));
    assert_true(booted_is(&pop, "popgate-failsafe", "ActiveState", "activating"));
    BOOTED_RUN(&pop, 0, "systemctl", "kill", "--signal=CONT", "bird");
    BOOTED_WAIT_WITHDRAWN(&pop);
    LAB_WAIT(booted_is(&pop, "popgate-failsafe", "ActiveState", "inactive"), "the fail-safe's end",
             BOOTED_WAIT_MS);
    assert_true(booted_is(&pop, "popgate-failsafe", "Result", "success"));
}

BOOT_TEST(a_reboot_keeps_a_drain_and_an_isolation)
{
    struct booted pop = booted_pop();

    BOOTED_RUN(&pop, 0, "popgate", "drain", "identity", "--now", "--wait", "--reason", "a test");
    boot_reboot(pop.boot);
    LAB_WAIT(tap_established(pop.tap) && says(&pop, "drain"), "the drain to be known",
             BOOTED_WAIT_MS);
    BOOTED_RUN(&pop, 0, "popgate", "undrain", "identity");
    BOOTED_WAIT_ANNOUNCED(&pop);
    BOOTED_RUN(&pop, 0, "popgate", "isolate", "--all", "--reason", "a test");
    BOOTED_WAIT_WITHDRAWN(&pop);
    size_t mark = tap_event_count(pop.tap);
    boot_reboot(pop.boot);
    LAB_WAIT(tap_established(pop.tap) && says(&pop, "isolate"), "the isolation to be known",
             BOOTED_WAIT_MS);
    saw(&pop, mark, "");
    BOOTED_RUN(&pop, 0, "popgate", "release", "--all");
    BOOTED_WAIT_ANNOUNCED(&pop);
}

BOOT_TEST(a_reboot_before_the_ledgers_disk_is_mounted_drains_everything_until_it_is)
{
    struct booted pop = booted_pop();

    BOOTED_RUN(&pop, 0, "popgate", "drain", "identity", "--now", "--wait", "--reason", "a test");
    BOOTED_RUN(&pop, 0, "sh", "-c", "systemctl stop popgated && mv /var/lib/popgate /var/lib/disk");
    size_t mark = tap_event_count(pop.tap);
    boot_reboot(pop.boot);
    LAB_WAIT(tap_established(pop.tap) && says(&pop, "there is no ledger"),
             "popgated to miss the ledger", BOOTED_WAIT_MS);
    BOOTED_RUN(&pop, 2, "popgate", "check");
    BOOTED_RUN(&pop, 0, "mount", "--bind", "/var/lib/disk", "/var/lib/popgate");
    BOOTED_RUN(&pop, 1, "popgate", "undrain", "identity");
    LAB_WAIT(says(&pop, "a test"), "the ledger to be read", BOOTED_WAIT_MS);
    saw(&pop, mark, "");
    BOOTED_RUN(&pop, 0, "popgate", "undrain", "identity");
    BOOTED_WAIT_ANNOUNCED(&pop);
}

// debian/prerm, as dpkg runs it.
BOOT_TEST(the_package_is_not_removed_while_bird_hangs_however_often_that_is_tried)
{
    struct booted pop = booted_pop();
    char prerm[LAB_PATH_MAX];

    assert_int_equal(lab_run(pop.node,
                             LAB_ARGV("cp", "debian/prerm", boot_path(pop.boot, "/prerm", prerm)),
                             pop_output, sizeof pop_output),
                     0);
    BOOTED_RUN(&pop, 0, "rm", "-f", "/usr/sbin/policy-rc.d");
    BOOTED_RUN(&pop, 0, "systemctl", "kill", "--signal=STOP", "bird");
    BOOTED_RUN(&pop, 0, "systemctl", "stop", "popgated");
    BOOTED_RUN(&pop, 0, "systemctl", "stop", "popgate-failsafe");
    BOOTED_RUN(&pop, 0, "sed", "-i", "1d", "/run/popgate/bird.conf"); // nobody can read it now
    BOOTED_RUN(&pop, 1, "sh", "/prerm", "remove");
    assert_non_null(strstr(pop_output, "does not confirm"));
    BOOTED_RUN(&pop, 1, "sh", "/prerm", "remove");
    assert_true(tap_has(pop.tap, POP_V4));
    BOOTED_RUN(&pop, 0, "systemctl", "kill", "--signal=CONT", "bird");
    BOOTED_RUN(&pop, 0, "sh", "/prerm", "remove");
    BOOTED_WAIT_WITHDRAWN(&pop);
}

// ---- Starts that fail

BOOT_TEST(a_typo_and_a_crash_are_no_outage)
{
    struct booted pop = booted_pop();
    int pid = main_pid(&pop);

    booted_configure(&pop, BOOTED_USUAL "a_typo = 1\n");
    BOOTED_RUN(&pop, 0, "systemctl", "kill", "--kill-whom=main", "--signal=KILL", "popgated");
    LAB_WAIT(has_started(&pop) && main_pid(&pop) != pid, "another popgated", BOOTED_WAIT_MS);
    LAB_WAIT(boot_run(pop.boot, LAB_ARGV("popgate", "check"), pop_output, sizeof pop_output) == 1 &&
                 strstr(pop_output, "a_typo") != NULL,
             "it to say what is wrong", BOOTED_WAIT_MS);
    booted_configure(&pop, BOOTED_USUAL);
    BOOTED_RUN(&pop, 0, "systemctl", "reload", "popgated");
    BOOTED_RUN(&pop, 0, "popgate", "check");
    saw(&pop, 0, "A");
}

BOOT_TEST(starts_that_fail_withdraw_everything_and_heal_by_themselves)
{
    struct booted pop = booted_pop();

    BOOTED_RUN(&pop, 0, "sh", "-c",
               "mkdir /run/systemd/system/popgated.service.d && "
               "printf '[Service]\nExecStart=\nExecStart=/bin/false\n' > "
               "/run/systemd/system/popgated.service.d/fails.conf && systemctl daemon-reload");
    BOOTED_RUN(&pop, 0, "systemctl", "kill", "--kill-whom=main", "--signal=KILL", "popgated");
    BOOTED_WAIT_WITHDRAWN(&pop);
    saw(&pop, 0, "AW");
    assert_false(booted_log_has(&pop, "repeated too quickly"));
    BOOTED_RUN(&pop, 0, "sh", "-c",
               "rm -r /run/systemd/system/popgated.service.d && systemctl daemon-reload");
    BOOTED_WAIT_ANNOUNCED(&pop);
}

BOOT_TEST(a_repaired_start_is_never_barred)
{
    struct booted pop = booted_host(true);

    booted_install(&pop);
    booted_configure(&pop, "[pop]\n");
    boot_start(pop.boot);
    BOOTED_RUN(&pop, 1, "systemctl", "enable", "--now", "popgated");
    LAB_WAIT(booted_log_has(&pop, "again and again"), "slow restarts", BOOTED_WAIT_MS);
    booted_configure(&pop, BOOTED_USUAL);
    BOOTED_RUN(&pop, 0, "systemctl", "start", "popgated");
    BOOTED_WAIT_ANNOUNCED(&pop);
}

BOOT_TEST(a_port_that_is_taken_when_popgated_crashes_takes_nothing_down_for_good)
{
    struct booted pop = booted_pop();
    int pid = main_pid(&pop);

    BOOTED_RUN(&pop, 0, "systemctl", "stop", "popgated");
    struct lab_tcp_server *other =
        lab_tcp_server_start(pop.node, "192.0.2.53", 53, LAB_TCP_SILENT, NULL);
    BOOTED_RUN(&pop, 0, "systemctl", "start", "popgated");
    assert_int_not_equal(main_pid(&pop), pid);
    (void)boot_run(pop.boot, LAB_ARGV("popgate", "status"), pop_output, sizeof pop_output);
    assert_non_null(strstr(pop_output, "in use"));
    lab_tcp_server_crash(other);
    BOOTED_WAIT_ANNOUNCED(&pop);
    assert_true(booted_is(&pop, "popgated", "NRestarts", "0"));
}

// ---- The sandbox, and sockets of systemd's

static const char nicer_threads_and_open_to_all[] =
    "ps -L -o comm=,ni= -p $0 | awk '{nice[$1] = $2} "
    "END {exit nice[\"dns-udp\"] != nice[\"popgated\"] + 5}' && "
    "setpriv --reuid nobody --regid nogroup --clear-groups popgate status >/dev/null";

BOOT_TEST(in_its_sandbox_popgated_does_all_that_is_documented)
{
    static const char config[] = BOOTED_HEAD
        "[defaults]\ninterval = 200ms\nrise = 1\n" BOOTED_PROBES
        "[probe clock]\ntype = clock\nmax_offset = 16s\n"
        "[probe address]\ntype = address\naddresses = 192.0.2.53\n"
        "[probe command]\ntype = exec\nshell = yes\n"
        "command = test $(cut -d' ' -f6 /proc/self/stat) != 0 && grep -q 'NoNewPrivs:.1' "
        "/proc/self/status && grep -q 'CapAmb:.0*$' /proc/self/status\n" BOOTED_SERVICE
        "[service rest]\nprefixes = 198.51.100.9/32\nrequire = address command\n"
        "degrade = clock\nlast_pop_guard = off\n";
    struct booted pop = booted_pop();
    char pid[16];

    booted_configure(&pop, config);
    BOOTED_RUN(&pop, 0, "popgate", "reload", "--wait");
    LAB_WAIT(tap_has(pop.tap, "198.51.100.9/32"), "the other service to be announced",
             BOOTED_WAIT_MS);
    (void)boot_run(pop.boot, LAB_ARGV("popgate", "probes"), pop_output, sizeof pop_output);
    assert_null(strstr(pop_output, "can't read"));
    assert_null(strstr(pop_output, "not permitted"));
    snprintf(pid, sizeof pid, "%d", main_pid(&pop));
    BOOTED_RUN(&pop, 0, "sh", "-c", nicer_threads_and_open_to_all, pid);
}

static const char no_warning[] =
    "! journalctl -q -b -u popgated -u popgated.socket -p warning --no-pager | "
    "grep -vE 'RestartMode|event=transition'";

// The order of the comment in popgated.socket.
BOOT_TEST(with_systemds_sockets_popgated_needs_no_capability)
{
    struct booted pop = booted_pop();

    BOOTED_RUN(&pop, 0, "sh", "-c",
               "mkdir /etc/systemd/system/popgated.service.d && "
               "printf '[Service]\nCapabilityBoundingSet=\nAmbientCapabilities=\n' > "
               "/etc/systemd/system/popgated.service.d/caps.conf && systemctl daemon-reload");
    BOOTED_RUN(&pop, 0, "systemctl", "stop", "popgated");
    BOOTED_RUN(&pop, 0, "systemctl", "enable", "--now", "popgated.socket");
    BOOTED_RUN(&pop, 0, "systemctl", "start", "popgated");
    BOOTED_WAIT_ANNOUNCED(&pop);
    BOOTED_RUN(&pop, 0, "popgate", "check");
    BOOTED_RUN(&pop, 0, "sh", "-c", no_warning);
    boot_reboot(pop.boot);
    BOOTED_WAIT_ANNOUNCED(&pop);
    BOOTED_RUN(&pop, 0, "systemctl", "stop", "popgated.socket", "popgated");
    BOOTED_WAIT_WITHDRAWN(&pop);
}
